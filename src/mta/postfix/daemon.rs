//! Which daemon wrote a line.

use crate::envelope::{Bytes, Skim};

/// The daemons, as far as their lines differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mta) enum Daemon {
    /// smtp(8): talks to other servers.
    Client,
    /// lmtp(8): hands over to a mailbox store. That is always the site's own (RFC 2033 §5).
    Mailbox,
    /// smtpd(8), qmqpd(8).
    Server,
    /// postscreen(8).
    Screen,
    /// cleanup(8).
    Cleanup,
    /// qmgr(8).
    Queue,
    /// What delivers without talking to a server: local(8), virtual(8), pipe(8), error(8),
    /// discard(8), and bounce(8) and verify(8), which log in the same way.
    Agent,
    /// Any other: its lines never hold an outcome or a reply.
    Quiet,
    /// Postfix, but the name of the daemon is lost.
    Unnamed,
}

impl Daemon {
    /// The daemon behind a program's name, `None` where it is none of Postfix.
    ///
    /// `syslog_name` may be anything, with slashes too; the daemon is what follows the last one.
    #[inline]
    pub(in crate::mta) fn of(program: &[u8]) -> Option<Self> {
        match Self::of_usual(program) {
            None => Self::of_any(program),
            usual => usual,
        }
    }

    /// The daemon behind a program's name if it is one of the four from which nearly all lines
    /// come. The end of the name tells them apart.
    #[inline]
    fn of_usual(program: &[u8]) -> Option<Self> {
        let end = u64::from_be_bytes(*program.last_chunk()?);
        let (five, six) = (end & (u64::MAX >> 24), end & (u64::MAX >> 16));
        if five == const { number(b"/smtp") } {
            Some(Self::Client)
        } else if six == const { number(b"/smtpd") } {
            Some(Self::Server)
        } else if five == const { number(b"/qmgr") } {
            Some(Self::Queue)
        } else if end == const { number(b"/cleanup") } {
            Some(Self::Cleanup)
        } else {
            None
        }
    }

    fn of_any(program: &[u8]) -> Option<Self> {
        let Some(slash) = program.iter().rposition(|byte| *byte == b'/') else {
            return program.starts_with(b"postfix").then_some(Self::Unnamed);
        };
        match program.get(slash + 1..)? {
            b"smtp" => Some(Self::Client),
            b"smtpd" | b"qmqpd" => Some(Self::Server),
            b"qmgr" | b"oqmgr" | b"nqmgr" => Some(Self::Queue),
            b"cleanup" => Some(Self::Cleanup),
            b"lmtp" => Some(Self::Mailbox),
            b"postscreen" => Some(Self::Screen),
            b"bounce" | b"defer" | b"trace" | b"local" | b"virtual" | b"pipe" | b"error"
            | b"retry" | b"discard" | b"verify" | b"spawn" => Some(Self::Agent),
            b"anvil" | b"dnsblog" | b"flush" | b"master" | b"pickup" | b"postalias"
            | b"postdrop" | b"postfix-script" | b"postfix-tlspol" | b"postkick" | b"postlog"
            | b"postlogd" | b"postmap" | b"postmulti" | b"postqueue" | b"postsuper"
            | b"proxymap" | b"proxywrite" | b"scache" | b"sendmail" | b"showq" | b"tlsmgr"
            | b"tlsproxy" | b"trivial-rewrite" => Some(Self::Quiet),
            // A daemon that this version does not know.
            _ => program.starts_with(b"postfix").then_some(Self::Unnamed),
        }
    }
}

impl Daemon {
    /// What says at a glance that a message of this daemon is never counted.
    pub(in crate::mta) fn skim(self) -> Option<&'static Skim> {
        static SERVER: Skim = Skim {
            messages: &[*b"connect ", *b"disconne"],
            texts: &[],
            counted: Bytes::of(b"rmpw"),
            unless: None,
        };
        static CLEANUP: Skim = Skim {
            messages: &[],
            texts: &[*b"message-"],
            counted: Bytes::of(b"rmpwtf"),
            unless: None,
        };
        static QUEUE: Skim = Skim {
            messages: &[],
            texts: &[],
            counted: Bytes::of(b"tf"),
            // `from=<...>, status=expired, returned to sender`
            unless: Some((b'f', b'r')),
        };
        match self {
            Self::Server => Some(&SERVER),
            Self::Cleanup => Some(&CLEANUP),
            Self::Queue => Some(&QUEUE),
            Self::Client
            | Self::Mailbox
            | Self::Screen
            | Self::Agent
            | Self::Quiet
            | Self::Unnamed => None,
        }
    }
}

/// Bytes as a number, the last one lowest.
const fn number(mut bytes: &[u8]) -> u64 {
    let mut number = 0;
    while let [byte, rest @ ..] = bytes {
        number = number << 8 | *byte as u64;
        bytes = rest;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_is_what_follows_the_last_slash() {
        for (program, daemon) in [
            ("postfix/smtp", Some(Daemon::Client)),
            ("postfix/relay/smtp", Some(Daemon::Client)),
            ("postfix-out/smtp", Some(Daemon::Client)),
            ("enforced-tls-smtp/smtp", Some(Daemon::Client)),
            ("watchdog/smtpd", Some(Daemon::Server)),
            ("postfix/smtps-haproxy/smtpd", Some(Daemon::Server)),
            ("postfix/sender-cleanup/cleanup", Some(Daemon::Cleanup)),
            ("a/smtp", Some(Daemon::Client)),
            ("a/qmgr", Some(Daemon::Queue)),
            ("postfix/nqmgr", Some(Daemon::Queue)),
            ("postfix/xsmtp", Some(Daemon::Unnamed)),
            ("postfix/lmtp", Some(Daemon::Mailbox)),
            ("postfix/tlsmgr", Some(Daemon::Quiet)),
            ("postfix", Some(Daemon::Unnamed)),
            ("postfix-out", Some(Daemon::Unnamed)),
            ("postfix/something-new", Some(Daemon::Unnamed)),
            ("smtpd", None),
            ("sendmail", None),
            ("sm-mta", None),
            ("exim", None),
            ("/usr/sbin/cron", None),
            ("", None),
        ] {
            assert_eq!(Daemon::of(program.as_bytes()), daemon, "{program}");
        }
    }

    #[test]
    fn what_is_skimmed_over_is_irrelevant() {
        use crate::envelope::Glance;

        let mut skimmed = 0;
        for log in ["file", "rotated"] {
            let path = format!("{}/tests/logs/postfix/{log}.log", env!("CARGO_MANIFEST_DIR"));
            let mut unwrapper = crate::envelope::Unwrapper::new(crate::mta::skims);
            for line in std::fs::read(path).unwrap().split(|byte| *byte == b'\n') {
                let record = crate::envelope::Unwrapper::default().unwrap(line);
                let tag = String::from_utf8_lossy(record.program).into_owned();
                // A message of another daemon, or one that was cut, is not skimmed over if it is read.
                for program in [tag.as_str(), "postfix/smtpd", "postfix/cleanup", "a/b/qmgr"] {
                    for end in [record.message.len(), record.message.len() / 2] {
                        let message = String::from_utf8_lossy(&record.message[..end]);
                        let line = format!("Nov 21 20:00:01 mx1 {program}[123]: {message}");
                        // A glance needs some bytes behind a short line.
                        let text = format!("{line}\n{line}");
                        unwrapper.unwrap(text.as_bytes());
                        if !matches!(unwrapper.glance(text.as_bytes()), (Glance::Skimmed, _)) {
                            continue;
                        }
                        skimmed += 1;
                        let daemon = Daemon::of(program.as_bytes()).unwrap();
                        let record = unwrapper.unwrap(line.as_bytes());
                        let kind = super::super::Postfix::default().read(
                            daemon,
                            &record,
                            &mut |_, _, reading: crate::mta::Reading<'_>| panic!("{reading:?}"),
                        );
                        assert_eq!(kind, crate::mta::LineKind::Irrelevant, "{line}");
                    }
                }
            }
        }
        assert!(skimmed > 30_000, "{skimmed}");
    }
}
