//! What is found about many customers at once: for those who own the rules, not for routers.

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::{Cause, Evidence, OutputId, Trigger};
use crate::model::time::EventTime;
use crate::pivot::Kind;

/// Something found about many customers. Keyed by what it is about, not by a customer.
#[derive(Clone, Debug, PartialEq)]
pub struct Insight {
    pub event_id: OutputId,
    pub occurred_at: EventTime,
    pub cause: Cause,
    /// What brought it to light, where that was an event.
    pub trigger: Option<Trigger>,
    pub evidence: Vec<Evidence>,
    pub finding: Finding,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    ExceptionCandidate(ExceptionCandidate),
    OverridesExceeded(OverridesExceeded),
    PopulationShift(PopulationShift),
}

impl Finding {
    /// The `type` on the wire.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::ExceptionCandidate(_) => EXCEPTION_CANDIDATE,
            Self::OverridesExceeded(_) => OVERRIDES_EXCEEDED,
            Self::PopulationShift(_) => POPULATION_SHIFT,
        }
    }

    /// What it is about: the key of the record.
    pub fn name(&self) -> &str {
        match self {
            Self::ExceptionCandidate(candidate) => &candidate.kind,
            Self::OverridesExceeded(exceeded) => &exceeded.ruleset,
            Self::PopulationShift(shift) => &shift.ruleset,
        }
    }

    /// Whether it stands among the pivots, of which it speaks.
    pub const fn is_of_pivots(&self) -> bool {
        matches!(self, Self::PopulationShift(_))
    }
}

/// The `type` of a candidate.
pub const EXCEPTION_CANDIDATE: &str = "exception.candidate";

/// The `type` of too many overrides.
pub const OVERRIDES_EXCEEDED: &str = "overrides.exceeded";

/// Too large a part of those who hold anything does so by a person's word alone.
#[derive(Clone, Debug, PartialEq)]
pub struct OverridesExceeded {
    pub ruleset: CompactString,
    /// Customers who hold a programme that the rule would not give them.
    pub by_override: u64,
    /// Customers who hold any.
    pub members: u64,
}

/// The `type` of far more pivots than usual.
pub const POPULATION_SHIFT: &str = "population.shift";

/// Far more customers than usual turned at once, or do no longer.
#[derive(Clone, Debug, PartialEq)]
pub struct PopulationShift {
    pub ruleset: CompactString,
    /// Of an end: the event of its beginning.
    pub began: Option<OutputId>,
    /// What has turned, in wire order.
    pub kinds: Vec<Kind>,
    /// Pivots counted: in the time over which they are counted, or since the beginning.
    pub customers: u64,
    /// False alarms that the budget foresees in that time.
    pub expected: Decimal,
    /// The earliest of them.
    pub since: EventTime,
    /// Of an end: when.
    pub until: Option<EventTime>,
}

/// A kind of exception that agents grant so often that it might become the norm.
#[derive(Clone, Debug, PartialEq)]
pub struct ExceptionCandidate {
    pub kind: CompactString,
    /// Cases in the window, and how many customers they are of.
    pub cases: u64,
    pub customers: u64,
    /// Each cohort's share of both, in the order of their names; without `cohort` in the rules one, without name.
    pub cohorts: Vec<Cohort>,
    /// How many people approved of any; of how many cases nobody is named.
    pub approvers: u64,
    pub unapproved: u64,
    /// As the ruleset writes it (`30d`).
    pub window: CompactString,
    /// The earliest case in the window.
    pub since: EventTime,
    /// What it suggests, in a sentence.
    pub proposal: String,
}

/// A cohort's share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cohort {
    pub cohort: CompactString,
    pub cases: u64,
    pub customers: u64,
}
