//! What a client would like to have: the headers `Accept` and `Accept-Encoding` (RFC 9110 §12.5).

use crate::exposition::Format;

/// The format for a client that accepts these media types: OpenMetrics 1.0 where it is liked better
/// than plain text.
pub(super) fn format(accept: &str) -> Format {
    let (mut openmetrics, mut text) = (0.0, 0.0);
    for (range, quality) in preferences(accept) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let version = parts.find_map(|part| part.strip_prefix("version="));
        match media_type.to_ascii_lowercase().as_str() {
            "application/openmetrics-text" if matches!(version, None | Some("1.0.0")) => {
                openmetrics = quality.max(openmetrics);
            }
            "text/plain" | "text/*" | "*/*" => text = quality.max(text),
            _ => {}
        }
    }
    if openmetrics > text { Format::OpenMetrics } else { Format::Text }
}

/// Whether the answer may be compressed with gzip.
pub(super) fn takes_gzip(accept_encoding: &str) -> bool {
    preferences(accept_encoding)
        .any(|(coding, quality)| coding.trim().eq_ignore_ascii_case("gzip") && quality > 0.0)
}

/// The items of a list with the weight that each has; the parameter `q` is taken out.
fn preferences(list: &str) -> impl Iterator<Item = (String, f32)> {
    list.split(',').map(|item| {
        let (weights, rest): (Vec<&str>, Vec<&str>) =
            item.split(';').map(str::trim).partition(|part| part.starts_with("q="));
        let weight = weights.first().and_then(|weight| weight.get(2..)?.parse().ok());
        (rest.join(";"), weight.unwrap_or(1.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_gets_openmetrics_and_others_plain_text() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,\
            application/openmetrics-text;version=0.0.1;q=0.75,\
            text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,\
            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
            text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        for (accept, expected) in [
            (prometheus_2, Format::OpenMetrics),
            (prometheus_3, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; version=1.0.0; q=0.9, */*; q=0.1", Format::OpenMetrics),
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
            ("text/plain;version=0.0.4", Format::Text),
            ("text/plain,application/openmetrics-text;q=0.5", Format::Text),
            ("application/openmetrics-text;version=0.0.1", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=x;;=,,;", Format::OpenMetrics),
        ] {
            assert_eq!(format(accept), expected, "{accept}");
        }
    }

    #[test]
    fn gzip_is_used_only_where_it_is_named() {
        assert!(takes_gzip("gzip"));
        assert!(takes_gzip("deflate, GZIP;q=0.5"));
        assert!(!takes_gzip("gzip;q=0"));
        assert!(!takes_gzip("identity"));
        assert!(!takes_gzip(""));
    }
}
