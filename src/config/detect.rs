//! The usual logs, where nothing is configured.

use std::fs;
use std::path::{Path, PathBuf};

use super::Source;
use crate::source::{Filter, Origin, Spec};

/// Where syslog daemons put what mail servers log.
const SYSLOG: &[&str] = &[
    "var/log/mail.log",      // Debian, Ubuntu, Alpine: rsyslog's mail.*
    "var/log/maillog",       // Red Hat and its kin, FreeBSD; Postfix's own suggestion
    "var/log/mail",          // SUSE
    "var/log/mail/mail.log", // Gentoo's syslog-ng
    "var/log/mail/all",      // ALT
    "var/log/postfix.log",   // Postfix's example for maillog_file in a container
];

/// Where mail servers log that write files of their own.
const OWN: &[&str] = &[
    "var/log/exim4/mainlog",        // Exim on Debian
    "var/log/exim/main.log",        // Exim on Red Hat
    "var/log/exim/mainlog",         // Exim on Alpine and FreeBSD
    "var/log/exim_mainlog",         // Exim with cPanel
    "var/spool/exim/log/mainlog",   // Exim as its authors ship it
    "var/log/qmail/current",        // qmail as "Life with qmail" has it, and netqmail's packages
    "var/log/qmail/send/current",   // qmail with a directory for each service
    "var/log/pmta/acct.csv",        // PowerMTA
    "var/log/ecelerity/mainlog.ec", // Momentum
];

/// The configurations of mail servers that log to syslog, and so to the journal where there is no
/// syslog daemon, as on Debian since 12.
const LOGS_TO_SYSLOG: &[&str] =
    &["etc/postfix/main.cf", "etc/mail/sendmail.cf", "etc/smtpd.conf", "etc/opensmtpd/smtpd.conf"];

/// Present where the journal is kept.
const JOURNAL: &str = "run/systemd/journal/socket";

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detection {
    /// The logs that exist, whether or not they can be read.
    pub found: Vec<Source>,
    /// Every path that was looked at.
    pub looked_at: Vec<PathBuf>,
}

/// Looks for the usual logs below `root`, which is `/` but for tests. One file under two names is
/// taken once, for its lines must not count twice.
pub fn usual_logs(root: &Path) -> Detection {
    let mut detection = Detection::default();
    let postfix = postfix_log_file(root);
    for path in postfix.iter().map(String::as_str).chain(SYSLOG.iter().copied()) {
        detection.look_at(&root.join(path));
    }
    if detection.found.is_empty() && logs_to_journal(root) {
        let filter = Filter { mail_only: true, ..Filter::default() };
        let spec = Spec::new("journal", Origin::Journal(filter));
        detection.found.push(Source { spec, dialect: None });
    }
    for path in OWN {
        detection.look_at(&root.join(path));
    }
    detection
}

impl Detection {
    /// Takes the file if it is there and is not one of those that were found already.
    fn look_at(&mut self, path: &Path) {
        if self.looked_at.iter().any(|known| known == path) {
            return;
        }
        self.looked_at.push(path.to_owned());
        let is_known = |identity: &Path| {
            self.found.iter().any(|source| match &source.spec.origin {
                Origin::Path(known) => fs::canonicalize(known).is_ok_and(|known| known == identity),
                Origin::Glob(_)
                | Origin::Stdin
                | Origin::Fifo(_)
                | Origin::Journal(_)
                | Origin::Syslog(_) => false,
            })
        };
        let is_new = fs::canonicalize(path).is_ok_and(|identity| !is_known(&identity));
        if is_new && path.is_file() {
            let spec = Spec::new(path.to_string_lossy(), Origin::Path(path.to_owned()));
            self.found.push(Source { spec, dialect: None });
        }
    }
}

/// Whether a mail server logs to the journal: one that uses syslog is there, and the journal too.
fn logs_to_journal(root: &Path) -> bool {
    root.join(JOURNAL).exists() && LOGS_TO_SYSLOG.iter().any(|path| root.join(path).exists())
}

/// The value of Postfix's `maillog_file`, without its first slash, where it names a file outright.
fn postfix_log_file(root: &Path) -> Option<String> {
    let text = fs::read(root.join("etc/postfix/main.cf")).ok()?;
    let text = String::from_utf8_lossy(&text);
    let value = text.lines().rev().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim_end() == "maillog_file").then(|| value.trim().to_owned())
    })?;
    // A value with a $ refers to other parameters; /dev/stdout is no file to follow.
    let path = value.strip_prefix('/')?;
    (!path.contains('$') && !path.starts_with("dev/")).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_logs_are_found_once_each() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for directory in ["var/log/exim4", "etc/postfix", "var/log/mail"] {
            fs::create_dir_all(path(directory)).unwrap();
        }
        fs::write(path("var/log/mail.log"), "").unwrap();
        std::os::unix::fs::symlink(path("var/log/mail.log"), path("var/log/maillog")).unwrap();
        fs::write(path("var/log/exim4/mainlog"), "").unwrap();
        fs::write(path("var/log/own.log"), "").unwrap();
        let main_cf = "#maillog_file = /nowhere\nmaillog_file = /var/log/own.log\n";
        fs::write(path("etc/postfix/main.cf"), main_cf).unwrap();

        let detection = usual_logs(root.path());

        let found: Vec<_> =
            detection.found.iter().map(|source| PathBuf::from(&source.spec.name)).collect();
        let expected = ["var/log/own.log", "var/log/mail.log", "var/log/exim4/mainlog"];
        assert_eq!(found, expected.map(path));
        assert!(detection.looked_at.contains(&path("var/log/exim_mainlog")));
    }

    #[test]
    fn without_a_syslog_daemon_the_journal_is_read_for_those_who_use_syslog() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        let found = || -> Vec<String> {
            let found = usual_logs(root.path()).found.into_iter();
            let prefix = format!("{}/", root.path().display());
            found.map(|source| source.spec.name.replace(&prefix, "")).collect()
        };
        write("run/systemd/journal/socket");
        write("var/log/exim4/mainlog");
        assert_eq!(found(), ["var/log/exim4/mainlog"]);
        write("etc/postfix/main.cf");
        assert_eq!(found(), ["journal", "var/log/exim4/mainlog"]);
        write("var/log/mail.log");
        assert_eq!(found(), ["var/log/mail.log", "var/log/exim4/mainlog"]);
    }

    #[test]
    fn a_machine_without_mail_logs_has_none() {
        let root = tempfile::tempdir().unwrap();
        let detection = usual_logs(root.path());
        assert_eq!(detection.found, []);
        assert!(!detection.looked_at.is_empty());
    }
}
