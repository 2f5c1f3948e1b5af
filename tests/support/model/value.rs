//! Values, and what an expression makes of them.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use serde_json::json;

use vipstream::model::time::EventTime;

use super::expr::{Comparison, Node, Operation, TextTest};

/// What a fact, a field or an expression can be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(String),
    Time(EventTime),
}

/// A missing fact was read, or the numbers do not go together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Failed;

/// Where an expression finds what it reads. `None`: missing.
pub(super) trait Readings {
    fn fact(&self, name: &str) -> Option<Value>;
    fn field(&self, name: &str) -> Option<Value>;
    fn days_since(&self, time: EventTime) -> i64;
    fn percentile(&self, feature: &str, part: Decimal) -> Option<Value>;
}

impl Value {
    /// As JSON: ints are numbers, decimals text without trailing zeros.
    pub(super) fn json(&self) -> serde_json::Value {
        match self {
            Self::Bool(value) => json!(value),
            Self::Int(value) => json!(value),
            Self::Decimal(value) => json!(value.normalize().to_string()),
            Self::Text(value) => json!(value),
            Self::Time(value) => json!(value.to_string()),
        }
    }

    /// The exact number.
    pub(super) fn number(&self) -> Option<Decimal> {
        match self {
            Self::Int(value) => Some(Decimal::from(*value)),
            Self::Decimal(value) => Some(*value),
            _ => None,
        }
    }

    /// How two values of one type are ordered; `None`: they are of different types.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            _ => Some(self.number()?.cmp(&other.number()?)),
        }
    }
}

/// What an expression is.
pub(super) fn evaluate(node: &Node, readings: &dyn Readings) -> Result<Value, Failed> {
    let value = |node: &Node| evaluate(node, readings);
    Ok(match node {
        Node::Literal(value) => value.clone(),
        Node::Fact(name) => readings.fact(name).ok_or(Failed)?,
        Node::Field(name) => readings.field(name).ok_or(Failed)?,
        Node::DaysSince(of) => match value(of)? {
            Value::Time(time) => Value::Int(readings.days_since(time)),
            _ => return Err(Failed),
        },
        Node::Percentile(feature, part) => readings.percentile(feature, *part).ok_or(Failed)?,
        Node::Has(of) => Value::Bool(value(of).is_ok()),
        Node::Not(of) => Value::Bool(!truth(of, readings)?),
        Node::Negate(of) => match value(of)? {
            Value::Int(int) => Value::Int(int.checked_neg().ok_or(Failed)?),
            Value::Decimal(decimal) => Value::Decimal(-decimal),
            _ => return Err(Failed),
        },
        Node::And(a, b) => Value::Bool(absorb(truth(a, readings), truth(b, readings), false)?),
        Node::Or(a, b) => Value::Bool(absorb(truth(a, readings), truth(b, readings), true)?),
        Node::Choose(condition, yes, no) => value(if truth(condition, readings)? { yes } else { no })?,
        Node::Compare(op, a, b) => Value::Bool(compare(*op, &value(a)?, &value(b)?)?),
        Node::Arithmetic(op, a, b) => calculate(*op, &value(a)?, &value(b)?)?,
        Node::In(item, list) => {
            let item = value(item)?;
            let list = list.iter().map(value).collect::<Result<Vec<_>, _>>()?;
            Value::Bool(list.iter().any(|other| item.order(other) == Some(Ordering::Equal)))
        }
        Node::Size(of) => match value(of)? {
            Value::Text(text) => Value::Int(i64::try_from(text.chars().count()).map_err(|_| Failed)?),
            _ => return Err(Failed),
        },
        Node::Text(test, a, b) => match (value(a)?, value(b)?) {
            (Value::Text(text), Value::Text(part)) => Value::Bool(match test {
                TextTest::StartsWith => text.starts_with(&part),
                TextTest::EndsWith => text.ends_with(&part),
                TextTest::Contains => text.contains(&part),
            }),
            _ => return Err(Failed),
        },
    })
}

/// Whether a predicate holds.
pub(super) fn truth(node: &Node, readings: &dyn Readings) -> Result<bool, Failed> {
    match evaluate(node, readings)? {
        Value::Bool(value) => Ok(value),
        _ => Err(Failed),
    }
}

/// `&&` and `||`: a side that decides alone absorbs the other's error.
fn absorb(a: Result<bool, Failed>, b: Result<bool, Failed>, decisive: bool) -> Result<bool, Failed> {
    if a == Ok(decisive) || b == Ok(decisive) {
        return Ok(decisive);
    }
    a?;
    b
}

/// Compares two values.
pub(super) fn compare(op: Comparison, a: &Value, b: &Value) -> Result<bool, Failed> {
    let order = a.order(b);
    match op {
        Comparison::Equal => order.map(Ordering::is_eq).ok_or(Failed),
        Comparison::NotEqual => order.map(Ordering::is_ne).ok_or(Failed),
        Comparison::Less => order.map(Ordering::is_lt).ok_or(Failed),
        Comparison::LessOrEqual => order.map(Ordering::is_le).ok_or(Failed),
        Comparison::Greater => order.map(Ordering::is_gt).ok_or(Failed),
        Comparison::GreaterOrEqual => order.map(Ordering::is_ge).ok_or(Failed),
    }
}

fn calculate(op: Operation, a: &Value, b: &Value) -> Result<Value, Failed> {
    if let (Value::Int(a), Value::Int(b)) = (a, b) {
        let result = match op {
            Operation::Add => a.checked_add(*b),
            Operation::Subtract => a.checked_sub(*b),
            Operation::Multiply => a.checked_mul(*b),
            Operation::Divide => a.checked_div(*b),
            Operation::Remainder => a.checked_rem(*b),
        };
        return result.map(Value::Int).ok_or(Failed);
    }
    if let (Value::Text(a), Value::Text(b), Operation::Add) = (a, b, op) {
        return Ok(Value::Text(format!("{a}{b}")));
    }
    let (a, b) = (a.number().ok_or(Failed)?, b.number().ok_or(Failed)?);
    let result = match op {
        Operation::Add => a.checked_add(b),
        Operation::Subtract => a.checked_sub(b),
        Operation::Multiply => a.checked_mul(b),
        Operation::Divide => a.checked_div(b),
        Operation::Remainder => a.checked_rem(b),
    };
    result.map(Value::Decimal).ok_or(Failed)
}
