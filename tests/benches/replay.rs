//! How fast finished logs are read, beside other programs on the same file in the same run.
//!
//! ```text
//! cargo bench --bench replay                        1 GiB, 5 rounds
//! cargo bench --bench replay -- --bytes 2e8 --rounds 3 --stamps iso8601
//! ```
//!
//! Each program runs once per round, one after the other; the table shows medians of CPU seconds
//! (user and system), the ratio to `wc -l`, and the peak resident size. `mtail` takes part where it
//! is found on the PATH or under `target/tools`; it reads only the first tenth, for it is slow, and
//! its figures are scaled. The log is made anew, checked against its truth, and kept under
//! `target/bench`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::too_many_lines,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark that cannot go on ends"
)]

mod postfix_log;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use postfix_log::Stamps;

/// What one run cost.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
struct Cost {
    cpu_seconds: f64,
    wall_seconds: f64,
    resident_kib: f64,
}

struct Contestant {
    name: String,
    command: Vec<String>,
    /// The part of the log that it reads.
    share: f64,
    costs: Vec<Cost>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--measure") {
        return measure(&arguments[1..]);
    }
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let short = arguments.iter().any(|argument| argument == "--test");
    let number = |name: &str, otherwise: f64| {
        option(name).map_or(otherwise, |value| value.parse().expect("a number"))
    };
    let bytes = number("--bytes", if short { 4e6 } else { 1_073_741_824.0 }) as u64;
    let rounds = number("--rounds", if short { 1.0 } else { 5.0 }) as usize;
    let stamps = match option("--stamps").as_deref() {
        Some("iso8601") => Stamps::Iso8601,
        _ => Stamps::Rfc3164,
    };

    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    fs::create_dir_all(&directory).unwrap();
    let log = directory.join("postfix.log");
    let (written, lines, truth) = {
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&log).unwrap());
        let made = postfix_log::write(&mut out, bytes, 1, stamps).unwrap();
        out.flush().unwrap();
        made
    };
    let replies: u64 = truth.values().sum();
    println!("{written} bytes, {lines} lines, {replies} replies, {rounds} rounds");
    check_counts(&log, &truth);

    let mut contestants = contestants(&log, &directory, lines);
    for _ in 0..rounds {
        for contestant in &mut contestants {
            let cost = run(&contestant.command);
            contestant.costs.push(cost);
        }
    }
    report(&contestants, written, lines);
}

/// The counts must be the generator's own, or the figures are worth nothing.
fn check_counts(log: &Path, truth: &postfix_log::Truth) {
    let output = Command::new(env!("CARGO_BIN_EXE_mta_exporter"))
        .args(["replay", "--output", "metrics"])
        .arg(log)
        .output()
        .expect("the exporter runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metrics = String::from_utf8(output.stdout).unwrap();
    for ((provider, code), count) in truth {
        let code = if *code == 0 { "none".to_owned() } else { code.to_string() };
        let line = metrics
            .lines()
            .find(|line| {
                line.starts_with("mta_replies_total{")
                    && line.contains(&format!("provider=\"{provider}\""))
                    && line.contains(&format!("code=\"{code}\""))
            })
            .unwrap_or_else(|| panic!("no series for {provider} {code}"));
        assert!(line.ends_with(&format!(" {count}")), "expected {count}, but found {line}");
    }
    println!("counts agree with the generator in {} series", truth.len());
}

fn contestants(log: &Path, directory: &Path, lines: u64) -> Vec<Contestant> {
    let path = log.display().to_string();
    let new = |name: &str, share: f64, command: &[&str]| Contestant {
        name: name.to_owned(),
        command: command.iter().map(|&word| word.to_owned()).collect(),
        share,
        costs: Vec::new(),
    };
    let exporter = env!("CARGO_BIN_EXE_mta_exporter");
    let mut all = vec![
        new("wc -l", 1.0, &["wc", "-l", &path]),
        new("mta_exporter replay", 1.0, &[exporter, "replay", "--output", "metrics", &path]),
        new("grep -c status=", 1.0, &["grep", "-c", "status=", &path]),
    ];
    if let Some(mtail) = tool("mtail") {
        let tenth = directory.join("tenth.log");
        let wanted = (lines / 10).to_string();
        let head = Command::new("head").args(["-n", &wanted, &path]).output().unwrap();
        fs::write(&tenth, &head.stdout).unwrap();
        let program = directory.join("postfix.mtail");
        fs::write(
            &program,
            "counter replies by status, code\n\
             /status=(?P<status>\\w+) \\((?:host \\S+ said: )?(?P<code>\\d{3})?/ {\n  replies[$status][$code]++\n}\n",
        )
        .unwrap();
        let (mtail, program) = (mtail.display().to_string(), program.display().to_string());
        let share = head.stdout.len() as f64 / fs::metadata(log).unwrap().len() as f64;
        all.push(new(
            "mtail --one_shot",
            share,
            &[&mtail, "--one_shot", "--logs", &tenth.display().to_string(), "--progs", &program],
        ));
    }
    all
}

/// A program on the PATH, or unpacked from a package under `target/tools`.
fn tool(name: &str) -> Option<PathBuf> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/usr/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([unpacked])
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

/// Runs a command through this program, which has no other child and so sees what that one cost.
fn run(command: &[String]) -> Cost {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("--measure")
        .args(command)
        .output()
        .expect("the measuring process runs");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut figures = text.split_whitespace().map(|word| word.parse().expect("a figure"));
    let mut next = || figures.next().unwrap_or_else(|| panic!("{command:?} failed: {text}"));
    Cost { cpu_seconds: next(), wall_seconds: next(), resident_kib: next() }
}

fn measure(command: &[String]) {
    let start = std::time::Instant::now();
    // A pipe, not /dev/null: grep sees the difference and stops at the first hit.
    let output = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .output()
        .expect("the command starts");
    let wall = start.elapsed().as_secs_f64();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    println!("{} {wall} {}", cpu as f64 / 1e6, usage.max_rss());
}

fn report(contestants: &[Contestant], bytes: u64, lines: u64) {
    let median = |costs: &[Cost], figure: fn(&Cost) -> f64| {
        let mut figures: Vec<f64> = costs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let cpu = |contestant: &Contestant| {
        median(&contestant.costs, |cost| cost.cpu_seconds) / contestant.share
    };
    let base = cpu(&contestants[0]);
    println!("| program | CPU s | x wc -l | MB/s of CPU | M lines/s of CPU | peak MiB |");
    println!("|---|---|---|---|---|---|");
    for contestant in contestants {
        let seconds = cpu(contestant);
        println!(
            "| {} | {seconds:.3} | {:.2} | {:.0} | {:.2} | {:.1} |",
            contestant.name,
            seconds / base,
            bytes as f64 / 1e6 / seconds,
            lines as f64 / 1e6 / seconds,
            median(&contestant.costs, |cost| cost.resident_kib) / 1024.0,
        );
    }
}
