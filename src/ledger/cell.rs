//! The counters of one provider, as places in one flat array.

use crate::attempt::{NoReply, Outcome, Phase};
use crate::reason::{BounceKind, ListId, Reason};
use crate::smtp::{CodeClass, ReplyCode};

const CODES: usize = (ReplyCode::MAX - ReplyCode::MIN) as usize + 1;

// The families stand one after the other.
const REPLIES: usize = 0;
const NO_REPLY: usize = REPLIES + CODES;
const OTHER_CODES: usize = NO_REPLY + 1;
const DELIVERIES: usize = OTHER_CODES + CodeClass::ALL.len();
const REFUSALS: usize = DELIVERIES + Outcome::ALL.len();
const BOUNCES: usize = REFUSALS + Reason::ALL.len();
const PHASES: usize = BOUNCES + BounceKind::ALL.len();
const FAILURES: usize = PHASES + Phase::ALL.len();
const LISTS: usize = FAILURES + NoReply::ALL.len();
const END: usize = LISTS + ListId::COUNT_MAX;

/// The codes whose series exist from the start for every tracked provider.
const HEADLINE_CODES: [u16; 9] = [250, 421, 450, 451, 452, 550, 552, 553, 554];

/// One counter of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell(u16);

/// What a [`Cell`] counts: the metric and its labels beside the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// `mta_replies_total`; the code is `None` where no code came back.
    Reply(CodeClass, Option<ReplyCode>),
    /// `mta_replies_total` with the code `other`: codes that had no room.
    OtherReply(CodeClass),
    /// `mta_deliveries_total`.
    Delivery(Outcome),
    /// `mta_refusals_total`.
    Refusal(Reason),
    /// `mta_bounces_total`.
    Bounce(BounceKind),
    /// `mta_refusal_phases_total`.
    Phase(Phase),
    /// `mta_connection_failures_total`.
    ConnectionFailure(NoReply),
    /// `mta_blocklist_refusals_total`.
    List(ListId),
}

#[expect(clippy::cast_possible_truncation, reason = "END is far below 65,536")]
impl Cell {
    /// How many cells a provider has.
    pub const COUNT: usize = END;

    /// A reply with this code, or none at all.
    pub const fn reply(code: Option<ReplyCode>) -> Self {
        match code {
            Some(code) => Self(code.get() - ReplyCode::MIN + REPLIES as u16),
            None => Self(NO_REPLY as u16),
        }
    }

    /// An outcome.
    pub const fn delivery(outcome: Outcome) -> Self {
        Self(DELIVERIES as u16 + outcome as u16)
    }

    /// A refusal for this reason.
    pub const fn refusal(reason: Reason) -> Self {
        Self(REFUSALS as u16 + reason as u16)
    }

    /// A bounce of this kind.
    pub const fn bounce(kind: BounceKind) -> Self {
        Self(BOUNCES as u16 + kind as u16)
    }

    /// A refusal in this phase.
    pub const fn phase(phase: Phase) -> Self {
        Self(PHASES as u16 + phase as u16)
    }

    /// A failed connection.
    pub const fn connection_failure(cause: NoReply) -> Self {
        Self(FAILURES as u16 + cause as u16)
    }

    /// A refusal that names this blocklist.
    pub const fn list(list: ListId) -> Self {
        Self(LISTS as u16 + list.0 as u16)
    }

    /// A reply whose code had no room.
    pub const fn other_reply(class: CodeClass) -> Self {
        Self(OTHER_CODES as u16 + class as u16)
    }

    /// The place in the array.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// All cells, family by family.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..END as u16).map(Self)
    }

    /// What it counts.
    pub fn series(self) -> Series {
        let at = self.index();
        if at < NO_REPLY {
            let code = ReplyCode::new(self.0 + ReplyCode::MIN);
            Series::Reply(code.map_or(CodeClass::None, ReplyCode::class), code)
        } else if at < OTHER_CODES {
            Series::Reply(CodeClass::None, None)
        } else if at < DELIVERIES {
            Series::OtherReply(nth(&CodeClass::ALL, at - OTHER_CODES, CodeClass::None))
        } else if at < REFUSALS {
            Series::Delivery(nth(&Outcome::ALL, at - DELIVERIES, Outcome::Delivered))
        } else if at < BOUNCES {
            Series::Refusal(nth(&Reason::ALL, at - REFUSALS, Reason::Unclassified))
        } else if at < PHASES {
            Series::Bounce(nth(&BounceKind::ALL, at - BOUNCES, BounceKind::Hard))
        } else if at < FAILURES {
            Series::Phase(nth(&Phase::ALL, at - PHASES, Phase::Connect))
        } else if at < LISTS {
            Series::ConnectionFailure(nth(&NoReply::ALL, at - FAILURES, NoReply::Local))
        } else {
            Series::List(ListId((at - LISTS) as u8))
        }
    }

    /// Whether the series exists from the start for a tracked provider.
    pub fn is_precreated(self) -> bool {
        match self.series() {
            Series::Reply(_, Some(code)) => HEADLINE_CODES.contains(&code.get()),
            Series::Reply(_, None)
            | Series::Delivery(_)
            | Series::Refusal(_)
            | Series::Bounce(_) => true,
            Series::ConnectionFailure(cause) => cause.is_connection_failure(),
            Series::OtherReply(_) | Series::Phase(_) | Series::List(_) => false,
        }
    }

    /// Whether remote servers choose it, so that its family needs a bound.
    pub fn is_open(self) -> bool {
        matches!(self.series(), Series::Reply(_, Some(_))) && !self.is_precreated()
    }

    /// The cell of `other` that takes its events when there is no room for it.
    #[must_use]
    pub fn folded(self) -> Self {
        match self.series() {
            Series::Reply(class, Some(_)) if self.is_open() => {
                Self(OTHER_CODES as u16 + class as u16)
            }
            Series::Reply(..)
            | Series::OtherReply(_)
            | Series::Delivery(_)
            | Series::Refusal(_)
            | Series::Bounce(_)
            | Series::Phase(_)
            | Series::ConnectionFailure(_)
            | Series::List(_) => self,
        }
    }
}

fn nth<T: Copy>(all: &[T], index: usize, otherwise: T) -> T {
    all.get(index).copied().unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_the_cell_of_its_series() {
        for cell in Cell::all() {
            let back = match cell.series() {
                Series::Reply(_, code) => Cell::reply(code),
                Series::OtherReply(_) => continue,
                Series::Delivery(outcome) => Cell::delivery(outcome),
                Series::Refusal(reason) => Cell::refusal(reason),
                Series::Bounce(kind) => Cell::bounce(kind),
                Series::Phase(phase) => Cell::phase(phase),
                Series::ConnectionFailure(cause) => Cell::connection_failure(cause),
                Series::List(list) => Cell::list(list),
            };
            assert_eq!(back, cell);
        }
        assert_eq!(Cell::all().count(), Cell::COUNT);
    }
}
