//! Advocates: who referred a customer, and what that customer's purchases are worth to whoever did.
//!
//! A referral tells the referred customer who it was, since when, and whether it still holds. Of those that hold the
//! earliest is credited: orders from its time on are told to the referrer, whole, whenever they change. So refunds
//! follow, an order told twice counts once, and what was bought before the referral was known is told once it is.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::apply::hash;
use super::customer::Customer;
use super::entry::{Entry, Flag, Object};
use super::features;
use super::money::{Money, Refunds};
use super::rates::Prices;
use super::ties::Sending;
use crate::model::effect::{Does, Order};
use crate::model::event::{Event, Kind, Referral, ReferralStatus};
use crate::model::id::CustomerId;
use crate::model::output::Scalar;
use crate::model::record::Position;
use crate::model::time::EventTime;
use crate::rules::calendar::Day;
use crate::rules::fields::Field;
use crate::rules::ruleset::Ruleset;

/// One referral, as the referred customer knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// The earliest of its events.
    since: EventTime,
    referrer: CustomerId,
    /// Hash of the referral's key.
    referral: u64,
    /// The newest status, as a number.
    version: i64,
}

impl Claim {
    const fn holds(&self) -> bool {
        self.version < ReferralStatus::Reversed as i64
    }
}

/// Most referrals of one customer that are known; beyond, the latest is forgotten, those that do not hold first.
const MAX_CLAIMS: usize = 8;
/// Most customers whom one referrer is known to have referred, so that an erasure reaches them; beyond, the earliest is
/// forgotten.
const MAX_REFERRED: usize = 4096;

/// A change of what a customer knows of who referred them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    /// An event of the referral, at its time, with its status.
    Event(EventTime, i64),
    /// It is no referral of this customer, or its referrer is nobody any more.
    Over,
}

/// The referrer's side.
impl Customer {
    /// Tells whoever was referred of an event of the referral; `newest` where no later status is known. Says how many others
    /// whom this customer referred were forgotten for it.
    pub(super) fn refer(
        &mut self,
        referral: &Referral,
        event: &Event,
        newest: bool,
        sendings: &mut Vec<Sending>,
    ) -> usize {
        let (key, to) = (hash(&event.object_key()), CustomerId(referral.referred_customer_id.clone()));
        let referred = &mut self.ties_mut().referred;
        match referred.iter().position(|(known, _)| *known == key) {
            Some(at) if referred[at].1 != to => {
                if !newest {
                    return 0;
                }
                let before = std::mem::replace(&mut referred[at].1, to.clone());
                sendings.push(Sending { to: before, does: Does::Unrefer { referral: key } });
            }
            Some(_) => {}
            None => referred.push((key, to.clone())),
        }
        let forgotten = referred.len().saturating_sub(MAX_REFERRED);
        referred.drain(..forgotten);
        let does = Does::Refer { referral: key, at: event.at, version: referral.status as i64 };
        sendings.push(Sending { to, does });
        forgotten
    }

    /// Takes in how orders of a referred customer stand; gives their amounts in other currencies.
    pub(super) fn credit(
        &mut self,
        buyer: &CustomerId,
        orders: Vec<Order>,
        prices: Prices<'_>,
    ) -> Vec<(CompactString, Day)> {
        let mut foreign = Vec::new();
        if self.is_known_as(buyer.as_str()) {
            return foreign;
        }
        for order in orders {
            let key = credited(buyer, order.key);
            let found = self.find(KIND, key, prices.rules);
            let is_lost = self.ties().and_then(|ties| ties.lost_referred).is_some_and(|lost| order.place <= lost);
            let until = self.forgotten_at(KIND, order.place, prices.rules);
            if until.is_some_and(|until| until <= self.as_of) || found.is_none() && is_lost {
                continue;
            }
            if let Some(at) = found {
                self.remove(at, prices.rules);
            }
            let object = told(key, buyer, order, prices);
            if let Some(money) = &object.extra.money {
                foreign.extend(money.foreign(object.entry.place(), prices.rules));
            }
            self.insert(object, prices.rules);
        }
        foreign
    }

    /// Takes orders back that a referred customer told of.
    pub(super) fn uncredit(&mut self, buyer: &CustomerId, orders: &[u64], rules: &Ruleset) {
        for order in orders {
            if let Some(at) = self.find(KIND, credited(buyer, *order), rules) {
                self.remove(at, rules);
            }
        }
    }
}

/// The referred customer's side.
impl Customer {
    /// Whose referral is credited, and since when.
    fn credited(&self) -> Option<(&CustomerId, EventTime)> {
        let holding = self.ties()?.referrers.iter().filter(|claim| claim.holds());
        let earliest = holding.min_by_key(|claim| (claim.since, &claim.referrer, claim.referral))?;
        Some((&earliest.referrer, earliest.since))
    }

    /// Tells the referrer how an order stands now.
    pub(super) fn tell_referrer(&self, order: &Object, refund: bool, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        if let Some((referrer, since)) = self.credited()
            && since <= order.entry.place()
        {
            let orders = vec![self.stand(order, rules)];
            sendings
                .push(Sending { to: referrer.clone(), does: Does::Credit { buyer: self.id.clone(), orders, refund } });
        }
    }

    /// Learns of a referral. Where another one is credited now, the orders go from the one to the other.
    pub(super) fn referred(
        &mut self,
        referrer: &CustomerId,
        referral: u64,
        word: Word,
        rules: &Ruleset,
        sendings: &mut Vec<Sending>,
    ) {
        let owned = |(id, since): (&CustomerId, EventTime)| (id.clone(), since);
        let before = self.credited().map(owned);
        let claims = &mut self.ties_mut().referrers;
        let known = claims.iter().position(|claim| claim.referrer == *referrer && claim.referral == referral);
        match (known, word) {
            (Some(at), Word::Event(since, version)) => {
                claims[at].since = claims[at].since.min(since);
                claims[at].version = claims[at].version.max(version);
            }
            (None, Word::Event(since, version)) => {
                claims.push(Claim { since, referrer: referrer.clone(), referral, version });
            }
            (Some(at), Word::Over) => drop(claims.remove(at)),
            (None, Word::Over) => {}
        }
        claims.sort_unstable_by(|left, right| {
            let order = |claim: &Claim| (!claim.holds(), claim.since, claim.referrer.clone(), claim.referral);
            order(left).cmp(&order(right))
        });
        claims.truncate(MAX_CLAIMS);
        let after = self.credited().map(owned);
        if before != after {
            self.move_credit(before.as_ref(), after.as_ref(), rules, sendings);
        }
    }

    fn move_credit(
        &self,
        before: Option<&(CustomerId, EventTime)>,
        after: Option<&(CustomerId, EventTime)>,
        rules: &Ruleset,
        sendings: &mut Vec<Sending>,
    ) {
        let is_of = |credit: Option<&(CustomerId, EventTime)>, to: &CustomerId, entry: &Entry| {
            credit.is_some_and(|(referrer, since)| referrer == to && *since <= entry.place())
        };
        let moved = |to: &CustomerId, from: Option<&_>, into: Option<&_>| -> Vec<&Entry> {
            let orders = self.log[self.objects(Kind::Purchase)].iter().filter(|entry| {
                let until = self.forgotten_at(Kind::Purchase, entry.place(), rules);
                until.is_none_or(|until| self.as_of < until)
            });
            orders.filter(|entry| is_of(into, to, entry) && !is_of(from, to, entry)).collect()
        };
        if let Some((to, _)) = before {
            let orders: Vec<u64> = moved(to, after, before).into_iter().map(|entry| entry.key).collect();
            if !orders.is_empty() {
                sendings.push(Sending { to: to.clone(), does: Does::Uncredit { buyer: self.id.clone(), orders } });
            }
        }
        if let Some((to, _)) = after {
            let orders = moved(to, before, after).into_iter().map(|entry| {
                let extra = self.extra(entry).cloned().unwrap_or_default();
                self.stand(&Object { entry: *entry, extra }, rules)
            });
            let orders: Vec<Order> = orders.collect();
            if !orders.is_empty() {
                sendings.push(Sending {
                    to: to.clone(),
                    does: Does::Credit { buyer: self.id.clone(), orders, refund: false },
                });
            }
        }
    }

    /// How an order stands, for somebody else's features.
    fn stand(&self, order: &Object, rules: &Ruleset) -> Order {
        let Object { entry, extra } = order;
        let Money { amount, currency, refunds } = order.money(rules);
        let own = &rules.plan.of(Kind::Purchase).stored;
        let field = |field: &Field| match field.name() {
            "customer_id" => Some(Scalar::Text(self.id.0.clone())),
            "occurred_at" => Some(Scalar::Time(entry.place())),
            "currency" => Some(Scalar::Text(currency.0.clone())),
            name => {
                let at = own.iter().position(|own| own.name() == name);
                at.and_then(|at| extra.stored.get(at)?.clone())
            }
        };
        Order {
            key: entry.key,
            place: entry.place(),
            position: entry.position(),
            fields: rules.plan.of(KIND).stored.iter().map(field).collect(),
            amount,
            currency,
            refunds: refunds.into_list(),
            cancelled: entry.has(Flag::Cancelled),
        }
    }
}

impl Customer {
    /// Cuts the links to and from somebody who is erased: those whom they referred are nobody's any more, and whoever
    /// referred them forgets it.
    pub(super) fn cut_referrals(&self, sendings: &mut Vec<Sending>) {
        let Some(ties) = self.ties() else { return };
        for (referral, to) in &ties.referred {
            sendings.push(Sending { to: to.clone(), does: Does::Unrefer { referral: *referral } });
        }
        for claim in &ties.referrers {
            sendings.push(Sending { to: claim.referrer.clone(), does: Does::Forgotten });
        }
    }

    /// Forgets that it referred somebody, who was erased. What they bought stays until its windows end.
    pub(super) fn forget_referred(&mut self, who: &CustomerId) {
        self.ties_mut().referred.retain(|(_, referred)| referred != who);
    }
}

const KIND: Kind = Kind::ReferredPurchase;

/// The key under which a referrer keeps another's order.
fn credited(buyer: &CustomerId, order: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(buyer.as_str().as_bytes(), order)
}

/// Another's order as an object of the referrer's. Of the buyer's id only a hash is kept.
fn told(key: u64, buyer: &CustomerId, order: Order, prices: Prices<'_>) -> Object {
    let Order { key: _, place, position, amount, currency, refunds, cancelled, fields } = order;
    let mut object = Object::new(key, place, Position { kind: KIND, ..position });
    object.entry.set(Flag::Cancelled, cancelled);
    object.set_money(Money { amount, currency, refunds: Refunds::of_list(refunds) }, prices);
    let plan = prices.rules.plan.of(KIND);
    let fields = plan.stored.iter().zip(fields).map(|(field, value)| {
        let buyer = || Scalar::Int(features::hash_of(&Scalar::Text(buyer.0.clone())).cast_signed());
        if field.is_another_customer() { Some(buyer()) } else { value }
    });
    let fields: Box<[_]> = fields.collect();
    object.extra.stored = if fields.iter().any(Option::is_some) { fields } else { Box::default() };
    features::judge_kept(&mut object, prices);
    object
}
