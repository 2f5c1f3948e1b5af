//! Restoring a task: the journal read from its beginning, its ranges applied again with outputs suppressed, the
//! recorded digests checked, and the identical place reached.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use prost::Message;

use super::epoch::Draft;
use super::intake::Opening;
use super::journal::{InputRange, JournalRecord, LOGIC_VERSION, Ranges, mode_name, outputs_digest};
use super::{Task, TaskError};
use crate::broker::{Broker, Partition};
use crate::clock;
use crate::config::Start;
use crate::engine::TimeMode;
use crate::merge::Lane;
use crate::model::output::Output;
use crate::model::time::EventTime;

impl<B: Broker> Task<B> {
    /// Brings the task to where its journal ends; a new app writes the journal's first record.
    pub(super) fn restore(&mut self) -> Result<(), TaskError> {
        // First the producer: once it is made, no other of its name can add to the journal.
        let started = clock::now();
        self.init()?;
        let journal = self.read_journal()?;
        self.check_topics(&journal)?;
        self.check_mirror(&journal)?;
        if journal.is_empty() {
            self.begin_anew()?;
        } else {
            self.replay(&journal)?;
        }
        self.metrics.restored(&self.engine.stats(), clock::since(started));
        self.publish();
        Ok(())
    }

    fn read_journal(&mut self) -> Result<Vec<JournalRecord>, TaskError> {
        let kept = self.ask(Broker::journal_range)?;
        let (journal, partition) = (self.setup.journal.clone(), self.partition);
        if kept.start > 0 {
            return Err(TaskError::JournalGap { journal, partition, kept: kept.start });
        }
        let read = self.ask(|broker| {
            let mut read = Vec::new();
            broker.journal(kept.clone(), &mut |offset, value| read.push((offset, JournalRecord::decode(value))))?;
            Ok(read)
        })?;
        let mut records = Vec::with_capacity(read.len());
        for (offset, record) in read {
            match record {
                Ok(record) => records.push(record),
                Err(error) => {
                    let reason = error.to_string();
                    return Err(TaskError::Journal { journal, partition, offset, reason });
                }
            }
        }
        for (expected, record) in (0..).zip(&records) {
            if record.epoch != expected {
                let what = format!(
                    "{journal} partition {partition} holds epoch {} where {expected} should be: it was written from outside",
                    record.epoch
                );
                return Err(TaskError::Changed(what));
            }
            self.check(record)?;
        }
        Ok(records)
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
            self.intake.open(lane, Opening { position, journaled: position, relayed_to: 0, stop });
            ranges.start(lane, position);
            positions.insert(partition, position);
        }
        self.read_from(&positions)?;
        // Without records, so that the positions stand even if the inputs' retention moves on before the first epoch.
        let wall = match self.setup.mode {
            TimeMode::Live => clock::wall(),
            TimeMode::Event => EventTime::MIN,
        };
        self.commit(ranges, Vec::new(), EventTime::MIN, wall, &[])?;
        self.wall = wall;
        self.number = 1;
        tracing::info!(task = self.partition, partitions = self.inputs.len(), "started anew");
        Ok(())
    }

    fn replay(&mut self, journal: &[JournalRecord]) -> Result<(), TaskError> {
        let started = clock::now();
        self.open_journaled(journal)?;
        let mut outputs: Vec<Output> = Vec::new();
        let mut records = 0;
        for record in journal {
            if self.is_stopping() {
                return Err(TaskError::Interrupted);
            }
            outputs.clear();
            records += self.redo(record, &mut outputs)?;
        }
        tracing::info!(
            task = self.partition,
            epochs = self.number,
            records,
            seconds = clock::since(started).as_secs_f64(),
            clock = %self.clock,
            "restored, digests agree"
        );
        Ok(())
    }

    /// Opens each lane where the journal starts with it; a partition new since starts at its oldest record.
    fn open_journaled(&mut self, journal: &[JournalRecord]) -> Result<(), TaskError> {
        let mut spans: BTreeMap<Lane, Span> = BTreeMap::new();
        for range in journal.iter().flat_map(|record| &record.ranges) {
            let lane = self.known_lane(range)?;
            let span = spans.entry(lane).or_insert(Span { from: range.from, to: range.to, relayed_to: 0 });
            span.to = range.to;
            span.relayed_to = span.relayed_to.max(range.relayed_to);
            for offset in &range.early {
                self.intake.note_early(lane, *offset);
            }
        }
        let mut positions: BTreeMap<Partition, u64> = BTreeMap::new();
        for lane in self.lanes() {
            let partition = partition_of(lane);
            let kept = self.ask(|broker| broker.kept(partition))?;
            let new = Span { from: kept.start, to: kept.start, relayed_to: 0 };
            let Span { from, to, relayed_to } = spans.get(&lane).copied().unwrap_or(new);
            self.check_kept(lane, from, to, &kept)?;
            let stop = self.stop_of(lane, kept.end);
            self.intake.open(lane, Opening { position: from, journaled: to, relayed_to, stop });
            let position = positions.entry(partition).or_insert(from);
            *position = from.min(*position);
        }
        self.read_from(&positions)
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

    /// Every lane: this task's input partitions, and what each other task hands over.
    fn lanes(&self) -> Vec<Lane> {
        let inputs = self.inputs.iter().map(|(kind, partition)| Lane::Input(*kind, *partition));
        let others = (0..self.setup.tasks).filter(|task| *task != self.partition);
        inputs.chain(others.map(Lane::Relay)).collect()
    }

    /// Where an input stops being read, with a time to stop at. What others hand over ends when they say so.
    fn stop_of(&self, lane: Lane, end: u64) -> Option<u64> {
        self.setup.until.filter(|_| matches!(lane, Lane::Input(..))).map(|_| end)
    }

    fn read_from(&mut self, positions: &BTreeMap<Partition, u64>) -> Result<(), TaskError> {
        self.intake.set_goals(self.setup.goals.clone());
        self.intake.read_relay_from(positions.get(&Partition::Relay).copied().unwrap_or_default());
        self.setup.progress.needs(self.partition, positions);
        self.ask(|broker| broker.read_from(positions))
    }

    fn known_lane(&self, range: &InputRange) -> Result<Lane, TaskError> {
        let is_known = |lane: &Lane| match lane {
            Lane::Input(kind, partition) => self.inputs.contains(&(*kind, *partition)),
            Lane::Relay(source) => *source < self.setup.tasks,
        };
        let lane = range.lane();
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
                "the journal has read input `{}` partition {}, which is not there any more: put it back, or start anew \
                 under another `app`",
                range.kind, range.partition
            ))
        })
    }

    /// Does one journaled epoch again and compares what was recorded of it; says how many records it had.
    fn redo(&mut self, record: &JournalRecord, outputs: &mut Vec<Output>) -> Result<usize, TaskError> {
        let mut draft = Draft::default();
        for range in &record.ranges {
            let lane = self.known_lane(range)?;
            self.gather(lane, range.to, &mut draft)?;
        }
        let differs = |what: String| TaskError::Differs { epoch: record.epoch, partition: self.partition, what };
        for range in &record.ranges {
            let lane = self.known_lane(range)?;
            if draft.ranges().digest(lane) != range.digest {
                let InputRange { from, to, .. } = range;
                let (topic, partition) = self.place(lane);
                return Err(differs(format!("records in {topic} partition {partition} offsets {from} to {to}")));
            }
        }
        let fixed = draft.fix(EventTime(record.clock_ms), EventTime(record.wall_ms));
        let count = fixed.epoch.records.len();
        self.engine.apply(fixed.epoch, outputs);
        if outputs_digest(outputs) != record.outputs_digest {
            return Err(differs("outputs".to_owned()));
        }
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
            let (wall, awaits_relay) = (clock::wall().max(self.wall), matches!(lane, Lane::Relay(_)));
            self.intake.fetch(&mut self.broker, PATIENCE, wall, awaits_relay)?;
        }
    }
}

/// What the journal has of a lane.
#[derive(Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
    relayed_to: u64,
}

const fn partition_of(lane: Lane) -> Partition {
    match lane {
        Lane::Input(kind, partition) => Partition::Input(kind, partition),
        Lane::Relay(_) => Partition::Relay,
    }
}

/// How long one fetch of the replay waits; the replay as a whole waits for the broker until asked to stop.
const PATIENCE: Duration = Duration::from_millis(100);
