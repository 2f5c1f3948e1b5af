//! A task's own part of its snapshots: when one is begun, what it says besides the customers, what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use super::journal::{InputRange, LOGIC_VERSION, SnapshotName, mode_name, names_of};
use super::progress::Needs;
use super::{Task, TaskError};
use crate::broker::{Broker, Partition};
use crate::clock;
use crate::merge::Lane;
use crate::model::time::EventTime;
use crate::snapshot::manifest::{LaneImage, Manifest};
use crate::snapshot::store::StoreError;
use crate::snapshot::{SnapshotError, Snapshots};

/// What the journal says of lanes beyond the offsets up to which they were taken.
#[derive(Default)]
pub(super) struct Marks(BTreeMap<Lane, Mark>);

#[derive(Clone, Default)]
struct Mark {
    relayed_to: u64,
    early: BTreeSet<u64>,
}

impl Marks {
    /// Takes note of what an epoch did.
    pub(super) fn note(&mut self, ranges: &[InputRange]) {
        for range in ranges {
            let Some(lane) = range.lane() else { continue };
            let mark = self.0.entry(lane).or_default();
            mark.relayed_to = mark.relayed_to.max(range.relayed_to);
            mark.early.extend(&range.early);
            mark.early = mark.early.split_off(&range.to);
        }
    }

    /// Takes note of what a snapshot says.
    pub(super) fn start(&mut self, lane: Lane, image: &LaneImage) {
        let early = image.early.iter().copied().collect();
        self.0.insert(lane, Mark { relayed_to: image.relayed_to, early });
    }
}

impl<B: Broker> Task<B> {
    /// Begins a snapshot where one is due. The state must be that of the last epoch committed, and nothing taken since.
    pub(super) fn begin_snapshot(&mut self) {
        if self.number == 0 || !self.snapshots.as_ref().is_some_and(Snapshots::is_due) {
            return;
        }
        let manifest = self.manifest();
        if let Some(snapshots) = &mut self.snapshots {
            tracing::debug!(task = self.partition, epoch = manifest.epoch, "snapshot begun");
            snapshots.begin(manifest, &mut self.engine);
        }
    }

    /// Goes on with the snapshot under way, if one is.
    pub(super) fn advance_snapshot(&mut self) {
        let Some(snapshots) = &mut self.snapshots else { return };
        let published = snapshots.advance(&mut self.engine);
        self.metrics.snapshots(snapshots.counts(), snapshots.is_under_way());
        let Some(published) = published else { return };
        let Manifest { epoch, customers, state_digest, created_ms, .. } = published.manifest;
        self.metrics.newest_snapshot(EventTime(created_ms));
        tracing::info!(task = self.partition, epoch, customers, "snapshot published");
        self.newest = Some(SnapshotName { epoch, state_digest });
        if let Some(oldest) = &published.oldest {
            self.setup.progress.needs(self.partition, needs_of(oldest));
        }
    }

    /// What must not be: a snapshot of an epoch that may never be committed.
    #[cfg(test)]
    pub(super) fn publish_before_commit(&mut self) {
        self.number += 1;
        self.begin_snapshot();
        for _ in 0..20 {
            self.advance_snapshot();
            clock::sleep(super::commit::FIRST_PAUSE);
        }
        self.number -= 1;
    }

    fn manifest(&mut self) -> Manifest {
        let (setup, rules) = (&self.setup, &self.setup.rules);
        let (relay_from, announced) = self.intake.relay_image();
        Manifest {
            app: setup.app.clone(),
            task: self.partition,
            tasks: setup.tasks,
            epoch: self.number - 1,
            clock_ms: self.clock.0,
            wall_ms: self.wall.0,
            ruleset: rules.hash().to_owned(),
            ruleset_text: rules.text().to_owned(),
            logic_version: LOGIC_VERSION,
            time: mode_name(setup.mode).to_owned(),
            created_ms: clock::wall().0,
            journal_from: self.journal.from,
            journal_digest: self.journal.digest.clone(),
            caught_up: self.caught_up,
            topics: self.named.clone(),
            lanes: self.lane_images(),
            relay_from,
            announced: announced.iter().map(Message::encode_to_vec).collect(),
            ..Manifest::default()
        }
    }

    fn lane_images(&self) -> Vec<LaneImage> {
        let read = self.intake.positions();
        let image = |lane| {
            let read_to = match lane {
                Lane::Input(kind, partition) => read.get(&Partition::Input(kind, partition)).copied(),
                Lane::Relay(_) | Lane::Effect(_) => None,
            };
            self.lane_image(lane, read_to.unwrap_or_default())
        };
        self.lanes().into_iter().map(image).collect()
    }

    fn lane_image(&self, lane: Lane, read_to: u64) -> LaneImage {
        let (kind, partition) = names_of(lane);
        let Mark { relayed_to, early } = self.marks.0.get(&lane).cloned().unwrap_or_default();
        LaneImage {
            kind: kind.to_owned(),
            partition,
            position: self.intake.position(lane),
            relayed_to,
            read_to,
            reached_ms: self.intake.merge().taken(lane).0,
            early: early.into_iter().collect(),
        }
    }
}

/// From where a restart reads that goes back to this snapshot.
pub(super) fn needs_of(manifest: &Manifest) -> Needs {
    let inputs =
        manifest.lanes.iter().filter_map(|image| match super::journal::lane_of(&image.kind, image.partition)? {
            Lane::Input(kind, partition) => {
                Some((Partition::Input(kind, partition), image.position.max(image.read_to)))
            }
            Lane::Relay(_) | Lane::Effect(_) => None,
        });
    let has_relay = manifest.tasks > 1;
    let relay = has_relay.then_some((Partition::Relay, manifest.relay_from));
    Needs { journal: manifest.journal_from, partitions: inputs.chain(relay).collect() }
}

/// Where the journal ends for this task.
#[derive(Clone, Debug, Default)]
pub(super) struct JournalEnd {
    /// The last record lies at this offset or after it.
    pub(super) from: u64,
    /// The next one of this task's lies at this offset or after it.
    pub(super) next: u64,
    /// Of the last record.
    pub(super) digest: Vec<u8>,
}

impl JournalEnd {
    /// A record was committed.
    pub(super) fn note(&mut self, digest: Vec<u8>) {
        // Behind each record lies the marker of its transaction, and no next transaction begins before it is there.
        *self = Self { from: self.next, next: self.next + 2, digest };
    }
}

impl<B: Broker> Task<B> {
    /// Puts a question to the store, again while it does not answer.
    pub(super) fn ask_store<T>(
        &self,
        mut question: impl FnMut() -> Result<T, SnapshotError>,
    ) -> Result<Result<T, SnapshotError>, TaskError> {
        let mut pause = super::commit::FIRST_PAUSE;
        for tries in 1.. {
            match question() {
                Err(SnapshotError::Store(error @ StoreError::Failed { .. })) if tries < super::commit::TRIES => {
                    tracing::warn!(task = self.partition, tries, %error, "asking the snapshots' store again");
                }
                Err(SnapshotError::Store(error @ StoreError::Failed { .. })) => {
                    return Err(TaskError::Snapshot(error.into()));
                }
                answer => return Ok(answer),
            }
            if self.is_stopping() {
                return Err(TaskError::Interrupted);
            }
            clock::sleep(pause);
            pause = (pause * 2).min(super::commit::LONGEST_PAUSE);
        }
        unreachable!("the tries are bounded")
    }
}
