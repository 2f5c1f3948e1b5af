//! How far the tasks of this process have come, for those who ask from other threads: readiness and lag.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::broker::Partition;
use crate::model::time::EventTime;

/// A copy that the tasks publish after each epoch, for anyone to read.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    tasks: Mutex<BTreeMap<u32, Standing>>,
    /// By task, from where a restart reads.
    needed: Mutex<BTreeMap<u32, Needs>>,
    /// Records not yet applied, as last asked; unknown before.
    lag: Mutex<Option<u64>>,
    /// This process is a member of the group and was told what it has, be it nothing.
    member: AtomicBool,
}

/// From where a restart reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The journal.
    pub(crate) journal: u64,
    pub(crate) partitions: BTreeMap<Partition, u64>,
}

/// Where one task stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// Snapshot and journal have been taken in.
    pub(crate) restored: bool,
    /// Until then: how far that is.
    pub(crate) restoring: String,
    /// The next offset of each partition.
    pub(crate) positions: BTreeMap<Partition, u64>,
    /// Kafka's time of the oldest record that waits, or of the newest applied.
    pub(crate) times: BTreeMap<Partition, EventTime>,
    /// In `live`: when the earliest deadline is to fire.
    pub(crate) next_deadline: Option<EventTime>,
}

impl Progress {
    /// A task starts.
    pub(crate) fn assigned(&self, task: u32) {
        self.tasks().insert(task, Standing::default());
    }

    /// A task has ended.
    pub(crate) fn released(&self, task: u32) {
        self.tasks().remove(&task);
        self.needed.lock().unwrap_or_else(PoisonError::into_inner).remove(&task);
    }

    /// From where a task would read after a restart.
    pub(crate) fn needs(&self, task: u32, needs: Needs) {
        self.needed.lock().unwrap_or_else(PoisonError::into_inner).insert(task, needs);
    }

    /// By task, from where a restart reads.
    pub(crate) fn needed(&self) -> BTreeMap<u32, Needs> {
        self.needed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A task is on its way back to where it was.
    pub(crate) fn restoring(&self, task: u32, how_far: &str) {
        if let Some(known) = self.tasks().get_mut(&task) {
            how_far.clone_into(&mut known.restoring);
        }
    }

    /// The first task that has not restored, and how far it is.
    pub(crate) fn first_restoring(&self) -> Option<(u32, String)> {
        let tasks = self.tasks();
        tasks
            .iter()
            .find(|(_, standing)| !standing.restored)
            .map(|(task, standing)| (*task, standing.restoring.clone()))
    }

    /// A task has applied an epoch, or restored.
    pub(crate) fn applied(&self, task: u32, standing: Standing) {
        if let Some(known) = self.tasks().get_mut(&task) {
            *known = standing;
        }
    }

    /// Where each task of this process stands.
    pub(crate) fn standings(&self) -> BTreeMap<u32, Standing> {
        self.tasks().clone()
    }

    pub(crate) fn set_member(&self, is_member: bool) {
        self.member.store(is_member, Ordering::Relaxed);
    }

    /// Whether the group has told this process which tasks it has.
    pub(crate) fn is_member(&self) -> bool {
        self.member.load(Ordering::Relaxed)
    }

    /// Whether this process knows its tasks, and each of them has replayed its journal.
    pub(crate) fn all_restored(&self) -> bool {
        self.is_member() && self.tasks().values().all(|standing| standing.restored)
    }

    pub(crate) fn set_lag(&self, records: u64) {
        *self.lag.lock().unwrap_or_else(PoisonError::into_inner) = Some(records);
    }

    /// Records not yet applied, once known.
    pub(crate) fn lag(&self) -> Option<u64> {
        *self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeMap<u32, Standing>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
