//! From fetched bytes to records in merge order: decoding, home and earliness, bounded buffers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::brake::BrakeWindow;
use super::journal::record_digest;
use crate::broker::{Broker, BrokerError, Fetched};
use crate::codec::{RawRecord, decode};
use crate::engine::TimeMode;
use crate::merge::{Lane, Merge};
use crate::model::event::Event;
use crate::model::murmur2::home;
use crate::model::record::{Code, DeadLetter, Record};
use crate::model::time::EventTime;

/// What a task has fetched and not yet applied.
pub(super) struct Intake {
    merge: Merge,
    lanes: BTreeMap<Lane, State>,
    partition: u32,
    tasks: u32,
    mode: TimeMode,
    brake: BrakeWindow,
    /// Offsets that the journal says were early; below `State::journaled` it alone decides.
    early: BTreeSet<(Lane, u64)>,
}

/// One partition's buffer. The records themselves lie in the merge.
#[derive(Debug, Default)]
struct State {
    /// The next offset to be taken.
    position: u64,
    /// What the journal covers ends here.
    journaled: u64,
    /// Records from here on are not read.
    stop: Option<u64>,
    /// `stop` was reached.
    ended: bool,
    buffered: VecDeque<Seen>,
    bytes: usize,
    paused: bool,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    digest: u64,
    bytes: u32,
    early: bool,
}

/// A record as an epoch takes it.
pub(super) struct Next {
    pub(super) record: Record,
    /// The partition's position before it.
    pub(super) from: u64,
    pub(super) digest: u64,
    pub(super) bytes: usize,
    pub(super) early: bool,
}

/// How a new partition is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) position: u64,
    pub(super) journaled: u64,
    pub(super) stop: Option<u64>,
}

impl Intake {
    pub(super) fn new(partition: u32, tasks: u32, mode: TimeMode, brake: BrakeWindow) -> Self {
        let (merge, lanes, early) = Default::default();
        Self { merge, lanes, partition, tasks, mode, brake, early }
    }

    pub(super) fn open(&mut self, lane: Lane, opening: Opening) {
        let Opening { position, journaled, stop } = opening;
        // What the journal covers is read in any case.
        let stop = stop.map(|stop| stop.max(journaled));
        let ended = stop.is_some_and(|stop| position >= stop);
        self.merge.open(lane, EventTime::MIN);
        self.merge.set_at_end(lane, ended);
        self.lanes.insert(lane, State { position, journaled, stop, ended, ..State::default() });
    }

    pub(super) fn note_early(&mut self, lane: Lane, offset: u64) {
        self.early.insert((lane, offset));
    }

    pub(super) fn merge(&self) -> &Merge {
        &self.merge
    }

    pub(super) fn merge_mut(&mut self) -> &mut Merge {
        &mut self.merge
    }

    /// Where the partition stands: the next offset to be taken.
    pub(super) fn position(&self, lane: Lane) -> u64 {
        self.lanes.get(&lane).map_or(0, |state| state.position)
    }

    /// Fetches what has arrived; waits for the first at most so long.
    pub(super) fn fetch<B: Broker>(
        &mut self,
        broker: &mut B,
        wait: Duration,
        wall: EventTime,
    ) -> Result<(), BrokerError> {
        self.relieve(broker)?;
        broker.fetch(wait, FETCH_RECORDS, &mut |lane, fetched| self.accept(lane, &fetched, wall))
    }

    /// Pauses partitions whose buffers are full, resumes those with room again.
    fn relieve<B: Broker>(&mut self, broker: &mut B) -> Result<(), BrokerError> {
        for (lane, state) in &mut self.lanes {
            let full = state.buffered.len() >= LANE_RECORDS || state.bytes >= LANE_BYTES;
            let roomy = state.buffered.len() < LANE_RECORDS / 2 && state.bytes < LANE_BYTES / 2;
            let paused = state.ended || full || (state.paused && !roomy);
            if paused != state.paused {
                state.paused = paused;
                broker.pause(*lane, paused)?;
            }
        }
        Ok(())
    }

    fn accept(&mut self, lane: Lane, fetched: &Fetched<'_>, wall: EventTime) {
        let Some(state) = self.lanes.get(&lane).filter(|state| !state.ended) else { return };
        match fetched {
            Fetched::Record { offset, .. } if state.stop.is_some_and(|stop| *offset >= stop) => self.end(lane),
            Fetched::Record { offset, raw } => {
                let is_last = state.stop.is_some_and(|stop| *offset + 1 >= stop);
                self.push(lane, *offset, raw, wall);
                self.merge.set_at_end(lane, false);
                if is_last {
                    self.end(lane);
                }
            }
            Fetched::AtEnd if state.stop.is_some() => self.end(lane),
            Fetched::AtEnd => self.merge.set_at_end(lane, true),
            Fetched::Lost => self.merge.set_at_end(lane, false),
        }
    }

    fn end(&mut self, lane: Lane) {
        self.merge.set_at_end(lane, true);
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.ended = true;
        }
    }

    fn push(&mut self, lane: Lane, offset: u64, raw: &RawRecord<'_>, wall: EventTime) {
        let body = decode(lane.0, raw).and_then(|event| self.admit(event, lane, offset, raw, wall));
        let early = body.as_ref().is_err_and(|letter| letter.code == Code::Early);
        let bytes = raw.key.map_or(0, <[u8]>::len) + raw.value.map_or(0, <[u8]>::len);
        let digest = record_digest(raw.key, raw.value, raw.headers);
        self.brake.note(body.as_ref().err().map(|letter| letter.code));
        let state = self.lanes.get_mut(&lane).expect("only open partitions are accepted");
        state.buffered.push_back(Seen { digest, bytes: u32::try_from(bytes).unwrap_or(u32::MAX), early });
        state.bytes += bytes;
        self.merge.push(lane, offset, body);
    }

    /// Refuses what is not at home here and what is early.
    fn admit(
        &self,
        event: Event,
        lane: Lane,
        offset: u64,
        raw: &RawRecord<'_>,
        wall: EventTime,
    ) -> Result<Event, Box<DeadLetter>> {
        let refuse = |code, message| Err(Box::new(DeadLetter::of(code, message, raw.key, raw.value)));
        if let Some(customer) = &event.customer
            && home(customer.as_str().as_bytes(), self.tasks) != self.partition
        {
            let message = format!(
                "the customer is at home with task {} of {}, the record lies on partition {} of task {}: \
                 write with the customer id as key and the Java client's partitioner (murmur2)",
                home(customer.as_str().as_bytes(), self.tasks),
                self.tasks,
                lane.1,
                self.partition
            );
            return refuse(Code::NotHome, message);
        }
        if self.is_early(&event, lane, offset, raw, wall) {
            let message = format!("occurred_at {} is more than 5 minutes in the future", event.at);
            return refuse(Code::Early, message);
        }
        Ok(event)
    }

    fn is_early(&self, event: &Event, lane: Lane, offset: u64, raw: &RawRecord<'_>, wall: EventTime) -> bool {
        if self.mode == TimeMode::Event {
            return false;
        }
        if self.lanes.get(&lane).is_some_and(|state| offset < state.journaled) {
            return self.early.contains(&(lane, offset));
        }
        let now = raw.timestamp.map_or(wall, |at| at.min(wall));
        event.at > now.plus(EARLY)
    }

    /// Takes the next record in merge order.
    pub(super) fn take(&mut self) -> Option<Next> {
        let record = self.merge.take()?;
        Some(self.taken(record))
    }

    /// Takes the next record of the partitions that are too far behind to be waited for.
    pub(super) fn take_left_out(&mut self) -> Option<Next> {
        let record = self.merge.take_left_out()?;
        Some(self.taken(record))
    }

    /// Takes the next record of a partition if it lies below `to`.
    pub(super) fn take_below(&mut self, lane: Lane, to: u64) -> Option<Next> {
        let record = self.merge.take_below(lane, to)?;
        Some(self.taken(record))
    }

    fn taken(&mut self, record: Record) -> Next {
        let lane = (record.position.kind, record.position.partition);
        let state = self.lanes.get_mut(&lane).expect("a record taken was pushed");
        let seen = state.buffered.pop_front().expect("what lies in the merge is noted here");
        let bytes = usize::try_from(seen.bytes).unwrap_or_default();
        state.bytes -= bytes.min(state.bytes);
        let from = std::mem::replace(&mut state.position, record.position.offset + 1);
        Next { record, from, digest: seen.digest, bytes, early: seen.early }
    }

    /// Whether everything of the partition below `to` has been fetched.
    pub(super) fn is_through(&self, lane: Lane, to: u64) -> bool {
        self.position(lane) >= to || self.merge.buffered(lane) > 0 || self.merge.is_at_end(lane)
    }

    /// How many of the newest records were refused, and why the last was, where that is beyond the bound.
    pub(super) fn braked(&self) -> Option<(u32, Code)> {
        self.brake.beyond()
    }
}

/// What an event may be ahead of the wall clock.
const EARLY: Duration = Duration::from_mins(5);

/// Records handed over by one fetch.
const FETCH_RECORDS: usize = 10_000;

/// A partition pauses beyond this many records or bytes waiting.
const LANE_RECORDS: usize = 20_000;
const LANE_BYTES: usize = 32 << 20;
