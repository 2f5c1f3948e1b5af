//! How long a restart will still find what it needs: what retention has removed, and when it may remove more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::watch::Seen;
use crate::broker::Partition;
use crate::broker::cluster::{Cluster, Settings};
use crate::clock;
use crate::metrics;
use crate::model::event::Kind;
use crate::model::time::EventTime;
use crate::task::Setup;

/// What is remembered from round to round.
#[derive(Debug, Default)]
pub(super) struct Headroom {
    /// Kafka's time of the first record that a restart reads, with its offset.
    times: BTreeMap<Partition, (u64, EventTime)>,
    /// Partitions of which it was said that something is gone; the journal's as none.
    said: BTreeSet<(u32, Option<Partition>)>,
}

impl Headroom {
    /// Says once what a restart needs and is gone.
    pub(super) fn warn(&mut self, setup: &Setup, seen: &[Seen]) {
        for Seen { task, partition, needed, kept, .. } in seen {
            if kept.start > *needed && self.said.insert((*task, *partition)) {
                let (topic, number) = setup.place(*task, *partition);
                tracing::warn!(
                    topic,
                    partition = number,
                    from = needed,
                    to = kept.start,
                    "retention has removed offsets that a restart needs: the next start will be refused. Lengthen the \
                     topic's retention, and start anew under another `app`"
                );
            }
        }
    }

    /// Publishes, by input, how long until retention may remove what a restart needs. Where the broker does not say
    /// what it keeps, nothing is published.
    pub(super) fn publish(
        &mut self,
        setup: &Setup,
        cluster: &Cluster,
        seen: &[Seen],
        kept_for: &BTreeMap<Kind, Option<Duration>>,
    ) {
        for (kind, retention) in kept_for {
            let Some(retention) = retention else {
                metrics::headroom(*kind, None);
                continue;
            };
            let mut least = *retention;
            for seen in seen {
                if let Some(partition @ Partition::Input(of, number)) = seen.partition
                    && of == *kind
                    && let Some(written) = self.written(setup, cluster, seen, partition, number)
                {
                    let age = u64::try_from(clock::wall().0.saturating_sub(written.0)).unwrap_or_default();
                    least = least.min(retention.saturating_sub(Duration::from_millis(age)));
                }
            }
            metrics::headroom(*kind, Some(least));
        }
    }

    /// When the first record was written that a restart reads; `None` where there is none yet.
    fn written(
        &mut self,
        setup: &Setup,
        cluster: &Cluster,
        seen: &Seen,
        partition: Partition,
        number: u32,
    ) -> Option<EventTime> {
        let from = seen.needed.max(seen.kept.start);
        if let Some((_, at)) = self.times.get(&partition).filter(|(offset, _)| *offset == from) {
            return Some(*at);
        }
        let (topic, _) = setup.place(seen.task, Some(partition));
        let at = cluster.time_of(topic, number, from..seen.kept.end).ok()??;
        self.times.insert(partition, (from, at));
        Some(at)
    }
}

/// How long a topic keeps its records; `None`: for ever.
pub(super) fn kept_for(settings: &Settings) -> Option<Duration> {
    let deletes = settings.get("cleanup.policy").is_none_or(|policy| policy.contains("delete"));
    let retention = settings.get("retention.ms").filter(|_| deletes)?.parse().ok()?;
    Some(Duration::from_millis(retention))
}
