//! How the table of codes names several codes at once.

use crate::smtp::EnhancedStatusCode;

/// The longest reply in which words are looked for, in bytes.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// Enhanced codes: `5.7.26`, `x.7.26`, `5.7.606-649`, `x.7.x`, `x.x.x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EnhancedPattern {
    class: Option<u8>,
    subject: Option<u16>,
    details: (u16, u16),
}

impl EnhancedPattern {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let class = match class {
            "x" => None,
            "2" | "4" | "5" => Some(class.parse().ok()?),
            _ => return None,
        };
        let subject = if subject == "x" { None } else { Some(number(subject)?) };
        let details = match detail.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None if detail == "x" => (0, 999),
            None => (number(detail)?, number(detail)?),
        };
        (parts.next().is_none() && details.0 <= details.1).then_some(Self {
            class,
            subject,
            details,
        })
    }

    pub(super) fn holds(self, code: EnhancedStatusCode) -> bool {
        self.class.is_none_or(|class| class == code.class())
            && self.subject.is_none_or(|subject| subject == code.subject())
            && (self.details.0..=self.details.1).contains(&code.detail())
    }

    /// One of them.
    pub(super) fn example(self) -> Option<EnhancedStatusCode> {
        let (class, subject) = (self.class.unwrap_or(5), self.subject.unwrap_or(9));
        EnhancedStatusCode::new(class, subject, self.details.0)
    }

    /// The more it says, the greater.
    pub(super) fn weight(self) -> impl Ord {
        let narrow = u16::MAX - (self.details.1 - self.details.0);
        (self.subject.is_some(), narrow, self.class.is_some())
    }
}

fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// A word of a reply: letters in any case, `{606-649}` for a number of as many digits in that
/// range, and at most one `*` for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WordPattern {
    start: Vec<Piece>,
    /// What follows the `*`, if there is one.
    end: Option<Vec<Piece>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Letter(u8),
    Number { first: u32, last: u32, digits: usize },
}

impl Piece {
    fn bytes(&self) -> usize {
        match self {
            Self::Letter(_) => 1,
            Self::Number { digits, .. } => *digits,
        }
    }

    fn example(&self) -> String {
        match self {
            Self::Letter(letter) => char::from(*letter).to_string(),
            Self::Number { first, digits, .. } => format!("{first:0digits$}"),
        }
    }

    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Letter(letter) => text.as_bytes().eq_ignore_ascii_case(&[*letter]),
            Self::Number { first, last, .. } => {
                text.bytes().all(|byte| byte.is_ascii_digit())
                    && text.parse().is_ok_and(|number| (*first..=*last).contains(&number))
            }
        }
    }
}

impl WordPattern {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (start, end) = match text.split_once('*') {
            Some((start, end)) => (pieces(start)?, Some(pieces(end)?)),
            None => (pieces(text)?, None),
        };
        let says_something = |pieces: &[Piece]| pieces.iter().map(Piece::bytes).sum::<usize>() > 1;
        (says_something(&start) || end.as_deref().is_some_and(says_something))
            .then_some(Self { start, end })
    }

    /// One of them.
    pub(super) fn example(&self) -> String {
        self.start.iter().chain(self.end.iter().flatten()).map(Piece::example).collect()
    }

    pub(super) fn holds(&self, word: &str) -> bool {
        match (&self.end, matched(&self.start, word)) {
            (_, None) => false,
            (None, Some(rest)) => rest.is_empty(),
            (Some(end), Some(rest)) => {
                let bytes = end.iter().map(Piece::bytes).sum::<usize>();
                let tail = rest.len().checked_sub(bytes).and_then(|at| rest.get(at..));
                tail.and_then(|tail| matched(end, tail)).is_some_and(str::is_empty)
            }
        }
    }
}

fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.bytes().next() {
        if let Some(inner) = rest.strip_prefix('{') {
            let (range, after) = inner.split_once('}')?;
            let (first, last) = range.split_once('-')?;
            let number = Piece::Number {
                first: first.parse().ok()?,
                last: last.parse().ok()?,
                digits: last.len(),
            };
            pieces.push(number);
            rest = after;
        } else {
            if !is_word(char::from(letter)) {
                return None;
            }
            pieces.push(Piece::Letter(letter));
            rest = rest.get(1..)?;
        }
    }
    Some(pieces)
}

/// What follows the pieces, if the text begins with them.
fn matched<'w>(pieces: &[Piece], word: &'w str) -> Option<&'w str> {
    pieces.iter().try_fold(word, |rest, piece| {
        let (head, tail) = rest.split_at_checked(piece.bytes())?;
        piece.holds(head).then_some(tail)
    })
}

fn is_word(letter: char) -> bool {
    is_name(letter) || "#:=/".contains(letter)
}

/// Whether it can be part of a host name or of a plain word.
fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_.-".contains(letter)
}

/// The words of a reply, without the punctuation around them: first with the signs that stand in
/// some codes, then without them, so that the host of a URL is a word too.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    // A character has at most four bytes, so that one of these four places is between two.
    let cut = (TEXT_BYTES_MAX - 3..=TEXT_BYTES_MAX).rev().find_map(|end| text.get(..end));
    let text = cut.unwrap_or(text);
    let codes = text.split(|letter| !is_word(letter));
    let names = text.split(|letter| !is_name(letter));
    codes
        .chain(names)
        .map(|word| word.trim_matches(|letter| ".:-/=".contains(letter)))
        .filter(|word| !word.is_empty())
}
