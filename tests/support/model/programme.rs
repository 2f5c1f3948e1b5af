//! The clock of one held programme: grace after keep, and the fall of tiers.

use std::time::Duration;

use vipstream::model::output::OutputId;
use vipstream::model::time::EventTime;

use super::rules::{Programme, Ruleset};

/// A programme that a customer holds.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Place in the programme's tiers, 0 the highest; `None`: no tier, lower than all.
    pub(super) tier: Option<usize>,
    pub(super) grant: OutputId,
    granted_at: EventTime,
    /// The grant or the last rise.
    risen_at: EventTime,
    /// Keep has been false since, and whether money going back made it so.
    failing: Option<(EventTime, bool)>,
    /// `vip.expiring` has said so.
    announced: bool,
    /// The rule has given a lower tier since.
    lower_since: Option<EventTime>,
}

/// What a look makes of a held programme.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Stay,
    Kept,
    Expiring { until: EventTime },
    Revoked { by_refund: bool },
    Rise { to: Option<usize> },
    Fall { to: Option<usize> },
}

/// What the rules say at a look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) keep: bool,
    pub(super) tier: Option<usize>,
    pub(super) refund: bool,
}

impl Held {
    pub(super) fn granted(at: EventTime, grant: OutputId, tier: Option<usize>) -> Self {
        Self { tier, grant, granted_at: at, risen_at: at, failing: None, announced: false, lower_since: None }
    }

    /// One look at an instant.
    pub(super) fn step(&mut self, rules: &Ruleset, programme: &Programme, verdict: Verdict, now: EventTime) -> Step {
        match self.keep(rules, programme, verdict, now) {
            Step::Stay => self.tier(programme, verdict.tier, now),
            step => step,
        }
    }

    fn keep(&mut self, rules: &Ruleset, programme: &Programme, verdict: Verdict, now: EventTime) -> Step {
        if verdict.keep {
            self.failing = None;
            return if std::mem::take(&mut self.announced) { Step::Kept } else { Step::Stay };
        }
        let (_, by_refund) = *self.failing.get_or_insert((now, verdict.refund));
        let (begin, end) = self.grace(rules, programme).expect("keep is false");
        if now >= end {
            Step::Revoked { by_refund }
        } else if now >= begin && !self.announced {
            self.announced = true;
            Step::Expiring { until: end }
        } else {
            Step::Stay
        }
    }

    fn tier(&mut self, programme: &Programme, target: Option<usize>, now: EventTime) -> Step {
        let height = |tier: Option<usize>| std::cmp::Reverse(tier.unwrap_or(usize::MAX));
        if height(target) >= height(self.tier) {
            self.lower_since = None;
            if target == self.tier {
                return Step::Stay;
            }
            self.tier = target;
            self.risen_at = now;
            return Step::Rise { to: target };
        }
        self.lower_since.get_or_insert(now);
        if self.fall(programme).is_some_and(|matures| now >= matures) {
            self.lower_since = None;
            self.tier = target;
            return Step::Fall { to: target };
        }
        Step::Stay
    }

    /// When grace begins and ends, where keep is false.
    fn grace(&self, rules: &Ruleset, programme: &Programme) -> Option<(EventTime, EventTime)> {
        let (since, by_refund) = self.failing?;
        let (tenure, grace) = if by_refund && rules.skip_grace_on_refund {
            (Duration::ZERO, Duration::ZERO)
        } else {
            (programme.tenure, programme.grace)
        };
        let begin = since.max(self.granted_at.plus(tenure));
        Some((begin, begin.plus(grace)))
    }

    /// When a fall of tiers matures.
    fn fall(&self, programme: &Programme) -> Option<EventTime> {
        let since = self.lower_since?;
        Some(since.plus(programme.grace).max(self.risen_at.plus(programme.tenure)))
    }

    /// The instants at which time alone changes something.
    pub(super) fn instants(&self, rules: &Ruleset, programme: &Programme) -> Vec<EventTime> {
        let mut instants: Vec<EventTime> = self.fall(programme).into_iter().collect();
        if let Some((begin, end)) = self.grace(rules, programme) {
            instants.extend([begin, end]);
        }
        instants
    }
}
