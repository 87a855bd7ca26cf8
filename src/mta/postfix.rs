//! Postfix.

use super::{LineKind, Out};
use crate::envelope::Record;

/// Whether a program of that name is a Postfix daemon.
pub(super) fn recognise(_program: &[u8]) -> bool {
    false
}

/// What has to be remembered from line to line.
#[derive(Debug, Default)]
pub(super) struct Postfix {
    lines: u64,
}

impl Postfix {
    /// Reads one record.
    pub(super) fn read(&mut self, _record: &Record<'_>, _out: &mut Out<'_>) -> LineKind {
        self.lines += 1;
        LineKind::Irrelevant
    }
}
