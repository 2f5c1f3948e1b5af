//! Time moving forward: what leaves its window is taken off, what nothing can read any more is forgotten.
//!
//! Most events find nothing to do here: `lapses` tells when there will be.

use super::customer::{BUSY, Customer, NEVER, Rare};
use super::entry::Entry;
use crate::model::event::Kind;
use crate::model::time::{EventTime, MaybeTime};
use crate::rules::calendar::Window;
use crate::rules::ruleset::Ruleset;

impl Customer {
    /// Moves time forward: what has left its window by then is taken off.
    ///
    /// Returns how many refunds are given up because their order never came.
    pub(super) fn advance(&mut self, to: EventTime, rules: &Ruleset) -> u64 {
        if to <= self.as_of {
            return 0;
        }
        let from = self.as_of;
        self.as_of = to;
        if to < self.lapses {
            return 0;
        }
        self.news = u16::MAX;
        let new_date = rules.calendar.day(from) != rules.calendar.day(to);
        for kind in KINDS_WITH_OBJECTS {
            let plan = rules.plan.of(kind);
            for window in &plan.windows {
                let dated = !matches!(window, Window::Hours(_) | Window::Minutes(_));
                if dated && !new_date || rules.calendar.unit(*window, from) == rules.calendar.unit(*window, to) {
                    continue;
                }
                self.expel(kind, *window, from, rules);
            }
        }
        let unmatched = self.forget(rules);
        self.lapses = self.next_lapse(rules);
        unmatched
    }

    /// The next instant at which something leaves a window or is forgotten.
    fn next_lapse(&self, rules: &Ruleset) -> EventTime {
        let mut next = self.rare.as_ref().map_or(NEVER, |rare| rare.next_lapse(rules.visit_gap));
        for kind in KINDS_WITH_OBJECTS {
            let objects = &self.log[self.objects(kind)];
            let Some(oldest) = objects.first() else { continue };
            next = next.min(self.forgotten_at(kind, oldest.place(), rules).unwrap_or(NEVER));
            for window in &rules.plan.of(kind).windows {
                let first = rules.calendar.first_inside(*window, self.as_of);
                let inside = objects.get(objects.partition_point(|entry| entry.place() < first));
                let exit = inside.and_then(|entry| rules.calendar.exit(*window, entry.place()));
                next = next.min(exit.unwrap_or(NEVER));
            }
        }
        next
    }

    /// Takes off what left a window between `from` and now.
    fn expel(&mut self, kind: Kind, window: Window, from: EventTime, rules: &Ruleset) {
        let objects = self.objects(kind);
        let place_before =
            |place: EventTime| objects.start + self.log[objects.clone()].partition_point(|entry| entry.place() < place);
        let start = place_before(rules.calendar.first_inside(window, from));
        let end = place_before(rules.calendar.first_inside(window, self.as_of));
        if start >= end {
            return;
        }
        for index in &rules.plan.of(kind).features {
            let feature = &rules.features[usize::from(*index)];
            if feature.window != window {
                continue;
            }
            for at in start..end {
                if let Some(contribution) = feature.contribution(&self.log[at], self.extra(&self.log[at]), rules) {
                    self.add(*index, &contribution, rules, -1);
                    self.exit = STALE;
                }
            }
        }
    }

    /// Drops objects that nothing can read any more, and bounds the log.
    fn forget(&mut self, rules: &Ruleset) -> u64 {
        for kind in KINDS_WITH_OBJECTS {
            let objects = self.objects(kind);
            let gone = self.log[objects.clone()]
                .iter()
                .take_while(|entry| {
                    self.forgotten_at(kind, entry.place(), rules).is_some_and(|until| until <= self.as_of)
                })
                .count();
            for entry in self.log.drain(objects.start..objects.start + gone).collect::<Vec<_>>() {
                let extra = self.take_extra(&entry);
                if extra.period_end != MaybeTime::NONE {
                    self.rare().pay_until(extra.period_end);
                }
            }
        }
        let Some(rare) = &mut self.rare else { return 0 };
        if self.log.len() <= BUSY {
            rare.keys = None;
        }
        let unmatched = rare.forget(self.as_of, rules.visit_gap);
        if **rare == Rare::default() {
            self.rare = None;
        }
        unmatched
    }

    /// The earliest exit from a watched feature, found anew where it is not known.
    pub(super) fn find_exit(&mut self, rules: &Ruleset) -> EventTime {
        let watch = rules.plan.watch(self.id.kind());
        if self.exit == STALE {
            self.exit = NEVER;
            for index in watch.features() {
                if let Some(exit) = self.exit_of(index, rules) {
                    self.exit = self.exit.min(exit);
                }
            }
        }
        let buckets = self.rare.iter().flat_map(|rare| &rare.buckets);
        let bucket = buckets.filter(|bucket| watch.has(bucket.feature)).map(|bucket| bucket.exit).min();
        self.exit.min(bucket.unwrap_or(NEVER))
    }

    fn exit_of(&self, index: u8, rules: &Ruleset) -> Option<EventTime> {
        let feature = &rules.features[usize::from(index)];
        if feature.window == Window::Lifetime || self.tally.count(index) == 0 {
            return None;
        }
        let entry = self
            .inside(feature, rules)
            .iter()
            .find(|entry| feature.contribution(entry, self.extra(entry), rules).is_some())?;
        rules.calendar.exit(feature.window, entry.place())
    }

    /// Notes the first instant at which an object leaves a window or is forgotten.
    pub(super) fn note_lapse(&mut self, entry: &Entry, rules: &Ruleset) {
        let kind = entry.kind();
        let exits = rules.plan.of(kind).windows.iter().filter_map(|window| rules.calendar.exit(*window, entry.place()));
        let forgotten = self.forgotten_at(kind, entry.place(), rules);
        self.lapses = exits.chain(forgotten).min().unwrap_or(NEVER).min(self.lapses);
    }
}

/// An instant before all: the exit must be found anew.
pub(super) const STALE: EventTime = EventTime(i64::MIN);

/// Kinds whose events are about objects with identity, in the order of the log; the others are kept in buckets.
pub(super) const KINDS_WITH_OBJECTS: [Kind; 6] =
    [Kind::Purchase, Kind::Csat, Kind::Mention, Kind::Referral, Kind::Case, Kind::ReferredPurchase];
