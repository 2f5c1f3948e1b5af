//! The reference model: what the right decisions are, worked out the slow and obvious way.
//!
//! Written from the semantics alone, it shares with the crate only the nouns and the hash that names an
//! output. It keeps everything that ever happened and works out every value anew at every look, so that
//! there is nothing to maintain and little to get wrong. The engine must equal it, line for line.

mod account;
mod advocates;
mod budget;
mod calendar;
mod customer;
mod decode;
mod effects;
mod evidence;
mod exceptions;
mod expr;
mod features;
mod fields;
pub mod fold;
mod identity;
mod json;
mod keys;
mod lines;
mod look;
mod memory;
mod money;
mod overrides;
mod percentile;
mod pivots;
mod population;
mod presence;
mod programme;
mod routing;
mod rules;
mod seats;
mod settlement;
mod settling;
mod shares;
mod status;
mod value;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use vipstream::model::event::Kind;
use vipstream::model::record::{Code, Position};
use vipstream::model::time::EventTime;

use self::lines::{Line, Object, Topics};
use self::look::{Mode, Run};
use self::routing::Agents;
use self::rules::Ruleset;
use self::walk::{Found, Record, Walk};

/// Each topic's lines, sorted.
pub type Outputs = BTreeMap<&'static str, Vec<String>>;

/// The lines of one partition of an input.
pub type Input = (Kind, Vec<Vec<u8>>);

/// One run over files.
pub struct Replay<'a> {
    pub ruleset: &'a str,
    /// The ruleset's hash and the run's id, as outputs name them.
    pub hash: &'a str,
    pub run_id: &'a str,
    /// Several inputs of a kind are its partitions 0, 1, ...
    pub inputs: &'a [Input],
    pub until: Option<EventTime>,
}

impl Replay<'_> {
    /// Works out every output.
    pub fn outputs(&self) -> Outputs {
        let rules = Ruleset::read(self.ruleset);
        let run = Run {
            // Replayed files have no other name.
            app: rules.name.clone(),
            rules,
            hash: self.hash.to_owned(),
            mode: Mode::Event,
            topics: Topics::of_files(),
            wall: EventTime::MIN,
            agents: Agents::default(),
            turned: std::cell::RefCell::default(),
            replay: Some(self.run_id.to_owned()),
        };
        let mut walk = Walk::new(run, (0, 1));
        let records = self.records();
        let last = records.iter().map(|record| record.merge_time).max();
        let clock = self.until.or(last).unwrap_or(EventTime::MIN);
        walk.epoch(Vec::new(), records, clock, clock);
        let Found { events, alerts, statuses, audits, insights, pivots, mut refused, .. } = walk.found;
        refused.sort_unstable();
        let refused = refused.into_iter().map(|(position, code)| self.dead_letter(position, code));
        BTreeMap::from([
            ("vip.events", sorted(events)),
            ("vip.alerts", sorted(alerts)),
            ("vip.status", sorted(statuses)),
            ("vip.audit", sorted(audits)),
            ("vip.insights", sorted(insights)),
            ("vip.pivots", sorted(pivots)),
            ("vip.dlq", refused.collect()),
        ])
    }

    /// All records up to the time to stop at.
    fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let mut partitions: BTreeMap<Kind, u32> = BTreeMap::new();
        for (kind, lines) in self.inputs {
            let partition = partitions.entry(*kind).or_default();
            let mut merge_time = EventTime::MIN;
            for (offset, line) in (0..).zip(lines) {
                let body = decode::decode(*kind, line);
                if let Ok(event) = &body {
                    merge_time = merge_time.max(event.at);
                }
                let position = Position { kind: *kind, partition: *partition, offset };
                records.push(Record { merge_time, position, body });
            }
            *partition += 1;
        }
        records.retain(|record| self.until.is_none_or(|until| record.merge_time <= until));
        records
    }

    /// A dead letter without its sentence, which is free text.
    fn dead_letter(&self, position: Position, code: Code) -> String {
        let mut of_kind = self.inputs.iter().filter(|(kind, _)| *kind == position.kind);
        let (_, lines) = of_kind.nth(position.partition as usize).expect("the partition was read");
        let line = &lines[usize::try_from(position.offset).expect("an index")];
        let mut body = Object::default();
        body.put("type", "dead_letter");
        let Json::Object(place) = Topics::of_files().place(&position) else { unreachable!("a place is an object") };
        body.0.extend(place);
        body.put("code", code.name());
        // What went from one to another was read long ago; where it lies is known.
        let value = (code != Code::TooManyHops).then(|| lines::base64(line));
        body.put("value_base64", value);
        Json::Object(body.0).to_string()
    }
}

/// What a ruleset says of weights: of each tier, and which programmes have tiers.
pub fn weights(ruleset: &str) -> (BTreeMap<String, Json>, BTreeSet<String>) {
    let rules = Ruleset::read(ruleset);
    let of_tiers = rules.weights.iter().map(|(tier, weight)| (tier.clone(), weight.json())).collect();
    let tiered = rules.programmes.iter().filter(|it| !it.tiers.is_empty()).map(|it| it.name.clone()).collect();
    (of_tiers, tiered)
}

/// A dead letter's line as the model writes it, from one that has a sentence.
pub fn without_message(line: &str) -> String {
    let mut body: Map<String, Json> = serde_json::from_str(line).expect("a dead letter is a JSON object");
    let message = body.shift_remove("message").unwrap_or_else(|| json!(""));
    assert!(message.as_str().is_some_and(|message| !message.is_empty()), "a dead letter has a sentence: {line}");
    Json::Object(body).to_string()
}

fn sorted(mut lines: Vec<Line>) -> Vec<String> {
    lines.sort_by(|left, right| left.order.cmp(&right.order));
    lines.into_iter().map(|line| line.text).collect()
}
