//! Random programs of what happens to a log and to its reader, against a small model.
//!
//! The model knows every line that was written and where its bytes are. What is proved for every
//! program:
//!
//! 1. No line is ever counted twice, whatever is done.
//! 2. A line is counted exactly once if, at any look of the reader that was not undone by a later
//!    `kill -9`, its bytes were in the log, in one of its rotated forms (plain or compressed), or in
//!    a file that the reader had under the log's name since its start and that has not been let go.
//!    Only bytes that were destroyed between two looks can be missing: by a truncation without a
//!    copy, by the deletion of a file, or by a copying program that truncates what it has not copied.
//! 3. Torn lines come only from a line that is unfinished when its file is truncated, deleted or let
//!    go: at most three pieces for each (the second half, and the first half in two forms, for a
//!    file that holds nothing else is too little to be known again when it was compressed).
//! 4. Where nothing was destroyed, no gap is counted.
//!
//! The log may be copied long before it is truncated, and the reader may look meanwhile. What is
//! copied is neither renamed nor compressed before it is truncated, and whoever truncates it has
//! copied all of it.
//!
//! While the log or one of its rotated forms must not be read, nothing is promised of what is not
//! counted yet: it comes when reading is allowed again. The reader has a buffer of a few lines and may
//! be stopped after any step, so that everything can happen between any two of them.
//!
//! `cargo test` runs a few hundred programs. The long form:
//!
//! ```text
//! MTA_EXPORTER_MODEL_PROGRAMS=10000 cargo test --test it tail::model
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use mta_exporter::source::{
    Buffer, Earlier, Note, Now, Origin, Position, Progress, Sink, Source, Spec, StartAt,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tempfile::TempDir;

/// How many programs are run unless told otherwise.
const PROGRAMS: u32 = 300;
/// So little that most files take several steps, with whatever happens in between.
const BUFFER_BYTES: usize = 300;
/// How many rotated files are kept.
const KEPT: usize = 6;

#[derive(Clone, Debug)]
enum Action {
    /// The writer appends lines to the file that it has open.
    Append(usize),
    /// The writer appends the beginning of a line; the rest comes with the next append.
    Part,
    /// All rotated files are renamed, and the log to the first of them.
    Rotate,
    /// The writer makes the log anew and writes to that one from now on.
    Reopen,
    /// The log is copied to a rotated name; half of it, so far.
    Copy,
    /// What was begun to be copied is copied to its end.
    CopyOn,
    /// The log is copied to a rotated name, or what was begun of this is ended, and it is truncated.
    CopyTruncate,
    /// The log is truncated.
    Truncate,
    /// The log is deleted. With a pattern, only one that was seen: where no file of that name was
    /// there at any look, nobody looks for its rotated forms.
    Delete,
    /// The oldest plain rotated file that nobody writes to is compressed.
    Compress,
    /// The oldest rotated file is deleted.
    Drop,
    /// The log becomes unreadable, or readable again. Without effect for root.
    Forbid(bool),
    /// A second passes, and the reader reads.
    Look,
    /// The reader does that many steps and is then kept from going on.
    Glance(usize),
    /// Two minutes pass, and the reader reads.
    Wait,
    /// Counts and position are saved.
    Commit,
    /// The reader ends in order and starts again.
    Restart,
    /// The reader is killed and starts again from what was saved.
    Kill,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (1usize..6).prop_map(Action::Append),
        2 => Just(Action::Part),
        4 => Just(Action::Rotate),
        5 => Just(Action::Reopen),
        2 => Just(Action::Copy),
        2 => Just(Action::CopyOn),
        3 => Just(Action::CopyTruncate),
        1 => Just(Action::Truncate),
        1 => Just(Action::Delete),
        3 => Just(Action::Compress),
        1 => Just(Action::Drop),
        1 => any::<bool>().prop_map(Action::Forbid),
        8 => Just(Action::Look),
        3 => (1usize..4).prop_map(Action::Glance),
        2 => Just(Action::Wait),
        3 => Just(Action::Commit),
        2 => Just(Action::Restart),
        2 => Just(Action::Kill),
    ]
}

/// What the reader has counted.
#[derive(Clone, Debug, Default)]
struct Counted {
    lines: BTreeMap<u64, u32>,
    torn: u32,
    gaps: u32,
}

impl Sink for Counted {
    fn lines(&mut self, chunk: &[u8]) {
        for line in String::from_utf8_lossy(chunk).lines() {
            match parse(line) {
                Some(number) => *self.lines.entry(number).or_default() += 1,
                None => self.torn += 1,
            }
        }
    }

    fn note(&mut self, note: Note) {
        self.gaps += u32::from(note == Note::Gap);
    }
}

fn text(number: u64) -> String {
    // Lengths differ, so that a place is now a line's start in one file and not in another.
    let padding = usize::try_from(number * 7919 % 90).unwrap();
    format!("line {number:06} {} end\n", "x".repeat(padding))
}

fn parse(line: &str) -> Option<u64> {
    let (number, _) = line.strip_prefix("line ")?.strip_suffix(" end")?.split_once(' ')?;
    number.parse().ok()
}

/// The lines that a text holds as a whole.
fn lines(text: &[u8]) -> impl Iterator<Item = u64> {
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let whole = String::from_utf8_lossy(&text[..end]).into_owned();
    whole.lines().filter_map(parse).collect::<Vec<_>>().into_iter()
}

/// The machine: files, a writer, a reader.
struct World {
    directory: TempDir,
    now: Now,
    writer: File,
    /// The rest of a line that was begun.
    begun: Vec<u8>,
    next: u64,
    spec: Spec,
    source: Source,
    buffer: Buffer,
    counted: Counted,
    /// What is being copied, and to where.
    copying: Option<(File, File)>,
    /// Lines that have to be counted.
    due: BTreeSet<u64>,
    /// Files that the reader had under the log's name.
    held: BTreeMap<u64, File>,
    committed: (String, Counted, BTreeSet<u64>),
    tears: u32,
    destroyed: bool,
    /// Whether the log is followed by a pattern.
    pattern: bool,
}

impl World {
    fn new(pattern: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("mail.log");
        let origin = if pattern {
            Origin::Glob(directory.path().join("mail.log*").to_string_lossy().into_owned())
        } else {
            Origin::Path(log.clone())
        };
        let spec = Spec { start_at: StartAt::Beginning, ..Spec::new("mail", origin) };
        let source = Source::open(&spec, None);
        let committed = (String::new(), Counted::default(), BTreeSet::new());
        let mut world = Self {
            writer: append_to(&log),
            directory,
            now: Now {
                monotonic: Duration::from_secs(1000),
                unix: Duration::from_secs(1_700_000_000),
            },
            begun: Vec::new(),
            next: 0,
            spec,
            source,
            buffer: Buffer::of(BUFFER_BYTES),
            counted: Counted::default(),
            copying: None,
            due: BTreeSet::new(),
            held: BTreeMap::new(),
            committed,
            tears: 0,
            destroyed: false,
            pattern,
        };
        world.stamp(&world.writer);
        world.look(1);
        world.commit();
        world
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("mail.log")
    }

    fn rotated(&self, number: usize) -> PathBuf {
        self.directory.path().join(format!("mail.log.{number}"))
    }

    fn compressed(&self, number: usize) -> PathBuf {
        self.directory.path().join(format!("mail.log.{number}.gz"))
    }

    fn run(&mut self, action: &Action) {
        self.now.monotonic += Duration::from_secs(1);
        self.now.unix += Duration::from_secs(1);
        if !self.begun.is_empty()
            && matches!(
                action,
                Action::CopyTruncate
                    | Action::Truncate
                    | Action::Delete
                    | Action::Drop
                    | Action::Rotate
                    | Action::Wait
            )
        {
            self.tears += 1;
        }
        match action {
            Action::Append(count) => self.append(*count),
            Action::Part => self.part(),
            Action::Rotate => self.rotate(),
            Action::Reopen => self.reopen(),
            // Of so little a copy cannot be told when more was read.
            Action::Copy if fs::metadata(self.log()).is_ok_and(|log| log.len() < 512) => {}
            Action::Copy if self.is_copied() => {}
            Action::Copy => self.copy(),
            Action::CopyOn => self.copy_on(u64::MAX),
            Action::CopyTruncate => self.copy_truncate(),
            Action::Truncate => self.truncate(),
            Action::Delete => self.delete(),
            Action::Compress => self.compress(),
            Action::Drop => self.drop_oldest(),
            Action::Forbid(forbid) => self.forbid(*forbid),
            Action::Look => self.look(1),
            Action::Glance(steps) => self.glance(*steps),
            Action::Wait => self.look(120),
            Action::Commit => self.commit(),
            Action::Restart => {
                self.commit();
                self.start();
            }
            Action::Kill => self.start(),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap();
        self.stamp(&self.writer);
    }

    /// The file system's clock is the model's.
    fn stamp(&self, file: &File) {
        file.set_modified(std::time::UNIX_EPOCH + self.now.unix).unwrap();
    }

    fn append(&mut self, count: usize) {
        let mut bytes = std::mem::take(&mut self.begun);
        for _ in 0..count {
            bytes.extend_from_slice(text(self.next).as_bytes());
            self.next += 1;
        }
        self.write(&bytes);
    }

    fn part(&mut self) {
        if self.begun.is_empty() {
            let line = text(self.next).into_bytes();
            self.next += 1;
            let cut = line.len() / 2;
            self.write(&line[..cut]);
            self.begun = line[cut..].to_vec();
        }
    }

    fn rotate(&mut self) {
        // A log that is copied is not renamed as well.
        if !self.log().exists() || self.is_copied() {
            return;
        }
        self.shift();
        fs::rename(self.log(), self.rotated(1)).unwrap();
    }

    /// Makes the first rotated name free.
    fn shift(&mut self) {
        for number in (1..KEPT).rev() {
            drop(fs::rename(self.rotated(number), self.rotated(number + 1)));
            drop(fs::rename(self.compressed(number), self.compressed(number + 1)));
        }
        // The last one was overwritten, if there was one: that is a deletion.
        self.destroyed = true;
    }

    fn reopen(&mut self) {
        let rest = std::mem::take(&mut self.begun);
        if !rest.is_empty() {
            self.write(&rest);
        }
        let mode = fs::metadata(self.log()).ok().map(|metadata| metadata.permissions());
        // The writer is root; the test need not be.
        self.forbid(false);
        self.writer = append_to(&self.log());
        match mode {
            Some(mode) => fs::set_permissions(self.log(), mode).unwrap(),
            None => self.stamp(&self.writer),
        }
    }

    fn copy(&mut self) {
        let Ok(log) = File::open(self.log()) else { return };
        self.shift();
        self.tears += 1;
        let half = log.metadata().unwrap().len() / 2;
        self.copying = Some((log, File::create(self.rotated(1)).unwrap()));
        self.copy_on(if self.next.is_multiple_of(2) { half } else { 0 });
    }

    fn copy_on(&mut self, most: u64) {
        if let Some((log, copy)) = &self.copying {
            std::io::copy(&mut log.take(most), &mut &*copy).unwrap();
            self.stamp(copy);
        }
    }

    /// Whether the log, as it is, was copied or is being copied.
    fn is_copied(&self) -> bool {
        let inode = |file: &File| file.metadata().unwrap().ino();
        let (log, copied) = (File::open(self.log()), self.copying.as_ref());
        log.is_ok_and(|log| copied.is_some_and(|(copied, _)| inode(copied) == inode(&log)))
    }

    fn copy_truncate(&mut self) {
        if !self.is_copied() {
            self.copy();
        }
        self.truncate();
    }

    fn truncate(&mut self) {
        let Ok(file) = OpenOptions::new().write(true).open(self.log()) else { return };
        // Nobody truncates what he has not copied yet.
        self.copy_on(u64::MAX);
        self.copying = None;
        self.destroyed = true;
        file.set_len(0).unwrap();
        self.stamp(&file);
    }

    fn delete(&mut self) {
        let inode = fs::metadata(self.log()).ok().map(|log| log.ino());
        if self.pattern && inode.is_some_and(|inode| !self.held.contains_key(&inode)) {
            return;
        }
        self.copy_on(u64::MAX);
        self.copying = None;
        drop(fs::remove_file(self.log()));
        self.destroyed = true;
    }

    fn compress(&mut self) {
        // Nor is it compressed before the log is truncated.
        if self.is_copied() {
            return;
        }
        let written = self.writer.metadata().unwrap().ino();
        for number in (1..=KEPT).rev() {
            let Ok(file) = File::open(self.rotated(number)) else { continue };
            let metadata = file.metadata().unwrap();
            if metadata.ino() == written {
                continue;
            }
            let output = File::create(self.compressed(number)).unwrap();
            let mut encoder = flate2::write::GzEncoder::new(output, flate2::Compression::fast());
            encoder.write_all(&fs::read(self.rotated(number)).unwrap()).unwrap();
            encoder.finish().unwrap().set_modified(metadata.modified().unwrap()).unwrap();
            fs::remove_file(self.rotated(number)).unwrap();
            return;
        }
    }

    fn drop_oldest(&mut self) {
        for number in (1..=KEPT).rev() {
            let gone = fs::remove_file(self.rotated(number)).is_ok()
                | fs::remove_file(self.compressed(number)).is_ok();
            if gone {
                self.destroyed = true;
                return;
            }
        }
    }

    fn forbid(&self, forbid: bool) {
        use std::os::unix::fs::PermissionsExt;
        let mode = if forbid { 0o000 } else { 0o644 };
        drop(fs::set_permissions(self.log(), fs::Permissions::from_mode(mode)));
    }

    fn look(&mut self, seconds: u64) {
        self.now.monotonic += Duration::from_secs(seconds);
        self.now.unix += Duration::from_secs(seconds);
        self.expect(seconds < 60);
        for _ in 0..1000 {
            let progress = self.source.poll(self.now, &mut self.buffer, &mut self.counted);
            if progress == Progress::Idle {
                return;
            }
        }
        panic!("the reader never comes to an end");
    }

    /// Reads a little. Nothing is promised of it.
    fn glance(&mut self, steps: usize) {
        for _ in 0..steps {
            self.source.poll(self.now, &mut self.buffer, &mut self.counted);
        }
    }

    /// What the look that comes has to find.
    fn expect(&mut self, hold: bool) {
        let readable = File::open(self.log());
        if readable.is_err() && self.log().exists() {
            // Nothing is promised while the log must not be read.
            return;
        }
        let mut found = Vec::new();
        for number in 1..=KEPT + 1 {
            let paths = [self.rotated(number), self.compressed(number)];
            if paths.iter().any(|path| path.exists() && File::open(path).is_err()) {
                // Nor while one of its rotated forms must not be: whether it or a copy of it holds
                // what comes next cannot be told.
                return;
            }
            if let Ok(bytes) = fs::read(self.rotated(number)) {
                found.push(bytes);
            } else if let Ok(file) = File::open(self.compressed(number)) {
                let mut bytes = Vec::new();
                let mut decoder = flate2::read::GzDecoder::new(file);
                decoder.read_to_end(&mut bytes).unwrap();
                found.push(bytes);
            }
        }
        for file in self.held.values() {
            found.push(read_all(file));
        }
        if let Ok(file) = readable {
            found.push(read_all(&file));
            self.held.insert(file.metadata().unwrap().ino(), file);
        }
        self.due.extend(found.iter().flat_map(|bytes| lines(bytes)));
        if !hold {
            // What was silent is let go by now. What is under the log's name is held again.
            self.held.clear();
            if let Ok(file) = File::open(self.log()) {
                self.held.insert(file.metadata().unwrap().ino(), file);
            }
        }
    }

    fn commit(&mut self) {
        let position = serde_json::to_string(&self.source.position()).unwrap();
        self.committed = (position, self.counted.clone(), self.due.clone());
    }

    /// Starts the reader from what was saved.
    fn start(&mut self) {
        let (position, counted, due) = self.committed.clone();
        let position: Position = serde_json::from_str(&position).unwrap();
        self.source = Source::open(&self.spec, Some(Earlier { position, rebooted: false }));
        self.counted = counted;
        self.due = due;
        self.held.clear();
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for (line, times) in &self.counted.lines {
            prop_assert!(*times == 1, "line {line} was counted {times} times");
        }
        for line in &self.due {
            prop_assert!(self.counted.lines.contains_key(line), "line {line} was not counted");
        }
        prop_assert!(
            self.counted.torn <= 3 * self.tears,
            "{} pieces of lines from {} moments at which a line could be torn",
            self.counted.torn,
            self.tears
        );
        prop_assert!(self.destroyed || self.counted.gaps == 0, "a gap where all is there");
        Ok(())
    }
}

fn append_to(path: &std::path::Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

fn read_all(file: &File) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// Runs a program to its end, and lets the reader come to its own.
fn run(pattern: bool, program: &[Action]) -> Result<(), TestCaseError> {
    let mut world = World::new(pattern);
    for action in program {
        world.run(action);
        world.check()?;
    }
    world.forbid(false);
    for action in [Action::Append(1), Action::Look, Action::Wait, Action::Wait] {
        world.run(&action);
    }
    world.check()
}

#[test]
fn no_program_of_rotations_truncations_and_crashes_makes_a_line_count_twice_or_not_at_all() {
    let programs = std::env::var("MTA_EXPORTER_MODEL_PROGRAMS");
    // The short form tries the same programs every time; the long form tries new ones.
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = match programs.ok().map(|count| count.parse().unwrap()) {
        None => TestRunner::new_with_rng(config(PROGRAMS), seed),
        Some(cases) => TestRunner::new(config(cases)),
    };
    let programs = (any::<bool>(), prop::collection::vec(action(), 1..60));
    runner.run(&programs, |(pattern, program)| run(pattern, &program)).unwrap();
}

#[test]
fn programs_that_once_failed_stay_right() {
    use Action::{
        Append, Commit, Compress, CopyTruncate, Glance, Kill, Look, Part, Reopen, Restart, Rotate,
    };
    let programs: &[&[Action]] = &[
        // A file that holds nothing but the beginning of a line.
        &[Part, CopyTruncate, Look, Compress, Rotate, Reopen, Append(1), CopyTruncate],
        // Truncated after it was opened, while an older file was read.
        &[
            Append(2),
            Look,
            Append(5),
            Rotate,
            Reopen,
            Append(2),
            Glance(1),
            CopyTruncate,
            Append(1),
            Look,
        ],
        // Truncated again, while what was left of it in the first copy was read.
        &[
            Append(2),
            Look,
            Append(5),
            CopyTruncate,
            Append(2),
            Glance(1),
            Append(2),
            CopyTruncate,
            Append(2),
            Look,
        ],
        // Not read yet when the reader was started again.
        &[Append(1), CopyTruncate, Append(3), Glance(2), Append(1), Commit, Restart],
        &[Rotate, Append(1), Reopen, Append(1), Rotate, Glance(1), Restart],
        &[Append(1), CopyTruncate, Append(1), Compress, Glance(1), CopyTruncate, Restart],
        &[Part, CopyTruncate, Reopen, CopyTruncate, Append(1), Look, Restart, Compress],
        // A fragment that became a line, was compressed, and left its inode to a file that begins
        // in the same way.
        &[Part, Rotate, Look, Commit, Reopen, Kill, Compress, Rotate, Reopen],
        // The copy that was made of it was read to its end.
        &[Append(2), Look, CopyTruncate, Append(5), Glance(1), CopyTruncate, Append(1), Look],
    ];
    for program in programs {
        for pattern in [false, true] {
            run(pattern, program).unwrap_or_else(|error| panic!("{program:?}: {error}"));
        }
    }
}
