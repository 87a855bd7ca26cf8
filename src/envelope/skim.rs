//! Most lines of a log are never counted. What tells them at a glance.

use crate::scan;

/// How lines of one program show that they are never counted: by how the text begins, which comes
/// behind a queue id and a colon. A line of which this says nothing is read as any other.
#[derive(Debug)]
pub struct Skim {
    /// What messages without a queue id begin with if they are never counted.
    pub messages: &'static [[u8; 8]],
    /// What texts begin with if they are never counted, though their first byte is in `counted`.
    pub texts: &'static [[u8; 8]],
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
    /// What follows the line, if it is never counted; `text` is what follows `program[` in it.
    #[expect(clippy::inline_always, reason = "every line comes here")]
    #[inline(always)]
    pub(super) fn over<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        // Whatever is found or compared here ends before the line does.
        let at = scan::find_near::<1, _>(text, [b']', b'\n'])?;
        let bracket = text.get(at..)?;
        let [mark @ .., first] = bracket.first_chunk::<4>()?;
        let message = bracket.get(mark.len()..).filter(|_| mark == b"]: ")?;
        // No queue id begins so in our time, but `warning: ` and the like do.
        if first.is_ascii_lowercase() {
            let begins = message.first_chunk()?;
            return self.messages.contains(begins).then(|| scan::after_line(message));
        }
        let at = scan::find_near::<1, _>(message, [b':', b'\n'])?;
        let colon = message.get(at..)?;
        let [one, two, first] = *colon.first_chunk()?;
        if u16::from_le_bytes([one, two]) != u16::from_le_bytes(*b": ") {
            return None;
        }
        let text = colon.get(2..)?;
        let begins = |begins| self.texts.contains(begins);
        if !self.counted.has(first) || text.first_chunk().is_some_and(begins) {
            return Some(scan::after_line(text));
        }
        let (_, ends) = self.unless.filter(|(begins, _)| first == *begins)?;
        let after = scan::after_line(text);
        let line = text.get(..text.len() - after.len())?;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.last().is_some_and(|last| ![ends, b'\r'].contains(last)).then_some(after)
    }
}
