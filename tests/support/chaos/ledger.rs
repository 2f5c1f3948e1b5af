//! What the topics hold after a run: the inputs, the journal, the relay. From it follows what had to be said.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;
use vipstream::codec::RawRecord;
use vipstream::merge::Lane;
use vipstream::model::effect::Effect;
use vipstream::model::event::Kind;
use vipstream::model::id::{CustomerId, EntityKind};
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;
use vipstream::task::journal::JournalRecord;
use vipstream::task::relay::{self, Origin, Relayed};

use crate::support::model::fold::{Epoch, Fold, How, Passed, Said, Taken, home_of, up_to};

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
    /// What was done to entities at home with a task: by offset, from which task, and what.
    effects: Vec<BTreeMap<u64, (u32, Effect)>>,
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
            effects: vec![BTreeMap::new(); per_task],
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
        match relay::read(raw).expect("a record of ours") {
            Relayed::Record(Origin { source, place, .. }) => {
                let (merge_time, position) = place.key().expect("a kind that is known");
                let handed = Handed { source, position, merge_time };
                assert!(self.relay[task as usize].insert(offset, handed).is_none());
            }
            Relayed::Effect(source, effect) => {
                assert!(self.effects[task as usize].insert(offset, (source, *effect)).is_none());
            }
            Relayed::Announcement(_) => {}
        }
    }

    /// Each task's ranges follow each other without gap or overlap, and reach the end of what they read.
    pub(crate) fn assert_ranges_are_gapless_and_reach_the_end(&self) {
        assert_eq!(self.unread(), Vec::<String>::new());
    }

    /// Where a task has not reached the end of what it reads.
    pub(crate) fn unread(&self) -> Vec<String> {
        let reached = self.assert_ranges_are_gapless();
        let reached = |task, lane| reached.get(&(task, lane)).copied().unwrap_or_default();
        let mut unread = Vec::new();
        for ((kind, partition), stored) in &self.inputs {
            let last = *stored.keys().next_back().expect("no input stays empty");
            let readers = (0..self.tasks).filter(|task| kind.is_broadcast() || partition % self.tasks == *task);
            let behind = readers.filter(|task| reached(*task, Lane::Input(*kind, *partition)) <= last);
            unread.extend(behind.map(|task| format!("{kind:?} {partition} by task {task}")));
        }
        for (task, handed) in (0..).zip(&self.relay) {
            let behind = handed.iter().filter(|(offset, it)| reached(task, Lane::Relay(it.source)) <= **offset);
            unread.extend(behind.map(|(offset, _)| format!("relay {task} at {offset}")));
        }
        for (task, effects) in (0..).zip(&self.effects) {
            // Time goes on to the very end, and does something to others: it may not be in force yet.
            let clock = self.journal[task as usize].last().map_or(i64::MIN, |last| last.clock_ms);
            let behind = effects.iter().filter(|(offset, (source, effect))| {
                // What is settled goes on with time as well, and what time alone caused may have come after the last epoch.
                let is_settled = [&effect.to, &effect.from].map(CustomerId::kind).contains(&EntityKind::Settler);
                let is_caused = effect.origin.is_some() && !is_settled;
                reached(task, Lane::Effect(*source)) <= **offset && effect.at.0 <= clock && is_caused
            });
            unread.extend(behind.map(|(offset, it)| format!("relay {task} at {offset}: {it:?}")));
        }
        unread
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
                Lane::Relay(_) | Lane::Effect(_) => None,
            });
            positions.collect::<Vec<_>>()
        })
    }

    /// What the model says of all tasks' epochs, each task's in order. What entities do to some elsewhere the model
    /// finds out itself: it must be what lies in the relay, neither more nor less.
    pub(crate) fn folded(&self, fold: impl Fn(u32) -> Fold) -> Vec<Said> {
        let mut folds: Vec<_> = (0..self.tasks).map(|task| (fold(task), 0)).collect();
        let mut passed: BTreeMap<(u32, u32), Vec<Passed>> = BTreeMap::new();
        let mut said = Vec::new();
        loop {
            let before = said.len();
            for (task, (fold, next)) in (0..).zip(&mut folds) {
                while let Some(record) = self.journal[task as usize].get(*next)
                    && let Some(epoch) = self.epoch(task, record, &passed)
                {
                    *next += 1;
                    let mut says = fold.apply(epoch);
                    for (target, effect) in says.passed.drain(..) {
                        passed.entry((task, target)).or_default().push(effect);
                    }
                    // Of what every task reads, one writes the dead letters.
                    let is_ours = |place: &Position| !place.kind.is_broadcast() || place.partition % self.tasks == task;
                    says.dead_letters.retain(|(place, _)| is_ours(place));
                    said.push(says);
                }
            }
            if said.len() == before {
                break;
            }
        }
        let rest = self.journal.iter().zip(&folds).map(|(journal, (_, next))| journal.len() - next);
        let rest: Vec<usize> = rest.collect();
        assert!(rest.iter().all(|rest| *rest == 0), "epochs took effects that nobody caused: {rest:?} are left");
        for ((source, target), passed) in &passed {
            let written = self.written(*source, *target).count();
            assert_eq!(written, passed.len(), "effects from task {source} to {target} in the relay");
        }
        said
    }

    /// The effects that one task sent another, as they lie in the relay.
    fn written(&self, source: u32, target: u32) -> impl Iterator<Item = (u64, &Effect)> {
        let effects = self.effects[target as usize].iter().filter(move |(_, (from, _))| *from == source);
        effects.map(|(offset, (_, effect))| (*offset, effect))
    }

    /// A task's epoch with what it took; `None` while the model has not come to an effect in it.
    fn epoch(&self, task: u32, record: &JournalRecord, passed: &BTreeMap<(u32, u32), Vec<Passed>>) -> Option<Epoch> {
        let mut effects = BTreeMap::new();
        let mut records = Vec::new();
        for range in record.ranges.iter().filter(|range| range.from < range.to) {
            let lane = range.lane().expect("a lane that is known");
            let Lane::Effect(source) = lane else {
                let early: BTreeSet<u64> = range.early.iter().copied().collect();
                records.extend(self.range(task, lane, range.from..range.to, &early));
                continue;
            };
            for (number, (offset, written)) in self.written(source, task).enumerate() {
                if (range.from..range.to).contains(&offset) {
                    let effect = passed.get(&(source, task))?.get(number)?;
                    assert!(effect.is(written), "task {source} sent {written:?}, the model says {effect:?}");
                    effects.insert(offset, effect.clone());
                }
            }
        }
        let (clock, wall) = (EventTime(record.clock_ms), EventTime(record.wall_ms));
        Some(Epoch { effects: effects.into_values().collect(), records, clock, wall })
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
            Lane::Effect(_) => Vec::new(),
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
