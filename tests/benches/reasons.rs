//! What it costs to decide what a reply means.
//!
//! ```text
//! cargo bench --bench reasons
//! ```
//!
//! Medians of several rounds over the replies of `tests/replies`: cold (nothing is remembered),
//! remembered (the same text again), masked (a text that differs only in its ids, addresses and
//! numbers, as the lines of a log do), and one hostile reply of 64 KiB. Then the same through the
//! whole pipeline: a Postfix log in which every line is a refusal with an id of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark that cannot go on ends"
)]

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use mta_exporter::ledger::Ledger;
use mta_exporter::pipeline::{Pipeline, Stream, Unobserved};
use mta_exporter::provider::{Builtin, ProviderId, Providers};
use mta_exporter::reason::{Classifier, Refusal};
use mta_exporter::smtp::Reply;

const ROUNDS: usize = 9;

/// Replies of the table: the provider and the text.
fn replies() -> Vec<(String, String)> {
    include_str!("../replies/heldout.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.splitn(4, '\t').collect();
            (fields[0].to_owned(), fields[3].to_owned())
        })
        .collect()
}

fn refusal(provider: ProviderId, text: &str) -> Refusal<'_> {
    let reply = Reply::parse(text.as_bytes());
    Refusal {
        provider,
        inbound: false,
        code: reply.map(|reply| reply.code),
        enhanced: reply.and_then(|reply| reply.enhanced),
        cause: None,
        phase: None,
        text: text.as_bytes(),
    }
}

/// The text with its digits, and so its ids, addresses and numbers, turned round by `by`.
fn varied(text: &str, by: u32) -> String {
    let (codes, rest) = text.split_at(text.len().min(10));
    let turn = |byte: char| match byte {
        '1'..='8' if by > 0 => {
            char::from_digit(1 + (byte.to_digit(10).unwrap() - 1 + by) % 8, 10).unwrap()
        }
        other => other,
    };
    // Numbers that mean something, such as enhanced codes and the providers' own, stay.
    let words = rest.split(' ').map(|word| {
        let id = word.len() > 12 && word.bytes().filter(u8::is_ascii_digit).count() > 2;
        let ip = word.matches('.').count() == 3 && !word.contains("//");
        if (id && !word.contains("://")) || ip {
            word.chars().map(turn).collect()
        } else {
            word.to_owned()
        }
    });
    format!("{codes}{}", words.collect::<Vec<_>>().join(" "))
}

/// The median cost of one of `count` things that `round` does.
fn median(count: usize, mut round: impl FnMut(usize)) -> f64 {
    let mut costs: Vec<f64> = (0..ROUNDS)
        .map(|number| {
            let start = Instant::now();
            round(number);
            start.elapsed().as_nanos() as f64 / count as f64
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    costs[ROUNDS / 2]
}

fn main() {
    let providers = Providers::builtin();
    let start = Instant::now();
    let mut classifier = Classifier::builtin(&providers);
    let load = start.elapsed();
    let replies = replies();
    let bytes: usize = replies.iter().map(|(_, text)| text.len()).sum();
    let id = |name: &str| providers.id(name).unwrap_or(ProviderId::OTHER);
    let mean = bytes / replies.len();
    println!("{} replies of {mean} bytes, tables loaded in {load:.1?}", replies.len());

    let cold = median(replies.len(), |_| {
        classifier.forget();
        for (provider, text) in &replies {
            black_box(classifier.classify(&refusal(id(provider), text)));
        }
    });
    let asked: Vec<(ProviderId, &str)> =
        replies.iter().map(|(provider, text)| (id(provider), text.as_str())).collect();
    let remembered = median(asked.len() * 100, |_| {
        for _ in 0..100 {
            for (provider, text) in &asked {
                black_box(classifier.classify(&refusal(*provider, text)));
            }
        }
    });
    let rounds: Vec<Vec<String>> = (0..ROUNDS as u32)
        .map(|by| asked.iter().map(|(_, text)| varied(text, by)).collect())
        .collect();
    let masked = median(asked.len(), |number| {
        for ((provider, _), text) in asked.iter().zip(&rounds[number]) {
            black_box(classifier.classify(&refusal(*provider, text)));
        }
    });
    println!("cold        {cold:8.0} ns");
    println!("remembered  {remembered:8.0} ns  ({:.2} ns a byte)", remembered / mean as f64);
    println!("masked      {masked:8.0} ns");

    let hostile = format!("550 5.7.1 {}", "user unknown spam blocked quota full ".repeat(1800));
    let cost = median(1, |_| {
        classifier.forget();
        black_box(classifier.classify(&refusal(ProviderId::OTHER, &hostile)));
    });
    println!("64 KiB cold {cost:8.0} ns");
    log(&replies);
}

/// A log in which every line is a refusal with an id of its own.
fn log(replies: &[(String, String)]) {
    let mut log = String::new();
    for number in 0..200_000_usize {
        let (_, text) = &replies[number % replies.len()];
        writeln!(
            log,
            "Nov 21 20:00:00 mail postfix/smtp[4711]: {number:010X}: to=<u{number}@example.com>, \
             relay=mx.example.com[192.0.2.1]:25, delay=1, delays=0/0/0/1, dsn=5.0.0, \
             status=bounced (host mx.example.com[192.0.2.1] said: {text} id={number:08X}x{number} \
             (in reply to RCPT TO command))"
        )
        .unwrap();
    }
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let providers = Providers::builtin();
        let classifier = Classifier::load(&[], Builtin::Extended, &providers).unwrap();
        let mut ledger = Ledger::new(&providers, 10_000);
        let mut stream = Stream::new(ledger.source("log"), None);
        let mut pipeline = Pipeline::new(providers, classifier);
        let start = Instant::now();
        pipeline.feed(&mut stream, &mut ledger, log.as_bytes(), &mut Unobserved);
        best = best.min(start.elapsed());
    }
    let seconds = best.as_secs_f64();
    println!(
        "log of refusals: {:.0} lines/s, {:.0} MB/s",
        200_000.0 / seconds,
        log.len() as f64 / seconds / 1e6
    );
}
