//! The lines of the text tracer.

use std::borrow::Cow;

use super::Event;
use crate::mta::text::{cut, cut_last};
use crate::smtp::ReplyCode;

/// The levels, as they are written.
const LEVELS: &[&[u8]] = &[b"ERROR", b"WARN", b"INFO", b"DEBUG", b"TRACE"];

/// Whether a line has the shape; colours are looked past.
pub(super) fn is_shaped(line: &[u8]) -> bool {
    if line.get(4) != Some(&b'-') && line.first() != Some(&0x1b) {
        return false;
    }
    head(&without_colours(line.get(..256).unwrap_or(line))).is_some()
}

/// The line without the escape sequences of terminals: `ESC [ ... m`.
pub(super) fn without_colours(line: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(0x1b, line).is_none() {
        return Cow::Borrowed(line);
    }
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = cut(rest, b"\x1b[") {
        plain.extend_from_slice(before);
        let length =
            after.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
        rest = after.get(length + 1..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

/// The name of the event and what follows it: `STAMP LEVEL Description (group.event) ...`.
fn head(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (stamp, rest) = cut(line, b" ")?;
    crate::mta::stamp::seconds(stamp).filter(|_| stamp.get(10) == Some(&b'T'))?;
    let (level, rest) = cut(rest.trim_ascii_start(), b" ")?;
    if !LEVELS.contains(&level) {
        return None;
    }
    let (_description, rest) = cut(rest.trim_ascii_start(), b" (")?;
    let (name, rest) = cut(rest, b")")?;
    let plain =
        |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(byte);
    (name.contains(&b'.') && name.iter().all(plain)).then_some((name, rest.trim_ascii_start()))
}

/// What a line says.
///
/// The keys are read from the left up to the first whose value a remote server chose (`details`,
/// `reason`, `causedBy`): what looks like a key after it may be its words.
pub(super) fn parse(line: &[u8]) -> Option<Event<'_>> {
    let (name, mut rest) = head(line)?;
    let mut event = Event { name, ..Event::default() };
    while let Some((key, after)) = cut(rest, b" = ") {
        let key = key.strip_prefix(b", ").unwrap_or(key);
        match key {
            b"details" | b"reason" => {
                event.text = said(after);
                break;
            }
            b"causedBy" => {
                event.text = cause(after);
                break;
            }
            _ => {}
        }
        let (value, after) = value(after);
        match key {
            b"queueId" => event.queue_id = value,
            b"hostname" => event.hostname = value,
            b"remoteIp" => event.ip = value,
            b"domain" => event.domain = value,
            b"to" => event.to = value,
            b"code" => event.code = ReplyCode::parse(value),
            _ => {}
        }
        rest = after;
    }
    Some(event)
}

/// A value, and what follows it. Quotes within a quoted one are not escaped: it ends with a quote
/// before the next key or the end of the line.
fn value(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(inner) = text.strip_prefix(b"\"") else {
        let bracketed = text.first() == Some(&b'[');
        let end = if bracketed { cut(text, b"], ") } else { cut(text, b", ") };
        return end.unwrap_or((text, b""));
    };
    match cut(inner, b"\", ") {
        Some(parts) => parts,
        None => (inner.strip_suffix(b"\"").unwrap_or(inner), b""),
    }
}

/// A value that a remote server chose: all that is left, but for the duration that ends the line.
fn said(text: &[u8]) -> &[u8] {
    let text = cut_last(text, b", elapsed = ").map_or(text, |(text, _)| text);
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    text.strip_suffix(b"\"").unwrap_or(text)
}

/// What an error says: `Description (group.event) { key = value, key = value }`.
fn cause(text: &[u8]) -> &[u8] {
    let text = cut_last(text, b", elapsed = ").map_or(text, |(text, _)| text);
    cut(text, b" { ").map_or(text, |(_, inner)| inner.strip_suffix(b" }").unwrap_or(inner))
}
