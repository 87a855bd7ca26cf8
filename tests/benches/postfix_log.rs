//! A Postfix log as a busy relay writes it, the same for the same seed, with its truth.
//!
//! Each message has the seven lines of a usual delivery (smtpd, cleanup, qmgr, smtp), so that about
//! one line in seven carries a reply, as in real logs. One message in eleven is deferred or bounced
//! in the words of its provider.

use std::collections::BTreeMap;
use std::io::{self, Write};

/// How many replies of each code each provider gave; code 0 stands for none.
pub type Truth = BTreeMap<(&'static str, u16), u64>;

struct Provider {
    name: &'static str,
    domain: &'static str,
    relay: &'static str,
    accepts: &'static str,
    refusals: &'static [Refusal],
}

struct Refusal {
    code: u16,
    status: &'static str,
    dsn: &'static str,
    text: &'static str,
}

const fn deferred(code: u16, dsn: &'static str, text: &'static str) -> Refusal {
    Refusal { code, status: "deferred", dsn, text }
}

const fn bounced(code: u16, dsn: &'static str, text: &'static str) -> Refusal {
    Refusal { code, status: "bounced", dsn, text }
}

// `{r}` is the relay, `{q}` an id that the server makes up.
const PROVIDERS: &[Provider] = &[
    Provider {
        name: "gmail",
        domain: "gmail.com",
        relay: "gmail-smtp-in.l.google.com[192.0.2.27]",
        accepts: "250 2.0.0 OK  {q} - gsmtp",
        refusals: &[
            deferred(
                421,
                "4.7.28",
                "host {r} said: 421-4.7.28 Gmail has detected an unusual rate of mail from your IP 421-4.7.28 address. Your mail has been temporarily rate limited. 421 4.7.28  https://support.google.com/mail/?p=UnsolicitedRateLimitError {q} - gsmtp (in reply to end of DATA command)",
            ),
            bounced(
                550,
                "5.1.1",
                "host {r} said: 550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the recipient's email address. 550 5.1.1  https://support.google.com/mail/?p=NoSuchUser {q} - gsmtp (in reply to RCPT TO command)",
            ),
        ],
    },
    Provider {
        name: "outlook",
        domain: "hotmail.com",
        relay: "hotmail-com.olc.protection.outlook.com[192.0.2.41]",
        accepts: "250 2.6.0 <{q}@relay.example.net> [InternalId={q}, Hostname=AM0.example] 14236 bytes in 0.212, 65.4 KB/sec Queued mail for delivery -> 250 2.1.5",
        refusals: &[
            bounced(
                550,
                "5.7.1",
                "host {r} said: 550 5.7.1 Unfortunately, messages from [198.51.100.7] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150). [{q}] (in reply to MAIL FROM command)",
            ),
            deferred(
                451,
                "4.7.650",
                "host {r} said: 451 4.7.650 The mail server [198.51.100.7] has been temporarily rate limited due to IP reputation. (S775) [{q}] (in reply to MAIL FROM command)",
            ),
        ],
    },
    Provider {
        name: "microsoft365",
        domain: "contoso.example",
        relay: "contoso-example.mail.protection.outlook.com[192.0.2.44]",
        accepts: "250 2.6.0 <{q}@relay.example.net> [InternalId={q}] Queued mail for delivery",
        refusals: &[bounced(
            550,
            "5.4.1",
            "host {r} said: 550 5.4.1 Recipient address rejected: Access denied. [{q}] (in reply to RCPT TO command)",
        )],
    },
    Provider {
        name: "yahoo",
        domain: "yahoo.com",
        relay: "mta6.am0.yahoodns.net[192.0.2.94]",
        accepts: "250 ok dirdel",
        refusals: &[
            deferred(
                421,
                "4.7.0",
                "host {r} said: 421 4.7.0 [TSS04] Messages from 198.51.100.7 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes (in reply to MAIL FROM command)",
            ),
            bounced(
                554,
                "5.0.0",
                "host {r} said: 554 delivery error: dd This user doesn't have a yahoo.com account [-9] - {q} (in reply to end of DATA command)",
            ),
        ],
    },
    Provider {
        name: "apple",
        domain: "icloud.com",
        relay: "mx01.mail.icloud.com[192.0.2.115]",
        accepts: "250 2.0.0 Ok: queued as {q}",
        refusals: &[bounced(
            550,
            "5.7.1",
            "host {r} said: 550 5.7.1 [CS01] Message rejected due to local policy. (in reply to end of DATA command)",
        )],
    },
    Provider {
        name: "gmx",
        domain: "gmx.de",
        relay: "mx00.gmx.net[192.0.2.9]",
        accepts: "250 Requested mail action okay, completed: id={q}",
        refusals: &[deferred(
            450,
            "4.0.0",
            "host {r} said: 450 Requested mail action not taken: mailbox unavailable (in reply to RCPT TO command)",
        )],
    },
    Provider {
        name: "proofpoint",
        domain: "bank.example",
        relay: "mxa-00123456.gslb.pphosted.com[192.0.2.80]",
        accepts: "250 2.0.0 {q} Message accepted for delivery",
        refusals: &[bounced(
            554,
            "5.7.0",
            "host {r} refused to talk to me: 554 Blocked - see https://ipcheck.proofpoint.com/?ip=198.51.100.7",
        )],
    },
    Provider {
        name: "other",
        domain: "company.example",
        relay: "mail.company.example[203.0.113.25]",
        accepts: "250 2.0.0 Ok: queued as {q}",
        refusals: &[
            deferred(
                0,
                "4.4.1",
                "connect to mail.company.example[203.0.113.25]:25: Connection timed out",
            ),
            deferred(
                450,
                "4.2.0",
                "host {r} said: 450 4.2.0 <user@company.example>: Recipient address rejected: Greylisted (in reply to RCPT TO command)",
            ),
        ],
    },
];

/// How the time stamps look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamps {
    /// `Nov 21 20:00:00`
    Rfc3164,
    /// `2026-11-21T20:00:00.123456+00:00`
    Iso8601,
}

/// Writes messages until at least `bytes` bytes are written; how many bytes, lines and replies of
/// which kind came out.
pub fn write(
    out: &mut impl Write,
    bytes: u64,
    seed: u64,
    stamps: Stamps,
) -> io::Result<(u64, u64, Truth)> {
    let mut truth = Truth::new();
    let mut random = Random(seed | 1);
    let (mut written, mut lines, mut message) = (0u64, 0u64, 0u64);
    let mut text = Vec::with_capacity(4096);
    while written < bytes {
        text.clear();
        let provider = &PROVIDERS[random.below(PROVIDERS.len())];
        lines += one_message(&mut text, provider, message, stamps, &mut random, &mut truth)?;
        out.write_all(&text)?;
        written += text.len() as u64;
        message += 1;
    }
    Ok((written, lines, truth))
}

fn one_message(
    out: &mut Vec<u8>,
    provider: &'static Provider,
    message: u64,
    stamps: Stamps,
    random: &mut Random,
    truth: &mut Truth,
) -> io::Result<u64> {
    let second = message / 40;
    let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
    let header = match stamps {
        Stamps::Rfc3164 => format!("Nov 21 {hour:02}:{minute:02}:{second:02} relay1"),
        Stamps::Iso8601 => format!(
            "2026-11-21T{hour:02}:{minute:02}:{second:02}.{:06}+00:00 relay1",
            random.below(1_000_000)
        ),
    };
    let queue_id = format!("4d{:05X}{:04X}", message & 0xf_ffff, random.below(0xffff));
    let pid = 1000 + random.below(60_000);
    let client =
        format!("app{}.internal.example[198.51.100.{}]", random.below(20), random.below(250));
    let user = random.below(1_000_000);
    let size = 1500 + random.below(60_000);
    writeln!(out, "{header} postfix/smtpd[{pid}]: connect from {client}")?;
    writeln!(out, "{header} postfix/smtpd[{pid}]: {queue_id}: client={client}")?;
    writeln!(
        out,
        "{header} postfix/cleanup[{}]: {queue_id}: message-id=<{message:012x}.{user}@relay.example.net>",
        pid + 1
    )?;
    writeln!(
        out,
        "{header} postfix/qmgr[812]: {queue_id}: from=<bounce-{user}@news.example.org>, size={size}, nrcpt=1 (queue active)"
    )?;
    writeln!(
        out,
        "{header} postfix/smtpd[{pid}]: disconnect from {client} ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"
    )?;
    let mut line = |to: &mut Vec<u8>,
                    code: u16,
                    relay: &str,
                    dsn: &str,
                    status: &str,
                    text: &str| {
        *truth.entry((provider.name, code)).or_default() += 1;
        let made_up = format!("{message:x}-20020a05{user:08x}si{pid}");
        let text = text.replace("{r}", provider.relay).replace("{q}", &made_up);
        let (delay, setup) = (1 + user % 40, user % 9);
        writeln!(
            to,
            "{header} postfix/smtp[{}]: {queue_id}: to=<user{user}@{}>, relay={relay}, delay={delay}, delays=0.04/0.01/0.{setup}/1.{setup}, dsn={dsn}, status={status} ({text})",
            pid + 2,
            provider.domain,
        )
    };
    if random.below(11) == 0 {
        let refusal = &provider.refusals[random.below(provider.refusals.len())];
        let relay =
            if refusal.code == 0 { "none".to_owned() } else { format!("{}:25", provider.relay) };
        line(out, refusal.code, &relay, refusal.dsn, refusal.status, refusal.text)?;
        if refusal.status == "bounced" {
            writeln!(out, "{header} postfix/qmgr[812]: {queue_id}: removed")?;
            return Ok(7);
        }
        return Ok(6);
    }
    line(out, 250, &format!("{}:25", provider.relay), "2.0.0", "sent", provider.accepts)?;
    writeln!(out, "{header} postfix/qmgr[812]: {queue_id}: removed")?;
    Ok(7)
}

/// Marsaglia's xorshift64: small, fast, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
