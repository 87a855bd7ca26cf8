//! Halon: what a post-delivery hook writes as JSON, in the two forms that are known: that of
//! Postmastery's script (`halon-extras`), flat, and the hook's own arguments as they are.
//!
//! Written after the script and the vendor's documents, not yet seen live. Halon has no fixed log;
//! hooks that write other keys need a dialect of one's own. A record has a result, which is the
//! remote's reply, or an error, which is Halon's account of why there is none.

use std::borrow::Cow;

use serde::Deserialize;

use super::json::{self, Loose, Text, Texts};
use super::{Dialect, LineKind, Out, Reading, Why, answer};
use crate::attempt::{
    Answer, DeliveryAttempt, NoAttempt, NoReply, Outcome, Phase, Recipient, Relay,
};
use crate::envelope::Record;
use crate::smtp::{EnhancedStatusCode, Reply};

/// The flat form, and the two objects of the other one.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(borrow, default)]
    action: Option<Text<'a>>,
    #[serde(borrow, default, rename = "result_code")]
    code: Loose<'a>,
    #[serde(borrow, default, rename = "result_enhanced")]
    enhanced: Option<Text<'a>>,
    #[serde(borrow, default, rename = "result_reason")]
    reason: Option<Text<'a>>,
    #[serde(borrow, default, rename = "result_state")]
    state: Option<Text<'a>>,
    #[serde(borrow, default, rename = "error_message")]
    error: Option<Text<'a>>,
    #[serde(borrow, default, rename = "connection_remoteip")]
    ip: Option<Text<'a>>,
    #[serde(borrow, default, rename = "connection_remotemx")]
    mx: Option<Text<'a>>,
    #[serde(borrow, default, rename = "recipient_localpart")]
    local_part: Option<Text<'a>>,
    #[serde(borrow, default, rename = "recipient_domain")]
    domain: Option<Text<'a>>,
    #[serde(borrow, default, rename = "messageid")]
    id: Option<Text<'a>>,
    #[serde(borrow, default, rename = "ts_attempt")]
    attempted_at: Loose<'a>,
    #[serde(borrow, default, rename = "ts_received")]
    received_at: Loose<'a>,
    #[serde(borrow, default)]
    attempt: Attempt<'a>,
    #[serde(borrow, default)]
    message: Message<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attempt<'a> {
    #[serde(borrow)]
    result: Option<Conversation<'a>>,
    #[serde(borrow)]
    error: Failure<'a>,
    #[serde(borrow)]
    connection: Connection<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Conversation<'a> {
    #[serde(borrow)]
    code: Loose<'a>,
    enhanced: Option<[u16; 3]>,
    #[serde(borrow)]
    reason: Texts<'a>,
    #[serde(borrow)]
    state: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Failure<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Connection<'a> {
    #[serde(borrow, rename = "remoteip")]
    ip: Option<Text<'a>>,
    #[serde(borrow, rename = "remotemx")]
    mx: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    id: Ids<'a>,
    #[serde(borrow, rename = "recipientaddress")]
    recipient: Address<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Ids<'a> {
    #[serde(borrow)]
    transaction: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Address<'a> {
    #[serde(borrow, rename = "localpart")]
    local_part: Option<Text<'a>>,
    #[serde(borrow)]
    domain: Option<Text<'a>>,
}

/// Reads one record.
pub(super) fn read(record: &Record<'_>, out: &mut Out<'_>) -> LineKind {
    let entry = match json::parse::<Entry<'_>>(record.message) {
        Ok(entry) => entry,
        Err(why) => return LineKind::Unreadable(why),
    };
    match entry.reading(&entry.said()) {
        Ok(reading) => {
            let kind = reading.kind();
            out(Dialect::Halon, kind, reading);
            kind
        }
        Err(why) => LineKind::Unreadable(why),
    }
}

impl Entry<'_> {
    fn reading<'r>(&'r self, said: &'r [u8]) -> Result<Reading<'r>, Why> {
        let recipient = self.recipient().ok_or(Why::Malformed)?;
        let queue_id = either(self.id.as_ref(), self.message.id.transaction.as_ref());
        let kept = NoAttempt { queue_id, recipient };
        let answer = self.answer(said);
        let accepted = answer.reply().is_some_and(|reply| reply.code.get() / 100 == 2);
        let action = json::bytes(self.action.as_ref());
        let outcome = match json::bytes(self.status.as_ref()) {
            b"delivered" => Outcome::Delivered,
            b"delayed" => Outcome::Deferred,
            b"failed" => Outcome::Bounced,
            // Taken out of the queue by hand or by a rule.
            b"removed" => return Ok(Reading::Suspended(kept)),
            b"" if action.eq_ignore_ascii_case(b"queue") => Outcome::Deferred,
            b"" if action.eq_ignore_ascii_case(b"bounce") => Outcome::Bounced,
            b"" if accepted => Outcome::Delivered,
            b"" if action.eq_ignore_ascii_case(b"delete") => return Ok(Reading::Suspended(kept)),
            _ => return Err(Why::UnknownStatus),
        };
        let relay = Relay {
            host: either(self.mx.as_ref(), self.attempt.connection.mx.as_ref()),
            ip: either(self.ip.as_ref(), self.attempt.connection.ip.as_ref()),
        };
        if answer::is_here(relay.ip) {
            return Ok(Reading::Local(kept));
        }
        Ok(Reading::Attempt(DeliveryAttempt {
            queue_id,
            recipient,
            relay,
            answer,
            answer_counted: false,
            outcome,
            phase: self.phase(),
            delay_seconds: self.delay(),
        }))
    }

    /// The text of the result, or else of the error. In the hook's arguments it is a list of lines.
    fn said(&self) -> Cow<'_, [u8]> {
        let lines = self.attempt.result.as_ref().map(|result| result.reason.0.as_slice());
        match (json::bytes(self.reason.as_ref()), lines.unwrap_or_default()) {
            (b"", []) => {
                Cow::Borrowed(either(self.error.as_ref(), self.attempt.error.message.as_ref()))
            }
            (b"", [line]) => Cow::Borrowed(line.bytes()),
            (b"", lines) => {
                let lines: Vec<&[u8]> = lines.iter().map(Text::bytes).collect();
                Cow::Owned(lines.join(&b'\n'))
            }
            (reason, _) => Cow::Borrowed(reason),
        }
    }

    fn answer<'s>(&self, said: &'s [u8]) -> Answer<'s> {
        let result = self.attempt.result.as_ref();
        let code = self.code.code().or_else(|| result.and_then(|result| result.code.code()));
        let Some(code) = code else { return answer::no_reply(said, NoReply::Local) };
        let flat = EnhancedStatusCode::parse(json::bytes(self.enhanced.as_ref()));
        let listed =
            result.and_then(|result| result.enhanced).and_then(|[class, subject, detail]| {
                EnhancedStatusCode::new(u8::try_from(class).ok()?, subject, detail)
            });
        let mut reply = Reply::with_code(code, said);
        // Halon takes it off the reply, so that even 5.0.0 was really said.
        reply.enhanced = flat
            .map(|(enhanced, _)| enhanced)
            .or(listed)
            .filter(|enhanced| u16::from(enhanced.class()) == code.get() / 100)
            .or(reply.enhanced);
        Answer::Reply(reply)
    }

    fn phase(&self) -> Option<Phase> {
        let state = self.attempt.result.as_ref().and_then(|result| result.state.as_ref());
        let state = match json::bytes(self.state.as_ref()) {
            b"" => json::bytes(state),
            state => state,
        };
        match state {
            b"EOD" => Some(Phase::EndOfData),
            b"CONNECT" | b"BANNER" => Some(Phase::Connect),
            state => answer::phase(state),
        }
    }

    fn recipient(&self) -> Option<Recipient<'_>> {
        let domain = either(self.domain.as_ref(), self.message.recipient.domain.as_ref());
        let local_part =
            either(self.local_part.as_ref(), self.message.recipient.local_part.as_ref());
        let address = [local_part, domain].join(&b'@');
        let key = Recipient::parse(&address).key();
        (!domain.is_empty()).then_some(Recipient::with_key(domain, key))
    }

    fn delay(&self) -> Option<f64> {
        let seconds = self.attempted_at.number()? - self.received_at.number()?;
        (seconds >= 0.0).then_some(seconds)
    }
}

/// The field of the flat form, or else of the other.
fn either<'t>(flat: Option<&'t Text<'_>>, nested: Option<&'t Text<'_>>) -> &'t [u8] {
    json::bytes(flat.or(nested))
}
