//! The names that a log takes when it is rotated, and their order.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::bookmark::{Bookmark, FileId};

/// The endings of compressed files. What stands behind them is told by their first bytes; those
/// that cannot be read are here so that their names are understood.
const COMPRESSED: [&[u8]; 6] = [b".gz", b".zst", b".xz", b".bz2", b".lz4", b".Z"];
/// Directories are listed again while they change, this often at most.
const LISTINGS_MAX: usize = 8;

/// Where a rotated name stands in the order of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Age {
    /// `name.1`, `name.2`: the higher, the older. All rotations rename all files.
    Number(u64),
    /// `name-20261121`, `name.20261121-203005`: the digits, which sort as the dates do.
    Date(Vec<u8>),
}

/// The age that a name tells, if it is a rotated form of `base`, and whether it ends as compressed
/// files do.
fn parse(base: &[u8], name: &[u8]) -> Option<(Age, bool)> {
    let plain = COMPRESSED.iter().find_map(|ending| name.strip_suffix(*ending));
    let compressed = plain.is_some();
    let name = plain.unwrap_or(name);
    let age = match name.strip_prefix(base) {
        Some(rest) => age(rest),
        // logrotate's `extension`: mail.log becomes mail-20261121.log.
        None => memchr::memrchr(b'.', base).and_then(|dot| {
            let (stem, extension) = base.split_at_checked(dot)?;
            age(name.strip_prefix(stem)?.strip_suffix(extension)?)
        }),
    };
    // multilog and its relatives write to `current` and rename it to its TAI64N time.
    let age = age.or_else(|| match (base, name) {
        (b"current", [b'@', stamp @ ..]) => {
            let (digits, rest) = stamp.split_at_checked(24)?;
            let hexadecimal = digits.iter().all(u8::is_ascii_hexdigit);
            (hexadecimal && matches!(rest, b".s" | b".u")).then(|| Age::Date(digits.to_vec()))
        }
        _ => None,
    });
    Some((age?, compressed))
}

/// The age in what follows the name: a dot and a small number, or a separator and a date.
fn age(rest: &[u8]) -> Option<Age> {
    let (separator, text) = rest.split_first()?;
    if !matches!(separator, b'.' | b'-' | b'_') {
        return None;
    }
    let digits: Vec<u8> = text.iter().copied().filter(u8::is_ascii_digit).collect();
    if digits.len() == text.len() && digits.len() <= 5 && *separator == b'.' {
        let number = digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        return (!digits.is_empty()).then_some(Age::Number(number));
    }
    let dated = text.iter().all(|byte| byte.is_ascii_digit() || b"-_.:T".contains(byte))
        && text.first().is_some_and(u8::is_ascii_digit)
        && text.last().is_some_and(u8::is_ascii_digit)
        && (8..=20).contains(&digits.len());
    dated.then_some(Age::Date(digits))
}

/// Whether `name` is a name that `base` takes when it is rotated.
pub(super) fn is_rotated(base: &Path, name: &Path) -> bool {
    let same_directory = base.parent() == name.parent();
    match (base.file_name(), name.file_name()) {
        (Some(base), Some(name)) if same_directory => {
            parse(base.as_bytes(), name.as_bytes()).is_some()
        }
        _ => false,
    }
}

/// The name that was rotated to this one, if it ends with a dot and a number.
pub(super) fn numbered_base(name: &Path) -> Option<PathBuf> {
    let bytes = name.file_name()?.as_bytes();
    let (base, _) = bytes.split_at_checked(memchr::memrchr(b'.', bytes)?)?;
    let numbered = matches!(parse(base, bytes), Some((Age::Number(_), false)));
    (numbered && !base.is_empty()).then(|| name.with_file_name(OsStr::from_bytes(base)))
}

/// Whether the name ends as compressed files do. They are read to catch up, never followed.
pub(super) fn is_compressed(name: &Path) -> bool {
    COMPRESSED.iter().any(|ending| name.as_os_str().as_bytes().ends_with(ending))
}

/// A file beside a log that is an earlier form of it, or the log itself.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    /// When it was last written to, since the epoch.
    pub(super) modified: Duration,
    pub(super) compressed: bool,
    age: Option<Age>,
}

impl Sibling {
    /// Whether it is not the log itself.
    pub(super) fn is_rotated(&self) -> bool {
        self.age.is_some()
    }

    /// Whether it has the inode of a bookmark. Some file systems get another device number with
    /// each start of the machine.
    pub(super) fn is_inode_of(&self, bookmark: &Bookmark, rebooted: bool) -> bool {
        self.id == bookmark.id() || rebooted && self.id.inode() == bookmark.inode
    }
}

/// The earlier forms of `base` that exist, oldest first, and after them `base` itself if there is
/// such a file.
///
/// A rotation may be under way: the directory is read until two readings agree.
pub(super) fn list(base: &Path) -> io::Result<Vec<Sibling>> {
    let mut before = list_once(base)?;
    for _ in 0..LISTINGS_MAX {
        let after = list_once(base)?;
        let names = |list: &[Sibling]| -> Vec<(PathBuf, FileId)> {
            list.iter().map(|sibling| (sibling.path.clone(), sibling.id)).collect()
        };
        if names(&before) == names(&after) {
            return Ok(after);
        }
        before = after;
    }
    Ok(before)
}

fn list_once(base: &Path) -> io::Result<Vec<Sibling>> {
    let directory = base.parent().filter(|parent| !parent.as_os_str().is_empty());
    let base_name = base.file_name().unwrap_or_default();
    let mut found = Vec::new();
    let entries = match fs::read_dir(directory.unwrap_or(Path::new("."))) {
        Ok(entries) => Some(entries),
        // Files can be opened by name in a directory that may not be listed.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => None,
        Err(error) => return Err(error),
    };
    for entry in entries.into_iter().flatten() {
        let name = entry?.file_name();
        let Some((age, compressed)) = parse(base_name.as_bytes(), name.as_bytes()) else {
            continue;
        };
        found.extend(look(base.with_file_name(&name), Some(age), compressed));
    }
    // `gzip` writes NAME.gz beside NAME and then removes NAME: as long as NAME is there, it counts.
    let plain: Vec<PathBuf> = found
        .iter()
        .filter(|sibling| !sibling.compressed)
        .map(|sibling| sibling.path.clone())
        .collect();
    found.retain(|sibling| {
        !sibling.compressed || !plain.contains(&sibling.path.with_extension(OsStr::new("")))
    });
    sort(&mut found);
    found.extend(look(base.to_owned(), None, false));
    Ok(found)
}

/// What there is under a name, if it is a file.
fn look(path: PathBuf, age: Option<Age>, compressed: bool) -> Option<Sibling> {
    let metadata = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let modified = super::modified(&metadata);
    Some(Sibling { id: FileId::of(&metadata), modified, compressed, age, path })
}

/// Oldest first. Names of different kinds cannot be compared; then the time of the last write
/// decides for all.
fn sort(found: &mut [Sibling]) {
    let numbered = found.iter().all(|sibling| matches!(sibling.age, Some(Age::Number(_))));
    let dated = found.iter().all(|sibling| matches!(sibling.age, Some(Age::Date(_))));
    found.sort_by(|left, right| {
        let order = match (&left.age, &right.age) {
            (Some(Age::Number(left)), Some(Age::Number(right))) if numbered => right.cmp(left),
            (Some(Age::Date(left)), Some(Age::Date(right))) if dated => left.cmp(right),
            _ => left.modified.cmp(&right.modified),
        };
        order.then_with(|| left.path.cmp(&right.path)).then_with(|| left.id.cmp(&right.id))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(base: &str, name: &str) -> Option<(Age, bool)> {
        parse(base.as_bytes(), name.as_bytes())
    }

    #[test]
    fn the_names_of_the_usual_rotation_tools_are_known() {
        let date = |digits: &str| Age::Date(digits.into());
        for (base, name, age, compressed) in [
            ("mail.log", "mail.log.1", Age::Number(1), false),
            ("mail.log", "mail.log.12.gz", Age::Number(12), true),
            ("mail.log", "mail.log.0", Age::Number(0), false),
            ("maillog", "maillog-20261121", date("20261121"), false),
            ("maillog", "maillog-20261121.xz", date("20261121"), true),
            ("maillog", "maillog-20261121-1795291200.gz", date("202611211795291200"), true),
            ("maillog", "maillog-2026112120", date("2026112120"), false),
            ("maillog", "maillog-2026-11-21", date("20261121"), false),
            ("postfix.log", "postfix.log.20261121-203005", date("20261121203005"), false),
            ("postfix.log", "postfix.log.20261121-203005.gz", date("20261121203005"), true),
            ("mail.log", "mail-20261121.log.zst", date("20261121"), true),
            ("mail.log", "mail.1.log", Age::Number(1), false),
            ("current", "@400000004a32392b2aa21dac.s", date("400000004a32392b2aa21dac"), false),
        ] {
            assert_eq!(known(base, name), Some((age, compressed)), "{name}");
        }
    }

    #[test]
    fn other_names_are_not_taken_for_rotated_ones() {
        for name in [
            "mail.log",
            "mail.log.gz",
            "mail.log.bak",
            "mail.log.1.bak",
            "mail.log.",
            "mail.log-",
            "mail.log.offset",
            "mail.logs.1",
            "mail.err.1",
            "mail.log-1",
            "mail.log.123456",
            "mail.log.1-",
            "@400000004a32392b2aa21dac.s",
        ] {
            assert_eq!(known("mail.log", name), None, "{name}");
        }
    }

    #[test]
    fn siblings_are_listed_oldest_first_and_a_file_under_compression_once() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().join("mail.log");
        for name in
            ["mail.log", "mail.log.1", "mail.log.1.gz", "mail.log.10.gz", "mail.log.2.gz", "mail.x"]
        {
            fs::write(directory.path().join(name), name).unwrap();
        }
        let names: Vec<String> = list(&base)
            .unwrap()
            .iter()
            .map(|sibling| sibling.path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["mail.log.10.gz", "mail.log.2.gz", "mail.log.1", "mail.log"]);
    }
}
