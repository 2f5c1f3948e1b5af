//! Local dates of the ruleset's timezone, and the windows that are built on them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use vipstream::model::time::EventTime;

/// How long an event counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Window {
    Days(i64),
    Hours(i64),
    Minutes(i64),
    Year,
    Quarter,
    Month,
    Lifetime,
}

/// A timezone's dates. What was looked up once is kept: a date is asked for many times.
pub(super) struct Calendar {
    zone: TimeZone,
    firsts: RefCell<BTreeMap<Date, EventTime>>,
    /// By its first instant, each date and the first instant of the next.
    dates: RefCell<BTreeMap<EventTime, (Date, EventTime)>>,
}

impl Calendar {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, firsts: RefCell::default(), dates: RefCell::default() }
    }

    /// The first instant of a date.
    pub(super) fn first_instant(&self, date: Date) -> EventTime {
        if let Some(first) = self.firsts.borrow().get(&date) {
            return *first;
        }
        let midnight = date.to_zoned(self.zone.clone()).expect("a date within a few centuries");
        let first = EventTime(midnight.timestamp().as_millisecond());
        self.firsts.borrow_mut().insert(date, first);
        first
    }

    /// The greatest date that has begun at an instant.
    pub(super) fn date(&self, at: EventTime) -> Date {
        if let Some((_, (date, next))) = self.dates.borrow().range(..=at).next_back()
            && at < *next
        {
            return *date;
        }
        let time = Timestamp::from_millisecond(at.0).expect("an event time is before the year 2500");
        let mut date = time.to_zoned(self.zone.clone()).date();
        while self.first_instant(date) > at {
            date = plus_days(date, -1);
        }
        while self.first_instant(plus_days(date, 1)) <= at {
            date = plus_days(date, 1);
        }
        let known = (date, self.first_instant(plus_days(date, 1)));
        self.dates.borrow_mut().insert(self.first_instant(date), known);
        date
    }

    /// How many local dates lie between two instants.
    pub(super) fn days_between(&self, from: EventTime, to: EventTime) -> i64 {
        i64::from((self.date(to) - self.date(from)).get_days())
    }

    /// The instant at which an event at `place` leaves a window; `None`: never.
    pub(super) fn exit(&self, window: Window, place: EventTime) -> Option<EventTime> {
        let units = |millis: i64, count: i64| EventTime((place.0.div_euclid(millis) + count) * millis);
        let date = self.date(place);
        let month = date.first_of_month();
        Some(match window {
            Window::Days(days) => self.first_instant(plus_days(date, days)),
            Window::Hours(hours) => units(3_600_000, hours),
            Window::Minutes(minutes) => units(60_000, minutes),
            Window::Month => self.first_instant(plus_months(month, 1)),
            Window::Quarter => self.first_instant(plus_months(month, 3 - i64::from((date.month() - 1) % 3))),
            Window::Year => self.first_instant(plus_months(month, 13 - i64::from(date.month()))),
            Window::Lifetime => return None,
        })
    }
}

/// The date `days` later.
pub(super) fn plus_days(date: Date, days: i64) -> Date {
    date.checked_add(days.days()).expect("a date within a few centuries")
}

fn plus_months(date: Date, months: i64) -> Date {
    date.checked_add(months.months()).expect("a date within a few centuries")
}
