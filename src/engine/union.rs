//! What one entity remembers taken into another: objects by key, each once.

use rust_decimal::Decimal;

use super::bucket::Bucket;
use super::customer::{Customer, MAX_SEEN, Pending};
use super::entry::{Flag, Object};
use crate::model::event::Kind;
use crate::rules::ruleset::Ruleset;

impl Customer {
    /// Takes in what another remembers. What both know of counts once: of an order the less is left, of anything else
    /// the newest version holds. Presence and engagement, of which sums are kept, add up.
    pub(super) fn absorb(&mut self, mut other: Self, rules: &Ruleset) {
        if let Some(first) = other.first_purchase.get() {
            self.first_purchase.lower(first);
        }
        self.last_purchase.raise(other.last_purchase);
        self.last_seen.raise(other.last_seen);
        for entry in std::mem::take(&mut other.log) {
            let extra = other.take_extra(&entry);
            self.unite(Object { entry, extra }, rules);
        }
        let Some(rare) = other.rare else { return };
        for (key, until) in rare.seen {
            if !self.has_seen(key) && self.as_of < until {
                self.see(key, until);
            }
        }
        for (text, first) in rare.texts {
            self.post(text, first);
        }
        for (order, pending) in rare.pending {
            self.unite_pending(order, &pending, rules);
        }
        for bucket in rare.buckets {
            self.unite_bucket(bucket, rules);
        }
        let mine = self.rare();
        mine.pay_until(rare.subscribed_floor);
        mine.lost_order.raise(rare.lost_order);
    }

    fn unite(&mut self, mut object: Object, rules: &Ruleset) {
        let kind = object.entry.kind();
        if self.forgotten_at(kind, object.entry.place(), rules).is_some_and(|until| until <= self.as_of) {
            self.rare().pay_until(object.extra.period_end);
            return;
        }
        if let Some(at) = self.find(kind, object.entry.key, rules) {
            let mine = self.remove(at, rules);
            object = if kind == Kind::Purchase { one_order(mine, &object) } else { newest(mine, object) };
        } else if kind == Kind::Purchase {
            let as_of = self.as_of;
            let pending = self.rare.as_mut().and_then(|rare| rare.pending.remove(&object.entry.key));
            if let Some(pending) = pending.filter(|pending| as_of < pending.until) {
                take_back(&mut object, &pending);
            }
        }
        self.insert(object, rules);
    }

    fn unite_pending(&mut self, order: u64, pending: &Pending, rules: &Ruleset) {
        if pending.until <= self.as_of {
            return;
        }
        if let Some(at) = self.find(Kind::Purchase, order, rules) {
            let mut object = self.remove(at, rules);
            take_back(&mut object, pending);
            return self.insert(object, rules);
        }
        let as_of = self.as_of;
        self.lapses = self.lapses.min(pending.until);
        let mine = &mut self.rare().pending;
        if mine.len() >= MAX_SEEN && !mine.contains_key(&order) {
            return;
        }
        let mine = mine.entry(order).or_default();
        if as_of >= mine.until {
            *mine = Pending::default();
        }
        mine.refunded += pending.refunded;
        mine.refunds += pending.refunds;
        mine.cancelled |= pending.cancelled;
        mine.until = mine.until.max(pending.until);
    }

    fn unite_bucket(&mut self, other: Bucket, rules: &Ruleset) {
        if other.exit <= self.as_of {
            return;
        }
        self.lapses = self.lapses.min(other.exit);
        let buckets = &mut self.rare().buckets;
        let mine = buckets.iter_mut().find(|mine| (mine.feature, mine.exit) == (other.feature, other.exit));
        let Some(mine) = mine else { return buckets.push(other) };
        mine.count += other.count;
        mine.sum += other.sum;
        mine.newest = mine.newest.max(other.newest);
        for value in other.values {
            if let Err(at) = mine.values.binary_search(&value)
                && mine.values.len() < MAX_SEEN
            {
                mine.values.insert(at, value);
            }
        }
        if let Some((order, value)) = other.extreme {
            mine.hold(rules.features[usize::from(mine.feature)].aggregate, order, value);
        }
    }
}

/// One order that both know: as the first heard of it, with the less left.
fn one_order(mut mine: Object, other: &Object) -> Object {
    mine.set_amount(mine.amount().min(other.amount()));
    for flag in [Flag::Refunded, Flag::Gone] {
        let is_set = mine.entry.has(flag) || other.entry.has(flag);
        mine.entry.set(flag, is_set);
    }
    mine
}

/// Takes what waited for an order off it.
fn take_back(order: &mut Object, pending: &Pending) {
    let left = if pending.cancelled { Decimal::ZERO } else { order.amount() - pending.refunded };
    order.set_amount(left.max(Decimal::ZERO));
    let entry = &mut order.entry;
    entry.set(Flag::Refunded, pending.refunds > 0 || entry.has(Flag::Refunded));
    let is_gone = pending.cancelled || pending.refunds > 0 && left <= Decimal::ZERO;
    entry.set(Flag::Gone, is_gone || entry.has(Flag::Gone));
}

/// One object of which both know versions: the newest content, at the earliest place; a referral at that of its content.
fn newest(mine: Object, other: Object) -> Object {
    let place = mine.entry.place().min(other.entry.place());
    let mut it = if other.entry.version() > mine.entry.version() { other } else { mine };
    if it.entry.kind() != Kind::Referral {
        it.entry.set_place(place);
    }
    it
}
