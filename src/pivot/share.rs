//! Shares that may change: of orders given back, or of where orders are placed.

use libm::log;
use serde::{Deserialize, Serialize};

use super::Direction;
use super::budget::Grade;
use super::level::{Count, Finding, Step};
use super::settings::Thresholds;

/// Prior weights of the categories, before and after a change; as many as are counted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mix {
    pub(super) before: Vec<f64>,
    pub(super) after: Vec<f64>,
    /// The category that findings are about; where there is none, the one whose share rose most.
    pub(super) focus: Option<usize>,
}

/// Counts of categories. Size: 12 bytes and 4 a category, no heap.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub(super) struct Share<A> {
    e: f32,
    since_s: u32,
    all: A,
    /// Those since the change.
    after: A,
    /// Whether a watch was raised and not taken back.
    announced: bool,
}

impl<A: AsRef<[Count]> + AsMut<[Count]> + Copy + Default> Share<A> {
    /// Begins with `n` values of the first category, none of which said anything.
    pub(super) fn after_plain(n: f64) -> Self {
        let mut all = A::default();
        all.as_mut()[0] = Count::of(n);
        Self { e: 0.0, since_s: 0, all, after: A::default(), announced: false }
    }

    pub(super) fn n(&self) -> f64 {
        sum(self.all.as_ref())
    }

    pub(super) fn score(&self) -> f64 {
        f64::from(self.e)
    }

    /// Returns since when what a watch was raised for is suspected.
    pub(super) fn watched(&self) -> Option<i64> {
        self.announced.then(|| self.since_ms())
    }

    pub(super) fn since_ms(&self) -> i64 {
        i64::from(self.since_s) * 1000
    }

    /// Returns the share of a category as far as it is known.
    pub(super) fn share(&self, category: usize, mix: &Mix) -> f64 {
        (mix.before[category] + self.all.as_ref()[category].get()) / (mix.before.iter().sum::<f64>() + self.n())
    }

    /// Counts a value; says what has changed, and of which category.
    pub(super) fn take(
        &mut self,
        category: usize,
        at_s: u32,
        mix: &Mix,
        past: &Thresholds,
        found: &mut Vec<(Finding, Moved)>,
    ) {
        self.count(category, at_s, mix);
        let is_back = self.e <= 0.0;
        if self.score() >= past.decides {
            found.push(self.finding(Step::Raised, past.deciding, past.decides, mix));
            // From now on this is the usual.
            (self.all, self.after, self.e, self.announced) = (self.after, A::default(), 0.0, false);
        } else if self.announced && is_back {
            self.announced = false;
            found.push(self.finding(Step::Recovered, Grade::Watch, 0.0, mix));
        } else if let Some(threshold) = past.announces
            && !self.announced
            && self.score() >= threshold
        {
            found.push(self.finding(Step::Raised, Grade::Watch, threshold, mix));
            self.announced = true;
        }
    }

    /// Whether this one knows more than another; of equals one and the same, whoever asks.
    pub(super) fn outweighs(&self, other: &Self) -> bool
    where
        A: PartialOrd,
    {
        (self.n(), self).partial_cmp(&(other.n(), other)) == Some(std::cmp::Ordering::Greater)
    }

    /// # Source
    /// Two Dirichlet-multinomial predictions, the second of the values since the change alone; PIVOT.md 3.4.
    #[expect(clippy::cast_possible_truncation, reason = "what is kept is kept in f32")]
    fn count(&mut self, category: usize, at_s: u32, mix: &Mix) {
        if self.e <= 0.0 {
            (self.e, self.after, self.since_s) = (0.0, A::default(), at_s);
        }
        let (n, n1) = (self.n(), sum(self.after.as_ref()));
        let (all, after) = (self.all.as_mut(), self.after.as_mut());
        if n >= LEAST_VALUES {
            let share = |weights: &[f64], count: Count, of: f64| {
                (weights[category] + count.get()) / (weights.iter().sum::<f64>() + of)
            };
            let (usual, moved) = (share(&mix.before, all[category], n), share(&mix.after, after[category], n1));
            self.e = (f64::from(self.e) + log(moved / usual)) as f32;
            after[category] = Count::of(after[category].get() + 1.0);
        }
        all[category] = Count::of(all[category].get() + 1.0);
        if n + 1.0 > CAP {
            for count in all.iter_mut().chain(after) {
                *count = Count::of(count.get() * CAP / (n + 1.0));
            }
        }
    }

    fn finding(&self, step: Step, grade: Grade, threshold: f64, mix: &Mix) -> (Finding, Moved) {
        let (n, n_after) = (self.n(), sum(self.after.as_ref()));
        let before = |category| self.share(category, mix);
        let since = |category: usize| self.after.as_ref()[category].get() / n_after.max(LEAST_COUNT);
        let most = |key: &dyn Fn(usize) -> f64| {
            // The first of equals, wherever this runs.
            (0..mix.before.len()).rev().max_by(|a, b| key(*a).total_cmp(&key(*b))).unwrap_or_default()
        };
        let moved = Moved {
            was_most: most(&before),
            rose_most: mix.focus.unwrap_or_else(|| most(&|category| since(category) - before(category))),
        };
        let (from, to) = (before(moved.rose_most), since(moved.rose_most));
        let (from, to) = if step == Step::Recovered { (to, from) } else { (from, to) };
        let finding = Finding {
            step,
            direction: Direction::Up,
            grade,
            from,
            to,
            n_before: n - n_after,
            n_after,
            since_s: self.since_s,
            evidence: (step == Step::Raised).then_some((self.score(), threshold)),
            was_announced: self.announced && step == Step::Raised,
        };
        (finding, moved)
    }
}

/// Which categories a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) was_most: usize,
    pub(super) rose_most: usize,
}

fn sum(counts: &[Count]) -> f64 {
    counts.iter().map(|count| count.get()).sum()
}

/// Values without which nothing is scored.
const LEAST_VALUES: f64 = 3.0;

/// Keeps the shares of nothing from being none.
const LEAST_COUNT: f64 = 1.0 / 900.0;

/// Values that count; older ones fade.
pub(super) const CAP: f64 = 60.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pivot::golden::{golden, number};

    #[test]
    fn shares_step_as_the_vectors_do() {
        let vectors = &golden()["share_refund"];
        let numbers = |json: &serde_json::Value| json.as_array().unwrap().iter().map(number).collect::<Vec<_>>();
        let mix = Mix { before: numbers(&vectors["a0"]), after: numbers(&vectors["a1"]), focus: Some(1) };
        let mut share = Share::<[Count; 2]>::after_plain(0.0);
        let past = Thresholds { deciding: Grade::Alert, decides: f64::INFINITY, announces: None };
        for (at, step) in vectors["steps"].as_array().unwrap().iter().enumerate() {
            share.take(usize::from(step["v"] == 1), 0, &mix, &past, &mut Vec::new());
            let seen = [share.score(), share.n(), share.all[0].get(), share.after[0].get(), share.after[1].get()];
            let [e, n, cnt, seg0, seg1] = seen;
            for (name, found, wanted) in [
                ("e", e, &step["e"]),
                ("n", n, &step["n"]),
                ("cnt", cnt, &step["cnt"][0]),
                ("seg", seg0, &step["seg"][0]),
                ("seg", seg1, &step["seg"][1]),
            ] {
                assert!((found - number(wanted)).abs() < 2e-3, "step {at}, {name}: {found} is not {wanted}");
            }
        }
    }

    #[test]
    fn orders_before_the_first_refund_need_only_their_number() {
        let mix = Mix { before: vec![28.7, 1.3], after: vec![6.0, 2.0], focus: Some(1) };
        let past = Thresholds { deciding: Grade::Alert, decides: 5.0, announces: None };
        for orders in [0, 1, 3, 4, 30, 60, 61, 200] {
            let mut counted = Share::<[Count; 2]>::after_plain(0.0);
            for _ in 0..orders {
                counted.take(0, 7, &mix, &past, &mut Vec::new());
            }
            let mut begun = Share::<[Count; 2]>::after_plain(f64::from(orders).min(CAP));
            counted.take(1, 9, &mix, &past, &mut Vec::new());
            begun.take(1, 9, &mix, &past, &mut Vec::new());
            assert_eq!(begun, counted, "after {orders} orders");
        }
    }
}
