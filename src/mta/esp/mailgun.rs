//! Mailgun: webhooks (`{"signature":...,"event-data":{...}}`) and the events API, whose items are
//! the inner object.
//!
//! The code stands apart from the text. 498, 499 and all from 600 on are Mailgun's own numbers for
//! what it met or decided itself, and no server's reply.

use serde::Deserialize;

use super::Desk;
use crate::attempt::{Answer, DeliveryAttempt, NoAttempt, NoReply, Outcome, Recipient, Relay};
use crate::mta::json::{self, Loose, Text};
use crate::mta::{Why, answer};
use crate::smtp::EnhancedStatusCode;

/// The outer object of a webhook, or an event.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default, rename = "event-data")]
    data: Option<Box<Item<'a>>>,
    #[serde(borrow, default)]
    event: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    timestamp: Loose<'a>,
    #[serde(borrow, default)]
    severity: Option<Text<'a>>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    recipient: Option<Text<'a>>,
    #[serde(borrow, default, rename = "delivery-status")]
    status: Option<Status<'a>>,
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Status<'a> {
    #[serde(borrow, default)]
    code: Loose<'a>,
    #[serde(borrow, default)]
    message: Option<Text<'a>>,
    #[serde(borrow, default)]
    description: Option<Text<'a>>,
    #[serde(borrow, default)]
    enhanced_code: Option<Text<'a>>,
    #[serde(borrow, default)]
    mx_host: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    headers: Option<Headers<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Headers<'a> {
    #[serde(borrow, default)]
    message_id: Option<Text<'a>>,
}

/// Reads one line.
pub(super) fn read(text: &[u8], desk: &mut Desk<'_, '_>) -> Result<(), Why> {
    super::each(text, |item: &Item<'_>| item.data.as_deref().unwrap_or(item).read(desk))
}

impl Item<'_> {
    fn read(&self, desk: &mut Desk<'_, '_>) -> Result<(), Why> {
        let outcome = match json::bytes(self.event.as_ref()) {
            b"delivered" => Outcome::Delivered,
            b"failed" => match json::bytes(self.severity.as_ref()) {
                b"temporary" => Outcome::Deferred,
                b"permanent" => Outcome::Bounced,
                _ => return Err(Why::UnknownStatus),
            },
            b"rejected" => {
                if self.recipient.is_some() && self.is_new(desk) {
                    desk.suspended(self.kept());
                }
                return Ok(());
            }
            b"accepted"
            | b"stored"
            | b"opened"
            | b"clicked"
            | b"complained"
            | b"unsubscribed"
            | b"list_member_uploaded"
            | b"list_member_upload_error"
            | b"list_uploaded" => return Ok(()),
            _ => {
                desk.unknown();
                return Ok(());
            }
        };
        let (Some(_), Some(status)) = (&self.recipient, &self.status) else {
            return Err(Why::NoStatus);
        };
        if !self.is_new(desk) {
            return Ok(());
        }
        if outcome == Outcome::Bounced && self.is_suppressed(status) {
            desk.suspended(self.kept());
            return Ok(());
        }
        if outcome == Outcome::Bounced && json::bytes(self.reason.as_ref()) == b"old" {
            desk.expired(self.kept());
            return Ok(());
        }
        let NoAttempt { queue_id, recipient } = self.kept();
        desk.attempt(DeliveryAttempt {
            queue_id,
            recipient,
            relay: Relay { host: json::bytes(status.mx_host.as_ref()), ip: b"" },
            answer: status.answer(outcome),
            answer_counted: false,
            outcome,
            phase: None,
            delay_seconds: None,
        });
        Ok(())
    }

    /// An id is unique only within a day.
    fn is_new(&self, desk: &mut Desk<'_, '_>) -> bool {
        let at = self.timestamp.to_text();
        match json::bytes(self.id.as_ref()) {
            b"" => desk.is_new(&[
                json::bytes(self.event.as_ref()),
                self.message_id(),
                json::bytes(self.recipient.as_ref()),
                &at,
            ]),
            id => desk.is_new(&[id, &at]),
        }
    }

    /// Whether Mailgun did not try because it knows the address from before.
    fn is_suppressed(&self, status: &Status<'_>) -> bool {
        json::bytes(self.reason.as_ref()).starts_with(b"suppress-")
            || matches!(status.code.number(), Some(code) if (605.0..=607.0).contains(&code))
    }

    fn message_id(&self) -> &[u8] {
        let headers = self.message.as_ref().and_then(|message| message.headers.as_ref());
        headers.map_or(b"", |headers| json::bytes(headers.message_id.as_ref()))
    }

    fn kept(&self) -> NoAttempt<'_> {
        NoAttempt {
            queue_id: self.message_id(),
            recipient: Recipient::parse(json::bytes(self.recipient.as_ref())),
        }
    }
}

impl Status<'_> {
    fn answer(&self, outcome: Outcome) -> Answer<'_> {
        let text = match json::bytes(self.message.as_ref()) {
            b"" => json::bytes(self.description.as_ref()),
            text => text,
        };
        if outcome == Outcome::Delivered && self.code.code().is_none() {
            return answer::accepted(text);
        }
        match self.code.code().filter(|code| !matches!(code.get(), 498 | 499)) {
            Some(code) => {
                let enhanced = EnhancedStatusCode::parse(json::bytes(self.enhanced_code.as_ref()));
                answer::with_code(code, enhanced.map(|(enhanced, _)| enhanced), text)
            }
            None => answer::no_reply(text, NoReply::Protocol),
        }
    }
}
