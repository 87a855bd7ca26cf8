//! Why a configuration cannot be used.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not even text.
    #[error("{}: expected text in UTF-8, but found other bytes", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
    },
    /// The name of the file does not say what it holds.
    #[error(
        "{}: expected a file name that ends with .toml, .yaml or .yml, but found {ending}",
        path.display()
    )]
    Ending {
        /// The file.
        path: PathBuf,
        /// How it ends.
        ending: String,
    },
    /// The file is no TOML or YAML.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser said.
        message: String,
    },
    /// A key or value that means nothing.
    #[error("{place}: {fault}")]
    Meaning {
        /// Where.
        place: Place,
        /// What.
        fault: Fault,
    },
}

/// Where something was configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file, in this line where it is known.
    File(PathBuf, Option<usize>),
    /// In this environment variable.
    Variable(String),
    /// Nowhere: something is missing.
    Nowhere,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, Some(line)) => write!(f, "{}:{line}", path.display()),
            Self::File(path, None) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Nowhere => f.write_str("configuration"),
        }
    }
}

/// A key whose value, or whose very name, means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The path of the key, such as `sources[0].path`; empty for the whole file.
    pub key: String,
    /// What would have been right.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "expected {}, but found {}", self.expected, self.found)
    }
}
