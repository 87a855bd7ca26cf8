//! The shape of the last head, by which the next one is recognised at the price of a comparison.

use std::ops::Range;

use super::Family;
use super::head::{Head, LENGTH_MAX};

/// How many bytes are compared at once.
const LANE: usize = size_of::<u128>();

/// The bytes of a head: those that must be the same in another line for it to be read in the same
/// way, and those that may be any digit.
#[derive(Debug, Default)]
pub(super) struct Shape {
    lanes: [Lane; LENGTH_MAX / LANE],
    /// How many lanes the head has; 0 before the first head.
    used: usize,
    stamp: Range<usize>,
    length: usize,
    family: Family,
}

/// Sixteen bytes of a head, the first one lowest.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// What they were in the last line.
    bytes: u128,
    /// All ones in the bytes that belong to the head.
    head: u128,
    /// All ones in the bytes that may be any digit.
    digits: u128,
}

impl Shape {
    /// Remembers the head of `line`.
    pub(super) fn learn(&mut self, line: &[u8], head: &Head) {
        *self = Self {
            lanes: Default::default(),
            used: head.length.div_ceil(LANE),
            stamp: head.stamp.clone(),
            length: head.length,
            family: head.family,
        };
        for (at, byte) in line.iter().take(head.length).enumerate() {
            let Some(bytes) = self.lanes.get_mut(at / LANE) else { return };
            let place = at % LANE * 8;
            bytes.bytes |= u128::from(*byte) << place;
            bytes.head |= 0xff << place;
            if head.digits >> at & 1 == 1 {
                bytes.digits |= 0xff << place;
            }
        }
    }

    /// Whether the head of `line` has this shape. A line that ends right after its head is not
    /// compared.
    #[inline]
    pub(super) fn fits(&mut self, line: &[u8]) -> bool {
        let (chunks, _) = line.as_chunks::<LANE>();
        let (Some(chunks), Some(lanes)) =
            (chunks.get(..self.used), self.lanes.get_mut(..self.used))
        else {
            return false;
        };
        lanes.iter_mut().zip(chunks).all(|(lane, chunk)| lane.fits(u128::from_le_bytes(*chunk)))
            && self.used > 0
    }

    /// The time stamp of a line of this shape.
    #[inline]
    pub(super) fn stamp<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        line.get(self.stamp.start..self.stamp.end).unwrap_or_default()
    }

    /// What follows the head in a line of this shape.
    #[inline]
    pub(super) fn rest<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        line.get(self.length..)
    }

    /// What follows the host name.
    #[inline]
    pub(super) fn family(&self) -> Family {
        self.family
    }
}

impl Lane {
    /// Whether these bytes may stand in this place; if so they are remembered, for the next line is
    /// mostly of the same second.
    #[inline]
    fn fits(&mut self, found: u128) -> bool {
        let other = (found ^ self.bytes) & self.head;
        if other == 0 {
            return true;
        }
        let fits = other & !self.digits == 0 && are_digits(found & self.digits, self.digits);
        if fits {
            self.bytes = found;
        }
        fits
    }
}

/// Whether the bytes are digits where `places` has ones. The others are 0.
#[inline]
fn are_digits(bytes: u128, places: u128) -> bool {
    const ONES: u128 = u128::MAX / 0xff;
    let high = (ONES * 0xf0) & places;
    let digit = (ONES * 0x30) & places;
    // From 0x3a on six more make the upper half another. Nothing is carried to the next byte, for
    // the upper half was looked at before.
    bytes & high == digit && (bytes + ((ONES * 6) & places)) & high == digit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_digits() {
        for byte in 0..=u8::MAX {
            for place in 0..LANE {
                let bytes = u128::from(byte) << (place * 8);
                let found = are_digits(bytes, 0xff << (place * 8));
                assert_eq!(found, byte.is_ascii_digit(), "{byte:#x}");
            }
        }
        let places = u128::from_le_bytes([0xff; LANE]);
        assert!(are_digits(u128::from_le_bytes(*b"0123456789012345"), places));
        assert!(!are_digits(u128::from_le_bytes(*b"01234567890123:5"), places));
        assert!(!are_digits(u128::from_le_bytes(*b"0123456789\xff12345"), places));
    }
}
