//! The engine's image: what a customer takes in memory and encoded, what encoding, digests and restoring cost, and what
//! an epoch costs while a state is frozen against without, in the same run.
//!
//! `cargo bench --bench image`; with `-- --quick` a twentieth of it.

use std::sync::Arc;
use std::time::Duration;

use traffic::{Traffic, processor_time, resident_bytes};
use vipstream::engine::{Engine, Home, TimeMode};
use vipstream::load::Shape;
use vipstream::model::record::Epoch;
use vipstream::rules::ruleset::Ruleset;

#[path = "support/machine.rs"]
mod machine;
#[path = "support/traffic.rs"]
mod traffic;

/// The same as in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let shrink = if std::env::args().any(|arg| arg == "--quick") { 20 } else { 1 };
    let rules = Ruleset::parse("shop.yaml", include_str!("../deploy/examples/shop.yaml")).expect("a tested example");
    let rules = Arc::new(rules);
    machine::print();
    let customers = 1_000_000 / shrink;
    // The events after ten each are for the epochs that are compared.
    let events = u64::from(customers) * 10 + COMPARED * 10_000;
    let shape = Shape { events, customers, zipf: 0.0, ..Shape::default() };
    let mut traffic = Traffic::new(&shape);

    let (before, mut engine) = (resident_bytes(), Engine::new(rules.clone(), "bench", TimeMode::Event, Home::ALONE));
    let mut applied = 0;
    while applied < events - COMPARED * 10_000 && traffic.generate() {
        let epoch = traffic.decode();
        applied += epoch.records.len() as u64;
        engine.apply(epoch, &mut Vec::new());
    }
    let known = engine.stats().customers;
    println!("\nstate: {known} customers, all alike, with ten events each on average; rules of shop.yaml");
    println!("{:<48}{:>12}{:>16}", "", "seconds", "ns a customer");
    let grown = resident_bytes().saturating_sub(before);
    let image = image(&mut engine, known);
    let digest = timed("digest of the whole", known, || engine.digest());
    let bytes: usize = image.1.iter().map(Vec::len).sum();
    let (before, again) = (resident_bytes(), restored(&rules, &image, known));
    let restored = resident_bytes().saturating_sub(before);
    assert!(again.digest() == digest && image.2 == digest, "the digests differ");
    drop((again, image.1));
    let each = |bytes: u64| bytes / known;
    println!("{:<48}{:>12}", "bytes a customer: in memory", each(grown));
    println!("{:<48}{:>12}", "in memory after a restore", each(restored));
    println!("{:<48}{:>12}", "encoded", each(bytes as u64));
    compare(&mut engine, &mut traffic);
}

/// Head, blocks and digest.
type Image = (Vec<u8>, Vec<Vec<u8>>, u128);

fn image(engine: &mut Engine, known: u64) -> Image {
    let head = engine.freeze();
    let (mut blocks, mut digest) = (vec![Vec::new()], 0);
    timed("encode", known, || {
        while let Some(encoded) = engine.encode(256, blocks.last_mut().expect("a block")) {
            digest = encoded.digest;
            if blocks.last().is_some_and(|block| block.len() > 1 << 20) {
                blocks.push(Vec::with_capacity(9 << 17));
            }
        }
    });
    (head, blocks, digest)
}

fn restored(rules: &Arc<Ruleset>, (head, blocks, _): &Image, known: u64) -> Engine {
    timed("restore", known, || {
        let mut engine = Engine::restore(rules.clone(), "bench", TimeMode::Event, Home::ALONE, head).expect("a head");
        for block in blocks {
            engine.admit(block).expect("a block");
        }
        engine
    })
}

/// Epochs in turn without anything frozen, right after freezing (every customer that they touch is saved first), and
/// while one image is encoded a little after each.
fn compare(engine: &mut Engine, traffic: &mut Traffic) {
    let (mut plain, mut fresh, mut writing) = <(Times, Times, Times)>::default();
    let mut block = Vec::new();
    let (mut samples, mut events) = (Duration::ZERO, 0);
    for turn in 0..COMPARED {
        if !traffic.generate() {
            break;
        }
        let epoch = traffic.decode();
        events += epoch.records.len();
        match turn % 3 {
            0 => plain.add(|| apply(engine, epoch)),
            1 => {
                engine.freeze();
                fresh.add(|| apply(engine, epoch));
                engine.thaw();
            }
            _ => {
                engine.freeze();
                block.clear();
                engine.encode(usize::try_from(engine.stats().customers / 2).expect("customers"), &mut block);
                writing.add(|| apply(engine, epoch));
                engine.thaw();
            }
        }
        let begun = processor_time();
        std::hint::black_box(engine.sample_digest());
        samples += processor_time().saturating_sub(begun);
    }
    println!("\nepochs of 10,000 events, in turn; ratio to those without anything frozen");
    plain.print("nothing frozen", &plain);
    fresh.print("all frozen, nothing encoded yet", &plain);
    writing.print("all frozen, half of it encoded", &plain);
    println!("{:<48}{:>9} ns an event", "sample digest", samples.as_nanos() / (events.max(1) as u128));
}

fn apply(engine: &mut Engine, epoch: Epoch) {
    engine.apply(epoch, &mut Vec::new());
}

#[derive(Default)]
struct Times {
    time: Duration,
    epochs: u32,
}

impl Times {
    fn add(&mut self, run: impl FnOnce()) {
        let begun = processor_time();
        run();
        self.time += processor_time().saturating_sub(begun);
        self.epochs += 1;
    }

    fn each(&self) -> Duration {
        self.time / self.epochs.max(1)
    }

    fn print(&self, name: &str, plain: &Self) {
        let ratio = self.each().as_secs_f64() / plain.each().as_secs_f64();
        println!("{name:<48}{:>9.2} ms{ratio:>10.2}", self.each().as_secs_f64() * 1e3);
    }
}

fn timed<T>(name: &str, customers: u64, run: impl FnOnce() -> T) -> T {
    let begun = processor_time();
    let result = run();
    let time = processor_time().saturating_sub(begun);
    println!("{name:<48}{:>12.3}{:>16}", time.as_secs_f64(), time.as_nanos() / u128::from(customers));
    result
}

/// Epochs that are compared.
const COMPARED: u64 = 90;
