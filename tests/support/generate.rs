//! Streams and rulesets from a seed: small, believable, and as nasty as the contract allows.
//!
//! A handful of customers and few ids, so that orders meet refunds, posts meet deletions and sessions meet
//! sessions; times that cluster at midnights, window ends and visit gaps; lines in the wrong order; lines
//! that are no events at all.

pub mod dice;
mod events;
pub mod live;
mod refused;
mod ruleset;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use vipstream::model::event::Kind;
use vipstream::model::time::EventTime;

use self::dice::Dice;
use super::model::Input;

const DAY_MS: i64 = 86_400_000;

/// A ruleset and what goes through it.
#[derive(Clone)]
pub struct Generated {
    pub ruleset: String,
    pub inputs: Vec<Input>,
    pub until: Option<EventTime>,
}

/// How far the lines of a partition may be from the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disorder {
    None,
    /// As it comes: often none, sometimes neighbours, sometimes anything.
    Any,
}

/// The stream of a seed.
pub fn stream(seed: u64) -> Generated {
    stream_with(seed, Disorder::Any)
}

/// The stream of a seed whose partitions are ordered by time.
pub fn ordered_stream(seed: u64) -> Generated {
    stream_with(seed, Disorder::None)
}

fn stream_with(seed: u64, disorder: Disorder) -> Generated {
    let mut dice = Dice::new(seed);
    let zone = *dice.pick(&ZONES);
    // Of their own, so that what else a seed gives stays what it was.
    let mut habits = Dice::new(seed.wrapping_add(1 << 42));
    let pivots = habits.chance(35).then_some(&mut habits);
    let ruleset = ruleset::ruleset(&mut dice, zone, pivots);
    let mut times = Times::new(&mut dice, zone);
    let customers = 3 + dice.below(4);
    let mut timed: Vec<(i64, Kind, String)> = Vec::new();
    let count = 20 + dice.below(180);
    while timed.len() < count {
        let at = times.next(&mut dice);
        if dice.chance(6) {
            timed.extend(events::visit(&mut dice, at, customers));
        } else {
            timed.push(events::event(&mut dice, at, customers));
        }
    }
    if ruleset.contains("pivots:") {
        for number in 0..=habits.below(4) {
            let from = times.start + habits.number(0, times.span);
            timed.extend(events::habit::habit(&mut habits, from, number, customers));
        }
    }
    // Few, since an erased customer says nothing any more; now and then one of whom nothing is known, or one twice.
    while dice.chance(30) {
        let at = times.next(&mut dice);
        timed.push(events::of_kind(&mut dice, Kind::Erasure, at, customers + 1));
    }
    while dice.chance(85) {
        let (at, kind) = (times.next(&mut dice), *dice.pick(&SHARED));
        timed.push(events::of_kind(&mut dice, kind, at, customers));
    }
    while dice.chance(85) {
        let at = times.next(&mut dice);
        timed.push(events::of_kind(&mut dice, Kind::FxRate, at, customers));
    }
    let shifts = *dice.pick(&[0, 4, 20]);
    for _ in 0..shifts {
        let at = times.next(&mut dice);
        timed.push(events::of_kind(&mut dice, Kind::Agent, at, customers));
    }
    let posts: Vec<String> =
        timed.iter().filter(|(_, kind, _)| *kind == Kind::Mention).map(|(.., line)| line.clone()).collect();
    for _ in 0..*dice.pick(&[0, 3, 12, 40]) {
        let at = times.next(&mut dice);
        timed.push(events::of_kind(&mut dice, Kind::Override, at, customers));
    }
    for _ in 0..*dice.pick(&[0, 2, 10]) {
        let at = times.next(&mut dice);
        timed.push(events::of_kind(&mut dice, Kind::Acknowledgement, at, customers));
    }
    for post in &posts {
        let later = *dice.pick(&STEPS);
        if dice.chance(50) {
            timed.extend(events::by_hand::answer(&mut dice, post, later));
        }
    }
    let until = dice.chance(50).then(|| EventTime(times.start + times.span * dice.number(20, 140) / 100));
    timed.sort_by_key(|(at, ..)| *at);
    let inputs = lanes(&mut dice, &timed, disorder);
    Generated { ruleset, inputs, until }
}

/// Deals the events to partitions, disturbs their order, and puts in what is no event.
fn lanes(dice: &mut Dice, timed: &[(i64, Kind, String)], disorder: Disorder) -> Vec<Input> {
    let mut inputs = Vec::new();
    let swaps = if disorder == Disorder::None { 0 } else { *dice.pick(&[0, 0, 5, 30]) };
    let far = dice.chance(50);
    for kind in Kind::ALL {
        let partitions = 1 + dice.below(2);
        let mut lanes = vec![Vec::new(); partitions];
        for (_, _, line) in timed.iter().filter(|(_, of, _)| *of == kind) {
            lanes[dice.below(partitions)].push(line.clone().into_bytes());
        }
        for mut lane in lanes {
            for index in 0..lane.len() {
                if dice.chance(swaps) {
                    let reach = if far { lane.len() } else { 3 };
                    let other = (index + dice.below(reach)).min(lane.len() - 1);
                    lane.swap(index, other);
                }
            }
            while dice.chance(20) {
                let place = dice.below(lane.len() + 1);
                lane.insert(place, refused::line(dice, kind));
            }
            inputs.push((kind, lane));
        }
    }
    inputs
}

/// The instants of a stream.
struct Times {
    zone: TimeZone,
    start: i64,
    span: i64,
    former: Vec<i64>,
}

impl Times {
    fn new(dice: &mut Dice, zone: &str) -> Self {
        let zone = TimeZone::get(zone).expect("a timezone of the tz database");
        let start = *dice.pick(&STARTS);
        let start: Date = start.parse().expect("a date");
        let start = start.to_zoned(zone.clone()).expect("a date of our time").timestamp().as_millisecond();
        let span = DAY_MS * *dice.pick(&[1, 3, 12, 40, 120, 400]);
        Self { zone, start, span, former: Vec::new() }
    }

    fn next(&mut self, dice: &mut Dice) -> i64 {
        let at = self.start + dice.number(0, self.span);
        let at = match (dice.below(10), self.former.is_empty()) {
            (0, false) => *dice.pick(&self.former),
            (1 | 2, false) => dice.pick(&self.former) + dice.pick(&STEPS),
            (3, _) => self.midnight(at),
            (4, _) => self.midnight(at) - 1,
            (5, _) => at / 3_600_000 * 3_600_000,
            _ => at,
        };
        let at = at.max(0);
        self.former.push(at);
        at
    }

    /// The beginning of the local date of an instant.
    fn midnight(&self, at: i64) -> i64 {
        let time = jiff::Timestamp::from_millisecond(at).expect("a time of our time");
        let date = time.to_zoned(self.zone.clone()).date();
        date.to_zoned(self.zone.clone()).expect("a date of our time").timestamp().as_millisecond()
    }
}

/// What many customers share.
const SHARED: [Kind; 5] = [Kind::FxRate, Kind::Account, Kind::Agent, Kind::Agent, Kind::Agent];

const ZONES: [&str; 5] = ["UTC", "Europe/Ljubljana", "America/Sao_Paulo", "America/St_Johns", "Pacific/Apia"];

/// Shortly before clocks change, dates vanish, and months, quarters and years end.
const STARTS: [&str; 8] =
    ["2024-02-25", "2024-03-28", "2024-12-20", "2025-10-24", "2011-12-27", "2018-11-01", "2018-02-14", "2010-11-05"];

/// Distances at which something ends: sessions, visits, hours, days, windows, graces.
const STEPS: [i64; 16] = [
    1,
    -1,
    60_000,
    90_000,
    300_000,
    1_800_000,
    1_890_000,
    3_600_000,
    DAY_MS,
    DAY_MS - 1,
    -DAY_MS,
    2 * DAY_MS,
    7 * DAY_MS,
    14 * DAY_MS,
    30 * DAY_MS,
    90 * DAY_MS,
];
