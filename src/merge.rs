//! One order out of many partitions: records are taken by merge time, then input, partition and offset.
//!
//! A record may be taken only when nothing that could precede it can still be fetched. The order
//! depends on the records alone, never on which fetch came first, so a restore and a file replay merge
//! alike. Never reads a clock: the caller says which partitions are at their end.

mod ahead;

use std::collections::VecDeque;
use std::time::Duration;

use ahead::Passed;

use crate::model::event::{Event, Kind};
use crate::model::record::{DeadLetter, Position, Record};
use crate::model::time::EventTime;

/// Where records come from, each lane in an order of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// A partition of an input.
    Input(Kind, u32),
    /// What the task of this number hands over: records that lie with it and are at home here.
    Relay(u32),
    /// What entities at home with the task of this number do to some at home here. Never in a [`Merge`]: it is taken
    /// as it comes.
    Effect(u32),
}

impl Lane {
    /// Whether it comes from another task.
    pub const fn is_relayed(self) -> bool {
        !matches!(self, Self::Input(..))
    }
}

/// The order in which records are taken.
pub type Key = (EventTime, Position);

/// Buffers what was fetched of each partition and hands it out in merge order.
///
/// Lanes are few (inputs times partitions of a task), so taking looks at each: at one key, kept at hand.
#[derive(Debug, Default)]
pub struct Merge {
    /// In order of the lanes.
    lanes: Vec<(Lane, Buffer)>,
    /// What each lane brings next, as far as the order is concerned.
    bounds: Vec<Option<Bound>>,
    /// The greatest key taken in order: a lane left out has caught up when it reaches it.
    newest: Option<Key>,
    /// What the caller's clock shows; only spans between its readings matter.
    now: Duration,
}

/// The key of a lane's first record (`true`), or, where it has none, the one that its next cannot precede (`false`):
/// then nothing from this key on may be taken.
type Bound = (Key, bool);

#[derive(Debug, Default)]
struct Buffer {
    records: VecDeque<Record>,
    /// Key of the newest record fetched, taken or not.
    last: Option<Key>,
    /// Greatest event time fetched.
    reached: EventTime,
    /// Merge time of the newest record taken.
    taken: EventTime,
    at_end: bool,
    /// Since when the first record has been the first.
    since: Duration,
    /// Too far behind to be waited for: taken apart from the others until level with them.
    left_out: bool,
    /// Outside the order: taken as it comes, waited for by nobody, and not in the clock.
    outside: bool,
    /// How many of the records have been scouted.
    scouted: usize,
    passed: Passed,
}

impl Buffer {
    fn head(&self) -> Option<Key> {
        self.records.front().map(|record| (record.merge_time, record.position))
    }

    /// `None` for one outside the order, left out of it, or at its end.
    fn bound(&self) -> Option<Bound> {
        if self.outside || self.left_out {
            return None;
        }
        match self.head() {
            Some(head) => Some((head, true)),
            None => (!self.at_end).then(|| (self.last.unwrap_or(START), false)),
        }
    }

    /// Whether a record still to be fetched may have to be taken before `key`.
    fn may_precede(&self, key: Key) -> bool {
        self.records.is_empty() && self.may_bring(key)
    }

    /// Whether a record still to be fetched may lie before `key`.
    fn may_bring(&self, key: Key) -> bool {
        !self.at_end && self.last.is_none_or(|last| last <= key)
    }

    fn next_to_scout(&self) -> Option<Key> {
        self.records.get(self.scouted).map(|record| (record.merge_time, record.position))
    }
}

impl Merge {
    /// Adds a partition from which `reached` is the greatest event time already applied (the start of
    /// time for a new one).
    pub fn open(&mut self, lane: Lane, reached: EventTime) {
        self.insert(lane, Buffer { reached, taken: reached, ..Buffer::default() });
    }

    /// Adds a lane outside the order: its records are taken as they come, and nothing waits for them.
    pub fn open_outside(&mut self, lane: Lane, reached: EventTime) {
        self.insert(lane, Buffer { reached, taken: reached, outside: true, ..Buffer::default() });
    }

    /// Merge time of the newest record taken of a lane: what a later opening of it goes on from.
    pub fn taken(&self, lane: Lane) -> EventTime {
        self.buffer(lane).map_or(EventTime::MIN, |buffer| buffer.taken)
    }

    fn insert(&mut self, lane: Lane, buffer: Buffer) {
        match self.place(lane) {
            Ok(place) => self.lanes[place].1 = buffer,
            Err(place) => self.lanes.insert(place, (lane, buffer)),
        }
        self.bounds = self.lanes.iter().map(|(_, buffer)| buffer.bound()).collect();
    }

    fn place(&self, lane: Lane) -> Result<usize, usize> {
        self.lanes.binary_search_by_key(&lane, |(lane, _)| *lane)
    }

    fn buffer(&self, lane: Lane) -> Option<&Buffer> {
        self.place(lane).ok().map(|place| &self.lanes[place].1)
    }

    /// Changes a lane's buffer, and what it brings next with it.
    fn change<T>(&mut self, lane: Lane, change: impl FnOnce(&mut Buffer) -> T) -> Option<T> {
        let place = self.place(lane).ok()?;
        let changed = change(&mut self.lanes[place].1);
        self.bounds[place] = self.lanes[place].1.bound();
        Some(changed)
    }

    /// Takes in the next record of an input's partition, in offset order, and says at which merge time it stands. A
    /// dead letter takes its predecessor's time.
    ///
    /// # Panics
    /// Where the partition was not opened.
    pub fn push(&mut self, kind: Kind, partition: u32, offset: u64, body: Result<Event, Box<DeadLetter>>) -> EventTime {
        let lane = Lane::Input(kind, partition);
        let reached = self.buffer(lane).map_or(EventTime::MIN, |buffer| buffer.reached);
        let merge_time = body.as_ref().map_or(reached, |event| reached.max(event.at));
        self.push_record(lane, Record { position: Position { kind, partition, offset }, merge_time, body });
        merge_time
    }

    /// Takes in the next record of a lane, whose place in the order is known.
    ///
    /// # Panics
    /// Where the lane was not opened.
    pub fn push_record(&mut self, lane: Lane, record: Record) {
        let now = self.now;
        let pushed = self.change(lane, |buffer| {
            if buffer.records.is_empty() {
                buffer.since = now;
            }
            buffer.reached = buffer.reached.max(record.merge_time);
            buffer.last = Some((record.merge_time, record.position));
            buffer.records.push_back(record);
        });
        pushed.expect("a lane is opened before it is read");
    }

    /// Nothing that a lane still brings lies before `key`.
    pub fn announce(&mut self, lane: Lane, key: Key) {
        self.change(lane, |buffer| {
            buffer.last = buffer.last.max(Some(key));
            buffer.reached = buffer.reached.max(key.0);
        });
    }

    /// Looks ahead at the inputs: the lane of the record that comes next among them, whatever is relayed. Each
    /// record is shown once, in the order in which the inputs alone would be taken.
    pub fn scout(&mut self) -> Option<Lane> {
        let heads = self.inputs().filter_map(|(lane, buffer)| Some((buffer.next_to_scout()?, *lane)));
        let (key, lane) = heads.min()?;
        let held = self
            .inputs()
            .any(|(other, buffer)| *other != lane && buffer.scouted == buffer.records.len() && buffer.may_bring(key));
        if held {
            return None;
        }
        self.change(lane, |buffer| buffer.scouted += 1)?;
        Some(lane)
    }

    /// How far [`Merge::scout`] has come: nothing that it will still show lies before this key. `None` when it has
    /// shown all and every input is at its end.
    pub fn scouted(&self) -> Option<Key> {
        let open = self.inputs().filter_map(|(_, buffer)| {
            buffer.next_to_scout().or_else(|| (!buffer.at_end).then_some(buffer.last.unwrap_or(START)))
        });
        open.min()
    }

    /// The inputs of which something may be handed over: of those that every task reads, nothing ever is.
    fn inputs(&self) -> impl Iterator<Item = (&Lane, &Buffer)> {
        let lanes = self.lanes.iter().map(|(lane, buffer)| (lane, buffer));
        lanes.filter(|(lane, _)| matches!(lane, Lane::Input(kind, _) if !kind.is_broadcast()))
    }

    /// Says whether the last fetch found the lane's end.
    pub fn set_at_end(&mut self, lane: Lane, at_end: bool) {
        self.change(lane, |buffer| {
            buffer.at_end = at_end;
            buffer.left_out &= !(at_end && buffer.records.is_empty());
        });
    }

    /// The greatest event time fetched, or said to be.
    pub fn reached(&self) -> EventTime {
        self.ordered().map(|buffer| buffer.reached).max().unwrap_or(EventTime::MIN)
    }

    /// Whether the lane was opened.
    pub fn has(&self, lane: Lane) -> bool {
        self.place(lane).is_ok()
    }

    /// Whether the last fetch found the lane's end.
    pub fn is_at_end(&self, lane: Lane) -> bool {
        self.buffer(lane).is_some_and(|buffer| buffer.at_end)
    }

    /// Takes the next record in order; `None` until more is fetched.
    pub fn take(&mut self) -> Option<(Lane, Record)> {
        let bounds = self.bounds.iter().enumerate().filter_map(|(place, bound)| Some(((*bound)?, place)));
        let ((key, is_record), place) = bounds.min()?;
        if !is_record {
            return None;
        }
        self.newest = self.newest.max(Some(key));
        self.pop(self.lanes[place].0)
    }

    /// The merge time of the record that comes next, whether it may be taken yet or not.
    pub fn next_time(&self) -> Option<EventTime> {
        let records = self.bounds.iter().flatten().filter(|(_, is_record)| *is_record);
        records.map(|((time, _), _)| *time).min()
    }

    /// Takes the next record of the lanes outside the order.
    pub fn take_outside(&mut self) -> Option<(Lane, Record)> {
        let outside = self.lanes.iter().filter(|(_, buffer)| buffer.outside && !buffer.records.is_empty());
        let lane = outside.map(|(lane, _)| *lane).next()?;
        self.pop(lane)
    }

    fn ordered(&self) -> impl Iterator<Item = &Buffer> {
        self.lanes.iter().map(|(_, buffer)| buffer).filter(|buffer| !buffer.outside)
    }

    /// Takes the next record of a lane, whatever its place in the order.
    pub fn pop(&mut self, lane: Lane) -> Option<(Lane, Record)> {
        let now = self.now;
        let record = self.change(lane, |buffer| {
            buffer.since = now;
            let record = buffer.records.pop_front();
            buffer.taken = record.as_ref().map_or(buffer.taken, |record| record.merge_time);
            buffer.scouted = buffer.scouted.saturating_sub(usize::from(record.is_some()));
            buffer.passed.pop(record.as_ref(), buffer.records.front());
            buffer.left_out &= !(buffer.at_end && buffer.records.is_empty());
            record
        })?;
        Some((lane, record?))
    }

    /// Lets the caller's clock pass: how long a record has waited is measured by it.
    pub fn pass(&mut self, now: Duration) {
        self.now = now;
    }

    /// Leaves out the partitions for which a fetched record has waited longer than `hold`: those of which older
    /// records are still to come. They stay in the clock, so nothing that time alone decides runs ahead of them.
    pub fn leave_out(&mut self, hold: Duration) {
        let now = self.now;
        let waits = |buffer: &Buffer| {
            let in_order = !buffer.left_out && !buffer.outside;
            in_order && !buffer.records.is_empty() && now.saturating_sub(buffer.since) > hold
        };
        let Some(key) = self.ordered().filter(|buffer| waits(buffer)).filter_map(Buffer::head).min() else {
            return;
        };
        for ((_, buffer), bound) in self.lanes.iter_mut().zip(&mut self.bounds) {
            if !buffer.outside && !waits(buffer) {
                buffer.left_out |= buffer.may_precede(key) || buffer.head().is_some_and(|head| head < key);
                *bound = buffer.bound();
            }
        }
    }

    /// Takes the next record of the partitions left out; one that has come level with the others joins them instead.
    pub fn take_left_out(&mut self) -> Option<(Lane, Record)> {
        loop {
            let left_out = self.lanes.iter().filter(|(_, buffer)| buffer.left_out);
            let (key, lane) = left_out.filter_map(|(lane, buffer)| Some((buffer.head()?, *lane))).min()?;
            if Some(key) < self.newest {
                return self.pop(lane);
            }
            let now = self.now;
            self.change(lane, |buffer| {
                buffer.left_out = false;
                buffer.since = now;
            });
        }
    }

    /// The partitions left out.
    pub fn left_out(&self) -> impl Iterator<Item = Lane> {
        self.lanes.iter().filter(|(_, buffer)| buffer.left_out).map(|(lane, _)| *lane)
    }

    /// Whether a record of a merge time up to this one is buffered or may still be fetched.
    pub fn may_bring_up_to(&self, time: EventTime) -> bool {
        self.ordered().any(|buffer| match buffer.head() {
            Some((head, _)) => head <= time,
            None => !buffer.at_end && buffer.reached <= time,
        })
    }

    /// The time up to which everything has been taken: no record of an earlier merge time is buffered or, of a
    /// partition not at its end, still to be fetched. `None` when all is taken and all partitions are at their end.
    pub fn clock(&self) -> Option<EventTime> {
        let open = self.ordered().filter_map(|buffer| match buffer.head() {
            Some((time, _)) => Some(time),
            None => (!buffer.at_end).then_some(buffer.reached),
        });
        open.min()
    }
}

/// Before every record.
const START: Key = (EventTime::MIN, Position { kind: Kind::ALL[0], partition: 0, offset: 0 });

#[cfg(test)]
mod tests;
