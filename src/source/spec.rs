//! What a source is, as the configuration says it.

use std::path::PathBuf;

/// One source of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The value of the label `source`; unique among the sources.
    pub name: String,
    /// Where the lines come from.
    pub origin: Origin,
    /// Where to begin if nothing is known of an earlier run.
    pub start_at: StartAt,
    /// The longest line that is read, in bytes without its end; longer ones are skipped and
    /// counted.
    pub line_bytes_max: usize,
}

/// Where the lines of a source come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file at this path, whichever file that is at the moment.
    Path(PathBuf),
    /// All files that match a pattern (`*`, `?`, `[...]`, `**`), now and later.
    Glob(String),
}

/// Where to begin in a file of which no state exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// With the lines that are written from now on.
    #[default]
    End,
    /// With the first line that is there.
    Beginning,
}
