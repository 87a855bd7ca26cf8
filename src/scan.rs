//! Short searches: for a byte that is expected near, and for the ends of lines.
//!
//! `memchr` is made for long texts. Most fields of a log line end within the next sixteen bytes, and
//! then the call alone would cost more than looking at them.

use wide::u8x16;

/// How many bytes are looked at at once.
const LANE: usize = size_of::<u8x16>();

/// How many lanes [`LineEnds`] looks at at once: as many as have a bit each in a number.
const LANES: usize = 4;

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
#[inline]
fn search(
    text: &[u8],
    in_lane: impl Fn(u8x16) -> u8x16,
    is_it: impl Fn(u8) -> bool,
) -> Option<usize> {
    let (lanes, rest) = text.as_chunks::<LANE>();
    for (number, lane) in lanes.iter().enumerate() {
        let found = in_lane(u8x16::new(*lane)).to_bitmask();
        if found != 0 {
            return Some(number * LANE + found.trailing_zeros() as usize);
        }
    }
    rest.iter().position(|byte| is_it(*byte)).map(|at| lanes.len() * LANE + at)
}

/// How many bytes two texts begin with in common.
#[inline]
pub(crate) fn common_length(one: &[u8], other: &[u8]) -> usize {
    let ((one_lanes, _), (other_lanes, _)) = (one.as_chunks::<LANE>(), other.as_chunks::<LANE>());
    let same = one_lanes.iter().zip(other_lanes).take_while(|(one, other)| one == other);
    let whole = same.count() * LANE;
    let one = one.get(whole..).unwrap_or_default().iter();
    let other = other.get(whole..).unwrap_or_default().iter();
    whole + one.zip(other).take_while(|(one, other)| one == other).count()
}

/// Where the lines of a text end: at each line feed, and at the end of a last line without one.
#[derive(Debug)]
pub(crate) struct LineEnds<'a> {
    text: &'a [u8],
    /// How many bytes were looked at.
    seen: usize,
    /// A bit for each line feed among the last of them that was not told yet, the first one lowest.
    found: u64,
    /// Where the bytes begin that `found` is about.
    start: usize,
}

impl<'a> LineEnds<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, seen: 0, found: 0, start: 0 }
    }

    /// Looks at the next bytes.
    #[inline]
    fn look(&mut self) {
        let rest = self.text.get(self.seen..).unwrap_or_default();
        self.start = self.seen;
        if let Some(block) = rest.first_chunk::<{ LANES * LANE }>() {
            let (lanes, _) = block.as_chunks::<LANE>();
            let wanted = u8x16::splat(b'\n');
            let bits =
                |lane: &[u8; LANE]| u64::from(u8x16::new(*lane).simd_eq(wanted).to_bitmask());
            if let [a, b, c, d] = lanes {
                self.found = bits(a) | bits(b) << 16 | bits(c) << 32 | bits(d) << 48;
            }
            self.seen += LANES * LANE;
        } else {
            let is_end = |byte: &u8| u64::from(*byte == b'\n');
            self.found = rest.iter().rev().fold(0, |found, byte| found << 1 | is_end(byte));
            if self.text.last().is_some_and(|last| *last != b'\n') {
                self.found |= 1 << rest.len();
            }
            self.seen = usize::MAX;
        }
    }
}

impl Iterator for LineEnds<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            if self.seen == usize::MAX {
                return None;
            }
            self.look();
        }
        let end = self.start + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(end)
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
        }

        #[test]
        fn lines_end_where_they_end(text in "[a\n]{0,300}", long in "[a\n]{0,3}[a-z]{50,200}\n?") {
            for text in [text.clone(), long.repeat(3), format!("{text}{long}")] {
                let ends: Vec<usize> = LineEnds::new(text.as_bytes()).collect();
                let mut expected: Vec<usize> =
                    text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
                if !text.is_empty() && !text.ends_with('\n') {
                    expected.push(text.len());
                }
                prop_assert_eq!(ends, expected);
            }
        }

        #[test]
        fn the_first_one_is_found(text in "[a-d\u{1}\u{80}]{0,40}", cut in 0usize..40) {
            let text = text.as_bytes().get(cut..).unwrap_or_default();
            for byte in *b"abz\x00\x01\x80\x81\xc2" {
                let slow = text.iter().position(|other| *other == byte);
                prop_assert_eq!(find(text, byte), slow);
                prop_assert_eq!(has(text, byte), slow.is_some());
                let near = (text.len() >= 16).then(|| find(&text[..16], byte)).flatten();
                prop_assert_eq!(find_near(text, byte), near);
                let slow = text.iter().position(|other| *other == byte || *other == b'c');
                prop_assert_eq!(find2(text, byte, b'c'), slow);
                let slow = text.iter().position(|other| [byte, b'c', b'd'].contains(other));
                prop_assert_eq!(find3(text, b'c', byte, b'd'), slow);
            }
        }
    }
}
