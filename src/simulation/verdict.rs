//! What must hold when all is over: every record taken once, and committed readers find what the model says.

use std::collections::BTreeMap;

use super::plan::Plan;
use super::process::outputs;
use super::traffic::{APP, INTRUDER, RULES};
use super::world::World;
use crate::engine::TimeMode;
use crate::model::event::Kind;
use crate::model::record::{Code, Position};
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use crate::support::ledger::Ledger;
use crate::support::model::fold::{Epoch, Fold, How, Mode, Said, Setup};

/// Decisions, alerts, dead letters, sorted.
type Lines = [Vec<String>; 3];

/// Judges what the topics hold.
///
/// # Panics
/// Where something is wrong, with what it is.
pub(super) fn judge(world: &World, plan: &Plan, rules: &Ruleset, until: Option<EventTime>) {
    let ledger = ledger(world, plan);
    if until.is_some() {
        ledger.assert_ranges_are_gapless();
    } else {
        ledger.assert_ranges_are_gapless_and_reach_the_end();
        ledger.assert_handed_over_once();
    }
    let mut seen = seen(world);
    let before = seen[2].len();
    seen[2].retain(|line| !line.ends_with(&format!(" {INTRUDER} {}", Code::TooManyHops.name())));
    assert_eq!(before - seen[2].len(), plan.intruders, "what was written from outside ends as a dead letter");
    compare(&seen, &folded(&ledger, plan, rules), "of its epochs");
    if let Some(until) = until {
        let told = without_time(seen);
        compare(&told, &without_time(replayed(&ledger, plan, rules, until)), "of its inputs");
    }
}

/// Everything that was read and written down.
fn ledger(world: &World, plan: &Plan) -> Ledger {
    let mut ledger = Ledger::new(plan.tasks);
    for (kind, _) in &plan.inputs {
        for (partition, log) in world.logs(&format!("{APP}.{}", kind.name())) {
            for (offset, entry) in log.uncommitted(0) {
                let position = Position { kind: *kind, partition, offset };
                entry.with_raw(|raw| ledger.store(position, &raw));
            }
        }
    }
    for (task, log) in world.logs(&format!("{APP}.journal")) {
        log.committed(0).for_each(|(_, entry)| entry.with_raw(|raw| ledger.enter(task, &raw)));
    }
    for (task, log) in world.logs(&format!("{APP}.relay")) {
        let handed = log.committed(0).filter(|(_, entry)| !entry.is_from_outside());
        handed.for_each(|(offset, entry)| entry.with_raw(|raw| ledger.hand(task, offset, &raw)));
    }
    ledger
}

fn fold(plan: &Plan, rules: &Ruleset, (task, tasks): (u32, u32)) -> Fold {
    let topics = plan.inputs.iter().map(|(kind, _)| (*kind, format!("{APP}.{}", kind.name()))).collect();
    let mode = if plan.mode == TimeMode::Live { Mode::Live } else { Mode::Event };
    Fold::new(Setup { ruleset: RULES, hash: rules.hash(), app: APP, mode, topics, task, tasks })
}

/// What the model says of the journaled epochs.
fn folded(ledger: &Ledger, plan: &Plan, rules: &Ruleset) -> Lines {
    let mut lines = Lines::default();
    ledger.folded(|task| fold(plan, rules, (task, plan.tasks))).into_iter().for_each(|said| add(&mut lines, said));
    lines.map(sorted)
}

/// What the model says of the inputs, whatever tasks and epochs there were.
fn replayed(ledger: &Ledger, plan: &Plan, rules: &Ruleset, until: EventTime) -> Lines {
    let mut lines = Lines::default();
    let records = ledger.inputs(until);
    let records = records.into_iter().map(|mut taken| {
        taken.how = How::Read;
        taken
    });
    let epoch = Epoch { records: records.collect(), clock: until, wall: until, ..Epoch::default() };
    add(&mut lines, fold(plan, rules, (0, 1)).apply(epoch));
    lines.map(sorted)
}

fn add(lines: &mut Lines, said: Said) {
    let Said { events, alerts, dead_letters, .. } = said;
    lines[0].extend(events.into_iter().map(|sent| sent.value));
    lines[1].extend(alerts.into_iter().map(|sent| sent.value));
    lines[2].extend(dead_letters.into_iter().map(|(position, code)| {
        let Position { kind, partition, offset } = position;
        format!("{APP}.{} {partition} {offset} {}", kind.name(), code.name())
    }));
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_unstable();
    lines
}

/// What a committed reader finds.
fn seen(world: &World) -> Lines {
    let outputs = outputs();
    let mut sequence: BTreeMap<String, u64> = BTreeMap::new();
    let mut lines = Lines::default();
    for (place, topic) in [&outputs.events, &outputs.alerts, &outputs.dlq].into_iter().enumerate() {
        for (_, entry) in world.logs(topic).flat_map(|(_, log)| log.committed(0)) {
            let header = |name: &str| {
                let found = entry.headers.iter().find(|(key, _)| key == &format!("vipstream.error.{name}"));
                found.map(|(_, value)| String::from_utf8(value.clone()).expect("text"))
            };
            if let Some(code) = header("code") {
                let at = ["topic", "partition", "offset"].map(|name| header(name).unwrap_or_default());
                lines[place].push(format!("{} {code}", at.join(" ")));
                continue;
            }
            let value = String::from_utf8(entry.value.clone().expect("a value")).expect("JSON is text");
            if place == 0 {
                let json: serde_json::Value = serde_json::from_str(&value).expect("JSON");
                let customer = json["customer_id"].as_str().expect("a customer").to_owned();
                let number = json["status_seq"].as_u64().expect("a number");
                assert_eq!(sequence.insert(customer, number).unwrap_or_default() + 1, number, "{value}");
            }
            lines[place].push(value);
        }
    }
    lines.map(sorted)
}

/// When an epoch decided depends on epochs.
fn without_time(lines: Lines) -> Lines {
    lines.map(|lines| {
        let lines = lines.into_iter().map(|line| {
            let Some((before, rest)) = line.split_once("\"decided_at\":\"") else { return line };
            let rest = rest.split_once("\",").expect("it ends").1;
            format!("{before}{rest}")
        });
        sorted(lines.collect())
    })
}

fn compare(seen: &Lines, expected: &Lines, what: &str) {
    for ((name, seen), expected) in ["events", "alerts", "dlq"].into_iter().zip(seen).zip(expected) {
        let (mut strange, mut missing) = (seen.clone(), expected.clone());
        strange.retain(|line| !expected.contains(line));
        missing.retain(|line| !seen.contains(line));
        assert!(
            seen == expected,
            "{name}: not what the model says {what}: {} lines instead of {}\nstrange: {strange:#?}\nmissing: {missing:#?}",
            seen.len(),
            expected.len()
        );
    }
}

impl World {
    /// Where each input partition ends.
    pub(super) fn ends(&self, inputs: &[(Kind, u32)]) -> BTreeMap<(Kind, u32), u64> {
        let ends = inputs.iter().flat_map(|(kind, _)| {
            let topic = format!("{APP}.{}", kind.name());
            let logs = self.logs(&topic);
            logs.map(|(partition, log)| ((*kind, partition), log.stable())).collect::<Vec<_>>()
        });
        ends.collect()
    }
}
