//! The course of one simulation: processes start, trouble comes, trouble ends, all must come to rest and be right.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;

use super::plan::{Blow, Plan};
use super::process::{Deployment, Process, outputs};
use super::schedule::{Schedule, Turn};
use super::traffic::{APP, Traffic};
use super::verdict::judge;
use super::world::{Shared, World};
use crate::engine::TimeMode;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use crate::support::dice::Dice;
use crate::support::events::Shop;
use crate::task::TaskError;
use crate::task::journal::JournalRecord;

/// What one simulation came to.
#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "it is shown")]
pub(super) struct Tally {
    /// Virtual time.
    pub(super) took: Duration,
    pub(super) turns: u64,
    pub(super) epochs: u64,
    /// Lasting changes of behaviour that were told, and those of them that time alone showed.
    pub(super) pivots: u64,
    pub(super) silences: u64,
}

struct Director {
    turn: Turn,
    deployment: Deployment,
    traffic: Traffic,
    dice: Dice,
    fleet: Vec<Slot>,
    /// When the last frozen process has had a while to find out what became of it.
    awake_at: Duration,
    /// Those that are no more, kept to be asked how they ended.
    gone: Vec<Process>,
}

/// A place in the fleet.
struct Slot {
    process: Option<Process>,
    /// When it is to start anew.
    starts_at: Duration,
    /// It was asked to end.
    stopping: bool,
    down: Duration,
    /// It has reached the time to stop at.
    is_done: bool,
}

/// Runs one seed on the calling thread.
///
/// # Errors
/// What was found to be wrong.
pub(super) fn direct(seed: u64) -> Result<Tally, String> {
    let plan = Plan::of(seed);
    tracing::info!(?plan, "the plan");
    let turn = Schedule::start(seed, START);
    let mut director = Director::new(seed, plan, turn);
    let told = std::panic::catch_unwind(AssertUnwindSafe(|| director.run()));
    director.end_all();
    let epochs = director.epochs().values().sum();
    let (took, turns) = (director.turn.elapsed(), director.turn.turns());
    match told {
        Ok(Ok(())) => {
            let (pivots, silences) = director.pivots();
            Ok(Tally { took, turns, epochs, pivots, silences })
        }
        Ok(Err(why)) => Err(why),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned())
        }
    }
}

impl Director {
    fn new(seed: u64, plan: Plan, turn: Turn) -> Self {
        let names = ["events", "alerts", "status", "audit", "insights", "pivots", "dlq"].map(|name| (name, 2));
        let own = [("journal", plan.tasks), ("relay", plan.tasks)];
        let inputs = plan.inputs.iter().map(|(kind, count)| (kind.name(), *count));
        let topics = names.into_iter().chain(own).chain(inputs);
        let topics = topics.map(|(name, count)| (format!("{APP}.{name}"), count)).collect();
        let mut world = World::new(seed, topics, plan.session);
        world.group.set_partitions(plan.tasks);
        let shop = Shop::new(plan.customers, APP);
        let traffic = Traffic { inputs: plan.inputs.clone(), shop, astray: plan.astray };
        let until = plan.ends.then(|| START.plus(Duration::from_secs(30)));
        let rules = Arc::new(Ruleset::parse("rules.yaml", &plan.rules()).expect("rules in order"));
        let fleet = (0..plan.processes).map(|_| Slot {
            process: None,
            starts_at: Duration::ZERO,
            stopping: false,
            down: Duration::ZERO,
            is_done: false,
        });
        let fleet = fleet.collect();
        let deployment = Deployment { plan, rules, until, shared: Shared::new(world) };
        Self {
            turn,
            deployment,
            traffic,
            dice: Dice::new(seed ^ 0x5eed),
            fleet,
            awake_at: Duration::ZERO,
            gone: Vec::new(),
        }
    }

    fn run(&mut self) -> Result<(), String> {
        self.send_backlog();
        for slot in &mut self.fleet {
            slot.starts_at = Duration::from_millis(self.dice.number(0, 500).unsigned_abs());
        }
        self.deployment.shared.now().trouble = self.deployment.plan.trouble.clone();
        self.torment()?;
        self.deployment.shared.now().calm_down();
        tracing::info!(at = ?self.turn.elapsed(), "trouble ends");
        if self.deployment.until.is_some() {
            self.wait_for_ends()?;
        } else {
            self.wait_for_rest()?;
        }
        let world = self.deployment.shared.now();
        judge(&world, &self.deployment.plan, &self.deployment.rules, self.deployment.until);
        Ok(())
    }

    /// What is there before the first process starts: some of it old enough to leave its windows soon.
    fn send_backlog(&mut self) {
        let shared = self.deployment.shared.clone();
        let mut world = shared.now();
        self.traffic.send_regulars(&mut world, &mut self.dice, START, &self.deployment.rules);
        let backlog = self.deployment.plan.backlog;
        for number in 0..backlog {
            let ago = Duration::from_secs(150) * u32::try_from(backlog - number).expect("few") / 120;
            self.traffic.send(&mut world, &mut self.dice, START.minus(ago));
        }
        if self.deployment.plan.compacted {
            world.compact(&self.deployment.plan);
        }
        self.traffic.send_to_all(&mut world, &mut self.dice, START);
    }

    /// Sends the records, and brings what befalls whom.
    fn torment(&mut self) -> Result<(), String> {
        let plan = self.deployment.plan.clone();
        let mut blows = plan.blows.into_iter();
        let mut next = blows.next();
        let mut blow_at = next.map_or(Duration::ZERO, |(after, _)| after);
        let mut sent = 0;
        for _ in 0..plan.intruders {
            let shared = self.deployment.shared.clone();
            self.traffic.intrude(&mut shared.now(), &mut self.dice, crate::clock::wall(), plan.tasks);
        }
        while sent < plan.records || next.is_some() {
            let pause = Duration::from_millis(self.dice.number(1, 150).unsigned_abs());
            self.step(pause)?;
            if sent < plan.records {
                let shared = self.deployment.shared.clone();
                let count = 1 + self.dice.below(3);
                for _ in 0..count {
                    self.traffic.send(&mut shared.now(), &mut self.dice, crate::clock::wall());
                }
                sent += count;
            }
            if let Some((_, blow)) = next.filter(|_| blow_at <= self.turn.elapsed()) {
                tracing::info!(at = ?self.turn.elapsed(), ?blow, "befalls");
                self.strike(blow);
                next = blows.next();
                blow_at = self.turn.elapsed() + next.map_or(Duration::ZERO, |(after, _)| after);
            }
        }
        Ok(())
    }

    /// Lets time pass, and starts what is to start.
    fn step(&mut self, span: Duration) -> Result<(), String> {
        self.turn.wait(span);
        let now = self.turn.elapsed();
        for number in 0..self.fleet.len() {
            let slot = &mut self.fleet[number];
            if let Some(process) = slot.process.take_if(|process| self.turn.has_ended(process.id)) {
                let outcome = process.outcome();
                tracing::info!(at = ?now, number, ?outcome, "a process has ended");
                match outcome {
                    Some(Ok(())) => slot.is_done = !slot.stopping,
                    None => {}
                    Some(Err(TaskError::Interrupted | TaskError::Stuck { .. })) if slot.stopping => {}
                    Some(Err(error)) => return Err(format!("process {number} failed: {error}")),
                }
                slot.starts_at = now + slot.down;
                self.gone.push(process);
            }
            if slot.process.is_none() && slot.starts_at <= now && !slot.is_done {
                slot.stopping = false;
                slot.process = Some(Process::start(&self.deployment, &self.turn, number));
            }
        }
        Ok(())
    }

    fn strike(&mut self, blow: Blow) {
        let shared = self.deployment.shared.clone();
        match blow {
            Blow::Kill { process, down } => {
                let slot = &mut self.fleet[process];
                if let Some(process) = &slot.process {
                    self.turn.kill(process.id);
                    shared.now().silence(process, None);
                    slot.down = down;
                }
            }
            Blow::Freeze { process, span } => {
                if let Some(process) = &self.fleet[process].process {
                    self.turn.freeze(process.id, span);
                    self.awake_at = self.awake_at.max(self.turn.elapsed() + span + AWAKE);
                    shared.now().silence(process, Some(span));
                }
            }
            Blow::Stop { process, down } => {
                let slot = &mut self.fleet[process];
                if let Some(process) = &slot.process {
                    process.stop();
                    (slot.stopping, slot.down) = (true, down);
                }
            }
            Blow::Cut { process, span } => {
                if let Some(process) = &self.fleet[process].process {
                    process.member.cut(span);
                    shared.now().silence(process, Some(span));
                }
            }
            Blow::Silence { topic, partition, span } => shared.now().silence_partition(topic, partition, span),
            Blow::Coordinator { span } => {
                shared.now().trouble.silent_until = Some(crate::clock::now() + span);
            }
            Blow::Wipe { process } => shared.now().wipe(process),
            Blow::Damage { process } => shared.now().damage(process),
            Blow::Retain => shared.now().retain(self.deployment.plan.tasks),
            Blow::Stir => {
                let mut world = shared.now();
                let world = &mut *world;
                world.group.stir(&mut world.dice);
            }
        }
    }

    /// Without trouble every task commits soon, everything is read soon, and the group comes to rest.
    fn wait_for_rest(&mut self) -> Result<(), String> {
        let shared = self.deployment.shared.clone();
        let before = self.epochs();
        let peace = self.turn.elapsed();
        self.traffic.send_to_all(&mut shared.now(), &mut self.dice, crate::clock::wall());
        // In `event` a task to which nothing comes has nothing to commit.
        let has_work = |task: u32| {
            let mut partitions = self.deployment.plan.inputs.iter().flat_map(|(_, count)| 0..*count);
            self.deployment.plan.mode == TimeMode::Live || partitions.any(|it| it % self.deployment.plan.tasks == task)
        };
        let before: BTreeMap<u32, u64> = before.into_iter().filter(|(task, _)| has_work(*task)).collect();
        let have_all_committed = |director: &Self| {
            let now = director.epochs();
            before.iter().all(|(task, epochs)| now[task] > *epochs)
        };
        while !have_all_committed(self) {
            self.step(LOOK)?;
            if self.turn.elapsed() > peace + COMMITS_WITHIN {
                return Err(format!("not every task has committed: {before:?} and then {:?}", self.epochs()));
            }
        }
        // Whoever starts anew again and again would do so for ever.
        let mut quiet = (0, self.turn.elapsed());
        loop {
            let (unread, is_settled, producers) = {
                let world = shared.now();
                let is_settled = world.group.is_settled() && world.all_ended();
                (world.unread(&self.deployment.plan), is_settled, world.producers())
            };
            if quiet.0 != producers {
                quiet = (producers, self.turn.elapsed());
            }
            let is_quiet = self.turn.elapsed() > self.awake_at.max(quiet.1 + QUIET);
            if unread.is_empty() && is_settled && is_quiet {
                break;
            }
            self.step(LOOK)?;
            if self.turn.elapsed() > peace + RESTS_WITHIN {
                return Err(format!(
                    "not at rest: unread {unread:?}, the group is settled: {is_settled}, nobody starts anew: {is_quiet}"
                ));
            }
        }
        self.stop_all()
    }

    fn stop_all(&mut self) -> Result<(), String> {
        for process in self.fleet.iter().filter_map(|slot| slot.process.as_ref()) {
            process.stop();
        }
        for number in 0..self.fleet.len() {
            let Some(process) = self.fleet[number].process.take() else { continue };
            let asked = self.turn.elapsed();
            while !self.turn.has_ended(process.id) {
                self.turn.wait(LOOK);
                if self.turn.elapsed() > asked + ENDS_WITHIN {
                    return Err(format!("process {number} does not end"));
                }
            }
            // It may be where it does not know whether its epoch was committed.
            if let Some(Err(error)) = process.outcome().filter(|it| !matches!(it, Err(TaskError::Interrupted))) {
                return Err(format!("process {number} failed when asked to stop: {error}"));
            }
        }
        while !self.deployment.shared.now().all_ended() {
            self.turn.wait(LOOK);
        }
        Ok(())
    }

    /// With a time to stop at, everybody ends alone.
    fn wait_for_ends(&mut self) -> Result<(), String> {
        let peace = self.turn.elapsed();
        while !self.fleet.iter().all(|slot| slot.is_done) || self.is_unfinished() {
            if self.fleet.iter().all(|slot| slot.is_done) {
                // The others ended while a task was still a killed process's.
                self.fleet[0].is_done = false;
            }
            self.step(LOOK)?;
            if self.turn.elapsed() > peace + RESTS_WITHIN {
                return Err("not every process has ended".to_owned());
            }
        }
        self.stop_all()
    }

    /// Whether a task has not reached the time to stop at.
    fn is_unfinished(&self) -> bool {
        let until = self.deployment.until.unwrap_or(EventTime::MIN);
        let world = self.deployment.shared.now();
        let topic = format!("{APP}.journal");
        let mut logs = world.logs(&topic);
        logs.any(|(_, log)| {
            let last = log.committed(0).last().and_then(|(_, entry)| entry.value.as_deref());
            let last = last.map(|value| JournalRecord::decode(value).expect("a journal record"));
            last.is_none_or(|last| last.clock_ms < until.0)
        })
    }

    /// Ends every thread that is left, wherever it stands.
    fn end_all(&mut self) {
        let fleet = self.fleet.iter().filter_map(|slot| slot.process.as_ref());
        for process in fleet {
            self.turn.kill(process.id);
            while !self.turn.has_ended(process.id) {
                self.turn.wait(Duration::ZERO);
            }
        }
    }

    fn pivots(&self) -> (u64, u64) {
        let world = self.deployment.shared.now();
        let topic = outputs().pivots;
        let logs = world.logs(&topic);
        let values = logs.flat_map(|(_, log)| log.committed(0)).filter_map(|(_, entry)| entry.value.as_deref());
        values.fold((0, 0), |(pivots, silences), value| {
            let is_silence = String::from_utf8_lossy(value).contains(r#""kind":"silence""#);
            (pivots + 1, silences + u64::from(is_silence))
        })
    }

    /// How many epochs each task has committed.
    fn epochs(&self) -> BTreeMap<u32, u64> {
        let world = self.deployment.shared.now();
        let topic = format!("{APP}.journal");
        let logs = world.logs(&topic);
        logs.map(|(task, log)| (task, log.committed(0).count() as u64)).collect()
    }
}

/// When virtual time begins: a quarter of a minute before a minute ends.
const START: EventTime = EventTime(1_750_000_005_000);

/// How often the director looks.
const LOOK: Duration = Duration::from_millis(100);

/// What a frozen process is given to find out what became of it.
const AWAKE: Duration = Duration::from_secs(2);

/// How long no producer may be made before all is at rest.
const QUIET: Duration = Duration::from_secs(2);

/// After trouble ends.
const COMMITS_WITHIN: Duration = Duration::from_secs(30);
const RESTS_WITHIN: Duration = Duration::from_mins(2);

/// How long a process may take to end, with what the broker takes to answer.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
