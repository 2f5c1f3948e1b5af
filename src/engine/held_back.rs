//! Pivots that wait, since far more customers turn than usual: what still stands once that is over is told then.

use std::cmp::Reverse;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::customer::{Customer, NEVER};
use super::customers::Slot;
use super::look::Brought;
use super::settle::Shifts;
use super::{Engine, TimeMode};
use crate::model::id::CustomerId;
use crate::model::output::{Output, OutputId};
use crate::model::settle::{Becomes, Turn};
use crate::model::time::EventTime;
use crate::pivot::Pivot;
use crate::pivot::budget::Grade;
use crate::rules::pivots::{PivotRule, mark};

/// A pivot that waits. Of a mark a customer has at most one that stands, and one of those that never do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct HeldBack {
    pub(super) pivot: Pivot,
    /// [`NEVER`] where that is not known yet.
    pub(super) until: EventTime,
}

/// A spell has begun or ended: whoever holds back one of these marks is to learn of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Recalling {
    marks: u16,
    /// Up to whom all have.
    after: Option<CustomerId>,
}

/// So many in an epoch.
const RECALLS: usize = 10_000;

impl HeldBack {
    /// Its mark.
    pub(super) const fn mark(&self) -> u16 {
        mark(self.pivot.kind, self.pivot.channel)
    }

    fn wait(&mut self, shifts: &Shifts) {
        let found_at = EventTime(self.pivot.decided_at_ms);
        self.until = shifts.until(place(&self.pivot), found_at).unwrap_or(found_at);
    }
}

impl Customer {
    /// When the next pivot has waited long enough.
    pub(super) fn next_release(&self) -> Option<EventTime> {
        let held = self.rare.as_ref().filter(|rare| !rare.held_back.is_empty())?;
        let next = held.held_back.iter().map(|held| held.until).min();
        next.filter(|until| *until < NEVER && self.merged_into().is_none())
    }

    /// Whether any of these marks waits.
    fn holds(&self, marks: u16) -> bool {
        self.rare.iter().flat_map(|rare| &rare.held_back).any(|held| held.mark() & marks != 0)
    }

    /// Takes in what was held back of another. Of what stands, by level, that goes on waiting which was told of neither; of two of
    /// a mark the stricter, and of two that never stand the newer.
    pub(super) fn absorb_held(&mut self, held: Vec<HeldBack>, (watched, alerted): (u16, u16), rule: &PivotRule) {
        let own = self.rare.as_mut().map(|rare| std::mem::take(&mut rare.held_back)).unwrap_or_default();
        let mut all = own;
        all.extend(held);
        let budget = rule.settings.budget();
        all.retain(|held| {
            let untold = if held.pivot.level == Grade::Watch { watched } else { alerted };
            held.pivot.is_over(budget) || untold & held.mark() != 0
        });
        let order = |held: &HeldBack| (Reverse(held.pivot.level), Reverse(held.pivot.decided_at_ms));
        all.sort_by_key(order);
        let mut seen = (0, 0);
        all.retain(|held| {
            let seen = if held.pivot.is_over(budget) { &mut seen.0 } else { &mut seen.1 };
            let is_first = *seen & held.mark() == 0;
            *seen |= held.mark();
            is_first
        });
        if !all.is_empty() {
            self.rare().held_back = all;
        }
    }

    fn drop_held(&mut self, is_dropped: impl Fn(&HeldBack) -> bool) {
        if let Some(rare) = self.rare.as_mut().filter(|rare| !rare.held_back.is_empty()) {
            rare.held_back.retain(|held| !is_dropped(held));
        }
    }
}

/// The place of a pivot's mark.
pub(super) const fn place(pivot: &Pivot) -> u8 {
    mark(pivot.kind, pivot.channel).trailing_zeros().to_le_bytes()[0]
}

impl Engine {
    /// Holds a pivot back, where far more customers turn so than usual and the rules say so; otherwise gives it back.
    pub(super) fn hold_back(&mut self, slot: Slot, pivot: Pivot, rule: &PivotRule) -> Option<Pivot> {
        let found_at = EventTime(pivot.decided_at_ms);
        let is_held = rule.population.is_some_and(|population| population.holds);
        let Some(until) = self.settlement.shifts.until(place(&pivot), found_at).filter(|_| is_held) else {
            return Some(pivot);
        };
        let (customer, budget) = (&mut self.customers[slot], rule.settings.budget());
        let (mark, is_over) = (mark(pivot.kind, pivot.channel), pivot.is_over(budget));
        customer.drop_held(|held| held.mark() == mark && (is_over || !held.pivot.is_over(budget)));
        customer.rare().held_back.push(HeldBack { pivot, until });
        self.settlement.holding.insert(customer.id.clone());
        None
    }

    /// What was held back of a mark stands no longer, or is told. What never stands is told all the same.
    pub(super) fn drop_held(&mut self, slot: Slot, mark: u16) {
        let Some(rule) = &self.rules.pivots else { return };
        let (customer, budget) = (&mut self.customers[slot], rule.settings.budget());
        customer.drop_held(|held| held.mark() == mark && !held.pivot.is_over(budget));
        if customer.rare.as_ref().is_none_or(|rare| rare.held_back.is_empty()) {
            self.settlement.holding.remove(&customer.id);
        }
    }

    /// Tells what has waited long enough and still stands.
    pub(super) fn release(&mut self, slot: Slot, at: EventTime, rule: &PivotRule, outputs: &mut Vec<Output>) {
        let customer = &mut self.customers[slot];
        let open = super::pivots::open(customer, rule);
        let held = std::mem::take(&mut customer.rare().held_back);
        let (over, rest): (Vec<_>, Vec<_>) = held.into_iter().partition(|held| held.until <= at);
        if rest.is_empty() {
            self.settlement.holding.remove(&customer.id);
        }
        customer.rare().held_back = rest;
        for held in over {
            // An alarm without an end has nothing that could be over.
            if held.pivot.is_over(rule.settings.budget()) || open & held.mark() != 0 {
                self.tell_pivot(slot, held.pivot, Brought::Time, Some(at), outputs);
            }
        }
    }

    /// The event of the shift of which a pivot is a part, where it is known by an instant.
    pub(super) fn shift_of(&self, pivot: &Pivot, known: EventTime) -> Option<OutputId> {
        let found_at = EventTime(pivot.decided_at_ms);
        let settled_at = self.settlement.shifts.began(place(pivot), found_at, known)?;
        Some(self.shift_began(settled_at))
    }

    /// A task hears of which pivots there are more than usual: what waits learns until when.
    pub(super) fn take_turns(&mut self, in_force: EventTime, settled_at: EventTime, turns: &[Turn]) {
        self.settlement.shifts.take(in_force, settled_at, turns);
        if turns.iter().all(|turn| turn.becomes == Becomes::Shift) {
            return;
        }
        let turned = turns.iter().fold(0, |turned, turn| turned | 1 << turn.mark);
        let marks = turned | self.settlement.recalling.take().map_or(0, |others| others.marks);
        self.settlement.recalling = Some(Recalling { marks, after: None });
        self.go_on_recalling();
    }

    /// The next of those whose pivots wait learn of what was heard last: in `live` a slice of them. Whoever is met before their turn
    /// learns of it then ([`Engine::catch_up`]).
    pub(super) fn go_on_recalling(&mut self) {
        self.recall(if self.mode == TimeMode::Live { RECALLS } else { usize::MAX });
    }

    fn recall(&mut self, most: usize) {
        let Some(Recalling { marks, after }) = self.settlement.recalling.take() else { return };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.settlement.holding.range((from, Bound::Unbounded));
        let next: Vec<CustomerId> = rest.take(most).cloned().collect();
        for id in &next {
            if let Some(slot) = self.customers.slot_of_known(id).filter(|slot| self.customers[*slot].holds(marks)) {
                self.customers.touch(slot);
                self.await_release(slot);
            }
        }
        if next.len() == most {
            self.settlement.recalling = Some(Recalling { marks, after: next.into_iter().next_back() });
        }
    }

    /// Works out anew until when a customer's pivots wait; whoever's time has moved past that is looked at when the clock has.
    fn await_release(&mut self, slot: Slot) {
        self.recall_held(slot);
        let customer = &mut self.customers[slot];
        if customer.next_release().is_some_and(|release| release <= customer.as_of) {
            customer.wait(None, false);
            self.looks.push(customer.as_of, slot);
        }
        self.find_deadline(slot);
        self.requeue(slot);
    }

    /// Notes until when a customer's pivots wait, some of which may be another's who was merged into this one.
    pub(super) fn recall_held(&mut self, slot: Slot) {
        if let Some(rare) = &mut self.customers[slot].rare {
            rare.held_back.iter_mut().for_each(|held| held.wait(&self.settlement.shifts));
        }
        self.note_holding(slot);
    }

    /// A customer is restored, or may have given away or taken over what waits: slices go by who really holds something.
    pub(super) fn note_holding(&mut self, slot: Slot) {
        let customer = &self.customers[slot];
        if customer.holds(u16::MAX) {
            self.settlement.holding.insert(customer.id.clone());
        } else {
            self.settlement.holding.remove(&customer.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::Home;
    use crate::pivot::Observation;
    use crate::pivot::state::State;
    use crate::rules::ruleset::Ruleset;

    const RULES: &str = "
ruleset: shop
currency: EUR
pivots: { alert: 1 per 100 customer-years, population: { pivots: hold } }
";

    /// Of somebody who has bought every ten days.
    fn silence(rules: &Ruleset, found_at: EventTime) -> Pivot {
        let settings = &rules.pivots.as_ref().expect("pivots").settings;
        let (mut state, mut found) = (State::default(), Vec::new());
        for visit in 1..10 {
            let at_ms = visit * 10 * 86_400_000;
            state.observe(Observation::Purchase { amount: None, shop: None }, at_ms, settings, &mut found);
        }
        while found.is_empty() {
            state.fire(state.due().expect("a silence is waited for"), settings, &mut found);
        }
        Pivot { decided_at_ms: found_at.0, ..found.remove(0) }
    }

    #[test]
    fn who_waits_learns_until_when_a_slice_at_a_time_or_when_met() {
        let rules = Arc::new(Ruleset::parse("rules", RULES).expect("the rules are in order"));
        let mut engine = Engine::new(Arc::clone(&rules), "app", TimeMode::Live, Home::ALONE);
        let (from, found_at, until) = (EventTime(1_000), EventTime(2_000), EventTime(9_000));
        let pivot = silence(&rules, found_at);
        let slots = ["a", "b", "c", "d", "e"].map(|id| {
            let slot = engine.customers.meet_one(&CustomerId(id.into()), &rules, &engine.erased).expect("not erased");
            engine.customers[slot].rare().held_back.push(HeldBack { pivot: pivot.clone(), until: NEVER });
            engine.note_holding(slot);
            slot
        });
        let mark = place(&pivot);
        engine.take_turns(from, from, &[Turn { mark, becomes: Becomes::Suspected }]);
        let waits = |engine: &Engine| slots.map(|slot| engine.customers[slot].next_release());
        assert_eq!(waits(&engine), [None; 5]);
        assert_eq!(engine.settlement.recalling, None);

        engine.settlement.shifts.take(from, from, &[Turn { mark, becomes: Becomes::Over { until } }]);
        engine.settlement.recalling = Some(Recalling { marks: 1 << mark, after: None });
        engine.recall(2);
        assert_eq!(waits(&engine), [Some(until), Some(until), None, None, None]);
        engine.catch_up(slots[4], from, &mut Vec::new());
        assert_eq!(waits(&engine), [Some(until), Some(until), None, None, Some(until)]);
        engine.recall(2);
        engine.recall(2);
        assert_eq!(waits(&engine), [Some(until); 5]);
        assert_eq!(engine.settlement.recalling, None);
        assert!(slots.iter().all(|slot| engine.customers[*slot].deadline <= until));
    }
}
