//! The daemon's own events: one function for each thing that can happen.
//!
//! Levels by consequence: `error` where something is lost, `warn` where somebody should look,
//! `info` for what happens once, `debug` for the rest. Nothing is logged for each line, and no text
//! of a log line is logged unmasked.

mod mask;

use std::fmt::Display;

use tracing::{debug, warn};

pub use mask::mask;

/// A line should have been understood and was not.
pub fn line_unreadable(why: &'static str) {
    debug!(why, "line not understood");
}

/// A connection could not be taken, most likely for want of file descriptors.
pub fn accept_failed(error: &dyn Display) {
    warn!(%error, "connection not accepted");
}

/// So many requests are being answered that another one had to be turned away.
pub fn connection_refused(connections_max: usize) {
    warn!(connections_max, "connection turned away, too many are open");
}

/// A connection ended before its answer did: the client was slow, or has gone.
pub fn connection_failed(error: &dyn Display) {
    debug!(%error, "connection ended early");
}

/// Connections that did not end in time when the program stopped.
pub fn connections_cut(connections: usize) {
    debug!(connections, "connections cut");
}
