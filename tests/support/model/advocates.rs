//! Advocates: who referred whom, and what the referred buy.

use std::collections::BTreeSet;

use vipstream::model::event::{Body, Event, Kind, Referral, ReferralStatus};
use vipstream::model::time::EventTime;

use super::customer::{Customer, Entity};
use super::effects::{Does, Sending};
use super::keys;
use super::memory::{Object, Outcome};
use super::rules::Ruleset;

/// Which referral: by the ids with which it was told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Told {
    pub(super) referrer: Entity,
    pub(super) key: String,
    pub(super) referred: Entity,
}

/// A referral of somebody, as they know it.
#[derive(Clone, Debug, PartialEq)]
struct Claim {
    told: Told,
    since: EventTime,
    status: ReferralStatus,
}

/// What ties advocates and those whom they referred.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Referrals {
    /// Who referred this one, or whoever turned out to be this one.
    claims: Vec<Claim>,
    /// Whom this one referred, or whoever turned out to be this one, in the order in which they were first told.
    referred: Vec<Told>,
}

impl Referrals {
    /// Somebody is erased: who is to hear of it.
    pub(super) fn cut(&self, who: &Entity) -> Vec<Sending> {
        let own = self.referred.iter().filter(|told| told.referrer == *who);
        let unrefer = own.map(|told| (told.referred.clone(), Does::Unrefer(told.clone())));
        let of_own = self.claims.iter().filter(|claim| claim.told.referred == *who);
        unrefer.chain(of_own.map(|claim| (claim.told.referrer.clone(), Does::Forgotten(who.clone())))).collect()
    }

    pub(super) fn forget(&mut self, who: &Entity) {
        self.referred.retain(|told| told.referred != *who);
    }

    fn claim(&mut self, claim: Claim) {
        match self.claims.iter_mut().find(|known| known.told == claim.told) {
            Some(known) => {
                known.since = known.since.min(claim.since);
                known.status = known.status.max(claim.status);
            }
            None => self.claims.push(claim),
        }
        self.claims.sort_by_key(|claim| (claim.status == ReferralStatus::Reversed, claim.order()));
        self.claims.truncate(8);
    }

    pub(super) fn unite(&mut self, other: &Self) {
        other.claims.iter().for_each(|claim| self.claim(claim.clone()));
        for theirs in &other.referred {
            if !self.referred.iter().any(|told| (&told.key, &told.referrer) == (&theirs.key, &theirs.referrer)) {
                self.referred.push(theirs.clone());
            }
        }
    }

    pub(super) fn part(&mut self, names: &BTreeSet<String>) {
        self.claims.retain(|claim| !names.contains(claim.told.referred.key()));
        self.referred.retain(|told| !names.contains(told.referrer.key()));
    }
}

impl Claim {
    /// What goes first: of equal times, what only hashes tell.
    fn order(&self) -> (EventTime, Entity, u64, u64) {
        let hash = |key: &str| xxhash_rust::xxh3::xxh3_64(key.as_bytes());
        let Told { referrer, key, referred } = &self.told;
        (self.since, referrer.clone(), hash(key), hash(referred.key()))
    }
}

/// Which orders are credited, by key and place, and to whom.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CreditGiven {
    referrer: Entity,
    since: EventTime,
    orders: Vec<(String, EventTime)>,
}

impl CreditGiven {
    /// Without the orders that nobody remembers any more.
    pub(super) fn remembered(mut self, rules: &Ruleset, as_of: EventTime) -> Self {
        self.orders.retain(|(_, place)| rules.remembers(Kind::Purchase, *place, as_of));
        self
    }
}

/// The key of another's order.
fn theirs(buyer: &Entity, referrer: &Entity, order: &str) -> String {
    format!("{}>{}>{order}", buyer.key(), referrer.key())
}

impl Customer {
    /// An event that is about this customer may have to be told to another.
    pub(super) fn refer(&mut self, rules: &Ruleset, event: &Event, outcome: Outcome) -> Vec<Sending> {
        let Body::Referral(referral) = &event.body else { return Vec::new() };
        if !outcome.look || !rules.follows_referrals() || self.entity.customer_id().is_none() {
            return Vec::new();
        }
        self.tell_referred(referral, event, outcome.alerts)
    }

    fn tell_referred(&mut self, referral: &Referral, event: &Event, newest: bool) -> Vec<Sending> {
        let (key, to) = (keys::object_key(event), Entity::Customer(referral.referred_customer_id.to_string()));
        let referred = &mut self.ties.referrals.referred;
        let known: Vec<&Told> = referred.iter().filter(|told| told.key == key).collect();
        if known.is_empty() {
            referred.push(Told { referrer: self.entity.clone(), key: key.clone(), referred: to.clone() });
        } else if !newest && known.iter().any(|told| told.referred != to) {
            return Vec::new();
        }
        self.tell_as_each(&key, &to, event.at, referral.status)
    }

    /// Under each name under which it was told before.
    fn tell_as_each(&mut self, key: &str, to: &Entity, at: EventTime, status: ReferralStatus) -> Vec<Sending> {
        let (mut sendings, mut all) = (Vec::new(), Vec::new());
        for told in self.ties.referrals.referred.iter_mut().filter(|told| told.key == key) {
            if told.referred != *to {
                sendings.push((told.referred.clone(), Does::Unrefer(told.clone())));
                told.referred = to.clone();
            }
            all.push(told.clone());
        }
        sendings.push((to.clone(), Does::Refer(all, at, status)));
        sendings
    }

    /// Referrals that were told under several names are told as they stand.
    fn tell_shared(&mut self, rules: &Ruleset) -> Vec<Sending> {
        let keys: Vec<String> = self.ties.referrals.referred.iter().map(|told| told.key.clone()).collect();
        let mut sendings = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            // Once each, at the second name.
            if keys[..at].iter().filter(|other| *other == key).count() != 1 {
                continue;
            }
            let as_of = self.as_of;
            let mut objects = self.memory.objects.iter().rev().filter(|it| it.kind == Kind::Referral);
            let Some(object) = objects.find(|it| it.key == *key && rules.remembers(it.kind, it.place, as_of)) else {
                continue;
            };
            let (place, event) = (object.place, object.content.clone().expect("a referral has content"));
            let Body::Referral(referral) = event.body else { panic!("a referral is one") };
            let to = Entity::Customer(referral.referred_customer_id.to_string());
            if self.ties.referrals.referred.iter().any(|told| told.key == *key && told.referred == to) {
                sendings.extend(self.tell_as_each(key, &to, place, referral.status));
            }
        }
        sendings
    }

    /// An order as it stands now, for whoever is credited.
    pub(super) fn tell_referrer(&mut self, rules: &Ruleset, event: &Event, outcome: Outcome) -> Vec<Sending> {
        let Body::Purchase(purchase) = &event.body else { return Vec::new() };
        if !outcome.look || !rules.follows_referrals() {
            return Vec::new();
        }
        let Some((to, since)) = self.credited() else { return Vec::new() };
        let as_of = self.as_of;
        let mut orders = self.memory.objects.iter().rev().filter(|it| it.kind == Kind::Purchase);
        let order = orders.find(|it| it.key == *purchase.order_id && rules.remembers(it.kind, it.place, as_of));
        let order = order.filter(|order| since <= order.place).map(|order| self.order_for(&to, order));
        let buyer = self.entity.clone();
        order.map(|order| (to, Does::Credit(buyer, vec![order], Vec::new(), outcome.refund))).into_iter().collect()
    }

    fn order_for(&self, referrer: &Entity, order: &Object) -> Object {
        let key = theirs(&self.entity, referrer, &order.key);
        let content = order.content.clone().map(|event| Event { customer: Some(self.entity.id()), ..event });
        Object { kind: Kind::ReferredPurchase, key, content, ..order.clone() }
    }

    /// Who is credited, and since when.
    fn credited(&self) -> Option<(Entity, EventTime)> {
        let claims = self.ties.referrals.claims.iter();
        let of_others = claims.filter(|claim| !self.is_known_as(claim.told.referrer.key()));
        let holding = of_others.filter(|claim| claim.status != ReferralStatus::Reversed);
        let earliest = holding.min_by_key(|claim| claim.order())?;
        Some((earliest.told.referrer.clone(), earliest.since))
    }

    /// The orders that are credited, as they stand.
    fn orders(&self, rules: &Ruleset) -> Vec<Object> {
        let Some((referrer, since)) = self.credited() else { return Vec::new() };
        let known = self.memory.objects.iter().filter(|it| it.kind == Kind::Purchase && since <= it.place);
        let known = known.filter(|it| rules.remembers(it.kind, it.place, self.as_of));
        known.map(|order| self.order_for(&referrer, order)).collect()
    }

    pub(super) fn credit_given(&self, rules: &Ruleset) -> Option<CreditGiven> {
        let (referrer, since) = self.credited()?;
        let mut orders: Vec<_> = self.orders(rules).into_iter().map(|order| (order.key, order.place)).collect();
        orders.sort();
        Some(CreditGiven { referrer, since, orders })
    }

    /// This customer hears of a referral: an event of it, or that it is none any more.
    pub(super) fn hear_of_referral(
        &mut self,
        rules: &Ruleset,
        all: &[Told],
        word: Option<(EventTime, ReferralStatus)>,
    ) -> Vec<Sending> {
        let before = self.credit_given(rules);
        let referrals = &mut self.ties.referrals;
        match word {
            Some((since, status)) => {
                for told in all {
                    referrals.claim(Claim { told: told.clone(), since, status });
                }
            }
            None => referrals.claims.retain(|claim| !all.contains(&claim.told)),
        }
        self.hand_over(rules, before)
    }

    /// Orders go from who was credited to who is.
    pub(super) fn hand_over(&self, rules: &Ruleset, before: Option<CreditGiven>) -> Vec<Sending> {
        if before == self.credit_given(rules) {
            return Vec::new();
        }
        self.tell_credit(rules, before.into_iter().collect())
    }

    fn tell_credit(&self, rules: &Ruleset, before: Vec<CreditGiven>) -> Vec<Sending> {
        let credited = self.credited().map(|(referrer, _)| referrer);
        let orders = self.orders(rules);
        let (mut sendings, mut instead) = (Vec::new(), Vec::new());
        for CreditGiven { referrer, orders: lost, .. } in before {
            let lost: Vec<String> = lost.into_iter().map(|(key, _)| key).collect();
            if credited.as_ref() == Some(&referrer) {
                instead.extend(lost.into_iter().filter(|key| !orders.iter().any(|order| order.key == *key)));
            } else if !lost.is_empty() {
                sendings.push((referrer, Does::Uncredit(lost)));
            }
        }
        if let (Some(to), false) = (credited, orders.is_empty() && instead.is_empty()) {
            sendings.push((to, Does::Credit(self.entity.clone(), orders, instead, false)));
        }
        sendings
    }

    /// What is credited once somebody's memory is this one's, given what was before.
    pub(super) fn credit_anew(&mut self, rules: &Ruleset, before: Vec<CreditGiven>) -> Vec<Sending> {
        if !rules.follows_referrals() {
            return Vec::new();
        }
        let mut names: Vec<Entity> = self.ties.aliases.iter().map(|name| Entity::customer(name)).collect();
        names.push(self.entity.clone());
        let bought = self.memory.objects.iter().filter(|it| it.kind == Kind::Purchase);
        let keys_of = |order: &Object| -> Vec<String> {
            let keys_of = |buyer| names.iter().map(move |referrer| (buyer, referrer));
            names.iter().flat_map(keys_of).map(|(buyer, referrer)| theirs(buyer, referrer, &order.key)).collect()
        };
        let own: BTreeSet<String> = bought.flat_map(keys_of).collect();
        self.memory.objects.retain(|it| it.kind != Kind::ReferredPurchase || !own.contains(&it.key));
        let mut sendings = self.tell_shared(rules);
        sendings.extend(self.tell_credit(rules, before));
        sendings
    }

    /// Orders of somebody whom this one referred, as they stand now.
    pub(super) fn credit(&mut self, rules: &Ruleset, buyer: &Entity, orders: Vec<Object>) {
        if self.is_known_as(buyer.key()) {
            return;
        }
        for order in orders.into_iter().filter(|it| rules.remembers(Kind::ReferredPurchase, it.place, self.as_of)) {
            self.memory.objects.retain(|it| it.kind != order.kind || it.key != order.key);
            self.memory.objects.push(order);
        }
    }

    /// Orders that are no longer this one's.
    pub(super) fn uncredit(&mut self, orders: &[String]) {
        self.memory.objects.retain(|it| it.kind != Kind::ReferredPurchase || !orders.contains(&it.key));
    }
}

impl Object {
    /// By which ties at one place go: a hash of the key.
    pub(super) fn tie(&self) -> u64 {
        let hash = |text: &str| xxhash_rust::xxh3::xxh3_64(text.as_bytes());
        if self.kind != Kind::ReferredPurchase {
            return hash(&self.key);
        }
        let parts = self.key.splitn(3, '>').flat_map(|part| hash(part).to_le_bytes());
        xxhash_rust::xxh3::xxh3_64(&parts.collect::<Vec<u8>>())
    }
}
