//! OpenSMTPD's log beside what the receiving side said.

use std::fs;

use mta_exporter::attempt::Outcome;
use mta_exporter::mta::Dialect;

use crate::truth::{beyond, lines, path, read_log, read_truth};

#[test]
fn a_log_says_what_the_sink_said() {
    let truth = read_truth("opensmtpd", "syslog-iso");
    let log = fs::read(path("opensmtpd", "syslog-iso.log")).unwrap();
    let log = read_log(&log, Dialect::OpenSmtpd, &truth);
    assert_eq!(
        lines(&beyond(&log.replies, &truth.replies)),
        [
            // Hosts that refuse the connection or cannot be reached, which the sink cannot know.
            " none 6",
            // 999 is no reply code.
            "bigcorp.example none 1",
            // 550 in the first line of the reply, 451 in the last: the first decides.
            "contoso.com 550 1",
            "contoso.com none 5",
            // A 421 closed the connection, and the next message was given to it all the same.
            "gmail.com none 2",
            // Nobody to ask.
            "mxnoaddr.example none 12",
            "nullmx.example none 12",
            "nxdomain.example none 2",
            "outlook.com 550 1",
            "selfhosted.example 550 1",
            "selfhosted.example none 1",
            "servfail.example none 6",
            "workspace.example none 2",
        ]
    );
    assert_eq!(
        lines(&beyond(&truth.replies, &log.replies)),
        [
            "bigcorp.example 999 2",
            // The log ends before the five minutes are over in which no reply came.
            "comcast.net none 1",
            "contoso.com 451 1",
            "contoso.com 999 5",
            "hang.example none 1",
            // A refused EHLO is followed by HELO and not logged.
            "helorej.example 550 3",
            "outlook.com 451 1",
            "selfhosted.example 451 1",
            "selfhosted.example 999 1",
            // A refused STARTTLS is followed by delivery without TLS and not logged.
            "tlsbad.example 454 1",
        ]
    );
    assert_eq!(log.outcomes[&Outcome::Delivered], 123);
    assert_eq!(log.readings["host reply"], 34);
    // Five rounds of six refusals, and four of the senders' recipients; what the bounces of this
    // server were refused by itself is not among them.
    assert_eq!(log.refused["5xx"], 34);
}
