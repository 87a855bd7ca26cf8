//! One example of what could not be read and why: enough to see what changed in a format, and no
//! flood where every line has changed.

use crate::envelope::Record;
use crate::mta::{Dialect, Why};
use crate::telemetry;

/// The causes of which an example was logged, in the order of [`Why::ALL`].
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    shown: [bool; Why::ALL.len()],
}

impl Unreadable {
    /// Logs the first line of each cause.
    #[cold]
    pub(super) fn note(
        &mut self,
        why: Why,
        source: &str,
        dialect: Option<Dialect>,
        record: &Record<'_>,
    ) {
        let place = Why::ALL.iter().position(|known| *known == why);
        let Some(shown) = place.and_then(|place| self.shown.get_mut(place)) else { return };
        if !std::mem::replace(shown, true) {
            let dialect = dialect.map_or("none", |dialect| dialect.as_str());
            telemetry::line_unreadable(
                source,
                dialect,
                why.as_str(),
                record.program,
                record.message,
            );
        }
    }
}
