//! How long a restart will still find what it needs: what retention has removed, and when it may remove more.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use crate::broker::Partition;
use crate::broker::cluster::{Cluster, Settings};
use crate::clock;
use crate::metrics;
use crate::model::event::Kind;
use crate::model::time::EventTime;
use crate::task::Setup;
use crate::task::progress::Needs;

/// What is remembered from round to round.
#[derive(Debug, Default)]
pub(super) struct Headroom {
    /// Kafka's time of the first record that a restart of a task reads, with its offset.
    times: BTreeMap<(u32, Partition), (u64, EventTime)>,
    /// Partitions of which it was said that something is gone; the journal's as none.
    said: BTreeSet<(u32, Option<Partition>)>,
    /// Inputs of which it was said that little is left.
    tight: BTreeSet<Kind>,
}

/// What a restart needs of a partition, and what there is. The journal's is none.
struct Need {
    task: u32,
    partition: Option<Partition>,
    from: u64,
    kept: Range<u64>,
}

impl Headroom {
    /// Says once what a restart needs and is gone, and publishes by input how long nothing more can go. `kept_for`
    /// holds how long each input keeps its records, as far as the broker says.
    pub(super) fn look(
        &mut self,
        setup: &Setup,
        cluster: &Cluster,
        kept_for: &BTreeMap<Kind, Option<Duration>>,
        is_over: impl Fn() -> bool,
    ) {
        let Some(needs) = ask(setup, cluster, &is_over) else { return };
        for need in &needs {
            self.warn(setup, need);
        }
        for (kind, retention) in kept_for {
            let mut left = *retention;
            for need in &needs {
                if let Some(partition @ Partition::Input(of, _)) = need.partition
                    && of == *kind
                    && let Some(retention) = retention
                    && !is_over()
                    && let Some(written) = self.written(setup, cluster, need, partition)
                {
                    left = left.min(Some(retention.saturating_sub(clock::wall().since(written))));
                }
            }
            metrics::headroom(kind.name(), left);
            self.warn_of_tight(setup, *kind, left, *retention);
        }
    }

    /// Retention should cover twice the span that a restart reads.
    fn warn_of_tight(&mut self, setup: &Setup, kind: Kind, left: Option<Duration>, retention: Option<Duration>) {
        let (Some(left), Some(retention)) = (left, retention) else { return };
        if left >= retention / 2 {
            self.tight.remove(&kind);
        } else if self.tight.insert(kind) {
            let topic = &setup.wire.topics[kind as usize];
            tracing::warn!(
                topic,
                left = ?left,
                ?retention,
                "a restart reads back over more than half of what the topic keeps: lengthen its retention, or take \
                 snapshots more often"
            );
        }
    }

    fn warn(&mut self, setup: &Setup, need: &Need) {
        let Need { task, partition, from, kept } = need;
        if kept.start <= *from || !self.said.insert((*task, *partition)) {
            return;
        }
        let (topic, partition) = setup.place(*task, *partition);
        let to = kept.start;
        tracing::warn!(
            topic,
            partition,
            from,
            to,
            "offsets that a restart needs are gone, so that the next start will be refused: lengthen the topic's \
             retention, and start anew under another `app`"
        );
    }

    /// When the first record was written that a restart reads; `None` where there is none yet.
    fn written(&mut self, setup: &Setup, cluster: &Cluster, need: &Need, partition: Partition) -> Option<EventTime> {
        let from = need.from.max(need.kept.start);
        if let Some((_, at)) = self.times.get(&(need.task, partition)).filter(|(offset, _)| *offset == from) {
            return Some(*at);
        }
        let (topic, number) = setup.place(need.task, need.partition);
        let at = cluster.time_of(topic, number, from..need.kept.end).ok()??;
        self.times.insert((need.task, partition), (from, at));
        Some(at)
    }
}

/// Asks what is kept of every partition that a task of this process reads; `None` where the broker does not say, or
/// the app is over.
fn ask(setup: &Setup, cluster: &Cluster, is_over: &impl Fn() -> bool) -> Option<Vec<Need>> {
    let mut needs = Vec::new();
    for (task, Needs { journal, partitions }) in setup.progress.needed() {
        let partitions = partitions.into_iter().map(|(partition, from)| (Some(partition), from));
        for (partition, from) in partitions.chain([(None, journal)]) {
            if is_over() {
                return None;
            }
            let (topic, number) = setup.place(task, partition);
            let kept = cluster.offsets(topic, number).ok()?;
            needs.push(Need { task, partition, from, kept });
        }
    }
    Some(needs)
}

/// How long a topic keeps its records; `None`: for ever.
pub(super) fn kept_for(settings: &Settings) -> Option<Duration> {
    let deletes = settings.get("cleanup.policy").is_none_or(|policy| policy.contains("delete"));
    let retention = settings.get("retention.ms").filter(|_| deletes)?.parse().ok()?;
    Some(Duration::from_millis(retention))
}
