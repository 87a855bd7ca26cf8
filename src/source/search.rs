//! Finding a file again among the rotated forms of its name, and those that came after it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Now;
use super::bookmark::{Bookmark, FileId, Fit, HEAD_BYTES, Place, read_up_to};
use super::buffer::Buffer;
use super::compressed::{Compression, LogReader};
use super::generation::Generation;
use super::siblings::{self, Sibling};

/// The rotated forms of one name, oldest first, and which of them are accounted for.
#[derive(Debug)]
pub(super) struct Search {
    siblings: Vec<Sibling>,
    known: BTreeSet<FileId>,
    /// Of these, those that are not open.
    still: BTreeSet<FileId>,
    /// The place in the list of the newest file that is accounted for.
    newest: Option<usize>,
    now: Now,
    /// Files were renamed while they were looked at: look again.
    pub(super) shifted: bool,
    /// Files that may hold what was looked for and cannot be read.
    pub(super) unreadable: Vec<(PathBuf, io::Error)>,
}

/// What a file held, and when it was last written to if that is known.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: Bookmark,
    pub(super) modified: Option<Duration>,
    /// Whether it held no more than that.
    pub(super) whole: bool,
    /// Whether the file is open: then its identity is its own.
    pub(super) open: bool,
}

/// What became of a bookmark.
#[derive(Debug)]
pub(super) enum Found {
    /// Reading can go on here.
    Rest(Box<Generation>),
    /// What was read is there, in a copy that ends before the place: nothing is left in it.
    Read(Bookmark),
    /// What was read is not there, but a file with the same inode is: it was overwritten, or deleted
    /// and its inode given to another. Either way its content is new.
    Overwritten,
    /// The machine went down before the last bytes that were read had reached the disk. Reading
    /// goes on at the end of what there is.
    CutByCrash(Box<Generation>),
    /// The file is there and must not be read.
    Denied,
    /// It is not there.
    Lost,
}

impl Search {
    /// Lists what there is. Accounted for are the files that are `open`, and those that are `done`
    /// if they are still what they were: when a file is closed, its inode can be given to another.
    /// Files that are read under another name are left out.
    pub(super) fn new(
        base: &Path,
        open: impl IntoIterator<Item = FileId>,
        done: &[Bookmark],
        is_others: &dyn Fn(FileId) -> bool,
        now: Now,
    ) -> io::Result<Self> {
        let mut siblings = siblings::list(base)?;
        siblings.retain(|sibling| !is_others(sibling.id));
        let mut known: BTreeSet<FileId> = open.into_iter().collect();
        let mut still = BTreeSet::new();
        for sibling in &siblings {
            let done = done.iter().find(|done| done.id() == sibling.id);
            if done.is_some_and(|done| is_still(sibling, done)) {
                still.insert(sibling.id);
            }
        }
        known.extend(&still);
        let newest = siblings.iter().rposition(|sibling| known.contains(&sibling.id));
        Ok(Self { siblings, known, still, newest, now, shifted: false, unreadable: Vec::new() })
    }

    /// From now on only what is found counts as accounted for, to tell what came after it.
    pub(super) fn forget_anchor(&mut self) {
        self.newest = None;
    }

    /// The ends of the newest rotated files that are plain and not accounted for, oldest first.
    pub(super) fn rotated(&self, most: usize, line_bytes_max: usize) -> Vec<Bookmark> {
        let rotated = self.siblings.iter().filter(|sibling| {
            sibling.is_rotated() && !sibling.compressed && !self.known.contains(&sibling.id)
        });
        let bookmark = |sibling: &Sibling| {
            let file = open(sibling).ok()?;
            let size = file.metadata().ok()?.len();
            let place = Place::at_line_start(&file, size, line_bytes_max).ok()?;
            Some(place.bookmark(&sibling.path, sibling.id, size))
        };
        let mut ends: Vec<_> = rotated.rev().take(most).filter_map(bookmark).collect();
        ends.reverse();
        ends
    }

    /// Opens the plain file of that identity, if it is in the list.
    pub(super) fn open(&self, id: FileId) -> Option<(PathBuf, File)> {
        let mut plain = self.siblings.iter().filter(|sibling| !sibling.compressed);
        let sibling = plain.find(|sibling| sibling.id == id)?;
        open(sibling).ok().map(|file| (sibling.path.clone(), file))
    }

    /// A file is accounted for. At `index` the list divides what came before it from what came
    /// after it.
    fn account(&mut self, index: Option<usize>, id: FileId) {
        self.known.insert(id);
        self.newest = self.newest.max(index);
    }

    /// Looks for the file of a bookmark: by device and inode, then by content, the newest first.
    pub(super) fn find(
        &mut self,
        bookmark: &Bookmark,
        rebooted: bool,
        buffer: &mut Buffer,
    ) -> Found {
        let same =
            |sibling: &Sibling| sibling.is_inode_of(bookmark, rebooted) && !sibling.compressed;
        let mut order: Vec<usize> = self.places(same).collect();
        // Of several copies the newest holds most.
        order.extend(self.places(|sibling| !same(sibling)).rev());
        let mut copy = None;
        let mut itself = None;
        for index in order {
            let Some(sibling) = self.siblings.get(index) else { continue };
            if self.known.contains(&sibling.id) {
                continue;
            }
            let is_itself = same(sibling);
            if bookmark.fragment && !is_itself && !is_fragment(sibling, bookmark) {
                continue;
            }
            match open_at(sibling, bookmark, self.now, buffer) {
                Ok(Fit::Same(_, generation)) => {
                    // A fragment may be that of another file: it tells nothing about what came
                    // before and after it.
                    let place = Some(index).filter(|_| !bookmark.fragment);
                    self.account(place, generation.id);
                    return Found::Rest(generation);
                }
                Ok(_) if is_itself => itself = Some(index),
                Ok(Fit::Shorter) => copy = copy.or(Some(index)),
                Ok(Fit::Different) => {}
                Err(error) if is_itself && error.kind() == io::ErrorKind::PermissionDenied => {
                    // What came after it need not wait.
                    let id = sibling.id;
                    self.account(Some(index), id);
                    return Found::Denied;
                }
                Err(error) => self.failed(index, error),
            }
        }
        if let Some(index) = copy
            && let Some(sibling) = self.siblings.get(index)
        {
            let copy = bookmark_of_copy(sibling, bookmark);
            let id = sibling.id;
            self.account(Some(index), id);
            return Found::Read(copy);
        }
        let Some(index) = itself else { return Found::Lost };
        let cut = if rebooted { self.cut_by_crash(index, bookmark) } else { None };
        cut.map_or(Found::Overwritten, Found::CutByCrash)
    }

    /// Where to go on in a file that lost its last bytes when the machine went down.
    fn cut_by_crash(&mut self, index: usize, bookmark: &Bookmark) -> Option<Box<Generation>> {
        let sibling = self.siblings.get(index)?;
        let file = open(sibling).ok()?;
        let place = bookmark.end_after_crash(&file).ok()??;
        let generation = Generation::plain(sibling.path.clone(), file, place, self.now).ok()?;
        self.account(Some(index), generation.id);
        Some(Box::new(generation))
    }

    /// A file could not be opened or read.
    fn failed(&mut self, index: usize, error: io::Error) {
        if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::Other) {
            self.shifted = true;
        } else if let Some(sibling) = self.siblings.get(index)
            && self.unreadable.iter().all(|(path, _)| *path != sibling.path)
        {
            self.unreadable.push((sibling.path.clone(), error));
        }
    }

    fn places(&self, wanted: impl Fn(&Sibling) -> bool) -> impl DoubleEndedIterator<Item = usize> {
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
    /// is at `base` now and other forms of known `contents`. Where nothing that is accounted for is
    /// in the list, those that were written to `since`.
    pub(super) fn newer(
        &mut self,
        base: &Path,
        since: Duration,
        contents: &[Content],
        buffer: &mut Buffer,
    ) -> Vec<Generation> {
        let anchor = self.newest;
        let mut found = Vec::new();
        // What is listed under its own identity need not be looked for in other forms.
        let listed = |content: &&Content| {
            let id = content.bytes.id();
            let is_there = || self.siblings.iter().any(|sibling| sibling.id == id);
            if content.open { is_there() } else { self.still.contains(&id) }
        };
        let contents: Vec<&Content> = contents.iter().filter(|one| !listed(one)).collect();
        for index in 0..self.siblings.len() {
            let Some(sibling) = self.siblings.get(index) else { continue };
            let after = match anchor {
                Some(anchor) => index > anchor,
                None => sibling.modified >= since,
            };
            if !after || self.known.contains(&sibling.id) || sibling.path == base {
                continue;
            }
            if contents.iter().any(|content| is_copy(sibling, content, buffer)) {
                continue;
            }
            match open_new(sibling, self.now) {
                Ok(generation) => {
                    let id = generation.id;
                    found.push(generation);
                    self.account(Some(index), id);
                }
                Err(error) => self.failed(index, error),
            }
        }
        found
    }
}

/// Whether the file with the inode of a bookmark still holds what was read. Of a compressed file only
/// the head is compared, which need not decompress it all.
fn is_still(sibling: &Sibling, bookmark: &Bookmark) -> bool {
    let Some(file) = open(sibling).ok().filter(|_| !bookmark.fragment) else { return false };
    if sibling.compressed {
        let same = LogReader::new(file).and_then(|mut reader| bookmark.same_head(&mut reader));
        return same.unwrap_or(false);
    }
    matches!(bookmark.fit(&file), Ok(Fit::Same(..)))
}

/// Whether the file begins as the bookmark says and holds no more.
fn is_fragment(sibling: &Sibling, bookmark: &Bookmark) -> bool {
    let compare = |mut reader: LogReader<File>| {
        Ok(bookmark.same_head(&mut reader)? && reader.read(&mut [0])? == 0)
    };
    open(sibling).and_then(LogReader::new).and_then(compare).unwrap_or(false)
}

/// Whether the file is that content in another form. One that kept the time of the last write, as
/// compressing programs do, is known by its head; any other one must hold all of it.
fn is_copy(sibling: &Sibling, content: &Content, buffer: &mut Buffer) -> bool {
    let Content { bytes, modified, whole, .. } = content;
    let reader = || open(sibling).and_then(LogReader::new);
    let same_head = bytes.has_content()
        && reader().and_then(|mut reader| bytes.same_head(&mut reader)).unwrap_or(false);
    if !same_head || *modified == Some(sibling.modified) {
        return same_head;
    }
    match reader().and_then(|reader| bytes.fit_stream(reader, buffer.room(0))) {
        Ok(Fit::Same(_, mut rest)) => !whole || rest.read(&mut [0]).is_ok_and(|more| more == 0),
        Ok(Fit::Shorter) => true,
        Ok(Fit::Different) | Err(_) => false,
    }
}

/// All of a copy that holds less than what was read, to know it again. A compressed one is known by
/// its head.
fn bookmark_of_copy(sibling: &Sibling, read: &Bookmark) -> Bookmark {
    let whole = open(sibling).and_then(|file| {
        let size = file.metadata()?.len();
        Ok(Place::at(&file, size)?.bookmark(&sibling.path, sibling.id, size))
    });
    match whole {
        Ok(whole) if !sibling.compressed => whole,
        _ => read.renamed(&sibling.path, sibling.id),
    }
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
    let mut reader = LogReader::new(file)?;
    if bookmark.is_at_start() {
        let same = bookmark.same_head(&mut reader)?;
        let generation = Box::new(open_new(sibling, now)?);
        return Ok(if same { Fit::Same(Place::default(), generation) } else { Fit::Different });
    }
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
    let mut head = vec![0; HEAD_BYTES];
    let read = read_up_to(&mut LogReader::new(&file)?, &mut head)?;
    head.truncate(read);
    (&file).rewind()?;
    let reader = LogReader::new(file)?;
    if reader.compression() == Compression::None && metadata.len() > 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "expected gzip, zstd or xz, but found none of them",
        ));
    }
    Ok(Generation::stream(path, &metadata, reader, Place::default(), now).with_head(head))
}
