//! Back from a snapshot: every block compared with its digest, and the whole with that of the state.

use std::sync::Arc;

use super::SnapshotError;
use super::manifest::{Block, Manifest};
use super::shelf::Shelf;
use crate::engine::{Engine, Home, TimeMode};
use crate::mutant::{self, Mutant};
use crate::rules::ruleset::Ruleset;

/// The rules and the time under which a state is worked with.
pub(crate) type Terms = (Arc<Ruleset>, TimeMode);

/// What a search for the newest snapshot that can be used has found.
pub(crate) struct Search {
    pub(crate) found: Option<(Manifest, Engine)>,
    /// Why newer ones were passed over, newest first.
    pub(crate) passed_over: Vec<(u64, String)>,
}

impl Shelf {
    /// Brings back the newest snapshot that can be. `under` says under which rules and time, or why one is of no use;
    /// one of no use, damaged, or of a newer build, is passed over for the one before it.
    ///
    /// # Errors
    /// The store does not answer: a snapshot that is there must not be passed over for that.
    pub(crate) fn newest_restorable(
        &mut self,
        under: &mut dyn FnMut(&Manifest) -> Result<Terms, String>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Search, SnapshotError> {
        let mut passed_over = Vec::new();
        for epoch in self.contents()?.manifests.into_keys().rev() {
            let attempt = self.manifest(epoch).and_then(|manifest| {
                let (rules, mode) = match under(&manifest) {
                    Ok(found) => found,
                    Err(reason) => return Ok(Err(reason)),
                };
                let engine = self.load(&manifest, rules, mode, progress)?;
                Ok(Ok((manifest, engine)))
            });
            match attempt {
                Ok(Ok(found)) => return Ok(Search { found: Some(found), passed_over }),
                Ok(Err(reason)) => passed_over.push((epoch, reason)),
                Err(SnapshotError::Store(error)) => return Err(error.into()),
                Err(error) => passed_over.push((epoch, error.to_string())),
            }
        }
        Ok(Search { found: None, passed_over })
    }

    /// Brings back a state.
    pub(crate) fn load(
        &mut self,
        manifest: &Manifest,
        rules: Arc<Ruleset>,
        mode: TimeMode,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Engine, SnapshotError> {
        let corrupt = |path: String, reason: String| SnapshotError::Corrupt { path, reason };
        let whole = self.folder.manifest(manifest.epoch);
        let home = Home { task: manifest.task, tasks: manifest.tasks };
        let mut engine = Engine::restore(rules, &manifest.app, mode, home, &manifest.engine)
            .map_err(|error| corrupt(whole.clone(), error.to_string()))?;
        let path = |block: &Block| self.folder.block(manifest.epoch, &block.name);
        let paths: Vec<String> = manifest.blocks.iter().map(path).collect();
        self.store.expect(&paths);
        let mut customers = 0;
        progress(0, manifest.customers);
        for (block, path) in manifest.blocks.iter().zip(paths) {
            let content = self.block(manifest.epoch, block)?;
            let found = engine.admit(&content).map_err(|error| corrupt(path.clone(), error.to_string()))?;
            if found != block.customers {
                return Err(corrupt(path, format!("holds {found} customers, and should hold {}", block.customers)));
            }
            customers += found;
            progress(customers, manifest.customers);
        }
        if customers != manifest.customers {
            return Err(corrupt(whole, format!("{customers} customers of {} are there", manifest.customers)));
        }
        let digest = engine.digest();
        if digest.to_le_bytes() != manifest.state_digest[..] && !mutant::is(Mutant::DigestsIgnored) {
            return Err(corrupt(whole, format!("the state's digest is {digest:032x}, not the one that was written")));
        }
        Ok(engine)
    }
}
