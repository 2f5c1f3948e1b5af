//! Two customers' memories become one: what both know of is united by its key, the rest is added.
//!
//! What comes out does not depend on who takes in whom, or in which order several do.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::Stats;
use super::apply::{hash, seen_version};
use super::bucket::Bucket;
use super::customer::{Customer, MAX_SEEN, NEVER, Rare};
use super::entry::{Flag, Object};
use super::features;
use super::forgotten::Forgotten;
use super::rates::Prices;
use super::reprice::Amounts;
use super::ties::Sending;
use crate::model::event::Kind;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;

impl Customer {
    /// Takes in another's memory, as it was encoded; says whether it could be read.
    pub(super) fn absorb(
        &mut self,
        state: &[u8],
        prices: Prices<'_>,
        stats: &mut Stats,
        sendings: &mut Vec<Sending>,
        foreign: &mut Amounts,
    ) -> bool {
        let Ok(mut other) = Self::decode(state, prices.rules) else {
            stats.forgotten.add(Forgotten::Image, 1);
            return false;
        };
        let mut told = Vec::new();
        if let Some(ties) = other.rare.as_mut().and_then(|rare| rare.ties.as_mut()) {
            told = std::mem::take(&mut ties.exceptions);
            self.unite_resolved(std::mem::take(&mut ties.resolved), &prices.rules.calendar, sendings);
        }
        stats.unmatched += other.advance(self.as_of, prices.rules);
        let mut came = None;
        self.unite_credit(other, prices.rules, sendings, |own, mut other| {
            own.know_names_of(&other);
            came = Some(own.came(&mut other, prices.rules));
            own.take_in(other, prices, foreign);
            own.forget_own_referrals(prices.rules);
        });
        if let Some(came) = came {
            self.tell_accounts(&came, prices.rules, sendings);
        }
        self.unite_exceptions(told, prices.rules, sendings);
        true
    }

    /// Takes in what another remembers, whose time has been moved to this one's; notes the amounts in other currencies that
    /// come by it.
    pub(super) fn take_in(&mut self, mut other: Self, prices: Prices<'_>, foreign: &mut Amounts) {
        let rules = prices.rules;
        self.lapses = self.lapses.min(other.lapses);
        self.absorb_pivots(&mut other, rules);
        if let Some(first) = other.first_purchase.get() {
            self.first_purchase.lower(first);
        }
        self.last_purchase.raise(other.last_purchase);
        self.last_seen.raise(other.last_seen);
        for entry in std::mem::take(&mut other.log) {
            let extra = other.take_extra(&entry);
            let mut object = Object { entry, extra };
            if object.extra.money.is_some() {
                // A rate may have come since it was given away.
                object.settle(prices);
                features::judge_amount(&mut object, prices);
            }
            if matches!(entry.kind(), Kind::Purchase | Kind::ReferredPurchase) {
                self.absorb_order(object, prices, foreign);
            } else {
                self.unite(object, rules, foreign);
            }
        }
        if let Some(rare) = other.rare {
            self.absorb_rare(*rare, prices, foreign);
        }
    }

    /// Puts an object with versions into the log; of one that is there already the newest version stands (of two, that whose
    /// record lies first), at the earliest place.
    fn unite(&mut self, theirs: Object, rules: &Ruleset, foreign: &mut Amounts) {
        let (kind, key) = (theirs.entry.kind(), theirs.entry.key);
        foreign.extend(theirs.foreign(rules));
        let Some(at) = self.find(kind, key, rules) else { return self.insert(theirs, rules) };
        let ours = self.remove(at, rules);
        let newness = |object: &Object| (object.entry.version(), Reverse(object.entry.position()));
        let is_theirs = newness(&theirs) > newness(&ours);
        let (mut object, other) = if is_theirs { (theirs, ours) } else { (ours, theirs) };
        let (version, former) = (object.entry.version(), other.entry.version());
        if seen_version(kind, key, former) != seen_version(kind, key, version) {
            let place = object.entry.place().max(other.entry.place());
            let until = self.forgotten_at(kind, place, rules).unwrap_or(NEVER);
            self.see(seen_version(kind, key, former), until);
        }
        if kind != Kind::Referral && other.entry.place() < object.entry.place() {
            object.entry.set_place(other.entry.place());
        }
        if kind == Kind::Mention {
            object.entry.alert_as(&other.entry);
        }
        if version == former && other.entry.has(Flag::Gone) {
            object.entry.set(Flag::Gone, true);
        }
        self.insert(object, rules);
    }

    fn absorb_rare(&mut self, other: Rare, prices: Prices<'_>, foreign: &mut Amounts) {
        let rules = prices.rules;
        let rare = self.rare();
        rare.pay_until(other.subscribed_floor);
        rare.lost_order.raise(other.lost_order);
        rare.texts.extend(other.texts);
        rare.texts.sort_unstable_by_key(|(text, first)| (*first, *text));
        rare.texts.dedup();
        keep_newest(&mut rare.texts);
        let known: BTreeSet<(u64, EventTime)> = rare.seen.iter().copied().collect();
        rare.seen.extend(other.seen.into_iter().filter(|seen| !known.contains(seen)));
        keep_newest(&mut rare.seen);
        if let Some(by_hand) = other.by_hand {
            rare.by_hand.get_or_insert_default().unite(*by_hand);
        }
        for bucket in other.buckets {
            let is_it = |ours: &&mut Bucket| ours.feature == bucket.feature && ours.exit == bucket.exit;
            match rare.buckets.iter_mut().find(is_it) {
                Some(ours) => ours.add(bucket, rules),
                None => rare.buckets.push(bucket),
            }
        }
        for (order, theirs) in other.pending {
            rare.pending.entry(order).or_default().absorb(theirs);
        }
        while rare.pending.len() > MAX_SEEN {
            let first = rare.pending.iter().min_by_key(|(_, pending)| pending.until).map(|(order, _)| *order);
            first.map(|order| rare.pending.remove(&order));
        }
        let waiting: Vec<u64> = rare.pending.keys().copied().collect();
        for order in waiting {
            // What waits meets an order as it is put in.
            if let Some(at) = self.find(Kind::Purchase, order, rules) {
                let order = self.remove(at, rules);
                self.absorb_order(order, prices, foreign);
            }
        }
    }

    /// Whoever referred somebody and is the same now has referred nobody.
    fn forget_own_referrals(&mut self, rules: &Ruleset) {
        let own = hash(self.id.as_str());
        let aliases = self.ties().map(|ties| ties.aliases.clone()).unwrap_or_default();
        let is_own = |at: &usize| {
            let entry = &self.log[*at];
            entry.refers(own) || aliases.iter().any(|alias| entry.refers(*alias))
        };
        let found: Vec<usize> = self.objects(Kind::Referral).filter(is_own).collect();
        for at in found.into_iter().rev() {
            self.remove(at, rules);
        }
    }
}

fn keep_newest<T>(list: &mut Vec<T>) {
    list.drain(..list.len().saturating_sub(MAX_SEEN));
}

impl Bucket {
    /// Adds what another's holds of the same unit.
    fn add(&mut self, other: Self, rules: &Ruleset) {
        self.count += other.count;
        self.sum += other.sum;
        self.newest = self.newest.max(other.newest);
        self.values.extend(other.values);
        self.values.sort_unstable();
        self.values.dedup();
        self.values.truncate(MAX_SEEN);
        if let Some((order, value)) = other.extreme {
            self.hold(rules.features[usize::from(self.feature)].aggregate, order, value);
        }
    }
}
