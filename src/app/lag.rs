//! How far the inputs are ahead of the tasks of this process, in records and in time, and which partitions stand still.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::broker::Partition;
use crate::broker::cluster::Cluster;
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
    /// Asks where every partition ends, publishes what follows, and says how many records are not yet applied;
    /// `None` where the broker does not say, or the app is over.
    pub(super) fn ask(&mut self, setup: &Setup, cluster: &Cluster, is_over: impl Fn() -> bool) -> Option<u64> {
        let mut lags: BTreeMap<&'static str, InputLag> =
            self.inputs.iter().map(|input| (*input, InputLag::default())).collect();
        // What several tasks read counts once: as far as the last of them is behind.
        let mut counted: BTreeMap<(&str, u32), u64> = BTreeMap::new();
        let standings = setup.progress.standings();
        self.stands.retain(|(task, _), _| standings.contains_key(task));
        let gone = self.tasks.iter().filter(|task| !standings.contains_key(task));
        gone.for_each(|task| metrics::due_lag(*task, Duration::ZERO));
        self.tasks = standings.keys().copied().collect();
        for (task, standing) in standings {
            for (partition, position) in standing.positions {
                if is_over() {
                    return None;
                }
                let input = match partition {
                    Partition::Input(kind, _) => kind.name(),
                    Partition::Relay => RELAY,
                };
                let (topic, number) = setup.place(task, Some(partition));
                let end = cluster.offsets(topic, number).ok()?.end;
                let lag = lags.entry(input).or_default();
                let records = end.saturating_sub(position);
                let known = counted.entry((topic, number)).or_default();
                lag.records += records.saturating_sub(*known);
                *known = records.max(*known);
                if records > 0 {
                    let behind = standing.times.get(&partition).map_or(Duration::ZERO, |at| clock::wall().since(*at));
                    lag.behind = lag.behind.max(behind);
                }
                lag.stalled += u64::from(self.is_stalled((task, partition), position, end, (topic, number)));
            }
            let overdue = standing.next_deadline.map_or(Duration::ZERO, |at| clock::wall().since(at));
            metrics::due_lag(task, overdue);
        }
        for (input, lag) in &lags {
            metrics::lag(input, lag);
        }
        self.inputs = lags.keys().copied().collect();
        Some(lags.values().map(|lag| lag.records).sum())
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

/// How long a partition with records to apply may stand still.
const STALLED: Duration = Duration::from_mins(1);
