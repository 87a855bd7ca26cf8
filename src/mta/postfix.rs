//! Postfix 2 and 3, in files of its own, through any syslog and the journal, under any
//! `syslog_name`, the name of the daemon behind it or not.
//!
//! Every daemon writes lines of its own; its name is what follows the last slash of the tag. Lines
//! of deliveries follow the grammar of `global/log_adhoc.c`, replies of hosts that were not the last
//! one tried that of `smtp/smtp_trouble.c`, our own refusals that of `smtpd/smtpd_check.c`.
//!
//! Everything is found from the left, by the grammar of the fields that Postfix itself writes. What
//! a remote server said stands behind them and can pretend to be what it likes.
//!
//! Proved on logs of 3.7, as a file, over a rotation, and through syslog with long queue ids, another
//! name and RFC 5424 framing; and of 3.10.
//!
//! # What Postfix hides
//!
//! - For whom a host was asked that was not the last one tried: what it said stands on a line without
//!   a recipient and counts as its reply alone.
//! - An EHLO that is refused, where HELO is tried next, and a refused STARTTLS, where TLS is not
//!   required.
//! - The end of lines of more than 2 KiB, and with it where in the conversation a reply came. Of
//!   several codes in one reply the last decides.
//! - Which enhanced codes are the server's: where the reply has none, `dsn=` is Postfix's own and
//!   not counted.
//! - Which replies are new: `delivery temporarily suspended` repeats an old one for everybody in the
//!   queue, and counts as suspended.
//! - That a connection failed for each recipient of it: it is counted once.
//! - Syntax errors of our clients.

mod daemon;
mod status;
mod reason;
mod reply;
mod peer;
mod inbound;
mod recent;

use super::text::{angle, cut};
use super::{Dialect, LineKind, Reading, Take};
use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, HostReply, NoAttempt, NoReply, Outcome, Recipient, Relay,
};
use crate::envelope::Record;
use crate::scan;
use crate::smtp::ReplyCode;
use reason::Reason;
use recent::{Event, Recent};
use reply::Decided;
use status::{Status, Word};

pub(super) use daemon::Daemon;

/// The longest queue id that is taken for one; the long ones have no fixed length.
const QUEUE_ID_MAX: usize = 40;
/// The shortest one that tells a line of Postfix.
const QUEUE_ID_MIN: usize = 5;
/// The longest name and address of a host.
const NAME_MAX: usize = 320;

/// Whether a line is Postfix's whose program does not tell: `syslog_name` can be anything, and some
/// syslog daemons end it at the first slash.
pub(super) fn is_shaped(message: &[u8]) -> bool {
    let (queue_id, text) = split(message);
    let at_host = |text: &[u8], words: &[&[u8]]| {
        let name = text.get(..NAME_MAX).unwrap_or(text);
        cut(name, b"[")
            .and_then(|(_, address)| cut(address, b"]"))
            .is_some_and(|(_, after)| words.iter().any(|words| after.starts_with(words)))
    };
    match queue_id {
        b"" => text.strip_prefix(b"connect to ").is_some_and(|host| at_host(host, &[b":"])),
        b"NOQUEUE" => text.starts_with(b"reject: ") || text.starts_with(b"milter-reject: "),
        id if id.len() < QUEUE_ID_MIN => false,
        _ => {
            let recipient = text.strip_prefix(b"to=").and_then(angle);
            let sender = || text.starts_with(b"from=<") && gives_up(text);
            let words: [&[u8]; 2] = [b" said: ", b" refused to talk to me: "];
            let host = || text.strip_prefix(b"host ").is_some_and(|host| at_host(host, &words));
            recipient.is_some_and(|(_, rest)| {
                rest.starts_with(b", relay=") || rest.starts_with(b", orig_to=<")
            }) || sender()
                || host()
        }
    }
}

/// What has to be remembered from line to line.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Postfix {
    recent: Recent,
}

impl Postfix {
    /// Reads one record of that daemon.
    #[expect(clippy::inline_always, reason = "nearly every reply comes here")]
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        daemon: Daemon,
        record: &Record<'_>,
        out: &mut (impl Take + ?Sized),
    ) -> LineKind {
        if daemon == Daemon::Quiet {
            return LineKind::Irrelevant;
        }
        let (queue_id, text) = split(record.message);
        match daemon {
            Daemon::Queue | Daemon::Agent | Daemon::Quiet => in_house(queue_id, text, out),
            Daemon::Server | Daemon::Screen | Daemon::Cleanup => {
                match inbound::read(daemon, queue_id, text, out) {
                    Some(kind) => kind,
                    None if daemon == Daemon::Cleanup => in_house(queue_id, text, out),
                    None => LineKind::Irrelevant,
                }
            }
            Daemon::Client | Daemon::Mailbox => {
                self.client(daemon, record.pid, queue_id, text, out)
            }
            // Some syslog daemons end the name of a program at the first slash. Then the grammar of
            // the line must do.
            Daemon::Unnamed => match inbound::read(daemon, queue_id, text, out) {
                Some(kind) => kind,
                None if text.starts_with(b"from=<") => in_house(queue_id, text, out),
                None => self.client(daemon, record.pid, queue_id, text, out),
            },
        }
    }

    /// A line of smtp(8) or lmtp(8).
    #[expect(clippy::inline_always, reason = "nearly every reply comes here")]
    #[inline(always)]
    fn client(
        &mut self,
        daemon: Daemon,
        pid: &[u8],
        queue_id: &[u8],
        text: &[u8],
        out: &mut (impl Take + ?Sized),
    ) -> LineKind {
        if let Some(fields) = text.strip_prefix(b"to=<") {
            return self.delivery(daemon, pid, queue_id, fields, out);
        }
        if !queue_id.is_empty() {
            return self.host_reply(daemon, pid, queue_id, text, out);
        }
        // Without a queue id come failed connections, and with a warning replies to XFORWARD.
        let text = text.strip_prefix(b"warning: ").unwrap_or(text);
        if text.starts_with(b"connect to ") || text.starts_with(b"host ") {
            return self.host_reply(daemon, pid, queue_id, text, out);
        }
        LineKind::Irrelevant
    }

    /// The record of a delivery over SMTP; `fields` begins with the address.
    #[inline(never)]
    fn delivery(
        &mut self,
        daemon: Daemon,
        pid: &[u8],
        queue_id: &[u8],
        fields: &[u8],
        out: &mut (impl Take + ?Sized),
    ) -> LineKind {
        let before = self.recent.take(pid);
        let Some(status) = Status::usual(fields) else {
            return match Status::any(fields) {
                Ok(status) => deliver(daemon, queue_id, &status, before, out),
                Err(why) => LineKind::Unreadable(why),
            };
        };
        // Nearly always, and then most of what decides is known.
        if status.word == Word::Sent
            && daemon == Daemon::Client
            && before == Event::None
            && !peer::is_local(&status.relay)
            && let Some(reply) = reply::parse(status.text, &status.decided())
        {
            let attempt = DeliveryAttempt {
                queue_id,
                recipient: Recipient::parse(status.address),
                relay: status.relay,
                answer: Answer::Reply(reply),
                answer_counted: false,
                outcome: Outcome::Delivered,
                phase: None,
                delay_seconds: status.delay_seconds,
            };
            out.take(Dialect::Postfix, LineKind::Delivery, Reading::Attempt(attempt));
            return LineKind::Delivery;
        }
        deliver(daemon, queue_id, &{ status }, before, out)
    }

    /// What a host said or failed to say of which no recipient hangs: another host is tried.
    #[inline(never)]
    fn host_reply(
        &mut self,
        daemon: Daemon,
        pid: &[u8],
        queue_id: &[u8],
        text: &[u8],
        out: &mut (impl Take + ?Sized),
    ) -> LineKind {
        let Some(reason) = Reason::parse(text, &Decided::default()) else {
            return LineKind::Irrelevant;
        };
        let before = self.recent.take(pid);
        let Reason { relay, answer, phase } = reason;
        if daemon == Daemon::Mailbox || peer::is_local(&relay) {
            return LineKind::Local;
        }
        match answer {
            Answer::NoReply { cause: NoReply::Lost, .. }
                if matches!(before, Event::Closing(_))
                    && before == Event::closing(queue_id, &relay) =>
            {
                return LineKind::State;
            }
            Answer::NoReply { .. } if queue_id.is_empty() => {
                self.recent.keep(pid, Event::connect_failed(text));
            }
            Answer::Reply(reply) if reply.code == ReplyCode::CLOSING => {
                self.recent.keep(pid, Event::closing(queue_id, &relay));
            }
            Answer::Reply(_) | Answer::NoReply { .. } => {}
        }
        let reply = HostReply { queue_id, recipient_domain: b"", relay, answer, phase };
        hand_out(Reading::HostReply(reply), out)
    }
}

/// What became of a recipient, by the record of it.
#[inline(never)]
fn deliver(
    daemon: Daemon,
    queue_id: &[u8],
    status: &Status<'_>,
    before: Event,
    out: &mut (impl Take + ?Sized),
) -> LineKind {
    let text = status.text;
    let kept = NoAttempt { queue_id, recipient: Recipient::parse(status.address) };
    let Some(outcome) = status.outcome() else { return suspended(kept, out) };
    let mut relay = status.relay;
    if daemon == Daemon::Mailbox || peer::is_local(&relay) {
        return local(kept, out);
    }
    // A daemon without a name may be an agent, whose relay is the name of a service.
    let unsure = daemon == Daemon::Unnamed && relay.ip.is_empty();
    if unsure && (outcome == Outcome::Delivered || !relay.host.is_empty()) {
        return local(kept, out);
    }
    let decided = &status.decided();
    let reason = if outcome == Outcome::Delivered {
        Reason::accepted(text, decided)
    } else {
        match Reason::parse(text, decided) {
            Some(reason) => reason,
            None if unsure => return local(kept, out),
            None => Reason::own(text),
        }
    };
    if relay == Relay::default() {
        relay = reason.relay;
        if peer::is_local(&relay) {
            return local(kept, out);
        }
    }
    let answer_counted =
        matches!(before, Event::ConnectFailed(_)) && before == Event::connect_failed(text);
    let attempt = DeliveryAttempt {
        queue_id,
        recipient: kept.recipient,
        relay,
        answer: reason.answer,
        answer_counted,
        outcome,
        phase: reason.phase,
        delay_seconds: status.delay_seconds,
    };
    out.take(Dialect::Postfix, LineKind::Delivery, Reading::Attempt(attempt));
    LineKind::Delivery
}

/// A line of a daemon that talks to no other server: the queue manager, or an agent that delivers
/// on this machine.
#[inline(never)]
fn in_house(queue_id: &[u8], text: &[u8], out: &mut (impl Take + ?Sized)) -> LineKind {
    if let Some(fields) = text.strip_prefix(b"to=<") {
        let status = match Status::parse(fields) {
            Ok(status) => status,
            Err(why) => return LineKind::Unreadable(why),
        };
        let kept = NoAttempt { queue_id, recipient: Recipient::parse(status.address) };
        return match status.outcome() {
            Some(_) => local(kept, out),
            None => suspended(kept, out),
        };
    }
    if text.starts_with(b"from=<") && gives_up(text) {
        let expiry = Expiry { queue_id, recipient: None };
        return hand_out(Reading::Expiry(expiry), out);
    }
    LineKind::Irrelevant
}

/// Whether a line about a sender ends a message. Nothing that a stranger chose stands behind the
/// address, so the end of the line tells.
fn gives_up(text: &[u8]) -> bool {
    text.strip_suffix(b"expired, returned to sender")
        .is_some_and(|text| text.ends_with(b">, status=") || text.ends_with(b">, status=force-"))
}

fn suspended(kept: NoAttempt<'_>, out: &mut (impl Take + ?Sized)) -> LineKind {
    hand_out(Reading::Suspended(kept), out)
}

fn local(kept: NoAttempt<'_>, out: &mut (impl Take + ?Sized)) -> LineKind {
    hand_out(Reading::Local(kept), out)
}

/// Hands out what a line says; its kind.
#[inline(never)]
fn hand_out(reading: Reading<'_>, out: &mut (impl Take + ?Sized)) -> LineKind {
    let kind = reading.kind();
    out.take(Dialect::Postfix, kind, reading);
    kind
}

/// The queue id of a message and what follows it; empty where the message begins without one.
#[expect(clippy::inline_always, reason = "nearly every reply comes here")]
#[inline(always)]
fn split(message: &[u8]) -> (&[u8], &[u8]) {
    let end = scan::find_near::<1, _>(message, [b':', b' '])
        .or_else(|| scan::find(message, [b':', b' ']));
    let end = end.unwrap_or(usize::MAX);
    match message.split_at_checked(end) {
        Some((id, [b':', b' ', text @ ..])) if end < QUEUE_ID_MAX && !is_word(id) => (id, text),
        _ => (b"", message),
    }
}

/// Whether what looks like a queue id is none.
#[inline]
fn is_word(id: &[u8]) -> bool {
    let words: [&[u8]; 6] =
        [b"warning", b"error", b"fatal", b"panic", b"statistics", b"proxy-reject"];
    id.first().is_none_or(u8::is_ascii_lowercase) && (id.is_empty() || words.contains(&id))
}
