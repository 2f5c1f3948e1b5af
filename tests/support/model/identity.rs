//! Customers who turn out to be one: what is known of both is known of one, and each thing once.

use std::collections::{BTreeMap, BTreeSet};

use vipstream::model::event::{Body, Event, Kind};
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;
use vipstream::pivot::Pivot;
use vipstream::pivot::state::State;

use super::advocates::{CreditGiven, Referrals};
use super::customer::{Customer, Entity};
use super::effects::{Does, Sending, Ties, bring};
use super::exceptions::Exceptional;
use super::memory::{Memory, Object};
use super::overrides::ByHand;
use super::pivots::Told;
use super::routing::Resolved;
use super::rules::Ruleset;
use super::shares::Bookings;

/// What is known of somebody, and under which names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    memory: Memory,
    names: BTreeSet<String>,
    resolved: Resolved,
    exceptions: BTreeMap<String, Exceptional>,
    referrals: Referrals,
    /// Orders of theirs that are credited.
    credit: Option<CreditGiven>,
    bookings: Bookings,
    has_given: bool,
    by_hand: ByHand,
    detectors: Option<State>,
    told: Told,
    held_back: Vec<Pivot>,
}

impl Customer {
    /// Who it is by now.
    pub(super) fn merged_into(&self) -> Option<Entity> {
        self.profile.as_ref()?.merged_into.as_deref().map(Entity::customer)
    }

    /// Whether it has that id or was merged with whoever has.
    pub(super) fn is_known_as(&self, id: &str) -> bool {
        self.entity.customer_id() == Some(id) || self.ties.aliases.contains(id)
    }

    /// An event that is about somebody else by now.
    pub(super) fn follow(&self, event: &Event, position: Position) -> Option<Sending> {
        let is_theirs = event.kind().is_activity() || event.kind().is_by_hand();
        let to = self.merged_into().filter(|_| is_theirs)?;
        Some(bring(event, position, &to))
    }

    /// The profile says somebody else than before, or nobody any more. Where somebody is, all that was known goes there.
    pub(super) fn turn_from(&mut self, rules: &Ruleset, former: Option<Entity>) -> Vec<Sending> {
        let mut sendings: Vec<Sending> = former.map(|it| (it, self.parting())).into_iter().collect();
        self.ties.holds_others = false;
        sendings.extend(self.give_away(rules));
        sendings
    }

    /// What it holds though it is somebody else goes on, where it is heard of again.
    pub(super) fn hand_on(&mut self, rules: &Ruleset) -> Option<Sending> {
        if std::mem::take(&mut self.ties.holds_others) { self.give_away(rules) } else { None }
    }

    fn give_away(&mut self, rules: &Ruleset) -> Option<Sending> {
        let to = self.merged_into()?;
        let names = self.names();
        let (referrals, credit) = (self.ties.referrals.clone(), self.credit_given(rules));
        let resolved = std::mem::take(&mut self.ties.resolved);
        let exceptions = std::mem::take(&mut self.ties.exceptions);
        let mut empty = Self::new(self.entity.clone());
        (empty.as_of, empty.status_seq) = (self.as_of, self.status_seq);
        (empty.labels, empty.held) = (std::mem::take(&mut self.labels), std::mem::take(&mut self.held));
        empty.bonds = std::mem::take(&mut self.bonds);
        (empty.profile, empty.ties) = (self.profile.take(), std::mem::take(&mut self.ties));
        let Self { memory, by_hand, detectors, told, held_back, .. } = std::mem::replace(self, empty);
        let (bookings, has_given) = (std::mem::take(&mut self.bonds.bookings), self.bonds.has_given);
        let known = Known {
            memory,
            names,
            resolved,
            exceptions,
            referrals,
            credit,
            bookings,
            has_given,
            by_hand,
            detectors,
            told,
            held_back,
        };
        self.ties.was_merged = true;
        Some((to, Does::Absorb(Box::new(known))))
    }

    /// Somebody turns out to be this one. Says what follows, and whether this one is to be looked at.
    pub(super) fn absorb(&mut self, rules: &Ruleset, from: Entity, known: Known) -> (Vec<Sending>, bool) {
        self.ties.merged.insert(from);
        if let Some(to) = self.merged_into() {
            self.know_names_and_referrals(&known);
            return (vec![(to, Does::Absorb(Box::new(known)))], false);
        }
        (self.know(rules, known), true)
    }

    /// What was to go on to somebody, but has gone too far, stays.
    pub(super) fn hold(&mut self, rules: &Ruleset, known: Known) -> Vec<Sending> {
        self.ties.holds_others = true;
        self.know(rules, known)
    }

    fn know_names_and_referrals(&mut self, known: &Known) {
        let own = self.entity.key();
        self.ties.aliases.extend(known.names.iter().filter(|name| *name != own).cloned());
        self.ties.referrals.unite(&known.referrals);
    }

    fn know(&mut self, rules: &Ruleset, known: Known) -> Vec<Sending> {
        // What was given away may have been forgotten on the way.
        let theirs = known.credit.clone().map(|credit| credit.remembered(rules, self.as_of));
        let before = self.credit_given(rules).into_iter().chain(theirs).collect();
        self.know_names_and_referrals(&known);
        let came = self.came(rules, &known.memory, known.bookings, known.has_given);
        self.by_hand.unite(known.by_hand);
        self.unite_detectors(rules, known.detectors, known.told, known.held_back);
        let mut memory = std::mem::take(&mut self.memory);
        memory.unite(known.memory, &Recall { rules, as_of: self.as_of });
        memory.objects.retain(|object| match &object.content.as_ref().map(|event| &event.body) {
            Some(Body::Referral(referral)) => !self.is_known_as(&referral.referred_customer_id),
            _ => true,
        });
        self.memory = memory;
        self.move_to(self.as_of);
        let mut sendings = self.unite_resolved(rules, known.resolved);
        sendings.extend(self.credit_anew(rules, before));
        sendings.extend(self.tell_accounts(rules, came));
        if rules.exceptions.is_some() {
            sendings.extend(self.unite_exceptions(rules, &known.exceptions));
        }
        sendings
    }

    /// Every id of whoever this one is.
    fn names(&self) -> BTreeSet<String> {
        self.ties.aliases.iter().map(String::as_str).chain([self.entity.key()]).map(str::to_owned).collect()
    }

    fn parting(&self) -> Does {
        Does::Part(self.entity.clone(), self.names())
    }

    /// Somebody turned out not to be this one.
    pub(super) fn part(&mut self, rules: &Ruleset, from: &Entity, mut names: BTreeSet<String>) -> Vec<Sending> {
        let before = self.credit_given(rules);
        self.ties.merged.remove(from);
        names.remove(self.entity.key());
        self.ties.aliases.retain(|alias| !names.contains(alias));
        self.ties.referrals.part(&names);
        self.hand_over(rules, before)
    }

    /// There is nobody any more whom it could be.
    pub(super) fn cut(&mut self, from: &Entity) -> bool {
        let is_it = self.merged_into().as_ref() == Some(from);
        if let Some(profile) = self.profile.as_mut().filter(|_| is_it) {
            self.ties.holds_others = false;
            profile.merged_into = None;
        }
        is_it
    }

    /// What others are told when it is erased.
    pub(super) fn end_merges(&self) -> Vec<Sending> {
        let Ties { merged, .. } = &self.ties;
        let up = self.merged_into().map(|to| (to, self.parting()));
        up.into_iter().chain(merged.iter().map(|entity| (entity.clone(), Does::Cut))).collect()
    }
}

/// The refunds of both, each as it is known here.
fn known_first<T: Clone>(known: &BTreeMap<String, T>, others: BTreeMap<String, T>) -> BTreeMap<String, T> {
    let known = known.iter().map(|(key, refund)| (key.clone(), refund.clone()));
    others.into_iter().chain(known).collect()
}

/// What is remembered at an instant.
pub(super) struct Recall<'a> {
    pub(super) rules: &'a Ruleset,
    pub(super) as_of: EventTime,
}

impl Recall<'_> {
    pub(super) fn remembers(&self, kind: Kind, place: EventTime) -> bool {
        self.rules.remembers(kind, place, self.as_of)
    }
}

impl Memory {
    /// What somebody else is known for, as if it were known of this one.
    pub(super) fn unite(&mut self, other: Self, recall: &Recall<'_>) {
        let Self { objects, first_purchase, last_purchase, last_seen, requests, pending, texts } = other;
        self.first_purchase = self.first_purchase.into_iter().chain(first_purchase).min();
        self.last_purchase = self.last_purchase.max(last_purchase);
        self.last_seen = self.last_seen.max(last_seen);
        self.texts.extend(texts);
        for (key, at) in requests {
            let known = self.requests.entry(key).or_insert(at);
            *known = (*known).max(at);
        }
        for theirs in objects {
            // Presence and engagement are counted one by one.
            let is_passing = matches!(theirs.kind, Kind::Presence | Kind::Engagement);
            let is_same = |ours: &&mut Object| {
                (ours.kind, &ours.key) == (theirs.kind, &theirs.key) && recall.remembers(ours.kind, ours.place)
            };
            let is_known = !is_passing && recall.remembers(theirs.kind, theirs.place);
            match self.objects.iter_mut().rev().find(is_same).filter(|_| is_known) {
                Some(ours) => ours.unite(theirs),
                // First, since what is newest is found last.
                None => self.objects.insert(0, theirs),
            }
        }
        for (key, theirs) in pending {
            if !recall.remembers(Kind::Purchase, theirs.newest) {
                continue;
            }
            let ours = self.pending.entry(key).or_default();
            if !recall.remembers(Kind::Purchase, ours.newest) {
                *ours = theirs;
                continue;
            }
            ours.refunds = known_first(&ours.refunds, theirs.refunds);
            ours.cancelled |= theirs.cancelled;
            ours.newest = ours.newest.max(theirs.newest);
        }
        self.settle(recall);
    }

    /// Refunds meet the orders that the other one knew.
    fn settle(&mut self, recall: &Recall<'_>) {
        for order in self.objects.iter_mut().filter(|object| object.kind == Kind::Purchase) {
            let waits = self.pending.get(&order.key).is_some_and(|it| recall.remembers(Kind::Purchase, it.newest));
            if !waits || !recall.remembers(Kind::Purchase, order.place) {
                continue;
            }
            let pending = self.pending.remove(&order.key).expect("it waits");
            order.refunds = known_first(&order.refunds, pending.refunds);
            order.cancelled |= pending.cancelled;
        }
    }
}

impl Object {
    /// Two who are one knew of the same thing: its newest version stands, at its earliest place.
    fn unite(&mut self, other: Self) {
        let is_newer = match self.kind {
            Kind::Purchase | Kind::ReferredPurchase => (other.place, other.position) < (self.place, self.position),
            _ => (other.version, self.position) > (self.version, other.position),
        };
        let is_equal = self.version == other.version;
        let (mut newer, older) = if is_newer { (other, self.clone()) } else { (self.clone(), other) };
        newer.seen.extend(older.seen);
        newer.alerted.extend(older.alerted);
        newer.deleted = newer.deleted.max(older.deleted);
        if matches!(newer.kind, Kind::Purchase | Kind::ReferredPurchase) {
            newer.refunds = known_first(&newer.refunds, older.refunds);
            newer.cancelled |= older.cancelled;
        } else {
            if newer.kind != Kind::Referral {
                newer.place = newer.place.min(older.place);
            }
            if is_equal && older.content.is_none() {
                newer.content = None;
            }
        }
        *self = newer;
    }
}
