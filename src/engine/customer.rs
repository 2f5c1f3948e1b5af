//! What is remembered of one customer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compact_str::CompactString;

use super::apply::hash;
use super::bucket::Bucket;
use super::entry::{Entry, Extra, rank_of};
use super::held_back::HeldBack;
use super::money::Refunds;
use super::overrides::{ByHand, Counted};
use super::presence::Visit;
use super::programme::Held;
use super::seat::Seat;
use super::tally::Tally;
use super::ties::Ties;
use crate::model::effect::Origin;
use crate::model::event::{Activity, Body, Event, Kind, Profile};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::time::{EventTime, MaybeTime};
use crate::pivot::state::State;
use crate::rules::ruleset::{AlertRule, DEDUP, Ruleset};

/// Rolling state of one customer, owned by the task of its partition.
///
/// Size: 168 bytes and its totals, 32 for each remembered order, survey, post, referral and case, and `rare` where something
/// in it is used. Bounds: [`MAX_OBJECTS`] objects a kind, [`MAX_SEEN`] keys.
/// Its fields lie as they stand here, so that [`Customer::touch`] knows its cache lines.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub(super) struct Customer {
    pub(super) id: CustomerId,
    /// Greatest event time applied, or the newest deadline's instant. Invariant: never moves back.
    pub(super) as_of: EventTime,
    /// The next instant at which time alone may change something.
    pub(super) deadline: EventTime,
    /// The instant under which it stands in the queue; never after `deadline`.
    pub(super) queued: EventTime,
    /// The earliest exit of a contribution from a watched feature; part of `deadline`.
    pub(super) exit: EventTime,
    /// Nothing leaves a window or is forgotten before this instant; at most once in a while it is too early.
    pub(super) lapses: EventTime,
    /// Instant of the newest deadline that fired.
    pub(super) fired: EventTime,
    pub(super) first_purchase: MaybeTime,
    pub(super) last_purchase: MaybeTime,
    pub(super) last_seen: MaybeTime,
    /// Labels that hold, by place in the ruleset.
    pub(super) labels: u64,
    /// Outputs in `vip.events` so far.
    pub(super) seq: u32,
    /// A look waits for the clock to reach `as_of`.
    pub(super) look_pending: bool,
    /// The next event brings a look even if it touches no fact: nobody has looked yet, or the last look
    /// changed something and may have left more to do.
    pub(super) look_again: bool,
    /// The kinds of event that came since the last look, or whose contributions may have left, as bits: what they cannot
    /// change need not be judged again. [`ALWAYS`] is always set.
    pub(super) news: u16,
    /// Remembered objects by kind, place and key.
    pub(super) log: Vec<Entry>,
    /// Contributions to each feature from `log` that are in its window.
    pub(super) tally: Tally,
    /// What the detectors of pivots remember, where the rules ask for any.
    pub(super) pivots: Option<Box<State>>,
    pub(super) rare: Option<Box<Rare>>,
}

/// What most customers do not have.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) struct Rare {
    pub(super) profile: Option<Box<Profile>>,
    /// The event whose look waits for the clock; none where time alone brought the look.
    pub(super) waiting: Option<Box<Waiting>>,
    /// Programmes held, by place in the ruleset.
    pub(super) held: Vec<Held>,
    /// What few objects carry, by kind and key, in that order.
    pub(super) extras: Vec<((u8, u64), Extra)>,
    /// Refunds and cancellations of orders that have not come, by order key.
    pub(super) pending: BTreeMap<u64, Pending>,
    /// Business keys seen that no entry of `log` shows, and until when they are remembered.
    pub(super) seen: Vec<(u64, EventTime)>,
    /// Hashes of texts posted, and when first.
    pub(super) texts: Vec<(u64, EventTime)>,
    /// Contributions that are kept by window unit: of events without identity, and of forgotten orders.
    pub(super) buckets: Vec<Bucket>,
    pub(super) visit: Option<Box<Visit>>,
    /// Greatest end of a subscription period paid by a forgotten order.
    pub(super) subscribed_floor: MaybeTime,
    /// Greatest end of a paid subscription period, among orders not wholly taken back.
    pub(super) paid_until: MaybeTime,
    /// Kinds and keys of all that `log` holds, of customers with more than [`BUSY`] objects.
    pub(super) keys: Option<BTreeSet<(u8, u64)>>,
    /// Place of the newest order lost to [`MAX_OBJECTS`].
    pub(super) lost_order: MaybeTime,
    pub(super) ties: Option<Box<Ties>>,
    /// Where they stand in programmes with budgets, by place in the ruleset.
    pub(super) seats: Vec<Seat>,
    /// What people decided.
    pub(super) by_hand: Option<Box<ByHand>>,
    /// As what it stands in the engine's [`Members`](super::overrides::Members).
    pub(super) counted: Counted,
    /// Kinds of pivots that were told and have not ended, as bits.
    pub(super) told: u16,
    /// Pivots that are told once the population has calmed down.
    pub(super) held_back: Vec<HeldBack>,
}

impl Rare {
    /// Keeps what a forgotten order paid for.
    pub(super) fn pay_until(&mut self, end: MaybeTime) {
        self.subscribed_floor.raise(end);
        self.paid_until.raise(end);
    }

    /// What is kept of an object besides its entry.
    pub(super) fn extra(&self, object: (u8, u64)) -> Option<&Extra> {
        let at = self.extras.binary_search_by_key(&object, |(other, _)| *other).ok()?;
        Some(&self.extras[at].1)
    }

    /// Keeps it.
    pub(super) fn put_extra(&mut self, object: (u8, u64), extra: Extra) {
        match self.extras.binary_search_by_key(&object, |(other, _)| *other) {
            Ok(at) => self.extras[at].1 = extra,
            Err(at) => {
                if self.extras.len() < 16 {
                    self.extras.reserve_exact(1);
                }
                self.extras.insert(at, (object, extra));
            }
        }
    }

    /// Takes it out.
    pub(super) fn take_extra(&mut self, object: (u8, u64)) -> Extra {
        let found = self.extras.binary_search_by_key(&object, |(other, _)| *other);
        found.map_or_else(|_| Extra::default(), |at| self.extras.remove(at).1)
    }

    /// The next instant at which something in it is forgotten.
    pub(super) fn next_lapse(&self, visit_gap: Duration) -> EventTime {
        let seen = self.seen.iter().map(|(_, until)| *until);
        let texts = self.texts.iter().map(|(_, first)| first.plus(DEDUP));
        let buckets = self.buckets.iter().map(|bucket| bucket.exit);
        let pending = self.pending.values().map(|pending| pending.until);
        let visit = self.visit.iter().map(|visit| visit.over_at(visit_gap));
        let ties = self.ties.iter().flat_map(|ties| ties.next_lapse());
        let by_hand = self.by_hand.iter().filter_map(|by_hand| by_hand.next_lapse());
        let rest = visit.chain(ties).chain(by_hand);
        seen.chain(texts).chain(buckets).chain(pending).chain(rest).min().unwrap_or(NEVER)
    }

    /// Drops what nothing can read any more. Most customers then need no more of it.
    ///
    /// Returns how many refunds are given up.
    pub(super) fn forget(&mut self, as_of: EventTime, visit_gap: Duration) -> u64 {
        let pending = self.pending.len();
        self.pending.retain(|_, pending| as_of < pending.until);
        self.seen.retain(|(_, until)| as_of < *until);
        self.texts.retain(|(_, first)| as_of < first.plus(DEDUP));
        self.buckets.retain(|bucket| as_of < bucket.exit);
        if self.visit.as_ref().is_some_and(|visit| visit.over_at(visit_gap) <= as_of) {
            self.visit = None;
        }
        if let Some(ties) = &mut self.ties {
            ties.forget(as_of);
        }
        self.by_hand.take_if(|by_hand| by_hand.forget(as_of));
        for list in [&mut self.seen, &mut self.texts] {
            if list.is_empty() {
                *list = Vec::new();
            }
        }
        (pending - self.pending.len()) as u64
    }
}

/// What remains of an event until the clock reaches its time and it is looked at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Waiting {
    pub(super) origin: Origin,
    /// It, or one that waited before it, took something back.
    pub(super) refund: bool,
}

/// A refund or cancellation that came before its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pending {
    pub(super) refunds: Refunds,
    pub(super) cancelled: bool,
    pub(super) until: EventTime,
}

/// Most objects of a kind that a customer's log remembers; beyond, the oldest are kept as sums only.
pub(super) const MAX_OBJECTS: usize = 4096;
/// Objects from which on a customer's keys are kept for looking up.
pub(super) const BUSY: usize = 64;
/// Most keys, texts and pending refunds remembered of a customer; beyond, the oldest are forgotten.
pub(super) const MAX_SEEN: usize = 4096;
/// What stands for an instant that never comes.
pub(super) const NEVER: EventTime = EventTime(i64::MAX);

impl Customer {
    /// A customer of whom nothing is known.
    pub(super) fn new(id: CustomerId, rules: &Ruleset) -> Self {
        Self { id, ..Self::blank(Tally::new(rules)) }
    }

    /// What stands where nobody is any more: no id is empty.
    pub(super) fn vacant() -> Self {
        Self::blank(Tally::default())
    }

    /// Nobody yet.
    pub(super) fn blank(tally: Tally) -> Self {
        Self {
            id: CustomerId(CompactString::const_new("")),
            as_of: EventTime::MIN,
            deadline: NEVER,
            queued: NEVER,
            exit: NEVER,
            lapses: NEVER,
            fired: EventTime(i64::MIN),
            first_purchase: MaybeTime::NONE,
            last_purchase: MaybeTime::NONE,
            last_seen: MaybeTime::NONE,
            seq: 0,
            look_pending: false,
            look_again: true,
            news: u16::MAX,
            labels: 0,
            log: Vec::new(),
            tally,
            pivots: None,
            rare: None,
        }
    }

    /// Whether nobody is there.
    pub(super) fn is_vacant(&self) -> bool {
        self.id.as_str().is_empty()
    }

    /// The part that most customers lack, made on first use.
    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// What ties it to others, made on first use.
    pub(super) fn ties_mut(&mut self) -> &mut Ties {
        self.rare().ties.get_or_insert_default()
    }

    /// What ties it to others.
    pub(super) fn ties(&self) -> Option<&Ties> {
        self.rare.as_ref()?.ties.as_deref()
    }

    /// The customer's profile.
    pub(super) fn profile(&self) -> Option<&Profile> {
        self.rare.as_ref()?.profile.as_deref()
    }

    /// The remembered objects of a kind, by place.
    pub(super) fn objects(&self, kind: Kind) -> std::ops::Range<usize> {
        let rank = rank_of(kind);
        let start = self.log.partition_point(|entry| entry.rank() < rank);
        let end = start + self.log[start..].partition_point(|entry| entry.rank() == rank);
        start..end
    }

    /// Where a remembered object stands in the log. An object past its time is not remembered, though it may still stand there.
    pub(super) fn find(&self, kind: Kind, key: u64, rules: &Ruleset) -> Option<usize> {
        let keys = self.rare.as_ref().and_then(|rare| rare.keys.as_ref());
        let rank = rank_of(kind);
        if keys.is_some_and(|keys| !keys.contains(&(rank, key))) {
            return None;
        }
        let at = self.log.iter().position(|entry| entry.key == key && entry.rank() == rank)?;
        let until = self.forgotten_at(kind, self.log[at].place(), rules);
        until.is_none_or(|until| self.as_of < until).then_some(at)
    }

    /// Until when an event or object of a kind at `place` is remembered; `None` for ever. Of an author known by
    /// handle only, nothing counts in features, so a day is enough.
    pub(super) fn forgotten_at(&self, kind: Kind, place: EventTime, rules: &Ruleset) -> Option<EventTime> {
        if self.id.kind() == EntityKind::Author { Some(place.plus(DEDUP)) } else { rules.forgotten_at(kind, place) }
    }

    /// Whether a business key was seen and is remembered.
    pub(super) fn has_seen(&self, key: u64) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.seen.iter().any(|(seen, until)| *seen == key && self.as_of < *until))
    }

    /// Remembers a business key.
    pub(super) fn see(&mut self, key: u64, until: EventTime) {
        let as_of = self.as_of;
        self.lapses = self.lapses.min(until);
        let seen = &mut self.rare().seen;
        if seen.len() >= 16 && seen.len().is_power_of_two() || seen.len() >= MAX_SEEN {
            seen.retain(|(_, until)| as_of < *until);
            if seen.len() >= MAX_SEEN {
                seen.remove(0);
            }
        }
        if seen.len() < 16 {
            seen.reserve_exact(1);
        }
        seen.push((key, until));
    }

    /// The programmes held, by place in the ruleset.
    pub(super) fn standing(&self) -> &[Held] {
        self.rare.as_ref().map_or(&[], |rare| &rare.held)
    }

    /// The programme, if held.
    pub(super) fn held(&self, programme: u8) -> Option<&Held> {
        self.standing().iter().find(|held| held.programme == programme)
    }

    /// Names of the programmes held, by precedence.
    pub(super) fn standing_names(&self, rules: &Ruleset) -> Vec<CompactString> {
        self.standing().iter().map(|held| rules.programmes[usize::from(held.programme)].name.clone()).collect()
    }

    /// The end of the paid subscription: the greatest among orders not wholly taken back.
    pub(super) fn subscribed_until(&self) -> Option<EventTime> {
        self.rare.as_ref()?.paid_until.get()
    }
}

impl Customer {
    /// Reads a little of each of its cache lines, so that they are near when they are needed.
    pub(super) fn touch(&self) -> u64 {
        let lines = [self.as_of, self.lapses, self.fired].map(|time| time.0.cast_unsigned());
        lines[0] ^ lines[1] ^ lines[2] ^ self.labels ^ u64::from(self.rare.is_some())
    }

    /// The same for what it points to.
    pub(super) fn touch_beyond(&self) -> u64 {
        let log = self.log.iter().step_by(2).take(8).fold(0, |sum, entry| sum ^ entry.key);
        log ^ self.tally.touch() ^ self.rare.as_ref().map_or(0, |rare| rare.seen.len() as u64)
    }

    /// Leaves the look to the clock. The newest event stands for all that wait.
    pub(super) fn wait(&mut self, origin: Option<Origin>, refund: bool) {
        self.look_pending = true;
        let Some(origin) = origin else { return };
        let waiting = &mut self.rare().waiting;
        let refund = refund || waiting.as_ref().is_some_and(|waiting| waiting.refund);
        *waiting = Some(Box::new(Waiting { origin, refund }));
    }

    /// Works out the next instant at which time alone may change something.
    pub(super) fn find_deadline(&mut self, rules: &Ruleset) {
        self.deadline = self.find_exit(rules).min(super::look::next_instant(self, rules));
        // What time has passed over waits for the clock with the look.
        let pivots = [self.next_pivot(), self.next_release()].into_iter().flatten();
        let pivot = pivots.filter(|due| *due > self.as_of).min();
        self.deadline = self.deadline.min(pivot.unwrap_or(NEVER));
    }

    /// Whether an alert may not be raised again: once a visit, and once a post.
    pub(super) fn has_alerted(&self, alert: u8, rule: &AlertRule, event: &Event, rules: &Ruleset) -> bool {
        match &event.body {
            Body::Presence(_) => {
                let visit = self.rare.as_ref().and_then(|rare| rare.visit.as_ref());
                rule.once_per_visit && visit.is_some_and(|visit| visit.alerted >> alert & 1 == 1)
            }
            Body::Mention(mention) => {
                mention.activity == Activity::Update
                    && self.post_of(event, rules).is_some_and(|at| self.log[at].alerted() >> alert & 1 == 1)
            }
            _ => false,
        }
    }

    /// Notes that an alert was raised.
    pub(super) fn note_alerted(&mut self, alert: u8, rule: &AlertRule, event: &Event, rules: &Ruleset) {
        match &event.body {
            Body::Presence(_) if rule.once_per_visit => {
                if let Some(visit) = self.rare.as_mut().and_then(|rare| rare.visit.as_mut()) {
                    visit.alerted |= 1 << alert;
                }
            }
            Body::Mention(_) => {
                if let Some(at) = self.post_of(event, rules) {
                    self.log[at].set_alerted(alert);
                }
            }
            _ => {}
        }
    }

    fn post_of(&self, event: &Event, rules: &Ruleset) -> Option<usize> {
        self.find(Kind::Mention, hash(&event.object_key()), rules)
    }
}
