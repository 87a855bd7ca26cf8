//! What a scrape has: every metric that a dashboard or a rule may name, and its labels.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use mta_exporter::attempt::{NoReply, Outcome, Phase};
use mta_exporter::reason::{BounceKind, Reason};
use regex::Regex;
use serde_json::Value;

use crate::alerts::Rules;

/// Metrics and their labels, without those that Prometheus adds.
const METRICS: &[(&str, &[&str])] = &[
    ("mta_replies_total", &["provider", "code_class", "code"]),
    ("mta_deliveries_total", &["provider", "outcome"]),
    ("mta_refusals_total", &["provider", "reason"]),
    ("mta_bounces_total", &["provider", "kind"]),
    ("mta_enhanced_replies_total", &["provider", "enhanced"]),
    ("mta_blocklist_refusals_total", &["provider", "list"]),
    ("mta_refusal_phases_total", &["provider", "phase"]),
    ("mta_connection_failures_total", &["provider", "cause"]),
    ("mta_delivery_delay_seconds_bucket", &["provider", "le"]),
    ("mta_delivery_delay_seconds_count", &["provider"]),
    ("mta_delivery_delay_seconds_sum", &["provider"]),
    ("mta_inbound_rejects_total", &["code_class", "code", "reason"]),
    ("mta_source_up", &["source"]),
    ("mta_source_lag_bytes", &["source"]),
    ("mta_source_lag_seconds", &["source"]),
    ("mta_source_last_event_timestamp_seconds", &["source"]),
    ("mta_source_lines_total", &["source", "kind"]),
    ("mta_source_read_bytes_total", &["source"]),
    ("mta_source_rotations_total", &["source"]),
    ("mta_source_truncations_total", &["source"]),
    ("mta_source_gaps_total", &["source"]),
    ("mta_source_read_errors_total", &["source"]),
    ("mta_unclassified_replies_total", &["code_class"]),
    ("mta_state_restored", &[]),
    ("mta_state_commits_total", &[]),
    ("mta_state_commit_failures_total", &[]),
    ("mta_series", &[]),
    ("mta_series_folded_total", &[]),
    ("mta_config_last_reload_successful", &[]),
    ("mta_config_last_reload_success_timestamp_seconds", &[]),
    ("mta_exporter_build_info", &["version", "revision", "rustc"]),
    ("process_cpu_seconds_total", &[]),
    ("process_resident_memory_bytes", &[]),
    ("process_open_fds", &[]),
    ("process_max_fds", &[]),
    ("process_start_time_seconds", &[]),
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
    for found in selector.captures_iter(&code) {
        let name = found.get(1).or(found.get(3)).map_or("", |name| name.as_str());
        let known = METRICS.iter().find(|(known, _)| *known == name).map(|(_, labels)| *labels);
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
        "kind" => LINE_KINDS.contains(&value),
        _ => true,
    };
    ensure!(known, "`{metric}` never has {label}=\"{value}\"");
    Ok(())
}

/// What a line can be; see `mta_source_lines_total`.
const LINE_KINDS: [&str; 9] = [
    "delivery",
    "host_reply",
    "inbound_reject",
    "suspended",
    "local",
    "state",
    "irrelevant",
    "unreadable",
    "overlong",
];
