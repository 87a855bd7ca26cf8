//! What stands before the program in the last line: the next one mostly begins so too, but for the
//! digits of its time stamp.

use std::ops::Range;

use super::template::Template;

/// Head and host of the last line.
#[derive(Debug)]
pub(super) struct Lead {
    template: Template<4>,
    host: Range<usize>,
    /// More than any line has where there is none.
    length: usize,
}

impl Default for Lead {
    fn default() -> Self {
        Self { template: Template::default(), host: 0..0, length: usize::MAX }
    }
}

impl Lead {
    /// This head, which has digits in these places, and the host with a space behind it. Nothing is
    /// found again if it is too long.
    pub(super) fn of(lead: &[u8], digits: u64, host: Range<usize>) -> Self {
        match Template::of(lead, digits) {
            Some(template) => Self { template, host, length: lead.len() },
            None => Self::default(),
        }
    }

    /// Whether the line begins so.
    pub(super) fn fits(&self, line: &[u8]) -> bool {
        self.template.begins(line)
    }

    /// What follows them, if the text begins so and is long enough to be told at a look.
    #[expect(clippy::inline_always, reason = "every line comes here")]
    #[inline(always)]
    pub(super) fn after<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let near = text.as_chunks().0.first_chunk()?;
        if self.template.begins_near(near) { text.get(self.length..) } else { None }
    }

    /// The host in a line that begins so.
    #[inline]
    pub(super) fn host<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        line.get(self.host.start..self.host.end)
    }
}
