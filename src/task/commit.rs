//! Committing an epoch: one transaction, carried through whatever the broker says.
//!
//! Abortable: the identical epoch once more. Unknown: a new producer of the same name, which ends whatever the old
//! one left open, then a look at the journal's end: there, go on; not there, send again. Fenced: stop.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use prost::Message;

use super::journal::{JournalRecord, LOGIC_VERSION, Ranges, journal_digest, mode_name, outputs_digest};
use super::{Task, TaskError, mirror};
use crate::broker::{Broker, BrokerError, Outgoing, Partition, Refusal};
use crate::clock;
use crate::metrics::Ending;
use crate::model::output::Output;
use crate::model::time::EventTime;
use crate::mutant::{self, Mutant};

/// What leaves with an epoch.
#[derive(Default)]
pub(super) struct Leaving<'a> {
    pub(super) outputs: &'a [Output],
    /// What it does to entities at home elsewhere.
    pub(super) effects: Vec<Outgoing>,
    /// Records handed over, and announcements.
    pub(super) relay: Vec<Outgoing>,
}

impl<B: Broker> Task<B> {
    /// Commits an epoch: all that leaves with it, the group's positions, its journal record.
    pub(super) fn commit(
        &mut self,
        ranges: Ranges,
        leaving: Leaving<'_>,
        clock: EventTime,
        wall: EventTime,
    ) -> Result<(), TaskError> {
        let Leaving { outputs, effects, relay } = leaving;
        let digest = outputs_digest(outputs, &effects);
        #[cfg(test)]
        let effects = self.send_apart(effects);
        let mut positions = self.intake.positions();
        positions.retain(|partition, position| {
            self.is_mirrored(*partition) && self.mirrored.get(partition) != Some(position)
        });
        let metadata = mirror::note(self.number, &digest);
        let record = self.journal_record(ranges, clock, wall, digest);
        self.marks.note(&record.ranges);
        let record = record.encode_to_vec();
        let mut outgoing: Vec<Outgoing> = outputs.iter().map(|output| self.outgoing(output, wall)).collect();
        outgoing.extend(effects.into_iter().chain(relay));
        outgoing.push(Outgoing {
            topic: self.setup.journal.clone(),
            partition: Some(self.partition),
            key: None,
            value: Some(record.clone()),
            headers: Vec::new(),
        });
        let started = clock::now();
        self.carry_through(&record, &outgoing, &positions, &metadata)?;
        self.ownership.note_commit();
        self.mirrored.extend(positions);
        self.named.append(&mut self.unnamed);
        self.journal.note(journal_digest(&record));
        self.metrics.commit(clock::since(started));
        Ok(())
    }

    /// What must not be: effects of an epoch that may never be committed.
    #[cfg(test)]
    fn send_apart(&mut self, effects: Vec<Outgoing>) -> Vec<Outgoing> {
        if !mutant::is(Mutant::EffectsApart) || effects.is_empty() {
            return effects;
        }
        if self.transaction(&effects, &BTreeMap::new(), "").is_err() {
            let _ = self.broker.abort();
            return effects;
        }
        Vec::new()
    }

    fn journal_record(
        &self,
        ranges: Ranges,
        clock: EventTime,
        wall: EventTime,
        outputs_digest: Vec<u8>,
    ) -> JournalRecord {
        let rules = &self.setup.rules;
        JournalRecord {
            epoch: self.number,
            ranges: ranges.into_wire(),
            clock_ms: clock.0,
            wall_ms: wall.0,
            ruleset: rules.hash().to_owned(),
            ruleset_text: (self.number == 0).then(|| rules.text().to_owned()),
            logic_version: LOGIC_VERSION,
            outputs_digest,
            caught_up: self.caught_up,
            time: mode_name(self.setup.mode).to_owned(),
            topics: self.unnamed.clone(),
            tasks: self.setup.tasks,
            sample_digest: self.engine.sample_digest(),
            snapshot: self.newest.clone(),
        }
    }

    fn outgoing(&self, output: &Output, wall: EventTime) -> Outgoing {
        let setup = &self.setup;
        let topic = match output {
            Output::Decision(_) => &setup.outputs.events,
            Output::Alert(_) => &setup.outputs.alerts,
            Output::Status(_) => &setup.outputs.status,
            Output::Audit(_) => &setup.outputs.audit,
            Output::Insight(it) if it.finding.is_of_pivots() => &setup.outputs.pivots,
            Output::Insight(_) => &setup.outputs.insights,
            Output::Pivot(_) => &setup.outputs.pivots,
            Output::DeadLetter(..) => &setup.outputs.dlq,
        };
        let headers = setup.wire.headers(output, Some(wall));
        Outgoing {
            topic: topic.clone(),
            partition: None,
            key: setup.wire.key(output).map(std::borrow::Cow::into_owned),
            value: setup.wire.value(output, Some(wall)).map(std::borrow::Cow::into_owned),
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }

    fn carry_through(
        &mut self,
        record: &[u8],
        outgoing: &[Outgoing],
        positions: &BTreeMap<Partition, u64>,
        metadata: &str,
    ) -> Result<(), TaskError> {
        let epoch = self.number;
        let started = clock::now();
        let mut stopping: Option<Instant> = None;
        let mut pause = FIRST_PAUSE;
        for tries in 1.. {
            let changed = usize::from(mutant::is(Mutant::ChangedEpoch) && tries > 1 && outgoing.len() > 1);
            let Err(refusal) = self.transaction(&outgoing[changed..], positions, metadata) else {
                self.metrics.transaction(Ending::Committed);
                return Ok(());
            };
            self.metrics.transaction(match refusal {
                Refusal::Abortable(_) => Ending::Aborted,
                Refusal::Fenced(_) => Ending::Fenced,
                Refusal::Denied(_) => Ending::Denied,
                Refusal::Unknown(_) => Ending::Unknown,
            });
            let reason = refusal.to_string();
            tracing::warn!(task = self.partition, epoch, tries, %reason, "the epoch was not committed yet");
            let aborted = match refusal {
                Refusal::Abortable(_) => self.broker.abort(),
                other => Err(other),
            };
            match aborted {
                Ok(()) => {}
                Err(Refusal::Fenced(reason)) => {
                    return Err(TaskError::Fenced { id: self.transactional_id(), reason });
                }
                Err(Refusal::Denied(reason)) => {
                    return Err(TaskError::Denied { id: self.transactional_id(), reason });
                }
                Err(Refusal::Abortable(_) | Refusal::Unknown(_)) => {
                    self.confirm()?;
                    self.init()?;
                    if self.is_in_journal(record)? {
                        tracing::info!(task = self.partition, epoch, "the epoch had been committed");
                        return Ok(());
                    }
                }
            }
            // While the group rebalances, the broker refuses at once: tries alone would be over too soon.
            if tries >= TRIES && clock::since(started) >= REBALANCE {
                return Err(TaskError::NotCommitted { epoch, tries, reason });
            }
            // A rebalance passes quickly, unless it was this process that the group gave up.
            if self.is_stopping() {
                let stopping = *stopping.get_or_insert_with(clock::now);
                if self.ownership.is_lost() || clock::since(stopping) >= LAST_TRIES {
                    return Err(TaskError::Interrupted);
                }
            }
            clock::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        unreachable!("the tries are bounded")
    }

    /// Waits until the group has said that the task is still this process's.
    fn confirm(&self) -> Result<(), TaskError> {
        while !mutant::is(Mutant::GenerationIgnored) && !self.ownership.is_confirmed() {
            if self.is_stopping() {
                return Err(TaskError::Interrupted);
            }
        }
        Ok(())
    }

    fn transaction(
        &mut self,
        outgoing: &[Outgoing],
        positions: &BTreeMap<Partition, u64>,
        metadata: &str,
    ) -> Result<(), Refusal> {
        self.broker.begin()?;
        for record in outgoing {
            self.broker.produce(record)?;
        }
        if !positions.is_empty() {
            self.broker.offsets(positions, metadata)?;
        }
        self.broker.commit()
    }

    /// Makes a producer that fences all others of its name, trying again while the broker is out of reach.
    pub(super) fn init(&mut self) -> Result<(), TaskError> {
        let id = self.transactional_id();
        let mut pause = FIRST_PAUSE;
        for tries in 1.. {
            match self.broker.init() {
                Ok(()) => return Ok(()),
                Err(Refusal::Fenced(reason)) => return Err(TaskError::Fenced { id, reason }),
                Err(Refusal::Denied(reason)) => return Err(TaskError::Denied { id, reason }),
                Err(Refusal::Abortable(reason) | Refusal::Unknown(reason)) => {
                    tracing::warn!(task = self.partition, tries, %reason, "no transactional producer yet");
                    if tries >= TRIES {
                        return Err(TaskError::NotCommitted { epoch: self.number, tries, reason });
                    }
                }
            }
            if self.is_stopping() {
                return Err(TaskError::Interrupted);
            }
            clock::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        unreachable!("the tries are bounded")
    }

    /// Whether the journal's last record is this one; another's in its place means that another task took over.
    fn is_in_journal(&mut self, record: &[u8]) -> Result<bool, TaskError> {
        let Some((_, last)) = self.journal_end()? else { return Ok(false) };
        if last == record {
            return Ok(true);
        }
        match JournalRecord::decode(last.as_slice()) {
            Ok(last) if last.epoch + 1 == self.number => Ok(false),
            _ => Err(TaskError::Fenced {
                id: self.transactional_id(),
                reason: format!("epoch {} is in the journal by another hand", self.number),
            }),
        }
    }

    /// The journal's last record and its offset.
    pub(super) fn journal_end(&mut self) -> Result<Option<(u64, Vec<u8>)>, TaskError> {
        let kept = self.ask(Broker::journal_range)?;
        // The newest offsets are enough unless many transactions in a row were aborted.
        let newest = kept.end.saturating_sub(JOURNAL_END).max(kept.start);
        for start in [newest, kept.start] {
            let last = self.ask(|broker| {
                let mut last = None;
                broker.journal(start..kept.end, &mut |offset, value| last = Some((offset, value.to_vec())))?;
                Ok(last)
            })?;
            if last.is_some() {
                return Ok(last);
            }
        }
        Ok(None)
    }

    /// Puts a question to the broker, again while it does not answer.
    pub(super) fn ask<T>(
        &mut self,
        mut question: impl FnMut(&mut B) -> Result<T, BrokerError>,
    ) -> Result<T, TaskError> {
        let mut pause = FIRST_PAUSE;
        for tries in 1.. {
            match question(&mut self.broker) {
                Ok(answer) => return Ok(answer),
                Err(error @ BrokerError::Failed { .. }) if tries < TRIES => {
                    tracing::warn!(task = self.partition, tries, %error, "asking again");
                }
                Err(error) => return Err(error.into()),
            }
            if self.is_stopping() {
                return Err(TaskError::Interrupted);
            }
            clock::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        unreachable!("the tries are bounded")
    }
}

/// Tries of one epoch: with its pauses and the broker's time-outs, several minutes of an outage.
pub(super) const TRIES: u32 = 20;
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(10);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Within it, trying again goes on however often the broker has refused.
const REBALANCE: Duration = Duration::from_mins(2);

/// How long an epoch under way is still tried once the task is to end: a rebalance, most often.
const LAST_TRIES: Duration = Duration::from_secs(5);

/// Offsets of the journal looked at first: a record and a marker an epoch.
const JOURNAL_END: u64 = 64;
