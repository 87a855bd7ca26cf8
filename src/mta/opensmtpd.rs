//! OpenSMTPD 6 and 7, and the older spellings of 5.
//!
//! Source: `mta.c` (`mta_log`), `mta_session.c` (`mta_response`, `mta_error`), `queue.c`
//! (`queue_log`), `mda.c` (`mda_log`), `smtp_session.c`, `to.c`.
//!
//! Proved on logs of 6.8.0p2 and 7.6.0.
//!
//! # What OpenSMTPD hides
//!
//! - The name of the MX: the name beside the address is what the address resolves to backwards.
//!   Where that tells nothing, the provider is found by the recipient's domain.
//! - The lines of a reply: they are put together without their codes, mostly without a space, and of
//!   more than 2 KiB only the last one is left. Of several codes in one reply the first decides.
//! - For whom a connection was made: what a host says instead of a greeting, or to EHLO, stands on
//!   the line of the session alone and counts once for each connection. Its recipients are
//!   deferred later with `Network error on destination MXs`; their answer is not counted again.
//! - An EHLO that is refused, where HELO is tried next, and a refused STARTTLS, where TLS is not
//!   required.
//! - Which address was tried last, when no connection came about.

mod session;

use serde::{Deserialize, Serialize};

use super::text::{angle, cut, cut_last, is_loopback, network_cause};
use super::{Dialect, LineKind, Out, Reading, Why};
use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, InboundReject, NoAttempt, NoReply, Outcome, Phase, Recipient,
    Relay,
};
use crate::envelope::Record;
use crate::smtp::Reply;
use session::Sessions;

/// The length of a session or envelope id.
const ID_LENGTH: usize = 16;

/// Whether a program of that name is OpenSMTPD.
pub(super) fn recognise(program: &[u8]) -> bool {
    matches!(program, b"smtpd" | b"opensmtpd")
}

/// Whether a line without a program is OpenSMTPD's: a session id, and who of its processes acts.
pub(super) fn is_shaped(message: &[u8]) -> bool {
    let starts: [&[u8]; 3] = [b"mta ", b"mda ", b"smtp "];
    session_id(message).is_some_and(|(_, text)| starts.iter().any(|start| text.starts_with(start)))
}

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct OpenSmtpd {
    sessions: Sessions,
}

impl OpenSmtpd {
    /// Reads one record.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        let (pid, message) = (record.pid, record.message);
        if let Some((id, text)) = session_id(message) {
            if let Some(text) = text.strip_prefix(b"mta ") {
                return self.outbound(pid, id, event(text), out);
            }
            self.sessions.pass(pid, out);
            return match text.strip_prefix(b"smtp ") {
                Some(text) => self.inbound(id, event(text), out),
                None => local_delivery(text, out),
            };
        }
        // A route that is given up stands between an error and the recipients who have to bear it.
        if !message.starts_with(b"smtp-out: Disabling route ") {
            self.sessions.pass(pid, out);
        }
        queue(message, out)
    }

    /// Hands out what was still waiting for another line.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        self.sessions.finish(out);
    }

    /// How often something was forgotten for want of room.
    pub(super) fn evicted(&self) -> u64 {
        self.sessions.evicted()
    }

    /// A line of a session with another server.
    fn outbound(&mut self, pid: &[u8], id: &[u8], text: &[u8], out: &mut Out<'_>) -> LineKind {
        if let Some(fields) = text.strip_prefix(b"delivery ") {
            let Some(delivery) = Delivery::parse(fields) else {
                self.sessions.pass(pid, out);
                return LineKind::Unreadable(Why::Malformed);
            };
            return self.delivery(pid, id, &delivery, out);
        }
        self.sessions.pass(pid, out);
        if let Some(fields) = text.strip_prefix(b"connecting ") {
            self.sessions.connect(id, connecting(fields));
            return LineKind::State;
        }
        let Some(reason) = text.strip_prefix(b"error reason=") else {
            if text.starts_with(b"disconnected") {
                self.sessions.end(id);
            }
            return LineKind::Irrelevant;
        };
        if self.sessions.is_loopback(id) {
            return LineKind::Local;
        }
        self.sessions.error(pid, id, reason, out)
    }

    fn delivery(
        &mut self,
        pid: &[u8],
        id: &[u8],
        delivery: &Delivery<'_>,
        out: &mut Out<'_>,
    ) -> LineKind {
        self.sessions.used(pid, id, delivery.stat, out);
        let kept = NoAttempt { queue_id: delivery.id, recipient: delivery.recipient };
        let outcome = match delivery.result {
            b"Ok" => Outcome::Delivered,
            b"TempFail" => Outcome::Deferred,
            b"PermFail" => Outcome::Bounced,
            _ => return LineKind::Unreadable(Why::UnknownStatus),
        };
        if is_loopback(delivery.relay.ip) {
            return emit(Reading::Local(kept), out);
        }
        if is_suspended(delivery.stat) {
            return emit(Reading::Suspended(kept), out);
        }
        let (answer, phase) = answer(delivery.stat);
        emit(
            Reading::Attempt(DeliveryAttempt {
                queue_id: delivery.id,
                recipient: delivery.recipient,
                relay: delivery.relay,
                answer,
                answer_counted: delivery.stat == NETWORK_ERROR,
                outcome,
                phase,
                delay_seconds: delivery.delay_seconds,
            }),
            out,
        )
    }

    /// A line of a session with one of our own clients.
    fn inbound(&mut self, id: &[u8], text: &[u8], out: &mut Out<'_>) -> LineKind {
        if text.starts_with(b"connected address=local") {
            // Bounces come in this way: a refusal of them is nobody else's.
            self.sessions.own(id);
            return LineKind::State;
        }
        if text.starts_with(b"disconnected") {
            self.sessions.end(id);
            return LineKind::Irrelevant;
        }
        let command = text.strip_prefix(b"failed-command ");
        let Some(fields) = command.or_else(|| text.strip_prefix(b"bad-input ")) else {
            return LineKind::Irrelevant;
        };
        if self.sessions.is_own(id) {
            return LineKind::Local;
        }
        let result = cut_last(fields, b"result=\"").map_or(&b""[..], |(_, result)| result);
        let result = result.strip_suffix(b"\"").unwrap_or(result);
        let Some(reply) = Reply::parse(result) else {
            return LineKind::Unreadable(Why::NoStatus);
        };
        let phase = cut(fields, b"command=\"").and_then(|(_, command)| command_phase(command));
        emit(
            Reading::InboundReject(InboundReject {
                queue_id: b"",
                class: reply.code.class(),
                reply: Some(reply),
                text: result,
                phase,
            }),
            out,
        )
    }
}

/// What recipients get whose connections failed: see the module.
const NETWORK_ERROR: &[u8] = b"Network error on destination MXs";

/// The fields of a delivery.
#[derive(Clone, Copy, Debug)]
struct Delivery<'a> {
    id: &'a [u8],
    recipient: Recipient<'a>,
    relay: Relay<'a>,
    delay_seconds: Option<f64>,
    result: &'a [u8],
    stat: &'a [u8],
}

impl<'a> Delivery<'a> {
    /// `evpid=ID from=<s> to=<r> rcpt=<o> source="ip" relay="ip (name)" delay=3s result="Ok"
    /// stat="text"`. The text is not escaped: it goes up to the last quote.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (id, rest) = cut(text.strip_prefix(b"evpid=")?, b" ")?;
        let (_, rest) = angle(rest.strip_prefix(b"from=")?)?;
        let (to, rest) = angle(after(rest, b" to=")?)?;
        let (_, rest) = angle(after(rest, b" rcpt=")?)?;
        let (_, rest) = cut(after(rest, b" source=\"")?, b"\" relay=\"")?;
        let (relay, rest) = cut(rest, b"\" delay=")?;
        let (delay, rest) = cut(rest, b" result=\"")?;
        let (result, rest) = cut(rest, b"\" stat=\"")?;
        Some(Self {
            id: id.strip_suffix(b",").unwrap_or(id),
            recipient: Recipient::parse(to),
            relay: host(relay),
            delay_seconds: seconds(delay),
            result,
            stat: rest.strip_suffix(b"\"").unwrap_or(rest),
        })
    }
}

/// What follows `start`; older versions put a comma between some of the fields.
fn after<'a>(text: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    text.strip_prefix(b",").unwrap_or(text).strip_prefix(start)
}

/// `ip (name)`, `[ip] (name)`: the name is the address where there is none, and a domain alone is no
/// host.
fn host(text: &[u8]) -> Relay<'_> {
    let Some((ip, name)) = cut(text, b" (") else { return Relay::default() };
    let ip = ip.strip_prefix(b"[").and_then(|ip| ip.strip_suffix(b"]")).unwrap_or(ip);
    let name = name.strip_suffix(b")").unwrap_or(name);
    named(ip, name)
}

fn named<'a>(ip: &'a [u8], name: &'a [u8]) -> Relay<'a> {
    let bare = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")).unwrap_or(name);
    Relay { host: if bare == ip || bare == b"<unknown>" { b"" } else { name }, ip }
}

/// `address=smtp://[ip]:25 host=name`.
fn connecting(text: &[u8]) -> Relay<'_> {
    let (address, name) = cut(text, b" host=").unwrap_or((text, b""));
    let (_, address) = cut(address, b"://").unwrap_or((b"", address));
    let (ip, _) = match address.strip_prefix(b"[") {
        Some(rest) => cut(rest, b"]").unwrap_or((rest, b"")),
        None => cut_last(address, b":").unwrap_or((address, b"")),
    };
    named(ip, name)
}

/// What a host said, or why it said nothing, and where.
fn answer(stat: &[u8]) -> (Answer<'_>, Option<Phase>) {
    let rejected: [(&[u8], Phase); 6] = [
        (b"BANNER rejected: ", Phase::Connect),
        (b"EHLO rejected: ", Phase::Helo),
        (b"HELO rejected: ", Phase::Helo),
        (b"LHLO rejected: ", Phase::Helo),
        (b"STARTTLS rejected: ", Phase::Starttls),
        (b"AUTH rejected: ", Phase::Auth),
    ];
    let refusal = rejected
        .into_iter()
        .find_map(|(start, phase)| Some((stat.strip_prefix(start)?, Some(phase))));
    let (text, phase) = refusal.unwrap_or((stat, None));
    match Reply::parse(text).filter(|_| matches!(text.get(3), None | Some(b' ' | b'-'))) {
        Some(reply) => (Answer::Reply(reply), phase),
        None => (Answer::NoReply { cause: cause(stat), text: stat }, phase),
    }
}

/// Why there was no reply, in OpenSMTPD's own words.
fn cause(stat: &[u8]) -> NoReply {
    const CAUSES: [(&[u8], NoReply); 21] = [
        (b"Bad response: ", NoReply::Protocol),
        (b"Input too long", NoReply::Protocol),
        (b"Remote host sent too much data", NoReply::Protocol),
        (b"TLS ", NoReply::Tls),
        (b"SSL ", NoReply::Tls),
        (b"Opportunistic TLS", NoReply::Tls),
        (b"No MX found for ", NoReply::Dns),
        (b"Domain does not ", NoReply::Dns),
        (b"Invalid domain name", NoReply::Dns),
        (b"Host not found", NoReply::Dns),
        (b"Temporary failure in MX lookup", NoReply::Dns),
        (b"Address family mismatch on ", NoReply::Unreachable),
        (b"No valid route to ", NoReply::Unreachable),
        (NETWORK_ERROR, NoReply::Unreachable),
        (b"Could not retrieve ", NoReply::Local),
        (b"Loop detected", NoReply::Local),
        (b"BANNER rejected: ", NoReply::Protocol),
        (b"EHLO rejected: ", NoReply::Protocol),
        (b"HELO rejected: ", NoReply::Protocol),
        (b"IO Error: tls", NoReply::Tls),
        (b"IO Error: error:", NoReply::Tls),
    ];
    let known = CAUSES.iter().find(|(start, _)| stat.starts_with(start)).map(|(_, cause)| *cause);
    let lost = if stat.starts_with(b"IO Error") { NoReply::Lost } else { NoReply::Local };
    known.or_else(|| network_cause(stat)).unwrap_or(lost)
}

/// Whether nobody was asked for this recipient.
fn is_suspended(stat: &[u8]) -> bool {
    matches!(
        stat,
        b"Destination seem to reject all mails"
            | b"All routes to destination blocked"
            | b"Too many consecutive errors, closing connection"
    )
}

/// The phase that a client's command belongs to.
fn command_phase(command: &[u8]) -> Option<Phase> {
    let phases: [(&[u8], Phase); 7] = [
        (b"rcpt", Phase::Rcpt),
        (b"mail", Phase::Mail),
        (b"ehlo", Phase::Helo),
        (b"helo", Phase::Helo),
        (b"auth", Phase::Auth),
        (b"star", Phase::Starttls),
        (b"data", Phase::Data),
    ];
    let word = command.get(..4)?;
    phases.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, phase)| phase)
}

/// `delivery evpid=ID from=<s> to=<r> ...` of a mailbox.
fn local_delivery(text: &[u8], out: &mut Out<'_>) -> LineKind {
    let Some(text) = text.strip_prefix(b"mda ") else { return LineKind::Irrelevant };
    let Some(text) = event(text).strip_prefix(b"delivery evpid=") else {
        return LineKind::Irrelevant;
    };
    let Some((queue_id, rest)) = cut(text, b" ") else {
        return LineKind::Unreadable(Why::Truncated);
    };
    let to = rest.strip_prefix(b"from=").and_then(angle).and_then(|(_, rest)| after(rest, b" to="));
    let recipient = to.and_then(angle).map(|(to, _)| Recipient::parse(to)).unwrap_or_default();
    emit(Reading::Local(NoAttempt { queue_id, recipient }), out)
}

/// `relay: Expire for ID: from=<s>, to=<r>, rcpt=<o>, delay=4d, stat=text` of the queue. Up to
/// version 6.3 deliveries are written in this way too: `relay: TempFail for ID: session=ID, ...`.
fn queue(message: &[u8], out: &mut Out<'_>) -> LineKind {
    let (local, text) = match message.strip_prefix(b"relay: ") {
        Some(text) => (false, text),
        None => match message.strip_prefix(b"delivery: ") {
            Some(text) => (true, text),
            None => return LineKind::Irrelevant,
        },
    };
    let Some((verb, rest)) = cut(text, b" for ") else { return LineKind::Irrelevant };
    let Some((queue_id, rest)) = cut(rest, b": ") else { return LineKind::Irrelevant };
    let Some(fields) = OldFields::parse(rest) else { return LineKind::Unreadable(Why::Malformed) };
    let recipient = fields.recipient;
    let outcome = match verb {
        _ if local => return emit(Reading::Local(NoAttempt { queue_id, recipient }), out),
        b"Expire" => {
            let recipient = Some(recipient);
            return emit(Reading::Expiry(Expiry { queue_id, recipient }), out);
        }
        b"Ok" => Outcome::Delivered,
        b"TempFail" => Outcome::Deferred,
        b"PermFail" => Outcome::Bounced,
        _ => return LineKind::Irrelevant,
    };
    let (answer, phase) = answer(fields.stat);
    emit(
        Reading::Attempt(DeliveryAttempt {
            queue_id,
            recipient,
            relay: fields.relay,
            answer,
            answer_counted: fields.stat == NETWORK_ERROR,
            outcome,
            phase,
            delay_seconds: fields.delay_seconds,
        }),
        out,
    )
}

/// The fields of the comma style.
#[derive(Clone, Copy, Debug, Default)]
struct OldFields<'a> {
    recipient: Recipient<'a>,
    relay: Relay<'a>,
    delay_seconds: Option<f64>,
    stat: &'a [u8],
}

impl<'a> OldFields<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let mut fields = Self::default();
        let mut rest = text;
        loop {
            let (key, value) = cut(rest, b"=")?;
            let (value, next) = match key {
                b"stat" => {
                    fields.stat = value;
                    return Some(fields);
                }
                b"from" | b"to" | b"rcpt" => angle(value)?,
                _ => {
                    let (value, _) = cut(value, b", ")?;
                    (value, rest.get(key.len() + 1 + value.len()..)?)
                }
            };
            match key {
                b"to" => fields.recipient = Recipient::parse(value),
                b"relay" => fields.relay = host(value),
                b"delay" => fields.delay_seconds = seconds(value),
                _ => {}
            }
            rest = next.strip_prefix(b", ")?;
        }
    }
}

/// A time as `duration_to_text` prints it: `0s`, `1m3s`, `1d2h`; a clock that was set back gives a
/// minus, which is no delay.
fn seconds(text: &[u8]) -> Option<f64> {
    let mut total = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (digits, unit) = super::text::digits(rest);
        let (unit, after) = unit.split_first()?;
        let unit = match unit {
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        total = super::text::number(digits)?.checked_mul(unit)?.checked_add(total)?;
        rest = after;
    }
    (!text.is_empty()).then(|| u32::try_from(total).ok().map(f64::from)).flatten()
}

/// `event=delivery` in versions up to 6.3.
fn event(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"event=").unwrap_or(text)
}

/// A session id and the space after it.
fn session_id(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let (id, rest) = message.split_at_checked(ID_LENGTH)?;
    let fits = id.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    rest.strip_prefix(b" ").filter(|_| fits).map(|text| (id, text))
}

fn emit(reading: Reading<'_>, out: &mut Out<'_>) -> LineKind {
    let kind = reading.kind();
    out(Dialect::OpenSmtpd, kind, reading);
    kind
}
