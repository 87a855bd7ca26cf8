//! Why no reply came back, from the words that an MTA found for it.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::attempt::NoReply;

/// How much of a text is looked at. What matters stands at its start.
const TEXT_MAX: usize = 2_048;

/// Words and what they mean, the most telling first: "TLS handshake timed out" is about TLS, "DNS
/// lookup timed out" about DNS.
const WORDS: &[(&str, NoReply)] = &[
    ("name service error", NoReply::Dns),
    ("nxdomain", NoReply::Dns),
    ("servfail", NoReply::Dns),
    ("dns failure", NoReply::Dns),
    ("dns error", NoReply::Dns),
    ("dns lookup", NoReply::Dns),
    ("dns query", NoReply::Dns),
    ("dns record", NoReply::Dns),
    ("dns resol", NoReply::Dns),
    ("dns timeout", NoReply::Dns),
    ("host not found", NoReply::Dns),
    ("no such host", NoReply::Dns),
    ("no such domain", NoReply::Dns),
    ("host or domain name not found", NoReply::Dns),
    ("domain not found", NoReply::Dns),
    ("domain does not exist", NoReply::Dns),
    ("getaddrinfo", NoReply::Dns),
    ("enotfound", NoReply::Dns),
    ("querymx", NoReply::Dns),
    ("querya", NoReply::Dns),
    ("unable to find mx", NoReply::Dns),
    ("lookup dns", NoReply::Dns),
    ("no mx", NoReply::Dns),
    ("mx lookup", NoReply::Dns),
    ("mx record", NoReply::Dns),
    ("mx info", NoReply::Dns),
    ("null mx", NoReply::Dns),
    ("nullmx", NoReply::Dns),
    ("no mail server", NoReply::Dns),
    ("failed to resolve", NoReply::Dns),
    ("could not resolve", NoReply::Dns),
    ("cannot resolve", NoReply::Dns),
    ("unable to resolve", NoReply::Dns),
    ("cannot locate host", NoReply::Dns),
    ("starttls", NoReply::Tls),
    ("tls ", NoReply::Tls),
    ("tls:", NoReply::Tls),
    ("tls handshake", NoReply::Tls),
    ("ssl", NoReply::Tls),
    ("certificate", NoReply::Tls),
    ("x509", NoReply::Tls),
    ("handshake failure", NoReply::Tls),
    ("tlsa", NoReply::Tls),
    ("mta-sts", NoReply::Tls),
    ("refused", NoReply::Refused),
    ("no route to host", NoReply::Unreachable),
    ("unreachable", NoReply::Unreachable),
    ("ehostunreach", NoReply::Unreachable),
    ("enetunreach", NoReply::Unreachable),
    ("host is down", NoReply::Unreachable),
    ("timed out", NoReply::Timeout),
    ("timeout", NoReply::Timeout),
    ("etimedout", NoReply::Timeout),
    ("deadline exceeded", NoReply::Timeout),
    ("10060", NoReply::Timeout),
    ("connection reset", NoReply::Lost),
    ("econnreset", NoReply::Lost),
    ("connection closed", NoReply::Lost),
    ("closed unexpectedly", NoReply::Lost),
    ("closed the connection", NoReply::Lost),
    ("closed connection", NoReply::Lost),
    ("connection lost", NoReply::Lost),
    ("lost connection", NoReply::Lost),
    ("connection dropped", NoReply::Lost),
    ("dropped connection", NoReply::Lost),
    ("disconnected", NoReply::Lost),
    ("unexpected disconnect", NoReply::Lost),
    ("socket close", NoReply::Lost),
    ("broken pipe", NoReply::Lost),
    ("epipe", NoReply::Lost),
    ("eof", NoReply::Lost),
    ("hang up", NoReply::Lost),
    ("unable to connect", NoReply::Unreachable),
    ("failed to connect", NoReply::Unreachable),
    ("could not connect", NoReply::Unreachable),
    ("cannot connect", NoReply::Unreachable),
    ("connection failed", NoReply::Unreachable),
    ("no answer from host", NoReply::Unreachable),
    ("failed to establish connection", NoReply::Unreachable),
];

/// Why no reply came back, if the words of a text name a cause.
pub fn cause(text: &[u8]) -> Option<NoReply> {
    static MATCHER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
        AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(WORDS.iter().map(|(words, _)| words))
            .ok()
    });
    let text = text.get(..TEXT_MAX).unwrap_or(text);
    let first = MATCHER.as_ref()?.find_overlapping_iter(text).map(|found| found.pattern()).min()?;
    WORDS.get(first.as_usize()).map(|(_, cause)| *cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_words_decide_wherever_they_stand() {
        let cases: &[(&str, Option<NoReply>)] = &[
            ("connect ETIMEDOUT 203.0.113.5:25", Some(NoReply::Timeout)),
            ("timed out in the TLS handshake", Some(NoReply::Tls)),
            ("read timeout: DNS lookup of example.com", Some(NoReply::Dns)),
            ("Connection Refused", Some(NoReply::Refused)),
            ("dial tcp 203.0.113.5:25: connect: no route to host", Some(NoReply::Unreachable)),
            ("unexpected EOF", Some(NoReply::Lost)),
            ("listed in a DNSBL", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(cause(text.as_bytes()), *expected, "{text}");
        }
    }

    #[test]
    fn every_row_wins_where_it_stands_alone() {
        for (words, expected) in WORDS {
            assert_eq!(cause(words.as_bytes()), Some(*expected), "{words}");
        }
    }
}
