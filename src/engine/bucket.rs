//! Contributions kept by window unit instead of one by one: of events without identity (presence,
//! engagement), and of orders beyond the bound.

use super::customer::{Customer, MAX_SEEN, NEVER};
use super::features::{Contribution, hash_of};
use crate::model::output::Scalar;
use crate::model::record::Position;
use crate::model::time::EventTime;
use crate::rules::ruleset::{Aggregate, Ruleset};

/// What one unit of one feature's window holds. A lifetime is one unit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) feature: u8,
    /// When the unit leaves the window.
    pub(super) exit: EventTime,
    pub(super) count: u64,
    /// In 10^-9.
    pub(super) sum: i128,
    /// Hashes of different values, at most [`MAX_SEEN`]; for `distinct`.
    pub(super) values: Vec<u64>,
    /// The first or last value with its place and key; for `first` and `last`.
    pub(super) extreme: Option<((EventTime, u64), Scalar)>,
    /// Place, key and position of the newest event; none for forgotten orders.
    pub(super) newest: Option<((EventTime, u64), Position)>,
}

impl Customer {
    /// Adds a contribution at `place` to its feature's bucket. One that has left already is passed over.
    pub(super) fn pour(
        &mut self,
        feature: u8,
        contribution: Contribution,
        order: (EventTime, u64),
        position: Option<Position>,
        rules: &Ruleset,
    ) {
        let rule = &rules.features[usize::from(feature)];
        let exit = rules.calendar.exit(rule.window, order.0).unwrap_or(NEVER);
        if exit <= self.as_of {
            return;
        }
        self.lapses = self.lapses.min(exit);
        let buckets = &mut self.rare().buckets;
        let at =
            buckets.iter().position(|bucket| bucket.feature == feature && bucket.exit == exit).unwrap_or_else(|| {
                buckets.push(Bucket {
                    feature,
                    exit,
                    count: 0,
                    sum: 0,
                    values: Vec::new(),
                    extreme: None,
                    newest: None,
                });
                buckets.len() - 1
            });
        let bucket = &mut buckets[at];
        bucket.count += 1;
        bucket.sum += contribution.amount();
        let newest = position.map(|position| (order, position));
        bucket.newest = bucket.newest.max(newest);
        if let Contribution::Value(value) = contribution {
            bucket.hold(rule.aggregate, order, value);
        }
    }

    /// Takes part of a forgotten order off its unit, never below nothing.
    pub(super) fn drain(&mut self, feature: u8, amount: i128, place: EventTime, rules: &Ruleset) {
        let rule = &rules.features[usize::from(feature)];
        let exit = rules.calendar.exit(rule.window, place).unwrap_or(NEVER);
        let Some(rare) = &mut self.rare else { return };
        if let Some(bucket) = rare.buckets.iter_mut().find(|bucket| bucket.feature == feature && bucket.exit == exit) {
            bucket.sum = (bucket.sum - amount).max(0);
        }
    }
}

impl Bucket {
    /// Takes in a value of the unit.
    pub(super) fn hold(&mut self, aggregate: Aggregate, order: (EventTime, u64), value: Scalar) {
        if aggregate == Aggregate::Distinct {
            let hash = hash_of(&value);
            if let Err(at) = self.values.binary_search(&hash)
                && self.values.len() < MAX_SEEN
            {
                self.values.insert(at, hash);
            }
            return;
        }
        let replaces = match &self.extreme {
            None => true,
            Some((other, _)) if aggregate == Aggregate::Last => order > *other,
            Some((other, _)) => order < *other,
        };
        if replaces {
            self.extreme = Some((order, value));
        }
    }
}
