//! The fields of an event, by the names of the contract.

use std::time::Duration;

use rust_decimal::Decimal;

use vipstream::model::event::{
    Action, Activity, Body, Case, CaseState, Csat, Engagement, Event, Mention, Presence, PresenceState, Purchase,
    PurchaseStatus, Referral, ReferralStatus,
};
use vipstream::model::time::EventTime;

use super::value::Value;

/// Whether a field is money, which rules read in their own currency.
pub(super) fn is_money(event: &Event, name: &str) -> bool {
    match event.body {
        Body::Purchase(_) => name == "amount",
        Body::Referral(_) => name == "value",
        _ => false,
    }
}

/// A field's value; `None`: the event does not have it.
pub(super) fn field(event: &Event, name: &str) -> Option<Value> {
    match name {
        "event_id" => return text(&event.event_id),
        "customer_id" => return event.customer.as_ref().and_then(|id| text(id.text())),
        "occurred_at" => return Some(Value::Time(event.at)),
        _ => {}
    }
    match &event.body {
        Body::Purchase(purchase) => of_purchase(purchase, name),
        Body::Csat(csat) => of_csat(csat, name),
        Body::Mention(mention) => of_mention(mention, name),
        Body::Referral(referral) => of_referral(referral, name),
        Body::Presence(presence) => of_presence(presence, name),
        Body::Case(case) => of_case(case, name),
        Body::Engagement(engagement) => of_engagement(engagement, name),
        _ => None,
    }
}

fn of_purchase(purchase: &Purchase, name: &str) -> Option<Value> {
    match name {
        "order_id" => text(&purchase.order_id),
        "amount" => Some(Value::Decimal(purchase.amount)),
        "currency" => text(&purchase.currency.0),
        "status" => text(match purchase.status {
            PurchaseStatus::Completed => "completed",
            PurchaseStatus::Refunded => "refunded",
            PurchaseStatus::Cancelled => "cancelled",
            PurchaseStatus::Disputed => "disputed",
        }),
        "refund_id" => text(&purchase.refund_id),
        "refunds_order_at" => time(purchase.refunds_order_at),
        "category" => optional(purchase.category.as_deref()),
        "channel" => optional(purchase.channel.as_deref()),
        "items" => purchase.items.map(Value::Int),
        "account_id" => optional(purchase.account_id.as_deref()),
        "test" => Some(Value::Bool(purchase.test)),
        _ => None,
    }
}

fn of_csat(csat: &Csat, name: &str) -> Option<Value> {
    match name {
        "interaction_id" => text(&csat.interaction_id),
        "satisfaction" => Some(Value::Decimal(csat.satisfaction)),
        "score" => Some(Value::Decimal(csat.score)),
        "scale_min" => Some(Value::Decimal(csat.scale_min)),
        "scale_max" => Some(Value::Decimal(csat.scale_max)),
        "instrument" => optional(csat.instrument.as_deref()),
        "revision" => Some(Value::Int(csat.revision)),
        "case_id" => optional(csat.case_id.as_deref()),
        "agent_id" => optional(csat.agent_id.as_deref()),
        "channel" => optional(csat.channel.as_deref()),
        "comment" => optional(csat.comment.as_deref()),
        _ => None,
    }
}

fn of_mention(mention: &Mention, name: &str) -> Option<Value> {
    match name {
        "platform" => text(&mention.platform),
        "handle" => text(&mention.handle),
        "public" => Some(Value::Bool(mention.public)),
        "post_id" => text(&mention.post_id),
        "activity" => text(match mention.activity {
            Activity::Create => "create",
            Activity::Update => "update",
            Activity::Delete => "delete",
            Activity::Repost => "repost",
        }),
        "text" => optional(mention.text.as_deref()),
        "lang" => optional(mention.lang.as_deref()),
        "sentiment" => decimal(mention.sentiment),
        "followers" => mention.followers.map(Value::Int),
        "reach" => mention.reach.map(Value::Int),
        "bot_score" => decimal(mention.bot_score),
        "url" => optional(mention.url.as_deref()),
        "in_reply_to" => optional(mention.in_reply_to.as_deref()),
        _ => None,
    }
}

fn of_referral(referral: &Referral, name: &str) -> Option<Value> {
    match name {
        "referred_customer_id" => text(&referral.referred_customer_id),
        "status" => text(match referral.status {
            ReferralStatus::SignedUp => "signed_up",
            ReferralStatus::Converted => "converted",
            ReferralStatus::Reversed => "reversed",
        }),
        "referral_id" => optional(referral.referral_id.as_deref()),
        "value" => decimal(referral.value),
        "currency" => referral.currency.as_ref().and_then(|currency| text(&currency.0)),
        "order_id" => optional(referral.order_id.as_deref()),
        "program" => optional(referral.program.as_deref()),
        _ => None,
    }
}

fn of_presence(presence: &Presence, name: &str) -> Option<Value> {
    match name {
        "session_id" => text(&presence.session_id),
        "state" => text(state_name(presence.state)),
        "channel" => optional(presence.channel.as_deref()),
        "page" => optional(presence.page.as_deref()),
        "device" => optional(presence.device.as_deref()),
        "ttl_s" => Some(Value::Int(i64::from(presence.ttl_s))),
        _ => None,
    }
}

/// A presence state on the wire.
pub(super) const fn state_name(state: PresenceState) -> &'static str {
    match state {
        PresenceState::Online => "online",
        PresenceState::Heartbeat => "heartbeat",
        PresenceState::Offline => "offline",
    }
}

fn of_case(case: &Case, name: &str) -> Option<Value> {
    match name {
        "case_id" => text(&case.case_id),
        "version" => Some(Value::Int(case.version)),
        "state" => text(match case.state {
            CaseState::Opened => "opened",
            CaseState::Updated => "updated",
            CaseState::Reopened => "reopened",
            CaseState::Transferred => "transferred",
            CaseState::Escalated => "escalated",
            CaseState::Solved => "solved",
            CaseState::Closed => "closed",
        }),
        "agent_id" => optional(case.agent_id.as_deref()),
        "team" => optional(case.team.as_deref()),
        "priority" => optional(case.priority.as_deref()),
        "channel" => optional(case.channel.as_deref()),
        "opened_at" => time(case.opened_at),
        "first_response_at" => time(case.first_response_at),
        "solved_at" => time(case.solved_at),
        "reopens" => case.reopens.map(Value::Int),
        "transfers" => case.transfers.map(Value::Int),
        "sla_breached" => case.sla_breached.map(Value::Bool),
        "hours_open" => whole(case.opened_at, case.solved_at, Duration::from_hours(1)),
        "first_response_minutes" => whole(case.opened_at, case.first_response_at, Duration::from_mins(1)),
        _ => None,
    }
}

/// How many whole units lie between two instants that are known and in order.
fn whole(from: Option<EventTime>, to: Option<EventTime>, unit: Duration) -> Option<Value> {
    let (from, to) = (from?, to?);
    let count = to.since(from).as_millis() / unit.as_millis();
    (from <= to).then(|| Value::Int(i64::try_from(count).expect("a few centuries")))
}

fn of_engagement(engagement: &Engagement, name: &str) -> Option<Value> {
    match name {
        "engagement_id" => text(&engagement.engagement_id),
        "action" => text(match engagement.action {
            Action::Sent => "sent",
            Action::Open => "open",
            Action::Click => "click",
            Action::Visit => "visit",
            Action::Login => "login",
            Action::Feature => "feature",
            Action::Reply => "reply",
            Action::Unsubscribe => "unsubscribe",
        }),
        "campaign_id" => optional(engagement.campaign_id.as_deref()),
        "channel" => optional(engagement.channel.as_deref()),
        "machine" => Some(Value::Bool(engagement.machine)),
        _ => None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "reads as the other helpers do, in the arms above")]
fn text(text: &str) -> Option<Value> {
    Some(Value::Text(text.to_owned()))
}

fn optional(text: Option<&str>) -> Option<Value> {
    text.map(|text| Value::Text(text.to_owned()))
}

fn decimal(value: Option<Decimal>) -> Option<Value> {
    value.map(Value::Decimal)
}

fn time(at: Option<EventTime>) -> Option<Value> {
    at.map(Value::Time)
}
