//! What makes two events the same event, and two events about the same thing.
//!
//! Both keys are text, parts joined with `|`: they enter the identity of outputs and break ties, so they
//! must never depend on where or when a record was read.

use compact_str::{CompactString, ToCompactString};

use super::event::{Activity, Body, Event, Mention, Referral, ReferralStatus};
use super::names::Named;
use super::time::EventTime;

impl Event {
    /// The business key: a second event of the kind with the same one is a duplicate, whatever its `event_id`.
    pub fn business_key(&self) -> CompactString {
        match &self.body {
            Body::FxRate(it) => joined(&[it.base.0.as_str(), "|", &it.quote.0, "|", &it.valid_on.to_compact_string()]),
            Body::Account(it) => joined(&[&it.account_id, "|", &it.version.to_compact_string()]),
            Body::Agent(it) => joined(&[&it.agent_id, "|", &it.version.to_compact_string()]),
            Body::ForgetAccount(id) | Body::ForgetAgent(id) => {
                joined(&[id, "|forget|", &self.at.0.to_compact_string()])
            }
            Body::Customer(it) => joined(&[self.customer_text(), "|", &it.version.to_compact_string()]),
            Body::Forget => joined(&[self.customer_text(), "|forget|", &self.at.0.to_compact_string()]),
            Body::Override(it) => it.override_id.clone(),
            Body::Erasure(it) => it.request_id.clone(),
            Body::Purchase(it) => joined(&[&it.order_id, "|", it.status.name(), "|", &it.refund_id]),
            Body::Csat(it) => self.version_key(it.revision),
            Body::Case(it) => self.version_key(it.version),
            Body::Referral(it) => self.version_key(it.status as i64),
            Body::Mention(it) => self.version_key(it.version(self.at)),
            Body::Presence(it) => joined(&[&it.session_id, "|", it.state.name(), "|", &self.at.0.to_compact_string()]),
            Body::Engagement(it) => it.engagement_id.clone(),
            Body::Acknowledgement(it) => joined(&[&it.alert_id, "|", it.action.name()]),
        }
    }

    /// The business key of the event that gave this event's object that version: a survey's revision, a case's
    /// version, a referral's status, [`Mention::version`].
    pub fn version_key(&self, version: i64) -> CompactString {
        match &self.body {
            Body::Referral(it) => {
                let status = ReferralStatus::ALL.iter().find(|status| **status as i64 == version);
                joined(&[&Self::referral_object(it), "|", status.map_or("", |status| status.name())])
            }
            Body::Mention(it) => {
                let activity = Activity::ALL[usize::from(version.to_le_bytes()[0] & 3)];
                let (post, name) = (it.post_key(), activity.name());
                if activity == Activity::Update {
                    joined(&[&post, "|", name, "|", &(version >> 2).to_compact_string()])
                } else {
                    joined(&[&post, "|", name])
                }
            }
            _ => joined(&[&self.object_key(), "|", &version.to_compact_string()]),
        }
    }

    /// The key of the thing that the event is about: all events and versions of one order, survey, post,
    /// referral or case share it. Kinds without such a thing have their business key.
    pub fn object_key(&self) -> CompactString {
        match &self.body {
            Body::Purchase(it) => it.order_id.clone(),
            Body::Csat(it) => it.interaction_id.clone(),
            Body::Mention(it) if it.activity == Activity::Repost => it.repost_key(),
            Body::Mention(it) => it.post_key(),
            Body::Referral(it) => Self::referral_object(it),
            Body::Case(it) => it.case_id.clone(),
            Body::FxRate(_)
            | Body::Account(_)
            | Body::ForgetAccount(_)
            | Body::Agent(_)
            | Body::ForgetAgent(_)
            | Body::Customer(_)
            | Body::Forget
            | Body::Override(_)
            | Body::Erasure(_)
            | Body::Presence(_)
            | Body::Engagement(_)
            | Body::Acknowledgement(_) => self.business_key(),
        }
    }

    fn customer_text(&self) -> &str {
        self.customer.as_ref().map_or("", |id| id.as_str())
    }

    fn referral_object(referral: &Referral) -> CompactString {
        match &referral.referral_id {
            Some(id) => id.clone(),
            // The same whatever id the referrer has: two that are merged are one.
            None => joined(&[">", &referral.referred_customer_id]),
        }
    }
}

impl Mention {
    /// The key of the post.
    pub fn post_key(&self) -> CompactString {
        joined(&[&self.platform, "|", &self.post_id])
    }

    /// The key of the author's repost of the post, an object apart.
    pub fn repost_key(&self) -> CompactString {
        joined(&[&self.post_key(), "|repost"])
    }

    /// The version that an event at `at` gives the post: its time, then its activity, in 46 bits.
    pub const fn version(&self, at: EventTime) -> i64 {
        at.0 << 2 | self.activity as i64
    }
}

/// The parts as one text. A formatting machinery would cost more than the rest of what most events need.
fn joined(parts: &[&str]) -> CompactString {
    let mut key = CompactString::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        key.push_str(part);
    }
    key
}
