//! What each path answers.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{negotiate, page};
use crate::exposition::{self, Format, Process};
use crate::ledger::Snapshot;
use crate::reader::{Handle, Scrape};

/// How long to wait for the reader. Prometheus itself waits 10 s unless told otherwise.
const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(9);
/// When to come again while the logs are being caught up with, in seconds.
const RETRY_AFTER_SECONDS: &str = "5";
/// What is smaller than this is not worth compressing.
const GZIP_BYTES_MIN: usize = 1024;

type Answer = Response<Full<Bytes>>;

/// Everything that is answered from.
#[derive(Debug)]
pub struct Site {
    reader: Handle,
    telemetry_path: String,
    process: Process,
    /// The last body and what it was made of: scrapes that share a snapshot share the text.
    last: Mutex<Option<Body>>,
}

#[derive(Clone, Debug)]
struct Body {
    snapshot: Arc<Snapshot>,
    format: Format,
    gzip: bool,
    bytes: Bytes,
}

impl Site {
    /// The site of this reader.
    pub fn new(reader: Handle, telemetry_path: String, process: Process) -> Self {
        Self { reader, telemetry_path, process, last: Mutex::new(None) }
    }

    /// Answers one request. (The head of an answer to HEAD is that of GET; hyper leaves the body
    /// out.)
    pub(super) async fn respond(&self, request: &Request<Incoming>) -> Answer {
        let path = request.uri().path();
        let known = path == self.telemetry_path || matches!(path, "/" | "/-/healthy" | "/-/ready");
        if !known {
            return plain(StatusCode::NOT_FOUND, "not found\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let answer = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            return with(answer, ALLOW, "GET, HEAD");
        }
        match path {
            "/" => self.page().await,
            "/-/healthy" => plain(StatusCode::OK, "healthy\n"),
            "/-/ready" => self.ready().await,
            _ => self.metrics(request).await,
        }
    }

    async fn metrics(&self, request: &Request<Incoming>) -> Answer {
        let snapshot = match self.snapshot().await {
            Ok(snapshot) => snapshot,
            Err(unready) => return unready.answer(),
        };
        let header = |name: HeaderName| {
            let values = request.headers().get_all(name);
            let values: Vec<_> = values.iter().filter_map(|value| value.to_str().ok()).collect();
            values.join(",")
        };
        let format = negotiate::format(&header(ACCEPT));
        let gzip = negotiate::takes_gzip(&header(ACCEPT_ENCODING));
        let body = self.body(snapshot, format, gzip);
        let mut answer = Response::new(Full::new(body.bytes));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
        if body.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        answer
    }

    /// The text of a snapshot; that of the last request if it asked for the same.
    fn body(&self, snapshot: Arc<Snapshot>, format: Format, gzip: bool) -> Body {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let same = last.take().filter(|body| {
            Arc::ptr_eq(&body.snapshot, &snapshot) && body.format == format && body.gzip == gzip
        });
        let body = same.unwrap_or_else(|| {
            let text = exposition::scrape(&snapshot, &self.process, format);
            let compressed = if gzip { compress(text.as_bytes()) } else { None };
            let gzip = compressed.is_some();
            let bytes = compressed.map_or_else(|| Bytes::from(text), Bytes::from);
            Body { snapshot, format, gzip, bytes }
        });
        *last = Some(body.clone());
        body
    }

    async fn ready(&self) -> Answer {
        match self.snapshot().await {
            Ok(_) => plain(StatusCode::OK, "ready\n"),
            Err(unready) => unready.answer(),
        }
    }

    async fn page(&self) -> Answer {
        let state = self.snapshot().await.map_err(|unready| unready.reason());
        let html = page::html(&self.telemetry_path, state.as_deref().map_err(String::as_str));
        let mut answer = Response::new(Full::new(Bytes::from(html)));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
        );
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }

    /// Asks the reader, which commits before it answers.
    async fn snapshot(&self) -> Result<Arc<Snapshot>, Unready> {
        let (respond, response) = oneshot::channel();
        // A client that has gone does not want the answer any more.
        self.reader.snapshot(move |scrape| drop(respond.send(scrape)));
        match timeout(SNAPSHOT_TIMEOUT, response).await {
            Ok(Ok(Scrape::Ready(snapshot))) => Ok(snapshot),
            Ok(Ok(Scrape::CatchingUp { bytes_left })) => Err(Unready::CatchingUp { bytes_left }),
            Ok(Ok(Scrape::Stopped) | Err(_)) => Err(Unready::Stopped),
            Err(_) => Err(Unready::Busy),
        }
    }
}

/// Why there is no snapshot.
enum Unready {
    CatchingUp { bytes_left: u64 },
    Stopped,
    Busy,
}

impl Unready {
    fn reason(&self) -> String {
        match self {
            Self::CatchingUp { bytes_left } => format!(
                "catching up with the logs, {bytes_left} bytes left; \
                 what could be shown now would be too little"
            ),
            Self::Stopped => "stopping".to_owned(),
            Self::Busy => {
                "no answer from the reader in time; is the disk of the state stuck?".to_owned()
            }
        }
    }

    fn answer(&self) -> Answer {
        let answer = plain(StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", self.reason()));
        with(answer, RETRY_AFTER, RETRY_AFTER_SECONDS)
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    with(answer, CONTENT_TYPE, "text/plain; charset=utf-8")
}

fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}

fn compress(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() < GZIP_BYTES_MIN {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}
