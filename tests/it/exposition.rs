//! What a scrape shows, and for how long.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mta_exporter::attempt::{NoReply, Outcome, Phase};
use mta_exporter::exposition::catalogue::METRICS;
use mta_exporter::exposition::{self, Format, Process};
use mta_exporter::ledger::{
    Cell, Inbound, Ledger, ReloadGauges, Snapshot, SourceGauges, StateGauges,
};
use mta_exporter::mta::LineKind;
use mta_exporter::provider::{ProviderId, Providers};
use mta_exporter::reason::{BounceKind, Classifier, Reason};
use mta_exporter::smtp::{CodeClass, EnhancedStatusCode, ReplyCode};

const BORN: u64 = 1_800_000_000;

fn enhanced(class: u8, subject: u16, detail: u16) -> EnhancedStatusCode {
    EnhancedStatusCode::new(class, subject, detail).expect("a code")
}

/// A ledger in which every metric has a series with a value.
fn full() -> (Ledger, Vec<String>) {
    let providers = Providers::builtin();
    let lists = Classifier::builtin(&providers).lists().to_vec();
    let mut ledger = Ledger::new(&providers, 10_000);
    let gmail = providers.id("gmail").unwrap();
    ledger.add(gmail, Cell::reply(ReplyCode::new(421)), 3);
    ledger.add(gmail, Cell::reply(ReplyCode::new(499)), 4);
    ledger.add(gmail, Cell::reply(None), 5);
    ledger.add(gmail, Cell::delivery(Outcome::Deferred), 6);
    ledger.add(gmail, Cell::refusal(Reason::RateLimited), 7);
    ledger.add(gmail, Cell::bounce(BounceKind::Block), 8);
    ledger.add(gmail, Cell::phase(Phase::EndOfData), 9);
    ledger.add(gmail, Cell::connection_failure(NoReply::Timeout), 10);
    ledger.add_enhanced(gmail, enhanced(4, 7, 28), 11);
    ledger.add_delay(gmail, 59.5, 2);
    let list = Classifier::builtin(&providers)
        .classify(&mta_exporter::reason::Refusal {
            provider: ProviderId::OTHER,
            inbound: false,
            code: ReplyCode::new(554),
            enhanced: None,
            cause: None,
            phase: None,
            text: b"554 blocked using zen.spamhaus.org",
        })
        .list
        .expect("a list");
    ledger.add(gmail, Cell::list(list), 12);
    let inbound = |code| Inbound { class: CodeClass::Permanent, code, reason: Reason::Policy };
    ledger.add_inbound(inbound(ReplyCode::new(554)), 13);
    ledger.add_inbound(inbound(None), 14);
    ledger.add_unclassified(CodeClass::Transient, 15);
    let source = ledger.source("mail \"log\"\\\n");
    ledger.source_mut(source).unwrap().add_lines(LineKind::Delivery, 16);
    ledger.stamp_newborn(BORN);
    (ledger, lists)
}

fn scrape(taken_at_seconds: u64, format: Format) -> String {
    let (mut ledger, lists) = full();
    let source = ledger.source("mail \"log\"\\\n");
    let gauges = SourceGauges {
        up: true,
        lag_bytes: 17,
        lag_seconds: 0.25,
        last_event_timestamp_seconds: Some(1_799_999_999.5),
    };
    let snapshot = Snapshot {
        taken_at_seconds,
        ledger,
        lists,
        sources: vec![(source, gauges)],
        state: StateGauges { commits: 18, ..StateGauges::default() },
        reload: ReloadGauges { successful: true, success_timestamp_seconds: BORN },
    };
    exposition::scrape(&snapshot, &Process { start_seconds: 1_799_999_000.25 }, format)
}

/// The lines of a text that have a value other than 0, without those of this very process.
fn values(text: &str) -> String {
    let lines = text.lines().filter(|line| {
        !line.ends_with(" 0")
            && !line.starts_with('#')
            && !line.starts_with("process_")
            && !line.starts_with("mta_exporter_build_info")
    });
    lines.fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn every_metric_of_the_catalogue_can_be_seen_and_no_other() {
    let text = scrape(BORN, Format::Text);
    let types: BTreeSet<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let catalogue: BTreeSet<_> =
        METRICS.iter().map(|metric| (metric.name, metric.kind.as_str())).collect();
    assert_eq!(types, catalogue);
    for line in text.lines().filter(|line| line.starts_with("# HELP ")) {
        assert!(line.split(' ').count() > 4 && line.ends_with('.'), "{line}");
    }
}

#[test]
fn values_stand_under_the_labels_of_the_contract() {
    let found = values(&scrape(BORN + 60, Format::Text));
    let expected = r#"mta_blocklist_refusals_total{provider="gmail",list="spamhaus"} 12
mta_bounces_total{provider="gmail",kind="block"} 8
mta_config_last_reload_success_timestamp_seconds 1800000000
mta_config_last_reload_successful 1
mta_connection_failures_total{provider="gmail",cause="timeout"} 10
mta_deliveries_total{provider="gmail",outcome="deferred"} 6
mta_delivery_delay_seconds_bucket{provider="gmail",le="60"} 2
mta_delivery_delay_seconds_bucket{provider="gmail",le="300"} 2
mta_delivery_delay_seconds_bucket{provider="gmail",le="900"} 2
mta_delivery_delay_seconds_bucket{provider="gmail",le="3600"} 2
mta_delivery_delay_seconds_bucket{provider="gmail",le="14400"} 2
mta_delivery_delay_seconds_bucket{provider="gmail",le="43200"} 2
mta_delivery_delay_seconds_bucket{provider="gmail",le="86400"} 2
mta_delivery_delay_seconds_bucket{provider="gmail",le="259200"} 2
mta_delivery_delay_seconds_bucket{provider="gmail",le="+Inf"} 2
mta_delivery_delay_seconds_sum{provider="gmail"} 119
mta_delivery_delay_seconds_count{provider="gmail"} 2
mta_enhanced_replies_total{provider="gmail",enhanced="4.7.28"} 11
mta_inbound_rejects_total{code_class="5xx",code="554",reason="policy"} 13
mta_inbound_rejects_total{code_class="5xx",code="none",reason="policy"} 14
mta_refusal_phases_total{provider="gmail",phase="end_of_data"} 9
mta_refusals_total{provider="gmail",reason="rate_limited"} 7
mta_replies_total{provider="gmail",code_class="4xx",code="421"} 3
mta_replies_total{provider="gmail",code_class="4xx",code="499"} 4
mta_replies_total{provider="gmail",code_class="none",code="none"} 5
mta_series 1951
mta_source_lag_bytes{source="mail \"log\"\\\n"} 17
mta_source_lag_seconds{source="mail \"log\"\\\n"} 0.25
mta_source_last_event_timestamp_seconds{source="mail \"log\"\\\n"} 1799999999.5
mta_source_lines_total{source="mail \"log\"\\\n",kind="delivery"} 16
mta_source_up{source="mail \"log\"\\\n"} 1
mta_state_commits_total 18
mta_unclassified_replies_total{code_class="4xx"} 15
"#;
    let without_count = |text: &str| -> String {
        let lines = text.lines().filter(|line| !line.starts_with("mta_series "));
        lines.fold(String::new(), |all, line| all + line + "\n")
    };
    assert_eq!(without_count(&found), without_count(expected), "{found}");
}

#[test]
fn a_series_that_was_born_late_is_shown_as_zero_for_its_first_minute() {
    let late = "mta_replies_total{provider=\"gmail\",code_class=\"4xx\",code=\"499\"} ";
    let early = "mta_replies_total{provider=\"gmail\",code_class=\"4xx\",code=\"421\"} ";
    let value = |at, series: &str| {
        let text = scrape(at, Format::Text);
        text.lines().find_map(|line| line.strip_prefix(series).map(str::to_owned)).unwrap()
    };
    assert_eq!(value(BORN, early), "3");
    assert_eq!(value(BORN, late), "0");
    assert_eq!(value(BORN + 59, late), "0");
    assert_eq!(value(BORN + 60, late), "4");
}

#[test]
fn openmetrics_says_when_a_late_series_was_born() {
    let text = scrape(BORN + 60, Format::OpenMetrics);
    assert!(text.ends_with("\n# EOF\n"));
    for line in [
        "# TYPE mta_replies counter",
        "mta_replies_total{provider=\"gmail\",code_class=\"4xx\",code=\"499\"} 4",
        "mta_replies_created{provider=\"gmail\",code_class=\"4xx\",code=\"499\"} 1800000000",
        "# TYPE mta_delivery_delay_seconds histogram",
        "mta_delivery_delay_seconds_bucket{provider=\"gmail\",le=\"60.0\"} 2",
        "mta_delivery_delay_seconds_bucket{provider=\"gmail\",le=\"+Inf\"} 2",
        "mta_source_up{source=\"mail \\\"log\\\"\\\\\\n\"} 1",
        "# TYPE process_cpu_seconds counter",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in:\n{text}");
    }
    let born = text.lines().filter(|line| line.contains("_created"));
    assert!(born.clone().count() < 10, "{:?}", born.collect::<Vec<_>>());
    // The families are those of the other format, and each stands once.
    let families = |text: &str| -> Vec<String> {
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types.map(|family| family.replace("_total ", " ")).collect()
    };
    let mut plain = families(&scrape(BORN + 60, Format::Text));
    plain.sort();
    let mut open = families(&text);
    open.sort();
    assert_eq!(open, plain);
}

#[test]
fn scrapes_of_one_snapshot_have_the_same_order() {
    let stable = |format| {
        let text = scrape(BORN + 60, format);
        let lines = text.lines().filter(|line| !line.starts_with("process_"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for format in [Format::Text, Format::OpenMetrics] {
        assert_eq!(stable(format), stable(format));
    }
}

#[test]
fn what_has_no_room_is_shown_as_other() {
    let providers = Providers::builtin();
    let mut ledger = Ledger::new(&providers, 0).without_first_appearance();
    let gmail = providers.id("gmail").unwrap();
    ledger.add(gmail, Cell::reply(ReplyCode::new(499)), 1);
    ledger.add_enhanced(gmail, enhanced(5, 7, 1), 2);
    let text = exposition::counts(&ledger, &[], Format::Text);
    for line in [
        "mta_replies_total{provider=\"other\",code_class=\"4xx\",code=\"other\"} 1",
        "mta_enhanced_replies_total{provider=\"other\",enhanced=\"other\"} 2",
        "mta_series_folded_total 3",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in:\n{text}");
    }
}

#[test]
fn ten_thousand_series_are_written_in_no_time() {
    let providers = Providers::builtin();
    let mut ledger = Ledger::new(&providers, 10_000);
    'full: for code in 200..600 {
        for at in 0..providers.names().len() {
            let Some(id) = providers.id(&providers.names()[at]) else { continue };
            ledger.add(id, Cell::reply(ReplyCode::new(code)), 1);
            if ledger.series() >= 10_000 {
                break 'full;
            }
        }
    }
    assert_eq!(ledger.series(), 10_000);
    for format in [Format::Text, Format::OpenMetrics] {
        let started = Instant::now();
        let text = exposition::counts(&ledger, &[], format);
        let took = started.elapsed();
        println!("{format:?}: {} lines in {took:?}", text.lines().count());
        // The release build needs a few milliseconds; this one is slow, and not alone.
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}
