//! The words, numbers and host names that stay readable in a normal form, because some rule looks for
//! them.

/// The words with digits that some rule looks for; every other one is masked.
#[derive(Debug, Default)]
pub(in crate::reason) struct Vocabulary {
    /// Whole words that hold a digit, sorted.
    words: Vec<Vec<u8>>,
    /// The letters before the digits of such words, sorted: with `s3150` known, `s3140` stays too.
    families: Vec<Vec<u8>>,
    /// The first three digits of numbers of four, sorted: with `120*` known, `1205` stays.
    numbers: Vec<Vec<u8>>,
    /// The last two labels of the host names that stay readable, sorted.
    zones: Vec<Vec<u8>>,
    /// One bit for what any of `words` and `families` hashes to: most words are not there, and
    /// need no search.
    filter: [u64; 16],
}

/// A hash of the ends of a word.
fn sketch(word: &[u8]) -> (usize, u64) {
    let at = |place: usize| word.get(place).copied().map_or(0, usize::from);
    let hash = at(0) * 31 + at(1) * 17 + at(word.len().wrapping_sub(1)) * 7 + word.len();
    (hash / 64 % 16, 1 << (hash % 64))
}

impl Vocabulary {
    /// Keeps the words with digits of a literal.
    pub(in crate::reason) fn learn(&mut self, literal: &[u8]) {
        for word in literal.split(|&byte| byte == b' ') {
            let letters = word.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
            if word.iter().any(u8::is_ascii_digit) {
                let open = literal.ends_with(word) && word.len() == 3 && letters == 0;
                insert(if open { &mut self.numbers } else { &mut self.words }, word);
                self.mark(word);
                if let Some(family) = word.get(..letters).filter(|family| !family.is_empty()) {
                    insert(&mut self.families, family);
                    self.mark(family);
                }
            }
        }
    }

    /// Keeps the host names that end in this zone.
    pub(in crate::reason) fn learn_zone(&mut self, zone: &[u8]) {
        insert(&mut self.zones, zone);
    }

    fn mark(&mut self, word: &[u8]) {
        let (place, bit) = sketch(word);
        if let Some(filter) = self.filter.get_mut(place) {
            *filter |= bit;
        }
    }

    fn may_know(&self, word: &[u8]) -> bool {
        let (place, bit) = sketch(word);
        self.filter.get(place).is_some_and(|filter| filter & bit != 0)
    }

    pub(super) fn knows_word(&self, word: &[u8]) -> bool {
        self.may_know(word)
            && self.words.binary_search_by(|known| known.as_slice().cmp(word)).is_ok()
    }

    pub(super) fn knows_number(&self, number: &[u8]) -> bool {
        let Some(first) = number.get(..3).filter(|_| number.len() == 4) else { return false };
        self.may_know(first)
            && self.numbers.binary_search_by(|known| known.as_slice().cmp(first)).is_ok()
    }

    pub(super) fn knows_family(&self, letters: &[u8]) -> bool {
        self.may_know(letters)
            && self.families.binary_search_by(|known| known.as_slice().cmp(letters)).is_ok()
    }

    pub(super) fn knows_zone(&self, zone: &[u8]) -> bool {
        self.zones.binary_search_by(|known| known.as_slice().cmp(zone)).is_ok()
    }
}

fn insert(sorted: &mut Vec<Vec<u8>>, word: &[u8]) {
    if let Err(place) = sorted.binary_search_by(|known| known.as_slice().cmp(word)) {
        sorted.insert(place, word.to_owned());
    }
}
