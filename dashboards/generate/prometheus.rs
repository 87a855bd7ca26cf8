//! The rules as Prometheus loads them.

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
