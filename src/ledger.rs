//! What was counted: plain integers owned by one thread.
//!
//! A [`Ledger`] holds every counter that must survive a restart. It is true for exactly the bytes
//! that its sources have handed over, which is why it is saved together with their positions
//! and cloned as a whole for a scrape. It has no lock and no atomic: only the reader thread has it.
//!
//! The number of series is bounded by construction. Labels come from closed sets, except for the
//! codes that remote servers choose; a new series beyond the limit is folded into the provider
//! `other` and counted in [`Ledger::folded`].

mod cell;
mod enhanced;
mod row;
mod adopt;
mod saved;
mod snapshot;
mod source;
pub mod state;

use std::collections::BTreeMap;

use crate::attempt::Outcome;
use crate::provider::{ProviderId, Providers};
use crate::reason::Reason;
use crate::smtp::{CodeClass, EnhancedStatusCode, Reply, ReplyCode};

pub use cell::{Cell, Series};
pub use enhanced::EnhancedCounts;
pub use row::{DELAY_BUCKETS_SECONDS, Delay, Row};
pub use saved::SavedLedger;
pub use snapshot::{ReloadGauges, Snapshot, StateGauges};
pub use source::{SourceCounts, SourceGauges, SourceId};

/// How long a series that did not exist from the start is shown as 0 before it shows its value, so
/// that `increase()` sees the step.
pub const FIRST_APPEARANCE_SECONDS: u64 = 60;

/// One inbound series: `mta_inbound_rejects_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inbound {
    /// The class of our reply.
    pub class: CodeClass,
    /// Its code, `None` where the MTA does not log it.
    pub code: Option<ReplyCode>,
    /// Why we refused.
    pub reason: Reason,
}

/// The pairs of code and reason that every mail server gives sooner or later: there at 0 from the
/// start.
const INBOUND_KNOWN: [(u16, Reason); 8] = [
    (450, Reason::Greylisted),
    (450, Reason::RdnsHelo),
    (451, Reason::Greylisted),
    (454, Reason::RelayDenied),
    (550, Reason::UserUnknown),
    (550, Reason::IpBlocked),
    (554, Reason::IpBlocked),
    (554, Reason::RelayDenied),
];

/// Names one series, to remember when it was born.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeriesKey {
    /// A counter of a provider: row and cell.
    Cell(u16, Cell),
    /// An enhanced code of a provider; `None` is `other`.
    Enhanced(u16, Option<EnhancedStatusCode>),
    /// A provider's histogram of delays.
    Delay(u16),
    /// An inbound refusal.
    Inbound(Inbound),
}

/// All counters. See the module.
#[derive(Clone, Debug)]
pub struct Ledger {
    rows: Vec<Row>,
    inbound: BTreeMap<Inbound, u64>,
    unclassified: [u64; CodeClass::ALL.len()],
    folded: u64,
    /// The names of the blocklists, in the order of their cells.
    lists: Vec<String>,
    sources: Vec<SourceCounts>,
    series_max: usize,
    series: usize,
    newborn: Vec<SeriesKey>,
    born: BTreeMap<SeriesKey, u64>,
    first_appearance_seconds: u64,
}

impl Ledger {
    /// An empty ledger with the pre-created series of these providers. `series_max` bounds the
    /// number of series; see [`Ledger::folded`].
    pub fn new(providers: &Providers, series_max: usize) -> Self {
        let mut ledger = Self {
            rows: Vec::new(),
            inbound: BTreeMap::new(),
            unclassified: [0; CodeClass::ALL.len()],
            folded: 0,
            lists: Vec::new(),
            sources: Vec::new(),
            series_max,
            series: 0,
            newborn: Vec::new(),
            born: BTreeMap::new(),
            first_appearance_seconds: FIRST_APPEARANCE_SECONDS,
        };
        for (code, reason) in INBOUND_KNOWN {
            let code = ReplyCode::new(code);
            let class = code.map_or(CodeClass::None, ReplyCode::class);
            ledger.inbound.insert(Inbound { class, code, reason }, 0);
        }
        ledger.adopt(providers);
        ledger
    }

    /// Shows every series with its value at once: for finished logs, where nobody takes increases.
    #[must_use]
    pub fn without_first_appearance(mut self) -> Self {
        self.first_appearance_seconds = 0;
        self
    }

    /// The names of the blocklists, in the order of [`crate::reason::ListId::index`]: those in force, then those
    /// that were counted and are in no table any more.
    pub fn lists(&self) -> &[String] {
        &self.lists
    }

    fn recount(&mut self) {
        self.series = self.rows.iter().map(Row::series).sum::<usize>() + self.inbound.len();
    }

    /// Bounds the number of series from now on. Those that exist stay.
    pub fn set_series_max(&mut self, series_max: usize) {
        self.series_max = series_max;
    }

    /// Adds to a counter of a provider.
    pub fn add(&mut self, provider: ProviderId, cell: Cell, times: u64) {
        let Some(row) = self.rows.get_mut(provider.index()) else { return };
        if let Some(value) = row.live(cell) {
            *value += times;
        } else {
            self.add_newborn(provider, cell, times);
        }
    }

    /// The first event of a series that did not exist.
    #[cold]
    fn add_newborn(&mut self, provider: ProviderId, cell: Cell, times: u64) {
        let room = self.series < self.series_max;
        let (provider, cell) = if room || provider == ProviderId::OTHER && !cell.is_open() {
            (provider, cell)
        } else {
            self.folded += times;
            (ProviderId::OTHER, cell.folded())
        };
        let Some(row) = self.rows.get_mut(provider.index()) else { return };
        if row.create(cell) {
            self.series += 1;
            self.newborn.push(SeriesKey::Cell(row_number(provider), cell));
        }
        if let Some(value) = row.live(cell) {
            *value += times;
        }
    }

    /// Adds a server's reply, by its codes.
    pub fn add_reply(&mut self, provider: ProviderId, reply: &Reply<'_>, times: u64) {
        self.add(provider, Cell::reply(Some(reply.code)), times);
        if let Some(enhanced) = reply.enhanced {
            self.add_enhanced(provider, enhanced, times);
        }
    }

    /// Adds a delivery that was accepted with this reply, and its delay from arrival to acceptance.
    #[expect(clippy::inline_always, reason = "nearly every reply comes here")]
    #[inline(always)]
    pub fn add_accepted(
        &mut self,
        provider: ProviderId,
        reply: &Reply<'_>,
        delay_seconds: Option<f64>,
        times: u64,
    ) {
        // Nearly always all of the series exist.
        let row = self.rows.get_mut(provider.index());
        let known = row.is_some_and(|row| row.add_accepted(reply, delay_seconds, times));
        if !known {
            self.add_newly_accepted(provider, reply, delay_seconds, times);
        }
    }

    /// The same where a series is new.
    #[cold]
    fn add_newly_accepted(
        &mut self,
        provider: ProviderId,
        reply: &Reply<'_>,
        delay_seconds: Option<f64>,
        times: u64,
    ) {
        self.add_reply(provider, reply, times);
        self.add(provider, Cell::delivery(Outcome::Delivered), times);
        if let Some(seconds) = delay_seconds {
            self.add_delay(provider, seconds, times);
        }
    }

    /// Adds to a provider's enhanced code.
    pub fn add_enhanced(&mut self, provider: ProviderId, code: EnhancedStatusCode, times: u64) {
        let room = self.series < self.series_max;
        let Some(row) = self.rows.get_mut(provider.index()) else { return };
        if let Some(value) = row.enhanced_mut().get_mut(Some(code)) {
            *value += times;
            return;
        }
        let (provider, code) = if room {
            (provider, Some(code))
        } else {
            self.folded += times;
            (ProviderId::OTHER, None)
        };
        let Some(row) = self.rows.get_mut(provider.index()) else { return };
        if row.enhanced_mut().create(code) {
            self.series += 1;
            self.newborn.push(SeriesKey::Enhanced(row_number(provider), code));
        }
        if let Some(value) = row.enhanced_mut().get_mut(code) {
            *value += times;
        }
    }

    /// Adds one delivered message's delay, from arrival to acceptance.
    #[inline]
    pub fn add_delay(&mut self, provider: ProviderId, seconds: f64, times: u64) {
        match self.rows.get_mut(provider.index()).and_then(Row::delay_mut) {
            Some(delay) => delay.observe(seconds, times),
            None => self.add_first_delay(provider, seconds, times),
        }
    }

    /// The first delay of a provider.
    #[cold]
    fn add_first_delay(&mut self, provider: ProviderId, seconds: f64, times: u64) {
        let provider = if self.series < self.series_max {
            provider
        } else {
            self.folded += times;
            ProviderId::OTHER
        };
        let Some(row) = self.rows.get_mut(provider.index()) else { return };
        if row.create_delay() {
            self.series += Delay::SERIES;
            self.newborn.push(SeriesKey::Delay(row_number(provider)));
        }
        if let Some(delay) = row.delay_mut() {
            delay.observe(seconds, times);
        }
    }

    /// Adds one of our own refusals.
    pub fn add_inbound(&mut self, inbound: Inbound, times: u64) {
        let room = self.series < self.series_max;
        let inbound = if self.inbound.contains_key(&inbound) || room {
            inbound
        } else {
            self.folded += times;
            Inbound { code: None, reason: Reason::Unclassified, ..inbound }
        };
        let value = self.inbound.entry(inbound).or_insert_with(|| {
            self.series += 1;
            self.newborn.push(SeriesKey::Inbound(inbound));
            0
        });
        *value += times;
    }

    /// Adds a refusal that no rule knows.
    pub fn add_unclassified(&mut self, class: CodeClass, times: u64) {
        if let Some(value) = self.unclassified.get_mut(class as usize) {
            *value += times;
        }
    }

    /// The source of that name, made if it is new. Counts of a source that comes back go on.
    pub fn source(&mut self, name: &str) -> SourceId {
        let at =
            self.sources.iter().position(|source| source.name() == name).unwrap_or_else(|| {
                self.sources.push(SourceCounts::new(name));
                self.sources.len() - 1
            });
        SourceId::new(at)
    }

    /// The counts of a source.
    pub fn source_mut(&mut self, id: SourceId) -> Option<&mut SourceCounts> {
        self.sources.get_mut(id.index())
    }

    /// The counts of all sources that ever were, in the order of [`SourceId::index`].
    pub fn sources(&self) -> &[SourceCounts] {
        &self.sources
    }

    /// Stamps the series that were born since the last call with `now`, in seconds since the epoch.
    /// Call it before the ledger is cloned or saved.
    pub fn stamp_newborn(&mut self, now: u64) {
        self.born.extend(self.newborn.drain(..).map(|key| (key, now)));
    }

    /// What to show for a series at `now`: 0 while it is new, then its value.
    pub fn shown(&self, key: SeriesKey, value: u64, now: u64) -> u64 {
        let new = match self.born.get(&key) {
            Some(born) => now < born.saturating_add(self.first_appearance_seconds),
            None => false,
        };
        if new { 0 } else { value }
    }

    /// When a series was born, if it was not there from the start.
    pub fn born(&self, key: SeriesKey) -> Option<u64> {
        self.born.get(&key).copied()
    }

    /// The rows of the providers: those of the table in force in its order, then those that are in
    /// no table any more.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Our own refusals.
    pub fn inbound(&self) -> &BTreeMap<Inbound, u64> {
        &self.inbound
    }

    /// Refusals that no rule knows, by class.
    pub fn unclassified(&self) -> impl Iterator<Item = (CodeClass, u64)> {
        CodeClass::ALL.into_iter().zip(self.unclassified)
    }

    /// How many series there are, those of sources and of the program itself not counted.
    pub fn series(&self) -> usize {
        self.series
    }

    /// How many events were counted under `other` because the limit on series was reached.
    pub fn folded(&self) -> u64 {
        self.folded
    }

    /// A delivery count, for tests and summaries.
    pub fn deliveries(&self, provider: ProviderId, outcome: Outcome) -> u64 {
        self.rows.get(provider.index()).map_or(0, |row| row.value(Cell::delivery(outcome)))
    }
}

/// The row of a provider of the table in force: its place there.
fn row_number(provider: ProviderId) -> u16 {
    u16::try_from(provider.index()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::provider::Builtin;

    fn table(ids: &[&str]) -> Providers {
        let row = |id: &&str| {
            format!(
                "[[provider]]\nid = \"{id}\"\nname = \"{id}\"\nkind = \"mailbox\"\n\
                 domains = [\"{id}.example\"]\nexamples = [\"{id}.example\"]\nsource = \"a test\"\n"
            )
        };
        let rows = ids.iter().map(row).collect::<Vec<_>>().concat();
        let tracked: Vec<String> = ids.iter().take(1).map(|&id| id.to_owned()).collect();
        Providers::load(&[("test.toml", &rows)], Builtin::Replaced, Some(&tracked)).unwrap()
    }

    fn code(code: u16) -> Cell {
        Cell::reply(ReplyCode::new(code))
    }

    /// All replies, whatever they were folded into.
    fn replies(ledger: &Ledger) -> u64 {
        ledger
            .rows()
            .iter()
            .flat_map(Row::cells)
            .filter(|(cell, _)| matches!(cell.series(), Series::Reply(..) | Series::OtherReply(_)))
            .map(|(_, value)| value)
            .sum()
    }

    #[test]
    fn closed_sets_of_tracked_providers_are_there_at_zero() {
        let ledger = Ledger::new(&table(&["one", "two"]), 1000);
        let names = |name: &str| {
            let row = ledger.rows().iter().find(|row| row.name() == name).unwrap();
            row.cells().count()
        };
        let closed = 10 + Outcome::ALL.len() + Reason::ALL.len() + 3 + 6;
        assert_eq!(names("one"), closed);
        assert_eq!(names("other"), closed);
        assert_eq!(names("two"), 0);
    }

    #[test]
    fn a_new_series_is_shown_as_zero_for_a_minute() {
        let providers = table(&["one", "two"]);
        let two = providers.id("two").unwrap();
        let mut ledger = Ledger::new(&providers, 1000);
        ledger.add(two, code(556), 3);
        ledger.stamp_newborn(1_000);
        let key = SeriesKey::Cell(row_number(two), code(556));
        assert_eq!(ledger.shown(key, 3, 1_000), 0);
        assert_eq!(ledger.shown(key, 3, 1_059), 0);
        assert_eq!(ledger.shown(key, 3, 1_060), 3);
        let one = providers.id("one").unwrap();
        ledger.add(one, code(554), 1);
        ledger.stamp_newborn(2_000);
        assert_eq!(ledger.shown(SeriesKey::Cell(row_number(one), code(554)), 1, 2_000), 1);
    }

    #[test]
    fn another_table_keeps_what_was_counted_and_when_it_was_born() {
        let mut ledger = Ledger::new(&table(&["one", "two"]), 1000);
        let two = table(&["one", "two"]).id("two").unwrap();
        ledger.add(two, code(556), 3);
        ledger.stamp_newborn(1_000);
        let other = table(&["three", "one"]);
        ledger.adopt(&other);
        let at = ledger.rows().iter().position(|row| row.name() == "two").unwrap();
        assert_eq!(ledger.rows()[at].value(code(556)), 3);
        assert_eq!(
            ledger.born(SeriesKey::Cell(u16::try_from(at).unwrap(), code(556))),
            Some(1_000)
        );
        ledger.adopt(&table(&["one", "two"]));
        assert_eq!(ledger.rows()[two.index()].value(code(556)), 3);
        assert_eq!(ledger.born(SeriesKey::Cell(row_number(two), code(556))), Some(1_000));
    }

    #[test]
    fn delays_fall_into_their_buckets() {
        let providers = table(&["one"]);
        let one = providers.id("one").unwrap();
        let mut ledger = Ledger::new(&providers, 1000);
        for (seconds, times) in [(0.05, 1), (1.0, 1), (1.01, 2), (1e6, 1), (-5.0, 1), (f64::NAN, 1)]
        {
            ledger.add_delay(one, seconds, times);
        }
        let delay = ledger.rows()[one.index()].delay().unwrap();
        assert_eq!(delay.buckets, [4, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(delay.count(), 7);
        assert_eq!(delay.sum_milliseconds, 50 + 1_000 + 2_020 + 1_000_000_000);
    }

    proptest! {
        #[test]
        fn an_accepted_delivery_is_a_reply_a_delivery_and_a_delay(
            events in prop::collection::vec(
                (0..3u16, 220..260u16, prop::option::of(0..3u16), prop::option::of(0.0..9.0f64)),
                0..60,
            ),
            room in 0..60usize,
        ) {
            let providers = table(&["one", "two", "three"]);
            let start = Ledger::new(&providers, 0).series();
            let mut whole = Ledger::new(&providers, start + room);
            let mut parts = whole.clone();
            for (provider, number, detail, delay) in events {
                let provider = ProviderId(provider);
                let reply = Reply {
                    code: ReplyCode::new(number).unwrap(),
                    enhanced: detail.and_then(|detail| EnhancedStatusCode::new(2, 0, detail)),
                    text: b"",
                };
                whole.add_accepted(provider, &reply, delay, 1);
                parts.add_reply(provider, &reply, 1);
                parts.add(provider, Cell::delivery(Outcome::Delivered), 1);
                if let Some(seconds) = delay {
                    parts.add_delay(provider, seconds, 1);
                }
            }
            let rows = |ledger: &Ledger| format!("{:?} {}", ledger.rows(), ledger.folded());
            prop_assert_eq!(rows(&whole), rows(&parts));
        }

        /// Whatever remote servers say, series stay bounded and no event is lost.
        #[test]
        fn series_are_bounded_and_nothing_is_lost(
            events in prop::collection::vec((0..4u16, 200..600u16, 0..1000u16, 1..4u64), 0..600),
            room in 0..200usize,
        ) {
            let providers = table(&["one", "two", "three"]);
            let start = Ledger::new(&providers, 0).series();
            let mut ledger = Ledger::new(&providers, start + room);
            let mut total = 0;
            let mut enhanced = 0;
            for (provider, number, detail, times) in events {
                let provider = ProviderId(provider);
                ledger.add(provider, code(number), times);
                ledger.add_enhanced(provider, EnhancedStatusCode::new(5, 1, detail).unwrap(), times);
                total += times;
                enhanced += times;
            }
            prop_assert_eq!(replies(&ledger), total);
            let kept: u64 = ledger.rows().iter().flat_map(|row| row.enhanced().iter().map(|(_, value)| value)).sum();
            prop_assert_eq!(kept, enhanced);
            // Beyond the limit there are only the fixed places of `other`.
            prop_assert!(ledger.series() <= start + room + CodeClass::ALL.len() + 1);
            let counted = ledger.series();
            ledger.adopt(&providers);
            prop_assert_eq!(ledger.series(), counted);
        }
    }
}
