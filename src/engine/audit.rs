//! Decisions that nobody sees: the rule says no, or another tier, and tenure or grace hold what is held.
//!
//! Each is said when it begins and, if it ends without a visible change, when it ends; not at the looks between.

use compact_str::CompactString;

use super::customer::Customer;
use super::look::Occasion;
use crate::model::output::overridden::Overridden;
use crate::model::output::{Audit, Evidence, Output};
use crate::model::time::EventTime;

/// A decision about a programme held, before the standing after the look is known.
pub(super) struct Unseen {
    pub(super) programme: CompactString,
    pub(super) decision: &'static str,
    pub(super) until: Option<EventTime>,
    pub(super) tiers: Option<[Option<CompactString>; 2]>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) overridden: Option<Box<Overridden>>,
}

/// Says them, each with the standing after the whole look.
pub(super) fn say(customer: &Customer, occasion: &Occasion<'_>, unseen: Vec<Unseen>, outputs: &mut Vec<Output>) {
    for Unseen { programme, decision, until, tiers, evidence, overridden } in unseen {
        outputs.push(Output::Audit(Box::new(Audit {
            event_id: occasion.id(TYPE, customer.id.as_str(), &programme, decision, customer.as_of),
            customer_id: customer.id.clone(),
            account_id: customer.account_id().map(CompactString::from),
            status_seq: u64::from(customer.seq),
            occurred_at: customer.as_of,
            cause: occasion.cause(),
            trigger: occasion.trigger(),
            evidence,
            programme,
            decision,
            reason: None,
            until,
            tiers,
            standing: customer.standing_names(occasion.rules),
            overridden,
        })));
    }
}

/// The `type` on the wire.
pub(super) const TYPE: &str = "decision";
