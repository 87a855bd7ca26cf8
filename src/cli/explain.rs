//! `explain`: a code, a reply or a log line in plain words: what it means, why it comes, what to
//! do.
//!
//! It says of a log line what the daemon counts for it, by the very pipeline of the daemon. What
//! only `explain` knows, who wrote a reply that nobody gave a host for, is never counted.

mod advice;
mod input;
mod page;

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::object::Object;
use super::output::{Failure, stdout};
use super::tables;
use crate::attempt::{Answer, NoReply, Phase};
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::ledger::{Ledger, SourceId};
use crate::mta::{Dialects, LineKind, Reading};
use crate::pipeline::{Event, Observer, Pipeline, Stream};
use crate::provider::ProviderId;
use crate::reason::Refusal;
use crate::smtp::{CodeClass, EnhancedStatusCode, Reply, ReplyCode};
use crate::source::Chunks;
use crate::telemetry::mask;
use advice::Explanation;
use input::{Bare, Input};
use page::Page;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A code (421, 5.7.26, none, timeout), a reply or a log line; - reads one from each line of
    /// standard input
    #[arg(required = true, value_name = "TEXT")]
    text: Vec<OsString>,
    /// Print one object for each reading, for programs
    #[arg(long)]
    json: bool,
    /// Who answered, by its name in the label `provider`, instead of telling it by the text
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// The configuration whose tables to use, instead of the built-in ones
    #[arg(long = "config.file", value_name = "PATH")]
    config_file: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let config = match &arguments.config_file {
        Some(path) => Config::load(Some(path), [])?,
        None => Config::default(),
    };
    let mut explainer = Explainer::new(&config, arguments.provider.as_deref())?;
    let mut printer = Printer { out: stdout(), page: Page::of_terminal(), json: arguments.json };
    let understood = match arguments.text.as_slice() {
        [only] if only == "-" => {
            explainer.explain_lines(io::stdin().lock(), &config, &mut printer)?;
            true
        }
        words => {
            let words: Vec<Cow<'_, str>> =
                words.iter().map(|word| word.to_string_lossy()).collect();
            let explanations = explainer.explain(words.join(" ").as_bytes());
            printer.print(&explanations)?;
            explanations.iter().any(Explanation::is_understood)
        }
    };
    printer.out.flush()?;
    Ok(if understood { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where explanations go.
struct Printer<W> {
    out: W,
    page: Page,
    json: bool,
}

impl<W: Write> Printer<W> {
    fn print(&mut self, explanations: &[Explanation]) -> io::Result<()> {
        for explanation in explanations {
            if self.json {
                serde_json::to_writer(&mut self.out, &explanation.to_object())?;
                self.out.write_all(b"\n")?;
            } else {
                self.page.write(explanation, &mut self.out)?;
            }
        }
        Ok(())
    }
}

/// What was said, by a remote server, by an MTA or by the person who asks.
#[derive(Debug, Default)]
struct Said {
    object: Object<'static>,
    code: Option<ReplyCode>,
    enhanced: Option<EnhancedStatusCode>,
    cause: Option<NoReply>,
    phase: Option<Phase>,
    /// The words, unmasked.
    text: Vec<u8>,
    /// Nothing but a code, of which the table of codes is asked.
    bare: Option<Bare>,
    /// Whether a remote refused or did not answer, so that the rules are asked.
    refused: bool,
}

/// The pipeline, and what people are told about what comes out of it.
struct Explainer {
    pipeline: Pipeline,
    ledger: Ledger,
    source: SourceId,
    catalogue: Catalogue,
    provider: Option<ProviderId>,
}

impl Explainer {
    fn new(config: &Config, provider: Option<&str>) -> Result<Self, Failure> {
        let (providers, classifier) = tables::load(config)?;
        let provider = provider
            .map(|name| {
                providers.id(name).ok_or_else(|| {
                    let names = "expected a name of the table of providers, such as gmail";
                    Failure::usage(format_args!("--provider: {names}, but found {name:?}"))
                })
            })
            .transpose()?;
        let mut ledger = Ledger::new(&providers, config.limits.series_max);
        let source = ledger.source("explain");
        let pipeline = Pipeline::new(providers, classifier);
        Ok(Self { pipeline, ledger, source, catalogue: Catalogue::builtin(), provider })
    }

    /// Explains each line, one after the other, and prints it at once.
    fn explain_lines<W: Write>(
        &mut self,
        mut input: impl io::Read,
        config: &Config,
        printer: &mut Printer<W>,
    ) -> io::Result<()> {
        let mut chunks = Chunks::new(config.limits.line_bytes_max);
        while let Some(chunk) = chunks.next(&mut input)? {
            for line in chunk.lines.split(|byte| *byte == b'\n') {
                if !line.trim_ascii().is_empty() {
                    let explanations = self.explain(line);
                    printer.print(&explanations)?;
                }
            }
            printer.out.flush()?;
        }
        Ok(())
    }

    /// What there is to say about a text; a log line can have several readings.
    fn explain(&mut self, text: &[u8]) -> Vec<Explanation> {
        let text = text.trim_ascii();
        if let [b'X' | b'x', rest @ ..] = text {
            // The registry and RFC 3463 write X.1.1 for 4.1.1 and 5.1.1.
            let in_class = |class: u8| [&[class], rest].concat();
            let whole = |text: &Vec<u8>| {
                EnhancedStatusCode::parse(text).is_some_and(|(_, length)| length == text.len())
            };
            let both = [in_class(b'4'), in_class(b'5')];
            if both.iter().all(whole) {
                return both.iter().flat_map(|text| self.explain(text)).collect();
            }
        }
        let said = match Input::parse(text, &self.catalogue) {
            Input::Bare(bare) => vec![Said::code(bare)],
            Input::Reply(reply) => vec![Said::reply(&reply)],
            Input::Enhanced(enhanced) => vec![Said::enhanced(enhanced, text)],
            Input::Other => self.line(text).unwrap_or_else(|| vec![Said::words(text)]),
        };
        said.into_iter().map(|said| self.complete(said)).collect()
    }

    /// The readings of a log line; `None` if it is none.
    fn line(&mut self, line: &[u8]) -> Option<Vec<Said>> {
        let mut seen = Seen::default();
        // Each line stands for itself: what an earlier one said takes nothing away from it.
        let mut stream = Stream::new(self.source, None);
        let before = self.lines(LineKind::State);
        self.pipeline.feed(&mut stream, &mut self.ledger, line, &mut seen);
        self.pipeline.finish(&mut stream, &mut self.ledger, &mut seen);
        if !seen.said.is_empty() {
            return Some(seen.said);
        }
        let recognised = Dialects::new(None).recognise([line]);
        let dialect = recognised.first().and_then(|found| found.dialect)?;
        let state = self.lines(LineKind::State) != before;
        let kind = if state { LineKind::State } else { LineKind::Irrelevant };
        let object = Object {
            kind: Some(kind.as_str()),
            dialect: Some(dialect.as_str()),
            text: Some(mask(line).into()),
            ..Object::default()
        };
        Some(vec![Said { object, ..Said::default() }])
    }

    /// How many lines of a kind there were.
    fn lines(&self, kind: LineKind) -> Option<u64> {
        self.ledger.sources().first()?.lines.get(kind.index()).copied()
    }

    /// Adds who answered, what the rules say, and what that means.
    fn complete(&mut self, mut said: Said) -> Explanation {
        let text = String::from_utf8_lossy(&said.text).into_owned();
        let providers = self.pipeline.providers();
        let given = self.provider;
        let known = said.object.provider.as_deref().and_then(|name| providers.id(name));
        let marked = self.catalogue.marked(&text).and_then(|name| providers.id(name));
        let owner =
            advice::owner(&self.catalogue, said.bare.as_ref()).and_then(|id| providers.id(id));
        let provider = given.or(known).or(marked);
        if let Some(provider) = provider {
            said.object.provider = Some(Cow::Owned(providers.name(provider).to_owned()));
        }
        if said.refused && (given.is_some() || said.object.reason.is_none()) {
            let refusal = Refusal {
                provider: provider.or(owner).unwrap_or(ProviderId::OTHER),
                inbound: false,
                code: said.code,
                enhanced: said.enhanced,
                cause: said.cause,
                phase: said.phase,
                text: &said.text,
            };
            let classifier = self.pipeline.classifier_mut();
            let verdict = classifier.classify(&refusal);
            let mut object = said.object.clone();
            object.add_verdict(verdict, classifier);
            if object.outcome.is_none() && object.code_class == Some("5xx") {
                object.bounce_kind = Some(verdict.reason.bounce_kind().as_str());
            }
            said.object = object.into_owned();
        }
        Explanation::new(said, &text, &self.catalogue, self.pipeline.providers())
    }
}

/// Keeps each reading.
#[derive(Default)]
struct Seen {
    said: Vec<Said>,
}

impl Observer for Seen {
    fn observe(&mut self, event: &Event<'_>) {
        let object = Object::new(event).into_owned();
        let said = match event.reading {
            Some(Reading::Attempt(attempt)) => Said::answer(&attempt.answer, attempt.phase, object),
            Some(Reading::HostReply(reply)) => Said::answer(&reply.answer, reply.phase, object),
            Some(Reading::InboundReject(reject)) => Said {
                code: reject.reply.map(|reply| reply.code),
                enhanced: reject.reply.and_then(|reply| reply.enhanced),
                phase: reject.phase,
                text: reject.text.to_vec(),
                object,
                ..Said::default()
            },
            Some(Reading::Expiry(_) | Reading::Suspended(_) | Reading::Local(_)) | None => {
                Said { object, ..Said::default() }
            }
        };
        self.said.push(said);
    }
}

impl Said {
    fn answer(answer: &Answer<'_>, phase: Option<Phase>, object: Object<'static>) -> Self {
        let reply = answer.reply();
        Self {
            code: reply.map(|reply| reply.code),
            enhanced: reply.and_then(|reply| reply.enhanced),
            cause: answer.cause(),
            phase,
            text: answer.text().to_vec(),
            refused: object.reason.is_some(),
            object,
            ..Self::default()
        }
    }

    fn reply(reply: &Reply<'_>) -> Self {
        let class = reply.code.class();
        let mut object = Object {
            code_class: Some(class.as_str()),
            text: Some(mask(reply.text).into()),
            ..Object::default()
        };
        object.add_codes(reply);
        Self {
            code: Some(reply.code),
            enhanced: reply.enhanced,
            text: reply.text.to_vec(),
            refused: matches!(class, CodeClass::Transient | CodeClass::Permanent),
            object: object.into_owned(),
            ..Self::default()
        }
    }

    /// A reply of which somebody left the basic code away.
    fn enhanced(enhanced: EnhancedStatusCode, text: &[u8]) -> Self {
        let object = Object {
            enhanced: Some(enhanced.to_string().into()),
            code_class: Some(input::class(enhanced.class()).as_str()),
            text: Some(mask(text).into()),
            ..Object::default()
        };
        Self {
            enhanced: Some(enhanced),
            text: text.to_vec(),
            refused: enhanced.class() != 2,
            object,
            ..Self::default()
        }
    }

    fn code(bare: Bare) -> Self {
        let mut object = Object { code_class: bare.class(), ..Object::default() };
        let mut said = Self::default();
        match &bare {
            Bare::Code(name) => {
                said.code = ReplyCode::parse(name.as_bytes());
                object.code = name.parse().ok();
                said.text = name.clone().into_bytes();
            }
            Bare::Enhanced(enhanced) => {
                said.enhanced = Some(*enhanced);
                object.enhanced = Some(enhanced.to_string().into());
                said.text = enhanced.to_string().into_bytes();
            }
            Bare::Cause(cause) => {
                said.cause = Some(*cause);
                object.cause = Some(cause.as_str());
            }
            Bare::Word(word) => said.text = word.clone().into_bytes(),
            Bare::Reason(reason) => object.reason = Some(reason.as_str()),
        }
        let refuses = matches!(object.code_class, Some("4xx" | "5xx"));
        said.refused = refuses || said.cause.is_some();
        said.object = object;
        said.bare = Some(bare);
        said
    }

    /// Words that are neither reply nor log line: perhaps the description of a failure.
    fn words(text: &[u8]) -> Self {
        if let Some(reply) = input::quoted_reply(text) {
            return Self::reply(&reply);
        }
        if let Some(enhanced) = input::quoted_enhanced(text) {
            return Self::enhanced(enhanced, text);
        }
        let cause = crate::mta::named_cause(text);
        let object = Object {
            code_class: cause.map(|_| CodeClass::None.as_str()),
            cause: cause.map(NoReply::as_str),
            text: Some(mask(text).into()),
            ..Object::default()
        };
        let refused = cause.is_some();
        Self { cause, text: text.to_vec(), refused, object: object.into_owned(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests;
