//! In `event`, with several tasks: how far time may pass before what others will yet do to entities here.
//!
//! An effect is in force a `hop` after its cause. Each task announces, with an epoch, from when on it may still cause
//! something, given all that it has taken so far (its buffered records, what it has not fetched, what others may hand
//! over to it, what waits in its engine), and how many effects it has sent to and taken from each other.
//!
//! Where, of the last announcements of all tasks, every two agree on these numbers, nothing is under way between them:
//! all that one had sent by its announcement the other had taken by its own, and no more than that (a sender's effects
//! lie in the relay in their order). Let N be the least instant named in such a set. Then whatever is sent after these
//! announcements is caused at N or later. For take the first, in the order of causes, that was not: its task had by
//! then taken only what it had at its announcement, which it had named, or effects sent after the announcements, caused
//! at N or later and in force later still. So what has not been taken yet, by anybody, is in force at N and a `hop` or
//! later: that is the horizon. Everything before it can be decided. It holds for good, whatever is announced later; and
//! tasks that have all come up to it with nothing under way will agree on a later one, since each record before it has
//! been taken and N has moved.
//!
//! A set in which some number differs says nothing: the horizon stays as it was.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Task;
use super::relay::{Announcement, Exchanged};
use crate::broker::{Broker, Outgoing};
use crate::engine::TimeMode;
use crate::model::time::EventTime;
use crate::mutant::{self, Mutant};

impl<B: Broker> Task<B> {
    /// Whether others may do something to entities here that must not come too late.
    fn has_horizon(&self) -> bool {
        self.setup.mode == TimeMode::Event && self.setup.tasks > 1 && !mutant::is(Mutant::NoHorizon)
    }

    /// Whether the next record lies beyond what can be decided yet.
    pub(super) fn is_past_horizon(&self) -> bool {
        self.has_horizon() && self.intake.merge().next_time().is_some_and(|next| next >= self.horizon)
    }

    /// The clock, short of the horizon: at that instant itself something may still come.
    pub(super) fn within_horizon(&self, clock: EventTime) -> EventTime {
        if self.has_horizon() { clock.min(self.horizon.minus(Duration::from_millis(1))) } else { clock }
    }

    /// Finds out from what was announced how far the horizon is. Nothing may have been taken that is not applied.
    pub(super) fn look_to_horizon(&mut self) {
        if !self.has_horizon() || self.intake.announced().is_none() {
            return;
        }
        let own = self.with_effects(Announcement { source: self.partition, ..Announcement::default() });
        let Some(others) = self.intake.announced() else { return };
        let heard = others.iter().filter_map(|it| it.horizon_ms).max().unwrap_or_default();
        let all: Vec<&Announcement> = others.into_iter().chain([&own]).collect();
        let from = all.iter().map(|it| it.sends_from_ms.unwrap_or(NEVER)).min().unwrap_or(NEVER);
        let horizon = EventTime(from).plus(self.setup.rules.hop);
        let found = if horizon > self.horizon && agree(&all) { horizon } else { EventTime(heard) };
        self.horizon = self.horizon.max(found);
    }

    /// Tells the other tasks how far this one has come, where that is news. The newest epoch must be applied.
    pub(super) fn announce(&mut self, relay: &mut Vec<Outgoing>) {
        let Some(announcement) = self.announcement().filter(|it| self.announced.as_ref() != Some(it)) else { return };
        let others = (0..self.setup.tasks).filter(|task| *task != self.partition);
        relay.extend(others.map(|task| announcement.to(task, &self.setup.relay)));
        self.announced = Some(announcement);
    }

    pub(super) fn has_news(&mut self) -> bool {
        self.announcement().is_some_and(|it| self.announced.as_ref() != Some(&it))
    }

    fn announcement(&mut self) -> Option<Announcement> {
        let announcement = self.intake.announcement()?;
        Some(self.with_effects(announcement))
    }

    fn with_effects(&mut self, announcement: Announcement) -> Announcement {
        let of_records = self.intake.merge_mut().earliest(|event| self.engine.may_send(event));
        // Whatever comes next may change who stands where; it is said at the settlement after it.
        let settles = self.intake.merge().clock().and_then(|at| self.engine.settles_after(at));
        let sends_from = of_records.into_iter().chain(self.engine.next_sending()).chain(settles).min();
        let (sent, came) = self.engine.exchanged();
        let number = |of: &BTreeMap<u32, u64>, task| of.get(&task).copied().unwrap_or_default();
        let exchanged =
            (0..self.setup.tasks).map(|task| Exchanged { task, sent: number(sent, task), came: number(came, task) });
        // A task that is done speaks no more: the others must not depend on what it would take or say.
        let is_done = |until: &EventTime| self.horizon > *until || self.clock >= *until;
        let beyond = self.setup.until.filter(is_done).map(|until| until.plus(Duration::from_millis(1)));
        Announcement {
            sends_from_ms: sends_from.map(|at| at.0),
            exchanged: exchanged.filter(|it| it.sent + it.came > 0).collect(),
            horizon_ms: beyond.map(|at| at.0),
            ..announcement
        }
    }
}

/// Whether every two tasks have taken of each other what was sent.
fn agree(all: &[&Announcement]) -> bool {
    let number = |of: u32, with: u32| {
        let said = all.iter().filter(|it| it.source == of).flat_map(|it| &it.exchanged);
        said.copied().find(|it| it.task == with).unwrap_or_default()
    };
    let sources = || all.iter().map(|it| it.source);
    sources().all(|from| sources().all(|to| number(from, to).sent == number(to, from).came))
}

/// After every instant.
const NEVER: i64 = i64::MAX;
