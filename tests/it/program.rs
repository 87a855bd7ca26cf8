//! The program as its users run it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const LOG: &str = "tests/logs/postfix/file.log";

/// The program, in a world without variables of ours.
fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mta_exporter"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MTA_EXPORTER_")) {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A program that runs in the background; it is killed when the test ends first.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// The exit code, once it has ended by itself.
    fn wait(&mut self) -> i32 {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code().expect("an exit code");
            }
            assert!(Instant::now() < deadline, "the program does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// `serve`, with a file of its own.
struct Daemon {
    running: Running,
    stderr: BufReader<std::process::ChildStderr>,
    address: String,
    directory: tempfile::TempDir,
}

impl Daemon {
    fn start() -> Self {
        Self::start_by(program)
    }

    /// Starts it by a command that takes the program's arguments.
    fn start_by(command: impl Fn(&[&str]) -> Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("mail.log"), "").unwrap();
        let config = directory.path().join("mta_exporter.toml");
        fs::write(&config, configuration("listen_addresses = [\"127.0.0.1:0\"]")).unwrap();
        let mut running =
            Running::start(&mut command(&["--config.file", &config.to_string_lossy()]));
        let mut stderr = BufReader::new(running.0.stderr.take().unwrap());
        let line = read_until(&mut stderr, "msg=listening");
        let address = line.trim().rsplit_once("address=").unwrap().1.to_owned();
        Self { running, stderr, address, directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Asks until the metrics have this line.
    fn wait_for(&self, line: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let metrics = self.get("/metrics");
            if metrics.lines().any(|found| found == line) {
                return;
            }
            assert!(Instant::now() < deadline, "no {line} in:\n{metrics}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn configuration(web: &str) -> String {
    format!(
        "[web]\n{web}\n[state]\ndirectory = \"state\"\n\
         [[sources]]\npath = \"mail.log\"\nname = \"mail\"\n"
    )
}

fn read_until(input: &mut impl BufRead, text: &str) -> String {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert!(input.read_line(&mut line).unwrap() > 0, "no {text} in:\n{seen}");
        if line.contains(text) {
            return line;
        }
        seen.push_str(&line);
    }
}

#[test]
fn the_daemon_counts_what_is_appended_and_goes_on_after_a_restart() {
    let mut daemon = Daemon::start();
    assert!(daemon.get("/-/healthy").contains(" 200 "));
    // What is written before the log was opened for the first time is before its end.
    daemon.wait_for("mta_source_up{source=\"mail\"} 1");
    let log = fs::read(LOG).unwrap();
    fs::OpenOptions::new()
        .append(true)
        .open(daemon.path("mail.log"))
        .unwrap()
        .write_all(&log)
        .unwrap();
    let read = format!("mta_source_read_bytes_total{{source=\"mail\"}} {}", log.len());
    daemon.wait_for(&read);
    // These series are there from the start, so that they show their values at once.
    let of_outcomes = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| line.starts_with("mta_deliveries_total"));
        lines.filter(|line| line.contains("\"gmail\"")).map(str::to_owned).collect()
    };
    let replayed = of_outcomes(&stdout(&["replay", "--output", "metrics", LOG]));
    assert_eq!(replayed.len(), 4);
    assert_eq!(of_outcomes(&daemon.get("/metrics")), replayed);

    daemon.running.signal("TERM");
    assert_eq!(daemon.running.wait(), 0);
    let config = daemon.path("mta_exporter.toml");
    daemon.running = Running::start(&mut program(&["--config.file", &config.to_string_lossy()]));
    daemon.stderr = BufReader::new(daemon.running.0.stderr.take().unwrap());
    let line = read_until(&mut daemon.stderr, "msg=listening");
    daemon.address = line.trim().rsplit_once("address=").unwrap().1.to_owned();
    daemon.wait_for(&read);
    daemon.wait_for("mta_state_restored 1");
    assert_eq!(of_outcomes(&daemon.get("/metrics")), replayed);
}

#[test]
fn without_notifications_of_the_kernel_the_log_is_read_all_the_same() {
    for limit in ["max_inotify_instances", "max_inotify_watches"] {
        let limited = |script: &str, arguments: &[&str]| {
            let mut command = Command::new("unshare");
            command.args(["-r", "sh", "-c"]);
            command.arg(format!("echo 0 >/proc/sys/user/{limit} && {script}"));
            command.arg(env!("CARGO_BIN_EXE_mta_exporter")).args(arguments);
            command
        };
        let possible = limited("exit 0", &[]).stderr(Stdio::null()).status();
        if !possible.is_ok_and(|status| status.success()) {
            // Past the test harness, which shows nothing of tests that pass.
            let skip = format!("SKIPPED: program::without_notifications: cannot set {limit}\n");
            std::io::stderr().write_all(skip.as_bytes()).unwrap();
            continue;
        }
        let daemon = Daemon::start_by(|arguments| limited("exec \"$0\" \"$@\"", arguments));
        daemon.wait_for("mta_source_up{source=\"mail\"} 1");
        let log = fs::OpenOptions::new().append(true).open(daemon.path("mail.log"));
        let mut log = log.unwrap();
        for turn in 1..=2 {
            log.write_all(b"line\n").unwrap();
            let bytes = 5 * turn;
            daemon.wait_for(&format!("mta_source_read_bytes_total{{source=\"mail\"}} {bytes}"));
        }
    }
}

#[test]
fn a_configuration_is_read_anew_and_a_bad_one_changes_nothing() {
    let mut daemon = Daemon::start();
    let config = daemon.path("mta_exporter.toml");
    daemon.wait_for("mta_source_up{source=\"mail\"} 1");
    fs::write(&config, "[web]\nlisten_adresses = []\n").unwrap();
    daemon.running.signal("HUP");
    let line = read_until(&mut daemon.stderr, "level=error");
    assert!(line.contains("mta_exporter.toml:2: web.listen_adresses: expected one of"), "{line}");
    daemon.wait_for("mta_config_last_reload_successful 0");
    daemon.wait_for("mta_source_up{source=\"mail\"} 1");

    let more = configuration("listen_addresses = [\"127.0.0.1:0\"]")
        + "[[sources]]\npath = \"other.log\"\nname = \"other\"\n";
    fs::write(&config, more).unwrap();
    daemon.running.signal("HUP");
    daemon.wait_for("mta_config_last_reload_successful 1");
    daemon.wait_for("mta_source_up{source=\"other\"} 0");
    fs::write(daemon.path("other.log"), "").unwrap();
    daemon.wait_for("mta_source_up{source=\"other\"} 1");
}

#[test]
fn the_service_manager_is_told_when_it_is_ready_and_when_it_stops() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let told = || {
        let mut message = [0; 64];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    let mut running = Running::start(
        program(&["--web.listen-address", "127.0.0.1:0"])
            .env("NOTIFY_SOCKET", &socket)
            .env("MTA_EXPORTER_SOURCES", directory.path().join("mail.log"))
            .env("MTA_EXPORTER_STATE__DIRECTORY", directory.path().join("state")),
    );
    assert_eq!(told(), "READY=1");
    running.signal("TERM");
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(running.wait(), 0);
}

#[test]
fn a_port_that_is_taken_is_said_and_is_no_fault_of_the_configuration() {
    let daemon = Daemon::start();
    let output = program(&["--web.listen-address", &daemon.address])
        .env("MTA_EXPORTER_SOURCES", "nowhere.log")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(&format!("cannot listen on {}", daemon.address)), "{stderr}");
}

#[test]
fn a_command_line_or_configuration_that_cannot_be_used_ends_with_64() {
    for (arguments, said) in [
        (&["--no-such-flag"][..], "--no-such-flag"),
        (&["replay"], "<FILE>"),
        (&["--web.listen-address", "here"], "expected an address and a port"),
        (&["--web.telemetry-path", "here"], "expected a path such as /metrics"),
        (&["--config.file", "tests/config/bad-unknown-key.toml"], "listen_adresses"),
        (&["check", "--config.file", "tests/config/bad-unknown-key.toml"], "listen_adresses"),
        (&["replay", "--config.file", "tests/config/bad-unknown-key.toml", LOG], "listen_adresses"),
        (&["--config.file", "nowhere.toml"], "nowhere.toml: No such file"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(said), "{stderr}");
        assert_eq!(output.stdout, b"");
    }
}

#[test]
fn check_names_each_source_and_what_was_recognised_in_it() {
    let output = program(&["check"])
        .env("MTA_EXPORTER_SOURCES", "tests/logs/postfix/*.log,nowhere.log")
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    let recognised = "file.log: 1042657 bytes, of its first 2000 lines 2000 of postfix";
    assert!(stdout.contains(recognised), "{stdout}");
    assert!(stdout.contains("nowhere.log: No such file"), "{stdout}");
    assert!(stdout.contains("metrics: http://0.0.0.0:10421/metrics"), "{stdout}");
}

#[test]
fn a_log_says_the_same_in_every_container_and_every_time() {
    let directory = tempfile::tempdir().unwrap();
    let plain = fs::read(LOG).unwrap();
    let gzip = directory.path().join("mail.log.1");
    let mut encoder = flate2::write::GzEncoder::new(
        fs::File::create(&gzip).unwrap(),
        flate2::Compression::fast(),
    );
    encoder.write_all(&plain).unwrap();
    encoder.finish().unwrap();
    for output in ["metrics", "json"] {
        let arguments = ["replay", "--output", output];
        let of = |file: &str| stdout(&[&arguments[..], &[file]].concat());
        let expected = of(LOG);
        assert_eq!(of(LOG), expected, "{output}");
        // The bytes of a log count uncompressed.
        assert_eq!(of(&gzip.to_string_lossy()), expected, "{output}");
        let mut piped = program(&[&arguments[..], &["-"]].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = piped.stdin.take().unwrap();
        let text = plain.clone();
        let writer = std::thread::spawn(move || stdin.write_all(&text).unwrap());
        let read = piped.wait_with_output().unwrap().stdout;
        writer.join().unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), expected, "{output}");
    }
}

#[test]
fn several_files_are_one_log() {
    let directory = tempfile::tempdir().unwrap();
    let whole = fs::read(LOG).unwrap();
    let cut = whole.len() / 2 + whole[whole.len() / 2..].iter().position(|b| *b == b'\n').unwrap();
    let (first, second) = whole.split_at(cut + 1);
    let paths = [("mail.log.1", first), ("mail.log", second)].map(|(name, bytes)| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_string_lossy().into_owned()
    });
    let expected = stdout(&["replay", "--output", "metrics", LOG]);
    assert_eq!(stdout(&["replay", "--output", "metrics", &paths[0], &paths[1]]), expected);
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_others_count() {
    let output = run(&["replay", "--output", "metrics", "nowhere.log", LOG]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "mta_exporter: nowhere.log: No such file or directory (os error 2)\n");
    let counted = String::from_utf8(output.stdout).unwrap();
    assert_eq!(counted, stdout(&["replay", "--output", "metrics", LOG]));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut command = program(&["replay", "--output", "json", LOG]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with('{'));
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn objects_have_exactly_these_keys_and_no_local_part() {
    let keys: BTreeSet<&str> = [
        "kind",
        "dialect",
        "time",
        "queue_id",
        "provider",
        "recipient_domain",
        "relay_host",
        "relay_ip",
        "code",
        "enhanced",
        "code_class",
        "outcome",
        "reason",
        "bounce_kind",
        "phase",
        "cause",
        "list",
        "delay_seconds",
        "rule",
        "text",
    ]
    .into();
    let json = stdout(&["replay", "--output", "json", LOG]);
    let mut kinds = BTreeSet::new();
    for line in json.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        let object = object.as_object().unwrap();
        assert_eq!(object.keys().map(String::as_str).collect::<BTreeSet<_>>(), keys);
        kinds.insert(object["kind"].as_str().unwrap().to_owned());
        for (_, value) in object {
            for (at, _) in value.as_str().unwrap_or_default().match_indices('@') {
                assert!(value.as_str().unwrap()[..at].ends_with("***"), "{line}");
            }
        }
    }
    assert!(["delivery", "host_reply", "inbound_reject"].iter().all(|kind| kinds.contains(*kind)));
}

#[test]
fn the_demo_counts_every_line_that_it_writes_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let output = program(&["demo", "--speed", "40", "--duration", "3"])
        .args(["--web.listen-address", "127.0.0.1:0"])
        .env("TMPDIR", directory.path())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    for said in ["metrics   http://127.0.0.1:", ">> yahoo defers", ">> the log was rotated"] {
        assert!(stdout.contains(said), "{stdout}");
    }
    assert!(stdout.trim_end().ends_with("lines were counted, each once."), "{stdout}");
    assert_eq!(output.stderr, b"");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn the_demo_ends_with_ctrl_c() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program(&["demo", "--web.listen-address", "127.0.0.1:0"]);
    let mut demo = Running::start(command.env("TMPDIR", directory.path()));
    let mut stdout = BufReader::new(demo.0.stdout.take().unwrap());
    read_until(&mut stdout, "0:00");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    demo.signal("INT");
    assert_eq!(demo.wait(), 0);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    assert!(!Path::new("mail.log").exists());
}

#[test]
fn one_masked_example_of_each_cause_shows_what_could_not_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.log");
    let log = fs::read("tests/logs/halon/grammar.log").unwrap();
    let secret = br#"{"status":"failed","result_state":7,"recipient_localpart":"ann","sender":"bob@example.org"}"#;
    fs::write(&path, [secret, &b"\n"[..], &log, &log].concat()).unwrap();
    let output = run(&["replay", "--output", "metrics", &path.to_string_lossy()]);
    let metrics = String::from_utf8(output.stdout).unwrap();
    assert!(metrics.contains("mta_source_lines_total{source=\"replay\",kind=\"unreadable\"} 7"));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let examples: Vec<&str> =
        stderr.lines().filter(|line| line.contains("not understood")).collect();
    for why in ["\"unknown status\"", "\"malformed fields\"", "\"broken record\""] {
        let why = format!("why={why}");
        assert_eq!(examples.iter().filter(|line| line.contains(&why)).count(), 1, "{stderr}");
    }
    assert_eq!(examples.len(), 3, "{stderr}");
    assert!(stderr.contains("***@example.org"), "{stderr}");
    assert!(!stderr.contains("bob@") && !stderr.contains("ann"), "{stderr}");
}
