//! The engine's state as bytes, and back: frozen at one moment, encoded in slices while the engine goes on.

use std::sync::Arc;

use super::{Engine, TimeMode};
use crate::rules::ruleset::Ruleset;

/// Why bytes are no state of an engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("{0}")]
    Invalid(String),
}

/// What of a frozen state was encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    pub customers: u64,
    /// Equals [`Engine::digest`] of the moment it was frozen, once all of it was encoded.
    pub digest: u128,
}

impl Engine {
    /// Freezes the state: [`Engine::encode`] gives it as it is now, whatever is applied meanwhile. Returns what is no
    /// customer's, encoded. What was frozen before is given up.
    pub fn freeze(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// Appends the next frozen customers, about as many as asked for, to a block: blocks may end anywhere between two
    /// calls. `None` once there are no more; then nothing is frozen any longer.
    pub fn encode(&mut self, _customers: usize, _block: &mut Vec<u8>) -> Option<Encoded> {
        None
    }

    /// Gives up what was frozen.
    pub fn thaw(&mut self) {}

    /// An engine as it was frozen, without its customers.
    ///
    /// # Errors
    /// The bytes are no state of this build, or of other rules.
    pub fn restore(rules: Arc<Ruleset>, app: &str, mode: TimeMode, _frozen: &[u8]) -> Result<Self, ImageError> {
        Ok(Self::new(rules, app, mode))
    }

    /// Takes in the customers of a block; says how many.
    ///
    /// # Errors
    /// The bytes are no customers of this build, or of other rules.
    pub fn admit(&mut self, _block: &[u8]) -> Result<u64, ImageError> {
        Ok(0)
    }

    /// Digest of the customers that the newest epoch touched, one in sixteen by the hash of their ids.
    pub fn sample_digest(&self) -> u64 {
        0
    }
}
