//! Asks for metrics again and again, and adds up increases as Prometheus does.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::line;
use super::program::{Counts, Kind};

/// What a scraper has seen.
#[derive(Clone, Debug, Default)]
pub struct Increases {
    last: HashMap<String, f64>,
    sums: HashMap<String, f64>,
    /// Scrapes at which a counter fell.
    pub resets: u64,
}

pub struct Scraper {
    stop: Arc<AtomicBool>,
    total: Arc<AtomicU64>,
    thread: JoinHandle<Increases>,
}

impl Scraper {
    pub fn start(kind: Kind, port: u16, every: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let total = Arc::new(AtomicU64::new(0));
        let (ending, sum) = (Arc::clone(&stop), Arc::clone(&total));
        let thread = std::thread::spawn(move || {
            let mut seen = Increases::default();
            loop {
                let end = ending.load(Ordering::Relaxed);
                if let Some(text) = get(port) {
                    seen.add(kind, &text);
                    let (cells, all, _) = seen.lines(kind);
                    sum.store(all + cells.iter().sum::<u64>(), Ordering::Relaxed);
                }
                if end {
                    return seen;
                }
                std::thread::sleep(every);
            }
        });
        Self { stop, total, thread }
    }

    /// Lines counted so far.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Asks once more.
    pub fn finish(self) -> Increases {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl Increases {
    fn add(&mut self, kind: Kind, text: &str) {
        let mut fell = false;
        for sample in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = sample.rsplit_once(' ') else { continue };
            if kind.counts(series).is_none() {
                continue;
            }
            let Ok(value) = value.parse::<f64>() else { continue };
            let last = self.last.insert(series.to_owned(), value).unwrap_or(0.0);
            fell |= value < last;
            let increase = if value < last { value } else { value - last };
            *self.sums.entry(series.to_owned()).or_default() += increase;
        }
        self.resets += u64::from(fell);
    }

    /// Lines by cell, lines of whatever cell, and malformed lines.
    pub fn lines(&self, kind: Kind) -> (Vec<u64>, u64, u64) {
        let (mut cells, mut all, mut malformed) = (vec![0; line::CELLS], 0, 0);
        for (series, sum) in &self.sums {
            let sum = sum.round() as u64;
            match kind.counts(series) {
                Some(Counts::Cell(cell, times)) => cells[cell] += sum / times,
                Some(Counts::Lines(times)) => all += sum / times,
                Some(Counts::Malformed) => malformed += sum,
                None => {}
            }
        }
        (cells, all, malformed)
    }
}

/// One scrape; nothing if it fails or is answered by anything but 200.
pub fn get(port: u16) -> Option<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let patience = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    // An answer that was cut off by a kill is none; a chunked one is put together.
    if !head.starts_with("HTTP/1.1 200") {
        return None;
    }
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    match header("content-length") {
        Some(length) => (length.parse() == Ok(body.len())).then(|| body.to_owned()),
        None if header("transfer-encoding").is_some() => unchunk(body),
        None => Some(body.to_owned()),
    }
}

fn unchunk(mut body: &str) -> Option<String> {
    let mut text = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(text);
        }
        text.push_str(rest.get(..size)?);
        body = rest.get(size + 2..)?;
    }
}
