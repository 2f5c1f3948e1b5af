//! Accounts and their contacts: who belongs to which, what reaches the account, and what it tells.
//!
//! A contact's events are taken in twice: by the contact, and by the account, which knows duplicates by their business
//! keys as a customer does. What the account is and holds its contacts know from its summary alone.

use std::collections::BTreeSet;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::customer::Customer;
use super::customers::Slot;
use super::forgotten::Forgotten;
use super::look::Brought;
use super::rates::Prices;
use super::reprice::Amounts;
use super::shares::Bookings;
use super::ties::Sending;
use super::{Engine, Stats};
use crate::model::effect::{AccountSummary, Does};
use crate::model::event::Account;
use crate::model::id::{CustomerId, EntityKind};
use crate::model::output::Output;
use crate::rules::ruleset::Ruleset;

/// What an account knows.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Contacts {
    /// Whose profile names it. At most [`MAX_CONTACTS`].
    ids: BTreeSet<CustomerId>,
    /// Its newest record.
    record: Option<Account>,
    /// What it has told them last.
    told: AccountSummary,
}

/// What a customer knows of accounts.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct ContactOf {
    /// What their account has said last.
    summary: Option<Box<AccountSummary>>,
    /// They have joined an account before: what they do from then on reaches accounts, what they did is there already.
    pub(super) has_joined: bool,
    /// Some of what is counted by the unit of a window may have reached an account, their own or of somebody merged into
    /// them.
    pub(super) has_given: bool,
    /// Where their orders count.
    pub(super) bookings: Bookings,
}

impl ContactOf {
    /// Takes out what goes along when the customer is merged into another.
    pub(super) fn give_away(&mut self) -> Self {
        let bookings = std::mem::take(&mut self.bookings);
        Self { has_given: self.has_given, bookings, ..Self::default() }
    }
}

/// Most contacts that an account tells what it is and holds; those beyond are counted and not told.
const MAX_CONTACTS: usize = 10_000;

impl Customer {
    /// The account's record: its own, or that of the account that the profile names.
    pub(super) fn account(&self) -> Option<&Account> {
        match self.id.kind() {
            EntityKind::Account => self.ties()?.contacts.as_ref()?.record.as_ref(),
            _ => self.account_summary()?.record.as_ref(),
        }
    }

    /// What the customer's account has said.
    pub(super) fn account_summary(&self) -> Option<&AccountSummary> {
        self.ties()?.contact_of.as_ref()?.summary.as_deref()
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
        let contact_of = self.ties_mut().contact_of.get_or_insert_default();
        contact_of.summary = None;
        let Some(next) = next else { return };
        let is_first = !std::mem::replace(&mut contact_of.has_joined, true);
        sendings.push(Sending { to: CustomerId::account(&next), does: Does::Join });
        sendings.extend(self.bring_along(&next, is_first, rules));
    }

    /// Leaves the account for good.
    pub(super) fn leave_account(&self, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        let account = self.belongs_to().filter(|_| rules.plan.uses_accounts);
        sendings.extend(account.map(|id| Sending { to: CustomerId::account(&id), does: Does::Leave }));
    }

    /// Takes in what is remembered of a contact; says whether it could be read.
    pub(super) fn take_share(
        &mut self,
        share: &[u8],
        prices: Prices<'_>,
        stats: &mut Stats,
        foreign: &mut Amounts,
    ) -> bool {
        let Ok(mut share) = Self::decode(share, prices.rules) else {
            stats.forgotten.add(Forgotten::Image, 1);
            return false;
        };
        // What it no longer remembers was counted at the contact.
        share.advance(self.as_of, prices.rules);
        self.take_in(share, prices, foreign);
        true
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
            let summary = Box::new(contacts.told.clone());
            sendings.push(Sending { to: contact.clone(), does: Does::Account(summary) });
        }
        has_room
    }

    /// A contact leaves the account; what they did stays.
    pub(super) fn left(&mut self, contact: &CustomerId) {
        self.ties_mut().contacts.get_or_insert_default().ids.remove(contact);
    }

    /// What an account says to a contact; whether it is news.
    pub(super) fn hear(&mut self, from: &CustomerId, summary: Box<AccountSummary>) -> bool {
        if self.id.kind() != EntityKind::Customer || self.belongs_to().as_deref() != Some(from.text()) {
            return false;
        }
        let known = &mut self.ties_mut().contact_of.get_or_insert_default().summary;
        let is_news = known.as_ref() != Some(&summary);
        *known = Some(summary);
        is_news
    }

    /// Tells every contact what the account is and holds, where that has changed.
    fn tell(&mut self, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        let held = self.standing().iter().map(|held| (held.programme, held.tier)).collect();
        let record = self.account().map(|record| rules.plan.told_of_accounts.of(record, &rules.attributes));
        let summary = AccountSummary { record: record.filter(|record| *record != Account::default()), held };
        let contacts = self.ties().and_then(|ties| ties.contacts.as_deref());
        if contacts.map_or(summary == AccountSummary::default(), |contacts| contacts.told == summary) {
            return;
        }
        let contacts = self.ties_mut().contacts.get_or_insert_default();
        contacts.told = summary;
        let told = &contacts.told;
        let to_each = contacts.ids.iter().map(|contact| (contact.clone(), Box::new(told.clone())));
        sendings.extend(to_each.map(|(to, summary)| Sending { to, does: Does::Account(summary) }));
    }
}

impl Engine {
    /// After a look at an account. What it says begins a row of effects of its own: nobody passes it on.
    pub(super) fn tell_contacts(&mut self, slot: Slot, cause: Brought<'_>, outputs: &mut Vec<Output>) {
        let account = &mut self.customers[slot];
        if account.id.kind() != EntityKind::Account {
            return;
        }
        account.tell(&self.rules, &mut self.sendings);
        self.send(slot, cause.origin().as_ref(), 0, outputs);
    }
}
