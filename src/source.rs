//! Where the bytes come from.
//!
//! A [`Source`] hands chunks of complete lines to a [`Sink`], in bounded steps, and knows after each
//! step its [`Position`]: everything before it was handed over, nothing behind it was. Counts and
//! positions are saved together, so that after a crash each line is handed over once more exactly if
//! its count was lost.
//!
//! Files can be read again, and so can the journal. What comes from a pipe or a socket is gone once
//! it was read; each of those modules says what a crash costs.
//!
//! Another kind of input is another variant of [`Origin`], of [`Source`] and of [`Position`].

mod spec;
pub mod compressed;
mod chunks;
mod bookmark;
mod siblings;
mod buffer;
mod generation;
mod search;
mod follow;
mod pace;
mod files;
mod watch;
mod cutter;
mod inbox;
mod pipe;
mod journal;
mod syslog;

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use bookmark::{Bookmark, Print};
pub use buffer::Buffer;
pub use chunks::{Chunk, Chunks};
pub use files::FilesPosition;
pub use follow::FollowPosition;
pub use inbox::Wake;
pub use journal::{Filter, JournalPosition};
pub use spec::{Origin, Spec, StartAt};
pub use syslog::Listen;
pub use watch::{Notified, Watch};

/// The time. It comes in from outside, so that tests can step it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Since some moment before the start; never goes back.
    pub monotonic: Duration,
    /// Since the epoch; may be set.
    pub unix: Duration,
}

/// Takes what a source hands over.
pub trait Sink {
    /// Complete lines, each with its end. Only the last line of a file that is finished may have
    /// none.
    fn lines(&mut self, chunk: &[u8]);

    /// Something else happened that is counted.
    fn note(&mut self, note: Note);
}

/// What is counted beside lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A line was longer than the limit.
    Overlong,
    /// That many bytes were read that are handed over as no line: those of an overlong line.
    Skipped(u64),
    /// A file took the place of the one that was read.
    Rotation,
    /// A file became shorter, or its bytes before the position changed.
    Truncation,
    /// Bytes that should have been read are gone.
    Gap,
    /// Something cannot be read; noted when that begins, not each time it is tried again.
    ReadError,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to read at once.
    More,
    /// Everything that is there was read.
    Idle,
}

/// How a source is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether all that it names can be read, and there is something.
    pub up: bool,
    /// Bytes that are there and not read yet.
    pub lag_bytes: u64,
    /// Of these, the bytes that were already there when the source was opened.
    pub catching_up_bytes: u64,
}

/// Where reading stands, to be saved with the counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// In files.
    Files(FilesPosition),
    /// In the journal.
    Journal(JournalPosition),
    /// In a stream that cannot be read again.
    Stream,
}

/// What an earlier run left behind.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// Where its reading stood.
    pub position: Position,
    /// Whether the machine was started again since: then bytes that were read may never have
    /// reached the disk.
    pub rebooted: bool,
}

/// One source, open.
#[derive(Debug)]
pub enum Source {
    /// Files, by path or pattern.
    Files(files::Files),
    /// Standard input or a named pipe.
    Pipe(pipe::Pipe),
    /// The systemd journal.
    Journal(journal::Journal),
    /// A syslog listener.
    Syslog(syslog::Syslog),
}

impl Source {
    /// A source that reads nothing yet: everything happens in [`Source::poll`]. What has a thread of
    /// its own is polled by the timer alone; see [`Source::open_waking`].
    pub fn open(spec: &Spec, earlier: Option<Earlier>) -> Self {
        Self::open_waking(spec, earlier, &(std::sync::Arc::new(|| ()) as Wake))
    }

    /// A source that calls `wake`, on another thread, when there is something to poll for.
    pub fn open_waking(spec: &Spec, earlier: Option<Earlier>, wake: &Wake) -> Self {
        match &spec.origin {
            Origin::Path(_) | Origin::Glob(_) => Self::Files(files::Files::new(spec, earlier)),
            Origin::Stdin => Self::Pipe(pipe::Pipe::stdin(spec, wake)),
            Origin::Fifo(path) => Self::Pipe(pipe::Pipe::fifo(path, spec, wake)),
            Origin::Journal(filter) => {
                let position = earlier.and_then(|earlier| match earlier.position {
                    Position::Journal(position) => Some(position),
                    Position::Files(_) | Position::Stream => None,
                });
                Self::Journal(journal::Journal::open(filter, spec, position, wake))
            }
            Origin::Syslog(listen) => Self::Syslog(syslog::Syslog::open(listen, spec, wake)),
        }
    }

    /// One bounded step: looks around if that is due, then hands over at most one buffer of lines.
    pub fn poll(&mut self, now: Now, buffer: &mut Buffer, sink: &mut dyn Sink) -> Progress {
        match self {
            Self::Files(files) => files.poll(now, buffer, sink),
            Self::Pipe(pipe) => pipe.poll(now, sink),
            Self::Journal(journal) => journal.poll(now, sink),
            Self::Syslog(syslog) => syslog.poll(now, sink),
        }
    }

    /// Something may have happened: the next step looks around. `structure` says that files may
    /// have come or gone, not only grown.
    pub fn wake(&mut self, structure: bool) {
        match self {
            Self::Files(files) => files.wake(structure),
            // These are looked at in every step.
            Self::Pipe(_) | Self::Journal(_) | Self::Syslog(_) => (),
        }
    }

    /// When the next step is due if nothing happens before, on the monotonic clock.
    pub fn due(&self) -> Duration {
        match self {
            Self::Files(files) => files.due(),
            Self::Pipe(pipe) => pipe.due(),
            Self::Journal(journal) => journal.due(),
            Self::Syslog(syslog) => syslog.due(),
        }
    }

    /// The position after the last step.
    pub fn position(&self) -> Position {
        match self {
            Self::Files(files) => Position::Files(files.position()),
            Self::Journal(journal) => Position::Journal(journal.position()),
            Self::Pipe(_) | Self::Syslog(_) => Position::Stream,
        }
    }

    /// How it is doing.
    pub fn status(&self) -> Status {
        match self {
            Self::Files(files) => files.status(),
            Self::Pipe(pipe) => pipe.status(),
            Self::Journal(journal) => journal.status(),
            Self::Syslog(syslog) => syslog.status(),
        }
    }

    /// The directories in which it wants to be told of changes.
    pub fn directories(&self) -> BTreeSet<PathBuf> {
        match self {
            Self::Files(files) => files.directories(),
            Self::Pipe(_) | Self::Journal(_) | Self::Syslog(_) => BTreeSet::new(),
        }
    }

    /// Whether it is told of changes in all its [`Source::directories`]. If not, it looks more often.
    pub fn set_notified(&mut self, notified: bool) {
        match self {
            Self::Files(files) => files.set_notified(notified),
            Self::Pipe(_) | Self::Journal(_) | Self::Syslog(_) => (),
        }
    }

    /// Whether so much is written that it looks by the clock, and notifications of its
    /// [`Source::directories`] would cost more than they bring.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Files(files) => files.is_busy(),
            Self::Pipe(_) | Self::Journal(_) | Self::Syslog(_) => false,
        }
    }

    /// Takes over new settings; `false` if they name another origin and the source must be opened
    /// anew.
    pub fn reconfigure(&mut self, spec: &Spec) -> bool {
        match self {
            Self::Files(files) => files.reconfigure(spec),
            Self::Pipe(pipe) => pipe.reconfigure(spec),
            Self::Journal(journal) => journal.reconfigure(spec),
            Self::Syslog(syslog) => syslog.reconfigure(spec),
        }
    }
}

/// When a file was last written to, since the epoch.
fn modified(metadata: &Metadata) -> Duration {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(metadata.mtime()).unwrap_or(0);
    let nanoseconds = u32::try_from(metadata.mtime_nsec()).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}
