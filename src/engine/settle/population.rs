//! Shifts of the population: a task counts what it finds, the settler decides, and every task hears of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rust_decimal::Decimal;

use super::crowd::{Crowding, Edge};
use crate::engine::{Engine, held_back};
use crate::model::effect::Does;
use crate::model::id::CustomerId;
use crate::model::output::insight::{Finding, Insight, POPULATION_SHIFT, PopulationShift};
use crate::model::output::pivot::decimal;
use crate::model::output::{Cause, Evidence, Output, OutputId, Scalar};
use crate::model::time::EventTime;
use crate::pivot::population::Population;
use crate::pivot::{Channel, Kind, Pivot};
use crate::rules::pivots::{PivotRule, bit, kind_at, mark};
use crate::rules::ruleset::Ruleset;

impl Engine {
    /// Pivots were found: there may be others with them. What was counted as a watch is not counted again.
    pub(in crate::engine) fn note_turned(&mut self, found: &[Pivot], rule: &PivotRule) {
        let is_new = |pivot: &&Pivot| pivot.of.is_none() && !pivot.was_announced && rule.kinds & bit(pivot.kind) != 0;
        for pivot in found.iter().filter(is_new).filter(|_| rule.population.is_some()) {
            *self.settlement.turned.entry(held_back::place(pivot)).or_default() += 1;
            self.settle_next();
        }
    }

    /// Decides of which pivots there are far more than usual; tells those who watch, and every task.
    pub(super) fn decide_shifts(&mut self, at: EventTime, in_force: EventTime, outputs: &mut Vec<Output>) {
        let rules = Arc::clone(&self.rules);
        let Crowding { turns, edges, .. } = self.settlement.settler.crowding((at, in_force), &rules);
        let mut by_event: BTreeMap<(bool, EventTime), Vec<Edge>> = BTreeMap::new();
        for edge in edges {
            by_event.entry((edge.has_ended, edge.began)).or_default().push(edge);
        }
        for edges in by_event.values() {
            outputs.push(Output::Insight(Box::new(self.shift(at, edges, &rules))));
        }
        if !turns.is_empty() {
            self.rule(CustomerId::every_task(), in_force, Does::Shifts { settled_at: at, turns });
        }
    }

    /// The id of the event of the shifts that began at a settlement.
    pub(in crate::engine) fn shift_began(&self, settled_at: EventTime) -> OutputId {
        OutputId::of(&[&self.app, POPULATION_SHIFT, self.rules.name(), "", "", "timer", ""], settled_at)
    }

    /// What is told of shifts that begin together, or that began together and end now.
    fn shift(&self, at: EventTime, edges: &[Edge], rules: &Ruleset) -> Insight {
        let ended = edges.iter().find(|edge| edge.has_ended).map(|edge| self.shift_began(edge.began));
        let event_id = ended.map_or_else(
            || self.shift_began(at),
            |began| OutputId::of(&[&self.app, POPULATION_SHIFT, rules.name(), "", &began.to_string(), "timer", ""], at),
        );
        let counted = |edge: &Edge| if edge.has_ended { edge.counted } else { edge.recent };
        let shift = PopulationShift {
            ruleset: rules.name().into(),
            began: ended,
            kinds: edges.iter().map(|edge| kind_at(edge.mark)).collect::<BTreeSet<_>>().into_iter().collect(),
            customers: edges.iter().map(counted).sum(),
            expected: edges.iter().map(|edge| self.expected(at, edge, rules)).sum(),
            since: edges.iter().map(|edge| edge.since).min().unwrap_or(at),
            until: ended.map(|_| at),
        };
        Insight {
            event_id,
            occurred_at: at,
            cause: Cause::Timer,
            trigger: None,
            evidence: edges.iter().map(|edge| row(at, edge)).collect(),
            finding: Finding::PopulationShift(shift),
        }
    }

    fn expected(&self, at: EventTime, edge: &Edge, rules: &Ruleset) -> Decimal {
        let Some((rule, population)) = rules.population() else { return Decimal::ZERO };
        let over = if edge.has_ended { at.since(edge.since) } else { population.over };
        let customers = self.settlement.settler.active();
        decimal(Population::expected(rule.settings.budget().first(), customers, over), PLACES).unwrap_or_default()
    }
}

/// How many there were at the settlement, against how many it takes.
fn row(at: EventTime, edge: &Edge) -> Evidence {
    let kind = kind_at(edge.mark);
    let is_engagement = mark(kind, Channel::Engagement).trailing_zeros() == u32::from(edge.mark);
    let of = if kind == Kind::Silence && is_engagement { "/engagement" } else { "" };
    let (limit, op) = if edge.has_ended { (edge.limits.suspects, "<") } else { (edge.limits.shifts, ">=") };
    Evidence {
        feature: format!("population.{kind}{of}").into(),
        window: None,
        value: Some(Scalar::Decimal(edge.recent.into())),
        threshold: Some(Scalar::Decimal(limit.into())),
        op: Some(op),
        holds: Some(!edge.has_ended || edge.recent < limit),
        settled_at: Some(at),
        sample: Vec::new(),
    }
}

/// What is expected is told to so many places.
const PLACES: u32 = 4;
