//! The state as other programs read it: what is known of customers and accounts and what they hold, by name; the agents
//! and the rates that all tasks share; how frequent which exceptions are.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::customer::{Customer, NEVER};
use super::{Engine, look};
use crate::model::event::Agent;
use crate::model::id::{CustomerId, EntityKind};
use crate::model::output::Scalar;
use crate::model::output::insight::Cohort;
use crate::model::time::EventTime;
use crate::pivot::Pivot;
use crate::pivot::settings::Settings;
use crate::pivot::view::{Open, View as Detector};
use crate::rules::pivots::mark;
use crate::rules::ruleset::Ruleset;

/// One customer, or one account.
#[derive(Clone, Debug, PartialEq)]
pub struct View<'a> {
    /// The customer's or the account's.
    pub id: &'a str,
    /// What everything here is as of: the newest event, or the newest deadline.
    pub as_of: EventTime,
    pub status_seq: u32,
    /// From the newest profile, or the account's newest record.
    pub name: Option<&'a str>,
    pub first_purchase: Option<EventTime>,
    pub last_purchase: Option<EventTime>,
    pub last_seen: Option<EventTime>,
    /// Labels that hold, in the rules' order.
    pub labels: Vec<&'a str>,
    /// Programmes held, in order of precedence.
    pub programmes: Vec<Standing<'a>>,
    /// Each of the rules' features, and its value if it has one.
    pub facts: Vec<(&'a str, Option<Scalar>)>,
}

/// A programme that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    pub name: &'a str,
    pub profile: &'a str,
    pub tier: Option<&'a str>,
    pub since: EventTime,
}

/// What a task knows of a customer's id.
#[derive(Clone, Debug)]
pub enum Known<'a> {
    Here(Box<Portrait<'a>>),
    /// Merged into this one, who may be at home with another task.
    MergedInto(&'a str),
    Erased,
    Nobody,
}

/// A customer, and what the detectors of pivots make of them.
#[derive(Clone, Debug)]
pub struct Portrait<'a> {
    pub rules: &'a Ruleset,
    pub view: View<'a>,
    /// The account that the customer's profile names.
    pub account_id: Option<&'a str>,
    /// The task's clock, or where the customer is ahead of it, their `as_of`.
    pub now: EventTime,
    /// Those that have read anything; `None` where the rules have no `pivots`.
    pub detectors: Option<Vec<Detector>>,
    /// What is open of what was told.
    pub told: Vec<Open>,
    /// What waits for the population to calm down.
    pub waits: Vec<Waits<'a>>,
}

/// A pivot that was found and is to be told later.
#[derive(Clone, Copy, Debug)]
pub struct Waits<'a> {
    pub pivot: &'a Pivot,
    /// Told once it has ended, too: it is of a kind that has no end.
    pub is_over: bool,
    /// Not told before; `None` where that is not known yet.
    pub until: Option<EventTime>,
}

impl Portrait<'_> {
    /// What waits of something open.
    pub fn waits(&self, open: &Open) -> Option<&Waits<'_>> {
        self.waits.iter().find(|it| !it.is_over && (it.pivot.kind, it.pivot.channel) == (open.kind, open.channel))
    }
}

impl Engine {
    /// What is known of a customer's id.
    pub fn portrait(&self, id: &str) -> Known<'_> {
        let id = CustomerId::from(id);
        let customer = self.customers.known(&id).filter(|customer| customer.id.kind() == EntityKind::Customer);
        let Some(customer) = customer else {
            return if self.erased.contains(&id) { Known::Erased } else { Known::Nobody };
        };
        match customer.merged_into() {
            Some(survivor) => Known::MergedInto(survivor),
            None => Known::Here(Box::new(customer.portrait(self.clock, &self.rules))),
        }
    }

    /// Every customer, or every account, in the order of the ids. Authors known by handle only are no customers.
    pub fn views(&self, of: EntityKind) -> impl Iterator<Item = View<'_>> {
        let mut customers: Vec<&Customer> = self.customers.iter().filter(|customer| customer.id.kind() == of).collect();
        customers.sort_unstable_by(|left, right| left.id.cmp(&right.id));
        customers.into_iter().map(|customer| customer.view(&self.rules))
    }

    /// Every agent, by id, with what they resolved in the last 90 days up to the engine's clock.
    pub fn agents(&self) -> impl Iterator<Item = AgentView<'_>> {
        self.agents.views(self.rules.calendar.day(self.clock))
    }

    /// Every kind of exception, by name: when it was told of last, whether it is proposed, and each cohort's cases and
    /// customers. What has left the window since then is still there.
    pub fn exceptions(&self) -> impl Iterator<Item = ExceptionView<'_>> {
        let mut kinds: Vec<ExceptionView<'_>> = self.customers.iter().filter_map(Customer::exception_view).collect();
        kinds.sort_unstable_by_key(|view| view.kind);
        kinds.into_iter()
    }

    /// Every rate: base, quote, date, and how much of the second one of the first is.
    pub fn rates(&self) -> impl Iterator<Item = (&str, &str, Date, Decimal)> {
        self.rates.listed()
    }
}

/// An agent, and how well they resolve.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentView<'a> {
    pub agent_id: &'a str,
    /// The newest record; `None` of who is only known from cases.
    pub record: Option<&'a Agent>,
    pub resolved: i64,
    /// Of these resolved well.
    pub well: i64,
    /// By which agents are ranked: see the README's section on routing.
    pub share: Decimal,
}

/// A kind of exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionView<'a> {
    pub kind: &'a str,
    pub as_of: EventTime,
    pub is_proposed: bool,
    pub cohorts: Vec<Cohort>,
}

impl Customer {
    fn exception_view(&self) -> Option<ExceptionView<'_>> {
        let counted = self.ties()?.counted.as_ref()?;
        let (is_proposed, cohorts) = (counted.is_proposed(), counted.cohorts());
        Some(ExceptionView { kind: self.id.text(), as_of: self.as_of, is_proposed, cohorts })
    }

    fn portrait<'a>(&'a self, clock: EventTime, rules: &'a Ruleset) -> Portrait<'a> {
        let (now, told) = (clock.max(self.as_of), self.told_pivots());
        let settings = rules.pivots.as_ref().map(|rule| &rule.settings);
        let detectors =
            settings.map(|of| self.pivots.as_ref().map_or_else(Vec::new, |state| state.describe(now.0, of)));
        let open = detectors.iter().flatten().flat_map(|detector| &detector.open);
        let held = self.rare.iter().flat_map(|rare| &rare.held_back);
        let budget = settings.map(Settings::budget);
        let waits = held.map(|held| Waits {
            pivot: &held.pivot,
            is_over: budget.is_some_and(|budget| held.pivot.is_over(budget)),
            until: Some(held.until).filter(|until| *until < NEVER),
        });
        Portrait {
            waits: waits.collect(),
            rules,
            view: self.view(rules),
            account_id: self.account_id(),
            now,
            told: open.filter(|open| told & mark(open.kind, open.channel) != 0).copied().collect(),
            detectors,
        }
    }

    fn view<'a>(&'a self, rules: &'a Ruleset) -> View<'a> {
        let labels = rules.labels.iter().enumerate().filter(|(at, _)| self.labels >> at & 1 == 1);
        let programmes = self.standing().iter().map(|held| {
            let rule = &rules.programmes[usize::from(held.programme)];
            let tier = held.tier.map(|tier| rule.tiers[usize::from(tier)].0.as_str());
            Standing { name: &rule.name, profile: &rule.profile, tier, since: held.granted_at }
        });
        let facts = (0..).zip(&rules.features);
        View {
            id: self.id.text(),
            as_of: self.as_of,
            status_seq: self.seq,
            name: look::name(self),
            first_purchase: self.first_purchase.get(),
            last_purchase: self.last_purchase.get(),
            last_seen: self.last_seen.get(),
            labels: labels.map(|(_, label)| label.name.as_str()).collect(),
            programmes: programmes.collect(),
            facts: facts.map(|(at, rule)| (rule.name.as_str(), self.feature(at, rules).scalar())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::codec::{RawRecord, decode};
    use crate::engine::{Engine, Home, TimeMode};
    use crate::model::event::Kind;
    use crate::model::id::EntityKind;
    use crate::model::record::{Epoch, Position, Record};
    use crate::model::time::EventTime;
    use crate::rules::ruleset::Ruleset;

    const RULES: &str = "
ruleset: shop
currency: EUR
features:
  spend: { sum: purchase.amount }
  orders: { count: purchase }
  mood: { avg: csat.satisfaction }
programmes: { big: { profile: value, grant: spend >= 100, tiers: { gold: spend >= 200, silver: \"true\" } } }
labels: { new: orders < 2, known: orders >= 1 }";

    #[test]
    fn customers_are_shown_by_name_and_exactly_and_authors_are_not() {
        let rules = Arc::new(Ruleset::parse("rules.yaml", RULES).unwrap());
        let mut engine = Engine::new(rules, "shop", TimeMode::Event, Home::ALONE);
        let order = |id: &str, amount: &str| {
            format!(
                r#"{{"event_id":"{id}","customer_id":"{id}","occurred_at":1000,"order_id":"{id}","amount":{amount},"currency":"EUR","status":"completed"}}"#
            )
        };
        let post = r#"{"event_id":"m","platform":"x","handle":"h","post_id":"p","text":"hm","public":true,"activity":"create","occurred_at":1000}"#;
        let events = [
            (Kind::Purchase, order("zoe", "0.10")),
            (Kind::Purchase, order("ann", "120.50")),
            (Kind::Mention, post.to_owned()),
        ];
        let records = events.iter().map(|(kind, json)| Record {
            position: Position { kind: *kind, partition: 0, offset: 0 },
            merge_time: EventTime(1000),
            body: decode(*kind, &RawRecord { value: Some(json.as_bytes()), ..RawRecord::default() }),
        });
        let epoch =
            Epoch { records: records.collect(), clock: EventTime(1000), wall: EventTime(1000), ..Epoch::default() };
        engine.apply(epoch, &mut Vec::new());
        assert_eq!((engine.stats().customers, engine.stats().handles), (2, 1));
        let said: Vec<String> = engine.views(EntityKind::Customer).map(|view| format!("{view:?}")).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        View { id: "ann", as_of: EventTime(1000), status_seq: 3, name: None, first_purchase: Some(EventTime(1000)), last_purchase: Some(EventTime(1000)), last_seen: Some(EventTime(1000)), labels: ["new", "known"], programmes: [Standing { name: "big", profile: "value", tier: Some("silver"), since: EventTime(1000) }], facts: [("spend", Some(Decimal(120.500000000))), ("orders", Some(Int(1))), ("mood", None)] }
        View { id: "zoe", as_of: EventTime(1000), status_seq: 2, name: None, first_purchase: Some(EventTime(1000)), last_purchase: Some(EventTime(1000)), last_seen: Some(EventTime(1000)), labels: ["new", "known"], programmes: [], facts: [("spend", Some(Decimal(0.100000000))), ("orders", Some(Int(1))), ("mood", None)] }
        "#);
    }
}
