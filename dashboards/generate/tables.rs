//! The tables for people: which alerts there are, and which numbers decide.

use crate::alerts::{Alert, Rules};

/// The index of the runbooks.
pub(crate) fn index(rules: &Rules) -> String {
    let mut text = "<!-- Made by `cargo run --example dashboards` from dashboards/alerts.toml: edit \
                    there. -->\n# Runbooks\n\nOne page for each alert. `critical` wakes somebody, \
                    `warning` is for the day, `info` is for the dashboards. \
                    Whom to ask at which provider is in [providers.md](providers.md).\n\n| alert | severity | \
                    about | waits | keeps |\n|---|---|---|---|---|\n"
        .to_owned();
    for alert in &rules.alerts {
        let or_none = |wait: &Option<String>| wait.clone().unwrap_or_else(|| "-".to_owned());
        text += &format!(
            "| [{name}]({name}.md) | {} | {} | {} | {} |\n",
            alert.severity,
            alert.component,
            or_none(&alert.hold),
            or_none(&alert.keep),
            name = alert.name,
        );
    }
    text += "\nA condition must hold for the time in *waits* before the alert fires; after it ends the \
             alert goes on for the time in *keeps*.\n\n## Thresholds\n\nThey stand in \
             `dashboards/alerts.toml`, and only there.\n\n| threshold | value | what it is, and why \
             | used by |\n|---|---|---|---|\n";
    for threshold in &rules.thresholds {
        let uses = |alert: &&Alert| alert.thresholds.contains(&threshold.name);
        let mut alerts: Vec<&str> =
            rules.alerts.iter().filter(uses).map(|alert| alert.name.as_str()).collect();
        alerts.dedup();
        text += &format!(
            "| `{}` | {} | {} | {} |\n",
            threshold.name,
            threshold.value,
            threshold.why,
            alerts.join(", ")
        );
    }
    text
}
