//! Advocates: who referred whom, and what the referred buy.

use vipstream::model::event::{Body, Event, Kind, Referral, ReferralStatus};
use vipstream::model::id::CustomerId;
use vipstream::model::time::EventTime;

use super::customer::{Customer, Entity};
use super::effects::{Does, Sending};
use super::keys;
use super::memory::{Object, Outcome};
use super::rules::Ruleset;

/// A referral, as the referred customer knows it.
#[derive(Clone, Debug, PartialEq)]
struct Claim {
    referrer: Entity,
    key: String,
    since: EventTime,
    status: ReferralStatus,
}

/// What ties advocates and those whom they referred.
#[derive(Clone, Debug, Default)]
pub(super) struct Referrals {
    /// Who referred this one.
    claims: Vec<Claim>,
    /// Whom this one referred, by the referral's key, in the order in which they were first told.
    referred: Vec<(String, Entity)>,
}

impl Referrals {
    /// Who is credited, and since when.
    fn credited(&self) -> Option<(Entity, EventTime)> {
        let holding = self.claims.iter().filter(|claim| claim.status != ReferralStatus::Reversed);
        // Of one referrer's referrals at one instant it does not matter which.
        let earliest = holding.min_by_key(|claim| (claim.since, claim.referrer.clone()))?;
        Some((earliest.referrer.clone(), earliest.since))
    }

    /// Somebody is erased: who is to hear of it.
    pub(super) fn cut(&self) -> Vec<Sending> {
        let referred = self.referred.iter().map(|(key, to)| (to.clone(), Does::Unrefer(key.clone())));
        referred.chain(self.claims.iter().map(|claim| (claim.referrer.clone(), Does::Forgotten))).collect()
    }

    pub(super) fn forget(&mut self, who: &Entity) {
        self.referred.retain(|(_, referred)| referred != who);
    }
}

/// The key of another's order.
fn theirs(buyer: &Entity, order: &str) -> String {
    format!("{}>{order}", buyer.key())
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
        let mut sendings = Vec::new();
        let referred = &mut self.ties.referrals.referred;
        match referred.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) if *known != to => {
                if !newest {
                    return Vec::new();
                }
                sendings.push((std::mem::replace(known, to.clone()), Does::Unrefer(key.clone())));
            }
            Some(_) => {}
            None => referred.push((key.clone(), to.clone())),
        }
        sendings.push((to, Does::Refer(key, event.at, referral.status)));
        sendings
    }

    /// An order as it stands now, for whoever is credited.
    pub(super) fn tell_referrer(&mut self, rules: &Ruleset, event: &Event, outcome: Outcome) -> Vec<Sending> {
        let Body::Purchase(purchase) = &event.body else { return Vec::new() };
        if !outcome.look || !rules.follows_referrals() {
            return Vec::new();
        }
        let Some((to, since)) = self.ties.referrals.credited() else { return Vec::new() };
        let as_of = self.as_of;
        let mut orders = self.memory.objects.iter().rev().filter(|it| it.kind == Kind::Purchase);
        let order = orders.find(|it| it.key == *purchase.order_id && rules.remembers(it.kind, it.place, as_of));
        let order = order.filter(|order| since <= order.place).cloned();
        let buyer = self.entity.clone();
        order.map(|order| (to, Does::Credit(buyer, vec![order], outcome.refund))).into_iter().collect()
    }

    /// This customer hears of a referral: an event of it, or that it is none any more.
    pub(super) fn hear_of_referral(
        &mut self,
        rules: &Ruleset,
        from: &Entity,
        key: &str,
        word: Option<(EventTime, ReferralStatus)>,
    ) -> Vec<Sending> {
        let before = self.ties.referrals.credited();
        let claims = &mut self.ties.referrals.claims;
        let known = claims.iter_mut().find(|claim| claim.referrer == *from && claim.key == key);
        match (known, word) {
            (Some(claim), Some((at, status))) => {
                claim.since = claim.since.min(at);
                claim.status = claim.status.max(status);
            }
            (None, Some((since, status))) => {
                claims.push(Claim { referrer: from.clone(), key: key.to_owned(), since, status });
            }
            (_, None) => claims.retain(|claim| claim.referrer != *from || claim.key != key),
        }
        let hash = |key: &str| xxhash_rust::xxh3::xxh3_64(key.as_bytes());
        claims.sort_by_key(|claim| {
            (claim.status == ReferralStatus::Reversed, claim.since, claim.referrer.clone(), hash(&claim.key))
        });
        claims.truncate(8);
        let after = self.ties.referrals.credited();
        self.hand_over(rules, before.as_ref(), after.as_ref())
    }

    /// Orders go from who was credited to who is.
    fn hand_over(
        &self,
        rules: &Ruleset,
        before: Option<&(Entity, EventTime)>,
        after: Option<&(Entity, EventTime)>,
    ) -> Vec<Sending> {
        let orders = |one: Option<&(Entity, EventTime)>, other: Option<&(Entity, EventTime)>| -> Vec<Object> {
            let Some((who, since)) = one else { return Vec::new() };
            let stays = |order: &Object| other.is_some_and(|(it, since)| it == who && *since <= order.place);
            let known = self.memory.objects.iter().filter(|it| it.kind == Kind::Purchase);
            let known = known.filter(|it| rules.remembers(it.kind, it.place, self.as_of));
            known.filter(|order| *since <= order.place && !stays(order)).cloned().collect()
        };
        let (lost, won) = (orders(before, after), orders(after, before));
        let mut sendings = Vec::new();
        if let (Some((to, _)), false) = (before, lost.is_empty()) {
            sendings.push((
                to.clone(),
                Does::Uncredit(self.entity.clone(), lost.into_iter().map(|order| order.key).collect()),
            ));
        }
        if let (Some((to, _)), false) = (after, won.is_empty()) {
            sendings.push((to.clone(), Does::Credit(self.entity.clone(), won, false)));
        }
        sendings
    }

    /// Orders of somebody whom this one referred, as they stand now.
    pub(super) fn credit(&mut self, rules: &Ruleset, buyer: &Entity, orders: Vec<Object>) {
        if self.entity == *buyer || self.ties.aliases.contains(buyer.key()) {
            return;
        }
        for mut order in orders.into_iter().filter(|it| rules.remembers(Kind::ReferredPurchase, it.place, self.as_of)) {
            order.kind = Kind::ReferredPurchase;
            order.key = theirs(buyer, &order.key);
            if let Some(bought) = &mut order.content {
                // Under whichever of their ids it was.
                bought.customer = buyer.customer_id().map(|id| CustomerId(id.into()));
            }
            self.memory.objects.retain(|it| it.kind != order.kind || it.key != order.key);
            self.memory.objects.push(order);
        }
    }

    /// Orders that are no longer this one's.
    pub(super) fn uncredit(&mut self, buyer: &Entity, orders: &[String]) {
        let keys: Vec<String> = orders.iter().map(|order| theirs(buyer, order)).collect();
        self.memory.objects.retain(|it| it.kind != Kind::ReferredPurchase || !keys.contains(&it.key));
    }
}

impl Object {
    /// By which ties at one place go: a hash of the key.
    pub(super) fn tie(&self) -> u64 {
        match (self.kind, self.key.split_once('>')) {
            (Kind::ReferredPurchase, Some((buyer, order))) => {
                let order = xxhash_rust::xxh3::xxh3_64(order.as_bytes());
                xxhash_rust::xxh3::xxh3_64_with_seed(buyer.as_bytes(), order)
            }
            _ => xxhash_rust::xxh3::xxh3_64(self.key.as_bytes()),
        }
    }
}
