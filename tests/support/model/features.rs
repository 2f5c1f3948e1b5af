//! The value of a feature: every time anew, from everything the customer ever did.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use vipstream::model::event::{Body, Event, Kind};
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;

use super::expr::Node;
use super::fields;
use super::memory::{Memory, Object};
use super::money;
use super::rules::{Feature, Function, Ruleset};
use super::value::{Failed, Readings, Value, evaluate, truth};

/// One event's part in a feature.
#[derive(Clone, Debug)]
pub(super) struct Contribution {
    pub(super) place: EventTime,
    /// Ties go by the hash of the key, as the engine keeps no more of it.
    pub(super) tie: u64,
    pub(super) position: Position,
    /// `None` for a count.
    value: Option<Value>,
    /// When it leaves the window.
    pub(super) exit: Option<EventTime>,
}

/// What of a customer's doings a feature counts at an instant, oldest first.
pub(super) fn contributions(
    rules: &Ruleset,
    feature: &Feature,
    memory: &Memory,
    as_of: EventTime,
) -> Vec<Contribution> {
    let mut found: Vec<Contribution> =
        memory.objects.iter().filter_map(|object| contribution(rules, feature, object, as_of)).collect();
    found.sort_by_key(|it| (it.place, it.tie, it.position));
    found
}

fn contribution(rules: &Ruleset, feature: &Feature, object: &Object, as_of: EventTime) -> Option<Contribution> {
    if object.kind != feature.kind || object.place > as_of || !is_counted(rules, object) {
        return None;
    }
    let exit = rules.calendar.exit(feature.window, object.place);
    if exit.is_some_and(|exit| exit <= as_of) {
        return None;
    }
    let event = object.content.as_ref()?;
    if let Some(filter) = &feature.filter
        && truth(filter, &Fields { event, money: money::worth(rules, event, object.place) }) != Ok(true)
    {
        return None;
    }
    let value = match &feature.expr {
        None => None,
        Some(expr) => Some(part(expr, feature.function, &Fields { event, money: left(rules, event, object) }).ok()?),
    };
    let tie = object.tie();
    Some(Contribution { place: object.place, tie, position: object.position, value, exit })
}

/// Unpriced, wholly taken back and retracted things count nowhere.
fn is_counted(rules: &Ruleset, object: &Object) -> bool {
    let Some(event) = &object.content else { return false };
    match &event.body {
        Body::Purchase(_) => object.left(rules).is_some() && !object.is_wholly_taken_back(rules),
        Body::Referral(referral) => referral.value.is_none() || money::worth(rules, event, object.place).is_some(),
        _ => true,
    }
}

/// An order's amount is what refunds left of it; the filter saw it as sent.
fn left(rules: &Ruleset, event: &Event, object: &Object) -> Option<Decimal> {
    if matches!(event.body, Body::Purchase(_)) { object.left(rules) } else { money::worth(rules, event, object.place) }
}

/// What one event adds. Sums add parts of at most nine decimals.
fn part(expr: &Node, function: Function, fields: &Fields<'_>) -> Result<Value, Failed> {
    let value = evaluate(expr, fields)?;
    match function {
        Function::Sum | Function::Avg => {
            let number = value.number().ok_or(Failed)?;
            Ok(Value::Decimal(number.round_dp(9)))
        }
        _ => Ok(value),
    }
}

/// A feature's value; `None`: missing.
pub(super) fn value(feature: &Feature, found: &[Contribution]) -> Option<Value> {
    let values = || found.iter().filter_map(|contribution| contribution.value.clone());
    let sum = || values().filter_map(|value| value.number()).sum::<Decimal>();
    match feature.function {
        Function::Count => Some(whole(found.len())),
        Function::Sum => Some(Value::Decimal(sum())),
        Function::Avg if found.is_empty() => None,
        Function::Avg => Some(Value::Decimal(sum() / Decimal::from(found.len()))),
        Function::Distinct => {
            let different: BTreeSet<String> = values().map(|value| value.json().to_string()).collect();
            Some(whole(different.len()))
        }
        Function::Last => values().next_back(),
        Function::First => values().next(),
    }
}

fn whole(count: usize) -> Value {
    Value::Int(i64::try_from(count).expect("far fewer events than 2^63"))
}

/// The newest contributions, at most three, newest first. Presence and engagement are kept by the unit of the
/// window: of each unit the newest.
pub(super) fn sample(feature: &Feature, found: &[Contribution]) -> Vec<Position> {
    let mut newest: Vec<&Contribution> = found.iter().rev().collect();
    if matches!(feature.kind, Kind::Presence | Kind::Engagement) {
        newest.dedup_by_key(|contribution| contribution.exit);
    }
    newest.into_iter().take(3).map(|contribution| contribution.position).collect()
}

/// An event's fields, for a feature's expressions.
struct Fields<'a> {
    event: &'a Event,
    /// Its amount or value in the rules' currency.
    money: Option<Decimal>,
}

impl Readings for Fields<'_> {
    fn fact(&self, _: &str) -> Option<Value> {
        None
    }

    fn field(&self, name: &str) -> Option<Value> {
        let is_money = fields::is_money(self.event, name);
        if is_money { self.money.map(Value::Decimal) } else { fields::field(self.event, name) }
    }

    fn days_since(&self, _: EventTime) -> i64 {
        unreachable!("a feature's expression reads no facts")
    }

    fn percentile(&self, _: &str, _: Decimal) -> Option<Value> {
        unreachable!("a feature's expression reads nothing of others")
    }
}
