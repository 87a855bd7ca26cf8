//! The kernel's notifications. They only tell when to look: what is read never depends on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::bookmark::FileId;

/// The most directories that are watched. The others are left to the timer.
const DIRECTORIES_MAX: usize = 1024;

/// What the kernel told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notified {
    /// Something was written.
    Written,
    /// Files came, went or were renamed; or notifications were lost, and everything may be so.
    Structure,
}

/// The directories that are watched.
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    directories: BTreeMap<PathBuf, FileId>,
    refused: BTreeSet<PathBuf>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("directories", &self.directories).finish_non_exhaustive()
    }
}

impl Watch {
    /// Calls `wake`, on another thread, when something happens. Where the kernel gives no
    /// notifications, nothing is ever told.
    pub fn new(wake: impl Fn(Notified) + Send + 'static) -> Self {
        let handler = move |event: notify::Result<notify::Event>| {
            if let Some(notified) = meaning(&event) {
                wake(notified);
            }
        };
        let watcher = notify::recommended_watcher(handler)
            .map_err(|error| crate::telemetry::directory_unwatched(Path::new("/"), &error))
            .ok();
        Self { watcher, directories: BTreeMap::new(), refused: BTreeSet::new() }
    }

    /// Nothing is ever told.
    pub fn none() -> Self {
        Self { watcher: None, directories: BTreeMap::new(), refused: BTreeSet::new() }
    }

    /// Watches exactly these directories from now on; one that was removed and is there again is
    /// watched anew.
    pub fn set(&mut self, wanted: &BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        let mut found = BTreeMap::new();
        for path in wanted.iter().take(DIRECTORIES_MAX) {
            if let Ok(metadata) = fs::metadata(path).map_err(drop)
                && metadata.is_dir()
            {
                found.insert(path.clone(), FileId::of(&metadata));
            }
        }
        self.directories.retain(|path, id| {
            let keep = found.get(path) == Some(id);
            if !keep {
                // It is gone already where the directory is.
                drop(watcher.unwatch(path));
            }
            keep
        });
        self.refused.retain(|path| found.contains_key(path));
        for (path, id) in found {
            if self.directories.contains_key(&path) {
                continue;
            }
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.refused.remove(&path);
                    self.directories.insert(path, id);
                }
                Err(error) => {
                    if self.refused.insert(path.clone()) {
                        crate::telemetry::directory_unwatched(&path, &error);
                    }
                }
            }
        }
    }

    /// Whether all these directories are watched.
    pub fn covers(&self, directories: &BTreeSet<PathBuf>) -> bool {
        directories.iter().all(|path| self.directories.contains_key(path))
    }
}

/// What an event tells. Whatever is not plain may be anything.
fn meaning(event: &notify::Result<notify::Event>) -> Option<Notified> {
    let Ok(event) = event else { return Some(Notified::Structure) };
    if event.need_rescan() {
        return Some(Notified::Structure);
    }
    match event.kind {
        // Our own opening and reading is told too.
        EventKind::Access(_) => None,
        EventKind::Modify(ModifyKind::Data(_)) => Some(Notified::Written),
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => Some(Notified::Structure),
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind, DataChange, Flag};
    use notify::{Error, Event};

    use super::*;

    #[test]
    fn lost_notifications_mean_that_anything_may_have_happened() {
        // inotify's Q_OVERFLOW.
        let overflow = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(meaning(&Ok(overflow)), Some(Notified::Structure));
        assert_eq!(meaning(&Err(Error::generic("broken"))), Some(Notified::Structure));
    }

    #[test]
    fn writing_reading_and_renaming_are_told_apart() {
        let of = |kind| meaning(&Ok(Event::new(kind)));
        assert_eq!(
            of(EventKind::Modify(ModifyKind::Data(DataChange::Any))),
            Some(Notified::Written)
        );
        assert_eq!(of(EventKind::Create(CreateKind::File)), Some(Notified::Structure));
        assert_eq!(of(EventKind::Access(AccessKind::Read)), None);
    }
}
