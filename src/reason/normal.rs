//! The normal form of a reply: what is left when everything that differs from one reply to the next
//! is taken away.
//!
//! ```text
//! 550-5.1.1 The account that you tried to    →   the account that you tried to reach does not exist
//! 550-5.1.1 reach does NOT exist. See            see URL ID gsmtp ⏎ google mail p no such user
//! 550 5.1.1  https://support.google.com/mail/?p=NoSuchUser a640c23a62f3a.12 - gsmtp
//! ```
//!
//! Lower-case words, one space before and after each; no punctuation, no codes. Upper-case words
//! stand for what was there: `ADDR` an address, `HOST` a host name, `IP`, `URL`, `ID` something that
//! counts or identifies, `NULL` the empty path `<>`; a number that no rule knows is `0`. After a
//! line feed come the words of the URLs, apart from the text: a help page called "blacklist" says
//! nothing about this reply, `p=NoSuchUser` does.
//!
//! The text may come joined in any MTA's way: real line ends, `\n` spelled out (Exim), a space and
//! the repeated code (Postfix), nothing at all (OpenSMTPD), `_` for a space and `/` for a line end
//! (qmail). Octal escapes and HTML entities are undone, Latin letters lose their accents.
//!
//! Only the first [`TEXT_MAX`] bytes count. One pass, linear, into buffers that are used again.

mod fold;
mod glance;
mod shape;
mod vocabulary;

use crate::scan;
use crate::smtp::{EnhancedStatusCode, ReplyCode};
use shape::{AT, COLON, DIGIT, DOT, Join, LOWER, SEPARATOR, SLASH, UPPER, class};

pub(super) use fold::fold;
pub(super) use glance::mask_of;
pub(super) use shape::without_frame;
pub(super) use vocabulary::Vocabulary;

/// How many bytes of a reply count. Longer than any log keeps of a reply that means something.
pub(super) const TEXT_MAX: usize = 4096;

/// How many bytes of a normal form may be looked at again when it grows: ` ID `, and then some.
pub(super) const LOOKS_BACK: usize = 8;

/// What stands for a thing that was taken out of the text.
pub(super) const MASKS: [&str; 6] = ["ADDR", "HOST", "IP", "URL", "ID", "NULL"];

/// How far behind a code that is glued to a word an enhanced code may stand.
const GLUED_MAX: usize = 32;

/// The most words that are kept of one URL.
const URL_WORDS_MAX: usize = 16;

/// Makes normal forms, in buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Normaliser {
    /// The normal form: a space, then words with a space after each; then, if there were URLs, a
    /// line feed, a space and their words.
    text: Vec<u8>,
    /// The words of the URLs while the text grows.
    urls: Vec<u8>,
    /// The text without escapes, where it has any.
    plain: Vec<u8>,
    /// One word without its accents.
    word: Vec<u8>,
    /// The enhanced code that the text holds, where the caller had none.
    enhanced: Option<EnhancedStatusCode>,
    code: Option<ReplyCode>,
    /// How many bytes of the text were read, where that is more than it seems.
    read: usize,
    steps: Vec<Step>,
    /// Whether the text was read as it was.
    plainly: bool,
}

/// What there was when all bytes before a space, or the end of the text, had been read.
///
/// Hardly anything looks across a space, and what does is noted. So the normal form up to a step
/// hangs on nothing but the bytes that were read for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Where the space stands.
    pub(super) at: usize,
    /// How many bytes were read so far, the space among them.
    pub(super) read: usize,
    /// How long the normal form was, without the words of the URLs.
    pub(super) normal: usize,
    /// How long the words of the URLs were.
    pub(super) urls: usize,
    /// The enhanced code that had been found.
    pub(super) enhanced: Option<EnhancedStatusCode>,
}

impl Normaliser {
    /// The normal form of the last text.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The first enhanced code within the last text that agrees with its basic code.
    pub(super) fn enhanced(&self) -> Option<EnhancedStatusCode> {
        self.enhanced
    }

    /// How the normal form of the last text grew, from left to right, the last step at its end.
    /// `None` where the text was not read as it was: it had escapes or a frame, or was too long.
    pub(super) fn steps(&self) -> Option<&[Step]> {
        self.plainly.then_some(&self.steps)
    }

    /// Takes in a reply text. The vocabulary must be the same in every call.
    pub(super) fn take(&mut self, words: &Vocabulary, code: Option<ReplyCode>, text: &[u8]) {
        self.text.clear();
        self.urls.clear();
        self.steps.clear();
        self.text.push(b' ');
        self.enhanced = None;
        self.read = 0;
        self.code = code;
        let near = text.get(..TEXT_MAX).unwrap_or(text);
        let mut plain = std::mem::take(&mut self.plain);
        let escaped = shape::unescape(near, &mut plain);
        let inside = without_frame(if escaped { &plain } else { near });
        self.plainly = !escaped && inside.len() == text.len();
        let at = self.skip_codes(inside);
        self.chunks(words, inside, at);
        self.plain = plain;
        if !self.urls.is_empty() {
            self.text.extend_from_slice(b"\n ");
            self.text.extend_from_slice(&self.urls);
        }
    }

    /// Goes on with a text, as it is, from `at` to its end. The normal form of what was before it
    /// ended like this, the words of the URLs apart, at least [`LOOKS_BACK`] bytes of each if there
    /// were as many, and it had this enhanced code. The last step, and the normal form and the words
    /// of the URLs with what was added.
    pub(super) fn resume(
        &mut self,
        words: &Vocabulary,
        code: Option<ReplyCode>,
        (normal, urls, enhanced): (&[u8], &[u8], Option<EnhancedStatusCode>),
        (text, at): (&[u8], usize),
    ) -> (Step, &[u8], &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(normal);
        self.urls.clear();
        self.urls.extend_from_slice(urls);
        self.steps.clear();
        self.enhanced = enhanced;
        self.read = 0;
        self.code = code;
        self.chunks(words, text, at);
        (self.step(text.len()), &self.text, &self.urls)
    }

    /// What there is now that all bytes before `at` have been read.
    fn step(&self, at: usize) -> Step {
        let (normal, urls) = (self.text.len(), self.urls.len());
        Step { at, read: self.read.max(at + 1), normal, urls, enhanced: self.enhanced }
    }

    /// Goes through the text from `at` on: runs of plain words at once, everything else chunk by
    /// chunk. Notes a step at each space between them, and at the end.
    fn chunks(&mut self, words: &Vocabulary, text: &[u8], mut at: usize) {
        while let Some(&byte) = text.get(at) {
            if class(byte) & SEPARATOR != 0 {
                if byte == b' ' {
                    self.steps.push(self.step(at));
                }
                if byte == b'<' && text.get(at + 1) == Some(&b'>') {
                    self.mask(b"NULL");
                }
                at += 1;
                continue;
            }
            let (stop, last_word) = shape::plain_run(text, at);
            // A run ends well where a word does: before a separator, or a full stop and that.
            let ends_a_word =
                |at: usize| text.get(at).is_none_or(|next| class(*next) & SEPARATOR != 0);
            let ends = ends_a_word(stop)
                || text.get(stop).is_some_and(|stop| matches!(stop, b'.' | b':' | b'!' | b'?'))
                    && ends_a_word(stop + 1);
            let angled = last_word > 0
                && text.get(last_word - 1) == Some(&b'<')
                && text.get(stop) == Some(&b'>');
            if ends && !angled {
                self.lower(text.get(at..stop).unwrap_or_default());
                at = stop + 1;
                continue;
            }
            self.lower(text.get(at..last_word).unwrap_or_default());
            at = self.odd_chunk(words, text, last_word);
        }
        self.steps.push(self.step(text.len()));
    }

    /// Takes in the codes that the text begins with; returns where the words begin.
    fn skip_codes(&mut self, text: &[u8]) -> usize {
        let own = ReplyCode::parse(text).filter(|code| self.code.is_none_or(|own| own == *code));
        if own.is_none() || !text.get(3).is_none_or(|next| matches!(next, b' ' | b'-')) {
            return 0;
        }
        let rest = text.get(4..).unwrap_or_default();
        match EnhancedStatusCode::parse(rest) {
            Some((enhanced, length)) if rest.get(length).is_none_or(|next| *next == b' ') => {
                self.keep_enhanced(enhanced);
                4 + length
            }
            _ => 4.min(text.len()),
        }
    }

    /// Takes the chunk, bytes up to a separator, that begins at `start`; returns where to go on.
    fn odd_chunk(&mut self, words: &Vocabulary, text: &[u8], start: usize) -> usize {
        let rest = text.get(start..).unwrap_or_default();
        let mut kinds = 0;
        let ends = |byte: &u8| {
            let kind = class(*byte);
            kinds |= kind;
            kind & SEPARATOR != 0
        };
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        self.chunk(words, text, start, start + length, kinds)
    }

    /// Takes a chunk that is more than a word; returns where to go on.
    fn chunk(
        &mut self,
        words: &Vocabulary,
        text: &[u8],
        start: usize,
        end: usize,
        kinds: u16,
    ) -> usize {
        let chunk = text.get(start..end).unwrap_or_default();
        if kinds & SLASH != 0
            && let Some((before, length)) =
                shape::url(text.get(start..).unwrap_or_default(), end - start)
        {
            self.pieces(words, chunk.get(..before).unwrap_or_default());
            self.url(words, text.get(start + before..start + before + length).unwrap_or_default());
            return start + before + length;
        }
        if kinds & AT != 0
            && let Some((before, address, after)) = shape::address(chunk)
        {
            self.pieces(words, before);
            if !address.is_empty() {
                self.mask(b"ADDR");
            }
            self.pieces(words, after);
            return end;
        }
        let mut chunk = shape::trimmed(chunk);
        if kinds & DIGIT != 0 {
            chunk = self.without_code(chunk, text, end);
            if self.is_enhanced(chunk) {
                return end;
            }
            // Only one of the colon form has letters.
            let may_be_ip = kinds & COLON != 0 || kinds & DOT != 0 && kinds & (LOWER | UPPER) == 0;
            if may_be_ip && shape::is_ip(chunk) {
                self.mask(b"IP");
                return end;
            }
        }
        // A name ends with letters, and a port comes behind a colon.
        let may_be_host = kinds & DOT != 0
            && (kinds & COLON != 0 || !chunk.last().is_some_and(u8::is_ascii_digit));
        if may_be_host && shape::is_host(chunk) {
            self.host(words, chunk);
            return end;
        }
        let angled =
            start > 0 && text.get(start - 1) == Some(&b'<') && text.get(end) == Some(&b'>');
        let line_end = matches!(chunk, b"CR" | b"LF" | b"CRLF" | b"NUL");
        if angled && kinds & (COLON | SLASH) == 0 && !line_end {
            self.mask(b"ADDR");
            return end;
        }
        self.pieces(words, chunk);
        end
    }

    /// The chunk without a basic code that the MTA or the protocol repeated: `550-` before a line,
    /// a lone `550`, or `550` glued to the last word of the line before.
    fn without_code<'t>(&mut self, chunk: &'t [u8], text: &[u8], end: usize) -> &'t [u8] {
        let is_code = |code: ReplyCode| self.code.map_or(code.get() >= 400, |own| own == code);
        if ReplyCode::parse(chunk).is_some_and(is_code) {
            let after = chunk.get(3..).unwrap_or_default();
            if after.is_empty() || after.first() == Some(&b'-') || after.first() == Some(&b'#') {
                return shape::trimmed(after);
            }
        }
        if let Some(split) = chunk.len().checked_sub(3) {
            let (word, code) = chunk.split_at(split);
            let glued = word.last().is_some_and(|&byte| byte.is_ascii_lowercase() || byte == b'.');
            if glued && self.code.is_some_and(|own| ReplyCode::parse(code) == Some(own)) {
                self.read = end + GLUED_MAX;
                let near = text.get(end..self.read.min(text.len())).unwrap_or_default();
                if EnhancedStatusCode::parse(near.trim_ascii_start()).is_some() {
                    return shape::trimmed(word);
                }
            }
        }
        chunk
    }

    /// Whether the chunk is an enhanced code; the first one that agrees with the basic code is kept.
    fn is_enhanced(&mut self, chunk: &[u8]) -> bool {
        let chunk = chunk.strip_prefix(b"#").unwrap_or(chunk);
        let Some((enhanced, length)) = EnhancedStatusCode::parse(chunk) else { return false };
        if length != chunk.len() {
            return false;
        }
        self.keep_enhanced(enhanced);
        true
    }

    fn keep_enhanced(&mut self, enhanced: EnhancedStatusCode) {
        let agrees = self.code.is_none_or(|code| code.get() / 100 == u16::from(enhanced.class()));
        if self.enhanced.is_none() && agrees {
            self.enhanced = Some(enhanced);
        }
    }

    /// Words of ASCII letters, a space between two.
    fn lower(&mut self, words: &[u8]) {
        let from = self.text.len();
        self.text.extend_from_slice(words);
        if let Some(words) = self.text.get_mut(from..) {
            words.make_ascii_lowercase();
        }
        if !self.text.ends_with(b" ") {
            self.text.push(b' ');
        }
    }

    /// A mask; an `ID` that follows another one is the same.
    fn mask(&mut self, mask: &[u8]) {
        if mask == b"ID" && self.text.ends_with(b" ID ") {
            return;
        }
        self.text.extend_from_slice(mask);
        self.text.push(b' ');
    }

    /// A host name: masked, or its readable labels if a rule wants to know it.
    fn host(&mut self, words: &Vocabulary, host: &[u8]) {
        let mut text = std::mem::take(&mut self.text);
        if !push_zone(words, host, &mut text) {
            text.extend_from_slice(b"HOST ");
        }
        self.text = text;
    }

    /// A URL: `URL` in the text, and its words apart.
    fn url(&mut self, words: &Vocabulary, url: &[u8]) {
        self.mask(b"URL");
        let tail = url.windows(3).position(|at| at == b"://").map_or(0, |at| at + 3);
        let rest = url.get(tail..).unwrap_or_default();
        let host_end = rest
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#' | b':'))
            .unwrap_or(rest.len());
        let (host, path) = rest.split_at_checked(host_end).unwrap_or((rest, b""));
        let mut urls = std::mem::take(&mut self.urls);
        if !push_zone(words, host, &mut urls) {
            // The name before the public suffix: "example" of `www.example.co.uk`.
            let second_level: [&[u8]; 7] = [b"co", b"com", b"org", b"net", b"ac", b"or", b"ne"];
            let mut labels = host.rsplit(|&byte| byte == b'.').skip(1);
            let label = labels.find(|label| !second_level.contains(label)).unwrap_or_default();
            shape::for_each_piece(label, |piece, _, _| {
                push_piece(words, piece, &mut urls);
            });
        }
        let mut left = URL_WORDS_MAX;
        shape::for_each_piece(path, |piece, _, opaque| {
            if left > 0 && !opaque {
                left -= 1;
                push_piece(words, piece, &mut urls);
            }
        });
        self.urls = urls;
    }

    /// Words in one chunk: split where letters and digits end, and between `aB`.
    fn pieces(&mut self, words: &Vocabulary, chunk: &[u8]) {
        if chunk.iter().any(|&byte| byte >= 0x80) {
            let mut folded = std::mem::take(&mut self.word);
            folded.clear();
            fold(chunk, &mut folded);
            self.plain_pieces(words, &folded);
            self.word = folded;
        } else {
            self.plain_pieces(words, chunk);
        }
    }

    fn plain_pieces(&mut self, words: &Vocabulary, chunk: &[u8]) {
        let text = &mut self.text;
        let start = text.len();
        let mut identifies = false;
        shape::for_each_piece(chunk, |piece, join, opaque| {
            // `e-mail` is `email`, and `doesn't` is `doesnt`.
            let one_word = join == Join::Apostrophe && text.len() > start
                || join == Join::Hyphen
                    && text.ends_with(b" e ")
                    && piece.eq_ignore_ascii_case(b"mail");
            if one_word {
                text.pop();
            }
            if opaque {
                text.extend_from_slice(b"ID ");
            }
            identifies |= opaque || push_piece(words, piece, text);
        });
        if identifies {
            keep_words(text, start);
            self.mask(b"ID");
        }
    }
}

/// Of what stands from `start` on keeps the words only: what is glued to an identifier is part of
/// it, unless it is a word.
fn keep_words(text: &mut Vec<u8>, start: usize) {
    let (mut from, mut to) = (start, start);
    while let Some(length) = memchr::memchr(b' ', text.get(from..).unwrap_or_default()) {
        let next = from + length + 1;
        let letter = |byte: &u8| byte.is_ascii_lowercase() || *byte >= 0x80;
        if length > 3 && text.get(from..next - 1).unwrap_or_default().iter().all(letter) {
            text.copy_within(from..next, to);
            to += next - from;
        }
        from = next;
    }
    text.truncate(to);
}

/// The labels of a host in a zone that a rule knows, without its last one; `None` if none does.
fn readable_labels<'h>(words: &Vocabulary, host: &'h [u8]) -> Option<&'h [u8]> {
    let mut zone = [0; 64];
    let host = host.strip_suffix(b".").unwrap_or(host);
    let dot = scan::find_last(host, b'.')?;
    let before = host.get(..dot)?;
    let labels = host.get(scan::find_last(before, b'.').map_or(0, |at| at + 1)..)?;
    let zone = zone.get_mut(..labels.len())?;
    zone.copy_from_slice(labels);
    zone.make_ascii_lowercase();
    if !words.knows_zone(zone) {
        return None;
    }
    // Those three before the last tell which list of a family it is: `sbl-xbl.spamhaus.org`.
    let start =
        before.rsplit(|&byte| byte == b'.').take(3).map(|label| label.len() + 1).sum::<usize>();
    before.get((before.len() + 1).saturating_sub(start)..)
}

/// Appends the readable labels of a host; false if there are none.
fn push_zone(words: &Vocabulary, host: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(labels) = readable_labels(words, host) else { return false };
    shape::for_each_piece(labels, |piece, _, _| {
        if piece.iter().any(u8::is_ascii_alphabetic) {
            push_piece(words, piece, out);
        }
    });
    true
}

/// Appends a run of letters and digits, masked if it is not worth reading; true if it identifies
/// something.
fn push_piece(words: &Vocabulary, piece: &[u8], out: &mut Vec<u8>) -> bool {
    let letters =
        piece.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    let from = out.len();
    out.extend_from_slice(piece);
    let Some(word) = out.get_mut(from..) else { return false };
    word.make_ascii_lowercase();
    if letters == piece.len() || (piece.len() <= 12 && words.knows_word(word)) {
        out.push(b' ');
        return false;
    }
    let digits = piece.len() - letters;
    let ends_in_digits = piece.iter().skip(letters).all(u8::is_ascii_digit);
    let mask: &[u8] = if letters > 0 && ends_in_digits {
        let short = letters <= 4 && digits <= 4;
        if short
            || (piece.len() <= 14 && words.knows_family(word.get(..letters).unwrap_or_default()))
        {
            out.push(b' ');
            return false;
        }
        b"ID"
    } else if letters == 0 && ends_in_digits {
        if words.knows_number(word) {
            out.push(b' ');
            return false;
        }
        b"0"
    } else if piece.len() <= 6 && piece.first().is_some_and(u8::is_ascii_digit) {
        // `10mb`, `300s`, `2nd`: the unit stays.
        let unit = piece.iter().position(u8::is_ascii_alphabetic).unwrap_or_default();
        let all_letters = piece.iter().skip(unit).all(u8::is_ascii_alphabetic);
        if all_letters {
            out.drain(from..from + unit - 1);
            if let Some(first) = out.get_mut(from) {
                *first = b'0';
            }
            out.push(b' ');
            return false;
        }
        b"ID"
    } else {
        b"ID"
    };
    out.truncate(from);
    if !(out.ends_with(b" ID ") || out.ends_with(b" 0 ") && mask == b"0") {
        out.extend_from_slice(mask);
        out.push(b' ');
    }
    mask == b"ID"
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn vocabulary() -> Vocabulary {
        let mut words = Vocabulary::default();
        words.learn(b" s3150 ");
        words.learn(b" ofr004 104 ");
        words.learn(b" bl000000 ");
        words.learn(b" answer 81126 ");
        words.learn_zone(b"spamhaus.org");
        words
    }

    fn normal(text: &str) -> String {
        let mut normaliser = Normaliser::default();
        normaliser.take(&vocabulary(), ReplyCode::parse(text.as_bytes()), text.as_bytes());
        String::from_utf8_lossy(normaliser.text()).into_owned()
    }

    #[test]
    fn the_lines_of_a_reply_come_together_however_the_mta_joined_them() {
        let expected = " the email account that you tried to reach does not exist please try double checking see URL ID gsmtp \n google mail p no such user ";
        for text in [
            "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking. See 550 5.1.1  https://support.google.com/mail/?p=NoSuchUser gm97899cb0.19 - gsmtp",
            "550-5.1.1 The email account that you tried to reach does not exist. Please try\\n550-5.1.1 double-checking. See\\n550 5.1.1  https://support.google.com/mail/?p=NoSuchUser gm97899cb0.19 - gsmtp",
            "550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n550-5.1.1 double-checking. See\r\n550 5.1.1  https://support.google.com/mail/?p=NoSuchUser gm97899cb0.19 - gsmtp",
            "550-5.1.1_The_email_account_that_you_tried_to_reach_does_not_exist._Please_try/550-5.1.1_double-checking._See/550_5.1.1__https://support.google.com/mail/?p=NoSuchUser_gm97899cb0.19_-_gsmtp/Giving_up_on_192.0.2.10./",
            "192.0.2.10_does_not_like_recipient./Remote_host_said:_550-5.1.1_The_email_account_that_you_tried_to_reach_does_not_exist._Please_try/550-5.1.1_double-checking._See/550_5.1.1__https://support.google.com/mail/?p=NoSuchUser_gm97899cb0.19_-_gsmtp/Giving_up_on_192.0.2.10./",
            "550-5.1.1 The email account that you tried to reach does not exist.Please try double-checking.See https://support.google.com/mail/?p=NoSuchUser gm97899cb0.19 - gsmtp",
            "host gmail-smtp-in.l.google.com[192.0.2.10] said: 550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking. See 550 5.1.1  https://support.google.com/mail/?p=NoSuchUser gm97899cb0.19 - gsmtp (in reply to RCPT TO command)",
        ] {
            assert_eq!(normal(text), expected, "{text}");
        }
    }

    #[test]
    fn what_differs_from_reply_to_reply_is_masked() {
        for (text, expected) in [
            (
                "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent (S3150). [AM3PEPF00009B9D.eurprd04.prod.outlook.com 2026-11-21T20:40:12.345Z 08DCFF0B1A2B3C4D]",
                " unfortunately messages from IP werent sent s3150 HOST ID ",
            ),
            (
                "421 mwinf5c20 ME Trop de connexions, veuillez verifier. OFR004_104 [104]",
                " ID me trop de connexions veuillez verifier ofr004 104 104 ",
            ),
            ("550 <user@example.com>: user is over quota", " ADDR user is over quota "),
            (
                "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1",
                " service unavailable client host IP blocked using zen spamhaus URL \n www spamhaus query ip 0 ",
            ),
            ("451 4.7.1 Greylisted for 287 seconds", " greylisted for 0 seconds "),
            (
                "550 MAIL FROM:<> refused, E-Mail doesn&apos;t count",
                " mail from NULL refused email doesnt count ",
            ),
            (
                "554 mx.example.com ESMTP. BL000000 from 2001:db8::1",
                " HOST esmtp bl000000 from IP ",
            ),
            ("550 Boîte pleine \\303\\251 Usu\u{e1}rio", " boite pleine e usuario "),
            (
                "554-Transaction failedReject due to policy restrictions.For explanation visit https://postmaster.gmx.net/en/error-messages?ip=198.51.100.10&c=hi",
                " transaction failed reject due to policy restrictions for explanation visit URL \n gmx en error messages ip 0 c hi ",
            ),
            ("550 id=4XwQ1F0Zq3z2Sc0v [nBp2sMvIOGuDbNsL4yyPtA.uk190] 1rXyZ9-0005Xk-1A", " ID "),
        ] {
            assert_eq!(normal(text), expected, "{text}");
        }
    }
}
