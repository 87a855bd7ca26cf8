//! msmtp: one line for each message in its log file or in syslog (`msmtp.c:msmtp_get_log_info`).
//!
//! Written after the source, not yet seen live. msmtp hands a message to one server, mostly the
//! provider of the sender, for all its recipients at once; what that server said is what is counted.
//! It has no queue: deferred means that whoever called it was told to try again. Where the server
//! took all recipients but one, nobody got the message, and only that one has an answer.

use super::text::{contains, cut, cut_last};
use super::{Dialect, LineKind, Out, Reading, Why, answer};
use crate::attempt::{Answer, DeliveryAttempt, NoAttempt, NoReply, Outcome, Recipient, Relay};
use crate::envelope::Record;

/// Whether a line, after a time stamp of any form, has msmtp's fields.
pub(super) fn recognise(message: &[u8]) -> bool {
    fields(message).is_some()
}

/// The host, and what follows it. The format of the time stamp before it can be chosen.
fn fields(message: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let near = message.get(..96).unwrap_or(message);
    for (name, remote) in [(&b"host="[..], true), (b"socket=", false)] {
        let Some(at) = memchr::memmem::find(near, name) else { continue };
        if at > 0 && near.get(at - 1) != Some(&b' ') {
            continue;
        }
        let (value, rest) = cut(message.get(at + name.len()..)?, b" ")?;
        if rest.starts_with(b"tls=on ") || rest.starts_with(b"tls=off ") {
            return Some((remote.then_some(value), rest));
        }
    }
    None
}

/// Reads one record.
pub(super) fn read(record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
    let Some((host, rest)) = fields(record.message) else { return LineKind::Irrelevant };
    let Some((recipients, rest)) = recipients(rest) else {
        return LineKind::Unreadable(Why::Malformed);
    };
    // The exit code ends the line; a server's words before it can look like one.
    let Some((rest, exit)) = cut_last(rest, b"exitcode=") else {
        return LineKind::Unreadable(Why::Truncated);
    };
    let outcome = match exit.trim_ascii() {
        b"EX_OK" => Outcome::Delivered,
        b"EX_TEMPFAIL" | b"EX_IOERR" | b"EX_OSERR" | b"EX_NOHOST" => Outcome::Deferred,
        exit if exit.starts_with(b"EX_") => Outcome::Bounced,
        _ => return LineKind::Unreadable(Why::UnknownStatus),
    };
    let (status, rest) = status(rest);
    let error = quoted(rest, b"errormsg='").unwrap_or_default();
    let refused = refused_alone(error);
    let answer = match (outcome, status) {
        (_, Some(answer)) => answer,
        (Outcome::Delivered, None) => answer::accepted(b""),
        (_, None) => answer::no_reply(error, NoReply::Local),
    };
    let mut line = LineKind::Unreadable(Why::Malformed);
    for address in recipients.split(|byte| *byte == b',').filter(|address| !address.is_empty()) {
        let recipient = Recipient::parse(address);
        let kept = NoAttempt { queue_id: b"", recipient };
        let reading = match host {
            None => Reading::Local(kept),
            Some(_) if refused.is_some_and(|refused| refused != address) => {
                Reading::Suspended(kept)
            }
            Some(host) => Reading::Attempt(DeliveryAttempt {
                queue_id: b"",
                recipient,
                relay: Relay { host, ip: b"" },
                answer,
                answer_counted: false,
                outcome,
                phase: None,
                delay_seconds: None,
            }),
        };
        let kind = reading.kind();
        line = if matches!(line, LineKind::Unreadable(_)) { kind } else { line.with(kind) };
        out(Dialect::Msmtp, kind, reading);
    }
    line
}

/// The recipients, and what follows them. What stands before is chosen on this machine.
fn recipients(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = cut(rest, b" recipients=")?;
    cut(rest, b" ")
}

/// `smtpstatus=CCC smtpmsg='...'`, and what follows.
fn status(rest: &[u8]) -> (Option<Answer<'_>>, &[u8]) {
    let rest = match rest.strip_prefix(b"mailsize=") {
        Some(sized) => cut(sized, b" ").map_or(b"".as_slice(), |(_, rest)| rest),
        None => rest,
    };
    let Some((code, after)) = rest.strip_prefix(b"smtpstatus=").and_then(|rest| cut(rest, b" "))
    else {
        return (None, rest);
    };
    let code = answer::reply(code).map(|reply| reply.code);
    let text = quoted(after, b"smtpmsg='").unwrap_or_default();
    (code.map(|code| answer::with_code(code, None, text)), after)
}

/// A value in quotes: quotes within are replaced by msmtp.
fn quoted<'t>(text: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    let (_, value) = cut(text, name)?;
    let end = memchr::memchr(b'\'', value)?;
    value.get(..end)
}

/// The one recipient that the server did not take: `recipient address R not accepted by the
/// server`.
fn refused_alone(error: &[u8]) -> Option<&[u8]> {
    let (address, rest) = cut(error.strip_prefix(b"recipient address ")?, b" ")?;
    contains(rest, b"not accepted").then_some(address)
}
