//! A task: one thread that owns the customers homed on its partition. Its loop is the heart of `run`.
//!
//! An epoch is collected, applied, and leaves in one transaction with its outputs, the group's positions and its
//! journal record. The journal alone says where a task stands; a restart replays it (see `recovery.rs`).

mod brake;
mod commit;
mod epoch;
mod handover;
mod horizon;
pub(crate) mod identity;
mod image;
mod intake;
pub mod journal;
pub(crate) mod membership;
mod mirror;
pub(crate) mod ownership;
pub(crate) mod progress;
mod recovery;
pub mod relay;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::brake::BrakeWindow;
use self::commit::Leaving;
use self::epoch::Fixed;
use self::handover::Sender;
use self::image::{JournalEnd, Marks};
use self::intake::Intake;
use self::journal::{SnapshotName, TopicId};
use self::ownership::Ownership;
use self::progress::{Progress, Standing};
use self::relay::Announcement;
use crate::broker::{Broker, BrokerError, Outgoing, Partition};
use crate::clock;
use crate::codec::output::Wire;
use crate::config::{Brake, EpochBounds, Outputs, Start};
use crate::engine::{Engine, Home, TimeMode};
use crate::merge::Lane;
use crate::metrics::{EpochDone, TaskMetrics};
use crate::model::event::Kind;
use crate::model::output::Output;
use crate::model::time::EventTime;
#[cfg(test)]
use crate::mutant::{self, Mutant};
use crate::rules::ruleset::Ruleset;
use crate::snapshot::{SnapshotError, Snapshots};

/// What all tasks of a process share.
pub(crate) struct Setup {
    pub(crate) app: String,
    pub(crate) journal: String,
    pub(crate) relay: String,
    pub(crate) tasks: u32,
    pub(crate) rules: Arc<Ruleset>,
    pub(crate) mode: TimeMode,
    pub(crate) start: Start,
    pub(crate) epoch: EpochBounds,
    pub(crate) merge_hold: Duration,
    pub(crate) brake: Brake,
    pub(crate) outputs: Outputs,
    /// The ids of inputs, journal and relay, where the broker says them.
    pub(crate) topic_ids: BTreeMap<String, String>,
    pub(crate) wire: Wire,
    /// Where snapshots lie, as the configuration names it.
    pub(crate) store: String,
    /// Time to stop at, in `event` mode.
    pub(crate) until: Option<EventTime>,
    /// Partitions of each input when the process started.
    pub(crate) partitions: BTreeMap<Kind, u32>,
    /// With it: the ends that all input partitions, of every task, had at the start.
    pub(crate) goals: BTreeMap<(Kind, u32), u64>,
    pub(crate) progress: Progress,
    /// Asks every task to finish its epoch and end.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Setup {
    /// The topic of a task's partition, and the partition's number there; of the journal's, for none.
    pub(crate) fn place(&self, task: u32, partition: Option<Partition>) -> (&str, u32) {
        match partition {
            Some(Partition::Input(kind, number)) => (&self.wire.topics[kind as usize], number),
            Some(Partition::Relay) => (&self.relay, task),
            None => (&self.journal, task),
        }
    }
}

/// Whether a task reads an input partition: its own, and every one of the inputs that all tasks read whole.
pub(crate) const fn reads(task: u32, tasks: u32, (kind, partition): (Kind, u32)) -> bool {
    kind.is_broadcast() || answers_for(task, tasks, partition)
}

/// Whether a task is the one that tells the world of an input partition, whoever else reads it: it commits the
/// group's offset and writes the dead letters.
pub(crate) const fn answers_for(task: u32, tasks: u32, partition: u32) -> bool {
    partition % tasks == task
}

/// Why a task ended before its time. Each message is one sentence for an operator.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Another process runs this task.
    #[error("another process took over transactional id {id} ({reason}): only members of the app's group may use it")]
    Fenced { id: String, reason: String },
    #[error("the broker does not let transactional id {id} write: {reason}")]
    Denied { id: String, reason: String },
    /// Epochs fail although tried again.
    #[error("epoch {epoch} could not be committed in {tries} tries: {reason}")]
    NotCommitted { epoch: u64, tries: u32, reason: String },
    /// Retention was shorter than the journal reaches back.
    #[error(
        "{topic} partition {partition} has lost offsets {from} to {kept}: the journal needs them to restore; \
         bring them back or start anew under another `app`, and lengthen the topic's retention"
    )]
    Gap { topic: String, partition: u32, from: u64, kept: u64 },
    #[error(
        "{journal} partition {partition} has lost its beginning (up to offset {kept}): set retention.ms=-1 on it and start anew under another `app`"
    )]
    JournalGap { journal: String, partition: u32, kept: u64 },
    #[error("{journal} partition {partition} at offset {offset} is no journal record of this build: {reason}")]
    Journal { journal: String, partition: u32, offset: u64, reason: String },
    /// What was recorded cannot be reached again from the same inputs.
    #[error(
        "restoring epoch {epoch} of task {partition} gave other {what} than when it was committed: the inputs or the program changed; nothing was written"
    )]
    Differs { epoch: u64, partition: u32, what: String },
    /// The snapshots' store does not answer.
    #[error(transparent)]
    Snapshot(SnapshotError),
    /// The configuration does not fit the journal.
    #[error("{0}")]
    Changed(String),
    /// Somebody changed in Kafka what the app rests on.
    #[error("{0}")]
    Outside(String),
    #[error(
        "{count} of the newest {of} records were refused, the last as `{code}` ({last}): mend the topic, or raise \
         dead_letter.brake"
    )]
    Braked { count: u32, of: u32, code: &'static str, last: String },
    /// Asked to stop before the epoch at hand could be committed; the journal has the one before it.
    #[error(
        "stopped while the broker was out of reach: the epoch at hand may not have been committed; the next start finds out"
    )]
    Interrupted,
    /// Past the time that ending may take.
    #[error("not every task ended within {within:?} of being asked to: what they had under way will be done again")]
    Stuck { within: Duration },
    #[error("task {partition} failed by a mistake of its own: this is a bug")]
    Panicked { partition: u32 },
}

/// What makes a task: its number, what it reads, and the right to run.
pub(crate) struct Assignment {
    pub(crate) setup: Arc<Setup>,
    pub(crate) partition: u32,
    pub(crate) inputs: Vec<(Kind, u32)>,
    pub(crate) ownership: Arc<Ownership>,
    pub(crate) snapshots: Option<Snapshots>,
}

/// One task.
pub(crate) struct Task<B> {
    setup: Arc<Setup>,
    partition: u32,
    broker: B,
    ownership: Arc<Ownership>,
    /// The input partitions that this task reads.
    inputs: Vec<(Kind, u32)>,
    engine: Engine,
    intake: Intake,
    /// What the other tasks were last told of how far this one has looked through its inputs.
    announced: Option<Announcement>,
    /// In `event`: before it nothing is in force that is still to come from another task.
    horizon: EventTime,
    /// The group's offsets as last committed.
    mirrored: BTreeMap<Partition, u64>,
    /// The topics that the journal names, and those that it does not name yet.
    named: Vec<TopicId>,
    unnamed: Vec<TopicId>,
    marks: Marks,
    journal: JournalEnd,
    /// None where they are switched off.
    snapshots: Option<Snapshots>,
    /// The newest that was published.
    newest: Option<SnapshotName>,
    /// Number of the next epoch.
    number: u64,
    /// As of the last epoch committed.
    clock: EventTime,
    wall: EventTime,
    /// Every partition has been at its end once.
    caught_up: bool,
    /// What others had handed over before this start is applied.
    has_heard_all: bool,
    started: Instant,
    last_epoch: Instant,
    metrics: TaskMetrics,
}

impl<B: Broker> Task<B> {
    pub(crate) fn new(assignment: Assignment, broker: B, metrics: TaskMetrics) -> Self {
        let Assignment { setup, partition, inputs, ownership, snapshots } = assignment;
        let brake = BrakeWindow::new(setup.brake);
        let sender = Sender { topic: setup.relay.clone(), task: partition };
        Self {
            engine: Engine::new(
                Arc::clone(&setup.rules),
                &setup.app,
                setup.mode,
                Home { task: partition, tasks: setup.tasks },
            ),
            intake: Intake::new(sender, setup.tasks, setup.mode, brake),
            setup,
            partition,
            broker,
            ownership,
            inputs,
            announced: None,
            horizon: EventTime::MIN,
            mirrored: BTreeMap::new(),
            named: Vec::new(),
            unnamed: Vec::new(),
            marks: Marks::default(),
            journal: JournalEnd::default(),
            snapshots,
            newest: None,
            number: 0,
            clock: EventTime::MIN,
            wall: EventTime::MIN,
            caught_up: false,
            has_heard_all: false,
            started: clock::now(),
            last_epoch: clock::now(),
            metrics,
        }
    }

    /// Runs until asked to stop, or until the time to stop at is reached.
    ///
    /// # Errors
    /// What an operator must look at; the last committed epoch stands.
    pub(crate) fn run(mut self) -> Result<(), TaskError> {
        match self.restore() {
            // Nothing was under way yet.
            Err(TaskError::Interrupted) => return Ok(()),
            restored => restored?,
        }
        let mut outputs = Vec::new();
        while let Some(fixed) = self.collect()? {
            outputs.clear();
            self.carry_out(fixed, &mut outputs)?;
        }
        tracing::info!(task = self.partition, epochs = self.number, clock = %self.clock, "task ended");
        Ok(())
    }

    /// Applies an epoch and commits it with all that it causes.
    fn carry_out(&mut self, fixed: Fixed, outputs: &mut Vec<Output>) -> Result<(), TaskError> {
        let Fixed { epoch, ranges, mut relay, opened } = fixed;
        let (clock, wall, records) = (epoch.clock, epoch.wall, epoch.records.len());
        let (handed_over, taken_in) = (ranges.handed_over(), ranges.taken_in());
        let effects_in = epoch.effects.len();
        // Deadlines fire inside `apply`, by the epoch's clock, so a restore fires them at the same place.
        self.engine.apply(epoch, outputs);
        self.intake.merge_mut().look_anew();
        let effects = self.leaving();
        let effects_out = effects.len();
        self.announce(&mut relay);
        #[cfg(test)]
        if mutant::is(Mutant::ManifestFirst) {
            self.publish_before_commit();
        }
        // One transaction. Until it is known to be committed `outputs` stays as it is: an abort sends the identical
        // epoch again, so state is never rolled back.
        self.commit(ranges, Leaving { outputs, effects, relay }, clock, wall)?;
        self.number += 1;
        self.clock = clock;
        self.wall = wall;
        self.last_epoch = clock::now();
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.note_epoch();
        }
        tracing::debug!(task = self.partition, epoch = self.number - 1, records, outputs = outputs.len(), took = ?clock::since(opened), %clock, "epoch committed");
        self.publish();
        self.metrics.epoch(&EpochDone {
            records,
            handed_over,
            taken_in,
            effects_out,
            effects_in,
            effects_waiting: self.engine.waiting_effects(),
            outputs,
            stats: &self.engine.stats(),
            took: clock::since(opened),
            clock,
            left_out: self.intake.merge().left_out().count(),
        });
        Ok(())
    }

    /// What the newest epoch does to entities at home elsewhere, as it goes to their tasks.
    fn leaving(&mut self) -> Vec<Outgoing> {
        let effects = self.engine.take_effects().into_iter();
        effects.map(|(target, effect)| relay::pass(self.partition, target, &effect, &self.setup.relay)).collect()
    }

    /// Tells those who ask from other threads where the task stands.
    fn publish(&self) {
        let next_deadline = self.engine.next_deadline().filter(|_| self.setup.mode == TimeMode::Live);
        let (positions, times) = (self.intake.positions(), self.intake.times());
        let standing = Standing { restored: true, restoring: String::new(), positions, times, next_deadline };
        self.setup.progress.applied(self.partition, standing);
    }

    fn is_stopping(&self) -> bool {
        self.setup.stop.load(Ordering::Relaxed) || self.ownership.is_released()
    }

    /// The topic of a lane, and the partition there.
    fn place(&self, lane: Lane) -> (&str, u32) {
        match lane {
            Lane::Input(kind, partition) => (&self.setup.wire.topics[kind as usize], partition),
            Lane::Relay(_) | Lane::Effect(_) => (&self.setup.relay, self.partition),
        }
    }

    /// The app's transactional id of this task.
    fn transactional_id(&self) -> String {
        format!("{}-{}", self.setup.app, self.partition)
    }
}

#[cfg(test)]
mod tests;
