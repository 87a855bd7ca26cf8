//! What the receiving side really said, beside what is read in the log of the sending side.
//!
//! `<name>.truth.tsv` was written by the servers that the MTA delivered to: one row for each reply
//! that mattered, and for each connection that they dropped or left hanging. `<name>.sent.tsv` is
//! what was handed to the MTA.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use mta_exporter::attempt::{Answer, Outcome};
use mta_exporter::envelope::Unwrapper;
use mta_exporter::mta::{Dialect, Dialects, LineKind, Reading};

/// Replies by recipient domain and code; `none` stands for no code.
pub(crate) type Replies = BTreeMap<(String, String), u64>;

/// What one log says.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Replies, those of hosts that were not the last included.
    pub(crate) replies: Replies,
    /// How many readings of each kind there are.
    pub(crate) readings: BTreeMap<&'static str, u64>,
    /// How many deliveries of each outcome.
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
    /// Our own refusals by class.
    pub(crate) refused: BTreeMap<String, u64>,
    /// How many lines of each kind.
    pub(crate) kinds: BTreeMap<&'static str, u64>,
}

/// The path of a file beside the logs of an MTA.
pub(crate) fn path(mta: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs").join(mta).join(name)
}

/// Reads a log. A reply without a recipient belongs to the domain whose host gave it, which
/// `truth` tells.
pub(crate) fn read_log(log: &[u8], dialect: Dialect, truth: &Truth) -> Log {
    let mut found = Log::default();
    let mut unwrapper = Unwrapper::default();
    let mut dialects = Dialects::new(None);
    for line in log.strip_suffix(b"\n").unwrap_or(log).split(|byte| *byte == b'\n') {
        let record = unwrapper.unwrap(line);
        let (_, kind) = dialects.read(&record, &mut |by, _, reading| {
            assert_eq!(by, dialect, "{}", line.escape_ascii());
            found.add(&reading, truth);
        });
        assert!(!matches!(kind, LineKind::Unreadable(_)), "{kind:?}: {}", line.escape_ascii());
        *found.kinds.entry(kind.as_str()).or_default() += 1;
    }
    dialects.finish(&mut |_, _, reading| found.add(&reading, truth));
    found
}

impl Log {
    fn add(&mut self, reading: &Reading<'_>, truth: &Truth) {
        let kind = match reading {
            Reading::Attempt(attempt) => {
                *self.outcomes.entry(attempt.outcome).or_default() += 1;
                if !attempt.answer_counted {
                    self.answer(attempt.recipient.domain(), &attempt.answer);
                }
                "attempt"
            }
            Reading::HostReply(reply) => {
                let by_host = truth.domain_of_ip.get(&text(reply.relay.ip));
                match by_host.filter(|_| reply.recipient_domain.is_empty()) {
                    Some(domain) => self.answer(domain.as_bytes(), &reply.answer),
                    None => self.answer(reply.recipient_domain, &reply.answer),
                }
                "host reply"
            }
            Reading::InboundReject(reject) => {
                *self.refused.entry(reject.class.to_string()).or_default() += 1;
                "inbound reject"
            }
            Reading::Expiry(_) => "expiry",
            Reading::Suspended(_) => "suspended",
            Reading::Local(_) => "local",
        };
        *self.readings.entry(kind).or_default() += 1;
    }

    fn answer(&mut self, domain: &[u8], answer: &Answer<'_>) {
        let code = answer.reply().map_or("none".to_owned(), |reply| reply.code.to_string());
        *self.replies.entry((text(domain).to_lowercase(), code)).or_default() += 1;
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What the receiving side said.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Its replies. Those to a connection or to MAIL FROM count once, for how many recipients
    /// ever they were.
    pub(crate) replies: Replies,
    domain_of_ip: HashMap<String, String>,
}

/// Reads what was sent and what the receiving side answered.
pub(crate) fn read_truth(mta: &str, name: &str) -> Truth {
    let sent = fs::read_to_string(path(mta, &format!("{name}.sent.tsv"))).expect("what was sent");
    let mut domain_of_sender = HashMap::new();
    for line in sent.lines() {
        let row: Vec<&str> = line.split('\t').collect();
        domain_of_sender.entry(row[1].to_owned()).or_insert_with(|| domain(row[2]));
    }
    let rows = fs::read_to_string(path(mta, &format!("{name}.truth.tsv"))).expect("the truth");
    let rows: Vec<Vec<&str>> = rows.lines().skip(1).map(|row| row.split('\t').collect()).collect();
    let mut truth = Truth::default();
    for row in &rows {
        if !row[6].is_empty() {
            truth.domain_of_ip.insert(row[2].to_owned(), domain(row[6]));
        }
    }
    for row in &rows {
        let (mx, ip, sender, recipient, stage, code) =
            (row[1], row[2], row[5], row[6], row[7], row[8]);
        let domain = if !recipient.is_empty() {
            domain(recipient)
        } else if stage == "MAIL" {
            domain_of_sender[sender].clone()
        } else {
            // The hosts that fail before a sender is named serve one domain each.
            let known = truth.domain_of_ip.entry(ip.to_owned());
            known.or_insert_with(|| mx.split_once('.').expect("a host name").1.to_owned()).clone()
        };
        let silent = stage.starts_with("DROP") || stage.starts_with("HANG") || code == "-";
        let code = if silent { "none" } else { code };
        *truth.replies.entry((domain, code.to_owned())).or_default() += 1;
    }
    truth
}

fn domain(address: &str) -> String {
    address.rsplit('@').next().unwrap_or_default().to_lowercase()
}

/// What is in the first and not in the second.
pub(crate) fn beyond(left: &Replies, right: &Replies) -> Replies {
    left.iter()
        .map(|(key, count)| (key.clone(), count.saturating_sub(*right.get(key).unwrap_or(&0))))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Differences as text, one line each, to be pinned.
pub(crate) fn lines(replies: &Replies) -> Vec<String> {
    replies.iter().map(|((domain, code), count)| format!("{domain} {code} {count}")).collect()
}
