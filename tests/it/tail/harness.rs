//! A source, a directory for its logs, and a clock that is stepped by hand.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mta_exporter::source::{
    Buffer, Earlier, Note, Now, Origin, Position, Progress, Sink, Source, Spec, StartAt, Status,
};
use tempfile::TempDir;

/// What a source handed over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) lines: Vec<String>,
    pub(crate) notes: Vec<Note>,
    pub(crate) bytes: u64,
}

impl Sink for Seen {
    fn lines(&mut self, chunk: &[u8]) {
        assert!(!chunk.is_empty(), "an empty chunk was handed over");
        self.bytes += chunk.len() as u64;
        let text = String::from_utf8_lossy(chunk);
        self.lines.extend(text.lines().map(ToOwned::to_owned));
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Skipped(bytes) => self.bytes += bytes,
            Note::Overlong | Note::Rotation | Note::Truncation | Note::Gap | Note::ReadError => {
                self.notes.push(note);
            }
        }
    }
}

impl Seen {
    /// How often that was noted.
    pub(crate) fn count(&self, note: Note) -> usize {
        self.notes.iter().filter(|seen| **seen == note).count()
    }
}

pub(crate) struct Tail {
    pub(crate) directory: TempDir,
    pub(crate) spec: Spec,
    pub(crate) source: Source,
    pub(crate) seen: Seen,
    pub(crate) now: Now,
    buffer: Buffer,
}

impl Tail {
    /// Follows `mail.log` in an empty directory, from its start.
    pub(crate) fn new() -> Self {
        Self::of(StartAt::Beginning, |directory| Origin::Path(directory.join("mail.log")))
    }

    /// Follows what `origin` says.
    pub(crate) fn of(start_at: StartAt, origin: impl FnOnce(&Path) -> Origin) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let spec = Spec { start_at, ..Spec::new("mail", origin(directory.path())) };
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Self {
            source: Source::open(&spec, None),
            directory,
            spec,
            seen: Seen::default(),
            now: Now { monotonic: Duration::from_secs(100), unix },
            buffer: Buffer::new(),
        }
    }

    /// A path in the directory of the logs.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Appends to a log, which is made if it is not there.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(crate) fn copy_truncate(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
        OpenOptions::new().write(true).open(self.path(from)).unwrap().set_len(0).unwrap();
    }

    /// Compresses a log as gzip does: the time of the last write is kept, the plain file goes.
    pub(crate) fn gzip(&self, name: &str) {
        let text = fs::read(self.path(name)).unwrap();
        let modified = fs::metadata(self.path(name)).unwrap().modified().unwrap();
        let file = fs::File::create(self.path(&format!("{name}.gz"))).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(&text).unwrap();
        encoder.finish().unwrap().set_modified(modified).unwrap();
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Lets a second pass and reads everything that is there.
    pub(crate) fn step(&mut self) {
        self.pass(Duration::from_secs(1));
    }

    /// Lets time pass and reads everything that is there.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now.monotonic += time;
        self.now.unix += time;
        for _ in 0..100_000 {
            if self.source.poll(self.now, &mut self.buffer, &mut self.seen) == Progress::Idle {
                return;
            }
        }
        panic!("the source never comes to an end");
    }

    /// The lines that were handed over since the last call.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.seen.lines)
    }

    /// Lets a second pass; the lines that this brings.
    pub(crate) fn next(&mut self) -> Vec<String> {
        self.step();
        self.lines()
    }

    pub(crate) fn status(&self) -> Status {
        self.source.status()
    }

    /// Ends the source and starts it again from its position, as text.
    pub(crate) fn restart(&mut self) {
        self.restart_from(&self.save(), false);
    }

    /// The position as it is saved.
    pub(crate) fn save(&self) -> String {
        serde_json::to_string(&self.source.position()).unwrap()
    }

    /// Starts the source again from an older position.
    pub(crate) fn restart_from(&mut self, saved: &str, rebooted: bool) {
        let position: Position = serde_json::from_str(saved).unwrap();
        self.source = Source::open(&self.spec, Some(Earlier { position, rebooted }));
    }
}
