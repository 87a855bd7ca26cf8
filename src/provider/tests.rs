//! Who answered, on names as logs have them and on names that want to be somebody else.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

static TABLE: LazyLock<Providers> = LazyLock::new(Providers::builtin);

fn answered(host: &str, domain: &str) -> String {
    let table = &*TABLE;
    let id = table.lookup(host.as_bytes(), domain.as_bytes());
    assert_eq!(Recent::default().lookup(table, host.as_bytes(), || domain.as_bytes()), id);
    table.name(id).to_owned()
}

#[test]
fn the_relay_host_decides_before_the_domain() {
    let truth = [
        ("gmail-smtp-in.l.google.com", "gmail.com", "gmail"),
        ("alt3.gmail-smtp-in.l.google.com", "example.com", "gmail"),
        ("alt1.aspmx.l.google.com", "example.com", "google_workspace"),
        ("smtp.google.com", "example.com", "google_workspace"),
        ("outlook-com.olc.protection.outlook.com", "outlook.com", "outlook"),
        ("example-com.mail.protection.outlook.com", "example.com", "microsoft365"),
        ("mxa-00123401.gslb.pphosted.com", "example.com", "proofpoint"),
        ("mx1-us1.ppe-hosted.com", "example.com", "proofpoint_essentials"),
        ("eu-smtp-inbound-1.mimecast.com", "gmail.com", "mimecast"),
        ("inbound-smtp.eu-west-1.amazonaws.com", "example.com", "amazon_ses"),
        ("mxbiz1.qq.com", "example.com", "tencent_exmail"),
    ];
    for (host, domain, provider) in truth {
        assert_eq!(answered(host, domain), provider, "{host} {domain}");
    }
}

#[test]
fn an_unknown_host_or_none_leaves_it_to_the_domain() {
    for host in ["", "none", "gmail.com", "mx.example.com", "192.0.2.1"] {
        assert_eq!(answered(host, "gmail.com"), "gmail", "{host}");
        assert_eq!(answered(host, "example.com"), "other", "{host}");
    }
}

#[test]
fn where_hosts_are_shared_a_listed_domain_goes_first() {
    assert_eq!(answered("mta7.am0.yahoodns.net", "yahoo.com"), "yahoo");
    assert_eq!(answered("mta7.am0.yahoodns.net", "example.com"), "yahoo");
    assert_eq!(answered("mta7.am0.yahoodns.net", ""), "yahoo");
    assert_eq!(answered("mta7.am0.yahoodns.net", "aol.com"), "aol");
    assert_eq!(answered("mta7.am0.yahoodns.net", "sky.com"), "sky");
    assert_eq!(answered("eir-01.mx.a.cloudfilter.net", "eircom.net"), "eir");
    assert_eq!(answered("mx.a.cloudfilter.net", "example.com"), "cloudfilter");
}

#[test]
fn a_ptr_name_of_google_or_microsoft_leaves_the_choice_of_service_to_the_domain() {
    assert_eq!(answered("ra-in-f26.1e100.net", "gmail.com"), "gmail");
    assert_eq!(answered("ra-in-f26.1e100.net", "example.com"), "google_workspace");
    let microsoft = "mail-am0eur020708.inbound.protection.outlook.com";
    assert_eq!(answered(microsoft, "hotmail.co.uk"), "outlook");
    assert_eq!(answered(microsoft, "example.com"), "microsoft365");
    assert_eq!(answered("mtaproxy1.free.mail.vip.ne1.yahoo.com", "yahoo.com"), "yahoo");
}

#[test]
fn machines_of_a_providers_customers_are_not_the_provider() {
    assert_eq!(answered("mx1.comcast.net", "example.com"), "comcast");
    assert_eq!(answered("c-192-0-2-1.hsd1.pa.comcast.net", "example.com"), "other");
    assert_eq!(answered("static.1.2.0.192.clients.your-server.de", "example.com"), "other");
    assert_eq!(answered("mail.your-server.de", "example.com"), "hetzner");
}

#[test]
fn case_and_a_last_dot_mean_nothing() {
    assert_eq!(answered("ASPMX.L.Google.COM.", "x"), "google_workspace");
    assert_eq!(answered("", "GMail.Com."), "gmail");
    assert_eq!(answered("INBOUND-SMTP.EU-WEST-1.AMAZONAWS.COM.", ""), "amazon_ses");
}

#[test]
fn subdomains_count_only_where_the_table_says_so() {
    assert_eq!(answered("", "tampabay.rr.com"), "spectrum");
    assert_eq!(answered("", "contoso.onmicrosoft.com"), "microsoft365");
    assert_eq!(answered("", "onmicrosoft.com"), "other");
    assert_eq!(answered("", "mail.gmail.com"), "other");
}

#[test]
fn a_name_cannot_pass_for_another() {
    let long = "a.".repeat(32 * 1024) + "aspmx.l.google.com";
    let hostile = [
        "evilgoogle.com",
        "notgmail.com",
        "gmail.com.evil.example",
        "aspmx.l.google.com.evil.example",
        "xaspmx.l.google.com",
        "inbound-smtp.a.b.amazonaws.com",
        "inbound-smtp..amazonaws.com",
        "x.inbound-smtp.eu-west-1.amazonaws.com",
        "l.google.com",
        "google.com..",
        ".",
        "..",
        &long,
    ];
    for name in hostile {
        assert_eq!(answered(name, ""), "other", "as a host: {name:.80}");
        assert_eq!(answered("", name), "other", "as a domain: {name:.80}");
        assert_eq!(answered(name, name), "other", "as both: {name:.80}");
    }
}

#[test]
fn the_memory_never_takes_one_pair_for_another() {
    let table = Providers::builtin();
    let mut recent = Recent::default();
    let hosts = ["", "a", "gmail.co", "gmail.com", "mta7.am0.yahoodns.net", "aspmx.l.google.com"];
    let domains = ["", "m", "gmail.com", "aol.com", "aspmx.l.google.com"];
    for _ in 0..3 {
        for host in hosts.map(str::as_bytes) {
            for domain in domains.map(str::as_bytes) {
                assert_eq!(recent.lookup(&table, host, || domain), table.lookup(host, domain),);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_lead_somewhere_and_the_memory_agrees(
        pairs in proptest::collection::vec(
            (".{0,12}(\\.google\\.com|\\.yahoodns\\.net|)", ".{0,6}(gmail\\.com|)"), 1..20,
        )
    ) {
        let table = &*TABLE;
        let mut recent = Recent::default();
        for (host, domain) in pairs.iter().chain(&pairs) {
            let (host, domain) = (host.as_bytes(), domain.as_bytes());
            prop_assert_eq!(recent.lookup(table, host, || domain), table.lookup(host, domain));
        }
    }
}

#[test]
fn the_built_in_table_is_complete_in_every_row() {
    let text = BUILTIN.1;
    let rows = text.matches("\n[[provider]]\n").count();
    assert_eq!(Providers::builtin().names().len(), rows + 1);
    assert!(rows >= 170);
    for row in text.split("\n[[provider]]\n").skip(1) {
        for key in ["\nname = ", "\nkind = ", "\nexamples = [", "\nsource = "] {
            assert!(row.contains(key), "no{key:?} in {row}");
        }
    }
    let tracked = Providers::builtin().tracked().len();
    assert_eq!(tracked, 26, "25 and other");
}

#[test]
fn a_table_of_the_users_goes_first_and_extends_what_is_known() {
    let own = r#"
        [[provider]]
        id = "our_relay"
        domains = ["gmail.com"]
        mx = [".l.google.com", "=smtp.relay.example"]
        examples = ["aspmx.l.google.com", "gmail.com"]

        [[provider]]
        id = "gmx"
        tracked = false
        name = "GMX and friends"
        domains = ["friend.example"]
    "#;
    let table = Providers::load(&[("own.toml", own)], Builtin::Extended, None).unwrap();
    let answered = |host: &str, domain: &str| {
        table.name(table.lookup(host.as_bytes(), domain.as_bytes())).to_owned()
    };
    assert_eq!(answered("alt1.gmail-smtp-in.l.google.com", ""), "our_relay");
    assert_eq!(answered("smtp.google.com", ""), "google_workspace");
    assert_eq!(answered("", "gmail.com"), "our_relay");
    assert_eq!(answered("", "googlemail.com"), "gmail");
    assert_eq!(answered("", "friend.example"), "gmx");
    assert_eq!(answered("mx00.gmx.net", ""), "gmx");
    let gmx = table.id("gmx").unwrap();
    assert_eq!(table.get(gmx).unwrap().name, "GMX and friends");
    assert_eq!(table.get(gmx).unwrap().kind, Some(Kind::Mailbox));
    assert!(!table.tracked().contains(&gmx));

    let alone = Providers::load(&[("own.toml", own)], Builtin::Replaced, None).unwrap();
    assert_eq!(alone.names(), ["other", "our_relay", "gmx"]);
}

#[test]
fn the_first_of_two_tables_wins() {
    let one = "[[provider]]\nid = \"one\"\ndomains = [\"a.example\"]\nexamples = [\"a.example\"]\n";
    let two = "[[provider]]\nid = \"two\"\ndomains = [\"a.example\"]\nexamples = [\"a.example\"]\n";
    let tables = [("one.toml", one), ("two.toml", two)];
    let table = Providers::load(&tables, Builtin::Extended, None).unwrap();
    assert_eq!(table.name(table.lookup(b"", b"a.example")), "one");
}

#[test]
fn tracked_providers_are_those_named_and_other() {
    let wanted = ["yahoo".to_owned(), "mimecast".to_owned()];
    let table = Providers::load(&[], Builtin::Extended, Some(&wanted)).unwrap();
    let names: Vec<&str> = table.tracked().iter().map(|id| table.name(*id)).collect();
    assert_eq!(names, ["other", "yahoo", "mimecast"]);
}

fn refused(text: &str) -> String {
    Providers::load(&[("own.toml", text)], Builtin::Extended, None).unwrap_err().to_string()
}

#[test]
fn a_bad_row_is_refused_with_file_line_key_and_what_was_expected() {
    let row = |rest: &str| refused(&format!("[[provider]]\nid = \"x\"\n{rest}\n"));
    assert!(row("colour = 3").starts_with("own.toml:3: colour: unknown field `colour`, expected"));
    assert_eq!(
        row("kind = \"isps\""),
        "own.toml:3: kind: expected one of mailbox, isp, hosting, gateway, forwarder, esp, but \
         found \"isps\""
    );
    assert_eq!(
        row("mx = [\n  \".ok.example\",\n  \"mx.example\",\n]"),
        "own.toml:5: mx: expected \"=name\", \".suffix\" or a name with \"*\" for one label, but \
         found \"mx.example\""
    );
    assert!(row("mx = [\"in.*\"]").starts_with("own.toml:3: mx: expected"));
    assert!(row("mx = [\".a b\"]").starts_with("own.toml:3: mx: expected"));
    assert!(row("domains = [\"*.example\"]").starts_with("own.toml:3: domains: expected a domain"));
    assert_eq!(
        row("domains = [\"x.example\"]\nexamples = [\"x.example\", \"gmail.com\"]"),
        "own.toml:4: examples: expected \"gmail.com\" to lead to x, but it leads to gmail"
    );
    assert_eq!(
        refused("[[provider]]\nid = \"other\"\n"),
        "own.toml:2: id: expected any other id: other is everybody in no row"
    );
    assert!(refused("[[provider]]\nid = \"A-b\"\n").contains(":2: id: expected words of a-z"));
    assert!(refused("[[provider]]\nid = \"x\"\n[[provider]]\nid = \"x\"\n").contains(":4: x: "));
    assert_eq!(
        refused(
            "[[provider]]\nid = \"x\"\nmx = [\".a.example\"]\n\
             [[provider]]\nid = \"y\"\nmx = [\".A.example\"]\n"
        ),
        "own.toml:6: mx: expected each name once, but \".A.example\" stands in line 3 for x too"
    );
    let unknown = Providers::load(&[], Builtin::Extended, Some(&["gmal".to_owned()]));
    assert_eq!(
        unknown.unwrap_err().to_string(),
        "configuration: providers.tracked: expected ids of providers, but found \"gmal\""
    );
}

#[test]
fn more_providers_than_ids_are_refused() {
    use std::fmt::Write as _;
    let mut text = String::new();
    for number in 0..66_000 {
        writeln!(text, "[[provider]]\nid = \"p{number}\"").unwrap();
    }
    assert!(refused(&text).ends_with("id: expected at most 65535 providers"));
}
