//! A customer's detectors: what they are shown, when time calls them, and what of their findings is told.
//!
//! The detectors themselves are in [`crate::pivot`]. They see everybody's behaviour, whomever `for` names: whoever becomes of
//! interest later has a past then.

use std::sync::Arc;

use compact_str::CompactString;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::Engine;
use super::alert::{self, Raised};
use super::customer::{Customer, NEVER};
use super::customers::Slot;
use super::look::{Brought, Occasion};
use super::rates::Prices;
use super::view::View;
use crate::model::event::{self, Action, Activity, Body, Event, PurchaseStatus};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::output::pivot::{Found, TYPE, decimal};
use crate::model::output::{Evidence, Output, OutputId, Scalar};
use crate::model::record::Position;
use crate::model::time::EventTime;
use crate::pivot::budget::Grade;
use crate::pivot::state::State;
use crate::pivot::{Channel, Kind, Observation, Pivot, Taken};
use crate::rules::pivots::{PivotRule, bit, mark};
use crate::rules::ruleset::{On, Ruleset};

impl Customer {
    /// Whether a kind of pivot was told and has not ended.
    pub(super) fn has_turned(&self, kind: Kind) -> bool {
        let marks = Channel::ALL.into_iter().fold(0, |marks, channel| marks | mark(kind, channel));
        self.told_pivots() & marks != 0
    }

    /// What was told and has not ended, by [`mark`].
    pub(super) fn told_pivots(&self) -> u16 {
        self.rare.as_ref().map_or(0, |rare| rare.told)
    }

    /// When time alone may show something.
    pub(super) fn next_pivot(&self) -> Option<EventTime> {
        let state = self.pivots.as_ref().filter(|_| self.merged_into().is_none())?;
        state.due().map(EventTime)
    }

    /// When a detector is to be called, or what was held back told; [`NEVER`] where nothing waits for a time.
    pub(super) fn next_of_pivots(&self) -> EventTime {
        [self.next_pivot(), self.next_release()].into_iter().flatten().min().unwrap_or(NEVER)
    }

    /// Takes in what another's detectors remember. What is open no longer has ended without a word.
    pub(super) fn absorb_pivots(&mut self, other: &mut Self, rules: &Ruleset) {
        let Some(rule) = rules.pivots.as_ref().filter(|_| self.id.kind() == EntityKind::Customer) else { return };
        let told_at = |level| self.told_at(level, rule) | other.told_at(level, rule);
        let (told, told_as_alert) = (told_at(Grade::Watch), told_at(Grade::Alert));
        let held = other.rare.as_mut().map(|rare| std::mem::take(&mut rare.held_back)).unwrap_or_default();
        let Some(other) = other.pivots.take() else { return };
        // A timer that is set anew is none of the past.
        let after = self.as_of.0 + 1;
        let own = self.pivots.get_or_insert_default();
        own.absorb(*other, after, &rule.settings);
        let standing = |level| standing_at(own, level, rule);
        let (watched, alerted) = (standing(Grade::Watch), standing(Grade::Alert));
        let told = told & watched;
        if told != self.told_pivots() {
            self.rare().told = told;
        }
        self.absorb_held(held, (watched & !told, alerted & !told_as_alert), rule);
    }

    /// What was told at a level, or a stricter one: what is held back was not.
    fn told_at(&self, level: Grade, rule: &PivotRule) -> u16 {
        let told = self.told_pivots();
        if level == Grade::Watch {
            return told;
        }
        let held = self.rare.iter().flat_map(|rare| &rare.held_back).fold(0, |held, it| held | it.mark());
        self.pivots.as_ref().map_or(0, |state| standing_at(state, level, rule)) & told & !held
    }
}

/// What stands with a customer, told or not.
pub(super) fn open(customer: &Customer, rule: &PivotRule) -> u16 {
    customer.pivots.as_ref().map_or(0, |state| marks(state, rule))
}

fn marks(state: &State, rule: &PivotRule) -> u16 {
    standing_at(state, Grade::Watch, rule)
}

/// What stands at a level, or a stricter one.
fn standing_at(state: &State, level: Grade, rule: &PivotRule) -> u16 {
    let open = state.open(&rule.settings).into_iter().filter(|open| open.level >= level);
    open.fold(0, |open, it| open | mark(it.kind, it.channel))
}

/// What detectors see of an event that was taken in, where it is new behaviour.
fn observation(event: &Event, is_known: bool, prices: Prices<'_>, rule: &PivotRule) -> Option<Observation> {
    // Of one value one number, however it is written.
    let number = |decimal: Decimal| decimal.normalize().to_f64();
    match &event.body {
        Body::Purchase(purchase) => match purchase.status {
            PurchaseStatus::Completed => {
                let amount = prices.price(purchase.amount, &purchase.currency.0, event.at).and_then(number);
                let shop = purchase.channel.as_ref().and_then(|channel| rule.settings.shop(channel));
                Some(Observation::Purchase { amount, shop })
            }
            PurchaseStatus::Refunded => Some(Observation::Refund),
            _ => None,
        },
        Body::Csat(survey) if !is_known => Some(Observation::Csat(1.0 + 4.0 * number(survey.satisfaction)?)),
        Body::Mention(mention) if !is_known && mention.activity == Activity::Create => {
            mention.sentiment.and_then(number).map(Observation::Sentiment)
        }
        Body::Engagement(engagement) => {
            let is_theirs = !engagement.machine && !matches!(engagement.action, Action::Sent | Action::Unsubscribe);
            is_theirs.then_some(Observation::Engagement)
        }
        _ => None,
    }
}

/// Whether the detectors look at this entity.
fn watches(customer: &Customer) -> bool {
    customer.id.kind() == EntityKind::Customer && customer.merged_into().is_none()
}

/// Whether an object of the event's is remembered before it is taken in.
pub(super) fn is_known(customer: &Customer, event: &Event, rules: &Ruleset) -> bool {
    let has_versions = rules.pivots.is_some() && matches!(event.kind(), event::Kind::Csat | event::Kind::Mention);
    has_versions && customer.find(event.kind(), super::apply::hash(&event.object_key()), rules).is_some()
}

impl Engine {
    /// From now on what detectors are shown is kept for [`Engine::take_observations`].
    pub fn record_observations(&mut self) {
        self.observed.get_or_insert_default();
    }

    /// What detectors were shown since it was asked last: whose behaviour, when, and what.
    pub fn take_observations(&mut self) -> Vec<(CustomerId, EventTime, Observation)> {
        self.observed.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Shows the detectors an event that was taken in.
    pub(super) fn observe(
        &mut self,
        slot: Slot,
        (event, position): (&Event, Position),
        is_known: bool,
        outputs: &mut Vec<Output>,
    ) {
        let rules = Arc::clone(&self.rules);
        let customer = &mut self.customers[slot];
        let Some(rule) = rules.pivots.as_ref().filter(|_| watches(customer)) else { return };
        let prices = Prices { rules: &rules, rates: &self.rates };
        let Some(observation) = observation(event, is_known, prices, rule) else { return };
        if let Some(observed) = &mut self.observed {
            observed.push((customer.id.clone(), event.at, observation));
        }
        let state = customer.pivots.get_or_insert_default();
        let mut found = Vec::new();
        let taken = state.observe(observation, event.at.0, &rule.settings, &mut found);
        self.stats.gaps_late += u64::from(taken == Taken::Late);
        self.note_turned(&found, rule);
        self.tell_pivots(slot, found, rule, Brought::Event(event, position), outputs);
    }

    /// Calls the detectors that waited for a time that has come to the customer, and to the clock: before that, what would have
    /// kept them still may be on its way. What was held back until then is told.
    pub(super) fn call_detectors(&mut self, slot: Slot, outputs: &mut Vec<Output>) {
        let until = self.customers[slot].as_of.min(self.clock);
        // With most events nothing is due.
        if self.customers[slot].next_of_pivots() > until {
            return;
        }
        let rules = Arc::clone(&self.rules);
        let Some(rule) = rules.pivots.as_ref().filter(|_| watches(&self.customers[slot])) else { return };
        loop {
            let customer = &mut self.customers[slot];
            let at = customer.next_of_pivots();
            if at > until {
                return;
            }
            if customer.next_release() == Some(at) {
                self.release(slot, at, rule, outputs);
            } else if let Some(state) = &mut customer.pivots {
                let mut found = Vec::new();
                state.fire(at.0, &rule.settings, &mut found);
                self.note_turned(&found, rule);
                self.tell_pivots(slot, found, rule, Brought::Time, outputs);
            }
        }
    }

    /// Tells what was found, of whom the rules ask for; what was told is told to end.
    fn tell_pivots(
        &mut self,
        slot: Slot,
        found: Vec<Pivot>,
        rule: &PivotRule,
        cause: Brought<'_>,
        outputs: &mut Vec<Output>,
    ) {
        for pivot in found {
            self.stats.pivots += 1;
            let mark = mark(pivot.of.unwrap_or(pivot.kind), pivot.channel);
            let was_told = self.customers[slot].told_pivots() & mark != 0;
            if pivot.of.is_some() {
                self.drop_held(slot, mark);
            }
            let customer = &self.customers[slot];
            let is_asked_for = || rule.kinds & bit(pivot.kind) != 0 && self.is_pivot_for(customer, rule);
            if !was_told && (pivot.of.is_some() || !is_asked_for()) {
                continue;
            }
            // What was told must be told to end.
            let ends = pivot.of.is_some() || was_told && pivot.is_over(rule.settings.budget());
            let pivot = if ends { Some(pivot) } else { self.hold_back(slot, pivot, rule) };
            if let Some(pivot) = pivot {
                self.drop_held(slot, mark);
                self.tell_pivot(slot, pivot, cause, None, outputs);
            }
        }
        let customer = &self.customers[slot];
        debug_assert!(
            customer.pivots.is_none() || customer.told_pivots() & !open(customer, rule) == 0,
            "whatever was told stands until its end is told"
        );
    }

    /// Tells a pivot, of one that was held back at which instant.
    pub(super) fn tell_pivot(
        &mut self,
        slot: Slot,
        pivot: Pivot,
        cause: Brought<'_>,
        released_at: Option<EventTime>,
        outputs: &mut Vec<Output>,
    ) {
        let rules = Arc::clone(&self.rules);
        let Some(rule) = &rules.pivots else { return };
        let mark = mark(pivot.of.unwrap_or(pivot.kind), pivot.channel);
        let is_over = pivot.is_over(rule.settings.budget());
        let customer = &mut self.customers[slot];
        let told_now = &mut customer.rare().told;
        *told_now = if is_over { *told_now & !mark } else { *told_now | mark };
        (customer.news, customer.look_again) = (u16::MAX, true);
        let known = released_at.unwrap_or(EventTime(pivot.decided_at_ms));
        let shift = if pivot.of.is_none() { self.shift_of(&pivot, known) } else { None };
        let (customers, occasion) = self.customers_and_occasion(cause);
        let customer = &customers[slot];
        let found = told(customer, pivot, (released_at, shift), &occasion);
        let level = found.pivot.level;
        let alerts = rules.alerts.iter().enumerate().filter(|(_, alert)| match alert.on {
            On::Pivot { kinds, least } => {
                found.pivot.of.is_none() && kinds & bit(found.pivot.kind) != 0 && level >= least
            }
            On::Event(_) => false,
        });
        let alerts = alerts
            .filter_map(|(at, rule)| alert::alert(at, rule, Some(customer), Raised::Pivot(&found), &occasion))
            .map(|alert| Output::Alert(Box::new(alert)))
            .collect::<Vec<_>>();
        outputs.push(Output::Pivot(Box::new(found)));
        outputs.extend(alerts);
    }

    /// Whether a customer is among those for whom the rules ask. In error: no.
    fn is_pivot_for(&self, customer: &Customer, rule: &PivotRule) -> bool {
        let (rules, cuts) = (&*self.rules, &self.settlement.cuts);
        let view = View { rules, customer: Some(customer), event: None, cuts };
        rule.of.as_ref().is_none_or(|of| of.decide(&view) == Some(true))
    }
}

fn told(
    customer: &Customer,
    pivot: Pivot,
    (released_at, shift): (Option<EventTime>, Option<OutputId>),
    occasion: &Occasion<'_>,
) -> Found {
    let found_at = EventTime(pivot.decided_at_ms);
    let at = released_at.unwrap_or(found_at);
    let rules = occasion.rules;
    let labels = rules.labels.iter().enumerate().filter(|(place, _)| customer.labels >> place & 1 == 1);
    let of = pivot.of.map_or("", Kind::name);
    let name = format!("{}/{}", pivot.kind.name(), pivot.channel.name());
    Found {
        event_id: occasion.id(TYPE, customer.id.as_str(), &name, &format!("{of}/{}", pivot.level.name()), at),
        customer_id: customer.id.clone(),
        account_id: customer.account_id().map(CompactString::from),
        status_seq: u64::from(customer.seq),
        occurred_at: at,
        cause: occasion.cause(),
        trigger: occasion.trigger(),
        evidence: vec![row(&pivot)],
        found_at: released_at.map(|_| found_at),
        shift,
        priors: rules.pivots.as_ref().map(|rule| rule.settings.priors().version.as_str().into()).unwrap_or_default(),
        currency: rules.currency.clone(),
        labels: labels.map(|(_, label)| label.name.clone()).collect(),
        pivot,
    }
}

/// The score against what it had to reach; of a silence, how improbable it was against what is allowed.
fn row(pivot: &Pivot) -> Evidence {
    let number = |number: f64| Scalar::Decimal(decimal(number, PLACES).unwrap_or_default());
    let (value, threshold, op) = match (pivot.p, pivot.evidence) {
        (Some(p), _) => (Some(p), None, None),
        (None, evidence) => (evidence, pivot.threshold, Some(">=")),
    };
    Evidence {
        feature: CompactString::from("pivot.") + pivot.of.unwrap_or(pivot.kind).name(),
        window: None,
        value: value.map(number),
        threshold: threshold.map(number),
        op: op.filter(|_| threshold.is_some()),
        holds: threshold.map(|_| true),
        settled_at: None,
        sample: Vec::new(),
    }
}

/// Scores and probabilities are told to so many places.
const PLACES: u32 = 8;
