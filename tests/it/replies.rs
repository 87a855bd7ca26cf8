//! Replies from all over that no rule has as its example, against the reason that a postmaster
//! would give.

use mta_exporter::attempt::Phase;
use mta_exporter::provider::{ProviderId, Providers};
use mta_exporter::reason::{Classifier, Reason, Refusal};
use mta_exporter::smtp::Reply;

/// A reply of a table: who said it, when, what it means, and the text.
pub(crate) struct Sample {
    provider: String,
    phase: Option<Phase>,
    reason: Reason,
    text: String,
}

fn samples(table: &str) -> Vec<Sample> {
    table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let mut fields = line.splitn(4, '\t');
            let mut field = || fields.next().expect("four fields").to_owned();
            Sample {
                provider: field(),
                phase: Phase::parse(&field()),
                reason: Reason::parse(&field()).unwrap_or_else(|| panic!("a reason: {line}")),
                text: field(),
            }
        })
        .collect()
}

/// How many of the samples get their reason; prints those that do not.
fn agreement(table: &str) -> (usize, usize) {
    let providers = Providers::builtin();
    let mut classifier = Classifier::builtin(&providers);
    let samples = samples(table);
    let mut agreed = 0;
    for sample in &samples {
        let reply = Reply::parse(sample.text.as_bytes());
        let verdict = classifier.classify(&Refusal {
            provider: providers.id(&sample.provider).unwrap_or(ProviderId::OTHER),
            inbound: false,
            code: reply.map(|reply| reply.code),
            enhanced: reply.and_then(|reply| reply.enhanced),
            cause: None,
            phase: sample.phase,
            text: sample.text.as_bytes(),
        });
        if verdict.reason == sample.reason {
            agreed += 1;
        } else {
            let rule = verdict.rule.map_or("-", |rule| classifier.rule_name(rule));
            println!("{} not {} ({rule}): {}", verdict.reason, sample.reason, sample.text);
        }
    }
    (agreed, samples.len())
}

#[test]
fn replies_that_are_no_rules_example_get_the_reason_a_postmaster_would_give() {
    for table in [
        include_str!("../replies/heldout.tsv"),
        include_str!("../replies/heldout2.tsv"),
        include_str!("../replies/heldout3.tsv"),
        include_str!("../replies/heldout4.tsv"),
    ] {
        let (agreed, all) = agreement(table);
        println!("{agreed} of {all}");
        assert!(agreed * 100 >= all * 97, "{agreed} of {all} agree");
    }
}
