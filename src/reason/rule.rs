//! One rule: when it applies and what it then says.

use super::pattern::{Findings, Pattern};
use super::{Reason, Refusal};
use crate::attempt::{NoReply, Phase};
use crate::provider::ProviderId;
use crate::smtp::{EnhancedStatusCode, ReplyCode};

/// A compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) reason: Reason,
    pub(super) scope: Scope,
    pub(super) text: Vec<Pattern>,
    pub(super) url: Vec<Pattern>,
    pub(super) not: Vec<Pattern>,
    pub(super) regex: Option<regex::bytes::Regex>,
}

/// Which refusals a rule looks at. An empty list means all of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) providers: Vec<ProviderId>,
    pub(super) codes: Vec<Codes>,
    pub(super) enhanced: Vec<EnhancedCodes>,
    pub(super) phases: Vec<Phase>,
    pub(super) causes: Vec<NoReply>,
    /// Only replies that say nothing but their code.
    pub(super) bare: bool,
}

/// A range of basic codes: `550`, `55x`, `5xx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Codes {
    first: u16,
    last: u16,
}

/// A range of enhanced codes: `5.7.1`, `x.7.26`, `5.7.606-649`, `x.7.x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EnhancedCodes {
    class: Option<u8>,
    subject: u16,
    first: u16,
    last: u16,
}

impl Codes {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lowest = text.replace('x', "0").parse().ok()?;
        let highest = text.replace('x', "9").parse().ok()?;
        let shape = text.len() == 3 && (200..600).contains(&lowest);
        shape.then_some(Self { first: lowest, last: highest })
    }

    fn holds(self, code: ReplyCode) -> bool {
        (self.first..=self.last).contains(&code.get())
    }
}

impl EnhancedCodes {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let class = match class {
            "x" => None,
            "2" | "4" | "5" => Some(class.parse().ok()?),
            _ => return None,
        };
        let (first, last) = match detail.split_once('-') {
            Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
            None if detail == "x" => (0, u16::MAX),
            None => (detail.parse().ok()?, detail.parse().ok()?),
        };
        let subject = subject.parse().ok()?;
        (parts.next().is_none() && first <= last).then_some(Self { class, subject, first, last })
    }

    fn holds(self, code: EnhancedStatusCode) -> bool {
        self.class.is_none_or(|class| class == code.class())
            && self.subject == code.subject()
            && (self.first..=self.last).contains(&code.detail())
    }
}

impl Scope {
    /// Whether the rule looks at this refusal. A rule that names no cause looks at replies only.
    pub(super) fn holds(&self, refusal: &Refusal<'_>, says_nothing: bool) -> bool {
        let any = |empty: bool, found: bool| empty || found;
        any(
            self.codes.is_empty(),
            self.codes.iter().any(|codes| refusal.code.is_some_and(|code| codes.holds(code))),
        ) && any(
            self.enhanced.is_empty(),
            self.enhanced
                .iter()
                .any(|codes| refusal.enhanced.is_some_and(|code| codes.holds(code))),
        ) && any(
            self.providers.is_empty(),
            !refusal.inbound && self.providers.contains(&refusal.provider),
        ) && any(
            self.phases.is_empty(),
            refusal.phase.is_some_and(|phase| self.phases.contains(&phase)),
        ) && match refusal.cause {
            Some(cause) => self.causes.contains(&cause),
            None => self.causes.is_empty(),
        } && (!self.bare || says_nothing)
    }
}

impl Rule {
    /// Whether the rule looks for words at all.
    pub(super) fn reads(&self) -> bool {
        !self.text.is_empty() || !self.url.is_empty()
    }

    /// Whether the words of the rule are there. `urls` is where the words of the URLs begin.
    pub(super) fn holds(&self, findings: &Findings, text: &[u8], urls: usize) -> bool {
        let found = self.text.iter().any(|pattern| findings.holds(pattern, 0, urls))
            || self.url.iter().any(|pattern| findings.holds(pattern, urls, usize::MAX));
        (found || !self.reads())
            && !self.not.iter().any(|pattern| findings.holds(pattern, 0, urls))
            && self.regex.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}
