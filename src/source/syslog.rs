//! A syslog listener: datagrams over UDP and unix sockets, streams over TCP.
//!
//! What it can and cannot promise:
//! - **TCP** loses nothing while the daemon runs: where it is behind, the sender waits. What a sender
//!   had under way when either side was killed is lost, for syslog over TCP has no acknowledgement
//!   (RFC 6587).
//! - **Unix datagrams** make the sender wait too, as `/dev/log` does.
//! - **UDP** may lose, double and reorder messages (RFC 5426), and what the kernel throws away when
//!   its buffer is full is counted as a gap where the kernel tells (`/proc/net/udp`). Use it where
//!   there is no other way.
//!
//! Whatever was received and not yet committed is lost in a crash; it is nowhere else.

mod frames;

use std::fs;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::cutter::Cutter;
use super::inbox::{Inbox, Item, Outbox, Wake, inbox};
use super::pipe::start;
use super::{Note, Now, Progress, Sink, Spec, Status};
use frames::Frames;

/// How long a wait for input may last before it is checked whether the source is still wanted.
const WAIT: Duration = Duration::from_millis(250);
/// How long to wait before a socket that could not be opened is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How many senders may be connected over TCP; more are turned away.
const SENDERS_MAX: usize = 256;
/// The longest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 64 << 10;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `udp://ADDRESS:PORT` (RFC 5426).
    Udp(SocketAddr),
    /// `tcp://ADDRESS:PORT` (RFC 6587, octet counting or one message for each line).
    Tcp(SocketAddr),
    /// `unix:///PATH`, datagrams, as `/dev/log`.
    Unix(PathBuf),
}

impl Listen {
    /// What a URL means; otherwise what was expected.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let address = |text: &str| {
            text.parse().map_err(|_| "an address and a port, such as udp://127.0.0.1:5514")
        };
        if let Some(rest) = url.strip_prefix("udp://") {
            Ok(Self::Udp(address(rest)?))
        } else if let Some(rest) = url.strip_prefix("tcp://") {
            Ok(Self::Tcp(address(rest)?))
        } else if let Some(path) = url.strip_prefix("unix://").filter(|path| path.starts_with('/'))
        {
            Ok(Self::Unix(PathBuf::from(path)))
        } else {
            Err("udp://ADDRESS:PORT, tcp://ADDRESS:PORT or unix:///PATH")
        }
    }
}

/// A listener.
#[derive(Debug)]
pub struct Syslog {
    inbox: Inbox,
    spec: Spec,
}

impl Syslog {
    /// Listens, and tries again while it cannot.
    pub fn open(listen: &Listen, spec: &Spec, wake: &Wake) -> Self {
        let (inbox, outbox) = inbox(wake, None, false);
        let (listen, line_bytes_max) = (listen.clone(), spec.line_bytes_max);
        start("syslog", move || {
            let mut said = false;
            while !outbox.stopped() {
                let ended = match &listen {
                    Listen::Udp(address) => udp(*address, line_bytes_max, &outbox),
                    Listen::Tcp(address) => tcp(*address, line_bytes_max, &outbox),
                    Listen::Unix(path) => unix(path, line_bytes_max, &outbox),
                };
                if let Err(error) = ended {
                    if !std::mem::replace(&mut said, true) {
                        crate::telemetry::syslog_not_listening(&format!("{listen:?}"), &error);
                    }
                    outbox.send(Item::Up(false));
                    thread::sleep(RETRY_AFTER);
                }
            }
        });
        Self { inbox, spec: spec.clone() }
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

    /// How it is doing.
    pub fn status(&self) -> Status {
        self.inbox.status()
    }
}

/// Whether a read only waited too long.
fn timed_out(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn udp(address: SocketAddr, line_bytes_max: usize, outbox: &Outbox) -> io::Result<()> {
    let socket = UdpSocket::bind(address)?;
    socket.set_read_timeout(Some(WAIT))?;
    let port = socket.local_addr()?.port();
    let mut dropped = kernel_drops(port);
    receive(
        line_bytes_max,
        outbox,
        |buffer| socket.recv(buffer),
        || {
            let now = kernel_drops(port);
            if now > dropped {
                crate::telemetry::datagrams_dropped(now - dropped);
                outbox.send(Item::Note(Note::Gap));
            }
            dropped = now;
        },
    )
}

fn unix(path: &Path, line_bytes_max: usize, outbox: &Outbox) -> io::Result<()> {
    // A socket that a killed daemon left behind is in the way; anything else is not ours to remove.
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let socket = UnixDatagram::bind(path)?;
    // Whoever may reach the directory may log, as with /dev/log.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    socket.set_read_timeout(Some(WAIT))?;
    let ended = receive(line_bytes_max, outbox, |buffer| socket.recv(buffer), || ());
    // It is of no use to anybody any more.
    drop(fs::remove_file(path));
    ended
}

/// Receives datagrams, each one message, until the source is not wanted any more.
fn receive(
    line_bytes_max: usize,
    outbox: &Outbox,
    mut next: impl FnMut(&mut [u8]) -> io::Result<usize>,
    mut idle: impl FnMut(),
) -> io::Result<()> {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut cutter = Cutter::new(line_bytes_max);
    let mut line = Vec::new();
    let mut since_look = 0;
    outbox.send(Item::Up(true));
    while !outbox.stopped() {
        match next(&mut buffer) {
            Ok(length) => {
                line.clear();
                frames::one_line(buffer.get(..length).unwrap_or_default(), &mut line);
                outbox.send_piece(&mut cutter, &line);
                since_look += 1;
            }
            Err(error) if timed_out(&error) => since_look = usize::MAX,
            Err(error) => return Err(error),
        }
        if since_look > 1024 {
            since_look = 0;
            idle();
        }
    }
    Ok(())
}

fn tcp(address: SocketAddr, line_bytes_max: usize, outbox: &Outbox) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    outbox.send(Item::Up(true));
    let senders = Arc::new(AtomicUsize::new(0));
    while !outbox.stopped() {
        match listener.accept() {
            Ok((stream, _)) if senders.load(Ordering::Relaxed) < SENDERS_MAX => {
                senders.fetch_add(1, Ordering::Relaxed);
                let (outbox, senders) = (outbox.clone(), Arc::clone(&senders));
                start("syslog-tcp", move || {
                    // A connection that breaks has ended; its sender comes back.
                    drop(read_stream(stream, line_bytes_max, &outbox));
                    senders.fetch_sub(1, Ordering::Relaxed);
                });
            }
            Ok(_) => crate::telemetry::syslog_sender_refused(SENDERS_MAX),
            Err(error) if timed_out(&error) => thread::sleep(WAIT),
            // One connection that failed while it was accepted says nothing about the listener.
            Err(_) => thread::sleep(WAIT),
        }
    }
    Ok(())
}

fn read_stream(mut stream: TcpStream, line_bytes_max: usize, outbox: &Outbox) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(WAIT))?;
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut frames = Frames::default();
    let mut cutter = Cutter::new(line_bytes_max);
    let mut lines = Vec::new();
    while !outbox.stopped() {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                lines.clear();
                frames.push(buffer.get(..length).unwrap_or_default(), &mut lines);
                outbox.send_piece(&mut cutter, &lines);
            }
            Err(error) if timed_out(&error) => {}
            Err(error) => return Err(error),
        }
    }
    outbox.send_rest(&mut cutter);
    Ok(())
}

/// How many datagrams the kernel threw away at sockets of this port since they were opened.
fn kernel_drops(port: u16) -> u64 {
    ["/proc/net/udp", "/proc/net/udp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .map(|table| {
            table
                .lines()
                .filter(|line| {
                    let local = line.split_whitespace().nth(1).and_then(|at| at.rsplit(':').next());
                    local.and_then(|at| u16::from_str_radix(at, 16).ok()) == Some(port)
                })
                .filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok())
                .sum::<u64>()
        })
        .sum()
}
