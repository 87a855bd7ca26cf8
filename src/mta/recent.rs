//! Memory from one line to another, bounded, and fit to be saved.

use std::borrow::Borrow;
use std::ops::Deref;

use lru::LruCache;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

/// What earlier lines told, by a key. At most `MAX` entries: beyond that the one that was not used
/// for longest is handed out, and counted as evicted.
#[derive(Debug)]
pub(super) struct Recent<V, const MAX: usize> {
    entries: LruCache<Bytes, V, Xxh3DefaultBuilder>,
    evicted: u64,
}

impl<V, const MAX: usize> Default for Recent<V, MAX> {
    fn default() -> Self {
        let mut entries = LruCache::unbounded_with_hasher(Xxh3DefaultBuilder::new());
        if let Ok(max) = MAX.try_into() {
            entries.resize(max);
        }
        Self { entries, evicted: 0 }
    }
}

impl<V, const MAX: usize> Recent<V, MAX> {
    /// What is known under the key.
    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        if self.entries.is_empty() { None } else { self.entries.get_mut(key) }
    }

    /// Takes out what is known under the key.
    pub(super) fn take(&mut self, key: &[u8]) -> Option<V> {
        if self.entries.is_empty() { None } else { self.entries.pop(key) }
    }

    /// Remembers `value`, and returns what had to be forgotten for it.
    pub(super) fn put(&mut self, key: &[u8], value: V) -> Option<(Bytes, V)> {
        let (old_key, old) = self.entries.push(Bytes::from(key), value)?;
        if *old_key == *key {
            return None;
        }
        self.evicted += 1;
        Some((old_key, old))
    }

    /// Forgets everything, which is not counted.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Takes out everything, the oldest first.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Bytes, V)> {
        std::iter::from_fn(|| self.entries.pop_lru())
    }

    /// How many entries had to be forgotten, ever.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }
}

impl<V: Serialize, const MAX: usize> Serialize for Recent<V, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // From the oldest to the newest, so that putting them back one by one restores the order.
        let entries: Vec<_> = self.entries.iter().rev().collect();
        (entries, self.evicted).serialize(serializer)
    }
}

impl<'de, V: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Recent<V, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (entries, evicted) = <(Vec<(Bytes, V)>, u64)>::deserialize(deserializer)?;
        let mut recent = Self::default();
        for (key, value) in entries {
            recent.entries.push(key, value);
        }
        recent.evicted = evicted;
        Ok(recent)
    }
}

/// Bytes of a log line. Saved as text with one character per byte, for most of them are ASCII.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Bytes(Vec<u8>);

impl Bytes {
    /// Adds to the end.
    pub(super) fn extend(&mut self, more: &[u8]) {
        self.0.extend_from_slice(more);
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.iter().map(|byte| char::from(*byte)).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = text.chars().map(|character| {
            u8::try_from(character)
                .map_err(|_| D::Error::custom("expected one byte in each character"))
        });
        bytes.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_is_forgotten_and_counted() {
        let mut recent: Recent<u8, 2> = Recent::default();
        assert!(recent.put(b"a", 1).is_none());
        assert!(recent.put(b"b", 2).is_none());
        assert_eq!(recent.get_mut(b"a"), Some(&mut 1));
        let (key, value) = recent.put(b"c", 3).expect("one is forgotten");
        assert_eq!((&*key, value, recent.evicted()), (&b"b"[..], 2, 1));
        assert!(recent.put(b"c", 4).is_none());
        assert_eq!(recent.take(b"c"), Some(4));
        assert_eq!(recent.take(b"c"), None);
    }

    #[test]
    fn what_is_saved_comes_back_byte_for_byte_and_in_order() {
        let mut recent: Recent<Bytes, 3> = Recent::default();
        let all: Vec<u8> = (0..=255).collect();
        for key in [&b"x"[..], b"y", &all] {
            recent.put(key, Bytes::from(&all[..]));
        }
        recent.get_mut(b"x");
        let saved = serde_json::to_string(&recent).expect("saved");
        let mut back: Recent<Bytes, 3> = serde_json::from_str(&saved).expect("restored");
        assert_eq!(back.get_mut(&all).map(|value| value.to_vec()), Some(all));
        back.put(b"z", Bytes::default());
        assert!(back.get_mut(b"y").is_none(), "y was the oldest");
        assert!(back.get_mut(b"x").is_some());
    }
}
