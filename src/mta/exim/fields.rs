//! The fields between the address and the message of a delivery line.

use crate::attempt::Relay;
use crate::mta::text::{angle, cut, cut_last, digits, is_loopback, number, quoted, until};

/// The longest name of a field that matters.
const KEY_MAX: usize = 2;

/// The longest address in brackets.
const IP_MAX: usize = 64;

/// What the fields say. The message comes last and is the remote's own text for the most part, so
/// they are read from the left and never looked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields<'a> {
    /// The transport, empty where no transport ran.
    pub(super) transport: &'a [u8],
    /// The remote host.
    pub(super) relay: Option<Relay<'a>>,
    /// The final reply in `C="..."`, with its backslashes.
    pub(super) confirmation: Option<&'a [u8]>,
    /// Seconds since the message came in, from `QT=`.
    pub(super) queued_seconds: Option<f64>,
    /// Whether the word `defer` was there.
    pub(super) deferred: bool,
    /// The error in words: what `strerror` says, or Exim's own table.
    pub(super) error: &'a [u8],
    /// What follows the fields.
    pub(super) message: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads what follows the address.
    pub(super) fn parse(text: &'a [u8]) -> Self {
        let mut fields = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(message) = message(rest) {
                fields.message = message;
                break;
            }
            let word = rest.strip_prefix(b" ").unwrap_or(rest);
            // Every field is at least one byte long, which is what ends this loop.
            rest = fields.field(word).unwrap_or_else(|| skip(word));
        }
        fields.message = without_time(fields.message);
        fields
    }

    /// Whether the host at the other end is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.relay.is_some_and(|relay| is_loopback(relay.ip))
    }

    /// Takes one field and returns what follows it; `None` if it is none of those that matter.
    fn field(&mut self, word: &'a [u8]) -> Option<&'a [u8]> {
        let Some((key, _)) = cut(word.get(..KEY_MAX + 1).unwrap_or(word), b"=") else {
            return self.defer(word).or_else(|| self.error(word));
        };
        let value = word.get(key.len() + 1..)?;
        match key {
            b"T" => {
                let rest = skip(value);
                self.transport = value.get(..value.len() - rest.len())?;
                Some(rest)
            }
            b"H" if self.relay.is_none() => {
                let (relay, rest) = host(value)?;
                self.relay = Some(relay);
                Some(rest)
            }
            b"C" => {
                // Cut off within, it goes on to the end; so do the next three.
                let (reply, rest) = quoted(value).unwrap_or((value, b""));
                self.confirmation = Some(reply.strip_prefix(b"\"").unwrap_or(reply));
                Some(rest)
            }
            b"DN" => Some(after_name(value).unwrap_or_default()),
            b"F" | b"P" => Some(angle(value).map_or(&b""[..], |(_, rest)| rest)),
            b"QT" => {
                let rest = skip(value);
                self.queued_seconds = seconds(value.get(..value.len() - rest.len())?);
                Some(rest)
            }
            _ => None,
        }
    }

    /// `defer (-44)`, `defer (110): Connection timed out`; since Exim 4.100 `defer` alone, or
    /// `defer (smtp closed)` where no message follows.
    fn defer(&mut self, word: &'a [u8]) -> Option<&'a [u8]> {
        let rest = word.strip_prefix(b"defer").filter(|_| !self.deferred)?;
        if !matches!(rest.first(), None | Some(b' ' | b':')) {
            return None;
        }
        self.deferred = true;
        let Some((error, rest)) = rest.strip_prefix(b" (").and_then(|rest| cut(rest, b")")) else {
            return Some(rest);
        };
        if number(error).is_some_and(|errno| errno > 0) {
            // Only a number of the operating system is followed by its words.
            let words = rest.strip_prefix(b": ").unwrap_or_default();
            let (words, rest) = words.split_at_checked(end_of_words(words)).unwrap_or((words, b""));
            self.error = words;
            return Some(rest);
        }
        if !error.starts_with(b"-") && number(error).is_none() {
            self.error = error;
        }
        Some(rest)
    }

    /// `(text)` at the end of a failure that has no message, since Exim 4.100.
    fn error(&mut self, word: &'a [u8]) -> Option<&'a [u8]> {
        let inner = word.strip_prefix(b"(")?;
        let (error, rest) = cut(inner, b")").unwrap_or((inner, b""));
        self.error = error;
        Some(rest)
    }
}

/// What follows the separator, if the text starts with one: `: `, and in newer versions ` : `.
fn message(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b": ").or_else(|| text.strip_prefix(b" : "))
}

/// Where the words of `strerror` end: before the host, the time or the message.
fn end_of_words(text: &[u8]) -> usize {
    let ends: [&[u8]; 4] = [b": ", b" H=", b" DT=", b" DSN="];
    ends.iter()
        .filter_map(|end| cut(text, end))
        .map(|(words, _)| words.len())
        .min()
        .unwrap_or(text.len())
}

/// `name[ DS] [ip][:port][*]`, and what follows. A local transport may name a host without an
/// address; that is none.
fn host(text: &[u8]) -> Option<(Relay<'_>, &[u8])> {
    let (name, rest) = until(text, b" ");
    let rest = rest.strip_prefix(b" DS").unwrap_or(rest);
    let rest = rest.strip_prefix(b" [")?;
    let (ip, _) = cut(rest.get(..IP_MAX).unwrap_or(rest), b"]")?;
    Some((Relay { host: name, ip }, after_host(rest.get(ip.len() + 1..)?)))
}

/// What follows `[:port][*]`.
pub(super) fn after_host(text: &[u8]) -> &[u8] {
    let port = text.strip_prefix(b":").map(digits);
    let rest = match port {
        Some((port, rest)) if !port.is_empty() => rest,
        _ => text,
    };
    rest.strip_prefix(b"*").unwrap_or(rest)
}

/// What follows the end of this word: a space, or the separator before the message.
fn skip(word: &[u8]) -> &[u8] {
    let end = word.iter().enumerate().position(|(at, byte)| match byte {
        b' ' => true,
        b':' => matches!(word.get(at + 1), Some(b' ') | None),
        _ => false,
    });
    // A colon at the very end separates nothing from nothing.
    word.get(end.unwrap_or(word.len())..).filter(|rest| *rest != b":").unwrap_or_default()
}

/// What follows the distinguished name `"..."`, in which quotes are not escaped: the first quote that
/// stands before the end, a separator or one of the fields that can come next.
fn after_name(text: &[u8]) -> Option<&[u8]> {
    const NEXT: [&[u8]; 11] = [
        b": ", b" : ", b" A=", b" L", b" PRDR", b" K", b" DSN=", b" DKIM=", b" C=\"", b" QT=",
        b" DT=",
    ];
    let inner = text.strip_prefix(b"\"")?;
    let ends = memchr::memchr_iter(b'"', inner).filter_map(|at| inner.get(at + 1..));
    let is_end = |rest: &&[u8]| rest.is_empty() || NEXT.iter().any(|next| rest.starts_with(next));
    let mut ends = ends.filter(is_end);
    ends.next()
}

/// The message without the ` DT=0.5s` that a failure has at its end.
fn without_time(message: &[u8]) -> &[u8] {
    match cut_last(message, b" DT=") {
        Some((before, time)) if seconds(time).is_some() => before,
        _ => message,
    }
}

/// A time as Exim prints it: `3s`, `1m5s`, `2d3h`, `1w`, `0.812s`, `2m0.5s`.
fn seconds(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok().filter(|text| !text.is_empty())?;
    text.split_inclusive(|character: char| character.is_ascii_lowercase()).try_fold(
        0.0,
        |sum, part| {
            let unit = match part.as_bytes().last()? {
                b'w' => 604_800.0,
                b'd' => 86_400.0,
                b'h' => 3_600.0,
                b'm' => 60.0,
                b's' => 1.0,
                _ => return None,
            };
            let count = part.get(..part.len() - 1)?;
            let plain = count.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            Some(sum + unit * count.parse::<f64>().ok().filter(|_| plain)?)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_exim_prints_them() {
        let table: [(&[u8], Option<f64>); 8] = [
            (b"3s", Some(3.0)),
            (b"1m5s", Some(65.0)),
            (b"2d3h", Some(183_600.0)),
            (b"1w", Some(604_800.0)),
            (b"0.5s", Some(0.5)),
            (b"", None),
            (b"inf", None),
            (b"1e3s", None),
        ];
        for (text, wanted) in table {
            assert_eq!(seconds(text), wanted, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn every_optional_field_leaves_those_that_matter_in_place() {
        let text = br#" F=<"x H=evil [192.0.2.9]"@s.example> Q=slow P=<p@s.example> R=dnslookup T=remote_smtp S=2044 H=mx.b.example DS [2001:db8::25]:25* PRX=[192.0.2.7]:1080 I=[198.51.100.7]:50122 TFO* PS=x X=TLS1.3:TLS_AES_256_GCM_SHA384:256* CV=dane DN="CN="odd" name: C=x" A=plain:me@s.example:other L* PRDR K DSN=yes DKIM=s.example C="250-a \"b\"\\n250 c" QT=1m2s DT=0.5s"#;
        let fields = Fields::parse(text);
        assert_eq!(fields.transport, b"remote_smtp");
        let relay = fields.relay.expect("a host");
        assert_eq!((relay.host, relay.ip), (&b"mx.b.example"[..], &b"2001:db8::25"[..]));
        assert_eq!(fields.confirmation, Some(&br#"250-a \"b\"\\n250 c"#[..]));
        assert_eq!(fields.queued_seconds, Some(62.0));
        assert_eq!(fields.message, b"");
    }

    #[test]
    fn a_deferral_is_read_in_both_spellings() {
        let host = " H=mx.b.example [192.0.2.1]:25 DT=0.6s: SMTP error x: 451 H=evil [192.0.2.9]";
        for (defer, error) in [
            (" defer (-44)", ""),
            (" defer", ""),
            (" defer (0)", ""),
            (" defer (110): Connection timed out", "Connection timed out"),
        ] {
            let text = format!(" R=dnslookup T=remote_smtp{defer}{host}");
            let fields = Fields::parse(text.as_bytes());
            assert!(fields.deferred);
            assert_eq!(fields.relay.map(|relay| relay.ip), Some(&b"192.0.2.1"[..]), "{text}");
            assert_eq!(fields.error, error.as_bytes());
            assert_eq!(fields.message, b"SMTP error x: 451 H=evil [192.0.2.9]");
        }
        let fields = Fields::parse(b" R=r T=t defer (smtp closed) H=mx [192.0.2.1]");
        assert_eq!((fields.error, fields.message), (&b"smtp closed"[..], &b""[..]));
        let fields = Fields::parse(b"  routing defer (-52): retry time not reached");
        assert!(fields.deferred);
        assert_eq!(fields.message, b"retry time not reached");
    }

    #[test]
    fn the_message_of_a_failure_starts_after_either_separator_and_has_no_time_at_its_end() {
        for separator in [": ", " : "] {
            let text = format!(" R=r T=t H=m [192.0.2.1] CV=no{separator}550 no DT=1m0.5s");
            assert_eq!(Fields::parse(text.as_bytes()).message, b"550 no");
        }
        assert_eq!(Fields::parse(b" R=r T=t (smtp closed)").error, b"smtp closed");
    }
}
