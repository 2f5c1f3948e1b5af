//! Budgets: who gets the places of which there are few, decided about everybody at once.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use vipstream::model::time::EventTime;

use super::customer::Entity;
use super::percentile::Measured;
use super::population::Mark;
use super::rules::{Places, Programme, Ruleset};
use super::value::Value;

/// What an entity says of itself and one programme.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stand {
    /// Holds the programme; else it would, were there a place.
    pub(super) is_member: bool,
    pub(super) since: EventTime,
    pub(super) rank: Option<Value>,
    /// Those of one group have places of their own.
    pub(super) group: String,
}

/// What all say: by the place of the programme in the ruleset.
pub(super) type Stands = BTreeMap<(usize, Entity), Stand>;

/// Everybody as of an instant.
#[derive(Clone, Debug, Default)]
pub(super) struct Census {
    pub(super) stands: Stands,
    pub(super) active: u64,
    /// Agents there, by team and of none.
    pub(super) on_shift: BTreeMap<Option<String>, u64>,
    /// Where the instant is that of a midnight.
    pub(super) measured: Option<Measured>,
    /// Customers who hold anything, and who of them by a person's word alone.
    pub(super) members: (u64, u64),
    /// Pivots found since the settlement before.
    pub(super) turned: BTreeMap<Mark, u64>,
}

/// What is decided about one who said something.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ruling {
    pub(super) programme: usize,
    pub(super) what: What,
    /// Of the stand that it is about.
    pub(super) since: EventTime,
    pub(super) rank: usize,
    pub(super) value: Option<Value>,
    pub(super) cut: Option<Value>,
    pub(super) places: u64,
    pub(super) settled_at: EventTime,
    pub(super) in_force: EventTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Grant,
    Wait,
    Displace,
}

/// What was decided before and is remembered: since when whoever it was about stood so.
#[derive(Clone, Debug, Default)]
pub(super) struct Settler {
    granted: BTreeMap<(usize, Entity), EventTime>,
    displaced: BTreeMap<(usize, Entity), EventTime>,
    told: BTreeMap<(usize, Entity), EventTime>,
}

type Seat = (Entity, Stand);

/// One group of one programme.
struct Part {
    programme: usize,
    places: u64,
    seats: Vec<Seat>,
    waiting: Vec<Seat>,
    /// By this settlement.
    granted: BTreeSet<Entity>,
    displaced: Vec<Seat>,
}

impl Settler {
    /// Decides as of an instant about everybody; in the order in which they are told.
    pub(super) fn decide(
        &mut self,
        rules: &Ruleset,
        census: &Census,
        settled_at: EventTime,
        in_force: EventTime,
    ) -> Vec<(Entity, Ruling)> {
        // Whoever has said something else since begins anew.
        let stands = |is_member: bool| {
            move |(at, since): (&(usize, Entity), &EventTime)| {
                census.stands.get(at).is_some_and(|stand| stand.is_member == is_member && stand.since == *since)
            }
        };
        let (is_candidate, is_member) = (stands(false), stands(true));
        self.granted.retain(|at, since| is_candidate((at, since)));
        self.displaced.retain(|at, since| is_member((at, since)));
        self.told.retain(|at, since| is_candidate((at, since)) || self.displaced.contains_key(at));
        let mut parts = self.parts(rules, census);
        for part in &mut parts {
            part.settle(&rules.programmes[part.programme], settled_at);
        }
        if let Some(budget) = &rules.budget {
            OverAll { rules, parts: &mut parts, fixed: holders_without_budget(rules, census), at: settled_at }
                .settle(budget.count(census));
        }
        parts.iter().flat_map(|part| self.rulings(part, settled_at, in_force)).collect()
    }

    fn parts(&self, rules: &Ruleset, census: &Census) -> Vec<Part> {
        let mut parts: BTreeMap<(usize, String), Part> = BTreeMap::new();
        for ((programme, entity), stand) in &census.stands {
            let Some(budget) = &rules.programmes[*programme].budget else { continue };
            let is_since = |known: &BTreeMap<(usize, Entity), EventTime>| {
                known.get(&(*programme, entity.clone())) == Some(&stand.since)
            };
            let part = parts.entry((*programme, stand.group.clone())).or_insert_with(|| Part {
                programme: *programme,
                places: budget.places.count(census),
                seats: Vec::new(),
                waiting: Vec::new(),
                granted: BTreeSet::new(),
                displaced: Vec::new(),
            });
            let seat = (entity.clone(), stand.clone());
            if stand.is_member && is_since(&self.displaced) {
                // Is neither here nor there until it says something else.
            } else if stand.is_member || is_since(&self.granted) {
                part.seats.push(seat);
            } else {
                part.waiting.push(seat);
            }
        }
        parts.into_values().collect()
    }

    /// What is told, the stronger first.
    fn rulings(&mut self, part: &Part, settled_at: EventTime, in_force: EventTime) -> Vec<(Entity, Ruling)> {
        let (seats, waiting) = (by_strength(&part.seats), by_strength(&part.waiting));
        let cut = seats.last().and_then(|(_, weakest)| weakest.rank.clone());
        let mut found: Vec<(Seat, What, usize)> = Vec::new();
        for (place, seat) in seats.iter().enumerate().filter(|(_, seat)| part.granted.contains(&seat.0)) {
            found.push((seat.clone(), What::Grant, place + 1));
            self.granted.insert((part.programme, seat.0.clone()), seat.1.since);
        }
        for (place, seat) in waiting.iter().enumerate() {
            if self.told.insert((part.programme, seat.0.clone()), seat.1.since) != Some(seat.1.since) {
                found.push((seat.clone(), What::Wait, place + 1));
            }
        }
        for seat in &part.displaced {
            let stronger = waiting.iter().filter(|other| strength(other, seat) == Ordering::Less).count();
            found.push((seat.clone(), What::Displace, stronger + 1));
            let who = (part.programme, seat.0.clone());
            self.displaced.insert(who.clone(), seat.1.since);
            // It learns of its place on the list with that.
            self.told.insert(who, in_force);
        }
        found.sort_by(|left, right| strength(&left.0, &right.0));
        let ruling = |((entity, stand), what, rank): (Seat, What, usize)| {
            let (programme, places, since, value) = (part.programme, part.places, stand.since, stand.rank);
            let cut = cut.clone();
            (entity, Ruling { programme, what, since, rank, value, cut, places, settled_at, in_force })
        };
        found.into_iter().map(ruling).collect()
    }
}

impl Places {
    /// How many there are.
    fn count(&self, census: &Census) -> u64 {
        match self {
            Self::Max(places) => *places,
            Self::Share(percent) => {
                let share = percent * Decimal::from(census.active) / Decimal::ONE_HUNDRED;
                share.floor().try_into().expect("a part of a count")
            }
            Self::Capacity { team, per_agent } => census.on_shift.get(team).copied().unwrap_or(0) * per_agent,
        }
    }
}

impl Part {
    fn settle(&mut self, programme: &Programme, at: EventTime) {
        let margin = programme.budget.as_ref().expect("a part is of a budget").margin;
        let is_full = |part: &Self| part.seats.len() as u64 >= part.places;
        let is_over = |part: &Self| part.seats.len() as u64 > part.places;
        if is_over(self) {
            while is_over(self)
                && let Some((weakest, _)) = self.weakest_to_go(programme, at)
            {
                self.displace(&weakest);
            }
            return;
        }
        while !is_full(self)
            && let Some((strongest, _)) = self.strongest_waiting()
        {
            self.grant(&strongest);
        }
        while self.places > 0
            && is_full(self)
            && let Some((candidate, stands)) = self.strongest_waiting()
            && let Some((member, held)) = self.weakest_to_go(programme, at)
            && outranks(&stands, &held, margin)
        {
            self.displace(&member);
            self.grant(&candidate);
        }
    }

    fn strongest_waiting(&self) -> Option<Seat> {
        by_strength(&self.waiting).first().cloned()
    }

    /// Of the members who have been so for as long as is promised.
    fn weakest_to_go(&self, programme: &Programme, at: EventTime) -> Option<Seat> {
        by_strength(&self.seats).into_iter().rev().find(|(_, stand)| may_go(programme, stand, at))
    }

    fn grant(&mut self, who: &Entity) {
        let place = self.waiting.iter().position(|(entity, _)| entity == who).expect("it waits");
        self.seats.push(self.waiting.remove(place));
        self.granted.insert(who.clone());
    }

    fn take_back(&mut self, who: &Entity) {
        let place = self.seats.iter().position(|(entity, _)| entity == who).expect("it was granted");
        self.waiting.push(self.seats.remove(place));
        self.granted.remove(who);
    }

    fn displace(&mut self, who: &Entity) {
        let place = self.seats.iter().position(|(entity, _)| entity == who).expect("it has a seat");
        self.displaced.push(self.seats.remove(place));
    }
}

/// All programmes for customers together.
struct OverAll<'a> {
    rules: &'a Ruleset,
    parts: &'a mut [Part],
    /// Hold a programme without budget and never give way.
    fixed: BTreeSet<Entity>,
    at: EventTime,
}

impl OverAll<'_> {
    fn settle(mut self, places: u64) {
        let mut grants: Vec<(usize, Seat)> = Vec::new();
        for at in self.of_customers() {
            let part = &mut self.parts[at];
            let granted = by_strength(&part.seats).into_iter().filter(|(entity, _)| part.granted.contains(entity));
            grants.extend(granted.map(|seat| (at, seat)));
        }
        for (at, (entity, _)) in &grants {
            self.parts[*at].take_back(entity);
        }
        grants.sort_by(|(left, one), (right, other)| {
            let programme = |at: &usize| self.parts[*at].programme;
            programme(left).cmp(&programme(right)).then(strength(one, other))
        });
        while self.used().len() as u64 > places
            && let Some((_, (weakest, _))) = self.weakest(|_, _| true)
        {
            self.displace(&weakest);
        }
        for (at, (entity, stand)) in grants {
            let used = self.used();
            if used.contains(&entity) || (used.len() as u64) < places {
                self.parts[at].grant(&entity);
                continue;
            }
            let programme = self.parts[at].programme;
            let margin = self.rules.programmes[programme].budget.as_ref().expect("a part is of a budget").margin;
            let gives_way =
                |of: usize, held: &Stand| of > programme || of == programme && outranks(&stand, held, margin);
            if let Some((_, (weakest, _))) = self.weakest(gives_way) {
                self.displace(&weakest);
                self.parts[at].grant(&entity);
            }
        }
    }

    fn of_customers(&self) -> Vec<usize> {
        let is_it = |at: &usize| !self.rules.programmes[self.parts[*at].programme].of_account;
        (0..self.parts.len()).filter(is_it).collect()
    }

    /// Everybody who counts.
    fn used(&self) -> BTreeSet<Entity> {
        let seated = self.of_customers().into_iter().flat_map(|at| &self.parts[at].seats);
        seated.map(|(entity, _)| entity).chain(&self.fixed).cloned().collect()
    }

    /// The first seat of somebody, where all of theirs can be taken.
    fn precedence(&self, who: &Entity) -> Option<(usize, Seat)> {
        let mut seats: Vec<(usize, Seat)> = Vec::new();
        for at in self.of_customers() {
            let of_theirs = self.parts[at].seats.iter().filter(|(entity, _)| entity == who);
            seats.extend(of_theirs.map(|seat| (self.parts[at].programme, seat.clone())));
        }
        let may_go =
            |(programme, (_, stand)): &(usize, Seat)| may_go(&self.rules.programmes[*programme], stand, self.at);
        let all = !self.fixed.contains(who) && seats.iter().all(may_go);
        seats.into_iter().min_by_key(|(programme, _)| *programme).filter(|_| all)
    }

    /// Of those who may give way: latest in precedence, and of these the weakest.
    fn weakest(&self, gives_way: impl Fn(usize, &Stand) -> bool) -> Option<(usize, Seat)> {
        let persons = self.used();
        let seats = persons.iter().filter_map(|who| self.precedence(who));
        let those = seats.filter(|(programme, (_, stand))| gives_way(*programme, stand));
        those.max_by(|(left, one), (right, other)| left.cmp(right).then(strength(one, other)))
    }

    fn displace(&mut self, who: &Entity) {
        for at in self.of_customers() {
            if self.parts[at].seats.iter().any(|(entity, _)| entity == who) {
                self.parts[at].displace(who);
            }
        }
    }
}

fn holders_without_budget(rules: &Ruleset, census: &Census) -> BTreeSet<Entity> {
    let without = |programme: usize| rules.programmes[programme].budget.is_none();
    census.stands.keys().filter(|(programme, _)| without(*programme)).map(|(_, entity)| entity.clone()).collect()
}

fn may_go(programme: &Programme, stand: &Stand, at: EventTime) -> bool {
    stand.is_member && at >= stand.since.plus(programme.tenure)
}

/// The stronger is less.
fn strength((left, a): &Seat, (right, b): &Seat) -> Ordering {
    height(b.rank.as_ref()).cmp(&height(a.rank.as_ref())).then(a.since.cmp(&b.since)).then(left.cmp(right))
}

fn by_strength(seats: &[Seat]) -> Vec<Seat> {
    let mut seats = seats.to_vec();
    seats.sort_by(strength);
    seats
}

/// Of times the earlier is higher; no rank is the lowest.
pub(super) fn height(rank: Option<&Value>) -> Option<Decimal> {
    match rank? {
        Value::Time(time) => Some(Decimal::from(-time.0)),
        number => Some(number.number().expect("a rank is a number or a time")),
    }
}

fn outranks(candidate: &Stand, member: &Stand, margin: Decimal) -> bool {
    let Some(theirs) = height(member.rank.as_ref()) else { return true };
    let ours = height(candidate.rank.as_ref()).expect("a candidate has a rank");
    let wanted = theirs.abs().checked_mul(margin);
    let lead = ours.checked_sub(theirs);
    // What no decimal can hold is as great as can be.
    let is_enough = lead.is_none_or(|lead| wanted.is_some_and(|wanted| lead >= wanted));
    ours > theirs && is_enough
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "
ruleset: acme
currency: EUR
features: { spend: { sum: purchase.amount } }
budget: { max: 3 }
programmes:
  a: { profile: value, grant: spend >= 1, budget: { max: 2, rank: spend, margin: 10% }, tenure: 1d }
  b: { profile: value, grant: spend >= 1, budget: { share: 12.5%, rank: spend } }
  c: { profile: value, grant: spend >= 1 }
";

    const DAY: i64 = 86_400_000;

    fn stand(is_member: bool, since: i64, rank: i64) -> Stand {
        let rank = Some(Value::Decimal(Decimal::from(rank)));
        Stand { is_member, since: EventTime(since), rank, group: String::new() }
    }

    /// Who of `a` is told what: in a decision on the tenth day.
    fn decided(settler: &mut Settler, stands: &[(usize, &str, Stand)]) -> Vec<String> {
        let rules = Ruleset::read(RULES);
        let stands = stands.iter().map(|(at, id, stand)| ((*at, Entity::customer(id)), stand.clone())).collect();
        let census = Census { stands, active: 17, ..Census::default() };
        let told = settler.decide(&rules, &census, EventTime(10 * DAY), EventTime(10 * DAY + 10_000));
        let line =
            |(entity, it): (Entity, Ruling)| format!("{} {} {:?} {}", it.programme, entity.key(), it.what, it.rank);
        told.into_iter().map(line).collect()
    }

    #[test]
    fn the_strongest_have_the_places_and_the_others_are_told_once() {
        let mut settler = Settler::default();
        let mut stands = vec![(0, "x", stand(false, 5, 7)), (0, "y", stand(false, 4, 7)), (0, "z", stand(false, 3, 9))];
        assert_eq!(decided(&mut settler, &stands), ["0 z Grant 1", "0 y Grant 2", "0 x Wait 1"]);
        assert_eq!(decided(&mut settler, &stands), Vec::<String>::new());
        stands[2].2 = stand(false, 6, 9);
        // Another candidacy of the same: the seat was that of the former one.
        assert_eq!(decided(&mut settler, &stands), ["0 z Grant 1"]);
    }

    #[test]
    fn a_lead_below_the_margin_displaces_nobody_nor_does_any_while_tenure_lasts() {
        let young = 9 * DAY + 1;
        let of = |since, rank| {
            [(0, "m", stand(true, since, 100)), (0, "n", stand(true, 0, 500)), (0, "x", stand(false, 1, rank))]
        };
        assert_eq!(decided(&mut Settler::default(), &of(9 * DAY, 109)), ["0 x Wait 1"]);
        assert_eq!(decided(&mut Settler::default(), &of(9 * DAY, 110)), ["0 x Grant 2", "0 m Displace 1"]);
        assert_eq!(decided(&mut Settler::default(), &of(young, 499)), ["0 x Wait 1"]);
        assert_eq!(decided(&mut Settler::default(), &of(young, 550)), ["0 x Grant 1", "0 n Displace 1"]);
    }

    #[test]
    fn over_all_the_later_in_precedence_gives_way() {
        let all = [
            (2, "f", stand(true, 0, 0)),
            (1, "g", stand(true, 0, 900)),
            (1, "h", stand(true, 0, 800)),
            (0, "x", stand(false, 0, 1)),
        ];
        assert_eq!(decided(&mut Settler::default(), &all), ["0 x Grant 1", "1 h Displace 1"]);
    }
}
