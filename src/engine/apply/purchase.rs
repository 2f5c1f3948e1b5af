//! Orders, refunds, cancellations and disputes.

use rust_decimal::Decimal;

use super::super::customer::{Customer, MAX_SEEN, Pending};
use super::super::entry::{Flag, Object};
use super::super::features::{self, Contribution, EventFacts};
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
        let pending =
            customer.rare.as_mut().and_then(|rare| rare.pending.remove(&key)).filter(|pending| as_of < pending.until);
        let pending = pending.unwrap_or_default();
        let left = self.less(purchase.amount, pending.refunded);
        let mut order = Object::new(key, at, self.position);
        order.set_amount(left);
        let unpriced = purchase.currency.0 != self.rules.currency;
        self.stats.unpriced += u64::from(unpriced);
        order.entry.set(Flag::Unpriced, unpriced);
        order.entry.set(Flag::Refunded, pending.refunds > 0);
        order.entry.set(Flag::Gone, pending.cancelled || pending.refunds > 0 && left.is_zero());
        if let Some(end) = purchase.subscription.as_ref().and_then(|subscription| subscription.period_end) {
            order.extra.period_end = self.rules.calendar.period_end(end).into();
        }
        features::keep(&mut order, self.event, self.rules);
        customer.insert(order, self.rules);
        CHANGED
    }

    /// An amount less a refund, never below nothing.
    fn less(&mut self, amount: Decimal, refund: Decimal) -> Decimal {
        self.stats.clamped += u64::from(refund > amount);
        (amount - refund).max(Decimal::ZERO)
    }

    fn taken_back(&mut self, customer: &mut Customer, purchase: &Purchase) -> Outcome {
        let until = match self.first_time(customer) {
            Ok(until) => until,
            Err(outcome) => return outcome,
        };
        let cancelled = purchase.status == PurchaseStatus::Cancelled;
        if !cancelled && purchase.currency.0 != self.rules.currency {
            self.stats.unpriced += 1;
            return Outcome { alert: true, ..NOTHING };
        }
        let key = hash(&purchase.order_id);
        if let Some(at) = customer.find(Kind::Purchase, key, self.rules) {
            let mut order = customer.remove(at, self.rules);
            let left = if cancelled { Decimal::ZERO } else { self.less(order.amount(), purchase.amount) };
            order.set_amount(left);
            let entry = &mut order.entry;
            entry.set(Flag::Refunded, !cancelled || entry.has(Flag::Refunded));
            entry.set(Flag::Gone, cancelled || left.is_zero() || entry.has(Flag::Gone));
            customer.insert(order, self.rules);
            return Outcome { refund: true, ..CHANGED };
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
            held.refunded += purchase.amount;
            held.refunds += 1;
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
            if feature
                .filter
                .as_ref()
                .is_some_and(|filter| filter.program.decide(&EventFacts(self.event)) != Some(true))
            {
                continue;
            }
            let whole = Contribution::of(feature, program.eval(&EventFacts(self.event)));
            let rest = Contribution::of(feature, program.eval(&WithoutAmount(self.event)));
            if let (Some(Contribution::Amount(whole)), Some(Contribution::Amount(rest))) = (whole, rest) {
                customer.drain(*index, whole - rest, place, self.rules);
            }
        }
        true
    }
}

/// The event's fields with an amount of zero: what an expression gives apart from the amount.
struct WithoutAmount<'a>(&'a Event);

impl<'a> Facts<'a> for WithoutAmount<'a> {
    fn fact(&self, fact: Fact) -> Val<'a> {
        match fact {
            Fact::Event(field) if field.is_amount() => Val::Decimal(Decimal::ZERO),
            fact => EventFacts(self.0).fact(fact),
        }
    }

    fn days_since(&self, _: EventTime) -> i64 {
        0
    }
}
