//! What customers bring to accounts: where each of their orders counts, and what goes along when they join one or turn
//! out to be a contact.
//!
//! An order is booked at one account, and what takes it back follows it: that which a record of it names, else that where
//! it was booked before, else that of the profile. Where several things are known of an order by the time it gets there, it is
//! sent whole: it is united by its key, so that does not matter to an account that knows it.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;

use super::apply::hash;
use super::bucket::Bucket;
use super::customer::{BUSY, Customer, MAX_OBJECTS};
use super::entry::Entry;
use super::image::wire::Writer;
use super::overrides::Counted;
use super::ties::Sending;
use crate::model::effect::Does;
use crate::model::event::{Body, Event, Kind, Purchase, PurchaseStatus};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::record::Position;
use crate::model::time::MaybeTime;
use crate::rules::ruleset::Ruleset;

/// What a customer remembers of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Recalled {
    order: bool,
    /// What takes it back, and waits for it.
    waits: bool,
}

/// Accounts by hash of the order's id, in the order in which they were noted: of one order those where it counts, or where
/// what takes it back waits for it. At most [`MAX_OBJECTS`].
pub(super) type Bookings = Vec<(u64, CompactString)>;

/// What another customer brought, who is merged into this one.
#[derive(Debug)]
pub(super) struct Came {
    /// Ranks and keys of objects.
    objects: BTreeSet<(u8, u64)>,
    /// Of orders: by both what each of the two knew, theirs last.
    orders: BTreeMap<u64, [Recalled; 2]>,
    bookings: Bookings,
    /// What is counted by unit, where none of it can have reached an account.
    buckets: Vec<Bucket>,
    has_given: bool,
}

/// When an event comes.
impl Customer {
    /// What is remembered of the order that an event is about, before it is taken in.
    pub(super) fn recall_of(&self, event: &Event, rules: &Ruleset) -> Recalled {
        match &event.body {
            Body::Purchase(purchase) if rules.plan.rolls_up(Kind::Purchase) => {
                self.recall(hash(&purchase.order_id), rules)
            }
            _ => Recalled::default(),
        }
    }

    fn recall(&self, order: u64, rules: &Ruleset) -> Recalled {
        let waiting = self.rare.as_ref().and_then(|rare| rare.pending.get(&order));
        Recalled {
            order: self.find(Kind::Purchase, order, rules).is_some(),
            waits: waiting.is_some_and(|waiting| self.as_of < waiting.until),
        }
    }

    /// Passes an event on to the accounts where it counts besides; `recalled` is what was known before of its order.
    pub(super) fn roll_up(
        &mut self,
        (event, position): (&Event, Position),
        recalled: Recalled,
        rules: &Ruleset,
        sendings: &mut Vec<Sending>,
    ) {
        let is_own = self.id.kind() == EntityKind::Customer && self.merged_into().is_none();
        if !rules.plan.rolls_up(event.kind()) || !is_own {
            return;
        }
        let own = || self.belongs_to().into_iter().collect();
        let to: Vec<CompactString> = match &event.body {
            Body::Referral(referral) if self.is_known_as(&referral.referred_customer_id) => return,
            Body::Purchase(purchase) if purchase.test || purchase.status == PurchaseStatus::Disputed => return,
            Body::Purchase(purchase) => self.book(purchase, recalled, sendings),
            _ => own(),
        };
        sendings.extend(to.iter().map(|id| Sending::bring(event, position, CustomerId::account(id))));
    }

    /// To which accounts a record of an order goes. Notes it, and sends the order whole where the account is to know more
    /// of it than this record.
    fn book(&mut self, purchase: &Purchase, recalled: Recalled, sendings: &mut Vec<Sending>) -> Vec<CompactString> {
        let (order, is_order) = (hash(&purchase.order_id), purchase.status == PurchaseStatus::Completed);
        let booked = self.booked(order);
        let is_first = is_order && !recalled.order;
        let to: Vec<CompactString> = match &purchase.account_id {
            Some(named) => vec![named.clone()],
            None if booked.is_empty() => self.belongs_to().into_iter().collect(),
            // What waited for it may have gone to several.
            None if is_first => booked[..1].to_vec(),
            None => booked.clone(),
        };
        let is_news = to.iter().any(|id| !booked.contains(id));
        let is_whole = if is_order {
            recalled.waits || recalled.order && is_news
        } else {
            recalled.order && booked.is_empty() && purchase.account_id.is_some()
        };
        if is_first && !to.is_empty() {
            self.rebook(order, to.clone());
        } else if is_news && (is_order || !recalled.order || booked.is_empty()) {
            // Whoever takes an order back does not move it.
            self.rebook(order, booked.into_iter().chain(to.clone()).collect());
        }
        if is_whole {
            let orders = BTreeSet::from([order]);
            sendings.extend(to.iter().map(|id| self.send_orders(id, &orders)));
        }
        to
    }

    /// Whether what is known of it may go to accounts.
    pub(super) fn reaches_accounts(&self) -> bool {
        let bookings = self.ties().and_then(|ties| ties.contact_of.as_ref()).map(|it| &it.bookings);
        self.belongs_to().is_some() || bookings.is_some_and(|bookings| !bookings.is_empty())
    }

    /// At which accounts an order is booked, or what takes it back, by their ids.
    fn booked(&self, order: u64) -> Vec<CompactString> {
        let bookings = self.ties().and_then(|ties| ties.contact_of.as_ref()).map(|it| it.bookings.as_slice());
        let mut booked: Vec<CompactString> = bookings
            .unwrap_or_default()
            .iter()
            .filter(|(other, _)| *other == order)
            .map(|(_, account)| account.clone())
            .collect();
        booked.sort_unstable();
        booked
    }

    fn rebook(&mut self, order: u64, to: Vec<CompactString>) {
        let bookings = &mut self.ties_mut().contact_of.get_or_insert_default().bookings;
        bookings.retain(|(other, _)| *other != order);
        bookings.extend(to.into_iter().map(|account| (order, account)));
        bookings.drain(..bookings.len().saturating_sub(MAX_OBJECTS));
    }
}

/// When they join an account, or somebody is merged into them.
impl Customer {
    /// Joins an account: orders that no account has count there from now on, and of the first one everything else
    /// remembered does.
    pub(super) fn bring_along(&mut self, account: &CompactString, is_first: bool, rules: &Ruleset) -> Option<Sending> {
        let orders = self.book_orders(account, rules);
        let contact_of = self.ties_mut().contact_of.get_or_insert_default();
        let has_given = std::mem::replace(&mut contact_of.has_given, true);
        if is_first && rules.plan.rolled_up != 0 {
            let mut share = self.share(&orders, rules);
            if let Some(rare) = share.rare.as_mut().filter(|_| has_given) {
                rare.buckets.clear();
            }
            return Some(roll_up(account, &share));
        }
        (!orders.is_empty()).then(|| self.send_orders(account, &orders))
    }

    /// Gives the orders that are with no account to one; says which these are.
    fn book_orders(&mut self, account: &CompactString, rules: &Ruleset) -> BTreeSet<u64> {
        if !rules.plan.rolls_up(Kind::Purchase) {
            return BTreeSet::new();
        }
        let orders = self.objects(Kind::Purchase).map(|at| &self.log[at]);
        let is_known = |order: &&Entry| {
            self.forgotten_at(Kind::Purchase, order.place(), rules).is_none_or(|until| self.as_of < until)
        };
        let mut placed: BTreeSet<u64> = orders.filter(is_known).map(|order| order.key).collect();
        let waiting = self.rare.iter().flat_map(|rare| &rare.pending);
        placed.extend(waiting.filter(|(_, waiting)| self.as_of < waiting.until).map(|(order, _)| *order));
        let contact_of = self.ties_mut().contact_of.get_or_insert_default();
        for (order, _) in &contact_of.bookings {
            placed.remove(order);
        }
        contact_of.bookings.extend(placed.iter().map(|order| (*order, account.clone())));
        contact_of.bookings.drain(..contact_of.bookings.len().saturating_sub(MAX_OBJECTS));
        placed
    }

    /// What somebody brings who is merged into this one; to be asked before it is taken in.
    pub(super) fn came(&self, other: &mut Self, rules: &Ruleset) -> Came {
        let contact_of = other.rare.as_mut().and_then(|rare| rare.ties.as_mut()).and_then(|it| it.contact_of.take());
        let (bookings, has_given) = contact_of.map(|it| (it.bookings, it.has_given)).unwrap_or_default();
        let buckets = other.rare.iter().filter(|_| !has_given).flat_map(|rare| &rare.buckets);
        let waiting = other.rare.iter().flat_map(|rare| rare.pending.keys());
        let orders = other.objects(Kind::Purchase).map(|at| other.log[at].key).chain(waiting.copied());
        let orders = orders.chain(bookings.iter().map(|(order, _)| *order));
        Came {
            objects: other.log.iter().map(|entry| (entry.rank(), entry.key)).collect(),
            orders: orders.map(|order| (order, [self.recall(order, rules), other.recall(order, rules)])).collect(),
            buckets: buckets.cloned().collect(),
            bookings,
            has_given,
        }
    }

    /// Tells accounts what has come: what both knew of an order where it counts, and all that is new to the account of
    /// the profile.
    pub(super) fn tell_accounts(&mut self, came: &Came, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        let mut concerned: BTreeMap<CompactString, BTreeSet<u64>> = BTreeMap::new();
        for (order, [ours, theirs]) in &came.orders {
            let known = self.booked(*order);
            let brought = came.bookings.iter().filter(|(other, _)| other == order).map(|(_, account)| account.clone());
            let brought: Vec<CompactString> = brought.collect();
            // Where the order itself is, not where something waits for it in vain.
            let mut to = match (ours.order, theirs.order) {
                (true, false) => known.clone(),
                (false, true) => brought,
                _ => known.iter().cloned().chain(brought).collect(),
            };
            to.sort_unstable();
            to.dedup();
            if (ours.order || ours.waits) && (theirs.order || theirs.waits) {
                for account in &to {
                    concerned.entry(account.clone()).or_default().insert(*order);
                }
            }
            if to != known {
                self.rebook(*order, to);
            }
        }
        if came.has_given {
            self.ties_mut().contact_of.get_or_insert_default().has_given = true;
        }
        if rules.plan.rolled_up == 0 {
            return;
        }
        if let Some(account) = self.belongs_to() {
            let mut orders = self.book_orders(&account, rules);
            orders.extend(concerned.remove(&account).unwrap_or_default());
            let mut share = self.share(&orders, rules);
            share
                .log
                .retain(|entry| entry.kind() == Kind::Purchase || came.objects.contains(&(entry.rank(), entry.key)));
            share.tidy();
            share.rare().buckets.clone_from(&came.buckets);
            sendings.push(roll_up(&account, &share));
        }
        sendings.extend(concerned.iter().map(|(account, orders)| self.send_orders(account, orders)));
    }

    /// What is remembered of the kinds that accounts count; of orders these.
    fn share(&self, orders: &BTreeSet<u64>, rules: &Ruleset) -> Self {
        let mut share = self.clone();
        share.log.retain(|entry| match entry.kind() {
            Kind::Purchase => orders.contains(&entry.key),
            kind => rules.plan.rolls_up(kind),
        });
        share.labels = 0;
        if let Some(rare) = &mut share.rare {
            (rare.profile, rare.waiting, rare.visit, rare.ties, rare.by_hand) = (None, None, None, None, None);
            rare.counted = Counted::default();
            rare.held.clear();
            rare.pending.retain(|order, _| orders.contains(order));
            for (text, _) in &mut rare.texts {
                *text = signed(*text, &self.id);
            }
        }
        share.tidy();
        share
    }

    /// These orders as they stand, and nothing else.
    fn send_orders(&self, account: &CompactString, orders: &BTreeSet<u64>) -> Sending {
        let mut share = self.clone();
        share.log.retain(|entry| entry.kind() == Kind::Purchase && orders.contains(&entry.key));
        share.labels = 0;
        (share.first_purchase, share.last_purchase, share.last_seen) =
            (MaybeTime::NONE, MaybeTime::NONE, MaybeTime::NONE);
        if let Some(rare) = &mut share.rare {
            let (extras, mut pending) = (std::mem::take(&mut rare.extras), std::mem::take(&mut rare.pending));
            pending.retain(|order, _| orders.contains(order));
            **rare = super::customer::Rare { extras, pending, ..Default::default() };
        }
        share.tidy();
        roll_up(account, &share)
    }

    /// Drops what belongs to no object of the log any more, and the detectors, which are the customer's own.
    fn tidy(&mut self) {
        self.pivots = None;
        let keys: BTreeSet<(u8, u64)> = self.log.iter().map(|entry| (entry.rank(), entry.key)).collect();
        if let Some(rare) = &mut self.rare {
            rare.extras.retain(|(object, _)| keys.contains(object));
            (rare.keys, rare.told, rare.held_back) = (None, 0, Vec::new());
        }
        if self.log.len() > BUSY {
            self.rare().keys = Some(keys);
        }
    }
}

/// An account's hash of what somebody wrote: others may write the same.
pub(super) fn signed(text: u64, author: &CustomerId) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(author.as_str().as_bytes(), text)
}

fn roll_up(account: &CompactString, share: &Customer) -> Sending {
    let mut bytes = Vec::new();
    share.encode(&mut Writer(&mut bytes));
    Sending { to: CustomerId::account(account), does: Does::RollUp(bytes) }
}
