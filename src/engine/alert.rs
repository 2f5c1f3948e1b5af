//! Alerts: whether an event, or a pivot, calls for a person at once, and all that they should know.

use std::time::Duration;

use compact_str::CompactString;

use super::customer::Customer;
use super::features::EventFacts;
use super::look::{Occasion, greet};
use super::view::View;
use super::{evidence, routing};
use crate::model::event::{Body, Event};
use crate::model::id::CustomerId;
use crate::model::output::pivot::Found;
use crate::model::output::{Alert, Evidence, OutputId};
use crate::model::record::Position;
use crate::model::time::EventTime;
use crate::pivot::budget::Grade;
use crate::rules::ruleset::AlertRule;
use crate::rules::value::Val;

/// What an alert is raised on.
#[derive(Clone, Copy)]
pub(super) enum Raised<'a> {
    Event(&'a Event, Position),
    Pivot(&'a Found),
}

/// Judges one alert; `None` where it does not alert.
pub(super) fn alert(
    index: usize,
    rule: &AlertRule,
    customer: Option<&Customer>,
    raised: Raised<'_>,
    occasion: &Occasion<'_>,
) -> Option<Alert> {
    let facts = match raised {
        Raised::Event(event, _) => Some(EventFacts::new(event, occasion.prices())),
        Raised::Pivot(_) => None,
    };
    let view = View { rules: occasion.rules, customer, event: facts, cuts: occasion.cuts };
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
    let Head { event_id, alert_id, customer_id, occurred_at, expires_at, reply_on, pivot } =
        raised.head(rule, occasion);
    Some(Alert {
        event_id,
        alert_id,
        customer_id,
        occurred_at,
        expires_at,
        reply_on,
        pivot,
        name: rule.name.clone(),
        kind: rule.kind,
        account_id: customer.and_then(Customer::account_id).map(CompactString::from),
        status_seq: customer.map_or(0, |customer| u64::from(customer.seq)),
        cause: occasion.cause(),
        trigger: occasion.trigger(),
        evidence: raised.evidence(rule, &view),
        severity,
        due_at: rule.due.map(|due| occurred_at.plus(due)),
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

/// What of an alert follows from what it is raised on.
struct Head {
    event_id: OutputId,
    alert_id: OutputId,
    customer_id: Option<CustomerId>,
    occurred_at: EventTime,
    expires_at: Option<EventTime>,
    reply_on: Option<(CompactString, CompactString)>,
    pivot: Option<(Grade, OutputId)>,
}

impl Raised<'_> {
    fn head(self, rule: &AlertRule, occasion: &Occasion<'_>) -> Head {
        let (id, customer_id, occurred_at) = match self {
            Self::Event(event, ..) => {
                let id = occasion.id(TYPE, &event.entity(), &rule.name, "", event.at);
                (id, event.customer.clone(), event.at)
            }
            Self::Pivot(found) => {
                let (pivot, id) = (&found.pivot, &found.customer_id);
                let what = format!("{}/{}/{}", pivot.kind, pivot.channel, pivot.level.name());
                let at = found.occurred_at;
                (occasion.id(TYPE, id.as_str(), &rule.name, &what, at), Some(id.clone()), at)
            }
        };
        let (expires_at, reply_on, pivot) = (None, None, None);
        let mut head = Head { event_id: id, alert_id: id, customer_id, occurred_at, expires_at, reply_on, pivot };
        match self {
            Self::Event(Event { body: Body::Mention(mention), .. }, ..) => {
                let author = CustomerId::author(&mention.platform, &mention.handle);
                head.alert_id = occasion.id(TYPE, author.text(), &rule.name, "", occurred_at);
                head.reply_on = Some((mention.platform.clone(), mention.handle.clone()));
            }
            Self::Event(Event { body: Body::Presence(presence), .. }, ..) => {
                head.expires_at = Some(occurred_at.plus(Duration::from_secs(u64::from(presence.ttl_s))));
            }
            Self::Event(..) => {}
            Self::Pivot(found) => head.pivot = Some((found.pivot.level, found.event_id)),
        }
        head
    }

    fn evidence(self, rule: &AlertRule, view: &View<'_>) -> Vec<Evidence> {
        match self {
            Self::Event(_, position) => evidence::of(&rule.when, view, Some(position)),
            Self::Pivot(found) => [found.evidence.clone(), evidence::of(&rule.when, view, None)].concat(),
        }
    }
}

const TYPE: &str = "agent.alert";
