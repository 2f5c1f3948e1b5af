//! What people decide: overrides, and what they did about alerts. Nothing of it holds for ever, and nothing is nobody's.

use super::super::envelope::Common;
use super::super::fault::Fault;
use super::super::field::Field;
use super::super::fields::{AcknowledgementFields, MakeVipFields, OverrideFields, of_object};
use crate::model::event::{Acknowledgement, Body, Kind, MakeVip, Override, OverrideAction};
use crate::model::record::Code;
use crate::model::time::EventTime;

/// What is said where the customer is missing.
pub(super) const fn without_customer(kind: Kind) -> &'static str {
    match kind {
        Kind::Override => "field `customer_id` is missing, and so is `account_id`, which may stand in its place",
        Kind::Acknowledgement => {
            "field `customer_id` is missing: the alert names it; an author known by handle alone cannot be made a VIP"
        }
        _ => "field `customer_id` is missing",
    }
}

/// A person's decision. Only a lift has no end.
pub(super) fn override_(common: &Common, f: &OverrideFields<'_>) -> Result<Body, Fault> {
    let action = f.action().choice()?;
    let expires_at = match action {
        OverrideAction::Lift => None,
        OverrideAction::Grant | OverrideAction::Deny => Some(end(f.expires_at(), common)?),
    };
    Ok(Body::Override(Box::new(Override {
        override_id: f.override_id().id()?,
        action,
        programme: f.programme().id()?,
        by: f.by().id()?,
        reason: f.reason().sentence()?,
        expires_at,
        tier: f.tier().id_opt()?,
        approved_by: f.approved_by().id_opt()?,
        case_id: f.case_id().id_opt()?,
        account_id: if common.customer.is_none() { f.account_id().id_opt()? } else { None },
    })))
}

/// What somebody did about an alert.
pub(super) fn acknowledgement(common: &Common, f: &AcknowledgementFields<'_>) -> Result<Body, Fault> {
    Ok(Body::Acknowledgement(Box::new(Acknowledgement {
        alert_id: f.alert_id().id()?,
        action: f.action().choice()?,
        by: f.by().id()?,
        note: f.note().sentence_opt()?,
        make_vip: make_vip(common, f.make_vip())?,
    })))
}

fn make_vip(common: &Common, field: Field<'_>) -> Result<Option<MakeVip>, Fault> {
    let Some(text) = field.object_opt()? else { return Ok(None) };
    let f = of_object::<MakeVipFields<'_>>(text)?;
    Ok(Some(MakeVip { programme: f.programme().id()?, expires_at: end(f.expires_at(), common)? }))
}

/// When it ends: after it was decided.
fn end(field: Field<'_>, common: &Common) -> Result<EventTime, Fault> {
    let Some(end) = field.time_opt()? else {
        let message = "field `expires_at` is missing: what a person decides against the rule needs an end";
        return Err(Fault::new(Code::MissingField, message));
    };
    if end <= common.at {
        let message = format!("field `expires_at` is {end}; it must be after `occurred_at`, which is {}", common.at);
        return Err(Fault::new(Code::OutOfRange, message));
    }
    Ok(end)
}
