//! What was typed: a code, a reply, or something else.

use crate::attempt::NoReply;
use crate::catalogue::Catalogue;
use crate::reason::Reason;
use crate::smtp::{CodeClass, EnhancedStatusCode, Reply, ReplyCode};

/// How much of a text is searched for a reply.
const SEARCHED_BYTES: usize = 4096;

pub(super) enum Input<'t> {
    /// Nothing but a code.
    Bare(Bare),
    /// A reply, from its code on.
    Reply(Reply<'t>),
    /// A text that begins with an enhanced code.
    Enhanced(EnhancedStatusCode),
    /// A log line, or nothing that we know.
    Other,
}

/// Nothing but a code.
#[derive(Debug)]
pub(super) enum Bare {
    /// Three digits, or `none`.
    Code(String),
    /// An enhanced status code.
    Enhanced(EnhancedStatusCode),
    /// A value of the label `cause`.
    Cause(NoReply),
    /// A value of the label `reason`.
    Reason(Reason),
    /// A word of one provider.
    Word(String),
}

impl Bare {
    fn parse(text: &str, catalogue: &Catalogue) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        if let Some(cause) = NoReply::parse(&lower) {
            return Some(Self::Cause(cause));
        }
        if lower == "none" || text.len() == 3 && catalogue.basic(text).is_some() {
            return Some(Self::Code(lower));
        }
        if let Some((enhanced, length)) = EnhancedStatusCode::parse(text.as_bytes())
            && length == text.len()
        {
            return Some(Self::Enhanced(enhanced));
        }
        if let Some(reason) = Reason::parse(&lower) {
            return Some(Self::Reason(reason));
        }
        let word = text.trim_matches(['[', ']', '(', ')']);
        catalogue.word(None, word).is_some().then(|| Self::Word(word.to_owned()))
    }

    /// The class of the reply that it would be, as the label has it.
    pub(super) fn class(&self) -> Option<&'static str> {
        let class = match self {
            Self::Code(name) => {
                ReplyCode::parse(name.as_bytes()).map_or(CodeClass::None, ReplyCode::class)
            }
            Self::Enhanced(enhanced) => class(enhanced.class()),
            Self::Cause(_) => CodeClass::None,
            Self::Reason(_) | Self::Word(_) => return None,
        };
        Some(class.as_str())
    }
}

/// The class of an enhanced code.
pub(super) fn class(first: u8) -> CodeClass {
    match first {
        2 => CodeClass::Success,
        4 => CodeClass::Transient,
        5 => CodeClass::Permanent,
        _ => CodeClass::None,
    }
}

impl<'t> Input<'t> {
    pub(super) fn parse(text: &'t [u8], catalogue: &Catalogue) -> Self {
        let bare = str::from_utf8(text).ok().and_then(|text| Bare::parse(text, catalogue));
        if let Some(bare) = bare {
            return Self::Bare(bare);
        }
        if let Some(reply) = reply_at_start(text) {
            return Self::Reply(reply);
        }
        if let [b'1', b'0'..=b'9', b'0'..=b'9', b' ' | b'-' | b':', ..] = text {
            let code = String::from_utf8_lossy(text.get(..3).unwrap_or_default());
            return Self::Bare(Bare::Code(code.into_owned()));
        }
        match EnhancedStatusCode::parse(text) {
            Some((enhanced, _)) => Self::Enhanced(enhanced),
            None => Self::Other,
        }
    }
}

/// The reply that a text begins with.
fn reply_at_start(text: &[u8]) -> Option<Reply<'_>> {
    let ends = text.get(3).is_none_or(|byte| b" -\t\r\n:".contains(byte));
    Reply::parse(text).filter(|_| ends)
}

/// The reply that a text quotes, as bounces and other programs do: `smtp; 550 ...`, `said: 550
/// ...`, `error 421`.
pub(super) fn quoted_reply(text: &[u8]) -> Option<Reply<'_>> {
    let searched = text.get(..SEARCHED_BYTES).unwrap_or(text);
    let starts = searched.iter().enumerate().filter(|(_, byte)| b"245".contains(byte));
    starts.map(|(start, _)| start).find_map(|start| {
        let before = searched.get(..start)?;
        let apart = before.last().is_some_and(|byte| !byte.is_ascii_alphanumeric());
        let reply = reply_at_start(text.get(start..)?).filter(|_| apart)?;
        let plain = reply.code.class() != CodeClass::Success || reply.code.get() == 250;
        (is_introduction(before) && plain || reply.enhanced.is_some()).then_some(reply)
    })
}

/// Whether what follows such a text is what somebody said.
fn is_introduction(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    let word = text.rsplit(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
    let words: [&[u8]; 6] = [b"error", b"code", b"reply", b"response", b"returned", b"said"];
    text.last().is_some_and(|byte| b":;<(\"'[=".contains(byte))
        || words.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// The enhanced code that stands in a text, as in `Status: 5.1.1` (RFC 3464 §2.3.4).
pub(super) fn quoted_enhanced(text: &[u8]) -> Option<EnhancedStatusCode> {
    let searched = text.get(..SEARCHED_BYTES).unwrap_or(text);
    let words = searched.split(|byte| byte.is_ascii_whitespace() || b"()[]<>;,#\"'".contains(byte));
    words
        .filter_map(|word| {
            EnhancedStatusCode::parse(word).filter(|(_, length)| *length == word.len())
        })
        .map(|(enhanced, _)| enhanced)
        .next()
}
