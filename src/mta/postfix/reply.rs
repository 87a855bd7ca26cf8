//! A server's reply as Postfix logs it: the lines of a longer one are joined by a space, and each
//! keeps its code.

use crate::scan;
use crate::smtp::{EnhancedStatusCode, Reply, ReplyCode};

/// What the rest of the line tells about a reply.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Decided<'a> {
    /// The status that Postfix logged with it, empty for none.
    pub(super) dsn: &'a [u8],
    /// Whether the class of the status is not that of the reply.
    pub(super) is_softened: bool,
}

impl Decided<'_> {
    /// The status that Postfix logged with the reply.
    pub(super) fn status(&self) -> Option<EnhancedStatusCode> {
        EnhancedStatusCode::parse(self.dsn).map(|(status, _)| status)
    }

    /// The class that Postfix took the reply for.
    pub(super) fn class(&self) -> Option<u8> {
        self.status().filter(|_| !self.is_softened).map(EnhancedStatusCode::class)
    }
}

/// The reply in `text`, `None` if it is not one: Postfix logs whatever came.
///
/// In a reply of several lines the last one decides (RFC 5321 §4.2.1 wants the same code on all of
/// them, and not every server cares).
#[expect(clippy::inline_always, reason = "nearly every delivery comes here")]
#[inline(always)]
pub(super) fn parse<'a>(text: &'a [u8], decided: &Decided<'_>) -> Option<Reply<'a>> {
    let first = ReplyCode::parse(text)?;
    let (code, enhanced) = match text.get(3..).unwrap_or_default() {
        [b'-', ..] => of_lines(first, text, decided),
        after @ ([] | [b' ', ..]) => (first, Reply::enhanced_behind(first, after)),
        _ => return None,
    };
    // Without a status in the reply Postfix makes one up: 5.0.0.
    let real = |dsn: &EnhancedStatusCode| (dsn.subject(), dsn.detail()) != (0, 0);
    let fits = |dsn: &EnhancedStatusCode| u16::from(dsn.class()) == code.get() / 100;
    let enhanced = enhanced.or_else(|| decided.status().filter(|dsn| fits(dsn) && real(dsn)));
    Some(Reply { code, enhanced, text })
}

/// The codes of a reply of several lines, whose first one has that code.
#[inline(never)]
fn of_lines(
    first: ReplyCode,
    text: &[u8],
    decided: &Decided<'_>,
) -> (ReplyCode, Option<EnhancedStatusCode>) {
    let last = last_line(text, decided);
    let code = code(last).unwrap_or(first);
    let enhanced = Reply::with_code(code, text).enhanced;
    (code, enhanced.or_else(|| Reply::with_code(code, last).enhanced))
}

/// The code at the start of `text`, where nothing but the text of a reply may follow it.
#[inline]
fn code(text: &[u8]) -> Option<ReplyCode> {
    matches!(text.get(3), None | Some(b' ' | b'-')).then(|| ReplyCode::parse(text)).flatten()
}

/// Whether a line of a reply that is its last one starts here, or any of its lines.
fn starts_line(text: &[u8], class: Option<u8>) -> bool {
    matches!(text.get(3), None | Some(b' '))
        && code(text)
            .is_some_and(|code| class.is_none_or(|class| code.get() / 100 == u16::from(class)))
}

/// The last line of a reply whose first line says that more follow. The first one where none is to
/// be found, for the end of a long line is cut.
fn last_line<'a>(text: &'a [u8], decided: &Decided<'_>) -> &'a [u8] {
    let Some(prefix) = text.first_chunk::<3>() else { return text };
    let [digit, ..] = prefix;
    // Behind the last line that was seen.
    let mut at = 4;
    let mut rest = text.get(at..).unwrap_or_default();
    while let Some(space) = scan::find_pair(rest, b' ', *digit) {
        rest = rest.get(space + 1..).unwrap_or_default();
        if rest.starts_with(prefix) {
            match rest.get(3) {
                None | Some(b' ') => return rest,
                Some(b'-') => at = text.len() - rest.len(),
                _ => {}
            }
        }
    }
    line_of_another_code(text, at, *prefix, decided.class()).unwrap_or(text)
}

/// The first line behind `at` that has another code and says that it is the last one.
fn line_of_another_code(
    text: &[u8],
    at: usize,
    prefix: [u8; 3],
    class: Option<u8>,
) -> Option<&[u8]> {
    let mut rest = text.get(at..)?;
    loop {
        rest = rest.get(scan::find(rest, [b' '])? + 1..)?;
        if !rest.starts_with(&prefix) && starts_line(rest, class) {
            return Some(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, dsn: &str, is_softened: bool) -> Option<(u16, String)> {
        let reply = parse(text.as_bytes(), &Decided { dsn: dsn.as_bytes(), is_softened })?;
        assert_eq!(reply.text, text.as_bytes(), "the text is kept whole");
        let enhanced = reply.enhanced.map(|enhanced| enhanced.to_string());
        Some((reply.code.get(), enhanced.unwrap_or_default()))
    }

    #[test]
    fn the_last_line_decides() {
        for (text, class, code, enhanced) in [
            ("250 2.0.0 OK", Some(2), 250, "2.0.0"),
            ("550", Some(5), 550, ""),
            ("550-5.1.1 a 550-5.1.1 b 550 5.1.1 c", Some(5), 550, "5.1.1"),
            ("550-Recipient unknown 550 5.1.1 in the last line", Some(5), 550, "5.1.1"),
            ("550-5.1.1 first 451 4.7.1 last", Some(4), 451, "4.7.1"),
            ("550-5.1.1 first 451 4.7.1 last", None, 451, "4.7.1"),
            ("421-a 421-b 450 c", None, 450, ""),
            // What else looks like a last line is text.
            ("550-5.7.1 error 451 in 3 of 550-5.7.1 lines 550 5.7.1 end", Some(5), 550, "5.7.1"),
            ("550-5.7.1 see error 250 and 550-5.7.1 then it is c", Some(5), 550, "5.7.1"),
            ("550 5.7.1 one line 451 4.7.1 only", Some(5), 550, "5.7.1"),
            ("450 5.1.1 the enhanced code is of the wrong class", Some(4), 450, ""),
        ] {
            let dsn = class.map(|class: u8| format!("{class}.0.0"));
            let found = read(text, &dsn.unwrap_or_default(), false);
            assert_eq!(found, Some((code, enhanced.to_owned())), "{text}");
        }
    }

    #[test]
    fn the_status_of_the_record_stands_in_for_a_line_that_was_cut() {
        let found = read("550-Long 550-lines that are c", "5.7.1", false);
        assert_eq!(found, Some((550, "5.7.1".to_owned())));
        assert_eq!(read("550-Long", "4.7.1", true), Some((550, String::new())));
    }

    #[test]
    fn what_is_no_reply_is_none() {
        for text in ["", "25", "2500 ok? 221 bye", "999 9.9.9 what", "Go away", "HTTP/1.1 400"] {
            assert_eq!(read(text, "", false), None, "{text}");
        }
    }
}
