//! What people decide about programmes, whatever the rules say: by name, with a reason and an end.
//!
//! Of each programme the newest word is kept; while it is in force the rule is judged all the same, and what it says
//! is shown beside. At the end the rule decides at once, without tenure and grace.

mod arrival;
mod judge;
mod members;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

pub use arrival::Refusal;
pub use arrival::Refused;
pub(super) use judge::judge;
pub(super) use members::Counted;
pub use members::Members;

use super::apply::hash;
use super::customer::Customer;
use super::image::blob;
use super::image::wire::{Flaw, RANGE};
use super::look::tier_name;
use super::programme::{By, Held};
use crate::model::event::OverrideAction;
use crate::model::output::Alert;
use crate::model::output::overridden::{Overridden, Verdict};
use crate::model::time::EventTime;
use crate::rules::ruleset::{Programme, Ruleset};

/// What people decided about one customer or account, and may yet decide.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct ByHand {
    /// The newest on each programme, by place in the ruleset.
    words: Vec<Word>,
    /// Hashes of the ids of alerts about public complaints, and when. The newest [`MAX_COMPLAINTS`] of 90 days.
    complaints: Vec<(u64, EventTime)>,
}

/// A person's newest word on a programme.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Word {
    // The first of these decides which of two is the newer.
    at: EventTime,
    action: OverrideAction,
    ends: EventTime,
    id: CompactString,
    programme: u8,
    /// Place of the tier that it names.
    tier: Option<u8>,
    by: CompactString,
    reason: CompactString,
    approved_by: Option<CompactString>,
    case_id: Option<CompactString>,
    /// It was at the last look.
    in_force: bool,
    /// The rule said otherwise then.
    disagrees: bool,
}

/// Most alerts about public complaints that are remembered of a customer.
const MAX_COMPLAINTS: usize = 64;
const COMPLAINTS_KEPT: std::time::Duration = std::time::Duration::from_hours(90 * 24);

impl Word {
    fn is_in_force(&self, now: EventTime) -> bool {
        self.action != OverrideAction::Lift && now < self.ends
    }

    fn overridden(&self, rule: &Programme, verdict: Verdict) -> Box<Overridden> {
        let Self { action, ends, id, tier, by, reason, approved_by, case_id, .. } = self.clone();
        Box::new(Overridden {
            override_id: id,
            action,
            tier: tier_name(rule, tier),
            by,
            reason,
            expires_at: (action != OverrideAction::Lift).then_some(ends),
            approved_by,
            case_id,
            rule: Some(verdict),
        })
    }
}

impl ByHand {
    /// From a snapshot, or from somebody merged into this one.
    pub(super) fn decode(bytes: &[u8], rules: &Ruleset) -> Result<Self, Flaw> {
        let it: Self = blob::decode(bytes)?;
        let fits = |word: &Word| {
            let rule = rules.programmes.get(usize::from(word.programme));
            rule.is_some_and(|rule| word.tier.is_none_or(|tier| usize::from(tier) < rule.tiers.len()))
        };
        let is_sorted = it.words.is_sorted_by(|left, right| left.programme < right.programme);
        if is_sorted && it.words.iter().all(fits) { Ok(it) } else { Err(RANGE) }
    }

    /// Takes a word in, if it is the newest on its programme; says whether it is.
    fn hear(&mut self, word: Word) -> bool {
        match self.words.binary_search_by_key(&word.programme, |other| other.programme) {
            Ok(at) if word > self.words[at] => self.words[at] = word,
            Ok(_) => return false,
            Err(at) => self.words.insert(at, word),
        }
        true
    }

    /// Takes in what was decided about another who is the same.
    pub(super) fn unite(&mut self, other: Self) {
        for word in other.words {
            // Of whoever it is about now no look has found it in force.
            self.hear(Word { in_force: false, disagrees: false, ..word });
        }
        other.complaints.into_iter().for_each(|(alert, at)| self.note_complaint(alert, at));
    }

    fn note_complaint(&mut self, alert: u64, at: EventTime) {
        let at = self.complaints.iter().find(|(other, _)| *other == alert).map_or(at, |(_, other)| at.max(*other));
        self.complaints.retain(|(other, _)| *other != alert);
        self.complaints.push((alert, at));
        self.complaints.sort_unstable_by_key(|(alert, at)| (*at, *alert));
        self.complaints.drain(..self.complaints.len().saturating_sub(MAX_COMPLAINTS));
    }

    /// When something in it is next forgotten.
    pub(super) fn next_lapse(&self) -> Option<EventTime> {
        self.complaints.first().map(|(_, at)| at.plus(COMPLAINTS_KEPT))
    }

    /// Drops what nothing can read any more; says whether nothing is left. A word that has ended stays: an older one may
    /// come late.
    pub(super) fn forget(&mut self, as_of: EventTime) -> bool {
        self.complaints.retain(|(_, at)| as_of < at.plus(COMPLAINTS_KEPT));
        self.words.is_empty() && self.complaints.is_empty()
    }
}

impl Customer {
    fn word(&self, programme: u8) -> Option<&Word> {
        let by_hand = self.rare.as_ref()?.by_hand.as_deref()?;
        by_hand.words.iter().find(|word| word.programme == programme)
    }

    fn word_mut(&mut self, programme: u8) -> Option<&mut Word> {
        let by_hand = self.rare.as_mut()?.by_hand.as_deref_mut()?;
        by_hand.words.iter_mut().find(|word| word.programme == programme)
    }

    /// Notes what a look found.
    fn note_look(&mut self, programme: u8, in_force: bool, disagrees: bool) {
        if let Some(word) = self.word_mut(programme) {
            (word.in_force, word.disagrees) = (in_force, disagrees);
        }
    }

    /// Notes that an agent was asked to answer a public complaint.
    pub(super) fn note_complaint(&mut self, alert: &Alert) {
        if alert.kind == "public_complaint" && alert.customer_id.is_some() {
            self.lapses = self.lapses.min(alert.occurred_at.plus(COMPLAINTS_KEPT));
            let id = hash(&alert.alert_id.to_string());
            self.rare().by_hand.get_or_insert_default().note_complaint(id, alert.occurred_at);
        }
    }

    fn has_complained(&self, alert_id: &str) -> bool {
        let by_hand = self.rare.as_ref().and_then(|rare| rare.by_hand.as_ref());
        let mut complaints = by_hand.iter().flat_map(|by_hand| &by_hand.complaints);
        complaints.any(|(alert, at)| *alert == hash(alert_id) && self.as_of < at.plus(COMPLAINTS_KEPT))
    }

    /// When overrides end.
    pub(super) fn ends_of_overrides(&self) -> impl Iterator<Item = EventTime> {
        let by_hand = self.rare.as_ref().and_then(|rare| rare.by_hand.as_ref());
        let words = by_hand.into_iter().flat_map(|by_hand| &by_hand.words);
        words.filter(|word| word.action != OverrideAction::Lift).map(|word| word.ends)
    }

    /// Until when a programme is held, where an override alone holds it.
    pub(super) fn held_until(&self, held: &Held) -> Option<EventTime> {
        let word = self.word(held.programme).filter(|word| word.action == OverrideAction::Grant);
        word.filter(|_| held.by == By::Override).map(|word| word.ends)
    }

    /// What the last look found in force on a programme.
    pub(super) fn overridden(&self, programme: u8, rule: &Programme) -> Option<Box<Overridden>> {
        let word = self.word(programme).filter(|word| word.in_force)?;
        let by_rule = self.held(programme).is_some_and(|held| held.by != By::Override);
        let holds = word.disagrees == (word.action == OverrideAction::Deny);
        Some(word.overridden(rule, Verdict { expression: if by_rule { "keep" } else { "grant" }, holds }))
    }
}

#[cfg(test)]
pub(super) mod tests;
