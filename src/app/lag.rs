//! How far the inputs are ahead of the tasks of this process, in records and in time, and which partitions stand still.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::watch::Seen;
use crate::broker::Partition;
use crate::clock;
use crate::metrics::{self, InputLag};
use crate::task::Setup;
use crate::task::journal::RELAY;

/// Remembers where each partition stood, to notice one that does not move, and of what it has published a lag: that of
/// a task which has gone elsewhere is told there, and is nothing here.
#[derive(Default)]
pub(super) struct LagWatch {
    inputs: BTreeSet<&'static str>,
    tasks: BTreeSet<u32>,
    stands: BTreeMap<(u32, Partition), Stand>,
}

/// A partition that has records to apply, and since when nothing of it was.
struct Stand {
    position: u64,
    since: Instant,
    told: bool,
}

impl LagWatch {
    /// Publishes how far every partition is ahead of what was applied of it.
    pub(super) fn publish(&mut self, setup: &Setup, seen: &[Seen]) {
        let mut lags: BTreeMap<&'static str, InputLag> =
            self.inputs.iter().map(|input| (*input, InputLag::default())).collect();
        let standings = setup.progress.standings();
        self.stands.retain(|(task, _), _| standings.contains_key(task));
        let gone = self.tasks.iter().filter(|task| !standings.contains_key(task));
        gone.for_each(|task| metrics::due_lag(*task, Duration::ZERO));
        self.tasks = standings.keys().copied().collect();
        let now = clock::wall();
        for Seen { task, partition, position, kept, .. } in seen {
            let Some(partition) = *partition else { continue };
            let lag = lags.entry(input_of(partition)).or_default();
            let records = kept.end.saturating_sub(*position);
            lag.records += records;
            if records > 0 {
                let waiting = standings.get(task).and_then(|standing| standing.times.get(&partition));
                lag.behind = lag.behind.max(waiting.map_or(Duration::ZERO, |at| now.since(*at)));
            }
            let place = setup.place(*task, Some(partition));
            lag.stalled += u64::from(self.is_stalled((*task, partition), *position, kept.end, place));
        }
        for (input, lag) in &lags {
            metrics::lag(input, lag);
        }
        for (task, standing) in &standings {
            let overdue = standing.next_deadline.map_or(Duration::ZERO, |at| now.since(at));
            metrics::due_lag(*task, overdue);
        }
        if setup.progress.all_restored() {
            setup.progress.set_lag(lags.values().map(|lag| lag.records).sum());
        }
        self.inputs = lags.keys().copied().collect();
    }

    /// Whether a partition with records to apply has not moved for long; says so once.
    fn is_stalled(&mut self, key: (u32, Partition), position: u64, end: u64, (topic, number): (&str, u32)) -> bool {
        if position >= end {
            self.stands.remove(&key);
            return false;
        }
        let stand = self.stands.entry(key).or_insert_with(|| Stand { position, since: clock::now(), told: false });
        if stand.position != position {
            *stand = Stand { position, since: clock::now(), told: false };
        }
        let stalled = stand.since.elapsed() > STALLED;
        if stalled && !stand.told {
            stand.told = true;
            let seconds = stand.since.elapsed().as_secs();
            tracing::warn!(topic, partition = number, position, end, seconds, "no record of this partition is applied");
        }
        stalled
    }
}

fn input_of(partition: Partition) -> &'static str {
    match partition {
        Partition::Input(kind, _) => kind.name(),
        Partition::Relay => RELAY,
    }
}

/// How long a partition with records to apply may stand still.
const STALLED: Duration = Duration::from_mins(1);
