//! An open pivot: whether the old level is back, or the new one has come to stay.

use libm::log;
use serde::{Deserialize, Serialize};

use super::Direction;
use super::level::{Count, Sums};
use super::student::Student;

/// A level that has moved. Size: 28 bytes, no heap; it takes the place of the scores, which rest meanwhile.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub(super) struct Opened {
    pub(super) direction: Direction,
    /// Values seen since the alarm.
    seen: u8,
    /// Values that make up the new level, their sum and their squares.
    n: Count,
    s1: f32,
    s2: f32,
    /// Mean of the new level; of a value that was only thought of, while there is no other.
    to: f32,
    /// Evidence that the old level is back, in nats; not below zero.
    back: f32,
    /// Start of the change, in seconds.
    pub(super) since_s: u32,
}

/// How a pivot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Recovered,
    Settled,
}

impl Opened {
    #[expect(clippy::cast_possible_truncation, reason = "what is kept is kept in f32")]
    pub(super) fn new(direction: Direction, since_s: u32, to: f64, after: Sums) -> Self {
        let (s1, s2) = (after.s1 as f32, after.s2 as f32);
        Self { direction, seen: 0, n: Count::of(after.n), s1, s2, to: to as f32, back: 0.0, since_s }
    }

    /// Takes in a value, relative to the population's mean; `usual` is what the baseline predicts.
    ///
    /// A value belongs to the new level unless it counts as evidence that the old one is back.
    ///
    /// # Source
    /// PIVOT.md 3.7; that the new level goes on learning is from the reference events.
    #[expect(clippy::cast_possible_truncation, reason = "what is kept is kept in f32")]
    pub(super) fn follow(&mut self, x: f64, usual: Student) -> Option<Ended> {
        let gain = usual.gain_over(&usual.at(f64::from(self.to)), x);
        self.back = (f64::from(self.back) + gain).max(0.0) as f32;
        self.seen += 1;
        if self.back <= 0.0 {
            let Sums { n, s1, s2 } = self.learnt();
            self.n = Count::of(n + 1.0);
            self.s1 = (s1 + x) as f32;
            self.s2 = (s2 + x * x) as f32;
            self.to = ((s1 + x) / (n + 1.0)) as f32;
        }
        if f64::from(self.back) >= log(ODDS) {
            return Some(Ended::Recovered);
        }
        (self.seen >= PATIENCE).then_some(Ended::Settled)
    }

    pub(super) fn learnt(&self) -> Sums {
        Sums { n: self.n.get(), s1: f64::from(self.s1), s2: f64::from(self.s2) }
    }

    /// Returns the mean of the new level, relative to the population's.
    pub(super) fn level(&self) -> f64 {
        f64::from(self.to)
    }

    pub(super) const fn seen(&self) -> u8 {
        self.seen
    }

    /// Returns the evidence that the old level is back.
    pub(super) fn back(&self) -> f64 {
        f64::from(self.back)
    }
}

/// How much better the old level has to explain what comes than the new one.
pub(super) const ODDS: f64 = 20.0;

/// After so many values without that, the new level is the usual one.
pub(super) const PATIENCE: u8 = 12;
