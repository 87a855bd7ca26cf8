//! Sendmail 8.
//!
//! Source: `deliver.c` (`logdelivery`, `giveresponse`), `usersmtp.c` (`reply`), `envelope.c`,
//! `savemail.c`, `srvrsmtp.c`, `milter.c`, `parseaddr.c` (`rscheck`), `conf.c` (`sm_syslog`). The
//! server's words stand in `reply=` from 8.16 on; before, only deferrals have them.
//!
//! Proved on logs of 8.17.1 at `LogLevel` 9 and 14, and of 8.18.1.
//!
//! # What Sendmail hides
//!
//! - Deferrals below `LogLevel` 9, and acceptances below 8. The usual level is 9.
//! - What the first hosts of a domain said, when a later one takes the message (at the usual
//!   `LogLevel` of 9).
//! - The code of an acceptance: `stat=Sent (...)` has only the text. It is read as 250 with the
//!   enhanced code in `dsn=`, which Sendmail makes up where the server sends none.
//! - All lines of a reply but the first, and the middle of long ones; the middle of host names
//!   of more than 40 characters too. Where `STARTTLS=client` named the host before, that name is
//!   used. Of several codes in one reply the last decides, and the first is what is logged.
//! - Whether the server said something at all: a dropped connection can read `reply=421 4.4.1
//!   Connection reset by ...`. That is Sendmail's own, and read as a lost connection.
//! - Which replies are new: once a host has failed in a queue run, the other messages for it get
//!   the same result without a connection. Their lines have no address after the host's name, which
//!   is how they are told: they count as suspended.
//! - Before 8.16 the codes of permanent failures. `User unknown` is read as 550 then, and
//!   `Service unavailable` as 554, which is what Sendmail makes of such replies to RCPT TO.
//! - The recipients on the line that gives a message up. All who wait under its queue id have
//!   expired.

mod split;
mod fields;
mod inbound;

use serde::{Deserialize, Serialize};

use super::recent::{Bytes, Recent};
use super::text::{cut, cut_last, is_loopback, network_cause, until};
use super::{Dialect, LineKind, Out, Reading, Why};
use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, NoAttempt, NoReply, Outcome, Recipient, Relay,
};
use crate::envelope::Record;
use crate::smtp::{EnhancedStatusCode, Reply, ReplyCode};
use fields::{Fields, Recipients};
use split::Split;

/// How many processes are remembered by the host that they made a TLS connection to.
const PROCESSES_MAX: usize = 256;
/// How many messages are remembered as given up, because that can be logged twice.
const EXPIRED_MAX: usize = 256;
/// The longest queue id that is taken for one.
const QUEUE_ID_MAX: usize = 24;

/// Whether a program of that name is Sendmail: its own name, or one of those that the daemons for
/// mail, submission and queue are started under (`-L`).
pub(super) fn recognise(program: &[u8]) -> bool {
    program.starts_with(b"sendmail") || program.starts_with(b"sm-")
}

/// Whether a line without a program is Sendmail's: a queue id of 14 characters, the last six of them
/// digits, and what follows one.
pub(super) fn is_shaped(message: &[u8]) -> bool {
    let Some((id, text)) = queue_id(message) else { return false };
    let starts: [&[u8]; 4] = [b": to=", b": from=", b": ruleset=", b": Milter: "];
    id.len() == 14
        && id.iter().skip(8).all(u8::is_ascii_digit)
        && starts.iter().any(|start| text.starts_with(start))
}

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sendmail {
    split: Split,
    hosts: Recent<Bytes, PROCESSES_MAX>,
    expired: Recent<(), EXPIRED_MAX>,
    /// Whether there was any `reply=`: then a failure without one had no reply.
    logs_replies: bool,
}

impl Sendmail {
    /// Reads one record.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        let message = record.message;
        let Some((id, rest)) = queue_id(message) else {
            return self.unnamed(record.pid, message, out);
        };
        if let Some((part, text)) = split::numbered(rest) {
            let mut broken = Vec::new();
            let joined = self.split.take(id, part, text, |id, text| {
                broken.push((Bytes::from(id), Bytes::from(text)));
            });
            for (id, text) in &broken {
                self.line(record.pid, id, text, out);
            }
            return match joined {
                Some(text) => self.line(record.pid, id, &text, out),
                None => LineKind::State,
            };
        }
        match rest.strip_prefix(b": ") {
            Some(text) => self.line(record.pid, id, text, out),
            None => self.unnamed(record.pid, message, out),
        }
    }

    /// Hands out what was still waiting for another line.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        let mut broken = Vec::new();
        self.split.finish(|id, text| broken.push((Bytes::from(id), Bytes::from(text))));
        for (id, text) in &broken {
            self.line(b"", id, text, out);
        }
    }

    /// How often something was forgotten for want of room.
    pub(super) fn evicted(&self) -> u64 {
        self.split.evicted()
    }

    /// A line about no message.
    fn unnamed(&mut self, pid: &[u8], text: &[u8], out: &mut Out<'_>) -> LineKind {
        if let Some(rest) = text.strip_prefix(b"STARTTLS=client, relay=") {
            let (host, _) = until(rest, b", ");
            self.hosts.put(pid, host.strip_suffix(b".").unwrap_or(host).into());
            return LineKind::State;
        }
        client(b"", text, out)
    }

    /// A line about a message.
    fn line(&mut self, pid: &[u8], id: &[u8], text: &[u8], out: &mut Out<'_>) -> LineKind {
        if id == b"NOQUEUE" {
            return self.unnamed(pid, text, out);
        }
        if let Some(recipients) = text.strip_prefix(b"to=") {
            return self.delivery(pid, id, recipients, out);
        }
        if let Some((_, notice)) = queue_id(text) {
            return self.notice(id, notice, out);
        }
        client(id, text, out)
    }

    /// `newid: return to sender: Cannot send message for 5 days`.
    fn notice(&mut self, id: &[u8], text: &[u8], out: &mut Out<'_>) -> LineKind {
        let notice = text.strip_prefix(b": ").and_then(|text| cut(text, b": "));
        let given_up = notice.is_some_and(|(to, why)| {
            let late: [&[u8]; 2] = [b"Cannot send message for ", b"delivery time expired "];
            to != b"postmaster notify" && late.iter().any(|start| why.starts_with(start))
        });
        // The postmaster's copy can have the same words.
        if !given_up || self.expired.take(id).is_some() {
            return LineKind::Irrelevant;
        }
        self.expired.put(id, ());
        let expiry = Expiry { queue_id: id, recipient: None };
        out(Dialect::Sendmail, LineKind::Delivery, Reading::Expiry(expiry));
        LineKind::Delivery
    }

    /// The recipients of one attempt, and what came of it.
    fn delivery(&mut self, pid: &[u8], id: &[u8], text: &[u8], out: &mut Out<'_>) -> LineKind {
        let mut recipients = Recipients::new(text);
        while recipients.next().is_some() {}
        let Some(fields) = Fields::parse(recipients.rest()) else {
            return LineKind::Unreadable(Why::NoStatus);
        };
        self.logs_replies |= fields.reply.is_some();
        let full = self.full_name(pid, &fields.relay);
        let relay = Relay { host: full.as_deref().unwrap_or(fields.relay.host), ..fields.relay };
        let result = self.result(&fields);
        let mut recipients = Recipients::new(text);
        let mut kind = LineKind::Unreadable(Why::Malformed);
        while let Some(address) = recipients.next() {
            let recipient = Recipient::parse(address);
            let kept = NoAttempt { queue_id: id, recipient };
            let reading = match result {
                Fate::Local => Reading::Local(kept),
                Fate::Suspended => Reading::Suspended(kept),
                Fate::Late => Reading::Expiry(Expiry { queue_id: id, recipient: Some(recipient) }),
                Fate::Settled(outcome, answer) => Reading::Attempt(DeliveryAttempt {
                    queue_id: id,
                    recipient,
                    relay,
                    answer,
                    answer_counted: false,
                    outcome,
                    phase: fields.stage,
                    delay_seconds: fields.delay_seconds,
                }),
            };
            kind = reading.kind();
            out(Dialect::Sendmail, kind, reading);
        }
        kind
    }

    /// The whole name of a host whose middle was left out, where it is known.
    fn full_name(&mut self, pid: &[u8], relay: &Relay<'_>) -> Option<Bytes> {
        let (start, end) = cut(relay.host, b"...")?;
        let known = self.hosts.get_mut(pid).filter(|host| {
            host.len() > start.len() + end.len() && host.starts_with(start) && host.ends_with(end)
        });
        if let Some(host) = known {
            return Some(host.clone());
        }
        // Only one of the large providers has names that are too long.
        PROTECTION.ends_with(end).then(|| PROTECTION.into())
    }

    /// What came of an attempt.
    fn result<'a>(&self, fields: &Fields<'a>) -> Fate<'a> {
        let stat = fields.stat;
        if stat.starts_with(b"Message could not be delivered for ") {
            return Fate::Late;
        }
        if fields.mailer.is_empty() || !is_remote(fields.mailer) || is_loopback(fields.relay.ip) {
            return Fate::Local;
        }
        match fields.reply {
            Some(reply) => replied(fields, reply),
            None if stat.starts_with(b"Sent") => accepted(fields),
            None if stat == b"queued" || stat.starts_with(b"quarantined") => Fate::Suspended,
            None => self.silent(fields),
        }
    }

    /// A failure without a reply.
    fn silent<'a>(&self, fields: &Fields<'a>) -> Fate<'a> {
        let text = fields.stat;
        let deferral = text.strip_prefix(b"Deferred");
        let outcome = if deferral.is_some() { Outcome::Deferred } else { Outcome::Bounced };
        let none = |cause| Fate::Settled(outcome, Answer::NoReply { cause, text });
        if is_dns(fields) {
            return none(NoReply::Dns);
        }
        let words = deferral.and_then(|rest| rest.strip_prefix(b": ")).unwrap_or_default();
        if fields.relay.ip.is_empty() {
            // Nobody was asked, which takes no time: the host had failed before.
            if deferral.is_some() && !fields.took_time && !fields.relay.host.is_empty() {
                return Fate::Suspended;
            }
            return none(network_cause(words).unwrap_or(NoReply::Local));
        }
        if words.starts_with(b"403 4.7.") {
            return none(NoReply::Tls);
        }
        if let Some(reply) = Reply::parse(words) {
            return Fate::Settled(outcome, Answer::Reply(reply));
        }
        if outcome == Outcome::Deferred {
            let lost = if fields.dsn == b"4.4.1" { NoReply::Timeout } else { NoReply::Lost };
            return none(network_cause(words).unwrap_or(lost));
        }
        if text.starts_with(b"Remote protocol error") {
            return none(NoReply::Protocol);
        }
        let code = if text.starts_with(b"User unknown") { 550 } else { 554 };
        match ReplyCode::new(code).filter(|_| !self.logs_replies) {
            Some(code) => Fate::Settled(
                outcome,
                Answer::Reply(with_dsn(Reply::with_code(code, text), fields)),
            ),
            None => none(NoReply::Local),
        }
    }
}

/// The name under which Microsoft's hosts for the domains of organisations end.
const PROTECTION: &[u8] = b"mail.protection.outlook.com";

/// What came of an attempt.
#[derive(Clone, Copy, Debug)]
enum Fate<'a> {
    Settled(Outcome, Answer<'a>),
    Suspended,
    Local,
    /// Given up because of its age.
    Late,
}

/// The server said something. What it said stands before the result in the line and may contain
/// anything, so the result is not looked at.
fn replied<'a>(fields: &Fields<'a>, text: &'a [u8]) -> Fate<'a> {
    let reply = Reply::parse(text).filter(|_| matches!(text.get(3), None | Some(b' ' | b'-')));
    let transient = reply.is_some_and(|reply| reply.code.get() / 100 == 4);
    // A reply with several codes goes by the last one, of which only the class is known.
    let permanent = match fields.is_permanent() {
        Some(permanent) => permanent,
        None => !fields.stat.starts_with(b"Deferred"),
    };
    let outcome = if transient || !permanent { Outcome::Deferred } else { Outcome::Bounced };
    let cause = match reply {
        Some(_) => made_up(text),
        None => Some(NoReply::Protocol),
    };
    match (reply, cause) {
        (Some(reply), None) => Fate::Settled(outcome, Answer::Reply(reply)),
        (_, cause) => {
            let cause = cause.unwrap_or(NoReply::Protocol);
            Fate::Settled(outcome, Answer::NoReply { cause, text })
        }
    }
}

/// Why there was no reply, if Sendmail wrote this one itself (`usersmtp.c`, `deliver.c`).
fn made_up(text: &[u8]) -> Option<NoReply> {
    let own = [
        (&b"421 4.4.1 Connection reset by "[..], NoReply::Lost),
        (b"451 4.4.1 reply: read error from ", NoReply::Lost),
        (b"451 4.4.1 timeout writing message to ", NoReply::Timeout),
        (b"421 4.4.1 timeout ", NoReply::Timeout),
        (b"403 4.7.0 ", NoReply::Tls),
    ];
    own.into_iter().find(|(start, _)| text.starts_with(start)).map(|(_, cause)| cause)
}

/// `Sent (text)`: the text is the reply without its code, and without the enhanced code where
/// the server announced that it sends such codes.
fn accepted<'a>(fields: &Fields<'a>) -> Fate<'a> {
    let text = fields.stat.strip_prefix(b"Sent (").unwrap_or_default();
    let text = text.strip_suffix(b")").unwrap_or(text);
    match ReplyCode::new(250) {
        Some(code) => {
            let reply = with_dsn(Reply::with_code(code, text), fields);
            Fate::Settled(Outcome::Delivered, Answer::Reply(reply))
        }
        None => Fate::Settled(
            Outcome::Delivered,
            Answer::NoReply { cause: NoReply::Protocol, text: fields.stat },
        ),
    }
}

/// The reply with the enhanced code that stands beside it.
fn with_dsn<'a>(reply: Reply<'a>, fields: &Fields<'_>) -> Reply<'a> {
    let dsn = EnhancedStatusCode::parse(fields.dsn).map(|(dsn, _)| dsn);
    let fits = |dsn: &EnhancedStatusCode| u16::from(dsn.class()) == reply.code.get() / 100;
    Reply { enhanced: reply.enhanced.or(dsn.filter(fits)), ..reply }
}

/// Whether the name of the host or its servers could not be found.
fn is_dns(fields: &Fields<'_>) -> bool {
    matches!(fields.dsn, b"4.4.3" | b"5.1.2" | b"5.1.10" | b"5.4.4" | b"4.1.2")
        && fields.relay.ip.is_empty()
        || cut_last(fields.stat, b"Name server: ").is_some()
        || fields.stat.starts_with(b"Host unknown")
}

/// Whether a mailer hands mail to other hosts (`m4/proto.m4`).
fn is_remote(mailer: &[u8]) -> bool {
    matches!(mailer, b"relay") || mailer.windows(4).any(|name| name == b"smtp")
}

/// A line about one of our own clients.
fn client(id: &[u8], text: &[u8], out: &mut Out<'_>) -> LineKind {
    let Some(reject) = inbound::refusal(id, text) else { return LineKind::Irrelevant };
    out(Dialect::Sendmail, LineKind::InboundReject, Reading::InboundReject(reject));
    LineKind::InboundReject
}

/// The queue id at the start of a line, and what follows it: `: ` or the number of a part.
fn queue_id(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let near = text.get(..=QUEUE_ID_MAX).unwrap_or(text);
    let length = near.iter().position(|byte| !byte.is_ascii_alphanumeric())?;
    let (id, rest) = text.split_at_checked(length)?;
    let fits = id == b"NOQUEUE" || length >= 10 && id.iter().any(u8::is_ascii_digit);
    (fits && matches!(rest.first(), Some(b':' | b'['))).then_some((id, rest))
}
