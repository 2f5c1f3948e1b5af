//! Off-process treatment: cases that agents treat as an exception, counted by kind, and proposed as the norm where they are
//! many.
//!
//! A kind of exception is an entity of its own, at home by its name. Customers tell it how each of their cases stands;
//! it knows cases, customers and approvers by hashes alone. So nothing of a customer who is erased is left there but
//! numbers, which count until the case leaves the window.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::apply::hash;
use super::customer::{Customer, MAX_OBJECTS, NEVER};
use super::customers::Slot;
use super::forgotten::Forgotten;
use super::look::Brought;
use super::settle::NO_CUTS;
use super::ties::Sending;
use super::view::View;
use crate::model::effect::{Does, Exceptional, Origin};
use crate::model::event::{Body, Case, Event, Kind};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::output::insight::{Cohort, ExceptionCandidate, Finding, Insight};
use crate::model::output::{Evidence, Output, Scalar};
use crate::model::record::Position;
use crate::model::time::EventTime;
use crate::rules::ruleset::{ExceptionRule, MAX_EXCEPTIONS, Ruleset};
use crate::rules::value::Val;

/// A case that a customer has told a kind of exception of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    /// Hash of the case's key.
    case: u64,
    /// The version that said so.
    version: i64,
    kind: CompactString,
    exception: Exceptional,
}

/// What a kind of exception knows: the cases in the window. At most [`MAX_EXCEPTIONS`], beyond which the earliest goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counted {
    /// By place and case; with the hash of the customer's id.
    cases: BTreeMap<(EventTime, u64), (u64, Exceptional)>,
    /// Where each case stands.
    places: BTreeMap<u64, EventTime>,
    /// How many cases each customer has.
    customers: BTreeMap<u64, u32>,
    /// It was proposed, and has been as frequent ever since.
    is_proposed: bool,
}

/// Most bytes of a cohort's name.
const MAX_COHORT_BYTES: usize = 64;
/// Where the rules name no cohorts; and where the expression is in error.
const ALL: &str = "all";
const UNKNOWN: &str = "unknown";

impl Customer {
    /// Whether a case may have to be told to a kind of exception.
    pub(super) fn tells_exception(&self, case: &Case) -> bool {
        case.exception.is_some() || self.ties().is_some_and(|ties| !ties.exceptions.is_empty())
    }

    /// Tells what a case that has just been taken in is treated as; `is_newest` where its content stands.
    fn tell_exception(
        &mut self,
        (event, position): (&Event, Position),
        case: &Case,
        is_newest: bool,
        cohort: impl FnOnce(&Self) -> CompactString,
        rules: &Ruleset,
        sendings: &mut Vec<Sending>,
    ) {
        let key = hash(&event.object_key());
        let place = self.find(Kind::Case, key, rules).map_or(event.at, |at| self.log[at].place());
        let before = self.told(key, rules);
        let next = if is_newest {
            case.exception.as_ref().map(|exception| Told {
                case: key,
                version: case.version,
                kind: exception.kind.clone(),
                exception: Exceptional {
                    place,
                    cohort: cohort(self),
                    approved_by: exception.approved_by.as_deref().map(hash),
                    position,
                },
            })
        } else {
            before.clone().map(|told| told.at(place))
        };
        if before != next {
            self.retell(key, before.as_slice(), next, rules, sendings);
        }
    }

    /// What was told of a case that still counts.
    fn told(&self, case: u64, rules: &Ruleset) -> Option<Told> {
        let told = self.ties()?.exceptions.iter().find(|told| told.case == case)?;
        told.counts(self.as_of, rules).then(|| told.clone())
    }

    /// Tells how a case stands now in place of what was told of it; forgets what counts no more.
    fn retell(&mut self, case: u64, before: &[Told], next: Option<Told>, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        let next = next.filter(|told| told.counts(self.as_of, rules));
        let kinds: BTreeSet<&CompactString> = before.iter().map(|told| &told.kind).collect();
        for kind in kinds.into_iter().filter(|kind| next.as_ref().is_none_or(|told| told.kind != **kind)) {
            sendings.push(Sending { to: CustomerId::exception(kind), does: Does::Except { case, exception: None } });
        }
        let as_of = self.as_of;
        let told = &mut self.ties_mut().exceptions;
        told.retain(|told| told.case != case && told.counts(as_of, rules));
        if let Some(next) = next {
            let exception = Some(Box::new(next.exception.clone()));
            sendings.push(Sending { to: CustomerId::exception(&next.kind), does: Does::Except { case, exception } });
            told.push(next);
        }
        told.drain(..told.len().saturating_sub(MAX_OBJECTS));
    }

    /// Takes in what somebody has told who is this customer, after their cases: tells it again in the own name, so that
    /// two who are one count as one.
    pub(super) fn unite_exceptions(&mut self, other: Vec<Told>, rules: &Ruleset, sendings: &mut Vec<Sending>) {
        if rules.exceptions.is_none() {
            return;
        }
        let own = self.ties().map(|ties| ties.exceptions.clone()).unwrap_or_default();
        let mut told: Vec<(bool, Told)> = own.into_iter().map(|told| (true, told)).collect();
        told.extend(other.into_iter().map(|told| (false, told)));
        told.retain(|(_, told)| told.counts(self.as_of, rules));
        told.sort_unstable_by_key(|(is_own, told)| (told.exception.position, !is_own));
        while let Some((_, Told { case, .. })) = told.first() {
            let case = *case;
            let of_case: Vec<(bool, Told)> = told.extract_if(.., |(_, told)| told.case == case).collect();
            let find = |own: bool| of_case.iter().find(|(is_own, _)| *is_own == own).map(|(_, told)| told.clone());
            let (ours, theirs) = (find(true), find(false));
            let before: Vec<Told> = ours.clone().into_iter().chain(theirs.clone()).collect();
            let known = self.find(Kind::Case, case, rules).map(|at| self.log[at]);
            // Whose version stands; of two alike the one whose record lies first.
            let stands = |told: &&Told| known.is_none_or(|known| known.version() == told.version);
            let newest = before.iter().filter(stands).max_by(|left, right| {
                left.version.cmp(&right.version).then(right.exception.position.cmp(&left.exception.position))
            });
            let place = known.map(|known| known.place());
            let next = newest.cloned().map(|told| place.map_or(told.clone(), |place| told.at(place)));
            if theirs.is_some() || next != ours {
                self.retell(case, &before, next, rules, sendings);
            }
        }
    }
}

impl Told {
    fn at(mut self, place: EventTime) -> Self {
        self.exception.place = place;
        self
    }

    /// Whether the case is in the window.
    fn counts(&self, as_of: EventTime, rules: &Ruleset) -> bool {
        let rule = rules.exceptions.as_ref();
        rule.is_some_and(|rule| rule.exit(self.exception.place, rules).is_none_or(|exit| as_of < exit))
    }
}

impl ExceptionRule {
    /// When a case of a place leaves the window.
    fn exit(&self, place: EventTime, rules: &Ruleset) -> Option<EventTime> {
        rules.calendar.exit(self.window, place)
    }
}

impl Counted {
    /// Takes in how a case stands; says whether it is a new one, and how many were forgotten for it.
    fn count(&mut self, case: u64, next: Option<(u64, Exceptional)>) -> (bool, usize) {
        let was_known = self.places.contains_key(&case);
        self.remove(case);
        let is_known = next.is_some();
        if let Some((customer, exception)) = next {
            *self.customers.entry(customer).or_default() += 1;
            self.places.insert(case, exception.place);
            self.cases.insert((exception.place, case), (customer, exception));
        }
        let mut forgotten = 0;
        while self.cases.len() > MAX_EXCEPTIONS
            && let Some(((_, earliest), _)) = self.cases.first_key_value()
        {
            self.remove(*earliest);
            forgotten += 1;
        }
        (is_known && !was_known, forgotten)
    }

    fn remove(&mut self, case: u64) {
        let Some(place) = self.places.remove(&case) else { return };
        let Some((customer, _)) = self.cases.remove(&(place, case)) else { return };
        if let Some(cases) = self.customers.get_mut(&customer) {
            *cases -= 1;
            if *cases == 0 {
                self.customers.remove(&customer);
            }
        }
    }

    /// Takes off what has left the window.
    fn pass(&mut self, as_of: EventTime, rule: &ExceptionRule, rules: &Ruleset) {
        while let Some(((place, case), _)) = self.cases.first_key_value()
            && rule.exit(*place, rules).is_some_and(|exit| exit <= as_of)
        {
            self.remove(*case);
        }
    }

    /// Whether it has become frequent enough to be proposed. Once it was, not again before it has been rarer.
    fn is_to_be_proposed(&mut self, rule: &ExceptionRule) -> bool {
        let is_frequent = self.cases.len() >= rule.cases as usize && self.customers.len() >= rule.customers as usize;
        let was_proposed = std::mem::replace(&mut self.is_proposed, is_frequent);
        is_frequent && !was_proposed
    }

    /// Whether it was proposed, and has been as frequent ever since.
    pub(super) const fn is_proposed(&self) -> bool {
        self.is_proposed
    }

    /// Each cohort's cases and customers, by name.
    pub(super) fn cohorts(&self) -> Vec<Cohort> {
        let mut cohorts: BTreeMap<&CompactString, (u64, BTreeSet<u64>)> = BTreeMap::new();
        for (customer, exception) in self.cases.values() {
            let (cases, customers) = cohorts.entry(&exception.cohort).or_default();
            *cases += 1;
            customers.insert(*customer);
        }
        let counted = cohorts.into_iter().map(|(cohort, (cases, customers))| Cohort {
            cohort: cohort.clone(),
            cases,
            customers: customers.len() as u64,
        });
        counted.collect()
    }

    fn candidate(&self, kind: &str, rule: &ExceptionRule) -> ExceptionCandidate {
        let exceptions = || self.cases.values().map(|(_, exception)| exception);
        let approvers: BTreeSet<u64> = exceptions().filter_map(|it| it.approved_by).collect();
        let (cases, customers, window) = (self.cases.len() as u64, self.customers.len() as u64, &rule.window_text);
        ExceptionCandidate {
            kind: kind.into(),
            cases,
            customers,
            cohorts: self.cohorts(),
            approvers: approvers.len() as u64,
            unapproved: exceptions().filter(|it| it.approved_by.is_none()).count() as u64,
            window: window.clone(),
            since: self.cases.first_key_value().map_or(EventTime::MIN, |((place, _), _)| *place),
            proposal: format!(
                "over {window} {cases} cases of {customers} customers were treated as `{kind}`, off the written process: \
                 make it the norm by a rule, or end it"
            ),
        }
    }

    /// How many cases and customers, against how many are enough.
    fn evidence(&self, rule: &ExceptionRule) -> Vec<Evidence> {
        let row = |feature: &'static str, value: usize, threshold: u32, sample| Evidence {
            feature: feature.into(),
            window: Some(rule.window_text.clone()),
            value: Some(Scalar::Int(i64::try_from(value).unwrap_or(i64::MAX))),
            threshold: Some(Scalar::Int(i64::from(threshold))),
            op: Some(">="),
            holds: Some(true),
            settled_at: None,
            sample,
        };
        let mut newest: Vec<(EventTime, Position)> =
            self.cases.iter().map(|((place, _), (_, exception))| (*place, exception.position)).collect();
        newest.sort_unstable_by(|left, right| right.cmp(left));
        let sample = newest.into_iter().take(MAX_SAMPLE).map(|(_, position)| position).collect();
        let cases = row("cases", self.cases.len(), rule.cases, sample);
        vec![cases, row("customers", self.customers.len(), rule.customers, Vec::new())]
    }
}

/// Most records named behind a candidate.
const MAX_SAMPLE: usize = 3;

impl Engine {
    /// After a customer has taken in a case and was looked at: tells the kind of exception that it is treated as.
    pub(super) fn report_exception(
        &mut self,
        slot: Slot,
        (event, position): (&Event, Position),
        is_newest: bool,
        hops: u8,
        outputs: &mut Vec<Output>,
    ) {
        let rules = std::sync::Arc::clone(&self.rules);
        let (Some(rule), Body::Case(case)) = (&rules.exceptions, &event.body) else { return };
        let customer = &mut self.customers[slot];
        if customer.id.kind() != EntityKind::Customer || !customer.tells_exception(case) {
            return;
        }
        let cohort = |customer: &Customer| cohort(rule, customer, &rules);
        customer.tell_exception((event, position), case, is_newest, cohort, &rules, &mut self.sendings);
        if !self.sendings.is_empty() {
            self.send(slot, Some(&Origin::of(event, position)), hops, outputs);
        }
    }

    /// A customer tells a kind of exception how a case stands.
    pub(super) fn count_exception(
        &mut self,
        slot: Slot,
        (from, at, origin): (&CustomerId, EventTime, Option<&Origin>),
        (case, exception): (u64, Option<Box<Exceptional>>),
        outputs: &mut Vec<Output>,
    ) {
        self.catch_up(slot, at, outputs);
        self.advance(slot, at);
        let rules = std::sync::Arc::clone(&self.rules);
        let Some(rule) = &rules.exceptions else { return };
        let kind = &mut self.customers[slot];
        let (id, as_of) = (kind.id.clone(), kind.as_of);
        let counted = kind.ties_mut().counted.get_or_insert_default();
        let exception = exception.filter(|it| rule.exit(it.place, &rules).is_none_or(|exit| as_of < exit));
        let (is_new, forgotten) = counted.count(case, exception.map(|it| (hash(from.as_str()), *it)));
        self.stats.exceptions += u64::from(is_new);
        self.stats.forgotten.add(Forgotten::Exception, forgotten);
        if counted.is_to_be_proposed(rule) {
            let (evidence, candidate) = (counted.evidence(rule), counted.candidate(id.text(), rule));
            let cause = origin.map_or(Brought::Time, Brought::Origin);
            let (_, occasion) = self.customers_and_occasion(cause);
            let finding = Finding::ExceptionCandidate(candidate);
            outputs.push(Output::Insight(Box::new(Insight {
                event_id: occasion.id(finding.type_name(), id.as_str(), "", "", as_of),
                occurred_at: as_of,
                cause: occasion.cause(),
                trigger: occasion.trigger(),
                evidence,
                finding,
            })));
        }
        self.await_exit(slot);
    }

    /// Time has come to where a case leaves the window of a kind of exception.
    pub(super) fn exception_leaves(&mut self, slot: Slot) {
        let rules = std::sync::Arc::clone(&self.rules);
        let Some(rule) = &rules.exceptions else { return };
        let kind = &mut self.customers[slot];
        let as_of = kind.as_of;
        let counted = kind.ties_mut().counted.get_or_insert_default();
        counted.pass(as_of, rule, &rules);
        // It can only have become rarer.
        counted.is_to_be_proposed(rule);
        self.await_exit(slot);
    }

    /// Queues what time will bring to a kind of exception; one without cases is forgotten.
    fn await_exit(&mut self, slot: Slot) {
        let rules = std::sync::Arc::clone(&self.rules);
        let kind = &mut self.customers[slot];
        let counted = kind.ties().and_then(|ties| ties.counted.as_ref());
        let first = counted.and_then(|counted| counted.cases.first_key_value()).map(|((place, _), _)| *place);
        let Some(first) = first else {
            *kind = Customer::new(kind.id.clone(), &rules);
            return self.quiet.push(slot);
        };
        let exit = rules.exceptions.as_ref().and_then(|rule| rule.exit(first, &rules));
        kind.deadline = exit.unwrap_or(NEVER);
        self.requeue(slot);
    }
}

/// The cohort that a customer counts in.
fn cohort(rule: &ExceptionRule, customer: &Customer, rules: &Ruleset) -> CompactString {
    let Some(cohort) = &rule.cohort else { return CompactString::const_new(ALL) };
    match cohort.eval(&View { rules, customer: Some(customer), event: None, cuts: NO_CUTS }) {
        Val::Text(text) => text[..text.floor_char_boundary(MAX_COHORT_BYTES)].into(),
        _ => CompactString::const_new(UNKNOWN),
    }
}
