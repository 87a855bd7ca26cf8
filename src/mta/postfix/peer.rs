//! The host at the other end, as Postfix writes it: `name[address]` or `name[address]:port`.

use crate::attempt::Relay;
use crate::scan;

/// The longest name with its address.
const LENGTH_MAX: usize = 512;

/// The host at the start of `text`, and what follows it.
#[inline]
pub(super) fn parse(text: &[u8]) -> Option<(Relay<'_>, &[u8])> {
    name_and_address(text).map(|(relay, rest)| (relay, without_port(rest)))
}

/// The host at the start of `text`, and what follows it, its port with it.
#[inline]
pub(super) fn name_and_address(text: &[u8]) -> Option<(Relay<'_>, &[u8])> {
    let near = text.get(..LENGTH_MAX).unwrap_or(text);
    let (host, address) = near.split_at_checked(scan::find2(near, b'[', b' ')?)?;
    let address = address.strip_prefix(b"[")?;
    let ip = address.get(..scan::find(address, b']')?)?;
    Some((Relay { host, ip }, text.get(host.len() + ip.len() + 2..)?))
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
        [b'1', b'2', b'7', b'.', ..] | b"::1" => true,
        // Only a path has a slash.
        ip => ip.starts_with(b"::ffff:127.") || scan::has(ip, b'/'),
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
