//! The state as it was at one moment, while the engine goes on: copy on first write.
//!
//! Freezing copies nothing. Customers are encoded from the first slot to the last; whoever is about to change before
//! the turn comes is encoded then, and what was saved is given out in its turn. So the bytes do not depend on what
//! happened meanwhile, and each customer is encoded once.

use hashbrown::HashTable;

use super::super::customer::Customer;
use super::super::customers::Slot;
use super::Encoded;
use super::wire::Writer;

/// What is still to be given out of a frozen state.
///
/// Size: at most the encoding of every customer that changed before its turn, each once, freed as its turn comes: with
/// all of them changed at once, about what the customers take themselves.
#[derive(Debug)]
pub(in crate::engine) struct Frozen {
    /// Slots below had their turn.
    next: Slot,
    /// Slots from here on were met later.
    end: Slot,
    saved: HashTable<(Slot, Box<[u8]>)>,
    given: Encoded,
    has_begun: bool,
    buffer: Vec<u8>,
}

impl Frozen {
    /// The customers of all slots below `end`; `digest` is that of the rest of the state.
    pub(in crate::engine) fn new(end: Slot, digest: u128) -> Self {
        let given = Encoded { customers: 0, digest };
        Self { next: 0, end, saved: HashTable::new(), given, has_begun: false, buffer: Vec::new() }
    }

    /// To be called before a customer changes, or leaves.
    pub(in crate::engine) fn keep(&mut self, slot: Slot, customer: &Customer) {
        if slot < self.next || slot >= self.end || self.saved.find(spread(slot), |(it, _)| *it == slot).is_some() {
            return;
        }
        self.buffer.clear();
        // Of a slot that nobody is in, nothing is saved: whoever comes into it comes later.
        if !customer.is_vacant() {
            customer.encode(&mut Writer(&mut self.buffer));
        }
        self.saved.insert_unique(spread(slot), (slot, self.buffer.as_slice().into()), |(slot, _)| spread(*slot));
    }

    /// The slots whose turn is next, about as many as asked for; none once all had theirs. Asked for the first time it
    /// answers in any case, since the rest of the state has a digest too.
    pub(in crate::engine) fn turns(&mut self, customers: usize) -> Option<std::ops::Range<Slot>> {
        let customers = Slot::try_from(customers.max(1)).unwrap_or(Slot::MAX);
        let turns = self.next..self.end.min(self.next.saturating_add(customers));
        self.next = turns.end;
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        (is_first || !turns.is_empty()).then_some(turns)
    }

    /// Appends a customer whose turn it is to a block.
    pub(in crate::engine) fn give(&mut self, slot: Slot, customer: &Customer, block: &mut Vec<u8>) {
        let saved = self.saved.find_entry(spread(slot), |(it, _)| *it == slot).ok();
        let saved = saved.map(|entry| entry.remove().0.1);
        if saved.as_ref().map_or_else(|| customer.is_vacant(), |saved| saved.is_empty()) {
            return;
        }
        let content = Writer(block).message(CUSTOMERS, |out| match saved {
            Some(saved) => out.0.extend_from_slice(&saved),
            None => customer.encode(out),
        });
        self.given.customers += 1;
        self.given.digest = self.given.digest.wrapping_add(xxhash_rust::xxh3::xxh3_128(&block[content]));
    }

    /// What was given out so far.
    pub(in crate::engine) const fn given(&self) -> Encoded {
        self.given
    }
}

/// A block's one field.
pub(super) const CUSTOMERS: u32 = 1;

/// Slots are numbered without gaps: spread over the table, and over what it keeps of a hash.
fn spread(slot: Slot) -> u64 {
    u64::from(slot).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
