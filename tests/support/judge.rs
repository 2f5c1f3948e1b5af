//! Where model and engine meet.

use super::model::{Outputs, Replay};

/// The model's outputs, which the engine's must equal.
pub fn judged(replay: &Replay<'_>) -> Outputs {
    replay.outputs()
}
