//! What wraps whole lines once more: the log files of container engines, and the journal.
//!
//! - Docker's `json-file` driver: one JSON object for each piece of output, `log` first; a line over
//!   16 KiB comes in several objects of which only the last ends with a line end.
//! - CRI (containerd, CRI-O; Kubernetes): a time stamp, the stream, `P` for a part or `F` for the
//!   full rest, and the text.
//! - `journalctl -o json`: one JSON object for each entry, with the fields of
//!   systemd.journal-fields(7).
//!
//! Pieces are joined by stream, up to a limit; a line that grows over it is overlong as any other.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Record;

/// The longest line that is put together from pieces, in bytes.
const JOINED_BYTES_MAX: usize = 1 << 20;

/// Takes lines out of these wrappings.
#[derive(Debug, Default)]
pub struct Container {
    parts: Parts,
    /// The line or the fields of the entry in hand.
    line: Vec<u8>,
    stamp: Vec<u8>,
    fields: Fields,
}

/// The beginnings of lines that are not yet whole, by stream. Saved with the counts, for the pieces
/// were read already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    stdout: Part,
    stderr: Part,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    bytes: Vec<u8>,
    overlong: bool,
}

#[derive(Debug, Default)]
struct Fields {
    host: Vec<u8>,
    program: Vec<u8>,
    pid: Vec<u8>,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Peeled<'a> {
    /// No such wrapping.
    Bare,
    /// A line as the program wrote it, and the time stamp of the wrapping.
    Line {
        /// The line, without its end.
        line: &'a [u8],
        /// When the engine took it.
        stamp: &'a [u8],
    },
    /// An entry of the journal, which needs no unwrapping any more.
    Record(Record<'a>),
    /// A piece of a line whose rest is to come.
    Partial,
    /// The last piece of a line that is too long.
    Overlong,
}

impl Container {
    /// Takes a line out of its wrapping. Cheap where there is none.
    #[inline]
    pub fn peel<'a>(&'a mut self, line: &'a [u8]) -> Peeled<'a> {
        match line.first() {
            Some(b'{') => self.peel_json(line),
            // Only a CRI line has the stream's name behind the time stamp.
            Some(b'0'..=b'9') => match cri(line) {
                Some(piece) => self.join(&piece),
                None => Peeled::Bare,
            },
            _ => Peeled::Bare,
        }
    }

    /// The pieces in hand, to be saved.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Takes over the pieces that an earlier run had in hand.
    pub fn restore(&mut self, parts: Parts) {
        self.parts = parts;
    }

    fn peel_json<'a>(&'a mut self, line: &'a [u8]) -> Peeled<'a> {
        if line.starts_with(b"{\"log\":") {
            let Ok(docker) = serde_json::from_slice::<Docker<'_>>(line) else {
                return Peeled::Bare;
            };
            let text = docker.log.as_bytes();
            let (text, whole) = match text.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (text, false),
            };
            let is_stderr = docker.stream == "stderr";
            return self.join(&Piece { stamp: docker.time.as_bytes(), is_stderr, text, whole });
        }
        if memchr::memmem::find(line, b"\"__REALTIME_TIMESTAMP\"").is_some()
            && let Ok(entry) = serde_json::from_slice::<Entry<'_>>(line)
        {
            return self.record(&entry);
        }
        Peeled::Bare
    }

    /// Adds a piece to its line.
    fn join(&mut self, piece: &Piece<'_>) -> Peeled<'_> {
        let part = if piece.is_stderr { &mut self.parts.stderr } else { &mut self.parts.stdout };
        if part.bytes.len() + piece.text.len() > JOINED_BYTES_MAX {
            part.bytes.clear();
            part.overlong = true;
        }
        if !part.overlong {
            part.bytes.extend_from_slice(piece.text);
        }
        if !piece.whole {
            return Peeled::Partial;
        }
        self.line.clear();
        self.line.append(&mut part.bytes);
        if std::mem::take(&mut part.overlong) {
            return Peeled::Overlong;
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        self.stamp.clear();
        self.stamp.extend_from_slice(piece.stamp);
        Peeled::Line { line: &self.line, stamp: &self.stamp }
    }

    fn record(&mut self, entry: &Entry<'_>) -> Peeled<'_> {
        let pid = entry.syslog_pid.or_else(&entry.pid);
        for (field, value) in [
            (&mut self.fields.host, &entry.host),
            (&mut self.fields.program, entry.identifier.or_else(&entry.comm)),
            (&mut self.fields.pid, pid),
            (&mut self.line, &entry.message),
        ] {
            field.clear();
            field.extend_from_slice(value.bytes());
        }
        self.stamp.clear();
        let microseconds =
            std::str::from_utf8(entry.realtime.bytes()).ok().and_then(|text| text.parse().ok());
        if let Some(stamp) = microseconds.and_then(|at| jiff::Timestamp::from_microsecond(at).ok())
        {
            self.stamp.extend_from_slice(format!("{stamp:.6}").as_bytes());
        }
        Peeled::Record(Record {
            stamp: &self.stamp,
            host: &self.fields.host,
            program: &self.fields.program,
            pid: &self.fields.pid,
            message: &self.line,
            repeat: 1,
        })
    }
}

/// One piece of output of a container.
struct Piece<'a> {
    stamp: &'a [u8],
    is_stderr: bool,
    text: &'a [u8],
    whole: bool,
}

/// A line of the Container Runtime Interface's log format: `STAMP STREAM TAGS TEXT`. Tags are
/// separated by colons, and the first says whether this is a part.
fn cri(line: &[u8]) -> Option<Piece<'_>> {
    // A time stamp of RFC 3339 with nanoseconds and a numeric zone is 35 bytes.
    let space = memchr::memchr(b' ', line.get(..line.len().min(36))?)?;
    let (stamp, rest) = line.split_at_checked(space)?;
    let (is_stderr, rest) = match rest.strip_prefix(b" stdout ") {
        Some(rest) => (false, rest),
        None => (true, rest.strip_prefix(b" stderr ")?),
    };
    if !stamp.contains(&b'T') {
        return None;
    }
    let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    let (tags, text) = rest.split_at_checked(end)?;
    let whole = match tags.split(|byte| *byte == b':').next()? {
        b"F" => true,
        b"P" => false,
        _ => return None,
    };
    Some(Piece { stamp, is_stderr, text: text.strip_prefix(b" ").unwrap_or_default(), whole })
}

/// Docker's json-file (`daemon/logger/jsonfilelog`).
#[derive(Deserialize)]
struct Docker<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow, default)]
    stream: Cow<'a, str>,
    #[serde(borrow, default)]
    time: Cow<'a, str>,
}

/// An entry of the journal as `journalctl -o json` prints it.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(rename = "MESSAGE", borrow, default)]
    message: Field<'a>,
    #[serde(rename = "SYSLOG_IDENTIFIER", borrow, default)]
    identifier: Field<'a>,
    #[serde(rename = "_COMM", borrow, default)]
    comm: Field<'a>,
    #[serde(rename = "SYSLOG_PID", borrow, default)]
    syslog_pid: Field<'a>,
    #[serde(rename = "_PID", borrow, default)]
    pid: Field<'a>,
    #[serde(rename = "_HOSTNAME", borrow, default)]
    host: Field<'a>,
    #[serde(rename = "__REALTIME_TIMESTAMP", borrow, default)]
    realtime: Field<'a>,
}

/// A field's value: text, an array of bytes where it is no clean text, `null` where it was too
/// long to print, or an array of values where the field occurs several times.
#[derive(Deserialize)]
#[serde(untagged)]
enum Field<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Bytes(Vec<u8>),
    Other(serde::de::IgnoredAny),
}

impl Default for Field<'_> {
    fn default() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl Field<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
            Self::Other(_) => b"",
        }
    }

    fn or_else<'f>(&'f self, other: &'f Self) -> &'f Self {
        if self.bytes().is_empty() { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &str = "Nov 21 20:00:01 mx1 postfix/qmgr[88]: 4dG7Kq1Zb0z9vFk: removed";
    const STAMP: &str = "2026-11-21T20:00:01.123456789Z";

    fn whole(container: &mut Container, wrapped: &str) -> String {
        match container.peel(wrapped.as_bytes()) {
            Peeled::Line { line, stamp } => {
                assert_eq!(stamp, STAMP.as_bytes());
                String::from_utf8(line.to_vec()).unwrap()
            }
            other @ (Peeled::Bare | Peeled::Record(_) | Peeled::Partial | Peeled::Overlong) => {
                panic!("expected a whole line, but found {other:?}")
            }
        }
    }

    #[test]
    fn docker_and_cri_lines_are_unwrapped() {
        let mut container = Container::default();
        let docker = format!(r#"{{"log":"{LINE}\n","stream":"stdout","time":"{STAMP}"}}"#);
        assert_eq!(whole(&mut container, &docker), LINE);
        let docker = format!(
            r#"{{"log":"a \"quoted\" \u003cuser@example.com\u003e\r\n","stream":"stderr","attrs":{{"tag":"x"}},"time":"{STAMP}"}}"#
        );
        assert_eq!(whole(&mut container, &docker), "a \"quoted\" <user@example.com>");
        assert_eq!(whole(&mut container, &format!("{STAMP} stdout F {LINE}")), LINE);
        assert_eq!(whole(&mut container, &format!("{STAMP} stderr F:x ")), "");
    }

    #[test]
    fn pieces_are_joined_by_stream_also_over_a_restart() {
        let mut container = Container::default();
        let piece = |stream, tag, text| format!("{STAMP} {stream} {tag} {text}");
        assert_eq!(container.peel(piece("stdout", "P", "one ").as_bytes()), Peeled::Partial);
        assert_eq!(container.peel(piece("stderr", "P", "err ").as_bytes()), Peeled::Partial);
        assert_eq!(container.peel(piece("stdout", "P", "two ").as_bytes()), Peeled::Partial);
        let saved = serde_json::to_string(container.parts()).unwrap();
        let mut container = Container::default();
        container.restore(serde_json::from_str(&saved).unwrap());
        assert_eq!(whole(&mut container, &piece("stderr", "F", "or")), "err or");
        assert_eq!(whole(&mut container, &piece("stdout", "F", "three")), "one two three");
        let open = format!(r#"{{"log":"half ","stream":"stdout","time":"{STAMP}"}}"#);
        assert_eq!(container.peel(open.as_bytes()), Peeled::Partial);
        let rest = format!(r#"{{"log":"line\n","stream":"stdout","time":"{STAMP}"}}"#);
        assert_eq!(whole(&mut container, &rest), "half line");
    }

    #[test]
    fn a_line_of_pieces_without_end_is_overlong_and_the_next_one_is_read() {
        let mut container = Container::default();
        let piece = format!("{STAMP} stdout P {}", "x".repeat(1 << 16));
        for _ in 0..40 {
            assert_eq!(container.peel(piece.as_bytes()), Peeled::Partial);
        }
        assert!(container.parts.stdout.bytes.len() <= JOINED_BYTES_MAX);
        let last = format!("{STAMP} stdout F end");
        assert_eq!(container.peel(last.as_bytes()), Peeled::Overlong);
        assert_eq!(whole(&mut container, &last), "end");
    }

    #[test]
    fn journal_entries_are_records() {
        let entry = |message: &str| {
            format!(
                r#"{{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795291201123456","_HOSTNAME":"mx1","PRIORITY":"6","SYSLOG_IDENTIFIER":"postfix/smtp","_PID":"77","SYSLOG_PID":"88","MESSAGE":{message}}}"#
            )
        };
        for (message, expected) in [
            (r#""4dG7Kq: removed""#, "4dG7Kq: removed"),
            ("[52,100,71,55]", "4dG7"),
            ("null", ""),
            (r#"["twice","given"]"#, ""),
        ] {
            let mut container = Container::default();
            let line = entry(message);
            let Peeled::Record(record) = container.peel(line.as_bytes()) else {
                panic!("expected a record: {line}")
            };
            assert_eq!(record.program, b"postfix/smtp");
            assert_eq!((record.pid, record.host), (&b"88"[..], &b"mx1"[..]));
            assert_eq!(record.stamp, b"2026-11-21T20:00:01.123456Z");
            assert_eq!(record.message, expected.as_bytes());
        }
    }

    #[test]
    fn other_lines_are_left_alone() {
        let mut container = Container::default();
        for line in [
            "",
            LINE,
            "2026-11-21T20:00:01.123456+00:00 mx1 postfix/qmgr[88]: stdout F x",
            "2026-11-21 20:00:01 1xUrAb-000000002Ab-1234 stdout F x",
            "20261121 stdout F x",
            "{\"log\": 5}",
            "{\"log\":\"broken",
            "{\"event\":\"delivered\"}",
            "{\"x\":\"__REALTIME_TIMESTAMP\"",
        ] {
            assert_eq!(container.peel(line.as_bytes()), Peeled::Bare, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(line in prop::collection::vec(any::<u8>(), 0..300), head in 0..4usize) {
            let heads: [&[u8]; 4] =
                [b"", b"{\"log\":\"", b"2026-11-21T20:00:01Z stdout ", b"{\"__REALTIME_TIMESTAMP\":\"1\","];
            let mut container = Container::default();
            container.peel(&[heads[head], &line].concat());
        }
    }
}
