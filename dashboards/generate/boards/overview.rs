//! Is anyone refusing us, who, since when, why, how much of our mail.

use serde_json::json;

use super::{SERIES_TO_PROVIDER, TO_PROVIDER};
use crate::grafana::{Board, CALM, COUNT, GREEN, ORANGE, PER_MINUTE, Panel, RED, Row, YELLOW};

pub(super) fn board(runbooks: &str) -> Board {
    Board {
        name: "overview",
        title: "Overview",
        description: "Is anyone refusing us, who, since when, why, and how much of our mail.",
        one_provider: Some(false),
        from: "now-6h",
        rows: vec![
            Row::new(4, numbers()),
            Row::new(11, who(runbooks)),
            Row::new(8, since_when()),
            Row::new(8, why()),
            Row::new(8, how_much()),
        ],
    }
}

fn numbers() -> Vec<Panel> {
    vec![
        super::attempts(),
        super::accepted(),
        Panel::stat(
            "421 replies, 1 h",
            "Receivers telling us to slow down, in the last hour. Isolated ones are normal.",
            "sum(increase(mta_replies_total{PROVIDER, code=\"421\"}[1h]))",
        )
        .decimals(0)
        .steps(&[(1.0, YELLOW), (100.0, ORANGE)], GREEN),
        Panel::stat(
            "554 replies, 1 h",
            "Receivers refusing the transaction for good, in the last hour: often a blocklist or \
             reputation.",
            "sum(increase(mta_replies_total{PROVIDER, code=\"554\"}[1h]))",
        )
        .decimals(0)
        .steps(&[(1.0, YELLOW), (5.0, ORANGE), (20.0, RED)], GREEN),
        Panel::stat(
            "Blamed on us, 1 h",
            "Refusals of the last hour for the reputation or a blocklisting of the sender.",
            "sum(increase(mta_refusals_total{PROVIDER, reason=~\"ip_blocked|reputation\"}[1h]))",
        )
        .decimals(0)
        .steps(&[(1.0, ORANGE), (20.0, RED)], GREEN),
        super::hard_bounces(),
        Panel::stat(
            "Firing alerts",
            "Alerts of mta_exporter that fire now, without those of severity info.",
            "count(ALERTS{alertname=~\"Mta.+\", alertstate=\"firing\", severity!=\"info\", \
             job=~\"$job\"}) or vector(0)",
        )
        .decimals(0)
        .steps(&[(1.0, RED)], GREEN),
        Panel::stat(
            "Log lag",
            "How far the slowest exporter is behind its log. All other panels are that old.",
            "max(mta_source_lag_seconds{HOST})",
        )
        .unit("s")
        .decimals(0)
        .steps(&[(30.0, ORANGE), (120.0, RED)], GREEN),
    ]
    .into_iter()
    .map(|panel| panel.width(3))
    .collect()
}

fn who(runbooks: &str) -> Vec<Panel> {
    let share = |class: &str| {
        format!(
            "sum by (provider) (increase(mta_replies_total{{PROVIDER, code_class=\"{class}\"}}[1h])) \
             / (sum by (provider) (increase(mta_replies_total{{PROVIDER}}[1h])) > 0)"
        )
    };
    let count = |code: &str| {
        format!(
            "sum by (provider) (increase(mta_replies_total{{PROVIDER, code=\"{code}\"}}[1h])) and \
             sum by (provider) (increase(mta_replies_total{{PROVIDER}}[1h])) > 0"
        )
    };
    let refused = [(0.02, YELLOW), (0.1, ORANGE), (0.25, RED)];
    vec![
        Panel::table(
            "Who: replies by provider, 1 h",
            "The replies of the last hour (1 h) by provider: how many, the share of each code class \
             (none: no code came back), and the two codes that warn.",
        )
        .column(
            "replies",
            COUNT,
            "sum by (provider) (increase(mta_replies_total{PROVIDER}[1h])) > 0",
        )
        .column("2xx", "percentunit", &share("2xx"))
        .column("4xx", "percentunit", &share("4xx"))
        .column("5xx", "percentunit", &share("5xx"))
        .column("none", "percentunit", &share("none"))
        .column("421", COUNT, &count("421"))
        .column("554", COUNT, &count("554"))
        .joined(&["provider"], &[])
        .sorted_by("replies")
        .decimals(0)
        .painted("2xx", RED, &[(0.8, ORANGE), (0.95, "transparent")])
        .painted("4xx", "transparent", &refused)
        .painted("5xx", "transparent", &refused)
        .painted("none", "transparent", &refused)
        .painted("421", "transparent", &[(0.5, YELLOW), (100.0, ORANGE)])
        .painted("554", "transparent", &[(0.5, YELLOW), (5.0, ORANGE), (20.0, RED)])
        .linked("provider", "This provider in depth", TO_PROVIDER)
        .widths(&[("replies", 95), ("2xx", 85), ("4xx", 85), ("5xx", 85), ("none", 85)])
        .widths(&[("421", 90), ("554", 90)])
        .width(13),
        Panel::table(
            "Firing alerts and since when",
            "The alerts that fire or wait now, and since when. Their names lead to the runbooks.",
        )
        .column(
            "since",
            "dateTimeFromNow",
            "max by (alertname, severity, provider, reason, instance) \
             (ALERTS_FOR_STATE{alertname=~\"Mta.+\", job=~\"$job\"}) * 1000",
        )
        .joined(&["alertname", "severity", "provider", "reason", "instance"], &[])
        .sorted_by("since")
        .when_empty("-")
        .widths(&[("alertname", 245), ("severity", 80), ("provider", 100), ("reason", 100)])
        .linked("alertname", "Runbook", &format!("{runbooks}/${{__value.text}}.md"))
        .linked("provider", "This provider in depth", TO_PROVIDER)
        .width(11),
    ]
}

fn since_when() -> Vec<Panel> {
    vec![
        Panel::states(
            "Since when: 421 by provider",
            "Share of 421 in the attempts of each 15 min, for the providers that answered 421 at all \
             in this time. A pause ends a throttling; none for an hour raises the alert.",
        )
        .over_time(
            "sum by (provider) (increase(mta_replies_total{PROVIDER, code=\"421\"}[15m])) / \
             (sum by (provider) (increase(mta_deliveries_total{PROVIDER}[15m])) > 0) and \
             sum by (provider) (increase(mta_replies_total{PROVIDER, code=\"421\"}[$__range] @ end())) > 0",
            "{{provider}}",
        )
        .unit("percentunit")
        .leading_to("This provider in depth", SERIES_TO_PROVIDER)
        .ranges(&[
            (0.0, Some(0.000_001), "none", CALM),
            (0.000_001, Some(0.1), "below 10 %", YELLOW),
            (0.1, Some(0.5), "10 to 50 %", ORANGE),
            (0.5, None, "over 50 %", RED),
        ])
        .when_empty("no 421 in this time")
        .width(12),
        Panel::lines(
            "Since when: 554 by provider",
            "554 replies in each 15 min, as the alert counts them. A red mark stands where the condition of \
             an alert began that fired.",
        )
        .over_time(
            "sum by (provider) (increase(mta_replies_total{PROVIDER, code=\"554\"}[15m])) and \
             sum by (provider) (increase(mta_replies_total{PROVIDER, code=\"554\"}[$__range] @ end())) > 0",
            "{{provider}}",
        )
        .decimals(0)
        .leading_to("This provider in depth", SERIES_TO_PROVIDER)
        .when_empty("no 554 in this time")
        .width(12),
    ]
}

fn why() -> Vec<Panel> {
    vec![
        Panel::bars("Why: top reasons", "Refusals by reason, in the time of the dashboard.")
            .now(
                "topk(10, sum by (reason) (increase(mta_refusals_total{PROVIDER}[$__range])) > 0)",
                "{{reason}}",
            )
            .decimals(0)
            .when_empty("no refusals")
            .width(8),
        Panel::areas("Why: refusals over time", "Refusals a minute by reason.")
            .over_time(
                "60 * sum by (reason) (rate(mta_refusals_total{PROVIDER}[$__rate_interval])) and \
                 sum by (reason) (increase(mta_refusals_total{PROVIDER}[$__range] @ end())) > 0",
                "{{reason}}",
            )
            .unit(PER_MINUTE)
            .reason_colours()
            .when_empty("no refusals")
            .width(16),
    ]
}

fn how_much() -> Vec<Panel> {
    vec![
        Panel::areas("Replies by code class", "Replies a minute; none: no code came back.")
            .over_time(
                "60 * sum by (code_class) (rate(mta_replies_total{PROVIDER}[$__rate_interval]))",
                "{{code_class}}",
            )
            .unit(PER_MINUTE)
            .class_colours()
            .width(8),
        Panel::lines(
            "Volume against the week before",
            "Delivery attempts of the 1 h before each point, and the same a week earlier.",
        )
        .over_time("sum(increase(mta_deliveries_total{PROVIDER}[1h]))", "now")
        .over_time("sum(increase(mta_deliveries_total{PROVIDER}[1h] offset 1w))", "a week before")
        .decimals(0)
        .properties(
            "now",
            &json!([{"id": "color", "value": {"mode": "fixed", "fixedColor": "blue"}}]),
        )
        .properties(
            "a week before",
            &json!([
                {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
                {"id": "color", "value": {"mode": "fixed", "fixedColor": "text"}},
            ]),
        )
        .width(8),
        [("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99")]
            .into_iter()
            .fold(
                Panel::lines(
                    "Delivery delay",
                    "From the message's arrival at the MTA to its acceptance, delivered mail only.",
                ),
                |panel, (quantile, name)| {
                    let query = format!(
                        "histogram_quantile({quantile}, sum by (le) \
                         (rate(mta_delivery_delay_seconds_bucket{{PROVIDER}}[$__rate_interval])))"
                    );
                    panel.over_time(&query, name)
                },
            )
            .unit("s")
            .decimals(1)
            .logarithmic()
            .width(8),
    ]
}
