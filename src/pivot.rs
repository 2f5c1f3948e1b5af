//! Behaviour pivots: noticing that a customer no longer behaves as they used to.
//!
//! Everybody is compared with their own past, which borrows strength from the population ([`priors`]) while it is short. A
//! channel keeps a count, a sum and a sum of squares; they predict the next value. Each value adds to a score how much better "it
//! moved" predicts it than "it did not"; past a threshold, which follows from the budget of false alarms, there is a pivot.
//! Silence needs no event: at each visit a timer is set for the moment when staying away would be as unlikely as the budget
//! allows. Constant work and bounded bytes per customer; no windows, no scans.
//!
//! # Two levels, one state
//!
//! A budget names up to two levels: `watch` (more false alarms, sooner) and `alert` (fewer, later). The stricter one that is
//! named *decides*: its alarm opens a pivot, sets the baseline back to what was before, and ends in `recovered` or `settled`. With
//! both named, `watch` only *announces*: it reads the same score against a lower threshold, and the same silence against a higher
//! probability, and changes neither. So an `alert` comes at the same instant with the same evidence whether `watch` is on or off.
//! What was announced either becomes an `alert` of the same kind, or is taken back as `recovered` (of level `watch`) once its
//! score is back at zero; until then it is not announced again. Timers are due for `watch` first, and are armed again for
//! `alert`. A score per level would cost twice the bytes and could call the same change by two dates.
//!
//! # What it never does
//!
//! It reads no clock, keeps no list of values, and is never refitted while it runs: what comes out depends on a customer's own
//! events and timers alone, so partitions and restarts change nothing. It promises calibration, not a bound: see
//! [`priors::Priors`]. Seasons and outages move many customers at once; telling those from pivots is for whoever sees them all,
//! by the measure of [`population`].

pub mod budget;
mod digamma;
pub mod fit;
#[cfg(test)]
mod golden;
mod level;
mod open;
pub mod population;
pub mod priors;
mod quantile;
mod report;
mod rhythm;
pub mod sentence;
pub mod settings;
mod share;
pub mod state;
mod student;
mod timers;
pub mod view;

use std::fmt;

use serde::{Deserialize, Serialize};

use budget::{Budget, Grade};

/// What a detector reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Fourth root of the days between visits with a purchase.
    Cadence,
    /// Logarithm of each order's amount.
    Spend,
    /// Answers on the scale 1..=5.
    Csat,
    /// Of mentions, -1..=1.
    Sentiment,
    /// Fourth root of the days between days with engagement.
    Engagement,
    /// A purchase counts as 0, a refund as 1.
    Refund,
    /// Where each order was placed.
    Channel,
}

impl Channel {
    /// Every channel, in the order in which views list them.
    pub const ALL: [Self; 7] =
        [Self::Cadence, Self::Spend, Self::Csat, Self::Sentiment, Self::Engagement, Self::Refund, Self::Channel];

    /// Returns the name on the wire and in the priors file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cadence => "cadence",
            Self::Spend => "spend",
            Self::Csat => "csat",
            Self::Sentiment => "sentiment",
            Self::Engagement => "engagement",
            Self::Refund => "refund",
            Self::Channel => "channel",
        }
    }

    /// Returns what a lasting move of this channel is called.
    pub(crate) const fn kind(self, direction: Direction) -> Kind {
        match (self, direction) {
            (Self::Cadence, Direction::Up) => Kind::CadenceSlowed,
            (Self::Cadence, Direction::Down) => Kind::CadenceQuickened,
            (Self::Spend, Direction::Up) => Kind::SpendRose,
            (Self::Spend, Direction::Down) => Kind::SpendDropped,
            (Self::Csat, Direction::Up) => Kind::SatisfactionRose,
            (Self::Csat, Direction::Down) => Kind::SatisfactionDropped,
            (Self::Sentiment, Direction::Up) => Kind::SentimentRose,
            (Self::Sentiment, Direction::Down) => Kind::SentimentTurned,
            // A longer gap is less engagement.
            (Self::Engagement, Direction::Up) => Kind::EngagementDropped,
            (Self::Engagement, Direction::Down) => Kind::EngagementRose,
            (Self::Refund, _) => Kind::RefundsRose,
            (Self::Channel, _) => Kind::ChannelShifted,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What can be found. A closed set: rules name kinds, and a name that is none is refused at start-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Purchases come less often.
    CadenceSlowed,
    /// Purchases come more often.
    CadenceQuickened,
    /// No purchase, or with channel engagement no engagement, for longer than chance explains.
    Silence,
    /// Orders are smaller.
    SpendDropped,
    /// Orders are larger.
    SpendRose,
    /// Answers are worse.
    SatisfactionDropped,
    /// Answers are better.
    SatisfactionRose,
    /// Mentions are less kind.
    SentimentTurned,
    /// Mentions are kinder.
    SentimentRose,
    /// Engagement comes less often.
    EngagementDropped,
    /// Engagement comes more often.
    EngagementRose,
    /// More of the orders are given back.
    RefundsRose,
    /// Orders are placed elsewhere.
    ChannelShifted,
    /// What had turned is as it was.
    Recovered,
    /// What had turned has stayed: it is the usual from now on.
    Settled,
}

impl Kind {
    /// Every kind, in wire order.
    pub const ALL: [Self; 15] = [
        Self::CadenceSlowed,
        Self::CadenceQuickened,
        Self::Silence,
        Self::SpendDropped,
        Self::SpendRose,
        Self::SatisfactionDropped,
        Self::SatisfactionRose,
        Self::SentimentTurned,
        Self::SentimentRose,
        Self::EngagementDropped,
        Self::EngagementRose,
        Self::RefundsRose,
        Self::ChannelShifted,
        Self::Recovered,
        Self::Settled,
    ];

    /// Returns the name on the wire and in rules.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CadenceSlowed => "cadence_slowed",
            Self::CadenceQuickened => "cadence_quickened",
            Self::Silence => "silence",
            Self::SpendDropped => "spend_dropped",
            Self::SpendRose => "spend_rose",
            Self::SatisfactionDropped => "satisfaction_dropped",
            Self::SatisfactionRose => "satisfaction_rose",
            Self::SentimentTurned => "sentiment_turned",
            Self::SentimentRose => "sentiment_rose",
            Self::EngagementDropped => "engagement_dropped",
            Self::EngagementRose => "engagement_rose",
            Self::RefundsRose => "refunds_rose",
            Self::ChannelShifted => "channel_shifted",
            Self::Recovered => "recovered",
            Self::Settled => "settled",
        }
    }

    /// Finds a kind by its name on the wire.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether `recovered` or `settled` ends it. An alarm about shares of orders has no end: what came with it is the usual at
    /// once.
    pub const fn ends(self) -> bool {
        !matches!(self, Self::RefundsRose | Self::ChannelShifted | Self::Recovered | Self::Settled)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which way a value moved. Of gaps in time, up is slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To greater values.
    Up,
    /// To smaller values.
    Down,
}

impl Direction {
    pub(crate) const BOTH: [Self; 2] = [Self::Up, Self::Down];
}

/// One thing that a customer did, as the detectors read it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observation {
    /// An order.
    Purchase {
        /// In the ruleset's currency; none where there is no rate: of what is spent nothing is known then.
        amount: Option<f64>,
        /// Place of the shopping channel in the priors: [`settings::Settings::shop`]. None where it is not named there.
        shop: Option<u8>,
    },
    /// An answer, 1..=5: 1 + 4 x satisfaction.
    Csat(f64),
    /// Sentiment of a mention, -1..=1.
    Sentiment(f64),
    /// Any action but `sent`, `unsubscribe` and machine opens.
    Engagement,
    /// A refund, matched to an order or not.
    Refund,
}

/// What became of an observation, for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Every detector that reads it has.
    Whole,
    /// It is older than the newest visit: it counts for no gap, but for everything else.
    Late,
    /// Its number is none: nothing has changed.
    Refused,
}

/// A change, or the end of one, with its evidence.
///
/// `from`, `to` are in the channel's own unit: days, money, points of 1..=5, sentiment, or a share of orders. Of `recovered`
/// `from` is the level that had turned and `to` the usual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pivot {
    /// What was found.
    pub kind: Kind,
    /// Of `recovered` and `settled`: which kind has ended.
    pub of: Option<Kind>,
    /// What it was found in.
    pub channel: Channel,
    /// How sure one had to be.
    pub level: Grade,
    /// Which way it went, of whatever is ended too.
    pub direction: Direction,
    /// Usual before.
    pub from: f64,
    /// Since the change. Of a silence: days so far.
    pub to: f64,
    /// `to` by `from`; none for sentiment, which has no zero.
    pub ratio: Option<f64>,
    /// Of a shift: where orders came from mostly, and where they come from now.
    pub shops: Option<Shops>,
    /// Start of what is thought to be the change.
    pub since_ms: i64,
    /// Event time of the value or timer that decided.
    pub decided_at_ms: i64,
    /// Values before the change; the oldest fade, so it need not be whole.
    pub n_before: f64,
    /// Values since.
    pub n_after: f64,
    /// In nats; none for a silence.
    pub evidence: Option<f64>,
    /// What the evidence had to reach.
    pub threshold: Option<f64>,
    /// Of a silence: how probable staying away for so long was.
    pub p: Option<f64>,
    /// Of a silence, and of its end.
    pub days_silent: Option<f64>,
    /// How probable it is that this is no false alarm; none for an end. A ranking until calibrated for the tenant.
    pub confidence: Option<f64>,
    /// False alarms per customer-year that this level allows.
    pub budget: f64,
    /// Whether a `watch` of it stood before.
    pub was_announced: bool,
}

impl Pivot {
    /// Returns whether nothing stands any more once it is told: it is an end, or of a kind that has none.
    pub fn is_over(&self, budget: &Budget) -> bool {
        self.of.is_some() || !self.kind.ends() && self.level == budget.decides().grade
    }
}

/// Where orders were placed mostly, before and since a shift.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shops {
    /// The one with the greatest share before.
    pub before: String,
    /// The one whose share rose most; `from` and `to` are its shares.
    pub since: String,
}

/// A day.
pub(crate) const DAY_MS: f64 = 86_400_000.0;

/// As everywhere here; no calendar is meant.
pub(crate) const YEAR_DAYS: f64 = 365.25;
