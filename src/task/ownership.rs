//! A task's right to run: given with the assignment of its partition, ended by its release or loss.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock;

/// Shared between the task and the membership that gave it its partition.
#[derive(Debug, Default)]
pub(crate) struct Ownership {
    /// The partition goes to another process, or this one ends: finish the epoch and end.
    released: AtomicBool,
    /// It may be another's already: end at once.
    lost: AtomicBool,
    /// The task has committed an epoch since it was started.
    committed: AtomicBool,
    /// Where the group is asked; a task without a group is never in doubt.
    inquiry: Option<Arc<Inquiry>>,
}

impl Ownership {
    pub(crate) fn of(inquiry: &Arc<Inquiry>) -> Self {
        Self { inquiry: Some(Arc::clone(inquiry)), ..Self::default() }
    }

    /// Asks the task to finish its epoch and end.
    pub(crate) fn release(&self) {
        self.released.store(true, Ordering::Relaxed);
    }

    /// Asks the task to end: what it sends would be refused.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
        self.release();
    }

    /// Whether the task is to end.
    pub(crate) fn is_released(&self) -> bool {
        self.released.load(Ordering::Relaxed)
    }

    /// Whether the task is to end without another try.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Whether the partition is still this process's, asked anew of the group: a process that was frozen must know
    /// before it makes a producer, which would fence the rightful owner's. Waits a little; where the group does not
    /// answer in time, it is not.
    pub(crate) fn is_confirmed(&self) -> bool {
        let Some(inquiry) = &self.inquiry else { return !self.is_released() };
        inquiry.ask_and_wait(|| self.is_released()) && !self.is_released()
    }

    pub(crate) fn note_commit(&self) {
        self.committed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_committed(&self) -> bool {
        self.committed.load(Ordering::Relaxed)
    }
}

/// Questions of the tasks to the group, and which of them it has answered. One answer serves all asked before.
#[derive(Debug, Default)]
pub(crate) struct Inquiry(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    asked: u64,
    answered: u64,
}

impl Inquiry {
    /// Puts a question; its number.
    pub(crate) fn ask(&self) -> u64 {
        let mut counts = self.counts();
        counts.asked += 1;
        counts.asked
    }

    /// The newest question, where it is not answered yet.
    pub(crate) fn open(&self) -> Option<u64> {
        let counts = self.counts();
        (counts.asked > counts.answered).then_some(counts.asked)
    }

    /// Notes that the group has answered a question, and hence all before it.
    pub(crate) fn answer(&self, question: u64) {
        self.counts().answered = question;
    }

    pub(crate) fn is_answered(&self, question: u64) -> bool {
        self.counts().answered >= question
    }

    fn ask_and_wait(&self, is_over: impl Fn() -> bool) -> bool {
        let question = self.ask();
        let asked = clock::now();
        while !self.is_answered(question) && !is_over() && clock::since(asked) < ANSWERED_WITHIN {
            clock::sleep(NAP);
        }
        self.is_answered(question)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a task waits for the answer before it asks again.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3);

/// How often it looks for it.
const NAP: Duration = Duration::from_millis(10);
