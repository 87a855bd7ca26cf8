//! One source and what belongs to it: where it is counted, and what is remembered of its lines.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::value::RawValue;

use crate::config;
use crate::envelope::timestamp;
use crate::ledger::{Ledger, SourceCounts, SourceGauges, SourceId};
use crate::mta::LineKind;
use crate::pipeline::{Pipeline, Stream, Unobserved};
use crate::source::{Buffer, Earlier, Note, Now, Position, Progress, Sink, Source, Status, Wake};

/// What is left of a source that is not read now, to go on from later.
#[derive(Debug)]
pub(super) struct Parted {
    pub(super) earlier: Earlier,
    pub(super) memory: Option<Box<RawValue>>,
}

/// What one step did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Did {
    /// There is more to read at once.
    pub(super) more: bool,
    /// Something was counted.
    pub(super) counted: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Tail {
    config: config::Source,
    id: SourceId,
    source: Source,
    stream: Stream,
}

impl Tail {
    pub(super) fn open(
        id: SourceId,
        config: config::Source,
        left: Option<Parted>,
        wake: &Wake,
    ) -> Self {
        let (earlier, memory) = left.map(|Parted { earlier, memory }| (earlier, memory)).unzip();
        let mut stream = Stream::new(id, config.dialect);
        if let Some(memory) = memory.flatten() {
            stream.restore(&memory);
        }
        let source = Source::open_waking(&config.spec, earlier, wake);
        Self { config, id, source, stream }
    }

    /// What is needed to go on later.
    pub(super) fn part(&self) -> Parted {
        let earlier = Earlier { position: self.source.position(), rebooted: false };
        Parted { earlier, memory: self.stream.save() }
    }

    /// Goes on with new settings; what is left if the source has to be opened anew for them.
    pub(super) fn keep(mut self, config: &config::Source) -> Result<Self, Box<Parted>> {
        if !self.source.reconfigure(&config.spec) {
            return Err(Box::new(self.part()));
        }
        if self.config.dialect != config.dialect {
            self.stream = Stream::new(self.id, config.dialect);
        }
        self.config = config.clone();
        Ok(self)
    }

    /// One step.
    pub(super) fn poll(
        &mut self,
        now: Now,
        buffer: &mut Buffer,
        pipeline: &mut Pipeline,
        ledger: &mut Ledger,
    ) -> Did {
        let mut counting = Counting { pipeline, stream: &mut self.stream, ledger, counted: false };
        let more = self.source.poll(now, buffer, &mut counting) == Progress::More;
        Did { more, counted: counting.counted }
    }

    pub(super) fn memory(&self) -> Option<Box<RawValue>> {
        self.stream.save()
    }

    pub(super) fn gauges(&self, now: Now) -> SourceGauges {
        let Status { up, lag_bytes, .. } = self.source.status();
        let last = timestamp(self.stream.last_stamp(), now.unix.as_secs());
        let lag_seconds = match last {
            Some(last) if lag_bytes > 0 => (now.unix.as_secs_f64() - last).max(0.0),
            _ => 0.0,
        };
        SourceGauges { up, lag_bytes, lag_seconds, last_event_timestamp_seconds: last }
    }

    pub(super) fn name(&self) -> &str {
        &self.config.spec.name
    }

    pub(super) fn id(&self) -> SourceId {
        self.id
    }

    pub(super) fn position(&self) -> Position {
        self.source.position()
    }

    pub(super) fn status(&self) -> Status {
        self.source.status()
    }

    pub(super) fn due(&self) -> Duration {
        self.source.due()
    }

    pub(super) fn wake(&mut self, structure: bool) {
        self.source.wake(structure);
    }

    pub(super) fn directories(&self) -> BTreeSet<PathBuf> {
        self.source.directories()
    }

    pub(super) fn is_busy(&self) -> bool {
        self.source.is_busy()
    }

    pub(super) fn set_notified(&mut self, notified: bool) {
        self.source.set_notified(notified);
    }
}

/// Counts what a source hands over.
struct Counting<'c> {
    pipeline: &'c mut Pipeline,
    stream: &'c mut Stream,
    ledger: &'c mut Ledger,
    counted: bool,
}

impl Counting<'_> {
    fn count(&mut self, count: impl FnOnce(&mut SourceCounts)) {
        self.counted = true;
        if let Some(counts) = self.ledger.source_mut(self.stream.source()) {
            count(counts);
        }
    }
}

impl Sink for Counting<'_> {
    fn lines(&mut self, chunk: &[u8]) {
        self.pipeline.feed(self.stream, self.ledger, chunk, &mut Unobserved);
        self.count(|counts| counts.read_bytes += chunk.len() as u64);
    }

    fn note(&mut self, note: Note) {
        self.count(|counts| match note {
            Note::Overlong => counts.add_lines(LineKind::Overlong, 1),
            Note::Skipped(bytes) => counts.read_bytes += bytes,
            Note::Rotation => counts.rotations += 1,
            Note::Truncation => counts.truncations += 1,
            Note::Gap => counts.gaps += 1,
            Note::ReadError => counts.read_errors += 1,
        });
    }
}
