//! The counters of one provider.

use super::cell::Cell;
use super::enhanced::EnhancedCounts;
use crate::attempt::Outcome;
use crate::smtp::Reply;

/// The upper bounds of `mta_delivery_delay_seconds`.
pub const DELAY_BUCKETS_SECONDS: [u32; 11] =
    [1, 5, 15, 60, 300, 900, 3600, 14400, 43200, 86400, 259_200];

/// The same to compare with.
#[expect(clippy::indexing_slicing, reason = "it could only fail to compile")]
const BOUNDS: [f64; DELAY_BUCKETS_SECONDS.len()] = {
    let mut bounds = [0.0; DELAY_BUCKETS_SECONDS.len()];
    let mut at = 0;
    while at < bounds.len() {
        bounds[at] = DELAY_BUCKETS_SECONDS[at] as f64;
        at += 1;
    }
    bounds
};

/// The longest delay that is taken for one, in the sum: more than thirty years.
const LONGEST_MILLISECONDS: u64 = 1_000_000_000_000;

/// The counters of one provider. A series exists from its first event, or from the start where it
/// belongs to a closed set of a tracked provider.
#[derive(Clone, Debug)]
pub struct Row {
    name: String,
    tracked: bool,
    cells: Option<Box<Cells>>,
    enhanced: EnhancedCounts,
    delay: Option<Box<Delay>>,
}

/// The values, and which of them exist: a series that was born stays for ever.
#[derive(Clone, Debug)]
struct Cells {
    values: [u64; Cell::COUNT],
    live: [bool; Cell::COUNT],
}

impl Row {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            tracked: false,
            cells: None,
            enhanced: EnhancedCounts::default(),
            delay: None,
        }
    }

    /// The value of the label `provider`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether nothing was ever counted or promised here.
    pub(super) fn is_empty(&self) -> bool {
        self.cells.is_none() && self.enhanced.len() == 0 && self.delay.is_none()
    }

    /// Creates the closed sets at 0. A series that exists is never taken away, for Prometheus
    /// would lose it.
    pub(super) fn set_tracked(&mut self, tracked: bool) {
        self.tracked = tracked;
        if tracked {
            for cell in Cell::all().filter(|cell| cell.is_precreated()) {
                self.create(cell);
            }
            self.create_delay();
        }
    }

    /// Makes the series exist; whether it is new.
    pub(super) fn create(&mut self, cell: Cell) -> bool {
        let cells = self.cells.get_or_insert_with(|| {
            Box::new(Cells { values: [0; Cell::COUNT], live: [false; Cell::COUNT] })
        });
        match cells.live.get_mut(cell.index()) {
            Some(live) => !std::mem::replace(live, true),
            None => false,
        }
    }

    /// Takes a series away and gives its value, to put it in another place.
    pub(super) fn take(&mut self, cell: Cell) -> Option<u64> {
        let value = std::mem::take(self.live(cell)?);
        let live = self.cells.as_mut().and_then(|cells| cells.live.get_mut(cell.index()));
        if let Some(live) = live {
            *live = false;
        }
        Some(value)
    }

    /// The counter, if its series exists.
    pub(super) fn live(&mut self, cell: Cell) -> Option<&mut u64> {
        let cells = self.cells.as_mut()?;
        if !*cells.live.get(cell.index())? {
            return None;
        }
        cells.values.get_mut(cell.index())
    }

    /// Adds an accepted delivery, if all of its series exist; whether they do.
    #[expect(clippy::inline_always, reason = "nearly every reply comes here")]
    #[inline(always)]
    pub(super) fn add_accepted(
        &mut self,
        reply: &Reply<'_>,
        delay_seconds: Option<f64>,
        times: u64,
    ) -> bool {
        let (Some(cells), Some(delay)) = (&mut self.cells, &mut self.delay) else { return false };
        let (code, delivered) =
            (Cell::reply(Some(reply.code)).index(), Cell::delivery(Outcome::Delivered).index());
        let live = |cell: usize| cells.live.get(cell) == Some(&true);
        if !live(code) || !live(delivered) {
            return false;
        }
        if let Some(enhanced) = reply.enhanced {
            let Some(value) = self.enhanced.get_mut(Some(enhanced)) else { return false };
            *value += times;
        }
        for cell in [code, delivered] {
            if let Some(value) = cells.values.get_mut(cell) {
                *value += times;
            }
        }
        if let Some(seconds) = delay_seconds {
            delay.observe(seconds, times);
        }
        true
    }

    /// The value of a counter, 0 if its series does not exist.
    pub fn value(&self, cell: Cell) -> u64 {
        self.cells.as_ref().and_then(|cells| cells.values.get(cell.index())).copied().unwrap_or(0)
    }

    /// The counters whose series exist, family by family.
    pub fn cells(&self) -> impl Iterator<Item = (Cell, u64)> {
        let live = self.cells.as_ref().map(|cells| (&cells.live, &cells.values));
        live.into_iter().flat_map(|(live, values)| {
            Cell::all()
                .zip(live.iter().zip(values))
                .filter(|(_, (live, _))| **live)
                .map(|(cell, (_, value))| (cell, *value))
        })
    }

    /// The enhanced codes.
    pub fn enhanced(&self) -> &EnhancedCounts {
        &self.enhanced
    }

    pub(super) fn enhanced_mut(&mut self) -> &mut EnhancedCounts {
        &mut self.enhanced
    }

    /// Makes the histogram exist; whether it is new.
    pub(super) fn create_delay(&mut self) -> bool {
        let new = self.delay.is_none();
        self.delay.get_or_insert_default();
        new
    }

    /// The delays of delivered messages.
    pub fn delay(&self) -> Option<&Delay> {
        self.delay.as_deref()
    }

    pub(super) fn delay_mut(&mut self) -> Option<&mut Delay> {
        self.delay.as_deref_mut()
    }

    /// How many series there are.
    pub(super) fn series(&self) -> usize {
        self.cells().count()
            + self.enhanced.len()
            + self.delay.as_ref().map_or(0, |_| Delay::SERIES)
    }
}

/// A classic histogram of delays. The sum is kept in milliseconds, so that it does not depend on
/// the order of additions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    /// Observations in each bucket, not cumulative; the last has no bound.
    pub buckets: [u64; DELAY_BUCKETS_SECONDS.len() + 1],
    /// The sum of all observations.
    pub sum_milliseconds: u64,
}

impl Delay {
    /// The series of one histogram: its buckets, sum and count.
    pub const SERIES: usize = DELAY_BUCKETS_SECONDS.len() + 3;

    /// Adds an observation. Negative and absurd numbers, as a stepped clock makes them, count as 0
    /// and as the longest.
    #[inline]
    pub(super) fn observe(&mut self, seconds: f64, times: u64) {
        // Takes what is no number for 0 too.
        let seconds = seconds.max(0.0);
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += times;
        }
        let milliseconds = rounded(seconds * 1000.0).min(LONGEST_MILLISECONDS);
        self.sum_milliseconds =
            self.sum_milliseconds.saturating_add(milliseconds.saturating_mul(times));
    }

    /// How many observations there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// The nearest whole number to one that is not less than 0; beyond the largest, that.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the largest number stands for all beyond, and none is less than 0"
)]
#[inline]
fn rounded(number: f64) -> u64 {
    const FEW_BITS: f64 = 4_294_967_295.0;
    // Not by a call.
    let number = number + 0.5;
    // That of few bits costs a third, and nearly all are.
    if number < FEW_BITS { u64::from(number as u32) } else { number as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_whatever_their_size() {
        for (number, expected) in [
            (0.0, 0),
            (0.4, 0),
            (0.5, 1),
            (5_480.000_000_1, 5480),
            (4_294_967_294.4, 4_294_967_294),
            (4_294_967_295.0, 4_294_967_295),
            (4_294_967_296.0, 4_294_967_296),
            (1e12, 1_000_000_000_000),
            (f64::INFINITY, u64::MAX),
        ] {
            assert_eq!(rounded(number), expected, "{number}");
        }
    }
}
