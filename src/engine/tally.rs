//! A customer's running totals: how many contributions each feature has, and their sums.

use crate::rules::ruleset::Ruleset;

/// Counts and sums in one allocation, since each one apart would be another wait for memory: four counts a cell, then
/// two cells a sum.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Tally(Box<[u64]>);

const COUNT_BITS: usize = 16;
const COUNTS: usize = 64 / COUNT_BITS;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

impl Tally {
    /// Nothing yet.
    pub(super) fn new(rules: &Ruleset) -> Self {
        Self(vec![0; cells(rules)].into())
    }

    /// As it was taken apart by [`Tally::cells`].
    pub(super) fn of(cells: Box<[u64]>) -> Self {
        Self(cells)
    }

    /// Its cells as they lie.
    pub(super) fn cells(&self) -> &[u64] {
        &self.0
    }

    /// Whether it is laid out by these rules.
    pub(super) fn fits(&self, rules: &Ruleset) -> bool {
        self.0.len() == cells(rules)
    }

    /// How many contributions a feature has.
    pub(super) fn count(&self, feature: u8) -> u64 {
        let (cell, shift) = place(feature);
        self.0[cell] >> shift & COUNT_MASK
    }

    /// The sum at a place among those that sum, in 10^-9.
    pub(super) fn sum(&self, sum: usize, rules: &Ruleset) -> i128 {
        let at = rules.features.len().div_ceil(COUNTS) + 2 * sum;
        let sum = u128::from(self.0[at + 1]) << 64 | u128::from(self.0[at]);
        sum.cast_signed()
    }

    /// Adds (`sign` 1) or takes off (-1) a contribution.
    pub(super) fn add(&mut self, feature: u8, amount: i128, sign: i8, rules: &Ruleset) {
        let (cell, shift) = place(feature);
        let count = self.count(feature).checked_add_signed(i64::from(sign)).filter(|count| *count <= COUNT_MASK);
        let count = count.expect("as much leaves as entered, of a bounded number");
        self.0[cell] = self.0[cell] & !(COUNT_MASK << shift) | count << shift;
        if let Some(sum) = rules.sum_of(feature) {
            let total = (self.sum(sum, rules) + i128::from(sign) * amount).cast_unsigned();
            let at = rules.features.len().div_ceil(COUNTS) + 2 * sum;
            let [low, high] = [total & u128::from(u64::MAX), total >> 64];
            self.0[at] = u64::try_from(low).expect("64 bits");
            self.0[at + 1] = u64::try_from(high).expect("64 bits");
        }
    }

    /// Reads a little of it, so that it is near when it is needed.
    pub(super) fn touch(&self) -> u64 {
        self.0.first().copied().unwrap_or_default()
    }
}

fn cells(rules: &Ruleset) -> usize {
    rules.features.len().div_ceil(COUNTS) + 2 * rules.sums()
}

fn place(feature: u8) -> (usize, usize) {
    (usize::from(feature) / COUNTS, usize::from(feature) % COUNTS * COUNT_BITS)
}
