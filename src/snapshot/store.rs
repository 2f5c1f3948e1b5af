//! Where snapshots lie, as primitives: nothing here decides what is written, kept or believed.
//!
//! Writing does not wait: it is started, and its end is heard later. A simulated store stands in for it in tests.

use std::time::Duration;

/// An object store. Paths have parts parted by `/`.
pub(crate) trait Store: Send {
    /// Everything below a folder, in the order of the paths.
    ///
    /// # Errors
    /// The store did not say. A folder that is not there is empty.
    fn list(&mut self, folder: &str) -> Result<Vec<Object>, StoreError>;

    /// Reads an object as it was written, sealed (see [`Write`]).
    ///
    /// # Errors
    /// It is not there, or the store did not give it.
    fn get(&mut self, path: &str) -> Result<Vec<u8>, StoreError>;

    /// Hears which objects will be read next, in that order: a store may fetch some ahead.
    fn expect(&mut self, _paths: &[String]) {}

    /// Starts a write, and returns at once. Writes may end in any order.
    fn start(&mut self, write: Write);

    /// The next write that has ended, if one has.
    fn finished(&mut self) -> Option<Finished>;
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) path: String,
    pub(crate) bytes: u64,
}

/// What is to be written. The store seals contents (compresses them and adds a checksum), away from the caller's thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// In place of what may be there.
    Put {
        path: String,
        content: Vec<u8>,
    },
    /// Only if nothing is there.
    Create {
        path: String,
        content: Vec<u8>,
    },
    Delete {
        path: String,
    },
}

/// A write that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) path: String,
    pub(crate) outcome: Result<(), StoreError>,
    /// What lies there now, sealed; 0 if it was deleted, or failed.
    pub(crate) bytes: u64,
    /// What sealing cost.
    pub(crate) cpu: Duration,
}

/// Why the store did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("{path}: not there")]
    Missing { path: String },
    #[error("{path}: there already")]
    Exists { path: String },
    /// Worth another try.
    #[error("{path}: {reason}")]
    Failed { path: String, reason: String },
}
