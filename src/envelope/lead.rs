//! What stands before the program in the last line: the next one mostly begins so too, but for the
//! digits of its time stamp.

use std::ops::Range;

use super::template::Template;

/// Head and host of the last line.
#[derive(Debug, Default)]
pub(super) struct Lead {
    template: Template<4>,
    host: Range<usize>,
    length: usize,
}

impl Lead {
    /// This head, which has digits in these places, and the host with a space behind it. Nothing is
    /// found again if it is too long.
    pub(super) fn of(lead: &[u8], digits: u64, host: Range<usize>) -> Self {
        Self { template: Template::of(lead, digits), host, length: lead.len() }
    }

    /// What follows them, if the text begins so.
    #[expect(clippy::inline_always, reason = "every line comes here")]
    #[inline(always)]
    pub(super) fn after<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        if self.template.begins_long(text) { text.get(self.length..) } else { None }
    }

    /// The host in a line that begins so.
    #[inline]
    pub(super) fn host<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        line.get(self.host.start..self.host.end)
    }
}
