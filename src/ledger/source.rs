//! The counters of one source of log lines.

use crate::mta::LineKind;

/// A source, by its place in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(usize);

impl SourceId {
    pub(super) fn new(index: usize) -> Self {
        Self(index)
    }

    /// The place in [`super::Ledger::sources`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// The counters of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCounts {
    name: String,
    /// Lines by kind, in the order of [`LineKind::index`].
    pub lines: [u64; LineKind::COUNT],
    /// Bytes read.
    pub read_bytes: u64,
    /// Files that were followed after a rename, or found to have replaced the one before.
    pub rotations: u64,
    /// Files that became shorter, or whose bytes before the offset changed.
    pub truncations: u64,
    /// Stretches of log that could not be read because they were gone.
    pub gaps: u64,
    /// Reads, opens and listings that failed.
    pub read_errors: u64,
    /// What was remembered for lines to come and had to be forgotten before, for want of room.
    pub evictions: u64,
}

impl SourceCounts {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The value of the label `source`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts lines of one kind.
    pub fn add_lines(&mut self, kind: LineKind, lines: u64) {
        if let Some(count) = self.lines.get_mut(kind.index()) {
            *count += lines;
        }
    }
}

/// How a source is doing now. Not saved: it is seen anew after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SourceGauges {
    /// Whether it can be read.
    pub up: bool,
    /// Bytes that are there and not read yet.
    pub lag_bytes: u64,
    /// Seconds by which the last line read is older than now, 0 when nothing is left to read.
    pub lag_seconds: f64,
    /// The time stamp of the last line that had one, in seconds since the epoch.
    pub last_event_timestamp_seconds: Option<f64>,
}
