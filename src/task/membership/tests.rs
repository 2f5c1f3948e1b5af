use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use super::*;
use crate::engine::TimeMode;
use crate::model::time::EventTime;
use crate::task::tests::setup;

/// The group and the tasks, as the test plays them.
#[derive(Default)]
struct Stage {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    /// What the group says next.
    changes: VecDeque<Result<Change, String>>,
    /// Whether it confirms when asked.
    is_silent: bool,
    asked: u32,
    acknowledged: u32,
    left: bool,
    running: BTreeMap<u32, Arc<Ownership>>,
    starts: u32,
    /// How running tasks are to end.
    ends: BTreeMap<u32, Result<(), TaskError>>,
}

impl Stage {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    fn play<T>(&self, scene: impl FnOnce(&mut Seen) -> T) -> T {
        let done = scene(&mut self.seen());
        self.changed.notify_all();
        done
    }

    /// Waits until it holds.
    fn until(&self, holds: impl Fn(&Seen) -> bool) -> MutexGuard<'_, Seen> {
        let waited = self.changed.wait_timeout_while(self.seen(), PATIENCE, |seen| !holds(seen)).unwrap();
        assert!(!waited.1.timed_out(), "not within {PATIENCE:?}: running {:?}", waited.0.running.keys());
        waited.0
    }

    fn runs(&self, tasks: &[u32]) {
        drop(self.until(|seen| seen.running.keys().eq(tasks)));
    }

    fn say(&self, change: Change) {
        self.play(|seen| seen.changes.push_back(Ok(change)));
    }

    fn end(&self, task: u32, result: Result<(), TaskError>) {
        self.play(|seen| seen.ends.insert(task, result));
    }

    fn is_released(&self, task: u32) -> bool {
        self.seen().running[&task].is_released()
    }

    /// Runs a task: it ends when the test says, however it is asked.
    fn run(&self, task: u32, ownership: Arc<Ownership>) -> Result<(), TaskError> {
        self.play(|seen| {
            seen.starts += 1;
            seen.running.insert(task, ownership);
        });
        let mut seen = self.until(|seen| seen.ends.contains_key(&task));
        seen.running.remove(&task);
        let result = seen.ends.remove(&task).unwrap();
        drop(seen);
        self.changed.notify_all();
        result
    }
}

impl Group for Arc<Stage> {
    fn poll(&mut self, _: Duration) -> Result<Option<Change>, BrokerError> {
        std::thread::yield_now();
        let next = self.play(|seen| seen.changes.pop_front()).transpose();
        next.map_err(|reason| BrokerError::Failed { what: "membership".to_owned(), reason })
    }

    fn acknowledge(&mut self) -> Result<(), BrokerError> {
        self.play(|seen| seen.acknowledged += 1);
        Ok(())
    }

    fn confirm(&mut self) {
        self.play(|seen| {
            seen.asked += 1;
            if !seen.is_silent {
                seen.changes.push_back(Ok(Change::Confirmed));
            }
        });
    }

    fn leave(&mut self, _: Duration) {
        self.play(|seen| seen.left = true);
    }
}

/// A membership on its own thread.
struct Play {
    stage: Arc<Stage>,
    setup: Arc<Setup>,
    thread: JoinHandle<Result<(), TaskError>>,
}

fn play(until: Option<EventTime>) -> Play {
    play_with(until, PATIENCE)
}

fn play_with(until: Option<EventTime>, end_within: Duration) -> Play {
    let stage = Arc::new(Stage::default());
    let setup = Arc::new(setup(TimeMode::Event, until));
    let actor = Arc::clone(&stage);
    let run: Run = Arc::new(move |task, ownership| actor.run(task, ownership));
    let mut membership = Membership::new(Arc::clone(&setup), Arc::clone(&stage), run);
    membership.first_pause = Duration::ZERO;
    membership.end_within = end_within;
    let thread = std::thread::spawn(move || membership.run());
    Play { stage, setup, thread }
}

impl Play {
    fn stop(&self) {
        self.setup.stop.store(true, Ordering::Relaxed);
    }

    /// How the membership ended; it must have left the group.
    fn outcome(self) -> Result<(), TaskError> {
        let outcome = self.thread.join().unwrap();
        assert!(self.stage.seen().left);
        outcome
    }
}

fn fenced() -> Result<(), TaskError> {
    Err(TaskError::Fenced { id: "test-0".to_owned(), reason: "as the script says".to_owned() })
}

#[test]
fn what_is_released_is_acknowledged_once_its_tasks_have_ended_and_the_others_go_on() {
    let play = play(None);
    let stage = &play.stage;
    stage.say(Change::Assigned(vec![0, 1, 2]));
    stage.runs(&[0, 1, 2]);
    stage.say(Change::Released(vec![1, 2]));
    drop(stage.until(|seen| seen.running[&1].is_released() && seen.running[&2].is_released()));
    assert!(!stage.is_released(0));
    stage.end(1, Ok(()));
    stage.runs(&[0, 2]);
    assert_eq!(stage.seen().acknowledged, 0, "task 2 is in the middle of its epoch");
    stage.end(2, Ok(()));
    drop(stage.until(|seen| seen.acknowledged == 1));
    stage.say(Change::Assigned(vec![2]));
    stage.runs(&[0, 2]);
    assert_eq!(stage.seen().starts, 4);
    play.stop();
    stage.end(0, Ok(()));
    stage.end(2, Ok(()));
    play.outcome().unwrap();
}

#[test]
fn what_is_lost_is_dropped_without_a_complaint_and_may_come_again() {
    let play = play(None);
    let stage = &play.stage;
    stage.say(Change::Assigned(vec![0, 1]));
    stage.runs(&[0, 1]);
    assert!(play.setup.progress.is_member());
    stage.say(Change::Lost(vec![0, 1]));
    drop(stage.until(|seen| seen.running.values().all(|ownership| ownership.is_lost())));
    assert!(!play.setup.progress.is_member());
    stage.end(0, Err(TaskError::Interrupted));
    stage.end(1, fenced());
    drop(stage.until(|seen| seen.acknowledged == 1 && seen.running.is_empty()));
    assert!(play.setup.progress.standings().is_empty());
    stage.say(Change::Assigned(vec![0]));
    stage.runs(&[0]);
    play.stop();
    stage.end(0, Ok(()));
    play.outcome().unwrap();
}

#[test]
fn a_fenced_task_starts_anew_once_the_group_has_said_that_it_is_ours() {
    let play = play(None);
    let stage = &play.stage;
    stage.play(|seen| seen.is_silent = true);
    stage.say(Change::Assigned(vec![0]));
    stage.runs(&[0]);
    stage.end(0, fenced());
    // Not before the membership has heard of the end is there a question to answer.
    drop(stage.until(|seen| seen.asked == 1));
    stage.runs(&[]);
    // Another change is followed meanwhile, and the task is not started.
    stage.say(Change::Assigned(vec![1]));
    stage.runs(&[1]);
    stage.say(Change::Confirmed);
    stage.runs(&[0, 1]);
    play.stop();
    stage.end(0, Ok(()));
    stage.end(1, Ok(()));
    play.outcome().unwrap();
}

#[test]
fn a_fenced_task_whose_partition_is_lost_is_not_started_anew() {
    let play = play(None);
    let stage = &play.stage;
    stage.play(|seen| seen.is_silent = true);
    stage.say(Change::Assigned(vec![0]));
    stage.runs(&[0]);
    stage.end(0, fenced());
    // Not before the membership has heard of the end is there a question to answer.
    drop(stage.until(|seen| seen.asked == 1));
    stage.runs(&[]);
    stage.say(Change::Lost(vec![0]));
    drop(stage.until(|seen| seen.acknowledged == 1));
    stage.say(Change::Confirmed);
    stage.say(Change::Assigned(vec![1]));
    stage.runs(&[1]);
    assert_eq!(stage.seen().starts, 2);
    play.stop();
    stage.end(1, Ok(()));
    play.outcome().unwrap();
}

#[test]
fn a_task_that_is_fenced_again_and_again_fails_the_process_unless_it_gets_ahead() {
    let play = play(None);
    let stage = &play.stage;
    stage.say(Change::Assigned(vec![0]));
    for start in 1..=MOST_FENCED {
        drop(stage.until(|seen| seen.starts == start && seen.running.contains_key(&0)));
        stage.end(0, fenced());
    }
    let seen = stage.until(|seen| seen.starts == MOST_FENCED + 1 && seen.running.contains_key(&0));
    seen.running[&0].note_commit();
    drop(seen);
    for start in MOST_FENCED + 1..=2 * MOST_FENCED + 1 {
        drop(stage.until(|seen| seen.starts == start && seen.running.contains_key(&0)));
        stage.end(0, fenced());
    }
    let error = play.outcome().unwrap_err();
    assert!(matches!(error, TaskError::Fenced { .. }), "{error}");
}

#[test]
fn a_task_in_doubt_asks_the_group_and_a_loss_is_an_answer() {
    let play = play(None);
    let stage = &play.stage;
    stage.say(Change::Assigned(vec![0]));
    stage.runs(&[0]);
    let ownership = Arc::clone(&stage.seen().running[&0]);
    assert!((0..20).any(|_| ownership.is_confirmed()), "the group confirms");
    stage.play(|seen| seen.is_silent = true);
    let asking = Arc::clone(&ownership);
    let asking = std::thread::spawn(move || asking.is_confirmed());
    stage.say(Change::Lost(vec![0]));
    assert!(!asking.join().unwrap());
    stage.end(0, Err(TaskError::Interrupted));
    drop(stage.until(|seen| seen.acknowledged == 1));
    play.stop();
    play.outcome().unwrap();
}

#[test]
fn the_first_task_that_fails_ends_the_others_and_is_told() {
    let play = play(None);
    let stage = &play.stage;
    stage.say(Change::Assigned(vec![0, 1]));
    stage.runs(&[0, 1]);
    stage.end(0, Err(TaskError::Changed("the rules changed".to_owned())));
    while !play.setup.stop.load(Ordering::Relaxed) {
        std::thread::yield_now();
    }
    stage.end(1, Err(TaskError::Interrupted));
    assert_eq!(play.outcome().unwrap_err().to_string(), "the rules changed");
}

#[test]
fn a_task_that_panics_fails_the_process() {
    let setup = Arc::new(setup(TimeMode::Event, None));
    let stage = Arc::new(Stage::default());
    stage.say(Change::Assigned(vec![0]));
    let run: Run = Arc::new(|_, _| panic!("as the test says"));
    let error = Membership::new(setup, stage, run).run().unwrap_err();
    assert!(matches!(error, TaskError::Panicked { partition: 0 }), "{error}");
}

#[test]
fn a_membership_that_is_refused_ends_the_tasks_and_is_told() {
    let play = play(None);
    let stage = &play.stage;
    stage.say(Change::Assigned(vec![0]));
    stage.runs(&[0]);
    stage.play(|seen| seen.changes.push_back(Err("another has our name".to_owned())));
    stage.end(0, Ok(()));
    assert_eq!(play.outcome().unwrap_err().to_string(), "membership: another has our name");
}

#[test]
fn with_a_time_to_stop_at_it_ends_when_it_has_tasks_and_all_have_ended() {
    let play = play(Some(EventTime(0)));
    let stage = &play.stage;
    stage.say(Change::Assigned(vec![]));
    stage.say(Change::Assigned(vec![0, 1]));
    stage.runs(&[0, 1]);
    stage.end(0, Ok(()));
    stage.runs(&[1]);
    // One that has ended moves as any other.
    stage.say(Change::Released(vec![0]));
    drop(stage.until(|seen| seen.acknowledged == 1));
    assert!(!play.thread.is_finished());
    stage.end(1, Ok(()));
    play.outcome().unwrap();
}

#[test]
fn tasks_that_do_not_end_in_time_are_left_behind() {
    let play = play_with(None, Duration::ZERO);
    let stage = Arc::clone(&play.stage);
    stage.say(Change::Assigned(vec![0]));
    stage.runs(&[0]);
    play.stop();
    let error = play.outcome().unwrap_err();
    assert!(error.to_string().starts_with("not every task ended within"), "{error}");
    stage.end(0, Ok(()));
}

#[test]
fn nothing_starts_while_it_stops() {
    let play = play(None);
    let stage = &play.stage;
    stage.say(Change::Assigned(vec![0]));
    stage.runs(&[0]);
    play.stop();
    stage.say(Change::Assigned(vec![1]));
    stage.say(Change::Released(vec![0]));
    drop(stage.until(|seen| seen.running[&0].is_released()));
    stage.end(0, Ok(()));
    play.outcome().unwrap();
}

const PATIENCE: Duration = Duration::from_mins(1);
