//! qmail's log beside what the receiving side said.

use std::fs;

use mta_exporter::attempt::Outcome;
use mta_exporter::mta::Dialect;

use crate::truth::{beyond, lines, path, read_log, read_truth};

#[test]
fn a_log_says_what_the_sink_said() {
    let truth = read_truth("qmail", "tai64n");
    let log = fs::read(path("qmail", "tai64n.log")).unwrap();
    let log = read_log(&log, Dialect::Qmail, &truth);
    assert_eq!(
        lines(&beyond(&log.replies, &truth.replies)),
        [
            // Nobody answered, and the sink cannot know.
            "blackhole.example none 4",
            // 550 in the first line of the reply, 451 in the last: qmail goes by the first.
            "contoso.com 550 1",
            // 999 is no reply code.
            "contoso.com none 1",
            "dnstimeout.example none 4",
            "mxnoaddr.example none 1",
            "nullmx.example none 1",
            "nxdomain.example none 1",
            "refused.example none 5",
            "selfhosted.example 550 1",
            "selfhosted.example none 1",
            "servfail.example none 5",
            "unreach.example none 5",
        ]
    );
    assert_eq!(
        lines(&beyond(&truth.replies, &log.replies)),
        [
            // qmail was ended during 18 attempts: here, and with those whose count is 1 below.
            "banner421.example 421 1",
            "banner521.example 521 1",
            "banner554.example 554 1",
            "contoso.com 451 1",
            "contoso.com 999 1",
            "dropconn.example none 1",
            "dropehlo.example none 1",
            "garbagebanner.example none 1",
            "hang.example none 1",
            // A refused EHLO is followed by HELO and not logged.
            "helorej.example 550 1",
            "selfhosted.example 451 1",
            "selfhosted.example 999 1",
            "twomx.example 421 1",
        ]
    );
    assert_eq!(log.outcomes[&Outcome::Delivered], 85);
    assert_eq!(log.readings["local"], 139);
}
