//! Fits priors to history: offline, from a replay.
//!
//! Moments and no optimiser, so that the same history gives the same priors on any machine. Values are summed in the order in
//! which they are given.

use libm::log;

use super::Channel;
use super::digamma::{digamma, inverse_trigamma, trigamma};
use super::priors::{LevelPrior, Priors, SharePrior};

/// What was collected of a population.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// How long all customers were watched, together.
    pub customer_years: f64,
    /// Fourth roots of days between visits, by customer.
    pub cadence: Vec<Vec<f64>>,
    /// Logarithms of amounts, by customer.
    pub spend: Vec<Vec<f64>>,
    /// Answers, 1..=5, by customer.
    pub csat: Vec<Vec<f64>>,
    /// Sentiment of mentions, by customer.
    pub sentiment: Vec<Vec<f64>>,
    /// Fourth roots of days between engaged days, by customer.
    pub engagement: Vec<Vec<f64>>,
    /// Orders and refunds, of all.
    pub refund: [u64; 2],
    /// Names of the shopping channels and the orders of each, of all.
    pub shops: Vec<(String, u64)>,
}

/// Hyper-parameters as the moments give them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Mean of the customers' means.
    pub mu0: f64,
    /// How many values that mean is worth.
    pub k0: f64,
    /// Half of how many values the variance is worth.
    pub a0: f64,
    /// The mean of the variances is `b0 / (a0 - 1)`.
    pub b0: f64,
}

impl Sample {
    /// Fits every channel that has enough; the others keep the prior of `before`. Constants `c` and `eta` are those of `before`:
    /// they follow from false alarms, not from moments.
    pub fn fit(&self, version: &str, before: &Priors) -> Priors {
        let level = |channel, series: &[Vec<f64>], prior: LevelPrior| {
            let fitted = moments(series).map(|fitted| fitted.steadied(channel));
            let Some(Moments { mu0, k0, a0, b0 }) = fitted else { return prior };
            LevelPrior { mu0, k0, a0, b0, rate: self.rate(series.iter().map(Vec::len).sum()), ..prior }
        };
        let (channel, shops) = self.shops(before);
        Priors {
            version: version.to_owned(),
            cadence: level(Channel::Cadence, &self.cadence, before.cadence),
            spend: level(Channel::Spend, &self.spend, before.spend),
            csat: level(Channel::Csat, &self.csat, before.csat),
            sentiment: level(Channel::Sentiment, &self.sentiment, before.sentiment),
            engagement: level(Channel::Engagement, &self.engagement, before.engagement),
            refund: self.refund(before.refund.clone()),
            channel,
            shops,
        }
    }

    fn refund(&self, prior: SharePrior) -> SharePrior {
        let [orders, refunds] = self.refund;
        // A population that gives nothing back, or everything, says nothing of the one who will.
        if orders == 0 || refunds == 0 {
            return prior;
        }
        let share = number(refunds) / number(orders + refunds);
        let a0 = vec![REFUND_WEIGHT * (1.0 - share), REFUND_WEIGHT * share];
        SharePrior { a0, rate: self.rate_of(orders + refunds), ..prior }
    }

    fn shops(&self, before: &Priors) -> (SharePrior, Vec<String>) {
        let all: u64 = self.shops.iter().map(|(_, orders)| orders).sum();
        let is_usable = (2..=super::priors::MAX_SHOPS).contains(&self.shops.len());
        if !is_usable || self.shops.iter().any(|(_, orders)| *orders == 0) {
            return (before.channel.clone(), before.shops.clone());
        }
        let weight = |(_, orders): &(String, u64)| SHOP_WEIGHT * number(*orders) / number(all);
        let prior = SharePrior {
            a0: self.shops.iter().map(weight).collect(),
            a1: vec![1.0; self.shops.len()],
            rate: self.rate_of(all),
            ..before.channel.clone()
        };
        (prior, self.shops.iter().map(|(name, _)| name.clone()).collect())
    }

    fn rate(&self, values: usize) -> f64 {
        self.rate_of(values as u64)
    }

    fn rate_of(&self, values: u64) -> f64 {
        number(values) / self.customer_years.max(LEAST_YEARS)
    }
}

/// Fits a channel that has a level; none where fewer than two customers have four values, or none of them varies.
///
/// # Source
/// G. K. Smyth, "Linear models and empirical Bayes methods", Statistical Applications in Genetics and Molecular Biology 3, 2004,
/// section 6.2; PIVOT.md 3.8.
pub fn moments(series: &[Vec<f64>]) -> Option<Moments> {
    let series: Vec<&Vec<f64>> = series.iter().filter(|series| series.len() >= LEAST_LENGTH).collect();
    if series.len() < 2 {
        return None;
    }
    let lengths: Vec<f64> = series.iter().map(|series| length(series)).collect();
    let means: Vec<f64> = series.iter().map(|series| mean(series)).collect();
    let squares = |(series, mean): (&&Vec<f64>, &f64)| series.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>();
    let squares: Vec<f64> = series.iter().zip(&means).map(squares).collect();
    let pooled = squares.iter().sum::<f64>() / lengths.iter().map(|n| n - 1.0).sum::<f64>();
    if pooled <= 0.0 {
        return None;
    }
    let freedom: Vec<f64> = lengths.iter().map(|n| (n - 1.0) / 2.0).collect();
    let expected = |(squares, d): (&f64, &f64)| {
        let spread = (squares / (2.0 * d)).max(LEAST_SPREAD * pooled);
        log(spread) - digamma(*d) + log(*d)
    };
    let logs: Vec<f64> = squares.iter().zip(&freedom).map(expected).collect();
    let chance: Vec<f64> = freedom.iter().map(|d| trigamma(*d)).collect();
    let a0 = inverse_trigamma(variance(&logs) - mean(&chance)).clamp(LEAST_A0, MOST_A0);
    let inverse: Vec<f64> = lengths.iter().map(|n| 1.0 / n).collect();
    let between = (variance(&means) - pooled * mean(&inverse)).max(LEAST_BETWEEN * pooled);
    Some(Moments { mu0: mean(&means), k0: pooled / between, a0, b0: pooled * (a0 - 1.0) })
}

impl Moments {
    /// Raises what the variance is worth to what the channel needs, and keeps the variance.
    fn steadied(self, channel: Channel) -> Self {
        let least = match channel {
            Channel::Cadence | Channel::Engagement => 10.0,
            Channel::Spend => 3.0,
            _ => 20.0,
        };
        let a0 = self.a0.max(least);
        Self { a0, b0: self.b0 / (self.a0 - 1.0) * (a0 - 1.0), ..self }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no history has 2^52 values")]
fn number(count: u64) -> f64 {
    count as f64
}

fn length(values: &[f64]) -> f64 {
    number(values.len() as u64)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / length(values)
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (length(values) - 1.0)
}

/// Values of a customer without which their spread says nothing.
const LEAST_LENGTH: usize = 4;

/// Least spread of a customer, of the pooled one: a regular customer's logarithm must not be endless.
const LEAST_SPREAD: f64 = 0.05;

/// Least spread between customers, of the pooled one.
const LEAST_BETWEEN: f64 = 0.001;

const LEAST_A0: f64 = 1.5;
const MOST_A0: f64 = 50.0;

/// How many orders the population's share of refunds is worth.
const REFUND_WEIGHT: f64 = 30.0;

/// How many orders the population's shares of shopping channels are worth.
const SHOP_WEIGHT: f64 = 2.0;

/// Less than a day of one customer is no history.
const LEAST_YEARS: f64 = 1.0 / 365.25;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pivot::golden::{golden, number};

    #[test]
    fn moments_are_those_of_the_vectors() {
        for name in ["prior_fit", "prior_fit_2"] {
            let vectors = &golden()[name];
            let numbers = |json: &serde_json::Value| json.as_array().unwrap().iter().map(number).collect::<Vec<_>>();
            let series: Vec<Vec<f64>> = vectors["series"].as_array().unwrap().iter().map(numbers).collect();
            let Moments { mu0, k0, a0, b0 } = moments(&series).unwrap();
            for (field, found) in [("mu0", mu0), ("k0", k0), ("a0", a0), ("b0", b0)] {
                let wanted = number(&vectors["expect"][field]);
                assert!((found / wanted - 1.0).abs() < 1e-6, "{name}.{field}: {found} is not {wanted}");
            }
        }
    }

    #[test]
    fn channels_without_history_keep_the_priors_before() {
        let mut before = Priors { version: "acme-1".to_owned(), ..Priors::default() };
        (before.spend.mu0, before.spend.c, before.refund.c, before.shops[1]) = (3.0, 0.5, 1.0, "phone".to_owned());
        let fitted = Sample { customer_years: 3.0, refund: [90, 10], ..Sample::default() }.fit("acme-2", &before);
        assert_eq!(fitted.refund.a0, [27.0, 3.0]);
        assert_eq!((fitted.refund.c, fitted.refund.eta), (before.refund.c, before.refund.eta));
        assert_eq!(fitted.spend, before.spend);
        assert_eq!(fitted.shops, before.shops);
        assert_eq!(fitted.version, "acme-2");
    }
}
