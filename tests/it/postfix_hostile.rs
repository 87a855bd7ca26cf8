//! Lines of Postfix that nobody should have written, and that somebody will.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use mta_exporter::envelope::Unwrapper;
use mta_exporter::ledger::{Cell, Ledger};
use mta_exporter::mta::{Dialects, LineKind};
use mta_exporter::pipeline::{Pipeline, Stream, Unobserved};
use mta_exporter::provider::Providers;
use mta_exporter::reason::Classifier;
use mta_exporter::smtp::ReplyCode;

use crate::corpus::describe;

/// What is read in one line: its kind, and its readings.
fn read(line: &[u8]) -> (LineKind, Vec<String>) {
    let (mut unwrapper, mut dialects) = (Unwrapper::default(), Dialects::new(None));
    read_on(&mut unwrapper, &mut dialects, line)
}

fn read_on(
    unwrapper: &mut Unwrapper,
    dialects: &mut Dialects,
    line: &[u8],
) -> (LineKind, Vec<String>) {
    let mut readings = Vec::new();
    let record = unwrapper.unwrap(line);
    let (_, kind) = dialects.read(&record, &mut |_, _, reading| readings.push(describe(&reading)));
    let wanted = match kind {
        LineKind::Delivery
        | LineKind::HostReply
        | LineKind::InboundReject
        | LineKind::Suspended => 1..=1,
        LineKind::Local => 0..=1,
        LineKind::State | LineKind::Irrelevant | LineKind::Unreadable(_) | LineKind::Overlong => {
            0..=0
        }
    };
    assert!(wanted.contains(&readings.len()), "{kind:?} {readings:?} {}", line.escape_ascii());
    (kind, readings)
}

/// A reading without what its text decides: its length, and the words in it.
fn without_text(mut readings: Vec<String>) -> Vec<String> {
    for reading in &mut readings {
        let words: Vec<&str> =
            reading.split(' ').filter(|word| !word.starts_with("text=")).collect();
        *reading = words.join(" ");
    }
    readings
}

fn real_log() -> Vec<Vec<u8>> {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs/postfix/file.log");
    let log = fs::read(log).unwrap();
    log.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

const DAEMONS: [&str; 12] = [
    "postfix/smtp",
    "postfix/lmtp",
    "postfix/smtpd",
    "postfix/cleanup",
    "postfix/qmgr",
    "postfix/local",
    "postfix/error",
    "postfix/bounce",
    "postfix/postscreen",
    "postfix/tlsproxy",
    "postfix",
    "postfix-out/new",
];

/// One line of every kind, to be cut and spoiled.
const SAMPLES: [&str; 16] = [
    "Nov 21 20:00:01 mx1 postfix/smtp[2101]: 4dG7Kq1Zb0z9vFk: to=<ann@example.com>, relay=mx1.example.net[192.0.2.10]:25, delay=1.3, delays=0.05/0.01/0.44/0.8, dsn=2.0.0, status=sent (250 2.0.0 OK  1795291201 af79cd13be357-8b2c1 - gsmtp)",
    "2026-11-21T20:00:02.123456+00:00 mx1 postfix/relay/smtp[2102]: 1A2B3C4D5E: to=<bob@example.com>, orig_to=<sales@example.org>, relay=mx.example.com[2001:db8::25]:25, conn_use=3, delay=0.9, delays=0.1/0/0.2/0.6, tls=dane, dsn=5.1.1, status=bounced (host mx.example.com[2001:db8::25] said: 550-5.1.1 The account does not exist. Please try 550-5.1.1 double-checking the address. 550 5.1.1 https://support.example.com/p/NoSuchUser (in reply to RCPT TO command))",
    "Nov 21 20:00:03 mx1 postfix/smtp[2103]: 4dG7Kr0W3Xz9vFm: host mx1.example.net[192.0.2.10] said: 421-4.7.0 Try again later, closing connection. 421 4.7.0 rate limited (in reply to end of DATA command)",
    "Nov 21 20:00:04 mx1 postfix/smtp[2103]: 4dG7Kr0W3Xz9vFm: to=<\"john doe\"@example.net>, relay=mx2.example.net[192.0.2.11]:25, delay=61, delays=0.1/0/60/0.9, dsn=4.7.0, status=deferred (host mx2.example.net[192.0.2.11] refused to talk to me: 421 4.7.0 Too many connections from 198.51.100.7)",
    "Nov 21 20:00:05 mx1 postfix/smtp[2104]: connect to mx1.example.org[203.0.113.5]:25: Connection timed out",
    "Nov 21 20:00:06 mx1 postfix/error[2105]: 4dG7Ks5h2Gz9vFn: to=<c@example.org>, relay=none, delay=3601, delays=3600/0.6/0/0.02, dsn=4.4.1, status=deferred (delivery temporarily suspended: connect to mx1.example.org[203.0.113.5]:25: Connection timed out)",
    "Nov 21 20:00:07 mx1 postfix/smtp[2106]: 4dG7Kt3Q9Lz9vFp: to=<d@nx.example>, relay=none, delay=0.2, delays=0.1/0.01/0.09/0, dsn=5.4.4, status=bounced (Host or domain name not found. Name service error for name=nx.example type=A: Host not found)",
    "Nov 21 20:00:08 mx1 postfix/smtp[2107]: 4dG7Kv1T6Rz9vFq: to=<e@example.net>, relay=mx1.example.net[192.0.2.10]:25, delay=300, delays=0/0/0.3/300, dsn=4.4.2, status=deferred (conversation with mx1.example.net[192.0.2.10] timed out while sending end of data -- message may be sent more than once)",
    "Nov 21 20:00:09 mx1 postfix/qmgr[88]: 4dFzZ90PqXz9vAa: from=<news@example.org>, status=expired, returned to sender",
    "Nov 21 20:00:10 mx1 postfix-out/smtp[2108]: 4dG7Kw2N8Sz9vFr: to=<f@example.com>, relay=mx.example.com[192.0.2.20]:25, delay=1, delays=0/0/0.5/0.5, dsn=4.1.1, status=SOFTBOUNCE (host mx.example.com[192.0.2.20] said: 550 5.1.1 <f@example.com>: user unknown (in reply to RCPT TO command))",
    "<22>1 2026-11-21T20:00:11Z mx1 postfix-out 2109 - -  4dG7Kx4M7Tz9vFs: to=<g@example.org>, relay=mx1[private/dovecot-lmtp], delay=0.1, delays=0.05/0/0.01/0.04, dsn=2.0.0, status=sent (250 2.0.0 <g@example.org> abCD Saved)",
    "Nov 21 20:00:12 mx1 postfix/smtpd[2110]: NOQUEUE: reject: RCPT from unknown[198.51.100.9]: 450 4.2.0 <h@example.org>: Recipient address rejected: Greylisted; try later; from=<x@example.com> to=<h@example.org> proto=ESMTP helo=<a.example>",
    "Nov 21 20:00:13 mx1 postfix/cleanup[2111]: 4dG7Ky6L5Vz9vFt: milter-reject: END-OF-MESSAGE from mail.example.com[198.51.100.8]: 5.7.1 Spam message rejected; from=<x@example.com> to=<i@example.org> proto=ESMTP helo=<mail.example.com>",
    "Nov 21 20:00:13 mx1 postfix/cleanup[2111]: 4dG7Ky6L5Vz9vFt: reject: header Subject: x from y[192.0.2.1]; from=<a@b> to=<c@d> proto=ESMTP helo=<e>: 5.7.1 message content rejected",
    "Nov 21 20:00:14 mx1 postfix/postscreen[77]: NOQUEUE: reject: RCPT from [198.51.100.7]:40112: 550 5.7.1 Service unavailable; client [198.51.100.7] blocked using dnsbl.example; from=<a@example.net>, to=<j@example.org>, proto=ESMTP, helo=<x>",
    "Nov 21 20:00:14 mx1 postfix/smtpd[77]: message repeated 3 times: [ warning: proxy 127.0.0.1:10025 rejected \"RCPT TO:<a@b>\": \"550 5.1.1 No\"]",
];

/// What a server might say to be taken for Postfix.
const PRETENCES: [&str; 18] = [
    ", status=sent (250 2.0.0 ok)",
    ") status=sent (250 2.0.0 ok)",
    ", dsn=2.0.0, status=sent (",
    "dsn=2.0.0",
    "to=<evil@evil.example>, relay=evil.example[192.0.2.66]:25",
    "))))",
    "((((",
    "\"",
    "(in reply to MAIL FROM command)",
    " said: you lie",
    " refused to talk to me: never",
    "; from=<a@b> to=<c@d>",
    "\0\u{1b}[31m",
    "delivery temporarily suspended: connect to x",
    "Nov 21 20:00:00 mx1 postfix/smtp[1]: 4A1B2C3D4E: to=<a@b>, relay=c[192.0.2.1]:25, dsn=2.0.0, status=sent (ok)",
    "message repeated 9 times: [ x]",
    "lost connection with x[192.0.2.1] while sending RCPT TO",
    "from=<>, status=expired, returned to sender",
];

/// The lines of the real log with a whole reply, but for those whose codes disagree.
static REPLIES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let lines = real_log().into_iter().map(|line| String::from_utf8(line).unwrap());
    lines
        .filter(|line| line.contains("postfix/smtp[") && line.contains("status="))
        .filter(|line| line.contains(" said: ") || line.contains("status=sent (2"))
        .filter(|line| line.ends_with(')') && !line.contains("first line one code"))
        .collect()
});

#[test]
fn a_line_may_end_anywhere() {
    let samples = SAMPLES.iter().map(|line| line.as_bytes().to_vec());
    for line in samples.chain(real_log().into_iter().step_by(200)) {
        let whole = read(&line);
        let settled = line.windows(8).position(|bytes| bytes == b", status");
        for end in 0..line.len() {
            let (kind, readings) = read(&line[..end]);
            // The reply's code is there, and only its end is missing.
            let told = settled.is_some_and(|settled| end > settled + 80);
            if told && matches!(whole.0, LineKind::Delivery | LineKind::Suspended) {
                assert_eq!(kind, whole.0, "{}", line[..end].escape_ascii());
                if kind == LineKind::Suspended {
                    assert_eq!(readings, whole.1);
                }
                let word = |readings: &[String]| readings[0].split(' ').next().map(str::to_owned);
                assert_eq!(word(&readings), word(&whole.1));
            }
        }
    }
}

#[test]
fn a_reply_may_have_any_number_of_lines() {
    for lines in [1, 2, 31, 500] {
        let reply: Vec<String> = (1..=lines)
            .map(|line| {
                let sign = if line == lines { ' ' } else { '-' };
                format!("550{sign}5.7.1 line {line} of 250 or 451 lines")
            })
            .collect();
        let reply = reply.join(" ");
        let line = format!(
            "Nov 21 20:00:01 mx1 postfix/smtp[1]: 4A1B2C3D4E: to=<a@example.com>, \
             relay=mx.example.net[192.0.2.1]:25, delay=1, delays=0/0/0/1, dsn=5.7.1, \
             status=bounced (host mx.example.net[192.0.2.1] said: {reply} (in reply to RCPT TO \
             command))"
        );
        let expected = format!(
            "bounced to=example.com host=mx.example.net ip=192.0.2.1 550 5.7.1 text={} at rcpt 1s",
            reply.len()
        );
        assert_eq!(read(line.as_bytes()), (LineKind::Delivery, vec![expected]));
        // The same, but cut as Postfix does it.
        let (kind, readings) = read(&line.as_bytes()[..line.len().min(2000)]);
        assert_eq!(kind, LineKind::Delivery);
        assert!(readings[0].contains(" 550 5.7.1 "), "{readings:?}");
    }
}

#[test]
fn every_envelope_brings_the_same_readings() {
    let envelopes: [fn(&str, &str, &str) -> String; 9] = [
        |program, pid, message| format!("Nov 21 20:00:01 mx1 {program}[{pid}]: {message}"),
        |program, pid, message| {
            format!("Nov  1 20:00:01 mx1.example.com {program}[{pid}]: {message}")
        },
        |program, pid, message| format!("<22>Nov 01 20:00:01 mx1 {program}[{pid}]: {message}"),
        |program, pid, message| {
            format!("2026-11-21T20:00:01.123456+00:00 mx1 {program}[{pid}]: {message}")
        },
        |program, pid, message| format!("Nov 21 20:00:01 <2.6> mx1 {program}[{pid}]: {message}"),
        |program, pid, message| {
            format!("Nov 21 20:00:01 mx1 {program}[{pid}]: [ID 197553 mail.info] {message}")
        },
        |program, pid, message| {
            format!("<22>1 2026-11-21T20:00:01.123Z mx1 {program} {pid} - - {message}")
        },
        |program, pid, message| {
            format!(
                "<22>1 2026-11-21T20:00:01.123Z mx1 {program} {pid} - [a b=\"c\"] \u{feff}{message}"
            )
        },
        // The name of the program ends at the first slash.
        |program, pid, message| {
            let program = program.split('/').next().unwrap();
            format!("<22>1 2026-11-21T20:00:01.123Z mx1 {program} {pid} - -  {message}")
        },
    ];
    let log = real_log();
    let mut expected = None;
    for envelope in envelopes {
        let (mut unwrapper, mut dialects) = (Unwrapper::default(), Dialects::new(None));
        let mut found = Vec::new();
        for line in &log {
            let record = Unwrapper::default().unwrap(line);
            let text = |bytes| str::from_utf8(bytes).expect("this log is UTF-8");
            let line = envelope(text(record.program), text(record.pid), text(record.message));
            found.push(read_on(&mut unwrapper, &mut dialects, line.as_bytes()));
        }
        assert_eq!(expected.get_or_insert(found.clone()), &found);
    }
}

/// What a message of the small mail server below meets.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Accepted(u16),
    Deferred(u16),
    Bounced(u16),
    Refused,
    TimedOut,
    NoSuchDomain,
    Suspended,
    Delivered,
    Expired,
}

impl Fate {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            (200u16..300).prop_map(Self::Accepted),
            (400u16..500).prop_map(Self::Deferred),
            (500u16..600).prop_map(Self::Bounced),
            select(vec![
                Self::Refused,
                Self::TimedOut,
                Self::NoSuchDomain,
                Self::Suspended,
                Self::Delivered,
                Self::Expired,
            ]),
        ]
    }

    /// The lines after those that every message has, and the answers that they tell, `None` for
    /// none that came.
    fn lines(self, id: &str, to: &str, words: &str) -> (Vec<String>, Vec<Option<u16>>) {
        let smtp = |relay: &str, end: &str| {
            format!(
                "postfix/smtp[7]: {id}: to=<{to}>, relay={relay}, delay=1, delays=0/0/0/1, {end}"
            )
        };
        let host = "mx.example.net[192.0.2.1]";
        let relay = &format!("{host}:25");
        let refused = format!("connect to {relay}: Connection refused");
        match self {
            Self::Accepted(code) => {
                let end = format!("dsn=2.0.0, status=sent ({code} {words})");
                (vec![smtp(relay, &end)], vec![Some(code)])
            }
            Self::Deferred(code) => {
                let end = format!(
                    "dsn=4.0.0, status=deferred (host {host} said: {code}-{words} {code} {words} (in reply to RCPT TO command))"
                );
                (vec![smtp(relay, &end)], vec![Some(code)])
            }
            Self::Bounced(code) => {
                let end = format!(
                    "dsn=5.0.0, status=bounced (host {host} said: {code} {words} (in reply to end of DATA command))"
                );
                (vec![smtp(relay, &end)], vec![Some(code)])
            }
            Self::Refused => {
                let end = format!("dsn=4.4.1, status=deferred ({refused})");
                (vec![format!("postfix/smtp[7]: {refused}"), smtp("none", &end)], vec![None])
            }
            Self::TimedOut => {
                let end = format!(
                    "dsn=4.4.2, status=deferred (conversation with {host} timed out while sending MAIL FROM)"
                );
                (vec![smtp(relay, &end)], vec![None])
            }
            Self::NoSuchDomain => {
                let end = "dsn=5.4.4, status=bounced (Host or domain name not found. Name service error for name=x type=A: Host not found)";
                (vec![smtp("none", end)], vec![None])
            }
            Self::Suspended => {
                let end = format!(
                    "relay=none, delay=1, delays=0/0/0/1, dsn=4.7.0, status=deferred (delivery temporarily suspended: host {host} refused to talk to me: 421 {words})"
                );
                (vec![format!("postfix/error[8]: {id}: to=<{to}>, {end}")], Vec::new())
            }
            Self::Delivered => {
                let end = "relay=local, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (delivered to mailbox)";
                (vec![format!("postfix/local[9]: {id}: to=<{to}>, {end}")], Vec::new())
            }
            Self::Expired => {
                let line = format!(
                    "postfix/qmgr[88]: {id}: from=<a@example.org>, status=expired, returned to sender"
                );
                (vec![line], Vec::new())
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_line(
        daemon in select(DAEMONS.to_vec()),
        message in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut line = format!("Nov 21 20:00:01 mx1 {daemon}[7]: ").into_bytes();
        line.extend(message);
        read(&line);
    }

    #[test]
    fn pieces_of_lines_in_any_order_are_a_line(
        daemon in select(DAEMONS.to_vec()),
        pieces in proptest::collection::vec(
            (select(SAMPLES.to_vec()), any::<Index>(), any::<Index>()),
            1..5,
        ),
    ) {
        let mut line = format!("Nov 21 20:00:01 mx1 {daemon}[7]: ").into_bytes();
        for (sample, from, to) in pieces {
            let sample = sample.as_bytes();
            let (from, to) = (from.index(sample.len()), to.index(sample.len()));
            line.extend(&sample[from.min(to)..from.max(to)]);
        }
        read(&line);
    }

    #[test]
    fn what_a_server_says_changes_nothing_else(
        line in any::<Index>(),
        at in any::<Index>(),
        pretences in proptest::collection::vec(select(PRETENCES.to_vec()), 1..4),
    ) {
        let text = line.get(&REPLIES);
        let from = text.find(" said: ").map(|at| at + 7).or(text.find(" (2").map(|at| at + 2));
        // Behind the code and the enhanced code, before what Postfix says at the end.
        let from = from.unwrap() + 12;
        let to = text.rfind(" (in reply to ").unwrap_or(text.len() - 1);
        prop_assume!(from < to && text.is_char_boundary(from));
        let at = from + at.index(to - from);
        prop_assume!(text.is_char_boundary(at));
        let spoilt = [&text[..at], &pretences.concat(), &text[at..]].concat();
        let (before, after) = (read(text.as_bytes()), read(spoilt.as_bytes()));
        prop_assert_eq!(before.0, after.0);
        prop_assert_eq!(without_text(before.1), without_text(after.1), "{}", spoilt);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_message_is_counted_once_whatever_is_said(
        messages in proptest::collection::vec(
            (Fate::any(), proptest::collection::vec(select(PRETENCES.to_vec()), 0..3)),
            0..40,
        ),
    ) {
        let (mut log, mut truth) = (String::new(), BTreeMap::<Option<u16>, u64>::new());
        let mut lines = 0;
        for (number, (fate, words)) in messages.iter().enumerate() {
            let id = format!("4A1B2C3D{number:X}");
            // No piece of a reply may look like the start of one of its lines.
            let words = words.concat().replace("250 ", "251-").replace('\0', "?");
            let words = format!("x{words}");
            let noise = [
                "postfix/smtpd[5]: connect from app.example.org[198.51.100.1]".to_owned(),
                format!("postfix/cleanup[6]: {id}: message-id=<{number}@example.org>"),
                format!("postfix/qmgr[88]: {id}: from=<a@example.org>, size=1, nrcpt=1 (queue active)"),
            ];
            let (own, codes) = fate.lines(&id, &format!("u{number}@example.com"), &words);
            for code in codes {
                *truth.entry(code).or_default() += 1;
            }
            let removed = format!("postfix/qmgr[88]: {id}: removed");
            for line in noise.into_iter().chain(own).chain([removed]) {
                writeln!(log, "Nov 21 20:00:01 mx1 {line}").unwrap();
                lines += 1;
            }
        }
        let providers = Providers::builtin();
        let classifier = Classifier::builtin(&providers);
        let mut ledger = Ledger::new(&providers, 10_000);
        let mut stream = Stream::new(ledger.source("log"), None);
        let mut pipeline = Pipeline::new(providers, classifier);
        pipeline.feed(&mut stream, &mut ledger, log.as_bytes(), &mut Unobserved);
        let counted = |code: Option<u16>| -> u64 {
            let cell = Cell::reply(code.and_then(ReplyCode::new));
            ledger.rows().iter().map(|row| row.value(cell)).sum()
        };
        for code in (200..600).map(Some).chain([None]) {
            let expected = truth.get(&code).copied().unwrap_or_default();
            prop_assert_eq!(counted(code), expected, "{:?}", code);
        }
        let read: u64 = ledger.sources()[0].lines.iter().sum();
        prop_assert_eq!(read, lines);
    }
}
