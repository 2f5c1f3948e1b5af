//! What other tasks hand over to this one: its partition of the relay, parted by who sent it.

use std::collections::{BTreeMap, VecDeque};

use super::{Intake, Next, Seen};
use crate::broker::Fetched;
use crate::codec::{RawRecord, decode};
use crate::merge::Lane;
use crate::model::effect::Effect;
use crate::model::event::Kind;
use crate::model::record::{Code, DeadLetter, Record};
use crate::model::time::EventTime;
use crate::mutant::{self, Mutant};
use crate::task::answers_for;
use crate::task::handover::Handover;
use crate::task::relay::{self, Announcement, MAX_HOPS, ORIGIN, Origin, Relayed};

/// The relay partition as a whole.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// The next offset to be fetched.
    read_to: u64,
    pub(super) at_end: bool,
    pub(super) paused: bool,
    /// Everything that was there at the start has been fetched.
    caught_up: bool,
    /// What each task last said of its inputs.
    announced: BTreeMap<u32, Announcement>,
    /// How far event time has come in their inputs.
    reached: EventTime,
    /// What each said before the place from which a restart reads the relay, and what came after that place.
    settled: BTreeMap<u32, Announcement>,
    unsettled: VecDeque<(u64, Announcement)>,
    /// With a time to stop at: the ends that all inputs had at the start.
    goals: BTreeMap<(Kind, u32), u64>,
}

impl Intake {
    /// Says up to where every task must have looked through the inputs before this one may end.
    pub(in crate::task) fn set_goals(&mut self, goals: BTreeMap<(Kind, u32), u64>) {
        self.incoming.goals = goals;
    }

    /// Whether everything was fetched that the others handed over before the start, and taken.
    pub(in crate::task) fn has_caught_up_with_relay(&self) -> bool {
        let waits = |(lane, state): (&Lane, &super::State)| lane.is_relayed() && !state.buffered.is_empty();
        self.tasks == 1 || (self.incoming.caught_up && !self.lanes.iter().any(waits))
    }

    /// The relay partition is fetched from here on.
    pub(in crate::task) fn read_relay_from(&mut self, offset: u64) {
        self.incoming.read_to = offset;
    }

    /// Up to where the relay partition was taken.
    pub(super) fn relay_position(&self) -> Option<u64> {
        let relayed = self.lanes.iter().filter(|(lane, _)| lane.is_relayed());
        let mut waiting = None;
        let mut any = false;
        for (_, state) in relayed {
            any = true;
            waiting = waiting.into_iter().chain(state.buffered.front().map(|seen| seen.offset)).min();
        }
        any.then(|| waiting.unwrap_or(self.incoming.read_to))
    }

    pub(super) fn accept_relayed(&mut self, fetched: &Fetched<'_>) {
        match fetched {
            Fetched::Record { offset, raw } => {
                self.incoming.read_to = offset + 1;
                self.incoming.at_end = false;
                match relay::read(raw) {
                    Some(Relayed::Record(origin)) => self.take_in(*offset, raw, &origin),
                    Some(Relayed::Effect(source, effect)) => self.receive(*offset, raw, source, effect),
                    Some(Relayed::Announcement(announced)) => self.note_announced(*offset, announced),
                    None => tracing::error!(
                        partition = self.sender.task,
                        offset,
                        "the relay holds a record that no task wrote: it is passed over"
                    ),
                }
            }
            Fetched::AtEnd(offset) => {
                self.incoming.read_to = self.incoming.read_to.max(*offset);
                self.incoming.at_end = true;
                self.incoming.caught_up = true;
                self.find_ends();
            }
            Fetched::Lost => {
                self.incoming.at_end = false;
                self.find_ends();
            }
        }
    }

    /// A task is at its end, as far as the others are concerned, when it has looked through all its inputs and all
    /// that it said was read here. It stays there, whatever else comes of others or of itself, until it hands over a
    /// record or says that it looks on: else each announcement would be news to all, and answered with one.
    fn find_ends(&mut self) {
        for source in (0..self.tasks).filter(|source| *source != self.sender.task) {
            self.merge.set_at_end(Lane::Relay(source), self.incoming.at_end && self.is_done(source));
        }
    }

    fn is_done(&self, source: u32) -> bool {
        let announced = self.incoming.announced.get(&source);
        announced.is_some_and(|it| it.before.is_none() && self.covers_goals(source, it))
    }

    fn covers_goals(&self, source: u32, announced: &Announcement) -> bool {
        let hands_over =
            |(kind, partition): &(Kind, u32)| !kind.is_broadcast() && answers_for(source, self.tasks, *partition);
        let mut own = self.incoming.goals.iter().filter(|(input, _)| hands_over(input));
        own.all(|((kind, partition), goal)| {
            let looked = |seen: &&relay::Seen| seen.kind == kind.name() && seen.partition == *partition;
            *goal == 0 || announced.seen.iter().find(looked).is_some_and(|seen| seen.to >= *goal)
        })
    }

    fn note_announced(&mut self, offset: u64, announced: Announcement) {
        self.incoming.unsettled.push_back((offset, announced.clone()));
        if self.incoming.unsettled.len() >= UNSETTLED {
            self.settle();
        }
        self.hear(announced);
    }

    fn settle(&mut self) {
        let from = self.relay_position().unwrap_or_default();
        while let Some((_, announced)) = self.incoming.unsettled.pop_front_if(|(offset, _)| *offset < from) {
            self.incoming.settled.insert(announced.source, announced);
        }
    }

    /// From where a restart reads the relay, and what was announced before.
    pub(in crate::task) fn relay_image(&mut self) -> (u64, Vec<Announcement>) {
        self.settle();
        (self.relay_position().unwrap_or_default(), self.incoming.settled.values().cloned().collect())
    }

    /// Hears again what was announced before the place from which the relay is read.
    pub(in crate::task) fn hear_again(&mut self, announced: Announcement) {
        self.incoming.settled.insert(announced.source, announced.clone());
        self.hear(announced);
    }

    fn hear(&mut self, announced: Announcement) {
        let lane = Lane::Relay(announced.source);
        if let Some(key) = announced.before.as_ref().and_then(relay::Place::key) {
            self.merge.announce(lane, key);
        }
        self.incoming.reached = self.incoming.reached.max(EventTime(announced.reached_ms));
        let source = announced.source;
        self.incoming.announced.insert(source, announced);
        if !self.is_done(source) {
            self.merge.set_at_end(lane, false);
        }
    }

    fn receive(&mut self, offset: u64, raw: &RawRecord<'_>, source: u32, effect: Box<Effect>) {
        let lane = Lane::Effect(source);
        let is_taken = |state: &super::State| offset < state.position && !mutant::is(Mutant::EffectsTwice);
        if self.lanes.get(&lane).is_none_or(is_taken) {
            return;
        }
        self.note(lane, Seen { effect: Some(effect), ..Seen::of(offset, raw) });
    }

    /// Takes the next effect, in the order in which they lie in the relay.
    pub(in crate::task) fn take_effect(&mut self) -> Option<Next> {
        let effects = self.lanes.iter().filter(|(lane, _)| matches!(lane, Lane::Effect(_)));
        let (_, lane) = effects.filter_map(|(lane, state)| Some((state.buffered.front()?.offset, *lane))).min()?;
        Some(self.note_taken(lane, None))
    }

    /// How far event time has come in the inputs of all tasks, as far as is known.
    pub(in crate::task) fn reached(&self) -> EventTime {
        self.incoming.reached.max(self.merge.reached())
    }

    /// What each other task last said, where it holds for this start: what one found to be the end of an input may
    /// not be its end any more. `None` before all have spoken.
    pub(in crate::task) fn announced(&self) -> Option<Vec<&Announcement>> {
        let others = (0..self.tasks).filter(|task| *task != self.sender.task);
        let announced = others.map(|task| self.incoming.announced.get(&task).filter(|it| self.holds(it)));
        announced.collect()
    }

    fn holds(&self, announced: &Announcement) -> bool {
        announced.seen.iter().all(|seen| {
            let goal = Kind::from_name(&seen.kind).and_then(|kind| self.incoming.goals.get(&(kind, seen.partition)));
            seen.end.is_none_or(|end| goal.is_none_or(|goal| end >= *goal))
        })
    }

    fn take_in(&mut self, offset: u64, raw: &RawRecord<'_>, origin: &Origin) {
        let lane = Lane::Relay(origin.source);
        let Some((merge_time, position)) = origin.place.key() else { return };
        // What was taken already lies here beside what others sent later.
        if self.lanes.get(&lane).is_none_or(|state| offset < state.position) {
            return;
        }
        let headers: Vec<(&str, &[u8])> = raw.headers.iter().copied().filter(|(name, _)| *name != ORIGIN).collect();
        let timestamp = origin.timestamp_ms.map(EventTime);
        let original = RawRecord { headers: &headers, timestamp, ..*raw };
        let mut seen = Seen::of(offset, raw);
        seen.timestamp = timestamp;
        let mut body = decode(position.kind, &original);
        let target = body.as_ref().map_or(self.sender.task, |event| self.home(event));
        let goes_on = origin.hops < MAX_HOPS || mutant::is(Mutant::NoHops);
        if target != self.sender.task && goes_on {
            seen.elsewhere = true;
            if self.lanes.get(&lane).is_some_and(|state| offset >= state.relayed_to) {
                let outgoing = self.sender.wrap(target, (merge_time, position), origin.hops + 1, &original);
                self.outbox.push(Handover { lane, offset, outgoing });
            }
        } else if target != self.sender.task {
            let message =
                format!("handed over {MAX_HOPS} times and still not at home: the relay was written from outside");
            body = Err(Box::new(DeadLetter::of(Code::TooManyHops, message, raw.key, raw.value)));
        }
        self.merge.push_record(lane, Record { position, merge_time, body });
        self.merge.set_at_end(lane, false);
        self.note(lane, seen);
    }
}

/// Announcements after which those are settled that a restart need not hear again.
const UNSETTLED: usize = 1_000;
