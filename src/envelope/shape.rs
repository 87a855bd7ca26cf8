//! The shape of the last head, by which the next one is recognised at the price of a comparison.

use std::ops::Range;

use wide::u8x16;

use super::Family;
use super::head::{Head, LENGTH_MAX};

/// How many bytes are compared at once.
const LANE: usize = size_of::<u8x16>();

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

/// Sixteen bytes of a head.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    bytes: u8x16,
    /// All ones in the bytes that must be these.
    same: u8x16,
    /// All ones in the bytes that may be any digit.
    digits: u8x16,
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
            let Some(part) = self.lanes.get_mut(at / LANE) else { return };
            let whole = if head.digits >> at & 1 == 1 { &mut part.digits } else { &mut part.same };
            let put = |bytes: &mut u8x16, byte| {
                if let Some(place) = bytes.as_mut_array().get_mut(at % LANE) {
                    *place = byte;
                }
            };
            put(whole, u8::MAX);
            put(&mut part.bytes, *byte);
        }
    }

    /// Whether the head of `line` has this shape. A line that ends right after its head is not
    /// compared.
    #[inline]
    pub(super) fn fits(&self, line: &[u8]) -> bool {
        let (chunks, _) = line.as_chunks::<LANE>();
        let (Some(chunks), Some(lanes)) = (chunks.get(..self.used), self.lanes.get(..self.used))
        else {
            return false;
        };
        let wrong = lanes
            .iter()
            .zip(chunks)
            .fold(u8x16::ZERO, |wrong, (lane, chunk)| wrong | lane.wrong(u8x16::new(*chunk)));
        wrong == u8x16::ZERO && self.used > 0
    }

    /// The time stamp of a line of this shape.
    #[inline]
    pub(super) fn stamp<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        line.get(self.stamp.start..self.stamp.end)
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
    /// Not 0 in the bytes that may not stand in their place.
    #[inline]
    fn wrong(&self, found: u8x16) -> u8x16 {
        let digit = found - u8x16::splat(b'0');
        let beyond = digit ^ digit.min(u8x16::splat(9));
        (found ^ self.bytes) & self.same | beyond & self.digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_digits() {
        for byte in 0..=u8::MAX {
            for place in 0..LANE {
                let mut lane =
                    Lane { bytes: u8x16::splat(b'x'), same: u8x16::MAX, ..Lane::default() };
                let mut found = lane.bytes;
                lane.same.as_mut_array()[place] = 0;
                lane.digits.as_mut_array()[place] = u8::MAX;
                found.as_mut_array()[place] = byte;
                assert_eq!(lane.wrong(found) == u8x16::ZERO, byte.is_ascii_digit(), "{byte:#x}");
                found.as_mut_array()[(place + 1) % LANE] = b'1';
                assert!(lane.wrong(found) != u8x16::ZERO, "only there");
            }
        }
    }
}
