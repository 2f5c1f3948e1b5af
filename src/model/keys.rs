//! What makes two events the same event, and two events about the same thing.
//!
//! Both keys are text, parts joined with `|`: they enter the identity of outputs and break ties, so they
//! must never depend on where or when a record was read.

use compact_str::{CompactString, format_compact};

use super::event::{Activity, Body, Event, Mention, Referral};
use super::names::Named;

impl Event {
    /// The business key: a second event of the kind with the same one is a duplicate, whatever its `event_id`.
    pub fn business_key(&self) -> CompactString {
        match &self.body {
            Body::Customer(it) => format_compact!("{}|{}", self.customer_text(), it.version),
            Body::Forget => format_compact!("{}|forget|{}", self.customer_text(), self.at.0),
            Body::Purchase(it) => format_compact!("{}|{}|{}", it.order_id, it.status.name(), it.refund_id),
            Body::Csat(it) => format_compact!("{}|{}", it.interaction_id, it.revision),
            Body::Mention(it) => self.mention_key(it),
            Body::Referral(it) => format_compact!("{}|{}", self.referral_object(it), it.status.name()),
            Body::Presence(it) => format_compact!("{}|{}|{}", it.session_id, it.state.name(), self.at.0),
            Body::Case(it) => format_compact!("{}|{}", it.case_id, it.version),
            Body::Engagement(it) => it.engagement_id.clone(),
        }
    }

    /// The key of the thing that the event is about: all events and versions of one order, survey, post,
    /// referral or case share it. Kinds without such a thing have their business key.
    pub fn object_key(&self) -> CompactString {
        match &self.body {
            Body::Purchase(it) => it.order_id.clone(),
            Body::Csat(it) => it.interaction_id.clone(),
            Body::Mention(it) if it.activity == Activity::Repost => {
                format_compact!("{}|{}|repost", it.platform, it.post_id)
            }
            Body::Mention(it) => format_compact!("{}|{}", it.platform, it.post_id),
            Body::Referral(it) => self.referral_object(it),
            Body::Case(it) => it.case_id.clone(),
            Body::Customer(_) | Body::Forget | Body::Presence(_) | Body::Engagement(_) => self.business_key(),
        }
    }

    fn customer_text(&self) -> &str {
        self.customer.as_ref().map_or("", |id| id.as_str())
    }

    fn mention_key(&self, mention: &Mention) -> CompactString {
        let activity = mention.activity.name();
        match mention.activity {
            Activity::Update => format_compact!("{}|{}|{activity}|{}", mention.platform, mention.post_id, self.at.0),
            _ => format_compact!("{}|{}|{activity}", mention.platform, mention.post_id),
        }
    }

    fn referral_object(&self, referral: &Referral) -> CompactString {
        match &referral.referral_id {
            Some(id) => id.clone(),
            None => format_compact!("{}>{}", self.customer_text(), referral.referred_customer_id),
        }
    }
}
