//! How many may hold a programme, and who comes first.

use std::borrow::Cow;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::fact::Facts;
use super::program::Program;
use super::value::Val;
use crate::model::output::Scalar;
use crate::model::time::EventTime;

/// The places of a programme, or of each part of those whom it is for.
#[derive(Clone, Debug)]
pub struct Budget {
    pub places: Places,
    pub rank: RankRule,
    /// How much more than a member's a candidate's rank must be to displace it, as a part of the member's.
    pub margin: Decimal,
    /// A text: those of each have places of their own.
    pub per: Option<Program>,
}

/// How many places there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Places {
    Max(u64),
    /// A part of the active customers.
    Share(Decimal),
    /// What the agents on shift, of one team or of all, can carry.
    Capacity {
        team: Option<CompactString>,
        per_agent: u64,
    },
}

/// What candidates are ranked by.
#[derive(Clone, Debug)]
pub struct RankRule {
    pub program: Program,
    /// An instant, of which the earlier ranks higher.
    pub earliest: bool,
}

impl Budget {
    /// By what, and among whom, somebody ranks; none where the rule is in error. A rank by time is its milliseconds, the other
    /// way round.
    pub fn rank<'v>(&'v self, facts: &impl Facts<'v>) -> Option<Decimal> {
        match self.rank.program.eval(facts) {
            Val::Int(value) => Some(Decimal::from(value)),
            // A zero below zero is written otherwise than it is read.
            Val::Decimal(value) => Some(value.normalize()),
            Val::Time(time) => Some(Decimal::from(-time.0)),
            _ => None,
        }
    }

    /// The part of the budget that somebody belongs to: the empty one where it is whole, none where the rule is in error.
    pub fn group<'v>(&'v self, facts: &impl Facts<'v>) -> Option<CompactString> {
        let Some(per) = &self.per else { return Some(CompactString::default()) };
        match per.eval(facts) {
            Val::Text(text) => Some(text.into()),
            _ => None,
        }
    }

    /// All its expressions.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        [&self.rank.program].into_iter().chain(&self.per)
    }
}

impl RankRule {
    /// As the ruleset writes it.
    pub fn text(&self) -> Cow<'_, str> {
        let text = self.program.text();
        if self.earliest { Cow::Owned(format!("earliest({text})")) } else { Cow::Borrowed(text) }
    }

    /// What the rule gave, of a rank.
    pub fn value(&self, rank: Decimal) -> Scalar {
        match i64::try_from(rank) {
            Ok(millis) if self.earliest => Scalar::Time(EventTime(-millis)),
            _ => Scalar::Decimal(rank),
        }
    }

    /// How a higher rank's value compares with a lower one's.
    pub const fn op(&self) -> &'static str {
        if self.earliest { "<=" } else { ">=" }
    }
}
