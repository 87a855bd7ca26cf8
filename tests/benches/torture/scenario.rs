//! One log, one writer, one program, and what is done to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::program::{Kind, Program};
use super::scraper::{Increases, Scraper};
use super::writer::Writer;
use super::{line, rotation};

/// A file that is deleted sooner may never have been seen by anybody: a look comes up to 20 ms after
/// the writing, and later where the disk is slow to take a commit.
const LIFE_MIN: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Nothing but lines.
    Quiet,
    /// logrotate's `create`, five times.
    Create,
    /// The same, and the writer goes on in the renamed file for a while.
    Late,
    /// logrotate's `copytruncate`, five times.
    CopyTruncate,
    /// Deleted and made anew, five times.
    Delete,
    /// Replaced by a file that already holds lines, five times.
    RenameIn,
    /// Killed every second, with rotations in between.
    Kill,
    /// Three times: killed, rotated twice, one file compressed, and started again.
    Down,
    /// 18 kills and 9 rotations, some double, some while down, one of two files compressed.
    Long,
}

impl Scenario {
    pub const ALL: [Self; 8] = [
        Self::Quiet,
        Self::Create,
        Self::Late,
        Self::CopyTruncate,
        Self::Delete,
        Self::RenameIn,
        Self::Kill,
        Self::Down,
    ];
    pub const NAMES: [&str; 9] = [
        "no-rotation",
        "create",
        "late-writes",
        "copytruncate",
        "delete-recreate",
        "rename-in",
        "kill-9",
        "down-double-gz",
        "long",
    ];

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub scenario: Scenario,
    pub lines: u64,
    pub rate: Option<u64>,
    /// Whether the other programs take part.
    pub peers: bool,
    pub run: u64,
}

impl Plan {
    pub fn new(scenario: Scenario, rate: Option<u64>, peers: bool) -> Self {
        let lines = match (rate, scenario) {
            (Some(rate), _) => rate * 6,
            (None, Scenario::Delete) => 2_000_000,
            (None, _) => 1_000_000,
        };
        Self { scenario, lines, rate, peers, run: 0 }
    }

    pub fn long(run: u64) -> Self {
        let rate = Some(50_000);
        Self { scenario: Scenario::Long, lines: 1_000_000, rate, peers: false, run }
    }
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub plan: Plan,
    pub kind: Kind,
    pub written: u64,
    pub destroyed: u64,
    pub lost: u64,
    pub twice: u64,
    pub malformed: u64,
    pub resets: u64,
    pub cpu_seconds: f64,
    pub resident_mib: f64,
}

impl Outcome {
    /// Every line counted once. Where the log is copied and truncated, an unfinished line can be
    /// torn in two by each of the five truncations.
    pub fn is_exact(&self) -> bool {
        let torn = if self.plan.scenario == Scenario::CopyTruncate { 10 } else { 0 };
        (self.lost, self.twice, self.resets) == (0, 0, 0) && self.malformed <= torn
    }
}

pub fn run(plan: &Plan, kind: Kind) -> Outcome {
    let directory = directory();
    let log = directory.join("mail.log");
    fs::write(&log, "").unwrap();
    let mut program = Program::start(kind, &log);
    let scrapers =
        [200, 330].map(|every| Scraper::start(kind, program.port, Duration::from_millis(every)));
    let writer = Writer::start(&log, plan.lines, plan.rate, 4096, line::write);
    play(plan, &log, &writer, &mut program);
    writer.finish();
    settle(&scrapers, plan.lines);
    let (cpu_seconds, resident_mib) = (program.cpu_seconds(), program.resident_mib());
    let seen = scrapers.map(Scraper::finish);
    drop(program);

    let written = counts(plan.lines);
    let mut kept = written.clone();
    if plan.scenario == Scenario::CopyTruncate {
        kept = rotation::on_disk(&log);
    }
    fs::remove_dir_all(&directory).unwrap();
    let compared = seen.each_ref().map(|seen| compare(seen, kind, &written, &kept));
    let worst = |of: fn(&Compared) -> u64| compared.iter().map(of).max().unwrap();
    Outcome {
        plan: plan.clone(),
        kind,
        written: plan.lines,
        destroyed: plan.lines - kept.iter().sum::<u64>(),
        lost: worst(|compared| compared.lost),
        twice: worst(|compared| compared.twice),
        malformed: worst(|compared| compared.malformed),
        resets: seen.iter().map(|seen| seen.resets).max().unwrap(),
        cpu_seconds,
        resident_mib,
    }
}

/// An empty directory on the disk that holds the build.
pub fn directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("torture");
    drop(fs::remove_dir_all(&directory));
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn counts(lines: u64) -> Vec<u64> {
    let mut cells = vec![0; line::CELLS];
    for number in 0..lines {
        cells[line::cell_of_number(number)] += 1;
    }
    cells
}

struct Compared {
    lost: u64,
    twice: u64,
    malformed: u64,
}

fn compare(seen: &Increases, kind: Kind, written: &[u64], kept: &[u64]) -> Compared {
    let (cells, all, malformed) = seen.lines(kind);
    let pairs: Vec<(u64, u64, u64)> = if kind == Kind::PostfixExporter {
        vec![(all, written.iter().sum(), kept.iter().sum())]
    } else {
        let truth = written.iter().zip(kept);
        cells.iter().zip(truth).map(|(cell, (written, kept))| (*cell, *written, *kept)).collect()
    };
    let lost = pairs.iter().map(|(counted, _, kept)| kept.saturating_sub(*counted)).sum();
    let twice = pairs.iter().map(|(counted, written, _)| counted.saturating_sub(*written)).sum();
    Compared { lost, twice, malformed }
}

/// Waits until all is counted, or nothing more comes.
fn settle(scrapers: &[Scraper], lines: u64) {
    let total = || scrapers.iter().map(Scraper::total).min().unwrap();
    let (mut before, mut since) = (total(), Instant::now());
    while before < lines && since.elapsed() < Duration::from_secs(3) {
        sleep(Duration::from_millis(50));
        let now = total();
        if now != before {
            (before, since) = (now, Instant::now());
        }
    }
    // What is counted too often comes late.
    sleep(Duration::from_millis(700));
}

fn play(plan: &Plan, log: &Path, writer: &Writer, program: &mut Program) {
    let five = |act: &mut dyn FnMut()| {
        for turn in 1..=5 {
            writer.wait_for(f64::from(turn) / 6.0);
            act();
        }
    };
    match plan.scenario {
        Scenario::Quiet => {}
        Scenario::Create => five(&mut || rotation::create(log, writer)),
        Scenario::Late => {
            let while_ = plan.rate.map_or(50, |rate| plan.lines * 1000 / rate / 12);
            five(&mut || rotation::late(log, writer, Duration::from_millis(while_)));
        }
        Scenario::CopyTruncate => five(&mut || rotation::copy_truncate(log)),
        Scenario::Delete => {
            let mut last = Instant::now();
            five(&mut || {
                sleep(LIFE_MIN.saturating_sub(last.elapsed()));
                rotation::delete(log, writer);
                last = Instant::now();
            });
        }
        Scenario::RenameIn => five(&mut || rotation::rename_in(log, writer)),
        Scenario::Kill => kill_every_second(plan, log, writer, program),
        Scenario::Down => {
            for turn in 1..=3 {
                writer.wait_for(f64::from(turn) / 4.0);
                program.kill();
                rotation::twice_and_compress(log, writer);
                program.start_again();
            }
        }
        Scenario::Long => long(plan, log, writer, program),
    }
}

fn kill_every_second(plan: &Plan, log: &Path, writer: &Writer, program: &mut Program) {
    let kills = plan.rate.map_or(3, |rate| (plan.lines / rate).saturating_sub(1).max(1));
    for turn in 1..=kills {
        let part = |offset: f64| (turn as f64 + offset) / (kills + 1) as f64;
        writer.wait_for(part(0.0));
        program.kill();
        sleep(Duration::from_millis(40 * turn));
        program.start_again();
        writer.wait_for(part(0.5));
        rotation::create(log, writer);
    }
}

fn long(plan: &Plan, log: &Path, writer: &Writer, program: &mut Program) {
    let mut chance = Chance(42 + plan.run);
    for turn in 1..=18 {
        sleep(Duration::from_millis(200 + 100 * chance.below(8)));
        program.kill();
        match turn % 6 {
            3 => rotation::create(log, writer),
            0 => rotation::twice_and_compress(log, writer),
            _ => {}
        }
        sleep(Duration::from_millis(100 * chance.below(4)));
        program.start_again();
    }
}

/// The same numbers for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
