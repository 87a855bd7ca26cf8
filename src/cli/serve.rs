//! `serve`: follow the logs and answer scrapes, until told to stop.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::ExitCode;
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::output::Failure;
use super::setup::{self, ConfigFile};
use super::{log, notify};
use crate::config::{Config, parse_listen_address, parse_telemetry_path};
use crate::exposition::{Process, REVISION, VERSION};
use crate::http::{self, Site};
use crate::reader::{self, Handle, StartError};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Address and port to answer on, :PORT for all interfaces; may be given several times
    #[arg(long = "web.listen-address", value_name = "ADDRESS", value_parser = listen_address)]
    listen_addresses: Vec<SocketAddr>,
    /// Path of the metrics
    #[arg(long = "web.telemetry-path", value_name = "PATH", value_parser = telemetry_path)]
    telemetry_path: Option<String>,
    #[command(flatten)]
    log: log::Arguments,
}

impl Arguments {
    /// The configuration, with what the flags override.
    fn load(&self) -> Result<Config, Failure> {
        let mut config = self.config.load()?;
        if !self.listen_addresses.is_empty() {
            config.web.listen_addresses.clone_from(&self.listen_addresses);
        }
        if let Some(path) = &self.telemetry_path {
            config.web.telemetry_path.clone_from(path);
        }
        setup::detect_sources(&mut config)?;
        Ok(config)
    }
}

/// Reads the value of a flag.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    parse_listen_address(text).map_err(|expected| format!("expected {expected}"))
}

fn telemetry_path(text: &str) -> Result<String, String> {
    parse_telemetry_path(text).map_err(|expected| format!("expected {expected}"))
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let process = this_process();
    log::start(&arguments.log);
    telemetry::started(VERSION, REVISION);
    let config = arguments.load()?;
    let settings = setup::settings(&config)?;
    let listeners = bind(&config.web.listen_addresses)?;
    for source in &config.sources {
        telemetry::source_configured(&source.spec.name);
    }
    let reader = Reader::start(reader::spawn(settings, &config.state.directory))?;
    let site = Site::new(reader.handle.clone(), config.web.telemetry_path.clone(), process);
    runtime()?.block_on(answer(arguments, config, reader, listeners, site))
}

/// Answers until a signal comes, and takes a changed configuration into use.
async fn answer(
    arguments: &Arguments,
    mut config: Config,
    mut reader: Reader,
    listeners: Vec<TcpListener>,
    site: Site,
) -> Result<ExitCode, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut failed = false;
    notify::ready();
    let stop = async {
        loop {
            tokio::select! {
                _ = terminate.recv() => break telemetry::stopping("SIGTERM"),
                _ = interrupt.recv() => break telemetry::stopping("SIGINT"),
                _ = hangup.recv() => reload(arguments, &mut config, &reader.handle),
                _ = &mut reader.ended => {
                    failed = true;
                    break telemetry::reader_failed();
                }
            }
        }
        notify::stopping();
    };
    http::serve(listeners, site, stop).await?;
    if failed {
        return Err(Failure::runtime("the reader ended, which is a fault of this program"));
    }
    reader.stop().await;
    telemetry::stopped();
    Ok(ExitCode::SUCCESS)
}

/// Reads the configuration anew. One that cannot be used changes nothing.
fn reload(arguments: &Arguments, config: &mut Config, reader: &Handle) {
    let loaded = arguments.load().and_then(|new| Ok((setup::settings(&new)?, new)));
    match loaded {
        Ok((settings, new)) => {
            reader.reload(settings);
            telemetry::reloaded();
            if new.web != config.web {
                telemetry::restart_needed("web");
            }
            if new.state != config.state {
                telemetry::restart_needed("state");
            }
            *config = Config { web: config.web.clone(), state: config.state.clone(), ..new };
        }
        Err(failure) => {
            reader.reload_failed();
            telemetry::reload_failed(&failure);
        }
    }
}

/// The reader thread, and word of its end.
pub(super) struct Reader {
    pub handle: Handle,
    ended: oneshot::Receiver<()>,
}

impl Reader {
    /// Takes over a thread that was started, or why it was not.
    pub(super) fn start(
        spawned: Result<(Handle, JoinHandle<()>), StartError>,
    ) -> Result<Self, Failure> {
        let (handle, thread) = spawned.map_err(Failure::runtime)?;
        let (sender, ended) = oneshot::channel();
        thread::Builder::new().name("reader-end".to_owned()).spawn(move || {
            // However it ended, the sender goes with it.
            drop(thread.join());
            drop(sender);
        })?;
        Ok(Self { handle, ended })
    }

    /// Lets it commit and end.
    pub(super) async fn stop(self) {
        self.handle.stop();
        drop(self.ended.await);
    }
}

/// The listening sockets.
pub(super) fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Failure> {
    let listeners = addresses.iter().map(|address| {
        let listener = bind_one(*address).map_err(|error| {
            Failure::runtime(format_args!("cannot listen on {address}: {error}"))
        })?;
        telemetry::listening(&listener.local_addr()?);
        Ok(listener)
    });
    listeners.collect()
}

/// All interfaces are those of IPv6, which take IPv4 too; where there is no IPv6, those of IPv4.
fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).or_else(|error| {
        // Whatever the system calls it, a port that is taken is not for want of IPv6.
        let no_ipv6 = error.kind() != io::ErrorKind::AddrInUse;
        if no_ipv6 && address.is_ipv6() && address.ip().is_unspecified() {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port()))
        } else {
            Err(error)
        }
    })
}

/// One thread is enough for everything but the logs.
pub(super) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// This process, which started just now.
pub(super) fn this_process() -> Process {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Process { start_seconds: now.as_secs_f64() }
}
