//! A task's right to run: given with the assignment of its partition, ended by its release or loss.

use std::sync::atomic::{AtomicBool, Ordering};

/// Shared between the task and the membership that gave it its partition.
#[derive(Debug, Default)]
pub(crate) struct Ownership {
    /// The partition goes to another process, or this one ends: finish the epoch and end.
    released: AtomicBool,
}

impl Ownership {
    /// Asks the task to finish its epoch and end.
    pub(crate) fn release(&self) {
        self.released.store(true, Ordering::Relaxed);
    }

    /// Whether the task is to end.
    pub(crate) fn is_released(&self) -> bool {
        self.released.load(Ordering::Relaxed)
    }

    /// Whether the partition is still this process's, asked anew of the group: a process that was frozen must know
    /// before it makes a producer, which would fence the rightful owner's.
    pub(crate) fn is_confirmed(&self) -> bool {
        !self.is_released()
    }
}
