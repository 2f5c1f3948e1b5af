//! Settlement, a task's side: what changed here is said at the next instant, and the settler decides when all have spoken.
//!
//! As of an instant is what is known once every deadline and effect up to it has come, and before any record of that time. In
//! `event` whatever was said of an instant is heard a hop later; in `live` each task tells the settler how far it has said all.

mod census;
mod crowd;
mod over_all;
mod population;
mod ranking;
mod settler;
mod shifts;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::customers::Slot;
use super::held_back::Recalling;
use super::{Engine, TimeMode};
use crate::model::effect::{Does, Effect};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::output::insight::{Finding, Insight, OVERRIDES_EXCEEDED, OverridesExceeded};
use crate::model::output::{Cause, Evidence, Output, OutputId, Scalar};
use crate::model::settle::{Entry, Report, Verdict, after};
use crate::model::time::EventTime;
use crate::rules::budget::Places;
use census::{Census, Histograms, Part};
pub(super) use census::{Cuts, NO_CUTS};
use settler::Settler;
pub(super) use shifts::Shifts;

/// What is still to be said, and what the settler knows, where it is at home here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Settlement {
    /// Of settlements up to this instant all was said.
    passed: EventTime,
    /// When something is to be said.
    next: Option<EventTime>,
    /// Who has something to say.
    unsaid: BTreeSet<CustomerId>,
    /// What is being said of a settlement, in slices.
    saying: Option<Saying>,
    /// Who has left and said to stand somewhere.
    gone: BTreeSet<(CustomerId, u8)>,
    /// What all customers here count for. It follows from them.
    #[serde(skip)]
    census: Census,
    active_said: u64,
    measured_said: Histograms,
    members_said: (u64, u64),
    /// The settlement of the next midnight, where there is something to be said at it.
    next_cut: Option<EventTime>,
    pub(super) cuts: Cuts,
    /// Told last, at home of the settler.
    cuts_told: Vec<Option<Decimal>>,
    /// Pivots found since the last report, by place of their mark.
    turned: BTreeMap<u8, u32>,
    pub(super) shifts: Shifts,
    /// Customers some of whose pivots wait. It follows from them.
    #[serde(skip)]
    pub(super) holding: BTreeSet<CustomerId>,
    /// Who of these is still to learn of the newest turn.
    pub(super) recalling: Option<Recalling>,
    /// Agents may have come on shift, or left it.
    agents_changed: bool,
    on_shift_said: Vec<(u8, u64)>,
    /// In `live`: up to when the settler knows that all was said.
    reached: EventTime,
    /// Effects of the task's own.
    sent: u32,
    settler: Box<Settler>,
    /// What was decided and is not told yet: in force when, about whom.
    untold: VecDeque<(EventTime, CustomerId, Verdict)>,
}

/// What of a settlement is still to be said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Saying {
    at: EventTime,
    unsaid: BTreeSet<CustomerId>,
    /// Of those who have changed since, as they were.
    said: Vec<Entry>,
}

/// Customers of whom is said in one epoch, in `live`: more wait for the next, so that no event waits for all.
const SAYINGS: usize = 1_000;

/// Entities who are told at once what was decided about them, in `live`.
const RULINGS: usize = 2_000;

/// For so long after somebody was seen last they count as active.
pub(super) const ACTIVE: Duration = Duration::from_hours(24 * 90);

/// Entries of a report: a greater one goes in parts.
const MOST_ENTRIES: usize = 1_000;

impl Engine {
    /// When something that changes at an instant, by a record, is said.
    pub fn settles_after(&self, at: EventTime) -> Option<EventTime> {
        self.rules.settles().then(|| after(at, self.rules.settle))
    }

    /// The first settlement at which the task has something to say or to decide.
    pub(super) fn next_settlement(&self) -> Option<EventTime> {
        let decides = self.settlement.settler.next().filter(|_| self.mode == TimeMode::Event);
        let decided = decides.map(|at| at.plus(self.rules.hop));
        let said = self.settlement.next.into_iter().chain(self.settlement.next_cut);
        said.chain(decided).min()
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
        let customer = &self.customers[slot];
        if customer.is_unsaid() {
            self.settlement.unsaid.insert(customer.id.clone());
            self.settle_next();
        }
    }

    /// Says how a customer stood at the settlement that is being said, before anything is done to them.
    pub(super) fn say_first(&mut self, slot: Slot) {
        if let Some(saying) = &mut self.settlement.saying
            && saying.unsaid.remove(&self.customers[slot].id)
        {
            self.customers[slot].say_seats(&mut saying.said);
        }
    }

    /// Counts a customer who was restored.
    pub(super) fn note_restored(&mut self, slot: Slot) {
        let counted = self.counted(slot);
        self.settlement.census.change(Part::default(), counted);
    }

    fn settle_next(&mut self) {
        let next = after(self.settlement.passed, self.rules.settle);
        self.settlement.next.get_or_insert(next);
    }

    /// Other customers than before may be members, or by other words.
    pub(super) fn note_members(&mut self) {
        if self.rules.max_overrides.is_some() {
            self.settle_next();
        }
    }

    /// Agents have changed: as many as before may be on shift, or not.
    pub(super) fn note_agents(&mut self) {
        if self.is_settler() && self.rules.places().any(|places| matches!(places, Places::Capacity { .. })) {
            self.settlement.agents_changed = true;
            self.settle_next();
        }
    }

    /// What a customer counts for before something is done to them: for [`Engine::recount`].
    pub(super) fn counted(&self, slot: Slot) -> Part {
        Part::of(&self.customers[slot], &self.rules)
    }

    /// Something was done to a customer: they may count for something else.
    pub(super) fn recount(&mut self, slot: Slot, before: Part) {
        let after = self.counted(slot);
        self.count_instead(before, after);
    }

    fn count_instead(&mut self, before: Part, after: Part) {
        if before == after {
            return;
        }
        let (active, measured) = self.settlement.census.change(before, after);
        if active {
            self.settle_next();
        }
        if measured && self.settlement.next_cut.is_none() {
            self.settlement.next_cut = Some(self.next_midnight(self.settlement.passed, Duration::ZERO));
        }
    }

    /// The first instant after another that is so long after the settlement of a local midnight.
    fn next_midnight(&self, passed: EventTime, delay: Duration) -> EventTime {
        let earliest = passed.minus(delay).minus(self.rules.settle).max(EventTime::MIN);
        let mut day = self.rules.calendar.day(earliest);
        loop {
            let midnight = self.rules.calendar.start(day);
            let at = after(EventTime(midnight.0 - 1), self.rules.settle).plus(delay);
            if at > passed {
                return at;
            }
            day += 1;
        }
    }

    /// Works out when time alone may change something for a customer: what all customers have may change with each midnight.
    pub(super) fn find_deadline(&mut self, slot: Slot) {
        let customer = &mut self.customers[slot];
        customer.find_deadline(&self.rules);
        let is_own = customer.id.kind() == EntityKind::Customer && customer.merged_into().is_none();
        if self.rules.percentiles.is_empty() || !is_own {
            return;
        }
        let delay = self.lateness().saturating_add(self.rules.settle);
        let next = self.next_midnight(self.customers[slot].as_of, delay);
        let customer = &mut self.customers[slot];
        customer.deadline = customer.deadline.min(next);
    }

    /// Somebody leaves for good, who has said to stand somewhere.
    pub(super) fn leave_budgets(&mut self, slot: Slot) {
        self.say_first(slot);
        let counted = self.counted(slot);
        self.count_instead(counted, Part::default());
        let customer = &mut self.customers[slot];
        customer.leave_seats();
        let mut entries = Vec::new();
        customer.say_seats(&mut entries);
        self.settlement.gone.extend(entries.into_iter().map(|entry| (entry.id, entry.programme)));
        if !self.settlement.gone.is_empty() {
            self.settle_next();
        }
    }

    fn is_settler(&self) -> bool {
        self.rules.settles() && self.home.of(&self.settler()) == self.home.task
    }

    fn settler(&self) -> CustomerId {
        CustomerId::settler(self.rules.name())
    }

    /// Says the next slice of the settlement that is being said, and of what was decided.
    pub(super) fn go_on_saying(&mut self) {
        self.tell_verdicts();
        if let Some(at) = self.settlement.saying.as_ref().map(|saying| saying.at) {
            self.report(at, SAYINGS);
        }
    }

    /// Whether the rest of a settlement is to be said in the next epoch.
    pub(super) const fn is_saying(&self) -> bool {
        self.settlement.saying.is_some()
    }

    /// Whether the next epoch is to tell more of what was decided.
    pub(super) fn has_verdicts_to_tell(&self) -> bool {
        !self.settlement.untold.is_empty()
    }

    /// Says what changed, or decides: whichever is first.
    pub(super) fn settle(&mut self, at: EventTime, outputs: &mut Vec<Output>) {
        if self.settlement.next == Some(at) || self.settlement.next_cut == Some(at) {
            // Nothing later may be said as of the settlement before.
            if let Some(at) = self.settlement.saying.as_ref().map(|saying| saying.at) {
                self.report(at, usize::MAX);
            }
            self.pass_settlements(at);
            self.report(at, if self.mode == TimeMode::Live { SAYINGS } else { usize::MAX });
        } else if let Some(settled) = self.settlement.settler.next() {
            self.decide(settled, outputs);
        }
    }

    /// Says what changed up to a settlement, of about so many.
    fn report(&mut self, at: EventTime, most: usize) {
        let (mut saying, mut report) = match self.settlement.saying.take() {
            Some(saying) => (saying, Report::of(at)),
            None => self.begin_report(at),
        };
        let mut entries = std::mem::take(&mut saying.said);
        while entries.len() < most
            && let Some(id) = saying.unsaid.pop_first()
        {
            if let Some(slot) = self.customers.slot_of_known(&id) {
                self.customers.touch(slot);
                self.customers[slot].say_seats(&mut entries);
            }
        }
        entries.sort_by(|left, right| (&left.id, left.programme).cmp(&(&right.id, right.programme)));
        while !entries.is_empty() || report.says_of_all() {
            let rest = entries.split_off(entries.len().min(MOST_ENTRIES));
            report.entries = std::mem::replace(&mut entries, rest);
            self.tell_settler(at, Does::Report(Box::new(report)));
            report = Report::of(at);
        }
        self.settlement.saying = (!saying.unsaid.is_empty()).then_some(saying);
    }

    /// Who has something to say at a settlement, and what all of them have together.
    fn begin_report(&mut self, at: EventTime) -> (Saying, Report) {
        self.settlement.next = None;
        let gone = std::mem::take(&mut self.settlement.gone).into_iter();
        let said = gone.map(|(id, programme)| Entry { id, programme, standing: None }).collect();
        let unsaid = std::mem::take(&mut self.settlement.unsaid);
        (Saying { at, unsaid, said }, self.report_of_all(at))
    }

    /// What is said of all customers here together, where it is news.
    fn report_of_all(&mut self, at: EventTime) -> Report {
        let settlement = &mut self.settlement;
        let active = settlement.census.active;
        let active = (std::mem::replace(&mut settlement.active_said, active) != active).then_some(active);
        let is_midnight = settlement.next_cut.take_if(|cut| *cut <= at).is_some();
        let measured = is_midnight.then(|| settlement.census.news(&mut settlement.measured_said));
        let measured = measured.filter(|changes| !changes.is_empty());
        let members = self.rules.max_overrides.map(|_| (self.members.customers, self.members.by_override));
        let members = members.filter(|members| *members != settlement.members_said);
        settlement.members_said = members.unwrap_or(settlement.members_said);
        let turned = std::mem::take(&mut settlement.turned).into_iter().collect();
        Report { active, measured, members, turned, on_shift: self.on_shift(), ..Report::of(at) }
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
        if self.mode != TimeMode::Live || !self.rules.settles() || self.behind || self.is_saying() {
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
    pub(super) fn hear_task(&mut self, effect: Effect, outputs: &mut Vec<Output>) {
        let task = self.home.of(&effect.from);
        match effect.does {
            Does::Report(report) => {
                let is_next = self.mode == TimeMode::Event || self.has_all_before(report.at);
                self.settlement.settler.hear(task, *report, is_next, &self.rules);
            }
            Does::Reached(at) => self.settlement.settler.hear_reached(task, at),
            _ => {}
        }
        while self.mode == TimeMode::Live
            && let Some(at) = self.settlement.settler.next_reached(self.home.tasks)
        {
            self.decide(at, outputs);
        }
    }

    /// Whether no task will speak of an earlier settlement.
    fn has_all_before(&self, at: EventTime) -> bool {
        let reached = self.settlement.settler.all_reached(self.home.tasks);
        reached.is_some_and(|reached| reached >= at.minus(self.rules.settle))
    }

    /// Decides a settlement, and tells whom it concerns.
    fn decide(&mut self, at: EventTime, outputs: &mut Vec<Output>) {
        let rules = std::sync::Arc::clone(&self.rules);
        let in_force = at.plus(self.lateness()).plus(rules.settle);
        let verdicts = self.settlement.settler.decide((at, in_force), &rules);
        self.stats.settlements += 1;
        self.stats.settlement_lag = self.due().since(at);
        let values = self.settlement.settler.cuts(&rules);
        if values != self.settlement.cuts_told {
            self.settlement.cuts_told.clone_from(&values);
            self.rule(CustomerId::every_task(), in_force, Does::Cuts { settled_at: at, values });
        }
        let exceeded = rules.max_overrides.and_then(|most| Some((most, self.settlement.settler.exceeds(most)?)));
        if let Some((most, found)) = exceeded {
            outputs.push(Output::Insight(Box::new(self.exceeded(at, most, found))));
        }
        self.decide_shifts(at, in_force, outputs);
        let is_first = self.settlement.untold.is_empty();
        self.settlement.untold.extend(verdicts.into_iter().map(|(to, verdict)| (in_force, to, verdict)));
        if is_first || self.mode == TimeMode::Event {
            self.tell_verdicts();
        }
    }

    /// Tells whom it concerns what was decided: in `live` a slice of it.
    fn tell_verdicts(&mut self) {
        let slice = if self.mode == TimeMode::Live { RULINGS } else { usize::MAX };
        let slice = slice.min(self.settlement.untold.len());
        for (in_force, to, verdict) in self.settlement.untold.drain(..slice).collect::<Vec<_>>() {
            self.rule(to, in_force, Does::Verdict(Box::new(verdict)));
        }
    }

    /// That too many are members by override.
    fn exceeded(&self, at: EventTime, most: Decimal, (by_override, members): (u64, u64)) -> Insight {
        let ruleset = self.rules.name();
        let share = (Decimal::from(by_override) / Decimal::from(members.max(1))).round_dp(4);
        Insight {
            event_id: OutputId::of(&[&self.app, OVERRIDES_EXCEEDED, ruleset, "", "", "timer", ""], at),
            occurred_at: at,
            cause: Cause::Timer,
            trigger: None,
            evidence: vec![Evidence {
                feature: "overrides.share".into(),
                window: None,
                value: Some(Scalar::Decimal(share)),
                threshold: Some(Scalar::Decimal(most)),
                op: Some("<="),
                holds: Some(false),
                settled_at: Some(at),
                sample: Vec::new(),
            }],
            finding: Finding::OverridesExceeded(OverridesExceeded { ruleset: ruleset.into(), by_override, members }),
        }
    }

    /// The settler does something to an entity.
    fn rule(&mut self, to: CustomerId, at: EventTime, does: Does) {
        self.settlement.settler.sent += 1;
        let number = self.settlement.settler.sent;
        self.deliver(Effect { to, from: self.settler(), number, at, hops: 1, origin: None, does });
    }

    /// What parts of all customers do not exceed, by place in the ruleset, as told last.
    pub fn percentiles(&self) -> impl Iterator<Item = Option<Decimal>> {
        self.settlement.cuts.newest().iter().copied()
    }

    /// How far the settler is behind: at the newest settlement, or at the one that it waits to decide.
    pub(super) fn settlement_lag(&self) -> Duration {
        let waits = self.settlement.settler.next().filter(|_| self.mode == TimeMode::Live);
        let waits = waits.map_or(Duration::ZERO, |at| self.due().since(at));
        self.stats.settlement_lag.max(waits)
    }

    /// By programme with a budget: how many hold a place or were granted one, and how many wait, as far as is decided here.
    pub(super) fn budget_counts(&self) -> Vec<(u8, u64, u64)> {
        if !self.is_settler() {
            return Vec::new();
        }
        let counts = self.settlement.settler.counts();
        let budgeted = (0..).zip(&self.rules.programmes).filter(|(_, rule)| rule.budget.is_some());
        let counted = budgeted.map(|(at, _)| (at, counts.get(&at).copied().unwrap_or_default()));
        counted.map(|(at, (seats, waiting))| (at, seats as u64, waiting as u64)).collect()
    }
}

#[cfg(test)]
mod tests;
