//! Postfix.

use super::{LineKind, Out};
use crate::envelope::Record;

/// Whether a program of that name is a Postfix daemon.
pub(super) fn recognise(_program: &[u8]) -> bool {
    false
}

/// What has to be remembered from line to line.
#[derive(Debug, Default)]
pub(super) struct Postfix {}

impl Postfix {
    /// Reads one record.
    pub(super) fn read(&mut self, _record: &Record<'_>, _out: &mut Out<'_>) -> LineKind {
        LineKind::Irrelevant
    }
}
