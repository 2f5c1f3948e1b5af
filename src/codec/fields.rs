//! The fields of each kind, by the names of the contract: where a record's values are put while it is read.

use super::fault::Fault;
use super::field::Field;
use super::json::{self, Value};
use crate::model::record::Code;

/// A set of named places for values.
pub(super) trait Fields<'a>: Default {
    /// The place of the field of that name; `None` where the contract has none.
    fn place(&mut self, name: &str) -> Option<&mut Value<'a>>;
}

/// Puts a value into its place. Twice the same field is refused: which one holds would be a guess.
pub(super) fn put<'a>(place: &mut Value<'a>, name: &str, value: Value<'a>) -> Result<(), Fault> {
    if *place != Value::Missing {
        return Err(Fault::new(Code::InvalidJson, format!("field `{name}` occurs twice")));
    }
    *place = value;
    Ok(())
}

/// The fields of an object within a record. Unknown ones are ignored.
pub(super) fn of_object<'a, F: Fields<'a>>(text: &'a str) -> Result<F, Fault> {
    let mut fields = F::default();
    json::object(text, |name, value| match fields.place(name) {
        Some(place) => put(place, name, value),
        None => Ok(()),
    })?;
    Ok(fields)
}

/// Declares a set of fields: a place and a reader for each.
macro_rules! fields {
    ($(#[$doc:meta])* $type:ident { $($field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $type<'a> {
            $($field: Value<'a>),+
        }

        impl<'a> $type<'a> {
            $(
                pub(super) fn $field(&self) -> Field<'a> {
                    Field { name: stringify!($field), value: self.$field }
                }
            )+
        }

        impl<'a> Fields<'a> for $type<'a> {
            fn place(&mut self, name: &str) -> Option<&mut Value<'a>> {
                match name {
                    $(stringify!($field) => Some(&mut self.$field),)+
                    _ => None,
                }
            }
        }
    };
}

fields! {
    /// What may stand around a kind's own fields, plain or as `CloudEvents` has it.
    EnvelopeFields { event_id, customer_id, occurred_at, specversion, id, subject, time, data }
}

fields! {
    PurchaseFields {
        order_id, amount, currency, status, refund_id, refunds_order_at, category, channel, items, account_id,
        subscription, test,
    }
}

fields! {
    SubscriptionFields { plan, period_end }
}

fields! {
    CsatFields {
        interaction_id, score, scale_max, scale_min, instrument, higher_is_better, revision, case_id, agent_id,
        channel, comment,
    }
}

fields! {
    MentionFields {
        platform, handle, public, post_id, activity, text, lang, sentiment, followers, reach, bot_score, url,
        in_reply_to,
    }
}

fields! {
    ReferralFields { referred_customer_id, status, referral_id, value, currency, order_id, program }
}

fields! {
    PresenceFields { session_id, state, channel, page, device, ttl_s }
}

fields! {
    CaseFields {
        case_id, version, state, agent_id, team, priority, channel, opened_at, first_response_at, solved_at,
        reopens, transfers, sla_breached, exception,
    }
}

fields! {
    ExceptionFields { kind, approved_by }
}

fields! {
    EngagementFields { engagement_id, action, campaign_id, channel, machine }
}

fields! {
    OverrideFields {
        override_id, action, programme, by, reason, expires_at, tier, approved_by, case_id, account_id,
    }
}

fields! {
    AcknowledgementFields { alert_id, action, by, note, make_vip }
}

fields! {
    MakeVipFields { programme, expires_at }
}

fields! {
    ErasureFields { request_id, deadline }
}

fields! {
    ProfileFields {
        version, name, account_id, handles, role, support_level, region, vertical, segment, account_manager,
        preferred_channel, timezone, merged_into, attributes,
    }
}

fields! {
    FxRateFields { base, quote, rate, valid_on }
}

fields! {
    AccountFields {
        account_id, version, name, parent_account_id, tier, icp_fit, account_manager, renewal_on, contract_value,
        attributes,
    }
}

fields! {
    AgentFields { agent_id, version, name, team, skills, state, capacity, open_cases }
}

fields! {
    HandleFields { platform, handle }
}
