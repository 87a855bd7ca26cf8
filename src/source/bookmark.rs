//! A file and the place in it, in a form that finds both again after a rename, a copy, a
//! compression or a restart.
//!
//! Device and inode name a file while it exists; both are given to other files later. Therefore a
//! bookmark also holds hashes of the first bytes of the file and of the bytes just before the
//! place: a file is the one that was read, up to this place, if both fit.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// How many of the first bytes tell one file from another.
pub(super) const HEAD_BYTES: usize = 256;
/// How many bytes before the place tell whether the file is still the one that was read.
const MARKER_BYTES: usize = 64;

/// Which file it is, as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    pub(super) fn inode(self) -> u64 {
        self.inode
    }
}

/// The length and the hash of a few bytes; the bytes themselves are not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Print {
    /// How many bytes.
    pub bytes: u16,
    /// Their XXH3 hash.
    pub hash: u64,
}

impl Print {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: u16::try_from(bytes.len()).unwrap_or(u16::MAX), hash: xxh3_64(bytes) }
    }
}

/// A place in a file that is saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    /// The name that the file had.
    #[serde(with = "text")]
    pub path: PathBuf,
    /// The device that it is on.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// Everything before this byte was handed over; it is the start of a line, or lies in a line
    /// that is skipped.
    pub offset: u64,
    /// Whether the place is in a line that is too long and is skipped to its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipping: bool,
    /// Whether the file held nothing but the beginning of a line: too little to know it by, except
    /// where another file holds exactly the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fragment: bool,
    /// The size that the file had when it was last seen.
    pub size: u64,
    /// The first bytes of the file.
    pub head: Print,
    /// The bytes just before the place.
    pub marker: Print,
}

/// How a file and a bookmark go together.
#[derive(Debug)]
pub(super) enum Fit<T> {
    /// The file holds what was read, up to the place and perhaps more.
    Same(Place, T),
    /// The file begins as the one that was read, and ends before the place.
    Shorter,
    /// It is another file, or what was read was overwritten.
    Different,
}

impl Bookmark {
    pub(super) fn id(&self) -> FileId {
        FileId { device: self.device, inode: self.inode }
    }

    /// The start of a file in which nothing was read, known by what it begins with.
    pub(super) fn at_start(head: &[u8], path: &Path, id: FileId, size: u64) -> Self {
        let fragment = head.len() < HEAD_BYTES && memchr::memchr(b'\n', head).is_none();
        Self { head: Print::of(head), fragment, ..Place::default().bookmark(path, id, size) }
    }

    /// Whether nothing was read before it.
    pub(super) fn is_at_start(&self) -> bool {
        self.offset == 0
    }

    /// The same place in a copy.
    pub(super) fn renamed(&self, path: &Path, id: FileId) -> Self {
        let (device, inode) = (id.device, id.inode);
        Self { path: path.to_owned(), device, inode, ..self.clone() }
    }

    /// Whether anything was ever read in the file, so that its content can be recognised.
    pub(super) fn has_content(&self) -> bool {
        self.head.bytes > 0
    }

    /// Compares with a plain file.
    pub(super) fn fit(&self, file: &File) -> io::Result<Fit<()>> {
        let mut head = vec![0; usize::from(self.head.bytes)];
        if !read_exactly(file, &mut head, 0)? || Print::of(&head) != self.head {
            return Ok(Fit::Different);
        }
        if file.metadata()?.len() < self.offset {
            return Ok(Fit::Shorter);
        }
        let mut marker = vec![0; usize::from(self.marker.bytes)];
        let start = self.offset.saturating_sub(u64::from(self.marker.bytes));
        if !read_exactly(file, &mut marker, start)? {
            return Ok(Fit::Shorter);
        }
        if Print::of(&marker) != self.marker {
            return Ok(Fit::Different);
        }
        let (offset, skipping) = (self.offset, self.skipping);
        head.truncate(usize::try_from(offset).unwrap_or(usize::MAX));
        Ok(Fit::Same(Place { offset, skipping, head, marker }, ()))
    }

    /// Compares with bytes that can only be read from their start, and leaves the reader at the
    /// place.
    pub(super) fn fit_stream<R: Read>(
        &self,
        mut reader: R,
        buffer: &mut [u8],
    ) -> io::Result<Fit<R>> {
        let mut head = vec![0; usize::from(self.head.bytes)];
        let got = read_up_to(&mut reader, &mut head)?;
        if got < head.len() || Print::of(&head) != self.head {
            return Ok(Fit::Different);
        }
        let mut place = Place::default();
        place.advance(&head);
        while place.offset < self.offset {
            let left = usize::try_from(self.offset - place.offset).unwrap_or(usize::MAX);
            let room = buffer.len().min(left);
            let room = buffer.get_mut(..room).unwrap_or_default();
            match reader.read(room)? {
                0 => return Ok(Fit::Shorter),
                read => place.advance(room.get(..read).unwrap_or_default()),
            }
        }
        if Print::of(&place.marker) != self.marker {
            return Ok(Fit::Different);
        }
        place.skipping = self.skipping;
        Ok(Fit::Same(place, reader))
    }

    /// Where to go on in a file that lost its last bytes when the machine went down: at its end if
    /// it ends before the place, at the place if the bytes before it read as zero, as those do that
    /// were never written. `None` if neither is so, or the file begins with something else.
    ///
    /// What was read and counted stays counted, and is not there to be read again.
    pub(super) fn end_after_crash(&self, file: &File) -> io::Result<Option<Place>> {
        let mut head = vec![0; usize::from(self.head.bytes)];
        if !self.has_content()
            || !read_exactly(file, &mut head, 0)?
            || Print::of(&head) != self.head
        {
            return Ok(None);
        }
        let size = file.metadata()?.len();
        if size < self.offset {
            return Place::at(file, size).map(Some);
        }
        let mut marker = vec![0; usize::from(self.marker.bytes)];
        let start = self.offset.saturating_sub(u64::from(self.marker.bytes));
        let read = read_exactly(file, &mut marker, start)?;
        let zero = read && marker.last() == Some(&0);
        if zero { Place::at(file, self.offset).map(Some) } else { Ok(None) }
    }

    /// Whether the file begins as the one that was read.
    pub(super) fn same_head(&self, reader: &mut impl Read) -> io::Result<bool> {
        let mut head = vec![0; usize::from(self.head.bytes)];
        Ok(read_up_to(reader, &mut head)? == head.len() && Print::of(&head) == self.head)
    }
}

/// A place in a file that is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// As in [`Bookmark`].
    pub(super) offset: u64,
    /// As in [`Bookmark`].
    pub(super) skipping: bool,
    head: Vec<u8>,
    marker: Vec<u8>,
}

impl Place {
    /// The place at `offset` in a file of which nothing was read.
    pub(super) fn at(file: &File, offset: u64) -> io::Result<Self> {
        let bytes = |most: usize| usize::try_from(offset).unwrap_or(usize::MAX).min(most);
        let mut head = vec![0; bytes(HEAD_BYTES)];
        let mut marker = vec![0; bytes(MARKER_BYTES)];
        let start = offset.saturating_sub(marker.len() as u64);
        if read_exactly(file, &mut head, 0)? && read_exactly(file, &mut marker, start)? {
            Ok(Self { offset, skipping: false, head, marker })
        } else {
            // It became shorter in this moment: all of it is new.
            Ok(Self::default())
        }
    }

    /// The start of the line that the byte at `size` belongs to: what is unterminated now will be a
    /// line. In a line that is too long, the place is in it, to skip its rest.
    pub(super) fn at_line_start(file: &File, size: u64, line_bytes_max: usize) -> io::Result<Self> {
        const BYTES: usize = 64 << 10;
        let mut end = size;
        let lowest = size.saturating_sub(line_bytes_max as u64 + 1);
        let mut buffer = vec![0; BYTES];
        while end > lowest {
            let start = end.saturating_sub(BYTES as u64).max(lowest);
            let wanted = usize::try_from(end - start).unwrap_or(BYTES).min(BYTES);
            let room = buffer.get_mut(..wanted).unwrap_or_default();
            if !read_exactly(file, room, start)? {
                // It became shorter in this moment: all of it is new.
                return Ok(Self::default());
            }
            if let Some(at) = memchr::memrchr(b'\n', room) {
                return Self::at(file, start + at as u64 + 1);
            }
            end = start;
        }
        if lowest == 0 {
            return Ok(Self::default());
        }
        let mut place = Self::at(file, size)?;
        place.skipping = true;
        Ok(place)
    }

    /// Whether what stands before the other place, which is nearer to the start, stands here too, as
    /// far as the first bytes tell.
    pub(super) fn begins_as(&self, other: &Self) -> bool {
        self.head.starts_with(&other.head)
    }

    /// The bytes just before the place.
    pub(super) fn marker(&self) -> &[u8] {
        &self.marker
    }

    /// Moves on over bytes that were handed over.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        if self.head.len() < HEAD_BYTES && self.head.len() as u64 == self.offset {
            let wanted = bytes.len().min(HEAD_BYTES - self.head.len());
            self.head.extend_from_slice(bytes.get(..wanted).unwrap_or_default());
        }
        self.offset += bytes.len() as u64;
        if let Some(last) = bytes.last_chunk::<MARKER_BYTES>() {
            self.marker.clear();
            self.marker.extend_from_slice(last);
        } else {
            let kept = MARKER_BYTES - bytes.len();
            self.marker.drain(..self.marker.len().saturating_sub(kept));
            self.marker.extend_from_slice(bytes);
        }
    }

    /// The form that is saved.
    pub(super) fn bookmark(&self, path: &Path, id: FileId, size: u64) -> Bookmark {
        Bookmark {
            path: path.to_owned(),
            device: id.device,
            inode: id.inode,
            offset: self.offset,
            skipping: self.skipping,
            fragment: false,
            size,
            head: Print::of(&self.head),
            marker: Print::of(&self.marker),
        }
    }
}

/// Fills the buffer from a place of the file; `false` if the file ends before.
fn read_exactly(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Fills the buffer as far as there is something to fill it with; how far.
pub(super) fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Paths as text: UTF-8 as it is, all other bytes as `%` and two hexadecimal digits, and so `%`
/// itself. Saving must not fail because of a name.
pub(super) mod text {
    use std::borrow::Cow;
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::source) fn serialize<S: Serializer>(
        path: &Path,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        for chunk in path.as_os_str().as_bytes().utf8_chunks() {
            text.push_str(&chunk.valid().replace('%', "%25"));
            for byte in chunk.invalid() {
                push_escaped(&mut text, *byte);
            }
        }
        serializer.serialize_str(&text)
    }

    fn push_escaped(text: &mut String, byte: u8) {
        text.push('%');
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }

    pub(in crate::source) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<PathBuf, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            let escaped = (byte == b'%').then(|| tail.first_chunk::<2>()).flatten();
            match escaped
                .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
            {
                Some(value) => {
                    bytes.push(value);
                    rest = rest.get(2..).unwrap_or_default();
                }
                None => bytes.push(byte),
            }
        }
        Ok(OsString::from_vec(bytes).into())
    }
}
