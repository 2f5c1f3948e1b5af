//! A compiled expression: operations in prefix order, evaluated without allocation.

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::fact::{Fact, Facts};
use super::value::{Fault, Type, Val};
use crate::model::output::Scalar;

/// A type-checked expression as a flat list of operations.
///
/// Bounded: at most [`MAX_NODES`] operations, each evaluated at most once.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    pub(super) ops: Box<[Op]>,
    pub(super) type_: Type,
    pub(super) text: String,
    pub(super) rows: Box<[Row]>,
}

/// Most nodes of an expression.
pub const MAX_NODES: usize = 256;

/// One operation; its operands follow it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Op {
    Const(Scalar),
    Load(Fact),
    /// A fact compared with a constant: what most rules consist of.
    Test(Fact, Comparison, Scalar),
    Has(Fact),
    DaysSince(Fact),
    Not,
    Negate,
    Arithmetic(Arithmetic),
    Compare(Comparison),
    /// `&&`; where the left side decides, evaluation goes on at the index.
    And(u16),
    Or(u16),
    /// `c ? a : b`: where `b` starts, and where it ends.
    Choose(u16, u16),
    In(Box<[Scalar]>),
    Size,
    StartsWith,
    EndsWith,
    Contains,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A comparison of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    /// As written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// The same with its sides swapped.
    #[must_use]
    pub const fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    /// Whether an ordering satisfies it.
    pub const fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
        }
    }

    /// Compares two values; an error where either is one.
    pub fn apply<'a>(self, left: Val<'a>, right: Val<'a>) -> Val<'a> {
        let ordering = match (left, right) {
            (Val::Error(fault), _) | (_, Val::Error(fault)) => return Val::Error(fault),
            (Val::Int(l), Val::Int(r)) => l.cmp(&r),
            (Val::Text(l), Val::Text(r)) => l.cmp(r),
            (Val::Time(l), Val::Time(r)) => l.cmp(&r),
            (Val::Bool(l), Val::Bool(r)) => l.cmp(&r),
            _ => match (left.decimal(), right.decimal()) {
                (Some(l), Some(r)) => l.cmp(&r),
                _ => return Val::Error(Fault::Type),
            },
        };
        Val::Bool(self.holds(ordering))
    }
}

/// A fact that a decision by this expression rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub fact: Fact,
    /// Whether it is read as `days_since(fact)`.
    pub days: bool,
    /// The fact's name in evidence.
    pub name: CompactString,
    pub test: Test,
}

/// What the expression asks of the fact.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A comparison with a constant, the fact on its left.
    Compare(Comparison, Scalar),
    /// A comparison with what all customers have.
    CompareAll(Comparison, Fact),
    /// A bare boolean.
    True,
    /// Something that one row cannot show.
    Read,
}

impl Program {
    /// The expression as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The type of its value.
    pub const fn result_type(&self) -> Type {
        self.type_
    }

    /// What its decision rests on, in order of appearance.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The facts it reads.
    pub fn facts(&self) -> impl Iterator<Item = Fact> {
        self.ops.iter().filter_map(|op| match op {
            Op::Load(fact) | Op::Test(fact, ..) | Op::Has(fact) | Op::DaysSince(fact) => Some(*fact),
            _ => None,
        })
    }

    /// Whether it only compares facts with constants: then it is in error only where a fact is.
    pub(super) fn is_plain(&self) -> bool {
        self.ops.iter().all(|op| matches!(op, Op::Const(_) | Op::Test(..) | Op::Not | Op::And(_) | Op::Or(_)))
    }

    /// Its `days_since(fact) OP days` comparisons.
    pub fn days(&self) -> impl Iterator<Item = (Fact, Comparison, i64)> {
        self.rows.iter().filter_map(|row| match &row.test {
            Test::Compare(op, Scalar::Int(days)) if row.days => Some((row.fact, *op, *days)),
            _ => None,
        })
    }

    /// Its value over the facts.
    pub fn eval<'v>(&'v self, facts: &impl Facts<'v>) -> Val<'v> {
        self.step(0, facts).0
    }

    /// A predicate's answer; `None` where it is in error.
    pub fn decide<'v>(&'v self, facts: &impl Facts<'v>) -> Option<bool> {
        match self.eval(facts) {
            Val::Bool(answer) => Some(answer),
            _ => None,
        }
    }

    /// Evaluates the operation at `at` with its operands; returns where the next one starts.
    fn step<'v>(&'v self, at: usize, facts: &impl Facts<'v>) -> (Val<'v>, usize) {
        let next = at + 1;
        match &self.ops[at] {
            Op::Const(value) => (value.into(), next),
            Op::Load(fact) => (facts.fact(*fact), next),
            Op::Test(fact, op, constant) => (op.apply(facts.fact(*fact), constant.into()), next),
            Op::Has(fact) => (Val::Bool(!matches!(facts.fact(*fact), Val::Error(_))), next),
            Op::DaysSince(fact) => (days_since(facts.fact(*fact), facts), next),
            Op::And(end) => self.logical(next, *end, false, facts),
            Op::Or(end) => self.logical(next, *end, true, facts),
            Op::Choose(otherwise, end) => {
                let (condition, then) = self.step(next, facts);
                let value = match condition {
                    Val::Bool(true) => self.step(then, facts).0,
                    Val::Bool(false) => self.step(usize::from(*otherwise), facts).0,
                    Val::Error(fault) => Val::Error(fault),
                    _ => Val::Error(Fault::Type),
                };
                (value, usize::from(*end))
            }
            Op::Not | Op::Negate | Op::Size | Op::In(_) => {
                let (value, next) = self.step(next, facts);
                (unary(&self.ops[at], value), next)
            }
            Op::Arithmetic(_) | Op::Compare(_) | Op::StartsWith | Op::EndsWith | Op::Contains => {
                let (left, next) = self.step(next, facts);
                let (right, next) = self.step(next, facts);
                (binary(&self.ops[at], left, right), next)
            }
        }
    }

    /// `&&` and `||`: `decisive` on either side decides, whatever the other side is, errors included.
    fn logical<'v>(&'v self, left: usize, end: u16, decisive: bool, facts: &impl Facts<'v>) -> (Val<'v>, usize) {
        let end = usize::from(end);
        let (left, right) = self.step(left, facts);
        if left == Val::Bool(decisive) {
            return (left, end);
        }
        let (right, _) = self.step(right, facts);
        let value = match (left, right) {
            (_, Val::Bool(answer)) if answer == decisive => right,
            (Val::Bool(_), _) => right,
            (error, _) => error,
        };
        (value, end)
    }
}

fn days_since<'v>(value: Val<'v>, facts: &impl Facts<'v>) -> Val<'v> {
    match value {
        Val::Time(time) => Val::Int(facts.days_since(time)),
        Val::Error(fault) => Val::Error(fault),
        _ => Val::Error(Fault::Type),
    }
}

fn unary<'v>(op: &Op, value: Val<'v>) -> Val<'v> {
    match (op, value) {
        (_, Val::Error(fault)) => Val::Error(fault),
        (Op::Not, Val::Bool(value)) => Val::Bool(!value),
        (Op::Negate, Val::Int(value)) => value.checked_neg().map_or(Val::Error(Fault::Overflow), Val::Int),
        (Op::Negate, Val::Decimal(value)) => Val::Decimal(-value),
        (Op::Size, Val::Text(text)) => {
            i64::try_from(text.chars().count()).map_or(Val::Error(Fault::Overflow), Val::Int)
        }
        (Op::In(list), value) => {
            Val::Bool(list.iter().any(|item| Comparison::Equal.apply(value, item.into()) == Val::Bool(true)))
        }
        _ => Val::Error(Fault::Type),
    }
}

fn binary<'v>(op: &Op, left: Val<'v>, right: Val<'v>) -> Val<'v> {
    match (op, left, right) {
        (Op::Compare(comparison), left, right) => comparison.apply(left, right),
        (_, Val::Error(fault), _) | (_, _, Val::Error(fault)) => Val::Error(fault),
        (Op::Arithmetic(op), Val::Int(left), Val::Int(right)) => ints(*op, left, right),
        (Op::StartsWith, Val::Text(text), Val::Text(part)) => Val::Bool(text.starts_with(part)),
        (Op::EndsWith, Val::Text(text), Val::Text(part)) => Val::Bool(text.ends_with(part)),
        (Op::Contains, Val::Text(text), Val::Text(part)) => Val::Bool(text.contains(part)),
        (Op::Arithmetic(op), left, right) => match (left.decimal(), right.decimal()) {
            (Some(left), Some(right)) => decimals(*op, left, right),
            _ => Val::Error(Fault::Type),
        },
        _ => Val::Error(Fault::Type),
    }
}

fn ints<'v>(op: Arithmetic, left: i64, right: i64) -> Val<'v> {
    if right == 0 && matches!(op, Arithmetic::Divide | Arithmetic::Remainder) {
        return Val::Error(Fault::DivideByZero);
    }
    let result = match op {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide => left.checked_div(right),
        Arithmetic::Remainder => left.checked_rem(right),
    };
    result.map_or(Val::Error(Fault::Overflow), Val::Int)
}

fn decimals<'v>(op: Arithmetic, left: Decimal, right: Decimal) -> Val<'v> {
    if right.is_zero() && matches!(op, Arithmetic::Divide | Arithmetic::Remainder) {
        return Val::Error(Fault::DivideByZero);
    }
    let result = match op {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide => left.checked_div(right),
        Arithmetic::Remainder => left.checked_rem(right),
    };
    result.map_or(Val::Error(Fault::Overflow), Val::Decimal)
}
