//! Which dialect a line is written in.
//!
//! A line that names its program is judged by that name alone, so that a mixed file is told apart
//! line by line and no text can pass for another program's. A line that names none, or one that
//! nobody knows (a container, a start script), is judged by its shape from the first byte on. A
//! daemon that logs under a name of its own has lines without a shape too: they are taken for what
//! the others under that name are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::custom::Events;
use super::recent::Bytes;
use super::{
    Dialect, Dialects, courier, dma, esp, exchange, exim, haraka, hmailserver, json, maddy,
    momentum, msmtp, nullmailer, opensmtpd, postfix, powermta, qmail, sendmail, stalwart, zonemta,
};
use crate::attempt::label;
use crate::envelope::{Record, Unwrapper};

label! {
    /// Why a line was taken for a dialect.
    Evidence {
        /// The configuration says so.
        Forced = "set",
        /// The name of the program.
        Program = "program",
        /// The line names no known program, but has the shape.
        Shape = "shape",
    }
}

/// Programs that write beside MTAs and whose lines are never about deliveries, by the start of
/// their names: none of their text is looked at.
const FOREIGN: [&[u8]; 40] = [
    b"amavis",
    b"anvil",
    b"auditd",
    b"authdaemond",
    b"clam",
    b"CRON",
    b"cron",
    b"dbmail",
    b"dkim",
    b"dovecot",
    b"fail2ban",
    b"freshclam",
    b"greylist",
    b"imapd",
    b"kernel",
    b"mailman",
    b"master",
    b"milter",
    b"mimedefang",
    b"named",
    b"nscd",
    b"opendkim",
    b"opendmarc",
    b"openarc",
    b"pop3d",
    b"policyd",
    b"postgrey",
    b"postsrsd",
    b"pyzor",
    b"rspamd",
    b"rsyslogd",
    b"saslauthd",
    b"spamass",
    b"spamc",
    b"spamd",
    b"sshd",
    b"sudo",
    b"syslog",
    b"systemd",
    b"unbound",
];

/// How many programs under names of their own are remembered.
const RENAMED_MAX: usize = 16;

/// The dialects whose daemons write to syslog under a name that can be set.
const RENAMABLE: [Dialect; 7] = [
    Dialect::Postfix,
    Dialect::Exim,
    Dialect::Sendmail,
    Dialect::OpenSmtpd,
    Dialect::Qmail,
    Dialect::Courier,
    Dialect::Haraka,
];

/// Programs under names of their own, with the dialect that their lines had the shape of.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Renamed {
    programs: Vec<(Bytes, String)>,
}

impl Renamed {
    fn dialect(&self, program: &[u8]) -> Option<Dialect> {
        let (_, label) = self.programs.iter().find(|(name, _)| **name == *program)?;
        Dialect::parse(label)
    }

    fn learn(&mut self, program: &[u8], dialect: Dialect) {
        if program.is_empty() || !RENAMABLE.contains(&dialect) {
            return;
        }
        if let Some((_, label)) = self.programs.iter_mut().find(|(name, _)| **name == *program) {
            if label != dialect.as_str() {
                dialect.as_str().clone_into(label);
            }
        } else if self.programs.len() < RENAMED_MAX {
            self.programs.push((Bytes::from(program), dialect.as_str().to_owned()));
        }
    }
}

/// Says whether some text is of a dialect.
type Is = fn(&[u8]) -> bool;

/// The dialects by the names of their programs, in the order in which they are asked. Postfix is
/// asked before.
const PROGRAMS: &[(Dialect, Is)] = &[
    (Dialect::Exim, exim::recognise),
    (Dialect::Sendmail, sendmail::recognise),
    (Dialect::OpenSmtpd, opensmtpd::recognise),
    (Dialect::Qmail, qmail::recognise),
    (Dialect::Courier, courier::recognise),
    (Dialect::Haraka, haraka::recognise),
    (Dialect::Dma, dma::recognise),
    (Dialect::Nullmailer, nullmailer::recognise),
];

/// The dialects by the shape of their lines.
const SHAPES: &[(Dialect, Is)] = &[
    (Dialect::Postfix, postfix::is_shaped),
    (Dialect::Exim, exim::is_shaped),
    (Dialect::Sendmail, sendmail::is_shaped),
    (Dialect::OpenSmtpd, opensmtpd::is_shaped),
    (Dialect::Qmail, qmail::is_shaped),
    (Dialect::Courier, courier::is_shaped),
    (Dialect::Haraka, haraka::is_shaped),
    (Dialect::PowerMta, powermta::recognise),
    (Dialect::ZoneMta, zonemta::recognise),
    (Dialect::Momentum, momentum::recognise),
    (Dialect::Stalwart, stalwart::recognise),
    (Dialect::Maddy, maddy::recognise),
    (Dialect::Exchange, exchange::recognise),
    (Dialect::HMailServer, hmailserver::recognise),
    (Dialect::Msmtp, msmtp::recognise),
    (Dialect::Nullmailer, nullmailer::is_shaped),
    (Dialect::Mandrill, esp::is_form),
];

impl Dialects {
    /// The dialect of this record and why.
    fn dialect(&mut self, record: &Record<'_>) -> Option<(Dialect, Evidence)> {
        if let Some(forced) = self.forced {
            return Some((forced, Evidence::Forced));
        }
        if postfix::Daemon::of(record.program).is_some() {
            return Some((Dialect::Postfix, Evidence::Program));
        }
        match self.custom.of_program(record.program) {
            Some(custom) => Some((custom, Evidence::Program)),
            None => self.recognise_other(record).or_else(|| {
                let read = self.custom.read_any(&mut Events::default(), record, &mut |_, _, _| {});
                read.map(|(dialect, _)| (dialect, Evidence::Shape))
            }),
        }
    }

    /// The dialect where it is not Postfix.
    pub(super) fn recognise_other(&mut self, record: &Record<'_>) -> Option<(Dialect, Evidence)> {
        if !record.program.is_empty() {
            let program = record.program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            if let Some((dialect, _)) = PROGRAMS.iter().find(|(_, is)| is(program)) {
                return Some((*dialect, Evidence::Program));
            }
            if FOREIGN.iter().any(|start| program.starts_with(start)) {
                return None;
            }
        }
        let shaped = self.recognise_by_shape(record.message);
        if let Some(dialect) = shaped {
            self.renamed.learn(record.program, dialect);
        }
        let dialect = shaped.or_else(|| self.renamed.dialect(record.program))?;
        Some((dialect, Evidence::Shape))
    }

    /// The dialect of a line that no program's name tells.
    fn recognise_by_shape(&mut self, message: &[u8]) -> Option<Dialect> {
        if let Some(dialect) = self.that_waits(message) {
            return Some(dialect);
        }
        // Lines of one stream have the same shape for the most part, so the last one is tried first.
        let last = SHAPES.iter().filter(|(dialect, _)| Some(*dialect) == self.shaped);
        if let Some((dialect, _)) = last.chain(SHAPES).find(|(_, is)| is(message)) {
            self.shaped = Some(*dialect);
            return Some(*dialect);
        }
        json::recognise(message)
    }

    /// The dialect that has begun something which this line goes on with.
    fn that_waits(&self, message: &[u8]) -> Option<Dialect> {
        if self.powermta.is_open() {
            Some(Dialect::PowerMta)
        } else if self.exchange.is_open() {
            Some(Dialect::Exchange)
        } else if self.haraka.is_open() {
            Some(Dialect::Haraka)
        } else if self.stalwart.expects(message) {
            Some(Dialect::Stalwart)
        } else if self.nullmailer.expects(message) {
            Some(Dialect::Nullmailer)
        } else {
            None
        }
    }

    /// What the first lines of a source were recognised as and why: one entry for each dialect
    /// and program, most lines first.
    pub fn recognise<'a>(&mut self, lines: impl IntoIterator<Item = &'a [u8]>) -> Vec<Recognised> {
        let mut unwrapper = Unwrapper::default();
        let mut found: BTreeMap<_, u64> = BTreeMap::new();
        for line in lines {
            let record = unwrapper.unwrap(line);
            *found.entry((self.dialect(&record), record.program)).or_default() += 1;
        }
        let mut found: Vec<_> = found
            .into_iter()
            .map(|((dialect, program), lines)| Recognised {
                dialect: dialect.map(|(dialect, _)| dialect),
                evidence: dialect.map(|(_, evidence)| evidence),
                program: String::from_utf8_lossy(program).into_owned(),
                lines,
            })
            .collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.lines));
        found
    }
}

/// Lines of a source that were recognised alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// The dialect; `None` for lines that are nobody's.
    pub dialect: Option<Dialect>,
    /// Why, where there is a dialect.
    pub evidence: Option<Evidence>,
    /// The program as the line names it, empty where it names none.
    pub program: String,
    /// How many.
    pub lines: u64,
}
