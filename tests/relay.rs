//! Records that lie elsewhere than their customer's task, and customers whose handles are at home elsewhere, on a real
//! Apache Kafka: the answer is the same.

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

use service::{Files, until};
use shop::{Shop, UNTIL};
use vipstream::load::Generated;
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

/// The posts of every third author say no more who wrote them: the handle that the profile names does.
fn by_handle(traffic: &mut [Generated]) -> usize {
    let mut posts = 0;
    for record in traffic.iter_mut().filter(|record| record.kind == Kind::Mention) {
        let Some(key) = record.key.as_ref().filter(|key| key.as_str().bytes().map(u32::from).sum::<u32>() % 3 == 0)
        else {
            continue;
        };
        let json = String::from_utf8(record.json.clone()).unwrap();
        record.json = json.replace(&format!(r#""customer_id":"{}","#, key.as_str()), "").into_bytes();
        posts += 1;
    }
    posts
}

#[test]
fn what_is_written_under_a_handle_comes_to_its_owner_though_a_process_is_killed() {
    let shop = Shop::open();
    let mut traffic = shop.traffic_of(1_500, 1.0);
    let posts = by_handle(&mut traffic);
    shop.fill(&traffic);
    let files = Files::of(&shop, "time: event\ntasks: 4\nepoch: { linger: 1ms, records: 100 }");
    let until_end = UNTIL.to_string();
    let stays = files.start(&["--until", &until_end]);
    let mut killed = files.start(&["--until", &until_end]);
    while killed.wait_for("tasks assigned")["tasks"] == "[]" {}
    let journal = format!("{}.journal", shop.app);
    until("some epochs are committed", || (topics::read_all(&shop.bootstrap, &journal).len() > 20).then_some(()));
    killed.kill();
    let next = files.start(&["--until", &until_end]);
    for process in [stays, next] {
        let (status, said) = process.end();
        assert!(status.success(), "{status}: {said}");
    }
    shop.assert_decided(&shop.replayed());
    let relayed = topics::read_all(&shop.bootstrap, &format!("{}.relay", shop.app));
    let effects = relayed.iter().filter(|record| record.header("vipstream.relay.effect").is_some()).count();
    assert!(effects > posts / 2, "{effects} effects of {posts} posts lie in the relay");
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
