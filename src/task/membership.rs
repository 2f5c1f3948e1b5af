//! Which tasks this process runs: those whose journal partitions the group has given it.
//!
//! The group decides, here it is carried out: a task starts with its assignment, and what is taken away is given up
//! only once its task has ended, so that no two processes want the same task at once. Where they do all the same (one
//! was frozen for too long), the broker fences the older; who is fenced asks the group before trying again.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ownership::{Inquiry, Ownership};
use super::{Setup, TaskError};
use crate::broker::{BrokerError, Change, Group};
use crate::clock;
use crate::metrics::MembershipMetrics;
use crate::mutant::{self, Mutant};

/// Runs one task, from its start to its end.
pub(crate) type Run = Arc<dyn Fn(u32, Arc<Ownership>) -> Result<(), TaskError> + Send + Sync>;

/// Runs the tasks that the group assigns.
pub(crate) struct Membership<G> {
    setup: Arc<Setup>,
    group: G,
    run: Run,
    tasks: BTreeMap<u32, Owned>,
    /// The group waits for the end of tasks that it has taken away.
    is_releasing: bool,
    /// The group cannot be listened to any more.
    is_cut_off: bool,
    inquiry: Arc<Inquiry>,
    /// The question that the group has not answered yet.
    asking: Option<u64>,
    report: Sender<Ended>,
    ended: Receiver<Ended>,
    outcome: Result<(), TaskError>,
    /// Since when it has been stopping.
    stopped: Option<Instant>,
    first_pause: Duration,
    end_within: Duration,
    metrics: MembershipMetrics,
}

/// How a task ended.
type Ended = (u32, Result<(), TaskError>);

/// A task whose partition is this process's.
struct Owned {
    ownership: Arc<Ownership>,
    /// Starts in a row that ended because of another's producer.
    fenced: u32,
    state: State,
}

enum State {
    Running(JoinHandle<()>),
    /// Another process runs it, or did: it starts anew if the group says that it is this one's.
    Doubtful {
        question: u64,
        again_at: Instant,
    },
    Ended,
}

impl<G: Group> Membership<G> {
    pub(crate) fn new(setup: Arc<Setup>, group: G, run: Run) -> Self {
        let (report, ended) = mpsc::channel();
        Self {
            setup,
            group,
            run,
            tasks: BTreeMap::new(),
            is_releasing: false,
            is_cut_off: false,
            inquiry: Arc::default(),
            asking: None,
            report,
            ended,
            outcome: Ok(()),
            stopped: None,
            first_pause: FIRST_PAUSE,
            end_within: END_WITHIN,
            metrics: MembershipMetrics::new(),
        }
    }

    /// Runs what is assigned until asked to stop, until every task here has reached the time to stop at, or until one
    /// fails. Then leaves the group, so that others take over.
    ///
    /// # Errors
    /// Why the first task failed, or the membership itself.
    pub(crate) fn run(mut self) -> Result<(), TaskError> {
        while !self.is_over() {
            self.listen();
            while let Ok((task, result)) = self.ended.try_recv() {
                self.note_end(task, result);
            }
            self.acknowledge();
            self.pass_on_questions();
            self.start_again();
        }
        self.setup.progress.set_member(false);
        self.group.leave(LEAVE_WITHIN);
        self.outcome
    }

    fn is_stopping(&self) -> bool {
        self.setup.stop.load(Ordering::Relaxed)
    }

    fn is_over(&mut self) -> bool {
        let mut states = self.tasks.values().map(|owned| &owned.state);
        if !self.is_stopping() {
            let is_done = !self.tasks.is_empty() && states.all(|state| matches!(state, State::Ended));
            return is_done && self.setup.until.is_some() && !self.is_releasing;
        }
        if !states.any(|state| matches!(state, State::Running(_))) {
            return true;
        }
        let stopped = *self.stopped.get_or_insert_with(clock::now);
        let is_late = clock::since(stopped) >= self.end_within;
        if is_late {
            self.fail(TaskError::Stuck { within: self.end_within });
        }
        is_late
    }

    /// Waits a moment for the group, or for a task's end.
    fn listen(&mut self) {
        if self.is_cut_off {
            clock::sleep(SOON);
            return;
        }
        let is_in_motion = self.is_releasing || self.is_stopping() || self.asking.is_some();
        let wait = if is_in_motion { SOON } else { IDLE };
        match self.group.poll(wait) {
            Ok(change) => change.into_iter().for_each(|change| self.follow(change)),
            Err(error) => self.cut_off(error),
        }
    }

    fn follow(&mut self, change: Change) {
        let progress = &self.setup.progress;
        match change {
            Change::Assigned(tasks) => {
                progress.set_member(true);
                tracing::info!(?tasks, besides = ?self.tasks.keys(), "tasks assigned");
                self.metrics.rebalanced(tasks.len());
                if !self.is_stopping() {
                    for task in tasks {
                        self.start(task, 0);
                    }
                }
            }
            Change::Released(tasks) => {
                tracing::info!(?tasks, "tasks go to another process");
                self.take_away(&tasks, Ownership::release);
            }
            Change::Lost(_) if mutant::is(Mutant::GenerationIgnored) => {}
            Change::Lost(tasks) => {
                progress.set_member(false);
                tracing::warn!(?tasks, "not heard of for too long: the group has given the tasks to others");
                self.take_away(&tasks, Ownership::lose);
            }
            Change::Confirmed => {
                if let Some(question) = self.asking.take() {
                    self.inquiry.answer(question);
                }
            }
        }
    }

    fn start(&mut self, task: u32, fenced: u32) {
        let ownership = Arc::new(Ownership::of(&self.inquiry));
        let (run, report, own) = (Arc::clone(&self.run), self.report.clone(), Arc::clone(&ownership));
        let body = move || {
            let ran = std::panic::catch_unwind(AssertUnwindSafe(|| run(task, own)));
            // Nobody listens once the membership has ended.
            let _ = report.send((task, ran.unwrap_or(Err(TaskError::Panicked { partition: task }))));
        };
        self.setup.progress.assigned(task);
        let state = State::Running(clock::spawn(format!("task-{task}"), body));
        self.tasks.insert(task, Owned { ownership, fenced, state });
        self.metrics.assigned(self.tasks.len());
    }

    fn take_away(&mut self, tasks: &[u32], how: fn(&Ownership)) {
        self.metrics.rebalanced(0);
        self.is_releasing = true;
        // It is asked again, of what is left, once this is acknowledged.
        self.asking = None;
        for task in tasks {
            match self.tasks.get(task) {
                Some(Owned { ownership, state: State::Running(_), .. }) => how(ownership),
                _ => self.forget(*task),
            }
        }
    }

    fn forget(&mut self, task: u32) {
        self.tasks.remove(&task);
        self.setup.progress.released(task);
        self.metrics.assigned(self.tasks.len());
    }

    /// Takes note of a task's end: it was asked for, or is in doubt, or fails the process.
    fn note_end(&mut self, task: u32, result: Result<(), TaskError>) {
        let is_stopping = self.is_stopping();
        let Some(owned) = self.tasks.get_mut(&task) else { return };
        if let State::Running(thread) = std::mem::replace(&mut owned.state, State::Ended) {
            // It reported as its last deed, and a panic was caught before.
            let _ = thread.join();
        }
        let is_released = owned.ownership.is_released();
        match result {
            Ok(()) => {}
            Err(TaskError::Interrupted) if is_released => {
                tracing::info!(task, "released within an epoch: the next owner does it again");
            }
            Err(error @ TaskError::Fenced { .. }) if is_released || is_stopping => {
                tracing::info!(task, %error, "the task was another's already");
            }
            Err(error @ TaskError::Fenced { .. }) => return self.doubt(task, error),
            Err(error) => self.fail(error),
        }
        if is_released || self.is_stopping() {
            self.forget(task);
        }
    }

    /// Another's producer ended the task: has it been given away?
    fn doubt(&mut self, task: u32, error: TaskError) {
        let Some(owned) = self.tasks.get_mut(&task) else { return };
        let fenced = if owned.ownership.has_committed() { 1 } else { owned.fenced + 1 };
        if fenced > MOST_FENCED {
            self.forget(task);
            return self.fail(error);
        }
        tracing::warn!(task, fenced, %error, "asking the group whose the task is");
        let pause = self.first_pause.saturating_mul(1 << (fenced - 1)).min(LONGEST_PAUSE);
        owned.fenced = fenced;
        owned.state = State::Doubtful { question: self.inquiry.ask(), again_at: clock::now() + pause };
    }

    /// Starts anew what the group has confirmed to be this process's.
    fn start_again(&mut self) {
        let is_stopping = self.is_stopping();
        let is_due = |owned: &Owned| match owned.state {
            State::Doubtful { question, again_at } => {
                let is_ours = self.inquiry.is_answered(question) || mutant::is(Mutant::GenerationIgnored);
                is_stopping || is_ours && again_at <= clock::now()
            }
            State::Running(_) | State::Ended => false,
        };
        let due = self.tasks.iter().filter(|(_, owned)| is_due(owned)).map(|(task, owned)| (*task, owned.fenced));
        for (task, fenced) in due.collect::<Vec<_>>() {
            if is_stopping {
                self.forget(task);
            } else {
                self.start(task, fenced);
            }
        }
    }

    /// Gives up what was taken away, once nothing runs there any more.
    fn acknowledge(&mut self) {
        let is_ending = |owned: &Owned| owned.ownership.is_released();
        if self.is_releasing && !self.is_cut_off && !self.tasks.values().any(is_ending) {
            self.is_releasing = false;
            if let Err(error) = self.group.acknowledge() {
                self.cut_off(error);
            }
        }
    }

    fn pass_on_questions(&mut self) {
        if self.asking.is_none() && !self.is_releasing {
            self.asking = self.inquiry.open();
            if self.asking.is_some() {
                self.group.confirm();
            }
        }
    }

    fn cut_off(&mut self, error: BrokerError) {
        self.is_cut_off = true;
        self.fail(error.into());
    }

    /// Notes why the process fails, and stops the other tasks.
    fn fail(&mut self, error: TaskError) {
        self.setup.stop.store(true, Ordering::Relaxed);
        if self.outcome.is_ok() {
            self.outcome = Err(error);
        } else {
            tracing::warn!(%error, "this failed too");
        }
    }
}

/// How long the group is waited for while nothing is under way: at most so late is a stop or an end noticed.
const IDLE: Duration = Duration::from_millis(100);

/// While something is, such as tasks that end.
const SOON: Duration = Duration::from_millis(10);

/// Pauses before a task starts anew after another's producer ended it.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Starts in a row that may end so; with the pauses, half a minute of two processes that both call a task theirs.
const MOST_FENCED: u32 = 10;

/// How long tasks may take to end once asked to stop. With the leaving, the process ends within ten seconds.
const END_WITHIN: Duration = Duration::from_secs(7);

/// How long the group may take to hear that this process leaves.
const LEAVE_WITHIN: Duration = Duration::from_millis(1_500);

#[cfg(test)]
mod tests;
