//! What `alerts.toml` says, with its thresholds filled in.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;
use serde::Deserialize;

/// The file as it was typed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    runbooks: String,
    divide_by: Vec<String>,
    thresholds: Vec<Threshold>,
    records: Vec<Record>,
    alerts: Vec<AlertSource>,
}

/// A number that decides, and the reason for it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Threshold {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) why: String,
}

/// A recording rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    #[serde(rename = "record")]
    pub(crate) name: String,
    pub(crate) expr: String,
    pub(crate) why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertSource {
    name: String,
    group: String,
    severity: String,
    component: String,
    by: Option<String>,
    expr: String,
    #[serde(rename = "for")]
    hold: Option<String>,
    keep: Option<String>,
    summary: String,
    description: String,
    hosts: Option<String>,
    dashboard: String,
}

/// An alert as Prometheus reads it.
#[derive(Debug, Clone)]
pub(crate) struct Alert {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) severity: String,
    pub(crate) component: String,
    pub(crate) expr: String,
    pub(crate) hold: Option<String>,
    pub(crate) keep: Option<String>,
    /// Name and text, in the order in which they are written.
    pub(crate) annotations: Vec<(&'static str, String)>,
    /// The counter whose busiest hosts the description names.
    pub(crate) hosts: Option<String>,
    /// The thresholds that it uses, in the order of use.
    pub(crate) thresholds: Vec<String>,
}

/// All rules.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Where the runbooks are to be read.
    pub(crate) runbooks: String,
    pub(crate) thresholds: Vec<Threshold>,
    pub(crate) records: Vec<Record>,
    pub(crate) alerts: Vec<Alert>,
}

impl Rules {
    /// Reads the text of `alerts.toml`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let source: Source = toml::from_str(text)?;
        let divided = source.divide_by.join(", ");
        let mut used = BTreeSet::new();
        let mut alerts = Vec::new();
        for alert in &source.alerts {
            let alert = fill_alert(alert, &source, &divided)
                .with_context(|| format!("alert {}", alert.name))?;
            used.extend(alert.thresholds.iter().cloned());
            alerts.push(alert);
        }
        for threshold in &source.thresholds {
            ensure!(
                used.contains(&threshold.name),
                "nothing uses the threshold {}",
                threshold.name
            );
        }
        let records = source
            .records
            .into_iter()
            .map(|record| Record { expr: divide(record.expr.trim(), &divided), ..record });
        Ok(Self {
            runbooks: source.runbooks,
            thresholds: source.thresholds,
            records: records.collect(),
            alerts,
        })
    }

    /// The value of a threshold.
    pub(crate) fn threshold(&self, name: &str) -> Result<f64> {
        let threshold = self.thresholds.iter().find(|threshold| threshold.name == name);
        Ok(threshold.with_context(|| format!("no threshold is named {name}"))?.value)
    }

    /// The same rules for a world that runs `speed` times as fast: every window, offset and waiting
    /// time is divided, no number and no expression changes otherwise.
    pub(crate) fn faster(mut self, speed: u64) -> Result<Self> {
        if speed == 1 {
            return Ok(self);
        }
        for record in &mut self.records {
            record.expr = shorten(&record.expr, speed)?;
        }
        for alert in &mut self.alerts {
            alert.expr = shorten(&alert.expr, speed)?;
            for (_, text) in &mut alert.annotations {
                *text = shorten(text, speed)?;
            }
            for wait in [&mut alert.hold, &mut alert.keep].into_iter().flatten() {
                *wait = divide_duration(wait, speed)?;
            }
        }
        Ok(self)
    }
}

fn fill_alert(alert: &AlertSource, source: &Source, divided: &str) -> Result<Alert> {
    let mut thresholds = Vec::new();
    let mut fill = |text: &str| fill_thresholds(text, &source.thresholds, &mut thresholds);
    let expr = match &alert.by {
        Some(by) => both_scopes(&alert.expr, by),
        None => alert.expr.trim().to_owned(),
    };
    ensure!(!expr.contains("${scope}"), "expected a key `by` beside ${{scope}}");
    let expr = divide(&fill(&expr)?, divided);
    let hosts = alert.hosts.as_deref().map(busiest_hosts).unwrap_or_default();
    let annotations = vec![
        ("summary", fill(&alert.summary)?),
        ("description", fill(&alert.description)? + &hosts),
        ("runbook_url", format!("{}/{}.md", source.runbooks, alert.name)),
        ("dashboard", format!("/d/mta-exporter-{}", alert.dashboard)),
    ];
    Ok(Alert {
        name: alert.name.clone(),
        group: alert.group.clone(),
        severity: alert.severity.clone(),
        component: alert.component.clone(),
        expr,
        hold: alert.hold.clone(),
        keep: alert.keep.clone(),
        annotations,
        hosts: alert.hosts.clone(),
        thresholds,
    })
}

/// The expression for every host by itself and for all of a job together, as one alert.
fn both_scopes(expr: &str, by: &str) -> String {
    let labels = if by.is_empty() { "job".to_owned() } else { format!("job, {by}") };
    let one = indent(&expr.trim().replace("${scope}", "job, instance"), 4);
    let all = indent(&expr.trim().replace("${scope}", "job"), 4);
    format!(
        "max by ({labels}) (\n  # one host by itself\n  (\n{one}\n  )\n  or\n  # all hosts of the \
         job together\n  (\n{all}\n  )\n)"
    )
}

/// Adds the labels that keep installations apart wherever the rules group by `job`.
fn divide(expr: &str, divided: &str) -> String {
    ["by (", "on ("].iter().fold(expr.to_owned(), |expr, word| {
        expr.replace(&format!("{word}job"), &format!("{word}{divided}"))
    })
}

fn fill_thresholds(text: &str, thresholds: &[Threshold], used: &mut Vec<String>) -> Result<String> {
    let mut parts = text.trim().split("${");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').context("expected `}` after `${`")?;
        let (name, percent) = match name.strip_suffix("|%") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let Some(threshold) = thresholds.iter().find(|known| known.name == name) else {
            bail!("expected the name of a threshold, but found `{name}`");
        };
        if percent {
            filled += &format!("{} %", threshold.value * 100.0);
        } else {
            filled += &threshold.value.to_string();
        }
        if !used.iter().any(|known| known == name) {
            used.push(name.to_owned());
        }
        filled += rest;
    }
    Ok(filled)
}

/// The end of a description that names the hosts with most of what the alert is about. A template
/// that asks Prometheus, so that hosts are told without becoming labels of the alert.
fn busiest_hosts(counter: &str) -> String {
    let mut selector = String::new();
    let mut arguments = String::new();
    let mut rest = counter;
    while let Some((before, after)) = rest.split_once("'$") {
        let (label, after) = after.split_once('\'').unwrap_or((after, ""));
        selector += &format!("{before}'%s'");
        arguments += &format!(" $labels.{label}");
        rest = after;
    }
    selector += rest;
    format!(
        "{{{{ with query (printf \"topk(3, sum by (instance) (increase({selector})) > 0)\"\
         {arguments}) }}}} Most on {{{{ range $i, $host := . }}}}{{{{ if $i }}}}, {{{{ end }}}}\
         {{{{ $host.Labels.instance }}}} ({{{{ printf \"%.0f\" $host.Value }}}}){{{{ end }}}}.\
         {{{{ end }}}}"
    )
}

fn indent(text: &str, by: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("{:by$}{line}", "")).collect();
    lines.join("\n")
}

/// Divides every duration of a query: ranges, subquery steps and offsets.
fn shorten(expr: &str, speed: u64) -> Result<String> {
    let duration = Regex::new(r"(\[|:|offset )(\d+[smhdw])")?;
    let mut short = String::new();
    let mut from = 0;
    for found in duration.captures_iter(expr) {
        let (Some(whole), Some(before), Some(length)) = (found.get(0), found.get(1), found.get(2))
        else {
            continue;
        };
        short += expr.get(from..whole.start()).unwrap_or_default();
        short += before.as_str();
        short += &divide_duration(length.as_str(), speed)?;
        from = whole.end();
    }
    short += expr.get(from..).unwrap_or_default();
    Ok(short)
}

fn divide_duration(duration: &str, speed: u64) -> Result<String> {
    let digits = duration.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let milliseconds = match duration.strip_prefix(digits) {
        Some("s") => 1_000,
        Some("m") => 60_000,
        Some("h") => 3_600_000,
        Some("d") => 86_400_000,
        Some("w") => 604_800_000,
        _ => bail!("expected a duration such as 15m, but found `{duration}`"),
    };
    let milliseconds = digits.parse::<u64>()? * milliseconds;
    ensure!(milliseconds % speed == 0, "expected a speed that divides {duration} to whole ms");
    Ok(format!("{}ms", milliseconds / speed))
}
