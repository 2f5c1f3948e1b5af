//! Snapshots on disk, through the binary: what the service writes is listed, verified, exported, pruned, and shown by customer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use serde_json::Value;
use vipstream::app::Running;
use vipstream::config::Config;
use vipstream::model::time::EventTime;
use vipstream::rules::ruleset::Ruleset;

const RULES: &str = "
ruleset: shop
currency: EUR
features: { spend_30d: { sum: purchase.amount, over: 30d }, orders: { count: purchase } }
programmes: { big: { profile: value, grant: spend_30d >= 100, tiers: { gold: spend_30d >= 200, silver: \"true\" } } }
labels: { known: orders >= 1 }
";

const PIVOTS: &str = "
ruleset: shop
currency: EUR
features: { orders: { count: purchase } }
programmes: { big: { profile: value, grant: orders >= 10 } }
labels: { silent: pivot.silence }
pivots: { alert: 0.5 per 100 customer-years, watch: 5 per 100 customer-years }
";

/// A folder with a configuration, and the snapshots of a short run in it.
struct Shop {
    folder: tempfile::TempDir,
    cluster: MockCluster<'static, DefaultProducerContext>,
    rules: &'static str,
}

struct Said {
    code: Option<i32>,
    out: String,
    error: String,
}

impl Shop {
    fn open(rules: &'static str) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        for topic in [
            "vip.purchases",
            "vip.customers",
            "vip.erasures",
            "shop.journal",
            "shop.relay",
            "vip.events",
            "vip.alerts",
            "vip.status",
            "vip.audit",
            "vip.insights",
            "vip.pivots",
            "vip.dlq",
        ] {
            cluster.create_topic(topic, 1, 1).unwrap();
        }
        let shop = Self { folder: tempfile::tempdir().unwrap(), cluster, rules };
        std::fs::write(shop.path("rules.yaml"), rules).unwrap();
        shop.configure("{ store: file:./state, every: 10s }");
        shop
    }

    fn configure(&self, snapshots: &str) {
        let bootstrap = self.cluster.bootstrap_servers();
        let text = format!(
            "app: shop\nkafka: {{ bootstrap.servers: \"{bootstrap}\", group.protocol: consumer }}\ntasks: 1\n\
             rules: rules.yaml\ntime: event\nsnapshots: {snapshots}\ninputs: {{ purchase: {{ topic: vip.purchases }}, \
             customer: {{ topic: vip.customers }}, erasure: {{ topic: vip.erasures }} }}\n"
        );
        std::fs::write(self.path("vipstream.yaml"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The files of the task's folder whose path holds the part, in order.
    fn files(&self, part: &str) -> Vec<PathBuf> {
        let mut folders = vec![self.path("state/shop/0")];
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        // What has a # in its name is still being written.
        let is_it = |path: &str| path.contains(part) && !path.contains('#');
        found.retain(|path| is_it(&path.display().to_string()));
        found.sort();
        found
    }

    /// Runs the service until it has published a snapshot that holds so many orders, each of a customer of its own.
    fn take(&self, orders: u32) {
        let running = self.start(None);
        let at = format!("2025-03-0{orders}T10:00:00Z");
        self.send(
            "vip.purchases",
            &[order(&format!("c-{orders}"), &format!("o{orders}"), &at, &format!("{orders}50.10"))],
        );
        self.await_snapshot();
        running.stop();
        running.join().unwrap();
    }

    fn start(&self, until: Option<EventTime>) -> Running {
        let config = Config::load(&self.path("vipstream.yaml"), []).unwrap();
        let rules = Arc::new(Ruleset::parse("rules.yaml", self.rules).unwrap());
        vipstream::app::start_until(&config, rules, until).unwrap()
    }

    fn send(&self, topic: &str, values: &[String]) {
        let mut producer = ClientConfig::new();
        producer.set("bootstrap.servers", self.cluster.bootstrap_servers());
        let producer: BaseProducer = producer.create().unwrap();
        for value in values {
            let event: Value = serde_json::from_str(value).unwrap();
            let key = event["customer_id"].as_str().unwrap();
            producer.send(BaseRecord::to(topic).key(key).payload(value)).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(Duration::from_secs(20)).unwrap();
    }

    fn await_snapshot(&self) {
        let started = Instant::now();
        while self.files(".manifest").is_empty() {
            assert!(started.elapsed() < Duration::from_mins(5), "{:?}", self.files(""));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Takes in all that was sent, and time up to then; afterwards the store holds one snapshot, of everything.
    fn take_all(&self, until: &str) {
        let until = until.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        self.start(Some(EventTime(until))).join().unwrap();
        // Who finds no snapshot replays the journal, and takes one then.
        while self.path("state").exists() {
            // Somebody may be writing there still.
            let _ = std::fs::remove_dir_all(self.path("state"));
        }
        let running = self.start(None);
        self.await_snapshot();
        running.stop();
        running.join().unwrap();
    }

    /// Takes three snapshots, each by a service that finds none, since the next would be taken after a while only.
    fn with_three() -> Self {
        let shop = Self::open(RULES);
        for orders in 1..=3 {
            shop.take(orders);
            std::fs::rename(shop.path("state"), shop.path(&format!("state-{orders}"))).unwrap();
        }
        for orders in 1..=3 {
            gather(&shop.path(&format!("state-{orders}")), &shop.path("state"));
        }
        assert_eq!(shop.files(".manifest").len(), 3);
        shop
    }

    fn snapshot(&self, arguments: &[&str]) -> Said {
        self.vipstream(&[&["snapshot"], arguments].concat())
    }

    fn vipstream(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vipstream"));
        let done = command.args(arguments).arg("--config").arg(self.path("vipstream.yaml")).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: done.status.code(), out: text(done.stdout), error: text(done.stderr) }
    }

    fn list(&self) -> Vec<Value> {
        let said = self.snapshot(&["list", "--json"]);
        assert_eq!(said.code, Some(0), "{}", said.error);
        let report: Value = serde_json::from_str(&said.out).unwrap();
        report["snapshots"].as_array().unwrap().clone()
    }
}

/// A completed order.
fn order(customer: &str, id: &str, at: &str, amount: &str) -> String {
    format!(
        r#"{{"event_id":"{id}","customer_id":"{customer}","occurred_at":"{at}","order_id":"{id}","amount":"{amount}","currency":"EUR","status":"completed"}}"#
    )
}

/// Copies what lies below a folder into another one.
fn gather(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            gather(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn what_the_service_writes_is_listed_verified_exported_and_pruned() {
    let shop = Shop::with_three();

    let found = shop.list();
    let customers: Vec<u64> = found.iter().map(|it| it["customers"].as_u64().unwrap()).collect();
    assert_eq!(customers, [3, 2, 1]);
    assert!(found.iter().all(|it| it["restorable"] == true && it["problem"].is_null()), "{found:#?}");
    let table = shop.snapshot(&["list"]).out;
    assert_eq!(table.lines().filter(|line| line.ends_with("  restorable")).count(), 3, "{table}");

    let verified = shop.snapshot(&["verify"]);
    assert_eq!((verified.code, verified.out.matches("ok   task 0 epoch ").count()), (Some(0), 3), "{}", verified.error);

    let plain = shop.vipstream(&["customer", "c-1"]);
    assert!(plain.out.ends_with("\nNo detectors: the rules of the snapshot have no `pivots`.\n"), "{}", plain.out);

    assert_eq!(shop.snapshot(&["export", "--output", &shop.path("all.jsonl").display().to_string()]).code, Some(0));
    let exported = std::fs::read_to_string(shop.path("all.jsonl")).unwrap();
    insta::assert_snapshot!(exported, @r#"
    {"as_of":"2025-03-01T10:00:00.000Z","customer_id":"c-1","facts":{"spend_30d":"150.1","orders":1},"first_purchase":"2025-03-01T10:00:00.000Z","labels":["known"],"last_purchase":"2025-03-01T10:00:00.000Z","last_seen":"2025-03-01T10:00:00.000Z","name":null,"programmes":[{"name":"big","profile":"value","since":"2025-03-01T10:00:00.000Z","tier":"silver"}],"status_seq":2}
    {"as_of":"2025-03-02T10:00:00.000Z","customer_id":"c-2","facts":{"spend_30d":"250.1","orders":1},"first_purchase":"2025-03-02T10:00:00.000Z","labels":["known"],"last_purchase":"2025-03-02T10:00:00.000Z","last_seen":"2025-03-02T10:00:00.000Z","name":null,"programmes":[{"name":"big","profile":"value","since":"2025-03-02T10:00:00.000Z","tier":"gold"}],"status_seq":2}
    {"as_of":"2025-03-03T10:00:00.000Z","customer_id":"c-3","facts":{"spend_30d":"350.1","orders":1},"first_purchase":"2025-03-03T10:00:00.000Z","labels":["known"],"last_purchase":"2025-03-03T10:00:00.000Z","last_seen":"2025-03-03T10:00:00.000Z","name":null,"programmes":[{"name":"big","profile":"value","since":"2025-03-03T10:00:00.000Z","tier":"gold"}],"status_seq":2}
    "#);

    let oldest = found[2]["epoch"].to_string();
    let older = shop.snapshot(&["export", "--task", "0", "--epoch", &oldest]);
    assert_eq!((older.code, older.out.lines().count()), (Some(0), 1), "{}", older.error);

    let before = shop.files("").len();
    let shown = shop.snapshot(&["prune", "--keep", "2"]);
    assert!(shown.out.contains("--execute deletes them") && shown.out.contains("would go"), "{}", shown.out);
    assert_eq!(shop.files("").len(), before, "nothing is deleted yet");
    assert_eq!(shop.snapshot(&["prune", "--keep", "2", "--execute"]).code, Some(0));
    assert_eq!(shop.list().len(), 2);
    assert!(shop.files(&format!("{oldest:0>20}")).is_empty());
    assert_eq!(shop.snapshot(&["prune", "--keep", "1", "--execute"]).code, Some(2), "two always stay");
}

#[test]
fn damage_is_named_passed_over_and_not_restored() {
    let shop = Shop::with_three();
    let newest = shop.list()[0]["epoch"].to_string();
    let block = shop.files(&format!("{newest:0>20}/")).remove(0);
    let mut bytes = std::fs::read(&block).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&block, &bytes).unwrap();

    let verified = shop.snapshot(&["verify"]);
    assert_eq!(verified.code, Some(1));
    assert!(verified.error.contains("1 of 3 snapshots cannot be restored"), "{}", verified.error);
    let name = block.strip_prefix(shop.path("state")).unwrap().display().to_string();
    assert!(
        verified.out.contains(&format!("bad  task 0 epoch {newest}: {name}: checksum does not fit")),
        "{}",
        verified.out
    );
    let exported = shop.snapshot(&["export"]);
    assert_eq!((exported.code, exported.out.lines().count()), (Some(0), 2), "the one before is exported");
    assert!(exported.error.contains(&format!("epoch {newest} is passed over: {name}")), "{}", exported.error);

    std::fs::write(&block, &bytes[..last]).unwrap();
    let listed = &shop.list()[0];
    assert_eq!(listed["restorable"], false);
    assert!(listed["problem"].as_str().unwrap().contains(&format!("has {last} bytes of {}", last + 1)), "{listed}");

    // The service goes on from the one before, takes the third order from its topic again, and snapshots it anew.
    let manifests = shop.files(".manifest");
    std::fs::remove_file(manifests.last().unwrap()).unwrap();
    std::fs::rename(shop.path("state/shop/0"), shop.path("aside")).unwrap();
    shop.take(4);
    assert_eq!(shop.list()[0]["customers"], 4);
}

#[test]
fn what_cannot_be_is_said_with_its_remedy() {
    let shop = Shop::open(RULES);
    let absent = shop.snapshot(&["list"]);
    assert_eq!(absent.code, Some(1));
    assert!(absent.error.contains("is not there: no snapshot was taken yet"), "{}", absent.error);
    let unknown = shop.vipstream(&["customer", "ann"]);
    assert!(unknown.error.contains("is not there: no snapshot was taken yet"), "{}", unknown.error);
    assert!(!shop.path("state").exists(), "looking makes no folder");

    std::fs::create_dir(shop.path("state")).unwrap();
    let empty = shop.snapshot(&["verify"]);
    assert_eq!(empty.code, Some(1));
    assert!(empty.error.contains("holds no snapshot of shop"), "{}", empty.error);

    shop.configure("off");
    let off = shop.snapshot(&["list"]);
    assert_eq!(off.code, Some(2));
    assert!(off.error.contains("`snapshots: off`, so there are none"), "{}", off.error);

    std::fs::write(shop.path("file"), "").unwrap();
    shop.configure("{ store: file:./file/state }");
    let checked = shop.vipstream(&["check"]);
    assert_eq!(checked.code, Some(2), "{}", checked.error);
    assert!(
        checked.error.contains("vipstream.yaml:6 snapshots.store: ") && checked.error.contains("cannot be written"),
        "{}",
        checked.error
    );
    let run = shop.vipstream(&["run"]);
    assert!(run.code.is_some_and(|code| code > 0) && run.error.contains("cannot be written"), "{}", run.error);
}

/// Two orders a month by ann, who stays away then, and by bob, who then spends less; cat became bob, dan was erased.
fn two_who_change() -> Shop {
    let shop = Shop::open(PIVOTS);
    let begin: jiff::Timestamp = "2024-01-01T09:00:00Z".parse().unwrap();
    let mut orders = Vec::new();
    for visit in 0..26 {
        let at = (begin + jiff::SignedDuration::from_hours(24 * 14 * visit)).to_string();
        if visit < 20 {
            orders.push(order("ann", &format!("a{visit}"), &at, &format!("{}.50", 50 + visit % 3)));
        }
        let amount = if visit < 20 { 60 + visit % 3 } else { 20 + visit % 3 };
        orders.push(order("bob", &format!("b{visit}"), &at, &amount.to_string()));
    }
    shop.send("vip.purchases", &orders);
    let customer = |id: &str, rest: &str| {
        format!(r#"{{"event_id":"{id}","customer_id":"{id}","occurred_at":"2024-01-02T09:00:00Z","version":1,{rest}}}"#)
    };
    let customers = [customer("bob", r#""name":"Bob Miller""#), customer("cat", r#""merged_into":"bob""#)];
    shop.send("vip.customers", &customers);
    let erasure = r#"{"event_id":"x","customer_id":"dan","occurred_at":"2024-01-02T09:00:00Z","request_id":"r"}"#;
    shop.send("vip.erasures", &[erasure.to_owned()]);
    shop.take_all("2024-12-24T12:00:00Z");
    shop
}

/// What is said, without which snapshot it is of and how old that is.
fn ageless(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_once(" UTC: ").map_or(line, |(kept, _)| kept));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_customer_is_shown_with_every_detector_and_how_far_it_is() {
    let shop = two_who_change();
    let ann = shop.vipstream(&["customer", "ann"]);
    assert_eq!(ann.code, Some(0), "{}", ann.error);
    insta::assert_snapshot!(ageless(&ann.out), @r"
    customer      ann
    as of         2024-12-24 12:00
    first order   2024-01-01 09:00
    newest order  2024-09-23 09:00
    newest event  2024-09-23 09:00
    programmes    big since 2024-05-06 09:00
    labels        silent
    pivots told   silence (cadence)

    FEATURE  VALUE
    orders   20

    CHANNEL  VALUES  USUAL          TWO IN THREE
    cadence  19      every 14 days  8 to 24 days
    spend    20      51.85 EUR      40.47 to 66.43 EUR

    SUSPECTED          SCORE  WATCH AT  ALERT AT  MOVES SINCE
    cadence_slowed     -      4.1       6.4       -
    cadence_quickened  -      4.1       6.4       -
    spend_rose         -      4.2       6.5       -
    spend_dropped      -      4.2       6.5       -

    OPEN               LEVEL  SINCE             TOLD  ENDS
    silence (cadence)  alert  2024-09-23 09:00  yes   with the next visit
    ");
    let cat = shop.vipstream(&["customer", "cat"]);
    insta::assert_snapshot!(ageless(&cat.out), @r"
    customer      bob, Bob Miller
    merged        cat into bob, who is shown
    as of         2024-12-24 12:00
    first order   2024-01-01 09:00
    newest order  2024-12-16 09:00
    newest event  2024-12-16 09:00
    programmes    big since 2024-05-06 09:00
    labels        none
    pivots told   spend_dropped

    FEATURE  VALUE
    orders   26

    CHANNEL  VALUES  USUAL          TWO IN THREE
    cadence  25      every 14 days  8 to 23 days
    spend    20      60.86 EUR      47.57 to 77.85 EUR

    SUSPECTED          SCORE  WATCH AT  ALERT AT  MOVES SINCE
    cadence_slowed     -      4.1       6.4       -
    cadence_quickened  -      4.1       6.4       -

    OPEN           LEVEL  SINCE             TOLD  ENDS
    spend_dropped  alert  2024-10-07 09:00  yes   now 20.98 EUR; settles with 12 values, 3 so far; recovers at 3.0, now 0.0

    UNLESS SEEN BY    WILL BE
    2025-02-06 21:15  silence (cadence)
    ");
    let said = shop.vipstream(&["customer", "cat", "--json"]);
    let bob: Value = serde_json::from_str(&said.out).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&bob["pivots"]["detectors"][1]).unwrap(), @r#"
    {
      "channel": "spend",
      "observations": "20",
      "usual": "60.8555",
      "shop": null,
      "spread": [
        "47.573",
        "77.8465"
      ],
      "scores": [],
      "next": null,
      "open": [
        {
          "kind": "spend_dropped",
          "level": "alert",
          "since": "2024-10-07T09:00:00.000Z",
          "told": true,
          "to": "20.9841",
          "back": "0",
          "recovers_at": "2.9957",
          "seen": 3,
          "settles_at": 12
        }
      ]
    }
    "#);
    assert_eq!(
        (&bob["customer_id"], &bob["merged"], &bob["labels"]),
        (&"bob".into(), &["cat"].as_slice().into(), &Value::Array(vec![]))
    );

    let nobody = shop.vipstream(&["customer", "zoe"]);
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.error.contains("nobody of the id zoe is in the snapshot of epoch "), "{}", nobody.error);
    let dan = shop.vipstream(&["customer", "dan"]);
    assert_eq!((dan.code, dan.error.trim()), (Some(1), "vipstream: dan was erased: nothing is remembered"));
}
