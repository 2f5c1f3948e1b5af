//! Which snapshots stay. Nothing is deleted before the two newest that a restart could use have been seen whole.

use std::collections::BTreeSet;

use super::SnapshotError;
use super::manifest::Manifest;
use super::names::Contents;
use super::shelf::Shelf;

/// What a look at the store has found.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The restorable ones that stay, newest first.
    pub(crate) stay: Vec<Manifest>,
    /// Manifests that nothing needs any more, and then the blocks.
    pub(crate) manifests: Vec<String>,
    pub(crate) blocks: Vec<String>,
    /// What is wrong with others that are not restorable, by epoch.
    pub(crate) damaged: Vec<(u64, String)>,
    /// Blocks that no readable manifest names, and damaged snapshots, that are not to go yet.
    pub(crate) has_leftovers: bool,
}

impl Plan {
    /// Works out what stays and what goes if `keep` restorable ones are kept. A snapshot is restorable if its manifest
    /// opens and every block is there, as long as it was written.
    ///
    /// # Errors
    /// The store did not say: then nothing is known, and nothing goes.
    pub(crate) fn of(shelf: &mut Shelf, contents: &Contents, keep: u32) -> Result<Self, SnapshotError> {
        let keep = usize::try_from(keep).unwrap_or(usize::MAX).max(SAFE);
        let mut plan = Self::default();
        let mut gone: BTreeSet<u64> = BTreeSet::new();
        let mut untouched: BTreeSet<u64> = BTreeSet::new();
        for epoch in contents.manifests.keys().rev().copied() {
            if plan.stay.len() == keep {
                gone.insert(epoch);
                continue;
            }
            let found = shelf.manifest(epoch);
            match found.map(|manifest| (contents.missing(&manifest), manifest)) {
                Ok((None, _)) if shelf.bad.contains(&epoch) => {
                    plan.damaged.push((epoch, "was damaged when it was to be restored".to_owned()));
                }
                Ok((None, manifest)) => plan.stay.push(manifest),
                Ok((Some(missing), _)) => plan.damaged.push((epoch, missing)),
                Err(SnapshotError::Store(error)) => return Err(error.into()),
                Err(error @ SnapshotError::Corrupt { .. }) => plan.damaged.push((epoch, error.to_string())),
                Err(SnapshotError::TooNew { .. }) => {
                    untouched.insert(epoch);
                }
            }
        }
        gone.extend(plan.damaged.iter().map(|(epoch, _)| *epoch));
        plan.condemn(shelf, contents, &gone, &untouched);
        Ok(plan)
    }

    /// Chooses what goes: never what is newer than the newest restorable one, where somebody may be writing.
    fn condemn(&mut self, shelf: &Shelf, contents: &Contents, gone: &BTreeSet<u64>, untouched: &BTreeSet<u64>) {
        let Some(newest) = self.stay.first().map(|manifest| manifest.epoch) else { return };
        let named: BTreeSet<(u64, &str)> = self
            .stay
            .iter()
            .flat_map(|manifest| manifest.blocks.iter().map(|block| (manifest.epoch, block.name.as_str())))
            .collect();
        let older = contents.blocks.range(..newest).filter(|(epoch, _)| !untouched.contains(epoch));
        let blocks = older.flat_map(|(epoch, names)| names.keys().map(|name| (*epoch, name.as_str())));
        let unnamed = blocks.filter(|block| !named.contains(block));
        self.blocks = unnamed.map(|(epoch, name)| shelf.folder.block(epoch, name)).collect();
        self.manifests = gone.range(..newest).map(|epoch| shelf.folder.manifest(*epoch)).collect();
        if self.stay.len() < SAFE {
            self.has_leftovers = !(self.blocks.is_empty() && self.manifests.is_empty());
            self.blocks.clear();
            self.manifests.clear();
        }
    }

    /// Whether what stays may hold a customer who was erased since.
    pub(super) fn holds_erased(&self) -> bool {
        let Some(newest) = self.stay.first() else { return false };
        newest.erased_ms.is_some() && self.has_leftovers
            || self.stay.iter().any(|older| older.erased_ms < newest.erased_ms)
    }
}

/// So many restorable ones always stay.
pub(crate) const SAFE: usize = 2;
