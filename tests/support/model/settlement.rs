//! When everybody is asked, and when it is worth asking.

use std::collections::BTreeMap;
use std::time::Duration;

use vipstream::model::time::EventTime;

use super::budget::{Census, Settler};
use super::customer::{Customer, Entity};
use super::routing::Agents;
use super::rules::{Places, Ruleset};

/// Nobody seen before is active.
const ACTIVE: Duration = Duration::from_hours(90 * 24);

/// Where the settlements stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Settlements {
    pub(super) settler: Settler,
    /// Settled up to here; what is between this and then is as this.
    settled: EventTime,
    /// Something happened since, or was decided there.
    stirred: bool,
    /// When next time alone changes what would be decided.
    wakes: Option<EventTime>,
}

impl Settlements {
    /// The next instant at which something may be decided, up to and including `due`.
    pub(super) fn next(&self, rules: &Ruleset, due: EventTime) -> Option<EventTime> {
        let soonest = self.settled.plus(rules.settle);
        let at = if self.stirred { soonest } else { at_or_after(self.wakes?, rules.settle).max(soonest) };
        (rules.has_budgets() && at <= due).then_some(at)
    }

    /// Something happened.
    pub(super) fn stir(&mut self) {
        self.stirred = true;
    }

    /// All up to and including an instant is settled: there is nothing else to decide there.
    pub(super) fn pass(&mut self, rules: &Ruleset, to: EventTime) {
        self.settled = self.settled.max(before_or_at(to, rules.settle));
    }

    /// It was decided as of an instant.
    pub(super) fn settle(&mut self, rules: &Ruleset, at: EventTime, census: &Census, ends: Option<EventTime>, found: bool) {
        (self.settled, self.stirred) = (at, found);
        let members = census.stands.iter().filter(|(_, stand)| stand.is_member);
        let tenures = members.map(|((programme, _), stand)| stand.since.plus(rules.programmes[*programme].tenure));
        self.wakes = tenures.chain(ends).filter(|instant| *instant > at).min();
    }
}

fn before_or_at(at: EventTime, settle: Duration) -> EventTime {
    let step = i64::try_from(settle.as_millis()).expect("hours or days");
    EventTime(at.0.div_euclid(step) * step)
}

fn at_or_after(at: EventTime, settle: Duration) -> EventTime {
    let before = before_or_at(at, settle);
    if before == at { at } else { before.plus(settle) }
}

/// Everybody as of an instant; and when the first of them will not have been seen for long.
pub(super) fn census(
    rules: &Ruleset,
    agents: &Agents,
    customers: &BTreeMap<Entity, Customer>,
    at: EventTime,
) -> (Census, Option<EventTime>) {
    let mut census = Census::default();
    let mut ends: Option<EventTime> = None;
    for (entity, customer) in customers.iter().filter(|(_, customer)| customer.merged_into().is_none()) {
        let stands = customer.stands(rules).into_iter();
        census.stands.extend(stands.map(|(programme, stand)| ((programme, entity.clone()), stand)));
        let until = customer.memory.last_seen.map(|seen| seen.plus(ACTIVE)).filter(|until| *until > at);
        if let (Entity::Customer(_), Some(until)) = (entity, until) {
            census.active += 1;
            ends = Some(ends.map_or(until, |ends| ends.min(until)));
        }
    }
    for places in rules.places() {
        if let Places::Capacity { team, .. } = places {
            census.on_shift.insert(team.clone(), agents.on_shift(team.as_deref()));
        }
    }
    (census, ends)
}

impl Ruleset {
    pub(super) fn has_budgets(&self) -> bool {
        self.places().next().is_some()
    }

    fn places(&self) -> impl Iterator<Item = &Places> {
        let of_programmes = self.programmes.iter().filter_map(|programme| programme.budget.as_ref());
        of_programmes.map(|budget| &budget.places).chain(&self.budget)
    }
}
