//! Two customers' memories become one: what both know of is united by its key, the rest is added.
//!
//! What comes out does not depend on who takes in whom, or in which order several do.

use rust_decimal::Decimal;

use super::Stats;
use super::apply::{hash, seen_version};
use super::bucket::Bucket;
use super::customer::{Customer, MAX_SEEN, NEVER, Rare};
use super::entry::{Flag, Object};
use super::ties::Sending;
use crate::model::event::Kind;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;

impl Customer {
    /// Takes in another's memory, as it was encoded; says whether it could be read.
    pub(super) fn absorb(
        &mut self,
        state: &[u8],
        rules: &Ruleset,
        stats: &mut Stats,
        sendings: &mut Vec<Sending>,
    ) -> bool {
        let Ok(mut other) = Self::decode(state, rules) else { return false };
        stats.unmatched += other.advance(self.as_of, rules);
        self.lapses = self.lapses.min(other.lapses);
        let aliases = other.ties().map(|ties| ties.aliases.clone()).unwrap_or_default();
        self.know_as(aliases.into_iter().chain([hash(other.id.as_str())]));
        if let Some(first) = other.first_purchase.get() {
            self.first_purchase.lower(first);
        }
        self.last_purchase.raise(other.last_purchase);
        self.last_seen.raise(other.last_seen);
        for entry in std::mem::take(&mut other.log) {
            let extra = other.take_extra(&entry);
            self.unite(Object { entry, extra }, rules);
        }
        if let Some(resolved) = other.rare.as_mut().and_then(|rare| Some(std::mem::take(&mut rare.ties.as_mut()?.resolved))) {
            self.unite_resolved(resolved, &rules.calendar, sendings);
        }
        if let Some(rare) = other.rare {
            self.absorb_rare(*rare, rules);
        }
        self.settle_pending(rules);
        self.forget_own_referrals(rules);
        true
    }

    /// Puts an object into the log; one that is there already is the same.
    fn unite(&mut self, theirs: Object, rules: &Ruleset) {
        let (kind, key) = (theirs.entry.kind(), theirs.entry.key);
        let Some(at) = self.find(kind, key, rules) else { return self.insert(theirs, rules) };
        let ours = self.remove(at, rules);
        let is_theirs = if kind == Kind::Purchase {
            (theirs.entry.place(), theirs.entry.position()) < (ours.entry.place(), ours.entry.position())
        } else {
            let newness = |object: &Object| (object.entry.version(), std::cmp::Reverse(object.entry.position()));
            newness(&theirs) > newness(&ours)
        };
        let (mut object, other) = if is_theirs { (theirs, ours) } else { (ours, theirs) };
        if kind == Kind::Purchase {
            unite_orders(&mut object, &other);
        } else {
            let (version, former) = (object.entry.version(), other.entry.version());
            let place = object.entry.place().max(other.entry.place());
            let until = self.forgotten_at(kind, place, rules).unwrap_or(NEVER);
            if seen_version(kind, key, former) != seen_version(kind, key, version) {
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
        }
        self.insert(object, rules);
    }

    fn absorb_rare(&mut self, other: Rare, rules: &Ruleset) {
        let rare = self.rare();
        rare.pay_until(other.subscribed_floor);
        rare.lost_order.raise(other.lost_order);
        rare.texts.extend(other.texts);
        rare.texts.sort_unstable_by_key(|(text, first)| (*first, *text));
        rare.texts.dedup();
        keep_newest(&mut rare.texts);
        let known: std::collections::BTreeSet<(u64, EventTime)> = rare.seen.iter().copied().collect();
        rare.seen.extend(other.seen.into_iter().filter(|seen| !known.contains(seen)));
        keep_newest(&mut rare.seen);
        for bucket in other.buckets {
            let is_it = |ours: &&mut Bucket| ours.feature == bucket.feature && ours.exit == bucket.exit;
            match rare.buckets.iter_mut().find(is_it) {
                Some(ours) => ours.add(bucket, rules),
                None => rare.buckets.push(bucket),
            }
        }
        for (order, theirs) in other.pending {
            let ours = rare.pending.entry(order).or_default();
            ours.refunded += theirs.refunded;
            ours.refunds += theirs.refunds;
            ours.cancelled |= theirs.cancelled;
            ours.until = ours.until.max(theirs.until);
        }
        while rare.pending.len() > MAX_SEEN {
            let first = rare.pending.iter().min_by_key(|(_, pending)| pending.until).map(|(order, _)| *order);
            first.map(|order| rare.pending.remove(&order));
        }
    }

    /// What one knew was refunded or cancelled, and the other was ordered.
    fn settle_pending(&mut self, rules: &Ruleset) {
        let orders: Vec<u64> = self.rare().pending.keys().copied().collect();
        for key in orders {
            let Some(at) = self.find(Kind::Purchase, key, rules) else { continue };
            let mut order = self.remove(at, rules);
            let pending = self.rare().pending.remove(&key).unwrap_or_default();
            let left = if pending.cancelled { Decimal::ZERO } else { order.amount() - pending.refunded };
            order.set_amount(left.max(Decimal::ZERO));
            let refunded = order.entry.has(Flag::Refunded) || pending.refunds > 0;
            order.entry.set(Flag::Refunded, refunded);
            let gone = order.entry.has(Flag::Gone) || pending.cancelled || refunded && order.amount().is_zero();
            order.entry.set(Flag::Gone, gone);
            self.insert(order, rules);
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

fn unite_orders(order: &mut Object, other: &Object) {
    order.set_amount(order.amount().min(other.amount()));
    for flag in [Flag::Refunded, Flag::Gone] {
        let either = order.entry.has(flag) || other.entry.has(flag);
        order.entry.set(flag, either);
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
