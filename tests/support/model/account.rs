//! Accounts: who belongs to which, what reaches them, and what they tell their contacts.

use std::collections::{BTreeMap, BTreeSet};

use vipstream::model::event::{Account, Profile};

use super::customer::{Customer, Entity};
use super::effects::{Does, Sending};
use super::identity::Recall;
use super::memory::Memory;
use super::rules::Ruleset;
use super::shares::Bookings;

/// What an account knows of its contacts, and a contact of its account.
#[derive(Clone, Debug, Default)]
pub(super) struct Bonds {
    /// Of an account: whose profile names it, its newest record, and what it has said last.
    contacts: BTreeSet<Entity>,
    record: Option<Account>,
    said: AccountSummary,
    /// Of a contact: what the account has said last.
    pub(super) summary: AccountSummary,
    was_told: bool,
    /// Of a contact: they have joined an account before.
    has_joined: bool,
    /// Of one, or of whoever was merged into them.
    pub(super) has_given: bool,
    /// Of a customer: the accounts where each order counts, or where what takes it back waits for it.
    pub(super) bookings: Bookings,
}

/// What an account is, and the programmes that it holds with the tier in each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct AccountSummary {
    pub(super) record: Option<Account>,
    pub(super) held: BTreeMap<String, Option<usize>>,
}

impl Customer {
    /// The record of the account, or of the account of the customer.
    pub(super) fn account(&self) -> Option<&Account> {
        let of_account = matches!(self.entity, Entity::Account(_));
        if of_account { self.bonds.record.as_ref() } else { self.bonds.summary.record.as_ref() }
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
        (self.bonds.summary, self.bonds.was_told) = (AccountSummary::default(), false);
        let mut sendings: Vec<Sending> = before.into_iter().map(|account| (account, Does::Leave)).collect();
        if let Some(account) = after {
            sendings.push((account.clone(), Does::Join));
            let is_first = !std::mem::replace(&mut self.bonds.has_joined, true);
            sendings.extend(self.bring_along(rules, &account, is_first));
        }
        sendings
    }

    /// Takes in what a contact remembers, and is to be looked at.
    pub(super) fn take_share(&mut self, rules: &Ruleset, share: Memory) -> bool {
        self.memory.unite(share, &Recall { rules, as_of: self.as_of });
        self.move_to(self.as_of);
        true
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
    pub(super) fn hear(&mut self, from: &Entity, summary: AccountSummary) -> bool {
        let is_theirs = self.belongs_to().as_ref() == Some(from);
        let is_customer = matches!(self.entity, Entity::Customer(_));
        // To have been told nothing is to know nothing.
        let is_news = is_theirs && is_customer && (!self.bonds.was_told || self.bonds.summary != summary);
        if is_theirs && is_customer {
            (self.bonds.summary, self.bonds.was_told) = (summary, true);
        }
        is_news
    }

    /// After a look at an account: what its contacts have to hear.
    pub(super) fn tell(&mut self, rules: &Ruleset) -> Vec<Sending> {
        let held = self.held.iter().map(|(name, held)| (name.clone(), held.tier)).collect();
        let told = self.bonds.record.as_ref().map(|record| rules.told_of_account(record));
        let summary = AccountSummary { record: told.filter(|told| *told != Account::default()), held };
        if !matches!(self.entity, Entity::Account(_)) || summary == self.bonds.said {
            return Vec::new();
        }
        self.bonds.said = summary.clone();
        self.bonds.contacts.iter().map(|contact| (contact.clone(), Does::Account(summary.clone()))).collect()
    }
}

fn named(profile: Option<&Profile>) -> Option<String> {
    profile?.account_id.as_ref().map(ToString::to_string)
}
