//! Exim 4: `mainlog` as a file or through syslog, all of `log_selector`.
//!
//! Source: `deliver.c` (`delivery_log`, `deferral_log`, `failure_log`), `transports/smtp.c`
//! (`check_response`, `write_logs`, `sync_responses`), `retry.c`, `log.c`, `smtp_in.c`. Up to
//! Exim 4.99 a deferral has a number (`defer (-44)`), from 4.100 on it has none or words.
//!
//! Proved on logs of 4.96 and 4.98 with the usual log selectors, with all and with few, as a file and
//! through syslog.
//!
//! # What Exim hides
//!
//! - The reply of a host that was not the last one tried stands only on a host line, once for
//!   all recipients of the transaction; a refused recipient is named in it, others are not.
//! - With pipelining and CHUNKING the stage can be a later one than that which was refused: a
//!   refused MAIL FROM reads `after pipelined end of data`.
//! - Without `smtp_confirmation` the accepting reply is not logged; 250 is assumed then.
//! - A reply of more than 4 KiB is called malformed, and so is one without a code; both are
//!   retried, whatever the server meant. Of several codes in one reply the first decides.
//! - `Unrouteable address` stands for a domain that does not exist and for an unknown local user
//!   alike; it is read as the former.
//! - Our own refusals have no code, only `temporarily` or not. They go to the reject log as well:
//!   name `mainlog` as the source, not both. Through syslog each is written twice and
//!   read once, unless `syslog_duplication = no`, which most refusals' coming once tells.
//! - Mail for other hosts is told from local deliveries by the host's address in the line, and
//!   where there is none by what went wrong.

mod line;
mod address;
mod fields;
mod message;
mod hosts;
mod parts;
mod inbound;

use serde::{Deserialize, Serialize};

use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, HostReply, NoAttempt, NoReply, Outcome, Phase, Recipient,
    Relay,
};
use crate::envelope::Record;
use crate::mta::text::{contains, cut, cut_last, is_loopback};
use crate::mta::{Dialect, LineKind, Out, Reading, Why};
use crate::smtp::{Reply, ReplyCode};
use address::Address;
use fields::Fields;
use hosts::{Hosts, host_line};
use inbound::Doubled;
use line::Line;
use message::Said;
use parts::{Part, Parts};

/// The code of an acceptance that the log does not show (RFC 5321 §4.3.2).
const ACCEPTED: u16 = 250;

/// Whether a program of that name is Exim. `syslog_processname` is `exim` unless set.
pub(super) fn recognise(program: &[u8]) -> bool {
    program.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"exim"))
}

/// Whether a line without a program is Exim's: its own stamp, then a message id or one of the words
/// with which a line about a client or the daemon starts.
pub(super) fn is_shaped(message: &[u8]) -> bool {
    let (stamp, _) = line::stamp(message);
    let line = Line::parse(message, &Record::default());
    if stamp.is_empty() {
        // Through syslog under another name, with `syslog_timestamp = no`.
        let flags: [&[u8]; 7] = [b"=> ", b"-> ", b"== ", b"** ", b"<= ", b"H=", b"Completed"];
        return !line.id.is_empty() && flags.iter().any(|flag| line.text.starts_with(flag));
    }
    let starts: [&[u8]; 14] = [
        b"H=",
        b" H=",
        b"DSH=",
        b"rejected ",
        b"temporarily ",
        b"refused ",
        b"unqualified ",
        b"SMTP ",
        b"Start queue run",
        b"End queue run",
        b"exim ",
        b"no host name ",
        b"Connection from ",
        b"too many recipients",
    ];
    !line.id.is_empty()
        || starts.iter().any(|start| line.text.starts_with(start))
        || contains(line.text, b" authenticator failed for ")
}

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Exim {
    parts: Parts,
    hosts: Hosts,
    doubled: Doubled,
}

impl Exim {
    /// Reads one record.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        let Self { parts, hosts, doubled } = self;
        let mut read = Reader { hosts, doubled, record, out };
        let part = parts.take(record.pid, record.message, |broken| {
            read.line(broken);
        });
        match part {
            Part::Whole => read.line(record.message),
            Part::Joined(text) => read.line(&text),
            Part::Held => LineKind::State,
            Part::Header => LineKind::Irrelevant,
        }
    }

    /// Hands out what was still waiting for another line.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        let Self { parts, hosts, doubled } = self;
        let record = Record { repeat: 1, ..Record::default() };
        let mut read = Reader { hosts, doubled, record: &record, out };
        parts.finish(|broken| {
            read.line(broken);
        });
        hosts.finish(out);
    }

    /// How often something was forgotten for want of room.
    pub(super) fn evicted(&self) -> u64 {
        self.parts.evicted() + self.hosts.evicted()
    }
}

/// Reads one line.
struct Reader<'r, 'o> {
    hosts: &'r mut Hosts,
    doubled: &'r mut Doubled,
    record: &'r Record<'r>,
    out: &'r mut Out<'o>,
}

impl Reader<'_, '_> {
    fn line(&mut self, message: &[u8]) -> LineKind {
        let line = Line::parse(message, self.record);
        self.wait(&line);
        let (flag, rest) = line.text.split_at_checked(3).unwrap_or((line.text, b""));
        if line.id.is_empty() {
            return self.client(&line, message);
        }
        match flag {
            b"=> " | b"-> " | b">> " => self.delivered(&line, rest),
            b"== " => self.unsuccessful(&line, rest, Outcome::Deferred),
            b"** " => self.unsuccessful(&line, rest, Outcome::Bounced),
            // Delivery was bypassed with the option -N.
            b"*> " => self.suspended(&line, Address::parse(rest).0),
            b"Com" if line.text.starts_with(b"Completed") => {
                self.hosts.complete(line.id, self.out);
                LineKind::Irrelevant
            }
            _ => self.host(&line).unwrap_or_else(|| self.client(&line, message)),
        }
    }

    /// A recipient whose message somebody took over.
    fn delivered(&mut self, line: &Line<'_>, text: &[u8]) -> LineKind {
        let (address, rest) = Address::parse(text);
        let fields = Fields::parse(rest);
        let recipient = Recipient::parse(address.recipient());
        let Some(relay) = fields.relay.filter(|_| !address.is_local() && !fields.is_loopback())
        else {
            if address.target.is_empty() || cut_off(&address, &fields) {
                return LineKind::Unreadable(Why::Truncated);
            }
            return self.local(line, recipient);
        };
        let confirmation = fields.confirmation.unwrap_or_default();
        let implied =
            || ReplyCode::new(ACCEPTED).map(|accepted| Reply::with_code(accepted, confirmation));
        let Some(reply) = Reply::parse(confirmation).or_else(implied) else {
            return LineKind::Unreadable(Why::Malformed);
        };
        self.pass(line);
        self.attempt(DeliveryAttempt {
            queue_id: line.id,
            recipient,
            relay,
            answer: Answer::Reply(reply),
            answer_counted: false,
            outcome: Outcome::Delivered,
            phase: None,
            delay_seconds: fields.queued_seconds,
        })
    }

    /// A recipient who was deferred or failed.
    fn unsuccessful(&mut self, line: &Line<'_>, text: &[u8], outcome: Outcome) -> LineKind {
        let (address, rest) = Address::parse(text);
        let fields = Fields::parse(rest);
        let text = if fields.message.is_empty() { fields.error } else { fields.message };
        if outcome == Outcome::Deferred && !fields.deferred {
            return LineKind::Unreadable(Why::NoStatus);
        }
        if text.is_empty() && outcome == Outcome::Bounced {
            return LineKind::Unreadable(Why::Truncated);
        }
        let recipient = Recipient::parse(address.recipient());
        let (mut said, expired) = message::read(text);
        if said == Said::Other {
            // The message can be the host alone, and the words of the error stand before it.
            said = message::read(fields.error).0;
        }
        match said {
            Said::Suspended => self.suspended(line, address),
            Said::TooLong => self.given_up(line, recipient, outcome),
            Said::Answer(answer, phase) => {
                let outcome =
                    if expired && outcome == Outcome::Bounced { Outcome::Expired } else { outcome };
                self.answered(line, &address, &fields, (answer, phase), outcome, text)
            }
            Said::Other => {
                let answer = Answer::NoReply { cause: NoReply::Local, text };
                self.answered(line, &address, &fields, (answer, None), outcome, text)
            }
        }
    }

    /// A recipient about whom somebody was asked, or could not be.
    fn answered(
        &mut self,
        line: &Line<'_>,
        address: &Address<'_>,
        fields: &Fields<'_>,
        (answer, phase): (Answer<'_>, Option<Phase>),
        outcome: Outcome,
        text: &[u8],
    ) -> LineKind {
        let recipient = Recipient::parse(address.recipient());
        if address.is_local() || fields.is_loopback() {
            return self.local(line, recipient);
        }
        let named = fields.relay.or_else(|| message::host(text));
        let repeated = self.hosts.repeated(line.id, named, &answer, text);
        let relay = named.or(repeated.as_ref().map(hosts::Held::relay));
        if relay.is_none() && is_local_failure(fields, &answer) {
            return self.local(line, recipient);
        }
        self.pass(line);
        let relay = relay.unwrap_or_default();
        self.attempt(DeliveryAttempt {
            queue_id: line.id,
            recipient,
            relay,
            answer,
            answer_counted: false,
            outcome,
            phase,
            delay_seconds: fields.queued_seconds,
        })
    }

    /// A recipient who was not tried again and has been too late for too long.
    fn given_up(
        &mut self,
        line: &Line<'_>,
        recipient: Recipient<'_>,
        outcome: Outcome,
    ) -> LineKind {
        self.pass(line);
        if outcome == Outcome::Deferred {
            return self.emit(
                LineKind::Suspended,
                Reading::Suspended(NoAttempt { queue_id: line.id, recipient }),
            );
        }
        let expiry = Expiry { queue_id: line.id, recipient: Some(recipient) };
        self.emit(LineKind::Delivery, Reading::Expiry(expiry))
    }

    fn suspended(&mut self, line: &Line<'_>, address: Address<'_>) -> LineKind {
        self.pass(line);
        let recipient = Recipient::parse(address.recipient());
        let reading = Reading::Suspended(NoAttempt { queue_id: line.id, recipient });
        self.emit(LineKind::Suspended, reading)
    }

    fn local(&mut self, line: &Line<'_>, recipient: Recipient<'_>) -> LineKind {
        self.pass(line);
        self.emit(LineKind::Local, Reading::Local(NoAttempt { queue_id: line.id, recipient }))
    }

    /// A line about a remote host without a recipient.
    fn host(&mut self, line: &Line<'_>) -> Option<LineKind> {
        if let Some((relay, text)) = line.text.strip_prefix(b"H=").and_then(host_line) {
            if is_loopback(relay.ip) {
                return Some(LineKind::Local);
            }
            self.hosts.hold(line, relay, text, self.out);
            return Some(LineKind::State);
        }
        let (relay, answer, phase) =
            unencrypted(line.text).or_else(|| unauthenticated(line.text))?;
        let reading = Reading::HostReply(HostReply {
            queue_id: line.id,
            recipient_domain: b"",
            relay,
            answer,
            phase: Some(phase),
        });
        Some(self.emit(LineKind::HostReply, reading))
    }

    /// A line about one of our own clients.
    fn client(&mut self, line: &Line<'_>, message: &[u8]) -> LineKind {
        let Some(reject) = inbound::refusal(line.id, line.text) else {
            return LineKind::Irrelevant;
        };
        if !self.record.program.is_empty() && self.doubled.is_second(line.pid, message) {
            return LineKind::Irrelevant;
        }
        self.emit(LineKind::InboundReject, Reading::InboundReject(reject))
    }

    /// Time has passed. A line that stands for several counts as often, and what was held back
    /// counts once, so that has to wait for another line.
    fn wait(&mut self, line: &Line<'_>) {
        if self.record.repeat <= 1 {
            self.hosts.wait(line, self.out);
        }
    }

    /// A recipient's line was written.
    fn pass(&mut self, line: &Line<'_>) {
        if self.record.repeat <= 1 {
            self.hosts.pass(line, self.out);
        }
    }

    fn attempt(&mut self, attempt: DeliveryAttempt<'_>) -> LineKind {
        self.emit(LineKind::Delivery, Reading::Attempt(attempt))
    }

    fn emit(&mut self, kind: LineKind, reading: Reading<'_>) -> LineKind {
        (self.out)(Dialect::Exim, kind, reading);
        kind
    }
}

/// Whether the line ends before it says where the message went.
fn cut_off(address: &Address<'_>, fields: &Fields<'_>) -> bool {
    !address.is_local()
        && (fields.transport.is_empty() || fields.relay.is_none() && is_remote(fields.transport))
}

/// Whether a transport hands mail to other hosts. Its name is free, but every configuration that
/// is handed out calls it so.
fn is_remote(transport: &[u8]) -> bool {
    contains(transport, b"smtp")
}

/// Whether a failure without a host is that of a local transport or of the configuration.
fn is_local_failure(fields: &Fields<'_>, answer: &Answer<'_>) -> bool {
    // A transport that logs a remote's words without a host speaks LMTP to a local socket.
    let is_dns = matches!(answer, Answer::NoReply { cause: NoReply::Dns, .. });
    !is_dns && !is_remote(fields.transport)
}

/// `...: delivering unencrypted to H=name [ip] (not in hosts_require_tls)`: TLS has failed, and a
/// second connection is made without it.
fn unencrypted(text: &[u8]) -> Option<(Relay<'_>, Answer<'_>, Phase)> {
    let text = text.strip_suffix(b" (not in hosts_require_tls)")?;
    let (why, host) = cut_last(text, b": delivering unencrypted to ")?;
    let (host, ip) = cut(host.strip_prefix(b"H=").unwrap_or(host), b" [")?;
    let relay = Relay { host, ip: ip.strip_suffix(b"]")? };
    Some((relay, Answer::NoReply { cause: NoReply::Tls, text: why }, Phase::Starttls))
}

/// `plain authenticator failed H=name [ip] 535 ...`: the host refused us, and the next
/// authenticator is tried.
fn unauthenticated(text: &[u8]) -> Option<(Relay<'_>, Answer<'_>, Phase)> {
    let (name, rest) = cut(text, b" authenticator failed H=")?;
    let (host, rest) = cut(rest, b" [")?;
    let (ip, rest) = cut(rest, b"]")?;
    let reply = Reply::parse(rest.trim_ascii_start()).filter(|_| !name.contains(&b' '))?;
    Some((Relay { host, ip }, Answer::Reply(reply), Phase::Auth))
}
