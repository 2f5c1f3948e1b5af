//! One app in this process: checks the cluster, joins the group, and waits for the end.
//!
//! `run` and `demo` start here, and so do tests: everything it needs is in the configuration and the ruleset.

mod guards;
mod headroom;
mod lag;
mod prepare;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::broker::cluster::{Cluster, ClusterError};
use crate::broker::group::{KafkaGroup, Member};
use crate::broker::kafka::Kafka;
use crate::broker::{BrokerError, Partition};
use crate::codec::output::Wire;
use crate::config::Config;
use crate::engine::TimeMode;
use crate::metrics::TaskMetrics;
use crate::model::event::Kind;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use crate::snapshot::Snapshots;
use crate::snapshot::depot::{Depot, OpenError};
use crate::task::membership::{Membership, Run};
use crate::task::progress::Progress;
use crate::task::{self, Assignment, Setup, Task, TaskError};
use crate::topics::{self, Fault, Finding};
use prepare::{Prepared, prepare};
use watch::Watch;

/// Why an app did not start. Each message is one sentence with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Topics with which no promise could be kept.
    #[error("{}", topics::list(.0))]
    Topics(Vec<Finding>),
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error("a time to stop at needs `time: event`: in `live`, time is the clock's")]
    UntilInLive,
}

impl StartError {
    /// Whether the configuration is at fault, rather than the world it meets.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Topics(findings) => findings.iter().any(|finding| finding.fault == Fault::Partitions),
            Self::UntilInLive | Self::Store(OpenError::Unconfigured { .. }) => true,
            Self::Cluster(_) | Self::Broker(_) | Self::Store(_) => false,
        }
    }
}

/// A running app. Dropping it asks it to stop; [`Running::join`] waits.
pub struct Running {
    setup: Arc<Setup>,
    membership: Option<JoinHandle<Result<(), TaskError>>>,
    watch: Option<Watch>,
}

/// Starts an app that runs until stopped.
///
/// # Errors
/// What must be put right first.
pub fn start(config: &Config, rules: Arc<Ruleset>) -> Result<Running, StartError> {
    start_until(config, rules, None)
}

/// Starts an app that, with a time to stop at, ends once every partition has reached the end that it has now and
/// deadlines up to that time have fired.
///
/// # Errors
/// What must be put right first.
///
/// # Panics
/// Where the system has no room for a thread.
pub fn start_until(config: &Config, rules: Arc<Ruleset>, until: Option<EventTime>) -> Result<Running, StartError> {
    if until.is_some() && config.time == TimeMode::Live {
        return Err(StartError::UntilInLive);
    }
    let depot = config.snapshots.as_ref().map(|snapshots| Depot::open(&snapshots.store)).transpose()?;
    let cluster = Cluster::connect(&config.kafka, &config.app, PATIENCE)?;
    let Prepared { topics, inputs, ids } = prepare(config, &cluster)?;
    let goals = if until.is_some() { ends(config, &cluster, &inputs)? } else { BTreeMap::new() };
    let mut partitions: BTreeMap<Kind, u32> = BTreeMap::new();
    for (kind, _) in &inputs {
        *partitions.entry(*kind).or_default() += 1;
    }
    let setup = Arc::new(Setup { topic_ids: ids, partitions, goals, ..setup(config, rules, until) });
    let group = KafkaGroup::join(config)?;
    let run = task_runner(config, &setup, inputs, depot, group.member());
    let membership = Membership::new(Arc::clone(&setup), group, run);
    let thread = std::thread::Builder::new().name("membership".to_owned());
    let membership = thread.spawn(move || membership.run()).expect("the system has room for a thread");
    let watch = Watch::start(Arc::clone(&setup), cluster, config.clone(), topics);
    Ok(Running { setup, membership: Some(membership), watch })
}

/// What the thread of a task does.
fn task_runner(
    config: &Config,
    setup: &Arc<Setup>,
    inputs: Vec<(Kind, u32)>,
    depot: Option<Depot>,
    member: Member,
) -> Run {
    let (config, setup) = (config.clone(), Arc::clone(setup));
    Arc::new(move |partition, ownership| {
        let inputs = inputs.iter().copied().filter(|input| task::reads(partition, config.tasks, *input)).collect();
        let broker = Kafka::open(&config, partition, member.clone())?;
        let metrics = TaskMetrics::new(partition, &setup.rules);
        let snapshots = config
            .snapshots
            .as_ref()
            .zip(depot.as_ref())
            .map(|(snapshots, depot)| Snapshots::new(depot.handle(), &config.app, partition, snapshots.pace));
        let assignment = Assignment { setup: Arc::clone(&setup), partition, inputs, ownership, snapshots };
        Task::new(assignment, broker, metrics).run()
    })
}

/// Where each input partition ends now.
fn ends(config: &Config, cluster: &Cluster, inputs: &[(Kind, u32)]) -> Result<BTreeMap<(Kind, u32), u64>, StartError> {
    let end = |input: &(Kind, u32)| Ok((*input, cluster.offsets(&config.inputs[&input.0], input.1)?.end));
    inputs.iter().map(end).collect()
}

fn setup(config: &Config, rules: Arc<Ruleset>, until: Option<EventTime>) -> Setup {
    let topic = |kind: Kind| config.inputs.get(&kind).cloned().unwrap_or_else(|| kind.name().to_owned());
    Setup {
        app: config.app.clone(),
        journal: config.journal(),
        relay: config.relay(),
        tasks: config.tasks,
        mode: config.time,
        start: config.start,
        epoch: config.epoch,
        merge_hold: config.merge_hold,
        brake: config.brake,
        outputs: config.outputs.clone(),
        topic_ids: BTreeMap::new(),
        wire: Wire {
            ruleset: rules.name().to_owned(),
            hash: rules.hash().to_owned(),
            run_id: None,
            origin: "live",
            topics: Kind::ALL.map(topic),
        },
        store: config.snapshots.as_ref().map(|snapshots| snapshots.store.to_string()).unwrap_or_default(),
        rules,
        until,
        partitions: BTreeMap::new(),
        goals: BTreeMap::new(),
        progress: Progress::default(),
        stop: Arc::new(AtomicBool::new(false)),
    }
}

impl Running {
    /// Asks every task to commit what it has taken and end.
    pub fn stop(&self) {
        self.setup.stop.store(true, Ordering::Relaxed);
    }

    /// A switch that stops the app from elsewhere: set it to true.
    pub fn switch(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.setup.stop)
    }

    /// Whether it serves, from any thread.
    pub fn health(&self) -> Health {
        Health { setup: Arc::clone(&self.setup) }
    }

    /// Waits until every task here has ended. The first that fails stops the others.
    ///
    /// # Errors
    /// Why the first task failed.
    ///
    /// # Panics
    /// With a mistake of the membership's own.
    pub fn join(mut self) -> Result<(), TaskError> {
        let membership = self.membership.take().expect("it is joined once");
        let outcome = membership.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // What the watch has found says more than what a task made of it. Who was asked to end is in a hurry.
        let is_late = matches!(outcome, Err(TaskError::Stuck { .. } | TaskError::Interrupted));
        match self.watch.take().map(|watch| watch.end(outcome.is_err() && !is_late)) {
            Some(Err(found)) => Err(found),
            _ => outcome,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tells whether the app serves.
#[derive(Clone)]
pub struct Health {
    setup: Arc<Setup>,
}

impl Health {
    /// What keeps the app from serving; `None` when it does.
    pub fn unready(&self) -> Option<String> {
        let progress = &self.setup.progress;
        if self.setup.stop.load(Ordering::Relaxed) {
            return Some("stopping".to_owned());
        }
        if !progress.is_member() {
            return Some("waiting for the group to assign tasks".to_owned());
        }
        if !progress.all_restored() {
            let restoring =
                progress.first_restoring().map(|(task, how_far)| format!("restoring task {task} {how_far}"));
            return Some(restoring.unwrap_or_default().trim_end().to_owned());
        }
        match progress.lag() {
            None => Some("the lag is not known yet".to_owned()),
            Some(lag) if lag > READY_LAG => Some(format!("{lag} records behind, ready below {READY_LAG}")),
            Some(_) => None,
        }
    }

    /// Whether the tasks here have applied each of these input partitions up to there.
    pub(crate) fn have_applied(&self, ends: &BTreeMap<(Kind, u32), u64>) -> bool {
        let standings = self.setup.progress.standings();
        ends.iter().all(|((kind, partition), end)| {
            let partition = Partition::Input(*kind, *partition);
            let positions = standings.values().filter_map(|standing| standing.positions.get(&partition));
            positions.min().is_some_and(|position| position >= end)
        })
    }
}

/// How long an unreachable broker is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Records behind at which the app still counts as serving.
const READY_LAG: u64 = 100_000;
