//! Finds the literals of all patterns in a text, in one pass.
//!
//! Nearly all literals begin with a space, for a word begins there: so only few places of a text are
//! looked at, and there a search in the sorted literals finds the longest one, and with it all others
//! that it begins with. That is ready at once, where an automaton would have to be built at every
//! start for texts of which hardly any is new.

use std::collections::BTreeMap;
use std::ops::Range;

use super::pattern::Literal;
use crate::scan;

/// All literals.
#[derive(Debug)]
pub(super) struct Dictionary {
    /// In the order of their bytes.
    entries: Vec<Entry>,
    /// For each byte, the entries that begin with a space and that byte.
    words: Ranges,
    /// For each byte, the entries that begin with it. No place of a space is looked up here.
    others: Ranges,
}

/// Entries by one of their bytes.
type Ranges = [Range<usize>; 256];

#[derive(Debug)]
struct Entry {
    bytes: Vec<u8>,
    literal: Literal,
    /// The place of the longest other entry that this one begins with.
    shorter: Option<usize>,
}

impl Dictionary {
    /// The dictionary of these literals, each of at least two bytes.
    pub(super) fn new(literals: BTreeMap<Vec<u8>, Literal>) -> Self {
        let mut entries: Vec<Entry> = Vec::with_capacity(literals.len());
        let (mut words, mut others) = ([const { 0..0 }; 256], [const { 0..0 }; 256]);
        // The last entry, the one that it begins with, and so on.
        let mut open: Vec<usize> = Vec::new();
        for (place, (bytes, literal)) in literals.into_iter().enumerate() {
            let begins =
                |at: usize| entries.get(at).is_some_and(|entry| bytes.starts_with(&entry.bytes));
            while open.pop_if(|last| !begins(*last)).is_some() {}
            let range = match *bytes {
                [b' ', second, ..] => words.get_mut(usize::from(second)),
                [first, ..] => others.get_mut(usize::from(first)),
                [] => None,
            };
            if let Some(range) = range {
                let start = if Range::is_empty(range) { place } else { range.start };
                *range = start..place + 1;
            }
            entries.push(Entry { bytes, literal, shorter: open.last().copied() });
            open.push(place);
        }
        Self { entries, words, others }
    }

    /// Calls `found` with each literal that stands in the text, its start and its end, from left to
    /// right by its start.
    pub(super) fn find(&self, text: &[u8], mut found: impl FnMut(Literal, usize, usize)) {
        let mut rest = text;
        while let [first, after @ ..] = rest {
            let range = match (first, after) {
                (b' ', [second, ..]) => self.words.get(usize::from(*second)),
                _ => self.others.get(usize::from(*first)),
            };
            if let Some(range) = range.filter(|range| !Range::is_empty(range)) {
                let start = text.len() - rest.len();
                self.find_at(range, rest, |literal, length| found(literal, start, start + length));
            }
            rest = after;
        }
    }

    /// Calls `found` with each literal of the range that the text begins with, and its length.
    fn find_at(&self, range: &Range<usize>, text: &[u8], mut found: impl FnMut(Literal, usize)) {
        let Some(near) = self.entries.get(range.start..range.end) else { return };
        // Whatever the text begins with is the last entry that is not behind it in the order, or one
        // that this begins with.
        let behind = range.start + near.partition_point(|entry| entry.bytes.as_slice() <= text);
        let mut last = behind.checked_sub(1).and_then(|last| self.entries.get(last));
        let Some(common) = last.map(|last| scan::common_length(&last.bytes, text)) else { return };
        while let Some(entry) = last {
            if entry.bytes.len() <= common {
                found(entry.literal, entry.bytes.len());
            }
            last = entry.shorter.and_then(|shorter| self.entries.get(shorter));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_literals_are_found_wherever_they_stand(
            literals in proptest::collection::btree_set(" ?[ab]{1,4} ?\u{e9}?", 0..40),
            text in "[ab \u{e9}]{0,60}",
        ) {
            let literals: BTreeSet<String> =
                literals.into_iter().filter(|literal| literal.len() > 1).collect();
            let numbered = literals.iter().zip(0..);
            let dictionary = Dictionary::new(
                numbered.clone().map(|(text, n)| (text.clone().into_bytes(), Literal(n))).collect(),
            );
            let mut found = Vec::new();
            dictionary.find(text.as_bytes(), |literal, start, end| {
                found.push((start, end, literal));
            });
            prop_assert!(found.is_sorted_by_key(|(start, ..)| start));
            found.sort();
            let mut expected = Vec::new();
            for (literal, number) in numbered {
                for start in 0..text.len() {
                    if text.as_bytes()[start..].starts_with(literal.as_bytes()) {
                        expected.push((start, start + literal.len(), Literal(number)));
                    }
                }
            }
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
