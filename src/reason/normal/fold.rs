//! Letters without their accents.

/// ASCII for U+00C0 to U+00FF; a space where there is no letter.
const LATIN_1: &[u8; 64] = b"aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty";

/// ASCII for U+0100 to U+017F.
const EXTENDED_A: &[u8; 128] = b"aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/// Appends `text` with Latin letters reduced to ASCII and Cyrillic ones to lower case; other
/// scripts as they are, their punctuation as a space. Bytes that are no UTF-8 are read as
/// ISO 8859-1.
pub(in super::super) fn fold(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        if byte < 0x80 {
            out.push(byte);
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let length = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        let decoded = rest.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
        if let Some(letter) = decoded.and_then(|text| text.chars().next()) {
            fold_letter(letter, out);
            rest = rest.get(length..).unwrap_or_default();
        } else {
            fold_letter(char::from(byte), out);
            rest = rest.get(1..).unwrap_or_default();
        }
    }
}

fn fold_letter(letter: char, out: &mut Vec<u8>) {
    let place = |from: u32| (letter as u32 - from) as usize;
    match letter {
        'ß' => out.extend_from_slice(b"ss"),
        '\u{c0}'..='\u{ff}' => out.extend(LATIN_1.get(place(0xc0))),
        '\u{100}'..='\u{17f}' => out.extend(EXTENDED_A.get(place(0x100))),
        'А'..='я' | 'Ѐ'..='Џ' => {
            let mut buffer = [0; 4];
            for lower in letter.to_lowercase() {
                out.extend_from_slice(lower.encode_utf8(&mut buffer).as_bytes());
            }
        }
        '’' | '‘' | 'ʼ' => out.push(b'\''),
        // Controls, signs, general and East Asian punctuation, full-width forms of ASCII.
        '\u{80}'..='\u{bf}' | '\u{2000}'..='\u{2bff}' | '\u{3000}'..='\u{303f}' | '\u{feff}' => {
            out.push(b' ');
        }
        '\u{ff01}'..='\u{ff5e}' => {
            let ascii = u8::try_from(place(0xfee0)).unwrap_or(b' ');
            out.push(if ascii.is_ascii_alphanumeric() { ascii.to_ascii_lowercase() } else { b' ' });
        }
        other => {
            let mut buffer = [0; 4];
            out.extend_from_slice(other.encode_utf8(&mut buffer).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &[u8]) -> String {
        let mut out = Vec::new();
        fold(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn accents_go_in_utf_8_and_in_latin_1() {
        assert_eq!(
            folded("Boîte pleine, Empfänger größer".as_bytes()),
            "Boite pleine, Empfanger grosser"
        );
        assert_eq!(folded(b"Bo\xeete pleine"), "Boite pleine");
        assert_eq!(
            folded("Użytkownik nie istnieje, schránka je plná".as_bytes()),
            "Uzytkownik nie istnieje, schranka je plna"
        );
    }

    #[test]
    fn other_scripts_stay_and_their_punctuation_is_a_space() {
        assert_eq!(folded("Пользователь не Найден".as_bytes()), "пользователь не найден");
        assert_eq!(folded("用户不存在，请检查。".as_bytes()), "用户不存在 请检查 ");
        assert_eq!(folded("doesn’t — no".as_bytes()), "doesn't   no");
    }
}
