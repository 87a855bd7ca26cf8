//! Answers as most structured logs have them: a code, an enhanced code and a text in fields of
//! their own or in one diagnostic text.

use super::failure;
use crate::attempt::{Answer, NoReply, Phase};
use crate::smtp::{EnhancedStatusCode, Reply, ReplyCode};

/// The reply that a text starts with. What follows the code must not make it part of a longer
/// number or an IP address.
pub(super) fn reply(text: &[u8]) -> Option<Reply<'_>> {
    let code = ReplyCode::parse(text)?;
    match text.get(3..)? {
        [b'.', next, ..] | [next, ..] if next.is_ascii_alphanumeric() => None,
        _ => Some(Reply::with_code(code, text)),
    }
}

/// What a diagnostic text says: `smtp; 550 5.1.1 no such user` (RFC 3464 §2.3.6), or the same
/// without its type. Without a reply code the words name the cause, `otherwise` where they name
/// none.
pub(super) fn diagnostic(text: &[u8], otherwise: NoReply) -> Answer<'_> {
    let text = smtp_type(text).unwrap_or(text).trim_ascii();
    match reply(text) {
        Some(reply) => Answer::Reply(reply),
        None => no_reply(text, otherwise),
    }
}

/// The text of a diagnostic of type `smtp`.
pub(super) fn smtp_type(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_start();
    let (kind, rest) = text.split_at_checked(4)?;
    let rest = rest.trim_ascii_start().strip_prefix(b";")?;
    kind.eq_ignore_ascii_case(b"smtp").then_some(rest.trim_ascii_start())
}

/// The answer where a code is known beside the text.
pub(super) fn with_code(
    code: ReplyCode,
    enhanced: Option<EnhancedStatusCode>,
    text: &[u8],
) -> Answer<'_> {
    Answer::Reply(with_enhanced(Reply::with_code(code, text), enhanced))
}

/// The reply with an enhanced code that stands beside it, where its text has none. `x.0.0` says
/// nothing and is what loggers put where there was none.
pub(super) fn with_enhanced(
    mut reply: Reply<'_>,
    enhanced: Option<EnhancedStatusCode>,
) -> Reply<'_> {
    reply.enhanced = reply.enhanced.or(enhanced.filter(|enhanced| {
        u16::from(enhanced.class()) == reply.code.get() / 100
            && (enhanced.subject(), enhanced.detail()) != (0, 0)
    }));
    reply
}

/// No code came back.
pub(super) fn no_reply(text: &[u8], otherwise: NoReply) -> Answer<'_> {
    Answer::NoReply { cause: failure::cause(text).unwrap_or(otherwise), text }
}

/// The acceptance of which only that it happened was logged. Nothing but a 2yz reply settles a
/// delivery, and 250 is the one that RFC 5321 §4.3.2 names for the end of the data.
pub(super) fn accepted(text: &[u8]) -> Answer<'_> {
    match (reply(text), ReplyCode::new(250)) {
        (Some(reply), _) => Answer::Reply(reply),
        (None, Some(code)) => Answer::Reply(Reply::with_code(code, text)),
        (None, None) => Answer::NoReply { cause: NoReply::Protocol, text },
    }
}

/// A text that the MTA made up itself and says so: `554 5.4.7 [internal] exceeded max time without
/// delivery` in Momentum and SparkPost.
pub(super) struct Internal<'a> {
    enhanced: Option<EnhancedStatusCode>,
    /// What follows the mark.
    pub text: &'a [u8],
}

/// Such a text. The mark stands right after the codes; further on it could be a remote's words.
pub(super) fn internal(text: &[u8]) -> Option<Internal<'_>> {
    let rest = if ReplyCode::parse(text).is_some() { text.get(3..)? } else { text };
    let rest = rest.trim_ascii_start();
    let (enhanced, rest) = match EnhancedStatusCode::parse(rest) {
        Some((enhanced, length)) => (Some(enhanced), rest.get(length..)?.trim_ascii_start()),
        None => (None, rest),
    };
    let text = rest.strip_prefix(b"[internal]")?.trim_ascii_start();
    Some(Internal { enhanced, text })
}

impl Internal<'_> {
    /// Whether the message's time in the queue is over.
    pub(super) fn is_over(&self) -> bool {
        self.enhanced.is_some_and(|enhanced| (enhanced.subject(), enhanced.detail()) == (4, 7))
            || self.text.starts_with(b"exceeded max time")
    }

    /// Whether the message was stopped before any attempt.
    pub(super) fn was_not_tried(&self) -> bool {
        let text = self.text.get(..256).unwrap_or(self.text).to_ascii_lowercase();
        let words: &[&[u8]] = &[b"suppress", b"suspend", b"blackhole"];
        words.iter().any(|word| memchr::memmem::find(&text, word).is_some())
    }
}

/// The command that was answered: `RCPT TO:<...>`, or `.` for the end of the data.
pub(super) fn phase(command: &[u8]) -> Option<Phase> {
    let command = command.trim_ascii();
    let word = command.split(|byte| matches!(byte, b' ' | b':' | b'\t')).next()?;
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    Some(match () {
        () if is("EHLO") || is("HELO") || is("LHLO") => Phase::Helo,
        () if is("STARTTLS") => Phase::Starttls,
        () if is("AUTH") => Phase::Auth,
        () if is("MAIL") => Phase::Mail,
        () if is("RCPT") => Phase::Rcpt,
        () if is("DATA") => Phase::Data,
        () if is("BDAT") && !command.to_ascii_uppercase().ends_with(b"LAST") => Phase::Data,
        () if is(".") || is("BDAT") => Phase::EndOfData,
        () => return None,
    })
}

/// Whether an address, or the path of a socket, is on this machine: such a hop hands mail to a
/// filter or a mailbox, not to a provider.
pub(super) fn is_here(address: &[u8]) -> bool {
    address.starts_with(b"127.") || address == b"::1" || address.starts_with(b"/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_found_only_where_a_code_stands_alone() {
        assert_eq!(reply(b"550-5.1.1 a").unwrap().enhanced.unwrap().to_string(), "5.1.1");
        for text in ["550 a", "550", "550\na", "550-", "550. a", "550: a", "550.", "550<a@b>"] {
            assert_eq!(reply(text.as_bytes()).unwrap().code.get(), 550, "{text}");
        }
        for text in ["5501 a", "550x", "250.1.2.3 a", "smtp", "", "25"] {
            assert_eq!(reply(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_diagnostic_may_name_its_type() {
        for text in ["smtp;550 5.1.1 a", "SMTP; 550 5.1.1 a", "smtp ;550 5.1.1 a", "550 5.1.1 a"] {
            let Answer::Reply(reply) = diagnostic(text.as_bytes(), NoReply::Protocol) else {
                panic!("{text}")
            };
            assert_eq!(reply.text, b"550 5.1.1 a", "{text}");
        }
        let answer = diagnostic(b"x-unix; connection refused", NoReply::Protocol);
        assert_eq!(answer.cause(), Some(NoReply::Refused));
        assert_eq!(diagnostic(b"", NoReply::Protocol).cause(), Some(NoReply::Protocol));
    }

    #[test]
    fn an_enhanced_code_beside_the_text_fills_in_only_where_it_fits() {
        let enhanced = |text: &'static str, beside: &str| {
            let beside = EnhancedStatusCode::parse(beside.as_bytes()).map(|(code, _)| code);
            with_enhanced(reply(text.as_bytes()).unwrap(), beside)
                .enhanced
                .map(|code| code.to_string())
        };
        assert_eq!(enhanced("550 no", "5.1.1").as_deref(), Some("5.1.1"));
        assert_eq!(enhanced("550 5.7.1 no", "5.1.1").as_deref(), Some("5.7.1"));
        assert_eq!(enhanced("550 no", "4.1.1"), None);
        assert_eq!(enhanced("550 no", "5.0.0"), None);
        assert_eq!(enhanced("550 no", ""), None);
    }

    #[test]
    fn commands_name_their_phase() {
        let cases: &[(&str, Option<Phase>)] = &[
            ("RCPT TO:<a@example.com>", Some(Phase::Rcpt)),
            ("mail from:<>", Some(Phase::Mail)),
            (".", Some(Phase::EndOfData)),
            ("BDAT 100 LAST", Some(Phase::EndOfData)),
            ("BDAT 100", Some(Phase::Data)),
            ("DATA", Some(Phase::Data)),
            ("STARTTLS", Some(Phase::Starttls)),
            ("ehlo here", Some(Phase::Helo)),
            ("AUTH PLAIN", Some(Phase::Auth)),
            ("QUIT", None),
            ("", None),
        ];
        for (command, expected) in cases {
            assert_eq!(phase(command.as_bytes()), *expected, "{command}");
        }
    }
}
