//! What ties an entity to others, and what it does to them through these ties.

use serde::{Deserialize, Serialize};

use super::Engine;
use super::account::{ContactOf, Contacts};
use super::advocates::{Claim, Referred};
use super::customer::{Customer, NEVER};
use super::customers::Slot;
use super::exceptions::{Counted, Told};
use super::forgotten::Forgotten;
use super::resolved::Resolved;
use crate::codec::sentiment::MAX_SCORED_BYTES;
use crate::model::effect::Does;
use crate::model::event::{Body, Event, Profile};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::record::Position;
use crate::model::time::EventTime;
use crate::rules::ruleset::DEDUP;

/// What few entities have: nothing in it is needed for those that stand alone.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Ties {
    /// Effects sent so far.
    pub(super) sent: u32,
    /// Of a handle: who names it, and since when. At most [`MAX_CLAIMS`].
    pub(super) claims: Vec<(EventTime, CustomerId)>,
    /// Of a handle that nobody names: what was written under it in the last 24 hours. At most [`MAX_UNCLAIMED`], of each at
    /// most [`MAX_SCORED_BYTES`] of text.
    pub(super) unclaimed: Vec<(Event, Position)>,
    /// Who referred this customer, or one merged into them; those that hold first, the earliest first.
    pub(super) referrers: Vec<Claim>,
    /// Whom this customer referred, or one merged into them.
    pub(super) referred: Vec<Referred>,
    /// Place of the newest order of a referred customer that was lost to the bound on objects.
    pub(super) lost_referred: Option<EventTime>,
    /// Of an account.
    pub(super) contacts: Option<Box<Contacts>>,
    /// Of a customer who has had to do with an account.
    pub(super) contact_of: Option<Box<ContactOf>>,
    /// Whose profiles say that they are merged into this one. At most [`MAX_MERGED`].
    pub(super) merged: Vec<CustomerId>,
    /// Hashes of the ids under which this customer was known before: of those merged into it, and into these. At most
    /// [`MAX_MERGED`].
    pub(super) aliases: Vec<u64>,
    /// Merged into another, it has taken in what was to go on and had gone too far; it goes on when it is heard of next.
    pub(super) holds_others: bool,
    /// Merged into another, now or before: `vip.status` says so to whoever looks for it there.
    pub(super) was_merged: bool,
    /// Who resolved the customer's cases; only kept where some routing asks.
    pub(super) resolved: Resolved,
    /// Which of the customer's cases are treated as exceptions, as it was told; those that left the window may still stand
    /// here. At most [`MAX_OBJECTS`](super::customer::MAX_OBJECTS).
    pub(super) exceptions: Vec<Told>,
    /// Of a kind of exception.
    pub(super) counted: Option<Box<Counted>>,
}

/// Most customers that are known to name one handle; beyond, the earliest is forgotten.
const MAX_CLAIMS: usize = 8;
/// Most events that wait for somebody to name their handle; beyond, the earliest is forgotten.
const MAX_UNCLAIMED: usize = 64;

/// Something to be done to another.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) to: CustomerId,
    pub(super) does: Does,
}

impl Ties {
    /// Whose handle it is: who named it last; of two at one instant, the smaller id.
    pub(super) fn owner(&self) -> Option<&CustomerId> {
        let newest = self.claims.iter().max_by(|left, right| left.0.cmp(&right.0).then(right.1.cmp(&left.1)));
        newest.map(|(_, customer)| customer)
    }

    /// When something in it is next forgotten.
    pub(super) fn next_lapse(&self) -> impl Iterator<Item = EventTime> {
        self.unclaimed.iter().map(|(event, _)| event.at.plus(DEDUP))
    }

    /// Drops what nothing can read any more.
    pub(super) fn forget(&mut self, as_of: EventTime) {
        self.unclaimed.retain(|(event, _)| as_of < event.at.plus(DEDUP));
    }
}

impl Customer {
    /// Tells handles that a profile names them, or no longer.
    pub(super) fn name_handles(&self, next: Option<&Profile>, sendings: &mut Vec<Sending>) {
        let handles = |profile: Option<&Profile>| {
            let mut ids: Vec<CustomerId> = profile
                .iter()
                .flat_map(|profile| &profile.handles)
                .map(|(platform, handle)| CustomerId::author(platform, handle))
                .collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let (before, after) = (handles(self.profile()), handles(next));
        let released = before.iter().filter(|id| !after.contains(id));
        sendings.extend(released.map(|id| Sending { to: id.clone(), does: Does::Release }));
        let claimed = after.iter().filter(|id| !before.contains(id));
        sendings.extend(claimed.map(|id| Sending { to: id.clone(), does: Does::Claim }));
    }

    /// A customer's profile names this handle, or no longer. What waited for an owner goes to who is it now. Says how many
    /// owners were forgotten for it.
    pub(super) fn claimed(&mut self, by: &CustomerId, since: Option<EventTime>, sendings: &mut Vec<Sending>) -> usize {
        if self.id.kind() != EntityKind::Author {
            return 0;
        }
        let ties = self.ties_mut();
        ties.claims.retain(|(_, customer)| customer != by);
        ties.claims.extend(since.map(|at| (at, by.clone())));
        ties.claims.sort_unstable();
        let forgotten = ties.claims.len().saturating_sub(MAX_CLAIMS);
        ties.claims.drain(..forgotten);
        if let Some(owner) = ties.owner().cloned() {
            for (event, position) in std::mem::take(&mut ties.unclaimed) {
                sendings.push(Sending::bring(&event, position, owner.clone()));
            }
        }
        forgotten
    }

    /// Keeps what was written under a handle that nobody has named yet; says how many others were forgotten for it.
    pub(super) fn keep_unclaimed(&mut self, event: &Event, position: Position) -> usize {
        self.lapses = self.lapses.min(event.at.plus(DEDUP));
        let unclaimed = &mut self.ties_mut().unclaimed;
        unclaimed.push((shortened(event.clone()), position));
        let forgotten = unclaimed.len().saturating_sub(MAX_UNCLAIMED);
        unclaimed.drain(..forgotten);
        forgotten
    }

    fn waiting_posts(&self) -> usize {
        self.ties().map_or(0, |ties| ties.unclaimed.len())
    }
}

/// Few bytes of any post: nobody may ever name the handle.
fn shortened(mut event: Event) -> Event {
    if let Body::Mention(mention) = &mut event.body {
        if let Some(text) = mention.text.as_mut().filter(|text| text.len() > MAX_SCORED_BYTES) {
            text.truncate(text.floor_char_boundary(MAX_SCORED_BYTES));
            text.shrink_to_fit();
        }
        // Cut, neither means anything.
        mention.url.take_if(|url| url.len() > MAX_SCORED_BYTES);
        mention.lang.take_if(|lang| lang.len() > MAX_SCORED_BYTES);
    }
    event
}

impl Engine {
    /// Moves an entity's time forward, and counts what is forgotten then.
    pub(super) fn advance(&mut self, slot: Slot, to: EventTime) {
        let customer = &self.customers[slot];
        let is_author = customer.id.kind() == EntityKind::Author;
        let waited = if is_author { customer.waiting_posts() } else { 0 };
        self.say_first(slot);
        let counted = self.counted(slot);
        self.stats.unmatched += self.customers[slot].advance(to, &self.rules);
        self.recount(slot, counted);
        let customer = &self.customers[slot];
        if waited > 0 {
            self.stats.forgotten.add(Forgotten::Unclaimed, waited - customer.waiting_posts());
        }
    }

    /// A day after the newest word nothing of what was written under a handle is remembered. Nor is the handle itself,
    /// unless a profile names it.
    pub(super) fn fall_silent(&mut self, slot: Slot) {
        let author = &mut self.customers[slot];
        author.deadline = NEVER;
        if author.ties().is_none_or(|ties| ties.claims.is_empty()) {
            *author = Customer::new(author.id.clone(), &self.rules);
            self.quiet.push(slot);
        }
    }

    /// Gives back the places of authors, and of kinds of exceptions, that have fallen silent and were not heard of since. Between groups of records: a
    /// group knows by their places whom it is about.
    pub(super) fn give_back(&mut self) {
        for slot in std::mem::take(&mut self.quiet) {
            let author = &self.customers[slot];
            let may_go = matches!(author.id.kind(), EntityKind::Author | EntityKind::Exception);
            if may_go && author.rare.is_none() && author.deadline == NEVER {
                self.customers.remove(slot);
            }
        }
    }
}

impl Sending {
    /// An event that is another's after all.
    pub(super) fn bring(event: &Event, position: Position, to: CustomerId) -> Self {
        let event = Event { customer: Some(to.clone()), ..event.clone() };
        Self { to, does: Does::Bring(Box::new(event), position) }
    }
}
