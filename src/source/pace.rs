//! When to look at files.
//!
//! Notifications say when there is something to look at. Where something is written all the time, they
//! cost more than looking does: a log that grows by thousands of lines a second is then looked at by
//! the clock, and its directories need not be watched meanwhile.

use std::time::Duration;

/// How often to look where notifications tell of changes.
pub(super) const TICK_NOTIFIED: Duration = Duration::from_secs(1);
/// How often to look without them.
const TICK: Duration = Duration::from_millis(250);
/// The least time between two looks at one file that is written to.
const PAUSE: Duration = Duration::from_millis(20);
/// The least time between two looks where files come and go: one can be deleted again soon.
const PAUSE_STRUCTURE: Duration = Duration::from_millis(2);
/// What each further file adds to that, so that many files do not keep a processor busy with looking.
const PAUSE_FOR_EACH: Duration = Duration::from_millis(1);
/// After so many looks in a row, none later than necessary, that all found something: busy.
const STREAK: u8 = 50;
/// What a look that found nothing takes from the streak. At its end: not busy any more.
const STREAK_LOSS: u8 = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct Pace {
    looked_at: Option<Duration>,
    due: Duration,
    notified: bool,
    files: u32,
    streak: u8,
    busy: bool,
}

impl Pace {
    /// The first look is due at once.
    pub(super) fn new() -> Self {
        Self {
            looked_at: None,
            due: Duration::ZERO,
            notified: false,
            files: 1,
            streak: 0,
            busy: false,
        }
    }

    /// When the next look is due.
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    /// A look at that many files begins; whether anything was read since the last one.
    pub(super) fn look(&mut self, now: Duration, files: usize, read: bool) {
        let soon = self.looked_at.is_some_and(|last| now < last + 2 * self.pause());
        self.files = u32::try_from(files).unwrap_or(u32::MAX);
        self.looked_at = Some(now);
        self.streak = if soon && read {
            STREAK.min(self.streak + 1)
        } else {
            self.streak.saturating_sub(STREAK_LOSS)
        };
        self.busy = self.streak == STREAK || self.busy && self.streak > 0;
        self.due = now + self.tick();
    }

    /// Something was written; `structure` says that files came, went or were renamed.
    pub(super) fn wake(&mut self, structure: bool) {
        let pause = if structure { self.pause_of(PAUSE_STRUCTURE) } else { self.pause() };
        self.advance(pause);
    }

    /// Whether changes are told of from now on.
    pub(super) fn set_notified(&mut self, notified: bool) {
        let before = std::mem::replace(&mut self.notified, notified);
        // What happened since the last look was not told.
        let since = if notified && !before { self.pause() } else { self.tick() };
        self.advance(since);
    }

    /// Whether looking by the clock costs less than notifications.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    fn advance(&mut self, after: Duration) {
        self.due = self.due.min(self.looked_at.unwrap_or_default() + after);
    }

    fn tick(&self) -> Duration {
        match (self.busy, self.notified) {
            (true, _) => self.pause(),
            (false, true) => TICK_NOTIFIED,
            (false, false) => TICK,
        }
    }

    fn pause(&self) -> Duration {
        self.pause_of(PAUSE)
    }

    fn pause_of(&self, least: Duration) -> Duration {
        TICK.min(least + PAUSE_FOR_EACH.saturating_mul(self.files.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks whenever it is due, for that many looks; how often something was written meanwhile.
    fn looks(pace: &mut Pace, looks: usize, mut is_written: impl FnMut(Duration) -> bool) {
        for _ in 0..looks {
            let now = pace.due();
            let read = is_written(now);
            pace.look(now, 1, read);
            if read && pace.notified {
                pace.wake(false);
            }
        }
    }

    #[test]
    fn a_log_that_is_written_all_the_time_is_looked_at_by_the_clock() {
        let mut pace = Pace::new();
        pace.look(Duration::from_secs(1), 1, false);
        pace.set_notified(true);
        looks(&mut pace, 60, |_| true);
        assert!(pace.is_busy());
        pace.set_notified(false);
        let before = pace.due();
        looks(&mut pace, 50, |_| true);
        assert!(pace.is_busy());
        assert_eq!(pace.due(), before + 50 * PAUSE);
        looks(&mut pace, 7, |_| false);
        assert!(!pace.is_busy());
    }

    #[test]
    fn a_log_that_is_written_now_and_then_is_not_busy() {
        let mut pace = Pace::new();
        pace.look(Duration::from_secs(1), 1, false);
        pace.set_notified(true);
        for second in 2..200 {
            pace.look(Duration::from_secs(second), 1, true);
        }
        assert!(!pace.is_busy());
        assert_eq!(pace.due(), Duration::from_secs(200));
        pace.wake(false);
        assert_eq!(pace.due(), Duration::from_secs(199) + PAUSE);
        pace.wake(true);
        assert_eq!(pace.due(), Duration::from_secs(199) + PAUSE_STRUCTURE);
    }

    #[test]
    fn what_happened_before_it_was_told_of_changes_is_looked_at_soon() {
        let mut pace = Pace::new();
        pace.look(Duration::from_secs(1), 1, false);
        assert_eq!(pace.due(), Duration::from_secs(1) + TICK);
        pace.set_notified(true);
        assert_eq!(pace.due(), Duration::from_secs(1) + PAUSE);
    }
}
