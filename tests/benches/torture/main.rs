//! What becomes of a log's lines when the log is rotated and its reader is killed: this exporter beside
//! others, each with the same writer and the same rotations.
//!
//! ```text
//! cargo bench --bench torture                       every scenario at every speed, every program
//! cargo bench --bench torture -- --test             the short form, about a minute
//! cargo bench --bench torture -- --long [RUNS]      10^6 lines, 18 kills, 9 rotations; three runs
//! cargo bench --bench torture -- --live [SECONDS]   what following 50,000 lines a second costs
//! ```
//!
//! Further words name the programs, the scenarios or the speeds (5000, 50000, full) to run.
//!
//! A writer appends numbered Postfix lines in pieces of 4 KiB, as syslog daemons do, so that a line is
//! often unfinished at the end of the file. Each program serves metrics; two scrapers of different pace
//! ask for them and add up increases as Prometheus does: what a counter grew by, or all of it where
//! it fell (a reset). A series that appears is taken to have been 0 before, which is kinder than
//! Prometheus is. Every line belongs to one of 216 cells (a provider and a reply code); a program
//! that lost lines and counted others twice is seen to do both, as long as it tells the cells apart
//! (`prometheus-postfix-exporter` does not: only the balance of what it did is seen).
//!
//! Where nothing destroys lines, every line has to be counted. `copytruncate` destroys what is
//! written between its copying and its truncating; there, each line that is on the disk in the end
//! with its line feed has to be counted. A log that is deleted lives for 0.3 s at least. The columns:
//!
//! - destroyed: lines that are on the disk no more, in whole
//! - lost: lines that should have been counted and were not; the worse of the two scrapers
//! - twice: lines counted beyond those written; the worse of the two scrapers
//! - malformed: lines that the program took for something else than they are
//! - resets: scrapes at which some counter fell
//! - CPU: user and system seconds of the program; RSS: MiB at the end
//!
//! The others are `linemux` as an exporter of its lines, and `mtail` and `prometheus-postfix-exporter`
//! where they are on the PATH or under `target/tools` (`tests/fetch mtail
//! prometheus-postfix-exporter`). This exporter has to be exact, or the bench fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "a benchmark that cannot go on ends"
)]

mod line;
#[path = "../postfix_log.rs"]
#[allow(dead_code, reason = "another benchmark needs more of it")]
mod postfix_log;
mod writer;
mod rotation;
mod program;
mod linemux;
mod scraper;
mod scenario;
mod live;

use program::Kind;
use scenario::{Outcome, Plan, Scenario};

/// Lines a second; `None` is as fast as they can be written.
const SPEEDS: [Option<u64>; 3] = [Some(5_000), Some(50_000), None];

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [first, log, port] = arguments.as_slice()
        && first == "--linemux"
    {
        return linemux::serve(log, port);
    }
    let flag = |name: &str| arguments.iter().any(|word| word == name);
    let number =
        |otherwise: u64| arguments.iter().find_map(|word| word.parse().ok()).unwrap_or(otherwise);
    if flag("--live") {
        return live::run(number(20));
    }
    let mut failures = 0;
    print_head();
    if flag("--long") {
        for run in 0..number(3) {
            failures += print_row(&scenario::run(&Plan::long(run), Kind::Exporter));
        }
    } else {
        let named = |name: &str, all: &[&str]| {
            flag(name) || !arguments.iter().any(|word| all.contains(&word.as_str()))
        };
        for plan in if flag("--test") { short_plans() } else { plans(named) } {
            for kind in Kind::all() {
                let wanted = named(kind.name(), &Kind::NAMES) && kind.is_there();
                if wanted && (plan.peers || kind == Kind::Exporter) {
                    failures += print_row(&scenario::run(&plan, kind));
                }
            }
        }
    }
    if failures > 0 {
        eprintln!("mta_exporter was not exact in {failures} runs");
        std::process::exit(1);
    }
}

fn plans(named: impl Fn(&str, &[&str]) -> bool) -> Vec<Plan> {
    let speeds =
        SPEEDS.map(|speed| (speed, speed.map_or("full".into(), |speed| speed.to_string())));
    let words = speeds.each_ref().map(|(_, word)| word.as_str());
    let mut plans = Vec::new();
    for scenario in Scenario::ALL {
        for (speed, word) in &speeds {
            if named(scenario.name(), &Scenario::NAMES) && named(word, &words) {
                plans.push(Plan::new(scenario, *speed, true));
            }
        }
    }
    plans
}

/// Every scenario for this exporter; two for the others, to see what is compared.
fn short_plans() -> Vec<Plan> {
    let mut plans = Vec::new();
    for scenario in Scenario::ALL {
        let peers = matches!(scenario, Scenario::Create | Scenario::Kill);
        plans.push(Plan { lines: 150_000, ..Plan::new(scenario, Some(50_000), peers) });
        let full = Plan::new(scenario, None, false);
        plans.push(Plan { lines: full.lines / 2, ..full });
    }
    plans
}

fn print_head() {
    println!(
        "| scenario | lines/s | program | written | destroyed | lost | twice | malformed | resets \
         | CPU s | RSS MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
}

/// Prints what came out; 1 if this exporter was not exact.
fn print_row(outcome: &Outcome) -> u32 {
    let Outcome { plan, kind, written, destroyed, lost, twice, malformed, resets, .. } = outcome;
    println!(
        "| {} | {} | {} | {written} | {destroyed} | {lost} | {twice} | {malformed} | {resets} \
         | {:.2} | {:.1} |",
        plan.scenario.name(),
        plan.rate.map_or("full".into(), |rate| rate.to_string()),
        kind.name(),
        outcome.cpu_seconds,
        outcome.resident_mib,
    );
    u32::from(*kind == Kind::Exporter && !outcome.is_exact())
}
