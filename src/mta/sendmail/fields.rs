//! The fields of a delivery line: `to=..., delay=..., ..., stat=...` (`logdelivery` in
//! `deliver.c`).

use crate::attempt::{Phase, Relay};
use crate::mta::text::{angle, cut, cut_last, number, quoted, until};

/// The fields before the reply, and what follows them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields<'a> {
    /// Seconds since the message came in.
    pub(super) delay_seconds: Option<f64>,
    /// Whether the attempt took at least a second.
    pub(super) took_time: bool,
    /// The mailer; empty on lines about no delivery.
    pub(super) mailer: &'a [u8],
    /// The host, as it is written: without the last dot, and maybe shortened in its middle.
    pub(super) relay: Relay<'a>,
    /// The enhanced code, which Sendmail makes up where the server sent none.
    pub(super) dsn: &'a [u8],
    /// Where the error came, with a Sendmail that is built to say so.
    pub(super) stage: Option<Phase>,
    /// What the server said; `None` where nothing was said or the mail was accepted.
    pub(super) reply: Option<&'a [u8]>,
    /// The result in Sendmail's words; with a reply before it, only what its end looks like.
    pub(super) stat: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Reads what follows the recipients: `, key=value` until the reply or the result. `None` if
    /// there is neither.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let mut fields = Self::default();
        let mut rest = text;
        loop {
            let (key, value) = cut(rest.strip_prefix(b", ")?, b"=")?;
            match key {
                b"stat" => {
                    fields.stat = value;
                    return Some(fields);
                }
                b"reply" => {
                    // The server chose this text, so what looks like the result may be part of it.
                    let (reply, stat) = cut_last(value, b", stat=").unwrap_or((value, b""));
                    fields.reply = Some(reply.strip_suffix(b", STS=OK").unwrap_or(reply));
                    fields.stat = stat;
                    return Some(fields);
                }
                _ => rest = fields.field(key, value),
            }
        }
    }

    /// Takes one field, and returns what follows it.
    fn field(&mut self, key: &[u8], value: &'a [u8]) -> &'a [u8] {
        if key == b"ctladdr" && value.starts_with(b"<") {
            // The sender's address may hold anything between quotes.
            let after = angle(value).map_or(&b""[..], |(_, rest)| rest);
            return until_field(after).1;
        }
        let (value, rest) = until_field(value);
        match key {
            b"delay" => self.delay_seconds = seconds(value),
            b"xdelay" => self.took_time = seconds(value).is_some_and(|seconds| seconds > 0.0),
            b"mailer" => self.mailer = value,
            b"relay" => self.relay = relay(value),
            b"dsn" => self.dsn = value,
            b"stage" => self.stage = stage(value),
            _ => {}
        }
        rest
    }

    /// Whether the code that Sendmail keeps for itself says permanent, `None` without one.
    pub(super) fn is_permanent(&self) -> Option<bool> {
        match self.dsn.first() {
            Some(b'5') => Some(true),
            Some(b'4') => Some(false),
            _ => None,
        }
    }
}

/// The value up to the next `, `, and what starts there.
fn until_field(text: &[u8]) -> (&[u8], &[u8]) {
    match cut(text, b", ") {
        Some((value, _)) => text.split_at_checked(value.len()).unwrap_or((text, b"")),
        None => (text, b""),
    }
}

/// The addresses at the start of `text`, which follows `to=`, and the rest. Empty addresses where
/// the line does not follow the grammar.
pub(super) struct Recipients<'a> {
    rest: &'a [u8],
}

impl<'a> Recipients<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// The next address without its brackets; `None` after the last.
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let (address, rest) = if self.rest.starts_with(b"<") {
            angle(self.rest)?
        } else {
            let quotes = quoted(self.rest).map_or(0, |(inside, _)| inside.len() + 2);
            let (_, after) = self.rest.split_at_checked(quotes)?;
            let (tail, rest) = until(after, b", ");
            (self.rest.get(..quotes + tail.len())?, rest)
        };
        // Between two addresses stands a comma alone.
        let next = rest.strip_prefix(b",").filter(|next| !next.starts_with(b" "));
        self.rest = next.unwrap_or(rest);
        (!address.is_empty()).then_some(address)
    }

    /// What follows the last address, if [`Recipients::next`] was called until there is none.
    pub(super) fn rest(&self) -> &'a [u8] {
        let more: [&[u8]; 2] = [b", [more]", b" [more]"];
        more.iter().find_map(|more| self.rest.strip_prefix(*more)).unwrap_or(self.rest)
    }
}

/// `host. [ip]`, `host.`, `[ip] [ip]`, `[IPv6:ip]`.
fn relay(text: &[u8]) -> Relay<'_> {
    let (host, ip) = match cut_last(text, b" [") {
        Some((host, ip)) => (host, ip),
        None => match text.strip_prefix(b"[") {
            Some(ip) => (&b""[..], ip),
            None => (text, &b""[..]),
        },
    };
    let host = if host.starts_with(b"[") { b"" } else { host };
    let ip = ip.strip_suffix(b"]").unwrap_or(ip);
    Relay {
        host: host.strip_suffix(b".").unwrap_or(host),
        ip: ip.strip_prefix(b"IPv6:").unwrap_or(ip),
    }
}

/// `00:00:05`, `1+02:03:04`.
fn seconds(text: &[u8]) -> Option<f64> {
    let (days, time) = cut(text, b"+").unwrap_or((b"0", text));
    let mut parts = time.split(|byte| *byte == b':').map(number);
    let seconds = parts.try_fold(0, |sum: u64, part| sum.checked_mul(60)?.checked_add(part?))?;
    let whole = number(days)?.checked_mul(86_400)?.checked_add(seconds)?;
    u32::try_from(whole).ok().map(f64::from)
}

/// The names of `_FFR_LOG_STAGE`.
fn stage(text: &[u8]) -> Option<Phase> {
    Some(match text {
        b"CL" | b"GREET" | b"GREETING" => Phase::Connect,
        b"EHLO" | b"HELO" | b"LHLO" => Phase::Helo,
        b"STARTTLS" => Phase::Starttls,
        b"AUTH" => Phase::Auth,
        b"MAIL" => Phase::Mail,
        b"RCPT" => Phase::Rcpt,
        b"DATA" => Phase::Data,
        b"EOM" => Phase::EndOfData,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipients(text: &str) -> (Vec<String>, String) {
        let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut recipients = Recipients::new(text.as_bytes());
        let mut found = Vec::new();
        while let Some(address) = recipients.next() {
            found.push(text_of(address));
        }
        (found, text_of(recipients.rest()))
    }

    #[test]
    fn the_list_ends_where_its_grammar_does() {
        for (text, addresses, rest) in [
            ("<a@b.example>, delay=1", vec!["a@b.example"], ", delay=1"),
            (
                "<a@b.example>,<c@d.example>, delay=1",
                vec!["a@b.example", "c@d.example"],
                ", delay=1",
            ),
            ("a@b.example,<c@d.example>, delay=1", vec!["a@b.example", "c@d.example"], ", delay=1"),
            ("<a@b.example>, [more], ctladdr=x", vec!["a@b.example"], ", ctladdr=x"),
            ("<a@b.example>,<c@d.example>, [more]", vec!["a@b.example", "c@d.example"], ""),
            (
                "<\"x, delay=2, stat=Sent\"@b.example>, delay=1",
                vec!["\"x, delay=2, stat=Sent\"@b.example"],
                ", delay=1",
            ),
            ("/dev/null, ctladdr=<x>", vec!["/dev/null"], ", ctladdr=<x>"),
            (
                "\"|exec /usr/bin/vacation me\", delay=1",
                vec!["\"|exec /usr/bin/vacation me\""],
                ", delay=1",
            ),
            ("<a@b.example>, [more]", vec!["a@b.example"], ""),
            ("", vec![], ""),
        ] {
            let (found, after) = recipients(text);
            assert_eq!(
                (found, after.as_str()),
                (addresses.iter().map(ToString::to_string).collect(), rest),
                "{text}"
            );
        }
    }

    #[test]
    fn relays_are_read_in_all_their_forms() {
        for (text, host, ip) in [
            ("mx.b.example. [192.0.2.1]", "mx.b.example", "192.0.2.1"),
            ("mx.b.example. [IPv6:2001:db8:0:0:0:0:0:25]", "mx.b.example", "2001:db8:0:0:0:0:0:25"),
            ("mx.b.example.", "mx.b.example", ""),
            ("[127.0.0.1] [127.0.0.1]", "", "127.0.0.1"),
            ("[192.0.2.1]", "", "192.0.2.1"),
            (
                "c-com.mail.p...ction.b.example. [192.0.2.1]",
                "c-com.mail.p...ction.b.example",
                "192.0.2.1",
            ),
        ] {
            let wanted = Relay { host: host.as_bytes(), ip: ip.as_bytes() };
            assert_eq!(relay(text.as_bytes()), wanted, "{text}");
        }
    }

    #[test]
    fn fields_are_read_from_the_left() {
        let text = b", ctladdr=<\"x, stat=Sent\"@s.example> (1001/1001), delay=1+02:03:04, \
                     xdelay=00:01:00, mailer=esmtp, pri=1, relay=mx.b.example. [192.0.2.1], \
                     dsn=5.1.1, ntries=3, stage=RCPT, reply=550-5.1.1 no, stat=Sent, stat=User unknown";
        let fields = Fields::parse(text).expect("fields");
        assert_eq!(fields.delay_seconds, Some(93_784.0));
        assert_eq!((fields.mailer, fields.dsn), (&b"esmtp"[..], &b"5.1.1"[..]));
        assert_eq!(fields.relay.host, b"mx.b.example");
        assert_eq!(fields.stage, Some(Phase::Rcpt));
        assert_eq!(fields.reply, Some(&b"550-5.1.1 no, stat=Sent"[..]));
        assert_eq!(fields.stat, b"User unknown");
        assert!(Fields::parse(b", delay=1, mailer=esmtp").is_none());
    }
}
