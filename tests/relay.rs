//! Records that lie elsewhere than their customer's task, on a real Apache Kafka: the answer is the same.

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

use service::until;
use shop::Shop;
use vipstream::model::event::Kind;

/// Inputs of 5, 3 and 7 partitions, one of them written with another partitioner.
fn astray() -> Shop {
    let partitions = |kind| match kind {
        Kind::Purchase | Kind::Customer => 5,
        Kind::Csat | Kind::Referral => 3,
        _ => 7,
    };
    Shop::open_with(partitions, Some(Kind::Purchase))
}

#[test]
fn wherever_records_lie_event_time_decides_as_replay_does() {
    let shop = astray();
    shop.fill(&shop.traffic(3_000));
    shop.run_to_the_end_as("time: event\ntasks: 5");
    let relayed = topics::read_all(&shop.bootstrap, &format!("{}.relay", shop.app));
    let records = relayed.iter().filter(|record| record.header("vipstream.relay.origin").is_some()).count();
    assert!(records > 1_000, "{records} of {} records of the relay were handed over", relayed.len());
    let expected = shop.replayed();
    shop.assert_decided(&expected);
    let erased = expected.decisions.iter().filter(|decision| decision.contains("\"erased\"")).count();
    assert!(erased > 0, "erasures lay elsewhere, too");
}

#[test]
fn more_tasks_than_partitions_share_the_customers_all_the_same() {
    let shop = Shop::open_with(|_| 2, None);
    shop.fill(&shop.traffic(1_000));
    shop.run_to_the_end_as("time: event\ntasks: 3\nepoch: { linger: 1ms, records: 50 }");
    shop.assert_decided(&shop.replayed());
}

#[test]
fn in_live_what_lies_elsewhere_is_decided_as_it_comes() {
    let shop = astray();
    let running = vipstream::app::start(&shop.config("tasks: 5"), shop.rules()).unwrap();
    until("the app serves", || running.health().unready().is_none().then_some(()));
    let producer = topics::producer(&shop.bootstrap);
    let now = jiff::Timestamp::now();
    // On every partition but one they lie with another task.
    for (number, partition) in (0..5).enumerate() {
        let value = format!(
            r#"{{"event_id":"e{number}","customer_id":"ann","occurred_at":"{now}","order_id":"o{number}","amount":"1100","currency":"EUR","status":"completed"}}"#
        );
        topics::send(&producer, &shop.input(Kind::Purchase), Some(partition), Some(b"ann"), Some(value.as_bytes()));
    }
    topics::flush(&producer);
    let granted = until("ann is granted", || {
        topics::read_all(&shop.bootstrap, &shop.output("events")).first().map(topics::Read::json)
    });
    assert_eq!((&granted["type"], &granted["customer_id"]), (&"vip.granted".into(), &"ann".into()));
    assert_eq!(granted["trigger"]["topic"], shop.input(Kind::Purchase).as_str());
    running.stop();
    running.join().unwrap();
}
