//! Patterns of host and domain names, and the search for the longest that matches.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::ProviderId;
use crate::scan;

/// The longest name that DNS can hold, in its text form (RFC 1035 §3.1). Longer ones match nothing.
const NAME_BYTES_MAX: usize = 253;

/// Whose a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// One provider's and nobody else's.
    Alone(ProviderId),
    /// One provider's, unless the recipient's domain says otherwise.
    Shared(ProviderId),
    /// Nobody's in this table, whatever shorter name it stands below.
    Nobody,
}

/// A name, or all names below one; `*` stands for any one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pattern {
    /// In lower case, with neither the sign in front nor a dot at an end.
    name: String,
    /// Whether it means the names below, and not the name itself.
    below: bool,
}

impl Pattern {
    /// A pattern of relay hosts: `=mx.example.com`, `.example.com` or `in.*.example.com`.
    pub(super) fn host(text: &str) -> Result<Self, &'static str> {
        let expected = "expected \"=name\", \".suffix\" or a name with \"*\" for one label";
        if let Some(name) = text.strip_prefix('=') {
            return Self::new(name, false).ok_or(expected);
        }
        if let Some(name) = text.strip_prefix('.') {
            return Self::new(name, true).ok_or(expected);
        }
        Self::new(text, false).filter(Self::has_wildcard).ok_or(expected)
    }

    /// A pattern of recipient domains: `example.com` or `.example.com`.
    pub(super) fn domain(text: &str) -> Result<Self, &'static str> {
        let (name, below) = match text.strip_prefix('.') {
            Some(name) => (name, true),
            None => (text, false),
        };
        Self::new(name, below)
            .filter(|pattern| !pattern.has_wildcard())
            .ok_or("expected a domain, or \".suffix\" for all domains below one")
    }

    fn new(name: &str, below: bool) -> Option<Self> {
        let valid = |label: &str| {
            label == "*"
                || !label.is_empty()
                    && label.len() <= 63
                    && label
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let fits = name.len() <= NAME_BYTES_MAX && name.split('.').all(valid);
        // A name whose last label is open would claim a good part of the world.
        (fits && !name.ends_with('*')).then(|| Self { name: name.to_ascii_lowercase(), below })
    }

    fn has_wildcard(&self) -> bool {
        self.name.split('.').any(|label| label == "*")
    }

    /// How much of a name it fixes: its labels; an exact one has one more than any that means the
    /// names below, and a label is worth more than a wildcard.
    fn weight(&self) -> usize {
        let labels = self.name.split('.').count();
        let open = self.name.split('.').filter(|label| *label == "*").count();
        4 * (labels + usize::from(!self.below)) - usize::from(open > 0)
    }

    /// Whether a name, of which each label is compared, is meant.
    fn matches(&self, name: &[u8]) -> bool {
        let mut labels = name.rsplit(|byte| *byte == b'.');
        for own in self.name.rsplit('.') {
            match labels.next() {
                Some(label) if own == "*" && !label.is_empty() => {}
                Some(label) if label.eq_ignore_ascii_case(own.as_bytes()) => {}
                _ => return false,
            }
        }
        labels.next().is_some() == self.below
    }
}

/// What a pattern is worth: tables in front of others first, then the one that fixes more.
#[derive(Clone, Copy, Debug)]
struct Claim {
    owner: Owner,
    rank: usize,
    weight: usize,
}

/// The claims on one name, on what stands below it, and of patterns whose last `*` stands right
/// before it.
#[derive(Debug)]
struct Literal {
    name: Box<[u8]>,
    exact: Option<Claim>,
    below: Option<Claim>,
    wildcards: Vec<(Pattern, Claim)>,
}

/// All patterns of one kind.
///
/// They are found by a sketch of each suffix of a name. The bytes are compared all the same: nobody
/// gains anything from a name with the same sketch.
#[derive(Debug, Default)]
pub(super) struct Names {
    literals: HashMap<u64, Vec<Literal>, BuildHasherDefault<AsIs>>,
}

impl Names {
    /// Claims a pattern for an owner. A higher `rank` goes first, and a later claim of the same
    /// pattern replaces an earlier one.
    pub(super) fn claim(&mut self, pattern: &Pattern, owner: Owner, rank: usize) {
        let claim = Claim { owner, rank, weight: pattern.weight() };
        let tail = pattern.name.rsplit_once("*.").map(|(_, tail)| tail);
        let name = tail.unwrap_or(&pattern.name).as_bytes();
        // Hardly any two names are alike.
        let alike = self.literals.entry(sketch(name)).or_insert_with(|| Vec::with_capacity(1));
        if !alike.iter().any(|literal| literal.name.as_ref() == name) {
            let name = name.into();
            alike.push(Literal { name, exact: None, below: None, wildcards: Vec::new() });
        }
        for literal in alike.iter_mut().filter(|literal| literal.name.as_ref() == name) {
            if tail.is_some() {
                literal.wildcards.retain(|(known, _)| known != pattern);
                literal.wildcards.push((pattern.clone(), claim));
            } else if pattern.below {
                literal.below = Some(claim);
            } else {
                literal.exact = Some(claim);
            }
        }
    }

    /// Whose the name is. Linear in its length, which is bounded.
    pub(super) fn find(&self, name: &[u8]) -> Option<Owner> {
        let name = name.strip_suffix(b".").unwrap_or(name);
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return None;
        }
        let mut best: Option<Claim> = None;
        let mut consider = |claim: Option<Claim>| {
            if let Some(claim) = claim
                && best.is_none_or(|best| (best.rank, best.weight) <= (claim.rank, claim.weight))
            {
                best = Some(claim);
            }
        };
        for at in memchr::memrchr_iter(b'.', name) {
            let suffix = name.get(at + 1..).unwrap_or_default();
            if let Some(literal) = self.literal(suffix) {
                consider(literal.below);
                for (pattern, claim) in &literal.wildcards {
                    consider(Some(*claim).filter(|_| pattern.matches(name)));
                }
            }
        }
        consider(self.literal(name).and_then(|literal| literal.exact));
        best.map(|claim| claim.owner)
    }

    #[inline]
    fn literal(&self, name: &[u8]) -> Option<&Literal> {
        let alike = self.literals.get(&sketch(name))?;
        alike.iter().find(|literal| literal.name.eq_ignore_ascii_case(name))
    }
}

/// A number that is the same for names that differ only in case, and mostly another for others: it
/// is made of the length and of the first and last eight bytes, at a cost that does not grow with
/// the name.
#[inline]
pub(super) fn sketch(name: &[u8]) -> u64 {
    const SMALL_LETTERS: u64 = 0x2020_2020_2020_2020;
    let [first, last] = scan::ends(name).map(|word| word | SMALL_LETTERS);
    let mixed = (first ^ name.len() as u64).wrapping_mul(scan::SPREAD);
    let mixed = (mixed.rotate_left(29) ^ last).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ mixed >> 32
}

/// Takes a sketch for the hash that it is.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= sketch(bytes);
    }

    fn write_u64(&mut self, sketch: u64) {
        self.0 = sketch;
    }
}
