//! Who still waits in the queue, so that an expiry that names nobody can be counted for them.

use std::hash::BuildHasher;

use lru::LruCache;
use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use crate::ledger::SourceId;
use crate::provider::ProviderId;

/// How many queue ids are remembered; the one not heard of for longest is forgotten first.
const MESSAGES_MAX: usize = 32_768;
/// How many recipients of one message are remembered.
const RECIPIENTS_MAX: usize = 1_024;

/// The recipients whose last attempt was deferred, by message. Bounded.
#[derive(Debug)]
pub(super) struct Waiting {
    messages: LruCache<u64, Vec<(u64, ProviderId)>, Xxh3DefaultBuilder>,
}

impl Default for Waiting {
    fn default() -> Self {
        let mut messages = LruCache::unbounded_with_hasher(Xxh3DefaultBuilder::new());
        if let Ok(max) = MESSAGES_MAX.try_into() {
            messages.resize(max);
        }
        Self { messages }
    }
}

impl Waiting {
    /// Providers have other places in the table that is in force now.
    pub(super) fn adopt(&mut self, place: impl Fn(ProviderId) -> ProviderId) {
        for (_, recipients) in &mut self.messages {
            for (_, provider) in recipients {
                *provider = place(*provider);
            }
        }
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
        let recipients = self.messages.get_or_insert_mut(message(source, queue_id), Vec::new);
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

/// Names a message. Two sources may use the same queue id.
fn message(source: SourceId, queue_id: &[u8]) -> u64 {
    Xxh3DefaultBuilder::new().hash_one((source.index(), queue_id))
}
