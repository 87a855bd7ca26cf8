//! An explanation as a person reads it: a short page, as wide as the terminal allows.

use std::io::{self, IsTerminal, Write};

use super::advice::Explanation;
use super::input::Bare;

/// The narrowest and the widest page, in characters.
const WIDTH: (usize, usize) = (40, 92);
/// The width where nobody tells.
const WIDTH_UNKNOWN: usize = 80;
/// Where texts begin: after two spaces and a label.
const INDENT: usize = 11;
/// How much of a reply is shown, in characters.
const REPLY_SHOWN: usize = 400;

/// How to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    width: usize,
    colour: bool,
    /// Whether a page was written before.
    begun: bool,
}

/// How a word stands out, as an ANSI sequence.
#[derive(Clone, Copy)]
enum Style {
    Bold,
    Dim,
    Good,
    Bad,
    Worse,
}

impl Style {
    const fn sequence(self) -> &'static str {
        match self {
            Self::Bold => "\x1b[1m",
            Self::Dim => "\x1b[2m",
            Self::Good => "\x1b[1;32m",
            Self::Bad => "\x1b[1;33m",
            Self::Worse => "\x1b[1;31m",
        }
    }
}

impl Page {
    /// As standard output has it: colour only on a terminal, and not where `NO_COLOR` forbids it.
    pub(super) fn of_terminal() -> Self {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        let terminal = io::stdout().is_terminal();
        Self::new(width.filter(|_| terminal), terminal && !forbidden)
    }

    pub(super) fn new(width: Option<usize>, colour: bool) -> Self {
        let width = width.unwrap_or(WIDTH_UNKNOWN).clamp(WIDTH.0, WIDTH.1);
        Self { width, colour, begun: false }
    }

    /// Writes one page; an empty line stands between two.
    pub(super) fn write(&mut self, page: &Explanation, out: &mut impl Write) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            writeln!(out)?;
        }
        self.headline(page, out)?;
        if let Some(advice) = &page.advice {
            writeln!(out)?;
            self.row("Meaning", &advice.meaning, out)?;
            self.row("Cause", &advice.typical_cause, out)?;
            self.row("Remedy", &advice.remedy, out)?;
            if let Some(retry) = page.retry {
                self.row("Retry", retry.sentence(), out)?;
            }
        }
        let postmaster = page.provider.as_ref().and_then(|row| row.postmaster.as_deref());
        if let Some(url) = postmaster.filter(|_| page.object.code_class != Some("2xx")) {
            self.row("Read", url, out)?;
        }
        let mut below = Vec::new();
        for (label, about) in &page.codes {
            self.row(label, about, &mut below)?;
        }
        if let Some(source) = &page.source {
            self.row("Source", source, &mut below)?;
        }
        self.decision(page, &mut below)?;
        if below.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        out.write_all(&below)
    }

    /// What it is, in one line.
    fn headline(&self, page: &Explanation, out: &mut impl Write) -> io::Result<()> {
        let object = &page.object;
        let code = object.code.map(|code| code.to_string());
        let mut title: Vec<String> = Vec::new();
        title.extend(code);
        title.extend(object.enhanced.as_deref().map(str::to_owned));
        match &page.bare {
            Some(Bare::Word(word)) => title.push(word.clone()),
            Some(Bare::Reason(reason)) => title.push(reason.to_string()),
            Some(Bare::Code(_) | Bare::Enhanced(_) | Bare::Cause(_)) | None => {}
        }
        if title.is_empty() {
            title.extend(object.cause.map(str::to_owned));
        }
        let (verb, style) = verb(page);
        let title = title.join(" ");
        if !title.is_empty() {
            write!(out, "{}  ", self.styled(&title, style))?;
        }
        write!(out, "{}", self.styled(verb, Style::Bold))?;
        let inbound = object.kind == Some("inbound_reject");
        let by = page.provider.as_ref().map(|row| row.name.as_str());
        if let Some(by) = by.or(inbound.then_some("our own server")) {
            let preposition = if object.code_class == Some("none") { "from" } else { "by" };
            write!(out, " {preposition} {}", self.styled(by, Style::Bold))?;
        }
        writeln!(out)
    }

    /// What is counted for it, and which rule says so.
    fn decision(&self, page: &Explanation, out: &mut impl Write) -> io::Result<()> {
        let object = &page.object;
        if let Some(reason) = object.reason.filter(|_| !matches!(page.bare, Some(Bare::Reason(_))))
        {
            let kind = object.bounce_kind.map(|kind| format!("; as a bounce: {kind}"));
            self.row("Reason", &format!("{reason}{}", kind.unwrap_or_default()), out)?;
        }
        if let Some(list) = &object.list {
            self.row("List", list, out)?;
        }
        if let Some(rule) = &object.rule {
            self.row("Rule", rule, out)?;
        }
        if object.kind.is_some() {
            self.row("Line", &line(page), out)?;
        }
        if let Some(text) =
            object.text.as_deref().filter(|text| page.bare.is_none() && !text.is_empty())
        {
            let shown: String = text.chars().take(REPLY_SHOWN).collect();
            let cut = if shown.len() < text.len() { " …" } else { "" };
            self.row("Text", &format!("{shown}{cut}"), out)?;
        }
        Ok(())
    }

    /// A label and a text, which goes on below itself.
    fn row(&self, label: &str, text: &str, out: &mut impl Write) -> io::Result<()> {
        let room = INDENT.saturating_sub(2 + label.chars().count()).max(2);
        write!(out, "  {}{:room$}", self.styled(label, Style::Dim), "")?;
        let mut column = INDENT;
        for (at, word) in text.split_whitespace().enumerate() {
            let length = word.chars().count();
            if at > 0 && column + 1 + length > self.width {
                write!(out, "\n{:INDENT$}", "")?;
                column = INDENT;
            } else if at > 0 {
                write!(out, " ")?;
                column += 1;
            }
            write!(out, "{word}")?;
            column += length;
        }
        writeln!(out)
    }

    fn styled(&self, text: &str, style: Style) -> String {
        if self.colour { format!("{}{text}\x1b[0m", style.sequence()) } else { text.to_owned() }
    }
}

/// What happened, in two or three words.
fn verb(page: &Explanation) -> (&'static str, Style) {
    let object = &page.object;
    match (object.code_class, object.code) {
        (Some("2xx"), _) => ("accepted", Style::Good),
        (Some("4xx"), _) => ("refused for now", Style::Bad),
        (Some("5xx"), _) => ("refused for good", Style::Worse),
        (Some(_), Some(..200)) => ("not a reply", Style::Bad),
        (Some(_), Some(_)) => ("go on", Style::Good),
        (Some(_), None) => ("no reply", Style::Bad),
        (None, _) => match (&page.bare, object.kind) {
            (Some(Bare::Reason(_)), _) => ("a reason", Style::Bold),
            (Some(_), _) => ("said", Style::Bad),
            (None, Some("suspended")) => {
                ("no attempt: an old failure stands, or a probe", Style::Bold)
            }
            (None, Some("local")) => ("a delivery that stayed on this machine", Style::Bold),
            (None, Some("state")) => ("a line that only helps to understand others", Style::Bold),
            (None, Some("unreadable")) => ("a line that could not be understood", Style::Bold),
            (None, Some("delivery")) => ("given up", Style::Worse),
            (None, Some(_)) => ("a line that says nothing of a delivery", Style::Bold),
            (None, None) => ("neither a code, a reply nor a log line", Style::Bold),
        },
    }
}

/// Where in the conversation, in the words of RFC 5321.
fn place(phase: &str) -> String {
    match phase {
        "connect" => "at the greeting".to_owned(),
        "mail" => "at MAIL FROM".to_owned(),
        "rcpt" => "at RCPT TO".to_owned(),
        "end_of_data" => "at the end of the data".to_owned(),
        command => format!("at {}", command.to_ascii_uppercase()),
    }
}

/// What else a log line tells.
fn line(page: &Explanation) -> String {
    let object = &page.object;
    let mut parts: Vec<String> = Vec::new();
    let kind = object.kind.unwrap_or_default().replace('_', " ");
    parts.push(format!("{} {kind}", object.dialect.unwrap_or_default()).trim().to_owned());
    parts.extend(object.outcome.map(str::to_owned));
    parts.extend(object.phase.map(place));
    let host = object.relay_host.as_deref().map(str::to_owned);
    let relay = host.or_else(|| object.relay_ip.as_deref().map(str::to_owned));
    parts.extend(relay.map(|relay| format!("relay {relay}")));
    let domain = object.recipient_domain.as_deref();
    parts.extend(domain.map(|domain| format!("recipient at {domain}")));
    parts.extend(object.delay_seconds.map(|seconds| format!("after {seconds:.1} s")));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::object::Object;

    fn written(mut page: Page) -> String {
        let object = Object {
            code: Some(550),
            code_class: Some("5xx"),
            text: Some("a ".repeat(600).into()),
            ..Object::default()
        };
        let explanation = Explanation {
            object,
            bare: None,
            advice: None,
            retry: None,
            source: None,
            codes: Vec::new(),
            provider: None,
        };
        let mut out = Vec::new();
        page.write(&explanation, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_page_is_as_wide_as_the_terminal_within_reason() {
        for (terminal, width) in [(None, 80), (Some(10), 40), (Some(60), 60), (Some(300), 92)] {
            let page = written(Page::new(terminal, false));
            let widest = page.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= width && widest + 2 > width, "{widest} of {width}");
            assert!(page.ends_with(" \u{2026}\n"), "a long text is cut");
        }
    }

    #[test]
    fn colour_is_there_only_where_it_is_wanted() {
        assert!(!written(Page::new(None, false)).contains('\x1b'));
        let page = written(Page::new(None, true));
        assert!(page.starts_with("\x1b[1;31m550\x1b[0m  "), "{page:.60}");
    }
}
