//! The daemon's own log, on standard error: `logfmt`, as other exporters write it, or JSON.

use std::fmt;
use std::io;

use clap::{Args, ValueEnum};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// The least important messages to log
    #[arg(
        long = "log.level",
        value_enum,
        default_value_t = Level::Info,
        env = "MTA_EXPORTER_LOG_LEVEL"
    )]
    level: Level,
    /// How to write them
    #[arg(
        long = "log.format",
        value_enum,
        default_value_t = Format::Text,
        env = "MTA_EXPORTER_LOG_FORMAT"
    )]
    format: Format,
}

impl Arguments {
    /// Warnings and errors only: for commands that print something else.
    pub(super) fn warnings() -> Self {
        Self { level: Level::Warn, format: Format::Text }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Words with names: ts=... level=info msg="..."
    Text,
    /// One object on each line
    Json,
}

/// Begins to log. Called once, before there is another thread.
pub(super) fn start(arguments: &Arguments) {
    let level = match arguments.level {
        Level::Debug => LevelFilter::DEBUG,
        Level::Info => LevelFilter::INFO,
        Level::Warn => LevelFilter::WARN,
        Level::Error => LevelFilter::ERROR,
    };
    let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
    let registry = tracing_subscriber::registry().with(ours);
    let started = match arguments.format {
        Format::Text => {
            registry.with(layer().event_format(Logfmt).with_writer(io::stderr)).try_init()
        }
        Format::Json => registry
            .with(layer().json().flatten_event(true).with_target(false).with_writer(io::stderr))
            .try_init(),
    };
    debug_assert!(started.is_ok(), "{started:?}");
}

/// `ts=2026-01-31T12:00:00.000000Z level=info msg="source is up" source=mail`
struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str("ts=")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, " level={}", event.metadata().level().as_str().to_ascii_lowercase())?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        writeln!(writer, "{}{}", fields.message, fields.others)
    }
}

/// The message first, whatever the order in which fields come.
#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        if field.name() == "message" {
            self.message = format!(" msg={}", quoted(&value));
        } else {
            self.others.extend([" ", field.name(), "=", &quoted(&value)]);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.others.extend([" ", field.name(), "=", &quoted(value)]);
    }
}

/// A value, between quotes unless it is one plain word. Nothing in it can end the line.
fn quoted(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'=' | b'\\');
    let is_word = !value.is_empty() && value.bytes().all(plain);
    if is_word { value.to_owned() } else { format!("{value:?}") }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_value_cannot_forge_a_field_or_a_line() {
        assert_eq!(quoted("/var/log/mail.log"), "/var/log/mail.log");
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted("a level=error"), "\"a level=error\"");
        assert_eq!(quoted("a=b"), "\"a=b\"");
        assert_eq!(quoted("say \"no\"\n"), r#""say \"no\"\n""#);
    }
}
