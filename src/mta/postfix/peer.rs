//! The host at the other end, as Postfix writes it: `name[address]` or `name[address]:port`.

use crate::attempt::Relay;
use crate::scan;

/// The longest name with its address.
const LENGTH_MAX: usize = 512;

/// The host at the start of `text`, and what follows it.
#[inline]
pub(super) fn parse(text: &[u8]) -> Option<(Relay<'_>, &[u8])> {
    let (relay, rest) = usual(text).or_else(|| name_and_address(text))?;
    Some((relay, without_port(rest)))
}

/// The host at the start of `text`, and what follows it, its port with it.
fn name_and_address(text: &[u8]) -> Option<(Relay<'_>, &[u8])> {
    let near = text.get(..LENGTH_MAX).unwrap_or(text);
    let (host, address) = near.split_at_checked(scan::find(near, [b'[', b' '])?)?;
    let address = address.strip_prefix(b"[")?;
    let ip = address.get(..scan::find(address, [b']'])?)?;
    Some((Relay { host, ip }, text.get(host.len() + ip.len() + 2..)?))
}

/// What [`name_and_address`] finds, where a look at each is enough: nearly always.
#[expect(clippy::inline_always, reason = "nearly all of the time goes into such records")]
#[inline(always)]
pub(super) fn usual(text: &[u8]) -> Option<(Relay<'_>, &[u8])> {
    let (host, address) = text.split_at_checked(scan::find_near::<4, _>(text, [b'[', b' '])?)?;
    let address = address.strip_prefix(b"[")?;
    let (ip, rest) = address.split_at_checked(scan::find_near::<2, _>(address, [b']'])?)?;
    Some((Relay { host, ip }, rest.get(1..)?))
}

/// What follows `:25`, if that stands here.
fn without_port(text: &[u8]) -> &[u8] {
    let Some(digits) = text.strip_prefix(b":") else { return text };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits.get(length..).filter(|_| length > 0).unwrap_or(text)
}

/// Whether the mail never leaves this machine: the loopback, or the path of a socket, where LMTP
/// servers and content filters listen.
#[inline]
pub(super) fn is_local(relay: &Relay<'_>) -> bool {
    match relay.ip {
        [b'1', b'2', b'7', b'.', ..] => true,
        [b':', ..] => relay.ip == b"::1" || relay.ip.starts_with(b"::ffff:127."),
        // Only a path has a slash.
        ip => scan::has(ip, b'/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_address_are_taken_apart() {
        for (text, host, ip, rest) in [
            ("mx.example.net[192.0.2.1] said: 250", "mx.example.net", "192.0.2.1", " said: 250"),
            ("mx.example.net[192.0.2.1]:25: Refused", "mx.example.net", "192.0.2.1", ": Refused"),
            ("mx.example.net[2001:db8::25]:25", "mx.example.net", "2001:db8::25", ""),
            ("mx1[private/dovecot-lmtp]", "mx1", "private/dovecot-lmtp", ""),
            ("mx1[/run/lmtp]: Refused", "mx1", "/run/lmtp", ": Refused"),
        ] {
            let relay = Relay { host: host.as_bytes(), ip: ip.as_bytes() };
            assert_eq!(parse(text.as_bytes()), Some((relay, rest.as_bytes())), "{text}");
        }
        assert_eq!(parse(b"none"), None);
        assert_eq!(parse(b"Milter service [192.0.2.1]"), None);
    }

    #[test]
    fn sockets_and_the_loopback_are_local() {
        let local = |ip: &str| is_local(&Relay { host: b"mx", ip: ip.as_bytes() });
        for ip in ["127.0.0.1", "127.1.2.3", "::1", "private/dovecot-lmtp", "/run/lmtp"] {
            assert!(local(ip), "{ip}");
        }
        for ip in ["192.0.2.127", "10.0.0.1", "2001:db8::1", "fe80::1%2", ""] {
            assert!(!local(ip), "{ip}");
        }
    }
}
