//! Events of email service providers: lines of JSON, each an event or a list of them.
//!
//! Written after the vendors' documents and public fixtures, not yet seen live. The events are what
//! the webhooks carry, stored one request per line; nothing here checks a signature, for a file is
//! trusted as any log is.
//!
//! What all of them share:
//! - Each event comes at least once. It is counted once, by its id or, where it has none, by what
//!   makes it one: message, recipient, kind and time. The memory of them is bounded.
//! - Mail that was stopped by the service's own list of bad addresses, or by its rules, reached no
//!   server: no attempt was made, and nothing is counted but the line.
//! - A bounce after the acceptance came later, in a bounce message, and answers no attempt. The
//!   acceptance was counted.
//! - Opens, clicks, complaints and the like answer no attempt either.

mod brevo;
mod mailgun;
mod mandrill;
mod postmark;
mod sendgrid;
mod ses;
mod sparkpost;

use serde::{Deserialize, Serialize};

use super::seen::Seen;
use super::{Dialect, LineKind, Out, Reading, Why};
use crate::attempt::{DeliveryAttempt, Expiry, NoAttempt, Outcome};
use crate::envelope::Record;

/// How many events, and how many acceptances, are remembered.
const EVENTS_MAX: usize = 32_768;

/// Whether a line is a request's body in the form that Mandrill sends.
pub(super) fn is_form(message: &[u8]) -> bool {
    message.starts_with(mandrill::FORM)
}

/// Reads a line.
type Read = fn(&[u8], &mut Desk<'_, '_>) -> Result<(), Why>;

/// The services, and what reads their events.
const SERVICES: &[(Dialect, Read)] = &[
    (Dialect::AmazonSes, ses::read),
    (Dialect::SendGrid, sendgrid::read),
    (Dialect::Mailgun, mailgun::read),
    (Dialect::Postmark, postmark::read),
    (Dialect::SparkPost, sparkpost::read),
    (Dialect::Mandrill, mandrill::read),
    (Dialect::Brevo, brevo::read),
];

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Esp {
    events: Seen<EVENTS_MAX>,
    accepted: Seen<EVENTS_MAX>,
}

impl Esp {
    /// Reads one line of the events of a service.
    pub(super) fn read(
        &mut self,
        dialect: Dialect,
        record: &Record<'_>,
        out: &mut Out<'_>,
    ) -> LineKind {
        let Some((_, read)) = SERVICES.iter().find(|(service, _)| *service == dialect) else {
            return LineKind::Irrelevant;
        };
        let mut desk = Desk { dialect, memory: self, out, kind: LineKind::Irrelevant };
        match read(record.message, &mut desk) {
            Ok(()) => desk.kind,
            Err(why) => desk.kind.with(LineKind::Unreadable(why)),
        }
    }

    /// How many things were forgotten because there was no room.
    pub(super) fn evicted(&self) -> u64 {
        self.events.evicted() + self.accepted.evicted()
    }
}

/// Takes in the events of a line.
struct Desk<'d, 'o> {
    dialect: Dialect,
    memory: &'d mut Esp,
    out: &'d mut Out<'o>,
    kind: LineKind,
}

impl Desk<'_, '_> {
    /// Whether an event, named by these parts, was not read before.
    fn is_new(&mut self, parts: &[&[u8]]) -> bool {
        let label = self.dialect.as_str().as_bytes();
        let parts: Vec<&[u8]> = std::iter::once(label).chain(parts.iter().copied()).collect();
        self.memory.events.is_new(&parts)
    }

    /// An event whose kind nobody told us about.
    fn unknown(&mut self) {
        self.kind = self.kind.with(LineKind::Unreadable(Why::UnknownStatus));
    }

    /// An attempt to hand over mail.
    fn attempt(&mut self, attempt: DeliveryAttempt<'_>) {
        let recipient = attempt.recipient.key().to_ne_bytes();
        let message: &[&[u8]] = &[self.dialect.as_str().as_bytes(), attempt.queue_id, &recipient];
        match attempt.outcome {
            Outcome::Delivered if !attempt.queue_id.is_empty() => {
                self.memory.accepted.is_new(message);
            }
            Outcome::Bounced if self.memory.accepted.has(message) => return,
            Outcome::Delivered | Outcome::Deferred | Outcome::Bounced | Outcome::Expired => {}
        }
        self.hand_out(Reading::Attempt(attempt));
    }

    /// Mail that the service kept back.
    fn suspended(&mut self, kept: NoAttempt<'_>) {
        self.hand_out(Reading::Suspended(kept));
    }

    /// Mail whose time is over.
    fn expired(&mut self, kept: NoAttempt<'_>) {
        let NoAttempt { queue_id, recipient } = kept;
        self.hand_out(Reading::Expiry(Expiry { queue_id, recipient: Some(recipient) }));
    }

    fn hand_out(&mut self, reading: Reading<'_>) {
        let kind = reading.kind();
        self.kind = self.kind.with(kind);
        (self.out)(self.dialect, kind, reading);
    }
}

/// Reads a line that is one event or a list of events.
fn each<'a, T: Deserialize<'a>>(
    text: &'a [u8],
    mut event: impl FnMut(&T) -> Result<(), Why>,
) -> Result<(), Why> {
    if text.trim_ascii_start().first() == Some(&b'[') {
        let events: Vec<T> = super::json::parse(text)?;
        events.iter().try_for_each(event)
    } else {
        event(&super::json::parse(text)?)
    }
}
