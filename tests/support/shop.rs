//! A small shop on Kafka: its topics, its rules, its traffic, and what `replay` makes of the same records.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use vipstream::config::Config;
use vipstream::load::{Generated, Load, Shape};
use vipstream::model::event::Kind;
use vipstream::model::time::EventTime;
use vipstream::replay::replay_memory;
use vipstream::rules::ruleset::Ruleset;

use crate::{kafka, topics};

/// Partitions of an input, unless a test says otherwise.
const PARTITIONS: i32 = 4;

/// Past the last event by so much that every deadline has come.
pub(crate) const UNTIL: EventTime = EventTime(1_798_761_600_000);

/// The shop of one test: topics of its own.
pub(crate) struct Shop {
    pub(crate) app: String,
    pub(crate) bootstrap: String,
    /// The inputs, and their partitions.
    kinds: BTreeMap<Kind, i32>,
    /// An input whose records are not where Kafka's Java client would put them.
    astray: Option<Kind>,
    /// By kind, in the order sent.
    sent: Mutex<BTreeMap<Kind, Vec<Vec<u8>>>>,
}

/// What was decided, as compared: without what says how it was come by.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Decided {
    pub(crate) decisions: Vec<String>,
    pub(crate) alerts: Vec<String>,
    pub(crate) statuses: Vec<String>,
    pub(crate) audits: Vec<String>,
    pub(crate) insights: Vec<String>,
    pub(crate) pivots: Vec<String>,
}

impl Decided {
    /// By the topics' names.
    fn of(lines: impl Fn(&str) -> Vec<String>) -> Self {
        let names = ["events", "alerts", "status", "audit", "insights", "pivots"];
        let [decisions, alerts, statuses, audits, insights, pivots] = names.map(lines);
        Self { decisions, alerts, statuses, audits, insights, pivots }
    }

    /// What `replay` makes of partitions of inputs.
    pub(crate) fn by_replay(rules: &str, inputs: &[(Kind, Vec<Vec<u8>>)], until: Option<EventTime>) -> Self {
        let topics = replay_memory(rules, inputs, until);
        Self::of(|name| {
            let lines = topics.get(format!("vip.{name}").as_str()).into_iter().flatten();
            sorted(lines.map(|line| serde_json::from_str(line).expect("JSON")))
        })
    }

    const fn topics(&self) -> [&Vec<String>; 6] {
        [&self.decisions, &self.alerts, &self.statuses, &self.audits, &self.insights, &self.pivots]
    }
}

impl Shop {
    /// Makes the input topics, each of as many partitions.
    pub(crate) fn open() -> Self {
        Self::open_with(|_| PARTITIONS, None)
    }

    /// Makes the input topics. One of them may be written with another partitioner than Kafka's Java client has.
    pub(crate) fn open_with(partitions: impl Fn(Kind) -> i32, astray: Option<Kind>) -> Self {
        let kinds =
            [Kind::Purchase, Kind::Csat, Kind::Mention, Kind::Referral, Kind::Presence, Kind::Customer, Kind::Erasure];
        Self::open_reading(&kinds, partitions, astray)
    }

    /// The same, with these inputs.
    pub(crate) fn open_reading(kinds: &[Kind], partitions: impl Fn(Kind) -> i32, astray: Option<Kind>) -> Self {
        let shop = Self {
            app: kafka::unique("shop"),
            bootstrap: kafka::bootstrap().to_owned(),
            kinds: kinds.iter().map(|kind| (*kind, partitions(*kind))).collect(),
            astray,
            sent: Mutex::default(),
        };
        for (kind, partitions) in &shop.kinds {
            topics::create(&shop.bootstrap, &shop.input(*kind), *partitions);
        }
        shop
    }

    pub(crate) fn input(&self, kind: Kind) -> String {
        format!("{}.{}", self.app, kind.name())
    }

    pub(crate) fn output(&self, name: &str) -> String {
        format!("{}.out.{name}", self.app)
    }

    /// The rules, under the app's name: it enters the identity of outputs, as the app does.
    pub(crate) fn rules_text(&self) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/shop.yaml");
        let text = std::fs::read_to_string(path).expect("the example rules");
        text.replace("ruleset: shop", &format!("ruleset: {}", self.app))
    }

    pub(crate) fn rules(&self) -> Arc<Ruleset> {
        Arc::new(Ruleset::parse("rules.yaml", &self.rules_text()).expect("the example rules are in order"))
    }

    /// The configuration with `more` lines at its end; without snapshots unless they say otherwise.
    pub(crate) fn config_text(&self, more: &str) -> String {
        let inputs: Vec<String> =
            self.kinds.keys().map(|kind| format!("  {}: {{ topic: {} }}", kind.name(), self.input(*kind))).collect();
        let outputs = ["events", "alerts", "status", "audit", "insights", "pivots", "dlq"];
        let outputs = outputs.map(|name| format!("{name}: {}", self.output(name))).join(", ");
        let snapshots = if more.contains("snapshots:") { "" } else { "snapshots: off\n" };
        format!(
            "app: {}
kafka: {{ bootstrap.servers: \"{}\" }}
rules: rules.yaml
inputs:
{}
outputs: {{ {outputs} }}
{snapshots}{more}
",
            self.app,
            self.bootstrap,
            inputs.join("\n")
        )
    }

    pub(crate) fn config(&self, more: &str) -> Config {
        Config::parse("vipstream.yaml", &self.config_text(more), Path::new("."), []).expect("a configuration in order")
    }

    /// Believable traffic in order of time. Now and then somebody is erased.
    pub(crate) fn traffic(&self, events: u64) -> Vec<Generated> {
        self.traffic_of(events, 0.0)
    }

    /// The same, with profiles of a share of the customers, which name their handles.
    pub(crate) fn traffic_of(&self, events: u64, profiles: f64) -> Vec<Generated> {
        let shape = Shape { seed: 7, events, customers: 120, span: Duration::from_hours(24 * 400), ..Shape::default() };
        let mut load = Load::new(Shape { profiles, ..shape.flawless() });
        let mut records = Vec::new();
        let mut record = Generated::default();
        while load.next_into(&mut record) {
            if self.kinds.contains_key(&record.kind) {
                records.push(record.clone());
            }
            if let Some(key) = record.key.as_ref().filter(|_| records.len() % 300 == 299) {
                let (number, customer, at) = (records.len(), key.as_str(), record.at);
                let json = format!(
                    r#"{{"event_id":"x{number}","customer_id":"{customer}","occurred_at":"{at}","request_id":"q{number}"}}"#
                );
                records.push(Generated { kind: Kind::Erasure, key: record.key.clone(), json: json.into_bytes(), at });
            }
        }
        records
    }

    /// Sends the traffic, keyed by customer.
    pub(crate) fn fill(&self, traffic: &[Generated]) {
        let producer = topics::producer(&self.bootstrap);
        let mut sent = self.sent.lock().expect("no test panics while it sends");
        for record in traffic {
            let key = record.key.as_ref().map_or(&b"unknown"[..], |id| id.as_str().as_bytes());
            let partition = (self.astray == Some(record.kind)).then(|| other_partition(key, self.kinds[&record.kind]));
            topics::send(&producer, &self.input(record.kind), partition, Some(key), Some(&record.json));
            sent.entry(record.kind).or_default().push(record.json.clone());
        }
        topics::flush(&producer);
    }

    /// Runs the app in this process until it has read everything.
    pub(crate) fn run_to_the_end(&self) {
        self.run_to_the_end_as("time: event\ntasks: 2");
    }

    /// The same, with these lines of configuration.
    pub(crate) fn run_to_the_end_as(&self, more: &str) {
        let config = self.config(more);
        let running = vipstream::app::start_until(&config, self.rules(), Some(UNTIL)).expect("a start");
        running.join().expect("a run without fault");
    }

    /// What `replay` makes of everything sent, time ending with the last event.
    pub(crate) fn replayed_without_end(&self) -> Decided {
        self.replay(None)
    }

    /// What `replay` makes of everything sent.
    pub(crate) fn replayed(&self) -> Decided {
        self.replay(Some(UNTIL))
    }

    fn replay(&self, until: Option<EventTime>) -> Decided {
        let sent = self.sent.lock().expect("no test panics while it sends");
        let inputs: Vec<(Kind, Vec<Vec<u8>>)> = sent.iter().map(|(kind, lines)| (*kind, lines.clone())).collect();
        Decided::by_replay(&self.rules_text(), &inputs, until)
    }

    /// What committed readers see of the app's outputs.
    pub(crate) fn decided(&self) -> Decided {
        let lines =
            |name: &str| sorted(topics::read_all(&self.bootstrap, &self.output(name)).iter().map(topics::Read::json));
        Decided::of(lines)
    }

    /// Each customer's decisions carry the numbers 1, 2, 3, ...: one lost or doubled would show.
    pub(crate) fn assert_sequences_without_gap(&self) {
        let mut sequences: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for decision in topics::read_all(&self.bootstrap, &self.output("events")) {
            let decision = decision.json();
            let customer = decision["customer_id"].as_str().expect("a customer").to_owned();
            sequences.entry(customer).or_default().push(decision["status_seq"].as_u64().expect("a number"));
        }
        assert!(sequences.len() > 20, "{} customers", sequences.len());
        for (customer, mut found) in sequences {
            found.sort_unstable();
            assert!(found.iter().copied().eq(1..=found.len() as u64), "{customer}: {found:?}");
        }
    }

    /// Compares line by line, so that a difference is found.
    pub(crate) fn assert_decided(&self, expected: &Decided) {
        let found = self.decided();
        for (found, expected) in found.topics().into_iter().zip(expected.topics()) {
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(found, expected);
            }
            assert_eq!(found.len(), expected.len());
        }
    }
}

/// Where a partitioner of another kind puts a key.
fn other_partition(key: &[u8], partitions: i32) -> i32 {
    key.iter().fold(0, |sum, byte| (sum + i32::from(*byte)) % partitions)
}

fn sorted(values: impl Iterator<Item = Value>) -> Vec<String> {
    let mut lines: Vec<String> = values.map(topics::comparable).collect();
    lines.sort_unstable();
    lines
}
