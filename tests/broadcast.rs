//! Inputs that every task reads whole, on a real Apache Kafka: each task journals what it read, one tells of it.

#[path = "support/admin.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod admin;
#[path = "support/kafka.rs"]
mod kafka;
#[path = "support/service.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod service;
#[path = "support/shop.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod shop;
#[path = "support/topics.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod topics;

use std::collections::BTreeMap;

use admin::Admin;
use prost::Message as _;
use rdkafka::message::Message as _;
use service::until;
use shop::Shop;
use vipstream::app::{Running, start};
use vipstream::merge::Lane;
use vipstream::model::event::Kind;
use vipstream::task::journal::JournalRecord;

const TASKS: &str = "tasks: 2";

/// A shop whose agents lie on two partitions, and rates on three.
fn open() -> Shop {
    let kinds = [Kind::Purchase, Kind::Account, Kind::Agent, Kind::FxRate];
    Shop::open_reading(&kinds, |kind| if kind == Kind::FxRate { 3 } else { 2 }, None)
}

/// Sends a record of the kind to every partition, and to the last what is none.
fn send(shop: &Shop, kind: Kind, partitions: i32, fields: &str) {
    let producer = topics::producer(&shop.bootstrap);
    let now = jiff::Timestamp::now();
    let value = format!(r#"{{"event_id":"e","occurred_at":"{now}",{fields}}}"#);
    for partition in 0..partitions {
        topics::send(&producer, &shop.input(kind), Some(partition), Some(b"any"), Some(value.as_bytes()));
    }
    topics::send(&producer, &shop.input(kind), Some(partitions - 1), Some(b"any"), Some(b"no json"));
    topics::flush(&producer);
}

/// Up to where each task has read each partition of the inputs that every task reads.
fn read(shop: &Shop) -> BTreeMap<(i32, Kind, u32), u64> {
    let mut read = BTreeMap::new();
    topics::each(&shop.bootstrap, &format!("{}.journal", shop.app), |message| {
        let record = JournalRecord::decode(message.payload().expect("a value")).expect("a journal record");
        for range in &record.ranges {
            if let Some(Lane::Input(kind, partition)) = range.lane().filter(|_| kind_of(&range.kind).is_broadcast()) {
                read.insert((message.partition(), kind, partition), range.to);
            }
        }
    });
    read
}

fn kind_of(name: &str) -> Kind {
    Kind::from_name(name).unwrap_or(Kind::Purchase)
}

fn serve(shop: &Shop) -> Running {
    let running = start(&shop.config(TASKS), shop.rules()).expect("a start");
    until("the app serves", || running.health().unready().is_none().then_some(()));
    running
}

fn end(running: Running) {
    running.stop();
    running.join().expect("a run without fault");
}

/// What both tasks have read when so many rounds were sent.
fn both(rounds: u64) -> BTreeMap<(i32, Kind, u32), u64> {
    let partitions = [(Kind::FxRate, 0, 0), (Kind::FxRate, 1, 0), (Kind::FxRate, 2, 1)];
    let partitions = partitions.into_iter().chain([(Kind::Agent, 0, 0), (Kind::Agent, 1, 1)]);
    let both =
        partitions.flat_map(|(kind, number, bad)| (0..2).map(move |task| ((task, kind, number), rounds * (1 + bad))));
    both.collect()
}

#[test]
fn every_task_reads_them_and_one_tells_of_each_partition() {
    let shop = open();
    let round = || {
        send(&shop, Kind::Agent, 2, r#""agent_id":"a1","version":1,"state":"online""#);
        send(&shop, Kind::FxRate, 3, r#""base":"USD","quote":"EUR","rate":"0.92","valid_on":"2025-06-15""#);
    };
    round();
    let running = serve(&shop);
    until("both tasks have read everything", || (read(&shop) == both(1)).then_some(()));
    end(running);

    // A restart goes on from there, and checks the digests of what it replays.
    let running = serve(&shop);
    round();
    until("both tasks have read on", || (read(&shop) == both(2)).then_some(()));
    end(running);

    let letters = topics::read_all(&shop.bootstrap, &shop.output("dlq"));
    let place = |name: &str, letter: &topics::Read| {
        letter.header(&format!("vipstream.error.{name}")).expect("a header").to_owned()
    };
    let mut places: Vec<[String; 3]> =
        letters.iter().map(|letter| ["topic", "partition", "offset"].map(|name| place(name, letter))).collect();
    places.sort_unstable();
    let bad = |kind, partition: &str, offset: &str| [shop.input(kind), partition.to_owned(), offset.to_owned()];
    let expected = [
        bad(Kind::Agent, "1", "1"),
        bad(Kind::Agent, "1", "3"),
        bad(Kind::FxRate, "2", "1"),
        bad(Kind::FxRate, "2", "3"),
    ];
    assert_eq!(places, expected);

    // Each offset is committed by one task alone: a second one would have put another epoch beside it.
    let admin = Admin::of(&shop.bootstrap);
    for (kind, partition, offset) in
        [(Kind::Agent, 0, 2), (Kind::Agent, 1, 4), (Kind::FxRate, 0, 2), (Kind::FxRate, 1, 2), (Kind::FxRate, 2, 4)]
    {
        assert_eq!(admin.offset(&shop.app, &shop.input(kind), partition), Some(offset), "{kind:?} {partition}");
    }
}
