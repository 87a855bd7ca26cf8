//! Long lines that Sendmail hands to syslog in parts.

use serde::{Deserialize, Serialize};

use crate::mta::recent::{Bytes, Recent};
use crate::mta::text::{digits, number};

/// How many messages are remembered that are in the middle of a long line.
const MESSAGES_MAX: usize = 256;
/// How long a line can become. What comes after is left out.
const LINE_MAX: usize = 64 * 1024;

/// Joins the parts of long lines (`sm_syslog` in `conf.c`): `id[1]: text ...`, `id[2]: text`. Every
/// part but the last ends with ` ...`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Split {
    started: Recent<Started, MESSAGES_MAX>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Started {
    text: Bytes,
    next: u64,
}

impl Split {
    /// The line that is complete with this part; `None` while more is to come. A line whose end
    /// never came is handed to `broken` with its id: all that matters stands at its start.
    pub(super) fn take(
        &mut self,
        id: &[u8],
        part: u64,
        text: &[u8],
        mut broken: impl FnMut(&[u8], &[u8]),
    ) -> Option<Bytes> {
        let mut line = match self.started.take(id) {
            Some(line) if line.next == part => line,
            other => {
                if let Some(line) = other {
                    broken(id, &line.text);
                }
                Started { text: Bytes::default(), next: part }
            }
        };
        let more = text.strip_suffix(b" ...");
        let text = more.unwrap_or(text);
        let room = LINE_MAX.saturating_sub(line.text.len());
        line.text.extend(text.get(..room).unwrap_or(text));
        line.next += 1;
        if more.is_none() {
            return Some(line.text);
        }
        if let Some((id, forgotten)) = self.started.put(id, line) {
            broken(&id, &forgotten.text);
        }
        None
    }

    /// The log has ended: hands out the lines whose end never came.
    pub(super) fn finish(&mut self, mut broken: impl FnMut(&[u8], &[u8])) {
        self.started.drain().for_each(|(id, line)| broken(&id, &line.text));
    }

    /// How many lines had to be forgotten.
    pub(super) fn evicted(&self) -> u64 {
        self.started.evicted()
    }
}

/// `[2]: text`, what follows a queue id in a part of a long line.
pub(super) fn numbered(text: &[u8]) -> Option<(u64, &[u8])> {
    let (part, rest) = digits(text.strip_prefix(b"[")?);
    Some((number(part)?, rest.strip_prefix(b"]: ")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_by_message_and_a_lost_end_is_handed_out() {
        let mut split = Split::default();
        let mut broken = Vec::new();
        let mut take = |id: &[u8], part, text: &[u8]| {
            let joined = split.take(id, part, text, |_, text| broken.push(text.to_vec()));
            joined.map(|line| line.to_vec())
        };
        assert_eq!(take(b"a", 1, b"to=<x>, ..."), None);
        assert_eq!(take(b"b", 1, b"to=<y>, ..."), None);
        assert_eq!(take(b"a", 2, b" delay=1, ..."), None);
        assert_eq!(take(b"a", 3, b" stat=Sent"), Some(b"to=<x>, delay=1, stat=Sent".to_vec()));
        assert_eq!(take(b"b", 1, b"to=<z>, stat=Sent"), Some(b"to=<z>, stat=Sent".to_vec()));
        assert_eq!(broken, [b"to=<y>,".to_vec()]);
    }

    #[test]
    fn only_a_number_in_brackets_makes_a_part() {
        assert_eq!(numbered(b"[12]: x"), Some((12, &b"x"[..])));
        assert_eq!(numbered(b": x"), None);
        assert_eq!(numbered(b"[]: x"), None);
        assert_eq!(numbered(b"[1] x"), None);
    }
}
