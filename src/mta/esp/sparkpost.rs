//! SparkPost, and Momentum's event webhooks from 4.2 on: lists of `{"msys":{"message_event":...}}`.
//!
//! `raw_reason` holds the reply in full, `reason` the same with addresses taken out. A reason that
//! says `[internal]` after its codes was made up by the service: no server said it.

use serde::Deserialize;

use super::Desk;
use crate::attempt::{Answer, DeliveryAttempt, NoAttempt, NoReply, Outcome, Recipient, Relay};
use crate::mta::json::{self, Loose, Text};
use crate::mta::{Why, answer};

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    msys: Inner<'a>,
}

/// Events of other kinds (tracking, unsubscribing, generation, relaying) have other keys here.
#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow, default)]
    message_event: Option<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    event_id: Loose<'a>,
    #[serde(borrow, default)]
    message_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    timestamp: Loose<'a>,
    #[serde(borrow, default)]
    raw_rcpt_to: Option<Text<'a>>,
    #[serde(borrow, default)]
    rcpt_to: Option<Text<'a>>,
    #[serde(borrow, default)]
    error_code: Loose<'a>,
    #[serde(borrow, default)]
    raw_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    ip_address: Option<Text<'a>>,
    #[serde(borrow, default)]
    queue_time: Loose<'a>,
}

/// Reads one line.
pub(super) fn read(text: &[u8], desk: &mut Desk<'_, '_>) -> Result<(), Why> {
    super::each(text, |outer: &Outer<'_>| match &outer.msys.message_event {
        Some(item) => item.read(desk),
        None => Ok(()),
    })
}

impl Item<'_> {
    fn read(&self, desk: &mut Desk<'_, '_>) -> Result<(), Why> {
        let outcome = match self.kind.bytes() {
            b"delivery" => Outcome::Delivered,
            b"delay" => Outcome::Deferred,
            b"bounce" => Outcome::Bounced,
            b"policy_rejection" | b"generation_failure" | b"generation_rejection" => {
                if self.is_new(desk) {
                    desk.suspended(self.kept());
                }
                return Ok(());
            }
            b"injection" | b"reception" | b"out_of_band" | b"spam_complaint" | b"sms_status"
            | b"feedback" => return Ok(()),
            _ => {
                desk.unknown();
                return Ok(());
            }
        };
        if self.recipient().is_empty() {
            return Err(Why::Malformed);
        }
        if !self.is_new(desk) {
            return Ok(());
        }
        let text = json::bytes(self.raw_reason.as_ref().or(self.reason.as_ref()));
        let answer = match answer::internal(text) {
            _ if outcome == Outcome::Delivered => answer::accepted(text),
            Some(internal) if internal.is_over() => {
                desk.expired(self.kept());
                return Ok(());
            }
            Some(internal) if internal.was_not_tried() => {
                desk.suspended(self.kept());
                return Ok(());
            }
            Some(internal) => answer::no_reply(internal.text, NoReply::Local),
            None => self.answer(text),
        };
        let NoAttempt { queue_id, recipient } = self.kept();
        desk.attempt(DeliveryAttempt {
            queue_id,
            recipient,
            relay: Relay { host: b"", ip: json::bytes(self.ip_address.as_ref()) },
            answer,
            answer_counted: false,
            outcome,
            phase: None,
            delay_seconds: self.queue_time.number().map(|millis| millis / 1000.0),
        });
        Ok(())
    }

    fn answer<'a>(&self, text: &'a [u8]) -> Answer<'a> {
        match (answer::reply(text), self.error_code.code()) {
            (Some(reply), _) => Answer::Reply(reply),
            (None, Some(code)) => answer::with_code(code, None, text),
            (None, None) => answer::no_reply(text, NoReply::Protocol),
        }
    }

    fn is_new(&self, desk: &mut Desk<'_, '_>) -> bool {
        match &*self.event_id.to_text() {
            b"" => desk.is_new(&[
                self.kind.bytes(),
                json::bytes(self.message_id.as_ref()),
                self.recipient(),
                &self.timestamp.to_text(),
            ]),
            id => desk.is_new(&[id]),
        }
    }

    fn recipient(&self) -> &[u8] {
        json::bytes(self.raw_rcpt_to.as_ref().or(self.rcpt_to.as_ref()))
    }

    fn kept(&self) -> NoAttempt<'_> {
        NoAttempt {
            queue_id: json::bytes(self.message_id.as_ref()),
            recipient: Recipient::parse(self.recipient()),
        }
    }
}
