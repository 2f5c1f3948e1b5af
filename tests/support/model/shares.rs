//! What customers bring to accounts: where each order counts, and what goes along by joining or by being merged.

use std::collections::{BTreeMap, BTreeSet};

use vipstream::model::event::{Body, Event, Kind, Purchase, PurchaseStatus};
use vipstream::model::record::Position;

use super::customer::{Customer, Entity};
use super::effects::{Does, Sending, bring};
use super::identity::Recall;
use super::memory::{Memory, Object};
use super::rules::Ruleset;

/// Of each order the accounts where it counts, or where what takes it back waits for it.
pub(super) type Bookings = BTreeMap<String, BTreeSet<Entity>>;

/// Whether an order is remembered, and whether something waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Recalled {
    order: bool,
    waits: bool,
}

impl Recalled {
    const fn is_anything(self) -> bool {
        self.order || self.waits
    }
}

/// What somebody brings who turns out to be another.
pub(super) struct Came {
    objects: BTreeSet<(Kind, String)>,
    /// What is counted one by one, where no account has any of it.
    passing: Vec<Object>,
    has_given: bool,
    /// Of each order what this one knew and what that one did.
    orders: BTreeMap<String, (Recalled, Recalled)>,
    bookings: Bookings,
}

impl Customer {
    /// What is remembered of the order that an event is about.
    pub(super) fn recall_of(&self, rules: &Ruleset, event: &Event) -> Recalled {
        match &event.body {
            Body::Purchase(purchase) => self.memory.recall(&Recall { rules, as_of: self.as_of }, &purchase.order_id),
            _ => Recalled::default(),
        }
    }

    /// Passes an event on to the accounts too where it counts; before it, `recalled` was known of its order.
    pub(super) fn roll_up(
        &mut self,
        rules: &Ruleset,
        (event, position): (&Event, Position),
        recalled: Recalled,
    ) -> Vec<Sending> {
        let is_own = matches!(self.entity, Entity::Customer(_)) && self.merged_into().is_none();
        if !rules.rolls_up(event.kind()) || !is_own {
            return Vec::new();
        }
        match &event.body {
            Body::Referral(referral) if self.is_known_as(&referral.referred_customer_id) => Vec::new(),
            Body::Purchase(purchase) if purchase.test || purchase.status == PurchaseStatus::Disputed => Vec::new(),
            Body::Purchase(purchase) => {
                let (to, is_whole) = self.book(purchase, recalled);
                let whole = to.iter().filter(|_| is_whole).map(|account| {
                    let order = BTreeSet::from([purchase.order_id.to_string()]);
                    (account.clone(), Does::RollUp(Box::new(self.memory.orders(&order))))
                });
                whole.chain(to.iter().map(|account| bring(event, position, account))).collect()
            }
            _ => self.belongs_to().iter().map(|account| bring(event, position, account)).collect(),
        }
    }

    /// Where a record of an order goes, and whether all that is known of the order goes along.
    fn book(&mut self, purchase: &Purchase, recalled: Recalled) -> (BTreeSet<Entity>, bool) {
        let id = purchase.order_id.to_string();
        let booked = self.bonds.bookings.get(&id).cloned().unwrap_or_default();
        let named = purchase.account_id.as_ref().map(|id| Entity::Account(id.to_string()));
        let is_completed = purchase.status == PurchaseStatus::Completed;
        let is_first = is_completed && !recalled.order;
        let to: BTreeSet<Entity> = match &named {
            Some(account) => BTreeSet::from([account.clone()]),
            None if booked.is_empty() => self.belongs_to().into_iter().collect(),
            None => booked.iter().take(if is_first { 1 } else { usize::MAX }).cloned().collect(),
        };
        let is_news = !to.is_subset(&booked);
        let is_whole = if is_completed {
            recalled.waits || recalled.order && is_news
        } else {
            recalled.order && booked.is_empty() && named.is_some()
        };
        let is_refund_of_elsewhere = !is_completed && recalled.order && !booked.is_empty();
        if is_first && !to.is_empty() {
            self.bonds.bookings.insert(id, to.clone());
        } else if !to.is_empty() && !is_refund_of_elsewhere {
            self.bonds.bookings.entry(id).or_default().extend(to.clone());
        }
        (to, is_whole)
    }

    /// An account is joined: what goes along.
    pub(super) fn bring_along(&mut self, rules: &Ruleset, account: &Entity, is_first: bool) -> Option<Sending> {
        let orders = self.book_orders(rules, account);
        let has_given = std::mem::replace(&mut self.bonds.has_given, true);
        let share = if is_first && Kind::ALL.into_iter().any(|kind| rules.rolls_up(kind)) {
            let mut share = self.memory.share(&Recall { rules, as_of: self.as_of }, self.entity.key(), &orders);
            if has_given {
                share.stop_counting();
            }
            share
        } else if orders.is_empty() {
            return None;
        } else {
            self.memory.orders(&orders)
        };
        Some((account.clone(), Does::RollUp(Box::new(share))))
    }

    /// Orders that no account has are one's from now on: which.
    fn book_orders(&mut self, rules: &Ruleset, account: &Entity) -> BTreeSet<String> {
        if !rules.rolls_up(Kind::Purchase) {
            return BTreeSet::new();
        }
        let recall = Recall { rules, as_of: self.as_of };
        let known = self.memory.order_ids().into_iter();
        let orders: BTreeSet<String> = known
            .filter(|id| self.memory.recall(&recall, id).is_anything() && !self.bonds.bookings.contains_key(id))
            .collect();
        let account = BTreeSet::from([account.clone()]);
        self.bonds.bookings.extend(orders.iter().map(|id| (id.clone(), account.clone())));
        orders
    }

    /// Before somebody's memory becomes this one's.
    pub(super) fn came(&self, rules: &Ruleset, memory: &Memory, bookings: Bookings, has_given: bool) -> Came {
        let recall = Recall { rules, as_of: self.as_of };
        let orders = memory.order_ids().into_iter().chain(bookings.keys().cloned());
        let orders = orders.map(|id| {
            let both = (self.memory.recall(&recall, &id), memory.recall(&recall, &id));
            (id, both)
        });
        let (passing, objects): (Vec<&Object>, Vec<&Object>) =
            memory.objects.iter().partition(|object| is_passing(object.kind));
        Came {
            orders: orders.collect(),
            bookings,
            has_given,
            objects: objects.into_iter().map(|object| (object.kind, object.key.clone())).collect(),
            passing: passing.into_iter().filter(|it| !has_given && rules.rolls_up(it.kind)).cloned().collect(),
        }
    }

    /// After it has: what accounts are to know.
    pub(super) fn tell_accounts(&mut self, rules: &Ruleset, came: Came) -> Vec<Sending> {
        let mut concerned: BTreeMap<Entity, BTreeSet<String>> = BTreeMap::new();
        for (id, (ours, theirs)) in came.orders {
            let known = self.bonds.bookings.get(&id).cloned().unwrap_or_default();
            let brought = came.bookings.get(&id).cloned().unwrap_or_default();
            let to = match (ours.order, theirs.order) {
                (true, false) => known,
                (false, true) => brought,
                _ => &known | &brought,
            };
            if ours.is_anything() && theirs.is_anything() {
                for account in &to {
                    concerned.entry(account.clone()).or_default().insert(id.clone());
                }
            }
            self.bonds.bookings.remove(&id);
            if !to.is_empty() {
                self.bonds.bookings.insert(id, to);
            }
        }
        self.bonds.has_given |= came.has_given;
        if !Kind::ALL.into_iter().any(|kind| rules.rolls_up(kind)) {
            return Vec::new();
        }
        let mut sendings = Vec::new();
        if let Some(account) = self.belongs_to() {
            let mut orders = self.book_orders(rules, &account);
            orders.extend(concerned.remove(&account).unwrap_or_default());
            let mut share = self.memory.share(&Recall { rules, as_of: self.as_of }, self.entity.key(), &orders);
            share.objects.retain(|it| {
                let is_of_both = it.kind == Kind::Purchase || is_passing(it.kind);
                is_of_both || came.objects.contains(&(it.kind, it.key.clone()))
            });
            share.stop_counting();
            share.objects.extend(came.passing);
            sendings.push((account, Does::RollUp(Box::new(share))));
        }
        let others = concerned.into_iter();
        sendings.extend(others.map(|(account, orders)| (account, Does::RollUp(Box::new(self.memory.orders(&orders))))));
        sendings
    }
}

const fn is_passing(kind: Kind) -> bool {
    matches!(kind, Kind::Presence | Kind::Engagement)
}

/// What somebody wrote, as accounts know it: others may write the same.
pub(super) fn signed(text: &str, author: &str) -> String {
    format!("{author}\0{text}")
}

impl Memory {
    fn recall(&self, recall: &Recall<'_>, order: &str) -> Recalled {
        let is_it = |it: &Object| it.kind == Kind::Purchase && it.key == order;
        let mut objects = self.objects.iter().filter(|it| is_it(it));
        let waits = self.pending.get(order);
        Recalled {
            order: objects.any(|it| recall.remembers(it.kind, it.place)),
            waits: waits.is_some_and(|it| recall.remembers(Kind::Purchase, it.newest)),
        }
    }

    /// Every order of which something was heard.
    fn order_ids(&self) -> BTreeSet<String> {
        let orders = self.objects.iter().filter(|it| it.kind == Kind::Purchase).map(|it| it.key.clone());
        orders.chain(self.pending.keys().cloned()).collect()
    }

    /// What goes to an account: of orders these, and what those paid for that are not remembered.
    fn share(&self, recall: &Recall<'_>, author: &str, orders: &BTreeSet<String>) -> Self {
        let mut share = self.clone();
        share.objects.retain(|it| match it.kind {
            Kind::Purchase => orders.contains(&it.key) || !recall.remembers(it.kind, it.place),
            kind => recall.rules.rolls_up(kind),
        });
        share.pending.retain(|order, _| orders.contains(order));
        for (text, _) in &mut share.texts {
            *text = signed(text, author);
        }
        share
    }

    /// What is counted one by one is known as seen, and counts no more.
    fn stop_counting(&mut self) {
        self.objects.iter_mut().filter(|it| is_passing(it.kind)).for_each(|it| it.content = None);
    }

    /// These orders alone.
    fn orders(&self, orders: &BTreeSet<String>) -> Self {
        let mut alone = Self { objects: self.objects.clone(), pending: self.pending.clone(), ..Self::default() };
        alone.objects.retain(|it| it.kind == Kind::Purchase && orders.contains(&it.key));
        alone.pending.retain(|order, _| orders.contains(order));
        alone
    }
}
