//! Where strangers' text stands in structured records, and in the lines of MTAs that were not seen
//! live.

use mta_exporter::attempt::Outcome;
use mta_exporter::ledger::Ledger;
use mta_exporter::mta::{Dialect, Dialects};
use mta_exporter::pipeline::{Pipeline, Stream, Unobserved};
use mta_exporter::provider::{ProviderId, Providers};
use mta_exporter::reason::Classifier;

use super::{Template, printable, read_lines, replace};

/// As a JSON string holds it. What is no UTF-8 is replaced, as every encoder does.
fn json(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let quoted = serde_json::to_string(&text).unwrap();
    quoted.as_bytes()[1..quoted.len() - 1].to_vec()
}

/// The same within a string that is JSON itself.
fn json_twice(text: &[u8]) -> Vec<u8> {
    json(&json(text))
}

/// As a quoted field of CSV holds it.
fn csv(text: &[u8]) -> Vec<u8> {
    let quoted: Vec<u8> = text
        .iter()
        .flat_map(|byte| if *byte == b'"' { vec![b'"'; 2] } else { vec![*byte] })
        .collect();
    quoted
}

/// As a form holds a JSON string.
fn form(text: &[u8]) -> Vec<u8> {
    json(text).iter().flat_map(|byte| format!("%{byte:02X}").into_bytes()).collect()
}

/// As msmtp writes it in quotes: other quotes become question marks.
fn without_quote(text: &[u8]) -> Vec<u8> {
    printable(text).iter().map(|byte| if *byte == b'\'' { b'?' } else { *byte }).collect()
}

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        dialect: Dialect::KumoMta,
        lines: r#"{"type":"Bounce","id":"1","sender":"@@","recipient":"b@example.net","response":{"code":550,"enhanced_code":{"class":5,"subject":1,"detail":1},"content":"@@","command":"RCPT TO:<b@example.net>"},"peer_address":{"name":"mx.example.net.","addr":"192.0.2.20"},"egress_source":"s","headers":{"@@":"@@"}}"#,
        quote: json,
    },
    Template {
        dialect: Dialect::KumoMta,
        lines: r#"{"type":"Rejection","recipient":"@@","response":{"code":550,"enhanced_code":{"class":5,"subject":7,"detail":1},"content":"@@","command":null},"peer_address":{"name":"@@","addr":"198.51.100.9"}}"#,
        quote: json,
    },
    Template {
        dialect: Dialect::PowerMta,
        lines: r#"b,2026-11-21 20:00:02+0000,2026-11-21 20:00:00+0000,n@example.org,b@example.net,,failed,5.1.1 (bad destination mailbox address),"smtp;550 5.1.1 @@",mx.example.net (192.0.2.20),"@@",smtp"#,
        quote: csv,
    },
    Template {
        dialect: Dialect::AmazonSes,
        lines: r#"{"eventType":"Bounce","bounce":{"bounceType":"Transient","bouncedRecipients":[{"emailAddress":"b@example.net","status":"5.7.1","diagnosticCode":"smtp; 550-5.7.1 @@\n550 5.7.1 @@"}],"feedbackId":"f-1"},"mail":{"messageId":"m-1","commonHeaders":{"subject":"@@"},"tags":{"@@":["@@"]}}}"#,
        quote: json,
    },
    Template {
        dialect: Dialect::AmazonSes,
        lines: r#"{"Type":"Notification","TopicArn":"a","Message":"{\"notificationType\":\"Delivery\",\"mail\":{\"messageId\":\"m-1\"},\"delivery\":{\"recipients\":[\"b@example.net\"],\"smtpResponse\":\"250 @@\"}}"}"#,
        quote: json_twice,
    },
    Template {
        dialect: Dialect::SendGrid,
        lines: r#"[{"event":"bounce","email":"b@example.net","reason":"550 5.1.1 @@","sg_event_id":"e","category":["@@"],"own":"@@"},{"event":"deferred","email":"c@example.net","response":"421 @@","sg_event_id":"f"}]"#,
        quote: json,
    },
    Template {
        dialect: Dialect::Mailgun,
        lines: r#"{"event-data":{"event":"failed","severity":"permanent","reason":"bounce","recipient":"b@example.net","id":"g","timestamp":1.5,"delivery-status":{"code":550,"message":"5.1.1 @@\n5.1.1 @@","mx-host":"mx.example.net"},"user-variables":{"@@":"@@"}}}"#,
        quote: json,
    },
    Template {
        dialect: Dialect::Postmark,
        lines: r#"{"RecordType":"Bounce","Type":"HardBounce","Email":"b@example.net","Details":"smtp;550 5.1.1 @@","Subject":"@@","ID":42,"MessageID":"m"}"#,
        quote: json,
    },
    Template {
        dialect: Dialect::SparkPost,
        lines: r#"[{"msys":{"message_event":{"type":"bounce","error_code":"550","event_id":"3","raw_rcpt_to":"b@example.net","raw_reason":"550 5.1.1 @@","subject":"@@","ip_address":"192.0.2.20"}}}]"#,
        quote: json,
    },
    Template {
        dialect: Dialect::Mandrill,
        lines: r#"[{"event":"hard_bounce","_id":"m","ts":1,"msg":{"email":"b@example.net","subject":"@@","diag":"smtp;550 5.1.1 @@"}}]"#,
        quote: json,
    },
    Template {
        dialect: Dialect::Mandrill,
        lines: r"mandrill_events=%5B%7B%22event%22%3A%22hard_bounce%22%2C%22_id%22%3A%22m%22%2C%22msg%22%3A%7B%22email%22%3A%22f%40example.net%22%2C%22diag%22%3A%22smtp%3B550+5.7.1+@@%22%7D%7D%5D",
        quote: form,
    },
    Template {
        dialect: Dialect::Brevo,
        lines: r#"{"event":"hard_bounce","email":"b@example.net","reason":"550 5.1.1 @@","subject":"@@","ts_epoch":1,"message-id":"<x@example.org>"}"#,
        quote: json,
    },
    Template {
        dialect: Dialect::ZoneMta,
        lines: "info Sender/default/2101[a1b2c5] id=iabc125 18f2.002 REJECTED[recipient] from=n@example.org to=c@example.com src=198.51.100.7 mx=mx1.example.com[192.0.2.10] id=<x3@example.org> (550 5.1.1 @@)",
        quote: printable,
    },
    Template {
        dialect: Dialect::ZoneMta,
        lines: r#"{"id":"18f2","action":"REJECTED","category":"recipient","zone":"@@","to":"c@example.com","mx":"mx1.example.com","host":"192.0.2.10","response":"550 5.1.1 @@","messageId":"@@"}"#,
        quote: json,
    },
    Template {
        dialect: Dialect::Momentum,
        lines: "1795291203@10/00-25593-393A87F3@00/00-03736-F4101B54@00/00-04532-A3456B54@P@example.net@31@group-a@bind-a@5@1@3.89@192.0.2.20@550 5.1.1 x@@",
        quote: printable,
    },
    Template {
        dialect: Dialect::Halon,
        lines: r#"{"status":"failed","result_code":550,"result_enhanced":"5.1.1","result_reason":"@@","result_state":"RCPT","connection_remoteip":"192.0.2.20","connection_remotemx":"mx.example.net","sender":"@@","recipient_domain":"example.net"}"#,
        quote: json,
    },
    Template {
        dialect: Dialect::Stalwart,
        lines: "2026-11-21T20:00:02Z INFO SMTP RCPT TO rejected (delivery.rcpt-to-rejected) queueId = 7, from = \"n@example.org\", hostname = \"mx.example.net\", to = \"b@example.net\", code = 550, details = \"5.1.1 @@\", elapsed = 80ms",
        quote: printable,
    },
    Template {
        dialect: Dialect::Stalwart,
        lines: r#"{"id":"a2","createdAt":"2026-11-21T20:00:06Z","type":"delivery.rcpt-to-rejected","data":{"queueId":"7","hostname":"mx.example.net","to":"b@example.net","code":550,"details":"5.1.1 @@","@@":"@@"}}"#,
        quote: json,
    },
    Template {
        dialect: Dialect::Maddy,
        lines: "2026-11-21T20:00:02.123Z queue: delivery attempt failed\t{\"msg_id\":\"a\",\"rcpt\":\"b@example.net\",\"reason\":\"@@\",\"remote_server\":\"mx.example.net\",\"smtp_code\":550,\"smtp_enchcode\":\"5.1.1\",\"smtp_msg\":\"mx.example.net said: @@\"}",
        quote: json,
    },
    Template {
        dialect: Dialect::Exchange,
        lines: "#Log-type: SMTP Send Protocol Log\n\
                2026-11-21T20:00:26.000Z,Outbound,7B,1,198.51.100.7:44278,192.0.2.20:25,+,,\n\
                2026-11-21T20:00:26.001Z,Outbound,7B,2,198.51.100.7:44278,192.0.2.20:25,<,\"220 @@\",\n\
                2026-11-21T20:00:26.002Z,Outbound,7B,3,198.51.100.7:44278,192.0.2.20:25,>,MAIL FROM:<n@example.org>,\n\
                2026-11-21T20:00:26.003Z,Outbound,7B,4,198.51.100.7:44278,192.0.2.20:25,<,\"250 @@\",\n\
                2026-11-21T20:00:26.004Z,Outbound,7B,5,198.51.100.7:44278,192.0.2.20:25,>,RCPT TO:<c@example.net>,\n\
                2026-11-21T20:00:26.005Z,Outbound,7B,6,198.51.100.7:44278,192.0.2.20:25,<,\"550 5.1.1 @@\",",
        quote: csv,
    },
    Template {
        dialect: Dialect::Exchange,
        lines: "#Log-type: Message Tracking Log\n\
                #Fields: date-time,server-ip,server-hostname,source,event-id,internal-message-id,recipient-address,recipient-status,message-subject,message-info\n\
                2026-11-21T20:00:04.000Z,,,SMTP,FAIL,44,d@example.net,\"550 5.1.1 @@\",\"@@\",\n\
                2026-11-21T20:00:05.000Z,,,SMTP,FAIL,45,d@example.net,\"[{LRT=x};{LED=550 5.7.1 @@};{FQDN=mx.example.net};{IP=192.0.2.20}]\",\"@@\",",
        quote: csv,
    },
    Template {
        dialect: Dialect::HMailServer,
        lines: "\"SMTPC\"\t1\t77\t\"2026-11-21 20:00:01.000\"\t\"192.0.2.10\"\t\"RECEIVED: 220 mx @@\"\n\
                \"SMTPC\"\t1\t77\t\"2026-11-21 20:00:01.000\"\t\"192.0.2.10\"\t\"SENT: RCPT TO:<ann@example.com>\"\n\
                \"SMTPC\"\t1\t77\t\"2026-11-21 20:00:01.000\"\t\"192.0.2.10\"\t\"RECEIVED: 550-5.1.1 x @@[nl]550 5.1.1 @@\"",
        quote: printable,
    },
    Template {
        dialect: Dialect::Dma,
        lines: "Nov 21 20:00:01 host dma[1a.1]: <b@example.net> trying delivery\n\
                Nov 21 20:00:01 host dma[1a.1]: trying remote delivery to mx.example.net [192.0.2.20] pref 10\n\
                Nov 21 20:00:02 host dma[1a.1]: remote delivery to mx.example.net [192.0.2.20] failed after RCPT TO: 550 5.1.1 @@",
        quote: printable,
    },
    Template {
        dialect: Dialect::Msmtp,
        lines: "Nov 21 20:00:03 host=smtp.example.org tls=on auth=on user=n from=n@example.org recipients=b@example.net smtpstatus=550 smtpmsg='550 5.1.1 @@' errormsg='x @@' exitcode=EX_DATAERR",
        quote: without_quote,
    },
    Template {
        dialect: Dialect::Nullmailer,
        lines: "Starting delivery: host: smtp.example.org protocol: smtp file: 1.2\n\
                From: <n@example.org> to: <c@example.net>\n\
                smtp: Failed: 550 5.7.1 @@\n\
                Sending failed: Permanent error in sending the message",
        quote: printable,
    },
];

#[test]
fn every_template_is_recognised_and_read() {
    for template in TEMPLATES {
        let lines = replace(template.lines.as_bytes(), b"plain");
        let mut readings = 0;
        read_lines(&mut Dialects::new(None), &lines, &mut |_| readings += 1);
        assert!(readings > 0, "{}: {}", template.dialect, template.lines);
    }
}

#[test]
fn an_event_that_comes_again_after_a_restart_is_not_counted_again() {
    const EVENT: &[u8] = br#"[{"event":"delivered","email":"a@example.com","sg_event_id":"e"}]"#;
    let providers = Providers::builtin();
    let classifier = Classifier::builtin(&providers);
    let mut pipeline = Pipeline::new(providers, classifier);
    let mut ledger = Ledger::new(pipeline.providers(), 10_000);
    let source = ledger.source("events");
    let mut stream = Stream::new(source, None);
    pipeline.feed(&mut stream, &mut ledger, EVENT, &mut Unobserved);
    let saved = stream.save().unwrap();
    let mut stream = Stream::new(source, None);
    stream.restore(&saved);
    pipeline.feed(&mut stream, &mut ledger, EVENT, &mut Unobserved);
    assert_eq!(ledger.deliveries(ProviderId::OTHER, Outcome::Delivered), 1);
}
