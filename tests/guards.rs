//! What `run` refuses and notices on a real Apache Kafka, when somebody changes what the app rests on.

#[path = "support/admin.rs"]
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

use admin::Admin;
use service::{Files, get, until};
use shop::Shop;
use vipstream::app::{self, Running};
use vipstream::model::event::Kind;

/// Of each input.
const PARTITIONS: i32 = 4;

const TASKS: &str = "time: event\ntasks: 2";

/// A shop whose app has run to its end, with a little traffic.
fn stopped() -> (Shop, Admin) {
    let shop = Shop::open();
    shop.fill(&shop.traffic(100));
    shop.run_to_the_end();
    let admin = Admin::of(&shop.bootstrap);
    (shop, admin)
}

/// An app that runs and serves.
fn running() -> (Shop, Admin, Running) {
    let shop = Shop::open();
    shop.fill(&shop.traffic(100));
    let running = app::start(&shop.config(TASKS), shop.rules()).unwrap();
    until("the app serves", || running.health().unready().is_none().then_some(()));
    let admin = Admin::of(&shop.bootstrap);
    (shop, admin, running)
}

/// Why the app does not start, or ends at once.
fn refusal(shop: &Shop, config: &str) -> String {
    let error = match app::start(&shop.config(config), shop.rules()) {
        Ok(running) => running.join().unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    error.replace(&shop.app, "app").replace(&shop.bootstrap, "HOST")
}

/// Why a running app ends.
fn end(shop: &Shop, running: Running) -> String {
    running.join().unwrap_err().to_string().replace(&shop.app, "app")
}

fn journal(shop: &Shop) -> String {
    format!("{}.journal", shop.app)
}

fn relay(shop: &Shop) -> String {
    format!("{}.relay", shop.app)
}

/// Sends a kind's records once more, as into a topic made anew.
fn send_again(shop: &Shop, kind: Kind) {
    let producer = topics::producer(&shop.bootstrap);
    for record in shop.traffic(100).iter().filter(|record| record.kind == kind) {
        let key = record.key.as_ref().map(|id| id.as_str().as_bytes());
        topics::send(&producer, &shop.input(kind), None, key, Some(&record.json));
    }
    topics::flush(&producer);
}

#[test]
fn a_journal_that_is_not_kept_for_ever_is_refused() {
    let (shop, admin) = stopped();
    admin.set(&journal(&shop), &[("retention.ms", "86400000"), ("max.message.bytes", "17825792")]);
    assert_eq!(
        refusal(&shop, TASKS),
        "app.journal has retention.ms=86400000 and needs -1 (a restart reads it from its beginning): kafka-configs \
         --bootstrap-server HOST --alter --entity-type topics --entity-name app.journal --add-config retention.ms=-1"
    );
}

#[test]
fn every_topic_that_is_not_as_it_must_be_is_named_at_once() {
    let shop = Shop::open();
    let admin = Admin::of(&shop.bootstrap);
    admin.create(&journal(&shop), 3, &[("retention.ms", "-1")]);
    admin.create(&relay(&shop), 2, &[("cleanup.policy", "compact")]);
    admin.set(&shop.input(Kind::Csat), &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "604799999")]);
    let said = refusal(&shop, TASKS);
    for problem in [
        "4 problems",
        "app.csat is compacted (cleanup.policy=compact) and has min.compaction.lag.ms=604799999, but needs 604800000",
        "app.journal has 3 partitions, `tasks` says 2",
        "app.relay has cleanup.policy=compact and needs delete",
        "app.relay has retention.ms=604800000 and needs -1",
    ] {
        assert!(said.contains(problem), "{problem}: {said}");
    }
    assert_eq!(topics::end(&shop.bootstrap, &journal(&shop)), 0, "nothing was written");
}

#[test]
fn an_input_compacted_late_enough_is_read() {
    let shop = Shop::open();
    let admin = Admin::of(&shop.bootstrap);
    admin.set(&shop.input(Kind::Csat), &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "604800000")]);
    shop.run_to_the_end();
}

#[test]
fn dead_letters_that_would_not_fit_are_warned_of() {
    let shop = Shop::open();
    let admin = Admin::of(&shop.bootstrap);
    admin.create(&shop.output("dlq"), 2, &[("max.message.bytes", "1000012")]);
    let files = Files::of(&shop, TASKS);
    let mut service = files.start(&[]);
    let dlq = shop.output("dlq");
    let warned = service.wait_for(&format!(
        "{dlq} has max.message.bytes=1000012 and needs 17825792 or more (an epoch with a larger record cannot be committed)"
    ));
    assert!(warned["remedy"].as_str().unwrap().ends_with("--add-config max.message.bytes=17825792"), "{warned}");
    service.wait_for("started");
    assert_eq!(service.terminate().code(), Some(0));
}

#[test]
fn an_input_made_anew_with_the_same_records_is_refused() {
    let (shop, admin) = stopped();
    let input = shop.input(Kind::Purchase);
    let before = topics::end(&shop.bootstrap, &input);
    admin.delete(&input);
    topics::create(&shop.bootstrap, &input, PARTITIONS);
    send_again(&shop, Kind::Purchase);
    assert_eq!(topics::end(&shop.bootstrap, &input), before);
    let said = refusal(&shop, TASKS);
    assert!(said.starts_with("app.purchase was deleted and made anew (topic id "), "{said}");
    assert!(said.ends_with("start anew under another `app`"), "{said}");
}

#[test]
fn an_input_made_anew_stops_a_running_app() {
    let (shop, admin, running) = running();
    let input = shop.input(Kind::Csat);
    admin.delete(&input);
    topics::create(&shop.bootstrap, &input, PARTITIONS);
    let said = end(&shop, running);
    assert!(said.starts_with("app.csat was deleted and made anew (topic id "), "{said}");
}

#[test]
fn a_journal_with_more_partitions_stops_a_running_app_and_no_number_of_tasks_starts_it_again() {
    let (shop, admin, running) = running();
    admin.add_partitions(&journal(&shop), 4);
    assert_eq!(
        end(&shop, running),
        "app.journal has 4 partitions and had 2 when the app started: start anew under another `app`"
    );
    let said = refusal(&shop, TASKS);
    assert!(said.starts_with("app.journal has 4 partitions, `tasks` says 2: "), "{said}");
    admin.add_partitions(&relay(&shop), 4);
    let said = refusal(&shop, "time: event\ntasks: 4");
    assert!(
        said.contains("the journal was written by 2 tasks, `tasks` says 4") || said.contains("is empty, but group"),
        "{said}"
    );
}

#[test]
fn a_deleted_relay_stops_a_running_app() {
    let (shop, admin, running) = running();
    admin.delete(&relay(&shop));
    let said = end(&shop, running);
    assert!(said.starts_with("app.relay was deleted while the app ran"), "{said}");
}

#[test]
fn a_journal_made_anew_beside_the_groups_offsets_is_refused() {
    let (shop, admin) = stopped();
    admin.delete(&journal(&shop));
    let said = refusal(&shop, TASKS);
    assert!(said.starts_with("app.journal partition "), "{said}");
    assert!(said.contains(" is empty, but group app has offsets (app."), "{said}");
    assert!(said.contains("kafka-consumer-groups --delete --group app"), "{said}");
    assert_eq!(topics::end(&shop.bootstrap, &journal(&shop)), 0, "nothing was written");
}

#[test]
fn offsets_set_by_a_tool_are_refused_and_change_nothing() {
    let (shop, admin) = stopped();
    let expected = shop.decided();
    let input = shop.input(Kind::Purchase);
    admin.set_offset(&shop.app, &input, 1, 0);
    let said = refusal(&shop, TASKS);
    assert!(
        said.starts_with("offset 0 of group app for app.purchase partition 1 was not committed by this app"),
        "{said}"
    );
    assert!(said.contains("kafka-consumer-groups --delete-offsets --group app --topic app.purchase"), "{said}");
    shop.assert_decided(&expected);
}

#[test]
fn what_retention_has_removed_is_told_while_it_runs_and_refused_at_the_next_start() {
    let shop = Shop::open();
    shop.fill(&shop.traffic(100));
    let admin = Admin::of(&shop.bootstrap);
    let input = shop.input(Kind::Purchase);
    let files = Files::of(&shop, TASKS);
    let mut service = files.start(&[]);
    service.wait_for("started");
    until("the partition is read", || admin.offset(&shop.app, &input, 2).filter(|offset| *offset >= 3));
    admin.delete_before(&input, 2, 3);
    let warned = service.wait_for(
        "offsets that a restart needs are gone, so that the next start will be refused: lengthen the topic's \
         retention, and start anew under another `app`",
    );
    assert_eq!((warned["topic"].as_str(), warned["partition"].as_u64()), (Some(input.as_str()), Some(2)), "{warned}");
    assert_eq!((warned["from"].as_u64(), warned["to"].as_u64()), (Some(0), Some(3)), "{warned}");
    assert_eq!(service.terminate().code(), Some(0));
    assert!(refusal(&shop, TASKS).starts_with("app.purchase partition 2 has lost offsets 0 to 3"));
}

#[test]
fn how_long_a_restart_is_possible_and_what_is_not_read_shows_in_the_metrics() {
    let shop = Shop::open();
    shop.fill(&shop.traffic(100));
    let admin = Admin::of(&shop.bootstrap);
    let input = shop.input(Kind::Purchase);
    admin.set(&input, &[("retention.ms", "604800000")]);
    let files = Files::of(&shop, "time: event\ntasks: 2\nhttp: 127.0.0.1:0");
    let mut service = files.start(&[]);
    let address = service.wait_for("started")["http"].as_str().unwrap().to_owned();
    let headroom = until("the headroom is known", || {
        gauge(&address, "vipstream_input_replay_headroom_seconds{input=\"purchase\"}").filter(|left| *left < 604_800.0)
    });
    assert!(headroom > 600_000.0, "{headroom} s");
    let endless = gauge(&address, "vipstream_input_replay_headroom_seconds{input=\"csat\"}");
    assert_eq!(endless, Some(f64::INFINITY));
    assert_eq!(gauge(&address, "vipstream_input_unread_partitions{input=\"purchase\"}"), Some(0.0));

    admin.add_partitions(&input, 6);
    let warned = service.wait_for("the topic has new partitions: start again, and they are read from their beginning");
    assert_eq!((warned["was"].as_u64(), warned["is"].as_u64()), (Some(4), Some(6)), "{warned}");
    assert_eq!(gauge(&address, "vipstream_input_unread_partitions{input=\"purchase\"}"), Some(2.0));
    assert_eq!(service.terminate().code(), Some(0));
}

fn gauge(address: &str, name: &str) -> Option<f64> {
    let (_, text) = get(address, "/metrics");
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[test]
fn new_partitions_of_an_input_are_read_from_their_beginning_at_the_next_start() {
    let (shop, admin) = stopped();
    let input = shop.input(Kind::Purchase);
    admin.add_partitions(&input, 6);
    let order = r#"{"event_id":"e","customer_id":"newcomer","occurred_at":"2025-03-01T10:00:00Z","order_id":"o","amount":"6000","currency":"EUR","status":"completed"}"#;
    let producer = topics::producer(&shop.bootstrap);
    topics::send(&producer, &input, Some(5), Some(b"newcomer"), Some(order.as_bytes()));
    topics::flush(&producer);
    shop.run_to_the_end();
    let decided = shop.decided().decisions;
    assert!(decided.iter().any(|it| it.contains("newcomer") && it.contains("vip.granted")), "{decided:?}");
}
