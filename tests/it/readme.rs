//! The README says what the program does: its table of metrics is the exporter's own.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use mta_exporter::exposition::catalogue::METRICS;

const START: &str = "<!-- metrics -->\n";
const END: &str = "<!-- /metrics -->";

#[test]
fn the_table_of_metrics_is_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let mut table = "| metric | type | labels | what it says |\n|---|---|---|---|\n".to_owned();
    for metric in METRICS.iter().filter(|metric| !metric.name.starts_with("process_")) {
        let labels = metric.labels.join(" ");
        let (name, kind, help) = (metric.name, metric.kind.as_str(), metric.help);
        writeln!(table, "| `{name}` | {kind} | {labels} | {help} |").unwrap();
    }
    let (before, rest) = readme.split_once(START).expect("the marks of the table");
    let (found, after) = rest.split_once(END).expect("the marks of the table");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&path, format!("{before}{START}{table}{END}{after}")).unwrap();
        return;
    }
    assert!(found == table, "the README's table is old; UPDATE_EXPECTED=1 writes it anew");
}
