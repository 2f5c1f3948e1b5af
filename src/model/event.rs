//! Decoded input events: one struct a kind, fields as in the event contract.

use compact_str::CompactString;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::id::CustomerId;
use super::money::Currency;
use super::time::EventTime;

/// The kinds of input read so far, in the order in which records of one merge time are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    FxRate,
    Account,
    Agent,
    Customer,
    Override,
    Erasure,
    Purchase,
    Csat,
    Mention,
    Referral,
    Presence,
    Case,
    Engagement,
    Acknowledgement,
    /// No input: purchases of customers whom somebody referred, as that one's features count them.
    ReferredPurchase,
}

impl Kind {
    /// Every kind of input, by rank.
    pub const ALL: [Self; 14] = [
        Self::FxRate,
        Self::Account,
        Self::Agent,
        Self::Customer,
        Self::Override,
        Self::Erasure,
        Self::Purchase,
        Self::Csat,
        Self::Mention,
        Self::Referral,
        Self::Presence,
        Self::Case,
        Self::Engagement,
        Self::Acknowledgement,
    ];

    /// How many kinds there are, those included that are no input.
    pub const COUNT: usize = Self::ALL.len() + 1;

    /// The kinds that features count.
    pub fn counted() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| kind.is_activity()).chain([Self::ReferredPurchase])
    }

    /// The name in rules, configuration and file replay.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FxRate => "fx_rate",
            Self::Account => "account",
            Self::Agent => "agent",
            Self::Customer => "customer",
            Self::Override => "override",
            Self::Erasure => "erasure",
            Self::Purchase => "purchase",
            Self::Csat => "csat",
            Self::Mention => "mention",
            Self::Referral => "referral",
            Self::Presence => "presence",
            Self::Case => "case",
            Self::Engagement => "engagement",
            Self::Acknowledgement => "acknowledgement",
            Self::ReferredPurchase => "referred_purchase",
        }
    }

    /// Whether it is something that happened to a customer, which rules may count and alert on. The others say what is
    /// to be known of them.
    pub const fn is_activity(self) -> bool {
        self.has_customer()
            && !self.is_by_hand()
            && !matches!(self, Self::Customer | Self::Erasure | Self::ReferredPurchase)
    }

    /// Whether it is what somebody decided about a customer by hand.
    pub const fn is_by_hand(self) -> bool {
        matches!(self, Self::Override | Self::Acknowledgement)
    }

    /// Whether its events are about a customer, or an author who may be one. The others say what is to be known of
    /// something that many customers share.
    pub const fn has_customer(self) -> bool {
        !matches!(self, Self::FxRate | Self::Account | Self::Agent)
    }

    /// Whether every task reads it whole, since each needs all of it. Its records are at home wherever they are read.
    pub const fn is_broadcast(self) -> bool {
        matches!(self, Self::FxRate | Self::Agent)
    }

    /// Its bit in a set of kinds.
    pub const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// The kind of input of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One decoded input event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub event_id: CompactString,
    /// Whose state it touches. `None` for a mention known by handle alone, and for kinds that are about no customer.
    pub customer: Option<CustomerId>,
    pub at: EventTime,
    pub body: Body,
    /// Optional enum fields whose value this build does not know; read as absent, counted.
    pub unknown_values: u8,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    FxRate(FxRate),
    Account(Box<Account>),
    /// A null `account` record: forget the account of this id.
    ForgetAccount(CompactString),
    Agent(Box<Agent>),
    /// A null `agent` record: the agent of this id is gone.
    ForgetAgent(CompactString),
    Customer(Box<Profile>),
    /// A null `customer` record: forget the customer's profile. (Its key is the id.)
    Forget,
    Override(Box<Override>),
    Erasure(Erasure),
    Purchase(Purchase),
    Csat(Csat),
    Mention(Box<Mention>),
    Referral(Referral),
    Presence(Presence),
    Case(Box<Case>),
    Engagement(Engagement),
    Acknowledgement(Box<Acknowledgement>),
}

impl Event {
    /// Whose state it touches: the customer, an author known by handle only, or the account. What touches nobody's has
    /// an id of its own: the agent, or the pair of currencies.
    pub fn entity_id(&self) -> CustomerId {
        match (&self.customer, &self.body) {
            (Some(id), _) => id.clone(),
            (None, Body::Mention(mention)) => CustomerId::author(&mention.platform, &mention.handle),
            (None, Body::Override(it)) => CustomerId::account(it.account_id.as_deref().unwrap_or_default()),
            (None, Body::Account(account)) => CustomerId::account(&account.account_id),
            (None, Body::ForgetAccount(id)) => CustomerId::account(id),
            (None, Body::Agent(agent)) => CustomerId(agent.agent_id.clone()),
            (None, Body::ForgetAgent(id)) => CustomerId(id.clone()),
            (None, Body::FxRate(rate)) => CustomerId(compact_str::format_compact!("{}/{}", rate.base.0, rate.quote.0)),
            (None, _) => CustomerId(CompactString::default()),
        }
    }

    /// The same as text: the customer's id, or `platform:handle`. It decides where the event is at home and whose
    /// outputs it brings.
    pub fn entity(&self) -> CompactString {
        CompactString::new(self.entity_id().text())
    }

    /// The input kind that carries it.
    pub const fn kind(&self) -> Kind {
        self.body.kind()
    }
}

impl Body {
    /// The input kind that carries it.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::FxRate(_) => Kind::FxRate,
            Self::Account(_) | Self::ForgetAccount(_) => Kind::Account,
            Self::Agent(_) | Self::ForgetAgent(_) => Kind::Agent,
            Self::Customer(_) | Self::Forget => Kind::Customer,
            Self::Override(_) => Kind::Override,
            Self::Erasure(_) => Kind::Erasure,
            Self::Purchase(_) => Kind::Purchase,
            Self::Csat(_) => Kind::Csat,
            Self::Mention(_) => Kind::Mention,
            Self::Referral(_) => Kind::Referral,
            Self::Presence(_) => Kind::Presence,
            Self::Case(_) => Kind::Case,
            Self::Engagement(_) => Kind::Engagement,
            Self::Acknowledgement(_) => Kind::Acknowledgement,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PurchaseStatus {
    Completed,
    Refunded,
    Cancelled,
    Disputed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Purchase {
    pub order_id: CompactString,
    /// Net revenue, 0 <= amount < 10^12.
    pub amount: Decimal,
    pub currency: Currency,
    pub status: PurchaseStatus,
    /// Empty where absent.
    pub refund_id: CompactString,
    pub refunds_order_at: Option<EventTime>,
    pub category: Option<CompactString>,
    pub channel: Option<CompactString>,
    pub items: Option<i64>,
    pub account_id: Option<CompactString>,
    pub subscription: Option<Box<Subscription>>,
    pub test: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    pub plan: Option<CompactString>,
    pub period_end: Option<PeriodEnd>,
}

/// When a subscription's paid period ends: an instant, or the start of a date in the ruleset's timezone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeriodEnd {
    Instant(EventTime),
    Date(Date),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Csat {
    pub interaction_id: CompactString,
    /// 0 (worst) to 1: `(score - scale_min) / (scale_max - scale_min)`, inverted where lower is better.
    pub satisfaction: Decimal,
    pub score: Decimal,
    pub scale_min: Decimal,
    pub scale_max: Decimal,
    pub instrument: Option<CompactString>,
    pub revision: i64,
    pub case_id: Option<CompactString>,
    pub agent_id: Option<CompactString>,
    pub channel: Option<CompactString>,
    pub comment: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Activity {
    Create,
    Update,
    Delete,
    Repost,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mention {
    pub platform: CompactString,
    pub handle: CompactString,
    pub public: bool,
    /// The event id where absent.
    pub post_id: CompactString,
    /// Create where absent.
    pub activity: Activity,
    pub text: Option<String>,
    pub lang: Option<CompactString>,
    /// -1 to 1: as sent, else scored from `text`, rounded to 4 decimals; `None` without either.
    pub sentiment: Option<Decimal>,
    pub followers: Option<i64>,
    pub reach: Option<i64>,
    pub bot_score: Option<Decimal>,
    pub url: Option<String>,
    pub in_reply_to: Option<CompactString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReferralStatus {
    SignedUp,
    Converted,
    Reversed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Referral {
    pub referred_customer_id: CompactString,
    pub status: ReferralStatus,
    pub referral_id: Option<CompactString>,
    pub value: Option<Decimal>,
    pub currency: Option<Currency>,
    pub order_id: Option<CompactString>,
    pub program: Option<CompactString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PresenceState {
    Online,
    Heartbeat,
    Offline,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    pub session_id: CompactString,
    pub state: PresenceState,
    pub channel: Option<CompactString>,
    pub page: Option<String>,
    pub device: Option<CompactString>,
    /// Seconds, 1 to 86,400; 90 where absent.
    pub ttl_s: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CaseState {
    Opened,
    Updated,
    Reopened,
    Transferred,
    Escalated,
    Solved,
    Closed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    pub case_id: CompactString,
    pub version: i64,
    pub state: CaseState,
    pub agent_id: Option<CompactString>,
    pub team: Option<CompactString>,
    pub priority: Option<CompactString>,
    pub channel: Option<CompactString>,
    pub opened_at: Option<EventTime>,
    pub first_response_at: Option<EventTime>,
    pub solved_at: Option<EventTime>,
    pub reopens: Option<i64>,
    pub transfers: Option<i64>,
    pub sla_breached: Option<bool>,
    pub exception: Option<Exception>,
}

/// An exception to the written rules that an agent granted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exception {
    pub kind: CompactString,
    pub approved_by: Option<CompactString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Action {
    Sent,
    Open,
    Click,
    Visit,
    Login,
    Feature,
    Reply,
    Unsubscribe,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Engagement {
    pub engagement_id: CompactString,
    pub action: Action,
    pub campaign_id: Option<CompactString>,
    pub channel: Option<CompactString>,
    /// Opened by a machine (a mail proxy), not a person.
    pub machine: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OverrideAction {
    Grant,
    /// Ends what holds.
    Lift,
    Deny,
}

/// What a person decided about a programme, whatever its rule says. Of two at one instant the greater action holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub override_id: CompactString,
    pub action: OverrideAction,
    pub programme: CompactString,
    pub by: CompactString,
    /// At most 1,024 bytes.
    pub reason: CompactString,
    /// After the event's time; `None` for a lift alone.
    pub expires_at: Option<EventTime>,
    pub tier: Option<CompactString>,
    pub approved_by: Option<CompactString>,
    pub case_id: Option<CompactString>,
    /// Whom it is about, where that is an account and no customer.
    pub account_id: Option<CompactString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Acknowledged {
    Acknowledged,
    Resolved,
    Dismissed,
}

/// What somebody did about an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    pub alert_id: CompactString,
    pub action: Acknowledged,
    pub by: CompactString,
    /// At most 1,024 bytes.
    pub note: Option<CompactString>,
    pub make_vip: Option<MakeVip>,
}

/// A programme granted by resolving a public complaint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeVip {
    pub programme: CompactString,
    /// After the event's time.
    pub expires_at: EventTime,
}

/// A request to forget a customer for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    pub request_id: CompactString,
    /// By when it must have been done, as whoever asks reckons. It is done at once.
    pub deadline: Option<EventTime>,
}

/// A customer record: the whole profile, which replaces the one before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Profile {
    pub version: i64,
    pub name: Option<CompactString>,
    pub account_id: Option<CompactString>,
    pub handles: Vec<(CompactString, CompactString)>,
    /// partner, reseller, influencer, reference, employee or test.
    pub role: Option<CompactString>,
    pub support_level: Option<CompactString>,
    pub region: Option<CompactString>,
    pub vertical: Option<CompactString>,
    pub segment: Option<CompactString>,
    pub account_manager: Option<CompactString>,
    pub preferred_channel: Option<CompactString>,
    pub timezone: Option<CompactString>,
    pub merged_into: Option<CompactString>,
    pub attributes: Vec<(CompactString, Attribute)>,
}

/// What one unit of a currency is worth in another, on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FxRate {
    pub base: Currency,
    pub quote: Currency,
    /// How much of `quote` one of `base` is: above 0, at most 10^12.
    pub rate: Decimal,
    pub valid_on: Date,
}

/// An account record: the whole account, which replaces the one before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Account {
    pub account_id: CompactString,
    pub version: i64,
    pub name: Option<CompactString>,
    pub parent_account_id: Option<CompactString>,
    pub tier: Option<CompactString>,
    /// How well it fits the ideal customer, as sent.
    pub icp_fit: Option<Decimal>,
    pub account_manager: Option<CompactString>,
    pub renewal_on: Option<Date>,
    /// 0 <= value < 10^12.
    pub contract_value: Option<Decimal>,
    pub attributes: Vec<(CompactString, Attribute)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AgentState {
    Online,
    Away,
    Offline,
}

/// An agent record: the whole agent, which replaces the one before.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Agent {
    pub agent_id: CompactString,
    pub version: i64,
    pub name: Option<CompactString>,
    pub team: Option<CompactString>,
    pub skills: Vec<CompactString>,
    pub state: AgentState,
    /// Cases that the agent can have at once.
    pub capacity: Option<i64>,
    pub open_cases: Option<i64>,
}

/// A free attribute of a profile or an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Attribute {
    Text(CompactString),
    Number(Decimal),
}
