//! Amazon SES: event publishing and feedback notifications, bare as Firehose stores them, in the
//! envelope of SNS (`{"Type":"Notification","Message":"{...}"}`) or of EventBridge (`detail`).
//!
//! A `Bounce` is final even where its type is `Transient`: SES has tried for as long as it does.
//! `status` is what SES makes of the reply; where the reply had an enhanced code, its text has it.
//! SES tells no MX name, so the recipient's domain tells who answered.

use serde::Deserialize;

use super::Desk;
use crate::attempt::{Answer, DeliveryAttempt, NoAttempt, NoReply, Outcome, Recipient, Relay};
use crate::mta::json::{self, Text, Texts};
use crate::mta::{Why, answer};
use crate::smtp::EnhancedStatusCode;

/// An event, or an envelope around one.
#[derive(Deserialize)]
struct Item<'a> {
    /// SNS: an event as a string.
    #[serde(borrow, default, rename = "Message")]
    message: Option<Text<'a>>,
    /// EventBridge: an event as an object.
    #[serde(borrow, default)]
    detail: Option<Box<Item<'a>>>,
    #[serde(borrow, default)]
    source: Option<Text<'a>>,
    #[serde(borrow, default, rename = "eventType")]
    event_type: Option<Text<'a>>,
    #[serde(borrow, default, rename = "notificationType")]
    notification_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    mail: Option<Mail<'a>>,
    #[serde(borrow, default)]
    bounce: Option<Bounce<'a>>,
    #[serde(borrow, default)]
    delivery: Option<Delivery<'a>>,
    #[serde(borrow, default, rename = "deliveryDelay")]
    delay: Option<Delay<'a>>,
}

#[derive(Deserialize)]
struct Mail<'a> {
    #[serde(borrow, default, rename = "messageId")]
    message_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce<'a> {
    #[serde(borrow, default, rename = "bounceSubType")]
    sub_type: Option<Text<'a>>,
    #[serde(borrow, rename = "bouncedRecipients")]
    recipients: Vec<Failure<'a>>,
    #[serde(borrow, default)]
    timestamp: Option<Text<'a>>,
    #[serde(borrow, default)]
    feedback_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    remote_mta_ip: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery<'a> {
    #[serde(borrow)]
    recipients: Texts<'a>,
    #[serde(borrow, default)]
    timestamp: Option<Text<'a>>,
    #[serde(default)]
    processing_time_millis: Option<f64>,
    #[serde(borrow, default)]
    smtp_response: Option<Text<'a>>,
    #[serde(borrow, default)]
    remote_mta_ip: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delay<'a> {
    #[serde(borrow, default, rename = "delayType")]
    kind: Option<Text<'a>>,
    #[serde(borrow, rename = "delayedRecipients")]
    recipients: Vec<Failure<'a>>,
    #[serde(borrow, default)]
    timestamp: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    #[serde(borrow)]
    email_address: Text<'a>,
    #[serde(borrow, default)]
    diagnostic_code: Option<Text<'a>>,
}

/// Reads one line.
pub(super) fn read(text: &[u8], desk: &mut Desk<'_, '_>) -> Result<(), Why> {
    super::each(text, |item: &Item<'_>| match (&item.message, &item.detail) {
        (Some(Text(inner)), _) if inner.trim_ascii_start().starts_with(b"{") => {
            json::parse::<Item<'_>>(inner)?.read(desk)
        }
        (None, Some(detail)) if json::bytes(item.source.as_ref()) == b"aws.ses" => {
            detail.read(desk)
        }
        (None, None) => item.read(desk),
        // SNS says hello in plain text, and other services use both.
        _ => Ok(()),
    })
}

impl Item<'_> {
    fn read(&self, desk: &mut Desk<'_, '_>) -> Result<(), Why> {
        let Some(Text(kind)) = self.event_type.as_ref().or(self.notification_type.as_ref()) else {
            return Ok(());
        };
        match &**kind {
            b"Bounce" => self.bounce(desk, self.bounce.as_ref().ok_or(Why::NoStatus)?),
            b"Delivery" => self.delivery(desk, self.delivery.as_ref().ok_or(Why::NoStatus)?),
            b"DeliveryDelay" => self.delay(desk, self.delay.as_ref().ok_or(Why::NoStatus)?),
            b"Send"
            | b"Reject"
            | b"Complaint"
            | b"Open"
            | b"Click"
            | b"Subscription"
            | b"Rendering Failure"
            | b"Received"
            | b"AmazonSnsSubscriptionSucceeded" => {}
            _ => desk.unknown(),
        }
        Ok(())
    }

    fn message_id(&self) -> &[u8] {
        self.mail.as_ref().map_or(b"", |mail| json::bytes(mail.message_id.as_ref()))
    }

    fn delivery(&self, desk: &mut Desk<'_, '_>, delivery: &Delivery<'_>) {
        for address in &delivery.recipients.0 {
            let at = json::bytes(delivery.timestamp.as_ref());
            if !desk.is_new(&[b"Delivery", self.message_id(), address.bytes(), at]) {
                continue;
            }
            desk.attempt(DeliveryAttempt {
                queue_id: self.message_id(),
                recipient: Recipient::parse(address.bytes()),
                relay: Relay { host: b"", ip: json::bytes(delivery.remote_mta_ip.as_ref()) },
                answer: answer::accepted(json::bytes(delivery.smtp_response.as_ref())),
                answer_counted: false,
                outcome: Outcome::Delivered,
                phase: None,
                delay_seconds: delivery.processing_time_millis.map(|millis| millis / 1000.0),
            });
        }
    }

    fn bounce(&self, desk: &mut Desk<'_, '_>, bounce: &Bounce<'_>) {
        let sub_type = json::bytes(bounce.sub_type.as_ref());
        let suppressed = matches!(sub_type, b"Suppressed" | b"OnAccountSuppressionList");
        for failure in &bounce.recipients {
            let address = failure.email_address.bytes();
            let id = match json::bytes(bounce.feedback_id.as_ref()) {
                b"" => json::bytes(bounce.timestamp.as_ref()),
                id => id,
            };
            if !desk.is_new(&[b"Bounce", self.message_id(), address, id]) {
                continue;
            }
            let ip = json::bytes(bounce.remote_mta_ip.as_ref());
            match failure.answer() {
                _ if suppressed => desk.suspended(self.kept(address)),
                None => desk.expired(self.kept(address)),
                Some(answer) => {
                    desk.attempt(self.failed(failure, ip, answer, Outcome::Bounced));
                }
            }
        }
    }

    fn delay(&self, desk: &mut Desk<'_, '_>, delay: &Delay<'_>) {
        let delay_type = json::bytes(delay.kind.as_ref());
        for failure in &delay.recipients {
            let address = failure.email_address.bytes();
            let at = json::bytes(delay.timestamp.as_ref());
            if !desk.is_new(&[b"DeliveryDelay", self.message_id(), address, at]) {
                continue;
            }
            let otherwise = match delay_type {
                // SES itself holds the mail back for a while.
                b"SendingDeferral" => {
                    desk.suspended(self.kept(address));
                    continue;
                }
                b"InternalFailure" => NoReply::Local,
                b"BYOIPHostNameLookupUnavailable" => NoReply::Dns,
                _ => NoReply::Protocol,
            };
            let answer = match failure.answer() {
                // The codes of these were made up by SES: no server was reached.
                Some(Answer::Reply(reply))
                    if otherwise != NoReply::Protocol
                        || delay_type == b"TransientCommunicationFailure" =>
                {
                    answer::no_reply(reply.text, otherwise)
                }
                Some(Answer::NoReply { text, .. }) => answer::no_reply(text, otherwise),
                Some(answer) => answer,
                None => continue,
            };
            desk.attempt(self.failed(failure, b"", answer, Outcome::Deferred));
        }
    }

    fn kept<'a>(&'a self, address: &'a [u8]) -> NoAttempt<'a> {
        NoAttempt { queue_id: self.message_id(), recipient: Recipient::parse(address) }
    }

    fn failed<'a>(
        &'a self,
        failure: &'a Failure<'_>,
        ip: &'a [u8],
        answer: Answer<'a>,
        outcome: Outcome,
    ) -> DeliveryAttempt<'a> {
        DeliveryAttempt {
            queue_id: self.message_id(),
            recipient: Recipient::parse(failure.email_address.bytes()),
            relay: Relay { host: b"", ip },
            answer,
            answer_counted: false,
            outcome,
            phase: None,
            delay_seconds: None,
        }
    }
}

impl Failure<'_> {
    /// What the remote said; `None` where SES gave up because the time was over.
    fn answer(&self) -> Option<Answer<'_>> {
        let text = json::bytes(self.diagnostic_code.as_ref());
        let answer = answer::diagnostic(text, NoReply::Protocol);
        let Answer::Reply(reply) = answer else { return Some(answer) };
        let words = words(reply.text);
        if words.starts_with(b"Message expired") {
            return None;
        }
        let made_up: &[&[u8]] = &[b"Unable to lookup DNS", b"Unable to connect to remote host"];
        Some(if made_up.iter().any(|start| words.starts_with(start)) {
            answer::no_reply(words, NoReply::Unreachable)
        } else {
            answer
        })
    }
}

/// What follows the codes of a reply.
fn words(text: &[u8]) -> &[u8] {
    let rest = text.get(3..).unwrap_or_default().trim_ascii_start();
    match EnhancedStatusCode::parse(rest) {
        Some((_, length)) => rest.get(length..).unwrap_or_default().trim_ascii_start(),
        None => rest,
    }
}
