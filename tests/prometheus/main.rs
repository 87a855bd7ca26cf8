//! The rules and dashboards on a real Prometheus and Alertmanager. Run by `tests/prometheus/run`,
//! which brings the programs; `cargo test` leaves them out.

// The lint's own exception for tests does not reach the helper functions of a test crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs,
    reason = "a test that cannot go on fails"
)]

mod chain;
mod panels;
mod tools;
mod traffic;
mod web;

use std::fs;
use std::time::{Duration, Instant};

use chain::Chain;
use serde_json::Value;
use tools::{repository, run, tool, wait_for};
use traffic::{Tally, Traffic, Weather};
use web::{Prometheus, Told};

/// How much faster than life the rules run: an hour takes 12 seconds, five minutes one. Faster than
/// this, a busy machine's delays become hours.
const SPEED: u64 = 300;

/// As long as a simulated time takes.
fn simulated(hours: f64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "a speed is a small number")]
    Duration::from_secs_f64(hours * 3600.0 / SPEED as f64)
}

#[test]
#[ignore = "needs promtool"]
fn the_rules_pass_their_unit_tests() {
    run(tool("promtool")
        .arg("check")
        .arg("rules")
        .arg(repository("dashboards/rules/mta_exporter.yml")));
    let tests = fs::read_dir(repository("dashboards/rules/tests")).unwrap();
    let tests: Vec<_> = tests.map(|entry| entry.unwrap().path()).collect();
    assert!(tests.len() > 20, "{tests:?}");
    // Two at a time: each keeps one core busy.
    let (one, other) = tests.split_at(tests.len() / 2);
    std::thread::scope(|scope| {
        for half in [one, other] {
            scope.spawn(move || run(tool("promtool").arg("test").arg("rules").args(half)));
        }
    });
}

#[test]
#[ignore = "needs promtool, amtool and jsonnet"]
fn the_forms_load_where_they_are_meant_to() {
    let sample = tools::fresh_directory("forms");
    fs::create_dir(sample.join("rules")).unwrap();
    fs::copy(repository("dashboards/prometheus.yml"), sample.join("prometheus.yml")).unwrap();
    let rules = "rules/mta_exporter.yml";
    fs::copy(repository("dashboards").join(rules), sample.join(rules)).unwrap();
    run(tool("promtool").arg("check").arg("config").arg(sample.join("prometheus.yml")));

    let alertmanager = repository("dashboards/alertmanager.yml");
    run(tool("amtool").arg("check-config").arg(&alertmanager));
    for (receiver, labels) in [
        ("pager", "alertname=MtaProvider554Spike component=deliverability severity=critical"),
        (
            "mail-team",
            "alertname=MtaProvider421Persistent component=deliverability severity=warning",
        ),
        ("operators", "alertname=MtaExporterDown component=exporter severity=warning"),
        ("nobody", "alertname=MtaProvider554First component=deliverability severity=info"),
        ("nobody", "alertname=MtaUnclassifiedReplies component=exporter severity=info"),
        ("mail-team", "alertname=SomethingElse severity=info"),
    ] {
        run(tool("amtool")
            .args(["config", "routes", "test"])
            .arg(format!("--config.file={}", alertmanager.display()))
            .arg(format!("--verify.receivers={receiver}"))
            .args(labels.split(' ')));
    }

    let jsonnet = |program: String| -> Value {
        serde_json::from_str(&run(tool("jsonnet").arg("-e").arg(program))).unwrap()
    };
    let mixin = repository("dashboards/mixin.libsonnet");
    let mixin = |part: &str| jsonnet(format!("(import '{}').{part}", mixin.display()));
    // Read by jsonnet too, which writes 1.0 as 1.
    let read = |path: &str| jsonnet(format!("import '{}'", repository(path).display()));
    let groups = read("dashboards/rules/mta_exporter.json")["groups"].clone();
    let groups = groups.as_array().unwrap();
    assert!(mixin("prometheusRules.groups").as_array().unwrap() == &groups[..1]);
    assert!(mixin("prometheusAlerts.groups").as_array().unwrap() == &groups[1..]);
    let boards = mixin("grafanaDashboards");
    for name in ["overview", "provider", "reputation", "exporter"] {
        let board = &boards[format!("mta-exporter-{name}.json")];
        assert!(*board == read(&format!("dashboards/{name}.json")), "{name}");
    }
}

#[test]
#[ignore = "needs Prometheus and Alertmanager, and three minutes"]
fn an_incident_is_told_with_its_provider_and_runbook_and_an_ordinary_day_is_not() {
    let chain = Chain::start(SPEED);
    let begun = Instant::now();
    let traffic = Traffic::start(&chain.logs);

    // An ordinary working day.
    std::thread::sleep(simulated(10.0));
    let told = of_mail(chain.receiver.told());
    assert!(told.is_empty(), "an ordinary day raised {told:#?}");
    chain.assert_rules_are_healthy();

    // An hour and a half of trouble, and more where the machine is slow.
    traffic.turn(Weather::Storm);
    for (alert, provider, receiver) in [
        ("MtaProvider554Spike", "gmx", "pager"),
        ("MtaProvider421Persistent", "yahoo", "mail-team"),
        ("MtaReputationRefusals", "yahoo", "mail-team"),
        ("MtaAuthenticationRefusals", "apple", "mail-team"),
    ] {
        let told = wait_for(&format!("{alert} of {provider}"), Duration::from_secs(120), || {
            let mut all = chain.receiver.told().into_iter();
            all.find(|told| told.label("alertname") == alert && told.label("provider") == provider)
        });
        assert_eq!(
            (told.status.as_str(), told.receiver.as_str()),
            ("firing", receiver),
            "{told:?}"
        );
        let runbook = told.annotations["runbook_url"].as_str().unwrap();
        assert!(runbook.ends_with(&format!("/runbooks/{alert}.md")), "{runbook}");
        let page = format!("dashboards/runbooks/{alert}.md");
        assert!(repository(&page).exists(), "{page}");
        assert!(
            told.annotations["description"].as_str().unwrap().contains(" Most on "),
            "{told:?}"
        );
    }

    // While it lasts, every panel has something to show.
    let (asked, empty) = panels::ask_all(chain.prometheus, begun.elapsed().as_secs_f64());
    eprintln!("{asked} queries of the dashboards, {} without an answer", empty.len());
    assert!(empty.is_empty(), "empty panels: {empty:#?}");

    // It ends, and everything that was told is taken back.
    traffic.turn(Weather::Ordinary);
    wait_for("the end of all alerts", Duration::from_secs(120), || {
        still_firing(&of_mail(chain.receiver.told())).is_empty().then_some(())
    });
    for told in of_mail(chain.receiver.told()) {
        let about = (told.label("alertname"), told.label("provider"));
        let expected = matches!(about.1, "yahoo" | "gmx" | "apple");
        assert!(expected, "nothing happened to {about:?}");
    }

    let written = traffic.stop();
    totals_are_those_of_the_logs(&chain, &written);
}

/// What was told of mail. The alerts about the exporter are left out: a scrape that a busy machine
/// delays by a second is ten minutes in fast time, and says nothing about them.
fn of_mail(mut told: Vec<Told>) -> Vec<Told> {
    told.retain(|told| told.label("component") == "deliverability");
    told
}

/// The alerts whose last word was that they fire.
fn still_firing(told: &[Told]) -> Vec<Value> {
    let mut firing: Vec<Value> = Vec::new();
    for one in told {
        firing.retain(|labels| *labels != one.labels);
        if one.status == "firing" {
            firing.push(one.labels.clone());
        }
    }
    firing
}

/// Three exporters on one Prometheus, and the same by federation and by remote write.
fn totals_are_those_of_the_logs(chain: &Chain, written: &[Tally]) {
    let mut expected: Vec<(String, String, String, u64)> = Vec::new();
    for (host, tally) in written.iter().enumerate() {
        let instance = chain.instance(host);
        expected.extend(tally.iter().map(|((provider, code), count)| {
            (instance.clone(), provider.clone(), code.clone(), *count)
        }));
    }
    expected.sort();
    for (way, prometheus) in [
        ("scraped", chain.prometheus),
        ("federated", chain.federated),
        ("written", chain.written_to),
    ] {
        let what = format!("the totals of the logs, {way}");
        wait_for(&what, Duration::from_secs(40), || (totals(prometheus) == expected).then_some(()));
        let sum: u64 = expected.iter().map(|(.., count)| count).sum();
        eprintln!("{way}: {sum} replies of three hosts, as in the logs");
    }
}

fn totals(prometheus: Prometheus) -> Vec<(String, String, String, u64)> {
    let query = "sum by (instance, provider, code) (mta_replies_total) > 0";
    let text = |labels: &Value, name: &str| labels[name].as_str().unwrap().to_owned();
    let mut totals: Vec<_> = prometheus
        .query(query)
        .into_iter()
        .map(|(labels, value)| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            let count = value as u64;
            (text(&labels, "instance"), text(&labels, "provider"), text(&labels, "code"), count)
        })
        .collect();
    totals.sort();
    totals
}
