//! Counters and positions on the disk, in one file that is replaced as a whole.
//!
//! The file is one line that says what follows, then JSON, so that a person can read it:
//!
//! ```text
//! mta_exporter state 1 bytes 4711 xxh3 0123456789abcdef
//! {"boot_id": ...}
//! ```
//!
//! It is written to another name, brought to the disk and renamed, and the directory is brought to
//! the disk as well: there is always one whole file, the old one or the new one. A file that cannot
//! be used is put aside, never overwritten.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use super::SavedLedger;
use crate::source::Position;

/// The version of what this program writes. It changes when an older program could misread it.
const VERSION: u32 = 1;
/// What the file starts with.
const MAGIC: &str = "mta_exporter state";
/// A file beyond this is none of ours.
const BYTES_MAX: u64 = 1 << 30;

const FILE: &str = "mta_exporter.state";
const NEW_FILE: &str = "mta_exporter.state.new";
const LOCK_FILE: &str = "mta_exporter.lock";
/// How many files that could not be used are kept; the first ones stay.
const ASIDE_MAX: u32 = 100;

/// What survives a restart.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Which start of the machine this was: see [`boot_id`].
    pub boot_id: String,
    /// A hash of the rules by which the counts came about.
    pub rules_hash: u64,
    /// When it was saved, in seconds since the epoch.
    pub saved_at_seconds: u64,
    /// Where reading stands, by the name of the source.
    pub positions: BTreeMap<String, Position>,
    /// The counts of everything before these positions.
    pub ledger: SavedLedger,
    /// What has to be remembered from line to line across sources, in a form that only its owner
    /// knows.
    #[serde(default)]
    pub memory: Option<Box<RawValue>>,
    /// The same for each source, by its name.
    #[serde(default)]
    pub stream_memories: BTreeMap<String, Box<RawValue>>,
}

/// What was found.
#[derive(Debug)]
pub enum Found {
    /// Nothing: this is the first run here.
    Nothing,
    /// A state to go on from.
    State(Box<State>),
    /// Something that cannot be used.
    Unusable(Unusable),
}

/// Why a state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is not what was written.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
    /// Another program wrote it.
    #[error("expected version {VERSION}, but found version {0}")]
    OtherVersion(u32),
    /// The JSON does not hold what it should.
    #[error("the content cannot be understood: {0}")]
    Content(#[from] serde_json::Error),
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Two programs must not count into one state.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected to be alone with the state in {}, but found another mta_exporter using it",
    .0.display()
)]
pub struct Locked(PathBuf);

/// The directory that holds the state, locked as long as this lives.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    /// Released by the kernel when the program ends, however it ends.
    lock: Option<File>,
    /// What is there must be put aside before anything is written.
    unusable: bool,
    buffer: Vec<u8>,
}

impl Store {
    /// Locks the directory, which is made if it is not there, and reads what it holds. A directory
    /// that cannot be written to is no error here: each commit will be.
    pub fn open(directory: &Path) -> Result<(Self, Found), Locked> {
        // Where this fails, the first commit says why.
        drop(fs::create_dir_all(directory));
        let lock = lock(&directory.join(LOCK_FILE)).map_err(|Busy| Locked(directory.to_owned()))?;
        let found = match read(&directory.join(FILE)) {
            Ok(state) => Found::State(Box::new(state)),
            Err(Unusable::Io(error)) if error.kind() == io::ErrorKind::NotFound => Found::Nothing,
            Err(unusable) => Found::Unusable(unusable),
        };
        let unusable = matches!(found, Found::Unusable(_));
        let store = Self { directory: directory.to_owned(), lock, unusable, buffer: Vec::new() };
        Ok((store, found))
    }

    /// Where the state is kept.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes `state` the one that the next run finds, and brings it to the disk. After an error the
    /// next run finds the one before.
    pub fn commit(&mut self, state: &State) -> io::Result<()> {
        if self.lock.is_none() {
            fs::create_dir_all(&self.directory)?;
            self.lock = lock(&self.directory.join(LOCK_FILE))
                .map_err(|Busy| io::Error::other("another mta_exporter uses the directory"))?;
        }
        if self.unusable {
            self.put_aside()?;
            self.unusable = false;
        }
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, state)?;
        self.buffer.push(b'\n');
        let written = self.write();
        if written.is_err() {
            // On a full disk, what was written of it would be in the way.
            drop(fs::remove_file(self.directory.join(NEW_FILE)));
        }
        written
    }

    fn write(&self) -> io::Result<()> {
        let new = self.directory.join(NEW_FILE);
        let mut file = File::create(&new)?;
        file.write_all(header(&self.buffer).as_bytes())?;
        file.write_all(&self.buffer)?;
        file.sync_data()?;
        fs::rename(&new, self.directory.join(FILE))?;
        sync_directory(&self.directory)
    }

    /// Gives what is there a name under which it stays.
    fn put_aside(&self) -> io::Result<()> {
        let path = self.directory.join(FILE);
        for number in 1..=ASIDE_MAX {
            let aside = self.directory.join(format!("{FILE}.unusable-{number}"));
            if aside.exists() && number < ASIDE_MAX {
                continue;
            }
            match fs::rename(&path, &aside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            crate::telemetry::state_put_aside(&aside);
            break;
        }
        Ok(())
    }
}

/// Which start of the machine this is; empty where the kernel does not tell.
pub fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

struct Busy;

/// Locks a file; `None` where that cannot be done, for the file system or for want of permission.
fn lock(path: &Path) -> Result<Option<File>, Busy> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let Ok(file) = file.or_else(|_| File::open(path)) else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Busy),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

fn header(body: &[u8]) -> String {
    format!("{MAGIC} {VERSION} bytes {} xxh3 {:016x}\n", body.len(), xxh3_64(body))
}

fn read(path: &Path) -> Result<State, Unusable> {
    let mut text = Vec::new();
    File::open(path)?.take(BYTES_MAX).read_to_end(&mut text)?;
    parse(&text)
}

fn parse(text: &[u8]) -> Result<State, Unusable> {
    let end = memchr::memchr(b'\n', text).ok_or(Unusable::Damaged("its first line has no end"))?;
    let (first, body) = text.split_at_checked(end + 1).unwrap_or_default();
    if header(body).as_bytes() != first {
        return Err(match version(first) {
            Some(version) if version != VERSION => Unusable::OtherVersion(version),
            _ => Unusable::Damaged("its first line does not fit what follows"),
        });
    }
    Ok(serde_json::from_slice(body)?)
}

fn version(first: &[u8]) -> Option<u32> {
    let rest = std::str::from_utf8(first).ok()?.strip_prefix(MAGIC)?.strip_prefix(' ')?;
    rest.split(' ').next()?.parse().ok()
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        // Some file systems do not know this.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State { boot_id: "one".to_owned(), rules_hash: u64::MAX, ..State::default() }
    }

    fn text(state: &State) -> Vec<u8> {
        let body = serde_json::to_vec(state).unwrap();
        [header(&body).into_bytes(), body].concat()
    }

    #[test]
    fn what_was_written_is_read() {
        let read = parse(&text(&state())).unwrap();
        assert_eq!((read.boot_id.as_str(), read.rules_hash), ("one", u64::MAX));
    }

    #[test]
    fn no_flipped_bit_and_no_cut_goes_unnoticed() {
        let whole = text(&state());
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_err(), "cut at {length}");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                assert!(parse(&damaged).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let later = String::from_utf8(text(&state())).unwrap().replace("state 1 ", "state 2 ");
        let error = parse(later.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "expected version 1, but found version 2");
    }
}
