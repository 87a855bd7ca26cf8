//! The way to the reader for everybody else.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::Settings;
use crate::ledger::Snapshot;

/// How many requests can wait. Scrapes that come while so many wait are turned away.
const REQUESTS_MAX: usize = 256;

/// What a scrape gets.
#[derive(Clone, Debug)]
pub enum Scrape {
    /// A picture that is durable.
    Ready(Arc<Snapshot>),
    /// The sources have not been read yet to the size that they had at the start; what would be
    /// shown now could be less than what was shown before.
    CatchingUp {
        /// Bytes still to read.
        bytes_left: u64,
    },
    /// The reader has stopped, or more scrapes wait than it can answer.
    Stopped,
}

/// Answers one scrape.
pub type Respond = Box<dyn FnOnce(Scrape) + Send>;

/// What can be asked of the reader.
pub enum Request {
    /// A picture for a scrape. It is committed first.
    Snapshot(Respond),
    /// Put these settings in force.
    Reload(Box<Settings>),
    /// The configuration could not be used: show it, and go on with the old one.
    ReloadFailed,
    /// Look at the sources.
    Wake,
    /// Commit and end.
    Stop,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Snapshot(_) => "Snapshot",
            Self::Reload(_) => "Reload",
            Self::ReloadFailed => "ReloadFailed",
            Self::Wake => "Wake",
            Self::Stop => "Stop",
        })
    }
}

/// The way to the reader; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: SyncSender<Request>,
}

impl Handle {
    /// Asks for a picture. `respond` is called once, on the reader's thread, or at once with
    /// [`Scrape::Stopped`] where it cannot be asked.
    pub fn snapshot(&self, respond: impl FnOnce(Scrape) + Send + 'static) {
        let request = Request::Snapshot(Box::new(respond));
        if let Err(TrySendError::Full(request) | TrySendError::Disconnected(request)) =
            self.requests.try_send(request)
            && let Request::Snapshot(respond) = request
        {
            respond(Scrape::Stopped);
        }
    }

    /// Puts other settings in force; takes effect before any scrape that is asked for later. May
    /// wait a moment.
    pub fn reload(&self, settings: Settings) {
        drop(self.requests.send(Request::Reload(Box::new(settings))));
    }

    /// Shows that the configuration was read anew and could not be used.
    pub fn reload_failed(&self) {
        drop(self.requests.send(Request::ReloadFailed));
    }

    /// Tells the reader to commit and end.
    pub fn stop(&self) {
        drop(self.requests.send(Request::Stop));
    }

    /// Makes the reader look at its sources. Where many requests wait, it will do so anyway.
    pub(super) fn wake(&self) {
        drop(self.requests.try_send(Request::Wake));
    }
}

/// A way to a reader that does not exist yet: for the front of the house.
pub fn channel() -> (Handle, Receiver<Request>) {
    let (requests, inbox) = sync_channel(REQUESTS_MAX);
    (Handle { requests }, inbox)
}
