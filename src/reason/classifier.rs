//! The decision.

use super::dictionary::Dictionary;
use super::familiar::Familiar;
use super::memory::Memory;
use super::normal::{Normaliser, Vocabulary};
use super::pattern::{Findings, Pattern};
use super::rule::Rule;
use super::templates::{Template, Templates};
use super::{ListId, Reason, Refusal, RuleId, Verdict, load};
use crate::attempt::NoReply;
use crate::provider::{Builtin, ProviderId, Providers};
use crate::smtp::ReplyCode;
use crate::table::{Error, Table};

/// The rules in force, and a bounded memory of what they said.
#[derive(Debug)]
pub struct Classifier {
    rules: Rules,
    normaliser: Normaliser,
    findings: Findings,
    /// One bit for each rule whose words may be there.
    candidates: Vec<u64>,
    familiar: Familiar,
    key: Vec<u8>,
    known: Memory,
    /// Apart, so that a flood of texts that no rule knows cannot push out the known ones.
    unknown: Memory,
    templates: Templates,
    uses_memory: bool,
}

/// The compiled table.
#[derive(Debug)]
pub(super) struct Rules {
    /// In the order in which they are asked.
    pub(super) all: Vec<Rule>,
    /// The places of the rules that look for no words.
    pub(super) wordless: Vec<usize>,
    /// For each literal, the rules that need it.
    pub(super) triggers: Vec<Vec<u16>>,
    /// For each provider, whether any rule is about it.
    pub(super) has_own: Vec<bool>,
    pub(super) dictionary: Dictionary,
    /// How many literals there are.
    pub(super) literals: usize,
    pub(super) vocabulary: Vocabulary,
    pub(super) list_names: Vec<String>,
    pub(super) lists: Vec<Vec<Pattern>>,
}

/// How many verdicts are remembered, as a power of two.
const KNOWN_BITS: u32 = 12;
const UNKNOWN_BITS: u32 = 9;

impl Classifier {
    /// The built-in rules. Those about providers that the table in force does not know are left out.
    ///
    /// # Panics
    /// Never: the built-in table is tested.
    pub fn builtin(providers: &Providers) -> Self {
        #[expect(clippy::expect_used, reason = "it is part of the program, and a test reads it")]
        Self::load(&[], Builtin::Extended, providers).expect("the built-in table of replies")
    }

    /// These tables, each a file name and its text, in this order, and behind them the built-in
    /// one. A row replaces a built-in row of the same id.
    ///
    /// # Errors
    /// A table that cannot be used: its file, line and key, and what was expected there.
    pub fn load(
        tables: &[(&str, &str)],
        builtin: Builtin,
        providers: &Providers,
    ) -> Result<Self, Error> {
        let tables: Vec<Table<'_>> =
            tables.iter().map(|(file, text)| Table::new(file, text)).collect();
        let mut classifier = Self::of(load::compile(&tables, builtin, providers)?);
        load::check_examples(&tables, &mut classifier, providers)?;
        classifier.templates = Templates::default();
        classifier.uses_memory = true;
        Ok(classifier)
    }

    fn of(rules: Rules) -> Self {
        Self {
            candidates: vec![0; rules.all.len().div_ceil(64)],
            rules,
            normaliser: Normaliser::default(),
            findings: Findings::default(),
            familiar: Familiar::default(),
            key: Vec::new(),
            known: Memory::new(KNOWN_BITS),
            unknown: Memory::new(UNKNOWN_BITS),
            templates: Templates::default(),
            uses_memory: false,
        }
    }

    /// Forgets what was decided before. Verdicts stay what they are; only the next ones cost more.
    pub fn forget(&mut self) {
        self.familiar = Familiar::default();
        self.known = Memory::new(KNOWN_BITS);
        self.unknown = Memory::new(UNKNOWN_BITS);
    }

    /// What this refusal means. Total, and linear in the length of the text.
    pub fn classify(&mut self, refusal: &Refusal<'_>) -> Verdict {
        let mut refusal = *refusal;
        if !self.rules.has_own.get(refusal.provider.index()).copied().unwrap_or(false) {
            refusal.provider = ProviderId::OTHER;
        }
        let vocabulary = &self.rules.vocabulary;
        if self.uses_memory
            && let Some(verdict) = self.familiar.find(&mut self.normaliser, vocabulary, &refusal)
        {
            return verdict;
        }
        let verdict = self.classify_anew(&refusal);
        // Those that no rule knows are counted by their normal forms, which have to be made.
        if self.uses_memory && verdict.reason != Reason::Unclassified {
            self.familiar.learn(&self.normaliser, &refusal, verdict);
        }
        verdict
    }

    /// What a refusal means that is not familiar.
    fn classify_anew(&mut self, refusal: &Refusal<'_>) -> Verdict {
        self.normaliser.take(&self.rules.vocabulary, refusal.code, refusal.text);
        let mut refusal = *refusal;
        if refusal.enhanced.is_none_or(|enhanced| enhanced.subject() == 0) {
            refusal.enhanced = self.normaliser.enhanced().or(refusal.enhanced);
        }
        self.set_key(&refusal);
        let hash = Memory::hash(&self.key);
        if self.uses_memory {
            let verdict = self.known.get(hash, &self.key);
            if let Some(verdict) = verdict {
                return verdict;
            }
        }
        let verdict = self.remembered_unknown(hash).unwrap_or_else(|| self.decide(&refusal));
        if verdict.reason == Reason::Unclassified {
            self.unknown.put(hash, &self.key, verdict);
            self.templates.count(hash, &codes(&refusal), self.normaliser.text());
        } else {
            self.known.put(hash, &self.key, verdict);
        }
        verdict
    }

    fn remembered_unknown(&mut self, hash: u64) -> Option<Verdict> {
        if self.uses_memory { self.unknown.get(hash, &self.key) } else { None }
    }

    /// All that a verdict hangs on.
    fn set_key(&mut self, refusal: &Refusal<'_>) {
        let provider = u16::try_from(refusal.provider.index()).unwrap_or_default().to_le_bytes();
        let code = refusal.code.map_or(0, ReplyCode::get).to_le_bytes();
        let (class, subject, detail) = refusal.enhanced.map_or((0, 0, 0), |enhanced| {
            (enhanced.class(), enhanced.subject(), enhanced.detail())
        });
        let [subject_low, subject_high] = subject.to_le_bytes();
        let [detail_low, detail_high] = detail.to_le_bytes();
        let phase = refusal.phase.map_or(0, |phase| phase as u8 + 1);
        let cause = refusal.cause.map_or(0, |cause| cause as u8 + 1);
        self.key.clear();
        self.key.extend_from_slice(&provider);
        self.key.extend_from_slice(&code);
        self.key.extend_from_slice(&[
            class,
            subject_low,
            subject_high,
            detail_low,
            detail_high,
            phase,
            cause,
            u8::from(refusal.inbound),
        ]);
        self.key.extend_from_slice(self.normaliser.text());
    }

    /// Asks the rules.
    fn decide(&mut self, refusal: &Refusal<'_>) -> Verdict {
        let text = self.normaliser.text();
        let urls = memchr::memchr(b'\n', text).unwrap_or(text.len());
        let words = text.get(..urls).unwrap_or_default();
        let says_nothing = !words.iter().any(|byte| byte.is_ascii_lowercase() || *byte >= 0x80);
        let rules = &self.rules;
        self.candidates.fill(0);
        self.findings.clear(rules.literals);
        rules.dictionary.find(text, |literal, start, end| {
            if self.findings.note(literal, start, end) {
                for rule in rules.triggers.get(literal.index()).into_iter().flatten() {
                    if let Some(word) = self.candidates.get_mut(usize::from(*rule / 64)) {
                        *word |= 1 << (rule % 64);
                    }
                }
            }
        });
        let rule_at = |at: &usize| rules.all.get(*at);
        let scoped =
            |at: &usize| rule_at(at).is_some_and(|rule| rule.scope.holds(refusal, says_nothing));
        let wordless = rules.wordless.iter().copied().find(|at| {
            scoped(at) && rule_at(at).is_some_and(|rule| rule.holds(&self.findings, words, urls))
        });
        let worded = set_bits(&self.candidates)
            .take_while(|at| wordless.is_none_or(|first| *at < first))
            .find(|at| {
                scoped(at)
                    && rule_at(at).is_some_and(|rule| rule.holds(&self.findings, words, urls))
            });
        let decided = worded.or(wordless);
        let reason = decided
            .and_then(|at| rule_at(&at))
            .map_or_else(|| of_cause(refusal.cause), |rule| rule.reason);
        Verdict {
            reason,
            list: self.list(reason, urls),
            rule: decided.and_then(|at| u16::try_from(at).ok()).map(RuleId),
        }
    }

    /// The blocklist that is named first, where the refusal is about being on one.
    fn list(&self, reason: Reason, urls: usize) -> Option<ListId> {
        let blocked = reason == Reason::IpBlocked;
        if !blocked && !matches!(reason, Reason::Reputation | Reason::SpamContent) {
            return None;
        }
        let named = |from: usize, to: usize| {
            let lists = self.rules.lists.iter().enumerate();
            lists
                .filter_map(|(place, patterns)| {
                    let held =
                        patterns.iter().filter(|pattern| self.findings.holds(pattern, from, to));
                    let first = held.filter_map(|pattern| self.first_place(pattern, from)).min()?;
                    Some((first, place))
                })
                .min()
        };
        // A help page of a list is only evidence where nothing but a list can be meant.
        let found = named(0, urls).or_else(|| if blocked { named(urls, usize::MAX) } else { None });
        found.and_then(|(_, place)| u8::try_from(place).ok()).map(ListId)
    }

    fn first_place(&self, pattern: &Pattern, from: usize) -> Option<usize> {
        let term = pattern.chains.first()?.terms.first()?;
        let places = term.literals.iter().filter_map(|literal| self.findings.first(*literal));
        places.filter(|start| *start + 1 >= from).min()
    }

    /// The names of the blocklists, in the order of [`ListId::index`].
    pub fn lists(&self) -> &[String] {
        &self.rules.list_names
    }

    /// The id of a rule, as its table has it.
    pub fn rule_name(&self, rule: RuleId) -> &str {
        self.rules.all.get(usize::from(rule.0)).map_or("", |rule| rule.id.as_str())
    }

    /// The most frequent replies that no rule knew, masked: what rules to write next. At most 256,
    /// the most frequent ones first.
    pub fn unclassified_templates(&self) -> Vec<Template> {
        self.templates.top()
    }
}

/// What it means that nothing came back.
fn of_cause(cause: Option<NoReply>) -> Reason {
    match cause {
        Some(NoReply::Timeout) => Reason::Timeout,
        Some(NoReply::Refused | NoReply::Unreachable | NoReply::Lost) => Reason::ConnectionFailed,
        Some(NoReply::Dns) => Reason::DnsError,
        Some(NoReply::Tls) => Reason::TlsFailed,
        Some(NoReply::Protocol) => Reason::ProtocolError,
        Some(NoReply::Local) => Reason::LocalError,
        None => Reason::Unclassified,
    }
}

fn codes(refusal: &Refusal<'_>) -> Vec<u8> {
    let code = refusal.code.map(|code| code.to_string());
    let enhanced = refusal.enhanced.map(|enhanced| enhanced.to_string());
    [code, enhanced].into_iter().flatten().collect::<Vec<_>>().join(" ").into_bytes()
}

/// The places of the bits that are set, in order.
fn set_bits(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(place, &word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let bit = left.trailing_zeros() as usize;
            left &= left.checked_sub(1)?;
            Some(place * 64 + bit)
        })
    })
}
