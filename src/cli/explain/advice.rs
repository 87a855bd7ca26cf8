//! What to tell about what was said: the entries of the catalogue that fit, the closest first.

use serde::Serialize;

use super::Said;
use super::input::Bare;
use crate::attempt::NoReply;
use crate::catalogue::{Advice, Catalogue, Code, CodeKind, Retry};
use crate::cli::object::Object;
use crate::provider::{Provider, Providers};
use crate::reason::Reason;
use crate::smtp::{CodeClass, EnhancedStatusCode};

/// What people and programs are told.
#[derive(Debug)]
pub(super) struct Explanation {
    pub(super) object: Object<'static>,
    /// A code by itself, without anything that was said.
    pub(super) bare: Option<Bare>,
    pub(super) advice: Option<Advice>,
    pub(super) retry: Option<Retry>,
    /// Where the advice is from, if it is about a code.
    pub(super) source: Option<String>,
    /// What else the codes mean, by the standards and then at providers: a label and a sentence.
    pub(super) codes: Vec<(String, String)>,
    /// Who answered.
    pub(super) provider: Option<Provider>,
}

/// The keys of a reading, and the advice.
#[derive(Serialize)]
pub(super) struct Explained<'e> {
    #[serde(flatten)]
    object: &'e Object<'static>,
    meaning: Option<&'e str>,
    typical_cause: Option<&'e str>,
    remedy: Option<&'e str>,
}

impl Explanation {
    /// `text` is what was said, unmasked.
    pub(super) fn new(
        said: Said,
        text: &str,
        catalogue: &Catalogue,
        providers: &Providers,
    ) -> Self {
        let mut object = said.object;
        let provider = object.provider.as_deref().and_then(|name| providers.id(name));
        let provider = provider.and_then(|id| providers.get(id)).filter(|row| row.kind.is_some());
        let search = Search {
            catalogue,
            provider: provider.map(|row| row.id.as_str()),
            basic: basic_name(&object, said.bare.as_ref()),
            accepted: object.code_class == Some(CodeClass::Success.as_str()),
            enhanced: said.enhanced,
            reason: object.reason.and_then(Reason::parse),
            text,
        };
        let decided = match &said.bare {
            Some(Bare::Reason(_)) => None,
            Some(_) => search.of_code(),
            None => search.of_their_own(),
        };
        if let (Some(_), Some(row)) = (&said.bare, decided)
            && (object.reason.is_none() || row.kind == CodeKind::Vendor)
        {
            // The rules of a provider look at words too, and a code alone has none.
            object.reason = row.reason.map(Reason::as_str);
            let bounce = row.reason.filter(|_| object.code_class == Some("5xx"));
            object.bounce_kind = bounce.map(|reason| reason.bounce_kind().as_str());
        }
        let of_reason = || {
            let reason = search.reason.filter(|reason| *reason != Reason::Unclassified);
            reason.and_then(|reason| catalogue.reason(reason))
        };
        let (advice, decided) = match (decided, of_reason()) {
            (Some(row), _) => (Some(&row.advice), Some(row)),
            (None, Some(advice)) => (Some(advice), None),
            (None, None) => {
                let row = search.of_code();
                let unclassified = || catalogue.reason(search.reason?);
                (row.map(|row| &row.advice).or_else(unclassified), row)
            }
        };
        Self {
            retry: advice.map(|advice| retry(advice.retry, &object)),
            advice: advice.cloned(),
            codes: search.others(decided, said.bare.is_some(), providers),
            source: decided.map(source),
            provider: provider.cloned(),
            bare: said.bare,
            object,
        }
    }

    /// Whether there is anything to say.
    pub(super) fn is_understood(&self) -> bool {
        self.advice.is_some() || self.object.kind.is_some()
    }

    pub(super) fn to_object(&self) -> Explained<'_> {
        let advice = self.advice.as_ref();
        Explained {
            object: &self.object,
            meaning: advice.map(|advice| advice.meaning.as_str()),
            typical_cause: advice.map(|advice| advice.typical_cause.as_str()),
            remedy: advice.map(|advice| advice.remedy.as_str()),
        }
    }
}

/// The provider that alone uses a code, where there is one: what the rules are asked with.
pub(super) fn owner<'c>(catalogue: &'c Catalogue, bare: Option<&Bare>) -> Option<&'c str> {
    let row = match bare? {
        Bare::Enhanced(enhanced) => own_code(catalogue, *enhanced),
        Bare::Word(word) => catalogue.word(None, word),
        Bare::Code(_) | Bare::Cause(_) | Bare::Reason(_) => None,
    };
    row?.providers.first().map(String::as_str)
}

/// What a provider means by an enhanced code that is in no standard.
fn own_code(catalogue: &Catalogue, enhanced: EnhancedStatusCode) -> Option<&Code> {
    let standard = catalogue.enhanced(enhanced).is_some_and(|row| row.standard);
    catalogue.meanings(enhanced).next().filter(|_| !standard)
}

/// The name under which the catalogue has the basic code.
fn basic_name(object: &Object<'_>, bare: Option<&Bare>) -> Option<String> {
    match bare {
        Some(Bare::Code(name)) => Some(name.clone()),
        Some(Bare::Cause(NoReply::Timeout)) => Some(NoReply::Timeout.to_string()),
        _ => object.code.map(|code| code.to_string()),
    }
}

/// Where an entry is from.
fn source(code: &Code) -> String {
    let foreign = !code.standard && code.kind != CodeKind::Vendor;
    format!("{}{}", code.source, if foreign { "; in no standard" } else { "" })
}

/// Whether another attempt helps after all that happened: what the MTA then did goes before what
/// the reply said.
fn retry(advised: Retry, object: &Object<'_>) -> Retry {
    let class = match (object.outcome, object.code_class) {
        (Some("delivered"), _) | (_, Some("2xx")) => 2,
        (Some("bounced" | "expired"), _) => 5,
        (Some("deferred"), _) | (_, Some("4xx")) => 4,
        (_, Some("5xx")) => 5,
        _ => 0,
    };
    advised.after(class)
}

/// What the catalogue is asked for.
struct Search<'s> {
    catalogue: &'s Catalogue,
    provider: Option<&'s str>,
    basic: Option<String>,
    enhanced: Option<EnhancedStatusCode>,
    accepted: bool,
    reason: Option<Reason>,
    text: &'s str,
}

impl<'s> Search<'s> {
    /// What is meant by words and codes that no standard has, as far as it agrees with the reason
    /// that is counted.
    fn of_their_own(&self) -> Option<&'s Code> {
        let agrees = |row: &&Code| self.reason.is_none_or(|reason| row.reason == Some(reason));
        let word = self.catalogue.word(self.provider, self.text).filter(agrees);
        let own = || self.meant_by_provider().filter(agrees);
        // A number outside the standards is what people ask about.
        let basic = || self.catalogue.basic(self.basic.as_deref()?);
        let folk = || basic().filter(|row| !row.standard && self.enhanced.is_none());
        word.or_else(own).or_else(|| folk().filter(agrees))
    }

    fn meant_by_provider(&self) -> Option<&'s Code> {
        self.catalogue.enhanced_at(self.provider?, self.enhanced?)
    }

    /// What the code means by itself, the one that says most.
    fn of_code(&self) -> Option<&'s Code> {
        if let Some(row) = self.catalogue.word(self.provider, self.text) {
            return Some(row);
        }
        let own = || own_code(self.catalogue, self.enhanced?);
        let enhanced = || self.catalogue.enhanced(self.enhanced?);
        let basic = || self.catalogue.basic(self.basic.as_deref()?);
        if self.accepted {
            // An acceptance is an acceptance; its enhanced code rarely adds anything.
            return basic().or_else(enhanced);
        }
        self.meant_by_provider().or_else(own).or_else(enhanced).or_else(basic)
    }

    /// The other entries about the codes: the basic and the enhanced one, and where only a code
    /// was given, what providers mean by it.
    fn others(
        &self,
        decided: Option<&Code>,
        bare: bool,
        providers: &Providers,
    ) -> Vec<(String, String)> {
        let mut rows: Vec<(String, &Code)> = Vec::new();
        if let Some(name) = &self.basic {
            rows.extend(self.catalogue.basic(name).map(|row| (name.clone(), row)));
        }
        if let Some(enhanced) = self.enhanced {
            let says_something = (enhanced.subject(), enhanced.detail()) != (0, 0);
            let standard = self.catalogue.enhanced(enhanced).filter(|row| row.standard);
            let standard = standard.filter(|_| says_something);
            rows.extend(standard.map(|row| (enhanced.to_string(), row)));
            let meanings = self.catalogue.meanings(enhanced).filter(|_| bare);
            rows.extend(meanings.map(|row| ("Also".to_owned(), row)));
        }
        let is_decided = |row: &Code| decided.is_some_and(|decided| std::ptr::eq(decided, row));
        rows.into_iter()
            .filter(|(_, row)| !is_decided(row))
            .map(|(label, row)| (label, about(row, providers)))
            .collect()
    }
}

/// An entry in one sentence.
fn about(code: &Code, providers: &Providers) -> String {
    let meaning = &code.advice.meaning;
    if code.providers.is_empty() {
        return format!("{meaning} ({})", source(code));
    }
    let name = |id: &String| providers.get(providers.id(id)?).map(|row| row.name.clone());
    let names: Vec<String> = code.providers.iter().filter_map(name).collect();
    format!("{}: {meaning}", names.join(", "))
}
