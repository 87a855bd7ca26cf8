//! Where strangers' text stands in records of JSON and CSV.

use mta_exporter::attempt::Outcome;
use mta_exporter::ledger::Ledger;
use mta_exporter::mta::{Dialect, Dialects};
use mta_exporter::pipeline::{Pipeline, Stream, Unobserved};
use mta_exporter::provider::{ProviderId, Providers};
use mta_exporter::reason::Classifier;

use super::{Template, read_lines, replace};

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
