//! What a word becomes, where one look tells: most words in which two replies differ are identifiers
//! or names of hosts, and need not be taken apart.

use super::shape::{DIGIT, DOT, LOWER, NAME, UPPER, class, is_host, trimmed};
use super::{Vocabulary, readable_labels};
use crate::smtp::ReplyCode;

/// What the bytes between two spaces become, where one look tells: a mask. `None` says nothing.
pub(in crate::reason) fn mask_of(
    words: &Vocabulary,
    code: Option<ReplyCode>,
    chunk: &[u8],
) -> Option<&'static [u8]> {
    match chunk {
        [b'[', host @ .., b']'] => {
            let is_masked = is_plain_host(host, code) && readable_labels(words, host).is_none();
            is_masked.then_some(b"HOST ")
        }
        _ => is_identifier(chunk, code).then_some(b"ID "),
    }
}

/// Whether the bytes between two spaces are an identifier, whatever its letters and digits are.
/// False also for many that are one: this only spares most of them a closer look.
fn is_identifier(chunk: &[u8], code: Option<ReplyCode>) -> bool {
    /// So long that no rule names it.
    const LENGTH_MIN: usize = 15;
    let ends_in_digit = chunk.last().is_some_and(u8::is_ascii_digit);
    if chunk.len() < LENGTH_MIN
        || may_be_code(chunk, code)
        || chunk.get(chunk.len() - 3..).is_none_or(|end| may_be_code(end, code))
    {
        return false;
    }
    let (mut identifies, mut length, mut kinds) = (false, 0, 0);
    for byte in chunk {
        let kind = class(*byte);
        if kind & (LOWER | DIGIT) != 0 {
            length += 1;
            kinds |= kind;
            continue;
        }
        // Without a digit it may be a word, and a name ends with letters.
        if kinds & DIGIT == 0 || *byte != b'-' && !(*byte == b'.' && ends_in_digit) {
            return false;
        }
        identifies |= length >= LENGTH_MIN && kinds & LOWER != 0;
        (length, kinds) = (0, 0);
    }
    kinds & DIGIT != 0 && (identifies || length >= LENGTH_MIN && kinds & LOWER != 0)
}

/// Whether a chunk is a host name and nothing else stands in it. False also for some that are.
fn is_plain_host(chunk: &[u8], code: Option<ReplyCode>) -> bool {
    let kinds = chunk.iter().fold(0, |kinds, byte| kinds | class(*byte));
    let plain = kinds & !(LOWER | UPPER | DIGIT | DOT | NAME) == 0;
    plain && trimmed(chunk).len() == chunk.len() && !may_be_code(chunk, code) && is_host(chunk)
}

/// Whether a chunk begins with what may be the code of the reply, or any if that is not known.
fn may_be_code(chunk: &[u8], code: Option<ReplyCode>) -> bool {
    ReplyCode::parse(chunk).is_some_and(|found| code.is_none_or(|code| code == found))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Normaliser;
    use super::super::tests::vocabulary;
    use super::*;

    proptest! {
        #[test]
        fn what_is_told_at_a_look_is_a_mask(
            code in proptest::option::of(550u16..552),
            before in "(word |ID-a1b2c3d4e5f6a7b8 |7 |e )?",
            chunk in "([a-f0-9]{13,19}|550|551|mail)?[-.]?[a-f0-9]{14,17}([.-][a-f0-9.-]{1,4})?[0-9](550)?|\
                \\[(550|551|[a-eA-E.-])?[a-eA-E0-9._-]{0,9}(\\.com|\\.to|dbl\\.spamhaus\\.org|\\.[a-d]{2})[.#-]?\\]",
            after in "( 5\\.1\\.1| word)?",
        ) {
            let code = code.and_then(ReplyCode::new);
            let normal = |chunk: &str| {
                let mut normaliser = Normaliser::default();
                let text = format!("The {before}{chunk}{after}");
                normaliser.take(&vocabulary(), code, text.as_bytes());
                String::from_utf8_lossy(normaliser.text()).into_owned()
            };
            match mask_of(&vocabulary(), code, chunk.as_bytes()) {
                Some(b"ID ") => prop_assert_eq!(normal(&chunk), normal("aa00bb11cc22dd33ee44")),
                Some(b"HOST ") => prop_assert_eq!(normal(&chunk), normal("mx7.example.net")),
                other => prop_assert_eq!(other, None),
            }
        }
    }

    #[test]
    fn what_is_told_at_a_look() {
        for (chunk, expected) in [
            ("a767f3fa6bsi490410528edb.207", Some("ID ")),
            ("b00de2fbb3-392f39b284si855561485edb.254", Some("ID ")),
            ("1a2b3c4d5e6f7a8b9c", Some("ID ")),
            ("a767f3fa6bsi490410528edb.550", None),
            ("550-767f3fa6bsi490410528edb.207", None),
            ("a767f3fa6bsi490410528edb.com", None),
            ("blocked-a767f3fa6bsi490410528edb", None),
            ("a767f3fa6bs", None),
            ("123456789012345678", None),
            ("A767f3fa6bsi490410528edb.207", None),
            ("[AM546.eurprd05.prod.outlook.com]", Some("HOST ")),
            ("[550-a.example.com]", None),
            ("[zen.spamhaus.org]", None),
            ("[dbl.spamhaus.org-]", None),
            ("[192.0.2.1]", None),
            ("[user@example.com]", None),
            ("mx.example.com", None),
            ("[]", None),
            ("", None),
        ] {
            let mask = mask_of(&vocabulary(), ReplyCode::new(550), chunk.as_bytes());
            assert_eq!(mask, expected.map(str::as_bytes), "{chunk}");
        }
    }
}
