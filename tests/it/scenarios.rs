//! The reasons found in recorded logs, beside what the servers meant when they refused.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use mta_exporter::attempt::{Outcome, Recipient};
use mta_exporter::ledger::Ledger;
use mta_exporter::mta::Reading;
use mta_exporter::pipeline::{Event, Observer, Pipeline, Stream};
use mta_exporter::provider::Providers;
use mta_exporter::reason::{Classifier, Reason};

/// Scenario or `@domain`, and code, to the reason that was meant.
///
/// Where an MTA may give up in more than one way there is more than one.
type Meant = HashMap<(String, String), Vec<Reason>>;

fn meant() -> Meant {
    include_str!("../replies/scenarios.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let row: Vec<&str> = line.split('\t').collect();
            let reason = |name| Reason::parse(name).unwrap_or_else(|| panic!("a reason: {line}"));
            ((row[0].to_owned(), row[1].to_owned()), row[2].split(' ').map(reason).collect())
        })
        .collect()
}

/// Compares every refusal with what was meant.
struct Judge<'j> {
    meant: &'j Meant,
    /// The scenario of each recipient, by the recipient's key.
    scenario_of: HashMap<u64, String>,
    table: BTreeMap<(String, String, &'static str, Option<bool>), u64>,
}

impl Observer for Judge<'_> {
    fn observe(&mut self, event: &Event<'_>) {
        let (Some(Reading::Attempt(attempt)), Some(verdict)) = (event.reading, event.verdict)
        else {
            return;
        };
        if attempt.outcome == Outcome::Delivered {
            return;
        }
        let code = attempt.answer.reply().map_or("none".to_owned(), |reply| reply.code.to_string());
        let scenario = self.scenario_of.get(&attempt.recipient.key()).cloned().unwrap_or_default();
        let domain =
            format!("@{}", String::from_utf8_lossy(attempt.recipient.domain()).to_lowercase());
        let by_domain = self.meant.get(&(domain.clone(), code.clone()));
        let (name, meant) = match by_domain {
            Some(reasons) => (domain, Some(reasons)),
            None => (scenario.clone(), self.meant.get(&(scenario, code.clone()))),
        };
        let right = meant.map(|reasons| reasons.contains(&verdict.reason));
        let name = if meant.is_none() {
            format!("{name} {}", String::from_utf8_lossy(attempt.recipient.domain()))
        } else {
            name
        };
        *self.table.entry((name, code, verdict.reason.as_str(), right)).or_default() += 1;
    }
}

/// All logs for which it is recorded what was sent: the log and that record.
fn logs() -> Vec<(PathBuf, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs");
    let mut found = Vec::new();
    for directory in fs::read_dir(root).expect("the logs") {
        let directory = directory.expect("an entry").path();
        for file in fs::read_dir(directory).expect("a directory of logs") {
            let log = file.expect("an entry").path();
            let sent = log.with_extension("sent.tsv");
            if log.extension().is_some_and(|ending| ending == "log") && sent.exists() {
                found.push((log, sent));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn refusals_in_recorded_logs_get_the_reason_that_the_server_meant() {
    let meant = meant();
    let (mut all, mut right, mut unclassified, mut unknown) = (0, 0, 0, 0);
    for (log, sent) in logs() {
        let sent = fs::read_to_string(sent).expect("what was sent");
        let scenario_of = sent
            .lines()
            .map(|line| {
                let row: Vec<&str> = line.split('\t').collect();
                // In a message to several, each recipient has a scenario of its own.
                let own = row[2].split('.').next().unwrap_or_default();
                let scenario = if row[3] == "multi" { own } else { row[3] };
                (Recipient::parse(row[2].as_bytes()).key(), scenario.to_owned())
            })
            .collect();
        let mut judge = Judge { meant: &meant, scenario_of, table: BTreeMap::new() };
        let providers = Providers::builtin();
        let mut ledger = Ledger::new(&providers, 10_000);
        let source = ledger.source("log");
        let classifier = Classifier::builtin(&providers);
        let mut pipeline = Pipeline::new(providers, classifier);
        let text = fs::read(&log).expect("a log");
        pipeline.feed(&mut Stream::new(source, None), &mut ledger, &text, &mut judge);
        println!("{}", log.display());
        for ((name, code, reason, as_meant), count) in &judge.table {
            match as_meant {
                None => {
                    println!("  ?     {name} {code}: {reason} ({count})");
                    unknown += count;
                    continue;
                }
                Some(false) => println!("  WRONG {name} {code}: {reason} ({count})"),
                Some(true) => right += count,
            }
            all += count;
            if *reason == "unclassified" {
                unclassified += count;
            }
        }
    }
    println!("{right} of {all} as meant, {unclassified} unclassified, {unknown} not judged");
    assert!(all > 1000, "only {all} refusals");
    assert!(right * 100 >= all * 97, "{right} of {all} as meant");
    assert!(unclassified * 100 <= all * 2, "{unclassified} of {all} unclassified");
    assert!(unknown * 100 <= all * 5, "{unknown} of {all} not judged");
}
