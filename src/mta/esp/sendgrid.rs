//! SendGrid: the event webhook, a list of events per request.
//!
//! The reply stands in `response` (delivered, deferred) or `reason` (bounce), without the MX that
//! gave it; `ip` is SendGrid's own, and `status` what SendGrid makes of the
//! reply. A deferral may have no reply but words of SendGrid's.

use serde::Deserialize;

use super::Desk;
use crate::attempt::{Answer, DeliveryAttempt, NoAttempt, NoReply, Outcome, Recipient, Relay};
use crate::mta::json::{self, Loose, Text};
use crate::mta::{Why, answer};

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow, default)]
    email: Option<Text<'a>>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    response: Option<Text<'a>>,
    #[serde(borrow, default)]
    sg_event_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    sg_message_id: Option<Text<'a>>,
    #[serde(borrow, default, rename = "smtp-id")]
    smtp_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    timestamp: Loose<'a>,
}

/// Reads one line.
pub(super) fn read(text: &[u8], desk: &mut Desk<'_, '_>) -> Result<(), Why> {
    super::each(text, |item: &Item<'_>| item.read(desk))
}

impl Item<'_> {
    fn read(&self, desk: &mut Desk<'_, '_>) -> Result<(), Why> {
        let outcome = match self.event.bytes() {
            b"delivered" => Outcome::Delivered,
            b"deferred" => Outcome::Deferred,
            b"bounce" if json::bytes(self.kind.as_ref()) == b"expired" => Outcome::Expired,
            b"bounce" => Outcome::Bounced,
            b"dropped" => {
                if self.is_new(desk) {
                    desk.suspended(self.kept());
                }
                return Ok(());
            }
            b"processed"
            | b"open"
            | b"click"
            | b"spamreport"
            | b"unsubscribe"
            | b"group_unsubscribe"
            | b"group_resubscribe"
            | b"account_status_change" => return Ok(()),
            _ => {
                desk.unknown();
                return Ok(());
            }
        };
        if self.email.is_none() {
            return Err(Why::Malformed);
        }
        if !self.is_new(desk) {
            return Ok(());
        }
        if outcome == Outcome::Expired {
            desk.expired(self.kept());
            return Ok(());
        }
        let NoAttempt { queue_id, recipient } = self.kept();
        desk.attempt(DeliveryAttempt {
            queue_id,
            recipient,
            relay: Relay::default(),
            answer: self.answer(outcome),
            answer_counted: false,
            outcome,
            phase: None,
            delay_seconds: None,
        });
        Ok(())
    }

    fn is_new(&self, desk: &mut Desk<'_, '_>) -> bool {
        let kept = json::bytes(self.email.as_ref());
        match json::bytes(self.sg_event_id.as_ref()) {
            b"" => {
                let at = self.timestamp.to_text();
                desk.is_new(&[self.event.bytes(), self.message_id(), kept, &at])
            }
            id => desk.is_new(&[id]),
        }
    }

    fn message_id(&self) -> &[u8] {
        json::bytes(self.sg_message_id.as_ref().or(self.smtp_id.as_ref()))
    }

    fn kept(&self) -> NoAttempt<'_> {
        NoAttempt {
            queue_id: self.message_id(),
            recipient: Recipient::parse(json::bytes(self.email.as_ref())),
        }
    }

    fn answer(&self, outcome: Outcome) -> Answer<'_> {
        let text = match (&self.response, &self.reason) {
            (Some(response), _) => response.bytes(),
            (None, reason) => json::bytes(reason.as_ref()),
        };
        if outcome == Outcome::Delivered {
            return answer::accepted(text);
        }
        answer::diagnostic(text, NoReply::Protocol)
    }
}
