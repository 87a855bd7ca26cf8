//! The commands, one file each.

mod output;
mod replay;
mod tables;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use output::Failure;

/// What `--version` prints after the name.
const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (revision ",
    env!("MTA_EXPORTER_REVISION"),
    ", rustc ",
    env!("MTA_EXPORTER_RUSTC"),
    ")"
);

/// What was typed.
#[derive(Debug, Parser)]
#[command(
    name = "mta_exporter",
    version = VERSION,
    about,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read finished logs and print what is in them
    Replay(replay::Arguments),
}

/// Runs the command that was typed. The code is 0, 1 where something went wrong, 64 where the
/// command line or the configuration cannot be used.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too. Where nobody reads it, nothing can be said.
            drop(error.print());
            return if error.use_stderr() { output::usage_code() } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        Some(Command::Replay(arguments)) => replay::run(&arguments),
        None => Err(Failure::usage(Cli::command().render_help())),
    };
    done.unwrap_or_else(Failure::report)
}
