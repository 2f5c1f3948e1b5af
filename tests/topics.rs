//! `topics` and `check --cluster` on a real Apache Kafka, as an operator sees them.

#[path = "support/admin.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod admin;
#[path = "support/kafka.rs"]
mod kafka;
#[path = "support/shop.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod shop;
#[path = "support/topics.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod topics;

use std::process::Command;

use admin::Admin;
use serde_json::Value;
use shop::Shop;
use vipstream::model::event::Kind;

/// An app's configuration on disk.
struct App {
    shop: Shop,
    folder: tempfile::TempDir,
}

/// How a command ended and what it said.
struct Said {
    code: Option<i32>,
    out: String,
    error: String,
}

impl App {
    fn new(tasks: u32) -> Self {
        let app = Self { shop: Shop::open(), folder: tempfile::tempdir().unwrap() };
        std::fs::write(app.folder.path().join("rules.yaml"), app.shop.rules_text()).unwrap();
        app.configure(&format!("tasks: {tasks}"));
        app
    }

    fn configure(&self, more: &str) {
        std::fs::write(self.folder.path().join("vipstream.yaml"), self.shop.config_text(more)).unwrap();
    }

    fn admin(&self) -> Admin {
        Admin::of(&self.shop.bootstrap)
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Said {
        let config = self.folder.path().join("vipstream.yaml");
        let mut vipstream = Command::new(env!("CARGO_BIN_EXE_vipstream"));
        let done = vipstream.arg(command).arg("--config").arg(config).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(&self.shop.app, "app");
        Said { code: done.status.code(), out: text(done.stdout), error: text(done.stderr) }
    }

    fn topics(&self, arguments: &[&str]) -> Said {
        self.run("topics", arguments)
    }

    fn check(&self, arguments: &[&str]) -> Said {
        self.run("check", &[&["--cluster"], arguments].concat())
    }

    fn journal(&self) -> String {
        format!("{}.journal", self.shop.app)
    }

    /// Sends orders of many customers, keyed as told.
    fn order(&self, key: impl Fn(u32) -> String, partition: impl Fn(u32) -> Option<i32>) {
        let producer = topics::producer(&self.shop.bootstrap);
        for number in 0..200 {
            let order = format!(
                r#"{{"event_id":"e{number}","customer_id":"c{number}","occurred_at":"2025-03-01T10:00:00Z","order_id":"o{number}","amount":"60","currency":"EUR","status":"completed"}}"#
            );
            let (key, topic) = (key(number), self.shop.input(Kind::Purchase));
            topics::send(&producer, &topic, partition(number), Some(key.as_bytes()), Some(order.as_bytes()));
        }
        topics::flush(&producer);
    }
}

/// The line of a table that begins with a topic.
fn line<'a>(table: &'a str, topic: &str) -> Vec<&'a str> {
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(topic));
    line.unwrap_or_else(|| panic!("{topic} in {table}")).split_whitespace().collect()
}

#[test]
fn what_is_missing_is_shown_then_made_then_in_order() {
    let app = App::new(2);
    app.admin().delete(&app.shop.input(Kind::Csat));
    let shown = app.topics(&[]);
    assert_eq!(shown.code, Some(1), "{}", shown.out);
    assert_eq!(shown.error, "vipstream: 10 of 16 topics are missing: --create makes them\n");
    assert_eq!(line(&shown.out, "app.purchase")[..4], ["app.purchase", "purchase", "4", "ok"]);
    assert_eq!(line(&shown.out, "app.csat")[..5], ["app.csat", "csat", "wants", "2", "missing"]);
    assert_eq!(line(&shown.out, "app.journal")[..5], ["app.journal", "journal", "wants", "2", "missing"]);
    assert!(
        shown.out.contains("topic app.csat (inputs.csat) does not exist\n    create it, or correct"),
        "{}",
        shown.out
    );

    let made = app.topics(&["--create", "--input-partitions", "3"]);
    assert_eq!((made.code, made.error.as_str()), (Some(0), ""), "{}", made.out);
    assert_eq!(line(&made.out, "app.csat")[..4], ["app.csat", "csat", "3", "created"]);
    let journal = line(&made.out, "app.journal").join(" ");
    assert_eq!(
        journal,
        "app.journal journal 2 created cleanup.policy=delete; retention.ms=-1; retention.bytes=-1; max.message.bytes=17825792"
    );

    let again = app.topics(&["--json"]);
    assert_eq!(again.code, Some(0));
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["ok"], true);
    let topics = again["topics"].as_array().unwrap();
    assert_eq!(topics.len(), 16);
    let status = topics.iter().find(|topic| topic["role"] == "status").unwrap();
    let compacted = serde_json::json!({ "name": "cleanup.policy", "wanted": "compact", "found": "compact" });
    assert_eq!(status["settings"][0], compacted);
    let relay = topics.iter().find(|topic| topic["role"] == "relay").unwrap();
    assert_eq!(relay["partitions"], serde_json::json!({ "wanted": 2, "found": 2 }));
    assert_eq!(relay["replication"], 1);
    assert_eq!(relay["id"].as_str().map(str::len), Some(22), "{relay}");
    assert_eq!(relay["settings"][1], serde_json::json!({ "name": "retention.ms", "wanted": "-1", "found": "-1" }));
}

#[test]
fn what_differs_is_shown_with_the_command_that_mends_it() {
    let app = App::new(2);
    let admin = app.admin();
    admin.create(&app.journal(), 2, &[("retention.ms", "604800000"), ("max.message.bytes", "17825792")]);
    admin.create(&format!("{}.relay", app.shop.app), 3, &[("retention.ms", "-1"), ("max.message.bytes", "20000000")]);
    admin.create(&app.shop.output("dlq"), 5, &[("max.message.bytes", "1000012")]);
    admin.create(&app.shop.output("status"), 2, &[("cleanup.policy", "delete")]);
    let shown = app.topics(&["--create"]);
    assert_eq!(shown.code, Some(1));
    assert_eq!(shown.error, "vipstream: 4 of 16 topics are not as they should be\n", "{}", shown.out);
    let journal = line(&shown.out, "app.journal").join(" ");
    assert!(journal.contains("2 differs cleanup.policy=delete; retention.ms=604800000, wants -1;"), "{journal}");
    let command = format!(
        "app.journal has retention.ms=604800000 and needs -1 (a restart reads it from its beginning)\n    \
         kafka-configs --bootstrap-server {} --alter --entity-type topics --entity-name app.journal --add-config retention.ms=-1\n",
        app.shop.bootstrap
    );
    assert!(shown.out.contains(&command), "{}", shown.out);
    assert_eq!(line(&shown.out, "app.relay")[2..5], ["3,", "wants", "2"]);
    assert!(shown.out.contains("app.relay has 3 partitions, `tasks` says 2\n    delete it"), "{}", shown.out);
    let status = line(&shown.out, "app.out.status").join(" ");
    assert!(status.contains("2 differs cleanup.policy=delete, wants compact"), "{status}");
    let letters = line(&shown.out, "app.out.dlq").join(" ");
    assert!(letters.contains("5 differs"), "any number of partitions will do: {letters}");
    assert!(letters.contains("max.message.bytes=1000012, wants 17825792 or more"), "{letters}");
}

#[test]
fn a_mistake_in_the_configuration_ends_with_code_2() {
    let app = App::new(2);
    app.configure("tasks: 2\nepoch: { linger: 5 }");
    let said = app.topics(&[]);
    assert_eq!(said.code, Some(2), "a mistake in the file: {}", said.error);
}

#[test]
fn check_compares_with_the_cluster_and_reckons_what_will_be_handed_over() {
    let app = App::new(4);
    app.order(|number| format!("c{number}"), |_| None);
    let said = app.check(&[]);
    assert_eq!((said.code, said.error.as_str()), (Some(0), ""), "{}", said.out);
    assert!(said.out.contains("ok  cluster: 7 of 16 topics are there"), "{}", said.out);
    let others = "\n      the same: app.relay, app.out.events, app.out.alerts, app.out.status, app.out.audit, app.out.insights, app.out.pivots, app.out.dlq\n";
    assert!(said.out.contains(others), "what is alike is said once: {}", said.out);
    let purchases = line(&said.out, "app.purchase").join(" ");
    assert_eq!(purchases, "app.purchase 0 % of 4 partitions' records; measured 0 % of the newest 200");
    assert_eq!(line(&said.out, "app.csat").join(" "), "app.csat 0 % of 4 partitions' records; no records yet");

    app.configure("tasks: 3");
    let said = app.check(&["--json"]);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["ok"], true);
    let input = report["cluster"]["inputs"].as_array().unwrap().iter().find(|it| it["input"] == "purchase").unwrap();
    let share = input["handed_over"].as_f64().unwrap();
    assert!((share - 2.0 / 3.0).abs() < 1e-9, "{input}");
    let measured = input["sample"]["handed_over"].as_f64().unwrap();
    assert!((measured - share).abs() < 0.15, "{input}");
    assert_eq!(report["cluster"]["better"], serde_json::json!({ "tasks": 4, "handed_over": 0.0 }));
}

#[test]
fn check_tells_a_wrong_key_from_a_wrong_partitioner() {
    let app = App::new(4);
    app.order(|number| format!("order-{number}"), |_| None);
    let said = app.check(&[]);
    assert_eq!(said.code, Some(0), "they are handed over, which costs but works: {}", said.error);
    assert!(said.out.contains("of the newest 200 records of app.purchase lie with another task"), "{}", said.out);
    assert!(said.out.contains("the key of 200 of them is not the customer's id: key by customer id"), "{}", said.out);

    let app = App::new(4);
    app.order(|number| format!("c{number}"), |number| Some(i32::try_from(number % 4).unwrap()));
    let said = app.check(&[]);
    assert!(said.out.contains("of them lie on another partition than murmur2 of their key says"), "{}", said.out);
}

#[test]
fn check_reports_every_problem_of_the_cluster_at_once() {
    let app = App::new(2);
    let admin = app.admin();
    let (csat, purchase) = (app.shop.input(Kind::Csat), app.shop.input(Kind::Purchase));
    admin.delete(&csat);
    admin.set(&purchase, &[("cleanup.policy", "compact")]);
    admin.set(&app.shop.input(Kind::Mention), &[("retention.ms", "604800000")]);
    admin.create(&app.journal(), 3, &[("cleanup.policy", "compact"), ("retention.ms", "-1")]);
    admin.set_offset(&app.shop.app, &purchase, 1, 7);
    topics::send(&topics::producer(&app.shop.bootstrap), &purchase, Some(0), Some(b"k"), Some(b"no json"));
    let said = app.check(&[]);
    assert_eq!(said.code, Some(1), "{}", said.error);
    for problem in [
        "5 problems",
        "topic app.csat (inputs.csat) does not exist\n      create it",
        "app.purchase is compacted (cleanup.policy=compact) and has min.compaction.lag.ms=0, but needs 604800000",
        "app.journal has 3 partitions, `tasks` says 2\n      the count is fixed",
        "app.journal has cleanup.policy=compact and needs delete",
        "app.journal is missing or empty, but group app has offset 7 for app.purchase partition 1",
    ] {
        assert!(said.error.contains(problem), "{problem}: {}", said.error);
    }
    assert!(said.out.contains("note: app.mention keeps records for 7 days, and a restart"), "{}", said.out);
}

#[test]
fn a_mistake_in_the_rules_does_not_hide_those_of_the_cluster() {
    let app = App::new(2);
    std::fs::write(app.folder.path().join("rules.yaml"), app.shop.rules_text().replace(">= 5000", ">= nothing"))
        .unwrap();
    app.admin().delete(&app.shop.input(Kind::Csat));
    let said = app.check(&[]);
    assert_eq!(said.code, Some(2), "{}", said.error);
    assert!(said.error.contains("unknown fact `nothing`"), "{}", said.error);
    assert!(said.error.contains("topic app.csat (inputs.csat) does not exist"), "{}", said.error);
}

#[test]
fn what_would_be_a_dead_letter_is_counted() {
    let app = App::new(1);
    let producer = topics::producer(&app.shop.bootstrap);
    for _ in 0..3 {
        topics::send(&producer, &app.shop.input(Kind::Csat), Some(0), None, Some(b"no json"));
    }
    topics::flush(&producer);
    let said = app.check(&[]);
    assert!(said.out.contains("3 of the newest 3 records of app.csat would be dead letters"), "{}", said.out);
}
