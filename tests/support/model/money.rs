//! What amounts are worth: rates by date, orders less their refunds, worked out anew whenever asked.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use vipstream::model::event::{Body, Event, FxRate};
use vipstream::model::time::EventTime;

use super::calendar::plus_days;
use super::memory::Object;
use super::rules::Ruleset;

/// All rates read so far: of the first currency in the second, by date.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates(BTreeMap<(String, String), BTreeMap<Date, Decimal>>);

impl Rates {
    pub(super) fn note(&mut self, rate: &FxRate) {
        let pair = (rate.base.0.to_string(), rate.quote.0.to_string());
        self.0.entry(pair).or_default().insert(rate.valid_on, rate.rate);
    }

    /// The rate of a date, or of the nearest of the six days before it.
    fn listed(&self, from: &str, to: &str, date: Date) -> Option<Decimal> {
        let known = self.0.get(&(from.to_owned(), to.to_owned()))?;
        (0..7).find_map(|back| known.get(&plus_days(date, -back)).copied())
    }

    /// How much of the second currency one of the first is.
    fn rate(&self, from: &str, to: &str, date: Date) -> Option<Decimal> {
        let reversed = || self.listed(to, from, date).map(|rate| Decimal::ONE / rate);
        self.listed(from, to, date).or_else(reversed)
    }
}

impl Ruleset {
    /// An amount in the rules' currency, at the rate of a place's date.
    pub(super) fn price(&self, amount: Decimal, currency: &str, place: EventTime) -> Option<Decimal> {
        if currency == self.currency {
            return Some(amount);
        }
        Some(amount * self.rates.rate(currency, &self.currency, self.calendar.date(place))?)
    }
}

/// What an event's amount or value is worth at the rate of a place's date.
pub(super) fn worth(rules: &Ruleset, event: &Event, place: EventTime) -> Option<Decimal> {
    match &event.body {
        Body::Purchase(purchase) => rules.price(purchase.amount, &purchase.currency.0, place),
        Body::Referral(referral) => {
            let currency = referral.currency.as_ref().map_or(rules.currency.as_str(), |currency| &currency.0);
            rules.price(referral.value?, currency, place)
        }
        _ => None,
    }
}

impl Object {
    /// Whether it has an amount in a currency.
    pub(super) fn is_in(&self, code: &str) -> bool {
        match self.content.as_ref().map(|event| &event.body) {
            Some(Body::Purchase(order)) => {
                order.currency.0 == code || self.refunds.values().any(|(_, currency)| currency == code)
            }
            Some(Body::Referral(referral)) => {
                referral.value.is_some() && referral.currency.as_ref().is_some_and(|currency| currency.0 == code)
            }
            _ => false,
        }
    }

    /// What refunds in a currency take.
    fn refunded(&self, currency: &str) -> Decimal {
        self.refunds.values().filter(|(_, other)| other == currency).map(|(amount, _)| *amount).sum()
    }

    /// What is left of an order, in the rules' currency; `None` where a rate is missing.
    pub(super) fn left(&self, rules: &Ruleset) -> Option<Decimal> {
        let Some(Body::Purchase(order)) = self.content.as_ref().map(|event| &event.body) else { return None };
        let own = order.amount - self.refunded(&order.currency.0);
        let mut left = rules.price(own, &order.currency.0, self.place)?;
        let mut others: Vec<&String> = self.refunds.values().map(|(_, currency)| currency).collect();
        others.sort();
        others.dedup();
        for currency in others.into_iter().filter(|currency| **currency != order.currency.0) {
            left -= rules.price(self.refunded(currency), currency, self.place)?;
        }
        Some(left.max(Decimal::ZERO))
    }

    /// Cancelled, or refunded with nothing left.
    pub(super) fn is_wholly_taken_back(&self, rules: &Ruleset) -> bool {
        if let Some(answer) = self.forgotten {
            return answer;
        }
        let Some(Body::Purchase(order)) = self.content.as_ref().map(|event| &event.body) else { return false };
        let nothing_left = match self.left(rules) {
            Some(left) => left.is_zero(),
            // Refunds in its own currency alone may tell.
            None => self.refunded(&order.currency.0) >= order.amount,
        };
        self.cancelled || !self.refunds.is_empty() && nothing_left
    }
}
