//! How far the tasks have come, for those who ask from other threads: readiness and lag.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::merge::Lane;

/// Written by the tasks after each epoch, read by anyone.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The next offset to be applied of each partition.
    positions: BTreeMap<Lane, AtomicU64>,
    /// By task: the journal has been replayed.
    restored: Vec<AtomicBool>,
    /// Records not yet applied, as last asked; unknown before.
    lag: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

impl Progress {
    pub(crate) fn new(tasks: u32, lanes: impl IntoIterator<Item = Lane>) -> Self {
        Self {
            positions: lanes.into_iter().map(|lane| (lane, AtomicU64::new(UNKNOWN))).collect(),
            restored: (0..tasks).map(|_| AtomicBool::new(false)).collect(),
            lag: AtomicU64::new(UNKNOWN),
        }
    }

    /// These partitions were applied up to these positions.
    pub(crate) fn applied(&self, positions: impl IntoIterator<Item = (Lane, u64)>) {
        for (lane, position) in positions {
            if let Some(known) = self.positions.get(&lane) {
                known.store(position, Ordering::Relaxed);
            }
        }
    }

    /// The task has replayed its journal.
    pub(crate) fn restored(&self, task: u32) {
        if let Some(restored) = usize::try_from(task).ok().and_then(|task| self.restored.get(task)) {
            restored.store(true, Ordering::Relaxed);
        }
    }

    /// Whether every task has.
    pub(crate) fn all_restored(&self) -> bool {
        self.restored.iter().all(|restored| restored.load(Ordering::Relaxed))
    }

    /// Where each partition stands, once known.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (Lane, u64)> {
        let loaded = self.positions.iter().map(|(lane, position)| (*lane, position.load(Ordering::Relaxed)));
        loaded.filter(|(_, position)| *position != UNKNOWN)
    }

    pub(crate) fn set_lag(&self, records: u64) {
        self.lag.store(records, Ordering::Relaxed);
    }

    /// Records not yet applied, once known.
    pub(crate) fn lag(&self) -> Option<u64> {
        Some(self.lag.load(Ordering::Relaxed)).filter(|lag| *lag != UNKNOWN)
    }
}
