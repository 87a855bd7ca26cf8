//! A memory of what was looked up lately: a log names few pairs of relay host and domain, often.

use super::{ProviderId, Providers};
use crate::scan;

/// How many pairs are remembered, two in each set. A power of two.
const SETS: usize = 1024;

/// The longest pair that is remembered, in bytes: a place is two lines of a processor's cache.
const PAIR_BYTES_MAX: usize = 124;

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
#[derive(Clone, Copy, Debug)]
struct Slot {
    host_bytes: u8,
    domain_bytes: u8,
    provider: ProviderId,
    /// The host and, right behind it, the domain.
    pair: [u8; PAIR_BYTES_MAX],
}

impl Slot {
    const EMPTY: Self = Self {
        host_bytes: 0,
        domain_bytes: 0,
        provider: ProviderId::OTHER,
        pair: [0; PAIR_BYTES_MAX],
    };
}

impl Default for Recent {
    fn default() -> Self {
        Self { sets: vec![[Slot::EMPTY; 2]; SETS].into() }
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
        look_further(newer, older, providers, relay_host, recipient_domain)
    }
}

/// What is known of a pair that is not the newer one of its set.
#[inline(never)]
fn look_further(
    newer: &mut Slot,
    older: &mut Slot,
    providers: &Providers,
    relay_host: &[u8],
    recipient_domain: &[u8],
) -> ProviderId {
    if older.is(relay_host, recipient_domain) {
        return older.provider;
    }
    let provider = providers.lookup(relay_host, recipient_domain);
    if let Some(slot) = Slot::new(relay_host, recipient_domain, provider) {
        *older = std::mem::replace(newer, slot);
    }
    provider
}

/// The set of a pair: that of their ends, for names that are alike differ there.
#[inline]
fn set(host: &[u8], domain: &[u8]) -> usize {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let pair = scan::sketch(host) ^ scan::sketch(domain).rotate_left(17);
    #[expect(clippy::cast_possible_truncation, reason = "only these bits are left")]
    let set = (pair.wrapping_mul(SPREAD) >> (u64::BITS - SETS.ilog2())) as usize;
    set
}

impl Slot {
    /// A pair to remember, unless it is too long.
    fn new(host: &[u8], domain: &[u8], provider: ProviderId) -> Option<Self> {
        let mut slot = Self {
            host_bytes: u8::try_from(host.len()).ok()?,
            domain_bytes: u8::try_from(domain.len()).ok()?,
            provider,
            ..Self::EMPTY
        };
        let (first, rest) = slot.pair.split_at_mut_checked(host.len())?;
        first.copy_from_slice(host);
        rest.get_mut(..domain.len())?.copy_from_slice(domain);
        Some(slot)
    }

    #[expect(clippy::inline_always, reason = "every delivery comes here")]
    #[inline(always)]
    fn is(&self, host: &[u8], domain: &[u8]) -> bool {
        let (host_end, domain_end) = (host.len(), host.len() + domain.len());
        let (Some(own_host), Some(own_domain)) =
            (self.pair.get(..host_end), self.pair.get(host_end..domain_end))
        else {
            return false;
        };
        usize::from(self.host_bytes) == host.len()
            && usize::from(self.domain_bytes) == domain.len()
            && scan::same(own_host, host)
            && scan::same(own_domain, domain)
    }
}
