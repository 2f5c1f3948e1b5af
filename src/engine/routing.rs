//! Where the next contact of a customer goes: whom to turn to first, and whom then.
//!
//! As of the look or alert: whose turn it is when the contact comes is for the router to say, which knows the load.

use compact_str::CompactString;

use super::agents::Agents;
use super::customer::Customer;
use super::resolved::Resolved;
use crate::model::output::{Fallback, Routing};
use crate::rules::ruleset::{Choice, RoutingRule, Ruleset};

/// Most agents listed by how well they resolve.
const MOST: usize = 3;

/// Who is there, by whom to turn to first.
pub(super) fn routing(rule: &RoutingRule, customer: &Customer, agents: &Agents, rules: &Ruleset) -> Routing {
    let profile = customer.profile();
    let mut choices: Vec<Fallback> = first(rule, customer, agents).into_iter().collect();
    if rule.agent.is_some() && rules.plan.resolvers {
        let today = rules.calendar.day(customer.as_of);
        // One more than wanted, since the first choice may be among them.
        let best = agents.best(rule.team.as_deref(), rule.skill.as_deref(), today, MOST + 1);
        let is_new = |id: &str| choices.iter().all(|choice| choice.agent.as_deref() != Some(id));
        let others = best.into_iter().filter(|(id, _)| is_new(id)).take(MOST).map(|(id, rate)| Fallback {
            agent: Some(id.into()),
            team: None,
            reason: "resolves_well",
            share: Some(rate.rounded()),
        });
        let others: Vec<Fallback> = others.collect();
        choices.extend(others);
    }
    let first = (!choices.is_empty()).then(|| choices.remove(0));
    if first.is_some() && rule.team.is_some() {
        choices.push(Fallback { agent: None, team: rule.team.clone(), reason: "team", share: None });
    }
    Routing {
        team: rule.team.clone(),
        reason: first.as_ref().map_or("team", |first| first.reason),
        agent: first.and_then(|first| first.agent),
        channel: profile.and_then(|profile| profile.preferred_channel.clone()),
        fallbacks: choices,
    }
}

/// Where somebody goes of whom nothing is known.
pub(super) fn of_nobody(rule: &RoutingRule) -> Routing {
    Routing { team: rule.team.clone(), agent: None, channel: None, reason: "team", fallbacks: Vec::new() }
}

/// The agent whom the rule prefers, if there is one and they can take a case.
fn first(rule: &RoutingRule, customer: &Customer, agents: &Agents) -> Option<Fallback> {
    let resolved = customer.ties().map(|ties| &ties.resolved);
    let of_cases = |agent: Option<&str>| agent.filter(|id| agents.is_free(id)).map(CompactString::new);
    let agent = match rule.agent? {
        Choice::AccountManager => {
            let own = customer.profile().and_then(|profile| profile.account_manager.clone());
            own.or_else(|| customer.account()?.account_manager.clone())
        }
        Choice::LastResolved => of_cases(resolved.and_then(Resolved::last)),
        Choice::Familiar => of_cases(resolved.and_then(Resolved::familiar)),
        Choice::Best => None,
    };
    let reason = rule.agent?.name();
    agent.map(|agent| Fallback { agent: Some(agent), team: None, reason, share: None })
}
