//! A lasting change in what one customer does, as it is told.

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::{Cause, Evidence, OutputId, Trigger};
use crate::model::id::CustomerId;
use crate::model::time::EventTime;
use crate::pivot::Pivot;

/// A lasting change in a customer's behaviour, or the end of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub event_id: OutputId,
    pub customer_id: CustomerId,
    /// The account that the customer's profile names.
    pub account_id: Option<CompactString>,
    pub status_seq: u64,
    pub occurred_at: EventTime,
    pub cause: Cause,
    pub trigger: Option<Trigger>,
    pub evidence: Vec<Evidence>,
    pub pivot: Pivot,
    /// Of one that was told later than it was found: when that was.
    pub found_at: Option<EventTime>,
    /// The event of the shift of the population of which it is a part.
    pub shift: Option<OutputId>,
    /// Version of the priors.
    pub priors: CompactString,
    /// In which amounts are.
    pub currency: CompactString,
    /// Labels that hold.
    pub labels: Vec<CompactString>,
}

/// Rounds what detectors reckon in floating point; a tie goes to the even digit. None for what is no number, and beyond what
/// decimals hold.
pub fn decimal(value: f64, places: u32) -> Option<Decimal> {
    Decimal::try_from(value).ok().map(|number| number.round_dp(places))
}

/// The `type` on the wire.
pub const TYPE: &str = "behavior.pivot";
