//! PowerMTA: the accounting file, comma-separated with a header (`<acct-file>` in the User's
//! Guide).
//!
//! Written after excerpts of the guide and public parsers, not yet seen live. The header decides
//! which column is which, and stands again at the start of each file. Where reading began below it,
//! the default order of the first eleven columns is taken for granted, and each row must fit it.
//!
//! - Only `d` (delivered) and `b` (bounced) are written unless the configuration says
//!   `records d,b,t,tq`: without `t` no deferral and no 4yz reply can be seen.
//! - `tq` is a failure of a whole queue: a reply of its domain, and no delivery.
//! - `rb`, `rs` (bounce messages and status reports that came back later), `f` (feedback loop) and
//!   `r` (received) answer no attempt of ours.
//! - A message whose time is over is a `b` with 4.4.7 or 5.4.7: its replies were counted when they
//!   came, so it is an expiry.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::csv::{self, Columns, Next, Split, Unfinished};
use super::{Dialect, LineKind, Out, Reading, Why, answer, stamp};
use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, HostReply, NoAttempt, NoReply, Outcome, Recipient, Relay,
};
use crate::envelope::Record;
use crate::smtp::EnhancedStatusCode;

/// The columns that are asked for. The guide of old versions misspells the last one.
const NAMES: &[&str] = &[
    "type",
    "timeLogged",
    "timeQueued",
    "rcpt",
    "dsnAction",
    "dsnStatus",
    "dsnDiag",
    "dsnMta",
    "bounceCat",
    "dlvType",
    "queue",
    "dlvDestinationIp|dlvDesintationIp",
    "envId",
];

const TYPE: usize = 0;
const TIME_LOGGED: usize = 1;
const TIME_QUEUED: usize = 2;
const RCPT: usize = 3;
const DSN_ACTION: usize = 4;
const DSN_STATUS: usize = 5;
const DSN_DIAG: usize = 6;
const DSN_MTA: usize = 7;
const BOUNCE_CAT: usize = 8;
const DLV_TYPE: usize = 9;
const QUEUE: usize = 10;
const DLV_IP: usize = 11;
const ENV_ID: usize = 12;

/// How the default header starts, which configurations add to and seldom change.
const DEFAULT_HEADER: &[u8] =
    b"type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat";

/// The record types, of which the guide names these.
const TYPES: &[&[u8]] = &[b"d", b"b", b"t", b"tq", b"r", b"rb", b"rs", b"f"];

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PowerMta {
    columns: Option<Columns>,
    unfinished: Unfinished,
}

/// Whether a line looks like a header or a row.
pub(super) fn recognise(message: &[u8]) -> bool {
    if is_header(message) {
        return true;
    }
    let Some(comma) = memchr::memchr(b',', message.get(..4).unwrap_or(message)) else {
        return false;
    };
    let (kind, rest) = message.split_at_checked(comma).unwrap_or((message, b""));
    let stamp = rest.strip_prefix(b",").unwrap_or_default();
    let stamp = stamp.split(|byte| *byte == b',').next().unwrap_or_default();
    TYPES.contains(&kind) && stamp::seconds(stamp).is_some_and(|seconds| seconds > 1e8)
}

fn is_header(line: &[u8]) -> bool {
    line.starts_with(b"type,") && memchr::memmem::find(line, b"time").is_some()
}

impl PowerMta {
    /// Whether the next line belongs to a record that has begun, whatever it looks like.
    pub(super) fn is_open(&self) -> bool {
        self.unfinished.is_open()
    }

    /// Reads one line.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        let line = record.message;
        if !self.unfinished.is_open() {
            return self.row(line, out);
        }
        match self.unfinished.take(line) {
            Next::Record(joined) => self.row(&joined, out),
            Next::Wait => LineKind::State,
            Next::GivenUp => LineKind::Unreadable(Why::Truncated),
        }
    }

    fn row(&mut self, line: &[u8], out: &mut Out<'_>) -> LineKind {
        let fields = match csv::split(line) {
            Split::Record(fields) => fields,
            Split::Open => {
                self.unfinished.begin(line);
                return LineKind::State;
            }
            Split::Broken => return LineKind::Unreadable(Why::BrokenRecord),
        };
        if is_header(line) {
            self.columns = Some(Columns::of(&fields, NAMES));
            return LineKind::State;
        }
        if let Some(columns) = &self.columns {
            return Row { columns, fields: &fields }.read(out);
        }
        let Split::Record(header) = csv::split(DEFAULT_HEADER) else {
            return LineKind::Unreadable(Why::Malformed);
        };
        let row = Row { columns: &Columns::of(&header, NAMES), fields: &fields };
        if row.is_plausible() { row.read(out) } else { LineKind::Unreadable(Why::Malformed) }
    }
}

struct Row<'r> {
    columns: &'r Columns,
    fields: &'r [Cow<'r, [u8]>],
}

impl<'r> Row<'r> {
    fn get(&self, column: usize) -> &'r [u8] {
        self.columns.get(self.fields, column)
    }

    /// Whether the row is one of the default order: what can be checked is right.
    fn is_plausible(&self) -> bool {
        let action = self.get(DSN_ACTION);
        let actions: &[&[u8]] =
            &[b"", b"relayed", b"delivered", b"failed", b"delayed", b"expanded"];
        stamp::seconds(self.get(TIME_LOGGED)).is_some()
            && actions.contains(&action)
            && (self.enhanced().is_some() || self.get(DSN_STATUS).is_empty())
    }

    fn read(&self, out: &mut Out<'_>) -> LineKind {
        if !self.columns.fit(self.fields) {
            return LineKind::Unreadable(Why::Truncated);
        }
        let outcome = match self.get(TYPE) {
            b"d" => Outcome::Delivered,
            b"b" => Outcome::Bounced,
            b"t" => Outcome::Deferred,
            b"tq" => return self.queue(out),
            b"r" | b"rb" | b"rs" | b"f" => return LineKind::Irrelevant,
            _ => return LineKind::Unreadable(Why::UnknownStatus),
        };
        let recipient = Recipient::parse(self.get(RCPT));
        if !self.columns.has(RCPT) || recipient.domain().is_empty() {
            return LineKind::Unreadable(Why::Malformed);
        }
        let reading = self.reading(outcome, recipient);
        let kind = reading.kind();
        out(Dialect::PowerMta, kind, reading);
        kind
    }

    fn reading(&self, outcome: Outcome, recipient: Recipient<'r>) -> Reading<'r> {
        let queue_id = self.get(ENV_ID);
        if matches!(self.get(DLV_TYPE), b"file" | b"pipe" | b"discard") {
            return Reading::Local(NoAttempt { queue_id, recipient });
        }
        if outcome == Outcome::Bounced && self.is_expired() {
            return Reading::Expiry(Expiry { queue_id, recipient: Some(recipient) });
        }
        let answer = match outcome {
            Outcome::Delivered => {
                let diagnostic = self.get(DSN_DIAG);
                answer::accepted(answer::smtp_type(diagnostic).unwrap_or(diagnostic))
            }
            Outcome::Deferred | Outcome::Bounced | Outcome::Expired => {
                if self.was_not_tried() {
                    return Reading::Suspended(NoAttempt { queue_id, recipient });
                }
                self.answer()
            }
        };
        Reading::Attempt(DeliveryAttempt {
            queue_id,
            recipient,
            relay: self.relay(),
            answer,
            answer_counted: false,
            outcome,
            phase: None,
            delay_seconds: stamp::between(self.get(TIME_QUEUED), self.get(TIME_LOGGED)),
        })
    }

    /// A failure of a whole queue, which is named after its domain: `example.com/vmta1`.
    fn queue(&self, out: &mut Out<'_>) -> LineKind {
        let queue = self.get(QUEUE);
        let domain = queue.split(|byte| *byte == b'/').next().unwrap_or_default();
        let domain =
            if domain.is_empty() { Recipient::parse(self.get(RCPT)).domain() } else { domain };
        let reading = Reading::HostReply(HostReply {
            queue_id: b"",
            recipient_domain: domain,
            relay: self.relay(),
            answer: self.answer(),
            phase: None,
        });
        let kind = reading.kind();
        out(Dialect::PowerMta, kind, reading);
        kind
    }

    /// `smtp;550 5.1.1 ...` is the remote's reply; of another type, or without a code, it is
    /// PowerMTA's own account, and the category of the bounce says more.
    fn answer(&self) -> Answer<'r> {
        let diagnostic = self.get(DSN_DIAG);
        let otherwise = match self.get(BOUNCE_CAT) {
            b"bad-domain" => NoReply::Dns,
            b"no-answer-from-host" => NoReply::Timeout,
            b"bad-connection" => NoReply::Lost,
            b"bad-configuration" => NoReply::Local,
            _ => NoReply::Protocol,
        };
        match answer::smtp_type(diagnostic) {
            Some(text) => match answer::reply(text) {
                Some(reply) => Answer::Reply(reply),
                None => answer::no_reply(text, otherwise),
            },
            None => answer::no_reply(diagnostic, otherwise),
        }
    }

    /// `5.1.1 (bad destination mailbox address)`: what PowerMTA makes of it, not what was said.
    fn enhanced(&self) -> Option<EnhancedStatusCode> {
        EnhancedStatusCode::parse(self.get(DSN_STATUS)).map(|(enhanced, _)| enhanced)
    }

    /// Whether PowerMTA gave up. A remote server may say 5.4.7 too; then its reply has it.
    fn is_expired(&self) -> bool {
        let over = |enhanced: EnhancedStatusCode| (enhanced.subject(), enhanced.detail()) == (4, 7);
        let said = answer::smtp_type(self.get(DSN_DIAG)).and_then(answer::reply);
        self.get(BOUNCE_CAT) == b"message-expired"
            || self.enhanced().is_some_and(over)
                && !said.and_then(|reply| reply.enhanced).is_some_and(over)
    }

    /// Whether an operator emptied the queue or a list of addresses stopped the message.
    fn was_not_tried(&self) -> bool {
        let diagnostic = self.get(DSN_DIAG);
        diagnostic.starts_with(b"x-pmta;") && {
            let words: &[&[u8]] = &[b"bounce-queue", b"suppress", b"paused", b"administrat"];
            let text = diagnostic.get(..256).unwrap_or(diagnostic).to_ascii_lowercase();
            words.iter().any(|word| memchr::memmem::find(&text, word).is_some())
        }
    }

    /// `mx1.example.com (192.0.2.10)`.
    fn relay(&self) -> Relay<'r> {
        let mta = self.get(DSN_MTA);
        let (host, inner) = match memchr::memchr(b'(', mta) {
            Some(at) => mta.split_at_checked(at).unwrap_or((mta, b"")),
            None => (mta, &b""[..]),
        };
        let inner = inner.strip_prefix(b"(").unwrap_or_default();
        let inner = inner.strip_suffix(b")").unwrap_or(inner);
        let ip = self.get(DLV_IP);
        Relay { host: host.trim_ascii(), ip: if ip.is_empty() { inner } else { ip } }
    }
}
