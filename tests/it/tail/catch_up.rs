//! What happens to a log while nobody reads it.

use std::fs::{self, OpenOptions};
use std::time::Duration;

use mta_exporter::source::{Note, Origin, StartAt};

use super::Tail;

/// A tail that has read one line of `mail.log`.
fn begun() -> Tail {
    let mut tail = Tail::new();
    tail.write("mail.log", "one\n");
    assert_eq!(tail.next(), ["one"]);
    tail
}

#[test]
fn reading_goes_on_where_it_stopped() {
    let mut tail = begun();
    tail.restart();
    assert_eq!(tail.next(), [""; 0]);
    tail.write("mail.log", "two\nthr");
    tail.restart();
    assert_eq!(tail.next(), ["two"]);
    tail.write("mail.log", "ee\n");
    tail.restart();
    assert_eq!(tail.next(), ["three"]);
    assert_eq!(tail.seen.notes, []);
}

#[test]
fn several_rotations_are_read_in_order() {
    let mut tail = begun();
    tail.write("mail.log.9", "ancient, never read\n");
    tail.write("mail.log", "two\n");
    tail.rename("mail.log", "mail.log.3");
    tail.write("mail.log.2", "three\n");
    tail.write("mail.log.1", "four\n");
    tail.write("mail.log", "five\n");
    tail.restart();
    assert_eq!(tail.next(), ["two", "three", "four", "five"]);
    assert_eq!(tail.seen.notes, [Note::Rotation; 3]);
    tail.restart();
    assert_eq!(tail.next(), [""; 0]);
}

#[test]
fn compressed_rotations_are_found_by_their_content() {
    let mut tail = begun();
    tail.write("mail.log.4", "ancient, never read\n");
    tail.gzip("mail.log.4");
    tail.write("mail.log", "two\n");
    tail.rename("mail.log", "mail.log.3");
    tail.gzip("mail.log.3");
    tail.write("mail.log.2", "three\n");
    tail.gzip("mail.log.2");
    tail.write("mail.log.1", "four\n");
    tail.write("mail.log", "five\n");
    tail.restart();
    assert_eq!(tail.next(), ["two", "three", "four", "five"]);
    assert_eq!(tail.seen.count(Note::Gap), 0);
    tail.restart();
    assert_eq!(tail.next(), [""; 0]);
}

#[test]
fn dated_names_are_read_in_order() {
    for names in [
        ["mail.log-20261119", "mail.log-20261120", "mail.log-20261121"],
        ["mail.log.20261121-203005", "mail.log.20261121-203006", "mail.log.20261121-210000"],
        ["mail-2026112108.log", "mail-2026112109.log", "mail-2026112110.log"],
    ] {
        let mut tail = begun();
        tail.write(names[0], "ancient, never read\n");
        tail.write("mail.log", "two\n");
        tail.rename("mail.log", names[1]);
        tail.gzip(names[1]);
        tail.write(names[2], "three\n");
        tail.write("mail.log", "four\n");
        tail.restart();
        assert_eq!(tail.next(), ["two", "three", "four"]);
    }
}

/// The fixtures hold the same log, made by the tools of these names.
#[test]
fn zstd_and_xz_are_read_too() {
    for (ending, bytes) in [
        ("zst", include_bytes!("../../logs/compressed/two-frames.zst").as_slice()),
        ("xz", include_bytes!("../../logs/compressed/two-streams.xz").as_slice()),
    ] {
        let mut tail = Tail::new();
        tail.write("mail.log", "first line\n");
        assert_eq!(tail.next(), ["first line"]);
        fs::remove_file(tail.path("mail.log")).unwrap();
        fs::write(tail.path(&format!("mail.log.1.{ending}")), bytes).unwrap();
        tail.write("mail.log", "fourth line\n");
        tail.restart();
        assert_eq!(tail.next(), ["second line", "third line", "fourth line"], "{ending}");
    }
}

#[test]
fn a_log_that_is_gone_is_a_gap_and_newer_ones_are_read() {
    let mut tail = begun();
    tail.write("mail.log.7", "older than what was read\n");
    let old = std::time::SystemTime::now() - Duration::from_secs(7200);
    OpenOptions::new()
        .write(true)
        .open(tail.path("mail.log.7"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    fs::remove_file(tail.path("mail.log")).unwrap();
    tail.write("mail.log.1", "three\n");
    // The machine's clock is ahead of the one that is stepped here.
    OpenOptions::new()
        .write(true)
        .open(tail.path("mail.log.1"))
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH + tail.now.unix + Duration::from_secs(1))
        .unwrap();
    tail.write("mail.log", "four\n");
    tail.restart();
    assert_eq!(tail.next(), ["three", "four"]);
    assert_eq!(tail.seen.count(Note::Gap), 1);
}

#[test]
fn a_copy_made_while_nobody_read_has_the_rest() {
    let mut tail = begun();
    tail.write("mail.log", "two\n");
    tail.copy_truncate("mail.log", "mail.log.1");
    tail.write("mail.log", "three, which is longer than what was there\n");
    tail.restart();
    assert_eq!(tail.next(), ["two", "three, which is longer than what was there"]);
    assert_eq!(tail.seen.count(Note::Gap), 0);
    tail.restart();
    assert_eq!(tail.next(), [""; 0]);
}

#[test]
fn a_truncation_while_nobody_read_is_noticed() {
    let mut tail = begun();
    fs::write(tail.path("mail.log"), "two, which is longer than what was there\n").unwrap();
    tail.restart();
    assert_eq!(tail.next(), ["two, which is longer than what was there"]);
    assert_eq!(tail.seen.notes, [Note::Truncation]);
}

#[test]
fn an_inode_that_was_given_to_another_file_is_no_identity() {
    let mut tail = begun();
    let saved = tail.save();
    // The same inode, by writing over it: no file system has to be asked to reuse one.
    tail.rename("mail.log", "mail.log.1");
    fs::copy(tail.path("mail.log.1"), tail.path("mail.log.2")).unwrap();
    fs::write(tail.path("mail.log.1"), "").unwrap();
    tail.rename("mail.log.1", "mail.log");
    tail.rename("mail.log.2", "mail.log.1");
    tail.write("mail.log.1", "two\n");
    tail.write("mail.log", "ONE\nthree\n");
    tail.restart_from(&saved, false);
    assert_eq!(tail.next(), ["two", "ONE", "three"]);
}

#[test]
fn both_files_that_were_open_are_found_again() {
    let mut tail = begun();
    tail.rename("mail.log", "mail.log.1");
    tail.write("mail.log", "two\n");
    assert_eq!(tail.next(), ["two"]);
    tail.write("mail.log.1", "late\n");
    tail.write("mail.log", "three\n");
    tail.rename("mail.log.1", "mail.log.2");
    tail.rename("mail.log", "mail.log.1");
    tail.gzip("mail.log.2");
    tail.write("mail.log", "four\n");
    tail.restart();
    assert_eq!(tail.next(), ["late", "three", "four"]);
}

#[test]
fn a_file_that_was_let_go_is_not_read_again() {
    let mut tail = begun();
    tail.rename("mail.log", "mail.log.1");
    tail.write("mail.log", "two\n");
    tail.step();
    tail.pass(Duration::from_secs(100));
    tail.restart();
    assert_eq!(tail.next(), ["two"]);
    // Not even when the newer one vanishes.
    fs::remove_file(tail.path("mail.log")).unwrap();
    tail.restart();
    tail.write("mail.log", "three\n");
    assert_eq!(tail.next(), ["three"]);
}

#[test]
fn after_a_power_cut_reading_goes_on_at_the_end_of_what_is_left() {
    let mut tail = begun();
    tail.write("mail.log", "x".repeat(400));
    tail.write("mail.log", "\ntwo\nthree\n");
    tail.step();
    tail.lines();
    let saved = tail.save();
    let file = OpenOptions::new().write(true).open(tail.path("mail.log")).unwrap();
    file.set_len(4 + 401 + 2).unwrap();
    // Without a new start of the machine that is a truncation.
    tail.restart_from(&saved, false);
    assert_eq!(tail.next().len(), 2);
    assert_eq!(tail.seen.notes, [Note::Truncation]);
    tail.restart_from(&saved, true);
    assert_eq!(tail.next(), [""; 0]);
    tail.write("mail.log", "four\nfive\n");
    assert_eq!(tail.next(), ["four", "five"]);
    assert_eq!(tail.seen.notes, [Note::Truncation]);
}

#[test]
fn bytes_that_never_reached_the_disk_read_as_zero() {
    let mut tail = begun();
    tail.write("mail.log", "x".repeat(400));
    tail.write("mail.log", "\ntwo\nthree\n");
    tail.step();
    tail.lines();
    let saved = tail.save();
    let file = OpenOptions::new().write(true).open(tail.path("mail.log")).unwrap();
    let size = file.metadata().unwrap().len();
    file.set_len(4 + 401).unwrap();
    file.set_len(size).unwrap();
    tail.write("mail.log", "four\n");
    tail.restart_from(&saved, true);
    assert_eq!(tail.next(), ["four"]);
    assert_eq!(tail.seen.notes, []);
}

#[test]
fn a_damaged_compressed_log_is_read_as_far_as_it_goes() {
    let mut tail = begun();
    let text = (0..20_000).map(|number| format!("line {number}\n")).collect::<Vec<_>>().concat();
    tail.write("mail.log", text);
    tail.rename("mail.log", "mail.log.1");
    tail.gzip("mail.log.1");
    let file = OpenOptions::new().write(true).open(tail.path("mail.log.1.gz")).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    tail.write("mail.log", "after\n");
    tail.restart();
    let lines = tail.next();
    assert!(lines.len() > 1000, "only {} lines were read", lines.len());
    assert_eq!(lines.last().unwrap(), "after");
    assert_eq!(tail.seen.count(Note::Gap), 1);
}

#[test]
fn until_the_directory_is_there_the_place_is_kept() {
    let mut tail =
        Tail::of(StartAt::Beginning, |directory| Origin::Path(directory.join("logs/mail.log")));
    fs::create_dir(tail.path("logs")).unwrap();
    tail.write("logs/mail.log", "one\n");
    assert_eq!(tail.next(), ["one"]);
    tail.rename("logs", "away");
    tail.restart();
    assert_eq!(tail.next(), [""; 0]);
    assert!(!tail.status().up);
    tail.restart();
    tail.step();
    tail.rename("away", "logs");
    tail.write("logs/mail.log", "two\n");
    assert_eq!(tail.next(), ["two"]);
    assert_eq!(tail.seen.count(Note::Gap), 0);
}

#[test]
fn a_pattern_catches_up_each_of_its_files() {
    let mut tail = Tail::of(StartAt::Beginning, |directory| {
        Origin::Glob(directory.join("*.log*").to_string_lossy().into_owned())
    });
    for name in ["a.log", "b.log"] {
        tail.write(name, "one\n");
    }
    assert_eq!(tail.next().len(), 2);
    for name in ["a", "b"] {
        tail.write(&format!("{name}.log"), format!("{name} two\n"));
        tail.rename(&format!("{name}.log"), &format!("{name}.log.2"));
        tail.gzip(&format!("{name}.log.2"));
        tail.write(&format!("{name}.log.1"), format!("{name} three\n"));
    }
    tail.write("a.log", "a four\n");
    tail.write("c.log", "c one\n");
    tail.restart();
    let mut lines = tail.next();
    lines.sort();
    // There is no b.log now; what it was rotated to is read all the same.
    assert_eq!(lines, ["a four", "a three", "a two", "b three", "b two", "c one"]);
}

#[test]
fn what_was_there_at_the_start_has_to_be_caught_up() {
    let mut tail = begun();
    tail.write("mail.log", "x\n".repeat(300_000));
    tail.restart();
    assert!(tail.status().catching_up_bytes > 0);
    tail.now.monotonic += Duration::from_secs(1);
    let mut buffer = mta_exporter::source::Buffer::new();
    tail.source.poll(tail.now, &mut buffer, &mut tail.seen);
    assert!(tail.status().catching_up_bytes > 300_000);
    tail.write("mail.log", "more, which nobody has to wait for\n");
    tail.step();
    assert_eq!(tail.status().catching_up_bytes, 0);
    assert_eq!(tail.status().lag_bytes, 0);
}
