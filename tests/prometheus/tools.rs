//! The programs that take part.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A program of Prometheus' family, unpacked by `run`.
pub fn tool(name: &str) -> Command {
    Command::new(programs().join(name))
}

/// Where the programs are.
pub fn programs() -> PathBuf {
    let programs = repository("target/tools/usr/bin");
    assert!(programs.join("prometheus").exists(), "run tests/prometheus/run");
    programs
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// An empty directory for a test; what it leaves there is for the reader of a failure.
pub fn fresh_directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).unwrap();
    }
    fs::create_dir_all(&directory).unwrap();
    directory
}

/// Runs a program to its end; what it said if it failed.
pub fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap_or_else(|error| {
        panic!("{}: {error}", command.get_program().to_string_lossy());
    });
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{command:?}\n{said}{}", String::from_utf8_lossy(&stderr));
    said
}

/// A program that runs until the test is over.
pub struct Running(Child);

impl Running {
    /// Starts it; what it says goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::create(log).unwrap();
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until `found` finds something.
pub fn wait_for<T>(what: &str, within: Duration, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < within, "waited {within:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
