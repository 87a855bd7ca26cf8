//! The head of a syslog line, up to the host name: priority and time stamp.

use std::ops::Range;

use super::Family;
use super::timestamp::MONTHS;

/// Where the parts of a head stand in its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The time stamp.
    pub(super) stamp: Range<usize>,
    /// How long the head is: where the host name begins.
    pub(super) length: usize,
    /// What follows the host name.
    pub(super) family: Family,
    /// The places at which the grammar takes any digit, one bit each. Every other byte of a head
    /// decides how the head is read.
    pub(super) digits: u64,
}

/// The longest head that is known as one: all digits have a place in [`Head::digits`].
pub(super) const LENGTH_MAX: usize = 48;

/// The head of `line`, if it has one.
pub(super) fn parse(line: &[u8]) -> Option<Head> {
    let mut scan = Scan { line, at: 0, digits: 0 };
    scan.optional(Scan::priority);
    let family = if scan.rest().starts_with(b"1 ") { Family::Structured } else { Family::Tagged };
    let stamp = match family {
        Family::Structured => {
            scan.at += 2;
            let start = scan.at;
            scan.either(Scan::iso_stamp, |scan| scan.byte(b'-'))?;
            start..scan.at
        }
        Family::Tagged => {
            let start = scan.at;
            scan.either(Scan::bsd_stamp, Scan::iso_stamp)?;
            start..scan.at
        }
    };
    scan.byte(b' ')?;
    if family == Family::Tagged {
        scan.optional(Scan::bsd_priority);
    }
    let Scan { at: length, digits, .. } = scan;
    (length <= LENGTH_MAX).then_some(Head { stamp, length, family, digits })
}

/// Reads a head from the left.
struct Scan<'a> {
    line: &'a [u8],
    at: usize,
    digits: u64,
}

impl Scan<'_> {
    fn rest(&self) -> &[u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    /// Reads with `part`, or stays where it is.
    fn optional(&mut self, part: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let (at, digits) = (self.at, self.digits);
        let read = part(self);
        if read.is_none() {
            (self.at, self.digits) = (at, digits);
        }
        read
    }

    fn either(
        &mut self,
        one: impl FnOnce(&mut Self) -> Option<()>,
        other: impl FnOnce(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.optional(one).or_else(|| self.optional(other))
    }

    fn byte(&mut self, wanted: u8) -> Option<()> {
        (self.rest().first() == Some(&wanted)).then(|| self.at += 1)
    }

    fn digit(&mut self) -> Option<()> {
        if !self.rest().first()?.is_ascii_digit() || self.at >= LENGTH_MAX {
            return None;
        }
        self.digits |= 1 << self.at;
        self.at += 1;
        Some(())
    }

    fn two_digits(&mut self) -> Option<()> {
        self.digit()?;
        self.digit()
    }

    /// `<22>` (RFC 5424 §6.2.1), which relays and raw files keep.
    fn priority(&mut self) -> Option<()> {
        self.byte(b'<')?;
        self.digit()?;
        self.optional(Self::digit);
        self.optional(Self::digit);
        self.byte(b'>')
    }

    /// `<2.6> ` or `<mail.info> `, which syslogd of FreeBSD writes before the host with `-v`.
    fn bsd_priority(&mut self) -> Option<()> {
        self.byte(b'<')?;
        let inside = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'.';
        self.at += self.rest().iter().take(16).take_while(inside).count();
        self.byte(b'>')?;
        self.byte(b' ')
    }

    /// `Nov 21 20:00:01` (RFC 3164 §4.1.2), the day padded with a space or, in Postfix' own files,
    /// with a zero; with a fraction as `journalctl -o short-precise` has it.
    fn bsd_stamp(&mut self) -> Option<()> {
        if !MONTHS.iter().any(|month| self.rest().starts_with(month)) {
            return None;
        }
        self.at += 3;
        self.byte(b' ')?;
        self.either(Self::digit, |scan| scan.byte(b' '))?;
        self.digit()?;
        self.byte(b' ')?;
        self.time_of_day()
    }

    /// `2026-11-21T20:00:01.123456+00:00`: what rsyslog calls high precision, and RFC 5424 §6.2.3.
    fn iso_stamp(&mut self) -> Option<()> {
        self.two_digits()?;
        self.two_digits()?;
        self.byte(b'-')?;
        self.two_digits()?;
        self.byte(b'-')?;
        self.two_digits()?;
        self.byte(b'T')?;
        self.time_of_day()?;
        self.optional(Self::zone);
        Some(())
    }

    fn time_of_day(&mut self) -> Option<()> {
        self.two_digits()?;
        self.byte(b':')?;
        self.two_digits()?;
        self.byte(b':')?;
        self.two_digits()?;
        self.optional(|scan| {
            scan.byte(b'.')?;
            scan.digit()?;
            while scan.digit().is_some() {}
            Some(())
        });
        Some(())
    }

    /// `Z`, `+00:00`, or `+0000` as `journalctl -o short-iso` has it.
    fn zone(&mut self) -> Option<()> {
        if self.byte(b'Z').is_some() {
            return Some(());
        }
        self.either(|scan| scan.byte(b'+'), |scan| scan.byte(b'-'))?;
        self.two_digits()?;
        self.optional(|scan| scan.byte(b':'));
        self.two_digits()
    }
}
