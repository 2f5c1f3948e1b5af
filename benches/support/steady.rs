//! Events at a steady rate whose ids say when they were sent, and the alerts that come of some of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::shop::{Shop, TASKS};
use crate::topics;

/// One event in so many is a complaint, and alerts.
const COMPLAINTS: u64 = 50;

/// Sends at the rate until told to stop; the events are of so many customers.
pub fn feed(shop: &Shop, rate: u64, customers: u64, stop: &AtomicBool) {
    let producer = topics::producer(&shop.bootstrap);
    let started = Instant::now();
    let (purchases, mentions) = (shop.topic("purchase"), shop.topic("mention"));
    let mut sent = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let due = u64::try_from(started.elapsed().as_micros()).unwrap_or_default() * rate / 1_000_000;
        while sent < due {
            sent += 1;
            let customer = format!("c{}", (sent.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % customers);
            let micros = now_micros();
            let common =
                format!(r#"{{"event_id":"t{micros}","customer_id":"{customer}","occurred_at":{},"#, micros / 1_000);
            let (topic, own) = if sent.is_multiple_of(COMPLAINTS) {
                (
                    &mentions,
                    format!(r#""platform":"x","handle":"h","public":true,"text":"bad {micros}","sentiment":-0.9}}"#),
                )
            } else {
                let order =
                    format!(r#""order_id":"o{micros}","amount":"12.30","currency":"EUR","status":"completed"}}"#);
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

/// Reads the topic as a committed reader until told to stop, and says when what it reads was sent, in microseconds.
pub fn listen(bootstrap: &str, topic: &str, stop: &AtomicBool, mut heard: impl FnMut(u64)) {
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
    while !stop.load(Ordering::Relaxed) {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let text = String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned();
        let sent = text.split(r#""event_id":"t"#).nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
        heard(sent.expect("what comes out names what came in"));
    }
}

/// Microseconds since 1970.
pub fn now_micros() -> u64 {
    u64::try_from(std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_micros()).unwrap_or_default()
}
