//! One customer (or author): events and instants in, lines out.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use compact_str::CompactString;
use rust_decimal::Decimal;

use vipstream::model::event::{Attribute, Body, Event, Profile};
use vipstream::model::id::CustomerId;
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;
use vipstream::pivot::Pivot;
use vipstream::pivot::state::State;

use super::account::Bonds;
use super::calendar::plus_days;
use super::effects::Ties;
use super::expr::{Comparison, Node};
use super::features::{self, Contribution};
use super::fields;
use super::memory::{Memory, Outcome, Taking};
use super::money;
use super::overrides::ByHand;
use super::pivots::Told;
use super::presence::Visits;
use super::programme::Held;
use super::rules::{Feature, Ruleset};
use super::seats::{Candidacy, Rulings, Weighed};
use super::value::{Readings, Value, compare};

/// Whose state it is. An author has no customer id; a handle is no id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entity {
    /// `platform:handle`.
    Author(String),
    Account(String),
    /// What every task keeps; there is but one.
    Everybody,
    /// A kind of exception.
    Exception(String),
    /// What decides on a ruleset's budgets.
    Settler(String),
    /// A task itself, by its number.
    Task(String),
    Customer(String),
}

impl Entity {
    /// Whom an event is about; `None` where it is about nobody.
    pub(super) fn of(event: &Event) -> Option<Self> {
        match (&event.customer, &event.body) {
            (Some(id), _) => Some(Self::Customer(id.as_str().to_owned())),
            (None, Body::Mention(mention)) => Some(Self::Author(format!("{}:{}", mention.platform, mention.handle))),
            (None, Body::Account(account)) => Some(Self::Account(account.account_id.to_string())),
            (None, Body::Override(said)) => Some(Self::Account(said.account_id.as_ref()?.to_string())),
            (None, Body::ForgetAccount(id)) => Some(Self::Account(id.to_string())),
            (None, _) => None,
        }
    }

    /// The customer of an id.
    pub(super) fn customer(id: &str) -> Self {
        Self::Customer(id.to_owned())
    }

    /// The key of outputs.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Author(key)
            | Self::Account(key)
            | Self::Exception(key)
            | Self::Customer(key)
            | Self::Settler(key)
            | Self::Task(key) => key,
            Self::Everybody => panic!("nothing is said of what every task keeps"),
        }
    }

    /// What stands for it in the identity of outputs.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Account(id) => format!("\u{2}{id}"),
            Self::Exception(kind) => format!("\u{4}{kind}"),
            _ => self.key().to_owned(),
        }
    }

    pub(super) fn is_author(&self) -> bool {
        matches!(self, Self::Author(_))
    }

    pub(super) fn is_account(&self) -> bool {
        matches!(self, Self::Account(_))
    }

    /// The id by which events name it.
    pub(super) fn id(&self) -> CustomerId {
        match self {
            Self::Account(id) => CustomerId::account(id),
            Self::Customer(id) => CustomerId::from(id.as_str()),
            _ => panic!("no event names it"),
        }
    }

    /// The customer's id, where known.
    pub(super) fn customer_id(&self) -> Option<&str> {
        match self {
            Self::Customer(id) => Some(id),
            _ => None,
        }
    }
}

/// All that is known of one entity.
#[derive(Clone, Debug)]
pub(super) struct Customer {
    pub(super) entity: Entity,
    /// Greatest event time or deadline so far.
    pub(super) as_of: EventTime,
    pub(super) memory: Memory,
    pub(super) visits: Visits,
    pub(super) profile: Option<Profile>,
    pub(super) labels: BTreeSet<String>,
    pub(super) held: BTreeMap<String, Held>,
    /// Programmes that would be held, were there places.
    pub(super) candidacies: BTreeMap<String, Candidacy>,
    /// What budgets rank by, as of the newest look.
    pub(super) weighed: BTreeMap<String, Weighed>,
    pub(super) status_seq: u64,
    pub(super) ties: Ties,
    pub(super) bonds: Bonds,
    pub(super) by_hand: ByHand,
    /// What is watched, from the first behaviour on; and what was told of it.
    pub(super) detectors: Option<State>,
    pub(super) told: Told,
    /// Pivots that wait, while far more customers than usual turn.
    pub(super) held_back: Vec<Pivot>,
    /// The look that waits for the clock to reach `as_of`.
    pub(super) waiting: Option<Waiting>,
    /// What each feature counts now, once worked out: a look asks for it many times.
    counted: RefCell<BTreeMap<String, Rc<Vec<Contribution>>>>,
    /// The next event brings a look whatever it touches: nobody has looked yet, the last look changed something, or
    /// an expired event changed a fact without one.
    pub(super) look_again: bool,
}

/// A look that waits for the clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    /// The newest event that brought it; none where time alone did.
    pub(super) event: Option<(Event, Position)>,
    /// Money went back by one of the events that brought it.
    pub(super) refund: bool,
    /// What was decided meanwhile, by programme.
    pub(super) rulings: Rulings,
}

impl Customer {
    pub(super) fn new(entity: Entity) -> Self {
        Self {
            entity,
            as_of: EventTime::MIN,
            memory: Memory::default(),
            visits: Visits::default(),
            profile: None,
            labels: BTreeSet::new(),
            held: BTreeMap::new(),
            candidacies: BTreeMap::new(),
            weighed: BTreeMap::new(),
            status_seq: 0,
            ties: Ties::default(),
            bonds: Bonds::default(),
            by_hand: ByHand::default(),
            detectors: None,
            told: Told::new(),
            held_back: Vec::new(),
            waiting: None,
            counted: RefCell::default(),
            look_again: true,
        }
    }

    /// Lets time move on.
    pub(super) fn move_to(&mut self, as_of: EventTime) {
        self.as_of = as_of;
        self.counted.take();
    }

    /// Takes an event into the state; says what is to follow from it.
    pub(super) fn take(
        &mut self,
        rules: &Ruleset,
        (event, position): (&Event, Position),
        from: Option<&Entity>,
    ) -> Outcome {
        if event.kind().is_by_hand() {
            return self.hear_word(rules, event);
        }
        if let Body::Customer(profile) = &event.body {
            let is_newer = self.profile.as_ref().is_none_or(|known| known.version < profile.version);
            if is_newer {
                let mut profile = (**profile).clone();
                // Nobody is merged into themselves.
                profile.merged_into = profile.merged_into.filter(|into| into != self.entity.key());
                self.profile = Some(profile);
            }
            return Outcome { look: is_newer, described: is_newer, ..Outcome::default() };
        }
        if event.body == Body::Forget {
            let described = self.profile.take().is_some();
            return Outcome { look: true, described, ..Outcome::default() };
        }
        if matches!(&event.body, Body::Referral(referral) if self.is_known_as(&referral.referred_customer_id)) {
            return Outcome::default();
        }
        let record = match &event.body {
            Body::Account(record) => Some(Some(&**record)),
            Body::ForgetAccount(_) => Some(None),
            _ => None,
        };
        if let Some(record) = record {
            let described = self.describe(record);
            return Outcome { look: described, described, ..Outcome::default() };
        }
        let contact = from.filter(|_| self.entity.is_account()).map(Entity::key);
        let outcome = self.memory.take(&Taking { rules, event, position, as_of: self.as_of, contact });
        let Body::Presence(presence) = &event.body else { return outcome };
        if !outcome.look {
            return outcome;
        }
        let alerts = self.visits.take(presence, event.at, self.as_of, rules.visit_gap);
        Outcome { alerts, ..outcome }
    }

    /// The programmes held, in file order.
    pub(super) fn standing(&self, rules: &Ruleset) -> Vec<String> {
        let names = rules.programmes.iter().map(|programme| programme.name.clone());
        names.filter(|name| self.held.contains_key(name)).collect()
    }

    /// The greatest weight of the held tiers.
    pub(super) fn weight(&self, rules: &Ruleset) -> Value {
        let weights = rules.programmes.iter().filter_map(|programme| {
            let held = self.held.get(&programme.name)?;
            if programme.tiers.is_empty() {
                return Some(Value::Int(1));
            }
            let tier = held.tier.map_or("none", |tier| programme.tiers[tier].0.as_str());
            let listed = rules.weights.iter().find(|(name, _)| name == tier);
            Some(listed.map_or(Value::Int(1), |(_, weight)| weight.clone()))
        });
        let greater = |a: Value, b: Value| if compare(Comparison::Greater, &b, &a) == Ok(true) { b } else { a };
        weights.reduce(greater).unwrap_or(Value::Int(1))
    }

    /// The next instant at which time alone may change a decision.
    pub(super) fn next_deadline(&self, rules: &Ruleset) -> Option<EventTime> {
        if self.entity.is_author() {
            return Some(self.as_of.plus(Duration::from_hours(24)));
        }
        if matches!(self.entity, Entity::Exception(_)) {
            return self.next_exception_leaves(rules);
        }
        if self.merged_into().is_some() {
            return None;
        }
        let of_account = self.entity.is_account();
        let sight = Sight { rules, customer: self, event: None };
        let mut instants: Vec<EventTime> = Vec::new();
        for feature in &rules.features {
            let is_measured = !of_account && rules.measures(&feature.name);
            if is_measured || rules.watched(of_account).any(|node| node.reads(&feature.name)) {
                instants.extend(sight.contributions(feature).iter().filter_map(|found| found.exit));
            }
        }
        for (fact, op, days) in rules.watched(of_account).flat_map(Node::day_counts) {
            instants.extend(sight.flips(fact, op, days));
        }
        if rules.watched(of_account).any(|node| node.reads("subscribed")) {
            instants.extend(self.memory.period_end(rules));
        }
        instants.extend(self.ends_of_words(rules));
        if !of_account && !rules.percentiles.is_empty() {
            instants.push(rules.next_cut(self.as_of));
        }
        instants.extend(self.active_until().filter(|_| rules.counts_active()));
        for programme in &rules.programmes {
            if let Some(held) = self.held.get(&programme.name) {
                instants.extend(held.instants(rules, programme));
            }
        }
        instants.extend(self.next_pivot());
        instants.extend(self.next_release(rules));
        instants.into_iter().filter(|instant| *instant > self.as_of).min()
    }
}

/// What an expression sees of a customer at an instant, and of the event in hand.
pub(super) struct Sight<'a> {
    pub(super) rules: &'a Ruleset,
    pub(super) customer: &'a Customer,
    pub(super) event: Option<(&'a Event, Position)>,
}

impl Sight<'_> {
    fn contributions(&self, feature: &Feature) -> Rc<Vec<Contribution>> {
        let Customer { entity, memory, as_of, counted, .. } = self.customer;
        if entity.is_author() {
            return Rc::default();
        }
        let mut counted = counted.borrow_mut();
        let found = counted
            .entry(feature.name.clone())
            .or_insert_with(|| Rc::new(features::contributions(self.rules, feature, memory, *as_of)));
        Rc::clone(found)
    }

    /// Where the newest contributions to a feature lie.
    pub(super) fn sample(&self, fact: &str) -> Vec<Position> {
        let Some(feature) = self.rules.feature(fact) else { return Vec::new() };
        features::sample(feature, &self.contributions(feature))
    }

    /// Where the event in hand lies.
    pub(super) fn trigger_position(&self) -> Vec<Position> {
        self.event.iter().map(|(_, position)| *position).collect()
    }

    /// What a part of all customers do not exceed, and as of when. Nobody knows whether an author is one of them.
    pub(super) fn cut(&self, feature: &str, part: Decimal) -> Option<(Decimal, EventTime)> {
        let is_known = !self.customer.entity.is_author();
        let percentile = (feature.to_owned(), part.normalize());
        is_known.then(|| self.rules.cuts.at(self.customer.as_of, &percentile)).flatten()
    }

    /// The instants after now at which `days_since(fact) OP days` turns.
    fn flips(&self, fact: &str, op: Comparison, days: i64) -> Vec<EventTime> {
        let Some(Value::Time(since)) = self.fact(fact) else { return Vec::new() };
        let calendar = &self.rules.calendar;
        let holds = |at: EventTime| compare(op, &Value::Int(calendar.days_between(since, at)), &Value::Int(days));
        let first = calendar.date(since);
        let mut flips = Vec::new();
        let counts = [days, days.saturating_add(1)].into_iter();
        for count in counts.filter(|count| (-10_000..=400_000).contains(count)) {
            let begins = calendar.first_instant(plus_days(first, count));
            if holds(EventTime(begins.0 - 1)) != holds(begins) {
                flips.push(begins);
            }
        }
        flips
    }

    fn profile_fact(&self, name: &str) -> Option<Value> {
        let profile = self.customer.profile.as_ref()?;
        let field = match name {
            "role" => &profile.role,
            "support_level" => &profile.support_level,
            "region" => &profile.region,
            "vertical" => &profile.vertical,
            "segment" => &profile.segment,
            "account_manager" => &profile.account_manager,
            "preferred_channel" => &profile.preferred_channel,
            "account_id" => &profile.account_id,
            "timezone" => &profile.timezone,
            other => panic!("unknown fact {other}"),
        };
        field.as_ref().map(|text| Value::Text(text.to_string()))
    }

    fn account_fact(&self, name: &str) -> Option<Value> {
        let account = self.customer.account()?;
        let text = |text: &Option<CompactString>| text.as_ref().map(|text| Value::Text(text.to_string()));
        match name {
            "name" => text(&account.name),
            "tier" => text(&account.tier),
            "account_manager" => text(&account.account_manager),
            "parent_account_id" => text(&account.parent_account_id),
            "icp_fit" => account.icp_fit.map(Value::Decimal),
            "contract_value" => account.contract_value.map(Value::Decimal),
            "renewal_on" => account.renewal_on.map(|date| Value::Time(self.rules.calendar.first_instant(date))),
            other => attribute(&account.attributes, other.strip_prefix("attributes.")?),
        }
    }

    fn tier(&self, programme: &str) -> Option<Value> {
        let tier = self.customer.held.get(programme)?.tier?;
        let rule = self.rules.programmes.iter().find(|rule| rule.name == programme)?;
        Some(Value::Text(rule.tiers[tier].0.clone()))
    }
}

impl Readings for Sight<'_> {
    fn fact(&self, name: &str) -> Option<Value> {
        let customer = self.customer;
        let is_known = !customer.entity.is_author();
        if let Some(feature) = self.rules.feature(name) {
            return features::value(feature, &self.contributions(feature));
        }
        if let Some((family, member)) = name.split_once('.') {
            return match family {
                "label" => Some(Value::Bool(customer.labels.contains(member))),
                "pivot" => Some(Value::Bool(customer.has_turned(member))),
                "held" => Some(Value::Bool(customer.held.contains_key(member))),
                "account" => self.account_fact(member),
                "attributes" => attribute(&customer.profile.as_ref()?.attributes, member),
                _ => self.tier(member),
            };
        }
        let time = |at: Option<EventTime>| at.filter(|_| is_known).map(Value::Time);
        match name {
            "first_purchase" => time(customer.memory.first_purchase),
            "last_purchase" => time(customer.memory.last_purchase),
            "last_seen" => time(customer.memory.last_seen),
            "subscribed" => {
                let end = customer.memory.period_end(self.rules);
                Some(Value::Bool(end.is_some_and(|end| customer.as_of < end)))
            }
            "vip" => Some(Value::Bool(!customer.held.is_empty())),
            _ => self.profile_fact(name),
        }
    }

    fn field(&self, name: &str) -> Option<Value> {
        let (event, _) = self.event?;
        if fields::is_money(event, name) {
            return money::worth(self.rules, event, event.at).map(Value::Decimal);
        }
        fields::field(event, name)
    }

    fn days_since(&self, time: EventTime) -> i64 {
        self.rules.calendar.days_between(time, self.customer.as_of)
    }

    fn percentile(&self, feature: &str, part: Decimal) -> Option<Value> {
        self.cut(feature, part).map(|(value, _)| Value::Decimal(value))
    }
}

fn attribute(attributes: &[(CompactString, Attribute)], name: &str) -> Option<Value> {
    let (_, value) = attributes.iter().find(|(other, _)| other == name)?;
    Some(match value {
        Attribute::Text(text) => Value::Text(text.to_string()),
        Attribute::Number(number) => Value::Decimal(*number),
    })
}
