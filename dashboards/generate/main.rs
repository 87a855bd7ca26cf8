//! Makes every derived form of the dashboards, recording rules and alerts from their one source.
//!
//! ```text
//! cargo run --example dashboards                                   rewrite the files in dashboards/
//! cargo run --example dashboards -- --speed 600 --into DIRECTORY   the same, for time that runs faster
//! ```
//!
//! `cargo test --example dashboards` fails when a file is not in step with its source.

#![expect(clippy::format_push_string, reason = "a generator need not save an allocation")]

mod alerts;
mod boards;
mod contract;
mod grafana;
mod kubernetes;
mod prometheus;
mod tables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use alerts::Rules;

fn main() -> Result<()> {
    let mut speed = 1;
    let mut into = home();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{argument}: expected a value"))?;
        match argument.as_str() {
            "--speed" => speed = value.parse()?,
            "--into" => into = PathBuf::from(value),
            _ => bail!("expected --speed or --into, but found {argument}"),
        }
    }
    for (path, text) in files(speed)? {
        let path = into.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// The directory that this program keeps.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

/// All derived files: path below `dashboards/` and text.
fn files(speed: u64) -> Result<BTreeMap<String, String>> {
    let rules = Rules::parse(include_str!("../alerts.toml"))?.faster(speed)?;
    contract::check_rules(&rules)?;
    let mut files = BTreeMap::new();
    let rule_file = prometheus::rule_file(&rules);
    let prometheus_rule = kubernetes::prometheus_rule(&rule_file);
    files.insert("kubernetes/prometheus-rule.yaml".to_owned(), prometheus_rule);
    files.insert("rules/mta_exporter.yml".to_owned(), rule_file);
    files.insert("rules/mta_exporter.json".to_owned(), prometheus::rule_json(&rules)?);
    files.insert("runbooks/README.md".to_owned(), tables::index(&rules));
    let mut config_maps = String::new();
    for board in boards::all(&rules)? {
        let (name, board) = (board.name, board.json(&rules.runbooks));
        contract::check_board(&board).context(name)?;
        let text = serde_json::to_string_pretty(&board)? + "\n";
        config_maps += &kubernetes::config_map(name, &text);
        files.insert(format!("{name}.json"), text);
    }
    files.insert("kubernetes/dashboards.yaml".to_owned(), config_maps);
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;
    use yaml_rust2::{Yaml, YamlLoader};

    use super::*;

    fn rules() -> Rules {
        Rules::parse(include_str!("../alerts.toml")).unwrap()
    }

    #[test]
    fn every_derived_file_is_in_step_with_its_source() {
        for (path, text) in files(1).unwrap() {
            let kept = std::fs::read_to_string(home().join(&path)).unwrap_or_default();
            assert!(kept == text, "dashboards/{path} is old: run `cargo run --example dashboards`");
        }
    }

    fn yaml(path: &str) -> Vec<Yaml> {
        let text = std::fs::read_to_string(home().join(path)).unwrap();
        YamlLoader::load_from_str(&text).expect(path)
    }

    /// YAML as JSON, so that the forms can be compared.
    fn value(yaml: &Yaml) -> Value {
        match yaml {
            Yaml::Hash(hash) => hash
                .iter()
                .map(|(key, inner)| (key.as_str().unwrap().to_owned(), value(inner)))
                .collect(),
            Yaml::Array(array) => array.iter().map(value).collect(),
            Yaml::String(text) => Value::from(text.as_str()),
            Yaml::Integer(number) => Value::from(*number),
            Yaml::Boolean(truth) => Value::from(*truth),
            Yaml::Real(_) | Yaml::Alias(_) | Yaml::Null | Yaml::BadValue => panic!("{yaml:?}"),
        }
    }

    #[test]
    fn all_forms_say_the_same() {
        let json = std::fs::read_to_string(home().join("rules/mta_exporter.json")).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value(&yaml("rules/mta_exporter.yml")[0]), json);
        assert_eq!(value(&yaml("kubernetes/prometheus-rule.yaml")[0])["spec"], json);
        let maps = yaml("kubernetes/dashboards.yaml");
        let boards = boards::all(&rules()).unwrap();
        assert_eq!(maps.len(), boards.len());
        for (map, board) in maps.iter().zip(boards) {
            let key = format!("mta-exporter-{}.json", board.name);
            let text = value(map)["data"][key].as_str().unwrap().to_owned();
            let board = board.json(&rules().runbooks);
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), board);
        }
    }

    /// Every panel of every dashboard but the headings, with its dashboard's name.
    fn all_panels() -> Vec<(&'static str, Value)> {
        let mut all = Vec::new();
        for board in boards::all(&rules()).unwrap() {
            let (name, board) = (board.name, board.json(&rules().runbooks));
            let panels = board["panels"].as_array().unwrap();
            all.extend(
                panels
                    .iter()
                    .filter(|panel| panel["type"] != "row")
                    .cloned()
                    .map(|panel| (name, panel)),
            );
        }
        all
    }

    #[test]
    fn every_panel_says_what_it_shows_and_asks_for_the_chosen_hosts() {
        for (board, panel) in all_panels() {
            let title = format!("{board}: {}", panel["title"]);
            let description = panel["description"].as_str().unwrap();
            assert!(description.ends_with('.'), "{title}");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title}");
            for target in panel["targets"].as_array().unwrap() {
                let query = target["expr"].as_str().unwrap();
                assert!(query.contains("job=~\"$job\""), "{title}: {query}");
                let alerts = query.contains("ALERTS");
                assert!(alerts || query.contains("instance=~\"$instance\""), "{title}: {query}");
                assert!(
                    !query.contains("rate(") || query.contains("[$__rate_interval]"),
                    "{title}"
                );
            }
        }
    }

    #[test]
    fn a_window_that_the_time_range_does_not_choose_is_named_to_the_reader() {
        let window = regex::Regex::new(r"\[(\d+)([mhd])\]").unwrap();
        for (board, panel) in all_panels() {
            let title = panel["title"].as_str().unwrap();
            let said = format!("{title} {}", panel["description"].as_str().unwrap());
            for target in panel["targets"].as_array().unwrap() {
                for found in window.captures_iter(target["expr"].as_str().unwrap()) {
                    let unit = if &found[2] == "m" { "min" } else { &found[2] };
                    let name = format!("{} {unit}", &found[1]);
                    // A source's last day of being ours is no number that is shown.
                    let shown = title != "Exporters up";
                    assert!(!shown || said.contains(&name), "{board}: {title}: {name}");
                }
            }
        }
    }

    #[test]
    fn panels_fill_the_width_and_do_not_overlap() {
        for board in boards::all(&rules()).unwrap() {
            let (name, board) = (board.name, board.json(&rules().runbooks));
            let (mut cells, mut ids) = (BTreeSet::new(), BTreeSet::new());
            for panel in board["panels"].as_array().unwrap() {
                assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {}", panel["title"]);
                let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
                for x in at("x")..at("x") + at("w") {
                    for y in at("y")..at("y") + at("h") {
                        assert!(x < 24 && cells.insert((x, y)), "{name}: {}", panel["title"]);
                    }
                }
            }
            assert_eq!(cells.len() % 24, 0, "{name}");
        }
    }

    #[test]
    fn every_alert_has_a_runbook_that_names_what_exists() {
        let titles: Vec<String> = all_panels()
            .iter()
            .map(|(_, panel)| panel["title"].as_str().unwrap().to_owned())
            .collect();
        let emphasis = regex::Regex::new(r"\*([^*\n]+(?:\n[^*\n]+)?)\*").unwrap();
        let link = regex::Regex::new(r"\]\(([A-Za-z]+\.md)\)").unwrap();
        let recorded = BTreeSet::new();
        for alert in rules().alerts {
            let name = format!("{}.md", alert.name);
            let page = std::fs::read_to_string(home().join("runbooks").join(&name)).expect(&name);
            assert!(page.starts_with(&format!("# {}\n", alert.name)), "{name}");
            for part in ["See it", "Usual causes", "Do first", "Then", "Stop worrying"] {
                assert_eq!(page.matches(&format!("\n## {part}\n")).count(), 1, "{name}: {part}");
            }
            let (_, see) = page.split_once("\n## See it\n").unwrap();
            let (see, _) = see.split_once("\n## Usual causes\n").unwrap();
            let query = see.split_once("```promql\n").unwrap().1.split_once("```").unwrap().0;
            contract::check(query, &recorded).expect(&name);
            let prose = see.replace(query, "");
            for found in emphasis.captures_iter(&prose) {
                let panel = found[1].replace('\n', " ");
                assert!(titles.iter().any(|title| title.contains(&panel)), "{name}: {panel}");
            }
            for found in link.captures_iter(&page) {
                assert!(home().join("runbooks").join(&found[1]).exists(), "{name}: {}", &found[1]);
            }
        }
    }

    #[test]
    fn the_written_examples_are_yaml_and_know_where_the_runbooks_are() {
        for path in [
            "alertmanager.yml",
            "prometheus.yml",
            "grafana/provisioning-dashboards.yml",
            "grafana/provisioning-datasource.yml",
            "kubernetes/exporter.yaml",
        ] {
            assert!(!yaml(path).is_empty(), "{path}");
        }
        assert!(include_str!("../mixin.libsonnet").contains(&format!("'{}'", rules().runbooks)));
    }

    #[test]
    fn a_query_with_an_unknown_name_is_refused() {
        let recorded = BTreeSet::from(["job_provider:mta_x:increase5m".to_owned()]);
        for good in [
            r#"sum by (job, provider) (rate(mta_replies_total{code="554"}[5m]))"#,
            "sum by (provider) (job_provider:mta_x:increase5m)",
        ] {
            contract::check(good, &recorded).unwrap();
        }
        for bad in [
            "rate(mta_responses_total[5m])",
            r#"mta_replies_total{domain="example.com"}"#,
            r#"mta_refusals_total{reason=~"reputation|luck"}"#,
            r#"mta_connection_failures_total{cause="local"}"#,
            "sum by (recipient) (mta_replies_total)",
            "job_provider:mta_y:increase5m",
        ] {
            assert!(contract::check(bad, &recorded).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_alert_is_tested_to_fire_to_stay_silent_three_times_and_to_resolve() {
        for alert in rules().alerts {
            let path = home().join("rules/tests").join(format!("{}.yml", alert.name));
            let test = std::fs::read_to_string(&path).expect(&alert.name);
            let count = |what: &str| test.matches(what).count();
            assert!(count("# fires") >= 1, "{}: no `# fires`", alert.name);
            assert!(count("# silent:") >= 3, "{}: fewer than three `# silent:`", alert.name);
            assert!(count("# resolves") >= 1, "{}: no `# resolves`", alert.name);
            assert!(count("runbook_url") >= 1, "{}: its text is not tested", alert.name);
        }
    }

    #[test]
    fn every_alert_says_what_it_is_about_and_whom_it_wakes() {
        for alert in rules().alerts {
            assert!(alert.name.starts_with("Mta"), "{}", alert.name);
            assert!(["critical", "warning", "info"].contains(&alert.severity.as_str()));
            assert!(["deliverability", "exporter"].contains(&alert.component.as_str()));
            // A value in the summary would make a new text with every evaluation.
            let (_, summary) = &alert.annotations[0];
            assert!(!summary.contains("$value"), "{}", alert.name);
        }
    }

    #[test]
    fn faster_rules_have_shorter_windows_and_nothing_else() {
        let fast = rules().faster(600).unwrap();
        let alert = fast.alerts.iter().find(|alert| alert.name == "MtaProvider554Spike").unwrap();
        assert!(alert.expr.contains("[144000ms:1500ms] offset 1500ms"));
        assert_eq!(alert.keep.as_deref(), Some("1500ms"));
        assert!(rules().faster(7).is_err());
    }
}
