//! What happens to a log while it is followed.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use mta_exporter::source::{Note, Origin, Source, Spec, StartAt};

use super::Tail;

const LET_GO: Duration = Duration::from_secs(61);

#[test]
fn lines_are_handed_over_as_they_are_written() {
    let mut tail = Tail::new();
    tail.write("mail.log", "one\ntwo\n");
    assert_eq!(tail.next(), ["one", "two"]);
    tail.write("mail.log", "three\n");
    assert_eq!(tail.next(), ["three"]);
    assert_eq!(tail.next(), [""; 0]);
    assert!(tail.status().up);
    assert_eq!(tail.seen.bytes, 14);
    assert_eq!(tail.seen.notes, []);
}

#[test]
fn reading_starts_at_the_end_unless_told_otherwise() {
    let mut tail = Tail::of(StartAt::End, |directory| Origin::Path(directory.join("mail.log")));
    tail.write("mail.log", "old\nunfinis");
    assert_eq!(tail.next(), [""; 0]);
    tail.write("mail.log", "hed\nnew\n");
    assert_eq!(tail.next(), ["unfinished", "new"]);
    // A file that comes later is new from its first line.
    tail.rename("mail.log", "mail.log.1");
    tail.write("mail.log", "first\n");
    assert_eq!(tail.next(), ["first"]);
}

#[test]
fn what_was_rotated_before_the_first_start_is_not_read() {
    for start_at in [StartAt::End, StartAt::Beginning] {
        for live in [None, Some(""), Some("before\n")] {
            let path = |directory: &Path| Origin::Path(directory.join("mail.log"));
            let mut tail = Tail::of(start_at, path);
            tail.write("mail.log.1", "old\n");
            if let Some(text) = live {
                tail.write("mail.log", text);
            }
            tail.next();
            // Its writer was not told yet.
            tail.write("mail.log.1", "late\n");
            let file = OpenOptions::new().append(true).open(tail.path("mail.log.1")).unwrap();
            file.set_modified(UNIX_EPOCH + tail.now.unix + Duration::from_millis(1)).unwrap();
            tail.next();
            tail.write("mail.log", "new\n");
            let lines = tail.next();
            assert!(lines.contains(&"new".to_owned()), "{lines:?}");
            assert!(!lines.contains(&"old".to_owned()), "{start_at:?} {live:?}: {lines:?}");
        }
    }
}

#[test]
fn an_unterminated_line_waits_for_its_end() {
    let mut tail = Tail::new();
    tail.write("mail.log", "one\ntw");
    assert_eq!(tail.next(), ["one"]);
    assert_eq!(tail.status().lag_bytes, 0);
    tail.pass(Duration::from_secs(3600));
    assert_eq!(tail.lines(), [""; 0]);
    tail.write("mail.log", "o");
    assert_eq!(tail.next(), [""; 0]);
    tail.write("mail.log", "\n");
    assert_eq!(tail.next(), ["two"]);
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_late_lines_count() {
    let mut tail = Tail::new();
    tail.write("mail.log", "one\n");
    assert_eq!(tail.next(), ["one"]);
    tail.write("mail.log", "two\n");
    tail.rename("mail.log", "mail.log.1");
    tail.write("mail.log", "three\n");
    tail.write("mail.log.1", "late\n");
    assert_eq!(tail.next(), ["two", "late", "three"]);
    tail.pass(Duration::from_secs(50));
    tail.write("mail.log.1", "later\n");
    tail.pass(Duration::from_secs(50));
    assert_eq!(tail.lines(), ["later"]);
    tail.write("mail.log.1", "unterminated");
    tail.step();
    tail.pass(LET_GO);
    assert_eq!(tail.lines(), ["unterminated"]);
    // By now it is let go.
    tail.write("mail.log.1", "nobody reads this\n");
    assert_eq!(tail.next(), [""; 0]);
    assert_eq!(tail.seen.notes, [Note::Rotation]);
}

#[test]
fn a_writer_that_missed_the_rotation_is_followed_into_the_renamed_file() {
    let mut tail = Tail::new();
    tail.write("mail.log", "one\n");
    tail.step();
    tail.rename("mail.log", "mail.log.1");
    tail.write("mail.log", "");
    tail.step();
    for hour in 0..10 {
        tail.pass(Duration::from_secs(3600));
        tail.write("mail.log.1", format!("{hour}\n"));
    }
    tail.step();
    assert_eq!(tail.lines().len(), 11);
}

#[test]
fn a_deleted_file_is_read_to_its_end_and_let_go() {
    let mut tail = Tail::new();
    tail.write("mail.log", "one\n");
    tail.step();
    let mut writer = OpenOptions::new().append(true).open(tail.path("mail.log")).unwrap();
    fs::remove_file(tail.path("mail.log")).unwrap();
    writer.write_all(b"two\n").unwrap();
    assert_eq!(tail.next(), ["one", "two"]);
    assert!(!tail.status().up);
    tail.write("mail.log", "three\n");
    writer.write_all(b"four\n").unwrap();
    assert_eq!(tail.next(), ["four", "three"]);
    assert!(tail.status().up);
    tail.pass(LET_GO);
    // Its space on the disk is free again.
    let held = fs::read_dir("/proc/self/fd").unwrap().filter(|entry| {
        let target = fs::read_link(entry.as_ref().unwrap().path()).unwrap_or_default();
        target.starts_with(tail.directory.path())
    });
    assert_eq!(held.count(), 2, "the writer's and the present file's");
}

#[test]
fn two_rotations_between_two_looks_lose_nothing() {
    let mut tail = Tail::new();
    tail.write("mail.log", "one\n");
    tail.step();
    tail.write("mail.log", "two\n");
    tail.rename("mail.log", "mail.log.2");
    tail.write("mail.log.1", "three\n");
    tail.write("mail.log", "four\n");
    assert_eq!(tail.next(), ["one", "two", "three", "four"]);
    assert_eq!(tail.seen.notes, [Note::Rotation, Note::Rotation]);
}

#[test]
fn a_file_that_was_compressed_at_once_is_not_read_twice() {
    let mut tail = Tail::new();
    tail.write("mail.log", "one\n");
    tail.step();
    tail.write("mail.log", "two\n");
    tail.rename("mail.log", "mail.log.20261121-203005");
    tail.gzip("mail.log.20261121-203005");
    tail.write("mail.log", "three\n");
    assert_eq!(tail.next(), ["one", "two", "three"]);
    // The next one is gone under its own name before it was ever seen.
    tail.rename("mail.log", "mail.log.20261121-203006");
    tail.gzip("mail.log.20261121-203006");
    tail.write("mail.log.20261121-203007", "four\n");
    tail.gzip("mail.log.20261121-203007");
    tail.write("mail.log", "five\n");
    assert_eq!(tail.next(), ["four", "five"]);
    assert_eq!(tail.seen.count(Note::Gap), 0);
}

#[test]
fn the_rest_of_a_truncated_file_is_read_from_the_copy() {
    let mut tail = Tail::new();
    tail.write("mail.log", "one\n");
    tail.step();
    tail.write("mail.log", "two\nthree\n");
    tail.copy_truncate("mail.log", "mail.log.1");
    tail.write("mail.log", "four\n");
    assert_eq!(tail.next(), ["one", "two", "three", "four"]);
    assert_eq!(tail.seen.notes, [Note::Truncation]);
    // Twice between two looks.
    tail.write("mail.log", "five\n");
    tail.rename("mail.log.1", "mail.log.3");
    tail.copy_truncate("mail.log", "mail.log.2");
    tail.write("mail.log", "six\n");
    tail.copy_truncate("mail.log", "mail.log.1");
    tail.write("mail.log", "seven\n");
    assert_eq!(tail.next(), ["five", "six", "seven"]);
}

#[test]
fn a_copy_is_not_read_before_the_log_is_truncated() {
    let mut tail = Tail::new();
    let block = |name: &str| -> Vec<String> {
        (0..20).map(|number| format!("{name} {number:02} of a line that is not short")).collect()
    };
    tail.write("mail.log", block("first").join("\n") + "\n");
    assert_eq!(tail.next(), block("first"));
    tail.copy_truncate("mail.log", "mail.log.1");
    tail.write("mail.log", block("second").join("\n") + "\n");
    // The truncation is noticed while the next copy is being made.
    tail.rename("mail.log.1", "mail.log.2");
    let second = fs::read(tail.path("mail.log")).unwrap();
    tail.write("mail.log.1", &second[..second.len() / 2]);
    assert_eq!(tail.next(), block("second"));
    tail.write("mail.log.1", &second[second.len() / 2..]);
    tail.write("mail.log", block("third").join("\n") + "\n");
    assert_eq!(tail.next(), block("third"));
    // What the copy holds was read, and more.
    OpenOptions::new().write(true).open(tail.path("mail.log")).unwrap().set_len(0).unwrap();
    tail.write("mail.log", "fourth\n");
    assert_eq!(tail.next(), ["fourth"]);
    // No file has taken the place of another.
    assert_eq!(tail.seen.count(Note::Rotation), 0);
}

#[test]
fn of_several_copies_the_newest_has_what_was_not_read() {
    let mut tail = Tail::new();
    tail.write("mail.log", "one\n");
    tail.step();
    fs::copy(tail.path("mail.log"), tail.path("mail.log.2")).unwrap();
    tail.write("mail.log", "two\n");
    tail.copy_truncate("mail.log", "mail.log.1");
    tail.write("mail.log", "three\n");
    assert_eq!(tail.next(), ["one", "two", "three"]);
}

#[test]
fn a_truncated_file_that_has_grown_past_the_place_is_noticed() {
    let mut tail = Tail::new();
    tail.write("mail.log", "one\ntwo\n");
    tail.step();
    OpenOptions::new().write(true).open(tail.path("mail.log")).unwrap().set_len(0).unwrap();
    tail.write("mail.log", "three is longer\nfour\n");
    assert_eq!(tail.next(), ["one", "two", "three is longer", "four"]);
    assert_eq!(tail.seen.notes, [Note::Truncation]);
    // To the same size, in other bytes.
    fs::write(tail.path("mail.log"), "THREE IS LONGER\nFOUR\n").unwrap();
    assert_eq!(tail.next(), ["THREE IS LONGER", "FOUR"]);
}

#[test]
fn a_file_that_is_rewritten_in_place_is_noticed() {
    let mut tail = Tail::new();
    let mut writer = fs::File::create(tail.path("mail.log")).unwrap();
    writer.write_all(b"one\ntwo\n").unwrap();
    assert_eq!(tail.next(), ["one", "two"]);
    writer.seek(SeekFrom::Start(0)).unwrap();
    writer.set_len(0).unwrap();
    writer.write_all(b"six\nten\nelf\n").unwrap();
    assert_eq!(tail.next(), ["six", "ten", "elf"]);
}

#[test]
fn a_file_that_appears_by_rename_is_read_from_its_start() {
    let mut tail = Tail::new();
    assert_eq!(tail.next(), [""; 0]);
    assert!(!tail.status().up);
    tail.write("prepared", "one\ntwo\n");
    tail.rename("prepared", "mail.log");
    assert_eq!(tail.next(), ["one", "two"]);
    tail.write("prepared", "three\n");
    tail.rename("prepared", "mail.log");
    assert_eq!(tail.next(), ["three"]);
    assert_eq!(tail.seen.notes, [Note::Rotation]);
}

#[test]
fn a_symbolic_link_that_is_turned_to_another_file_is_followed() {
    let mut tail = Tail::new();
    tail.write("a", "one\n");
    tail.write("b", "two\n");
    symlink(tail.path("a"), tail.path("mail.log")).unwrap();
    assert_eq!(tail.next(), ["one"]);
    fs::remove_file(tail.path("mail.log")).unwrap();
    symlink(tail.path("b"), tail.path("mail.log")).unwrap();
    tail.write("a", "late\n");
    assert_eq!(tail.next(), ["late", "two"]);
    assert!(tail.source.directories().contains(tail.directory.path()));
}

#[test]
fn a_directory_may_come_later_go_and_come_back() {
    let mut tail =
        Tail::of(StartAt::End, |directory| Origin::Path(directory.join("logs/mail.log")));
    tail.step();
    assert!(!tail.status().up);
    fs::create_dir(tail.path("logs")).unwrap();
    tail.write("logs/mail.log", "one\n");
    assert_eq!(tail.next(), ["one"]);
    fs::remove_dir_all(tail.path("logs")).unwrap();
    tail.step();
    assert!(!tail.status().up);
    fs::create_dir(tail.path("logs")).unwrap();
    tail.write("logs/mail.log", "two\n");
    assert_eq!(tail.next(), ["two"]);
    assert!(tail.status().up);
}

#[test]
fn something_that_is_no_file_is_said_once_and_waited_out() {
    let mut tail = Tail::new();
    fs::create_dir(tail.path("mail.log")).unwrap();
    for _ in 0..5 {
        tail.step();
    }
    assert!(!tail.status().up);
    assert_eq!(tail.seen.notes, [Note::ReadError]);
    fs::remove_dir(tail.path("mail.log")).unwrap();
    tail.write("mail.log", "one\n");
    assert_eq!(tail.next(), ["one"]);
}

#[test]
fn a_line_beyond_the_limit_is_skipped_and_counted() {
    let mut tail = Tail::new();
    tail.spec.line_bytes_max = 10;
    tail.source = Source::open(&tail.spec, None);
    tail.write("mail.log", "0123456789\n01234567890\nshort\n");
    assert_eq!(tail.next(), ["0123456789", "short"]);
    assert_eq!(tail.seen.notes, [Note::Overlong]);
    // While it is written, with a restart in the middle of it.
    tail.write("mail.log", "begin of a line that is");
    assert_eq!(tail.next(), [""; 0]);
    tail.restart();
    tail.write("mail.log", " too long\nnext\n");
    assert_eq!(tail.next(), ["next"]);
    assert_eq!(tail.seen.notes, [Note::Overlong; 2]);
    assert_eq!(tail.seen.bytes, fs::metadata(tail.path("mail.log")).unwrap().len());
}

#[test]
fn a_line_longer_than_the_buffer_is_one_line() {
    let mut tail = Tail::new();
    let long = "x".repeat(700_000);
    tail.write("mail.log", format!("one\n{long}\ntwo\n"));
    let lines = tail.next();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1], long);
    // The same, in pieces.
    for piece in long.as_bytes().chunks(64 << 10) {
        tail.write("mail.log", piece);
        assert_eq!(tail.next(), [""; 0]);
    }
    tail.write("mail.log", "\n");
    assert_eq!(tail.next(), [long]);
    let huge = "x".repeat(5_000_000);
    tail.write("mail.log", format!("{huge}\nthree\n"));
    assert_eq!(tail.next(), ["three"]);
    assert_eq!(tail.seen.notes, [Note::Overlong]);
    assert_eq!(tail.seen.bytes, fs::metadata(tail.path("mail.log")).unwrap().len());
}

fn glob(pattern: &'static str) -> impl FnOnce(&Path) -> Origin {
    move |directory| Origin::Glob(directory.join(pattern).to_string_lossy().into_owned())
}

#[test]
fn a_pattern_names_files_now_and_later() {
    let mut tail = Tail::of(StartAt::End, glob("*.log"));
    tail.write("a.log", "old\n");
    tail.write("b.txt", "no\n");
    tail.step();
    tail.write("a.log", "one\n");
    tail.write("c.log", "two\n");
    let mut lines = tail.next();
    lines.sort();
    assert_eq!(lines, ["one", "two"]);
    fs::remove_file(tail.path("a.log")).unwrap();
    tail.pass(LET_GO);
    tail.pass(LET_GO);
    assert!(tail.status().up);
}

#[test]
fn a_pattern_that_also_names_the_rotated_files_reads_none_twice() {
    let mut tail = Tail::of(StartAt::Beginning, glob("mail.log*"));
    tail.write("mail.log", "one\n");
    assert_eq!(tail.next(), ["one"]);
    for round in 0..12 {
        for number in (1..=round).rev() {
            tail.rename(&format!("mail.log.{number}"), &format!("mail.log.{}", number + 1));
        }
        tail.write("mail.log", format!("a{round}\n"));
        tail.rename("mail.log", "mail.log.1");
        tail.step();
        tail.write("mail.log", format!("b{round}\n"));
        tail.step();
        tail.pass(LET_GO);
        if round % 3 == 0 {
            tail.restart();
        }
        assert_eq!(tail.next(), [format!("a{round}"), format!("b{round}")]);
    }
}

#[test]
fn two_names_of_one_file_are_read_once() {
    let mut tail = Tail::of(StartAt::Beginning, glob("*.log"));
    tail.write("a.log", "one\n");
    fs::hard_link(tail.path("a.log"), tail.path("b.log")).unwrap();
    symlink(tail.path("a.log"), tail.path("c.log")).unwrap();
    assert_eq!(tail.next(), ["one"]);
    tail.write("b.log", "two\n");
    assert_eq!(tail.next(), ["two"]);
    assert!(tail.status().up);
}

#[test]
fn hundreds_of_files_need_a_bounded_number_of_descriptors() {
    let mut tail = Tail::of(StartAt::Beginning, glob("*.log"));
    for file in 0..300 {
        tail.write(&format!("{file}.log"), "one\n");
    }
    assert_eq!(tail.next().len(), 300);
    tail.step();
    let open = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter(|path| path.starts_with(tail.directory.path()))
        .count();
    assert!(open <= 256, "{open} descriptors are open");
    // Those that are closed are still followed, also through a rotation.
    for file in 0..300 {
        tail.write(&format!("{file}.log"), "two\n");
        tail.rename(&format!("{file}.log"), &format!("{file}.log.1"));
        tail.write(&format!("{file}.log"), "three\n");
    }
    assert_eq!(tail.next().len(), 600);
    tail.restart();
    assert_eq!(tail.next(), [""; 0]);
    assert_eq!(tail.seen.count(Note::Gap), 0);
}

#[test]
fn a_busy_file_does_not_keep_the_others_waiting() {
    let mut tail = Tail::of(StartAt::Beginning, glob("*.log"));
    tail.write("a.log", "a\n".repeat(1_000_000));
    tail.write("b.log", "b\n");
    tail.now.monotonic += Duration::from_secs(1);
    let mut buffer = mta_exporter::source::Buffer::new();
    for _ in 0..3 {
        tail.source.poll(tail.now, &mut buffer, &mut tail.seen);
    }
    assert!(tail.lines().contains(&"b".to_owned()));
}

#[test]
fn any_bytes_may_be_in_a_log() {
    let mut tail = Tail::new();
    tail.write("mail.log", b"\0\0\xff\xfe\n\n\r\n\xc3(\n");
    tail.write("mail.log", vec![0; 3_000_000]);
    tail.write("mail.log", "\nafter\n");
    assert_eq!(tail.next().len(), 5);
    assert_eq!(tail.seen.notes, [Note::Overlong]);
}

#[test]
fn settings_can_change_while_it_reads() {
    let mut tail = Tail::new();
    tail.write("mail.log", "one\n");
    tail.step();
    let changed = Spec { rotate_wait: Duration::from_secs(5), ..tail.spec.clone() };
    assert!(tail.source.reconfigure(&changed));
    let other = Spec::new("mail", Origin::Path(tail.path("other.log")));
    assert!(!tail.source.reconfigure(&other));
    tail.write("mail.log", "two\n");
    assert_eq!(tail.next(), ["one", "two"]);
}

#[test]
fn a_log_that_may_not_be_read_for_a_while_is_read_from_where_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let mut tail = Tail::new();
    let allow = |name: &str, mode: u32| {
        fs::set_permissions(tail.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    tail.write("mail.log", "one\n");
    allow("mail.log", 0o000);
    if fs::File::open(tail.path("mail.log")).is_ok() {
        // Past the test harness, which shows nothing of tests that pass.
        let skip = b"SKIPPED: tail::live::a_log_that_may_not_be_read: root may read everything\n";
        return std::io::stderr().write_all(skip).unwrap();
    }
    allow("mail.log", 0o644);
    assert_eq!(tail.next(), ["one"]);
    // What is open stays readable; what takes its name is waited for, and said to be down.
    let allow = |tail: &Tail, name: &str, mode: u32| {
        fs::set_permissions(tail.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    tail.rename("mail.log", "mail.log.1");
    tail.write("mail.log", "three\n");
    allow(&tail, "mail.log", 0o000);
    tail.write("mail.log.1", "two\n");
    assert_eq!(tail.next(), ["two"]);
    assert!(!tail.status().up);
    assert_eq!(tail.seen.count(Note::ReadError), 1);
    tail.restart();
    assert!(tail.next().is_empty());
    allow(&tail, "mail.log", 0o600);
    tail.write("mail.log", "four\n");
    assert_eq!(tail.next(), ["three", "four"]);
    assert!(tail.status().up);
    // Lost while nobody read, and given back with its rest.
    let saved = tail.save();
    tail.write("mail.log", "five\n");
    allow(&tail, "mail.log", 0o000);
    tail.restart_from(&saved, false);
    assert!(tail.next().is_empty());
    allow(&tail, "mail.log", 0o600);
    assert_eq!(tail.next(), ["five"]);
    assert_eq!(tail.seen.count(Note::Gap), 0);
}

#[test]
fn a_source_that_trusts_no_notification_looks_four_times_a_second() {
    for (poll_only, wait) in [(false, 1000), (true, 250)] {
        let mut tail = Tail::new();
        tail.spec.poll_only = poll_only;
        tail.source.reconfigure(&tail.spec);
        tail.step();
        tail.source.set_notified(true);
        let wait = Duration::from_millis(wait);
        tail.pass(wait);
        assert_eq!(tail.source.due(), tail.now.monotonic + wait);
        assert_eq!(tail.source.directories().is_empty(), poll_only);
    }
}
