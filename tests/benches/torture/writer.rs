//! Appends lines to a log at a pace, and goes on in another file when it is told to.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Makes the line of a number.
pub type MakeLine = fn(&mut Vec<u8>, u64);

/// How often the pace is kept: this many times a second.
const PAUSES: u64 = 250;

pub struct Writer {
    tell: Sender<(PathBuf, Sender<()>)>,
    written: Arc<AtomicU64>,
    lines: u64,
    thread: JoinHandle<()>,
}

struct Work {
    file: File,
    told: Receiver<(PathBuf, Sender<()>)>,
    pending: Vec<u8>,
    piece: usize,
}

impl Writer {
    /// Writes `lines` lines, `rate` of them a second, in pieces of that many bytes; 0 is one line at
    /// a time.
    pub fn start(log: &Path, lines: u64, rate: Option<u64>, piece: usize, make: MakeLine) -> Self {
        let (tell, told) = channel();
        let written = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&written);
        let work = Work { file: append_to(log), told, pending: Vec::new(), piece };
        let thread = std::thread::spawn(move || work.run(lines, rate, &count, make));
        Self { tell, written, lines, thread }
    }

    /// The writer writes to that file from now on, as a syslog daemon that got its signal.
    pub fn go_on_in(&self, log: &Path) {
        let (done, wait) = channel();
        // A writer that has come to its end has no use for another file.
        if self.tell.send((log.to_owned(), done)).is_ok() {
            wait.recv().unwrap_or_default();
        }
    }

    /// Waits until that part of the lines was written.
    pub fn wait_for(&self, part: f64) {
        let number = (self.lines as f64 * part) as u64;
        while self.written.load(Ordering::Relaxed) < number && !self.thread.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn finish(self) {
        self.thread.join().unwrap();
    }
}

impl Work {
    fn run(mut self, lines: u64, rate: Option<u64>, written: &AtomicU64, make: MakeLine) {
        let start = Instant::now();
        let pause = rate.map_or(1000, |rate| (rate / PAUSES).max(1));
        for number in 0..lines {
            make(&mut self.pending, number);
            self.write_pieces();
            if (number + 1) % pause != 0 {
                continue;
            }
            written.store(number + 1, Ordering::Relaxed);
            if let Ok((path, done)) = self.told.try_recv() {
                self.flush();
                self.file = append_to(&path);
                drop(done);
            }
            if let Some(rate) = rate {
                let due = Duration::from_secs_f64((number + 1) as f64 / rate as f64);
                std::thread::sleep(due.saturating_sub(start.elapsed()));
            }
        }
        self.flush();
        written.store(lines, Ordering::Relaxed);
    }

    fn write_pieces(&mut self) {
        if self.piece == 0 {
            return self.flush();
        }
        while self.pending.len() >= self.piece {
            self.file.write_all(&self.pending[..self.piece]).unwrap();
            self.pending.drain(..self.piece);
        }
    }

    fn flush(&mut self) {
        self.file.write_all(&self.pending).unwrap();
        self.pending.clear();
    }
}

fn append_to(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}
