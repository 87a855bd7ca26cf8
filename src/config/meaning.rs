//! From what was typed to what it means.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use super::error::Fault;
use super::raw::{Count, Flag, List, Raw, SourceOrPath, Text};
use super::{Config, Limits, Providers, Replies, Source, State, Web};
use crate::mta::Dialect;
use crate::mta::custom::CustomDialects;
use crate::source::{Filter, Listen, Origin, Spec, StartAt};

/// The bounds of `limits.series_max`. The lower one leaves room for the pre-created series.
const SERIES_MAX: std::ops::RangeInclusive<usize> = 1_000..=1_000_000;
/// The bounds of `limits.line_bytes_max`. The lower one is the longest line of classic syslog, the
/// upper one bounds the buffer of a source.
const LINE_BYTES_MAX: std::ops::RangeInclusive<usize> = 1_024..=16 << 20;
/// The longest name of a source: it is a label of some twenty series.
const NAME_BYTES_MAX: usize = 256;

/// The configuration that was typed. Relative paths start at `base`.
pub(super) fn config(raw: &Raw, base: &Path) -> Result<Config, Fault> {
    let default = Config::default();
    let limits = Limits {
        series_max: count(
            raw.limits.series_max.as_ref(),
            "limits.series_max",
            &SERIES_MAX,
            default.limits.series_max,
        )?,
        line_bytes_max: count(
            raw.limits.line_bytes_max.as_ref(),
            "limits.line_bytes_max",
            &LINE_BYTES_MAX,
            default.limits.line_bytes_max,
        )?,
    };
    let List(definitions) = &raw.dialects;
    let dialects = CustomDialects::compile(definitions).map_err(|custom| {
        let found = format!("{} in the dialect {:?}", custom.found, custom.name);
        fault(&custom.key, &custom.expected, &found)
    })?;
    Ok(Config {
        web: web(&raw.web, default.web)?,
        state: State {
            directory: match &raw.state.directory {
                Some(path) => base.join(not_empty(path, "state.directory", "a path")?),
                None => default.state.directory,
            },
        },
        sources: sources(&raw.sources, base, limits.line_bytes_max, &dialects)?,
        dialects: Arc::new(dialects),
        providers: Providers {
            builtin: flag(raw.providers.builtin.as_ref(), default.providers.builtin),
            files: files(raw.providers.files.as_ref(), "providers.files", base)?,
            tracked: match &raw.providers.tracked {
                Some(names) => Some(texts(names, "providers.tracked", "the name of a provider")?),
                None => None,
            },
        },
        replies: Replies {
            builtin: flag(raw.replies.builtin.as_ref(), default.replies.builtin),
            files: files(raw.replies.files.as_ref(), "replies.files", base)?,
        },
        limits,
    })
}

fn web(raw: &super::raw::Web, default: Web) -> Result<Web, Fault> {
    let listen_addresses = match &raw.listen_addresses {
        None => default.listen_addresses,
        Some(List(texts)) if texts.is_empty() => {
            return Err(fault("web.listen_addresses", "at least one address", "an empty list"));
        }
        Some(List(texts)) => {
            let mut addresses = Vec::new();
            for (at, Text(text)) in texts.iter().enumerate() {
                let address = parse_listen_address(text).map_err(|expected| {
                    fault(&format!("web.listen_addresses[{at}]"), expected, &shown(text))
                })?;
                if addresses.contains(&address) {
                    let key = format!("web.listen_addresses[{at}]");
                    return Err(fault(&key, "each address once", &shown(text)));
                }
                addresses.push(address);
            }
            addresses
        }
    };
    let telemetry_path = match &raw.telemetry_path {
        None => default.telemetry_path,
        Some(Text(path)) => parse_telemetry_path(path)
            .map_err(|expected| fault("web.telemetry_path", expected, &shown(path)))?,
    };
    Ok(Web { listen_addresses, telemetry_path })
}

/// An address to listen on: `192.0.2.1:10421`, `[2001:db8::1]:10421`, `localhost:10421`, or
/// `:10421` for all interfaces, IPv6 and IPv4. Otherwise what was expected.
pub fn parse_listen_address(text: &str) -> Result<SocketAddr, &'static str> {
    let expected = "an address and a port, such as 127.0.0.1:10421, [::1]:10421 or :10421";
    let named = text.rsplit_once(':').and_then(|(host, port)| {
        let port = port.parse::<u16>().ok()?;
        match host {
            "" => Some((Ipv6Addr::UNSPECIFIED, port).into()),
            "localhost" => Some((Ipv4Addr::LOCALHOST, port).into()),
            _ => None,
        }
    });
    named.or_else(|| text.parse().ok()).ok_or(expected)
}

/// The path of the metrics, or what was expected.
pub fn parse_telemetry_path(path: &str) -> Result<String, &'static str> {
    let plain =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'<' | b'>' | b'"');
    let free = path.len() > 1 && !path.starts_with("/-/");
    if free && path.starts_with('/') && path.bytes().all(plain) {
        Ok(path.to_owned())
    } else {
        Err("a path such as /metrics, not / and not below /-/")
    }
}

fn sources(
    List(raw): &List<SourceOrPath>,
    base: &Path,
    line_bytes_max: usize,
    dialects: &CustomDialects,
) -> Result<Vec<Source>, Fault> {
    let mut names = BTreeSet::new();
    let mut sources = Vec::new();
    for (at, SourceOrPath(raw)) in raw.iter().enumerate() {
        let key = format!("sources[{at}]");
        let source = source(raw, &key, base, line_bytes_max, dialects)?;
        if !names.insert(source.spec.name.clone()) {
            let expected = "a name that no other source has";
            return Err(fault(&format!("{key}.name"), expected, &shown(&source.spec.name)));
        }
        sources.push(source);
    }
    Ok(sources)
}

fn source(
    raw: &super::raw::Source,
    key: &str,
    base: &Path,
    line_bytes_max: usize,
    dialects: &CustomDialects,
) -> Result<Source, Fault> {
    let (default_name, origin) = origin(raw, key, base)?;
    let name = match &raw.name {
        None => default_name.as_str(),
        Some(name) => {
            let key = format!("{key}.name");
            let name_text = not_empty(name, &key, "a name")?;
            if name_text.len() > NAME_BYTES_MAX || name_text.contains(char::is_control) {
                let expected = "a name of at most 256 bytes without control characters";
                return Err(fault(&key, expected, &shown(name_text)));
            }
            name_text
        }
    };
    let start_at = match raw.start_at.as_ref().map(|Text(text)| text.as_str()) {
        None | Some("end") => StartAt::End,
        Some("beginning") => StartAt::Beginning,
        Some(other) => {
            let expected = r#""end" or "beginning""#;
            return Err(fault(&format!("{key}.start_at"), expected, &shown(other)));
        }
    };
    let dialect = match raw.dialect.as_ref().map(|Text(text)| text.as_str()) {
        None | Some("auto") => None,
        Some(name) => Some(dialects.dialect(name).or(Dialect::parse(name)).ok_or_else(|| {
            let built_in = Dialect::ALL.iter().map(|dialect| dialect.as_str());
            let known: Vec<_> = built_in.chain(dialects.names()).collect();
            let expected = format!("auto or one of {}", known.join(", "));
            fault(&format!("{key}.dialect"), &expected, &shown(name))
        })?),
    };
    let poll_only = raw.poll_only.as_ref().is_some_and(|Flag(flag)| *flag);
    let spec = Spec { start_at, line_bytes_max, poll_only, ..Spec::new(name, origin) };
    Ok(Source { spec, dialect })
}

/// Where the lines come from, and the name that the source has unless it is given one.
fn origin(raw: &super::raw::Source, key: &str, base: &Path) -> Result<(String, Origin), Fault> {
    let one = "one of path, fifo, stdin, syslog and journal";
    let stdin = flag(raw.stdin.as_ref(), false);
    let journal = flag(raw.journal.as_ref(), false);
    let given = [raw.path.is_some(), raw.fifo.is_some(), stdin, raw.syslog.is_some(), journal];
    match given.iter().filter(|given| **given).count() {
        0 => return Err(fault(&format!("{key}.path"), one, "nothing")),
        1 => (),
        _ => return Err(fault(key, one, "several")),
    }
    let filter = journal_filter(raw, key, base)?;
    if !journal && filter != Filter::default() {
        let expected = "journal = true beside the other journal keys";
        return Err(fault(key, expected, "none"));
    }
    if journal {
        return Ok(("journal".to_owned(), Origin::Journal(filter)));
    }
    if stdin {
        return Ok(("stdin".to_owned(), Origin::Stdin));
    }
    if let Some(path) = &raw.fifo {
        let path = not_empty(path, &format!("{key}.fifo"), "a path")?;
        return Ok((path.to_owned(), Origin::Fifo(base.join(path))));
    }
    if let Some(Text(url)) = &raw.syslog {
        let listen = Listen::parse(url)
            .map_err(|expected| fault(&format!("{key}.syslog"), expected, &shown(url)))?;
        return Ok((url.clone(), Origin::Syslog(listen)));
    }
    let Some(path) = &raw.path else { return Err(fault(&format!("{key}.path"), one, "nothing")) };
    let path = not_empty(path, &format!("{key}.path"), "a path or a pattern")?;
    if !path.contains(['*', '?', '[']) {
        return Ok((path.to_owned(), Origin::Path(base.join(path))));
    }
    let pattern = base.join(path).to_string_lossy().into_owned();
    glob::Pattern::new(&pattern)
        .map_err(|_| fault(&format!("{key}.path"), "a pattern of * ? [...] **", &shown(path)))?;
    Ok((path.to_owned(), Origin::Glob(pattern)))
}

fn journal_filter(raw: &super::raw::Source, key: &str, base: &Path) -> Result<Filter, Fault> {
    let list = |list: &Option<List<Text>>, name: &str, expected: &str| match list {
        Some(list) => texts(list, &format!("{key}.{name}"), expected),
        None => Ok(Vec::new()),
    };
    let directory = match &raw.journal_directory {
        Some(path) => {
            Some(base.join(not_empty(path, &format!("{key}.journal_directory"), "a path")?))
        }
        None => None,
    };
    Ok(Filter {
        directory,
        mail_only: flag(raw.journal_mail_only.as_ref(), false),
        units: list(&raw.journal_units, "journal_units", "the name of a unit")?,
        identifiers: list(&raw.journal_identifiers, "journal_identifiers", "an identifier")?,
    })
}

fn files(
    raw: Option<&List<Text>>,
    key: &str,
    base: &Path,
) -> Result<Vec<std::path::PathBuf>, Fault> {
    let Some(list) = raw else { return Ok(Vec::new()) };
    Ok(texts(list, key, "a path")?.into_iter().map(|path| base.join(path)).collect())
}

fn texts(List(items): &List<Text>, key: &str, expected: &str) -> Result<Vec<String>, Fault> {
    let items = items.iter().enumerate();
    items
        .map(|(at, item)| not_empty(item, &format!("{key}[{at}]"), expected).map(ToOwned::to_owned))
        .collect()
}

fn not_empty<'t>(Text(text): &'t Text, key: &str, expected: &str) -> Result<&'t str, Fault> {
    if text.is_empty() { Err(fault(key, expected, "an empty string")) } else { Ok(text) }
}

fn flag(raw: Option<&Flag>, default: bool) -> bool {
    raw.map_or(default, |Flag(flag)| *flag)
}

fn count(
    raw: Option<&Count>,
    key: &str,
    range: &std::ops::RangeInclusive<usize>,
    default: usize,
) -> Result<usize, Fault> {
    let Some(Count(number)) = raw else { return Ok(default) };
    usize::try_from(*number).ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        fault(key, &expected, &number.to_string())
    })
}

fn fault(key: &str, expected: &str, found: &str) -> Fault {
    Fault { key: key.to_owned(), expected: expected.to_owned(), found: found.to_owned() }
}

/// A value between quotes, cut where it is long.
fn shown(text: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    let cut: String = text.chars().take(CHARACTERS_MAX).collect();
    let more = if cut.len() < text.len() { "..." } else { "" };
    format!("{cut:?}{more}")
}
