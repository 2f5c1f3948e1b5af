//! What few customers have, as messages: profiles, held programmes, visits, what waits.
//!
//! Field numbers are never given to anything else. Kinds are numbers by rank, programmes, tiers, features and alerts
//! by place in the ruleset, keys and texts hashes.

use compact_str::CompactString;

use super::super::bucket::Bucket;
use super::super::customer::{Pending, Waiting};
use super::super::entry::Extra;
use super::super::presence::Visit;
use super::super::programme::{By, Held};
use super::super::windows::KINDS_WITH_OBJECTS;
use super::wire::{Field, Flaw, NONE, RANGE, Reader, UNKNOWN, Writer};
use crate::model::effect::Origin;
use crate::model::event::{Attribute, Kind, Profile};
use crate::model::output::{OutputId, Scalar};
use crate::model::record::Position;
use crate::model::time::EventTime;
use crate::rules::ruleset::Ruleset;

impl Profile {
    /// 1 version (two's complement), 2 name, 3 account, 4 handles (1 platform, 2 handle), 5 role, 6 support level,
    /// 7 region, 8 vertical, 9 segment, 10 account manager, 11 preferred channel, 12 timezone, 13 merged into,
    /// 14 attributes (1 name, 2 text or 3 number).
    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        let Self {
            version,
            name,
            account_id,
            handles,
            role,
            support_level,
            region,
            vertical,
            segment,
            account_manager,
            preferred_channel,
            timezone,
            merged_into,
            attributes,
        } = self;
        out.fixed(1, version.cast_unsigned());
        out.text(2, name.as_ref());
        out.text(3, account_id.as_ref());
        for (platform, handle) in handles {
            out.message(4, |out| {
                out.text(1, Some(platform));
                out.text(2, Some(handle));
            });
        }
        let texts = [role, support_level, region, vertical, segment];
        let others = [account_manager, preferred_channel, timezone, merged_into];
        for (tag, text) in (5..).zip(texts.into_iter().chain(others)) {
            out.text(tag, text.as_ref());
        }
        for (name, value) in attributes {
            out.message(14, |out| {
                out.text(1, Some(name));
                match value {
                    Attribute::Text(text) => out.text(2, Some(text)),
                    Attribute::Number(number) => out.decimal(3, *number),
                }
            });
        }
    }

    pub(super) fn decode(mut from: Reader<'_>) -> Result<Self, Flaw> {
        let mut it = Self::default();
        while let Some((tag, field)) = from.next()? {
            match tag {
                1 => it.version = field.fixed()?.cast_signed(),
                2 => it.name = Some(field.text()?),
                3 => it.account_id = Some(field.text()?),
                4 => it.handles.push(handle(field.message()?)?),
                5 => it.role = Some(field.text()?),
                6 => it.support_level = Some(field.text()?),
                7 => it.region = Some(field.text()?),
                8 => it.vertical = Some(field.text()?),
                9 => it.segment = Some(field.text()?),
                10 => it.account_manager = Some(field.text()?),
                11 => it.preferred_channel = Some(field.text()?),
                12 => it.timezone = Some(field.text()?),
                13 => it.merged_into = Some(field.text()?),
                14 => it.attributes.push(attribute(field.message()?)?),
                _ => return Err(UNKNOWN),
            }
        }
        Ok(it)
    }
}

fn handle(mut from: Reader<'_>) -> Result<(CompactString, CompactString), Flaw> {
    let mut it = (CompactString::default(), CompactString::default());
    while let Some((tag, field)) = from.next()? {
        match tag {
            1 => it.0 = field.text()?,
            2 => it.1 = field.text()?,
            _ => return Err(UNKNOWN),
        }
    }
    Ok(it)
}

fn attribute(mut from: Reader<'_>) -> Result<(CompactString, Attribute), Flaw> {
    let (mut name, mut value) = (CompactString::default(), None);
    while let Some((tag, field)) = from.next()? {
        match tag {
            1 => name = field.text()?,
            2 => value = Some(Attribute::Text(field.text()?)),
            3 => value = Some(Attribute::Number(field.decimal()?)),
            _ => return Err(UNKNOWN),
        }
    }
    Ok((name, value.ok_or(MISSING)?))
}

impl Waiting {
    /// 1 event id, 2 position, 3 kind, 4 business key, 5 whether something was taken back.
    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        let Self { origin: Origin { event_id, position: at, kind, key }, refund } = self;
        out.text(1, Some(event_id));
        position(out, 2, *at);
        out.uint(3, *kind as u8);
        out.text(4, Some(key));
        out.flag(5, *refund);
    }

    pub(super) fn decode(mut from: Reader<'_>) -> Result<Self, Flaw> {
        let (event_id, key) = Default::default();
        let mut it = Self { origin: Origin { event_id, position: NOWHERE, kind: NOWHERE.kind, key }, refund: false };
        while let Some((tag, field)) = from.next()? {
            match tag {
                1 => it.origin.event_id = field.text()?,
                2 => it.origin.position = read_position(field)?,
                3 => it.origin.kind = read_kind(field)?,
                4 => it.origin.key = field.text()?,
                5 => it.refund = field.flag()?,
                _ => return Err(UNKNOWN),
            }
        }
        Ok(it)
    }
}

impl Held {
    /// 1 programme, 2 tier, 3 by refund, 4 announced, 5 granted at, 6 the grant's id (16 bytes, little endian),
    /// 7 rise at, 8 false since, 9 fall since, 10 by an override (1: and by the rule, 2: alone), 11 the tier by an override.
    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        let Self { programme, by, tier, tier_by_override, by_refund, announced, granted_at, .. } = self;
        let Self { grant, rise_at, false_since, fall_since, .. } = self;
        out.uint(1, *programme);
        if let Some(tier) = tier {
            out.present(2, *tier);
        }
        out.flag(3, *by_refund);
        out.flag(4, *announced);
        out.maybe(5, *granted_at);
        out.bytes(6, &grant.0.to_le_bytes());
        out.maybe(7, *rise_at);
        out.maybe(8, *false_since);
        out.maybe(9, *fall_since);
        let by = match by {
            By::Rule => 0u8,
            By::Both => 1,
            By::Override => 2,
        };
        out.uint(10, by);
        out.flag(11, *tier_by_override);
    }

    pub(super) fn decode(mut from: Reader<'_>, rules: &Ruleset) -> Result<Self, Flaw> {
        let mut it = Self::granted(0, None, NONE, OutputId(0));
        while let Some((tag, field)) = from.next()? {
            match tag {
                1 => it.programme = field.uint()?,
                2 => it.tier = Some(field.uint()?),
                3 => it.by_refund = field.flag()?,
                4 => it.announced = field.flag()?,
                5 => it.granted_at = field.event_time()?,
                6 => it.grant = OutputId(u128::from_le_bytes(field.bytes()?.try_into().map_err(|_| RANGE)?)),
                7 => it.rise_at = field.event_time()?,
                8 => it.false_since = Some(field.event_time()?),
                9 => it.fall_since = Some(field.event_time()?),
                10 => {
                    it.by = match field.uint::<u8>()? {
                        1 => By::Both,
                        2 => By::Override,
                        _ => return Err(RANGE),
                    }
                }
                11 => it.tier_by_override = field.flag()?,
                _ => return Err(UNKNOWN),
            }
        }
        let rule = rules.programmes.get(usize::from(it.programme)).ok_or(RANGE)?;
        let has_tier = it.tier.is_none_or(|tier| usize::from(tier) < rule.tiers.len());
        if has_tier && it.granted_at != NONE && it.rise_at != NONE { Ok(it) } else { Err(RANGE) }
    }
}

/// An object's extra with the object's kind and key.
pub(super) type Keyed = ((u8, u64), Extra);

impl Extra {
    /// 1 kind, 2 key, 3 fields that features read (a value each, empty where there is none), 4 end of the period,
    /// 5 amount left, 6 end of a period not paid for after all, 7 money as sent (`postcard`).
    pub(super) fn encode(&self, (rank, key): (u8, u64), out: &mut Writer<'_>) {
        let Self { stored, period_end, amount, unpaid_end, money } = self;
        out.uint(1, rank);
        out.fixed(2, key);
        for value in stored {
            out.message(3, |out| {
                if let Some(value) = value {
                    scalar(out, value);
                }
            });
        }
        out.maybe(4, *period_end);
        if let Some(amount) = amount {
            out.decimal(5, **amount);
        }
        out.maybe(6, *unpaid_end);
        if let Some(money) = money {
            out.bytes(7, &postcard::to_stdvec(&**money).expect("memory can be written"));
        }
    }

    pub(super) fn decode(mut from: Reader<'_>, rules: &Ruleset) -> Result<Keyed, Flaw> {
        let (mut rank, mut key, mut stored) = (0, 0, Vec::new());
        let mut it = Self::default();
        while let Some((tag, field)) = from.next()? {
            match tag {
                1 => rank = field.uint()?,
                2 => key = field.fixed()?,
                3 => stored.push(read_scalar(field)?),
                4 => it.period_end = field.time()?.into(),
                5 => it.amount = Some(Box::new(field.decimal()?)),
                6 => it.unpaid_end = field.time()?.into(),
                7 => it.money = Some(Box::new(read_postcard(field)?)),
                _ => return Err(UNKNOWN),
            }
        }
        let kind = *KINDS_WITH_OBJECTS.get(usize::from(rank)).ok_or(RANGE)?;
        let plan = rules.plan.of(kind);
        let lengths = [0, plan.stored.len(), plan.stored.len() + plan.judged.len()];
        if !lengths.contains(&stored.len()) {
            return Err(RANGE);
        }
        it.stored = stored.into();
        Ok(((rank, key), it))
    }
}

impl Pending {
    /// 1 the order's key, 4 cancelled, 5 until, 6 refunds (`postcard`).
    pub(super) fn encode(&self, order: u64, out: &mut Writer<'_>) {
        let Self { refunds, cancelled, until } = self;
        out.fixed(1, order);
        out.flag(4, *cancelled);
        out.maybe(5, *until);
        if !refunds.is_empty() {
            out.bytes(6, &postcard::to_stdvec(refunds).expect("memory can be written"));
        }
    }

    pub(super) fn decode(mut from: Reader<'_>) -> Result<(u64, Self), Flaw> {
        let (mut order, mut it) = (0, Self { until: NONE, ..Self::default() });
        while let Some((tag, field)) = from.next()? {
            match tag {
                1 => order = field.fixed()?,
                4 => it.cancelled = field.flag()?,
                5 => it.until = field.time()?,
                6 => it.refunds = read_postcard(field)?,
                _ => return Err(UNKNOWN),
            }
        }
        Ok((order, it))
    }
}

impl Bucket {
    /// 1 feature, 2 exit, 3 count, 4 sum (16 bytes, little endian), 5 hashes of different values, 6 the extreme
    /// (1 place, 2 key, 3 value), 7 the newest (1 place, 2 key, 3 position).
    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        let Self { feature, exit, count, sum, values, extreme, newest } = self;
        out.uint(1, *feature);
        out.maybe(2, *exit);
        out.uint(3, *count);
        out.bytes(4, &sum.to_le_bytes());
        out.rows(5, values, |value| [*value]);
        if let Some((order, value)) = extreme {
            out.message(6, |out| {
                place(out, *order);
                out.message(3, |out| scalar(out, value));
            });
        }
        if let Some((order, at)) = newest {
            out.message(7, |out| {
                place(out, *order);
                position(out, 3, *at);
            });
        }
    }

    pub(super) fn decode(mut from: Reader<'_>, rules: &Ruleset) -> Result<Self, Flaw> {
        let values = Vec::new();
        let mut it = Self { feature: 0, exit: NONE, count: 0, sum: 0, values, extreme: None, newest: None };
        while let Some((tag, field)) = from.next()? {
            match tag {
                1 => it.feature = field.uint()?,
                2 => it.exit = field.time()?,
                3 => it.count = field.uint()?,
                4 => it.sum = i128::from_le_bytes(field.bytes()?.try_into().map_err(|_| RANGE)?),
                5 => it.values = field.rows()?.map(|[value]| value).collect(),
                6 => {
                    let (order, value) = placed(field.message()?, read_scalar)?;
                    it.extreme = Some((order, value.ok_or(MISSING)?));
                }
                7 => it.newest = Some(placed(field.message()?, read_position)?),
                _ => return Err(UNKNOWN),
            }
        }
        let is_sound = usize::from(it.feature) < rules.features.len() && it.values.is_sorted();
        if is_sound { Ok(it) } else { Err(RANGE) }
    }
}

fn place(out: &mut Writer<'_>, (at, key): (EventTime, u64)) {
    out.maybe(1, at);
    out.fixed(2, key);
}

fn placed<'a, T>(
    mut from: Reader<'a>,
    read: impl Fn(Field<'a>) -> Result<T, Flaw>,
) -> Result<((EventTime, u64), T), Flaw> {
    let (mut order, mut what) = ((NONE, 0), None);
    while let Some((tag, field)) = from.next()? {
        match tag {
            1 => order.0 = field.event_time()?,
            2 => order.1 = field.fixed()?,
            3 => what = Some(read(field)?),
            _ => return Err(UNKNOWN),
        }
    }
    Ok((order, what.ok_or(MISSING)?))
}

impl Visit {
    /// 1 newest, 2 sessions (key, newest event, live until), 3 alerts raised, as bits.
    pub(super) fn encode(&self, out: &mut Writer<'_>) {
        let Self { newest, sessions, alerted } = self;
        out.maybe(1, *newest);
        out.rows(2, sessions, |(key, newest, until)| [*key, newest.0.cast_unsigned(), until.0.cast_unsigned()]);
        out.uint(3, *alerted);
    }

    pub(super) fn decode(mut from: Reader<'_>) -> Result<Self, Flaw> {
        let mut it = Self { newest: NONE, sessions: Vec::new(), alerted: 0 };
        while let Some((tag, field)) = from.next()? {
            match tag {
                1 => it.newest = field.event_time()?,
                2 => it.sessions = field.rows()?.map(|[key, newest, until]| (key, at(newest), at(until))).collect(),
                3 => it.alerted = field.uint()?,
                _ => return Err(UNKNOWN),
            }
        }
        Ok(it)
    }
}

/// An instant from a list.
pub(super) const fn at(word: u64) -> EventTime {
    EventTime(word.cast_signed())
}

/// 1 kind, 2 partition, 3 offset.
fn position(out: &mut Writer<'_>, tag: u32, Position { kind, partition, offset }: Position) {
    out.message(tag, |out| {
        out.uint(1, kind as u8);
        out.uint(2, partition);
        out.uint(3, offset);
    });
}

fn read_position(field: Field<'_>) -> Result<Position, Flaw> {
    let (mut from, mut it) = (field.message()?, NOWHERE);
    while let Some((tag, field)) = from.next()? {
        match tag {
            1 => it.kind = read_kind(field)?,
            2 => it.partition = field.uint()?,
            3 => it.offset = field.uint()?,
            _ => return Err(UNKNOWN),
        }
    }
    Ok(it)
}

fn read_kind(field: Field<'_>) -> Result<Kind, Flaw> {
    Kind::ALL.get(usize::from(field.uint::<u8>()?)).copied().ok_or(RANGE)
}

/// 1 yes or no, 2 whole number (two's complement), 3 decimal, 4 text, 5 time; one of them.
fn scalar(out: &mut Writer<'_>, value: &Scalar) {
    match value {
        Scalar::Bool(value) => out.present(1, *value),
        Scalar::Int(value) => out.present(2, value.cast_unsigned()),
        Scalar::Decimal(value) => out.decimal(3, *value),
        Scalar::Text(value) => out.text(4, Some(value)),
        Scalar::Time(value) => out.maybe(5, *value),
    }
}

fn read_scalar(field: Field<'_>) -> Result<Option<Scalar>, Flaw> {
    let (mut from, mut it) = (field.message()?, None);
    while let Some((tag, field)) = from.next()? {
        it = Some(match tag {
            1 => Scalar::Bool(field.flag()?),
            2 => Scalar::Int(field.uint::<u64>()?.cast_signed()),
            3 => Scalar::Decimal(field.decimal()?),
            4 => Scalar::Text(field.text()?),
            5 => Scalar::Time(field.time()?),
            _ => return Err(UNKNOWN),
        });
    }
    Ok(it)
}

fn read_postcard<T: serde::de::DeserializeOwned>(field: Field<'_>) -> Result<T, Flaw> {
    postcard::from_bytes(field.bytes()?).map_err(|_| Flaw("what this build does not know"))
}

const MISSING: Flaw = Flaw("a value is missing");
/// What a position has before it is read.
const NOWHERE: Position = Position { kind: Kind::ALL[0], partition: 0, offset: 0 };
