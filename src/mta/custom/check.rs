//! Whether a custom dialect reads its examples as they say.

use super::field::quote;
use super::{Custom, Definition, Events, Example, Problem};
use crate::attempt::{Answer, Phase, Relay};
use crate::envelope::Unwrapper;
use crate::mta::{LineKind, Reading};

/// Reads the examples of a dialect.
pub(super) fn examples(custom: &Custom, definition: &Definition) -> Result<(), Problem> {
    if definition.examples.is_empty() {
        return Err(Problem::new("examples", "at least one example", "none"));
    }
    for (number, example) in definition.examples.iter().enumerate() {
        let key = |key: &str| format!("examples[{number}].{key}");
        let record = Unwrapper::default().unwrap(example.line.as_bytes());
        if let Some(program) = &custom.program
            && !custom.claims(record.program)
        {
            let expected = format!("a line of the program {program:?}");
            let found = quote(&String::from_utf8_lossy(record.program));
            return Err(Problem::new(key("line"), &expected, found));
        }
        let mut readings = 0_u32;
        let mut first = Said::default();
        // Each stands for itself: an event id may occur in two of them.
        let kind = custom.read(&mut Events::default(), &record, &mut |_, _, reading| {
            readings += 1;
            if readings == 1 {
                first = Said::of(&reading);
            }
        });
        first
            .compare(example, kind, readings)
            .map_err(|(name, expected, found)| Problem::new(key(name), &expected, found))?;
    }
    Ok(())
}

/// What the first reading of an example said, as text.
#[derive(Debug, Default)]
struct Said {
    outcome: Option<String>,
    code: Option<u16>,
    enhanced: Option<String>,
    text: Option<String>,
    cause: Option<String>,
    recipient_domain: Option<String>,
    relay_host: Option<String>,
    relay_ip: Option<String>,
    queue_id: Option<String>,
    phase: Option<String>,
    delay_seconds: Option<f64>,
}

impl Said {
    fn of(reading: &Reading<'_>) -> Self {
        let mut first = Self::default();
        match reading {
            Reading::Attempt(attempt) => {
                first.outcome = Some(attempt.outcome.to_string());
                first.recipient_domain = text(attempt.recipient.domain());
                first.queue_id = text(attempt.queue_id);
                first.delay_seconds = attempt.delay_seconds;
                first.answer(&attempt.answer, &attempt.relay, attempt.phase);
            }
            Reading::HostReply(reply) => {
                first.recipient_domain = text(reply.recipient_domain);
                first.queue_id = text(reply.queue_id);
                first.answer(&reply.answer, &reply.relay, reply.phase);
            }
            Reading::InboundReject(reject) => {
                first.queue_id = text(reject.queue_id);
                if let Some(reply) = reject.reply {
                    first.answer(&Answer::Reply(reply), &Relay::default(), reject.phase);
                }
            }
            Reading::Expiry(expiry) => {
                first.outcome = Some("expired".to_owned());
                first.recipient_domain =
                    expiry.recipient.and_then(|recipient| text(recipient.domain()));
                first.queue_id = text(expiry.queue_id);
            }
            Reading::Suspended(kept) | Reading::Local(kept) => {
                first.recipient_domain = text(kept.recipient.domain());
                first.queue_id = text(kept.queue_id);
            }
        }
        first
    }

    fn answer(&mut self, answer: &Answer<'_>, relay: &Relay<'_>, phase: Option<Phase>) {
        self.code = answer.reply().map(|reply| reply.code.get());
        self.enhanced =
            answer.reply().and_then(|reply| reply.enhanced).map(|enhanced| enhanced.to_string());
        self.text = text(answer.text());
        self.cause = answer.cause().map(|cause| cause.to_string());
        self.relay_host = text(relay.host);
        self.relay_ip = text(relay.ip);
        self.phase = phase.map(|phase| phase.to_string());
    }

    /// The first key whose value is not what the example says, with both.
    fn compare(
        &self,
        example: &Example,
        kind: Option<LineKind>,
        readings: u32,
    ) -> Result<(), (&'static str, String, String)> {
        let wanted = example.kind.as_deref().unwrap_or("delivery");
        if wanted != kind.unwrap_or(LineKind::Irrelevant).as_str() {
            let found = match kind {
                None => "a line that is none of this dialect".to_owned(),
                Some(LineKind::Unreadable(why)) => format!("unreadable ({why})"),
                Some(kind) => kind.as_str().to_owned(),
            };
            return Err(("kind", wanted.to_owned(), found));
        }
        let words = [
            ("outcome", &example.outcome, &self.outcome),
            ("enhanced", &example.enhanced, &self.enhanced),
            ("text", &example.text, &self.text),
            ("cause", &example.cause, &self.cause),
            ("recipient_domain", &example.recipient_domain, &self.recipient_domain),
            ("relay_host", &example.relay_host, &self.relay_host),
            ("relay_ip", &example.relay_ip, &self.relay_ip),
            ("queue_id", &example.queue_id, &self.queue_id),
            ("phase", &example.phase, &self.phase),
        ];
        for (key, wanted, found) in words {
            if let Some(wanted) = wanted.as_ref().filter(|wanted| found.as_ref() != Some(wanted)) {
                let found = found.as_ref().map_or("none".to_owned(), |found| quote(found));
                return Err((key, quote(wanted), found));
            }
        }
        let number = |number: Option<f64>| number.map_or("none".to_owned(), |it| it.to_string());
        let numbers = [
            ("readings", example.readings.map(f64::from), Some(f64::from(readings))),
            ("code", example.code.map(f64::from), self.code.map(f64::from)),
            ("delay_seconds", example.delay_seconds, self.delay_seconds),
        ];
        for (key, wanted, found) in numbers {
            if wanted.is_some() && wanted != found {
                return Err((key, number(wanted), number(found)));
            }
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned())
}
