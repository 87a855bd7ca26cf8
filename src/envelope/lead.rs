//! The bytes before the program in the last line: most lines of a second begin with the same ones.

use super::words::Words;

/// Head and host of the last line, as they were.
#[derive(Debug)]
pub(super) struct Lead {
    words: Words,
    /// How many bytes there are.
    length: usize,
}

impl Default for Lead {
    fn default() -> Self {
        Self { words: Words::NONE, length: 0 }
    }
}

impl Lead {
    /// Remembers these bytes, or nothing if they are too many.
    #[inline]
    pub(super) fn learn(&mut self, lead: &[u8]) {
        *self = Self { words: Words::of(lead).unwrap_or(Words::NONE), length: lead.len() };
    }

    /// What follows them, if the text begins with them.
    #[inline]
    pub(super) fn after<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        if self.words.begin(text.first_chunk()?) { text.get(self.length..) } else { None }
    }
}
