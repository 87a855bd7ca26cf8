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
mod contract;
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
    files.insert("rules/mta_exporter.yml".to_owned(), prometheus::rule_file(&rules));
    files.insert("runbooks/README.md".to_owned(), tables::index(&rules));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
