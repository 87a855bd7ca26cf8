//! Long lines that Exim hands to syslog in parts.

use serde::{Deserialize, Serialize};

use crate::mta::recent::{Bytes, Recent};
use crate::mta::text::{digits, number};

/// How many processes are remembered that are in the middle of a long line.
const PROCESSES_MAX: usize = 256;
/// How long a line can become; Exim's own buffer is 8 KiB. What comes after is left out.
const LINE_MAX: usize = 16 * 1024;

/// Joins the parts of long lines (`write_syslog` in `log.c`): `[1/3] text`, each up to 870 bytes,
/// told apart by the process that writes them. `[1\3]` says that the line ends there: what follows
/// are the header lines of a refused message, as they stand in the reject log.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Parts {
    started: Recent<Started, PROCESSES_MAX>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Started {
    text: Bytes,
    next: u64,
    of: u64,
    /// Whether the line has ended and only header lines follow.
    headers: bool,
}

/// What a part is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A line of its own.
    Whole,
    /// More is to come.
    Held,
    /// The end of a line that is now complete.
    Joined(Bytes),
    /// A header line of a refused message.
    Header,
}

impl Parts {
    /// What `message` of process `pid` is. A line whose end never came is handed to `broken`: all
    /// that matters stands at its start.
    pub(super) fn take(
        &mut self,
        pid: &[u8],
        message: &[u8],
        mut broken: impl FnMut(&[u8]),
    ) -> Part {
        let Some((part, of, ends, text)) = numbered(message) else { return Part::Whole };
        let mut line = match self.started.take(pid) {
            Some(line) if line.next == part && line.of == of => line,
            other => {
                if let Some(line) = other.filter(|line| !line.headers) {
                    broken(&line.text);
                }
                if part != 1 {
                    // Its start was before the first line read.
                    return Part::Header;
                }
                Started { text: Bytes::default(), next: 1, of, headers: false }
            }
        };
        let was_headers = line.headers;
        if !was_headers {
            let room = LINE_MAX.saturating_sub(line.text.len());
            line.text.extend(text.get(..room).unwrap_or(text));
        }
        line.next += 1;
        let last = part == of;
        let complete = !was_headers && (ends || last);
        let joined = if complete { std::mem::take(&mut line.text) } else { Bytes::default() };
        line.headers |= ends;
        let forgotten = if last { None } else { self.started.put(pid, line) };
        if let Some((_, line)) = forgotten.filter(|(_, line)| !line.headers) {
            broken(&line.text);
        }
        match (was_headers, complete) {
            (true, _) => Part::Header,
            (false, true) => Part::Joined(joined),
            (false, false) => Part::Held,
        }
    }

    /// The log has ended: hands out the lines whose end never came.
    pub(super) fn finish(&mut self, mut broken: impl FnMut(&[u8])) {
        let unfinished = self.started.drain().filter(|(_, line)| !line.headers);
        unfinished.for_each(|(_, line)| broken(&line.text));
    }

    /// How many lines had to be forgotten.
    pub(super) fn evicted(&self) -> u64 {
        self.started.evicted()
    }
}

/// `[part/of] text` or `[part\of] text`: the part, how many there are, whether the line ends.
fn numbered(message: &[u8]) -> Option<(u64, u64, bool, &[u8])> {
    let (part, rest) = digits(message.strip_prefix(b"[")?);
    let (ends, rest) = match rest.split_first()? {
        (b'/', rest) => (false, rest),
        (b'\\', rest) => (true, rest),
        _ => return None,
    };
    let (of, rest) = digits(rest);
    let (part, of) = (number(part)?, number(of)?);
    let text = rest.strip_prefix(b"] ").or_else(|| (rest == b"]").then_some(b""))?;
    (1..=of).contains(&part).then_some((part, of, ends, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(parts: &mut Parts, pid: &[u8], message: &[u8]) -> (Part, Vec<Vec<u8>>) {
        let mut broken = Vec::new();
        let part = parts.take(pid, message, |text| broken.push(text.to_vec()));
        (part, broken)
    }

    fn joined(text: &[u8]) -> (Part, Vec<Vec<u8>>) {
        (Part::Joined(text.into()), vec![])
    }

    #[test]
    fn parts_of_two_processes_are_joined_each_for_itself() {
        let mut parts = Parts::default();
        assert_eq!(take(&mut parts, b"1", b"[1/3] a "), (Part::Held, vec![]));
        assert_eq!(take(&mut parts, b"2", b"[1/2] x"), (Part::Held, vec![]));
        assert_eq!(take(&mut parts, b"1", b"[2/3] b "), (Part::Held, vec![]));
        assert_eq!(take(&mut parts, b"2", b"[2/2] y"), joined(b"xy"));
        assert_eq!(take(&mut parts, b"1", b"[3/3] c"), joined(b"a b c"));
        assert_eq!(take(&mut parts, b"1", b"[1234] plain"), (Part::Whole, vec![]));
    }

    #[test]
    fn header_lines_are_never_part_of_a_line() {
        let mut parts = Parts::default();
        assert_eq!(take(&mut parts, b"1", b"[1/4] rejected "), (Part::Held, vec![]));
        assert_eq!(take(&mut parts, b"1", b"[2\\4] DATA"), joined(b"rejected DATA"));
        assert_eq!(take(&mut parts, b"1", b"[3\\4] Envelope-from: <>"), (Part::Header, vec![]));
        assert_eq!(take(&mut parts, b"1", b"[4/4] P Received: x"), (Part::Header, vec![]));
        assert_eq!(take(&mut parts, b"1", b"[4/4] P Received: x"), (Part::Header, vec![]));
    }

    #[test]
    fn a_line_whose_end_never_came_is_handed_out_when_the_next_starts() {
        let mut parts = Parts::default();
        take(&mut parts, b"1", b"[1/3] lost end");
        let (part, broken) = take(&mut parts, b"1", b"[1/2] a");
        assert_eq!((part, broken), (Part::Held, vec![b"lost end".to_vec()]));
        assert_eq!(take(&mut parts, b"1", b"[2/2] b"), joined(b"ab"));
    }

    #[test]
    fn saved_and_restored_in_the_middle_it_goes_on() {
        let mut parts = Parts::default();
        take(&mut parts, b"1", b"[1/2] a\xff");
        let saved = serde_json::to_string(&parts).expect("saved");
        let mut parts: Parts = serde_json::from_str(&saved).expect("restored");
        assert_eq!(take(&mut parts, b"1", b"[2/2] b"), joined(b"a\xffb"));
    }
}
