//! From sending an event to seeing what was decided on it, committed: the service beside a pass-through, at the same
//! rate and linger.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vipstream::model::event::Kind;

use crate::passing::{self, Share};
use crate::shop::{Shop, rules};
use crate::steady;
use crate::throughput::cpu_seconds;

/// Measures both at each rate.
pub fn measure(bootstrap: &str, shrink: u32) {
    let seconds = if shrink > 1 { 5 } else { 20 };
    println!(
        "\nlatency: send to committed alert, 2 % of events alert, linger 5 ms, {seconds} s after 5 s of warming up"
    );
    println!("{:<48}{:>12}{:>12}{:>12}{:>16}", "", "median ms", "p99 ms", "alerts", "CPU s per M");
    for rate in [5_000, 20_000] {
        let passed = run(bootstrap, rate, seconds, "pass-through", |shop, stop| {
            let share = Share::Of(Kind::Mention);
            passing::pass(shop, share, Duration::from_millis(5), Some(stop));
        });
        let decided = run(bootstrap, rate, seconds, "vipstream", |shop, stop| {
            let running = vipstream::app::start(&shop.config(&shop.app, ""), rules()).expect("a start");
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
            running.stop();
            running.join().expect("a run without fault");
        });
        println!(
            "at {rate}/s: median {:.2}, p99 {:.2} times the pass-through's",
            decided.0 / passed.0,
            decided.1 / passed.1
        );
    }
}

/// Feeds, runs and listens; says median and p99 in milliseconds.
fn run(bootstrap: &str, rate: u64, seconds: u64, name: &str, serve: impl Fn(&Shop, &AtomicBool) + Sync) -> (f64, f64) {
    let shop = Shop::open(bootstrap, "latency", &[Kind::Purchase, Kind::Mention]);
    let stop = AtomicBool::new(false);
    let topic = shop.topic(if name == "vipstream" { "alerts" } else { "through" });
    let (mut spans, cpu) = std::thread::scope(|scope| {
        let listener = scope.spawn(|| listen(bootstrap, &topic, &stop));
        let feeder = scope.spawn(|| steady::feed(&shop, rate, CUSTOMERS, &stop));
        let server = scope.spawn(|| serve(&shop, &stop));
        std::thread::sleep(WARMING);
        let cpu = cpu_seconds();
        std::thread::sleep(Duration::from_secs(seconds));
        let cpu = cpu_seconds() - cpu;
        stop.store(true, Ordering::Relaxed);
        server.join().expect("a server that ends well");
        feeder.join().expect("a feeder that ends well");
        (listener.join().expect("a listener that ends well"), cpu)
    });
    spans.sort_unstable();
    let at = |share: usize| spans.get(spans.len() * share / 100).copied().unwrap_or_default().as_secs_f64() * 1e3;
    #[expect(clippy::cast_precision_loss, reason = "a few million")]
    let millions = (rate * seconds) as f64 / 1e6;
    let name = format!("{name}, {rate} events/s");
    println!("{name:<48}{:>12.1}{:>12.1}{:>12}{:>16.1}", at(50), at(99), spans.len(), cpu / millions);
    (at(50), at(99))
}

/// Notes how long ago what comes out was sent.
fn listen(bootstrap: &str, topic: &str, stop: &AtomicBool) -> Vec<Duration> {
    let started = Instant::now();
    let mut spans = Vec::new();
    steady::listen(bootstrap, topic, stop, |sent| {
        if started.elapsed() > WARMING {
            spans.push(Duration::from_micros(steady::now_micros().saturating_sub(sent)));
        }
    });
    spans
}

const WARMING: Duration = Duration::from_secs(5);

/// Whose events they are.
const CUSTOMERS: u64 = 131_072;
