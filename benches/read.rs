//! Reading alone: records from a real broker into a sink that does nothing, against the crate's poll.
//!
//! A plain program rather than a harness: it measures long runs on a broker, each once.
//! `tests/run --release --bench read`; with `-- --quick` a twentieth of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::BaseRecord;
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
#[expect(dead_code, reason = "tests use the rest")]
#[path = "../tests/support/topics.rs"]
mod topics;

fn main() {
    let shrink = if std::env::args().any(|arg| arg == "--quick") { 20 } else { 1 };
    let each = 1_000_000 / shrink;
    let topic = kafka::unique("read");
    machine::print();
    println!("load: {PARTITIONS} partitions of {each} records of {BYTES} bytes");
    fill(&topic, each);

    println!("\n{:<44}{:>12}{:>16}{:>12}", "", "records/s", "CPU s/M", "peak MiB");
    for _ in 0..3 {
        measure("the crate's poll, one record a call", each, || poll(&topic, each));
        let kafka = open(&topic, "");
        measure("the task's reader", each, || read(kafka, each));
    }
}

fn fill(topic: &str, each: u64) {
    topics::create(kafka::bootstrap(), topic, PARTITIONS);
    let producer = topics::producer(kafka::bootstrap());
    let value = vec![b'x'; BYTES];
    for n in 0..each * PARTITIONS as u64 {
        let key = format!("c-{n:08}");
        let partition = (n % PARTITIONS as u64) as i32;
        let mut record = BaseRecord::to(topic).key(&key).payload(&value).partition(partition);
        while let Err((_, refused)) = producer.send(record) {
            producer.poll(Duration::from_millis(10));
            record = refused;
        }
    }
    topics::flush(&producer);
}

fn open(topic: &str, properties: &str) -> Kafka {
    let text = format!(
        "app: bench\nkafka: {{ bootstrap.servers: \"{}\"{properties} }}\ntasks: 1\nrules: rules.yaml\ninputs: {{ purchase: {{ topic: {topic} }} }}",
        kafka::bootstrap()
    );
    let config = Config::parse("bench.yaml", &text, Path::new("."), []).expect("a good configuration");
    Kafka::open(&config, 0, Member::default()).expect("a client")
}

fn read(mut kafka: Kafka, each: u64) {
    let partitions = 0..u32::try_from(PARTITIONS).expect("few");
    let positions: BTreeMap<_, _> = partitions.map(|number| (Partition::Input(Kind::Purchase, number), 0)).collect();
    kafka.read_from(&positions).expect("the topic is there");
    let mut left = each * PARTITIONS as u64;
    while left > 0 {
        let sink = &mut |_, fetched: Fetched<'_>| left -= u64::from(matches!(fetched, Fetched::Record { .. }));
        kafka.fetch(Duration::from_millis(100), 10_000, sink).expect("the broker answers");
    }
}

fn poll(topic: &str, each: u64) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka::bootstrap()).set("group.id", "bench").set("enable.auto.commit", "false");
    config.set("isolation.level", "read_committed").set("fetch.queue.backoff.ms", "10");
    config.set("queued.max.messages.kbytes", "16384");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&list).expect("the topic is there");
    let mut left = each * PARTITIONS as u64;
    while left > 0 {
        if let Some(record) = consumer.poll(Duration::from_millis(100)) {
            std::hint::black_box(record.expect("the broker answers").payload());
            left -= 1;
        }
    }
}

fn measure(name: &str, each: u64, run: impl FnOnce()) {
    let records = (each * PARTITIONS as u64) as f64;
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    run();
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!("{name:<44}{:>12.0}{:>16.3}", records / wall, cpu / records * 1e6);
}

/// Processor time of all threads of this process, by `/proc/self/stat` (Linux).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("time is measured on Linux");
    let (_, fields) = stat.rsplit_once(") ").expect("the name comes second");
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("ticks")).sum();
    ticks as f64 / 100.0
}

const PARTITIONS: i32 = 4;
const BYTES: usize = 223;
