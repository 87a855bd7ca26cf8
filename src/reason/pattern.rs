//! What a rule looks for in a normal form: words, not sentences.
//!
//! ```text
//! pattern  = chain *( " + " chain )       all of them, in any order
//! chain    = term *( gap term )           in this order
//! gap      = " . " / " .. "               at most a word or two apart; at most 60 bytes apart
//! term     = words with `(a|b)` for a choice, `*` at an end for "whatever follows here",
//!            `-` for "one word or two"
//! ```
//!
//! `"(mailbox|inbox) .. full"`, `"black-list*"`, `"dkim + not pass*"`, `"blocked using HOST"`.
//! A pattern is found with literals alone, in one pass over the text for all patterns of all rules.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::normal::{MASKS, fold};

/// The farthest that two terms with ` .. ` between them may stand apart, in bytes.
const GAP_MAX: usize = 60;

/// The same for ` . `: a word or two.
const NEAR_MAX: usize = 16;

/// The most literals that one term may stand for.
const CHOICES_MAX: usize = 256;

/// A pattern: all chains must be found.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) chains: Box<[Chain]>,
}

/// Terms in this order.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) terms: Box<[Term]>,
}

/// The literals, any of which will do.
#[derive(Debug)]
pub(super) struct Term {
    pub(super) literals: Box<[Literal]>,
    /// How far it may stand behind the term before it.
    gap: usize,
}

/// An index into the list of all literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Literal(pub(super) u16);

impl Literal {
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// All literals of all patterns, each once.
#[derive(Debug, Default)]
pub(super) struct Literals {
    pub(super) places: BTreeMap<Vec<u8>, Literal>,
    /// How many bytes each has.
    pub(super) lengths: Vec<usize>,
}

impl Literals {
    fn add(&mut self, bytes: Vec<u8>) -> Result<Literal, String> {
        match self.places.entry(bytes) {
            Entry::Occupied(known) => Ok(*known.get()),
            Entry::Vacant(new) => {
                let place = u16::try_from(self.lengths.len()).map_err(|_| "too many literals")?;
                self.lengths.push(new.key().len());
                Ok(*new.insert(Literal(place)))
            }
        }
    }

    /// Compiles a pattern.
    ///
    /// # Errors
    /// Says what was expected, where the text is no pattern.
    pub(super) fn compile(&mut self, text: &str) -> Result<Pattern, String> {
        // Most are one term, and a search for the signs costs more than the term.
        if !text.contains(['+', '.']) {
            let term = Term { literals: self.term(text)?.into(), gap: GAP_MAX };
            return Ok(Pattern { chains: [Chain { terms: [term].into() }].into() });
        }
        let mut chains = Vec::new();
        for chain in text.split(" + ") {
            let mut terms = Vec::new();
            for far in chain.split(" .. ") {
                for (place, near) in far.split(" . ").enumerate() {
                    let gap = if place == 0 { GAP_MAX } else { NEAR_MAX };
                    terms.push(Term { literals: self.term(near)?.into(), gap });
                }
            }
            chains.push(Chain { terms: terms.into() });
        }
        Ok(Pattern { chains: chains.into() })
    }

    fn term(&mut self, text: &str) -> Result<Vec<Literal>, String> {
        let mut literals = Vec::new();
        let mut add = |choice: &str| {
            let literal = self.add(literal(choice)?)?;
            if !literals.contains(&literal) {
                literals.push(literal);
            }
            Ok(())
        };
        let too_many = || format!("expected at most {CHOICES_MAX} choices in one term");
        let mut count = 0;
        let mut of_choice = |choice: &str| {
            count += 1;
            if count > CHOICES_MAX {
                return Err(too_many());
            }
            if !choice.contains('-') {
                return add(choice);
            }
            add(&choice.replace('-', ""))?;
            add(&choice.replace('-', " "))
        };
        if text.matches('(').count() > CHOICES_MAX {
            return Err(too_many());
        }
        each_choice(&mut String::new(), text, &mut of_choice)?;
        Ok(literals)
    }
}

/// Calls `each` with `text` and behind it each text that the rest of a term stands for: its choices
/// multiplied out.
fn each_choice(
    text: &mut String,
    rest: &str,
    each: &mut impl FnMut(&str) -> Result<(), String>,
) -> Result<(), String> {
    let Some((before, after)) = rest.split_once('(') else {
        text.push_str(rest);
        return each(text);
    };
    let (inside, after) =
        after.split_once(')').ok_or("expected a `)` after `(`, but found none")?;
    text.push_str(before);
    let length = text.len();
    for choice in inside.split('|') {
        text.push_str(choice);
        each_choice(text, after, each)?;
        text.truncate(length);
    }
    Ok(())
}

/// The bytes to look for: a space where a word must begin or end.
fn literal(choice: &str) -> Result<Vec<u8>, String> {
    let words = choice.trim_ascii();
    let (open_start, words) = words.strip_prefix('*').map_or((false, words), |rest| (true, rest));
    let (open_end, words) = words.strip_suffix('*').map_or((false, words), |rest| (true, rest));
    if words.len() < 2 {
        return Err(format!("expected at least two letters, but found \"{choice}\""));
    }
    let mut bytes = Vec::with_capacity(words.len() + 2);
    if !open_start {
        bytes.push(b' ');
    }
    for (place, word) in words.split_ascii_whitespace().enumerate() {
        if place > 0 {
            bytes.push(b' ');
        }
        let simple = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if word.bytes().all(simple) || MASKS.contains(&word) {
            bytes.extend_from_slice(word.as_bytes());
        } else if word.bytes().all(|byte| simple(byte) || byte >= 0x80 || byte == b'\'') {
            fold(word.replace('\'', "").as_bytes(), &mut bytes);
        } else {
            return Err(format!(
                "expected words in lower case, `*` at an end, `..` or `+`, but found \"{word}\""
            ));
        }
    }
    if !open_end {
        bytes.push(b' ');
    }
    Ok(bytes)
}

/// Where the literals were found in one text.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// For each literal, where its places begin in `places`; `u32::MAX` for none.
    heads: Vec<u32>,
    /// Start and end of each place, and the next place of the same literal.
    places: Vec<Place>,
    /// The literals that were found, to take the heads back.
    found: Vec<Literal>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    end: u32,
    next: u32,
    last: u32,
    count: u32,
}

const NONE: u32 = u32::MAX;

/// How many places of one literal are looked at: a text that says a word more often says nothing
/// more by it, and the cost stays linear.
const PLACES_MAX: u32 = 6;

impl Findings {
    /// Forgets everything; there are that many literals.
    pub(super) fn clear(&mut self, literals: usize) {
        for literal in self.found.drain(..) {
            if let Some(head) = self.heads.get_mut(literal.index()) {
                *head = NONE;
            }
        }
        self.heads.resize(literals, NONE);
        self.places.clear();
    }

    /// Notes a place; true for the first one of that literal. Places come in the order of their
    /// ends.
    pub(super) fn note(&mut self, literal: Literal, start: usize, end: usize) -> bool {
        let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) else { return false };
        let own = u32::try_from(self.places.len()).unwrap_or(NONE);
        let Some(head) = self.heads.get_mut(literal.index()) else { return false };
        let place = Place { start, end, next: NONE, last: own, count: 1 };
        if *head == NONE {
            *head = own;
            self.places.push(place);
            self.found.push(literal);
            return true;
        }
        let first = *head as usize;
        let Some(head) = self.places.get_mut(first) else { return false };
        if head.count == PLACES_MAX {
            return false;
        }
        let before = head.last as usize;
        head.last = own;
        head.count += 1;
        if let Some(before) = self.places.get_mut(before) {
            before.next = own;
        }
        self.places.push(place);
        false
    }

    fn places(&self, literal: Literal) -> impl Iterator<Item = (usize, usize)> {
        let mut at = self.heads.get(literal.index()).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let place = self.places.get(at as usize)?;
            at = place.next;
            Some((place.start as usize, place.end as usize))
        })
    }

    /// Where a literal was found first.
    pub(super) fn first(&self, literal: Literal) -> Option<usize> {
        self.places(literal).next().map(|(start, _)| start)
    }

    /// Whether the text holds the pattern between these places.
    pub(super) fn holds(&self, pattern: &Pattern, from: usize, to: usize) -> bool {
        pattern.chains.iter().all(|chain| match chain.terms.split_first() {
            Some((first, rest)) => self
                .of_term(first)
                .filter(|(start, end)| *start >= from && *end <= to)
                .any(|(_, end)| self.follows(rest, end, to)),
            None => true,
        })
    }

    /// Whether these terms follow one another, the first one near `after`.
    fn follows(&self, terms: &[Term], after: usize, to: usize) -> bool {
        let Some((term, rest)) = terms.split_first() else { return true };
        self.of_term(term)
            // A word that ends and one that begins share the space between them.
            .filter(|(start, end)| *start + 1 >= after && *start < after + term.gap && *end <= to)
            .any(|(_, end)| self.follows(rest, end, to))
    }

    fn of_term<'f>(&'f self, term: &'f Term) -> impl Iterator<Item = (usize, usize)> + 'f {
        term.literals.iter().flat_map(|literal| self.places(*literal))
    }
}
