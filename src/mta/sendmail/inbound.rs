//! What Sendmail refused its own clients.

use crate::attempt::{InboundReject, Phase};
use crate::mta::text::{angle, contains, contains_any, cut, until};
use crate::smtp::{CodeClass, Reply};

/// Reads a line about a client; `None` if nothing was refused.
pub(super) fn refusal<'a>(id: &'a [u8], text: &'a [u8]) -> Option<InboundReject<'a>> {
    let (phase, text) = if let Some(rest) = text.strip_prefix(b"ruleset=") {
        ruleset(rest)?
    } else if let Some(rest) = text.strip_prefix(b"Milter: ") {
        milter(rest)?
    } else {
        return words(id, text);
    };
    let reply = Reply::parse(text);
    let class = reply.map_or(CodeClass::Permanent, |reply| reply.code.class());
    Some(InboundReject { queue_id: id, class, reply, text, phase })
}

/// `check_rcpt, arg1=<x>, relay=host [ip], reject=550 5.7.1 ...` (`rscheck` in `parseaddr.c`). The
/// rulesets whose names start otherwise are asked about servers.
fn ruleset(text: &[u8]) -> Option<(Option<Phase>, &[u8])> {
    let (name, mut rest) = until(text, b",");
    let phase = match name {
        b"check_relay" => Some(Phase::Connect),
        b"check_mail" => Some(Phase::Mail),
        b"check_rcpt" => Some(Phase::Rcpt),
        b"check_data" => Some(Phase::Data),
        b"check_eoh" | b"check_eom" => Some(Phase::EndOfData),
        b"check_vrfy" | b"check_expn" | b"check_etrn" | b"check_compat" => None,
        b"tls_client" => Some(Phase::Starttls),
        b"trust_auth" => Some(Phase::Auth),
        _ if name.starts_with(b"check_") => None,
        _ => return None,
    };
    loop {
        let (key, value) = cut(rest.strip_prefix(b", ")?, b"=")?;
        if key == b"reject" {
            return Some((phase, value));
        }
        rest = after_value(value);
    }
}

/// What follows a value that a client chose: an address with its brackets, or anything up to the
/// next field.
fn after_value(value: &[u8]) -> &[u8] {
    let value = if value.starts_with(b"<") {
        angle(value).map_or(&b""[..], |(_, rest)| rest)
    } else {
        value
    };
    cut(value, b", ").map_or(&b""[..], |(before, _)| value.get(before.len()..).unwrap_or_default())
}

/// `to=<x>, reject=451 ...`, `data, reject=...`, `connect: host=x, addr=y, rejecting commands`
/// (`srvrsmtp.c`). What starts with a small letter, `milter=name, ...`, tells the same once more.
fn milter(text: &[u8]) -> Option<(Option<Phase>, &[u8])> {
    let phase = [
        (&b"to="[..], Phase::Rcpt),
        (b"from=", Phase::Mail),
        (b"helo=", Phase::Helo),
        (b"connect:", Phase::Connect),
        (b"cmd=data", Phase::Data),
        (b"data", Phase::EndOfData),
    ];
    let phase = phase.into_iter().find(|(word, _)| text.starts_with(word)).map(|(_, phase)| phase);
    if text == b"initialization failed, temp failing commands" {
        return Some((phase, b"451 4.3.2 Please try again later"));
    }
    let mut rest = match cut(text, b"=") {
        Some((key, value)) if !contains(key, b", ") => after_value(value),
        _ => text.get(until(text, b",").0.len()..)?,
    };
    loop {
        let field = rest.strip_prefix(b", ")?;
        if let Some(reject) = field.strip_prefix(b"reject=") {
            return Some((phase, reject));
        }
        if field == b"rejecting commands" {
            return Some((phase, field));
        }
        rest = after_value(field);
    }
}

/// Refusals that are logged as the client saw them, but for the code.
fn words<'a>(id: &'a [u8], text: &'a [u8]) -> Option<InboundReject<'a>> {
    const LATER: [&[u8]; 5] = [b"emporar", b"later", b"Deferred", b"busy", b"not resolve"];
    let reject =
        |class, phase, text| InboundReject { queue_id: id, class, reply: None, text, phase };
    if text.starts_with(b"AUTH failure (") {
        return Some(reject(CodeClass::Permanent, Some(Phase::Auth), text));
    }
    if text.starts_with(b"rejecting commands from ") {
        return Some(reject(CodeClass::Permanent, Some(Phase::Connect), text));
    }
    // `<nobody@s.example>... User unknown` of `usrerr`, which is logged only for clients.
    let (_, rest) = angle(text)?;
    let why = rest.strip_prefix(b"... ").filter(|why| !why.starts_with(b"Warning"))?;
    let class = if contains_any(why, &LATER) { CodeClass::Transient } else { CodeClass::Permanent };
    Some(reject(class, Some(Phase::Rcpt), why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use CodeClass::{Permanent, Transient};

    /// Line, class, code, phase.
    type Refusal = (&'static str, CodeClass, Option<u16>, Option<Phase>);

    const REFUSALS: &[Refusal] = &[
        (
            "ruleset=check_rcpt, arg1=<u@s.example>, relay=[198.51.100.9], reject=550 5.7.1 <u@s.example>... Relaying denied",
            Permanent,
            Some(550),
            Some(Phase::Rcpt),
        ),
        (
            "ruleset=check_rcpt, arg1=<\"x, reject=250 ok\"@s.example>, relay=c [198.51.100.9] (may be forged), reject=450 4.4.0 x, reject=250",
            Transient,
            Some(450),
            Some(Phase::Rcpt),
        ),
        (
            "ruleset=check_mail, arg1=<u@c.example>, relay=[198.51.100.9], reject=553 5.1.8 x",
            Permanent,
            Some(553),
            Some(Phase::Mail),
        ),
        (
            "ruleset=check_relay, arg1=[198.51.100.9], arg2=127.0.0.2, relay=[198.51.100.9], reject=421 4.3.2 Connection rate limit exceeded.",
            Transient,
            Some(421),
            Some(Phase::Connect),
        ),
        (
            "Milter: to=<u@s.example>, reject=451 4.7.1 Greylisting in action, please come back later",
            Transient,
            Some(451),
            Some(Phase::Rcpt),
        ),
        (
            "Milter: from=<u@c.example>, reject=421, errormode=4",
            Transient,
            Some(421),
            Some(Phase::Mail),
        ),
        ("Milter: data, reject=554 5.7.1 spam", Permanent, Some(554), Some(Phase::EndOfData)),
        (
            "Milter: cmd=data, reject=550 5.7.1 Command rejected",
            Permanent,
            Some(550),
            Some(Phase::Data),
        ),
        ("Milter: helo=x.example, reject=Command rejected", Permanent, None, Some(Phase::Helo)),
        (
            "Milter: connect: host=c.example, addr=198.51.100.9, reject=550 5.7.1 no",
            Permanent,
            Some(550),
            Some(Phase::Connect),
        ),
        (
            "Milter: connect: host=c.example, addr=198.51.100.9, rejecting commands",
            Permanent,
            None,
            Some(Phase::Connect),
        ),
        ("Milter: initialization failed, temp failing commands", Transient, Some(451), None),
        ("<nobody@s.example>... User unknown", Permanent, None, Some(Phase::Rcpt)),
        (
            "<u@c.example>... Domain of sender address does not resolve, try again later",
            Transient,
            None,
            Some(Phase::Rcpt),
        ),
        (
            "AUTH failure (LOGIN): authentication failure (-13) SASL(-13), relay=[198.51.100.9]",
            Permanent,
            None,
            Some(Phase::Auth),
        ),
        (
            "rejecting commands from c.example [198.51.100.9] due to pre-greeting traffic after 2 seconds",
            Permanent,
            None,
            Some(Phase::Connect),
        ),
    ];

    #[test]
    fn every_form_of_refusal_has_class_code_and_phase() {
        for (text, class, code, phase) in REFUSALS {
            let found = refusal(b"", text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            let codes = found.reply.map(|reply| reply.code.get());
            assert_eq!((&found.class, &codes, &found.phase), (class, code, phase), "{text}");
        }
    }

    #[test]
    fn what_refuses_nothing_is_no_refusal() {
        for text in [
            "ruleset=check_rcpt, arg1=<u@s.example>, relay=[198.51.100.9], discard",
            "ruleset=tls_server, arg1=SOFTWARE, relay=mx.b.example, reject=403 4.7.0 TLS handshake failed.",
            "Milter: to=<u@s.example>, discard",
            "milter=spamd, action=rcpt, reject=550 5.7.1 x",
            "<u@s.example>... Warning: x",
            "lost input channel from c.example [198.51.100.9] to MTA after rcpt",
            "from=<a@b.example>, size=1, reject=550",
        ] {
            assert!(refusal(b"", text.as_bytes()).is_none(), "{text}");
        }
    }
}
