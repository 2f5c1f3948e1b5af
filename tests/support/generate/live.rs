//! A stream as a task of a running app takes it: in epochs, each with a clock and a wall of its own.
//!
//! Time comes in steps that make something of it: partitions fall behind and hold the clock, events lie ahead of it
//! or before what is due, the wall goes past what alerts are worth, clocks stop exactly at an event's time or a
//! millisecond beside it. What a task does with a record (refuses it, hands it over, takes it over) is thrown in.

use std::time::Duration;

use vipstream::codec::{RawRecord, decode};
use vipstream::model::event::Kind;
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;

use super::dice::Dice;
use super::{DAY_MS, Generated, STEPS};
use crate::support::model::Input;
use crate::support::model::fold::{Epoch, How, Mode, Taken, home_of};

/// A ruleset, and the epochs of one task.
#[derive(Clone)]
pub struct Live {
    pub ruleset: String,
    pub mode: Mode,
    pub epochs: Vec<Epoch>,
}

/// The epochs of a seed, mostly in `live` time.
pub fn live(seed: u64) -> Live {
    let mut dice = Dice::new(seed.wrapping_add(1 << 41));
    in_mode(seed, if dice.chance(90) { Mode::Live } else { Mode::Event })
}

/// The epochs of a seed in time as told.
pub fn in_mode(seed: u64, mode: Mode) -> Live {
    let Generated { ruleset, inputs, .. } = super::stream(seed);
    let mut dice = Dice::new(seed.wrapping_add(1 << 40));
    let lateness = *dice.pick(&["5m", "0s", "3h"]);
    let ruleset = ruleset.replace("lateness: 5m", &format!("lateness: {lateness}"));
    let shared = dice.chance(20);
    let since = begin(&ruleset, &inputs);
    let mut lanes = Vec::new();
    let mut kinds: Vec<Kind> = Vec::new();
    for (kind, lines) in inputs {
        let partition = u32::try_from(kinds.iter().filter(|other| **other == kind).count()).expect("few partitions");
        kinds.push(kind);
        lanes.push(lane(&mut dice, (kind, partition), lines, (since, shared)));
    }
    let honest = dice.chance(60);
    let epochs =
        Course { dice, mode, honest, lanes, clock: EventTime::MIN, wall: EventTime::MIN, epochs: vec![] }.run();
    Live { ruleset, mode, epochs }
}

/// Before it nobody is met. Where every midnight brings a look, decades before the stream are more than an epoch fires.
fn begin(ruleset: &str, inputs: &[Input]) -> EventTime {
    let of_lane = |(kind, lines): &(Kind, Vec<Vec<u8>>)| {
        let raw = lines.iter().map(|line| RawRecord { key: None, value: Some(line), timestamp: None, headers: &[] });
        raw.filter_map(|raw| decode(*kind, &raw).ok()).map(|event| event.at).min()
    };
    let first = inputs.iter().filter_map(of_lane).min();
    first.filter(|_| ruleset.contains("percentile(")).unwrap_or(EventTime::MIN)
}

/// One partition: what is still to be taken, the next last, each with its merge time.
struct Lane {
    rest: Vec<(EventTime, Taken)>,
    /// It is not read for so many epochs.
    stuck: usize,
}

impl Lane {
    fn next_time(&self) -> Option<EventTime> {
        self.rest.last().map(|(time, _)| *time)
    }
}

fn lane(
    dice: &mut Dice,
    (kind, partition): (Kind, u32),
    lines: Vec<Vec<u8>>,
    (since, shared): (EventTime, bool),
) -> Lane {
    let mut values: Vec<Option<Vec<u8>>> = lines.into_iter().map(Some).collect();
    let nulls = match kind {
        Kind::Customer => 60,
        Kind::Account | Kind::Agent => 30,
        _ => 5,
    };
    while dice.chance(nulls) {
        values.insert(dice.below(values.len() + 1), None);
    }
    let (mut offset, mut reached) = (0, EventTime::MIN);
    let mut rest = Vec::new();
    for value in values {
        // Aborted records and the markers of transactions leave gaps.
        offset += 1 + u64::from(dice.chance(10));
        let who = dice.below(6);
        let id = match kind {
            Kind::Account => format!("k{}", 1 + who % 3),
            Kind::Agent => format!("a{}", 1 + who % 4),
            _ => format!("c{who}"),
        };
        let key = dice.chance(95).then(|| id.into_bytes());
        let timestamp = Some(reached.max(since).plus(Duration::from_millis(dice.below(600_000) as u64)));
        let position = Position { kind, partition, offset };
        let mut taken = Taken { position, key, value, timestamp, how: How::Read };
        taken.how = how(dice, &taken, reached, shared);
        if let Some(at) = time_of(&taken).filter(|_| !matches!(taken.how, How::Early | How::HandedOver { .. })) {
            reached = reached.max(at);
        }
        if matches!(taken.how, How::HandedOver { .. }) {
            taken.position.partition += 10;
        }
        rest.push((reached, taken));
    }
    rest.reverse();
    Lane { rest, stuck: 0 }
}

fn how(dice: &mut Dice, taken: &Taken, reached: EventTime, shared: bool) -> How {
    if shared && home_of(taken, 2) == Some(1) {
        return if dice.chance(95) { How::Relayed } else { How::Early };
    }
    match dice.below(100) {
        0..3 => How::Early,
        3..6 => {
            let shift = *dice.pick(&[0, 0, 1, -60_000, 3_600_000]);
            let time = time_of(taken).unwrap_or(reached).0 + shift;
            How::HandedOver { merge_time: EventTime(time.max(0)) }
        }
        _ => How::Read,
    }
}

fn time_of(taken: &Taken) -> Option<EventTime> {
    let raw = RawRecord {
        key: taken.key.as_deref(),
        value: taken.value.as_deref(),
        timestamp: taken.timestamp,
        headers: &[],
    };
    decode(taken.position.kind, &raw).ok().map(|event| event.at)
}

/// A task at work.
struct Course {
    dice: Dice,
    mode: Mode,
    /// Its clock never runs ahead of what a partition could still bring: late is only what lay in disorder.
    honest: bool,
    lanes: Vec<Lane>,
    clock: EventTime,
    wall: EventTime,
    epochs: Vec<Epoch>,
}

impl Course {
    fn run(mut self) -> Vec<Epoch> {
        while self.lanes.iter().any(|lane| !lane.rest.is_empty()) {
            let records = self.take();
            self.end_epoch(records);
            while self.dice.chance(25) {
                let most = *self.dice.pick(&[3_600_000, 3_600_000, DAY_MS, 90 * DAY_MS]);
                self.wall = self.wall.plus(millis(most.min(*self.dice.pick(&STEPS))));
                self.end_epoch(Vec::new());
            }
        }
        for days in [0, 1, 40, 400] {
            self.wall = self.wall.plus(millis(days * DAY_MS + self.dice.number(0, DAY_MS)));
            self.clock = self.clock.max(self.wall);
            self.end_epoch(Vec::new());
        }
        self.epochs
    }

    /// Takes what one epoch takes: of each partition that is read, what lies within a span of the oldest.
    fn take(&mut self) -> Vec<Taken> {
        for lane in &mut self.lanes {
            lane.stuck = lane.stuck.saturating_sub(1);
            if self.dice.chance(3) {
                lane.stuck = self.dice.below(40);
            }
        }
        let oldest = self.lanes.iter().filter(|lane| lane.stuck == 0).filter_map(Lane::next_time).min();
        let Some(oldest) = oldest else { return Vec::new() };
        let upto = oldest.plus(millis(*self.dice.pick(&STEPS)));
        let mut records = Vec::new();
        for lane in self.lanes.iter_mut().filter(|lane| lane.stuck == 0) {
            let room = 1 + self.dice.below(12);
            // Now and then a record is taken before its turn.
            let ahead = usize::from(self.dice.chance(3));
            while records.len() < 40 && lane.next_time().is_some_and(|time| time <= upto) && records.len() < room {
                records.extend(lane.rest.pop());
            }
            records.extend((0..ahead).filter_map(|_| lane.rest.pop()));
        }
        if let Some((newest, _)) = records.iter().max_by_key(|(time, _)| *time) {
            let past =
                *self.dice.pick(&[0, 0, 1, 1_000, 59_999, 60_000, 61_000, 90_000, 3_600_000, DAY_MS, -1, -240_000]);
            self.wall = self.wall.max(EventTime(newest.0 + past));
        }
        records.into_iter().map(|(_, taken)| taken).collect()
    }

    /// Ends an epoch; its clock is mostly the least time that a partition could still bring.
    fn end_epoch(&mut self, records: Vec<Taken>) {
        let open = self.lanes.iter().filter_map(Lane::next_time).min();
        let certain = open.unwrap_or(self.wall);
        let clock = match self.dice.below(30) {
            0..3 => self.clock,
            3..6 => certain.min(self.near_a_record(&records)),
            6 if !self.honest => self.wall,
            7..10 if !self.honest => self.near_a_record(&records),
            _ => certain,
        };
        if self.mode == Mode::Event {
            let newest = records.iter().filter_map(time_of).max().unwrap_or(EventTime::MIN);
            self.clock = self.clock.max(clock).max(newest);
            self.wall = self.wall.max(self.clock);
        } else {
            self.clock = self.clock.max(clock.min(self.wall));
        }
        self.epochs.push(Epoch { records, clock: self.clock, wall: self.wall, ..Epoch::default() });
    }

    /// At a record's time, or shortly beside it, also by the common lateness.
    fn near_a_record(&mut self, records: &[Taken]) -> EventTime {
        if records.is_empty() {
            return self.clock;
        }
        let time = time_of(self.dice.pick(records)).unwrap_or(self.clock);
        EventTime(time.0 + self.dice.pick(&[0, 0, 1, -1, 60_000, 59_999, 300_000]))
    }
}

/// A span of whole milliseconds; one that would go back is none.
fn millis(span: i64) -> Duration {
    Duration::from_millis(span.try_into().unwrap_or(0))
}
