//! Most lines of a log are never counted. What tells them at a glance.

use crate::scan;

/// How lines of one program show that they are never counted: by how the text begins, which comes
/// behind a queue id and a colon. A line of which this says nothing is read as any other.
#[derive(Debug)]
pub struct Skim {
    /// What messages without a queue id begin with if they are never counted.
    pub messages: &'static [[u8; 8]],
    /// What texts begin with if they are never counted, though their first byte is in `counted`.
    pub text: Option<[u8; 8]>,
    /// The first bytes of texts that may be counted.
    pub counted: Bytes,
    /// Texts that begin with the first of these bytes are never counted if they do not end with
    /// the second one.
    pub unless: Option<(u8, u8)>,
}

/// A set of bytes.
#[derive(Debug)]
pub struct Bytes([bool; 256]);

impl Bytes {
    /// These bytes.
    #[expect(clippy::indexing_slicing, reason = "a byte is less than 256")]
    pub const fn of(mut bytes: &[u8]) -> Self {
        let mut set = [false; 256];
        while let [byte, rest @ ..] = bytes {
            set[*byte as usize] = true;
            bytes = rest;
        }
        Self(set)
    }

    #[inline]
    fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).is_some_and(|has| *has)
    }
}

impl Skim {
    /// Whether the message, behind which a carriage return may stand, is never counted.
    #[expect(clippy::inline_always, reason = "every line comes here")]
    #[inline(always)]
    pub(super) fn holds(&self, message: &[u8]) -> bool {
        // No queue id begins so in our time, but `warning: ` and the like do.
        if message.first().is_some_and(u8::is_ascii_lowercase) {
            return self.messages.iter().any(|begins| message.starts_with(begins));
        }
        let Some(colon) = scan::find_near(message, b':') else { return false };
        let Some([b' ', text @ ..]) = message.get(colon + 1..) else { return false };
        let Some(first) = text.first() else { return false };
        if !self.counted.has(*first) {
            return true;
        }
        if self.text.is_some_and(|begins| text.starts_with(&begins)) {
            return true;
        }
        self.unless.is_some_and(|(begins, ends)| {
            *first == begins && text.last().is_some_and(|last| ![ends, b'\r'].contains(last))
        })
    }
}
