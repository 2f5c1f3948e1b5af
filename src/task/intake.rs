//! From fetched bytes to records in merge order: decoding, home and earliness, bounded buffers.

mod incoming;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::answers_for;
use super::brake::BrakeWindow;
use super::handover::{Handover, Outbox, Sender};
use super::journal::record_digest;
use super::relay::{Announcement, Place};
use crate::broker::{Broker, BrokerError, Fetched, Partition};
use crate::codec::{RawRecord, decode};
use crate::engine::{Home, TimeMode};
use crate::merge::{Key, Lane, Merge};
use crate::model::effect::Effect;
use crate::model::event::{Event, Kind};
use crate::model::record::{Code, DeadLetter, Record};
use crate::model::time::EventTime;
use crate::mutant::{self, Mutant};
use incoming::Incoming;

/// What a task has fetched and not yet applied.
pub(super) struct Intake {
    merge: Merge,
    lanes: BTreeMap<Lane, State>,
    incoming: Incoming,
    outbox: Outbox,
    sender: Sender,
    tasks: u32,
    mode: TimeMode,
    brake: BrakeWindow,
    /// Where the last refused record lies, and what is wrong with it.
    last_refused: Option<(Lane, u64, String)>,
    /// Offsets that the journal says were early; below what it covers it alone decides.
    early: BTreeSet<(Lane, u64)>,
}

/// One lane's buffer. The records themselves lie in the merge.
#[derive(Default)]
struct State {
    /// The next offset to be taken.
    position: u64,
    /// What the journal covers ends here.
    journaled: u64,
    /// Everything below was handed over that is at home elsewhere.
    relayed_to: u64,
    /// Refused as early, and no epoch has written it down.
    early: VecDeque<u64>,
    /// Records from here on are not read.
    stop: Option<u64>,
    /// `stop` was reached.
    ended: bool,
    /// Where the partition was last found to end, markers included.
    end: u64,
    /// Kafka's time of the newest record taken.
    reached: Option<EventTime>,
    buffered: VecDeque<Seen>,
    /// How many of them were looked at for what is at home elsewhere.
    scouted: usize,
    bytes: usize,
    paused: bool,
}

struct Seen {
    offset: u64,
    digest: u64,
    bytes: u32,
    early: bool,
    /// At home with another task, or refused where another tells of it: here it counts as read, and that is all.
    elsewhere: bool,
    timestamp: Option<EventTime>,
    /// To be handed over when its turn comes.
    handover: Option<Box<Handover>>,
    /// What is done to an entity here, where it is that.
    effect: Option<Box<Effect>>,
}

/// A record as an epoch takes it.
pub(super) struct Next {
    pub(super) lane: Lane,
    pub(super) offset: u64,
    /// `None` where it is not this task that has to do with it.
    pub(super) record: Option<Record>,
    pub(super) effect: Option<Box<Effect>>,
    /// The lane's position before it.
    pub(super) from: u64,
    pub(super) digest: u64,
    pub(super) bytes: usize,
    pub(super) early: bool,
}

/// How a new lane is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    pub(super) position: u64,
    /// Merge time of the newest record before it.
    pub(super) reached: EventTime,
    pub(super) journaled: u64,
    pub(super) relayed_to: u64,
    pub(super) stop: Option<u64>,
}

impl Intake {
    pub(super) fn new(sender: Sender, tasks: u32, mode: TimeMode, brake: BrakeWindow) -> Self {
        let (merge, lanes, incoming, outbox, last_refused, early) = Default::default();
        Self { merge, lanes, incoming, outbox, sender, tasks, mode, brake, last_refused, early }
    }

    pub(super) fn open(&mut self, lane: Lane, opening: Opening) {
        let Opening { position, reached, journaled, relayed_to, stop } = opening;
        // What the journal covers is read in any case.
        let stop = stop.map(|stop| stop.max(journaled));
        let ended = stop.is_some_and(|stop| position >= stop);
        match (lane, self.mode) {
            (Lane::Effect(_), _) => {}
            (Lane::Relay(_), TimeMode::Live) => self.merge.open_outside(lane, reached),
            _ => self.merge.open(lane, reached),
        }
        self.merge.set_at_end(lane, ended);
        self.lanes.insert(lane, State { position, journaled, relayed_to, stop, ended, ..State::default() });
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

    /// Where the lane stands: the next offset to be taken.
    pub(super) fn position(&self, lane: Lane) -> u64 {
        self.lanes.get(&lane).map_or(0, |state| state.position)
    }

    /// Up to where the group's offsets may say that each partition was read: past markers at its end too.
    pub(super) fn positions(&self) -> BTreeMap<Partition, u64> {
        let inputs = self.lanes.iter().filter_map(|(lane, state)| match lane {
            Lane::Input(kind, partition) => {
                Some((Partition::Input(*kind, *partition), state.read_to(*lane, &self.merge)))
            }
            Lane::Relay(_) | Lane::Effect(_) => None,
        });
        inputs.chain(self.relay_position().map(|position| (Partition::Relay, position))).collect()
    }

    /// Kafka's time of the oldest record fetched and not taken of each partition, else of the newest taken.
    pub(super) fn times(&self) -> BTreeMap<Partition, EventTime> {
        let mut times = BTreeMap::new();
        for (lane, state) in &self.lanes {
            let partition = match lane {
                Lane::Input(kind, partition) => Partition::Input(*kind, *partition),
                Lane::Relay(_) | Lane::Effect(_) => Partition::Relay,
            };
            let waiting = state.buffered.front().and_then(|seen| seen.timestamp);
            if let Some(at) = waiting.or(state.reached) {
                times.entry(partition).and_modify(|known: &mut EventTime| *known = at.min(*known)).or_insert(at);
            }
        }
        times
    }

    /// Fetches what has arrived; waits for the first at most so long. What was handed over is fetched without bound
    /// where the task waits for it: it may hold what all others wait for.
    pub(super) fn fetch<B: Broker>(
        &mut self,
        broker: &mut B,
        wait: Duration,
        wall: EventTime,
        awaits_relay: bool,
    ) -> Result<(), BrokerError> {
        self.relieve(broker)?;
        self.relieve_relay(broker, awaits_relay)?;
        broker.fetch(wait, FETCH_RECORDS, &mut |partition, fetched| match partition {
            Partition::Input(kind, number) => self.accept(kind, number, &fetched, wall),
            Partition::Relay => self.accept_relayed(&fetched),
        })
    }

    /// Pauses partitions whose buffers are full, resumes those with room again.
    fn relieve<B: Broker>(&mut self, broker: &mut B) -> Result<(), BrokerError> {
        for (lane, state) in &mut self.lanes {
            let Lane::Input(kind, partition) = lane else { continue };
            let full = state.buffered.len() >= LANE_RECORDS || state.bytes >= LANE_BYTES;
            let roomy = state.buffered.len() < LANE_RECORDS / 2 && state.bytes < LANE_BYTES / 2;
            let paused = state.ended || full || (state.paused && !roomy);
            if paused != state.paused {
                state.paused = paused;
                broker.pause(Partition::Input(*kind, *partition), paused)?;
            }
        }
        Ok(())
    }

    fn relieve_relay<B: Broker>(&mut self, broker: &mut B, awaited: bool) -> Result<(), BrokerError> {
        let relayed = self.lanes.iter().filter(|(lane, _)| lane.is_relayed());
        let (records, bytes) =
            relayed.fold((0, 0), |sum, (_, state)| (sum.0 + state.buffered.len(), sum.1 + state.bytes));
        let full = records >= LANE_RECORDS || bytes >= LANE_BYTES;
        let roomy = records < LANE_RECORDS / 2 && bytes < LANE_BYTES / 2;
        let paused = !awaited && (full || (self.incoming.paused && !roomy));
        if paused != self.incoming.paused {
            self.incoming.paused = paused;
            broker.pause(Partition::Relay, paused)?;
        }
        Ok(())
    }

    fn accept(&mut self, kind: Kind, partition: u32, fetched: &Fetched<'_>, wall: EventTime) {
        let lane = Lane::Input(kind, partition);
        let Some(state) = self.lanes.get_mut(&lane).filter(|state| !state.ended) else { return };
        match fetched {
            Fetched::Record { offset, .. } if state.stop.is_some_and(|stop| *offset >= stop) => self.end(lane),
            Fetched::Record { offset, raw } => {
                let is_last = state.stop.is_some_and(|stop| *offset + 1 >= stop);
                self.push((kind, partition), *offset, raw, wall);
                self.merge.set_at_end(lane, false);
                if is_last {
                    self.end(lane);
                }
            }
            Fetched::AtEnd(offset) => {
                state.end = *offset;
                if state.stop.is_some() {
                    self.end(lane);
                } else {
                    self.merge.set_at_end(lane, true);
                }
            }
            Fetched::Lost => self.merge.set_at_end(lane, false),
        }
    }

    fn end(&mut self, lane: Lane) {
        self.merge.set_at_end(lane, true);
        if let Some(state) = self.lanes.get_mut(&lane) {
            state.ended = true;
            // Nothing below it is still to come, be it markers.
            state.end = state.end.max(state.stop.unwrap_or_default());
        }
    }

    fn push(&mut self, (kind, partition): (Kind, u32), offset: u64, raw: &RawRecord<'_>, wall: EventTime) {
        let lane = Lane::Input(kind, partition);
        let body = decode(kind, raw).and_then(|event| self.refuse_early(event, lane, offset, raw, wall));
        let early = body.as_ref().is_err_and(|letter| letter.code == Code::Early);
        let answers = answers_for(self.sender.task, self.tasks, partition);
        if answers {
            self.brake.note(body.as_ref().err().map(|letter| letter.code));
            if let Err(letter) = &body {
                self.last_refused = Some((lane, offset, letter.message.clone()));
            }
        }
        let is_anothers = body.is_err() && !answers;
        let target = body.as_ref().map_or(self.sender.task, |event| self.home(event));
        let merge_time = self.merge.push(kind, partition, offset, body);
        let mut seen = Seen::of(offset, raw);
        seen.early = early;
        seen.elsewhere = target != self.sender.task || is_anothers;
        if target != self.sender.task && self.lanes.get(&lane).is_some_and(|state| offset >= state.relayed_to) {
            let position = crate::model::record::Position { kind, partition, offset };
            let outgoing = self.sender.wrap(target, (merge_time, position), 1, raw);
            let handover = Handover { lane, offset, outgoing };
            // In `event` it waits for its turn, so that each task hands over in the order of its inputs.
            match self.mode {
                TimeMode::Live => self.outbox.push(handover),
                TimeMode::Event => seen.handover = Some(Box::new(handover)),
            }
        }
        self.note(lane, seen);
    }

    fn note(&mut self, lane: Lane, seen: Seen) {
        let state = self.lanes.get_mut(&lane).expect("only open lanes are accepted");
        state.bytes += usize::try_from(seen.bytes).unwrap_or_default();
        state.early.extend(seen.early.then_some(seen.offset));
        state.buffered.push_back(seen);
    }

    /// The task where an event is at home; what every task reads is at home here.
    fn home(&self, event: &Event) -> u32 {
        let home = Home { task: self.sender.task, tasks: self.tasks };
        match &event.customer {
            _ if self.tasks == 1 || event.kind().is_broadcast() => home.task,
            Some(customer) => home.of(customer),
            None => home.of(&event.entity_id()),
        }
    }

    fn refuse_early(
        &self,
        event: Event,
        lane: Lane,
        offset: u64,
        raw: &RawRecord<'_>,
        wall: EventTime,
    ) -> Result<Event, Box<DeadLetter>> {
        if !self.is_early(&event, lane, offset, raw, wall) {
            return Ok(event);
        }
        let message = format!("occurred_at {} is more than 5 minutes in the future", event.at);
        Err(Box::new(DeadLetter::of(Code::Early, message, raw.key, raw.value)))
    }

    fn is_early(&self, event: &Event, lane: Lane, offset: u64, raw: &RawRecord<'_>, wall: EventTime) -> bool {
        if self.mode == TimeMode::Event {
            return false;
        }
        // Also where records after it were handed over already: another verdict now would lose or double it.
        let is_judged = self.lanes.get(&lane).is_some_and(|state| offset < state.journaled.max(state.relayed_to));
        if is_judged && !mutant::is(Mutant::ClockTwice) {
            return self.early.contains(&(lane, offset));
        }
        let now = raw.timestamp.map_or(wall, |at| at.min(wall));
        event.at > now.plus(EARLY)
    }

    /// Takes the next record in merge order.
    pub(super) fn take(&mut self) -> Option<Next> {
        if mutant::is(Mutant::ArrivalOrder) {
            let waits = |(lane, state): &(&Lane, &State)| self.merge.has(**lane) && !state.buffered.is_empty();
            let lane = *self.lanes.iter().find(waits)?.0;
            return self.take_below(lane, u64::MAX);
        }
        let taken = self.merge.take()?;
        Some(self.taken(taken))
    }

    /// Takes the next record of the partitions that are too far behind to be waited for.
    pub(super) fn take_left_out(&mut self) -> Option<Next> {
        let taken = self.merge.take_left_out()?;
        Some(self.taken(taken))
    }

    /// Takes the next record of those handed over to this task, where nothing waits for them.
    pub(super) fn take_outside(&mut self) -> Option<Next> {
        let taken = self.merge.take_outside()?;
        Some(self.taken(taken))
    }

    /// Takes the next record of a lane if it lies below `to`.
    pub(super) fn take_below(&mut self, lane: Lane, to: u64) -> Option<Next> {
        let head = self.lanes.get(&lane)?.buffered.front()?;
        if head.offset >= to {
            return None;
        }
        if let Lane::Effect(_) = lane {
            return Some(self.note_taken(lane, None));
        }
        let taken = self.merge.pop(lane)?;
        Some(self.taken(taken))
    }

    fn taken(&mut self, (lane, record): (Lane, Record)) -> Next {
        self.note_taken(lane, Some(record))
    }

    fn note_taken(&mut self, lane: Lane, record: Option<Record>) -> Next {
        let state = self.lanes.get_mut(&lane).expect("a record taken was pushed");
        let mut seen = state.buffered.pop_front().expect("what lies in the merge is noted here");
        // What is taken was looked at before, or it would be lost here.
        if let Some(handover) = seen.handover.take() {
            self.outbox.push(*handover);
        }
        if state.early.front() == Some(&seen.offset) {
            state.early.pop_front();
        }
        let bytes = usize::try_from(seen.bytes).unwrap_or_default();
        state.bytes -= bytes.min(state.bytes);
        state.scouted = state.scouted.saturating_sub(1);
        state.reached = seen.timestamp.or(state.reached);
        let from = std::mem::replace(&mut state.position, seen.offset + 1);
        let record = record.filter(|_| !seen.elsewhere);
        let Seen { offset, digest, early, effect, .. } = seen;
        Next { lane, offset, record, effect, from, digest, bytes, early }
    }

    /// In `event`: looks ahead through the inputs, up to a time, for what is to be handed over.
    pub(super) fn scout(&mut self, until: Option<EventTime>) {
        if self.mode == TimeMode::Live || self.tasks == 1 {
            return;
        }
        let is_past = |key: Option<Key>| until.is_some_and(|until| key.is_some_and(|(time, _)| time > until));
        while !is_past(self.merge.scouted())
            && let Some(lane) = self.merge.scout()
        {
            let state = self.lanes.get_mut(&lane).expect("a record shown was pushed");
            let handover = state.buffered.get_mut(state.scouted).and_then(|seen| seen.handover.take());
            state.scouted += 1;
            if let Some(handover) = handover {
                self.outbox.push(*handover);
            }
        }
    }

    /// The next record to be handed over.
    pub(super) fn hand_over(&mut self) -> Option<Handover> {
        self.outbox.pop()
    }

    /// What was refused as early before an offset, and is not written down yet.
    pub(super) fn early_before(&mut self, lane: Lane, offset: u64) -> Vec<u64> {
        let Some(state) = self.lanes.get_mut(&lane) else { return Vec::new() };
        let count = state.early.iter().take_while(|early| **early < offset).count();
        state.early.drain(..count).collect()
    }

    /// Whether records wait to be handed over.
    pub(super) fn has_to_hand_over(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// In `event`: how far this task has looked through its inputs; `None` while what it found is still to be
    /// handed over, and where nobody asks.
    pub(super) fn announcement(&self) -> Option<Announcement> {
        if self.mode == TimeMode::Live || self.tasks == 1 || self.has_to_hand_over() {
            return None;
        }
        let inputs = self.lanes.iter().filter_map(|(lane, state)| match lane {
            Lane::Input(kind, partition) if !kind.is_broadcast() => {
                Some((*kind, *partition, state, self.merge.is_at_end(*lane)))
            }
            Lane::Input(..) | Lane::Relay(_) | Lane::Effect(_) => None,
        });
        let seen = inputs.map(|(kind, partition, state, at_end)| super::relay::Seen {
            kind: kind.name().to_owned(),
            partition,
            to: state.looked_to(at_end),
            end: at_end.then(|| state.fetched_to().max(state.end)),
        });
        let (source, seen) = (self.sender.task, seen.collect());
        let (before, reached_ms) = (self.merge.scouted().map(Place::of), self.merge.reached().0);
        Some(Announcement { source, before, seen, reached_ms, ..Announcement::default() })
    }

    /// Whether everything of the lane below `to` has been fetched.
    pub(super) fn is_through(&self, lane: Lane, to: u64) -> bool {
        let Some(state) = self.lanes.get(&lane) else { return true };
        let at_end = match lane {
            Lane::Input(..) => self.merge.is_at_end(lane),
            Lane::Relay(_) | Lane::Effect(_) => self.incoming.at_end,
        };
        state.position >= to || !state.buffered.is_empty() || at_end
    }

    /// Where the last refused record lies, and what is wrong with it.
    pub(super) fn last_refused(&self) -> Option<&(Lane, u64, String)> {
        self.last_refused.as_ref()
    }

    /// How many of the newest records were refused, and why the last was, where that is beyond the bound.
    pub(super) fn braked(&self) -> Option<(u32, Code)> {
        self.brake.beyond()
    }
}

impl State {
    /// Up to where the partition was read and taken.
    fn read_to(&self, lane: Lane, merge: &Merge) -> u64 {
        let nothing_left = self.buffered.is_empty() && merge.is_at_end(lane);
        if nothing_left { self.position.max(self.end) } else { self.position }
    }

    /// Up to where the partition was looked through.
    fn looked_to(&self, at_end: bool) -> u64 {
        if let Some(next) = self.buffered.get(self.scouted) {
            return next.offset;
        }
        let last = self.fetched_to();
        if at_end { last.max(self.end) } else { last }
    }

    fn fetched_to(&self) -> u64 {
        self.buffered.back().map_or(self.position, |seen| seen.offset + 1)
    }
}

impl Seen {
    fn of(offset: u64, raw: &RawRecord<'_>) -> Self {
        let bytes = raw.key.map_or(0, <[u8]>::len) + raw.value.map_or(0, <[u8]>::len);
        Self {
            offset,
            digest: record_digest(raw.key, raw.value, raw.headers),
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            early: false,
            elsewhere: false,
            timestamp: raw.timestamp,
            handover: None,
            effect: None,
        }
    }
}

/// What an event may be ahead of the wall clock.
const EARLY: Duration = Duration::from_mins(5);

/// Records handed over by one fetch.
const FETCH_RECORDS: usize = 10_000;

/// A partition pauses beyond this many records or bytes waiting.
const LANE_RECORDS: usize = 20_000;
const LANE_BYTES: usize = 32 << 20;
