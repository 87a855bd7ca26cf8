//! The qmail family: qmail, netqmail, notqmail, s/qmail, indimail.
//!
//! Source: `qmail-send.c` (`del_start`, `del_dochan`), `qsutil.c` (`logsafe`), `qmail-remote.c`
//! (`smtp`, `quit`, `outsmtptext`, `temp_*`, `perm_*`), `qmail-rspawn.c` (`report`), `splogger.c`.
//! Through multilog the lines start with a TAI64N label or what tai64nlocal makes of it, through
//! splogger with the seconds since 1970.
//!
//! A delivery has two lines, which its number joins: who it is for, and what came of it. The
//! numbers start again at 1 with qmail-send.
//!
//! Proved on logs of notqmail 1.09.
//!
//! # What qmail hides
//!
//! - The name of the host: there is only an address, so the provider is found by the recipient's
//!   domain.
//! - What hosts before the last one said, and why no connection came about: refused, timed out
//!   and unreachable all read alike.
//! - Spaces and everything that is not printable ASCII in replies, which become `_`, and where
//!   their lines end, which becomes `/`. Of several codes in one reply the first decides.
//! - Our own refusals, except those of rblsmtpd.

use serde::{Deserialize, Serialize};

use super::recent::{Bytes, Recent};
use super::text::{contains, contains_any, cut, cut_last, digits, is_loopback, until};
use super::{Dialect, LineKind, Out, Reading, Why};
use crate::attempt::{
    Answer, DeliveryAttempt, InboundReject, NoAttempt, NoReply, Outcome, Phase, Recipient, Relay,
};
use crate::envelope::{Record, leading_stamp};
use crate::smtp::Reply;

/// How many deliveries are remembered that have not ended. qmail runs at most 65,000 at a time, and
/// 255 unless it is patched.
const DELIVERIES_MAX: usize = 8_192;

/// What stands before a reply.
const SAID: &[u8] = b"Remote_host_said:_";

/// What qmail-send adds to a deferral that is the last.
const TOO_LONG: &[u8] =
    b"I'm_not_going_to_try_again;_this_message_has_been_in_the_queue_too_long./";

/// Whether a program of that name is of the family.
pub(super) fn recognise(program: &[u8]) -> bool {
    program.starts_with(b"qmail") || program == b"rblsmtpd"
}

/// Whether a line without a program is of the family. Not every logger puts a stamp before it.
pub(super) fn is_shaped(message: &[u8]) -> bool {
    let starts: [&[u8]; 6] = [
        b"new msg ",
        b"info msg ",
        b"end msg ",
        b"bounce msg ",
        b"starting delivery ",
        b"status: local ",
    ];
    let text = without_stamp(message);
    let numbered = |rest: &[u8]| rest.first().is_some_and(u8::is_ascii_digit);
    starts.iter().any(|start| text.strip_prefix(*start).is_some_and(numbered))
        || Report::parse(text).is_some()
}

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Qmail {
    started: Recent<Started, DELIVERIES_MAX>,
}

/// A delivery that has not ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Started {
    message: Bytes,
    domain: Bytes,
    key: u64,
    local: bool,
}

impl Qmail {
    /// Reads one record.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        let text = without_stamp(record.message);
        if record.program == b"rblsmtpd" {
            return rblsmtpd(text, out);
        }
        if let Some(text) = text.strip_prefix(b"rblsmtpd: ") {
            return rblsmtpd(text, out);
        }
        if let Some(rest) = text.strip_prefix(b"starting delivery ") {
            return self.start(rest);
        }
        if let Some(report) = Report::parse(text) {
            return self.end(&report, out);
        }
        if is_idle(text) {
            // Nothing is under way: what has not ended until now never will. So it is after a
            // crash, and numbers are used again.
            self.started.clear();
        }
        LineKind::Irrelevant
    }

    /// How often something was forgotten for want of room.
    pub(super) fn evicted(&self) -> u64 {
        self.started.evicted()
    }

    /// `N: msg M to remote user@domain`.
    fn start(&mut self, text: &[u8]) -> LineKind {
        let parts = cut(text, b": msg ").and_then(|(number, rest)| {
            let (message, rest) = cut(rest, b" to ")?;
            let (channel, address) = cut(rest, b" ")?;
            Some((number, message, channel, until(address, b" ").0))
        });
        let Some((number, message, channel, address)) = parts else {
            return LineKind::Unreadable(Why::Malformed);
        };
        let recipient = Recipient::parse(address);
        let started = Started {
            message: message.into(),
            domain: recipient.domain().into(),
            key: recipient.key(),
            local: channel == b"local",
        };
        self.started.put(number, started);
        LineKind::State
    }

    /// What came of a delivery.
    fn end(&mut self, report: &Report<'_>, out: &mut Out<'_>) -> LineKind {
        let started = self.started.take(report.number);
        let recipient = started.as_ref().map_or_else(Recipient::default, |started| {
            Recipient::with_key(&started.domain, started.key)
        });
        let queue_id = started.as_ref().map_or(&b""[..], |started| &started.message);
        let remote = report.remote();
        // Without its start a delivery tells by its words whether it went to another host.
        let local = started.as_ref().map_or(remote.is_none(), |started| started.local);
        let ip = remote.unwrap_or_default();
        if local || is_loopback(ip) {
            return emit(Reading::Local(NoAttempt { queue_id, recipient }), out);
        }
        let text = decode(report.reply().unwrap_or(report.text));
        let reply = report.reply().and_then(|_| {
            Reply::parse(&text).filter(|_| matches!(text.get(3), None | Some(b' ' | b'-')))
        });
        let outcome = report.outcome(reply.as_ref());
        let answer = match reply {
            Some(reply) => Answer::Reply(reply),
            None => Answer::NoReply { cause: report.cause(), text: &text },
        };
        let attempt = DeliveryAttempt {
            queue_id,
            recipient,
            relay: Relay { host: b"", ip },
            answer,
            answer_counted: false,
            outcome,
            phase: report.phase(),
            delay_seconds: None,
        };
        emit(Reading::Attempt(attempt), out)
    }
}

/// `delivery N: success|failure|deferral: text`.
#[derive(Clone, Copy, Debug)]
struct Report<'a> {
    number: &'a [u8],
    result: &'a [u8],
    text: &'a [u8],
}

impl<'a> Report<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (number, rest) = digits(text.strip_prefix(b"delivery ")?);
        let (result, text) = until(rest.strip_prefix(b": ")?, b":");
        match result {
            b"success" | b"failure" | b"deferral" => {
                Some(Self { number, result, text: text.strip_prefix(b": ").unwrap_or_default() })
            }
            _ if result.starts_with(b"report mangled") => {
                Some(Self { number, result: b"deferral", text: result })
            }
            _ => None,
        }
    }

    /// What qmail itself says: all that stands before the reply.
    fn own_words(&self) -> &'a [u8] {
        cut(self.text, SAID).map_or(self.text, |(own, _)| own)
    }

    /// What the host said, without what qmail says after it.
    fn reply(&self) -> Option<&'a [u8]> {
        let (_, reply) = cut(self.text, SAID)?;
        let reply = reply.strip_suffix(TOO_LONG).unwrap_or(reply);
        let giving_up = cut_last(reply, b"/Giving_up_on_")
            .filter(|(_, ip)| is_ip(ip.strip_suffix(b"./").unwrap_or(ip)));
        let reply = giving_up.map_or(reply, |(reply, _)| reply);
        Some(reply.strip_suffix(b"/").unwrap_or(reply))
    }

    /// The address of the host, empty if it has none; `None` if the words are not those of
    /// qmail-remote.
    fn remote(&self) -> Option<&'a [u8]> {
        const WORDS: [&[u8]; 10] = [
            b"Remote_host_said:",
            b"an_SMTP_connection",
            b"couldn't_find_any_host",
            b"couldn't_find_a_mail_exchanger",
            b"CNAME_lookup_failed",
            b"best-preference_MX",
            b"qmail-remote",
            b"connection_died",
            b"TLS_",
            b"_accepted_message",
        ];
        let own = self.own_words();
        let ip = own.split(|byte| matches!(byte, b'_' | b'/')).find(|word| is_ip(word));
        ip.or_else(|| contains_any(self.text, &WORDS).then_some(b""))
    }

    fn outcome(&self, reply: Option<&Reply<'_>>) -> Outcome {
        match self.result {
            b"success" => Outcome::Delivered,
            b"deferral" => Outcome::Deferred,
            _ => {
                // A transient failure is final only where it took too long. That is what the words
                // at the end say too, but a server could have said them.
                let late = match reply {
                    Some(reply) => reply.code.get() / 100 == 4,
                    None => self.text.ends_with(TOO_LONG),
                };
                if late { Outcome::Expired } else { Outcome::Bounced }
            }
        }
    }

    fn phase(&self) -> Option<Phase> {
        let own = self.own_words();
        let phases: [(&[u8], Phase); 7] = [
            (b"greeting_failed", Phase::Connect),
            (b"my_name_was_rejected", Phase::Helo),
            (b"authentication_was_rejected", Phase::Auth),
            (b"sender_was_rejected", Phase::Mail),
            (b"does_not_like_recipient", Phase::Rcpt),
            (b"failed_on_DATA_command", Phase::Data),
            (b"failed_after_I_sent_the_message", Phase::EndOfData),
        ];
        phases.into_iter().find(|(words, _)| contains(own, words)).map(|(_, phase)| phase)
    }

    /// Why there was no reply.
    fn cause(&self) -> NoReply {
        let own = self.own_words();
        if own.len() < self.text.len() {
            return NoReply::Protocol;
        }
        let causes: [(&[u8], NoReply); 9] = [
            (b"connection_died", NoReply::Lost),
            (b"TLS_", NoReply::Tls),
            (b"an_SMTP_connection", NoReply::Unreachable),
            (b"CNAME_lookup_failed", NoReply::Dns),
            (b"couldn't_find_any_host", NoReply::Dns),
            (b"couldn't_find_a_mail_exchanger", NoReply::Dns),
            (b"timed_out", NoReply::Timeout),
            (b"timeout", NoReply::Timeout),
            (b"closed_connection", NoReply::Lost),
        ];
        let known = causes.into_iter().find(|(words, _)| contains(own, words));
        known.map_or(NoReply::Local, |(_, cause)| cause)
    }
}

/// A reply as far as it can be had back: `_` was a space mostly, and a `/` before another code was
/// the end of a line.
fn decode(text: &[u8]) -> Vec<u8> {
    let spaced = |byte: u8| if byte == b'_' { b' ' } else { byte };
    let mut plain: Vec<u8> = text.iter().map(|byte| spaced(*byte)).collect();
    for (at, window) in text.windows(5).enumerate() {
        let [b'/', code @ .., end] = window else { continue };
        if code.iter().all(u8::is_ascii_digit)
            && matches!(end, b'-' | b'_')
            && let Some(byte) = plain.get_mut(at)
        {
            *byte = b' ';
        }
    }
    plain
}

/// Whether the word is an address of either family.
fn is_ip(word: &[u8]) -> bool {
    let count = |wanted| memchr::memchr_iter(wanted, word).count();
    let v4 = count(b'.') == 3 && word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    v4 || count(b':') >= 2
        && word.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
}

/// The line without the stamp of multilog, tai64nlocal or splogger.
fn without_stamp(message: &[u8]) -> &[u8] {
    let stamp = leading_stamp(message).len();
    if stamp > 0 {
        return message.get(stamp..).unwrap_or_default().trim_ascii_start();
    }
    let (seconds, rest) = digits(message);
    let Some(rest) = rest.strip_prefix(b".").filter(|_| seconds.len() >= 9) else { return message };
    let (fraction, rest) = digits(rest);
    rest.strip_prefix(b" ").filter(|_| fraction.len() == 6).unwrap_or(message)
}

/// `status: local 0/10 remote 0/50`.
fn is_idle(text: &[u8]) -> bool {
    let remote = text.strip_prefix(b"status: local 0/").and_then(|rest| cut(rest, b" remote "));
    remote.is_some_and(|(_, remote)| remote.starts_with(b"0/"))
}

/// `203.0.113.66 pid 15852: 451 http://...`.
fn rblsmtpd(text: &[u8], out: &mut Out<'_>) -> LineKind {
    let reply = cut(text, b" pid ").and_then(|(_, rest)| {
        let (_, rest) = digits(rest);
        Reply::parse(rest.strip_prefix(b": ")?)
    });
    let Some(reply) = reply else { return LineKind::Irrelevant };
    let refused = InboundReject {
        queue_id: b"",
        class: reply.code.class(),
        reply: Some(reply),
        text: reply.text,
        phase: None,
    };
    emit(Reading::InboundReject(refused), out)
}

fn emit(reading: Reading<'_>, out: &mut Out<'_>) -> LineKind {
    let kind = reading.kind();
    out(Dialect::Qmail, kind, reading);
    kind
}
