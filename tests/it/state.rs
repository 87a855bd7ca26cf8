//! Counts and positions survive whatever ends the program, and faults of the disk are visible and
//! harmless.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use mta_exporter::attempt::Outcome;
use mta_exporter::config;
use mta_exporter::ledger::Snapshot;
use mta_exporter::ledger::state::{Found, State, Store};
use mta_exporter::provider::Providers;
use mta_exporter::reader::{Alarm, Reader, Scrape, Settings};
use mta_exporter::reason::Classifier;
use mta_exporter::source::{Now, Origin, Spec, StartAt};
use tempfile::TempDir;

/// A reader with its logs and its state, stepped by hand.
struct Exporter {
    directory: TempDir,
    state: PathBuf,
    reader: Option<Reader>,
    now: Now,
}

fn settings(sources: &[(&str, PathBuf)]) -> Settings {
    let providers = Providers::builtin();
    let classifier = Classifier::builtin(&providers);
    let sources = sources.iter().map(|(name, path)| config::Source {
        spec: Spec { start_at: StartAt::Beginning, ..Spec::new(*name, Origin::Path(path.clone())) },
        dialect: None,
    });
    Settings {
        sources: sources.collect(),
        providers,
        classifier,
        dialects: Arc::default(),
        series_max: 10_000,
        rules_hash: 1,
    }
}

impl Exporter {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        Self::with_state(directory, state)
    }

    fn with_state(directory: TempDir, state: PathBuf) -> Self {
        let now =
            Now { monotonic: Duration::from_secs(1), unix: Duration::from_secs(1_795_000_000) };
        let mut exporter = Self { directory, state, reader: None, now };
        exporter.start();
        exporter
    }

    /// Starts the program; it has looked once.
    fn start(&mut self) {
        let (store, found) = Store::open(&self.state).unwrap();
        let settings = settings(&[("mail", self.path("mail.log"))]);
        self.reader = Some(Reader::new(settings, store, found, Alarm::none(), self.now));
    }

    /// Ends the program as `kill -9` does.
    fn kill(&mut self) {
        self.reader = None;
    }

    fn reader(&mut self) -> &mut Reader {
        self.reader.as_mut().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, lines: usize) {
        self.append("a line\n".repeat(lines).as_bytes());
    }

    fn append(&self, text: &[u8]) {
        let path = self.path("mail.log");
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text).unwrap();
    }

    /// Lets a second pass and reads everything.
    fn step(&mut self) {
        self.now.monotonic += Duration::from_secs(1);
        self.now.unix += Duration::from_secs(1);
        let now = self.now;
        while self.reader().step(now).is_zero() {}
    }

    fn scrape(&mut self) -> Arc<Snapshot> {
        let now = self.now;
        match self.reader().scrape(now) {
            Scrape::Ready(snapshot) => snapshot,
            other @ (Scrape::CatchingUp { .. } | Scrape::Stopped) => {
                panic!("expected a picture, but found {other:?}")
            }
        }
    }

    /// What a scrape a second later shows: lines read.
    fn lines(&mut self) -> u64 {
        self.step();
        lines(&self.scrape())
    }

    fn state_file(&self) -> PathBuf {
        self.state.join("mta_exporter.state")
    }
}

fn lines(snapshot: &Snapshot) -> u64 {
    snapshot.ledger.sources().iter().flat_map(|source| source.lines).sum()
}

#[test]
fn counts_and_positions_come_back_together() {
    let mut exporter = Exporter::new();
    exporter.write(10);
    assert_eq!(exporter.lines(), 10);
    assert!(!exporter.scrape().state.restored);
    exporter.write(5);
    exporter.step();
    exporter.kill();
    exporter.write(3);
    exporter.start();
    assert_eq!(exporter.lines(), 18);
    let snapshot = exporter.scrape();
    assert!(snapshot.state.restored);
    assert!(snapshot.state.durable);
}

#[test]
fn what_is_shown_was_committed_and_pictures_are_shared_for_a_moment() {
    let mut exporter = Exporter::new();
    exporter.write(10);
    exporter.step();
    let commits = exporter.scrape().state.commits;
    // Nothing was counted since: nothing has to be written.
    exporter.step();
    assert_eq!(exporter.scrape().state.commits, commits);
    exporter.write(1);
    exporter.step();
    let first = exporter.scrape();
    assert_eq!(first.state.commits, commits + 1);
    exporter.write(1);
    exporter.now.monotonic += Duration::from_millis(20);
    let now = exporter.now;
    while exporter.reader().step(now).is_zero() {}
    assert!(Arc::ptr_eq(&first, &exporter.scrape()));
    exporter.now.monotonic += Duration::from_millis(300);
    let now = exporter.now;
    while exporter.reader().step(now).is_zero() {}
    let second = exporter.scrape();
    assert_eq!(lines(&second), 12);
    let Found::State(state) = reopen(&mut exporter).1 else { panic!("no state was found") };
    assert_eq!(state.saved_at_seconds, second.taken_at_seconds);
}

#[test]
fn what_is_remembered_from_line_to_line_comes_back_with_the_counts() {
    const STATUS: &str = "Nov 21 20:00:00 mx1 postfix/smtp[5864]: 1986AA6FC8: to=<a@gmail.com>, \
        relay=gmail-smtp-in.l.google.com[192.0.2.27]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, \
        status=sent (250 2.0.0 OK)";
    let (front, back) = STATUS.split_at(90);
    // What is one delivery only together: lines of an MTA, and pieces of one line.
    let together: [&[String]; 3] = [
        &[
            "@400000006b0203bb2ba9e504 starting delivery 1: msg 10322357 to remote a@gmail.com\n"
                .into(),
            "@400000006b0203bb2ba9e505 delivery 1: success: \
             192.0.2.27_accepted_message./Remote_host_said:_250_2.0.0_OK/\n"
                .into(),
        ],
        &[
            format!("2026-11-21T20:00:00.1Z stdout P {front}\n"),
            format!("2026-11-21T20:00:00.1Z stdout F {back}\n"),
        ],
        &[
            format!(
                "{{\"log\":\"{front}\",\"stream\":\"stdout\",\"time\":\"2026-11-21T20:00:00Z\"}}\n"
            ),
            format!(
                "{{\"log\":\"{back}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-21T20:00:00Z\"}}\n"
            ),
        ],
    ];
    let gmail = Providers::builtin().id("gmail").unwrap();
    for pieces in together {
        // Killed after each piece, with that piece committed or only read or not even read.
        for (committed, read) in [(true, true), (false, true), (false, false)] {
            let mut exporter = Exporter::new();
            exporter.step();
            exporter.scrape();
            for piece in pieces {
                exporter.append(piece.as_bytes());
                if read {
                    exporter.step();
                }
                if committed {
                    exporter.scrape();
                }
                exporter.kill();
                exporter.start();
            }
            exporter.step();
            let delivered = exporter.scrape().ledger.deliveries(gmail, Outcome::Delivered);
            assert_eq!(delivered, 1, "{committed} {read} {pieces:?}");
        }
    }
}

/// Kills the exporter and looks at what it left.
fn reopen(exporter: &mut Exporter) -> (Store, Found) {
    exporter.kill();
    Store::open(&exporter.state).unwrap()
}

#[test]
fn nothing_is_shown_before_the_logs_are_read_to_their_size_at_the_start() {
    let mut exporter = Exporter::new();
    exporter.write(10);
    assert_eq!(exporter.lines(), 10);
    exporter.kill();
    exporter.write(200_000);
    exporter.start();
    let now = exporter.now;
    let before = exporter.reader().scrape(now);
    assert!(matches!(before, Scrape::CatchingUp { .. }), "{before:?}");
    exporter.reader().step(now);
    let Scrape::CatchingUp { bytes_left } = exporter.reader().scrape(now) else {
        panic!("it is not caught up yet");
    };
    assert!(bytes_left > 1_000_000);
    assert_eq!(exporter.lines(), 200_010);
}

#[test]
fn without_scrapes_the_state_is_committed_now_and_then() {
    let mut exporter = Exporter::new();
    exporter.write(10);
    for _ in 0..15 {
        exporter.step();
    }
    exporter.kill();
    fs::remove_file(exporter.path("mail.log")).unwrap();
    exporter.start();
    assert_eq!(exporter.lines(), 10);
}

#[test]
fn a_second_program_on_the_same_state_is_refused() {
    let exporter = Exporter::new();
    let error = Store::open(&exporter.state).unwrap_err().to_string();
    assert!(error.starts_with("expected to be alone with the state in "), "{error}");
    assert!(error.contains(exporter.state.to_str().unwrap()), "{error}");
}

#[test]
fn a_state_with_any_byte_changed_or_missing_is_put_aside() {
    let mut exporter = Exporter::new();
    exporter.write(10);
    assert_eq!(exporter.lines(), 10);
    exporter.kill();
    let whole = fs::read(exporter.state_file()).unwrap();
    let damaged = |index: usize| {
        let mut text = whole.clone();
        if index < whole.len() {
            text[index] ^= 0x20;
        } else {
            text.truncate(index - whole.len());
        }
        text
    };
    for index in 0..2 * whole.len() {
        fs::write(exporter.state_file(), damaged(index)).unwrap();
        let (mut store, found) = Store::open(&exporter.state).unwrap();
        assert!(matches!(found, Found::Unusable(_)), "{index}: {found:?}");
        if index % 997 == 0 {
            store.commit(&State::default()).unwrap();
            let aside = exporter.state.join("mta_exporter.state.unusable-1");
            assert_eq!(fs::read(&aside).unwrap(), damaged(index));
            fs::remove_file(aside).unwrap();
        }
    }
    // The program goes on without it, counts each line once, and says so.
    for index in (0..2 * whole.len()).step_by(whole.len() / 8) {
        fs::write(exporter.state_file(), damaged(index)).unwrap();
        exporter.start();
        assert_eq!(exporter.lines(), 10, "{index}");
        assert!(!exporter.scrape().state.restored);
        assert!(exporter.scrape().state.durable);
        exporter.kill();
    }
}

#[test]
fn a_state_of_a_later_version_is_kept() {
    let mut exporter = Exporter::new();
    exporter.write(10);
    exporter.lines();
    exporter.kill();
    let text = fs::read_to_string(exporter.state_file()).unwrap();
    let later = text.replacen("state 1 ", "state 2 ", 1);
    fs::write(exporter.state_file(), &later).unwrap();
    exporter.start();
    exporter.lines();
    let aside = exporter.state.join("mta_exporter.state.unusable-1");
    assert_eq!(fs::read_to_string(aside).unwrap(), later);
}

/// Counts through a directory in which nothing can be written: everything is served, the fault is
/// visible, and once it is gone all counts are saved.
fn survives_an_unwritable_state(exporter: &mut Exporter, mend: impl FnOnce(&Path)) {
    exporter.write(10);
    assert_eq!(exporter.lines(), 10);
    let snapshot = exporter.scrape();
    assert!(!snapshot.state.durable);
    assert!(snapshot.state.commit_failures > 0);
    exporter.write(10);
    assert_eq!(exporter.lines(), 20);
    mend(&exporter.state);
    assert_eq!(exporter.lines(), 20);
    assert!(exporter.scrape().state.durable);
    exporter.kill();
    exporter.write(1);
    exporter.start();
    assert_eq!(exporter.lines(), 21);
    assert!(exporter.scrape().state.restored);
}

#[test]
fn counting_and_serving_go_on_where_the_state_cannot_be_written() {
    // A file in the place of the directory stops root too.
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    fs::write(&state, "in the way").unwrap();
    let mut exporter = Exporter::with_state(directory, state);
    survives_an_unwritable_state(&mut exporter, |state| fs::remove_file(state).unwrap());
}

/// A small file system of its own, unmounted at the end.
struct Mount(PathBuf);

impl Mount {
    fn new(path: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(path)
            .stderr(Stdio::null())
            .status();
        done.is_ok_and(|status| status.success()).then(|| Self(path.to_owned()))
    }

    fn remount(&self, options: &str) {
        // Of the mount, not of the file system: a user namespace may not change that.
        let options = format!("remount,bind,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

/// Runs a test that mounts file systems. Where that is not allowed, it is run once more as root of
/// a user namespace of its own, which Linux allows to everybody unless told otherwise.
fn with_mounts(name: &str, body: fn(TempDir, Mount), options: &str) {
    const INSIDE: &str = "MTA_EXPORTER_TEST_IN_NAMESPACE";
    let directory = tempfile::tempdir().unwrap();
    if let Some(mount) = Mount::new(&directory.path().join("state"), options) {
        return body(directory, mount);
    }
    let inside = std::env::var_os(INSIDE).is_some();
    let allowed = Command::new("unshare").args(["-rm", "true"]).stderr(Stdio::null()).status();
    if inside || !allowed.is_ok_and(|status| status.success()) {
        // Past the test harness, which shows nothing of tests that pass.
        let skip = format!("SKIPPED: state::{name}: file systems cannot be mounted here\n");
        return std::io::stderr().write_all(skip.as_bytes()).unwrap();
    }
    let output = Command::new("unshare")
        .arg("-rm")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("state::{name}"), "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "in a namespace: {errors}");
    let skips = errors.lines().filter(|line| line.starts_with("SKIPPED"));
    for skip in skips {
        std::io::stderr().write_all(format!("{skip}\n").as_bytes()).unwrap();
    }
}

#[test]
fn a_full_disk_is_survived() {
    with_mounts("a_full_disk_is_survived", survives_a_full_disk, "size=64k");
}

fn survives_a_full_disk(directory: TempDir, mount: Mount) {
    let state = mount.0.clone();
    fs::write(state.join("ballast"), vec![0; 64 << 10]).unwrap();
    let mut exporter = Exporter::with_state(directory, state);
    survives_an_unwritable_state(&mut exporter, |state| {
        fs::remove_file(state.join("ballast")).unwrap();
    });
    // Full again, after a state was written: that one stays whole.
    exporter.write(1);
    assert_eq!(exporter.lines(), 22);
    let before = fs::read(exporter.state_file()).unwrap();
    drop(fs::write(exporter.state.join("ballast"), vec![0; 64 << 10]));
    exporter.write(1);
    assert_eq!(exporter.lines(), 23);
    assert!(!exporter.scrape().state.durable);
    assert_eq!(fs::read(exporter.state_file()).unwrap(), before);
    exporter.kill();
    exporter.start();
    assert_eq!(exporter.lines(), 23);
    drop((exporter, mount));
}

#[test]
fn a_read_only_disk_is_survived() {
    with_mounts("a_read_only_disk_is_survived", survives_a_read_only_disk, "size=1m");
}

fn survives_a_read_only_disk(directory: TempDir, mount: Mount) {
    let state = mount.0.clone();
    mount.remount("ro");
    let mut exporter = Exporter::with_state(directory, state);
    survives_an_unwritable_state(&mut exporter, |_| mount.remount("rw"));
    drop((exporter, mount));
}

/// The child of the next test: commits for ever, with a number that grows.
#[test]
fn commits_for_ever_as_a_child() {
    let Some(directory) = std::env::var_os("MTA_EXPORTER_TEST_COMMIT_IN") else { return };
    let (mut store, found) = Store::open(Path::new(&directory)).unwrap();
    let mut state = match found {
        Found::Nothing => State::default(),
        Found::State(state) => *state,
        Found::Unusable(error) => panic!("{error}"),
    };
    loop {
        state.saved_at_seconds += 1;
        state.boot_id = "x".repeat(usize::try_from(state.saved_at_seconds % 50_000).unwrap());
        store.commit(&state).unwrap();
        // The parent takes this for shown.
        let mut shown = std::io::stdout().lock();
        writeln!(shown, "\nshown {}", state.saved_at_seconds).unwrap();
    }
}

#[test]
fn a_kill_during_a_commit_leaves_a_whole_state_that_is_not_older_than_what_was_shown() {
    let directory = tempfile::tempdir().unwrap();
    let mut shown = 0;
    for round in 0..40u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "state::commits_for_ever_as_a_child", "--nocapture"])
            .env("MTA_EXPORTER_TEST_COMMIT_IN", directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Somewhere between the start and some commits later.
        std::thread::sleep(Duration::from_micros(20_000 + round * 1_777));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let last =
            text.lines().filter_map(|line| line.strip_prefix("shown ")?.parse().ok()).next_back();
        shown = last.unwrap_or(shown).max(shown);
        let saved = match Store::open(directory.path()).unwrap().1 {
            Found::State(state) => state.saved_at_seconds,
            Found::Nothing => 0,
            Found::Unusable(error) => panic!("round {round}: {error}"),
        };
        assert!(saved >= shown, "round {round}: {saved} was saved, {shown} was shown");
    }
    assert!(shown > 0, "no commit was ever made");
}

#[test]
fn a_reload_adds_keeps_and_removes_sources_without_losing_a_line() {
    let mut exporter = Exporter::new();
    exporter.write(10);
    assert_eq!(exporter.lines(), 10);
    exporter.write(5);
    let (mail, other) = (exporter.path("mail.log"), exporter.path("other.log"));
    fs::write(&other, "one\ntwo\n").unwrap();
    let now = exporter.now;
    exporter.reader().reload(settings(&[("mail", mail.clone()), ("other", other.clone())]), now);
    assert_eq!(exporter.lines(), 17);
    // Taken away, and given back after a restart: it goes on where it was.
    let now = exporter.now;
    exporter.reader().reload(settings(&[("mail", mail.clone())]), now);
    fs::write(&other, "one\ntwo\nthree\n").unwrap();
    assert_eq!(exporter.lines(), 17);
    assert_eq!(exporter.scrape().sources.len(), 1);
    exporter.kill();
    exporter.start();
    let now = exporter.now;
    exporter.reader().reload(settings(&[("mail", mail), ("other", other)]), now);
    assert_eq!(exporter.lines(), 18);
    assert!(exporter.scrape().reload.successful);
    exporter.reader().reload_failed();
    assert!(!exporter.scrape().reload.successful);
}

#[test]
fn a_stop_commits() {
    let mut exporter = Exporter::new();
    exporter.write(10);
    exporter.step();
    exporter.step();
    exporter.write(5);
    exporter.step();
    let now = exporter.now;
    exporter.reader().stop(now);
    exporter.kill();
    fs::remove_file(exporter.path("mail.log")).unwrap();
    exporter.start();
    assert_eq!(exporter.lines(), 15);
}
