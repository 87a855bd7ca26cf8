//! Every query of every dashboard, asked as Grafana would.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::tools::repository;
use crate::web::Prometheus;

/// Asks everything; the number of queries, and the panels that stayed empty.
pub fn ask_all(prometheus: Prometheus, seconds: f64) -> (usize, Vec<String>) {
    let mut asked = 0;
    let mut empty = Vec::new();
    for name in ["overview", "provider", "reputation", "exporter"] {
        let text = std::fs::read_to_string(repository(&format!("dashboards/{name}.json"))).unwrap();
        let board: Value = serde_json::from_str(&text).unwrap();
        // One provider has 421s and another one 554s: a panel is empty if it is so for both.
        let choices =
            ["yahoo", "gmx"].map(|provider| variables(prometheus, &board, seconds, provider));
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                asked += 1;
                let expression = target["expr"].as_str().unwrap();
                let has_data = choices.iter().any(|variables| {
                    let query = resolve(expression, variables);
                    if target["instant"] == true {
                        prometheus.query(&query).iter().any(|(_, value)| value.is_finite())
                    } else {
                        let series = prometheus.query_range(&query, seconds, 1.0);
                        series
                            .iter()
                            .any(|(_, values)| values.iter().any(|value| value.is_finite()))
                    }
                });
                if !has_data {
                    empty.push(format!("{name}: {} {}", panel["title"], target["refId"]));
                }
            }
        }
        let annotation = board["annotations"]["list"][0]["expr"].as_str().unwrap();
        asked += 1;
        let marks = prometheus.query_range(&resolve(annotation, &choices[0]), seconds, 1.0);
        // Nothing is wrong with the exporters, nor with the first of the two providers.
        if marks.is_empty() && !["provider", "exporter"].contains(&name) {
            empty.push(format!("{name}: annotation"));
        }
    }
    (asked, empty)
}

/// The dashboard's variables as Grafana fills them in: all values, or the provider that is chosen.
fn variables(
    prometheus: Prometheus,
    board: &Value,
    seconds: f64,
    provider: &str,
) -> BTreeMap<String, String> {
    let definition = regex::Regex::new(r"^label_values\((.+), (\w+)\)$").unwrap();
    let mut variables = BTreeMap::from([
        ("__interval".to_owned(), "1s".to_owned()),
        ("__rate_interval".to_owned(), "3s".to_owned()),
        ("__range".to_owned(), format!("{seconds:.0}s")),
    ]);
    for variable in board["templating"]["list"].as_array().unwrap() {
        if variable["type"] != "query" {
            continue;
        }
        let name = variable["name"].as_str().unwrap();
        let parts = definition.captures(variable["definition"].as_str().unwrap()).unwrap();
        let selector = resolve(&parts[1], &variables);
        let values =
            prometheus.api(&format!("label/{}/values", &parts[2]), &[("match[]", &selector)]);
        let values: Vec<&str> =
            values.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
        assert!(!values.is_empty(), "the variable {name} has no values");
        let value = if variable["multi"] == true {
            // A regular expression inside a PromQL string.
            values
                .iter()
                .map(|value| regex::escape(value))
                .collect::<Vec<_>>()
                .join("|")
                .replace('\\', "\\\\")
        } else {
            assert!(values.contains(&provider), "{values:?}");
            provider.to_owned()
        };
        variables.insert(name.to_owned(), value);
    }
    variables
}

fn resolve(query: &str, variables: &BTreeMap<String, String>) -> String {
    // A look at each full minute would miss what began within this one.
    let query = query.replace(":1m]", ":1s]");
    // The longest names first: $__range is the beginning of $__range_s.
    variables
        .iter()
        .rev()
        .fold(query, |query, (name, value)| query.replace(&format!("${name}"), value))
}
