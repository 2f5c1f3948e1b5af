//! Where simulated tasks keep their snapshots: slow, failing, and sometimes wiped.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prost::Message;

use super::traffic::APP;
use super::world::{Deed, Place, Shared, World};
use crate::model::event::Kind;
use crate::snapshot::format;
use crate::snapshot::manifest::Manifest;
use crate::snapshot::store::{Finished, Object, Store, StoreError, Write};
use crate::task::journal::{EFFECT, RELAY};

/// What lies in each store, by its number and path: one for all processes, or one for each.
pub(super) type Disks = BTreeMap<usize, BTreeMap<String, Vec<u8>>>;

/// What a writer hears of its writes.
pub(super) type Report = Arc<Mutex<VecDeque<Finished>>>;

/// A task's handle.
pub(super) struct SimulatedStore {
    shared: Shared,
    disk: usize,
    report: Report,
}

impl SimulatedStore {
    pub(super) fn new(shared: Shared, disk: usize) -> Self {
        Self { shared, disk, report: Report::default() }
    }

    fn travel(&self, path: &str) -> Result<(), StoreError> {
        self.shared.travel();
        let mut world = self.shared.now();
        let store = world.trouble.store;
        if world.dice.chance(store) { Err(failed(path)) } else { Ok(()) }
    }
}

fn failed(path: &str) -> StoreError {
    StoreError::Failed { path: path.to_owned(), reason: "out of order".to_owned() }
}

impl Store for SimulatedStore {
    fn list(&mut self, folder: &str) -> Result<Vec<Object>, StoreError> {
        self.travel(folder)?;
        let mut world = self.shared.now();
        let below = format!("{folder}/");
        let found = world.disks.entry(self.disk).or_default().iter().filter(|(path, _)| path.starts_with(&below));
        Ok(found.map(|(path, bytes)| Object { path: path.clone(), bytes: bytes.len() as u64 }).collect())
    }

    fn get(&mut self, path: &str) -> Result<Vec<u8>, StoreError> {
        self.travel(path)?;
        let mut world = self.shared.now();
        let forges = world.trouble.forges;
        let found = world.disks.entry(self.disk).or_default().get(path).cloned();
        let found = found.ok_or_else(|| StoreError::Missing { path: path.to_owned() })?;
        Ok(if forges && path.ends_with(".manifest") { without_a_block(path, &found) } else { found })
    }

    fn start(&mut self, write: Write) {
        let mut world = self.shared.now();
        let slow = world.trouble.store;
        let most = if world.dice.chance(slow) { 3_000_000 } else { 5_000 };
        let span = Duration::from_micros(world.dice.number(100, most).unsigned_abs());
        world.later(span, Deed::Write { disk: self.disk, write, report: Arc::clone(&self.report) });
    }

    fn finished(&mut self) -> Option<Finished> {
        let _world = self.shared.now();
        self.report.lock().unwrap().pop_front()
    }
}

/// A snapshot that is whole in itself, of a state that some customers are missing from.
fn without_a_block(path: &str, sealed: &[u8]) -> Vec<u8> {
    // What is damaged already stays so.
    let Ok(content) = format::open(path, sealed) else { return sealed.to_vec() };
    let mut manifest = Manifest::decode(content.as_slice()).expect("a manifest");
    if let Some(block) = manifest.blocks.pop() {
        manifest.customers -= block.customers;
    }
    format::seal(&manifest.encode_to_vec()).expect("it can be sealed")
}

impl World {
    /// A write takes place, or fails; it may have taken place all the same.
    pub(super) fn write_object(&mut self, disk: usize, write: Write, report: &Report) {
        let store = self.trouble.store;
        let fails = self.dice.chance(store);
        let is_done = !fails || self.dice.chance(50);
        let objects = self.disks.entry(disk).or_default();
        let (path, sealed) = match write {
            Write::Create { path, .. } if objects.contains_key(&path) => {
                let outcome = Err(StoreError::Exists { path: path.clone() });
                report.lock().unwrap().push_back(Finished { path, outcome, bytes: 0, cpu: Duration::ZERO });
                return;
            }
            Write::Put { path, content } | Write::Create { path, content } => (path, format::seal(&content)),
            Write::Delete { path } => (path, None),
        };
        let bytes = sealed.as_ref().map_or(0, Vec::len) as u64;
        match sealed {
            _ if !is_done => {}
            Some(sealed) => drop(objects.insert(path.clone(), sealed)),
            None => drop(objects.remove(&path)),
        }
        let outcome = if fails { Err(failed(&path)) } else { Ok(()) };
        report.lock().unwrap().push_back(Finished { path, outcome, bytes, cpu: Duration::ZERO });
    }

    /// Everything in a store is gone.
    pub(super) fn wipe(&mut self, disk: usize) {
        self.disks.remove(&disk);
    }

    /// Bits of an object flip.
    pub(super) fn damage(&mut self, disk: usize) {
        let Some(objects) = self.disks.get_mut(&disk).filter(|objects| !objects.is_empty()) else { return };
        let which = self.dice.below(objects.len());
        let bytes = objects.values_mut().nth(which).expect("it is there");
        if self.dice.chance(50) {
            bytes.truncate(bytes.len() / 2);
        } else if !bytes.is_empty() {
            let place = self.dice.below(bytes.len());
            bytes[place] ^= 1 << self.dice.below(8);
        }
    }

    /// Retention will remove what no restart can need: all that lies before the oldest snapshot of a task. A moment
    /// later, as it does: a restart that goes on from an older one may be under way. What every task reads stays for as
    /// long as any of them needs it.
    pub(super) fn retain(&mut self, tasks: u32) {
        let Some(objects) = self.disks.get(&0) else { return };
        let mut moves: BTreeMap<Place, (u32, u64)> = BTreeMap::new();
        for task in 0..tasks {
            let below = format!("{APP}/{task}/");
            let mut manifests =
                objects.iter().filter(|(path, _)| path.starts_with(&below) && path.ends_with(".manifest"));
            let Some((path, oldest)) = manifests.next() else { continue };
            let content = format::open(path, oldest).expect("it was sealed");
            let oldest = Manifest::decode(content.as_slice()).expect("a manifest");
            let inputs = oldest.lanes.iter().filter(|lane| ![RELAY, EFFECT].contains(&lane.kind.as_str()));
            let inputs = inputs.map(|lane| {
                let is_broadcast = Kind::from_name(&lane.kind).is_some_and(Kind::is_broadcast);
                (lane.kind.as_str(), lane.partition, lane.position, if is_broadcast { tasks } else { 1 })
            });
            let relay = (tasks > 1).then_some(("relay", task, oldest.relay_from, 1));
            let journal = ("journal", task, oldest.journal_from, 1);
            for (name, partition, needed, readers) in inputs.chain(relay).chain([journal]) {
                let (silent, least) = moves.entry((format!("{APP}.{name}"), partition)).or_insert((readers, needed));
                *silent -= 1;
                *least = needed.min(*least);
            }
        }
        for (place, (_, needed)) in moves.into_iter().filter(|(_, (silent, _))| *silent == 0) {
            self.later(RETAINED, Deed::Retain { place, needed });
        }
    }
}

/// How long after a snapshot that makes it superfluous a record stays.
const RETAINED: Duration = Duration::from_secs(3);
