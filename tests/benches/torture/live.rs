//! What following a log costs while it is written.

use std::fs;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::line;
use super::postfix_log::{self, Stamps};
use super::program::{Kind, Program};
use super::scenario::directory;
use super::scraper::Scraper;
use super::writer::{MakeLine, Writer};

const RATE: u64 = 50_000;

/// A minute's mail, to be repeated.
static SAMPLE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();

fn usual_line(out: &mut Vec<u8>, number: u64) {
    let lines = SAMPLE.get_or_init(|| {
        let mut text = Vec::new();
        postfix_log::write(&mut text, 20_000_000, 1, Stamps::Rfc3164).unwrap();
        text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    });
    out.extend_from_slice(&lines[number as usize % lines.len()]);
}

/// Follows 50,000 lines a second for that many seconds, with lines and pieces of several kinds, and
/// two scrapers that ask every five seconds.
pub fn run(seconds: u64) {
    println!("| lines | written | lines/s | CPU % of a core | RSS MiB at 1/4 | at the end |");
    println!("|---|---|---|---|---|---|");
    let kinds: [(&str, MakeLine, &str, usize); 3] = [
        ("as Postfix writes them", usual_line, "in pieces of 4 KiB", 4096),
        ("as Postfix writes them", usual_line, "one by one", 0),
        ("all deliveries", line::write, "in pieces of 4 KiB", 4096),
    ];
    for (lines, make, pieces, piece) in kinds {
        usual_line(&mut Vec::new(), 0);
        let log = directory().join("mail.log");
        fs::write(&log, "").unwrap();
        let program = Program::start(Kind::Exporter, &log);
        let every = Duration::from_secs(5);
        let scrapers = [(); 2].map(|()| Scraper::start(Kind::Exporter, program.port, every));
        sleep(Duration::from_secs(1));
        let (start, before) = (Instant::now(), program.cpu_seconds());
        let writer = Writer::start(&log, seconds * RATE, Some(RATE), piece, make);
        writer.wait_for(0.25);
        let early = program.resident_mib();
        writer.finish();
        let elapsed = start.elapsed().as_secs_f64();
        let used = program.cpu_seconds() - before;
        println!(
            "| {lines} | {pieces} | {:.0} | {:.2} | {early:.1} | {:.1} |",
            (seconds * RATE) as f64 / elapsed,
            100.0 * used / elapsed,
            program.resident_mib(),
        );
        drop(scrapers.map(Scraper::finish));
    }
}
