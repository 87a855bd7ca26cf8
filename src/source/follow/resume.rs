//! Finding the files of an earlier run, and those that came after them.

use std::time::Duration;

use super::super::Note;
use super::super::bookmark::{Bookmark, FileId, Fit};
use super::super::generation::Generation;
use super::super::search::{Found, Search};
use super::{Follow, FollowPosition, Round, SEARCHES_MAX, lost};

/// What an earlier run left, not found yet.
#[derive(Debug)]
pub(super) struct Wanted {
    position: FollowPosition,
    /// When that run last looked.
    looked_at: Duration,
    rebooted: bool,
    /// Whether the directory could be listed.
    listed: bool,
}

impl Wanted {
    pub(super) fn new(position: FollowPosition, looked_at: Duration, rebooted: bool) -> Self {
        Self { position, looked_at, rebooted, listed: false }
    }

    /// What has to stay in the position until it is found.
    pub(super) fn position(&self) -> &FollowPosition {
        &self.position
    }
}

enum Taken {
    Yes,
    Later,
    No,
}

impl Follow {
    /// Whether the place to begin in that file is not settled yet.
    pub(super) fn is_wanted(&self, id: Option<FileId>) -> bool {
        self.wanted.as_ref().is_some_and(|wanted| {
            !wanted.listed
                || wanted.position.open.iter().any(|bookmark| {
                    id.is_some_and(|id| {
                        id == bookmark.id() || wanted.rebooted && id.inode() == bookmark.inode
                    })
                })
        })
    }

    /// Finds the files of an earlier run and those that came after them. What has to be tried again
    /// later is returned.
    pub(super) fn take_up(&mut self, wanted: Wanted, round: &mut Round<'_>) -> Option<Wanted> {
        let Wanted { position, looked_at, rebooted, .. } = wanted;
        let FollowPosition { path, mut open, done } = position;
        let mut denied = Vec::new();
        self.done.extend(done);
        for attempt in 1..=SEARCHES_MAX {
            self.reopen_grown(round);
            let Ok(mut search) =
                Search::new(&self.path, self.ids(), &self.done, round.is_others, round.now)
            else {
                // There is no such directory now. It may come back.
                let position = FollowPosition { path, open, done: std::mem::take(&mut self.done) };
                return Some(Wanted { position, looked_at, rebooted, listed: false });
            };
            let mut missing = Vec::new();
            for bookmark in open {
                let found = search.find(&bookmark, rebooted, round.buffer);
                match self.take_found(found, &bookmark, round) {
                    Taken::Yes => {}
                    Taken::Later => denied.push(bookmark),
                    Taken::No => missing.push(bookmark),
                }
            }
            open = missing;
            if search.shifted && attempt < SEARCHES_MAX {
                continue;
            }
            self.take_newer(&mut search, looked_at, &self.contents(), round);
            break;
        }
        // What held no line is told from what came later by its time.
        for bookmark in open.iter().filter(|bookmark| !bookmark.fragment) {
            lost(bookmark, round.sink);
        }
        let position = FollowPosition { path, open: denied, done: Vec::new() };
        let wanted = Wanted { position, looked_at, rebooted, listed: true };
        (!wanted.position.open.is_empty()).then_some(wanted)
    }

    /// Opens files again that had been let go and were written to since.
    fn reopen_grown(&mut self, round: &Round<'_>) {
        let Ok(search) = Search::new(&self.path, self.ids(), &[], round.is_others, round.now)
        else {
            return;
        };
        let mut grown = Vec::new();
        self.done.retain(|bookmark| {
            if bookmark.fragment {
                return true;
            }
            let generation = search.open(bookmark.id()).and_then(|(path, file)| {
                let Ok(Fit::Same(place, ())) = bookmark.fit(&file) else { return None };
                Generation::plain(path, file, place, round.now).ok()
            });
            let has_more = generation.as_ref().is_some_and(|generation| generation.lag() > 0);
            grown.extend(generation.filter(|_| has_more));
            !has_more
        });
        for generation in grown {
            self.push(generation);
        }
    }

    fn take_found(&mut self, found: Found, bookmark: &Bookmark, round: &mut Round<'_>) -> Taken {
        match found {
            Found::Rest(generation) => {
                crate::telemetry::log_caught_up(&generation.path, bookmark.offset);
                self.push(*generation);
            }
            Found::CutByCrash(generation) => {
                let size = generation.bookmark().offset;
                crate::telemetry::log_cut_by_crash(&generation.path, bookmark.offset, size);
                self.push(*generation);
            }
            Found::Overwritten => {
                crate::telemetry::log_truncated(&bookmark.path, bookmark.offset, bookmark.size);
                round.sink.note(Note::Truncation);
                if bookmark.size > bookmark.offset {
                    lost(bookmark, round.sink);
                }
            }
            Found::Read(copy) => self.remember(copy),
            Found::Denied => return Taken::Later,
            Found::Lost => return Taken::No,
        }
        Taken::Yes
    }
}
