//! The rules and dashboards as Kubernetes objects: a `PrometheusRule` for the Prometheus operator,
//! and `ConfigMap`s with the label that Grafana's dashboard sidecar looks for.

use crate::prometheus::{HEADER, block};

/// The rule file's text as a `PrometheusRule`.
pub(crate) fn prometheus_rule(rule_file: &str) -> String {
    let groups = rule_file.trim_start_matches(HEADER);
    format!(
        "{HEADER}apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: \
         mta-exporter\n  labels:\n    app.kubernetes.io/name: mta-exporter\nspec:\n{}",
        block(groups, 2)
    )
}

/// A dashboard's JSON as a `ConfigMap`.
pub(crate) fn config_map(name: &str, dashboard: &str) -> String {
    format!(
        "---\n# Made by `cargo run --example dashboards`: edit dashboards/generate/boards/{name}.rs.\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: mta-exporter-dashboard-{name}\n  \
         labels:\n    app.kubernetes.io/name: mta-exporter\n    grafana_dashboard: \"1\"\ndata:\n  \
         mta-exporter-{name}.json: |\n{}",
        block(dashboard, 4)
    )
}
