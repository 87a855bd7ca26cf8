//! Short searches: for a byte that is expected near, and for the ends of lines.
//!
//! `memchr` is made for long texts. Most fields of a log line end within the next 32 bytes, and
//! then the call alone would cost more than looking at them.

use wide::u8x16;

/// How many bytes are looked at at once.
const LANE: usize = size_of::<u8x16>();

/// Where `byte` stands first.
#[inline]
pub(crate) fn find(text: &[u8], byte: u8) -> Option<usize> {
    let wanted = u8x16::splat(byte);
    search(text, |lane| lane.simd_eq(wanted), |other| other == byte)
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
        _ => find(text, byte).is_some(),
    }
}

/// Where `byte` stands first among the first sixteen, if there are as many.
#[inline]
pub(crate) fn find_near(text: &[u8], byte: u8) -> Option<usize> {
    let found = u8x16::new(*text.first_chunk()?).simd_eq(u8x16::splat(byte)).to_bitmask();
    (found != 0).then_some(found.trailing_zeros() as usize)
}

/// How many bytes [`Places`] looks at.
const BLOCK: usize = 4 * LANE;

/// The places of one byte in a block, from left to right: one look finds them all.
#[derive(Debug)]
pub(crate) struct Places(u64);

impl Places {
    /// The places of `byte`.
    #[inline]
    pub(crate) fn of(block: &[u8; BLOCK], byte: u8) -> Self {
        let wanted = u8x16::splat(byte);
        let (lanes, _) = block.as_chunks::<LANE>();
        Self(lanes.iter().rev().fold(0, |bits, lane| {
            bits << LANE | u64::from(u8x16::new(*lane).simd_eq(wanted).to_bitmask())
        }))
    }
}

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let next = self.0.trailing_zeros() as usize;
        self.0 &= self.0.checked_sub(1)?;
        Some(next)
    }
}

/// Where one of two bytes stands first among the first sixteen, if there are as many.
#[inline]
pub(crate) fn find2_near(text: &[u8], one: u8, two: u8) -> Option<usize> {
    let lane = u8x16::new(*text.first_chunk()?);
    let found = (lane.simd_eq(u8x16::splat(one)) | lane.simd_eq(u8x16::splat(two))).to_bitmask();
    (found != 0).then_some(found.trailing_zeros() as usize)
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

/// Where one of two bytes stands first.
#[inline]
pub(crate) fn find2(text: &[u8], one: u8, two: u8) -> Option<usize> {
    let wanted = [u8x16::splat(one), u8x16::splat(two)];
    search(
        text,
        |lane| lane.simd_eq(wanted[0]) | lane.simd_eq(wanted[1]),
        |other| other == one || other == two,
    )
}

/// Where one of three bytes stands first.
#[inline]
pub(crate) fn find3(text: &[u8], one: u8, two: u8, three: u8) -> Option<usize> {
    let wanted = [u8x16::splat(one), u8x16::splat(two), u8x16::splat(three)];
    search(
        text,
        |lane| lane.simd_eq(wanted[0]) | lane.simd_eq(wanted[1]) | lane.simd_eq(wanted[2]),
        |other| other == one || other == two || other == three,
    )
}

/// Searches by lanes, and what is left by bytes.
#[expect(
    clippy::inline_always,
    reason = "mostly the first look finds it, and costs as much as a call"
)]
#[inline(always)]
fn search(
    text: &[u8],
    in_lane: impl Fn(u8x16) -> u8x16,
    is_it: impl Fn(u8) -> bool,
) -> Option<usize> {
    if let Some(near) = text.first_chunk() {
        let found = places(near, &in_lane);
        if found != 0 {
            return Some(found.trailing_zeros() as usize);
        }
    }
    search_far(text, in_lane, is_it)
}

#[inline(never)]
fn search_far(
    text: &[u8],
    in_lane: impl Fn(u8x16) -> u8x16,
    is_it: impl Fn(u8) -> bool,
) -> Option<usize> {
    let mut rest = text;
    while let Some((lane, after)) = rest.split_first_chunk::<LANE>() {
        let found = in_lane(u8x16::new(*lane)).to_bitmask();
        if found != 0 {
            return Some(text.len() - rest.len() + found.trailing_zeros() as usize);
        }
        rest = after;
    }
    if let Some((before, last)) = text.split_last_chunk::<LANE>() {
        // It may see bytes that were seen before.
        let found = in_lane(u8x16::new(*last)).to_bitmask();
        return (found != 0).then_some(before.len() + found.trailing_zeros() as usize);
    }
    rest.iter().position(|byte| is_it(*byte))
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

/// The line that a text begins with, without its line feed, and what follows it. The last line may
/// have none. In the first `known` bytes is no line feed.
#[expect(clippy::inline_always, reason = "every line comes from here")]
#[inline(always)]
pub(crate) fn split_line(text: &[u8], known: usize) -> (&[u8], &[u8]) {
    let Some(mut near) = text.get(known..) else { return split_last_line(text, text.len()) };
    while let Some((pair, far)) = near.split_first_chunk() {
        let found = places(pair, |lane| lane.simd_eq(u8x16::splat(b'\n')));
        if found != 0 {
            let at = found.trailing_zeros() as usize;
            let end = text.len() - near.len() + at;
            if let (Some(line), Some(rest)) = (text.get(..end), near.get(at + 1..)) {
                return (line, rest);
            }
        }
        near = far;
    }
    split_last_line(text, near.len())
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

/// A bit for each place where something wanted stands, the first one lowest.
#[inline]
fn places(text: &[u8; 2 * LANE], in_lane: impl Fn(u8x16) -> u8x16) -> u32 {
    let bits = |lane: &[u8; LANE]| in_lane(u8x16::new(*lane)).to_bitmask();
    match text.as_chunks() {
        ([one, other], _) => bits(one) | bits(other) << LANE,
        _ => 0,
    }
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
                    rest = after;
                }
                prop_assert!(rest.is_empty());
            }
        }

        #[test]
        fn the_first_one_is_found(text in "[a-d\u{1}\u{80}]{0,40}", cut in 0usize..40) {
            let text = text.as_bytes().get(cut..).unwrap_or_default();
            for byte in *b"abz\x00\x01\x80\x81\xc2" {
                let slow = text.iter().position(|other| *other == byte);
                prop_assert_eq!(find(text, byte), slow);
                prop_assert_eq!(has(text, byte), slow.is_some());
                let last = text.iter().rposition(|other| *other == byte);
                prop_assert_eq!(find_last(text, byte), last);
                let near = (text.len() >= 16).then(|| find(&text[..16], byte)).flatten();
                prop_assert_eq!(find_near(text, byte), near);
                if let Some(block) = text.repeat(2).first_chunk() {
                    let slow = block.iter().enumerate().filter(|(_, other)| **other == byte);
                    prop_assert!(Places::of(block, byte).eq(slow.map(|(place, _)| place)));
                }
                let slow = text.windows(2).position(|pair| pair == [b'a', byte]);
                prop_assert_eq!(find_pair(text, b'a', byte), slow);
                let slow = text.iter().position(|other| *other == byte || *other == b'c');
                prop_assert_eq!(find2(text, byte, b'c'), slow);
                let near = (text.len() >= 16).then(|| find2(&text[..16], byte, b'c')).flatten();
                prop_assert_eq!(find2_near(text, byte, b'c'), near);
                let slow = text.iter().position(|other| [byte, b'c', b'd'].contains(other));
                prop_assert_eq!(find3(text, b'c', byte, b'd'), slow);
            }
        }
    }
}
