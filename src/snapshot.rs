//! Snapshots: a task's whole state as of one epoch, in an object store, so that a restart need not read everything
//! again.
//!
//! The state is frozen where an epoch was committed, encoded in slices between later epochs, and written as blocks; a
//! manifest, created only once and last, makes them a snapshot. What has no manifest is not there.

pub(crate) mod manifest;
pub(crate) mod store;

use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Engine, TimeMode};
use crate::rules::ruleset::Ruleset;
use manifest::Manifest;
use store::{Store, StoreError};

/// Why a snapshot cannot be used. Every message starts with the object.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The store does not answer: worth another try.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Torn or damaged: an older snapshot is a sound fallback.
    #[error("{path}: {reason}")]
    Corrupt { path: String, reason: String },
    /// A newer build wrote it.
    #[error("{path}: format version {found}, this build reads up to {known}")]
    TooNew { path: String, found: u32, known: u32 },
}

/// How often snapshots are taken and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// At least so long from the start of one to that of the next; longer where one costs more than 5 % of that.
    pub every: Duration,
    /// Restorable ones that are kept.
    pub keep: u32,
}

/// A snapshot that has become one.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) manifest: Manifest,
    /// The oldest of those that stay: a restart may go back to it.
    pub(crate) oldest: Option<Manifest>,
}

/// The snapshots of one task.
pub(crate) struct Snapshots {
    #[expect(dead_code, reason = "in the making")]
    store: Box<dyn Store>,
}

#[expect(
    clippy::unused_self,
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    clippy::needless_pass_by_ref_mut,
    reason = "in the making"
)]
impl Snapshots {
    pub(crate) fn new(store: Box<dyn Store>, _app: &str, _task: u32, _pace: Pace) -> Self {
        Self { store }
    }

    /// The epochs of which there is a manifest, newest first.
    pub(crate) fn epochs(&mut self) -> Result<Vec<u64>, SnapshotError> {
        Ok(Vec::new())
    }

    /// Reads a manifest.
    pub(crate) fn manifest(&mut self, epoch: u64) -> Result<Manifest, SnapshotError> {
        Err(SnapshotError::Corrupt { path: epoch.to_string(), reason: String::new() })
    }

    /// Brings back the state, and checks it against the manifest's digests. `progress` hears how many customers of
    /// how many are there.
    pub(crate) fn load(
        &mut self,
        manifest: &Manifest,
        rules: Arc<Ruleset>,
        mode: TimeMode,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Engine, SnapshotError> {
        progress(0, manifest.customers);
        Ok(Engine::new(rules, &manifest.app, mode))
    }

    /// An epoch was committed: the state is another.
    pub(crate) fn note_epoch(&mut self) {}

    /// Whether it is time for the next one, and none is under way.
    pub(crate) fn is_due(&self) -> bool {
        false
    }

    /// Freezes the state; what the manifest says of blocks, customers and their digest is filled in later.
    pub(crate) fn begin(&mut self, _manifest: Manifest, engine: &mut Engine) {
        engine.freeze();
    }

    /// Goes on a little with the one under way: a slice encoded, blocks handed to the store, their ends heard. Says
    /// when the manifest is there.
    pub(crate) fn advance(&mut self, _engine: &mut Engine) -> Option<Published> {
        None
    }
}
