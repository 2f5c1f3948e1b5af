//! A backlog of the mixed workload, read through as fast as it goes.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use vipstream::load::{Generated, Load, Shape};
use vipstream::model::event::Kind;

use crate::passing::{self, Share};
use crate::shop::{Shop, TASKS, rules};
use crate::topics;

const KINDS: [Kind; 5] = [Kind::Purchase, Kind::Csat, Kind::Mention, Kind::Referral, Kind::Presence];

/// Measures each way of reading the same topics.
pub fn measure(bootstrap: &str, shrink: u32) {
    let events = 4_000_000 / u64::from(shrink);
    let shape = Shape { events, customers: 786_000 / shrink, ..Shape::default() };
    let shop = Shop::open(bootstrap, "backlog", &KINDS);
    let bytes = fill(&shop, shape.flawless());
    println!(
        "\nbacklog: {events} events, {} bytes each, 5 topics of {TASKS} partitions, {TASKS} tasks in one process",
        bytes / events
    );
    println!("{:<48}{:>12}{:>16}{:>10}", "", "events/s", "CPU s per M", "outputs");
    let reading = timed("reading alone", events, || passing::read(&shop, false));
    timed("reading and decoding", events, || passing::read(&shop, true));
    let mut outputs = 0;
    let service = timed("vipstream", events, || {
        run_service(&shop, &shop.app, events, "");
        outputs = outputs_of(&shop);
        outputs
    });
    let share = (events / outputs.max(1)).max(1);
    let through = timed("transactional pass-through, as many outputs", events, || {
        passing::pass(&shop, Share::OneIn(share), Duration::from_millis(5), None);
        events / share
    });
    println!(
        "vipstream costs {:.2} times the pass-through's CPU, {:.2} times reading's",
        service / through,
        service / reading
    );
}

/// Runs the service, under a name and with more configuration, until the group's offsets have reached the end of every
/// input.
pub fn run_service(shop: &Shop, app: &str, events: u64, more: &str) {
    let running = vipstream::app::start(&shop.config(app, more), rules()).expect("a start");
    let watcher: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &shop.bootstrap)
        .set("group.id", app)
        .set("isolation.level", "read_uncommitted")
        .create()
        .expect("a consumer");
    while read_so_far(&watcher, shop) < events {
        std::thread::sleep(Duration::from_millis(50));
    }
    running.stop();
    running.join().expect("a run without fault");
}

fn read_so_far(watcher: &BaseConsumer, shop: &Shop) -> u64 {
    let mut list = TopicPartitionList::new();
    for kind in &shop.kinds {
        list.add_partition_range(&shop.topic(kind.name()), 0, i32::try_from(TASKS).expect("few tasks") - 1);
    }
    let Ok(committed) = watcher.committed_offsets(list, Duration::from_secs(10)) else { return 0 };
    let offsets = committed.elements().into_iter().map(|element| match element.offset() {
        Offset::Offset(offset) => u64::try_from(offset).unwrap_or_default(),
        _ => 0,
    });
    offsets.sum()
}

fn outputs_of(shop: &Shop) -> u64 {
    let mut count = 0;
    for name in ["events", "alerts"] {
        topics::each(&shop.bootstrap, &shop.topic(name), |_| count += 1);
    }
    count
}

/// Runs, prints a line, and says the CPU seconds per million events.
pub fn timed(name: &str, events: u64, run: impl FnOnce() -> u64) -> f64 {
    let (cpu, started) = (cpu_seconds(), Instant::now());
    let outputs = run();
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    #[expect(clippy::cast_precision_loss, reason = "a few million")]
    let millions = events as f64 / 1e6;
    println!("{name:<48}{:>12.0}{:>16.2}{outputs:>10}", millions * 1e6 / seconds, cpu / millions);
    cpu / millions
}

/// User and system time of this process, by `/proc/self/stat` (Linux).
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("time is measured on Linux");
    let (_, fields) = stat.rsplit_once(") ").expect("the command's name ends in a bracket");
    let ticks: f64 = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}

/// Linux tells user space in hundredths of a second, whatever its own tick.
const TICKS_PER_SECOND: f64 = 100.0;

fn fill(shop: &Shop, shape: Shape) -> u64 {
    let producer = topics::producer(&shop.bootstrap);
    let bar = ProgressBar::new(shape.events);
    let mut load = Load::new(shape);
    let (mut record, mut bytes) = (Generated::default(), 0);
    while load.next_into(&mut record) {
        let key = record.key.as_ref().map_or(&b"unknown"[..], |id| id.as_str().as_bytes());
        topics::send(&producer, &shop.topic(record.kind.name()), None, Some(key), Some(&record.json));
        bytes += record.json.len() as u64;
        bar.inc(1);
    }
    topics::flush(&producer);
    bar.finish_and_clear();
    bytes
}
