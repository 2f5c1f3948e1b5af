//! One customer as a message, and back.
//!
//! Nothing that an output can depend on is left out, but for what follows from the rest: `queued` (whoever is restored
//! is queued at the deadline), `Rare::counted` and `Rare::keys` (what `log` holds, of a busy customer). So a restored customer and one
//! that never stopped have the same bytes, and a digest of these is a digest of the state.
//!
//! `labels` and all other places in the ruleset mean something only beside the ruleset itself.

use super::super::bucket::Bucket;
use super::super::customer::{BUSY, Customer, NEVER, Pending, Rare, Waiting};
use super::super::entry::{Entry, Extra};
use super::super::overrides::ByHand;
use super::super::presence::Visit;
use super::super::programme::Held;
use super::super::tally::Tally;
use super::blob;
use super::parts::at;
use super::wire::{Field, Flaw, NONE, RANGE, Reader, UNKNOWN, Writer};
use crate::model::event::Profile;
use crate::model::id::CustomerId;
use crate::model::time::{EventTime, MaybeTime};
use crate::rules::ruleset::Ruleset;

impl Customer {
    /// 1 id, 2 as of, 3 deadline, 4 exit, 5 lapses, 6 fired, 7 first and 8 last purchase, 9 last seen, 10 labels (bits),
    /// 11 outputs so far, 12 look pending, 13 look again, 14 news (bits), 15 log (four words an object, see
    /// [`Entry::words`]), 16 tally (see [`Tally`]), 17 rare, 18 detectors.
    ///
    /// Of 3 to 5 absence means never, of 6 to 9 none.
    pub(in crate::engine) fn encode(&self, out: &mut Writer<'_>) {
        let Self {
            id,
            as_of,
            deadline,
            queued: _,
            exit,
            lapses,
            fired,
            first_purchase,
            last_purchase,
            last_seen,
            labels,
            seq,
            look_pending,
            look_again,
            news,
            log,
            tally,
            pivots,
            rare,
        } = self;
        out.bytes(1, id.as_str().as_bytes());
        out.time(2, *as_of, EventTime::MIN);
        for (tag, time) in (3..).zip([deadline, exit, lapses]) {
            out.time(tag, *time, NEVER);
        }
        out.time(6, *fired, NONE);
        for (tag, time) in (7..).zip([first_purchase, last_purchase, last_seen]) {
            out.maybe(tag, *time);
        }
        out.fixed(10, *labels);
        out.uint(11, *seq);
        out.flag(12, *look_pending);
        out.flag(13, *look_again);
        out.uint(14, *news);
        out.rows(15, log, Entry::words);
        out.rows(16, tally.cells(), |cell| [*cell]);
        if let Some(rare) = rare {
            debug_assert_eq!(rare.keys.is_some(), log.len() > BUSY, "keys follow from the log");
            out.message(17, |out| rare.encode(out));
        }
        if let Some(pivots) = pivots {
            out.bytes(18, &blob::encode(pivots));
        }
    }

    /// Reads one; it stands in no queue.
    pub(in crate::engine) fn decode(bytes: &[u8], rules: &Ruleset) -> Result<Self, Flaw> {
        let mut it = Self { look_again: false, news: 0, ..Self::blank(Tally::default()) };
        let mut from = Reader(bytes);
        while let Some((tag, field)) = from.next()? {
            match tag {
                1 => it.id = CustomerId(field.text()?),
                2 => it.as_of = field.event_time()?,
                3 => it.deadline = field.time()?,
                4 => it.exit = field.time()?,
                5 => it.lapses = field.time()?,
                6 => it.fired = field.time()?,
                7 => it.first_purchase = field.event_time()?.into(),
                8 => it.last_purchase = field.event_time()?.into(),
                9 => it.last_seen = field.event_time()?.into(),
                10 => it.labels = field.fixed()?,
                11 => it.seq = field.uint()?,
                12 => it.look_pending = field.flag()?,
                13 => it.look_again = field.flag()?,
                14 => it.news = field.uint()?,
                15 => it.log = log(field)?,
                16 => it.tally = Tally::of(field.rows()?.map(|[cell]| cell).collect()),
                17 => it.rare = Some(Box::new(Rare::decode(field.message()?, rules)?)),
                18 => it.pivots = Some(Box::new(blob::decode(field.bytes()?)?)),
                _ => return Err(UNKNOWN),
            }
        }
        if it.log.len() > BUSY {
            let keys = it.log.iter().map(|entry| (entry.rank(), entry.key)).collect();
            it.rare().keys = Some(keys);
        }
        let labels = it.labels.checked_shr(u32::try_from(rules.labels.len()).unwrap_or(u32::MAX)).unwrap_or(0);
        if labels == 0 && it.tally.fits(rules) && !it.id.as_str().is_empty() { Ok(it) } else { Err(RANGE) }
    }
}

/// The objects, which stand in their order.
fn log(field: Field<'_>) -> Result<Vec<Entry>, Flaw> {
    let rows = field.rows()?;
    let mut log: Vec<Entry> = Vec::with_capacity(rows.len());
    for words in rows {
        let entry = Entry::of(words).ok_or(RANGE)?;
        if log.last().is_some_and(|last| last.order() >= entry.order()) {
            return Err(Flaw("objects out of their order"));
        }
        log.push(entry);
    }
    Ok(log)
}

impl Rare {
    /// 1 profile, 2 what waits, 3 programmes held, 4 extras, 5 pending refunds, 6 keys seen (key, until), 7 texts
    /// (hash, first), 8 buckets, 9 visit, 10 end of what forgotten orders paid for, 11 of all, 12 place of the newest
    /// order lost to the bound, 13 ties, 14 what people decided, 15 where they stand in budgets, 16 pivots told,
    /// 17 pivots that wait.
    fn encode(&self, out: &mut Writer<'_>) {
        let Self {
            profile,
            waiting,
            held,
            extras,
            pending,
            seen,
            texts,
            buckets,
            visit,
            subscribed_floor,
            paid_until,
            keys: _,
            lost_order,
            ties,
            seats,
            by_hand,
            counted: _,
            told,
            held_back,
        } = self;
        let timed = |(key, time): &(u64, EventTime)| [*key, time.0.cast_unsigned()];
        if let Some(profile) = profile {
            out.message(1, |out| profile.encode(out));
        }
        if let Some(waiting) = waiting {
            out.message(2, |out| waiting.encode(out));
        }
        for held in held {
            out.message(3, |out| held.encode(out));
        }
        for (object, extra) in extras {
            out.message(4, |out| extra.encode(*object, out));
        }
        for (order, pending) in pending {
            out.message(5, |out| pending.encode(*order, out));
        }
        out.rows(6, seen, timed);
        out.rows(7, texts, timed);
        for bucket in buckets {
            out.message(8, |out| bucket.encode(out));
        }
        if let Some(visit) = visit {
            out.message(9, |out| visit.encode(out));
        }
        for (tag, time) in (10..).zip([subscribed_floor, paid_until, lost_order]) {
            out.maybe(tag, *time);
        }
        if let Some(ties) = ties {
            out.bytes(13, &blob::encode(ties));
        }
        if let Some(by_hand) = by_hand {
            out.bytes(14, &blob::encode(by_hand));
        }
        if !seats.is_empty() {
            out.bytes(15, &blob::encode(seats));
        }
        out.uint(16, *told);
        if !held_back.is_empty() {
            out.bytes(17, &blob::encode(held_back));
        }
    }

    fn decode(mut from: Reader<'_>, rules: &Ruleset) -> Result<Self, Flaw> {
        let timed = |[key, time]: [u64; 2]| (key, at(time));
        let mut it = Self::default();
        while let Some((tag, field)) = from.next()? {
            match tag {
                1 => it.profile = Some(Box::new(Profile::decode(field.message()?)?)),
                2 => it.waiting = Some(Box::new(Waiting::decode(field.message()?)?)),
                3 => push(&mut it.held, Held::decode(field.message()?, rules)?),
                4 => push(&mut it.extras, Extra::decode(field.message()?, rules)?),
                5 => it.pending.extend([Pending::decode(field.message()?)?]),
                6 => it.seen = field.rows()?.map(timed).collect(),
                7 => it.texts = field.rows()?.map(timed).collect(),
                8 => push(&mut it.buckets, Bucket::decode(field.message()?, rules)?),
                9 => it.visit = Some(Box::new(Visit::decode(field.message()?)?)),
                10 => it.subscribed_floor = MaybeTime::from(field.time()?),
                11 => it.paid_until = MaybeTime::from(field.time()?),
                12 => it.lost_order = MaybeTime::from(field.event_time()?),
                13 => it.ties = Some(Box::new(blob::decode(field.bytes()?)?)),
                14 => it.by_hand = Some(Box::new(ByHand::decode(field.bytes()?, rules)?)),
                15 => it.seats = blob::decode(field.bytes()?)?,
                16 => it.told = field.uint()?,
                17 => it.held_back = blob::decode(field.bytes()?)?,
                _ => return Err(UNKNOWN),
            }
        }
        let is_sorted = it.held.is_sorted_by(|left, right| left.programme < right.programme)
            && it.extras.is_sorted_by(|left, right| left.0 < right.0);
        if is_sorted { Ok(it) } else { Err(RANGE) }
    }
}

/// Few have more than one: room for four at once would be wasted on the rest.
fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() < 4 {
        list.reserve_exact(1);
    }
    list.push(item);
}
