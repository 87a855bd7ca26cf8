//! The rules as Prometheus loads them.

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::alerts::{Alert, Rules};

/// Says where to edit a generated file.
pub(crate) const HEADER: &str = "# Made by `cargo run --example dashboards` from \
                                 dashboards/alerts.toml: edit there.\n";

/// The rule file: the recording rules first, then the alerts in their groups.
pub(crate) fn rule_file(rules: &Rules) -> String {
    let mut text = format!("{HEADER}groups:\n  - name: mta_exporter.recording\n    rules:\n");
    for record in &rules.records {
        text += &format!("      # {}\n", record.why);
        text += &format!("      - record: {}\n", record.name);
        text += &format!("        expr: |\n{}", block(&record.expr, 10));
    }
    let mut group = "";
    for alert in &rules.alerts {
        if alert.group != group {
            group = &alert.group;
            text += &format!("  - name: mta_exporter.{group}\n    rules:\n");
        }
        text += &rule(alert);
    }
    text
}

/// The same as JSON, which jsonnet reads without a YAML parser.
pub(crate) fn rule_json(rules: &Rules) -> Result<String> {
    let mut groups =
        vec![json!({"name": "mta_exporter.recording", "rules": rules.records.iter().map(
        |record| json!({"record": record.name, "expr": record.expr.trim_end().to_owned() + "\n"}),
    ).collect::<Vec<_>>()})];
    for alerts in rules.alerts.chunk_by(|one, next| one.group == next.group) {
        let mut group = Vec::new();
        for alert in alerts {
            let annotations: Map<String, Value> = alert
                .annotations
                .iter()
                .map(|(name, text)| ((*name).to_owned(), json!(text)))
                .collect();
            let mut rule = json!({
                "alert": alert.name, "expr": alert.expr.trim_end().to_owned() + "\n",
                "labels": {"severity": alert.severity, "component": alert.component},
                "annotations": annotations,
            });
            for (name, wait) in [("for", &alert.hold), ("keep_firing_for", &alert.keep)] {
                if let (Some(rule), Some(wait)) = (rule.as_object_mut(), wait) {
                    rule.insert(name.to_owned(), json!(wait));
                }
            }
            group.push(rule);
        }
        let name = alerts.first().map_or("", |alert| alert.group.as_str());
        groups.push(json!({"name": format!("mta_exporter.{name}"), "rules": group}));
    }
    Ok(serde_json::to_string_pretty(&json!({"groups": groups}))? + "\n")
}

fn rule(alert: &Alert) -> String {
    let mut text = format!("      - alert: {}\n", alert.name);
    text += &format!("        expr: |\n{}", block(&alert.expr, 10));
    if let Some(hold) = &alert.hold {
        text += &format!("        for: {hold}\n");
    }
    if let Some(keep) = &alert.keep {
        text += &format!("        keep_firing_for: {keep}\n");
    }
    text += "        labels:\n";
    text += &format!("          severity: {}\n", alert.severity);
    text += &format!("          component: {}\n", alert.component);
    text += "        annotations:\n";
    for (name, value) in &alert.annotations {
        text += &format!("          {name}: {}\n", quoted(value));
    }
    text
}

/// A YAML block scalar's lines.
pub(crate) fn block(text: &str, by: usize) -> String {
    text.trim_end()
        .lines()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{:by$}{line}\n", "") })
        .collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
