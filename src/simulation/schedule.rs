//! Threads that take turns: exactly one runs, in virtual time, in an order that the seed decides.
//!
//! A thread runs until it waits; whoever is to go on earliest has the next turn, and time jumps there. So whatever
//! takes time (every call of broker, group and store, and every sleep) is where another thread may come in between,
//! and where a process may be killed or frozen.

use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::clock;
use crate::clock::virtual_time::{self, Time};
use crate::model::time::EventTime;
use crate::support::dice::Dice;

/// What a killed thread unwinds with: not a panic that anybody is told of.
struct Killed;

/// Whose threads live and die together. The director is nobody's.
pub(super) type ProcessId = usize;

/// The turns of one simulation.
pub(super) struct Schedule {
    inner: Mutex<Inner>,
    /// What virtual time counts from.
    base: Instant,
    wall: EventTime,
}

struct Inner {
    now: Duration,
    dice: Dice,
    threads: Vec<Thread>,
    running: usize,
    /// By process.
    fates: Vec<Fate>,
    turns: u64,
}

struct Thread {
    process: Option<ProcessId>,
    /// When it goes on, and the lot among those at one instant.
    at: Duration,
    lot: usize,
    done: bool,
    bell: Arc<Condvar>,
}

#[derive(Clone, Copy, Default)]
struct Fate {
    killed: bool,
    frozen_until: Duration,
}

/// One thread's place among the others. Nothing here may be called while a lock of the simulated world is held.
#[derive(Clone)]
pub(super) struct Turn {
    schedule: Arc<Schedule>,
    own: usize,
}

impl Schedule {
    /// Starts with the calling thread as the director.
    pub(super) fn start(seed: u64, wall: EventTime) -> Turn {
        let director = Thread { process: None, at: Duration::ZERO, lot: 0, done: false, bell: Arc::default() };
        let inner = Inner {
            now: Duration::ZERO,
            dice: Dice::new(seed),
            threads: vec![director],
            running: 0,
            fates: Vec::new(),
            turns: 0,
        };
        let schedule = Arc::new(Self { inner: Mutex::new(inner), base: clock::now(), wall });
        let turn = Turn { schedule, own: 0 };
        virtual_time::enter(Some(Arc::new(turn.clone())));
        turn
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

impl Inner {
    /// Whose turn is next; time goes there.
    fn choose(&mut self) -> usize {
        let due = |thread: &Thread| {
            let fate = thread.process.map(|process| self.fates[process]).unwrap_or_default();
            if fate.killed { (self.now, 0) } else { (thread.at.max(fate.frozen_until), thread.lot) }
        };
        let waiting = self.threads.iter().enumerate().filter(|(_, thread)| !thread.done);
        let ((at, _), next) = waiting.map(|(number, thread)| (due(thread), number)).min().expect("the director waits");
        self.now = self.now.max(at);
        self.turns += 1;
        next
    }

    fn hand_over(&mut self, next: usize) {
        self.running = next;
        self.threads[next].bell.notify_one();
    }

    fn is_killed(&self, thread: usize) -> bool {
        self.threads[thread].process.is_some_and(|process| self.fates[process].killed)
    }
}

impl Turn {
    /// A new process, without threads yet.
    pub(super) fn add_process(&self) -> ProcessId {
        let mut inner = self.schedule.inner();
        inner.fates.push(Fate::default());
        inner.fates.len() - 1
    }

    /// Lets others have their turns for so long.
    pub(super) fn wait(&self, span: Duration) {
        if std::thread::panicking() {
            return;
        }
        let mut inner = self.schedule.inner();
        let at = inner.now + span;
        let lot = inner.dice.below(1 << 20);
        let own = &mut inner.threads[self.own];
        (own.at, own.lot) = (at, lot);
        let next = inner.choose();
        if next != self.own {
            inner.hand_over(next);
            inner = self.until_own(inner);
        }
        if inner.is_killed(self.own) {
            drop(inner);
            resume_unwind(Box::new(Killed));
        }
    }

    fn until_own<'a>(&self, inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        let bell = Arc::clone(&inner.threads[self.own].bell);
        bell.wait_while(inner, |inner| inner.running != self.own).unwrap()
    }

    /// Starts a thread of a process.
    pub(super) fn spawn_of(
        &self,
        process: Option<ProcessId>,
        name: String,
        body: Box<dyn FnOnce() + Send>,
    ) -> JoinHandle<()> {
        let mut inner = self.schedule.inner();
        let (at, lot) = (inner.now, inner.dice.below(1 << 20));
        let own = inner.threads.len();
        inner.threads.push(Thread { process, at, lot, done: false, bell: Arc::default() });
        drop(inner);
        let turn = Self { schedule: Arc::clone(&self.schedule), own };
        let mutant = crate::mutant::of_this_thread();
        let run = move || {
            virtual_time::enter(Some(Arc::new(turn.clone())));
            crate::mutant::enter(mutant);
            let inner = turn.until_own(turn.schedule.inner());
            let is_killed = inner.is_killed(turn.own);
            drop(inner);
            if !is_killed {
                // What goes wrong is told by whoever waits for the thread's result.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            }
            let mut inner = turn.schedule.inner();
            inner.threads[turn.own].done = true;
            let next = inner.choose();
            inner.hand_over(next);
        };
        std::thread::Builder::new().name(name).stack_size(STACK).spawn(run).expect("the system has room for a thread")
    }

    /// Ends all threads of a process where they stand.
    pub(super) fn kill(&self, process: ProcessId) {
        self.schedule.inner().fates[process].killed = true;
    }

    /// Gives none of a process's threads a turn for so long.
    pub(super) fn freeze(&self, process: ProcessId, span: Duration) {
        let mut inner = self.schedule.inner();
        inner.fates[process].frozen_until = inner.now + span;
    }

    /// Whether a process's threads have all ended.
    pub(super) fn has_ended(&self, process: ProcessId) -> bool {
        self.schedule.inner().threads.iter().all(|thread| thread.process != Some(process) || thread.done)
    }

    /// Since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.schedule.inner().now
    }

    pub(super) fn turns(&self) -> u64 {
        self.schedule.inner().turns
    }

    /// A number below `bound`, from the seed.
    pub(super) fn below(&self, bound: usize) -> usize {
        self.schedule.inner().dice.below(bound)
    }
}

impl Time for Turn {
    fn wall(&self) -> EventTime {
        self.schedule.wall.plus(self.elapsed())
    }

    fn now(&self) -> Instant {
        self.schedule.base + self.elapsed()
    }

    fn sleep(&self, span: Duration) {
        self.wait(span);
    }

    fn spawn(&self, name: String, body: Box<dyn FnOnce() + Send>) -> JoinHandle<()> {
        let process = self.schedule.inner().threads[self.own].process;
        self.spawn_of(process, name, body)
    }
}

/// Threads are many and their stacks shallow.
const STACK: usize = 1 << 20;
