//! What each process logged last, where the next line of it may say the same again.
//!
//! Postfix logs two events twice. A failed connection stands on a line of its own and again on the
//! lines of the recipients, if the host was the last one to try. And after a 421 the server closes
//! the connection (RFC 5321 §3.8), which Postfix logs as lost when it had already sent more.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::attempt::Relay;
use crate::scan;

/// How many processes are remembered. Two that fall on the same place forget each other, and then
/// an event is counted twice rather than not at all.
const PROCESSES: usize = 256;
/// The upper bits of a hash that name a place.
const PLACE_SHIFT: u32 = u64::BITS - PROCESSES.ilog2();

/// The last events, by process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<Note>", into = "Vec<Note>")]
pub(super) struct Recent {
    notes: Box<[Note; PROCESSES]>,
    /// How many notes there are: mostly none.
    waiting: usize,
}

/// What one process did last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    process: u64,
    event: Event,
}

/// An event that may be logged again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// None such.
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

/// Only the notes that are there are saved.
impl From<Recent> for Vec<Note> {
    fn from(recent: Recent) -> Self {
        recent.notes.iter().filter(|note| note.event != Event::None).copied().collect()
    }
}

impl From<Vec<Note>> for Recent {
    fn from(notes: Vec<Note>) -> Self {
        let mut recent = Self::default();
        for note in notes {
            recent.put(note);
        }
        recent
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
        self.put(Note { process: process(pid), event });
    }

    fn put(&mut self, new: Note) {
        let Some(note) = self.note(new.process) else { return };
        let before = std::mem::replace(note, new);
        self.waiting += usize::from(before.event == Event::None);
        self.waiting -= usize::from(new.event == Event::None);
    }

    fn note(&mut self, process: u64) -> Option<&mut Note> {
        let place = process.wrapping_mul(scan::SPREAD) >> PLACE_SHIFT;
        self.notes.get_mut(usize::try_from(place).unwrap_or_default())
    }
}

/// A number for a process id, whatever stands there.
fn process(pid: &[u8]) -> u64 {
    pid.iter().fold(0, |sum, byte| (sum << 4 ^ sum >> 60) ^ u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_told_once_to_the_process_that_it_happened_to() {
        let event = Event::connect_failed(b"connect to mx[192.0.2.1]:25: Connection refused");
        let mut recent = Recent::default();
        recent.keep(b"17", event);
        assert_eq!(recent.take(b"18"), Event::None);
        assert_eq!(recent.take(b"17"), event);
        assert_eq!(recent.take(b"17"), Event::None);
        assert_eq!(recent.waiting, 0);
    }

    #[test]
    fn the_memory_is_bounded_and_outlives_the_process() {
        let mut recent = Recent::default();
        for pid in 0..100_000u32 {
            recent.keep(pid.to_string().as_bytes(), Event::Closing(u64::from(pid) << 32));
        }
        assert_eq!(recent.waiting, PROCESSES);
        let saved = serde_json::to_string(&recent).expect("it can be saved");
        assert!(saved.len() < 32_768);
        let mut restored: Recent = serde_json::from_str(&saved).expect("it can be restored");
        assert_eq!(restored.waiting, PROCESSES);
        let take = |recent: &mut Recent| -> Vec<Event> {
            (0..100_000u32).map(|pid| recent.take(pid.to_string().as_bytes())).collect()
        };
        assert_eq!(take(&mut restored), take(&mut recent));
        assert_eq!((recent.waiting, restored.waiting), (0, 0));
        let empty = serde_json::to_string(&recent).expect("it can be saved");
        assert_eq!(empty, "[]");
    }
}
