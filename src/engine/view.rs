//! What an expression sees: a customer's facts at one instant, and those of an event.

use super::customer::Customer;
use super::features::EventFacts;
use super::settle::Cuts;
use rust_decimal::Decimal;

use crate::model::time::EventTime;
use crate::rules::fact::{Fact, Facts, attribute};
use crate::rules::ruleset::{Aggregate, Ruleset};
use crate::rules::value::{Fault, Val};

/// A customer's facts, and the event's where there is one.
pub(super) struct View<'a> {
    pub(super) rules: &'a Ruleset,
    /// `None` for an author of whom only the handle is known.
    pub(super) customer: Option<&'a Customer>,
    pub(super) event: Option<EventFacts<'a>>,
    /// What all customers have.
    pub(super) cuts: &'a Cuts,
}

impl View<'_> {
    /// The percentile at a place in the ruleset, and as of when it is.
    pub(super) fn cut(&self, percentile: u8) -> Option<(Decimal, EventTime)> {
        self.cuts.at(self.customer?.as_of, percentile)
    }
}

impl<'a> Facts<'a> for View<'a> {
    fn fact(&self, fact: Fact) -> Val<'a> {
        if let Fact::Event(field) = fact {
            return self.event.as_ref().map_or(Val::Error(Fault::Missing), |event| event.fact(Fact::Event(field)));
        }
        let Some(customer) = self.customer else { return nobody(fact, self.rules) };
        match fact {
            Fact::Event(_) => Val::Error(Fault::Type),
            Fact::Feature(index) => customer.feature(index, self.rules),
            Fact::FirstPurchase => Val::or_missing(customer.first_purchase.get().map(Val::Time)),
            Fact::LastPurchase => Val::or_missing(customer.last_purchase.get().map(Val::Time)),
            Fact::LastSeen => Val::or_missing(customer.last_seen.get().map(Val::Time)),
            Fact::Subscribed => Val::Bool(customer.subscribed_until().is_some_and(|end| customer.as_of < end)),
            Fact::Profile(field) => {
                customer.profile().map_or(Val::Error(Fault::Missing), |profile| field.read(profile))
            }
            Fact::Label(index) => Val::Bool(customer.labels >> index & 1 == 1),
            Fact::Held(index) => Val::Bool(customer.held(index).is_some()),
            Fact::Tier(index) => {
                let tier = customer.held(index).and_then(|held| held.tier);
                Val::or_missing(
                    tier.map(|tier| Val::Text(&self.rules.programmes[usize::from(index)].tiers[usize::from(tier)].0)),
                )
            }
            Fact::Percentile(at, _) => Val::or_missing(self.cut(at).map(|(value, _)| Val::Decimal(value))),
            Fact::Vip => Val::Bool(!customer.standing().is_empty()),
            Fact::Pivot(kind) => Val::Bool(customer.has_turned(kind)),
            Fact::Account(field) => {
                Val::or_missing(customer.account().map(|account| field.read(account, &self.rules.calendar)))
            }
            Fact::Attribute(index) => {
                let name = &self.rules.attributes[usize::from(index)];
                Val::or_missing(customer.profile().map(|profile| attribute(&profile.attributes, name)))
            }
            Fact::AccountAttribute(index) => {
                let name = &self.rules.attributes[usize::from(index)];
                Val::or_missing(customer.account().map(|account| attribute(&account.attributes, name)))
            }
        }
    }

    fn days_since(&self, time: EventTime) -> i64 {
        let calendar = &self.rules.calendar;
        self.customer.map_or(0, |customer| calendar.day(customer.as_of) - calendar.day(time))
    }
}

/// The facts of somebody of whom nothing is known.
fn nobody(fact: Fact, rules: &Ruleset) -> Val<'_> {
    match fact {
        Fact::Feature(index) => match rules.features[usize::from(index)].aggregate {
            Aggregate::Count | Aggregate::Distinct => Val::Int(0),
            Aggregate::Sum => Val::Decimal(rust_decimal::Decimal::ZERO),
            _ => Val::Error(Fault::Missing),
        },
        Fact::Subscribed | Fact::Label(_) | Fact::Held(_) | Fact::Vip | Fact::Pivot(_) => Val::Bool(false),
        _ => Val::Error(Fault::Missing),
    }
}
