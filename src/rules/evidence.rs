//! Which facts an expression's decision rests on, read off its text.

use cel::common::ast::{Expr, IdedExpr, operators};
use compact_str::{CompactString, format_compact};

use super::compile::{comparison, constant, days_operand, member, name, percentile};
use super::fact::{Fact, Scope};
use super::program::{Row, Test};
use super::value::Type;

/// The rows of an expression that passed the checks, in order of appearance, each once.
pub(super) fn rows(tree: &IdedExpr, scope: &Scope<'_>) -> Box<[Row]> {
    let mut rows = Vec::new();
    walk(tree, true, scope, &mut rows);
    rows.into()
}

/// `condition`: the tree stands where its truth is asked for, so a bare boolean fact tests itself.
fn walk(tree: &IdedExpr, condition: bool, scope: &Scope<'_>, rows: &mut Vec<Row>) {
    if let Some(Ok((fact, type_))) = name(tree, scope) {
        let test = if condition && type_ == Type::Bool { Test::True } else { Test::Read };
        return note(tree, fact, false, test, rows);
    }
    match &tree.expr {
        Expr::Select(select) => {
            if let Ok((fact, _)) = member(&select.operand, &select.field, scope) {
                let row =
                    Row { fact, days: false, name: spelled(&select.operand, &select.field, fact), test: Test::Read };
                push(row, rows);
            }
        }
        Expr::Call(call) => {
            let args: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
            if let (Some(op), [left, right]) = (comparison(&call.func_name), args.as_slice()) {
                for (fact, other, op) in [(left, right, op), (right, left, op.flipped())] {
                    if let (Some((at, days)), Some(value)) = (operand(fact, scope), constant(other)) {
                        return note(fact, at, days, Test::Compare(op, value), rows);
                    }
                    if let (Some((at, false)), Some(cut)) = (operand(fact, scope), of_all(other, scope)) {
                        return note(fact, at, false, Test::CompareAll(op, cut), rows);
                    }
                }
            }
            if let Some(fact) = of_all(tree, scope) {
                let percentiles = scope.percentiles.map(|it| it.borrow()).into_iter();
                let Fact::Percentile(at, _) = fact else { return };
                let name = percentiles.map(|it| it[usize::from(at)].name.clone()).collect();
                return push(Row { fact, days: false, name, test: Test::Read }, rows);
            }
            let asked = condition
                && matches!(
                    call.func_name.as_str(),
                    operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT
                );
            for arg in args {
                if let Some(time) = days_operand(arg) {
                    if let Some((fact, _)) = operand(time, scope) {
                        note(arg, fact, true, Test::Read, rows);
                    }
                } else {
                    walk(arg, asked, scope, rows);
                }
            }
        }
        _ => {}
    }
}

/// What a call of `percentile` stands for.
fn of_all(tree: &IdedExpr, scope: &Scope<'_>) -> Option<Fact> {
    let Expr::Call(call) = &tree.expr else { return None };
    percentile(call, scope)?.ok()
}

/// A fact, or `days_since` of one.
fn operand(tree: &IdedExpr, scope: &Scope<'_>) -> Option<(Fact, bool)> {
    match days_operand(tree) {
        Some(time) => Some((name(time, scope)?.ok()?.0, true)),
        None => Some((name(tree, scope)?.ok()?.0, false)),
    }
}

fn note(tree: &IdedExpr, fact: Fact, days: bool, test: Test, rows: &mut Vec<Row>) {
    let inner = days_operand(tree).unwrap_or(tree);
    let plain = match &inner.expr {
        Expr::Ident(name) => match fact {
            Fact::Event(field) => format_compact!("event.{}", field.name()),
            _ => CompactString::from(name.as_str()),
        },
        Expr::Select(select) => spelled(&select.operand, &select.field, fact),
        _ => return,
    };
    let name = if days { format_compact!("days_since({plain})") } else { plain };
    push(Row { fact, days, name, test }, rows);
}

/// The name in evidence of `operand.field`: `f.` is left out, event fields start with `event.`.
fn spelled(operand: &IdedExpr, field: &str, fact: Fact) -> CompactString {
    match (fact, &operand.expr) {
        (Fact::Event(field), _) => format_compact!("event.{}", field.name()),
        (_, Expr::Ident(namespace)) if namespace != "f" => format_compact!("{namespace}.{field}"),
        (Fact::AccountAttribute(_), _) => format_compact!("account.attributes.{field}"),
        _ => field.into(),
    }
}

/// Adds a row, unless one says the same of the fact already.
fn push(row: Row, rows: &mut Vec<Row>) {
    let asked = |row: &Row| match &row.test {
        Test::Compare(op, threshold) => Some((*op, Some(threshold.clone()), None)),
        Test::CompareAll(op, cut) => Some((*op, None, Some(*cut))),
        Test::True | Test::Read => None,
    };
    if !rows.iter().any(|other| other.name == row.name && asked(other) == asked(&row)) {
        rows.push(row);
    }
}
