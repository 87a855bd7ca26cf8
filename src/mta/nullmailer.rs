//! nullmailer: the lines of `nullmailer-send` and its helper (`src/send.cc`, `protocols/smtp.cc`).
//!
//! Written after the source, not yet seen live. Messages are sent one after the other, so that the
//! lines between two starts belong together: the server, the recipients, what the server said, and
//! what became of it.

use serde::{Deserialize, Serialize};

use super::recent::Bytes;
use super::text::{angle, cut};
use super::{Dialect, LineKind, Out, Reading, Why, answer};
use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, NoAttempt, NoReply, Outcome, Recipient, Relay,
};
use crate::envelope::Record;

/// How many recipients of one message are remembered.
const RECIPIENTS_MAX: usize = 1_000;

/// The delivery that is going on.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Nullmailer {
    active: bool,
    host: Bytes,
    file: Bytes,
    /// Domain and key of each recipient.
    recipients: Vec<(Bytes, u64)>,
    /// What the server said, in the helper's words.
    reply: Bytes,
}

/// Whether a program is nullmailer.
pub(super) fn recognise(program: &[u8]) -> bool {
    program.starts_with(b"nullmailer")
}

/// Whether a line begins a delivery.
pub(super) fn is_shaped(message: &[u8]) -> bool {
    without_stamp(message).starts_with(b"Starting delivery: host: ")
}

/// The line without the time stamp of multilog: `@` and 24 hexadecimal digits.
fn without_stamp(line: &[u8]) -> &[u8] {
    match (line.first(), line.get(25)) {
        (Some(b'@'), Some(b' ')) => line.get(26..).unwrap_or_default(),
        _ => line,
    }
}

impl Nullmailer {
    /// Whether a delivery is going on, and this may be one of its lines.
    pub(super) fn expects(&self, message: &[u8]) -> bool {
        let starts: &[&[u8]] = &[
            b"From: <",
            b"Message-Id: ",
            b"smtp: ",
            b"qmqp: ",
            b"Sent file.",
            b"Sending failed: ",
            b"Moving message ",
            b"Generating bounce for ",
            b"Delivery complete, ",
        ];
        self.active && starts.iter().any(|start| without_stamp(message).starts_with(start))
    }

    /// Reads one record.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        let text = without_stamp(record.message);
        if let Some(rest) = text.strip_prefix(b"Starting delivery: host: ") {
            return self.begin(rest);
        }
        if let Some(rest) = text.strip_prefix(b"From: <") {
            return self.addresses(rest);
        }
        let said = text.strip_prefix(b"smtp: ").or_else(|| text.strip_prefix(b"qmqp: "));
        if let Some(said) = said {
            self.reply = Bytes::from(cut(said, b": ").map_or(said, |(_, reply)| reply));
            return LineKind::State;
        }
        if text.starts_with(b"Sent file.") {
            return self.end(Outcome::Delivered, b"", out);
        }
        if let Some(reason) = text.strip_prefix(b"Sending failed: ") {
            let permanent = reason.to_ascii_lowercase().starts_with(b"permanent");
            let outcome = if permanent { Outcome::Bounced } else { Outcome::Deferred };
            return self.end(outcome, reason, out);
        }
        LineKind::Irrelevant
    }

    /// `HOST protocol: smtp file: FILE`
    fn begin(&mut self, rest: &[u8]) -> LineKind {
        let Some((host, rest)) = cut(rest, b" protocol: ") else {
            return LineKind::Unreadable(Why::Malformed);
        };
        let file = cut(rest, b" file: ").map_or(&b""[..], |(_, file)| file);
        *self = Self {
            active: true,
            host: Bytes::from(host),
            file: Bytes::from(file),
            ..Self::default()
        };
        LineKind::State
    }

    /// `SENDER> to: <R1>, <R2>`
    fn addresses(&mut self, rest: &[u8]) -> LineKind {
        let Some((_, mut rest)) = cut(rest, b"> to: ") else {
            return LineKind::Unreadable(Why::Malformed);
        };
        while let Some((address, after)) = angle(rest) {
            let recipient = Recipient::parse(address);
            if self.recipients.len() < RECIPIENTS_MAX {
                self.recipients.push((Bytes::from(recipient.domain()), recipient.key()));
            }
            rest = after.strip_prefix(b", ").unwrap_or_default();
        }
        LineKind::State
    }

    fn end(&mut self, outcome: Outcome, reason: &[u8], out: &mut Out<'_>) -> LineKind {
        let done = std::mem::take(self);
        if !done.active {
            return LineKind::Unreadable(Why::NoStatus);
        }
        let answer = match (outcome, answer::reply(&done.reply)) {
            (Outcome::Delivered, _) => answer::accepted(&done.reply),
            (_, Some(reply)) => Answer::Reply(reply),
            (_, None) if done.reply.is_empty() => answer::no_reply(reason, NoReply::Lost),
            (_, None) => answer::no_reply(&done.reply, NoReply::Lost),
        };
        let expired = reason.to_ascii_lowercase().starts_with(b"message has expired");
        let here = answer::is_here(&done.host);
        let mut line = LineKind::State;
        for (domain, key) in &done.recipients {
            let recipient = Recipient::with_key(domain, *key);
            let kept = NoAttempt { queue_id: &done.file, recipient };
            let reading = if here {
                Reading::Local(kept)
            } else if expired {
                Reading::Expiry(Expiry { queue_id: &done.file, recipient: Some(recipient) })
            } else {
                Reading::Attempt(DeliveryAttempt {
                    queue_id: &done.file,
                    recipient,
                    relay: Relay { host: &done.host, ip: b"" },
                    answer,
                    answer_counted: false,
                    outcome,
                    phase: None,
                    delay_seconds: None,
                })
            };
            line = line.with(reading.kind());
            out(Dialect::Nullmailer, reading.kind(), reading);
        }
        line
    }
}
