//! Momentum (Ecelerity): `mainlog` and `bouncelog`, records with `@` between their fields, placed
//! by the letter of their type.
//!
//! Written after the vendor's documents, not yet seen live. In 3.x and later the letter is the
//! fifth field, in 2.x the third.
//!
//! - A delivery (`D`) has no reply: 250 is taken for granted. Neither `D` nor `T` and `P` tell the
//!   recipient beyond its domain, so recipients of one message cannot be told apart.
//! - Texts that say `[internal]` after their codes were made up by Momentum.
//! - The bounce log repeats what `T` and `P` told; its records are not counted.
//! - Momentum's event webhooks from 4.2 on have the form of SparkPost's.

use super::{Dialect, LineKind, Out, Reading, Why, answer};
use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, NoAttempt, NoReply, Outcome, Recipient, Relay,
};
use crate::envelope::Record;

/// Whether a line has the shape of a record: a time, ids, and a letter where the type stands.
pub(super) fn recognise(message: &[u8]) -> bool {
    split(message).is_some()
}

/// A record: what names the message, the letter, and the fields after it.
struct Parts<'a> {
    id: &'a [u8],
    kind: &'a [u8],
    fields: &'a [u8],
}

fn split(message: &[u8]) -> Option<Parts<'_>> {
    let (time, rest) = field(message)?;
    if time.len() < 9 || time.len() > 20 {
        return None;
    }
    if !time.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return None;
    }
    let (id, rest) = field(rest)?;
    let (third, after_third) = field(rest).unwrap_or((rest, b""));
    // Ids are made of hexadecimal groups, a type of one letter.
    if is_type(third) && !id.is_empty() {
        return Some(Parts { id, kind: third, fields: after_third });
    }
    let (_connection, rest) = field(after_third)?;
    let (kind, fields) = field(rest).unwrap_or((rest, b""));
    (is_type(kind) || kind.starts_with(b"M")).then_some(Parts { id, kind, fields })
}

fn is_type(field: &[u8]) -> bool {
    matches!(field, [b'A'..=b'Z'])
}

/// What stands before the first `@`, and what after it.
fn field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    super::text::cut(text, b"@")
}

/// Reads one record.
pub(super) fn read(record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
    let Some(Parts { id, kind, fields }) = split(record.message) else {
        return LineKind::Irrelevant;
    };
    match kind {
        b"D" => delivery(id, fields, out),
        b"T" | b"P" => failure(id, kind == b"P", fields, out),
        // Received, rejected, transferred within the cluster, bounced (told by T and P before),
        // feedback; and heartbeats.
        _ => LineKind::Irrelevant,
    }
}

/// `domain@size@group@binding@retries@seconds@address`.
fn delivery(id: &[u8], fields: &[u8], out: &mut Out<'_>) -> LineKind {
    let mut parts = fields.split(|byte| *byte == b'@');
    let domain = parts.next().unwrap_or_default();
    let seconds = parts.nth(4);
    let Some(ip) = parts.next() else { return LineKind::Unreadable(Why::Truncated) };
    if parts.next().is_some() {
        return LineKind::Unreadable(Why::Malformed);
    }
    attempt(id, domain, seconds, ip, answer::accepted(b""), Outcome::Delivered, out)
}

/// `domain@size@group@binding@stage@retries@seconds@address@text`, with a `@` in the text perhaps.
fn failure(id: &[u8], permanent: bool, fields: &[u8], out: &mut Out<'_>) -> LineKind {
    let mut parts = fields.splitn(9, |byte| *byte == b'@');
    let domain = parts.next().unwrap_or_default();
    // Records of the bounce log have this letter too, with the recipient's domain in this place.
    if !parts.next().is_some_and(is_number) {
        return LineKind::Irrelevant;
    }
    let seconds = parts.nth(4);
    let (Some(ip), Some(text)) = (parts.next(), parts.next()) else {
        return LineKind::Unreadable(Why::Truncated);
    };
    let recipient = of_domain(domain);
    let answer = match answer::internal(text) {
        Some(internal) if internal.is_over() => {
            return hand_out(
                Reading::Expiry(Expiry { queue_id: id, recipient: Some(recipient) }),
                out,
            );
        }
        Some(internal) if internal.was_not_tried() => {
            return hand_out(Reading::Suspended(NoAttempt { queue_id: id, recipient }), out);
        }
        Some(internal) => answer::no_reply(internal.text, NoReply::Local),
        None => answer::diagnostic(text, NoReply::Protocol),
    };
    let outcome = if permanent { Outcome::Bounced } else { Outcome::Deferred };
    attempt(id, domain, seconds, ip, answer, outcome, out)
}

fn attempt(
    id: &[u8],
    domain: &[u8],
    seconds: Option<&[u8]>,
    ip: &[u8],
    answer: Answer<'_>,
    outcome: Outcome,
    out: &mut Out<'_>,
) -> LineKind {
    let recipient = of_domain(domain);
    if answer::is_here(ip) {
        return hand_out(Reading::Local(NoAttempt { queue_id: id, recipient }), out);
    }
    let delay = seconds.and_then(|seconds| std::str::from_utf8(seconds).ok()?.parse().ok());
    let reading = Reading::Attempt(DeliveryAttempt {
        queue_id: id,
        recipient,
        relay: Relay { host: b"", ip },
        answer,
        answer_counted: false,
        outcome,
        phase: None,
        delay_seconds: delay.filter(|delay: &f64| delay.is_finite() && *delay >= 0.0),
    });
    hand_out(reading, out)
}

fn hand_out(reading: Reading<'_>, out: &mut Out<'_>) -> LineKind {
    let kind = reading.kind();
    out(Dialect::Momentum, kind, reading);
    kind
}

fn of_domain(domain: &[u8]) -> Recipient<'_> {
    Recipient::with_key(domain, Recipient::parse(domain).key())
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}
