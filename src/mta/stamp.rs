//! Time stamps that carry their date and zone, as seconds. Only differences of them are used.

/// The seconds since the epoch of a stamp: `2026-11-21T20:00:01.25Z`, `2026-11-21 20:00:01+0100`,
/// or already a number of seconds. Without a zone it is taken as UTC.
pub(super) fn seconds(stamp: &[u8]) -> Option<f64> {
    if stamp.get(4) != Some(&b'-') {
        return std::str::from_utf8(stamp).ok()?.parse().ok().filter(|seconds: &f64| {
            // Words such as "inf" are numbers to the parser.
            seconds.is_finite()
        });
    }
    let (date, time) = (stamp.get(..10)?, stamp.get(11..19)?);
    let (&[_, _, _, _, b'-', _, _, b'-', _, _], b'T' | b't' | b' ') = (date, stamp.get(10)?) else {
        return None;
    };
    let &[_, _, b':', _, _, b':', _, _] = time else { return None };
    let day = day(number(date, 0, 4)?, number(date, 5, 7)?, number(date, 8, 10)?);
    let clock = number(time, 0, 2)? * 3600 + number(time, 3, 5)? * 60 + number(time, 6, 8)?;
    let rest = stamp.get(19..)?;
    let digits = rest.strip_prefix(b".").unwrap_or_default();
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let fraction = match length {
        0 => 0.0,
        _ => std::str::from_utf8(rest.get(..=length)?).ok()?.parse().ok()?,
    };
    let zone = rest.get(if length == 0 { 0 } else { length + 1 }..)?;
    let whole = day * 86_400 + clock - offset(zone)?;
    #[expect(clippy::cast_precision_loss, reason = "seconds of four-digit years are exact in f64")]
    let whole = whole as f64;
    Some(whole + fraction)
}

/// The seconds between two stamps, if both can be read and time did not run backwards.
pub(super) fn between(earlier: &[u8], later: &[u8]) -> Option<f64> {
    Some(seconds(later)? - seconds(earlier)?).filter(|seconds| *seconds >= 0.0)
}

fn number(text: &[u8], from: usize, to: usize) -> Option<i64> {
    text.get(from..to)?
        .iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

/// The seconds that a zone is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = match zone.split_first() {
        None | Some((b'Z' | b'z', [])) => return Some(0),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return None,
    };
    let minutes = match rest.len() {
        2 => 0,
        4 => number(rest, 2, 4)?,
        5 => number(rest, 3, 5)?,
        _ => return None,
    };
    Some(sign * (number(rest, 0, 2)? * 3600 + minutes * 60))
}

/// The day since 1970-01-01 in the Gregorian calendar. Any month or day number gives some day.
fn day(year: i64, month: i64, day: i64) -> i64 {
    // The year starts in March, so that the leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let month = if month <= 2 { month + 9 } else { month - 3 };
    365 * year + year / 4 - year / 100 + year / 400 + (month * 306 + 5) / 10 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_all_shapes_are_seconds_since_the_epoch() {
        let cases: &[(&str, Option<f64>)] = &[
            ("1970-01-01T00:00:00Z", Some(0.0)),
            ("2026-11-21T20:00:01.25Z", Some(1_795_291_201.25)),
            ("2026-11-21 20:00:01+0000", Some(1_795_291_201.0)),
            ("2026-11-21 21:30:01+01:30", Some(1_795_291_201.0)),
            ("2026-11-21 12:00:01-08", Some(1_795_291_201.0)),
            ("2024-02-29T00:00:00", Some(1_709_164_800.0)),
            ("2024-03-01T00:00:00Z", Some(1_709_251_200.0)),
            ("1795291201", Some(1_795_291_201.0)),
            ("inf", None),
            ("", None),
            ("2026-11-21", None),
            ("2026-1x-21T20:00:01Z", None),
            ("2026-11-21T20:00:01 CET", None),
        ];
        for (stamp, expected) in cases {
            assert_eq!(seconds(stamp.as_bytes()), *expected, "{stamp}");
        }
    }

    #[test]
    fn time_that_ran_backwards_is_no_time() {
        assert_eq!(between(b"1795291200", b"2026-11-21T20:00:01Z"), Some(1.0));
        assert_eq!(between(b"2026-11-21T20:00:01Z", b"1795291200"), None);
    }
}
