//! What people decide about programmes, whatever the rules say.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use vipstream::model::event::{Acknowledged, Body, Event, Kind, Override, OverrideAction};
use vipstream::model::time::EventTime;

use super::customer::{Customer, Sight};
use super::evidence::{Row, evidence};
use super::keys;
use super::lines::{Line, Object, Order};
use super::look::{self, Cause, Draft, Run};
use super::memory::Outcome;
use super::programme::{By, Step};
use super::rules::{Programme, Ruleset};
use super::status::Unseen;
use super::value::truth;

const DAY: Duration = Duration::from_hours(24);
const COMPLAINTS_KEPT: Duration = Duration::from_hours(90 * 24);
const MAX_COMPLAINTS: usize = 64;

/// What was decided about somebody, and may yet be.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ByHand {
    /// What has come, by kind, business key and time.
    heard: Vec<(Kind, String, EventTime)>,
    /// Every word that was ever taken.
    words: Vec<Word>,
    /// By programme: the word that the last look found in force, and whether the rule said otherwise.
    found: BTreeMap<String, (Word, bool)>,
    /// Ids of alerts about public complaints, and when.
    complaints: Vec<(String, EventTime)>,
}

/// A person's word, and when it was said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    at: EventTime,
    said: Override,
    tier: Option<usize>,
}

impl Word {
    fn in_force(&self, now: EventTime) -> bool {
        self.said.expires_at.is_some_and(|end| now < end)
    }

    /// Of two words the greater is the newer; of two at once a denial is, then what ends another.
    fn age(&self) -> impl Ord {
        let Override { action, override_id, expires_at, by, reason, approved_by, case_id, .. } = self.said.clone();
        let action = match action {
            OverrideAction::Grant => 0,
            OverrideAction::Lift => 1,
            OverrideAction::Deny => 2,
        };
        (self.at, action, expires_at, override_id, self.tier, (by, reason, approved_by, case_id))
    }
}

impl ByHand {
    fn newest(&self, programme: &str) -> Option<&Word> {
        self.words.iter().filter(|word| word.said.programme == programme).max_by_key(|word| word.age())
    }

    /// The newest word, where the last look found it in force; and whether the rule said otherwise.
    fn found(&self, programme: &str) -> Option<(&Word, bool)> {
        let (word, disagrees) = self.found.get(programme)?;
        (self.newest(programme) == Some(word)).then_some((word, *disagrees))
    }

    /// What was decided about another who is the same.
    pub(super) fn unite(&mut self, other: Self) {
        self.heard.extend(other.heard);
        self.words.extend(other.words);
        self.complaints.extend(other.complaints);
    }

    /// Somebody is asked to answer a public complaint.
    pub(super) fn note_complaint(&mut self, alert_id: String, at: EventTime) {
        self.complaints.push((alert_id, at));
    }

    fn has_complaint(&self, alert_id: &str, now: EventTime) -> bool {
        let mut newest: BTreeMap<&str, EventTime> = BTreeMap::new();
        for (id, at) in &self.complaints {
            let known = newest.entry(id).or_insert(*at);
            *known = (*known).max(*at);
        }
        let mut newest: Vec<(EventTime, &str)> = newest.into_iter().map(|(id, at)| (at, id)).collect();
        newest.sort_unstable();
        newest.reverse();
        newest.iter().take(MAX_COMPLAINTS).any(|(at, id)| *id == alert_id && now < at.plus(COMPLAINTS_KEPT))
    }
}

/// What a person decided, in so many words or by making a VIP of somebody who had complained.
fn said(event: &Event) -> Option<Override> {
    match &event.body {
        Body::Override(said) => Some((**said).clone()),
        Body::Acknowledgement(it) => it.make_vip.as_ref().map(|make_vip| Override {
            override_id: it.alert_id.clone(),
            action: OverrideAction::Grant,
            programme: make_vip.programme.clone(),
            by: it.by.clone(),
            reason: it.note.clone().unwrap_or("public complaint resolved".into()),
            expires_at: Some(make_vip.expires_at),
            tier: None,
            approved_by: None,
            case_id: None,
            account_id: None,
        }),
        _ => None,
    }
}

impl Customer {
    /// Takes in what somebody decided by hand.
    pub(super) fn hear_word(&mut self, rules: &Ruleset, event: &Event) -> Outcome {
        let (kind, key) = (event.kind(), keys::business_key(event));
        let is_same = |(other, known, at): &(Kind, String, EventTime)| {
            *other == kind && *known == key && self.as_of < at.plus(DAY)
        };
        if self.by_hand.heard.iter().any(is_same) {
            return Outcome::default();
        }
        self.by_hand.heard.push((kind, key, event.at));
        let refused = |why| Outcome { refused: Some(why), ..Outcome::default() };
        let Some(mut said) = said(event) else { return Outcome::default() };
        if let Body::Acknowledgement(it) = &event.body {
            if it.action != Acknowledged::Resolved {
                return refused("not_resolved");
            }
            if !self.by_hand.has_complaint(&it.alert_id, self.as_of) {
                return refused("no_public_complaint");
            }
        }
        let Some(programme) = rules.programmes.iter().find(|rule| rule.name == said.programme) else {
            return refused("unknown_programme");
        };
        if programme.of_account != self.entity.is_account() {
            return refused(if programme.of_account { "programme_of_accounts" } else { "programme_of_customers" });
        }
        if said.action != OverrideAction::Grant {
            said.tier = None;
        }
        let tier = said.tier.as_ref().and_then(|tier| programme.tiers.iter().position(|(name, _)| name == tier));
        let refused = (said.tier.is_some() && tier.is_none()).then_some("unknown_tier");
        let before = self.by_hand.newest(&programme.name).cloned();
        self.by_hand.words.push(Word { at: event.at, said, tier });
        let look = self.by_hand.newest(&programme.name) != before.as_ref();
        Outcome { look, refused, ..Outcome::default() }
    }

    /// When something that a person decided ends.
    pub(super) fn ends_of_words(&self, rules: &Ruleset) -> Vec<EventTime> {
        let newest = rules.programmes.iter().filter_map(|programme| self.by_hand.newest(&programme.name));
        newest.filter_map(|word| word.said.expires_at).collect()
    }

    /// Until when a programme is held, where no rule gives it.
    pub(super) fn held_until(&self, programme: &str) -> Option<EventTime> {
        let by_override = self.held.get(programme).is_some_and(|held| held.by == By::Override);
        let newest = self.by_hand.newest(programme).filter(|word| word.said.action == OverrideAction::Grant);
        newest.filter(|_| by_override)?.said.expires_at
    }

    /// What a person decided about a programme and is in force, as the status shows it.
    pub(super) fn shown(&self, programme: &Programme) -> Option<Shown> {
        let (word, disagrees) = self.by_hand.found(&programme.name)?;
        let is_denied = word.said.action == OverrideAction::Deny;
        let by_rule = self.held.get(&programme.name).is_some_and(|held| held.by != By::Override);
        Some(Shown::new(programme, word, if by_rule { "keep" } else { "grant" }, is_denied == disagrees))
    }
}

/// The two fields that show what a person decided, and what the rule says.
#[derive(Clone)]
pub(super) struct Shown {
    by_hand: Json,
    rule: Option<Json>,
}

impl Shown {
    fn new(programme: &Programme, word: &Word, expression: &str, holds: bool) -> Self {
        let tier = word.tier.map(|tier| programme.tiers[tier].0.as_str());
        let rule = json!({ "expression": expression, "holds": holds });
        Self { by_hand: in_words(&word.said, tier), rule: Some(rule) }
    }

    pub(super) fn put(self, body: &mut Object) {
        body.put("override", self.by_hand);
        body.put_some("rule", self.rule);
    }
}

fn in_words(said: &Override, tier: Option<&str>) -> Json {
    let action = match said.action {
        OverrideAction::Grant => "grant",
        OverrideAction::Deny => "deny",
        OverrideAction::Lift => "lift",
    };
    let mut body = Object::default();
    body.put("override_id", said.override_id.as_str());
    body.put("action", action);
    body.put_some("tier", tier);
    body.put("by", said.by.as_str());
    body.put("reason", said.reason.as_str());
    body.put_some("expires_at", said.expires_at.map(|end| end.to_string()));
    body.put_some("approved_by", said.approved_by.as_deref());
    body.put_some("case_id", said.case_id.as_deref());
    Json::Object(body.0)
}

/// What came of a look at a programme on which a person has decided.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) draft: Option<Draft>,
    /// The rule has nothing left to say.
    pub(super) is_done: bool,
    /// The standing is to be said again, whatever changed.
    pub(super) restated: bool,
}

/// What the rule says by itself.
struct Rule {
    expression: &'static str,
    holds: bool,
    rows: Vec<Row>,
    tier: Option<usize>,
}

fn ask(run: &Run, customer: &Customer, programme: &Programme) -> Rule {
    let sight = Sight { rules: &run.rules, customer, event: None };
    let keeps = truth(&programme.keep, &sight) != Ok(false);
    let tier = programme.tiers.iter().position(|(_, when)| truth(when, &sight) == Ok(true));
    if customer.held.get(&programme.name).is_some_and(|held| held.by != By::Override) {
        return Rule { expression: "keep", holds: keeps, rows: evidence(&[&programme.keep], &sight), tier };
    }
    let holds = keeps && truth(&programme.grant, &sight) == Ok(true);
    Rule { expression: "grant", holds, rows: evidence(&[&programme.grant], &sight), tier }
}

/// Judges a programme on which a person may have decided.
pub(super) fn judge(
    run: &Run,
    customer: &mut Customer,
    index: usize,
    cause: Cause<'_>,
    unseen: &mut Vec<Unseen>,
) -> Judged {
    let programme = &run.rules.programmes[index];
    let name = &programme.name;
    let Some(word) = customer.by_hand.newest(name).cloned() else { return Judged::default() };
    let was = customer.by_hand.found(name).map(|(_, disagrees)| disagrees);
    let is_in_force = word.in_force(customer.as_of);
    let is_held_by = customer.held.get(name).map(|held| held.by);
    if was.is_none() && !is_in_force && is_held_by.is_none_or(|by| by == By::Rule) {
        return Judged::default();
    }
    let rule = ask(run, customer, programme);
    if !is_in_force {
        customer.by_hand.found.remove(name);
        return end(run, customer, index, cause, (&word, rule), unseen);
    }
    if word.said.action == OverrideAction::Grant {
        if is_held_by.is_none() {
            let draft = grant(run, customer, index, cause, (&word, &rule));
            customer.by_hand.found.insert(name.clone(), (word, !rule.holds));
            return Judged { draft: Some(draft), is_done: true, restated: true };
        }
        let draft = uphold(run, customer, programme, cause, (&word, &rule), unseen);
        let restated = compare(customer, programme, (&word, was), (&rule, !rule.holds), unseen);
        return Judged { draft, is_done: true, restated };
    }
    let held = customer.held.get(name).cloned();
    let draft = held.map(|held| {
        let mut fields = Object::default();
        fields.put("programme", name.clone());
        fields.put("reason", "override");
        fields.put("revokes", held.grant.to_string());
        let shown = Shown::new(programme, &word, rule.expression, rule.holds);
        draft(run, customer, cause, ("vip.revoked", programme, "override"), (fields, rule.rows.clone(), shown))
    });
    customer.held.remove(name);
    let rule = ask(run, customer, programme);
    let restated = compare(customer, programme, (&word, was), (&rule, rule.holds), unseen);
    Judged { draft, is_done: true, restated }
}

fn draft(
    run: &Run,
    customer: &Customer,
    cause: Cause<'_>,
    (kind, programme, reason): (&'static str, &Programme, &str),
    (fields, evidence, shown): (Object, Vec<Row>, Shown),
) -> Draft {
    let id = look::output_id(run, customer, cause, kind, &programme.name, reason);
    let with_weight = kind == "vip.changed";
    let (name, shown) = (programme.name.clone(), Some(shown));
    Draft { kind, name, id, evidence, fields, with_weight, with_standing: true, shown }
}

fn grant(run: &Run, customer: &mut Customer, index: usize, cause: Cause<'_>, (word, rule): (&Word, &Rule)) -> Draft {
    let programme = &run.rules.programmes[index];
    let tier = word.tier.or(rule.tier);
    let mut draft = look::grant(run, customer, index, tier, cause, rule.rows.clone(), None);
    let held = customer.held.get_mut(&programme.name).expect("granted just now");
    held.by = if rule.holds { By::Both } else { By::Override };
    held.tier_by_override = word.tier.is_some();
    if !rule.holds {
        // Whatever else may end it, this does.
        let end = word.said.expires_at.expect("a grant ends").to_string();
        let mut fields = Object::default();
        for (name, value) in std::mem::take(&mut draft.fields.0) {
            if name == "valid_until" {
                continue;
            }
            if !fields.0.contains_key("valid_until") && !["programme", "profile", "tier"].contains(&name.as_str()) {
                fields.put("valid_until", end.clone());
            }
            fields.put(&name, value);
        }
        draft.fields = fields;
    }
    draft.shown = Some(Shown::new(programme, word, rule.expression, rule.holds));
    draft
}

/// It stays held, whatever the rule says.
fn uphold(
    run: &Run,
    customer: &mut Customer,
    programme: &Programme,
    cause: Cause<'_>,
    (word, rule): (&Word, &Rule),
    unseen: &mut Vec<Unseen>,
) -> Option<Draft> {
    let mut held = customer.held[&programme.name].clone();
    let (from, was_named) = (held.tier, held.tier_by_override);
    let was_expiring = held.is_safe();
    held.by = if rule.holds { By::Both } else { By::Override };
    held.tier_by_override = word.tier.is_some();
    let shown = Shown::new(programme, word, rule.expression, rule.holds);
    let mut found = None;
    if held.tier_by_override || was_named {
        held.put_in(word.tier.or(rule.tier), customer.as_of);
        if was_expiring || held.tier != from {
            found = Some((look::tier_fields(programme, "override", from, held.tier), "override", rule.rows.clone()));
        }
    } else if was_expiring {
        found = Some((look::tier_fields(programme, "override", from, from), "override", rule.rows.clone()));
    } else {
        found = tiers(run, customer, programme, (&mut held, rule.tier), &shown, unseen);
    }
    customer.held.insert(programme.name.clone(), held);
    let (fields, reason, rows) = found?;
    Some(draft(run, customer, cause, ("vip.changed", programme, reason), (fields, rows, shown)))
}

/// The tier as the rule has it, with the clock of tiers.
fn tiers(
    run: &Run,
    customer: &Customer,
    programme: &Programme,
    (held, target): (&mut super::programme::Held, Option<usize>),
    shown: &Shown,
    unseen: &mut Vec<Unseen>,
) -> Option<(Object, &'static str, Vec<Row>)> {
    let from = held.tier;
    let sight = Sight { rules: &run.rules, customer, event: None };
    let asked = programme.tiers.iter().take(target.map_or(usize::MAX, |tier| tier + 1));
    let rows = evidence(&asked.map(|tier| &tier.1).collect::<Vec<_>>(), &sight);
    let reason = match held.tier(programme, target, customer.as_of) {
        Step::Stay => return None,
        Step::Rise { .. } => "tier_rise",
        Step::Fall { .. } => "tier_fall",
        step => {
            unseen.push(Unseen::new(programme, step, from, rows).with(shown.clone()));
            return None;
        }
    };
    Some((look::tier_fields(programme, reason, from, held.tier), reason, rows))
}

/// Says where the rule begins or ends to say otherwise; and whether anything is new.
fn compare(
    customer: &mut Customer,
    programme: &Programme,
    (word, was): (&Word, Option<bool>),
    (rule, disagrees): (&Rule, bool),
    unseen: &mut Vec<Unseen>,
) -> bool {
    customer.by_hand.found.insert(programme.name.clone(), (word.clone(), disagrees));
    if was.unwrap_or(false) != disagrees {
        let until = word.said.expires_at.expect("it ends");
        let step = match (disagrees, word.said.action) {
            (false, _) => Step::RuleAgrees,
            (true, OverrideAction::Deny) => Step::DeniedByOverride { until },
            (true, _) => Step::KeptByOverride { until },
        };
        let shown = Shown::new(programme, word, rule.expression, rule.holds);
        unseen.push(Unseen::new(programme, step, None, rule.rows.clone()).with(shown));
    }
    was != Some(disagrees)
}

/// Nobody's word holds any more.
fn end(
    run: &Run,
    customer: &mut Customer,
    index: usize,
    cause: Cause<'_>,
    (word, rule): (&Word, Rule),
    unseen: &mut Vec<Unseen>,
) -> Judged {
    let programme = &run.rules.programmes[index];
    let Some(mut held) = customer.held.get(&programme.name).cloned() else {
        return Judged { restated: true, ..Judged::default() };
    };
    let shown = Shown::new(programme, word, rule.expression, rule.holds);
    let reason = "override_ended";
    if !rule.holds {
        customer.held.remove(&programme.name);
        let mut fields = Object::default();
        fields.put("programme", programme.name.clone());
        fields.put("reason", reason);
        fields.put("revokes", held.grant.to_string());
        let draft = draft(run, customer, cause, ("vip.revoked", programme, reason), (fields, rule.rows, shown));
        return Judged { draft: Some(draft), is_done: true, restated: true };
    }
    let from = held.tier;
    held.by = By::Rule;
    let found = if std::mem::take(&mut held.tier_by_override) {
        held.put_in(rule.tier, customer.as_of);
        let fields = || look::tier_fields(programme, reason, from, held.tier);
        (held.tier != from).then(|| (fields(), reason, rule.rows))
    } else {
        tiers(run, customer, programme, (&mut held, rule.tier), &shown, unseen)
    };
    customer.held.insert(programme.name.clone(), held);
    let draft = found.map(|(fields, reason, rows)| {
        draft(run, customer, cause, ("vip.changed", programme, reason), (fields, rows, shown))
    });
    Judged { draft, is_done: true, restated: true }
}

/// Says that what somebody decided is not taken.
pub(super) fn refusal(run: &Run, customer: &Customer, cause: Cause<'_>, why: &str) -> Line {
    let (event, _) = cause.expect("an event brought it");
    let said = said(event).expect("something was decided");
    let decision = if why == "unknown_tier" { "tier_refused" } else { "override_refused" };
    let kind = "decision";
    let id = look::output_id(run, customer, cause, kind, &said.programme, decision);
    let mut body = Object::default();
    body.put("event_id", id.to_string());
    body.put("type", kind);
    body.put("customer_id", customer.entity.customer_id());
    body.put_some("account_id", customer.account_id());
    look::put_common(run, customer, customer.as_of, cause, Some(&[]), &mut body);
    body.put("programme", said.programme.as_str());
    body.put("decision", decision);
    body.put("reason", why);
    body.put("standing", customer.standing(&run.rules));
    body.put("override", in_words(&said, said.tier.as_deref()));
    let order = Order {
        occurred_at: customer.as_of,
        entity: &customer.entity,
        status_seq: customer.status_seq,
        kind,
        name: &said.programme,
        id: Some(id),
    };
    Line::new(&order, body.0)
}
