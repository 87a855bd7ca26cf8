//! Feeds arbitrary lines to one dialect, the one that the binary is named after, or to all of them
//! (`lines`), and checks what must hold whatever is written in a log.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_exporter::ledger::{Cell, Ledger, Series};
use mta_exporter::mta::{Dialect, Reading};
use mta_exporter::pipeline::{Event, Observer, Pipeline, Stream};
use mta_exporter::provider::Providers;
use mta_exporter::reason::Classifier;

/// Adds up what was seen.
#[derive(Default)]
struct Seen {
    deliveries: u64,
    inbound: u64,
}

impl Observer for Seen {
    fn observe(&mut self, event: &Event<'_>) {
        match event.reading {
            Some(Reading::Attempt(_) | Reading::Expiry(_)) => self.deliveries += 1,
            Some(Reading::InboundReject(_)) => self.inbound += 1,
            Some(Reading::HostReply(_) | Reading::Suspended(_) | Reading::Local(_)) | None => (),
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    // The tables take longer to build than a run; every run has its own ledger and stream.
    thread_local! {
        static PIPELINE: std::cell::RefCell<Pipeline> = {
            let providers = Providers::builtin();
            let classifier = Classifier::builtin(&providers);
            Pipeline::new(providers, classifier).into()
        };
    }
    PIPELINE.with_borrow_mut(|pipeline| {
        let mut ledger = Ledger::new(pipeline.providers(), 10_000);
        let source = ledger.source("fuzz");
        let mut stream = Stream::new(source, Dialect::parse(env!("CARGO_BIN_NAME")));
        let mut seen = Seen::default();
        pipeline.feed(&mut stream, &mut ledger, bytes, &mut seen);

        // Every line is of exactly one kind.
        let ends = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let lines = ends + u64::from(!bytes.is_empty() && !bytes.ends_with(b"\n"));
        assert_eq!(ledger.sources()[0].lines.iter().sum::<u64>(), lines);
        // What was seen is what was counted.
        let count = |wanted: fn(Series) -> bool| -> u64 {
            let cells = ledger.rows().iter().flat_map(|row| row.cells());
            cells.filter(|(cell, _): &(Cell, u64)| wanted(cell.series())).map(|(_, n)| n).sum()
        };
        assert_eq!(count(|series| matches!(series, Series::Delivery(_))), seen.deliveries);
        assert_eq!(ledger.inbound().values().sum::<u64>(), seen.inbound);
    });
});
