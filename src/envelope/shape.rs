//! The shape of the last head, by which the next one is recognised at the price of a comparison.

use std::ops::Range;

use super::Family;
use super::head::{Head, LENGTH_MAX};

/// The bytes of a head: those that must be the same in another line for it to be read in the same
/// way, and those that may be any digit.
#[derive(Debug)]
pub(super) struct Shape {
    /// What the bytes were, 0 beyond the head and where any digit will do.
    bytes: [u8; LENGTH_MAX],
    /// All ones where a byte must be the same.
    same: [u8; LENGTH_MAX],
    /// All ones where it must be a digit.
    digit: [u8; LENGTH_MAX],
    stamp: Range<usize>,
    /// 0 before the first head.
    length: usize,
    family: Family,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            bytes: [0; LENGTH_MAX],
            same: [0; LENGTH_MAX],
            digit: [0; LENGTH_MAX],
            stamp: 0..0,
            length: 0,
            family: Family::default(),
        }
    }
}

impl Shape {
    /// Remembers the head of `line`.
    pub(super) fn learn(&mut self, line: &[u8], head: &Head) {
        *self = Self {
            stamp: head.stamp.clone(),
            length: head.length,
            family: head.family,
            ..Self::default()
        };
        let places = self.bytes.iter_mut().zip(&mut self.same).zip(&mut self.digit);
        for (at, (((byte, same), digit), found)) in places.zip(line).take(head.length).enumerate() {
            if head.digits >> at & 1 == 1 {
                *digit = u8::MAX;
            } else {
                (*byte, *same) = (*found, u8::MAX);
            }
        }
    }

    /// Whether the head of `line` has this shape. Lines that are shorter than the longest head are
    /// not compared.
    #[inline]
    pub(super) fn fits(&self, line: &[u8]) -> bool {
        let Some(line) = line.first_chunk::<LENGTH_MAX>() else { return false };
        // No early exit: the compiler makes a few vector instructions of this.
        let mut wrong = 0;
        for (((byte, wanted), same), digit) in
            line.iter().zip(&self.bytes).zip(&self.same).zip(&self.digit)
        {
            let no_digit = if byte.wrapping_sub(b'0') > 9 { u8::MAX } else { 0 };
            wrong |= ((byte ^ wanted) & same) | (no_digit & digit);
        }
        wrong == 0 && self.length > 0
    }

    /// The time stamp of a line of this shape, and what follows the head.
    #[inline]
    pub(super) fn cut<'a>(&self, line: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        Some((line.get(self.stamp.clone())?, line.get(self.length..)?))
    }

    /// What follows the host name.
    #[inline]
    pub(super) fn family(&self) -> Family {
        self.family
    }
}
