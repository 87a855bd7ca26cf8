//! Mandrill (Mailchimp Transactional): a list of events per request, as the form field
//! `mandrill_events` or as bare JSON.
//!
//! `send` and `delivered` both tell of the acceptance, and either may be switched off, so that the
//! first of them counts. `_id` names the message, not the event.

use std::borrow::Cow;

use serde::Deserialize;

use super::Desk;
use crate::attempt::{DeliveryAttempt, NoAttempt, NoReply, Outcome, Recipient, Relay};
use crate::mta::json::{self, Loose, Text};
use crate::mta::{Why, answer};

/// What a request's body starts with.
pub(super) const FORM: &[u8] = b"mandrill_events=";

#[derive(Deserialize)]
struct Item<'a> {
    /// Absent in events about lists, which have a `type` instead.
    #[serde(borrow, default)]
    event: Option<Text<'a>>,
    #[serde(borrow, default, rename = "_id")]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    ts: Loose<'a>,
    #[serde(borrow, default)]
    msg: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    email: Option<Text<'a>>,
    #[serde(borrow, default)]
    diag: Option<Text<'a>>,
    #[serde(borrow, default)]
    bounce_description: Option<Text<'a>>,
    #[serde(borrow, default)]
    smtp_events: Option<Vec<Conversation<'a>>>,
}

#[derive(Deserialize)]
struct Conversation<'a> {
    #[serde(borrow, default)]
    diag: Option<Text<'a>>,
    #[serde(borrow, default)]
    destination_ip: Option<Text<'a>>,
}

/// Reads one line.
pub(super) fn read(text: &[u8], desk: &mut Desk<'_, '_>) -> Result<(), Why> {
    let text = match text.strip_prefix(FORM) {
        Some(form) => form_value(form),
        None => Cow::Borrowed(text),
    };
    super::each(&text, |item: &Item<'_>| item.read(desk))
}

impl Item<'_> {
    fn read(&self, desk: &mut Desk<'_, '_>) -> Result<(), Why> {
        let outcome = match json::bytes(self.event.as_ref()) {
            b"send" | b"delivered" => Outcome::Delivered,
            b"deferral" => Outcome::Deferred,
            b"hard_bounce" | b"soft_bounce" => Outcome::Bounced,
            b"reject" => {
                if self.is_new(desk) {
                    desk.suspended(self.kept());
                }
                return Ok(());
            }
            b"" | b"open" | b"click" | b"spam" | b"unsub" | b"inbound" => return Ok(()),
            _ => {
                desk.unknown();
                return Ok(());
            }
        };
        let Some(message) = self.msg.as_ref().filter(|message| message.email.is_some()) else {
            return Err(Why::Malformed);
        };
        if !self.is_new(desk) {
            return Ok(());
        }
        let last = message.smtp_events.as_ref().and_then(|events| events.last());
        let said = last.map_or(&b""[..], |last| json::bytes(last.diag.as_ref()));
        let text = match (said, json::bytes(message.diag.as_ref())) {
            (b"", b"") => json::bytes(message.bounce_description.as_ref()),
            (b"", text) | (text, _) => text,
        };
        let answer = match outcome {
            Outcome::Delivered => answer::accepted(answer::smtp_type(text).unwrap_or(text)),
            Outcome::Deferred | Outcome::Bounced | Outcome::Expired => {
                answer::diagnostic(text, NoReply::Protocol)
            }
        };
        let NoAttempt { queue_id, recipient } = self.kept();
        let ip = last.map_or(&b""[..], |last| json::bytes(last.destination_ip.as_ref()));
        desk.attempt(DeliveryAttempt {
            queue_id,
            recipient,
            relay: Relay { host: b"", ip },
            answer,
            answer_counted: false,
            outcome,
            phase: None,
            delay_seconds: None,
        });
        Ok(())
    }

    fn is_new(&self, desk: &mut Desk<'_, '_>) -> bool {
        let id = json::bytes(self.id.as_ref());
        match json::bytes(self.event.as_ref()) {
            b"send" | b"delivered" => desk.is_new(&[b"accepted", id]),
            event => desk.is_new(&[event, id, &self.ts.to_text()]),
        }
    }

    fn kept(&self) -> NoAttempt<'_> {
        let email = self.msg.as_ref().and_then(|message| message.email.as_ref());
        NoAttempt {
            queue_id: json::bytes(self.id.as_ref()),
            recipient: Recipient::parse(json::bytes(email)),
        }
    }
}

/// The value of a form field (`application/x-www-form-urlencoded`), up to the next field.
fn form_value(form: &[u8]) -> Cow<'static, [u8]> {
    let end = memchr::memchr(b'&', form).unwrap_or(form.len());
    let mut rest = form.get(..end).unwrap_or(form);
    let mut value = Vec::with_capacity(rest.len());
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let hex = |at: usize| char::from(*after.get(at)?).to_digit(16);
        match (byte, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                value.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', ..) => value.push(b' '),
            (byte, ..) => value.push(*byte),
        }
    }
    Cow::Owned(value)
}
