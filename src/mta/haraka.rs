//! Haraka 2.8 and 3, in its formats `default`, `logfmt` and `json`.
//!
//! Source: `logger.js`, `outbound/hmail.js` (`delivered`, `bounce`, `temp_fail`, `get_mx_error`,
//! `try_deliver_host`), `outbound/index.js` (`send_trans_email`), `connection.js`
//! (`mail_respond`, `rcpt_respond`).
//!
//! A transaction has a uuid, and each delivery of it that of the transaction with a number, in the
//! order of the recipients' domains. The recipients are named when we accept them; what a server
//! says about all of them names nobody, so the two are joined by the uuid.
//!
//! Proved on logs of 3.0.3 and 3.1.7 in all three formats.
//!
//! # What Haraka hides
//!
//! - The host that refused, always; that which took a message is named. For refusals the provider is
//!   found by the recipient's domain.
//! - The code of an acceptance, which is read as 250, and enhanced codes of acceptances. Of a reply
//!   with several codes the last decides and is shown.
//! - Who is meant by `bouncing mail:` and `Temp failing`, where the acceptance of the recipients is
//!   not in the log: then they count once. Bounces of Haraka's own are such messages.
//! - `Tried all MXs` and `Some recipients failed` are sums of what was logged before. Where nothing
//!   was, nobody is known to have been asked, and they count as suspended.
//! - A code without a text, `550` alone, is called unrecognised; it is read as the reply it is.
//! - The codes of our own refusals: `DENY` says 5yz, `DENYSOFT` 4yz.
//! - With `level = notice` and above: refusals of whole messages.

mod entry;
mod mail;

use serde::{Deserialize, Serialize};

use super::failure;
use super::text::{angle, cut, is_loopback, number};
use super::{Dialect, LineKind, Out, Reading, Why};
use crate::attempt::{
    Answer, DeliveryAttempt, InboundReject, NoAttempt, NoReply, Outcome, Phase, Recipient, Relay,
};
use crate::envelope::Record;
use crate::smtp::{CodeClass, Reply, ReplyCode};
use entry::Entry;
use mail::{Failure, Mails};

/// The most recipients that one entry settles.
const RECIPIENTS_MAX: usize = 10_000;

/// How many lines of an entry follow its first one at most.
const LINES_MAX: usize = 16;

/// Whether a program of that name is Haraka.
pub(super) fn recognise(program: &[u8]) -> bool {
    program.get(..6).is_some_and(|name| name.eq_ignore_ascii_case(b"haraka"))
}

/// Whether a line without a program is Haraka's.
pub(super) fn is_shaped(message: &[u8]) -> bool {
    entry::is_shaped(message)
}

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Haraka {
    mails: Mails,
    /// A connection that failed, before the line that says what comes of it.
    socket: Option<Failure>,
    /// How many more lines an entry can have that has not ended.
    open: usize,
}

impl Haraka {
    /// Reads one record.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        // The end of an entry can be missing, so that a new one is always one.
        if self.open > 0 && !entry::is_shaped(record.message) {
            self.open = if entry::is_closed(record.message, false) { 0 } else { self.open - 1 };
            return LineKind::State;
        }
        self.open = if entry::goes_on(record.message) { LINES_MAX } else { 0 };
        let Some(entry) = entry::parse(record.message) else { return LineKind::Irrelevant };
        let message: &[u8] = &entry.message;
        let message = message.strip_prefix(b"[outbound] ").unwrap_or(message);
        if let Some(why) = message.strip_prefix(b"Failed to get socket: ") {
            self.pass(out);
            self.socket = Some(Failure::of_socket(why));
            return LineKind::State;
        }
        if let Some(rest) = message.strip_prefix(b"Temp failing ") {
            return match cut(rest, b" seconds: ") {
                Some((_, why)) => self.failed(&entry.uuid, why, Outcome::Deferred, out),
                None => LineKind::Unreadable(Why::Truncated),
            };
        }
        self.pass(out);
        if let Some(why) = message.strip_prefix(b"bouncing mail: ") {
            return self.failed(&entry.uuid, why, Outcome::Bounced, out);
        }
        if !entry.fields.delivered_file.is_empty() {
            return self.delivered(&entry, out);
        }
        if let Some(rest) = message.strip_prefix(b"recipient ") {
            return self.recipient(&entry, rest, out);
        }
        if let Some(failure) = Failure::of_host(message) {
            let uuid: &[u8] = &entry.uuid;
            self.mails.with(uuid, out, |mail, out| mail.fail(uuid, failure, out));
            return LineKind::State;
        }
        inbound(&entry, message, out)
    }

    /// Whether the next line belongs to an entry that has begun, whatever it looks like.
    pub(super) fn is_open(&self) -> bool {
        self.open > 0
    }

    /// Hands out what was still waiting for another line.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        self.pass(out);
        for (uuid, mail) in self.mails.drain() {
            mail.count_failure(&uuid, out);
        }
    }

    /// How often something was forgotten for want of room.
    pub(super) fn evicted(&self) -> u64 {
        self.mails.evicted()
    }

    /// A connection that failed was not the last: something else follows it.
    fn pass(&mut self, out: &mut Out<'_>) {
        if let Some(failure) = self.socket.take() {
            failure.count(b"", b"", out);
        }
    }

    /// `recipient <x> rejected: 550 ...`, `recipient <x> deferred: 450 ...`, or one of our own
    /// answers, `recipient <x> code=OK`.
    fn recipient(&mut self, entry: &Entry<'_>, text: &[u8], out: &mut Out<'_>) -> LineKind {
        let Some((address, rest)) = angle(text) else {
            return LineKind::Unreadable(Why::Truncated);
        };
        let recipient = Recipient::parse(address);
        let (outcome, text) = if let Some(text) = rest.strip_prefix(b" rejected: ") {
            (Outcome::Bounced, text)
        } else if let Some(text) = rest.strip_prefix(b" deferred: ") {
            (Outcome::Deferred, text)
        } else {
            if matches!(&*entry.fields.code, b"OK" | b"CONT") {
                self.mails.accept(&entry.uuid, &recipient);
                return LineKind::State;
            }
            return denied(entry, Some(Phase::Rcpt), out);
        };
        self.mails.with(&entry.uuid, out, |mail, out| {
            mail.settle(recipient.key(), outcome == Outcome::Deferred);
            if let Some(failure) = mail.take_failure() {
                failure.count(&entry.uuid, mail.domain(), out);
            }
        });
        let attempt = DeliveryAttempt {
            queue_id: &entry.uuid,
            recipient,
            relay: Relay::default(),
            answer: answer(text),
            answer_counted: false,
            outcome,
            phase: Some(Phase::Rcpt),
            delay_seconds: None,
        };
        emit(Reading::Attempt(attempt), out)
    }

    /// `delivered file=... domain=b.example host=mx ip=192.0.2.1 response="OK" rcpts=1/0/0`.
    fn delivered(&mut self, entry: &Entry<'_>, out: &mut Out<'_>) -> LineKind {
        let fields = &entry.fields;
        let accepted = cut(&fields.rcpts, b"/").and_then(|(accepted, _)| number(accepted));
        let accepted = accepted.and_then(|number| usize::try_from(number).ok());
        let Some(accepted) = accepted else { return LineKind::Unreadable(Why::Truncated) };
        let relay = Relay { host: &fields.host, ip: &fields.ip };
        let delay = std::str::from_utf8(&fields.delay).ok().and_then(|delay| delay.parse().ok());
        let delay = delay.filter(|delay: &f64| delay.is_finite() && *delay >= 0.0);
        let keys = self.mails.with(&entry.uuid, out, |mail, out| {
            if let Some(failure) = mail.take_failure() {
                failure.count(&entry.uuid, mail.domain(), out);
            }
            mail.deliver()
        });
        let keys = keys.into_iter().chain(std::iter::repeat(0));
        let mut kind = LineKind::State;
        for key in keys.take(accepted.min(RECIPIENTS_MAX)) {
            let recipient = Recipient::with_key(&fields.domain, key);
            let queue_id: &[u8] = &entry.uuid;
            let reading = if is_loopback(relay.ip) {
                Reading::Local(NoAttempt { queue_id, recipient })
            } else {
                Reading::Attempt(DeliveryAttempt {
                    queue_id,
                    recipient,
                    relay,
                    answer: accepted_with(&fields.response),
                    answer_counted: false,
                    outcome: Outcome::Delivered,
                    phase: None,
                    delay_seconds: delay,
                })
            };
            kind = emit(reading, out);
        }
        kind
    }

    /// What came of all recipients of a delivery who were not settled one by one.
    fn failed(&mut self, uuid: &[u8], why: &[u8], outcome: Outcome, out: &mut Out<'_>) -> LineKind {
        // `Too many failures (Upstream error: 421 ...)`: the last attempt, and it was too late.
        let late = why
            .strip_prefix(b"Too many failures (")
            .map(|why| why.strip_suffix(b")").unwrap_or(why));
        let (outcome, why) = match late {
            Some(why) => (Outcome::Expired, why),
            None => (outcome, why),
        };
        let socket = self.socket.take();
        self.mails.with(uuid, out, |mail, out| {
            let failure = mail.take_failure();
            if why.starts_with(b"Tried all MXs") {
                // Its cause stands before, at this delivery or right above.
                let cause = socket.or(failure);
                let answer = cause.as_ref().map(|failure| (failure.relay(), failure.answer()));
                return mail.settle_all(uuid, outcome, answer, out);
            }
            for failure in failure.iter().chain(&socket) {
                failure.count(uuid, mail.domain(), out);
            }
            if why.starts_with(b"Some recipients ") {
                // They were named above. Those who were deferred can be too late now.
                return mail.end_attempt(uuid, outcome, out);
            }
            let why = why.strip_prefix(b"Upstream error: ").unwrap_or(why);
            mail.settle_all(uuid, outcome, Some((Relay::default(), answer(why))), out)
        })
    }
}

/// What a server said, or why there was no reply.
fn answer(text: &[u8]) -> Answer<'_> {
    const UNRECOGNISED: &[u8] = b"Unrecognized response from upstream server: ";
    if let Some(words) = text.strip_prefix(UNRECOGNISED) {
        // A code alone is a reply (RFC 5321 §4.2).
        let words = words.strip_suffix(b"\\r").unwrap_or(words).trim_ascii_end();
        return match Reply::parse(words).filter(|_| words.len() == 3) {
            Some(reply) => Answer::Reply(reply),
            None => Answer::NoReply { cause: NoReply::Protocol, text },
        };
    }
    match Reply::parse(text).filter(|_| matches!(text.get(3), None | Some(b' ' | b'-'))) {
        Some(reply) => Answer::Reply(reply),
        None => Answer::NoReply { cause: cause(text), text },
    }
}

/// Why there was no reply, in the words of Haraka and Node.js.
fn cause(text: &[u8]) -> NoReply {
    let starts: [(&[u8], NoReply); 7] = [
        (b"No Such Domain", NoReply::Dns),
        (b"Nowhere to deliver mail to", NoReply::Dns),
        (b"DNS lookup failure", NoReply::Dns),
        (b"No MX for", NoReply::Dns),
        (b"Domain ", NoReply::Dns),
        (b"TLS required", NoReply::Tls),
        (b"Host failed TLS", NoReply::Tls),
    ];
    let known =
        starts.into_iter().find(|(start, _)| text.starts_with(start)).map(|(_, cause)| cause);
    known.or_else(|| failure::cause(text)).unwrap_or(NoReply::Local)
}

/// An acceptance, of which only the text is logged, without any codes.
fn accepted_with(text: &[u8]) -> Answer<'_> {
    match ReplyCode::new(250) {
        Some(code) => Answer::Reply(Reply { code, enhanced: None, text }),
        None => Answer::NoReply { cause: NoReply::Protocol, text },
    }
}

/// What we refused a client.
fn inbound(entry: &Entry<'_>, message: &[u8], out: &mut Out<'_>) -> LineKind {
    let fields = &entry.fields;
    // The hooks of MAIL and RCPT have an entry of their own besides.
    let hook = match &*fields.hook {
        b"connect" | b"lookup_rdns" => Some(Phase::Connect),
        b"helo" | b"ehlo" => Some(Phase::Helo),
        b"data" => Some(Phase::Data),
        _ => None,
    };
    if hook.is_some() && fields.retval.starts_with(b"DENY") {
        return denied(entry, hook, out);
    }
    let phase = if message.starts_with(b"sender ") {
        Phase::Mail
    } else if message.starts_with(b"message") || message.starts_with(b"queue") {
        Phase::EndOfData
    } else {
        return LineKind::Irrelevant;
    };
    denied(entry, Some(phase), out)
}

/// `code=DENY msg="why"`, or `retval=DENY` of a hook.
fn denied(entry: &Entry<'_>, phase: Option<Phase>, out: &mut Out<'_>) -> LineKind {
    let fields = &entry.fields;
    let verdict: &[u8] = if fields.code.is_empty() { &fields.retval } else { &fields.code };
    let class = match verdict {
        b"DENY" | b"DENYDISCONNECT" => CodeClass::Permanent,
        b"DENYSOFT" | b"DENYSOFTDISCONNECT" => CodeClass::Transient,
        _ => return LineKind::Irrelevant,
    };
    let text: &[u8] = &fields.msg;
    let reject = InboundReject { queue_id: &entry.uuid, class, reply: None, text, phase };
    emit(Reading::InboundReject(reject), out)
}

fn emit(reading: Reading<'_>, out: &mut Out<'_>) -> LineKind {
    let kind = reading.kind();
    out(Dialect::Haraka, kind, reading);
    kind
}
