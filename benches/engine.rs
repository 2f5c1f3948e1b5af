//! The engine alone: events of the mixed workload, decoded beforehand, on one thread; and what a customer costs
//! in memory.
//!
//! A plain program rather than a harness: it measures one long run with a growing state, not many short ones.
//! `cargo bench --bench engine`; with `-- --quick` a twentieth of it, with `-- --speed` no memory.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use traffic::{Traffic, processor_time, resident_bytes};
use vipstream::engine::{Engine, Home, TimeMode};
use vipstream::load::Shape;
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
    let (whole, plain) = (rules(SHOP), rules(&without_labels(SHOP)));
    if is_given(MEMORY_PLAIN) {
        return print_memory("engine, 4 programmes, 3 alerts", shrink, &plain);
    }
    if is_given(MEMORY_WHOLE) {
        return print_memory("engine, 3 labels as well (shop.yaml)", shrink, &whole);
    }
    machine::print();
    println!("load: 60 % purchase, 15 % presence, 10 % csat, 10 % mention, 5 % referral over 400 days");

    let shape = Shape { events: 4_000_000 / shrink, customers: customers(786_000, shrink), ..Shape::default() };
    println!("\nspeed: {} events of {} customers, Zipf {}", shape.events, shape.customers, shape.zipf);
    println!("{:<44}{:>12}{:>12}{:>12}", "processor time", "events/s", "ns/event", "outputs");
    let (decoding, applying) = run(&shape, &plain).rates();
    print_speed("decoding the same events", &decoding);
    print_speed("engine, 4 programmes, 3 alerts", &applying);
    print_speed("engine, 3 labels as well (shop.yaml)", &run(&shape, &whole).rates().1);

    if is_given("--speed") {
        return;
    }
    println!("\nmemory: {} customers, all alike, with ten events each on average", customers(1_000_000, shrink));
    println!("{:<44}{:>12}{:>12}{:>12}", "", "customers", "MiB", "bytes each");
    [MEMORY_PLAIN, MEMORY_WHOLE].into_iter().for_each(in_a_fresh_process);
}

/// Memory given back by one run would hide what the next one takes: each is measured in a process of its own.
fn in_a_fresh_process(flag: &str) {
    let this = std::env::current_exe().expect("a running program has a file");
    let status = Command::new(this).args(std::env::args().skip(1)).arg(flag).status();
    assert!(status.is_ok_and(|status| status.success()), "{flag} failed");
}

/// What one run took.
#[derive(Default)]
struct Run {
    events: u64,
    customers: u64,
    outputs: u64,
    decoding: Duration,
    applying: Duration,
    /// Resident memory that the engine added, in bytes.
    growth: u64,
}

struct Speed {
    events: u64,
    outputs: Option<u64>,
    time: Duration,
}

impl Run {
    fn rates(&self) -> (Speed, Speed) {
        let decoding = Speed { events: self.events, outputs: None, time: self.decoding };
        (decoding, Speed { events: self.events, outputs: Some(self.outputs), time: self.applying })
    }
}

/// Makes, decodes and applies the load, epoch by epoch, timing each part by itself.
fn run(shape: &Shape, rules: &Arc<Ruleset>) -> Run {
    let mut traffic = Traffic::new(shape);
    let mut outputs = Vec::new();
    let mut run = Run::default();
    let mut more = traffic.generate();
    let before = resident_bytes();
    let mut engine = Engine::new(rules.clone(), "bench", TimeMode::Event, Home::ALONE);
    while more {
        let begun = processor_time();
        let epoch = traffic.decode();
        run.decoding += processor_time().saturating_sub(begun);
        run.events += epoch.records.len() as u64;

        let begun = processor_time();
        engine.apply(epoch, &mut outputs);
        run.outputs += outputs.len() as u64;
        outputs.clear();
        run.applying += processor_time().saturating_sub(begun);
        more = traffic.generate();
    }
    run.growth = resident_bytes().saturating_sub(before);
    run.customers = engine.stats().customers;
    run
}

fn print_speed(name: &str, speed: &Speed) {
    let nanos = speed.time.as_nanos() / u128::from(speed.events.max(1));
    let per_second = 1_000_000_000 / nanos.max(1);
    let outputs = speed.outputs.map_or_else(String::new, |outputs| outputs.to_string());
    println!("{name:<44}{per_second:>12}{nanos:>12}{outputs:>12}");
}

fn print_memory(name: &str, shrink: u64, rules: &Arc<Ruleset>) {
    let customers = customers(1_000_000, shrink);
    let shape = Shape { events: u64::from(customers) * 10, customers, zipf: 0.0, ..Shape::default() };
    let run = run(&shape, rules);
    let each = run.growth / run.customers.max(1);
    println!("{name:<44}{:>12}{:>12}{each:>12}", run.customers, run.growth >> 20);
}

fn rules(text: &str) -> Arc<Ruleset> {
    Arc::new(Ruleset::parse("shop.yaml", text).expect("the example rules are tested"))
}

/// The rules without the section `labels`, which the stated workload does not have.
fn without_labels(text: &str) -> String {
    let (before, labels) = text.split_once("\nlabels:").expect("the example rules have labels");
    let (_, after) = labels.split_once("\nalerts:").expect("alerts follow labels in the example rules");
    format!("{before}\nalerts:{after}")
}

fn customers(number: u32, shrink: u64) -> u32 {
    number / u32::try_from(shrink).expect("a small factor")
}

const SHOP: &str = include_str!("../deploy/examples/shop.yaml");
const MEMORY_PLAIN: &str = "--memory-plain";
const MEMORY_WHOLE: &str = "--memory-whole";
