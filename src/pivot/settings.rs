//! Priors and budget, made ready once for all customers.

use libm::{exp, log};

use super::budget::{Budget, Grade, Limit};
use super::level::{Shape, Sums};
use super::priors::{OTHER, Priors};
use super::share::{CAP, Mix};
use super::student::Student;
use super::{Channel, YEAR_DAYS};

/// What the detectors go by. The same for every customer, so kept once a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    priors: Priors,
    budget: Budget,
    shapes: [Shape; 5],
    refund: Mix,
    channel: Mix,
}

/// What a score has to reach for each level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Thresholds {
    pub(super) deciding: Grade,
    pub(super) decides: f64,
    /// Of the level `watch`, where it does not decide.
    pub(super) announces: Option<f64>,
}

impl Settings {
    /// Makes detectors of priors and a budget.
    pub fn new(priors: Priors, budget: Budget) -> Self {
        let mix = |a0: &[f64], a1: &[f64], focus| Mix { before: a0.to_vec(), after: a1.to_vec(), focus };
        Self {
            shapes: LEVELS.map(|channel| shape(&priors, channel)),
            // What is given back is the second category.
            refund: mix(&priors.refund.a0, &priors.refund.a1, Some(1)),
            channel: mix(&priors.channel.a0, &priors.channel.a1, None),
            priors,
            budget,
        }
    }

    /// Returns the priors.
    pub const fn priors(&self) -> &Priors {
        &self.priors
    }

    /// Returns the budget.
    pub const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Returns the place of a shopping channel, for [`super::Observation::Purchase`]; none where it is not counted.
    pub fn shop(&self, name: &str) -> Option<u8> {
        let place = |name: &str| self.priors.shops.iter().position(|shop| shop == name);
        place(name).or_else(|| place(OTHER)).and_then(|place| u8::try_from(place).ok())
    }

    /// Returns the shape of a channel that has a level; of shares that of cadence, which nothing asks for.
    pub(super) fn shape(&self, channel: Channel) -> &Shape {
        let place = LEVELS.iter().position(|of| *of == channel).unwrap_or_default();
        &self.shapes[place]
    }

    pub(super) const fn mix(&self, channel: Channel) -> &Mix {
        match channel {
            Channel::Refund => &self.refund,
            _ => &self.channel,
        }
    }

    /// Thresholds for a channel of which one has `n` values, `years` after the first.
    pub(super) fn past(&self, channel: Channel, n: f64, years: f64) -> Thresholds {
        let rate = self.priors.rate(channel);
        self.thresholds(channel, (n + PRIOR_VALUES) / (years.max(0.0) + PRIOR_VALUES / rate))
    }

    /// Thresholds for a channel of gaps that last so long on average.
    pub(super) fn past_gaps(&self, channel: Channel, mean_days: f64) -> Thresholds {
        self.thresholds(channel, YEAR_DAYS / mean_days)
    }

    /// # Source
    /// PIVOT.md 3.3: h = ln(N / B) - c, with N values per year.
    fn thresholds(&self, channel: Channel, per_year: f64) -> Thresholds {
        let threshold = |limit: Limit| (log(per_year / limit.rate) - self.priors.c(channel)).max(LEAST_EVIDENCE);
        let decides = self.budget.decides();
        Thresholds {
            deciding: decides.grade,
            decides: threshold(decides),
            announces: self.budget.announces().map(threshold),
        }
    }

    /// How probable it is that an alarm with evidence `over` its threshold is none by chance.
    ///
    /// # Source
    /// PIVOT.md 3.6.
    pub(super) fn confidence(&self, channel: Channel, grade: Grade, over: f64) -> f64 {
        1.0 / (1.0 + self.budget.rate(grade) / self.priors.eta(channel) * exp(-over))
    }
}

impl Shape {
    /// Returns the mean gap in days of what was learnt.
    pub(super) fn usual_days(&self, all: &Sums) -> f64 {
        let usual = self.usual(all);
        mean_days(self.mu0 + usual.location, &usual)
    }
}

/// Returns the mean gap in days of a fourth root that is normal about `level`, as wide as `usual`.
pub(super) fn mean_days(level: f64, usual: &Student) -> f64 {
    let (m2, v) = (level * level, usual.scale2);
    m2 * m2 + 6.0 * m2 * v + 3.0 * v * v
}

fn shape(priors: &Priors, channel: Channel) -> Shape {
    // Only channels of `LEVELS` come here, and each has a level.
    let prior = priors.level(channel).unwrap_or(&priors.cadence);
    let (shift, is_relative, least_after) = match channel {
        Channel::Spend => ([0.7, -0.7], false, 3.0),
        Channel::Csat => ([1.0, -1.0], false, 3.0),
        Channel::Sentiment => ([0.4, -0.4], false, 3.0),
        // Twice and half as often, in fourth roots.
        _ => ([FOURTH_ROOT_OF_2 - 1.0, 1.0 / FOURTH_ROOT_OF_2 - 1.0], true, 1.0),
    };
    let (mu0, k0, a0, b0) = (prior.mu0, prior.k0, prior.a0, prior.b0);
    Shape { mu0, k0, a0, b0, shift, is_relative, least_after, cap: CAP }
}

const LEVELS: [Channel; 5] = [Channel::Cadence, Channel::Spend, Channel::Csat, Channel::Sentiment, Channel::Engagement];

/// Evidence there has to be, in nats, however loose the budget and rare the values.
const LEAST_EVIDENCE: f64 = 1.0;

/// How many values the population's rate is worth.
const PRIOR_VALUES: f64 = 4.0;

const FOURTH_ROOT_OF_2: f64 = 1.189_207_115_002_721;
