//! What is said beside the decisions: a customer's whole standing, and what was decided without any visible change.

use serde_json::{Value as Json, json};

use super::customer::{Customer, Sight};
use super::evidence::{Row, evidence};
use super::lines::{Line, Object, Order};
use super::look::{self, Cause, Run};
use super::overrides::Shown;
use super::programme::Step;
use super::routing::routing;
use super::rules::Programme;
use super::seats::Candidacy;
use super::value::Value;

/// Where the customer stands; nothing of somebody about whom nothing was ever decided.
pub(super) fn status(run: &Run, customer: &Customer, cause: Cause<'_>) -> Option<Line> {
    let mut body = Object::default();
    let id = look::output_id(run, customer, cause, KIND, "", "");
    body.put("event_id", id.to_string());
    body.put("type", KIND);
    body.put("customer_id", customer.entity.customer_id());
    let profile = customer.profile.as_ref();
    let is_account = customer.entity.is_account();
    let record = customer.account().filter(|_| is_account);
    if is_account && record.is_none() && customer.held.is_empty() {
        return withdrawn(customer);
    }
    body.put_some("account_id", customer.account_id());
    look::put_common(run, customer, customer.as_of, cause, None, &mut body);
    let name =
        if is_account { record.and_then(|it| it.name.as_deref()) } else { profile.and_then(|it| it.name.as_deref()) };
    body.put_some("name", name);
    body.put_some("merged_into", profile.and_then(|profile| profile.merged_into.as_deref()));
    body.put("standing", customer.standing(&run.rules));
    let held = || run.rules.programmes.iter().filter(|programme| customer.held.contains_key(&programme.name));
    body.put("programmes", held().map(|programme| membership(run, customer, programme)).collect::<Vec<_>>());
    let labels = run.rules.labels.iter().map(|label| label.name.clone());
    body.put("labels", labels.filter(|label| customer.labels.contains(label)).collect::<Vec<_>>());
    body.put("weight", customer.weight(&run.rules).json());
    body.put_some(
        "routing",
        held().find_map(|programme| programme.routing.as_ref()).map(|it| routing(run, it, customer)),
    );
    body.put_some(
        "greeting",
        held().filter_map(|programme| programme.greeting.as_ref()).find_map(|it| look::greeting(it, customer)),
    );
    let mut entitlements: Vec<&String> = Vec::new();
    held().flat_map(|programme| &programme.entitlements).for_each(|it| {
        if !entitlements.contains(&it) {
            entitlements.push(it);
        }
    });
    body.put("entitlements", json!(entitlements));
    body.put_some("channel", profile.and_then(|profile| profile.preferred_channel.as_deref()));
    let sight = Sight { rules: &run.rules, customer, event: None };
    let concerning = run.rules.programmes.iter().filter(|programme| programme.of_account || !is_account);
    let progress = concerning.map(|programme| {
        let is_held = customer.held.contains_key(&programme.name);
        let by_account = || Row::plain(format!("account.held.{}", programme.name), Value::Bool(is_held));
        let follows = programme.of_account && !is_account;
        let rows = if follows { vec![by_account()] } else { evidence(&[&programme.grant], &sight) };
        let rows: Vec<Json> = rows.iter().map(|row| without_sample(row.json(&run.topics))).collect();
        let mut body = Object::default();
        body.put("programme", programme.name.clone());
        body.put("held", is_held);
        body.put("rows", rows);
        if let Some(shown) = customer.shown(programme) {
            shown.put(&mut body);
        }
        body.put_some("waitlist", customer.candidacies.get(&programme.name).and_then(Candidacy::json));
        Json::Object(body.0)
    });
    body.put("progress", progress.collect::<Vec<_>>());
    line(customer, body)
}

/// Of somebody erased nothing stands, nor of an account of which nothing is left.
pub(super) fn withdrawn(customer: &Customer) -> Option<Line> {
    let mut body = Object::default();
    body.put("type", KIND);
    body.put("customer_id", customer.entity.customer_id());
    body.put_some("account_id", customer.account_id().filter(|_| customer.entity.is_account()));
    body.put("status", Json::Null);
    line(customer, body)
}

const KIND: &str = "status";

/// Standings of one instant stay in the order of saying: their order says nothing of their ids.
fn line(customer: &Customer, body: Object) -> Option<Line> {
    let order = Order {
        occurred_at: customer.as_of,
        entity: &customer.entity,
        status_seq: customer.status_seq,
        kind: KIND,
        name: if customer.entity.is_account() { customer.entity.key() } else { "" },
        id: None,
    };
    (customer.status_seq > 0 || customer.ties.was_merged).then(|| Line::new(&order, body.0))
}

fn membership(run: &Run, customer: &Customer, programme: &Programme) -> Json {
    let held = &customer.held[&programme.name];
    let mut body = Object::default();
    body.put("programme", programme.name.clone());
    body.put("profile", programme.profile.clone());
    body.put_some("tier", held.tier.map(|tier| programme.tiers[tier].0.clone()));
    body.put("since", held.granted_at.to_string());
    let paid = || look::paid_until(run, customer, programme);
    let ends = || held.ends(&run.rules, programme).or_else(paid);
    body.put_some("valid_until", customer.held_until(&programme.name).or_else(ends).map(|end| end.to_string()));
    Json::Object(body.0)
}

fn without_sample(mut row: Json) -> Json {
    row.as_object_mut().expect("a row is an object").shift_remove("sample");
    row
}

/// A step that nobody sees, before the look is over.
pub(super) struct Unseen {
    programme: String,
    step: Step,
    /// The tier held then.
    tier: Option<String>,
    lower: Option<String>,
    rows: Vec<Row>,
    /// What a person decided.
    shown: Option<Shown>,
}

impl Unseen {
    pub(super) fn new(programme: &Programme, step: Step, tier: Option<usize>, rows: Vec<Row>) -> Self {
        let name = |tier: Option<usize>| tier.map(|tier| programme.tiers[tier].0.clone());
        let lower = if let Step::TierHeld { lower, .. } = step { name(lower) } else { None };
        Self { programme: programme.name.clone(), step, tier: name(tier), lower, rows, shown: None }
    }

    /// Shows what a person decided, too.
    pub(super) fn with(self, shown: Shown) -> Self {
        Self { shown: Some(shown), ..self }
    }

    /// The line, once the look is over.
    pub(super) fn line(self, run: &Run, customer: &Customer, cause: Cause<'_>) -> Line {
        let Self { programme, step, tier, lower, rows, shown } = self;
        let (decision, until) = match step {
            Step::HeldByTenure { until } => ("held_by_tenure", Some(until)),
            Step::KeptInTenure => ("kept_in_tenure", None),
            Step::TierHeld { until, .. } => ("tier_held", Some(until)),
            Step::TierKept => ("tier_kept", None),
            Step::KeptByOverride { until } => ("kept_by_override", Some(until)),
            Step::DeniedByOverride { until } => ("denied_by_override", Some(until)),
            Step::RuleAgrees => ("rule_agrees", None),
            Step::OffWaitlist => ("off_waitlist", None),
            seen => panic!("{seen:?} is a decision that is seen"),
        };
        let kind = "decision";
        let id = look::output_id(run, customer, cause, kind, &programme, decision);
        let mut body = Object::default();
        body.put("event_id", id.to_string());
        body.put("type", kind);
        body.put("customer_id", customer.entity.customer_id());
        body.put_some("account_id", customer.account_id());
        look::put_common(run, customer, customer.as_of, cause, Some(&rows), &mut body);
        body.put("programme", programme.clone());
        body.put("decision", decision);
        body.put_some("until", until.map(|until| until.to_string()));
        if decision == "tier_held" {
            body.put("from", json!(tier));
            body.put("to", json!(lower));
        }
        body.put("standing", customer.standing(&run.rules));
        if let Some(shown) = shown {
            shown.put(&mut body);
        }
        let order = Order {
            occurred_at: customer.as_of,
            entity: &customer.entity,
            status_seq: customer.status_seq,
            kind,
            name: &programme,
            id: Some(id),
        };
        Line::new(&order, body.0)
    }
}
