//! The listeners, before a reader that does as the test says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mta_exporter::attempt::Outcome;
use mta_exporter::exposition::Process;
use mta_exporter::http::{self, Site};
use mta_exporter::ledger::{Cell, Ledger, ReloadGauges, Snapshot, SourceGauges, StateGauges};
use mta_exporter::provider::{ProviderId, Providers};
use mta_exporter::reader::{self, Request, Scrape};

/// A running server; it stops when it is dropped.
struct Server {
    addresses: Vec<SocketAddr>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers on these addresses with what the reader says.
    fn start(addresses: &[&str], scrape: impl Fn() -> Scrape + Send + 'static) -> Self {
        let (handle, requests) = reader::channel();
        thread::spawn(move || {
            for request in requests {
                match request {
                    Request::Snapshot(respond) => respond(scrape()),
                    Request::Reload(_) | Request::ReloadFailed | Request::Wake => {}
                    Request::Stop => return,
                }
            }
        });
        let listeners: Vec<_> =
            addresses.iter().map(|address| TcpListener::bind(address).unwrap()).collect();
        let addresses = listeners.iter().map(|one| one.local_addr().unwrap()).collect();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = thread::spawn(move || {
            let site = Site::new(handle, "/metrics".to_owned(), Process { start_seconds: 1.0 });
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let stopped = async { drop(stopped.await) };
            runtime.unwrap().block_on(http::serve(listeners, site, stopped)).unwrap();
        });
        Self { addresses, stop: Some(stop), thread: Some(thread) }
    }

    fn ready() -> Self {
        let snapshot = snapshot();
        Self::start(&["127.0.0.1:0"], move || Scrape::Ready(snapshot.clone()))
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addresses[0]).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends a request and returns everything that comes back.
    fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    /// Head and body of the answer to a request with these further header lines.
    fn ask(&self, method: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n{headers}\r\n"
        );
        let answer = self.raw(request.as_bytes());
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_ascii_lowercase();
        (head, answer[end + 4..].to_vec())
    }

    fn get(&self, path: &str) -> (String, String) {
        let (head, body) = self.ask("GET", path, "");
        (head, String::from_utf8(body).unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has failed already is found by the join.
        self.stop.take().unwrap().send(()).unwrap_or_default();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn snapshot() -> Arc<Snapshot> {
    let mut ledger = Ledger::new(&Providers::builtin(), 10_000);
    let up = ledger.source("/var/log/mail.log");
    let down = ledger.source("<b>&\"odd\"</b>");
    ledger.add(ProviderId::OTHER, Cell::delivery(Outcome::Delivered), 7);
    Arc::new(Snapshot {
        taken_at_seconds: 1_800_000_000,
        ledger,
        lists: Vec::new(),
        sources: vec![
            (up, SourceGauges { up: true, ..SourceGauges::default() }),
            (down, SourceGauges::default()),
        ],
        state: StateGauges { durable: true, ..StateGauges::default() },
        reload: ReloadGauges::default(),
    })
}

#[test]
fn metrics_are_plain_text_unless_openmetrics_is_asked_for() {
    let server = Server::ready();
    let (head, body) = server.get("/metrics");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    let line = "\nmta_deliveries_total{provider=\"other\",outcome=\"delivered\"} 7\n";
    assert!(body.contains(line), "{body}");
    assert!(!body.contains("# EOF"));

    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let (head, body) = server.ask("GET", "/metrics", accept);
    let body = String::from_utf8(body).unwrap();
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.contains(line) && body.ends_with("\n# EOF\n"), "{body}");
}

#[test]
fn metrics_are_compressed_where_the_client_takes_it() {
    let server = Server::ready();
    let (head, body) = server.ask("GET", "/metrics", "Accept-Encoding: gzip\r\n");
    assert!(head.contains("content-encoding: gzip"), "{head}");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    assert!(text.contains("mta_deliveries_total"));
    let (head, _) = server.get("/metrics");
    assert!(!head.contains("content-encoding"), "{head}");
}

#[test]
fn head_is_answered_like_get_without_the_body() {
    let server = Server::ready();
    for path in ["/metrics", "/", "/-/healthy", "/nowhere"] {
        let length = |head: &str| {
            let line = head.lines().find(|line| line.starts_with("content-length"));
            line.map(str::to_owned).expect("a length")
        };
        let (get, body) = server.get(path);
        let (head, nothing) = server.ask("HEAD", path, "");
        assert_eq!(nothing, b"");
        assert_eq!(get.lines().next(), head.lines().next());
        if path != "/metrics" {
            // What the process uses changes between two scrapes.
            assert_eq!(length(&head), length(&get));
            assert_eq!(length(&get), format!("content-length: {}", body.len()));
        }
    }
}

#[test]
fn what_is_not_there_or_not_allowed_is_refused() {
    let server = Server::ready();
    assert!(server.get("/metrics/").0.starts_with("http/1.1 404"));
    assert!(server.get("/favicon.ico").0.starts_with("http/1.1 404"));
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "STRANGE"] {
        let (head, _) = server.ask(method, "/metrics", "Content-Length: 0\r\n");
        assert!(head.starts_with("http/1.1 405") && head.contains("allow: get, head"), "{head}");
    }
}

#[test]
fn while_the_logs_are_caught_up_with_nothing_is_shown() {
    let server = Server::start(&["127.0.0.1:0"], || Scrape::CatchingUp { bytes_left: 12_345 });
    for path in ["/metrics", "/-/ready"] {
        let (head, body) = server.get(path);
        assert!(head.starts_with("http/1.1 503") && head.contains("retry-after: 5"), "{head}");
        assert!(body.contains("12345 bytes left"), "{body}");
    }
    assert!(server.get("/-/healthy").0.starts_with("http/1.1 200"));
    let (head, body) = server.get("/");
    assert!(head.starts_with("http/1.1 200") && body.contains("12345 bytes left"), "{body}");
}

#[test]
fn a_reader_that_has_stopped_is_not_ready() {
    let server = Server::start(&["127.0.0.1:0"], || Scrape::Stopped);
    assert!(server.get("/metrics").0.starts_with("http/1.1 503"));
    assert!(server.get("/-/ready").0.starts_with("http/1.1 503"));
}

#[test]
fn the_landing_page_shows_the_sources_and_escapes_their_names() {
    let server = Server::ready();
    let (head, body) = server.get("/");
    assert!(head.contains("content-type: text/html"), "{head}");
    assert!(body.contains("/var/log/mail.log</td><td class=\"up\">up"), "{body}");
    assert!(body.contains("&lt;b&gt;&amp;&quot;odd&quot;&lt;/b&gt;</td><td class=\"down\">down"));
    assert!(body.contains("href=\"/metrics\"") && body.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_listener_answers_over_ipv4_and_ipv6() {
    let snapshot = snapshot();
    let mut addresses = vec!["127.0.0.1:0", "127.0.0.1:0"];
    if TcpListener::bind("[::1]:0").is_ok() {
        addresses.push("[::1]:0");
    }
    let server = Server::start(&addresses, move || Scrape::Ready(snapshot.clone()));
    for address in &server.addresses {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /-/healthy HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("healthy\n"), "{answer}");
    }
}

#[test]
fn one_connection_can_ask_many_times() {
    let server = Server::ready();
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: example.com\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"healthy\n") {
            let mut part = [0; 512];
            let length = stream.read(&mut part).unwrap();
            assert!(length > 0);
            answer.extend_from_slice(&part[..length]);
        }
    }
}

#[test]
fn heads_and_bodies_without_end_are_cut_off() {
    let server = Server::ready();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1000));
    let garbage = "\0\u{1}\u{2} garbage\r\n\r\n".to_owned();
    for request in [long, many, garbage] {
        let mut stream = server.connect();
        // The server may close before it has taken everything.
        drop(stream.write_all(request.as_bytes()));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    }
    let mut stream = server.connect();
    let head = b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head).unwrap();
    let chunk = format!("{:x}\r\n{}\r\n", 65_536, "x".repeat(65_536));
    let written = (0..1000).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
    assert!(written < 1000, "a body of 64 MB was taken");
    assert!(server.get("/-/healthy").0.starts_with("http/1.1 200"));
}

#[test]
fn slow_clients_do_not_keep_others_out() {
    let server = Server::ready();
    let slow: Vec<_> = (0..300)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: exa").unwrap();
            stream
        })
        .collect();
    let started = Instant::now();
    assert!(server.get("/metrics").0.starts_with("http/1.1 200"));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    drop(slow);
}

#[test]
fn it_stops_while_clients_hang_on() {
    let server = Server::ready();
    let mut idle = server.connect();
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: example.com\r\n\r\n").unwrap();
    idle.read_exact(&mut [0; 12]).unwrap();
    let mut slow = server.connect();
    slow.write_all(b"GET /").unwrap();
    let started = Instant::now();
    drop(server);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
