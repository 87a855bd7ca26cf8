//! Who still waits in the queue, so that an expiry that names nobody can be counted for them.

use std::hash::{BuildHasherDefault, Hasher};

use lru::LruCache;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::ledger::SourceId;
use crate::provider::{ProviderId, Providers};

/// How many queue ids are remembered; the one not heard of for longest is forgotten first.
const MESSAGES_MAX: usize = 32_768;
/// How many recipients of one message are remembered.
const RECIPIENTS_MAX: usize = 1_024;

/// The recipients of one message, by their keys, with who deferred them. Mostly there is one.
type Recipients = SmallVec<[(u64, ProviderId); 1]>;

/// The recipients whose last attempt was deferred, by message. Bounded.
#[derive(Debug)]
pub(super) struct Waiting {
    messages: LruCache<u64, Recipients, BuildHasherDefault<AsIs>>,
    evicted: u64,
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
    /// From the one not heard of for longest: the message, and for each recipient its key and the
    /// place of its provider in `providers`.
    messages: Vec<(u64, Vec<(u64, usize)>)>,
}

impl Default for Waiting {
    fn default() -> Self {
        let mut messages = LruCache::unbounded_with_hasher(BuildHasherDefault::default());
        if let Ok(max) = MESSAGES_MAX.try_into() {
            messages.resize(max);
        }
        Self { messages, evicted: 0 }
    }
}

impl Waiting {
    /// The form that is saved, with providers by name.
    pub(super) fn save(&self, providers: &Providers) -> SavedWaiting {
        let mut saved = SavedWaiting::default();
        for (message, recipients) in self.messages.iter().rev() {
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
            self.messages.put(message, recipients.collect());
        }
    }

    /// Providers have other places in the table that is in force now.
    pub(super) fn adopt(&mut self, place: impl Fn(ProviderId) -> ProviderId) {
        for (_, recipients) in &mut self.messages {
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
        let message = message(source, queue_id);
        if self.messages.len() >= MESSAGES_MAX && !self.messages.contains(&message) {
            self.evicted += 1;
        }
        let recipients = self.messages.get_or_insert_mut(message, Recipients::new);
        if let Some((_, provider)) = recipients.iter_mut().find(|(known, _)| *known == key) {
            if newer {
                *provider = by;
            }
        } else if recipients.len() < RECIPIENTS_MAX {
            recipients.push((key, by));
        }
    }

    /// The recipient is done with; who deferred it last.
    pub(super) fn settle(
        &mut self,
        source: SourceId,
        queue_id: &[u8],
        key: u64,
    ) -> Option<ProviderId> {
        if self.messages.is_empty() || queue_id.is_empty() {
            return None;
        }
        let message = message(source, queue_id);
        let recipients = self.messages.peek_mut(&message)?;
        let at = recipients.iter().position(|(known, _)| *known == key)?;
        let (_, provider) = recipients.swap_remove(at);
        if recipients.is_empty() {
            self.messages.pop(&message);
        }
        Some(provider)
    }

    /// The message is done with: who deferred each recipient that still waited.
    pub(super) fn settle_all(&mut self, source: SourceId, queue_id: &[u8]) -> Vec<ProviderId> {
        let recipients = self.messages.pop(&message(source, queue_id)).unwrap_or_default();
        recipients.into_iter().map(|(_, provider)| provider).collect()
    }
}

/// Names a message. Two sources may use the same queue id. The name is saved: it must be the same in
/// every run and on every machine.
fn message(source: SourceId, queue_id: &[u8]) -> u64 {
    xxh3_64_with_seed(queue_id, source.index() as u64)
}
