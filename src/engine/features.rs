//! Rolling facts of a customer: contributions enter, change, and leave with their window's unit.
//!
//! What an object contributes is computed from what is kept of it, never stored: an order's refund, a
//! survey's revision and the window's exit all take off exactly what was added.

use std::collections::BTreeSet;

use rust_decimal::{Decimal, RoundingStrategy};

use super::customer::{BUSY, Customer, MAX_OBJECTS, NEVER};
use super::entry::{Entry, Extra, Flag, Object};
use super::money::Money;
use super::rates::Prices;
use super::windows::STALE;
use crate::model::event::{Body, Event, Kind};
use crate::model::money::Currency;
use crate::model::output::Scalar;
use crate::model::record::Position;
use crate::model::time::{EventTime, MaybeTime};
use crate::rules::calendar::Window;
use crate::rules::fact::{Fact, Facts};
use crate::rules::fields::Field;
use crate::rules::ruleset::{Aggregate, Feature, Filter, Ruleset};
use crate::rules::value::{Fault, Val};

/// Decimals of a contribution to a sum.
const SUM_DECIMALS: u32 = 9;
/// Positions in evidence.
const SAMPLES: usize = 3;

/// The event's fields as rules read them: amounts in the ruleset's currency.
pub(super) struct EventFacts<'a> {
    event: &'a Event,
    /// Its amount's, or missing, where it is in another currency.
    price: Option<Val<'static>>,
}

impl<'a> EventFacts<'a> {
    /// At the rate of the event's own date.
    pub(super) fn new(event: &'a Event, prices: Prices<'_>) -> Self {
        Self::at(event, event.at, prices)
    }

    /// At the rate of another date.
    pub(super) fn at(event: &'a Event, at: EventTime, prices: Prices<'_>) -> Self {
        let amount = match &event.body {
            Body::Purchase(purchase) => Some((purchase.amount, &purchase.currency)),
            Body::Referral(referral) => referral.value.zip(referral.currency.as_ref()),
            _ => None,
        };
        let foreign = amount.filter(|(_, currency)| prices.is_foreign(&currency.0));
        let price = |(amount, currency): (_, &Currency)| prices.price(amount, &currency.0, at);
        Self { event, price: foreign.map(|money| Val::or_missing(price(money).map(Val::Decimal))) }
    }
}

impl<'a> Facts<'a> for EventFacts<'a> {
    fn fact(&self, fact: Fact) -> Val<'a> {
        match (fact, self.price) {
            (Fact::Event(field), Some(price)) if field.is_money() => price,
            (Fact::Event(field), _) => field.read(self.event),
            _ => Val::Error(Fault::Type),
        }
    }

    fn days_since(&self, _: EventTime) -> i64 {
        0
    }
}

/// What is kept of an object, for a feature's own expression.
struct Kept<'a> {
    entry: &'a Entry,
    extra: Option<&'a Extra>,
    kind: Kind,
    rules: &'a Ruleset,
    /// The amount as it was sent, in the ruleset's currency; `None` for what is left of it.
    sent: Option<Val<'a>>,
}

impl<'a> Kept<'a> {
    const fn of(entry: &'a Entry, extra: Option<&'a Extra>, kind: Kind, rules: &'a Ruleset) -> Self {
        Self { entry, extra, kind, rules, sent: None }
    }
}

impl<'a> Facts<'a> for Kept<'a> {
    fn fact(&self, fact: Fact) -> Val<'a> {
        let Fact::Event(field) = fact else { return Val::Error(Fault::Type) };
        if field.is_money() {
            let is_foreign = self.extra.is_some_and(|extra| extra.money.is_some());
            match self.sent {
                Some(sent) => return sent,
                None if is_foreign || self.kind != Kind::Referral => {
                    return Val::Decimal(self.entry.amount(self.extra));
                }
                None => {}
            }
        }
        let plan = self.rules.plan.of(self.kind);
        let at = plan.stored.iter().chain(&plan.judged).position(|stored| *stored == field);
        let stored = at.and_then(|at| self.extra?.stored.get(at)?.as_ref());
        Val::or_missing(stored.map(Val::from))
    }

    fn days_since(&self, _: EventTime) -> i64 {
        0
    }
}

impl Feature {
    /// The value that a kept object contributes; `None` where it does not. A count's contribution is `true`.
    pub(super) fn contribution(&self, entry: &Entry, extra: Option<&Extra>, rules: &Ruleset) -> Option<Contribution> {
        if !entry.counts() || self.filter.as_ref().is_some_and(|filter| entry.filters() >> filter.bit & 1 == 0) {
            return None;
        }
        let Some(program) = &self.value else { return Some(Contribution::One) };
        Contribution::of(self, program.eval(&Kept::of(entry, extra, self.kind, rules)))
    }
}

/// What one event adds to a feature.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Contribution {
    One,
    /// In 10^-9.
    Amount(i128),
    Value(Scalar),
}

impl Contribution {
    /// The contribution of a value; `None` for an error, or an amount beyond 19 digits before the point.
    pub(super) fn of(feature: &Feature, value: Val<'_>) -> Option<Self> {
        match feature.aggregate {
            Aggregate::Count => Some(Self::One),
            Aggregate::Sum | Aggregate::Avg => scaled(value.decimal()?).map(Self::Amount),
            Aggregate::Distinct | Aggregate::Last | Aggregate::First => value.scalar().map(Self::Value),
        }
    }

    /// The amount, where it is one.
    pub(super) const fn amount(&self) -> i128 {
        match self {
            Self::Amount(amount) => *amount,
            _ => 0,
        }
    }
}

/// Rounds half-even to 9 decimals.
fn scaled(value: Decimal) -> Option<i128> {
    let mut rounded = value.round_dp_with_strategy(SUM_DECIMALS, RoundingStrategy::MidpointNearestEven);
    rounded.rescale(SUM_DECIMALS);
    (rounded.scale() == SUM_DECIMALS).then(|| rounded.mantissa())
}

fn unscaled(sum: i128) -> Val<'static> {
    Decimal::try_from_i128_with_scale(sum, SUM_DECIMALS).map_or(Val::Error(Fault::Overflow), Val::Decimal)
}

/// Judges the kind's filters on an event: their answers by bit.
pub(super) fn filters(event: &Event, prices: Prices<'_>) -> u16 {
    let (mut bits, rules) = (0, prices.rules);
    let facts = EventFacts::new(event, prices);
    for index in &rules.plan.of(event.kind()).features {
        if let Some(filter) = &rules.features[usize::from(*index)].filter
            && filter.program.decide(&facts) == Some(true)
        {
            bits |= 1 << filter.bit;
        }
    }
    bits
}

/// Keeps of an event what features read; where its amount may be priced anew also what filters read beside it.
pub(super) fn keep(object: &mut Object, event: &Event, prices: Prices<'_>) {
    let plan = prices.rules.plan.of(event.kind());
    let foreign = object.extra.money.as_deref().filter(|money| prices.is_foreign(&money.currency.0));
    let judged = foreign.map_or(&[][..], |_| &plan.judged);
    let stored: Box<[Option<Scalar>]> = plan.stored.iter().chain(judged).map(|field| kept(*field, event)).collect();
    object.extra.stored = if stored.iter().any(Option::is_some) { stored } else { Box::default() };
    object.entry.set_filters(filters(event, prices));
}

/// Judges the filters that read the amount anew, as it was sent and by the rates known now.
pub(super) fn judge_amount(object: &mut Object, prices: Prices<'_>) {
    if object.extra.money.as_deref().is_some_and(|money| prices.is_foreign(&money.currency.0)) {
        judge(object, prices, |filter| {
            filter.program.facts().any(|fact| matches!(fact, Fact::Event(field) if field.is_money()))
        });
    }
}

/// Judges all filters on what is kept of an object, which for this kind is all that they read.
pub(super) fn judge_kept(object: &mut Object, prices: Prices<'_>) {
    judge(object, prices, |_| true);
}

fn judge(object: &mut Object, prices: Prices<'_>, which: impl Fn(&Filter) -> bool) {
    let (rules, kind) = (prices.rules, object.entry.kind());
    let Money { amount, currency, .. } = object.money(rules);
    let price = prices.price(amount, &currency.0, object.entry.place());
    let sent = Some(Val::or_missing(price.map(Val::Decimal)));
    let mut filters = object.entry.filters();
    for filter in rules.plan.of(kind).features.iter().filter_map(|at| rules.features[usize::from(*at)].filter.as_ref())
    {
        if which(filter) {
            let kept = Kept { sent, ..Kept::of(&object.entry, Some(&object.extra), kind, rules) };
            let holds = filter.program.decide(&kept) == Some(true);
            filters = filters & !(1 << filter.bit) | u16::from(holds) << filter.bit;
        }
    }
    object.entry.set_filters(filters);
}

/// A field's value as it is kept. Of another customer's id only a hash, which is enough to tell them apart: an erasure
/// would not find it here.
fn kept(field: Field, event: &Event) -> Option<Scalar> {
    let value = field.read(event).scalar()?;
    Some(if field.is_another_customer() { Scalar::Int(hash_of(&value).cast_signed()) } else { value })
}

impl Customer {
    /// What is kept of an object besides its entry.
    pub(super) fn extra(&self, entry: &Entry) -> Option<&Extra> {
        if !entry.has(Flag::Extra) {
            return None;
        }
        self.rare.as_ref()?.extra((entry.rank(), entry.key))
    }

    /// Puts an object into the log and its contributions into the features.
    pub(super) fn insert(&mut self, object: Object, rules: &Ruleset) {
        let Object { mut entry, mut extra } = object;
        // A rate that comes later may give an order back what refunds seemed to have taken.
        let end = extra.period_end.get().or(extra.unpaid_end.get()).into();
        let none = MaybeTime::NONE;
        (extra.period_end, extra.unpaid_end) = if entry.has(Flag::Gone) { (none, end) } else { (end, none) };
        let has_extra = extra != Extra::default();
        entry.set(Flag::Extra, has_extra);
        if has_extra {
            let rare = self.rare();
            rare.paid_until.raise(extra.period_end);
            rare.put_extra((entry.rank(), entry.key), extra);
        }
        self.weigh(&entry, rules, 1);
        self.note_lapse(&entry, rules);
        let at = self.log.partition_point(|other| other.order() < entry.order());
        if self.log.len() == self.log.capacity() && self.log.len() < 16 {
            self.log.reserve_exact(2);
        }
        self.log.insert(at, entry);
        self.note_key(&entry);
        if self.log.len() > MAX_OBJECTS {
            let kind = entry.kind();
            if self.objects(kind).len() > MAX_OBJECTS {
                self.lose_oldest(kind, rules);
            }
        }
    }

    /// Keeps a busy customer's keys for looking up, since most orders are new.
    fn note_key(&mut self, entry: &Entry) {
        if self.log.len() <= BUSY {
            return;
        }
        let keys = self.rare.get_or_insert_default().keys.get_or_insert_default();
        if keys.is_empty() {
            keys.extend(self.log.iter().map(|entry| (entry.rank(), entry.key)));
        } else {
            keys.insert((entry.rank(), entry.key));
        }
    }

    /// Forgets the oldest object of a kind; what it contributes stays until its windows end.
    fn lose_oldest(&mut self, kind: Kind, rules: &Ruleset) {
        let Object { entry, extra } = self.remove(self.objects(kind).start, rules);
        for index in &rules.plan.of(kind).features {
            let contribution = rules.features[usize::from(*index)].contribution(&entry, Some(&extra), rules);
            if let Some(contribution) = contribution {
                self.pour(*index, contribution, (entry.place(), entry.key), None, rules);
            }
        }
        let rare = self.rare();
        rare.pay_until(extra.period_end);
        if kind == Kind::Purchase {
            rare.lost_order.raise(entry.place());
        } else if kind == Kind::ReferredPurchase {
            let lost = &mut self.ties_mut().lost_referred;
            *lost = (*lost).max(Some(entry.place()));
        }
    }

    /// Takes an object out of the log and its contributions out of the features.
    pub(super) fn remove(&mut self, at: usize, rules: &Ruleset) -> Object {
        let entry = self.log.remove(at);
        self.weigh(&entry, rules, -1);
        let extra = self.take_extra(&entry);
        if self.log.len() <= BUSY {
            // What is put in from now on is not noted.
            self.rare.iter_mut().for_each(|rare| rare.keys = None);
        }
        Object { entry, extra }
    }

    /// Takes out what is kept of an object besides its entry.
    pub(super) fn take_extra(&mut self, entry: &Entry) -> Extra {
        let key = (entry.rank(), entry.key);
        let Some(rare) = &mut self.rare else { return Extra::default() };
        if let Some(keys) = &mut rare.keys {
            keys.remove(&key);
        }
        let extra = if entry.has(Flag::Extra) { rare.take_extra(key) } else { Extra::default() };
        if extra.period_end != MaybeTime::NONE && extra.period_end == rare.paid_until {
            rare.paid_until = rare.subscribed_floor;
            rare.extras.iter().for_each(|(_, left)| rare.paid_until.raise(left.period_end));
        }
        extra
    }

    /// Adds (`sign` 1) or takes off (-1) what an object contributes to the features in whose window it lies.
    fn weigh(&mut self, entry: &Entry, rules: &Ruleset, sign: i8) {
        if !entry.counts() {
            return;
        }
        let kind = entry.kind();
        let mut known = (Window::Lifetime, NEVER);
        let watch = rules.plan.watch(self.id.kind());
        for index in &rules.plan.of(kind).features {
            let feature = &rules.features[usize::from(*index)];
            // Neighbouring features mostly share a window.
            if feature.window != known.0 {
                known = (feature.window, rules.calendar.exit(feature.window, entry.place()).unwrap_or(NEVER));
            }
            let exit = known.1;
            if exit <= self.as_of {
                continue;
            }
            if let Some(contribution) = feature.contribution(entry, self.extra(entry), rules) {
                self.add(*index, &contribution, rules, sign);
                if watch.has(*index) {
                    // An exit taken off is found again by `find_exit`; one added can only be earlier.
                    self.exit = if sign > 0 { self.exit.min(exit) } else { STALE };
                }
            }
        }
    }

    pub(super) fn add(&mut self, index: u8, contribution: &Contribution, rules: &Ruleset, sign: i8) {
        self.tally.add(index, contribution.amount(), sign, rules);
    }

    /// The objects in a feature's window, contributing or not.
    pub(super) fn inside(&self, feature: &Feature, rules: &Ruleset) -> &[Entry] {
        let objects = self.objects(feature.kind);
        let first = rules.calendar.first_inside(feature.window, self.as_of);
        let objects = &self.log[objects];
        &objects[objects.partition_point(|entry| entry.place() < first)..]
    }

    /// A feature's value.
    pub(super) fn feature<'a>(&'a self, index: u8, rules: &'a Ruleset) -> Val<'a> {
        let feature = &rules.features[usize::from(index)];
        let buckets = || self.rare.iter().flat_map(|rare| &rare.buckets).filter(move |bucket| bucket.feature == index);
        let count = || self.tally.count(index) + buckets().map(|bucket| bucket.count).sum::<u64>();
        let sum = || {
            let own = rules.sum_of(index).map_or(0, |sum| self.tally.sum(sum, rules));
            unscaled(own + buckets().map(|bucket| bucket.sum).sum::<i128>())
        };
        match feature.aggregate {
            Aggregate::Count => Val::Int(count().cast_signed()),
            Aggregate::Sum => sum(),
            Aggregate::Avg => match (sum(), count()) {
                (_, 0) => Val::Error(Fault::Missing),
                (Val::Decimal(sum), count) => {
                    sum.checked_div(Decimal::from(count)).map_or(Val::Error(Fault::Overflow), Val::Decimal)
                }
                (error, _) => error,
            },
            Aggregate::Distinct => self.distinct(feature, index, rules),
            Aggregate::Last => self.extreme(feature, index, rules, true),
            Aggregate::First => self.extreme(feature, index, rules, false),
        }
    }

    fn distinct<'a>(&'a self, feature: &'a Feature, index: u8, rules: &'a Ruleset) -> Val<'a> {
        let mut values: BTreeSet<u64> = BTreeSet::new();
        for entry in self.inside(feature, rules) {
            if let Some(Contribution::Value(value)) = feature.contribution(entry, self.extra(entry), rules) {
                values.insert(hash_of(&value));
            }
        }
        for bucket in self.rare.iter().flat_map(|rare| &rare.buckets).filter(|bucket| bucket.feature == index) {
            values.extend(&bucket.values);
        }
        Val::Int(values.len().try_into().unwrap_or(i64::MAX))
    }

    /// The value of the newest or oldest contribution.
    fn extreme<'a>(&'a self, feature: &'a Feature, index: u8, rules: &'a Ruleset, newest: bool) -> Val<'a> {
        let inside = self.inside(feature, rules);
        let contributes = |entry: &&Entry| feature.contribution(entry, self.extra(entry), rules).is_some();
        let entry = if newest { inside.iter().rev().find(contributes) } else { inside.iter().find(contributes) };
        let kept = entry.map(|entry| ((entry.place(), entry.key), entry));
        let buckets = self.rare.iter().flat_map(|rare| &rare.buckets).filter(|bucket| bucket.feature == index);
        let bucket = buckets.filter_map(|bucket| bucket.extreme.as_ref());
        let bucket =
            if newest { bucket.max_by_key(|extreme| extreme.0) } else { bucket.min_by_key(|extreme| extreme.0) };
        match (kept, bucket) {
            (Some((order, _)), Some((other, value))) if (order < *other) == newest => value.into(),
            (Some((_, entry)), _) => feature.value.as_ref().map_or(Val::Error(Fault::Missing), |program| {
                program.eval(&Kept::of(entry, self.extra(entry), feature.kind, rules))
            }),
            (None, Some((_, value))) => value.into(),
            (None, None) => Val::Error(Fault::Missing),
        }
    }

    /// Positions of the newest contributions to a feature, newest first.
    pub(super) fn sample(&self, index: u8, rules: &Ruleset) -> Vec<Position> {
        let feature = &rules.features[usize::from(index)];
        let kept = self
            .inside(feature, rules)
            .iter()
            .rev()
            .filter(|entry| feature.contribution(entry, self.extra(entry), rules).is_some());
        let mut newest: Vec<((EventTime, u64), Position)> =
            kept.take(SAMPLES).map(|entry| ((entry.place(), entry.key), entry.position())).collect();
        let buckets = self.rare.iter().flat_map(|rare| &rare.buckets).filter(|bucket| bucket.feature == index);
        newest.extend(buckets.filter_map(|bucket| bucket.newest));
        newest.sort_unstable_by(|left, right| right.cmp(left));
        newest.into_iter().take(SAMPLES).map(|(_, position)| position).collect()
    }
}

/// A value's hash, for distinct counts.
pub(super) fn hash_of(value: &Scalar) -> u64 {
    let text = match value {
        Scalar::Bool(value) => return u64::from(*value),
        Scalar::Text(text) => return xxhash_rust::xxh3::xxh3_64(text.as_bytes()),
        Scalar::Int(value) => Decimal::from(*value).normalize().serialize(),
        Scalar::Decimal(value) => value.normalize().serialize(),
        Scalar::Time(time) => return xxhash_rust::xxh3::xxh3_64(&time.0.to_le_bytes()),
    };
    xxhash_rust::xxh3::xxh3_64(&text)
}
