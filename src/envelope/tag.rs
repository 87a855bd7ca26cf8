//! What stands between the time stamp and the message: host, program and process.

use super::Family;
use super::skim::Skim;
use super::template::Template;
use crate::scan;

/// The longest host name (RFC 1035 §2.3.4) and the longest program name that are taken for one.
const NAME_MAX: usize = 255;
/// The longest process id.
const PID_MAX: usize = 20;
/// How many programs are remembered: those that write nearly all lines of a mail log.
const PROGRAMS_REMEMBERED: usize = 8;

/// The programs that wrote the last lines.
#[derive(Debug)]
pub(super) struct Programs {
    known: [Tag; PROGRAMS_REMEMBERED],
    /// Where the next new one is put.
    next: usize,
    skims: fn(&[u8]) -> Option<&'static Skim>,
}

/// A program's name with the bracket after it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tag {
    template: Template<2>,
    /// How long the name is; 0 where there is none.
    length: usize,
    skim: Option<&'static Skim>,
}

impl Tag {
    /// How long the name is.
    #[inline]
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// What follows the line, if it is never counted; `text` is what begins with the tag.
    #[expect(clippy::inline_always, reason = "every line comes here")]
    #[inline(always)]
    pub(super) fn skim<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        self.skim?.over(text.get(self.length + 1..)?)
    }
}

impl Programs {
    pub(super) fn new(skims: fn(&[u8]) -> Option<&'static Skim>) -> Self {
        Self { known: Default::default(), next: 0, skims }
    }

    /// The program that wrote `program[pid]: message`, if it is remembered.
    #[expect(clippy::inline_always, reason = "every line comes here")]
    #[inline(always)]
    pub(super) fn known(&self, text: &[u8]) -> Option<&Tag> {
        let near = text.as_chunks().0.first_chunk()?;
        let known = self.known.iter().find(|tag| tag.template.begins_near(near));
        known.filter(|tag| tag.length > 0)
    }

    /// Program, process id and message of `program[pid]: message` or `program: message`.
    #[inline]
    pub(super) fn cut<'a>(&mut self, text: &'a [u8]) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        if let Some(tag) = self.known(text)
            && let Some((program, [_, rest @ ..])) = text.split_at_checked(tag.length)
            && let Some((pid, message)) = usual_process(rest)
        {
            return Some((program, pid, message));
        }
        self.cut_anew(text)
    }

    #[inline(never)]
    fn cut_anew<'a>(&mut self, text: &'a [u8]) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        let found = tagged(text)?;
        let (program, ..) = found;
        // A priority as a word may stand before the program, and then the text does not begin so.
        let begins = text.get(..=program.len()).filter(|tag| tag.ends_with(b"["));
        let begins = begins.filter(|tag| tag.starts_with(program));
        if let Some(template) = begins.and_then(|tag| Template::of(tag, 0)) {
            if let Some(known) = self.known.get_mut(self.next) {
                *known = Tag { template, length: program.len(), skim: (self.skims)(program) };
            }
            self.next = (self.next + 1) % PROGRAMS_REMEMBERED;
        }
        Some(found)
    }
}

/// The last host name, which needs no second look.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// The name and the space after it; empty before the first.
    name: Vec<u8>,
}

impl Host {
    /// The host name at the start of `text`, and what follows the space after it.
    ///
    /// It is a name or an address. Nothing else may stand there: files of other kinds begin with a
    /// time stamp too.
    pub(super) fn cut<'a>(
        &mut self,
        text: &'a [u8],
        family: Family,
    ) -> Option<(&'a [u8], &'a [u8])> {
        if let Some(known) = self.name.len().checked_sub(1)
            && let Some(rest) = text.strip_prefix(self.name.as_slice())
        {
            return Some((text.get(..known)?, rest));
        }
        let (host, rest) = new_host(text, family)?;
        if !host.is_empty() {
            self.name.clear();
            self.name.extend_from_slice(text.get(..=host.len())?);
        }
        Some((host, rest))
    }
}

/// The host name of a line from another host than the last one.
fn new_host(text: &[u8], family: Family) -> Option<(&[u8], &[u8])> {
    if family == Family::Structured
        && let Some(rest) = text.strip_prefix(b"- ")
    {
        return Some((b"", rest));
    }
    let (host, rest) = word(text)?;
    let first = host.first()?;
    let inside =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    // A word with a colon after it is a tag, or a module's name in a file without hosts.
    let tag = host.ends_with(b":") && !host.ends_with(b"::");
    (first.is_ascii_alphanumeric() && !tag && host.iter().all(inside)).then_some((host, rest))
}

/// What stands before the first space, and what after it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let near = text.get(..=NAME_MAX).unwrap_or(text);
    let end = scan::find(near, [b' '])?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// What [`Programs::cut`] finds, without its memory.
fn tagged(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (program, rest) = name(text)?;
    // syslogd of BusyBox has the priority as a word before the tag.
    let (program, rest) = match rest.split_first()? {
        (b' ', rest) if is_priority(program) => name(rest)?,
        _ => (program, rest),
    };
    match rest.first()? {
        b'[' => {
            let (pid, message) = process(rest)?;
            Some((program, pid, message))
        }
        b':' => {
            let message = rest.strip_prefix(b": ").or_else(|| rest.strip_prefix(b":"))?;
            Some((program, b"", message))
        }
        _ => None,
    }
}

/// Process id and message of `pid]: message`, if that is short enough to be found at a look.
#[inline]
pub(super) fn usual_process(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (pid, rest) = text.split_at_checked(scan::find_near::<1, _>(text, [b']'])?)?;
    Some((pid, rest.strip_prefix(b"]: ")?))
}

/// Process id and message of `[pid]: message`.
fn process(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let near = text.get(..PID_MAX).unwrap_or(text);
    let end = scan::find(near, [b']'])?;
    let (pid, rest) = (text.get(1..end)?, text.get(end + 1..)?);
    if let [b':', b' ', message @ ..] = rest {
        return Some((pid, message));
    }
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    Some((pid, rest.strip_prefix(b" ").unwrap_or(rest)))
}

/// A program's name, and what follows it. A message that starts with a bracket has none before it.
fn name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let near = text.get(..=NAME_MAX).unwrap_or(text);
    let end = scan::find(near, [b'[', b':', b' '])?;
    text.split_at_checked(end).filter(|(name, _)| !name.is_empty())
}

/// Whether the word is `mail.info` or the like.
fn is_priority(word: &[u8]) -> bool {
    const LEVELS: [&[u8]; 8] =
        [b"info", b"warn", b"err", b"notice", b"debug", b"crit", b"alert", b"emerg"];
    memchr::memchr(b'.', word).is_some_and(|dot| {
        let (facility, level) = word.split_at(dot);
        let level = level.strip_prefix(b".").unwrap_or_default();
        !facility.is_empty()
            && facility.iter().all(u8::is_ascii_alphanumeric)
            && LEVELS.contains(&level)
    })
}

/// Program, process id and message of what follows the host name in RFC 5424 §6:
/// `APP-NAME PROCID MSGID STRUCTURED-DATA MSG`.
pub(super) fn structured(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (program, rest) = word(text)?;
    let (pid, rest) = word(rest)?;
    let (_message_id, rest) = word(rest)?;
    let rest = rest.strip_prefix(b"-").or_else(|| elements(rest))?;
    // rsyslog keeps the space that stood before the message of RFC 3164, so there may be two.
    let message = rest.trim_ascii_start();
    if message.len() == rest.len() && !rest.is_empty() {
        return None;
    }
    let message = message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message);
    Some((not_nil(program), not_nil(pid), message))
}

/// The nil value stands for nothing.
pub(super) fn not_nil(value: &[u8]) -> &[u8] {
    if value == b"-" { b"" } else { value }
}

/// What follows the elements of structured data: `[id name="value"]`, one after the other, in whose
/// values a backslash takes its meaning from a quote and a bracket.
fn elements(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"[")?;
    let mut quoted = false;
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'\\' if quoted => rest = rest.get(1..)?,
            b'"' => quoted = !quoted,
            b']' if !quoted => match rest.strip_prefix(b"[") {
                Some(next) => rest = next,
                None => return Some(rest),
            },
            _ => {}
        }
    }
}

/// How often the message stands for itself, and the message without what syslog daemons put around
/// or before it.
#[inline]
pub(super) fn repeated(message: &[u8]) -> (u32, &[u8]) {
    match message.first() {
        Some(b'm') => folded(message).unwrap_or((1, message)),
        Some(b'[') => (1, without_message_id(message)),
        _ => (1, message),
    }
}

/// `message repeated 4 times: [ message]` of rsyslog and sysklogd. The bracket at the end may be cut
/// off.
fn folded(message: &[u8]) -> Option<(u32, &[u8])> {
    let rest = message.strip_prefix(b"message repeated ")?;
    // No syslog daemon waits for ten million lines before it says how many there were.
    let length = rest.iter().take(7).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at_checked(length)?;
    let times = digits.iter().fold(0, |times, digit| times * 10 + u32::from(digit - b'0'));
    let inner = rest.strip_prefix(b" times: [")?;
    let inner = inner.strip_prefix(b" ").unwrap_or(inner);
    (times > 0).then_some((times, inner.strip_suffix(b"]").unwrap_or(inner)))
}

/// `[ID 197553 mail.info] ` is a number of the message that syslogd of Solaris puts before it.
fn without_message_id(message: &[u8]) -> &[u8] {
    let inside = message.strip_prefix(b"[ID ").and_then(|rest| {
        let end = memchr::memchr(b']', rest.get(..64).unwrap_or(rest))?;
        rest.get(end + 1..)
    });
    inside.map_or(message, |rest| rest.strip_prefix(b" ").unwrap_or(rest))
}
