//! One snapshot on its way: encoded in slices, written block by block, made one by its manifest.
//!
//! Nothing is believed before the manifest is there, and the manifest is created only when every block is: a crash
//! between any two writes leaves what nobody reads.

use std::collections::BTreeMap;

use prost::Message;

use super::format;
use super::manifest::{Block, Manifest};
use super::names::{Folder, block_name};
use super::pacing::Pacing;
use super::store::{Finished, Store, StoreError, Write};
use crate::engine::Engine;

/// A snapshot that is being written.
///
/// Size: the block that is growing, and at most [`MOST_IN_FLIGHT`] on their way to the store: about 6 MiB before
/// sealing, each once more sealed while it is sent.
pub(super) struct Writing {
    manifest: Manifest,
    /// Customers of the block that is growing, encoded.
    block: Vec<u8>,
    /// Customers in the blocks before it.
    customers: u64,
    /// Blocks on their way, by path, with their places; or the manifest.
    in_flight: BTreeMap<String, Part>,
    is_encoded: bool,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Block(usize),
    Manifest,
}

/// How far it has come.
pub(super) enum Stage {
    Underway,
    /// The manifest is there: this one's, or one that somebody else wrote.
    Done {
        manifest: Box<Manifest>,
        is_ours: bool,
    },
    Failed(StoreError),
}

impl Writing {
    /// Freezes the engine's state.
    pub(super) fn begin(manifest: Manifest, engine: &mut Engine) -> Self {
        let manifest = Manifest {
            engine: engine.freeze(),
            erased_ms: engine.erased_at().map(|at| at.0),
            customers: 0,
            state_digest: 0u128.to_le_bytes().to_vec(),
            blocks: Vec::new(),
            ..manifest
        };
        let block = Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 4);
        Self { manifest, block, customers: 0, in_flight: BTreeMap::new(), is_encoded: false }
    }

    pub(super) const fn epoch(&self) -> u64 {
        self.manifest.epoch
    }

    /// Goes on a little: encodes a slice, if it is time for one and the store keeps up, and starts what can be written.
    pub(super) fn go_on(&mut self, engine: &mut Engine, pacing: &mut Pacing, folder: &Folder, store: &mut dyn Store) {
        if !self.is_encoded && self.in_flight.len() < MOST_IN_FLIGHT {
            pacing.slice(|| self.encode(engine, folder, store));
        }
        if self.is_encoded && self.in_flight.is_empty() {
            let path = folder.manifest(self.manifest.epoch);
            self.in_flight.insert(path.clone(), Part::Manifest);
            store.start(Write::Create { path, content: self.manifest.encode_to_vec() });
        }
    }

    /// Encodes a few customers; says whether more may follow at once.
    fn encode(&mut self, engine: &mut Engine, folder: &Folder, store: &mut dyn Store) -> bool {
        match engine.encode(STEP, &mut self.block) {
            Some(encoded) => {
                self.manifest.customers = encoded.customers;
                self.manifest.state_digest = encoded.digest.to_le_bytes().to_vec();
            }
            None => self.is_encoded = true,
        }
        if self.block.len() >= BLOCK_BYTES || self.is_encoded && !self.block.is_empty() {
            self.hand_over(folder, store);
        }
        !self.is_encoded && self.in_flight.len() < MOST_IN_FLIGHT
    }

    /// Starts writing the block.
    fn hand_over(&mut self, folder: &Folder, store: &mut dyn Store) {
        let next = if self.is_encoded { Vec::new() } else { Vec::with_capacity(self.block.capacity()) };
        let content = std::mem::replace(&mut self.block, next);
        let digest = format::digest(&content);
        let place = self.manifest.blocks.len();
        let name = block_name(place, digest);
        let path = folder.block(self.manifest.epoch, &name);
        self.manifest.blocks.push(Block {
            name,
            customers: self.manifest.customers - self.customers,
            bytes: content.len() as u64,
            digest: digest.to_le_bytes().to_vec(),
            stored: 0,
        });
        self.customers = self.manifest.customers;
        self.in_flight.insert(path.clone(), Part::Block(place));
        store.start(Write::Put { path, content });
    }

    /// Hears how a write of it ended. `None` if it is none of it.
    pub(super) fn hear(&mut self, finished: &Finished) -> Option<Stage> {
        let part = self.in_flight.remove(&finished.path)?;
        Some(match (part, &finished.outcome) {
            (Part::Block(place), Ok(())) => {
                self.manifest.blocks[place].stored = finished.bytes;
                Stage::Underway
            }
            (Part::Manifest, Ok(())) => Stage::Done { manifest: Box::new(self.manifest.clone()), is_ours: true },
            (Part::Manifest, Err(StoreError::Exists { .. })) => {
                Stage::Done { manifest: Box::new(self.manifest.clone()), is_ours: false }
            }
            (_, Err(error)) => Stage::Failed(error.clone()),
        })
    }

    /// The writes that have not ended.
    pub(super) fn into_in_flight(self) -> impl Iterator<Item = String> {
        self.in_flight.into_keys()
    }
}

/// A block is handed over once it is that long, before sealing; it is longer by a few customers at most. In tests a
/// few customers fill several.
const BLOCK_BYTES: usize = if cfg!(test) { 1 << 10 } else { 1 << 20 };
/// Blocks on their way at once.
const MOST_IN_FLIGHT: usize = 4;
/// Customers encoded between two looks at the clock.
const STEP: usize = 16;
