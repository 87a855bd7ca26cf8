//! JSON records taken apart by the paths of their fields.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::field::{Values, field_of, quote};
use super::{Field, Problem};
use crate::mta::Why;
use crate::mta::json::{ITEMS_MAX, Text};

/// How many paths one dialect may have: a set of them is the bits of a number.
const PATHS_MAX: usize = 64;

/// Where the fields of a record stand, and what makes it one of this dialect.
#[derive(Debug)]
pub(super) struct Map {
    paths: Vec<Path>,
}

#[derive(Debug)]
struct Path {
    segments: Vec<String>,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// A field is found there.
    Field(Field),
    /// This must stand there.
    Condition(String),
}

/// What was found in one record.
#[derive(Debug, Default)]
struct Found<'a> {
    values: Values<'a>,
    /// The paths that lead somewhere, and for conditions to what must stand there.
    reached: u64,
}

impl Map {
    /// Checks the paths.
    pub(super) fn compile(
        json: &BTreeMap<String, String>,
        when: &BTreeMap<String, String>,
    ) -> Result<Self, Problem> {
        let mut paths = Vec::new();
        for (name, path) in json {
            let field = field_of(&format!("json.{name}"), name)?;
            let segments = segments(&format!("json.{name}"), path)?;
            paths.push(Path { segments, target: Target::Field(field) });
        }
        for (path, value) in when {
            let segments = segments("when", path)?;
            paths.push(Path { segments, target: Target::Condition(value.clone()) });
        }
        if paths.len() > PATHS_MAX {
            let expected = format!("at most {PATHS_MAX} paths");
            return Err(Problem::new("json", &expected, paths.len().to_string()));
        }
        let has = |name: &str| json.contains_key(name);
        if !has("recipient") {
            return Err(Problem::new("json", "a path for recipient", "none"));
        }
        if !["outcome", "code", "text"].into_iter().any(has) {
            return Err(Problem::new("json", "a path for outcome, code or text", "none"));
        }
        Ok(Self { paths })
    }

    /// What is found in the records of a line, those alone that are of this dialect; `None` if the
    /// line is no JSON or has no such record.
    pub(super) fn find<'t>(&self, text: &'t [u8]) -> Option<Result<Vec<Values<'t>>, Why>> {
        let first = text.trim_ascii_start().first()?;
        if !matches!(first, b'{' | b'[') {
            return None;
        }
        let mut found = Vec::new();
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let records = Records { paths: &self.paths, found: &mut found };
        let read = if *first == b'[' {
            deserializer.deserialize_seq(records)
        } else {
            records.one(&mut deserializer)
        };
        if let Err(error) = read.and_then(|()| deserializer.end()) {
            let own = found.iter().any(|found| self.is_own(found));
            let why = if error.is_eof() { Why::Truncated } else { Why::BrokenRecord };
            return own.then_some(Err(why));
        }
        let own: Vec<_> = found
            .into_iter()
            .filter(|found| self.is_own(found))
            .map(|found| found.values)
            .collect();
        (!own.is_empty()).then_some(Ok(own))
    }

    /// Whether all conditions are met, and the fields are there without which nothing can be read.
    fn is_own(&self, found: &Found<'_>) -> bool {
        let mut settled = false;
        let mut recipient = false;
        for (bit, Path { target, .. }) in bits().zip(&self.paths) {
            let reached = found.reached & bit != 0;
            match target {
                Target::Condition(_) if !reached => return false,
                Target::Field(Field::Recipient) => recipient |= reached,
                Target::Field(Field::Outcome | Field::Code | Field::Text) => settled |= reached,
                Target::Condition(_) | Target::Field(_) => {}
            }
        }
        settled && recipient
    }
}

fn segments(key: &str, path: &str) -> Result<Vec<String>, Problem> {
    let segments: Vec<String> = path.split('.').map(ToOwned::to_owned).collect();
    if segments.iter().any(String::is_empty) {
        return Err(Problem::new(key, "names divided by single dots", quote(path)));
    }
    Ok(segments)
}

/// The bit of each path, in their order.
fn bits() -> impl Iterator<Item = u64> {
    (0..PATHS_MAX).map(|place| 1 << place)
}

/// Takes in one record or a list of them.
struct Records<'p, 'f, 'de> {
    paths: &'p [Path],
    found: &'f mut Vec<Found<'de>>,
}

impl<'de> Records<'_, '_, 'de> {
    fn one<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let mut found = Found::default();
        let read = Walk::start(self.paths, &mut found).deserialize(deserializer);
        self.found.push(found);
        read
    }
}

impl<'de> Visitor<'de> for Records<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            let mut found = Found::default();
            let next = list.next_element_seed(Walk::start(self.paths, &mut found));
            if matches!(next, Ok(None)) {
                return Ok(());
            }
            if self.found.len() < ITEMS_MAX {
                self.found.push(found);
            }
            next?;
        }
    }
}

/// Goes down into a value along the paths that lead there.
struct Walk<'p, 'f, 'de> {
    paths: &'p [Path],
    /// The paths that lead to this value.
    active: u64,
    depth: usize,
    found: &'f mut Found<'de>,
}

impl<'p, 'f, 'de> Walk<'p, 'f, 'de> {
    fn start(paths: &'p [Path], found: &'f mut Found<'de>) -> Self {
        Self { paths, active: u64::MAX, depth: 0, found }
    }

    /// The paths that lead on through a name.
    fn through(&self, name: &[u8]) -> u64 {
        let leads = |path: &Path| {
            path.segments.get(self.depth).is_some_and(|segment| segment.as_bytes() == name)
        };
        self.of_active().filter(|(_, path)| leads(path)).fold(0, |set, (bit, _)| set | bit)
    }

    /// The paths that end here.
    fn ending(&self) -> u64 {
        let ends = |path: &Path| path.segments.len() == self.depth;
        self.of_active().filter(|(_, path)| ends(path)).fold(0, |set, (bit, _)| set | bit)
    }

    fn of_active(&self) -> impl Iterator<Item = (u64, &'p Path)> {
        let active = self.active;
        bits().zip(self.paths).filter(move |(bit, _)| active & bit != 0)
    }

    fn down(&mut self, active: u64, deeper: usize) -> Walk<'p, '_, 'de> {
        Walk { paths: self.paths, active, depth: self.depth + deeper, found: &mut *self.found }
    }

    /// A value that is no list and no object.
    fn end(self, value: &Text<'de>) {
        let ending = self.ending();
        for (bit, path) in bits().zip(self.paths).filter(|(bit, _)| ending & bit != 0) {
            match &path.target {
                Target::Field(field) => {
                    self.found.values.put(*field, value.0.clone());
                    self.found.reached |= bit;
                }
                Target::Condition(wanted) if wanted.as_bytes() == value.bytes() => {
                    self.found.reached |= bit;
                }
                Target::Condition(_) => {}
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.end(&Text(Cow::Borrowed(text.as_bytes())));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.end(&Text(Cow::Owned(text.as_bytes().to_vec())));
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.end(&Text(Cow::Owned(number.to_string().into_bytes())));
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.end(&Text(Cow::Owned(number.to_string().into_bytes())));
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.end(&Text(Cow::Owned(number.to_string().into_bytes())));
        Ok(())
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<(), E> {
        self.end(&Text(Cow::Borrowed(if truth { b"true" } else { b"false" })));
        Ok(())
    }

    /// Null is nothing.
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Text<'de>>()? {
            match self.through(name.bytes()) {
                0 => {
                    map.next_value::<IgnoredAny>()?;
                }
                active => map.next_value_seed(self.down(active, 1))?,
            }
        }
        Ok(())
    }

    /// A place in a list has a number; a path that ends at the list takes all that stands in it.
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let ending = self.ending();
        for place in 0_usize.. {
            let inside = self.through(place.to_string().as_bytes());
            let next = match (inside, ending) {
                (0, 0) => list.next_element::<IgnoredAny>()?.map(|_| ()),
                (0, ending) => list.next_element_seed(self.down(ending, 0))?,
                (inside, _) => list.next_element_seed(self.down(inside, 1))?,
            };
            if next.is_none() {
                break;
            }
        }
        Ok(())
    }
}
