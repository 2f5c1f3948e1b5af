//! Whether so many turn at once that it is the population's affair, the settler's side: each mark of pivots by itself.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::settle::{Becomes, Turn, after};
use crate::model::time::EventTime;
use crate::pivot::population::{Limits, Population};
use crate::rules::ruleset::Ruleset;

/// Pivots of all tasks, by place of their mark. Bounded by the settlements of the time over which they are counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Crowd(BTreeMap<u8, Turning>);

/// Those of one mark.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Turning {
    /// How many, as of which settlement.
    recent: VecDeque<(EventTime, u32)>,
    spell: Option<Spell>,
}

/// There are too many.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Spell {
    since: EventTime,
    counted: u64,
    /// When it was a shift.
    began: Option<EventTime>,
    /// It has lasted for so long that it is the usual.
    worn: bool,
}

/// A mark's shift, at its beginning or end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Edge {
    pub(super) mark: u8,
    /// Pivots in the time over which they are counted, and since the beginning.
    pub(super) recent: u64,
    pub(super) counted: u64,
    pub(super) limits: Limits,
    pub(super) since: EventTime,
    /// When its beginning was decided.
    pub(super) began: EventTime,
    pub(super) has_ended: bool,
}

/// What is found at one settlement.
#[derive(Debug, Default)]
pub(super) struct Crowding {
    pub(super) turns: Vec<Turn>,
    pub(super) edges: Vec<Edge>,
    /// When there may be fewer by time alone.
    pub(super) wakes: Vec<EventTime>,
}

/// What lasts longer is no spell, but what customers do now.
const LONGEST: Duration = Duration::from_hours(24 * 30);

impl Crowd {
    /// Takes in what a task has found up to a settlement.
    pub(super) fn note(&mut self, at: EventTime, turned: &[(u8, u32)]) {
        for (mark, count) in turned {
            let turning = self.0.entry(*mark).or_default();
            match turning.recent.back_mut().filter(|(counted, _)| *counted == at) {
                Some((_, others)) => *others += count,
                None => turning.recent.push_back((at, *count)),
            }
            if let Some(spell) = &mut turning.spell {
                spell.counted += u64::from(*count);
            }
        }
    }

    /// Decides as of a settlement, of so many customers.
    pub(super) fn decide(
        &mut self,
        (at, in_force): (EventTime, EventTime),
        customers: u64,
        rules: &Ruleset,
    ) -> Crowding {
        let mut found = Crowding::default();
        let Some((rule, population)) = rules.population() else { return found };
        let limits = population.limits(rule.settings.budget().first(), customers);
        for (mark, turning) in &mut self.0 {
            turning.decide(*mark, (at, in_force), limits, population, &mut found);
        }
        self.0.retain(|_, turning| !turning.recent.is_empty());
        for wake in &mut found.wakes {
            *wake = after(EventTime(wake.0 - 1), rules.settle);
        }
        found
    }
}

impl Turning {
    fn decide(
        &mut self,
        mark: u8,
        (at, in_force): (EventTime, EventTime),
        limits: Limits,
        population: &Population,
        found: &mut Crowding,
    ) {
        while self.recent.front().is_some_and(|(counted, _)| counted.plus(population.over) <= at) {
            self.recent.pop_front();
        }
        let recent: u64 = self.recent.iter().map(|(_, count)| u64::from(*count)).sum();
        let turn = |becomes| Turn { mark, becomes };
        if self.spell.is_none() && recent >= limits.suspects {
            let since = self.recent.front().map_or(at, |(counted, _)| *counted);
            self.spell = Some(Spell { since, counted: recent, began: None, worn: false });
            found.turns.push(turn(Becomes::Suspected));
        }
        let Some(spell) = &mut self.spell else { return };
        let edge = |spell: &Spell, began, has_ended| {
            let Spell { since, counted, .. } = *spell;
            Edge { mark, recent, counted, limits, since, began, has_ended }
        };
        if spell.began.is_none() && !spell.worn && recent >= limits.shifts {
            spell.began = Some(at);
            found.turns.push(turn(Becomes::Shift));
            found.edges.push(edge(spell, at, false));
        }
        let (is_over, is_usual) = (recent < limits.suspects, at >= spell.since.plus(LONGEST));
        if !spell.worn && (is_over || is_usual) {
            spell.worn = true;
            // Whoever came back late because of it is given as long again.
            let lasted = if spell.began.is_some() && is_over { at.since(spell.since) } else { Duration::ZERO };
            found.turns.push(turn(Becomes::Over { until: in_force.plus(lasted) }));
            found.edges.extend(spell.began.map(|began| edge(spell, began, true)));
        }
        if is_over {
            self.spell = None;
            return;
        }
        found.wakes.extend((!spell.worn).then(|| spell.since.plus(LONGEST)));
        let mut left = recent;
        let fewer = self.recent.iter().find(|(_, count)| {
            left -= u64::from(*count);
            left < limits.suspects
        });
        found.wakes.extend(fewer.map(|(counted, _)| counted.plus(population.over)));
    }
}
