//! What snapshots cost while they are written, and how soon a process that was killed while busy decides again: the
//! built binary on a real Apache Kafka, with many customers in memory.
//!
//! `tests/run --release --bench snapshots` (it fetches Kafka), with `-- --customers 10000000` for so many. What is
//! written and what is not is compared within one run.

#[path = "../tests/support/kafka.rs"]
mod kafka;
#[path = "support/machine.rs"]
mod machine;
#[path = "support/service.rs"]
mod service;
#[path = "support/shop.rs"]
#[expect(dead_code, reason = "the other bench needs the rest")]
mod shop;
#[path = "support/steady.rs"]
mod steady;
#[path = "../tests/support/topics.rs"]
#[expect(dead_code, reason = "tests need the rest")]
mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use service::{Service, size_of};
use shop::Shop;
use vipstream::model::event::Kind;

/// Purchases of each customer before anything is measured.
const PURCHASES: u64 = 2;

/// Events a second while latency is measured, and while the process is killed.
const RATE: u64 = 5_000;

/// Events that wait when throughput is measured.
const BACKLOG: u64 = 10_000_000;

/// How long latency is measured.
const SPAN: Duration = Duration::from_mins(1);

fn main() {
    let mut args = std::env::args().skip_while(|arg| arg != "--customers").skip(1);
    let customers = args.next().map_or(1_000_000, |text| text.parse().expect("--customers is followed by a number"));
    machine::print();
    let shop = Shop::open(kafka::bootstrap(), "snapshots", &[Kind::Purchase, Kind::Mention]);
    println!("{customers} customers of {PURCHASES} purchases each, {} tasks", shop::TASKS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    fill(&shop, customers, customers * PURCHASES);

    let service = Service::start(&shop, folder.path());
    while service.records_and_under_way().0 < approximately(customers * PURCHASES) {
        std::thread::sleep(Duration::from_millis(200));
    }
    throughput(&shop, &service, customers);
    latency(&shop, &service, customers);
    restart(&shop, service, customers);
}

/// Reads a backlog through, with snapshots as often as may be.
fn throughput(shop: &Shop, service: &Service, customers: u64) {
    let before = service.records_and_under_way().0;
    // Shorter than the group's session: it stays a member.
    service.signal("-STOP");
    fill(shop, customers, BACKLOG);
    service.signal("-CONT");
    let mut written = (0.0, 0.0);
    let mut last = (Instant::now(), before);
    while last.1 < before + approximately(BACKLOG) {
        std::thread::sleep(Duration::from_millis(200));
        let (records, under_way) = service.records_and_under_way();
        let now = Instant::now();
        if under_way > 0.0 {
            written = (written.0 + records - last.1, written.1 + (now - last.0).as_secs_f64());
        }
        last = (now, records);
    }
    // It stands still meanwhile, so that both have the machine to themselves.
    service.signal("-STOP");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let other = Service::without_snapshots(shop, folder.path());
    let wait_for = |records: u64| {
        while other.records_and_under_way().0 < approximately(records) {
            std::thread::sleep(Duration::from_millis(50));
        }
        (Instant::now(), other.records_and_under_way().0)
    };
    let (begun, ended) = (wait_for(customers * PURCHASES), wait_for(customers * PURCHASES + BACKLOG));
    other.end();
    service.signal("-CONT");
    let without = (ended.1 - begun.1) / (ended.0 - begun.0).as_secs_f64();
    let with = written.0 / written.1;
    println!(
        "throughput: {with:.0} events/s while snapshots were under way ({:.0} s), {without:.0} without any: {:.2}",
        written.1,
        with / without
    );
}

/// Sends at a steady rate, and parts the alerts by whether a snapshot was under way when they came.
fn latency(shop: &Shop, service: &Service, customers: u64) {
    let stop = AtomicBool::new(false);
    let is_under_way = AtomicBool::new(false);
    let mut spans: [Vec<u64>; 2] = Default::default();
    std::thread::scope(|scope| {
        scope.spawn(|| steady::feed(shop, RATE, customers, &stop));
        scope.spawn(|| {
            let started = Instant::now();
            while started.elapsed() < SPAN {
                is_under_way.store(service.records_and_under_way().1 > 0.0, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(100));
            }
            stop.store(true, Ordering::Relaxed);
        });
        let started = Instant::now();
        steady::listen(&shop.bootstrap, &shop.topic("alerts"), &stop, |sent| {
            if started.elapsed() > Duration::from_secs(3) {
                let under_way = usize::from(is_under_way.load(Ordering::Relaxed));
                spans[under_way].push(steady::now_micros().saturating_sub(sent));
            }
        });
    });
    let [without, with] = spans.map(|mut spans| {
        spans.sort_unstable();
        let at = |share: usize| spans.get(spans.len() * share / 100).copied().unwrap_or_default();
        (approximately(at(50)) / 1e3, approximately(at(99)) / 1e3, spans.len())
    });
    println!(
        "latency at {RATE}/s: {:.0}/{:.0} ms (median/p99 of {} alerts) while no snapshot was under way",
        without.0, without.1, without.2
    );
    println!(
        "    {:.0}/{:.0} ms ({} alerts) while one was: median {:.2}, p99 {:.2} times as long",
        with.0,
        with.1,
        with.2,
        with.0 / without.0,
        with.1 / without.1
    );
}

/// Kills the service in the middle of its work, and measures until the next one, which has only the snapshots, decides.
fn restart(shop: &Shop, service: Service, customers: u64) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let feeder = scope.spawn(|| steady::feed(shop, RATE, customers, &stop));
        std::thread::sleep(Duration::from_secs(10));
        let (resident, published) = (service.resident(), service.published());
        let folder = service.kill();
        let disk = size_of(&folder.join("store"));
        let started = Instant::now();
        let since = steady::now_micros();
        let next = Service::start(shop, &folder);
        let (first, heard) = mpsc::channel();
        let is_heard = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_heard);
        scope.spawn(move || {
            steady::listen(&shop.bootstrap, &shop.topic("alerts"), &over, |sent| {
                if sent > since {
                    // Only the first counts.
                    let _ = first.send(());
                }
            });
        });
        heard.recv().expect("an alert");
        let took = started.elapsed();
        is_heard.store(true, Ordering::Relaxed);
        println!(
            "killed while busy: {:.2} s from the start of the next process to the first alert on an event sent after \
             it; its slowest task restored in {:.2} s",
            took.as_secs_f64(),
            next.slowest_restore()
        );
        println!(
            "{:.0} bytes a customer in memory; on disk {:.0} a snapshot ({published} published, the newest few kept)",
            approximately(resident) / approximately(customers),
            approximately(disk.bytes) / approximately(customers) * f64::from(shop::TASKS)
                / approximately(disk.manifests)
        );
        stop.store(true, Ordering::Relaxed);
        feeder.join().expect("a feeder that ends well");
        next.end();
    });
}

/// Sends so many purchases, each customer's in turn.
fn fill(shop: &Shop, customers: u64, purchases: u64) {
    let producer = topics::producer(&shop.bootstrap);
    let topic = shop.topic("purchase");
    let bar = ProgressBar::new(purchases);
    let now = steady::now_micros();
    for number in 0..purchases {
        // Spread out, so that neighbours in the topic are none in memory.
        let customer = format!("c{}", number.wrapping_mul(48_271) % customers);
        let value = format!(
            r#"{{"event_id":"f{now}-{number}","customer_id":"{customer}","occurred_at":{},"order_id":"f{now}-{number}","amount":"12.30","currency":"EUR","status":"completed"}}"#,
            now / 1_000
        );
        topics::send(&producer, &topic, None, Some(customer.as_bytes()), Some(value.as_bytes()));
        if number % 1_000 == 0 {
            bar.inc(1_000);
        }
    }
    topics::flush(&producer);
    bar.finish_and_clear();
}

#[expect(clippy::cast_precision_loss, reason = "figures to be read by people")]
fn approximately(number: u64) -> f64 {
    number as f64
}
