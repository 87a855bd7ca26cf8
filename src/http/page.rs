//! The landing page: what this is, where the metrics are, and how the sources are doing.

use crate::exposition::{REVISION, VERSION};
use crate::ledger::{Snapshot, SourceCounts, SourceGauges, SourceId};

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mta_exporter</title>
<style>
body { font-family: system-ui, sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem;
  color: #1b1f24; background: #fff; line-height: 1.5 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #d0d7de }
td.number, th.number { text-align: right }
.up { color: #116329 } .down { color: #a40e26; font-weight: bold }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117 }
  a { color: #79c0ff } th, td { border-color: #30363d }
  .up { color: #7ee787 } .down { color: #ffa198 } }
</style>
</head>
<body>
<h1>mta_exporter</h1>
<p>SMTP replies of mail logs as Prometheus metrics, by receiving provider and code class.</p>
"#;

const NOT_DURABLE: &str = r#"<p class="down">The state cannot be saved: after a restart counting
begins anew.</p>
"#;

/// The page. `state` is a snapshot, or why there is none.
pub(super) fn html(telemetry_path: &str, state: Result<&Snapshot, &str>) -> String {
    let path = escape(telemetry_path);
    let state = match state {
        Ok(snapshot) => sources(snapshot),
        Err(reason) => format!("<p class=\"down\">Not ready: {}.</p>\n", escape(reason)),
    };
    format!(
        r#"{HEAD}<p>Version {VERSION}, revision {REVISION}</p>
<ul>
<li><a href="{path}">Metrics</a></li>
<li><a href="/-/ready">Ready?</a></li>
<li><a href="/-/healthy">Healthy?</a></li>
</ul>
<h2>Sources</h2>
{state}</body>
</html>
"#
    )
}

fn sources(snapshot: &Snapshot) -> String {
    let row = |(id, gauges): &(SourceId, SourceGauges)| {
        Some(row(snapshot.ledger.sources().get(id.index())?, gauges))
    };
    let rows: String = snapshot.sources.iter().filter_map(row).collect();
    let warning = if snapshot.state.durable { "" } else { NOT_DURABLE };
    format!(
        r#"<table>
<tr><th>Source</th><th>State</th><th class="number">Lines read</th>
<th class="number">Bytes to read</th></tr>
{rows}</table>
{warning}"#
    )
}

fn row(counts: &SourceCounts, gauges: &SourceGauges) -> String {
    let name = escape(counts.name());
    let state = if gauges.up { "up" } else { "down" };
    let lines: u64 = counts.lines.iter().sum();
    let lag = gauges.lag_bytes;
    format!(
        r#"<tr><td>{name}</td><td class="{state}">{state}</td><td class="number">{lines}</td>
<td class="number">{lag}</td></tr>
"#
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
