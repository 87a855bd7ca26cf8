//! Brevo (formerly Sendinblue): the webhook of transactional mail, one object per request.
//!
//! There is no event id: an event is what happened to a recipient of a message at a time. The
//! reason has words of Brevo's before the reply, with or without a code of their own:
//! `550 RecipientError: 550 5.1.1 ...`.

use serde::Deserialize;

use super::Desk;
use crate::attempt::{DeliveryAttempt, NoAttempt, NoReply, Outcome, Recipient, Relay};
use crate::mta::json::{self, Loose, Text};
use crate::mta::{Why, answer};

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow)]
    email: Text<'a>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(borrow, default, rename = "message-id")]
    message_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    ts_epoch: Loose<'a>,
    #[serde(borrow, default)]
    ts_event: Loose<'a>,
}

/// Reads one line.
pub(super) fn read(text: &[u8], desk: &mut Desk<'_, '_>) -> Result<(), Why> {
    super::each(text, |item: &Item<'_>| {
        item.read(desk);
        Ok(())
    })
}

impl Item<'_> {
    fn read(&self, desk: &mut Desk<'_, '_>) {
        let queue_id = json::bytes(self.message_id.as_ref());
        let recipient = Recipient::parse(self.email.bytes());
        let outcome = match self.event.bytes() {
            b"delivered" => Outcome::Delivered,
            b"deferred" => Outcome::Deferred,
            b"soft_bounce" | b"hard_bounce" | b"error" => Outcome::Bounced,
            b"blocked" | b"invalid_email" => {
                if self.is_new(desk) {
                    desk.suspended(NoAttempt { queue_id, recipient });
                }
                return;
            }
            b"request" | b"sent" | b"spam" | b"complaint" | b"opened" | b"unique_opened"
            | b"first_opening" | b"loaded_by_proxy" | b"proxy_open" | b"unique_proxy_open"
            | b"click" | b"unsubscribe" | b"unsubscribed" | b"list_addition"
            | b"contact_updated" | b"contact_deleted" => return,
            _ => return desk.unknown(),
        };
        if !self.is_new(desk) {
            return;
        }
        let text = reply_in(json::bytes(self.reason.as_ref()));
        let answer = match outcome {
            Outcome::Delivered => answer::accepted(text),
            Outcome::Deferred | Outcome::Bounced | Outcome::Expired => {
                answer::diagnostic(text, NoReply::Protocol)
            }
        };
        desk.attempt(DeliveryAttempt {
            queue_id,
            recipient,
            relay: Relay::default(),
            answer,
            answer_counted: false,
            outcome,
            phase: None,
            delay_seconds: None,
        });
    }

    fn is_new(&self, desk: &mut Desk<'_, '_>) -> bool {
        let at = match self.ts_epoch.to_text() {
            at if at.is_empty() => self.ts_event.to_text(),
            at => at,
        };
        let message_id = json::bytes(self.message_id.as_ref());
        desk.is_new(&[self.event.bytes(), message_id, self.email.bytes(), &at])
    }
}

/// The reply in a reason, without what Brevo writes before it.
fn reply_in(reason: &[u8]) -> &[u8] {
    /// How long Brevo's own words are at most: a code and a name such as `RecipientError`.
    const WORDS_MAX: usize = 48;
    const MARK: &[u8] = b"Error: ";
    let reason = reason.trim_ascii();
    let reason = reason.strip_prefix(b"undefined ").unwrap_or(reason);
    let near = reason.get(..WORDS_MAX).unwrap_or(reason);
    let inner = memchr::memmem::find(near, MARK)
        .and_then(|at| reason.get(at + MARK.len()..))
        .map(<[u8]>::trim_ascii_start);
    match inner {
        Some(inner) if answer::reply(inner).is_some() => inner,
        _ => reason,
    }
}
