//! The basic reply code and its class.

use std::fmt;
use std::num::NonZeroU16;

/// The three-digit code that starts every line of an SMTP reply (RFC 5321 §4.2).
///
/// Any number from 200 to 599 is kept, whether or not a standard assigns it: servers do send 420,
/// 441 or 541, and a code that was said is a code that is counted. Numbers outside that range are
/// no SMTP reply at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyCode(NonZeroU16);

impl ReplyCode {
    /// The smallest code that can be held.
    pub const MIN: u16 = 200;
    /// The largest code that can be held.
    pub const MAX: u16 = 599;
    /// 421: the server closes the connection (RFC 5321 §3.8).
    pub const CLOSING: Self = Self(NonZeroU16::new(421).unwrap());

    /// The code of that number, or `None` outside 200 to 599.
    pub const fn new(code: u16) -> Option<Self> {
        match NonZeroU16::new(code) {
            Some(number) if code >= Self::MIN && code <= Self::MAX => Some(Self(number)),
            _ => None,
        }
    }

    /// The code in the first three bytes, whatever follows them.
    ///
    /// ```
    /// use mta_exporter::smtp::ReplyCode;
    /// assert_eq!(ReplyCode::parse(b"550-5.1.1 no such user"), ReplyCode::new(550));
    /// assert_eq!(ReplyCode::parse(b"999 what"), None);
    /// assert_eq!(ReplyCode::parse(b"55"), None);
    /// ```
    #[inline]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let [a, b, c] = *text.first_chunk()?;
        let digit = |byte: u8| byte.wrapping_sub(b'0');
        let (a, b, c) = (digit(a), digit(b), digit(c));
        if !matches!(a, 2..=5) || b.max(c) > 9 {
            return None;
        }
        NonZeroU16::new(u16::from(a) * 100 + u16::from(b) * 10 + u16::from(c)).map(Self)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// The class that the first digit says (RFC 5321 §4.2.1).
    ///
    /// A 3yz reply asks for more and settles nothing; where it stands as the last word, the
    /// delivery got no answer, so its class is [`CodeClass::None`].
    pub const fn class(self) -> CodeClass {
        match self.get() / 100 {
            2 => CodeClass::Success,
            4 => CodeClass::Transient,
            5 => CodeClass::Permanent,
            _ => CodeClass::None,
        }
    }
}

impl fmt::Display for ReplyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.get())
    }
}

/// What a reply means for the message, by its first digit; `none` where no code came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodeClass {
    /// 2yz: positive completion.
    Success,
    /// 4yz: transient negative completion; the MTA tries again.
    Transient,
    /// 5yz: permanent negative completion.
    Permanent,
    /// No code was returned.
    None,
}

impl CodeClass {
    /// Every class, in the order of the label values.
    pub const ALL: [Self; 4] = [Self::Success, Self::Transient, Self::Permanent, Self::None];

    /// The value of the label `code_class`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Transient => "4xx",
            Self::Permanent => "5xx",
            Self::None => "none",
        }
    }
}

impl fmt::Display for CodeClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
