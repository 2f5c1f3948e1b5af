//! Accounts and their contacts: who belongs to which, what reaches the account, and what it tells.
//!
//! A contact's events are taken in twice: by the contact, and by the account, which knows duplicates by their business
//! keys as a customer does. What the account is and holds its contacts know from its word alone.

use std::collections::BTreeSet;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::apply::hash;
use super::customer::{BUSY, Customer, MAX_OBJECTS};
use super::customers::Slot;
use super::forgotten::Forgotten;
use super::look::Brought;
use super::rates::Prices;
use super::ties::Sending;
use super::{Engine, Stats};
use crate::model::effect::{Does, Word};
use crate::model::event::{Account, Body, Event, Kind};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::output::Output;
use crate::model::record::Position;
use crate::rules::ruleset::Ruleset;

/// What an account knows.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Contacts {
    /// Whose profile names it. At most [`MAX_CONTACTS`].
    ids: BTreeSet<CustomerId>,
    /// Its newest record.
    record: Option<Account>,
    /// What it has told them last.
    told: Word,
}

/// What a customer knows of accounts.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Membership {
    /// What their account has said last.
    word: Option<Box<Word>>,
    /// They have joined an account before: what they do from then on reaches accounts, what they did is there already.
    has_joined: bool,
    /// Hashes of orders that named an account themselves before that. At most [`MAX_OBJECTS`].
    placed: Vec<u64>,
}

/// Most contacts that an account tells what it is and holds; those beyond are counted and not told.
const MAX_CONTACTS: usize = 10_000;

impl Customer {
    /// The account's record: its own, or that of the account that the profile names.
    pub(super) fn account(&self) -> Option<&Account> {
        match self.id.kind() {
            EntityKind::Account => self.ties()?.contacts.as_ref()?.record.as_ref(),
            _ => self.word()?.record.as_ref(),
        }
    }

    /// What the customer's account has said.
    pub(super) fn word(&self) -> Option<&Word> {
        self.ties()?.membership.as_ref()?.word.as_deref()
    }

    /// The account that outputs name: its own id, or that of the profile.
    pub(super) fn account_id(&self) -> Option<&str> {
        match self.id.kind() {
            EntityKind::Account => Some(self.id.text()),
            _ => self.profile()?.account_id.as_deref(),
        }
    }

    /// The account whose contact this is: whoever is merged into another is nobody's.
    pub(super) fn belongs_to(&self) -> Option<CompactString> {
        self.profile().filter(|profile| profile.merged_into.is_none())?.account_id.clone()
    }

    /// Leaves the account whose contact this was, and joins the one whose contact it is, where that is another.
    pub(super) fn change_account(
        &mut self,
        before: Option<CompactString>,
        rules: &Ruleset,
        sendings: &mut Vec<Sending>,
    ) {
        let next = self.belongs_to();
        if !rules.plan.uses_accounts || before == next {
            return;
        }
        sendings.extend(before.map(|id| Sending { to: CustomerId::account(&id), does: Does::Leave }));
        let membership = self.ties_mut().membership.get_or_insert_default();
        membership.word = None;
        let Some(next) = next.map(|id| CustomerId::account(&id)) else { return };
        let is_first = !std::mem::replace(&mut membership.has_joined, true);
        let placed = std::mem::take(&mut membership.placed);
        sendings.push(Sending { to: next.clone(), does: Does::Join });
        if is_first && rules.plan.rolled_up != 0 {
            let shares = self.share(&placed, rules).into_iter();
            sendings.extend(shares.map(|share| Sending { to: next.clone(), does: Does::RollUp(share) }));
        }
    }

    /// Leaves the account for good.
    pub(super) fn leave_account(&self, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        let account = self.belongs_to().filter(|_| rules.plan.uses_accounts);
        sendings.extend(account.map(|id| Sending { to: CustomerId::account(&id), does: Does::Leave }));
    }

    /// Everything remembered of the kinds that accounts count, but orders that went to an account by themselves.
    fn share(&self, placed: &[u64], rules: &Ruleset) -> Vec<Vec<u8>> {
        let mut share = self.clone();
        share.log.retain(|entry| {
            let went_by_itself = entry.kind() == Kind::Purchase && placed.contains(&entry.key);
            rules.plan.rolls_up(entry.kind()) && !went_by_itself
        });
        (share.labels, share.look_pending) = (0, false);
        let keys = share.log.iter().map(|entry| (entry.rank(), entry.key)).collect::<BTreeSet<_>>();
        if let Some(rare) = &mut share.rare {
            (rare.profile, rare.waiting, rare.visit, rare.ties) = (None, None, None, None);
            rare.held.clear();
            rare.extras.retain(|(object, _)| keys.contains(object));
            rare.pending.retain(|key, _| !placed.contains(key));
            rare.keys = None;
        }
        if share.log.len() > BUSY {
            share.rare().keys = Some(keys);
        }
        share.images()
    }

    /// To which account an event goes besides: the one that it names itself, else that of the profile.
    pub(super) fn roll_up(&mut self, event: &Event, position: Position, rules: &Ruleset) -> Option<Sending> {
        let is_own = self.id.kind() == EntityKind::Customer && self.merged_into().is_none();
        let counts = match &event.body {
            Body::Referral(referral) => !self.is_known_as(&referral.referred_customer_id),
            _ => true,
        };
        if !rules.plan.rolls_up(event.kind()) || !is_own || !counts {
            return None;
        }
        let named = match &event.body {
            Body::Purchase(purchase) => purchase.account_id.as_deref().map(|id| (id, hash(&purchase.order_id))),
            _ => None,
        };
        if let Some((_, order)) = named {
            self.place(order);
        }
        let to = named.map(|(id, _)| CustomerId::account(id));
        let to = to.or_else(|| self.belongs_to().map(|id| CustomerId::account(&id)))?;
        Some(Sending::bring(event, position, to))
    }

    /// Notes an order that went to an account by itself.
    fn place(&mut self, order: u64) {
        let membership = self.ties_mut().membership.get_or_insert_default();
        if membership.has_joined || membership.placed.contains(&order) {
            return;
        }
        if membership.placed.len() >= MAX_OBJECTS {
            membership.placed.remove(0);
        }
        membership.placed.push(order);
    }

    /// Takes in what is remembered of a contact; says whether the account is to be looked at now.
    pub(super) fn take_share(&mut self, share: &[u8], prices: Prices<'_>, stats: &mut Stats) -> bool {
        let Ok(share) = Self::decode(share, prices.rules) else {
            stats.forgotten.add(Forgotten::Image, 1);
            return false;
        };
        let is_last = !share.look_pending;
        // What a contact did was counted there.
        self.take_in(share, prices, &mut Stats::default());
        is_last
    }

    /// An account's record, or that there is none any more; says whether it is news, `None` for the record known.
    pub(super) fn set_record(&mut self, record: Option<&Account>) -> Option<bool> {
        let known = &mut self.ties_mut().contacts.get_or_insert_default().record;
        if let (Some(known), Some(record)) = (&known, record) {
            if record.version == known.version {
                return None;
            }
            if record.version < known.version {
                return Some(false);
            }
        }
        *known = record.cloned();
        Some(true)
    }

    /// A contact joins the account, and is told; says whether there was room.
    pub(super) fn joined(&mut self, contact: &CustomerId, sendings: &mut Vec<Sending>) -> bool {
        let contacts = self.ties_mut().contacts.get_or_insert_default();
        let has_room = contacts.ids.len() < MAX_CONTACTS || contacts.ids.contains(contact);
        if has_room {
            contacts.ids.insert(contact.clone());
            let word = Box::new(contacts.told.clone());
            sendings.push(Sending { to: contact.clone(), does: Does::Account(word) });
        }
        has_room
    }

    /// A contact leaves the account; what they did stays.
    pub(super) fn left(&mut self, contact: &CustomerId) {
        self.ties_mut().contacts.get_or_insert_default().ids.remove(contact);
    }

    /// What an account says to a contact; whether it is news.
    pub(super) fn hear(&mut self, from: &CustomerId, word: Box<Word>) -> bool {
        if self.id.kind() != EntityKind::Customer || self.belongs_to().as_deref() != Some(from.text()) {
            return false;
        }
        let known = &mut self.ties_mut().membership.get_or_insert_default().word;
        let is_news = known.as_ref() != Some(&word);
        *known = Some(word);
        is_news
    }

    /// Tells every contact what the account is and holds, where that has changed.
    fn tell(&mut self, sendings: &mut Vec<Sending>) {
        let held = self.standing().iter().map(|held| (held.programme, held.tier)).collect();
        let word = Word { record: self.account().cloned(), held };
        let contacts = self.ties().and_then(|ties| ties.contacts.as_deref());
        if contacts.map_or(word == Word::default(), |contacts| contacts.told == word) {
            return;
        }
        let contacts = self.ties_mut().contacts.get_or_insert_default();
        contacts.told = word;
        let told = &contacts.told;
        let to_each = contacts.ids.iter().map(|contact| (contact.clone(), Box::new(told.clone())));
        sendings.extend(to_each.map(|(to, word)| Sending { to, does: Does::Account(word) }));
    }
}

impl Engine {
    /// After a look at an account. A word begins a row of effects of its own: nobody passes it on.
    pub(super) fn tell_contacts(&mut self, slot: Slot, cause: Brought<'_>, outputs: &mut Vec<Output>) {
        let account = &mut self.customers[slot];
        if account.id.kind() != EntityKind::Account {
            return;
        }
        account.tell(&mut self.sendings);
        self.send(slot, cause.origin().as_ref(), 0, outputs);
    }
}
