//! The bytes before the program in the last line: most lines of a second begin with the same ones.

use super::words::{self, Words};

/// Head and host of the last line, as they were.
#[derive(Debug, Default)]
pub(super) struct Lead {
    words: Words,
    /// All ones in the bytes that are compared.
    whole: Words,
    /// How many bytes there are; 0 before the first line, and where there are too many.
    length: usize,
}

impl Lead {
    /// Remembers these bytes, or nothing if they are too many.
    #[inline]
    pub(super) fn learn(&mut self, lead: &[u8]) {
        match words::masked(lead) {
            Some((words, whole)) => *self = Self { words, whole, length: lead.len() },
            None => self.length = 0,
        }
    }

    /// What follows them, if the line begins with them.
    #[inline]
    pub(super) fn after<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        let near = words::first(line)?;
        if words::differ(&near, &self.words, &self.whole) || self.length == 0 {
            return None;
        }
        line.get(self.length..)
    }
}
