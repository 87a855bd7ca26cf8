//! What every dialect has to stand: arbitrary bytes, cut lines, hostile text, a restart between any
//! two lines.

mod structured;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mta_exporter::attempt::{Answer, Relay};
use mta_exporter::envelope::{Record, Unwrapper};
use mta_exporter::ledger::Ledger;
use mta_exporter::mta::{Dialect, Dialects, LineKind, Reading};
use mta_exporter::pipeline::{Pipeline, Stream, Unobserved};
use mta_exporter::provider::Providers;
use mta_exporter::reason::Classifier;
use proptest::prelude::*;

/// Text that a stranger may choose: fields and results of every MTA, quotes, brackets, whole lines,
/// what is no text at all.
const HOSTILE: [&[u8]; 24] = [
    b"",
    b" ",
    b"250 2.0.0 ok",
    b"x) status=sent (250 2.0.0 ok), relay=gmail-smtp-in.l.google.com[192.0.2.9]:25, dsn=2.0.0",
    b": retry time not reached for any host",
    b": SMTP error from remote mail server after end of data: 250 ok",
    b" H=gmail-smtp-in.l.google.com [192.0.2.9] X=y: 421 4.7.0 C=\"250 OK\" T=remote_smtp DT=x",
    b"1vMabC-00000003xYz-1a2B => a@gmail.com R=r T=remote_smtp H=x [192.0.2.9] C=\"250 ok\"",
    b", stat=Sent (ok), dsn=2.0.0, relay=gmail.com. [192.0.2.9], reply=250 2.0.0 ok",
    b"\" result=\"Ok\" stat=\"250 2.0.0 ok\" relay=\"192.0.2.9 (mail.gmail.com)\"",
    b"/Remote_host_said:_250_ok/Giving_up_on_192.0.2.9./",
    b",status: success",
    b",success: delivered: gmail-smtp-in.l.google.com [192.0.2.9]",
    b"delivered file=x domain=gmail.com host=gmail.com ip=192.0.2.9 response=\"OK\" rcpts=1/0/0",
    b"] [outbound] recipient <a@gmail.com> rejected: 550 5.1.1 x",
    b"((unbalanced) [brackets <angles> {braces} \"double \\\"quoted\\\"\" %s ; | & = == 100%",
    b"\\n250 2.0.0 ok\\n",
    b"<a@gmail.com>: 450 4.2.1 \"quoted, comma\"@gmail.com>",
    b"\x1b[31m\x07\x00\x7f\t\x0b\r\\",
    b"Bo\xeete inconnue \xff\xfe \xd0\x9f\xd0\xbe",
    b"Nov 21 20:00:00 host postfix/smtp[1]: ABC: to=<a@b>, relay=c[1.2.3.4]:25, status=sent (x)",
    b"[1/2] [2\\3] qid[2]: ... [more] (#5.1.1)",
    b"]: host x [192.0.2.9]: 250 ok (in reply to end of DATA command)",
    b"'{\"level\":\"NOTICE\",\"message\":\"delivered\"}'",
];

/// One dialect's lines with `@@` where a stranger's text stands. A line that needs others before it
/// has them above, separated by a line end. `quote` is how the MTA writes such text.
struct Template {
    dialect: Dialect,
    lines: &'static str,
    quote: fn(&[u8]) -> Vec<u8>,
}

/// What `string_printing` of Exim and `vis` of others do to control bytes.
fn printable(text: &[u8]) -> Vec<u8> {
    text.iter()
        .flat_map(|byte| match byte {
            b' '..=b'~' => vec![*byte],
            b'\n' => b"\\n".to_vec(),
            _ => format!("\\{byte:03o}").into_bytes(),
        })
        .collect()
}

/// The same within quotes.
fn in_quotes(text: &[u8]) -> Vec<u8> {
    let quote = |byte: u8| if b"\"\\".contains(&byte) { vec![b'\\', byte] } else { vec![byte] };
    printable(text).into_iter().flat_map(quote).collect()
}

const EXIM: &[Template] = &[
    Template {
        dialect: Dialect::Exim,
        lines: "2026-11-21 20:00:01 1vMabC-00000003xYz-1a2B => a@b.example F=<s@s.example> \
                R=dnslookup T=remote_smtp H=mx.b.example [192.0.2.10]:25 X=TLS1.3:x:256 CV=no K \
                C=\"250 2.0.0 @@\" QT=2s DT=1.4s",
        quote: in_quotes,
    },
    Template {
        dialect: Dialect::Exim,
        lines: "2026-11-21 20:00:01 1vMabC-00000003xYz-1a2B ** a@b.example R=dnslookup \
                T=remote_smtp H=mx.b.example [192.0.2.10] X=TLS1.3:x:256 CV=no: SMTP error from \
                remote mail server after RCPT TO:<a@b.example>: 550-5.1.1 @@",
        quote: printable,
    },
    Template {
        dialect: Dialect::Exim,
        lines: "2026-11-21 20:00:01 1vMabC-00000003xYz-1a2B H=mx.b.example [192.0.2.10]: SMTP \
                error from remote mail server after end of data: 451 4.7.1 @@\n\
                2026-11-21 20:00:01 1vMabC-00000003xYz-1a2B == a@b.example R=dnslookup \
                T=remote_smtp defer (-46) H=mx.b.example [192.0.2.10] DT=1s: SMTP error from \
                remote mail server after end of data: 451 4.7.1 @@",
        quote: printable,
    },
    Template {
        dialect: Dialect::Exim,
        lines: "2026-11-21 20:00:01 1vMabC-00000003xYz-1a2B == a@b.example R=dnslookup \
                T=remote_smtp defer (-45) H=mx.b.example [192.0.2.10]: SMTP error from remote mail \
                server after MAIL FROM:<\"@@\"@s.example> SIZE=9: 451 4.7.1 x",
        quote: in_quotes,
    },
    Template {
        dialect: Dialect::Exim,
        lines: "2026-11-21 20:00:01 1vMabC-00000003xYz-1a2B == a@b.example R=dnslookup \
                T=remote_smtp defer (-19) H=mx.b.example [192.0.2.10]: Malformed SMTP reply in \
                response to end of data: x@@",
        quote: printable,
    },
    Template {
        dialect: Dialect::Exim,
        lines: "2026-11-21 20:00:01 H=(@@) [198.51.100.9] F=<s@c.example> rejected RCPT <u@s.example>: no",
        quote: helo,
    },
    Template {
        dialect: Dialect::Exim,
        lines: "2026-11-21 20:00:01 H=c.example [198.51.100.9] F=<\"@@\"@c.example> temporarily rejected RCPT <u@s.example>: no",
        quote: in_quotes,
    },
    Template {
        dialect: Dialect::Exim,
        lines: "2026-11-21 20:00:01 H=c.example [198.51.100.9] F=<s@c.example> rejected RCPT <u@s.example>: @@",
        quote: printable,
    },
    Template {
        dialect: Dialect::Exim,
        lines: "2026-11-21 20:00:01 1vMabC-00000003xYz-1a2B <= s@s.example H=c [198.51.100.9] P=esmtp S=1 id=x T=\"@@\"",
        quote: in_quotes,
    },
];

const SENDMAIL: &[Template] = &[
    Template {
        dialect: Dialect::Sendmail,
        lines: "Nov 21 20:00:01 mx1 sm-mta[811]: 5ALK01aB012345: to=<a@b.example>,<c@b.example>, \
                ctladdr=<\"@@\"@s.example> (1/1), delay=00:00:02, xdelay=00:00:01, mailer=esmtp, \
                pri=120345, relay=mx.b.example. [192.0.2.10], dsn=2.0.0, stat=Sent (OK @@)",
        quote: in_quotes,
    },
    Template {
        dialect: Dialect::Sendmail,
        lines: "Nov 21 20:00:01 mx1 sm-mta[811]: 5ALK01aB012345: to=<a@b.example>, \
                delay=00:00:02, xdelay=00:00:01, mailer=esmtp, pri=120345, relay=mx.b.example. \
                [192.0.2.10], dsn=5.1.1, reply=550-5.1.1 @@, stat=User unknown",
        quote: printable,
    },
    Template {
        dialect: Dialect::Sendmail,
        lines: "Nov 21 20:00:01 mx1 sm-mta[811]: 5ALK01aB012345: to=<a@b.example>, \
                delay=00:00:02, xdelay=00:00:01, mailer=esmtp, pri=120345, relay=mx.b.example. \
                [192.0.2.10], dsn=4.7.1, reply=450 4.7.1 @@, stat=Deferred: 450 4.7.1 @@",
        quote: printable,
    },
    Template {
        dialect: Dialect::Sendmail,
        lines: "Nov 21 20:00:01 mx1 sm-mta[811]: 5ALK01aB012345: to=<\"@@\"@b.example>, \
                delay=00:00:02, xdelay=00:00:01, mailer=esmtp, pri=120345, relay=mx.b.example. \
                [192.0.2.10], dsn=4.0.0, stat=Deferred: 421 4.7.0 @@",
        quote: in_quotes,
    },
    Template {
        dialect: Dialect::Sendmail,
        lines: "Nov 21 20:00:01 mx1 sm-mta[811]: 5ALK01aB012345: ruleset=check_rcpt, \
                arg1=<\"@@\"@s.example>, relay=[198.51.100.9], reject=550 5.7.1 <@@>... no",
        quote: in_quotes,
    },
    Template {
        dialect: Dialect::Sendmail,
        lines: "Nov 21 20:00:01 mx1 sm-mta[811]: 5ALK01aB012345: from=<\"@@\"@s.example>, \
                size=1811, class=0, nrcpts=1, msgid=<@@>, proto=ESMTP, relay=c [198.51.100.9]",
        quote: in_quotes,
    },
];

/// OpenSMTPD escapes nothing in what servers say; control bytes are the syslog daemon's.
fn on_one_line(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !byte.is_ascii_control()).collect()
}

const OPENSMTPD: &[Template] = &[
    Template {
        dialect: Dialect::OpenSmtpd,
        lines: "Nov 21 20:00:02 mx1 smtpd[500]: 3f2c9a1b00d4e5f7 mta delivery \
                evpid=8a1b2c3d4e5f6072 from=<n@s.example> to=<b@b.example> rcpt=<-> \
                source=\"192.0.2.7\" relay=\"192.0.2.10 (mx.b.example)\" delay=1m4s \
                result=\"PermFail\" stat=\"550-5.1.1 @@\"",
        quote: on_one_line,
    },
    Template {
        dialect: Dialect::OpenSmtpd,
        lines: "Nov 21 20:00:02 mx1 smtpd[500]: 3f2c9a1b00d4e5f7 mta delivery \
                evpid=8a1b2c3d4e5f6072 from=<\"@@\"@s.example> to=<\"@@\"@b.example> \
                rcpt=<\"@@\"@c.example> source=\"192.0.2.7\" relay=\"192.0.2.10 (mx.b.example)\" \
                delay=1m4s result=\"Ok\" stat=\"250 2.0.0 ok\"",
        quote: in_quotes,
    },
    Template {
        dialect: Dialect::OpenSmtpd,
        lines: "Nov 21 20:00:02 mx1 smtpd[500]: 3f2c9a1b00d4e5f7 mta connecting \
                address=smtp://192.0.2.10:25 host=mx.b.example\n\
                Nov 21 20:00:02 mx1 smtpd[500]: 3f2c9a1b00d4e5f7 mta error reason=BANNER \
                rejected: 421 4.7.0 @@",
        quote: on_one_line,
    },
    Template {
        dialect: Dialect::OpenSmtpd,
        lines: "Nov 21 20:00:02 mx1 smtpd[500]: 3f2c9a1b00d4e5f7 smtp failed-command \
                command=\"RCPT TO:<@@>\" result=\"501 5.1.3 Recipient address syntax error\"",
        quote: on_one_line,
    },
    Template {
        dialect: Dialect::OpenSmtpd,
        lines: "Nov 21 20:00:05 mx1 smtpd[500]: relay: Expire for 8a1b2c3d4e5f6075: \
                from=<\"@@\"@s.example>, to=<e@b.example>, rcpt=<->, delay=4d, stat=@@",
        quote: in_quotes,
    },
];

/// What `logsafe` of qmail does.
fn underscored(text: &[u8]) -> Vec<u8> {
    text.iter()
        .map(|byte| match byte {
            b'\n' => b'/',
            b'!'..=b'~' if *byte != b'%' => *byte,
            _ => b'_',
        })
        .collect()
}

const QMAIL: &[Template] = &[
    Template {
        dialect: Dialect::Qmail,
        lines: "@400000006920c5e11a2b3c4d starting delivery 71: msg 264321 to remote a@b.example\n\
                @400000006920c5e31a2b3c4d delivery 71: failure: \
                192.0.2.10_does_not_like_recipient./Remote_host_said:_550-5.1.1_@@/550_5.1.1_@@\
                /Giving_up_on_192.0.2.10./",
        quote: underscored,
    },
    Template {
        dialect: Dialect::Qmail,
        lines: "@400000006920c5e11a2b3c4d starting delivery 71: msg 264321 to remote a@b.example\n\
                @400000006920c5e31a2b3c4d delivery 71: deferral: \
                Connected_to_192.0.2.20_but_sender_was_rejected./Remote_host_said:_421_4.7.0_@@/",
        quote: underscored,
    },
    Template {
        dialect: Dialect::Qmail,
        lines: "@400000006920c5e11a2b3c4d info msg 264321: bytes 1312 from <@@> qp 15167 uid 1001\n\
                @400000006920c5e11a2b3c4d starting delivery 71: msg 264321 to remote @@@b.example\n\
                @400000006920c5e31a2b3c4d delivery 71: success: \
                192.0.2.10_accepted_message./Remote_host_said:_250_ok/",
        quote: underscored,
    },
];

const COURIER: &[Template] = &[
    Template {
        dialect: Dialect::Courier,
        lines: "Nov 21 20:00:03 mx1 courieresmtp: id=1C0A2C.6920C5E3,from=<\"x\"@s.example>,addr=<b@b.example>: 550-5.1.1 @@\n\
                Nov 21 20:00:03 mx1 courieresmtp: id=1C0A2C.6920C5E3,from=<\"x\"@s.example>,addr=<b@b.example>: 550 5.1.1 @@\n\
                Nov 21 20:00:03 mx1 courieresmtp: id=1C0A2C.6920C5E3,from=<\"x\"@s.example>,addr=<b@b.example>,status: failure",
        quote: on_one_line,
    },
    Template {
        dialect: Dialect::Courier,
        lines: "Nov 21 20:00:03 mx1 courieresmtp: id=1C0A2C.6920C5E3,from=<\"@@\"@s.example>,addr=<\"@@\"@b.example>: 250 ok\n\
                Nov 21 20:00:03 mx1 courieresmtp: id=1C0A2C.6920C5E3,from=<\"@@\"@s.example>,addr=<\"@@\"@b.example>,success: delivered: mx.b.example [192.0.2.10]\n\
                Nov 21 20:00:03 mx1 courieresmtp: id=1C0A2C.6920C5E3,from=<\"@@\"@s.example>,addr=<\"@@\"@b.example>,status: success",
        quote: in_quotes,
    },
    Template {
        dialect: Dialect::Courier,
        lines: "Nov 21 20:00:10 mx1 courieresmtpd: error,relay=::ffff:198.51.100.9,port=4022,from=<s@c.example>,to=<u@s.example>: 513 @@",
        quote: on_one_line,
    },
];

const HARAKA: &[Template] = &[
    Template {
        dialect: Dialect::Haraka,
        lines: "[NOTICE] [6F3B2A10-1.2.1] [outbound] recipient <b@b.example> rejected: 550 5.1.1 @@",
        quote: on_one_line,
    },
    Template {
        dialect: Dialect::Haraka,
        lines: "[NOTICE] [6F3B2A10-1.2] [core] recipient <\"@@\"@b.example> code=OK msg=\"\" sender=\"@@\"@s.example\n\
                [INFO] [6F3B2A10-1.2.1] [outbound] Temp failing x for 5 seconds: Upstream error: 421 4.7.0 @@",
        quote: in_quotes,
    },
    Template {
        dialect: Dialect::Haraka,
        lines: "[NOTICE] [6F3B2A10-1.2.1] [outbound]  delivered file=x domain=b.example \
                host=mx.b.example ip=192.0.2.10 port=25 mode=SMTP tls=Y auth=N \
                response=\"@@\" delay=1.402 fails=0 rcpts=1/0/0",
        quote: on_one_line,
    },
    Template {
        dialect: Dialect::Haraka,
        lines: "level=NOTICE uuid=6F3B2A10-1.2.1 origin=outbound message=\"\" delivered file=x \
                domain=b.example host=mx.b.example ip=192.0.2.10 port=25 mode=SMTP tls=Y auth=N \
                response=\"@@\" delay=1.402 fails=0 rcpts=1/0/0",
        quote: in_quotes,
    },
    Template {
        dialect: Dialect::Haraka,
        lines: "level=INFO uuid=6F3B2A10-1.2.1 origin=outbound message=\"bouncing mail: 550 5.7.1 @@\"",
        quote: in_quotes,
    },
    Template {
        dialect: Dialect::Haraka,
        lines: "{\"level\":\"INFO\",\"uuid\":\"6F3B2A10-1.2.1\",\"origin\":\"outbound\",\"message\":\"bouncing mail: 550 5.7.1 @@\"}",
        quote: in_json,
    },
];

/// A string in JSON.
fn in_json(text: &[u8]) -> Vec<u8> {
    let text = serde_json::to_string(&String::from_utf8_lossy(text)).unwrap();
    text.as_bytes()[1..text.len() - 1].to_vec()
}

/// Exim takes only letters, digits, hyphens and dots there, and an address in brackets.
fn helo(text: &[u8]) -> Vec<u8> {
    text.iter()
        .copied()
        .filter(|byte| byte.is_ascii_alphanumeric() || b"-.[]:".contains(byte))
        .collect()
}

fn templates() -> impl Iterator<Item = &'static Template> {
    [EXIM, SENDMAIL, OPENSMTPD, QMAIL, COURIER, HARAKA, structured::TEMPLATES].into_iter().flatten()
}

#[test]
fn hostile_text_changes_nothing_but_the_text() {
    for template in templates() {
        let read = |text: &[u8]| {
            let text = (template.quote)(text);
            let lines = replace(template.lines.as_bytes(), &text);
            let mut dialects = Dialects::new(None);
            let mut found = Vec::new();
            read_lines(&mut dialects, &lines, &mut |reading| found.push(without_text(reading)));
            dialects.finish(&mut |_, _, reading| found.push(without_text(&reading)));
            found
        };
        let plain = read(b"plain");
        for hostile in HOSTILE {
            let found = read(hostile);
            let (lines, text) = (template.lines, hostile.escape_ascii());
            assert_eq!(found, plain, "{}: {text} in {lines}", template.dialect);
        }
    }
}

fn replace(lines: &[u8], text: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = lines.split(|byte| *byte == b'@').collect();
    // `@@` leaves an empty part between two others.
    let mut whole = parts[0].to_vec();
    let mut rest = &parts[1..];
    while let Some((part, after)) = rest.split_first() {
        if part.is_empty() && !after.is_empty() {
            whole.extend_from_slice(text);
            whole.extend_from_slice(after[0]);
            rest = &after[1..];
        } else {
            whole.push(b'@');
            whole.extend_from_slice(part);
            rest = after;
        }
    }
    whole
}

fn read_lines(dialects: &mut Dialects, lines: &[u8], found: &mut dyn FnMut(&Reading<'_>)) {
    let mut unwrapper = Unwrapper::default();
    for line in lines.split(|byte| *byte == b'\n') {
        let record = unwrapper.unwrap(line);
        dialects.read(&record, &mut |_, _, reading| found(&reading));
    }
}

/// A reading without what the other side wrote.
fn without_text(reading: &Reading<'_>) -> String {
    fn relay(relay: &Relay<'_>) -> String {
        format!("{} {}", relay.host.escape_ascii(), relay.ip.escape_ascii())
    }
    fn answer(answer: &Answer<'_>) -> String {
        let reply = answer.reply().map(|reply| (reply.code, reply.enhanced));
        format!("{reply:?} {:?}", answer.cause())
    }
    match reading {
        Reading::Attempt(attempt) => format!(
            "{} {} {} {} {:?} {:?}",
            attempt.outcome,
            attempt.recipient.domain().escape_ascii(),
            relay(&attempt.relay),
            answer(&attempt.answer),
            attempt.phase,
            attempt.delay_seconds,
        ),
        Reading::HostReply(reply) => {
            format!("host {} {} {:?}", relay(&reply.relay), answer(&reply.answer), reply.phase)
        }
        Reading::InboundReject(reject) => {
            let codes = reject.reply.map(|reply| (reply.code, reply.enhanced));
            format!("inbound {} {codes:?} {:?}", reject.class, reject.phase)
        }
        Reading::Expiry(expiry) => format!("expiry {}", expiry.queue_id.escape_ascii()),
        Reading::Suspended(kept) => format!("suspended {}", kept.recipient.domain().escape_ascii()),
        Reading::Local(kept) => format!("local {}", kept.recipient.domain().escape_ascii()),
    }
}

/// The logs of the MTAs, those of Postfix apart, which have tests of their own.
fn logs() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Dialect::ALL
        .iter()
        .filter(|dialect| **dialect != Dialect::Postfix)
        .flat_map(|dialect| logs_of(*dialect))
        .collect();
    found.sort();
    found
}

fn logs_of(dialect: Dialect) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs");
    let entries = fs::read_dir(root.join(dialect.as_str()));
    let paths = entries.into_iter().flatten().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "log")).collect()
}

#[test]
fn a_line_may_be_cut_at_every_byte() {
    let mut seen = BTreeSet::new();
    for path in logs() {
        // Logs that were written after the grammar have no line that is like another.
        let grammar = path.file_stem().is_some_and(|stem| stem.to_str() == Some("grammar"));
        let log = fs::read(path).unwrap();
        for line in log.split(|byte| *byte == b'\n') {
            // Lines that differ in their words only are cut once.
            if !grammar && !seen.insert(outline(line)) {
                continue;
            }
            let mut dialects = Dialects::new(None);
            let mut unwrapper = Unwrapper::default();
            for end in 0..line.len() {
                let record = unwrapper.unwrap(&line[..end]);
                dialects.read(&record, &mut |_, _, _| {});
            }
            dialects.finish(&mut |_, _, _| {});
        }
    }
}

/// The first punctuation of a line, with one letter for each word.
fn outline(line: &[u8]) -> Vec<u8> {
    let mut outline: Vec<u8> = line
        .iter()
        .map(|byte| if byte.is_ascii_alphanumeric() { b'a' } else { *byte })
        .take(100)
        .collect();
    outline.dedup();
    outline
}

/// The time is not measured: with quadratic cost this test does not end.
#[test]
fn a_long_line_costs_no_more_than_its_length() {
    const PIECES: [&str; 20] = [
        "[",
        "(",
        "<",
        "\"",
        "\\",
        ": ",
        " H=x [",
        " F=<",
        " DN=\"",
        " C=\"",
        " <\"",
        "RCPT TO:<",
        ", ",
        ", a=<",
        "]: ",
        " (",
        "in response to ",
        "=",
        " ",
        "/",
    ];
    for template in templates() {
        let start = template.lines.split("@@").next().unwrap();
        let start = start.lines().last().unwrap_or_default();
        for piece in PIECES {
            let line = format!("{start}{}", piece.repeat(100_000 / piece.len()));
            let mut dialects = Dialects::new(Some(template.dialect));
            let record = Unwrapper::default().unwrap(line.as_bytes());
            dialects.read(&record, &mut |_, _, _| {});
        }
    }
}

#[test]
fn a_restart_between_any_two_lines_neither_loses_nor_repeats() {
    for path in logs() {
        let log = fs::read(&path).unwrap();
        for (every, lines) in [(1, 250), (7, 1_000)] {
            let whole = digest(&log, usize::MAX, lines);
            assert_eq!(digest(&log, every, lines), whole, "{}, every {every}", path.display());
        }
    }
}

/// All readings of the first lines, with the memory saved and restored every so many lines.
fn digest(log: &[u8], every: usize, lines: usize) -> Vec<String> {
    let mut unwrapper = Unwrapper::default();
    let mut dialects = Dialects::new(None);
    let mut found = Vec::new();
    for (number, line) in log.split(|byte| *byte == b'\n').enumerate().take(lines) {
        let record = unwrapper.unwrap(line);
        dialects.read(&record, &mut |_, _, reading| found.push(without_text(&reading)));
        if number % every == 0 {
            let saved = serde_json::to_string(&dialects).unwrap();
            dialects = serde_json::from_str(&saved).unwrap();
        }
    }
    dialects.finish(&mut |_, _, reading| found.push(without_text(&reading)));
    found
}

/// The same through the whole chain: the counters do not tell where it was stopped.
#[test]
fn counters_do_not_depend_on_restarts() {
    let (mut whole, mut stopped) = (Counted::default(), Counted::default());
    for path in logs().into_iter().chain(logs_of(Dialect::Postfix)) {
        let log = fs::read(&path).unwrap();
        let many = log.len() > 40_000;
        let every = if many { 101 } else { 1 };
        let name = path.display().to_string();
        whole.count(&name, &log, usize::MAX);
        stopped.count(&name, &log, every);
        assert_eq!(stopped.counters(), whole.counters(), "{name}");
    }
}

/// However much is read at once, and whatever the lines end with.
#[test]
fn counters_do_not_depend_on_line_ends() {
    let expired = b"Nov 21 20:00:01 mx1 postfix/qmgr[88]: 4dG7Kq1Zb0z9vFk: \
        from=<a@example.com>, status=expired, returned to sender\n";
    let (mut lines, mut chunks, mut of_windows) =
        (Counted::default(), Counted::default(), Counted::default());
    for path in logs_of(Dialect::Postfix) {
        let log = [fs::read(&path).unwrap(), expired.repeat(3)].concat();
        let name = path.display().to_string();
        lines.count(&name, &log, usize::MAX);
        chunks.feed(&name, &log);
        of_windows
            .feed(&name, &log.split(|byte| *byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..]));
        assert_eq!(chunks.counters(), lines.counters(), "{name}");
        assert_eq!(of_windows.counters(), lines.counters(), "{name}");
    }
}

/// The counters of logs, each of them a source.
pub(crate) struct Counted {
    pipeline: Pipeline,
    ledger: Ledger,
}

impl Default for Counted {
    fn default() -> Self {
        let pipeline = chain();
        let ledger = Ledger::new(pipeline.providers(), 10_000);
        Self { pipeline, ledger }
    }
}

impl Counted {
    /// Counts a log, with what its lines left saved and restored every so many lines.
    pub(crate) fn count(&mut self, name: &str, log: &[u8], every: usize) {
        let Self { pipeline, ledger } = self;
        let source = ledger.source(name);
        let mut stream = Stream::new(source, None);
        for (number, line) in log.split_inclusive(|byte| *byte == b'\n').enumerate() {
            pipeline.feed(&mut stream, ledger, line, &mut Unobserved);
            if number % every == every - 1 {
                let saved = stream.save().unwrap();
                stream = Stream::new(source, None);
                stream.restore(&saved);
            }
        }
        pipeline.finish(&mut stream, ledger, &mut Unobserved);
    }

    /// Counts a log at once.
    fn feed(&mut self, name: &str, log: &[u8]) {
        let mut stream = Stream::new(self.ledger.source(name), None);
        self.pipeline.feed(&mut stream, &mut self.ledger, log, &mut Unobserved);
        self.pipeline.finish(&mut stream, &mut self.ledger, &mut Unobserved);
    }

    /// All counters.
    pub(crate) fn counters(&self) -> serde_json::Value {
        serde_json::to_value(self.ledger.save()).unwrap()
    }
}

fn chain() -> Pipeline {
    let providers = Providers::builtin();
    let classifier = Classifier::builtin(&providers);
    Pipeline::new(providers, classifier)
}

/// Haraka does not escape line feeds in logfmt: what follows one is part of the entry, whatever it
/// looks like.
#[test]
fn an_entry_of_several_lines_is_one_entry() {
    let log = b"level=ERROR uuid=A-1.1.1 origin=outbound message=\"what: x\n\
        2026-11-21 20:00:01 1vMabC-00000003xYz-1a2B => a@gmail.com R=r T=s H=x [192.0.2.9] C=\\\"\n\
        5ALK0: to=<a@gmail.com>, relay=x[192.0.2.9]:25, delay=1, dsn=2.0.0, status=sent (x)\n\
        \" code=x\n\
        level=INFO uuid=A-1.1.1 origin=outbound message=\"bouncing mail: 554 yes\"";
    let mut dialects = Dialects::new(None);
    let mut found = Vec::new();
    read_lines(&mut dialects, log, &mut |reading| found.push(without_text(reading)));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("554"), "{found:?}");
}

/// More deliveries are under way than are remembered: what is forgotten is counted, and a restart
/// does not count it again.
#[test]
fn what_is_forgotten_for_want_of_room_is_counted_once() {
    let mut pipeline = chain();
    let mut ledger = Ledger::new(pipeline.providers(), 10_000);
    let source = ledger.source("qmail");
    let mut stream = Stream::new(source, None);
    for delivery in 0..10_000 {
        let line = format!("starting delivery {delivery}: msg 7 to remote a{delivery}@b.example\n");
        pipeline.feed(&mut stream, &mut ledger, line.as_bytes(), &mut Unobserved);
    }
    let evictions = ledger.sources()[source.index()].evictions;
    assert!((1..10_000).contains(&evictions), "{evictions}");
    let saved = stream.save().unwrap();
    let mut stream = Stream::new(source, None);
    stream.restore(&saved);
    let line = b"starting delivery 10000: msg 7 to remote a@b.example\n";
    pipeline.feed(&mut stream, &mut ledger, line, &mut Unobserved);
    assert_eq!(ledger.sources()[source.index()].evictions, evictions + 1);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_by_every_dialect(
        lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..8),
    ) {
        for dialect in Dialect::ALL {
            let mut dialects = Dialects::new(Some(dialect));
            for line in &lines {
                let record = Record { message: line, repeat: 1, ..Record::default() };
                let (by, kind) = dialects.read(&record, &mut |_, _, _| {});
                prop_assert_eq!(by, Some(dialect));
                prop_assert!(kind != LineKind::Overlong);
            }
            dialects.finish(&mut |_, _, _| {});
        }
    }

    #[test]
    fn pieces_of_real_lines_in_any_order_are_read(
        pieces in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..60, 0usize..300), 1..5),
    ) {
        for line in spliced(&pieces) {
            let mut dialects = Dialects::new(None);
            let mut unwrapper = Unwrapper::default();
            for _ in 0..2 {
                dialects.read(&unwrapper.unwrap(&line), &mut |_, _, _| {});
            }
            dialects.finish(&mut |_, _, _| {});
        }
    }
}

/// For each log one line put together from pieces of its lines.
fn spliced(pieces: &[(prop::sample::Index, usize, usize)]) -> Vec<Vec<u8>> {
    static LOGS: std::sync::LazyLock<Vec<Vec<u8>>> =
        std::sync::LazyLock::new(|| logs().iter().map(|path| fs::read(path).unwrap()).collect());
    let of_log = |log: &Vec<u8>| {
        let lines: Vec<&[u8]> = log.split(|byte| *byte == b'\n').take(400).collect();
        let piece = |(line, from, length): &(prop::sample::Index, usize, usize)| {
            let line = lines[line.index(lines.len())];
            line.get(*from..).map(|rest| rest[..rest.len().min(*length)].to_vec())
        };
        pieces.iter().filter_map(piece).flatten().collect()
    };
    LOGS.iter().map(of_log).collect()
}
