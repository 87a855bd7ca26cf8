//! dma, the small mail agent of the BSDs and Debian: syslog with the queue id where others have a
//! pid (`net.c`, `dma.c`).
//!
//! Written after the source, not yet seen live. A queue id is one recipient, whom only the first and
//! the last line name; so the first is remembered. An acceptance has no reply: 250 is taken for
//! granted. A host that defers is followed by the next one without a word, so that of several in
//! one try the first defers the recipient and the others are replies of their hosts.

use serde::{Deserialize, Serialize};

use super::recent::{Bytes, Recent};
use super::text::{angle, contains, cut};
use super::{Dialect, LineKind, Out, Reading, Why, answer};
use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, HostReply, NoAttempt, NoReply, Outcome, Phase, Recipient,
    Relay,
};
use crate::envelope::Record;

/// How many queue ids are remembered.
const MESSAGES_MAX: usize = 4_096;

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Dma {
    messages: Recent<Message, MESSAGES_MAX>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Message {
    domain: Bytes,
    key: u64,
    /// Whether a server was tried: else the delivery is local.
    remote: bool,
    /// The server that was tried last.
    host: Bytes,
    ip: Bytes,
    /// Whether this try has deferred the recipient already.
    deferred: bool,
    /// Whether a refusal for good was read.
    refused: bool,
}

/// Whether a program is dma.
pub(super) fn recognise(program: &[u8]) -> bool {
    program == b"dma"
}

/// One server's failure.
#[derive(Clone, Copy)]
struct Failure<'a> {
    relay: Relay<'a>,
    answer: Answer<'a>,
    phase: Option<Phase>,
}

impl Dma {
    /// How many things were forgotten because there was no room.
    pub(super) fn evicted(&self) -> u64 {
        self.messages.evicted()
    }

    /// Reads one record.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        let (id, text) = (record.pid, record.message);
        if let Some((address, rest)) = angle(text) {
            return match rest {
                b" trying delivery" => self.begin(id, address),
                b" delivery successful" => self.delivered(id, address, out),
                _ => LineKind::Irrelevant,
            };
        }
        if let Some(rest) = text.strip_prefix(b"trying remote delivery to ") {
            return self.try_host(id, rest);
        }
        if let Some(rest) = text.strip_prefix(b"remote delivery deferred: ") {
            return self.failed(id, failure(rest), Outcome::Deferred, out);
        }
        if let Some(rest) = text.strip_prefix(b"remote delivery failed: ") {
            return self.failed(id, failure(rest), Outcome::Bounced, out);
        }
        if let Some(rest) = text.strip_prefix(b"remote delivery to ") {
            return self.failed(id, failure(rest), Outcome::Bounced, out);
        }
        if let Some(rest) = text.strip_prefix(b"connect to ") {
            return self.no_connection(id, rest, out);
        }
        if text.starts_with(b"delivery failed, bouncing as ") {
            return self.given_up(id, out);
        }
        LineKind::Irrelevant
    }

    fn begin(&mut self, id: &[u8], address: &[u8]) -> LineKind {
        let recipient = Recipient::parse(address);
        let (domain, key) = (Bytes::from(recipient.domain()), recipient.key());
        let message = Message { domain, key, ..Message::default() };
        self.messages.put(id, message);
        LineKind::State
    }

    /// `mx.example.com [192.0.2.10] pref 10`
    fn try_host(&mut self, id: &[u8], rest: &[u8]) -> LineKind {
        if let Some(message) = self.messages.get_mut(id) {
            let Relay { host, ip } = host(rest).map_or(Relay::default(), |(relay, _)| relay);
            message.remote = true;
            message.host = Bytes::from(host);
            message.ip = Bytes::from(ip);
        }
        LineKind::State
    }

    fn delivered(&mut self, id: &[u8], address: &[u8], out: &mut Out<'_>) -> LineKind {
        let recipient = Recipient::parse(address);
        let known = self.messages.take(id);
        let remote = known.as_ref().map_or(!recipient.domain().is_empty(), |known| known.remote);
        let relay = known
            .as_ref()
            .map_or(Relay::default(), |known| Relay { host: &known.host, ip: &known.ip });
        if !remote || answer::is_here(relay.ip) {
            return hand_out(Reading::Local(NoAttempt { queue_id: id, recipient }), out);
        }
        let reading =
            attempt(id, recipient, relay, answer::accepted(b""), Outcome::Delivered, None);
        hand_out(reading, out)
    }

    fn failed(
        &mut self,
        id: &[u8],
        failure: Failure<'_>,
        outcome: Outcome,
        out: &mut Out<'_>,
    ) -> LineKind {
        let Failure { relay, answer, phase } = failure;
        let Some(message) = self.messages.get_mut(id) else {
            return hand_out(host_reply(id, b"", relay, answer, phase), out);
        };
        let again = outcome == Outcome::Deferred && std::mem::replace(&mut message.deferred, true);
        message.refused |= outcome == Outcome::Bounced;
        let recipient = Recipient::with_key(&message.domain, message.key);
        if again {
            return hand_out(host_reply(id, recipient.domain(), relay, answer, phase), out);
        }
        hand_out(attempt(id, recipient, relay, answer, outcome, phase), out)
    }

    /// `mx.example.com [192.0.2.10] failed: Connection refused`; another server may follow.
    fn no_connection(&mut self, id: &[u8], rest: &[u8], out: &mut Out<'_>) -> LineKind {
        let Some((relay, text)) = host(rest) else {
            return LineKind::Unreadable(Why::Malformed);
        };
        let text = text.strip_prefix(b" failed: ").unwrap_or(text);
        let answer = answer::no_reply(text, NoReply::Unreachable);
        let failure = Failure { relay, answer, phase: Some(Phase::Connect) };
        self.failed(id, failure, Outcome::Deferred, out)
    }

    /// After a refusal for good nothing new; else the time is over.
    fn given_up(&mut self, id: &[u8], out: &mut Out<'_>) -> LineKind {
        match self.messages.take(id) {
            Some(message) if message.refused => LineKind::State,
            Some(message) if message.remote => {
                let recipient = Recipient::with_key(&message.domain, message.key);
                let expiry = Expiry { queue_id: id, recipient: Some(recipient) };
                hand_out(Reading::Expiry(expiry), out)
            }
            Some(_) | None => LineKind::State,
        }
    }
}

/// What failed: `H [ip] failed after CMD: REPLY`, `DNS lookup failure: host D not found`,
/// `SSL handshake failed fatally: ...`.
fn failure(text: &[u8]) -> Failure<'_> {
    let after = host(text).and_then(|(relay, rest)| {
        let (command, reply) = cut(rest.strip_prefix(b" failed after ")?, b": ")?;
        Some((relay, command, reply))
    });
    let Some((relay, command, reply)) = after else {
        let answer = answer::no_reply(text, NoReply::Local);
        return Failure { relay: Relay::default(), answer, phase: None };
    };
    let phase = match command {
        b"connect" => Some(Phase::Connect),
        b"final DATA" => Some(Phase::EndOfData),
        command => answer::phase(command),
    };
    Failure { relay, answer: answer::diagnostic(reply, NoReply::Lost), phase }
}

/// `mx.example.com [192.0.2.10]` and what follows.
fn host(text: &[u8]) -> Option<(Relay<'_>, &[u8])> {
    let (host, rest) = cut(text, b" [")?;
    let (ip, rest) = cut(rest, b"]")?;
    (!contains(host, b" ")).then_some((Relay { host, ip }, rest))
}

fn attempt<'r>(
    queue_id: &'r [u8],
    recipient: Recipient<'r>,
    relay: Relay<'r>,
    answer: Answer<'r>,
    outcome: Outcome,
    phase: Option<Phase>,
) -> Reading<'r> {
    Reading::Attempt(DeliveryAttempt {
        queue_id,
        recipient,
        relay,
        answer,
        answer_counted: false,
        outcome,
        phase,
        delay_seconds: None,
    })
}

fn host_reply<'r>(
    queue_id: &'r [u8],
    recipient_domain: &'r [u8],
    relay: Relay<'r>,
    answer: Answer<'r>,
    phase: Option<Phase>,
) -> Reading<'r> {
    Reading::HostReply(HostReply { queue_id, recipient_domain, relay, answer, phase })
}

fn hand_out(reading: Reading<'_>, out: &mut Out<'_>) -> LineKind {
    let kind = reading.kind();
    out(Dialect::Dma, kind, reading);
    kind
}
