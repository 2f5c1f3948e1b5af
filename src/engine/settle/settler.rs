//! Decides on budgets: who has a place, who waits, who gives way.
//!
//! One entity of a ruleset's hears of all candidates and members, and decides on all of a settlement at once. It is told only
//! what changed, so it keeps what it was told, and what it has ruled until that has come about.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compact_str::CompactString;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::census::{self, Histograms};
use super::crowd::{Crowd, Crowding};
use super::over_all;
use super::ranking::Ranking;
use crate::model::id::CustomerId;
use crate::model::settle::{self, Entry, Rank, Report, Ruling, Standing, Verdict};
use crate::model::time::EventTime;
use crate::rules::budget::Places;
use crate::rules::ruleset::Ruleset;

/// What it knows. Bounded by the candidates and members of all tasks; in `live`, while a task is down, what the others report
/// comes to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Settler {
    /// Verdicts given.
    pub(super) sent: u32,
    /// What was reported of settlements that are not decided yet, by task.
    reports: BTreeMap<EventTime, Vec<(u32, Report)>>,
    /// Settlements that are to be decided.
    pending: BTreeSet<EventTime>,
    /// Up to when each task has reported all.
    reached: BTreeMap<u32, EventTime>,
    active: BTreeMap<u32, u64>,
    on_shift: BTreeMap<u8, u64>,
    measured: Histograms,
    crowd: Crowd,
    members: BTreeMap<u32, (u64, u64)>,
    /// Too many are members by override, and that was said.
    exceeded: bool,
    known: BTreeMap<Key, Known>,
    /// By programme and part of its budget.
    pub(super) lists: BTreeMap<(u8, CompactString), List>,
    /// Customers who hold programmes without a budget, and which.
    pub(super) unranked: BTreeMap<CustomerId, BTreeSet<u8>>,
}

type Key = (CustomerId, u8);

/// What somebody has said of one programme, and what was ruled on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    standing: Standing,
    ruled: Option<Ruling>,
    /// Of whoever is displaced: from when on. Who waits since then knows it.
    displaced: Option<EventTime>,
}

/// Who holds the places of one budget, and who wants one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct List {
    /// Members, and who was granted a place that is not in force yet.
    pub(super) seats: Ranking<Strength>,
    pub(super) waiting: Ranking<Strength>,
    /// Those waiting who have not been told.
    untold: BTreeSet<Strength>,
    places: u64,
    has_news: bool,
    /// When a tenure that stood in somebody's way ends.
    wake: Option<EventTime>,
}

/// Where somebody comes among those who want the same. The first is the strongest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Strength {
    rank: Reverse<Option<Decimal>>,
    since: EventTime,
    pub(super) id: CustomerId,
}

impl Strength {
    fn of(id: &CustomerId, standing: &Standing) -> Self {
        Self { rank: Reverse(standing.rank), since: standing.since, id: id.clone() }
    }

    /// Whether it takes the place of a weaker one.
    pub(super) fn displaces(&self, weaker: &Self, margin: Decimal) -> bool {
        match (self.rank.0, weaker.rank.0) {
            (Some(rank), Some(other)) => {
                let lead = other.abs().checked_mul(margin).unwrap_or(Decimal::MAX);
                rank > other && rank.checked_sub(other).is_none_or(|by| by >= lead)
            }
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

/// What one settlement moves in one list.
#[derive(Debug, Default)]
pub(super) struct Moves {
    pub(super) granted: BTreeSet<Strength>,
    pub(super) displaced: BTreeSet<Strength>,
}

/// Those of each list.
pub(super) type AllMoves = BTreeMap<(u8, CompactString), Moves>;

impl Settler {
    /// Takes in what a task has to say.
    pub(super) fn hear(&mut self, task: u32, report: Report, is_next: bool, rules: &Ruleset) {
        let at = report.at;
        self.pending.insert(at);
        // Where nothing before is to be decided it may be known at once: then there is less to do when all are heard.
        if is_next && self.pending.first() == Some(&at) {
            self.note(task, report, rules);
        } else {
            self.reports.entry(at).or_default().push((task, report));
        }
    }

    fn note(&mut self, task: u32, report: Report, rules: &Ruleset) {
        self.crowd.note(report.at, &report.turned);
        self.active.extend(report.active.map(|active| (task, active)));
        self.on_shift.extend(report.on_shift.into_iter().flatten());
        self.members.extend(report.members.map(|members| (task, members)));
        for (measured, bucket, by) in report.measured.into_iter().flatten() {
            census::add(&mut self.measured, (measured, bucket), by);
        }
        for entry in report.entries {
            self.take(entry, rules);
        }
    }

    /// A task has said all up to an instant.
    pub(super) fn hear_reached(&mut self, task: u32, at: EventTime) {
        let reached = self.reached.entry(task).or_insert(at);
        *reached = at.max(*reached);
    }

    /// The next settlement to be decided.
    pub(super) fn next(&self) -> Option<EventTime> {
        self.pending.first().copied()
    }

    /// The same, where each of so many tasks has said all up to it.
    pub(super) fn next_reached(&self, tasks: u32) -> Option<EventTime> {
        let reached = self.all_reached(tasks)?;
        self.next().filter(|at| *at <= reached)
    }

    /// Up to when each of so many tasks has said all.
    pub(super) fn all_reached(&self, tasks: u32) -> Option<EventTime> {
        (0..tasks).map(|task| self.reached.get(&task).copied()).min().flatten()
    }

    /// By programme: how many hold a place or were granted one, and how many wait.
    pub(super) fn counts(&self) -> BTreeMap<u8, (usize, usize)> {
        let mut counts: BTreeMap<u8, (usize, usize)> = BTreeMap::new();
        for ((programme, _), list) in &self.lists {
            let (seats, waiting) = counts.entry(*programme).or_default();
            *seats += list.seats.len();
            *waiting += list.waiting.len();
        }
        counts
    }

    /// Decides a settlement; says what was ruled on whom.
    pub(super) fn decide(
        &mut self,
        (at, in_force): (EventTime, EventTime),
        rules: &Ruleset,
    ) -> Vec<(CustomerId, Verdict)> {
        self.pending.remove(&at);
        for (task, report) in self.reports.remove(&at).unwrap_or_default() {
            self.note(task, report, rules);
        }
        let mut moves = AllMoves::new();
        let keys: Vec<(u8, CompactString)> = self.lists.keys().cloned().collect();
        for key in keys {
            let budget = rules.programmes[usize::from(key.0)].budget.as_ref().expect("a list is a budget's");
            let places = self.places(&budget.places, key.0);
            let list = self.lists.get_mut(&key).expect("it is there");
            let is_due = list.wake.is_some_and(|wake| wake <= at) || list.places != places;
            list.places = places;
            if list.has_news || is_due || rules.budget.is_some() {
                moves.insert(key.clone(), self.settle(&key, at, rules));
            }
        }
        if let Some(places) = &rules.budget {
            let places = self.places(places, over_all::PROGRAMME);
            over_all::settle(self, places, &mut moves, at, rules);
        }
        let mut verdicts = Vec::new();
        for (key, moves) in moves {
            self.rule(&key, &moves, (at, in_force), rules, &mut verdicts);
        }
        self.lists.retain(|_, list| !list.seats.is_empty() || !list.waiting.is_empty());
        verdicts
    }

    /// How many are members by override, of how many, where these are too many and were not before.
    pub(super) fn exceeds(&mut self, most: Decimal) -> Option<(u64, u64)> {
        let (members, by_override) =
            self.members.values().fold((0, 0), |sum, (members, by_override)| (sum.0 + members, sum.1 + by_override));
        let exceeds = Decimal::from(by_override) > most * Decimal::from(members);
        let was = std::mem::replace(&mut self.exceeded, exceeds);
        (exceeds && !was).then_some((by_override, members))
    }

    /// Customers of all tasks who are active.
    pub(super) fn active(&self) -> u64 {
        self.active.values().sum()
    }

    /// Of which pivots there are far more than usual since this settlement, or no longer.
    pub(super) fn crowding(&mut self, at: (EventTime, EventTime), rules: &Ruleset) -> Crowding {
        let customers = self.active();
        let found = self.crowd.decide(at, customers, rules);
        self.pending.extend(&found.wakes);
        found
    }

    /// What parts of all customers do not exceed, by place in the ruleset.
    pub(super) fn cuts(&self, rules: &Ruleset) -> Vec<Option<Decimal>> {
        rules.percentiles.iter().map(|percentile| census::cut(&self.measured, percentile, rules)).collect()
    }

    fn places(&self, places: &Places, programme: u8) -> u64 {
        match places {
            Places::Max(most) => *most,
            Places::Share(part) => (Decimal::from(self.active()) * part).floor().to_u64().unwrap_or(u64::MAX),
            Places::Capacity { per_agent, .. } => {
                self.on_shift.get(&programme).copied().unwrap_or_default().saturating_mul(*per_agent)
            }
        }
    }

    /// Takes in how somebody stands from now on. What was ruled on the same standing goes on holding.
    fn take(&mut self, entry: Entry, rules: &Ruleset) {
        let Entry { id, programme, standing } = entry;
        if rules.programmes[usize::from(programme)].budget.is_none() {
            let held = self.unranked.entry(id.clone()).or_default();
            if standing.is_some() {
                held.insert(programme)
            } else {
                held.remove(&programme)
            };
            if held.is_empty() {
                self.unranked.remove(&id);
            }
            return;
        }
        let key = (id, programme);
        let Some(standing) = standing else {
            if let Some(former) = self.known.remove(&key) {
                self.list(programme, &former.standing.group).remove(&Strength::of(&key.0, &former.standing));
            }
            return;
        };
        let (mut ruled, mut displaced) = (None, None);
        if let Some(former) = self.known.get(&key) {
            let is_same = (former.standing.since, former.standing.is_member) == (standing.since, standing.is_member);
            if is_same {
                (ruled, displaced) = (former.ruled, former.displaced);
            } else if former.displaced == Some(standing.since) && !standing.is_member {
                ruled = Some(Ruling::Wait);
            }
            let (group, strength) = (former.standing.group.clone(), Strength::of(&key.0, &former.standing));
            self.list(programme, &group).remove(&strength);
        }
        let strength = Strength::of(&key.0, &standing);
        let known = Known { standing, ruled, displaced };
        self.list(programme, &known.standing.group).insert(strength, &known);
        self.known.insert(key, known);
    }

    fn list(&mut self, programme: u8, group: &CompactString) -> &mut List {
        self.lists.entry((programme, group.clone())).or_default()
    }

    /// Moves what one budget moves by itself.
    fn settle(&mut self, key: &(u8, CompactString), at: EventTime, rules: &Ruleset) -> Moves {
        let rule = &rules.programmes[usize::from(key.0)];
        let margin = rule.budget.as_ref().expect("a list is a budget's").margin;
        let mut list = self.lists.remove(key).expect("it is there");
        let places = usize::try_from(list.places).unwrap_or(usize::MAX);
        let mut moves = Moves::default();
        let is_over = list.seats.len() > places;
        let may_give_way = |seat: &&Strength| self.may_give_way(seat, key.0, at, rule.tenure);
        let beyond = list.seats.len().saturating_sub(places);
        moves.displaced = list.seats.iter().rev().filter(may_give_way).take(beyond).cloned().collect();
        while !is_over && list.seats.len() < places {
            let Some(strongest) = list.waiting.pop_first() else { break };
            moves.granted.insert(strongest.clone());
            list.seats.insert(strongest);
        }
        if !is_over && places > 0 && list.seats.len() == places {
            let weakest = list.seats.iter().rev().filter(may_give_way);
            let pairs = list.waiting.iter().zip(weakest);
            let swaps = pairs.take_while(|(strongest, weakest)| strongest.displaces(weakest, margin));
            for (strongest, weakest) in swaps {
                moves.granted.insert(strongest.clone());
                moves.displaced.insert(weakest.clone());
            }
        }
        for weakest in &moves.displaced {
            list.seats.remove(weakest);
        }
        for strongest in &moves.granted {
            list.waiting.remove(strongest);
            list.seats.insert(strongest.clone());
        }
        list.has_news = false;
        let is_wanted = is_over || !list.waiting.is_empty() || rules.budget.is_some();
        list.wake = if is_wanted { self.next_tenure(&list, key.0, at, rule.tenure) } else { None };
        list.wake = list.wake.map(|end| settle::after(EventTime(end.0 - 1), rules.settle));
        self.pending.extend(list.wake);
        self.lists.insert(key.clone(), list);
        moves
    }

    /// Whether somebody who holds a place is a member whose tenure is over.
    pub(super) fn may_give_way(&self, seat: &Strength, programme: u8, at: EventTime, tenure: Duration) -> bool {
        let known = self.known.get(&(seat.id.clone(), programme));
        known.is_some_and(|known| known.standing.is_member && at >= known.standing.since.plus(tenure))
    }

    /// When the next tenure ends.
    fn next_tenure(&self, list: &List, programme: u8, at: EventTime, tenure: Duration) -> Option<EventTime> {
        let members = list
            .seats
            .iter()
            .filter(|seat| self.known.get(&(seat.id.clone(), programme)).is_some_and(|known| known.standing.is_member));
        members.map(|seat| seat.since.plus(tenure)).filter(|end| *end > at).min()
    }

    /// Says what was ruled on the members and candidates of one list.
    fn rule(
        &mut self,
        key: &(u8, CompactString),
        moves: &Moves,
        (at, in_force): (EventTime, EventTime),
        rules: &Ruleset,
        verdicts: &mut Vec<(CustomerId, Verdict)>,
    ) {
        let Self { known, lists, .. } = self;
        let Some(list) = lists.get_mut(key) else { return };
        let cut = list.seats.last().and_then(|seat| seat.rank.0);
        let mut found: Vec<(&Strength, Ruling, usize)> = Vec::new();
        found.extend(moves.granted.iter().map(|it| (it, Ruling::Grant, list.seats.place(it))));
        found.extend(moves.displaced.iter().map(|it| (it, Ruling::Displace, list.waiting.place(it))));
        let untold = std::mem::take(&mut list.untold);
        let waiting = untold.iter().filter(|it| !moves.granted.contains(*it));
        found.extend(waiting.map(|it| (it, Ruling::Wait, list.waiting.place(it))));
        found.sort_unstable_by_key(|(it, ..)| *it);
        for (it, ruling, place) in found {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            let rank = Rank { place, places: list.places, value: it.rank.0, cut };
            let verdict = Verdict { programme: key.0, ruling, since: it.since, settled_at: at, rank };
            verdicts.push((it.id.clone(), verdict));
            if let Some(known) = known.get_mut(&(it.id.clone(), key.0)) {
                known.ruled = Some(ruling);
                known.displaced = (ruling == Ruling::Displace).then_some(in_force);
            }
        }
        // What has moved may make room for more.
        if !moves.granted.is_empty() || !moves.displaced.is_empty() {
            let again = settle::after(at, rules.settle);
            list.wake = Some(list.wake.map_or(again, |wake| wake.min(again)));
            self.pending.insert(again);
        }
    }
}

impl List {
    fn insert(&mut self, strength: Strength, known: &Known) {
        self.has_news = true;
        match (known.standing.is_member, known.ruled) {
            (true, Some(Ruling::Displace)) => {}
            (true, _) | (false, Some(Ruling::Grant)) => self.seats.insert(strength),
            (false, ruled) => {
                if ruled.is_none() {
                    self.untold.insert(strength.clone());
                }
                self.waiting.insert(strength);
            }
        }
    }

    fn remove(&mut self, strength: &Strength) {
        self.has_news = true;
        self.seats.remove(strength);
        self.waiting.remove(strength);
        self.untold.remove(strength);
    }

    /// Takes back a place that was granted just now.
    pub(super) fn take_back(&mut self, strength: &Strength) {
        self.seats.remove(strength);
        self.waiting.insert(strength.clone());
    }
}
