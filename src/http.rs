//! The listeners and what they answer. The only room with tokio and hyper.
//!
//! One thread serves everybody; it does nothing that blocks. Clients are strangers: what they send
//! is bounded in size and time, and where there are too many of them the oldest one that is not
//! being answered makes room, so that slow clients cannot keep Prometheus out.

mod negotiate;
mod page;
mod patience;
mod routes;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::telemetry;
use patience::Patient;

pub use routes::Site;

/// How long a client may take for the head of a request, and how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take no byte of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of the head of a request.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// The most header lines of a request.
const HEADERS_MAX: usize = 64;
/// The most connections at a time.
const CONNECTIONS_MAX: usize = 256;
/// How long open connections may take to end when the program stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
/// How long to wait after accepting failed, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Answers on all listeners until `stop` is done, then lets open requests end, for a bounded time.
pub async fn serve(
    listeners: Vec<TcpListener>,
    site: Site,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (sender, mut incoming) = mpsc::channel(1);
    let mut acceptors = JoinSet::new();
    for listener in listeners {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        acceptors.spawn(accept(listener, sender.clone()));
    }
    let (ending, _) = watch::channel(false);
    let mut connections = Connections::new(site, ending);
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(stream) = incoming.recv() => connections.open(stream),
            Some(_) = connections.tasks.join_next() => connections.forget_ended(),
        }
    }
    drop(acceptors);
    connections.drain().await;
    Ok(())
}

async fn accept(listener: tokio::net::TcpListener, streams: mpsc::Sender<TcpStream>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if streams.send(stream).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                telemetry::accept_failed(&error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The open connections, oldest first.
struct Connections {
    site: Arc<Site>,
    tasks: JoinSet<()>,
    open: VecDeque<Connection>,
    ending: watch::Sender<bool>,
}

struct Connection {
    task: AbortHandle,
    /// Whether a request of it is being answered.
    busy: Arc<AtomicBool>,
}

impl Connections {
    fn new(site: Site, ending: watch::Sender<bool>) -> Self {
        Self { site: Arc::new(site), tasks: JoinSet::new(), open: VecDeque::new(), ending }
    }

    fn open(&mut self, stream: TcpStream) {
        if self.open.len() >= CONNECTIONS_MAX && !self.make_room() {
            // All of them are being answered; the client is free to come again.
            telemetry::connection_refused(CONNECTIONS_MAX);
            return;
        }
        let busy = Arc::new(AtomicBool::new(false));
        let ending = self.ending.subscribe();
        let task = self.tasks.spawn(answer(stream, self.site.clone(), busy.clone(), ending));
        self.open.push_back(Connection { task, busy });
    }

    /// Ends the oldest connection that is not being answered, if there is one.
    fn make_room(&mut self) -> bool {
        let idle = self.open.iter().position(|one| !one.busy.load(Ordering::Relaxed));
        let Some(connection) = idle.and_then(|at| self.open.remove(at)) else { return false };
        connection.task.abort();
        true
    }

    fn forget_ended(&mut self) {
        self.open.retain(|connection| !connection.task.is_finished());
    }

    async fn drain(mut self) {
        self.ending.send_replace(true);
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(DRAIN_TIMEOUT, all_ended).await.is_err() {
            telemetry::connections_cut(self.tasks.len());
        }
    }
}

/// Answers the requests of one connection, one after the other.
async fn answer(
    stream: TcpStream,
    site: Arc<Site>,
    busy: Arc<AtomicBool>,
    mut ending: watch::Receiver<bool>,
) {
    // Without it the end of an answer can wait for the client's acknowledgement.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| {
        let (site, busy) = (site.clone(), busy.clone());
        async move {
            busy.store(true, Ordering::Relaxed);
            let response = site.respond(&request).await;
            busy.store(false, Ordering::Relaxed);
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream, WRITE_TIMEOUT)), service);
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = &mut connection => result,
        _ = ending.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        telemetry::connection_failed(&error);
    }
}
