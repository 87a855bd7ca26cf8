//! Other tables come into force: counts stay with what they are counts of.

use std::collections::BTreeMap;

use super::{Cell, Ledger, Row, SeriesKey};
use crate::provider::Providers;
use crate::reason::ListId;

impl Ledger {
    /// Takes over a table of providers: its tracked ones get their series at 0, known ones keep
    /// their counts, and those that are gone keep theirs too, at the end.
    pub fn adopt(&mut self, providers: &Providers) {
        let old = std::mem::take(&mut self.rows);
        let mut moved = vec![None; old.len()];
        let mut left: Vec<Option<Row>> = old.into_iter().map(Some).collect();
        for (id, name) in providers.names().iter().enumerate() {
            let known =
                left.iter().position(|row| row.as_ref().is_some_and(|row| row.name() == name));
            let mut row = known
                .and_then(|at| {
                    if let Some(slot) = moved.get_mut(at) {
                        *slot = Some(self.rows.len());
                    }
                    left.get_mut(at).and_then(Option::take)
                })
                .unwrap_or_else(|| Row::new(name));
            row.set_tracked(providers.tracked().iter().any(|tracked| tracked.index() == id));
            self.rows.push(row);
        }
        for (at, row) in left.into_iter().enumerate() {
            if let Some(mut row) = row.filter(|row| !row.is_empty()) {
                row.set_tracked(false);
                if let Some(slot) = moved.get_mut(at) {
                    *slot = Some(self.rows.len());
                }
                self.rows.push(row);
            }
        }
        self.born = std::mem::take(&mut self.born)
            .into_iter()
            .filter_map(|(key, at)| Some((key.in_row_of(&moved)?, at)))
            .collect();
        self.newborn = std::mem::take(&mut self.newborn)
            .into_iter()
            .filter_map(|key| key.in_row_of(&moved))
            .collect();
        self.recount();
    }

    /// Takes over the names of the blocklists, in the order of [`ListId::index`]: known ones keep
    /// their counts, and those that are gone keep theirs too, behind the others.
    pub fn adopt_lists(&mut self, lists: &[String]) {
        let old = std::mem::replace(&mut self.lists, lists.to_vec());
        let counted = |rows: &[Row], list: usize| {
            ListId::new(list).is_some_and(|list| {
                rows.iter().any(|row| row.cells().any(|(cell, _)| cell == Cell::list(list)))
            })
        };
        let mut moved = BTreeMap::new();
        for (from, name) in old.iter().enumerate() {
            let known = self.lists.iter().position(|list| list == name);
            let to = known.or_else(|| {
                counted(&self.rows, from).then(|| {
                    self.lists.push(name.clone());
                    self.lists.len() - 1
                })
            });
            let cell = |list: usize| ListId::new(list).map(Cell::list);
            if let (Some(from), Some(to)) = (cell(from), to.and_then(cell)) {
                moved.insert(from, to);
            }
        }
        for row in &mut self.rows {
            let values: Vec<(Cell, u64)> =
                moved.iter().filter_map(|(from, to)| Some((*to, row.take(*from)?))).collect();
            for (cell, value) in values {
                row.create(cell);
                if let Some(slot) = row.live(cell) {
                    *slot = value;
                }
            }
        }
        let place = |key: SeriesKey| match key {
            SeriesKey::Cell(row, cell) => {
                SeriesKey::Cell(row, moved.get(&cell).copied().unwrap_or(cell))
            }
            SeriesKey::Enhanced(..) | SeriesKey::Delay(_) | SeriesKey::Inbound(_) => key,
        };
        let born = std::mem::take(&mut self.born);
        self.born = born.into_iter().map(|(key, at)| (place(key), at)).collect();
        for key in &mut self.newborn {
            *key = place(*key);
        }
    }
}

impl SeriesKey {
    /// The same series after rows have moved; `None` if its row is gone.
    fn in_row_of(self, moved: &[Option<usize>]) -> Option<Self> {
        let row = |old: u16| {
            moved.get(usize::from(old)).copied().flatten().and_then(|new| u16::try_from(new).ok())
        };
        Some(match self {
            Self::Cell(old, cell) => Self::Cell(row(old)?, cell),
            Self::Enhanced(old, code) => Self::Enhanced(row(old)?, code),
            Self::Delay(old) => Self::Delay(row(old)?),
            Self::Inbound(inbound) => Self::Inbound(inbound),
        })
    }
}
