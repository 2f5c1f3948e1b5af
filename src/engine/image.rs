//! The engine's state as bytes, and back: frozen at one moment, encoded in slices while the engine goes on.
//!
//! A state is a head, and customers in blocks. Each block is a Protocol Buffers message with one field, 1, repeated:
//! a customer, whose fields are told where they are written. So blocks may be joined or parted between customers. What
//! happens between freezing and encoding changes no byte. Only the order of the customers is no part of the state: a
//! restored engine closes the gaps that erasures left.
//!
//! Restored are the clock and the customers; the queues follow from these. The counters start anew. Only bytes whose
//! checksum was compared are to be read here: what is out of any range is refused, so that nothing damaged is worked
//! with for long, but a number that is wrong and possible only the digest can tell.

pub(super) mod blob;
mod customer;
pub(super) mod frozen;
mod parts;
pub(super) mod wire;

use std::sync::Arc;

use prost::Message;

use super::customer::Customer;
use super::effects::Home;
use super::erased::{Erased, ErasedImage};
use super::{Engine, TimeMode};
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;
use wire::{Flaw, Reader, Writer};

/// Why bytes are no state of an engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("{0}")]
    Invalid(String),
}

/// What of a frozen state was encoded, since it was frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    pub customers: u64,
    /// Equals [`Engine::digest`] of the moment it was frozen, once all of it was encoded.
    pub digest: u128,
}

/// What of the state is no customer's. Field numbers are never reused.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Head {
    /// Of the form of heads and customers.
    #[prost(uint32, tag = "1")]
    version: u32,
    /// Hash of the ruleset that the customers are laid out by.
    #[prost(string, tag = "2")]
    ruleset: String,
    #[prost(sint64, tag = "3")]
    clock_ms: i64,
    #[prost(sint64, tag = "4")]
    wall_ms: i64,
    /// Due deadlines were left for the next epoch.
    #[prost(bool, tag = "5")]
    behind: bool,
    #[prost(uint64, tag = "6")]
    customers: u64,
    #[prost(message, optional, tag = "7")]
    erased: Option<ErasedImage>,
    /// Effects that wait, in the form of `postcard`.
    #[prost(bytes = "vec", tag = "8")]
    effects: Vec<u8>,
    /// Rates, in the form of `postcard`.
    #[prost(bytes = "vec", tag = "9")]
    rates: Vec<u8>,
    /// Agents and how well they resolve, in the form of `postcard`.
    #[prost(bytes = "vec", tag = "12")]
    agents: Vec<u8>,
    /// What is to be said at the next settlement, and what the settler knows, in the form of `postcard`.
    #[prost(bytes = "vec", tag = "13")]
    settlement: Vec<u8>,
    /// The instant at hand: what is caused by something late is not in force before it.
    #[prost(sint64, tag = "14")]
    now_ms: i64,
}

/// The form written and read. A field added to it, too, makes another one: a build that does not know the field must
/// not read the rest.
const VERSION: u32 = 3;

/// Room made ahead for customers is bounded, since a number is easily wrong.
const MOST_AHEAD: u64 = 1 << 25;

impl Engine {
    /// Freezes the state: [`Engine::encode`] gives it as it is now, whatever is applied meanwhile. Returns what is no
    /// customer's, encoded. What was frozen before is given up.
    ///
    /// Until all is encoded or thawed, each customer that changes before its turn is kept as bytes.
    pub fn freeze(&mut self) -> Vec<u8> {
        let parts = self.parts();
        self.customers.freeze(self.head_digest(&parts));
        let [effects, rates, agents, settlement] = parts.map(|(bytes, _)| bytes);
        let head = Head {
            version: VERSION,
            ruleset: self.rules.hash().to_owned(),
            clock_ms: self.clock.0,
            wall_ms: self.wall.0,
            behind: self.behind,
            customers: self.customers.entities() as u64,
            erased: Some(self.erased.encode()),
            effects,
            rates,
            agents,
            settlement,
            now_ms: self.now.0,
        };
        head.encode_to_vec()
    }

    /// Appends the next frozen customers, about as many as asked for, to a block: blocks may end anywhere between two
    /// calls. `None` once there are no more; then nothing is frozen any longer.
    pub fn encode(&mut self, customers: usize, block: &mut Vec<u8>) -> Option<Encoded> {
        self.customers.encode(customers, block)
    }

    /// Gives up what was frozen.
    pub fn thaw(&mut self) {
        self.customers.thaw();
    }

    /// An engine as it was frozen, without its customers.
    ///
    /// # Errors
    /// The bytes are no state of this build, or of other rules.
    pub fn restore(
        rules: Arc<Ruleset>,
        app: &str,
        mode: TimeMode,
        home: Home,
        frozen: &[u8],
    ) -> Result<Self, ImageError> {
        let invalid = |reason: String| Err(ImageError::Invalid(reason));
        let head = match Head::decode(frozen) {
            Ok(head) => head,
            Err(error) => return invalid(format!("the head of a state is damaged: {error}")),
        };
        let Head { version, ruleset, customers, erased, effects, rates, agents, settlement, .. } = head;
        if version != VERSION {
            return invalid(format!("a state of form {version}, this build reads {VERSION}"));
        }
        if ruleset != rules.hash() {
            return invalid(format!("a state of ruleset {ruleset}, not {}", rules.hash()));
        }
        let mut engine = Self::new(rules, app, mode, home);
        let unreadable = |what: &str| ImageError::Invalid(format!("{what} that cannot be read"));
        engine.effects = blob::decode(&effects).map_err(|_| unreadable("effects"))?;
        engine.rates = blob::decode(&rates).map_err(|_| unreadable("rates"))?;
        engine.agents = blob::decode(&agents).map_err(|_| unreadable("agents"))?;
        engine.settlement = blob::decode(&settlement).map_err(|_| unreadable("a settlement"))?;
        (engine.clock, engine.wall, engine.now) =
            (EventTime(head.clock_ms), EventTime(head.wall_ms), EventTime(head.now_ms));
        engine.behind = head.behind;
        engine.erased = erased.map(|erased| Erased::decode(&erased)).unwrap_or_default();
        engine.customers.reserve(usize::try_from(customers.min(MOST_AHEAD)).unwrap_or_default());
        Ok(engine)
    }

    /// Takes in the customers of a block; says how many.
    ///
    /// # Errors
    /// The bytes are no customers of this build, or of other rules. The engine is of no use then.
    pub fn admit(&mut self, block: &[u8]) -> Result<u64, ImageError> {
        let mut admitted = 0;
        let mut from = Reader(block);
        loop {
            match self.admit_next(&mut from) {
                Ok(true) => admitted += 1,
                Ok(false) => return Ok(admitted),
                Err(Flaw(reason)) => return Err(ImageError::Invalid(format!("customer {admitted}: {reason}"))),
            }
        }
    }

    /// Takes in one customer, if there is one.
    fn admit_next(&mut self, from: &mut Reader<'_>) -> Result<bool, Flaw> {
        let Some((tag, field)) = from.next()? else { return Ok(false) };
        if tag != u64::from(frozen::CUSTOMERS) {
            return Err(wire::UNKNOWN);
        }
        let customer = Customer::decode(field.bytes()?, &self.rules)?;
        self.merges |= customer.merged_into().is_some();
        let look = customer.look_pending.then_some(customer.as_of);
        let slot = self.customers.admit(customer).ok_or(Flaw("one of that id is there already"))?;
        if let Some(at) = look {
            self.looks.push(at, slot);
        }
        self.requeue(slot);
        self.note_restored(slot);
        self.count_restored_member(slot);
        self.note_all_foreign(slot);
        self.note_holding(slot);
        Ok(true)
    }

    /// A digest of every customer, the same in whatever order they were met, of a restored engine and of one that
    /// never stopped: the sum of the XXH3 (128 bits) of each one's encoding, of who was erased, and of what is still to be in
    /// force.
    pub fn digest(&self) -> u128 {
        let mut buffer = Vec::new();
        let digests = self.customers.iter().map(|customer| {
            buffer.clear();
            customer.encode(&mut Writer(&mut buffer));
            xxhash_rust::xxh3::xxh3_128(&buffer)
        });
        digests.fold(self.head_digest(&self.parts()), u128::wrapping_add)
    }

    /// What is no customer's and is written whole, with its share of the digest.
    fn parts(&self) -> [(Vec<u8>, u128); 4] {
        [
            blob::digested(&self.effects),
            blob::digested(&self.rates),
            blob::digested(&self.agents),
            blob::digested(&self.settlement),
        ]
    }

    /// Digest of what is no customer's.
    fn head_digest(&self, parts: &[(Vec<u8>, u128); 4]) -> u128 {
        parts.iter().map(|(_, digest)| *digest).fold(self.erased.digest(), u128::wrapping_add)
    }

    /// Digest of the customers that the newest epoch touched, by a record, a deadline or a look, as they are now; one
    /// in sixteen, by the hash of the id. Like [`Engine::digest`] it does not depend on what happened before.
    pub fn sample_digest(&self) -> u64 {
        let mut buffer = Vec::new();
        let digests = self.customers.sampled().map(|customer| {
            buffer.clear();
            customer.encode(&mut Writer(&mut buffer));
            xxhash_rust::xxh3::xxh3_64(&buffer)
        });
        digests.fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests;
