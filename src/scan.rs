//! Short searches: for a byte that is expected near, and for the ends of lines.
//!
//! `memchr` is made for long texts. Most fields of a log line end within the next 32 bytes, and
//! then the call alone would cost more than looking at them.

use wide::u8x16;

/// How many bytes are looked at at once.
const LANE: usize = size_of::<u8x16>();

/// Where one of these bytes stands first.
#[expect(
    clippy::inline_always,
    reason = "mostly the first look finds it, and costs as much as a call"
)]
#[inline(always)]
pub(crate) fn find<const N: usize>(text: &[u8], wanted: [u8; N]) -> Option<usize> {
    if let Some(at) = find_near::<2, _>(text, wanted) { Some(at) } else { find_far(text, wanted) }
}

/// Where one of these bytes stands first in so many lanes, if the text has as many.
#[expect(clippy::inline_always, reason = "a call would cost more than what it does")]
#[inline(always)]
pub(crate) fn find_near<const LANES: usize, const N: usize>(
    text: &[u8],
    wanted: [u8; N],
) -> Option<usize> {
    let near: &[_; LANES] = text.as_chunks().0.first_chunk()?;
    let found = near.iter().rev().fold(0, |bits, lane| bits << LANE | places(lane, wanted));
    (found != 0).then_some(found.trailing_zeros() as usize)
}

#[inline(never)]
fn find_far<const N: usize>(text: &[u8], wanted: [u8; N]) -> Option<usize> {
    let (lanes, rest) = text.as_chunks();
    for (number, lane) in lanes.iter().enumerate() {
        let found = places(lane, wanted);
        if found != 0 {
            return Some(number * LANE + found.trailing_zeros() as usize);
        }
    }
    match text.split_last_chunk() {
        // It may see bytes that were seen before.
        Some((before, last)) => {
            let found = places(last, wanted);
            (found != 0).then_some(before.len() + found.trailing_zeros() as usize)
        }
        None => rest.iter().position(|byte| wanted.contains(byte)),
    }
}

/// A bit for each place where one of these bytes stands, the first one lowest.
#[inline]
fn places<const N: usize>(lane: &[u8; LANE], wanted: [u8; N]) -> u64 {
    let lane = u8x16::new(*lane);
    let found = wanted.map(|byte| lane.simd_eq(u8x16::splat(byte)));
    u64::from(found.into_iter().fold(u8x16::ZERO, |found, more| found | more).to_bitmask())
}

/// Whether `byte` stands anywhere.
#[inline]
pub(crate) fn has(text: &[u8], byte: u8) -> bool {
    match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        // Two looks, which may see the same bytes, instead of up to sixteen.
        (Some(first), Some(last)) if text.len() <= LANE => {
            let mut both = [0; LANE];
            let (start, end) = both.split_at_mut(8);
            start.copy_from_slice(first);
            end.copy_from_slice(last);
            u8x16::new(both).simd_eq(u8x16::splat(byte)).to_bitmask() != 0
        }
        _ => find(text, [byte]).is_some(),
    }
}

/// Where `byte` stands last.
#[inline]
pub(crate) fn find_last(text: &[u8], byte: u8) -> Option<usize> {
    if let Some((before, near)) = text.split_last_chunk::<LANE>() {
        let found = u8x16::new(*near).simd_eq(u8x16::splat(byte)).to_bitmask();
        if found != 0 {
            return Some(before.len() + found.ilog2() as usize);
        }
    }
    find_last_far(text, byte)
}

#[inline(never)]
fn find_last_far(text: &[u8], byte: u8) -> Option<usize> {
    let wanted = u8x16::splat(byte);
    let (rest, lanes) = text.as_rchunks::<LANE>();
    for (number, lane) in lanes.iter().enumerate().rev() {
        let found = u8x16::new(*lane).simd_eq(wanted).to_bitmask();
        if found != 0 {
            return Some(rest.len() + number * LANE + found.ilog2() as usize);
        }
    }
    rest.iter().rposition(|other| *other == byte)
}

/// Where `one` stands first with `two` right behind it.
#[inline]
pub(crate) fn find_pair(text: &[u8], one: u8, two: u8) -> Option<usize> {
    let (first, second) = (u8x16::splat(one), u8x16::splat(two));
    let mut rest = text;
    // Each look sees the first byte of the next one too.
    while let Some(near) = rest.first_chunk::<{ LANE + 1 }>()
        && let (Some(here), Some(behind)) = (near.first_chunk(), near.last_chunk())
    {
        let pairs = u8x16::new(*here).simd_eq(first) & u8x16::new(*behind).simd_eq(second);
        let found = pairs.to_bitmask();
        if found != 0 {
            return Some(text.len() - rest.len() + found.trailing_zeros() as usize);
        }
        rest = rest.get(LANE..)?;
    }
    let at = rest.windows(2).position(|pair| pair == [one, two])?;
    Some(text.len() - rest.len() + at)
}

/// Whether two texts are the same: for short ones, where a call would cost more than a look.
#[inline]
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    // The last look may see bytes that were seen before.
    if let Some(equal) = equal_ends::<LANE>(one, other) {
        let (lanes, others) = (one.as_chunks::<LANE>().0, other.as_chunks::<LANE>().0);
        equal && lanes.iter().zip(others).skip(1).all(|(one, other)| one == other)
    } else {
        equal_ends::<8>(one, other).unwrap_or_else(|| one == other)
    }
}

/// Whether two texts begin and end in the same way; `None` where they are shorter than that.
#[inline]
fn equal_ends<const BYTES: usize>(one: &[u8], other: &[u8]) -> Option<bool> {
    let starts = one.first_chunk::<BYTES>()? == other.first_chunk()?;
    Some(starts & (one.last_chunk::<BYTES>()? == other.last_chunk()?))
}

/// How many bytes two texts begin with in common.
#[inline]
pub(crate) fn common_length(one: &[u8], other: &[u8]) -> usize {
    const PAIR: usize = 2 * LANE;
    let same = |one: &[u8; LANE], other: &[u8; LANE]| u8x16::new(*one).simd_eq(u8x16::new(*other));
    let ((pairs, _), (others, _)) = (one.as_chunks::<PAIR>(), other.as_chunks::<PAIR>());
    for (number, (pair, other)) in pairs.iter().zip(others).enumerate() {
        let ((&[a, b], _), (&[c, d], _)) = (pair.as_chunks(), other.as_chunks()) else { break };
        let equal = [same(&a, &c), same(&b, &d)].map(u8x16::to_bitmask);
        let differs = !(equal[0] | equal[1] << LANE);
        if differs != 0 {
            return number * PAIR + differs.trailing_zeros() as usize;
        }
    }
    let whole = pairs.len().min(others.len()) * PAIR;
    let one = one.get(whole..).unwrap_or_default().iter();
    let other = other.get(whole..).unwrap_or_default().iter();
    whole + one.zip(other).take_while(|(one, other)| one == other).count()
}

/// The first and last eight bytes of a text, or less where it is shorter.
#[inline]
pub(crate) fn ends(text: &[u8]) -> [u64; 2] {
    match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => [u64::from_le_bytes(*first), u64::from_le_bytes(*last)],
        _ => match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => {
                [u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into()]
            }
            _ => [text.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)), 0],
        },
    }
}

/// Spreads a number over the upper bits of its product: 2^64 divided by the golden ratio, and odd.
pub(crate) const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number for a short text: texts that are alike mostly differ at one of their ends. It needs
/// [`SPREAD`] to be told by few bits.
#[inline]
pub(crate) fn mixed_ends(text: &[u8]) -> u64 {
    let [first, last] = ends(text);
    first ^ last.rotate_left(32)
}

/// The line that a text begins with, without its line feed, and what follows it. The last line may
/// have none. In the first `known` bytes is no line feed.
#[expect(clippy::inline_always, reason = "every line comes from here")]
#[inline(always)]
pub(crate) fn split_line(text: &[u8], known: usize) -> (&[u8], &[u8]) {
    let (blocks, last) = text.get(known..).unwrap_or_default().as_chunks::<{ 4 * LANE }>();
    for (number, block) in blocks.iter().enumerate() {
        if let Some(at) = find_near::<4, _>(block, [b'\n'])
            && let Some((line, [_, rest @ ..])) =
                text.split_at_checked(known + number * block.len() + at)
        {
            return (line, rest);
        }
    }
    split_last_line(text, last.len())
}

/// What follows the line that a text begins with.
#[expect(clippy::inline_always, reason = "most lines are never looked at any further")]
#[inline(always)]
pub(crate) fn after_line(text: &[u8]) -> &[u8] {
    let mut near = text;
    while let Some((pair, far)) = near.split_first_chunk::<{ 2 * LANE }>() {
        if let Some(at) = find_near::<2, _>(pair, [b'\n'])
            && let Some(after) = near.get(at + 1..)
        {
            return after;
        }
        near = far;
    }
    split_last_line(near, near.len()).1
}

/// The same where the line feed, if there is one, is among the last bytes.
#[cold]
fn split_last_line(text: &[u8], last: usize) -> (&[u8], &[u8]) {
    let from = text.len() - last;
    let at = text.get(from..).and_then(|last| memchr::memchr(b'\n', last));
    match at.and_then(|at| text.split_at_checked(from + at)) {
        Some((line, end)) => (line, end.get(1..).unwrap_or_default()),
        None => (text, b""),
    }
}

/// A line without the carriage return that it may end with.
#[inline]
pub(crate) fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_have_their_beginning_in_common(
            same in "[a-c]{0,60}", one in "[a-c]{0,20}", other in "[a-c]{0,20}"
        ) {
            let (one, other) = (format!("{same}{one}"), format!("{same}{other}"));
            let expected = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
            prop_assert_eq!(common_length(one.as_bytes(), other.as_bytes()), expected);
            for other in [&other, &one, &same] {
                prop_assert_eq!(super::same(one.as_bytes(), other.as_bytes()), one == *other);
            }
        }

        #[test]
        fn lines_end_where_they_end(
            text in "[a\r\n]{0,300}",
            long in "[a\n]{0,3}[a-z]{50,200}\r?\n?",
            known in 0usize..300,
        ) {
            for text in [text.clone(), long.repeat(3), format!("{text}{long}")] {
                let mut expected: Vec<&[u8]> =
                    text.as_bytes().split(|byte| *byte == b'\n').collect();
                if expected.last().is_some_and(|last| last.is_empty()) {
                    expected.pop();
                }
                let mut rest = text.as_bytes();
                for whole in expected {
                    prop_assert!(!rest.is_empty());
                    let (line, after) = split_line(rest, known.min(whole.len()));
                    prop_assert_eq!(line, whole);
                    prop_assert_eq!(after_line(rest), after);
                    rest = after;
                }
                prop_assert!(rest.is_empty());
            }
        }

        #[test]
        fn the_first_one_is_found(text in "[a-d\u{1}\u{80}]{0,90}", cut in 0usize..90) {
            let text = text.as_bytes().get(cut..).unwrap_or_default();
            for byte in *b"abz\x00\x01\x80\x81\xc2" {
                let slow = text.iter().position(|other| *other == byte);
                prop_assert_eq!(find(text, [byte]), slow);
                prop_assert_eq!(has(text, byte), slow.is_some());
                let last = text.iter().rposition(|other| *other == byte);
                prop_assert_eq!(find_last(text, byte), last);
                let slow = text.windows(2).position(|pair| pair == [b'a', byte]);
                prop_assert_eq!(find_pair(text, b'a', byte), slow);
                let slow = text.iter().position(|other| *other == byte || *other == b'c');
                prop_assert_eq!(find(text, [byte, b'c']), slow);
                let near = |lanes: usize| slow.filter(|at| text.len() >= 16 * lanes && *at < 16 * lanes);
                prop_assert_eq!(find_near::<1, _>(text, [byte, b'c']), near(1));
                prop_assert_eq!(find_near::<2, _>(text, [byte, b'c']), near(2));
                prop_assert_eq!(find_near::<4, _>(text, [byte, b'c']), near(4));
                let slow = text.iter().position(|other| [byte, b'c', b'd'].contains(other));
                prop_assert_eq!(find(text, [b'c', byte, b'd']), slow);
            }
        }
    }
}
