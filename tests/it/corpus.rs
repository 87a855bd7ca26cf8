//! Real logs of every MTA and what must be read in them.
//!
//! Beside each `tests/logs/<mta>/<name>.log` stands `<name>.expected`: one line for each reading
//! and a summary of the kinds of lines. After a wanted change write them anew with
//! `UPDATE_EXPECTED=1 cargo test corpus`, and read the difference before it is committed.
//!
//! Who answered and what it means are decided by tables that grow; they have tests of their own and
//! no column here.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use mta_exporter::attempt::{Answer, Phase, Relay};
use mta_exporter::envelope::Unwrapper;
use mta_exporter::mta::{Dialects, LineKind, Reading, Why};

/// The environment variable that has the expected files written instead of compared.
const UPDATE: &str = "UPDATE_EXPECTED";

/// How many differing lines a failure shows.
const SHOWN_MAX: usize = 10;

/// The logs, in order. Folders without any (compressed samples) do not matter.
fn logs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs");
    let mut found: Vec<PathBuf> = fs::read_dir(root)
        .expect("the folder of logs")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .flat_map(|folder| fs::read_dir(folder).expect("a folder of logs"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "log"))
        .collect();
    found.sort();
    found
}

#[test]
fn every_log_reads_as_its_expected_file_says() {
    let mut wrong = String::new();
    for log in logs() {
        let found = digest(&fs::read(&log).expect("a log"));
        let golden = log.with_extension("expected");
        if std::env::var_os(UPDATE).is_some() {
            fs::write(&golden, found).expect("a writable golden file");
            continue;
        }
        let expected = fs::read_to_string(&golden)
            .unwrap_or_else(|error| panic!("{}: {error}; run with {UPDATE}=1", golden.display()));
        if let Some(difference) = difference(&expected, &found) {
            writeln!(wrong, "{}:\n{difference}", golden.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}If that is wanted, run with {UPDATE}=1.");
}

/// The first lines that are in only one of the two texts; both name the line of the log.
fn difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let mut shown: Vec<String> = Vec::new();
    let missing = expected.lines().filter(|line| !found.lines().any(|other| other == *line));
    shown.extend(missing.take(SHOWN_MAX).map(|line| format!("  - {line}")));
    let added = found.lines().filter(|line| !expected.lines().any(|other| other == *line));
    shown.extend(added.take(SHOWN_MAX).map(|line| format!("  + {line}")));
    if shown.is_empty() {
        shown.push("  the same lines in another order or number".to_owned());
    }
    Some(shown.join("\n"))
}

/// What is read in a log, as text.
fn digest(log: &[u8]) -> String {
    let mut text = String::from(
        "# line kind[*times]: what was read; text=N is the length of the reply's text\n",
    );
    let mut unwrapper = Unwrapper::default();
    let mut dialects = Dialects::new(None);
    let mut kinds = [0u64; LineKind::COUNT];
    let mut whys = [0u64; Why::ALL.len()];
    let mut lines = 0;
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        lines += 1;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let record = unwrapper.unwrap(line);
        let times = if record.repeat > 1 { format!("*{}", record.repeat) } else { String::new() };
        let (_, kind) = dialects.read(&record, &mut |dialect, kind, reading| {
            let (dialect, kind, reading) = (dialect.as_str(), kind.as_str(), describe(&reading));
            writeln!(text, "{lines} {kind}{times}: {dialect} {reading}").unwrap();
        });
        kinds[kind.index()] += 1;
        if let LineKind::Unreadable(why) = kind {
            whys[Why::ALL.iter().position(|known| *known == why).expect("a cause")] += 1;
            writeln!(text, "{lines} unreadable: {why}").unwrap();
        }
    }
    dialects.finish(&mut |dialect, kind, reading| {
        let (dialect, kind, reading) = (dialect.as_str(), kind.as_str(), describe(&reading));
        writeln!(text, "end {kind}: {dialect} {reading}").unwrap();
    });
    assert_eq!(kinds.iter().sum::<u64>(), lines, "every line is of exactly one kind");
    writeln!(text, "lines: {lines}").unwrap();
    for (kind, count) in LineKind::LABELS.iter().zip(kinds).filter(|(_, count)| *count > 0) {
        writeln!(text, "{kind}: {count}").unwrap();
    }
    for (why, count) in Why::ALL.iter().zip(whys).filter(|(_, count)| *count > 0) {
        writeln!(text, "unreadable, {why}: {count}").unwrap();
    }
    text
}

/// A reading in one line; what is unknown is left out.
pub(crate) fn describe(reading: &Reading<'_>) -> String {
    match reading {
        Reading::Attempt(attempt) => {
            let delay = attempt.delay_seconds.map_or(String::new(), |delay| format!(" {delay}s"));
            let outcome = attempt.outcome;
            let domain = name("to", attempt.recipient.domain());
            let (relay, answer) = (relay(&attempt.relay), answer(&attempt.answer));
            let again = if attempt.answer_counted { " (counted before)" } else { "" };
            format!("{outcome}{domain}{relay}{answer}{again}{}{delay}", phase(attempt.phase))
        }
        Reading::HostReply(reply) => {
            let domain = name("to", reply.recipient_domain);
            let (relay, answer) = (relay(&reply.relay), answer(&reply.answer));
            format!("host reply{domain}{relay}{answer}{}", phase(reply.phase))
        }
        Reading::InboundReject(reject) => {
            let code = reject.reply.map_or(String::new(), |reply| format!(" {}", reply.code));
            let enhanced = reject.reply.and_then(|reply| reply.enhanced);
            let enhanced = enhanced.map_or(String::new(), |enhanced| format!(" {enhanced}"));
            let (class, length) = (reject.class, reject.text.len());
            format!("rejected {class}{code}{enhanced}{} text={length}", phase(reject.phase))
        }
        Reading::Expiry(expiry) => {
            let domain = expiry.recipient.map_or(&b""[..], |recipient| recipient.domain());
            format!("gave up {}{}", expiry.queue_id.escape_ascii(), name("to", domain))
        }
        Reading::Suspended(kept) => format!("suspended{}", name("to", kept.recipient.domain())),
        Reading::Local(kept) => format!("local{}", name("to", kept.recipient.domain())),
    }
}

fn name(what: &str, bytes: &[u8]) -> String {
    if bytes.is_empty() { String::new() } else { format!(" {what}={}", bytes.escape_ascii()) }
}

fn relay(relay: &Relay<'_>) -> String {
    format!("{}{}", name("host", relay.host), name("ip", relay.ip))
}

fn phase(phase: Option<Phase>) -> String {
    phase.map_or(String::new(), |phase| format!(" at {phase}"))
}

fn answer(answer: &Answer<'_>) -> String {
    let length = answer.text().len();
    match answer {
        Answer::Reply(reply) => {
            let enhanced = reply.enhanced.map_or(String::new(), |enhanced| format!(" {enhanced}"));
            format!(" {}{enhanced} text={length}", reply.code)
        }
        Answer::NoReply { cause, .. } => format!(" {cause} text={length}"),
    }
}
