//! A store in memory that fails where a test says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::snapshot::format;
use crate::snapshot::store::{Finished, Object, Store, StoreError, Write};

/// What is stored. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Disk(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Disk {
    pub(super) fn paths(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }

    /// The objects whose path holds the part.
    pub(super) fn matching(&self, part: &str) -> Vec<String> {
        self.paths().into_iter().filter(|path| path.contains(part)).collect()
    }

    pub(super) fn read(&self, path: &str) -> Vec<u8> {
        self.0.lock().unwrap()[path].clone()
    }

    pub(super) fn write(&self, path: &str, bytes: Vec<u8>) {
        self.0.lock().unwrap().insert(path.to_owned(), bytes);
    }

    pub(super) fn remove(&self, path: &str) {
        self.0.lock().unwrap().remove(path).expect("it was there");
    }

    pub(super) fn change(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.0.lock().unwrap().get_mut(path).expect("it is there"));
    }

    /// A store on it.
    pub(super) fn store(&self, fault: Fault) -> Box<dyn Store> {
        Box::new(Memory { disk: self.clone(), fault, started: 0, ended: VecDeque::new() })
    }
}

/// What goes wrong. Writes are counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// That write fails, and nothing is there.
    Fails(usize),
    /// That write fails, and is there all the same.
    FailsDone(usize),
    /// From that write on nothing happens and nothing is heard: the process has died.
    Dies(usize),
    /// That write is said to be done, and only half of it is there.
    Tears(usize),
    /// Ends are heard in the opposite order, when nothing else comes.
    Reorders,
    /// Nothing can be read.
    Silent,
    /// Objects that hold this in their path cannot be read.
    Unreadable(&'static str),
}

struct Memory {
    disk: Disk,
    fault: Fault,
    started: usize,
    ended: VecDeque<Finished>,
}

impl Memory {
    fn refuse(&self, path: &str) -> Result<(), StoreError> {
        let refuses = match self.fault {
            Fault::Silent => true,
            Fault::Unreadable(part) => path.contains(part),
            _ => false,
        };
        if refuses { Err(failed(path)) } else { Ok(()) }
    }
}

fn failed(path: &str) -> StoreError {
    StoreError::Failed { path: path.to_owned(), reason: "out of order".to_owned() }
}

impl Store for Memory {
    fn list(&mut self, folder: &str) -> Result<Vec<Object>, StoreError> {
        self.refuse(folder)?;
        let objects = self.disk.0.lock().unwrap();
        let below = format!("{folder}/");
        let found = objects.iter().filter(|(path, _)| path.starts_with(&below));
        Ok(found.map(|(path, bytes)| Object { path: path.clone(), bytes: bytes.len() as u64 }).collect())
    }

    fn get(&mut self, path: &str) -> Result<Vec<u8>, StoreError> {
        self.refuse(path)?;
        self.disk.0.lock().unwrap().get(path).cloned().ok_or_else(|| StoreError::Missing { path: path.to_owned() })
    }

    fn start(&mut self, write: Write) {
        let number = self.started;
        self.started += 1;
        if matches!(self.fault, Fault::Dies(from) if number >= from) {
            return;
        }
        let mut objects = self.disk.0.lock().unwrap();
        let (path, sealed) = match write {
            Write::Create { path, .. } if objects.contains_key(&path) => {
                let outcome = Err(StoreError::Exists { path: path.clone() });
                self.ended.push_back(Finished { path, outcome, bytes: 0, cpu: Duration::ZERO });
                return;
            }
            Write::Put { path, content } | Write::Create { path, content } => (path, format::seal(&content)),
            Write::Delete { path } => (path, None),
        };
        let bytes = sealed.as_ref().map_or(0, Vec::len) as u64;
        let outcome = match self.fault {
            Fault::Fails(at) | Fault::FailsDone(at) if at == number => Err(failed(&path)),
            _ => Ok(()),
        };
        let is_torn = self.fault == Fault::Tears(number);
        if self.fault != Fault::Fails(number) {
            match sealed {
                Some(sealed) if is_torn => objects.insert(path.clone(), sealed[..sealed.len() / 2].to_vec()),
                Some(sealed) => objects.insert(path.clone(), sealed),
                None => objects.remove(&path),
            };
        }
        self.ended.push_back(Finished { path, outcome, bytes, cpu: Duration::ZERO });
    }

    fn finished(&mut self) -> Option<Finished> {
        if self.fault == Fault::Reorders { self.ended.pop_back() } else { self.ended.pop_front() }
    }
}
