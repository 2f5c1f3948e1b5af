//! Where model and engine meet: the same files go through both, and every line must be equal.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use vipstream::codec::output::Wire;
use vipstream::codec::{self, RawRecord};
use vipstream::engine::image::ImageError;
use vipstream::engine::{Engine, Home, TimeMode};
use vipstream::model::event::Kind;
use vipstream::model::output::Output;
use vipstream::model::record::{self, Code, DeadLetter, Record};
use vipstream::model::time::EventTime;
use vipstream::replay;
use vipstream::rules::ruleset::Ruleset;

use super::difference::difference;
use super::generate::live::Live;
use super::model::fold::{Counts, Epoch, Fold, How, Mode, Said, Sent, Setup, Taken, null_status};
use super::model::{Input, Outputs, Replay, without_message};

/// What both say of the inputs.
///
/// # Panics
/// Where they differ, with the lines.
pub fn judged(ruleset: &str, inputs: &[Input], until: Option<EventTime>) -> Outputs {
    let seen = engine(replay::replay_memory(ruleset, inputs, until));
    let expected = model(ruleset, inputs, until, &seen);
    let difference = difference(&expected, &seen);
    assert!(difference.is_empty(), "the engine (+) is not the model (-):\n{difference}");
    expected
}

/// The engine's lines in the model's form: every topic, dead letters without their sentences.
pub fn engine(lines: BTreeMap<&'static str, Vec<String>>) -> Outputs {
    let topics = ["vip.events", "vip.alerts", "vip.status", "vip.audit", "vip.insights", "vip.pivots", "vip.dlq"];
    let mut outputs: Outputs = topics.map(|topic| (topic, vec![])).into();
    outputs.extend(lines);
    for line in outputs.entry("vip.dlq").or_default() {
        *line = without_message(line);
    }
    outputs
}

/// The model's lines, named as the engine names its run.
pub fn model(ruleset: &str, inputs: &[Input], until: Option<EventTime>, seen: &Outputs) -> Outputs {
    let topics = ["vip.events", "vip.alerts", "vip.status", "vip.audit", "vip.insights", "vip.pivots"];
    let mut said = topics.iter().flat_map(|topic| &seen[topic]);
    let named = said.find(|line| line.contains("\"run_id\""));
    let named: Json = named.map_or(Json::Null, |line| serde_json::from_str(line).expect("an output is JSON"));
    let hash = named["ruleset"]["hash"].as_str().unwrap_or_default();
    let run_id = named["run_id"].as_str().unwrap_or_default();
    Replay { ruleset, hash, run_id, inputs, until }.outputs()
}

/// What a task says of its epochs, one after the other, and what it counts.
pub type Told = (Vec<Said>, Counts);

/// What the model says of a task's epochs.
pub fn folded(live: &Live) -> Told {
    let hash = ruleset(live);
    let topics = Kind::ALL.map(|kind| (kind, topic(kind))).into();
    let setup =
        Setup { ruleset: &live.ruleset, hash: hash.hash(), app: APP, mode: live.mode, topics, task: 0, tasks: 1 };
    let mut fold = Fold::new(setup);
    let said = live.epochs.iter().map(|epoch| fold.apply(epoch.clone())).collect();
    (said, fold.counts())
}

/// What the engine says of a task's epochs.
pub fn applied(live: &Live) -> Told {
    let Prepared { rules, mode, epochs } = Prepared::new(live);
    let wire = Wire {
        ruleset: rules.name().to_owned(),
        hash: rules.hash().to_owned(),
        run_id: None,
        origin: "live",
        topics: Kind::ALL.map(topic),
    };
    let mut engine = Engine::new(rules, APP, mode, Home::ALONE);
    let mut said = Vec::new();
    for epoch in epochs {
        let (mut outputs, wall) = (Vec::new(), epoch.wall);
        engine.apply(epoch, &mut outputs);
        said.push(as_sent(&outputs, &wire, wall));
    }
    let stats = engine.stats();
    (
        said,
        Counts {
            late: stats.late,
            stale_alerts: stats.stale_alerts,
            erasures: stats.erasures,
            erased_events: stats.erased_events,
        },
    )
}

/// A task's epochs as its engine takes them.
pub struct Prepared {
    rules: Arc<Ruleset>,
    mode: TimeMode,
    pub epochs: Vec<record::Epoch>,
}

impl Prepared {
    /// Decodes the records.
    pub fn new(live: &Live) -> Self {
        let mode = if live.mode == Mode::Live { TimeMode::Live } else { TimeMode::Event };
        let mut reached = BTreeMap::new();
        let epochs = live.epochs.iter().map(|epoch| record::Epoch {
            records: records(epoch, &mut reached),
            clock: epoch.clock,
            wall: epoch.wall,
            ..record::Epoch::default()
        });
        let epochs = epochs.collect();
        Self { rules: ruleset(live), mode, epochs }
    }

    /// An engine that knows nobody yet.
    pub fn engine(&self) -> Engine {
        Engine::new(Arc::clone(&self.rules), APP, self.mode, Home::ALONE)
    }

    /// One as it was frozen, without its customers.
    ///
    /// # Errors
    /// See [`Engine::restore`].
    pub fn restore(&self, frozen: &[u8]) -> Result<Engine, ImageError> {
        Engine::restore(Arc::clone(&self.rules), APP, self.mode, Home::ALONE, frozen)
    }
}

/// Not the ruleset's name: the app's enters the identity of outputs.
const APP: &str = "acme-live";

fn topic(kind: Kind) -> String {
    format!("shop.{}s", kind.name())
}

fn ruleset(live: &Live) -> Arc<Ruleset> {
    Arc::new(Ruleset::parse("rules", &live.ruleset).unwrap_or_else(|problems| panic!("{problems:?}\n{}", live.ruleset)))
}

/// An epoch's records as a task hands them to the engine.
fn records(epoch: &Epoch, reached: &mut BTreeMap<(Kind, u32), EventTime>) -> Vec<Record> {
    let mut taken = epoch.records.clone();
    taken.sort_by_key(|taken| taken.position);
    let mut records = Vec::new();
    for Taken { position, key, value, timestamp, how } in taken {
        let raw = RawRecord { key: key.as_deref(), value: value.as_deref(), timestamp, headers: &[] };
        let early = || Box::new(DeadLetter::of(Code::Early, "so the journal says".to_owned(), raw.key, raw.value));
        let body = codec::decode(position.kind, &raw);
        let body = if how == How::Early { body.and(Err(early())) } else { body };
        if let How::HandedOver { merge_time } = how {
            records.push(Record { position, merge_time, body });
            continue;
        }
        let reached = reached.entry((position.kind, position.partition)).or_insert(EventTime::MIN);
        *reached = body.as_ref().map_or(*reached, |event| event.at.max(*reached));
        if how != How::Relayed || body.is_err() {
            records.push(Record { position, merge_time: *reached, body });
        }
    }
    records.sort_by_key(|record| (record.merge_time, record.position));
    records
}

fn as_sent(outputs: &[Output], wire: &Wire, wall: EventTime) -> Said {
    let mut said = Said::default();
    for output in outputs {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("what we write is UTF-8");
        let sent = || {
            let key = text(&wire.key(output).expect("a key"));
            let value = wire.value(output, Some(wall));
            Sent { value: value.map_or_else(|| null_status(&key), |value| text(&value)), key }
        };
        match output {
            Output::Decision(_) => said.events.push(sent()),
            Output::Alert(_) => said.alerts.push(sent()),
            Output::Status(_) => said.statuses.push(sent()),
            Output::Audit(_) => said.audits.push(sent()),
            Output::Insight(it) if it.finding.is_of_pivots() => said.pivots.push(sent()),
            Output::Insight(_) => said.insights.push(sent()),
            Output::Pivot(_) => said.pivots.push(sent()),
            Output::DeadLetter(position, letter) => said.dead_letters.push((*position, letter.code)),
        }
    }
    said
}
