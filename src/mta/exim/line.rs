//! The frame of a line: Exim's own time stamp, process id and message id.

use crate::envelope::Record;
use crate::mta::text::{digits, second_of_day, until};

/// What Exim wrote, without what stands before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// The second of the day, from Exim's own stamp or that of the envelope.
    pub(super) second: Option<u32>,
    /// The process that wrote it, empty if nobody says.
    pub(super) pid: &'a [u8],
    /// The message id, empty on lines about no message.
    pub(super) id: &'a [u8],
    /// The rest.
    pub(super) text: &'a [u8],
}

impl<'a> Line<'a> {
    /// `[stamp ]["[" pid "] "][id " "]text`. Syslog may have taken the stamp off
    /// (`syslog_timestamp = no`) or the pid (`syslog_pid = no`).
    pub(super) fn parse(message: &'a [u8], record: &Record<'a>) -> Self {
        let (stamp, rest) = stamp(message);
        let stamp = if stamp.is_empty() { record.stamp } else { stamp };
        let (pid, rest) = pid(rest).unwrap_or((record.pid, rest));
        let (id, text) = message_id(rest).unwrap_or((b"", rest));
        Self { second: second_of_day(stamp), pid, id, text }
    }
}

/// `YYYY-MM-DD HH:MM:SS[.mmm][ ±HHMM] `, and what follows; an empty stamp if there is none.
pub(super) fn stamp(message: &[u8]) -> (&[u8], &[u8]) {
    let none = (&b""[..], message);
    let Some((date, rest)) = message.split_at_checked(19) else { return none };
    if !is_shaped(date, b"0000-00-00 00:00:00") {
        return none;
    }
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => digits(fraction).1,
        None => rest,
    };
    let Some(rest) = rest.strip_prefix(b" ") else { return none };
    let rest = match rest.split_at_checked(6) {
        Some((zone, rest)) if is_shaped(zone, b"+0000 ") || is_shaped(zone, b"-0000 ") => rest,
        _ => rest,
    };
    (date, rest)
}

/// Whether every byte is that of the pattern, where `0` stands for any digit.
fn is_shaped(text: &[u8], pattern: &[u8]) -> bool {
    text.len() == pattern.len()
        && text.iter().zip(pattern).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            _ => byte == wanted,
        })
}

/// `[1234] `, written with `log_selector = +pid`.
fn pid(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (pid, rest) = digits(text.strip_prefix(b"[")?);
    Some((pid, rest.strip_prefix(b"] ")?)).filter(|_| !pid.is_empty())
}

/// A message id and the space after it: `6-11-4` characters since Exim 4.97, `6-6-2` before.
pub(super) fn message_id(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (id, rest) = until(text.get(..24).unwrap_or(text), b" ");
    let long = [(6, b'-'), (18, b'-')];
    let short = [(6, b'-'), (13, b'-')];
    let dashes = match (id.len(), rest.is_empty()) {
        (23, false) => long,
        (16, false) => short,
        _ => return None,
    };
    let fits = id.iter().enumerate().all(|(at, byte)| {
        if dashes.contains(&(at, b'-')) { *byte == b'-' } else { byte.is_ascii_alphanumeric() }
    });
    if fits { Some((id, text.get(id.len() + 1..)?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(message: &[u8]) -> (Option<u32>, &[u8], &[u8], &[u8]) {
        let line = Line::parse(message, &Record::default());
        (line.second, line.pid, line.id, line.text)
    }

    #[test]
    fn stamp_pid_and_both_shapes_of_id_are_taken_off_in_any_combination() {
        for stamp in [
            "2026-11-21 00:00:03 ",
            "2026-11-21 00:00:03.512 ",
            "2026-11-21 00:00:03 +0100 ",
            "2026-11-21 00:00:03.512 -0330 ",
        ] {
            for (pid, wanted) in [("", ""), ("[4411] ", "4411")] {
                for id in ["", "1vMabD-00000003xZ0-2b3C", "1kLmNo-0001Ab-CD"] {
                    let space = if id.is_empty() { "" } else { " " };
                    let text = format!("{stamp}{pid}{id}{space}=> a@b.example");
                    let parsed = parse(text.as_bytes());
                    let expected =
                        (Some(3), wanted.as_bytes(), id.as_bytes(), &b"=> a@b.example"[..]);
                    assert_eq!(parsed, expected, "{text}");
                }
            }
        }
    }

    #[test]
    fn what_only_resembles_a_frame_is_text() {
        assert_eq!(parse(b"1kLmNo-0001Ab-C => x").3, b"1kLmNo-0001Ab-C => x");
        assert_eq!(
            parse(b"1kLmNo-0001Ab-CD"),
            (None, &b""[..], &b""[..], &b"1kLmNo-0001Ab-CD"[..])
        );
        assert_eq!(parse(b"[12/13] x").3, b"[12/13] x");
        assert_eq!(parse(b"2026-11-21 00:00:0x y").0, None);
    }
}
