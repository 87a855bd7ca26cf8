//! What is read in Postfix' log against what the other side wrote down.
//!
//! The logs come from a Postfix that delivered to scripted servers; `<log>.truth.tsv` has every
//! refusal, acceptance, dropped and silent connection of those servers, `<log>.sent.tsv` the
//! messages, `<log>.inbound.tsv` what Postfix answered to visitors. Both sides are reduced to the
//! recipient's domain and a code, and must be equal but for the differences that are listed here
//! with their cause and number.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mta_exporter::attempt::{Answer, InboundReject, NoReply, Phase};
use mta_exporter::envelope::Unwrapper;
use mta_exporter::mta::{Dialect, Dialects, LineKind, Reading};

/// How often something came, by where and what.
type Counts = BTreeMap<(String, String), i64>;

fn file(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs/postfix").join(name)).unwrap()
}

/// The rows of a table, without its header if it has one.
fn table(name: &str, header: usize) -> Vec<Vec<String>> {
    let text = String::from_utf8(file(name)).unwrap();
    text.lines().skip(header).map(|row| row.split('\t').map(str::to_owned).collect()).collect()
}

fn domain(address: &str) -> String {
    address.rsplit('@').next().unwrap().to_lowercase()
}

/// What the servers did.
#[derive(Default)]
struct Servers {
    /// To a recipient, or to a sender on the way to one: by the recipient's domain.
    replies: Counts,
    /// To a connection, before anybody was named: by address.
    connections: Counts,
}

impl Servers {
    fn read(log: &str) -> Self {
        let mut recipients = BTreeMap::<String, Vec<String>>::new();
        for row in table(&format!("{log}.sent.tsv"), 0) {
            recipients.entry(row[1].clone()).or_default().push(row[2].clone());
        }
        let mut servers = Self::default();
        for row in table(&format!("{log}.truth.tsv"), 1) {
            let [_, _, ip, _, _, sender, recipient, stage, code, ..] = &row[..] else {
                panic!("a row of the truth: {row:?}");
            };
            let what = match (code.as_str(), stage.split_once('_')) {
                ("-", Some(("DROP", _))) => "lost",
                ("-", Some(("HANG", _))) => "timeout",
                // No code in it, or none that SMTP has.
                ("-" | "999", _) => "protocol",
                (code, _) => code,
            };
            let (counts, whose) = match (recipient.as_str(), stage.as_str()) {
                ("", "MAIL") => {
                    let recipients = &recipients[sender];
                    assert_eq!(recipients.len(), 1, "{sender} wrote to one recipient");
                    (&mut servers.replies, domain(&recipients[0]))
                }
                ("", _) => (&mut servers.connections, ip.clone()),
                (recipient, _) => (&mut servers.replies, domain(recipient)),
            };
            *counts.entry((whose, what.to_owned())).or_default() += 1;
        }
        servers
    }
}

/// What was read in the log.
#[derive(Default)]
struct Log {
    replies: Counts,
    connections: Counts,
    /// Host replies that name no recipient: queue id and what it was.
    nameless: Vec<(Vec<u8>, String)>,
    /// The domain of the recipient by queue id.
    domains: BTreeMap<Vec<u8>, String>,
    rejects: Vec<(Option<Phase>, u16)>,
    kinds: BTreeMap<&'static str, u64>,
}

impl Log {
    fn read(name: &str) -> Self {
        let (mut unwrapper, mut dialects) = (Unwrapper::default(), Dialects::new(None));
        let mut log = Self::default();
        let text = file(&format!("{name}.log"));
        for line in text.strip_suffix(b"\n").unwrap_or(&text).split(|byte| *byte == b'\n') {
            let record = unwrapper.unwrap(line);
            let (dialect, kind) = dialects.read(&record, &mut |_, _, reading| log.note(&reading));
            assert_eq!(dialect, Some(Dialect::Postfix), "{}", line.escape_ascii());
            assert!(!matches!(kind, LineKind::Unreadable(_)), "{}", line.escape_ascii());
            *log.kinds.entry(kind.as_str()).or_default() += 1;
        }
        for (queue_id, what) in std::mem::take(&mut log.nameless) {
            let domain = log.domains[&queue_id].clone();
            *log.replies.entry((domain, what)).or_default() += 1;
        }
        log
    }

    fn note(&mut self, reading: &Reading<'_>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match reading {
            Reading::Attempt(attempt) => {
                let domain = text(attempt.recipient.domain()).to_lowercase();
                self.domains.insert(attempt.queue_id.to_owned(), domain.clone());
                if attempt.answer_counted {
                    return;
                }
                let counts = if before_mail(attempt.phase) {
                    self.connections.entry((text(attempt.relay.ip), what(&attempt.answer)))
                } else {
                    self.replies.entry((domain, what(&attempt.answer)))
                };
                *counts.or_default() += 1;
            }
            Reading::HostReply(reply) if before_mail(reply.phase) => {
                let counts = self.connections.entry((text(reply.relay.ip), what(&reply.answer)));
                *counts.or_default() += 1;
            }
            Reading::HostReply(reply) => {
                self.nameless.push((reply.queue_id.to_owned(), what(&reply.answer)));
            }
            Reading::InboundReject(InboundReject { reply, phase, .. }) => {
                let reply = reply.expect("smtpd logs its codes");
                self.rejects.push((*phase, reply.code.get()));
            }
            Reading::Expiry(_) | Reading::Suspended(_) | Reading::Local(_) => {}
        }
    }
}

fn before_mail(phase: Option<Phase>) -> bool {
    matches!(phase, Some(Phase::Connect | Phase::Helo))
}

fn what(answer: &Answer<'_>) -> String {
    match answer {
        Answer::Reply(reply) => reply.code.to_string(),
        Answer::NoReply { cause, .. } => cause.to_string(),
    }
}

/// Where the two sides differ: whose, what, how often at the server and how often in the log.
fn differences(servers: &Counts, log: &Counts) -> Vec<(String, String, i64, i64)> {
    let mut keys: Vec<&(String, String)> = servers.keys().chain(log.keys()).collect();
    keys.sort();
    keys.dedup();
    let count = |counts: &Counts, key| counts.get(key).copied().unwrap_or_default();
    keys.into_iter()
        .map(|key| (key.0.clone(), key.1.clone(), count(servers, key), count(log, key)))
        .filter(|(_, _, servers, log)| servers != log)
        .collect()
}

#[track_caller]
fn check(servers: &Counts, log: &Counts, expected: &[(&str, &str, i64, i64)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(whose, what, servers, log)| (whose.to_string(), what.to_string(), *servers, *log))
        .collect();
    assert_eq!(differences(servers, log), expected);
}

#[test]
fn every_reply_of_a_server_is_read_once_with_its_code() {
    let (servers, log) = (Servers::read("file"), Log::read("file"));
    assert_eq!(servers.replies.values().sum::<i64>(), 966);
    check(
        &servers.replies,
        &log.replies,
        &[
            // The name servers said that there is nobody to ask.
            ("dnstimeout.example", "dns", 0, 7),
            ("mxnoaddr.example", "dns", 0, 3),
            ("nullmx.example", "dns", 0, 3),
            ("nxdomain.example", "dns", 0, 3),
            // `2500 ok?` after the message is no reply: Postfix waits on.
            ("selfhosted.example", "protocol", 12, 9),
            ("selfhosted.example", "timeout", 2, 5),
            ("servfail.example", "dns", 0, 9),
            // A reply without a code, after which the two sides talk at cross purposes.
            ("workspace.example", "timeout", 0, 1),
        ],
    );
}

#[test]
fn every_reply_is_read_once_over_a_rotation_too() {
    let (servers, log) = (Servers::read("rotated"), Log::read("rotated"));
    assert_eq!(servers.replies.values().sum::<i64>(), 298);
    check(
        &servers.replies,
        &log.replies,
        &[
            ("dnstimeout.example", "dns", 0, 4),
            ("mxnoaddr.example", "dns", 0, 1),
            ("nullmx.example", "dns", 0, 1),
            ("nxdomain.example", "dns", 0, 1),
            ("selfhosted.example", "protocol", 4, 3),
            ("selfhosted.example", "timeout", 2, 3),
            ("servfail.example", "dns", 0, 7),
        ],
    );
}

#[test]
fn what_a_server_says_to_a_connection_is_read_for_the_recipient_it_was_made_for() {
    // EHLO and then HELO were refused, of which Postfix logs the second. STARTTLS was refused, and
    // mail went without. A greeting of another protocol is waited out.
    let other = [
        ("192.0.2.250", "unreachable", 0, 27),
        ("192.0.2.251", "timeout", 0, 6),
        ("203.0.113.104", "refused", 0, 27),
        ("203.0.113.107", "protocol", 18, 0),
        ("203.0.113.107", "timeout", 0, 18),
        ("203.0.113.109", "550", 6, 3),
        ("203.0.113.110", "454", 3, 0),
    ];
    let (servers, log) = (Servers::read("file"), Log::read("file"));
    assert_eq!(servers.connections.values().sum::<i64>(), 225);
    check(&servers.connections, &log.connections, &other);
    let other = [
        ("192.0.2.250", "unreachable", 0, 7),
        ("192.0.2.251", "timeout", 0, 2),
        ("203.0.113.104", "refused", 0, 7),
        ("203.0.113.107", "protocol", 2, 0),
        ("203.0.113.107", "timeout", 0, 2),
        ("203.0.113.109", "550", 2, 1),
        ("203.0.113.110", "454", 1, 0),
    ];
    let (servers, log) = (Servers::read("rotated"), Log::read("rotated"));
    assert_eq!(servers.connections.values().sum::<i64>(), 57);
    check(&servers.connections, &log.connections, &other);
}

#[test]
fn the_last_line_of_a_reply_with_two_codes_decides() {
    // 550 on the first line, 451 on the last: 54 of them.
    let mixed = |row: &&Vec<String>| row[8] == "451" && row[12].starts_with("550-5.1.1 first");
    assert_eq!(table("file.truth.tsv", 1).iter().filter(mixed).count(), 54);
    let log = String::from_utf8(file("file.log")).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains("said: 550-5.1.1 first")).count(), 54);
}

#[test]
fn lines_that_were_cut_are_read_too() {
    let log = file("file.log");
    let cut = |line: &&[u8]| line.len() > 1900 && !line.ends_with(b")");
    let cut: Vec<&[u8]> = log.split(|byte| *byte == b'\n').filter(cut).collect();
    assert_eq!(cut.len(), 12);
    for line in cut {
        let (mut unwrapper, mut dialects) = (Unwrapper::default(), Dialects::new(None));
        let mut seen = Vec::new();
        dialects.read(&unwrapper.unwrap(line), &mut |_, _, reading| {
            let Reading::Attempt(attempt) = reading else { panic!("{reading:?}") };
            let reply = *attempt.answer.reply().expect("a reply");
            seen.push((reply.code.get(), reply.enhanced.unwrap().to_string(), attempt.phase));
        });
        assert_eq!(seen, [(550, "5.7.1".to_owned(), None)]);
    }
}

#[test]
fn our_own_refusals_are_read_as_the_visitors_saw_them() {
    let mut seen: Vec<(Option<Phase>, u16)> = table("file.inbound.tsv", 0)
        .iter()
        // Accepted; and a syntax error, which smtpd(8) does not log.
        .filter(|row| !matches!(row[4].as_str(), "accepted" | "syntax"))
        .map(|row| {
            let phase = if row[5] == "MAIL" { Phase::Mail } else { Phase::Rcpt };
            (Some(phase), row[6].parse().unwrap())
        })
        .collect();
    let refused = |row: &Vec<String>| row[4] != "250";
    let sent = table("file.sent.tsv", 0);
    seen.extend(sent.iter().filter(|row| refused(row)).map(|_| (Some(Phase::Rcpt), 550)));
    let mut read = Log::read("file").rejects;
    seen.sort_unstable();
    read.sort_unstable();
    assert_eq!(read.len(), 48);
    assert_eq!(read, seen);
}

#[test]
fn a_connection_that_failed_is_counted_once() {
    // Postfix logs each on a line of its own and again on the line of the recipient.
    let log = Log::read("file");
    let connections = |cause: NoReply| -> i64 {
        let cause = cause.to_string();
        log.connections.iter().filter(|((_, what), _)| *what == cause).map(|(_, n)| n).sum()
    };
    let text = String::from_utf8(file("file.log")).unwrap();
    let lines = |why: &str| text.lines().filter(|line| line.contains(why)).count();
    assert_eq!(lines("Connection refused"), 54);
    assert_eq!(connections(NoReply::Refused), 27);
    assert_eq!(lines("No route to host"), 54);
    assert_eq!(connections(NoReply::Unreachable), 27);
}

#[test]
fn a_connection_closed_after_a_421_is_no_second_answer() {
    assert_eq!(Log::read("file").kinds["state"], 3);
    assert_eq!(Log::read("rotated").kinds["state"], 1);
}
