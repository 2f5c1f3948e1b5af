//! What the topics hold after a run: the inputs, the journal, the relay. From it follows what had to be said.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use vipstream::codec::RawRecord;
use vipstream::merge::Lane;
use vipstream::model::event::Kind;
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;
use vipstream::task::journal::JournalRecord;
use vipstream::task::relay::{ORIGIN, Origin};

use crate::support::model::fold::{Epoch, How, Taken, home_of, up_to};

/// An input record as it lies in its topic, and the task where it is at home.
struct Stored {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    timestamp: Option<EventTime>,
    /// `None` where it cannot be read: then it stays where it lies.
    home: Option<u32>,
}

/// A record handed over, and when it was in the order.
struct Handed {
    source: u32,
    position: Position,
    merge_time: EventTime,
}

/// Everything that an app has read and written down.
pub(crate) struct Ledger {
    tasks: u32,
    inputs: BTreeMap<(Kind, u32), BTreeMap<u64, Stored>>,
    /// By task, by offset.
    relay: Vec<BTreeMap<u64, Handed>>,
    /// By task.
    pub(crate) journal: Vec<Vec<JournalRecord>>,
}

impl Ledger {
    pub(crate) fn new(tasks: u32) -> Self {
        let per_task = usize::try_from(tasks).expect("few tasks");
        Self {
            tasks,
            inputs: BTreeMap::new(),
            relay: (0..per_task).map(|_| BTreeMap::new()).collect(),
            journal: (0..per_task).map(|_| Vec::new()).collect(),
        }
    }

    /// A record of an input.
    pub(crate) fn store(&mut self, position: Position, raw: &RawRecord<'_>) {
        let (key, value) = (raw.key.map(<[u8]>::to_vec), raw.value.map(<[u8]>::to_vec));
        let mut stored = Stored { key, value, timestamp: raw.timestamp, home: None };
        stored.home = home_of(&stored.taken(position, How::Read), self.tasks);
        self.inputs.entry((position.kind, position.partition)).or_default().insert(position.offset, stored);
    }

    /// A record of the journal.
    pub(crate) fn enter(&mut self, task: u32, raw: &RawRecord<'_>) {
        let record = JournalRecord::decode(raw.value.expect("a journal record has a value"));
        self.journal[task as usize].push(record.expect("a journal record"));
    }

    /// A record of the relay; announcements are passed over.
    pub(crate) fn hand(&mut self, task: u32, offset: u64, raw: &RawRecord<'_>) {
        let Some((_, header)) = raw.headers.iter().find(|(name, _)| *name == ORIGIN) else { return };
        let Origin { source, place, .. } = Origin::decode(*header).expect("where the record came from");
        let (merge_time, position) = place.key().expect("a kind that is known");
        let handed = Handed { source, position, merge_time };
        assert!(self.relay[task as usize].insert(offset, handed).is_none());
    }

    /// Each task's ranges follow each other without gap or overlap, and reach the end of what they read.
    pub(crate) fn assert_ranges_are_gapless_and_reach_the_end(&self) {
        let reached = self.assert_ranges_are_gapless();
        for ((kind, partition), stored) in &self.inputs {
            let last = *stored.keys().next_back().expect("no input stays empty");
            let readers = (0..self.tasks).filter(|task| kind.is_broadcast() || partition % self.tasks == *task);
            for task in readers {
                assert_eq!(
                    reached[&(task, Lane::Input(*kind, *partition))],
                    last + 1,
                    "{kind:?} {partition} by {task}"
                );
            }
        }
        for (task, handed) in (0..).zip(&self.relay) {
            for (offset, handed) in handed {
                assert!(reached[&(task, Lane::Relay(handed.source))] > *offset, "task {task} relay {offset}");
            }
        }
    }

    /// Each task's ranges follow each other without gap or overlap: up to where they reach.
    pub(crate) fn assert_ranges_are_gapless(&self) -> BTreeMap<(u32, Lane), u64> {
        let mut reached: BTreeMap<(u32, Lane), u64> = BTreeMap::new();
        for (task, journal) in (0..).zip(&self.journal) {
            for (epoch, record) in (0..).zip(journal) {
                assert_eq!(record.epoch, epoch, "task {task}");
                for range in &record.ranges {
                    let lane = range.lane().expect("a lane that is known");
                    let before = reached.insert((task, lane), range.to).unwrap_or_default();
                    assert_eq!(range.from, before, "task {task} epoch {epoch} {lane:?}");
                }
            }
        }
        reached
    }

    /// Each record that lies elsewhere than at home was handed over, once, to where it is at home.
    pub(crate) fn assert_handed_over_once(&self) -> usize {
        let mut handed: BTreeSet<Position> = BTreeSet::new();
        for (task, relay) in (0..).zip(&self.relay) {
            for it in relay.values() {
                assert_eq!(self.stored(it.position).home, Some(task), "{:?}", it.position);
                assert!(handed.insert(it.position), "{:?} was handed over twice", it.position);
            }
        }
        let astray = self.inputs.iter().flat_map(|((kind, partition), stored)| {
            let here = partition % self.tasks;
            let elsewhere = stored.iter().filter(move |(_, it)| it.home.is_some_and(|home| home != here));
            elsewhere.map(|(offset, _)| Position { kind: *kind, partition: *partition, offset: *offset })
        });
        // What is refused as early stays where it lies, too.
        let early: BTreeSet<Position> = self.early().collect();
        let astray: BTreeSet<Position> = astray.filter(|position| !early.contains(position)).collect();
        assert_eq!(handed.difference(&astray).next(), None, "handed over without need");
        assert_eq!(astray.difference(&handed).next(), None, "not handed over");
        handed.len()
    }

    fn early(&self) -> impl Iterator<Item = Position> {
        let ranges = self.journal.iter().flatten().flat_map(|record| &record.ranges);
        ranges.flat_map(|range| {
            let positions = range.early.iter().filter_map(|offset| match range.lane()? {
                Lane::Input(kind, partition) => Some(Position { kind, partition, offset: *offset }),
                Lane::Relay(_) => None,
            });
            positions.collect::<Vec<_>>()
        })
    }

    /// A task's epochs, with the records that each took.
    pub(crate) fn epochs(&self, task: u32) -> impl Iterator<Item = Epoch> {
        self.journal[task as usize].iter().map(move |record| {
            let ranges = record.ranges.iter().filter(|range| range.from < range.to);
            let records = ranges.flat_map(|range| {
                let early: BTreeSet<u64> = range.early.iter().copied().collect();
                self.range(task, range.lane().expect("a lane that is known"), range.from..range.to, &early)
            });
            let (clock, wall) = (EventTime(record.clock_ms), EventTime(record.wall_ms));
            Epoch { records: records.collect(), clock, wall }
        })
    }

    /// All records of the inputs that merge up to a time.
    pub(crate) fn inputs(&self, until: EventTime) -> Vec<Taken> {
        let mut found = Vec::new();
        for ((kind, partition), stored) in &self.inputs {
            let taken = stored.iter().map(|(offset, stored)| {
                stored.taken(Position { kind: *kind, partition: *partition, offset: *offset }, How::Read)
            });
            found.extend(up_to(taken, until));
        }
        found
    }

    fn range(&self, task: u32, lane: Lane, range: std::ops::Range<u64>, early: &BTreeSet<u64>) -> Vec<Taken> {
        match lane {
            Lane::Input(kind, partition) => {
                let stored = self.inputs[&(kind, partition)].range(range);
                let taken = stored.map(|(offset, stored)| {
                    let how = match stored.home {
                        _ if early.contains(offset) => How::Early,
                        Some(home) if home != task => How::Relayed,
                        _ => How::Read,
                    };
                    stored.taken(Position { kind, partition, offset: *offset }, how)
                });
                taken.collect()
            }
            Lane::Relay(source) => {
                let handed = self.relay[task as usize].range(range).map(|(_, handed)| handed);
                let taken = handed.filter(|handed| handed.source == source).map(|handed| {
                    let how = How::HandedOver { merge_time: handed.merge_time };
                    self.stored(handed.position).taken(handed.position, how)
                });
                taken.collect()
            }
        }
    }

    fn stored(&self, position: Position) -> &Stored {
        &self.inputs[&(position.kind, position.partition)][&position.offset]
    }
}

impl Stored {
    fn taken(&self, position: Position, how: How) -> Taken {
        Taken { position, key: self.key.clone(), value: self.value.clone(), timestamp: self.timestamp, how }
    }
}
