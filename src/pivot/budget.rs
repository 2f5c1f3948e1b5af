//! How many false alarms one is ready to have, and what follows from it.

use serde::{Deserialize, Serialize};

/// How sure one has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Worth a look.
    Watch,
    /// Worth a call.
    Alert,
}

impl Grade {
    /// Returns the name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Alert => "alert",
        }
    }
}

/// False alarms per customer-year and kind, by level; at least one level is named.
///
/// A nominal rate: on customers unlike those of the priors it was off by 8 one way and 2 the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// The stricter level named.
    decides: Limit,
    /// The other, if both are named.
    announces: Option<Limit>,
}

/// One level and its rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limit {
    pub(crate) grade: Grade,
    /// False alarms per customer-year.
    pub(crate) rate: f64,
}

/// Why a budget cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BudgetError {
    /// Nothing would ever be found.
    #[error("no level has a budget: give watch, alert, or both, as in \"1 per 100 customer-years\"")]
    Empty,
    /// Not a rate that means anything.
    #[error("{level}: {rate} false alarms per customer-year, allowed: above 0 up to {MAX_RATE}")]
    Rate {
        /// Name of the level.
        level: &'static str,
        /// What was given.
        rate: f64,
    },
    /// The levels are the wrong way round.
    #[error("watch allows {watch} false alarms per customer-year, alert {alert}: watch has to allow more than alert")]
    Order {
        /// Rate given for watch.
        watch: f64,
        /// Rate given for alert.
        alert: f64,
    },
}

impl Budget {
    /// Checks rates, each in false alarms per customer-year and kind.
    ///
    /// # Errors
    /// Refuses a budget without a level, a rate outside of 0..=[`MAX_RATE`], and a watch that is no wider than the alert.
    pub fn new(watch: Option<f64>, alert: Option<f64>) -> Result<Self, BudgetError> {
        for (level, rate) in [("watch", watch), ("alert", alert)] {
            if let Some(rate) = rate
                && !(rate > 0.0 && rate <= MAX_RATE)
            {
                return Err(BudgetError::Rate { level, rate });
            }
        }
        let limit = |grade, rate| Limit { grade, rate };
        match (watch, alert) {
            (None, None) => Err(BudgetError::Empty),
            (Some(watch), Some(alert)) if watch <= alert => Err(BudgetError::Order { watch, alert }),
            (watch, Some(alert)) => Ok(Self {
                decides: limit(Grade::Alert, alert),
                announces: watch.map(|watch| limit(Grade::Watch, watch)),
            }),
            (Some(watch), None) => Ok(Self { decides: limit(Grade::Watch, watch), announces: None }),
        }
    }

    /// Returns the level whose alarms open and close pivots.
    pub(crate) const fn decides(&self) -> Limit {
        self.decides
    }

    /// Returns the level that only says what it sees.
    pub(crate) const fn announces(&self) -> Option<Limit> {
        self.announces
    }

    /// Returns the level that finds first.
    pub(crate) fn first(&self) -> Limit {
        self.announces.unwrap_or(self.decides)
    }

    /// Returns the rate of a level; that of the deciding one where the other is not named.
    pub fn rate(&self, grade: Grade) -> f64 {
        self.announces.filter(|limit| limit.grade == grade).unwrap_or(self.decides).rate
    }
}

/// More than one a week is no budget.
pub const MAX_RATE: f64 = 52.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_level_decides() {
        let both = Budget::new(Some(0.05), Some(0.005)).unwrap();
        assert_eq!(both.decides(), Limit { grade: Grade::Alert, rate: 0.005 });
        assert_eq!(both.announces(), Some(Limit { grade: Grade::Watch, rate: 0.05 }));
        let one = Budget::new(Some(0.05), None).unwrap();
        assert_eq!((one.decides().grade, one.announces()), (Grade::Watch, None));
    }

    #[test]
    fn a_budget_that_means_nothing_is_refused() {
        let said = |watch, alert| Budget::new(watch, alert).unwrap_err().to_string();
        assert!(said(None, None).starts_with("no level has a budget"));
        assert!(said(Some(f64::NAN), None).starts_with("watch: NaN"));
        assert!(said(None, Some(0.0)).starts_with("alert: 0 false"));
        assert!(said(Some(0.005), Some(0.01)).contains("watch has to allow more than alert"));
    }
}
