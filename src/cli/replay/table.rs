//! What a person wants to know of a log, on one screen.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::ledger::{Ledger, Row, Series};
use crate::mta::LineKind;
use crate::reason::{Classifier, Template};
use crate::smtp::CodeClass;
use crate::telemetry::mask;

/// How many codes or providers are named in one row.
const NAMED: usize = 4;
/// How many rows a list has.
const ROWS: usize = 12;

/// Counts by label value.
type Counts = BTreeMap<String, u64>;

/// Writes all of it.
pub(super) fn write(
    out: &mut impl Write,
    ledger: &Ledger,
    classifier: &Classifier,
) -> io::Result<()> {
    let summary = Summary::new(ledger);
    write_replies(out, &summary)?;
    write_outcomes(out, &summary)?;
    write_by_provider(out, "refused or failed because of", &summary.reasons)?;
    write_by_provider(out, "no connection because of", &summary.failures)?;
    write_inbound(out, ledger)?;
    write_lines(out, ledger)?;
    write_unclassified(out, &classifier.unclassified_templates())
}

/// The counters in the order of the page.
#[derive(Debug, Default)]
struct Summary {
    /// By provider, the one with the most replies first.
    replies: Vec<(String, Replies)>,
    outcomes: Counts,
    bounces: Counts,
    /// By reason, and by cause of failed connections: how many at each provider.
    reasons: BTreeMap<String, Counts>,
    failures: BTreeMap<String, Counts>,
}

#[derive(Debug, Default)]
struct Replies {
    /// By class, in the order of [`CodeClass::ALL`].
    classes: [u64; CodeClass::ALL.len()],
    codes: Counts,
}

impl Summary {
    fn new(ledger: &Ledger) -> Self {
        let mut summary = Self::default();
        for row in ledger.rows() {
            let replies = summary.add(row);
            if replies.all() > 0 {
                summary.replies.push((row.name().to_owned(), replies));
            }
        }
        summary.replies.sort_by_key(|(name, replies)| (Reverse(replies.all()), name.clone()));
        summary
    }

    /// Adds the counters of one provider, and returns its replies.
    fn add(&mut self, row: &Row) -> Replies {
        let mut replies = Replies::default();
        for (cell, value) in row.cells().filter(|(_, value)| *value > 0) {
            let provider = row.name().to_owned();
            match cell.series() {
                Series::Reply(class, code) => {
                    let code = code.map_or("none".to_owned(), |code| code.to_string());
                    replies.add(class, code, value);
                }
                Series::OtherReply(class) => replies.add(class, "other".to_owned(), value),
                Series::Delivery(outcome) => add(&mut self.outcomes, outcome.as_str(), value),
                Series::Bounce(kind) => add(&mut self.bounces, kind.as_str(), value),
                Series::Refusal(reason) => {
                    add(self.reasons.entry(reason.to_string()).or_default(), &provider, value);
                }
                Series::ConnectionFailure(cause) => {
                    add(self.failures.entry(cause.to_string()).or_default(), &provider, value);
                }
                Series::Phase(_) | Series::List(_) => {}
            }
        }
        replies
    }
}

impl Replies {
    fn add(&mut self, class: CodeClass, code: String, value: u64) {
        if let Some(count) = self.classes.get_mut(class as usize) {
            *count += value;
        }
        *self.codes.entry(code).or_default() += value;
    }

    fn all(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// The row of this provider.
    fn row(&self, name: &str) -> Vec<String> {
        let [accepted, ..] = self.classes;
        let mut row = vec![name.to_owned()];
        row.extend(self.classes.iter().map(u64::to_string));
        row.extend([percent(accepted, self.all()), most(&self.codes)]);
        row
    }
}

fn add(counts: &mut Counts, label: &str, value: u64) {
    *counts.entry(label.to_owned()).or_default() += value;
}

fn write_replies(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let mut all = Replies::default();
    for (_, replies) in &summary.replies {
        for (count, more) in all.classes.iter_mut().zip(replies.classes) {
            *count += more;
        }
        for (code, count) in &replies.codes {
            add(&mut all.codes, code, *count);
        }
    }
    if all.all() == 0 {
        return writeln!(out, "No replies of remote servers.\n");
    }
    let heads = ["provider", "2xx", "4xx", "5xx", "none", "accepted", "most frequent codes"];
    let mut grid = Grid::new(&heads, &[1, 2, 3, 4, 5]);
    for (name, replies) in &summary.replies {
        grid.row(replies.row(name));
    }
    if summary.replies.len() > 1 {
        grid.row(all.row("all"));
    }
    grid.write(out)
}

fn write_outcomes(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    if !summary.outcomes.is_empty() {
        writeln!(out, "Recipients: {}", listed(&summary.outcomes))?;
    }
    if !summary.bounces.is_empty() {
        writeln!(out, "Given up:   {}", listed(&summary.bounces))?;
    }
    if summary.outcomes.is_empty() { Ok(()) } else { writeln!(out) }
}

fn write_by_provider(
    out: &mut impl Write,
    head: &str,
    counts: &BTreeMap<String, Counts>,
) -> io::Result<()> {
    if counts.is_empty() {
        return Ok(());
    }
    let sum = |counts: &Counts| counts.values().sum::<u64>();
    let all: u64 = counts.values().map(sum).sum();
    let mut rows: Vec<_> = counts.iter().collect();
    rows.sort_by_key(|(label, counts)| (Reverse(sum(counts)), *label));
    let mut grid = Grid::new(&[head, "times", "share", "most at"], &[1, 2]);
    for (label, counts) in rows {
        let count = sum(counts);
        grid.row(vec![label.clone(), count.to_string(), percent(count, all), most(counts)]);
    }
    grid.write(out)
}

fn write_inbound(out: &mut impl Write, ledger: &Ledger) -> io::Result<()> {
    let mut rows: Vec<_> = ledger.inbound().iter().filter(|(_, count)| **count > 0).collect();
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_by_key(|(inbound, count)| (Reverse(**count), **inbound));
    let mut grid = Grid::new(&["our own refusals of clients", "code", "times"], &[1, 2]);
    for (inbound, count) in rows.iter().take(ROWS) {
        let code = inbound.code.map_or("none".to_owned(), |code| code.to_string());
        grid.row(vec![inbound.reason.to_string(), code, count.to_string()]);
    }
    let rest: u64 = rows.iter().skip(ROWS).map(|(_, count)| **count).sum();
    if rest > 0 {
        grid.row(vec!["others".to_owned(), String::new(), rest.to_string()]);
    }
    grid.write(out)
}

fn write_lines(out: &mut impl Write, ledger: &Ledger) -> io::Result<()> {
    let mut kinds = Counts::new();
    for source in ledger.sources() {
        for (kind, lines) in LineKind::LABELS.iter().zip(source.lines) {
            add(&mut kinds, kind, lines);
        }
    }
    let unreadable = kinds.get("unreadable").copied().unwrap_or(0);
    kinds.retain(|kind, lines| *lines > 0 || kind == "unreadable");
    let all: u64 = kinds.values().sum();
    writeln!(out, "Lines: {all}, of which {}", listed(&kinds))?;
    if all > 0 && kinds.get("irrelevant") == Some(&all) {
        writeln!(out, "None of them is of a mail server whose log can be read; see --dialect.")?;
    }
    if unreadable > 0 {
        writeln!(out, "To see what was unreadable: --output json, kind \"unreadable\".")?;
    }
    Ok(())
}

/// The replies that rules are missing for.
fn write_unclassified(out: &mut impl Write, templates: &[Template]) -> io::Result<()> {
    if templates.is_empty() {
        return Ok(());
    }
    let mut grid = Grid::new(&["times", "most frequent replies that no rule knows"], &[0]);
    for template in templates.iter().take(ROWS) {
        // A count that may be too large says so.
        let about = if template.error > 0 { "<=" } else { "" };
        let text = mask(template.text.as_bytes());
        grid.row(vec![format!("{about}{}", template.count), text]);
    }
    writeln!(out)?;
    grid.write(out)
}

/// `250: 12, 421: 3, ...`, the most frequent ones.
fn most(counts: &Counts) -> String {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(label, count)| (Reverse(**count), *label));
    let named = sorted.iter().take(NAMED).map(|(label, count)| format!("{label}: {count}"));
    let more = (sorted.len() > NAMED).then(|| "...".to_owned());
    named.chain(more).collect::<Vec<_>>().join(", ")
}

/// `12 delivered, 3 deferred`, the most frequent ones first.
fn listed(counts: &Counts) -> String {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(label, count)| (Reverse(**count), *label));
    let items = sorted.iter().map(|(label, count)| format!("{count} {label}"));
    items.collect::<Vec<_>>().join(", ")
}

/// A share with one digit, rounded down so that only all is 100 %.
fn percent(part: u64, all: u64) -> String {
    if all == 0 {
        return "-".to_owned();
    }
    let permille = u128::from(part) * 1000 / u128::from(all);
    format!("{}.{}%", permille / 10, permille % 10)
}

/// Rows under heads, in columns that are as wide as they must be.
struct Grid {
    rows: Vec<Vec<String>>,
    /// The columns of numbers, which stand at the right.
    right: Vec<usize>,
}

impl Grid {
    fn new(heads: &[&str], right: &[usize]) -> Self {
        let heads = heads.iter().map(|head| (*head).to_owned()).collect();
        Self { rows: vec![heads], right: right.to_vec() }
    }

    fn row(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Writes it, and an empty line after it.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| {
                if self.right.contains(&at) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        writeln!(out)
    }
}
