//! The reader thread: it alone owns the sources, the pipeline and the ledger.
//!
//! Everybody else sends it a message. It reads in bounded steps and looks at its messages between
//! them, so that a scrape waits for one step at most.
//!
//! Two rules make that counters never fall, whatever happens, so that the sum of their increases is
//! the number of lines:
//!
//! 1. Before a picture is shown it is committed: counts and positions go to the disk in one file,
//!    and what is shown is what was written. What was ever shown is therefore in every later state.
//! 2. After a start nothing is shown until every source was read to the size that it had then.
//!
//! Where a commit fails, counting and serving go on, and `mta_state_durable` is 0. A crash then goes
//! back to the last commit and reads what followed once more. Rule 2 still keeps the counters from
//! falling, as long as the logs hold what was written since that commit; where they do not, or
//! where no commit ever succeeded, Prometheus sees a reset.

mod handle;
mod thread;
mod tail;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::config;
use crate::ledger::state::{Found, State, Store, boot_id};
use crate::ledger::{Ledger, ReloadGauges, Snapshot, StateGauges};
use crate::mta::custom::CustomDialects;
use crate::pipeline::Pipeline;
use crate::provider::Providers;
use crate::reason::Classifier;
use crate::source::{Buffer, Earlier, Now, Wake, Watch};
use tail::{Parted, Tail};

pub use handle::{Handle, Request, Respond, Scrape, channel};
pub use thread::{Clock, StartError, SystemClock, spawn};

/// Scrapes that come within this time get the same picture.
const SHARED_FOR: Duration = Duration::from_millis(100);
/// How often a commit is made where nobody scrapes.
const COMMIT_EVERY: Duration = Duration::from_secs(10);
/// How often it is checked which directories have to be watched.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// What the reader works with: all of it can be exchanged while it runs.
#[derive(Debug)]
pub struct Settings {
    /// What to read.
    pub sources: Vec<config::Source>,
    /// Who answers.
    pub providers: Providers,
    /// What replies mean.
    pub classifier: Classifier,
    /// The log formats that are defined beside the built-in ones.
    pub dialects: Arc<CustomDialects>,
    /// The most series; see [`Ledger::new`].
    pub series_max: usize,
    /// A hash of the tables, to tell after a restart whether they are the same.
    pub rules_hash: u64,
}

/// What the thread does, step by step; the time comes in.
#[derive(Debug)]
pub struct Reader {
    tails: Vec<Tail>,
    /// What is left of sources that are not configured now.
    parted: BTreeMap<String, Parted>,
    pipeline: Pipeline,
    ledger: Ledger,
    buffer: Buffer,
    alarm: Alarm,
    watched_at: Option<Duration>,
    caught_up: bool,
    store: Store,
    /// Something was counted since the last commit.
    dirty: bool,
    committed_at: Option<Duration>,
    rules_hash: u64,
    boot_id: String,
    state: StateGauges,
    reload: ReloadGauges,
    shared: Option<(Duration, Arc<Snapshot>)>,
}

/// What tells the reader that there may be something to read.
pub struct Alarm {
    /// The kernel, for files.
    pub watch: Watch,
    /// What sources with a thread of their own call when they have something.
    pub wake: Wake,
}

impl Alarm {
    /// Nobody tells: the reader is stepped.
    pub fn none() -> Self {
        Self { watch: Watch::none(), wake: Arc::new(|| {}) }
    }
}

impl std::fmt::Debug for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alarm").field("watch", &self.watch).finish_non_exhaustive()
    }
}

impl Reader {
    /// A reader that has read nothing yet and goes on from what was found in its store.
    pub fn new(settings: Settings, store: Store, found: Found, alarm: Alarm, now: Now) -> Self {
        let Settings { sources, providers, classifier, dialects, series_max, rules_hash } =
            settings;
        let mut ledger = Ledger::new(&providers, series_max);
        ledger.adopt_lists(classifier.lists());
        let mut reader = Self {
            tails: Vec::new(),
            parted: BTreeMap::new(),
            pipeline: Pipeline::new(providers, classifier),
            ledger,
            buffer: Buffer::new(),
            alarm,
            watched_at: None,
            caught_up: false,
            store,
            dirty: true,
            committed_at: None,
            rules_hash,
            boot_id: boot_id(),
            state: StateGauges::default(),
            reload: in_force(now),
            shared: None,
        };
        reader.pipeline.define(dialects);
        reader.restore(found);
        reader.open(sources);
        reader
    }

    fn restore(&mut self, found: Found) {
        let state = match found {
            Found::State(state) => *state,
            Found::Nothing => return crate::telemetry::state_new(self.store.directory()),
            Found::Unusable(error) => {
                return crate::telemetry::state_unusable(self.store.directory(), &error);
            }
        };
        let State { positions, ledger, memory, mut stream_memories, .. } = state;
        let same_rules = state.rules_hash == self.rules_hash;
        crate::telemetry::state_restored(state.saved_at_seconds, same_rules);
        let known = !state.boot_id.is_empty() && !self.boot_id.is_empty();
        let rebooted = known && state.boot_id != self.boot_id;
        self.ledger.restore(&ledger);
        if let Some(memory) = memory {
            self.pipeline.restore(&memory);
        }
        self.parted.extend(positions.into_iter().map(|(name, position)| {
            let memory = stream_memories.remove(&name);
            (name, Parted { earlier: Earlier { position, rebooted }, memory })
        }));
        self.state.restored = true;
    }

    /// Opens what is new, keeps what is known, and lets go of the rest.
    fn open(&mut self, sources: Vec<config::Source>) {
        let mut known: BTreeMap<String, Tail> =
            self.tails.drain(..).map(|tail| (tail.name().to_owned(), tail)).collect();
        for source in sources {
            let name = source.spec.name.clone();
            let left = match known.remove(&name).map(|tail| tail.keep(&source)) {
                Some(Ok(tail)) => {
                    self.tails.push(tail);
                    continue;
                }
                Some(Err(parted)) => Some(*parted),
                None => self.parted.remove(&name),
            };
            let id = self.ledger.source(&name);
            self.tails.push(Tail::open(id, source, left, &self.alarm.wake));
        }
        self.parted.extend(known.into_iter().map(|(name, tail)| (name, tail.part())));
        self.watched_at = None;
        self.dirty = true;
    }

    /// One step: everything that is due, and at most one buffer of each source. For how long
    /// nothing will be due; zero if there is more to read at once.
    pub fn step(&mut self, now: Now) -> Duration {
        let mut more = false;
        for tail in &mut self.tails {
            let did = tail.poll(now, &mut self.buffer, &mut self.pipeline, &mut self.ledger);
            more |= did.more;
            self.dirty |= did.counted;
        }
        self.caught_up = self.caught_up || self.bytes_to_catch_up() == 0;
        if self.watched_at.is_none_or(|at| now.monotonic >= at + WATCH_EVERY) {
            self.watched_at = Some(now.monotonic);
            self.set_watch();
        }
        // The first one at once: where reading begins is settled with the first look.
        let due = self.committed_at.is_none_or(|at| now.monotonic >= at + COMMIT_EVERY);
        if self.dirty && due {
            self.commit(now);
        }
        if more {
            return Duration::ZERO;
        }
        let due = self.tails.iter().map(Tail::due).min();
        let due = due.unwrap_or(Duration::MAX).min(now.monotonic + WATCH_EVERY);
        due.saturating_sub(now.monotonic)
    }

    /// Brings counts and positions to the disk, if they are not there yet.
    fn commit(&mut self, now: Now) {
        self.committed_at = Some(now.monotonic);
        self.ledger.stamp_newborn(now.unix.as_secs());
        let tails = self.tails.iter().map(|tail| (tail.name(), tail.position(), tail.memory()));
        let parted = self.parted.iter().map(|(name, parted)| {
            (name.as_str(), parted.earlier.position.clone(), parted.memory.clone())
        });
        let mut state = State {
            boot_id: self.boot_id.clone(),
            rules_hash: self.rules_hash,
            saved_at_seconds: now.unix.as_secs(),
            ledger: self.ledger.save(),
            memory: self.pipeline.save(),
            ..State::default()
        };
        for (name, position, memory) in tails.chain(parted) {
            state.positions.insert(name.to_owned(), position);
            state.stream_memories.extend(memory.map(|memory| (name.to_owned(), memory)));
        }
        match self.store.commit(&state) {
            Ok(()) => {
                self.state.commits += 1;
                self.dirty = false;
                if !std::mem::replace(&mut self.state.durable, true) && self.state.commits > 1 {
                    crate::telemetry::state_committed_again(self.store.directory());
                }
            }
            Err(error) => {
                self.state.commit_failures += 1;
                let first = self.state.commit_failures == 1;
                if std::mem::replace(&mut self.state.durable, false) || first {
                    crate::telemetry::state_not_committed(self.store.directory(), &error);
                }
            }
        }
    }

    fn set_watch(&mut self) {
        let wanted: Vec<BTreeSet<_>> = self.tails.iter().map(Tail::directories).collect();
        let mut watched: BTreeSet<_> = wanted.iter().flatten().cloned().collect();
        let busy = self.tails.iter().zip(&wanted).filter(|(tail, _)| tail.is_busy());
        for directory in busy.flat_map(|(_, directories)| directories) {
            watched.remove(directory);
        }
        self.alarm.watch.set(&watched);
        for (tail, directories) in self.tails.iter_mut().zip(&wanted) {
            tail.set_notified(self.alarm.watch.covers(directories));
        }
    }

    /// Whether something is due now.
    pub(crate) fn is_due(&self, now: Now) -> bool {
        self.tails.iter().any(|tail| tail.due() <= now.monotonic)
    }

    /// Something may have happened in the sources; `structure` says that files may have come or
    /// gone.
    pub fn wake(&mut self, structure: bool) {
        for tail in &mut self.tails {
            tail.wake(structure);
        }
    }

    fn bytes_to_catch_up(&self) -> u64 {
        self.tails.iter().map(|tail| tail.status().catching_up_bytes).sum()
    }

    /// The answer to a scrape.
    pub fn scrape(&mut self, now: Now) -> Scrape {
        if !self.caught_up {
            return Scrape::CatchingUp { bytes_left: self.bytes_to_catch_up() };
        }
        match &self.shared {
            Some((at, snapshot)) if now.monotonic < *at + SHARED_FOR => {
                Scrape::Ready(Arc::clone(snapshot))
            }
            _ => {
                let snapshot = Arc::new(self.snapshot(now));
                self.shared = Some((now.monotonic, Arc::clone(&snapshot)));
                Scrape::Ready(snapshot)
            }
        }
    }

    fn snapshot(&mut self, now: Now) -> Snapshot {
        if self.dirty {
            self.commit(now);
        }
        Snapshot {
            taken_at_seconds: now.unix.as_secs(),
            ledger: self.ledger.clone(),
            lists: self.ledger.lists().to_vec(),
            sources: self.tails.iter().map(|tail| (tail.id(), tail.gauges(now))).collect(),
            state: self.state,
            reload: self.reload,
        }
    }

    /// Puts other settings in force. Sources that are in both go on; no line and no count is lost.
    pub fn reload(&mut self, settings: Settings, now: Now) {
        let Settings { sources, providers, classifier, dialects, series_max, rules_hash } =
            settings;
        self.rules_hash = rules_hash;
        self.ledger.adopt(&providers);
        self.ledger.adopt_lists(classifier.lists());
        self.ledger.set_series_max(series_max);
        self.pipeline.adopt(providers, classifier);
        self.pipeline.define(dialects);
        self.open(sources);
        self.reload = in_force(now);
        self.shared = None;
    }

    /// The configuration was read anew and could not be used: the old one stays in force.
    pub fn reload_failed(&mut self) {
        self.reload.successful = false;
        self.shared = None;
    }

    /// Commits what is not on the disk yet. The last thing to do.
    pub fn stop(&mut self, now: Now) {
        if self.dirty {
            self.commit(now);
        }
    }

    /// The counts.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

fn in_force(now: Now) -> ReloadGauges {
    ReloadGauges { successful: true, success_timestamp_seconds: now.unix.as_secs() }
}
