//! The agents, and how well each resolves: what every task keeps whole for itself.
//!
//! Agent records are read by every task. How a case ended is told to every task by the customer's. Both only add up or
//! replace what is older, so all tasks know the same of an instant, whatever reached them first.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::export::AgentView;
use crate::model::event::{Agent, AgentState, Body};
use crate::rules::calendar::Day;

/// Everybody who may be sent work, and what they made of it lately.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Agents {
    /// At most [`MAX_AGENTS`]; one more is not taken in.
    known: BTreeMap<CompactString, Agent>,
    /// At most [`MAX_AGENTS`]. Not only of those known: the record may come later.
    records: BTreeMap<CompactString, Record>,
}

/// What an agent resolved in the last [`DAYS`] local days.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Record {
    /// Days up to this one are forgotten.
    floor: Day,
    /// Day, cases resolved, of them well; by day.
    days: Vec<(Day, i64, i64)>,
    /// All of these together: agents are ranked at each decision.
    sum: (i64, i64),
}

/// Most agents of an app.
const MAX_AGENTS: usize = 10_000;
/// How far back it matters how well somebody resolved.
const DAYS: Day = 90;

/// How well an agent resolves. The greater, the better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rate {
    resolved: i64,
    well: i64,
}

impl Rate {
    /// The part resolved well, as if there had been two cases more, one of them well: who resolved little is neither
    /// good nor bad.
    const fn share(self) -> (i64, i64) {
        (self.well + 1, self.resolved + 2)
    }

    /// The share to two decimals, half up.
    pub(super) fn rounded(self) -> Decimal {
        let (well, resolved) = self.share();
        Decimal::new((200 * well + resolved) / (2 * resolved), 2)
    }
}

impl Ord for Rate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let ((well, resolved), (other_well, other_resolved)) = (self.share(), other.share());
        (well * other_resolved).cmp(&(other_well * resolved)).then(self.resolved.cmp(&other.resolved))
    }
}

impl PartialOrd for Rate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Agents {
    /// Takes in an agent's record, or that an agent is gone; says whether there was room.
    pub(super) fn take(&mut self, body: &Body) -> bool {
        match body {
            Body::Agent(agent) => {
                let known = self.known.get(&agent.agent_id);
                let has_room = known.is_some() || self.known.len() < MAX_AGENTS;
                if has_room && known.is_none_or(|known| known.version < agent.version) {
                    self.known.insert(agent.agent_id.clone(), (**agent).clone());
                }
                return has_room;
            }
            Body::ForgetAgent(id) => drop(self.known.remove(id)),
            _ => {}
        }
        true
    }

    /// Counts cases that an agent resolved on a day, or did not after all. It is told on the day `today`. Says whether there
    /// was room.
    pub(super) fn count(&mut self, agent: &CompactString, (day, cases, well): (Day, i8, i8), today: Day) -> bool {
        if self.records.len() >= MAX_AGENTS && !self.records.contains_key(agent) {
            self.records.retain(|_, record| record.days.iter().any(|(day, ..)| *day > today - DAYS));
            if self.records.len() >= MAX_AGENTS {
                return false;
            }
        }
        let record = self.records.entry(agent.clone()).or_default();
        record.floor = record.floor.max(today - DAYS);
        let Record { floor, days, sum } = record;
        let at = days.partition_point(|(other, ..)| *other < day);
        if days.get(at).is_none_or(|(other, ..)| *other != day) {
            days.insert(at, (day, 0, 0));
        }
        days[at].1 += i64::from(cases);
        days[at].2 += i64::from(well);
        days.retain(|(day, ..)| *day > *floor);
        *sum = total(days);
        true
    }

    /// Whether an agent can be given another case now.
    pub(super) fn is_free(&self, id: &str) -> bool {
        self.known.get(id).is_some_and(is_free)
    }

    /// How well an agent resolved up to a day.
    fn rate(&self, id: &str, today: Day) -> Rate {
        let Some(Record { days, sum, .. }) = self.records.get(id) else { return Rate::default() };
        let passed = days.partition_point(|(day, ..)| *day <= today - DAYS);
        let (passed_cases, passed_well) = total(&days[..passed]);
        let (resolved, well) = (sum.0 - passed_cases, sum.1 - passed_well);
        Rate { resolved: resolved.max(0), well: well.clamp(0, resolved.max(0)) }
    }

    /// Every agent, by id, as of a day.
    pub(super) fn views(&self, today: Day) -> impl Iterator<Item = AgentView<'_>> {
        let ids: BTreeSet<&CompactString> = self.known.keys().chain(self.records.keys()).collect();
        ids.into_iter().map(move |id| {
            let rate = self.rate(id, today);
            let Rate { resolved, well } = rate;
            AgentView { agent_id: id, record: self.known.get(id), resolved, well, share: rate.rounded() }
        })
    }

    /// How many are at work, of a team or of all.
    pub(super) fn on_shift(&self, team: Option<&str>) -> u64 {
        let is_of_team = |agent: &&Agent| team.is_none_or(|team| agent.team.as_deref() == Some(team));
        let at_work = self.known.values().filter(|agent| agent.state != AgentState::Offline);
        at_work.filter(is_of_team).count() as u64
    }

    /// The agents who can be given another case now, of a team and with a skill where these are asked for: as many as
    /// wanted, the best first.
    pub(super) fn best(&self, team: Option<&str>, skill: Option<&str>, today: Day, most: usize) -> Vec<(&str, Rate)> {
        let mut best: Vec<(&str, Rate)> = Vec::with_capacity(most + 1);
        for (id, agent) in &self.known {
            let is_of_team = team.is_none_or(|team| agent.team.as_deref() == Some(team));
            let has_skill = skill.is_none_or(|skill| agent.skills.iter().any(|has| has == skill));
            if !is_of_team || !has_skill || !is_free(agent) {
                continue;
            }
            let rate = self.rate(id, today);
            // Of equals the smaller id comes first, and ids come in order.
            let at = best.partition_point(|(_, other)| *other >= rate);
            best.insert(at, (id, rate));
            best.truncate(most);
        }
        best
    }
}

fn total(days: &[(Day, i64, i64)]) -> (i64, i64) {
    days.iter().fold((0, 0), |sum, (_, cases, well)| (sum.0 + cases, sum.1 + well))
}

fn is_free(agent: &Agent) -> bool {
    let has_room = agent.capacity.is_none_or(|capacity| agent.open_cases.unwrap_or(0) < capacity);
    agent.state == AgentState::Online && has_room
}
