//! The message tracking log.

use std::borrow::Cow;

use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, NoAttempt, NoReply, Outcome, Recipient, Relay,
};
use crate::mta::csv::Columns;
use crate::mta::text::{contains, cut, cut_last};
use crate::mta::{Dialect, LineKind, Out, Reading, answer, failure, stamp};

/// The columns that are asked for.
pub(super) const NAMES: &[&str] = &[
    "source",
    "event-id",
    "internal-message-id",
    "recipient-address",
    "recipient-status",
    "server-hostname",
    "server-ip",
    "date-time",
    "message-info",
];
const SOURCE: usize = 0;
const EVENT_ID: usize = 1;
const INTERNAL_ID: usize = 2;
const RECIPIENTS: usize = 3;
const STATUS: usize = 4;
const SERVER: usize = 5;
const SERVER_IP: usize = 6;
const DATE_TIME: usize = 7;
const MESSAGE_INFO: usize = 8;

/// Reads one row.
pub(super) fn read(columns: &Columns, fields: &[Cow<'_, [u8]>], out: &mut Out<'_>) -> LineKind {
    let get = |name| columns.get(fields, name);
    let outcome = match (get(SOURCE), get(EVENT_ID)) {
        (b"SMTP", b"SEND" | b"SENDEXTERNAL") => Outcome::Delivered,
        (b"SMTP" | b"DNS", b"DEFER") => Outcome::Deferred,
        (b"SMTP" | b"DNS" | b"QUEUE", b"FAIL") => Outcome::Bounced,
        // Mailboxes, rules and agents of this organisation.
        _ => return LineKind::Irrelevant,
    };
    let addresses: Vec<&[u8]> = get(RECIPIENTS).split(|byte| *byte == b';').collect();
    let statuses = statuses(get(STATUS), addresses.len());
    let server = Relay { host: get(SERVER), ip: get(SERVER_IP) };
    let sent = outcome == Outcome::Delivered;
    let mut line = LineKind::Irrelevant;
    for (at, address) in addresses.iter().filter(|address| !address.is_empty()).enumerate() {
        let status = statuses.get(at).copied().unwrap_or_default();
        let recipient = Recipient::parse(address);
        let queue_id = get(INTERNAL_ID);
        let kept = NoAttempt { queue_id, recipient };
        let reading = if sent && answer::is_here(server.ip) {
            Reading::Local(kept)
        } else if outcome == Outcome::Bounced && has_expired(status) {
            Reading::Expiry(Expiry { queue_id, recipient: Some(recipient) })
        } else {
            Reading::Attempt(DeliveryAttempt {
                queue_id,
                recipient,
                relay: if sent { server } else { relay(status) },
                answer: match get(SOURCE) {
                    _ if sent => answer::accepted(status),
                    b"DNS" => Answer::NoReply { cause: NoReply::Dns, text: last_error(status) },
                    _ => said(status),
                },
                answer_counted: false,
                outcome,
                phase: None,
                delay_seconds: arrival(get(MESSAGE_INFO), get(DATE_TIME)).filter(|_| sent),
            })
        };
        line = line.with(reading.kind());
        out(Dialect::Exchange, reading.kind(), reading);
    }
    line
}

/// The status of each recipient. They stand between semicolons, which those with an account in
/// brackets hold themselves; where they cannot be told apart, each recipient gets the whole.
fn statuses(field: &[u8], recipients: usize) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut depth = 0_usize;
    for (at, byte) in field.iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b';' if depth == 0 && field.get(at.wrapping_sub(1)) != Some(&b'}') => {
                parts.push(field.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(field.get(start..).unwrap_or_default());
    if parts.len() == recipients { parts } else { vec![field; recipients] }
}

/// What was said or met last: `LED=` within the account, or the whole status.
fn last_error(status: &[u8]) -> &[u8] {
    match cut(status, b"{LED=") {
        Some((_, rest)) => {
            let end = [&b"};{"[..], b"}]"].iter().find_map(|end| cut_last(rest, end));
            let error = cut(rest, b"};{FQDN=").map(|(error, _)| error);
            error.or(end.map(|(error, _)| error)).unwrap_or(rest)
        }
        None => status,
    }
}

fn said(status: &[u8]) -> Answer<'_> {
    let error = last_error(status);
    // What the other server said stands in quotes within what Exchange says.
    let quoted = cut(error, b"responded with: \"").map(|(_, rest)| {
        let end = memchr::memchr(b'"', rest).unwrap_or(rest.len());
        rest.get(..end).unwrap_or(rest)
    });
    let text = quoted.unwrap_or(error);
    let made_up = |text: &[u8]| {
        let near = text.get(..64).unwrap_or(text);
        let own = contains(near, b" 4.4.")
            || contains(near, b"5.4.")
            || contains(near, b"4.2.1 Unable to connect");
        own.then(|| failure::cause(text)).flatten()
    };
    match (made_up(text), answer::reply(text)) {
        (Some(cause), _) => Answer::NoReply { cause, text },
        (None, Some(reply)) => Answer::Reply(reply),
        (None, None) => answer::no_reply(text, NoReply::Protocol),
    }
}

/// The host within the account. What the remote said stands before it.
fn relay(status: &[u8]) -> Relay<'_> {
    let value = |name: &[u8]| {
        let (_, rest) = cut_last(status, name)?;
        cut(rest, b"}").map(|(value, _)| value)
    };
    Relay { host: value(b"{FQDN=").unwrap_or_default(), ip: value(b"{IP=").unwrap_or_default() }
}

/// Whether Exchange gave up because the time was over.
fn has_expired(status: &[u8]) -> bool {
    let error = last_error(status);
    contains(error, b"QUEUE.Expired") || contains(error.get(..32).unwrap_or(error), b" 4.4.7 ")
}

/// From the arrival, which the information on the message starts with.
fn arrival(info: &[u8], now: &[u8]) -> Option<f64> {
    let stamp = info.split(|byte| *byte == b';').next()?;
    stamp::between(stamp, now)
}
