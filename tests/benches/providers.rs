//! What it costs to find out who answered, for pairs of relay host and recipient domain as a log
//! has them: remembered, looked up, and hostile.
//!
//! ```text
//! cargo bench --bench providers
//! ```
//!
//! CPU nanoseconds per lookup, the least of several rounds: other work on the machine only adds.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark that cannot go on ends"
)]

use std::hint::black_box;

use mta_exporter::provider::{Providers, Recent};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

const ROUNDS: usize = 9;
const LOOKUPS: usize = 400_000;

fn main() {
    let providers = Providers::builtin();
    let mut recent = Recent::default();
    let pairs = pairs();
    let long = "mx.".repeat(20_000);
    let long = [(long.clone(), long)];
    print("remembered", &pairs, |host, domain| recent.lookup(&providers, host, || domain).index());
    print("looked up", &pairs, |host, domain| providers.lookup(host, domain).index());
    print("of 60 kB", &long, |host, domain| recent.lookup(&providers, host, || domain).index());
}

/// A few large providers, tenants of hosting platforms with one host each, and others.
fn pairs() -> Vec<(String, String)> {
    (0..500)
        .map(|n| match n % 5 {
            0 => ("alt1.gmail-smtp-in.l.google.com".to_owned(), "gmail.com".to_owned()),
            1 => ("mta5.am0.yahoodns.net".to_owned(), "yahoo.com".to_owned()),
            2 => (
                format!("contoso{n}-com.mail.protection.outlook.com"),
                format!("contoso{n}.example"),
            ),
            3 => (format!("mxa-{n:08}.gslb.pphosted.com"), format!("corp{n}.example")),
            _ => (format!("mx{n}.example.org"), format!("example{n}.org")),
        })
        .collect()
}

fn print(what: &str, pairs: &[(String, String)], mut lookup: impl FnMut(&[u8], &[u8]) -> usize) {
    let times = LOOKUPS / pairs.len();
    let best = (0..ROUNDS)
        .map(|_| {
            let start = cpu_nanoseconds();
            for _ in 0..times {
                for (host, domain) in pairs {
                    black_box(lookup(black_box(host.as_bytes()), black_box(domain.as_bytes())));
                }
            }
            (cpu_nanoseconds() - start) as f64 / (times * pairs.len()) as f64
        })
        .fold(f64::INFINITY, f64::min);
    println!("{what:<12} {best:>6.0} ns");
}

fn cpu_nanoseconds() -> i64 {
    getrusage(UsageWho::RUSAGE_SELF).unwrap().user_time().num_nanoseconds()
}
