//! Comma-separated records (RFC 4180): fields may be quoted, and a quoted field may hold commas,
//! doubled quotes and line ends, so that one record can stand on several lines.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The most fields that are looked at.
const FIELDS_MAX: usize = 256;
/// The most lines, and the most bytes, that one record can stand on.
const LINES_MAX: u32 = 64;
const BYTES_MAX: usize = 1 << 18;

/// What a line is to the records.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Split<'a> {
    /// It ends a record, or is one.
    Record(Vec<Cow<'a, [u8]>>),
    /// A quoted field is still open at its end.
    Open,
    /// Quotes stand where none may stand.
    Broken,
}

/// The fields of a text.
pub(super) fn split(text: &[u8]) -> Split<'_> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, after) = if let Some(inner) = rest.strip_prefix(b"\"") {
            match quoted(inner) {
                Quoted::Field(field, after) => (field, after),
                Quoted::Open => return Split::Open,
                Quoted::Broken => return Split::Broken,
            }
        } else {
            let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
            let (field, after) = rest.split_at_checked(end).unwrap_or((rest, b""));
            (Cow::Borrowed(field), after)
        };
        if fields.len() < FIELDS_MAX {
            fields.push(field);
        }
        match after.split_first() {
            Some((_, after)) => rest = after,
            None => return Split::Record(fields),
        }
    }
}

enum Quoted<'a> {
    /// The field, and what follows its closing quote: a comma or nothing.
    Field(Cow<'a, [u8]>, &'a [u8]),
    Open,
    Broken,
}

/// A quoted field, its first quote taken off.
fn quoted(text: &[u8]) -> Quoted<'_> {
    let mut owned: Option<Vec<u8>> = None;
    let mut rest = text;
    loop {
        let Some(end) = memchr::memchr(b'"', rest) else { return Quoted::Open };
        let (part, after) = rest.split_at_checked(end).unwrap_or((rest, b""));
        let after = after.strip_prefix(b"\"").unwrap_or(after);
        match after.first() {
            Some(b'"') => {
                let owned = owned.get_or_insert_with(Vec::new);
                owned.extend_from_slice(part);
                owned.push(b'"');
                rest = after.strip_prefix(b"\"").unwrap_or(after);
            }
            None | Some(b',') => {
                let field = match owned {
                    None => Cow::Borrowed(part),
                    Some(mut owned) => {
                        owned.extend_from_slice(part);
                        Cow::Owned(owned)
                    }
                };
                return Quoted::Field(field, after);
            }
            Some(_) => return Quoted::Broken,
        }
    }
}

/// The lines of a record whose end has not come yet.
///
/// Whether the record goes on is decided by its quotes alone. A remote server's text may look like
/// a new record or like a header, and stands in quotes that the MTA doubled; so nothing but the
/// quotes, and the bounds, can end it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Unfinished {
    text: Vec<u8>,
    lines: u32,
}

/// What to do with a line, see [`Unfinished::take`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// These bytes are a record.
    Record(Vec<u8>),
    /// The record goes on in the next line.
    Wait,
    /// The record was given up, and the line with it.
    GivenUp,
}

impl Unfinished {
    /// Whether a record waits for its next line.
    pub(super) fn is_open(&self) -> bool {
        !self.text.is_empty()
    }

    /// Keeps the first line of a record that is [`Split::Open`].
    pub(super) fn begin(&mut self, line: &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(line);
        self.lines = 1;
    }

    /// Adds a line to the record that waits. Where the quotes then go wrong, the record had been cut
    /// off before its end, and the line is one of its own.
    pub(super) fn take(&mut self, line: &[u8]) -> Next {
        self.lines += 1;
        self.text.push(b'\n');
        self.text.extend_from_slice(line);
        match split(&self.text) {
            Split::Record(_) => Next::Record(std::mem::take(&mut self.text)),
            Split::Open if self.lines < LINES_MAX && self.text.len() < BYTES_MAX => Next::Wait,
            Split::Broken => {
                self.text.clear();
                Next::Record(line.to_vec())
            }
            Split::Open => {
                self.text.clear();
                Next::GivenUp
            }
        }
    }
}

/// Where the columns stand that a dialect asks for: one place for each name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Columns(Vec<Option<usize>>);

impl Columns {
    /// The places of `names` in a header. A name may have several spellings, divided by `|`.
    pub(super) fn of(header: &[Cow<'_, [u8]>], names: &[&str]) -> Self {
        let place = |name: &&str| {
            name.split('|').find_map(|name| {
                header
                    .iter()
                    .position(|field| field.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
            })
        };
        Self(names.iter().map(place).collect())
    }

    /// The field of the column that was asked for as number `name`; empty without such a column.
    pub(super) fn get<'f>(&self, fields: &'f [Cow<'_, [u8]>], name: usize) -> &'f [u8] {
        let place = self.0.get(name).copied().flatten();
        place.and_then(|place| fields.get(place)).map_or(b"", |field| field.as_ref())
    }

    /// Whether a row has all the columns that were asked for and found. One that ends before is cut
    /// off.
    pub(super) fn fit(&self, fields: &[Cow<'_, [u8]>]) -> bool {
        self.0.iter().flatten().all(|place| *place < fields.len())
    }

    /// Whether there is a column of that number.
    pub(super) fn has(&self, name: usize) -> bool {
        self.0.get(name).copied().flatten().is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(text: &str) -> Option<Vec<String>> {
        match split(text.as_bytes()) {
            Split::Record(fields) => Some(
                fields.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect(),
            ),
            Split::Open | Split::Broken => None,
        }
    }

    #[test]
    fn quotes_hold_commas_quotes_and_line_ends() {
        assert_eq!(fields("a,,b").unwrap(), ["a", "", "b"]);
        assert_eq!(fields("").unwrap(), [""]);
        assert_eq!(fields("a,").unwrap(), ["a", ""]);
        assert_eq!(fields(r#""a,""b""",c"#).unwrap(), [r#"a,"b""#, "c"]);
        assert_eq!(fields("\"\",\"a\nb\"").unwrap(), ["", "a\nb"]);
        assert_eq!(fields(r#"a"b,c"#).unwrap(), [r#"a"b"#, "c"]);
        assert_eq!(split(b"a,\"b"), Split::Open);
        assert_eq!(split(b"a,\"b\"\""), Split::Open);
        assert_eq!(split(b"a,\"b\"c"), Split::Broken);
    }

    #[test]
    fn a_record_goes_on_until_its_quotes_close() {
        let mut unfinished = Unfinished::default();
        unfinished.begin(b"a,\"b");
        assert!(unfinished.is_open());
        assert_eq!(unfinished.take(b"d,1,2"), Next::Wait);
        assert_eq!(unfinished.take(b"c\",d"), Next::Record(b"a,\"b\nd,1,2\nc\",d".to_vec()));
        assert!(!unfinished.is_open());
    }

    #[test]
    fn a_record_that_was_cut_off_does_not_swallow_those_after_it() {
        let mut unfinished = Unfinished::default();
        unfinished.begin(b"a,\"b");
        assert_eq!(unfinished.take(b"a,\"c\",d"), Next::Record(b"a,\"c\",d".to_vec()));
        unfinished.begin(b"a,\"b");
        for _ in 2..LINES_MAX {
            assert_eq!(unfinished.take(b"x"), Next::Wait);
        }
        assert_eq!(unfinished.take(b"x"), Next::GivenUp);
        assert!(!unfinished.is_open());
    }

    #[test]
    fn columns_are_found_by_any_of_their_spellings() {
        let Split::Record(header) = split(b"type, DlvIp ,x") else { panic!() };
        let columns = Columns::of(&header, &["type", "ip|dlvIp", "y"]);
        let Split::Record(row) = split(b"d,192.0.2.1") else { panic!() };
        assert_eq!(columns.get(&row, 1), b"192.0.2.1");
        assert_eq!((columns.get(&row, 2), columns.has(2)), (&b""[..], false));
        assert_eq!(columns.get(&row, 9), b"");
    }

    proptest! {
        #[test]
        fn whatever_is_quoted_comes_back(texts in proptest::collection::vec(".*", 1..6)) {
            let quote = |text: &String| format!("\"{}\"", text.replace('"', "\"\""));
            let line = texts.iter().map(quote).collect::<Vec<_>>().join(",");
            prop_assert_eq!(fields(&line), Some(texts));
        }
    }
}
