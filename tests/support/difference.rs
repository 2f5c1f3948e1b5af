//! Two lists of outputs side by side: what only one of them has.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use vipstream::model::record::{Code, Position};

use super::model::Outputs;
use super::model::fold::{Said, Sent};

/// Each topic's lines by key, those of one key in the order of saying, and a line for each dead letter.
pub fn by_key(said: &[Said]) -> Outputs {
    let lines = |topic: &dyn Fn(&Said) -> &[Sent]| keyed(said.iter().flat_map(topic).cloned().collect());
    let refused = said.iter().flat_map(|said| &said.dead_letters);
    Outputs::from([
        ("vip.events", lines(&|said| &said.events)),
        ("vip.alerts", lines(&|said| &said.alerts)),
        ("vip.status", lines(&|said| &said.statuses)),
        ("vip.audit", lines(&|said| &said.audits)),
        ("vip.insights", lines(&|said| &said.insights)),
        ("vip.pivots", lines(&|said| &said.pivots)),
        ("vip.dlq", refused.map(|(position, code)| dead_letter(*position, *code)).collect()),
    ])
}

/// The values of records, by key; what a key's records say is in order wherever its partition is.
pub fn keyed(mut sent: Vec<Sent>) -> Vec<String> {
    sent.sort_by(|left, right| left.key.cmp(&right.key));
    sent.into_iter().map(|sent| sent.value).collect()
}

/// A dead letter in short.
pub fn dead_letter(Position { kind, partition, offset }: Position, code: Code) -> String {
    json!({ "type": "dead_letter", "at": format!("{}-{partition}@{offset}", kind.name()), "code": code.name() })
        .to_string()
}

/// What only one side has, at most twelve lines; `-` the model's, `+` the engine's. Of an output that both
/// have, by its id, only the fields that differ.
pub fn difference(expected: &Outputs, seen: &Outputs) -> String {
    let mut text = Vec::new();
    for (topic, lines) in expected {
        let others = &seen[topic];
        let mut theirs = only_in(others, lines);
        for our in only_in(lines, others) {
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

/// The lines that one side has and the other has not, or has less often.
fn only_in(lines: &[String], others: &[String]) -> Vec<Json> {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for other in others {
        *left.entry(other).or_default() += 1;
    }
    let is_only_here = |line: &&String| match left.get_mut(line.as_str()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    lines.iter().filter(is_only_here).map(|line| parsed(line)).collect()
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
