//! The programs that are compared: how they are started, and what their series mean.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{line, scraper};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Exporter,
    Linemux,
    Mtail,
    PostfixExporter,
}

/// What a series counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Lines of a cell; the value holds each line that many times.
    Cell(usize, u64),
    /// Lines of all cells.
    Lines(u64),
    Malformed,
}

impl Kind {
    pub const NAMES: [&str; 4] =
        ["mta_exporter", "linemux", "mtail", "prometheus-postfix-exporter"];

    pub fn all() -> [Self; 4] {
        [Self::Exporter, Self::Linemux, Self::Mtail, Self::PostfixExporter]
    }

    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Whether the program is on this machine.
    pub fn is_there(self) -> bool {
        matches!(self, Self::Exporter | Self::Linemux) || tool(self.name()).is_some()
    }

    /// What that series counts, if it counts lines.
    pub fn counts(self, series: &str) -> Option<Counts> {
        let label = |name: &str| {
            let (_, rest) = series.split_once(&format!("{name}=\""))?;
            rest.split('"').next()
        };
        let (name, _) = series.split_once('{').unwrap_or((series, ""));
        match (self, name) {
            (Self::Exporter, "mta_replies_total") => {
                let cell = line::cell_of(label("provider")?, label("code")?.parse().ok()?);
                // What is counted anywhere else was misread.
                Some(cell.map_or(Counts::Malformed, |cell| Counts::Cell(cell, 1)))
            }
            (Self::Exporter, "mta_source_lines_total") => {
                (label("kind")? != "delivery").then_some(Counts::Malformed)
            }
            (Self::Linemux | Self::Mtail, "replies") => {
                Some(Counts::Cell(label("cell")?.parse().ok()?, 1))
            }
            (Self::Linemux | Self::Mtail, "malformed")
            | (Self::PostfixExporter, "postfix_unsupported_log_entries_total") => {
                Some(Counts::Malformed)
            }
            // Four delays of each delivery.
            (Self::PostfixExporter, "postfix_smtp_delivery_delay_seconds_count") => {
                Some(Counts::Lines(4))
            }
            _ => None,
        }
    }

    fn command(self, log: &Path, port: u16) -> Command {
        let directory = log.parent().unwrap();
        let text = |path: &Path| path.display().to_string();
        match self {
            Self::Exporter => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_mta_exporter"));
                let config = configure(log, port);
                command.args(["--config.file", &text(&config), "--log.level", "error"]);
                command
            }
            Self::Linemux => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--linemux", &text(log), &port.to_string()]);
                command
            }
            Self::Mtail => {
                let program = directory.join("postfix.mtail");
                fs::write(&program, MTAIL).unwrap();
                let mut command = Command::new(tool(self.name()).unwrap());
                command.args(["--address", "127.0.0.1", "--port", &port.to_string()]);
                command.args(["--logs", &text(log), "--progs", &text(&program)]);
                command.args(["--log_dir", &text(directory)]);
                command
            }
            Self::PostfixExporter => {
                let mut command = Command::new(tool(self.name()).unwrap());
                command.args(["--postfix.logfile_path", &text(log)]);
                command.args(["--web.listen-address", &format!("127.0.0.1:{port}")]);
                command
            }
        }
    }
}

const MTAIL: &str = r"
counter replies by cell
counter malformed
/^Nov 21 20:00:00 mx1 postfix.* cell (?P<cell>\d\d\d) ?.*\)$/ {
  replies[$cell]++
} else {
  malformed++
}
";

fn configure(log: &Path, port: u16) -> PathBuf {
    let directory = log.parent().unwrap().display();
    let config = log.with_file_name("mta_exporter.toml");
    fs::write(log.with_file_name("providers.toml"), line::providers()).unwrap();
    let tracked: Vec<String> =
        (0..line::PROVIDERS).map(|provider| format!("\"p{provider:02}\"")).collect();
    fs::write(
        &config,
        format!(
            "[web]\nlisten_addresses = [\"127.0.0.1:{port}\"]\n\
             [state]\ndirectory = \"{directory}/state\"\n\
             [[sources]]\npath = \"{}\"\n\
             [providers]\nfiles = [\"{directory}/providers.toml\"]\ntracked = [{}]\n",
            log.display(),
            tracked.join(", "),
        ),
    )
    .unwrap();
    config
}

/// A program on the PATH, or unpacked from a package under `target/tools`.
fn tool(name: &str) -> Option<PathBuf> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/usr/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([unpacked])
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

/// A program at work.
pub struct Program {
    kind: Kind,
    log: PathBuf,
    pub port: u16,
    child: Child,
    /// What those used that were killed.
    used: f64,
}

impl Program {
    /// Starts the program and waits until it answers.
    pub fn start(kind: Kind, log: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = spawn(kind, log, port);
        let program = Self { kind, log: log.to_owned(), port, child, used: 0.0 };
        let end = Instant::now() + Duration::from_secs(30);
        while scraper::get(port).is_none() {
            assert!(Instant::now() < end, "{} does not answer", kind.name());
            std::thread::sleep(Duration::from_millis(50));
        }
        program
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.used = self.cpu_seconds();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.child = spawn(self.kind, &self.log, self.port);
    }

    /// User and system time of all that were started.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        // The kernel's USER_HZ.
        self.used + ticks as f64 / 100.0
    }

    pub fn resident_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(kind: Kind, log: &Path, port: u16) -> Child {
    let errors = fs::File::options()
        .create(true)
        .append(true)
        .open(log.with_file_name("program.err"))
        .unwrap();
    kind.command(log, port).stdout(Stdio::null()).stderr(errors).spawn().unwrap()
}
