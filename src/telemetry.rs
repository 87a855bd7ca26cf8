//! The daemon's own events: one function for each thing that can happen.
//!
//! Levels by consequence: `error` where something is lost, `warn` where somebody should look,
//! `info` for what happens once, `debug` for the rest. Nothing is logged for each line, and no text
//! of a log line is logged unmasked.

mod mask;

use tracing::debug;

pub use mask::mask;

/// A line should have been understood and was not.
pub fn line_unreadable(why: &'static str) {
    debug!(why, "line not understood");
}
