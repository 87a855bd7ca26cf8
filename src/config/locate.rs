//! The line of a key in a TOML file.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The line, from 1, in which the key with this path stands (`sources[0].path`), or else the
/// innermost table that would hold it.
pub(super) fn line_of(text: &str, path: &str) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut found: Option<Range<usize>> = None;
    let mut value = &DeValue::Table(root.into_inner());
    for segment in segments(path) {
        let (span, inner) = match (segment, value) {
            (Segment::Key(key), DeValue::Table(table)) => {
                let Some((name, inner)) = table.get_key_value(key) else { break };
                (name.span(), inner.get_ref())
            }
            (Segment::Index(index), DeValue::Array(items)) => {
                let Some(item) = items.get(index) else { break };
                (item.span(), item.get_ref())
            }
            _ => break,
        };
        found = Some(span);
        value = inner;
    }
    found.map(|span| line_at(text, span.start))
}

/// The line, from 1, of a byte.
pub(super) fn line_at(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}

#[derive(Clone, Copy)]
enum Segment<'a> {
    Key(&'a str),
    Index(usize),
}

fn segments(path: &str) -> impl Iterator<Item = Segment<'_>> {
    path.split(['.', '[']).filter(|part| !part.is_empty()).map(|part| {
        let index = part.strip_suffix(']').and_then(|number| number.parse().ok());
        index.map_or(Segment::Key(part), Segment::Index)
    })
}
