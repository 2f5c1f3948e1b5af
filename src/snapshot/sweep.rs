//! Deletes what nothing needs any more: manifests before the blocks that they name, so that no snapshot ever looks
//! whole that is not.

use std::collections::{BTreeSet, VecDeque};

use super::store::{Finished, Store, StoreError, Write};

/// Deletions that wait, and those under way.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    manifests: VecDeque<String>,
    blocks: VecDeque<String>,
    in_flight: BTreeSet<String>,
    /// Since the start.
    pub(crate) deleted: u64,
}

impl Sweep {
    /// Takes on what a look at the store has found to go, in place of what the look before found.
    pub(crate) fn plan(&mut self, manifests: Vec<String>, blocks: Vec<String>) {
        self.manifests = manifests.into();
        self.blocks = blocks.into();
    }

    pub(crate) fn go_on(&mut self, store: &mut dyn Store) {
        while self.in_flight.len() < MOST_IN_FLIGHT {
            let next = if let Some(manifest) = self.manifests.pop_front() {
                manifest
            } else if self.in_flight.iter().any(|path| is_manifest(path)) {
                return;
            } else if let Some(block) = self.blocks.pop_front() {
                block
            } else {
                return;
            };
            // What waits from before is under way already.
            if self.in_flight.insert(next.clone()) {
                store.start(Write::Delete { path: next });
            }
        }
    }

    /// Hears how a deletion ended; says whether it was one. After a failure the rest is left for the next look.
    pub(crate) fn hear(&mut self, finished: &Finished) -> bool {
        if !self.in_flight.remove(&finished.path) {
            return false;
        }
        match &finished.outcome {
            Ok(()) => self.deleted += 1,
            Err(StoreError::Missing { .. }) => {}
            Err(error) => {
                tracing::warn!(%error, "an old snapshot's object cannot be deleted; it is tried again later");
                self.plan(Vec::new(), Vec::new());
            }
        }
        true
    }

    /// Whether everything is done.
    pub(crate) fn is_idle(&self) -> bool {
        self.manifests.is_empty() && self.blocks.is_empty() && self.in_flight.is_empty()
    }
}

fn is_manifest(path: &str) -> bool {
    path.ends_with(".manifest")
}

/// Deletions under way at once.
const MOST_IN_FLIGHT: usize = 8;
