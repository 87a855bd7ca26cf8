//! The whole chain: lines → records → readings → counts. The only room that knows all of it.
//!
//! Synchronous, total and free of I/O: it never blocks, sleeps, reads a clock or fails.

mod expiry;
mod memory;
mod unreadable;

use std::sync::Arc;

use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, HostReply, InboundReject, NoAttempt, Outcome, Phase, Relay,
};
use crate::envelope::{Container, Glance, Peeled, Record, Unwrapper, leading_stamp};
use crate::ledger::{Cell, Inbound, Ledger, SourceId};
use crate::mta::custom::CustomDialects;
use crate::mta::{self, Dialect, Dialects, LineKind, Reading, Take};
use crate::provider::{ProviderId, Providers, Recent};
use crate::reason::{Classifier, Reason, Refusal, Verdict};
use crate::scan;
use expiry::Waiting;
use unreadable::Unreadable;

/// The tables in force, and what has to be remembered from line to line across sources.
#[derive(Debug)]
pub struct Pipeline {
    providers: Providers,
    recent: Recent,
    classifier: Classifier,
    dialects: Arc<CustomDialects>,
    waiting: Waiting,
}

/// What has to be remembered from line to line of one source.
#[derive(Debug)]
pub struct Stream {
    source: SourceId,
    container: Container,
    unwrapper: Unwrapper,
    dialects: Dialects,
    unreadable: Unreadable,
    last_stamp: Vec<u8>,
}

impl Stream {
    /// The memory of a source. `dialect` is the format to take for granted; `None` tells them apart
    /// line by line.
    pub fn new(source: SourceId, dialect: Option<Dialect>) -> Self {
        Self {
            source,
            container: Container::default(),
            // A forced dialect may see in a line what Postfix does not.
            unwrapper: dialect.map_or(Unwrapper::new(mta::skims), |_| Unwrapper::default()),
            dialects: Dialects::new(dialect),
            unreadable: Unreadable::default(),
            last_stamp: Vec::new(),
        }
    }

    /// The source that it counts for.
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// The time stamp of the last line that had one, as it was written; empty before the first.
    pub fn last_stamp(&self) -> &[u8] {
        &self.last_stamp
    }
}

/// One reading with all that was found out about it, for those who want to see each of them.
#[derive(Debug)]
pub struct Event<'a> {
    /// The kind of the line that it came from. Its own kind where `reading` is `None`.
    pub kind: LineKind,
    /// The dialect that understood the line.
    pub dialect: Option<Dialect>,
    /// The line.
    pub record: &'a Record<'a>,
    /// The reading; `None` for a line that should have had one and is unreadable.
    pub reading: Option<&'a Reading<'a>>,
    /// Who answered, where somebody did.
    pub provider: Option<&'a str>,
    /// What the refusal means, where it is one.
    pub verdict: Option<Verdict>,
    /// The tables in force, to name what the verdict refers to.
    pub classifier: &'a Classifier,
}

/// Somebody who wants to see each reading.
pub trait Observer {
    /// Called once for every counted event: a reading of a line that stands for three is seen
    /// three times.
    fn observe(&mut self, event: &Event<'_>);
}

/// Nobody looks; nothing is computed for it.
#[derive(Debug)]
pub struct Unobserved;

impl Observer for Unobserved {
    #[inline]
    fn observe(&mut self, _event: &Event<'_>) {}
}

impl Pipeline {
    /// A chain with these tables.
    pub fn new(providers: Providers, classifier: Classifier) -> Self {
        Self {
            providers,
            recent: Recent::default(),
            classifier,
            dialects: Arc::default(),
            waiting: Waiting::default(),
        }
    }

    /// Puts the dialects that the configuration defines in force, for all streams.
    pub fn define(&mut self, dialects: Arc<CustomDialects>) {
        self.dialects = dialects;
    }

    /// Puts other tables in force. What has to be remembered from line to line stays.
    pub fn adopt(&mut self, providers: Providers, classifier: Classifier) {
        let old = std::mem::replace(&mut self.providers, providers);
        self.recent = Recent::default();
        self.classifier = classifier;
        self.waiting.adopt(|id| self.providers.id(old.name(id)).unwrap_or(ProviderId::OTHER));
    }

    /// The table of providers in force.
    pub fn providers(&self) -> &Providers {
        &self.providers
    }

    /// The rules in force.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// The rules that were in force, when there is nothing more to count.
    pub fn into_classifier(self) -> Classifier {
        self.classifier
    }

    /// The rules in force, to ask them about a refusal that no log line brought.
    pub fn classifier_mut(&mut self) -> &mut Classifier {
        &mut self.classifier
    }

    /// Who stands behind a relay host and a recipient's domain.
    #[inline]
    fn provider<'d>(
        &mut self,
        relay_host: &[u8],
        recipient_domain: impl FnOnce() -> &'d [u8],
    ) -> ProviderId {
        self.recent.lookup(&self.providers, relay_host, recipient_domain)
    }

    /// Counts the lines of `chunk`, which ends with a line end; a last line without one is taken as
    /// a line too.
    pub fn feed(
        &mut self,
        stream: &mut Stream,
        ledger: &mut Ledger,
        chunk: &[u8],
        observer: &mut impl Observer,
    ) {
        stream.dialects.adopt(&self.dialects);
        let evicted = stream.dialects.evicted() + self.waiting.evicted();
        let mut kinds = [0u64; LineKind::COUNT];
        let mut irrelevant = 0;
        // What begins with the last line, if it was skimmed over.
        let mut skimmed: &[u8] = b"";
        // The last stamp is kept once for each chunk, not for each line.
        let mut stamp: &[u8] = b"";
        let mut rest = chunk;
        while !rest.is_empty() {
            let (glance, after) = stream.unwrapper.glance(rest);
            let text = std::mem::replace(&mut rest, after);
            let kind = match glance {
                Glance::Skimmed => {
                    skimmed = text;
                    irrelevant += 1;
                    continue;
                }
                Glance::Record(record) => {
                    skimmed = b"";
                    stamp = record.stamp;
                    let Stream { source, dialects, unreadable, .. } = stream;
                    self.read(*source, (dialects, unreadable), ledger, &record, observer)
                }
                Glance::Unusual(line) => {
                    skimmed = b"";
                    self.line(stream, ledger, scan::without_return(line), &mut stamp, observer)
                }
            };
            if let Some(count) = kinds.get_mut(kind.index()) {
                *count += 1;
            }
        }
        if let Some(count) = kinds.get_mut(LineKind::Irrelevant.index()) {
            *count += irrelevant;
        }
        if !skimmed.is_empty() {
            stamp = stream.unwrapper.stamp(skimmed);
        }
        if !stamp.is_empty() {
            replace(&mut stream.last_stamp, stamp);
        }
        if let Some(counts) = ledger.source_mut(stream.source) {
            for (count, lines) in counts.lines.iter_mut().zip(kinds) {
                *count += lines;
            }
            let now = stream.dialects.evicted() + self.waiting.evicted();
            counts.evictions += now.saturating_sub(evicted);
        }
    }

    /// Counts what was still waiting for another line: a finished log has none any more.
    pub fn finish(
        &mut self,
        stream: &mut Stream,
        ledger: &mut Ledger,
        observer: &mut impl Observer,
    ) {
        let Stream { source, dialects, .. } = stream;
        let record = Record { repeat: 1, ..Record::default() };
        let mut counter = self.counter(*source, ledger, &record, observer);
        dialects.finish(&mut |dialect, kind, reading| counter.take(dialect, kind, reading));
    }

    /// Takes one line out of its envelopes and reads it.
    #[inline(never)]
    fn line<'c>(
        &mut self,
        stream: &mut Stream,
        ledger: &mut Ledger,
        line: &'c [u8],
        last_stamp: &mut &'c [u8],
        observer: &mut impl Observer,
    ) -> LineKind {
        let Stream { source, container, unwrapper, dialects, unreadable, last_stamp: kept_stamp } =
            stream;
        let record = match container.peel(line) {
            Peeled::Bare => {
                let mut record = unwrapper.unwrap(line);
                if record.stamp.is_empty() {
                    record.stamp = leading_stamp(line);
                }
                if !record.stamp.is_empty() {
                    *last_stamp = record.stamp;
                }
                record
            }
            Peeled::Line { line, stamp } => {
                replace(kept_stamp, stamp);
                let record = unwrapper.unwrap(line);
                if record.stamp.is_empty() { Record { stamp, ..record } } else { record }
            }
            Peeled::Record(record) => {
                replace(kept_stamp, record.stamp);
                record
            }
            Peeled::Partial => return LineKind::State,
            Peeled::Overlong => return LineKind::Overlong,
        };
        self.read(*source, (dialects, unreadable), ledger, &record, observer)
    }

    /// Reads one record and counts its readings.
    #[expect(clippy::inline_always, reason = "nearly every reply comes here")]
    #[inline(always)]
    fn read(
        &mut self,
        source: SourceId,
        (dialects, unreadable): (&mut Dialects, &mut Unreadable),
        ledger: &mut Ledger,
        record: &Record<'_>,
        observer: &mut impl Observer,
    ) -> LineKind {
        let (dialect, kind) =
            dialects.hand_to(record, &mut self.counter(source, ledger, record, observer));
        if let LineKind::Unreadable(why) = kind {
            observer.observe(&Event {
                kind,
                dialect,
                record,
                reading: None,
                provider: None,
                verdict: None,
                classifier: &self.classifier,
            });
            let source = ledger.sources().get(source.index()).map_or("", |counts| counts.name());
            unreadable.note(why, source, dialect, record);
        }
        kind
    }

    /// What counts each reading of a record.
    #[inline]
    fn counter<'p, O: Observer>(
        &'p mut self,
        source: SourceId,
        ledger: &'p mut Ledger,
        record: &'p Record<'p>,
        observer: &'p mut O,
    ) -> Counter<'p, O> {
        let tally = Tally { pipeline: self, ledger, source, times: record.repeat.max(1) };
        Counter { tally, record, observer }
    }
}

/// Counts each reading of a record, and shows it to an observer.
struct Counter<'p, O> {
    tally: Tally<'p>,
    record: &'p Record<'p>,
    observer: &'p mut O,
}

impl<O: Observer> Take for Counter<'_, O> {
    #[expect(
        clippy::inline_always,
        reason = "what is known of the reading need not be asked again"
    )]
    #[inline(always)]
    fn take(&mut self, dialect: Dialect, kind: LineKind, reading: Reading<'_>) {
        let Self { tally, record, observer } = self;
        tally.count(&reading, &mut |classifier, provider, verdict, times| {
            let reading = Some(&reading);
            let dialect = Some(dialect);
            let event = Event { kind, dialect, record, reading, provider, verdict, classifier };
            for _ in 0..times {
                observer.observe(&event);
            }
        });
    }
}

fn replace(kept: &mut Vec<u8>, bytes: &[u8]) {
    kept.clear();
    kept.extend_from_slice(bytes);
}

/// Told about every event that was counted: who answered, what it means, how often.
trait Notice: FnMut(&Classifier, Option<&str>, Option<Verdict>, u32) {}

impl<F: FnMut(&Classifier, Option<&str>, Option<Verdict>, u32)> Notice for F {}

/// Turns readings into counts.
struct Tally<'t> {
    pipeline: &'t mut Pipeline,
    ledger: &'t mut Ledger,
    source: SourceId,
    times: u32,
}

impl Tally<'_> {
    #[expect(
        clippy::inline_always,
        reason = "what is known of the reading need not be asked again"
    )]
    #[inline(always)]
    fn count(&mut self, reading: &Reading<'_>, notice: &mut impl Notice) {
        match reading {
            Reading::Attempt(attempt) => self.attempt(attempt, notice),
            Reading::HostReply(reply) => self.host_reply(reply, notice),
            Reading::InboundReject(reject) => self.inbound_reject(reject, notice),
            Reading::Expiry(expiry) => self.expiry(expiry, notice),
            Reading::Suspended(suspended) => self.suspended(suspended, notice),
            Reading::Local(_) => notice(&self.pipeline.classifier, None, None, self.times),
        }
    }

    #[expect(clippy::inline_always, reason = "nearly every reply comes here")]
    #[inline(always)]
    fn attempt(&mut self, attempt: &DeliveryAttempt<'_>, notice: &mut impl Notice) {
        let provider = self.pipeline.provider(attempt.relay.host, || attempt.recipient.domain());
        let verdict = match &attempt.answer {
            // Nearly always. Here nothing is handed on by reference, so that it stays in registers.
            Answer::Reply(reply)
                if attempt.outcome == Outcome::Delivered && !attempt.answer_counted =>
            {
                let times = u64::from(self.times);
                self.ledger.add_accepted(provider, reply, attempt.delay_seconds, times);
                self.settle(attempt);
                None
            }
            Answer::Reply(_) | Answer::NoReply { .. } => {
                self.not_simply_accepted(provider, &{ *attempt })
            }
        };
        notice(
            &self.pipeline.classifier,
            Some(self.pipeline.providers.name(provider)),
            verdict,
            self.times,
        );
    }

    #[inline(never)]
    fn not_simply_accepted(
        &mut self,
        provider: ProviderId,
        attempt: &DeliveryAttempt<'_>,
    ) -> Option<Verdict> {
        let times = u64::from(self.times);
        let (answer, phase, outcome) = (&attempt.answer, attempt.phase, attempt.outcome);
        // The host reply was counted for the provider that its host name tells. Where only the
        // recipient's domain tells it, this provider has not had the answer yet. Without any host
        // nobody knows who had it.
        let counted = attempt.answer_counted
            && (attempt.relay == Relay::default()
                || self.pipeline.providers.lookup(attempt.relay.host, b"") == provider);
        let verdict = if counted {
            self.judge(provider, answer, phase, outcome)
        } else {
            self.answer(provider, answer, phase, outcome)
        };
        match outcome {
            Outcome::Delivered => {
                if let Some(seconds) = attempt.delay_seconds {
                    self.ledger.add_delay(provider, seconds, times);
                }
                self.settle(attempt);
            }
            Outcome::Deferred => {
                self.pipeline.waiting.wait(
                    self.source,
                    attempt.queue_id,
                    attempt.recipient.key(),
                    provider,
                );
            }
            Outcome::Bounced | Outcome::Expired => {
                if let Some(verdict) = verdict {
                    let kind = verdict.reason.bounce_kind();
                    self.ledger.add(provider, Cell::bounce(kind), times);
                }
                self.settle(attempt);
            }
        }
        self.ledger.add(provider, Cell::delivery(outcome), times);
        verdict
    }

    /// Nobody waits for the recipient any more.
    #[expect(clippy::inline_always, reason = "nearly every reply comes here")]
    #[inline(always)]
    fn settle(&mut self, attempt: &DeliveryAttempt<'_>) {
        self.pipeline.waiting.settle(self.source, attempt.queue_id, attempt.recipient);
    }

    #[inline(never)]
    fn host_reply(&mut self, reply: &HostReply<'_>, notice: &mut impl Notice) {
        let provider = self.pipeline.provider(reply.relay.host, || reply.recipient_domain);
        let verdict = self.answer(provider, &reply.answer, reply.phase, Outcome::Deferred);
        notice(
            &self.pipeline.classifier,
            Some(self.pipeline.providers.name(provider)),
            verdict,
            self.times,
        );
    }

    /// Counts what a remote answered, and what it means if it is no acceptance.
    fn answer(
        &mut self,
        provider: ProviderId,
        answer: &Answer<'_>,
        phase: Option<Phase>,
        outcome: Outcome,
    ) -> Option<Verdict> {
        let times = u64::from(self.times);
        match answer {
            Answer::Reply(reply) => self.ledger.add_reply(provider, reply, times),
            Answer::NoReply { cause, .. } => {
                self.ledger.add(provider, Cell::reply(None), times);
                if cause.is_connection_failure() {
                    self.ledger.add(provider, Cell::connection_failure(*cause), times);
                }
            }
        }
        let verdict = self.judge(provider, answer, phase, outcome)?;
        self.ledger.add(provider, Cell::refusal(verdict.reason), times);
        if let Some(phase) = phase {
            self.ledger.add(provider, Cell::phase(phase), times);
        }
        if let Some(list) = verdict.list {
            self.ledger.add(provider, Cell::list(list), times);
        }
        if verdict.reason == Reason::Unclassified {
            self.ledger.add_unclassified(answer.class(), times);
        }
        Some(verdict)
    }

    /// What an answer means if it is no acceptance.
    fn judge(
        &mut self,
        provider: ProviderId,
        answer: &Answer<'_>,
        phase: Option<Phase>,
        outcome: Outcome,
    ) -> Option<Verdict> {
        if outcome == Outcome::Delivered {
            return None;
        }
        Some(self.pipeline.classifier.classify(&Refusal {
            provider,
            inbound: false,
            code: answer.reply().map(|reply| reply.code),
            enhanced: answer.reply().and_then(|reply| reply.enhanced),
            cause: answer.cause(),
            phase,
            text: answer.text(),
        }))
    }

    #[inline(never)]
    fn inbound_reject(&mut self, reject: &InboundReject<'_>, notice: &mut impl Notice) {
        let code = reject.reply.map(|reply| reply.code);
        let verdict = self.pipeline.classifier.classify(&Refusal {
            provider: ProviderId::OTHER,
            inbound: true,
            code,
            enhanced: reject.reply.and_then(|reply| reply.enhanced),
            cause: None,
            phase: reject.phase,
            text: reject.text,
        });
        let inbound = Inbound { class: reject.class, code, reason: verdict.reason };
        self.ledger.add_inbound(inbound, u64::from(self.times));
        notice(&self.pipeline.classifier, None, Some(verdict), self.times);
    }

    /// Settles everyone who still waits under the queue id, or the one whom the line names.
    fn expiry(&mut self, expiry: &Expiry<'_>, notice: &mut impl Notice) {
        let verdict = Some(Verdict { reason: Reason::Expired, list: None, rule: None });
        let mut give_up = |ledger: &mut Ledger, pipeline: &Pipeline, provider: ProviderId| {
            ledger.add(provider, Cell::delivery(Outcome::Expired), 1);
            ledger.add(provider, Cell::refusal(Reason::Expired), 1);
            ledger.add(provider, Cell::bounce(Reason::Expired.bounce_kind()), 1);
            notice(&pipeline.classifier, Some(pipeline.providers.name(provider)), verdict, 1);
        };
        if let Some(recipient) = expiry.recipient {
            let known = self.pipeline.waiting.settle(self.source, expiry.queue_id, recipient);
            let provider =
                known.unwrap_or_else(|| self.pipeline.providers.lookup(b"", recipient.domain()));
            give_up(self.ledger, self.pipeline, provider);
            return;
        }
        let waiting = self.pipeline.waiting.settle_all(self.source, expiry.queue_id);
        if waiting.is_empty() {
            // Nothing is known of the message: its deferrals were before the first line read.
            give_up(self.ledger, self.pipeline, ProviderId::OTHER);
        }
        for provider in waiting {
            give_up(self.ledger, self.pipeline, provider);
        }
    }

    fn suspended(&mut self, suspended: &NoAttempt<'_>, notice: &mut impl Notice) {
        let provider = self.pipeline.provider(b"", || suspended.recipient.domain());
        self.pipeline.waiting.keep(
            self.source,
            suspended.queue_id,
            suspended.recipient.key(),
            provider,
        );
        notice(
            &self.pipeline.classifier,
            Some(self.pipeline.providers.name(provider)),
            None,
            self.times,
        );
    }
}
