//! What all tables have in common: TOML text comes in, rows go out, and every error says where.
//!
//! A row's fields are [`toml::Spanned`] wherever a later check may refuse them, so that the error
//! can point at the line.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;

/// The text of one table file.
#[derive(Clone, Copy, Debug)]
pub struct Table<'t> {
    file: &'t str,
    text: &'t str,
}

/// A table that cannot be used: one place, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// The file, as it was named to us.
    pub file: String,
    /// The line, counted from 1, where there is one to blame.
    pub line: Option<usize>,
    /// The key, or the row where the fault is that of the row as a whole.
    pub key: String,
    /// What was expected and what was found.
    pub problem: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}: {}", self.key, self.problem)
    }
}

impl<'t> Table<'t> {
    /// The table of that file name and text.
    pub fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text }
    }

    /// The file name.
    pub fn file(&self) -> &'t str {
        self.file
    }

    /// The rows, as `T` describes them.
    ///
    /// # Errors
    /// The text is not TOML, or not what `T` expects.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        toml::from_str(self.text).map_err(|error| {
            let key = error.span().map_or("table", |span| self.key_at(span.start));
            self.error(error.span(), key, error.message())
        })
    }

    /// An error at a place in the text, or in the table as a whole.
    pub fn error(
        &self,
        at: Option<Range<usize>>,
        key: impl Into<String>,
        problem: impl Into<String>,
    ) -> Error {
        Error {
            file: self.file.to_owned(),
            line: at.map(|span| self.line_at(span.start)),
            key: key.into(),
            problem: problem.into(),
        }
    }

    /// The number of the line, counted from 1, in which the byte at `offset` stands.
    pub fn line_at(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        1 + memchr::memchr_iter(b'\n', before).count()
    }

    /// The key, or the header, of the line in which the byte at `offset` stands.
    fn key_at(&self, offset: usize) -> &'t str {
        let line = self.text.lines().nth(self.line_at(offset) - 1).unwrap_or_default();
        let key = line.split('=').next().unwrap_or_default().trim();
        if key.is_empty() { "table" } else { key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rows {
        #[expect(dead_code, reason = "only its absence matters")]
        row: Vec<Row>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Row {
        #[expect(dead_code, reason = "only its type matters")]
        id: String,
    }

    fn refused(text: &str) -> String {
        Table::new("a.toml", text).parse::<Rows>().unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_file_line_key_and_what_was_expected() {
        assert_eq!(
            refused("# rows\n[[row]]\nid = \"a\"\nidd = 3\n"),
            "a.toml:4: idd: unknown field `idd`, expected `id`"
        );
        assert_eq!(
            refused("[[row]]\nid = 3\n"),
            "a.toml:2: id: invalid type: integer `3`, expected a string"
        );
        assert_eq!(refused("[[row]]\n\nid = \"a\n").split(": ").next(), Some("a.toml:3"));
        assert_eq!(refused("[[row]]\n"), "a.toml:1: [[row]]: missing field `id`");
    }
}
