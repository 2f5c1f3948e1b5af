//! One order out of many partitions: records are taken by merge time, then input, partition and offset.
//!
//! A record may be taken only when nothing that could precede it can still be fetched. The order
//! depends on the records alone, never on which fetch came first, so a restore and a file replay merge
//! alike. Never reads a clock: the caller says which partitions are at their end.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::model::event::{Event, Kind};
use crate::model::record::{DeadLetter, Position, Record};
use crate::model::time::EventTime;

/// A partition of an input.
pub type Lane = (Kind, u32);

/// The order in which records are taken.
type Key = (EventTime, Position);

/// Buffers what was fetched of each partition and hands it out in merge order.
///
/// Lanes are few (inputs times partitions of a task), so taking looks at each.
#[derive(Debug, Default)]
pub struct Merge {
    lanes: BTreeMap<Lane, Buffer>,
    /// The greatest key taken in order: a lane left out has caught up when it reaches it.
    newest: Option<Key>,
    /// What the caller's clock shows; only spans between its readings matter.
    now: Duration,
}

#[derive(Debug, Default)]
struct Buffer {
    records: VecDeque<Record>,
    /// Key of the newest record fetched, taken or not.
    last: Option<Key>,
    /// Greatest event time fetched.
    reached: EventTime,
    at_end: bool,
    /// Since when the first record has been the first.
    since: Duration,
    /// Too far behind to be waited for: taken apart from the others until level with them.
    left_out: bool,
}

impl Buffer {
    fn head(&self) -> Option<Key> {
        self.records.front().map(|record| (record.merge_time, record.position))
    }

    /// Whether a record still to be fetched may have to be taken before `key`.
    fn may_precede(&self, key: Key) -> bool {
        self.records.is_empty() && !self.at_end && self.last.is_none_or(|last| last <= key)
    }
}

impl Merge {
    /// Adds a partition from which `reached` is the greatest event time already applied (the start of
    /// time for a new one).
    pub fn open(&mut self, lane: Lane, reached: EventTime) {
        self.lanes.insert(lane, Buffer { reached, ..Buffer::default() });
    }

    /// Takes in the next record of a partition, in offset order. A dead letter takes its predecessor's time.
    ///
    /// # Panics
    /// Where the partition was not opened.
    pub fn push(&mut self, lane: Lane, offset: u64, body: Result<Event, Box<DeadLetter>>) {
        let buffer = self.lanes.get_mut(&lane).expect("a partition is opened before it is read");
        if let Ok(event) = &body {
            buffer.reached = buffer.reached.max(event.at);
        }
        let position = Position { kind: lane.0, partition: lane.1, offset };
        if buffer.records.is_empty() {
            buffer.since = self.now;
        }
        buffer.last = Some((buffer.reached, position));
        buffer.records.push_back(Record { position, merge_time: buffer.reached, body });
    }

    /// Says whether the last fetch found the partition's end.
    pub fn set_at_end(&mut self, lane: Lane, at_end: bool) {
        if let Some(buffer) = self.lanes.get_mut(&lane) {
            buffer.at_end = at_end;
            buffer.left_out &= !(at_end && buffer.records.is_empty());
        }
    }

    /// Whether the last fetch found the partition's end.
    pub fn is_at_end(&self, lane: Lane) -> bool {
        self.lanes.get(&lane).is_some_and(|buffer| buffer.at_end)
    }

    /// Records buffered of a partition.
    pub fn buffered(&self, lane: Lane) -> usize {
        self.lanes.get(&lane).map_or(0, |buffer| buffer.records.len())
    }

    /// Takes the next record in order; `None` until more is fetched.
    pub fn take(&mut self) -> Option<Record> {
        let (key, lane) = self.first(false)?;
        let held =
            self.lanes.iter().any(|(other, buffer)| *other != lane && !buffer.left_out && buffer.may_precede(key));
        if held {
            return None;
        }
        self.newest = self.newest.max(Some(key));
        self.pop(lane)
    }

    /// The merge time of the record that comes next, whether it may be taken yet or not.
    pub fn next_time(&self) -> Option<EventTime> {
        self.first(false).map(|((time, _), _)| time)
    }

    /// Takes the next record of a partition if it lies below `to`.
    pub fn take_below(&mut self, lane: Lane, to: u64) -> Option<Record> {
        let head = self.lanes.get(&lane)?.records.front()?;
        if head.position.offset < to { self.pop(lane) } else { None }
    }

    fn first(&self, left_out: bool) -> Option<(Key, Lane)> {
        let lanes = self.lanes.iter().filter(|(_, buffer)| buffer.left_out == left_out);
        lanes.filter_map(|(lane, buffer)| Some((buffer.head()?, *lane))).min()
    }

    fn pop(&mut self, lane: Lane) -> Option<Record> {
        let buffer = self.lanes.get_mut(&lane)?;
        buffer.since = self.now;
        let record = buffer.records.pop_front();
        buffer.left_out &= !(buffer.at_end && buffer.records.is_empty());
        record
    }

    /// Lets the caller's clock pass: how long a record has waited is measured by it.
    pub fn pass(&mut self, now: Duration) {
        self.now = now;
    }

    /// Leaves out the partitions for which a fetched record has waited longer than `hold`: those of which older
    /// records are still to come. They stay in the clock, so nothing that time alone decides runs ahead of them.
    pub fn leave_out(&mut self, hold: Duration) {
        let now = self.now;
        let waits =
            |buffer: &Buffer| !buffer.left_out && !buffer.records.is_empty() && now.saturating_sub(buffer.since) > hold;
        let Some(key) = self.lanes.values().filter(|buffer| waits(buffer)).filter_map(Buffer::head).min() else {
            return;
        };
        for buffer in self.lanes.values_mut().filter(|buffer| !waits(buffer)) {
            buffer.left_out |= buffer.may_precede(key) || buffer.head().is_some_and(|head| head < key);
        }
    }

    /// Takes the next record of the partitions left out; one that has come level with the others joins them instead.
    pub fn take_left_out(&mut self) -> Option<Record> {
        loop {
            let (key, lane) = self.first(true)?;
            if Some(key) < self.newest {
                return self.pop(lane);
            }
            if let Some(buffer) = self.lanes.get_mut(&lane) {
                buffer.left_out = false;
                buffer.since = self.now;
            }
        }
    }

    /// The partitions left out.
    pub fn left_out(&self) -> impl Iterator<Item = Lane> {
        self.lanes.iter().filter(|(_, buffer)| buffer.left_out).map(|(lane, _)| *lane)
    }

    /// The partitions that hold back the next record: fetched empty and not at their end.
    pub fn awaited(&self) -> impl Iterator<Item = Lane> {
        self.lanes.iter().filter(|(_, buffer)| buffer.records.is_empty() && !buffer.at_end).map(|(lane, _)| *lane)
    }

    /// The time up to which everything has been taken: no record of an earlier merge time is buffered or, of a
    /// partition not at its end, still to be fetched. `None` when all is taken and all partitions are at their end.
    pub fn clock(&self) -> Option<EventTime> {
        let open = self.lanes.values().filter_map(|buffer| match buffer.head() {
            Some((time, _)) => Some(time),
            None => (!buffer.at_end).then_some(buffer.reached),
        });
        open.min()
    }
}

#[cfg(test)]
mod tests;
