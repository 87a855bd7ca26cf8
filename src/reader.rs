//! The reader thread: it alone owns the sources, the pipeline and the ledger.
//!
//! Everybody else sends it a message. It reads in bounded steps and looks at its messages between
//! them, so that a scrape waits for one step at most.

mod handle;
mod thread;
mod tail;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::config;
use crate::ledger::{Ledger, ReloadGauges, Snapshot, StateGauges};
use crate::pipeline::Pipeline;
use crate::provider::Providers;
use crate::reason::Classifier;
use crate::source::{Buffer, Earlier, Now, Position, Wake, Watch};
use tail::Tail;

pub use handle::{Handle, Request, Respond, Scrape, channel};
pub use thread::{Clock, SystemClock, spawn};

/// Scrapes that come within this time get the same picture.
const SHARED_FOR: Duration = Duration::from_millis(100);
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
    /// The most series; see [`Ledger::new`].
    pub series_max: usize,
}

/// What the thread does, step by step; the time comes in.
#[derive(Debug)]
pub struct Reader {
    tails: Vec<Tail>,
    /// Where reading stood in sources that are not configured now.
    parted: BTreeMap<String, Earlier>,
    pipeline: Pipeline,
    ledger: Ledger,
    buffer: Buffer,
    watch: Watch,
    wake: Waker,
    watched_at: Option<Duration>,
    caught_up: bool,
    state: StateGauges,
    reload: ReloadGauges,
    shared: Option<(Duration, Arc<Snapshot>)>,
}

/// What sources with a thread of their own call when they have something.
struct Waker(Wake);

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waker")
    }
}

impl Reader {
    /// A reader that has read nothing yet.
    pub fn new(settings: Settings, watch: Watch, wake: Wake, now: Now) -> Self {
        let Settings { sources, providers, classifier, series_max } = settings;
        let ledger = Ledger::new(&providers, series_max);
        let mut reader = Self {
            tails: Vec::new(),
            parted: BTreeMap::new(),
            pipeline: Pipeline::new(providers, classifier),
            ledger,
            buffer: Buffer::new(),
            watch,
            wake: Waker(wake),
            watched_at: None,
            caught_up: false,
            state: StateGauges::default(),
            reload: ReloadGauges::default(),
            shared: None,
        };
        reader.open(sources);
        reader.reload = in_force(now);
        reader
    }

    /// Opens what is new, keeps what is known, and lets go of the rest.
    fn open(&mut self, sources: Vec<config::Source>) {
        let mut known: BTreeMap<String, Tail> =
            self.tails.drain(..).map(|tail| (tail.name().to_owned(), tail)).collect();
        for source in sources {
            let name = source.spec.name.clone();
            let earlier = match known.remove(&name).map(|tail| tail.keep(&source)) {
                Some(Ok(tail)) => {
                    self.tails.push(tail);
                    continue;
                }
                Some(Err(position)) => Some(Earlier { position, rebooted: false }),
                None => self.parted.remove(&name),
            };
            let id = self.ledger.source(&name);
            self.tails.push(Tail::open(id, source, earlier, &self.wake.0));
        }
        let parted = known
            .into_iter()
            .map(|(name, tail)| (name, Earlier { position: tail.position(), rebooted: false }));
        self.parted.extend(parted);
        self.watched_at = None;
    }

    /// One step: everything that is due, and at most one buffer of each source. For how long
    /// nothing will be due; zero if there is more to read at once.
    pub fn step(&mut self, now: Now) -> Duration {
        let mut more = false;
        for tail in &mut self.tails {
            more |= tail.poll(now, &mut self.buffer, &mut self.pipeline, &mut self.ledger);
        }
        self.caught_up = self.caught_up || self.bytes_to_catch_up() == 0;
        if self.watched_at.is_none_or(|at| now.monotonic >= at + WATCH_EVERY) {
            self.watched_at = Some(now.monotonic);
            self.set_watch();
        }
        if more {
            return Duration::ZERO;
        }
        let due = self.tails.iter().map(Tail::due).min();
        let due = due.unwrap_or(Duration::MAX).min(now.monotonic + WATCH_EVERY);
        due.saturating_sub(now.monotonic)
    }

    fn set_watch(&mut self) {
        let wanted: Vec<BTreeSet<_>> = self.tails.iter().map(Tail::directories).collect();
        self.watch.set(&wanted.iter().flatten().cloned().collect());
        for (tail, directories) in self.tails.iter_mut().zip(&wanted) {
            tail.set_notified(self.watch.covers(directories));
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
        let taken_at_seconds = now.unix.as_secs();
        self.ledger.stamp_newborn(taken_at_seconds);
        Snapshot {
            taken_at_seconds,
            ledger: self.ledger.clone(),
            lists: self.pipeline.classifier().lists().to_vec(),
            sources: self.tails.iter().map(|tail| (tail.id(), tail.gauges(now))).collect(),
            state: self.state,
            reload: self.reload,
        }
    }

    /// Puts other settings in force. Sources that are in both go on; no line and no count is lost.
    pub fn reload(&mut self, settings: Settings, now: Now) {
        let Settings { sources, providers, classifier, series_max } = settings;
        self.ledger.adopt(&providers);
        self.ledger.set_series_max(series_max);
        self.pipeline.adopt(providers, classifier);
        self.open(sources);
        self.reload = in_force(now);
        self.shared = None;
    }

    /// The configuration was read anew and could not be used: the old one stays in force.
    pub fn reload_failed(&mut self) {
        self.reload.successful = false;
        self.shared = None;
    }

    /// Where reading stands in each configured source.
    pub fn positions(&self) -> BTreeMap<String, Position> {
        self.tails.iter().map(|tail| (tail.name().to_owned(), tail.position())).collect()
    }

    /// The counts.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

fn in_force(now: Now) -> ReloadGauges {
    ReloadGauges { successful: true, success_timestamp_seconds: now.unix.as_secs() }
}
