//! The reader thread: it alone owns the sources, the pipeline and the ledger.
//!
//! Everybody else sends it a message. It reads in bounded steps and looks at its messages between
//! them, so that a scrape waits for one step at most.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::ledger::Snapshot;

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
    /// The reader has stopped.
    Stopped,
}

/// Answers one scrape.
pub type Respond = Box<dyn FnOnce(Scrape) + Send>;

/// What can be asked of the reader.
pub enum Request {
    /// A picture for a scrape. It is committed first.
    Snapshot(Respond),
    /// Commit and end.
    Stop,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Snapshot(_) => "Snapshot",
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
    /// [`Scrape::Stopped`] where there is none any more.
    pub fn snapshot(&self, respond: impl FnOnce(Scrape) + Send + 'static) {
        let request = Request::Snapshot(Box::new(respond));
        if let Err(refused) = self.requests.try_send(request) {
            let (std::sync::mpsc::TrySendError::Full(request)
            | std::sync::mpsc::TrySendError::Disconnected(request)) = refused;
            if let Request::Snapshot(respond) = request {
                respond(Scrape::Stopped);
            }
        }
    }

    /// Tells the reader to commit and end.
    pub fn stop(&self) {
        drop(self.requests.send(Request::Stop));
    }
}

/// A way to a reader that does not exist yet: for the front of the house.
pub fn channel() -> (Handle, std::sync::mpsc::Receiver<Request>) {
    let (requests, inbox) = sync_channel(64);
    (Handle { requests }, inbox)
}
