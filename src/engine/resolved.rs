//! Who resolved a customer's cases, and how well: what routing chooses agents by.
//!
//! Of each case and survey only what its newest version says is kept, so it does not matter in which order they come.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::customer::Customer;
use super::ties::Sending;
use crate::model::effect::Does;
use crate::model::event::{Body, Case, CaseState, Csat, Event};
use crate::model::id::{CustomerId, EntityKind};
use crate::model::time::EventTime;
use crate::rules::calendar::{Calendar, Day};

/// The newest cases and surveys of a customer.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Resolved {
    /// By id, at most [`MAX_KEPT`].
    cases: Vec<KnownCase>,
    /// In no order, at most [`MAX_KEPT`].
    surveys: Vec<KnownSurvey>,
}

/// What matters of a case. Each part is that of the newest version that says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct KnownCase {
    id: CompactString,
    /// Time of its latest event.
    at: EventTime,
    agent: Newest<CompactString>,
    /// Who solved or closed it, and when.
    solved: Newest<(CompactString, EventTime)>,
    reopened: Newest<()>,
    sla_breached: Newest<bool>,
}

/// A survey that may be on a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct KnownSurvey {
    id: CompactString,
    revision: i64,
    at: EventTime,
    case: Option<CompactString>,
    agent: Option<CompactString>,
    is_bad: bool,
}

/// What the greatest version says, and which that is.
type Newest<T> = Option<(i64, T)>;

/// Most cases remembered of a customer, and most surveys; beyond, the oldest is forgotten.
const MAX_KEPT: usize = 16;
/// How long after a case was solved a survey that names no case, but its agent, is taken to be about it.
const SURVEY_DAYS: std::time::Duration = std::time::Duration::from_hours(7 * 24);

/// How a case ended: who resolved it, on which day, and whether well.
#[derive(Clone, Debug, PartialEq)]
struct Verdict {
    agent: CompactString,
    day: Day,
    well: bool,
}

impl Resolved {
    /// The agent of the newest case that was resolved well.
    pub(super) fn last(&self) -> Option<&str> {
        let well = self.cases.iter().filter_map(|case| case.solved.as_ref().filter(|_| self.is_well(case)));
        well.max_by_key(|(_, (agent, at))| (*at, agent)).map(|(_, (agent, _))| agent.as_str())
    }

    /// Who handled most of the cases; of those alike, who handled one last.
    pub(super) fn familiar(&self) -> Option<&str> {
        let handled = || self.cases.iter().filter_map(|case| Some((case.agent.as_ref()?.1.as_str(), case.at)));
        let of = |agent: &str| handled().filter(|(other, _)| *other == agent).count();
        handled().max_by_key(|(agent, at)| (of(agent), *at, *agent)).map(|(agent, _)| agent)
    }

    fn is_well(&self, case: &KnownCase) -> bool {
        let Some((version, (agent, at))) = &case.solved else { return false };
        let is_reopened = case.reopened.is_some_and(|(reopened, ())| reopened > *version);
        let is_late = case.sla_breached.is_some_and(|(_, breached)| breached);
        let is_on_it = |survey: &KnownSurvey| match &survey.case {
            Some(id) => *id == case.id,
            None => survey.agent.as_ref() == Some(agent) && *at <= survey.at && survey.at < at.plus(SURVEY_DAYS),
        };
        !is_reopened && !is_late && !self.surveys.iter().any(|survey| survey.is_bad && is_on_it(survey))
    }

    fn verdict(&self, case: &KnownCase, calendar: &Calendar) -> Option<Verdict> {
        let (_, (agent, at)) = case.solved.as_ref()?;
        Some(Verdict { agent: agent.clone(), day: calendar.day(*at), well: self.is_well(case) })
    }

    fn verdicts(&self, calendar: &Calendar) -> Vec<(CompactString, Verdict)> {
        let verdict = |case: &KnownCase| Some((case.id.clone(), self.verdict(case, calendar)?));
        self.cases.iter().filter_map(verdict).collect()
    }

    /// Tells every task what is otherwise than it was told. What a case that is remembered no longer came to, stands.
    fn tell(&self, told: &[(CompactString, Verdict)], calendar: &Calendar, sendings: &mut Vec<Sending>) {
        for case in &self.cases {
            let mut former: Vec<&Verdict> = told.iter().filter(|(id, _)| *id == case.id).map(|(_, it)| it).collect();
            let mut new = self.verdict(case, calendar);
            if let Some(at) = former.iter().position(|former| Some(*former) == new.as_ref()) {
                former.remove(at);
                new = None;
            }
            sendings.extend(former.into_iter().map(|former| former.told(-1)));
            sendings.extend(new.map(|new| new.told(1)));
        }
    }

    /// Takes in a version of a case.
    fn case(&mut self, case: &Case, at: EventTime) {
        let known = self.known(&case.case_id, at);
        known.at = known.at.max(at);
        let version = case.version;
        if let Some(agent) = &case.agent_id {
            renew(&mut known.agent, version, agent.clone());
            if matches!(case.state, CaseState::Solved | CaseState::Closed) {
                let solved_at = case.solved_at.unwrap_or(at).min(at);
                renew(&mut known.solved, version, (agent.clone(), solved_at));
            }
        }
        if case.state == CaseState::Reopened {
            renew(&mut known.reopened, version, ());
        }
        if let Some(breached) = case.sla_breached {
            renew(&mut known.sla_breached, version, breached);
        }
        self.keep_newest();
    }

    fn known(&mut self, id: &CompactString, at: EventTime) -> &mut KnownCase {
        let found = self.cases.binary_search_by(|known| known.id.cmp(id)).unwrap_or_else(|place| {
            self.cases.insert(place, KnownCase::new(id.clone(), at));
            place
        });
        &mut self.cases[found]
    }

    /// Takes in a revision of a survey.
    fn survey(&mut self, survey: &Csat, at: EventTime) {
        let (case, agent) = (survey.case_id.clone(), survey.agent_id.clone());
        let is_bad = survey.satisfaction < rust_decimal::Decimal::new(6, 1);
        let new = KnownSurvey { id: survey.interaction_id.clone(), revision: survey.revision, at, case, agent, is_bad };
        self.answer(new);
        self.keep_newest();
    }

    fn answer(&mut self, new: KnownSurvey) {
        match self.surveys.iter_mut().find(|known| known.id == new.id) {
            Some(known) if known.revision < new.revision => *known = new,
            Some(_) => {}
            None => self.surveys.push(new),
        }
    }

    fn keep_newest(&mut self) {
        keep_newest(&mut self.cases, |case| (case.at, &case.id));
        keep_newest(&mut self.surveys, |survey| (survey.at, &survey.id));
    }

    /// Takes in what is known of somebody who is the same customer.
    fn unite(&mut self, other: Self) {
        for case in other.cases {
            let known = self.known(&case.id, case.at);
            known.at = known.at.max(case.at);
            unite(&mut known.agent, case.agent);
            unite(&mut known.solved, case.solved);
            unite(&mut known.reopened, case.reopened);
            unite(&mut known.sla_breached, case.sla_breached);
        }
        other.surveys.into_iter().for_each(|survey| self.answer(survey));
        self.keep_newest();
    }
}

impl KnownCase {
    const fn new(id: CompactString, at: EventTime) -> Self {
        Self { id, at, agent: None, solved: None, reopened: None, sla_breached: None }
    }
}

fn renew<T>(newest: &mut Newest<T>, version: i64, says: T) {
    if newest.as_ref().is_none_or(|(known, _)| *known < version) {
        *newest = Some((version, says));
    }
}

fn unite<T>(newest: &mut Newest<T>, other: Newest<T>) {
    if let Some((version, says)) = other {
        renew(newest, version, says);
    }
}

fn keep_newest<T>(kept: &mut Vec<T>, age: impl Fn(&T) -> (EventTime, &CompactString)) {
    while kept.len() > MAX_KEPT {
        let oldest = kept.iter().enumerate().min_by_key(|(_, it)| age(it)).map_or(0, |(at, _)| at);
        kept.remove(oldest);
    }
}

/// Whether an event may say something of who resolved what.
pub(super) fn tells(body: &Body) -> bool {
    match body {
        Body::Case(_) => true,
        // A first revision that is on no case replaces nothing.
        Body::Csat(survey) => survey.case_id.is_some() || survey.agent_id.is_some() || survey.revision > 0,
        _ => false,
    }
}

impl Customer {
    /// Takes in what a case or survey says about who resolved what, and tells every task what is otherwise now.
    pub(super) fn learn_resolved(&mut self, event: &Event, calendar: &Calendar, sendings: &mut Vec<Sending>) {
        if !tells(&event.body) || self.id.kind() != EntityKind::Customer {
            return;
        }
        let resolved = &mut self.ties_mut().resolved;
        let before = resolved.verdicts(calendar);
        match &event.body {
            Body::Case(case) => resolved.case(case, event.at),
            Body::Csat(survey) => resolved.survey(survey, event.at),
            _ => {}
        }
        resolved.tell(&before, calendar, sendings);
    }

    /// Takes in what was known of somebody who is this customer.
    pub(super) fn unite_resolved(&mut self, other: Resolved, calendar: &Calendar, sendings: &mut Vec<Sending>) {
        if other == Resolved::default() {
            return;
        }
        let resolved = &mut self.ties_mut().resolved;
        let told = [resolved.verdicts(calendar), other.verdicts(calendar)].concat();
        resolved.unite(other);
        resolved.tell(&told, calendar, sendings);
    }
}

impl Verdict {
    fn told(&self, cases: i8) -> Sending {
        let (agent, day) = (self.agent.clone(), self.day);
        let does = Does::Resolved { agent, day, cases, well: if self.well { cases } else { 0 } };
        Sending { to: CustomerId::every_task(), does }
    }
}
