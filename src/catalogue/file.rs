//! From the table files to the catalogue in force.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::pattern::{EnhancedPattern, WordPattern};
use super::{Advice, Catalogue, Code, CodeKind, Mark, Retry, Vendor};
use crate::provider::Providers;
use crate::reason::Reason;
use crate::table::{Error, Table};

/// The table of codes; `config/codes.toml` explains the keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    basic: Vec<CodeRow>,
    enhanced: Vec<CodeRow>,
    vendor: Vec<VendorRow>,
    #[serde(default)]
    mark: Vec<MarkRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeRow {
    code: Spanned<String>,
    standard: bool,
    meaning: String,
    typical_cause: String,
    remedy: String,
    retry: Spanned<String>,
    reason: Option<Spanned<String>>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VendorRow {
    codes: Vec<Spanned<String>>,
    provider: Vec<Spanned<String>>,
    meaning: String,
    typical_cause: String,
    remedy: String,
    retry: Spanned<String>,
    reason: Spanned<String>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkRow {
    words: Vec<Spanned<String>>,
    provider: Spanned<String>,
    examples: Vec<Spanned<String>>,
    #[serde(rename = "source")]
    _source: String,
}

/// The table of reasons; `config/reasons.toml` explains the keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reasons {
    reason: Vec<ReasonRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonRow {
    reason: Spanned<String>,
    meaning: String,
    typical_cause: String,
    remedy: String,
    retry: Spanned<String>,
}

pub(super) fn load(
    codes: (&str, &str),
    reasons: (&str, &str),
    providers: &Providers,
) -> Result<Catalogue, Error> {
    let file = Table::new(codes.0, codes.1);
    let rows = file.parse::<Codes>()?;
    let reader = Reader { file, providers };
    let catalogue = Catalogue {
        basic: reader.basic(rows.basic)?,
        enhanced: reader.enhanced(rows.enhanced)?,
        vendor: reader.vendor(&rows.vendor)?,
        marks: reader.marks(&rows.mark)?,
        reasons: Reader { file: Table::new(reasons.0, reasons.1), providers }.reasons()?,
    };
    reader.check_vendor(&catalogue, &rows.vendor)?;
    reader.check_marks(&catalogue, &rows.mark)?;
    Ok(catalogue)
}

struct Reader<'t> {
    file: Table<'t>,
    providers: &'t Providers,
}

impl Reader<'_> {
    fn refused(&self, at: &Spanned<String>, key: &str, expected: &str) -> Error {
        let problem = format!("{expected}, but found {:?}", at.as_ref());
        self.file.error(Some(at.span()), key, problem)
    }

    /// Refuses the second of two rows about one code.
    fn unique<'r>(&self, codes: impl Iterator<Item = &'r Spanned<String>>) -> Result<(), Error> {
        let mut seen = HashMap::new();
        for code in codes {
            if let Some(first) = seen.insert(code.as_ref(), code.span().start) {
                let line = self.file.line_at(first);
                let problem = format!("expected each code once, but line {line} has it too");
                return Err(self.file.error(Some(code.span()), code.as_ref(), problem));
            }
        }
        Ok(())
    }

    fn basic(&self, rows: Vec<CodeRow>) -> Result<Vec<Code>, Error> {
        self.unique(rows.iter().map(|row| &row.code))?;
        for class in ["none", "timeout", "1xx", "2xx", "3xx", "4xx", "5xx"] {
            if !rows.iter().any(|row| row.code.as_ref() == class) {
                return Err(self.file.error(None, "basic", format!("expected a row for {class}")));
            }
        }
        rows.into_iter()
            .map(|row| {
                let name: &str = row.code.as_ref();
                let valid = match name.as_bytes() {
                    [b'1'..=b'5', b'x', b'x'] => true,
                    [b'1'..=b'5', b, c] => b.is_ascii_digit() && c.is_ascii_digit(),
                    _ => matches!(name, "none" | "timeout"),
                };
                if !valid {
                    let expected = "expected three digits, \"4xx\", \"none\" or \"timeout\"";
                    return Err(self.refused(&row.code, "code", expected));
                }
                self.code(row, CodeKind::Basic)
            })
            .collect()
    }

    fn enhanced(&self, rows: Vec<CodeRow>) -> Result<Vec<(EnhancedPattern, Code)>, Error> {
        self.unique(rows.iter().map(|row| &row.code))?;
        if !rows.iter().any(|row| row.code.as_ref() == "x.x.x") {
            return Err(self.file.error(None, "enhanced", "expected a row for x.x.x"));
        }
        rows.into_iter()
            .map(|row| {
                let pattern = EnhancedPattern::parse(row.code.as_ref()).ok_or_else(|| {
                    self.refused(&row.code, "code", "expected a code such as \"x.7.26\"")
                })?;
                Ok((pattern, self.code(row, CodeKind::Enhanced)?))
            })
            .collect()
    }

    fn code(&self, row: CodeRow, kind: CodeKind) -> Result<Code, Error> {
        Ok(Code {
            kind,
            standard: row.standard,
            providers: Vec::new(),
            reason: row.reason.map(|reason| self.reason(&reason)).transpose()?,
            advice: Advice {
                meaning: row.meaning,
                typical_cause: row.typical_cause,
                remedy: row.remedy,
                retry: self.retry(&row.retry)?,
            },
            source: row.source,
            name: row.code.into_inner(),
        })
    }

    fn vendor(&self, rows: &[VendorRow]) -> Result<Vec<Vendor>, Error> {
        rows.iter()
            .map(|row| {
                let (mut enhanced, mut words) = (Vec::new(), Vec::new());
                for code in &row.codes {
                    if let Some(pattern) = EnhancedPattern::parse(code.as_ref()) {
                        enhanced.push(pattern);
                    } else {
                        words.push(self.word(code, "codes")?);
                    }
                }
                for provider in &row.provider {
                    self.provider(provider)?;
                }
                let strings = |all: &[Spanned<String>]| -> Vec<String> {
                    all.iter().map(|one| one.as_ref().clone()).collect()
                };
                let code = Code {
                    kind: CodeKind::Vendor,
                    standard: false,
                    reason: Some(self.reason(&row.reason)?),
                    advice: Advice {
                        meaning: row.meaning.clone(),
                        typical_cause: row.typical_cause.clone(),
                        remedy: row.remedy.clone(),
                        retry: self.retry(&row.retry)?,
                    },
                    source: row.source.clone(),
                    name: strings(&row.codes).join(", "),
                    providers: strings(&row.provider),
                };
                Ok(Vendor { code, enhanced, words })
            })
            .collect()
    }

    /// Refuses a code that a row above takes away for the same provider.
    fn check_vendor(&self, catalogue: &Catalogue, rows: &[VendorRow]) -> Result<(), Error> {
        for (row, made) in rows.iter().zip(&catalogue.vendor) {
            for provider in &made.code.providers {
                let enhanced = made.enhanced.iter().filter_map(|pattern| {
                    let example = pattern.example()?;
                    Some((example.to_string(), catalogue.enhanced_at(provider, example)))
                });
                let words = made.words.iter().map(|pattern| {
                    let example = pattern.example();
                    let found = catalogue.word(Some(provider), &example);
                    (example, found)
                });
                for (example, found) in enhanced.chain(words) {
                    if !found.is_some_and(|found| std::ptr::eq(found, &raw const made.code)) {
                        let taken = found.map_or("no row", |found| found.name.as_str());
                        let problem =
                            format!("expected {example} at {provider} here, but {taken} has it");
                        let at = row.codes.first().map(Spanned::span);
                        return Err(self.file.error(at, "codes", problem));
                    }
                }
            }
        }
        Ok(())
    }

    fn marks(&self, rows: &[MarkRow]) -> Result<Vec<Mark>, Error> {
        self.unique(rows.iter().flat_map(|row| &row.words))?;
        rows.iter()
            .map(|row| {
                self.provider(&row.provider)?;
                let words = row.words.iter().map(|word| self.word(word, "words"));
                Ok(Mark {
                    words: words.collect::<Result<_, _>>()?,
                    provider: row.provider.as_ref().clone(),
                })
            })
            .collect()
    }

    /// Refuses a mark that cannot win its own example.
    fn check_marks(&self, catalogue: &Catalogue, rows: &[MarkRow]) -> Result<(), Error> {
        for row in rows {
            for example in &row.examples {
                let found = catalogue.marked(example.as_ref());
                if found != Some(row.provider.as_ref()) {
                    let provider = row.provider.as_ref();
                    let found = found.unwrap_or("nobody");
                    let problem = format!("expected it to lead to {provider}, not to {found}");
                    return Err(self.file.error(Some(example.span()), "examples", problem));
                }
            }
        }
        Ok(())
    }

    fn reasons(&self) -> Result<Vec<Advice>, Error> {
        let rows = self.file.parse::<Reasons>()?.reason;
        self.unique(rows.iter().map(|row| &row.reason))?;
        for row in &rows {
            self.reason(&row.reason)?;
        }
        Reason::ALL
            .iter()
            .map(|reason| {
                let row = rows.iter().find(|row| row.reason.as_ref() == reason.as_str());
                let row = row.ok_or_else(|| {
                    self.file.error(None, "reason", format!("expected a row for {reason}"))
                })?;
                Ok(Advice {
                    meaning: row.meaning.clone(),
                    typical_cause: row.typical_cause.clone(),
                    remedy: row.remedy.clone(),
                    retry: self.retry(&row.retry)?,
                })
            })
            .collect()
    }

    fn word(&self, text: &Spanned<String>, key: &str) -> Result<WordPattern, Error> {
        WordPattern::parse(text.as_ref()).ok_or_else(|| {
            self.refused(text, key, "expected an enhanced code, or a word such as \"TS{01-03}\"")
        })
    }

    fn provider(&self, id: &Spanned<String>) -> Result<(), Error> {
        match self.providers.id(id.as_ref()) {
            Some(_) => Ok(()),
            None => Err(self.refused(id, "provider", "expected the id of a provider")),
        }
    }

    fn reason(&self, name: &Spanned<String>) -> Result<Reason, Error> {
        Reason::parse(name.as_ref())
            .ok_or_else(|| self.refused(name, "reason", "expected one of the reasons"))
    }

    fn retry(&self, name: &Spanned<String>) -> Result<Retry, Error> {
        let expected = || format!("expected one of {}", Retry::ALL.map(Retry::as_str).join(", "));
        Retry::parse(name.as_ref()).ok_or_else(|| self.refused(name, "retry", &expected()))
    }
}
