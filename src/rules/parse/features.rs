//! `features:` rolling facts.

use cel::common::ast::{Expr, IdedExpr, operators};
use compact_str::CompactString;

use super::{expression, named};
use crate::model::event::Kind;
use crate::rules::calendar::Window;
use crate::rules::compile::{self, ExprError};
use crate::rules::fact::{Fact, Scope, is_reserved};
use crate::rules::program::Program;
use crate::rules::ruleset::{Aggregate, Feature, Filter, MAX_FEATURES, MAX_FILTERS};
use crate::rules::value::Type;
use crate::yaml::{self, Node, Problems, Section, parse_span, suggest};

/// Reads `features:`. One with problems still counts as known, so that rules which read it are checked.
pub(super) fn read(top: &mut Section<'_>, problems: &mut Problems) -> Vec<Feature> {
    let mut features = Vec::new();
    let mut filters = [0u8; Kind::COUNT];
    for (name, node) in named(top, "features", MAX_FEATURES, problems) {
        let path = format!("features.{name}");
        if is_reserved(name) {
            problems.add(
                node.line,
                &path,
                format!("`{name}` is the name of a fact or a kind of event; choose another"),
            );
        }
        let Some(mut section) = Section::open(node, &path, problems) else { continue };
        let Some((aggregate, kind, value)) = measure(&mut section, problems) else {
            section.take_rest();
            features.push(placeholder(name));
            continue;
        };
        let filter = filter(&mut section, kind, &mut filters, problems);
        let (window, window_text) = window(&mut section, problems);
        section.close(problems);
        let type_ = match (aggregate, &value) {
            (Aggregate::Count | Aggregate::Distinct, _) => Type::Int,
            (Aggregate::Last | Aggregate::First, Some(value)) => value.result_type(),
            _ => Type::Decimal,
        };
        features.push(Feature { name: name.into(), kind, aggregate, value, filter, window, window_text, type_ });
    }
    features
}

/// A known name of unknown meaning.
fn placeholder(name: &str) -> Feature {
    Feature {
        name: name.into(),
        kind: Kind::Purchase,
        aggregate: Aggregate::Count,
        value: None,
        filter: None,
        window: Window::Lifetime,
        window_text: None,
        type_: Type::Int,
    }
}

const AGGREGATES: [(&str, Aggregate); 6] = [
    ("count", Aggregate::Count),
    ("sum", Aggregate::Sum),
    ("avg", Aggregate::Avg),
    ("distinct", Aggregate::Distinct),
    ("last", Aggregate::Last),
    ("first", Aggregate::First),
];

/// The one aggregate of a feature and what it is taken over.
fn measure(section: &mut Section<'_>, problems: &mut Problems) -> Option<(Aggregate, Kind, Option<Program>)> {
    let found: Vec<(&str, Aggregate, &Node)> =
        AGGREGATES.into_iter().filter_map(|(word, aggregate)| Some((word, aggregate, section.take(word)?))).collect();
    let (word, aggregate, node) = match found.as_slice() {
        [one] => *one,
        [] => {
            let help = "one of count, sum, avg, distinct, last, first, such as `count: purchase`";
            problems.add_with_help(section.line, &section.path, "does not say what it measures", help);
            return None;
        }
        [_, second, ..] => {
            problems.add(second.2.line, &section.path, "measures two things; make two features of it");
            return None;
        }
    };
    let path = section.at(word);
    let text = yaml::text(node, &path, problems)?;
    if aggregate == Aggregate::Count {
        return Some((aggregate, counted(node, text, &path, problems)?, None));
    }
    let kind = match kind_of(text) {
        Ok(kind) => kind,
        Err((what, help)) => {
            problems.add_with_help(node.line, &path, what, help.unwrap_or_default());
            return None;
        }
    };
    let scope = Scope { event: Some(kind), event_only: true, ..Scope::default() };
    let expected: &[Type] = match aggregate {
        Aggregate::Sum | Aggregate::Avg => &[Type::Int, Type::Decimal],
        _ => &[Type::Bool, Type::Int, Type::Decimal, Type::Text, Type::Time],
    };
    let value = expression(node, &path, &scope, expected, problems)?;
    let tree = compile::parse(text).ok()?;
    if aggregate == Aggregate::Distinct && compile::name(&tree, &scope).is_none() {
        problems.add(node.line, &path, "`distinct` takes a field, such as purchase.category");
    }
    let names_another = |fact| matches!(fact, Fact::Event(field) if field.is_another_customer());
    if aggregate != Aggregate::Distinct && value.facts().any(names_another) {
        let help = "an erasure could not find it: count them with `distinct`, or compare them in `where`";
        problems.add_with_help(node.line, &path, "would keep another customer's id", help);
    }
    if degree(&tree, &scope).is_none() {
        let help = "refunds lessen `amount`: it may be added, and multiplied or divided by what does not read it";
        problems.add_with_help(node.line, &path, "is not linear in `amount`", help);
    }
    Some((aggregate, kind, Some(value)))
}

fn counted(node: &Node, text: &str, path: &str, problems: &mut Problems) -> Option<Kind> {
    let kind = Kind::counted().find(|kind| kind.name() == text);
    if kind.is_none() {
        let known: Vec<&str> = kinds().collect();
        let near = suggest(text, kinds()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        problems.add_with_help(
            node.line,
            path,
            format!("`{text}` is no kind of event"),
            format!("{near}known: {}", known.join(", ")),
        );
    }
    kind
}

fn kinds() -> impl Iterator<Item = &'static str> {
    Kind::counted().map(Kind::name)
}

/// The one kind of event whose fields an expression reads.
fn kind_of(text: &str) -> Result<Kind, ExprError> {
    let tree =
        compile::parse(text).map_err(|errors| errors.into_iter().next().expect("a failed parse has an error"))?;
    let mut prefixes = Vec::new();
    compile::kind_prefixes(&tree, &mut prefixes);
    let is_named = |kind: &Kind| prefixes.iter().any(|prefix| prefix == kind.name());
    let mut kinds: Vec<Kind> = Kind::counted().chain([Kind::Customer]).filter(is_named).collect();
    kinds.sort_unstable();
    kinds.dedup();
    match kinds.as_slice() {
        [Kind::Customer] => Err((
            "customer records are facts, not events".to_owned(),
            Some("read `role`, `region`, ... in a rule".to_owned()),
        )),
        [kind] => Ok(*kind),
        [] => {
            let known: Vec<&str> = self::kinds().collect();
            let near = prefixes.iter().find_map(|prefix| suggest(prefix, self::kinds()));
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            Err((
                "does not say which kind of event it reads".to_owned(),
                Some(format!(
                    "{near}write the kind before the field, such as purchase.amount; kinds: {}",
                    known.join(", ")
                )),
            ))
        }
        _ => Err(("reads two kinds of event".to_owned(), Some("a feature reads one; make two of it".to_owned()))),
    }
}

fn filter(
    section: &mut Section<'_>,
    kind: Kind,
    filters: &mut [u8; Kind::COUNT],
    problems: &mut Problems,
) -> Option<Filter> {
    let node = section.take("where")?;
    let path = section.at("where");
    let scope = Scope { event: Some(kind), event_only: true, ..Scope::default() };
    let program = expression(node, &path, &scope, &[Type::Bool], problems)?;
    if kind == Kind::ReferredPurchase
        && program.facts().any(|fact| matches!(fact, Fact::Event(field) if field.is_another_customer()))
    {
        let help = "an erasure could not find it: count different ones with `distinct`";
        problems.add_with_help(node.line, &path, "would compare another customer's id", help);
    }
    let bit = filters[kind as usize];
    if usize::from(bit) >= MAX_FILTERS {
        let what = format!("the {}th feature with `where` over {}", MAX_FILTERS + 1, kind.name());
        problems.add_with_help(node.line, &path, what, format!("at most {MAX_FILTERS} a kind"));
        return None;
    }
    filters[kind as usize] += 1;
    Some(Filter { program, bit })
}

/// Reads `over`.
pub(super) fn window(section: &mut Section<'_>, problems: &mut Problems) -> (Window, Option<CompactString>) {
    let Some(node) = section.take("over") else { return (Window::Lifetime, None) };
    let path = section.at("over");
    let Some(text) = yaml::text(node, &path, problems) else { return (Window::Lifetime, None) };
    let help = "such as 365d, 24h, 30m, month, quarter or year; none for a lifetime";
    let window = match text {
        "month" => Some(Window::Month),
        "quarter" => Some(Window::Quarter),
        "year" => Some(Window::Year),
        _ => match (parse_span(text), text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse::<u32>()) {
            (Ok(_), Ok(number)) if number > 0 => match text.chars().last() {
                Some('d') => Some(Window::Days(number)),
                Some('h') => Some(Window::Hours(number)),
                Some('m') => Some(Window::Minutes(number)),
                _ => None,
            },
            _ => None,
        },
    };
    if window.is_none() {
        problems.add_with_help(node.line, &path, format!("`{text}` is no window"), help);
    }
    (window.unwrap_or(Window::Lifetime), Some(text.into()))
}

/// The degree of an expression in a purchase's amount: 0 or 1; `None` where it is not linear.
fn degree(tree: &IdedExpr, scope: &Scope<'_>) -> Option<u8> {
    if let Some(found) = compile::name(tree, scope) {
        return Some(u8::from(matches!(found, Ok((Fact::Event(field), _)) if field.is_amount())));
    }
    match &tree.expr {
        Expr::Call(call) => {
            let args: Option<Vec<u8>> =
                call.target.as_deref().into_iter().chain(&call.args).map(|arg| degree(arg, scope)).collect();
            match (call.func_name.as_str(), args?.as_slice()) {
                (operators::ADD | operators::SUBSTRACT, [left, right]) | (operators::CONDITIONAL, [0, left, right]) => {
                    Some(*left.max(right))
                }
                (operators::NEGATE, [value]) => Some(*value),
                (operators::MULTIPLY, [left, right]) if left + right < 2 => Some(left + right),
                (operators::DIVIDE, [left, 0]) => Some(*left),
                (_, degrees) if degrees.iter().all(|degree| *degree == 0) => Some(0),
                _ => None,
            }
        }
        _ => Some(0),
    }
}
