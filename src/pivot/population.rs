//! Whether so many turn at once that it is no longer each one's own affair.

use std::time::Duration;

use super::budget::Limit;
use super::{DAY_MS, YEAR_DAYS};

/// When pivots of one kind are a shift of the population, and what becomes of the customers' own meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Population {
    /// The customers' own wait until it is over; else they are marked.
    pub holds: bool,
    /// They are counted over so long.
    pub over: Duration,
    /// So many times the budget's false alarms are nothing special: true ones come on top.
    pub times: f64,
    /// Fewer are no shift, however few customers there are.
    pub least: u32,
}

/// How many pivots of one kind there have to be, over [`Population::over`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// It may become a shift: the customers' own wait until that is decided.
    pub suspects: u64,
    /// It is one.
    pub shifts: u64,
}

impl Population {
    /// Returns the false alarms that a budget foresees of so many customers over some time.
    ///
    /// # Source
    /// PIVOT.md 3.8: B x customers / 365 a day.
    #[expect(clippy::cast_precision_loss, reason = "a number of customers is far below 2^53")]
    pub(crate) fn expected(limit: Limit, customers: u64, over: Duration) -> f64 {
        limit.rate * customers as f64 * (over.as_millis() as f64 / DAY_MS) / YEAR_DAYS
    }

    /// Returns what is too many: of pivots that come one by one, so and so often, three and five standard deviations above the
    /// mean (Poisson).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, not below zero, far below 2^53"
    )]
    pub(crate) fn limits(&self, limit: Limit, customers: u64) -> Limits {
        let mean = self.times * Self::expected(limit, customers, self.over);
        let above = |deviations: f64| (mean + deviations * mean.sqrt()).ceil() as u64;
        let least = u64::from(self.least);
        Limits { suspects: above(3.0).max(least.min(FEW)), shifts: above(5.0).max(least) }
    }
}

/// Fewer in a time are nobody's suspicion.
const FEW: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pivot::budget::Budget;

    #[test]
    fn limits_rise_with_the_customers_and_fall_to_the_least() {
        let limit = Budget::new(None, Some(0.005)).expect("a budget").first();
        let population = Population { holds: true, over: Duration::from_hours(24), times: 5.0, least: 9 };
        let limits = |customers| {
            let Limits { suspects, shifts } = population.limits(limit, customers);
            (suspects, shifts)
        };
        assert_eq!(limits(0), (3, 9));
        assert_eq!(limits(20_000), (5, 9));
        // The mean is 68.4 a day, its root 8.3.
        assert_eq!(limits(1_000_000), (94, 110));
    }
}
