//! The thread that steps the reader.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::{Alarm, Handle, Reader, Request, Scrape, Settings, channel};
use crate::ledger::state::{Locked, Store};
use crate::source::{Notified, Now, Wake, Watch};

/// Tells the time.
pub trait Clock {
    /// The time now.
    fn now(&self) -> Now;
}

/// The clock of the machine.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Now { monotonic: self.0.elapsed(), unix: unix.unwrap_or_default() }
    }
}

/// Why the reader cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another one counts into the same state.
    #[error(transparent)]
    Locked(#[from] Locked),
    /// There is no thread to be had.
    #[error("cannot start the reader thread: {0}")]
    Thread(#[from] io::Error),
}

/// Starts the reader in a thread of its own. It goes on from the state in `directory` and keeps it
/// there.
pub fn spawn(settings: Settings, directory: &Path) -> Result<(Handle, JoinHandle<()>), StartError> {
    let (store, found) = Store::open(directory)?;
    let (handle, inbox) = channel();
    let bell = Arc::new(Bell::default());
    let (ringer, way) = (Arc::clone(&bell), handle.clone());
    let watch = Watch::new(move |notified| ringer.ring(notified, &way));
    let way = handle.clone();
    let wake: Wake = Arc::new(move || way.wake());
    let clock = SystemClock::default();
    let reader = Reader::new(settings, store, found, Alarm { watch, wake }, clock.now());
    let thread = std::thread::Builder::new()
        .name("reader".to_owned())
        .spawn(move || run(reader, &inbox, &bell, &clock))?;
    Ok((handle, thread))
}

/// What the notifying thread leaves for the reader. It sends one message for many notifications:
/// the next one is sent after the reader has begun to look.
#[derive(Debug, Default)]
struct Bell {
    rung: AtomicBool,
    structure: AtomicBool,
}

impl Bell {
    fn ring(&self, notified: Notified, way: &Handle) {
        // The first one of its kind: where files come and go, the look is due sooner.
        let structure = notified == Notified::Structure;
        let first = structure && !self.structure.swap(true, Ordering::AcqRel);
        if !self.rung.swap(true, Ordering::AcqRel) || first {
            way.wake();
        }
    }

    /// Whether it rang, and if so, whether files may have come or gone.
    fn answer(&self) -> Option<bool> {
        let rung = self.rung.swap(false, Ordering::AcqRel);
        let structure = self.structure.swap(false, Ordering::AcqRel);
        (rung || structure).then_some(structure)
    }
}

fn run(mut reader: Reader, inbox: &Receiver<Request>, bell: &Bell, clock: &impl Clock) {
    loop {
        let now = clock.now();
        if reader.is_due(now)
            && let Some(structure) = bell.answer()
        {
            reader.wake(structure);
        }
        let wait = reader.step(now);
        let request = if wait.is_zero() {
            inbox.try_recv().map_err(|error| error == TryRecvError::Disconnected)
        } else {
            let wait = wait.min(Duration::from_secs(1));
            inbox.recv_timeout(wait).map_err(|error| error == RecvTimeoutError::Disconnected)
        };
        match request {
            Ok(Request::Snapshot(respond)) => respond(reader.scrape(clock.now())),
            Ok(Request::Reload(settings)) => reader.reload(*settings, clock.now()),
            Ok(Request::ReloadFailed) => reader.reload_failed(),
            // What rang is answered when the look is due; until then further notifications cost
            // nothing.
            Ok(Request::Wake) => reader.wake(bell.structure.load(Ordering::Acquire)),
            Ok(Request::Stop) | Err(true) => break,
            Err(false) => {}
        }
    }
    reader.stop(clock.now());
    for request in inbox.try_iter() {
        if let Request::Snapshot(respond) = request {
            respond(Scrape::Stopped);
        }
    }
}
