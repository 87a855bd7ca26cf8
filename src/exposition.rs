//! From a snapshot to the text that Prometheus reads.
//!
//! [`catalogue`] names every metric; `families` fills them; the `prometheus` crate's registry and
//! encoder write the text format 0.0.4, and `openmetrics` writes OpenMetrics 1.0 from the same
//! families.

pub mod catalogue;
mod collector;
mod families;
mod openmetrics;
mod process;

use crate::ledger::{Ledger, Snapshot};

pub use catalogue::{Kind, Metric};
pub use process::Process;

/// The revision that the program was built from, `unknown` outside a repository.
pub const REVISION: &str = env!("MTA_EXPORTER_REVISION");
/// The compiler that built the program.
pub const RUSTC: &str = env!("MTA_EXPORTER_RUSTC");
/// The version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A format to write metrics in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format 0.0.4.
    #[default]
    Text,
    /// OpenMetrics 1.0, which also tells when a series was created.
    OpenMetrics,
}

impl Format {
    /// The value of the `Content-Type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Everything that a scrape shows.
pub fn scrape(snapshot: &Snapshot, process: &Process, format: Format) -> String {
    let mut families = families::of_snapshot(snapshot);
    families.extend(families::of_program());
    families.extend(process.families());
    write(families, format)
}

/// What was counted in finished logs: the same from run to run. `lists` are the names of the
/// blocklists.
pub fn counts(ledger: &Ledger, lists: &[String], format: Format) -> String {
    write(families::of_ledger(ledger, lists, u64::MAX), format)
}

fn write(families: Vec<families::Family>, format: Format) -> String {
    match format {
        Format::Text => collector::text(families),
        Format::OpenMetrics => openmetrics::text(families),
    }
}
