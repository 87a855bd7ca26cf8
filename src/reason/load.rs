//! The table of rules: what a row may say, and what is refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::classifier::{Classifier, Rules};
use super::dictionary::Dictionary;
use super::normal::Vocabulary;
use super::pattern::{Literals, Pattern};
use super::rule::{Codes, EnhancedCodes, Rule, Scope};
use super::{ListId, Reason, Refusal};
use crate::attempt::{NoReply, Phase};
use crate::provider::{Builtin, ProviderId, Providers};
use crate::smtp::Reply;
use crate::table::{Error, Table};

const BUILTIN: &str = include_str!("../../config/replies.toml");

/// What a file of rules holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    list: Vec<ListRow>,
    #[serde(default)]
    rule: Vec<Row>,
}

/// A blocklist that replies name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListRow {
    /// The label value.
    name: Spanned<String>,
    /// What replies call it.
    text: Vec<Spanned<String>>,
    /// The domains of its zones: host names in them stay readable for rules.
    #[serde(default)]
    zones: Vec<String>,
}

/// A rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: Spanned<String>,
    reason: Spanned<String>,
    #[serde(default)]
    provider: Vec<Spanned<String>>,
    #[serde(default)]
    code: Vec<Spanned<String>>,
    #[serde(default)]
    enhanced: Vec<Spanned<String>>,
    #[serde(default)]
    phase: Vec<Spanned<String>>,
    #[serde(default)]
    cause: Vec<Spanned<String>>,
    /// Words of the reply, any of which will do.
    #[serde(default)]
    text: Vec<Spanned<String>>,
    /// Words of the URLs in it, any of which will do in place of `text`.
    #[serde(default)]
    url: Vec<Spanned<String>>,
    /// Words of which none may be there.
    #[serde(default)]
    not: Vec<Spanned<String>>,
    /// A regular expression that the normal form must match as well.
    regex: Option<Spanned<String>>,
    /// Loses to an enhanced code that says something.
    #[serde(default)]
    broad: bool,
    /// Only replies that say nothing but their code.
    #[serde(default)]
    bare: bool,
    #[serde(default)]
    examples: Vec<Spanned<String>>,
    #[expect(dead_code, reason = "for the reader of the table; every row must have one")]
    source: String,
}

/// A row on its way to its place.
struct Placed {
    stage: Stage,
    rule: Rule,
}

/// The order in which rules are asked; within each, that of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    User,
    Provider,
    Text,
    Enhanced,
    BroadText,
    BroadEnhanced,
    Code,
}

/// Compiles these tables and behind them the built-in one.
pub(super) fn compile(
    tables: &[Table<'_>],
    builtin: Builtin,
    providers: &Providers,
) -> Result<Rules, Error> {
    let mut loader = Loader::new(providers);
    for table in tables {
        loader.read(table, true)?;
    }
    if builtin == Builtin::Extended {
        loader.read(&Table::new("replies.toml", BUILTIN), false)?;
    }
    loader.finish()
}

/// Makes every row of the tables win its own examples, whoever of its providers says them.
pub(super) fn check_examples(
    tables: &[Table<'_>],
    classifier: &mut Classifier,
    providers: &Providers,
) -> Result<(), Error> {
    for table in tables {
        for row in table.parse::<File>()?.rule {
            check_row(table, &row, classifier, providers)?;
        }
    }
    Ok(())
}

fn check_row(
    table: &Table<'_>,
    row: &Row,
    classifier: &mut Classifier,
    providers: &Providers,
) -> Result<(), Error> {
    let names = row.provider.iter().map(|name| providers.id(name.get_ref()));
    let asked: Vec<ProviderId> =
        if row.provider.is_empty() { vec![ProviderId::OTHER] } else { names.flatten().collect() };
    let own = row.examples.iter().map(|example| (example.get_ref().clone(), example.span()));
    let alone = code_alone(row).into_iter().map(|example| (example, row.id.span()));
    for (example, span) in own.chain(alone) {
        for provider in &asked {
            let verdict = classifier.classify(&example_refusal(row, *provider, &example));
            let winner = verdict.rule.map_or("no rule", |rule| classifier.rule_name(rule));
            if winner != row.id.get_ref() {
                let id = row.id.get_ref();
                return Err(table.error(
                    Some(span),
                    "examples",
                    format!("expected rule \"{id}\" to decide its own example, but found \"{winner}\" deciding it"),
                ));
            }
        }
    }
    Ok(())
}

/// For a row that looks at codes alone, a reply for each of them: one that another row decides
/// would make this row useless.
fn code_alone(row: &Row) -> Vec<String> {
    if !row.text.is_empty() || !row.url.is_empty() || row.regex.is_some() {
        return Vec::new();
    }
    let plain = |codes: &[Spanned<String>]| -> Vec<String> {
        codes.iter().map(|code| code.get_ref().clone()).collect()
    };
    let (codes, enhanced) = (plain(&row.code), plain(&row.enhanced));
    let first = codes.first().or(enhanced.first()).map_or("5", |code| code.get(..1).unwrap_or("5"));
    let class = if first == "x" { "5" } else { first };
    if enhanced.is_empty() {
        return codes.iter().map(|code| code.replace('x', "0")).collect();
    }
    let basic = codes.first().map_or(format!("{class}50"), |code| code.replace('x', "0"));
    enhanced
        .iter()
        .map(|code| {
            let code = code.split('-').next().unwrap_or_default();
            let code = code.replacen("x.", &format!("{class}."), 1).replace('x', "99");
            format!("{}{} {code}", code.get(..1).unwrap_or("5"), basic.get(1..).unwrap_or("50"))
        })
        .collect()
}

/// The example as it would come from a log.
fn example_refusal<'e>(row: &Row, provider: ProviderId, text: &'e str) -> Refusal<'e> {
    let cause = row.cause.first().and_then(|cause| NoReply::parse(cause.get_ref()));
    let reply = Reply::parse(text.as_bytes()).filter(|_| cause.is_none());
    Refusal {
        provider,
        inbound: false,
        code: reply.map(|reply| reply.code),
        enhanced: reply.and_then(|reply| reply.enhanced),
        cause,
        phase: row.phase.first().and_then(|phase| Phase::parse(phase.get_ref())),
        text: text.as_bytes(),
    }
}

/// Collects the rows of all files.
struct Loader<'p> {
    providers: &'p Providers,
    literals: Literals,
    vocabulary: Vocabulary,
    placed: Vec<Placed>,
    /// The ids seen so far, and whether a user's file has them.
    ids: BTreeMap<String, bool>,
    list_names: Vec<String>,
    lists: Vec<Vec<Pattern>>,
}

impl<'p> Loader<'p> {
    fn new(providers: &'p Providers) -> Self {
        Self {
            providers,
            literals: Literals::default(),
            vocabulary: Vocabulary::default(),
            placed: Vec::new(),
            ids: BTreeMap::new(),
            list_names: Vec::new(),
            lists: Vec::new(),
        }
    }

    fn read(&mut self, table: &Table<'_>, user: bool) -> Result<(), Error> {
        let file: File = table.parse()?;
        for list in &file.list {
            self.list(table, list)?;
        }
        for row in &file.rule {
            let id = row.id.get_ref();
            match self.ids.get(id) {
                // The user's row stands in for the built-in one.
                Some(true) if !user => continue,
                Some(_) => {
                    let problem =
                        format!("expected an id that no other row has, but found \"{id}\" again");
                    return Err(table.error(Some(row.id.span()), "id", problem));
                }
                // A built-in row about providers that are in no table of the user's.
                None if !user && self.is_orphan(row) => continue,
                None => {}
            }
            let rule = self.rule(table, row, user)?;
            let same = |other: &&Placed| {
                (other.stage == Stage::User) == user && same_conditions(&other.rule, &rule)
            };
            if let Some(other) = self.placed.iter().find(same) {
                let problem = format!(
                    "expected a row of its own, but found the conditions of \"{}\" again",
                    other.rule.id
                );
                return Err(table.error(Some(row.id.span()), "id", problem));
            }
            self.ids.insert(id.clone(), user);
            let stage = if user { Stage::User } else { stage(row) };
            self.placed.push(Placed { stage, rule });
        }
        Ok(())
    }

    fn is_orphan(&self, row: &Row) -> bool {
        let known = |name: &Spanned<String>| self.providers.id(name.get_ref()).is_some();
        !row.provider.is_empty() && !row.provider.iter().any(known)
    }

    fn list(&mut self, table: &Table<'_>, row: &ListRow) -> Result<(), Error> {
        let name = row.name.get_ref();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let problem = if self.list_names.contains(name) {
            Some(format!("expected a name that no other list has, but found \"{name}\" again"))
        } else if name.is_empty() || !name.bytes().all(plain) {
            Some(format!("expected lower-case letters, digits and `_`, but found \"{name}\""))
        } else if self.list_names.len() == ListId::COUNT_MAX {
            Some(format!("expected at most {} lists", ListId::COUNT_MAX))
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(table.error(Some(row.name.span()), "name", problem));
        }
        let patterns = self.patterns(table, "text", &row.text)?;
        for zone in &row.zones {
            self.vocabulary.learn_zone(zone.to_ascii_lowercase().as_bytes());
        }
        self.list_names.push(name.clone());
        self.lists.push(patterns);
        Ok(())
    }

    fn patterns(
        &mut self,
        table: &Table<'_>,
        key: &str,
        texts: &[Spanned<String>],
    ) -> Result<Vec<Pattern>, Error> {
        texts
            .iter()
            .map(|text| {
                self.literals
                    .compile(text.get_ref())
                    .map_err(|problem| table.error(Some(text.span()), key, problem))
            })
            .collect()
    }

    fn rule(&mut self, table: &Table<'_>, row: &Row, user: bool) -> Result<Rule, Error> {
        let reason = parsed(table, "reason", "a reason", &row.reason, Reason::parse)?;
        let id = |name: &str| self.providers.id(name).filter(|id| *id != ProviderId::OTHER);
        // A built-in row may name providers that a table of the user's does not have.
        let mut providers = row.provider.clone();
        providers.retain(|name| user || id(name.get_ref()).is_some());
        let scope = Scope {
            providers: all(table, "provider", "a provider of the table", &providers, id)?,
            codes: all(table, "code", "a code such as 550, 55x or 5xx", &row.code, Codes::parse)?,
            enhanced: all(
                table,
                "enhanced",
                "an enhanced code such as 5.7.1, x.7.26 or 5.7.606-649",
                &row.enhanced,
                EnhancedCodes::parse,
            )?,
            phases: all(
                table,
                "phase",
                "a phase of the SMTP conversation",
                &row.phase,
                Phase::parse,
            )?,
            causes: all(table, "cause", "a cause of a missing reply", &row.cause, NoReply::parse)?,
            bare: row.bare,
        };
        let worded = !row.text.is_empty() || !row.url.is_empty();
        let coded =
            !scope.codes.is_empty() || !scope.enhanced.is_empty() || !scope.causes.is_empty();
        if !worded && !coded {
            let problem =
                "expected `text`, `url`, `code`, `enhanced` or `cause`, but found none of them";
            return Err(table.error(Some(row.id.span()), row.id.get_ref(), problem));
        }
        if worded && row.examples.is_empty() {
            let problem = "expected at least one example, but found none";
            return Err(table.error(Some(row.id.span()), row.id.get_ref(), problem));
        }
        let regex = row.regex.as_ref().map(|regex| compile_regex(table, regex)).transpose()?;
        Ok(Rule {
            id: row.id.get_ref().clone(),
            reason,
            scope,
            text: self.patterns(table, "text", &row.text)?,
            url: self.patterns(table, "url", &row.url)?,
            not: self.patterns(table, "not", &row.not)?,
            regex,
        })
    }

    fn finish(mut self) -> Result<Rules, Error> {
        self.placed.sort_by_key(|placed| placed.stage);
        let rules: Vec<Rule> = self.placed.into_iter().map(|placed| placed.rule).collect();
        let Literals { places, lengths } = self.literals;
        for literal in places.keys() {
            self.vocabulary.learn(literal);
        }
        let mut triggers = vec![Vec::new(); lengths.len()];
        let mut has_own = vec![false; self.providers.names().len()];
        let mut wordless = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            let at = u16::try_from(place).unwrap_or(u16::MAX);
            if !rule.reads() {
                wordless.push(place);
            }
            for pattern in rule.text.iter().chain(&rule.url) {
                for literal in rarest(pattern, &lengths) {
                    if let Some(rules) = triggers.get_mut(literal) {
                        rules.push(at);
                    }
                }
            }
            for provider in &rule.scope.providers {
                if let Some(own) = has_own.get_mut(provider.index()) {
                    *own = true;
                }
            }
        }
        if rules.len() > usize::from(u16::MAX) {
            return Err(whole("expected at most 65535 rules".to_owned()));
        }
        Ok(Rules {
            all: rules,
            wordless,
            triggers,
            has_own,
            dictionary: Dictionary::new(places),
            literals: lengths.len(),
            vocabulary: self.vocabulary,
            list_names: self.list_names,
            lists: self.lists,
        })
    }
}

fn whole(problem: String) -> Error {
    Table::new("replies.toml", "").error(None, "rules", problem)
}

fn stage(row: &Row) -> Stage {
    let worded = !row.text.is_empty() || !row.url.is_empty();
    match (row.broad, worded, !row.enhanced.is_empty()) {
        (true, true, _) => Stage::BroadText,
        (true, false, true) => Stage::BroadEnhanced,
        (false, _, _) if !row.provider.is_empty() => Stage::Provider,
        (false, true, _) => Stage::Text,
        (false, false, true) => Stage::Enhanced,
        (_, false, false) => Stage::Code,
    }
}

fn same_conditions(a: &Rule, b: &Rule) -> bool {
    !a.reads() && !b.reads() && a.scope == b.scope
}

/// The literals of the term that is least likely to be there: the one whose shortest is longest.
fn rarest(pattern: &Pattern, lengths: &[usize]) -> Vec<usize> {
    let length = |place: usize| lengths.get(place).copied().unwrap_or_default();
    let terms = pattern.chains.iter().flat_map(|chain| &chain.terms);
    terms
        .map(|term| term.literals.iter().map(|literal| literal.index()).collect::<Vec<_>>())
        .max_by_key(|term| term.iter().map(|place| length(*place)).min())
        .unwrap_or_default()
}

fn all<T>(
    table: &Table<'_>,
    key: &str,
    expected: &str,
    texts: &[Spanned<String>],
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Error> {
    texts.iter().map(|text| parsed(table, key, expected, text, &parse)).collect()
}

fn parsed<T>(
    table: &Table<'_>,
    key: &str,
    expected: &str,
    text: &Spanned<String>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, Error> {
    parse(text.get_ref()).ok_or_else(|| {
        let problem = format!("expected {expected}, but found \"{}\"", text.get_ref());
        table.error(Some(text.span()), key, problem)
    })
}

fn compile_regex(table: &Table<'_>, text: &Spanned<String>) -> Result<regex::bytes::Regex, Error> {
    regex::bytes::RegexBuilder::new(text.get_ref())
        .unicode(false)
        .size_limit(1 << 18)
        .dfa_size_limit(1 << 18)
        .build()
        .map_err(|error| table.error(Some(text.span()), "regex", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_decides_its_own_examples() {
        let providers = Providers::builtin();
        let mut classifier = Classifier::builtin(&providers);
        let table = Table::new("replies.toml", BUILTIN);
        let mut wrong = Vec::new();
        for row in table.parse::<File>().unwrap().rule {
            if let Err(error) = check_row(&table, &row, &mut classifier, &providers) {
                wrong.push(error.to_string());
            }
        }
        assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
    }

    #[test]
    fn the_built_in_rows_are_about_providers_of_the_built_in_table() {
        let providers = Providers::builtin();
        for row in Table::new("replies.toml", BUILTIN).parse::<File>().unwrap().rule {
            for name in &row.provider {
                assert!(providers.id(name.get_ref()).is_some(), "{}: {name:?}", row.id.get_ref());
            }
        }
    }

    fn refused(text: &str) -> String {
        let table = [("mine.toml", text)];
        let loaded = Classifier::load(&table, Builtin::Extended, &Providers::builtin());
        loaded.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_wrong_in_a_users_table_is_refused_with_its_line() {
        let row = |keys: &str| format!("[[rule]]\nid = \"mine\"\nsource = \"us\"\n{keys}");
        let spam = "reason = \"spam_content\"\n";
        for (keys, problem) in [
            ("reason = \"spammy\"", "mine.toml:4: reason: expected a reason, but found \"spammy\""),
            (
                &format!("{spam}provider = [\"gmial\"]\ncode = [\"550\"]"),
                "mine.toml:5: provider: expected a provider of the table, but found \"gmial\"",
            ),
            (&format!("{spam}txt = [\"a b\"]"), "mine.toml:5: txt: unknown field `txt`"),
            (
                &format!("{spam}phase = [\"connect\"]"),
                "mine.toml:2: mine: expected `text`, `url`, `code`, `enhanced` or `cause`, but found none",
            ),
            (
                &format!("{spam}text = [\"a b\"]"),
                "mine.toml:2: mine: expected at least one example",
            ),
            (
                &format!("{spam}text = [\"Bad Words\"]\nexamples = [\"550 bad words\"]"),
                "mine.toml:5: text: expected words in lower case",
            ),
            (
                &format!("{spam}text = [\"(one|two\"]\nexamples = [\"550 one\"]"),
                "mine.toml:5: text: expected a `)` after `(`, but found none",
            ),
            (
                &format!("{spam}text = [\"{} mail\"]\nexamples = [\"550\"]", "(a|b)".repeat(9)),
                "mine.toml:5: text: expected at most 256 choices in one term",
            ),
            (
                &format!("{spam}text = [\"{} mail\"]\nexamples = [\"550\"]", "(a)".repeat(9_999)),
                "mine.toml:5: text: expected at most 256 choices in one term",
            ),
            (
                &format!("{spam}code = [\"5x0\", \"six\"]"),
                "mine.toml:5: code: expected a code such as 550, 55x or 5xx, but found \"six\"",
            ),
            (
                &format!("{spam}code = [\"550\"]\nregex = \"(\""),
                "mine.toml:6: regex: regex parse error",
            ),
            (
                &format!(
                    "{spam}text = [\"hello there\"]\nexamples = [\n  \"550 hello there\",\n  \"550 hello you\",\n]"
                ),
                "mine.toml:8: examples: expected rule \"mine\" to decide its own example, but found \"no rule\"",
            ),
        ] {
            let found = refused(&row(keys));
            assert!(found.starts_with(problem), "{keys}\n{found}");
        }
        let twice = format!("{0}{spam}code = [\"550\"]\n{0}{spam}code = [\"551\"]", row(""));
        assert!(
            refused(&twice).contains("expected an id that no other row has"),
            "{}",
            refused(&twice)
        );
    }

    #[test]
    fn a_users_row_goes_first_and_may_stand_in_for_a_built_in_one() {
        let providers = Providers::builtin();
        let text = "
            [[rule]]
            id = \"gmail-no-such-user\"
            reason = \"mailbox_disabled\"
            provider = [\"gmail\"]
            text = [\"tried to reach does not exist\"]
            examples = [\"550 5.1.1 The email account that you tried to reach does not exist.\"]
            source = \"us\"
        ";
        let mut classifier =
            Classifier::load(&[("mine.toml", text)], Builtin::Extended, &providers).unwrap();
        let verdict = classifier.classify(&Refusal {
            provider: providers.id("gmail").unwrap(),
            inbound: false,
            code: crate::smtp::ReplyCode::new(550),
            enhanced: None,
            cause: None,
            phase: None,
            text: b"550 5.1.1 The email account that you tried to reach does not exist",
        });
        assert_eq!(verdict.reason, Reason::MailboxDisabled);
        assert_eq!(classifier.rule_name(verdict.rule.unwrap()), "gmail-no-such-user");
    }

    #[test]
    fn no_text_brings_about_the_verdict_of_another_provider() {
        let providers = Providers::builtin();
        let mut classifier = Classifier::builtin(&providers);
        let table = Table::new("replies.toml", BUILTIN);
        let rows = table.parse::<File>().unwrap().rule;
        let own: BTreeMap<&str, Vec<&str>> = rows
            .iter()
            .map(|row| {
                let names = row.provider.iter().map(|name| name.get_ref().as_str());
                (row.id.get_ref().as_str(), names.collect())
            })
            .collect();
        for row in rows.iter().filter(|row| !row.provider.is_empty()) {
            for example in &row.examples {
                for other in ["other", "gmail", "outlook", "yahoo", "strato"] {
                    let id = providers.id(other).unwrap();
                    let verdict = classifier.classify(&example_refusal(row, id, example.get_ref()));
                    let winner = verdict.rule.map_or("", |rule| classifier.rule_name(rule));
                    let scope = own.get(winner).filter(|scope| !scope.is_empty());
                    assert!(
                        scope.is_none_or(|scope| scope.contains(&other)),
                        "{winner} at {other}"
                    );
                }
            }
        }
    }
}
