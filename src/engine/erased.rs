//! Erasure: a customer leaves with all that is remembered, and later events bring nothing of it back.
//!
//! Input topics keep what they hold, and what they hold may come late or be read again. So who was erased must be known
//! for good; by a hash, since the id itself is what was to be forgotten.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::Engine;
use super::customers::Slot;
use super::look::Brought;
use super::status;
use crate::model::effect::Origin;
use crate::model::event::{Body, Event};
use crate::model::id::CustomerId;
use crate::model::output::Output;
use crate::model::record::Position;
use crate::model::time::EventTime;

/// Who was erased. Bounded: beyond [`MOST`] whoever was erased first is forgotten, and taken for somebody new again.
///
/// Size: 27 bytes each at the bound. That a customer is taken for one who was erased has, even at the bound, a chance of
/// 1 in 10^13.
#[derive(Debug)]
pub(super) struct Erased {
    /// Hashes of ids, in the order of erasure. Invariant: the same as in `known`, and no customer of the engine is among
    /// them.
    order: VecDeque<u64>,
    known: HashTable<u64>,
    most: usize,
    /// See [`Engine::erased_at`].
    newest: Option<EventTime>,
}

/// Most customers of a task that are known to have been erased.
const MOST: usize = 1_000_000;

/// [`Erased`] in a snapshot. Field numbers are never reused.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct ErasedImage {
    /// Hashes of ids, in the order of erasure.
    #[prost(fixed64, repeated, tag = "1")]
    order: Vec<u64>,
    #[prost(sint64, optional, tag = "2")]
    newest_ms: Option<i64>,
}

impl Default for Erased {
    fn default() -> Self {
        Self::at_most(MOST)
    }
}

impl Erased {
    fn at_most(most: usize) -> Self {
        Self { order: VecDeque::new(), known: HashTable::new(), most, newest: None }
    }

    /// Whether the customer was erased.
    pub(super) fn contains(&self, id: &CustomerId) -> bool {
        !self.order.is_empty() && self.holds(hash_of(id))
    }

    fn holds(&self, id: u64) -> bool {
        self.known.find(id, |other| *other == id).is_some()
    }

    /// Notes that a customer was erased at an event time. Returns whether another one was forgotten for it.
    fn insert(&mut self, id: &CustomerId, at: EventTime) -> bool {
        let next = |newest: EventTime| EventTime(newest.0 + 1);
        self.newest = Some(at).max(self.newest.map(next));
        self.push(hash_of(id))
    }

    fn push(&mut self, id: u64) -> bool {
        if self.holds(id) {
            return false;
        }
        self.order.push_back(id);
        self.known.insert_unique(id, id, |id| *id);
        let first = if self.order.len() > self.most { self.order.pop_front() } else { None };
        if let Some(first) = first
            && let Ok(entry) = self.known.find_entry(first, |other| *other == first)
        {
            entry.remove();
        }
        first.is_some()
    }

    /// Its part of the state's digest; 0 of nothing.
    pub(super) fn digest(&self) -> u128 {
        let Some(newest) = self.newest else { return 0 };
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        hash.update(&newest.0.to_le_bytes());
        self.order.iter().for_each(|id| hash.update(&id.to_le_bytes()));
        hash.digest128()
    }

    /// For a snapshot.
    pub(super) fn encode(&self) -> ErasedImage {
        ErasedImage { order: self.order.iter().copied().collect(), newest_ms: self.newest.map(|at| at.0) }
    }

    /// From a snapshot.
    pub(super) fn decode(image: &ErasedImage) -> Self {
        let mut erased = Self { newest: image.newest_ms.map(EventTime), ..Self::default() };
        for id in &image.order {
            erased.push(*id);
        }
        erased
    }
}

fn hash_of(id: &CustomerId) -> u64 {
    xxhash_rust::xxh3::xxh3_64(id.as_str().as_bytes())
}

impl Engine {
    /// The greatest event time of an erasure so far, and a millisecond more for each that came out of order: it rises
    /// with every erasure, so that a state in which it is less may hold somebody who was erased since.
    pub const fn erased_at(&self) -> Option<EventTime> {
        self.erased.newest
    }

    /// Erases the customer, whose deadlines up to the event have fired: ends every programme and label, then forgets.
    /// A look that waits for the clock waits in vain.
    pub(super) fn erase(&mut self, slot: Slot, event: &Event, position: Position, outputs: &mut Vec<Output>) {
        let cause = Brought::Event(event, position);
        self.leave(slot, cause, "erased", outputs);
        let (customers, occasion) = self.customers_and_occasion(cause);
        status::withdraw(&customers[slot], &occasion, outputs);
        let customer = &mut self.customers[slot];
        customer.name_handles(None, &mut self.sendings);
        customer.cut_referrals(&mut self.sendings);
        customer.end_merges(&mut self.sendings);
        customer.leave_account(&self.rules, &mut self.sendings);
        self.send(slot, Some(&Origin::of(event, position)), 0, outputs);
        self.leave_budgets(slot);
        self.uncount_member(slot);
        let id = self.customers.remove(slot);
        let forgets = self.erased.insert(&id, event.at);
        self.stats.erasures += 1;
        self.stats.erasures_forgotten += u64::from(forgets);
    }

    /// Counts an event about somebody who was erased. Another request to erase them is told by that, not by its
    /// `request_id`: one request may name several ids.
    pub(super) const fn pass_over(&mut self, event: &Event) {
        match event.body {
            Body::Erasure(_) => self.stats.duplicates += 1,
            _ => self.stats.erased_events += 1,
        }
    }
}

#[cfg(test)]
mod tests;
