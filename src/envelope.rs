//! What wraps a line: syslog and its relatives. From a line to a record.
//!
//! Known are the files of syslog daemons in the styles of RFC 3164 (Postfix' own `maillog_file`
//! too), of ISO 8601 time stamps and of RFC 5424, each with or without a priority. A line in none
//! of them is a record without a program, whose message is the whole line: many MTAs write files
//! of their own. Around all of these there may be another wrapping: see [`Container`].

mod container;
mod head;
mod lead;
mod shape;
mod skim;
mod tag;
mod template;
mod timestamp;

use std::ops::Range;

use crate::scan;
use lead::Lead;
use shape::Shape;
use tag::{Host, Programs};

pub use container::{Container, Parts, Peeled};
pub use skim::{Bytes, Skim};
pub use timestamp::{leading_stamp, timestamp};

/// A log line without its wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// The time stamp as the line has it, empty if there is none.
    pub stamp: &'a [u8],
    /// The host name in the header, empty if there is none.
    pub host: &'a [u8],
    /// The program: syslog's tag without the pid (`postfix/smtp`), RFC 5424's APP-NAME. Empty where
    /// the line has no header.
    pub program: &'a [u8],
    /// The process id in the header, empty if there is none.
    pub pid: &'a [u8],
    /// What the program wrote.
    pub message: &'a [u8],
    /// How often: syslog daemons fold repeated messages into one line. At least 1.
    pub repeat: u32,
}

/// What follows the host name of a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Family {
    /// A tag with a pid: RFC 3164, and the same with an ISO 8601 time stamp.
    #[default]
    Tagged,
    /// APP-NAME, PROCID, MSGID and structured data: RFC 5424.
    Structured,
}

/// What a look at the beginning of a line tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Glance<'a> {
    /// It is never counted.
    Skimmed,
    /// This is its record.
    Record(Record<'a>),
    /// Nothing; this is the line, without its line feed.
    Unusual(&'a [u8]),
}

/// Takes lines out of their envelopes.
///
/// It remembers the shape of the last header, for lines of one file have the same: that makes the
/// usual line cheap and never changes the result.
#[derive(Debug)]
pub struct Unwrapper {
    shape: Shape,
    host: Host,
    lead: Lead,
    programs: Programs,
}

impl Default for Unwrapper {
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl Unwrapper {
    /// An unwrapper that can also tell most lines that are never counted at a glance: `skims` says
    /// how, for a program of that name.
    pub fn new(skims: fn(&[u8]) -> Option<&'static Skim>) -> Self {
        Self {
            shape: Shape::default(),
            host: Host::default(),
            lead: Lead::default(),
            programs: Programs::new(skims),
        }
    }

    /// What a look at the beginning of the line tells that `text` begins with, and what follows it.
    #[expect(clippy::inline_always, reason = "every line comes here, and a call costs a tenth")]
    #[inline(always)]
    pub(crate) fn glance<'a>(&mut self, text: &'a [u8]) -> (Glance<'a>, &'a [u8]) {
        let known = self.lead.after(text);
        let known = known.and_then(|rest| Some((rest, self.programs.known(rest)?)));
        let Some((from, tag)) = known else {
            let (line, rest) = scan::split_line(text, 0);
            return (Glance::Unusual(line), rest);
        };
        if let Some(rest) = tag.skim(from) {
            return (Glance::Skimmed, rest);
        }
        // What was compared until here is known to hold no line feed.
        let begin = text.len() - from.len();
        let end = begin + tag.length();
        let (line, rest) = scan::split_line(text, end);
        let usual = line.get(end + 1..).and_then(tag::usual_process).and_then(|(pid, message)| {
            self.usual(line, begin..end, pid, scan::without_return(message))
        });
        (usual.map_or(Glance::Unusual(line), Glance::Record), rest)
    }

    /// The time stamp of the line that `text` begins with, which was just skimmed over.
    pub(crate) fn stamp<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        self.shape.stamp(text).unwrap_or_default()
    }

    /// The record in a line whose head and host are like the last one's, if nothing else stands
    /// around its message.
    #[inline]
    fn usual<'a>(
        &self,
        line: &'a [u8],
        program: Range<usize>,
        pid: &'a [u8],
        message: &'a [u8],
    ) -> Option<Record<'a>> {
        // What else may stand around a message begins with one of these.
        if matches!(message.first(), Some(b'm' | b'[')) {
            return None;
        }
        let (stamp, host) = (self.shape.stamp(line)?, self.lead.host(line)?);
        let program = line.get(program)?;
        Some(Record { stamp, host, program, pid, message, repeat: 1 })
    }

    /// The record in `line`, which has no line end.
    #[inline(never)]
    pub fn unwrap<'a>(&mut self, line: &'a [u8]) -> Record<'a> {
        if self.shape.fits(line)
            && let Some(record) = self.cut(line)
        {
            return record;
        }
        head::parse(line)
            .and_then(|head| {
                self.shape = Shape::of(line, &head);
                self.lead = Lead::default();
                self.cut(line)
            })
            .unwrap_or(Record { message: line, repeat: 1, ..Record::default() })
    }

    /// The record of a line whose head has the remembered shape, if the rest of its header is
    /// whole.
    fn cut<'a>(&mut self, line: &'a [u8]) -> Option<Record<'a>> {
        let stamp = tag::not_nil(self.shape.stamp(line)?);
        let family = self.shape.family();
        let rest = self.shape.rest(line)?;
        let head = line.len() - rest.len();
        let (host, rest) = self.host.cut(rest, family)?;
        if family == Family::Tagged && !self.lead.fits(line) {
            let lead = line.get(..line.len() - rest.len())?;
            self.lead = Lead::of(lead, self.shape.digits(), head..head + host.len());
        }
        let (program, pid, message) = match family {
            Family::Tagged => self.programs.cut(rest)?,
            Family::Structured => tag::structured(rest)?,
        };
        let (repeat, message) = tag::repeated(message);
        Some(Record { stamp, host, program, pid, message, repeat })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// stamp, host, program, pid, message and how often.
    type Parts = (&'static str, &'static str, &'static str, &'static str, &'static str, u32);

    fn parts(line: &str) -> (String, String, String, String, String, u32) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let record = Unwrapper::default().unwrap(line.as_bytes());
        let Record { stamp, host, program, pid, message, repeat } = record;
        (text(stamp), text(host), text(program), text(pid), text(message), repeat)
    }

    #[track_caller]
    fn check(line: &str, (stamp, host, program, pid, message, repeat): Parts) {
        let expected = (
            stamp.to_owned(),
            host.to_owned(),
            program.to_owned(),
            pid.to_owned(),
            message.to_owned(),
            repeat,
        );
        assert_eq!(parts(line), expected, "{line}");
    }

    const QMGR: &str = "4dG7Kq1Zb0z9vFk: removed";
    const BSD: &str = "Nov 21 20:00:01";
    const ISO: &str = "2026-11-21T20:00:01.123456+00:00";

    #[test]
    fn the_files_of_syslog_daemons_are_unwrapped() {
        let tagged = |stamp| (stamp, "mx1", "postfix/qmgr", "88", QMGR, 1);
        for (line, parts) in [
            ("Nov 21 20:00:01 mx1 postfix/qmgr[88]: ", tagged(BSD)),
            ("<22>Nov 21 20:00:01 mx1 postfix/qmgr[88]: ", tagged(BSD)),
            ("Nov  5 20:00:01 mx1 postfix/qmgr[88]: ", tagged("Nov  5 20:00:01")),
            ("Nov 05 20:00:01 mx1 postfix/qmgr[88]: ", tagged("Nov 05 20:00:01")),
            ("Nov 21 20:00:01 <2.6> mx1 postfix/qmgr[88]: ", tagged(BSD)),
            ("Nov 21 20:00:01 <mail.info> mx1 postfix/qmgr[88]: ", tagged(BSD)),
            ("Nov 21 20:00:01 mx1 mail.info postfix/qmgr[88]: ", tagged(BSD)),
            ("Nov 21 20:00:01 mx1 postfix/qmgr[88]: [ID 197553 mail.info] ", tagged(BSD)),
            ("Nov 21 20:00:01.123 mx1 postfix/qmgr[88]: ", tagged("Nov 21 20:00:01.123")),
            ("2026-11-21T20:00:01.123456+00:00 mx1 postfix/qmgr[88]: ", tagged(ISO)),
            ("<22>2026-11-21T20:00:01.123456+00:00 mx1 postfix/qmgr[88]: ", tagged(ISO)),
            ("2026-11-21T20:00:01Z mx1 postfix/qmgr[88]: ", tagged("2026-11-21T20:00:01Z")),
            ("2026-11-21T20:00:01+0100 mx1 postfix/qmgr[88]: ", tagged("2026-11-21T20:00:01+0100")),
        ] {
            check(&format!("{line}{QMGR}"), parts);
        }
        check(
            "Nov 21 20:00:01 2001:db8::25 exim: 2026-11-21 20:00:01 Start queue run",
            (BSD, "2001:db8::25", "exim", "", "2026-11-21 20:00:01 Start queue run", 1),
        );
    }

    #[test]
    fn rfc_5424_is_unwrapped_with_and_without_its_options() {
        let whole = |program| (ISO, "mx1", program, "88", QMGR, 1);
        for (header, parts) in [
            (
                "<22>1 2026-11-21T20:00:01.123456+00:00 mx1 postfix/qmgr 88 - - ",
                whole("postfix/qmgr"),
            ),
            ("1 2026-11-21T20:00:01.123456+00:00 mx1 postfix/qmgr 88 - - ", whole("postfix/qmgr")),
            (
                "<22>1 2026-11-21T20:00:01.123456+00:00 mx1 postfix-out 88 - -  ",
                whole("postfix-out"),
            ),
            (
                "<22>1 2026-11-21T20:00:01.123456+00:00 mx1 postfix/qmgr 88 ID47 - \u{feff}",
                whole("postfix/qmgr"),
            ),
            (
                "<22>1 2026-11-21T20:00:01.123456+00:00 mx1 postfix/qmgr 88 - [a@1 b=\"]\\\" [\"][c] ",
                whole("postfix/qmgr"),
            ),
            ("<22>1 - - postfix/qmgr - - - ", ("", "", "postfix/qmgr", "", QMGR, 1)),
        ] {
            check(&format!("{header}{QMGR}"), parts);
        }
        check("<22>1 - mx1 app - - -", ("", "mx1", "app", "", "", 1));
    }

    #[test]
    fn a_line_without_a_whole_header_is_its_own_message() {
        for line in [
            "",
            "Nov 21 20:00:01",
            "Nov 21 20:00:01 mx1 last message repeated 2 times",
            "Nov 21 20:00:01 host=smtp.example.net tls=on from=a exitcode=EX_OK",
            "2026-11-21 20:00:01 1xUrAb-000000002Ab-1234 => a@example.net R=dnslookup",
            "2026-11-21T20:00:01.123Z [NOTICE] [-] [core] delivered",
            "2026-11-21T20:00:01Z  INFO Delivered (delivery.delivered) queueId = 1",
            "2026-11-21T20:00:01.123Z queue: delivered\t{\"attempt\":1,\"rcpt\":\"a@example.net\"}",
            "{\"log\":\"Nov 21 20:00:01 mx1 postfix/smtp[1]: x\"}",
            "@4000000067416a2b0c5d3a8c delivery 20: success: 192.0.2.10_accepted",
            "Nov 21 20:00:01 mx1 mail.info mail.info mail.info x",
            "<22>1 2026-11-21T20:00:01Z mx1 app - - [unclosed \"]",
            "<22>1 2026-11-21T20:00:01Z mx1 app - - -x",
        ] {
            let mut unwrapper = Unwrapper::default();
            let bare = Record { message: line.as_bytes(), repeat: 1, ..Record::default() };
            assert_eq!(unwrapper.unwrap(line.as_bytes()), bare, "{line}");
        }
    }

    #[test]
    fn a_folded_message_stands_for_all_of_them() {
        let folded = |times| (BSD, "mx1", "postfix/smtp", "7", "connect to x: Refused", times);
        let head = "Nov 21 20:00:01 mx1 postfix/smtp[7]: ";
        for (message, parts) in [
            ("message repeated 4 times: [ connect to x: Refused]", folded(4)),
            ("message repeated 2 times: [connect to x: Refused", folded(2)),
        ] {
            check(&format!("{head}{message}"), parts);
        }
        for message in [
            "message repeated 0 times: [ x]",
            "message repeated 99999999999 times: [ x]",
            "message repeated x times: [ y]",
        ] {
            check(&format!("{head}{message}"), (BSD, "mx1", "postfix/smtp", "7", message, 1));
        }
    }

    /// Lines that are nearly headers: pieces of all of them, in any order.
    fn nearly_a_line() -> impl Strategy<Value = Vec<u8>> {
        let pieces = proptest::sample::select(vec![
            &b"<22>"[..],
            b"<5>",
            b"1 ",
            b"Nov 21 20:00:01 ",
            b"Nov  5 09:10:11 ",
            b"Dec 05 ",
            b"20:00:01.123 ",
            b"2026-11-21T20:00:01.123456+00:00 ",
            b"2025-01-01T00:00:00Z ",
            b"2026-11-21T20:00:01.1+01:00 ",
            b"- ",
            b"mx1 ",
            b"mx22 ",
            b"mail.example.com ",
            b"postfix/smtp[12]: ",
            b"postfix/qmgr[1234]: ",
            b"exim: ",
            b"app 12 - - ",
            b"<2.6> ",
            b"mail.info ",
            b"message repeated 3 times: [ ",
            b"]",
            b"[ID 1 mail.info] ",
            b"x",
            b"\0",
            b"4dG7Kq1Zb0z9vFk: removed and some more text to be long enough",
            b"\xff",
            b" ",
            b"9",
        ]);
        proptest::collection::vec(pieces, 0..7).prop_map(|pieces| pieces.concat())
    }

    /// Whole lines of the usual kinds, some of them with one byte changed.
    fn line() -> impl Strategy<Value = Vec<u8>> {
        let stamp = proptest::sample::select(vec![
            "Nov 21 20:00:01",
            "Nov 21 20:00:02",
            "Nov  5 20:00:01",
            "Nov 05 20:00:01",
            "2026-11-21T20:00:01.123456+00:00",
            "2026-11-21T20:00:01.999999-05:00",
            "2026-11-21T20:00:01Z",
            "<22>Nov 21 20:00:01",
            "<22>1 2026-11-21T20:00:01.123Z",
            "<9>1 -",
        ]);
        let host = proptest::sample::select(vec!["mx1", "mx2", "mx11", "mail.example.com", "-"]);
        let rest = proptest::sample::select(vec![
            "postfix/smtp[7]: 4dG7Kq1Zb0z9vFk: to=<a@example.net>, relay=none, delay=1",
            "postfix/qmgr[77]: 4dG7Kq1Zb0z9vFk: removed, and a text of some more length",
            "postfix/qmgr[77]: 4dG7Kq1Zb0z9vFk: from=<a@example.net>, size=1, nrcpt=1 (queue active)",
            "postfix/qmgr[77]: 4dG7Kq1Zb0z9vFk: from=<>, status=expired, returned to sender",
            "postfix/qmgr[77]: 4dG7Kq1Zb0z9vFk: to=<a@example.net>, relay=none, delay=1",
            "postfix/qmgr[77]: 1986AA6FC8: removed, and a text of some more length",
            "postfix/qmgr[77]: 1986AA6FC8: to be skipped over",
            "postfix/qmgr[77]: connect from unknown[192.0.2.1] and some more text behind it",
            "postfix/with-a-long-name/qmgr[77]: 4dG7Kq1Zb0z9vFk: removed",
            "postfix/qmgr 77 - - 4dG7Kq1Zb0z9vFk: removed, and a text of some more length",
            "no tag at all",
        ]);
        let change = proptest::option::of((0usize..60, any::<u8>()));
        let cut = prop_oneof![3 => Just(usize::MAX), 1 => 0usize..90];
        (stamp, host, rest, change, cut).prop_map(|(stamp, host, rest, change, cut)| {
            let mut line = format!("{stamp} {host} {rest}").into_bytes();
            line.truncate(cut.max(1));
            if let Some((at, byte)) = change {
                let at = at % line.len();
                line[at] = byte;
            }
            line
        })
    }

    /// A line with a line feed in the middle: what belongs together stands on two lines.
    fn line_in_two() -> impl Strategy<Value = Vec<u8>> {
        (line(), 0usize..90).prop_map(|(mut line, at)| {
            line.insert(at.min(line.len()), b'\n');
            line
        })
    }

    static SKIM: Skim = Skim {
        messages: &[*b"connect "],
        texts: &[*b"to be sk"],
        counted: Bytes::of(b"tf"),
        unless: Some((b'f', b'r')),
    };

    /// What [`SKIM`] says, the long way.
    fn is_never_counted(message: &[u8]) -> bool {
        let message = String::from_utf8_lossy(message);
        let Some((_, text)) = message.split_once(": ") else {
            return message.starts_with("connect ");
        };
        match text.chars().next() {
            Some('t') => text.starts_with("to be sk"),
            Some('f') => !text.ends_with('r'),
            _ => true,
        }
    }

    proptest! {
        #[test]
        fn what_was_read_before_never_changes_the_result(
            lines in proptest::collection::vec(prop_oneof![3 => line(), 1 => nearly_a_line()], 1..12),
        ) {
            let mut unwrapper = Unwrapper::default();
            for line in &lines {
                prop_assert_eq!(unwrapper.unwrap(line), Unwrapper::default().unwrap(line));
            }
        }

        #[test]
        fn a_glance_sees_no_further_than_its_line(
            lines in proptest::collection::vec(
                prop_oneof![2 => line(), 1 => nearly_a_line(), 1 => line_in_two()], 1..20,
            ),
            ends in any::<bool>(),
        ) {
            let lines: Vec<Vec<u8>> = lines
                .iter()
                .flat_map(|line| line.split(|byte| *byte == b'\n'))
                .map(<[u8]>::to_vec)
                .map(|line| line.into_iter().filter(|byte| !b"\r\n".contains(byte)).collect())
                .filter(|line: &Vec<u8>| !line.is_empty())
                .collect();
            let mut text = lines.join(&b'\n');
            if ends && !lines.is_empty() {
                text.push(b'\n');
            }
            let mut unwrapper = Unwrapper::new(|program| program.ends_with(b"/qmgr").then_some(&SKIM));
            let mut rest = text.as_slice();
            for (number, expected) in lines.iter().enumerate() {
                let record = Unwrapper::default().unwrap(expected);
                if number % 2 == 1 {
                    // The line begins as one before it did.
                    unwrapper.unwrap(expected);
                }
                let (glance, after) = unwrapper.glance(rest);
                match glance {
                    Glance::Record(found) => prop_assert_eq!(found, record),
                    Glance::Unusual(line) => {
                        prop_assert_eq!(line, expected);
                        // So that the next glance has something to compare with.
                        unwrapper.unwrap(line);
                    }
                    Glance::Skimmed => {
                        prop_assert!(record.program.ends_with(b"/qmgr"));
                        prop_assert!(is_never_counted(record.message), "{:?}", record);
                        prop_assert_eq!(unwrapper.stamp(rest), record.stamp);
                    }
                }
                prop_assert!(matches!(&rest[expected.len()..], [] | [b'\n', ..]));
                prop_assert_eq!(after, rest.get(expected.len() + 1..).unwrap_or_default());
                rest = after;
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn any_bytes_are_a_record(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let record = Unwrapper::default().unwrap(&line);
            prop_assert!(record.repeat >= 1);
            prop_assert!(record.message.len() <= line.len());
        }
    }
}
