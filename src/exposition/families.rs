//! The metrics with their values.

use super::catalogue::{self, Metric};
use crate::ledger::{
    Cell, DELAY_BUCKETS_SECONDS, Delay, Ledger, Row, Series, SeriesKey, Snapshot, SourceCounts,
    SourceGauges,
};
use crate::mta::LineKind;

/// The label value of what had no room, and of what carried no code.
const OTHER: &str = "other";
const NONE: &str = "none";

/// A metric and its series.
#[derive(Debug)]
pub(super) struct Family {
    pub metric: &'static Metric,
    pub points: Vec<Point>,
}

/// One series.
#[derive(Debug)]
pub(super) struct Point {
    /// The values of the metric's labels, in their order.
    pub labels: Vec<String>,
    pub value: Value,
    /// When the series was born, in seconds since the epoch, where it is known.
    pub created: Option<u64>,
}

#[derive(Debug)]
pub(super) enum Value {
    Number(f64),
    Histogram {
        /// Upper bounds and cumulative counts, without the last bound, which is infinite.
        buckets: Vec<(f64, u64)>,
        sum: f64,
        count: u64,
    },
}

impl Family {
    pub(super) fn new(metric: &'static Metric) -> Self {
        Self { metric, points: Vec::new() }
    }

    /// A family of one series without labels.
    pub(super) fn single(metric: &'static Metric, value: f64) -> Self {
        let mut family = Self::new(metric);
        family.push([], value, None);
        family
    }

    fn push<const N: usize>(&mut self, labels: [&str; N], value: f64, created: Option<u64>) {
        let labels = labels.map(str::to_owned).into();
        self.points.push(Point { labels, value: Value::Number(value), created });
    }
}

/// Everything that a snapshot holds.
pub(super) fn of_snapshot(snapshot: &Snapshot) -> Vec<Family> {
    let ledger = &snapshot.ledger;
    let mut families = of_ledger(ledger, &snapshot.lists, snapshot.taken_at_seconds);
    let gauges = snapshot
        .sources
        .iter()
        .filter_map(|(id, gauges)| Some((ledger.sources().get(id.index())?.name(), *gauges)));
    families.extend(of_gauges(&gauges.collect::<Vec<_>>()));
    let (state, reload) = (snapshot.state, snapshot.reload);
    families.extend([
        Family::single(&catalogue::STATE_RESTORED, flag(state.restored)),
        Family::single(&catalogue::STATE_DURABLE, flag(state.durable)),
        Family::single(&catalogue::STATE_COMMITS, number(state.commits)),
        Family::single(&catalogue::STATE_COMMIT_FAILURES, number(state.commit_failures)),
        Family::single(&catalogue::RELOAD_SUCCESSFUL, flag(reload.successful)),
        Family::single(&catalogue::RELOAD_TIME, number(reload.success_timestamp_seconds)),
    ]);
    families
}

/// What the program is.
pub(super) fn of_program() -> Vec<Family> {
    let mut info = Family::new(&catalogue::BUILD_INFO);
    info.push([super::VERSION, super::REVISION, super::RUSTC], 1.0, None);
    vec![info]
}

/// The counters, as they are to be shown at `now`. `lists` are the names of the blocklists.
pub(super) fn of_ledger(ledger: &Ledger, lists: &[String], now: u64) -> Vec<Family> {
    let mut providers = OfProviders::new();
    for (at, row) in ledger.rows().iter().enumerate() {
        let Ok(at) = u16::try_from(at) else { break };
        providers.add_cells(ledger, lists, now, at, row);
        providers.add_enhanced(ledger, now, at, row);
        providers.add_delay(ledger, now, at, row);
    }
    let mut families = providers.families();
    families.push(inbound(ledger, now));
    let mut unclassified = Family::new(&catalogue::UNCLASSIFIED);
    for (class, replies) in ledger.unclassified() {
        unclassified.push([class.as_str()], number(replies), None);
    }
    families.push(unclassified);
    families.extend(of_sources(ledger.sources()));
    families.push(Family::single(&catalogue::SERIES, number(ledger.series() as u64)));
    families.push(Family::single(&catalogue::SERIES_FOLDED, number(ledger.folded())));
    families
}

/// The families with the label `provider`.
struct OfProviders {
    replies: Family,
    deliveries: Family,
    refusals: Family,
    bounces: Family,
    enhanced: Family,
    blocklists: Family,
    phases: Family,
    failures: Family,
    delay: Family,
}

impl OfProviders {
    fn new() -> Self {
        Self {
            replies: Family::new(&catalogue::REPLIES),
            deliveries: Family::new(&catalogue::DELIVERIES),
            refusals: Family::new(&catalogue::REFUSALS),
            bounces: Family::new(&catalogue::BOUNCES),
            enhanced: Family::new(&catalogue::ENHANCED),
            blocklists: Family::new(&catalogue::BLOCKLISTS),
            phases: Family::new(&catalogue::PHASES),
            failures: Family::new(&catalogue::CONNECTION_FAILURES),
            delay: Family::new(&catalogue::DELAY),
        }
    }

    fn families(self) -> Vec<Family> {
        vec![
            self.replies,
            self.deliveries,
            self.refusals,
            self.bounces,
            self.enhanced,
            self.blocklists,
            self.phases,
            self.failures,
            self.delay,
        ]
    }

    fn add_cells(&mut self, ledger: &Ledger, lists: &[String], now: u64, at: u16, row: &Row) {
        let name = row.name();
        for (cell, value) in row.cells() {
            let key = SeriesKey::Cell(at, cell);
            let value = number(ledger.shown(key, value, now));
            let created = ledger.born(key);
            self.add_cell(name, lists, cell, value, created);
        }
    }

    fn add_cell(
        &mut self,
        name: &str,
        lists: &[String],
        cell: Cell,
        value: f64,
        created: Option<u64>,
    ) {
        let (family, label) = match cell.series() {
            Series::Reply(class, code) => {
                let code = code.map_or(NONE.to_owned(), |code| code.to_string());
                self.replies.push([name, class.as_str(), &code], value, created);
                return;
            }
            Series::OtherReply(class) => {
                self.replies.push([name, class.as_str(), OTHER], value, created);
                return;
            }
            Series::Delivery(outcome) => (&mut self.deliveries, outcome.as_str()),
            Series::Refusal(reason) => (&mut self.refusals, reason.as_str()),
            Series::Bounce(kind) => (&mut self.bounces, kind.as_str()),
            Series::Phase(phase) => (&mut self.phases, phase.as_str()),
            Series::ConnectionFailure(cause) => (&mut self.failures, cause.as_str()),
            Series::List(list) => {
                (&mut self.blocklists, lists.get(list.index()).map_or(OTHER, String::as_str))
            }
        };
        family.push([name, label], value, created);
    }

    fn add_enhanced(&mut self, ledger: &Ledger, now: u64, at: u16, row: &Row) {
        for (code, value) in row.enhanced().iter() {
            let key = SeriesKey::Enhanced(at, code);
            let value = number(ledger.shown(key, value, now));
            let code = code.map_or(OTHER.to_owned(), |code| code.to_string());
            self.enhanced.push([row.name(), &code], value, ledger.born(key));
        }
    }

    fn add_delay(&mut self, ledger: &Ledger, now: u64, at: u16, row: &Row) {
        let Some(delay) = row.delay() else { return };
        let key = SeriesKey::Delay(at);
        // A newborn histogram is shown empty, as a newborn counter is shown as 0.
        let empty = Delay::default();
        let shown = if ledger.shown(key, 1, now) == 0 { &empty } else { delay };
        let value = histogram(shown);
        let labels = vec![row.name().to_owned()];
        self.delay.points.push(Point { labels, value, created: ledger.born(key) });
    }
}

fn histogram(delay: &Delay) -> Value {
    let mut count = 0;
    let buckets = DELAY_BUCKETS_SECONDS.iter().zip(delay.buckets).map(|(bound, observations)| {
        count += observations;
        (f64::from(*bound), count)
    });
    let buckets = buckets.collect();
    Value::Histogram { buckets, sum: number(delay.sum_milliseconds) / 1000.0, count: delay.count() }
}

fn inbound(ledger: &Ledger, now: u64) -> Family {
    let mut family = Family::new(&catalogue::INBOUND_REJECTS);
    for (inbound, value) in ledger.inbound() {
        let key = SeriesKey::Inbound(*inbound);
        let code = inbound.code.map_or(NONE.to_owned(), |code| code.to_string());
        let labels = [inbound.class.as_str(), &code, inbound.reason.as_str()];
        family.push(labels, number(ledger.shown(key, *value, now)), ledger.born(key));
    }
    family
}

fn of_sources(sources: &[SourceCounts]) -> Vec<Family> {
    let mut lines = Family::new(&catalogue::SOURCE_LINES);
    let mut bytes = Family::new(&catalogue::SOURCE_READ_BYTES);
    let mut rotations = Family::new(&catalogue::SOURCE_ROTATIONS);
    let mut truncations = Family::new(&catalogue::SOURCE_TRUNCATIONS);
    let mut gaps = Family::new(&catalogue::SOURCE_GAPS);
    let mut errors = Family::new(&catalogue::SOURCE_READ_ERRORS);
    let mut evictions = Family::new(&catalogue::SOURCE_EVICTIONS);
    for source in sources {
        for (kind, count) in LineKind::LABELS.iter().zip(source.lines) {
            lines.push([source.name(), kind], number(count), None);
        }
        bytes.push([source.name()], number(source.read_bytes), None);
        rotations.push([source.name()], number(source.rotations), None);
        truncations.push([source.name()], number(source.truncations), None);
        gaps.push([source.name()], number(source.gaps), None);
        errors.push([source.name()], number(source.read_errors), None);
        evictions.push([source.name()], number(source.evictions), None);
    }
    vec![lines, bytes, rotations, truncations, gaps, errors, evictions]
}

fn of_gauges(sources: &[(&str, SourceGauges)]) -> Vec<Family> {
    let mut up = Family::new(&catalogue::SOURCE_UP);
    let mut lag_bytes = Family::new(&catalogue::SOURCE_LAG_BYTES);
    let mut lag_seconds = Family::new(&catalogue::SOURCE_LAG_SECONDS);
    let mut last_event = Family::new(&catalogue::SOURCE_LAST_EVENT);
    for (name, gauges) in sources {
        up.push([name], flag(gauges.up), None);
        lag_bytes.push([name], number(gauges.lag_bytes), None);
        lag_seconds.push([name], gauges.lag_seconds, None);
        if let Some(seconds) = gauges.last_event_timestamp_seconds {
            last_event.push([name], seconds, None);
        }
    }
    vec![up, lag_bytes, lag_seconds, last_event]
}

fn flag(flag: bool) -> f64 {
    f64::from(u8::from(flag))
}

/// Prometheus holds every number as a double: counts are exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "a double is what the format has")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}
