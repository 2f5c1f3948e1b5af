//! What outlives processes: topics, transactions, the group. Time passes here when somebody looks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use prost::Message;

use super::group::Coordinator;
use super::log::Log;
use super::plan::Plan;
use super::process::Process;
use super::store::{Disks, Report};
use super::traffic::APP;
use super::transactions::Transactions;
use crate::broker::{BrokerError, Committed, Outgoing};
use crate::clock;
use crate::merge::Lane;
use crate::model::event::Kind;
use crate::model::murmur2;
use crate::snapshot::store::Write;
use crate::support::dice::Dice;
use crate::task::journal::JournalRecord;

/// A partition by its topic's name.
pub(super) type Place = (String, u32);

/// The simulated world, shared by all threads.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<World>>);

pub(super) struct World {
    pub(super) topics: BTreeMap<String, Vec<Log>>,
    pub(super) disks: Disks,
    pub(super) transactions: Transactions,
    pub(super) group: Coordinator,
    /// The group's committed offsets.
    pub(super) offsets: BTreeMap<Place, Committed>,
    /// What happens later by itself.
    agenda: BTreeMap<(Instant, u64), Deed>,
    deeds: u64,
    pub(super) dice: Dice,
    pub(super) trouble: Trouble,
}

/// How much goes wrong, in percent of the calls it may befall; nothing by default.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// Commits: refused, so that they must be aborted.
    pub(super) aborted: usize,
    /// Commits of unknown outcome.
    pub(super) unknown: usize,
    /// Calls that take long.
    pub(super) slow: usize,
    /// Questions without an answer.
    pub(super) unanswered: usize,
    /// Calls of the snapshots' store that fail or take long.
    pub(super) store: usize,
    /// Records are sent one by one as they come.
    pub(super) eager: bool,
    /// Snapshots come back without some of their customers.
    pub(super) forges: bool,
    /// The coordinator of transactions does not answer before.
    pub(super) silent_until: Option<Instant>,
}

/// What happens by itself.
pub(super) enum Deed {
    /// A marker, or with no place the group's offsets, of a transaction that has ended.
    Mark { id: String, place: Option<Place> },
    /// A request to commit that was long under way.
    Commit { id: String, epoch: u32, number: u64 },
    /// A transaction has been open for too long.
    TimeOut { id: String, number: u64 },
    /// Retention reaches an offset.
    Retain { place: Place, needed: u64 },
    /// An object is written.
    Write { disk: usize, write: Write, report: Report },
}

impl Shared {
    pub(super) fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(world)))
    }

    /// The world as it is now.
    pub(super) fn now(&self) -> MutexGuard<'_, World> {
        let mut world = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        world.settle();
        world
    }

    /// A call is under way for a moment.
    pub(super) fn travel(&self) {
        let span = {
            let mut world = self.now();
            let slow = world.trouble.slow;
            let most = if world.dice.chance(slow) { 400_000 } else { 1_500 };
            world.dice.number(50, most)
        };
        clock::sleep(Duration::from_micros(span.unsigned_abs()));
    }
}

impl World {
    pub(super) fn new(seed: u64, topics: BTreeMap<String, u32>, session: Duration) -> Self {
        let logs = |partitions| (0..partitions).map(|_| Log::default()).collect();
        Self {
            topics: topics.into_iter().map(|(topic, partitions)| (topic, logs(partitions))).collect(),
            disks: Disks::default(),
            transactions: Transactions::default(),
            group: Coordinator::new(session),
            offsets: BTreeMap::new(),
            agenda: BTreeMap::new(),
            deeds: 0,
            dice: Dice::new(seed),
            trouble: Trouble::default(),
        }
    }

    /// Lets happen what was to happen up to now.
    fn settle(&mut self) {
        let now = clock::now();
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let deed = entry.remove();
            self.carry_out(deed);
        }
        self.group.expire(now, &mut self.dice);
    }

    pub(super) fn later(&mut self, after: Duration, deed: Deed) {
        self.deeds += 1;
        self.agenda.insert((clock::now() + after, self.deeds), deed);
    }

    pub(super) fn log(&mut self, topic: &str, partition: u32) -> &mut Log {
        &mut self.topics.get_mut(topic).expect("a topic that was made")[partition as usize]
    }

    /// A topic's partitions.
    pub(super) fn logs(&self, topic: &str) -> impl Iterator<Item = (u32, &Log)> {
        (0..).zip(&self.topics[topic])
    }

    /// Where a record goes.
    pub(super) fn place_of(&self, record: &Outgoing) -> Place {
        let count = u32::try_from(self.topics[&record.topic].len()).expect("few partitions");
        let by_key = || record.key.as_deref().map_or(0, |key| murmur2::home(key, count));
        (record.topic.clone(), record.partition.unwrap_or_else(by_key))
    }

    /// Adds a record outside any transaction, from one whose clock is ahead by so much.
    pub(super) fn write(&mut self, record: Outgoing, ahead: Duration) {
        let (topic, partition) = self.place_of(&record);
        self.log(&topic, partition).append(record, clock::wall().plus(ahead), None);
    }

    /// The offsets of a partition from the first kept to the high watermark.
    pub(super) fn range(&mut self, topic: &str, partition: u32) -> Range<u64> {
        let log = self.log(topic, partition);
        log.start..log.end()
    }

    pub(super) fn is_silent(&self, topic: &str, partition: u32) -> bool {
        self.topics[topic][partition as usize].silent_until.is_some_and(|until| clock::now() < until)
    }

    /// Whether a question about a partition gets no answer.
    pub(super) fn refuse_answer(&mut self, topic: &str, partition: u32) -> Result<(), BrokerError> {
        let unanswered = self.trouble.unanswered;
        if self.is_silent(topic, partition) || self.dice.chance(unanswered) {
            let what = format!("asking about {topic} partition {partition}");
            return Err(BrokerError::Failed { what, reason: "no answer".to_owned() });
        }
        Ok(())
    }

    /// Nothing is heard of a process by the group from now on, or for so long.
    pub(super) fn silence(&mut self, process: &Process, span: Option<Duration>) {
        if let Some(own) = process.member.standing() {
            self.group.silence(own.id, span);
        }
    }

    /// Makes a partition's leader silent for so long.
    pub(super) fn silence_partition(&mut self, topic: usize, partition: usize, span: Duration) {
        let topics = self.topics.len();
        let logs = self.topics.values_mut().nth(topic % topics).expect("there are topics");
        let partitions = logs.len();
        logs[partition % partitions].silent_until = Some(clock::now() + span);
    }

    /// Compacts the inputs.
    pub(super) fn compact(&mut self, plan: &Plan) {
        for (kind, _) in &plan.inputs {
            let logs = self.topics.get_mut(&format!("{APP}.{}", kind.name())).expect("a topic that was made");
            logs.iter_mut().for_each(Log::compact);
        }
    }

    /// Trouble ends, but for processes that are still frozen.
    pub(super) fn calm_down(&mut self) {
        self.trouble = Trouble { forges: self.trouble.forges, ..Trouble::default() };
        for log in self.topics.values_mut().flatten() {
            log.silent_until = None;
        }
    }

    /// Where a task has not read a partition to its end that every task reads: read up to, of so many.
    fn unread_by_all(&self, plan: &Plan) -> Vec<(Place, u64, u64)> {
        let mut unread = Vec::new();
        let inputs = plan.inputs.iter().filter(|(kind, _)| kind.is_broadcast());
        let inputs: Vec<(Kind, String)> = inputs.map(|(kind, _)| (*kind, format!("{APP}.{}", kind.name()))).collect();
        for (_, journal) in self.logs(&format!("{APP}.journal")).filter(|_| !inputs.is_empty()) {
            let mut read: BTreeMap<Lane, u64> = BTreeMap::new();
            for (_, entry) in journal.committed(0) {
                let record = JournalRecord::decode(entry.value.as_deref().unwrap_or_default()).expect("a record");
                read.extend(record.ranges.iter().filter_map(|range| Some((range.lane()?, range.to))));
            }
            for (kind, topic) in &inputs {
                for (partition, log) in self.logs(topic) {
                    let last = log.committed(0).last().map_or(0, |(offset, _)| offset + 1);
                    let read = read.get(&Lane::Input(*kind, partition)).copied().unwrap_or_default();
                    if read < last {
                        unread.push(((topic.clone(), partition), read, last));
                    }
                }
            }
        }
        unread
    }

    /// Where the group's offsets have not reached the end of an input or of the relay: read up to, of so many.
    pub(super) fn unread(&self, plan: &Plan) -> Vec<(Place, u64, u64)> {
        let mut unread = Vec::new();
        for name in plan.inputs.iter().map(|(kind, _)| kind.name()).chain(["relay"]) {
            let topic = format!("{APP}.{name}");
            for (partition, log) in self.logs(&topic) {
                let place = (topic.clone(), partition);
                // What a task announces is taken along with the next epoch, which nobody may need.
                let records = log.committed(0).filter(|(_, entry)| entry.key.is_some() || entry.value.is_some());
                let last = records.last().map_or(0, |(offset, _)| offset + 1);
                let read = self.offsets.get(&place).map_or(0, |committed| committed.offset);
                if read < last {
                    unread.push((place, read, last));
                }
            }
        }
        if unread.is_empty() { self.unread_by_all(plan) } else { unread }
    }
}
