//! Student's t: what is predicted of the next value by few values and a prior.

use libm::log;

/// A prediction of the next value. The location is relative to the population's mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Student {
    pub(super) location: f64,
    /// Square of the scale.
    pub(super) scale2: f64,
    /// Degrees of freedom.
    pub(super) nu: f64,
}

impl Student {
    /// Returns how much better `self` predicts `x` than `other`, in nats. Both have the same degrees of freedom.
    pub(super) fn gain_over(&self, other: &Self, x: f64) -> f64 {
        let tail = |of: &Self| 1.0 + (x - of.location) * (x - of.location) / (of.scale2 * self.nu);
        // One logarithm of a quotient: half the cost of two, and exact enough, since a tail is 1 or more.
        0.5 * log(other.scale2 / self.scale2) + 0.5 * (self.nu + 1.0) * log(tail(other) / tail(self))
    }

    /// Returns the same prediction about another place.
    pub(super) const fn at(self, location: f64) -> Self {
        Self { location, ..self }
    }
}
