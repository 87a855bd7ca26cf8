//! What a line costs, by the program that wrote it.
//!
//! ```text
//! cargo bench --bench lines                       a log made here, 128 MiB
//! cargo bench --bench lines -- FILE               a log of yours
//! ```
//!
//! `--only PROGRAM --stage feed --rounds N` runs one figure alone, for a profiler that counts
//! instructions. The log is in memory: nothing here is I/O. Each figure is the best of several
//! rounds, in nanoseconds of CPU time per line; `unwrap` is the envelope, `read` the dialect after it, `feed` everything
//! with the counting.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark that cannot go on ends"
)]

mod postfix_log;

use std::collections::BTreeMap;
use std::hint::black_box;

use mta_exporter::envelope::Unwrapper;
use mta_exporter::ledger::Ledger;
use mta_exporter::mta::Dialects;
use mta_exporter::pipeline::{Pipeline, Stream, Unobserved};
use mta_exporter::provider::Providers;
use mta_exporter::reason::Classifier;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use postfix_log::Stamps;

/// As much as the reader hands over at once.
const CHUNK: usize = 256 * 1024;

/// What is asked for.
struct Options {
    rounds: usize,
    bytes: u64,
    /// Only this column, to count instructions; all if empty.
    stage: String,
    /// Only lines of this program; all if empty.
    only: String,
    logs: Vec<String>,
}

impl Options {
    fn read() -> Self {
        let mut options = Self {
            rounds: 5,
            bytes: 128 << 20,
            stage: String::new(),
            only: String::new(),
            logs: Vec::new(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().expect("a value");
            match argument.as_str() {
                "--bench" => {}
                "--test" => (options.rounds, options.bytes) = (1, 1_000_000),
                "--rounds" => options.rounds = value().parse().expect("a number"),
                "--bytes" => options.bytes = value().parse::<f64>().expect("a number") as u64,
                "--stage" => options.stage = value(),
                "--only" => options.only = value(),
                _ => options.logs.push(argument),
            }
        }
        options
    }
}

fn main() {
    let options = Options::read();
    let mut logs: Vec<(String, Vec<u8>)> = Vec::new();
    for path in &options.logs {
        logs.push((path.clone(), std::fs::read(path).unwrap()));
    }
    if logs.is_empty() {
        for (name, stamps) in [("RFC 3164", Stamps::Rfc3164), ("ISO 8601", Stamps::Iso8601)] {
            let mut log = Vec::new();
            postfix_log::write(&mut log, options.bytes, 1, stamps).unwrap();
            logs.push((name.to_owned(), log));
        }
    }
    println!("| log | lines of | lines | share | bytes | count lines | unwrap | read | feed |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (name, log) in &logs {
        let lines = memchr::memchr_iter(b'\n', log).count();
        if options.only.is_empty() {
            print(name, "all", &row(log, &options), lines);
        }
        for (program, log) in by_program(log) {
            if program.starts_with(&options.only) {
                print(name, &program, &row(&log, &options), lines);
            }
        }
    }
}

/// The lines of each program, put together.
fn by_program(log: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut unwrapper = Unwrapper::default();
    let mut programs = BTreeMap::<String, Vec<u8>>::new();
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        let record = unwrapper.unwrap(line.strip_suffix(b"\n").unwrap_or(line));
        let mut program = String::from_utf8_lossy(record.program).into_owned();
        if record.message.windows(7).any(|bytes| bytes == b"status=") {
            let sent = record.message.windows(11).any(|bytes| bytes == b"status=sent");
            program.push_str(if sent { ", accepted" } else { ", refused" });
        }
        programs.entry(program).or_default().extend_from_slice(line);
    }
    programs
}

struct Costs {
    lines: usize,
    bytes: usize,
    count: f64,
    unwrap: f64,
    read: f64,
    feed: f64,
}

fn row(log: &[u8], options: &Options) -> Costs {
    let lines = memchr::memchr_iter(b'\n', log).count();
    let chunks = || {
        let mut rest = log;
        std::iter::from_fn(move || {
            let end = rest.len().min(CHUNK);
            let end = memchr::memrchr(b'\n', &rest[..end])? + 1;
            let (chunk, after) = rest.split_at(end);
            rest = after;
            Some(chunk)
        })
    };
    let best = |stage: &str, run: &mut dyn FnMut()| {
        if !(options.stage.is_empty() || options.stage == stage) {
            return 0.0;
        }
        let time = |run: &mut dyn FnMut()| {
            let start = cpu_nanoseconds();
            run();
            (cpu_nanoseconds() - start) / lines as f64
        };
        (0..options.rounds).map(|_| time(run)).fold(f64::INFINITY, f64::min)
    };
    let count = best("count", &mut || {
        for chunk in chunks() {
            black_box(memchr::memchr_iter(b'\n', chunk).count());
        }
    });
    let (mut unwrapper, mut dialects) = (Unwrapper::default(), Dialects::new(None));
    let unwrap = best("unwrap", &mut || {
        for chunk in chunks() {
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', chunk) {
                black_box(unwrapper.unwrap(&chunk[start..end]));
                start = end + 1;
            }
        }
    });
    let read = best("read", &mut || {
        for chunk in chunks() {
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', chunk) {
                let record = unwrapper.unwrap(&chunk[start..end]);
                let mut seen = 0;
                black_box(dialects.read(&record, &mut |_, _, _| seen += 1));
                black_box(seen);
                start = end + 1;
            }
        }
    });
    let providers = Providers::builtin();
    let classifier = Classifier::builtin(&providers);
    let mut ledger = Ledger::new(&providers, 10_000);
    let mut stream = Stream::new(ledger.source("log"), None);
    let mut pipeline = Pipeline::new(providers, classifier);
    let feed = best("feed", &mut || {
        for chunk in chunks() {
            pipeline.feed(&mut stream, &mut ledger, chunk, &mut Unobserved);
        }
    });
    Costs { lines, bytes: log.len(), count, unwrap, read, feed }
}

/// What this process used so far. Other work on the machine does not count.
fn cpu_nanoseconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 * 1e3
}

fn print(log: &str, program: &str, costs: &Costs, all: usize) {
    println!(
        "| {log} | {program} | {} | {:.1} % | {} | {:.1} | {:.1} | {:.1} | {:.1} |",
        costs.lines,
        100.0 * costs.lines as f64 / all as f64,
        costs.bytes / costs.lines.max(1),
        costs.count,
        costs.unwrap - costs.count,
        costs.read - costs.unwrap,
        costs.feed,
    );
}
