//! Snapshots: a task's whole state as of one epoch, in an object store, so that a restart need not read everything
//! again.
//!
//! The state is frozen where an epoch was committed, encoded in slices between later epochs, and written as blocks; a
//! manifest, created only once and last, makes them a snapshot. What has no manifest is not there.

pub mod depot;
pub(crate) mod format;
pub(crate) mod manifest;
pub(crate) mod names;
mod pacing;
pub(crate) mod restore;
pub(crate) mod retention;
pub(crate) mod shelf;
pub(crate) mod store;
pub(crate) mod sweep;
mod writer;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::engine::{Engine, TimeMode};
use crate::rules::ruleset::Ruleset;
use manifest::Manifest;
use pacing::Pacing;
use retention::Plan;
use shelf::Shelf;
use store::{Store, StoreError};
use sweep::Sweep;
use writer::{Stage, Writing};

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

/// The snapshots of one task: at most one is being written, and old ones are deleted beside it.
pub(crate) struct Snapshots {
    shelf: Shelf,
    keep: u32,
    pacing: Pacing,
    writing: Option<Writing>,
    sweep: Sweep,
    /// Writes of a snapshot that was given up and that have not ended: the next begins after them.
    orphans: BTreeSet<String>,
    /// The oldest that stays, as of the newest look.
    oldest: Option<Manifest>,
    counts: Counts,
}

/// What became of a task's snapshots since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) published: u64,
    pub(crate) given_up: u64,
    /// Objects of old ones.
    pub(crate) deleted: u64,
}

impl Snapshots {
    pub(crate) fn new(store: Box<dyn Store>, app: &str, task: u32, pace: Pace) -> Self {
        Self {
            shelf: Shelf::new(store, app, task),
            keep: pace.keep,
            pacing: Pacing::new(pace),
            writing: None,
            sweep: Sweep::default(),
            orphans: BTreeSet::new(),
            oldest: None,
            counts: Counts::default(),
        }
    }

    /// The epochs of which there is a manifest, newest first.
    pub(crate) fn epochs(&mut self) -> Result<Vec<u64>, SnapshotError> {
        Ok(self.shelf.contents()?.manifests.into_keys().rev().collect())
    }

    /// Reads a manifest.
    pub(crate) fn manifest(&mut self, epoch: u64) -> Result<Manifest, SnapshotError> {
        self.shelf.manifest(epoch)
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
        let loaded = self.shelf.load(manifest, rules, mode, progress);
        if let Err(SnapshotError::Corrupt { .. }) = &loaded {
            self.shelf.bad.insert(manifest.epoch);
        }
        let engine = loaded?;
        // Until the next one is published and those that stay are looked through.
        self.pacing.holds_erased = manifest.erased_ms.is_some();
        let age = clock::wall().0.saturating_sub(manifest.created_ms);
        self.pacing.resume(Duration::from_millis(u64::try_from(age).unwrap_or_default()));
        Ok(engine)
    }

    /// Hears that the state has changed: an epoch was committed, or one replayed that a snapshot should hold.
    pub(crate) fn note_epoch(&mut self) {
        self.pacing.note_epoch();
    }

    /// Whether it is time for the next one, and none is under way.
    pub(crate) fn is_due(&self) -> bool {
        self.writing.is_none() && self.orphans.is_empty() && self.pacing.is_due()
    }

    /// Whether the next one waits only for an epoch, while an older one is kept that holds a customer who was erased
    /// since: nothing else may happen for long, and a snapshot of an epoch that has one already would not help.
    pub(crate) fn wants_epoch(&self) -> bool {
        self.writing.is_none() && self.pacing.wants_epoch()
    }

    /// Freezes the state; what the manifest says of blocks, customers and their digest is filled in later.
    ///
    /// # Panics
    /// While another is under way.
    pub(crate) fn begin(&mut self, manifest: Manifest, engine: &mut Engine) {
        assert!(self.writing.is_none(), "one snapshot at a time");
        self.pacing.begin();
        self.writing = Some(Writing::begin(manifest, engine));
    }

    /// Goes on a little with the one under way: a slice encoded, blocks handed to the store, their ends heard. Says
    /// when the manifest is there.
    pub(crate) fn advance(&mut self, engine: &mut Engine) -> Option<Published> {
        let mut published = None;
        while let Some(finished) = self.shelf.store.finished() {
            self.pacing.spend(finished.cpu);
            if self.orphans.remove(&finished.path) || self.sweep.hear(&finished) {
                continue;
            }
            match self.writing.as_mut().and_then(|writing| writing.hear(&finished)) {
                None | Some(Stage::Underway) => {}
                Some(Stage::Failed(error)) => self.give_up(engine, &error),
                Some(Stage::Done { manifest, is_ours: true }) => published = Some(self.publish(*manifest)),
                Some(Stage::Done { manifest, is_ours: false }) => match self.other_writers(&manifest) {
                    Ok(manifest) => published = Some(self.publish(manifest)),
                    Err(error) => self.give_up(engine, &error),
                },
            }
        }
        if let Some(writing) = &mut self.writing {
            writing.go_on(engine, &mut self.pacing, &self.shelf.folder, &mut *self.shelf.store);
        }
        self.sweep.go_on(&mut *self.shelf.store);
        published
    }

    /// Whether one is being written.
    pub(crate) const fn is_under_way(&self) -> bool {
        self.writing.is_some()
    }

    /// What became of them since the start.
    pub(crate) const fn counts(&self) -> Counts {
        Counts { deleted: self.sweep.deleted, ..self.counts }
    }

    /// The manifest that somebody else has created for the same epoch, if it is of the same state.
    fn other_writers(&mut self, ours: &Manifest) -> Result<Manifest, SnapshotError> {
        let other = self.shelf.manifest(ours.epoch)?;
        if other.state_digest != ours.state_digest {
            let reason = "another process wrote another state as that epoch".to_owned();
            return Err(SnapshotError::Corrupt { path: self.shelf.folder.manifest(ours.epoch), reason });
        }
        let damaged = self.shelf.bad.contains(&ours.epoch).then(|| "was damaged when it was to be restored".to_owned());
        if let Some(reason) = self.shelf.contents()?.missing(&other).or(damaged) {
            return Err(SnapshotError::Corrupt { path: self.shelf.folder.manifest(ours.epoch), reason });
        }
        Ok(other)
    }

    /// Leaves the one under way: what is there of it has no manifest, and is deleted with old ones.
    fn give_up(&mut self, engine: &mut Engine, error: &dyn std::error::Error) {
        let Some(writing) = self.writing.take() else { return };
        engine.thaw();
        let epoch = writing.epoch();
        self.orphans.extend(writing.into_in_flight());
        self.pacing.fail();
        self.counts.given_up += 1;
        tracing::warn!(epoch, error = error.to_string(), "a snapshot was given up; another is tried soon");
    }

    fn publish(&mut self, manifest: Manifest) -> Published {
        self.writing = None;
        self.pacing.succeed();
        self.counts.published += 1;
        match self.shelf.contents().and_then(|contents| Plan::of(&mut self.shelf, &contents, self.keep)) {
            Ok(plan) => {
                for (epoch, reason) in &plan.damaged {
                    tracing::warn!(epoch, reason, "an older snapshot is damaged");
                }
                self.pacing.holds_erased = plan.holds_erased();
                self.oldest = plan.stay.last().cloned();
                self.sweep.plan(plan.manifests, plan.blocks);
            }
            Err(error) => tracing::warn!(error = error.to_string(), "old snapshots are not looked through now"),
        }
        Published { manifest, oldest: self.oldest.clone() }
    }
}

#[cfg(test)]
mod tests;
