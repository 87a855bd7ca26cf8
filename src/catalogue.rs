//! What codes and reasons mean, why they come, and what a sender does about them.
//!
//! For people only: nothing in here is counted. Every basic code, every well-formed enhanced code
//! and every reason has an entry, if need be that of its class.

mod file;
mod pattern;

use crate::attempt::label;
use crate::provider::Providers;
use crate::reason::Reason;
use crate::smtp::EnhancedStatusCode;
use crate::table::Error;
use pattern::{EnhancedPattern, WordPattern, words};

/// The built-in tables.
const CODES: (&str, &str) = ("codes.toml", include_str!("../config/codes.toml"));
const REASONS: (&str, &str) = ("reasons.toml", include_str!("../config/reasons.toml"));

label! {
    /// What kind of code an entry is about.
    CodeKind {
        /// Three digits, or what stands in their place where nothing came back.
        Basic = "basic",
        /// An enhanced status code.
        Enhanced = "enhanced",
        /// What one provider alone means: by a code, or by a mark in its text.
        Vendor = "vendor",
    }
}

label! {
    /// Whether another attempt helps.
    Retry {
        /// The mail server tries again by itself, and that mostly succeeds.
        Yes = "yes",
        /// A new attempt in hours or days may succeed.
        Later = "later",
        /// Only when the cause is mended.
        AfterChange = "after_change",
        /// The answer will not change.
        No = "no",
        /// There is nothing to retry.
        None = "none",
    }
}

impl Retry {
    /// What it is for a reply of that first digit: a 4yz reply is tried again by the mail server,
    /// which after a 5yz reply has given up.
    #[must_use]
    pub fn after(self, first_digit: u8) -> Self {
        match (self, first_digit) {
            (_, 2) => Self::None,
            (Self::Later | Self::No, 4) => Self::Yes,
            (Self::Yes, 5) => Self::Later,
            (retry, _) => retry,
        }
    }

    /// The answer for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Yes => "Yes. The mail server tries again by itself, with growing pauses.",
            Self::Later => "Perhaps: send it again in hours or days.",
            Self::AfterChange => "Only once the cause is mended.",
            Self::No => "No. The answer will not change.",
            Self::None => "There is nothing to retry.",
        }
    }
}

/// What is said about a code or a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What it means.
    pub meaning: String,
    /// Why it mostly comes.
    pub typical_cause: String,
    /// What a sender does about it.
    pub remedy: String,
    /// Whether another attempt helps, regardless of the class of the reply; see [`Retry::after`].
    pub retry: Retry,
}

/// An entry about a code.
#[derive(Clone, Debug)]
pub struct Code {
    /// Its name, as the table writes it; several with a comma between them.
    pub name: String,
    /// What kind of code.
    pub kind: CodeKind,
    /// Whether a standard assigns it.
    pub standard: bool,
    /// The providers that mean this, all of them where empty.
    pub providers: Vec<String>,
    /// What is said about it.
    pub advice: Advice,
    /// The reason that the code says by itself, where it refuses.
    pub reason: Option<Reason>,
    /// The standard, or who documents it.
    pub source: String,
}

/// An entry of the vendor table with what it matches.
#[derive(Debug)]
struct Vendor {
    code: Code,
    enhanced: Vec<EnhancedPattern>,
    words: Vec<WordPattern>,
}

/// A word of a reply that tells who wrote it.
#[derive(Debug)]
struct Mark {
    words: Vec<WordPattern>,
    provider: String,
}

/// The tables in force.
#[derive(Debug)]
pub struct Catalogue {
    basic: Vec<Code>,
    enhanced: Vec<(EnhancedPattern, Code)>,
    vendor: Vec<Vendor>,
    marks: Vec<Mark>,
    reasons: Vec<Advice>,
}

impl Catalogue {
    /// The built-in tables.
    ///
    /// # Panics
    /// Never: a test reads the built-in tables.
    pub fn builtin() -> Self {
        #[expect(
            clippy::expect_used,
            reason = "they are part of the program, and a test reads them"
        )]
        Self::load(CODES, REASONS, &Providers::builtin()).expect("the built-in tables of codes")
    }

    /// The tables with these file names and texts.
    ///
    /// # Errors
    /// The first row that cannot be used, with its file and line, or what is missing.
    pub fn load(
        codes: (&str, &str),
        reasons: (&str, &str),
        providers: &Providers,
    ) -> Result<Self, Error> {
        file::load(codes, reasons, providers)
    }

    /// What a reason means.
    pub fn reason(&self, reason: Reason) -> Option<&Advice> {
        self.reasons.get(reason as usize)
    }

    /// What a basic code means by the standards or by custom: `421`, `101`, `none`, `timeout`. A
    /// number in no row is explained by its first digit; what is no such code is `None`.
    pub fn basic(&self, code: &str) -> Option<&Code> {
        let named = |name: &str| self.basic.iter().find(|row| row.name == name);
        named(&code.to_ascii_lowercase()).or_else(|| match code.as_bytes() {
            [first @ b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => {
                named(&format!("{}xx", char::from(*first)))
            }
            _ => None,
        })
    }

    /// What an enhanced code means by the standards; one that is not registered is explained by
    /// its subject.
    pub fn enhanced(&self, code: EnhancedStatusCode) -> Option<&Code> {
        let rows = self.enhanced.iter().filter(|(pattern, _)| pattern.holds(code));
        rows.max_by_key(|(pattern, _)| pattern.weight()).map(|(_, row)| row)
    }

    /// What this provider means by an enhanced code, where it is something of its own.
    pub fn enhanced_at(&self, provider: &str, code: EnhancedStatusCode) -> Option<&Code> {
        self.meanings(code).find(|row| row.is_of(provider))
    }

    /// What providers mean by an enhanced code, where it is something of their own.
    pub fn meanings(&self, code: EnhancedStatusCode) -> impl Iterator<Item = &Code> {
        let holds = move |row: &&Vendor| row.enhanced.iter().any(|pattern| pattern.holds(code));
        self.vendor.iter().filter(holds).map(|row| &row.code)
    }

    /// What the provider says with a word of its own in a reply: `S3150`, `[TSS04]`, `OFR_506`.
    /// Without a provider, whoever says such a word.
    pub fn word(&self, provider: Option<&str>, text: &str) -> Option<&Code> {
        let rows = || self.vendor.iter().filter(|row| provider.is_none_or(|id| row.code.is_of(id)));
        words(text).find_map(|word| {
            let said = |row: &&Vendor| row.words.iter().any(|pattern| pattern.holds(word));
            rows().find(said).map(|row| &row.code)
        })
    }

    /// The provider that a reply gives itself away to be from, by the words that only it uses. A
    /// guess for people: whoever writes a reply can write such a word.
    pub fn marked(&self, text: &str) -> Option<&str> {
        let said = |mark: &&Mark| words(text).any(|word| mark.words.iter().any(|m| m.holds(word)));
        self.marks.iter().find(said).map(|mark| mark.provider.as_str())
    }

    /// All entries about codes, kind by kind in the order of the table.
    pub fn codes(&self) -> impl Iterator<Item = &Code> {
        let enhanced = self.enhanced.iter().map(|(_, row)| row);
        self.basic.iter().chain(enhanced).chain(self.vendor.iter().map(|row| &row.code))
    }
}

impl Code {
    fn is_of(&self, provider: &str) -> bool {
        self.providers.iter().any(|id| id == provider)
    }
}

#[cfg(test)]
mod tests;
