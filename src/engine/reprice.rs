//! A rate that comes: whose amounts are worth something else now, and the look that follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;

use super::apply::Outcome;
use super::customer::Customer;
use super::customers::{Customers, Slot};
use super::entry::{Entry, Flag, Object};
use super::look::Brought;
use super::money::Money;
use super::rates::{Prices, Repriced};
use super::{Engine, features};
use crate::model::event::{Event, FxRate, Kind};
use crate::model::id::EntityKind;
use crate::model::output::Output;
use crate::model::record::Position;
use crate::rules::calendar::Day;
use crate::rules::ruleset::Ruleset;

/// Who has amounts in which currency on which date: it follows from the customers, and spares walking them all.
///
/// Size: a slot for each such amount, and as many again that are out of date, which are swept out now and then.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    slots: BTreeMap<(CompactString, Day), Vec<Slot>>,
    len: usize,
    sweep_at: usize,
}

/// Amounts in other currencies, each with the date whose rate it takes.
pub(super) type Amounts = Vec<(CompactString, Day)>;

/// Slots from which on it is worth sweeping.
const SWEEP: usize = 1 << 16;

impl Foreign {
    fn note(&mut self, slot: Slot, amounts: impl Iterator<Item = (CompactString, Day)>) {
        for amount in amounts {
            let slots = self.slots.entry(amount).or_default();
            if slots.last() != Some(&slot) {
                slots.push(slot);
                self.len += 1;
            }
        }
    }

    /// Drops what is no longer so.
    fn sweep(&mut self, customers: &Customers, rules: &Ruleset) {
        if self.len < self.sweep_at.max(SWEEP) {
            return;
        }
        self.slots.retain(|(currency, day), slots| {
            slots.sort_unstable();
            slots.dedup();
            let repriced = Repriced { currency: currency.clone(), days: vec![*day] };
            slots.retain(|slot| customers[*slot].is_repriced(&repriced, rules));
            !slots.is_empty()
        });
        self.len = self.slots.values().map(Vec::len).sum();
        self.sweep_at = 2 * self.len;
    }
}

impl Engine {
    /// Takes in a rate. Whoever has an amount on a date whose rate it changes catches up, is priced anew and looked at,
    /// in the order of the ids.
    pub(super) fn take_rate(&mut self, rate: &FxRate, event: &Event, position: Position, outputs: &mut Vec<Output>) {
        let rules = Arc::clone(&self.rules);
        // Until it is their turn, everybody's amounts are worth what they were.
        let Some(repriced) = self.rates.take(rate, &rules.currency) else { return };
        let noted = |day: &Day| self.foreign.slots.get(&(repriced.currency.clone(), *day));
        let mut slots: Vec<Slot> = repriced.days.iter().filter_map(noted).flatten().copied().collect();
        slots.sort_unstable();
        slots.dedup();
        slots.retain(|slot| self.customers[*slot].is_repriced(&repriced, &rules));
        self.customers.sort(&mut slots);
        for slot in slots {
            self.customers.touch(slot);
            self.catch_up(slot, event.at, outputs);
            let counted = self.counted(slot);
            let prices = Prices { rules: &rules, rates: &self.rates };
            let customer = &mut self.customers[slot];
            self.stats.unmatched += customer.advance(event.at, &rules);
            customer.reprice(&repriced, prices);
            customer.news = u16::MAX;
            self.recount(slot, counted);
            self.call_detectors(slot, outputs);
            let outcome = Outcome { look: true, ..Outcome::default() };
            self.judge(slot, Brought::Event(event, position), outcome, outputs);
        }
    }

    /// How many amounts of customers wait for a rate now. It asks whoever has one of a date without a rate: too much for
    /// each epoch.
    pub fn unpriced_amounts(&self) -> u64 {
        let own = &self.rules.currency;
        let lacking = |(currency, day): &(CompactString, Day)| self.rates.rate(currency, own, *day).is_none();
        let noted = self.foreign.slots.iter().filter(|(amount, _)| lacking(amount));
        let mut slots: Vec<Slot> = noted.flat_map(|(_, slots)| slots.iter().copied()).collect();
        slots.sort_unstable();
        slots.dedup();
        slots.into_iter().map(|slot| self.customers[slot].unpriced(&self.rules)).sum()
    }

    /// Notes that a customer has got amounts in other currencies, so that rates find them.
    pub(super) fn note_foreign(&mut self, slot: Slot, amounts: Amounts) {
        if !amounts.is_empty() {
            self.foreign.note(slot, amounts.into_iter());
            self.foreign.sweep(&self.customers, &self.rules);
        }
    }

    /// Notes all amounts of a customer who comes from a snapshot.
    pub(super) fn note_all_foreign(&mut self, slot: Slot) {
        let amounts =
            self.customers[slot].with_money().flat_map(|(entry, money)| money.foreign(entry.place(), &self.rules));
        self.foreign.note(slot, amounts);
    }
}

impl Customer {
    /// Its objects with amounts in other currencies.
    fn with_money(&self) -> impl Iterator<Item = (&Entry, &Money)> {
        self.log.iter().filter_map(|entry| Some((entry, self.extra(entry)?.money.as_deref()?)))
    }

    fn concerned(&self, repriced: &Repriced, rules: &Ruleset) -> impl Iterator<Item = &Entry> {
        let is_it = |(entry, money): &(&Entry, &Money)| {
            money.currencies().any(|currency| currency.0 == repriced.currency)
                && repriced.days.contains(&rules.calendar.day(entry.place()))
                && self.forgotten_at(entry.kind(), entry.place(), rules).is_none_or(|until| self.as_of < until)
        };
        self.with_money().filter(is_it).map(|(entry, _)| entry)
    }

    /// Amounts of a customer's own that wait for a rate. What others are told of them is not counted again.
    fn unpriced(&self, rules: &Ruleset) -> u64 {
        let waits = |entry: &&Entry| {
            let until = self.forgotten_at(entry.kind(), entry.place(), rules);
            let is_own = self.id.kind() == EntityKind::Customer && entry.kind() != Kind::ReferredPurchase;
            is_own && entry.has(Flag::Unpriced) && until.is_none_or(|until| self.as_of < until)
        };
        self.log.iter().filter(waits).count() as u64
    }

    /// Whether it remembers an amount that is worth something else now.
    fn is_repriced(&self, repriced: &Repriced, rules: &Ruleset) -> bool {
        self.concerned(repriced, rules).next().is_some()
    }

    /// Prices amounts anew.
    fn reprice(&mut self, repriced: &Repriced, prices: Prices<'_>) {
        let rules = prices.rules;
        let objects: Vec<_> = self.concerned(repriced, rules).map(|entry| (entry.kind(), entry.key)).collect();
        for (kind, key) in objects {
            let Some(at) = self.find(kind, key, rules) else { continue };
            let mut object: Object = self.remove(at, rules);
            object.settle(prices);
            features::judge_amount(&mut object, prices);
            self.insert(object, rules);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::codec::{RawRecord, decode};
    use crate::engine::{Engine, Home, TimeMode};
    use crate::model::event::Kind;
    use crate::model::record::{Epoch, Position, Record};
    use crate::model::time::EventTime;
    use crate::rules::ruleset::Ruleset;

    const RULES: &str = "
ruleset: shop
currency: EUR
features: { spend: { sum: purchase.amount } }
labels: { known: spend >= 0 }";

    #[test]
    fn amounts_without_a_rate_are_counted_until_it_comes() {
        let rules = std::sync::Arc::new(Ruleset::parse("rules.yaml", RULES).unwrap());
        let mut engine = Engine::new(rules, "shop", TimeMode::Event, Home::ALONE);
        let order = |id: &str, currency: &str, status: &str| {
            let event = format!(
                r#"{{"event_id":"{id}","customer_id":"ann","occurred_at":"2025-03-10T12:00:00Z","order_id":"{id}","amount":9,"currency":"{currency}","status":"{status}"}}"#
            );
            (Kind::Purchase, event)
        };
        let rate = |currency: &str| {
            let event = format!(
                r#"{{"event_id":"r","occurred_at":"2025-03-10T12:00:00Z","base":"{currency}","quote":"EUR","rate":2,"valid_on":"2025-03-09"}}"#
            );
            (Kind::FxRate, event)
        };
        let mut waiting = Vec::new();
        for (kind, json) in [
            order("o1", "EUR", "completed"),
            order("o2", "USD", "completed"),
            order("o2", "USD", "completed"),
            order("o3", "USD", "completed"),
            order("o1", "GBP", "refunded"),
            rate("USD"),
            order("o4", "USD", "completed"),
            rate("GBP"),
        ] {
            let body = decode(kind, &RawRecord { value: Some(json.as_bytes()), ..RawRecord::default() });
            let (position, merge_time) = (Position { kind, partition: 0, offset: 0 }, EventTime(1_741_608_000_000));
            let records = vec![Record { position, merge_time, body }];
            engine.apply(Epoch { records, clock: merge_time, wall: merge_time, ..Epoch::default() }, &mut Vec::new());
            waiting.push(engine.unpriced_amounts());
        }
        assert_eq!(waiting, [0, 1, 1, 2, 3, 1, 1, 0]);
    }
}
