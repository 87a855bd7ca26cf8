//! The counters of one provider's enhanced status codes.

use crate::smtp::EnhancedStatusCode;

/// How often each code came, in the order of the codes; `None` is `other`, and stands first.
///
/// A provider gives few codes, and mostly the one that it gave last.
#[derive(Clone, Debug, Default)]
pub struct EnhancedCounts {
    counts: Vec<(Option<EnhancedStatusCode>, u64)>,
    /// The place of the code that was asked for last.
    last: usize,
}

impl EnhancedCounts {
    /// The counter of a code, if its series exists.
    #[expect(clippy::inline_always, reason = "nearly every reply comes here")]
    #[inline(always)]
    pub(super) fn get_mut(&mut self, code: Option<EnhancedStatusCode>) -> Option<&mut u64> {
        let is_last = self.counts.get(self.last).is_some_and(|(last, _)| *last == code);
        if !is_last {
            self.last = self.place(code).ok()?;
        }
        self.counts.get_mut(self.last).map(|(_, value)| value)
    }

    /// Makes the series of a code exist; whether it is new.
    pub(super) fn create(&mut self, code: Option<EnhancedStatusCode>) -> bool {
        let place = self.place(code);
        if let Err(place) = place {
            self.counts.insert(place, (code, 0));
        }
        place.is_err()
    }

    /// Where the code stands, or where it would.
    #[inline(never)]
    fn place(&self, code: Option<EnhancedStatusCode>) -> Result<usize, usize> {
        self.counts.binary_search_by_key(&code, |(known, _)| *known)
    }

    /// The codes and their values.
    pub fn iter(&self) -> impl Iterator<Item = (Option<EnhancedStatusCode>, u64)> {
        self.counts.iter().copied()
    }

    /// How many series there are.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn codes_are_counted_each_for_itself(
            asked in prop::collection::vec((0u16..6, any::<bool>(), 1u64..5), 0..60),
        ) {
            let mut counts = EnhancedCounts::default();
            let mut expected = BTreeMap::new();
            for (detail, creates, times) in asked {
                let code = EnhancedStatusCode::new(2, 0, detail).filter(|_| detail > 0);
                if creates {
                    let is_new = !expected.contains_key(&code);
                    prop_assert_eq!(counts.create(code), is_new);
                    *counts.get_mut(code).unwrap() += times;
                    *expected.entry(code).or_insert(0) += times;
                } else {
                    let value = counts.get_mut(code);
                    prop_assert_eq!(value.is_some(), expected.contains_key(&code));
                    if let (Some(value), Some(expected)) = (value, expected.get_mut(&code)) {
                        *value += times;
                        *expected += times;
                    }
                }
                prop_assert!(counts.iter().eq(expected.iter().map(|(code, value)| (*code, *value))));
                prop_assert_eq!(counts.len(), expected.len());
            }
        }
    }
}
