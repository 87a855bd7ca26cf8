//! Holds the house to its own rules: who may import whom, and where I/O may happen.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What may be named only in some places: the needle, the paths below `src` where it may stand, and
/// why.
const WALLS: &[(&str, &[&str], &str)] = &[
    ("tokio::", &["http", "cli", "main.rs"], "asynchronous code serves HTTP and nothing else"),
    ("hyper::", &["http"], "asynchronous code serves HTTP and nothing else"),
    ("hyper_util::", &["http"], "asynchronous code serves HTTP and nothing else"),
    (
        "regex::",
        &["reason", "provider", "mta/custom"],
        "regular expressions are compiled from tables, never written into code",
    ),
    (
        "std::fs",
        &["source", "ledger/state", "exposition/process", "config", "cli", "reader", "main.rs"],
        "what is between the tail and the server does no I/O",
    ),
    (
        "std::net",
        &["source", "http", "config", "cli", "main.rs"],
        "what is between the tail and the server does no I/O",
    ),
    (
        "SystemTime::now",
        &["source", "reader", "http", "cli", "main.rs"],
        "time comes in as an argument",
    ),
    (
        "Instant::now",
        &["source", "reader", "http", "cli", "main.rs"],
        "time comes in as an argument",
    ),
    (
        "std::process",
        &["source", "cli", "main.rs", "build.rs"],
        "only commands end or start a process",
    ),
];

/// The longest a source file may be, its tests not counted: one file is one room.
const LINES_MAX: usize = 600;

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("a source directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source file");
            (path.strip_prefix(&root).expect("below src").to_owned(), text)
        })
        .collect()
}

/// The part of a file before its unit tests.
fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]").and_then(|at| text.get(..at)).unwrap_or(text)
}

/// The code of a file, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    without_tests(text)
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line))
}

fn room(path: &Path) -> String {
    let first = path.components().next().expect("a component").as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

#[test]
fn each_room_imports_only_rooms_that_stand_above_it() {
    let sources = sources();
    let (_, lib) = sources.iter().find(|(path, _)| path == Path::new("lib.rs")).expect("lib.rs");
    let order: BTreeMap<&str, usize> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .enumerate()
        .map(|(place, name)| (name, place))
        .collect();
    assert!(order.len() > 8, "the rooms of lib.rs were not found");
    let mut wrong = Vec::new();
    for (path, text) in &sources {
        let Some(own) = order.get(room(path).as_str()) else { continue };
        for (number, line) in code(text) {
            for (_, rest) in
                line.match_indices("crate::").map(|(at, word)| line.split_at(at + word.len()))
            {
                let name = rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next();
                if order.get(name.unwrap_or_default()).is_some_and(|place| place > own) {
                    wrong.push(format!("{}:{number}: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "these import a room that stands below them:\n{}", wrong.join("\n"));
}

#[test]
fn what_has_a_wall_stays_behind_it() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (number, line) in code(&text) {
            for (needle, allowed, why) in WALLS {
                let inside = allowed.iter().any(|place| {
                    path.starts_with(place) || path == Path::new(&format!("{place}.rs"))
                });
                if !inside && line.contains(needle) {
                    wrong.push(format!("{}:{number}: {needle} ({why})", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "out of place:\n{}", wrong.join("\n"));
}

#[test]
fn a_file_is_one_room_and_says_what_it_is() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let lines = without_tests(&text).lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{} has {lines} lines, more than {LINES_MAX}", path.display()));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{} does not start with what it is", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
