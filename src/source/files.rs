//! The files that a path or a pattern names, now and later.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bookmark::FileId;
use super::buffer::Buffer;
use super::follow::{Follow, FollowPosition, Round, TIME_GRAIN};
use super::pace::{Pace, TICK_NOTIFIED};
use super::siblings::{is_compressed, is_rotated, numbered_base};
use super::{Earlier, Now, Origin, Position, Progress, Sink, Spec, Status};

/// How many files one source keeps open. The others are closed while they are silent.
const OPEN_MAX: usize = 256;

/// Where reading stands in all files of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesPosition {
    /// What was written before then was found, in milliseconds since the epoch.
    pub looked_at_milliseconds: u64,
    /// The names that are followed.
    pub names: Vec<FollowPosition>,
}

/// See the module.
#[derive(Debug)]
pub struct Files {
    spec: Spec,
    follows: Vec<Follow>,
    /// Which of them reads a file, as of the last look.
    owners: BTreeMap<FileId, usize>,
    listing: Listing,
    cursor: usize,
    looked_at: Option<Now>,
    listed_at: Option<Duration>,
    pace: Pace,
    structure: bool,
}

/// What is known about the names to follow, before and beside the names themselves.
#[derive(Debug)]
struct Listing {
    /// What an earlier run left, before the first look.
    earlier: Option<(FilesPosition, bool)>,
    /// Nothing is known of an earlier run, and nobody has looked yet.
    fresh: bool,
    /// When the names were last looked for.
    listed_at: Option<Duration>,
    /// Some directories cannot be listed.
    failed: bool,
}

impl Files {
    pub(super) fn new(spec: &Spec, earlier: Option<Earlier>) -> Self {
        let earlier = earlier.and_then(|Earlier { position, rebooted }| match position {
            Position::Files(position) => Some((position, rebooted)),
            // The source of that name was something else before.
            Position::Journal(_) | Position::Stream => None,
        });
        Self {
            spec: spec.clone(),
            follows: Vec::new(),
            owners: BTreeMap::new(),
            listing: Listing { fresh: earlier.is_none(), earlier, listed_at: None, failed: false },
            cursor: 0,
            looked_at: None,
            listed_at: None,
            pace: Pace::new(),
            structure: true,
        }
    }

    pub(super) fn poll(&mut self, now: Now, buffer: &mut Buffer, sink: &mut dyn Sink) -> Progress {
        if self.looked_at.is_none() || now.monotonic >= self.pace.due() {
            let structure = self.structure
                || self.listed_at.is_none_or(|at| now.monotonic >= at + TICK_NOTIFIED);
            if structure {
                self.structure = false;
                self.listed_at = Some(now.monotonic);
                self.listing.list(&self.spec, &mut self.follows, now);
            }
            let last = self.looked_at.replace(now);
            let since = last.map_or(Duration::ZERO, |last| last.monotonic);
            let read = self.follows.iter().any(|follow| follow.has_read_since(since));
            self.look(now, buffer, sink);
            self.pace.look(now.monotonic, self.follows.len(), read);
        }
        // One buffer from the next file that has something, so that none has to wait for another.
        for _ in 0..self.follows.len() {
            self.cursor = (self.cursor + 1) % self.follows.len();
            let Self { spec, follows, owners, cursor, .. } = self;
            let is_others = |id: FileId| owners.get(&id).is_some_and(|owner| owner != cursor);
            let mut round = Round { now, spec, buffer, sink, is_others: &is_others };
            let follow = follows.get_mut(*cursor);
            if let Some(progress) = follow.and_then(|follow| follow.read(&mut round)) {
                return progress;
            }
        }
        Progress::Idle
    }

    /// Looks at each followed name. A file that has several of them is read under one.
    fn look(&mut self, now: Now, buffer: &mut Buffer, sink: &mut dyn Sink) {
        let Self { spec, follows, owners, .. } = self;
        owners.clear();
        for (index, follow) in follows.iter().enumerate() {
            owners.extend(follow.ids().map(|id| (id, index)));
        }
        for (index, follow) in follows.iter_mut().enumerate() {
            let is_others = |id: FileId| owners.get(&id).is_some_and(|owner| *owner != index);
            let mut round = Round { now, spec, buffer, sink, is_others: &is_others };
            follow.look(&mut round);
            owners.extend(follow.ids().map(|id| (id, index)));
        }
        park(follows);
    }

    pub(super) fn wake(&mut self, structure: bool) {
        self.structure |= structure;
        self.pace.wake(structure);
    }

    pub(super) fn due(&self) -> Duration {
        self.pace.due()
    }

    pub(super) fn set_notified(&mut self, notified: bool) {
        self.pace.set_notified(notified && !self.spec.poll_only);
    }

    pub(super) fn is_busy(&self) -> bool {
        self.pace.is_busy()
    }

    pub(super) fn reconfigure(&mut self, spec: &Spec) -> bool {
        if self.spec.origin != spec.origin {
            return false;
        }
        self.spec = spec.clone();
        true
    }

    pub(super) fn position(&self) -> FilesPosition {
        if let Some((earlier, _)) = &self.listing.earlier {
            // Not looked yet: what was left still stands.
            return earlier.clone();
        }
        let looked_at = self.looked_at.map_or(Duration::ZERO, |now| now.unix);
        let untouched = self.follows.iter().filter_map(Follow::untouched_since);
        let looked_at = untouched.fold(looked_at, Duration::min);
        FilesPosition {
            looked_at_milliseconds: u64::try_from(looked_at.as_millis()).unwrap_or(u64::MAX),
            names: self.follows.iter().map(Follow::position).collect(),
        }
    }

    pub(super) fn status(&self) -> Status {
        let one = matches!(self.spec.origin, Origin::Path(_));
        let mut status = Status { up: !self.listing.failed, lag_bytes: 0, catching_up_bytes: 0 };
        let mut any = false;
        for follow in &self.follows {
            any |= follow.is_up();
            // A file that a pattern named may be gone for good.
            status.up &= follow.is_up() || !one && follow.is_missing();
            let (lag, catching_up) = follow.lag();
            status.lag_bytes += lag;
            status.catching_up_bytes += catching_up;
        }
        status.up &= any;
        if self.looked_at.is_none() {
            // What there is to read is not known yet.
            status.catching_up_bytes = status.catching_up_bytes.max(1);
        }
        status
    }

    /// The directories of the followed files, of what symbolic links among them lead to, and the
    /// one in which a pattern begins.
    pub(super) fn directories(&self) -> BTreeSet<PathBuf> {
        let mut directories = BTreeSet::new();
        if self.spec.poll_only {
            return directories;
        }
        if let Origin::Glob(pattern) = &self.spec.origin {
            let fixed: PathBuf = Path::new(pattern)
                .components()
                .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']))
                .collect();
            directories.insert(fixed);
        }
        for follow in &self.follows {
            directories.extend(parent(follow.path()));
            if follow.path().is_symlink() {
                let target = follow.path().canonicalize().ok();
                directories.extend(target.as_deref().and_then(parent));
            }
        }
        directories
    }
}

fn parent(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { ".".into() } else { parent.to_owned() })
}

/// Closes silent files beyond the bound, those first that have been silent for longest.
fn park(follows: &mut [Follow]) {
    let generations = follows.iter_mut().flat_map(Follow::generations_mut);
    let mut open: Vec<_> = generations.filter(|generation| generation.is_open()).collect();
    let surplus = open.len().saturating_sub(OPEN_MAX);
    if surplus == 0 {
        return;
    }
    open.retain(|generation| generation.left.is_none() && generation.may_park());
    open.sort_by_key(|generation| generation.last_data);
    for generation in open.into_iter().take(surplus) {
        generation.park();
    }
}

impl Listing {
    /// Finds the names to follow. A rotated form of a name that is followed is no such name: its
    /// file belongs to the other one.
    fn list(&mut self, spec: &Spec, follows: &mut Vec<Follow>, now: Now) {
        let (mut paths, failed) = expand(&spec.origin);
        // All rotations rename `name.1`: it belongs to `name`, whether or not there is one now.
        for path in &mut paths {
            if let Some(base) = numbered_base(path).filter(|base| is_named(&spec.origin, base)) {
                *path = base;
            }
        }
        paths.sort();
        paths.dedup();
        self.failed = failed;
        if let Some((position, rebooted)) = self.earlier.take() {
            let looked_at = Duration::from_millis(position.looked_at_milliseconds);
            // A clock that was set back would make no file look new.
            let looked_at = looked_at.min(now.unix).saturating_sub(TIME_GRAIN);
            self.listed_at = Some(looked_at);
            let known = position.names.into_iter();
            let known = known.filter(|name| is_named(&spec.origin, &name.path));
            follows.extend(known.map(|name| Follow::resume(name, looked_at, rebooted)));
        }
        let mut bases: BTreeSet<PathBuf> =
            follows.iter().map(|follow| follow.path().to_owned()).collect();
        let listed: BTreeSet<PathBuf> = paths.iter().cloned().collect();
        paths.retain(|path| !bases.contains(path));
        bases.extend(paths.iter().cloned());
        if matches!(spec.origin, Origin::Glob(_)) {
            follows.retain(|follow| {
                !follow.is_over()
                    || listed.contains(follow.path())
                    || bases.iter().any(|path| is_rotated(follow.path(), path))
            });
            paths.retain(|path| !bases.iter().any(|base| is_rotated(base, path)));
        }
        let start_at = self.fresh.then_some(spec.start_at);
        let listed_at = self.listed_at.filter(|_| !self.fresh);
        follows.extend(paths.into_iter().map(|path| Follow::new(path, start_at, listed_at)));
        self.fresh &= failed;
        self.listed_at = Some(now.unix.saturating_sub(TIME_GRAIN));
    }
}

/// The paths that the origin names now, and whether some could not be found out.
fn expand(origin: &Origin) -> (Vec<PathBuf>, bool) {
    let pattern = match origin {
        Origin::Path(path) => return (vec![path.clone()], false),
        Origin::Glob(pattern) => pattern,
        Origin::Stdin | Origin::Fifo(_) | Origin::Journal(_) | Origin::Syslog(_) => {
            return (Vec::new(), false);
        }
    };
    let mut failed = false;
    let mut paths = Vec::new();
    for found in glob::glob(pattern).into_iter().flatten() {
        match found {
            Ok(path) if !is_compressed(&path) && !path.is_dir() => paths.push(path),
            Ok(_) => {}
            Err(_) => failed = true,
        }
    }
    (paths, failed)
}

/// Whether the origin names that path.
fn is_named(origin: &Origin, path: &Path) -> bool {
    match origin {
        Origin::Path(named) => named == path,
        Origin::Glob(pattern) => {
            glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches_path(path))
        }
        Origin::Stdin | Origin::Fifo(_) | Origin::Journal(_) | Origin::Syslog(_) => false,
    }
}
