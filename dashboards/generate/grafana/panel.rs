//! Panels and their queries.

use serde_json::{Map, Value, json};

/// How many columns a dashboard has.
pub(super) const COLUMNS: u64 = 24;

/// A panel. In its queries `{PROVIDER` stands for the matchers of job, instance and provider,
/// `{HOST` for those of job and instance.
#[derive(Debug)]
pub(crate) struct Panel {
    kind: &'static str,
    title: &'static str,
    description: &'static str,
    pub(super) width: u64,
    queries: Vec<Value>,
    defaults: Map<String, Value>,
    custom: Map<String, Value>,
    overrides: Vec<Value>,
    options: Value,
    transformations: Vec<Value>,
}

/// What a threshold step, a mapping or a series is painted with.
pub(crate) const GREEN: &str = "green";
pub(crate) const YELLOW: &str = "yellow";
pub(crate) const ORANGE: &str = "orange";
pub(crate) const RED: &str = "red";
/// What is as it should be, where it fills a whole panel: it leaves the eye to the rest.
pub(crate) const CALM: &str = "dark-green";

/// Whole numbers with separators; Grafana's `short` makes 4,312 and 3,588 the same 4 K.
pub(crate) const COUNT: &str = "locale";
/// Rates are shown a minute: mail has few events a second.
pub(crate) const PER_MINUTE: &str = "count:/min";

const REASON_COLOURS: [(&str, &str); 19] = [
    ("ip_blocked", "dark-red"),
    ("reputation", "red"),
    ("spam_content", "light-red"),
    ("policy", "super-light-red"),
    ("sender_rejected", "semi-dark-red"),
    ("auth_failed", "purple"),
    ("rdns_helo", "light-purple"),
    ("rate_limited", "orange"),
    ("session_limit", "dark-orange"),
    ("greylisted", "yellow"),
    ("user_unknown", "blue"),
    ("mailbox_full", "light-blue"),
    ("mailbox_disabled", "dark-blue"),
    ("recipient_restricted", "super-light-blue"),
    ("bad_domain", "semi-dark-blue"),
    ("connection_failed", "dark-green"),
    ("timeout", "green"),
    ("tls_failed", "light-green"),
    ("unclassified", "text"),
];

impl Panel {
    fn new(kind: &'static str, title: &'static str, description: &'static str) -> Self {
        Self {
            kind,
            title,
            description,
            width: COLUMNS,
            queries: Vec::new(),
            defaults: Map::new(),
            custom: Map::new(),
            overrides: Vec::new(),
            options: json!({}),
            transformations: Vec::new(),
        }
        .unit(COUNT)
    }

    /// One number, its colour by thresholds.
    pub(crate) fn stat(title: &'static str, description: &'static str, query: &str) -> Self {
        let mut panel = Self::new("stat", title, description).now(query, "").steps(&[], GREEN);
        panel.options = json!({
            "colorMode": "background", "graphMode": "none", "textMode": "auto", "justifyMode": "auto",
            "orientation": "auto", "wideLayout": true, "reduceOptions": last(),
            "showPercentChange": false, "percentChangeColorMode": "standard",
        });
        panel
    }

    /// Lets a number stand without colour: it is neither good nor bad.
    pub(crate) fn plain(mut self) -> Self {
        if let Some(options) = self.options.as_object_mut() {
            options.insert("colorMode".to_owned(), json!("none"));
        }
        self
    }

    /// Lines over time.
    pub(crate) fn lines(title: &'static str, description: &'static str) -> Self {
        let mut panel = Self::new("timeseries", title, description);
        panel.options = json!({
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        });
        panel
            .custom("lineWidth", json!(2))
            .custom("fillOpacity", json!(0))
            .custom("showPoints", json!("never"))
            .custom("axisSoftMin", json!(0))
            .default("min", json!(0))
    }

    /// Areas over time that add up.
    pub(crate) fn areas(title: &'static str, description: &'static str) -> Self {
        Self::lines(title, description)
            .custom("fillOpacity", json!(60))
            .custom("lineWidth", json!(0))
            .custom("stacking", json!({"mode": "normal", "group": "A"}))
    }

    /// The largest of many, now.
    pub(crate) fn bars(title: &'static str, description: &'static str) -> Self {
        let mut panel = Self::new("bargauge", title, description).steps(&[], "blue");
        panel.options = json!({
            "orientation": "horizontal", "displayMode": "gradient", "valueMode": "color",
            "showUnfilled": true, "minVizWidth": 8, "minVizHeight": 10, "namePlacement": "left",
            "sizing": "manual", "maxVizHeight": 24, "reduceOptions": last(),
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": false, "calcs": []},
        });
        panel.default("min", json!(0))
    }

    /// States over time, one line for each series.
    pub(crate) fn states(title: &'static str, description: &'static str) -> Self {
        let mut panel = Self::new("state-timeline", title, description);
        panel.options = json!({
            "mergeValues": true, "showValue": "never", "alignValue": "left", "rowHeight": 0.85,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"},
        });
        panel.custom("lineWidth", json!(0)).custom("fillOpacity", json!(80))
    }

    /// A histogram over time.
    pub(crate) fn heatmap(title: &'static str, description: &'static str, query: &str) -> Self {
        let mut panel = Self::new("heatmap", title, description);
        panel.query(query, "{{le}}", "heatmap", false);
        panel.options = json!({
            "calculate": false, "cellGap": 1, "cellValues": {"unit": "short"},
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5,
                      "fill": "dark-orange", "reverse": false, "scale": "exponential"},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9}, "legend": {"show": true},
            "rowsFrame": {"layout": "auto"}, "showValue": "never",
            "tooltip": {"mode": "single", "yHistogram": false, "showColorScale": false},
            "yAxis": {"axisPlacement": "left", "reverse": false, "unit": "s"},
        });
        panel
    }

    /// A table of what is true now; its columns come from queries, joined by their labels.
    pub(crate) fn table(title: &'static str, description: &'static str) -> Self {
        let mut panel = Self::new("table", title, description);
        panel.options = json!({
            "showHeader": true, "cellHeight": "sm", "frameIndex": 0,
        });
        panel
            .custom("align", json!("auto"))
            .custom("filterable", json!(false))
            .custom("inspect", json!(false))
            .custom("cellOptions", json!({"type": "auto"}))
    }

    /// How many of the 24 columns it takes.
    pub(crate) fn width(mut self, width: u64) -> Self {
        self.width = width;
        self
    }

    /// A unit by Grafana's id.
    pub(crate) fn unit(self, unit: &'static str) -> Self {
        self.default("unit", json!(unit))
    }

    /// Decimals to show.
    pub(crate) fn decimals(self, decimals: u64) -> Self {
        self.default("decimals", json!(decimals))
    }

    /// What stands there when there is nothing to show.
    pub(crate) fn when_empty(self, text: &'static str) -> Self {
        self.default("noValue", json!(text))
    }

    /// A query over the dashboard's time.
    pub(crate) fn over_time(mut self, query: &str, legend: &str) -> Self {
        self.query(query, legend, "time_series", false);
        self
    }

    /// A query of now.
    pub(crate) fn now(mut self, query: &str, legend: &str) -> Self {
        self.query(query, legend, "time_series", true);
        self
    }

    /// A column of a table.
    pub(crate) fn column(mut self, name: &'static str, unit: &'static str, query: &str) -> Self {
        let id = self.query(query, "", "table", true);
        let mut properties = vec![json!({"id": "unit", "value": unit})];
        if unit == "percentunit" {
            // 3 of 1,800 are not 0 %.
            properties.push(json!({"id": "decimals", "value": 1}));
        }
        self.overrides.push(json!({
            "matcher": {"id": "byName", "options": name}, "properties": properties,
        }));
        self.rename(&format!("Value #{id}"), name)
    }

    /// Joins the columns and gives them their order, the labels first. Labels that nobody needs are
    /// hidden.
    pub(crate) fn joined(mut self, labels: &[&str], hidden: &[&str]) -> Self {
        let renamed = self.transformations.pop().unwrap_or_else(|| json!({}));
        let mut order = Map::new();
        // The data source calls the value of an only query `Value`.
        let mut renamed = renamed;
        if let Some(renamed) = renamed.as_object_mut()
            && renamed.len() == 1
        {
            *renamed = std::mem::take(renamed)
                .into_iter()
                .map(|(_, name)| ("Value".to_owned(), name))
                .collect();
        }
        let values: Vec<String> =
            renamed.as_object().into_iter().flatten().map(|(from, _)| from.clone()).collect();
        let columns = labels.iter().map(|label| (*label).to_owned()).chain(values);
        for (index, column) in columns.enumerate() {
            order.insert(column, json!(index));
        }
        let excluded: Map<String, Value> = ["Time", "__name__"]
            .iter()
            .chain(hidden)
            .map(|label| ((*label).to_owned(), json!(true)))
            .collect();
        self.transformations.push(json!({"id": "merge", "options": {}}));
        self.transformations.push(json!({"id": "organize", "options": {
            "excludeByName": excluded, "indexByName": order, "renameByName": renamed,
        }}));
        self
    }

    /// The column by which a table is sorted, largest first.
    pub(crate) fn sorted_by(mut self, column: &'static str) -> Self {
        if let Some(options) = self.options.as_object_mut() {
            options.insert("sortBy".to_owned(), json!([{"displayName": column, "desc": true}]));
        }
        self
    }

    /// Paints the background of a column.
    pub(crate) fn painted(
        self,
        column: &'static str,
        base: &'static str,
        steps: &[(f64, &'static str)],
    ) -> Self {
        self.properties(
            column,
            &json!([
                {"id": "custom.cellOptions", "value": {"type": "color-background", "mode": "basic"}},
                {"id": "color", "value": {"mode": "thresholds"}},
                {"id": "thresholds", "value": thresholds(base, steps)},
            ]),
        )
    }

    /// How wide columns are, in pixels; the others share what is left.
    pub(crate) fn widths(self, widths: &[(&str, u64)]) -> Self {
        widths.iter().fold(self, |panel, (column, width)| {
            panel.properties(column, &json!([{"id": "custom.width", "value": width}]))
        })
    }

    /// Gives a column or series properties of its own.
    pub(crate) fn properties(mut self, name: &str, properties: &Value) -> Self {
        self.overrides.push(json!({
            "matcher": {"id": "byName", "options": name}, "properties": properties,
        }));
        self
    }

    /// Makes the cells of a column lead somewhere.
    pub(crate) fn linked(self, column: &str, title: &str, url: &str) -> Self {
        self.properties(
            column,
            &json!([{"id": "links", "value": [{"title": title, "url": url, "targetBlank": false}]}]),
        )
    }

    /// Makes every series lead somewhere.
    pub(crate) fn leading_to(self, title: &str, url: &str) -> Self {
        self.default("links", json!([{"title": title, "url": url, "targetBlank": false}]))
    }

    /// Colours by value: the base colour, then a colour from each bound on.
    pub(crate) fn steps(self, steps: &[(f64, &'static str)], base: &'static str) -> Self {
        self.default("thresholds", thresholds(base, steps))
            .default("color", json!({"mode": "thresholds"}))
    }

    /// How far the axis reaches at least: without it a graph of zeros has one up to 100, or 10,000 %.
    pub(crate) fn at_least(self, top: f64) -> Self {
        self.custom("axisSoftMax", json!(top))
    }

    /// A scale on which a second and an hour can both be seen.
    pub(crate) fn logarithmic(mut self) -> Self {
        self.custom.remove("axisSoftMin");
        self.defaults.remove("min");
        self.custom("scaleDistribution", json!({"type": "log", "log": 10}))
    }

    /// A line at a bound, for graphs. It is always in sight.
    pub(crate) fn bound(self, bound: f64) -> Self {
        self.at_least(bound * 1.2)
            .default("thresholds", thresholds("transparent", &[(bound, RED)]))
            .custom("thresholdsStyle", json!({"mode": "dashed"}))
    }

    /// Ranges of values with a name and a colour each; the last has no end.
    pub(crate) fn ranges(self, ranges: &[(f64, Option<f64>, &str, &str)]) -> Self {
        let mappings: Vec<Value> = ranges
            .iter()
            .enumerate()
            .map(|(index, (from, to, text, color))| {
                json!({"type": "range", "options": {
                    "from": from, "to": to,
                    "result": {"text": text, "color": color, "index": index},
                }})
            })
            .collect();
        self.default("mappings", json!(mappings)).default("color", json!({"mode": "thresholds"}))
    }

    /// The colours of the code classes, wherever they are series.
    pub(crate) fn class_colours(self) -> Self {
        [("2xx", GREEN), ("4xx", ORANGE), ("5xx", RED), ("none", "purple")].into_iter().fold(
            self,
            |panel, (class, colour)| {
                let fixed = json!({"mode": "fixed", "fixedColor": colour});
                panel.properties(class, &json!([{"id": "color", "value": fixed}]))
            },
        )
    }

    /// The colours of the kinds of bounces: a block is about the sender.
    pub(crate) fn kind_colours(self) -> Self {
        [("block", RED), ("hard", ORANGE), ("soft", YELLOW)].into_iter().fold(
            self,
            |panel, (kind, colour)| {
                let fixed = json!({"mode": "fixed", "fixedColor": colour});
                panel.properties(kind, &json!([{"id": "color", "value": fixed}]))
            },
        )
    }

    /// The colours of reasons, the same wherever they are series: red what is held against the sender,
    /// orange what slows it down, blue what is wrong with the recipient, purple a lack of proof,
    /// green what lies in between.
    pub(crate) fn reason_colours(self) -> Self {
        REASON_COLOURS.into_iter().fold(self, |panel, (reason, colour)| {
            let fixed = json!({"mode": "fixed", "fixedColor": colour});
            panel.properties(reason, &json!([{"id": "color", "value": fixed}]))
        })
    }

    fn default(mut self, name: &str, value: Value) -> Self {
        self.defaults.insert(name.to_owned(), value);
        self
    }

    fn custom(mut self, name: &str, value: Value) -> Self {
        self.custom.insert(name.to_owned(), value);
        self
    }

    fn rename(mut self, from: &str, to: &str) -> Self {
        if self.transformations.is_empty() {
            self.transformations.push(json!({}));
        }
        if let Some(renamed) = self.transformations.last_mut().and_then(Value::as_object_mut) {
            renamed.insert(from.to_owned(), json!(to));
        }
        self
    }

    fn query(&mut self, query: &str, legend: &str, format: &str, instant: bool) -> char {
        let id = ('A'..='Z').nth(self.queries.len()).unwrap_or('Z');
        let host = "{job=~\"$job\", instance=~\"$instance\"";
        let provider = format!("{host}, provider=~\"$provider\"");
        let query = query.replace("{PROVIDER", &provider).replace("{HOST", host);
        self.queries.push(json!({
            "refId": id.to_string(), "datasource": datasource(), "expr": query,
            "legendFormat": if legend.is_empty() { "__auto" } else { legend },
            "instant": instant, "range": !instant, "format": format, "editorMode": "code",
        }));
        id
    }

    pub(super) fn json(self, id: u64, x: u64, y: u64, height: u64) -> Value {
        let mut defaults = self.defaults;
        defaults.insert("custom".to_owned(), Value::Object(self.custom));
        let mut panel = json!({
            "id": id, "type": self.kind, "title": self.title, "description": self.description,
            "datasource": datasource(),
            "gridPos": {"x": x, "y": y, "w": self.width, "h": height},
            "targets": self.queries,
            "fieldConfig": {"defaults": defaults, "overrides": self.overrides},
            "options": self.options,
        });
        if let (false, Some(panel)) = (self.transformations.is_empty(), panel.as_object_mut()) {
            panel.insert("transformations".to_owned(), json!(self.transformations));
        }
        panel
    }
}

/// The data source that the dashboard's variable chooses.
pub(super) fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

fn last() -> Value {
    json!({"calcs": ["lastNotNull"], "fields": "", "values": false})
}

fn thresholds(base: &str, steps: &[(f64, &str)]) -> Value {
    let mut all = vec![json!({"color": base, "value": null})];
    all.extend(steps.iter().map(|(value, color)| json!({"color": color, "value": value})));
    json!({"mode": "absolute", "steps": all})
}
