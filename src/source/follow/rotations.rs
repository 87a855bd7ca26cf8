//! What became of a file that was renamed, copied or truncated while it was followed.

use std::time::Duration;

use super::super::Note;
use super::super::generation::Generation;
use super::super::search::{Content, Found, Search};
use super::{DONE_MAX, Follow, Round, SEARCHES_MAX, TIME_GRAIN, lost};

impl Follow {
    /// What was rotated before the first look of all is none of ours, even if its writer goes on in it
    /// for a while.
    pub(super) fn leave_out_earlier(&mut self, round: &Round<'_>) {
        let Ok(search) = Search::new(&self.path, self.ids(), &[], round.is_others, round.now)
        else {
            return;
        };
        for bookmark in search.rotated(DONE_MAX, round.spec.line_bytes_max) {
            self.remember(bookmark);
        }
    }

    /// Opens the files that had the name between the newest that is known and the present one, and
    /// were renamed before they could be seen under it.
    pub(super) fn follow_rotations(&mut self, round: &mut Round<'_>) {
        self.searched_at = Some(round.now.monotonic);
        let last = self.generations.last().map(Generation::modified);
        let Some(since) = last.or(self.looked_at) else { return };
        let contents = self.contents();
        self.take_all_newer(since, &contents, round, |follow, round| {
            Search::new(&follow.path, follow.ids(), &follow.done, round.is_others, round.now).ok()
        });
    }

    /// Opens copies that were made since then of a file in which nothing was read, and which may
    /// have been truncated after that. They are older than what is in the file now.
    pub(super) fn follow_copies(&mut self, index: usize, since: Duration, round: &mut Round<'_>) {
        let since = since.saturating_sub(TIME_GRAIN);
        let contents = self.contents();
        let later = self.generations.split_off(index);
        let search = |follow: &Self, round: &Round<'_>| follow.search_beside(&later, round);
        self.take_all_newer(since, &contents, round, search);
        self.generations.extend(later);
    }

    /// Lists what there is. Accounted for is what is open, these files too; what came after it is told
    /// by its time alone.
    fn search_beside(&self, later: &[Generation], round: &Round<'_>) -> Option<Search> {
        let open = self.generations.iter().chain(later).map(|generation| generation.id);
        let search = Search::new(&self.path, open, &self.done, round.is_others, round.now);
        let mut search = search.ok()?;
        search.forget_anchor();
        Some(search)
    }

    /// The file that this one is a copy of, if nothing was read in the copy.
    pub(super) fn original_of(&self, index: usize) -> Option<usize> {
        let copy = self.generations.get(index)?;
        if !copy.is_untouched() || copy.path == self.path {
            return None;
        }
        // Copies have names that are older than that of their original.
        self.generations.iter().enumerate().position(|(at, original)| {
            at != index
                && (at > index || !original.is_untouched())
                && copy.is_copy_of(original).unwrap_or(false)
        })
    }

    /// Lets the file go if it is a copy of one that is read anyway. The program that makes it may not
    /// have truncated the log yet, and may never do so; once it does, the copy is looked for.
    pub(super) fn leave_copy(&mut self, index: usize) -> bool {
        let Some(original) = self.original_of(index) else { return false };
        let made = self.generations.get(index).map(Generation::untouched_since);
        if let (Some(original), Some(made)) = (self.generations.get_mut(original), made) {
            original.expect_copies_since(made);
        }
        self.generations.remove(index);
        true
    }

    /// What may be there in another form: everything that had the name and is open or was let go.
    pub(super) fn contents(&self) -> Vec<Content> {
        let open = self.generations.iter().flat_map(|generation| {
            // What was read of it, and what is in it: it may have been overwritten in between.
            let modified = Some(generation.modified());
            let read = Content { bytes: generation.bookmark(), modified, whole: false, open: true };
            [read, Content { bytes: generation.whole(), modified, whole: true, open: true }]
        });
        let done = self.done.iter().cloned();
        let done = done.map(|bytes| {
            let whole = bytes.fragment;
            Content { bytes, modified: None, whole, open: false }
        });
        open.chain(done).collect()
    }

    /// Opens what came after everything that is accounted for, in searches that are repeated while
    /// names are given to other files.
    fn take_all_newer(
        &mut self,
        since: Duration,
        contents: &[Content],
        round: &mut Round<'_>,
        search: impl Fn(&Self, &Round<'_>) -> Option<Search>,
    ) {
        let mut last = None;
        for _ in 0..SEARCHES_MAX {
            let Some(mut search) = search(self, round) else { break };
            self.open_newer(&mut search, since, contents, round);
            let shifted = search.shifted;
            last = Some(search);
            if !shifted {
                break;
            }
        }
        if let Some(search) = last {
            note_unreadable(&search, round);
        }
    }

    /// Opens what came after everything that is accounted for, in the last search for it.
    pub(super) fn take_newer(
        &mut self,
        search: &mut Search,
        since: Duration,
        contents: &[Content],
        round: &mut Round<'_>,
    ) {
        self.open_newer(search, since, contents, round);
        note_unreadable(search, round);
    }

    fn open_newer(
        &mut self,
        search: &mut Search,
        since: Duration,
        contents: &[Content],
        round: &mut Round<'_>,
    ) {
        for generation in search.newer(&self.path, since, contents, round.buffer) {
            self.push(generation.succeeding());
        }
    }

    /// What was read of a file was overwritten. A program that copies the log and then truncates it
    /// leaves the bytes that were not read yet in the copy.
    pub(super) fn truncated(&mut self, index: usize, round: &mut Round<'_>) {
        // A copy that was opened before it could be told for one is looked for with the others.
        let left = (0..index).rev().filter(|at| self.leave_copy(*at)).count();
        let index = index - left;
        let Some(generation) = self.generations.get_mut(index) else { return };
        let (old, written) = (generation.bookmark(), generation.written());
        generation.restart(round.now);
        crate::telemetry::log_truncated(&old.path, old.offset, old.size);
        round.sink.note(Note::Truncation);
        // What is left in the copy is older than what is in the file now.
        let contents = self.contents();
        let mut later = self.generations.split_off(index);
        for attempt in 1..=SEARCHES_MAX {
            let Some(mut search) = self.search_beside(&later, round) else { break };
            let found = search.find(&old, false, round.buffer);
            if search.shifted && attempt < SEARCHES_MAX {
                continue;
            }
            match found {
                Found::Rest(generation) => {
                    crate::telemetry::log_caught_up(&generation.path, old.offset);
                    self.push(*generation);
                }
                Found::Read(copy) => self.remember(copy),
                Found::Overwritten | Found::CutByCrash(_) | Found::Denied | Found::Lost => {
                    if old.size > old.offset {
                        lost(&old, round.sink);
                    }
                }
            }
            self.take_newer(&mut search, written, &contents, round);
            if search.shifted
                && let Some(generation) = later.first_mut()
            {
                generation.expect_copies_since(written);
            }
            break;
        }
        self.generations.extend(later);
    }
}

/// What a search could not read is lost, as far as is known.
fn note_unreadable(search: &Search, round: &mut Round<'_>) {
    for (path, error) in &search.unreadable {
        crate::telemetry::rotated_log_unreadable(path, error);
    }
    if !search.unreadable.is_empty() {
        round.sink.note(Note::ReadError);
        round.sink.note(Note::Gap);
    }
}
