//! Accounts: who belongs to which, what reaches them, and what they tell their contacts.

use std::collections::{BTreeMap, BTreeSet};

use vipstream::model::event::{Account, Body, Event, Kind, Profile};
use vipstream::model::record::Position;

use super::customer::{Customer, Entity};
use super::effects::{Does, Sending, bring};
use super::identity::Recall;
use super::memory::Memory;
use super::rules::Ruleset;

/// What an account knows of its contacts, and a contact of its account.
#[derive(Clone, Debug, Default)]
pub(super) struct Bonds {
    /// Of an account: whose profile names it, its newest record, and what it has said last.
    contacts: BTreeSet<Entity>,
    record: Option<Account>,
    said: Word,
    /// Of a contact: what the account has said last.
    pub(super) word: Word,
    was_told: bool,
    /// Of a contact: they have joined an account before.
    has_joined: bool,
    /// Of a customer who has not: orders that named an account themselves.
    placed: BTreeSet<String>,
}

/// What an account is, and the programmes that it holds with the tier in each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Word {
    pub(super) record: Option<Account>,
    pub(super) held: BTreeMap<String, Option<usize>>,
}

impl Customer {
    /// The record of the account, or of the account of the customer.
    pub(super) fn account(&self) -> Option<&Account> {
        let of_account = matches!(self.entity, Entity::Account(_));
        if of_account { self.bonds.record.as_ref() } else { self.bonds.word.record.as_ref() }
    }

    /// The account as outputs name it.
    pub(super) fn account_id(&self) -> Option<String> {
        match &self.entity {
            Entity::Account(id) => Some(id.clone()),
            _ => named(self.profile.as_ref()),
        }
    }

    /// An account's record, if it is newer, or that it is gone.
    pub(super) fn describe(&mut self, record: Option<&Account>) -> bool {
        let known = self.bonds.record.as_ref().zip(record);
        let is_news = known.is_none_or(|(known, record)| known.version < record.version);
        if is_news {
            self.bonds.record = record.cloned();
        }
        is_news
    }

    /// The account whose contact this is; whoever is somebody else by now is nobody's.
    pub(super) fn belongs_to(&self) -> Option<Entity> {
        named(self.profile.as_ref()).filter(|_| self.merged_into().is_none()).map(Entity::Account)
    }

    /// Leaves the account whose contact this was before, joins that whose contact it is now.
    pub(super) fn change_account(&mut self, rules: &Ruleset, before: Option<Entity>) -> Vec<Sending> {
        let after = self.belongs_to();
        if before == after || !rules.uses_accounts() {
            return Vec::new();
        }
        (self.bonds.word, self.bonds.was_told) = (Word::default(), false);
        let mut sendings: Vec<Sending> = before.into_iter().map(|account| (account, Does::Leave)).collect();
        if let Some(account) = after {
            sendings.push((account.clone(), Does::Join));
            let is_first = !std::mem::replace(&mut self.bonds.has_joined, true);
            if is_first && Kind::ALL.into_iter().any(|kind| rules.rolls_up(kind)) {
                let placed = std::mem::take(&mut self.bonds.placed);
                sendings.push((account, Does::RollUp(Box::new(self.memory.share(rules, &placed)))));
            }
        }
        sendings
    }

    /// Takes in what a contact remembers, and is to be looked at.
    pub(super) fn take_share(&mut self, rules: &Ruleset, share: Memory) -> bool {
        self.memory.unite(share, &Recall { rules, as_of: self.as_of });
        self.move_to(self.as_of);
        true
    }

    /// Passes an event on to the account too: that which an order names, or that of the profile.
    pub(super) fn roll_up(&mut self, rules: &Ruleset, event: &Event, position: Position) -> Option<Sending> {
        let is_own = matches!(self.entity, Entity::Customer(_)) && self.merged_into().is_none();
        let refers_itself =
            matches!(&event.body, Body::Referral(referral) if self.is_known_as(&referral.referred_customer_id));
        if !rules.rolls_up(event.kind()) || !is_own || refers_itself {
            return None;
        }
        let mut account = self.belongs_to();
        if let Body::Purchase(purchase) = &event.body
            && let Some(id) = &purchase.account_id
        {
            account = Some(Entity::Account(id.to_string()));
            if !self.bonds.has_joined {
                self.bonds.placed.insert(purchase.order_id.to_string());
            }
        }
        Some(bring(event, position, &account?))
    }

    /// A contact comes: it is told what the others were.
    pub(super) fn joined(&mut self, contact: &Entity) -> Sending {
        self.bonds.contacts.insert(contact.clone());
        (contact.clone(), Does::Account(self.bonds.said.clone()))
    }

    /// A contact goes.
    pub(super) fn left(&mut self, contact: &Entity) -> Vec<Sending> {
        self.bonds.contacts.remove(contact);
        Vec::new()
    }

    /// An account speaks; whether it was news.
    pub(super) fn hear(&mut self, from: &Entity, word: Word) -> bool {
        let is_theirs = self.belongs_to().as_ref() == Some(from);
        let is_customer = matches!(self.entity, Entity::Customer(_));
        // To have been told nothing is to know nothing.
        let is_news = is_theirs && is_customer && (!self.bonds.was_told || self.bonds.word != word);
        if is_theirs && is_customer {
            (self.bonds.word, self.bonds.was_told) = (word, true);
        }
        is_news
    }

    /// After a look at an account: what its contacts have to hear.
    pub(super) fn tell(&mut self) -> Vec<Sending> {
        let held = self.held.iter().map(|(name, held)| (name.clone(), held.tier)).collect();
        let word = Word { record: self.bonds.record.clone(), held };
        if !matches!(self.entity, Entity::Account(_)) || word == self.bonds.said {
            return Vec::new();
        }
        self.bonds.said = word.clone();
        self.bonds.contacts.iter().map(|contact| (contact.clone(), Does::Account(word.clone()))).collect()
    }
}

fn named(profile: Option<&Profile>) -> Option<String> {
    profile?.account_id.as_ref().map(ToString::to_string)
}

impl Memory {
    /// What goes to an account that is joined for the first time.
    fn share(&self, rules: &Ruleset, placed: &BTreeSet<String>) -> Self {
        let mut share = self.clone();
        let is_placed = |kind: Kind, key: &str| kind == Kind::Purchase && placed.contains(key);
        share.objects.retain(|object| rules.rolls_up(object.kind) && !is_placed(object.kind, &object.key));
        share.pending.retain(|order, _| !placed.contains(order));
        share
    }
}
