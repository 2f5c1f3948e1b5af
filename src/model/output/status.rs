//! A customer's or account's whole standing, for readers who know the latest record of a key and nothing else.
//!
//! Field order is the order on the wire; `codec/output/status.rs` writes it.

use compact_str::CompactString;

use super::{Cause, Evidence, OutputId, Routing, Scalar, Trigger, Weight};
use crate::model::id::CustomerId;
use crate::model::time::EventTime;

/// Where a customer stands from now on.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    pub event_id: OutputId,
    pub customer_id: CustomerId,
    /// That of the customer's newest decision.
    pub status_seq: u64,
    pub occurred_at: EventTime,
    pub cause: Cause,
    pub trigger: Option<Trigger>,
    /// `None` once the customer is erased, or nothing is left of the account: whatever was said before is to be forgotten.
    pub content: Option<Content>,
}

/// All that a router needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// From the profile; an account's own.
    pub account_id: Option<CompactString>,
    pub name: Option<CompactString>,
    /// Whose standing holds for this one.
    pub merged_into: Option<CompactString>,
    /// Names of the programmes held, by precedence.
    pub standing: Vec<CompactString>,
    pub programmes: Vec<Membership>,
    pub labels: Vec<CompactString>,
    pub weight: Weight,
    /// Of the first programme held that says.
    pub routing: Option<Routing>,
    /// Of the first programme held that has one.
    pub greeting: Option<String>,
    /// Of all programmes held, each once.
    pub entitlements: Vec<CompactString>,
    /// The profile's preferred channel.
    pub channel: Option<CompactString>,
    /// Of every programme of the ruleset, held or not; of an account, of those that apply to accounts.
    pub progress: Vec<Progress>,
}

/// A programme held.
#[derive(Clone, Debug, PartialEq)]
pub struct Membership {
    pub programme: CompactString,
    pub profile: CompactString,
    pub tier: Option<CompactString>,
    pub since: EventTime,
    /// End of the grace where it expires, else of the subscription that `keep` reads.
    pub valid_until: Option<EventTime>,
}

/// How far a customer is from being granted a programme.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub programme: CompactString,
    pub held: bool,
    /// What its `grant` reads, without samples.
    pub rows: Vec<Evidence>,
    /// Of whoever waits for a place.
    pub waitlist: Option<Waitlist>,
}

/// A place on the list of those who wait, as last told.
#[derive(Clone, Debug, PartialEq)]
pub struct Waitlist {
    /// From 1.
    pub rank: u32,
    pub value: Option<Scalar>,
    pub cut: Option<Scalar>,
    /// Since when they qualify.
    pub since: EventTime,
}
