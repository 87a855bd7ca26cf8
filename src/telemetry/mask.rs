//! What must not leave the host: who wrote to whom.

/// What stands for a local part.
const MASK: &str = "***";
/// How far back the opening quote of a quoted local part is looked for; RFC 5321 §4.5.3.1.1 allows
/// 64 bytes.
const QUOTED_BYTES_MAX: usize = 256;
/// How much of a line is shown as an example.
const EXAMPLE_BYTES_MAX: usize = 400;
/// How some MTAs name the field with the local part.
const LOCAL_PART_FIELD: &str = "localpart";

/// The text without what could name a person: the local part of everything that looks like an
/// address or a message id, and what could be a bare local part between angle brackets. Domains
/// stay.
///
/// Linear in the length of the text. Bytes that are no UTF-8 become U+FFFD and control characters
/// spaces, so that no text can forge a line of its own.
///
/// ```
/// use mta_exporter::telemetry::mask;
/// assert_eq!(mask(b"550 5.1.1 <ann.o@example.com>: unknown"), "550 5.1.1 <***@example.com>: unknown");
/// ```
pub fn mask(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut masked = String::with_capacity(text.len());
    // Where the characters begin that could be a local part, and where after the last `<`.
    let mut word = 0;
    let mut bracket = None;
    for character in text.chars() {
        match character {
            '@' => {
                hide_word(&mut masked, word);
                masked.push('@');
                word = masked.len();
                bracket = None;
            }
            '>' => {
                if bracket.is_some_and(|start| start == word && start < masked.len()) {
                    hide_word(&mut masked, word);
                }
                masked.push('>');
                word = masked.len();
                bracket = None;
            }
            '<' => {
                masked.push('<');
                word = masked.len();
                bracket = Some(word);
            }
            _ if character.is_alphanumeric() || is_local(character) => {
                masked.push(character);
                // An address in the query of a link.
                if masked.get(word..).is_some_and(|word| word.ends_with("%40")) {
                    masked.truncate(masked.len() - 3);
                    hide_word(&mut masked, word);
                    masked.push_str("%40");
                    word = masked.len();
                }
            }
            _ => {
                masked.push(if character.is_control() { ' ' } else { character });
                word = masked.len();
            }
        }
    }
    masked
}

/// The start of a line, masked, to show what such lines look like.
pub(super) fn example(line: &[u8]) -> String {
    let cut = line.len() > EXAMPLE_BYTES_MAX;
    let mut text = mask(line.get(..EXAMPLE_BYTES_MAX).unwrap_or(line));
    if cut {
        // A local part may have lost its domain.
        let word = text.trim_end_matches(|c: char| c.is_alphanumeric() || is_local(c)).len();
        text.truncate(word);
        text.push_str("...");
    }
    hide_fields(&mut text);
    text
}

/// Hides the values of fields that hold a local part by itself.
fn hide_fields(text: &mut String) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(LOCAL_PART_FIELD)) {
        let rest = text.get(from + at + LOCAL_PART_FIELD.len()..).unwrap_or_default();
        let value = rest.trim_start_matches(['"', ':', '=', ' ']);
        let end = value.find(['"', ',', ' ', '}']).unwrap_or(value.len());
        let start = text.len() - value.len();
        text.replace_range(start..start + end, MASK);
        from = start + MASK.len();
    }
}

/// Hides what stands from `word` to the end, or the quoted string that ends there.
fn hide_word(masked: &mut String, word: usize) {
    let mut start = word;
    if masked.ends_with('"') {
        let end = masked.len() - 1;
        let mut from = end.saturating_sub(QUOTED_BYTES_MAX);
        while !masked.is_char_boundary(from) {
            from += 1;
        }
        let quoted = masked.get(from..end).unwrap_or_default();
        start = quoted.rfind('"').map_or(end, |at| from + at);
    }
    if start < masked.len() {
        masked.truncate(start);
        masked.push_str(MASK);
    }
}

/// The characters of RFC 5322 §3.2.3 (atext) and the dot. Letters and digits of any script count
/// too (RFC 6531).
fn is_local(character: char) -> bool {
    matches!(
        character,
        '!' | '#'
            | '$'
            | '%'
            | '&'
            | '\''
            | '*'
            | '+'
            | '-'
            | '/'
            | '='
            | '?'
            | '^'
            | '_'
            | '`'
            | '{'
            | '|'
            | '}'
            | '~'
            | '.'
            | '\u{fffd}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{example, mask};

    #[test]
    fn local_parts_are_hidden_wherever_they_stand() {
        for (text, expected) in [
            ("no address at all, 5.1.1 and 192.0.2.1", "no address at all, 5.1.1 and 192.0.2.1"),
            (
                "<ann@example.com> and bob+tag@example.org.",
                "<***@example.com> and ***@example.org.",
            ),
            ("to=<\"ann other\"@example.com>, x", "to=<***@example.com>, x"),
            ("\"ann\"@example.com", "***@example.com"),
            ("x\"@example.com", "x***@example.com"),
            ("SRS0=abc=T=example.net=ann@example.com", "***@example.com"),
            ("ann@example.net@example.com", "***@***@example.com"),
            ("jürgen@example.com", "***@example.com"),
            ("see https://example.com/?e=ann%40example.net", "see https:***%40example.net"),
            ("550 <ann>... User unknown", "550 <***>... User unknown"),
            ("<> null sender, a < b > c", "<> null sender, a < b > c"),
            ("Recipient <ann o> unknown", "Recipient <ann o> unknown"),
            ("@example.com", "@example.com"),
            ("two\nlines\0", "two lines "),
        ] {
            assert_eq!(mask(text.as_bytes()), expected);
        }
        assert_eq!(mask(b"\xff@example.com"), "***@example.com");
    }

    #[test]
    fn an_example_is_short_and_names_nobody() {
        assert_eq!(
            example(br#"{"recipient_localpart":"ann","recipient_domain":"example.net"}"#),
            r#"{"recipient_localpart":"***","recipient_domain":"example.net"}"#
        );
        assert_eq!(example(br#"{"localpart": null}"#), r#"{"localpart": ***}"#);
        let line = format!("to=<{}@example.com> {}", "a".repeat(50), "x ".repeat(200));
        let short = example(line.as_bytes());
        assert!(short.starts_with("to=<***@example.com> x x"), "{short}");
        assert!(short.len() < 400 && short.ends_with(" ..."), "{short}");
        let line = format!("{}ann@example.com", " ".repeat(397));
        assert_eq!(example(line.as_bytes()).trim_start(), "...");
    }

    proptest! {
        #[test]
        fn an_example_of_anything_ends(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(example(&bytes).len() <= 3 * 400 + 16);
        }

        #[test]
        fn nothing_that_could_be_a_local_part_stands_before_an_at_sign(text in "[ab<>\"@% 40.,é]*") {
            let masked = mask(text.as_bytes());
            for (at, _) in masked.match_indices('@') {
                let before = masked.get(..at).unwrap();
                let last = before.chars().next_back();
                // An at sign in the spelling of links can stand there too.
                let hidden = last.is_none_or(|c| !c.is_alphanumeric()) || before.ends_with("%40");
                prop_assert!(hidden, "{masked}");
            }
        }
    }
}
