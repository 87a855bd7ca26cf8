//! One log entry in any of the three formats (`logger.js`).

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::envelope::leading_stamp;
use crate::mta::json::{self, Loose};
use crate::mta::text::{angle, cut, cut_last, quoted, until};

/// The levels that Haraka knows, as it writes them.
const LEVELS: [&[u8]; 10] = [
    b"DATA",
    b"PROTOCOL",
    b"DEBUG",
    b"INFO",
    b"NOTICE",
    b"WARN",
    b"ERROR",
    b"CRIT",
    b"ALERT",
    b"EMERG",
];

/// What an entry says.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry<'a> {
    /// The connection, `.` the transaction, `.` the delivery; `-` for none.
    pub(super) uuid: Cow<'a, [u8]>,
    /// What was said in words. In the default format the fields follow here.
    pub(super) message: Cow<'a, [u8]>,
    /// The fields that matter, where the format keeps them apart.
    pub(super) fields: Fields<'a>,
}

/// Fields by their names; empty where they are missing.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields<'a> {
    /// A file in the queue, on the entry of an accepted message.
    pub(super) delivered_file: Cow<'a, [u8]>,
    pub(super) domain: Cow<'a, [u8]>,
    pub(super) host: Cow<'a, [u8]>,
    pub(super) ip: Cow<'a, [u8]>,
    pub(super) response: Cow<'a, [u8]>,
    pub(super) delay: Cow<'a, [u8]>,
    pub(super) rcpts: Cow<'a, [u8]>,
    pub(super) code: Cow<'a, [u8]>,
    pub(super) msg: Cow<'a, [u8]>,
    pub(super) hook: Cow<'a, [u8]>,
    pub(super) retval: Cow<'a, [u8]>,
}

impl<'a> Fields<'a> {
    /// The field of that name, if it matters.
    fn get(&mut self, name: &[u8]) -> Option<&mut Cow<'a, [u8]>> {
        Some(match name {
            b"delivered file" => &mut self.delivered_file,
            b"domain" => &mut self.domain,
            b"host" => &mut self.host,
            b"ip" => &mut self.ip,
            b"response" => &mut self.response,
            b"delay" => &mut self.delay,
            b"rcpts" => &mut self.rcpts,
            b"code" => &mut self.code,
            b"msg" => &mut self.msg,
            b"hook" => &mut self.hook,
            b"retval" => &mut self.retval,
            _ => return None,
        })
    }

    /// Fields as the default format writes them behind the message: `key=value key="value"`. The
    /// response is the server's and may look like more fields, so what follows it is read from
    /// the end.
    fn behind(text: &'a [u8]) -> Self {
        let mut fields = Self::default();
        let mut rest = text.trim_ascii_start();
        while !rest.is_empty() {
            let (name, value) = match rest.strip_prefix(b"delivered file=") {
                Some(value) => (&b"delivered file"[..], value),
                None => match cut(rest, b"=") {
                    Some(parts) => parts,
                    None => break,
                },
            };
            if matches!(name, b"response" | b"msg") {
                fields.last(name, value);
                break;
            }
            let (value, after) = value_of(value);
            if let Some(field) = fields.get(name) {
                *field = value;
            }
            rest = after.trim_ascii_start();
        }
        fields
    }

    /// `"text" delay=1.402 fails=0 rcpts=1/0/0`, or `"text" sender=x`: what stands at the end is
    /// Haraka's own.
    fn last(&mut self, name: &[u8], text: &'a [u8]) {
        let mut text = text;
        for own in [&b"rcpts"[..], b"fails", b"delay", b"sender"] {
            let start = [b" ", own, b"="].concat();
            if let Some((before, value)) = cut_last(text, &start) {
                text = before;
                if let Some(field) = self.get(own) {
                    *field = Cow::Borrowed(value);
                }
            }
        }
        let text = text.strip_prefix(b"\"").unwrap_or(text);
        let text = text.strip_suffix(b"\"").unwrap_or(text);
        if let Some(field) = self.get(name) {
            *field = Cow::Borrowed(text);
        }
    }
}

/// Whether a line is Haraka's, whatever stands around it.
pub(super) fn is_shaped(line: &[u8]) -> bool {
    let text = body(line);
    bracketed(text).is_some()
        || text.starts_with(b"level=") && cut(text, b" origin=").is_some()
        || text.starts_with(b"{\"level\":") && cut(text, b"\"origin\":").is_some()
}

/// Reads a line; `None` if it is none of an entry.
pub(super) fn parse(line: &[u8]) -> Option<Entry<'_>> {
    let text = body(line);
    match text.first()? {
        b'{' => from_json(text),
        b'l' => from_logfmt(text),
        _ => from_default(text),
    }
}

/// Whether a line in logfmt ends within quotes: line feeds are not escaped, and the entry goes on.
pub(super) fn goes_on(line: &[u8]) -> bool {
    let text = body(line);
    text.starts_with(b"level=") && !is_closed(text, true)
}

/// Whether the quotes are closed at the end of the text, with or without one open at its start.
pub(super) fn is_closed(text: &[u8], closed: bool) -> bool {
    let mut closed = closed;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => closed = !closed,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    closed
}

/// The line without its time stamp and the colour of the terminal.
fn body(line: &[u8]) -> &[u8] {
    let stamp = leading_stamp(line).len();
    let text = line.get(stamp..).unwrap_or_default();
    let text = if stamp > 0 { text.strip_prefix(b" ").unwrap_or(text) } else { text };
    let Some(coloured) = text.strip_prefix(b"\x1b[") else { return text };
    let text =
        cut(coloured, b"m").filter(|(code, _)| code.len() < 6).map_or(text, |(_, rest)| rest);
    text.strip_suffix(b"\x1b[39m").or_else(|| text.strip_suffix(b"\x1b[0m")).unwrap_or(text)
}

/// `[LEVEL] [uuid] [origin] message`: uuid and message.
fn bracketed(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (level, _) = cut(text.get(..16).unwrap_or(text).strip_prefix(b"[")?, b"]")?;
    let after = text.get(level.len() + 2..)?;
    if !LEVELS.contains(&level) {
        return None;
    }
    let (uuid, rest) = cut(after.strip_prefix(b" [")?, b"] [")?;
    let (_, message) = cut(rest, b"] ")?;
    // Some versions add the client's connection to the origin.
    let client =
        message.strip_prefix(b"[").and_then(|rest| cut(rest.get(..48).unwrap_or(rest), b"] "));
    let client =
        client.filter(|(uuid, _)| uuid.len() >= 36 && uuid.iter().copied().all(is_of_uuid));
    let message =
        client.map_or(message, |(uuid, _)| message.get(uuid.len() + 3..).unwrap_or_default());
    Some((uuid, message))
}

/// Whether a byte can stand in a uuid with its numbers.
fn is_of_uuid(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'.')
}

fn from_default(text: &[u8]) -> Option<Entry<'_>> {
    let (uuid, message) = bracketed(text)?;
    let fields = default_fields(message);
    Some(Entry { uuid: Cow::Borrowed(uuid), message: Cow::Borrowed(message), fields })
}

/// The fields of those messages whose fields matter.
fn default_fields(message: &[u8]) -> Fields<'_> {
    // Without a message there are two spaces.
    if let Some(fields) = message.strip_prefix(b" ") {
        return Fields::behind(fields);
    }
    let starts: [&[u8]; 4] = [b"recipient <", b"sender <", b"message mid=", b"queue "];
    if !starts.iter().any(|start| message.starts_with(start)) {
        return Fields::default();
    }
    let rest =
        match message.strip_prefix(b"recipient ").or_else(|| message.strip_prefix(b"sender ")) {
            Some(path) => angle(path).map_or(&b""[..], |(_, rest)| rest),
            None => until(message, b" ").1,
        };
    if rest.starts_with(b" ") && rest.get(..32).unwrap_or(rest).contains(&b'=') {
        Fields::behind(rest)
    } else {
        Fields::default()
    }
}

/// `level=NOTICE uuid=... origin=outbound message="..." key=value`.
fn from_logfmt(text: &[u8]) -> Option<Entry<'_>> {
    let mut entry = Entry::default();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, value) = match rest.strip_prefix(b"delivered file=") {
            Some(value) => (&b"delivered file"[..], value),
            None => cut(rest, b"=")?,
        };
        let (value, after) = value_of(value);
        match name {
            b"uuid" => entry.uuid = value,
            b"message" => entry.message = value,
            _ => {
                if let Some(field) = entry.fields.get(name) {
                    *field = value;
                }
            }
        }
        rest = after.trim_ascii_start();
    }
    (!entry.uuid.is_empty()).then_some(entry)
}

/// A value, in quotes or up to a space, and what follows it. Line feeds are not escaped, so that
/// the closing quote can be on a line of its own.
fn value_of(text: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    if let Some((inside, rest)) = quoted(text) {
        return (unescape(inside), rest);
    }
    if let Some(inside) = text.strip_prefix(b"\"") {
        return (unescape(inside), b"");
    }
    let (value, rest) = until(text, b" ");
    (Cow::Borrowed(value), rest)
}

/// A quoted string without its backslashes.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(other) => *other,
                None => b'\\',
            },
            _ => *byte,
        });
    }
    Cow::Owned(plain)
}

fn from_json(text: &[u8]) -> Option<Entry<'_>> {
    let Flat(entry) = json::parse(text).ok()?;
    (!entry.uuid.is_empty()).then_some(entry)
}

/// An entry in JSON: one object, of whose keys the first of each name counts.
struct Flat<'a>(Entry<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Flat<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Flat<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entry = Entry::default();
                while let Some(Name(name)) = map.next_key()? {
                    let field = match &*name {
                        "uuid" => Some(&mut entry.uuid),
                        "message" => Some(&mut entry.message),
                        other => entry.fields.get(other.as_bytes()),
                    };
                    match field.filter(|field| field.is_empty()) {
                        Some(field) => *field = plain(map.next_value()?),
                        None => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(Flat(entry))
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

/// A key.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A value as bytes; of numbers their usual spelling.
fn plain(value: Loose<'_>) -> Cow<'_, [u8]> {
    match value {
        Loose::Text(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
        Loose::Text(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
        Loose::Number(number) => Cow::Owned(number.to_string().into_bytes()),
        Loose::None | Loose::Truth(_) => Cow::Borrowed(b""),
    }
}
