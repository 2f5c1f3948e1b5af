//! Times as RFC 3339 writes them, and nothing laxer: a time without offset is a guess.
//!
//! By hand rather than with `jiff`, which also takes zone names, week dates and missing parts, and is
//! slower than the rest of a record taken together.

use std::ops::Range;

use jiff::civil::Date;

use crate::model::time::EventTime;

/// Why text is no event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeError {
    /// Not `YYYY-MM-DDThh:mm:ss[.f...]` with a date and time that exist.
    Malformed,
    /// A good time, but of which zone?
    NoOffset,
    /// Before 1970 or after [`EventTime::MAX`].
    OutOfRange,
}

/// Reads an RFC 3339 time. Digits beyond milliseconds are cut off; a leap second is the second after it.
///
/// # Errors
/// Anything else, with what is wrong.
pub(super) fn parse(text: &str) -> Result<EventTime, TimeError> {
    let bytes = text.as_bytes();
    let (&date, rest) = bytes.split_first_chunk::<10>().ok_or(TimeError::Malformed)?;
    let days = days(date).ok_or(TimeError::Malformed)?;
    let (&clock, rest) = rest.split_first_chunk::<9>().ok_or(TimeError::Malformed)?;
    let seconds = clock_seconds(clock).ok_or(TimeError::Malformed)?;
    let (millis, rest) = fraction(rest).ok_or(TimeError::Malformed)?;
    let offset = offset_seconds(rest)?;
    checked((days * 86_400 + seconds - offset) * 1_000 + millis)
}

/// Checks milliseconds since 1970.
///
/// # Errors
/// Times before 1970 or after [`EventTime::MAX`].
pub(super) fn checked(millis: i64) -> Result<EventTime, TimeError> {
    if (EventTime::MIN.0..=EventTime::MAX.0).contains(&millis) {
        Ok(EventTime(millis))
    } else {
        Err(TimeError::OutOfRange)
    }
}

/// Reads a bare date `YYYY-MM-DD` from 1970 to 2500; `None` where the text is none.
pub(super) fn parse_date(text: &str) -> Option<Date> {
    let bytes: &[u8; 10] = text.as_bytes().try_into().ok()?;
    days(*bytes).filter(|days| (0..=EventTime::MAX.0 / 86_400_000).contains(days))?;
    text.parse().ok()
}

/// Days from 1970-01-01 to a date that exists, years 0000 to 9999.
fn days(text: [u8; 10]) -> Option<i64> {
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&text, 0..4)?, digits(&text, 5..7)?, digits(&text, 8..10)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is the last; 400 years have 146,097 days, and 719,468
    // days lie between 0000-03-01 and 1970-01-01.
    let year = year - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

/// Seconds into the day of `Thh:mm:ss`.
fn clock_seconds(text: [u8; 9]) -> Option<i64> {
    if !matches!(text[0], b'T' | b't' | b' ') || text[3] != b':' || text[6] != b':' {
        return None;
    }
    let (hour, minute, second) = (digits(&text, 1..3)?, digits(&text, 4..6)?, digits(&text, 7..9)?);
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3_600 + minute * 60 + second)
}

/// Milliseconds of a fraction, where there is one, and what follows.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = bytes.split_first() else {
        return Some((0, bytes));
    };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digit = |place: usize| if place < length { i64::from(digits[place] - b'0') } else { 0 };
    (length > 0).then(|| (digit(0) * 100 + digit(1) * 10 + digit(2), &digits[length..]))
}

fn offset_seconds(bytes: &[u8]) -> Result<i64, TimeError> {
    match bytes {
        [b'Z' | b'z'] => Ok(0),
        [] => Err(TimeError::NoOffset),
        [sign @ (b'+' | b'-'), rest @ ..] if rest.len() == 5 && rest[2] == b':' => {
            let (hour, minute) = digits(rest, 0..2).zip(digits(rest, 3..5)).ok_or(TimeError::Malformed)?;
            if hour > 23 || minute > 59 {
                return Err(TimeError::Malformed);
            }
            let seconds = hour * 3_600 + minute * 60;
            Ok(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => Err(TimeError::Malformed),
    }
}

fn digits(bytes: &[u8], range: Range<usize>) -> Option<i64> {
    bytes[range].iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_3339_is_read_to_the_millisecond() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
            ("1997-01-01T08:00:00Z", "1997-01-01T08:00:00.000Z"),
            ("2026-11-21t22:55:00.1z", "2026-11-21T22:55:00.100Z"),
            ("2026-11-21 22:55:00.123999+02:00", "2026-11-21T20:55:00.123Z"),
            ("2024-02-29T23:59:60-00:00", "2024-03-01T00:00:00.000Z"),
            ("2500-01-01T00:00:00Z", "2500-01-01T00:00:00.000Z"),
            ("1969-12-31T23:30:00-01:00", "1970-01-01T00:30:00.000Z"),
        ] {
            assert_eq!(parse(text).map(|time| time.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_what_is_wrong() {
        for (text, expected) in [
            ("2026-11-21T22:55:00", TimeError::NoOffset),
            ("1969-12-31T23:59:59Z", TimeError::OutOfRange),
            ("2500-01-01T00:00:00.001Z", TimeError::OutOfRange),
            ("0000-01-01T00:00:00Z", TimeError::OutOfRange),
            ("", TimeError::Malformed),
            ("2026-11-21", TimeError::Malformed),
            ("2026-02-29T00:00:00Z", TimeError::Malformed),
            ("2026-13-01T00:00:00Z", TimeError::Malformed),
            ("2026-11-21T24:00:00Z", TimeError::Malformed),
            ("2026-11-21T22:55Z", TimeError::Malformed),
            ("2026-11-21T22:55:00.Z", TimeError::Malformed),
            ("2026-11-21T22:55:00+0200", TimeError::Malformed),
            ("2026-11-21T22:55:00+24:00", TimeError::Malformed),
            ("2026-11-21T22:55:00Z ", TimeError::Malformed),
            ("2026-11-21T22:55:00Z[UTC]", TimeError::Malformed),
            ("+02026-11-21T22:55:00Z", TimeError::Malformed),
            ("ééééééééééééééé", TimeError::Malformed),
        ] {
            assert_eq!(parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_bare_date_is_read_within_the_same_bounds() {
        assert_eq!(parse_date("2027-02-28"), Some(jiff::civil::date(2027, 2, 28)));
        for text in ["2027-02-29", "1969-12-31", "2500-01-02", "20270228", "2027-2-28"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_time_written_is_the_time_read(millis in 0..=EventTime::MAX.0) {
            let time = EventTime(millis);
            prop_assert_eq!(parse(&time.to_string()), Ok(time));
        }
    }
}
