//! Budgets with a million candidates: how late live events are with and without, how long a settlement takes; and what
//! a percentile of a million customers is against the exact one.
//!
//! The engine alone, `live`, in real time: events come at a steady rate whether it keeps up or not, an epoch takes what is
//! there, and then as long as committing one may take. `cargo bench --bench settle`; with `-- --quick` a twentieth of the customers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use vipstream::codec::{RawRecord, decode};
use vipstream::engine::{Engine, Home, TimeMode};
use vipstream::model::effect::Effect;
use vipstream::model::event::Kind;
use vipstream::model::output::{Change, Output};
use vipstream::model::record::{Epoch, Position, Record};
use vipstream::model::time::EventTime;
use vipstream::rules::ruleset::Ruleset;

#[path = "support/machine.rs"]
mod machine;

/// The same as in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let customers = if std::env::args().any(|arg| arg == "--quick") { 50_000 } else { 1_000_000 };
    machine::print();
    println!("\n{customers} customers who qualify; live traffic of {RATE} purchases/s for {} s", WATCHED.as_secs());
    println!(
        "{:<26}{:>10}{:>10}{:>10}{:>10}{:>14}{:>14}",
        "", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "settlements", "latest after"
    );
    let plain = watch("without a budget", &rules(""), customers);
    let budget = watch("500 places", &rules(", budget: { max: 500, rank: spend, margin: 10% }"), customers);
    println!("p99 with the budget against without: {:.2}", budget.as_secs_f64() / plain.as_secs_f64());
    percentiles(customers);
}

fn rules(budget: &str) -> Arc<Ruleset> {
    let text = format!(
        "ruleset: bench\ncurrency: EUR\ntimezone: UTC\nfeatures: {{ spend: {{ sum: purchase.amount, over: 365d }} }}\n\
         programmes: {{ big: {{ profile: value, grant: spend >= 1{budget} }} }}\n"
    );
    Arc::new(Ruleset::parse("bench", &text).expect("rules in order"))
}

/// Lets everybody qualify, then watches live traffic; returns the 99th percentile of how late events are.
fn watch(name: &str, rules: &Arc<Ruleset>, customers: u64) -> Duration {
    let mut traffic = Traffic::new(customers);
    let mut engine = Engine::new(Arc::clone(rules), "bench", TimeMode::Live, Home::ALONE);
    let mut outputs = Vec::new();
    let mut at = START;
    for first in (0..customers).step_by(10_000) {
        let records = (first..customers.min(first + 10_000)).map(|who| traffic.purchase(who, at)).collect();
        apply(&mut engine, records, at, &mut outputs);
        at = at.plus(Duration::from_millis(100));
    }
    let (begun, mut told) = (Instant::now(), 0);
    // Until everybody has been told.
    for _ in 0..30 {
        at = at.plus(Duration::from_secs(10));
        apply(&mut engine, Vec::new(), at, &mut outputs);
        told += said(&outputs);
        while engine.is_behind() {
            apply(&mut engine, Vec::new(), at, &mut outputs);
            told += said(&outputs);
        }
    }
    let took = begun.elapsed();
    let (mut late, mut latest) = (Vec::new(), Duration::ZERO);
    let begun = Instant::now();
    let (mut sent, settled) = (0, engine.stats().settlements);
    while begun.elapsed() < WATCHED {
        let now = begun.elapsed();
        let due = u64::try_from(now.as_nanos() * u128::from(RATE) / 1_000_000_000).expect("a short time");
        let count = due.saturating_sub(sent).min(10_000);
        let records = (0..count).map(|_| traffic.anybody(at.plus(now))).collect();
        let before = engine.stats().settlements;
        apply(&mut engine, records, at.plus(now), &mut outputs);
        std::thread::sleep(COMMIT);
        let done = begun.elapsed();
        if engine.stats().settlements > before {
            latest = latest.max(engine.stats().settlement_lag + done.saturating_sub(now));
        }
        let sent_at = |number: u64| Duration::from_nanos(number * 1_000_000_000 / RATE);
        late.extend((sent..sent + count).map(|number| done.saturating_sub(sent_at(number))));
        sent += count;
        if !engine.is_behind() {
            std::thread::sleep(LINGER.saturating_sub(begun.elapsed().saturating_sub(now)));
        }
    }
    late.sort_unstable();
    let part = |permille: usize| late[(late.len() - 1) * permille / 1_000];
    let ms = |span: Duration| format!("{:.2}", span.as_secs_f64() * 1e3);
    let settlements = engine.stats().settlements - settled;
    let after = if settlements == 0 { String::from("-") } else { format!("{} ms", latest.as_millis()) };
    let [p50, p99, p999, max] = [500, 990, 999, 1_000].map(|permille| ms(part(permille)));
    println!("{name:<26}{p50:>10}{p99:>10}{p999:>10}{max:>10}{settlements:>14}{after:>14}");
    if settlements > 0 {
        println!("  before: {told} were granted a place or listed at once, in {:.1} s of work", took.as_secs_f64());
        let begun = Instant::now();
        let head = engine.freeze().len();
        println!("  a snapshot begins in {} ms, with {head} bytes that are no customer's", begun.elapsed().as_millis());
    }
    part(990)
}

fn said(outputs: &[Output]) -> usize {
    let is_said = |output: &&Output| {
        let Output::Decision(decision) = output else { return false };
        matches!(decision.change, Change::Granted { .. } | Change::Waitlisted { .. })
    };
    outputs.iter().filter(is_said).count()
}

fn apply(engine: &mut Engine, records: Vec<Record>, at: EventTime, outputs: &mut Vec<Output>) {
    outputs.clear();
    engine.apply(Epoch { records, clock: at, wall: at, ..Epoch::default() }, outputs);
}

/// Purchases by a simple generator: amounts spread over several magnitudes.
struct Traffic {
    number: u64,
    dice: u64,
    customers: u64,
    spent: BTreeMap<u64, Decimal>,
}

impl Traffic {
    fn new(customers: u64) -> Self {
        Self { number: 0, dice: 1, customers, spent: BTreeMap::new() }
    }

    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.dice >> 33
    }

    fn anybody(&mut self, at: EventTime) -> Record {
        let who = self.roll() % self.customers;
        self.purchase(who, at)
    }

    fn purchase(&mut self, who: u64, at: EventTime) -> Record {
        let magnitude = u32::try_from(self.roll() % 4).expect("below four");
        let cents = 100 + self.roll() % (1_000 * 10_u64.pow(magnitude));
        self.number += 1;
        let (number, kind) = (self.number, Kind::Purchase);
        *self.spent.entry(who).or_default() += Decimal::new(i64::try_from(cents).expect("a price"), 2);
        let json = format!(
            r#"{{"event_id":"e{number}","customer_id":"c-{who:07}","occurred_at":{},"order_id":"o{number}","amount":"{}.{:02}","currency":"EUR","status":"completed"}}"#,
            at.0,
            cents / 100,
            cents % 100
        );
        let body = decode(kind, &RawRecord { value: Some(json.as_bytes()), ..RawRecord::default() });
        Record { position: Position { kind, partition: 0, offset: number }, merge_time: at, body }
    }
}

/// Percentiles as 1, 4 and 8 tasks find them, against those of the sorted values.
fn percentiles(customers: u64) {
    let text = "ruleset: bench\ncurrency: EUR\ntimezone: UTC\nfeatures: { spend: { sum: purchase.amount } }\n\
                labels:\n  half: \"spend >= percentile(spend, 0.5)\"\n  fifth: \"spend >= percentile(spend, 0.8)\"\n  \
                few: \"spend >= percentile(spend, 0.99)\"\n";
    let rules = Arc::new(Ruleset::parse("bench", text).expect("rules in order"));
    println!("\npercentiles of {customers} customers' spend");
    println!("{:<12}{:>14}{:>14}{:>14}", "", "0.5", "0.8", "0.99");
    let mut exact = Vec::new();
    for tasks in [1, 4, 8] {
        let mut traffic = Traffic::new(customers);
        let cuts = cuts(&rules, tasks, &mut traffic);
        if exact.is_empty() {
            let mut spent: Vec<Decimal> = traffic.spent.into_values().collect();
            spent.sort_unstable();
            exact = [500, 800, 990].map(|part| spent[(spent.len() * part).div_ceil(1_000) - 1]).to_vec();
            println!("{:<12}{:>14}{:>14}{:>14}", "exact", exact[0], exact[1], exact[2]);
        }
        println!("{:<12}{:>14}{:>14}{:>14}", format!("{tasks} tasks"), cuts[0], cuts[1], cuts[2]);
        for (cut, exact) in cuts.iter().zip(&exact) {
            assert!(*cut <= *exact && *exact < *cut * Decimal::new(101, 2), "{cut} is not within 1 % of {exact}");
        }
    }
}

/// Everybody buys once, midnight passes, and the settler tells every task.
fn cuts(rules: &Arc<Ruleset>, tasks: u32, traffic: &mut Traffic) -> Vec<Decimal> {
    let engine = |task| Engine::new(Arc::clone(rules), "bench", TimeMode::Event, Home { task, tasks });
    let mut engines: Vec<Engine> = (0..tasks).map(engine).collect();
    let mut records: Vec<Vec<Record>> = engines.iter().map(|_| Vec::new()).collect();
    for who in 0..traffic.customers {
        let record = traffic.purchase(who, START);
        let customer = record.body.as_ref().ok().and_then(|event| event.customer.clone()).expect("a customer");
        records[Home { task: 0, tasks }.of(&customer) as usize].push(record);
    }
    let midnight = EventTime(START.0 - START.0.rem_euclid(DAY_MS) + DAY_MS);
    let mut under_way: Vec<(u32, Effect)> = Vec::new();
    let mut outputs = Vec::new();
    for step in 0..4 {
        let clock = midnight.plus(Duration::from_secs(step));
        for (task, engine) in (0..).zip(&mut engines) {
            let (mine, others): (Vec<_>, Vec<_>) = under_way.into_iter().partition(|(to, _)| *to == task);
            under_way = others;
            let effects = mine.into_iter().map(|(_, effect)| effect).collect();
            let records = std::mem::take(&mut records[task as usize]);
            engine.apply(Epoch { effects, records, clock, wall: clock }, &mut outputs);
            outputs.clear();
            under_way.extend(engine.take_effects());
        }
    }
    let found: Vec<Vec<Decimal>> = engines.iter().map(|engine| engine.percentiles().flatten().collect()).collect();
    assert!(found.iter().all(|cuts| *cuts == found[0]), "every task goes by the same");
    found.into_iter().next().expect("a task")
}

const RATE: u64 = 5_000;
const WATCHED: Duration = Duration::from_secs(45);
const LINGER: Duration = Duration::from_millis(5);
/// Stands in for committing an epoch.
const COMMIT: Duration = Duration::from_millis(20);
const DAY_MS: i64 = 86_400_000;
/// 2025-06-01T12:00:00Z, on a settlement.
const START: EventTime = EventTime(1_748_779_200_000);
