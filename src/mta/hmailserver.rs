//! hMailServer: tab-separated lines of quoted fields (`Common/Application/Logger.cpp`).
//!
//! Written after the source, not yet seen live. The conversations of the SMTP client (`SMTPC`) are
//! followed line by line; those of the server (`SMTPD`) tell what we refused. A line end within a
//! line is written `[nl]`, quotes are not escaped, and of long lines the middle is missing. The
//! application's own lines repeat what the conversations told.

use serde::{Deserialize, Serialize};

use super::recent::Recent;
use super::session::Session;
use super::text::{contains, cut};
use super::{Dialect, LineKind, Out, Reading, Why, answer};
use crate::attempt::{Answer, HostReply, InboundReject, NoReply, Relay};
use crate::envelope::Record;
use crate::smtp::CodeClass;

/// How many sessions are remembered.
const SESSIONS_MAX: usize = 4_096;

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct HMailServer {
    sessions: Recent<Session, SESSIONS_MAX>,
}

/// Whether a line starts with one of hMailServer's kinds.
pub(super) fn recognise(message: &[u8]) -> bool {
    let starts: &[&[u8]] = &[
        b"\"SMTPC\"\t",
        b"\"SMTPD\"\t",
        b"\"APPLICATION\"\t",
        b"\"TCPIP\"\t",
        b"\"DEBUG\"\t",
        b"\"ERROR\"\t",
        b"\"POP3D\"\t",
        b"\"IMAPD\"\t",
    ];
    starts.iter().any(|start| message.starts_with(start))
}

impl HMailServer {
    /// How many things were forgotten because there was no room.
    pub(super) fn evicted(&self) -> u64 {
        self.sessions.evicted()
    }

    /// Reads one record.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        let mut fields = record.message.splitn(6, |byte| *byte == b'\t');
        let kind = fields.next().unwrap_or_default();
        if kind == b"\"APPLICATION\"" {
            return application(record.message, out);
        }
        if !matches!(kind, b"\"SMTPC\"" | b"\"SMTPD\"") {
            return LineKind::Irrelevant;
        }
        let (Some(_thread), Some(session), Some(_time), Some(ip), Some(text)) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return LineKind::Unreadable(Why::Truncated);
        };
        let Some(text) = unquoted(text) else { return LineKind::Unreadable(Why::Truncated) };
        if kind == b"\"SMTPD\"" {
            return server(text, out);
        }
        self.client(session, unquoted(ip).unwrap_or(ip), text, out)
    }

    fn client(&mut self, id: &[u8], ip: &[u8], text: &[u8], out: &mut Out<'_>) -> LineKind {
        let mut kind = LineKind::State;
        let mut sink = |reading: Reading<'_>| {
            kind = kind.with(reading.kind());
            out(Dialect::HMailServer, reading.kind(), reading);
        };
        if self.sessions.get_mut(id).is_none() {
            self.sessions.put(id, Session::with(ip));
        }
        let Some(session) = self.sessions.get_mut(id) else { return LineKind::State };
        if let Some(sent) = text.strip_prefix(b"SENT: ") {
            let quit = sent.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"QUIT"));
            for command in lines(sent) {
                session.sent(command);
            }
            if quit && let Some(session) = self.sessions.take(id) {
                session.closed(&mut sink);
            }
        } else if let Some(received) = text.strip_prefix(b"RECEIVED: ") {
            for line in lines(received) {
                session.received(line, &mut sink);
            }
        } else {
            return LineKind::Irrelevant;
        }
        kind
    }
}

/// The text between the quotes.
fn unquoted(field: &[u8]) -> Option<&[u8]> {
    field.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The lines of a text.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (line, after) = match cut(text, b"[nl]") {
            Some((line, after)) => (line, Some(after)),
            None => (text, None),
        };
        rest = after;
        Some(line)
    })
    .filter(|line| !line.is_empty())
}

/// What we said to a client.
fn server(text: &[u8], out: &mut Out<'_>) -> LineKind {
    let reply = text.strip_prefix(b"SENT: ").and_then(answer::reply);
    let refusal = reply
        .filter(|reply| matches!(reply.code.class(), CodeClass::Transient | CodeClass::Permanent));
    let Some(reply) = refusal else { return LineKind::Irrelevant };
    let reading = Reading::InboundReject(InboundReject {
        queue_id: b"",
        class: reply.code.class(),
        reply: Some(reply),
        text: reply.text,
        phase: None,
    });
    out(Dialect::HMailServer, LineKind::InboundReject, reading);
    LineKind::InboundReject
}

/// What no conversation tells: that there is nobody to talk to.
fn application(line: &[u8], out: &mut Out<'_>) -> LineKind {
    let Some((_, text)) = cut(line, b"SMTPDeliverer - Message ") else {
        return LineKind::Irrelevant;
    };
    if !contains(text, b"No mail servers could be found") {
        return LineKind::Irrelevant;
    }
    let text = text.strip_suffix(b"\"").unwrap_or(text);
    let reading = Reading::HostReply(HostReply {
        queue_id: b"",
        recipient_domain: b"",
        relay: Relay::default(),
        answer: Answer::NoReply { cause: NoReply::Dns, text },
        phase: None,
    });
    out(Dialect::HMailServer, LineKind::HostReply, reading);
    LineKind::HostReply
}
