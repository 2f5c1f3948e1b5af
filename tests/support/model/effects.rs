//! What entities do to each other: handles that customers name, and what was written under them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::Date;
use rust_decimal::Decimal;

use vipstream::model::event::{Body, Event, Profile, ReferralStatus};
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;

use super::account::AccountSummary;
use super::advocates::{Referrals, Told};
use super::budget::Ruling;
use super::customer::{Customer, Entity};
use super::exceptions::{Counted, Exceptional};
use super::identity::Known;
use super::memory::{Memory, Object};
use super::percentile::Percentile;
use super::population::{Becomes, Mark};
use super::routing::Resolved;
use super::settlement::Report;

const DAY: Duration = Duration::from_hours(24);
/// Most effects in a row.
pub(super) const MAX_HOPS: u32 = 8;
const MAX_CLAIMS: usize = 8;
const MAX_UNCLAIMED: usize = 64;
const MAX_TEXT: usize = 10_000;

/// Something that an entity does to another.
#[derive(Clone, Debug)]
pub(super) struct Effect {
    pub(super) to: Entity,
    pub(super) from: Entity,
    /// The how manieth of `from`.
    pub(super) number: u32,
    /// When it is in force.
    pub(super) at: EventTime,
    /// How many in a row led to it, itself included.
    pub(super) hops: u32,
    /// The event that the row began with; none where time did.
    pub(super) origin: Option<(Event, Position)>,
    pub(super) does: Does,
}

impl Effect {
    /// The order in which effects are taken.
    pub(super) fn place(&self) -> (EventTime, Entity, Entity, u32) {
        (self.at, self.to.clone(), self.from.clone(), self.number)
    }
}

#[derive(Clone, Debug)]
pub(super) enum Does {
    /// An event that is the target's as well, or after all.
    Bring(Box<Event>, Position),
    /// The sender's profile names this handle, or no longer.
    Claim,
    Release,
    /// An event of a referral, by each name under which it was told, at its time, with its status.
    Refer(Vec<Told>, EventTime, ReferralStatus),
    /// The referral is not of the target, or no more.
    Unrefer(Told),
    /// A buyer's orders as they stand, and keys of those that stand no longer; whether money went back.
    Credit(Entity, Vec<Object>, Vec<String>, bool),
    /// Orders of these keys are another's.
    Uncredit(Vec<String>),
    /// Somebody is erased.
    Forgotten(Entity),
    /// The sender is now the target as well, which gets what was known of it.
    Absorb(Box<Known>),
    /// Somebody is the target no longer, nor is whoever has one of these names.
    Part(Entity, BTreeSet<String>),
    /// The sender was erased, and nobody is to be it.
    Cut,
    /// An agent resolved so many more cases, the day of an instant, so many of them well.
    Resolved {
        agent: String,
        on: Date,
        cases: i64,
        well: i64,
    },
    /// The sender's profile names this account, or no longer.
    Join,
    Leave,
    /// What the sender remembers, who joins an account for the first time.
    RollUp(Box<Memory>),
    /// What the sender, an account, is and holds.
    Account(AccountSummary),
    /// How a case is treated, if it is so at all (any longer).
    Except(String, Option<Exceptional>),
    /// To the settler: what changed at the sender, a task; and up to when all was said.
    Report(Box<Report>),
    Reached(EventTime),
    /// What was decided about the target.
    Verdict(Ruling),
    /// Percentiles of all customers as of an instant.
    Cuts(EventTime, BTreeMap<Percentile, Decimal>),
    /// Of which pivots there are far more than usual, or no longer, as of an instant.
    Shifts(EventTime, Vec<(Mark, Becomes)>),
}

/// To be done to another.
pub(super) type Sending = (Entity, Does);

/// What ties an entity to others.
#[derive(Clone, Debug, Default)]
pub(super) struct Ties {
    /// Effects sent so far.
    pub(super) sent: u32,
    /// Of a handle: who names it, and since when.
    claims: Vec<(EventTime, Entity)>,
    /// Of a handle: what was written under it while nobody named it.
    unclaimed: Vec<(Event, Position)>,
    pub(super) referrals: Referrals,
    /// Who says to be this one.
    pub(super) merged: BTreeSet<Entity>,
    /// The ids of everybody who came to be this one, through others too.
    pub(super) aliases: BTreeSet<String>,
    /// Somebody else by now, it holds what was known of others as well: it could not go on.
    pub(super) holds_others: bool,
    /// It is somebody else, or was.
    pub(super) was_merged: bool,
    /// What is remembered of cases and surveys.
    pub(super) resolved: Resolved,
    /// The cases that were told to kinds of exceptions.
    pub(super) exceptions: BTreeMap<String, Exceptional>,
    /// Of a kind of exception.
    pub(super) counted: Counted,
}

impl Ties {
    /// Whose handle it is: who named it last, of two at once the smaller id.
    pub(super) fn owner(&self) -> Option<&Entity> {
        let last = self.claims.iter().map(|(at, _)| *at).max()?;
        self.claims.iter().filter(|(at, _)| *at == last).map(|(_, entity)| entity).min()
    }
}

/// An event that is somebody else's.
pub(super) fn bring(event: &Event, position: Position, to: &Entity) -> Sending {
    let event = Event { customer: Some(to.id()), ..event.clone() };
    (to.clone(), Does::Bring(Box::new(event), position))
}

/// What is kept of a post that may be nobody's.
fn shortened(event: &Event) -> Event {
    let mut event = event.clone();
    if let Body::Mention(mention) = &mut event.body {
        mention.text = mention.text.take().map(|text| text[..text.floor_char_boundary(MAX_TEXT)].to_owned());
        mention.url = mention.url.take().filter(|url| url.len() <= MAX_TEXT);
        mention.lang = mention.lang.take().filter(|lang| lang.len() <= MAX_TEXT);
    }
    event
}

/// What a changed profile does to handles: first those that it names no longer, then the new ones.
pub(super) fn name_handles(before: Option<&Profile>, after: Option<&Profile>) -> Vec<Sending> {
    let handles = |profile: Option<&Profile>| -> BTreeSet<Entity> {
        let named = profile.iter().flat_map(|profile| &profile.handles);
        named.map(|(platform, handle)| Entity::Author(format!("{platform}:{handle}"))).collect()
    };
    let (before, after) = (handles(before), handles(after));
    let released = before.difference(&after).map(|handle| (handle.clone(), Does::Release));
    released.chain(after.difference(&before).map(|handle| (handle.clone(), Does::Claim))).collect()
}

impl Customer {
    /// Somebody names this handle since an instant, or no longer.
    pub(super) fn claimed(&mut self, by: &Entity, since: Option<EventTime>) -> Vec<Sending> {
        let as_of = self.as_of;
        let ties = &mut self.ties;
        ties.claims.retain(|(_, entity)| entity != by);
        ties.claims.extend(since.map(|at| (at, by.clone())));
        ties.claims.sort();
        if ties.claims.len() > MAX_CLAIMS {
            ties.claims.remove(0);
        }
        let Some(owner) = ties.owner().cloned() else { return Vec::new() };
        let waiting = std::mem::take(&mut ties.unclaimed);
        let kept = waiting.iter().filter(|(event, _)| as_of < event.at.plus(DAY));
        kept.map(|(event, position)| bring(event, *position, &owner)).collect()
    }

    /// Where a mention under this handle goes, if somebody names it.
    pub(super) fn pass_on(&self, event: &Event, position: Position) -> Option<Sending> {
        let is_by_handle = event.customer.is_none() && matches!(event.body, Body::Mention(_));
        let owner = self.ties.owner().filter(|_| is_by_handle)?;
        Some(bring(event, position, owner))
    }

    /// Keeps what was written under a handle that nobody names.
    pub(super) fn keep_unclaimed(&mut self, event: &Event, position: Position) {
        let as_of = self.as_of;
        let unclaimed = &mut self.ties.unclaimed;
        unclaimed.retain(|(event, _)| as_of < event.at.plus(DAY));
        unclaimed.push((shortened(event), position));
        if unclaimed.len() > MAX_UNCLAIMED {
            unclaimed.remove(0);
        }
    }
}
