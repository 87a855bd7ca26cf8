//! The usual logs, where nothing is configured.

use std::fs;
use std::path::{Path, PathBuf};

use super::Source;
use crate::source::{Origin, Spec};

/// Where mail servers log unless told otherwise, and who puts it there.
const USUAL: &[&str] = &[
    "var/log/mail.log",           // Debian, Ubuntu, Alpine: rsyslog's mail.*
    "var/log/maillog",            // Red Hat and its kin, FreeBSD; Postfix's own suggestion
    "var/log/mail",               // SUSE
    "var/log/mail/mail.log",      // Gentoo's syslog-ng
    "var/log/mail/all",           // ALT
    "var/log/postfix.log",        // Postfix's example for maillog_file in a container
    "var/log/exim4/mainlog",      // Exim on Debian
    "var/log/exim/main.log",      // Exim on Red Hat
    "var/log/exim/mainlog",       // Exim on Alpine and FreeBSD
    "var/log/exim_mainlog",       // Exim with cPanel
    "var/spool/exim/log/mainlog", // Exim as its authors ship it
];

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
    let mut known = Vec::new();
    let postfix = postfix_log_file(root);
    for path in postfix.iter().map(String::as_str).chain(USUAL.iter().copied()) {
        let path = root.join(path);
        if detection.looked_at.contains(&path) {
            continue;
        }
        detection.looked_at.push(path.clone());
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let identity = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
        if !metadata.is_file() || known.contains(&identity) {
            continue;
        }
        known.push(identity);
        detection.found.push(Source {
            spec: Spec::new(path.to_string_lossy(), Origin::Path(path.clone())),
            dialect: None,
        });
    }
    detection
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
    fn a_machine_without_mail_logs_has_none() {
        let root = tempfile::tempdir().unwrap();
        let detection = usual_logs(root.path());
        assert_eq!(detection.found, []);
        assert!(!detection.looked_at.is_empty());
    }
}
