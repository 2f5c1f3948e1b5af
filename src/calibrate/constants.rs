//! How much evidence a kind needs: constants with which as many false alarms come as the budget allows.

use libm::log;
use serde::Serialize;

use super::History;
use crate::pivot::settings::Settings;
use crate::pivot::{Channel, Observation};

/// What was fitted, and how far.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    pub settings: Settings,
    /// Channels of which the history has too little: the priors before stay.
    pub kept: Vec<Channel>,
    /// Constants that were fitted; the others are those before.
    pub constants: Vec<Constant>,
}

/// What is taken off a channel's threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Constant {
    pub channel: Channel,
    pub c: f64,
    /// Whether the budget would have another one.
    pub bound: Option<Bound>,
}

/// Where a constant cannot go further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// More false alarms come than are allowed.
    Least,
    /// Fewer come: with a greater constant next to no evidence would be asked for.
    Most,
}

impl History {
    /// Fits priors, then the constants of channels in which the budget allows enough false alarms to be counted: those in the same
    /// history, shuffled. Both levels go by one constant, so neither brings more than it may, and one of them fewer.
    pub fn calibrate(&self, shuffled: &Self, version: &str, before: &Settings) -> Fit {
        let budget = *before.budget();
        let mut priors = self.sample(&before.priors().shops).fit(version, before.priors());
        let kept = Channel::ALL.into_iter().filter(|channel| priors.is_alike(before.priors(), *channel)).collect();
        let allowed = budget.decides().rate * shuffled.customer_years();
        let rate = budget.decides().rate;
        let most = |channel| (log(priors.rate(channel) / rate) - LEAST_H).clamp(LEAST_C, MOST_C);
        let is_counted = |channel: &Channel| allowed >= LEAST_ALARMS && self.has(*channel);
        let counted = Channel::ALL.into_iter().filter(is_counted);
        let mut bounds: Vec<_> = counted.map(|channel| Bounds::new(channel, most(channel))).collect();
        for _ in 0..STEPS {
            for bounds in &bounds {
                priors.set_c(bounds.channel, bounds.middle());
            }
            let found = shuffled.find(&Settings::new(priors.clone(), budget));
            for bounds in &mut bounds {
                bounds.halve(found.is_beyond(&budget, bounds.channel));
            }
        }
        let constants: Vec<Constant> = bounds.iter().map(Bounds::constant).collect();
        for constant in &constants {
            priors.set_c(constant.channel, constant.c);
        }
        Fit { settings: Settings::new(priors, budget), kept, constants }
    }

    /// Whether there is enough of it to see false alarms.
    fn has(&self, channel: Channel) -> bool {
        let is_of = |observation: &Observation| match (channel, observation) {
            (Channel::Cadence | Channel::Spend, Observation::Purchase { .. })
            | (Channel::Csat, Observation::Csat(_))
            | (Channel::Sentiment, Observation::Sentiment(_))
            | (Channel::Engagement, Observation::Engagement)
            | (Channel::Refund, Observation::Refund) => true,
            (Channel::Channel, Observation::Purchase { shop, .. }) => shop.is_some_and(|shop| shop > 0),
            _ => false,
        };
        let seen = self.customers.values().flatten();
        seen.filter(|(_, observation)| is_of(observation)).count() >= LEAST_VALUES
    }
}

/// Between which a constant is looked for.
struct Bounds {
    channel: Channel,
    least: f64,
    most: f64,
    /// Whether one that is too great was found, and one that is not.
    is_below: bool,
    is_above: bool,
}

impl Bounds {
    const fn new(channel: Channel, most: f64) -> Self {
        Self { channel, least: LEAST_C, most, is_below: false, is_above: false }
    }

    const fn middle(&self) -> f64 {
        f64::midpoint(self.least, self.most)
    }

    /// A greater constant finds more.
    const fn halve(&mut self, is_too_great: bool) {
        if is_too_great {
            (self.most, self.is_below) = (self.middle(), true);
        } else {
            (self.least, self.is_above) = (self.middle(), true);
        }
    }

    fn constant(&self) -> Constant {
        let (c, bound) = match (self.is_below, self.is_above) {
            (true, false) => (self.least, Some(Bound::Least)),
            (false, _) => (self.most, Some(Bound::Most)),
            (true, true) => (self.least, None),
        };
        Constant { channel: self.channel, c, bound }
    }
}

/// With fewer false alarms allowed in all of the history nothing can be told from their number.
const LEAST_ALARMS: f64 = 10.0;

/// So many values a channel needs for its constant to be fitted; else the one before stays.
const LEAST_VALUES: usize = 1_000;

/// A constant is at least and at most so great. Below zero it asks for more evidence than the budget by itself.
const LEAST_C: f64 = -6.0;
const MOST_C: f64 = 4.0;

/// So much a constant leaves of a threshold, in nats: evidence there has to be.
const LEAST_H: f64 = 1.0;

/// How often the bounds of a constant are halved.
const STEPS: usize = 11;
