//! The shape of the last head, by which the next one is recognised at the price of a comparison.

use std::ops::Range;

use super::Family;
use super::head::{Head, LENGTH_MAX};
use super::template::{LANE, Template};

/// How a head is read: another one with the same bytes, but for its digits, is read in the same way.
#[derive(Debug, Default)]
pub(super) struct Shape {
    template: Template<{ LENGTH_MAX / LANE }>,
    digits: u64,
    stamp: Range<usize>,
    length: usize,
    family: Family,
}

impl Shape {
    /// That of the head of `line`.
    pub(super) fn of(line: &[u8], head: &Head) -> Self {
        let bytes = line.get(..head.length).unwrap_or_default();
        Self {
            template: Template::of(bytes, head.digits).unwrap_or_default(),
            digits: head.digits,
            stamp: head.stamp.clone(),
            length: head.length,
            family: head.family,
        }
    }

    /// Whether the head of `line` has this shape. A line that ends right after its head is not
    /// compared.
    pub(super) fn fits(&self, line: &[u8]) -> bool {
        self.template.begins(line)
    }

    /// The places of digits, one bit each.
    pub(super) fn digits(&self) -> u64 {
        self.digits
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
