//! Postfix' grammar, line by line, and what nobody may achieve by what he writes into a line.

use mta_exporter::envelope::Unwrapper;
use mta_exporter::mta::{Dialects, LineKind, Reading};

use crate::corpus::describe;

/// What is read in lines that follow each other: the kind of each, and its readings.
fn read(lines: &[&str]) -> Vec<String> {
    let (mut unwrapper, mut dialects) = (Unwrapper::default(), Dialects::new(None));
    let mut all = Vec::new();
    for line in lines {
        let mut readings = Vec::new();
        let (_, kind) = dialects.read(&unwrapper.unwrap(line.as_bytes()), &mut |_, _, reading| {
            let read = describe(&reading);
            readings.push(match reading {
                // What is left of a refusal's text matters more than how long it is.
                Reading::InboundReject(reject) => {
                    let (read, _length) = read.rsplit_once(" text=").unwrap();
                    format!("{read}: {}", String::from_utf8_lossy(reject.text))
                }
                Reading::Attempt(_)
                | Reading::HostReply(_)
                | Reading::Expiry(_)
                | Reading::Suspended(_)
                | Reading::Local(_) => read,
            });
        });
        let why =
            if let LineKind::Unreadable(why) = kind { format!(", {why}") } else { String::new() };
        let kind = format!("{}{why}", kind.as_str());
        all.push([vec![kind], readings].concat().join(": "));
    }
    all
}

/// Checks lines of one daemon, each by itself.
#[track_caller]
fn check(daemon: &str, lines: &[(&str, &str)]) {
    for (message, expected) in lines {
        let line = format!("Nov 21 20:00:01 mx1 {daemon}[2101]: {message}");
        assert_eq!(read(&[&line]), [*expected], "{line}");
    }
}

const TO: &str = "4dG7Kq1Zb0z9vFk: to=<ann@example.com>, relay=mx.example.net[192.0.2.10]:25, \
                  delay=1.3, delays=0.05/0.01/0.44/0.8, dsn=";
const NOBODY: &str = "4dG7Kq1Zb0z9vFk: to=<ann@example.com>, relay=none, delay=1.3, \
                      delays=0.05/0.01/0.44/0.8, dsn=";

/// Checks what becomes of `TO` with these ends.
#[track_caller]
fn check_ends(head: &str, lines: &[(&str, &str)]) {
    for (end, expected) in lines {
        check("postfix/smtp", &[(&format!("{head}{end}"), expected)]);
    }
}

#[test]
fn the_fields_of_a_record_may_come_and_go() {
    let accepted = "delivery: delivered to=example.com host=mx.example.net ip=192.0.2.10 250 2.0.0";
    for fields in [
        // 2.2, 2.3, 3.x, 3.11, and a field that is not known yet.
        "delay=5, status=sent",
        "delay=5, delays=1/1/1/2, dsn=2.0.0, status=sent",
        "conn_use=12, delay=5, delays=1/1/1/2, dsn=2.0.0, status=sent",
        "delay=5, delays=1/1/1/2, tls=dane, dsn=2.0.0, status=sent",
        "delay=5, delays=1/1/1/2, tls=encrypt/requiretls:nocertmatch, dsn=2.0.0, status=sent",
        "delay=5, delays=1/1/1/2, tls=!may:none?, dsn=2.0.0, status=sent",
        "delay=5, delays=1/1/1/2, queue=hold, dsn=2.0.0, status=sent",
    ] {
        let line = format!(
            "4A1B2C3D4E: to=<ann@example.com>, relay=mx.example.net[192.0.2.10]:25, {fields} \
             (250 2.0.0 OK)"
        );
        check("postfix/smtp", &[(&line, &format!("{accepted} text=12 5s"))]);
    }
}

#[test]
fn an_address_may_hold_anything() {
    for (address, domain) in [
        ("ann@example.com", " to=example.com"),
        ("ann@EXAMPLE.com", " to=EXAMPLE.com"),
        ("\"john doe\"@example.com", " to=example.com"),
        ("\"a>b, relay=evil[192.0.2.66]:25, status=sent (250\"@example.com", " to=example.com"),
        ("\"a\\\">, relay=x[192.0.2.66]:25\"@example.com", " to=example.com"),
        ("a>b@example.com", " to=example.com"),
        ("a, b c@example.com", " to=example.com"),
        ("\"half@example.com", " to=example.com"),
        (
            "пример@пример.example",
            " to=\\xd0\\xbf\\xd1\\x80\\xd0\\xb8\\xd0\\xbc\\xd0\\xb5\\xd1\\x80.example",
        ),
        ("ann@[192.0.2.1]", " to=[192.0.2.1]"),
        ("ann", ""),
        ("", ""),
    ] {
        for original in ["", ", orig_to=<\"x>, relay=y\"@example.org>", ", orig_to=<root>"] {
            let line = format!(
                "4A1B2C3D4E: to=<{address}>{original}, relay=mx.example.net[192.0.2.10]:25, \
                 delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (250 OK)"
            );
            let expected = format!(
                "delivery: delivered{domain} host=mx.example.net ip=192.0.2.10 250 text=6 0s"
            );
            check("postfix/smtp", &[(&line, &expected)]);
        }
    }
}

#[test]
fn the_relay_says_who_was_asked() {
    for (relay, expected) in [
        (
            "mx.example.net[192.0.2.10]:25",
            "delivery: delivered to=example.com host=mx.example.net \
          ip=192.0.2.10 250 text=6 1s",
        ),
        (
            "mx.example.net[2001:db8::25]:25",
            "delivery: delivered to=example.com \
          host=mx.example.net ip=2001:db8::25 250 text=6 1s",
        ),
        (
            "192.0.2.10[192.0.2.10]:587",
            "delivery: delivered to=example.com host=192.0.2.10 \
          ip=192.0.2.10 250 text=6 1s",
        ),
        ("127.0.0.1[127.0.0.1]:10024", "local: local to=example.com"),
        ("localhost[::1]:10024", "local: local to=example.com"),
        ("mx1[private/dovecot-lmtp]", "local: local to=example.com"),
        ("mx1[/var/run/dovecot/lmtp]", "local: local to=example.com"),
    ] {
        let line = format!(
            "4A1B2C3D4E: to=<a@example.com>, relay={relay}, delay=1, delays=0/0/0/1, dsn=2.0.0, \
             status=sent (250 OK)"
        );
        check("postfix/smtp", &[(&line, expected)]);
        // A mailbox store is the site's own, wherever it is.
        check("postfix/lmtp", &[(&line, "local: local to=example.com")]);
    }
}

#[test]
fn the_outcome_is_what_postfix_did() {
    let at = " to=example.com host=mx.example.net ip=192.0.2.10";
    check_ends(
        TO,
        &[
            (
                "2.0.0, status=sent (250-a 250 2.0.0 b)",
                &format!("delivery: delivered{at} 250 2.0.0 text=17 1.3s"),
            ),
            (
                "5.1.1, status=bounced (host mx.example.net[192.0.2.10] said: 550-5.1.1 No 550 5.1.1 way (in reply to RCPT TO command))",
                &format!("delivery: bounced{at} 550 5.1.1 text=26 at rcpt 1.3s"),
            ),
            (
                "4.2.0, status=deferred (host mx.example.net[192.0.2.10] said: 450 4.2.0 Later (in reply to end of DATA command))",
                &format!("delivery: deferred{at} 450 4.2.0 text=15 at end_of_data 1.3s"),
            ),
            (
                "4.1.1, status=SOFTBOUNCE (host mx.example.net[192.0.2.10] said: 550 5.1.1 <f@example.com>: user unknown (in reply to RCPT TO command))",
                &format!("delivery: deferred{at} 550 5.1.1 text=39 at rcpt 1.3s"),
            ),
            ("2.1.5, status=deliverable (250 2.1.5 Ok)", "suspended: suspended to=example.com"),
            (
                "5.1.1, status=undeliverable (host mx.example.net[192.0.2.10] said: 550 5.1.1 x (in reply to RCPT TO command))",
                "suspended: suspended to=example.com",
            ),
            (
                "4.1.1, status=undeliverable-but-not-cached (x)",
                "suspended: suspended to=example.com",
            ),
            (
                "4.7.0, status=deferred (delivery temporarily suspended: host mx.example.net[192.0.2.10] refused to talk to me: 421 busy)",
                "suspended: suspended to=example.com",
            ),
            // Only Postfix can suspend.
            (
                "2.0.0, status=sent (delivery temporarily suspended: 250 ok)",
                &format!("delivery: delivered{at} protocol text=38 1.3s"),
            ),
            ("2.0.0, status=vanished (250 ok)", "unreadable, unknown status"),
        ],
    );
}

#[test]
fn the_phase_is_the_command_that_was_answered() {
    for (command, phase) in [
        ("MAIL FROM command", " at mail"),
        ("RCPT TO command", " at rcpt"),
        ("DATA command", " at data"),
        ("end of DATA command", " at end_of_data"),
        ("XFORWARD name/address command", ""),
        ("final RSET command", ""),
        ("RSET probe", ""),
        ("QUIT command", ""),
    ] {
        check_ends(
            TO,
            &[(
                &format!(
                    "4.0.0, status=deferred (host mx.example.net[192.0.2.10] said: 450 No (in reply to {command}))"
                ),
                &format!(
                    "delivery: deferred to=example.com host=mx.example.net ip=192.0.2.10 450 text=6{phase} 1.3s"
                ),
            )],
        );
    }
    for (activity, phase) in [
        ("receiving the initial server greeting", " at connect"),
        ("performing the EHLO handshake", " at helo"),
        ("performing the HELO handshake", " at helo"),
        ("sending XFORWARD name/address", ""),
        ("sending MAIL FROM", " at mail"),
        ("sending RCPT TO", " at rcpt"),
        ("sending DATA command", " at data"),
        ("sending message body", " at data"),
        ("sending end of data -- message may be sent more than once", " at end_of_data"),
        ("sending final RSET", ""),
        ("sending QUIT", ""),
    ] {
        let at = "deferred to=example.com host=mx.example.net ip=192.0.2.10";
        let lost = format!("lost connection with mx.example.net[192.0.2.10] while {activity}");
        let slow =
            format!("conversation with mx.example.net[192.0.2.10] timed out while {activity}");
        check_ends(
            TO,
            &[
                (
                    &format!("4.4.2, status=deferred ({lost})"),
                    &format!("delivery: {at} lost text={}{phase} 1.3s", lost.len()),
                ),
                (
                    &format!("4.4.2, status=deferred ({slow})"),
                    &format!("delivery: {at} timeout text={}{phase} 1.3s", slow.len()),
                ),
            ],
        );
    }
}

#[test]
fn a_refused_greeting_is_told_from_a_refused_ehlo() {
    let at = "to=example.com host=mx.example.net ip=192.0.2.10";
    check_ends(
        TO,
        &[
            (
                "4.7.0, status=deferred (host mx.example.net[192.0.2.10] refused to talk to me: 421 4.7.0 Too many)",
                &format!("delivery: deferred {at} 421 4.7.0 text=18 at connect 1.3s"),
            ),
            (
                "4.0.0, status=deferred (host mx.example.net[192.0.2.10] refused to talk to me: 554-No service 554 Go)",
                &format!("delivery: deferred {at} 554 text=21 at connect 1.3s"),
            ),
            (
                "5.7.1, status=bounced (host mx.example.net[192.0.2.10] refused to talk to me: 550 5.7.1 HELO refused)",
                &format!("delivery: bounced {at} 550 5.7.1 text=22 at helo 1.3s"),
            ),
        ],
    );
}

#[test]
fn what_is_no_reply_has_a_cause() {
    let at = "to=example.com host=mx.example.net ip=192.0.2.10";
    for (text, cause) in [
        (
            "host mx.example.net[192.0.2.10] said: Go away 554 no (in reply to RCPT TO command)",
            "protocol text=14 at rcpt",
        ),
        (
            "host mx.example.net[192.0.2.10] said: 999 9.9.9 x (in reply to RCPT TO command)",
            "protocol text=11 at rcpt",
        ),
        (
            "Protocol error: host mx.example.net[192.0.2.10] said: 354 go on (in reply to MAIL FROM command)",
            "354 text=9 at mail",
        ),
        (
            "Protocol error: host mx.example.net[192.0.2.10] said: what (in reply to MAIL FROM command)",
            "protocol text=4 at mail",
        ),
        ("local data error while talking to mx.example.net[192.0.2.10]", "local text=60"),
        (
            "TLS is required, but was not offered by host mx.example.net[192.0.2.10]",
            "tls text=71 at starttls",
        ),
        (
            "TLS is required, but host mx.example.net[192.0.2.10] refused to start TLS: 454 4.7.0 No",
            "454 4.7.0 text=12 at starttls",
        ),
        ("TLS is required, but our TLS engine is unavailable", "tls text=50 at starttls"),
        ("Cannot start TLS: handshake failure", "tls text=35 at starttls"),
        ("Server certificate not verified", "tls text=31 at starttls"),
        ("Server certificate not trusted", "tls text=30 at starttls"),
        ("TLSA lookup error for mx.example.net:25", "tls text=39"),
        ("client TLS configuration problem", "tls text=32 at starttls"),
        (
            "SASL authentication failed; server mx.example.net[192.0.2.10] said: 535 5.7.8 Error",
            "535 5.7.8 text=15 at auth",
        ),
        (
            "SASL [CACHED] authentication failed; server mx.example.net[192.0.2.10] said: 535 5.7.8 Error",
            "local text=92 at auth",
        ),
        (
            "SASL authentication failed; cannot authenticate to server mx.example.net[192.0.2.10]: no mechanism available",
            "local text=108 at auth",
        ),
        (
            "message size 12 exceeds size limit 10 of server mx.example.net[192.0.2.10]",
            "local text=74",
        ),
        (
            "SMTPUTF8 is required, but was not offered by host mx.example.net[192.0.2.10]",
            "local text=76",
        ),
        ("something that a later version says", "local text=35"),
        ("", "local text=0"),
    ] {
        check_ends(
            TO,
            &[(
                &format!("4.0.0, status=deferred ({text})"),
                &format!("delivery: deferred {at} {cause} 1.3s"),
            )],
        );
    }
}

#[test]
fn without_a_relay_the_text_says_who_was_asked() {
    let at = "to=example.com host=mx.example.net ip=192.0.2.10";
    for (text, expected) in [
        (
            "connect to mx.example.net[192.0.2.10]:25: Connection timed out",
            format!("{at} timeout text=62 at connect"),
        ),
        (
            "connect to mx.example.net[192.0.2.10]:25: Connection refused",
            format!("{at} refused text=60 at connect"),
        ),
        (
            "connect to mx.example.net[192.0.2.10]:25: No route to host",
            format!("{at} unreachable text=58 at connect"),
        ),
        (
            "connect to mx.example.net[192.0.2.10]:25: Network is unreachable",
            format!("{at} unreachable text=64 at connect"),
        ),
        (
            "connect to mx.example.net[192.0.2.10]:25: Operation timed out",
            format!("{at} timeout text=61 at connect"),
        ),
        (
            "connect to mx.example.net[192.0.2.10]:25: Permission denied",
            format!("{at} local text=59 at connect"),
        ),
        (
            "connect to mx.example.net[192.0.2.10]: server dropped connection without sending the initial SMTP greeting",
            format!("{at} lost text=106 at connect"),
        ),
        (
            "Host or domain name not found. Name service error for name=example.com type=MX: Host not found, try again",
            "to=example.com dns text=105".to_owned(),
        ),
        (
            "Name service error for example.com: invalid host or domain name",
            "to=example.com dns text=63".to_owned(),
        ),
        (
            "Domain example.com does not accept mail (nullMX)",
            "to=example.com dns text=48".to_owned(),
        ),
        ("unable to find primary relay for example.com", "to=example.com dns text=44".to_owned()),
        (
            "unable to look up host mx.example.net: Try again",
            "to=example.com dns text=48".to_owned(),
        ),
        ("mail for example.com loops back to myself", "to=example.com local text=41".to_owned()),
        ("unknown mail transport error", "to=example.com local text=28".to_owned()),
    ] {
        check_ends(
            NOBODY,
            &[(
                &format!("4.4.1, status=deferred ({text})"),
                &format!("delivery: deferred {expected} 1.3s"),
            )],
        );
    }
}

#[test]
fn a_content_filter_or_a_mailbox_store_that_is_down_is_local() {
    check_ends(
        NOBODY,
        &[
            (
                "4.4.1, status=deferred (connect to 127.0.0.1[127.0.0.1]:10024: Connection refused)",
                "local: local to=example.com",
            ),
            (
                "4.4.1, status=deferred (connect to mx1[private/lmtp]: No such file or directory)",
                "local: local to=example.com",
            ),
        ],
    );
}

#[test]
fn a_reply_without_a_record_is_one_of_a_host() {
    let at = "host_reply: host reply host=mx.example.net ip=192.0.2.10";
    check(
        "postfix/smtp",
        &[
            (
                "4dG7Kr0W3Xz9vFm: host mx.example.net[192.0.2.10] said: 421-4.7.0 Try 421 4.7.0 later (in reply to end of DATA command)",
                &format!("{at} 421 4.7.0 text=29 at end_of_data"),
            ),
            (
                "4dG7Kr0W3Xz9vFm: host mx.example.net[192.0.2.10] refused to talk to me: 554 5.7.1 No",
                &format!("{at} 554 5.7.1 text=12 at connect"),
            ),
            (
                "4dG7Kr0W3Xz9vFm: lost connection with mx.example.net[192.0.2.10] while sending RCPT TO",
                &format!("{at} lost text=69 at rcpt"),
            ),
            (
                "4dG7Kr0W3Xz9vFm: conversation with mx.example.net[192.0.2.10] timed out while sending MAIL FROM",
                &format!("{at} timeout text=78 at mail"),
            ),
            (
                "4dG7Kr0W3Xz9vFm: Cannot start TLS: handshake failure",
                "host_reply: host reply tls text=35 at starttls",
            ),
            (
                "4dG7Kr0W3Xz9vFm: TLS is required, but was not offered by host mx.example.net[192.0.2.10]",
                &format!("{at} tls text=71 at starttls"),
            ),
            (
                "connect to mx.example.net[192.0.2.10]:25: Connection timed out",
                &format!("{at} timeout text=62 at connect"),
            ),
            (
                "connect to mx.example.net[2001:db8::25]:25: Network is unreachable",
                "host_reply: host reply host=mx.example.net ip=2001:db8::25 unreachable text=66 at connect",
            ),
            (
                "warning: host mx.example.net[192.0.2.10]:25 said: 550 No (in reply to XFORWARD name/address command)",
                &format!("{at} 550 text=6"),
            ),
            ("connect to 127.0.0.1[127.0.0.1]:10024: Connection refused", "local"),
            (
                "4dG7Kr0W3Xz9vFm: host 127.0.0.1[127.0.0.1] said: 451 busy (in reply to DATA command)",
                "local",
            ),
            (
                "warning: host mx.example.net[192.0.2.10]:25 greeted me with my own hostname mx1",
                "irrelevant",
            ),
            (
                "warning: 4dG7Kr0W3Xz9vFm: non-ESMTP response from mx.example.net[192.0.2.10]:25: 2500 ok?",
                "irrelevant",
            ),
            (
                "4dG7Kr0W3Xz9vFm: enabling PIX workarounds: disable_esmtp delay_dotcrlf for mx.example.net[192.0.2.10]:25",
                "irrelevant",
            ),
            (
                "TLSRPT: status=failure, domain=example.com, receiving_mx=mx.example.net[192.0.2.10], failure_type=certificate-expired",
                "irrelevant",
            ),
            ("4dG7Kr0W3Xz9vFm: status=deferred (bounce failed)", "irrelevant"),
            (
                "Untrusted TLS connection established to mx.example.net[192.0.2.10]:25: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
                "irrelevant",
            ),
            ("warning: no MX host for example.com has a valid address record", "irrelevant"),
        ],
    );
}

#[test]
fn one_event_that_is_logged_twice_is_counted_once() {
    let line = |pid: u32, text: &str| format!("Nov 21 20:00:01 mx1 postfix/smtp[{pid}]: {text}");
    let connect =
        |host: u8| format!("connect to mx.example.net[192.0.2.{host}]:25: Connection refused");
    let record = |id: &str, text: &str| {
        format!(
            "{id}: to=<a@example.com>, relay=none, delay=1, delays=0/0/0/1, dsn=4.4.1, status=deferred ({text})"
        )
    };
    let host = |host: u8| {
        format!(
            "host_reply: host reply host=mx.example.net ip=192.0.2.{host} refused text=59 at connect"
        )
    };
    let recipient = |again: &str| {
        format!(
            "delivery: deferred to=example.com host=mx.example.net ip=192.0.2.2 refused text=59{again} at connect 1s"
        )
    };
    // Two hosts, the second of which decides two recipients, while another process does the same.
    let lines = [
        line(1, &connect(1)),
        line(1, &connect(2)),
        line(2, &connect(2)),
        line(1, &record("4A1B2C3D4E", &connect(2))),
        line(2, &record("4A1B2C3D4F", &connect(2))),
        line(1, &record("4A1B2C3D4E", &connect(2))),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let again = " (counted before)";
    let expected = [host(1), host(2), host(2), recipient(again), recipient(again), recipient("")];
    assert_eq!(read(&lines), expected);

    // The server says 421 and closes; Postfix had sent more already.
    let closing =
        "4A1B2C3D4E: host mx.example.net[192.0.2.1] said: 421 busy (in reply to MAIL FROM command)";
    let lost = |id: &str, host: u8| {
        format!("{id}: lost connection with mx.example.net[192.0.2.{host}] while sending RCPT TO")
    };
    let busy = "host_reply: host reply host=mx.example.net ip=192.0.2.1 421 text=8 at mail";
    let gone = |host: u8| {
        format!("host_reply: host reply host=mx.example.net ip=192.0.2.{host} lost text=68 at rcpt")
    };
    let kinds = |pid: u32, text: &str| read(&[&line(1, closing), &line(pid, text)])[1].clone();
    assert_eq!(read(&[&line(1, closing)]), [busy]);
    assert_eq!(kinds(1, &lost("4A1B2C3D4E", 1)), "state");
    assert_eq!(kinds(1, &lost("4A1B2C3D4E", 2)), gone(2), "another host");
    assert_eq!(kinds(1, &lost("4A1B2C3D4F", 1)), gone(1), "another message");
    assert_eq!(kinds(2, &lost("4A1B2C3D4E", 1)), gone(1), "another process");
    let lines =
        [line(1, closing), line(1, &lost("4A1B2C3D4E", 1)), line(1, &lost("4A1B2C3D4E", 1))];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(read(&lines)[1..], ["state".to_owned(), gone(1)], "only once");
}

#[test]
fn the_queue_manager_gives_messages_up() {
    check(
        "postfix/qmgr",
        &[
            (
                "4dFzZ90PqXz9vAa: from=<news@example.org>, status=expired, returned to sender",
                "delivery: gave up 4dFzZ90PqXz9vAa",
            ),
            (
                "4dFzZ90PqXz9vAa: from=<>, status=force-expired, returned to sender",
                "delivery: gave up 4dFzZ90PqXz9vAa",
            ),
            (
                "4dFzZ90PqXz9vAa: from=<news@example.org>, size=1, nrcpt=1 (queue active)",
                "irrelevant",
            ),
            (
                "4dFzZ90PqXz9vAa: from=<a>, status=expired, returned to sender@example.org>, size=1, nrcpt=1 (queue active)",
                "irrelevant",
            ),
            ("4dFzZ90PqXz9vAa: removed", "irrelevant"),
            ("4dFzZ90PqXz9vAa: status=deferred (bounce failed)", "irrelevant"),
            (
                "4dFzZ90PqXz9vAa: to=<c@example.org>, relay=none, delay=1, delays=1/0/0/0, dsn=4.3.2, status=deferred (deferred transport)",
                "local: local to=example.org",
            ),
        ],
    );
}

#[test]
fn what_stays_on_this_machine_is_local() {
    for daemon in ["local", "virtual", "pipe", "discard", "error", "bounce", "cleanup"] {
        let daemon = format!("postfix/{daemon}");
        for (relay, end) in [
            ("local", "dsn=2.0.0, status=sent (delivered to mailbox)"),
            ("dovecot", "dsn=2.0.0, status=sent (delivered via dovecot service)"),
            ("local", "dsn=5.1.1, status=bounced (unknown user: \"x\")"),
            ("none", "dsn=5.4.4, status=bounced (example.com is gone)"),
        ] {
            let line = format!(
                "4A1B2C3D4E: to=<a@example.com>, orig_to=<b>, relay={relay}, delay=1, delays=0/0/0/1, {end}"
            );
            check(&daemon, &[(&line, "local: local to=example.com")]);
            check("postfix", &[(&line, "local: local to=example.com")]);
        }
    }
    check(
        "postfix/error",
        &[(
            "4dG7Ks5h2Gz9vFn: to=<c@example.org>, relay=none, delay=3601, delays=3600/0.6/0/0.02, dsn=4.4.1, status=deferred (delivery temporarily suspended: connect to mx1.example.org[203.0.113.5]:25: Connection timed out)",
            "suspended: suspended to=example.org",
        )],
    );
    check(
        "postfix/bounce",
        &[
            ("4dG7Ks5h2Gz9vFn: sender non-delivery notification: 4dG7Ks5h2Gz9vFp", "irrelevant"),
            ("4dG7Ks5h2Gz9vFn: sender notification failed to a@example.org: x", "irrelevant"),
        ],
    );
}

#[test]
fn refusals_of_smtpd_are_inbound() {
    check(
        "postfix/smtpd",
        &[
            (
                "NOQUEUE: reject: RCPT from unknown[198.51.100.9]: 450 4.2.0 <h@example.org>: Recipient address rejected: Greylisted; try later; from=<x@example.com> to=<h@example.org> proto=ESMTP helo=<a.example>",
                "inbound_reject: rejected 4xx 450 4.2.0 at rcpt: 450 4.2.0 <h@example.org>: Recipient address rejected: Greylisted; try later",
            ),
            (
                "4A1B2C3D4E: reject: DATA from x[2001:db8::1]:2525: 550 5.5.3 <DATA>: Data command rejected: Multi-recipient bounce; from=<> proto=ESMTP helo=<x>",
                "inbound_reject: rejected 5xx 550 5.5.3 at data: 550 5.5.3 <DATA>: Data command rejected: Multi-recipient bounce",
            ),
            (
                "NOQUEUE: reject: CONNECT from x[192.0.2.1]: 554 5.7.1 <x[192.0.2.1]>: Client host rejected: Access denied; proto=SMTP",
                "inbound_reject: rejected 5xx 554 5.7.1 at connect: 554 5.7.1 <x[192.0.2.1]>: Client host rejected: Access denied",
            ),
            (
                "NOQUEUE: reject: END-OF-MESSAGE from x[192.0.2.1]: 552 5.3.4 Too large; from=<a@b> proto=ESMTP",
                "inbound_reject: rejected 5xx 552 5.3.4 at end_of_data: 552 5.3.4 Too large",
            ),
            (
                "NOQUEUE: reject: VRFY from x[192.0.2.1]: 450 4.1.2 <x>: No",
                "inbound_reject: rejected 4xx 450 4.1.2: 450 4.1.2 <x>: No",
            ),
            (
                "NOQUEUE: milter-reject: CONNECT from x[192.0.2.1]: 421 4.7.0 Go; proto=SMTP",
                "inbound_reject: rejected 4xx 421 4.7.0 at connect: 421 4.7.0 Go",
            ),
            (
                "4A1B2C3D4E: milter-reject: RCPT from x[192.0.2.1]: 550 5.7.1 No; from=<a@b> to=<c@d> proto=ESMTP helo=<e>",
                "inbound_reject: rejected 5xx 550 5.7.1 at rcpt: 550 5.7.1 No",
            ),
            (
                "proxy-reject: END-OF-MESSAGE: 554 5.7.0 Reject, id=1; from=<a@b> to=<c@d> proto=ESMTP helo=<e>",
                "inbound_reject: rejected 5xx 554 5.7.0 at end_of_data: 554 5.7.0 Reject, id=1",
            ),
            (
                "warning: proxy 127.0.0.1:10025 rejected \"RCPT TO:<a@b>\": \"550 5.1.1 No\"",
                "inbound_reject: rejected 5xx 550 5.1.1 at rcpt: 550 5.1.1 No",
            ),
            (
                "NOQUEUE: reject_warning: RCPT from x[192.0.2.1]: 450 4.7.1 No; from=<a@b> to=<c@d> proto=ESMTP helo=<e>",
                "irrelevant",
            ),
            ("NOQUEUE: warn: RCPT from x[192.0.2.1]: No; from=<a@b>", "irrelevant"),
            ("NOQUEUE: hold: RCPT from x[192.0.2.1]: No; from=<a@b>", "irrelevant"),
            (
                "4A1B2C3D4E: client=x[192.0.2.1], sasl_method=PLAIN, sasl_username=reject: RCPT from",
                "irrelevant",
            ),
            ("connect from x[192.0.2.1]", "irrelevant"),
            (
                "disconnect from x[2001:db8::1] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4",
                "irrelevant",
            ),
            ("lost connection after DATA (14 bytes) from x[192.0.2.1]", "irrelevant"),
            ("warning: hostname x does not resolve to address 192.0.2.1", "irrelevant"),
            ("NOQUEUE: reject: RCPT from", "unreadable, malformed fields"),
        ],
    );
}

#[test]
fn refusals_of_cleanup_are_inbound() {
    check(
        "postfix/cleanup",
        &[
            (
                "4dG7Ky6L5Vz9vFt: milter-reject: END-OF-MESSAGE from mail.example.com[198.51.100.8]: 5.7.1 Spam message rejected; from=<x@example.com> to=<i@example.org> proto=ESMTP helo=<mail.example.com>",
                "inbound_reject: rejected 5xx at end_of_data: 5.7.1 Spam message rejected",
            ),
            (
                "4dG7Ky6L5Vz9vFt: milter-reject: END-OF-MESSAGE from x[198.51.100.8]: 4.7.1 Try again later; from=<x@example.com>",
                "inbound_reject: rejected 4xx at end_of_data: 4.7.1 Try again later",
            ),
            (
                "4dG7Ky6L5Vz9vFt: reject: header Subject: win; from=<a>: 4.0.0 money from x[192.0.2.1]; from=<a@b> to=<c@d> proto=ESMTP helo=<e>: 5.7.1 message content rejected",
                "inbound_reject: rejected 5xx at end_of_data: 5.7.1 message content rejected",
            ),
            (
                "4dG7Ky6L5Vz9vFt: reject: body buy from x[192.0.2.1]; from=<a@b> to=<c@d> proto=ESMTP helo=<e>: 4.7.1 later",
                "inbound_reject: rejected 4xx at end_of_data: 4.7.1 later",
            ),
            (
                "4dG7Ky6L5Vz9vFt: reject: mime-error improper use of 8-bit data from x[192.0.2.1]; from=<a@b>",
                "inbound_reject: rejected 5xx at end_of_data: mime-error improper use of 8-bit data from x[192.0.2.1]",
            ),
            ("4dG7Ky6L5Vz9vFt: message-id=<reject: RCPT from@example.com>", "irrelevant"),
            (
                "4dG7Ky6L5Vz9vFt: warning: header Subject: x from y[192.0.2.1]; from=<a@b>",
                "irrelevant",
            ),
        ],
    );
}

#[test]
fn refusals_of_postscreen_are_inbound() {
    check(
        "postfix/postscreen",
        &[
            (
                "NOQUEUE: reject: RCPT from [198.51.100.7]:40112: 550 5.7.1 Service unavailable; client [198.51.100.7] blocked using dnsbl.example; from=<a@example.net>, to=<j@example.org>, proto=ESMTP, helo=<x>",
                "inbound_reject: rejected 5xx 550 5.7.1 at rcpt: 550 5.7.1 Service unavailable; client [198.51.100.7] blocked using dnsbl.example",
            ),
            (
                "NOQUEUE: reject: CONNECT from [198.51.100.7]:40112: too many connections",
                "inbound_reject: rejected 4xx at connect: too many connections",
            ),
            (
                "NOQUEUE: reject: CONNECT from [2001:db8::7]:40112: all server ports busy",
                "inbound_reject: rejected 4xx at connect: all server ports busy",
            ),
            ("PREGREET 11 after 0.05 from [198.51.100.7]:40112: EHLO x", "irrelevant"),
            ("DNSBL rank 5 for [198.51.100.7]:40112", "irrelevant"),
            ("PASS OLD [198.51.100.7]:40112", "irrelevant"),
        ],
    );
}
