//! The reference model: what the right decisions are, worked out the slow and obvious way.
//!
//! Written from the semantics alone, it shares with the crate only the nouns and the hash that names an
//! output. It keeps everything that ever happened and works out every value anew at every look, so that
//! there is nothing to maintain and little to get wrong. The engine must equal it, line for line.

mod calendar;
mod customer;
mod decode;
mod evidence;
mod expr;
mod features;
mod fields;
mod json;
mod keys;
mod lines;
mod look;
mod memory;
mod presence;
mod programme;
mod rules;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use vipstream::model::event::{Event, Kind};
use vipstream::model::record::{Code, Position};
use vipstream::model::time::EventTime;

use self::customer::{Customer, Entity};
use self::lines::{Line, Object};
use self::look::Run;
use self::rules::Ruleset;

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

/// A line that could be read, or why it could not.
struct Record {
    merge_time: EventTime,
    position: Position,
    body: Result<Event, Code>,
}

impl Replay<'_> {
    /// Works out every output.
    pub fn outputs(&self) -> Outputs {
        let run = Run { rules: Ruleset::read(self.ruleset), hash: self.hash.to_owned(), id: self.run_id.to_owned() };
        let mut walk =
            Walk { run, customers: BTreeMap::new(), deadlines: BTreeSet::new(), events: vec![], alerts: vec![] };
        let mut refused = Vec::new();
        let mut clock = EventTime::MIN;
        for record in self.records() {
            walk.fire_until(record.merge_time);
            clock = record.merge_time;
            match &record.body {
                Ok(event) => walk.apply(event, record.position),
                Err(code) => refused.push((record.position, *code)),
            }
        }
        walk.fire_until(self.until.unwrap_or(clock));
        refused.sort_unstable();
        let refused = refused.into_iter().map(|(position, code)| self.dead_letter(position, code));
        BTreeMap::from([
            ("vip.events", sorted(walk.events)),
            ("vip.alerts", sorted(walk.alerts)),
            ("vip.dlq", refused.collect()),
        ])
    }

    /// All records in merge order.
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
        records.sort_by_key(|record| (record.merge_time, record.position));
        records
    }

    /// A dead letter without its sentence, which is free text.
    fn dead_letter(&self, position: Position, code: Code) -> String {
        let mut of_kind = self.inputs.iter().filter(|(kind, _)| *kind == position.kind);
        let (_, lines) = of_kind.nth(position.partition as usize).expect("the partition was read");
        let line = &lines[usize::try_from(position.offset).expect("an index")];
        let mut body = Object::default();
        body.put("type", "dead_letter");
        let Json::Object(place) = lines::place(&position) else { unreachable!("a place is an object") };
        body.0.extend(place);
        body.put("code", code.name());
        body.put("value_base64", lines::base64(line));
        Json::Object(body.0).to_string()
    }
}

/// A dead letter's line as the model writes it, from one that has a sentence.
pub fn without_message(line: &str) -> String {
    let mut body: Map<String, Json> = serde_json::from_str(line).expect("a dead letter is a JSON object");
    let message = body.shift_remove("message").unwrap_or_else(|| json!(""));
    assert!(message.as_str().is_some_and(|message| !message.is_empty()), "a dead letter has a sentence: {line}");
    Json::Object(body).to_string()
}

/// The state of everybody while the records are walked.
struct Walk {
    run: Run,
    customers: BTreeMap<Entity, Customer>,
    /// Each customer's next instant.
    deadlines: BTreeSet<(EventTime, Entity)>,
    events: Vec<Line>,
    alerts: Vec<Line>,
}

impl Walk {
    /// Fires all deadlines up to and including `due`, in the order (instant, id).
    fn fire_until(&mut self, due: EventTime) {
        while let Some((instant, entity)) = self.deadlines.first().cloned() {
            if instant > due {
                return;
            }
            self.fire(&entity, instant);
        }
    }

    fn fire(&mut self, entity: &Entity, instant: EventTime) {
        let customer = self.customers.get_mut(entity).expect("a deadline is somebody's");
        customer.as_of = instant;
        self.events.extend(look::look(&self.run, customer, None, false));
        self.set_deadline(entity);
    }

    fn apply(&mut self, event: &Event, position: Position) {
        let entity = Entity::of(event);
        let customer = self.customers.entry(entity.clone()).or_insert_with(|| Customer::new(entity.clone()));
        let outcome = customer.take(&self.run.rules, event, position);
        if outcome.look && customer.entity.customer_id().is_some() {
            let lines = look::look(&self.run, customer, Some((event, position)), outcome.refund);
            self.events.extend(lines);
        }
        if outcome.alerts {
            self.alerts.extend(look::alert(&self.run, customer, event, position));
        }
        self.set_deadline(&entity);
    }

    /// Works out the entity's next instant anew.
    fn set_deadline(&mut self, entity: &Entity) {
        let customer = self.customers.get_mut(entity).expect("somebody just touched");
        let next = customer.next_deadline(&self.run.rules);
        if let Some(former) = std::mem::replace(&mut customer.deadline, next) {
            self.deadlines.remove(&(former, entity.clone()));
        }
        self.deadlines.extend(next.map(|instant| (instant, entity.clone())));
    }
}

fn sorted(mut lines: Vec<Line>) -> Vec<String> {
    lines.sort();
    lines.into_iter().map(|line| line.text).collect()
}
