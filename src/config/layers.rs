//! The file, the environment over it, and where each key came from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use config::{ConfigError, File, FileFormat, Map, Value, ValueKind};

use super::error::{Error, Fault, Place};
use super::locate::line_of;
use super::raw::Raw;

/// What the names of our environment variables begin with.
const PREFIX: &str = "MTA_EXPORTER_";
/// Keys that hold lists; in a variable their items stand between commas.
const LISTS: &[&str] =
    &["web.listen_addresses", "sources", "providers.files", "providers.tracked", "replies.files"];
/// Keys that hold numbers.
const NUMBERS: &[&str] = &["limits.series_max", "limits.line_bytes_max"];

/// Keys that hold true or false.
const FLAGS: &[&str] = &["providers.builtin", "replies.builtin"];

/// The layers, put on top of each other.
pub(super) struct Layers {
    file: Option<(PathBuf, FileFormat, String)>,
    overrides: Overrides,
    merged: config::Config,
}

impl Layers {
    pub(super) fn read(
        path: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let mut builder = config::Config::builder();
        let file = path.map(read_file).transpose()?;
        if let Some((path, format, text)) = &file {
            check_syntax(path, *format, text)?;
            builder = builder.add_source(File::from_str(text, *format));
        }
        let overrides = Overrides::new(variables);
        let merged = builder
            .add_source(overrides.clone())
            .build()
            .map_err(|error| unbuilt(error, file.as_ref().map(|(path, ..)| path.as_path())))?;
        Ok(Self { file, overrides, merged })
    }

    /// What was typed.
    pub(super) fn raw(&self) -> Result<Raw, Error> {
        let raw = self.merged.clone().try_deserialize();
        raw.map_err(|error| self.locate(fault(error)))
    }

    /// Says where the key of a fault was typed.
    pub(super) fn locate(&self, fault: Fault) -> Error {
        let place = match (self.overrides.variable(&fault.key), &self.file) {
            (Some(name), _) => Place::Variable(name.to_owned()),
            (None, Some((path, FileFormat::Toml, text))) => {
                Place::File(path.clone(), line_of(text, &fault.key))
            }
            (None, Some((path, ..))) => Place::File(path.clone(), None),
            (None, None) => Place::Nowhere,
        };
        Error::Meaning { place, fault }
    }
}

/// What keeps a file from being put under the variables.
fn unbuilt(error: ConfigError, path: Option<&Path>) -> Error {
    let place = path.map_or(Place::Nowhere, |path| Place::File(path.to_owned(), None));
    let ConfigError::FileParse { cause, .. } = error else {
        return Error::Meaning { place, fault: fault(error) };
    };
    // What can be parsed but is no table comes wrapped as if it could not be parsed.
    match cause.downcast::<Box<ConfigError>>() {
        Ok(error) => Error::Meaning { place, fault: fault(**error) },
        Err(cause) => Error::Syntax { place, message: one_line(&cause.to_string()) },
    }
}

fn read_file(path: &Path) -> Result<(PathBuf, FileFormat, String), Error> {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let format = match ending.as_ref() {
        "toml" => FileFormat::Toml,
        "yaml" | "yml" => FileFormat::Yaml,
        "" => return Err(Error::Ending { path: path.to_owned(), ending: "none".to_owned() }),
        other => return Err(Error::Ending { path: path.to_owned(), ending: format!(".{other}") }),
    };
    let bytes =
        fs::read(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes).map_err(|_| Error::NotUtf8 { path: path.to_owned() })?;
    Ok((path.to_owned(), format, text))
}

/// TOML is read once by its own parser, which knows the line of an error.
fn check_syntax(path: &Path, format: FileFormat, text: &str) -> Result<(), Error> {
    if format != FileFormat::Toml {
        return Ok(());
    }
    let Err(error) = toml::de::DeTable::parse(text) else { return Ok(()) };
    let line = error.span().map(|span| super::locate::line_at(text, span.start));
    Err(Error::Syntax {
        place: Place::File(path.to_owned(), line),
        message: one_line(error.message()),
    })
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

/// The environment variables that override the file.
///
/// Only names with two underscores between section and key are ours (and `MTA_EXPORTER_SOURCES`):
/// others with our prefix belong to the flags, or are put into every container beside a service of
/// that name by Kubernetes, and must not stop the program.
#[derive(Clone, Debug, Default)]
struct Overrides {
    values: BTreeMap<String, (String, String)>,
}

impl Overrides {
    fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let values = variables.into_iter().filter_map(|(name, value)| {
            let rest = name.strip_prefix(PREFIX)?;
            let key = rest.to_ascii_lowercase().replace("__", ".");
            (key.contains('.') || key == "sources").then_some((key, (name, value)))
        });
        Self { values: values.collect() }
    }

    /// The variable that holds this key or the value that the key is in.
    fn variable(&self, key: &str) -> Option<&str> {
        self.values.iter().find_map(|(own, (name, _))| {
            let rest = key.strip_prefix(own.as_str())?;
            (rest.is_empty() || rest.starts_with(['.', '['])).then_some(name.as_str())
        })
    }
}

impl config::Source for Overrides {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let value = |key: &str, text: &str| {
            let number = text.parse().ok().filter(|_| NUMBERS.contains(&key));
            let flag = text.parse().ok().filter(|_| FLAGS.contains(&key));
            if LISTS.contains(&key) {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                ValueKind::Array(items.map(|item| Value::new(None, item)).collect())
            } else if let Some(number) = number {
                ValueKind::U64(number)
            } else if let Some(flag) = flag {
                ValueKind::Boolean(flag)
            } else {
                ValueKind::String(text.to_owned())
            }
        };
        let values = self.values.iter();
        Ok(values
            .map(|(key, (_, text))| (key.clone(), Value::new(None, value(key, text))))
            .collect())
    }
}

/// Puts an error of the reader in the words of ours.
fn fault(error: ConfigError) -> Fault {
    if let ConfigError::At { error, key, .. } = error {
        let inner = fault(*error);
        let key = key.unwrap_or_default();
        let dot = if key.is_empty() || inner.key.is_empty() { "" } else { "." };
        return Fault { key: format!("{key}{dot}{}", inner.key), ..inner };
    }
    if let ConfigError::Type { unexpected, expected, key, .. } = error {
        return Fault {
            key: key.unwrap_or_default(),
            expected: if expected == "a map" { "a table" } else { expected }.to_owned(),
            found: in_our_words(&unexpected.to_string()),
        };
    }
    message_fault(&error.to_string())
}

/// Reads the messages that serde makes.
fn message_fault(message: &str) -> Fault {
    if let Some(rest) = message.strip_prefix("unknown field `")
        && let Some((key, known)) = rest.split_once("`, expected ")
    {
        let known = known.strip_prefix("one of ").unwrap_or(known);
        return Fault {
            key: key.to_owned(),
            expected: format!("one of the keys {}", known.replace('`', "").replace(" or ", ", ")),
            found: "an unknown key".to_owned(),
        };
    }
    let typed = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "));
    let (found, expected) = typed.unwrap_or((message, "a value that can be read"));
    Fault { key: String::new(), expected: expected.to_owned(), found: in_our_words(found) }
}

/// What serde calls a value.
fn in_our_words(found: &str) -> String {
    match found {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        "unit value" => "nothing".to_owned(),
        other => other.strip_prefix("string ").unwrap_or(other).replace('`', ""),
    }
}
