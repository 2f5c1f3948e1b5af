//! Advocates: who referred a customer, and what that customer's purchases are worth to whoever did.
//!
//! A referral tells the referred customer who it was, since when, and whether it still holds. Of those that hold the
//! earliest is credited: orders from its time on are told to the referrer, whole, whenever they change. So refunds
//! follow, an order told twice counts once, and what was bought before the referral was known is told once it is.
//!
//! Of customers who are one, any one's referral is that of all: the earliest is credited, with what each of them buys. A
//! referral keeps the ids that it was told with, so that whatever is still under way finds it, and a parting ends it.

use std::collections::BTreeSet;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::apply::hash;
use super::customer::Customer;
use super::entry::{Entry, Flag, Object};
use super::features;
use super::money::{Money, Refunds};
use super::rates::Prices;
use super::ties::Sending;
use crate::model::effect::{Does, Order, Referral as Told};
use crate::model::event::{Event, Kind, Referral, ReferralStatus};
use crate::model::id::CustomerId;
use crate::model::output::Scalar;
use crate::model::record::Position;
use crate::model::time::EventTime;
use crate::rules::calendar::Day;
use crate::rules::fields::Field;
use crate::rules::ruleset::Ruleset;

/// One referral, as the referred customer knows it: of theirs, or of one merged into them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// The earliest of its events.
    since: EventTime,
    referral: Told,
    /// The newest status, as a number.
    version: i64,
}

impl Claim {
    const fn holds(&self) -> bool {
        self.version < ReferralStatus::Reversed as i64
    }
}

/// One referral, as the referrer knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Referred {
    /// Hash of its key.
    pub(super) key: u64,
    /// Whom it names.
    pub(super) to: CustomerId,
    /// The referrer's own id, or that of one merged into them, under which it was told.
    pub(super) referrer: CustomerId,
}

impl Referred {
    fn referral(&self) -> Told {
        Told { referrer: self.referrer.clone(), key: self.key, referred: hash(self.to.as_str()) }
    }
}

/// Which orders of a buyer are credited, by key, and to whom.
#[derive(Clone, Debug, PartialEq)]
struct CreditGiven {
    referrer: CustomerId,
    since: EventTime,
    orders: Vec<u64>,
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
        let own = self.id.clone();
        let referred = &mut self.ties_mut().referred;
        let mut known = referred.iter().filter(|known| known.key == key).peekable();
        let mut forgotten = 0;
        if known.peek().is_none() {
            referred.push(Referred { key, to: to.clone(), referrer: own });
            forgotten = referred.len().saturating_sub(MAX_REFERRED);
            referred.drain(..forgotten);
        } else if !newest && known.any(|known| known.to != to) {
            return 0;
        }
        self.tell_referred(key, &to, (event.at, referral.status as i64), sendings);
        forgotten
    }

    /// Tells it under each id under which the referral was told.
    fn tell_referred(
        &mut self,
        key: u64,
        to: &CustomerId,
        (at, version): (EventTime, i64),
        sendings: &mut Vec<Sending>,
    ) {
        let mut referrals = Vec::new();
        for known in self.ties_mut().referred.iter_mut().filter(|known| known.key == key) {
            if known.to != *to {
                let does = Does::Unrefer { referral: known.referral() };
                sendings.push(Sending { to: std::mem::replace(&mut known.to, to.clone()), does });
            }
            referrals.push(known.referral());
        }
        sendings.push(Sending { to: to.clone(), does: Does::Refer { referrals, at, version } });
    }

    /// A referral that two knew of who are one now is told under both ids as it stands: so it ends under both.
    pub(super) fn tell_shared_referrals(&mut self, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        let referred = self.ties().map(|ties| ties.referred.as_slice()).unwrap_or_default();
        let mut keys = Vec::new();
        for (at, known) in referred.iter().enumerate() {
            if referred[..at].iter().any(|other| other.key == known.key) && !keys.contains(&known.key) {
                keys.push(known.key);
            }
        }
        for key in keys {
            let Some(at) = self.find(Kind::Referral, key, rules) else { continue };
            let entry = self.log[at];
            let referred = self.ties().map(|ties| ties.referred.as_slice()).unwrap_or_default();
            let mut known = referred.iter().filter(|known| known.key == key);
            let Some(to) = known.find(|known| entry.refers(hash(known.to.as_str()))) else { continue };
            self.tell_referred(key, &to.to.clone(), (entry.place(), entry.version()), sendings);
        }
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
            let key = order.key;
            let found = self.find(KIND, key, prices.rules);
            let is_lost = self.ties().and_then(|ties| ties.lost_referred).is_some_and(|lost| order.place <= lost);
            let until = self.forgotten_at(KIND, order.place, prices.rules);
            if until.is_some_and(|until| until <= self.as_of) || found.is_none() && is_lost {
                continue;
            }
            if let Some(at) = found {
                self.remove(at, prices.rules);
            }
            let object = another(buyer, order, prices);
            if let Some(money) = &object.extra.money {
                foreign.extend(money.foreign(object.entry.place(), prices.rules));
            }
            self.insert(object, prices.rules);
        }
        foreign
    }

    /// Takes orders back that a referred customer told of.
    pub(super) fn uncredit(&mut self, orders: &[u64], rules: &Ruleset) {
        for order in orders {
            if let Some(at) = self.find(KIND, *order, rules) {
                self.remove(at, rules);
            }
        }
    }

    /// Whoever bought something that was credited to them, before both turned out to be one, is credited nothing.
    pub(super) fn forget_own_credit(&mut self, rules: &Ruleset) {
        if self.objects(KIND).is_empty() {
            return;
        }
        let mut names = self.ties().map(|ties| ties.aliases.clone()).unwrap_or_default();
        names.push(hash(self.id.as_str()));
        let bought = self.log[self.objects(Kind::Purchase)].iter();
        let pairs = || names.iter().flat_map(|buyer| names.iter().map(move |referrer| (*buyer, *referrer)));
        let own: BTreeSet<u64> =
            bought.flat_map(|order| pairs().map(|(buyer, referrer)| credited(buyer, referrer, order.key))).collect();
        let found: Vec<usize> = self.objects(KIND).filter(|at| own.contains(&self.log[*at].key)).collect();
        for at in found.into_iter().rev() {
            self.remove(at, rules);
        }
    }
}

/// The referred customer's side.
impl Customer {
    /// Whose referral is credited, and since when. Nobody refers themselves, under whatever ids.
    fn credited(&self) -> Option<(&CustomerId, EventTime)> {
        let of_another = |claim: &&Claim| claim.holds() && !self.is_known_as(claim.referral.referrer.as_str());
        let holding = self.ties()?.referrers.iter().filter(of_another);
        let earliest = holding.min_by_key(|claim| (claim.since, &claim.referral))?;
        Some((&earliest.referral.referrer, earliest.since))
    }

    /// The orders that are credited where that is done since an instant.
    fn creditable(&self, since: EventTime, rules: &Ruleset) -> impl Iterator<Item = &Entry> {
        self.log[self.objects(Kind::Purchase)].iter().filter(move |entry| {
            let until = self.forgotten_at(Kind::Purchase, entry.place(), rules);
            since <= entry.place() && until.is_none_or(|until| self.as_of < until)
        })
    }

    /// What is credited.
    fn credit_given(&self, rules: &Ruleset) -> Option<CreditGiven> {
        let (referrer, since) = self.credited()?;
        let (own, theirs) = (hash(self.id.as_str()), hash(referrer.as_str()));
        let orders = self.creditable(since, rules).map(|entry| credited(own, theirs, entry.key));
        Some(CreditGiven { referrer: referrer.clone(), since, orders: orders.collect() })
    }

    /// Tells the referrer how an order stands now.
    pub(super) fn tell_referrer(&self, order: &Object, refund: bool, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        if let Some((referrer, since)) = self.credited()
            && since <= order.entry.place()
        {
            let (orders, instead) = (vec![self.stand(order, referrer, rules)], Vec::new());
            let does = Does::Credit { buyer: self.id.clone(), orders, instead, refund };
            sendings.push(Sending { to: referrer.clone(), does });
        }
    }

    /// Learns of a referral, by all that it is known by. Where another one is credited now, the orders go from the one to the other.
    pub(super) fn referred(&mut self, referrals: &[Told], word: Word, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        let before = self.credit_given(rules);
        let claims = &mut self.ties_mut().referrers;
        match word {
            Word::Event(since, version) => {
                let told = referrals.iter().cloned();
                told.for_each(|referral| claim(claims, Claim { since, referral, version }));
            }
            Word::Over => claims.retain(|claim| !referrals.contains(&claim.referral)),
        }
        self.move_credit(before, rules, sendings);
    }

    /// Where another one is credited than before, or since another time, the orders go from the one to the other.
    fn move_credit(&self, before: Option<CreditGiven>, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        if before != self.credit_given(rules) {
            self.tell_credit(before.into_iter().collect(), rules, sendings);
        }
    }

    /// Tells of all orders that are credited now, and takes back those that were and are not.
    fn tell_credit(&self, before: Vec<CreditGiven>, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        let after = self.credit_given(rules);
        let mut instead = Vec::new();
        for CreditGiven { referrer, mut orders, .. } in before {
            match after.as_ref().filter(|after| after.referrer == referrer) {
                Some(after) => {
                    orders.retain(|order| !after.orders.contains(order));
                    instead.append(&mut orders);
                }
                None if orders.is_empty() => {}
                None => sendings.push(Sending { to: referrer, does: Does::Uncredit { orders } }),
            }
        }
        let Some(CreditGiven { referrer, since, .. }) = after else { return };
        let orders = self.creditable(since, rules).map(|entry| {
            let extra = self.extra(entry).cloned().unwrap_or_default();
            self.stand(&Object { entry: *entry, extra }, &referrer, rules)
        });
        let orders: Vec<Order> = orders.collect();
        if !orders.is_empty() || !instead.is_empty() {
            let does = Does::Credit { buyer: self.id.clone(), orders, instead, refund: false };
            sendings.push(Sending { to: referrer, does });
        }
    }

    /// Somebody is merged into this customer: what is known of their referrals is known of this one's. Their memory is
    /// taken in by `absorb`; what was credited of both is credited of one from then on.
    pub(super) fn unite_credit(
        &mut self,
        other: Self,
        rules: &Ruleset,
        sendings: &mut Vec<Sending>,
        absorb: impl FnOnce(&mut Self, Self),
    ) {
        if !rules.follows_referrals() {
            return absorb(self, other);
        }
        let before = [self.credit_given(rules), other.credit_given(rules)].into_iter().flatten().collect();
        self.unite_referrals(&other);
        absorb(self, other);
        self.forget_own_credit(rules);
        self.tell_shared_referrals(rules, sendings);
        self.tell_credit(before, rules, sendings);
    }

    /// Knows of another's referrals, of them and by them.
    pub(super) fn unite_referrals(&mut self, other: &Self) {
        let Some(theirs) = other.ties() else { return };
        let ties = self.ties_mut();
        for theirs in &theirs.referrers {
            claim(&mut ties.referrers, theirs.clone());
        }
        for theirs in &theirs.referred {
            if !ties.referred.iter().any(|known| (known.key, &known.referrer) == (theirs.key, &theirs.referrer)) {
                ties.referred.push(theirs.clone());
            }
        }
        ties.referred.drain(..ties.referred.len().saturating_sub(MAX_REFERRED));
    }

    /// Somebody is merged into this customer no longer: referrals of theirs and by them are this one's no more.
    pub(super) fn part_referrals(&mut self, names: &[u64], rules: &Ruleset, sendings: &mut Vec<Sending>) {
        let before = self.credit_given(rules);
        let ties = self.ties_mut();
        ties.aliases.retain(|alias| !names.contains(alias));
        ties.referrers.retain(|claim| !names.contains(&claim.referral.referred));
        ties.referred.retain(|known| !names.contains(&hash(known.referrer.as_str())));
        self.move_credit(before, rules, sendings);
    }

    /// How an order stands, for somebody else's features.
    fn stand(&self, order: &Object, referrer: &CustomerId, rules: &Ruleset) -> Order {
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
            key: credited(hash(self.id.as_str()), hash(referrer.as_str()), entry.key),
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
        for known in ties.referred.iter().filter(|known| known.referrer == self.id) {
            sendings.push(Sending { to: known.to.clone(), does: Does::Unrefer { referral: known.referral() } });
        }
        let own = hash(self.id.as_str());
        for claim in ties.referrers.iter().filter(|claim| claim.referral.referred == own) {
            let does = Does::Forgotten { who: self.id.clone() };
            sendings.push(Sending { to: claim.referral.referrer.clone(), does });
        }
    }

    /// Forgets that it referred somebody, who was erased. What they bought stays until its windows end.
    pub(super) fn forget_referred(&mut self, who: &CustomerId) {
        self.ties_mut().referred.retain(|known| known.to != *who);
    }
}

/// Takes in what is known of a referral.
fn claim(claims: &mut Vec<Claim>, claim: Claim) {
    match claims.iter_mut().find(|known| known.referral == claim.referral) {
        Some(known) => {
            known.since = known.since.min(claim.since);
            known.version = known.version.max(claim.version);
        }
        None => claims.push(claim),
    }
    claims.sort_unstable_by(|left, right| {
        let order = |claim: &Claim| (!claim.holds(), claim.since, claim.referral.clone());
        order(left).cmp(&order(right))
    });
    claims.truncate(MAX_CLAIMS);
}

const KIND: Kind = Kind::ReferredPurchase;

/// The key under which a referrer keeps another's order: by the hashes of both ids, as they were told.
fn credited(buyer: u64, referrer: u64, order: u64) -> u64 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for part in [buyer, referrer, order] {
        hash.update(&part.to_le_bytes());
    }
    hash.digest()
}

/// Another's order as an object of the referrer's. Of the buyer's id only a hash is kept.
fn another(buyer: &CustomerId, order: Order, prices: Prices<'_>) -> Object {
    let Order { key, place, position, amount, currency, refunds, cancelled, fields } = order;
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
