//! When a snapshot is due, and how much of a task's time it may take.
//!
//! Two bounds: while one is written, encoding takes a tenth of the time at most, a slice of about a millisecond at
//! once, so that events wait little; and over the whole interval encoding and sealing take a twentieth, for which the
//! interval is lengthened where a snapshot costs more than that.

use std::time::{Duration, Instant};

use super::Pace;
use crate::clock;

/// Remembers what snapshots cost and how they ended.
#[derive(Debug)]
pub(super) struct Pacing {
    every: Duration,
    /// The next may begin from here on.
    next: Instant,
    /// When the newest began.
    began: Instant,
    /// What it cost so far.
    cost: Duration,
    /// In a row.
    failures: u32,
    /// An epoch was committed since the newest began.
    is_changed: bool,
    /// Snapshots are kept that an erased customer is in.
    pub(super) holds_erased: bool,
    /// The next slice may be encoded from here on.
    slice: Instant,
}

impl Pacing {
    pub(super) fn new(pace: Pace) -> Self {
        let now = clock::now();
        Self {
            every: pace.every,
            next: now,
            began: now,
            cost: Duration::ZERO,
            failures: 0,
            is_changed: false,
            holds_erased: false,
            slice: now,
        }
    }

    /// A snapshot of such an age was found.
    pub(super) fn resume(&mut self, age: Duration) {
        self.next = clock::now() + self.every.saturating_sub(age);
    }

    pub(super) fn note_epoch(&mut self) {
        self.is_changed = true;
    }

    pub(super) fn is_due(&self) -> bool {
        self.is_changed && clock::now() >= self.next
    }

    /// Whether one would be due if only an epoch were committed: so that those go that an erased customer is in.
    pub(super) fn wants_epoch(&self) -> bool {
        self.holds_erased && !self.is_changed && clock::now() >= self.next
    }

    pub(super) fn begin(&mut self) {
        self.began = clock::now();
        self.slice = self.began;
        self.cost = Duration::ZERO;
        self.is_changed = false;
    }

    /// Sealing cost that much.
    pub(super) fn spend(&mut self, cost: Duration) {
        self.cost += cost;
    }

    /// The present one became a snapshot.
    pub(super) fn succeed(&mut self) {
        self.failures = 0;
        self.next = self.began + self.every.max(self.cost * SHARE);
    }

    /// The present one was given up.
    pub(super) fn fail(&mut self) {
        self.is_changed = true;
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(self.every);
        self.failures += 1;
        self.next = (clock::now() + pause).max(self.began + self.cost * SHARE);
    }

    /// Runs one slice of encoding, unless the newest was too short a while ago: `step` encodes a few customers and says
    /// whether to go on. It ends by time, and by number where time stands still.
    pub(super) fn slice(&mut self, mut step: impl FnMut() -> bool) {
        let begin = clock::now();
        if begin < self.slice {
            return;
        }
        for _ in 0..MOST_STEPS {
            if !step() || clock::since(begin) >= SLICE {
                break;
            }
        }
        let took = clock::since(begin);
        self.cost += took;
        self.slice = clock::now() + took * (DUTY - 1);
    }
}

/// A snapshot costs at most one part of so many of its interval.
const SHARE: u32 = 20;
/// While it is written, encoding takes one part of so many.
const DUTY: u32 = 10;
/// Encoded at once, and an event waits for it.
const SLICE: Duration = Duration::from_millis(1);
/// Of a slice, where the clock does not tell.
const MOST_STEPS: usize = 256;
/// After the first failure; doubled with each more, up to the interval.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
