//! What must hold when all is over: every record taken once, and committed readers find what the model says.

use std::collections::BTreeMap;

use super::plan::Plan;
use super::process::outputs;
use super::traffic::{APP, INTRUDER};
use super::world::World;
use crate::engine::TimeMode;
use crate::model::event::Kind;
use crate::model::record::{Code, Position};
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use crate::support::ledger::Ledger;
use crate::support::model::fold::{Epoch, Fold, How, Mode, Said, Sent, Setup, assert_sequences, null_status, numbered};

/// The lines of each output topic, sorted: those of a key with their numbers, so that their order tells.
type Lines = BTreeMap<&'static str, Vec<String>>;

const LETTERS: &str = "dlq";

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
    let letters = seen.get_mut(LETTERS).expect("a topic");
    let before = letters.len();
    letters.retain(|line| !line.ends_with(&format!(" {INTRUDER} {}", Code::TooManyHops.name())));
    assert_eq!(before - letters.len(), plan.intruders, "what was written from outside ends as a dead letter");
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
    Fold::new(Setup { ruleset: &plan.rules(), hash: rules.hash(), app: APP, mode, topics, task, tasks })
}

/// What the model says of the journaled epochs.
fn folded(ledger: &Ledger, plan: &Plan, rules: &Ruleset) -> Lines {
    lines(ledger.folded(|task| fold(plan, rules, (task, plan.tasks))))
}

/// What the model says of the inputs, whatever tasks and epochs there were.
fn replayed(ledger: &Ledger, plan: &Plan, rules: &Ruleset, until: EventTime) -> Lines {
    let records = ledger.inputs(until);
    let records = records.into_iter().map(|mut taken| {
        taken.how = How::Read;
        taken
    });
    let epoch = Epoch { records: records.collect(), clock: until, wall: until, ..Epoch::default() };
    lines(vec![fold(plan, rules, (0, 1)).apply(epoch)])
}

fn lines(said: Vec<Said>) -> Lines {
    let letters = said.iter().flat_map(|said| &said.dead_letters).map(|(position, code)| {
        let Position { kind, partition, offset } = position;
        format!("{APP}.{} {partition} {offset} {}", kind.name(), code.name())
    });
    let letters = letters.collect();
    let mut topics: BTreeMap<&str, Vec<Sent>> = BTreeMap::new();
    for (name, sent) in said.into_iter().flat_map(Said::topics) {
        topics.entry(name).or_default().extend(sent);
    }
    let lines = topics.into_iter().map(|(name, sent)| (name, numbered(sent)));
    sorted(lines.chain([(LETTERS, letters)]).collect())
}

fn sorted(mut lines: Lines) -> Lines {
    for lines in lines.values_mut() {
        lines.sort_unstable();
    }
    lines
}

/// What a committed reader finds.
fn seen(world: &World) -> Lines {
    let outputs = outputs();
    let mut lines = Lines::default();
    let names = ["events", "alerts", "status", "audit", "insights", "pivots"];
    let topics =
        [&outputs.events, &outputs.alerts, &outputs.status, &outputs.audit, &outputs.insights, &outputs.pivots];
    for (name, topic) in names.into_iter().zip(topics) {
        let records = world.logs(topic).flat_map(|(_, log)| log.committed(0));
        let sent = records.map(|(_, entry)| {
            let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).expect("text");
            let key = text(entry.key.as_ref().expect("a key"));
            Sent { value: entry.value.as_ref().map_or_else(|| null_status(&key), text), key }
        });
        let sent: Vec<Sent> = sent.collect();
        if name == "events" {
            assert_sequences(&sent);
        }
        lines.insert(name, numbered(sent));
    }
    let letters = world.logs(&outputs.dlq).flat_map(|(_, log)| log.committed(0)).map(|(_, entry)| {
        let header = |name: &str| {
            let found = entry.headers.iter().find(|(key, _)| key == &format!("vipstream.error.{name}"));
            found.map(|(_, value)| String::from_utf8(value.clone()).expect("text")).unwrap_or_default()
        };
        ["topic", "partition", "offset", "code"].map(header).join(" ")
    });
    let letters = letters.collect();
    lines.insert(LETTERS, letters);
    sorted(lines)
}

/// When an epoch decided depends on epochs.
fn without_time(lines: Lines) -> Lines {
    let strip = |line: String| {
        let Some((before, rest)) = line.split_once("\"decided_at\":\"") else { return line };
        let rest = rest.split_once("\",").expect("it ends").1;
        format!("{before}{rest}")
    };
    let lines = lines.into_iter().map(|(name, lines)| (name, lines.into_iter().map(strip).collect()));
    sorted(lines.collect())
}

fn compare(seen: &Lines, expected: &Lines, what: &str) {
    for (name, expected) in expected {
        let seen = &seen[name];
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
