//! A reply as a log shows it.

use super::{EnhancedStatusCode, ReplyCode};

/// One reply of an SMTP server (RFC 5321 §4.2), as far as the log kept it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The basic code that decided.
    pub code: ReplyCode,
    /// The enhanced status code, only where its class equals the first digit of the basic code.
    pub enhanced: Option<EnhancedStatusCode>,
    /// The reply as the log wrote it, codes and repeated line prefixes included. Bytes: a remote
    /// server chose them.
    pub text: &'a [u8],
}

impl<'a> Reply<'a> {
    /// The reply whose basic code stands in the first three bytes of `text`.
    ///
    /// ```
    /// use mta_exporter::smtp::Reply;
    /// let reply = Reply::parse(b"550-5.1.1 No such user").unwrap();
    /// assert_eq!(reply.code.get(), 550);
    /// assert_eq!(reply.enhanced.unwrap().to_string(), "5.1.1");
    /// ```
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        Some(Self::with_code(ReplyCode::parse(text)?, text))
    }

    /// The reply with a code that is known otherwise. `text` may or may not start with the code.
    pub fn with_code(code: ReplyCode, text: &'a [u8]) -> Self {
        let after = match text.split_at_checked(3) {
            Some((first, after)) if ReplyCode::parse(first) == Some(code) => after,
            _ => text,
        };
        Self { code, enhanced: Self::enhanced_behind(code, after), text }
    }

    /// The enhanced code at the start of what follows the code, if it is of the same class.
    #[expect(clippy::inline_always, reason = "nearly every delivery comes here")]
    #[inline(always)]
    pub(crate) fn enhanced_behind(code: ReplyCode, after: &[u8]) -> Option<EnhancedStatusCode> {
        let after = match after {
            // Nearly always.
            [b' ' | b'-', b'!'..=b'~', ..] => after.get(1..).unwrap_or_default(),
            _ => after.strip_prefix(b"-").unwrap_or(after).trim_ascii_start(),
        };
        let (enhanced, _) = EnhancedStatusCode::parse(after)?;
        (u16::from(enhanced.class()) == code.get() / 100).then_some(enhanced)
    }
}
