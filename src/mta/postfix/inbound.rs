//! Our own refusals: smtpd(8) (`smtpd/smtpd_check.c:log_whatsup`), cleanup(8)
//! (`cleanup/cleanup_milter.c`, `cleanup/cleanup_message.c`) and postscreen(8)
//! (`postscreen/postscreen_smtpd.c`).

use crate::attempt::{InboundReject, Phase};
use crate::mta::{LineKind, Reading, Take, Why};
use crate::smtp::{CodeClass, EnhancedStatusCode, Reply};

use super::{Daemon, hand_out};

/// Reads a line if it is a refusal. `text` is what follows the queue id, which is empty where the
/// line has none.
#[inline]
pub(super) fn read(
    daemon: Daemon,
    queue_id: &[u8],
    text: &[u8],
    out: &mut (impl Take + ?Sized),
) -> Option<LineKind> {
    let queue_id = if queue_id == b"NOQUEUE" { b"" } else { queue_id };
    let found = match text.first() {
        Some(b'r') => text.strip_prefix(b"reject: "),
        Some(b'm') => text.strip_prefix(b"milter-reject: "),
        Some(b'p') => text.strip_prefix(b"proxy-reject: "),
        Some(b'w') => {
            return proxy(text).map(|reject| hand_out(Reading::InboundReject(reject), out));
        }
        _ => None,
    };
    let text = found?;
    let content = if daemon == Daemon::Server { None } else { content(queue_id, text) };
    Some(match content.or_else(|| command(daemon, queue_id, text)) {
        Some(reject) => hand_out(Reading::InboundReject(reject), out),
        None => LineKind::Unreadable(Why::Malformed),
    })
}

/// `STAGE from name[address]: TEXT; from=<...> to=<...> ...`.
fn command<'a>(daemon: Daemon, queue_id: &'a [u8], text: &'a [u8]) -> Option<InboundReject<'a>> {
    let (stage, rest) = stage(text)?;
    let text = without_trailer(match rest.strip_prefix(b" from ") {
        Some(client) => after_client(client)?,
        // What a filter before the queue refused.
        None => rest.strip_prefix(b": ")?,
    });
    let reply = reply(text);
    let class = match (&reply, EnhancedStatusCode::parse(text)) {
        (Some(reply), _) => reply.code.class(),
        // cleanup(8) leaves the basic code out: the client gets 550 or 451.
        (None, Some((status, _))) => class(status),
        // postscreen(8) leaves out all: the client gets 421.
        (None, None) if daemon != Daemon::Server && stage == Some(Phase::Connect) => {
            CodeClass::Transient
        }
        (None, None) => return None,
    };
    Some(InboundReject { queue_id, class, reply, text, phase: stage })
}

/// The command that was refused, and what follows its name.
fn stage(text: &[u8]) -> Option<(Option<Phase>, &[u8])> {
    let stages: [(&[u8], Option<Phase>); 13] = [
        (b"RCPT", Some(Phase::Rcpt)),
        (b"MAIL", Some(Phase::Mail)),
        (b"END-OF-MESSAGE", Some(Phase::EndOfData)),
        (b"CONNECT", Some(Phase::Connect)),
        (b"EHLO", Some(Phase::Helo)),
        (b"HELO", Some(Phase::Helo)),
        (b"DATA content", Some(Phase::EndOfData)),
        (b"DATA", Some(Phase::Data)),
        (b"BDAT", Some(Phase::Data)),
        (b"AUTH", Some(Phase::Auth)),
        (b"STARTTLS", Some(Phase::Starttls)),
        (b"VRFY", None),
        (b"ETRN", None),
    ];
    for (name, phase) in stages {
        if let Some(rest) = text.strip_prefix(name)
            && (rest.starts_with(b" from ") || rest.starts_with(b": "))
        {
            return Some((phase, rest));
        }
    }
    // A command that is not known: its name is one word in capitals.
    let length = text.iter().take(32).take_while(|byte| byte.is_ascii_uppercase()).count();
    let (_, rest) = text.split_at_checked(length)?;
    (length > 0 && rest.starts_with(b" from ")).then_some((None, rest))
}

/// What follows `name[address]: ` or `[address]:port: `.
fn after_client(text: &[u8]) -> Option<&[u8]> {
    let rest = text.get(memchr::memchr(b']', text)? + 1..)?;
    let rest = rest.strip_prefix(b":")?;
    let port = rest.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    let rest = if port > 0 { rest.get(port..)?.strip_prefix(b":")? } else { rest };
    rest.strip_prefix(b" ")
}

/// The text without the addresses that follow it. They come after the last semicolon, for a text
/// may have its own.
fn without_trailer(text: &[u8]) -> &[u8] {
    const TRAILERS: [&[u8]; 4] = [b" from=<", b" to=<", b" proto=", b" helo=<"];
    let mut end = text.len();
    while let Some((text, semicolon)) = text
        .get(..end)
        .and_then(|text| memchr::memrchr(b';', text))
        .and_then(|at| text.split_at_checked(at))
    {
        let trailer = semicolon.get(1..).unwrap_or_default();
        if trailer.is_empty() || TRAILERS.iter().any(|begin| trailer.starts_with(begin)) {
            return text;
        }
        end = text.len();
    }
    text
}

/// A refused part of the content: `header Subject: ... from name[address]; from=<...> ...: 5.7.1
/// TEXT`. What was refused comes first and is anybody's, so that the text is found from the end.
fn content<'a>(queue_id: &'a [u8], text: &'a [u8]) -> Option<InboundReject<'a>> {
    const PARTS: [&[u8]; 5] =
        [b"header ", b"body ", b"mime-header ", b"nested-header ", b"mime-error "];
    PARTS.iter().find(|part| text.starts_with(part))?;
    let mut end = text.len();
    let found = loop {
        let Some(colon) = text.get(..end).and_then(|text| memchr::memrchr(b':', text)) else {
            break None;
        };
        let text = text.get(colon + 1..).and_then(|text| text.strip_prefix(b" "));
        let status = text.and_then(EnhancedStatusCode::parse);
        if let (Some(text), Some((status, _))) = (text, status) {
            break Some((class(status), text));
        }
        end = colon;
    };
    // Without a status of its own the client gets 550 5.7.1.
    let (class, text) = found.unwrap_or((CodeClass::Permanent, without_trailer(text)));
    Some(InboundReject { queue_id, class, reply: None, text, phase: Some(Phase::EndOfData) })
}

/// `warning: proxy SERVICE rejected "CMD": "REPLY"`: what a filter before the queue said, smtpd(8)
/// says to the client.
fn proxy(text: &[u8]) -> Option<InboundReject<'_>> {
    let text = text.strip_prefix(b"warning: proxy ")?;
    let at = memchr::memmem::find(text, b" rejected \"")?;
    let command = text.get(at + 11..)?;
    let at = memchr::memmem::find_iter(command, b"\": \"")
        .find(|at| command.get(at + 4..).and_then(reply).is_some())?;
    let text = command.get(at + 4..)?;
    let text = text.strip_suffix(b"\"").unwrap_or(text);
    let reply = reply(text)?;
    let phase = stage_of_command(command);
    Some(InboundReject {
        queue_id: b"",
        class: reply.code.class(),
        reply: Some(reply),
        text,
        phase,
    })
}

fn stage_of_command(command: &[u8]) -> Option<Phase> {
    let commands: [(&[u8], Phase); 6] = [
        (b"RCPT", Phase::Rcpt),
        (b"MAIL", Phase::Mail),
        (b"DATA", Phase::Data),
        (b"connection", Phase::Connect),
        (b"EHLO", Phase::Helo),
        (b"XFORWARD", Phase::Helo),
    ];
    commands.iter().find(|(name, _)| command.starts_with(name)).map(|(_, phase)| *phase)
}

/// A refusal with its code.
fn reply(text: &[u8]) -> Option<Reply<'_>> {
    let ends = matches!(text.get(3), None | Some(b' ' | b'-' | b'"'));
    let refusal = matches!(text.first(), Some(b'4' | b'5'));
    (ends && refusal).then(|| Reply::parse(text)).flatten()
}

fn class(status: EnhancedStatusCode) -> CodeClass {
    if status.class() == 4 { CodeClass::Transient } else { CodeClass::Permanent }
}
