//! The address after the flag of a delivery line.

use std::borrow::Cow;

use memchr::memmem;

use crate::mta::text::{angle, cut, quoted, until};

/// The longest local part that is looked for without its quotes (RFC 5321 §4.5.3.1.1). A reply
/// that repeats the start of its own line stands further behind than that.
const LOCAL_PART_MAX: usize = 64;
/// The longest domain (RFC 5321 §4.5.3.1.2).
const DOMAIN_MAX: usize = 255;

/// The parts of `ADDR[ (parent, ...)][ <original>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address<'a> {
    /// Where it went: an address, a local part, a file, a pipe.
    pub(super) target: &'a [u8],
    /// The address that the message came in for, empty where it is the same.
    pub(super) original: &'a [u8],
}

impl<'a> Address<'a> {
    /// The address at the start of `text`, and what follows it.
    ///
    /// Exim prints a quoted local part without its quotes, spaces and all, and then the original
    /// address with them: `=> a b@x.example <"a b"@x.example> R=...`.
    pub(super) fn parse(text: &'a [u8]) -> (Self, &'a [u8]) {
        let (target, rest) = bare(text).unwrap_or_else(|| token(text));
        let rest = match rest.strip_prefix(b" (").and_then(|parents| cut(parents, b")")) {
            Some((_, after)) => after,
            None => rest,
        };
        let original = rest.strip_prefix(b" ").and_then(angle);
        let (original, rest) = original.unwrap_or((b"", rest));
        (Self { target, original }, rest)
    }

    /// Whether it never leaves this machine: a file, a pipe, an automatic reply, the black hole, or
    /// a local part without a domain.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.target.first(), Some(b'/' | b'|' | b':' | b'>'))
            || !self.target.contains(&b'@')
    }

    /// The address whose domain the mail is for.
    pub(super) fn recipient(&self) -> &'a [u8] {
        if self.is_local() && !self.original.is_empty() { self.original } else { self.target }
    }
}

/// A local part that lost its quotes: it is followed by the original with them.
fn bare(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let limit = text.len().min(LOCAL_PART_MAX + DOMAIN_MAX + 4);
    let at = memmem::find(text.get(..limit)?, b" <\"")?;
    let target = text.get(..at)?;
    let (inside, domain) = quoted(text.get(at + 2..)?)?;
    let inside = unescape(inside);
    let (local, rest) = target.split_at_checked(inside.len())?;
    let same = inside.len() <= LOCAL_PART_MAX
        && *local == *inside
        && rest.first() == Some(&b'@')
        && domain.first() == Some(&b'@');
    if same { text.split_at_checked(at) } else { None }
}

/// A quoted string without its backslashes.
fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
    }
    Cow::Owned(plain)
}

/// Everything up to a space or `: `; with quotes, to the end of the domain after them.
fn token(text: &[u8]) -> (&[u8], &[u8]) {
    if text.starts_with(b":") {
        // `:blackhole:`
        return until(text, b" ");
    }
    let quotes = quoted(text).map_or(0, |(inside, _)| inside.len() + 2);
    let after = text.get(quotes..).unwrap_or_default();
    let end = after.iter().enumerate().position(|(at, byte)| match byte {
        b' ' => true,
        b':' => matches!(after.get(at + 1), Some(b' ') | None),
        _ => false,
    });
    text.split_at_checked(end.map_or(text.len(), |end| quotes + end)).unwrap_or((text, b""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (&str, &str, &str) {
        let (address, rest) = Address::parse(text.as_bytes());
        let text = |bytes| std::str::from_utf8(bytes).expect("ASCII");
        (text(address.target), text(address.original), text(rest))
    }

    #[test]
    fn every_form_of_address_is_cut_where_it_ends() {
        let table = [
            ("a@b.example R=x", "a@b.example", "", " R=x"),
            ("a@b.example <A@B.EXAMPLE> R=x", "a@b.example", "A@B.EXAMPLE", " R=x"),
            (
                "a@b.example (c@d.example, e@f.example) <g@h.example> R=x",
                "a@b.example",
                "g@h.example",
                " R=x",
            ),
            ("a@b.example: Unrouteable address", "a@b.example", "", ": Unrouteable address"),
            (":blackhole: <a@b.example> R=x", ":blackhole:", "a@b.example", " R=x"),
            ("joe <joe@b.example> R=local", "joe", "joe@b.example", " R=local"),
            (
                "a b, c@d.example <\"a b, c\"@d.example> R=x",
                "a b, c@d.example",
                "\"a b, c\"@d.example",
                " R=x",
            ),
            (
                "a R=x H=evil [192.0.2.1]@d.example <\"a R=x H=evil [192.0.2.1]\"@d.example> R=y",
                "a R=x H=evil [192.0.2.1]@d.example",
                "\"a R=x H=evil [192.0.2.1]\"@d.example",
                " R=y",
            ),
            (
                "a \"b\"@d.example <\"a \\\"b\\\"\"@d.example> R=x",
                "a \"b\"@d.example",
                "\"a \\\"b\\\"\"@d.example",
                " R=x",
            ),
            (
                "\"a b\"@d.example: retry timeout exceeded",
                "\"a b\"@d.example",
                "",
                ": retry timeout exceeded",
            ),
            (
                "|/usr/bin/vacation -a <a@b.example> R=x",
                "|/usr/bin/vacation",
                "",
                " -a <a@b.example> R=x",
            ),
        ];
        for (text, target, original, rest) in table {
            assert_eq!(parse(text), (target, original, rest));
        }
    }

    #[test]
    fn a_reply_that_repeats_its_line_moves_no_boundary() {
        let line = "a@b.example R=x T=smtp H=mx.b.example [192.0.2.1]: SMTP error from remote \
                    mail server after RCPT TO:<a@b.example>: 550 ";
        let reply =
            format!("@c.example <\"{line}\"@c.example> R=x T=smtp H=mx.c.example [192.0.2.2]");
        let text = format!("{line}{reply}");
        assert_eq!(parse(&text).0, "a@b.example");
    }
}
