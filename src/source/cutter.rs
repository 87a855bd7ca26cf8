//! From pieces of a stream to complete lines, with a limit on each.

use super::Note;

/// Cuts a stream at its line ends. Holds at most one line that is not complete.
#[derive(Debug)]
pub(super) struct Cutter {
    carry: Vec<u8>,
    line_bytes_max: usize,
    skipped: Option<u64>,
}

/// What came out of a piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Complete lines, each with its end.
    Lines(Vec<u8>),
    /// An overlong line was left out.
    Note(Note),
}

impl Cutter {
    /// A cutter that leaves out lines of more than `line_bytes_max` bytes without their end.
    pub(super) fn new(line_bytes_max: usize) -> Self {
        Self { carry: Vec::new(), line_bytes_max, skipped: None }
    }

    /// The lines that are complete with this piece, in order.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<Cut> {
        let mut cuts = Vec::new();
        let mut lines = Vec::new();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            let rest = piece.get(start..=end).unwrap_or_default();
            start = end + 1;
            let overlong = self.carry.len() + rest.len() > self.line_bytes_max + 1;
            if self.skipped.is_some() || overlong {
                if !lines.is_empty() {
                    cuts.push(Cut::Lines(std::mem::take(&mut lines)));
                }
                let held = self.carry.len() + rest.len();
                self.carry.clear();
                let skipped = self.skipped.take().unwrap_or(0) + held as u64;
                cuts.extend([Cut::Note(Note::Overlong), Cut::Note(Note::Skipped(skipped))]);
            } else {
                lines.append(&mut self.carry);
                lines.extend_from_slice(rest);
            }
        }
        if !lines.is_empty() {
            cuts.push(Cut::Lines(lines));
        }
        let rest = piece.get(start..).unwrap_or_default();
        if let Some(skipped) = &mut self.skipped {
            *skipped += rest.len() as u64;
        } else {
            self.carry.extend_from_slice(rest);
            if self.carry.len() > self.line_bytes_max {
                self.skipped = Some(self.carry.len() as u64);
                self.carry = Vec::new();
            }
        }
        cuts
    }

    /// The stream has ended: the last line has no end.
    pub(super) fn finish(&mut self) -> Vec<Cut> {
        let ended = self.carry.is_empty() && self.skipped.is_none();
        if ended { Vec::new() } else { self.push(b"\n") }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(cuts: Vec<Cut>) -> (String, u64, u64) {
        let (mut lines, mut overlong, mut skipped) = (Vec::new(), 0, 0);
        for cut in cuts {
            match cut {
                Cut::Lines(bytes) => lines.extend(bytes),
                Cut::Note(Note::Overlong) => overlong += 1,
                Cut::Note(Note::Skipped(bytes)) => skipped += bytes,
                Cut::Note(note) => panic!("expected no {note:?}"),
            }
        }
        (String::from_utf8(lines).unwrap(), overlong, skipped)
    }

    #[test]
    fn an_overlong_line_is_left_out_and_the_next_one_is_not() {
        let mut cutter = Cutter::new(5);
        assert_eq!(text(cutter.push(b"12345\n123456\nab\n")), ("12345\nab\n".to_owned(), 1, 7));
        assert_eq!(text(cutter.push(b"123")), (String::new(), 0, 0));
        assert_eq!(text(cutter.push(b"456789")), (String::new(), 0, 0));
        assert_eq!(text(cutter.push(b"0\nx")), (String::new(), 1, 11));
        assert_eq!(text(cutter.finish()), ("x\n".to_owned(), 0, 0));
        assert_eq!(text(cutter.finish()), (String::new(), 0, 0));
    }

    proptest! {
        #[test]
        fn any_cutting_of_the_stream_gives_the_same_lines(
            stream in "[ab\n]{0,60}",
            pieces in prop::collection::vec(1..9usize, 0..40),
            max in 1..7usize,
        ) {
            let mut whole = Cutter::new(max);
            let mut expected = whole.push(stream.as_bytes());
            expected.extend(whole.finish());
            let mut cutter = Cutter::new(max);
            let mut found = Vec::new();
            let mut rest = stream.as_bytes();
            for piece in pieces {
                let (head, tail) = rest.split_at(piece.min(rest.len()));
                found.extend(cutter.push(head));
                rest = tail;
            }
            found.extend(cutter.push(rest));
            found.extend(cutter.finish());
            let (found, expected) = (text(found), text(expected));
            prop_assert_eq!(found.0.len() as u64 + found.2, expected.0.len() as u64 + expected.2);
            prop_assert_eq!(found, expected);
        }
    }
}
