//! A customer's whole standing, said after whatever changed it.
//!
//! A decision says what changed; whoever starts to read today would have to know all that were before. The standing
//! stands for them: said once a look, however many decisions it brought, and when the profile that it quotes changes.
//! Accounts have one of their own besides their contacts': a router may know no more of a caller than the account.

use rust_decimal::Decimal;

use super::customer::Customer;
use super::look::{self, Occasion};
use super::view::View;
use super::{evidence, programme::Held};
use crate::model::id::EntityKind;
use crate::model::output::status::{Content, Membership, Progress, Status, Waitlist};
use crate::model::output::{Output, Scalar};
use crate::rules::budget::RankRule;
use crate::rules::ruleset::{Programme, Ruleset};

/// Says where the customer or account stands. Of somebody about whom nothing was ever decided there is nothing to say,
/// unless another has all of theirs; and what was said of an account is taken back where nothing is left of it: no record,
/// and no programme held.
pub(super) fn say(customer: &Customer, occasion: &Occasion<'_>, outputs: &mut Vec<Output>) {
    let is_account = customer.id.kind() == EntityKind::Account;
    let is_gone = is_account && customer.account().is_none() && customer.standing().is_empty();
    push(customer, occasion, (!is_gone).then(|| content(customer, occasion)), outputs);
}

/// Takes back what was said of a customer who is erased.
pub(super) fn withdraw(customer: &Customer, occasion: &Occasion<'_>, outputs: &mut Vec<Output>) {
    push(customer, occasion, None, outputs);
}

fn push(customer: &Customer, occasion: &Occasion<'_>, content: Option<Content>, outputs: &mut Vec<Output>) {
    let was_merged = customer.ties().is_some_and(|ties| ties.was_merged);
    if customer.seq == 0 && !was_merged {
        return;
    }
    outputs.push(Output::Status(Box::new(Status {
        event_id: occasion.id("status", customer.id.as_str(), "", "", customer.as_of),
        customer_id: customer.id.clone(),
        status_seq: u64::from(customer.seq),
        occurred_at: customer.as_of,
        cause: occasion.cause(),
        trigger: occasion.trigger(),
        content,
    })));
}

fn content(customer: &Customer, occasion: &Occasion<'_>) -> Content {
    let rules = occasion.rules;
    let held = || customer.standing().iter().map(|held| (held, &rules.programmes[usize::from(held.programme)]));
    let profile = customer.profile();
    let mut entitlements = Vec::new();
    for entitlement in held().flat_map(|(_, rule)| &rule.entitlements) {
        if !entitlements.contains(entitlement) {
            entitlements.push(entitlement.clone());
        }
    }
    let labels = rules.labels.iter().enumerate().filter(|(index, _)| customer.labels >> index & 1 == 1);
    // What applies to persons is nothing that an account could come to hold.
    let is_account = customer.id.kind() == EntityKind::Account;
    let concerning = (0..).zip(&rules.programmes).filter(|(_, rule)| rule.of_account || !is_account);
    Content {
        account_id: customer.account_id().map(Into::into),
        name: look::name(customer).map(Into::into),
        merged_into: customer.merged_into().cloned(),
        standing: customer.standing_names(rules),
        programmes: held().map(|(held, rule)| membership(customer, held, rule, rules)).collect(),
        labels: labels.map(|(_, label)| label.name.clone()).collect(),
        weight: look::weight(customer, rules),
        routing: held().find_map(|(_, rule)| look::routing(rule, customer, occasion)),
        greeting: held().find_map(|(_, rule)| look::greeting(rule, customer)),
        entitlements,
        channel: profile.and_then(|profile| profile.preferred_channel.clone()),
        progress: concerning.map(|(index, rule)| progress(customer, index, rule, rules)).collect(),
    }
}

fn membership(customer: &Customer, held: &Held, rule: &Programme, rules: &Ruleset) -> Membership {
    Membership {
        programme: rule.name.clone(),
        profile: rule.profile.clone(),
        tier: look::tier_name(rule, held.tier),
        since: held.granted_at,
        valid_until: held.expires_at(rule, rules.refund_skips_grace).or_else(|| look::paid_until(rule, customer)),
    }
}

fn progress(customer: &Customer, index: u8, rule: &Programme, rules: &Ruleset) -> Progress {
    let view = View { rules, customer: Some(customer), event: None };
    let (programme, held) = (rule.name.clone(), customer.held(index).is_some());
    let rows = if rule.of_account && customer.id.kind() == EntityKind::Customer {
        vec![evidence::of_account("held", rule, Scalar::Bool(held))]
    } else {
        evidence::without_samples(&rule.grant, &view)
    };
    let waitlist = rule.budget.as_ref().and_then(|budget| waitlist(customer, index, &budget.rank));
    Progress { programme, held, rows, waitlist }
}

fn waitlist(customer: &Customer, index: u8, rule: &RankRule) -> Option<Waitlist> {
    let (rank, since) = customer.waitlist(index)?;
    let scalar = |rank: Option<Decimal>| rank.map(|rank| rule.value(rank));
    Some(Waitlist { rank: rank.place, value: scalar(rank.value), cut: scalar(rank.cut), since })
}
