//! A customer's side of budgets: where they stand in each, what was last said of it, and what was decided.
//!
//! Whoever qualifies for a programme with a budget is a candidate until a verdict gives them a place. A look works out where the
//! customer stands; the next settlement says so, where it is news.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::customer::Customer;
use super::view::View;
use crate::model::output::Evidence;
use crate::model::settle::{Entry, Rank, Ruling, Standing, Verdict};
use crate::model::time::EventTime;
use crate::rules::budget::{Budget, RankRule};

/// Where somebody stands in one programme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seat {
    /// Place in the ruleset.
    pub(super) programme: u8,
    /// As of the newest look.
    now: Option<Standing>,
    /// As of the newest settlement that said anything.
    said: Option<Standing>,
    /// Of whoever is on the list of those who wait: what they were told.
    listed: Option<Rank>,
    /// What is to be taken at the next look.
    verdict: Option<Verdict>,
}

impl Seat {
    pub(super) const fn new(programme: u8) -> Self {
        Self { programme, now: None, said: None, listed: None, verdict: None }
    }

    const fn is_empty(&self) -> bool {
        self.now.is_none() && self.said.is_none() && self.listed.is_none() && self.verdict.is_none()
    }
}

/// What a look finds of somebody who does not hold a programme.
pub(super) enum Candidacy {
    /// There is no place, or no more.
    Waits,
    /// They are on the list from now on.
    Listed(Rank, EventTime),
    Granted(Rank),
    /// They were on the list, and qualify no more.
    Lapsed,
}

impl Customer {
    fn seats(&self) -> &[Seat] {
        self.rare.as_ref().map_or(&[], |rare| &rare.seats)
    }

    fn seat(&self, programme: u8) -> Option<&Seat> {
        self.seats().iter().find(|seat| seat.programme == programme)
    }

    fn seat_mut(&mut self, programme: u8) -> &mut Seat {
        let seats = &mut self.rare().seats;
        let at = seats.partition_point(|seat| seat.programme < programme);
        if seats.get(at).is_none_or(|seat| seat.programme != programme) {
            seats.reserve_exact(1);
            seats.insert(at, Seat::new(programme));
        }
        &mut seats[at]
    }

    /// Whether a verdict waits to be taken at a look.
    pub(super) fn awaits_verdict(&self, programme: u8) -> bool {
        self.seat(programme).is_some_and(|seat| seat.verdict.is_some())
    }

    /// Takes in what was decided, for the next look, if it is about how the customer stands still; says so. Of two the newer
    /// holds.
    pub(super) fn hear_verdict(&mut self, verdict: Verdict) -> bool {
        let is_of_members = verdict.ruling == Ruling::Displace;
        let stands = self.seat(verdict.programme).and_then(|seat| seat.now.as_ref());
        if stands.is_none_or(|now| now.since != verdict.since || now.is_member != is_of_members) {
            return false;
        }
        let seat = self.seat_mut(verdict.programme);
        let is_newer = |known: &Verdict| known.settled_at <= verdict.settled_at;
        if seat.verdict.as_ref().is_none_or(is_newer) {
            seat.verdict = Some(verdict);
        }
        true
    }

    /// What was told of the place on the list, and since when they are a candidate.
    pub(super) fn waitlist(&self, programme: u8) -> Option<(Rank, EventTime)> {
        let seat = self.seat(programme)?;
        Some((seat.listed?, seat.now.as_ref()?.since))
    }

    /// At a look at which the programme is not held: `now` is how they would stand, if they qualify.
    pub(super) fn vie(&mut self, programme: u8, now: Option<Standing>) -> Candidacy {
        if now.is_none() && self.seat(programme).is_none() {
            return Candidacy::Waits;
        }
        let seat = self.seat_mut(programme);
        let verdict = seat.verdict.take();
        let Some(now) = now else {
            seat.now = None;
            return if seat.listed.take().is_some() { Candidacy::Lapsed } else { Candidacy::Waits };
        };
        // In another part of the budget it is another candidacy.
        let known = seat.now.as_ref().filter(|known| !known.is_member && known.group == now.group);
        let since = known.map(|known| known.since);
        seat.listed = seat.listed.filter(|_| since.is_some());
        let since = since.unwrap_or(now.since);
        seat.now = Some(Standing { since, ..now });
        match verdict.filter(|verdict| verdict.since == since) {
            Some(Verdict { ruling: Ruling::Grant, rank, .. }) => {
                seat.listed = None;
                Candidacy::Granted(rank)
            }
            Some(Verdict { ruling: Ruling::Wait, rank, settled_at, .. }) if seat.listed.is_none() => {
                seat.listed = Some(rank);
                Candidacy::Listed(rank, settled_at)
            }
            _ => Candidacy::Waits,
        }
    }

    /// Takes the verdict that displaces a member since `granted_at`, if there is one.
    pub(super) fn displaced(&mut self, programme: u8, granted_at: EventTime) -> Option<(Rank, EventTime)> {
        let seat = self.rare.as_mut()?.seats.iter_mut().find(|seat| seat.programme == programme)?;
        let verdict = seat.verdict.take()?;
        let is_it = verdict.ruling == Ruling::Displace && verdict.since == granted_at;
        is_it.then_some((verdict.rank, verdict.settled_at))
    }

    /// Puts whoever was displaced on the list, if they qualify still.
    pub(super) fn list(&mut self, programme: u8, now: Option<Standing>, rank: Rank) {
        let seat = self.seat_mut(programme);
        seat.listed = now.as_ref().map(|_| rank);
        seat.now = now;
    }

    /// At a look at the end of which the programme is held, or not any more.
    pub(super) fn sit(&mut self, programme: u8, now: Option<Standing>) {
        if now.is_some() {
            let seat = self.seat_mut(programme);
            (seat.now, seat.listed) = (now, None);
        } else if self.seat(programme).and_then(|seat| seat.now.as_ref()).is_some_and(|now| now.is_member) {
            self.seat_mut(programme).now = None;
        }
    }

    /// A person has decided: that is outside every budget.
    pub(super) fn stand_aside(&mut self, programme: u8) {
        if self.seat(programme).is_some() {
            let seat = self.seat_mut(programme);
            (seat.now, seat.listed, seat.verdict) = (None, None, None);
        }
    }

    /// Leaves every list and place: merged into another, or erased.
    pub(super) fn leave_seats(&mut self) {
        for seat in self.rare.iter_mut().flat_map(|rare| &mut rare.seats) {
            (seat.now, seat.listed, seat.verdict) = (None, None, None);
        }
    }

    /// Whether the next settlement has something to say.
    pub(super) fn is_unsaid(&self) -> bool {
        self.seats().iter().any(|seat| seat.now != seat.said)
    }

    /// Says what is news: from now on it is none.
    pub(super) fn say_seats(&mut self, entries: &mut Vec<Entry>) {
        let Self { id, rare, .. } = self;
        let Some(rare) = rare else { return };
        for seat in rare.seats.iter_mut().filter(|seat| seat.now != seat.said) {
            seat.said.clone_from(&seat.now);
            entries.push(Entry { id: id.clone(), programme: seat.programme, standing: seat.now.clone() });
        }
        rare.seats.retain(|seat| !seat.is_empty());
    }
}

impl Budget {
    /// How a candidate stands; none where rank or part are in error.
    pub(super) fn candidate(&self, view: &View<'_>) -> Option<Standing> {
        let since = view.customer?.as_of;
        Some(Standing { is_member: false, since, rank: Some(self.rank(view)?), group: self.group(view)? })
    }

    /// How a member stands.
    pub(super) fn member(&self, since: EventTime, view: &View<'_>) -> Standing {
        Standing { is_member: true, since, rank: self.rank(view), group: self.group(view).unwrap_or_default() }
    }
}

/// How a member of a programme without a budget stands: it counts over all.
pub(super) const fn unranked(since: EventTime) -> Standing {
    Standing { is_member: true, since, rank: None, group: CompactString::const_new("") }
}

/// The row of evidence that says where somebody ranks, and the least that has a place.
pub(super) fn row(rule: &RankRule, rank: Rank) -> Evidence {
    let holds = rank.value.zip(rank.cut).map(|(value, cut)| value >= cut);
    Evidence {
        feature: rule.text().into(),
        window: None,
        value: rank.value.map(|value| rule.value(value)),
        threshold: rank.cut.map(|cut| rule.value(cut)),
        op: rank.cut.map(|_| rule.op()),
        holds,
        settled_at: None,
        sample: Vec::new(),
    }
}
