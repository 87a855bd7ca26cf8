//! The families as a collector of the `prometheus` crate, whose registry puts them in order and
//! whose encoder writes the text format.

use std::collections::HashMap;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, MetricType};
use prometheus::{Registry, TextEncoder};

use super::catalogue::{Kind, Metric};
use super::families::{Family, Point, Value};

/// Writes the text format 0.0.4: families by name, series by their labels.
pub(super) fn text(families: Vec<Family>) -> String {
    let registry = Registry::new();
    let mut text = String::new();
    let collector = Scrape::new(families);
    let written = collector
        .and_then(|collector| registry.register(Box::new(collector)))
        .and_then(|()| TextEncoder::new().encode_utf8(&registry.gather(), &mut text));
    // The registry refuses names that are no metric names; a test holds ours to its rules.
    debug_assert!(written.is_ok(), "{written:?}");
    text
}

/// The families of one scrape.
struct Scrape {
    descriptions: Vec<Desc>,
    families: Vec<Family>,
}

impl Scrape {
    fn new(families: Vec<Family>) -> prometheus::Result<Self> {
        let descriptions = families.iter().map(|family| describe(family.metric));
        Ok(Self { descriptions: descriptions.collect::<Result<_, _>>()?, families })
    }
}

fn describe(metric: &Metric) -> prometheus::Result<Desc> {
    let labels = metric.labels.iter().map(|label| (*label).to_owned()).collect();
    Desc::new(metric.name.to_owned(), metric.help.to_owned(), labels, HashMap::new())
}

impl Collector for Scrape {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        self.families.iter().map(family).collect()
    }
}

fn family(family: &Family) -> proto::MetricFamily {
    let metric = family.metric;
    let mut converted = proto::MetricFamily::default();
    converted.set_name(metric.name.to_owned());
    converted.set_help(metric.help.to_owned());
    converted.set_field_type(match metric.kind {
        Kind::Counter => MetricType::COUNTER,
        Kind::Gauge => MetricType::GAUGE,
        Kind::Histogram => MetricType::HISTOGRAM,
    });
    converted.set_metric(family.points.iter().map(|point| series(metric, point)).collect());
    converted
}

fn series(metric: &Metric, point: &Point) -> proto::Metric {
    let mut converted = proto::Metric::default();
    let labels = metric.labels.iter().zip(&point.labels).map(|(name, value)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.clone());
        pair
    });
    converted.set_label(labels.collect());
    match (&point.value, metric.kind) {
        (Value::Number(number), Kind::Counter) => {
            let mut counter = proto::Counter::default();
            counter.set_value(*number);
            converted.set_counter(counter);
        }
        (Value::Number(number), Kind::Gauge | Kind::Histogram) => {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(*number);
            converted.set_gauge(gauge);
        }
        (Value::Histogram { buckets, sum, count }, _) => {
            let mut histogram = proto::Histogram::default();
            let buckets = buckets.iter().map(|(bound, cumulative)| {
                let mut bucket = proto::Bucket::default();
                bucket.set_upper_bound(*bound);
                bucket.set_cumulative_count(*cumulative);
                bucket
            });
            histogram.set_bucket(buckets.collect());
            histogram.set_sample_sum(*sum);
            histogram.set_sample_count(*count);
            converted.set_histogram(histogram);
        }
    }
    converted
}
