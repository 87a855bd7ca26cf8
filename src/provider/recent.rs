//! A memory of what was looked up lately: a log names few pairs of relay host and domain, often.

use super::name::sketch;
use super::{ProviderId, Providers};

/// How many pairs are remembered, two in each set. A power of two.
const SETS: usize = 1024;

/// The longest pair that is worth remembering, in bytes.
const PAIR_BYTES_MAX: usize = 160;

/// Remembers who answered for the pairs of relay host and recipient domain seen lately.
///
/// A pair can stand in the two places of one set, and a new one takes over from the older. All
/// bytes are compared, so that no two names are ever taken for one another. It belongs to one table
/// of providers.
#[derive(Debug)]
pub struct Recent {
    sets: Box<[[Slot; 2]]>,
}

/// Empty at first, and so the pair of no host and no domain, who is nobody.
#[derive(Clone, Debug)]
struct Slot {
    /// The host and, right behind it, the domain.
    pair: Vec<u8>,
    host_bytes: usize,
    provider: ProviderId,
}

impl Default for Slot {
    fn default() -> Self {
        Self { pair: Vec::new(), host_bytes: 0, provider: ProviderId::OTHER }
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self { sets: vec![<[Slot; 2]>::default(); SETS].into() }
    }
}

impl Recent {
    /// What [`Providers::lookup`] says, from memory where possible.
    #[inline]
    pub fn lookup(
        &mut self,
        providers: &Providers,
        relay_host: &[u8],
        recipient_domain: &[u8],
    ) -> ProviderId {
        let Some([newer, older]) = self.sets.get_mut(set(relay_host, recipient_domain)) else {
            return providers.lookup(relay_host, recipient_domain);
        };
        if newer.is(relay_host, recipient_domain) {
            return newer.provider;
        }
        if older.is(relay_host, recipient_domain) {
            return older.provider;
        }
        if relay_host.len() + recipient_domain.len() > PAIR_BYTES_MAX {
            return providers.lookup(relay_host, recipient_domain);
        }
        std::mem::swap(newer, older);
        newer.fill(providers, relay_host, recipient_domain)
    }
}

/// The set of a pair.
#[inline]
fn set(host: &[u8], domain: &[u8]) -> usize {
    let pair = sketch(host).rotate_left(17) ^ sketch(domain);
    #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits are wanted")]
    let set = pair as usize & (SETS - 1);
    set
}

impl Slot {
    #[inline]
    fn is(&self, host: &[u8], domain: &[u8]) -> bool {
        self.pair.split_at_checked(self.host_bytes) == Some((host, domain))
    }

    #[inline(never)]
    fn fill(&mut self, providers: &Providers, host: &[u8], domain: &[u8]) -> ProviderId {
        self.provider = providers.lookup(host, domain);
        self.pair.clear();
        self.pair.extend_from_slice(host);
        self.pair.extend_from_slice(domain);
        self.host_bytes = host.len();
        self.provider
    }
}
