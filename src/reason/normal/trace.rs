//! How the normal forms of the last replies grew: a reply mostly begins as one before it, and its
//! normal form goes on from where the two part.
//!
//! A step is kept at each space, for hardly anything looks across one, and what does is noted. So
//! the form up to a step hangs on nothing but the bytes that were read for it, and it is the same
//! form with this memory and without it.

use xxhash_rust::xxh3::xxh3_64;

use crate::scan;
use crate::smtp::{EnhancedStatusCode, ReplyCode};

/// How many replies are remembered, by how they begin. A power of two.
const PLACES: usize = 128;

/// How many bytes name a place: the codes, and a word or so.
const BEGINNING: usize = 16;

/// The longest reply that is remembered.
const TEXT_MAX: usize = 1024;

/// The replies that are remembered.
#[derive(Debug, Default)]
pub(super) struct Traces {
    /// None before the first reply.
    places: Vec<Trace>,
}

/// How one reply became its normal form.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    code: Option<ReplyCode>,
    text: Vec<u8>,
    normal: Vec<u8>,
    urls: Vec<u8>,
    steps: Vec<Step>,
}

/// What there was when all bytes before a space had been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Where the space stands.
    pub(super) at: usize,
    /// How many bytes were read so far.
    pub(super) read: usize,
    /// How long the normal form was.
    pub(super) normal: usize,
    /// How long the words of the URLs were.
    pub(super) urls: usize,
    pub(super) enhanced: Option<EnhancedStatusCode>,
}

impl Traces {
    /// What is remembered of replies that begin so; `None` for one that is not worth it.
    pub(super) fn of(&mut self, text: &[u8]) -> Option<&mut Trace> {
        let beginning = text.first_chunk::<BEGINNING>().filter(|_| text.len() <= TEXT_MAX)?;
        if self.places.is_empty() {
            self.places.resize(PLACES, Trace::default());
        }
        #[expect(clippy::cast_possible_truncation, reason = "only the lowest bits are wanted")]
        let place = xxh3_64(beginning) as usize % PLACES;
        self.places.get_mut(place)
    }
}

impl Trace {
    /// The last step that a reply shares with the one remembered; the later ones are forgotten.
    pub(super) fn resume(&mut self, code: Option<ReplyCode>, text: &[u8]) -> Option<Step> {
        let common = if code == self.code { scan::common_length(&self.text, text) } else { 0 };
        let shared = self.steps.partition_point(|step| step.read <= common);
        self.steps.truncate(shared);
        self.code = code;
        self.text.truncate(common);
        self.text.extend_from_slice(text.get(common..).unwrap_or_default());
        let last = self.steps.last().copied();
        self.normal.truncate(last.map_or(0, |step| step.normal));
        self.urls.truncate(last.map_or(0, |step| step.urls));
        last
    }

    /// The normal form and the words of the URLs at the step that [`Trace::resume`] gave.
    pub(super) fn forms(&self) -> (&[u8], &[u8]) {
        (&self.normal, &self.urls)
    }

    /// Remembers a step after those.
    #[inline]
    pub(super) fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Remembers where the reply arrived.
    pub(super) fn arrive(&mut self, normal: &[u8], urls: &[u8]) {
        self.normal.extend_from_slice(normal.get(self.normal.len()..).unwrap_or_default());
        self.urls.extend_from_slice(urls.get(self.urls.len()..).unwrap_or_default());
    }
}
