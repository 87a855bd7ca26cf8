//! Haraka's logs beside what the receiving side said.

use std::fs;

use mta_exporter::attempt::Outcome;
use mta_exporter::mta::Dialect;

use crate::truth::{Log, Truth, beyond, lines, path, read_log, read_truth};

fn read(name: &str) -> (Log, Truth) {
    let truth = read_truth("haraka", name);
    let log = fs::read(path("haraka", &format!("{name}.log"))).unwrap();
    let log = read_log(&log, Dialect::Haraka, &truth);
    // The clients are the same ones each time.
    assert_eq!((log.refused["4xx"], log.refused["5xx"]), (3, 30));
    (log, truth)
}

#[test]
fn a_log_in_default_says_what_the_sink_said() {
    let (log, truth) = read("default");
    assert_eq!(
        lines(&beyond(&log.replies, &truth.replies)),
        [
            // Nobody answered, and the sink cannot know.
            "blackhole.example none 1",
            // 999 is no reply code.
            "contoso.com none 1",
            "dnstimeout.example none 5",
            "mxnoaddr.example none 6",
            "nullmx.example none 1",
            "nxdomain.example none 1",
            "refused.example none 6",
            "selfhosted.example none 1",
            "servfail.example none 6",
            "unreach.example none 6",
        ]
    );
    assert_eq!(
        lines(&beyond(&truth.replies, &log.replies)),
        [
            "contoso.com 999 1",
            // A refused EHLO is followed by HELO and not logged.
            "helorej.example 550 1",
            "selfhosted.example 999 1",
        ]
    );
    assert_eq!(log.outcomes[&Outcome::Delivered], 73);
    // Haraka's own bounces, for whose domain it skipped all hosts.
    assert_eq!(log.readings["suspended"], 46);
}

#[test]
fn a_log_in_json_says_what_the_sink_said() {
    let (log, truth) = read("json");
    assert_eq!(
        lines(&beyond(&log.replies, &truth.replies)),
        [
            "contoso.com none 1",
            "dnstimeout.example none 4",
            "mxnoaddr.example none 5",
            "nullmx.example none 1",
            "nxdomain.example none 1",
            "refused.example none 5",
            "servfail.example none 5",
            "unreach.example none 5",
        ]
    );
    assert_eq!(
        lines(&beyond(&truth.replies, &log.replies)),
        [
            // Haraka was ended while it waited for an answer: here, at three more domains below,
            // and where a 999 makes up for it.
            "bigcorp.example none 1",
            "comcast.net none 1",
            "contoso.com 999 1",
            "hang.example none 1",
            "helorej.example 550 1",
            "selfhosted.example 999 1",
            "selfhosted.example none 1",
        ]
    );
    assert_eq!(log.outcomes[&Outcome::Delivered], 73);
    assert_eq!(log.readings["suspended"], 45);
}

#[test]
fn a_log_in_logfmt_says_what_the_sink_said() {
    let (log, truth) = read("logfmt");
    assert_eq!(
        lines(&beyond(&log.replies, &truth.replies)),
        [
            "blackhole.example none 1",
            "contoso.com none 1",
            "dnstimeout.example none 7",
            "mxnoaddr.example none 7",
            "nullmx.example none 1",
            "nxdomain.example none 1",
            "refused.example none 7",
            "selfhosted.example none 1",
            "servfail.example none 8",
            "unreach.example none 7",
        ]
    );
    assert_eq!(
        lines(&beyond(&truth.replies, &log.replies)),
        [
            "contoso.com 999 1",
            // Haraka was ended while it waited.
            "hang.example none 1",
            "helorej.example 550 1",
            "selfhosted.example 999 1",
        ]
    );
    assert_eq!(log.outcomes[&Outcome::Delivered], 77);
    assert_eq!(log.readings["suspended"], 71);
}
