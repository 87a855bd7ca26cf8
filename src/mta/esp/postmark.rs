//! Postmark: the bounce and delivery webhooks, one object per request.
//!
//! `TypeCode` is a number of Postmark's, no reply code. The reply stands in `Details`, where there
//! is one; the MX is not told.

use serde::Deserialize;

use super::Desk;
use crate::attempt::{Answer, DeliveryAttempt, NoAttempt, NoReply, Outcome, Recipient, Relay};
use crate::mta::json::{self, Loose, Text};
use crate::mta::{Why, answer};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item<'a> {
    #[serde(borrow)]
    record_type: Text<'a>,
    #[serde(borrow, default, rename = "ID")]
    id: Loose<'a>,
    #[serde(borrow, default, rename = "MessageID")]
    message_id: Option<Text<'a>>,
    #[serde(borrow, default, rename = "Type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    email: Option<Text<'a>>,
    #[serde(borrow, default)]
    recipient: Option<Text<'a>>,
    #[serde(borrow, default)]
    details: Option<Text<'a>>,
    #[serde(borrow, default)]
    delivered_at: Option<Text<'a>>,
}

/// Reads one line.
pub(super) fn read(text: &[u8], desk: &mut Desk<'_, '_>) -> Result<(), Why> {
    super::each(text, |item: &Item<'_>| item.read(desk))
}

impl Item<'_> {
    fn read(&self, desk: &mut Desk<'_, '_>) -> Result<(), Why> {
        match self.record_type.bytes() {
            b"Delivery" => {
                let recipient = self.recipient.as_ref().ok_or(Why::Malformed)?.bytes();
                let at = json::bytes(self.delivered_at.as_ref());
                if desk.is_new(&[b"Delivery", json::bytes(self.message_id.as_ref()), recipient, at])
                {
                    let details = json::bytes(self.details.as_ref());
                    let text = answer::smtp_type(details).unwrap_or(details);
                    desk.attempt(self.attempt(
                        recipient,
                        answer::accepted(text),
                        Outcome::Delivered,
                    ));
                }
                Ok(())
            }
            b"Bounce" => self.bounce(desk),
            b"SpamComplaint" | b"SubscriptionChange" | b"Open" | b"Click" | b"Inbound" => Ok(()),
            _ => {
                desk.unknown();
                Ok(())
            }
        }
    }

    fn bounce(&self, desk: &mut Desk<'_, '_>) -> Result<(), Why> {
        let recipient = self.email.as_ref().ok_or(Why::Malformed)?.bytes();
        let (outcome, otherwise) = match json::bytes(self.kind.as_ref()) {
            b"HardBounce" | b"SoftBounce" | b"BadEmailAddress" | b"SpamNotification"
            | b"VirusNotification" | b"Blocked" | b"DMARCPolicy" | b"Unknown" => {
                (Outcome::Bounced, NoReply::Protocol)
            }
            b"Transient" => (Outcome::Deferred, NoReply::Protocol),
            b"DnsError" => (Outcome::Bounced, NoReply::Dns),
            b"ManuallyDeactivated" | b"ManualSuppression" | b"Unconfirmed" => {
                if desk.is_new(&[b"Bounce", &self.id.to_text()]) {
                    let queue_id = json::bytes(self.message_id.as_ref());
                    desk.suspended(NoAttempt { queue_id, recipient: Recipient::parse(recipient) });
                }
                return Ok(());
            }
            b"Unsubscribe"
            | b"Subscribe"
            | b"AutoResponder"
            | b"AddressChange"
            | b"OpenRelayTest"
            | b"ChallengeVerification"
            | b"SpamComplaint"
            | b"SMTPApiError"
            | b"InboundError"
            | b"TemplateRenderingFailed" => return Ok(()),
            _ => {
                desk.unknown();
                return Ok(());
            }
        };
        if desk.is_new(&[b"Bounce", &self.id.to_text()]) {
            let answer = answer::diagnostic(json::bytes(self.details.as_ref()), otherwise);
            desk.attempt(self.attempt(recipient, answer, outcome));
        }
        Ok(())
    }

    fn attempt<'a>(
        &'a self,
        recipient: &'a [u8],
        answer: Answer<'a>,
        outcome: Outcome,
    ) -> DeliveryAttempt<'a> {
        DeliveryAttempt {
            queue_id: json::bytes(self.message_id.as_ref()),
            recipient: Recipient::parse(recipient),
            relay: Relay::default(),
            answer,
            answer_counted: false,
            outcome,
            phase: None,
            delay_seconds: None,
        }
    }
}
