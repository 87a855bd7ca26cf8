//! The record of a delivery (`global/log_adhoc.c`):
//!
//! ```text
//! to=<address>[, orig_to=<address>], relay=relay[, conn_use=N], delay=N, delays=N/N/N/N
//!     [, tls=feature], dsn=D.D.D, status=word (text)
//! ```

use crate::attempt::{Outcome, Relay};
use crate::mta::Why;
use crate::scan;

use super::peer;
use super::reply::Decided;

/// From this length on a line that ends too early was cut: syslog's own limit is 1024 bytes, that
/// of Postfix 2000.
const CUT_FROM: usize = 900;

/// The shortest `delays=`: `0/0/0/0`.
const DELAYS_MIN: usize = 7;

/// What Postfix did with a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Sent,
    Deferred,
    /// Bounced by the rules, kept because of `soft_bounce`.
    SoftBounce,
    Bounced,
    /// Only asked whether the address is good (`reject_unverified_recipient`, `sendmail -bv`).
    Probe,
}

impl Word {
    /// The word and the text behind it, where mail was attempted.
    #[expect(clippy::inline_always, reason = "a call would cost more than what it does")]
    #[inline(always)]
    fn usual(result: &[u8]) -> Option<(Self, &[u8])> {
        if let Some(text) = result.strip_prefix(b"sent (") {
            Some((Self::Sent, text))
        } else if let Some(text) = result.strip_prefix(b"deferred (") {
            Some((Self::Deferred, text))
        } else {
            result.strip_prefix(b"bounced (").map(|text| (Self::Bounced, text))
        }
    }

    fn parse(word: &[u8]) -> Option<Self> {
        match word {
            b"sent" => Some(Self::Sent),
            b"deferred" => Some(Self::Deferred),
            b"bounced" => Some(Self::Bounced),
            b"SOFTBOUNCE" => Some(Self::SoftBounce),
            b"deliverable" | b"undeliverable" | b"undeliverable-but-not-cached" => {
                Some(Self::Probe)
            }
            _ => None,
        }
    }
}

/// The record, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Status<'a> {
    /// The recipient as it was delivered to.
    pub(super) address: &'a [u8],
    /// The host that was talked to, empty where there was none; the name of a service is a host
    /// without an address.
    pub(super) relay: Relay<'a>,
    /// From the arrival of the message to the end of this attempt.
    pub(super) delay_seconds: Option<f64>,
    /// The status that Postfix gives the attempt: the server's where it has one of the right class.
    /// Empty where there is none.
    pub(super) dsn: &'a [u8],
    /// What became of it.
    pub(super) word: Word,
    /// Why: what stands between the parentheses. Postfix cuts long lines, and with them the end.
    pub(super) text: &'a [u8],
}

impl<'a> Status<'a> {
    /// The record whose first address begins at the start of `fields`.
    pub(super) fn parse(fields: &'a [u8]) -> Result<Self, Why> {
        match Self::usual(fields) {
            Some(status) => Ok(status),
            None => Self::any(fields),
        }
    }

    /// A record in which no field stands that most lack, and nothing that has to be looked at twice.
    #[expect(clippy::inline_always, reason = "nearly all of the time goes into such records")]
    #[inline(always)]
    pub(super) fn usual(fields: &'a [u8]) -> Option<Self> {
        let (address, rest) = fields.split_at_checked(scan::find(fields, [b'>'])?)?;
        let rest = rest.strip_prefix(b">, relay=").filter(|_| !address.starts_with(b"\""))?;
        let (relay, rest) = peer::usual(rest)?;
        let (delay, rest) = usual_field(rest.strip_prefix(b":25, delay=")?, 0)?;
        let (_, rest) = usual_field(rest.strip_prefix(b", delays=")?, DELAYS_MIN)?;
        let (dsn, rest) = usual_field(rest.strip_prefix(b", dsn=")?, 0)?;
        let (word, text) = Word::usual(rest.strip_prefix(b", status=")?)?;
        Some(Self {
            address,
            relay,
            delay_seconds: Some(seconds(delay)?),
            dsn,
            word,
            text: text.strip_suffix(b")").unwrap_or(text),
        })
    }

    /// Any record.
    #[cold]
    pub(super) fn any(fields: &'a [u8]) -> Result<Self, Why> {
        let cut = fields.len() >= CUT_FROM;
        let early = if cut { Why::Truncated } else { Why::NoStatus };
        let malformed = if cut { Why::Truncated } else { Why::Malformed };
        let (address, mut rest) = address(fields).ok_or(malformed)?;
        if let Some(original) = rest.strip_prefix(b"orig_to=<") {
            (_, rest) = self::address(original).ok_or(early)?;
        }
        let rest = rest.strip_prefix(b"relay=").ok_or(Why::Malformed)?;
        let (relay, mut rest) = relay(rest).ok_or(early)?;
        let (mut delay_seconds, mut dsn) = (None, &b""[..]);
        let result = loop {
            if let Some(result) = rest.strip_prefix(b"status=") {
                break result;
            }
            let (next, after) = field(rest).ok_or(early)?;
            match next {
                [b'd', b'e', b'l', b'a', b'y', b'=', value @ ..] => {
                    delay_seconds = seconds(value);
                }
                [b'd', b's', b'n', b'=', value @ ..] => dsn = value,
                _ => {}
            }
            rest = after;
        };
        let (word, text) = match scan::find(result, [b' ']) {
            Some(end) => result.split_at_checked(end).ok_or(early)?,
            None => (result, &b""[..]),
        };
        let unknown = if cut && text.is_empty() { Why::Truncated } else { Why::UnknownStatus };
        let word = Word::parse(word).ok_or(unknown)?;
        let text = text.strip_prefix(b" (").unwrap_or_default();
        let text = text.strip_suffix(b")").unwrap_or(text);
        Ok(Self { address, relay, delay_seconds, dsn, word, text })
    }

    /// What became of the recipient, `None` where nobody was asked to take the message.
    #[inline]
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self.word {
            Word::Probe => None,
            // qmgr(8) leaves a destination alone for a while, and says of everything queued for it
            // what its last attempt met.
            Word::Deferred if self.text.starts_with(b"delivery temporarily suspended") => None,
            Word::Sent => Some(Outcome::Delivered),
            Word::Deferred | Word::SoftBounce => Some(Outcome::Deferred),
            Word::Bounced => Some(Outcome::Bounced),
        }
    }

    /// What the record says about a reply in its text.
    #[inline]
    pub(super) fn decided(&self) -> Decided<'a> {
        // A soft bounce is a 5yz that the record makes a 4yz.
        Decided { dsn: self.dsn, is_softened: self.word == Word::SoftBounce }
    }
}

/// What was talked to, and what follows it.
#[inline]
fn relay(text: &[u8]) -> Option<(Relay<'_>, &[u8])> {
    if let Some((host, rest)) = peer::parse(text)
        && let Some(rest) = rest.strip_prefix(b", ")
    {
        return Some((host, rest));
    }
    let (relay, rest) = field(text)?;
    let host = match (relay, peer::parse(relay)) {
        (b"none", _) => Relay::default(),
        (_, Some((host, _))) => host,
        (host, None) => Relay { host, ip: b"" },
    };
    Some((host, rest))
}

/// An address and what follows it, without `>, `.
///
/// Since Postfix 3.5 addresses are written as RFC 5322 wants them, so that a `>` may only stand
/// between quotes. Before, they were written as they are inside.
#[inline]
fn address(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = quoted(text).unwrap_or_default();
    loop {
        let end = from + scan::find(text.get(from..)?, [b'>'])?;
        let rest = text.get(end + 1..)?;
        if let Some(rest) = rest.strip_prefix(b", ")
            && (rest.starts_with(b"relay=") || rest.starts_with(b"orig_to=<"))
        {
            return Some((text.get(..end)?, rest));
        }
        from = end + 1;
    }
}

/// The length of the quoted local part at the start of `text`, if there is one.
fn quoted(text: &[u8]) -> Option<usize> {
    let mut at = text.starts_with(b"\"").then_some(1)?;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        match text.get(at..)? {
            [b'"', b'@' | b'>', ..] => return Some(at + 1),
            [b'"', ..] => return None,
            _ => at += 2,
        }
    }
}

/// A field and what follows the comma after it.
#[inline]
fn field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = scan::find(text, [b','])?;
    Some((text.get(..end)?, text.get(end + 1..)?.strip_prefix(b" ")?))
}

/// A field of at least `least` bytes and what follows it, the comma with it, if it is short enough to
/// be found at a look.
#[expect(clippy::inline_always, reason = "nearly all of the time goes into such records")]
#[inline(always)]
fn usual_field(text: &[u8], least: usize) -> Option<(&[u8], &[u8])> {
    text.split_at_checked(least + scan::find_near::<1, _>(text.get(least..)?, [b','])?)
}

/// A number of seconds, `0.05` or `432000`.
#[expect(clippy::inline_always, reason = "nearly all of the time goes into such records")]
#[inline(always)]
fn seconds(text: &[u8]) -> Option<f64> {
    match *text {
        [a, b'.', b, c] => three_digits([a, b, c]).map(|number| number / 100.0),
        [a, b, b'.', c] => three_digits([a, b, c]).map(|number| number / 10.0),
        [a, b'.', b] => three_digits([b'0', a, b]).map(|number| number / 10.0),
        _ => any_seconds(text),
    }
}

/// The number that three digits are.
#[inline]
fn three_digits(text: [u8; 3]) -> Option<f64> {
    let [a, b, c] = text;
    let digit = |byte: u8| byte.wrapping_sub(b'0');
    let (a, b, c) = (digit(a), digit(b), digit(c));
    (a.max(b).max(c) <= 9).then(|| f64::from(u16::from(a) * 100 + u16::from(b) * 10 + u16::from(c)))
}

fn any_seconds(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 7] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
    /// So many digits are no more than the number can hold.
    const LENGTH_MAX: usize = 18;
    let (mut number, mut decimals, mut point) = (0u64, 0, 0);
    if text.len() > LENGTH_MAX {
        return None;
    }
    for byte in text {
        match byte.wrapping_sub(b'0') {
            digit @ 0..=9 => {
                number = number * 10 + u64::from(digit);
                decimals += point;
            }
            _ if *byte == b'.' && point == 0 => point = 1,
            _ => return None,
        }
    }
    Some(f64::from(u32::try_from(number).ok()?) / POWERS.get(decimals)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_decimals_or_none() {
        for (text, expected) in [
            ("0", 0.0),
            ("7", 7.0),
            ("0.5", 0.5),
            ("0.05", 0.05),
            ("9.99", 9.99),
            ("10.5", 10.5),
            ("1234", 1234.0),
            ("432000", 432_000.0),
            ("0.000001", 0.000_001),
        ] {
            assert_eq!(seconds(text.as_bytes()), Some(expected), "{text}");
            assert_eq!(any_seconds(text.as_bytes()), Some(expected), "{text}");
        }
        for text in ["1.a0", "1..2", "..12", "12.:", "1/.2", "-1.5", "1e10", "9999999999999999999"]
        {
            assert_eq!(seconds(text.as_bytes()), None, "{text}");
        }
    }
}
