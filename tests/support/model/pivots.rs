//! Lasting changes of behaviour: what detectors are shown of a customer, when time calls them, and what of it is told.
//!
//! The detectors themselves are the crate's: their arithmetic is judged by golden vectors.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive as _, ToPrimitive as _};
use serde_json::{Map, Value as Json, json};

use vipstream::model::event::{Action, Activity, Body, Event, PurchaseStatus};
use vipstream::model::time::EventTime;
use vipstream::pivot::budget::{Budget, Grade};
use vipstream::pivot::priors::Priors;
use vipstream::pivot::sentence::sentence;
use vipstream::pivot::settings::Settings;
use vipstream::pivot::state::State;
use vipstream::pivot::{Kind, Observation, Pivot};

use super::customer::{Customer, Entity, Sight};
use super::evidence::Row;
use super::expr::Node;
use super::lines::{Line, Object, Order};
use super::look::{self, Cause, Run};
use super::memory::{Outcome, Taking};
use super::money;
use super::rules::Ruleset;
use super::value::{Value, truth};

/// What the rules say of pivots.
pub(super) struct Rule {
    settings: Settings,
    /// What an alarm of has no end: the stricter level that is named.
    strictest: Grade,
    /// All where none is named.
    kinds: Vec<String>,
    /// Everybody where nothing is said.
    pub(super) of: Option<Node>,
}

impl Rule {
    pub(super) fn read(body: &Map<String, Json>, parse: &dyn Fn(&str) -> Node) -> Self {
        let rate = |level: &str| body.get(level).map(|text| rate(text.as_str().expect("a budget in words")));
        let (watch, alert) = (rate("watch"), rate("alert"));
        let budget = Budget::new(watch, alert).expect("a budget");
        let kinds = body.get("kinds").and_then(Json::as_array).into_iter().flatten();
        Self {
            settings: Settings::new(Priors::default(), budget),
            strictest: if alert.is_some() { Grade::Alert } else { Grade::Watch },
            kinds: kinds.map(|kind| kind.as_str().expect("a kind's name").to_owned()).collect(),
            of: body.get("for").map(|text| parse(&text.as_str().map_or_else(|| text.to_string(), str::to_owned))),
        }
    }

    fn asks_for(&self, kind: Kind) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|asked| asked == kind.name())
    }
}

/// `A per B customer-years`, or `A per customer-year`.
fn rate(text: &str) -> f64 {
    let number = |text: &str| text.trim().parse::<f64>().expect("a number");
    let (alarms, years) = text.split_once("per").expect("so many per years");
    let years = years.trim().split(' ').next().expect("years");
    number(alarms) / if years == "customer-year" { 1.0 } else { number(years) }
}

/// What stands with somebody: a kind, and the channel that it was found in.
pub(super) type Told = BTreeSet<(Kind, &'static str)>;

impl Customer {
    /// When detectors wait to be called.
    pub(super) fn next_pivot(&self) -> Option<EventTime> {
        let state = self.detectors.as_ref().filter(|_| self.merged_into().is_none())?;
        state.due().map(EventTime)
    }

    /// Whether a kind was told and has not ended.
    pub(super) fn has_turned(&self, kind: &str) -> bool {
        self.told.iter().any(|(told, _)| told.name() == kind)
    }

    /// Whether what an event is about was known before it.
    pub(super) fn knows_object(&mut self, rules: &Ruleset, event: &Event) -> bool {
        let key = super::keys::object_key(event);
        let position = vipstream::model::record::Position { kind: event.kind(), partition: 0, offset: 0 };
        let taking = Taking { rules, event, position, as_of: self.as_of, contact: None };
        self.memory.find(&taking, &key).is_some()
    }

    /// Shows the detectors what an event that was taken in says of the customer's own behaviour.
    pub(super) fn observe(&mut self, run: &Run, cause: Cause<'_>, outcome: Outcome, was_known: bool) -> Vec<Line> {
        let (Some(rule), Some((event, _))) = (&run.rules.pivots, cause) else { return Vec::new() };
        let is_customer = matches!(self.entity, Entity::Customer(_)) && self.merged_into().is_none();
        let seen = observation(&run.rules, rule, event, was_known).filter(|_| outcome.look && is_customer);
        let Some(seen) = seen else { return Vec::new() };
        let mut found = Vec::new();
        self.detectors.get_or_insert_default().observe(seen, event.at.0, &rule.settings, &mut found);
        self.tell_pivots(run, found, cause)
    }

    /// Calls the detectors that waited for what is past by now.
    pub(super) fn call_detectors(&mut self, run: &Run) -> Vec<Line> {
        let Some(rule) = &run.rules.pivots else { return Vec::new() };
        let mut lines = Vec::new();
        while let Some(due) = self.next_pivot().filter(|due| *due <= self.as_of) {
            let mut found = Vec::new();
            self.detectors.as_mut().expect("somebody waits").fire(due.0, &rule.settings, &mut found);
            lines.extend(self.tell_pivots(run, found, None));
        }
        lines
    }

    fn tell_pivots(&mut self, run: &Run, found: Vec<Pivot>, cause: Cause<'_>) -> Vec<Line> {
        let rule = run.rules.pivots.as_ref().expect("detectors are there by the rules");
        let mut lines = Vec::new();
        for pivot in found {
            let what = (pivot.of.unwrap_or(pivot.kind), pivot.channel.name());
            let stood = self.told.contains(&what);
            let is_for = || {
                let sight = Sight { rules: &run.rules, customer: self, event: None };
                rule.of.as_ref().is_none_or(|of| truth(of, &sight) == Ok(true))
            };
            let tells = stood || pivot.of.is_none() && rule.asks_for(pivot.kind) && is_for();
            if !tells {
                continue;
            }
            let has_no_end = matches!(pivot.kind, Kind::RefundsRose | Kind::ChannelShifted);
            if pivot.of.is_some() || has_no_end && pivot.level == rule.strictest {
                self.told.remove(&what);
            } else {
                self.told.insert(what);
            }
            self.look_again = true;
            lines.push(self.pivot(run, &pivot, cause));
        }
        lines
    }

    fn pivot(&self, run: &Run, pivot: &Pivot, cause: Cause<'_>) -> Line {
        let kind = "behavior.pivot";
        let at = EventTime(pivot.decided_at_ms);
        let name = format!("{}/{}", pivot.kind.name(), pivot.channel.name());
        let of = pivot.of.map(Kind::name);
        let reason = format!("{}/{}", of.unwrap_or_default(), pivot.level.name());
        let id = look::output_id_at(run, self, cause.map(|(event, _)| event), kind, &name, &reason, at);
        let mut body = Object::default();
        body.put("event_id", id.to_string());
        body.put("type", kind);
        body.put("customer_id", self.entity.customer_id());
        body.put_some("account_id", self.account_id());
        look::put_common(run, self, at, cause, Some(&[row(pivot)]), &mut body);
        put(pivot, &mut body);
        body.put("priors", Priors::default().version);
        body.put("sentence", sentence(pivot));
        let labels = run.rules.labels.iter().map(|label| label.name.clone());
        body.put("labels", labels.filter(|label| self.labels.contains(label)).collect::<Vec<_>>());
        let (status_seq, name) = (self.status_seq, pivot.kind.name());
        Line::new(&Order { occurred_at: at, entity: &self.entity, status_seq, kind, name, id: Some(id) }, body.0)
    }

    /// Takes in the detectors of somebody who turned out to be this one.
    pub(super) fn unite_detectors(&mut self, rules: &Ruleset, theirs: Option<State>, told: Told) {
        let (Some(rule), Some(theirs)) = (&rules.pivots, theirs) else { return };
        let own = self.detectors.get_or_insert_default();
        own.absorb(theirs, self.as_of.0 + 1, &rule.settings);
        let open: Told = own.open(&rule.settings).iter().map(|it| (it.kind, it.channel.name())).collect();
        self.told.extend(told);
        self.told.retain(|it| open.contains(it));
    }
}

/// What an event says of behaviour.
fn observation(rules: &Ruleset, rule: &Rule, event: &Event, was_known: bool) -> Option<Observation> {
    let number = |value: Decimal| value.normalize().to_f64().expect("a decimal is a number");
    Some(match &event.body {
        Body::Purchase(order) if order.status == PurchaseStatus::Completed => Observation::Purchase {
            amount: money::worth(rules, event, event.at).map(number),
            shop: order.channel.as_deref().and_then(|channel| rule.settings.shop(channel)),
        },
        Body::Purchase(order) if order.status == PurchaseStatus::Refunded => Observation::Refund,
        Body::Csat(survey) if !was_known => Observation::Csat(1.0 + 4.0 * number(survey.satisfaction)),
        Body::Mention(post) if !was_known && post.activity == Activity::Create => {
            Observation::Sentiment(number(post.sentiment?))
        }
        Body::Engagement(it) if !it.machine && it.action != Action::Sent && it.action != Action::Unsubscribe => {
            Observation::Engagement
        }
        _ => return None,
    })
}

/// What is told of the change itself.
fn put(pivot: &Pivot, body: &mut Object) {
    body.put("kind", pivot.kind.name());
    body.put_some("of", pivot.of.map(Kind::name));
    body.put("channel", pivot.channel.name());
    body.put("direction", json!(pivot.direction));
    body.put("level", pivot.level.name());
    body.put("from", rounded(pivot.from, 4));
    body.put("to", rounded(pivot.to, 4));
    body.put_some("ratio", pivot.ratio.map(|ratio| rounded(ratio, 4)));
    body.put_some("shops", pivot.shops.as_ref().map(|it| json!({ "before": it.before, "since": it.since })));
    body.put("since", EventTime(pivot.since_ms).to_string());
    let whole = |number: f64| number.round().to_u64();
    body.put("observations", whole(pivot.n_before + pivot.n_after));
    body.put("before", whole(pivot.n_before));
    body.put("after", whole(pivot.n_after));
    body.put_some("days_silent", pivot.days_silent.map(|days| rounded(days, 4)));
    body.put_some("probability", pivot.p.map(|p| rounded(p, 8)));
    body.put("confidence", pivot.confidence.and_then(|it| rounded(it, 4)));
    body.put("expected", rounded(pivot.budget, 8));
}

/// The probability of a silence; of anything else its score, against what that had to reach.
fn row(pivot: &Pivot) -> Row {
    let feature = format!("pivot.{}", pivot.of.unwrap_or(pivot.kind).name());
    let number = |number: Option<f64>| number.and_then(|number| decimal(number, 8)).map(Value::Decimal);
    match pivot.p {
        Some(p) => Row::scored(feature, number(Some(p)), None),
        None => Row::scored(feature, number(pivot.evidence), number(pivot.threshold)),
    }
}

fn decimal(number: f64, places: u32) -> Option<Decimal> {
    Decimal::from_f64(number).map(|number| number.round_dp(places).normalize())
}

fn rounded(number: f64, places: u32) -> Option<String> {
    decimal(number, places).map(|number| if number.is_zero() { "0".to_owned() } else { number.to_string() })
}
