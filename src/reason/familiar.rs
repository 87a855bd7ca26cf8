//! Replies that were classified lately: most come again, word for word or with other identifiers.
//!
//! A text is compared with one that began in the same way. Where the two differ, only the words that
//! differ are brought into their normal form; if that is the same in both, so is the whole normal
//! form, and the verdict with it. This memory never changes a verdict, it only saves work.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::normal::{LOOKS_BACK, Normaliser, Step, Vocabulary, mask_of, without_frame};
use super::{Refusal, Verdict};
use crate::attempt::{NoReply, Phase};
use crate::provider::ProviderId;
use crate::scan;
use crate::smtp::{EnhancedStatusCode, ReplyCode};

/// How many replies are remembered, by who gave them and how they begin. A power of two.
const PLACES: usize = 512;

/// How many bytes name a place: the codes, and a word or so.
const BEGINNING: usize = 16;

/// The longest reply that is remembered.
const TEXT_MAX: usize = 1024;

/// The most steps that are remembered of one: a server cannot fill the memory with spaces.
const STEPS_MAX: usize = 96;

/// The replies that are remembered.
#[derive(Debug, Default)]
pub(super) struct Familiar {
    /// None before the first reply.
    places: Vec<Known>,
}

/// A reply, and how it became its normal form.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Nothing yet where this is `None`.
    found: Option<(Asked, Verdict)>,
    text: Vec<u8>,
    /// The normal form, and behind it the words of the URLs.
    normal: Vec<u8>,
    steps: Vec<Step>,
}

/// All that a verdict hangs on beside the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    provider: ProviderId,
    inbound: bool,
    code: Option<ReplyCode>,
    enhanced: Option<EnhancedStatusCode>,
    cause: Option<NoReply>,
    phase: Option<Phase>,
}

impl Asked {
    fn of(refusal: &Refusal<'_>) -> Self {
        let Refusal { provider, inbound, code, enhanced, cause, phase, text: _ } = *refusal;
        Self { provider, inbound, code, enhanced, cause, phase }
    }
}

impl Familiar {
    /// The verdict on this reply, if it is familiar.
    pub(super) fn find(
        &self,
        normaliser: &mut Normaliser,
        words: &Vocabulary,
        refusal: &Refusal<'_>,
    ) -> Option<Verdict> {
        let known = self.places.get(place(refusal)?)?;
        let (asked, verdict) = known.found?;
        (asked == Asked::of(refusal) && known.is_like(normaliser, words, refusal))
            .then_some(verdict)
    }

    /// Remembers the verdict on the reply that `normaliser` took in last.
    pub(super) fn learn(
        &mut self,
        normaliser: &Normaliser,
        refusal: &Refusal<'_>,
        verdict: Verdict,
    ) {
        let steps = normaliser.steps().filter(|steps| steps.len() <= STEPS_MAX);
        let Some((place, steps)) = place(refusal).zip(steps) else { return };
        if self.places.is_empty() {
            self.places.resize(PLACES, Known::default());
        }
        let Some(known) = self.places.get_mut(place) else { return };
        let put = |to: &mut Vec<u8>, from: &[u8]| {
            to.clear();
            to.extend_from_slice(from);
        };
        put(&mut known.text, refusal.text);
        put(&mut known.normal, normaliser.text());
        known.steps.clear();
        known.steps.extend_from_slice(steps);
        known.found = Some((Asked::of(refusal), verdict));
    }
}

/// The place of a reply, `None` for one that is not worth it.
fn place(refusal: &Refusal<'_>) -> Option<usize> {
    let text = refusal.text;
    let beginning = text.first_chunk::<BEGINNING>().filter(|_| text.len() <= TEXT_MAX)?;
    let hash = xxh3_64_with_seed(beginning, refusal.provider.index() as u64);
    #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits are wanted")]
    let place = hash as usize % PLACES;
    Some(place)
}

impl Known {
    /// Whether another text has the same normal form.
    fn is_like(
        &self,
        normaliser: &mut Normaliser,
        words: &Vocabulary,
        refusal: &Refusal<'_>,
    ) -> bool {
        let text = refusal.text;
        // The normal forms are the same as far as here, in the text that is known and in the other.
        let (mut here, mut there) = (0, 0);
        let mut steps = self.steps.as_slice();
        loop {
            let own = self.text.get(here..).unwrap_or_default();
            let other = text.get(there..).unwrap_or_default();
            let common = scan::common_length(own, other);
            if common == own.len() && common == other.len() {
                return there == 0 || without_frame(text).len() == text.len();
            }
            // From the last space before which nothing else was read, to the next one.
            let shared = steps.partition_point(|step| step.read <= here + common);
            let (before, after) = steps.split_at_checked(shared).unwrap_or_default();
            let (Some(from), Some(to)) = (before.last(), after.first()) else { return false };
            let Some(past) = from.at.checked_sub(here) else { return false };
            let differs = other.get(common..).unwrap_or_default();
            let end = there + common + scan::find(differs, [b' ']).unwrap_or(differs.len());
            let begin = there + past + 1;
            // Known texts have no escapes, and what differs may have none either.
            let chunk = text.get(begin..end).unwrap_or_default();
            if scan::find(chunk, [b'\\', b'&']).is_some() {
                return false;
            }
            let at_a_look = mask_of(words, refusal.code, chunk);
            let same = at_a_look.is_some_and(|mask| self.is_mask(mask, from, to)) || {
                let text = text.get(..end).unwrap_or_default();
                self.is_same(normaliser, words, (from, to), (refusal.code, text, begin))
            };
            if !same {
                return false;
            }
            (here, there, steps) = (to.at, end, after);
        }
    }

    /// Whether the bytes between two steps became what those at the end of another text become, from
    /// `begin` on.
    fn is_same(
        &self,
        normaliser: &mut Normaliser,
        words: &Vocabulary,
        (from, to): (&Step, &Step),
        (code, text, begin): (Option<ReplyCode>, &[u8], usize),
    ) -> bool {
        let (normal, urls) = self.between(from, from);
        let before = (normal, urls, from.enhanced);
        let (step, normal, urls) = normaliser.resume(words, code, before, (text, begin));
        (normal, urls) == self.between(from, to)
            && step.enhanced == to.enhanced
            // Neither hangs on what comes behind.
            && step.read == text.len() + 1
            && to.read == to.at + 1
    }

    /// Whether the bytes between two steps became this mask and nothing else.
    fn is_mask(&self, mask: &[u8], from: &Step, to: &Step) -> bool {
        let (before, _) = self.between(from, from);
        let added = self.normal.get(from.normal..to.normal).unwrap_or_default();
        // An identifier that follows another one is the same.
        let follows = mask == b"ID " && before.ends_with(b" ID ");
        added == if follows { b"" } else { mask }
            && (from.urls, from.enhanced) == (to.urls, to.enhanced)
            && to.read == to.at + 1
    }

    /// The normal form and the words of the URLs as they grew from one step to another, and what the
    /// normaliser may look at again before them.
    fn between(&self, from: &Step, to: &Step) -> (&[u8], &[u8]) {
        // The words of the URLs stand behind the normal form and a line feed.
        let start = self.steps.last().map_or(0, |end| end.normal + 2);
        let urls = self.normal.get(start..).unwrap_or_default();
        let part = |text: &'_ [u8], from: usize, to: usize| {
            let from = from.saturating_sub(LOOKS_BACK);
            from..to.min(text.len())
        };
        (
            self.normal.get(part(&self.normal, from.normal, to.normal)).unwrap_or_default(),
            urls.get(part(urls, from.urls, to.urls)).unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reason::{Reason, RuleId};

    fn vocabulary() -> Vocabulary {
        let mut words = Vocabulary::default();
        words.learn(b" s3150 ");
        words.learn(b" answer 81126 ");
        words.learn_zone(b"spamhaus.org");
        words
    }

    fn refusal(text: &[u8]) -> Refusal<'_> {
        Refusal {
            provider: ProviderId::OTHER,
            inbound: false,
            code: ReplyCode::parse(text),
            enhanced: None,
            cause: None,
            phase: None,
            text,
        }
    }

    /// A verdict that tells which text it was given for.
    fn verdict(number: usize) -> Verdict {
        let rule = u16::try_from(number).ok().map(RuleId);
        Verdict { reason: Reason::Unclassified, list: None, rule }
    }

    fn learn(familiar: &mut Familiar, text: &[u8], number: usize) {
        let mut normaliser = Normaliser::default();
        normaliser.take(&vocabulary(), ReplyCode::parse(text), text);
        familiar.learn(&normaliser, &refusal(text), verdict(number));
    }

    /// What replies are made of.
    const PIECE: &str = "Words of mail |is full. |<|>|<>| |   |\\.|user@example\\.com|https://example\\.com/a\\?p=NoSuch|\
        192\\.0\\.2\\.1|\\[2001:db8::1\\]|mx\\.example\\.net|zen\\.spamhaus\\.org|550|550-5\\.7\\.1|5\\.2\\.2|\
        end550 5\\.1\\.1|S3150|[a-f0-9]{4,20}|[a-f0-9]{9,20}[.-][a-f0-9]{1,4}|aB|eMail|e-mail|doesn't|_|/|:|&lt;|é|\\(|\\)|\\\\303\\\\251|\
        \\(in reply to RCPT TO command\\)|Giving up on 192\\.0\\.2\\.1\\.|host mx said: ";

    /// What one reply says and another one that is much like it does not.
    const CHUNK: &str = "[a-f0-9]{4,20}|[a-f0-9]{9,20}[.-][a-f0-9]{1,4}|\\[(550|[a-z])?[a-z0-9.-]{1,12}\\.(com|net|spamhaus\\.org)\\]|<?[a-z]{1,9}@example\\.com>?|\\[?192\\.0\\.2\\.[0-9]{1,3}\\]?|[0-9]{1,12}|\
        [a-z]{1,4}[0-9]{1,4}\\.example\\.net|end550|S31[0-9]0|&lt;|\\(in|[a-z]{2,5}|5\\.[12]\\.1|https?://[a-z]\\.example/[a-z0-9]{4,9}";

    proptest! {
        #[test]
        fn what_is_familiar_has_the_same_normal_form(
            texts in prop::collection::vec(("[45]50[ -]", prop::collection::vec(PIECE, 0..24)), 2..8),
            keep in prop::collection::vec(0usize..24, 8),
            chunks in prop::collection::vec((0usize..24, CHUNK, CHUNK), 0..4),
        ) {
            let words = vocabulary();
            let mut familiar = Familiar::default();
            let mut learned: Vec<Vec<u8>> = Vec::new();
            let mut before: Vec<String> = Vec::new();
            for ((code, pieces), keep) in texts.into_iter().zip(keep) {
                // As a reply that begins like the one before it.
                before.truncate(keep);
                before.extend(pieces);
                let mut other = before.clone();
                for (at, one, another) in &chunks {
                    let at = at % (before.len() + 1);
                    before.insert(at, format!(" {one} "));
                    other.insert(at, format!(" {another} "));
                }
                for pieces in [&before, &other] {
                    let text = format!("{code}5.1.1 The mail {}", pieces.concat()).into_bytes();
                    let mut normaliser = Normaliser::default();
                    if let Some(found) = familiar.find(&mut normaliser, &words, &refusal(&text)) {
                        let known = &learned[usize::from(found.rule.unwrap().0)];
                        let (mut one, mut other) = (Normaliser::default(), Normaliser::default());
                        one.take(&words, ReplyCode::parse(known), known);
                        other.take(&words, ReplyCode::parse(&text), &text);
                        prop_assert_eq!(one.text(), other.text());
                        prop_assert_eq!(one.enhanced(), other.enhanced());
                    } else {
                        learn(&mut familiar, &text, learned.len());
                        learned.push(text);
                    }
                }
            }
        }
    }

    #[test]
    fn other_identifiers_are_familiar_and_other_words_are_not() {
        let mut familiar = Familiar::default();
        let known = b"550-5.1.1 The account does not exist. See 550 5.1.1  https://support.example/?p=NoSuchUser a640c23a62f3a.12 - gsmtp at [192.0.2.25      19]. (S3150)";
        learn(&mut familiar, known, 7);
        let find = |text: &str| {
            familiar
                .find(&mut Normaliser::default(), &vocabulary(), &refusal(text.as_bytes()))
                .and_then(|verdict| verdict.rule)
        };
        for text in [
            "550-5.1.1 The account does not exist. See 550 5.1.1  https://support.example/?p=NoSuchUser a640c23a62f3a.12 - gsmtp at [192.0.2.25      19]. (S3150)",
            "550-5.1.1 The account does not exist. See 550 5.1.1  https://support.example/?p=NoSuchUser 5fb1366.7 - gsmtp at [192.0.2.25      19]. (S3150)",
            "550-5.1.1 The account does not exist. See 550 5.1.1  https://support.example/?p=NoSuchUser 5fb1366.7 - gsmtp at [2001:db8::1      7]. (S3150)",
        ] {
            assert_eq!(find(text), Some(RuleId(7)), "{text}");
        }
        for text in [
            "550-5.1.1 The account does not exist. See 550 5.1.1  https://support.example/?p=NoSuchUser word - gsmtp at [192.0.2.25      19]. (S3150)",
            "550-5.1.1 The account does not exist. See 550 5.1.1  https://support.example/?p=Blocked a640c23a62f3a.12 - gsmtp at [192.0.2.25      19]. (S3150)",
            "550-5.1.1 The account does not exist. See 550 5.1.1  https://support.example/?p=NoSuchUser a640c23a62f3a.12 - gsmtp at [192.0.2.25      19]. (S3140)",
            "550-5.1.1 The account does not exist. See 550 5.1.1  https://support.example/?p=NoSuchUser a640c23a62f3a.12 - gsmtp at [192.0.2.25      19]. (S3150) more",
            "550-5.1.1 The account does not exist. See 550 5.1.1  https://support.example/?p=NoSuchUser a640c23a62f3a.12 - gsmtp at",
            "550-5.1.1 The account is full",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
        // What has to be undone first is not what it seems.
        learn(&mut familiar, b"554 5.7.1 The message has, lt, in it", 8);
        let find = |text: &str| {
            familiar.find(&mut Normaliser::default(), &vocabulary(), &refusal(text.as_bytes()))
        };
        assert!(find("554 5.7.1 The message has, (lt), in it").is_some());
        assert_eq!(find("554 5.7.1 The message has, &lt;, in it"), None);
        let asked = |refusal: Refusal<'_>| {
            familiar.find(&mut Normaliser::default(), &vocabulary(), &refusal)
        };
        let same = refusal(known);
        assert!(asked(same).is_some());
        assert_eq!(asked(Refusal { phase: Some(Phase::Rcpt), ..same }), None);
        assert_eq!(asked(Refusal { code: ReplyCode::new(554), ..same }), None);
        assert_eq!(asked(Refusal { inbound: true, ..same }), None);
    }
}
