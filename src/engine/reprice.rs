//! A rate that comes: whose amounts are worth something else now, and the look that follows.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;

use super::apply::Outcome;
use super::customer::Customer;
use super::customers::{Customers, Slot};
use super::entry::{Entry, Object};
use super::look::Brought;
use super::money::Money;
use super::rates::{Prices, Repriced};
use super::{Engine, features};
use crate::model::event::{Event, FxRate};
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
            let prices = Prices { rules: &rules, rates: &self.rates };
            let customer = &mut self.customers[slot];
            self.stats.unmatched += customer.advance(event.at, &rules);
            customer.reprice(&repriced, prices);
            customer.news = u16::MAX;
            let outcome = Outcome { look: true, ..Outcome::default() };
            self.judge(slot, Brought::Event(event, position), outcome, outputs);
        }
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
