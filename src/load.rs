//! Believable traffic from a seed: the same shape gives the same bytes every time.
//!
//! A made-up shop: customers with their own level of spending join, buy, ask, praise, complain, refer
//! others, come online and go silent. Everything follows from [`Shape`]; no clock is read. The stream is
//! ordered by arrival, as a topic is; only what is late or sent twice carries an older event time.
//! Memory grows with what is under way (open visits, refunds to come), not with the customers.

pub mod mix;

mod customer;
mod flaw;
mod later;
mod purchases;
mod random;
mod story;
mod texts;
mod visits;
mod voices;
mod write;

use std::collections::BinaryHeap;
use std::time::Duration;

use crate::model::event::Kind;
use crate::model::id::CustomerId;
use crate::model::time::EventTime;

use customer::Persona;
use later::{Later, What};
use mix::Mix;
use random::{Random, Zipf};
use write::Stamp;

/// What the traffic looks like.
#[derive(Clone, Debug)]
pub struct Shape {
    pub seed: u64,
    /// How many events in all; they are spread over `span`.
    pub events: u64,
    /// How many customers there are; not all of them appear.
    pub customers: u32,
    /// Zipf exponent: customer of rank k acts in proportion to 1 / k^zipf.
    pub zipf: f64,
    pub start: EventTime,
    pub span: Duration,
    pub mix: Mix,
    /// Share of customers whose profile (`customer` record) comes before their first event.
    pub profiles: f64,
    /// Share of events that arrive twice.
    pub duplicates: f64,
    /// Share of events that arrive up to three hours after they happened.
    pub late: f64,
    /// Share of events that are broken.
    pub malformed: f64,
}

impl Default for Shape {
    /// A shop of five thousand customers over 400 days, with the flaws of real topics.
    fn default() -> Self {
        Self {
            seed: 1,
            events: 100_000,
            customers: 5_000,
            zipf: 0.8,
            start: EventTime(NEW_YEAR_2025_MS),
            span: Duration::from_hours(400 * 24),
            mix: Mix::default(),
            profiles: 0.2,
            duplicates: 0.005,
            late: 0.005,
            malformed: 0.001,
        }
    }
}

impl Shape {
    /// This shape without profiles, duplicates, late and broken events: what benches measure on.
    #[must_use]
    pub fn flawless(self) -> Self {
        Self { profiles: 0.0, duplicates: 0.0, late: 0.0, malformed: 0.0, ..self }
    }
}

/// One record of the traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    pub kind: Kind,
    /// The customer it is about; `None` for a post whose author is known by handle alone.
    pub key: Option<CustomerId>,
    /// The record's value: one JSON object without a line end, or something broken.
    pub json: Vec<u8>,
    /// When it arrives, never before the record ahead of it. Its own `occurred_at` unless it is late or comes twice.
    pub at: EventTime,
}

impl Default for Generated {
    fn default() -> Self {
        Self { kind: Kind::Purchase, key: None, json: Vec::with_capacity(512), at: EventTime::MIN }
    }
}

/// The traffic of a [`Shape`], one record after the other.
#[derive(Debug)]
pub struct Load {
    shape: Shape,
    random: Random,
    zipf: Zipf,
    stamp: Stamp,
    /// What will follow from what has happened, soonest first.
    later: BinaryHeap<Later>,
    /// One bit a customer: whether any event came yet.
    met: Vec<u64>,
    written: u64,
    /// When the last record arrived.
    arrived: EventTime,
    /// Numbers events, orders, posts, sessions.
    serial: u64,
    /// Spreads ranks over customer numbers, so that number 0 is not the busiest.
    shift: u64,
}

impl Load {
    /// The traffic of `shape`, from its first record.
    pub fn new(shape: Shape) -> Self {
        let mut random = Random::new(shape.seed);
        let customers = shape.customers.max(1);
        Self {
            zipf: Zipf::new(customers, shape.zipf),
            shift: random.below(u64::from(customers)),
            random,
            stamp: Stamp::default(),
            later: BinaryHeap::new(),
            met: vec![0; customers.div_ceil(64) as usize],
            written: 0,
            arrived: EventTime::MIN,
            serial: 0,
            shape: Shape { customers, ..shape },
        }
    }

    /// Writes the next record into `out`, whose buffer is used again; false at the end of the traffic.
    pub fn next_into(&mut self, out: &mut Generated) -> bool {
        if self.written >= self.shape.events {
            return false;
        }
        out.json.clear();
        let now = self.now();
        let due = self.later.peek().is_some_and(|later| later.at <= now);
        if let Some(later) = due.then(|| self.later.pop()).flatten() {
            // What follows from a late event may have its time behind the stream.
            let later = Later { at: later.at.max(self.arrived), ..later };
            out.at = later.at;
            self.follow(later, out);
        } else {
            out.at = now;
            self.begin(out);
        }
        self.written += 1;
        self.arrived = out.at;
        true
    }

    /// The instant of the next record that follows from nothing before.
    fn now(&mut self) -> EventTime {
        let jitter = self.random.below(1 << 16);
        let place = (u128::from(self.written) << 16) + u128::from(jitter);
        let whole = u128::from(self.shape.events) << 16;
        let passed = self.shape.span.as_millis() * place / whole;
        let passed = i64::try_from(passed).expect("a share of a span that fits event time");
        EventTime(self.shape.start.0 + by_daylight(passed))
    }

    /// Days from the start to an instant.
    fn days(&self, at: EventTime) -> f64 {
        let seconds = u32::try_from((at.0 - self.shape.start.0) / 1_000).unwrap_or(0);
        f64::from(seconds) / 86_400.0
    }

    /// Draws a customer who is around; the busiest come up most.
    fn someone(&mut self, at: EventTime) -> (u32, Persona) {
        let days = self.days(at);
        let mut tries = 0;
        loop {
            let rank = u64::from(self.zipf.rank(&mut self.random));
            let place = (rank * SPREAD + self.shift) % u64::from(self.shape.customers);
            let index = u32::try_from(place).expect("a remainder of a 32-bit number");
            let persona = self.persona(index, at);
            tries += 1;
            if persona.is_around(days) || tries == MAX_TRIES {
                return (index, persona);
            }
        }
    }

    /// Who a customer is at an instant.
    fn persona(&self, index: u32, at: EventTime) -> Persona {
        Persona::of(self.shape.seed, index, self.days(at))
    }

    /// Notes that a customer acts; true the first time.
    fn meet(&mut self, index: u32) -> bool {
        let (word, bit) = (index as usize / 64, 1_u64 << (index % 64));
        let first = self.met[word] & bit == 0;
        self.met[word] |= bit;
        first
    }

    const fn number(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn plan(&mut self, at: EventTime, customer: u32, what: What) {
        let serial = self.number();
        self.later.push(Later { at, serial, customer, what });
    }
}

impl Iterator for Load {
    type Item = Generated;

    fn next(&mut self) -> Option<Generated> {
        let mut out = Generated::default();
        self.next_into(&mut out).then_some(out)
    }
}

/// Moves an even flow to the hours in which people are awake; keeps order and days.
fn by_daylight(passed_ms: i64) -> i64 {
    let (day, rest) = (passed_ms.div_euclid(DAY_MS), passed_ms.rem_euclid(DAY_MS));
    let mut from = (0, 0);
    for to in DAYLIGHT {
        if rest < to.0 * DAY_MS / 100 {
            let width = (to.0 - from.0) * DAY_MS / 100;
            let into = rest - from.0 * DAY_MS / 100;
            return day * DAY_MS + from.1 * HOUR_MS + into * (to.1 - from.1) * HOUR_MS / width;
        }
        from = to;
    }
    passed_ms
}

/// Percent of a day's events by hour of the day (UTC): quiet nights, a full evening.
const DAYLIGHT: [(i64, i64); 4] = [(6, 6), (40, 13), (75, 19), (100, 24)];
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const NEW_YEAR_2025_MS: i64 = 1_735_689_600_000;
/// A prime above every 32-bit number, so that multiplying by it reaches each customer once.
const SPREAD: u64 = 4_294_967_311;
/// Customers drawn before taking one who is away, so that a draw ends.
const MAX_TRIES: u32 = 16;

#[cfg(test)]
mod tests;
