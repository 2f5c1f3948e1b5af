//! What of a customer counts where all are counted: whether they are active, and how much of what they have.
//!
//! Nothing is kept of a customer for it: whatever changes one asks before and after.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::ACTIVE;
use crate::engine::customer::Customer;
use crate::model::id::EntityKind;
use crate::model::time::EventTime;
use crate::rules::percentile::{self, Bucket, MAX_MEASURED, Percentile};
use crate::rules::ruleset::Ruleset;

/// What one customer counts for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Part {
    active: bool,
    /// By place in [`Ruleset::measured`].
    buckets: [Option<Bucket>; MAX_MEASURED],
}

impl Part {
    /// Of a customer as they are; nothing where nobody asks.
    pub(super) fn of(customer: &Customer, rules: &Ruleset) -> Self {
        if !rules.counts_all() || customer.id.kind() != EntityKind::Customer || customer.merged_into().is_some() {
            return Self::default();
        }
        let mut buckets = [None; MAX_MEASURED];
        for (bucket, feature) in buckets.iter_mut().zip(&rules.measured) {
            *bucket = percentile::bucket(customer.feature(*feature, rules));
        }
        Self { active: rules.counts_active() && customer.is_active(), buckets }
    }
}

impl Customer {
    /// Whether they count among the active.
    pub(in crate::engine) fn is_active(&self) -> bool {
        let is_own = self.id.kind() == EntityKind::Customer && self.merged_into().is_none();
        is_own && self.last_seen.get().is_some_and(|seen| self.as_of < seen.plus(ACTIVE))
    }
}

/// All of them together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Census {
    pub(super) active: u64,
    measured: Histograms,
}

/// How many customers are in each bucket, by measured feature.
pub(super) type Histograms = BTreeMap<(u8, Bucket), i64>;

impl Census {
    /// One customer counts for something else now; says whether they are active otherwise, and measured otherwise.
    pub(super) fn change(&mut self, before: Part, after: Part) -> (bool, bool) {
        self.active = self.active + u64::from(after.active) - u64::from(before.active);
        for (at, (before, after)) in (0..).zip(before.buckets.into_iter().zip(after.buckets)) {
            if before != after {
                for (bucket, by) in before.map(|it| (it, -1)).into_iter().chain(after.map(|it| (it, 1))) {
                    add(&mut self.measured, (at, bucket), by);
                }
            }
        }
        (before.active != after.active, before.buckets != after.buckets)
    }

    /// What has changed since it was said last; from now on it is said.
    pub(super) fn news(&self, said: &mut Histograms) -> Vec<(u8, Bucket, i64)> {
        let mut changes = self.measured.clone();
        for (key, count) in said.iter() {
            add(&mut changes, *key, -count);
        }
        said.clone_from(&self.measured);
        changes.into_iter().map(|((measured, bucket), by)| (measured, bucket, by)).collect()
    }
}

/// Counts some more, or fewer.
pub(super) fn add(histograms: &mut Histograms, key: (u8, Bucket), by: i64) {
    let count = histograms.entry(key).or_default();
    *count += by;
    if *count == 0 {
        histograms.remove(&key);
    }
}

/// The value that a part of all customers do not exceed: of so many the one at the place, rounded up, of that part.
pub(super) fn cut(histograms: &Histograms, percentile: &Percentile, rules: &Ruleset) -> Option<Decimal> {
    let at = rules.measured.iter().position(|feature| *feature == percentile.feature)?;
    let at = u8::try_from(at).ok()?;
    let of_feature = || histograms.range((at, Bucket::MIN)..=(at, Bucket::MAX));
    let all: i64 = of_feature().map(|(_, count)| *count).sum();
    let place = (Decimal::from(all) * percentile.part).ceil().to_i64()?;
    let mut passed = 0;
    let found = of_feature().find(|(_, count)| {
        passed += **count;
        passed >= place
    });
    found.map(|((_, bucket), _)| percentile::least(*bucket))
}

/// The percentiles that are in force, and those that were before: whoever's time is behind goes by these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::engine) struct Cuts(Vec<Cut>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cut {
    since: EventTime,
    settled_at: EventTime,
    /// By place in [`Ruleset::percentiles`].
    values: Vec<Option<Decimal>>,
}

/// A day apart, as they are at most: for whoever's time is further behind there is none.
const MOST: usize = 400;

impl Cuts {
    /// Takes in what is in force since an instant.
    pub(in crate::engine) fn take(&mut self, since: EventTime, settled_at: EventTime, values: Vec<Option<Decimal>>) {
        let at = self.0.partition_point(|cut| cut.since <= since);
        self.0.insert(at, Cut { since, settled_at, values });
        self.0.drain(..self.0.len().saturating_sub(MOST));
    }

    /// Those told last.
    pub(super) fn newest(&self) -> &[Option<Decimal>] {
        self.0.last().map_or(&[], |cut| &cut.values)
    }

    /// The percentile at a place, as of an instant, and of when it is.
    pub(in crate::engine) fn at(&self, as_of: EventTime, percentile: u8) -> Option<(Decimal, EventTime)> {
        let cut = self.0.iter().rev().find(|cut| cut.since <= as_of)?;
        Some(((*cut.values.get(usize::from(percentile))?)?, cut.settled_at))
    }
}

/// Of a ruleset without percentiles.
pub(in crate::engine) const NO_CUTS: &Cuts = &Cuts(Vec::new());
