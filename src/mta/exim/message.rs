//! The message of a delivery or host line: what the remote said, or why it said nothing.

use crate::attempt::{Answer, NoReply, Phase, Relay};
use crate::mta::text::{angle, contains, contains_any, cut, network_cause};
use crate::smtp::Reply;

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Said<'a> {
    /// A remote host was asked, or could not be.
    Answer(Answer<'a>, Option<Phase>),
    /// Nobody was asked: the time for the next attempt has not come.
    Suspended,
    /// Nobody was asked any more: the last attempt is too long ago.
    TooLong,
    /// Something else, mostly the words of a local transport or of the configuration.
    Other,
}

/// What a message says, and whether the recipient was given up because it took too long.
pub(super) fn read(message: &[u8]) -> (Said<'_>, bool) {
    const EXPIRED: &[u8] = b"retry timeout exceeded";
    match message.strip_suffix(EXPIRED) {
        Some(b"") => (Said::TooLong, true),
        Some(rest) => match rest.strip_suffix(b": ") {
            Some(rest) => (said(rest), true),
            None => (said(message), false),
        },
        None => (said(message), false),
    }
}

fn said(message: &[u8]) -> Said<'_> {
    if let Some((answer, phase)) = answer(message) {
        return Said::Answer(answer, phase);
    }
    // The order matters: hosts that "have been failing for a long time" end with words about the
    // retry time too.
    if contains(message, b"have been failing for a long time") {
        Said::TooLong
    } else if is_suspended(message) {
        Said::Suspended
    } else if is_dns(message) {
        Said::Answer(Answer::NoReply { cause: NoReply::Dns, text: message }, None)
    } else {
        Said::Other
    }
}

/// The recipient whose RCPT command a message quotes.
pub(super) fn recipient(message: &[u8]) -> Option<&[u8]> {
    let (_, rest) = cut(message, b"RCPT TO:")?;
    angle(rest).map(|(address, _)| address)
}

/// The host that a message names itself; see [`without_host`].
pub(super) fn host(message: &[u8]) -> Option<Relay<'_>> {
    let (_, rest) = cut(message, b": host ")?;
    let (host, rest) = cut(rest, b" [")?;
    let (ip, _) = cut(rest, b"]: ")?;
    let old = message.starts_with(b"SMTP error from remote mail") && !host.contains(&b' ');
    old.then_some(Relay { host, ip })
}

/// What the SMTP transport says (`check_response` and its callers in `transports/smtp.c`, and the
/// same in `transports/lmtp.c`).
fn answer(message: &[u8]) -> Option<(Answer<'_>, Option<Phase>)> {
    const REPLY: [&[u8]; 4] = [
        b"SMTP error from remote mail server after ",
        b"LMTP error after ",
        b"PRDR error after ",
        b"SMTP error from remote mailer after ",
    ];
    let none = |cause, phase| Some((Answer::NoReply { cause, text: message }, phase));
    let after = |starts: &[&[u8]]| starts.iter().find_map(|start| message.strip_prefix(*start));
    if let Some(rest) = after(&REPLY) {
        let (phase, text) = command(rest);
        let text = without_host(text);
        return match Reply::parse(text).filter(|_| ends_like_a_code(text)) {
            Some(reply) => Some((Answer::Reply(reply), phase)),
            None => none(NoReply::Protocol, phase),
        };
    }
    if let Some(rest) = after(&[b"SMTP timeout after ", b"LMTP timeout after "]) {
        return none(NoReply::Timeout, command(rest).0);
    }
    if let Some((start, rest)) = cut(message, b" in response to ") {
        if start.starts_with(b"Remote host") && start.ends_with(b"closed connection") {
            return none(NoReply::Lost, command(rest).0);
        }
        if start.starts_with(b"Malformed SMTP reply") || start.starts_with(b"Malformed LMTP reply")
        {
            return none(NoReply::Protocol, command(rest).0);
        }
    }
    if is_tls(message) {
        return none(NoReply::Tls, Some(Phase::Starttls));
    }
    if message.starts_with(b"smtp closed") {
        return none(NoReply::Lost, None);
    }
    if message.starts_with(b"smtp format") {
        return none(NoReply::Protocol, None);
    }
    // Either alone, or after the name of the host: `mx.b.example [192.0.2.1]: Connection timed out`.
    let words = match cut(message, b"]: ") {
        Some((host, words)) if contains(host, b" [") => words,
        _ => message,
    };
    let cause = network_cause(words).filter(|_| words.len() < 64)?;
    none(cause, None)
}

/// The command after which something happened, and what follows the `: ` behind it.
///
/// The sender's and the recipient's address are part of the command, and both are chosen by
/// strangers, so their ends are found by the grammar of a path.
fn command(text: &[u8]) -> (Option<Phase>, &[u8]) {
    let text = text.strip_prefix(b"pipelined ").unwrap_or(text);
    let phase = [
        (&b"initial connection"[..], Phase::Connect),
        (b"EHLO", Phase::Helo),
        (b"HELO", Phase::Helo),
        (b"LHLO", Phase::Helo),
        (b"STARTTLS", Phase::Starttls),
        (b"AUTH", Phase::Auth),
        (b"MAIL FROM:", Phase::Mail),
        (b"RCPT TO:", Phase::Rcpt),
        (b"DATA", Phase::Data),
        (b"BDAT", Phase::Data),
        (b"end of data", Phase::EndOfData),
    ];
    let phase = phase.into_iter().find(|(word, _)| text.starts_with(word)).map(|(_, phase)| phase);
    let after_path = cut(text, b":").and_then(|(_, path)| angle(path)).map(|(_, rest)| rest);
    let rest = match phase {
        Some(Phase::Mail | Phase::Rcpt) => after_path.unwrap_or(text),
        _ => text,
    };
    (phase, cut(rest, b": ").map_or(&b""[..], |(_, reply)| reply))
}

/// Versions before 4.83 name the host in the message: `host mx.b.example [192.0.2.1]: 450 ...`.
fn without_host(text: &[u8]) -> &[u8] {
    match text.strip_prefix(b"host ").and_then(|host| cut(host, b"]: ")) {
        Some((host, reply)) if contains(host, b" [") => reply,
        _ => text,
    }
}

/// Whether the first three bytes end like a reply code (RFC 5321 §4.2): Exim cuts what is shaped
/// otherwise off before, so this only guards against cut lines.
fn ends_like_a_code(text: &[u8]) -> bool {
    matches!(text.get(3), None | Some(b' ' | b'-' | b'\\'))
}

fn is_tls(message: &[u8]) -> bool {
    let starts: [&[u8]; 8] = [
        b"TLS session",
        b"failure while setting up TLS session",
        b"TLS error",
        b"a TLS session is required",
        b"bad first read from TLS conn",
        b"DANE error",
        b"Failed to start TLS session",
        b"Mandatory TLS session not started",
    ];
    starts.iter().any(|start| message.starts_with(start))
}

/// No attempt was made (`retry.c`, `deliver.c`, the end of `smtp_transport_entry`); since 4.100 the
/// words of `exim_errstrings` may stand alone.
fn is_suspended(message: &[u8]) -> bool {
    let starts: [&[u8]; 17] = [
        b"retry time not reached",
        b"Retry time not yet reached",
        b"reusing SMTP connection skips previous routing defer",
        b"no host found for existing SMTP connection",
        b"SMTP delivery explicitly queued",
        b"domain is in queue_domains",
        b"domain is held",
        b"remote deliveries suppressed",
        b"concurrency limit reached for transport",
        b"connection limit reached for all hosts",
        b"some host address lookups failed and retry time not reached",
        b"first-pass only routing",
        b"Not time for ",
        b"Local-only delivery",
        b"Domain in queue_domains",
        b"Transport concurrency limit",
        b"held",
    ];
    starts.iter().any(|start| message.starts_with(start))
}

fn is_dns(message: &[u8]) -> bool {
    contains_any(
        message,
        &[
            b"Unrouteable address",
            b"an MX or SRV record indicated no SMTP service",
            b"all relevant MX records point to",
            b"MXs point to missing A records",
            b"host lookup did not complete",
            b"did not complete",
            b"host lookup done insecurely",
            b"done insecurely",
            b"all host address lookups",
            b"lookup defer",
            b"DNS lookup",
            b"Lookup failed",
            b"lookup failed",
            b"no IP address found for host",
            b"no address found for host",
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, code: Option<u16>, cause: Option<NoReply>, phase: Option<Phase>) {
        let (Said::Answer(answer, found), false) = read(message.as_bytes()) else {
            panic!("{message}: {:?}", read(message.as_bytes()));
        };
        assert_eq!(answer.reply().map(|reply| reply.code.get()), code, "{message}");
        let Answer::NoReply { cause: found_cause, .. } = answer else {
            return assert_eq!((cause, found), (None, phase), "{message}");
        };
        assert_eq!((Some(found_cause), found), (cause, phase), "{message}");
    }

    #[test]
    fn the_reply_is_found_behind_every_command() {
        for (command, phase) in [
            ("initial connection", Phase::Connect),
            ("EHLO mail.s.example", Phase::Helo),
            ("HELO mail.s.example", Phase::Helo),
            ("STARTTLS", Phase::Starttls),
            ("AUTH PLAIN ****", Phase::Auth),
            ("MAIL FROM:<s@s.example>", Phase::Mail),
            ("MAIL FROM:<\"x>: 250 ok\"@s.example> SIZE=2444 AUTH=<>", Phase::Mail),
            ("RCPT TO:<r@r.example>", Phase::Rcpt),
            ("RCPT TO:<\"a: 250 b\"@r.example> NOTIFY=SUCCESS", Phase::Rcpt),
            ("DATA", Phase::Data),
            ("BDAT 17", Phase::Data),
            ("end of data", Phase::EndOfData),
        ] {
            for pipelined in ["", "pipelined "] {
                for host in ["", "host mx.b.example [192.0.2.1]: "] {
                    let message = format!(
                        "SMTP error from remote mail server after {pipelined}{command}: {host}\
                         451-4.7.1 a: 250 b\\n451 4.7.1 c"
                    );
                    check(&message, Some(451), None, Some(phase));
                }
            }
        }
        check(
            "LMTP error after end of data: 552 5.2.2 full",
            Some(552),
            None,
            Some(Phase::EndOfData),
        );
        check(
            "SMTP error from remote mail server after DATA: 550",
            Some(550),
            None,
            Some(Phase::Data),
        );
    }

    #[test]
    fn what_is_no_reply_has_its_cause() {
        use NoReply::{Dns, Lost, Protocol, Refused, Timeout, Tls, Unreachable};
        for (message, cause, phase) in [
            (
                "SMTP error from remote mail server after RCPT TO:<a@b>: 999 9.9.9 x",
                Protocol,
                Some(Phase::Rcpt),
            ),
            (
                "SMTP timeout after initial connection: Connection timed out",
                Timeout,
                Some(Phase::Connect),
            ),
            (
                "SMTP timeout after end of data (2412 bytes written): Connection timed out",
                Timeout,
                Some(Phase::EndOfData),
            ),
            (
                "Remote host closed connection in response to pipelined RCPT TO:<a@b>",
                Lost,
                Some(Phase::Rcpt),
            ),
            (
                "Remote host mx.b [192.0.2.1] closed connection in response to end of data",
                Lost,
                Some(Phase::EndOfData),
            ),
            (
                "Malformed SMTP reply (an empty line) in response to DATA",
                Protocol,
                Some(Phase::Data),
            ),
            (
                "Malformed SMTP reply in response to end of data: 2500 ok?",
                Protocol,
                Some(Phase::EndOfData),
            ),
            (
                "a TLS session is required, but the server did not offer TLS support",
                Tls,
                Some(Phase::Starttls),
            ),
            (
                "TLS session: (gnutls_handshake): The operation timed out",
                Tls,
                Some(Phase::Starttls),
            ),
            ("Connection refused", Refused, None),
            ("mx.b.example [192.0.2.1]: No route to host", Unreachable, None),
            ("Unrouteable address", Dns, None),
            ("host lookup did not complete", Dns, None),
            ("an MX or SRV record indicated no SMTP service", Dns, None),
            (
                "all relevant MX records point to non-existent hosts or (invalidly) to IP addresses",
                Dns,
                None,
            ),
        ] {
            check(message, None, Some(cause), phase);
        }
    }

    #[test]
    fn what_was_not_tried_is_told_from_what_was_given_up() {
        for message in [
            "retry time not reached for any host for 'b.example'",
            "SMTP delivery explicitly queued",
            "domain is held",
            "Transport concurrency limit",
        ] {
            assert_eq!(read(message.as_bytes()), (Said::Suspended, false));
        }
        for message in [
            "all hosts for 'b' have been failing for a long time (and retry time not reached)",
            "all hosts have been failing for a long time and were last tried after this message arrived",
        ] {
            assert_eq!(read(message.as_bytes()), (Said::TooLong, false));
        }
        assert_eq!(read(b"retry timeout exceeded"), (Said::TooLong, true));
        let late = b"SMTP error from remote mail server after DATA: 451 x: retry timeout exceeded";
        assert!(
            matches!(read(late), (Said::Answer(Answer::Reply(reply), _), true) if reply.code.get() == 451)
        );
        assert_eq!(read(b"mailbox is full"), (Said::Other, false));
    }
}
