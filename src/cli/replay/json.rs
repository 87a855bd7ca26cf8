//! One object for each reading, one reading on each line.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use crate::attempt::{Answer, Outcome, Phase, Relay};
use crate::mta::{Dialect, Reading};
use crate::pipeline::{Event, Observer};
use crate::smtp::{EnhancedStatusCode, Reply};
use crate::telemetry::mask;

/// Writes each event. The first error ends the writing.
pub(super) struct Json<W> {
    out: W,
    result: io::Result<()>,
}

impl<W: Write> Json<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, result: Ok(()) }
    }

    /// How it went.
    pub(super) fn finish(self) -> io::Result<()> {
        self.result
    }
}

impl<W: Write> Observer for Json<W> {
    fn observe(&mut self, event: &Event<'_>) {
        if self.result.is_ok() {
            self.result = write(&mut self.out, &Object::new(event));
        }
    }
}

fn write(out: &mut impl Write, object: &Object<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    out.write_all(b"\n")
}

/// What is known of a reading. Users rely on the names of the fields; what is unknown is null.
#[derive(Debug, Default, Serialize)]
struct Object<'e> {
    kind: &'static str,
    dialect: Option<&'static str>,
    time: Option<Cow<'e, str>>,
    queue_id: Option<Cow<'e, str>>,
    provider: Option<&'e str>,
    recipient_domain: Option<String>,
    relay_host: Option<String>,
    relay_ip: Option<Cow<'e, str>>,
    code: Option<u16>,
    enhanced: Option<String>,
    code_class: Option<&'static str>,
    outcome: Option<&'static str>,
    reason: Option<&'static str>,
    bounce_kind: Option<&'static str>,
    phase: Option<&'static str>,
    cause: Option<&'static str>,
    list: Option<&'e str>,
    delay_seconds: Option<f64>,
    rule: Option<&'e str>,
    text: Option<String>,
}

impl<'e> Object<'e> {
    fn new(event: &Event<'e>) -> Self {
        let mut object = Self {
            kind: event.kind.as_str(),
            dialect: event.dialect.map(Dialect::as_str),
            time: known(event.record.stamp),
            provider: event.provider,
            ..Self::default()
        };
        if let Some(verdict) = event.verdict {
            let classifier = event.classifier;
            object.reason = Some(verdict.reason.as_str());
            object.list = verdict
                .list
                .and_then(|list| classifier.lists().get(list.index()))
                .map(String::as_str);
            object.rule = verdict.rule.map(|rule| classifier.rule_name(rule));
        }
        match event.reading {
            Some(reading) => object.add(reading),
            None => object.text = Some(mask(event.record.message)),
        }
        if let (Some("bounced" | "expired"), Some(verdict)) = (object.outcome, event.verdict) {
            object.bounce_kind = Some(verdict.reason.bounce_kind().as_str());
        }
        object
    }

    fn add(&mut self, reading: &Reading<'e>) {
        match reading {
            Reading::Attempt(attempt) => {
                self.queue_id = known(attempt.queue_id);
                self.recipient_domain = name(attempt.recipient.domain);
                self.add_relay(&attempt.relay);
                self.add_answer(&attempt.answer, attempt.phase);
                self.outcome = Some(attempt.outcome.as_str());
                self.delay_seconds = attempt.delay_seconds;
            }
            Reading::HostReply(reply) => {
                self.queue_id = known(reply.queue_id);
                self.recipient_domain = name(reply.recipient_domain);
                self.add_relay(&reply.relay);
                self.add_answer(&reply.answer, reply.phase);
            }
            Reading::InboundReject(reject) => {
                self.queue_id = known(reject.queue_id);
                self.code_class = Some(reject.class.as_str());
                if let Some(reply) = reject.reply {
                    self.add_codes(&reply);
                }
                self.phase = reject.phase.map(Phase::as_str);
                self.text = Some(mask(reject.text));
            }
            Reading::Expiry(expiry) => {
                self.queue_id = known(expiry.queue_id);
                self.recipient_domain = expiry.recipient.and_then(|one| name(one.domain));
                self.outcome = Some(Outcome::Expired.as_str());
            }
            Reading::Suspended(no_attempt) | Reading::Local(no_attempt) => {
                self.queue_id = known(no_attempt.queue_id);
                self.recipient_domain = name(no_attempt.recipient.domain);
            }
        }
    }

    fn add_relay(&mut self, relay: &Relay<'e>) {
        self.relay_host = name(relay.host);
        self.relay_ip = known(relay.ip);
    }

    fn add_answer(&mut self, answer: &Answer<'_>, phase: Option<Phase>) {
        self.code_class = Some(answer.class().as_str());
        if let Some(reply) = answer.reply() {
            self.add_codes(reply);
        }
        self.cause = answer.cause().map(crate::attempt::NoReply::as_str);
        self.phase = phase.map(Phase::as_str);
        self.text = Some(mask(answer.text()));
    }

    fn add_codes(&mut self, reply: &Reply<'_>) {
        self.code = Some(reply.code.get());
        self.enhanced = reply.enhanced.as_ref().map(EnhancedStatusCode::to_string);
    }
}

/// What the log wrote, if it wrote anything.
fn known(bytes: &[u8]) -> Option<Cow<'_, str>> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes))
}

/// The name of a host or domain. Case means nothing in it, so lower case is what can be compared.
fn name(bytes: &[u8]) -> Option<String> {
    known(bytes).map(|name| name.to_ascii_lowercase())
}
