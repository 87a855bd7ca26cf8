//! What the dialects in JSON have in common: borrowed fields, lenient numbers, and which dialect a
//! line is by the keys of its outermost object.
//!
//! Records are parsed by serde straight from the line into small structs; no tree is built, and
//! what no field asks for is skipped over. The parser bounds the depth, the reader the length.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Dialect, Why};
use crate::smtp::ReplyCode;

/// The most recipients or events that are taken from one record.
pub(super) const ITEMS_MAX: usize = 10_000;

/// A record of that type.
///
/// # Errors
/// [`Why::Truncated`] where the line ends too early, else [`Why::BrokenRecord`].
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Why> {
    serde_json::from_slice(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => Why::Truncated,
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Data => Why::BrokenRecord,
    })
}

/// A string, as bytes: it need not be UTF-8, and lone surrogates are let through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub Cow<'a, [u8]>);

impl Text<'_> {
    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The bytes of a string that may be missing; empty then.
pub(super) fn bytes<'t>(text: Option<&'t Text<'_>>) -> &'t [u8] {
    text.map_or(b"", Text::bytes)
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(bytes.to_vec())))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

/// A string or a list of strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts<'a>(pub Vec<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Texts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Texts(vec![Text(Cow::Borrowed(bytes))]))
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Texts(vec![Text(Cow::Owned(bytes.to_vec()))]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    if texts.len() < ITEMS_MAX {
                        texts.push(text);
                    }
                }
                Ok(Texts(texts))
            }
        }

        deserializer.deserialize_bytes(OneOrMany)
    }
}

/// A string, a number, a truth value or nothing, where senders do not agree which it is. Of a list
/// or an object only that it is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Loose<'a> {
    /// Absent, null, a list or an object.
    #[default]
    None,
    /// A string.
    Text(Cow<'a, str>),
    /// A number.
    Number(f64),
    /// A truth value.
    Truth(bool),
}

impl Loose<'_> {
    /// A number, or a string that is one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            Self::None | Self::Truth(_) => None,
        }
    }

    /// A reply code, as a number or as a string that starts with one.
    pub(super) fn code(&self) -> Option<ReplyCode> {
        match self {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked to be a small whole number"
            )]
            Self::Number(number) if (200.0..600.0).contains(number) && number.fract() == 0.0 => {
                ReplyCode::new(*number as u16)
            }
            Self::Text(text) => ReplyCode::parse(text.trim_start().as_bytes()),
            Self::None | Self::Number(_) | Self::Truth(_) => None,
        }
    }

    /// The value as it would be written.
    pub(super) fn to_text(&self) -> Cow<'_, [u8]> {
        match self {
            Self::None => Cow::Borrowed(b""),
            Self::Text(text) => Cow::Borrowed(text.as_bytes()),
            Self::Number(number) => Cow::Owned(number.to_string().into_bytes()),
            Self::Truth(truth) => Cow::Borrowed(if *truth { b"true" } else { b"false" }),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Loose<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Loose::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Loose::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Loose::Number(number))
            }

            #[expect(clippy::cast_precision_loss, reason = "codes and seconds are small")]
            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Loose::Number(number as f64))
            }

            #[expect(clippy::cast_precision_loss, reason = "codes and seconds are small")]
            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Loose::Number(number as f64))
            }

            fn visit_bool<E: Error>(self, truth: bool) -> Result<Self::Value, E> {
                Ok(Loose::Truth(truth))
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Loose::None)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Loose::None)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Loose::None)
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// The dialects in JSON, each with the keys that all of its records have and no other dialect has
/// together. The first that fits is it.
const SIGNATURES: &[(Dialect, &[&str])] = &[
    (Dialect::KumoMta, &["type", "response", "egress_source"]),
    (Dialect::KumoMta, &["type", "response", "peer_address"]),
    (Dialect::ZoneMta, &["action", "zone"]),
    (Dialect::Halon, &["status", "result_state"]),
    (Dialect::Halon, &["status", "recipient_domain"]),
    (Dialect::Halon, &["action", "attempt", "message"]),
    (Dialect::Stalwart, &["createdAt", "type", "data"]),
    (Dialect::AmazonSes, &["eventType", "mail"]),
    (Dialect::AmazonSes, &["notificationType", "mail"]),
    (Dialect::AmazonSes, &["Type", "TopicArn", "Message"]),
    (Dialect::AmazonSes, &["detail-type", "source", "detail"]),
    (Dialect::SendGrid, &["event", "sg_event_id"]),
    (Dialect::SendGrid, &["event", "sg_message_id"]),
    (Dialect::Mailgun, &["event-data"]),
    (Dialect::Mailgun, &["event", "delivery-status", "recipient"]),
    (Dialect::Postmark, &["RecordType", "MessageStream"]),
    (Dialect::Postmark, &["RecordType", "MessageID"]),
    (Dialect::Postmark, &["RecordType", "ID", "Details"]),
    (Dialect::SparkPost, &["msys"]),
    (Dialect::Mandrill, &["event", "_id", "msg"]),
    (Dialect::Mandrill, &["event", "_id", "ts"]),
    (Dialect::Brevo, &["event", "email", "message-id"]),
];

/// The keys by which records are told apart; a line's keys are a set of bits over them.
const KEYS: &[&str] = &[
    "type",
    "response",
    "egress_source",
    "peer_address",
    "action",
    "zone",
    "status",
    "result_state",
    "recipient_domain",
    "attempt",
    "message",
    "createdAt",
    "data",
    "eventType",
    "notificationType",
    "mail",
    "Type",
    "TopicArn",
    "Message",
    "detail-type",
    "source",
    "detail",
    "event",
    "sg_event_id",
    "sg_message_id",
    "event-data",
    "delivery-status",
    "recipient",
    "RecordType",
    "MessageStream",
    "MessageID",
    "ID",
    "Details",
    "msys",
    "_id",
    "msg",
    "ts",
    "email",
    "message-id",
];

/// The dialect of a line that is an object, or a list of objects, by the keys of the object or of
/// the first one.
pub(super) fn recognise(line: &[u8]) -> Option<Dialect> {
    if !matches!(line.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return None;
    }
    let found = keys(line);
    SIGNATURES
        .iter()
        .find(|(_, wanted)| wanted.iter().all(|key| found & bit(key.as_bytes()) != 0))
        .map(|(dialect, _)| *dialect)
}

/// The bit of a key, none for a key that tells nothing.
fn bit(key: &[u8]) -> u64 {
    KEYS.iter().position(|known| known.as_bytes() == key).map_or(0, |place| 1 << place)
}

/// Which of [`KEYS`] the first object has. One pass, and nothing that a string holds, however it
/// looks, is taken for a key.
fn keys(line: &[u8]) -> u64 {
    let mut found = 0;
    let mut depth = 0_usize;
    // Where keys stand: in the outermost object, or in that of the first element of a list.
    let level = if line.trim_ascii_start().first() == Some(&b'[') { 2 } else { 1 };
    let mut rest = line;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth < level {
                    break;
                }
            }
            b'"' => {
                let Some(length) = string_length(rest) else { break };
                let (string, after) = rest.split_at_checked(length).unwrap_or((rest, b""));
                rest = after.strip_prefix(b"\"").unwrap_or(after);
                if depth == level && rest.trim_ascii_start().first() == Some(&b':') {
                    found |= bit(string);
                }
            }
            _ => {}
        }
    }
    found
}

/// The length of a string up to the quote that ends it.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Sample<'a> {
        #[serde(borrow, default)]
        text: Option<Text<'a>>,
        #[serde(borrow, default)]
        texts: Texts<'a>,
        #[serde(borrow, default)]
        loose: Loose<'a>,
    }

    fn sample(text: &[u8]) -> Result<Sample<'_>, Why> {
        parse(text)
    }

    #[test]
    fn strings_without_escapes_are_borrowed_and_need_not_be_utf8() {
        let Text(text) = sample(b"{\"text\":\"a\xff\"}").unwrap().text.unwrap();
        assert!(matches!(text, Cow::Borrowed(b"a\xff")));
        let Text(text) = sample(br#"{"text":"a\nb\ud800"}"#).unwrap().text.unwrap();
        assert!(text.starts_with(b"a\nb"));
        assert_eq!(sample(br#"{"text":null}"#).unwrap().text, None);
    }

    #[test]
    fn a_string_or_a_list_of_strings_is_a_list() {
        assert_eq!(sample(br#"{"texts":"a"}"#).unwrap().texts.0.len(), 1);
        assert_eq!(sample(br#"{"texts":["a","b"]}"#).unwrap().texts.0.len(), 2);
        assert_eq!(sample(br#"{"texts":[]}"#).unwrap().texts.0.len(), 0);
        assert_eq!(sample(br#"{"texts":[1]}"#).unwrap_err(), Why::BrokenRecord);
    }

    #[test]
    fn a_code_may_be_a_number_or_a_string() {
        let code = |text: &str| {
            let line = format!(r#"{{"loose":{text}}}"#);
            let loose = sample(line.as_bytes()).unwrap().loose;
            loose.code().map(ReplyCode::get)
        };
        assert_eq!(code("550"), Some(550));
        assert_eq!(code("\"421\""), Some(421));
        assert_eq!(code("605"), None);
        assert_eq!(code("550.5"), None);
        assert_eq!(code("-1e300"), None);
        assert_eq!(code("[1,[2]]"), None);
        assert_eq!(code("{\"a\":{}}"), None);
        assert_eq!(code("null"), None);
    }

    #[test]
    fn what_breaks_off_is_truncated_and_what_is_wrong_is_broken() {
        assert_eq!(sample(br#"{"text":"a"#).unwrap_err(), Why::Truncated);
        assert_eq!(sample(br#"{"text":1}"#).unwrap_err(), Why::BrokenRecord);
        assert_eq!(sample(br#"{"text":"a"} b"#).unwrap_err(), Why::BrokenRecord);
    }

    #[test]
    fn nesting_without_end_ends_in_an_error() {
        for opening in ["[", "{\"loose\":"] {
            let nested = format!("{{\"loose\":{}", opening.repeat(100_000));
            assert_eq!(sample(nested.as_bytes()).unwrap_err(), Why::Truncated);
            let list = nested.replacen("loose", "texts", 1);
            assert!(sample(list.as_bytes()).is_err());
        }
    }

    #[test]
    fn every_key_of_a_signature_has_a_bit_of_its_own() {
        assert!(KEYS.len() <= 64);
        for (dialect, wanted) in SIGNATURES {
            for key in *wanted {
                assert!(bit(key.as_bytes()) != 0, "{dialect}: {key}");
            }
        }
        for key in KEYS {
            assert!(SIGNATURES.iter().any(|(_, wanted)| wanted.contains(key)), "{key}");
        }
    }

    #[test]
    fn only_keys_of_the_outermost_object_tell_the_dialect() {
        let found = |line: &str| {
            let found = keys(line.as_bytes());
            KEYS.iter().filter(|key| found & bit(key.as_bytes()) != 0).copied().collect::<Vec<_>>()
        };
        assert_eq!(found(r#"{"type":"a","x":{"response":1},"y":"\"peer_address\":"}"#), ["type"]);
        assert_eq!(found(r#"[{"type" : 1},{"response":2}]"#), ["type"]);
        assert_eq!(found(r#"{"x":"type","response":[{"type":1}]}"#), ["response"]);
        assert_eq!(found(r#"{"type":1,"resp"#), ["type"]);
        assert_eq!(found(r#"{"x":"\\","type":1}"#), ["type"]);
        assert_eq!(found(r#"{"x":"\"#), Vec::<&str>::new());
    }
}
