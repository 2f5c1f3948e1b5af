//! What the detectors of pivots cost: speed with all of them on against without, in the same run; how late live events are
//! while a million customers fall silent at one instant, against before; and bytes a customer.
//!
//! The engine alone. `cargo bench --bench pivots`; with `-- --quick` a twentieth of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use traffic::{Traffic, processor_time, resident_bytes};
use vipstream::codec::output::Wire;
use vipstream::codec::{RawRecord, decode};
use vipstream::engine::{Engine, Home, TimeMode};
use vipstream::load::Shape;
use vipstream::model::event::Kind;
use vipstream::model::output::Output;
use vipstream::model::record::{Epoch, Position, Record};
use vipstream::model::time::EventTime;
use vipstream::pivot::Observation;
use vipstream::pivot::budget::Budget;
use vipstream::pivot::priors::Priors;
use vipstream::pivot::settings::Settings;
use vipstream::pivot::state::State;
use vipstream::rules::ruleset::Ruleset;

#[path = "support/machine.rs"]
mod machine;
#[path = "support/traffic.rs"]
mod traffic;

/// The same as in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let is_given = |flag: &str| std::env::args().any(|arg| arg == flag);
    let shrink = if is_given("--quick") { 20 } else { 1 };
    machine::print();
    sizes();
    // Before the other, whose memory the process would keep.
    if !is_given("--speed") {
        wave(1_000_000 / shrink);
    }
    if !is_given("--wave") {
        speed(shrink);
    }
}

fn rules(text: &str) -> Arc<Ruleset> {
    Arc::new(Ruleset::parse("bench", text).expect("rules in order"))
}

/// Three engines take the same epochs in turn: what else goes on meets all.
fn speed(shrink: u64) {
    let customers = u32::try_from(786_000 / shrink).expect("fewer than a billion");
    let mix = MIX.parse().expect("a mix in order");
    let shape = Shape { events: 4_000_000 / shrink, customers, mix, ..Shape::default() };
    println!("\nspeed: {} events of {customers} customers, Zipf {}, over 400 days; {MIX}", shape.events, shape.zipf);
    println!("{:<44}{:>12}{:>12}{:>12}{:>12}", "processor time", "events/s", "ns/event", "outputs", "pivots");
    let texts = [SHOP.to_owned(), format!("{SHOP}\n{PIVOTS}"), format!("{SHOP}\n{PIVOTS}{POPULATION}")];
    let mut engines = texts.map(|text| Engine::new(rules(&text), "bench", TimeMode::Event, Home::ALONE));
    let (mut took, mut said) = ([Duration::ZERO; 3], [0; 3]);
    let (mut traffic, mut events, mut outputs) = (Traffic::new(&shape), 0, Vec::new());
    let mut turns = [0, 1, 2];
    while traffic.generate() {
        let epoch = traffic.decode();
        events += epoch.records.len() as u64;
        turns.rotate_left(1);
        for at in turns {
            let epoch = epoch.clone();
            let begun = processor_time();
            engines[at].apply(epoch, &mut outputs);
            took[at] += processor_time().saturating_sub(begun);
            said[at] += outputs.len();
            outputs.clear();
        }
    }
    let names = ["rules of shop.yaml", "with `pivots`, every detector on", "with `population` besides"];
    for (at, name) in names.into_iter().enumerate() {
        let nanos = took[at].as_nanos() / u128::from(events);
        let pivots = engines[at].stats().pivots;
        println!("{name:<44}{:>12}{nanos:>12}{:>12}{pivots:>12}", 1_000_000_000 / nanos.max(1), said[at]);
    }
    let [without, with, held] = took.map(|took| took.as_secs_f64());
    println!("rate with against without: {:.2} (goal: 0.7), with `population` {:.2}", without / with, without / held);
}

/// Everybody buys on the same days, so that all are called for at one instant.
fn wave(customers: u64) {
    println!("\nwave: {customers} customers fall silent at one instant; {RATE} purchases/s by {OTHERS} others go on");
    println!(
        "{:<26}{:>10}{:>10}{:>10}{:>10}{:>12}{:>10}",
        "", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "seconds", "pivots"
    );
    let mut shop = Shop::new(customers);
    let before = resident_bytes();
    shop.regulars();
    let grown = resident_bytes().saturating_sub(before) / customers;
    println!("  after eight orders each: {grown} bytes a customer in memory");
    let due = due();
    let begin = due.minus(CALM);
    shop.catch_up(begin);
    let calm = shop.watch("before", begin, |_, now| now < CALM);
    let mut begun = None;
    let wave = shop.watch("until all are told", due, |engine, now| {
        begun = begun.or_else(|| engine.is_behind().then_some(now));
        begun.is_none() && now < CALM || engine.is_behind()
    });
    println!("p99 in the wave against before: {:.2} (goal: at most 2)", wave.as_secs_f64() / calm.as_secs_f64());
}

/// When a customer like them falls silent.
fn due() -> EventTime {
    let mut one = Shop::new(1);
    let mut at = one.regulars();
    while one.engine.stats().pivots == 0 {
        at = one.engine.next_deadline().expect("they are waited for");
        one.catch_up(at);
    }
    at
}

/// An engine in real time, and those who buy.
struct Shop {
    engine: Engine,
    wire: Wire,
    outputs: Vec<Output>,
    customers: u64,
    number: u64,
    dice: u64,
}

impl Shop {
    fn new(customers: u64) -> Self {
        let engine = Engine::new(rules(WAVE), "bench", TimeMode::Live, Home::ALONE);
        let wire = Wire {
            ruleset: "bench".to_owned(),
            hash: "0".to_owned(),
            run_id: None,
            origin: "live",
            topics: Kind::ALL.map(|kind| kind.name().to_owned()),
        };
        Self { engine, wire, outputs: Vec::new(), customers, number: 0, dice: 1 }
    }

    /// Everybody buys every other week.
    fn regulars(&mut self) -> EventTime {
        let mut at = START;
        for _ in 0..8 {
            for first in (0..self.customers).step_by(10_000) {
                let records = (first..self.customers.min(first + 10_000)).map(|who| self.purchase(who, at)).collect();
                self.apply(records, at);
            }
            at = at.plus(Duration::from_hours(24 * 14));
            self.catch_up(at.minus(Duration::from_secs(1)));
        }
        at
    }

    /// As the task does: an epoch, and its outputs as bytes.
    fn apply(&mut self, records: Vec<Record>, at: EventTime) {
        self.outputs.clear();
        self.engine.apply(Epoch { records, clock: at, wall: at, ..Epoch::default() }, &mut self.outputs);
        for output in &self.outputs {
            std::hint::black_box(self.wire.json(output, Some(at)));
        }
    }

    fn catch_up(&mut self, at: EventTime) {
        self.apply(Vec::new(), at);
        while self.engine.is_behind() {
            self.apply(Vec::new(), at);
        }
    }

    /// Live traffic from an instant on, for as long as it goes on; returns the 99th percentile of how late events are.
    fn watch(&mut self, name: &str, from: EventTime, mut goes_on: impl FnMut(&Engine, Duration) -> bool) -> Duration {
        let (begun, mut sent, mut late) = (Instant::now(), 0, Vec::new());
        let pivots = self.engine.stats().pivots;
        let sent_at = |number: u64| Duration::from_nanos(number * 1_000_000_000 / RATE);
        while goes_on(&self.engine, begun.elapsed()) {
            let now = begun.elapsed();
            let due = u64::try_from(now.as_nanos() * u128::from(RATE) / 1_000_000_000).expect("a short time");
            let count = due.saturating_sub(sent).min(10_000);
            let records = (0..count).map(|_| self.anybody(from.plus(now))).collect();
            self.apply(records, from.plus(now));
            std::thread::sleep(COMMIT);
            let done = begun.elapsed();
            late.extend((sent..sent + count).map(|number| done.saturating_sub(sent_at(number))));
            sent += count;
            if !self.engine.is_behind() {
                std::thread::sleep(LINGER.saturating_sub(begun.elapsed().saturating_sub(now)));
            }
        }
        late.sort_unstable();
        let part = |permille: usize| late[(late.len() - 1) * permille / 1_000];
        let ms = |span: Duration| format!("{:.2}", span.as_secs_f64() * 1e3);
        let [p50, p99, p999, max] = [500, 990, 999, 1_000].map(|permille| ms(part(permille)));
        let pivots = self.engine.stats().pivots - pivots;
        let took = begun.elapsed().as_secs_f64();
        println!("{name:<26}{p50:>10}{p99:>10}{p999:>10}{max:>10}{took:>10.1}{pivots:>10}");
        part(990)
    }

    fn anybody(&mut self, at: EventTime) -> Record {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Others than those of the wave: they would be waited for anew.
        self.purchase(self.customers + (self.dice >> 33) % OTHERS, at)
    }

    fn purchase(&mut self, who: u64, at: EventTime) -> Record {
        self.number += 1;
        let (number, kind) = (self.number, Kind::Purchase);
        let json = format!(
            r#"{{"event_id":"e{number}","customer_id":"c-{who:07}","occurred_at":{},"order_id":"o{number}","amount":"50.00","currency":"EUR","status":"completed"}}"#,
            at.0
        );
        let body = decode(kind, &RawRecord { value: Some(json.as_bytes()), ..RawRecord::default() });
        Record { position: Position { kind, partition: 0, offset: number }, merge_time: at, body }
    }
}

/// What detectors take of a customer, whatever their values.
fn sizes() {
    let budget = Budget::new(Some(0.05), Some(0.005)).expect("a budget in order");
    let settings = Settings::new(Priors::default(), budget);
    let every = [
        Observation::Csat(4.0),
        Observation::Sentiment(0.2),
        Observation::Engagement,
        Observation::Refund,
        Observation::Purchase { amount: Some(50.0), shop: Some(1) },
    ];
    let bytes = |observations: &[Observation]| {
        let (mut state, mut pivots) = (State::default(), Vec::new());
        for week in 0..100 {
            for observation in observations {
                state.observe(*observation, START.0 + week * 7 * DAY_MS, &settings, &mut pivots);
            }
        }
        state.size()
    };
    let plain = bytes(&[Observation::Purchase { amount: Some(50.0), shop: None }]);
    println!("\nbytes a customer: purchases only {plain} (goal: 128), every detector {} (goal: 300)", bytes(&every));
}

const SHOP: &str = include_str!("../deploy/examples/shop.yaml");
const PIVOTS: &str = "
pivots:
  alert: 0.5 per 100 customer-years
  watch: 5 per 100 customer-years
";
const POPULATION: &str = "  population: { pivots: hold }
";
const MIX: &str = "purchase=50,presence=15,csat=10,mention=10,engagement=10,referral=5";
const WAVE: &str = "
ruleset: bench
currency: EUR
features: { orders: { count: purchase } }
programmes: { regular: { profile: loyalty, grant: orders >= 3 } }
labels: { silent: pivot.silence }
pivots: { alert: 0.5 per 100 customer-years, watch: 5 per 100 customer-years }
";
const OTHERS: u64 = 100_000;
const RATE: u64 = 5_000;
const CALM: Duration = Duration::from_secs(20);
const LINGER: Duration = Duration::from_millis(5);
/// Stands in for committing an epoch.
const COMMIT: Duration = Duration::from_millis(20);
const DAY_MS: i64 = 86_400_000;
/// 2025-06-01T12:00:00Z.
const START: EventTime = EventTime(1_748_779_200_000);
