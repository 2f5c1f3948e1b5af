//! The snapshots of one task as they lie in a store: what there is, and whether it can be believed.

use std::collections::BTreeSet;

use prost::Message;

use super::SnapshotError;
use super::format;
use super::manifest::{Block, Manifest};
use super::names::{Contents, Folder};
use super::store::{Store, StoreError};

/// A store, and a task's folder in it.
pub(crate) struct Shelf {
    pub(crate) store: Box<dyn Store>,
    pub(crate) folder: Folder,
    app: String,
    task: u32,
    /// Snapshots that were found to be damaged, whatever their sizes say.
    pub(crate) bad: BTreeSet<u64>,
}

impl Shelf {
    pub(crate) fn new(store: Box<dyn Store>, app: &str, task: u32) -> Self {
        Self { store, folder: Folder::new(app, task), app: app.to_owned(), task, bad: BTreeSet::new() }
    }

    /// What lies there.
    pub(crate) fn contents(&mut self) -> Result<Contents, SnapshotError> {
        let objects = self.store.list(self.folder.path())?;
        Ok(self.folder.sort(objects))
    }

    /// Reads a manifest, and refuses one that belongs elsewhere: somebody may have copied it.
    pub(crate) fn manifest(&mut self, epoch: u64) -> Result<Manifest, SnapshotError> {
        let path = self.folder.manifest(epoch);
        let content = self.open(&path)?;
        let corrupt = |reason: String| SnapshotError::Corrupt { path: path.clone(), reason };
        let manifest = Manifest::decode(content.as_slice()).map_err(|error| corrupt(error.to_string()))?;
        let found = (manifest.app.as_str(), manifest.task, manifest.epoch);
        if found != (self.app.as_str(), self.task, epoch) {
            let (app, task, epoch) = found;
            return Err(corrupt(format!("says that it is epoch {epoch} of task {task} of {app}")));
        }
        if manifest.blocks.iter().any(|block| block.name.contains('/')) {
            return Err(corrupt("names a block in another folder".to_owned()));
        }
        Ok(manifest)
    }

    /// Reads the content of a block.
    pub(crate) fn block(&mut self, epoch: u64, block: &Block) -> Result<Vec<u8>, SnapshotError> {
        let path = self.folder.block(epoch, &block.name);
        let content = self.open(&path)?;
        if content.len() as u64 != block.bytes || format::digest(&content).to_le_bytes() != block.digest[..] {
            let reason = "is whole, but not what the manifest names".to_owned();
            return Err(SnapshotError::Corrupt { path, reason });
        }
        Ok(content)
    }

    /// Reads an object. One that is not there is as bad as a damaged one: it was named, or listed.
    fn open(&mut self, path: &str) -> Result<Vec<u8>, SnapshotError> {
        match self.store.get(path) {
            Ok(sealed) => format::open(path, &sealed),
            Err(StoreError::Missing { path }) => Err(SnapshotError::Corrupt { path, reason: "not there".to_owned() }),
            Err(error) => Err(error.into()),
        }
    }
}

impl Contents {
    /// What a manifest names and is not there, or not as long as it was written.
    pub(crate) fn missing(&self, manifest: &Manifest) -> Option<String> {
        let found = self.blocks.get(&manifest.epoch);
        manifest.blocks.iter().find_map(|block| match found.and_then(|blocks| blocks.get(&block.name)) {
            None => Some(format!("block {} is not there", block.name)),
            Some(bytes) if *bytes != block.stored => {
                Some(format!("block {} has {bytes} bytes of {}", block.name, block.stored))
            }
            Some(_) => None,
        })
    }
}
