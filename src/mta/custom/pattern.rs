//! Lines taken apart by regular expressions with named groups.

use std::borrow::Cow;

use regex::bytes::{Regex, RegexBuilder};

use super::field::{Values, field_of, quote, word_of};
use super::{Field, Pattern, Problem, Word};

/// How large a compiled expression, and what it remembers of a search, may be: what a byte of a
/// line can cost.
const SIZE_MAX: usize = 1 << 20;
/// How many patterns one dialect may have.
const PATTERNS_MAX: usize = 64;

/// A pattern that is ready to match.
#[derive(Debug)]
pub(super) struct Compiled {
    regex: Regex,
    groups: Vec<(Field, usize)>,
    fixed: Option<Word>,
}

/// Checks the patterns.
pub(super) fn compile(patterns: &[Pattern]) -> Result<Vec<Compiled>, Problem> {
    if patterns.len() > PATTERNS_MAX {
        let expected = format!("at most {PATTERNS_MAX} patterns");
        return Err(Problem::new("patterns", &expected, patterns.len().to_string()));
    }
    patterns.iter().enumerate().map(|(at, pattern)| one(at, pattern)).collect()
}

fn one(at: usize, Pattern { pattern, outcome }: &Pattern) -> Result<Compiled, Problem> {
    let key = format!("patterns[{at}].pattern");
    let regex = RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(SIZE_MAX)
        .dfa_size_limit(SIZE_MAX)
        .build()
        .map_err(|error| {
            // The error draws the pattern with a pointer into it, over several lines.
            let last = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
            let why = last.strip_prefix("error: ").unwrap_or(&last);
            Problem::new(&key, "a regular expression", format!("{} ({why})", quote(pattern)))
        })?;
    let mut groups = Vec::new();
    for (place, name) in regex.capture_names().enumerate() {
        if let Some(name) = name {
            groups.push((field_of(&key, name)?, place));
        }
    }
    let fixed = match outcome {
        Some(means) => Some(word_of(&format!("patterns[{at}].outcome"), means)?),
        None => None,
    };
    let finds = |field: Field| groups.iter().any(|(found, _)| *found == field);
    let needs_nobody =
        matches!(fixed, Some(Word::HostReply | Word::InboundReject | Word::Irrelevant));
    if !finds(Field::Recipient) && !needs_nobody && !finds(Field::Outcome) {
        return Err(Problem::new(&key, "a group named recipient", quote(pattern)));
    }
    if fixed.is_none() && ![Field::Outcome, Field::Code, Field::Text].into_iter().any(finds) {
        let expected = "an outcome, or a group named outcome, code or text";
        return Err(Problem::new(&key, expected, quote(pattern)));
    }
    Ok(Compiled { regex, groups, fixed })
}

/// What the first pattern that matches finds.
pub(super) fn find<'t>(
    patterns: &[Compiled],
    text: &'t [u8],
) -> Option<(Values<'t>, Option<Word>)> {
    patterns.iter().find_map(|Compiled { regex, groups, fixed }| {
        let captures = regex.captures(text)?;
        let mut values = Values::default();
        for (field, place) in groups {
            if let Some(found) = captures.get(*place) {
                values.put(*field, Cow::Borrowed(found.as_bytes()));
            }
        }
        Some((values, *fixed))
    })
}
