//! The commands, one file each.

mod output;
mod object;
mod log;
mod tables;
mod setup;
mod notify;
mod serve;
mod check;
mod replay;
mod demo;
mod explain;
mod reference;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    #[command(flatten)]
    serve: serve::Arguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow the logs and answer scrapes; so does the program without a command
    Serve(serve::Arguments),
    /// Read the configuration and the tables, and print what would be followed
    Check(check::Arguments),
    /// Read finished logs and print what is in them
    Replay(replay::Arguments),
    /// See it work: made-up Postfix traffic with an incident, followed and served on loopback
    Demo(demo::Arguments),
    /// Decode a code, a reply or a log line
    Explain(explain::Arguments),
    /// Print the built-in tables as Markdown
    #[command(hide = true)]
    Reference,
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
        Some(Command::Demo(arguments)) => demo::run(&arguments),
        Some(Command::Explain(arguments)) => explain::run(&arguments),
        Some(Command::Reference) => reference::run(),
        Some(Command::Serve(arguments)) => serve::run(&arguments),
        Some(Command::Check(arguments)) => check::run(&arguments),
        None => serve::run(&cli.serve),
    };
    done.unwrap_or_else(Failure::report)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
