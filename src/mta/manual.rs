//! What is to be known of each dialect: where its grammar comes from, what its MTA does not tell,
//! whether it was seen live.
//!
//! It stands once, at the top of the dialect's file, and is taken from there when the program is
//! built.

use super::Dialect;

/// The lines of documentation at the top of a file beside this one.
macro_rules! top_of {
    ($file:literal) => {{
        const SOURCE: &[u8] = include_bytes!($file);
        const LENGTH: usize = top_length(SOURCE);
        static TOP: [u8; LENGTH] = top(SOURCE);
        &TOP
    }};
}

/// What is to be known of a dialect, in Markdown; of one that the configuration defines, how to
/// define it.
pub fn manual(dialect: Dialect) -> String {
    plain(match dialect {
        Dialect::Postfix => top_of!("postfix.rs"),
        Dialect::Exim => top_of!("exim.rs"),
        Dialect::Sendmail => top_of!("sendmail.rs"),
        Dialect::OpenSmtpd => top_of!("opensmtpd.rs"),
        Dialect::Qmail => top_of!("qmail.rs"),
        Dialect::Courier => top_of!("courier.rs"),
        Dialect::Haraka => top_of!("haraka.rs"),
        Dialect::KumoMta => top_of!("kumomta.rs"),
        Dialect::PowerMta => top_of!("powermta.rs"),
        Dialect::ZoneMta => top_of!("zonemta.rs"),
        Dialect::Momentum => top_of!("momentum.rs"),
        Dialect::Halon => top_of!("halon.rs"),
        Dialect::Stalwart => top_of!("stalwart.rs"),
        Dialect::Maddy => top_of!("maddy.rs"),
        Dialect::Exchange => top_of!("exchange.rs"),
        Dialect::HMailServer => top_of!("hmailserver.rs"),
        Dialect::Dma => top_of!("dma.rs"),
        Dialect::Msmtp => top_of!("msmtp.rs"),
        Dialect::Nullmailer => top_of!("nullmailer.rs"),
        Dialect::AmazonSes => top_of!("esp/ses.rs"),
        Dialect::SendGrid => top_of!("esp/sendgrid.rs"),
        Dialect::Mailgun => top_of!("esp/mailgun.rs"),
        Dialect::Postmark => top_of!("esp/postmark.rs"),
        Dialect::SparkPost => top_of!("esp/sparkpost.rs"),
        Dialect::Mandrill => top_of!("esp/mandrill.rs"),
        Dialect::Brevo => top_of!("esp/brevo.rs"),
        Dialect::Custom(_) => top_of!("custom.rs"),
    })
}

/// What is to be known of the events of all services.
pub fn manual_of_services() -> String {
    plain(top_of!("esp.rs"))
}

/// How many bytes the lines have with which the file starts and which begin with `//!`.
const fn top_length(source: &[u8]) -> usize {
    let mut rest = source;
    let mut line = 0;
    let mut length = 0;
    let mut documents = false;
    while let [first, after @ ..] = rest {
        if line == 0 {
            documents = matches!(rest, [b'/', b'/', b'!', ..]);
        }
        if !documents {
            break;
        }
        length += 1;
        line = if *first == b'\n' { 0 } else { line + 1 };
        rest = after;
    }
    length
}

/// The first bytes of a file.
const fn top<const LENGTH: usize>(source: &[u8]) -> [u8; LENGTH] {
    match source.first_chunk() {
        Some(top) => *top,
        None => [0; LENGTH],
    }
}

/// The text of lines of documentation.
fn plain(top: &[u8]) -> String {
    let text = String::from_utf8_lossy(top);
    let lines = text.lines().map(|line| {
        let line = line.strip_prefix("//!").unwrap_or(line);
        line.strip_prefix(' ').unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_says_where_it_was_seen() {
        for dialect in Dialect::ALL {
            let manual = manual(dialect);
            let services = manual_of_services();
            let seen = ["Proved on logs of", "not yet seen live"];
            let said = seen.iter().any(|words| manual.contains(words) || services.contains(words));
            assert!(said, "{dialect}: {manual}");
            assert!(!manual.contains("//!") && !manual.contains("\nuse "), "{dialect}: {manual}");
        }
    }
}
