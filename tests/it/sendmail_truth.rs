//! Sendmail's log beside what the receiving side said.

use std::fs;

use mta_exporter::attempt::Outcome;
use mta_exporter::mta::Dialect;

use crate::truth::{beyond, lines, path, read_log, read_truth};

#[test]
fn a_log_says_what_the_sink_said() {
    let truth = read_truth("sendmail", "syslog");
    let log = fs::read(path("sendmail", "syslog.log")).unwrap();
    let log = read_log(&log, Dialect::Sendmail, &truth);
    assert_eq!(
        lines(&beyond(&log.replies, &truth.replies)),
        [
            // 999 is no reply code.
            "bigcorp.example none 1",
            // Nobody answered, and the sink cannot know.
            "blackhole.example none 4",
            // 550 in the first line of the reply, 451 in the last: the last decides, the first is
            // logged.
            "contoso.com 550 2",
            "contoso.com none 1",
            // A line that is no reply is skipped; the next reply, 554 to DATA, is the answer.
            "mail.ru 554 1",
            "mxnoaddr.example none 2",
            "nullmx.example none 2",
            "nxdomain.example none 2",
            "outlook.com 550 6",
            "proton.me 554 1",
            "refused.example none 9",
            "selfhosted.example 550 2",
            "selfhosted.example 554 2",
            "unreach.example none 9",
        ]
    );
    assert_eq!(
        lines(&beyond(&truth.replies, &log.replies)),
        [
            // The hosts before the last are not logged.
            "banner421.example 421 9",
            "bigcorp.example 999 1",
            "contoso.com 451 2",
            "contoso.com 999 1",
            "gmail.com 421 2",
            // A refused EHLO is followed by HELO and not logged.
            "helorej.example 550 2",
            "mail.ru none 1",
            "outlook.com 451 6",
            "proton.me none 1",
            "selfhosted.example 451 2",
            "selfhosted.example 999 2",
            // A refused STARTTLS is followed by delivery without TLS and not logged.
            "tlsbad.example 454 2",
            "twomx.example 421 2",
            "workspace.example 421 2",
            "yahoo.com 421 2",
        ]
    );
    assert_eq!(log.outcomes[&Outcome::Delivered], 157);
    // Five visits of each kind: 451 for a sender's domain that does not resolve; 553, 550 and 550.
    assert_eq!((log.refused["4xx"], log.refused["5xx"]), (5, 15));
}
