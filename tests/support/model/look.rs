//! A look at a customer's labels and programmes, and the alerts of an event.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use vipstream::model::event::{Activity, Body, Event};
use vipstream::model::output::OutputId;
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;
use vipstream::pivot::Pivot;

use super::customer::{Customer, Sight};
use super::evidence::{Row, evidence};
use super::expr::Node;
use super::keys;
use super::lines::{Line, Object, Order, Topics};
use super::overrides::{self, Shown};
use super::population::Mark;
use super::programme::{Held, Step, Verdict};
use super::routing::{Agents, of_nobody, routing};
use super::rules::{Alert, Programme, Ruleset};
use super::seats::{self, Rulings};
use super::status::{self, Unseen};
use super::value::{Value, evaluate, truth};
use super::walk::Found;

/// How time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Deadlines wait for `lateness`, looks for the clock, and alerts go stale.
    Live,
    /// Events alone move time.
    Event,
}

/// What is the same in every output of a run.
pub(super) struct Run {
    pub(super) rules: Ruleset,
    pub(super) hash: String,
    /// Part of every output's identity.
    pub(super) app: String,
    pub(super) mode: Mode,
    pub(super) topics: Topics,
    /// The epoch's.
    pub(super) wall: EventTime,
    pub(super) agents: Agents,
    /// Pivots found since that was reported.
    pub(super) turned: RefCell<BTreeMap<Mark, u64>>,
    /// The run's id, where files are replayed.
    pub(super) replay: Option<String>,
}

/// What brought a look about: an event, or time alone.
pub(super) type Cause<'a> = Option<(&'a Event, Position)>;

/// An output before the look is over, when the standing is not yet known.
pub(super) struct Draft {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) id: OutputId,
    pub(super) evidence: Vec<Row>,
    pub(super) fields: Object,
    pub(super) with_weight: bool,
    pub(super) with_standing: bool,
    /// What a person decided.
    pub(super) shown: Option<Shown>,
}

/// What brought a look about, and what it is told.
pub(super) struct Looking<'a> {
    pub(super) cause: Cause<'a>,
    /// Money went back.
    pub(super) refund: bool,
    /// What was decided about the customer and others.
    pub(super) rulings: &'a Rulings,
}

/// Looks at labels, then programmes, in file order.
pub(super) fn look(run: &Run, customer: &mut Customer, looking: &Looking<'_>, found: &mut Found) {
    let cause = looking.cause;
    let (mut drafts, mut unseen, mut restated) = (Vec::new(), Vec::new(), false);
    let of_account = customer.entity.is_account();
    if !of_account {
        look_at_labels(run, customer, cause, &mut drafts);
    }
    for index in 0..run.rules.programmes.len() {
        drafts.extend(match (run.rules.programmes[index].of_account, of_account) {
            (true, false) => follow(run, customer, index, cause).into_iter().collect(),
            (false, true) => Vec::new(),
            _ => {
                seats::weigh(run, customer, &run.rules.programmes[index]);
                let judged = overrides::judge(run, customer, index, cause, &mut unseen);
                restated |= judged.restated;
                if judged.is_done {
                    // Whatever a person decides is outside of budgets.
                    customer.candidacies.remove(&run.rules.programmes[index].name);
                    judged.draft.into_iter().collect()
                } else {
                    look_at_programme(run, customer, index, looking, &mut unseen)
                }
            }
        });
    }
    customer.look_again = !drafts.is_empty();
    found.events.extend(drafts.into_iter().map(|draft| finish(run, customer, cause, draft)));
    if customer.look_again || restated {
        found.statuses.extend(status::status(run, customer, cause));
    }
    found.audits.extend(unseen.into_iter().map(|unseen| unseen.line(run, customer, cause)));
}

/// An erasure or a merge ends every label and programme, without any evidence.
pub(super) fn leave(run: &Run, customer: &mut Customer, reason: &str, cause: Cause<'_>) -> Vec<Line> {
    let mut drafts = Vec::new();
    for label in run.rules.labels.iter().filter(|label| customer.labels.contains(&label.name)) {
        let kind = "cohort.left";
        let mut fields = Object::default();
        fields.put("label", label.name.clone());
        fields.put("definition", label.text.clone());
        let id = output_id(run, customer, cause, kind, &label.name, "");
        let (name, evidence) = (label.name.clone(), Vec::new());
        drafts.push(Draft { kind, name, id, evidence, fields, with_weight: false, with_standing: false, shown: None });
    }
    for programme in &run.rules.programmes {
        let Some(held) = customer.held.get(&programme.name) else { continue };
        let kind = "vip.revoked";
        let mut fields = Object::default();
        fields.put("programme", programme.name.clone());
        fields.put("reason", reason);
        fields.put("revokes", held.grant.to_string());
        let id = output_id(run, customer, cause, kind, &programme.name, reason);
        let (name, evidence) = (programme.name.clone(), Vec::new());
        drafts.push(Draft { kind, name, id, evidence, fields, with_weight: false, with_standing: true, shown: None });
    }
    customer.labels.clear();
    customer.held.clear();
    customer.candidacies.clear();
    customer.weighed.clear();
    drafts.into_iter().map(|draft| finish(run, customer, cause, draft)).collect()
}

fn look_at_labels(run: &Run, customer: &mut Customer, cause: Cause<'_>, drafts: &mut Vec<Draft>) {
    for label in &run.rules.labels {
        let sight = Sight { rules: &run.rules, customer, event: None };
        let is = truth(&label.when, &sight) == Ok(true);
        if is == customer.labels.contains(&label.name) {
            continue;
        }
        let rows = evidence(&[&label.when], &sight);
        let kind = if is { "cohort.entered" } else { "cohort.left" };
        if is {
            customer.labels.insert(label.name.clone());
        } else {
            customer.labels.remove(&label.name);
        }
        let mut fields = Object::default();
        fields.put("label", label.name.clone());
        fields.put("definition", label.text.clone());
        let id = output_id(run, customer, cause, kind, &label.name, "");
        let name = label.name.clone();
        drafts.push(Draft {
            kind,
            name,
            id,
            evidence: rows,
            fields,
            with_weight: false,
            with_standing: false,
            shown: None,
        });
    }
}

fn look_at_programme(
    run: &Run,
    customer: &mut Customer,
    index: usize,
    looking: &Looking<'_>,
    unseen: &mut Vec<Unseen>,
) -> Vec<Draft> {
    let programme = &run.rules.programmes[index];
    if programme.budget.is_some()
        && let Some(drafts) = seats::look(run, customer, index, looking, unseen)
    {
        return drafts;
    }
    let sight = Sight { rules: &run.rules, customer, event: None };
    if !customer.held.contains_key(&programme.name) {
        if !qualifies(programme, &sight) {
            return Vec::new();
        }
        let (rows, tier) = (evidence(&[&programme.grant], &sight), tier_of(programme, &sight));
        return vec![grant(run, customer, index, tier, looking.cause, rows, None)];
    }
    look_at_held(run, customer, programme, looking, unseen).into_iter().collect()
}

/// Whether it would be granted, were it not held.
pub(super) fn qualifies(programme: &Programme, sight: &Sight<'_>) -> bool {
    truth(&programme.keep, sight) != Ok(false) && truth(&programme.grant, sight) == Ok(true)
}

/// The tier that the rule gives.
pub(super) fn tier_of(programme: &Programme, sight: &Sight<'_>) -> Option<usize> {
    programme.tiers.iter().position(|(_, when)| truth(when, sight) == Ok(true))
}

fn look_at_held(
    run: &Run,
    customer: &mut Customer,
    programme: &Programme,
    looking: &Looking<'_>,
    unseen: &mut Vec<Unseen>,
) -> Option<Draft> {
    let Looking { cause, refund, .. } = *looking;
    let sight = Sight { rules: &run.rules, customer, event: None };
    let keep = truth(&programme.keep, &sight) != Ok(false);
    let (tier, now) = (tier_of(programme, &sight), customer.as_of);
    let kept_for = || evidence(&[&programme.keep], &sight);
    let tiers: Vec<&Node> =
        programme.tiers.iter().take(tier.map_or(usize::MAX, |tier| tier + 1)).map(|t| &t.1).collect();
    let mut held = customer.held[&programme.name].clone();
    let from = held.tier;
    let steps = held.step(&run.rules, programme, Verdict { keep, tier, refund }, now);
    let (seen, others): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(Step::is_visible);
    for step in others {
        let is_of_tiers = matches!(step, Step::TierHeld { .. } | Step::TierKept);
        let rows = if is_of_tiers { evidence(&tiers, &sight) } else { kept_for() };
        unseen.push(Unseen::new(programme, step, from, rows));
    }
    let Some(step) = seen.into_iter().next() else {
        customer.held.insert(programme.name.clone(), held);
        return None;
    };
    let (kind, reason, rows) = match &step {
        Step::Kept => ("vip.changed", "kept", kept_for()),
        Step::Expiring { .. } => ("vip.expiring", "", kept_for()),
        Step::Revoked { by_refund: true } => ("vip.revoked", "refund_reversed", kept_for()),
        Step::Revoked { by_refund: false } => ("vip.revoked", "rule_false", kept_for()),
        Step::Rise { .. } => ("vip.changed", "tier_rise", evidence(&tiers, &sight)),
        Step::Fall { .. } => ("vip.changed", "tier_fall", evidence(&tiers, &sight)),
        unseen => panic!("{unseen:?} is not seen"),
    };
    let fields = step_fields(run, programme, &step, reason, from, &held, &rows);
    if matches!(step, Step::Revoked { .. }) {
        customer.held.remove(&programme.name);
    } else {
        customer.held.insert(programme.name.clone(), held);
    }
    let id = output_id(run, customer, cause, kind, &programme.name, reason);
    let with_weight = kind == "vip.changed";
    Some(Draft {
        kind,
        name: programme.name.clone(),
        id,
        evidence: rows,
        fields,
        with_weight,
        with_standing: true,
        shown: None,
    })
}

fn step_fields(
    run: &Run,
    programme: &Programme,
    step: &Step,
    reason: &str,
    from: Option<usize>,
    held: &Held,
    rows: &[Row],
) -> Object {
    let tier_name = |tier: Option<usize>| tier.map_or(Json::Null, |tier| json!(programme.tiers[tier].0));
    let mut fields = Object::default();
    fields.put("programme", programme.name.clone());
    if !reason.is_empty() {
        fields.put("reason", reason);
    }
    match step {
        Step::Revoked { .. } => fields.put("revokes", held.grant.to_string()),
        Step::Expiring { until } => {
            fields.put("valid_until", until.to_string());
            let missing: Vec<Json> =
                rows.iter().filter(|row| row.holds == Some(false)).map(|row| row.json(&run.topics)).collect();
            fields.put("missing", missing);
        }
        _ => {
            fields.put("from", tier_name(from));
            fields.put("to", tier_name(held.tier));
        }
    }
    fields
}

/// What a programme's members are told of another tier.
pub(super) fn tier_fields(programme: &Programme, reason: &str, from: Option<usize>, to: Option<usize>) -> Object {
    let tier_name = |tier: Option<usize>| tier.map_or(Json::Null, |tier| json!(programme.tiers[tier].0));
    let mut fields = Object::default();
    fields.put("programme", programme.name.clone());
    fields.put("reason", reason);
    fields.put("from", tier_name(from));
    fields.put("to", tier_name(to));
    fields
}

/// A contact holds what the account holds, as the account does.
fn follow(run: &Run, customer: &mut Customer, index: usize, cause: Cause<'_>) -> Option<Draft> {
    let programme = &run.rules.programmes[index];
    let told = customer.bonds.summary.held.get(&programme.name).copied();
    let held = customer.held.get(&programme.name).cloned();
    let row = |what: &str, value: Value| Row::plain(format!("account.{what}.{}", programme.name), value);
    let (from, tier) = match (&held, told) {
        (None, None) => return None,
        (None, Some(tier)) => {
            return Some(grant(run, customer, index, tier, cause, vec![row("held", Value::Bool(true))], None));
        }
        (Some(held), Some(tier)) if held.tier == tier => return None,
        (Some(held), told) => (held.tier, told),
    };
    let mut held = held.expect("held just above");
    let is_rise = tier.is_some_and(|to| to.map_or(usize::MAX, |to| to) < from.unwrap_or(usize::MAX));
    let (kind, reason, step, rows) = match tier {
        None => {
            customer.held.remove(&programme.name);
            let rows = vec![row("held", Value::Bool(false))];
            ("vip.revoked", "rule_false", Step::Revoked { by_refund: false }, rows)
        }
        Some(to) => {
            held.tier = to;
            customer.held.insert(programme.name.clone(), held.clone());
            let name = to.map(|to| Value::Text(programme.tiers[to].0.clone()));
            let rows = name.into_iter().map(|name| row("tier", name)).collect();
            let reason = if is_rise { "tier_rise" } else { "tier_fall" };
            ("vip.changed", reason, if is_rise { Step::Rise { to } } else { Step::Fall { to } }, rows)
        }
    };
    let fields = step_fields(run, programme, &step, reason, from, &held, &rows);
    let id = output_id(run, customer, cause, kind, &programme.name, reason);
    let with_weight = kind == "vip.changed";
    Some(Draft {
        kind,
        name: programme.name.clone(),
        id,
        evidence: rows,
        fields,
        with_weight,
        with_standing: true,
        shown: None,
    })
}

pub(super) fn grant(
    run: &Run,
    customer: &mut Customer,
    index: usize,
    tier: Option<usize>,
    cause: Cause<'_>,
    rows: Vec<Row>,
    rank: Option<usize>,
) -> Draft {
    let programme = &run.rules.programmes[index];
    let kind = "vip.granted";
    let id = output_id(run, customer, cause, kind, &programme.name, "");
    customer.held.insert(programme.name.clone(), Held::granted(customer.as_of, id, tier));
    let mut fields = Object::default();
    fields.put("programme", programme.name.clone());
    fields.put("profile", programme.profile.clone());
    fields.put_some("tier", tier.map(|tier| programme.tiers[tier].0.clone()));
    fields.put_some("rank", rank);
    fields.put_some("valid_until", paid_until(run, customer, programme).map(|end| end.to_string()));
    fields.put_some("routing", programme.routing.as_ref().map(|it| routing(run, it, customer)));
    fields.put_some("greeting", programme.greeting.as_ref().and_then(|it| greeting(it, customer)));
    fields.put("entitlements", programme.entitlements.clone());
    fields.put("priority", index + 1);
    Draft {
        kind,
        name: programme.name.clone(),
        id,
        evidence: rows,
        fields,
        with_weight: true,
        with_standing: true,
        shown: None,
    }
}

/// The end of the subscription, where the programme's keep asks for one and it is paid.
pub(super) fn paid_until(run: &Run, customer: &Customer, programme: &Programme) -> Option<EventTime> {
    let end = customer.memory.period_end(&run.rules).filter(|end| *end > customer.as_of);
    end.filter(|_| programme.keep.reads("subscribed"))
}

/// Adds what is the same in all decisions of a look, and the customer's next number.
fn finish(run: &Run, customer: &mut Customer, cause: Cause<'_>, draft: Draft) -> Line {
    customer.status_seq += 1;
    let mut body = Object::default();
    body.put("event_id", draft.id.to_string());
    body.put("type", draft.kind);
    body.put("customer_id", customer.entity.customer_id());
    body.put_some("account_id", customer.account_id());
    put_common(run, customer, customer.as_of, cause, Some(&draft.evidence), &mut body);
    body.0.extend(draft.fields.0);
    if draft.with_weight {
        body.put("weight", customer.weight(&run.rules).json());
    }
    if draft.with_standing {
        body.put("standing", customer.standing(&run.rules));
    }
    if let Some(shown) = draft.shown {
        shown.put(&mut body);
    }
    let order = Order {
        occurred_at: customer.as_of,
        entity: &customer.entity,
        status_seq: customer.status_seq,
        kind: draft.kind,
        name: &draft.name,
        id: Some(draft.id),
    };
    Line::new(&order, body.0)
}

/// The common block from `status_seq` to `evidence`, where there is any.
pub(super) fn put_common(
    run: &Run,
    customer: &Customer,
    at: EventTime,
    cause: Cause<'_>,
    rows: Option<&[Row]>,
    body: &mut Object,
) {
    let trigger = cause.map_or(Json::Null, |(event, position)| trigger(run, event, &position));
    body.put("status_seq", customer.status_seq);
    body.put("occurred_at", at.to_string());
    body.put("decided_at", if run.replay.is_some() { at } else { run.wall }.to_string());
    body.put("ruleset", json!({ "name": run.rules.name, "hash": run.hash }));
    let by_event = if run.replay.is_some() { "replay" } else { "live" };
    let by_hand = cause.is_some_and(|(event, _)| event.kind().is_by_hand());
    let by_event = if by_hand { "override" } else { by_event };
    let origin = if trigger.is_null() { "timer" } else { by_event };
    body.put("trigger", trigger);
    body.put("origin", origin);
    body.put_some("run_id", run.replay.clone());
    body.put_some("evidence", rows.map(|rows| rows.iter().map(|row| row.json(&run.topics)).collect::<Vec<_>>()));
}

fn trigger(run: &Run, event: &Event, position: &Position) -> Json {
    let mut place = run.topics.place(position);
    place["event_id"] = json!(event.event_id);
    place
}

/// Judges the alerts on an event's kind; says also how many were past their time and so are not sent.
pub(super) fn alert(run: &Run, customer: &mut Customer, event: &Event, position: Position) -> (Vec<Line>, u64) {
    let (mut found, mut stale) = (Vec::new(), 0);
    for alert in run.rules.alerts.iter().filter(|alert| alert.on == Some(event.kind())) {
        let is_update = matches!(&event.body, Body::Mention(mention) if mention.activity == Activity::Update);
        let came = (alert.once_per_visit && customer.visits.alerted.contains(&alert.name))
            || (is_update && post_alerted(customer, event, &alert.name));
        let sight = Sight { rules: &run.rules, customer, event: Some((event, position)) };
        if came || truth(&alert.when, &sight) != Ok(true) {
            continue;
        }
        if run.mode == Mode::Live && expires_at(event).is_some_and(|end| end < run.wall) {
            stale += 1;
            continue;
        }
        let line = alert_line(run, customer, alert, Raised::Event(event, position));
        if alert.kind == "public_complaint" && customer.entity.customer_id().is_some() {
            let body: Json = serde_json::from_str(&line.text).expect("a line is JSON");
            let id = body["alert_id"].as_str().expect("an alert has an id").to_owned();
            customer.by_hand.note_complaint(id, event.at);
        }
        found.push(line);
        customer.visits.alerted.insert(alert.name.clone());
        let key = keys::object_key(event);
        for object in customer.memory.objects.iter_mut().filter(|o| o.kind == event.kind() && o.key == key) {
            object.alerted.insert(alert.name.clone());
        }
    }
    (found, stale)
}

/// Until when an alert on the event is worth acting on.
fn expires_at(event: &Event) -> Option<EventTime> {
    let Body::Presence(presence) = &event.body else { return None };
    Some(event.at.plus(std::time::Duration::from_secs(u64::from(presence.ttl_s))))
}

fn post_alerted(customer: &Customer, event: &Event, alert: &str) -> bool {
    let key = keys::object_key(event);
    let mut posts = customer.memory.objects.iter().rev();
    posts
        .find(|object| object.kind == event.kind() && object.key == key)
        .is_some_and(|post| post.alerted.contains(alert))
}

/// Alerts on a pivot that is told.
pub(super) fn alerts_of(run: &Run, customer: &Customer, pivot: &Pivot, cause: Cause<'_>, told: &Told<'_>) -> Vec<Line> {
    let alerts = run.rules.alerts.iter().filter(|alert| alert.kind == "pivot" && alert.pivots.has(pivot));
    let sight = Sight { rules: &run.rules, customer, event: None };
    let those = alerts.filter(|alert| truth(&alert.when, &sight) == Ok(true));
    those.map(|alert| alert_line(run, customer, alert, Raised::Pivot(pivot, cause, told))).collect()
}

/// A pivot as it was told: when, as which output, on what evidence.
pub(super) struct Told<'a> {
    pub(super) at: EventTime,
    pub(super) id: OutputId,
    pub(super) row: &'a Row,
}

/// What an alert is raised on.
#[derive(Clone, Copy)]
enum Raised<'a> {
    Event(&'a Event, Position),
    Pivot(&'a Pivot, Cause<'a>, &'a Told<'a>),
}

fn alert_line(run: &Run, customer: &Customer, alert: &Alert, raised: Raised<'_>) -> Line {
    let kind = "agent.alert";
    let (event, cause, at) = match raised {
        Raised::Event(event, position) => (Some(event), Some((event, position)), event.at),
        Raised::Pivot(_, cause, told) => (None, cause, told.at),
    };
    let sight = Sight { rules: &run.rules, customer, event: event.and(cause) };
    let severity = match alert.severity.as_ref().map(|severity| evaluate(severity, &sight)) {
        Some(Ok(Value::Text(word))) => word,
        _ => "normal".to_owned(),
    };
    let what = match raised {
        Raised::Event(..) => String::new(),
        Raised::Pivot(pivot, ..) => format!("{}/{}/{}", pivot.kind.name(), pivot.channel.name(), pivot.level.name()),
    };
    let id_of = |entity: &str| output_id_of(run, entity, cause.map(|(event, _)| event), kind, &alert.name, &what, at);
    let id = id_of(customer.entity.key());
    // Whoever the author turns out to be, it is one complaint.
    let alert_id = match event.map(|event| &event.body) {
        Some(Body::Mention(mention)) => id_of(&format!("{}:{}", mention.platform, mention.handle)),
        _ => id,
    };
    let mut body = Object::default();
    body.put("event_id", id.to_string());
    body.put("type", kind);
    body.put("alert_id", alert_id.to_string());
    body.put("name", alert.name.clone());
    body.put("kind", alert.kind.clone());
    body.put("customer_id", customer.entity.customer_id());
    body.put_some("account_id", customer.account_id());
    let mut rows = evidence(&[&alert.when], &sight);
    if let Raised::Pivot(.., told) = raised {
        rows.insert(0, told.row.clone());
    }
    put_common(run, customer, at, cause, Some(&rows), &mut body);
    if let Raised::Pivot(pivot, _, told) = raised {
        body.put("level", pivot.level.name());
        body.put("parent", told.id.to_string());
    }
    body.put("severity", severity);
    body.put_some("due_at", alert.due.map(|due| at.plus(due).to_string()));
    body.put_some("expires_at", event.and_then(expires_at).map(|end| end.to_string()));
    if let Some(Body::Mention(mention)) = event.map(|event| &event.body) {
        body.put("reply_on", json!({ "platform": mention.platform, "handle": mention.handle }));
    }
    let held = || run.rules.programmes.iter().filter(|programme| customer.held.contains_key(&programme.name));
    let its = held().find_map(|programme| programme.routing.as_ref()).or(alert.routing.as_ref());
    let is_author = customer.entity.is_author();
    body.put_some("routing", its.map(|it| if is_author { of_nobody(it) } else { routing(run, it, customer) }));
    let its = held().filter_map(|programme| programme.greeting.as_ref()).chain(&alert.greeting);
    body.put_some("greeting", its.filter(|_| !is_author).find_map(|it| greeting(it, customer)));
    let name = customer.profile.as_ref().and_then(|profile| profile.name.as_deref());
    body.put("customer", json!({ "name": name, "standing": customer.standing(&run.rules) }));
    let order = Order {
        occurred_at: at,
        entity: &customer.entity,
        status_seq: customer.status_seq,
        kind,
        name: &alert.name,
        id: Some(id),
    };
    Line::new(&order, body.0)
}

/// Nobody is greeted by a name that is not known.
pub(super) fn greeting(text: &str, customer: &Customer) -> Option<String> {
    let of_account = customer.account().filter(|_| customer.entity.is_account());
    let named = customer.profile.as_ref().and_then(|profile| profile.name.as_deref());
    let named = named.or(of_account.and_then(|account| account.name.as_deref()));
    match named {
        Some(named) => Some(text.replace("{name}", named)),
        None => (!text.contains("{name}")).then(|| text.to_owned()),
    }
}

pub(super) fn output_id(
    run: &Run,
    customer: &Customer,
    cause: Cause<'_>,
    kind: &str,
    name: &str,
    reason: &str,
) -> OutputId {
    output_id_at(run, customer, cause.map(|(event, _)| event), kind, name, reason, customer.as_of)
}

pub(super) fn output_id_at(
    run: &Run,
    customer: &Customer,
    event: Option<&Event>,
    kind: &str,
    name: &str,
    reason: &str,
    at: EventTime,
) -> OutputId {
    output_id_of(run, &customer.entity.identity(), event, kind, name, reason, at)
}

fn output_id_of(
    run: &Run,
    entity: &str,
    event: Option<&Event>,
    kind: &str,
    name: &str,
    reason: &str,
    at: EventTime,
) -> OutputId {
    let trigger = event.map_or("timer", |event| event.kind().name());
    let key = event.map(keys::business_key).unwrap_or_default();
    OutputId::of(&[&run.app, kind, entity, name, reason, trigger, &key], at)
}
