//! What the four dashboards show.

mod exporter;
mod overview;
mod provider;
mod reputation;

use anyhow::Result;

use crate::alerts::Rules;
use crate::grafana::{Board, GREEN, ORANGE, Panel, RED, YELLOW};

/// All dashboards, in the order of a look from above to a look inside. Where they draw the bound of
/// an alert they take it from the rules.
pub(crate) fn all(rules: &Rules) -> Result<[Board; 4]> {
    Ok([
        overview::board(&rules.runbooks),
        provider::board(),
        reputation::board(rules)?,
        exporter::board(rules)?,
    ])
}

/// From a cell or series of a provider to the dashboard about it, at the same time and hosts.
const TO_PROVIDER: &str = "/d/mta-exporter-provider?var-provider=${__data.fields.provider}\
                           &${job:queryparam}&${instance:queryparam}&${__url_time_range}";

/// The same from a series.
const SERIES_TO_PROVIDER: &str = "/d/mta-exporter-provider?var-provider=${__field.labels.provider}\
                                  &${job:queryparam}&${instance:queryparam}&${__url_time_range}";

fn attempts() -> Panel {
    Panel::stat(
        "Attempts, 1 h",
        "Delivery attempts of the last hour: one for each recipient and try.",
        "sum(increase(mta_deliveries_total{PROVIDER}[1h]))",
    )
    .decimals(0)
    .steps(&[], "blue")
}

fn accepted() -> Panel {
    Panel::stat(
        "Accepted, 1 h",
        "Share of the attempts of the last hour that the receiver accepted. A refused message counts \
         again when it is retried.",
        "sum(increase(mta_deliveries_total{PROVIDER, outcome=\"delivered\"}[1h])) / \
         sum(increase(mta_deliveries_total{PROVIDER}[1h]))",
    )
    .unit("percentunit")
    .decimals(1)
    .steps(&[(0.8, ORANGE), (0.95, GREEN)], RED)
}

fn hard_bounces() -> Panel {
    Panel::stat(
        "Hard bounces, 1 d",
        "Share of the recipients finished within the last day that bounced for good. Bulk senders \
         are told to stay below 2 %.",
        "sum(increase(mta_bounces_total{PROVIDER, kind=\"hard\"}[1d])) / \
         sum(increase(mta_deliveries_total{PROVIDER, outcome=~\"delivered|bounced|expired\"}[1d]))",
    )
    .unit("percentunit")
    .decimals(2)
    .steps(&[(0.01, YELLOW), (0.02, ORANGE), (0.05, RED)], GREEN)
}
