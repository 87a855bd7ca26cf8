//! Grafana's dashboard model, as far as the boards need it.

mod panel;

use serde_json::{Value, json};

pub(crate) use panel::{CALM, COUNT, GREEN, ORANGE, PER_MINUTE, Panel, RED, YELLOW};
use panel::{COLUMNS, datasource};

/// A dashboard.
#[derive(Debug)]
pub(crate) struct Board {
    /// The end of its uid and the name of its file.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    /// Whether one provider is chosen, and not any number of them; `None` for no such variable.
    pub(crate) one_provider: Option<bool>,
    pub(crate) from: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// Panels side by side; the widths of each line add up to 24.
#[derive(Debug)]
pub(crate) struct Row {
    title: Option<&'static str>,
    height: u64,
    panels: Vec<Panel>,
}

impl Row {
    /// A line of panels of one height.
    pub(crate) fn new(height: u64, panels: Vec<Panel>) -> Self {
        Self { title: None, height, panels }
    }

    /// The same under a heading.
    pub(crate) fn titled(title: &'static str, height: u64, panels: Vec<Panel>) -> Self {
        Self { title: Some(title), height, panels }
    }
}

impl Board {
    /// The dashboard's JSON, as Grafana imports it.
    pub(crate) fn json(self, runbooks: &str) -> Value {
        let provider = self.one_provider.map(|one| variable("provider", "Provider", one));
        let mut variables = vec![
            json!({
                "name": "datasource", "type": "datasource", "label": "Data source",
                "query": "prometheus", "regex": "", "hide": 0, "refresh": 1, "multi": false,
                "includeAll": false, "options": [], "skipUrlSync": false,
                "current": {"text": "default", "value": "default"},
            }),
            variable("job", "Job", false),
            variable("instance", "Instance", false),
        ];
        let chosen = if provider.is_some() {
            "provider=~\"$provider|\""
        } else {
            // The board about the exporters themselves.
            "component=\"exporter\""
        };
        let alerts = format!("alertname=~\"Mta.+\", severity!=\"info\", job=~\"$job\", {chosen}");
        variables.extend(provider);
        // One mark where the condition began. Regions while they fire would lie over each other and
        // over all graphs.
        let began = format!(
            "last_over_time(ALERTS_FOR_STATE{{{alerts}}}[$__interval]) * 1000 and \
             ignoring (alertstate) \
             last_over_time(ALERTS{{alertstate=\"firing\", {alerts}}}[$__interval])"
        );
        let annotation = json!({
            "name": "Firing alerts", "datasource": datasource(), "enable": true, "hide": false,
            "iconColor": "red", "expr": began, "step": "60s", "useValueForTime": true,
            "titleFormat": "{{alertname}}", "textFormat": "{{provider}}{{reason}} {{instance}}",
        });
        json!({
            "uid": format!("mta-exporter-{}", self.name),
            "title": format!("mta_exporter / {}", self.title),
            "description": self.description, "tags": ["mta_exporter", "mail", "deliverability"],
            "schemaVersion": 41, "version": 1, "editable": false, "graphTooltip": 1,
            "timezone": "browser", "time": {"from": self.from, "to": "now"}, "refresh": "1m",
            "links": [
                {"title": "mta_exporter", "type": "dashboards", "tags": ["mta_exporter"],
                 "asDropdown": false, "includeVars": true, "keepTime": true, "targetBlank": false,
                 "icon": "external link", "tooltip": "", "url": ""},
                {"title": "Runbooks", "type": "link", "tags": [], "asDropdown": false,
                 "includeVars": false, "keepTime": false, "targetBlank": true, "icon": "doc",
                 "tooltip": "What to do, alert by alert", "url": format!("{runbooks}/README.md")},
            ],
            "templating": {"list": variables}, "annotations": {"list": [annotation]},
            "panels": panels(self.rows),
        })
    }
}

fn panels(rows: Vec<Row>) -> Vec<Value> {
    let mut panels = Vec::new();
    let (mut id, mut y) = (0, 0);
    for row in rows {
        if let Some(title) = row.title {
            id += 1;
            panels.push(json!({
                "id": id, "type": "row", "title": title, "collapsed": false, "panels": [],
                "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
            }));
            y += 1;
        }
        let mut x = 0;
        for panel in row.panels {
            id += 1;
            let width = panel.width;
            panels.push(panel.json(id, x, y, row.height));
            x += width;
        }
        y += row.height;
    }
    panels
}

fn variable(name: &str, label: &str, one: bool) -> Value {
    let query = match name {
        "job" => "label_values(mta_exporter_build_info, job)",
        "instance" => "label_values(mta_exporter_build_info{job=~\"$job\"}, instance)",
        _ => "label_values(mta_deliveries_total{job=~\"$job\", instance=~\"$instance\"}, provider)",
    };
    let (current, all) = if one {
        (json!({"text": "gmail", "value": "gmail", "selected": true}), "")
    } else {
        (json!({"text": ["All"], "value": ["$__all"], "selected": true}), ".+")
    };
    json!({
        "name": name, "type": "query", "label": label, "datasource": datasource(),
        "query": {"query": query, "refId": name}, "definition": query, "regex": "", "hide": 0,
        "multi": !one, "includeAll": !one, "allValue": all, "refresh": 2, "sort": 1,
        "skipUrlSync": false, "options": [], "current": current,
    })
}
