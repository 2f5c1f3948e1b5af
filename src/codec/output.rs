//! Outputs to the flat JSON value of the contract.

use crate::model::event::Kind;
use crate::model::output::Output;
use crate::model::time::EventTime;

/// What every output of a run has in common.
#[derive(Clone, Debug)]
pub struct Wire {
    pub ruleset: String,
    pub hash: String,
    pub run_id: Option<String>,
    /// `live` or `replay`: what an event causes.
    pub origin: &'static str,
    /// The topic of each input kind, by [`Kind`]'s rank; in file replay the kind's name.
    pub topics: [String; Kind::ALL.len()],
}

impl Wire {
    /// The JSON value of an output, without a line end. `decided_at` is the epoch's wall, in replay `None`: its `occurred_at`.
    pub fn json(&self, output: &Output, decided_at: Option<EventTime>) -> Vec<u8> {
        let _ = (output, decided_at);
        todo!("output")
    }
}
