//! Microsoft Exchange: the message tracking log and the protocol logs of SMTP, comma-separated with
//! `#Fields:` before them.
//!
//! Written after the vendor's documents and public samples, not yet seen live. Each log alone tells
//! of every delivery: follow the tracking log or the log `SmtpSend`, never both.
//!
//! - The tracking log has one line for each message and event; replies stand in the status of each
//!   recipient, at times within Exchange's own account of what it last met (`LED=`). What did not
//!   leave by SMTP is not counted.
//! - The protocol log has one line for each line of a conversation. Exchange tells no MX name in it;
//!   the banner does, but the remote chose that. The recipient's domain tells who answered.
//! - `SmtpReceive` has the same columns the other way round: what we refused.

mod tracking;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::csv::{self, Columns, Next, Split, Unfinished};
use super::recent::Recent;
use super::session::Session;
use super::text::{contains, cut, cut_last};
use super::{Dialect, LineKind, Out, Reading, Why, answer, failure};
use crate::attempt::{InboundReject, NoReply};
use crate::envelope::Record;
use crate::smtp::CodeClass;

/// How many sessions are remembered.
const SESSIONS_MAX: usize = 4_096;

/// The columns of the protocol logs that are asked for.
const PROTOCOL: &[&str] = &["session-id", "remote-endpoint", "event", "data", "context"];
const SESSION_ID: usize = 0;
const REMOTE: usize = 1;
const EVENT: usize = 2;
const DATA: usize = 3;
const CONTEXT: usize = 4;

/// The columns of the protocol logs, where reading began below their header.
const PROTOCOL_HEADER: &[u8] = b"date-time,connector-id,session-id,sequence-number,local-endpoint,\
    remote-endpoint,event,data,context";

/// Which of the logs it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Log {
    Send,
    Receive,
    Tracking,
    Other,
}

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Exchange {
    log: Option<Log>,
    columns: Option<Columns>,
    unfinished: Unfinished,
    sessions: Recent<Session, SESSIONS_MAX>,
}

/// Whether a line is of the preamble, or starts as all rows do: `2026-11-21T20:00:01.039Z,`.
pub(super) fn recognise(message: &[u8]) -> bool {
    if let Some(preamble) = without_mark(message).strip_prefix(b"#") {
        let starts: &[&[u8]] =
            &[b"Software: Microsoft Exchange", b"Log-type: ", b"Fields: date-time,"];
        return starts.iter().any(|start| preamble.starts_with(start));
    }
    let Some(stamp) = message.get(..25) else { return false };
    stamp.ends_with(b"Z,") && stamp.get(10) == Some(&b'T') && {
        let stamp = stamp.get(..24).unwrap_or(stamp);
        super::stamp::seconds(stamp).is_some()
    }
}

/// The line without the byte order mark of the first one.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

impl Exchange {
    /// Whether the next line belongs to a record that has begun, whatever it looks like.
    pub(super) fn is_open(&self) -> bool {
        self.unfinished.is_open()
    }

    /// How many things were forgotten because there was no room.
    pub(super) fn evicted(&self) -> u64 {
        self.sessions.evicted()
    }

    /// Reads one line.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        let line = without_mark(record.message);
        if self.unfinished.is_open() {
            return match self.unfinished.take(line) {
                Next::Record(joined) => self.row(&joined, out),
                Next::Wait => LineKind::State,
                Next::GivenUp => LineKind::Unreadable(Why::Truncated),
            };
        }
        match line.strip_prefix(b"#") {
            Some(preamble) => self.preamble(preamble),
            None => self.row(line, out),
        }
    }

    fn preamble(&mut self, line: &[u8]) -> LineKind {
        if let Some(kind) = line.strip_prefix(b"Log-type: ") {
            let kind = kind.to_ascii_lowercase();
            self.log = Some(match () {
                () if kind.starts_with(b"smtp send") => Log::Send,
                () if kind.starts_with(b"smtp receive") => Log::Receive,
                () if kind.starts_with(b"message tracking") => Log::Tracking,
                () => Log::Other,
            });
            self.columns = None;
        } else if let Some(header) = line.strip_prefix(b"Fields: ")
            && let Split::Record(header) = csv::split(header)
        {
            let names = |names| Some(Columns::of(&header, names));
            self.columns = match self.log {
                Some(Log::Tracking) => names(tracking::NAMES),
                Some(Log::Other) => None,
                // The line before was not read; the columns tell.
                None if header.iter().any(|name| &**name == b"event-id") => {
                    self.log = Some(Log::Tracking);
                    names(tracking::NAMES)
                }
                Some(Log::Send | Log::Receive) | None => names(PROTOCOL),
            };
        }
        LineKind::State
    }

    fn row(&mut self, line: &[u8], out: &mut Out<'_>) -> LineKind {
        let fields = match csv::split(line) {
            Split::Record(fields) => fields,
            Split::Open => {
                self.unfinished.begin(line);
                return LineKind::State;
            }
            Split::Broken => return LineKind::Unreadable(Why::BrokenRecord),
        };
        let columns = match (&self.columns, self.log) {
            (_, Some(Log::Other)) => return LineKind::Irrelevant,
            (Some(columns), _) => columns.clone(),
            (None, Some(Log::Tracking)) => return LineKind::Unreadable(Why::Malformed),
            (None, _) => match csv::split(PROTOCOL_HEADER) {
                // Other logs of Exchange start their rows in the same way.
                Split::Record(header) if header.len() == fields.len() => {
                    Columns::of(&header, PROTOCOL)
                }
                Split::Record(_) | Split::Open | Split::Broken => return LineKind::Irrelevant,
            },
        };
        if !columns.fit(&fields) {
            return LineKind::Unreadable(Why::Truncated);
        }
        match self.log {
            Some(Log::Tracking) => tracking::read(&columns, &fields, out),
            Some(Log::Receive) => receive(&columns, &fields, out),
            Some(Log::Send | Log::Other) | None => self.send(&columns, &fields, out),
        }
    }

    /// A line of a conversation in which we are the client.
    fn send(&mut self, columns: &Columns, fields: &[Cow<'_, [u8]>], out: &mut Out<'_>) -> LineKind {
        let get = |name| columns.get(fields, name);
        let (id, data, context) = (get(SESSION_ID), get(DATA), get(CONTEXT));
        let mut kind = LineKind::State;
        let mut sink = |reading: Reading<'_>| {
            kind = kind.with(reading.kind());
            out(Dialect::Exchange, reading.kind(), reading);
        };
        let ip = address(get(REMOTE));
        match get(EVENT) {
            b"+" => {
                self.sessions.put(id, Session::with(ip));
            }
            b"-" => {
                if let Some(session) = self.sessions.take(id) {
                    session.closed(&mut sink);
                }
            }
            b">" => match self.sessions.get_mut(id) {
                Some(session) => session.sent(data),
                None => return LineKind::Irrelevant,
            },
            b"<" => match self.sessions.get_mut(id) {
                Some(session) => session.received(data, &mut sink),
                None => return LineKind::Irrelevant,
            },
            b"*" => {
                let Some((cause, text)) = trouble(context) else {
                    return LineKind::Irrelevant;
                };
                let mut session = self.sessions.take(id).unwrap_or_else(|| Session::with(ip));
                session.failed(cause, text, &mut sink);
            }
            _ => return LineKind::Unreadable(Why::UnknownStatus),
        }
        kind
    }
}

/// What an informational line tells of a failed connection: `Failed to connect. Winsock error
/// code: 10060, ...`, `TLS negotiation failed with error ...`.
///
/// Other such lines hold what strangers chose: message ids, names in certificates.
fn trouble(context: &[u8]) -> Option<(NoReply, &[u8])> {
    let starts: &[&[u8]] = &[
        b"failed to connect",
        b"tls negotiation failed",
        b"connection ",
        b"timed out",
        b"socket ",
    ];
    let lower = context.get(..512).unwrap_or(context).to_ascii_lowercase();
    if !starts.iter().any(|start| lower.starts_with(start)) {
        return None;
    }
    let cause = match failure::cause(context) {
        _ if contains(&lower, b"10061") => NoReply::Refused,
        _ if contains(&lower, b"10060") => NoReply::Timeout,
        _ if contains(&lower, b"10051") || contains(&lower, b"10065") => NoReply::Unreachable,
        _ if contains(&lower, b"10054") || contains(&lower, b"10053") => NoReply::Lost,
        Some(cause) => cause,
        None => return None,
    };
    Some((cause, context))
}

/// A line of a conversation in which we are the server: what we refused.
fn receive(columns: &Columns, fields: &[Cow<'_, [u8]>], out: &mut Out<'_>) -> LineKind {
    let data = columns.get(fields, DATA);
    let reply = match columns.get(fields, EVENT) {
        b">" => answer::reply(data),
        b"+" | b"-" | b"<" | b"*" => None,
        _ => return LineKind::Unreadable(Why::UnknownStatus),
    };
    // Only the last line of a reply counts; the others have a hyphen after the code.
    let refusal = reply.filter(|reply| {
        matches!(reply.code.class(), CodeClass::Transient | CodeClass::Permanent)
            && data.get(3) != Some(&b'-')
    });
    let Some(reply) = refusal else { return LineKind::Irrelevant };
    let reading = Reading::InboundReject(InboundReject {
        queue_id: b"",
        class: reply.code.class(),
        reply: Some(reply),
        text: reply.text,
        phase: None,
    });
    out(Dialect::Exchange, LineKind::InboundReject, reading);
    LineKind::InboundReject
}

/// The address of an endpoint: `192.0.2.10:25`, `[2001:db8::25]:25`.
fn address(endpoint: &[u8]) -> &[u8] {
    if let Some(inner) = endpoint.strip_prefix(b"[") {
        return cut(inner, b"]").map_or(inner, |(address, _)| address);
    }
    match cut_last(endpoint, b":") {
        Some((address, _)) if !contains(address, b":") => address,
        _ => endpoint,
    }
}
