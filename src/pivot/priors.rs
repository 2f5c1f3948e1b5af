//! What is known of the population: the strength that a customer with few values borrows.
//!
//! Fitted offline ([`super::fit`]), stored with a version, loaded at start. Never refitted inside the stream: results would
//! depend on which customers a partition holds.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Channel;

/// Hyper-parameters of every channel.
///
/// A budget holds as far as these are right: the step of a score is an e-value under them, and with `c` = 0 the run length to a
/// false alarm would have a bound. `c` above 0 gives that up for calibration, as [`fit`](super::fit) and a replay find it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Draft")]
pub struct Priors {
    /// Named in each pivot.
    pub version: String,
    /// Fourth roots of days between visits.
    pub cadence: LevelPrior,
    /// Logarithms of amounts.
    pub spend: LevelPrior,
    /// Answers, 1..=5.
    pub csat: LevelPrior,
    /// Sentiment, -1..=1.
    pub sentiment: LevelPrior,
    /// Fourth roots of days between engaged days.
    pub engagement: LevelPrior,
    /// Kept, given back.
    pub refund: SharePrior,
    /// By shopping channel.
    pub channel: SharePrior,
    /// Names of the shopping channels, as many as `channel` has weights. One may be [`OTHER`]. States count by place: later priors
    /// keep the order, or what was counted is taken for something else.
    pub shops: Vec<String>,
}

/// A channel whose values have a level: means and variances of customers are normal-inverse-gamma.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelPrior {
    /// Mean of the customers' means.
    pub mu0: f64,
    /// How many values that mean is worth.
    pub k0: f64,
    /// Half of how many values the variance is worth; above 1.
    pub a0: f64,
    /// The mean of the variances is `b0 / (a0 - 1)`.
    pub b0: f64,
    /// Values per customer-year.
    pub rate: f64,
    /// Taken off the threshold, in nats.
    pub c: f64,
    /// Pivots per customer-year and kind, for the confidence.
    pub eta: f64,
}

/// A channel of categories: shares of customers are Dirichlet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SharePrior {
    /// Weights of the categories before a change.
    pub a0: Vec<f64>,
    /// Weights after one.
    pub a1: Vec<f64>,
    /// Values per customer-year.
    pub rate: f64,
    /// Taken off the threshold, in nats.
    pub c: f64,
    /// Pivots per customer-year, for the confidence.
    pub eta: f64,
}

/// Why priors cannot be used. Every message starts with the field.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PriorsError {
    /// A number outside of what has a meaning.
    #[error("{channel}.{field}: {found}, allowed: {allowed}; fit the priors anew or take the built-in ones")]
    Number {
        /// Which channel.
        channel: Channel,
        /// Which of its fields.
        field: &'static str,
        /// What was read.
        found: f64,
        /// What can be.
        allowed: &'static str,
    },
    /// Weights that do not belong together.
    #[error("{channel}.{field}: {found} weights, {expected} expected; give one for each category")]
    Weights {
        /// Which channel.
        channel: Channel,
        /// Which of its fields.
        field: &'static str,
        /// How many were read.
        found: usize,
        /// How many there have to be.
        expected: usize,
    },
    /// More or fewer shopping channels than are counted.
    #[error("shops: {found} shopping channels, allowed: 2 to {MAX_SHOPS}; put the rare ones together as `other`")]
    Shops {
        /// How many were read.
        found: usize,
    },
    /// Weights without names.
    #[error("shops: missing, with {found} weights in channel.a0; name the shopping channels in their order")]
    Unnamed {
        /// How many weights were read.
        found: usize,
    },
    /// A name given twice.
    #[error("shops: `{name}` is there twice; name each shopping channel once")]
    Twice {
        /// The name.
        name: String,
    },
}

impl Default for Priors {
    /// Returns what works on the first day: fitted on simulated customers of a shop (median gap 21 days), so calibrate soon.
    fn default() -> Self {
        let level = |channel: Channel, [mu0, k0, a0, b0, rate]: [f64; 5]| LevelPrior {
            mu0,
            k0,
            a0,
            b0,
            rate,
            c: built_in_c(channel),
            eta: ETA,
        };
        let share = |channel: Channel, a0: &[f64], a1: &[f64], rate| SharePrior {
            a0: a0.to_vec(),
            a1: a1.to_vec(),
            rate,
            c: built_in_c(channel),
            eta: ETA,
        };
        Self {
            version: "default-1".to_owned(),
            cadence: level(Channel::Cadence, [2.066_926, 1.950_153, 10.0, 1.325_59, 17.581_556]),
            spend: level(Channel::Spend, [4.083_41, 1.167_423, 3.508_894, 0.778_302, 18.469_778]),
            csat: level(Channel::Csat, [4.353_984, 4.539_22, 20.0, 15.920_321, 7.382_667]),
            sentiment: level(Channel::Sentiment, [0.378_842, 11.456_055, 20.0, 4.990_222, 9.87]),
            engagement: level(Channel::Engagement, [1.695_481, 2.435_348, 10.0, 1.053_867, 38.975_778]),
            refund: share(Channel::Refund, &[28.712_805, 1.287_195], &[6.0, 2.0], 19.297_778),
            channel: share(Channel::Channel, &[0.941_655, 0.603_656, 0.454_69], &[1.0; 3], 18.469_778),
            shops: SHOPS.map(str::to_owned).to_vec(),
        }
    }
}

impl Priors {
    /// Values of a channel per customer-year.
    pub(crate) const fn rate(&self, channel: Channel) -> f64 {
        match self.level(channel) {
            Some(prior) => prior.rate,
            None => self.share(channel).rate,
        }
    }

    /// What is taken off a channel's threshold, in nats.
    pub(crate) const fn c(&self, channel: Channel) -> f64 {
        match self.level(channel) {
            Some(prior) => prior.c,
            None => self.share(channel).c,
        }
    }

    /// Pivots of a channel per customer-year and kind.
    pub(crate) const fn eta(&self, channel: Channel) -> f64 {
        match self.level(channel) {
            Some(prior) => prior.eta,
            None => self.share(channel).eta,
        }
    }

    /// Changes what is taken off a channel's threshold.
    pub(crate) const fn set_c(&mut self, channel: Channel, c: f64) {
        match channel {
            Channel::Cadence => self.cadence.c = c,
            Channel::Spend => self.spend.c = c,
            Channel::Csat => self.csat.c = c,
            Channel::Sentiment => self.sentiment.c = c,
            Channel::Engagement => self.engagement.c = c,
            Channel::Refund => self.refund.c = c,
            Channel::Channel => self.channel.c = c,
        }
    }

    /// Whether both know the same of a channel.
    pub(crate) fn is_alike(&self, other: &Self, channel: Channel) -> bool {
        match self.level(channel) {
            Some(prior) => Some(prior) == other.level(channel),
            None => self.share(channel) == other.share(channel),
        }
    }

    /// Returns the prior of a channel of shares.
    const fn share(&self, channel: Channel) -> &SharePrior {
        match channel {
            Channel::Refund => &self.refund,
            _ => &self.channel,
        }
    }

    /// Returns the prior of a channel that has a level; none of shares.
    pub const fn level(&self, channel: Channel) -> Option<&LevelPrior> {
        match channel {
            Channel::Cadence => Some(&self.cadence),
            Channel::Spend => Some(&self.spend),
            Channel::Csat => Some(&self.csat),
            Channel::Sentiment => Some(&self.sentiment),
            Channel::Engagement => Some(&self.engagement),
            Channel::Refund | Channel::Channel => None,
        }
    }

    fn check(self) -> Result<Self, PriorsError> {
        for channel in Channel::ALL {
            if let Some(prior) = self.level(channel) {
                prior.check(channel)?;
            }
        }
        self.refund.check(Channel::Refund, 2)?;
        let found = self.shops.len();
        if !(2..=MAX_SHOPS).contains(&found) {
            return Err(PriorsError::Shops { found });
        }
        self.channel.check(Channel::Channel, found)?;
        for (at, name) in self.shops.iter().enumerate() {
            if self.shops[..at].contains(name) {
                return Err(PriorsError::Twice { name: name.clone() });
            }
        }
        Ok(self)
    }
}

impl LevelPrior {
    fn check(&self, channel: Channel) -> Result<(), PriorsError> {
        let is_gap = matches!(channel, Channel::Cadence | Channel::Engagement);
        let least = if is_gap { 0.0 } else { f64::NEG_INFINITY };
        let allowed = if is_gap { "above 0" } else { "any number" };
        let rows = [
            ("mu0", self.mu0, least, allowed),
            ("k0", self.k0, 0.0, "above 0"),
            ("a0", self.a0, 1.0, "above 1"),
            ("b0", self.b0, 0.0, "above 0"),
        ];
        for (field, found, least, allowed) in rows {
            number(channel, field, found, least, allowed)?;
        }
        common(channel, self.rate, self.c, self.eta)
    }
}

impl SharePrior {
    fn check(&self, channel: Channel, expected: usize) -> Result<(), PriorsError> {
        for (field, weights) in [("a0", &self.a0), ("a1", &self.a1)] {
            if weights.len() != expected {
                return Err(PriorsError::Weights { channel, field, found: weights.len(), expected });
            }
            for weight in weights {
                number(channel, field, *weight, 0.0, "above 0")?;
            }
        }
        common(channel, self.rate, self.c, self.eta)
    }
}

fn common(channel: Channel, rate: f64, c: f64, eta: f64) -> Result<(), PriorsError> {
    number(channel, "rate", rate, 0.0, "above 0")?;
    number(channel, "c", c, f64::NEG_INFINITY, "any number")?;
    number(channel, "eta", eta, 0.0, "above 0")
}

fn number(
    channel: Channel,
    field: &'static str,
    found: f64,
    above: f64,
    allowed: &'static str,
) -> Result<(), PriorsError> {
    let is_fine = found.is_finite() && found > above;
    if is_fine { Ok(()) } else { Err(PriorsError::Number { channel, field, found, allowed }) }
}

/// Priors as a file has them: `c`, `eta` and names may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    #[serde(default)]
    version: Option<String>,
    cadence: LevelDraft,
    spend: LevelDraft,
    csat: LevelDraft,
    sentiment: LevelDraft,
    engagement: LevelDraft,
    refund: ShareDraft,
    channel: ShareDraft,
    #[serde(default)]
    shops: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelDraft {
    mu0: f64,
    k0: f64,
    a0: f64,
    b0: f64,
    rate: f64,
    #[serde(default)]
    c: Option<f64>,
    #[serde(default)]
    eta: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShareDraft {
    a0: Vec<f64>,
    a1: Vec<f64>,
    rate: f64,
    #[serde(default)]
    c: Option<f64>,
    #[serde(default)]
    eta: Option<f64>,
}

impl LevelDraft {
    fn complete(self, channel: Channel) -> LevelPrior {
        let Self { mu0, k0, a0, b0, rate, c, eta } = self;
        LevelPrior { mu0, k0, a0, b0, rate, c: c.unwrap_or(built_in_c(channel)), eta: eta.unwrap_or(ETA) }
    }
}

impl ShareDraft {
    fn complete(self, channel: Channel) -> SharePrior {
        let Self { a0, a1, rate, c, eta } = self;
        SharePrior { a0, a1, rate, c: c.unwrap_or(built_in_c(channel)), eta: eta.unwrap_or(ETA) }
    }
}

impl TryFrom<Draft> for Priors {
    type Error = PriorsError;

    fn try_from(draft: Draft) -> Result<Self, PriorsError> {
        let found = draft.channel.a0.len();
        let shops = match draft.shops {
            Some(shops) => shops,
            None if found == SHOPS.len() => SHOPS.map(str::to_owned).to_vec(),
            None => return Err(PriorsError::Unnamed { found }),
        };
        Self {
            version: draft.version.unwrap_or_else(|| "unnamed".to_owned()),
            cadence: draft.cadence.complete(Channel::Cadence),
            spend: draft.spend.complete(Channel::Spend),
            csat: draft.csat.complete(Channel::Csat),
            sentiment: draft.sentiment.complete(Channel::Sentiment),
            engagement: draft.engagement.complete(Channel::Engagement),
            refund: draft.refund.complete(Channel::Refund),
            channel: draft.channel.complete(Channel::Channel),
            shops,
        }
        .check()
    }
}

impl fmt::Display for Priors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "priors {}", self.version)
    }
}

/// Returns what is taken off the threshold where the file does not say.
pub(super) const fn built_in_c(channel: Channel) -> f64 {
    match channel {
        Channel::Cadence | Channel::Channel => 2.0,
        Channel::Spend | Channel::Engagement => 1.75,
        Channel::Csat => 1.0,
        Channel::Sentiment => 1.5,
        Channel::Refund => 3.5,
    }
}

/// Pivots per customer-year and kind where the file does not say.
pub(super) const ETA: f64 = 0.02;

/// Shopping channels that are counted, at most: each costs every customer four bytes.
pub const MAX_SHOPS: usize = 4;

/// Name of a shopping channel that stands for every one that is not named.
pub const OTHER: &str = "other";

/// Names of the built-in shopping channels.
const SHOPS: [&str; 3] = ["web", "app", "store"];

#[cfg(test)]
mod tests {
    use super::*;

    const SIM: &str = include_str!("../../tests/golden/pivot/priors-sim.json");

    fn with(change: impl FnOnce(&mut serde_json::Value)) -> Result<Priors, String> {
        let mut json: serde_json::Value = serde_json::from_str(SIM).unwrap();
        change(&mut json);
        serde_json::from_value(json).map_err(|error: serde_json::Error| error.to_string())
    }

    #[test]
    fn the_built_in_priors_are_those_of_the_simulated_customers() {
        let read = with(|_| ()).unwrap();
        assert_eq!(read.version, "unnamed");
        assert_eq!(Priors { version: "default-1".to_owned(), ..read }, Priors::default());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let written = serde_json::to_string(&Priors::default()).unwrap();
        assert_eq!(serde_json::from_str::<Priors>(&written).unwrap(), Priors::default());
    }

    #[test]
    fn errors_name_the_field_and_a_remedy() {
        let said = with(|json| json["spend"]["k0"] = 0.0.into()).unwrap_err();
        assert!(said.starts_with("spend.k0: 0, allowed: above 0; fit the priors anew"), "{said}");
        let said = with(|json| json["engagement"]["mu0"] = (-1.0).into()).unwrap_err();
        assert!(said.starts_with("engagement.mu0: -1, allowed: above 0"), "{said}");
        let said = with(|json| json["refund"]["a1"] = vec![1.0].into()).unwrap_err();
        assert!(said.starts_with("refund.a1: 1 weights, 2 expected"), "{said}");
        let said = with(|json| json["channel"]["a0"] = vec![1.0; 2].into()).unwrap_err();
        assert!(said.starts_with("shops: missing, with 2 weights"), "{said}");
        let said = with(|json| json["shops"] = vec!["web", "app", "web"].into()).unwrap_err();
        assert!(said.starts_with("shops: `web` is there twice"), "{said}");
        let said = with(|json| json["shops"] = vec!["web"].into()).unwrap_err();
        assert!(said.starts_with("shops: 1 shopping channels, allowed: 2 to 4"), "{said}");
        let said = with(|json| json["cadense"] = 1.into()).unwrap_err();
        assert!(said.contains("cadense"), "{said}");
    }
}
