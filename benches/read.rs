//! Reading alone: a topic from a real broker into a sink that does nothing, by a task's reader and by the crate's poll.
//!
//! A plain program rather than a harness: it measures long runs, each on the same broker.
//! `tests/run --release --bench read`; with `-- --quick` a twentieth of it.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use vipstream::broker::group::Member;
use vipstream::broker::kafka::Kafka;
use vipstream::broker::{Broker, Fetched, Partition};
use vipstream::config::Config;
use vipstream::model::event::Kind;

#[path = "../tests/support/kafka.rs"]
mod kafka;
#[path = "support/machine.rs"]
mod machine;
#[path = "../tests/support/topics.rs"]
#[expect(dead_code, reason = "tests need the rest")]
mod topics;

fn main() {
    let shrink = if std::env::args().any(|arg| arg == "--quick") { 20 } else { 1 };
    let records = 4_000_000 / shrink;
    machine::print();
    println!("load: {records} records of {BYTES} bytes in {PARTITIONS} partitions");
    let topic = kafka::unique("read");
    fill(&topic, records);
    println!("\n{:<36}{:>14}{:>14}{:>26}", "", "records/s", "CPU s per M", "of it the calling thread");
    for _ in 0..ROUNDS {
        measure("the crate's poll, a record a call", records, || poll(&topic, records));
        measure("a task's reader", records, || read(&topic, records));
    }
}

fn fill(topic: &str, records: u32) {
    topics::create(kafka::bootstrap(), topic, PARTITIONS.cast_signed());
    let producer = topics::producer(kafka::bootstrap());
    for n in 0..records {
        topics::send(&producer, topic, None, Some(format!("c-{n:08}").as_bytes()), Some(&[b'x'; BYTES]));
    }
    topics::flush(&producer);
}

fn read(topic: &str, records: u32) {
    let text = format!(
        "app: bench
kafka: {{ bootstrap.servers: \"{}\" }}
tasks: 1
rules: rules.yaml
snapshots: off
inputs: {{ purchase: {{ topic: {topic} }} }}",
        kafka::bootstrap()
    );
    let config = Config::parse("bench.yaml", &text, Path::new("."), []).expect("a good configuration");
    let mut broker = Kafka::open(&config, 0, Member::default()).expect("a client");
    let positions: BTreeMap<_, _> =
        (0..PARTITIONS).map(|number| (Partition::Input(Kind::Purchase, number), 0)).collect();
    broker.read_from(&positions).expect("the topic is there");
    let mut left = records;
    while left > 0 {
        let sink = &mut |_, fetched: Fetched<'_>| {
            if let Fetched::Record { raw, .. } = fetched {
                black_box(raw.value);
                left -= 1;
            }
        };
        broker.fetch(WAIT, BATCH, sink).expect("the broker answers");
    }
}

fn poll(topic: &str, records: u32) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka::bootstrap())
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "10")
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition.cast_signed(), Offset::Beginning).expect("an offset");
    }
    consumer.assign(&list).expect("the topic is there");
    let mut left = records;
    while left > 0 {
        if let Some(record) = consumer.poll(WAIT) {
            black_box(record.expect("the broker answers").payload());
            left -= 1;
        }
    }
}

fn measure(name: &str, records: u32, run: impl FnOnce()) {
    let (begun, all, own) = (Instant::now(), cpu_seconds("self"), cpu_seconds("thread-self"));
    run();
    let (wall, all, own) = (begun.elapsed().as_secs_f64(), cpu_seconds("self") - all, cpu_seconds("thread-self") - own);
    let millions = f64::from(records) / 1e6;
    println!("{name:<36}{:>14.0}{:>14.3}{:>26.3}", millions * 1e6 / wall, all / millions, own / millions);
}

/// User and system time of this process or thread, by `/proc` (Linux).
fn cpu_seconds(whose: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{whose}/stat")).expect("time is measured on Linux");
    let (_, fields) = stat.rsplit_once(") ").expect("the command's name ends in a bracket");
    let ticks: f64 = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_SECOND
}

const PARTITIONS: u32 = 4;
const BYTES: usize = 223;
const ROUNDS: u32 = 3;

/// As a task fetches.
const BATCH: usize = 10_000;
const WAIT: Duration = Duration::from_millis(100);

/// Linux tells user space in hundredths of a second, whatever its own tick.
const TICKS_PER_SECOND: f64 = 100.0;
