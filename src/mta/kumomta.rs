//! KumoMTA: one JSON record for each event (`crates/kumo-log-types/src/lib.rs`, `JsonLogRecord`;
//! `docs/reference/log_record.md`).
//!
//! Written after the source, not yet seen live. The segments in `/var/log/kumomta` are whole zstd
//! files and are read as such; a hook may ship the same records as plain lines. A `template` in
//! KumoMTA's configuration replaces the record altogether; such lines need a dialect of one's own.
//!
//! - A failure that KumoMTA met itself carries a code that it invented, and says so:
//!   `KumoMTA internal: ...`. Nobody sent that code, so there is none; the words name the cause.
//!   Where they say that the queue was suspended or throttled, no attempt was made.
//! - `Expiration`, `AdminBounce` and `Delayed` are no attempts. Their codes are invented too.
//! - `OOB`, a bounce message that came back later, and `Feedback` answer no attempt of ours; the
//!   acceptance before them was counted.
//! - Where no host was reached, `site` names those that would have been, and tells the provider.
//!   `provider_name` is what the operator calls a site; the table of providers decides, so that all
//!   MTAs speak of the same ones.

use serde::Deserialize;

use super::json::{self, Text, Texts};
use super::text::{cut, cut_last};
use super::{Dialect, LineKind, Out, Reading, Why, answer, stamp};
use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, InboundReject, NoAttempt, NoReply, Outcome, Phase, Recipient,
    Relay,
};
use crate::envelope::Record;
use crate::smtp::{EnhancedStatusCode, Reply, ReplyCode};

/// What KumoMTA writes before texts of its own.
const INTERNAL: &[u8] = b"KumoMTA internal: ";

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    recipient: Option<Texts<'a>>,
    #[serde(borrow)]
    response: Option<Response<'a>>,
    #[serde(borrow, default)]
    peer_address: Option<Peer<'a>>,
    #[serde(borrow, default)]
    site: Option<Text<'a>>,
    #[serde(borrow, default)]
    delivery_protocol: Option<Text<'a>>,
    #[serde(borrow, default)]
    event_time: Option<Text<'a>>,
    #[serde(borrow, default)]
    created_time: Option<Text<'a>>,
    #[serde(default)]
    timestamp: Option<f64>,
    #[serde(default)]
    created: Option<f64>,
}

#[derive(Deserialize)]
struct Response<'a> {
    code: u16,
    #[serde(default)]
    enhanced_code: Option<Enhanced>,
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    command: Option<Text<'a>>,
}

#[derive(Clone, Copy, Deserialize)]
struct Enhanced {
    class: u8,
    subject: u16,
    detail: u16,
}

#[derive(Deserialize)]
struct Peer<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    addr: Option<Text<'a>>,
}

/// Reads one record.
pub(super) fn read(record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
    match json::parse::<Item<'_>>(record.message) {
        Ok(item) => item.read(out),
        Err(why) => LineKind::Unreadable(why),
    }
}

impl Item<'_> {
    fn read(&self, out: &mut Out<'_>) -> LineKind {
        let outcome = match self.kind.bytes() {
            b"Delivery" => Outcome::Delivered,
            b"TransientFailure" => Outcome::Deferred,
            b"Bounce" => Outcome::Bounced,
            b"Expiration" => Outcome::Expired,
            b"AdminBounce" | b"Delayed" => return self.suspended(out),
            b"Rejection" => return self.rejection(out),
            b"Reception"
            | b"OOB"
            | b"Feedback"
            | b"AdminRebind"
            | b"DeferredInjectionRebind"
            | b"XferOut"
            | b"XferIn" => return LineKind::Irrelevant,
            _ => return LineKind::Unreadable(Why::UnknownStatus),
        };
        if outcome == Outcome::Expired {
            return self.each(out, |queue_id, recipient| {
                Reading::Expiry(Expiry { queue_id, recipient: Some(recipient) })
            });
        }
        if self.stays_here() {
            return self.each(out, |queue_id, recipient| {
                Reading::Local(NoAttempt { queue_id, recipient })
            });
        }
        let Some(response) = &self.response else {
            return LineKind::Unreadable(Why::NoStatus);
        };
        match response.internal() {
            Some(text) if was_held_back(text) => self.suspended(out),
            Some(text) => self.attempt(out, outcome, answer::no_reply(text, NoReply::Local)),
            None => match response.reply() {
                Some(reply) => self.attempt(out, outcome, Answer::Reply(reply)),
                None => LineKind::Unreadable(Why::Malformed),
            },
        }
    }

    fn attempt(&self, out: &mut Out<'_>, outcome: Outcome, answer: Answer<'_>) -> LineKind {
        let site = self.site_host().unwrap_or_default();
        let relay = match self.relay() {
            Relay { host: b"", ip } => Relay { host: &site, ip },
            named => named,
        };
        let phase = self.response.as_ref().and_then(Response::phase);
        let delay_seconds = self.delay();
        self.each(out, |queue_id, recipient| {
            Reading::Attempt(DeliveryAttempt {
                queue_id,
                recipient,
                relay,
                answer,
                answer_counted: false,
                outcome,
                phase,
                delay_seconds,
            })
        })
    }

    fn suspended(&self, out: &mut Out<'_>) -> LineKind {
        self.each(out, |queue_id, recipient| Reading::Suspended(NoAttempt { queue_id, recipient }))
    }

    fn rejection(&self, out: &mut Out<'_>) -> LineKind {
        let Some(reply) = self.response.as_ref().and_then(Response::reply) else {
            return LineKind::Unreadable(Why::NoStatus);
        };
        let reading = Reading::InboundReject(InboundReject {
            queue_id: b"",
            class: reply.code.class(),
            reply: Some(reply),
            text: reply.text,
            phase: self.response.as_ref().and_then(Response::phase),
        });
        let kind = reading.kind();
        out(Dialect::KumoMta, kind, reading);
        kind
    }

    /// Hands out one reading for each recipient.
    fn each<'r>(
        &'r self,
        out: &mut Out<'_>,
        reading: impl Fn(&'r [u8], Recipient<'r>) -> Reading<'r>,
    ) -> LineKind {
        let recipients = self.recipient.as_ref().map(|Texts(list)| list.as_slice());
        let mut kind = LineKind::Unreadable(Why::Malformed);
        for recipient in recipients.unwrap_or_default() {
            let recipient = Recipient::parse(recipient.bytes());
            let reading = reading(json::bytes(self.id.as_ref()), recipient);
            kind = reading.kind();
            out(Dialect::KumoMta, kind, reading);
        }
        kind
    }

    fn relay(&self) -> Relay<'_> {
        let Some(peer) = &self.peer_address else { return Relay::default() };
        let host = json::bytes(peer.name.as_ref());
        Relay { host: host.strip_suffix(b".").unwrap_or(host), ip: json::bytes(peer.addr.as_ref()) }
    }

    /// A host of the site that was to be talked to: `source->(mx1|mx2).example.com@smtp_client`, or
    /// `source->(alt1|alt2)?.mx.example.com@smtp_client` where one of them has no first part.
    fn site_host(&self) -> Option<Vec<u8>> {
        let (_, site) = cut(json::bytes(self.site.as_ref()), b"->")?;
        let (site, _) = cut_last(site, b"@")?;
        let Some((first, rest)) = site.strip_prefix(b"(").and_then(|group| cut(group, b")")) else {
            return Some(site.to_vec());
        };
        if let Some(host) = rest.strip_prefix(b"?.") {
            return Some(host.to_vec());
        }
        let first = first.split(|byte| *byte == b'|').next().unwrap_or_default();
        Some([first, rest].concat())
    }

    /// Whether the message went to a filter or a mailbox on this machine.
    fn stays_here(&self) -> bool {
        let protocol = json::bytes(self.delivery_protocol.as_ref());
        protocol.eq_ignore_ascii_case(b"maildir") || answer::is_here(self.relay().ip)
    }

    fn delay(&self) -> Option<f64> {
        let (created, event) = (self.created_time.as_ref(), self.event_time.as_ref());
        stamp::between(json::bytes(created), json::bytes(event))
            .or_else(|| Some(self.timestamp? - self.created?))
            .filter(|seconds| *seconds >= 0.0)
    }
}

impl Response<'_> {
    /// The text after the mark of KumoMTA's own failures.
    fn internal(&self) -> Option<&[u8]> {
        json::bytes(self.content.as_ref()).strip_prefix(INTERNAL)
    }

    fn reply(&self) -> Option<Reply<'_>> {
        let code = ReplyCode::new(self.code)?;
        let mut reply = Reply::with_code(code, json::bytes(self.content.as_ref()));
        let beside = self.enhanced_code.and_then(|Enhanced { class, subject, detail }| {
            EnhancedStatusCode::new(class, subject, detail)
        });
        // KumoMTA takes it off the reply, so that even 5.0.0 was really said.
        reply.enhanced = beside
            .filter(|enhanced| u16::from(enhanced.class()) == self.code / 100)
            .or(reply.enhanced);
        Some(reply)
    }

    fn phase(&self) -> Option<Phase> {
        answer::phase(json::bytes(self.command.as_ref()))
    }
}

/// Whether KumoMTA did not even try.
fn was_held_back(internal: &[u8]) -> bool {
    let text = internal.get(..256).unwrap_or(internal).to_ascii_lowercase();
    [&b"suspend"[..], b"throttle"].iter().any(|word| memchr::memmem::find(&text, word).is_some())
}
