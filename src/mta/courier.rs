//! Courier.
//!
//! Source: `libs/comctlfile.c` (`ctlfile_append_reply`, `ctlfile_append_connectioninfo`),
//! `libs/lcclog.c`, `module.esmtp/esmtpclient.C`, `cdmsgq3.C`, `module.esmtp/courieresmtpd.C`.
//!
//! A reply has one log line for each of its lines, and what came of it stands on another one after
//! them; they are joined by message and recipient.
//!
//! Proved on logs of 1.0.16 and 1.4.1.
//!
//! # What Courier hides
//!
//! - The host, except that which took a message: for refusals the provider is found by the
//!   recipient's domain.
//! - What follows the 128th byte of a line of a reply, or its tenth line.
//! - What later hosts of a domain would have said: after a refused greeting none is tried.
//! - Which attempt was one: `Network is down` says that the host failed a moment ago and is left
//!   alone for now; such lines count as suspended. A connection that is kept for the next message
//!   and turns out to be closed reads `<command failed>`, without a result. One that is closed
//!   before the greeting is not logged at all: that it was started again without a result tells.
//! - That a message is given up because of its age: its last attempt is a deferral like those
//!   before.
//! - Where in the conversation a reply came. Of several codes in one reply the first decides.

use serde::{Deserialize, Serialize};

use super::recent::{Bytes, Recent};
use super::text::{angle, cut, cut_last, digits, is_loopback, network_cause, quoted, until};
use super::{Dialect, LineKind, Out, Reading, Why};
use crate::attempt::{
    Answer, DeliveryAttempt, InboundReject, NoAttempt, NoReply, Outcome, Phase, Recipient, Relay,
};
use crate::envelope::Record;
use crate::smtp::Reply;

/// How many recipients are remembered whose delivery is under way.
const RECIPIENTS_MAX: usize = 8_192;
/// How much of a reply is kept.
const TEXT_MAX: usize = 2_048;
/// How many clients are remembered to whom a reply of several lines is being given.
const CLIENTS_MAX: usize = 256;

/// Whether a program of that name is one of Courier's that transport mail.
pub(super) fn recognise(program: &[u8]) -> bool {
    program.starts_with(b"courier")
}

/// Whether a line without a program is Courier's: the tag is part of the message then.
pub(super) fn is_shaped(message: &[u8]) -> bool {
    let starts: [&[u8]; 7] =
        [b"id=", b"started,", b"completed,", b"newmsg,", b"error,", b"Waiting.", b"Loading "];
    let tagged = cut(message.get(..32).unwrap_or(message), b": ");
    tagged.is_some_and(|(program, _)| {
        let rest = message.get(program.len() + 2..).unwrap_or_default();
        recognise(program) && starts.iter().any(|start| rest.starts_with(start))
    })
}

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Courier {
    underway: Recent<Said, RECIPIENTS_MAX>,
    clients: Recent<Bytes, CLIENTS_MAX>,
}

/// What was said about a recipient until now.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Said {
    /// The first reply, its lines joined by spaces, or the first words of Courier itself.
    text: Bytes,
    /// Whether the first reply goes on.
    open: bool,
    host: Bytes,
    ip: Bytes,
    /// Whether it was handed out, because no result was to be expected.
    done: bool,
}

impl Courier {
    /// Reads one record.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        let (program, message) = if recognise(record.program) {
            (record.program, record.message)
        } else {
            cut(record.message, b": ").unwrap_or((record.program, record.message))
        };
        match program {
            b"courieresmtp" => self.outbound(message, out),
            b"courieresmtpd" => self.inbound(message, out),
            b"courierd" => self.daemon(message, out),
            b"courierlocal" | b"courierdsn" | b"courierfax" | b"courieruucp" => local(message, out),
            _ => LineKind::Irrelevant,
        }
    }

    /// Hands out what was still waiting for another line.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        for (key, said) in self.underway.drain() {
            said.emit_unsettled(&key, out);
        }
    }

    /// How often something was forgotten for want of room.
    pub(super) fn evicted(&self) -> u64 {
        self.underway.evicted() + self.clients.evicted()
    }

    /// A line of the module that talks to other servers.
    fn outbound(&mut self, message: &[u8], out: &mut Out<'_>) -> LineKind {
        let Some(line) = Line::parse(message) else { return LineKind::Irrelevant };
        let key = line.key();
        if let What::Status(status) = line.what {
            let said = self.underway.take(&key).unwrap_or_default();
            if said.done {
                return LineKind::State;
            }
            let outcome = match status {
                b"success" => Outcome::Delivered,
                b"deferred" => Outcome::Deferred,
                b"failure" => Outcome::Bounced,
                _ => return LineKind::Unreadable(Why::UnknownStatus),
            };
            return said.emit(line.id, line.address, outcome, out);
        }
        let mut said = self.underway.take(&key).filter(|said| !said.done).unwrap_or_default();
        match line.what {
            What::Text(text) => said.add(text),
            What::Success(text) => said.succeed(text),
            What::Status(_) => {}
        }
        let kind = if *said.text == *COMMAND_FAILED {
            said.done = true;
            said.emit(line.id, line.address, Outcome::Deferred, out)
        } else {
            LineKind::State
        };
        if let Some((key, forgotten)) = self.underway.put(&key, said) {
            forgotten.emit_unsettled(&key, out);
        }
        kind
    }

    /// A line of the daemon that hands messages out: a new attempt, or one of its own verdicts.
    fn daemon(&mut self, message: &[u8], out: &mut Out<'_>) -> LineKind {
        if message.starts_with(b"Loading ") {
            // It was started again: what was under way is no more.
            self.finish(out);
            return LineKind::State;
        }
        let Some(rest) = message.strip_prefix(b"started,") else { return local(message, out) };
        let Some(line) = Line::started(rest) else { return LineKind::Irrelevant };
        let key = line.key();
        if let Some(said) = self.underway.take(&key) {
            if said.text.is_empty() && !said.done {
                said.emit(line.id, line.address, Outcome::Deferred, out);
            }
            said.emit_unsettled(&key, out);
        }
        if let Some((key, forgotten)) = self.underway.put(&key, Said::default()) {
            forgotten.emit_unsettled(&key, out);
        }
        LineKind::State
    }

    /// `error,relay=::ffff:198.51.100.9,port=4022,from=<s>,to=<r>: 513 Relaying denied.`, or
    /// `error,relay=...,port=...,msg="535 Authentication failed.",cmd: AUTH LOGIN`.
    fn inbound(&mut self, message: &[u8], out: &mut Out<'_>) -> LineKind {
        let Some(rest) = message.strip_prefix(b"error,") else { return LineKind::Irrelevant };
        let client = until(rest, b",").0;
        let Some((phase, text)) = refusal(rest) else { return LineKind::Irrelevant };
        let Some(reply) = Reply::parse(text) else { return LineKind::Irrelevant };
        let mut whole = self.clients.take(client).unwrap_or_default();
        if !whole.is_empty() {
            whole.extend(b" ");
        }
        whole.extend(text);
        // Every line of a reply has a log line, and only the last one has no hyphen.
        if text.get(3) == Some(&b'-') && whole.len() < TEXT_MAX {
            self.clients.put(client, whole);
            return LineKind::State;
        }
        emit(
            Reading::InboundReject(InboundReject {
                queue_id: b"",
                class: reply.code.class(),
                reply: Some(Reply::with_code(reply.code, &whole)),
                text: &whole,
                phase,
            }),
            out,
        )
    }
}

/// What Courier says when a connection that it kept for the next message was closed.
const COMMAND_FAILED: &[u8] = b"<command failed>";

impl Said {
    /// Adds a line. Only the first reply counts: after a refusal Courier asks the server for more
    /// than it logs.
    fn add(&mut self, text: &[u8]) {
        if self.text.is_empty() {
            self.text.extend(text);
            self.open = is_reply(text) && text.get(3) == Some(&b'-');
        } else if self.open {
            self.open = is_reply(text) && text.get(3) == Some(&b'-');
            if is_reply(text) && self.text.len() + text.len() < TEXT_MAX {
                self.text.extend(b" ");
                self.text.extend(text);
            }
        }
    }

    /// `delivered: mx.b.example [192.0.2.1]`. Older versions have the reply here.
    fn succeed(&mut self, text: &[u8]) {
        let host = text.strip_prefix(b"delivered: ").and_then(|host| cut_last(host, b" ["));
        match host {
            Some((host, ip)) => {
                self.host = host.into();
                self.ip = ip.strip_suffix(b"]").unwrap_or(ip).into();
            }
            None => self.add(text),
        }
    }

    /// Hands the attempt out.
    fn emit(&self, id: &[u8], address: &[u8], outcome: Outcome, out: &mut Out<'_>) -> LineKind {
        let recipient = Recipient::parse(address);
        let kept = NoAttempt { queue_id: id, recipient };
        if is_loopback(&self.ip) {
            return emit(Reading::Local(kept), out);
        }
        if outcome == Outcome::Deferred && *self.text == *b"Network is down" {
            return emit(Reading::Suspended(kept), out);
        }
        let answer = match Reply::parse(&self.text).filter(|_| is_reply(&self.text)) {
            Some(reply) => Answer::Reply(reply),
            None => Answer::NoReply { cause: cause(&self.text), text: &self.text },
        };
        emit(
            Reading::Attempt(DeliveryAttempt {
                queue_id: id,
                recipient,
                relay: Relay { host: &self.host, ip: &self.ip },
                answer,
                answer_counted: false,
                outcome,
                phase: None,
                delay_seconds: None,
            }),
            out,
        )
    }

    /// Hands out an attempt whose result never came: the message is still in the queue.
    fn emit_unsettled(&self, key: &[u8], out: &mut Out<'_>) {
        if !self.done && !self.text.is_empty() {
            let (id, address) = cut(key, b" ").unwrap_or((key, b""));
            self.emit(id, address, Outcome::Deferred, out);
        }
    }
}

/// `id=ID,from=<s>,addr=<r>[,size=N]` and what follows.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    id: &'a [u8],
    address: &'a [u8],
    what: What<'a>,
}

#[derive(Clone, Copy, Debug)]
enum What<'a> {
    Text(&'a [u8]),
    Success(&'a [u8]),
    Status(&'a [u8]),
}

impl<'a> Line<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (id, rest) = cut(text.strip_prefix(b"id=")?, b",from=")?;
        let (_, rest) = angle(rest)?;
        let (address, rest) = angle(rest.strip_prefix(b",addr=")?)?;
        let rest = rest.strip_prefix(b",size=").map_or(rest, |rest| digits(rest).1);
        let what = if let Some(text) = rest.strip_prefix(b": ") {
            What::Text(text)
        } else if let Some(text) = rest.strip_prefix(b",success: ") {
            What::Success(text)
        } else {
            What::Status(rest.strip_prefix(b",status: ")?)
        };
        Some(Self { id, address, what })
    }

    /// `id=ID,from=<s>,module=esmtp,host=b.example,addr=<r>`.
    fn started(text: &'a [u8]) -> Option<Self> {
        let (id, rest) = cut(text.strip_prefix(b"id=")?, b",from=")?;
        let (_, rest) = angle(rest)?;
        let (_, rest) = cut(rest.strip_prefix(b",module=esmtp,")?, b"addr=")?;
        Some(Self { id, address: angle(rest)?.0, what: What::Status(b"") })
    }

    /// What names the delivery: message and recipient.
    fn key(&self) -> Vec<u8> {
        [self.id, self.address].join(&b' ')
    }
}

/// Whether the text is shaped like a line of a reply: three digits that end there.
fn is_reply(text: &[u8]) -> bool {
    text.get(..3).is_some_and(|code| code.iter().all(u8::is_ascii_digit))
        && matches!(text.get(3), None | Some(b' ' | b'-'))
}

/// Why there was no reply, in Courier's words.
fn cause(text: &[u8]) -> NoReply {
    if text.is_empty() {
        return NoReply::Lost;
    }
    let causes: [(&[u8], NoReply); 10] = [
        (b"Network connection shut down", NoReply::Lost),
        (b"Connection closed", NoReply::Lost),
        (COMMAND_FAILED, NoReply::Lost),
        (b"No such domain", NoReply::Dns),
        (b"Domain does not receive mail", NoReply::Dns),
        (b"DNS lookup failed", NoReply::Dns),
        (b"/SECURITY", NoReply::Tls),
        (b"TLS", NoReply::Tls),
        (b"SSL", NoReply::Tls),
        (b"couriertls", NoReply::Tls),
    ];
    let known = causes.iter().find(|(start, _)| text.starts_with(start)).map(|(_, cause)| *cause);
    // What else there is came from the server and is no reply.
    known.or_else(|| network_cause(text)).unwrap_or(NoReply::Protocol)
}

/// A delivery that stays on this machine, or is settled by Courier itself.
fn local(message: &[u8], out: &mut Out<'_>) -> LineKind {
    let Some(line) = Line::parse(message) else { return LineKind::Irrelevant };
    match line.what {
        What::Text(_) => LineKind::State,
        // A success has no other line.
        What::Success(_) | What::Status(_) => {
            let recipient = Recipient::parse(line.address);
            emit(Reading::Local(NoAttempt { queue_id: line.id, recipient }), out)
        }
    }
}

/// The phase and the text of a refusal, after `error,`.
fn refusal(fields: &[u8]) -> Option<(Option<Phase>, &[u8])> {
    let mut rest = fields;
    loop {
        if let Some(text) = rest.strip_prefix(b": ") {
            return Some((None, text));
        }
        let field = rest.strip_prefix(b",").unwrap_or(rest);
        if let Some(message) = field.strip_prefix(b"msg=") {
            let (text, rest) = quoted(message)?;
            return Some((rest.strip_prefix(b",cmd: ").and_then(command_phase), text));
        }
        if let Some(path) = field.strip_prefix(b"from=") {
            let (_, rest) = angle(path)?;
            return match rest.strip_prefix(b",to=") {
                Some(path) => Some((Some(Phase::Rcpt), angle(path)?.1.strip_prefix(b": ")?)),
                None => Some((Some(Phase::Mail), rest.strip_prefix(b": ")?)),
            };
        }
        // Every field is at least one byte long, which is what ends this loop.
        let length = field.iter().skip(1).position(|byte| matches!(byte, b',' | b' '))?;
        let (value, after) = field.split_at_checked(length + 1)?;
        // The text follows the last field after `: `.
        rest = if value.ends_with(b":") { field.get(length..)? } else { after };
    }
}

/// The phase that a client's command belongs to.
fn command_phase(command: &[u8]) -> Option<Phase> {
    let phases: [(&[u8], Phase); 6] = [
        (b"AUTH", Phase::Auth),
        (b"MAIL", Phase::Mail),
        (b"RCPT", Phase::Rcpt),
        (b"EHLO", Phase::Helo),
        (b"HELO", Phase::Helo),
        (b"DATA", Phase::Data),
    ];
    phases.into_iter().find(|(word, _)| command.starts_with(word)).map(|(_, phase)| phase)
}

fn emit(reading: Reading<'_>, out: &mut Out<'_>) -> LineKind {
    let kind = reading.kind();
    out(Dialect::Courier, kind, reading);
    kind
}
