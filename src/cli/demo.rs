//! `demo`: the main job on made-up traffic. Only the mail is made up: the log is a real file, and
//! it is followed, counted and served by the very code of `serve`.

mod traffic;

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{interval, sleep};

use super::output::Failure;
use super::serve::{Reader, bind, listen_address, runtime, this_process};
use super::{log, setup};
use crate::attempt::Outcome;
use crate::config::{Config, PORT_DEFAULT, Source, State};
use crate::http::{self, Site};
use crate::ledger::{Cell, Row, Snapshot};
use crate::reader::{self, Handle, Scrape};
use crate::smtp::ReplyCode;
use crate::source::{Origin, Spec, StartAt};
use traffic::{Phase, Traffic, Written};

/// How often lines are written.
const WRITE_EVERY: Duration = Duration::from_millis(100);
/// How often the numbers are shown.
const SHOW_EVERY: Duration = Duration::from_secs(2);
/// How long the last lines may take to be counted.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for the next look at the numbers.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Address and port to answer on; by default port 10421 of the loopback, or any where that is taken
    #[arg(long = "web.listen-address", value_name = "ADDRESS", value_parser = listen_address)]
    listen_address: Option<SocketAddr>,
    /// End after so many seconds, instead of with Ctrl-C
    #[arg(long, value_name = "SECONDS")]
    duration: Option<u32>,
    /// How many times faster than real time the traffic is
    #[arg(long, value_name = "TIMES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    speed: u32,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let process = this_process();
    log::start(&log::Arguments::warnings());
    let listeners = match arguments.listen_address {
        Some(address) => bind(&[address])?,
        None => vec![bind_loopback()?],
    };
    let mut demo = Demo::new(arguments.speed)?;
    let config = demo.config();
    let settings = setup::settings(&config)?;
    let reader = Reader::start(reader::spawn(settings, &config.state.directory))?;
    let path = config.web.telemetry_path;
    for listener in &listeners {
        demo.introduce(listener.local_addr()?, &path)?;
    }
    let site = Site::new(reader.handle.clone(), path, process);
    let handle = reader.handle.clone();
    runtime()?.block_on(async {
        let mut result = Ok(());
        let duration = arguments.duration.map(|seconds| Duration::from_secs(seconds.into()));
        let play = async { result = demo.play(duration, &handle).await };
        http::serve(listeners, site, play).await?;
        reader.stop().await;
        result.map(|()| ExitCode::SUCCESS)
    })
}

/// The port of the exporter, or any other where that is taken.
fn bind_loopback() -> Result<TcpListener, Failure> {
    let usual = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT_DEFAULT));
    Ok(usual.or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?)
}

/// The log of a mail server, and who writes it.
struct Demo {
    /// It is removed with everything in it when the demo ends, however it ends.
    directory: TempDir,
    log: File,
    traffic: Traffic,
    begun: Instant,
    speed: u32,
    phase: Option<Phase>,
}

impl Demo {
    fn new(speed: u32) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new().prefix("mta_exporter-demo.").tempdir()?;
        let log = File::create_new(log_path(&directory))?;
        let begun = Instant::now();
        Ok(Self { directory, log, traffic: Traffic::default(), begun, speed, phase: None })
    }

    fn config(&self) -> Config {
        let origin = Origin::Path(log_path(&self.directory));
        let spec = Spec { start_at: StartAt::Beginning, ..Spec::new("demo", origin) };
        let sources = vec![Source { spec, dialect: None }];
        let state = State { directory: self.directory.path().join("state") };
        Config { state, sources, ..Config::default() }
    }

    /// Says where to look.
    fn introduce(&self, address: SocketAddr, path: &str) -> io::Result<()> {
        let log = log_path(&self.directory);
        writeln!(
            io::stdout().lock(),
            "Made-up Postfix traffic in a real log, followed and counted for real.\n\n\
             log       {}\n\
             metrics   http://{address}{path}\n\
             status    http://{address}/\n\n\
             Once Prometheus scrapes it, ask for example\n  \
             sum by (provider, code) (rate(mta_replies_total{{code_class=~\"4xx|5xx\"}}[1m]))\n\n\
             Ctrl-C ends the demo and removes the log.\n",
            log.display()
        )
    }

    /// Writes the log and shows the numbers, until a signal comes or the time is over; then waits
    /// until everything that was written is counted.
    async fn play(&mut self, duration: Option<Duration>, reader: &Handle) -> Result<(), Failure> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut write = interval(WRITE_EVERY);
        let mut show = interval(SHOW_EVERY);
        let over = sleep(duration.unwrap_or(Duration::MAX));
        tokio::pin!(over);
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                () = &mut over => break,
                _ = write.tick() => self.write()?,
                _ = show.tick() => {
                    if let Some(snapshot) = snapshot(reader).await {
                        self.show(&counted(&snapshot))?;
                    }
                }
            }
        }
        self.settle(reader).await
    }

    /// Appends what has happened since the last time.
    fn write(&mut self) -> io::Result<()> {
        let time = self.begun.elapsed() * self.speed;
        let phase = Phase::at(time);
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            if phase == Phase::Rotation {
                self.rotate()?;
            }
            writeln!(io::stdout().lock(), "{}", announce(phase))?;
        }
        let stamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
        let mut lines = String::new();
        self.traffic.write_until(time, &stamp, &mut lines);
        self.log.write_all(lines.as_bytes())
    }

    /// As logrotate does it; what was rotated before goes away.
    fn rotate(&mut self) -> io::Result<()> {
        let log = log_path(&self.directory);
        fs::rename(&log, log.with_extension("log.1"))?;
        self.log = File::create_new(log)?;
        Ok(())
    }

    fn show(&self, counted: &Counted) -> io::Result<()> {
        let seconds = self.begun.elapsed().as_secs();
        let Written { lines, delivered, deferred, bounced } = counted.all;
        writeln!(
            io::stdout().lock(),
            "{:>4}:{:02}  {delivered:>9}  {deferred:>8}  {bounced:>7}  {:>12}  {:>10}  {lines:>10}",
            seconds / 60,
            seconds % 60,
            counted.yahoo_421,
            counted.gmx_554,
        )
    }

    /// Waits until everything is counted, and compares it with what was written.
    async fn settle(&self, reader: &Handle) -> Result<(), Failure> {
        let written = self.traffic.written;
        let begun = Instant::now();
        let counted = loop {
            let counted = snapshot(reader).await.map(|snapshot| counted(&snapshot));
            let all = counted.as_ref().map(|counted| counted.all).unwrap_or_default();
            if all.lines >= written.lines || begun.elapsed() > SETTLE_TIMEOUT {
                self.show(&counted.unwrap_or_default())?;
                break all;
            }
            sleep(LOOK_EVERY).await;
        };
        let Written { lines, .. } = written;
        if counted == written {
            writeln!(io::stdout().lock(), "\nAll {lines} lines were counted, each once.")?;
            return Ok(());
        }
        Err(Failure::runtime(format_args!("expected {written:?}, but counted {counted:?}")))
    }
}

fn log_path(directory: &TempDir) -> PathBuf {
    directory.path().join("mail.log")
}

/// The head of what comes now.
fn announce(phase: Phase) -> String {
    let heads = "   time  delivered  deferred  bounced  421 at yahoo  554 at gmx  lines read";
    format!("\n>> {}\n{heads}", phase.describe())
}

/// What the exporter has counted.
#[derive(Debug, Default)]
struct Counted {
    all: Written,
    yahoo_421: u64,
    gmx_554: u64,
}

fn counted(snapshot: &Snapshot) -> Counted {
    let rows = snapshot.ledger.rows();
    let outcome = |outcome| rows.iter().map(|row: &Row| row.value(Cell::delivery(outcome))).sum();
    let replies = |provider: &str, code| {
        let row = rows.iter().find(|row| row.name() == provider);
        row.map_or(0, |row| row.value(Cell::reply(ReplyCode::new(code))))
    };
    let lines = snapshot.ledger.sources().iter().flat_map(|source| source.lines).sum();
    Counted {
        all: Written {
            lines,
            delivered: outcome(Outcome::Delivered),
            deferred: outcome(Outcome::Deferred),
            bounced: outcome(Outcome::Bounced),
        },
        yahoo_421: replies("yahoo", 421),
        gmx_554: replies("gmx", 554),
    }
}

/// Asks the reader, as a scrape does.
async fn snapshot(reader: &Handle) -> Option<Arc<Snapshot>> {
    let (respond, response) = oneshot::channel();
    reader.snapshot(move |scrape| drop(respond.send(scrape)));
    match response.await {
        Ok(Scrape::Ready(snapshot)) => Some(snapshot),
        Ok(Scrape::CatchingUp { .. } | Scrape::Stopped) | Err(_) => None,
    }
}
