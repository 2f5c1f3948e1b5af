//! What an order is worth: its amount as sent, each refund once, and what these leave in the ruleset's currency.
//!
//! Kept apart only where it says more than one amount does: in another currency, or with refunds. What two know of one
//! order can then be united exactly, and a rate that comes late prices it as if it had always been there.

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::customer::{Customer, Pending};
use super::entry::{Flag, Object};
use super::rates::Prices;
use super::reprice::Amounts;
use crate::model::event::Kind;
use crate::model::money::Currency;
use crate::model::time::EventTime;
use crate::rules::calendar::Day;
use crate::rules::ruleset::Ruleset;

/// An amount as sent, and what was taken off it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Money {
    pub(super) amount: Decimal,
    pub(super) currency: Currency,
    pub(super) refunds: Refunds,
}

/// Refunds of one order, each once, by key.
///
/// Size: at most [`MAX_REFUNDS`]; beyond, those of one currency are kept as one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Refunds(Vec<Refund>);

/// A refund's key, amount and currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) key: u64,
    pub(super) amount: Decimal,
    pub(super) currency: Currency,
}

const MAX_REFUNDS: usize = 64;

/// What settling an order found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    /// More was refunded than there was.
    pub(super) clamped: bool,
}

impl Refunds {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each key, amount and currency.
    pub(super) fn into_list(self) -> Vec<(u64, Decimal, Currency)> {
        self.0.into_iter().map(|Refund { key, amount, currency }| (key, amount, currency)).collect()
    }

    /// From such a list.
    pub(super) fn of_list(list: Vec<(u64, Decimal, Currency)>) -> Self {
        let mut refunds = Self::default();
        for (key, amount, currency) in list {
            refunds.add(Refund { key, amount, currency });
        }
        refunds
    }

    pub(super) fn has(&self, key: u64) -> bool {
        self.0.binary_search_by_key(&key, |refund| refund.key).is_ok()
    }

    /// Takes in a refund, unless it is there.
    pub(super) fn add(&mut self, refund: Refund) {
        let Err(at) = self.0.binary_search_by_key(&refund.key, |other| other.key) else { return };
        if self.0.len() >= MAX_REFUNDS
            && let Some(same) = self.0.iter_mut().find(|other| other.currency == refund.currency)
        {
            same.amount += refund.amount;
            return;
        }
        self.0.insert(at, refund);
    }

    /// Takes in those that are not there.
    pub(super) fn absorb(&mut self, other: Self) {
        other.0.into_iter().for_each(|refund| self.add(refund));
    }
}

impl Money {
    /// What was refunded in a currency.
    fn refunded(&self, currency: &Currency) -> Decimal {
        self.refunds.0.iter().filter(|refund| refund.currency == *currency).map(|refund| refund.amount).sum()
    }

    /// Every currency it is in, some more than once.
    pub(super) fn currencies(&self) -> impl Iterator<Item = &Currency> {
        std::iter::once(&self.currency).chain(self.refunds.0.iter().map(|refund| &refund.currency))
    }

    /// Its other currencies than the ruleset's, each with the date of its place.
    pub(super) fn foreign(&self, place: EventTime, rules: &Ruleset) -> impl Iterator<Item = (CompactString, Day)> {
        let currencies = self.currencies().filter(|currency| currency.0 != rules.currency);
        currencies.map(move |currency| (currency.0.clone(), rules.calendar.day(place)))
    }

    /// What refunds in its own currency leave, which needs no rate.
    fn own(&self) -> Decimal {
        self.amount - self.refunded(&self.currency)
    }

    /// What is left at the rates of a date, below nothing where too much was refunded; `None` where a rate is missing.
    fn left(&self, prices: Prices<'_>, at: EventTime) -> Option<Decimal> {
        let own = self.own();
        let mut left = prices.price(own, &self.currency.0, at)?;
        let mut others: Vec<&Currency> = self.currencies().filter(|currency| **currency != self.currency).collect();
        others.sort_unstable();
        others.dedup();
        for currency in others {
            left -= prices.price(self.refunded(currency), &currency.0, at)?;
        }
        Some(left)
    }
}

impl Object {
    /// An order, or a referral's value, as it was sent.
    pub(super) fn money(&self, rules: &Ruleset) -> Money {
        self.extra.money.as_deref().cloned().unwrap_or_else(|| Money {
            amount: self.amount(),
            currency: Currency(rules.currency.clone()),
            refunds: Refunds::default(),
        })
    }

    /// Its amounts in other currencies than the ruleset's.
    pub(super) fn foreign(&self, rules: &Ruleset) -> impl Iterator<Item = (CompactString, Day)> {
        self.extra.money.iter().flat_map(|money| money.foreign(self.entry.place(), rules))
    }

    /// Gives an order its amount and refunds, and works out what follows.
    pub(super) fn set_money(&mut self, money: Money, prices: Prices<'_>) -> Settled {
        if self.entry.kind() != Kind::Referral {
            self.set_amount(money.amount);
        }
        let is_plain = !prices.is_foreign(&money.currency.0) && money.refunds.is_empty();
        self.extra.money = (!is_plain).then(|| Box::new(money));
        self.settle(prices)
    }

    /// Works out by the rates known now what is left, and whether it counts.
    pub(super) fn settle(&mut self, prices: Prices<'_>) -> Settled {
        let (place, cancelled) = (self.entry.place(), self.entry.has(Flag::Cancelled));
        let left = match self.extra.money.as_deref() {
            Some(money) => money.left(prices, place),
            None if self.entry.kind() == Kind::Referral => return Settled { clamped: false },
            None => Some(self.amount()),
        };
        self.entry.set(Flag::Unpriced, left.is_none());
        let worth = left.unwrap_or_default().max(Decimal::ZERO);
        if self.entry.kind() == Kind::Referral {
            self.extra.amount = left.map(Box::new);
            return Settled { clamped: false };
        }
        let money = self.extra.money.as_deref().filter(|money| !money.refunds.is_empty());
        let is_refunded =
            money.is_some_and(|money| left.map_or(money.own() <= Decimal::ZERO, |left| left <= Decimal::ZERO));
        let is_clamped = money.is_some_and(|_| left.is_some_and(|left| left < Decimal::ZERO));
        self.entry.set(Flag::Gone, cancelled || is_refunded);
        self.set_amount(worth);
        Settled { clamped: is_clamped }
    }

    /// Unites what is known of one order twice: one order, at the earlier place (of two at one place, the one whose
    /// record lies first), with the refunds of both.
    pub(super) fn absorb_order(&mut self, mut other: Self, prices: Prices<'_>) {
        let order = |it: &Self| (it.entry.place(), it.entry.position());
        if order(&other) < order(self) {
            std::mem::swap(self, &mut other);
        }
        let (mut money, theirs) = (self.money(prices.rules), other.money(prices.rules));
        money.refunds.absorb(theirs.refunds);
        let cancelled = self.entry.has(Flag::Cancelled) || other.entry.has(Flag::Cancelled);
        self.entry.set(Flag::Cancelled, cancelled);
        self.set_money(money, prices);
    }
}

impl Pending {
    /// Unites what waits for one order.
    pub(super) fn absorb(&mut self, other: Self) {
        self.refunds.absorb(other.refunds);
        self.cancelled |= other.cancelled;
        self.until = self.until.max(other.until);
    }
}

impl Customer {
    /// Takes in an order that somebody else knew: united with what is known of it here, and with what waits for it. Notes
    /// its amounts in other currencies.
    pub(super) fn absorb_order(&mut self, mut order: Object, prices: Prices<'_>, foreign: &mut Amounts) {
        let (kind, key) = (order.entry.kind(), order.entry.key);
        if let Some(at) = self.find(kind, key, prices.rules) {
            let known = self.remove(at, prices.rules);
            order.absorb_order(known, prices);
        }
        let as_of = self.as_of;
        let rare = self.rare.as_mut().filter(|_| kind == Kind::Purchase);
        let pending = rare.and_then(|rare| rare.pending.remove(&key)).filter(|it| as_of < it.until);
        if let Some(pending) = pending {
            let mut money = order.money(prices.rules);
            money.refunds.absorb(pending.refunds);
            order.entry.set(Flag::Cancelled, order.entry.has(Flag::Cancelled) || pending.cancelled);
            order.set_money(money, prices);
        }
        foreign.extend(order.foreign(prices.rules));
        self.insert(order, prices.rules);
    }
}

#[cfg(test)]
mod tests {
    use super::super::rates::Rates;
    use super::*;
    use crate::model::event::FxRate;
    use crate::model::id::CustomerId;
    use crate::model::record::Position;

    const RULES: &str = "
ruleset: shop
currency: EUR
features: { spend: { sum: purchase.amount } }";

    fn position(offset: u64) -> Position {
        Position { kind: Kind::Purchase, partition: 0, offset }
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    fn refund(key: u64, amount: &str, currency: &str) -> Refund {
        Refund { key, amount: decimal(amount), currency: Currency(currency.into()) }
    }

    fn order(refunds: &[Refund], prices: Prices<'_>) -> Object {
        let mut order = Object::new(1, EventTime(5), position(3));
        let (amount, currency) = (decimal("100"), Currency("USD".into()));
        let mut money = Money { amount, currency, refunds: Refunds::default() };
        for refund in refunds {
            money.refunds.add(refund.clone());
        }
        order.set_money(money, prices);
        order
    }

    #[test]
    fn what_two_know_of_one_order_is_united_exactly() {
        let rules = Ruleset::parse("rules", RULES).expect("rules");
        let mut rates = Rates::default();
        for (base, rate) in [("USD", "0.5"), ("GBP", "2")] {
            let currency = |code: &str| Currency(code.into());
            let valid_on = jiff::civil::date(1970, 1, 1);
            rates.take(&FxRate { base: currency(base), quote: currency("EUR"), rate: decimal(rate), valid_on }, "EUR");
        }
        let prices = Prices { rules: &rules, rates: &rates };
        let refunds = [refund(7, "10", "USD"), refund(8, "5", "EUR"), refund(9, "1.5", "GBP")];
        let whole = order(&refunds, prices);
        assert_eq!(whole.amount(), decimal("37"), "(100 - 10) / 2 - 5 - 3");
        for (here, there) in [(&refunds[..2], &refunds[1..]), (&refunds[1..], &refunds[..2]), (&[], &refunds)] {
            let mut customer = Customer::new(CustomerId::from("ann"), &rules);
            customer.absorb_order(order(here, prices), prices, &mut Vec::new());
            customer.absorb_order(order(there, prices), prices, &mut Vec::new());
            assert_eq!(
                customer.log,
                [whole.entry].map(|mut entry| {
                    entry.set(Flag::Extra, true);
                    entry
                })
            );
        }
        let mut cancelled = order(&[], prices);
        cancelled.entry.set(Flag::Cancelled, true);
        let mut united = whole;
        united.absorb_order(cancelled, prices);
        assert!(united.entry.has(Flag::Gone) && united.entry.has(Flag::Cancelled));
    }

    #[test]
    fn refunds_in_its_own_currency_take_an_order_back_without_a_rate() {
        let rules = Ruleset::parse("rules", RULES).expect("rules");
        let prices = Prices { rules: &rules, rates: &Rates::default() };
        let parts = [refund(1, "33.33", "USD"), refund(2, "33.33", "USD"), refund(3, "33.34", "USD")];
        let flags = |order: &Object| (order.entry.has(Flag::Unpriced), order.entry.has(Flag::Gone));
        assert_eq!(flags(&order(&parts, prices)), (true, true));
        assert_eq!(flags(&order(&parts[..2], prices)), (true, false));
        assert_eq!(flags(&order(&[refund(1, "500", "GBP")], prices)), (true, false), "nobody knows yet");
    }

    #[test]
    fn refunds_are_bounded() {
        let mut refunds = Refunds::default();
        for key in 0..200 {
            refunds.add(refund(key, "1", "USD"));
        }
        assert_eq!(refunds.0.len(), MAX_REFUNDS);
        assert_eq!(refunds.0.iter().map(|refund| refund.amount).sum::<Decimal>(), decimal("200"));
    }
}
