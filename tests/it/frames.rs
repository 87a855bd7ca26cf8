//! The same log in other settings: what wraps the lines, and what stands before them, changes
//! nothing that is counted.

use std::fs;

use mta_exporter::envelope::Unwrapper;
use serde_json::json;

use crate::dialects::Counted;
use crate::truth::path;

/// What one program wrote: its name, its process and the message.
struct Entry<'a> {
    program: &'a str,
    pid: &'a str,
    message: &'a [u8],
}

/// Writes one line.
type Frame = fn(&Entry<'_>) -> Vec<u8>;

/// Where a file is named that has no syslog header, its lines are messages without a program.
fn entries(log: &[u8]) -> Vec<Entry<'_>> {
    let mut unwrapper = Unwrapper::default();
    let text = |bytes| std::str::from_utf8(bytes).expect("a name");
    let lines = log.strip_suffix(b"\n").unwrap_or(log).split(|byte| *byte == b'\n');
    lines
        .map(|line| {
            let record = unwrapper.unwrap(line);
            assert_eq!(record.repeat, 1);
            let (program, pid) = (text(record.program), text(record.pid));
            Entry { program, pid, message: record.message }
        })
        .collect()
}

fn tagged(header: &str, entry: &Entry<'_>) -> Vec<u8> {
    let pid = if entry.pid.is_empty() { String::new() } else { format!("[{}]", entry.pid) };
    let header = format!("{header} mx1 {}{pid}: ", entry.program);
    [header.as_bytes(), entry.message].concat()
}

fn bsd(entry: &Entry<'_>) -> Vec<u8> {
    tagged("Nov 21 20:00:01", entry)
}

fn iso(entry: &Entry<'_>) -> Vec<u8> {
    tagged("2026-11-21T20:00:01.123456+01:00", entry)
}

fn journal_short_iso(entry: &Entry<'_>) -> Vec<u8> {
    tagged("2026-11-21T20:00:01+0100", entry)
}

fn rfc5424(entry: &Entry<'_>) -> Vec<u8> {
    let pid = if entry.pid.is_empty() { "-" } else { entry.pid };
    let header = format!("<22>1 2026-11-21T20:00:01Z mx1 {} {pid} - - ", entry.program);
    [header.as_bytes(), entry.message].concat()
}

fn journal_json(entry: &Entry<'_>) -> Vec<u8> {
    // What is no text is an array of bytes.
    let message = std::str::from_utf8(entry.message)
        .map_or_else(|_| json!(entry.message), |text| json!(text));
    let mut fields = json!({
        "__CURSOR": "s=1;i=2",
        "__REALTIME_TIMESTAMP": "1795291201123456",
        "_HOSTNAME": "mx1",
        "SYSLOG_IDENTIFIER": entry.program,
        "MESSAGE": message,
    });
    if !entry.pid.is_empty() {
        fields["SYSLOG_PID"] = json!(entry.pid);
    }
    fields.to_string().into_bytes()
}

fn cri(entry: &Entry<'_>) -> Vec<u8> {
    [b"2026-11-21T20:00:01.123456789Z stdout F ".to_vec(), bsd(entry)].concat()
}

const SYSLOG: [(&str, Frame); 6] = [
    ("RFC 3164", bsd),
    ("ISO 8601", iso),
    ("journalctl -o short-iso", journal_short_iso),
    ("RFC 5424", rfc5424),
    ("journalctl -o json", journal_json),
    ("CRI", cri),
];

/// Logs as they are, and the same ones in other settings.
#[derive(Default)]
struct Beside {
    plain: Counted,
    framed: Counted,
}

impl Beside {
    /// The counters of a log are those of the same log in another setting.
    #[track_caller]
    fn check(&mut self, log: &[u8], framed: &[u8], name: &str) {
        self.plain.count(name, log, usize::MAX);
        self.framed.count(name, framed, usize::MAX);
        assert_eq!(self.framed.counters(), self.plain.counters(), "{name}");
    }
}

#[test]
fn what_goes_through_syslog_may_be_framed_in_any_way() {
    let mut beside = Beside::default();
    for (mta, name) in [
        ("postfix", "rotated"),
        ("exim", "syslog"),
        ("sendmail", "syslog"),
        ("opensmtpd", "syslog-iso"),
        ("courier", "syslog"),
    ] {
        let log = fs::read(path(mta, &format!("{name}.log"))).unwrap();
        for (frame, write) in SYSLOG {
            let framed: Vec<_> = entries(&log).iter().map(write).collect();
            beside.check(&log, &framed.join(&b'\n'), &format!("{mta}/{name} as {frame}"));
        }
    }
}

/// The names of the daemons are lost where a syslog daemon ends the program at the first slash.
#[test]
fn postfix_is_known_under_any_name_without_its_daemons() {
    let mut beside = Beside::default();
    let log = fs::read(path("postfix", "rotated.log")).unwrap();
    for program in ["postfix-out", "mta1"] {
        for (frame, write) in SYSLOG {
            let renamed = |entry: Entry<'_>| write(&Entry { program, ..entry });
            let framed: Vec<_> = entries(&log).into_iter().map(renamed).collect();
            beside.check(&log, &framed.join(&b'\n'), &format!("{program} as {frame}"));
        }
    }
}

/// A central log has the lines of all MTAs and of others, one between the other.
#[test]
fn a_file_with_all_mtas_counts_what_their_own_files_do() {
    let logs = [
        ("postfix", "rotated"),
        ("exim", "syslog"),
        ("sendmail", "syslog"),
        ("opensmtpd", "syslog-iso"),
        ("courier", "syslog"),
        ("qmail", "tai64n"),
        ("haraka", "logfmt"),
    ];
    let logs = logs.map(|(mta, name)| {
        let log = fs::read(path(mta, &format!("{name}.log"))).unwrap();
        let lines = log.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n');
        let header = match mta {
            "qmail" => "Nov 21 20:00:01 mx1 qmail: ",
            "haraka" => "Nov 21 20:00:01 mx1 haraka[9]: ",
            _ => "",
        };
        lines.map(|line| [header.as_bytes(), line].concat()).collect::<Vec<_>>()
    });
    let mut mixed = Vec::new();
    for number in 0..logs.iter().map(Vec::len).max().unwrap() {
        mixed.extend(logs.iter().filter_map(|log| log.get(number).cloned()));
        mixed.push(b"Nov 21 20:00:01 mx1 dovecot: lmtp(ann)<1>: 4A: to=<a@b>, relay=x, x".to_vec());
        mixed
            .push(b"Nov 21 20:00:01 mx1 rspamd[7]: 2026-11-21 20:00:01 H=x rejected y: z".to_vec());
    }
    let mut beside = Beside::default();
    for log in &logs {
        beside.plain.count("log", &log.join(&b'\n'), usize::MAX);
    }
    beside.framed.count("log", &mixed.join(&b'\n'), usize::MAX);
    let without_irrelevant = |mut counters: serde_json::Value| {
        counters["sources"][0]["lines"]["irrelevant"] = json!(0);
        counters
    };
    assert_eq!(
        without_irrelevant(beside.framed.counters()),
        without_irrelevant(beside.plain.counters())
    );
}

/// Exim's stamp, its options and the rest of the line.
fn exim_parts(line: &[u8]) -> (&str, &[u8]) {
    let (stamp, rest) = line.split_at(19);
    (std::str::from_utf8(stamp).expect("a stamp"), rest)
}

#[test]
fn exims_lines_may_start_with_a_fraction_a_zone_and_a_pid() {
    let mut beside = Beside::default();
    let log = fs::read(path("exim", "file.log")).unwrap();
    for option in [".123", " +0100", " [4711]", ".123 -0330 [4711]"] {
        let lines = log.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n');
        let framed: Vec<_> = lines
            .map(|line| {
                let (stamp, rest) = exim_parts(line);
                [stamp.as_bytes(), option.as_bytes(), rest].concat()
            })
            .collect();
        beside.check(&log, &framed.join(&b'\n'), option);
    }
}

#[test]
fn exims_file_through_syslog_reads_alike_under_any_name_and_without_stamps() {
    let mut beside = Beside::default();
    let log = fs::read(path("exim", "file.log")).unwrap();
    for (program, stamped) in
        [("exim", true), ("exim4", false), ("mailout", true), ("mailout", false)]
    {
        let lines = log.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n');
        let framed: Vec<_> = lines
            .enumerate()
            .map(|(number, line)| {
                let (stamp, rest) = exim_parts(line);
                let message = if stamped { line } else { &rest[1..] };
                let header = format!("Nov 21 {} mx1 {program}[{number}]: ", &stamp[11..]);
                [header.as_bytes(), message].concat()
            })
            .collect();
        beside.check(&log, &framed.join(&b'\n'), &format!("{program}, with stamps: {stamped}"));
    }
}

#[test]
fn message_ids_of_exim_may_be_long_and_deferrals_without_numbers() {
    let mut beside = Beside::default();
    let log = fs::read(path("exim", "file.log")).unwrap();
    let id = regex::bytes::Regex::new(r"\b([0-9A-Za-z]{6})-([0-9A-Za-z]{6})-([0-9A-Za-z]{2})\b")
        .unwrap();
    beside.check(&log, &id.replace_all(&log, &b"$1-00000$2-${3}Zz"[..]), "long ids");
    let words = regex::bytes::Regex::new(r" defer \(\d+\): ([A-Z][a-z ]+)\n").unwrap();
    let without = words.replace_all(&log, &b" defer ($1)\n"[..]);
    let strerror = regex::bytes::Regex::new(r" defer \(\d+\): [A-Z][a-z ]+ H=").unwrap();
    let without = strerror.replace_all(&without, &b" defer H="[..]);
    let number = regex::bytes::Regex::new(r" defer \(-?\d+\)").unwrap();
    beside.check(&log, &number.replace_all(&without, &b" defer"[..]), "no numbers");
}

/// Seconds since 1970 and nanoseconds of a TAI64N label.
fn tai64n(label: &[u8]) -> (u64, u64) {
    let hex =
        |digits: &[u8]| u64::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap();
    // 37 seconds are between TAI and UTC.
    (hex(&label[1..17]) - (1 << 62) - 37, hex(&label[17..25]))
}

/// Writes a line: second, nanosecond, text.
type Logger = fn(u64, u64, &[u8]) -> Vec<u8>;

#[test]
fn qmails_lines_may_come_through_any_logger() {
    let mut beside = Beside::default();
    let log = fs::read(path("qmail", "tai64n.log")).unwrap();
    let loggers: [(&str, Logger); 6] = [
        ("splogger", |second, nano, text| {
            let micro = nano / 1_000;
            let header = format!("Nov 21 20:00:01 mx1 qmail: {second}.{micro:06} ");
            [header.as_bytes(), text].concat()
        }),
        ("splogger as RFC 5424", |second, nano, text| {
            let micro = nano / 1_000;
            let header = format!("<22>1 2026-11-21T20:00:01Z mx1 qmail - - - {second}.{micro:06} ");
            [header.as_bytes(), text].concat()
        }),
        ("tai64nlocal", |second, nano, text| {
            let (minute, second) = (second / 60 % 60, second % 60);
            let header = format!("2026-11-21 20:{minute:02}:{second:02}.{nano:09} ");
            [header.as_bytes(), text].concat()
        }),
        ("no stamps", |_, _, text| text.to_vec()),
        ("logger", |_, _, text| [b"Nov 21 20:00:01 mx1 qmail-send[12]: ", text].concat()),
        ("logger under another name", |_, _, text| {
            [b"Nov 21 20:00:01 mx1 mailout: ", text].concat()
        }),
    ];
    for (name, logger) in loggers {
        let lines = log.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n');
        let framed: Vec<_> = lines
            .map(|line| {
                let (second, nano) = tai64n(line);
                logger(second, nano, &line[26..])
            })
            .collect();
        beside.check(&log, &framed.join(&b'\n'), name);
    }
}

#[test]
fn harakas_lines_may_come_without_stamps_and_through_syslog() {
    let mut beside = Beside::default();
    for format in ["default", "logfmt", "json"] {
        let log = fs::read(path("haraka", &format!("{format}.log"))).unwrap();
        for header in ["", "Nov 21 20:00:01 mx1 haraka[12]: ", "Nov 21 20:00:01 mx1 node[12]: "] {
            let lines = log.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n');
            let framed: Vec<_> = lines
                .map(|line| {
                    let stamped = line.starts_with(b"20") && line.get(24) == Some(&b' ');
                    let text = if stamped { &line[25..] } else { line };
                    [header.as_bytes(), text].concat()
                })
                .collect();
            beside.check(&log, &framed.join(&b'\n'), &format!("{format} after {header:?}"));
        }
    }
}
