//! One consistent picture of everything that is exposed.

use super::{Ledger, SourceGauges, SourceId};

/// Everything that one scrape shows. Its counters are durable: they were committed before it was
/// handed out.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken, in seconds since the epoch.
    pub taken_at_seconds: u64,
    /// The counters.
    pub ledger: Ledger,
    /// The names of the blocklists that the ledger's counters refer to; see
    /// [`crate::reason::ListId::index`].
    pub lists: Vec<String>,
    /// The configured sources and how they are doing.
    pub sources: Vec<(SourceId, SourceGauges)>,
    /// The durable state.
    pub state: StateGauges,
    /// The configuration.
    pub reload: ReloadGauges,
}

/// How the durable state is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateGauges {
    /// Whether counters and positions were taken over from an earlier run.
    pub restored: bool,
    /// Commits that reached the disk since the start of the program.
    pub commits: u64,
    /// Commits that failed since the start of the program.
    pub commit_failures: u64,
    /// Whether the last commit reached the disk.
    pub durable: bool,
}

/// How the last reading of the configuration went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReloadGauges {
    /// Whether it could be used.
    pub successful: bool,
    /// When a configuration was last put in force, in seconds since the epoch.
    pub success_timestamp_seconds: u64,
}
