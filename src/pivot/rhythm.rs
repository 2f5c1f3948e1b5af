//! A channel of gaps: when somebody came last, when they are expected, and how far apart their visits are.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::budget::Grade;
use super::level::{Before, Finding, Level, Step, Suspicion};
use super::settings::{Settings, Thresholds};
use super::timers::{Alarm, next};
use super::{Channel, DAY_MS, Direction};

/// Visits of one kind. Size: 52 bytes, no heap. Times are from 1970 to 2106; what is outside counts as the nearest.
#[derive(Clone, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
pub(super) struct Rhythm {
    /// Sorted by first: of two, the one that knows more is the greater.
    events: u8,
    /// At which level the present silence was raised.
    silent: Option<Grade>,
    last_ms: u16,
    last_s: u32,
    due_s: Option<NonZeroU32>,
    pub(super) level: Level,
}

/// What a gap channel has to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Heard {
    Level(Finding),
    /// Nobody came for `days`, which is as improbable as `p`, where `mean_days` were expected.
    Silence {
        grade: Grade,
        p: f64,
        mean_days: f64,
        days: f64,
        since_ms: i64,
        n: f64,
        /// It was raised as a watch before.
        was_announced: bool,
    },
    /// Somebody is back after `days`.
    Back {
        grade: Grade,
        mean_days: f64,
        days: f64,
        since_ms: i64,
        n: f64,
    },
}

impl Rhythm {
    /// Returns how many events there were, whatever they said of gaps, up to 255.
    pub(super) const fn events(&self) -> u8 {
        self.events
    }

    pub(super) const fn silent(&self) -> Option<Grade> {
        self.silent
    }

    /// Returns the next timer, on a whole second.
    pub(super) fn due_ms(&self) -> Option<i64> {
        self.due_s.map(|due| i64::from(due.get()) * 1000)
    }

    /// Returns the time of the newest visit.
    pub(super) fn last(&self) -> i64 {
        i64::from(self.last_s) * 1000 + i64::from(self.last_ms)
    }

    fn set_last(&mut self, at_ms: i64) {
        (self.last_s, self.last_ms) = (seconds(at_ms), u16::try_from(at_ms.rem_euclid(1000)).unwrap_or_default());
    }

    /// Takes in an event; false where it is late. Those within a day of a visit belong to it.
    #[expect(clippy::cast_precision_loss, reason = "a gap in milliseconds is far below 2^52")]
    pub(super) fn visit(&mut self, at_ms: i64, channel: Channel, settings: &Settings, heard: &mut Vec<Heard>) -> bool {
        let at_ms = at_ms.clamp(0, LAST_MS);
        self.events = self.events.saturating_add(1);
        if self.events == 1 {
            self.set_last(at_ms);
            return true;
        }
        let days = (at_ms - self.last()) as f64 / DAY_MS;
        if days < 1.0 {
            return days >= 0.0;
        }
        let shape = settings.shape(channel);
        let all = self.level.baseline();
        let mean_days = shape.usual_days(&all);
        let silent = self.silent.take();
        if let Some(grade) = silent {
            heard.push(Heard::Back { grade, mean_days, days, since_ms: self.last(), n: all.n });
        }
        // A gap that was called a silence says nothing of the rhythm. One that was only watched does, as without the watch.
        if silent != Some(settings.budget().decides().grade) {
            let mut found = Vec::new();
            let past = settings.past_gaps(channel, mean_days);
            self.level.take(days.sqrt().sqrt() - shape.mu0, self.last_s, shape, &past, &mut found);
            heard.extend(found.into_iter().map(Heard::Level));
        }
        self.set_last(at_ms);
        self.arm(at_ms, channel, settings);
        true
    }

    /// Sets the timer, not before `now_ms`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "beyond 2106 there is no timer")]
    pub(super) fn arm(&mut self, now_ms: i64, channel: Channel, settings: &Settings) {
        self.due_s = next(&self.level, self.silent, channel, settings).and_then(|(days, _)| {
            let after_ms = f64::from(self.last_s) * 1000.0 + f64::from(self.last_ms) + days * DAY_MS;
            let due_s = (after_ms / 1000.0).ceil();
            let due_s = if due_s < f64::from(u32::MAX) { due_s as u32 } else { return None };
            NonZeroU32::new(due_s.max(seconds(now_ms.saturating_add(999))))
        });
    }

    /// Fires the timer that is due at `at_ms`.
    #[expect(clippy::cast_precision_loss, reason = "a gap in milliseconds is far below 2^52")]
    pub(super) fn fire(&mut self, at_ms: i64, channel: Channel, settings: &Settings, heard: &mut Vec<Heard>) {
        let alarm = next(&self.level, self.silent, channel, settings);
        self.due_s = None;
        match alarm {
            Some((_, Alarm::Silence { grade, p, mean_days })) => {
                let days = (at_ms - self.last()) as f64 / DAY_MS;
                let was_announced = self.silent.replace(grade).is_some();
                let n = self.level.baseline().n;
                heard.push(Heard::Silence { grade, p, mean_days, days, since_ms: self.last(), n, was_announced });
            }
            Some((_, Alarm::Slowed { grade, threshold, x })) => {
                heard.extend(self.slow(grade, threshold, x, channel, settings).into_iter().flatten().map(Heard::Level));
            }
            None => return,
        }
        self.arm(at_ms, channel, settings);
    }

    /// Raises a slowing for the value `x` that a visit now would have; it is not learnt.
    fn slow(
        &mut self,
        grade: Grade,
        threshold: f64,
        x: f64,
        channel: Channel,
        settings: &Settings,
    ) -> [Option<Finding>; 2] {
        let Some(mut was) = self.level.suspicion(Direction::Up) else { return [None, None] };
        let (shape, all) = (settings.shape(channel), self.level.baseline());
        if was.e <= 0.0 {
            was = Suspicion { before: Before { n: all.n, s1: all.s1 }, since_s: self.last_s, ..was };
        }
        // It can be past the threshold already: the visit that brought it there moved the threshold as well.
        let evidence = Some((was.e.max(threshold), threshold));
        let mut finding = shape.finding(Step::Raised, Direction::Up, grade, &all, &was);
        finding.evidence = evidence;
        finding.was_announced = self.level.announced() == Some(Direction::Up);
        if finding.n_after <= 0.0 {
            finding.to = shape.mu0 + x;
        }
        if grade != settings.budget().decides().grade {
            self.level.announce(Direction::Up);
            return [None, Some(finding)];
        }
        let mut withdrawn = Vec::new();
        let other = self.level.announced().filter(|of| *of == Direction::Down);
        self.level.withdraw(other, shape, &mut withdrawn);
        self.level.reopen(Direction::Up, was, Some(x), shape);
        [withdrawn.pop(), Some(finding)]
    }

    /// Joins the visits of somebody who turned out to be the same person: the rhythm of whoever has more events, from the newest
    /// visit of both.
    pub(super) fn absorb(&mut self, other: Self) {
        let events = self.events.saturating_add(other.events);
        let (last, silent) = match self.last().cmp(&other.last()) {
            std::cmp::Ordering::Less => (other.last(), other.silent),
            std::cmp::Ordering::Equal => (self.last(), self.silent.max(other.silent)),
            std::cmp::Ordering::Greater => (self.last(), self.silent),
        };
        if other.outweighs(self) {
            self.level = other.level;
        }
        (self.events, self.silent) = (events, silent);
        self.set_last(last);
    }

    fn outweighs(&self, other: &Self) -> bool {
        self.level.outweighs(&other.level)
    }

    /// Returns what the level's scores have to reach.
    pub(super) fn past(&self, channel: Channel, settings: &Settings) -> Thresholds {
        settings.past_gaps(channel, settings.shape(channel).usual_days(&self.level.baseline()))
    }
}

/// End of the time that fits.
const LAST_MS: i64 = u32::MAX as i64 * 1000 + 999;

/// Returns the second in which an instant lies.
pub(super) fn seconds(at_ms: i64) -> u32 {
    u32::try_from(at_ms.div_euclid(1000).max(0)).unwrap_or(u32::MAX)
}
