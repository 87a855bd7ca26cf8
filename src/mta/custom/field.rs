//! The fields that a custom dialect finds in a line, and what they mean together.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use super::{Events, Problem, Word};
use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, HostReply, InboundReject, NoAttempt, NoReply, Outcome, Phase,
    Recipient, Relay, label,
};
use crate::mta::{Dialect, LineKind, Out, Reading, Why, answer};
use crate::smtp::{CodeClass, EnhancedStatusCode, ReplyCode};

label! {
    /// What can be found in a line.
    Field {
        /// The recipient's address; in JSON it may be a list.
        Recipient = "recipient",
        /// A word for what became of it.
        Outcome = "outcome",
        /// The reply code. Where there is none, the text may start with one.
        Code = "code",
        /// The enhanced status code. Where there is none, the text may start with one.
        Enhanced = "enhanced",
        /// The text of the reply, or of the failure.
        Text = "text",
        /// The host that answered: a name, `name[address]`, `name (address)` or an address.
        Relay = "relay",
        /// Its address.
        RelayIp = "relay_ip",
        /// What names the message.
        QueueId = "queue_id",
        /// The delay from arrival to acceptance: seconds, or a number with `ms` or `s` after it.
        Delay = "delay",
        /// The command that was answered, or a word for it.
        Phase = "phase",
        /// What names the event: one with the same id was read before and is not counted again.
        EventId = "event_id",
    }
}

/// What was found in a line.
#[derive(Debug, Default)]
pub(super) struct Values<'a> {
    found: [Option<Cow<'a, [u8]>>; Field::ALL.len()],
    /// The recipients after the first.
    more: Vec<Cow<'a, [u8]>>,
}

impl<'a> Values<'a> {
    /// Notes a value. Of a field that has one already only another recipient is kept.
    pub(super) fn put(&mut self, field: Field, value: Cow<'a, [u8]>) {
        let Some(slot) = self.found.get_mut(field as usize) else { return };
        if slot.is_none() {
            *slot = Some(value);
        } else if field == Field::Recipient && self.more.len() < crate::mta::json::ITEMS_MAX {
            self.more.push(value);
        }
    }

    fn get(&self, field: Field) -> &[u8] {
        self.found.get(field as usize).and_then(Option::as_deref).unwrap_or_default()
    }

    fn recipients(&self) -> impl Iterator<Item = &[u8]> {
        let first = Some(self.get(Field::Recipient)).filter(|address| !address.is_empty());
        first.into_iter().chain(self.more.iter().map(|address| &**address))
    }
}

/// What the words of a dialect mean.
#[derive(Debug, Default)]
pub(super) struct Meaning {
    outcomes: HashMap<Vec<u8>, Word>,
    phases: HashMap<Vec<u8>, Phase>,
}

impl Meaning {
    /// Checks the translations.
    pub(super) fn compile(
        outcomes: &BTreeMap<String, String>,
        phases: &BTreeMap<String, String>,
    ) -> Result<Self, Problem> {
        let mut meaning = Self::default();
        for (word, means) in outcomes {
            let means = word_of(&format!("outcomes.{word}"), means)?;
            meaning.outcomes.insert(word.to_ascii_lowercase().into_bytes(), means);
        }
        for (word, means) in phases {
            let means = Phase::parse(means).ok_or_else(|| {
                let known = Phase::ALL.map(Phase::as_str).join(", ");
                Problem::new(format!("phases.{word}"), &format!("one of {known}"), quote(means))
            })?;
            meaning.phases.insert(word.to_ascii_lowercase().into_bytes(), means);
        }
        Ok(meaning)
    }

    /// Hands out what the values mean; `fixed` is what the line means if no word says so.
    pub(super) fn read(
        &self,
        dialect: Dialect,
        values: &Values<'_>,
        fixed: Option<Word>,
        seen: &mut Events,
        out: &mut Out<'_>,
    ) -> LineKind {
        let answer = answer(values);
        let word = match self.word(values, fixed, &answer) {
            Ok(Word::Irrelevant) => return LineKind::Irrelevant,
            Ok(word) => word,
            Err(why) => return LineKind::Unreadable(why),
        };
        let event = values.get(Field::EventId);
        if !event.is_empty() && !seen.is_new(&[dialect.as_str().as_bytes(), event]) {
            return LineKind::Irrelevant;
        }
        let mut line = LineKind::Unreadable(Why::Malformed);
        let mut hand_out = |reading: Reading<'_>| {
            line = reading.kind();
            out(dialect, line, reading);
        };
        match word {
            Word::HostReply => hand_out(self.host_reply(values, answer)),
            Word::InboundReject => match self.inbound_reject(values, &answer) {
                Some(reading) => hand_out(reading),
                None => return LineKind::Unreadable(Why::NoStatus),
            },
            Word::Delivered
            | Word::Deferred
            | Word::Bounced
            | Word::Expired
            | Word::Suspended
            | Word::Local
            | Word::Irrelevant => {
                for address in values.recipients() {
                    hand_out(self.reading(values, Recipient::parse(address), word, answer));
                }
            }
        }
        line
    }

    /// What became of it: by its word, else by the pattern, else by the class of the reply.
    fn word(
        &self,
        values: &Values<'_>,
        fixed: Option<Word>,
        answer: &Answer<'_>,
    ) -> Result<Word, Why> {
        let word = values.get(Field::Outcome);
        if !word.is_empty() {
            let word = word.to_ascii_lowercase();
            let own = || Word::parse(std::str::from_utf8(&word).ok()?);
            return self.outcomes.get(&word).copied().or_else(own).ok_or(Why::UnknownStatus);
        }
        match (fixed, answer.class()) {
            (Some(word), _) => Ok(word),
            (None, CodeClass::Success) => Ok(Word::Delivered),
            (None, CodeClass::Transient) => Ok(Word::Deferred),
            (None, CodeClass::Permanent) => Ok(Word::Bounced),
            (None, CodeClass::None) => Err(Why::NoStatus),
        }
    }

    fn reading<'v>(
        &self,
        values: &'v Values<'_>,
        recipient: Recipient<'v>,
        word: Word,
        answer: Answer<'v>,
    ) -> Reading<'v> {
        let queue_id = values.get(Field::QueueId);
        let relay = relay(values);
        let outcome = match word {
            Word::Expired => {
                return Reading::Expiry(Expiry { queue_id, recipient: Some(recipient) });
            }
            Word::Suspended => return Reading::Suspended(NoAttempt { queue_id, recipient }),
            Word::Local => return Reading::Local(NoAttempt { queue_id, recipient }),
            _ if answer::is_here(relay.ip) => {
                return Reading::Local(NoAttempt { queue_id, recipient });
            }
            Word::Delivered => Outcome::Delivered,
            Word::Bounced => Outcome::Bounced,
            Word::Deferred | Word::HostReply | Word::InboundReject | Word::Irrelevant => {
                Outcome::Deferred
            }
        };
        let answer = match (outcome, answer) {
            (Outcome::Delivered, Answer::NoReply { text, .. }) => answer::accepted(text),
            (_, answer) => answer,
        };
        Reading::Attempt(DeliveryAttempt {
            queue_id,
            recipient,
            relay,
            answer,
            answer_counted: false,
            outcome,
            phase: self.phase(values),
            delay_seconds: delay(values.get(Field::Delay)),
        })
    }

    fn host_reply<'v>(&self, values: &'v Values<'_>, answer: Answer<'v>) -> Reading<'v> {
        Reading::HostReply(HostReply {
            queue_id: values.get(Field::QueueId),
            recipient_domain: Recipient::parse(values.get(Field::Recipient)).domain(),
            relay: relay(values),
            answer,
            phase: self.phase(values),
        })
    }

    fn inbound_reject<'v>(
        &self,
        values: &'v Values<'_>,
        answer: &Answer<'v>,
    ) -> Option<Reading<'v>> {
        Some(Reading::InboundReject(InboundReject {
            queue_id: values.get(Field::QueueId),
            class: answer.reply()?.code.class(),
            reply: answer.reply().copied(),
            text: answer.text(),
            phase: self.phase(values),
        }))
    }

    fn phase(&self, values: &Values<'_>) -> Option<Phase> {
        let word = values.get(Field::Phase);
        if word.is_empty() {
            return None;
        }
        let lower = word.to_ascii_lowercase();
        self.phases
            .get(&lower)
            .copied()
            .or_else(|| answer::phase(word))
            .or_else(|| Phase::parse(std::str::from_utf8(&lower).ok()?))
    }
}

/// What an outcome's name in the configuration means.
pub(super) fn word_of(key: &str, means: &str) -> Result<Word, Problem> {
    Word::parse(means).ok_or_else(|| {
        let known = Word::ALL.map(Word::as_str).join(", ");
        Problem::new(key, &format!("one of {known}"), quote(means))
    })
}

/// The field of a name in the configuration.
pub(super) fn field_of(key: &str, name: &str) -> Result<Field, Problem> {
    Field::parse(name).ok_or_else(|| {
        let known = Field::ALL.map(Field::as_str).join(", ");
        Problem::new(key, &format!("one of the fields {known}"), quote(name))
    })
}

pub(super) fn quote(text: &str) -> String {
    format!("{text:?}")
}

fn answer<'v>(values: &'v Values<'_>) -> Answer<'v> {
    let text = values.get(Field::Text);
    let enhanced = EnhancedStatusCode::parse(values.get(Field::Enhanced)).map(|(code, _)| code);
    let code = answer::reply(values.get(Field::Code)).map(|reply| reply.code);
    let reply = match code {
        Some(code) => Answer::Reply(crate::smtp::Reply::with_code(code, text)),
        None => answer::diagnostic(text, NoReply::Protocol),
    };
    match reply {
        // A field of its own is what the remote said, even if it is x.0.0.
        Answer::Reply(mut reply) => {
            let fits = |enhanced: &EnhancedStatusCode| {
                ReplyCode::new(u16::from(enhanced.class()) * 100).map(ReplyCode::class)
                    == Some(reply.code.class())
            };
            reply.enhanced = enhanced.filter(fits).or(reply.enhanced);
            Answer::Reply(reply)
        }
        none @ Answer::NoReply { .. } => none,
    }
}

/// `mx.example.com[192.0.2.10]:25`, `mx.example.com (192.0.2.10)`, a name, or an address.
fn relay<'v>(values: &'v Values<'_>) -> Relay<'v> {
    let text = values.get(Field::Relay).trim_ascii();
    let ip = values.get(Field::RelayIp);
    let (host, inner) = match text.iter().position(|byte| matches!(byte, b'[' | b'(')) {
        Some(at) => {
            let inner = text.get(at + 1..).unwrap_or_default();
            let end = inner.iter().position(|byte| matches!(byte, b']' | b')'));
            (text.get(..at).unwrap_or(text), inner.get(..end.unwrap_or(0)).unwrap_or_default())
        }
        None if is_address(text) => (&b""[..], text),
        None => (text, &b""[..]),
    };
    let host = host.trim_ascii();
    let host = host.strip_suffix(b".").unwrap_or(host);
    Relay { host, ip: if ip.is_empty() { inner } else { ip } }
}

fn is_address(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<core::net::IpAddr>().is_ok())
}

fn delay(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let (number, scale) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1000.0),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, 1.0),
    };
    let seconds: f64 = number.trim().parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then_some(seconds / scale)
}
