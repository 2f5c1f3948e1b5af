//! Settlement, a task's side: what changed here is said at the next instant, and the settler decides when all have spoken.
//!
//! As of an instant is what is known once every deadline and effect up to it has come, and before any record of that time. In
//! `event` whatever was said of an instant is heard a hop later; in `live` each task tells the settler how far it has said all.

mod over_all;
mod settler;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::customer::Customer;
use super::customers::Slot;
use super::{Engine, TimeMode};
use crate::model::effect::{Does, Effect};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::settle::{Entry, Report, after};
use crate::model::time::EventTime;
use crate::rules::budget::Places;
use settler::Settler;

/// What is still to be said, and what the settler knows, where it is at home here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Settlement {
    /// Of settlements up to this instant all was said.
    passed: EventTime,
    /// When something is to be said.
    next: Option<EventTime>,
    /// Who has something to say, some of them twice. Who is in it follows from the customers.
    #[serde(skip)]
    unsaid: Vec<Slot>,
    /// Who has left and said to stand somewhere.
    gone: BTreeSet<(CustomerId, u8)>,
    /// Customers who are active. It follows from them.
    #[serde(skip)]
    active: u64,
    active_said: u64,
    /// Agents may have come on shift, or left it.
    agents_changed: bool,
    on_shift_said: Vec<(u8, u64)>,
    /// In `live`: up to when the settler knows that all was said.
    reached: EventTime,
    /// Effects of the task's own.
    sent: u32,
    settler: Box<Settler>,
}

/// For so long after somebody was seen last they count as active.
pub(super) const ACTIVE: std::time::Duration = std::time::Duration::from_hours(24 * 90);

/// Entries of a report: a greater one goes in parts.
const MOST_ENTRIES: usize = 1_000;

impl Customer {
    /// Whether they count among the active.
    pub(super) fn is_active(&self) -> bool {
        let seen = self.last_seen.get().filter(|_| self.id.kind() == EntityKind::Customer);
        seen.is_some_and(|seen| self.as_of < seen.plus(ACTIVE)) && self.merged_into().is_none()
    }
}

impl Engine {
    /// When something that changes at an instant, by a record, is said.
    pub fn settles_after(&self, at: EventTime) -> Option<EventTime> {
        self.rules.settles().then(|| after(at, self.rules.settle))
    }

    /// The first settlement at which the task has something to say or to decide.
    pub(super) fn next_settlement(&self) -> Option<EventTime> {
        let decides = self.settlement.settler.next().filter(|_| self.mode == TimeMode::Event);
        let decided = decides.map(|at| at.plus(self.rules.hop));
        self.settlement.next.into_iter().chain(decided).min()
    }

    /// The same by the clock, and in `live` when the settler is to hear that there was nothing.
    pub(super) fn next_settlement_by_clock(&self) -> Option<EventTime> {
        let is_live = self.mode == TimeMode::Live && self.rules.settles();
        let reached = is_live.then(|| after(self.settlement.reached, self.rules.settle));
        self.next_settlement().into_iter().chain(reached).min().map(|at| at.plus(self.lateness()))
    }

    /// The first instant at which a settlement may cause something elsewhere.
    pub(super) fn next_settling(&self) -> Option<EventTime> {
        if !self.rules.settles() {
            return None;
        }
        let fires = self.deadlines.first().and_then(|at| self.settles_after(EventTime(at.0 - 1)));
        self.next_settlement().into_iter().chain(fires).min()
    }

    /// All settlements up to an instant are over, but for those still to come.
    pub(super) fn pass_settlements(&mut self, to: EventTime) {
        if self.rules.settles() {
            self.settlement.passed = self.settlement.passed.max(to.min(self.due()));
        }
    }

    /// Notes that a customer may have something to say.
    pub(super) fn note_unsaid(&mut self, slot: Slot) {
        if self.customers[slot].is_unsaid() {
            self.settlement.unsaid.push(slot);
            self.settle_next();
        }
    }

    /// The same of one who was restored, for whom it is noted when.
    pub(super) fn note_restored(&mut self, slot: Slot) {
        if self.customers[slot].is_unsaid() {
            self.settlement.unsaid.push(slot);
        }
        self.settlement.active += u64::from(self.rules.counts_active() && self.customers[slot].is_active());
    }

    fn settle_next(&mut self) {
        let next = after(self.settlement.passed, self.rules.settle);
        self.settlement.next.get_or_insert(next);
    }

    /// Agents have changed: as many as before may be on shift, or not.
    pub(super) fn note_agents(&mut self) {
        if self.is_settler() && self.rules.places().any(|places| matches!(places, Places::Capacity { .. })) {
            self.settlement.agents_changed = true;
            self.settle_next();
        }
    }

    /// Whether a customer counts as active; `false` where nobody asks.
    pub(super) fn counts(&self, slot: Slot) -> bool {
        self.rules.counts_active() && self.customers[slot].is_active()
    }

    /// A customer's time has moved or they were seen: they may be active now, or no more.
    pub(super) fn recount(&mut self, slot: Slot, was_active: bool) {
        let is_active = self.counts(slot);
        if is_active != was_active {
            self.settlement.active = self.settlement.active + u64::from(is_active) - u64::from(was_active);
            self.settle_next();
        }
    }

    /// Somebody leaves for good, who has said to stand somewhere.
    pub(super) fn leave_budgets(&mut self, slot: Slot) {
        let was_active = self.counts(slot);
        let customer = &mut self.customers[slot];
        customer.leave_seats();
        let mut entries = Vec::new();
        customer.say_seats(&mut entries);
        self.settlement.gone.extend(entries.into_iter().map(|entry| (entry.id, entry.programme)));
        self.settlement.active -= u64::from(was_active);
        if was_active || !self.settlement.gone.is_empty() {
            self.settle_next();
        }
    }

    fn is_settler(&self) -> bool {
        self.rules.settles() && self.home.of(&self.settler()) == self.home.task
    }

    fn settler(&self) -> CustomerId {
        CustomerId::settler(self.rules.name())
    }

    /// Says what changed, or decides: whichever is first.
    pub(super) fn settle(&mut self, at: EventTime) {
        self.now = at;
        if self.settlement.next == Some(at) {
            self.pass_settlements(at);
            self.report(at);
        } else if let Some(settled) = self.settlement.settler.next() {
            self.decide(settled);
        }
    }

    /// Says what changed up to a settlement.
    fn report(&mut self, at: EventTime) {
        self.settlement.next = None;
        let mut slots = std::mem::take(&mut self.settlement.unsaid);
        slots.sort_unstable();
        slots.dedup();
        let mut entries: Vec<Entry> = Vec::with_capacity(slots.len());
        for slot in slots {
            if self.customers[slot].is_unsaid() {
                self.customers.touch(slot);
                self.customers[slot].say_seats(&mut entries);
            }
        }
        let gone = std::mem::take(&mut self.settlement.gone);
        entries.extend(gone.into_iter().map(|(id, programme)| Entry { id, programme, standing: None }));
        entries.sort_unstable_by(|left, right| (&left.id, left.programme).cmp(&(&right.id, right.programme)));
        let Settlement { active, active_said, .. } = self.settlement;
        let active = (active != active_said).then_some(active);
        self.settlement.active_said = self.settlement.active;
        let on_shift = self.on_shift();
        let mut report = Report { at, entries: Vec::new(), active, on_shift };
        while !entries.is_empty() || report.active.is_some() || report.on_shift.is_some() {
            let rest = entries.split_off(entries.len().min(MOST_ENTRIES));
            report.entries = std::mem::replace(&mut entries, rest);
            self.tell_settler(at, Does::Report(Box::new(report.clone())));
            (report.active, report.on_shift) = (None, None);
        }
    }

    /// How many agents are on shift for each budget that asks, where these are other numbers than before.
    fn on_shift(&mut self) -> Option<Vec<(u8, u64)>> {
        if !std::mem::take(&mut self.settlement.agents_changed) {
            return None;
        }
        let budgets =
            (0..).zip(&self.rules.programmes).filter_map(|(at, rule)| Some((at, &rule.budget.as_ref()?.places)));
        let budgets = budgets.chain(self.rules.budget.iter().map(|places| (over_all::PROGRAMME, places)));
        let numbers: Vec<(u8, u64)> = budgets
            .filter_map(|(at, places)| match places {
                Places::Capacity { team, .. } => Some((at, self.agents.on_shift(team.as_deref()))),
                _ => None,
            })
            .collect();
        let is_news = numbers != self.settlement.on_shift_said;
        self.settlement.on_shift_said.clone_from(&numbers);
        is_news.then_some(numbers)
    }

    fn tell_settler(&mut self, at: EventTime, does: Does) {
        self.settlement.sent += 1;
        let (to, from) = (self.settler(), CustomerId::task(self.home.task));
        let (number, at) = (self.settlement.sent, at.plus(self.rules.hop));
        self.deliver(Effect { to, from, number, at, hops: 1, origin: None, does });
    }

    /// At an epoch's end, in `live`: tells the settler how far all was said.
    pub(super) fn tell_reached(&mut self) {
        if self.mode != TimeMode::Live || !self.rules.settles() || self.behind {
            return;
        }
        let step = self.rules.settle;
        let reached = after(self.settlement.passed, step).minus(step);
        if reached > self.settlement.reached {
            self.settlement.reached = reached;
            self.tell_settler(reached, Does::Reached(reached));
        }
    }

    /// The settler hears of a task.
    pub(super) fn hear_task(&mut self, effect: Effect) {
        let task = self.home.of(&effect.from);
        match effect.does {
            Does::Report(report) => self.settlement.settler.hear(task, *report),
            Does::Reached(at) => self.settlement.settler.hear_reached(task, at),
            _ => {}
        }
        while self.mode == TimeMode::Live
            && let Some(at) = self.settlement.settler.next_reached(self.home.tasks)
        {
            self.decide(at);
        }
    }

    /// Decides a settlement, and tells whom it concerns.
    fn decide(&mut self, at: EventTime) {
        let rules = std::sync::Arc::clone(&self.rules);
        let in_force = at.plus(self.lateness()).plus(rules.settle);
        let verdicts = self.settlement.settler.decide(at, &rules);
        self.stats.settlements += 1;
        self.stats.settlement_lag = self.due().since(at);
        let from = self.settler();
        for (to, verdict) in verdicts {
            self.settlement.settler.sent += 1;
            let (number, does) = (self.settlement.settler.sent, Does::Verdict(Box::new(verdict)));
            self.deliver(Effect { to, from: from.clone(), number, at: in_force, hops: 1, origin: None, does });
        }
    }

    /// By programme with a budget: how many hold a place or were granted one, and how many wait, as far as is decided here.
    pub(super) fn budget_counts(&self) -> Vec<(u8, usize, usize)> {
        let budgeted = (0..).zip(&self.rules.programmes).filter(|(_, rule)| rule.budget.is_some());
        let is_here = self.is_settler();
        let here = budgeted.filter(|_| is_here).map(|(at, _)| (at, self.settlement.settler.counts(at)));
        here.map(|(at, (seats, waiting))| (at, seats, waiting)).collect()
    }
}
