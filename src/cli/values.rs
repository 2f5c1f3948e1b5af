//! Arguments that several commands read.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::event::Kind;
use crate::model::time::EventTime;

/// Files of a kind: `purchase=orders.jsonl`.
pub(super) type Input = (Kind, PathBuf);

pub(super) fn kind(name: &str) -> Result<Kind, String> {
    let known = Kind::ALL.map(Kind::name).join(", ");
    Kind::from_name(name).ok_or_else(|| format!("unknown kind; known: {known}"))
}

pub(super) fn input(text: &str) -> Result<Input, String> {
    let (name, path) = text.split_once('=').ok_or("write KIND=FILE, such as purchase=orders.jsonl")?;
    Ok((kind(name)?, PathBuf::from(path)))
}

pub(super) fn instant(text: &str) -> Result<EventTime, String> {
    let midnight = |date: jiff::civil::Date| date.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp());
    let time = text.parse::<jiff::Timestamp>().or_else(|_| text.parse().and_then(midnight));
    let time = time.ok().map(|time| EventTime(time.as_millisecond()));
    let allowed = EventTime::MIN..EventTime::MAX.minus(Duration::from_hours(24 * 36_500));
    time.filter(|time| allowed.contains(time))
        .ok_or_else(|| "write a date or an instant after 1970 and before 2400, such as 2025-01-01".to_owned())
}
