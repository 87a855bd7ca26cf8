//! What Exim refused its own clients.
//!
//! The code that the client saw is never logged, except for failed authentication. Only the class
//! is: `temporarily` says 4yz, anything else 5yz (`smtp_handle_acl_fail` and its siblings in
//! `smtp_in.c`, `receive.c`, `daemon.c`).

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::attempt::{InboundReject, Phase};
use crate::mta::recent::Recent;
use crate::mta::text::{angle, cut, until};
use crate::smtp::{CodeClass, Reply};

/// How many processes are remembered that have refused something.
const PROCESSES_MAX: usize = 1_024;
/// After how many refusals the earlier ones count for half as much.
const REFUSALS_MAX: u64 = 1_024;

/// The longest address in brackets.
const IP_MAX: usize = 64;

/// Reads a line about a client; `None` if nothing was refused.
pub(super) fn refusal<'a>(id: &'a [u8], text: &'a [u8]) -> Option<InboundReject<'a>> {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"DS").filter(|rest| client(rest).is_some()).unwrap_or(text);
    match client(text) {
        Some(rest) => rejected(id, after_fields(rest)),
        None => authentication(id, text).or_else(|| connection(id, text)).or_else(|| {
            // `F=<sender> rejected by non-SMTP ACL: ...` names no client.
            rejected(id, if text.starts_with(b"F=<") { after_fields(text) } else { text })
        }),
    }
}

/// What follows `H=name (helo) [ip]:port`; the name and the greeting may be missing.
fn client(text: &[u8]) -> Option<&[u8]> {
    let host = text.strip_prefix(b"H=").or_else(|| text.strip_prefix(b" H="))?;
    after_ip(host).map(super::fields::after_host)
}

/// What follows `[ip]`. The greeting may be an address in brackets too, but then a parenthesis
/// stands before it.
fn after_ip(text: &[u8]) -> Option<&[u8]> {
    memchr::memchr_iter(b'[', text).find_map(|at| {
        let (before, rest) = text.split_at_checked(at)?;
        let near = rest.get(1..IP_MAX + 2).or(rest.get(1..))?;
        let (ip, _) = cut(near, b"]")?;
        let after = rest.get(ip.len() + 2..)?;
        let is_ip = ip.iter().all(|byte| byte.is_ascii_hexdigit() || b".:%".contains(byte));
        let alone = before.last().is_none_or(|byte| *byte == b' ');
        (is_ip && !ip.is_empty() && alone).then_some(after)
    })
}

/// What follows the fields: ` I=[ip]:port X=... CV=no F=<sender> A=plain:id`, and the recipient of a
/// cut-through delivery.
fn after_fields(mut rest: &[u8]) -> &[u8] {
    loop {
        let word = rest.strip_prefix(b" ").unwrap_or(rest);
        let (key, value) = until(word, b"= ");
        rest = if let Some(sender) = word.strip_prefix(b"F=") {
            // Without its end, what follows is still the sender.
            angle(sender).map_or(&b""[..], |(_, after)| after)
        } else if let Some(name) = word.strip_prefix(b"DN=\"") {
            cut(name, b"\" ").map_or(&b""[..], |(_, after)| after)
        } else if value.first() == Some(&b'=') || key.contains(&b'@') {
            until(word, b" ").1
        } else {
            return word;
        };
        if rest.is_empty() {
            return rest;
        }
    }
}

/// `[temporarily ]rejected WHAT: why`.
fn rejected<'a>(id: &'a [u8], text: &'a [u8]) -> Option<InboundReject<'a>> {
    const CUT_THROUGH: &[u8] = b"tmp-reject from cutthrough after DATA:";
    if let Some(why) = text.strip_prefix(CUT_THROUGH) {
        return Some(reject(id, CodeClass::Transient, Some(Phase::EndOfData), why));
    }
    let (class, rest) = match text.strip_prefix(b"temporarily ") {
        Some(rest) => (CodeClass::Transient, rest),
        None => (CodeClass::Permanent, text),
    };
    let rest = rest.strip_prefix(b"rejected ")?;
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    let phase = [
        (&b"RCPT"[..], Phase::Rcpt),
        (b"MAIL", Phase::Mail),
        (b"from <", Phase::EndOfData),
        (b"EHLO", Phase::Helo),
        (b"HELO", Phase::Helo),
        (b"connection", Phase::Connect),
        (b"STARTTLS", Phase::Starttls),
        (b"AUTH", Phase::Auth),
        (b"DATA", Phase::Data),
        (b"after DATA", Phase::EndOfData),
        (b"during MIME", Phase::EndOfData),
        (b"by local_scan", Phase::EndOfData),
    ];
    let phase = phase.into_iter().find(|(word, _)| rest.starts_with(word)).map(|(_, phase)| phase);
    // The path is the client's, so what follows it is looked for behind it.
    let after = cut(rest, b"<").map_or(rest, |(before, _)| {
        let path = rest.get(before.len()..).and_then(angle);
        path.filter(|_| !before.contains(&b':') || before.ends_with(b":"))
            .map_or(rest, |path| path.1)
    });
    let why = cut(after, b": ").map_or(rest, |(_, why)| why);
    Some(reject(id, class, phase, why))
}

/// Refused connections and broken protocol. The words stand at the start of the line.
fn connection<'a>(id: &'a [u8], text: &'a [u8]) -> Option<InboundReject<'a>> {
    use CodeClass::{Permanent, Transient};
    let starts: [(&[u8], CodeClass, Option<Phase>); 11] = [
        (b"refused connection from ", Permanent, Some(Phase::Connect)),
        (b"temporarily refused connection from ", Transient, Some(Phase::Connect)),
        (b"unqualified sender rejected: ", Permanent, Some(Phase::Mail)),
        (b"unqualified recipient rejected: ", Permanent, Some(Phase::Rcpt)),
        (b"too many recipients: message rejected: ", Permanent, Some(Phase::Rcpt)),
        (b"too many recipients: excess temporarily rejected: ", Transient, Some(Phase::Rcpt)),
        (b"SMTP protocol synchronization error (", Permanent, None),
        (b"SMTP protocol violation: synchronization error (", Permanent, None),
        (b"SMTP protocol error in ", Permanent, None),
        (b"SMTP syntax error in ", Permanent, None),
        (b"SMTP call from ", Permanent, None),
    ];
    // The same refusal has a line of its own: `rejected MAIL from ...: no HELO/EHLO given`.
    if text.starts_with(b"SMTP protocol error in ") && text.ends_with(b" HELO or EHLO required") {
        return None;
    }
    if let Some((_, class, phase)) = starts.iter().find(|(start, ..)| text.starts_with(start)) {
        let is_call = text.starts_with(b"SMTP call from ");
        let dropped =
            cut(text, b"] dropped: too many ").or_else(|| cut(text, b" dropped: too many "));
        return (!is_call || dropped.is_some()).then(|| reject(id, *class, *phase, text));
    }
    // The daemon answers 421 before it starts a process for the client.
    let (_, why) = cut(text.strip_prefix(b"Connection from ")?, b" refused: ")?;
    Some(reject(id, Transient, Some(Phase::Connect), why))
}

/// `login authenticator failed for host (helo) [ip]: 535 Incorrect authentication data (set_id=x)`.
fn authentication<'a>(id: &'a [u8], text: &'a [u8]) -> Option<InboundReject<'a>> {
    let (name, rest) = cut(text, b" authenticator failed for ")?;
    if name.contains(&b' ') {
        return None;
    }
    let text = super::fields::after_host(after_ip(rest)?).strip_prefix(b": ")?;
    let reply = Reply::parse(text)?;
    let refused = reject(id, reply.code.class(), Some(Phase::Auth), text);
    Some(InboundReject { reply: Some(reply), ..refused })
}

fn reject<'a>(
    queue_id: &'a [u8],
    class: CodeClass,
    phase: Option<Phase>,
    text: &'a [u8],
) -> InboundReject<'a> {
    InboundReject { queue_id, class, reply: None, text, phase }
}

/// Tells the second of two equal lines: where both logs go to syslog, each refusal is written for
/// the main log and again for the reject log (`syslog_duplication`, on by default). A client can be
/// refused twice alike, so what most refusals did until now tells whether that is done here.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Doubled {
    first: Recent<u64, PROCESSES_MAX>,
    /// How many of the last refusals came twice, and how many there were.
    twice: u64,
    all: u64,
}

impl Doubled {
    /// Whether this line of process `pid` repeats the one before it, which repeated none.
    pub(super) fn is_second(&mut self, pid: &[u8], message: &[u8]) -> bool {
        let hash = xxh3_64(message);
        if self.first.take(pid) == Some(hash) {
            self.twice += 1;
            // Some refusals are not meant for the reject log.
            return 2 * self.twice >= self.all;
        }
        if self.all >= REFUSALS_MAX {
            self.all /= 2;
            self.twice /= 2;
        }
        self.all += 1;
        self.first.put(pid, hash);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use CodeClass::{Permanent, Transient};

    /// Line, class, phase, reason.
    const REFUSALS: [(&str, CodeClass, Option<Phase>, &str); 27] = [
        (
            "H=mail.c.example (helo.c.example) [198.51.100.9]:4022 X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no F=<s@c.example> temporarily rejected RCPT <u@s.example>: greylisted",
            Transient,
            Some(Phase::Rcpt),
            "greylisted",
        ),
        (
            "H=(localhost) [198.51.100.10] I=[192.0.2.1]:25 F=<spam@c.example> rejected RCPT <u@s.example>: 198.51.100.10 is listed: 550",
            Permanent,
            Some(Phase::Rcpt),
            "198.51.100.10 is listed: 550",
        ),
        (
            "H=([198.51.100.9]) [198.51.100.10] U=me F=<\"a> rejected x: \"@c.example> A=login:me temporarily rejected RCPT <\"x: y\"@s.example>: why",
            Transient,
            Some(Phase::Rcpt),
            "why",
        ),
        (
            "DSH=mail.c.example [198.51.100.9] F=<> rejected after DATA: spam",
            Permanent,
            Some(Phase::EndOfData),
            "spam",
        ),
        (
            "H=[198.51.100.9] DN=\"CN=a\" F=<> temporarily rejected during MIME ACL checks: no",
            Transient,
            Some(Phase::EndOfData),
            "no",
        ),
        (
            "H=(localhost) [203.0.113.202] rejected EHLO or HELO localhost: not yours",
            Permanent,
            Some(Phase::Helo),
            "not yours",
        ),
        (
            "H=x [2001:db8::9] rejected connection in \"connect\" ACL: go",
            Permanent,
            Some(Phase::Connect),
            "go",
        ),
        (
            "H=x [198.51.100.9] rejected MAIL <u@c.example>: listed at zen",
            Permanent,
            Some(Phase::Mail),
            "listed at zen",
        ),
        ("H=x [198.51.100.9] rejected AUTH PLAIN: no", Permanent, Some(Phase::Auth), "no"),
        ("H=x [198.51.100.9] F=<a@b> rejected DATA: no", Permanent, Some(Phase::Data), "no"),
        (
            "H=c [198.51.100.9] a@b.example F=<s@c> rejected after DATA: R=r T=t H=mx [192.0.2.1] C=\"550 no\"",
            Permanent,
            Some(Phase::EndOfData),
            "R=r T=t H=mx [192.0.2.1] C=\"550 no\"",
        ),
        (
            "H=c [198.51.100.9] a@b.example F=<s@c> tmp-reject from cutthrough after DATA: R=r",
            Transient,
            Some(Phase::EndOfData),
            " R=r",
        ),
        (
            "rejected MAIL from [203.0.113.202]: no HELO/EHLO given",
            Permanent,
            Some(Phase::Mail),
            "no HELO/EHLO given",
        ),
        (
            "rejected EHLO from [203.0.113.202]: syntactically invalid argument(s): [bad",
            Permanent,
            Some(Phase::Helo),
            "syntactically invalid argument(s): [bad",
        ),
        (
            "rejected MAIL FROM:<u@c.example> H=c [203.0.113.201]: message too big: size=9 max=1",
            Permanent,
            Some(Phase::Mail),
            "message too big: size=9 max=1",
        ),
        (
            "rejected from <s@c.example> H=c [203.0.113.201]: message too big: read=9 max=1",
            Permanent,
            Some(Phase::EndOfData),
            "message too big: read=9 max=1",
        ),
        (
            "temporarily rejected \"EHLO x\" from [203.0.113.201]",
            Transient,
            Some(Phase::Helo),
            "EHLO x\" from [203.0.113.201]",
        ),
        ("F=<root@s.example> rejected by non-SMTP ACL: no", Permanent, None, "no"),
        ("temporarily rejected by local_scan(): later", Transient, Some(Phase::EndOfData), "later"),
        (
            "refused connection from [203.0.113.201] (host_reject_connection)",
            Permanent,
            Some(Phase::Connect),
            "refused connection from [203.0.113.201] (host_reject_connection)",
        ),
        (
            "Connection from [203.0.113.201] refused: too many connections",
            Transient,
            Some(Phase::Connect),
            "too many connections",
        ),
        (
            "unqualified recipient rejected: <x> H=c [203.0.113.201]",
            Permanent,
            Some(Phase::Rcpt),
            "unqualified recipient rejected: <x> H=c [203.0.113.201]",
        ),
        (
            "too many recipients: excess temporarily rejected: sender=<a> H=c",
            Transient,
            Some(Phase::Rcpt),
            "too many recipients: excess temporarily rejected: sender=<a> H=c",
        ),
        (
            "SMTP syntax error in \"foo\" H=c [203.0.113.201] unrecognized command",
            Permanent,
            None,
            "SMTP syntax error in \"foo\" H=c [203.0.113.201] unrecognized command",
        ),
        (
            "SMTP protocol synchronization error (next input sent too soon): rejected \"a\" H=c",
            Permanent,
            None,
            "SMTP protocol synchronization error (next input sent too soon): rejected \"a\" H=c",
        ),
        (
            "SMTP call from c [203.0.113.201] dropped: too many nonmail commands",
            Permanent,
            None,
            "SMTP call from c [203.0.113.201] dropped: too many nonmail commands",
        ),
        (
            "login authenticator failed for (c) [203.0.113.201]:4022: 535 Incorrect authentication data (set_id=x)",
            Permanent,
            Some(Phase::Auth),
            "535 Incorrect authentication data (set_id=x)",
        ),
    ];

    #[test]
    fn every_form_of_refusal_has_class_phase_and_reason() {
        for (text, class, phase, why) in REFUSALS {
            let found = refusal(b"", text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            let found = (found.class, found.phase, std::str::from_utf8(found.text).unwrap());
            assert_eq!(found, (class, phase, why), "{text}");
        }
    }

    #[test]
    fn what_refuses_nothing_is_no_refusal() {
        for text in [
            "H=(client1.isp.example) [203.0.113.203] sender verify fail for <u@nx.example>: rejected",
            "H=c [203.0.113.203] Warning: rejected RCPT <a@b>: x",
            "H=c [203.0.113.203] F=<a@b> RCPT <c@d>: discarded by RCPT ACL: rejected",
            "SMTP connection from client1.isp.example [203.0.113.201] lost while reading message data",
            "no host name found for IP address 203.0.113.203",
            "SMTP call from c [203.0.113.201] closed",
            "End queue run: pid=1",
            "SMTP protocol error in \"MAIL FROM:<u@c.example>\" H=[203.0.113.202]:4455 I=[198.51.100.10]:25 Ci=6441 HELO or EHLO required",
            "",
        ] {
            assert!(refusal(b"", text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn of_two_equal_lines_of_one_process_the_second_is_told() {
        let mut doubled = Doubled::default();
        let seen =
            ["a", "a", "a", "a", "b", "a"].map(|text| doubled.is_second(b"1", text.as_bytes()));
        assert_eq!(seen, [false, true, false, true, false, false]);
        assert!(!doubled.is_second(b"2", b"a"));
    }

    #[test]
    fn a_client_that_is_refused_twice_alike_is_no_second_line_where_refusals_come_once() {
        let mut doubled = Doubled::default();
        for text in 0..10_u8 {
            assert!(!doubled.is_second(b"1", &[text]));
        }
        let twice = |doubled: &mut Doubled| [(); 2].map(|()| doubled.is_second(b"2", b"a"));
        assert_eq!(twice(&mut doubled), [false, false]);
        // The setting is changed.
        for text in 0..200_u8 {
            doubled.is_second(b"3", &[text]);
            doubled.is_second(b"3", &[text]);
        }
        assert_eq!(twice(&mut doubled), [false, true]);
    }
}
