//! Who still waits in the queue, so that an expiry that names nobody can be counted for them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::attempt::Recipient;
use crate::ledger::SourceId;
use crate::provider::{ProviderId, Providers};
use crate::scan;

/// How many messages one generation holds: what fills a table of 32,768 places.
const MESSAGES_MAX: usize = 28_672;
/// How many recipients of one message are remembered.
const RECIPIENTS_MAX: usize = 1_024;

/// The recipients of one message, by their keys, with who deferred them. Mostly there is one.
type Recipients = SmallVec<[(u64, ProviderId); 1]>;

/// The recipients whose last attempt was deferred, by message. Bounded.
///
/// When the younger generation is full it takes the place of the older one, which is forgotten: a
/// message that was not heard of while as many others were. To keep all of them in order would cost
/// more.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    young: Messages,
    old: Messages,
    noted: Noted,
    evicted: u64,
}

/// Messages that were heard of in about the same time.
type Messages = HashMap<u64, Recipients, BuildHasherDefault<AsIs>>;

/// A bit for each mark of a message, by its upper bits: of the young ones, and next to it of the old
/// ones. Every delivered message asks, hardly any ever waited, and this tells most of them at less
/// than the price of a name.
#[derive(Debug)]
struct Noted(Box<[[u64; 2]]>);

impl Noted {
    /// So many that a full generation sets one bit of ten.
    const WORDS: usize = 4096;

    /// The words of a mark, and its bit in them.
    fn place(mark: u64) -> (usize, u64) {
        #[expect(clippy::cast_possible_truncation, reason = "only the upper bits are left")]
        let bit = (mark >> (u64::BITS - (Self::WORDS * 64).ilog2())) as usize;
        (bit / 64, 1 << (bit % 64))
    }

    /// The message is a young one.
    fn note(&mut self, mark: u64) {
        let (word, bit) = Self::place(mark);
        if let Some([young, _]) = self.0.get_mut(word) {
            *young |= bit;
        }
    }

    /// Any message may be a young one, or an old one.
    fn note_all(&mut self) {
        self.0.fill([u64::MAX; 2]);
    }

    /// Whether the message may be a young one, or an old one.
    fn may_hold(&self, mark: u64) -> [bool; 2] {
        let (word, bit) = Self::place(mark);
        self.0.get(word).map_or([false; 2], |words| words.map(|word| word & bit != 0))
    }

    /// The young ones are the old ones now.
    fn age(&mut self) {
        for words in &mut self.0 {
            *words = [0, words[0]];
        }
    }
}

impl Default for Noted {
    fn default() -> Self {
        Self(vec![[0; 2]; Self::WORDS].into())
    }
}

/// Takes a name of a message for the hash that it is.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= xxh3_64_with_seed(bytes, 0);
    }

    fn write_u64(&mut self, name: u64) {
        self.0 = name;
    }
}

/// See [`Waiting::save`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct SavedWaiting {
    providers: Vec<String>,
    /// The older generation first: the message, and for each recipient its key and the place of its
    /// provider in `providers`.
    messages: Vec<(u64, Vec<(u64, usize)>)>,
}

impl Waiting {
    /// The form that is saved, with providers by name.
    pub(super) fn save(&self, providers: &Providers) -> SavedWaiting {
        let mut saved = SavedWaiting::default();
        for (message, recipients) in self.old.iter().chain(&self.young) {
            let recipients = recipients.iter().map(|(key, provider)| {
                let name = providers.name(*provider);
                let known = saved.providers.iter().position(|known| known == name);
                let place = known.unwrap_or_else(|| {
                    saved.providers.push(name.to_owned());
                    saved.providers.len() - 1
                });
                (*key, place)
            });
            let recipients = recipients.collect();
            saved.messages.push((*message, recipients));
        }
        saved
    }

    /// Takes over what an earlier run remembered.
    pub(super) fn restore(&mut self, saved: SavedWaiting, providers: &Providers) {
        for (message, recipients) in saved.messages {
            let recipients = recipients.into_iter().take(RECIPIENTS_MAX).map(|(key, place)| {
                let name = saved.providers.get(place);
                (key, name.and_then(|name| providers.id(name)).unwrap_or(ProviderId::OTHER))
            });
            *self.hear_of(message, true) = recipients.collect();
        }
        // Their marks were not saved.
        if !self.young.is_empty() {
            self.noted.note_all();
        }
    }

    /// Providers have other places in the table that is in force now.
    pub(super) fn adopt(&mut self, place: impl Fn(ProviderId) -> ProviderId) {
        for recipients in self.old.values_mut().chain(self.young.values_mut()) {
            for (_, provider) in recipients {
                *provider = place(*provider);
            }
        }
    }

    /// How many messages were forgotten by this process because there was no room.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The recipient was deferred by `provider`.
    pub(super) fn wait(&mut self, source: SourceId, queue_id: &[u8], key: u64, by: ProviderId) {
        self.note(source, queue_id, key, by, true);
    }

    /// The recipient was not attempted: whoever deferred it before still stands.
    pub(super) fn keep(&mut self, source: SourceId, queue_id: &[u8], key: u64, by: ProviderId) {
        self.note(source, queue_id, key, by, false);
    }

    fn note(&mut self, source: SourceId, queue_id: &[u8], key: u64, by: ProviderId, newer: bool) {
        if queue_id.is_empty() {
            return;
        }
        let mark = mark(source, queue_id);
        let [_, may_be_old] = self.noted.may_hold(mark);
        let recipients = self.hear_of(message(source, queue_id), may_be_old);
        if let Some((_, provider)) = recipients.iter_mut().find(|(known, _)| *known == key) {
            if newer {
                *provider = by;
            }
        } else if recipients.len() < RECIPIENTS_MAX {
            recipients.push((key, by));
        }
        self.noted.note(mark);
    }

    /// The recipients of a message, which belongs to the younger generation now.
    fn hear_of(&mut self, message: u64, may_be_old: bool) -> &mut Recipients {
        let known = if may_be_old { self.old.remove(&message) } else { None };
        if self.young.len() >= MESSAGES_MAX && !self.young.contains_key(&message) {
            self.evicted += self.old.len() as u64;
            self.old = std::mem::take(&mut self.young);
            self.noted.age();
        }
        self.young.entry(message).or_insert_with(|| known.unwrap_or_default())
    }

    /// The recipient is done with; who deferred it last.
    #[expect(clippy::inline_always, reason = "hardly any of those that ask ever waited")]
    #[inline(always)]
    pub(super) fn settle(
        &mut self,
        source: SourceId,
        queue_id: &[u8],
        recipient: Recipient<'_>,
    ) -> Option<ProviderId> {
        match self.noted.may_hold(mark(source, queue_id)) {
            [false, false] => None,
            may_hold => self.settle_noted(message(source, queue_id), may_hold, &recipient),
        }
    }

    #[inline(never)]
    fn settle_noted(
        &mut self,
        message: u64,
        [may_be_young, may_be_old]: [bool; 2],
        recipient: &Recipient<'_>,
    ) -> Option<ProviderId> {
        for (messages, may_hold) in [(&mut self.young, may_be_young), (&mut self.old, may_be_old)] {
            if !may_hold {
                continue;
            }
            let Some(recipients) = messages.get_mut(&message) else { continue };
            let key = recipient.key();
            let at = recipients.iter().position(|(known, _)| *known == key)?;
            let (_, provider) = recipients.swap_remove(at);
            if recipients.is_empty() {
                messages.remove(&message);
            }
            return Some(provider);
        }
        None
    }

    /// The message is done with: who deferred each recipient that still waited.
    pub(super) fn settle_all(&mut self, source: SourceId, queue_id: &[u8]) -> Vec<ProviderId> {
        let message = message(source, queue_id);
        let recipients = self.young.remove(&message).or_else(|| self.old.remove(&message));
        recipients.unwrap_or_default().into_iter().map(|(_, provider)| provider).collect()
    }
}

/// Names a message. Two sources may use the same queue id. The name is saved: it must be the same in
/// every run and on every machine.
fn message(source: SourceId, queue_id: &[u8]) -> u64 {
    xxh3_64_with_seed(queue_id, source.index() as u64)
}

/// What tells most messages apart, at less than the price of a name. It is not saved.
#[inline]
fn mark(source: SourceId, queue_id: &[u8]) -> u64 {
    (scan::mixed_ends(queue_id) ^ source.index() as u64).wrapping_mul(scan::SPREAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;

    /// The queue id of a message of a test.
    fn id(number: usize) -> Vec<u8> {
        format!("4dG7{number:X}").into_bytes()
    }

    #[test]
    fn whoever_was_heard_of_lately_is_known() {
        let mut waiting = Waiting::default();
        let source = Ledger::new(&Providers::builtin(), 1000).source("log");
        let defer = |waiting: &mut Waiting, number| {
            waiting.wait(source, &id(number), 7, ProviderId::OTHER);
        };
        for number in 0..5 * MESSAGES_MAX {
            defer(&mut waiting, number);
            // One that is tried again and again.
            defer(&mut waiting, 0);
            let known = waiting.young.len() + waiting.old.len();
            assert_eq!(known as u64 + waiting.evicted(), number as u64 + 1);
            assert!(known <= 2 * MESSAGES_MAX);
        }
        let providers = Providers::builtin();
        let mut restored = Waiting::default();
        restored.restore(waiting.save(&providers), &providers);
        let mut settle = |number| {
            let settled = [&mut waiting, &mut restored].map(|waiting| {
                waiting.settle(source, &id(number), Recipient::with_key(b"", 7)).is_some()
            });
            assert_eq!(settled[0], settled[1]);
            settled[0]
        };
        assert!((4 * MESSAGES_MAX + 1..5 * MESSAGES_MAX).all(&mut settle));
        assert!(settle(0));
        assert!(!settle(0));
        assert!(!(1..2 * MESSAGES_MAX).any(settle));
    }
}
