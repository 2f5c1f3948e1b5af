//! Customers who are one: merged into another, parted again, and what becomes of it when one of them is erased.
//!
//! Whoever is merged into another is no customer of its own from then on: what was remembered goes there, and so does
//! every event to come. Only what its own records say stays: the profile with its version, and whom it is merged into.

use std::sync::Arc;

use compact_str::CompactString;

use super::apply::hash;
use super::customer::{Customer, NEVER, Rare};
use super::customers::Slot;
use super::forgotten::Forgotten;
use super::image::wire::Writer;
use super::look::{self, Brought};
use super::rates::Prices;
use super::reprice::Amounts;
use super::ties::{Sending, Ties};
use super::{Engine, Stats, TimeMode};
use crate::model::effect::{Does, Effect};
use crate::model::id::CustomerId;
use crate::model::output::Output;
use crate::rules::ruleset::Ruleset;

/// Most customers that are known to be merged into one; beyond, the earliest is forgotten.
const MAX_MERGED: usize = 1_000;

impl Customer {
    /// Whom it is merged into.
    pub(super) fn merged_into(&self) -> Option<&CompactString> {
        self.profile()?.merged_into.as_ref()
    }

    /// Whether it was merged just now and still holds something.
    pub(super) fn is_leaving(&self) -> bool {
        self.merged_into().is_some() && (self.labels != 0 || !self.standing().is_empty())
    }

    /// Whether an id is its own, or of one merged into it.
    pub(super) fn is_known_as(&self, id: &str) -> bool {
        self.id.as_str() == id || self.ties().is_some_and(|ties| ties.aliases.contains(&hash(id)))
    }

    /// A newer record says whom it is merged into, or nobody. What it remembers goes to whom it is merged into now; parted,
    /// it is somebody of whom nothing is remembered.
    pub(super) fn merge_into(&mut self, next: Option<&CompactString>, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        let former = self.merged_into().cloned();
        if former.as_ref() == next {
            return;
        }
        sendings.extend(former.map(|to| Sending { to: CustomerId(to), does: self.parting() }));
        match next {
            Some(to) => self.give_away(to, rules, sendings),
            None => self.own_all(),
        }
    }

    /// Merged into nobody any more: what it has taken in is its own.
    fn own_all(&mut self) {
        if let Some(ties) = self.rare.as_mut().and_then(|rare| rare.ties.as_mut()) {
            ties.holds_others = false;
        }
    }

    /// Hands on what it has taken in though it is merged into another: in the meantime the circle may be open.
    pub(super) fn hand_on(&mut self, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        if self.ties().is_some_and(|ties| ties.holds_others)
            && let Some(to) = self.merged_into().cloned()
        {
            self.give_away(&to, rules, sendings);
        }
    }

    /// Gives another what is remembered. Its labels and programmes are still to be ended.
    fn give_away(&mut self, to: &CompactString, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        let Self { as_of, queued, fired, labels, seq, .. } = *self;
        let kept = Self { as_of, queued, fired, labels, seq, ..Self::new(self.id.clone(), rules) };
        let mut given = std::mem::replace(self, kept);
        (given.labels, given.seq, given.deadline, given.look_pending) = (0, 0, NEVER, false);
        if let Some(rare) = &mut given.rare {
            (rare.waiting, rare.visit) = (None, None);
            let (profile, held) = (rare.profile.take(), std::mem::take(&mut rare.held));
            let seats = std::mem::take(&mut rare.seats);
            let counted = std::mem::take(&mut rare.counted);
            let mut ties = rare.ties.take();
            rare.ties = ties.as_mut().map(|ties| {
                ties.holds_others = false;
                let (aliases, resolved) = (ties.aliases.clone(), std::mem::take(&mut ties.resolved));
                let exceptions = std::mem::take(&mut ties.exceptions);
                let (referrers, referred) = (ties.referrers.clone(), ties.referred.clone());
                let contact_of = ties.contact_of.as_mut().map(|contact_of| Box::new(contact_of.give_away()));
                Box::new(Ties { referrers, referred, contact_of, aliases, resolved, exceptions, ..Ties::default() })
            });
            self.rare = Some(Box::new(Rare { profile, held, ties, seats, counted, ..Rare::default() }));
            self.leave_seats();
        }
        self.ties_mut().was_merged = true;
        let mut state = Vec::new();
        given.encode(&mut Writer(&mut state));
        sendings.push(Sending { to: CustomerId(to.clone()), does: Does::Absorb(state) });
    }

    /// Another is merged into this one, who takes in what was remembered; says whether it did. Merged into a third, it
    /// passes it on.
    pub(super) fn join(
        &mut self,
        from: &CustomerId,
        state: Vec<u8>,
        prices: Prices<'_>,
        stats: &mut Stats,
        sendings: &mut Vec<Sending>,
        foreign: &mut Amounts,
    ) -> bool {
        let merged = &mut self.ties_mut().merged;
        merged.retain(|other| other != from);
        merged.push(from.clone());
        let forgotten = merged.len().saturating_sub(MAX_MERGED);
        merged.drain(..forgotten);
        stats.forgotten.add(Forgotten::Merged, forgotten);
        if self.merged_into().is_some() {
            if let Ok(other) = Self::decode(&state, prices.rules) {
                self.know_names_of(&other);
                self.unite_referrals(&other);
            }
            self.pass_on(Does::Absorb(state), sendings);
            return false;
        }
        self.absorb(&state, prices, stats, sendings, foreign)
    }

    /// Merged into another, it does nothing of its own: it passes on to them what is done to it.
    pub(super) fn pass_on(&self, does: Does, sendings: &mut Vec<Sending>) {
        sendings.extend(self.merged_into().map(|to| Sending { to: CustomerId(to.clone()), does }));
    }

    /// Notes the ids under which another is known.
    pub(super) fn know_names_of(&mut self, other: &Self) {
        let aliases = other.ties().map(|ties| ties.aliases.clone()).unwrap_or_default();
        self.know_as(aliases.into_iter().chain([hash(other.id.as_str())]));
    }

    /// It is merged into another no longer.
    fn parting(&self) -> Does {
        let mut names = self.ties().map(|ties| ties.aliases.clone()).unwrap_or_default();
        names.push(hash(self.id.as_str()));
        Does::Part { who: self.id.clone(), names }
    }

    /// Notes the hashes of ids under which it was known before.
    pub(super) fn know_as(&mut self, hashes: impl IntoIterator<Item = u64>) {
        let own = hash(self.id.as_str());
        let aliases = &mut self.ties_mut().aliases;
        for hash in hashes {
            if hash != own && !aliases.contains(&hash) {
                aliases.push(hash);
            }
        }
        aliases.drain(..aliases.len().saturating_sub(MAX_MERGED));
    }

    /// Another is merged into this one no longer. What came from it stays.
    pub(super) fn part(&mut self, from: &CustomerId, names: &[u64], rules: &Ruleset, sendings: &mut Vec<Sending>) {
        self.ties_mut().merged.retain(|other| other != from);
        let own = hash(self.id.as_str());
        let theirs: Vec<u64> = names.iter().copied().filter(|name| *name != own).collect();
        self.part_referrals(&theirs, rules, sendings);
    }

    /// Whom it is merged into was erased: it is a customer of its own again. Says whether it was so.
    pub(super) fn cut(&mut self, from: &CustomerId) -> bool {
        let profile = self.rare.as_mut().and_then(|rare| rare.profile.as_mut());
        let is_it =
            profile.is_some_and(|profile| profile.merged_into.take_if(|into| **into == *from.as_str()).is_some());
        if is_it {
            self.own_all();
        }
        is_it
    }

    /// It is erased: nobody else is to hold its id.
    pub(super) fn end_merges(&self, sendings: &mut Vec<Sending>) {
        self.pass_on(self.parting(), sendings);
        let mut merged = self.ties().map(|ties| ties.merged.clone()).unwrap_or_default();
        merged.sort_unstable();
        sendings.extend(merged.into_iter().map(|to| Sending { to, does: Does::Cut }));
    }
}

impl Engine {
    /// Ends every programme and label at once.
    pub(super) fn leave(&mut self, slot: Slot, cause: Brought<'_>, reason: &'static str, outputs: &mut Vec<Output>) {
        let (customers, occasion) = self.customers_and_occasion(cause);
        look::leave(&mut customers[slot], reason, &occasion, outputs);
        self.settlement.holding.remove(&self.customers[slot].id);
        self.count_member(slot);
    }

    /// Takes in here what has gone too far: customers are merged in a circle, or in a long chain.
    pub(super) fn strand(&mut self, slot: Slot, state: &[u8]) {
        let rules = Arc::clone(&self.rules);
        let prices = Prices { rules: &rules, rates: &self.rates };
        let customer = &mut self.customers[slot];
        let mut foreign = Vec::new();
        customer.absorb(state, prices, &mut self.stats, &mut self.sendings, &mut foreign);
        customer.ties_mut().holds_others = true;
        self.note_foreign(slot, foreign);
        self.recall_held(slot);
    }

    /// Drops what is done to somebody who was erased. Whoever was merged into them is told that nobody is there.
    pub(super) fn pass_over_effect(&mut self, effect: Effect) {
        self.stats.erased_events += 1;
        if let Does::Absorb(_) = effect.does {
            let at = effect.at.plus(self.rules.hop);
            self.deliver(Effect { to: effect.from, from: effect.to, number: 0, at, does: Does::Cut, ..effect });
        } else if let Does::Refer { .. } = effect.does {
            let cause = match self.mode {
                TimeMode::Live => effect.at,
                TimeMode::Event => effect.at.max(self.now),
            };
            let (at, hops) = (cause.plus(self.rules.hop), effect.hops + 1);
            let does = Does::Forgotten { who: effect.to.clone() };
            self.deliver(Effect { to: effect.from, from: effect.to, number: 0, at, hops, does, ..effect });
        }
    }
}
