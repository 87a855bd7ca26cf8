//! One name that is followed, through all files that have it one after the other.

mod resume;
mod rotations;

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bookmark::{Bookmark, FileId, Fit, Place, text};
use super::buffer::Buffer;
use super::generation::{Generation, Step};
use super::search::Search;
use super::{Note, Now, Progress, Sink, Spec, StartAt};
use resume::Wanted;

/// How many finished files are remembered, to know them when they are seen again.
const DONE_MAX: usize = 8;
/// While files are being renamed, the search for one is begun anew, this often at most.
const SEARCHES_MAX: usize = 8;
/// A file's time of the last write can lie this far before the moment of the write.
pub(super) const TIME_GRAIN: Duration = Duration::from_millis(10);
/// While there is no file of the name, how often to look whether one was there and was renamed.
const SEARCH_EVERY: Duration = Duration::from_secs(1);
/// A renamed file whose successor stays empty is kept open: some writers were not told of the
/// rotation. But not for longer than this.
const UNSUCCEEDED_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Where reading stands in the files of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowPosition {
    /// The name.
    #[serde(with = "text")]
    pub path: PathBuf,
    /// The files that are being read, oldest first.
    pub open: Vec<Bookmark>,
    /// Files that were read to their end and let go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<Bookmark>,
}

/// What the work is done with.
pub(super) struct Round<'r> {
    pub(super) now: Now,
    pub(super) spec: &'r Spec,
    pub(super) buffer: &'r mut Buffer,
    pub(super) sink: &'r mut dyn Sink,
    /// Whether a file is read under another name.
    pub(super) is_others: &'r dyn Fn(FileId) -> bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Follow {
    path: PathBuf,
    /// Oldest first; the file that has the name now is the last of them, if it is open.
    generations: Vec<Generation>,
    done: Vec<Bookmark>,
    sight: Sight,
    /// Where to begin in the file that is there at the first look of all.
    fresh: Option<StartAt>,
    /// The size, at the first look, of a file that may not be read yet.
    begin: Option<(FileId, u64)>,
    wanted: Option<Wanted>,
    /// What is found belongs to what was there at the start.
    starting: bool,
    /// When files that came after the known ones were last looked for.
    searched_at: Option<Duration>,
    /// When the name was last looked at.
    looked_at: Option<Duration>,
}

/// What is under the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// Not looked yet.
    Unseen,
    /// A file that is read.
    Fine,
    /// Nothing.
    Missing,
    /// Something that cannot be read.
    Unreadable,
}

impl Follow {
    /// Follows a name of which nothing is known. `fresh` says where to begin in the file that has
    /// it now; without it, at its start, and what has been rotated since `looked_at` is read too.
    pub(super) fn new(path: PathBuf, fresh: Option<StartAt>, looked_at: Option<Duration>) -> Self {
        Self {
            path,
            generations: Vec::new(),
            done: Vec::new(),
            sight: Sight::Unseen,
            fresh,
            begin: None,
            wanted: None,
            starting: true,
            searched_at: None,
            looked_at,
        }
    }

    /// Goes on where an earlier run stopped.
    pub(super) fn resume(position: FollowPosition, looked_at: Duration, rebooted: bool) -> Self {
        let mut follow = Self::new(position.path.clone(), None, None);
        follow.wanted = Some(Wanted::new(position, looked_at, rebooted));
        follow
    }

    /// The name.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The files that are open or closed for a while.
    pub(super) fn ids(&self) -> impl Iterator<Item = FileId> {
        self.generations.iter().map(|generation| generation.id)
    }

    /// All files, for those who have to count descriptors.
    pub(super) fn generations_mut(&mut self) -> &mut [Generation] {
        &mut self.generations
    }

    /// Whether any bytes were read since then, on the monotonic clock.
    pub(super) fn has_read_since(&self, then: Duration) -> bool {
        self.generations.iter().any(|generation| generation.last_data >= then)
    }

    /// Finds out what the name leads to and what became of the files that had it. Files
    /// that are another's are read under another name.
    pub(super) fn look(&mut self, round: &mut Round<'_>) {
        if let Some(wanted) = self.wanted.take() {
            self.wanted = self.take_up(wanted, round);
        }
        let is_first = self.fresh.is_some() && self.looked_at.is_none();
        let seen = fs::metadata(&self.path);
        let live = seen.as_ref().ok().map(FileId::of);
        let sight = match seen {
            Ok(_) if self.is_wanted(live) => Err(io::ErrorKind::PermissionDenied.into()),
            Ok(metadata) if metadata.is_file() => self.meet(&metadata, round),
            Ok(_) => Err(io::Error::other("expected a file, but found something else")),
            Err(error) => Err(error),
        };
        if is_first {
            self.leave_out_earlier(round);
        }
        self.note_sight(sight, round.sink);
        let searched = self.searched_at.is_some_and(|at| round.now.monotonic < at + SEARCH_EVERY);
        if self.sight == Sight::Missing && !searched {
            self.follow_rotations(round);
        }
        self.looked_at = Some(round.now.unix.saturating_sub(TIME_GRAIN));
        let mut parked = false;
        for generation in &mut self.generations {
            generation.hungry = true;
            let is_live = live == Some(generation.id);
            generation.left = match generation.left {
                _ if is_live => None,
                None => Some(round.now.monotonic),
                known => known,
            };
            if is_live && generation.path != self.path {
                generation.path.clone_from(&self.path);
            }
            parked |= !is_live && !generation.is_open();
        }
        if parked {
            self.unpark_renamed(round);
        }
        self.retire(round);
        self.starting = false;
    }

    /// Opens files that were closed to save descriptors and have been renamed since.
    fn unpark_renamed(&mut self, round: &Round<'_>) {
        let Ok(search) = Search::new(&self.path, [], &[], round.is_others, round.now) else {
            return;
        };
        for generation in self.generations.iter_mut().filter(|generation| !generation.is_open()) {
            if let Some((path, file)) = search.open(generation.id) {
                generation.path = path;
                generation.unpark(file);
            }
        }
    }

    /// Reads at most one buffer; `None` where nothing is left.
    pub(super) fn read(&mut self, round: &mut Round<'_>) -> Option<Progress> {
        let line_bytes_max = round.spec.line_bytes_max;
        while let Some(index) = self.generations.iter().position(|generation| generation.hungry) {
            if self.leave_copy(index) {
                continue;
            }
            let generation = self.generations.get_mut(index)?;
            let step = generation.step(round.now, line_bytes_max, round.buffer, round.sink);
            if !generation.is_untouched() {
                generation.tell(round.sink);
            }
            match step {
                Step::Read => return Some(Progress::More),
                Step::AtEnd => {}
                Step::Truncated => self.truncated(index, round),
                Step::Filled(since) => {
                    self.follow_copies(index, since, round);
                    return Some(Progress::More);
                }
                Step::Finished => self.finish(index, round),
            }
        }
        None
    }

    /// The file under the name: known, or to be opened.
    fn meet(&mut self, metadata: &Metadata, round: &mut Round<'_>) -> io::Result<()> {
        let id = FileId::of(metadata);
        if (round.is_others)(id) {
            return Ok(());
        }
        if let Some(known) = self.generations.iter_mut().find(|generation| generation.id == id) {
            if !known.is_open() && known.has_changed(metadata) {
                let file = File::open(&self.path)?;
                if FileId::of(&file.metadata()?) == id {
                    known.unpark(file);
                }
            }
            return Ok(());
        }
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) => {
                if self.fresh == Some(StartAt::End) {
                    self.begin = Some((id, metadata.len()));
                }
                return Err(error);
            }
        };
        // Another file may have taken the name since it was looked at.
        let opened = file.metadata()?;
        let id = FileId::of(&opened);
        if (round.is_others)(id) || self.ids().any(|known| known == id) {
            return Ok(());
        }
        let place = self.first_place(&file, &opened, round.spec.line_bytes_max)?;
        if !self.generations.is_empty() || !self.done.is_empty() {
            crate::telemetry::log_rotated(&self.path);
            round.sink.note(Note::Rotation);
        }
        self.follow_rotations(round);
        crate::telemetry::log_opened(&self.path, place.offset);
        let generation = Generation::plain(self.path.clone(), file, place, round.now)?;
        self.push(generation);
        Ok(())
    }

    fn push(&mut self, mut generation: Generation) {
        if self.starting {
            generation.set_goal();
        }
        self.generations.push(generation);
    }

    /// Where to begin in a file that is not known as one that is open.
    fn first_place(
        &mut self,
        file: &File,
        metadata: &Metadata,
        line_bytes_max: usize,
    ) -> io::Result<Place> {
        let id = FileId::of(metadata);
        // A file that was let go may have the name again; or its inode was given to another file.
        if let Some(at) = self.done.iter().position(|done| done.id() == id && !done.fragment)
            && let Some(Ok(Fit::Same(place, ()))) = self.done.get(at).map(|done| done.fit(file))
        {
            self.done.remove(at);
            return Ok(place);
        }
        match (self.begin.take(), self.fresh) {
            (Some((known, size)), _) if known == id && size <= metadata.len() => {
                Place::at_line_start(file, size, line_bytes_max)
            }
            (None, Some(StartAt::End)) => {
                Place::at_line_start(file, metadata.len(), line_bytes_max)
            }
            _ => Ok(Place::default()),
        }
    }

    fn note_sight(&mut self, sight: io::Result<()>, sink: &mut dyn Sink) {
        use io::ErrorKind::{NotADirectory, NotFound};
        let before = self.sight;
        self.sight = match &sight {
            Ok(()) => Sight::Fine,
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Sight::Missing,
            Err(_) => Sight::Unreadable,
        };
        if self.sight != Sight::Unreadable {
            // Whatever appears from now on is new.
            self.fresh = None;
            if self.sight == Sight::Missing {
                self.begin = None;
            }
        }
        if before == self.sight {
            return;
        }
        match (self.sight, sight) {
            (Sight::Unreadable, Err(error)) => {
                sink.note(Note::ReadError);
                crate::telemetry::log_unreadable(&self.path, &error);
            }
            (Sight::Missing, _) => crate::telemetry::log_missing(&self.path),
            (Sight::Fine, _) if before == Sight::Unreadable => {
                crate::telemetry::log_readable_again(&self.path);
            }
            _ => {}
        }
    }

    /// Lets go of files that have no followed name, are at their end and have been silent.
    fn retire(&mut self, round: &mut Round<'_>) {
        let mut index = 0;
        while let Some(generation) = self.generations.get(index) {
            let now = round.now.monotonic;
            let silent = generation
                .left
                .map(|left| now.saturating_sub(left.max(generation.last_data)))
                .unwrap_or_default();
            let over = generation.left.is_some()
                && silent >= round.spec.rotate_wait
                && (generation.at_rest() || generation.is_failing());
            if over && (silent >= UNSUCCEEDED_WAIT || self.is_succeeded(index)) {
                if !self.leave_copy(index) {
                    self.finish(index, round);
                }
            } else {
                index += 1;
            }
        }
    }

    /// Whether the writer has moved on to a later file, or this one is deleted and keeping it open
    /// would only hold its space on the disk.
    fn is_succeeded(&self, index: usize) -> bool {
        let mut present = self.generations.iter().filter(|generation| generation.left.is_none());
        present.any(Generation::has_data)
            || self.generations.get(index).is_some_and(|generation| !generation.is_linked())
    }

    /// Nothing more will come of a file.
    fn finish(&mut self, index: usize, round: &mut Round<'_>) {
        if index >= self.generations.len() {
            return;
        }
        let mut generation = self.generations.remove(index);
        let has_lines = generation.bookmark().has_content();
        generation.finish(round.spec.line_bytes_max, round.buffer, round.sink);
        generation.tell(round.sink);
        let mut bookmark = generation.bookmark();
        bookmark.fragment = !has_lines;
        crate::telemetry::log_retired(&bookmark.path, bookmark.offset);
        if generation.is_failing() && bookmark.size > bookmark.offset {
            lost(&bookmark, round.sink);
        }
        self.remember(bookmark);
    }

    /// A file is read to its end.
    fn remember(&mut self, bookmark: Bookmark) {
        if bookmark.has_content() {
            self.done.push(bookmark);
        }
        let surplus = self.done.len().saturating_sub(DONE_MAX);
        self.done.drain(..surplus);
    }

    /// Where reading stands.
    pub(super) fn position(&self) -> FollowPosition {
        let waiting = || self.wanted.iter().map(Wanted::position);
        let wanted = waiting().flat_map(|position| position.open.iter().cloned());
        let finished = waiting().flat_map(|position| position.done.iter().cloned());
        // What is new is as good as never seen; see `untouched_since`.
        let read = self.generations.iter().enumerate().filter(|(index, _)| !self.is_new(*index));
        let read = read.map(|(_, generation)| generation.bookmark_to_save());
        let read = read.filter(Bookmark::has_content);
        FollowPosition {
            path: self.path.clone(),
            open: wanted.chain(read).collect(),
            done: finished.chain(self.done.iter().cloned()).collect(),
        }
    }

    /// Since when there may be files that a later run has to find by their time: those in which
    /// nothing was read yet, and copies that were made of them.
    pub(super) fn untouched_since(&self) -> Option<Duration> {
        let new = self.generations.iter().enumerate().filter(|(index, _)| self.is_new(*index));
        new.map(|(_, generation)| generation.untouched_since()).min()
    }

    /// Whether it is the file under the name or a copy of it, and nothing was read of it.
    fn is_new(&self, index: usize) -> bool {
        self.generations.get(index).is_some_and(|generation| {
            generation.is_untouched()
                && (generation.left.is_none() && generation.path == self.path
                    || self.original_of(index).is_some())
        })
    }

    /// Whether the file under the name is read, and no other fails.
    pub(super) fn is_up(&self) -> bool {
        self.sight == Sight::Fine && !self.generations.iter().any(Generation::is_failing)
    }

    /// Whether there is nothing of that name and nothing left of what had it.
    pub(super) fn is_over(&self) -> bool {
        self.sight == Sight::Missing && self.generations.is_empty() && self.wanted.is_none()
    }

    /// Whether there is nothing of that name.
    pub(super) fn is_missing(&self) -> bool {
        self.sight == Sight::Missing
    }

    /// Bytes that are there and not read, and how many of them were there at the start.
    pub(super) fn lag(&self) -> (u64, u64) {
        self.generations.iter().fold((0, 0), |(lag, catching_up), generation| {
            (lag + generation.lag(), catching_up + generation.to_goal())
        })
    }
}

/// Says and counts that the rest of a file is gone.
fn lost(bookmark: &Bookmark, sink: &mut dyn Sink) {
    crate::telemetry::log_gap(&bookmark.path, bookmark.offset, bookmark.size);
    sink.note(Note::Gap);
}
