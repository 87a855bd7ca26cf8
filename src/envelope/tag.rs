//! What stands between the time stamp and the message: host, program and process.

use super::Family;

/// The longest host name (RFC 1035 §2.3.4) and the longest program name that are taken for one.
const NAME_MAX: usize = 255;
/// The longest process id.
const PID_MAX: usize = 20;
/// How many bytes of a name that was seen are remembered, with the byte that ends it.
const REMEMBERED: usize = 32;
/// How many programs are remembered: those that write nearly all lines of a mail log.
const PROGRAMS_REMEMBERED: usize = 6;

/// The beginning of a text that was seen before, and is recognised at the price of a few vector
/// instructions.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    bytes: [u8; REMEMBERED],
    /// `0xff` where a byte counts.
    mask: [u8; REMEMBERED],
    /// 0 before there is anything.
    length: usize,
}

impl Known {
    /// `None` if it is too long to be remembered.
    fn new(beginning: &[u8]) -> Option<Self> {
        let mut known = Self { length: beginning.len(), ..Self::default() };
        known.bytes.get_mut(..beginning.len())?.copy_from_slice(beginning);
        known.mask.get_mut(..beginning.len())?.fill(u8::MAX);
        Some(known)
    }

    #[inline]
    fn begins(&self, text: &[u8]) -> bool {
        let Some(text) = text.first_chunk::<REMEMBERED>() else { return false };
        // No early exit: the compiler makes a few vector instructions of this.
        let mut wrong = 0;
        for ((byte, wanted), mask) in text.iter().zip(&self.bytes).zip(&self.mask) {
            wrong |= (byte ^ wanted) & mask;
        }
        wrong == 0 && self.length > 0
    }
}

/// The last host name, which needs no second look.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// The name and the space after it.
    known: Known,
}

impl Host {
    /// The host name at the start of `text`, and what follows the space after it.
    ///
    /// It is a name or an address. Nothing else may stand there: files of other kinds begin with a
    /// time stamp too.
    #[inline]
    pub(super) fn cut<'a>(
        &mut self,
        text: &'a [u8],
        family: Family,
    ) -> Option<(&'a [u8], &'a [u8])> {
        if self.known.begins(text) {
            let length = self.known.length;
            return Some((text.get(..length - 1)?, text.get(length..)?));
        }
        self.cut_anew(text, family)
    }

    /// What follows the host name and its space, if it is the one that is remembered.
    #[inline]
    pub(super) fn skip<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        if self.known.begins(text) { text.get(self.known.length..) } else { None }
    }

    #[inline(never)]
    fn cut_anew<'a>(&mut self, text: &'a [u8], family: Family) -> Option<(&'a [u8], &'a [u8])> {
        let (host, rest) = new_host(text, family)?;
        if !host.is_empty()
            && let Some(known) = text.get(..=host.len()).and_then(Known::new)
        {
            self.known = known;
        }
        Some((host, rest))
    }
}

/// Says at a glance that a message of one program is never counted.
pub type Skim = fn(&[u8]) -> bool;

/// The programs that wrote the last lines.
#[derive(Debug, Default)]
pub(super) struct Programs {
    known: [Program; PROGRAMS_REMEMBERED],
    next: usize,
}

#[derive(Debug, Default)]
struct Program {
    /// Its name with the bracket after it.
    tag: Known,
    skim: Option<Skim>,
}

impl Programs {
    /// Program, process id and message of `program[pid]: message` or `program: message`.
    #[inline]
    pub(super) fn cut<'a>(
        &mut self,
        text: &'a [u8],
        skims: fn(&[u8]) -> Option<Skim>,
    ) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        for Program { tag, .. } in &self.known {
            if tag.begins(text) {
                let program = text.get(..tag.length - 1)?;
                let (pid, message) = process(text.get(tag.length..)?)?;
                return Some((program, pid, message));
            }
        }
        self.cut_anew(text, skims)
    }

    /// Whether `program[pid]: message` is of a program that is remembered, and never counted.
    #[inline]
    pub(super) fn skim(&self, text: &[u8]) -> bool {
        let skimmed =
            self.known.iter().find(|program| program.tag.begins(text)).and_then(|program| {
                let (_, message) = process(text.get(program.tag.length..)?)?;
                Some((program.skim?)(message))
            });
        skimmed == Some(true)
    }

    #[inline(never)]
    fn cut_anew<'a>(
        &mut self,
        text: &'a [u8],
        skims: fn(&[u8]) -> Option<Skim>,
    ) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        let found = tagged(text)?;
        let (program, ..) = found;
        let beginning = text
            .get(..=program.len())
            .filter(|beginning| beginning.ends_with(b"[") && beginning.starts_with(program));
        if let Some(tag) = beginning.and_then(Known::new) {
            if let Some(slot) = self.known.get_mut(self.next) {
                *slot = Program { tag, skim: skims(program) };
            }
            self.next = (self.next + 1) % PROGRAMS_REMEMBERED;
        }
        Some(found)
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
    let end = memchr::memchr(b' ', near)?;
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
            let (pid, message) = process(rest.get(1..)?)?;
            Some((program, pid, message))
        }
        b':' => {
            let message = rest.strip_prefix(b": ").or_else(|| rest.strip_prefix(b":"))?;
            Some((program, b"", message))
        }
        _ => None,
    }
}

/// Process id and message of `pid]: message`.
#[inline]
fn process(text: &[u8]) -> Option<(&[u8], &[u8])> {
    // A process id is a few bytes: a loop is faster than a search.
    let end = text.iter().take(PID_MAX).position(|byte| *byte == b']')?;
    let (pid, rest) = (text.get(..end)?, text.get(end + 1..)?);
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    Some((pid, rest.strip_prefix(b" ").unwrap_or(rest)))
}

/// A program's name, and what follows it. A message that starts with a bracket has none before it.
fn name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let near = text.get(..=NAME_MAX).unwrap_or(text);
    let end = memchr::memchr3(b'[', b':', b' ', near)?;
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
