//! The clock of one held programme: grace after keep, and the fall of tiers.

use std::time::Duration;

use vipstream::model::output::OutputId;
use vipstream::model::time::EventTime;

use super::rules::{Programme, Ruleset};

/// By whose word a programme is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Rule,
    /// A person says so, and so does the rule.
    Both,
    Override,
}

/// A programme that a customer holds.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) by: By,
    /// A person names the tier.
    pub(super) tier_by_override: bool,
    /// Place in the programme's tiers, 0 the highest; `None`: no tier, lower than all.
    pub(super) tier: Option<usize>,
    pub(super) grant: OutputId,
    pub(super) granted_at: EventTime,
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
    /// Keep no longer holds, but tenure does.
    HeldByTenure {
        until: EventTime,
    },
    /// Keep holds again, and nobody was told of it.
    KeptInTenure,
    Kept,
    Expiring {
        until: EventTime,
    },
    Revoked {
        by_refund: bool,
    },
    Rise {
        to: Option<usize>,
    },
    Fall {
        to: Option<usize>,
    },
    /// The rule gives a lower tier, but not yet.
    TierHeld {
        lower: Option<usize>,
        until: EventTime,
    },
    /// It gives the one held again.
    TierKept,
    /// The rule says no, and a person yes.
    KeptByOverride {
        until: EventTime,
    },
    DeniedByOverride {
        until: EventTime,
    },
    RuleAgrees,
    /// Waits no longer for a place.
    OffWaitlist,
}

/// What the rules say at a look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) keep: bool,
    pub(super) tier: Option<usize>,
    pub(super) refund: bool,
}

impl Step {
    /// Whether `vip.events` tells of it.
    pub(super) fn is_visible(&self) -> bool {
        !matches!(self, Self::Stay | Self::HeldByTenure { .. } | Self::KeptInTenure)
            && !matches!(self, Self::TierHeld { .. } | Self::TierKept | Self::OffWaitlist)
    }
}

impl Held {
    pub(super) fn granted(at: EventTime, grant: OutputId, tier: Option<usize>) -> Self {
        let (by, tier_by_override) = (By::Rule, false);
        let (failing, announced, lower_since) = (None, false, None);
        Self { by, tier_by_override, tier, grant, granted_at: at, risen_at: at, failing, announced, lower_since }
    }

    /// One look at an instant: what became of the programme, and then, where that is nothing to be seen, of its tier.
    pub(super) fn step(
        &mut self,
        rules: &Ruleset,
        programme: &Programme,
        verdict: Verdict,
        now: EventTime,
    ) -> Vec<Step> {
        let of_programme = self.keep(rules, programme, verdict, now);
        let mut steps = vec![of_programme.clone()];
        if !of_programme.is_visible() {
            steps.push(self.tier(programme, verdict.tier, now));
        }
        steps.retain(|step| *step != Step::Stay);
        steps
    }

    fn keep(&mut self, rules: &Ruleset, programme: &Programme, verdict: Verdict, now: EventTime) -> Step {
        if verdict.keep {
            let failed = self.failing.take().is_some();
            return match (failed, std::mem::take(&mut self.announced)) {
                (false, _) => Step::Stay,
                (true, true) => Step::Kept,
                (true, false) => Step::KeptInTenure,
            };
        }
        let is_new = self.failing.is_none();
        let (_, by_refund) = *self.failing.get_or_insert((now, verdict.refund));
        let (begin, end) = self.grace(rules, programme).expect("keep is false");
        if now >= end {
            Step::Revoked { by_refund }
        } else if now >= begin && !self.announced {
            self.announced = true;
            Step::Expiring { until: end }
        } else if is_new {
            Step::HeldByTenure { until: begin }
        } else {
            Step::Stay
        }
    }

    /// Whatever the rule says, it stays; whether it was said to end.
    pub(super) fn is_safe(&mut self) -> bool {
        self.failing = None;
        std::mem::take(&mut self.announced)
    }

    /// Another tier at once.
    pub(super) fn put_in(&mut self, tier: Option<usize>, now: EventTime) {
        if tier != self.tier {
            self.risen_at = now;
        }
        self.tier = tier;
        self.lower_since = None;
    }

    pub(super) fn tier(&mut self, programme: &Programme, target: Option<usize>, now: EventTime) -> Step {
        let height = |tier: Option<usize>| std::cmp::Reverse(tier.unwrap_or(usize::MAX));
        if height(target) >= height(self.tier) {
            let was_lower = self.lower_since.take().is_some();
            if target == self.tier {
                return if was_lower { Step::TierKept } else { Step::Stay };
            }
            self.tier = target;
            self.risen_at = now;
            return Step::Rise { to: target };
        }
        let is_new = self.lower_since.is_none();
        self.lower_since.get_or_insert(now);
        let matures = self.fall(programme).expect("the rule gives a lower tier");
        if now >= matures {
            self.lower_since = None;
            self.tier = target;
            return Step::Fall { to: target };
        }
        if is_new { Step::TierHeld { lower: target, until: matures } } else { Step::Stay }
    }

    /// When the programme ends, where that was said.
    pub(super) fn ends(&self, rules: &Ruleset, programme: &Programme) -> Option<EventTime> {
        if !self.announced {
            return None;
        }
        self.grace(rules, programme).map(|(_, end)| end)
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
