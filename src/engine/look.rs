//! A look: labels, then programmes, judged on a customer's facts at one instant.

use std::cell::Cell;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::agents::Agents;
use super::audit::{self, Unseen};
use super::customer::{Customer, NEVER};
use super::programme::{By, Held, Step, TierStep, rank};
use super::rates::{Prices, Rates};
use super::seat::{self, Candidacy};
use super::settle::{ACTIVE, Cuts, NO_CUTS};
use super::view::View;
use super::{evidence, overrides, routing, status};
use crate::model::effect::Origin;
use crate::model::event::Event;
use crate::model::id::EntityKind;
use crate::model::output::overridden::Overridden;
use crate::model::output::{Cause, Change, Decision, Evidence, Output, OutputId, Routing, Scalar, Trigger, Weight};
use crate::model::record::Position;
use crate::model::settle::{Rank, Standing};
use crate::model::time::EventTime;
use crate::rules::budget::Budget;
use crate::rules::fact::{Fact, Facts};
use crate::rules::parse::weight_of;
use crate::rules::program::{Comparison, Program};
use crate::rules::ruleset::{ALWAYS, Programme, Ruleset};
use crate::rules::value::Val;

/// What brought about a look.
#[derive(Clone, Copy)]
pub(super) enum Brought<'a> {
    /// An event, and where it lies.
    Event(&'a Event, Position),
    /// An event that had to wait for the clock, or that is another entity's.
    Origin(&'a Origin),
    Time,
}

/// The circumstances of a look.
pub(super) struct Occasion<'a> {
    pub(super) app: &'a str,
    pub(super) rules: &'a Ruleset,
    pub(super) agents: &'a Agents,
    pub(super) rates: &'a Rates,
    /// What all customers have.
    pub(super) cuts: &'a Cuts,
    pub(super) cause: Brought<'a>,
    /// A refund or cancellation took something back.
    pub(super) refund: bool,
    /// How often each rule was in error: labels, programmes, alerts, in file order.
    pub(super) errors: &'a [Cell<u64>],
}

impl Brought<'_> {
    /// What it goes back to; `None` for time.
    pub(super) fn origin(&self) -> Option<Origin> {
        match self {
            Self::Event(event, position) => Some(Origin::of(event, *position)),
            Self::Origin(origin) => Some((*origin).clone()),
            Self::Time => None,
        }
    }
}

impl Occasion<'_> {
    pub(super) const fn prices(&self) -> Prices<'_> {
        Prices { rules: self.rules, rates: self.rates }
    }

    /// A predicate's answer; `None`, and counted, where it is in error. `rule` is its place among all rules.
    pub(super) fn ask(&self, program: &Program, view: &View<'_>, rule: usize) -> Option<bool> {
        let answer = program.decide(view);
        if answer.is_none() {
            self.errors[rule].set(self.errors[rule].get() + 1);
        }
        answer
    }

    pub(super) const fn cause(&self) -> Cause {
        let kind = match self.cause {
            Brought::Event(event, _) => event.kind(),
            Brought::Origin(origin) => origin.kind,
            Brought::Time => return Cause::Timer,
        };
        if kind.is_by_hand() { Cause::Override } else { Cause::Event }
    }

    pub(super) fn trigger(&self) -> Option<Trigger> {
        let (position, event_id) = match self.cause {
            Brought::Event(event, position) => (position, &event.event_id),
            Brought::Origin(origin) => (origin.position, &origin.event_id),
            Brought::Time => return None,
        };
        Some(Trigger { position, event_id: event_id.clone() })
    }

    pub(super) fn id(&self, type_: &str, entity: &str, name: &str, reason: &str, at: EventTime) -> OutputId {
        let (kind, key) = match self.cause {
            Brought::Event(event, _) => (event.kind().name(), event.business_key()),
            Brought::Origin(origin) => (origin.kind.name(), origin.key.clone()),
            Brought::Time => ("timer", CompactString::default()),
        };
        OutputId::of(&[self.app, type_, entity, name, reason, kind, &key], at)
    }
}

/// What a look found before the standing after it is known.
pub(super) struct Found {
    pub(super) change: Change,
    pub(super) evidence: Vec<Evidence>,
    pub(super) overridden: Option<Box<Overridden>>,
}

impl Found {
    /// A change on which nobody decided but the rules.
    fn by_rule(change: Change, evidence: Vec<Evidence>) -> Self {
        Self { change, evidence, overridden: None }
    }
}

/// What a look brought: changes, and decisions that change nothing visible.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) changes: Vec<Found>,
    pub(super) unseen: Vec<Unseen>,
    /// The standing is to be said again, though nothing in it changed.
    pub(super) restated: bool,
}

/// Judges labels and programmes; appends what changed.
pub(super) fn look(customer: &mut Customer, occasion: &Occasion<'_>, outputs: &mut Vec<Output>) {
    let mut found = Findings::default();
    let is_account = customer.id.kind() == EntityKind::Account;
    if !is_account {
        labels(customer, occasion, &mut found.changes);
    }
    for (index, rule) in (0..).zip(&occasion.rules.programmes) {
        match (rule.of_account, is_account) {
            (true, false) => found.changes.extend(follow(customer, index, rule, occasion)),
            (of_account, is_account) if of_account == is_account => {
                programme(customer, index, rule, occasion, &mut found);
                sit(customer, index, rule, occasion);
            }
            _ => {}
        }
    }
    let Findings { changes, unseen, restated } = found;
    customer.look_again = !changes.is_empty();
    customer.news = if customer.look_again { u16::MAX } else { ALWAYS };
    if customer.look_again {
        say(customer, occasion, changes, outputs);
    }
    if customer.look_again || restated {
        status::say(customer, occasion, outputs);
    }
    audit::say(customer, occasion, unseen, outputs);
}

/// Takes every label and programme from a customer who is erased, or merged into another, whatever tenure and grace say.
/// What the decisions rested on is not said any more: it is about somebody to be forgotten, or another's by now.
pub(super) fn leave(customer: &mut Customer, reason: &'static str, occasion: &Occasion<'_>, outputs: &mut Vec<Output>) {
    let rules = occasion.rules;
    let labels = std::mem::take(&mut customer.labels);
    let labels = rules.labels.iter().enumerate().filter(|(index, _)| labels >> index & 1 == 1);
    let left =
        labels.map(|(_, label)| Change::Left { label: label.name.clone(), definition: label.when.text().into() });
    let held = customer.rare.as_mut().map(|rare| std::mem::take(&mut rare.held)).unwrap_or_default();
    customer.leave_seats();
    let revoked = held.into_iter().map(|held| Change::Revoked {
        programme: rules.programmes[usize::from(held.programme)].name.clone(),
        reason,
        revokes: held.grant,
        standing: Vec::new(),
    });
    let found = left.chain(revoked).map(|change| Found::by_rule(change, Vec::new())).collect();
    say(customer, occasion, found, outputs);
}

/// Says what changed, each with the standing after the whole look.
fn say(customer: &mut Customer, occasion: &Occasion<'_>, found: Vec<Found>, outputs: &mut Vec<Output>) {
    if found.is_empty() {
        return;
    }
    let standing = customer.standing_names(occasion.rules);
    let weight = weight(customer, occasion.rules);
    for Found { mut change, evidence, overridden } in found {
        complete(&mut change, &standing, &weight);
        customer.seq += 1;
        let reason = match &change {
            Change::Revoked { reason, .. } | Change::Changed { reason, .. } => reason,
            _ => "",
        };
        let event_id = occasion.id(change.type_name(), customer.id.as_str(), change.name(), reason, customer.as_of);
        outputs.push(Output::Decision(Box::new(Decision {
            event_id,
            customer_id: customer.id.clone(),
            account_id: customer.account_id().map(CompactString::from),
            status_seq: u64::from(customer.seq),
            occurred_at: customer.as_of,
            cause: occasion.cause(),
            trigger: occasion.trigger(),
            evidence,
            change,
            overridden,
        })));
    }
}

/// Fills in what is known only after the whole look.
fn complete(change: &mut Change, after: &[CompactString], now: &Weight) {
    match change {
        Change::Granted { standing, weight, .. } | Change::Changed { standing, weight, .. } => {
            *standing = after.to_vec();
            *weight = now.clone();
        }
        Change::Revoked { standing, .. } | Change::Expiring { standing, .. } | Change::Waitlisted { standing, .. } => {
            *standing = after.to_vec();
        }
        Change::Entered { .. } | Change::Left { .. } => {}
    }
}

fn labels(customer: &mut Customer, occasion: &Occasion<'_>, found: &mut Vec<Found>) {
    let rules = occasion.rules;
    for (index, label) in rules.labels.iter().enumerate() {
        if rules.plan.inputs[0][index] & customer.news == 0 {
            continue;
        }
        let view = View { rules, customer: Some(customer), event: None, cuts: occasion.cuts };
        let holds = occasion.ask(&label.when, &view, index) == Some(true);
        if holds == (customer.labels >> index & 1 == 1) {
            continue;
        }
        let evidence = evidence::of(&label.when, &view, None);
        let (name, definition) = (label.name.clone(), label.when.text().into());
        let change =
            if holds { Change::Entered { label: name, definition } } else { Change::Left { label: name, definition } };
        customer.labels ^= 1 << index;
        found.push(Found::by_rule(change, evidence));
    }
}

fn programme(customer: &mut Customer, index: u8, rule: &Programme, occasion: &Occasion<'_>, found: &mut Findings) {
    if overrides::judge(customer, index, rule, occasion, found) {
        return customer.stand_aside(index);
    }
    let rules = occasion.rules;
    if let Some(budget) = &rule.budget
        && let Some(granted_at) = customer.held(index).map(|held| held.granted_at)
        && let Some(verdict) = customer.displaced(index, granted_at)
    {
        return displace(customer, (index, rule, budget), verdict, occasion, found);
    }
    let view = View { rules, customer: Some(customer), event: None, cuts: occasion.cuts };
    let ask = |program| occasion.ask(program, &view, rules.labels.len() + usize::from(index));
    let Some(at) = customer.standing().iter().position(|held| held.programme == index) else {
        if rules.plan.inputs[1][usize::from(index)] & customer.news == 0 && !customer.awaits_verdict(index) {
            return;
        }
        let qualifies = ask(&rule.grant) == Some(true) && ask(&rule.keep) != Some(false);
        if let Some(budget) = &rule.budget {
            let standing = if qualifies { budget.candidate(&view) } else { None };
            return vie(customer, (index, rule, budget), standing, occasion, found);
        }
        if qualifies {
            found.changes.push(granted(customer, index, rule, None, occasion));
        }
        return;
    };
    let keep = ask(&rule.keep) != Some(false);
    let mut held = customer.standing()[at].clone();
    let step = held.step(rule, keep, customer.as_of, occasion.refund, rules.refund_skips_grace);
    let name = || rule.name.clone();
    let evidence = || evidence::of(&rule.keep, &view, None);
    let unseen = |decision, until| {
        let (tiers, overridden) = (None, None);
        Unseen { programme: name(), decision, until, tiers, evidence: evidence(), overridden }
    };
    match step {
        Step::Nothing => tiers(&mut held, rule, &view, customer.as_of, found),
        Step::HeldByTenure(until) => {
            found.unseen.push(unseen("held_by_tenure", Some(until)));
            tiers(&mut held, rule, &view, customer.as_of, found);
        }
        Step::KeptInTenure => {
            found.unseen.push(unseen("kept_in_tenure", None));
            tiers(&mut held, rule, &view, customer.as_of, found);
        }
        Step::Kept => {
            let change = changed(rule, "kept", held.tier, held.tier);
            found.changes.push(Found::by_rule(change, evidence()));
        }
        Step::Expiring(valid_until) => {
            let evidence = evidence();
            let missing = evidence.iter().filter(|row| row.holds == Some(false)).cloned().collect();
            let change = Change::Expiring { programme: name(), valid_until, missing, standing: Vec::new() };
            found.changes.push(Found::by_rule(change, evidence));
        }
        Step::Revoked { by_refund } => {
            let reason = if by_refund { "refund_reversed" } else { "rule_false" };
            let change = Change::Revoked { programme: name(), reason, revokes: held.grant, standing: Vec::new() };
            found.changes.push(Found::by_rule(change, evidence()));
            customer.rare().held.remove(at);
            return;
        }
    }
    customer.rare().held[at] = held;
}

/// What a look finds of somebody who would hold a programme if there were a place.
fn vie(
    customer: &mut Customer,
    (index, rule, budget): (u8, &Programme, &Budget),
    standing: Option<Standing>,
    occasion: &Occasion<'_>,
    found: &mut Findings,
) {
    let rows = |customer: &Customer| {
        evidence::of(
            &rule.grant,
            &View { rules: occasion.rules, customer: Some(customer), event: None, cuts: occasion.cuts },
            None,
        )
    };
    match customer.vie(index, standing) {
        Candidacy::Waits => {}
        Candidacy::Granted(rank) => {
            let row = seat::row(&budget.rank, rank);
            let mut grant = granted(customer, index, rule, Some(rank.place), occasion);
            grant.evidence.push(row);
            found.changes.push(grant);
        }
        Candidacy::Listed(rank, settled_at) => {
            let mut evidence = rows(customer);
            evidence.push(seat::row(&budget.rank, rank));
            found.changes.push(Found::by_rule(waitlisted(rule, budget, rank, settled_at), evidence));
        }
        Candidacy::Lapsed => {
            let (programme, evidence) = (rule.name.clone(), rows(customer));
            let (decision, until, tiers, overridden) = ("off_waitlist", None, None, None);
            found.unseen.push(Unseen { programme, decision, until, tiers, evidence, overridden });
        }
    }
}

/// Takes a programme from somebody whose place is another's now.
fn displace(
    customer: &mut Customer,
    (index, rule, budget): (u8, &Programme, &Budget),
    (rank, settled_at): (Rank, EventTime),
    occasion: &Occasion<'_>,
    found: &mut Findings,
) {
    let held = &mut customer.rare().held;
    let at = held.iter().position(|held| held.programme == index).expect("it is held");
    let (programme, revokes) = (rule.name.clone(), held.remove(at).grant);
    let change = Change::Revoked { programme, reason: "displaced", revokes, standing: Vec::new() };
    let row = seat::row(&budget.rank, rank);
    found.changes.push(Found::by_rule(change, vec![row.clone()]));
    let view = View { rules: occasion.rules, customer: Some(customer), event: None, cuts: occasion.cuts };
    let ask = |program| occasion.ask(program, &view, occasion.rules.labels.len() + usize::from(index));
    let qualifies = ask(&rule.grant) == Some(true) && ask(&rule.keep) != Some(false);
    let standing = if qualifies { budget.candidate(&view) } else { None };
    if standing.is_some() {
        let mut evidence = evidence::of(&rule.grant, &view, None);
        evidence.push(row);
        found.changes.push(Found::by_rule(waitlisted(rule, budget, rank, settled_at), evidence));
    }
    customer.list(index, standing, rank);
}

fn waitlisted(rule: &Programme, budget: &Budget, rank: Rank, settled_at: EventTime) -> Change {
    let scalar = |rank: Option<Decimal>| rank.map(|rank| budget.rank.value(rank));
    Change::Waitlisted {
        programme: rule.name.clone(),
        rank: rank.place,
        value: scalar(rank.value),
        cut: scalar(rank.cut),
        places: rank.places,
        settled_at,
        standing: Vec::new(),
    }
}

/// Where somebody stands in a programme after a look, as far as budgets count it.
fn sit(customer: &mut Customer, index: u8, rule: &Programme, occasion: &Occasion<'_>) {
    let rules = occasion.rules;
    let counts = rules.budget.is_some() && !rule.of_account && rules.settles();
    if rule.budget.is_none() && !counts {
        return;
    }
    let since = customer.held(index).filter(|held| held.by == By::Rule).map(|held| held.granted_at);
    let now = since.map(|since| match &rule.budget {
        Some(budget) => {
            budget.member(since, &View { rules, customer: Some(customer), event: None, cuts: occasion.cuts })
        }
        None => seat::unranked(since),
    });
    customer.sit(index, now);
}

/// Judges the tier of a programme that stays held.
pub(super) fn tiers(held: &mut Held, rule: &Programme, view: &View<'_>, at: EventTime, found: &mut Findings) {
    let (target, upto) = target_tier(rule, view);
    let from = held.tier;
    let evidence = || evidence::of_all(rule.tiers[..upto].iter().map(|(_, tier)| tier), view);
    let (decision, until, tiers) = match held.move_tier(rule, target, at) {
        TierStep::Nothing => return,
        TierStep::Moved => {
            let reason = if rank(target) < rank(from) { "tier_rise" } else { "tier_fall" };
            return found.changes.push(Found::by_rule(changed(rule, reason, from, target), evidence()));
        }
        TierStep::Held(until) => ("tier_held", Some(until), Some([tier_name(rule, from), tier_name(rule, target)])),
        TierStep::Kept => ("tier_kept", None, None),
    };
    let (programme, evidence) = (rule.name.clone(), evidence());
    found.unseen.push(Unseen { programme, decision, until, tiers, evidence, overridden: None });
}

pub(super) fn changed(rule: &Programme, reason: &'static str, from: Option<u8>, to: Option<u8>) -> Change {
    Change::Changed {
        programme: rule.name.clone(),
        reason,
        from: tier_name(rule, from),
        to: tier_name(rule, to),
        weight: Scalar::Int(1),
        standing: Vec::new(),
    }
}

pub(super) fn tier_name(rule: &Programme, tier: Option<u8>) -> Option<CompactString> {
    tier.map(|tier| rule.tiers[usize::from(tier)].0.clone())
}

/// Puts a programme into the standing, in its place.
pub(super) fn hold(customer: &mut Customer, held: Held) {
    let standing = &mut customer.rare().held;
    standing.reserve_exact(1);
    standing.push(held);
    standing.sort_unstable_by_key(|held| held.programme);
}

/// What an account holds its contacts hold, in the same tier and no longer: the account has its clock.
fn follow(customer: &mut Customer, index: u8, rule: &Programme, occasion: &Occasion<'_>) -> Option<Found> {
    let told =
        customer.account_summary().and_then(|summary| summary.held.iter().find(|(programme, _)| *programme == index));
    let told = told.map(|(_, tier)| *tier);
    let at = customer.standing().iter().position(|held| held.programme == index);
    Some(match (at, told) {
        (None, None) => return None,
        (None, Some(tier)) => {
            let (held, change) = grant(customer, index, rule, tier, occasion);
            hold(customer, held);
            Found::by_rule(change, vec![evidence::of_account("held", rule, Scalar::Bool(true))])
        }
        (Some(at), None) => {
            let held = customer.rare().held.remove(at);
            let (programme, revokes) = (rule.name.clone(), held.grant);
            let change = Change::Revoked { programme, reason: "rule_false", revokes, standing: Vec::new() };
            Found::by_rule(change, vec![evidence::of_account("held", rule, Scalar::Bool(false))])
        }
        (Some(at), Some(tier)) => {
            let from = std::mem::replace(&mut customer.rare().held[at].tier, tier);
            if from == tier {
                return None;
            }
            let reason = if rank(tier) < rank(from) { "tier_rise" } else { "tier_fall" };
            let name = tier_name(rule, tier).map(Scalar::Text);
            let evidence = name.into_iter().map(|name| evidence::of_account("tier", rule, name)).collect();
            Found::by_rule(changed(rule, reason, from, tier), evidence)
        }
    })
}

/// Grants a programme now.
fn granted(customer: &mut Customer, index: u8, rule: &Programme, rank: Option<u32>, occasion: &Occasion<'_>) -> Found {
    let view = View { rules: occasion.rules, customer: Some(customer), event: None, cuts: occasion.cuts };
    let evidence = evidence::of(&rule.grant, &view, None);
    let (tier, _) = target_tier(rule, &view);
    let (held, mut change) = grant(customer, index, rule, tier, occasion);
    if let Change::Granted { rank: place, .. } = &mut change {
        *place = rank;
    }
    hold(customer, held);
    Found::by_rule(change, evidence)
}

pub(super) fn grant(
    customer: &Customer,
    index: u8,
    rule: &Programme,
    tier: Option<u8>,
    occasion: &Occasion<'_>,
) -> (Held, Change) {
    let id = occasion.id("vip.granted", customer.id.as_str(), &rule.name, "", customer.as_of);
    let change = Change::Granted {
        programme: rule.name.clone(),
        profile: rule.profile.clone(),
        tier: tier_name(rule, tier),
        rank: None,
        valid_until: paid_until(rule, customer),
        routing: routing(rule, customer, occasion),
        greeting: greeting(rule, customer),
        entitlements: rule.entitlements.clone(),
        priority: u32::from(index) + 1,
        weight: Scalar::Int(1),
        standing: Vec::new(),
    };
    (Held::granted(index, tier, customer.as_of, id), change)
}

/// End of the subscription that the programme's `keep` reads, while it is paid.
pub(super) fn paid_until(rule: &Programme, customer: &Customer) -> Option<EventTime> {
    let reads_subscribed = rule.keep.facts().any(|fact| fact == Fact::Subscribed);
    customer.subscribed_until().filter(|end| reads_subscribed && customer.as_of < *end)
}

/// The tier the rule gives, and how many tiers were looked at for it.
pub(super) fn target_tier(rule: &Programme, view: &View<'_>) -> (Option<u8>, usize) {
    let found = (0u8..).zip(&rule.tiers).find(|(_, (_, tier))| tier.decide(view) == Some(true));
    let at = found.map(|(at, _)| at);
    (at, at.map_or(rule.tiers.len(), |at| usize::from(at) + 1))
}

/// Where a member of a programme goes, where the programme says.
pub(super) fn routing(rule: &Programme, customer: &Customer, occasion: &Occasion<'_>) -> Option<Routing> {
    let rule = rule.routing.as_ref()?;
    Some(routing::routing(rule, customer, occasion.agents, occasion.rules))
}

pub(super) fn greeting(rule: &Programme, customer: &Customer) -> Option<String> {
    greet(rule.greeting.as_ref()?, customer)
}

/// `None` for a greeting by name of somebody whose name is not known.
pub(super) fn greet(greeting: &str, customer: &Customer) -> Option<String> {
    if !greeting.contains("{name}") {
        return Some(greeting.to_owned());
    }
    Some(greeting.replace("{name}", name(customer)?))
}

/// What a customer or account is called.
pub(super) fn name(customer: &Customer) -> Option<&str> {
    match customer.id.kind() {
        EntityKind::Account => customer.account()?.name.as_deref(),
        _ => customer.profile()?.name.as_deref(),
    }
}

/// The greatest weight among the tiers held.
pub(super) fn weight(customer: &Customer, rules: &Ruleset) -> Weight {
    let weights = customer.standing().iter().map(|held| {
        let rule = &rules.programmes[usize::from(held.programme)];
        if rule.tiers.is_empty() {
            return Scalar::Int(1);
        }
        let tier = held.tier.map_or("none", |tier| &rule.tiers[usize::from(tier)].0);
        rules.weights.get(tier).cloned().unwrap_or(Scalar::Int(1))
    });
    weights.max_by_key(weight_of).unwrap_or(Scalar::Int(1))
}

/// The next instant after now at which time alone may change a label or programme, but for exits.
pub(super) fn next_instant(customer: &Customer, rules: &Ruleset) -> EventTime {
    let now = customer.as_of;
    let mut next = NEVER;
    let mut consider = |at: EventTime| {
        if at > now {
            next = next.min(at);
        }
    };
    let watch = rules.plan.watch(customer.id.kind());
    if watch.subscribed {
        customer.subscribed_until().into_iter().for_each(&mut consider);
    }
    let view = View { rules, customer: Some(customer), event: None, cuts: NO_CUTS };
    for (fact, op, days) in &watch.days {
        if let Val::Time(time) = view.fact(*fact) {
            let flips: &[i64] = match op {
                Comparison::Less | Comparison::GreaterOrEqual => &[0],
                Comparison::LessOrEqual | Comparison::Greater => &[1],
                Comparison::Equal | Comparison::NotEqual => &[0, 1],
            };
            let day = rules.calendar.day(time);
            for flip in flips {
                consider(rules.calendar.start(day.saturating_add(*days).clamp(-1, MAX_DAY) + flip));
            }
        }
    }
    if rules.counts_active() && customer.is_active() {
        customer.last_seen.get().map(|seen| seen.plus(ACTIVE)).into_iter().for_each(&mut consider);
    }
    for held in customer.standing() {
        let rule = &rules.programmes[usize::from(held.programme)];
        held.instants(rule, rules.refund_skips_grace).for_each(&mut consider);
    }
    customer.ends_of_overrides().for_each(&mut consider);
    next
}

/// Beyond every date that an event can have.
const MAX_DAY: i64 = 400_000;
