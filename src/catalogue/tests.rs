//! Every code has a meaning, a cause and a remedy, and what providers mean by them goes first.

use super::*;
use crate::reason::{Classifier, Refusal};
use crate::smtp::ReplyCode;

fn enhanced(text: &str) -> EnhancedStatusCode {
    EnhancedStatusCode::parse(text.as_bytes()).expect(text).0
}

#[test]
fn every_code_that_people_meet_is_explained() {
    let catalogue = Catalogue::builtin();
    let met = "none timeout 101 111 200 211 214 220 221 235 240 250 251 252 253 334 354 403 420 421 \
               422 430 431 432 441 442 446 447 449 450 451 452 453 454 455 458 459 471 500 501 502 \
               503 504 510 511 512 513 521 523 524 525 530 533 534 535 538 540 541 542 550 551 552 \
               553 554 555 556 557 571 585 591";
    for code in met.split(' ') {
        assert_eq!(catalogue.basic(code).expect(code).name, code);
    }
    for number in ReplyCode::MIN..=ReplyCode::MAX {
        assert!(catalogue.basic(&number.to_string()).is_some());
    }
    assert_eq!(catalogue.basic("499").unwrap().name, "4xx");
    assert_eq!(catalogue.basic("NONE").unwrap().name, "none");
    for no_code in ["", "55", "5500", "999", "x", "550 "] {
        assert!(catalogue.basic(no_code).is_none(), "{no_code}");
    }
}

#[test]
fn every_well_formed_enhanced_code_is_explained() {
    let catalogue = Catalogue::builtin();
    for class in [2, 4, 5] {
        for subject in 0..12 {
            for detail in [0, 1, 7, 26, 99, 515, 999] {
                let code = EnhancedStatusCode::new(class, subject, detail).unwrap();
                assert!(catalogue.enhanced(code).is_some(), "{code}");
            }
        }
    }
    let name = |code| catalogue.enhanced(enhanced(code)).unwrap().name.as_str();
    assert_eq!(name("5.1.1"), "x.1.1");
    assert_eq!(name("4.7.500"), "x.7.x");
    assert_eq!(name("5.9.1"), "x.x.x");
}

#[test]
fn every_entry_says_what_it_should() {
    let catalogue = Catalogue::builtin();
    let sentences = catalogue.codes().map(|code| (&code.name, &code.advice)).chain(
        Reason::ALL.iter().map(|reason| {
            static NAME: String = String::new();
            (&NAME, catalogue.reason(*reason).unwrap())
        }),
    );
    for (name, advice) in sentences {
        for text in [&advice.meaning, &advice.typical_cause, &advice.remedy] {
            assert!(text.ends_with('.') && text.len() >= 7, "{name}: {text}");
            assert!(!text.contains('\n') && !text.contains("  "), "{name}: {text}");
        }
    }
    for code in catalogue.codes() {
        assert!(!code.source.is_empty(), "{}", code.name);
        let accepts = code.advice.retry == Retry::None;
        assert!(!accepts || code.reason.is_none(), "{}", code.name);
    }
}

#[test]
fn what_a_provider_means_differs_from_the_standard() {
    let catalogue = Catalogue::builtin();
    let at =
        |provider, code| catalogue.enhanced_at(provider, enhanced(code)).and_then(|row| row.reason);
    assert_eq!(at("gmail", "5.7.26"), Some(Reason::AuthFailed));
    assert_eq!(at("gmail", "5.7.25"), Some(Reason::RdnsHelo));
    assert_eq!(at("microsoft365", "5.4.1"), Some(Reason::UserUnknown));
    assert_eq!(at("outlook", "5.7.606"), Some(Reason::IpBlocked));
    assert_eq!(at("outlook", "5.7.649"), Some(Reason::IpBlocked));
    assert_eq!(at("outlook", "5.7.650"), None);
    assert_eq!(at("outlook", "4.7.650"), Some(Reason::Reputation));
    assert_eq!(at("microsoft365", "5.7.708"), Some(Reason::RateLimited));
    assert_eq!(at("yahoo", "5.4.1"), None);
    assert_eq!(catalogue.meanings(enhanced("5.4.1")).count(), 1);
}

#[test]
fn words_of_providers_are_found_in_their_replies() {
    let catalogue = Catalogue::builtin();
    let said = |provider, text| catalogue.word(provider, text).and_then(|row| row.reason);
    let truth = [
        ("Messages from 192.0.2.1 weren't sent. (S3150).", Reason::IpBlocked),
        ("421 4.7.0 [TSS04] Messages temporarily deferred", Reason::Reputation),
        ("[TS03] All messages will be permanently deferred", Reason::Reputation),
        ("554 AUP#1210", Reason::IpBlocked),
        ("554 aup#in-1310 x", Reason::SessionLimit),
        ("421 Service refuse LPN007_105 [105]", Reason::RateLimited),
        ("550 OFR_506", Reason::SpamContent),
        ("550 http://mail.i.ua/err/2/", Reason::UserUnknown),
        ("550 (IB112)", Reason::IpBlocked),
        ("554 BL000010", Reason::IpBlocked),
    ];
    for (text, reason) in truth {
        assert_eq!(said(None, text), Some(reason), "{text}");
    }
    assert_eq!(said(Some("gmail"), "S3150"), None);
    for text in ["BL", "AUP#12100", "xS3150", "S31500", "TSS0", "OFR_", "", "Sä3150"] {
        assert_eq!(said(Some("outlook"), text), None, "{text}");
    }
}

#[test]
fn a_reply_gives_away_who_wrote_it() {
    let catalogue = Catalogue::builtin();
    assert_eq!(catalogue.marked("550 5.1.1 no such user x-1.2 - gsmtp"), Some("gmail"));
    assert_eq!(catalogue.marked("421 4.7.0 [TSS05] later"), Some("yahoo"));
    assert_eq!(catalogue.marked("550 5.1.1 user unknown"), None);
    let long = "(S3150 ".repeat(100_000);
    assert_eq!(catalogue.marked(&long.replace("S3150", "S315")), None);
}

fn refused(codes: &str, reasons: &str) -> String {
    let loaded = Catalogue::load(("c.toml", codes), ("r.toml", reasons), &Providers::builtin());
    loaded.map(|_| "not refused").unwrap_err().to_string()
}

#[test]
fn a_bad_row_is_refused_with_file_line_key_and_what_was_expected() {
    let change = |from: &str, to: &str| {
        assert!(CODES.1.contains(from), "{from}");
        refused(&CODES.1.replacen(from, to, 1), REASONS.1)
    };
    let line = |needle: &str| {
        1 + CODES.1.lines().position(|line| line == needle).expect("a line of the table")
    };
    assert_eq!(
        change("code = \"431\"", "code = \"43\""),
        format!(
            "c.toml:{}: code: expected three digits, \"4xx\", \"none\" or \"timeout\", but found \
             \"43\"",
            line("code = \"431\"")
        )
    );
    assert_eq!(
        change("code = \"431\"", "code = \"430\""),
        format!(
            "c.toml:{}: 430: expected each code once, but line {} has it too",
            line("code = \"431\""),
            line("code = \"430\"")
        )
    );
    assert!(
        change("code = \"x.1.1\"", "code = \"y.1.1\"")
            .ends_with("such as \"x.7.26\", but found \"y.1.1\"")
    );
    assert!(change("code = \"4xx\"", "code = \"499\"").ends_with("basic: expected a row for 4xx"));
    assert!(change("\"yahoo\"", "\"yaho\"").contains("expected the id of a provider"));
    assert!(change("retry = \"later\"", "retry = \"soon\"").contains("expected one of yes, later"));
    assert!(
        change("codes = [\"5.7.350\"]", "codes = [\"5.7.323\"]")
            .ends_with("codes: expected 5.7.323 at outlook here, but 5.7.323 has it")
    );
    assert!(
        change("codes = [\"CXDNS\"]", "codes = [\"CXBL\"]").contains("expected CXBL at cox here")
    );
    assert!(change("\"gsmtp\"]", "\"gs mtp\"]").contains("expected an enhanced code, or a word"));
    assert!(change("\"gsmtp\"]", "\"smtpg\"]").contains("expected it to lead to gmail"));
    assert!(change("\nmeaning =", "\nmeanings =").contains("unknown field `meanings`"));
    let reasons = REASONS.1.replacen("\"expired\"", "\"user_unknown\"", 1);
    assert!(refused(CODES.1, &reasons).contains("r.toml:"));
    let reasons = REASONS.1.replacen("reason = \"expired\"", "reason = \"gone\"", 1);
    assert!(refused(CODES.1, &reasons).contains("expected one of the reasons, but found \"gone\""));
}

#[test]
fn a_reply_of_the_fourth_class_is_always_tried_again() {
    for retry in Retry::ALL {
        assert_ne!(retry.after(4), Retry::No);
        assert_ne!(retry.after(5), Retry::Yes);
        assert_eq!(retry.after(2), Retry::None);
    }
}

#[test]
fn the_reason_of_a_code_is_the_one_that_is_counted_for_it() {
    let (catalogue, providers) = (Catalogue::builtin(), Providers::builtin());
    let mut classifier = Classifier::builtin(&providers);
    let mut counted = |provider: &str, code: Option<&str>, enhanced: Option<String>| {
        let text = [code, enhanced.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let code = code.and_then(|code| ReplyCode::parse(code.as_bytes()));
        let enhanced = enhanced.as_deref().map(self::enhanced);
        classifier
            .classify(&Refusal {
                provider: providers.id(provider).unwrap(),
                inbound: false,
                code,
                enhanced,
                cause: None,
                phase: None,
                text: text.as_bytes(),
            })
            .reason
    };
    let mut differing = Vec::new();
    for row in catalogue.codes() {
        let Some(expected) = row.reason else { continue };
        let provider = row.providers.first().map_or("other", String::as_str);
        for name in row.name.split(", ") {
            let found = match row.kind {
                CodeKind::Basic if !name.starts_with(['4', '5']) || name.ends_with('x') => continue,
                CodeKind::Basic => counted(provider, Some(name), None),
                CodeKind::Enhanced if !row.standard => continue,
                CodeKind::Enhanced | CodeKind::Vendor => {
                    let code = name.split('-').next().unwrap().replacen('x', "5", 1);
                    match EnhancedStatusCode::parse(code.as_bytes()) {
                        Some((_, length)) if length == code.len() => {
                            counted(provider, None, Some(code))
                        }
                        _ => continue,
                    }
                }
            };
            if found != expected {
                differing.push(format!("{name} at {provider}"));
            }
        }
    }
    // Here the rules want words beside the code: these replies always have some.
    let by_words = [
        "4.2.1 at gmail",
        "x.5.4 at gmail",
        "4.7.0 at gmail",
        "5.1.90 at microsoft365",
        "5.5.0 at outlook",
        "x.7.9 at yahoo",
    ];
    differing.retain(|name| !by_words.contains(&name.as_str()));
    assert_eq!(differing, Vec::<String>::new());
}
