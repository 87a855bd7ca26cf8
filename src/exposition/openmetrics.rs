//! The families in the text format of OpenMetrics 1.0, with the times at which series were created.

use super::catalogue::{Kind, Metric};
use super::families::{Family, Point, Value};

/// Writes all of it, to the end mark: families by name, series by their labels.
pub(super) fn text(mut families: Vec<Family>) -> String {
    families.retain(|family| !family.points.is_empty());
    families.sort_by_key(|family| family.metric.name);
    let mut text = String::new();
    for family in &mut families {
        family.points.sort_by(|a, b| a.labels.cmp(&b.labels));
        write_family(&mut text, family);
    }
    text.push_str("# EOF\n");
    text
}

fn write_family(text: &mut String, family: &Family) {
    let metric = family.metric;
    // A counter's family has the name without the ending that its series have.
    let name = match metric.kind {
        Kind::Counter => metric.name.strip_suffix("_total").unwrap_or(metric.name),
        Kind::Gauge | Kind::Histogram => metric.name,
    };
    text.extend(["# TYPE ", name, " ", metric.kind.as_str(), "\n# HELP ", name, " "]);
    escape(text, metric.help);
    text.push('\n');
    for point in &family.points {
        write_point(text, name, metric, point);
    }
}

fn write_point(text: &mut String, name: &str, metric: &Metric, point: &Point) {
    let mut sample = |suffix: &str, le: Option<&str>, value: f64| {
        text.push_str(name);
        text.push_str(suffix);
        write_labels(text, metric, point, le);
        text.extend([" ", &value.to_string(), "\n"]);
    };
    match &point.value {
        Value::Number(value) => {
            sample(if metric.kind == Kind::Counter { "_total" } else { "" }, None, *value);
        }
        Value::Histogram { buckets, sum, count } => {
            let count = super::families::number(*count);
            for (bound, cumulative) in buckets {
                // Bounds are written as floating point numbers, so that all producers agree.
                let le = format!("{bound:?}");
                sample("_bucket", Some(&le), super::families::number(*cumulative));
            }
            sample("_bucket", Some("+Inf"), count);
            sample("_count", None, count);
            sample("_sum", None, *sum);
        }
    }
    let created = point.created.filter(|_| metric.kind != Kind::Gauge);
    if let Some(created) = created {
        sample("_created", None, super::families::number(created));
    }
}

fn write_labels(text: &mut String, metric: &Metric, point: &Point, le: Option<&str>) {
    let labels = metric.labels.iter().copied().zip(point.labels.iter().map(String::as_str));
    let mut separator = '{';
    for (name, value) in labels.chain(le.map(|le| ("le", le))) {
        text.push(separator);
        text.push_str(name);
        text.push_str("=\"");
        escape(text, value);
        text.push('"');
        separator = ',';
    }
    if separator == ',' {
        text.push('}');
    }
}

/// Backslash, quote and line feed are escaped, in label values and help texts alike.
fn escape(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}
