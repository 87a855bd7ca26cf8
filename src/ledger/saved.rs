//! The counters by their names: the form in which they survive a restart.
//!
//! Numbers of rows and cells may differ from one build or table to the next, names stay. What a
//! newer build does not know any more is left out; nothing that it does know changes its meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cell, Delay, Inbound, Ledger, Row, Series, SeriesKey, SourceCounts};
use crate::attempt::{NoReply, Outcome, Phase};
use crate::mta::LineKind;
use crate::reason::{BounceKind, ListId, Reason};
use crate::smtp::{CodeClass, EnhancedStatusCode, ReplyCode};

/// A value, and when its series was born if that was after the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Count {
    There(u64),
    Born(u64, u64),
}

impl Count {
    fn new(value: u64, born: Option<u64>) -> Self {
        born.map_or(Self::There(value), |born| Self::Born(value, born))
    }

    fn value(self) -> u64 {
        match self {
            Self::There(value) | Self::Born(value, _) => value,
        }
    }

    fn born(self) -> Option<u64> {
        match self {
            Self::There(_) => None,
            Self::Born(_, born) => Some(born),
        }
    }
}

/// All counters by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedLedger {
    providers: BTreeMap<String, SavedRow>,
    /// `class/code/reason`.
    inbound: BTreeMap<String, Count>,
    unclassified: BTreeMap<String, u64>,
    folded: u64,
    /// In the order of [`super::SourceId::index`].
    sources: Vec<SavedSource>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct SavedRow {
    /// `family/label`.
    counts: BTreeMap<String, Count>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    enhanced: BTreeMap<String, Count>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay: Option<SavedDelay>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct SavedDelay {
    /// By upper bound in seconds, the last one `inf`.
    buckets: BTreeMap<String, u64>,
    sum_milliseconds: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    born: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct SavedSource {
    name: String,
    lines: BTreeMap<String, u64>,
    read_bytes: u64,
    rotations: u64,
    truncations: u64,
    gaps: u64,
    read_errors: u64,
    #[serde(default)]
    evictions: u64,
}

impl Ledger {
    /// All counters by name.
    pub fn save(&self) -> SavedLedger {
        let rows = self.rows.iter().zip(0u16..);
        SavedLedger {
            providers: rows
                .filter(|(row, _)| !row.is_empty())
                .map(|(row, number)| (row.name().to_owned(), self.save_row(row, number)))
                .collect(),
            inbound: self
                .inbound
                .iter()
                .map(|(inbound, value)| {
                    let born = self.born(SeriesKey::Inbound(*inbound));
                    (inbound_name(*inbound), Count::new(*value, born))
                })
                .collect(),
            unclassified: self
                .unclassified()
                .map(|(class, value)| (class.as_str().to_owned(), value))
                .collect(),
            folded: self.folded,
            sources: self.sources.iter().map(save_source).collect(),
        }
    }

    fn save_row(&self, row: &Row, number: u16) -> SavedRow {
        let counts = row.cells().filter_map(|(cell, value)| {
            let born = self.born(SeriesKey::Cell(number, cell));
            // A series that is there from the start is there at 0 again.
            let needed = value > 0 || born.is_some() || !cell.is_precreated();
            needed.then_some((cell_name(cell, &self.lists)?, Count::new(value, born)))
        });
        let enhanced = row.enhanced().iter().map(|(code, value)| {
            let name = code.map_or_else(|| "other".to_owned(), |code| code.to_string());
            (name, Count::new(value, self.born(SeriesKey::Enhanced(number, code))))
        });
        let delay = row.delay().map(|delay| SavedDelay {
            buckets: Delay::bounds().zip(delay.buckets).filter(|(_, count)| *count > 0).collect(),
            sum_milliseconds: delay.sum_milliseconds,
            born: self.born(SeriesKey::Delay(number)),
        });
        SavedRow { counts: counts.collect(), enhanced: enhanced.collect(), delay }
    }

    /// Takes over counters of an earlier run, on top of what is there.
    pub fn restore(&mut self, saved: &SavedLedger) {
        for (name, row) in &saved.providers {
            let known = self.rows.iter().position(|known| known.name() == name);
            let index = known.unwrap_or_else(|| {
                self.rows.push(Row::new(name));
                self.rows.len() - 1
            });
            if let Ok(number) = u16::try_from(index) {
                self.restore_row(number, row);
            }
        }
        for (name, count) in &saved.inbound {
            let Some(inbound) = parse_inbound(name) else { continue };
            *self.inbound.entry(inbound).or_default() += count.value();
            self.born.extend(count.born().map(|born| (SeriesKey::Inbound(inbound), born)));
        }
        for class in CodeClass::ALL {
            let count = saved.unclassified.get(class.as_str()).copied().unwrap_or_default();
            self.add_unclassified(class, count);
        }
        self.folded += saved.folded;
        for source in &saved.sources {
            let id = self.source(&source.name);
            if let Some(counts) = self.source_mut(id) {
                restore_source(counts, source);
            }
        }
        self.recount();
    }

    fn restore_row(&mut self, number: u16, saved: &SavedRow) {
        let Some(row) = self.rows.get_mut(usize::from(number)) else { return };
        for (name, count) in &saved.counts {
            let Some(cell) = parse_cell(name, &mut self.lists) else { continue };
            row.create(cell);
            if let Some(value) = row.live(cell) {
                *value += count.value();
            }
            self.born.extend(count.born().map(|born| (SeriesKey::Cell(number, cell), born)));
        }
        for (name, count) in &saved.enhanced {
            let code = match EnhancedStatusCode::parse(name.as_bytes()) {
                Some((code, length)) if length == name.len() => Some(code),
                _ if name == "other" => None,
                _ => continue,
            };
            row.enhanced_mut().create(code);
            if let Some(value) = row.enhanced_mut().get_mut(code) {
                *value += count.value();
            }
            self.born.extend(count.born().map(|born| (SeriesKey::Enhanced(number, code), born)));
        }
        if let Some(saved) = &saved.delay {
            row.create_delay();
            if let Some(delay) = row.delay_mut() {
                for (bound, bucket) in Delay::bounds().zip(&mut delay.buckets) {
                    *bucket += saved.buckets.get(&bound).copied().unwrap_or_default();
                }
                delay.sum_milliseconds =
                    delay.sum_milliseconds.saturating_add(saved.sum_milliseconds);
            }
            self.born.extend(saved.born.map(|born| (SeriesKey::Delay(number), born)));
        }
    }
}

impl Delay {
    /// The names of the buckets: their upper bounds.
    fn bounds() -> impl Iterator<Item = String> {
        let bounds = super::DELAY_BUCKETS_SECONDS.iter().map(u32::to_string);
        bounds.chain(["inf".to_owned()])
    }
}

fn cell_name(cell: Cell, lists: &[String]) -> Option<String> {
    let (family, label) = match cell.series() {
        Series::Reply(_, Some(code)) => return Some(format!("reply/{code}")),
        Series::Reply(_, None) => ("reply", "none"),
        Series::OtherReply(class) => ("other_reply", class.as_str()),
        Series::Delivery(outcome) => ("delivery", outcome.as_str()),
        Series::Refusal(reason) => ("refusal", reason.as_str()),
        Series::Bounce(kind) => ("bounce", kind.as_str()),
        Series::Phase(phase) => ("phase", phase.as_str()),
        Series::ConnectionFailure(cause) => ("connection_failure", cause.as_str()),
        Series::List(list) => ("list", lists.get(list.index())?.as_str()),
    };
    Some(format!("{family}/{label}"))
}

fn parse_cell(name: &str, lists: &mut Vec<String>) -> Option<Cell> {
    let (family, label) = name.split_once('/')?;
    match family {
        "reply" if label == "none" => Some(Cell::reply(None)),
        "reply" => Some(Cell::reply(Some(ReplyCode::new(label.parse().ok()?)?))),
        "other_reply" => Some(Cell::other_reply(parse_class(label)?)),
        "delivery" => Outcome::parse(label).map(Cell::delivery),
        "refusal" => Reason::parse(label).map(Cell::refusal),
        "bounce" => BounceKind::parse(label).map(Cell::bounce),
        "phase" => Phase::parse(label).map(Cell::phase),
        "connection_failure" => NoReply::parse(label).map(Cell::connection_failure),
        "list" => {
            // One that no rule names any more is shown with its last value.
            let known = lists.iter().position(|list| list == label);
            let index = known.unwrap_or(lists.len());
            let list = ListId::new(index)?;
            if known.is_none() {
                lists.push(label.to_owned());
            }
            Some(Cell::list(list))
        }
        _ => None,
    }
}

fn parse_class(label: &str) -> Option<CodeClass> {
    CodeClass::ALL.into_iter().find(|class| class.as_str() == label)
}

fn inbound_name(inbound: Inbound) -> String {
    let code = inbound.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
    format!("{}/{code}/{}", inbound.class, inbound.reason)
}

fn parse_inbound(name: &str) -> Option<Inbound> {
    let mut parts = name.splitn(3, '/');
    let class = parse_class(parts.next()?)?;
    let code = match parts.next()? {
        "none" => None,
        code => Some(ReplyCode::new(code.parse().ok()?)?),
    };
    Some(Inbound { class, code, reason: Reason::parse(parts.next()?)? })
}

fn save_source(source: &SourceCounts) -> SavedSource {
    SavedSource {
        name: source.name().to_owned(),
        lines: LineKind::LABELS
            .iter()
            .zip(source.lines)
            .filter(|(_, lines)| *lines > 0)
            .map(|(kind, lines)| ((*kind).to_owned(), lines))
            .collect(),
        read_bytes: source.read_bytes,
        rotations: source.rotations,
        truncations: source.truncations,
        gaps: source.gaps,
        read_errors: source.read_errors,
        evictions: source.evictions,
    }
}

fn restore_source(counts: &mut SourceCounts, saved: &SavedSource) {
    for (kind, lines) in LineKind::LABELS.iter().zip(&mut counts.lines) {
        *lines += saved.lines.get(*kind).copied().unwrap_or_default();
    }
    counts.read_bytes += saved.read_bytes;
    counts.rotations += saved.rotations;
    counts.truncations += saved.truncations;
    counts.gaps += saved.gaps;
    counts.read_errors += saved.read_errors;
    counts.evictions += saved.evictions;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{ProviderId, Providers};

    fn lists(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// A ledger in which every family has something.
    fn full() -> Ledger {
        let mut ledger = Ledger::new(&Providers::builtin(), 1_000_000);
        ledger.adopt_lists(&lists(&["spamhaus", "barracuda"]));
        let provider = ProviderId::OTHER;
        for (value, cell) in (1..).zip(Cell::all()) {
            let named = !matches!(cell.series(), Series::List(list) if list.index() > 1);
            if named {
                ledger.add(provider, cell, value);
            }
        }
        let (code, _) = EnhancedStatusCode::parse(b"5.7.606").unwrap();
        ledger.add_enhanced(provider, code, 7);
        ledger.add_delay(provider, 2.5, 3);
        ledger.add_delay(provider, 1e8, 1);
        for code in [None, ReplyCode::new(554)] {
            let class = CodeClass::Permanent;
            ledger.add_inbound(Inbound { class, code, reason: Reason::Malware }, 5);
        }
        ledger.add_unclassified(CodeClass::Transient, 9);
        let source = ledger.source("mail");
        let counts = ledger.source_mut(source).unwrap();
        counts.add_lines(LineKind::Overlong, 4);
        counts.read_bytes = u64::MAX / 2;
        counts.gaps = 1;
        ledger.stamp_newborn(1_795_000_000);
        ledger
    }

    fn through_text(saved: &SavedLedger) -> SavedLedger {
        serde_json::from_str(&serde_json::to_string(saved).unwrap()).unwrap()
    }

    #[test]
    fn everything_comes_back_by_its_name() {
        let before = full();
        let saved = before.save();
        let mut after = Ledger::new(&Providers::builtin(), 10);
        after.adopt_lists(&lists(&["new", "barracuda"]));
        after.restore(&through_text(&saved));
        assert_eq!(after.save(), saved);
        assert_eq!(after.series(), before.series());
        // The one that no table names any more stands behind the others.
        assert_eq!(after.lists(), lists(&["new", "barracuda", "spamhaus"]));
        let list = |ledger: &Ledger, index| {
            ledger.rows()[0].value(Cell::list(ListId::new(index).unwrap()))
        };
        assert_eq!(list(&after, 0), 0);
        assert_eq!((list(&after, 1), list(&after, 2)), (list(&before, 1), list(&before, 0)));
    }

    #[test]
    fn a_series_that_is_new_is_still_new_after_a_restart() {
        let before = full();
        let mut after = Ledger::new(&Providers::builtin(), 10);
        after.adopt_lists(before.lists());
        after.restore(&through_text(&before.save()));
        let (code, _) = EnhancedStatusCode::parse(b"5.7.606").unwrap();
        let key = SeriesKey::Enhanced(0, Some(code));
        assert_eq!(after.born(key), Some(1_795_000_000));
        assert_eq!(after.shown(key, 7, 1_795_000_030), 0);
        assert_eq!(after.shown(key, 7, 1_795_000_060), 7);
    }

    #[test]
    fn providers_and_lists_that_are_gone_keep_their_counts() {
        let mut saved = full().save();
        let row = saved.providers.remove("other").unwrap();
        saved.providers.insert("a provider of another table".to_owned(), row);
        let mut ledger = Ledger::new(&Providers::builtin(), 10);
        ledger.restore(&saved);
        assert_eq!(
            ledger.save().providers["a provider of another table"],
            saved.providers["a provider of another table"]
        );
        ledger.adopt_lists(&lists(&["x", "spamhaus"]));
        ledger.adopt(&Providers::builtin());
        assert_eq!(
            ledger.save().providers["a provider of another table"],
            saved.providers["a provider of another table"]
        );
    }

    #[test]
    fn names_that_are_not_known_are_left_out() {
        let text = r#"{"providers":{"other":{"counts":{"reply/999":1,"x":1,"refusal/moon":1},
            "enhanced":{"5.1":1}}},"inbound":{"5xx":1},"unclassified":{},"folded":0,"sources":[]}"#;
        let mut ledger = Ledger::new(&Providers::builtin(), 10);
        let before = ledger.save();
        ledger.restore(&serde_json::from_str(text).unwrap());
        assert_eq!(ledger.save(), before);
    }
}
