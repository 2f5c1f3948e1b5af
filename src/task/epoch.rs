//! Collecting an epoch: which records it takes, and the time it brings.
//!
//! The ranges are fixed first and the records then sorted by key, so that a restore, which knows only the ranges,
//! sees the same order. A tick (an epoch without records) is made only when time alone has work to do.

use std::time::{Duration, Instant};

use super::handover::Handover;
use super::intake::Next;
use super::journal::Ranges;
use super::{Task, TaskError};
use crate::broker::{Broker, Outgoing};
use crate::clock;
use crate::engine::TimeMode;
use crate::model::effect::Effect;
use crate::model::record::{Epoch, Record};
use crate::model::time::EventTime;
use crate::mutant::{self, Mutant};
use crate::snapshot::Snapshots;

/// An epoch whose ranges, order and time are fixed.
pub(super) struct Fixed {
    pub(super) epoch: Epoch,
    pub(super) ranges: Ranges,
    /// What goes to other tasks.
    pub(super) relay: Vec<Outgoing>,
    /// When its first record was taken.
    pub(super) opened: Instant,
}

/// An epoch as it grows.
#[derive(Default)]
pub(super) struct Draft {
    /// Each with its offset.
    effects: Vec<(u64, Effect)>,
    records: Vec<Record>,
    ranges: Ranges,
    relay: Vec<Outgoing>,
    /// Records taken or handed over.
    count: usize,
    bytes: usize,
    opened: Option<Instant>,
}

impl Draft {
    pub(super) fn add(&mut self, next: Next) {
        let Next { lane, offset, record, effect, from, digest, bytes, early } = next;
        self.ranges.add(lane, from, offset, digest, early);
        self.count += 1;
        self.bytes += bytes;
        self.open();
        self.records.extend(record);
        self.effects.extend(effect.map(|effect| (offset, *effect)));
    }

    fn hand_over(&mut self, handover: Handover, position: u64, early: Vec<u64>) {
        let Handover { lane, offset, outgoing } = handover;
        self.ranges.hand_over(lane, position, offset, early);
        self.count += 1;
        self.bytes += outgoing.value.as_ref().map_or(0, Vec::len);
        self.open();
        self.relay.push(outgoing);
    }

    fn open(&mut self) {
        self.opened.get_or_insert_with(clock::now);
    }

    pub(super) fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    /// Fixes the order and the time.
    pub(super) fn fix(mut self, clock: EventTime, wall: EventTime) -> Fixed {
        if !mutant::is(Mutant::ArrivalOrder) {
            self.records.sort_unstable_by_key(|record| (record.merge_time, record.position));
        }
        self.effects.sort_unstable_by_key(|(offset, _)| *offset);
        let effects = self.effects.into_iter().map(|(_, effect)| effect).collect();
        let epoch = Epoch { effects, records: self.records, clock, wall };
        Fixed { epoch, ranges: self.ranges, relay: self.relay, opened: self.opened.unwrap_or_else(clock::now) }
    }
}

impl<B: Broker> Task<B> {
    /// Waits for the next epoch; `None` when it is time to end.
    pub(super) fn collect(&mut self) -> Result<Option<Fixed>, TaskError> {
        let mut draft = Draft::default();
        loop {
            // Read before anything is taken: a stop ends with what was taken up to it, however much waits.
            let stopping = self.is_stopping();
            if stopping && draft.opened.is_none() {
                return Ok(None);
            }
            if draft.opened.is_none() {
                self.begin_snapshot();
            }
            self.advance_snapshot();
            let wall = clock::wall().max(self.wall);
            let wait = if stopping { Duration::ZERO } else { self.wait(&draft) };
            let awaits_relay = self.setup.mode == TimeMode::Event;
            self.intake.fetch(&mut self.broker, wait, wall, awaits_relay)?;
            self.check_brake()?;
            if draft.opened.is_none() {
                self.look_to_horizon();
            }
            self.fill(&mut draft);
            if draft.opened.is_none() && self.has_news() {
                draft.open();
            }

            let clock = self.next_clock(&draft, wall);
            if self.is_closed(&draft, clock, stopping) {
                let wall = if self.setup.mode == TimeMode::Event { clock } else { wall };
                return Ok(Some(draft.fix(clock, wall)));
            }
            if draft.opened.is_none() && self.is_done() {
                return Ok(None);
            }
        }
    }

    /// How long to wait for records: the rest of the linger, or until a tick may be due.
    fn wait(&self, draft: &Draft) -> Duration {
        match draft.opened {
            _ if self.engine.is_behind() || self.is_done() => Duration::ZERO,
            Some(opened) => self.setup.epoch.linger.saturating_sub(clock::since(opened)),
            None => IDLE,
        }
    }

    fn check_brake(&self) -> Result<(), TaskError> {
        let Some((count, code)) = self.intake.braked() else { return Ok(()) };
        let last = self.intake.last_refused().map(|(lane, offset, message)| {
            let (topic, partition) = self.place(*lane);
            format!("{topic} partition {partition} offset {offset}: {message}")
        });
        let (of, code, last) = (self.setup.brake.of, code.name(), last.unwrap_or_default());
        Err(TaskError::Braked { count, of, code, last })
    }

    /// Takes what may be taken, up to the bounds. In `live`, what is far behind gets half of the room.
    fn fill(&mut self, draft: &mut Draft) {
        let records = self.setup.epoch.records;
        let has_room = |draft: &Draft, records: usize| draft.count < records && draft.bytes < EPOCH_BYTES;
        self.intake.scout(self.setup.until);
        while has_room(draft, records)
            && let Some(handover) = self.intake.hand_over()
        {
            let position = self.intake.position(handover.lane);
            let early = self.intake.early_before(handover.lane, handover.offset);
            draft.hand_over(handover, position, early);
        }
        while has_room(draft, records)
            && let Some(next) = self.intake.take_effect()
        {
            draft.add(next);
        }
        while has_room(draft, records)
            && let Some(next) = self.intake.take_outside()
        {
            draft.add(next);
        }
        self.intake.merge_mut().pass(clock::since(self.started));
        if self.setup.mode == TimeMode::Live && self.caught_up {
            self.intake.merge_mut().leave_out(self.setup.merge_hold);
            while has_room(draft, records.div_ceil(2))
                && let Some(next) = self.intake.take_left_out()
            {
                draft.add(next);
            }
        }
        while has_room(draft, records) && !self.is_past_until() && !self.is_past_horizon() {
            let Some(next) = self.intake.take() else { break };
            draft.add(next);
        }
        self.has_heard_all |= self.intake.has_caught_up_with_relay();
        self.caught_up |= self.has_heard_all && self.intake.merge().clock().is_none();
    }

    fn is_past_until(&self) -> bool {
        let next = self.intake.merge().next_time();
        self.setup.until.is_some_and(|until| next.is_some_and(|time| time > until))
    }

    /// The clock that the epoch would bring if it were fixed now.
    fn next_clock(&self, draft: &Draft, wall: EventTime) -> EventTime {
        let open = self.intake.merge().clock();
        let clock = match self.setup.mode {
            // What others handed over while this task was away comes before time moves on.
            TimeMode::Live if !self.has_heard_all => self.clock,
            TimeMode::Live => open.map_or(wall, |open| open.min(wall)),
            TimeMode::Event => {
                // Where all inputs are at their end, time has come to the last record of any of them.
                let applied = draft.records.iter().map(|record| record.merge_time).max();
                open.max(applied).unwrap_or_else(|| self.intake.reached())
            }
        };
        let clock = match self.setup.until {
            Some(until) if self.has_read_all() => until,
            Some(until) => clock.min(until),
            None => clock,
        };
        self.within_horizon(clock).max(self.clock)
    }

    /// Whether the epoch is to be carried out now.
    fn is_closed(&self, draft: &Draft, clock: EventTime, stopping: bool) -> bool {
        if let Some(opened) = draft.opened {
            let full = draft.count >= self.setup.epoch.records || draft.bytes >= EPOCH_BYTES;
            let is_urgent = stopping || self.has_read_all() || self.engine.is_behind();
            return full || is_urgent || clock::since(opened) >= self.setup.epoch.linger;
        }
        let has_work = self.engine.is_behind() || self.engine.next_deadline().is_some_and(|at| at <= clock);
        let moved = clock > self.clock;
        // So that the journal's retention leaves something of it, however long nothing happens.
        let is_silent = self.snapshots.is_some() && clock::since(self.last_epoch) >= KEEPALIVE;
        let is_wanted = self.snapshots.as_ref().is_some_and(Snapshots::wants_epoch);
        has_work
            || is_silent
            || is_wanted
            || (moved && (self.has_read_all() || clock::since(self.last_epoch) >= HEARTBEAT))
    }

    /// With a time to stop at: whether every record up to it, of those there at the start, has been taken.
    fn has_read_all(&self) -> bool {
        let Some(until) = self.setup.until else { return false };
        !self.intake.has_to_hand_over() && !self.intake.merge().may_bring_up_to(until)
    }

    /// Whether the time to stop at was reached and everything due by then was done.
    fn is_done(&self) -> bool {
        let reached = self.setup.until.is_some_and(|until| self.clock >= until);
        reached && self.has_read_all() && !self.engine.is_behind()
    }
}

/// How long a fetch waits while nothing happens: at most so late does a deadline fire or a stop take effect.
const IDLE: Duration = Duration::from_millis(100);

/// Without input, an epoch is written this often, and only if time moved.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// At least this often an epoch is written, even if time did not move.
const KEEPALIVE: Duration = Duration::from_hours(24);

/// Bytes of records that an epoch takes.
const EPOCH_BYTES: usize = 16 << 20;
