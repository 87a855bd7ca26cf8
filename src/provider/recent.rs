//! A memory of what was looked up lately: a log names few relay hosts and recipient domains, often.

use super::{ProviderId, Providers};
use crate::scan;

/// How many sets of two places each a memory has. A power of two.
const SETS: usize = 1024;

/// The longest host name, in bytes, that is remembered as one that tells the provider alone: a place
/// is one line of a processor's cache.
const HOST_BYTES_MAX: usize = 60;

/// The longest pair of host and domain that is remembered: a place is two such lines.
const PAIR_BYTES_MAX: usize = 124;

/// Remembers who answered for the relay hosts and recipient domains seen lately.
///
/// All bytes are compared, so that no two names are ever taken for one another. It belongs to one
/// table of providers.
#[derive(Debug, Default)]
pub struct Recent {
    /// The hosts that the table gives to one provider, whoever the recipient is. Nearly all mail goes
    /// to these, and to more domains than could be remembered.
    hosts: Memory<HOST_BYTES_MAX>,
    pairs: Memory<PAIR_BYTES_MAX>,
}

impl Recent {
    /// What [`Providers::lookup`] says, from memory where possible. The domain is asked for only
    /// where it matters.
    #[inline]
    pub fn lookup<'d>(
        &mut self,
        providers: &Providers,
        relay_host: &[u8],
        recipient_domain: impl FnOnce() -> &'d [u8],
    ) -> ProviderId {
        match self.hosts.newer(relay_host, b"") {
            Some(provider) => provider,
            None => self.look_further(providers, relay_host, recipient_domain()),
        }
    }

    /// The same where the host is not the newer one of its set.
    #[inline(never)]
    fn look_further(
        &mut self,
        providers: &Providers,
        relay_host: &[u8],
        recipient_domain: &[u8],
    ) -> ProviderId {
        let known = self.hosts.older(relay_host, b"");
        let known = known.or_else(|| self.pairs.newer(relay_host, recipient_domain));
        let known = known.or_else(|| self.pairs.older(relay_host, recipient_domain));
        known.unwrap_or_else(|| {
            let (provider, alone) = providers.find(relay_host, recipient_domain);
            if !alone || !self.hosts.learn(relay_host, b"", provider) {
                self.pairs.learn(relay_host, recipient_domain, provider);
            }
            provider
        })
    }
}

/// Pairs of host and domain, of which both together have at most so many bytes.
///
/// A pair can stand in the two places of one set, and a new one takes over from the older.
#[derive(Debug)]
struct Memory<const BYTES: usize> {
    sets: Box<[[Slot<BYTES>; 2]]>,
}

/// A place for a pair.
#[derive(Clone, Copy, Debug)]
struct Slot<const BYTES: usize> {
    host_bytes: u8,
    domain_bytes: u8,
    provider: ProviderId,
    /// The host and, right behind it, the domain.
    pair: [u8; BYTES],
}

impl<const BYTES: usize> Default for Memory<BYTES> {
    fn default() -> Self {
        Self { sets: vec![[Slot::EMPTY; 2]; SETS].into() }
    }
}

impl<const BYTES: usize> Memory<BYTES> {
    /// What is known of a pair that is the newer one of its set.
    #[expect(clippy::inline_always, reason = "every delivery comes here")]
    #[inline(always)]
    fn newer(&self, host: &[u8], domain: &[u8]) -> Option<ProviderId> {
        let [newer, _] = self.sets.get(set(host, domain))?;
        newer.is(host, domain).then_some(newer.provider)
    }

    fn older(&self, host: &[u8], domain: &[u8]) -> Option<ProviderId> {
        let [_, older] = self.sets.get(set(host, domain))?;
        older.is(host, domain).then_some(older.provider)
    }

    /// Remembers a pair, unless it is too long; whether it does.
    fn learn(&mut self, host: &[u8], domain: &[u8], provider: ProviderId) -> bool {
        let slot = Slot::new(host, domain, provider);
        let Some(([newer, older], slot)) = self.sets.get_mut(set(host, domain)).zip(slot) else {
            return false;
        };
        *older = std::mem::replace(newer, slot);
        true
    }
}

/// The set of a pair: that of their ends, for names that are alike differ there.
#[inline]
fn set(host: &[u8], domain: &[u8]) -> usize {
    let pair = scan::mixed_ends(host) ^ scan::mixed_ends(domain).rotate_left(17);
    #[expect(clippy::cast_possible_truncation, reason = "only these bits are left")]
    let set = (pair.wrapping_mul(scan::SPREAD) >> (u64::BITS - SETS.ilog2())) as usize;
    set
}

impl<const BYTES: usize> Slot<BYTES> {
    /// No host is that long.
    const EMPTY: Self = Self {
        host_bytes: u8::MAX,
        domain_bytes: 0,
        provider: ProviderId::OTHER,
        pair: [0; BYTES],
    };

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
