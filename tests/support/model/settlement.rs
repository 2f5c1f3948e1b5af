//! When everybody is asked: what a task says of its own, and when the settler has heard all.

use std::collections::BTreeMap;
use std::time::Duration;

use vipstream::model::time::EventTime;

use super::budget::{Census, Ruling, Settler, Stand};
use super::customer::{Customer, Entity};
use super::percentile::{self, Gauge, Measured};
use super::population::{Crowd, Mark, Population};
use super::routing::Agents;
use super::rules::{Places, Ruleset};

/// Whoever was seen within it is active.
pub(super) const ACTIVE: Duration = Duration::from_hours(90 * 24);

/// Entries of a report: a greater one goes in parts.
const MOST_ENTRIES: usize = 1_000;

/// Whether all is over up to some settlement, and whether something happened since.
#[derive(Clone, Debug, Default)]
pub(super) struct Settlements {
    /// Settled up to here; what is between this and the next is as this.
    settled: EventTime,
    stirred: bool,
    /// When next time alone changes what would be decided.
    wakes: Option<EventTime>,
    /// Something happened since the last midnight's.
    stirred_today: bool,
}

impl Settlements {
    /// The next instant at which something may change.
    pub(super) fn next(&self, rules: &Ruleset) -> Option<EventTime> {
        let settle = rules.settle;
        let soonest = self.settled.plus(settle);
        if self.stirred {
            return Some(soonest);
        }
        let wakes = self.wakes.map(|wakes| at_or_after(wakes, settle).max(soonest));
        let measures = self.stirred_today && !rules.percentiles.is_empty();
        wakes.into_iter().chain(measures.then(|| rules.next_of_midnight(self.settled))).min()
    }

    /// Something happened.
    pub(super) fn stir(&mut self) {
        (self.stirred, self.stirred_today) = (true, true);
    }

    /// All up to and including an instant is settled: there is nothing else to decide there.
    pub(super) fn pass(&mut self, settle: Duration, to: EventTime) {
        self.settled = self.settled.max(before_or_at(to, settle));
    }

    /// All was said or decided as of an instant.
    pub(super) fn settle(&mut self, rules: &Ruleset, at: EventTime, is_over: bool, wakes: Option<EventTime>) {
        self.stirred_today &= !rules.is_of_midnight(at);
        (self.settled, self.stirred, self.wakes) = (at, !is_over, wakes);
    }

    /// Time alone may change something at an instant as well.
    pub(super) fn wake(&mut self, at: Option<EventTime>) {
        self.wakes = self.wakes.into_iter().chain(at).min();
    }

    /// The newest settlement that is over.
    pub(super) fn settled(&self) -> EventTime {
        self.settled
    }
}

fn before_or_at(at: EventTime, settle: Duration) -> EventTime {
    let step = i64::try_from(settle.as_millis()).expect("hours or days");
    EventTime(at.0.div_euclid(step) * step)
}

/// The first settlement not before an instant.
pub(super) fn at_or_after(at: EventTime, settle: Duration) -> EventTime {
    let before = before_or_at(at, settle);
    if before == at { at } else { before.plus(settle) }
}

/// Everybody as of an instant.
pub(super) fn census(
    rules: &Ruleset,
    agents: &Agents,
    customers: &BTreeMap<Entity, Customer>,
    at: EventTime,
) -> Census {
    let mut census = Census::default();
    for (entity, customer) in customers.iter().filter(|(_, customer)| customer.merged_into().is_none()) {
        let stands = customer.stands(rules).into_iter();
        census.stands.extend(stands.map(|(programme, stand)| ((programme, entity.clone()), stand)));
        census.active += u64::from(rules.counts_active() && customer.active_until().is_some());
    }
    census.measured = rules.is_of_midnight(at).then(|| percentile::measured(rules, customers));
    if rules.max_overrides.is_some() {
        census.members = percentile::members(customers);
    }
    for places in rules.places() {
        if let Places::Capacity { team, .. } = places {
            census.on_shift.insert(team.clone(), agents.on_shift(team.as_deref()));
        }
    }
    census
}

impl Customer {
    /// Until when it is active, where it is.
    pub(super) fn active_until(&self) -> Option<EventTime> {
        let is_customer = matches!(self.entity, Entity::Customer(_)) && self.merged_into().is_none();
        let until = self.memory.last_seen.filter(|_| is_customer)?.plus(ACTIVE);
        Some(until).filter(|until| *until > self.as_of)
    }
}

impl Ruleset {
    /// Whether anything is to be known of all.
    pub(super) fn settles(&self) -> bool {
        let of_all = self.max_overrides.is_some() || !self.percentiles.is_empty() || self.population().is_some();
        of_all || self.places().next().is_some()
    }

    fn population(&self) -> Option<Population> {
        self.pivots.as_ref()?.population
    }

    /// Whether places depend on how many customers are active.
    pub(super) fn counts_active(&self) -> bool {
        self.population().is_some() || self.places().any(|places| matches!(places, Places::Share(_)))
    }

    fn places(&self) -> impl Iterator<Item = &Places> {
        let of_programmes = self.programmes.iter().filter_map(|programme| programme.budget.as_ref());
        of_programmes.map(|budget| &budget.places).chain(&self.budget)
    }
}

/// What changed at a task.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    pub(super) at: EventTime,
    pub(super) entries: Vec<(Entity, usize, Option<Stand>)>,
    pub(super) active: Option<u64>,
    pub(super) on_shift: Option<BTreeMap<Option<String>, u64>>,
    pub(super) measured: Option<Measured>,
    pub(super) members: Option<(u64, u64)>,
    pub(super) turned: BTreeMap<Mark, u64>,
}

/// What a task has said of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Speaker {
    said: Census,
    /// Up to when all was said.
    pub(super) reached: EventTime,
    pub(super) sent: u32,
}

impl Speaker {
    /// What is to be said of an instant.
    pub(super) fn reports(&mut self, at: EventTime, mut now: Census) -> Vec<Report> {
        let mut changed: BTreeMap<(Entity, usize), Option<Stand>> = BTreeMap::new();
        for ((programme, entity), stand) in &now.stands {
            if self.said.stands.get(&(*programme, entity.clone())) != Some(stand) {
                changed.insert((entity.clone(), *programme), Some(stand.clone()));
            }
        }
        for (programme, entity) in self.said.stands.keys() {
            if !now.stands.contains_key(&(*programme, entity.clone())) {
                changed.insert((entity.clone(), *programme), None);
            }
        }
        let active = (now.active != self.said.active).then_some(now.active);
        let there = |of: &Census| of.on_shift.values().any(|count| *count > 0);
        let is_news = now.on_shift != self.said.on_shift && (there(&now) || there(&self.said));
        let on_shift = is_news.then(|| now.on_shift.clone());
        let said = self.said.measured.take().unwrap_or_default();
        let measured = now.measured.clone().filter(|measured| *measured != said);
        now.measured.get_or_insert(said);
        let members = (now.members != self.said.members).then_some(now.members);
        let turned = std::mem::take(&mut now.turned);
        self.said = now;
        let entries: Vec<_> = changed.into_iter().map(|((entity, at), stand)| (entity, at, stand)).collect();
        let mut parts: Vec<Vec<_>> = entries.chunks(MOST_ENTRIES).map(<[_]>::to_vec).collect();
        let is_of_all =
            active.is_some() || on_shift.is_some() || measured.is_some() || members.is_some() || !turned.is_empty();
        if parts.is_empty() && is_of_all {
            parts.push(Vec::new());
        }
        let part = |(number, entries): (usize, Vec<_>)| {
            let is_first = number == 0;
            let (active, on_shift) = (active.filter(|_| is_first), on_shift.clone().filter(|_| is_first));
            let (measured, members) = (measured.clone().filter(|_| is_first), members.filter(|_| is_first));
            let turned = if is_first { turned.clone() } else { BTreeMap::new() };
            Report { at, entries, active, on_shift, measured, members, turned }
        };
        parts.into_iter().enumerate().map(part).collect()
    }
}

/// Hears all tasks and decides.
#[derive(Clone, Debug, Default)]
pub(super) struct Listener {
    settler: Settler,
    heard: Census,
    /// Of all customers together.
    pub(super) gauge: Gauge,
    pub(super) crowd: Crowd,
    active: BTreeMap<Entity, u64>,
    /// What was said of settlements that are not decided yet.
    waiting: BTreeMap<EventTime, Vec<(Entity, Report)>>,
    reached: BTreeMap<Entity, EventTime>,
    pub(super) decided: Settlements,
    pub(super) sent: u32,
}

impl Listener {
    pub(super) fn hear(&mut self, from: Entity, report: Report) {
        self.waiting.entry(report.at).or_default().push((from, report));
    }

    pub(super) fn hear_reached(&mut self, from: Entity, at: EventTime) {
        self.reached.insert(from, at);
    }

    /// Up to when all tasks, of so many, have said all.
    pub(super) fn all_reached(&self, tasks: u32) -> EventTime {
        let is_heard = self.reached.len() == tasks as usize;
        self.reached.values().min().copied().filter(|_| is_heard).unwrap_or(EventTime::MIN)
    }

    /// The next settlement to decide.
    pub(super) fn next(&self, rules: &Ruleset) -> Option<EventTime> {
        self.waiting.keys().next().copied().into_iter().chain(self.decided.next(rules)).min()
    }

    pub(super) fn decide(&mut self, rules: &Ruleset, at: EventTime, in_force: EventTime) -> Vec<(Entity, Ruling)> {
        for (from, report) in self.waiting.remove(&at).unwrap_or_default() {
            for (entity, programme, stand) in report.entries {
                self.heard.stands.remove(&(programme, entity.clone()));
                self.heard.stands.extend(stand.map(|stand| ((programme, entity), stand)));
            }
            self.crowd.hear(at, &report.turned);
            self.gauge.hear(from.clone(), report.measured, report.members);
            self.active.extend(report.active.map(|active| (from, active)));
            self.heard.on_shift.extend(report.on_shift.unwrap_or_default());
        }
        self.heard.active = self.active.values().sum();
        self.crowd.count(self.heard.active);
        decide(&mut self.settler, &mut self.decided, rules, &self.heard, (at, in_force))
    }
}

/// Decides as of an instant, and says when it is worth deciding again.
pub(super) fn decide(
    settler: &mut Settler,
    settlements: &mut Settlements,
    rules: &Ruleset,
    census: &Census,
    (at, in_force): (EventTime, EventTime),
) -> Vec<(Entity, Ruling)> {
    let rulings = settler.decide(rules, census, at, in_force);
    let members = census.stands.iter().filter(|(_, stand)| stand.is_member);
    let tenures = members.map(|((programme, _), stand)| stand.since.plus(rules.programmes[*programme].tenure));
    settlements.settle(rules, at, rulings.is_empty(), tenures.filter(|instant| *instant > at).min());
    rulings
}
