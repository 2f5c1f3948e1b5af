//! The digamma function and its derivative: what the logarithm of a sample variance is expected to be, and how much it varies.

use libm::log;

/// Returns the derivative of the logarithm of the gamma function, at `x` above 0.
///
/// # Source
/// Recurrence up to 10, then the asymptotic series: Abramowitz and Stegun 6.3.5, 6.3.18.
pub(super) fn digamma(x: f64) -> f64 {
    let (mut x, mut sum) = (x, 0.0);
    while x < SERIES_FROM {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = inverse
        * (1.0 / 12.0 - inverse * (1.0 / 120.0 - inverse * (1.0 / 252.0 - inverse * (1.0 / 240.0 - inverse / 132.0))));
    sum + log(x) - 0.5 / x - series
}

/// Returns the derivative of [`digamma`], at `x` above 0.
///
/// # Source
/// Abramowitz and Stegun 6.4.6, 6.4.12.
pub(super) fn trigamma(x: f64) -> f64 {
    let (mut x, mut sum) = (x, 0.0);
    while x < SERIES_FROM {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = inverse
        * (1.0 / 6.0 - inverse * (1.0 / 30.0 - inverse * (1.0 / 42.0 - inverse * (1.0 / 30.0 - inverse * 5.0 / 66.0))));
    sum + 1.0 / x + inverse / 2.0 + series / x
}

/// Returns where [`trigamma`] has a value; a spread of none or less comes from as many values as one likes: 1000.
pub(super) fn inverse_trigamma(value: f64) -> f64 {
    if value <= trigamma(FAR) {
        return FAR;
    }
    // It falls, so halving finds it; each step adds a bit.
    let (mut low, mut high) = (NEAR, FAR);
    for _ in 0..STEPS {
        let middle = (low * high).sqrt();
        if trigamma(middle) > value { low = middle } else { high = middle }
    }
    (low * high).sqrt()
}

const SERIES_FROM: f64 = 10.0;
const NEAR: f64 = 1e-6;
const FAR: f64 = 1000.0;
const STEPS: u8 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_known_ones() {
        let euler = 0.577_215_664_901_532_9;
        assert!((digamma(1.0) + euler).abs() < 1e-12);
        assert!((digamma(0.5) + euler + 2.0 * std::f64::consts::LN_2).abs() < 1e-12);
        let basel = std::f64::consts::PI * std::f64::consts::PI / 6.0;
        assert!((trigamma(1.0) - basel).abs() < 1e-12);
        assert!((trigamma(0.5) - 3.0 * basel).abs() < 1e-12);
    }

    #[test]
    fn the_inverse_leads_back() {
        for x in [0.01, 0.5, 1.0, 3.7, 42.0, 900.0] {
            assert!((inverse_trigamma(trigamma(x)) / x - 1.0).abs() < 1e-9, "{x}");
        }
        assert!((inverse_trigamma(-1.0) - 1000.0).abs() < 1e-9);
    }
}
