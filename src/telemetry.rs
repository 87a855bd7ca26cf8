//! The daemon's own events: one function for each thing that can happen.
//!
//! Levels by consequence: `error` where something is lost, `warn` where somebody should look,
//! `info` for what happens once, `debug` for the rest. Nothing is logged for each line, and no text
//! of a log line is logged unmasked.

mod mask;

use std::fmt::Display;
use std::io;
use std::path::Path;

use tracing::{debug, error, info, warn};

pub use mask::mask;

/// A line should have been understood and was not: the first one of its cause.
pub fn line_unreadable(source: &str, dialect: &str, why: &str, program: &[u8], message: &[u8]) {
    warn!(
        source,
        dialect,
        why,
        program = mask(program),
        example = mask::example(message),
        "line not understood; others like it are only counted"
    );
}

/// A file is read from now on.
pub fn log_opened(path: &Path, offset: u64) {
    info!(path = %path.display(), offset, "reading log");
}

/// A file took the place of the one that was read; that one is read to its end.
pub fn log_rotated(path: &Path) {
    info!(path = %path.display(), "log was rotated");
}

/// A renamed or deleted file is at its end and silent, and is let go.
pub fn log_retired(path: &Path, offset: u64) {
    debug!(path = %path.display(), offset, "finished with rotated log");
}

/// What was read of a file was overwritten, or the file became shorter. Reading begins anew.
pub fn log_truncated(path: &Path, offset: u64, size: u64) {
    warn!(path = %path.display(), offset, size, "log was truncated, reading it from its start");
}

/// After a crash of the machine the file is shorter than it was.
pub fn log_cut_by_crash(path: &Path, offset: u64, size: u64) {
    warn!(
        path = %path.display(),
        offset,
        size,
        "the machine went down before the end of the log had reached the disk, going on at its end"
    );
}

/// Bytes of a log that were not read yet are gone.
pub fn log_gap(path: &Path, from: u64, known_to: u64) {
    warn!(
        path = %path.display(),
        from,
        known_to,
        "the log is gone: lines from this byte on are not counted"
    );
}

/// A rotated log is taken up again where an earlier run stopped.
pub fn log_caught_up(path: &Path, offset: u64) {
    info!(path = %path.display(), offset, "reading what was written in the meantime");
}

/// A file is there and cannot be opened or read. It is tried again; said when it begins.
pub fn log_unreadable(path: &Path, error: &io::Error) {
    warn!(path = %path.display(), %error, "cannot read log");
}

/// A file can be read again.
pub fn log_readable_again(path: &Path) {
    info!(path = %path.display(), "log can be read again");
}

/// There is no file of that name. It is waited for.
pub fn log_missing(path: &Path) {
    info!(path = %path.display(), "log is not there, waiting for it");
}

/// A rotated log may hold lines that were not read, and cannot be read.
pub fn rotated_log_unreadable(path: &Path, error: &io::Error) {
    warn!(path = %path.display(), %error, "cannot read rotated log");
}

/// A compressed log cannot be decompressed any further.
pub fn compressed_log_damaged(path: &Path, offset: u64, error: &io::Error) {
    warn!(
        path = %path.display(),
        offset,
        %error,
        "the compressed log is damaged: lines from this byte of its content on are not counted"
    );
}

/// The kernel's notifications cannot be had for a directory; the timer does without them.
pub fn directory_unwatched(path: &Path, error: &dyn Display) {
    warn!(
        path = %path.display(),
        %error,
        "cannot be notified of changes in directory, looking four times a second instead"
    );
}

/// Counters and positions of an earlier run are taken over.
pub fn state_restored(saved_at_seconds: u64, same_rules: bool) {
    info!(saved_at_seconds, same_rules, "going on from the saved state");
}

/// There is no saved state.
pub fn state_new(directory: &Path) {
    info!(directory = %directory.display(), "no saved state, counters start at 0");
}

/// The saved state cannot be used.
pub fn state_unusable(directory: &Path, error: &dyn Display) {
    error!(
        directory = %directory.display(),
        %error,
        "cannot use the saved state, counters start at 0 and reading where it would without one"
    );
}

/// A state that could not be used was given another name.
pub fn state_put_aside(path: &Path) {
    warn!(path = %path.display(), "the saved state that could not be used is kept here");
}

/// The state did not reach the disk. Said when that begins.
pub fn state_not_committed(directory: &Path, error: &dyn Display) {
    error!(
        directory = %directory.display(),
        %error,
        "cannot save the state: counting and serving go on, a crash now would be visible"
    );
}

/// The state reaches the disk again.
pub fn state_committed_again(directory: &Path) {
    info!(directory = %directory.display(), "the state is saved again");
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

/// The journal has thrown away the entry that was read last, and maybe others behind it.
pub fn journal_gap() {
    warn!("the journal was vacuumed: entries since the last one read may be missing");
}

/// The program that reads the journal cannot be started. It is tried again.
pub fn journalctl_not_started(error: &io::Error) {
    warn!(%error, "cannot run journalctl");
}

/// A syslog socket cannot be opened. It is tried again; said when it begins.
pub fn syslog_not_listening(listen: &str, error: &io::Error) {
    warn!(listen, %error, "cannot listen for syslog messages");
}

/// A sender was turned away because too many are connected.
pub fn syslog_sender_refused(senders_max: usize) {
    warn!(senders_max, "too many syslog senders, connection refused");
}

/// The kernel threw datagrams away because its buffer was full.
pub fn datagrams_dropped(datagrams: u64) {
    warn!(datagrams, "syslog messages were dropped by the kernel, lines are missing");
}

/// A thread could not be started.
pub fn thread_not_started(name: &str, error: &io::Error) {
    warn!(name, %error, "cannot start thread");
}

/// The program begins its work.
pub fn started(version: &str, revision: &str) {
    info!(version, revision, "starting");
}

/// Scrapes are answered here.
pub fn listening(address: &dyn Display) {
    info!(%address, "listening");
}

/// No source is configured: the usual logs that were found are followed.
pub fn sources_detected(sources: usize) {
    info!(sources, "no source is configured, following the usual mail logs that were found");
}

/// A source that is going to be followed.
pub fn source_configured(source: &str) {
    info!(source, "following");
}

/// A changed configuration is in force.
pub fn reloaded() {
    info!("configuration reloaded");
}

/// The configuration was read anew and cannot be used: the old one stays in force.
pub fn reload_failed(error: &dyn Display) {
    error!(%error, "configuration cannot be used, the one before stays in force");
}

/// A part of the configuration has changed that is read only at the start.
pub fn restart_needed(section: &str) {
    warn!(section, "this part of the configuration takes effect after a restart");
}

/// The program was told to stop.
pub fn stopping(signal: &str) {
    info!(signal, "stopping");
}

/// The program has done its work.
pub fn stopped() {
    info!("stopped");
}

/// The thread that counts has ended by itself.
pub fn reader_failed() {
    error!("the reader ended, nothing is counted any more");
}

/// systemd could not be told how far the program is.
pub fn not_notified(error: &io::Error) {
    warn!(%error, "cannot notify the service manager");
}
