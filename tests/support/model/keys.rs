//! What identifies an event, and the thing that it is about.

use vipstream::model::event::{Activity, Body, Event, Mention, PurchaseStatus, Referral};

use super::fields;
use super::value::Value;

/// The business key: the same key again is a duplicate.
pub(super) fn business_key(event: &Event) -> String {
    let customer = event.customer.as_ref().map_or("", |id| id.as_str());
    let word = |name: &str| match fields::field(event, name) {
        Some(Value::Text(text)) => text,
        _ => String::new(),
    };
    match &event.body {
        Body::FxRate(rate) => format!("{}|{}|{}", rate.base.0, rate.quote.0, rate.valid_on),
        Body::Account(account) => format!("{}|{}", account.account_id, account.version),
        Body::Agent(agent) => format!("{}|{}", agent.agent_id, agent.version),
        Body::ForgetAccount(id) | Body::ForgetAgent(id) => format!("{id}|forget|{}", event.at.0),
        Body::Customer(profile) => format!("{customer}|{}", profile.version),
        Body::Forget => format!("{customer}|forget|{}", event.at.0),
        Body::Override(said) => said.override_id.to_string(),
        Body::Acknowledgement(it) => format!("{}|{}", it.alert_id, format!("{:?}", it.action).to_lowercase()),
        Body::Erasure(erasure) => erasure.request_id.to_string(),
        Body::Purchase(purchase) => format!("{}|{}|{}", purchase.order_id, word("status"), purchase.refund_id),
        Body::Csat(csat) => format!("{}|{}", csat.interaction_id, csat.revision),
        Body::Mention(mention) if mention.activity == Activity::Update => {
            format!("{}|{}|update|{}", mention.platform, mention.post_id, event.at.0)
        }
        Body::Mention(mention) => format!("{}|{}|{}", mention.platform, mention.post_id, word("activity")),
        Body::Referral(referral) => format!("{}|{}", referral_id(referral), word("status")),
        Body::Presence(presence) => format!("{}|{}|{}", presence.session_id, word("state"), event.at.0),
        Body::Case(case) => format!("{}|{}", case.case_id, case.version),
        Body::Engagement(engagement) => engagement.engagement_id.to_string(),
    }
}

/// The key of the order, survey, post, ... that the event is about.
pub(super) fn object_key(event: &Event) -> String {
    match &event.body {
        Body::Purchase(purchase) => purchase.order_id.to_string(),
        Body::Csat(csat) => csat.interaction_id.to_string(),
        Body::Mention(mention) if mention.activity == Activity::Repost => repost_key(mention),
        Body::Mention(mention) => format!("{}|{}", mention.platform, mention.post_id),
        Body::Referral(referral) => referral_id(referral),
        Body::Case(case) => case.case_id.to_string(),
        _ => business_key(event),
    }
}

/// The author's repost of a post is a thing of its own.
pub(super) fn repost_key(mention: &Mention) -> String {
    format!("{}|{}|repost", mention.platform, mention.post_id)
}

/// Which of two events about one thing is the newer: its version, least first.
pub(super) fn version(event: &Event) -> (i64, i64) {
    match &event.body {
        Body::Csat(csat) => (csat.revision, 0),
        Body::Case(case) => (case.version, 0),
        Body::Referral(referral) => (referral.status as i64, 0),
        Body::Mention(mention) => (event.at.0, mention.activity as i64),
        _ => (0, 0),
    }
}

/// Whether an event proves that the customer was there.
pub(super) fn is_sight(event: &Event) -> bool {
    match &event.body {
        Body::Purchase(purchase) => purchase.status == PurchaseStatus::Completed && !purchase.test,
        Body::Csat(_) | Body::Mention(_) | Body::Referral(_) | Body::Presence(_) => true,
        Body::Engagement(engagement) => {
            use vipstream::model::event::Action::{Sent, Unsubscribe};
            !matches!(engagement.action, Sent | Unsubscribe) && !engagement.machine
        }
        _ => false,
    }
}

fn referral_id(referral: &Referral) -> String {
    match &referral.referral_id {
        Some(id) => id.to_string(),
        None => format!(">{}", referral.referred_customer_id),
    }
}
