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
use super::population::{self, Population};
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
    pub(super) population: Option<Population>,
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
            population: body
                .get("population")
                .map(|body| Population::read(body.as_object().expect("a map"), watch.or(alert).expect("a budget"))),
            of: body.get("for").map(|text| parse(&text.as_str().map_or_else(|| text.to_string(), str::to_owned))),
        }
    }

    fn has_no_end(&self, pivot: &Pivot) -> bool {
        matches!(pivot.kind, Kind::RefundsRose | Kind::ChannelShifted) && pivot.level == self.strictest
    }

    /// Counts what was found and did not stand before.
    fn count(&self, run: &Run, found: &[Pivot], mut stood: Told) {
        for pivot in found.iter().filter(|_| self.population.is_some()) {
            let what = (pivot.of.unwrap_or(pivot.kind), pivot.channel.name());
            let is_new = pivot.of.is_none() && stood.insert(what);
            if is_new && self.asks_for(pivot.kind) {
                *run.turned.borrow_mut().entry(population::mark(pivot)).or_default() += 1;
            }
            if pivot.of.is_some() || self.has_no_end(pivot) {
                stood.remove(&what);
            }
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
pub(super) type Told = BTreeSet<What>;

type What = (Kind, &'static str);

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
        let (mut found, before) = (Vec::new(), self.open(rule));
        self.detectors.get_or_insert_default().observe(seen, event.at.0, &rule.settings, &mut found);
        rule.count(run, &found, before);
        self.tell_pivots(run, found, cause)
    }

    /// Calls the detectors that waited for what is past by now, for the customer and by the clock; tells what waited so long.
    pub(super) fn call_detectors(&mut self, run: &Run, clock: EventTime) -> Vec<Line> {
        let Some(rule) = &run.rules.pivots else { return Vec::new() };
        let mut lines = Vec::new();
        loop {
            let (due, release) = (self.next_pivot(), self.next_release(&run.rules));
            let next = due.into_iter().chain(release).min().filter(|at| *at <= self.as_of.min(clock));
            let Some(at) = next else { return lines };
            if release == Some(at) {
                lines.extend(self.release(run, at));
                continue;
            }
            let (mut found, before) = (Vec::new(), self.open(rule));
            self.detectors.as_mut().expect("somebody waits").fire(at.0, &rule.settings, &mut found);
            rule.count(run, &found, before);
            lines.extend(self.tell_pivots(run, found, None));
        }
    }

    /// Tells what has waited until an instant, where it still stands.
    fn release(&mut self, run: &Run, at: EventTime) -> Vec<Line> {
        let rule = run.rules.pivots.as_ref().expect("something waits");
        let is_over = |pivot: &Pivot| run.rules.shifts.until(pivot).is_some_and(|until| until <= at);
        let (over, rest) = std::mem::take(&mut self.held_back).into_iter().partition::<Vec<_>, _>(is_over);
        self.held_back = rest;
        let open = self.open(rule);
        let stands = |pivot: &Pivot| rule.has_no_end(pivot) || open.contains(&(pivot.kind, pivot.channel.name()));
        over.into_iter().filter(stands).flat_map(|pivot| self.tell_pivot(run, &pivot, None, Some(at))).collect()
    }

    /// What stands, told or not.
    fn open(&self, rule: &Rule) -> Told {
        let open = self.detectors.iter().flat_map(|state| state.open(&rule.settings));
        open.map(|it| (it.kind, it.channel.name())).collect()
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
            let waits = rule.population.is_some_and(|population| population.holds) && run.rules.shifts.holds(&pivot);
            if tells || pivot.of.is_some() {
                // What never stands is told all the same, unless a newer one takes its place.
                self.held_back.retain(|held| (held.kind, held.channel.name()) != what || rule.has_no_end(held));
            }
            let ends = pivot.of.is_some() || stood && rule.has_no_end(&pivot);
            if tells && !ends && waits {
                let takes_place = |held: &Pivot| (held.kind, held.channel.name()) == what && rule.has_no_end(&pivot);
                self.held_back.retain(|held| !takes_place(held));
                self.held_back.push(pivot);
            } else if tells {
                lines.extend(self.tell_pivot(run, &pivot, cause, None));
            }
        }
        lines
    }

    fn tell_pivot(&mut self, run: &Run, pivot: &Pivot, cause: Cause<'_>, released_at: Option<EventTime>) -> Vec<Line> {
        let rule = run.rules.pivots.as_ref().expect("detectors are there by the rules");
        let what = (pivot.of.unwrap_or(pivot.kind), pivot.channel.name());
        if pivot.of.is_some() || rule.has_no_end(pivot) {
            self.told.remove(&what);
        } else {
            self.told.insert(what);
        }
        self.look_again = true;
        self.pivot(run, pivot, cause, released_at)
    }

    /// The pivot, and alerts on it.
    fn pivot(&self, run: &Run, pivot: &Pivot, cause: Cause<'_>, released_at: Option<EventTime>) -> Vec<Line> {
        let kind = "behavior.pivot";
        let found_at = EventTime(pivot.decided_at_ms);
        let at = released_at.unwrap_or(found_at);
        let name = format!("{}/{}", pivot.kind.name(), pivot.channel.name());
        let of = pivot.of.map(Kind::name);
        let reason = format!("{}/{}", of.unwrap_or_default(), pivot.level.name());
        let id = look::output_id_at(run, self, cause.map(|(event, _)| event), kind, &name, &reason, at);
        let mut body = Object::default();
        body.put("event_id", id.to_string());
        body.put("type", kind);
        body.put("customer_id", self.entity.customer_id());
        body.put_some("account_id", self.account_id());
        let row = row(pivot);
        look::put_common(run, self, at, cause, Some(std::slice::from_ref(&row)), &mut body);
        put(pivot, &mut body);
        body.put_some("found_at", released_at.map(|_| found_at.to_string()));
        let shift = run.rules.shifts.began(pivot, at).filter(|_| pivot.of.is_none());
        body.put_some("shift", shift.map(|settled_at| population::began(run, settled_at).to_string()));
        body.put("priors", Priors::default().version);
        body.put("sentence", sentence(pivot, &run.rules.currency));
        let labels = run.rules.labels.iter().map(|label| label.name.clone());
        body.put("labels", labels.filter(|label| self.labels.contains(label)).collect::<Vec<_>>());
        let (status_seq, name) = (self.status_seq, pivot.kind.name());
        let order = Order { occurred_at: at, entity: &self.entity, status_seq, kind, name, id: Some(id) };
        let mut lines = vec![Line::new(&order, body.0)];
        lines.extend(look::alerts_of(run, self, pivot, cause, &look::Told { at, id, row: &row }));
        lines
    }

    /// Takes in the detectors of somebody who turned out to be this one.
    pub(super) fn unite_detectors(&mut self, rules: &Ruleset, theirs: Option<State>, told: Told, held: Vec<Pivot>) {
        let (Some(rule), Some(theirs)) = (&rules.pivots, theirs) else { return };
        let mut alerted = told_as_alert(rule, Some(&theirs), &told, &held);
        alerted.extend(told_as_alert(rule, self.detectors.as_ref(), &self.told, &self.held_back));
        let own = self.detectors.get_or_insert_default();
        own.absorb(theirs, self.as_of.0 + 1, &rule.settings);
        let standing = own.open(&rule.settings);
        let level = |what: &What| standing.iter().find(|it| (it.kind, it.channel.name()) == *what).map(|it| it.level);
        self.told.extend(told);
        self.told.retain(|it| level(it).is_some());
        let mut all = held;
        all.append(&mut self.held_back);
        all.retain(|pivot| {
            let what = (pivot.kind, pivot.channel.name());
            let told = if pivot.level == Grade::Alert { &alerted } else { &self.told };
            rule.has_no_end(pivot) || level(&what) >= Some(pivot.level) && !told.contains(&what)
        });
        // Of two of a kind the stricter, the newer, the own.
        all.sort_by_key(|pivot| (pivot.level, pivot.decided_at_ms));
        all.reverse();
        for pivot in all {
            let place = |it: &Pivot| (it.kind, it.channel.name(), rule.has_no_end(it));
            if !self.held_back.iter().any(|held| place(held) == place(&pivot)) {
                self.held_back.push(pivot);
            }
        }
    }
}

/// What stands at the stricter level and was told so.
fn told_as_alert(rule: &Rule, state: Option<&State>, told: &Told, held: &[Pivot]) -> Told {
    let open = state.map(|state| state.open(&rule.settings)).unwrap_or_default();
    let alerts = open.into_iter().filter(|it| it.level == Grade::Alert).map(|it| (it.kind, it.channel.name()));
    let waits = |what: &What| held.iter().any(|held| (held.kind, held.channel.name()) == *what);
    alerts.filter(|what| told.contains(what) && !waits(what)).collect()
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

pub(super) fn decimal(number: f64, places: u32) -> Option<Decimal> {
    Decimal::from_f64(number).map(|number| number.round_dp(places).normalize())
}

fn rounded(number: f64, places: u32) -> Option<String> {
    decimal(number, places).map(|number| if number.is_zero() { "0".to_owned() } else { number.to_string() })
}
