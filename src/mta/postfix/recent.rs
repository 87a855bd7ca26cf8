//! What each process logged last, where the next line of it may say the same again.
//!
//! Postfix logs two events twice. A failed connection stands on a line of its own and again on the
//! lines of the recipients, if the host was the last one to try. And after a 421 the server closes
//! the connection (RFC 5321 §3.8), which Postfix logs as lost when it had already sent more.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::attempt::Relay;

/// How many processes are remembered. Two that fall on the same place forget each other, and then
/// an event is counted twice rather than not at all.
const PROCESSES: usize = 256;

/// The last events, by process.
#[derive(Debug)]
pub(super) struct Recent {
    notes: Box<[Note; PROCESSES]>,
    /// How many notes there are: mostly none.
    waiting: usize,
}

/// What one process did last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    process: u64,
    event: Event,
}

/// An event that may be logged again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Event {
    #[default]
    None,
    /// `connect to ...: why`, by its text.
    ConnectFailed(u64),
    /// A reply with code 421, by queue id and host.
    Closing(u64),
}

impl Event {
    /// A connection failed.
    pub(super) fn connect_failed(text: &[u8]) -> Self {
        Self::ConnectFailed(xxh3_64_with_seed(text, 0))
    }

    /// The host said that it closes the connection.
    pub(super) fn closing(queue_id: &[u8], relay: &Relay<'_>) -> Self {
        let hash = xxh3_64_with_seed(queue_id, 0);
        Self::Closing(xxh3_64_with_seed(relay.ip, xxh3_64_with_seed(relay.host, hash)))
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self { notes: Box::new([Note::default(); PROCESSES]), waiting: 0 }
    }
}

impl Recent {
    /// What the process did last; it is forgotten with this.
    #[inline]
    pub(super) fn take(&mut self, pid: &[u8]) -> Event {
        if self.waiting == 0 {
            return Event::None;
        }
        let process = process(pid);
        match self.note(process) {
            Some(note) if note.process == process && note.event != Event::None => {
                let event = std::mem::take(note).event;
                self.waiting -= 1;
                event
            }
            _ => Event::None,
        }
    }

    /// The process did that.
    pub(super) fn keep(&mut self, pid: &[u8], event: Event) {
        let process = process(pid);
        let Some(note) = self.note(process) else { return };
        let before = std::mem::replace(note, Note { process, event });
        if before.event == Event::None {
            self.waiting += 1;
        }
    }

    fn note(&mut self, process: u64) -> Option<&mut Note> {
        let place = usize::try_from(process % 251).unwrap_or_default();
        self.notes.get_mut(place)
    }
}

/// A number for a process id, whatever stands there.
fn process(pid: &[u8]) -> u64 {
    pid.iter().fold(0, |sum, byte| (sum << 4 ^ sum >> 60) ^ u64::from(*byte))
}
