//! What all customers together have of something: percentiles, and how many hold what they hold by a person's word alone.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value as Json;

use vipstream::model::output::OutputId;
use vipstream::model::time::EventTime;

use super::customer::{Customer, Entity, Sight};
use super::evidence::Row;
use super::expr::Node;
use super::lines::{Line, Object, Order};
use super::look::{self, Run};
use super::programme::By;
use super::rules::Ruleset;
use super::settlement::at_or_after;
use super::value::{Readings, Value};

/// A feature, and which part of the customers do not exceed what is asked for.
pub(super) type Percentile = (String, Decimal);

/// Of each feature of which percentiles are read, what customers have of it, from below.
pub(super) type Measured = BTreeMap<String, Vec<Decimal>>;

/// So many that differ are remembered: for whoever's time is further behind there is none.
const MOST_CUTS: usize = 400;

/// The percentiles told so far: since when they are in force, and of when they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Cuts(Vec<(EventTime, EventTime, BTreeMap<Percentile, Decimal>)>);

impl Cuts {
    pub(super) fn take(&mut self, since: EventTime, settled_at: EventTime, values: BTreeMap<Percentile, Decimal>) {
        self.0.push((since, settled_at, values));
        self.0.sort_by_key(|(since, ..)| *since);
        self.0.drain(..self.0.len().saturating_sub(MOST_CUTS));
    }

    /// The percentile in force as of an instant, and of when it is.
    pub(super) fn at(&self, as_of: EventTime, percentile: &Percentile) -> Option<(Decimal, EventTime)> {
        let (_, settled_at, values) = self.0.iter().rfind(|(since, ..)| *since <= as_of)?;
        Some((*values.get(percentile)?, *settled_at))
    }
}

/// As in evidence.
pub(super) fn name(feature: &str, part: Decimal) -> String {
    format!("percentile({feature}, {})", part.normalize())
}

/// The first three digits of a number above zero.
fn cut_down(value: Decimal) -> Decimal {
    let mut unit = Decimal::ONE;
    while value >= unit * Decimal::ONE_THOUSAND {
        unit *= Decimal::TEN;
    }
    while value < unit * Decimal::ONE_HUNDRED {
        unit /= Decimal::TEN;
    }
    (value / unit).floor() * unit
}

/// Of so many, from below, the one at the place that a part of them gives.
fn of_all(values: &[Decimal], part: Decimal) -> Decimal {
    let place = (Decimal::from(values.len()) * part).ceil();
    values[usize::try_from(place).expect("a place among them") - 1]
}

impl Ruleset {
    /// All that are read, in any expression.
    pub(super) fn find_percentiles(&self) -> Vec<Percentile> {
        let in_alerts = self.alerts.iter().flat_map(|alert| [&alert.when].into_iter().chain(&alert.severity));
        let mut found = Vec::new();
        self.watched(false).chain(in_alerts).for_each(|node| note(node, &mut found));
        found
    }

    /// Whether a percentile of a feature is read.
    pub(super) fn measures(&self, feature: &str) -> bool {
        self.percentiles.iter().any(|(measured, _)| measured == feature)
    }

    /// Whether a settlement is the first of a local date.
    pub(super) fn is_of_midnight(&self, at: EventTime) -> bool {
        self.calendar.first_instant(self.calendar.date(at)) > at.minus(self.settle)
    }

    /// The first settlement of a local date after an instant.
    pub(super) fn next_of_midnight(&self, after: EventTime) -> EventTime {
        let mut at = at_or_after(EventTime(after.0 + 1), self.settle);
        while !self.is_of_midnight(at) {
            let tomorrow = super::calendar::plus_days(self.calendar.date(at), 1);
            at = at_or_after(self.calendar.first_instant(tomorrow), self.settle);
        }
        at
    }

    /// When next other percentiles may be in force.
    pub(super) fn next_cut(&self, after: EventTime) -> EventTime {
        let delay = self.lateness + self.settle;
        self.next_of_midnight(after.minus(delay)).plus(delay)
    }
}

fn note(node: &Node, found: &mut Vec<Percentile>) {
    if let Node::Percentile(feature, part) = node {
        let percentile = (feature.clone(), part.normalize());
        if !found.contains(&percentile) {
            found.push(percentile);
        }
    }
    node.parts().into_iter().for_each(|part| note(part, found));
}

/// What customers have, where it is above zero.
pub(super) fn measured(rules: &Ruleset, customers: &BTreeMap<Entity, Customer>) -> Measured {
    let mut measured = Measured::new();
    for (feature, _) in &rules.percentiles {
        if measured.contains_key(feature) {
            continue;
        }
        let those = customers.values().filter(|it| it.counts());
        let values = those.filter_map(|customer| Sight { rules, customer, event: None }.fact(feature)?.number());
        let mut values: Vec<Decimal> = values.filter(|value| *value > Decimal::ZERO).map(cut_down).collect();
        values.sort();
        measured.insert(feature.clone(), values);
    }
    measured.retain(|_, values| !values.is_empty());
    measured
}

/// How many customers hold anything, and how many of them by a person's word alone.
pub(super) fn members(customers: &BTreeMap<Entity, Customer>) -> (u64, u64) {
    let holders = || customers.values().filter(|it| it.counts() && !it.held.is_empty());
    let by_override = holders().filter(|it| it.held.values().any(|held| held.by == By::Override));
    (holders().count() as u64, by_override.count() as u64)
}

impl Customer {
    fn counts(&self) -> bool {
        matches!(self.entity, Entity::Customer(_)) && self.merged_into().is_none()
    }
}

/// What was heard of all customers together, by task, and what was told of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauge {
    measured: BTreeMap<Entity, Measured>,
    members: BTreeMap<Entity, (u64, u64)>,
    told: Option<BTreeMap<Percentile, Decimal>>,
    /// Too many were so by a person's word alone when it was decided last.
    exceeded: bool,
}

impl Gauge {
    pub(super) fn hear(&mut self, from: Entity, measured: Option<Measured>, members: Option<(u64, u64)>) {
        self.members.extend(members.map(|members| (from.clone(), members)));
        self.measured.extend(measured.map(|measured| (from, measured)));
    }

    /// All percentiles, where they are others than were told.
    pub(super) fn news(&mut self, rules: &Ruleset) -> Option<BTreeMap<Percentile, Decimal>> {
        let mut values = BTreeMap::new();
        for (feature, part) in &rules.percentiles {
            let mut all: Vec<Decimal> =
                self.measured.values().filter_map(|measured| measured.get(feature)).flatten().copied().collect();
            all.sort();
            if !all.is_empty() {
                values.insert((feature.clone(), *part), of_all(&all, *part));
            }
        }
        let is_news = !rules.percentiles.is_empty() && self.told.as_ref() != Some(&values);
        is_news.then(|| self.told.insert(values).clone())
    }

    /// That too many hold what they hold by a person's word alone, where it was not so before.
    pub(super) fn exceeds(&mut self, run: &Run, at: EventTime) -> Option<Line> {
        let most = run.rules.max_overrides?;
        let members: u64 = self.members.values().map(|(members, _)| members).sum();
        let by_override: u64 = self.members.values().map(|(_, by_override)| by_override).sum();
        let exceeds = Decimal::from(by_override) > most * Decimal::from(members);
        let was = std::mem::replace(&mut self.exceeded, exceeds);
        (exceeds && !was).then(|| exceeded(run, at, most, (by_override, members)))
    }
}

fn exceeded(run: &Run, at: EventTime, most: Decimal, (by_override, members): (u64, u64)) -> Line {
    let (kind, name) = ("overrides.exceeded", run.rules.name.clone());
    let settler = Customer::new(Entity::Settler(name.clone()));
    let share = (Decimal::from(by_override) / Decimal::from(members)).round_dp(4);
    let row = Row::exceeded("overrides.share", Value::Decimal(share), Value::Decimal(most), at);
    let id = OutputId::of(&[&run.app, kind, &name, "", "", "timer", ""], at);
    let mut body = Object::default();
    body.put("event_id", id.to_string());
    body.put("type", kind);
    body.put("customer_id", Json::Null);
    look::put_common(run, &settler, at, None, Some(&[row]), &mut body);
    // It is about no customer.
    body.0.shift_remove("status_seq");
    body.put("by_override", by_override);
    body.put("members", members);
    let order = Order { occurred_at: at, entity: &settler.entity, status_seq: 0, kind, name: &name, id: Some(id) };
    Line::new(&order, body.0)
}
