//! Stalwart: the text tracer's lines and the JSON of its other tracers and webhooks
//! (`crates/trc/src/serializers/{text,json}.rs`, `crates/smtp/src/outbound`).
//!
//! Written after the source of 0.12, not yet seen live.
//!
//! - Stalwart takes the enhanced code off a reply and does not log it: where none stands in the
//!   text, none is known.
//! - A refused recipient is an event of its own. What refuses the message or the connection names no
//!   recipient: that is a reply of the host, and the recipients follow when the message is given up
//!   (`dsn-perm-fail`), not counting the reply again. Their deferrals are nowhere told one by one
//!   (`dsn-temp-fail` comes only when a notice is due), so they are not counted.
//! - Quotes within a value are not escaped. A value that a remote server chose ends the fields that
//!   are believed.

mod text;

use serde::{Deserialize, Serialize};

use super::json::{self, Loose, Text};
use super::recent::Bytes;
use super::seen::Seen;
use super::{Dialect, LineKind, Out, Reading, Why, answer};
use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, HostReply, NoAttempt, NoReply, Outcome, Phase, Recipient,
    Relay,
};
use crate::envelope::Record;
use crate::smtp::{CodeClass, ReplyCode};

/// How many recipients that were refused are remembered until their message is given up.
const REFUSED_MAX: usize = 16_384;
/// How long an event may be whose keys stand on lines of their own.
const EVENT_MAX: usize = 64 * 1024;

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stalwart {
    refused: Seen<REFUSED_MAX>,
    /// An event whose keys stand on the lines after it.
    unfinished: Bytes,
}

/// What an event says, whatever form it has.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    /// Its name: `delivery.delivered`.
    name: &'a [u8],
    queue_id: &'a [u8],
    hostname: &'a [u8],
    ip: &'a [u8],
    domain: &'a [u8],
    to: &'a [u8],
    code: Option<ReplyCode>,
    /// What the remote said, or Stalwart's account of what happened.
    text: &'a [u8],
}

/// Whether a line is one of the text tracer: `2026-11-21T20:00:01Z INFO Description (group.event)`.
pub(super) fn recognise(message: &[u8]) -> bool {
    text::is_shaped(message)
}

impl Stalwart {
    /// Whether the line adds to an event that has begun.
    pub(super) fn expects(&self, message: &[u8]) -> bool {
        !self.unfinished.is_empty() && message.starts_with(b"\t")
    }

    /// How many things were forgotten because there was no room.
    pub(super) fn evicted(&self) -> u64 {
        self.refused.evicted()
    }

    /// Reads one record.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        let message = record.message;
        if message.trim_ascii_start().first() == Some(&b'{') {
            let kind = self.finish(out);
            return kind.with(self.json(message, out));
        }
        if self.expects(message) {
            if self.unfinished.len() + message.len() < EVENT_MAX {
                self.unfinished.extend(b", ");
                self.unfinished.extend(message.trim_ascii());
            }
            return LineKind::State;
        }
        let kind = self.finish(out);
        let plain = text::without_colours(message);
        match text::parse(&plain) {
            Some(_) if plain.ends_with(b")") => {
                self.unfinished = Bytes::from(&*plain);
                kind.with(LineKind::State)
            }
            Some(event) => kind.with(self.event(&event, out)),
            None => kind,
        }
    }

    /// Reads the event that waited for more lines.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) -> LineKind {
        let unfinished = std::mem::take(&mut self.unfinished);
        match text::parse(&unfinished) {
            Some(event) => self.event(&event, out),
            None => LineKind::Irrelevant,
        }
    }

    fn json(&mut self, message: &[u8], out: &mut Out<'_>) -> LineKind {
        let entry = match json::parse::<Entry<'_>>(message) {
            Ok(entry) => entry,
            Err(why) => return LineKind::Unreadable(why),
        };
        let data = &entry.data;
        let (queue_id, said) = (data.queue_id.to_text(), data.text());
        let event = Event {
            name: entry.kind.bytes(),
            queue_id: &queue_id,
            hostname: json::bytes(data.hostname.as_ref()),
            ip: json::bytes(data.remote_ip.as_ref()),
            domain: json::bytes(data.domain.as_ref()),
            to: json::bytes(data.to.as_ref()),
            code: data.code.code(),
            text: said,
        };
        self.event(&event, out)
    }

    fn event(&mut self, event: &Event<'_>, out: &mut Out<'_>) -> LineKind {
        let Some(name) = event.name.strip_prefix(b"delivery.") else {
            return LineKind::Irrelevant;
        };
        let reading = match name {
            b"delivered" => event.attempt(Outcome::Delivered),
            b"rcpt-to-rejected" => self.refused(event),
            b"dsn-perm-fail" => match self.given_up(event) {
                Some(reading) => Ok(reading),
                None => return LineKind::State,
            },
            b"dsn-success" | b"dsn-temp-fail" => return LineKind::State,
            _ => match failure(name) {
                Some((phase, otherwise)) => Ok(event.host_reply(phase, otherwise)),
                None => return LineKind::Irrelevant,
            },
        };
        match reading {
            Ok(reading) => {
                let kind = reading.kind();
                out(Dialect::Stalwart, kind, reading);
                kind
            }
            Err(why) => LineKind::Unreadable(why),
        }
    }

    fn refused<'e>(&mut self, event: &'e Event<'_>) -> Result<Reading<'e>, Why> {
        match event.code.map(ReplyCode::class) {
            Some(CodeClass::Permanent) => {
                self.refused.is_new(&[event.queue_id, event.to]);
                event.attempt(Outcome::Bounced)
            }
            Some(_) => event.attempt(Outcome::Deferred),
            None => Err(Why::NoStatus),
        }
    }

    /// A recipient is given up: for what refused the message or the connection for good, or because
    /// the time is over.
    fn given_up<'e>(&self, event: &'e Event<'_>) -> Option<Reading<'e>> {
        if self.refused.has(&[event.queue_id, event.to]) {
            return None;
        }
        let recipient = Recipient::parse(event.to);
        let answer = event.answer(NoReply::Local);
        let for_good =
            answer.class() == CodeClass::Permanent || answer.cause() == Some(NoReply::Dns);
        let queue_id = event.queue_id;
        Some(if for_good {
            Reading::Attempt(DeliveryAttempt {
                queue_id,
                recipient,
                relay: event.relay(),
                answer,
                answer_counted: true,
                outcome: Outcome::Bounced,
                phase: None,
                delay_seconds: None,
            })
        } else {
            Reading::Expiry(Expiry { queue_id, recipient: Some(recipient) })
        })
    }
}

/// The events that tell of a failure without a recipient: the phase, and the cause where no words
/// name one.
fn failure(name: &[u8]) -> Option<(Option<Phase>, NoReply)> {
    Some(match name {
        b"message-rejected" => (Some(Phase::EndOfData), NoReply::Lost),
        b"mail-from-rejected" => (Some(Phase::Mail), NoReply::Lost),
        b"rcpt-to-failed" => (Some(Phase::Rcpt), NoReply::Lost),
        b"ehlo-rejected" => (Some(Phase::Helo), NoReply::Lost),
        b"greeting-failed" => (Some(Phase::Connect), NoReply::Lost),
        b"auth-failed" => (Some(Phase::Auth), NoReply::Lost),
        b"connect-error" => (Some(Phase::Connect), NoReply::Unreachable),
        b"start-tls-error" | b"implicit-tls-error" => (Some(Phase::Starttls), NoReply::Tls),
        b"mx-lookup-failed" | b"ip-lookup-failed" | b"null-mx" => (None, NoReply::Dns),
        _ => return None,
    })
}

impl Event<'_> {
    fn attempt(&self, outcome: Outcome) -> Result<Reading<'_>, Why> {
        if self.to.is_empty() {
            return Err(Why::Malformed);
        }
        let (queue_id, recipient) = (self.queue_id, Recipient::parse(self.to));
        let relay = self.relay();
        if answer::is_here(relay.ip) {
            return Ok(Reading::Local(NoAttempt { queue_id, recipient }));
        }
        let delivered = outcome == Outcome::Delivered;
        Ok(Reading::Attempt(DeliveryAttempt {
            queue_id,
            recipient,
            relay,
            answer: match self.code {
                None if delivered => answer::accepted(self.text),
                _ => self.answer(NoReply::Protocol),
            },
            answer_counted: false,
            outcome,
            phase: (!delivered).then_some(Phase::Rcpt),
            delay_seconds: None,
        }))
    }

    fn host_reply(&self, phase: Option<Phase>, otherwise: NoReply) -> Reading<'_> {
        let domain =
            if self.domain.is_empty() { Recipient::parse(self.to).domain() } else { self.domain };
        Reading::HostReply(HostReply {
            queue_id: self.queue_id,
            recipient_domain: domain,
            relay: self.relay(),
            answer: self.answer(otherwise),
            phase,
        })
    }

    fn answer(&self, otherwise: NoReply) -> Answer<'_> {
        match self.code {
            Some(code) => answer::with_code(code, None, self.text),
            // However TLS failed, it failed for TLS.
            None if otherwise == NoReply::Tls => {
                Answer::NoReply { cause: otherwise, text: self.text }
            }
            None => answer::no_reply(self.text, otherwise),
        }
    }

    fn relay(&self) -> Relay<'_> {
        Relay { host: self.hostname, ip: self.ip }
    }
}

/// An event in JSON.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    data: Data<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Data<'a> {
    #[serde(borrow)]
    queue_id: Loose<'a>,
    #[serde(borrow)]
    hostname: Option<Text<'a>>,
    #[serde(borrow)]
    remote_ip: Option<Text<'a>>,
    #[serde(borrow)]
    domain: Option<Text<'a>>,
    #[serde(borrow)]
    to: Option<Text<'a>>,
    #[serde(borrow)]
    code: Loose<'a>,
    #[serde(borrow)]
    details: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    caused_by: Option<Cause<'a>>,
}

/// An error in an event.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Cause<'a> {
    #[serde(borrow)]
    data: CauseData<'a>,
    #[serde(borrow)]
    details: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CauseData<'a> {
    #[serde(borrow)]
    details: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
}

impl Data<'_> {
    /// What was said, or else the words of the error, the most exact ones.
    fn text(&self) -> &[u8] {
        let cause = self.caused_by.as_ref();
        let words = [
            self.details.as_ref(),
            self.reason.as_ref(),
            cause.and_then(|cause| cause.data.reason.as_ref()),
            cause.and_then(|cause| cause.reason.as_ref()),
            cause.and_then(|cause| cause.data.details.as_ref()),
            cause.and_then(|cause| cause.details.as_ref()),
        ];
        json::bytes(words.into_iter().flatten().next())
    }
}
