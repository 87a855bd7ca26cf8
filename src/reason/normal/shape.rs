//! What a run of bytes looks like: an address, a host, a URL, words.

use crate::scan;
use crate::smtp::ReplyCode;

pub(super) const SEPARATOR: u16 = 1;
pub(super) const LOWER: u16 = 2;
pub(super) const UPPER: u16 = 4;
pub(super) const DIGIT: u16 = 8;
pub(super) const DOT: u16 = 16;
pub(super) const AT: u16 = 32;
pub(super) const COLON: u16 = 64;
pub(super) const SLASH: u16 = 128;
pub(super) const HIGH: u16 = 256;
/// Punctuation that can stand within a word: `=`, `'` and the like.
pub(super) const JOINER: u16 = 512;
/// The same for host names: `-` and `_`.
pub(super) const NAME: u16 = 1024;

const CLASSES: [u16; 256] = classes();

/// What kind of byte it is.
pub(super) fn class(byte: u8) -> u16 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(SEPARATOR)
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const fn classes() -> [u16; 256] {
    let mut table = [SEPARATOR; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let kind = match byte as u8 {
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            b'.' => DOT,
            b'@' => AT,
            b':' => COLON,
            b'/' => SLASH,
            0x80.. => HIGH,
            b'-' | b'_' => NAME,
            b'=' | b'+' | b'#' | b'~' | b'%' | b'!' | b'?' | b'&' | b'$' | b'\'' | b'*' | b'^' => {
                JOINER
            }
            _ => SEPARATOR,
        };
        table[byte] = kind;
        byte += 1;
    }
    table
}

/// What follows what in a run of plain words, by twos: the state that a byte leads to from the state
/// of the byte before it, or [`STOP`].
///
/// One table, state by state, of a round length, so that no index is out of it.
const STATES: [u8; STATES_LENGTH] = states();
const STATES_LENGTH: usize = 4 * 256;
const AFTER_SPACE: u8 = 0;
const AFTER_UPPER: u8 = 1;
const AFTER_LOWER: u8 = 2;
const STOP: u8 = 3;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const fn states() -> [u8; STATES_LENGTH] {
    let mut table = [STOP; STATES_LENGTH];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        match byte as u8 {
            b'a'..=b'z' => {
                table[byte] = AFTER_LOWER;
                table[(AFTER_UPPER as usize) << 8 | byte] = AFTER_LOWER;
                table[(AFTER_LOWER as usize) << 8 | byte] = AFTER_LOWER;
            }
            b'A'..=b'Z' => {
                table[byte] = AFTER_UPPER;
                table[(AFTER_UPPER as usize) << 8 | byte] = AFTER_UPPER;
            }
            b' ' => {
                table[(AFTER_UPPER as usize) << 8 | byte] = AFTER_SPACE;
                table[(AFTER_LOWER as usize) << 8 | byte] = AFTER_SPACE;
            }
            _ => {}
        }
        byte += 1;
    }
    table
}

/// The run of plain words that begins at `start`: ASCII letters, no `aB` within a word, one space
/// between two words. Returns where it ends and where its last word, perhaps an empty one, begins.
pub(super) fn plain_run(text: &[u8], start: usize) -> (usize, usize) {
    let mut state = AFTER_SPACE;
    let mut word = start;
    let rest = text.get(start..).unwrap_or_default();
    for (length, &byte) in rest.iter().enumerate() {
        let place = (usize::from(state) << 8 | usize::from(byte)) % STATES_LENGTH;
        state = STATES.get(place).copied().unwrap_or(STOP);
        match state {
            STOP => return (start + length, word),
            AFTER_SPACE => word = start + length + 1,
            _ => {}
        }
    }
    (start + rest.len(), word)
}

/// How a piece hangs together with the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// Not at all, or by something that separates words.
    Apart,
    /// By a hyphen.
    Hyphen,
    /// By an apostrophe: the two are one word.
    Apostrophe,
}

/// Calls `take` for every run of letters and digits, split between `aB`; and says whether the run
/// is letters that make no words, as identifiers in base 64 do.
pub(super) fn for_each_piece(text: &[u8], mut take: impl FnMut(&[u8], Join, bool)) {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if class(byte) & (LOWER | UPPER | DIGIT | HIGH) == 0 {
            at += 1;
            continue;
        }
        let join = match at.checked_sub(1).and_then(|before| text.get(before)) {
            Some(b'-') if at > 1 => Join::Hyphen,
            Some(b'\'') if at > 1 => Join::Apostrophe,
            _ => Join::Apart,
        };
        let (run, kinds) = run(text.get(at..).unwrap_or_default());
        at += run.len();
        if kinds & UPPER == 0 || kinds & DIGIT != 0 {
            take(run, join, false);
            continue;
        }
        let turns = run.windows(2).filter(|pair| is_turn(pair)).count();
        let opaque = turns > 1 && run.len() < 3 * (turns + 1);
        if turns == 0 || opaque {
            take(run, join, opaque);
            continue;
        }
        let mut join = join;
        let mut start = 0;
        for (place, pair) in run.windows(2).enumerate() {
            // One small letter begins no word of its own: `rDNS`, `eMail`.
            if place > start && is_turn(pair) {
                take(run.get(start..=place).unwrap_or_default(), join, false);
                start = place + 1;
                join = Join::Apart;
            }
        }
        take(run.get(start..).unwrap_or_default(), join, false);
    }
}

/// The letters and digits that the text begins with, and of what kinds they are.
fn run(text: &[u8]) -> (&[u8], u16) {
    let mut kinds = 0;
    let length = text.iter().position(|byte| {
        let kind = class(*byte);
        let ends = kind & (LOWER | UPPER | DIGIT | HIGH) == 0;
        if !ends {
            kinds |= kind;
        }
        ends
    });
    (text.get(..length.unwrap_or(text.len())).unwrap_or_default(), kinds)
}

fn is_turn(pair: &[u8]) -> bool {
    matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase())
}

/// The chunk without the punctuation around it.
pub(super) fn trimmed(chunk: &[u8]) -> &[u8] {
    let inside = |byte: &u8| class(*byte) & (LOWER | UPPER | DIGIT | HIGH | AT) != 0;
    let Some(start) = chunk.iter().position(inside) else { return b"" };
    let end = chunk.iter().rposition(inside).map_or(0, |last| last + 1);
    chunk.get(start..end).unwrap_or_default()
}

/// A chunk with an address in it, taken apart: `rcpt:user@example.com:blocked` is `rcpt:`, the
/// address and `:blocked`.
pub(super) fn address(chunk: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let at = memchr::memchr(b'@', chunk).filter(|_| chunk.len() > 1)?;
    let start = memchr::memrchr(b':', chunk.get(..at)?).map_or(0, |colon| colon + 1);
    let (before, rest) = chunk.split_at_checked(start)?;
    let end = memchr::memchr(b':', rest).unwrap_or(rest.len());
    let (address, after) = rest.split_at_checked(end)?;
    Some((before, address, after))
}

/// Whether a byte ends a URL.
const URL_ENDS: [bool; 256] = url_ends();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const fn url_ends() -> [bool; 256] {
    let mut table = [true; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        table[byte as usize] = matches!(
            byte,
            b'<' | b'>'
                | b'"'
                | b'\''
                | b'`'
                | b'('
                | b')'
                | b'['
                | b']'
                | b'{'
                | b'}'
                | b'|'
                | b'\\'
        );
        byte += 1;
    }
    table
}

/// Where a URL begins in the text, and its length: one with a scheme, or a host with a path. It
/// must begin within the first `chunk` bytes, and may be longer than they are.
pub(super) fn url(text: &[u8], chunk: usize) -> Option<(usize, usize)> {
    let head = text.get(..chunk)?;
    let slash = memchr::memchr(b'/', head)?;
    let before = head.get(..slash)?;
    let scheme = head.get(slash + 1) == Some(&b'/') && before.ends_with(b":");
    let start = if scheme {
        let name = before.strip_suffix(b":")?;
        name.len() - name.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count()
    } else if is_host(before) {
        0
    } else {
        return None;
    };
    let url = text.get(start..)?;
    let ends = |byte: &u8| URL_ENDS.get(usize::from(*byte)) != Some(&false);
    let length = url.iter().position(ends).unwrap_or(url.len());
    let closing = url
        .get(..length)?
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b'.' | b',' | b';' | b':' | b'!' | b'?'));
    let length = length - closing.count();
    Some((start, length)).filter(|_| length > 4)
}

/// Whether it is an IP address, in dotted or colon form, perhaps with a prefix length or a port.
pub(super) fn is_ip(chunk: &[u8]) -> bool {
    let chunk = match chunk.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case(b"IPv6:") => chunk.get(5..).unwrap_or_default(),
        _ => chunk,
    };
    let dots = memchr::memchr_iter(b'.', chunk).count();
    if dots == 3 {
        let mut numbers = chunk.split(|byte| matches!(byte, b'.' | b':' | b'/' | b'#'));
        return numbers
            .all(|part| matches!(part.len(), 1..=5) && part.iter().all(u8::is_ascii_digit));
    }
    let colons = memchr::memchr_iter(b':', chunk).count();
    colons > 1
        && chunk
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'/' | b'%'))
        && (colons > 2 || chunk.windows(2).any(|pair| pair == b"::"))
}

/// Whether such a last label makes a name with one dot a host name; with two dots any two letters do
/// too.
fn is_top_level(label: &[u8]) -> bool {
    matches!(
        label,
        b"arpa"
            | b"biz"
            | b"cloud"
            | b"com"
            | b"corp"
            | b"edu"
            | b"email"
            | b"example"
            | b"gov"
            | b"home"
            | b"info"
            | b"int"
            | b"internal"
            | b"invalid"
            | b"lan"
            | b"local"
            | b"localdomain"
            | b"mail"
            | b"mil"
            | b"mobi"
            | b"name"
            | b"net"
            | b"online"
            | b"org"
            | b"pro"
            | b"shop"
            | b"site"
            | b"test"
            | b"xyz"
    )
}

/// Country codes that are English words too, so that `denied.to` is two words.
fn is_ambiguous(label: &[u8]) -> bool {
    matches!(
        label,
        b"am"
            | b"as"
            | b"at"
            | b"be"
            | b"by"
            | b"do"
            | b"hm"
            | b"id"
            | b"in"
            | b"is"
            | b"it"
            | b"me"
            | b"my"
            | b"no"
            | b"so"
            | b"to"
            | b"us"
    )
}

/// Whether it is a host name. Two sentences without a space between them (`rejected.See`) are none.
pub(super) fn is_host(chunk: &[u8]) -> bool {
    let chunk = trimmed(chunk);
    let port = chunk.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let chunk = match chunk.len().checked_sub(port + 1) {
        Some(colon) if port > 0 && chunk.get(colon) == Some(&b':') => {
            chunk.get(..colon).unwrap_or_default()
        }
        _ => chunk,
    };
    let Some(dot) = memchr::memrchr(b'.', chunk) else { return false };
    let (before, last) = chunk.split_at(dot);
    let last = last.get(1..).unwrap_or_default();
    let kinds = |text: &[u8]| text.iter().fold(0, |kinds, byte| kinds | class(*byte));
    if kinds(before) & !(LOWER | UPPER | DIGIT | DOT | NAME) != 0
        || kinds(last) & !(LOWER | UPPER) != 0
    {
        return false;
    }
    let capital = last.first().is_some_and(u8::is_ascii_uppercase);
    if capital && last.iter().skip(1).all(u8::is_ascii_lowercase) {
        let start = memchr::memrchr(b'.', before).map_or(0, |at| at + 1);
        if before.get(start).is_some_and(u8::is_ascii_lowercase) {
            return false;
        }
    }
    let mut lower = [0; 12];
    let Some(lower) = lower.get_mut(..last.len()) else { return false };
    lower.copy_from_slice(last);
    lower.make_ascii_lowercase();
    let two_dots = memchr::memchr(b'.', before).is_some();
    match lower.len() {
        2 => two_dots && before.len() > 4 || !is_ambiguous(lower),
        _ => is_top_level(lower),
    }
}

/// Whether qmail wrote it, which puts underscores for spaces.
fn is_underscored(text: &[u8]) -> bool {
    scan::find(text, [b' ']).is_none() && scan::has(text, b'_')
}

/// Undoes what an MTA did to the bytes: `\n`, octal escapes, HTML entities, qmail's underscores.
/// False, with nothing written, where there is nothing to undo.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> bool {
    let underscored = is_underscored(text);
    if !underscored && memchr::memchr2(b'\\', b'&', text).is_none() {
        return false;
    }
    let entity = memchr::memchr_iter(b'&', text).any(|at| entity(text, at).is_some());
    if !underscored && !entity && !scan::has(text, b'\\') {
        return false;
    }
    out.clear();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let next = text.get(at + 1).copied().unwrap_or_default();
        let (meant, length) = match byte {
            b'\\' => escape(text.get(at + 1..).unwrap_or_default(), next),
            b'&' => entity_or_itself(text, at),
            b'_' if underscored => (b' ', 1),
            b'/' if underscored && is_line_end(text.get(at + 1..).unwrap_or_default()) => {
                (b'\n', 1)
            }
            other => (other, 1),
        };
        out.push(meant);
        at += length;
    }
    true
}

/// The byte behind a backslash, and the length with it.
fn escape(rest: &[u8], next: u8) -> (u8, usize) {
    match (next, rest) {
        (b'n' | b'r' | b't', _) => (b'\n', 2),
        (b'\\', [_, b'n' | b'r', ..]) => (b'\n', 3),
        (b'0'..=b'3', [a, b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
            ((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'), 4)
        }
        _ => (b' ', 1),
    }
}

const ENTITIES: &[(&[u8], u8)] = &[
    (b"&lt;", b'<'),
    (b"&gt;", b'>'),
    (b"&amp;", b'&'),
    (b"&quot;", b'"'),
    (b"&apos;", b'\''),
    (b"&nbsp;", b' '),
    (b"&#39;", b'\''),
    (b"&#x27;", b'\''),
    (b"&#34;", b'"'),
    (b"&#60;", b'<'),
    (b"&#62;", b'>'),
];

fn entity(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let rest = text.get(at..)?;
    let found = ENTITIES.iter().find(|(name, _)| rest.starts_with(name))?;
    Some((found.1, found.0.len()))
}

fn entity_or_itself(text: &[u8], at: usize) -> (u8, usize) {
    entity(text, at).unwrap_or((b'&', 1))
}

/// Whether what follows a `/` in qmail's form begins a line.
fn is_line_end(rest: &[u8]) -> bool {
    let coded = ReplyCode::parse(rest).is_some() && matches!(rest.get(3), Some(b'-' | b'_'));
    coded || rest.is_empty() || rest.starts_with(b"Remote_host") || rest.starts_with(b"Giving_up")
}

/// The text without what an MTA wrote around the reply, where a dialect left it.
pub(in crate::reason) fn without_frame(text: &[u8]) -> &[u8] {
    let text = without_tail(text);
    // A reply begins with its code, and then nothing stands before it.
    if text.first().is_none_or(u8::is_ascii_digit) && ReplyCode::parse(text).is_some() {
        return text;
    }
    let text = text.strip_prefix(b"delivery temporarily suspended: ").unwrap_or(text);
    let window = text.get(..text.len().min(400)).unwrap_or_default();
    let framed = text.starts_with(b"host ")
        || text.starts_with(b"SMTP error from remote mail server")
        || memchr::memmem::find(window, b"emote host said: ").is_some();
    if framed {
        for mark in [&b" said: "[..], b" refused to talk to me: ", b"]: "] {
            if let Some(at) = memchr::memmem::find(window, mark) {
                return text.get(at + mark.len()..).unwrap_or_default();
            }
        }
    }
    text
}

/// The text without Postfix' `(in reply to RCPT TO command)` or qmail's `Giving up on 192.0.2.1.`
fn without_tail(text: &[u8]) -> &[u8] {
    let (opening, mark) = match text.trim_ascii_end().last() {
        Some(b')') => (b'(', &b"(in reply to "[..]),
        Some(b'.') => (b'G', &b"Giving up on "[..]),
        _ => return text,
    };
    let from = text.len().saturating_sub(64);
    let tail = text.get(from..).unwrap_or_default();
    match memchr::memrchr(opening, tail) {
        Some(at) if tail.get(at..).is_some_and(|tail| tail.starts_with(mark)) => {
            text.get(..from + at).unwrap_or_default()
        }
        _ => text,
    }
}
