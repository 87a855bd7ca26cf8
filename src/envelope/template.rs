//! The bytes that lines begin with. One of a file begins as the next one does, but for its digits.

use wide::u8x16;

/// How many bytes are compared at once.
pub(super) const LANE: usize = size_of::<u8x16>();

/// A beginning of at most so many lanes: in each place one byte or any digit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template<const LANES: usize> {
    lanes: [Lane; LANES],
    /// How many lanes it has; 0 where nothing begins so.
    used: usize,
}

/// Sixteen bytes of a template.
#[derive(Clone, Copy, Debug)]
struct Lane {
    bytes: u8x16,
    /// By how much, in the sense of an exclusive or, the byte in a place may differ.
    range: u8x16,
}

/// Begins like nothing that anybody writes: at a look, only zeros do.
impl<const LANES: usize> Default for Template<LANES> {
    fn default() -> Self {
        Self { lanes: [Lane { bytes: u8x16::ZERO, range: u8x16::ZERO }; LANES], used: 0 }
    }
}

impl<const LANES: usize> Template<LANES> {
    /// This beginning, with any digit in the places whose bits are set in `digits`; `None` if it is
    /// too long, or empty: all would begin so.
    pub(super) fn of(beginning: &[u8], digits: u64) -> Option<Self> {
        if beginning.is_empty() || beginning.len() > LANES * LANE {
            return None;
        }
        let used = beginning.len().div_ceil(LANE);
        let mut template =
            Self { lanes: [Lane { bytes: u8x16::ZERO, range: u8x16::MAX }; LANES], used };
        for (at, byte) in beginning.iter().enumerate() {
            // The bits of a digit differ from those of 0 by its number.
            let (byte, range) = if digits >> at & 1 == 1 { (b'0', 9) } else { (*byte, 0) };
            let Some(lane) = template.lanes.get_mut(at / LANE) else { break };
            for (vector, value) in [(&mut lane.bytes, byte), (&mut lane.range, range)] {
                if let Some(place) = vector.as_mut_array().get_mut(at % LANE) {
                    *place = value;
                }
            }
        }
        Some(template)
    }

    /// Whether `text` begins so. A text that ends within the last lane is not compared.
    pub(super) fn begins(&self, text: &[u8]) -> bool {
        let lanes = self.lanes.get(..self.used).unwrap_or_default();
        let chunks = text.as_chunks().0.get(..self.used);
        chunks.is_some_and(|chunks| fit(lanes, chunks)) && self.used > 0
    }

    /// The same at the least price, for a text of which these are the first bytes, and with zeros
    /// like an empty template. Mostly half of the lanes are enough.
    #[expect(clippy::inline_always, reason = "every line comes here")]
    #[inline(always)]
    pub(super) fn begins_near(&self, near: &[[u8; LANE]; LANES]) -> bool {
        let half = LANES / 2;
        let ((first, more), (own, own_more)) = (near.split_at(half), self.lanes.split_at(half));
        if !fit(own, first) {
            return false;
        }
        if self.used <= half {
            return true;
        }
        seldom();
        fit(own_more, more)
    }
}

/// Tells the compiler not to put in the way of all else what follows this.
#[cold]
#[inline]
fn seldom() {}

/// Whether all bytes may stand in their places.
#[inline]
fn fit(lanes: &[Lane], chunks: &[[u8; LANE]]) -> bool {
    let beyond = |(lane, chunk): (&Lane, &[u8; LANE])| {
        (u8x16::new(*chunk) ^ lane.bytes).saturating_sub(lane.range)
    };
    let beyond = lanes.iter().zip(chunks).map(beyond).fold(u8x16::ZERO, |all, more| all | more);
    beyond == u8x16::ZERO
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_digits_are_digits() {
        for byte in 0..=u8::MAX {
            for place in 0..LANE {
                let template = Template::<4>::of(&[b'x'; 17], 1 << place).unwrap();
                let mut text = [b'x'; 64];
                text[place] = byte;
                assert_eq!(template.begins(&text), byte.is_ascii_digit(), "{byte:#x}");
                assert_eq!(
                    template.begins_near(text.as_chunks().0.first_chunk().unwrap()),
                    byte.is_ascii_digit(),
                    "{byte:#x}"
                );
                text[place] = b'7';
                text[(place + 1) % LANE] = b'1';
                assert!(!template.begins(&text), "only there");
            }
        }
    }

    #[test]
    fn nothing_begins_with_nothing() {
        assert!(Template::<4>::of(b"", 0).is_none());
        let (empty, text) = (Template::<4>::default(), [b'x'; 64]);
        assert!(!empty.begins(&text) && !empty.begins(&[0; 64]));
        assert!(!empty.begins_near(text.as_chunks().0.first_chunk().unwrap()));
    }

    proptest! {
        #[test]
        fn texts_begin_as_they_do(
            beginning in "[ab01]{0,70}", text in "[ab019]{0,80}", digits in any::<u64>(), same in any::<bool>(),
        ) {
            let text = if same { format!("{beginning}{text}") } else { text };
            let (beginning, text) = (beginning.as_bytes(), text.as_bytes());
            let right = |(at, (one, other)): (usize, (&u8, &u8))| {
                if digits >> at & 1 == 1 { other.is_ascii_digit() } else { one == other }
            };
            let usable = !beginning.is_empty() && beginning.len() <= 64;
            let begins = usable
                && text.len() >= beginning.len().next_multiple_of(LANE)
                && beginning.iter().zip(text).enumerate().all(right);
            let template = Template::<4>::of(beginning, digits);
            prop_assert_eq!(template.is_some(), usable);
            let template = template.unwrap_or_default();
            prop_assert_eq!(template.begins(text), begins);
            if let Some(near) = text.as_chunks().0.first_chunk() {
                prop_assert_eq!(template.begins_near(near), begins);
            }
        }
    }
}
