//! What is known of a reading, for programs.

use std::borrow::Cow;

use serde::Serialize;

use crate::attempt::{Answer, NoReply, Outcome, Phase, Relay};
use crate::mta::{Dialect, Reading};
use crate::pipeline::Event;
use crate::reason::{Classifier, Verdict};
use crate::smtp::Reply;
use crate::telemetry::mask;

/// What is known of a reading. Users rely on the names of the fields; what is unknown is null.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Object<'e> {
    pub(super) kind: Option<&'static str>,
    pub(super) dialect: Option<&'static str>,
    pub(super) time: Option<Cow<'e, str>>,
    pub(super) queue_id: Option<Cow<'e, str>>,
    pub(super) provider: Option<Cow<'e, str>>,
    pub(super) recipient_domain: Option<Cow<'e, str>>,
    pub(super) relay_host: Option<Cow<'e, str>>,
    pub(super) relay_ip: Option<Cow<'e, str>>,
    pub(super) code: Option<u16>,
    pub(super) enhanced: Option<Cow<'e, str>>,
    pub(super) code_class: Option<&'static str>,
    pub(super) outcome: Option<&'static str>,
    pub(super) reason: Option<&'static str>,
    pub(super) bounce_kind: Option<&'static str>,
    pub(super) phase: Option<&'static str>,
    pub(super) cause: Option<&'static str>,
    pub(super) list: Option<Cow<'e, str>>,
    pub(super) delay_seconds: Option<f64>,
    pub(super) rule: Option<Cow<'e, str>>,
    pub(super) text: Option<Cow<'e, str>>,
}

impl<'e> Object<'e> {
    pub(super) fn new(event: &Event<'e>) -> Self {
        let mut object = Self {
            kind: Some(event.kind.as_str()),
            dialect: event.dialect.map(Dialect::as_str),
            time: known(event.record.stamp),
            provider: event.provider.map(Cow::Borrowed),
            ..Self::default()
        };
        if let Some(verdict) = event.verdict {
            object.add_verdict(verdict, event.classifier);
        }
        match event.reading {
            Some(reading) => object.add(reading),
            None => object.text = Some(mask(event.record.message).into()),
        }
        if let (Some("bounced" | "expired"), Some(verdict)) = (object.outcome, event.verdict) {
            object.bounce_kind = Some(verdict.reason.bounce_kind().as_str());
        }
        object
    }

    pub(super) fn add_verdict(&mut self, verdict: Verdict, classifier: &'e Classifier) {
        let list = verdict.list.and_then(|list| classifier.lists().get(list.index()));
        self.reason = Some(verdict.reason.as_str());
        self.list = list.map(|list| list.as_str().into());
        self.rule = verdict.rule.map(|rule| classifier.rule_name(rule).into());
    }

    fn add(&mut self, reading: &Reading<'e>) {
        match reading {
            Reading::Attempt(attempt) => {
                self.queue_id = known(attempt.queue_id);
                self.recipient_domain = name(attempt.recipient.domain());
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
                self.text = Some(mask(reject.text).into());
            }
            Reading::Expiry(expiry) => {
                self.queue_id = known(expiry.queue_id);
                self.recipient_domain = expiry.recipient.and_then(|one| name(one.domain()));
                self.outcome = Some(Outcome::Expired.as_str());
            }
            Reading::Suspended(no_attempt) | Reading::Local(no_attempt) => {
                self.queue_id = known(no_attempt.queue_id);
                self.recipient_domain = name(no_attempt.recipient.domain());
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
        self.cause = answer.cause().map(NoReply::as_str);
        self.phase = phase.map(Phase::as_str);
        self.text = Some(mask(answer.text()).into());
    }

    pub(super) fn add_codes(&mut self, reply: &Reply<'_>) {
        self.code = Some(reply.code.get());
        self.enhanced = reply.enhanced.map(|enhanced| enhanced.to_string().into());
    }

    /// The same, for as long as one likes.
    pub(super) fn into_owned(self) -> Object<'static> {
        let owned = |text: Option<Cow<'e, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Object {
            time: owned(self.time),
            queue_id: owned(self.queue_id),
            provider: owned(self.provider),
            recipient_domain: owned(self.recipient_domain),
            relay_host: owned(self.relay_host),
            relay_ip: owned(self.relay_ip),
            enhanced: owned(self.enhanced),
            list: owned(self.list),
            rule: owned(self.rule),
            text: owned(self.text),
            kind: self.kind,
            dialect: self.dialect,
            code: self.code,
            code_class: self.code_class,
            outcome: self.outcome,
            reason: self.reason,
            bounce_kind: self.bounce_kind,
            phase: self.phase,
            cause: self.cause,
            delay_seconds: self.delay_seconds,
        }
    }
}

/// What the log wrote, if it wrote anything.
fn known(bytes: &[u8]) -> Option<Cow<'_, str>> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes))
}

/// The name of a host or domain. Case means nothing in it, so lower case is what can be compared.
fn name(bytes: &[u8]) -> Option<Cow<'_, str>> {
    known(bytes).map(|name| name.to_ascii_lowercase().into())
}
