//! Why: the facts that an expression rests on, each with its value, threshold and sample.

use serde_json::{Map, Value as Json, json};

use vipstream::model::record::Position;
use vipstream::model::time::EventTime;

use super::customer::Sight;
use super::expr::{Comparison, Node};
use super::lines::Topics;
use super::percentile;
use super::rules::Budget;
use super::value::{Readings, Value, compare, evaluate};

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    feature: String,
    window: Option<String>,
    value: Option<Value>,
    threshold: Option<Value>,
    op: Option<&'static str>,
    pub(super) holds: Option<bool>,
    /// Of when what it says of all customers is.
    settled_at: Option<EventTime>,
    sample: Vec<Position>,
}

impl Row {
    /// A value that nothing is compared with; a yes or no tests itself.
    pub(super) fn plain(feature: String, value: Value) -> Self {
        let holds = if let Value::Bool(holds) = value { Some(holds) } else { None };
        Self {
            feature,
            window: None,
            value: Some(value),
            threshold: None,
            op: None,
            holds,
            settled_at: None,
            sample: Vec::new(),
        }
    }

    /// So many, of which so many are enough.
    pub(super) fn counted(feature: &str, window: &str, value: usize, threshold: usize, sample: Vec<Position>) -> Self {
        let number = |number: usize| Some(Value::Int(i64::try_from(number).expect("a small number")));
        Self {
            feature: feature.to_owned(),
            window: Some(window.to_owned()),
            value: number(value),
            threshold: number(threshold),
            op: Some(">="),
            holds: Some(true),
            settled_at: None,
            sample,
        }
    }

    /// What a budget ranks by, against the weakest who has a place.
    pub(super) fn ranked(budget: &Budget, value: Option<Value>, cut: Option<Value>) -> Self {
        let better = if budget.is_earliest { Comparison::LessOrEqual } else { Comparison::GreaterOrEqual };
        let op = cut.is_some().then_some(better.sign());
        let holds = value.as_ref().zip(cut.as_ref()).and_then(|(value, cut)| compare(better, value, cut).ok());
        let feature = budget.rank_text.clone();
        Self { feature, window: None, value, threshold: cut, op, holds, settled_at: None, sample: Vec::new() }
    }

    /// More than may be, as of a settlement.
    pub(super) fn exceeded(feature: &str, value: Value, most: Value, at: EventTime) -> Self {
        let row = Self::plain(feature.to_owned(), value);
        Self { threshold: Some(most), op: Some("<="), holds: Some(false), settled_at: Some(at), ..row }
    }

    /// So many of all, against how many it takes, as of a settlement.
    pub(super) fn of_all(
        feature: String,
        value: Value,
        (op, limit, holds): (&'static str, Value, bool),
        at: EventTime,
    ) -> Self {
        let row = Self::plain(feature, value);
        Self { threshold: Some(limit), op: Some(op), holds: Some(holds), settled_at: Some(at), ..row }
    }

    /// Of a detector: a score, and what it had to reach.
    pub(super) fn scored(feature: String, value: Option<Value>, threshold: Option<Value>) -> Self {
        let row = Self::plain(feature, Value::Int(0));
        let (op, holds) = threshold.is_some().then_some((">=", true)).unzip();
        Self { value, threshold, op, holds, ..row }
    }

    /// As on the wire.
    pub(super) fn json(&self, topics: &Topics) -> Json {
        let mut row = Map::new();
        row.insert("feature".to_owned(), json!(self.feature));
        if let Some(window) = &self.window {
            row.insert("window".to_owned(), json!(window));
        }
        row.insert("value".to_owned(), self.value.as_ref().map_or(Json::Null, Value::json));
        if let Some(threshold) = &self.threshold {
            row.insert("threshold".to_owned(), threshold.json());
        }
        if let Some(op) = self.op {
            row.insert("op".to_owned(), json!(op));
        }
        if let Some(holds) = self.holds {
            row.insert("holds".to_owned(), json!(holds));
        }
        if let Some(at) = self.settled_at {
            row.insert("settled_at".to_owned(), json!(at.to_string()));
        }
        let sample: Vec<Json> = self.sample.iter().map(|position| topics.place(position)).collect();
        row.insert("sample".to_owned(), json!(sample));
        Json::Object(row)
    }
}

/// The rows of several expressions, one after the other, none twice.
pub(super) fn evidence(expressions: &[&Node], sight: &Sight<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for expression in expressions {
        walk(expression, true, sight, &mut rows);
    }
    let mut kept: Vec<Row> = Vec::new();
    for row in rows {
        let same = |other: &Row| other.feature == row.feature && other.op == row.op && other.threshold == row.threshold;
        if !kept.iter().any(same) {
            kept.push(row);
        }
    }
    kept
}

/// Left to right, depth first. `decides`: only `!`, `&&` and `||` lie between the node and the whole.
fn walk(node: &Node, decides: bool, sight: &Sight<'_>, rows: &mut Vec<Row>) {
    match node {
        Node::Compare(op, left, right) => match (left.as_ref(), right.as_ref()) {
            (fact, Node::Literal(limit)) if is_fact(fact) => rows.push(compared(fact, *op, limit, sight)),
            (Node::Literal(limit), fact) if is_fact(fact) => rows.push(compared(fact, op.flipped(), limit, sight)),
            (fact, all @ Node::Percentile(..)) if is_fact(fact) => rows.push(above(fact, *op, all, sight)),
            (all @ Node::Percentile(..), fact) if is_fact(fact) => rows.push(above(fact, op.flipped(), all, sight)),
            _ => node.parts().into_iter().for_each(|part| walk(part, false, sight, rows)),
        },
        all @ Node::Percentile(..) => rows.push(bare(all, sight)),
        Node::Not(_) | Node::And(..) | Node::Or(..) => {
            node.parts().into_iter().for_each(|part| walk(part, decides, sight, rows));
        }
        fact if is_fact(fact) => {
            let mut row = bare(fact, sight);
            if let (true, Some(Value::Bool(value))) = (decides, &row.value) {
                row.holds = Some(*value);
            }
            rows.push(row);
        }
        _ => node.parts().into_iter().for_each(|part| walk(part, false, sight, rows)),
    }
}

fn is_fact(node: &Node) -> bool {
    matches!(node, Node::Fact(_) | Node::Field(_) | Node::DaysSince(_))
}

fn compared(fact: &Node, op: Comparison, limit: &Value, sight: &Sight<'_>) -> Row {
    let row = bare(fact, sight);
    let holds = row.value.as_ref().and_then(|value| compare(op, value, limit).ok());
    Row { threshold: Some(limit.clone()), op: Some(op.sign()), holds, ..row }
}

/// Against what others have.
fn above(fact: &Node, op: Comparison, all: &Node, sight: &Sight<'_>) -> Row {
    let (row, cut) = (bare(fact, sight), bare(all, sight));
    let holds = row.value.as_ref().zip(cut.value.as_ref()).and_then(|(value, cut)| compare(op, value, cut).ok());
    Row { threshold: cut.value, op: Some(op.sign()), holds, settled_at: cut.settled_at, ..row }
}

fn bare(fact: &Node, sight: &Sight<'_>) -> Row {
    let (feature, window, sample) = match fact {
        Node::Fact(name) => {
            let window = sight.rules.feature(name).and_then(|feature| feature.over.clone());
            (name.clone(), window, sight.sample(name))
        }
        Node::Field(name) => (format!("event.{name}"), None, sight.trigger_position()),
        Node::DaysSince(of) => match of.as_ref() {
            Node::Fact(name) => (format!("days_since({name})"), None, Vec::new()),
            other => panic!("days_since wants a fact, not {other:?}"),
        },
        Node::Percentile(feature, part) => (percentile::name(feature, *part), None, Vec::new()),
        other => panic!("{other:?} is no fact"),
    };
    let settled_at = match fact {
        Node::Percentile(feature, part) => sight.cut(feature, *part).map(|(_, at)| at),
        _ => None,
    };
    let value = evaluate(fact, sight as &dyn Readings).ok();
    Row { feature, window, value, threshold: None, op: None, holds: None, settled_at, sample }
}
