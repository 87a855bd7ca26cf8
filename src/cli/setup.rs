//! From what was typed to what the reader works with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::output::Failure;
use super::tables;
use crate::config::{Config, Detection, usual_logs};
use crate::reader::Settings;
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct ConfigFile {
    /// The configuration; without one the usual mail logs are looked for
    #[arg(long = "config.file", value_name = "PATH", env = "MTA_EXPORTER_CONFIG_FILE")]
    path: Option<PathBuf>,
}

impl ConfigFile {
    /// The configuration, with what the environment overrides.
    pub(super) fn load(&self) -> Result<Config, Failure> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Ok(Config::load(self.path.as_deref(), variables)?)
    }

    /// The path, if one was given.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

/// Takes the usual logs where the configuration names no source.
pub(super) fn detect_sources(config: &mut Config) -> Result<(), Failure> {
    if config.sources.is_empty() {
        let detection = usual_logs(Path::new("/"));
        if detection.found.is_empty() {
            return Err(Failure::usage(nothing_found(&detection)));
        }
        config.sources = detection.found;
        telemetry::sources_detected(config.sources.len());
    }
    Ok(())
}

/// Where was looked, and how to go on.
fn nothing_found(detection: &Detection) -> String {
    let looked_at: Vec<_> =
        detection.looked_at.iter().map(|path| format!("  {}", path.display())).collect();
    format!(
        "no mail log was found. Looked for\n{}\n\
         and for a journal beside the configuration of a mail server that logs to syslog.\n\
         Name yours in a file for --config.file, or in the environment:\n  \
         MTA_EXPORTER_SOURCES=/path/to/mail.log mta_exporter\n\
         To see the exporter at work on made-up traffic:\n  \
         mta_exporter demo",
        looked_at.join("\n")
    )
}

/// What the reader works with: the sources, and the tables in force.
pub(super) fn settings(config: &Config) -> Result<Settings, Failure> {
    let (providers, classifier) = tables::load(config)?;
    Ok(Settings {
        sources: config.sources.clone(),
        providers,
        classifier,
        dialects: Arc::clone(&config.dialects),
        series_max: config.limits.series_max,
        rules_hash: tables::hash(config)?,
    })
}
