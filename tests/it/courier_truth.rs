//! Courier's log beside what the receiving side said.

use std::fs;

use mta_exporter::attempt::Outcome;
use mta_exporter::mta::Dialect;

use crate::truth::{beyond, lines, path, read_log, read_truth};

#[test]
fn a_log_says_what_the_sink_said() {
    let truth = read_truth("courier", "syslog");
    let log = fs::read(path("courier", "syslog.log")).unwrap();
    let log = read_log(&log, Dialect::Courier, &truth);
    assert_eq!(
        lines(&beyond(&log.replies, &truth.replies)),
        [
            // Connections kept for the next message that were closed meanwhile, here and at five
            // other domains below.
            "aol.com none 2",
            // Nobody answered, and the sink cannot know.
            "blackhole.example none 2",
            // 550 in the first line of the reply, 451 in the last: Courier goes by the first.
            "contoso.com 550 1",
            // 999 is no reply code.
            "contoso.com none 6",
            "gmail.com none 1",
            "mxnoaddr.example none 1",
            "nullmx.example none 1",
            "nxdomain.example none 1",
            "orange.fr none 1",
            "refused.example none 4",
            "selfhosted.example 550 1",
            "selfhosted.example none 6",
            "servfail.example none 4",
            "unreach.example none 4",
            "workspace.example none 1",
            "yahoo.com none 1",
        ]
    );
    assert_eq!(
        lines(&beyond(&truth.replies, &log.replies)),
        [
            "contoso.com 451 1",
            "contoso.com 999 6",
            // Courier was ended during this attempt.
            "hang.example none 1",
            // A refused EHLO is followed by HELO and not logged.
            "helorej.example 550 1",
            "selfhosted.example 451 1",
            "selfhosted.example 999 6",
        ]
    );
    assert_eq!(log.outcomes[&Outcome::Delivered], 83);
    // `Network is down`: nobody was asked.
    assert_eq!(log.readings["suspended"], 18);
    assert_eq!((log.refused["4xx"], log.refused["5xx"]), (5, 26));
}
