//! The rules in force: what they say about codes, hostile texts and our own refusals, and that
//! neither memory nor joining nor ids change a verdict.

use std::sync::{LazyLock, Mutex};

use mta_exporter::attempt::Phase;
use mta_exporter::catalogue::{Catalogue, CodeKind};
use mta_exporter::provider::{ProviderId, Providers};
use mta_exporter::reason::{Classifier, Reason, Refusal, Verdict};
use mta_exporter::smtp::Reply;
use proptest::prelude::*;

/// Compiling the rules takes longer than asking them.
static SHARED: LazyLock<Mutex<Judge>> = LazyLock::new(|| Mutex::new(Judge::new()));

struct Judge {
    providers: Providers,
    classifier: Classifier,
}

impl Judge {
    fn new() -> Self {
        let providers = Providers::builtin();
        let classifier = Classifier::builtin(&providers);
        Self { providers, classifier }
    }

    fn verdict(&mut self, provider: &str, phase: Option<Phase>, text: &[u8]) -> Verdict {
        let reply = Reply::parse(text);
        self.classifier.classify(&Refusal {
            provider: self.providers.id(provider).unwrap_or(ProviderId::OTHER),
            inbound: false,
            code: reply.map(|reply| reply.code),
            enhanced: reply.and_then(|reply| reply.enhanced),
            cause: None,
            phase,
            text,
        })
    }

    fn list(&mut self, text: &str) -> Option<String> {
        let verdict = self.verdict("other", None, text.as_bytes());
        verdict.list.map(|list| self.classifier.lists()[list.index()].clone())
    }
}

#[test]
fn a_code_alone_gets_the_reason_that_the_catalogue_says() {
    let mut judge = Judge::new();
    let mut wrong = Vec::new();
    for code in Catalogue::builtin().codes() {
        let Some(meant) = code.reason else { continue };
        for name in code.name.split(", ") {
            let provider = code.providers.first().map_or("other", String::as_str);
            let name = name.strip_suffix('*').map_or(name.to_owned(), |name| format!("{name}1"));
            let name = name.replace('*', "");
            // `5.7.606-649` and `AUP#{1200-1210}` stand for many; the first one is as good as any.
            let name = match name.split_once('{') {
                Some((before, range)) => format!("{before}{}", range.split('-').next().unwrap()),
                None => name
                    .split_once('-')
                    .filter(|_| name.contains('.'))
                    .map_or(name.clone(), |(first, _)| first.to_owned()),
            };
            let text = match code.kind {
                CodeKind::Basic => name.clone(),
                CodeKind::Enhanced => format!("550 {}", name.replace('x', "5")),
                CodeKind::Vendor if name.starts_with('4') => format!("450 {name}"),
                CodeKind::Vendor => format!("550 {}", name.replace("x.", "5.")),
            };
            if Reply::parse(text.as_bytes()).is_none()
                || text.ends_with('x')
                || text.ends_with(".5")
            {
                continue;
            }
            let found = judge.verdict(provider, None, text.as_bytes()).reason;
            if found != meant {
                wrong.push(format!("{provider} {text}: {found}, not {meant}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} codes:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn our_own_refusals_are_understood_too() {
    let mut judge = Judge::new();
    let mut wrong = Vec::new();
    for line in include_str!("../replies/inbound.tsv").lines().filter(|line| !line.starts_with('#'))
    {
        let row: Vec<&str> = line.splitn(3, '\t').collect();
        let reply = Reply::parse(row[2].as_bytes());
        let verdict = judge.classifier.classify(&Refusal {
            provider: ProviderId::OTHER,
            inbound: true,
            code: reply.map(|reply| reply.code),
            enhanced: reply.and_then(|reply| reply.enhanced),
            cause: None,
            phase: Phase::parse(row[0]),
            text: row[2].as_bytes(),
        });
        if verdict.reason.as_str() != row[1] {
            let rule = verdict.rule.map_or("-", |rule| judge.classifier.rule_name(rule));
            wrong.push(format!("{} ({rule}), not {}: {}", verdict.reason, row[1], row[2]));
        }
    }
    assert!(wrong.is_empty(), "{} refusals:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_blocklist_counts_where_it_is_the_reason_and_only_by_a_name_of_the_table() {
    let mut judge = Judge::new();
    for (text, list) in [
        ("554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", Some("spamhaus")),
        ("554 5.7.1 Client host [192.0.2.1] blocked using pbl.spamhaus.org", Some("spamhaus_pbl")),
        ("554 192.0.2.1 is listed on SpamCop; see http://www.spamcop.net", Some("spamcop")),
        ("550 5.7.1 refused: listed at b.barracudacentral.org", Some("barracuda")),
        ("550 blocked, see https://www.spamhaus.org/query/ip/192.0.2.1", Some("spamhaus")),
        ("550 URL in message listed in dbl.spamhaus.org", Some("spamhaus_dbl")),
        ("550 5.7.1 listed at dnsbl.example.org", None),
        ("550 5.1.1 User unknown. Help: https://www.spamhaus.org/faq", None),
        ("552 5.2.2 Mailbox full. This server is protected by SpamCop", None),
    ] {
        assert_eq!(judge.list(text).as_deref(), list, "{text}");
    }
    assert!(judge.classifier.lists().len() <= 64);
}

#[test]
fn only_the_first_four_kilobytes_count() {
    let mut judge = Judge::new();
    for filler in [
        "blah ",
        "user quota spam blocked ",
        "((((",
        "\\",
        "&lt;",
        "a@",
        "1.",
        "\u{e9}",
        "http://x/",
    ] {
        let short = format!("550 5.7.1 {}", filler.repeat(9000 / filler.len()));
        let long = format!("550 5.7.1 {}", filler.repeat(65536 / filler.len()));
        assert_eq!(
            judge.verdict("other", None, short.as_bytes()),
            judge.verdict("other", None, long.as_bytes()),
            "{filler}"
        );
    }
}

#[test]
fn replies_that_no_rule_knows_are_a_bounded_work_list() {
    let mut judge = Judge::new();
    for number in 0..5000 {
        let text = format!("550 xyzzy plugh <user{number}@example.com> id={number:08x}zz{number}");
        assert_eq!(judge.verdict("other", None, text.as_bytes()).reason, Reason::Unclassified);
        judge.verdict("other", None, format!("550 frotz {}", "ab ".repeat(number)).as_bytes());
    }
    let top = judge.classifier.unclassified_templates();
    assert_eq!(top.len(), 256);
    assert_eq!(top[0].text, "550 xyzzy plugh ADDR ID");
    assert_eq!((top[0].count, top[0].error), (5000, 0));
}

/// Words that rules look for, and bytes that shape a text.
fn fragment() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "user",
        "unknown",
        "mailbox full",
        "spam",
        "blocked",
        "S3150",
        "[TSS04]",
        "OFR_506",
        "AUP#1310",
        "p=NoSuchUser",
        "gsmtp",
        "https://support.google.com/mail/?p=NoSuchUser",
        "zen.spamhaus.org",
        "greylisted",
        "try again later",
        "550-5.7.26 ",
        "\\n",
        "\n",
        "<user@example.com>",
        "<>",
        "192.0.2.1",
        "2001:db8::1",
        "policy",
        "rejected.See",
        "IB103",
        "dt:spm",
        "relay access denied",
        "quota",
        "DMARC",
        "f00dfeed12",
        "é",
        "用户不存在",
        "&lt;",
        "\\303\\251",
        "(in reply to RCPT TO command)",
        "host x said: ",
    ])
    .prop_map(str::to_owned)
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn memory_never_changes_a_verdict(
        texts in prop::collection::vec((prop::collection::vec(fragment(), 1..8), 0usize..6), 1..20),
    ) {
        let mut judge = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let providers = ["other", "gmail", "outlook", "yahoo", "orange", "netease"];
        let texts: Vec<(String, &str)> = texts
            .iter()
            .map(|(words, provider)| (format!("550 {}", words.join(" ")), providers[*provider]))
            .collect();
        let mut cold = Vec::new();
        for (text, provider) in &texts {
            judge.classifier.forget();
            cold.push(judge.verdict(provider, None, text.as_bytes()));
        }
        for _ in 0..2 {
            for ((text, provider), cold) in texts.iter().zip(&cold) {
                prop_assert_eq!(&judge.verdict(provider, None, text.as_bytes()), cold, "{}", text);
            }
        }
    }

    #[test]
    fn any_bytes_get_a_verdict(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..30),
    ) {
        let mut judge = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for text in &texts {
            let coded = [b"450 4.7.1 ".as_slice(), text].concat();
            prop_assert_eq!(judge.verdict("other", None, text), judge.verdict("other", None, text));
            judge.verdict("gmail", Some(Phase::Rcpt), &coded);
        }
    }

    #[test]
    fn ids_and_addresses_do_not_matter(id in "[a-z0-9]{4}[0-9][a-z][0-9]{6}", ip in any::<[u8; 4]>()) {
        let mut judge = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let ip = ip.map(|byte| byte.to_string()).join(".");
        let text = format!("421 4.7.0 [TSS04] Messages from {ip} temporarily deferred - {id}.{ip}");
        let other = "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred - ab1c2d34.192.0.2.1";
        prop_assert_eq!(
            judge.verdict("yahoo", None, text.as_bytes()),
            judge.verdict("yahoo", None, other.as_bytes())
        );
    }
}
