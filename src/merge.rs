//! One order out of many partitions: records are taken by merge time, then input, partition and offset.
//!
//! A record may be taken only when nothing that could precede it can still be fetched. The order
//! depends on the records alone, never on which fetch came first, so a restore and a file replay merge
//! alike. Never reads a clock: the caller says which partitions are at their end.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use crate::model::event::{Event, Kind};
use crate::model::record::{DeadLetter, Position, Record};
use crate::model::time::EventTime;

/// A partition of an input.
pub type Lane = (Kind, u32);

/// The order in which records are taken.
type Key = (EventTime, Position);

/// Buffers what was fetched of each partition and hands it out in merge order.
#[derive(Debug, Default)]
pub struct Merge {
    lanes: BTreeMap<Lane, Buffer>,
    heads: BinaryHeap<Reverse<(Key, Lane)>>,
}

#[derive(Debug, Default)]
struct Buffer {
    records: VecDeque<Record>,
    /// Key of the newest record fetched, taken or not.
    last: Option<Key>,
    /// Greatest event time fetched.
    reached: EventTime,
    at_end: bool,
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
        let key = (buffer.reached, position);
        buffer.last = Some(key);
        if buffer.records.is_empty() {
            self.heads.push(Reverse((key, lane)));
        }
        buffer.records.push_back(Record { position, merge_time: buffer.reached, body });
    }

    /// Says whether the last fetch found the partition's end.
    pub fn set_at_end(&mut self, lane: Lane, at_end: bool) {
        if let Some(buffer) = self.lanes.get_mut(&lane) {
            buffer.at_end = at_end;
        }
    }

    /// Records buffered of a partition.
    pub fn buffered(&self, lane: Lane) -> usize {
        self.lanes.get(&lane).map_or(0, |buffer| buffer.records.len())
    }

    /// Takes the next record in order; `None` until more is fetched.
    pub fn take(&mut self) -> Option<Record> {
        let Reverse((key, lane)) = *self.heads.peek()?;
        let held = self.lanes.iter().any(|(other, buffer)| {
            *other != lane && buffer.records.is_empty() && !buffer.at_end && buffer.last.is_none_or(|last| last <= key)
        });
        if held {
            return None;
        }
        self.heads.pop();
        let buffer = self.lanes.get_mut(&lane).expect("a head belongs to an open partition");
        let record = buffer.records.pop_front();
        if let Some(next) = buffer.records.front() {
            self.heads.push(Reverse(((next.merge_time, next.position), lane)));
        }
        record
    }

    /// The partitions that hold back the next record: fetched empty and not at their end.
    pub fn awaited(&self) -> impl Iterator<Item = Lane> {
        self.lanes.iter().filter(|(_, buffer)| buffer.records.is_empty() && !buffer.at_end).map(|(lane, _)| *lane)
    }

    /// The least time that a partition not at its end has reached; `None` when all are at their end.
    pub fn clock(&self) -> Option<EventTime> {
        self.lanes.values().filter(|buffer| !buffer.at_end).map(|buffer| buffer.reached).min()
    }
}
