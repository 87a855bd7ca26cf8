//! The systemd journal, through `journalctl -o json`.
//!
//! `journalctl` is the reader that systemd keeps in step with its own file format, over every
//! rotation, compression and version of it; libsystemd's would have to be linked, and the format
//! read by ourselves would be a copy that ages. One child process follows the journal; each entry
//! carries its cursor, and the cursor behind the last entry that was handed over is the position.
//!
//! Exact as a file: after a crash reading goes on behind the cursor that was saved with the counts.
//! If the journal has vacuumed that entry away in the meantime, reading goes on at the next one that
//! is left, and a gap is counted.

use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cutter::{Cut, Cutter};
use super::inbox::{Inbox, Item, Outbox, Wake, inbox};
use super::pipe::start;
use super::{Note, Now, Progress, Sink, Spec, StartAt, Status};

/// How much is read from the child at once.
const READ_BYTES: usize = 64 << 10;
/// How long to wait before a child that ended is started again.
const RESTART_AFTER: Duration = Duration::from_secs(1);

/// Which entries of which journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A directory with journal files; the machine's own journal without it.
    pub directory: Option<PathBuf>,
    /// Whether only entries of the syslog facility mail are wanted (RFC 5424 §6.2.1).
    pub mail_only: bool,
    /// Units whose entries are wanted (`journalctl --unit`), patterns allowed; all without any.
    pub units: Vec<String>,
    /// Identifiers whose entries are wanted (`journalctl --identifier`); all without any.
    pub identifiers: Vec<String>,
}

/// Where reading stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalPosition {
    /// The cursor of the last entry that was handed over; none while the journal was empty.
    pub cursor: Option<String>,
}

/// The journal, followed.
#[derive(Debug)]
pub struct Journal {
    inbox: Inbox,
    child: Running,
    spec: Spec,
}

/// The child that is running, to be ended with the source.
type Running = Arc<Mutex<Option<Child>>>;

impl Journal {
    /// Follows the journal behind `position`, or from where the settings say.
    pub fn open(
        filter: &Filter,
        spec: &Spec,
        position: Option<JournalPosition>,
        wake: &Wake,
    ) -> Self {
        let known = position.is_some();
        let cursor = position.and_then(|position| position.cursor);
        let (inbox, outbox) = inbox(wake, cursor.clone(), true);
        let child = Running::default();
        let follower = Follower {
            filter: filter.clone(),
            // An earlier run that met an empty journal reads what came since.
            from_end: !known && spec.start_at == StartAt::End,
            line_bytes_max: spec.line_bytes_max,
            cursor,
            end: None,
            child: Arc::clone(&child),
            outbox,
        };
        start("journal", move || follower.run());
        Self { inbox, child, spec: spec.clone() }
    }

    /// Hands over what has come.
    pub fn poll(&mut self, now: Now, sink: &mut dyn Sink) -> Progress {
        self.inbox.poll(now.monotonic, sink)
    }

    /// When the next step is due at the latest.
    pub fn due(&self) -> Duration {
        self.inbox.due()
    }

    /// Goes on if nothing was changed.
    pub fn reconfigure(&mut self, spec: &Spec) -> bool {
        self.spec == *spec
    }

    /// The position after the last step.
    pub fn position(&self) -> JournalPosition {
        JournalPosition { cursor: self.inbox.cursor().map(str::to_owned) }
    }

    /// How it is doing.
    pub fn status(&self) -> Status {
        self.inbox.status()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        end(&self.child);
    }
}

/// Ends the child, if one is running.
fn end(child: &Running) {
    let child = child.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(mut child) = child {
        // It may have ended by itself.
        drop(child.kill());
        drop(child.wait());
    }
}

/// Why following ended.
enum Ended {
    /// The source is not wanted any more.
    Unwanted,
    /// The child ended, or could not be started.
    Child,
}

/// What the thread works with.
struct Follower {
    filter: Filter,
    from_end: bool,
    line_bytes_max: usize,
    /// The cursor of the last entry that was sent.
    cursor: Option<String>,
    /// The last entry that was there at the start, until it was sent.
    end: Option<String>,
    child: Running,
    outbox: Outbox,
}

impl Follower {
    fn run(mut self) {
        while !self.begin() {
            if !self.outbox.send(Item::Up(false)) {
                return;
            }
            thread::sleep(RESTART_AFTER);
        }
        loop {
            match self.follow() {
                Ended::Unwanted => return,
                Ended::Child => {
                    if self.outbox.stopped() || !self.outbox.send(Item::Up(false)) {
                        return;
                    }
                    thread::sleep(RESTART_AFTER);
                }
            }
        }
    }

    /// Finds out where the journal ends now, and whether what was read last is still there.
    fn begin(&mut self) -> bool {
        let Ok(end) = self.newest() else { return false };
        if let Some(cursor) = &self.cursor
            && self.entry_at(cursor).is_ok_and(|found| found.as_ref() != Some(cursor))
        {
            crate::telemetry::journal_gap();
            if !self.outbox.send(Item::Note(Note::Gap)) {
                return false;
            }
        }
        if self.from_end {
            self.cursor.clone_from(&end);
            self.outbox.send(Item::Lines(Vec::new(), end.clone()));
        }
        if end.is_none() || end == self.cursor {
            self.outbox.send(Item::CaughtUp);
        } else {
            self.end = end;
        }
        true
    }

    /// Runs a child until it ends.
    fn follow(&mut self) -> Ended {
        let mut command = self.command();
        command.args(["--follow", "--lines=all", "--all"]);
        if let Some(cursor) = &self.cursor {
            command.arg(format!("--after-cursor={cursor}"));
        }
        let Some(stdout) = self.start(&mut command) else { return Ended::Child };
        let wanted = self.outbox.send(Item::Up(true)) && self.read(stdout);
        end(&self.child);
        if wanted { Ended::Child } else { Ended::Unwanted }
    }

    fn start(&self, command: &mut Command) -> Option<ChildStdout> {
        let started =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        match started {
            Ok(mut child) => {
                let stdout = child.stdout.take();
                *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
                stdout
            }
            Err(error) => {
                crate::telemetry::journalctl_not_started(&error);
                None
            }
        }
    }

    /// Sends what the child prints; `false` when the source is not wanted any more.
    fn read(&mut self, mut stdout: ChildStdout) -> bool {
        // An entry in JSON is longer than its message.
        let mut cutter = Cutter::new(self.line_bytes_max.saturating_mul(4));
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let length = match stdout.read(&mut buffer) {
                Ok(0) => return true,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return true,
            };
            for cut in cutter.push(buffer.get(..length).unwrap_or_default()) {
                let sent = match cut {
                    Cut::Lines(lines) => self.send(lines),
                    Cut::Note(note) => self.outbox.send(Item::Note(note)),
                };
                if !sent {
                    return false;
                }
            }
        }
    }

    fn send(&mut self, lines: Vec<u8>) -> bool {
        let cursor = last_cursor(&lines);
        let reached = self
            .end
            .as_ref()
            .is_some_and(|end| memchr::memmem::find(&lines, end.as_bytes()).is_some());
        if cursor.is_some() {
            self.cursor.clone_from(&cursor);
        }
        let mut wanted = self.outbox.send(Item::Lines(lines, cursor));
        if reached {
            self.end = None;
            wanted = wanted && self.outbox.send(Item::CaughtUp);
        }
        wanted
    }

    /// The cursor of the newest entry, none in an empty journal.
    fn newest(&self) -> io::Result<Option<String>> {
        let mut command = self.command();
        command.args(["--lines=1", "--output-fields=MESSAGE"]);
        let output = command.stdin(Stdio::null()).output()?;
        if output.status.success() {
            Ok(last_cursor(&output.stdout))
        } else {
            Err(io::Error::other("journalctl failed"))
        }
    }

    /// The cursor of the entry at `cursor`, or of the next one that is left. (`--lines=+1` would ask
    /// for one entry only since systemd 255, so the child is ended after its first line.)
    fn entry_at(&self, cursor: &str) -> io::Result<Option<String>> {
        let mut command = self.command();
        command.arg(format!("--cursor={cursor}")).arg("--output-fields=MESSAGE");
        let stdout = self.start(&mut command).ok_or_else(|| io::Error::other("no journalctl"))?;
        let mut line = Vec::new();
        BufReader::new(stdout).read_until(b'\n', &mut line)?;
        end(&self.child);
        Ok(last_cursor(&line))
    }

    fn command(&self) -> Command {
        let mut command = Command::new("journalctl");
        command.args(["--output=json", "--quiet", "--no-pager"]);
        if let Some(directory) = &self.filter.directory {
            command.arg("--directory").arg(directory);
        }
        if self.filter.mail_only {
            // `--facility=mail`, as versions before 245 know it too.
            command.arg("SYSLOG_FACILITY=2");
        }
        for unit in &self.filter.units {
            command.arg(format!("--unit={unit}"));
        }
        for identifier in &self.filter.identifiers {
            command.arg(format!("--identifier={identifier}"));
        }
        command
    }
}

/// The cursor of the last entry of these lines.
fn last_cursor(lines: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Entry {
        #[serde(rename = "__CURSOR")]
        cursor: String,
    }
    lines
        .strip_suffix(b"\n")
        .unwrap_or(lines)
        .rsplit(|byte| *byte == b'\n')
        .find_map(|line| serde_json::from_slice::<Entry>(line).ok())
        .map(|entry| entry.cursor)
}
