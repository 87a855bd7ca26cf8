//! `check`: what would be done with this configuration on this machine, without doing it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::output::{Failure, stdout};
use super::setup::{self, ConfigFile};
use crate::config::{Config, Source};
use crate::envelope::Unwrapper;
use crate::mta::{Dialect, Dialects, LineKind};
use crate::source::compressed::LogReader;
use crate::source::{Chunks, Origin, StartAt};

/// How many lines of a log are looked at.
const LINES_MAX: u64 = 2_000;
/// How many files of one pattern are listed.
const FILES_MAX: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut config = arguments.config.load()?;
    setup::detect_sources(&mut config)?;
    let settings = setup::settings(&config)?;
    let mut out = stdout();
    match arguments.config.path() {
        Some(path) => writeln!(out, "configuration: {}", path.display())?,
        None => writeln!(out, "configuration: built in")?,
    }
    let providers = &settings.providers;
    writeln!(
        out,
        "providers: {}, of which {} are tracked",
        providers.names().len(),
        providers.tracked().len()
    )?;
    for address in &config.web.listen_addresses {
        writeln!(out, "metrics: http://{address}{}", config.web.telemetry_path)?;
    }
    writeln!(out, "state: {}", config.state.directory.display())?;
    for source in &config.sources {
        write_source(&mut out, source, &config)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn write_source(out: &mut impl Write, source: &Source, config: &Config) -> io::Result<()> {
    let start = match source.spec.start_at {
        StartAt::End => "",
        StartAt::Beginning => ", from its beginning",
    };
    writeln!(out, "source {:?}{start}", source.spec.name)?;
    let paths = match &source.spec.origin {
        Origin::Path(path) => vec![path.clone()],
        Origin::Glob(pattern) => match_glob(pattern),
        Origin::Fifo(path) => return writeln!(out, "  named pipe {}", path.display()),
        Origin::Stdin => return writeln!(out, "  standard input"),
        Origin::Journal(_) => return writeln!(out, "  the systemd journal, through journalctl"),
        Origin::Syslog(_) => return writeln!(out, "  syslog messages"),
    };
    if paths.is_empty() {
        writeln!(out, "  no file matches yet")?;
    }
    for path in paths.iter().take(FILES_MAX) {
        match look_at(path, source.dialect, config.limits.line_bytes_max) {
            Ok(look) => writeln!(out, "  {}: {look}", path.display())?,
            Err(error) => writeln!(out, "  {}: {}", path.display(), hint(&error))?,
        }
    }
    let more = paths.len().saturating_sub(FILES_MAX);
    if more > 0 { writeln!(out, "  and {more} more") } else { Ok(()) }
}

/// The files that match now. (Those that come later are found by the daemon.)
fn match_glob(pattern: &str) -> Vec<PathBuf> {
    let paths = glob::glob(pattern).into_iter().flatten();
    paths.filter_map(Result::ok).filter(|path| path.is_file()).collect()
}

/// What the first lines of a file are.
fn look_at(path: &Path, dialect: Option<Dialect>, line_bytes_max: usize) -> io::Result<String> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok("not a file".to_owned());
    }
    let mut input = LogReader::new(file)?;
    let mut chunks = Chunks::new(line_bytes_max);
    let mut sample = Sample::new(dialect);
    while let Some(chunk) = chunks.next(&mut input)? {
        if !sample.add(chunk.lines) {
            break;
        }
    }
    Ok(format!("{} bytes, {}", metadata.len(), sample.describe()))
}

fn hint(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::PermissionDenied {
        format!("{error}; mail logs are mostly readable for the group adm")
    } else if error.kind() == io::ErrorKind::NotFound {
        format!("{error}; it is waited for")
    } else {
        error.to_string()
    }
}

/// The first lines of a log, read as the daemon would.
struct Sample {
    unwrapper: Unwrapper,
    dialects: Dialects,
    lines: u64,
    unreadable: u64,
    by_dialect: BTreeMap<Dialect, u64>,
}

impl Sample {
    fn new(dialect: Option<Dialect>) -> Self {
        Self {
            unwrapper: Unwrapper::default(),
            dialects: Dialects::new(dialect),
            lines: 0,
            unreadable: 0,
            by_dialect: BTreeMap::new(),
        }
    }

    /// Looks at some lines; whether more are wanted.
    fn add(&mut self, lines: &[u8]) -> bool {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if self.lines == LINES_MAX {
                return false;
            }
            self.lines += 1;
            let record = self.unwrapper.unwrap(line.trim_ascii_end());
            let (dialect, kind) = self.dialects.read(&record, &mut |_, _, _| {});
            self.unreadable += u64::from(matches!(kind, LineKind::Unreadable(_)));
            if let Some(dialect) = dialect {
                *self.by_dialect.entry(dialect).or_default() += 1;
            }
        }
        true
    }

    fn describe(&self) -> String {
        if self.lines == 0 {
            return "empty".to_owned();
        }
        let found: Vec<_> = self
            .by_dialect
            .iter()
            .map(|(dialect, lines)| format!("{lines} of {dialect}"))
            .collect();
        let found = if found.is_empty() {
            "none of a mail server whose log can be read".to_owned()
        } else {
            found.join(", ")
        };
        format!("of its first {} lines {found}, {} unreadable", self.lines, self.unreadable)
    }
}
