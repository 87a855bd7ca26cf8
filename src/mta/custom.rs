//! Dialects that the configuration defines: by patterns with named groups, or by where the fields
//! of a JSON record stand.
//!
//! ```toml
//! [[dialects]]
//! name = "acme"
//! program = "acme-mta"            # only lines of this syslog program; else lines that no other
//!                                 # dialect knows
//! outcomes = { ok = "delivered", retry = "deferred", failed = "bounced" }
//!
//! [[dialects.patterns]]
//! pattern = '^(?<queue_id>\w+): (?<outcome>\w+) to=<(?<recipient>[^>]*)> mx=(?<relay>\S+) (?<text>.*)$'
//!
//! [[dialects.examples]]           # at least one; each must be read as it says
//! line = 'Nov 21 20:00:01 host acme-mta[7]: 4A: failed to=<b@example.net> mx=mx.example.net 550 5.1.1 no'
//! outcome = "bounced"
//! code = 550
//! recipient_domain = "example.net"
//! ```
//!
//! Or, instead of the patterns, `json = { recipient = "rcpt.address", code = "smtp.code", ... }` with
//! the path of each field: names divided by dots, numbers for places in a list. `when` lists paths
//! and what must stand there for a record to be one of this dialect.
//!
//! The fields are those of [`Field`]. The outcome is the word found, translated by `outcomes`; or
//! the `outcome` of the pattern; or else what the class of the reply says. The regular expressions
//! are of the linear kind, match bytes, and are bounded in size.
//!
//! The configuration holds [`Definition`]s as they were typed and hands them to
//! [`CustomDialects::compile`], which checks everything. The pipeline holds the result with its
//! other tables and lets all sources know it; a source whose dialect is named is forced to
//! [`CustomDialects::dialect`] of that name.

mod check;
mod definition;
mod field;
mod pattern;
mod record;

use std::sync::{Mutex, PoisonError};

use super::postfix::Daemon;
use super::seen::Seen;
use super::{Dialect, LineKind, Out};
use crate::envelope::Record;
use field::Meaning;

pub use definition::{Definition, Example, Pattern, Word};
pub use field::Field;

/// How many dialects one configuration may define.
const DIALECTS_MAX: usize = 64;
/// The events with an id that are remembered.
pub(super) type Events = Seen<32_768>;
/// How much of a line is looked at: what an expression costs grows with it.
const TEXT_MAX: usize = 64 * 1024;

/// Why a definition cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("dialect {name:?}: {key}: expected {expected}, but found {found}")]
pub struct Fault {
    /// The name of the definition.
    pub name: String,
    /// The path of the key in the configuration, such as `dialects[0].examples[1].code`.
    pub key: String,
    /// What would have been right.
    pub expected: String,
    /// What stands there, or what came of it.
    pub found: String,
}

/// The dialects that the configuration defines, ready to read.
#[derive(Debug, Default)]
pub struct CustomDialects {
    definitions: Vec<Definition>,
    dialects: Vec<Custom>,
}

/// The name of a defined dialect. It stands for the dialect wherever one is named, so that it still
/// means the same when the configuration is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(&'static str);

impl Name {
    /// The name as such. Names live as long as the program, each of them once: what a reload may
    /// add is what was typed.
    fn new(name: &str) -> Self {
        static NAMES: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.iter().find(|known| **known == name) {
            return Self(known);
        }
        let name: &'static str = Box::leak(name.into());
        names.push(name);
        Self(name)
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// One of them.
#[derive(Debug)]
struct Custom {
    name: Name,
    program: Option<String>,
    shape: Shape,
    meaning: Meaning,
}

/// How its lines are taken apart.
#[derive(Debug)]
enum Shape {
    Patterns(Vec<pattern::Compiled>),
    Json(record::Map),
}

impl CustomDialects {
    /// Checks the definitions and makes them ready.
    ///
    /// # Errors
    /// The first definition that cannot be used, or that does not read its own examples as they
    /// say.
    pub fn compile(definitions: &[Definition]) -> Result<Self, Fault> {
        let mut dialects: Vec<Custom> = Vec::new();
        for (at, definition) in definitions.iter().enumerate() {
            let fault = |key: &str, expected: &str, found: &str| Fault {
                name: definition.name.clone(),
                key: format!("dialects[{at}].{key}"),
                expected: expected.to_owned(),
                found: found.to_owned(),
            };
            if at >= DIALECTS_MAX {
                return Err(fault("name", &format!("at most {DIALECTS_MAX} dialects"), "more"));
            }
            let name = definition.name.as_str();
            if dialects.iter().any(|other| other.name.as_str() == name) {
                return Err(fault("name", "a name that is used once", &format!("{name:?} again")));
            }
            let custom = Custom::compile(definition)
                .map_err(|problem| fault(&problem.key, &problem.expected, &problem.found))?;
            check::examples(&custom, definition)
                .map_err(|problem| fault(&problem.key, &problem.expected, &problem.found))?;
            dialects.push(custom);
        }
        Ok(Self { definitions: definitions.to_vec(), dialects })
    }

    /// Whether none is defined.
    pub fn is_empty(&self) -> bool {
        self.dialects.is_empty()
    }

    /// The dialect of that name.
    pub fn dialect(&self, name: &str) -> Option<Dialect> {
        let custom = self.dialects.iter().find(|custom| custom.name.as_str() == name)?;
        Some(Dialect::Custom(custom.name))
    }

    /// The names, in the order of the definitions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.dialects.iter().map(|custom| custom.name.as_str())
    }

    /// The dialect that claims the lines of a program.
    pub(super) fn of_program(&self, program: &[u8]) -> Option<Dialect> {
        if self.dialects.is_empty() || program.is_empty() {
            return None;
        }
        let custom = self.dialects.iter().find(|custom| custom.claims(program))?;
        Some(Dialect::Custom(custom.name))
    }

    /// Reads a line as one of a dialect that is taken for granted.
    pub(super) fn read(
        &self,
        name: Name,
        seen: &mut Events,
        record: &Record<'_>,
        out: &mut Out<'_>,
    ) -> LineKind {
        let custom = self.dialects.iter().find(|custom| custom.name == name);
        custom.and_then(|custom| custom.read(seen, record, out)).unwrap_or(LineKind::Irrelevant)
    }

    /// Reads a line that no other dialect knows as one of the first that fits it.
    pub(super) fn read_any(
        &self,
        seen: &mut Events,
        record: &Record<'_>,
        out: &mut Out<'_>,
    ) -> Option<(Dialect, LineKind)> {
        self.dialects.iter().filter(|custom| custom.program.is_none()).find_map(|custom| {
            Some((Dialect::Custom(custom.name), custom.read(seen, record, out)?))
        })
    }
}

/// Two are the same if they were typed the same.
impl PartialEq for CustomDialects {
    fn eq(&self, other: &Self) -> bool {
        self.definitions == other.definitions
    }
}

impl Eq for CustomDialects {}

/// A key of one definition that cannot be used.
struct Problem {
    key: String,
    expected: String,
    found: String,
}

impl Problem {
    fn new(key: impl Into<String>, expected: &str, found: impl Into<String>) -> Self {
        Self { key: key.into(), expected: expected.to_owned(), found: found.into() }
    }
}

impl Custom {
    fn compile(definition: &Definition) -> Result<Self, Problem> {
        let name = definition.name.as_str();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            let expected = "a name of letters, digits, '-', '_' and '.'";
            return Err(Problem::new("name", expected, format!("{name:?}")));
        }
        if Dialect::parse(name).is_some() || matches!(name, "auto" | "custom") {
            let expected = "a name that no built-in dialect has";
            return Err(Problem::new("name", expected, format!("{name:?}")));
        }
        let program = definition.program.clone().filter(|program| !program.is_empty());
        if program.as_ref().is_some_and(|name| Daemon::of(name.as_bytes()).is_some()) {
            let expected = "a program that is not of Postfix, which is read as such";
            return Err(Problem::new(
                "program",
                expected,
                format!("{:?}", program.unwrap_or_default()),
            ));
        }
        let shape = match (definition.patterns.is_empty(), definition.json.is_empty()) {
            (false, true) => Shape::Patterns(pattern::compile(&definition.patterns)?),
            (true, false) => Shape::Json(record::Map::compile(&definition.json, &definition.when)?),
            (true, true) => return Err(Problem::new("patterns", "patterns or json", "neither")),
            (false, false) => return Err(Problem::new("json", "patterns or json", "both")),
        };
        if !definition.when.is_empty() && matches!(shape, Shape::Patterns(_)) {
            return Err(Problem::new("when", "no conditions beside patterns", "some"));
        }
        Ok(Self {
            name: Name::new(name),
            program,
            shape,
            meaning: Meaning::compile(&definition.outcomes, &definition.phases)?,
        })
    }

    fn claims(&self, program: &[u8]) -> bool {
        self.program.as_ref().is_some_and(|claimed| claimed.as_bytes() == program)
    }

    /// Reads a line, if it is one of this dialect.
    fn read(&self, seen: &mut Events, record: &Record<'_>, out: &mut Out<'_>) -> Option<LineKind> {
        let dialect = Dialect::Custom(self.name);
        let records = match &self.shape {
            Shape::Patterns(patterns) => {
                let text = record.message.get(..TEXT_MAX).unwrap_or(record.message);
                let (values, fixed) = pattern::find(patterns, text)?;
                return Some(self.meaning.read(dialect, &values, fixed, seen, out));
            }
            Shape::Json(map) => map.find(record.message)?,
        };
        Some(match records {
            Ok(records) => records.iter().fold(LineKind::Irrelevant, |kind, values| {
                kind.with(self.meaning.read(dialect, values, None, seen, out))
            }),
            Err(why) => LineKind::Unreadable(why),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Unwrapper;
    use crate::mta::{Dialects, Reading};
    use std::sync::Arc;

    #[derive(serde::Deserialize)]
    struct File {
        dialects: Vec<Definition>,
    }

    fn compile(text: &str) -> Result<CustomDialects, Fault> {
        let file: File = toml::from_str(text).expect("definitions");
        CustomDialects::compile(&file.dialects)
    }

    const TEXT: &str = r#"
        [[dialects]]
        name = "acme"
        program = "acme-mta"
        outcomes = { ok = "delivered", RETRY = "deferred", failed = "bounced", held = "suspended" }
        phases = { recipients = "rcpt" }

        [[dialects.patterns]]
        pattern = '^(?<queue_id>\w+): (?<outcome>\w+) to=<(?<recipient>[^>]*)> at=(?<phase>\w*) mx=(?<relay>\S*) in (?<delay>\S+) (?<text>.*)$'

        [[dialects.patterns]]
        pattern = '^client refused: (?<text>.*)$'
        outcome = "inbound_reject"

        [[dialects.patterns]]
        pattern = '^mx (?<relay>\S+) said (?<text>.*)$'
        outcome = "host_reply"

        [[dialects.examples]]
        line = 'Nov 21 20:00:01 host acme-mta[7]: 4A: Failed to=<b@example.net> at=recipients mx=mx.example.net.[192.0.2.20]:25 in 1500ms 550 5.1.1 no'
        outcome = "bounced"
        code = 550
        enhanced = "5.1.1"
        text = "550 5.1.1 no"
        recipient_domain = "example.net"
        relay_host = "mx.example.net"
        relay_ip = "192.0.2.20"
        queue_id = "4A"
        phase = "rcpt"
        delay_seconds = 1.5

        [[dialects.examples]]
        line = 'Nov 21 20:00:01 host acme-mta[7]: 4A: retry to=<b@example.net> at= mx= in 1 connection refused'
        outcome = "deferred"
        cause = "refused"

        [[dialects.examples]]
        line = 'Nov 21 20:00:01 host acme-mta[7]: 4A: held to=<b@example.net> at= mx= in 1 -'
        kind = "suspended"

        [[dialects.examples]]
        line = 'Nov 21 20:00:01 host acme-mta[7]: 4A: ok to=<b@example.net> at= mx=127.0.0.1 in 1 -'
        kind = "local"

        [[dialects.examples]]
        line = 'Nov 21 20:00:01 host acme-mta[7]: 4A: lost to=<b@example.net> at= mx= in 1 -'
        kind = "unreadable"

        [[dialects.examples]]
        line = 'Nov 21 20:00:01 host acme-mta[7]: client refused: 554 5.7.1 go away'
        kind = "inbound_reject"
        code = 554

        [[dialects.examples]]
        line = 'Nov 21 20:00:01 host acme-mta[7]: mx mx.example.net said 421 busy'
        kind = "host_reply"
        relay_host = "mx.example.net"

        [[dialects.examples]]
        line = 'Nov 21 20:00:01 host acme-mta[7]: started'
        kind = "irrelevant"
    "#;

    const JSON: &str = r#"
        [[dialects]]
        name = "acme-json"
        when = { "event.kind" = "delivery" }

        [dialects.json]
        recipient = "event.to"
        code = "event.smtp.0.code"
        enhanced = "event.smtp.0.esc"
        text = "event.smtp.0.text"
        relay = "mx"
        event_id = "id"

        [[dialects.examples]]
        line = '{"id":1,"mx":"192.0.2.10","event":{"kind":"delivery","to":["a@example.com","b@example.com"],"smtp":[{"code":250,"esc":"2.0.0","text":"ok"},{"code":550}]}}'
        readings = 2
        outcome = "delivered"
        code = 250
        enhanced = "2.0.0"
        relay_ip = "192.0.2.10"
        recipient_domain = "example.com"

        [[dialects.examples]]
        line = '[{"id":"2","event":{"kind":"delivery","to":"c@example.com","smtp":[{"text":"421 slow down"}]}},{"id":"3","event":{"kind":"other"}}]'
        outcome = "deferred"
        code = 421
        readings = 1

        [[dialects.examples]]
        line = '{"id":"3","event":{"kind":"open","to":"c@example.com","smtp":[{"code":250}]}}'
        kind = "irrelevant"

        [[dialects.examples]]
        line = '{"id":"4","event":{"kind":"delivery","to":"c@example.com","smtp":[{"code":250'
        kind = "unreadable"
    "#;

    #[test]
    fn definitions_read_their_own_examples() {
        compile(TEXT).unwrap();
        compile(JSON).unwrap();
    }

    #[test]
    fn what_is_wrong_is_said_with_its_key_and_what_was_expected() {
        let refused = |from: &str, to: &str| {
            assert!(TEXT.contains(from), "{from}");
            compile(&TEXT.replacen(from, to, 1)).unwrap_err().to_string()
        };
        let cases = [
            ("\"acme\"", "\"postfix\"", "name: expected a name that no built-in dialect has"),
            ("\"acme-mta\"", "\"postfix/smtp\"", "program: expected a program that is not of"),
            ("\"acme\"", "\"a b\"", "name: expected a name of letters, digits"),
            ("code = 550", "code = 551", "examples[0].code: expected 551, but found 550"),
            (
                "kind = \"local\"",
                "kind = \"state\"",
                "examples[3].kind: expected state, but found local",
            ),
            (
                "kind = \"unreadable\"",
                "",
                "examples[4].kind: expected delivery, but found unreadable (unknown status)",
            ),
            ("acme-mta[7]", "other[7]", "examples[0].line: expected a line of the program"),
            ("(?<queue_id>", "(?<queue>", "patterns[0].pattern: expected one of the fields"),
            ("(?<queue_id>", "(?<queue_id", "patterns[0].pattern: expected a regular expression"),
            ("(?<text>.*)$'\n\n", "(?<text>(.{0,999}){0,999})$'\n\n", "size limit"),
            ("\"delivered\"", "\"done\"", "outcomes.ok: expected one of delivered, deferred"),
            ("\"rcpt\"", "\"to\"", "phases.recipients: expected one of connect, helo"),
            ("\"inbound_reject\"", "\"no\"", "patterns[1].outcome: expected one of delivered"),
            (
                "outcome = \"host_reply\"",
                "outcome = \"bounced\"",
                "patterns[2].pattern: expected a group named recipient",
            ),
        ];
        for (from, to, expected) in cases {
            let found = refused(from, to);
            assert!(found.contains(expected), "{found}\nis not\n{expected}");
            assert!(found.contains("dialects[0]."), "{found}");
        }
    }

    #[test]
    fn a_definition_needs_examples_and_one_way_to_take_lines_apart() {
        let refused = |text: &str| compile(text).unwrap_err().to_string();
        let bare = "[[dialects]]\nname = \"a\"\n";
        assert!(refused(bare).contains("expected patterns or json, but found neither"));
        let pattern = format!("{bare}patterns = [{{ pattern = '(?<recipient>.)(?<code>.)' }}]\n");
        assert!(refused(&pattern).contains("expected at least one example, but found none"));
        let both = format!("{pattern}json = {{ recipient = \"a\", code = \"b\" }}\n");
        assert!(refused(&both).contains("but found both"));
        let json = format!("{bare}json = {{ recipient = \"a..b\", code = \"b\" }}\n");
        assert!(refused(&json).contains("json.recipient: expected names divided by single dots"));
        let twice = format!("{TEXT}\n{TEXT}");
        assert!(refused(&twice).contains("dialects[1].name: expected a name that is used once"));
    }

    #[test]
    fn lines_go_to_the_program_named_or_to_the_first_that_fits() {
        let custom = Arc::new(compile(&format!("{TEXT}\n{JSON}")).unwrap());
        let mut dialects = Dialects::new(None);
        dialects.adopt(&custom);
        let mut read = |line: &str| {
            let record = Unwrapper::default().unwrap(line.as_bytes());
            let mut readings = 0;
            let (dialect, kind) = dialects.read(&record, &mut |_, _, reading: Reading<'_>| {
                assert_eq!(reading.kind(), LineKind::Delivery);
                readings += 1;
            });
            (dialect.map(Dialect::as_str), kind.as_str(), readings)
        };
        let line = "Nov 21 20:00:01 h acme-mta[7]: 4A: ok to=<b@example.net> at= mx=m in 1 250 ok";
        assert_eq!(read(line), (Some("acme"), "delivery", 1));
        assert_eq!(read("Nov 21 20:00:01 h acme-mta[7]: x"), (Some("acme"), "irrelevant", 0));
        assert_eq!(read(&line.replace("acme-mta", "other")), (None, "irrelevant", 0));
        let line =
            r#"{"id":7,"event":{"kind":"delivery","to":"c@d.example","smtp":[{"code":550}]}}"#;
        assert_eq!(read(line), (Some("acme-json"), "delivery", 1));
        assert_eq!(read(line), (Some("acme-json"), "irrelevant", 0), "the same event id");
    }

    #[test]
    fn a_forced_dialect_reads_only_its_own() {
        let custom = Arc::new(compile(TEXT).unwrap());
        let forced = custom.dialect("acme");
        assert_eq!(forced.map(Dialect::as_str), Some("acme"));
        let mut dialects = Dialects::new(forced);
        dialects.adopt(&custom);
        let record = Unwrapper::default().unwrap(b"client refused: 554 no");
        let (dialect, kind) = dialects.read(&record, &mut |_, _, _| {});
        assert_eq!((dialect, kind), (forced, LineKind::InboundReject));
    }
}
