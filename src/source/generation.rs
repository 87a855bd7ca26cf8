//! One file that is being read.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use super::bookmark::{Bookmark, FileId, Fit, HEAD_BYTES, Place};
use super::buffer::Buffer;
use super::compressed::LogReader;
use super::{Note, Now, Sink};

/// An unterminated line that is longer than this is read again only after a while, so that a line
/// that grows byte by byte does not cost the square of its length.
const LONG_TAIL_BYTES: u32 = 64 << 10;
/// How much is read at least behind a line that began in what was read before.
const STREAM_BYTES: usize = 64 << 10;
/// The while.
const LONG_TAIL_WAIT: Duration = Duration::from_millis(250);

/// A file, open, with the place up to which it was handed over.
#[derive(Debug)]
pub(super) struct Generation {
    /// The name under which it was last seen.
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    input: Input,
    place: Place,
    /// How far it was looked at: behind the place by an unterminated line.
    scanned: u64,
    /// Size and time of the last write, as of the last look that found nothing more to read.
    seen: Option<(u64, Duration)>,
    /// For as long as nothing was handed over.
    untouched: Untouched,
    size: u64,
    /// When it was last written to, as of the last look.
    written: Duration,
    /// An unterminated line fills the usual buffer.
    long: bool,
    patience: Duration,
    /// When bytes were last read.
    pub(super) last_data: Duration,
    /// Since when no followed name leads to it.
    pub(super) left: Option<Duration>,
    /// The size that has to be reached before anything is shown, after a start.
    goal: u64,
    failing: bool,
    /// Whether there may be something to read.
    pub(super) hungry: bool,
}

/// What guards a file in which nothing was handed over yet, and where therefore no bytes before the
/// place tell that it was truncated.
#[derive(Debug)]
struct Untouched {
    /// Copies that were made since then have not been looked for.
    since: Duration,
    /// When they were looked for last: size and time of the last write, and how the file began.
    /// What begins otherwise came later; so may what is too short to tell.
    searched: Option<((u64, Duration), Vec<u8>)>,
    /// Whether it took the place of another file. Nothing is said of that yet: it may be a copy.
    succeeds: bool,
}

impl Untouched {
    fn since(time: Duration) -> Self {
        Self { since: time, searched: None, succeeds: false }
    }

    /// How the file began when that was seen last.
    fn head(&self) -> &[u8] {
        self.searched.as_ref().map_or(&[], |(_, head)| head)
    }

    /// Whether copies have to be looked for before this, which was read from the start of the
    /// file, may be handed over; and if so, those that were made since when.
    fn guard(&mut self, seen: (u64, Duration), data: &[u8], now: Duration) -> Option<Duration> {
        let head = data.get(..HEAD_BYTES).unwrap_or(data);
        if let Some((stamp, known)) = &self.searched
            && (*stamp == seen || head.len() == HEAD_BYTES)
            && known == head
        {
            return None;
        }
        let head = head.to_vec();
        self.searched = Some((seen, head));
        Some(std::mem::replace(&mut self.since, now))
    }
}

#[derive(Debug)]
enum Input {
    /// Read by place; the unterminated line is read again when it has grown.
    Plain(File),
    /// Read from start to end, once.
    Stream(Box<Stream>),
    /// Closed to save a descriptor; nothing was left to read.
    Parked,
}

/// A finished file that can only be read from its start.
#[derive(Debug)]
struct Stream {
    reader: LogReader<File>,
    /// What was read and is no complete line yet.
    rest: Vec<u8>,
    ended: bool,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Something was read, and there may be more.
    Read,
    /// Nothing is left.
    AtEnd,
    /// What was read is not there any more. Nothing was read; the place still stands.
    Truncated,
    /// Nothing was handed over of the file yet, and it was written to since this time. What is there
    /// now need not be all that was: nothing tells a truncation where nothing was read. Nothing was
    /// handed over in this step.
    Filled(Duration),
    /// The file is finished and was read to its end.
    Finished,
}

impl Generation {
    /// A plain file at a place.
    pub(super) fn plain(path: PathBuf, file: File, place: Place, now: Now) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self::new(path, &metadata, Input::Plain(file), place, now))
    }

    /// A finished file whose reader stands at the place.
    pub(super) fn stream(
        path: PathBuf,
        metadata: &Metadata,
        reader: LogReader<File>,
        place: Place,
        now: Now,
    ) -> Self {
        let stream = Stream { reader, rest: Vec::new(), ended: false };
        Self::new(path, metadata, Input::Stream(Box::new(stream)), place, now)
    }

    fn new(path: PathBuf, metadata: &Metadata, input: Input, place: Place, now: Now) -> Self {
        Self {
            path,
            id: FileId::of(metadata),
            input,
            scanned: place.offset,
            place,
            seen: None,
            untouched: Untouched::since(now.unix),
            size: metadata.len(),
            written: super::modified(metadata),
            long: false,
            patience: Duration::ZERO,
            last_data: now.monotonic,
            left: None,
            goal: 0,
            failing: false,
            hungry: true,
        }
    }

    /// The same, of a file that took the place of another.
    pub(super) fn succeeding(mut self) -> Self {
        self.untouched.succeeds = true;
        self
    }

    /// Says once that it took the place of another file, if it did.
    pub(super) fn tell(&mut self, sink: &mut dyn Sink) {
        if std::mem::take(&mut self.untouched.succeeds) {
            crate::telemetry::log_caught_up(&self.path, 0);
            sink.note(Note::Rotation);
        }
    }

    /// The same with what it begins with, to know it again before anything was read.
    pub(super) fn with_head(mut self, head: Vec<u8>) -> Self {
        self.untouched.searched = Some(((self.size, self.written), head));
        self
    }

    /// Whether the bytes before the place are still those that were read; then hands over at most
    /// one buffer of lines behind it.
    pub(super) fn step(
        &mut self,
        now: Now,
        line_bytes_max: usize,
        buffer: &mut Buffer,
        sink: &mut dyn Sink,
    ) -> Step {
        let before = self.place.offset.max(self.scanned);
        let result = match &self.input {
            Input::Plain(_) => self.step_plain(now, line_bytes_max, buffer, sink),
            Input::Stream(_) => self.step_stream(line_bytes_max, buffer, sink),
            Input::Parked => Ok(Step::AtEnd),
        };
        if self.place.offset.max(self.scanned) > before {
            self.last_data = now.monotonic;
        }
        match result {
            Ok(step) => {
                self.failing = false;
                self.hungry = matches!(step, Step::Read | Step::Filled(_));
                step
            }
            Err(error) => self.fail(&error, sink),
        }
    }

    fn fail(&mut self, error: &io::Error, sink: &mut dyn Sink) -> Step {
        self.hungry = false;
        if let Input::Stream(_) = self.input {
            // A damaged file does not heal: what it still held is lost.
            sink.note(Note::ReadError);
            sink.note(Note::Gap);
            crate::telemetry::compressed_log_damaged(&self.path, self.place.offset, error);
            return Step::Finished;
        }
        if !std::mem::replace(&mut self.failing, true) {
            sink.note(Note::ReadError);
            crate::telemetry::log_unreadable(&self.path, error);
        }
        Step::AtEnd
    }

    fn step_plain(
        &mut self,
        now: Now,
        line_bytes_max: usize,
        buffer: &mut Buffer,
        sink: &mut dyn Sink,
    ) -> io::Result<Step> {
        let Input::Plain(file) = &self.input else { return Ok(Step::AtEnd) };
        let metadata = file.metadata()?;
        let size = metadata.len();
        let seen = (size, super::modified(&metadata));
        if size < self.place.offset {
            return Ok(Step::Truncated);
        }
        if self.seen == Some(seen)
            || self.scanned > self.place.offset + u64::from(LONG_TAIL_BYTES)
                && now.monotonic < self.patience
        {
            return Ok(Step::AtEnd);
        }
        // The bytes before the place come with the same call, so that no time lies between the
        // comparison and the reading.
        let marker = self.place.marker().len();
        let room = buffer.room(if self.long { marker + line_bytes_max + 1 } else { 0 });
        let read = file.read_at(room, self.place.offset - marker as u64)?;
        let filled = room.len() == read;
        let Some((found, data)) = room.get(..read).and_then(|read| read.split_at_checked(marker))
        else {
            return Ok(Step::Truncated);
        };
        if found != self.place.marker() {
            return Ok(Step::Truncated);
        }
        (self.size, self.written) = seen;
        if self.place.offset == 0
            && let Some(since) = self.untouched.guard(seen, data, now.unix)
        {
            return Ok(Step::Filled(since));
        }
        let rest = hand_over(&mut self.place, data, line_bytes_max, sink);
        self.scanned = self.place.offset + rest as u64;
        if filled {
            // Without a line end in it, the buffer was too small for the line.
            self.long = rest == data.len();
            return Ok(Step::Read);
        }
        self.long = false;
        self.patience = now.monotonic + LONG_TAIL_WAIT;
        // The file may have grown since its size was taken.
        self.seen = (self.scanned == size).then_some(seen);
        Ok(if self.scanned < size { Step::Read } else { Step::AtEnd })
    }

    fn step_stream(
        &mut self,
        line_bytes_max: usize,
        buffer: &mut Buffer,
        sink: &mut dyn Sink,
    ) -> io::Result<Step> {
        let Input::Stream(stream) = &mut self.input else { return Ok(Step::AtEnd) };
        if stream.ended {
            return Ok(Step::Finished);
        }
        let kept = stream.rest.len();
        let room = buffer.room(if kept == 0 { 0 } else { kept + STREAM_BYTES });
        let (front, back) = room.split_at_mut(kept);
        front.copy_from_slice(&stream.rest);
        let read = stream.reader.read(back)?;
        if read == 0 {
            stream.ended = true;
            return Ok(Step::Finished);
        }
        let data = room.get(..kept + read).unwrap_or_default();
        let rest = hand_over(&mut self.place, data, line_bytes_max, sink);
        self.scanned = self.place.offset + rest as u64;
        stream.rest.clear();
        stream.rest.extend_from_slice(data.get(data.len() - rest..).unwrap_or_default());
        Ok(Step::Read)
    }

    /// Starts again at the beginning: what was read was overwritten.
    pub(super) fn restart(&mut self, now: Now) {
        self.place = Place::default();
        self.untouched = Untouched::since(now.unix);
        self.scanned = 0;
        self.seen = None;
        self.goal = 0;
        self.hungry = true;
    }

    /// Hands over the unterminated line at the end of a file that nobody writes to any more.
    pub(super) fn finish(
        &mut self,
        line_bytes_max: usize,
        buffer: &mut Buffer,
        sink: &mut dyn Sink,
    ) {
        let marker = self.place.marker().len();
        let tail = match &mut self.input {
            Input::Plain(file) => {
                let room = buffer.room(marker + line_bytes_max + 1);
                let start = self.place.offset - marker as u64;
                let read = file.read_at(room, start).unwrap_or(0);
                match room.get(..read).and_then(|read| read.split_at_checked(marker)) {
                    Some((found, tail)) if found == self.place.marker() => tail,
                    _ => return,
                }
            }
            Input::Stream(stream) => stream.rest.as_slice(),
            Input::Parked => return,
        };
        if tail.is_empty() || self.place.skipping {
            return;
        }
        sink.lines(tail);
        self.place.advance(tail);
        self.scanned = self.place.offset;
        if let Input::Stream(stream) = &mut self.input {
            stream.rest.clear();
        }
    }

    /// Whether everything that is there at this moment was looked at.
    pub(super) fn at_rest(&self) -> bool {
        !self.failing
            && match &self.input {
                Input::Plain(file) => {
                    file.metadata().is_ok_and(|metadata| metadata.len() == self.scanned)
                }
                Input::Stream(_) => false,
                Input::Parked => true,
            }
    }

    /// Whether anything was read in it.
    pub(super) fn has_data(&self) -> bool {
        self.scanned > 0
    }

    /// Whether nothing of it was handed over.
    pub(super) fn is_untouched(&self) -> bool {
        self.place.offset == 0
    }

    /// Looks for copies that were made since then, if nothing of it was handed over yet, once it
    /// turns out to be truncated.
    pub(super) fn expect_copies_since(&mut self, time: Duration) {
        self.untouched.since = self.untouched.since.min(time);
    }

    /// Whether a file in which nothing was read holds what stands at the start of the other one, or
    /// stood there when that was read: it is a copy, or one in the making. The first and the last
    /// bytes tell. Nobody compresses a copy before the log is truncated.
    pub(super) fn is_copy_of(&self, other: &Self) -> io::Result<bool> {
        let Input::Plain(file) = &self.input else { return Ok(false) };
        let end = Place::at(file, file.metadata()?.len())?;
        if end.offset == 0 {
            return Ok(false);
        }
        let read = other.bookmark();
        if let Input::Plain(other) = &other.input
            && matches!(read.fit(other)?, Fit::Same(..))
        {
            return Ok(Place::at(other, end.offset)? == end);
        }
        if end.offset < read.offset {
            return Ok(other.place.begins_as(&end));
        }
        Ok(!other.is_untouched() && matches!(read.fit(file)?, Fit::Same(..)))
    }

    /// Since when it may have been written to, and copies of it may have been made that were not
    /// looked for.
    pub(super) fn untouched_since(&self) -> Duration {
        self.untouched.since.min(self.modified())
    }

    /// Bytes that are there and were not looked at.
    pub(super) fn lag(&self) -> u64 {
        match &self.input {
            Input::Plain(_) => self.size.saturating_sub(self.scanned),
            // What is left of a compressed file is not known before its end.
            Input::Stream(stream) => u64::from(!stream.ended),
            Input::Parked => 0,
        }
    }

    /// Everything that is there now has to be read before anything is shown.
    pub(super) fn set_goal(&mut self) {
        self.goal = self.size;
    }

    /// What is left to read of that.
    pub(super) fn to_goal(&self) -> u64 {
        match &self.input {
            _ if self.goal == 0 || self.failing => 0,
            Input::Plain(_) => self.goal.saturating_sub(self.scanned),
            Input::Stream(_) => self.lag(),
            Input::Parked => 0,
        }
    }

    /// Whether the last attempt to read failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failing
    }

    /// When it was last written to, as far as is known.
    pub(super) fn modified(&self) -> Duration {
        match &self.input {
            Input::Plain(file) => file.metadata().ok().as_ref().map(super::modified),
            Input::Stream(_) | Input::Parked => None,
        }
        .unwrap_or(self.written)
    }

    /// When it had been last written to when it was last looked at.
    pub(super) fn written(&self) -> Duration {
        self.written
    }

    /// Whether the file still has a name anywhere.
    pub(super) fn is_linked(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        match &self.input {
            Input::Plain(file) => file.metadata().is_ok_and(|metadata| metadata.nlink() > 0),
            Input::Stream(_) | Input::Parked => true,
        }
    }

    /// What was read, to know it again.
    pub(super) fn bookmark(&self) -> Bookmark {
        self.place.bookmark(&self.path, self.id, self.size)
    }

    /// The place in the form that is saved. A file in which nothing was read is known by its head.
    pub(super) fn bookmark_to_save(&self) -> Bookmark {
        if !self.is_untouched() {
            return self.bookmark();
        }
        Bookmark::at_start(&self.head().unwrap_or_default(), &self.path, self.id, self.size)
    }

    /// What the file begins with.
    fn head(&self) -> io::Result<Vec<u8>> {
        let mut head = vec![0; HEAD_BYTES];
        let read = match &self.input {
            Input::Plain(file) => file.read_at(&mut head, 0)?,
            // Its reader has gone on.
            Input::Stream(_) => return Ok(self.untouched.head().to_vec()),
            Input::Parked => 0,
        };
        head.truncate(read);
        Ok(head)
    }

    /// Whether it can be closed for a while: nothing was left to read, and a change would be seen.
    pub(super) fn may_park(&self) -> bool {
        matches!(self.input, Input::Plain(_)) && self.seen.is_some() && !self.failing
    }

    /// All that the file holds now, to know copies of it.
    pub(super) fn whole(&self) -> Bookmark {
        let end = match &self.input {
            Input::Plain(file) => {
                let size = file.metadata().map_or(0, |metadata| metadata.len());
                Place::at(file, size).ok()
            }
            Input::Stream(_) | Input::Parked => None,
        };
        end.map_or_else(|| self.bookmark(), |end| end.bookmark(&self.path, self.id, end.offset))
    }

    /// Whether it holds a descriptor.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.input, Input::Parked)
    }

    /// Gives its descriptor back. Only where nothing is left to read.
    pub(super) fn park(&mut self) {
        self.input = Input::Parked;
    }

    /// Whether a closed file has changed since it was read.
    pub(super) fn has_changed(&self, metadata: &Metadata) -> bool {
        self.seen != Some((metadata.len(), super::modified(metadata)))
    }

    /// Takes a descriptor of the same file again.
    pub(super) fn unpark(&mut self, file: File) {
        self.input = Input::Plain(file);
        self.hungry = true;
    }
}

/// Hands over the complete lines in `data`, which stands at the place, and moves the place on. How
/// many bytes at the end of `data` are no complete line.
fn hand_over(place: &mut Place, data: &[u8], line_bytes_max: usize, sink: &mut dyn Sink) -> usize {
    let mut data = data;
    if place.skipping {
        let end = memchr::memchr(b'\n', data);
        let (skipped, rest) = data.split_at(end.map_or(data.len(), |at| at + 1));
        sink.note(Note::Skipped(skipped.len() as u64));
        place.advance(skipped);
        place.skipping = end.is_none();
        data = rest;
    }
    let (lines, rest) = data.split_at(memchr::memrchr(b'\n', data).map_or(0, |at| at + 1));
    if !lines.is_empty() {
        if lines.len() <= line_bytes_max + 1 {
            sink.lines(lines);
        } else {
            hand_over_checked(lines, line_bytes_max, sink);
        }
        place.advance(lines);
    }
    if rest.len() <= line_bytes_max {
        return rest.len();
    }
    sink.note(Note::Overlong);
    sink.note(Note::Skipped(rest.len() as u64));
    place.advance(rest);
    place.skipping = true;
    0
}

/// Hands over lines of which some may be too long.
fn hand_over_checked(lines: &[u8], line_bytes_max: usize, sink: &mut dyn Sink) {
    let mut good = 0;
    let mut start = 0;
    let hand = |from: usize, to: usize, sink: &mut dyn Sink| match lines.get(from..to) {
        Some(chunk) if !chunk.is_empty() => sink.lines(chunk),
        _ => {}
    };
    for end in memchr::memchr_iter(b'\n', lines) {
        if end - start > line_bytes_max {
            hand(good, start, sink);
            sink.note(Note::Overlong);
            sink.note(Note::Skipped((end + 1 - start) as u64));
            good = end + 1;
        }
        start = end + 1;
    }
    hand(good, lines.len(), sink);
}
