//! How commands end, and how they write.

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};
use std::process::ExitCode;

use crate::{config, table};

/// Why a command did not do what it should.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line or the configuration cannot be used.
    Usage(String),
    /// Something else went wrong.
    Runtime(String),
    /// Nobody reads what is printed any more, which is nobody's fault.
    Closed,
}

impl Failure {
    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self::Usage(message.to_string())
    }

    pub(super) fn runtime(message: impl fmt::Display) -> Self {
        Self::Runtime(message.to_string())
    }

    /// Says it, and gives the code to exit with.
    pub(super) fn report(self) -> ExitCode {
        match self {
            Self::Usage(message) => {
                complain(message);
                usage_code()
            }
            Self::Runtime(message) => {
                complain(message);
                ExitCode::FAILURE
            }
            Self::Closed => ExitCode::SUCCESS,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Runtime(message) => f.write_str(message),
            Self::Closed => f.write_str("nobody reads the output"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe { Self::Closed } else { Self::runtime(error) }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::usage(error)
    }
}

impl From<table::Error> for Failure {
    fn from(error: table::Error) -> Self {
        Self::usage(error)
    }
}

/// The exit code for a command line or a configuration that cannot be used: `EX_USAGE` of
/// sysexits.h.
pub(super) fn usage_code() -> ExitCode {
    ExitCode::from(64)
}

/// Says on standard error what is wrong. Where that is closed, nothing can be said.
pub(super) fn complain(message: impl fmt::Display) {
    drop(writeln!(io::stderr().lock(), "mta_exporter: {message}"));
}

/// Standard output, for many small writes. An error is an error of the command: `println!` would
/// panic where the reader has gone.
pub(super) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}
