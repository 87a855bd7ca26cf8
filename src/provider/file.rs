//! From table files to the table in force.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::name::{Names, Owner, Pattern};
use super::{Kind, Provider, ProviderId, Providers};
use crate::table::{Error, Table};

/// A file of providers; `config/providers.toml` explains the keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    provider: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: Spanned<String>,
    name: Option<String>,
    kind: Option<Spanned<String>>,
    tracked: Option<bool>,
    #[serde(default)]
    domains: Vec<Spanned<String>>,
    #[serde(default)]
    mx: Vec<Spanned<String>>,
    #[serde(default)]
    shared_mx: Vec<Spanned<String>>,
    #[serde(default)]
    ptr: Vec<Spanned<String>>,
    #[serde(default)]
    except: Vec<Spanned<String>>,
    postmaster: Option<String>,
    #[serde(default)]
    examples: Vec<Spanned<String>>,
    #[expect(dead_code, reason = "for people and for the test that wants one in every row")]
    source: Option<String>,
    note: Option<String>,
}

/// Builds the table of these files, the first of which goes first.
pub(super) fn load(
    tables: &[(&str, &str)],
    tracked: Option<&[String]>,
) -> Result<Providers, Error> {
    let mut building = Building::new();
    // The last first, so that each file replaces what those behind it claimed, and is checked by
    // its examples before those in front of it take anything away.
    for (rank, (file, text)) in tables.iter().rev().enumerate() {
        building.add(&Table::new(file, text), rank)?;
    }
    building.finish(tracked)
}

struct Building {
    table: Providers,
    ids: HashMap<String, ProviderId>,
    marked: Vec<bool>,
}

impl Building {
    fn new() -> Self {
        let mut building = Self {
            table: Providers {
                rows: Vec::new(),
                names: Vec::new(),
                tracked: Vec::new(),
                hosts: Names::default(),
                domains: Names::default(),
            },
            ids: HashMap::new(),
            marked: Vec::new(),
        };
        building.push("other");
        if let Some(other) = building.table.rows.first_mut() {
            "Other providers".clone_into(&mut other.name);
            other.note = Some("Everybody who is in no row of the table.".to_owned());
        }
        building
    }

    fn push(&mut self, id: &str) {
        self.table.names.push(id.to_owned());
        self.table.rows.push(Provider {
            id: id.to_owned(),
            name: id.to_owned(),
            kind: None,
            postmaster: None,
            domains: Vec::new(),
            hosts: Vec::new(),
            note: None,
        });
        self.marked.push(false);
    }

    fn add(&mut self, table: &Table<'_>, rank: usize) -> Result<(), Error> {
        let rows = table.parse::<File>()?.provider;
        let mut ids = HashMap::new();
        let mut claims = Claims { table, rank, made: HashMap::new() };
        for row in &rows {
            if let Some(first) = ids.insert(row.id.as_ref(), row.id.span().start) {
                let line = table.line_at(first);
                let found = format!("expected each id once, but line {line} has it too");
                return Err(table.error(Some(row.id.span()), row.id.as_ref(), found));
            }
            let id = self.provider(table, row)?;
            self.describe(table, row, id)?;
            claims.of_row(&mut self.table, row, id)?;
        }
        rows.iter().try_for_each(|row| self.check_examples(table, row))
    }

    /// The provider of the row, which is new or known from a file behind this one.
    fn provider(&mut self, table: &Table<'_>, row: &Row) -> Result<ProviderId, Error> {
        let name: &str = row.id.as_ref();
        let refused = |problem: String| Err(table.error(Some(row.id.span()), "id", problem));
        let valid = !name.is_empty()
            && name.len() <= 40
            && name.split('_').all(|word| {
                !word.is_empty()
                    && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            });
        if !valid {
            let rule = "expected words of a-z and 0-9 with _ between, at most 40 bytes";
            return refused(format!("{rule}, but found {name:?}"));
        }
        if name == "other" {
            return refused("expected any other id: other is everybody in no row".to_owned());
        }
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        match u16::try_from(self.table.names.len()) {
            Ok(number) => {
                self.push(name);
                self.ids.insert(name.to_owned(), ProviderId(number));
                Ok(ProviderId(number))
            }
            Err(_) => refused(format!("expected at most {} providers", u16::MAX)),
        }
    }

    fn describe(&mut self, table: &Table<'_>, row: &Row, id: ProviderId) -> Result<(), Error> {
        let kind = match &row.kind {
            Some(kind) => Some(Kind::parse(kind.as_ref()).ok_or_else(|| {
                let kinds = Kind::ALL.map(Kind::as_str).join(", ");
                let problem = format!("expected one of {kinds}, but found {:?}", kind.as_ref());
                table.error(Some(kind.span()), "kind", problem)
            })?),
            None => None,
        };
        let index = id.index();
        if let (Some(marked), Some(tracked)) = (self.marked.get_mut(index), row.tracked) {
            *marked = tracked;
        }
        let Some(provider) = self.table.rows.get_mut(index) else { return Ok(()) };
        provider.kind = kind.or(provider.kind);
        if let Some(name) = &row.name {
            name.clone_into(&mut provider.name);
        }
        if row.postmaster.is_some() {
            provider.postmaster.clone_from(&row.postmaster);
        }
        if row.note.is_some() {
            provider.note.clone_from(&row.note);
        }
        let texts = |patterns: &[Spanned<String>]| -> Vec<String> {
            patterns.iter().map(|pattern| pattern.as_ref().clone()).collect()
        };
        provider.domains.extend(texts(&row.domains));
        for hosts in [&row.mx, &row.shared_mx, &row.ptr] {
            provider.hosts.extend(texts(hosts));
        }
        Ok(())
    }

    fn check_examples(&self, table: &Table<'_>, row: &Row) -> Result<(), Error> {
        for example in &row.examples {
            let text: &str = example.as_ref();
            let (host, domain) = text.split_once(' ').unwrap_or((text, text));
            let found = self.table.name(self.table.lookup(host.as_bytes(), domain.as_bytes()));
            if found != row.id.as_ref() {
                let problem = format!(
                    "expected {text:?} to lead to {}, but it leads to {found}",
                    row.id.as_ref()
                );
                return Err(table.error(Some(example.span()), "examples", problem));
            }
        }
        Ok(())
    }

    fn finish(self, tracked: Option<&[String]>) -> Result<Providers, Error> {
        let Self { mut table, mut marked, .. } = self;
        if let Some(names) = tracked {
            marked.fill(false);
            for name in names {
                let known = table.id(name).and_then(|id| marked.get_mut(id.index()));
                let Some(known) = known else {
                    return Err(Error {
                        file: "configuration".to_owned(),
                        line: None,
                        key: "providers.tracked".to_owned(),
                        problem: format!("expected ids of providers, but found {name:?}"),
                    });
                };
                *known = true;
            }
        }
        if let Some(other) = marked.first_mut() {
            *other = true;
        }
        let ids = (0..=u16::MAX).map(ProviderId);
        table.tracked = ids.zip(marked).filter(|(_, marked)| *marked).map(|(id, _)| id).collect();
        Ok(table)
    }
}

/// What one file claims, to find a name that is claimed twice.
struct Claims<'f> {
    table: &'f Table<'f>,
    rank: usize,
    made: HashMap<(bool, Pattern), (String, usize)>,
}

impl Claims<'_> {
    fn of_row(&mut self, into: &mut Providers, row: &Row, id: ProviderId) -> Result<(), Error> {
        let hosts = [
            ("mx", &row.mx, Owner::Alone(id)),
            ("shared_mx", &row.shared_mx, Owner::Shared(id)),
            ("ptr", &row.ptr, Owner::Shared(id)),
            ("except", &row.except, Owner::Nobody),
        ];
        for (key, patterns, owner) in hosts {
            for text in patterns {
                let pattern = self.new_pattern(row, key, text, Pattern::host)?;
                into.hosts.claim(&pattern, owner, self.rank);
            }
        }
        for text in &row.domains {
            let pattern = self.new_pattern(row, "domains", text, Pattern::domain)?;
            into.domains.claim(&pattern, Owner::Alone(id), self.rank);
        }
        Ok(())
    }

    fn new_pattern(
        &mut self,
        row: &Row,
        key: &str,
        text: &Spanned<String>,
        read: fn(&str) -> Result<Pattern, &'static str>,
    ) -> Result<Pattern, Error> {
        let at: Option<Range<usize>> = Some(text.span());
        let pattern = read(text.as_ref()).map_err(|expected| {
            self.table.error(at.clone(), key, format!("{expected}, but found {:?}", text.as_ref()))
        })?;
        let maker = (row.id.as_ref().clone(), text.span().start);
        match self.made.insert((key == "domains", pattern.clone()), maker) {
            None => Ok(pattern),
            Some((id, first)) => {
                let line = self.table.line_at(first);
                let problem = format!(
                    "expected each name once, but {:?} stands in line {line} for {id} too",
                    text.as_ref()
                );
                Err(self.table.error(at, key, problem))
            }
        }
    }
}
