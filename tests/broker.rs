//! `run` on a real Apache Kafka: what only it can show.

#[path = "support/admin.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod admin;
#[path = "support/kafka.rs"]
mod kafka;
#[path = "support/router.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod router;
#[path = "support/service.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod service;
#[path = "support/shop.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod shop;
#[path = "support/topics.rs"]
mod topics;

use std::collections::BTreeMap;
use std::time::Duration;

use admin::Admin;
use rdkafka::message::{Message as _, Timestamp};
use router::{Decided, Router, Weights};
use service::{Files, get, until};
use shop::{Shop, UNTIL};
use vipstream::broker::cluster::Cluster;
use vipstream::config::Properties;
use vipstream::model::event::Kind;
use vipstream::pivot::Observation;
use vipstream::pivot::budget::Budget;
use vipstream::pivot::priors::Priors;
use vipstream::pivot::settings::Settings;
use vipstream::pivot::state::State;

#[test]
fn run_decides_as_replay_does() {
    let shop = Shop::open();
    shop.fill(&shop.traffic(3_000));
    shop.run_to_the_end();
    let expected = shop.replayed();
    assert!(expected.decisions.len() > 50, "{} decisions", expected.decisions.len());
    assert!(expected.alerts.len() > 10, "{} alerts", expected.alerts.len());
    shop.assert_decided(&expected);
}

#[test]
fn a_router_that_starts_empty_knows_what_all_decisions_say() {
    let shop = Shop::open();
    shop.fill(&shop.traffic(2_000));
    shop.run_to_the_end();
    let mut router = Router::default();
    let (mut records, mut nulls) = (0, 0);
    for read in topics::read_all(&shop.bootstrap, &shop.output("status")) {
        let key = String::from_utf8(read.key.clone().expect("a key")).expect("text");
        nulls += u32::from(read.value.is_none());
        records += 1;
        router.read(&key, read.value.is_some().then(|| read.json()));
    }
    let mut decided: BTreeMap<String, Decided> = BTreeMap::new();
    for read in topics::read_all(&shop.bootstrap, &shop.output("events")) {
        let key = String::from_utf8(read.key.clone().expect("a key")).expect("text");
        decided.entry(key).or_default().take(&read.json());
    }
    assert!(records > 100 && nulls > 0 && decided.len() > 20, "{records} records, {nulls} nulls, {}", decided.len());
    let of_tiers = [("gold", 3), ("silver", 2), ("none", 1)].map(|(tier, weight)| (tier.to_owned(), weight.into()));
    let weights = Weights { of_tiers: of_tiers.into(), tiered: ["big_spender".to_owned()].into() };
    for (customer, decided) in decided {
        assert_eq!(router.view(&customer), decided.view(&weights), "{customer}");
    }
}

#[test]
fn killed_at_any_time_it_loses_nothing_and_doubles_nothing() {
    let shop = Shop::open();
    shop.fill(&shop.traffic(3_000));
    // Small epochs, so that there is an epoch under way wherever the kill falls.
    let files = Files::of(&shop, "time: event\ntasks: 2\nepoch: { linger: 1ms, records: 10 }");
    let until_time = UNTIL.to_string();
    let arguments = ["--until", until_time.as_str()];
    for committed in [5, 40, 90] {
        let mut service = files.start(&arguments);
        service.wait_for("started");
        until("the journal grows", || {
            (topics::end(&shop.bootstrap, &format!("{}.journal", shop.app)) >= committed).then_some(())
        });
        service.kill();
    }
    assert_eq!(files.run(&arguments), (Some(0), String::new()));
    shop.assert_decided(&shop.replayed());
}

#[test]
fn asked_to_end_it_commits_and_goes_on_where_it_stopped() {
    let shop = Shop::open();
    let traffic = shop.traffic(1_000);
    let (early, late) = traffic.split_at(400);
    let files = Files::of(&shop, "time: event\ntasks: 1");
    shop.fill(early);
    let mut service = files.start(&[]);
    service.wait_for("started");
    let expected = shop.replayed_without_end().decisions.len();
    until("the first part is decided", || (shop.decided().decisions.len() >= expected).then_some(()));
    assert_eq!(service.terminate().code(), Some(0));

    shop.fill(late);
    let until_time = UNTIL.to_string();
    assert_eq!(files.run(&["--until", until_time.as_str()]), (Some(0), String::new()));
    shop.assert_decided(&shop.replayed());
}

#[test]
fn what_cannot_be_used_lies_in_the_dead_letters_untouched() {
    let shop = Shop::open();
    let topic = shop.input(Kind::Purchase);
    let producer = topics::producer(&shop.bootstrap);
    let order = r#"{"event_id":"e","customer_id":"ann","occurred_at":"2025-03-01T10:00:00Z","order_id":"o","amount":"6000","currency":"EUR","status":"completed"}"#;
    let large = vec![b' '; 5 << 20];
    topics::send(&producer, &topic, Some(0), Some(b"ann"), Some(order.as_bytes()));
    topics::send(&producer, &topic, Some(1), None, Some(b"\xff\xfe"));
    topics::send(&producer, &topic, Some(1), Some(b"k"), Some(b"{\"half\": "));
    topics::send(&producer, &topic, Some(2), Some(b"k"), None);
    topics::send(&producer, &topic, Some(3), Some(b"k"), Some(&large));
    topics::flush(&producer);
    let config = shop.config("time: event\ntasks: 4\ndead_letter: { brake: 100% of 1000 }");
    vipstream::app::start_until(&config, shop.rules(), Some(UNTIL)).unwrap().join().unwrap();

    let letters = topics::read_all(&shop.bootstrap, &shop.output("dlq"));
    let mut codes: Vec<&str> = letters.iter().filter_map(|letter| letter.header("vipstream.error.code")).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["invalid_json", "invalid_utf8", "null_value", "too_large"]);
    let by_code = |code: &str| {
        letters.iter().find(|letter| letter.header("vipstream.error.code") == Some(code)).expect("a letter")
    };
    let half = by_code("invalid_json");
    assert_eq!(half.value.as_deref(), Some(&b"{\"half\": "[..]));
    assert_eq!(half.key.as_deref(), Some(&b"k"[..]));
    assert_eq!(half.header("vipstream.error.topic"), Some(topic.as_str()));
    assert_eq!(half.header("vipstream.error.partition"), Some("1"));
    assert_eq!(half.header("vipstream.error.offset"), Some("1"));
    assert!(half.header("__streams.errors.message").is_some_and(|text| !text.is_empty()));
    assert_eq!(by_code("too_large").value.as_deref(), Some(large.as_slice()));
    assert_eq!(by_code("null_value").value, None);
    let decisions = shop.decided().decisions;
    assert!(decisions.iter().any(|it| it.contains("vip.granted")), "{decisions:?}");
}

#[test]
fn live_it_decides_as_events_come_and_refuses_the_future() {
    let shop = Shop::open();
    let running = vipstream::app::start(&shop.config("tasks: 2\ntime: live"), shop.rules()).unwrap();
    until("the app serves", || running.health().unready().is_none().then_some(()));
    let producer = topics::producer(&shop.bootstrap);
    let order = |customer: &str, at: &jiff::Timestamp| {
        let value = format!(
            r#"{{"event_id":"e","customer_id":"{customer}","occurred_at":"{at}","order_id":"o","amount":"6000","currency":"EUR","status":"completed"}}"#
        );
        topics::send(&producer, &shop.input(Kind::Purchase), None, Some(customer.as_bytes()), Some(value.as_bytes()));
        topics::flush(&producer);
    };
    let now = jiff::Timestamp::now();
    order("ann", &now);
    order("bob", &(now + jiff::SignedDuration::from_hours(1)));
    let granted = until("ann is granted", || {
        topics::read_all(&shop.bootstrap, &shop.output("events")).first().map(topics::Read::json)
    });
    assert_eq!((&granted["type"], &granted["customer_id"]), (&"vip.granted".into(), &"ann".into()));
    assert_eq!(granted["origin"], "live");
    let letter = until("bob is refused", || topics::read_all(&shop.bootstrap, &shop.output("dlq")).pop());
    assert_eq!(letter.header("vipstream.error.code"), Some("early"));
    running.stop();
    running.join().unwrap();
}

#[test]
fn a_topic_full_of_refused_records_stops_the_app() {
    let shop = Shop::open();
    let producer = topics::producer(&shop.bootstrap);
    for _ in 0..60 {
        topics::send(&producer, &shop.input(Kind::Csat), Some(0), None, Some(b"no json"));
    }
    topics::flush(&producer);
    let config = shop.config("time: event\ntasks: 1\ndead_letter: { brake: 50% of 50 }");
    let error = vipstream::app::start(&config, shop.rules()).unwrap().join().unwrap_err().to_string();
    assert!(error.starts_with("50 of the newest 50 records were refused, the last as `invalid_json`"), "{error}");
    assert!(topics::read_all(&shop.bootstrap, &shop.output("dlq")).is_empty());
}

#[test]
fn rules_that_changed_are_refused_on_restart() {
    let shop = Shop::open();
    shop.fill(&shop.traffic(50));
    shop.run_to_the_end();
    let other = shop.rules_text().replace("spend_365d >= 5000", "spend_365d >= 5001");
    let files = Files::of(&shop, "time: event\ntasks: 2");
    files.write("rules.yaml", &other);
    let (code, said) = files.run(&[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("rules of a running app cannot be changed yet"), "{said}");
}

#[test]
fn each_thing_missing_gets_one_sentence_and_its_exit_code() {
    let shop = Shop::open();
    let missing = Files::of(&shop, "tasks: 2");
    missing.replace("vipstream.yaml", &shop.input(Kind::Csat), "no.such.topic");
    let expected = "vipstream: topic no.such.topic (inputs.csat) does not exist: create it, or correct its name";
    assert_eq!(missing.run(&[]), (Some(1), expected.to_owned()));

    let wrong = Files::of(&shop, "tasks: 2\nepoch: { linger: 5 }\nmergehold: 2s");
    let (code, said) = wrong.run(&[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("2 problems") && said.contains("did you mean `merge_hold`?"), "{said}");

    let live = Files::of(&shop, "tasks: 2\ntime: live");
    let (code, said) = live.run(&["--until", "2026-01-01"]);
    assert_eq!(
        (code, said.as_str()),
        (Some(2), "vipstream: a time to stop at needs `time: event`: in `live`, time is the clock's")
    );
}

#[test]
fn an_unreachable_broker_is_named_once_patience_ends() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let properties = Properties([("bootstrap.servers".to_owned(), address.clone())].into());
    let error = Cluster::connect(&properties, "app", Duration::from_secs(1)).err().unwrap().to_string();
    assert!(error.starts_with(&format!("no Kafka broker answers at {address}")), "{error}");
    assert!(error.contains("check kafka.bootstrap.servers"), "{error}");
}

#[test]
fn a_refused_login_is_told_at_once() {
    let bootstrap = kafka::bootstrap();
    // A listener without logins refuses every attempt at one.
    let properties = [
        ("bootstrap.servers", bootstrap),
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "ann"),
        ("sasl.password", "geheim"),
    ];
    let properties = Properties(properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let patience = Duration::from_mins(10);
    let error = Cluster::connect(&properties, "app", patience).err().unwrap().to_string();
    assert!(error.starts_with(&format!("the broker at {bootstrap} refused the login")), "{error}");
    assert!(error.contains("kafka.sasl.*") && !error.contains("geheim"), "{error}");
}

#[test]
fn metrics_and_health_answer_over_http() {
    let shop = Shop::open();
    shop.fill(&shop.traffic(200));
    let files = Files::of(&shop, "time: event\ntasks: 2\nhttp: 127.0.0.1:0");
    let mut service = files.start(&[]);
    let address = service.wait_for("started")["http"].as_str().unwrap().to_owned();
    assert_eq!(get(&address, "/livez"), (200, "ok\n".to_owned()));
    until("ready", || (get(&address, "/readyz").0 == 200).then_some(()));
    until("everything was read", || {
        let (_, text) = get(&address, "/metrics");
        let read: f64 =
            text.lines().filter(|line| line.starts_with("vipstream_task_records_total{")).map(last_number).sum();
        (read >= 200.0).then_some(())
    });
    let (status, text) = get(&address, "/metrics");
    assert_eq!(status, 200);
    assert!(text.contains("# HELP vipstream_task_epoch_seconds"), "{text}");
    assert!(text.contains("vipstream_task_epoch_seconds_bucket{task=\"0\",le=\"0.01\"}"), "{text}");
    assert!(text.contains("vipstream_input_lag_records{input=\"purchase\"} "), "{text}");
    assert_eq!(get(&address, "/nothing").0, 404);
    assert_eq!(service.terminate().code(), Some(0));
}

fn last_number(line: &str) -> f64 {
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[test]
fn with_no_traffic_a_silence_is_told_when_its_time_has_come() {
    let shop = Shop::open_reading(&[Kind::Purchase], |_| 1, None);
    Admin::of(&shop.bootstrap).create(&shop.output("pivots"), 1, &[("message.timestamp.type", "LogAppendTime")]);
    let rules = "ruleset: quiet\ncurrency: EUR\nlateness: 1s\npivots: { alert: 1 per customer-year }\n";
    let files = Files::of(&shop, "tasks: 1");
    files.write("rules.yaml", rules);
    let mut service = files.start(&[]);
    service.wait_for("started");

    let settings = &Settings::new(Priors::default(), Budget::new(None, Some(1.0)).expect("a budget in order"));
    let (mut state, mut visits) = (State::default(), vec![0_i64]);
    while state.due().is_none() {
        let at = visits[visits.len() - 1] + 30 * 3_600_000;
        let order = Observation::Purchase { amount: None, shop: None };
        state.observe(order, at, settings, &mut Vec::new());
        visits.push(at);
    }
    let due = (jiff::Timestamp::now().as_second() + 6) * 1_000;
    let shift = due - state.due().expect("just looked at");
    let producer = topics::producer(&shop.bootstrap);
    for (number, at) in visits.iter().skip(1).enumerate() {
        let at = at + shift;
        let order = format!(
            r#"{{"event_id":"e{number}","customer_id":"ann","occurred_at":{at},"order_id":"o{number}","amount":"60","currency":"EUR","status":"completed"}}"#
        );
        topics::send(&producer, &shop.input(Kind::Purchase), Some(0), Some(b"ann"), Some(order.as_bytes()));
    }
    topics::flush(&producer);
    let (told, appended) = until("the silence is told", || {
        let mut told = None;
        topics::each(&shop.bootstrap, &shop.output("pivots"), |message| {
            told = message.payload().map(<[u8]>::to_vec).zip(match message.timestamp() {
                Timestamp::LogAppendTime(at) => Some(at),
                _ => None,
            });
        });
        told
    });
    let told: serde_json::Value = serde_json::from_slice(&told).expect("JSON");
    let at = jiff::Timestamp::from_millisecond(due).expect("an instant");
    assert_eq!((&told["origin"], &told["occurred_at"]), (&"timer".into(), &format!("{at:.3}").into()), "{told:#}");
    eprintln!("told {} ms after `due` had passed it", appended - due - 1_000);
    assert_eq!(service.terminate().code(), Some(0));
}
