//! A simulated process: the membership and its tasks, as `app.rs` puts them together over Kafka.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::broker::SimulatedBroker;
use super::group::{Membership as Member, SimulatedGroup};
use super::plan::{Plan, Stores};
use super::schedule::{ProcessId, Turn};
use super::store::SimulatedStore;
use super::traffic::APP;
use super::world::Shared;
use crate::codec::output::Wire;
use crate::config::{Brake, EpochBounds, Outputs, Start};
use crate::metrics::TaskMetrics;
use crate::model::event::Kind;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use crate::snapshot::{Pace, Snapshots};
use crate::task::membership::{Membership, Run};
use crate::task::progress::Progress;
use crate::task::{self, Assignment, Setup, Task, TaskError};

/// What all processes of a simulation start with.
pub(super) struct Deployment {
    pub(super) plan: Plan,
    pub(super) rules: Arc<Ruleset>,
    pub(super) until: Option<EventTime>,
    pub(super) shared: Shared,
}

/// A process that was started.
pub(super) struct Process {
    pub(super) id: ProcessId,
    pub(super) member: Member,
    stop: Arc<AtomicBool>,
    outcome: Arc<Mutex<Option<Result<(), TaskError>>>>,
}

impl Process {
    /// Starts one; `slot` is which of the fleet it is.
    pub(super) fn start(deployment: &Deployment, turn: &Turn, slot: usize) -> Self {
        let Deployment { plan, shared, .. } = deployment;
        let id = turn.add_process();
        let member = Member::default();
        let setup = Arc::new(setup(deployment));
        let stop = Arc::clone(&setup.stop);
        let name = plan.named.then(|| format!("process-{slot}"));
        let group = SimulatedGroup::new(shared.clone(), member.clone(), name);
        let run = runner(deployment, &setup, slot, member.clone());
        let outcome: Arc<Mutex<Option<Result<(), TaskError>>>> = Arc::default();
        let told = Arc::clone(&outcome);
        let body = move || {
            let ended = Membership::new(setup, group, run).run();
            *told.lock().unwrap() = Some(ended);
        };
        drop(turn.spawn_of(Some(id), format!("process-{id}"), Box::new(body)));
        Self { id, member, stop, outcome }
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// How it ended; nothing where it was killed or goes on.
    pub(super) fn outcome(&self) -> Option<Result<(), TaskError>> {
        self.outcome.lock().unwrap().take()
    }
}

fn runner(deployment: &Deployment, setup: &Arc<Setup>, slot: usize, member: Member) -> Run {
    let Deployment { plan, rules, shared, .. } = deployment;
    let (shared, setup, rules) = (shared.clone(), Arc::clone(setup), Arc::clone(rules));
    let partitions = plan.inputs.iter().flat_map(|(kind, count)| (0..*count).map(|partition| (*kind, partition)));
    let inputs: Vec<(Kind, u32)> = partitions.collect();
    let disk = if plan.stores == Stores::Own { slot } else { 0 };
    let pace = plan.snapshots.map(|every| Pace { every, keep: 2 });
    Arc::new(move |partition, ownership| {
        let inputs = inputs.iter().copied().filter(|input| task::reads(partition, setup.tasks, *input)).collect();
        let broker = SimulatedBroker::new(shared.clone(), APP, partition, member.clone());
        let metrics = TaskMetrics::new(partition, &rules);
        let store = || Box::new(SimulatedStore::new(shared.clone(), disk));
        let snapshots = pace.map(|pace| Snapshots::new(store(), APP, partition, pace));
        let assignment = Assignment { setup: Arc::clone(&setup), partition, inputs, ownership, snapshots };
        Task::new(assignment, broker, metrics).run()
    })
}

fn setup(deployment: &Deployment) -> Setup {
    let Deployment { plan, rules, until, shared } = deployment;
    let goals = until.map(|_| shared.now().ends(&plan.inputs)).unwrap_or_default();
    Setup {
        app: APP.to_owned(),
        journal: format!("{APP}.journal"),
        relay: format!("{APP}.relay"),
        tasks: plan.tasks,
        mode: plan.mode,
        start: Start::Earliest,
        epoch: EpochBounds { linger: plan.linger, records: plan.epoch_records },
        merge_hold: plan.merge_hold,
        brake: Brake::default(),
        outputs: outputs(),
        topic_ids: BTreeMap::new(),
        wire: Wire {
            ruleset: rules.name().to_owned(),
            hash: rules.hash().to_owned(),
            run_id: None,
            origin: "live",
            topics: Kind::ALL.map(|kind| format!("{APP}.{}", kind.name())),
        },
        store: "the store".to_owned(),
        rules: Arc::clone(rules),
        until: *until,
        partitions: plan.inputs.iter().copied().collect(),
        goals,
        progress: Progress::default(),
        stop: Arc::new(AtomicBool::new(false)),
    }
}

pub(super) fn outputs() -> Outputs {
    let topic = |name: &str| format!("{APP}.{name}");
    let names = ["events", "alerts", "status", "audit", "insights", "pivots", "dlq"];
    let [events, alerts, status, audit, insights, pivots, dlq] = names.map(topic);
    Outputs { events, alerts, status, audit, insights, pivots, dlq }
}
