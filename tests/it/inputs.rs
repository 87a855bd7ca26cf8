//! The inputs that are no files: pipes, syslog sockets, the journal. They have threads, so these
//! tests wait for what must come, and fail if it does not.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mta_exporter::source::{
    Buffer, Earlier, Filter, Listen, Note, Now, Origin, Position, Sink, Source, Spec, StartAt,
};

/// How long what must come may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    notes: Vec<Note>,
}

impl Sink for Heard {
    fn lines(&mut self, chunk: &[u8]) {
        let text = String::from_utf8_lossy(chunk);
        self.lines.extend(text.lines().map(str::to_owned));
    }

    fn note(&mut self, note: Note) {
        self.notes.push(note);
    }
}

struct Input {
    source: Source,
    heard: Heard,
    buffer: Buffer,
    started: Instant,
}

impl Input {
    fn open(spec: &Spec, earlier: Option<Earlier>) -> Self {
        let source = Source::open(spec, earlier);
        Self { source, heard: Heard::default(), buffer: Buffer::new(), started: Instant::now() }
    }

    fn poll(&mut self) {
        let now = Now { monotonic: self.started.elapsed(), unix: Duration::ZERO };
        self.source.poll(now, &mut self.buffer, &mut self.heard);
    }

    #[track_caller]
    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.poll();
            if done(self) {
                return;
            }
            assert!(Instant::now() < deadline, "waited for {what}: {:?}", self.heard.lines);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn until_lines(&mut self, expected: &[&str]) {
        self.until("lines", |input| input.heard.lines.len() >= expected.len());
        assert_eq!(self.heard.lines, expected);
    }

    #[track_caller]
    fn until_up(&mut self) {
        self.until("the input", |input| input.source.status().up);
    }
}

fn spec(origin: Origin) -> Spec {
    Spec { line_bytes_max: 20, ..Spec::new("test", origin) }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_named_pipe_is_read_over_its_writers_and_its_replacement() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail.pipe");
    let make = || assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let write = |text: &str| {
        OpenOptions::new().write(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
    };
    let mut input = Input::open(&spec(Origin::Fifo(path.clone())), None);
    input.until("a missing pipe", |input| input.heard.notes == [Note::ReadError]);
    make();
    input.until_up();
    write("one\ntw");
    write("o\n12345678901234567890x\nthree\n");
    input.until_lines(&["one", "two", "three"]);
    assert!(input.heard.notes.contains(&Note::Overlong));
    assert!(input.heard.notes.contains(&Note::Skipped(22)));
    fs::remove_file(&path).unwrap();
    make();
    input.until("the new pipe", |input| input.heard.notes.contains(&Note::Rotation));
    write("four\n");
    input.until_lines(&["one", "two", "three", "four"]);
}

#[test]
fn syslog_over_tcp_is_read_in_both_framings() {
    let address = free_port();
    let mut input = Input::open(&spec(Origin::Syslog(Listen::Tcp(address))), None);
    input.until_up();
    let mut sender = TcpStream::connect(address).unwrap();
    sender.write_all(b"<22>one\n7 <22>two<22>three\n").unwrap();
    input.until_lines(&["<22>one", "<22>two", "<22>three"]);
    let mut other = TcpStream::connect(address).unwrap();
    other.write_all(b"<22>unended").unwrap();
    drop(other);
    input.until("the last line", |input| input.heard.lines.len() == 4);
    sender.write_all(b"<22>12345678901234567890\n<22>four\n").unwrap();
    input.until("the overlong line", |input| input.heard.notes.contains(&Note::Overlong));
    input.until("the line after", |input| input.heard.lines.last().unwrap() == "<22>four");
}

#[test]
fn syslog_datagrams_are_read_one_by_one() {
    let address = free_port();
    let mut input = Input::open(&spec(Origin::Syslog(Listen::Udp(address))), None);
    input.until_up();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for message in ["<22>one", "<22>two\n", "<22>th\nree\0"] {
        sender.send_to(message.as_bytes(), address).unwrap();
    }
    input.until_lines(&["<22>one", "<22>two", "<22>th ree"]);

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    for _ in 0..2 {
        // The second time the socket of the first is still there.
        let mut input = Input::open(&spec(Origin::Syslog(Listen::Unix(path.clone()))), None);
        input.until_up();
        UnixDatagram::unbound().unwrap().send_to(b"<22>local", &path).unwrap();
        input.until_lines(&["<22>local"]);
    }
}

#[test]
fn a_listener_that_cannot_listen_is_down_and_tries_again() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut input = Input::open(&spec(Origin::Syslog(Listen::Tcp(address))), None);
    for _ in 0..20 {
        input.poll();
        assert!(!input.source.status().up);
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(taken);
    input.until_up();
}

/// `systemd-journal-remote`, which writes real journal files from an export stream.
fn journal_remote() -> Option<PathBuf> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools");
    [unpacked.as_path(), Path::new("/")]
        .iter()
        .map(|root| root.join("lib/systemd/systemd-journal-remote"))
        .find(|path| path.exists())
}

/// Appends entries to a journal, `number` in each message.
fn write_journal(program: &Path, journal: &Path, numbers: std::ops::Range<u32>) {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/usr/lib");
    let libraries = format!(
        "/usr/lib/x86_64-linux-gnu/systemd:{}:/usr/lib/aarch64-linux-gnu/systemd:{}",
        tools.join("x86_64-linux-gnu").display(),
        tools.join("aarch64-linux-gnu").display(),
    );
    let mut child = Command::new(program)
        .arg("-o")
        .arg(journal)
        .arg("-")
        .env("LD_LIBRARY_PATH", libraries)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut export = child.stdin.take().unwrap();
    for number in numbers {
        let at = 1_795_291_201_000_000 + u64::from(number) * 1000;
        write!(
            export,
            "__REALTIME_TIMESTAMP={at}\n__MONOTONIC_TIMESTAMP={number}\n\
             _BOOT_ID=0123456789abcdef0123456789abcdef\n_HOSTNAME=mx1\nPRIORITY=6\n\
             SYSLOG_IDENTIFIER=postfix/{}\n_PID=88\nMESSAGE=4dG7Kq: number {number};\n\n",
            if number % 10 == 9 { "qmgr" } else { "smtp" },
        )
        .unwrap();
    }
    drop(export);
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_journal_is_read_behind_its_cursor() {
    let Some(program) = journal_remote() else {
        eprintln!("skipped: no systemd-journal-remote; tests/run fetches it");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("test.journal");
    write_journal(&program, &journal, 0..500);
    let filter = Filter { directory: Some(directory.path().to_owned()), ..Filter::default() };
    let from_start =
        Spec { start_at: StartAt::Beginning, ..Spec::new("test", Origin::Journal(filter.clone())) };
    let numbers = |input: &Input| -> Vec<u32> {
        let number = |line: &String| line.split("number ").nth(1)?.split(';').next()?.parse().ok();
        input.heard.lines.iter().filter_map(number).collect()
    };
    let mut input = Input::open(&from_start, None);
    input.poll();
    assert!(input.source.status().catching_up_bytes > 0);
    input.until("all entries", |input| numbers(input).len() >= 500);
    assert_eq!(numbers(&input), (0..500).collect::<Vec<_>>());
    input.until("having caught up", |input| input.source.status().catching_up_bytes == 0);
    let position = input.source.position();
    drop(input);

    // Written while nobody reads, and then while somebody does.
    write_journal(&program, &journal, 500..620);
    let saved = serde_json::to_string(&position).unwrap();
    let position: Position = serde_json::from_str(&saved).unwrap();
    let mut input = Input::open(&from_start, Some(Earlier { position, rebooted: false }));
    input.until("what was missed", |input| numbers(input).len() >= 120);
    write_journal(&program, &journal, 620..640);
    input.until("what is new", |input| numbers(input).len() >= 140);
    assert_eq!(numbers(&input), (500..640).collect::<Vec<_>>());
    assert!(!input.heard.notes.contains(&Note::Gap));

    // A new reader begins at the end, and a filtered one reads its part.
    let mut at_end = Input::open(&Spec::new("test", Origin::Journal(filter.clone())), None);
    at_end.until("the end", |input| {
        input.source.status().up && input.source.status().catching_up_bytes == 0
    });
    write_journal(&program, &journal, 640..641);
    at_end.until("the next entry", |input| !numbers(input).is_empty());
    assert_eq!(numbers(&at_end), [640]);
    let identifiers = vec!["postfix/qmgr".to_owned()];
    let filter = Filter { identifiers, ..filter };
    let spec = Spec { start_at: StartAt::Beginning, ..Spec::new("t", Origin::Journal(filter)) };
    let mut filtered = Input::open(&spec, None);
    filtered.until("the filtered entries", |input| numbers(input).len() >= 64);
    assert!(numbers(&filtered).iter().all(|number| number % 10 == 9));
}
