//! One held programme: tenure, grace and tiers as a small machine that is stepped at each look.

use std::time::Duration;

use crate::model::output::OutputId;
use crate::model::time::EventTime;
use crate::rules::ruleset::Programme;

/// A programme held by a customer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Held {
    /// Place in the ruleset.
    pub(super) programme: u8,
    pub(super) by: By,
    pub(super) tier: Option<u8>,
    /// A person names the tier.
    pub(super) tier_by_override: bool,
    /// `keep` turned false at a look that a refund or cancellation caused.
    pub(super) by_refund: bool,
    /// `vip.expiring` has been said.
    pub(super) announced: bool,
    pub(super) granted_at: EventTime,
    /// Identity of the grant.
    pub(super) grant: OutputId,
    /// The grant, or the last rise of the tier.
    pub(super) rise_at: EventTime,
    /// Since when `keep` is false.
    pub(super) false_since: Option<EventTime>,
    /// Since when the rule gives a lower tier than held.
    pub(super) fall_since: Option<EventTime>,
}

/// By whose word a programme is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Rule,
    /// A person's, and the rule says the same.
    Both,
    /// A person's, whatever the rule says: outside every budget.
    Override,
}

/// What a look does to a held programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// `keep` is false from now on; tenure holds the programme until the instant.
    HeldByTenure(EventTime),
    /// `keep` holds again before tenure was over.
    KeptInTenure,
    /// `keep` holds again after `vip.expiring`.
    Kept,
    /// Grace has begun; it ends at the instant.
    Expiring(EventTime),
    /// By a refund, or not.
    Revoked {
        by_refund: bool,
    },
}

/// What a look does to the tier of a held programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TierStep {
    Nothing,
    Moved,
    /// The rule gives a lower tier from now on; the one held stays until the instant.
    Held(EventTime),
    /// The rule gives the tier held again.
    Kept,
}

impl Held {
    /// A programme granted now.
    pub(super) const fn granted(programme: u8, tier: Option<u8>, at: EventTime, grant: OutputId) -> Self {
        Self {
            programme,
            by: By::Rule,
            tier,
            tier_by_override: false,
            by_refund: false,
            announced: false,
            granted_at: at,
            grant,
            rise_at: at,
            false_since: None,
            fall_since: None,
        }
    }

    /// Steps the machine with the answer of `keep` at a look.
    pub(super) fn step(
        &mut self,
        rule: &Programme,
        keep: bool,
        at: EventTime,
        refund: bool,
        refund_skips: bool,
    ) -> Step {
        let was_kept = self.false_since.is_none();
        if keep {
            self.false_since = None;
            self.by_refund = false;
            return match std::mem::take(&mut self.announced) {
                true => Step::Kept,
                false if was_kept => Step::Nothing,
                false => Step::KeptInTenure,
            };
        }
        if was_kept {
            self.false_since = Some(at);
            self.by_refund = refund;
        }
        let (begin, end) = self.grace(rule, refund_skips).expect("keep is false");
        if at >= end {
            Step::Revoked { by_refund: self.by_refund }
        } else if at >= begin && !self.announced {
            self.announced = true;
            Step::Expiring(end)
        } else if was_kept {
            Step::HeldByTenure(begin)
        } else {
            Step::Nothing
        }
    }

    /// When grace begins and ends, while `keep` is false.
    fn grace(&self, rule: &Programme, refund_skips: bool) -> Option<(EventTime, EventTime)> {
        let since = self.false_since?;
        if self.by_refund && refund_skips {
            return Some((since, since));
        }
        let begin = since.max(self.granted_at.plus(rule.tenure));
        Some((begin, begin.plus(rule.grace)))
    }

    /// When the programme ends, once `vip.expiring` has said so.
    pub(super) fn expires_at(&self, rule: &Programme, refund_skips: bool) -> Option<EventTime> {
        self.grace(rule, refund_skips).filter(|_| self.announced).map(|(_, end)| end)
    }

    /// Takes the tier that the rule gives, when it is time.
    pub(super) fn move_tier(&mut self, rule: &Programme, target: Option<u8>, at: EventTime) -> TierStep {
        let falling = self.fall_since.take();
        if target == self.tier {
            return if falling.is_some() { TierStep::Kept } else { TierStep::Nothing };
        }
        if rank(target) > rank(self.tier) {
            let since = falling.unwrap_or(at);
            let matures = matures(since, self.rise_at, rule.grace, rule.tenure);
            if at < matures {
                self.fall_since = Some(since);
                return if falling.is_some() { TierStep::Nothing } else { TierStep::Held(matures) };
            }
        } else {
            self.rise_at = at;
        }
        self.tier = target;
        TierStep::Moved
    }

    /// The instants at which time alone may change something.
    pub(super) fn instants(&self, rule: &Programme, refund_skips: bool) -> impl Iterator<Item = EventTime> {
        let grace = self.grace(rule, refund_skips).map_or([None, None], |(begin, end)| [Some(begin), Some(end)]);
        let fall = self.fall_since.map(|since| matures(since, self.rise_at, rule.grace, rule.tenure));
        grace.into_iter().chain([fall]).flatten()
    }
}

/// Tiers from the highest, 0; no tier is the lowest.
pub(super) fn rank(tier: Option<u8>) -> usize {
    tier.map_or(usize::MAX, usize::from)
}

fn matures(since: EventTime, rise_at: EventTime, grace: Duration, tenure: Duration) -> EventTime {
    since.plus(grace).max(rise_at.plus(tenure))
}
