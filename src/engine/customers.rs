//! Every customer by slot, and slots by id; and looking ahead.
//!
//! With many customers an event costs mostly waiting for memory, since its customer was last touched long ago. So a
//! group of records is looked ahead: first all their places in the hash table, then all their customers, then what
//! those point to. Within each step no load needs another one, and the processor waits for all of them at once.

use std::borrow::Cow;
use std::hint::black_box;
use std::ops::{Index, IndexMut};

use hashbrown::HashTable;

use super::customer::Customer;
use super::erased::Erased;
use super::image::Encoded;
use super::image::frozen::Frozen;
use crate::model::event::{Event, Kind};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::record::Record;
use crate::rules::ruleset::Ruleset;

/// A customer's place in the engine's table.
pub(super) type Slot = u32;

/// Records looked ahead at once: what they touch fits the nearest cache.
pub(super) const GROUP: usize = 32;

/// All customers of a task, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Customers {
    /// Each [`BLOCK`] long but the last: growing moves nobody.
    blocks: Vec<Vec<Customer>>,
    /// Slots of those who were erased, for whoever is met next.
    vacant: Vec<Slot>,
    /// How many there are, by [`EntityKind`].
    known: [usize; 5],
    /// The hash of the id stands with the slot, so that growing the table touches no customer.
    slots: HashTable<(u32, Slot)>,
    /// What is still to be encoded as it was at an earlier moment.
    frozen: Option<Box<Frozen>>,
    /// Whom the newest epoch touched, one in [`SAMPLED`] by the hash of the id; some more than once.
    touched: Vec<Slot>,
}

const BLOCK: usize = 4096;
/// One in so many customers is in an epoch's sample.
const SAMPLED: u32 = 16;

impl Customers {
    /// How many entities there are of a kind.
    pub(super) const fn len(&self, kind: EntityKind) -> usize {
        self.known[kind as usize]
    }

    /// How many there are of all kinds.
    pub(super) fn entities(&self) -> usize {
        self.places() as usize - self.vacant.len()
    }

    /// Slots made so far.
    pub(super) fn places(&self) -> Slot {
        let last = self.blocks.last().map_or(0, Vec::len);
        let places = self.blocks.len().saturating_sub(1) * BLOCK + last;
        Slot::try_from(places).expect("a task holds fewer than 2^32 customers")
    }

    /// Each of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Customer> {
        self.blocks.iter().flatten().filter(|customer| !customer.is_vacant())
    }

    /// The entities that a group's events are about, made on first sight; `None` for a dead letter, for what is
    /// about nobody, and for whoever was erased. What they will touch is on its way to the processor afterwards.
    pub(super) fn meet(&mut self, records: &[Record], rules: &Ruleset, erased: &Erased) -> [Option<Slot>; GROUP] {
        let mut hashes = [0; GROUP];
        for (hash, record) in hashes.iter_mut().zip(records) {
            *hash = with_entity(record, rules).map_or(0, |event| hash_of(&id_of(event)));
        }
        let mut slots = [None; GROUP];
        for ((slot, hash), _) in slots.iter_mut().zip(hashes).zip(records) {
            *slot = self.slots.find(spread(hash), |(other, _)| *other == hash).map(|(_, slot)| *slot);
        }
        let known = || slots.iter().flatten().map(|slot| &self[*slot]);
        black_box(known().map(Customer::touch).fold(0, |sum, touched| sum ^ touched));
        black_box(known().map(Customer::touch_beyond).fold(0, |sum, touched| sum ^ touched));
        for ((slot, hash), record) in slots.iter_mut().zip(hashes).zip(records) {
            *slot =
                with_entity(record, rules).and_then(|event| self.slot_of(id_of(event), (hash, *slot), rules, erased));
            if hash.is_multiple_of(SAMPLED) {
                self.touched.extend(*slot);
            }
        }
        slots
    }

    /// Takes in a customer from elsewhere; `None` if there is one of the id.
    pub(super) fn admit(&mut self, customer: Customer) -> Option<Slot> {
        let hash = hash_of(&customer.id);
        let is_it = |(other, slot): &(u32, Slot)| *other == hash && self[*slot].id == customer.id;
        if self.slots.find(spread(hash), is_it).is_some() {
            return None;
        }
        Some(self.push(customer, hash))
    }

    /// Makes room for so many more, so that the table of ids need not grow step by step.
    pub(super) fn reserve(&mut self, customers: usize) {
        self.slots.reserve(customers, |(hash, _)| spread(*hash));
    }

    /// Forgets whom an epoch touched: another one begins.
    pub(super) fn begin_epoch(&mut self) {
        self.touched.clear();
    }

    /// Notes that time has touched a customer.
    pub(super) fn touch(&mut self, slot: Slot) {
        if hash_of(&self[slot].id).is_multiple_of(SAMPLED) {
            self.touched.push(slot);
        }
    }

    /// Each customer of the newest epoch's sample once.
    pub(super) fn sampled(&self) -> impl Iterator<Item = &Customer> {
        let mut slots = self.touched.clone();
        slots.sort_unstable();
        slots.dedup();
        // Whoever was there may have been erased, and somebody else be there now.
        slots
            .into_iter()
            .map(|slot| &self[slot])
            .filter(|it| !it.is_vacant() && hash_of(&it.id).is_multiple_of(SAMPLED))
    }

    /// Puts slots in the order of their customers' ids.
    pub(super) fn sort(&self, slots: &mut [Slot]) {
        black_box(slots.iter().fold(0, |sum, slot| sum ^ self[*slot].id.as_str().len()));
        slots.sort_by(|l, r| self[*l].id.cmp(&self[*r].id));
    }

    /// Takes somebody out with all that is remembered of them; says who it was. What is queued for the slot finds
    /// nobody, or somebody else, of whom nothing is due.
    pub(super) fn remove(&mut self, slot: Slot) -> CustomerId {
        let customer = std::mem::replace(&mut self[slot], Customer::vacant());
        let hash = hash_of(&customer.id);
        let found = self.slots.find_entry(spread(hash), |(_, other)| *other == slot);
        found.expect("who has a slot is in the table").remove();
        self.vacant.push(slot);
        self.known[customer.id.kind() as usize] -= 1;
        customer.id
    }

    /// An entity, where there is one of this id.
    pub(super) fn known(&self, id: &CustomerId) -> Option<&Customer> {
        self.slot_of_known(id).map(|slot| &self[slot])
    }

    /// Where an entity is kept, where there is one of this id.
    pub(super) fn slot_of_known(&self, id: &CustomerId) -> Option<Slot> {
        let hash = hash_of(id);
        let is_it = |(other, slot): &(u32, Slot)| *other == hash && self[*slot].id == *id;
        self.slots.find(spread(hash), is_it).map(|(_, slot)| *slot)
    }

    /// Where an entity is kept, made on first sight; `None` for whoever was erased.
    pub(super) fn meet_one(&mut self, id: &CustomerId, rules: &Ruleset, erased: &Erased) -> Option<Slot> {
        let slot = self.slot_of(Cow::Borrowed(id), (hash_of(id), None), rules, erased)?;
        self.touch(slot);
        Some(slot)
    }

    fn slot_of(
        &mut self,
        id: Cow<'_, CustomerId>,
        (hash, guess): (u32, Option<Slot>),
        rules: &Ruleset,
        erased: &Erased,
    ) -> Option<Slot> {
        if let Some(slot) = guess.filter(|slot| self[*slot].id == *id) {
            return Some(slot);
        }
        let is_it = |(other, slot): &(u32, Slot)| *other == hash && self[*slot].id == *id;
        if let Some((_, slot)) = self.slots.find(spread(hash), is_it) {
            return Some(*slot);
        }
        // Whoever was erased is in no slot: only here must it be asked.
        if erased.contains(&id) {
            return None;
        }
        Some(self.push(Customer::new(id.into_owned(), rules), hash))
    }

    fn push(&mut self, customer: Customer, hash: u32) -> Slot {
        self.known[customer.id.kind() as usize] += 1;
        let slot = self.place(customer);
        self.slots.insert_unique(spread(hash), (hash, slot), |(hash, _)| spread(*hash));
        slot
    }

    fn place(&mut self, customer: Customer) -> Slot {
        if let Some(slot) = self.vacant.pop() {
            self[slot] = customer;
            return slot;
        }
        let slot = self.places();
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        self.blocks.last_mut().expect("there is room").push(customer);
        slot
    }
}

/// Keeping the customers of one moment while they go on.
impl Customers {
    /// Freezes them all; `digest` is that of the rest of the state. What was frozen before is given up.
    pub(super) fn freeze(&mut self, digest: u128) {
        self.frozen = Some(Box::new(Frozen::new(self.places(), digest)));
    }

    /// Gives up what is frozen.
    pub(super) fn thaw(&mut self) {
        self.frozen = None;
    }

    /// Appends about so many customers to a block, as they were when they were frozen; says what was appended since.
    /// `None` once there are no more, which thaws.
    pub(super) fn encode(&mut self, customers: usize, block: &mut Vec<u8>) -> Option<Encoded> {
        let mut frozen = self.frozen.take()?;
        let turns = frozen.turns(customers)?;
        let slots: Vec<Slot> = turns.collect();
        for group in slots.chunks(GROUP) {
            let touched = group.iter().map(|slot| &self[*slot]);
            black_box(touched.clone().fold(0, |sum, customer| sum ^ customer.touch()));
            black_box(touched.fold(0, |sum, customer| sum ^ customer.touch_beyond()));
            for slot in group {
                frozen.give(*slot, &self[*slot], block);
            }
        }
        let given = frozen.given();
        self.frozen = Some(frozen);
        Some(given)
    }
}

impl Index<Slot> for Customers {
    type Output = Customer;

    fn index(&self, slot: Slot) -> &Customer {
        &self.blocks[slot as usize / BLOCK][slot as usize % BLOCK]
    }
}

impl IndexMut<Slot> for Customers {
    fn index_mut(&mut self, slot: Slot) -> &mut Customer {
        let customer = &mut self.blocks[slot as usize / BLOCK][slot as usize % BLOCK];
        if let Some(frozen) = &mut self.frozen {
            frozen.keep(slot, customer);
        }
        customer
    }
}

/// The event of a record, where there is one and it is about a customer, or an account that anything is asked of.
fn with_entity<'a>(record: &'a Record, rules: &Ruleset) -> Option<&'a Event> {
    let is_told = |kind: Kind| kind.has_customer() || kind == Kind::Account && rules.plan.uses_accounts;
    record.body.as_ref().ok().filter(|event| is_told(event.kind()))
}

/// Whose state an event touches. An author known by handle only is remembered apart: no customer id holds the mark
/// that starts the key.
fn id_of(event: &Event) -> Cow<'_, CustomerId> {
    match &event.customer {
        Some(id) => Cow::Borrowed(id),
        None => Cow::Owned(event.entity_id()),
    }
}

fn hash_of(id: &CustomerId) -> u32 {
    let hash = xxhash_rust::xxh3::xxh3_64(id.as_str().as_bytes());
    (hash >> 32) as u32
}

/// The table reads both ends of a hash.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}
