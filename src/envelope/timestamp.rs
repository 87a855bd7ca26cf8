//! When something was logged.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// The months as C's `%b` has them in the POSIX locale.
pub(super) const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// How far a stamp without a year may lie ahead of the clock before it is taken for one of a year
/// ago: clocks and time zones of two hosts may differ.
const AHEAD_SECONDS_MAX: i64 = 2 * 24 * 3600;

/// `TAI64` labels start 2^62 before 1970 (TAI); the clock of daemontools counts 10 seconds from TAI
/// to UTC.
const TAI64_EPOCH: u64 = (1 << 62) + 10;

/// The time that a log's stamp says, in seconds since 1970 (UTC).
///
/// Understood are: ISO 8601 with a `T` or a space between date and time; the stamp of RFC 3164,
/// whose year is the one that puts it closest before `now_seconds`; a `TAI64N` label; and seconds,
/// milliseconds or microseconds since 1970. A stamp without a zone is local time.
///
/// ```
/// use mta_exporter::envelope::timestamp;
/// assert_eq!(timestamp(b"2026-11-21T20:00:01.5+01:00", 0), Some(1_795_287_601.5));
/// assert_eq!(timestamp(b"yesterday", 0), None);
/// ```
pub fn timestamp(stamp: &[u8], now_seconds: u64) -> Option<f64> {
    in_zone(stamp, now_seconds, &TimeZone::system())
}

/// The stamp with which a line starts that has no header: many programs that write files of their
/// own put one there. Empty if there is none. It stays part of the message.
///
/// ```
/// use mta_exporter::envelope::leading_stamp;
/// assert_eq!(leading_stamp(b"2026-11-21 20:00:01.5 +0100 => a"), b"2026-11-21 20:00:01.5 +0100");
/// assert_eq!(leading_stamp(b"@400000006b01cdd11dcd6500 end msg 1"), b"@400000006b01cdd11dcd6500");
/// assert_eq!(leading_stamp(b"=> a"), b"");
/// ```
pub fn leading_stamp(line: &[u8]) -> &[u8] {
    let length = match line.first() {
        Some(b'@') => label_length(line),
        Some(b'0'..=b'9') => date_and_time_length(line),
        _ => None,
    };
    length.and_then(|length| line.get(..length)).unwrap_or_default()
}

/// `@` and 24 hexadecimal digits.
fn label_length(line: &[u8]) -> Option<usize> {
    let hex = line.get(1..25)?.iter().all(u8::is_ascii_hexdigit);
    (hex && line.get(25) == Some(&b' ')).then_some(25)
}

/// `2026-11-21 20:00:01[.123][ +0100]`, with a `T` in the middle also `Z` or `+01:00` at the end.
fn date_and_time_length(line: &[u8]) -> Option<usize> {
    let (date, rest) = line.split_at_checked(19)?;
    let shaped =
        date.iter().zip(b"0000-00-00 00:00:00").enumerate().all(
            |(at, (byte, wanted))| match wanted {
                b'0' => byte.is_ascii_digit(),
                b' ' if at == 10 => matches!(byte, b' ' | b'T'),
                _ => byte == wanted,
            },
        );
    if !shaped {
        return None;
    }
    let fraction = match rest.strip_prefix(b".") {
        Some(digits) => 1 + digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        None => 0,
    };
    let rest = rest.get(fraction..)?;
    let zone = [b" +0000 ".as_slice(), b"Z ", b"+0000 ", b"+00:00 "].into_iter().find(|zone| {
        let fits = |(byte, wanted): (&u8, &u8)| match wanted {
            b'0' => byte.is_ascii_digit(),
            b'+' => matches!(byte, b'+' | b'-'),
            _ => byte == wanted,
        };
        rest.len() >= zone.len() && rest.iter().zip(*zone).all(fits)
    });
    Some(19 + fraction + zone.map_or(0, |zone| zone.len() - 1))
}

fn in_zone(stamp: &[u8], now_seconds: u64, zone: &TimeZone) -> Option<f64> {
    match stamp {
        [b'@', label @ ..] => tai64n(label),
        [first, ..] if first.is_ascii_alphabetic() => without_year(stamp, now_seconds, zone),
        [_, _, _, _, b'-', ..] => iso(stamp, zone),
        _ => since_epoch(stamp),
    }
}

/// `2026-11-21T20:00:01.123456+00:00` and its relatives.
fn iso(stamp: &[u8], zone: &TimeZone) -> Option<f64> {
    let (year, rest) = number(stamp, 4)?;
    let (month, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = number(rest.strip_prefix(b"-")?, 2)?;
    let rest = rest.strip_prefix(b"T").or_else(|| rest.strip_prefix(b" "))?;
    let date =
        Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    let (time, fraction, rest) = time_of_day(date.ok()?, rest)?;
    let offset = match rest.trim_ascii() {
        b"" => return Some(seconds(local(time, zone)?) + fraction),
        b"Z" | b"UTC" => 0,
        [sign, rest @ ..] => {
            let (hours, rest) = number(rest, 2)?;
            let (minutes, rest) = number(rest.strip_prefix(b":").unwrap_or(rest), 2)?;
            let offset = i64::from(hours) * 3600 + i64::from(minutes) * 60;
            match (sign, rest) {
                (b'+', b"") => offset,
                (b'-', b"") => -offset,
                _ => return None,
            }
        }
    };
    let utc = time.checked_sub(offset.seconds()).ok()?;
    Some(seconds(local(utc, &TimeZone::UTC)?) + fraction)
}

/// `Nov 21 20:00:01`.
fn without_year(stamp: &[u8], now_seconds: u64, zone: &TimeZone) -> Option<f64> {
    let (name, rest) = stamp.split_at_checked(3)?;
    let month = MONTHS.iter().position(|month| *month == name)? + 1;
    let rest = rest.strip_prefix(b" ")?;
    let (day, rest) = match rest.strip_prefix(b" ") {
        Some(rest) => number(rest, 1)?,
        None => number(rest, 2)?,
    };
    let rest = rest.strip_prefix(b" ")?;
    let now = Timestamp::from_second(i64::try_from(now_seconds).ok()?).ok()?;
    let latest = now.as_second() + AHEAD_SECONDS_MAX;
    let year = now.to_zoned(zone.clone()).year();
    // Nine years, for there are eight from one 29 February to another over a century's end.
    (year - 8..=year + 1).rev().find_map(|year| {
        let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        let (time, fraction, rest) = time_of_day(date, rest)?;
        let time = local(time, zone)?;
        (rest.is_empty() && time.as_second() <= latest).then(|| seconds(time) + fraction)
    })
}

/// `20:00:01.123` on that day: the time, its fraction of a second, and what follows.
fn time_of_day(date: Date, text: &[u8]) -> Option<(DateTime, f64, &[u8])> {
    let (hour, rest) = number(text, 2)?;
    let (minute, rest) = number(rest.strip_prefix(b":")?, 2)?;
    let (second, rest) = number(rest.strip_prefix(b":")?, 2)?;
    let hour = i8::try_from(hour).ok().filter(|hour| *hour < 24)?;
    let minute = i8::try_from(minute).ok().filter(|minute| *minute < 60)?;
    // A leap second is the last one for everybody whose clock has none.
    let second = i8::try_from(second).ok().filter(|second| *second <= 60)?.min(59);
    let time = date.at(hour, minute, second, 0);
    let Some(rest) = rest.strip_prefix(b".") else { return Some((time, 0.0, rest)) };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at_checked(length)?;
    let fraction =
        digits.iter().rev().fold(0.0, |sum, digit| (sum + f64::from(digit - b'0')) / 10.0);
    Some((time, fraction, rest))
}

fn local(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(time).compatible().ok()
}

fn seconds(time: Timestamp) -> f64 {
    time.as_duration().as_secs_f64()
}

/// `4000000067...`: sixteen hexadecimal digits of seconds, eight of nanoseconds.
fn tai64n(label: &[u8]) -> Option<f64> {
    let label = str::from_utf8(label).ok().filter(|label| label.is_ascii())?;
    // Labels from 2^63 on are reserved.
    let label_seconds = u64::from_str_radix(label.get(..16)?, 16).ok().filter(|n| n >> 63 == 0)?;
    let seconds = label_seconds.checked_sub(TAI64_EPOCH)?;
    let nanoseconds = match label.get(16..)? {
        "" => 0,
        digits => u32::from_str_radix(digits, 16).ok().filter(|n| *n < 1_000_000_000)?,
    };
    let seconds = std::time::Duration::new(seconds, nanoseconds);
    Some(seconds.as_secs_f64())
}

/// `1795291201`, `1795291201.123456`; with 13 digits milliseconds, with 16 microseconds.
fn since_epoch(stamp: &[u8]) -> Option<f64> {
    let text = str::from_utf8(stamp).ok()?;
    if !stamp.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.') {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    match text.find('.').unwrap_or(text.len()) {
        9 | 10 => Some(value),
        13 => Some(value / 1e3),
        16 => Some(value / 1e6),
        _ => None,
    }
}

/// A number of exactly so many digits, and what follows it.
fn number(text: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let (number, rest) = text.split_at_checked(digits)?;
    number
        .iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
        .map(|number| (number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone")
    }

    /// 2026-11-21T20:00:00Z.
    const NOW: u64 = 1_795_291_200;

    #[test]
    fn a_zone_in_the_stamp_decides() {
        for (stamp, seconds) in [
            ("2026-11-21T20:00:01Z", 1_795_291_201.0),
            ("2026-11-21T20:00:01.25+00:00", 1_795_291_201.25),
            ("2026-11-21T21:00:01+01:00", 1_795_291_201.0),
            ("2026-11-21T14:30:01-0530", 1_795_291_201.0),
            ("2026-11-21 20:00:01.5 +0000", 1_795_291_201.5),
            ("@400000006b01cdd11dcd6500", 1_795_280_327.5),
            ("1795291201.125", 1_795_291_201.125),
            ("1795291201125000", 1_795_291_201.125),
            ("1795291201125", 1_795_291_201.125),
        ] {
            let found = in_zone(stamp.as_bytes(), NOW, &berlin());
            assert_eq!(found, Some(seconds), "{stamp}");
        }
    }

    #[test]
    fn a_stamp_without_zone_is_local_time_in_summer_and_in_winter() {
        let at = |stamp: &str| in_zone(stamp.as_bytes(), NOW, &berlin());
        assert_eq!(at("2026-11-21 21:00:01"), Some(1_795_291_201.0));
        assert_eq!(at("Nov 21 21:00:01"), Some(1_795_291_201.0));
        assert_eq!(at("Nov 21 21:00:01.5"), Some(1_795_291_201.5));
        assert_eq!(at("Jul  1 02:00:00"), at("2026-07-01T00:00:00Z"));
        assert_eq!(at("Jul 01 02:00:00"), at("2026-07-01T00:00:00Z"));
        // The hour that occurs twice is the first of the two, the one that never was is the next.
        assert_eq!(at("Oct 25 02:30:00"), at("2026-10-25T00:30:00Z"));
        assert_eq!(at("Mar 29 02:30:00"), at("2026-03-29T01:30:00Z"));
    }

    #[test]
    fn the_year_that_is_missing_is_the_last_one_possible() {
        let at = |stamp: &str, now: &str| {
            let now = in_zone(now.as_bytes(), 0, &TimeZone::UTC).expect("a time");
            let now = std::time::Duration::from_secs_f64(now).as_secs();
            let found = in_zone(stamp.as_bytes(), now, &TimeZone::UTC)?;
            let found = std::time::Duration::from_secs_f64(found).as_secs();
            Some(Timestamp::from_second(i64::try_from(found).ok()?).ok()?.to_string())
        };
        let at = |stamp, now| at(stamp, now).expect("a time");
        assert_eq!(at("Dec 31 23:59:59", "2027-01-01T00:00:02Z"), "2026-12-31T23:59:59Z");
        assert_eq!(at("Jan  1 00:00:01", "2027-01-01T00:00:02Z"), "2027-01-01T00:00:01Z");
        // The host that wrote the line is ahead of us, or east of us.
        assert_eq!(at("Jan  1 00:00:01", "2026-12-31T23:59:58Z"), "2027-01-01T00:00:01Z");
        // A log of the spring before last autumn.
        assert_eq!(at("Mar  3 00:00:00", "2026-11-21T20:00:00Z"), "2026-03-03T00:00:00Z");
        assert_eq!(at("Nov 30 00:00:00", "2026-11-21T20:00:00Z"), "2025-11-30T00:00:00Z");
        assert_eq!(at("Feb 29 00:00:00", "2026-11-21T20:00:00Z"), "2024-02-29T00:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for stamp in [
            "",
            "Nov",
            "Nov 21",
            "Nov 31 20:00:00",
            "Nov 21 25:00:00",
            "Foo 21 20:00:00",
            "Nov 21 20:00:00 ",
            "Nov 21 20:00",
            "2026-13-01T00:00:00Z",
            "2026-11-21T20:00:00+",
            "2026-11-21T20:00:00+1",
            "2026-11-21",
            "@",
            "@zz",
            "@4000",
            "@ffffffffffffffff",
            "1.2.3",
            "12",
            "99999999999999999999",
            "Nov  0 20:00:00",
            "\u{661}026-11-21T20:00:00Z",
        ] {
            assert_eq!(in_zone(stamp.as_bytes(), NOW, &berlin()), None, "{stamp}");
        }
    }
}
