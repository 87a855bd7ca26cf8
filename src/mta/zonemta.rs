//! ZoneMTA: the lines of a sender (`lib/sender.js`), and the same as JSON (`remotelog`).
//!
//! Written after the source, not yet seen live. ZoneMTA decides by rules of its own
//! (`config/bounces.txt`) whether a reply defers or rejects a message, against the reply's class
//! too: the verb tells the outcome, the reply its class. What it met itself has no code but a
//! category. A network failure that rejects has failed for as often as it may: it is an expiry.

use serde::Deserialize;

use super::json::{self, Text, Texts};
use super::text::cut;
use super::{Dialect, LineKind, Out, Reading, Why, answer};
use crate::attempt::{Answer, DeliveryAttempt, NoAttempt, NoReply, Outcome, Recipient, Relay};
use crate::envelope::Record;

/// Whether a line is one that a sender wrote.
pub(super) fn recognise(message: &[u8]) -> bool {
    sender(message).is_some()
}

/// Reads one record.
pub(super) fn read(record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
    let message = record.message;
    if message.trim_ascii_start().first() == Some(&b'{') {
        return match json::parse::<Entry<'_>>(message) {
            Ok(entry) => entry.read(out),
            Err(why) => LineKind::Unreadable(why),
        };
    }
    match sender(message) {
        Some(rest) => line(rest, out),
        None => LineKind::Irrelevant,
    }
}

/// What a sender wrote, without the level (which a log daemon may have taken off) and its name:
/// `info Sender/ZONE/PID[connection] ...`.
fn sender(message: &[u8]) -> Option<&[u8]> {
    let message = message.strip_prefix(b"info ").unwrap_or(message).trim_ascii_start();
    let (name, rest) = cut(message, b" ")?;
    name.starts_with(b"Sender/").then_some(rest)
}

/// What is told about one attempt.
struct Attempt<'a> {
    queue_id: &'a [u8],
    verb: &'a [u8],
    category: &'a [u8],
    recipient: &'a [u8],
    relay: Relay<'a>,
    reply: &'a [u8],
}

/// `id=SESSION QID.SEQ VERB[CATEGORY] from=S[ENVELOPE] to=R src=IP mx=HOST[IP] id=MESSAGE-ID (REPLY)`
fn line(rest: &[u8], out: &mut Out<'_>) -> LineKind {
    let Some(rest) = rest.strip_prefix(b"id=") else { return LineKind::Irrelevant };
    let (_session, rest) = word(rest);
    let (queue_id, rest) = word(rest);
    let (verb, rest) = word(rest);
    let (verb, category) = match cut(verb, b"[") {
        Some((verb, category)) => (verb, category.strip_suffix(b"]").unwrap_or(category)),
        None => (verb, &b""[..]),
    };
    if !matches!(verb, b"ACCEPTED" | b"DEFERRED" | b"REJECTED") {
        return LineKind::Irrelevant;
    }
    let fields = || {
        let (_from, rest) = word(rest.strip_prefix(b"from=")?);
        let (recipient, rest) = word(rest.strip_prefix(b"to=")?);
        let (_source, rest) = word(rest.strip_prefix(b"src=")?);
        let (mx, rest) = word(rest.strip_prefix(b"mx=")?);
        Some((recipient, mx, reply_after_id(rest.strip_prefix(b"id=")?)?))
    };
    let Some((recipient, mx, reply)) = fields() else {
        return LineKind::Unreadable(Why::Malformed);
    };
    let relay = match cut(mx, b"[") {
        Some((host, ip)) => Relay { host: name(host), ip: ip.strip_suffix(b"]").unwrap_or(ip) },
        // Without a connection the recipient's domain stands here.
        None => Relay::default(),
    };
    let queue_id = cut(queue_id, b".").map_or(queue_id, |(id, _)| id);
    Attempt { queue_id, verb, category, recipient, relay, reply }.hand_out(out)
}

/// A word up to the next space that is not in quotes, and what follows it. A quoted local part may
/// hold spaces; where quotes do not match, the first space ends the word.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let mut quoted = false;
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b' ' if !quoted => return true,
            _ => {}
        }
        false
    });
    let end = end.or_else(|| memchr::memchr(b' ', text)).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, b""));
    (word, rest.strip_prefix(b" ").unwrap_or(rest))
}

/// The reply in parentheses after a Message-ID, which the sender of the message chose: it may be
/// missing, or hold spaces and parentheses.
fn reply_after_id(text: &[u8]) -> Option<&[u8]> {
    let (_, rest) = match text.strip_prefix(b"<").and_then(|inner| cut(inner, b">")) {
        Some((id, rest)) => (id, rest),
        None => (&b""[..], text),
    };
    let (_, reply) = cut(rest, b"(")?;
    Some(reply.strip_suffix(b")").unwrap_or(reply))
}

/// JavaScript writes this where a name is missing.
fn name(host: &[u8]) -> &[u8] {
    if host == b"undefined" { b"" } else { host }
}

/// A line of the JSON log.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    action: Text<'a>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    category: Option<Text<'a>>,
    /// A list only in entries that are no attempts.
    #[serde(borrow, default)]
    to: Option<Texts<'a>>,
    /// The MX name, or the recipient's domain where there was no connection.
    #[serde(borrow, default)]
    mx: Option<Text<'a>>,
    /// The address of the MX. `ip` is our own.
    #[serde(borrow, default)]
    host: Option<Text<'a>>,
    #[serde(borrow, default)]
    response: Option<Text<'a>>,
    #[serde(borrow, default)]
    protocol: Option<Text<'a>>,
}

impl Entry<'_> {
    fn read(&self, out: &mut Out<'_>) -> LineKind {
        let verb = self.action.bytes();
        if !matches!(verb, b"ACCEPTED" | b"DEFERRED" | b"REJECTED") {
            return LineKind::Irrelevant;
        }
        let Some([recipient]) = self.to.as_ref().map(|Texts(list)| list.as_slice()) else {
            return LineKind::Unreadable(Why::Malformed);
        };
        let ip = json::bytes(self.host.as_ref());
        let host = if ip.is_empty() { b"" } else { json::bytes(self.mx.as_ref()) };
        let http = json::bytes(self.protocol.as_ref()) == b"http";
        Attempt {
            queue_id: json::bytes(self.id.as_ref()),
            verb,
            category: if http { b"http" } else { json::bytes(self.category.as_ref()) },
            recipient: recipient.bytes(),
            relay: Relay { host, ip },
            reply: json::bytes(self.response.as_ref()),
        }
        .hand_out(out)
    }
}

impl Attempt<'_> {
    fn hand_out(&self, out: &mut Out<'_>) -> LineKind {
        let queue_id = self.queue_id;
        let recipient = Recipient::parse(self.recipient);
        let reading = if self.category == b"http" || answer::is_here(self.relay.ip) {
            Reading::Local(NoAttempt { queue_id, recipient })
        } else {
            let answer = self.answer();
            let outcome = match self.verb {
                b"ACCEPTED" => Outcome::Delivered,
                b"DEFERRED" => Outcome::Deferred,
                _ if self.category == b"network" && answer.reply().is_none() => Outcome::Expired,
                _ => Outcome::Bounced,
            };
            Reading::Attempt(DeliveryAttempt {
                queue_id,
                recipient,
                relay: self.relay,
                answer,
                answer_counted: false,
                outcome,
                phase: None,
                delay_seconds: None,
            })
        };
        let kind = reading.kind();
        out(Dialect::ZoneMta, kind, reading);
        kind
    }

    fn answer(&self) -> Answer<'_> {
        let reply = answer::reply(self.reply).map(Answer::Reply);
        match (self.verb, self.category) {
            (b"ACCEPTED", _) => answer::accepted(self.reply),
            // ZoneMTA found these out before it spoke to anybody.
            (_, b"dns") => Answer::NoReply { cause: NoReply::Dns, text: self.reply },
            (_, b"policy") => answer::no_reply(self.reply, NoReply::Tls),
            (_, b"network") => reply.unwrap_or_else(|| answer::no_reply(self.reply, NoReply::Lost)),
            (_, _) => reply.unwrap_or_else(|| answer::no_reply(self.reply, NoReply::Protocol)),
        }
    }
}
