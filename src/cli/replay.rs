//! `replay`: finished logs through the very pipeline of the daemon.
//!
//! Deterministic: the same files and tables give the same output, byte for byte.

mod json;
mod table;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::output::{Failure, complain, stdout};
use super::{log, tables};
use crate::config::Config;
use crate::exposition::{self, Format};
use crate::ledger::{Ledger, SourceId};
use crate::mta::{Dialect, LineKind};
use crate::pipeline::{Observer, Pipeline, Stream, Unobserved};
use crate::source::Chunks;
use crate::source::compressed::LogReader;

/// The label `source` of everything that is replayed: files that belong together are one log.
const SOURCE: &str = "replay";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Logs in the order in which they were written: plain, gzip, zstd or xz; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// The format of the lines, instead of telling it by each of them
    #[arg(long, value_name = "NAME")]
    dialect: Option<String>,
    /// The configuration whose tables and limits to use, instead of the built-in ones
    #[arg(long = "config.file", value_name = "PATH")]
    config_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// What a person wants to know
    Table,
    /// The counters in the Prometheus text format
    Metrics,
    /// The counters in the OpenMetrics format
    Openmetrics,
    /// One object for each reading
    Json,
}

/// The dialect of that name, built in or defined.
fn dialect(config: &Config, name: &str) -> Result<Dialect, Failure> {
    config.dialects.dialect(name).or(Dialect::parse(name)).ok_or_else(|| {
        let built_in = Dialect::ALL.iter().map(|dialect| dialect.as_str());
        let known: Vec<_> = built_in.chain(config.dialects.names()).collect();
        let known = known.join(", ");
        Failure::usage(format_args!("--dialect: expected one of {known}, but found {name:?}"))
    })
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    log::start(&log::Arguments::warnings());
    let config = match &arguments.config_file {
        Some(path) => Config::load(Some(path), [])?,
        None => Config::default(),
    };
    let mut replay = Replay::new(&config, arguments.dialect.as_deref())?;
    let files = &arguments.files;
    let mut out = stdout();
    let whole = match arguments.output {
        Output::Json => {
            let mut json = json::Json::new(&mut out);
            let whole = replay.read_all(files, &mut json);
            json.finish()?;
            whole
        }
        output @ (Output::Table | Output::Metrics | Output::Openmetrics) => {
            let whole = replay.read_all(files, &mut Unobserved);
            replay.write(output, &mut out)?;
            whole
        }
    };
    out.flush()?;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The pipeline with what it counts.
struct Replay {
    pipeline: Pipeline,
    ledger: Ledger,
    source: SourceId,
    stream: Stream,
    chunks: Chunks,
}

impl Replay {
    fn new(config: &Config, dialect: Option<&str>) -> Result<Self, Failure> {
        let dialect = dialect.map(|name| self::dialect(config, name)).transpose()?;
        let (providers, classifier) = tables::load(config)?;
        let mut pipeline = Pipeline::new(providers, classifier);
        pipeline.define(Arc::clone(&config.dialects));
        let providers = pipeline.providers();
        let mut ledger =
            Ledger::new(providers, config.limits.series_max).without_first_appearance();
        let source = ledger.source(SOURCE);
        Ok(Self {
            pipeline,
            ledger,
            source,
            stream: Stream::new(source, dialect),
            chunks: Chunks::new(config.limits.line_bytes_max),
        })
    }

    /// Reads the files one after the other; whether all could be read. One that cannot is named on
    /// standard error, and the others are read all the same.
    fn read_all(&mut self, files: &[PathBuf], observer: &mut impl Observer) -> bool {
        let mut whole = true;
        for path in files {
            let read = if path == Path::new("-") {
                self.read(io::stdin().lock(), observer)
            } else {
                File::open(path).and_then(|file| self.read(file, observer))
            };
            if let Err(error) = read {
                complain(format_args!("{}: {error}", path.display()));
                whole = false;
            }
        }
        self.pipeline.finish(&mut self.stream, &mut self.ledger, observer);
        whole
    }

    fn read(&mut self, input: impl Read, observer: &mut impl Observer) -> io::Result<()> {
        let mut input = LogReader::new(input)?;
        while let Some(chunk) = self.chunks.next(&mut input)? {
            if let Some(counts) = self.ledger.source_mut(self.source) {
                counts.add_lines(LineKind::Overlong, chunk.overlong);
                counts.read_bytes += chunk.lines.len() as u64;
            }
            self.pipeline.feed(&mut self.stream, &mut self.ledger, chunk.lines, observer);
        }
        Ok(())
    }

    /// Writes what was counted. What was remembered makes room for it.
    fn write(self, output: Output, out: &mut impl Write) -> io::Result<()> {
        let Self { pipeline, ledger, .. } = self;
        let classifier = pipeline.into_classifier();
        let metrics = |format| exposition::counts(&ledger, classifier.lists(), format);
        match output {
            Output::Table => table::write(out, &ledger, &classifier),
            Output::Metrics => out.write_all(metrics(Format::Text).as_bytes()),
            Output::Openmetrics => out.write_all(metrics(Format::OpenMetrics).as_bytes()),
            Output::Json => Ok(()),
        }
    }
}
