//! From sending an event to seeing what was decided on it, committed: the service beside a pass-through, at the same
//! rate and linger.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use vipstream::model::event::Kind;

use crate::passing::{self, Share};
use crate::shop::{Shop, TASKS, rules};
use crate::throughput::cpu_seconds;
use crate::topics;

/// One event in so many is a complaint, and alerts.
const COMPLAINTS: u64 = 50;

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
        let feeder = scope.spawn(|| feed(&shop, rate, &stop));
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

/// Sends at the rate until told to stop. A complaint's id says when it was sent.
fn feed(shop: &Shop, rate: u64, stop: &AtomicBool) {
    let producer = topics::producer(&shop.bootstrap);
    let started = Instant::now();
    let (purchases, mentions) = (shop.topic("purchase"), shop.topic("mention"));
    let mut sent = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let due = u64::try_from(started.elapsed().as_micros()).unwrap_or_default() * rate / 1_000_000;
        while sent < due {
            sent += 1;
            let customer = format!("c{}", sent.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 47);
            let micros = now_micros();
            let common =
                format!(r#"{{"event_id":"t{micros}","customer_id":"{customer}","occurred_at":{},"#, micros / 1_000);
            let (topic, own) = if sent.is_multiple_of(COMPLAINTS) {
                (
                    &mentions,
                    format!(r#""platform":"x","handle":"h","public":true,"text":"bad {sent}","sentiment":-0.9}}"#),
                )
            } else {
                let order = format!(r#""order_id":"o{sent}","amount":"12.30","currency":"EUR","status":"completed"}}"#);
                (&purchases, order)
            };
            topics::send(&producer, topic, None, Some(customer.as_bytes()), Some((common + &own).as_bytes()));
        }
        // A poll that waits would spin, and take a core from what is measured.
        producer.poll(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(1));
    }
    topics::flush(&producer);
}

/// Reads the topic as a committed reader, and notes how long ago what it reads was sent.
fn listen(bootstrap: &str, topic: &str, stop: &AtomicBool) -> Vec<Duration> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "listener")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..i32::try_from(TASKS).expect("few tasks") {
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&list).expect("an assignment");
    let started = Instant::now();
    let mut spans = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let text = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
        let sent = text.split(r#""event_id":"t"#).nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
        let sent: u64 = sent.expect("what comes out names what came in");
        if started.elapsed() > WARMING {
            spans.push(Duration::from_micros(now_micros().saturating_sub(sent)));
        }
    }
    spans
}

fn now_micros() -> u64 {
    u64::try_from(std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_micros()).unwrap_or_default()
}

const WARMING: Duration = Duration::from_secs(5);
