//! The enhanced mail system status code.

use std::fmt;

/// An enhanced status code, `class.subject.detail` (RFC 3463 §2).
///
/// Subject and detail have up to three digits, and three do occur (5.7.606).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnhancedStatusCode {
    /// 2, 4 or 5.
    pub class: u8,
    /// What the condition is about: addressing, mailbox, mail system, ...
    pub subject: u16,
    /// The precise condition.
    pub detail: u16,
}

impl EnhancedStatusCode {
    /// The code at the very start of `text` and its length in bytes.
    ///
    /// It must end there: at the end of the text or before a byte that is neither a digit nor a
    /// dot followed by a digit, so that an address such as `5.1.1.7` is none.
    ///
    /// ```
    /// use mta_exporter::smtp::EnhancedStatusCode;
    /// let (code, length) = EnhancedStatusCode::parse(b"5.7.606 Access denied").unwrap();
    /// assert_eq!((code.class, code.subject, code.detail, length), (5, 7, 606, 7));
    /// assert_eq!(EnhancedStatusCode::parse(b"5.1.1.7"), None);
    /// ```
    #[inline]
    pub fn parse(text: &[u8]) -> Option<(Self, usize)> {
        let [class @ (b'2' | b'4' | b'5'), b'.', rest @ ..] = text else { return None };
        let class = class - b'0';
        // Nearly all have one digit each, and nothing that could belong to them behind.
        if let [subject @ b'0'..=b'9', b'.', detail @ b'0'..=b'9', after @ ..] = rest
            && !matches!(after, [b'0'..=b'9' | b'.', ..])
        {
            let digit = |byte: &u8| u16::from(byte - b'0');
            return Some((Self { class, subject: digit(subject), detail: digit(detail) }, 5));
        }
        Self::parse_long(class, text, rest)
    }

    fn parse_long(class: u8, text: &[u8], rest: &[u8]) -> Option<(Self, usize)> {
        let (subject, rest) = digits(rest)?;
        let (detail, rest) = digits(rest.strip_prefix(b".")?)?;
        if matches!(rest, [b'.', next, ..] if next.is_ascii_digit()) {
            return None;
        }
        Some((Self { class, subject, detail }, text.len() - rest.len()))
    }
}

/// One to three digits, and what follows them; four digits are no number of this grammar.
fn digits(text: &[u8]) -> Option<(u16, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 || length > 3 {
        return None;
    }
    let (number, rest) = text.split_at_checked(length)?;
    Some((number.iter().fold(0, |sum, byte| sum * 10 + u16::from(byte - b'0')), rest))
}

impl fmt::Display for EnhancedStatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}
