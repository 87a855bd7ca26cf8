//! A memory of what was looked up lately: a log names few pairs of relay host and domain, often.

use super::name::sketch;
use super::{ProviderId, Providers};

/// How many pairs are remembered. A power of two.
const SLOTS: usize = 2048;

/// The longest pair that is worth remembering, in bytes.
const PAIR_BYTES_MAX: usize = 160;

/// Remembers who answered for the pairs of relay host and recipient domain seen lately.
///
/// A pair has one place, which the next pair with that place takes over: bounded, without order or
/// age. All bytes are compared, so that no two names are ever taken for one another. It belongs to
/// one table of providers.
#[derive(Debug)]
pub struct Recent {
    slots: Box<[Slot]>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    /// The host and, right behind it, the domain.
    pair: Vec<u8>,
    host_bytes: usize,
    provider: Option<ProviderId>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); SLOTS].into() }
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
        let Some(slot) = self.slots.get_mut(place(relay_host, recipient_domain)) else {
            return providers.lookup(relay_host, recipient_domain);
        };
        if let Some(provider) = slot.provider
            && slot.is(relay_host, recipient_domain)
        {
            return provider;
        }
        slot.fill(providers, relay_host, recipient_domain)
    }
}

#[inline]
fn place(host: &[u8], domain: &[u8]) -> usize {
    let pair = sketch(host).rotate_left(17) ^ sketch(domain);
    #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits are wanted")]
    let place = pair as usize & (SLOTS - 1);
    place
}

impl Slot {
    #[inline]
    fn is(&self, host: &[u8], domain: &[u8]) -> bool {
        self.pair.split_at_checked(self.host_bytes) == Some((host, domain))
    }

    #[inline(never)]
    fn fill(&mut self, providers: &Providers, host: &[u8], domain: &[u8]) -> ProviderId {
        let provider = providers.lookup(host, domain);
        if host.len() + domain.len() <= PAIR_BYTES_MAX {
            self.pair.clear();
            self.pair.extend_from_slice(host);
            self.pair.extend_from_slice(domain);
            self.host_bytes = host.len();
            self.provider = Some(provider);
        }
        provider
    }
}
