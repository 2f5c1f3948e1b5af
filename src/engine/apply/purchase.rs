//! Orders, refunds, cancellations and disputes.

use rust_decimal::Decimal;

use super::super::customer::{Customer, MAX_SEEN, Pending};
use super::super::entry::{Flag, Object};
use super::super::features::{self, Contribution, EventFacts};
use super::super::money::{Money, Refund};
use super::super::rates::Prices;
use super::{Arrival, CHANGED, NOTHING, Outcome, hash, seen};
use crate::model::event::{Event, Kind, Purchase, PurchaseStatus};
use crate::model::time::EventTime;
use crate::rules::fact::{Fact, Facts};
use crate::rules::value::Val;

impl Arrival<'_> {
    pub(super) fn purchase(&mut self, customer: &mut Customer, purchase: &Purchase) -> Outcome {
        if purchase.test {
            self.stats.tests += 1;
            return NOTHING;
        }
        match purchase.status {
            PurchaseStatus::Completed => self.completed(customer, purchase),
            PurchaseStatus::Refunded | PurchaseStatus::Cancelled => self.taken_back(customer, purchase),
            PurchaseStatus::Disputed => self.disputed(customer),
        }
    }

    /// A dispute changes nothing (a lost one is sent as refunded), but may alert.
    fn disputed(&mut self, customer: &mut Customer) -> Outcome {
        self.first_time(customer).err().unwrap_or(Outcome { alert: true, ..NOTHING })
    }

    /// Remembers an event that is no order of its own, and says until when; one seen before or expired has its outcome
    /// already.
    fn first_time(&mut self, customer: &mut Customer) -> Result<EventTime, Outcome> {
        let seen = seen(self.event.kind(), &self.event.business_key());
        if customer.has_seen(seen) {
            return Err(self.duplicate());
        }
        if self.is_expired(customer) {
            return Err(NOTHING);
        }
        let until = self.forgotten_at(customer, self.event.at);
        customer.see(seen, until);
        Ok(until)
    }

    fn completed(&mut self, customer: &mut Customer, purchase: &Purchase) -> Outcome {
        let (key, at) = (hash(&purchase.order_id), self.event.at);
        if customer.find(Kind::Purchase, key, self.rules).is_some() {
            return self.duplicate();
        }
        customer.first_purchase.lower(at);
        customer.last_purchase.raise(at);
        customer.last_seen.raise(at);
        if self.is_expired(customer) {
            return NOTHING;
        }
        let as_of = customer.as_of;
        let pending = customer.rare.as_mut().and_then(|rare| rare.pending.remove(&key));
        let pending = pending.filter(|pending| as_of < pending.until).unwrap_or_default();
        let mut order = Object::new(key, at, self.position);
        order.entry.set(Flag::Cancelled, pending.cancelled);
        let (amount, currency) = (purchase.amount, purchase.currency.clone());
        self.worth(&mut order, Money { amount, currency, refunds: pending.refunds });
        if let Some(end) = purchase.subscription.as_ref().and_then(|subscription| subscription.period_end) {
            order.extra.period_end = self.rules.calendar.period_end(end).into();
        }
        features::keep(&mut order, self.event, self.prices);
        customer.tell_referrer(&order, false, self.rules, self.sendings);
        customer.insert(order, self.rules);
        CHANGED
    }

    fn taken_back(&mut self, customer: &mut Customer, purchase: &Purchase) -> Outcome {
        let until = match self.first_time(customer) {
            Ok(until) => until,
            Err(outcome) => return outcome,
        };
        let cancelled = purchase.status == PurchaseStatus::Cancelled;
        let key = hash(&purchase.order_id);
        let refund = Refund {
            key: seen(Kind::Purchase, &self.event.business_key()),
            amount: purchase.amount,
            currency: purchase.currency.clone(),
        };
        if let Some(at) = customer.find(Kind::Purchase, key, self.rules) {
            let mut order = customer.remove(at, self.rules);
            let mut money = order.money(self.rules);
            let is_known = !cancelled && money.refunds.has(refund.key);
            if cancelled {
                order.entry.set(Flag::Cancelled, true);
            } else {
                money.refunds.add(refund);
            }
            if !is_known {
                self.worth(&mut order, money);
                customer.tell_referrer(&order, true, self.rules, self.sendings);
            }
            customer.insert(order, self.rules);
            return if is_known { self.duplicate() } else { Outcome { refund: true, ..CHANGED } };
        }
        if !cancelled && self.took_from_lost(customer, purchase) {
            return Outcome { refund: true, ..CHANGED };
        }
        let as_of = customer.as_of;
        customer.lapses = customer.lapses.min(until);
        let pending = &mut customer.rare().pending;
        if pending.len() >= MAX_SEEN && !pending.contains_key(&key) {
            let before = pending.len();
            pending.retain(|_, pending| as_of < pending.until);
            self.stats.unmatched += (before - pending.len()) as u64;
            if let Some(first) = pending.iter().min_by_key(|(_, pending)| pending.until).map(|(key, _)| *key)
                && pending.len() >= MAX_SEEN
            {
                pending.remove(&first);
                self.stats.unmatched += 1;
            }
        }
        let held = pending.entry(key).or_default();
        if as_of >= held.until {
            *held = Pending::default();
        }
        held.until = held.until.max(until);
        if cancelled {
            held.cancelled = true;
        } else {
            held.refunds.add(refund);
        }
        Outcome { refund: true, ..CHANGED }
    }

    /// Takes a refund off the unit of an order lost to the bound on orders; says whether it did.
    fn took_from_lost(&self, customer: &mut Customer, purchase: &Purchase) -> bool {
        let lost = customer.rare.as_ref().and_then(|rare| rare.lost_order.get());
        let (Some(lost), Some(place)) = (lost, purchase.refunds_order_at) else { return false };
        if place > lost {
            return false;
        }
        for index in &self.rules.plan.of(Kind::Purchase).features {
            let feature = &self.rules.features[usize::from(*index)];
            let Some(program) = &feature.value else { continue };
            if feature.filter.as_ref().is_some_and(|filter| {
                filter.program.decide(&EventFacts::at(self.event, place, self.prices)) != Some(true)
            }) {
                continue;
            }
            let whole = Contribution::of(feature, program.eval(&EventFacts::at(self.event, place, self.prices)));
            let rest = Contribution::of(feature, program.eval(&WithoutAmount(self.event, self.prices)));
            if let (Some(Contribution::Amount(whole)), Some(Contribution::Amount(rest))) = (whole, rest) {
                customer.drain(*index, whole - rest, place, self.rules);
            }
        }
        true
    }
}

/// The event's fields with an amount of zero: what an expression gives apart from the amount.
struct WithoutAmount<'a>(&'a Event, Prices<'a>);

impl<'a> Facts<'a> for WithoutAmount<'a> {
    fn fact(&self, fact: Fact) -> Val<'a> {
        match fact {
            Fact::Event(field) if field.is_amount() => Val::Decimal(Decimal::ZERO),
            fact => EventFacts::new(self.0, self.1).fact(fact),
        }
    }

    fn days_since(&self, _: EventTime) -> i64 {
        0
    }
}
