//! Where one syslog message ends and the next begins in a stream (RFC 6587 §3.4).
//!
//! Octet counting (`85 <22>1 ...`) and one message for each line are told apart at every message:
//! a count is digits and a space, a message starts with `<`. NUL ends a message as a line end does.

/// Turns a stream into lines.
#[derive(Debug, Default)]
pub(super) struct Frames {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// At the start of a message; what of a count was read.
    #[default]
    Start,
    Count(usize, Vec<u8>),
    /// In a message of which so many bytes are to come.
    Counted(usize),
    /// In a message that ends with its line.
    Line,
}

/// A count of more digits is no count.
const COUNT_DIGITS_MAX: usize = 9;

impl Frames {
    /// Adds the lines of a piece to `out`.
    pub(super) fn push(&mut self, mut piece: &[u8], out: &mut Vec<u8>) {
        while let Some((&byte, rest)) = piece.split_first() {
            match &mut self.state {
                State::Start if byte.is_ascii_digit() => {
                    self.state = State::Count(usize::from(byte - b'0'), vec![byte]);
                    piece = rest;
                }
                // Line ends between messages.
                State::Start if matches!(byte, b'\n' | b'\r' | 0) => piece = rest,
                State::Start => self.state = State::Line,
                State::Count(count, digits) => {
                    if byte == b' ' && *count > 0 {
                        self.state = State::Counted(*count);
                        piece = rest;
                    } else if byte.is_ascii_digit() && digits.len() < COUNT_DIGITS_MAX {
                        *count = *count * 10 + usize::from(byte - b'0');
                        digits.push(byte);
                        piece = rest;
                    } else {
                        // It was the beginning of a line.
                        out.append(digits);
                        self.state = State::Line;
                    }
                }
                State::Counted(left) => {
                    let (message, rest) = piece.split_at(piece.len().min(*left));
                    *left -= message.len();
                    let whole = *left == 0;
                    flatten(if whole { message.trim_ascii_end() } else { message }, out);
                    piece = rest;
                    if whole {
                        out.push(b'\n');
                        self.state = State::Start;
                    }
                }
                State::Line => {
                    let end = piece.iter().position(|byte| matches!(byte, b'\n' | 0));
                    let (line, rest) = piece.split_at(end.unwrap_or(piece.len()));
                    out.extend_from_slice(line);
                    piece = rest;
                    if let Some((_, rest)) = rest.split_first() {
                        out.push(b'\n');
                        piece = rest;
                        self.state = State::Start;
                    }
                }
            }
        }
    }
}

/// One datagram as one line.
pub(super) fn one_line(message: &[u8], out: &mut Vec<u8>) {
    let end = message.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0));
    flatten(message.get(..end.map_or(0, |end| end + 1)).unwrap_or_default(), out);
    out.push(b'\n');
}

/// A message is one line, whatever line ends are in it.
fn flatten(message: &[u8], out: &mut Vec<u8>) {
    out.extend(message.iter().map(|byte| if matches!(byte, b'\n' | 0) { b' ' } else { *byte }));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(stream: &[u8]) -> String {
        let mut out = Vec::new();
        Frames::default().push(stream, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn both_framings_and_their_mixture_are_read() {
        assert_eq!(lines(b"<22>a\n<22>b\r\n"), "<22>a\n<22>b\r\n");
        assert_eq!(lines(b"5 <22>a6 <22>bc"), "<22>a\n<22>bc\n");
        assert_eq!(lines(b"6 <22>a\n6 <22>bc"), "<22>a\n<22>bc\n");
        assert_eq!(lines(b"7 <22>a\nb\n<22>c\n"), "<22>a b\n<22>c\n");
        assert_eq!(lines(b"<22>a\0<22>b\0"), "<22>a\n<22>b\n");
        assert_eq!(lines(b"2026-11-21 x\n12345678901 y\n"), "2026-11-21 x\n12345678901 y\n");
        assert_eq!(lines(b"0 x\n"), "0 x\n");
    }

    #[test]
    fn a_datagram_is_one_line() {
        let mut out = Vec::new();
        one_line(b"<22>a\nb\0\n\n", &mut out);
        one_line(b"", &mut out);
        assert_eq!(out, b"<22>a b\n\n");
    }

    proptest! {
        #[test]
        fn any_cutting_of_the_stream_gives_the_same_lines(
            stream in "([0-9]{1,2} )?[<a\n0-9 ]{0,30}",
            at in 0..40usize,
        ) {
            let stream = stream.as_bytes();
            let (head, tail) = stream.split_at(at.min(stream.len()));
            let (mut frames, mut out) = (Frames::default(), Vec::new());
            frames.push(head, &mut out);
            frames.push(tail, &mut out);
            let whole = lines(stream);
            // Only blanks before the cut of a counted message may differ.
            let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert_eq!(squeeze(&String::from_utf8(out).unwrap()), squeeze(&whole));
        }
    }
}
