//! What was configured, and what it means.
//!
//! Three layers, each over the one before: the built-in defaults, the file (TOML, or YAML by its
//! ending), and environment variables `MTA_EXPORTER_<SECTION>__<KEY>`. What was typed is
//! `raw`; this file holds what it means. Everything that cannot be used is refused with the file,
//! the line where it is known, the key, and what was expected there.

mod detect;
mod error;
mod layers;
mod locate;
mod meaning;
mod raw;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::mta::Dialect;
use crate::mta::custom::CustomDialects;
use crate::source::Spec;

pub use detect::{Detection, usual_logs};
pub use error::{Error, Place};
pub use meaning::{parse_listen_address, parse_telemetry_path};

/// The port that the exporter answers on unless told otherwise.
pub const PORT_DEFAULT: u16 = 10421;
/// The most series that remote servers can make us create, unless told otherwise.
pub const SERIES_MAX_DEFAULT: usize = 10_000;
/// The longest line that is read unless told otherwise.
pub const LINE_BYTES_MAX_DEFAULT: usize = 1 << 20;

/// The configuration in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where and how scrapes are answered.
    pub web: Web,
    /// What survives a restart.
    pub state: State,
    /// The logs to follow; empty means that the usual ones are looked for.
    pub sources: Vec<Source>,
    /// Who answers.
    pub providers: Providers,
    /// What replies mean.
    pub replies: Replies,
    /// The log formats that are defined beside the built-in ones.
    pub dialects: Arc<CustomDialects>,
    /// The bounds on what strangers can make us hold.
    pub limits: Limits,
}

/// `[web]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// The addresses to listen on; at least one.
    pub listen_addresses: Vec<SocketAddr>,
    /// The path of the metrics; starts with a slash.
    pub telemetry_path: String,
}

/// `[state]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Where counters and positions are kept.
    pub directory: PathBuf,
}

/// One of `[[sources]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What to read.
    pub spec: Spec,
    /// The format to take for granted; `None` tells them apart line by line.
    pub dialect: Option<Dialect>,
}

/// `[providers]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Providers {
    /// Whether the built-in table is in force, after those in `files`.
    pub builtin: bool,
    /// More tables; their rows stand before the built-in ones.
    pub files: Vec<PathBuf>,
    /// The providers whose series exist from the start; `None` is the built-in choice.
    pub tracked: Option<Vec<String>>,
}

/// `[replies]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replies {
    /// Whether the built-in tables are in force, after those in `files`.
    pub builtin: bool,
    /// More tables; their rows stand before the built-in ones.
    pub files: Vec<PathBuf>,
}

/// `[limits]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most series; what does not fit is counted under `other`.
    pub series_max: usize,
    /// The longest line that is read, in bytes; longer ones are skipped and counted.
    pub line_bytes_max: usize,
}

impl Config {
    /// The configuration of `file`, or the built-in defaults without one, with the overrides that
    /// the environment `variables` hold.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let layers = layers::Layers::read(file, variables)?;
        let raw = layers.raw()?;
        let base = file.and_then(Path::parent).unwrap_or(Path::new(""));
        meaning::config(&raw, base).map_err(|fault| layers.locate(fault))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            web: Web {
                listen_addresses: vec![([0, 0, 0, 0], PORT_DEFAULT).into()],
                telemetry_path: "/metrics".to_owned(),
            },
            state: State { directory: "/var/lib/mta_exporter".into() },
            sources: Vec::new(),
            providers: Providers { builtin: true, files: Vec::new(), tracked: None },
            replies: Replies { builtin: true, files: Vec::new() },
            dialects: Arc::default(),
            limits: Limits {
                series_max: SERIES_MAX_DEFAULT,
                line_bytes_max: LINE_BYTES_MAX_DEFAULT,
            },
        }
    }
}
