//! However many tasks share the entities, and in whatever order they have their turns, what they say is the same.
//!
//! A scheduler in memory stands for relay and announcements: it lets a task's time pass up to where nothing that is
//! still to come from another can be in force, and no further; for the rest it goes by dice.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use vipstream::codec::output::Wire;
use vipstream::codec::{RawRecord, decode};
use vipstream::engine::{Engine, Home, TimeMode};
use vipstream::model::effect::Effect;
use vipstream::model::event::Kind;
use vipstream::model::murmur2;
use vipstream::model::output::Output;
use vipstream::model::record::{Epoch, Position, Record};
use vipstream::model::time::EventTime;
use vipstream::rules::ruleset::Ruleset;

use super::seeds::{self, Totals, caught};
use crate::support::generate::dice::Dice;
use crate::support::generate::{self, Generated};
use crate::support::model::Input;

/// How many seeds a run tries.
const SEEDS: u64 = 300;

#[test]
fn however_many_tasks_share_the_entities_they_say_the_same() {
    let totals = seeds::all(
        SEEDS,
        |seed| caught(|| compare(seed)),
        |seed, report| format!("seed {seed}: {report}\nrepeat: VIPSTREAM_SEED={seed} cargo test --test model however"),
    );
    println!("{totals:#?}");
    for what in ["outputs", "effects"] {
        let least = if seeds::is_whole_run() { 500 } else { 0 };
        assert!(totals.get(what).copied().unwrap_or_default() >= least, "hardly any {what}: {totals:?}");
    }
}

fn compare(seed: u64) -> Result<Totals, String> {
    let generated = generate::stream(seed);
    let mut totals = Totals::new();
    let mut whole = Cluster::new(&generated, 1, seed).run();
    whole.said.sort();
    for tasks in [4, 8] {
        let mut shared = Cluster::new(&generated, tasks, seed).run();
        shared.said.sort();
        if shared.said != whole.said {
            let strange: Vec<&String> = shared.said.iter().filter(|line| !whole.said.contains(line)).collect();
            let missing: Vec<&String> = whole.said.iter().filter(|line| !shared.said.contains(line)).collect();
            return Err(format!("{tasks} tasks\nstrange: {strange:#?}\nmissing: {missing:#?}\n{}", generated.ruleset));
        }
        *totals.entry("outputs".to_owned()).or_default() += shared.said.len() as u64;
        *totals.entry("effects".to_owned()).or_default() += shared.exchanged;
    }
    Ok(totals)
}

struct Task {
    engine: Engine,
    records: VecDeque<Record>,
    /// By the task that sent them: what has not been taken yet.
    inbox: BTreeMap<u32, VecDeque<Effect>>,
}

impl Task {
    /// The earliest time at which it may do something to an entity elsewhere, as far as that follows from what it has.
    fn sends_from(&self) -> Option<EventTime> {
        let may_send = |record: &&Record| record.body.as_ref().is_ok_and(|event| self.engine.may_send(event));
        let record = self.records.iter().find(may_send).map(|record| record.merge_time);
        let next = self.records.front().and_then(|record| self.engine.settles_after(record.merge_time));
        record.into_iter().chain(next).chain(self.engine.next_sending()).chain(self.first_waiting()).min()
    }

    fn first_waiting(&self) -> Option<EventTime> {
        self.inbox.values().flatten().map(|effect| effect.at).min()
    }
}

pub(super) struct Cluster {
    tasks: Vec<Task>,
    hop: Duration,
    wire: Wire,
    dice: Dice,
    end: EventTime,
    pub(super) said: Vec<String>,
    exchanged: u64,
}

impl Cluster {
    pub(super) fn new(generated: &Generated, tasks: u32, seed: u64) -> Self {
        let rules = Arc::new(Ruleset::parse("rules", &generated.ruleset).expect("rules in order"));
        let records = records(&generated.inputs, generated.until);
        let last = records.last().map_or(EventTime::MIN, |record| record.merge_time);
        let engine = |task| Engine::new(Arc::clone(&rules), "acme", TimeMode::Event, Home { task, tasks });
        let own = |task| records.iter().filter(move |record| is_for(record, task, tasks)).cloned().collect();
        Self {
            tasks: (0..tasks)
                .map(|task| Task { engine: engine(task), records: own(task), inbox: BTreeMap::new() })
                .collect(),
            hop: rules.hop(),
            wire: Wire {
                ruleset: rules.name().to_owned(),
                hash: rules.hash().to_owned(),
                run_id: None,
                origin: "replay",
                topics: Kind::ALL.map(|kind| kind.name().to_owned()),
            },
            dice: Dice::new(seed),
            end: generated.until.unwrap_or(last),
            said: Vec::new(),
            exchanged: 0,
        }
    }

    pub(super) fn run(mut self) -> Self {
        let is_done = |task: &Task, end| task.records.is_empty() && task.engine.clock() >= end;
        for _ in 0..MOST_TURNS {
            if self.tasks.iter().all(|task| is_done(task, self.end)) {
                return self;
            }
            let task = self.dice.below(self.tasks.len());
            self.turn(task);
        }
        panic!("they do not come to an end");
    }

    fn turn(&mut self, number: usize) {
        let horizon = self.tasks.iter().filter_map(Task::sends_from).min().map(|from| from.plus(self.hop));
        let Self { tasks, dice, .. } = self;
        let task = &mut tasks[number];
        let mut epoch = Epoch::default();
        for waiting in task.inbox.values_mut() {
            let count = dice.below(waiting.len() + 1);
            epoch.effects.extend(waiting.drain(..count));
        }
        let limit = [horizon, task.first_waiting()].into_iter().flatten().min();
        let before = |time: EventTime| limit.is_none_or(|limit| time < limit);
        for _ in 0..dice.below(20) {
            epoch.records.extend(task.records.pop_front_if(|record| before(record.merge_time)));
        }
        let next = task.records.front().map_or(self.end, |record| record.merge_time.min(self.end));
        let next = limit.map_or(next, |limit| limit.minus(Duration::from_millis(1)).min(next));
        let applied = epoch.records.last().map_or(EventTime::MIN, |record| record.merge_time);
        let moved = if dice.chance(70) { next } else { EventTime::MIN };
        epoch.clock = moved.max(applied).max(task.engine.clock());
        epoch.wall = epoch.clock;
        let mut outputs = Vec::new();
        task.engine.apply(epoch, &mut outputs);
        let effects = task.engine.take_effects();
        self.said.extend(outputs.iter().map(|output| line(&self.wire, output)));
        self.exchanged += effects.len() as u64;
        let source = u32::try_from(number).expect("few tasks");
        for (target, effect) in effects {
            self.tasks[target as usize].inbox.entry(source).or_default().push_back(effect);
        }
    }
}

fn line(wire: &Wire, output: &Output) -> String {
    match output {
        Output::DeadLetter(position, letter) => format!("{position:?} {}", letter.code.name()),
        // Of somebody erased the standing is null.
        _ => String::from_utf8(wire.value(output, None).unwrap_or_default().into_owned()).expect("text"),
    }
}

/// Where a record is at home: what every task reads is everybody's, what cannot be read the first's.
fn is_for(record: &Record, task: u32, tasks: u32) -> bool {
    match &record.body {
        Ok(event) => event.kind().is_broadcast() || murmur2::home(event.entity().as_bytes(), tasks) == task,
        Err(_) => task == 0,
    }
}

/// All records up to a time, in the order in which they are taken.
fn records(inputs: &[Input], until: Option<EventTime>) -> Vec<Record> {
    let mut records = Vec::new();
    let mut partitions: BTreeMap<Kind, u32> = BTreeMap::new();
    for (kind, lines) in inputs {
        let partition = partitions.entry(*kind).or_default();
        let mut merge_time = EventTime::MIN;
        for (offset, line) in (0..).zip(lines) {
            let raw = RawRecord { key: None, value: Some(line), timestamp: None, headers: &[] };
            let body = decode(*kind, &raw);
            merge_time = body.as_ref().map_or(merge_time, |event| merge_time.max(event.at));
            records.push(Record {
                position: Position { kind: *kind, partition: *partition, offset },
                merge_time,
                body,
            });
        }
        *partition += 1;
    }
    records.retain(|record| until.is_none_or(|until| record.merge_time <= until));
    records.sort_by_key(|record| (record.merge_time, record.position));
    records
}

const MOST_TURNS: usize = 1_000_000;
