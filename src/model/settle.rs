//! Settlement: what entities say of themselves, and what is decided from what all of them said.
//!
//! Budgets need everybody. So at certain instants each task reports what changed at it, one entity of the ruleset's decides when
//! it has heard all tasks, and whom the decision concerns is told of it. What is said at an instant is as of that instant.

use std::time::Duration;

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::id::CustomerId;
use super::time::EventTime;
use crate::rules::percentile::Bucket;

/// Where an entity stands in a programme with a budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Holds the programme; else it would, if there were a place.
    pub is_member: bool,
    /// Since when it is so.
    pub since: EventTime,
    /// The higher, the sooner there is a place; none ranks below all.
    pub rank: Option<Decimal>,
    /// Which of the budget's parts it concerns; empty where the budget is one.
    pub group: CompactString,
}

/// What changed at a task between two settlements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// As of when.
    pub at: EventTime,
    pub entries: Vec<Entry>,
    /// How many customers of the task are active, where that is another number than before.
    pub active: Option<u64>,
    /// Agents on shift, by programme whose budget depends on it: where these are other numbers than before, and the task is
    /// the one that says it.
    pub on_shift: Option<Vec<(u8, u64)>>,
    /// Customers more or fewer with values of a bucket, by place among the features that are measured, where the settlement
    /// is that of a midnight.
    pub measured: Option<Vec<(u8, Bucket, i64)>>,
    /// Pivots found since the report before, by place of their mark, where shifts of the population are looked for.
    pub turned: Vec<(u8, u32)>,
    /// Customers of the task who hold anything, and who of them by a person's word alone, where these are other numbers.
    pub members: Option<(u64, u64)>,
}

impl Report {
    /// That nothing changed.
    pub fn of(at: EventTime) -> Self {
        let entries = Vec::new();
        Self { at, entries, active: None, on_shift: None, measured: None, turned: Vec::new(), members: None }
    }

    /// Whether it says something of the task as a whole.
    pub const fn says_of_all(&self) -> bool {
        let counts = self.active.is_some() || self.on_shift.is_some();
        counts || self.measured.is_some() || self.members.is_some() || !self.turned.is_empty()
    }
}

/// How one entity stands from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub id: CustomerId,
    /// Place of the programme in the ruleset.
    pub programme: u8,
    /// `None` where it neither holds the programme nor would.
    pub standing: Option<Standing>,
}

/// What was decided about one entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub programme: u8,
    pub ruling: Ruling,
    /// The standing that it is about began then; of another one it says nothing.
    pub since: EventTime,
    /// As of when it was decided.
    pub settled_at: EventTime,
    pub rank: Rank,
}

/// What becomes of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ruling {
    /// There is a place.
    Grant,
    /// There is none yet.
    Wait,
    /// Somebody stronger has the place.
    Displace,
}

/// Where somebody stands among those who hold or want the same places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// From 1: among those who hold a place, or on the list of those who wait.
    pub place: u32,
    /// How many places there are.
    pub places: u64,
    /// What it is ranked by.
    pub value: Option<Decimal>,
    /// The same of the weakest who holds a place.
    pub cut: Option<Decimal>,
}

/// What is known from now on of pivots of one mark, of which there are far more than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Place of the mark's bit.
    pub mark: u8,
    pub becomes: Becomes,
}

/// What so many pivots at once become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Becomes {
    /// They may be a shift of the population.
    Suspected,
    /// They are one.
    Shift,
    /// They are over; what waits of them waits until an instant.
    Over {
        /// Not before this is in force.
        until: EventTime,
    },
}

/// The first settlement after an instant.
pub fn after(at: EventTime, settle: Duration) -> EventTime {
    let step = i64::try_from(settle.as_millis()).unwrap_or(i64::MAX).max(1);
    EventTime(at.0.div_euclid(step).saturating_add(1).saturating_mul(step))
}
