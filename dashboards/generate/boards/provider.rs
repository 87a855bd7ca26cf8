//! One provider in depth.

use serde_json::json;

use crate::grafana::{Board, COUNT, GREEN, ORANGE, PER_MINUTE, Panel, RED, Row, YELLOW};

pub(super) fn board() -> Board {
    Board {
        name: "provider",
        title: "Provider",
        description: "One receiving provider in depth: what it answers, in which phase, and why.",
        one_provider: Some(true),
        from: "now-24h",
        rows: vec![
            Row::new(4, numbers()),
            Row::titled("What it answers", 9, codes()),
            Row::titled("Why it refuses", 8, reasons()),
            Row::titled("What becomes of the mail", 9, outcomes()),
            Row::titled("Which of our hosts", 8, hosts()),
        ],
    }
}

fn numbers() -> Vec<Panel> {
    let last = |code: &str| {
        format!(
            "max(max_over_time(timestamp(sum(increase(mta_replies_total{{PROVIDER, \
             code=\"{code}\"}}[5m])) > 0)[1d:1m])) * 1000"
        )
    };
    vec![
        super::attempts(),
        super::accepted(),
        Panel::stat(
            "421 replies, 1 h",
            "It told us to slow down, in the last hour.",
            "sum(increase(mta_replies_total{PROVIDER, code=\"421\"}[1h]))",
        )
        .decimals(0)
        .steps(&[(1.0, YELLOW), (10.0, ORANGE)], GREEN),
        Panel::stat(
            "554 replies, 1 h",
            "It refused the transaction for good, in the last hour.",
            "sum(increase(mta_replies_total{PROVIDER, code=\"554\"}[1h]))",
        )
        .decimals(0)
        .steps(&[(1.0, YELLOW), (5.0, ORANGE), (20.0, RED)], GREEN),
        Panel::stat(
            "Last 421",
            "When it last answered 421, looking back one day (1 d), give or take 5 min.",
            &last("421"),
        )
        .unit("dateTimeFromNow")
        .plain()
        .when_empty("not in a day"),
        Panel::stat(
            "Last 554",
            "When it last answered 554, looking back one day (1 d), give or take 5 min.",
            &last("554"),
        )
        .unit("dateTimeFromNow")
        .plain()
        .when_empty("not in a day"),
        super::hard_bounces(),
        Panel::stat(
            "Median delay, 1 h",
            "Half of the mail delivered in the last hour waited less than this.",
            "histogram_quantile(0.5, sum by (le) \
             (increase(mta_delivery_delay_seconds_bucket{PROVIDER}[1h])))",
        )
        .unit("s")
        .steps(&[(300.0, YELLOW), (3600.0, ORANGE)], GREEN),
    ]
    .into_iter()
    .map(|panel| panel.width(3))
    .collect()
}

fn codes() -> Vec<Panel> {
    vec![
        Panel::areas("Replies by code", "Replies a minute; none: no code came back.")
            .over_time(
                "60 * sum by (code) (rate(mta_replies_total{PROVIDER}[$__rate_interval])) and \
                 sum by (code) (increase(mta_replies_total{PROVIDER}[$__range] @ end())) > 0",
                "{{code}}",
            )
            .unit(PER_MINUTE)
            .properties("250", &fixed(GREEN))
            .properties("421", &fixed(ORANGE))
            .properties("554", &fixed(RED))
            .properties("none", &fixed("purple"))
            .width(12),
        Panel::table("Codes", "Replies by code in the time of the dashboard.")
            .column(
                "replies",
                COUNT,
                "sum by (code_class, code) (increase(mta_replies_total{PROVIDER}[$__range])) > 0",
            )
            .joined(&["code", "code_class"], &[])
            .widths(&[("code", 90), ("code_class", 110)])
            .sorted_by("replies")
            .decimals(0)
            .width(6),
        Panel::table(
            "Enhanced codes",
            "Enhanced status codes (RFC 3463) of refusals and acceptances, in the time of the \
             dashboard. A series that is not older than the time is seen from its second minute on.",
        )
        .column(
            "replies",
            COUNT,
            "sum by (enhanced) (increase(mta_enhanced_replies_total{PROVIDER}[$__range])) > 0",
        )
        .joined(&["enhanced"], &[])
        .sorted_by("replies")
        .decimals(0)
        .when_empty("no enhanced codes")
        .width(6),
    ]
}

fn reasons() -> Vec<Panel> {
    vec![
        Panel::areas("Reasons over time", "Refusals a minute by reason.")
            .over_time(
                "60 * sum by (reason) (rate(mta_refusals_total{PROVIDER}[$__rate_interval])) and \
                 sum by (reason) (increase(mta_refusals_total{PROVIDER}[$__range] @ end())) > 0",
                "{{reason}}",
            )
            .unit(PER_MINUTE)
            .reason_colours()
            .when_empty("no refusals")
            .width(12),
        Panel::bars("Reasons", "Refusals by reason, in the time of the dashboard.")
            .now(
                "topk(10, sum by (reason) (increase(mta_refusals_total{PROVIDER}[$__range])) > 0)",
                "{{reason}}",
            )
            .decimals(0)
            .when_empty("no refusals")
            .width(6),
        Panel::bars(
            "Phases",
            "Where in the SMTP conversation it refuses, in the time of the dashboard: at the \
             greeting it refuses our address, at RCPT the recipient, at the end of the data the \
             content.",
        )
        .now(
            "sort_desc(sum by (phase) (increase(mta_refusal_phases_total{PROVIDER}[$__range])) > 0)",
            "{{phase}}",
        )
        .decimals(0)
        .when_empty("no refusals")
        .width(6),
    ]
}

fn outcomes() -> Vec<Panel> {
    vec![
        Panel::heatmap(
            "Delivery delay",
            "How long delivered mail was on its way, from its arrival at the MTA to its acceptance.",
            "sum by (le) (increase(mta_delivery_delay_seconds_bucket{PROVIDER}[$__rate_interval]))",
        )
        .width(9),
        Panel::areas("Outcomes", "What the MTA did after each attempt, a minute.")
            .over_time(
                "60 * sum by (outcome) (rate(mta_deliveries_total{PROVIDER}[$__rate_interval]))",
                "{{outcome}}",
            )
            .unit(PER_MINUTE)
            .properties("delivered", &fixed(GREEN))
            .properties("deferred", &fixed(ORANGE))
            .properties("bounced", &fixed(RED))
            .properties("expired", &fixed("purple"))
            .width(5),
        Panel::lines("Connection failures", "Attempts without any SMTP reply, a minute, by cause.")
            .over_time(
                "60 * sum by (cause) (rate(mta_connection_failures_total{PROVIDER}[$__rate_interval]))",
                "{{cause}}",
            )
            .unit(PER_MINUTE)
            .at_least(1.0)
            .width(5),
        Panel::lines(
            "Bounces",
            "Bounces a minute: hard (the address cannot succeed), soft (it could later), block (the \
             sender is refused).",
        )
        .over_time(
            "60 * sum by (kind) (rate(mta_bounces_total{PROVIDER}[$__rate_interval]))",
            "{{kind}}",
        )
        .unit(PER_MINUTE)
        .kind_colours()
        .at_least(1.0)
        .width(5),
    ]
}

fn hosts() -> Vec<Panel> {
    let count = |matcher: &str| {
        format!(
            "sum by (instance) (increase(mta_replies_total{{PROVIDER, {matcher}}}[$__range])) and \
             sum by (instance) (increase(mta_deliveries_total{{PROVIDER}}[$__range])) > 0"
        )
    };
    vec![
        Panel::table(
            "By host",
            "What each of our hosts gets from this provider, in the time of the dashboard. One host \
             alone points to its address, all of them to the domain or the content.",
        )
        .column(
            "attempts",
            COUNT,
            "sum by (instance) (increase(mta_deliveries_total{PROVIDER}[$__range])) > 0",
        )
        .column(
            "accepted",
            "percentunit",
            "sum by (instance) (increase(mta_deliveries_total{PROVIDER, \
             outcome=\"delivered\"}[$__range])) / \
             (sum by (instance) (increase(mta_deliveries_total{PROVIDER}[$__range])) > 0)",
        )
        .column("421", COUNT, &count("code=\"421\""))
        .column("554", COUNT, &count("code=\"554\""))
        .joined(&["instance"], &[])
        .widths(&[("attempts", 110), ("accepted", 100), ("421", 90), ("554", 90)])
        .sorted_by("attempts")
        .decimals(0)
        .painted("accepted", RED, &[(0.8, ORANGE), (0.95, "transparent")])
        .painted("421", "transparent", &[(0.5, YELLOW), (100.0, ORANGE)])
        .painted("554", "transparent", &[(0.5, YELLOW), (5.0, ORANGE), (20.0, RED)])
        .width(12),
        Panel::lines("Accepted by host", "Share of the attempts of the 1 h before each point that it accepted, host by host.")
            .over_time(
                "sum by (instance) (increase(mta_deliveries_total{PROVIDER, outcome=\"delivered\"}[1h])) / \
                 (sum by (instance) (increase(mta_deliveries_total{PROVIDER}[1h])) > 0)",
                "{{instance}}",
            )
            .unit("percentunit")
            .at_least(1.0)
            .width(12),
    ]
}

fn fixed(colour: &str) -> serde_json::Value {
    json!([{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}])
}
