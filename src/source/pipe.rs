//! Standard input and named pipes.
//!
//! What was read from a pipe is nowhere else: after a crash the lines read since the last commit
//! are gone, and nobody can know how many they were. A clean stop loses nothing that was read.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::cutter::Cutter;
use super::inbox::{Inbox, Item, Outbox, Wake, inbox};
use super::{Note, Now, Progress, Sink, Spec, Status};

/// How much is read at once: what a pipe holds.
const READ_BYTES: usize = 64 << 10;
/// How often it is checked that the path still names the pipe that is read.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// A stream of lines that can be read once.
pub struct Pipe {
    inbox: Inbox,
    wake: Wake,
    spec: Spec,
    named: Option<Named>,
}

/// A pipe with a path.
#[derive(Debug)]
struct Named {
    path: PathBuf,
    open: Option<(File, u64, u64)>,
    checked_at: Option<Duration>,
    failed: bool,
}

impl Pipe {
    /// Standard input, until it ends.
    pub fn stdin(spec: &Spec, wake: &Wake) -> Self {
        let (inbox, outbox) = inbox(wake, None, false);
        let line_bytes_max = spec.line_bytes_max;
        start("stdin", move || read(io::stdin().lock(), line_bytes_max, &outbox));
        Self { inbox, wake: wake.clone(), spec: spec.clone(), named: None }
    }

    /// A named pipe. It is opened for writing too, so that it does not end when a writer goes.
    pub fn fifo(path: &Path, spec: &Spec, wake: &Wake) -> Self {
        let (inbox, _) = inbox(wake, None, false);
        let named = Named { path: path.to_owned(), open: None, checked_at: None, failed: false };
        Self { inbox, wake: wake.clone(), spec: spec.clone(), named: Some(named) }
    }

    /// Hands over what has come.
    pub fn poll(&mut self, now: Now, sink: &mut dyn Sink) -> Progress {
        let progress = self.inbox.poll(now.monotonic, sink);
        if progress == Progress::Idle {
            self.check(now.monotonic, sink);
        }
        progress
    }

    /// When the next step is due at the latest.
    pub fn due(&self) -> Duration {
        self.inbox.due()
    }

    /// How it is doing.
    pub fn status(&self) -> Status {
        self.inbox.status()
    }

    /// Goes on if nothing was changed.
    pub fn reconfigure(&mut self, spec: &Spec) -> bool {
        self.spec == *spec
    }

    /// Opens the pipe that the path names now, if that is another one than before.
    fn check(&mut self, now: Duration, sink: &mut dyn Sink) {
        let Some(named) = &mut self.named else { return };
        if named.checked_at.is_some_and(|at| now < at + CHECK_EVERY) {
            return;
        }
        named.checked_at = Some(now);
        match named.look() {
            Ok(None) => named.failed = false,
            Ok(Some((file, device, inode))) => {
                named.failed = false;
                if let Some((mut old, ..)) = named.open.take() {
                    // Ends the wait of the thread that reads the old pipe.
                    drop(old.write_all(b"\n"));
                    sink.note(Note::Rotation);
                }
                let (inbox, outbox) = inbox(&self.wake, None, false);
                self.inbox = inbox;
                if let Ok(reading) = file.try_clone() {
                    let line_bytes_max = self.spec.line_bytes_max;
                    start("fifo", move || read(reading, line_bytes_max, &outbox));
                }
                named.open = Some((file, device, inode));
            }
            Err(error) => {
                if !std::mem::replace(&mut named.failed, true) {
                    crate::telemetry::log_unreadable(&named.path, &error);
                    sink.note(Note::ReadError);
                }
            }
        }
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").field("inbox", &self.inbox).finish_non_exhaustive()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // Ends the wait of the thread; it finds that nobody wants its lines any more.
        if let Some((file, ..)) = self.named.as_mut().and_then(|named| named.open.as_mut()) {
            drop(file.write_all(b"\n"));
        }
    }
}

impl Named {
    /// The pipe at the path, opened, if it is not the one that is open.
    fn look(&self) -> io::Result<Option<(File, u64, u64)>> {
        let metadata = fs::metadata(&self.path)?;
        if !metadata.file_type().is_fifo() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a named pipe"));
        }
        let same = |(_, device, inode): &(File, u64, u64)| {
            (*device, *inode) == (metadata.dev(), metadata.ino())
        };
        if self.open.as_ref().is_some_and(same) {
            return Ok(None);
        }
        let file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        Ok(Some((file, metadata.dev(), metadata.ino())))
    }
}

/// Starts a thread that ends by itself.
pub(super) fn start(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(work) {
        crate::telemetry::thread_not_started(name, &error);
    }
}

/// Reads to the end of the stream.
fn read(mut stream: impl Read, line_bytes_max: usize, outbox: &Outbox) {
    let mut cutter = Cutter::new(line_bytes_max);
    let mut buffer = vec![0; READ_BYTES];
    let mut wanted = outbox.send(Item::Up(true));
    while wanted {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                let piece = buffer.get(..length).unwrap_or_default();
                wanted = !outbox.stopped() && outbox.send_piece(&mut cutter, piece);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    if wanted {
        outbox.send_rest(&mut cutter);
    }
}
