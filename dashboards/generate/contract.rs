//! What a scrape has: every metric that a dashboard or a rule may name, and its labels.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use mta_exporter::attempt::{NoReply, Outcome, Phase};
use mta_exporter::exposition::Kind;
use mta_exporter::exposition::catalogue::METRICS;
use mta_exporter::mta::LineKind;
use mta_exporter::reason::{BounceKind, Reason};
use regex::Regex;
use serde_json::Value;

use crate::alerts::Rules;

/// What Prometheus itself makes.
const OF_PROMETHEUS: [(&str, &[&str]); 3] = [
    ("up", &[]),
    ("ALERTS", &["alertname", "alertstate", "severity", "provider", "reason"]),
    ("ALERTS_FOR_STATE", &["alertname", "severity", "provider", "reason"]),
];

/// Labels that Prometheus gives to every target.
const TARGET_LABELS: [&str; 2] = ["job", "instance"];

/// Fails where a rule names what no scrape has.
pub(crate) fn check_rules(rules: &Rules) -> Result<()> {
    let recorded = rules.records.iter().map(|record| record.name.clone()).collect();
    for record in &rules.records {
        check(&record.expr, &recorded).with_context(|| record.name.clone())?;
    }
    let variable = Regex::new(r"\$\w+")?;
    for alert in &rules.alerts {
        check(&alert.expr, &recorded).with_context(|| alert.name.clone())?;
        if let Some(hosts) = &alert.hosts {
            let any = variable.replace_all(hosts, ".*");
            check(&any, &recorded).with_context(|| alert.name.clone())?;
        }
    }
    Ok(())
}

/// Fails where a dashboard names what no scrape has. Recorded series are not among it: a dashboard
/// needs no rule.
pub(crate) fn check_board(board: &Value) -> Result<()> {
    for panel in board["panels"].as_array().into_iter().flatten() {
        let title = panel["title"].to_string();
        for target in panel["targets"].as_array().into_iter().flatten() {
            check(target["expr"].as_str().unwrap_or_default(), &BTreeSet::new())
                .with_context(|| title.clone())?;
        }
    }
    for variable in
        board.pointer("/templating/list").and_then(Value::as_array).into_iter().flatten()
    {
        let query = variable["definition"].as_str().unwrap_or_default();
        check(query, &BTreeSet::new()).with_context(|| variable["name"].to_string())?;
    }
    Ok(())
}

/// Fails where the query names a metric that no scrape has and `recorded` does not make, a label
/// that the metric has not, or a value outside a closed set.
pub(crate) fn check(query: &str, recorded: &BTreeSet<String>) -> Result<()> {
    let selector = Regex::new(
        r"([a-zA-Z_][a-zA-Z0-9_:]*)(?:\{([^}]*)\})|\b((?:[a-z_]+:)?(?:mta|process)_[a-z0-9_:]+|up|ALERTS(?:_FOR_STATE)?)\b",
    )?;
    let matcher = Regex::new(r#"([a-z_]+)\s*(=~|!~|!=|=)\s*["']([^"']*)["']"#)?;
    let code: String = query.lines().filter(|line| !line.trim().starts_with('#')).collect();
    let mut labels: BTreeSet<&str> = TARGET_LABELS.into();
    // The bound of a histogram's bucket.
    labels.insert("le");
    for found in selector.captures_iter(&code) {
        let name = found.get(1).or(found.get(3)).map_or("", |name| name.as_str());
        let known = labels_of(name);
        ensure!(known.is_some() || recorded.contains(name), "no scrape has `{name}`");
        // A recorded name begins with its labels.
        labels.extend(known.unwrap_or(&["provider", "code", "code_class", "outcome", "reason"]));
        for matched in matcher.captures_iter(found.get(2).map_or("", |inner| inner.as_str())) {
            let label = matched.get(1).map_or("", |label| label.as_str());
            let value = matched.get(3).map_or("", |value| value.as_str());
            let has = known.is_none_or(|labels| labels.contains(&label));
            ensure!(has || TARGET_LABELS.contains(&label), "`{name}` has no label `{label}`");
            for value in value.split('|') {
                check_value(label, value, name)?;
            }
        }
    }
    let grouping = Regex::new(r"\b(?:by|on|without|group_left) \(([^)]*)\)")?;
    for found in grouping.captures_iter(&code) {
        for label in found.get(1).map_or("", |list| list.as_str()).split(',').map(str::trim) {
            ensure!(label.is_empty() || labels.contains(label), "no metric here has `{label}`");
        }
    }
    Ok(())
}

/// The labels of a metric, `None` where no scrape has it.
fn labels_of(name: &str) -> Option<&'static [&'static str]> {
    let catalogue = METRICS.iter().find_map(|metric| {
        let part = name.strip_prefix(metric.name)?;
        match metric.kind {
            Kind::Histogram if ["_bucket", "_count", "_sum"].contains(&part) => Some(metric.labels),
            Kind::Counter | Kind::Gauge if part.is_empty() => Some(metric.labels),
            Kind::Histogram | Kind::Counter | Kind::Gauge => None,
        }
    });
    let own = OF_PROMETHEUS.iter().find(|(known, _)| *known == name);
    catalogue.or(own.map(|(_, labels)| *labels))
}

fn check_value(label: &str, value: &str, metric: &str) -> Result<()> {
    let plain = |value: &str| value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !plain(value) {
        return Ok(());
    }
    let known = match label {
        "reason" => Reason::parse(value).is_some(),
        "outcome" => Outcome::parse(value).is_some(),
        "phase" => Phase::parse(value).is_some(),
        "cause" => NoReply::parse(value).is_some_and(NoReply::is_connection_failure),
        "code_class" => ["2xx", "4xx", "5xx", "none"].contains(&value),
        "kind" if metric.contains("bounces") => BounceKind::parse(value).is_some(),
        "kind" => LineKind::LABELS.contains(&value),
        _ => true,
    };
    ensure!(known, "`{metric}` never has {label}=\"{value}\"");
    Ok(())
}
