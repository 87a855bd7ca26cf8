//! Why an attempt ended as it did, in the words of smtp(8) (`smtp/smtp_trouble.c`,
//! `smtp/smtp_proto.c`, `smtp/smtp_connect.c`, `smtp/smtp_addr.c`).

use crate::attempt::{Answer, NoReply, Phase, Relay};
use crate::scan;

use super::peer;
use super::reply::{self, Decided};

/// What an attempt met.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reason<'a> {
    /// The host that the words name, empty if none.
    pub(super) relay: Relay<'a>,
    /// What it said.
    pub(super) answer: Answer<'a>,
    /// Where in the conversation.
    pub(super) phase: Option<Phase>,
}

impl<'a> Reason<'a> {
    /// The server took the message: the words are its reply.
    pub(super) fn accepted(text: &'a [u8], decided: &Decided<'_>) -> Self {
        let answer = reply::parse(text, decided)
            .map_or(Answer::NoReply { cause: NoReply::Protocol, text }, Answer::Reply);
        Self { relay: Relay::default(), answer, phase: None }
    }

    /// Words of our own side that name no host.
    pub(super) fn own(text: &'a [u8]) -> Self {
        Self::no_reply(Relay::default(), NoReply::Local, text, None)
    }

    fn no_reply(relay: Relay<'a>, cause: NoReply, text: &'a [u8], phase: Option<Phase>) -> Self {
        Self { relay, answer: Answer::NoReply { cause, text }, phase }
    }

    /// What the words say, `None` if smtp(8) does not speak so.
    ///
    /// `decided` is what the record says about a reply; nothing for a line without a record.
    pub(super) fn parse(text: &'a [u8], decided: &Decided<'_>) -> Option<Self> {
        match text.first()? {
            b'h' => said(text.strip_prefix(b"host ")?, decided),
            b'P' => said(text.strip_prefix(b"Protocol error: host ")?, decided),
            b'c' => connect(text).or_else(|| conversation(text)).or_else(|| other(text)),
            b'l' => conversation(text).or_else(|| other(text)),
            b'S' => login(text).or_else(|| other(text)),
            b'T' => start_tls(text).or_else(|| other(text)),
            b'D' => {
                let refuses = text.ends_with(b" does not accept mail (nullMX)");
                (text.starts_with(b"Domain ") && refuses)
                    .then(|| Self::no_reply(Relay::default(), NoReply::Dns, text, None))
            }
            _ => other(text),
        }
    }
}

/// A reply, or something else that came in its place.
#[inline(never)]
fn answer<'a>(text: &'a [u8], decided: &Decided<'_>) -> Answer<'a> {
    Reason::accepted(text, decided).answer
}

/// `H[ip] said: REPLY (in reply to CMD)` and `H[ip] refused to talk to me: REPLY`.
fn said<'a>(text: &'a [u8], decided: &Decided<'_>) -> Option<Reason<'a>> {
    let (relay, rest) = peer::parse(text)?;
    if let Some(reply) = rest.strip_prefix(b" said: ") {
        let (reply, phase) = in_reply_to(reply);
        return Some(Reason { relay, answer: answer(reply, decided), phase });
    }
    let reply = rest.strip_prefix(b" refused to talk to me: ")?;
    // The same words for the greeting and for EHLO. After a greeting Postfix tries another host or
    // comes back later, whatever the code (`smtp_skip_5xx_greeting`); EHLO it takes at its word.
    let phase = if decided.class() == Some(5) { Phase::Helo } else { Phase::Connect };
    let decided = Decided { is_softened: true, ..*decided };
    Some(Reason { relay, answer: answer(reply, &decided), phase: Some(phase) })
}

/// Parts a reply from what Postfix says after it about the command. It has the last word, unless
/// the line was cut.
fn in_reply_to(text: &[u8]) -> (&[u8], Option<Phase>) {
    if text.ends_with(b")")
        && let Some(open) = scan::find_last(text, b'(')
        && let Some(command) = text.get(open..).and_then(|end| end.strip_prefix(b"(in reply to "))
    {
        let reply = text.get(..open).unwrap_or_default();
        return (reply.strip_suffix(b" ").unwrap_or(reply), command_phase(command));
    }
    (text, None)
}

/// The phase that a command belongs to; some are asked outside of all.
fn command_phase(command: &[u8]) -> Option<Phase> {
    let commands: [(&[u8], Phase); 8] = [
        (b"RCPT TO", Phase::Rcpt),
        (b"MAIL FROM", Phase::Mail),
        (b"end of DATA", Phase::EndOfData),
        (b"DATA", Phase::Data),
        (b"BDAT", Phase::Data),
        (b"EHLO", Phase::Helo),
        (b"STARTTLS", Phase::Starttls),
        (b"AUTH", Phase::Auth),
    ];
    commands.iter().find(|(name, _)| command.starts_with(name)).map(|(_, phase)| *phase)
}

/// `connect to H[ip]:port: STRERROR`.
fn connect(text: &[u8]) -> Option<Reason<'_>> {
    let (relay, rest) = peer::parse(text.strip_prefix(b"connect to ")?)?;
    let error = rest.strip_prefix(b": ")?;
    let errors: [(&[u8], NoReply); 13] = [
        (b"Connection timed out", NoReply::Timeout),
        (b"Connection refused", NoReply::Refused),
        (b"No route to host", NoReply::Unreachable),
        (b"Network is unreachable", NoReply::Unreachable),
        (b"Operation timed out", NoReply::Timeout),
        (b"Connection reset by peer", NoReply::Lost),
        (b"server dropped connection", NoReply::Lost),
        (b"read timeout", NoReply::Timeout),
        (b"Permission denied", NoReply::Local),
        (b"Operation not permitted", NoReply::Local),
        (b"Cannot assign requested address", NoReply::Local),
        (b"Address family not supported", NoReply::Local),
        (b"Too many open files", NoReply::Local),
    ];
    let known = errors.iter().find(|(words, _)| error.starts_with(words));
    let cause = known.map_or(NoReply::Unreachable, |(_, cause)| *cause);
    Some(Reason::no_reply(relay, cause, text, Some(Phase::Connect)))
}

/// `lost connection with H[ip] while PHASE` and `conversation with H[ip] timed out while PHASE`.
fn conversation(text: &[u8]) -> Option<Reason<'_>> {
    let (cause, (relay, rest)) = if let Some(rest) = text.strip_prefix(b"lost connection with ") {
        (NoReply::Lost, peer::parse(rest)?)
    } else {
        (NoReply::Timeout, peer::parse(text.strip_prefix(b"conversation with ")?)?)
    };
    let rest = rest.strip_prefix(b" timed out").unwrap_or(rest);
    let phase = rest.strip_prefix(b" while ").and_then(activity_phase);
    Some(Reason::no_reply(relay, cause, text, phase))
}

/// The phase in which smtp(8) says to be.
fn activity_phase(activity: &[u8]) -> Option<Phase> {
    let activities: [(&[u8], Phase); 9] = [
        (b"receiving the initial server greeting", Phase::Connect),
        (b"performing the EHLO", Phase::Helo),
        (b"performing the HELO", Phase::Helo),
        (b"performing the LHLO", Phase::Helo),
        (b"sending MAIL FROM", Phase::Mail),
        (b"sending RCPT TO", Phase::Rcpt),
        (b"sending DATA", Phase::Data),
        (b"sending message body", Phase::Data),
        (b"sending end of data", Phase::EndOfData),
    ];
    activities.iter().find(|(name, _)| activity.starts_with(name)).map(|(_, phase)| *phase)
}

/// `SASL authentication failed; server H[ip] said: REPLY`, and what goes wrong on our own side.
fn login(text: &[u8]) -> Option<Reason<'_>> {
    let failed = text.strip_prefix(b"SASL authentication failed");
    let said = failed.and_then(|rest| rest.strip_prefix(b"; server ")).and_then(peer::parse);
    if let Some((relay, rest)) = said {
        return Some(match rest.strip_prefix(b" said: ") {
            Some(reply) => {
                let answer = answer(reply, &Decided::default());
                Reason { relay, answer, phase: Some(Phase::Auth) }
            }
            None => Reason::no_reply(relay, NoReply::Local, text, Some(Phase::Auth)),
        });
    }
    // The reply in `SASL [CACHED] authentication failed; ...` is an old one: nobody was asked.
    let own = failed.is_some() || text.starts_with(b"SASL [CACHED] authentication failed");
    own.then(|| Reason::no_reply(Relay::default(), NoReply::Local, text, Some(Phase::Auth)))
}

/// `TLS is required, but ...`.
fn start_tls(text: &[u8]) -> Option<Reason<'_>> {
    let rest = text.strip_prefix(b"TLS is required, but ")?;
    let phase = Some(Phase::Starttls);
    if let Some((relay, rest)) = rest.strip_prefix(b"host ").and_then(peer::parse)
        && let Some(reply) = rest.strip_prefix(b" refused to start TLS: ")
    {
        return Some(Reason { relay, answer: answer(reply, &Decided::default()), phase });
    }
    let host = rest.strip_prefix(b"was not offered by host ").and_then(peer::parse);
    let relay = host.map_or(Relay::default(), |(relay, _)| relay);
    Some(Reason::no_reply(relay, NoReply::Tls, text, phase))
}

/// Everything that is known by how it begins.
fn other(text: &[u8]) -> Option<Reason<'_>> {
    const TLS: Option<Phase> = Some(Phase::Starttls);
    let beginnings: [(&[u8], NoReply, Option<Phase>); 17] = [
        (b"Host or domain name not found", NoReply::Dns, None),
        (b"Name service error for ", NoReply::Dns, None),
        (b"unable to find primary relay for ", NoReply::Dns, None),
        (b"unable to look up ", NoReply::Dns, None),
        (b"Cannot start TLS", NoReply::Tls, TLS),
        (b"Server certificate not ", NoReply::Tls, TLS),
        (b"TLSA lookup error for ", NoReply::Tls, None),
        (b"client TLS configuration problem", NoReply::Tls, TLS),
        (b"REQUIRETLS ", NoReply::Tls, TLS),
        (b"mail for ", NoReply::Local, None),
        (b"message size ", NoReply::Local, None),
        (b"local data error while talking to ", NoReply::Local, None),
        (b"SMTPUTF8 is required", NoReply::Local, None),
        (b"server unavailable or unable to receive mail", NoReply::Local, None),
        (b"Server configuration error", NoReply::Local, None),
        (b"unknown mail transport error", NoReply::Local, None),
        (b"mail transport unavailable", NoReply::Local, None),
    ];
    let (_, cause, phase) = beginnings.iter().find(|(words, ..)| text.starts_with(words))?;
    let host =
        [&b" of server "[..], b" talking to ", b" offered by host "].iter().find_map(|before| {
            let at = memchr::memmem::find(text, before)?;
            peer::parse(text.get(at + before.len()..)?)
        });
    let relay = host.map_or(Relay::default(), |(relay, _)| relay);
    Some(Reason::no_reply(relay, *cause, text, *phase))
}
