//! maddy: a message, a tab, and a JSON object with sorted keys (`framework/log`,
//! `internal/target/queue/queue.go`).
//!
//! Written after the source, not yet seen live.
//!
//! - A delivery has no reply and no host: 250 is taken for granted.
//! - A failed attempt says what the remote said, or what maddy made up. Only what the remote said
//!   names its server and says so. maddy rewrites a 552 to 452 before it logs it (RFC 5321
//!   §4.5.3.1.10), so that no 552 is ever seen.
//! - After a failure comes the verdict: retried, or given up. Given up after a temporary failure is
//!   an expiry; after a permanent one nothing new. Permanent failures are remembered for that.

use serde::{Deserialize, Serialize};

use super::json::{self, Loose, Text};
use super::seen::Seen;
use super::text::cut;
use super::{Dialect, LineKind, Out, Reading, Why, answer, failure};
use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, InboundReject, NoReply, Outcome, Phase, Recipient, Relay,
};
use crate::envelope::Record;
use crate::smtp::{CodeClass, EnhancedStatusCode, Reply};

/// How many permanent failures are remembered until their verdict, which is the next line.
const FAILURES_MAX: usize = 4_096;

/// What has to be remembered from line to line.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Maddy {
    bounced: Seen<FAILURES_MAX>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    msg_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    rcpt: Option<Text<'a>>,
    #[serde(borrow, default)]
    remote_server: Option<Text<'a>>,
    #[serde(borrow, default)]
    smtp_code: Loose<'a>,
    #[serde(borrow, default)]
    smtp_enchcode: Option<Text<'a>>,
    #[serde(borrow, default)]
    smtp_msg: Option<Text<'a>>,
    #[serde(borrow, default)]
    reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    io_op: Option<Text<'a>>,
}

/// Whether a line is one of the modules that tell of deliveries.
pub(super) fn recognise(message: &[u8]) -> bool {
    split(message).is_some_and(|(module, _, object)| object.starts_with(b"{") && is_module(module))
}

/// The queue, and the endpoints for mail that comes in.
fn is_module(module: &[u8]) -> bool {
    module == b"queue" || module.ends_with(b"_queue") || is_endpoint(module)
}

fn is_endpoint(module: &[u8]) -> bool {
    matches!(module, b"smtp" | b"submission" | b"lmtp")
}

/// Module, message and object of `[STAMP ][[debug] ]MODULE: MESSAGE<TAB>OBJECT`.
fn split(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    // rsyslog writes a tab as #011.
    let (head, object) = cut(line, b"\t").or_else(|| cut(line, b"#011"))?;
    let head = match cut(head, b" ") {
        Some((stamp, rest)) if super::stamp::seconds(stamp).is_some() => rest,
        _ => head,
    };
    let head = head.strip_prefix(b"[debug] ").unwrap_or(head);
    let (module, message) = cut(head, b": ")?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./".contains(byte);
    // A module may name its instance: `queue/remote_queue`.
    let module = module.split(|byte| *byte == b'/').next().unwrap_or(module);
    module.iter().all(plain).then_some((module, message, object))
}

impl Maddy {
    /// Reads one record.
    pub(super) fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
        let Some((module, message, object)) = split(record.message) else {
            return LineKind::Irrelevant;
        };
        let endpoint = is_endpoint(module);
        match message {
            b"delivered" | b"delivery attempt failed" | b"not delivered, permanent error" => {}
            b"RCPT error" | b"MAIL FROM error" | b"DATA error" if endpoint => {}
            _ => return LineKind::Irrelevant,
        }
        let entry = match json::parse::<Entry<'_>>(object) {
            Ok(entry) => entry,
            Err(why) => return LineKind::Unreadable(why),
        };
        let reading =
            if endpoint { entry.inbound_reject(message) } else { self.outbound(message, &entry) };
        match reading {
            Ok(Some(reading)) => {
                let kind = reading.kind();
                out(Dialect::Maddy, kind, reading);
                kind
            }
            Ok(None) => LineKind::State,
            Err(why) => LineKind::Unreadable(why),
        }
    }

    fn outbound<'e>(
        &mut self,
        message: &[u8],
        entry: &'e Entry<'_>,
    ) -> Result<Option<Reading<'e>>, Why> {
        let address = entry.rcpt.as_ref().ok_or(Why::Malformed)?.bytes();
        let queue_id = json::bytes(entry.msg_id.as_ref());
        let recipient = Recipient::parse(address);
        let (answer, outcome) = match message {
            b"delivered" => (answer::accepted(b""), Outcome::Delivered),
            b"not delivered, permanent error" => {
                let told = self.bounced.has(&[queue_id, address]);
                let expiry = Expiry { queue_id, recipient: Some(recipient) };
                return Ok((!told).then_some(Reading::Expiry(expiry)));
            }
            _ => {
                let outcome = match entry.smtp_code.code().ok_or(Why::NoStatus)?.class() {
                    CodeClass::Permanent => {
                        self.bounced.is_new(&[queue_id, address]);
                        Outcome::Bounced
                    }
                    CodeClass::Success | CodeClass::Transient | CodeClass::None => {
                        Outcome::Deferred
                    }
                };
                (entry.answer(), outcome)
            }
        };
        Ok(Some(Reading::Attempt(DeliveryAttempt {
            queue_id,
            recipient,
            relay: Relay { host: json::bytes(entry.remote_server.as_ref()), ip: b"" },
            answer,
            answer_counted: false,
            outcome,
            phase: None,
            delay_seconds: None,
        })))
    }

    /// How many things were forgotten because there was no room.
    pub(super) fn evicted(&self) -> u64 {
        self.bounced.evicted()
    }
}

impl Entry<'_> {
    /// What the remote said: `mx.example.com said: ...`; or else maddy's own account.
    fn answer(&self) -> Answer<'_> {
        let text = json::bytes(self.smtp_msg.as_ref());
        let server = json::bytes(self.remote_server.as_ref());
        let said = text
            .strip_prefix(server)
            .and_then(|rest| rest.strip_prefix(b" said: "))
            .filter(|_| !server.is_empty() && self.io_op.is_none());
        let (Some(said), Some(code)) = (said, self.smtp_code.code()) else {
            return self.own_account(text);
        };
        let mut reply = Reply::with_code(code, said);
        let enhanced = EnhancedStatusCode::parse(json::bytes(self.smtp_enchcode.as_ref()));
        reply.enhanced = enhanced
            .map(|(enhanced, _)| enhanced)
            .filter(|enhanced| u16::from(enhanced.class()) == code.get() / 100)
            .or(reply.enhanced);
        Answer::Reply(reply)
    }

    /// Why there was no reply: the reason tells it, or the message where that is bare.
    fn own_account<'e>(&'e self, message: &'e [u8]) -> Answer<'e> {
        let reason = json::bytes(self.reason.as_ref());
        let text = if failure::cause(reason).is_some() { reason } else { message };
        answer::no_reply(text, if self.io_op.is_some() { NoReply::Lost } else { NoReply::Local })
    }

    fn inbound_reject(&self, message: &[u8]) -> Result<Option<Reading<'_>>, Why> {
        let code = self.smtp_code.code().ok_or(Why::NoStatus)?;
        let text = json::bytes(self.smtp_msg.as_ref());
        let enhanced = EnhancedStatusCode::parse(json::bytes(self.smtp_enchcode.as_ref()));
        let reply = Reply::with_code(code, text);
        let reply = answer::with_enhanced(reply, enhanced.map(|(enhanced, _)| enhanced));
        Ok(Some(Reading::InboundReject(InboundReject {
            queue_id: json::bytes(self.msg_id.as_ref()),
            class: code.class(),
            reply: Some(reply),
            text,
            phase: Some(match message {
                b"RCPT error" => Phase::Rcpt,
                b"MAIL FROM error" => Phase::Mail,
                _ => Phase::EndOfData,
            }),
        })))
    }
}
