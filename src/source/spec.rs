//! What a source is, as the configuration says it.

use std::path::PathBuf;
use std::time::Duration;

use super::{Filter, Listen};

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
    /// Files: trust no notification of the kernel and look every 250 ms instead. For network and
    /// overlay file systems, which notify only of what happens on this machine.
    pub poll_only: bool,
    /// Files: how long a file that was renamed or deleted must have been silent before it is let
    /// go.
    pub rotate_wait: Duration,
}

impl Spec {
    /// The longest line that is read unless told otherwise.
    pub const LINE_BYTES_MAX_DEFAULT: usize = 1 << 20;
    /// How long a renamed file must have been silent before it is let go, unless told otherwise.
    pub const ROTATE_WAIT_DEFAULT: Duration = Duration::from_secs(60);

    /// A source with everything else at its default.
    pub fn new(name: impl Into<String>, origin: Origin) -> Self {
        Self {
            name: name.into(),
            origin,
            start_at: StartAt::default(),
            line_bytes_max: Self::LINE_BYTES_MAX_DEFAULT,
            poll_only: false,
            rotate_wait: Self::ROTATE_WAIT_DEFAULT,
        }
    }
}

/// Where the lines of a source come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file at this path, whichever file that is at the moment.
    Path(PathBuf),
    /// All files that match a pattern (`*`, `?`, `[...]`, `**`), now and later.
    Glob(String),
    /// Standard input.
    Stdin,
    /// The named pipe at this path.
    Fifo(PathBuf),
    /// The systemd journal.
    Journal(Filter),
    /// A syslog listener.
    Syslog(Listen),
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
