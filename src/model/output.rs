//! What the engine emits: decisions, standings, alerts, dead letters, each with its evidence.
//!
//! Field order is the order on the wire; `codec/output.rs` writes it.

pub mod insight;
pub mod overridden;
pub mod pivot;
pub mod status;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::id::CustomerId;
use super::record::{DeadLetter, Position};
use super::time::EventTime;
use crate::pivot::budget::Grade;
use insight::Insight;
use overridden::Overridden;
use status::Status;

/// 128-bit identity of an output, 32 hex digits on the wire. The same decision has the same on every replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputId(pub u128);

impl OutputId {
    /// Hashes what identifies an output: app, type, entity, name (programme, label or alert), reason,
    /// `occurred_at`, kind of trigger and its business key (`timer` and empty for a deadline).
    ///
    /// Parts are length-prefixed, so that no two lists of parts read alike.
    pub fn of(parts: &[&str], occurred_at: EventTime) -> Self {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for part in parts {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(&occurred_at.0.to_le_bytes());
        Self(hash.digest128())
    }
}

/// 32 hex digits.
impl std::fmt::Display for OutputId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One output, by the topic it goes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To `vip.events`, keyed by customer.
    Decision(Box<Decision>),
    /// To `vip.alerts`, keyed by customer, or by `platform:handle` where the author is unknown.
    Alert(Box<Alert>),
    /// To `vip.status`, keyed by customer.
    Status(Box<Status>),
    /// To `vip.audit`, keyed by customer.
    Audit(Box<Audit>),
    /// To `vip.insights`, keyed by what it is about.
    Insight(Box<Insight>),
    /// To `vip.pivots`, keyed by customer.
    Pivot(Box<pivot::Found>),
    /// To `vip.dlq`.
    DeadLetter(Position, Box<DeadLetter>),
}

/// What caused an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    pub position: Position,
    pub event_id: CompactString,
}

/// Why an output came about: by whose hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// An event; `live` or `replay` on the wire.
    Event,
    /// Time alone.
    Timer,
    /// A person's decision.
    Override,
}

/// A change of a customer's standing or labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub event_id: OutputId,
    /// The customer's, or an account's.
    pub customer_id: CustomerId,
    /// The account itself, or the one that the customer's profile names.
    pub account_id: Option<CompactString>,
    /// From 1, one more for each output about the customer in `vip.events`.
    pub status_seq: u64,
    pub occurred_at: EventTime,
    pub cause: Cause,
    pub trigger: Option<Trigger>,
    pub evidence: Vec<Evidence>,
    pub change: Change,
    /// What a person decided about the programme, while it holds and as it ends.
    pub overridden: Option<Box<Overridden>>,
}

/// What changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Granted {
        programme: CompactString,
        profile: CompactString,
        tier: Option<CompactString>,
        /// From 1, among those who hold the programme's places.
        rank: Option<u32>,
        /// End of the subscription that the programme's `keep` reads as `subscribed`.
        valid_until: Option<EventTime>,
        routing: Option<Routing>,
        greeting: Option<String>,
        entitlements: Vec<CompactString>,
        /// Place of the programme in the ruleset, from 1: its precedence.
        priority: u32,
        weight: Weight,
        standing: Vec<CompactString>,
    },
    Revoked {
        programme: CompactString,
        reason: &'static str,
        /// The `event_id` of the grant that ends.
        revokes: OutputId,
        standing: Vec<CompactString>,
    },
    Changed {
        programme: CompactString,
        /// `tier_rise`, `tier_fall`, `kept`, `override` or `override_ended`.
        reason: &'static str,
        from: Option<CompactString>,
        to: Option<CompactString>,
        weight: Weight,
        standing: Vec<CompactString>,
    },
    Expiring {
        programme: CompactString,
        /// End of the grace: still false then, the programme is revoked.
        valid_until: EventTime,
        /// The rows of `evidence` that do not hold: what is missing to stay.
        missing: Vec<Evidence>,
        standing: Vec<CompactString>,
    },
    Waitlisted {
        programme: CompactString,
        /// From 1, on the list of those who wait.
        rank: u32,
        /// What the budget ranks by, and the least that has a place.
        value: Option<Scalar>,
        cut: Option<Scalar>,
        places: u64,
        /// As of when it was decided.
        settled_at: EventTime,
        standing: Vec<CompactString>,
    },
    Entered {
        label: CompactString,
        definition: CompactString,
    },
    Left {
        label: CompactString,
        definition: CompactString,
    },
}

impl Change {
    /// The `type` on the wire.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Granted { .. } => "vip.granted",
            Self::Revoked { .. } => "vip.revoked",
            Self::Changed { .. } => "vip.changed",
            Self::Expiring { .. } => "vip.expiring",
            Self::Waitlisted { .. } => "vip.waitlisted",
            Self::Entered { .. } => "cohort.entered",
            Self::Left { .. } => "cohort.left",
        }
    }

    /// The programme or label it is about.
    pub fn name(&self) -> &str {
        match self {
            Self::Granted { programme, .. }
            | Self::Revoked { programme, .. }
            | Self::Changed { programme, .. }
            | Self::Expiring { programme, .. }
            | Self::Waitlisted { programme, .. } => programme,
            Self::Entered { label, .. } | Self::Left { label, .. } => label,
        }
    }
}

/// A weight in the figures, as the ruleset states it.
pub type Weight = Scalar;

/// Where the next contact goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Routing {
    pub team: Option<CompactString>,
    /// The first choice, where there is anybody.
    pub agent: Option<CompactString>,
    /// The profile's preferred channel.
    pub channel: Option<CompactString>,
    /// Why the agent: `account_manager`, `last_resolved`, `familiar` or `resolves_well`; `team` without one.
    pub reason: &'static str,
    /// Whom to turn to next, in order.
    pub fallbacks: Vec<Fallback>,
}

/// Another choice than the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Fallback {
    /// `None` for the team as a whole.
    pub agent: Option<CompactString>,
    pub team: Option<CompactString>,
    /// `resolves_well` or `team`.
    pub reason: &'static str,
    /// Of an agent: how large a part of the cases resolved lately was resolved well, to two decimals.
    pub share: Option<Decimal>,
}

/// Something an agent should act on at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub event_id: OutputId,
    /// The same for all that is said of one complaint: once its author is known, it is said again, with the same id.
    pub alert_id: OutputId,
    pub name: CompactString,
    pub kind: &'static str,
    /// `None` where the author of a mention is known by handle only.
    pub customer_id: Option<CustomerId>,
    /// The one that the customer's profile names.
    pub account_id: Option<CompactString>,
    /// The customer's `status_seq` after the look; 0 for an unknown author.
    pub status_seq: u64,
    pub occurred_at: EventTime,
    pub cause: Cause,
    /// None where time alone brought it.
    pub trigger: Option<Trigger>,
    pub evidence: Vec<Evidence>,
    /// Of one on a pivot: how sure one was, and the pivot's event.
    pub pivot: Option<(Grade, OutputId)>,
    pub severity: CompactString,
    pub due_at: Option<EventTime>,
    pub expires_at: Option<EventTime>,
    /// Platform and handle to answer on, for alerts on a mention.
    pub reply_on: Option<(CompactString, CompactString)>,
    pub routing: Option<Routing>,
    pub greeting: Option<String>,
    /// The customer's name where a profile gives one.
    pub customer_name: Option<CompactString>,
    pub standing: Vec<CompactString>,
}

/// A decision about a programme held that changed nothing which others see.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    pub event_id: OutputId,
    /// The customer's, or an account's.
    pub customer_id: CustomerId,
    /// The account itself, or the one that the customer's profile names.
    pub account_id: Option<CompactString>,
    /// The customer's `status_seq` after the look.
    pub status_seq: u64,
    pub occurred_at: EventTime,
    pub cause: Cause,
    pub trigger: Option<Trigger>,
    pub evidence: Vec<Evidence>,
    pub programme: CompactString,
    /// `held_by_tenure`, `kept_in_tenure`, `tier_held` or `tier_kept`; of what a person decided `kept_by_override`,
    /// `denied_by_override`, `rule_agrees`, `override_refused` or `tier_refused`.
    pub decision: &'static str,
    /// Why something is refused.
    pub reason: Option<&'static str>,
    /// Until when what is held is held against the rule.
    pub until: Option<EventTime>,
    /// The tier held and the lower one that the rule gives.
    pub tiers: Option<[Option<CompactString>; 2]>,
    pub standing: Vec<CompactString>,
    /// What a person decided about the programme.
    pub overridden: Option<Box<Overridden>>,
}

/// One fact that a decision rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The fact's name: a feature, another fact, `days_since(x)`, or `event.FIELD`.
    pub feature: CompactString,
    /// As the ruleset writes it (`365d`, `year`); `None` for a lifetime and for facts that are no feature.
    pub window: Option<CompactString>,
    /// Null where the fact is missing.
    pub value: Option<Scalar>,
    /// The constant that the expression compares the fact with, where it does.
    pub threshold: Option<Scalar>,
    /// The comparison, with the fact on its left.
    pub op: Option<&'static str>,
    /// Whether the comparison holds; for a bare boolean fact, the fact; null where it is in error.
    pub holds: Option<bool>,
    /// The newest contributions in the window, newest first, at most three.
    /// Of what all customers have: as of when.
    pub settled_at: Option<EventTime>,
    pub sample: Vec<Position>,
}

/// A value in evidence. Ints are JSON numbers, decimals strings without trailing zeros, times RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Scalar {
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(CompactString),
    Time(EventTime),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Decimal(value) => value.normalize().fmt(f),
            Self::Text(value) => value.fmt(f),
            Self::Time(value) => value.fmt(f),
        }
    }
}

impl Output {
    /// The default topic's name.
    pub const fn topic(&self) -> &'static str {
        match self {
            Self::Decision(_) => "vip.events",
            Self::Alert(_) => "vip.alerts",
            Self::Status(_) => "vip.status",
            Self::Audit(_) => "vip.audit",
            Self::Insight(it) if it.finding.is_of_pivots() => "vip.pivots",
            Self::Insight(_) => "vip.insights",
            Self::Pivot(_) => "vip.pivots",
            Self::DeadLetter(..) => "vip.dlq",
        }
    }
}
