//! Pages and objects, as people and programs get them.
//!
//! `tests/explain/asked.txt` has one question on each line; beside it stand the pages and the
//! objects that answer them. After a wanted change write them anew with `UPDATE_EXPECTED=1 cargo
//! test explain`, and read the difference before it is committed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain").join(name)
}

fn explainer(provider: Option<&str>) -> Explainer {
    let Ok(explainer) = Explainer::new(&Config::default(), provider) else {
        panic!("the built-in tables");
    };
    explainer
}

fn answer(explanations: &[Explanation], json: bool) -> String {
    let mut printer = Printer { out: Vec::new(), page: Page::new(None, false), json };
    printer.print(explanations).unwrap();
    String::from_utf8(printer.out).unwrap()
}

#[test]
fn every_question_is_answered_as_expected() {
    let (mut pages, mut objects) = (String::new(), String::new());
    let mut nobody = explainer(None);
    for question in fs::read_to_string(file("asked.txt")).unwrap().lines() {
        let explanations = match question.strip_prefix("--provider ") {
            Some(rest) => {
                let (provider, text) = rest.split_once(' ').unwrap();
                explainer(Some(provider)).explain(text.as_bytes())
            }
            None => nobody.explain(question.as_bytes()),
        };
        assert!(!explanations.is_empty(), "{question}");
        let shown = question.replace('\x1b', "^[");
        let page = answer(&explanations, false);
        writeln!(pages, "$ mta_exporter explain {shown}\n{page}").unwrap();
        objects += &answer(&explanations, true);
    }
    for (name, found) in [("pages.txt", pages), ("objects.jsonl", objects)] {
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(file(name), &found).unwrap();
        }
        let expected = fs::read_to_string(file(name)).unwrap_or_default();
        let differs = expected.lines().zip(found.lines()).position(|(one, other)| one != other);
        assert!(
            expected == found,
            "{name} differs from line {differs:?} on; UPDATE_EXPECTED=1 writes it anew",
        );
    }
}

#[test]
fn an_object_has_all_keys_in_their_order() {
    let object = answer(&explainer(None).explain(b"hello"), true);
    let keys: Vec<&str> = object
        .trim_matches(['{', '}', '\n'])
        .split(',')
        .map(|pair| pair.split(':').next().unwrap().trim_matches('"'))
        .collect();
    let expected = "kind dialect time queue_id provider recipient_domain relay_host relay_ip code \
                    enhanced code_class outcome reason bounce_kind phase cause list delay_seconds \
                    rule text meaning typical_cause remedy";
    assert_eq!(keys, expected.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn every_code_has_a_meaning_a_cause_and_a_remedy() {
    let mut explainer = explainer(None);
    let codes: Vec<String> = explainer
        .catalogue
        .codes()
        .flat_map(|code| code.name.split(", ").map(str::to_owned).collect::<Vec<_>>())
        .map(|name| name.replace('x', "5"))
        .filter(|name| !name.contains(['*', '{', '/']))
        .map(|name| name.split("-6").next().unwrap().to_owned())
        .collect();
    assert!(codes.len() > 300);
    for code in codes {
        for explanation in explainer.explain(code.as_bytes()) {
            let object = serde_json::to_value(explanation.to_object()).unwrap();
            for key in ["meaning", "typical_cause", "remedy"] {
                assert!(object[key].as_str().is_some_and(|text| text.len() > 5), "{code} {key}");
            }
        }
    }
}

#[test]
fn no_address_and_no_control_character_leaves() {
    let mut explainer = explainer(None);
    let text = b"550 5.1.1 <ann.o'hara@example.com> \x1b]0;title\x07 not here\r\n550 more";
    for json in [false, true] {
        let found = answer(&explainer.explain(text), json);
        assert!(!found.contains("ann") && !found.contains("hara"), "{found}");
        assert!(!found.contains(['\x1b', '\x07', '\r']), "{found}");
    }
}

#[test]
fn marks_never_beat_a_relay_host_and_nothing_beats_the_person_who_asks() {
    let line = b"Nov 21 10:00:00 mx postfix/smtp[1]: 3AbCdEf: to=<ann@example.com>, \
        relay=mx00.gmx.net[192.0.2.20]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced \
        (host mx00.gmx.net[192.0.2.20] said: 550 5.1.1 no (S3150) gsmtp (in reply to RCPT TO \
        command))";
    let provider = |given: Option<&str>| {
        let explanations = explainer(given).explain(line);
        explanations.first().unwrap().object.provider.as_deref().unwrap().to_owned()
    };
    assert_eq!(provider(None), "gmx");
    assert_eq!(provider(Some("yahoo")), "yahoo");
}

#[test]
fn a_long_or_broken_text_is_no_trouble() {
    let mut explainer = explainer(None);
    let long = [b"550 5.7.1 ".as_slice(), &b"S3150 gsmtp (".repeat(50_000)].concat();
    for text in [long.as_slice(), b"\xff\xfe\x00", b"550", b"5", b"-", b"{", b"4.", b"550 \xff"] {
        assert_eq!(explainer.explain(text).len(), 1);
    }
}
