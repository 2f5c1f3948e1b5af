//! The pure core: an epoch in, outputs out. Read this first.

use std::sync::Arc;

use crate::model::output::Output;
use crate::model::record::Epoch;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;

/// How time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeMode {
    /// Events are judged against the wall clock: `lateness` is waited for, alerts go stale.
    Live,
    /// Events alone move time: replay, demo, tests.
    Event,
}

/// The state of every customer homed on one task, and the rules that judge it.
#[derive(Debug)]
pub struct Engine {
    rules: Arc<Ruleset>,
    app: String,
    mode: TimeMode,
}

/// Plain counters since the engine was made; the task publishes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub events: u64,
    pub duplicates: u64,
    pub late: u64,
    pub expired: u64,
    pub customers: u64,
}

impl Engine {
    /// An engine without customers.
    pub fn new(rules: Arc<Ruleset>, app: &str, mode: TimeMode) -> Self {
        Self { rules, app: app.to_owned(), mode }
    }

    /// Applies one epoch: each record with the deadlines that fall due before it, then time up to the epoch's clock.
    pub fn apply(&mut self, epoch: Epoch, outputs: &mut Vec<Output>) {
        let _ = (epoch, outputs, &self.rules, &self.app, self.mode);
        todo!("engine")
    }

    /// Whether due deadlines were left for the next epoch (a wave is worked off in slices).
    pub fn is_behind(&self) -> bool {
        false
    }

    /// The earliest instant at which a deadline is queued; an epoch whose clock passes it (plus lateness) has work.
    pub fn next_deadline(&self) -> Option<EventTime> {
        None
    }

    /// Counters so far.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }

    /// A digest of the whole state, independent of the order in which customers were met.
    pub fn digest(&self) -> u128 {
        0
    }
}
