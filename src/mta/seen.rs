//! Which events were read already, for senders that deliver each of them at least once.

use std::fmt;
use std::hash::BuildHasher;
use std::num::NonZeroUsize;

use lru::LruCache;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

/// The last `MAX` events, as hashes of what makes them one; the one not heard of for longest is
/// forgotten first.
pub(super) struct Seen<const MAX: usize> {
    events: LruCache<u64, (), Xxh3DefaultBuilder>,
    evicted: u64,
}

impl<const MAX: usize> Seen<MAX> {
    /// Whether an event, named by these parts, was not there before; from now on it is.
    pub(super) fn is_new(&mut self, parts: &[&[u8]]) -> bool {
        let event = Xxh3DefaultBuilder::new().hash_one(parts);
        match self.events.push(event, ()) {
            Some((known, ())) if known == event => false,
            Some(_) => {
                self.evicted += 1;
                true
            }
            None => true,
        }
    }

    /// Whether an event is known.
    pub(super) fn has(&self, parts: &[&[u8]]) -> bool {
        self.events.contains(&Xxh3DefaultBuilder::new().hash_one(parts))
    }

    /// How many events were forgotten because there was no room.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }
}

impl<const MAX: usize> Default for Seen<MAX> {
    fn default() -> Self {
        let mut events = LruCache::unbounded_with_hasher(Xxh3DefaultBuilder::new());
        events.resize(NonZeroUsize::new(MAX).unwrap_or(NonZeroUsize::MIN));
        Self { events, evicted: 0 }
    }
}

impl<const MAX: usize> fmt::Debug for Seen<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seen({} of {MAX}, {} evicted)", self.events.len(), self.evicted)
    }
}

/// The hashes, the oldest first, and how many were evicted.
impl<const MAX: usize> Serialize for Seen<MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let events: Vec<u64> = self.events.iter().rev().map(|(event, ())| *event).collect();
        (events, self.evicted).serialize(serializer)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Seen<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (events, evicted) = <(Vec<u64>, u64)>::deserialize(deserializer)?;
        let mut seen = Self::default();
        for event in events {
            seen.events.push(event, ());
        }
        seen.evicted = evicted;
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_new_once_and_its_parts_do_not_run_together() {
        let mut seen: Seen<8> = Seen::default();
        assert!(seen.is_new(&[b"ab", b"c"]));
        assert!(!seen.is_new(&[b"ab", b"c"]));
        assert!(seen.is_new(&[b"a", b"bc"]));
        assert!(seen.has(&[b"a", b"bc"]));
    }

    #[test]
    fn the_one_not_heard_of_for_longest_is_forgotten_and_counted() {
        let mut seen: Seen<2> = Seen::default();
        for event in ["a", "b", "a", "c"] {
            seen.is_new(&[event.as_bytes()]);
        }
        assert_eq!((seen.has(&[b"a"]), seen.has(&[b"b"]), seen.evicted()), (true, false, 1));
    }

    #[test]
    fn what_is_saved_comes_back_in_its_order() {
        let mut seen: Seen<2> = Seen::default();
        for event in ["a", "b", "a"] {
            seen.is_new(&[event.as_bytes()]);
        }
        let saved = serde_json::to_string(&seen).unwrap();
        let mut back: Seen<2> = serde_json::from_str(&saved).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), saved);
        back.is_new(&[b"c"]);
        assert!(back.has(&[b"a"]) && !back.has(&[b"b"]));
    }
}
