//! The budget over all programmes: a person counts once, and whoever is in the later programme gives way.
//!
//! Members of programmes without a budget never give way: they are counted first.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;

use super::settler::{AllMoves, Settler, Strength};
use crate::model::id::CustomerId;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;

/// Stands for no programme.
pub(super) const PROGRAMME: u8 = u8::MAX;

/// The seats of each person: programme, strength, and the part of the budget.
type Seats = BTreeMap<CustomerId, Vec<(u8, Strength, CompactString)>>;

/// Corrects what the programmes' budgets have moved.
pub(super) fn settle(settler: &mut Settler, places: u64, moves: &mut AllMoves, at: EventTime, rules: &Ruleset) {
    let places = usize::try_from(places).unwrap_or(usize::MAX);
    let is_for_customers = |programme: u8| !rules.programmes[usize::from(programme)].of_account;
    let mut grants: BTreeSet<(u8, Strength, CompactString)> = BTreeSet::new();
    for ((programme, group), moved) in moves.iter_mut().filter(|((programme, _), _)| is_for_customers(*programme)) {
        for granted in std::mem::take(&mut moved.granted) {
            settler.lists.get_mut(&(*programme, group.clone())).expect("it moved").take_back(&granted);
            grants.insert((*programme, granted, group.clone()));
        }
    }
    let mut seats = Seats::new();
    for ((programme, group), list) in settler.lists.iter().filter(|((programme, _), _)| is_for_customers(*programme)) {
        for seat in list.seats.iter() {
            seats.entry(seat.id.clone()).or_default().push((*programme, seat.clone(), group.clone()));
        }
    }
    let mut people = People { givers: givers(settler, &seats, at, rules), settler, seats, moves };
    let mut used = people.count();
    while used > places && people.displace() {
        used -= 1;
    }
    for (programme, strength, group) in grants {
        let has_room = people.is_counted(&strength.id) || used < places;
        if !has_room {
            let margin = rules.programmes[usize::from(programme)].budget.as_ref().map(|budget| budget.margin);
            let gives_way = |(of, weakest): &(u8, Strength)| {
                *of > programme || *of == programme && strength.displaces(weakest, margin.unwrap_or_default())
            };
            if !people.givers.last().is_some_and(gives_way) {
                continue;
            }
            people.displace();
            used -= 1;
        }
        used += usize::from(!people.is_counted(&strength.id));
        people.grant((programme, strength, group));
    }
}

struct People<'a> {
    settler: &'a mut Settler,
    seats: Seats,
    /// Who may give way, with their place of precedence: the last is the first to.
    givers: BTreeSet<(u8, Strength)>,
    moves: &'a mut AllMoves,
}

/// Whoever holds nothing but seats that may all be taken, of each the seat of the highest precedence.
fn givers(settler: &Settler, seats: &Seats, at: EventTime, rules: &Ruleset) -> BTreeSet<(u8, Strength)> {
    let may_all = |seats: &Vec<(u8, Strength, CompactString)>| {
        seats.iter().all(|(programme, seat, _)| {
            settler.may_give_way(seat, *programme, at, rules.programmes[usize::from(*programme)].tenure)
        })
    };
    let people = seats.iter().filter(|(id, seats)| !settler.unranked.contains_key(*id) && may_all(seats));
    people.filter_map(|(_, seats)| first(seats)).collect()
}

/// The seat of the highest precedence.
fn first(seats: &[(u8, Strength, CompactString)]) -> Option<(u8, Strength)> {
    seats.iter().map(|(programme, seat, _)| (*programme, seat.clone())).min()
}

impl People<'_> {
    fn is_counted(&self, id: &CustomerId) -> bool {
        self.seats.contains_key(id) || self.settler.unranked.contains_key(id)
    }

    fn count(&self) -> usize {
        let unranked = self.settler.unranked.keys().filter(|id| !self.seats.contains_key(*id)).count();
        self.seats.len() + unranked
    }

    /// Takes all seats from who gives way first; says whether there is anybody.
    fn displace(&mut self) -> bool {
        let Some((_, weakest)) = self.givers.pop_last() else { return false };
        for (programme, seat, group) in self.seats.remove(&weakest.id).unwrap_or_default() {
            let key = (programme, group);
            self.settler.lists.get_mut(&key).expect("there is a seat").seats.remove(&seat);
            self.moves.entry(key).or_default().displaced.insert(seat);
        }
        true
    }

    fn grant(&mut self, (programme, strength, group): (u8, Strength, CompactString)) {
        let key = (programme, group);
        let list = self.settler.lists.get_mut(&key).expect("there is a candidate");
        list.waiting.remove(&strength);
        list.seats.insert(strength.clone());
        self.moves.entry(key.clone()).or_default().granted.insert(strength.clone());
        // Who is granted something gives way to nobody in this settlement.
        let seats = self.seats.entry(strength.id.clone()).or_default();
        if let Some(precedence) = first(seats) {
            self.givers.remove(&precedence);
        }
        seats.push((programme, strength, key.1));
    }
}
