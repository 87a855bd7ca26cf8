//! The tables in force, read from where the configuration says.

use std::fs;
use std::path::PathBuf;

use xxhash_rust::xxh3::Xxh3Default;

use super::output::Failure;
use crate::config::Config;
use crate::exposition::{REVISION, VERSION};
use crate::provider::{Builtin, Providers};
use crate::reason::Classifier;

/// Reads and compiles them.
pub(super) fn load(config: &Config) -> Result<(Providers, Classifier), Failure> {
    let builtin = |builtin| if builtin { Builtin::Extended } else { Builtin::Replaced };
    let (providers, replies) = (&config.providers, &config.replies);
    let tables = read(&providers.files)?;
    let tracked = providers.tracked.as_deref();
    let providers = Providers::load(&named(&tables), builtin(providers.builtin), tracked)?;
    let tables = read(&replies.files)?;
    let classifier = Classifier::load(&named(&tables), builtin(replies.builtin), &providers)?;
    Ok((providers, classifier))
}

/// A hash by which the rules in force can be told from others: of this build and the users' files.
pub(super) fn hash(config: &Config) -> Result<u64, Failure> {
    let mut hash = Xxh3Default::new();
    hash.update(VERSION.as_bytes());
    hash.update(REVISION.as_bytes());
    for (_, text) in read(&config.providers.files)?.iter().chain(&read(&config.replies.files)?) {
        hash.update(text.as_bytes());
    }
    Ok(hash.digest())
}

fn named(tables: &[(String, String)]) -> Vec<(&str, &str)> {
    tables.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect()
}

/// The name and text of each file.
fn read(files: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let files = files.iter().map(|path| match fs::read_to_string(path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(error) => Err(Failure::usage(format_args!("{}: {error}", path.display()))),
    });
    files.collect()
}
