//! The values that an expression's decision rests on, as they stood.

use compact_str::format_compact;

use super::view::View;
use crate::model::output::{Evidence, Scalar};
use crate::model::record::Position;
use crate::rules::fact::{Fact, Facts as _};
use crate::rules::program::{Program, Row, Test};
use crate::rules::ruleset::Programme;
use crate::rules::value::Val;

/// The rows of an expression, filled in. `event` is where the event at hand lies.
pub(super) fn of(program: &Program, view: &View<'_>, event: Option<Position>) -> Vec<Evidence> {
    distinct(program.rows().iter().map(|row| Evidence { sample: sample(row, view, event), ..fill(row, view) }))
}

/// The rows of an expression, without the records behind them.
pub(super) fn without_samples(program: &Program, view: &View<'_>) -> Vec<Evidence> {
    distinct(program.rows().iter().map(|row| fill(row, view)))
}

/// The rows of several expressions, those that say the same only once.
pub(super) fn of_all<'a>(programs: impl Iterator<Item = &'a Program>, view: &View<'_>) -> Vec<Evidence> {
    distinct(programs.flat_map(|program| of(program, view, None)))
}

fn distinct(all: impl Iterator<Item = Evidence>) -> Vec<Evidence> {
    let mut rows: Vec<Evidence> = Vec::new();
    for row in all {
        let same =
            |other: &Evidence| other.feature == row.feature && other.op == row.op && other.threshold == row.threshold;
        if !rows.iter().any(same) {
            rows.push(row);
        }
    }
    rows
}

/// Why a contact holds a programme, or no longer: `account.held.NAME`, `account.tier.NAME`.
pub(super) fn of_account(what: &str, rule: &Programme, value: Scalar) -> Evidence {
    let holds = if let Scalar::Bool(holds) = value { Some(holds) } else { None };
    Evidence {
        feature: format_compact!("account.{what}.{}", rule.name),
        window: None,
        value: Some(value),
        threshold: None,
        op: None,
        holds,
        settled_at: None,
        sample: Vec::new(),
    }
}

fn fill(row: &Row, view: &View<'_>) -> Evidence {
    let value = match view.fact(row.fact) {
        Val::Time(time) if row.days => Val::Int(view.days_since(time)),
        value => value,
    };
    let (threshold, op, holds) = match &row.test {
        Test::Compare(op, threshold) => {
            let holds = match op.apply(value, threshold.into()) {
                Val::Bool(holds) => Some(holds),
                _ => None,
            };
            (Some(threshold.clone()), Some(op.symbol()), holds)
        }
        Test::CompareAll(op, cut) => {
            let cut = view.fact(*cut);
            let holds = if let Val::Bool(holds) = op.apply(value, cut) { Some(holds) } else { None };
            (cut.scalar(), Some(op.symbol()), holds)
        }
        Test::True => (None, None, if let Val::Bool(holds) = value { Some(holds) } else { None }),
        Test::Read => (None, None, None),
    };
    let window = match row.fact {
        Fact::Feature(index) => view.rules.features[usize::from(index)].window_text.clone(),
        _ => None,
    };
    let settled_at = match (row.fact, &row.test) {
        (Fact::Percentile(at, _), _) => view.cut(at).map(|(_, of)| of),
        (_, Test::CompareAll(_, Fact::Percentile(at, _))) => view.cut(*at).map(|(_, of)| of),
        _ => None,
    };
    let (feature, value) = (row.name.clone(), value.scalar());
    Evidence { feature, window, value, threshold, op, holds, settled_at, sample: Vec::new() }
}

fn sample(row: &Row, view: &View<'_>, event: Option<Position>) -> Vec<Position> {
    match (row.fact, view.customer) {
        (Fact::Feature(index), Some(customer)) => customer.sample(index, view.rules),
        (Fact::Event(_), _) => event.into_iter().collect(),
        _ => Vec::new(),
    }
}
