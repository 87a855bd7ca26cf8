//! Cuts that several dialects make in the text of a line.

use memchr::memmem;

use crate::attempt::NoReply;

/// What stands before and after the first `at`.
pub(super) fn cut<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    split(text, memmem::find(text, at)?, at.len())
}

/// What stands before and after the last `at`.
pub(super) fn cut_last<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    split(text, memmem::rfind(text, at)?, at.len())
}

fn split(text: &[u8], position: usize, length: usize) -> Option<(&[u8], &[u8])> {
    Some((text.get(..position)?, text.get(position + length..)?))
}

/// Whether `needle` stands anywhere in the text.
pub(super) fn contains(text: &[u8], needle: &[u8]) -> bool {
    memmem::find(text, needle).is_some()
}

/// Whether any of the needles does.
pub(super) fn contains_any(text: &[u8], needles: &[&[u8]]) -> bool {
    needles.iter().any(|needle| contains(text, needle))
}

/// The text up to the first byte that is one of `ends`, and what starts with that byte.
pub(super) fn until<'a>(text: &'a [u8], ends: &[u8]) -> (&'a [u8], &'a [u8]) {
    let end = text.iter().position(|byte| ends.contains(byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, b""))
}

/// The digits at the start, and what follows them.
pub(super) fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, b""))
}

/// The number that these digits are; `None` for none and for more than fit.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// What stands between the `<` at the start and the `>` that closes it, and what follows.
///
/// A `>` within a quoted local part does not close; where the quotes do not match, the first `>`
/// does.
pub(super) fn angle(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"<")?;
    let mut bytes = inner.iter().enumerate();
    let mut quoted = false;
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'>' if !quoted => return split(inner, at, 1),
            b'"' => quoted = !quoted,
            b'\\' if quoted => {
                bytes.next();
            }
            _ => {}
        }
    }
    cut(inner, b">")
}

/// What stands between the quote at the start and the one that closes it, as it is written, and
/// what follows. A backslash takes the next byte with it.
pub(super) fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"\"")?;
    let mut bytes = inner.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return split(inner, at, 1),
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    None
}

/// Whether the address is this machine: such a hop is a content filter or a local store.
pub(super) fn is_loopback(ip: &[u8]) -> bool {
    let ip = ip.strip_prefix(b"::ffff:").unwrap_or(ip);
    ip.starts_with(b"127.") || ip == b"::1"
}

/// Why there was no reply, in the words of the C library's `strerror` for sockets and those that
/// MTAs form after them; `None` where the text tells of something else.
pub(super) fn network_cause(text: &[u8]) -> Option<NoReply> {
    const CAUSES: &[(&[u8], NoReply)] = &[
        (b"onnection refused", NoReply::Refused),
        (b"timed out", NoReply::Timeout),
        (b"timeout", NoReply::Timeout),
        (b"No route to host", NoReply::Unreachable),
        (b"unreachable", NoReply::Unreachable),
        (b"etwork is down", NoReply::Unreachable),
        (b"ost is down", NoReply::Unreachable),
        (b"onnection reset", NoReply::Lost),
        (b"onnection closed", NoReply::Lost),
        (b"closed connection", NoReply::Lost),
        (b"roken pipe", NoReply::Lost),
        (b"onnection aborted", NoReply::Lost),
    ];
    CAUSES.iter().find(|(words, _)| contains(text, words)).map(|(_, cause)| *cause)
}

/// The second of the day in a time stamp: the first `HH:MM:SS` in it.
pub(super) fn second_of_day(stamp: &[u8]) -> Option<u32> {
    stamp.windows(8).find_map(|window| {
        let parts = [window.get(..2)?, window.get(3..5)?, window.get(6..)?];
        let separated = window.get(2) == Some(&b':') && window.get(5) == Some(&b':');
        let mut parts = parts.into_iter().map(|part| u32::try_from(number(part)?).ok());
        let seconds = || parts.try_fold(0, |sum, part| Some(sum * 60 + part?));
        separated.then(seconds).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_local_part_may_hold_what_closes_a_path() {
        assert_eq!(
            angle(b"<\"a> b\"@c.example> x"),
            Some((&b"\"a> b\"@c.example"[..], &b" x"[..]))
        );
        assert_eq!(angle(b"<a@b> c> d"), Some((&b"a@b"[..], &b" c> d"[..])));
        assert_eq!(angle(b"<a\"b@c> d"), Some((&b"a\"b@c"[..], &b" d"[..])));
        assert_eq!(angle(b"<a@b"), None);
    }

    #[test]
    fn a_backslash_takes_the_next_byte_into_the_quotes() {
        assert_eq!(quoted(br#""a \"b\" \\" c"#), Some((&br#"a \"b\" \\"#[..], &b" c"[..])));
        assert_eq!(quoted(br#""a \""#), None);
    }

    #[test]
    fn the_second_of_the_day_is_found_in_any_stamp() {
        assert_eq!(second_of_day(b"Nov 21 20:47:25"), Some(20 * 3600 + 47 * 60 + 25));
        assert_eq!(second_of_day(b"2026-11-21T00:00:01.5+01:00"), Some(1));
        assert_eq!(second_of_day(b"@400000006920c5e11a2b3c4d"), None);
    }
}
