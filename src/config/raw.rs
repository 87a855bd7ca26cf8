//! What was typed: every key, none of them needed, no meaning yet.
//!
//! Types are strict: a number in quotes is no number. (The `config` crate by itself would turn one
//! into the other.)

use std::fmt;

use crate::mta::custom::Definition;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

/// The whole file.
#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Raw {
    pub web: Web,
    pub state: State,
    pub sources: List<SourceOrPath>,
    pub providers: Providers,
    pub replies: Replies,
    pub dialects: List<Definition>,
    pub limits: Limits,
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Web {
    pub listen_addresses: Option<List<Text>>,
    pub telemetry_path: Option<Text>,
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct State {
    pub directory: Option<Text>,
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Source {
    pub name: Option<Text>,
    pub path: Option<Text>,
    pub fifo: Option<Text>,
    pub stdin: Option<Flag>,
    pub syslog: Option<Text>,
    pub journal: Option<Flag>,
    pub journal_directory: Option<Text>,
    pub journal_mail_only: Option<Flag>,
    pub journal_units: Option<List<Text>>,
    pub journal_identifiers: Option<List<Text>>,
    pub dialect: Option<Text>,
    pub start_at: Option<Text>,
    pub poll_only: Option<Flag>,
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Providers {
    pub builtin: Option<Flag>,
    pub files: Option<List<Text>>,
    pub tracked: Option<List<Text>>,
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Replies {
    pub builtin: Option<Flag>,
    pub files: Option<List<Text>>,
}

#[derive(Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Limits {
    pub series_max: Option<Count>,
    pub line_bytes_max: Option<Count>,
}

/// A source as a table, or its path alone.
#[derive(Debug, PartialEq)]
pub(super) struct SourceOrPath(pub Source);

/// A string.
#[derive(Debug, PartialEq)]
pub(super) struct Text(pub String);

/// A whole number from 0.
#[derive(Debug, PartialEq)]
pub(super) struct Count(pub u64);

/// `true` or `false`.
#[derive(Debug, PartialEq)]
pub(super) struct Flag(pub bool);

/// A list.
#[derive(Debug, PartialEq)]
pub(super) struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl Visitor<'_> for Wanted {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Wanted)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl Visitor<'_> for Wanted {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
                Ok(Count(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
                u64::try_from(number)
                    .map(Count)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(number), &"a whole number"))
            }
        }
        deserializer.deserialize_any(Wanted)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl Visitor<'_> for Wanted {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(flag))
            }
        }
        deserializer.deserialize_any(Wanted)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wanted<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Wanted<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(List(list))
            }
        }
        deserializer.deserialize_any(Wanted(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for SourceOrPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl<'de> Visitor<'de> for Wanted {
            type Value = SourceOrPath;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table or a path")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<SourceOrPath, E> {
                let path = Some(Text(path.to_owned()));
                Ok(SourceOrPath(Source { path, ..Source::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SourceOrPath, A::Error> {
                Source::deserialize(MapAccessDeserializer::new(map)).map(SourceOrPath)
            }
        }
        deserializer.deserialize_any(Wanted)
    }
}
