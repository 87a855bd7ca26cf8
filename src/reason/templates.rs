//! The most frequent replies that no rule knows: what rules to write next.
//!
//! Space-saving (Metwally, Agrawal, El Abbadi 2005): a fixed number of counters; a text that has
//! none takes over that of the least frequent one, with its count as the possible error.

/// How many texts are counted at a time.
const COUNTERS: usize = 256;

/// The most bytes of a text that are kept.
const LENGTH_MAX: usize = 400;

/// A text that no rule knows, masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The codes and the words of the reply; see `normal.rs` for what stands for what.
    pub text: String,
    /// How often it came, at most.
    pub count: u64,
    /// By how much `count` may be too large.
    pub error: u64,
}

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Templates {
    counters: Vec<Counter>,
}

#[derive(Debug)]
struct Counter {
    hash: u64,
    text: Vec<u8>,
    count: u64,
    error: u64,
}

impl Templates {
    /// Counts one text under its hash.
    pub(super) fn count(&mut self, hash: u64, codes: &[u8], text: &[u8]) {
        if let Some(counter) = self.counters.iter_mut().find(|counter| counter.hash == hash) {
            counter.count += 1;
            return;
        }
        let mut kept = codes.to_vec();
        kept.extend_from_slice(text.get(..LENGTH_MAX).unwrap_or(text));
        if self.counters.len() < COUNTERS {
            self.counters.push(Counter { hash, text: kept, count: 1, error: 0 });
        } else if let Some(least) = self.counters.iter_mut().min_by_key(|counter| counter.count) {
            *least = Counter { hash, text: kept, count: least.count + 1, error: least.count };
        }
    }

    /// The texts, the most frequent ones first.
    pub(super) fn top(&self) -> Vec<Template> {
        let mut templates: Vec<Template> = self
            .counters
            .iter()
            .map(|counter| Template {
                text: String::from_utf8_lossy(&counter.text).trim().replace("\n ", "| "),
                count: counter.count,
                error: counter.error,
            })
            .collect();
        templates.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.text.cmp(&b.text)));
        templates
    }
}
