//! Expressions: the `cel` crate parses, this tree is what is walked.

use cel::common::ast::{CallExpr, Expr as Cel, IdedExpr, LiteralValue, SelectExpr, operators};
use rust_decimal::Decimal;

use vipstream::model::event::Kind;

use super::value::Value;

/// A parsed expression. Every name is resolved: a fact of the customer or a field of the event.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Literal(Value),
    Fact(String),
    Field(String),
    DaysSince(Box<Node>),
    /// Of a feature: what a part of all customers do not exceed.
    Percentile(String, Decimal),
    Has(Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Choose(Box<Node>, Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    Arithmetic(Operation, Box<Node>, Box<Node>),
    In(Box<Node>, Vec<Node>),
    Size(Box<Node>),
    Text(TextTest, Box<Node>, Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    /// As written.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    /// The same comparison with its sides exchanged.
    pub(super) const fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

/// What a bare name means.
pub(super) enum Scope<'a> {
    /// A field of an event of the kind: in features.
    Event(Kind),
    /// A fact where one has the name, else a field of the event: in labels, programmes and alerts.
    Rule(&'a dyn Fn(&str) -> bool),
}

/// Parses an expression.
pub(super) fn parse(text: &str, scope: &Scope<'_>) -> Result<Node, String> {
    node(&tree(text)?, scope)
}

/// The kind that an expression's names begin with, as in `purchase.amount`.
pub(super) fn kind_in(text: &str) -> Result<Kind, String> {
    kind_of(&tree(text)?).ok_or_else(|| format!("`{text}` names no kind"))
}

fn tree(text: &str) -> Result<IdedExpr, String> {
    cel::parser::PrattParser::new().parse(text).map_err(|e| format!("`{text}`: {e}"))
}

fn kind_of(tree: &IdedExpr) -> Option<Kind> {
    match &tree.expr {
        Cel::Select(select) => match &select.operand.expr {
            Cel::Ident(name) => Kind::counted().find(|kind| kind.name() == name),
            _ => kind_of(&select.operand),
        },
        Cel::Call(call) => call.target.as_deref().into_iter().chain(&call.args).find_map(kind_of),
        Cel::List(list) => list.elements.iter().find_map(kind_of),
        _ => None,
    }
}

fn node(tree: &IdedExpr, scope: &Scope<'_>) -> Result<Node, String> {
    match &tree.expr {
        Cel::Literal(literal) => constant(literal).map(Node::Literal),
        Cel::Ident(name) => Ok(match scope {
            Scope::Rule(is_fact) if is_fact(name) => Node::Fact(name.clone()),
            _ => Node::Field(name.clone()),
        }),
        Cel::Select(select) if select.test => Ok(Node::Has(Box::new(qualified(select, scope)?))),
        Cel::Select(select) => qualified(select, scope),
        Cel::Call(call) => operation(call, scope),
        other => Err(format!("{other:?} is no part of the subset")),
    }
}

fn qualified(select: &SelectExpr, scope: &Scope<'_>) -> Result<Node, String> {
    let field = select.field.clone();
    let root = match &select.operand.expr {
        Cel::Ident(root) => root,
        Cel::Select(inner) => {
            let Node::Fact(outer) = qualified(inner, scope)? else { return Err("a name has two parts".to_owned()) };
            return Ok(Node::Fact(format!("{outer}.{field}")));
        }
        _ => return Err("a name has two or three parts".to_owned()),
    };
    match (root.as_str(), scope) {
        ("event", _) => Ok(Node::Field(field)),
        ("f", Scope::Rule(_)) => Ok(Node::Fact(field)),
        ("label" | "held" | "tier" | "pivot" | "account" | "attributes", Scope::Rule(_)) => {
            Ok(Node::Fact(format!("{root}.{field}")))
        }
        (kind, Scope::Event(of)) if kind == of.name() => Ok(Node::Field(field)),
        _ => Err(format!("`{root}.{field}` is no name")),
    }
}

fn constant(literal: &LiteralValue) -> Result<Value, String> {
    Ok(match literal {
        LiteralValue::Boolean(value) => Value::Bool(*value.inner()),
        LiteralValue::Int(value) => Value::Int(*value.inner()),
        LiteralValue::String(value) => Value::Text(value.inner().to_owned()),
        LiteralValue::Double(value) => {
            let text = value.inner().to_string();
            Value::Decimal(Decimal::from_str_exact(&text).map_err(|e| format!("{text}: {e}"))?)
        }
        other => return Err(format!("{other:?} is no literal of the subset")),
    })
}

fn operation(call: &CallExpr, scope: &Scope<'_>) -> Result<Node, String> {
    let mut parts = Vec::new();
    if call.func_name == operators::IN {
        return membership(call, scope);
    }
    if call.func_name == "percentile" {
        return percentile(call, scope);
    }
    for part in call.target.as_deref().into_iter().chain(&call.args) {
        parts.push(Box::new(node(part, scope)?));
    }
    let mut parts = parts.into_iter();
    let mut next = || parts.next().ok_or_else(|| format!("`{}` lacks an argument", call.func_name));
    Ok(match call.func_name.as_str() {
        operators::LOGICAL_NOT => Node::Not(next()?),
        operators::NEGATE => match *next()? {
            Node::Literal(Value::Int(value)) => Node::Literal(Value::Int(value.checked_neg().ok_or("too large")?)),
            Node::Literal(Value::Decimal(value)) => Node::Literal(Value::Decimal(-value)),
            other => Node::Negate(Box::new(other)),
        },
        operators::LOGICAL_AND => Node::And(next()?, next()?),
        operators::LOGICAL_OR => Node::Or(next()?, next()?),
        operators::CONDITIONAL => Node::Choose(next()?, next()?, next()?),
        operators::LESS => Node::Compare(Comparison::Less, next()?, next()?),
        operators::LESS_EQUALS => Node::Compare(Comparison::LessOrEqual, next()?, next()?),
        operators::GREATER => Node::Compare(Comparison::Greater, next()?, next()?),
        operators::GREATER_EQUALS => Node::Compare(Comparison::GreaterOrEqual, next()?, next()?),
        operators::EQUALS => Node::Compare(Comparison::Equal, next()?, next()?),
        operators::NOT_EQUALS => Node::Compare(Comparison::NotEqual, next()?, next()?),
        operators::ADD => Node::Arithmetic(Operation::Add, next()?, next()?),
        operators::SUBSTRACT => Node::Arithmetic(Operation::Subtract, next()?, next()?),
        operators::MULTIPLY => Node::Arithmetic(Operation::Multiply, next()?, next()?),
        operators::DIVIDE => Node::Arithmetic(Operation::Divide, next()?, next()?),
        operators::MODULO => Node::Arithmetic(Operation::Remainder, next()?, next()?),
        "size" => Node::Size(next()?),
        "startsWith" => Node::Text(TextTest::StartsWith, next()?, next()?),
        "endsWith" => Node::Text(TextTest::EndsWith, next()?, next()?),
        "contains" => Node::Text(TextTest::Contains, next()?, next()?),
        "days_since" => Node::DaysSince(next()?),
        other => return Err(format!("`{other}` is no function of the subset")),
    })
}

fn membership(call: &CallExpr, scope: &Scope<'_>) -> Result<Node, String> {
    let [item, list] = call.args.as_slice() else { return Err("`in` has two sides".to_owned()) };
    let Cel::List(list) = &list.expr else { return Err("`in` wants a list on its right".to_owned()) };
    let items = list.elements.iter().map(|element| node(element, scope)).collect::<Result<_, _>>()?;
    Ok(Node::In(Box::new(node(item, scope)?), items))
}

fn percentile(call: &CallExpr, scope: &Scope<'_>) -> Result<Node, String> {
    let [feature, part] = call.args.as_slice() else { return Err("`percentile` takes two".to_owned()) };
    match (node(feature, scope)?, node(part, scope)?) {
        (Node::Fact(feature), Node::Literal(Value::Decimal(part))) => Ok(Node::Percentile(feature, part)),
        _ => Err("`percentile` takes a feature and a part".to_owned()),
    }
}

impl Node {
    /// The parts directly below, left to right.
    pub(super) fn parts(&self) -> Vec<&Node> {
        match self {
            Self::Literal(_) | Self::Fact(_) | Self::Field(_) | Self::Percentile(..) => Vec::new(),
            Self::DaysSince(a) | Self::Has(a) | Self::Not(a) | Self::Negate(a) | Self::Size(a) => vec![a],
            Self::And(a, b)
            | Self::Or(a, b)
            | Self::Compare(_, a, b)
            | Self::Arithmetic(_, a, b)
            | Self::Text(_, a, b) => vec![a, b],
            Self::Choose(a, b, c) => vec![a, b, c],
            Self::In(a, list) => std::iter::once(a.as_ref()).chain(list).collect(),
        }
    }

    /// Whether a fact's own value (not the days since it) is read somewhere.
    pub(super) fn reads(&self, fact: &str) -> bool {
        match self {
            Self::Fact(name) => name == fact,
            Self::DaysSince(_) => false,
            _ => self.parts().into_iter().any(|part| part.reads(fact)),
        }
    }

    /// Whether a fact is read, its own value or the days since it.
    pub(super) fn names(&self, fact: &str) -> bool {
        match self {
            Self::Fact(name) => name == fact,
            _ => self.parts().into_iter().any(|part| part.names(fact)),
        }
    }

    /// Whether a fact of a family such as `account.` is read.
    pub(super) fn names_family(&self, family: &str) -> bool {
        match self {
            Self::Fact(name) => name.starts_with(family),
            _ => self.parts().into_iter().any(|part| part.names_family(family)),
        }
    }

    /// Every `days_since(FACT) OP CONSTANT`, the fact on the left.
    pub(super) fn day_counts(&self) -> Vec<(&str, Comparison, i64)> {
        if let Self::Compare(op, left, right) = self {
            match (left.as_ref(), right.as_ref()) {
                (Self::DaysSince(of), Self::Literal(Value::Int(days))) => return vec![(of.fact_name(), *op, *days)],
                (Self::Literal(Value::Int(days)), Self::DaysSince(of)) => {
                    return vec![(of.fact_name(), op.flipped(), *days)];
                }
                _ => {}
            }
        }
        self.parts().into_iter().flat_map(Self::day_counts).collect()
    }

    fn fact_name(&self) -> &str {
        match self {
            Self::Fact(name) => name,
            other => panic!("days_since wants a fact, not {other:?}"),
        }
    }
}
