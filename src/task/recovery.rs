//! Restoring a task: a snapshot, then the journal's ranges after it applied again with outputs suppressed, the recorded
//! digests checked, and the identical place reached. Without a snapshot the journal is applied from its beginning.

pub(super) mod base;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use prost::Message;

use self::base::Base;
use super::commit::Leaving;
use super::epoch::Draft;
use super::image::{JournalEnd, needs_of};
use super::intake::Opening;
use super::journal::{
    InputRange, JournalRecord, LOGIC_VERSION, Ranges, SnapshotName, lane_of, mode_name, outputs_digest,
};
use super::progress::Needs;
use super::relay::Announcement;
use super::{Task, TaskError};
use crate::broker::{Broker, Partition};
use crate::clock;
use crate::config::Start;
use crate::engine::{Engine, TimeMode};
use crate::merge::Lane;
use crate::model::output::Output;
use crate::model::time::EventTime;
use crate::mutant::{self, Mutant};
use crate::snapshot::manifest::Manifest;

impl<B: Broker> Task<B> {
    /// Brings the task to where its journal ends; a new app writes the journal's first record.
    pub(super) fn restore(&mut self) -> Result<(), TaskError> {
        // First the producer: once it is made, no other of its name can add to the journal.
        let started = clock::now();
        let early = mutant::is(Mutant::UnstableJournal).then(|| self.find_base()).transpose()?;
        self.init()?;
        let base = early.map_or_else(|| self.find_base(), Ok)?;
        self.check_topics(&base)?;
        self.check_mirror(&base)?;
        let (digest, from) = base.last.clone().map_or((Vec::new(), base.end), |(offset, digest)| (digest, offset));
        self.journal = JournalEnd { from, next: base.end, digest };
        if base.last_epoch().is_none() {
            self.begin_anew()?;
        } else {
            self.go_on_from(base)?;
        }
        self.metrics.restored(&self.engine.stats(), clock::since(started));
        self.publish();
        Ok(())
    }

    /// Refuses a journal that this build or configuration would continue differently.
    fn check(&self, record: &JournalRecord) -> Result<(), TaskError> {
        let changed = |what: String| Err(TaskError::Changed(what));
        if record.logic_version != LOGIC_VERSION {
            return changed(format!(
                "the journal was written by logic version {}, this build has {LOGIC_VERSION}: go on with the build that wrote it",
                record.logic_version
            ));
        }
        if record.ruleset != self.setup.rules.hash() {
            return changed(format!(
                "the journal was written under ruleset {}, the rules now are {}: rules of a running app cannot be \
                 changed yet; put the old file back, or start anew under another `app`",
                record.ruleset,
                self.setup.rules.hash()
            ));
        }
        // Journals of earlier builds do not say.
        if record.tasks != 0 && record.tasks != self.setup.tasks {
            return changed(format!(
                "the journal was written by {} tasks, `tasks` says {}: customers would be at home elsewhere; start \
                 anew under another `app`",
                record.tasks, self.setup.tasks
            ));
        }
        if record.time != mode_name(self.setup.mode) {
            return changed(format!(
                "the journal was written with `time: {}`: it cannot go on with `time: {}`",
                record.time,
                mode_name(self.setup.mode)
            ));
        }
        Ok(())
    }

    fn begin_anew(&mut self) -> Result<(), TaskError> {
        let mut ranges = Ranges::default();
        let mut positions = BTreeMap::new();
        for lane in self.lanes() {
            let partition = partition_of(lane);
            let kept = self.ask(|broker| broker.kept(partition))?;
            let position = match (self.setup.start, lane) {
                (Start::Latest, Lane::Input(..)) => kept.end,
                _ => kept.start,
            };
            let stop = self.stop_of(lane, kept.end);
            let reached = EventTime::MIN;
            self.intake.open(lane, Opening { position, reached, journaled: position, relayed_to: 0, stop });
            ranges.start(lane, position);
            positions.insert(partition, position);
        }
        self.read_from(Needs { journal: 0, partitions: positions })?;
        // Without records, so that the positions stand even if the inputs' retention moves on before the first epoch.
        let wall = match self.setup.mode {
            TimeMode::Live => clock::wall(),
            TimeMode::Event => EventTime::MIN,
        };
        self.commit(ranges, Leaving::default(), EventTime::MIN, wall)?;
        self.wall = wall;
        self.number = 1;
        tracing::info!(task = self.partition, partitions = self.inputs.len(), "started anew");
        Ok(())
    }

    fn go_on_from(&mut self, base: Base) -> Result<(), TaskError> {
        let started = clock::now();
        self.open_lanes(&base)?;
        let Base { snapshot, journal, .. } = base;
        let from = snapshot.as_ref().map(|(manifest, _)| manifest.epoch);
        if let Some((manifest, engine)) = snapshot {
            self.resume(manifest, engine)?;
        }
        let erased = self.engine.erased_at();
        let mut outputs: Vec<Output> = Vec::new();
        let mut records = 0;
        let mut told = started;
        for record in &journal {
            if self.is_stopping() {
                return Err(TaskError::Interrupted);
            }
            outputs.clear();
            records += self.redo(record, &mut outputs)?;
            if clock::since(told) >= TELL_EVERY {
                told = clock::now();
                self.tell(record.epoch, &journal);
            }
        }
        if self.engine.erased_at() != erased
            && let Some(snapshots) = &mut self.snapshots
        {
            // Who was erased since is in it: another is wanted, even if nothing more happens.
            snapshots.note_epoch();
        }
        tracing::info!(
            task = self.partition,
            snapshot = from,
            replayed = journal.len(),
            epochs = self.number,
            records,
            seconds = clock::since(started).as_secs_f64(),
            clock = %self.clock,
            "restored, digests agree"
        );
        Ok(())
    }

    fn tell(&self, epoch: u64, journal: &[JournalRecord]) {
        let last = journal.last().map_or(epoch, |last| last.epoch);
        tracing::info!(task = self.partition, epoch, last, "replaying the journal");
        self.setup.progress.restoring(self.partition, &format!("epoch {epoch} of {last}"));
    }

    /// Takes up the state of a snapshot.
    fn resume(&mut self, manifest: Manifest, engine: Engine) -> Result<(), TaskError> {
        for announced in &manifest.announced {
            let damaged = |error: prost::DecodeError| {
                TaskError::Changed(format!("the snapshot of epoch {} holds no announcement: {error}", manifest.epoch))
            };
            self.intake.hear_again(Announcement::decode(announced.as_slice()).map_err(damaged)?);
        }
        self.engine = engine;
        self.number = manifest.epoch + 1;
        self.clock = EventTime(manifest.clock_ms);
        self.wall = EventTime(manifest.wall_ms);
        self.caught_up = manifest.caught_up;
        self.metrics.newest_snapshot(EventTime(manifest.created_ms));
        self.newest = Some(SnapshotName { epoch: manifest.epoch, state_digest: manifest.state_digest });
        Ok(())
    }

    /// Opens each lane where the snapshot, or the journal, starts with it; a partition new since starts at its oldest
    /// record.
    fn open_lanes(&mut self, base: &Base) -> Result<(), TaskError> {
        let mut spans: BTreeMap<Lane, Span> = BTreeMap::new();
        let mut needs = Needs::default();
        let relay_from = base.manifest().map_or(0, |manifest| manifest.relay_from);
        if let Some(manifest) = base.manifest() {
            needs = needs_of(manifest);
            for image in &manifest.lanes {
                let lane = self.known_lane(&image.kind, image.partition)?;
                let (position, reached) = (image.position, EventTime(image.reached_ms));
                let (relayed_to, read_to) = (image.relayed_to, image.read_to);
                spans.insert(lane, Span { from: position, to: position, relayed_to, read_to, reached });
                self.marks.start(lane, image);
                image.early.iter().for_each(|offset| self.intake.note_early(lane, *offset));
            }
        }
        for range in base.journal.iter().flat_map(|record| &record.ranges) {
            let lane = self.known_lane(&range.kind, range.partition)?;
            let new = Span { from: range.from, to: range.to, relayed_to: 0, read_to: 0, reached: EventTime::MIN };
            let span = spans.entry(lane).or_insert(new);
            span.to = span.to.max(range.to);
            span.relayed_to = span.relayed_to.max(range.relayed_to);
            for offset in &range.early {
                self.intake.note_early(lane, *offset);
            }
        }
        for lane in self.lanes() {
            let partition = partition_of(lane);
            let kept = self.ask(|broker| broker.kept(partition))?;
            let new = Span { from: kept.start, to: kept.start, relayed_to: 0, read_to: 0, reached: EventTime::MIN };
            let Span { from, to, relayed_to, read_to, reached } = spans.get(&lane).copied().unwrap_or(new);
            // Below the place from which the relay is read, nothing of any of its lanes is left.
            let needed = from.max(if lane.is_relayed() { relay_from } else { read_to });
            self.check_kept(lane, needed, to.max(needed), &kept)?;
            let stop = self.stop_of(lane, kept.end);
            self.intake.open(lane, Opening { position: from, reached, journaled: to, relayed_to, stop });
            let position = needs.partitions.entry(partition).or_insert(needed);
            *position = needed.min(*position);
        }
        self.read_from(needs)
    }

    /// Refuses a partition that has lost what the journal needs of it.
    fn check_kept(&self, lane: Lane, from: u64, to: u64, kept: &Range<u64>) -> Result<(), TaskError> {
        let (topic, partition) = self.place(lane);
        // A range never applied is not needed again; the end it stands at is.
        let needed = if from == to { to } else { from };
        if kept.start > needed {
            return Err(TaskError::Gap { topic: topic.to_owned(), partition, from: needed, kept: kept.start });
        }
        if kept.end < to {
            let end = kept.end;
            return Err(TaskError::Changed(format!(
                "{topic} partition {partition} ends at offset {end}, the journal has read it up to {to}: the topic was made anew or cut"
            )));
        }
        Ok(())
    }

    /// Every lane: this task's input partitions, what each other task hands over, and what is done there to some here.
    pub(super) fn lanes(&self) -> Vec<Lane> {
        let inputs = self.inputs.iter().map(|(kind, partition)| Lane::Input(*kind, *partition));
        let others = (0..self.setup.tasks).filter(|task| *task != self.partition);
        inputs.chain(others.flat_map(|task| [Lane::Relay(task), Lane::Effect(task)])).collect()
    }

    /// Where an input stops being read, with a time to stop at. What others hand over ends when they say so.
    fn stop_of(&self, lane: Lane, end: u64) -> Option<u64> {
        self.setup.until.filter(|_| matches!(lane, Lane::Input(..))).map(|_| end)
    }

    fn read_from(&mut self, needs: Needs) -> Result<(), TaskError> {
        self.intake.set_goals(self.setup.goals.clone());
        self.intake.read_relay_from(needs.partitions.get(&Partition::Relay).copied().unwrap_or_default());
        self.ask(|broker| broker.read_from(&needs.partitions))?;
        self.setup.progress.needs(self.partition, needs);
        Ok(())
    }

    fn known_lane(&self, kind: &str, number: u32) -> Result<Lane, TaskError> {
        let is_known = |lane: &Lane| match lane {
            Lane::Input(kind, partition) => self.inputs.contains(&(*kind, *partition)),
            Lane::Relay(source) | Lane::Effect(source) => *source < self.setup.tasks,
        };
        let lane = lane_of(kind, number);
        if let Some(Lane::Input(kind, partition)) = lane
            && self.setup.partitions.get(&kind).is_some_and(|known| partition >= *known)
        {
            let topic = &self.setup.wire.topics[kind as usize];
            return Err(TaskError::Outside(format!(
                "{topic} partition {partition} appeared after this process started, and another has read it: start this process again"
            )));
        }
        lane.filter(is_known).ok_or_else(|| {
            TaskError::Changed(format!(
                "the journal has read input `{kind}` partition {number}, which is not there any more: put it back, or \
                 start anew under another `app`"
            ))
        })
    }

    /// Does one journaled epoch again and compares what was recorded of it; says how many records it had.
    fn redo(&mut self, record: &JournalRecord, outputs: &mut Vec<Output>) -> Result<usize, TaskError> {
        let mut draft = Draft::default();
        for range in &record.ranges {
            let lane = self.known_lane(&range.kind, range.partition)?;
            self.gather(lane, range.to, &mut draft)?;
        }
        let (epoch, partition) = (record.epoch, self.partition);
        let differs = |what: String| TaskError::Differs { epoch, partition, what };
        for range in &record.ranges {
            let lane = self.known_lane(&range.kind, range.partition)?;
            if draft.ranges().digest(lane) != range.digest {
                let InputRange { from, to, .. } = range;
                let (topic, partition) = self.place(lane);
                return Err(differs(format!("records in {topic} partition {partition} offsets {from} to {to}")));
            }
        }
        let fixed = draft.fix(EventTime(record.clock_ms), EventTime(record.wall_ms));
        let count = fixed.epoch.records.len();
        self.engine.apply(fixed.epoch, outputs);
        let effects = self.leaving();
        let is_compared = !mutant::is(Mutant::DigestsIgnored);
        if is_compared && outputs_digest(outputs, &effects) != record.outputs_digest {
            return Err(differs("outputs".to_owned()));
        }
        if is_compared && self.engine.sample_digest() != record.sample_digest {
            return Err(differs("state of the customers it touched".to_owned()));
        }
        self.marks.note(&record.ranges);
        let named = record.snapshot.iter().chain(&self.newest);
        self.newest = named.max_by_key(|named| named.epoch).cloned();
        self.number = record.epoch + 1;
        self.clock = EventTime(record.clock_ms);
        self.wall = EventTime(record.wall_ms);
        self.caught_up = record.caught_up;
        Ok(count)
    }

    /// Takes everything of a partition below `to`.
    fn gather(&mut self, lane: Lane, to: u64, draft: &mut Draft) -> Result<(), TaskError> {
        loop {
            while let Some(next) = self.intake.take_below(lane, to) {
                draft.add(next);
            }
            if self.intake.is_through(lane, to) {
                return Ok(());
            }
            if self.is_stopping() {
                return Err(TaskError::Interrupted);
            }
            let (wall, awaits_relay) = (clock::wall().max(self.wall), lane.is_relayed());
            self.intake.fetch(&mut self.broker, PATIENCE, wall, awaits_relay)?;
        }
    }
}

/// What snapshot and journal have of a lane.
#[derive(Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
    relayed_to: u64,
    /// Every record below was taken.
    read_to: u64,
    /// Merge time of the newest record before `from`.
    reached: EventTime,
}

const fn partition_of(lane: Lane) -> Partition {
    match lane {
        Lane::Input(kind, partition) => Partition::Input(kind, partition),
        Lane::Relay(_) | Lane::Effect(_) => Partition::Relay,
    }
}

/// How often a long replay says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// How long one fetch of the replay waits; the replay as a whole waits for the broker until asked to stop.
const PATIENCE: Duration = Duration::from_millis(100);
