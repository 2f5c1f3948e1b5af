//! Alerts: whether an event calls for a person at once, and all that they should know.

use compact_str::CompactString;

use super::customer::Customer;
use super::features::EventFacts;
use super::look::{Occasion, greet};
use super::rates::Prices;
use super::view::View;
use super::{evidence, routing};
use crate::model::event::{Body, Event};
use crate::model::id::CustomerId;
use crate::model::output::{Alert, Trigger};
use crate::model::record::Position;
use crate::rules::ruleset::AlertRule;
use crate::rules::value::Val;

/// Judges one alert on an event; `None` where it does not alert.
pub(super) fn alert(
    index: usize,
    rule: &AlertRule,
    customer: Option<&Customer>,
    (event, position): (&Event, Position),
    prices: Prices<'_>,
    occasion: &Occasion<'_>,
) -> Option<Alert> {
    let view =
        View { rules: occasion.rules, customer, event: Some(EventFacts::new(event, prices)), cuts: occasion.cuts };
    let place = occasion.rules.labels.len() + occasion.rules.programmes.len() + index;
    if occasion.ask(&rule.when, &view, place) != Some(true) {
        return None;
    }
    let severity = match rule.severity.as_ref().map(|severity| severity.eval(&view)) {
        Some(Val::Text(severity)) => severity.into(),
        _ => "normal".into(),
    };
    let programmes = || {
        let held = customer.iter().flat_map(|customer| customer.standing());
        held.map(|held| &occasion.rules.programmes[usize::from(held.programme)])
    };
    let id = |entity: &str| occasion.id("agent.alert", entity, &rule.name, "", event.at);
    let event_id = id(&event.entity());
    let author = match &event.body {
        Body::Mention(mention) => Some(CustomerId::author(&mention.platform, &mention.handle)),
        _ => None,
    };
    Some(Alert {
        event_id,
        alert_id: author.map_or(event_id, |author| id(author.text())),
        name: rule.name.clone(),
        kind: rule.kind,
        customer_id: event.customer.clone(),
        account_id: customer.and_then(Customer::account_id).map(CompactString::from),
        status_seq: customer.map_or(0, |customer| u64::from(customer.seq)),
        occurred_at: event.at,
        trigger: Trigger { position, event_id: event.event_id.clone() },
        evidence: evidence::of(&rule.when, &view, Some(position)),
        severity,
        due_at: rule.due.map(|due| event.at.plus(due)),
        expires_at: match &event.body {
            Body::Presence(presence) => Some(event.at.plus(std::time::Duration::from_secs(u64::from(presence.ttl_s)))),
            _ => None,
        },
        reply_on: match &event.body {
            Body::Mention(mention) => Some((mention.platform.clone(), mention.handle.clone())),
            _ => None,
        },
        routing: {
            let held = programmes().find_map(|rule| rule.routing.as_ref());
            held.or(rule.routing.as_ref()).map(|it| match customer {
                Some(customer) => routing::routing(it, customer, occasion.agents, occasion.rules),
                None => routing::of_nobody(it),
            })
        },
        greeting: customer.and_then(|customer| {
            let held = programmes().filter_map(|rule| rule.greeting.as_ref());
            held.chain(&rule.greeting).find_map(|it| greet(it, customer))
        }),
        customer_name: customer.and_then(Customer::profile).and_then(|profile| profile.name.clone()),
        standing: customer.map_or_else(Vec::new, |customer| customer.standing_names(occasion.rules)),
    })
}
