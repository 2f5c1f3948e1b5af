//! Where model and engine meet: the same files go through both, and every line must be equal.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use vipstream::model::time::EventTime;
use vipstream::replay;

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
    let mut outputs = Outputs::from([("vip.events", vec![]), ("vip.alerts", vec![]), ("vip.dlq", vec![])]);
    outputs.extend(lines);
    for line in outputs.entry("vip.dlq").or_default() {
        *line = without_message(line);
    }
    outputs
}

/// The model's lines, named as the engine names its run.
pub fn model(ruleset: &str, inputs: &[Input], until: Option<EventTime>, seen: &Outputs) -> Outputs {
    let named = seen["vip.events"].iter().chain(&seen["vip.alerts"]).next();
    let named: Json = named.map_or(Json::Null, |line| serde_json::from_str(line).expect("an output is JSON"));
    let hash = named["ruleset"]["hash"].as_str().unwrap_or_default();
    let run_id = named["run_id"].as_str().unwrap_or_default();
    Replay { ruleset, hash, run_id, inputs, until }.outputs()
}

/// What only one side has, at most twelve lines; `-` the model's, `+` the engine's. Of an output that both
/// have, by its id, only the fields that differ.
pub fn difference(expected: &Outputs, seen: &Outputs) -> String {
    let mut text = Vec::new();
    for (topic, lines) in expected {
        let others = &seen[topic];
        let ours: Vec<Json> = lines.iter().filter(|line| !others.contains(line)).map(|line| parsed(line)).collect();
        let mut theirs: Vec<Json> =
            others.iter().filter(|line| !lines.contains(line)).map(|line| parsed(line)).collect();
        for our in ours {
            let twin =
                theirs.iter().position(|their| !our["event_id"].is_null() && their["event_id"] == our["event_id"]);
            match twin.map(|index| theirs.remove(index)) {
                Some(their) => text.push(fields_that_differ(&our, &their)),
                None => text.push(format!("- {our}")),
            }
        }
        text.extend(theirs.iter().map(|their| format!("+ {their}")));
        if text.is_empty() && lines != others {
            text.push(format!("  {topic}: the same lines in another order"));
        }
    }
    text.truncate(12);
    text.join("\n")
}

fn parsed(line: &str) -> Json {
    serde_json::from_str(line).expect("an output is JSON")
}

fn fields_that_differ(our: &Json, their: &Json) -> String {
    let name = ["programme", "label", "name"].into_iter().find_map(|name| our[name].as_str()).unwrap_or_default();
    let mut text = format!("! {} {} {name} {}", our["occurred_at"], our["customer_id"], our["type"]);
    let (Json::Object(ours), Json::Object(theirs)) = (our, their) else { unreachable!("an output is an object") };
    for key in ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key))) {
        let (our, their) = (ours.get(key).unwrap_or(&Json::Null), theirs.get(key).unwrap_or(&Json::Null));
        if *our != *their {
            text.push_str(&format!("\n    - {key}: {our}\n    + {key}: {their}"));
        }
    }
    text
}
