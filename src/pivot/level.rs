//! A level that may move: scores for up and for down, over a baseline that learns.
//!
//! Sums are kept relative to the population's mean, so that `f32` loses nothing that matters; the arithmetic is `f64`.

use serde::{Deserialize, Serialize};

use super::Direction;
use super::budget::Grade;
use super::open::{Ended, Opened};
use super::settings::Thresholds;
use super::student::Student;

/// How a channel's values behave and what a move of them is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    /// Mean of the population.
    pub(super) mu0: f64,
    /// How many values the population's mean is worth.
    pub(super) k0: f64,
    /// Half of how many values the population's variance is worth.
    pub(super) a0: f64,
    /// Scale of the population's variance.
    pub(super) b0: f64,
    /// Least move looked for: up, down.
    pub(super) shift: [f64; 2],
    /// Whether the move is a part of the level rather than an amount.
    pub(super) is_relative: bool,
    /// Least number of values since the change.
    pub(super) least_after: f64,
    /// Values that count; older ones fade.
    pub(super) cap: f64,
}

/// Number, sum and sum of squares of values, relative to the population's mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) n: f64,
    pub(super) s1: f64,
    pub(super) s2: f64,
}

impl Shape {
    /// Predicts the next value if nothing has moved.
    ///
    /// # Source
    /// Normal-inverse-gamma predictive; PIVOT.md 3.3, "null".
    pub(super) fn usual(&self, all: &Sums) -> Student {
        let k = self.k0 + all.n;
        let a = self.a0 + all.n / 2.0;
        let b = (self.b0 + (all.s2 - all.s1 * all.s1 / k) / 2.0).max(LEAST_SPREAD);
        Student { location: all.s1 / k, scale2: b * (k + 1.0) / (a * k), nu: 2.0 * a }
    }

    /// Predicts the next value if it has moved after the first `before` of all values.
    ///
    /// # Source
    /// Conjugate window-limited CUSUM: the post-change level has a prior worth [`WEIGHT`] values at the least move; PIVOT.md 3.3,
    /// "alt".
    pub(super) fn moved(&self, all: &Sums, before: Before, direction: Direction) -> Student {
        let kt = self.k0 + before.n;
        let was = before.s1 / kt;
        let step = self.shift[direction as usize] * if self.is_relative { self.mu0 + was } else { 1.0 };
        let target = was + step;
        let after = Before { n: all.n - before.n, s1: all.s1 - before.s1 };
        let mut squares = all.s2 - before.s1 * before.s1 / kt;
        let mut location = target;
        let weight = WEIGHT + after.n;
        // Less than half a value is what fading has left of none.
        if after.n > 0.5 {
            let mean = after.s1 / after.n;
            squares += WEIGHT * after.n / weight * (mean - target) * (mean - target) - after.n * mean * mean;
            location = (WEIGHT * target + after.s1) / weight;
        }
        let halfway = was + step / 2.0;
        let location = match direction {
            Direction::Up => location.max(halfway),
            Direction::Down => location.min(halfway),
        };
        let a = self.a0 + all.n / 2.0;
        let scale2 = (self.b0 + squares / 2.0).max(LEAST_SPREAD) * (weight + 1.0) / (a * weight);
        Student { location, scale2, nu: 2.0 * a }
    }
}

/// Number and sum of the values before a change that is thought of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Before {
    pub(super) n: f64,
    pub(super) s1: f64,
}

/// How many values, in units of 1/900, up to 72: a cap of 60 and the 12 that settle a pivot. In `f32` a customer would take 136
/// bytes, and all detectors 364; it shifts two of 890 reference events by two to four minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Serialize, Deserialize)]
pub(super) struct Count(u16);

impl Count {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast saturates, and n is capped far below"
    )]
    pub(super) fn of(n: f64) -> Self {
        Self((n * Self::UNITS).round() as u16)
    }

    pub(super) fn get(self) -> f64 {
        f64::from(self.0) / Self::UNITS
    }

    const UNITS: f64 = 900.0;
}

/// What is known of one level. Size: 40 bytes, no heap.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub(super) struct Level {
    s1: f32,
    s2: f32,
    phase: Phase,
}

/// The baseline's count is in here, since there is room beside the tag.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
enum Phase {
    Watching {
        /// The direction of which a watch was raised and not taken back.
        announced: Option<Direction>,
        n: Count,
        /// Values before the change, by direction.
        before: [Count; 2],
        scores: [Score; 2],
    },
    /// An alarm was raised; the baseline rests as it was before.
    Open { n: Count, open: Opened },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
struct Score {
    e: f32,
    /// Sum of the values before the change.
    s1: f32,
    /// Start of the interval of the first value after the change, in seconds.
    since_s: u32,
}

/// A score and what it is a score for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Suspicion {
    pub(super) e: f64,
    pub(super) before: Before,
    pub(super) since_s: u32,
}

/// What a detector has to say; levels as the channel's values are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) step: Step,
    pub(super) direction: Direction,
    pub(super) grade: Grade,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) n_before: f64,
    pub(super) n_after: f64,
    pub(super) since_s: u32,
    /// Evidence and threshold, of an alarm.
    pub(super) evidence: Option<(f64, f64)>,
    /// Of an alarm: a watch of it stood.
    pub(super) was_announced: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Raised,
    Recovered,
    Settled,
}

impl Default for Level {
    fn default() -> Self {
        Self::watching(Sums::default())
    }
}

impl Level {
    #[expect(clippy::cast_possible_truncation, reason = "what is kept is kept in f32")]
    fn watching(all: Sums) -> Self {
        let phase = Phase::Watching {
            announced: None,
            n: Count::of(all.n),
            before: [Count::default(); 2],
            scores: [Score::default(); 2],
        };
        Self { s1: all.s1 as f32, s2: all.s2 as f32, phase }
    }

    /// Returns what the baseline has learnt.
    pub(super) fn baseline(&self) -> Sums {
        let (Phase::Watching { n, .. } | Phase::Open { n, .. }) = &self.phase;
        Sums { n: n.get(), s1: f64::from(self.s1), s2: f64::from(self.s2) }
    }

    pub(super) const fn open(&self) -> Option<&Opened> {
        match &self.phase {
            Phase::Watching { .. } => None,
            Phase::Open { open, .. } => Some(open),
        }
    }

    /// Returns the direction of which a watch stands.
    pub(super) const fn announced(&self) -> Option<Direction> {
        match &self.phase {
            Phase::Watching { announced, .. } => *announced,
            Phase::Open { .. } => None,
        }
    }

    /// Returns what the score of a direction says now; none while a pivot is open.
    pub(super) fn suspicion(&self, direction: Direction) -> Option<Suspicion> {
        let Phase::Watching { before, scores, .. } = &self.phase else { return None };
        let score = &scores[direction as usize];
        let before = Before { n: before[direction as usize].get(), s1: f64::from(score.s1) };
        Some(Suspicion { e: f64::from(score.e), before, since_s: score.since_s })
    }

    /// Takes in a value (relative to the population's mean) of an interval that began at `since_s`.
    pub(super) fn take(&mut self, x: f64, since_s: u32, shape: &Shape, past: &Thresholds, found: &mut Vec<Finding>) {
        if let Phase::Open { .. } = &self.phase {
            self.follow(x, shape, past, found);
        } else {
            self.score(x, since_s, shape);
            self.judge(shape, past, found);
        }
    }

    /// Learns a value while no pivot is open.
    #[expect(clippy::cast_possible_truncation, reason = "what is kept is kept in f32")]
    fn score(&mut self, x: f64, since_s: u32, shape: &Shape) {
        let all = self.baseline();
        let Phase::Watching { n, before, scores, .. } = &mut self.phase else { return };
        let usual = shape.usual(&all);
        let now = all.n + 1.0;
        let fade = if now > shape.cap { shape.cap / now } else { 1.0 };
        for direction in Direction::BOTH {
            let (score, count) = (&mut scores[direction as usize], &mut before[direction as usize]);
            if score.e <= 0.0 {
                (*count, score.s1, score.since_s) = (Count::of(all.n), all.s1 as f32, since_s);
            }
            let part = Before { n: count.get(), s1: f64::from(score.s1) };
            if all.n >= LEAST_VALUES {
                let gain = shape.moved(&all, part, direction).gain_over(&usual, x);
                score.e = (f64::from(score.e).max(0.0) + gain) as f32;
            }
            (*count, score.s1) = (Count::of(part.n * fade), (part.s1 * fade) as f32);
        }
        *n = Count::of(now * fade);
        self.s1 = ((all.s1 + x) * fade) as f32;
        self.s2 = ((all.s2 + x * x) * fade) as f32;
    }

    /// Compares the scores with what they have to reach.
    fn judge(&mut self, shape: &Shape, past: &Thresholds, found: &mut Vec<Finding>) {
        let Some((up, down)) = self.suspicion(Direction::Up).zip(self.suspicion(Direction::Down)) else { return };
        let (direction, best) = if up.e >= down.e { (Direction::Up, up) } else { (Direction::Down, down) };
        let all = self.baseline();
        let is_long = all.n - best.before.n >= shape.least_after;
        let announced = self.announced();
        let raised = |grade, threshold| Finding {
            evidence: Some((best.e, threshold)),
            was_announced: announced == Some(direction),
            ..shape.finding(Step::Raised, direction, grade, &all, &best)
        };
        if is_long && best.e >= past.decides {
            self.withdraw(announced.filter(|of| *of != direction), shape, found);
            found.push(raised(past.deciding, past.decides));
            self.reopen(direction, best, None, shape);
            return;
        }
        let gone = announced.filter(|of| [up, down][*of as usize].e <= 0.0);
        self.withdraw(gone, shape, found);
        if let Some(threshold) = past.announces
            && self.announced().is_none()
            && is_long
            && best.e >= threshold
        {
            found.push(raised(Grade::Watch, threshold));
            self.announce(direction);
        }
    }

    /// Takes a watch back.
    pub(super) fn withdraw(&mut self, of: Option<Direction>, shape: &Shape, found: &mut Vec<Finding>) {
        let Some((direction, was)) = of.and_then(|of| Some((of, self.suspicion(of)?))) else { return };
        let all = self.baseline();
        let finding = shape.finding(Step::Recovered, direction, Grade::Watch, &all, &was);
        found.push(Finding { from: finding.to, to: finding.from, ..finding });
        if let Phase::Watching { announced, .. } = &mut self.phase {
            *announced = None;
        }
    }

    pub(super) const fn announce(&mut self, direction: Direction) {
        if let Phase::Watching { announced, .. } = &mut self.phase {
            *announced = Some(direction);
        }
    }

    /// Opens a pivot: what was learnt since the change leaves the baseline.
    ///
    /// Of the squares before the change nothing is kept apart: the spread about both levels is divided by number of values.
    /// `virtually` is a value not learnt, which would complete the evidence.
    #[expect(clippy::cast_possible_truncation, reason = "what is kept is kept in f32")]
    pub(super) fn reopen(&mut self, direction: Direction, was: Suspicion, virtually: Option<f64>, shape: &Shape) {
        let all = self.baseline();
        let Suspicion { before, since_s, .. } = was;
        let after = Before { n: all.n - before.n, s1: all.s1 - before.s1 };
        let between = if after.n > 0.0 { after.s1 * after.s1 / after.n } else { 0.0 };
        let level2 = before.s1 * before.s1 / (shape.k0 + before.n);
        let spread = (all.s2 - level2 - between).max(0.0);
        let s2 = if all.n > 0.0 { level2 + spread * before.n / all.n } else { 0.0 };
        let squares = all.s2 - s2;
        let to = if after.n > 0.0 { after.s1 / after.n } else { virtually.unwrap_or_default() };
        let open = Opened::new(direction, since_s, to, Sums { n: after.n, s1: after.s1, s2: squares });
        (self.s1, self.s2) = (before.s1 as f32, s2 as f32);
        self.phase = Phase::Open { n: Count::of(before.n), open };
    }

    /// Whether this one knows more than another; of equals one and the same, whoever asks.
    pub(super) fn outweighs(&self, other: &Self) -> bool {
        (self.baseline().n, self).partial_cmp(&(other.baseline().n, other)) == Some(std::cmp::Ordering::Greater)
    }

    /// Follows an open pivot: is the customer as before, or is this the usual from now on?
    fn follow(&mut self, x: f64, shape: &Shape, past: &Thresholds, found: &mut Vec<Finding>) {
        let all = self.baseline();
        let Phase::Open { open, .. } = &mut self.phase else { return };
        let usual = shape.usual(&all);
        let Some(ended) = open.follow(x, usual) else { return };
        let (direction, since_s, learnt, new) = (open.direction, open.since_s, open.learnt(), open.level());
        let step = if ended == Ended::Recovered { Step::Recovered } else { Step::Settled };
        let (from, to) = if ended == Ended::Recovered { (new, usual.location) } else { (usual.location, new) };
        found.push(Finding {
            step,
            direction,
            grade: past.deciding,
            from: shape.mu0 + from,
            to: shape.mu0 + to,
            n_before: all.n,
            n_after: learnt.n,
            since_s,
            evidence: None,
            was_announced: false,
        });
        *self = Self::watching(if ended == Ended::Recovered { all } else { learnt });
    }
}

impl Shape {
    /// Puts what a score says into a finding.
    pub(super) fn finding(
        &self,
        step: Step,
        direction: Direction,
        grade: Grade,
        all: &Sums,
        was: &Suspicion,
    ) -> Finding {
        let n_after = all.n - was.before.n;
        let from = self.mu0 + was.before.s1 / (self.k0 + was.before.n);
        let to = if n_after > 0.0 { self.mu0 + (all.s1 - was.before.s1) / n_after } else { from };
        let (n_before, since_s) = (was.before.n, was.since_s);
        let (evidence, was_announced) = (None, false);
        Finding { step, direction, grade, from, to, n_before, n_after, since_s, evidence, was_announced }
    }
}

/// How many values the least move is worth as a prior of the new level.
pub(super) const WEIGHT: f64 = 4.0;

/// Values without which nothing is scored.
pub(super) const LEAST_VALUES: f64 = 4.0;

/// Keeps a spread of none from making certainties.
const LEAST_SPREAD: f64 = 1e-9;

#[cfg(test)]
mod tests;
