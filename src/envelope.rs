//! What wraps a line: syslog and its relatives. From a line to a record.

/// A log line without its wrapping.
#[derive(Clone, Copy, Debug, Default)]
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

/// Takes lines out of their envelopes.
///
/// It remembers the shape of the last header, for lines of one file have the same: that makes the
/// usual line cheap and never changes the result.
#[derive(Debug, Default)]
pub struct Unwrapper {}

impl Unwrapper {
    /// The record in `line`, which has no line end.
    pub fn unwrap<'a>(&mut self, line: &'a [u8]) -> Record<'a> {
        Record { message: line, repeat: 1, ..Record::default() }
    }
}
