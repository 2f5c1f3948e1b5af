//! Far more customers than usual turn at once: what is counted, decided of all and told, and whose own pivots wait.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};

use vipstream::model::output::OutputId;
use vipstream::model::time::EventTime;
use vipstream::pivot::{Kind, Pivot};

use super::customer::{Customer, Entity};
use super::evidence::Row;
use super::lines::{Line, Object, Order};
use super::look::{self, Run};
use super::pivots::decimal;
use super::rules::{Ruleset, duration_of};
use super::settlement::at_or_after;
use super::value::Value;

/// What the rules say of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Population {
    pub(super) holds: bool,
    over: Duration,
    times: f64,
    least: f64,
    /// False alarms a customer-year, of the level that finds first.
    rate: f64,
}

impl Population {
    pub(super) fn read(body: &Map<String, Json>, rate: f64) -> Self {
        let number = |key: &str, usual: f64| match body.get(key) {
            Some(Json::String(text)) => text.parse().expect("a number"),
            Some(number) => number.as_f64().expect("a number"),
            None => usual,
        };
        let over = duration_of(body, "over").unwrap_or(Duration::from_hours(24));
        let holds = body["pivots"] == "hold";
        Self { holds, over, times: number("times", 5.0), least: number("least", 10.0), rate }
    }

    #[expect(clippy::cast_precision_loss, reason = "few customers, and days")]
    fn expected(&self, customers: u64, over: Duration) -> f64 {
        let days = over.as_millis() as f64 / 86_400_000.0;
        self.rate * customers as f64 * days / 365.25
    }

    /// How many are suspicious, and how many a shift.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, few and not below zero")]
    fn limits(&self, customers: u64) -> (u64, u64) {
        let mean = self.times * self.expected(customers, self.over);
        let limit = |deviations: f64, least: f64| (mean + deviations * mean.sqrt()).ceil().max(least.ceil()) as u64;
        (limit(3.0, self.least.min(3.0)), limit(5.0, self.least))
    }
}

/// What stands by itself: a kind, where silence of engagement is one of its own, and the last.
pub(super) type Mark = (bool, Kind);

pub(super) fn mark(pivot: &Pivot) -> Mark {
    let kind = pivot.of.unwrap_or(pivot.kind);
    (kind == Kind::Silence && pivot.channel.name() == "engagement", kind)
}

/// What becomes of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Becomes {
    Suspected,
    Shift,
    Over(EventTime),
}

/// A time in which there were too many of one mark.
#[derive(Clone, Debug)]
struct Spell {
    mark: Mark,
    from: EventTime,
    /// Since when it is known for a shift, and as of when it is one.
    shift: Option<(EventTime, EventTime)>,
    until: Option<EventTime>,
}

/// What was heard of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Shifts(Vec<Spell>);

impl Shifts {
    pub(super) fn take(&mut self, in_force: EventTime, settled_at: EventTime, turns: &[(Mark, Becomes)]) {
        for (mark, becomes) in turns {
            if *becomes == Becomes::Suspected {
                self.0.push(Spell { mark: *mark, from: in_force, shift: None, until: None });
                continue;
            }
            let spell = self.0.iter_mut().rfind(|spell| spell.mark == *mark).expect("it was suspected before");
            match becomes {
                Becomes::Over(until) => spell.until = Some(*until),
                _ => spell.shift = Some((in_force, settled_at)),
            }
        }
    }

    fn of(&self, pivot: &Pivot) -> Vec<&Spell> {
        let (mark, at) = (mark(pivot), EventTime(pivot.decided_at_ms));
        let is_in = |spell: &&Spell| spell.from <= at && spell.until.is_none_or(|until| at < until);
        self.0.iter().filter(|spell| spell.mark == mark).filter(is_in).collect()
    }

    /// Whether a pivot waits.
    pub(super) fn holds(&self, pivot: &Pivot) -> bool {
        !self.of(pivot).is_empty()
    }

    /// Until when it waits, where that is known.
    pub(super) fn until(&self, pivot: &Pivot) -> Option<EventTime> {
        let spells = self.of(pivot);
        if spells.iter().any(|spell| spell.until.is_none()) {
            return None;
        }
        spells.iter().filter_map(|spell| spell.until).max().or(Some(EventTime(pivot.decided_at_ms)))
    }

    /// As of when the shift is one to which a pivot belongs, as far as is known at an instant.
    pub(super) fn began(&self, pivot: &Pivot, known: EventTime) -> Option<EventTime> {
        let spells = self.of(pivot);
        let shifts = spells.iter().filter_map(|spell| spell.shift);
        shifts.filter(|(in_force, _)| *in_force <= known).map(|(_, settled_at)| settled_at).max()
    }
}

/// The event with which shifts begin.
pub(super) fn began(run: &Run, settled_at: EventTime) -> OutputId {
    OutputId::of(&[&run.app, "population.shift", &run.rules.name, "", "", "timer", ""], settled_at)
}

impl Customer {
    /// When the next pivot has waited long enough.
    pub(super) fn next_release(&self, rules: &Ruleset) -> Option<EventTime> {
        let held = self.held_back.iter().filter(|_| self.merged_into().is_none());
        held.filter_map(|pivot| rules.shifts.until(pivot)).min()
    }
}

/// What is being counted of one mark.
#[derive(Clone, Copy, Debug)]
struct Spelling {
    since: EventTime,
    began: Option<EventTime>,
    is_usual: bool,
}

/// What all tasks found, and what was decided of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd {
    turned: Vec<(EventTime, Mark, u64)>,
    customers: u64,
    spells: BTreeMap<Mark, Spelling>,
}

/// A shift begins, or ends.
struct Edge {
    mark: Mark,
    /// When it began, as of a settlement.
    began: EventTime,
    ended: bool,
    since: EventTime,
    recent: u64,
    counted: u64,
    limit: u64,
}

impl Crowd {
    pub(super) fn hear(&mut self, at: EventTime, turned: &BTreeMap<Mark, u64>) {
        self.turned.extend(turned.iter().map(|(mark, count)| (at, *mark, *count)));
    }

    pub(super) fn count(&mut self, customers: u64) {
        self.customers = customers;
    }

    /// Decides as of an instant: what every task hears, what is told, and when it is worth deciding again.
    pub(super) fn decide(
        &mut self,
        run: &Run,
        (at, in_force): (EventTime, EventTime),
    ) -> (Vec<(Mark, Becomes)>, Vec<Line>, Option<EventTime>) {
        let Some(population) = run.rules.pivots.as_ref().and_then(|rule| rule.population) else {
            return (Vec::new(), Vec::new(), None);
        };
        let (suspicious, shift) = population.limits(self.customers);
        let marks: BTreeSet<Mark> = self.turned.iter().map(|(_, mark, _)| *mark).collect();
        let (mut turns, mut edges, mut wakes) = (Vec::new(), Vec::new(), Vec::new());
        for mark in marks {
            let of_mark: Vec<(EventTime, u64)> =
                self.turned.iter().filter(|(_, of, _)| *of == mark).map(|(at, _, count)| (*at, *count)).collect();
            let counted = |from: EventTime| of_mark.iter().filter(|(at, _)| *at >= from).map(|(_, count)| count).sum();
            let at_instant = |at: EventTime| counted(EventTime(at.minus(population.over).0 + 1));
            let recent: u64 = at_instant(at);
            if recent >= suspicious && !self.spells.contains_key(&mark) {
                let first = of_mark.iter().find(|(counted, _)| counted.plus(population.over) > at);
                let since = first.expect("there are some").0;
                self.spells.insert(mark, Spelling { since, began: None, is_usual: false });
                turns.push((mark, Becomes::Suspected));
            }
            let Some(spell) = self.spells.get_mut(&mark) else { continue };
            let since = spell.since;
            let edge = |began, ended| {
                let limit = if ended { suspicious } else { shift };
                Edge { mark, began, ended, since, recent, counted: counted(since), limit }
            };
            if recent >= shift && spell.began.is_none() && !spell.is_usual {
                spell.began = Some(at);
                turns.push((mark, Becomes::Shift));
                edges.push(edge(at, false));
            }
            let becomes_usual = at >= since.plus(MOST);
            let is_over = recent < suspicious;
            if (becomes_usual || is_over) && !spell.is_usual {
                spell.is_usual = true;
                let lasted = spell.began.filter(|_| is_over).map_or(Duration::ZERO, |_| at.since(since));
                turns.push((mark, Becomes::Over(in_force.plus(lasted))));
                edges.extend(spell.began.map(|began| edge(began, true)));
            }
            if is_over {
                self.spells.remove(&mark);
                continue;
            }
            if !spell.is_usual {
                wakes.push(since.plus(MOST));
            }
            let leave = of_mark.iter().map(|(counted, _)| counted.plus(population.over)).filter(|left| *left > at);
            wakes.extend(leave.filter(|left| at_instant(*left) < suspicious).min());
        }
        let wakes = wakes.into_iter().map(|wake| at_or_after(wake, run.rules.settle)).min();
        (turns, self.lines(run, at, &population, edges), wakes)
    }

    /// Those that begin now are told together, and those that end, by when they began.
    fn lines(&self, run: &Run, at: EventTime, population: &Population, edges: Vec<Edge>) -> Vec<Line> {
        let mut events: BTreeMap<(bool, EventTime), Vec<Edge>> = BTreeMap::new();
        for edge in edges {
            events.entry((edge.ended, edge.began)).or_default().push(edge);
        }
        events.into_iter().map(|(of, edges)| self.line(run, at, population, of, &edges)).collect()
    }

    fn line(
        &self,
        run: &Run,
        at: EventTime,
        population: &Population,
        (ended, settled_at): (bool, EventTime),
        edges: &[Edge],
    ) -> Line {
        let (kind, name) = ("population.shift", run.rules.name.clone());
        let settler = Customer::new(Entity::Settler(name.clone()));
        let began = began(run, settled_at);
        let id =
            if ended { OutputId::of(&[&run.app, kind, &name, "", &began.to_string(), "timer", ""], at) } else { began };
        let rows: Vec<Row> = edges.iter().map(|edge| row(at, edge)).collect();
        let mut body = Object::default();
        body.put("event_id", id.to_string());
        body.put("type", kind);
        body.put("customer_id", Json::Null);
        look::put_common(run, &settler, at, None, Some(&rows), &mut body);
        // It is about no customer.
        body.0.shift_remove("status_seq");
        body.put("phase", if ended { "ended" } else { "began" });
        body.put_some("shift", ended.then(|| began.to_string()));
        body.put("kinds", kinds(edges));
        let counted = |edge: &Edge| if ended { edge.counted } else { edge.recent };
        body.put("customers", edges.iter().map(counted).sum::<u64>());
        let over = |edge: &Edge| if ended { at.since(edge.since) } else { population.over };
        let expected =
            edges.iter().map(|edge| decimal(population.expected(self.customers, over(edge)), 4).expect("few"));
        body.put("expected", expected.sum::<Decimal>().normalize().to_string());
        body.put("since", edges.iter().map(|edge| edge.since).min().expect("one at least").to_string());
        body.put_some("until", ended.then(|| at.to_string()));
        let order = Order { occurred_at: at, entity: &settler.entity, status_seq: 0, kind, name: &name, id: Some(id) };
        Line::new(&order, body.0)
    }
}

/// After so long it is what customers do now.
const MOST: Duration = Duration::from_hours(24 * 30);

/// Each once, in the order of the kinds.
fn kinds(edges: &[Edge]) -> Vec<&'static str> {
    let of_an_edge = |kind: &Kind| edges.iter().any(|edge| edge.mark.1 == *kind);
    Kind::ALL.into_iter().filter(of_an_edge).map(Kind::name).collect()
}

fn row(at: EventTime, edge: &Edge) -> Row {
    let (is_engagement, kind) = edge.mark;
    let feature = format!("population.{kind}{}", if is_engagement { "/engagement" } else { "" });
    let (value, limit) = (Value::Decimal(edge.recent.into()), Value::Decimal(edge.limit.into()));
    let (op, holds) = if edge.ended { ("<", edge.recent < edge.limit) } else { (">=", true) };
    Row::of_all(feature, value, (op, limit, holds), at)
}
