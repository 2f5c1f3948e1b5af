//! A look at a programme on which a person has decided.

use super::super::audit::Unseen;
use super::super::customer::Customer;
use super::super::evidence;
use super::super::look::{Findings, Found, Occasion, changed, grant, hold, target_tier, tiers};
use super::super::programme::{By, Held};
use super::super::view::View;
use super::Word;
use crate::model::event::OverrideAction;
use crate::model::output::overridden::Verdict;
use crate::model::output::{Change, Evidence};
use crate::rules::ruleset::Programme;

/// A programme, a person's word on it, and what its rule says.
struct Case<'a> {
    index: u8,
    rule: &'a Programme,
    word: Word,
    verdict: Verdict,
    rows: Vec<Evidence>,
    /// The tier that the rule gives.
    tier: Option<u8>,
}

impl Case<'_> {
    /// Whoever holds a programme by its rule is asked whether they keep it, the others whether it would be granted.
    fn ask(&mut self, customer: &Customer, occasion: &Occasion<'_>) {
        let view = View { rules: occasion.rules, customer: Some(customer), event: None, cuts: occasion.cuts };
        let place = occasion.rules.labels.len() + usize::from(self.index);
        let keeps = occasion.ask(&self.rule.keep, &view, place) != Some(false);
        let by_rule = customer.held(self.index).is_some_and(|held| held.by != By::Override);
        let (expression, program) = if by_rule { ("keep", &self.rule.keep) } else { ("grant", &self.rule.grant) };
        let holds = keeps && (by_rule || occasion.ask(&self.rule.grant, &view, place) == Some(true));
        self.verdict = Verdict { expression, holds };
        self.rows = evidence::of(program, &view, None);
        self.tier = target_tier(self.rule, &view).0;
    }

    fn found(&self, change: Change) -> Found {
        let overridden = Some(self.word.overridden(self.rule, self.verdict));
        Found { change, evidence: self.rows.clone(), overridden }
    }

    fn revoked(&self, reason: &'static str, held: &Held) -> Found {
        let (programme, revokes) = (self.rule.name.clone(), held.grant);
        self.found(Change::Revoked { programme, reason, revokes, standing: Vec::new() })
    }

    /// The tier moves at once, with what else changed.
    fn moved(&self, held: &mut Held, reason: &'static str, to: Option<u8>, customer: &Customer) -> Found {
        let from = std::mem::replace(&mut held.tier, to);
        held.fall_since = None;
        if from != to {
            held.rise_at = customer.as_of;
        }
        self.found(changed(self.rule, reason, from, to))
    }

    /// Judges the tier as if nobody had decided; what comes of it shows the decision all the same.
    fn tiers(&self, held: &mut Held, customer: &Customer, occasion: &Occasion<'_>, found: &mut Findings) {
        let view = View { rules: occasion.rules, customer: Some(customer), event: None, cuts: occasion.cuts };
        let (changes, unseen) = (found.changes.len(), found.unseen.len());
        tiers(held, self.rule, &view, customer.as_of, found);
        let overridden = || Some(self.word.overridden(self.rule, self.verdict));
        found.changes[changes..].iter_mut().for_each(|found| found.overridden = overridden());
        found.unseen[unseen..].iter_mut().for_each(|unseen| unseen.overridden = overridden());
    }
}

/// Judges it; says whether nothing is left for the rule to do.
pub(in crate::engine) fn judge(
    customer: &mut Customer,
    index: u8,
    rule: &Programme,
    occasion: &Occasion<'_>,
    found: &mut Findings,
) -> bool {
    let Some(word) = customer.word(index).cloned() else { return false };
    let is_in_force = word.is_in_force(customer.as_of);
    let by_override = customer.held(index).is_some_and(|held| held.by != By::Rule);
    if !word.in_force && !is_in_force && !by_override {
        return false;
    }
    let verdict = Verdict { expression: "grant", holds: false };
    let mut case = Case { index, rule, word, verdict, rows: Vec::new(), tier: None };
    case.ask(customer, occasion);
    if !is_in_force {
        return end(&case, customer, occasion, found);
    }
    if case.word.action == OverrideAction::Grant {
        uphold(&case, customer, occasion, found);
        return true;
    }
    if let Some(at) = customer.standing().iter().position(|held| held.programme == index) {
        let held = customer.rare().held.remove(at);
        found.changes.push(case.revoked("override", &held));
        case.ask(customer, occasion);
    }
    compare(&case, customer, case.verdict.holds, found);
    true
}

/// A grant holds: whatever the rule says, the programme is held.
fn uphold(case: &Case<'_>, customer: &mut Customer, occasion: &Occasion<'_>, found: &mut Findings) {
    let (word, holds) = (&case.word, case.verdict.holds);
    let by = if holds { By::Both } else { By::Override };
    let named = word.tier.is_some();
    let tier = if named { word.tier } else { case.tier };
    let Some(at) = customer.standing().iter().position(|held| held.programme == case.index) else {
        let (held, mut change) = grant(customer, case.index, case.rule, tier, occasion);
        if let (Change::Granted { valid_until, .. }, false) = (&mut change, holds) {
            *valid_until = Some(word.ends);
        }
        hold(customer, Held { by, tier_by_override: named, ..held });
        found.changes.push(case.found(change));
        // The grant itself shows what the rule says.
        return customer.note_look(case.index, true, !holds);
    };
    let mut held = customer.standing()[at].clone();
    let was_expiring = std::mem::take(&mut held.announced);
    (held.by, held.false_since, held.by_refund) = (by, None, false);
    let was_named = std::mem::replace(&mut held.tier_by_override, named);
    if named || was_named {
        if was_expiring || held.tier != tier {
            found.changes.push(case.moved(&mut held, "override", tier, customer));
        }
    } else if was_expiring {
        found.changes.push(case.found(changed(case.rule, "override", held.tier, held.tier)));
    } else {
        case.tiers(&mut held, customer, occasion, found);
    }
    customer.rare().held[at] = held;
    compare(case, customer, !holds, found);
}

/// Notes whether the rule says otherwise, and says so when that begins or ends.
fn compare(case: &Case<'_>, customer: &mut Customer, disagrees: bool, found: &mut Findings) {
    let Case { index, rule, word, verdict, rows, .. } = case;
    found.restated |= !word.in_force || word.disagrees != disagrees;
    if word.disagrees != disagrees {
        let decision = match (disagrees, word.action) {
            (false, _) => "rule_agrees",
            (true, OverrideAction::Deny) => "denied_by_override",
            (true, _) => "kept_by_override",
        };
        found.unseen.push(Unseen {
            programme: rule.name.clone(),
            decision,
            until: disagrees.then_some(word.ends),
            tiers: None,
            evidence: rows.clone(),
            overridden: Some(word.overridden(rule, *verdict)),
        });
    }
    customer.note_look(*index, true, disagrees);
}

/// Nobody's word is in force any more: the rule decides at once.
fn end(case: &Case<'_>, customer: &mut Customer, occasion: &Occasion<'_>, found: &mut Findings) -> bool {
    found.restated = true;
    customer.note_look(case.index, false, false);
    let Some(at) = customer.standing().iter().position(|held| held.programme == case.index) else {
        // Not judged while it was denied, it may have been true all along.
        customer.news = u16::MAX;
        return false;
    };
    let mut held = customer.standing()[at].clone();
    if !case.verdict.holds {
        customer.rare().held.remove(at);
        found.changes.push(case.revoked("override_ended", &held));
        return true;
    }
    held.by = By::Rule;
    if !std::mem::take(&mut held.tier_by_override) {
        case.tiers(&mut held, customer, occasion, found);
    } else if held.tier != case.tier {
        found.changes.push(case.moved(&mut held, "override_ended", case.tier, customer));
    }
    customer.rare().held[at] = held;
    true
}
