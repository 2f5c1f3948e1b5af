//! A task's connection to the simulated world.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use super::group::Membership;
use super::transactions::No;
use super::world::{Deed, Place, Shared, World};
use crate::broker::{Broker, BrokerError, Committed, Fetched, Outgoing, Partition, Refusal};
use crate::clock;
use crate::mutant::{self, Mutant};

pub(super) struct SimulatedBroker {
    shared: Shared,
    app: String,
    task: u32,
    member: Membership,
    readings: BTreeMap<Partition, Reading>,
    producer: Option<Producer>,
}

struct Reading {
    position: u64,
    paused: bool,
    told_end: bool,
    lost: bool,
}

struct Producer {
    id: String,
    epoch: u32,
    /// Not sent yet.
    pending: Vec<Outgoing>,
}

impl SimulatedBroker {
    pub(super) fn new(shared: Shared, app: &str, task: u32, member: Membership) -> Self {
        Self { shared, app: app.to_owned(), task, member, readings: BTreeMap::new(), producer: None }
    }

    fn place(&self, partition: Partition) -> Place {
        match partition {
            Partition::Input(kind, number) => (format!("{}.{}", self.app, kind.name()), number),
            Partition::Relay => (format!("{}.relay", self.app), self.task),
        }
    }

    fn journal_place(&self) -> Place {
        (format!("{}.journal", self.app), self.task)
    }

    /// Asks something about a partition, which takes its time and may fail.
    fn ask<T>(&self, place: &Place, answer: impl FnOnce(&mut World) -> T) -> Result<T, BrokerError> {
        self.shared.travel();
        let mut world = self.shared.now();
        world.refuse_answer(&place.0, place.1)?;
        let answer = answer(&mut world);
        drop(world);
        self.shared.travel();
        Ok(answer)
    }

    /// Tells what lies beyond each position; whether there was anything to tell.
    fn drain(&mut self, most: usize, sink: &mut dyn FnMut(Partition, Fetched<'_>)) -> Result<bool, BrokerError> {
        let places: Vec<(Partition, Place)> =
            self.readings.keys().map(|partition| (*partition, self.place(*partition))).collect();
        let shared = self.shared.clone();
        let mut world = shared.now();
        let mut told = false;
        for (partition, (topic, number)) in places {
            let reading = self.readings.get_mut(&partition).expect("it is listed");
            if world.is_silent(&topic, number) {
                if !std::mem::replace(&mut reading.lost, true) {
                    reading.told_end = false;
                    told = true;
                    sink(partition, Fetched::Lost);
                }
                continue;
            }
            reading.lost = false;
            let (slow, share) = (world.trouble.slow, 1 + world.dice.below(most));
            if reading.paused || world.dice.chance(slow) {
                continue;
            }
            told |= reading.drain(world.log(&topic, number), share, (partition, &topic, number), sink)?;
        }
        Ok(told)
    }

    fn producer(&mut self) -> Result<&mut Producer, Refusal> {
        self.producer.as_mut().ok_or_else(|| Refusal::Unknown("there is no producer".to_owned()))
    }

    /// Opens the transaction at the coordinator, once what was before has ended.
    fn enter(&mut self) -> Result<(), Refusal> {
        self.at_coordinator(World::enter)
    }

    /// Puts something to the coordinator, again while what was before has not ended.
    fn at_coordinator(&mut self, step: impl Fn(&mut World, &str, u32) -> Result<(), No>) -> Result<(), Refusal> {
        let started = clock::now();
        loop {
            self.shared.travel();
            let shared = self.shared.clone();
            let Producer { id, epoch, .. } = self.producer()?;
            let mut world = shared.now();
            if world.is_coordinator_silent() {
                drop(world);
                return Err(self.no_answer());
            }
            match step(&mut world, id, *epoch) {
                Ok(()) => return Ok(()),
                Err(No::Fenced) => return Err(Refusal::Fenced(format!("{id} has a newer producer"))),
                Err(No::TimedOut) => return Err(Refusal::Abortable(format!("{id} took too long"))),
                Err(No::NotYet) if clock::since(started) > STEP => {
                    return Err(Refusal::Unknown("what was before has not ended".to_owned()));
                }
                Err(No::NotYet) => {}
            }
        }
    }

    /// The coordinator is waited for, in vain.
    fn no_answer(&self) -> Refusal {
        let span = self.shared.now().dice.number(10, 1_500);
        clock::sleep(Duration::from_millis(span.unsigned_abs()));
        Refusal::Unknown("no answer".to_owned())
    }

    /// Sends what is pending, partition by partition.
    fn flush(&mut self) -> Result<(), Refusal> {
        loop {
            let shared = self.shared.clone();
            let Some(next) = self.producer()?.pending.first() else { return Ok(()) };
            let place = shared.now().place_of(next);
            self.enter()?;
            let producer = self.producer()?;
            let mut world = shared.now();
            if world.is_silent(&place.0, place.1) {
                drop(world);
                // As a delivery that takes too long.
                return Err(match self.no_answer() {
                    Refusal::Unknown(why) => Refusal::Abortable(why),
                    other => other,
                });
            }
            // One more look: it may have taken too long since.
            if world.open_number(&producer.id, producer.epoch).is_none() {
                return Err(Refusal::Abortable("it is not open any more".to_owned()));
            }
            let pending = std::mem::take(&mut producer.pending);
            let (batch, rest) = pending.into_iter().partition(|record| world.place_of(record) == place);
            producer.pending = rest;
            let batch: Vec<Outgoing> = batch;
            for record in batch {
                world.add(&producer.id, &place, record);
            }
        }
    }
}

impl World {
    fn is_coordinator_silent(&self) -> bool {
        self.trouble.silent_until.is_some_and(|until| clock::now() < until)
    }
}

impl Reading {
    fn drain(
        &mut self,
        log: &super::log::Log,
        most: usize,
        (partition, topic, number): (Partition, &str, u32),
        sink: &mut dyn FnMut(Partition, Fetched<'_>),
    ) -> Result<bool, BrokerError> {
        let (stable, end) = (log.stable(), log.end());
        if !(log.start..=end).contains(&self.position) {
            let (topic, position, kept) = (topic.to_owned(), self.position, log.start..end);
            return Err(BrokerError::OutOfRange { topic, partition: number, position, kept });
        }
        let mut told = false;
        let mut count = 0;
        for (offset, entry) in log.committed(self.position).take(most) {
            entry.with_raw(|raw| sink(partition, Fetched::Record { offset, raw }));
            self.position = offset + 1;
            (self.told_end, told) = (false, true);
            count += 1;
        }
        if count < most {
            self.told_end &= self.position >= stable;
            self.position = self.position.max(stable);
            if !std::mem::replace(&mut self.told_end, true) {
                told = true;
                sink(partition, Fetched::AtEnd(self.position));
            }
        }
        Ok(told)
    }
}

impl Broker for SimulatedBroker {
    fn kept(&mut self, partition: Partition) -> Result<Range<u64>, BrokerError> {
        let place = self.place(partition);
        self.ask(&place, |world| {
            let log = world.log(&place.0, place.1);
            log.start..log.stable()
        })
    }

    fn read_from(&mut self, positions: &BTreeMap<Partition, u64>) -> Result<(), BrokerError> {
        let reading = |position| Reading { position, paused: false, told_end: false, lost: false };
        self.readings = positions.iter().map(|(partition, position)| (*partition, reading(*position))).collect();
        Ok(())
    }

    fn fetch(
        &mut self,
        wait: Duration,
        most: usize,
        sink: &mut dyn FnMut(Partition, Fetched<'_>),
    ) -> Result<(), BrokerError> {
        clock::sleep(FETCH);
        if !self.drain(most, sink)? && !wait.is_zero() {
            let share = self.shared.now().dice.number(1, 4);
            clock::sleep(wait * u32::try_from(share).expect("few") / 4);
            self.drain(most, sink)?;
        }
        Ok(())
    }

    fn pause(&mut self, partition: Partition, paused: bool) -> Result<(), BrokerError> {
        if let Some(reading) = self.readings.get_mut(&partition) {
            reading.paused = paused;
        }
        Ok(())
    }

    fn init(&mut self) -> Result<(), Refusal> {
        self.producer = None;
        let mut id = format!("{}-{}", self.app, self.task);
        if mutant::is(Mutant::OwnId) {
            id = format!("{id}-{}", self.shared.now().dice.below(1 << 40));
        }
        let started = clock::now();
        while clock::since(started) < STEP {
            self.shared.travel();
            let mut world = self.shared.now();
            if world.is_coordinator_silent() {
                drop(world);
                return Err(self.no_answer());
            }
            let given = world.init(&id);
            drop(world);
            if let Ok(epoch) = given {
                self.shared.travel();
                self.producer = Some(Producer { id, epoch, pending: Vec::new() });
                return Ok(());
            }
        }
        Err(Refusal::Unknown("what was before has not ended".to_owned()))
    }

    fn begin(&mut self) -> Result<(), Refusal> {
        let producer = self.producer()?;
        assert!(producer.pending.is_empty(), "a transaction was left open");
        Ok(())
    }

    fn produce(&mut self, record: &Outgoing) -> Result<(), Refusal> {
        self.producer()?.pending.push(record.clone());
        // Records are on their way before the last is there.
        if self.shared.now().dice.chance(10) { self.flush() } else { Ok(()) }
    }

    fn offsets(&mut self, positions: &BTreeMap<Partition, u64>, metadata: &str) -> Result<(), Refusal> {
        let own = self.member.standing().ok_or_else(|| Refusal::Abortable("the group was left".to_owned()))?;
        let committed = |offset: &u64| Committed { offset: *offset, note: metadata.to_owned() };
        let positions = positions.iter().map(|(partition, offset)| (self.place(*partition), committed(offset)));
        let positions = positions.collect();
        self.enter()?;
        let shared = self.shared.clone();
        let producer = self.producer()?;
        let mut world = shared.now();
        if !world.group.is_current(own) && !mutant::is(Mutant::GenerationIgnored) {
            return Err(Refusal::Abortable("the group has another generation".to_owned()));
        }
        if world.open_number(&producer.id, producer.epoch).is_none() {
            return Err(Refusal::Abortable("it is not open any more".to_owned()));
        }
        world.add_offsets(&producer.id, positions);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Refusal> {
        self.flush()?;
        self.shared.travel();
        let shared = self.shared.clone();
        let producer = self.producer()?;
        let (id, epoch) = (producer.id.clone(), producer.epoch);
        let mut world = shared.now();
        if world.is_coordinator_silent() {
            drop(world);
            return Err(self.no_answer());
        }
        let open = world.open_number(&id, epoch);
        let (aborted, unknown) = (world.trouble.aborted, world.trouble.unknown);
        if open.is_some() && world.dice.chance(aborted) {
            return Err(Refusal::Abortable("a record was not delivered".to_owned()));
        }
        if let Some(number) = open.filter(|_| world.dice.chance(unknown)) {
            match world.dice.below(3) {
                // The request is lost.
                0 => {}
                // The answer is lost.
                1 => world.end(&id, true),
                _ => {
                    let span = Duration::from_millis(world.dice.number(1, 3_000).unsigned_abs());
                    world.later(span, Deed::Commit { id, epoch, number });
                }
            }
            drop(world);
            return Err(self.no_answer());
        }
        if open.is_none() {
            drop(world);
            self.at_coordinator(|world, id, epoch| world.check(id, epoch))?;
            return Err(Refusal::Abortable("it is not open any more".to_owned()));
        }
        world.end(&id, true);
        drop(world);
        self.shared.travel();
        Ok(())
    }

    fn abort(&mut self) -> Result<(), Refusal> {
        self.producer()?.pending.clear();
        let ended = self.at_coordinator(|world, id, epoch| {
            world.check(id, epoch)?;
            if world.open_number(id, epoch).is_some() {
                world.end(id, false);
            }
            Ok(())
        });
        let Err(Refusal::Abortable(_)) = ended else { return ended };
        let shared = self.shared.clone();
        let producer = self.producer()?;
        producer.epoch = shared.now().renew(&producer.id);
        Ok(())
    }

    fn committed(&mut self, partitions: &[Partition]) -> Result<BTreeMap<Partition, Committed>, BrokerError> {
        let places: Vec<(Partition, Place)> = partitions.iter().map(|it| (*it, self.place(*it))).collect();
        let asked = clock::now();
        while self.shared.now().are_pending(&places) {
            if clock::since(asked) > ANSWER {
                let (what, reason) = ("asking for offsets".to_owned(), "a transaction is open".to_owned());
                return Err(BrokerError::Failed { what, reason });
            }
            clock::sleep(AGAIN);
        }
        let journal = self.journal_place();
        self.ask(&journal, |world| {
            let found = places.iter().filter_map(|(it, place)| Some((*it, world.offsets.get(place)?.clone())));
            found.collect()
        })
    }

    fn journal_range(&mut self) -> Result<Range<u64>, BrokerError> {
        let place = self.journal_place();
        self.ask(&place, |world| world.range(&place.0, place.1))
    }

    fn journal(&mut self, range: Range<u64>, sink: &mut dyn FnMut(u64, &[u8])) -> Result<(), BrokerError> {
        let place = self.journal_place();
        let asked = clock::now();
        let failed = || BrokerError::Failed { what: "reading the journal".to_owned(), reason: "no end".to_owned() };
        loop {
            let stable = self.ask(&place, |world| world.log(&place.0, place.1).stable())?;
            if stable >= range.end {
                break;
            }
            if clock::since(asked) > SILENCE {
                return Err(failed());
            }
            clock::sleep(AGAIN);
        }
        let mut world = self.shared.now();
        let unanswered = world.trouble.unanswered;
        let is_cut = world.dice.chance(unanswered);
        let log = world.log(&place.0, place.1);
        let records = log.committed(range.start).take_while(|(offset, _)| *offset < range.end);
        for (number, (offset, entry)) in records.enumerate() {
            if is_cut && number > 0 {
                return Err(failed());
            }
            sink(offset, entry.value.as_deref().unwrap_or_default());
        }
        Ok(())
    }
}

impl World {
    fn are_pending(&self, places: &[(Partition, Place)]) -> bool {
        places.iter().any(|(_, place)| self.is_pending(place))
    }
}

/// How long one step of a transaction may take.
const STEP: Duration = Duration::from_secs(15);

/// What the shortest fetch takes.
const FETCH: Duration = Duration::from_micros(200);

/// How long offsets are waited for.
const ANSWER: Duration = Duration::from_secs(10);
/// How long the journal's end is waited for.
const SILENCE: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(20);
