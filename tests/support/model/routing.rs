//! Whom a customer's next contact goes to: who resolved what, how well agents resolve, and who is there.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::Date;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value as Json, json};

use vipstream::model::event::{Agent, AgentState, Body, Case, CaseState, Csat, Event};
use vipstream::model::time::EventTime;

use super::calendar::plus_days;
use super::customer::{Customer, Entity};
use super::effects::{Does, Sending};
use super::look::Run;
use super::rules::{Routing, Ruleset};

const MOST_REMEMBERED: usize = 16;
const DAYS: i32 = 90;
const WEEK: Duration = Duration::from_hours(7 * 24);

/// The agents as every task knows them.
#[derive(Clone, Debug, Default)]
pub(super) struct Agents {
    known: BTreeMap<String, Agent>,
    resolutions: Vec<Resolution>,
}

/// Cases that an agent resolved on a date, or did not after all; and when that was told.
#[derive(Clone, Debug)]
pub(super) struct Resolution {
    pub(super) agent: String,
    pub(super) on: Date,
    pub(super) cases: i64,
    pub(super) well: i64,
    pub(super) told: Date,
}

impl Agents {
    /// Takes in a record of an agent.
    pub(super) fn take(&mut self, event: &Event) {
        match &event.body {
            Body::Agent(agent) => {
                let known = self.known.get(agent.agent_id.as_str());
                if known.is_none_or(|known| known.version < agent.version) {
                    self.known.insert(agent.agent_id.to_string(), (**agent).clone());
                }
            }
            Body::ForgetAgent(id) => {
                self.known.remove(id.as_str());
            }
            _ => {}
        }
    }

    /// Counts what was told.
    pub(super) fn count(&mut self, resolution: Resolution) {
        self.resolutions.push(resolution);
    }

    /// How many are there, of a team or of all.
    pub(super) fn on_shift(&self, team: Option<&str>) -> u64 {
        let there = self.known.values().filter(|agent| agent.state != AgentState::Offline);
        there.filter(|agent| team.is_none() || agent.team.as_deref() == team).count() as u64
    }

    fn is_free(&self, id: &str) -> bool {
        self.known.get(id).is_some_and(|agent| {
            let open = agent.open_cases.unwrap_or(0);
            agent.state == AgentState::Online && agent.capacity.is_none_or(|capacity| open < capacity)
        })
    }

    /// The share resolved well, and of how many cases.
    fn share(&self, id: &str, today: Date) -> (Decimal, i64) {
        let of = || self.resolutions.iter().filter(|resolution| resolution.agent == id);
        let newest = of().map(|resolution| resolution.told).chain([today]).max().expect("today is a date");
        let lately = || of().filter(|resolution| plus_days(resolution.on, i64::from(DAYS)) > newest);
        let resolved = lately().map(|resolution| resolution.cases).sum::<i64>();
        let well = lately().map(|resolution| resolution.well).sum::<i64>();
        (Decimal::from(well + 1) / Decimal::from(resolved + 2), resolved)
    }
}

/// All that came of a customer's newest cases and surveys.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Resolved {
    cases: BTreeMap<String, Vec<(EventTime, Case)>>,
    surveys: BTreeMap<String, Vec<(EventTime, Csat)>>,
}

/// Of the greatest version; of two with one version, the first that came.
fn newest<T>(of: &[(EventTime, T)], version: impl Fn(&T) -> i64, says: impl Fn(&T) -> bool) -> Option<&(EventTime, T)> {
    of.iter().rev().filter(|(_, it)| says(it)).max_by_key(|(_, it)| version(it))
}

fn last(of: &[(EventTime, Case)]) -> EventTime {
    of.iter().map(|(at, _)| *at).max().expect("something came")
}

impl Resolved {
    /// Who resolved a case, when, and whether well.
    fn verdict(&self, case: &str) -> Option<(String, EventTime, bool)> {
        let events = &self.cases[case];
        let version = |case: &Case| case.version;
        let is_solved = |case: &Case| matches!(case.state, CaseState::Solved | CaseState::Closed);
        let (at, solved) = newest(events, version, |case| is_solved(case) && case.agent_id.is_some())?;
        let agent = solved.agent_id.as_ref().expect("filtered by it").to_string();
        let at = solved.solved_at.map_or(*at, |solved_at| solved_at.min(*at));
        let is_reopened =
            events.iter().any(|(_, case)| case.state == CaseState::Reopened && case.version > solved.version);
        let breached = newest(events, version, |case| case.sla_breached.is_some());
        let is_breached = breached.is_some_and(|(_, case)| case.sla_breached == Some(true));
        let is_disliked = self.surveys.values().any(|revisions| {
            let (answered, survey) = newest(revisions, |survey| survey.revision, |_| true).expect("one came");
            let is_on_it = match (&survey.case_id, &survey.agent_id) {
                (Some(id), _) => id == case,
                (None, Some(id)) => *id == agent && (at..at.plus(WEEK)).contains(answered),
                (None, None) => false,
            };
            is_on_it && survey.satisfaction < Decimal::new(60, 2)
        });
        Some((agent, at, !is_reopened && !is_breached && !is_disliked))
    }

    fn last_resolved(&self) -> Option<String> {
        let verdicts = self.cases.keys().filter_map(|case| self.verdict(case));
        verdicts.filter(|(.., well)| *well).max_by_key(|(agent, at, _)| (*at, agent.clone())).map(|(agent, ..)| agent)
    }

    fn familiar(&self) -> Option<String> {
        let mut handled: BTreeMap<&str, (usize, EventTime)> = BTreeMap::new();
        for events in self.cases.values() {
            let Some((_, case)) = newest(events, |case| case.version, |case| case.agent_id.is_some()) else { continue };
            let (count, at) = handled.entry(case.agent_id.as_deref().expect("filtered by it")).or_default();
            *count += 1;
            *at = (*at).max(last(events));
        }
        let (_, agent) = handled.into_iter().map(|(agent, found)| (found, agent)).max()?;
        Some(agent.to_owned())
    }
}

impl Customer {
    /// Takes in a case or survey; tells every task what came of it.
    pub(super) fn learn_resolved(&mut self, rules: &Ruleset, event: &Event) -> Vec<Sending> {
        if !rules.asks_who_resolved() || self.entity.is_account() {
            return Vec::new();
        }
        let resolved = &mut self.ties.resolved;
        let before = resolved.verdicts(rules);
        match &event.body {
            Body::Case(case) => {
                resolved.cases.entry(case.case_id.to_string()).or_default().push((event.at, (**case).clone()));
            }
            // The first revision of a survey on no case.
            Body::Csat(survey) if survey.case_id.is_none() && survey.agent_id.is_none() && survey.revision == 0 => {
                return Vec::new();
            }
            Body::Csat(survey) => {
                resolved.surveys.entry(survey.interaction_id.to_string()).or_default().push((event.at, survey.clone()));
            }
            _ => return Vec::new(),
        }
        resolved.forget_oldest();
        resolved.tell(rules, &before)
    }

    /// Takes in what came of the cases of somebody who is this customer.
    pub(super) fn unite_resolved(&mut self, rules: &Ruleset, other: Resolved) -> Vec<Sending> {
        let resolved = &mut self.ties.resolved;
        let mut before = resolved.verdicts(rules);
        before.extend(other.verdicts(rules));
        for (id, events) in other.cases {
            resolved.cases.entry(id).or_default().extend(events);
        }
        for (id, revisions) in other.surveys {
            resolved.surveys.entry(id).or_default().extend(revisions);
        }
        resolved.forget_oldest();
        resolved.tell(rules, &before)
    }
}

/// A case, who resolved it, on which date, and whether well.
type Verdict = (String, String, Date, bool);

impl Resolved {
    fn verdicts(&self, rules: &Ruleset) -> Vec<Verdict> {
        let verdict = |case: &String| {
            let (agent, at, well) = self.verdict(case)?;
            Some((case.clone(), agent, rules.calendar.date(at), well))
        };
        self.cases.keys().filter_map(verdict).collect()
    }

    fn forget_oldest(&mut self) {
        while self.cases.len() > MOST_REMEMBERED {
            let ages = self.cases.iter().map(|(id, events)| (last(events), id.clone()));
            let (_, oldest) = ages.min().expect("there are some");
            self.cases.remove(&oldest);
        }
        while self.surveys.len() > MOST_REMEMBERED {
            let age = |of: &[(EventTime, Csat)]| newest(of, |survey| survey.revision, |_| true).expect("one came").0;
            let ages = self.surveys.iter().map(|(id, revisions)| (age(revisions), id.clone()));
            let (_, oldest) = ages.min().expect("there are some");
            self.surveys.remove(&oldest);
        }
    }

    /// What is to be told: case by case, what no longer holds is taken back, and what holds now is added. What was told of
    /// a case that is forgotten stands.
    fn tell(&self, rules: &Ruleset, told: &[Verdict]) -> Vec<Sending> {
        let mut sendings = Vec::new();
        let now = self.verdicts(rules);
        for case in self.cases.keys() {
            let mut back: Vec<&Verdict> = told.iter().filter(|verdict| verdict.0 == *case).collect();
            let mut new = now.iter().find(|verdict| verdict.0 == *case);
            if let Some(same) = back.iter().position(|back| Some(*back) == new) {
                back.remove(same);
                new = None;
            }
            let changes = back.into_iter().map(|verdict| (verdict, -1)).chain(new.map(|verdict| (verdict, 1)));
            sendings.extend(changes.map(|((_, agent, on, well), cases)| {
                let well = if *well { cases } else { 0 };
                (Entity::Everybody, Does::Resolved { agent: agent.clone(), on: *on, cases, well })
            }));
        }
        sendings
    }
}

/// Where somebody goes of whom nothing is known.
pub(super) fn of_nobody(rule: &Routing) -> Json {
    json!({ "team": rule.team, "agent": null, "channel": null, "reason": "team", "fallbacks": [] })
}

/// Where a customer goes by a rule.
pub(super) fn routing(run: &Run, rule: &Routing, customer: &Customer) -> Json {
    let agents = &run.agents;
    let profile = customer.profile.as_ref();
    let resolved = &customer.ties.resolved;
    let agent_of_cases = |agent: Option<String>| agent.filter(|agent| agents.is_free(agent));
    let choice = rule.agent.as_deref();
    let preferred = match choice {
        Some("account_manager") => {
            let own = profile.and_then(|profile| profile.account_manager.as_ref());
            own.or(customer.account().and_then(|account| account.account_manager.as_ref())).map(ToString::to_string)
        }
        Some("last_resolved") => agent_of_cases(resolved.last_resolved()),
        Some("familiar") => agent_of_cases(resolved.familiar()),
        _ => None,
    };
    let mut chosen: Vec<Json> = Vec::new();
    chosen.extend(preferred.as_ref().map(|agent| json!({ "agent": agent, "reason": choice })));
    if choice.is_some() && run.rules.asks_who_resolved() {
        let today = run.rules.calendar.date(customer.as_of);
        let mut ranked: Vec<(&String, &Agent, (Decimal, i64))> =
            agents.known.iter().map(|(id, agent)| (id, agent, agents.share(id, today))).collect();
        ranked.retain(|(id, agent, _)| {
            let is_of_team = rule.team.is_none() || rule.team.as_deref() == agent.team.as_deref();
            let can = rule.skill.as_ref().is_none_or(|skill| agent.skills.iter().any(|has| has == skill));
            agents.is_free(id) && is_of_team && can && preferred.as_ref() != Some(id)
        });
        ranked.sort_by(|(a, _, left), (b, _, right)| right.cmp(left).then(a.cmp(b)));
        chosen.extend(ranked.iter().take(3).map(|(id, _, (share, _))| {
            let share = share.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero).normalize();
            json!({ "agent": id, "reason": "resolves_well", "share": share.to_string() })
        }));
    }
    let mut first = Map::new();
    if !chosen.is_empty() {
        first.clone_from(chosen.remove(0).as_object().expect("made above"));
        chosen.extend(rule.team.as_ref().map(|team| json!({ "team": team, "reason": "team" })));
    }
    json!({
        "team": rule.team,
        "agent": first.get("agent"),
        "channel": profile.and_then(|profile| profile.preferred_channel.as_deref()),
        "reason": first.get("reason").map_or("team", |reason| reason.as_str().expect("a word")),
        "fallbacks": chosen,
    })
}
