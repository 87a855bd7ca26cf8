//! The tables in force, read from where the configuration says.

use super::output::Failure;
use crate::config::Config;
use crate::provider::Providers;
use crate::reason::Classifier;

/// Reads and compiles them.
#[expect(clippy::unnecessary_wraps, reason = "tables of users can be wrong")]
pub(super) fn load(_config: &Config) -> Result<(Providers, Classifier), Failure> {
    let providers = Providers::builtin();
    let classifier = Classifier::builtin(&providers);
    Ok((providers, classifier))
}
