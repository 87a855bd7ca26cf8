//! Exim's log beside what the receiving side said.

use std::fs;

use mta_exporter::attempt::Outcome;
use mta_exporter::mta::Dialect;

use crate::truth::{beyond, lines, path, read_log, read_truth};

#[test]
fn a_main_log_says_what_the_sink_said() {
    let truth = read_truth("exim", "file");
    let log = read_log(&fs::read(path("exim", "file.log")).unwrap(), Dialect::Exim, &truth);
    assert_eq!(
        lines(&beyond(&log.replies, &truth.replies)),
        [
            // 999 is no reply code.
            "bigcorp.example none 5",
            // Nobody answered, and the sink cannot know.
            "blackhole.example none 7",
            // 550 in the first line of the reply, 451 in the last: Exim goes by the first.
            "contoso.com 550 1",
            // 999 again.
            "contoso.com none 11",
            "dnstimeout.example none 10",
            // Replies of more than 4 KiB, which Exim calls malformed.
            "icloud.com none 11",
            "lawfirm.example none 14",
            "mxnoaddr.example none 2",
            "nullmx.example none 2",
            "nxdomain.example none 2",
            "outlook.com 550 1",
            "refused.example none 13",
            // 999, and 8 replies of more than 4 KiB.
            "selfhosted.example none 14",
            // Users who are unknown on this machine, which Exim calls unrouteable.
            "sender.example none 29",
            "servfail.example none 10",
            "unreach.example none 11",
        ]
    );
    assert_eq!(
        lines(&beyond(&truth.replies, &log.replies)),
        [
            "bigcorp.example 999 5",
            "contoso.com 451 1",
            "contoso.com 999 11",
            // A 452 after other recipients were accepted is tried again at once and not logged.
            "gmail.com 452 2",
            // A refused EHLO is followed by HELO and not logged.
            "helorej.example 550 2",
            "icloud.com 550 11",
            "lawfirm.example 550 14",
            "outlook.com 451 1",
            "selfhosted.example 451 2",
            "selfhosted.example 550 6",
            "selfhosted.example 999 6",
            // A refused STARTTLS is followed by delivery without TLS and not logged.
            "tlsbad.example 454 2",
        ]
    );
    assert_eq!(log.readings["host reply"], 31);
    assert_eq!(log.outcomes[&Outcome::Delivered], 158);
    // Five visits of each kind: EHLO and HELO are refused separately.
    assert_eq!((log.refused["4xx"], log.refused["5xx"]), (5, 70));
}

#[test]
fn the_same_through_syslog_with_split_lines_and_doubled_refusals() {
    let truth = read_truth("exim", "syslog");
    let log = read_log(&fs::read(path("exim", "syslog.log")).unwrap(), Dialect::Exim, &truth);
    assert_eq!(
        lines(&beyond(&log.replies, &truth.replies)),
        [
            "blackhole.example none 5",
            "contoso.com 550 1",
            "contoso.com none 9",
            "dnstimeout.example none 5",
            "lawfirm.example none 7",
            "mxnoaddr.example none 1",
            "nullmx.example none 1",
            "nxdomain.example none 1",
            "refused.example none 8",
            "selfhosted.example none 1",
            "sender.example none 13",
            "servfail.example none 8",
            "unreach.example none 8",
        ]
    );
    assert_eq!(
        lines(&beyond(&truth.replies, &log.replies)),
        [
            "contoso.com 451 1",
            "contoso.com 999 9",
            // Exim was ended during this attempt.
            "dropehlo.example none 1",
            "gmail.com 452 1",
            "helorej.example 550 1",
            "lawfirm.example 550 7",
            "selfhosted.example 451 1",
            "tlsbad.example 454 1",
        ]
    );
    assert_eq!(log.readings["host reply"], 17);
    assert_eq!(log.outcomes[&Outcome::Delivered], 84);
    // As many as in the file, though each stands here twice.
    assert_eq!((log.refused["4xx"], log.refused["5xx"]), (5, 70));
}

#[test]
fn the_same_with_every_log_selector() {
    let truth = read_truth("exim", "all-selectors");
    let log = fs::read(path("exim", "all-selectors.log")).unwrap();
    let log = read_log(&log, Dialect::Exim, &truth);
    assert_eq!(
        lines(&beyond(&log.replies, &truth.replies)),
        [
            "blackhole.example none 8",
            "contoso.com 550 1",
            "contoso.com none 12",
            "dnstimeout.example none 8",
            "lawfirm.example none 11",
            "mxnoaddr.example none 1",
            "nullmx.example none 1",
            "nxdomain.example none 1",
            "refused.example none 16",
            "selfhosted.example 550 1",
            "selfhosted.example none 3",
            "sender.example none 15",
            "servfail.example none 10",
            "unreach.example none 11",
        ]
    );
    assert_eq!(
        lines(&beyond(&truth.replies, &log.replies)),
        [
            "contoso.com 451 1",
            "contoso.com 999 12",
            "gmail.com 452 1",
            // Exim was ended during this attempt.
            "hang.example none 1",
            "helorej.example 550 1",
            "lawfirm.example 550 11",
            "selfhosted.example 451 1",
            "selfhosted.example 999 3",
            "tlsbad.example 454 1",
        ]
    );
    assert_eq!(log.readings["host reply"], 19);
    assert_eq!(log.outcomes[&Outcome::Delivered], 84);
    // Syntax errors are logged too.
    assert_eq!((log.refused["4xx"], log.refused["5xx"]), (5, 75));
}
