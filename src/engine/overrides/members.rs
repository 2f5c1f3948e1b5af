//! Who holds anything, and by whose word: counted as it changes, so that asking costs nothing.

use super::super::Engine;
use super::super::customer::Customer;
use super::super::customers::Slot;
use super::super::programme::By;
use crate::model::id::EntityKind;

/// How many customers hold a programme. Accounts are not among them: their contacts are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Members {
    pub customers: u64,
    /// Of these, who hold one that the rule would not give them.
    pub by_override: u64,
    /// Overrides in force, on customers whether they hold anything or not.
    pub overrides: u64,
}

/// As what a customer is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Counted {
    is_member: bool,
    by_override: bool,
    overrides: u8,
}

impl Counted {
    fn of(customer: &Customer) -> Self {
        let by_hand = customer.rare.as_ref().and_then(|rare| rare.by_hand.as_ref());
        let overrides = by_hand.map_or(0, |by_hand| by_hand.words.iter().filter(|word| word.in_force).count());
        Self {
            is_member: !customer.standing().is_empty(),
            by_override: customer.standing().iter().any(|held| held.by == By::Override),
            overrides: u8::try_from(overrides).expect("at most one a programme"),
        }
    }
}

impl Members {
    fn recount(&mut self, was: Counted, is: Counted) {
        let count = |total: &mut u64, was: u8, is: u8| *total = *total + u64::from(is) - u64::from(was);
        count(&mut self.customers, was.is_member.into(), is.is_member.into());
        count(&mut self.by_override, was.by_override.into(), is.by_override.into());
        count(&mut self.overrides, was.overrides, is.overrides);
    }
}

impl Engine {
    /// Counts a customer as what they are now.
    pub(in crate::engine) fn count_member(&mut self, slot: Slot) {
        if self.count_restored_member(slot) {
            self.note_members();
        }
    }

    /// The same of one who was restored, for whom it is noted; says whether they are something else than they were.
    pub(in crate::engine) fn count_restored_member(&mut self, slot: Slot) -> bool {
        let customer = &self.customers[slot];
        let own = customer.rare.as_ref().filter(|_| customer.id.kind() == EntityKind::Customer);
        let Some(was) = own.map(|rare| rare.counted) else { return false };
        let is = Counted::of(customer);
        if was != is {
            self.members.recount(was, is);
            self.customers[slot].rare().counted = is;
        }
        was != is
    }

    /// Counts a customer no longer, who is erased.
    pub(in crate::engine) fn uncount_member(&mut self, slot: Slot) {
        let was = self.customers[slot].rare.as_ref().map_or_else(Counted::default, |rare| rare.counted);
        self.members.recount(was, Counted::default());
        if was != Counted::default() {
            self.note_members();
        }
    }
}
