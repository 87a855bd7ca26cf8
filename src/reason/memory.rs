//! What was classified before: a bounded memory from key to verdict.
//!
//! It holds the whole key of what it knows, not only a hash of it, so it can never give another
//! text's verdict: with it and without it the verdicts are the same.

use xxhash_rust::xxh3::xxh3_64;

use super::Verdict;

/// How many keys share a set. Within a set the one that was not asked for longest gives way.
const WAYS: usize = 4;

/// The longest key that is remembered. Longer texts are rare and cost their full price.
const KEY_MAX: usize = 1024;

/// A memory of a fixed number of verdicts.
#[derive(Debug)]
pub(super) struct Memory {
    /// `WAYS` slots for each set.
    slots: Vec<Slot>,
    mask: usize,
    clock: u32,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    hash: u64,
    key: Vec<u8>,
    verdict: Option<Verdict>,
    used: u32,
}

impl Memory {
    /// A memory of `1 << bits` verdicts.
    pub(super) fn new(bits: u32) -> Self {
        let slots = 1 << bits;
        Self { slots: vec![Slot::default(); slots], mask: slots / WAYS - 1, clock: 0 }
    }

    pub(super) fn hash(key: &[u8]) -> u64 {
        xxh3_64(key)
    }

    fn set(&mut self, hash: u64) -> &mut [Slot] {
        #[expect(clippy::cast_possible_truncation, reason = "the low bits choose the set")]
        let set = (hash as usize & self.mask) * WAYS;
        self.slots.get_mut(set..set + WAYS).unwrap_or_default()
    }

    /// The verdict on that key, if it is remembered.
    pub(super) fn get(&mut self, hash: u64, key: &[u8]) -> Option<Verdict> {
        self.clock = self.clock.wrapping_add(1);
        let clock = self.clock;
        let known = |slot: &&mut Slot| slot.hash == hash && slot.key == key;
        let slot = self.set(hash).iter_mut().find(known)?;
        slot.used = clock;
        slot.verdict
    }

    /// Remembers a verdict, in the place of the oldest of its set.
    pub(super) fn put(&mut self, hash: u64, key: &[u8], verdict: Verdict) {
        if key.len() > KEY_MAX {
            return;
        }
        let clock = self.clock;
        let age = |slot: &&mut Slot| match slot.verdict {
            Some(_) => clock.wrapping_sub(slot.used),
            None => u32::MAX,
        };
        if let Some(slot) = self.set(hash).iter_mut().max_by_key(age) {
            slot.hash = hash;
            slot.key.clear();
            slot.key.extend_from_slice(key);
            slot.verdict = Some(verdict);
            slot.used = clock;
        }
    }
}
