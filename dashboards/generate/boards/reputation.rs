//! What receivers hold against the sender.

use anyhow::Result;

use super::TO_PROVIDER;
use crate::alerts::Rules;
use crate::grafana::{Board, CALM, COUNT, GREEN, ORANGE, PER_MINUTE, Panel, RED, Row, YELLOW};

pub(super) fn board(rules: &Rules) -> Result<Board> {
    Ok(Board {
        name: "reputation",
        title: "Reputation",
        description: "What receivers hold against us: blocklists, reputation, authentication, bounces.",
        one_provider: Some(false),
        from: "now-7d",
        rows: vec![
            Row::new(4, numbers()),
            Row::titled("Blocklists and reputation", 9, reputation()),
            Row::titled("Authentication", 8, authentication()),
            Row::titled("Bounces and the budget", 9, bounces(rules)?),
            Row::titled("Refusals that no rule knows", 8, unclassified()),
        ],
    })
}

fn numbers() -> Vec<Panel> {
    let refusals = |reasons: &str| {
        format!("sum(increase(mta_refusals_total{{PROVIDER, reason=~\"{reasons}\"}}[1d]))")
    };
    let blamed = [(1.0, YELLOW), (20.0, ORANGE), (200.0, RED)];
    vec![
        Panel::stat(
            "Blocklisted, 1 d",
            "Refusals of the last day because our address or network is on a blocklist or banned.",
            &refusals("ip_blocked"),
        )
        .decimals(0)
        .steps(&blamed, GREEN),
        Panel::stat(
            "Bad reputation, 1 d",
            "Refusals of the last day for a poor reputation or complaints.",
            &refusals("reputation"),
        )
        .decimals(0)
        .steps(&blamed, GREEN),
        Panel::stat(
            "Not authenticated, 1 d",
            "Refusals of the last day for SPF, DKIM, DMARC, ARC, PTR or HELO.",
            &refusals("auth_failed|rdns_helo"),
        )
        .decimals(0)
        .steps(&blamed, GREEN),
        Panel::stat(
            "Block bounces, 1 d",
            "Share of the recipients finished within the last day that were lost because the sender \
             was refused.",
            "sum(increase(mta_bounces_total{PROVIDER, kind=\"block\"}[1d])) / \
             sum(increase(mta_deliveries_total{PROVIDER, outcome=~\"delivered|bounced|expired\"}[1d]))",
        )
        .unit("percentunit")
        .decimals(2)
        .steps(&[(0.005, YELLOW), (0.02, ORANGE), (0.05, RED)], GREEN),
        super::hard_bounces(),
        Panel::stat(
            "Unclassified, 1 d",
            "Share of the refusals of the last day that no rule knows.",
            "sum(increase(mta_refusals_total{PROVIDER, reason=\"unclassified\"}[1d])) / \
             sum(increase(mta_refusals_total{PROVIDER}[1d]))",
        )
        .unit("percentunit")
        .decimals(1)
        .steps(&[(0.05, YELLOW), (0.1, ORANGE)], GREEN),
    ]
    .into_iter()
    .map(|panel| panel.width(4))
    .collect()
}

fn reputation() -> Vec<Panel> {
    vec![
        Panel::table(
            "Blocklists named in replies",
            "Which list a refusal names, and who uses it, in the time of the dashboard. Ask the list \
             for removal after the cause is mended.",
        )
        .column(
            "refusals",
            COUNT,
            "sum by (list, provider) (increase(mta_blocklist_refusals_total{PROVIDER}[$__range])) > 0",
        )
        .joined(&["list", "provider"], &[])
        .sorted_by("refusals")
        .decimals(0)
        .painted("refusals", "transparent", &[(0.5, ORANGE), (20.0, RED)])
        .linked("provider", "This provider in depth", TO_PROVIDER)
        .when_empty("no blocklist was named")
        .widths(&[("refusals", 100)])
        .width(7),
        Panel::lines("Blocklists over time", "Refusals of each 1 h that name a blocklist.")
            .over_time(
                "sum by (list) (increase(mta_blocklist_refusals_total{PROVIDER}[1h]))",
                "{{list}}",
            )
            .decimals(0)
            .at_least(1.0)
            .when_empty("no blocklist was named")
            .width(7),
        Panel::states(
            "Reputation refusals by provider",
            "Share of the attempts of each 1 h refused for reputation or a blocklisting, for the \
             providers that did so at all in this time.",
        )
        .over_time(
            "sum by (provider) (increase(mta_refusals_total{PROVIDER, \
             reason=~\"ip_blocked|reputation\"}[1h])) / \
             (sum by (provider) (increase(mta_deliveries_total{PROVIDER}[1h])) > 0) and \
             sum by (provider) (increase(mta_refusals_total{PROVIDER, \
             reason=~\"ip_blocked|reputation\"}[$__range] @ end())) > 0",
            "{{provider}}",
        )
        .unit("percentunit")
        .ranges(&[
            (0.0, Some(0.000_001), "none", CALM),
            (0.000_001, Some(0.01), "below 1 %", YELLOW),
            (0.01, Some(0.2), "1 to 20 %", ORANGE),
            (0.2, None, "over 20 %", RED),
        ])
        .when_empty("no reputation refusals in this time")
        .width(10),
    ]
}

fn authentication() -> Vec<Panel> {
    vec![
        Panel::lines(
            "Authentication refusals by provider",
            "Refusals of each 1 h for SPF, DKIM, DMARC or ARC.",
        )
        .over_time(
            "sum by (provider) (increase(mta_refusals_total{PROVIDER, reason=\"auth_failed\"}[1h])) \
             and sum by (provider) (increase(mta_refusals_total{PROVIDER, \
             reason=\"auth_failed\"}[$__range] @ end())) > 0",
            "{{provider}}",
        )
        .decimals(0)
        .when_empty("none in this time")
        .width(12),
        Panel::lines(
            "PTR and HELO refusals by provider",
            "Refusals of each 1 h for the PTR record, its forward confirmation or the HELO name.",
        )
        .over_time(
            "sum by (provider) (increase(mta_refusals_total{PROVIDER, reason=\"rdns_helo\"}[1h])) \
             and sum by (provider) (increase(mta_refusals_total{PROVIDER, \
             reason=\"rdns_helo\"}[$__range] @ end())) > 0",
            "{{provider}}",
        )
        .decimals(0)
        .when_empty("none in this time")
        .width(12),
    ]
}

fn bounces(rules: &Rules) -> Result<Vec<Panel>> {
    let budget = rules.threshold("burn_budget")?;
    let burn = |window: &str| {
        format!(
            "sum(increase(mta_deliveries_total{{PROVIDER, outcome!=\"delivered\"}}[{window}])) / \
             sum(increase(mta_deliveries_total{{PROVIDER}}[{window}])) / {budget}"
        )
    };
    Ok(vec![
        Panel::areas(
            "Bounces by kind",
            "Bounces a minute: hard (the address cannot succeed), soft (it could later), block (the \
             sender is refused).",
        )
        .over_time(
            "60 * sum by (kind) (rate(mta_bounces_total{PROVIDER}[$__rate_interval]))",
            "{{kind}}",
        )
        .unit(PER_MINUTE)
        .kind_colours()
        .width(8),
        Panel::lines(
            "Hard bounces by provider",
            "Share of the recipients finished in the 1 d before each point that do not exist. The \
             line is the alert's.",
        )
        .over_time(
            "sum by (provider) (increase(mta_bounces_total{PROVIDER, kind=\"hard\"}[1d])) / \
             (sum by (provider) (increase(mta_deliveries_total{PROVIDER, \
             outcome=~\"delivered|bounced|expired\"}[1d])) >= 100)",
            "{{provider}}",
        )
        .unit("percentunit")
        .bound(rules.threshold("hard_bounce_share")?)
        .when_empty("fewer than 100 recipients a day")
        .width(8),
        Panel::lines(
            "Acceptance budget burn",
            "How many times faster than the budget allows the attempts fail, over 1 h and 6 h. Above \
             the line the alert wakes somebody.",
        )
        .over_time(&burn("1h"), "1 h")
        .over_time(&burn("6h"), "6 h")
        .decimals(1)
        .bound(rules.threshold("burn_fast")?)
        .width(8),
    ])
}

fn unclassified() -> Vec<Panel> {
    vec![
        Panel::lines(
            "Unclassified by code class",
            "Replies of each 1 h whose text and codes no rule knows. `mta_exporter explain` shows \
             what was tried.",
        )
        .over_time(
            "sum by (code_class) (increase(mta_unclassified_replies_total{HOST}[1h])) and \
             sum by (code_class) (increase(mta_unclassified_replies_total{HOST}[$__range] @ end())) > 0",
            "{{code_class}}",
        )
        .decimals(0)
        .when_empty("none in this time")
        .class_colours()
        .width(16),
        Panel::bars(
            "Unclassified by provider",
            "In the time of the dashboard: who says new things.",
        )
        .now(
            "topk(10, sum by (provider) (increase(mta_refusals_total{PROVIDER, \
                 reason=\"unclassified\"}[$__range])) > 0)",
            "{{provider}}",
        )
        .decimals(0)
        .when_empty("none in this time")
        .width(8),
    ]
}
