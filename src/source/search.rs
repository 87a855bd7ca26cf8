//! Finding a file again among the rotated forms of its name, and those that came after it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Now;
use super::bookmark::{Bookmark, FileId, Fit, Place};
use super::buffer::Buffer;
use super::compressed::{Compression, LogReader};
use super::generation::Generation;
use super::siblings::{self, Sibling};

/// The rotated forms of one name, oldest first, and which of them are accounted for.
#[derive(Debug)]
pub(super) struct Search {
    siblings: Vec<Sibling>,
    known: BTreeSet<FileId>,
    /// The place in the list of the newest file that is accounted for.
    newest: Option<usize>,
    now: Now,
    /// Files were renamed while they were looked at: look again.
    pub(super) shifted: bool,
    /// Files that may hold what was looked for cannot be read.
    pub(super) unreadable: bool,
}

/// What became of a bookmark.
#[derive(Debug)]
pub(super) enum Found {
    /// Reading can go on here.
    Rest(Box<Generation>),
    /// What was read is there, in a copy that ends before the place: nothing is left in it.
    Read,
    /// The file is there but what was read is not: it was overwritten. Reading begins anew.
    Overwritten(Box<Generation>),
    /// The machine went down before the last bytes that were read had reached the disk. Reading
    /// goes on at the end of what there is.
    CutByCrash(Box<Generation>),
    /// The file is there and must not be read.
    Denied,
    /// It is not there.
    Lost,
}

impl Search {
    /// Lists what there is. Files in `known` are accounted for.
    pub(super) fn new(
        base: &Path,
        known: impl IntoIterator<Item = FileId>,
        now: Now,
    ) -> io::Result<Self> {
        let siblings = siblings::list(base)?;
        let known: BTreeSet<FileId> = known.into_iter().collect();
        let newest = siblings.iter().rposition(|sibling| known.contains(&sibling.id));
        Ok(Self { siblings, known, newest, now, shifted: false, unreadable: false })
    }

    /// Whether a file that is accounted for was found.
    pub(super) fn is_anchored(&self) -> bool {
        self.newest.is_some()
    }

    /// From now on only what is found counts as accounted for, to tell what came after it.
    pub(super) fn forget_anchor(&mut self) {
        self.newest = None;
    }

    /// Opens the file of that identity, if it is in the list.
    pub(super) fn open(&self, id: FileId) -> Option<(PathBuf, File)> {
        let sibling = self.siblings.iter().find(|sibling| sibling.id == id)?;
        open(sibling).ok().map(|file| (sibling.path.clone(), file))
    }

    fn account(&mut self, index: usize, id: FileId) {
        self.known.insert(id);
        self.newest = self.newest.max(Some(index));
    }

    /// Looks for the file of a bookmark: by device and inode, then by content in the plain files,
    /// then in the compressed ones.
    pub(super) fn find(
        &mut self,
        bookmark: &Bookmark,
        rebooted: bool,
        buffer: &mut Buffer,
    ) -> Found {
        let same =
            |sibling: &Sibling| sibling.is_inode_of(bookmark, rebooted) && !sibling.compressed;
        let mut order: Vec<usize> = self.places(same).collect();
        if bookmark.has_content() {
            order.extend(self.places(|sibling| !same(sibling) && !sibling.compressed));
            order.extend(self.places(|sibling| sibling.compressed));
        }
        let mut copy = None;
        let mut itself = None;
        for index in order {
            let Some(sibling) = self.siblings.get(index) else { continue };
            if self.known.contains(&sibling.id) {
                continue;
            }
            let is_itself = same(sibling);
            match open_at(sibling, bookmark, self.now, buffer) {
                Ok(Fit::Same(_, generation)) => {
                    self.account(index, generation.id);
                    return Found::Rest(generation);
                }
                Ok(_) if is_itself => itself = Some(sibling.clone()),
                Ok(Fit::Shorter) => copy = copy.or(Some((index, sibling.id))),
                Ok(Fit::Different) => {}
                Err(error) if is_itself && error.kind() == io::ErrorKind::PermissionDenied => {
                    return Found::Denied;
                }
                Err(error) => self.failed(index, &error),
            }
        }
        if let Some((index, id)) = copy {
            self.account(index, id);
            return Found::Read;
        }
        itself.map_or(Found::Lost, |sibling| self.overwritten(&sibling, bookmark, rebooted))
    }

    /// The file of a bookmark is there, and it is not what was read.
    fn overwritten(&mut self, sibling: &Sibling, bookmark: &Bookmark, rebooted: bool) -> Found {
        let opened = open(sibling).and_then(|file| {
            let cut = if rebooted { bookmark.end_after_crash(&file)? } else { None };
            let crashed = cut.is_some();
            let path = sibling.path.clone();
            let place = cut.unwrap_or_default();
            Ok((crashed, Box::new(Generation::plain(path, file, place, self.now)?)))
        });
        let index = self.siblings.iter().position(|other| other.id == sibling.id);
        match (opened, index) {
            (Ok((crashed, generation)), Some(index)) => {
                self.account(index, generation.id);
                if crashed { Found::CutByCrash(generation) } else { Found::Overwritten(generation) }
            }
            (Err(error), Some(index)) => {
                self.failed(index, &error);
                Found::Lost
            }
            (_, None) => Found::Lost,
        }
    }

    /// A file could not be opened or read.
    fn failed(&mut self, index: usize, error: &io::Error) {
        if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::Other) {
            self.shifted = true;
        } else if let Some(sibling) = self.siblings.get(index) {
            self.unreadable = true;
            crate::telemetry::rotated_log_unreadable(&sibling.path, error);
        }
    }

    fn places(&self, wanted: impl Fn(&Sibling) -> bool) -> impl Iterator<Item = usize> {
        let places: Vec<usize> = self
            .siblings
            .iter()
            .enumerate()
            .filter(|(_, sibling)| wanted(sibling))
            .map(|(index, _)| index)
            .collect();
        places.into_iter()
    }

    /// Opens the files that came after everything that is accounted for, oldest first, except what
    /// is at `base` now. Where nothing that is accounted for is in the list, those that were
    /// written to `since` and are not a compressed form of `last`.
    pub(super) fn newer(
        &mut self,
        base: &Path,
        since: Duration,
        last: Option<&Bookmark>,
        buffer: &mut Buffer,
    ) -> Vec<Generation> {
        let anchor = self.newest;
        let mut found = Vec::new();
        for index in 0..self.siblings.len() {
            let Some(sibling) = self.siblings.get(index) else { continue };
            let after = match anchor {
                Some(anchor) => index > anchor,
                None => sibling.modified >= since,
            };
            if !after || self.known.contains(&sibling.id) || sibling.path == base {
                continue;
            }
            if anchor.is_none() && last.is_some_and(|last| is_copy(sibling, last, since, buffer)) {
                continue;
            }
            match open_new(sibling, self.now) {
                Ok(generation) => {
                    let id = generation.id;
                    found.push(generation);
                    self.account(index, id);
                }
                Err(error) => self.failed(index, &error),
            }
        }
        found
    }
}

/// Whether the file is what `last` was, in another form. One that kept the time of the last write,
/// as compressing programs do, is known by its head; any other one must hold the whole content.
fn is_copy(sibling: &Sibling, last: &Bookmark, since: Duration, buffer: &mut Buffer) -> bool {
    if !last.has_content() {
        return false;
    }
    let same_head = open(sibling)
        .and_then(LogReader::new)
        .and_then(|mut reader| last.same_head(&mut reader))
        .unwrap_or(false);
    let mut fits = || {
        open(sibling)
            .and_then(LogReader::new)
            .and_then(|reader| last.fit_stream(reader, buffer.room(0)))
            .is_ok_and(|fit| !matches!(fit, Fit::Different))
    };
    same_head && (sibling.modified == since || fits())
}

/// Opens the file that was listed; an error if another one has its name by now.
fn open(sibling: &Sibling) -> io::Result<File> {
    let file = File::open(&sibling.path)?;
    if FileId::of(&file.metadata()?) == sibling.id {
        Ok(file)
    } else {
        Err(io::Error::other("another file took its name while it was opened"))
    }
}

fn open_at(
    sibling: &Sibling,
    bookmark: &Bookmark,
    now: Now,
    buffer: &mut Buffer,
) -> io::Result<Fit<Box<Generation>>> {
    let file = open(sibling)?;
    let metadata = file.metadata()?;
    let path = || sibling.path.clone();
    if !sibling.compressed {
        return Ok(match bookmark.fit(&file)? {
            Fit::Same(place, ()) => {
                let generation = Generation::plain(path(), file, place.clone(), now)?;
                Fit::Same(place, Box::new(generation))
            }
            Fit::Shorter => Fit::Shorter,
            Fit::Different => Fit::Different,
        });
    }
    let reader = LogReader::new(file)?;
    Ok(match bookmark.fit_stream(reader, buffer.room(0))? {
        Fit::Same(place, reader) => {
            let generation = Generation::stream(path(), &metadata, reader, place.clone(), now);
            Fit::Same(place, Box::new(generation))
        }
        Fit::Shorter => Fit::Shorter,
        Fit::Different => Fit::Different,
    })
}

fn open_new(sibling: &Sibling, now: Now) -> io::Result<Generation> {
    let file = open(sibling)?;
    let path = sibling.path.clone();
    if !sibling.compressed {
        return Generation::plain(path, file, Place::default(), now);
    }
    let metadata = file.metadata()?;
    let reader = LogReader::new(file)?;
    if reader.compression() == Compression::None && metadata.len() > 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "expected gzip, zstd or xz, but found none of them",
        ));
    }
    Ok(Generation::stream(path, &metadata, reader, Place::default(), now))
}
