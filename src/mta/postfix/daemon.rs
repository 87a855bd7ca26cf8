//! Which daemon wrote a line.

use super::split;
use crate::envelope::Skim;

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
    /// What says at a glance that a message of this daemon is never counted. Most lines of a log are
    /// of this kind; a message that it lets through is read as any other.
    pub(in crate::mta) fn skim(self) -> Option<Skim> {
        match self {
            Self::Server => {
                Some(|message| !matches!(first(message), Some(b'm' | b'p' | b'r' | b'w')))
            }
            Self::Cleanup => Some(|message| {
                let (_, text) = split(message);
                match text.first() {
                    Some(b'm') => !text.starts_with(b"milter-"),
                    Some(b'f' | b'p' | b'r' | b't' | b'w') => false,
                    Some(_) | None => true,
                }
            }),
            Self::Queue => Some(|message| {
                first(message) != Some(b't') && !message.ends_with(b"returned to sender")
            }),
            Self::Quiet => Some(|_| true),
            Self::Client | Self::Mailbox | Self::Screen | Self::Agent | Self::Unnamed => None,
        }
    }
}

/// The first byte behind the queue id.
#[inline]
fn first(message: &[u8]) -> Option<u8> {
    split(message).1.first().copied()
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
        let mut skimmed = 0;
        for log in ["file", "rotated"] {
            let path = format!("{}/tests/logs/postfix/{log}.log", env!("CARGO_MANIFEST_DIR"));
            let log = std::fs::read(path).unwrap();
            for line in log.split(|byte| *byte == b'\n') {
                let record = crate::envelope::Unwrapper::default().unwrap(line);
                let Some(daemon) = Daemon::of(record.program) else { continue };
                // A cut or changed message must not be skimmed over either if it is read.
                for end in [record.message.len(), record.message.len() / 2] {
                    let message = &record.message[..end];
                    if daemon.skim().is_some_and(|skim| skim(message)) {
                        let record = crate::envelope::Record { message, ..record };
                        let kind = super::super::Postfix::default().read(
                            daemon,
                            &record,
                            &mut |_, _, reading| panic!("{reading:?}"),
                        );
                        assert_eq!(kind, crate::mta::LineKind::Irrelevant);
                        skimmed += 1;
                    }
                }
            }
        }
        assert!(skimmed > 8_000, "{skimmed}");
    }
}
