//! The enhanced mail system status code.

use std::fmt;
use std::num::NonZeroU32;

/// An enhanced status code, `class.subject.detail` (RFC 3463 §2).
///
/// Subject and detail have up to three digits, and three do occur (5.7.606).
// One number, so that it is passed on in a register: every reply has one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnhancedStatusCode(NonZeroU32);

/// How many bits subject and detail take each.
const PART_BITS: u32 = 10;
const PART_MAX: u16 = 999;

impl EnhancedStatusCode {
    /// The code of these parts; `None` where the class is not 2, 4 or 5, or another part has more
    /// than three digits.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Option<Self> {
        if !matches!(class, 2 | 4 | 5) || subject > PART_MAX || detail > PART_MAX {
            return None;
        }
        let number =
            (class as u32) << (2 * PART_BITS) | (subject as u32) << PART_BITS | detail as u32;
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// 2, 4 or 5.
    #[expect(clippy::cast_possible_truncation, reason = "one digit")]
    pub const fn class(self) -> u8 {
        (self.0.get() >> (2 * PART_BITS)) as u8
    }

    /// What the condition is about: addressing, mailbox, mail system, ...
    pub const fn subject(self) -> u16 {
        (self.0.get() >> PART_BITS & ((1 << PART_BITS) - 1)) as u16
    }

    /// The precise condition.
    pub const fn detail(self) -> u16 {
        (self.0.get() & ((1 << PART_BITS) - 1)) as u16
    }

    /// The code at the very start of `text` and its length in bytes.
    ///
    /// It must end there: at the end of the text or before a byte that is neither a digit nor a
    /// dot followed by a digit, so that an address such as `5.1.1.7` is none.
    ///
    /// ```
    /// use mta_exporter::smtp::EnhancedStatusCode;
    /// let (code, length) = EnhancedStatusCode::parse(b"5.7.606 Access denied").unwrap();
    /// assert_eq!((code.class(), code.subject(), code.detail(), length), (5, 7, 606, 7));
    /// assert_eq!(EnhancedStatusCode::parse(b"5.1.1.7"), None);
    /// ```
    #[expect(clippy::inline_always, reason = "every reply comes here")]
    #[inline(always)]
    pub fn parse(text: &[u8]) -> Option<(Self, usize)> {
        match text.first_chunk::<6>() {
            Some(near) => match Self::parse_short(*near) {
                None if near[1] == b'.' => Self::parse_long(text),
                short => short,
            },
            None => Self::parse_end(text),
        }
    }

    /// The code where hardly anything can stand behind it.
    #[inline]
    fn parse_end(text: &[u8]) -> Option<(Self, usize)> {
        if let [class, one, subject, two, detail] = *text {
            let short = Self::parse_short([class, one, subject, two, detail, b' ']);
            if short.is_some() {
                return short;
            }
        }
        Self::parse_long(text)
    }

    /// Nearly all have one digit each, and a space or a comma behind.
    #[inline(always)]
    fn parse_short(near: [u8; 6]) -> Option<(Self, usize)> {
        /// Made 0 by what must stand there, and a number by a digit. The last two bits that may
        /// differ tell a comma from a space, and other bytes that end a number as well.
        const LIKE: u64 = u64::from_le_bytes(*b"0.0.0 \0\0");
        const FIXED: u64 = u64::from_le_bytes([0xf8, 0xff, 0xf0, 0xff, 0xf0, 0xf3, 0, 0]);
        /// Carries into the upper half of a byte where the lower one is no digit.
        const BEYOND: u64 = u64::from_le_bytes([0, 0, 6, 0, 6, 0, 0, 0]);
        const CARRY: u64 = u64::from_le_bytes([0, 0, 0x10, 0, 0x10, 0, 0, 0]);
        let mut parts = [0; 8];
        if let Some(whole) = parts.first_chunk_mut() {
            *whole = near;
        }
        let parts = u64::from_le_bytes(parts) ^ LIKE;
        if parts & FIXED | (parts + BEYOND) & CARRY != 0 {
            return None;
        }
        let [class, _, subject, _, detail, ..] = parts.to_le_bytes();
        if !matches!(class, 2 | 4 | 5) {
            return None;
        }
        let number = u32::from(class) << (2 * PART_BITS)
            | u32::from(subject) << PART_BITS
            | u32::from(detail);
        Some((Self(NonZeroU32::new(number)?), 5))
    }

    #[inline(never)]
    fn parse_long(text: &[u8]) -> Option<(Self, usize)> {
        let [class @ (b'2' | b'4' | b'5'), b'.', rest @ ..] = text else { return None };
        let class = class - b'0';
        let (subject, rest) = digits(rest)?;
        let (detail, rest) = digits(rest.strip_prefix(b".")?)?;
        if matches!(rest, [b'.', next, ..] if next.is_ascii_digit()) {
            return None;
        }
        Some((Self::new(class, subject, detail)?, text.len() - rest.len()))
    }
}

/// One to three digits, and what follows them; four digits are no number of this grammar.
fn digits(text: &[u8]) -> Option<(u16, &[u8])> {
    let mut number = 0;
    let mut rest = text;
    while let [byte @ b'0'..=b'9', after @ ..] = rest {
        number = number * 10 + u16::from(byte - b'0');
        rest = after;
        if text.len() - rest.len() > 3 {
            return None;
        }
    }
    (rest.len() < text.len()).then_some((number, rest))
}

impl fmt::Display for EnhancedStatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class(), self.subject(), self.detail())
    }
}

impl fmt::Debug for EnhancedStatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn short_codes_are_read_as_any(
            code in "[2-5/:][.1][0-9/:\u{1}][.0][0-9/:\u{1}][ ,.$0x\u{1}\u{80}]{0,2}",
        ) {
            let text = code.as_bytes();
            prop_assert_eq!(EnhancedStatusCode::parse(text), EnhancedStatusCode::parse_long(text));
            for byte in 0..=u8::MAX {
                for place in 0..6 {
                    let mut text = *b"5.7.1 x";
                    text[place] = byte;
                    prop_assert_eq!(
                        EnhancedStatusCode::parse(&text),
                        EnhancedStatusCode::parse_long(&text)
                    );
                }
            }
        }
    }
}
