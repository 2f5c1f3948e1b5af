//! The contract fields of each kind of event, by name, as rules read them.

use super::value::{Fault, Type, Val};
use crate::model::event::{Body, Case, Event, Exception, Kind, Purchase, Subscription};
use crate::model::names::Named as _;
use crate::model::time::EventTime;

/// A field of one kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    pub kind: Kind,
    index: u8,
}

impl Field {
    /// The name in the contract.
    pub fn name(self) -> &'static str {
        table(self.kind)[usize::from(self.index)].0
    }

    /// Whether it is a purchase's amount, which refunds lessen.
    pub fn is_amount(self) -> bool {
        matches!(self.kind, Kind::Purchase | Kind::ReferredPurchase) && self.name() == "amount"
    }

    /// Whether it is money, which is read in the ruleset's currency.
    pub fn is_money(self) -> bool {
        self.is_amount() || self.kind == Kind::Referral && self.name() == "value"
    }

    /// Whether it names another customer than the one whom the event is about.
    pub fn is_another_customer(self) -> bool {
        match self.kind {
            Kind::Referral => self.name() == "referred_customer_id",
            Kind::ReferredPurchase => self.name() == "customer_id",
            _ => false,
        }
    }

    /// Its value; missing where the event does not carry it.
    pub fn read(self, event: &Event) -> Val<'_> {
        if event.kind() == self.kind {
            table(self.kind)[usize::from(self.index)].2(event)
        } else {
            Val::Error(Fault::Missing)
        }
    }
}

/// The field of that name and its type.
pub fn find(kind: Kind, name: &str) -> Option<(Field, Type)> {
    let index = table(kind).iter().position(|(other, ..)| *other == name)?;
    Some((Field { kind, index: u8::try_from(index).ok()? }, table(kind)[index].1))
}

/// The names of a kind's fields.
pub fn names(kind: Kind) -> Vec<&'static str> {
    table(kind).iter().map(|(name, ..)| *name).collect()
}

type Row = (&'static str, Type, fn(&Event) -> Val<'_>);

const fn table(kind: Kind) -> &'static [Row] {
    match kind {
        Kind::FxRate
        | Kind::Account
        | Kind::Agent
        | Kind::Customer
        | Kind::Override
        | Kind::Erasure
        | Kind::Acknowledgement => &[],
        Kind::Purchase => PURCHASE,
        Kind::Csat => CSAT,
        Kind::Mention => MENTION,
        Kind::Referral => REFERRAL,
        Kind::Presence => PRESENCE,
        Kind::Case => CASE,
        Kind::Engagement => ENGAGEMENT,
        Kind::ReferredPurchase => REFERRED_PURCHASE,
    }
}

/// Reads a field of one kind's body: a required one, `text` for an optional text, `opt` for another optional one.
macro_rules! of {
    ($body:ident, $name:ident => $value:expr) => {
        |event: &Event| match &event.body {
            Body::$body($name) => $value,
            _ => Val::Error(Fault::Missing),
        }
    };
}

fn event_id(event: &Event) -> Val<'_> {
    Val::Text(event.event_id.as_str())
}

fn customer_id(event: &Event) -> Val<'_> {
    Val::or_missing(event.customer.as_ref().map(|id| Val::Text(id.text())))
}

const fn occurred_at(event: &Event) -> Val<'_> {
    Val::Time(event.at)
}

const PURCHASE: &[Row] = &[
    ("event_id", Type::Text, event_id),
    ("customer_id", Type::Text, customer_id),
    ("occurred_at", Type::Time, occurred_at),
    ("order_id", Type::Text, of!(Purchase, p => Val::Text(&p.order_id))),
    ("amount", Type::Decimal, of!(Purchase, p => Val::Decimal(p.amount))),
    ("currency", Type::Text, of!(Purchase, p => Val::Text(&p.currency.0))),
    ("status", Type::Text, of!(Purchase, p => Val::Text(p.status.name()))),
    ("refund_id", Type::Text, of!(Purchase, p => Val::text(Some(&p.refund_id).filter(|id| !id.is_empty())))),
    ("refunds_order_at", Type::Time, of!(Purchase, p => Val::or_missing(p.refunds_order_at.map(Val::Time)))),
    ("category", Type::Text, of!(Purchase, p => Val::text(p.category.as_ref()))),
    ("channel", Type::Text, of!(Purchase, p => Val::text(p.channel.as_ref()))),
    ("items", Type::Int, of!(Purchase, p => Val::or_missing(p.items.map(Val::Int)))),
    ("account_id", Type::Text, of!(Purchase, p => Val::text(p.account_id.as_ref()))),
    ("subscription.plan", Type::Text, of!(Purchase, p => Val::text(plan(p)))),
    ("test", Type::Bool, of!(Purchase, p => Val::Bool(p.test))),
];

/// Of the buyer's order, not of an event: nothing of it is read from one.
const REFERRED_PURCHASE: &[Row] = &[
    ("customer_id", Type::Text, customer_id),
    ("occurred_at", Type::Time, occurred_at),
    ("order_id", Type::Text, nothing),
    ("amount", Type::Decimal, nothing),
    ("currency", Type::Text, nothing),
    ("category", Type::Text, nothing),
    ("channel", Type::Text, nothing),
    ("items", Type::Int, nothing),
    ("account_id", Type::Text, nothing),
    ("subscription.plan", Type::Text, nothing),
];

const fn nothing(_: &Event) -> Val<'_> {
    Val::Error(Fault::Missing)
}

fn plan(purchase: &Purchase) -> Option<&compact_str::CompactString> {
    purchase.subscription.as_deref().and_then(|Subscription { plan, .. }| plan.as_ref())
}

const CSAT: &[Row] = &[
    ("event_id", Type::Text, event_id),
    ("customer_id", Type::Text, customer_id),
    ("occurred_at", Type::Time, occurred_at),
    ("interaction_id", Type::Text, of!(Csat, c => Val::Text(&c.interaction_id))),
    ("satisfaction", Type::Decimal, of!(Csat, c => Val::Decimal(c.satisfaction))),
    ("score", Type::Decimal, of!(Csat, c => Val::Decimal(c.score))),
    ("scale_min", Type::Decimal, of!(Csat, c => Val::Decimal(c.scale_min))),
    ("scale_max", Type::Decimal, of!(Csat, c => Val::Decimal(c.scale_max))),
    ("instrument", Type::Text, of!(Csat, c => Val::text(c.instrument.as_ref()))),
    ("revision", Type::Int, of!(Csat, c => Val::Int(c.revision))),
    ("case_id", Type::Text, of!(Csat, c => Val::text(c.case_id.as_ref()))),
    ("agent_id", Type::Text, of!(Csat, c => Val::text(c.agent_id.as_ref()))),
    ("channel", Type::Text, of!(Csat, c => Val::text(c.channel.as_ref()))),
    ("comment", Type::Text, of!(Csat, c => Val::or_missing(c.comment.as_deref().map(Val::Text)))),
];

const MENTION: &[Row] = &[
    ("event_id", Type::Text, event_id),
    ("customer_id", Type::Text, customer_id),
    ("occurred_at", Type::Time, occurred_at),
    ("platform", Type::Text, of!(Mention, m => Val::Text(&m.platform))),
    ("handle", Type::Text, of!(Mention, m => Val::Text(&m.handle))),
    ("public", Type::Bool, of!(Mention, m => Val::Bool(m.public))),
    ("post_id", Type::Text, of!(Mention, m => Val::Text(&m.post_id))),
    ("activity", Type::Text, of!(Mention, m => Val::Text(m.activity.name()))),
    ("text", Type::Text, of!(Mention, m => Val::or_missing(m.text.as_deref().map(Val::Text)))),
    ("lang", Type::Text, of!(Mention, m => Val::text(m.lang.as_ref()))),
    ("sentiment", Type::Decimal, of!(Mention, m => Val::or_missing(m.sentiment.map(Val::Decimal)))),
    ("followers", Type::Int, of!(Mention, m => Val::or_missing(m.followers.map(Val::Int)))),
    ("reach", Type::Int, of!(Mention, m => Val::or_missing(m.reach.map(Val::Int)))),
    ("bot_score", Type::Decimal, of!(Mention, m => Val::or_missing(m.bot_score.map(Val::Decimal)))),
    ("url", Type::Text, of!(Mention, m => Val::or_missing(m.url.as_deref().map(Val::Text)))),
    ("in_reply_to", Type::Text, of!(Mention, m => Val::text(m.in_reply_to.as_ref()))),
];

const REFERRAL: &[Row] = &[
    ("event_id", Type::Text, event_id),
    ("customer_id", Type::Text, customer_id),
    ("occurred_at", Type::Time, occurred_at),
    ("referred_customer_id", Type::Text, of!(Referral, r => Val::Text(&r.referred_customer_id))),
    ("status", Type::Text, of!(Referral, r => Val::Text(r.status.name()))),
    ("referral_id", Type::Text, of!(Referral, r => Val::text(r.referral_id.as_ref()))),
    ("value", Type::Decimal, of!(Referral, r => Val::or_missing(r.value.map(Val::Decimal)))),
    ("currency", Type::Text, of!(Referral, r => Val::text(r.currency.as_ref().map(|currency| &currency.0)))),
    ("order_id", Type::Text, of!(Referral, r => Val::text(r.order_id.as_ref()))),
    ("program", Type::Text, of!(Referral, r => Val::text(r.program.as_ref()))),
];

const PRESENCE: &[Row] = &[
    ("event_id", Type::Text, event_id),
    ("customer_id", Type::Text, customer_id),
    ("occurred_at", Type::Time, occurred_at),
    ("session_id", Type::Text, of!(Presence, p => Val::Text(&p.session_id))),
    ("state", Type::Text, of!(Presence, p => Val::Text(p.state.name()))),
    ("channel", Type::Text, of!(Presence, p => Val::text(p.channel.as_ref()))),
    ("page", Type::Text, of!(Presence, p => Val::or_missing(p.page.as_deref().map(Val::Text)))),
    ("device", Type::Text, of!(Presence, p => Val::text(p.device.as_ref()))),
    ("ttl_s", Type::Int, of!(Presence, p => Val::Int(i64::from(p.ttl_s)))),
];

/// Whole hours from opening to solution, once it is solved.
fn hours_open(case: &Case) -> Val<'_> {
    span_ms(case.opened_at, case.solved_at).map_or(Val::Error(Fault::Missing), |span| Val::Int(span / 3_600_000))
}

/// Whole minutes from opening to the first response.
fn first_response_minutes(case: &Case) -> Val<'_> {
    span_ms(case.opened_at, case.first_response_at).map_or(Val::Error(Fault::Missing), |span| Val::Int(span / 60_000))
}

/// None where one of them is missing, or the order is wrong.
fn span_ms(from: Option<EventTime>, to: Option<EventTime>) -> Option<i64> {
    let span = to?.0 - from?.0;
    (span >= 0).then_some(span)
}

const CASE: &[Row] = &[
    ("event_id", Type::Text, event_id),
    ("customer_id", Type::Text, customer_id),
    ("occurred_at", Type::Time, occurred_at),
    ("case_id", Type::Text, of!(Case, c => Val::Text(&c.case_id))),
    ("version", Type::Int, of!(Case, c => Val::Int(c.version))),
    ("state", Type::Text, of!(Case, c => Val::Text(c.state.name()))),
    ("agent_id", Type::Text, of!(Case, c => Val::text(c.agent_id.as_ref()))),
    ("team", Type::Text, of!(Case, c => Val::text(c.team.as_ref()))),
    ("priority", Type::Text, of!(Case, c => Val::text(c.priority.as_ref()))),
    ("channel", Type::Text, of!(Case, c => Val::text(c.channel.as_ref()))),
    ("opened_at", Type::Time, of!(Case, c => Val::or_missing(c.opened_at.map(Val::Time)))),
    ("first_response_at", Type::Time, of!(Case, c => Val::or_missing(c.first_response_at.map(Val::Time)))),
    ("solved_at", Type::Time, of!(Case, c => Val::or_missing(c.solved_at.map(Val::Time)))),
    ("reopens", Type::Int, of!(Case, c => Val::or_missing(c.reopens.map(Val::Int)))),
    ("transfers", Type::Int, of!(Case, c => Val::or_missing(c.transfers.map(Val::Int)))),
    ("sla_breached", Type::Bool, of!(Case, c => Val::or_missing(c.sla_breached.map(Val::Bool)))),
    ("hours_open", Type::Int, of!(Case, c => hours_open(c))),
    ("first_response_minutes", Type::Int, of!(Case, c => first_response_minutes(c))),
    ("exception.kind", Type::Text, of!(Case, c => Val::text(exception(c).map(|e| &e.kind)))),
    ("exception.approved_by", Type::Text, of!(Case, c => Val::text(exception(c).and_then(|e| e.approved_by.as_ref())))),
];

const fn exception(case: &Case) -> Option<&Exception> {
    case.exception.as_ref()
}

const ENGAGEMENT: &[Row] = &[
    ("event_id", Type::Text, event_id),
    ("customer_id", Type::Text, customer_id),
    ("occurred_at", Type::Time, occurred_at),
    ("engagement_id", Type::Text, of!(Engagement, e => Val::Text(&e.engagement_id))),
    ("action", Type::Text, of!(Engagement, e => Val::Text(e.action.name()))),
    ("campaign_id", Type::Text, of!(Engagement, e => Val::text(e.campaign_id.as_ref()))),
    ("channel", Type::Text, of!(Engagement, e => Val::text(e.channel.as_ref()))),
    ("machine", Type::Bool, of!(Engagement, e => Val::Bool(e.machine))),
];
