//! Whether the numbers of the other boards can be trusted.

use anyhow::Result;
use serde_json::json;

use crate::alerts::Rules;
use crate::grafana::{Board, GREEN, ORANGE, PER_MINUTE, Panel, RED, Row, YELLOW};

pub(super) fn board(rules: &Rules) -> Result<Board> {
    Ok(Board {
        name: "exporter",
        title: "Exporter health",
        description: "Whether the numbers can be trusted: sources, lag, lines, state and process.",
        one_provider: None,
        from: "now-6h",
        rows: vec![
            Row::new(4, numbers()),
            Row::titled("Sources", 8, sources(rules)?),
            Row::titled("Lines", 8, lines(rules)?),
            Row::titled("State and series", 8, state()),
            Row::titled("Process", 7, process()),
        ],
    })
}

fn numbers() -> Vec<Panel> {
    vec![
        Panel::stat(
            "Exporters up",
            "Exporters that Prometheus can scrape.",
            "sum(up{HOST} and on (job, instance) last_over_time(mta_exporter_build_info{HOST}[1d]))",
        )
        .decimals(0)
        .steps(&[(1.0, GREEN)], RED),
        Panel::stat(
            "Sources down",
            "Sources that cannot be read.",
            "count(mta_source_up{HOST} == 0) or vector(0)",
        )
        .decimals(0)
        .steps(&[(1.0, RED)], GREEN),
        Panel::stat("Lag", "The largest lag of a source.", "max(mta_source_lag_seconds{HOST})")
            .unit("s")
            .decimals(0)
            .steps(&[(30.0, ORANGE), (120.0, RED)], GREEN),
        Panel::stat(
            "Unreadable, 1 h",
            "Share of the lines of the last hour that could not be understood.",
            "sum(increase(mta_source_lines_total{HOST, kind=\"unreadable\"}[1h])) / \
             sum(increase(mta_source_lines_total{HOST}[1h]))",
        )
        .unit("percentunit")
        .decimals(2)
        .steps(&[(0.001, YELLOW), (0.05, RED)], GREEN),
        Panel::stat(
            "Gaps, 1 d",
            "Places of the last day (1 d) where lines were gone before they could be read.",
            "sum(increase(mta_source_gaps_total{HOST}[1d]))",
        )
        .decimals(0)
        .steps(&[(0.5, RED)], GREEN),
        Panel::stat(
            "Failed writes, 1 h",
            "Writes of the state that failed in the last hour. While they fail a restart miscounts.",
            "sum(increase(mta_state_commit_failures_total{HOST}[1h]))",
        )
        .decimals(0)
        .steps(&[(0.5, ORANGE), (3.0, RED)], GREEN),
        Panel::stat(
            "Failed reloads",
            "Exporters whose last reload of the configuration failed.",
            "count(mta_config_last_reload_successful{HOST} == 0) or vector(0)",
        )
        .decimals(0)
        .steps(&[(1.0, ORANGE)], GREEN),
        Panel::stat(
            "Folded, 1 d",
            "Events of the last day (1 d) counted under \"other\" because the limit of series was \
             reached.",
            "sum(increase(mta_series_folded_total{HOST}[1d]))",
        )
        .decimals(0)
        .steps(&[(0.5, YELLOW)], GREEN),
    ]
    .into_iter()
    .map(|panel| panel.width(3))
    .collect()
}

fn sources(rules: &Rules) -> Result<Vec<Panel>> {
    Ok(vec![
        Panel::table("Sources", "Every source: whether it can be read, how far behind, how old.")
            .column("up", "bool_yes_no", "max by (instance, source) (mta_source_up{HOST})")
            .column("behind", "bytes", "max by (instance, source) (mta_source_lag_bytes{HOST})")
            .column("lag", "s", "max by (instance, source) (mta_source_lag_seconds{HOST})")
            .column(
                "last event",
                "dateTimeFromNow",
                "max by (instance, source) (mta_source_last_event_timestamp_seconds{HOST}) * 1000",
            )
            .joined(&["instance", "source"], &[])
            .widths(&[("source", 120), ("up", 70), ("behind", 100), ("lag", 100), ("last event", 150)])
            .painted("up", RED, &[(1.0, "transparent")])
            .painted("lag", "transparent", &[(30.0, ORANGE), (120.0, RED)])
            .width(12),
        Panel::lines("Lag", "How far behind each source is, in time.")
            .over_time(
                "max by (instance, source) (mta_source_lag_seconds{HOST})",
                "{{instance}} {{source}}",
            )
            .unit("s")
            .bound(rules.threshold("lag_seconds")?)
            .width(6),
        Panel::lines("Read", "Bytes read a second.")
            .over_time(
                "sum by (instance, source) (rate(mta_source_read_bytes_total{HOST}[$__rate_interval]))",
                "{{instance}} {{source}}",
            )
            .unit("Bps")
            .width(6),
    ])
}

fn lines(rules: &Rules) -> Result<Vec<Panel>> {
    Ok(vec![
        Panel::areas("Lines by kind", "Lines a minute. Every line is of exactly one kind.")
            .over_time(
                "60 * sum by (kind) (rate(mta_source_lines_total{HOST}[$__rate_interval]))",
                "{{kind}}",
            )
            .unit(PER_MINUTE)
            .width(10),
        Panel::lines("Unreadable lines", "Share of the lines that could not be understood.")
            .over_time(
                "sum by (instance, source) (rate(mta_source_lines_total{HOST, \
                 kind=\"unreadable\"}[$__rate_interval])) / \
                 sum by (instance, source) (rate(mta_source_lines_total{HOST}[$__rate_interval]))",
                "{{instance}} {{source}}",
            )
            .unit("percentunit")
            .bound(rules.threshold("unreadable_share")?)
            .width(7),
        Panel::lines(
            "Rotations and faults",
            "What happened to the files, in each 1 h: rotations are ordinary, truncations and gaps \
             lose lines, read errors delay them.",
        )
        .over_time("sum(increase(mta_source_rotations_total{HOST}[1h]))", "rotations")
        .over_time("sum(increase(mta_source_truncations_total{HOST}[1h]))", "truncations")
        .over_time("sum(increase(mta_source_gaps_total{HOST}[1h]))", "gaps")
        .over_time("sum(increase(mta_source_read_errors_total{HOST}[1h]))", "read errors")
        .decimals(0)
        .at_least(1.0)
        .width(7),
    ])
}

fn state() -> Vec<Panel> {
    vec![
        Panel::lines("State commits", "Writes of counters and offsets a minute, and failed ones.")
            .over_time("60 * sum(rate(mta_state_commits_total{HOST}[$__rate_interval]))", "commits")
            .over_time(
                "60 * sum(rate(mta_state_commit_failures_total{HOST}[$__rate_interval]))",
                "failures",
            )
            .unit(PER_MINUTE)
            .properties(
                "failures",
                &json!([{"id": "color", "value": {"mode": "fixed", "fixedColor": RED}}]),
            )
            .width(5),
        Panel::lines("Series", "Series that each exporter shows. The limit is 10,000 by default.")
            .over_time("max by (instance) (mta_series{HOST})", "{{instance}}")
            .decimals(0)
            .width(5),
        Panel::table(
            "Exporters",
            "Version, when it started, whether its counters are safe on the disk, whether it took up \
             those of the run before, and when its configuration was last read.",
        )
        .column(
            "started",
            "dateTimeFromNow",
            "max by (instance, version) (process_start_time_seconds{HOST} * on (job, instance) \
             group_left (version) mta_exporter_build_info{HOST}) * 1000",
        )
        .column("state safe", "bool_yes_no", "max by (instance) (mta_state_durable{HOST})")
        .column("state restored", "bool_yes_no", "max by (instance) (mta_state_restored{HOST})")
        .column(
            "configuration read",
            "dateTimeFromNow",
            "max by (instance) (mta_config_last_reload_success_timestamp_seconds{HOST}) * 1000",
        )
        .column(
            "last reload good",
            "bool_yes_no",
            "max by (instance) (mta_config_last_reload_successful{HOST})",
        )
        .joined(&["instance", "version"], &[])
        .widths(&[("version", 80), ("started", 110), ("state safe", 95), ("state restored", 125)])
        .widths(&[("configuration read", 145), ("last reload good", 130)])
        .painted("state safe", RED, &[(1.0, "transparent")])
        .painted("last reload good", RED, &[(1.0, "transparent")])
        .width(14),
    ]
}

fn process() -> Vec<Panel> {
    vec![
        Panel::lines("CPU", "Share of one core.")
            .over_time(
                "sum by (instance) (rate(process_cpu_seconds_total{HOST}[$__rate_interval])) and on \
                 (instance) mta_exporter_build_info{HOST}",
                "{{instance}}",
            )
            .unit("percentunit")
            .width(8),
        Panel::lines("Memory", "Resident memory.")
            .over_time(
                "max by (instance) (process_resident_memory_bytes{HOST} and on (job, instance) \
                 mta_exporter_build_info{HOST})",
                "{{instance}}",
            )
            .unit("bytes")
            .width(8),
        Panel::lines("Open files", "Open file descriptors.")
            .over_time(
                "max by (instance) (process_open_fds{HOST} and on (job, instance) \
                 mta_exporter_build_info{HOST})",
                "{{instance}}",
            )
            .decimals(0)
            .width(8),
    ]
}
