//! Local dates and the windows that go by them.
//!
//! A date begins at its first instant in the ruleset's timezone. The zone's rules are compiled in, so the same
//! ruleset reckons alike on every machine; they are part of the logic version. Offsets are tabled once, since a date is asked
//! for with every event.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::model::event::PeriodEnd;
use crate::model::time::EventTime;

/// A local date as days since 1970-01-01.
pub type Day = i64;

const DAY_MS: i64 = 86_400_000;

/// What a feature looks back over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    Lifetime,
    /// Local dates.
    Days(u32),
    /// UTC hours.
    Hours(u32),
    /// UTC minutes.
    Minutes(u32),
    Month,
    Quarter,
    Year,
}

/// The local dates of a timezone.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    /// From when on which offset from UTC holds, both in milliseconds, ascending.
    offsets: Vec<(i64, i64)>,
    /// For each stretch of 2^[`STRETCH`] milliseconds since 1970, the offset in force at its start: a date is asked for
    /// several times with each event, and this finds its offset in a step or two.
    stretches: Vec<u16>,
}

/// About 50 days.
const STRETCH: u32 = 32;

impl Calendar {
    /// The calendar of an IANA timezone; `None` where there is no such zone.
    pub fn new(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name).ok()?;
        let start = Timestamp::from_millisecond(EventTime::MIN.0).ok()?;
        let mut offsets = vec![(i64::MIN, i64::from(zone.to_offset(start).seconds()) * 1000)];
        for transition in zone.following(start) {
            let at = transition.timestamp().as_millisecond();
            if at > EventTime::MAX.0 {
                break;
            }
            offsets.push((at, i64::from(transition.offset().seconds()) * 1000));
        }
        let of = |time: i64| offsets.partition_point(|(from, _)| *from <= time) - 1;
        let stretches = (0..=EventTime::MAX.0 >> STRETCH).map(|stretch| u16::try_from(of(stretch << STRETCH)).ok());
        let stretches = stretches.collect::<Option<_>>()?;
        Some(Self { zone, offsets, stretches })
    }

    /// The local date of an instant: the greatest that has begun.
    pub fn day(&self, time: EventTime) -> Day {
        let at = self.offset_at(time.0);
        let wall = (time.0 + self.offsets[at].1).div_euclid(DAY_MS);
        // Clocks set back over midnight show the date before once more; it had ended.
        if at > 0 {
            let before = (self.offsets[at].0 - 1 + self.offsets[at - 1].1).div_euclid(DAY_MS);
            return wall.max(before);
        }
        wall
    }

    /// The place of the offset in force.
    fn offset_at(&self, time: i64) -> usize {
        let last = self.stretches.len() - 1;
        let stretch = usize::try_from(time >> STRETCH).unwrap_or(0).min(last);
        let mut at = usize::from(self.stretches[stretch]);
        while time < self.offsets[at].0 {
            at -= 1;
        }
        while self.offsets.get(at + 1).is_some_and(|(from, _)| *from <= time) {
            at += 1;
        }
        at
    }

    /// The first instant of a local date.
    pub fn start(&self, day: Day) -> EventTime {
        // No offset is more than a day from UTC, so the date's start lies in reach of the offsets around it.
        let local = day * DAY_MS;
        let first = self.offset_at(local - 2 * DAY_MS);
        for (at, (from, offset)) in self.offsets.iter().enumerate().skip(first) {
            let begins = (local - offset).max(*from);
            let until = self.offsets.get(at + 1).map_or(i64::MAX, |(next, _)| *next);
            if begins < until {
                return EventTime(begins);
            }
        }
        EventTime(i64::MAX)
    }

    /// The instant a subscription's period ends.
    pub fn period_end(&self, end: PeriodEnd) -> EventTime {
        match end {
            PeriodEnd::Instant(time) => time,
            PeriodEnd::Date(date) => self.start(day_of(date)),
        }
    }

    /// When an event at `place` leaves a window; `None` for a lifetime.
    pub fn exit(&self, window: Window, place: EventTime) -> Option<EventTime> {
        Some(match window {
            Window::Lifetime => return None,
            Window::Days(days) => self.start(self.day(place) + i64::from(days)),
            Window::Hours(hours) => EventTime((place.0.div_euclid(HOUR_MS) + i64::from(hours)) * HOUR_MS),
            Window::Minutes(minutes) => EventTime((place.0.div_euclid(MINUTE_MS) + i64::from(minutes)) * MINUTE_MS),
            Window::Month => self.start(next_period(self.day(place), 1)),
            Window::Quarter => self.start(next_period(self.day(place), 3)),
            Window::Year => self.start(next_period(self.day(place), 12)),
        })
    }

    /// The least place still in a window at `now`: everything before it has left.
    pub fn first_inside(&self, window: Window, now: EventTime) -> EventTime {
        match window {
            Window::Lifetime => EventTime(i64::MIN),
            Window::Days(days) => self.start(self.day(now) - i64::from(days) + 1),
            Window::Hours(hours) => EventTime((now.0.div_euclid(HOUR_MS) - i64::from(hours) + 1) * HOUR_MS),
            Window::Minutes(minutes) => EventTime((now.0.div_euclid(MINUTE_MS) - i64::from(minutes) + 1) * MINUTE_MS),
            Window::Month => self.start(period_start(self.day(now), 1)),
            Window::Quarter => self.start(period_start(self.day(now), 3)),
            Window::Year => self.start(period_start(self.day(now), 12)),
        }
    }

    /// The unit of a window in which an instant lies: events of one unit leave together.
    pub fn unit(&self, window: Window, time: EventTime) -> i64 {
        match window {
            Window::Lifetime => 0,
            Window::Days(_) => self.day(time),
            Window::Hours(_) => time.0.div_euclid(HOUR_MS),
            Window::Minutes(_) => time.0.div_euclid(MINUTE_MS),
            Window::Month => period_start(self.day(time), 1),
            Window::Quarter => period_start(self.day(time), 3),
            Window::Year => period_start(self.day(time), 12),
        }
    }

    /// The zone's name.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;

/// A date as days since 1970-01-01.
pub fn day_of(date: Date) -> Day {
    i64::from((date - EPOCH).get_days())
}

const EPOCH: Date = Date::constant(1970, 1, 1);

pub fn date_of(day: Day) -> Date {
    EPOCH.saturating_add(day.days())
}

fn period_start(day: Day, months: i8) -> Day {
    let date = date_of(day);
    let month = (date.month() - 1) / months * months + 1;
    Date::new(date.year(), month, 1).map_or(day, day_of)
}

fn next_period(day: Day, months: i8) -> Day {
    day_of(date_of(period_start(day, months)).saturating_add(i64::from(months).months()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> EventTime {
        EventTime(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn dates_and_starts_agree_with_the_time_library_over_clock_changes() {
        for name in
            ["UTC", "Europe/Ljubljana", "America/Sao_Paulo", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]
        {
            let calendar = Calendar::new(name).unwrap();
            for day in (0..60_000).step_by(7).chain(11_000..18_500) {
                let expected = date_of(day).to_zoned(calendar.zone.clone()).unwrap().timestamp().as_millisecond();
                let start = calendar.start(day);
                assert_eq!(start.0, expected, "start of {} in {name}", date_of(day));
                // A date that a zone skipped begins and ends where the next one begins.
                if calendar.start(day + 1) > start {
                    assert_eq!(calendar.day(start), day, "{name}");
                }
                assert!(calendar.day(EventTime(start.0 - 1)) < day, "{name}");
            }
        }
    }

    #[test]
    fn a_window_of_days_ends_with_the_date() {
        let calendar = Calendar::new("Europe/Ljubljana").unwrap();
        let place = at("2026-03-01T22:59:59Z");
        let exit = calendar.exit(Window::Days(30), place).unwrap();
        assert_eq!(exit, at("2026-03-30T22:00:00Z"), "23:59 on 1 March counts up to 30 March, now on summer time");
        assert!(calendar.first_inside(Window::Days(30), EventTime(exit.0 - 1)) <= place);
        assert!(calendar.first_inside(Window::Days(30), exit) > place);
    }

    #[test]
    fn periods_end_at_the_next_ones_first_date() {
        let calendar = Calendar::new("UTC").unwrap();
        let place = at("2026-05-15T12:00:00Z");
        assert_eq!(calendar.exit(Window::Month, place), Some(at("2026-06-01T00:00:00Z")));
        assert_eq!(calendar.exit(Window::Quarter, place), Some(at("2026-07-01T00:00:00Z")));
        assert_eq!(calendar.exit(Window::Year, place), Some(at("2027-01-01T00:00:00Z")));
        assert_eq!(calendar.exit(Window::Hours(24), at("2026-05-15T12:30:00Z")), Some(at("2026-05-16T12:00:00Z")));
    }
}
