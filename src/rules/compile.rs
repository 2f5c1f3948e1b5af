//! CEL text to a flat program: parsed by the `cel` crate, names resolved, types checked, every problem at once.
//!
//! The crate's own interpreter is not used: it has no type checker and no cost limit, and looks names up by hash.
//! Tests hold our evaluation against it.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::parser::Parser;
use rust_decimal::Decimal;
use std::str::FromStr;

use super::evidence;
use super::fact::{Fact, NameError, Scope};
use super::program::{Arithmetic, Comparison, MAX_NODES, Op, Program};
use super::value::Type;
use crate::model::output::Scalar;
use crate::yaml::suggest;

/// Longest expression read, in bytes.
const MAX_TEXT: usize = 4096;

/// A mistake in an expression: what is wrong, and the remedy.
pub type ExprError = (String, Option<String>);

/// Compiles an expression and checks that its value has one of the expected types.
///
/// # Errors
/// Every problem found in it.
pub fn compile(text: &str, scope: &Scope<'_>, expected: &[Type]) -> Result<Program, Vec<ExprError>> {
    let tree = parse(text)?;
    let mut compiler = Compiler { scope, ops: Vec::new(), errors: Vec::new(), nodes: 0 };
    let type_ = compiler.emit(&tree);
    if compiler.nodes > MAX_NODES {
        compiler.errors.push((format!("has {} nodes, at most {MAX_NODES} are allowed", compiler.nodes), None));
    }
    if let Some(type_) = type_
        && !expected.iter().any(|expected| type_.serves_as(*expected))
    {
        let allowed: Vec<&str> = expected.iter().map(|type_| type_.name()).collect();
        compiler.errors.push((format!("is {}, {} is expected", type_.name(), allowed.join(" or ")), None));
    }
    match (type_, compiler.errors.is_empty()) {
        (Some(type_), true) => {
            let rows = evidence::rows(&tree, scope);
            Ok(Program { ops: compiler.ops.into(), type_, text: text.to_owned(), rows })
        }
        _ => Err(compiler.errors),
    }
}

/// Parses CEL.
pub(super) fn parse(text: &str) -> Result<IdedExpr, Vec<ExprError>> {
    if text.len() > MAX_TEXT {
        return Err(vec![(format!("is {} bytes long, at most {MAX_TEXT} are allowed", text.len()), None)]);
    }
    Parser::new().parse(text).map_err(|errors| {
        let mut list: Vec<ExprError> = errors
            .errors
            .iter()
            .map(|error| {
                (
                    format!("does not parse at column {}: {}", error.pos.1.max(1), error.msg),
                    Some(format!("read: {text}")),
                )
            })
            .collect();
        list.truncate(1);
        if list.is_empty() {
            list.push(("does not parse".to_owned(), Some(format!("read: {text}"))));
        }
        list
    })
}

/// The kind whose field an expression reads as `kind.field`, for features.
pub(super) fn kind_prefixes(tree: &IdedExpr, found: &mut Vec<String>) {
    match &tree.expr {
        Expr::Select(select) => match &select.operand.expr {
            Expr::Ident(name) => found.push(name.clone()),
            _ => kind_prefixes(&select.operand, found),
        },
        Expr::Call(call) => {
            call.target.as_deref().into_iter().chain(&call.args).for_each(|arg| kind_prefixes(arg, found));
        }
        Expr::List(list) => list.elements.iter().for_each(|item| kind_prefixes(item, found)),
        _ => {}
    }
}

/// A constant: a literal, or one with a minus before it.
pub(super) fn constant(tree: &IdedExpr) -> Option<Scalar> {
    match &tree.expr {
        Expr::Literal(LiteralValue::Boolean(value)) => Some(Scalar::Bool(*value.inner())),
        Expr::Literal(LiteralValue::Int(value)) => Some(Scalar::Int(*value.inner())),
        Expr::Literal(LiteralValue::String(value)) => Some(Scalar::Text(value.inner().into())),
        // Shortest text that reads back as the same double: the digits that were written, up to 15 of them.
        Expr::Literal(LiteralValue::Double(value)) => decimal(*value.inner()).map(Scalar::Decimal),
        Expr::Call(call) if call.func_name == operators::NEGATE && call.args.len() == 1 => {
            match constant(&call.args[0])? {
                Scalar::Int(value) => value.checked_neg().map(Scalar::Int),
                Scalar::Decimal(value) => Some(Scalar::Decimal(-value)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn decimal(value: f64) -> Option<Decimal> {
    let text = format!("{value}");
    let digits = text.chars().filter(char::is_ascii_digit).collect::<String>();
    if digits.trim_start_matches('0').trim_end_matches('0').len() > 15 {
        return None;
    }
    Decimal::from_str(&text).ok()
}

/// What a name or `a.b` (or `event.a.b`) stands for; `None` where the tree is no name.
pub(super) fn name(tree: &IdedExpr, scope: &Scope<'_>) -> Option<Result<(Fact, Type), NameError>> {
    match &tree.expr {
        Expr::Ident(name) => Some(scope.bare(name)),
        Expr::Select(select) if !select.test => Some(member(&select.operand, &select.field, scope)),
        _ => None,
    }
}

/// What `operand.field` stands for.
pub(super) fn member(operand: &IdedExpr, field: &str, scope: &Scope<'_>) -> Result<(Fact, Type), NameError> {
    match &operand.expr {
        Expr::Ident(namespace) => match scope.bare(&format!("{namespace}.{field}")) {
            Ok(found) => Ok(found),
            Err(_) => scope.member(namespace, field),
        },
        Expr::Select(inner) if !inner.test => match &inner.operand.expr {
            Expr::Ident(namespace) => scope.member(namespace, &format!("{}.{field}", inner.field)),
            _ => Err((format!("`{field}`: too many points in a name"), None)),
        },
        _ => Err((format!("`.{field}` on something that is no name"), None)),
    }
}

/// A comparison operator.
pub(super) fn comparison(function: &str) -> Option<Comparison> {
    Some(match function {
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::LessOrEqual,
        operators::GREATER => Comparison::Greater,
        operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::NotEqual,
        _ => return None,
    })
}

struct Compiler<'a> {
    scope: &'a Scope<'a>,
    ops: Vec<Op>,
    errors: Vec<ExprError>,
    nodes: usize,
}

impl Compiler<'_> {
    fn fail(&mut self, what: impl Into<String>) -> Option<Type> {
        self.errors.push((what.into(), None));
        None
    }

    fn here(&self) -> u16 {
        u16::try_from(self.ops.len()).unwrap_or(u16::MAX)
    }

    /// Emits a tree in prefix order; `None` where a problem leaves its type unknown.
    fn emit(&mut self, tree: &IdedExpr) -> Option<Type> {
        self.nodes += 1;
        if let Some(value) = constant(tree) {
            let type_ = match value {
                Scalar::Bool(_) => Type::Bool,
                Scalar::Int(_) => Type::Int,
                Scalar::Decimal(_) => Type::Decimal,
                Scalar::Text(_) => Type::Text,
                Scalar::Time(_) => Type::Time,
            };
            self.ops.push(Op::Const(value));
            return Some(type_);
        }
        if let Some(found) = name(tree, self.scope) {
            return self.load(found, Op::Load);
        }
        match &tree.expr {
            Expr::Select(select) => {
                let found = member(&select.operand, &select.field, self.scope);
                self.load(found, Op::Has).map(|_| Type::Bool)
            }
            Expr::Call(call) => self.call(call),
            Expr::Literal(LiteralValue::Double(_)) => self.fail("a number has more than 15 digits"),
            Expr::Literal(LiteralValue::UInt(_)) => self.fail("unsigned numbers (`1u`) are not in the subset"),
            Expr::Literal(_) => self.fail("`null` and bytes are not in the subset"),
            Expr::List(_) => self.fail("a list may only stand after `in`"),
            Expr::Comprehension(_) => self.fail("macros such as `all` and `exists` are not in the subset"),
            _ => self.fail("maps and messages are not in the subset"),
        }
    }

    fn load(&mut self, found: Result<(Fact, Type), NameError>, op: impl Fn(Fact) -> Op) -> Option<Type> {
        match found {
            Ok((fact, type_)) => {
                self.ops.push(op(fact));
                Some(type_)
            }
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    fn call(&mut self, call: &CallExpr) -> Option<Type> {
        let args: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        match (call.func_name.as_str(), args.as_slice()) {
            (operators::LOGICAL_AND, [left, right]) => self.logical(Op::And, "&&", left, right),
            (operators::LOGICAL_OR, [left, right]) => self.logical(Op::Or, "||", left, right),
            (operators::LOGICAL_NOT, [value]) => {
                self.ops.push(Op::Not);
                let type_ = self.emit(value)?;
                self.expect(type_, Type::Bool, "`!`")
            }
            (operators::NEGATE, [value]) => {
                self.ops.push(Op::Negate);
                let type_ = self.emit(value)?;
                match type_ {
                    Type::Attribute => Some(Type::Decimal),
                    type_ if type_.is_number() => Some(type_),
                    _ => self.fail(format!("`-` on {}", type_.name())),
                }
            }
            (operators::CONDITIONAL, [condition, then, otherwise]) => self.choose(condition, then, otherwise),
            (operators::IN, [value, list]) => self.member_of(value, list),
            ("days_since", _) => {
                self.fail("`days_since(TIME)` may only be compared with a whole number: `days_since(x) > 60`")
            }
            ("size", [value]) => self.size(value),
            ("startsWith", [text, part]) => self.texts(Op::StartsWith, "startsWith", text, part),
            ("endsWith", [text, part]) => self.texts(Op::EndsWith, "endsWith", text, part),
            ("contains", [text, part]) => self.texts(Op::Contains, "contains", text, part),
            ("percentile", [..]) => {
                let found = percentile(call, self.scope)?;
                self.load(found.map(|fact| (fact, Type::Decimal)), Op::Load)
            }
            ("earliest", _) => {
                self.fail("`earliest(TIME)` is for the whole of a budget's rank: `rank: earliest(first_purchase)`")
            }
            (function, [left, right]) if comparison(function).is_some() => {
                self.compare(comparison(function).expect("just seen"), left, right)
            }
            (function, [left, right]) if arithmetic(function).is_some() => {
                self.arithmetic(arithmetic(function).expect("just seen"), left, right)
            }
            (function, _) => {
                let near = suggest(function, FUNCTIONS.into_iter()).map(|near| format!("did you mean `{near}`? "));
                let help = format!("{}known: {}", near.unwrap_or_default(), FUNCTIONS.join(", "));
                self.errors.push((
                    format!("unknown function or operator `{function}` with {} arguments", args.len()),
                    Some(help),
                ));
                None
            }
        }
    }

    fn expect(&mut self, found: Type, expected: Type, where_: &str) -> Option<Type> {
        if found.serves_as(expected) {
            return Some(expected);
        }
        self.fail(format!("{where_} on {}, {} is expected", found.name(), expected.name()))
    }

    #[expect(clippy::unnecessary_wraps, reason = "reads as the other operators do")]
    fn logical(&mut self, op: fn(u16) -> Op, symbol: &str, left: &IdedExpr, right: &IdedExpr) -> Option<Type> {
        let at = self.ops.len();
        self.ops.push(op(0));
        for side in [left, right] {
            if let Some(type_) = self.emit(side) {
                self.expect(type_, Type::Bool, &format!("`{symbol}`"));
            }
        }
        self.ops[at] = op(self.here());
        Some(Type::Bool)
    }

    fn choose(&mut self, condition: &IdedExpr, then: &IdedExpr, otherwise: &IdedExpr) -> Option<Type> {
        let at = self.ops.len();
        self.ops.push(Op::Choose(0, 0));
        if let Some(type_) = self.emit(condition) {
            self.expect(type_, Type::Bool, "the condition of `? :`");
        }
        let then = self.emit(then);
        let middle = self.here();
        let otherwise = self.emit(otherwise);
        self.ops[at] = Op::Choose(middle, self.here());
        match (then?, otherwise?) {
            (left, right) if left == right => Some(left),
            (Type::Attribute, Type::Text) | (Type::Text, Type::Attribute) => Some(Type::Text),
            (left, right) if left.compares_with(right) => Some(Type::Decimal),
            (left, right) => {
                self.fail(format!("`? :` gives {} or {}, one type is expected", left.name(), right.name()))
            }
        }
    }

    fn compare(&mut self, op: Comparison, left: &IdedExpr, right: &IdedExpr) -> Option<Type> {
        let start = self.ops.len();
        self.ops.push(Op::Compare(op));
        let (l, r) = match (days_operand(left), days_operand(right)) {
            (Some(time), None) => (self.days(time, right), self.emit(right)),
            (None, Some(time)) => (self.emit(left), self.days(time, left)),
            _ => (self.emit(left), self.emit(right)),
        };
        let (l, r) = (l?, r?);
        if !l.compares_with(r) {
            return self.fail(format!("`{}` compares {} with {}", op.symbol(), l.name(), r.name()));
        }
        if l == Type::Bool && !matches!(op, Comparison::Equal | Comparison::NotEqual) {
            return self.fail(format!("`{}` on bool", op.symbol()));
        }
        self.fuse(start, op, l == Type::Decimal || r == Type::Decimal);
        Some(Type::Bool)
    }

    /// Makes one operation of a comparison of a fact with a constant, which stands at the end of the program.
    fn fuse(&mut self, start: usize, op: Comparison, is_decimal: bool) {
        let (fact, op, constant) = match &self.ops[start + 1..] {
            [Op::Load(fact), Op::Const(constant)] => (*fact, op, constant),
            [Op::Const(constant), Op::Load(fact)] => (*fact, op.flipped(), constant),
            _ => return,
        };
        let constant = match constant {
            // Decimals of one scale are compared without reckoning, and sums have nine digits.
            Scalar::Int(value) if is_decimal => Scalar::Decimal(with_nine_digits(Decimal::from(*value))),
            Scalar::Decimal(value) if is_decimal => Scalar::Decimal(with_nine_digits(*value)),
            other => other.clone(),
        };
        self.ops.truncate(start);
        self.ops.push(Op::Test(fact, op, constant));
    }

    /// `days_since(time)` compared with `other`, which must be a whole number, so that the deadline can be computed.
    fn days(&mut self, time: &IdedExpr, other: &IdedExpr) -> Option<Type> {
        self.nodes += 1;
        if self.scope.event_only {
            return self.fail("`days_since` is not for features: an event's fields do not age");
        }
        if !matches!(constant(other), Some(Scalar::Int(_))) {
            return self.fail("`days_since(TIME)` may only be compared with a whole number: `days_since(x) > 60`");
        }
        match name(time, self.scope) {
            Some(found) => {
                let type_ = self.load(found, Op::DaysSince)?;
                self.expect(type_, Type::Time, "`days_since`").map(|_| Type::Int)
            }
            None => self.fail("`days_since` takes the name of a time: `days_since(last_seen)`"),
        }
    }

    fn member_of(&mut self, value: &IdedExpr, list: &IdedExpr) -> Option<Type> {
        let Expr::List(list) = &list.expr else {
            return self.fail("`in` needs a list of constants: `x in ['a', 'b']`");
        };
        let items: Option<Vec<Scalar>> = list.elements.iter().map(constant).collect();
        let Some(items) = items else {
            return self.fail("the list after `in` may hold constants only");
        };
        self.nodes += items.len();
        let types: Vec<Type> = items
            .iter()
            .map(|item| match item {
                Scalar::Bool(_) => Type::Bool,
                Scalar::Int(_) => Type::Int,
                Scalar::Decimal(_) => Type::Decimal,
                Scalar::Text(_) | Scalar::Time(_) => Type::Text,
            })
            .collect();
        self.ops.push(Op::In(items.into()));
        let type_ = self.emit(value)?;
        match types.into_iter().find(|item| !item.compares_with(type_)) {
            Some(item) => self.fail(format!("`in` looks for {} among {}", type_.name(), item.name())),
            None => Some(Type::Bool),
        }
    }

    fn size(&mut self, value: &IdedExpr) -> Option<Type> {
        if let Expr::List(list) = &value.expr {
            self.ops.push(Op::Const(Scalar::Int(i64::try_from(list.elements.len()).ok()?)));
            return Some(Type::Int);
        }
        self.ops.push(Op::Size);
        let type_ = self.emit(value)?;
        self.expect(type_, Type::Text, "`size`").map(|_| Type::Int)
    }

    #[expect(clippy::unnecessary_wraps, reason = "reads as the other functions do")]
    fn texts(&mut self, op: Op, function: &str, text: &IdedExpr, part: &IdedExpr) -> Option<Type> {
        self.ops.push(op);
        for side in [text, part] {
            if let Some(type_) = self.emit(side) {
                self.expect(type_, Type::Text, &format!("`{function}`"));
            }
        }
        Some(Type::Bool)
    }

    fn arithmetic(&mut self, op: Arithmetic, left: &IdedExpr, right: &IdedExpr) -> Option<Type> {
        self.ops.push(Op::Arithmetic(op));
        let (left, right) = (self.emit(left), self.emit(right));
        let (left, right) = (left?, right?);
        let counts = |type_: Type| type_.is_number() || type_ == Type::Attribute;
        if !counts(left) || !counts(right) {
            return self.fail(format!("arithmetic on {} and {}", left.name(), right.name()));
        }
        match (left, right) {
            (Type::Int, Type::Int) => Some(Type::Int),
            _ if op == Arithmetic::Remainder => self.fail("`%` is for whole numbers"),
            _ => Some(Type::Decimal),
        }
    }
}

fn with_nine_digits(value: Decimal) -> Decimal {
    let mut scaled = value;
    scaled.rescale(9);
    if scaled == value { scaled } else { value }
}

/// What `percentile(FEATURE, part)` stands for; `None` where the tree is no such call.
pub(super) fn percentile(call: &CallExpr, scope: &Scope<'_>) -> Option<Result<Fact, NameError>> {
    if call.func_name != "percentile" || call.target.is_some() {
        return None;
    }
    let misused = || {
        let what = "`percentile` takes the name of a feature that is a number, and a part between 0 and 1";
        Some(Err((what.to_owned(), Some("such as `percentile(spend_365d, 0.8)`".to_owned()))))
    };
    let [feature, part] = call.args.as_slice() else { return misused() };
    let part = match constant(part) {
        Some(Scalar::Decimal(part)) if part > Decimal::ZERO && part < Decimal::ONE => part,
        _ => return misused(),
    };
    match name(feature, scope) {
        Some(Ok((Fact::Feature(index), type_))) if type_.is_number() => Some(scope.percentile(index, part)),
        Some(Err(error)) => Some(Err(error)),
        _ => misused(),
    }
}

/// The argument of a `days_since(...)` call.
pub(super) fn days_operand(tree: &IdedExpr) -> Option<&IdedExpr> {
    match &tree.expr {
        Expr::Call(call) if call.func_name == "days_since" && call.target.is_none() && call.args.len() == 1 => {
            Some(&call.args[0])
        }
        _ => None,
    }
}

fn arithmetic(function: &str) -> Option<Arithmetic> {
    Some(match function {
        operators::ADD => Arithmetic::Add,
        operators::SUBSTRACT => Arithmetic::Subtract,
        operators::MULTIPLY => Arithmetic::Multiply,
        operators::DIVIDE => Arithmetic::Divide,
        operators::MODULO => Arithmetic::Remainder,
        _ => return None,
    })
}

const FUNCTIONS: [&str; 7] = ["days_since", "percentile", "has", "size", "startsWith", "endsWith", "contains"];
