//! The compiled expressions equal the `cel` crate's own interpreter, decimals apart.

#[path = "support/generate/dice.rs"]
#[expect(dead_code, reason = "expressions take fewer kinds of chance than streams")]
mod dice;

use cel::{Context, Program, Value};
use dice::Dice;
use vipstream::model::time::EventTime;
use vipstream::rules::compile::compile;
use vipstream::rules::fact::{Fact, Facts, Scope};
use vipstream::rules::value::{Fault, Type, Val};

/// Facts by name: `m...` are missing.
const FACTS: [(&str, Type); 9] = [
    ("i", Type::Int),
    ("j", Type::Int),
    ("mi", Type::Int),
    ("b", Type::Bool),
    ("c", Type::Bool),
    ("mb", Type::Bool),
    ("s", Type::Text),
    ("t", Type::Text),
    ("ms", Type::Text),
];

const TEXTS: [&str; 7] = ["", "a", "ab", "žuželka", "abc", "VIP", "ž"];
const INTS: [i64; 9] = [0, 1, -1, 2, 7, -13, 100, i64::MAX, i64::MIN + 1];

struct Known(Vec<Val<'static>>);

impl<'v> Facts<'v> for Known {
    fn fact(&self, fact: Fact) -> Val<'v> {
        match fact {
            Fact::Feature(index) => self.0[usize::from(index)],
            _ => Val::Error(Fault::Missing),
        }
    }

    fn days_since(&self, _: EventTime) -> i64 {
        0
    }
}

/// An expression of the type, at most so deep.
fn expression(dice: &mut Dice, type_: Type, depth: usize) -> String {
    if depth == 0 || dice.chance(15) {
        return leaf(dice, type_);
    }
    let mut of = |type_| expression(dice, type_, depth - 1);
    match type_ {
        Type::Int => match of(Type::Bool).len() % 3 {
            0 => format!("size({})", of(Type::Text)),
            1 => format!("({} ? {} : {})", of(Type::Bool), of(Type::Int), of(Type::Int)),
            _ => {
                let (left, right) = (of(Type::Int), of(Type::Int));
                let op = *dice.pick(&["+", "-", "*", "/", "%"]);
                format!("({left} {op} {right})")
            }
        },
        Type::Bool => boolean(dice, depth - 1),
        _ => leaf(dice, type_),
    }
}

fn boolean(dice: &mut Dice, depth: usize) -> String {
    let form = dice.below(9);
    let mut of = |type_| expression(dice, type_, depth);
    match form {
        0 => format!("!{}", of(Type::Bool)),
        1 | 2 => format!("({} && {})", of(Type::Bool), of(Type::Bool)),
        3 | 4 => format!("({} || {})", of(Type::Bool), of(Type::Bool)),
        5 => {
            let type_ = *dice.pick(&[Type::Int, Type::Text]);
            let (left, right) = (expression(dice, type_, depth), expression(dice, type_, depth));
            let op = *dice.pick(&["<", "<=", ">", ">=", "==", "!="]);
            format!("({left} {op} {right})")
        }
        6 => {
            let function = *dice.pick(&["startsWith", "endsWith", "contains"]);
            format!("{}.{function}({})", leaf(dice, Type::Text), leaf(dice, Type::Text))
        }
        7 => {
            let type_ = *dice.pick(&[Type::Int, Type::Text]);
            let list: Vec<String> = (0..dice.below(4)).map(|_| constant(dice, type_)).collect();
            format!("({} in [{}])", expression(dice, type_, depth), list.join(", "))
        }
        _ => format!("({} ? {} : {})", of(Type::Bool), of(Type::Bool), of(Type::Bool)),
    }
}

fn leaf(dice: &mut Dice, type_: Type) -> String {
    if type_ == Type::Bool && dice.chance(20) {
        return format!("has(f.{})", dice.pick(&FACTS).0);
    }
    if dice.chance(30) {
        return constant(dice, type_);
    }
    let names: Vec<&str> = FACTS.iter().filter(|(_, other)| *other == type_).map(|(name, _)| *name).collect();
    let name = *dice.pick(&names);
    if dice.chance(30) { format!("f.{name}") } else { name.to_owned() }
}

fn constant(dice: &mut Dice, type_: Type) -> String {
    match type_ {
        Type::Bool => dice.chance(50).to_string(),
        Type::Int => format!("({})", dice.pick(&INTS)).replace("(-", "-").replace(['(', ')'], ""),
        _ => format!("'{}'", dice.pick(&TEXTS)),
    }
}

fn value(dice: &mut Dice, name: &str, type_: Type) -> Val<'static> {
    match type_ {
        _ if name.starts_with('m') => Val::Error(Fault::Missing),
        Type::Bool => Val::Bool(dice.chance(50)),
        Type::Int => Val::Int(*dice.pick(&INTS)),
        _ => Val::Text(TEXTS[dice.below(TEXTS.len())]),
    }
}

/// What the crate's interpreter says; `None` for an error.
#[expect(clippy::disallowed_types, reason = "the crate takes no other map")]
fn oracle(text: &str, known: &Known) -> Option<Value> {
    let mut context = Context::default();
    let mut all = std::collections::HashMap::new();
    for ((name, _), value) in FACTS.iter().zip(&known.0) {
        let value = match value {
            Val::Bool(value) => Value::from(*value),
            Val::Int(value) => Value::from(*value),
            Val::Text(value) => Value::from(*value),
            _ => continue,
        };
        context.add_variable_from_value(*name, value.clone());
        all.insert((*name).to_owned(), value);
    }
    context.add_variable_from_value("f", all);
    Program::compile(text).expect("generated text parses").execute(&context).ok()
}

#[test]
fn compiled_expressions_equal_the_cel_interpreter() {
    let (mut errors, mut answers) = (0, 0);
    for seed in 0..10_000 {
        let mut dice = Dice::new(seed);
        let type_ = *dice.pick(&[Type::Bool, Type::Bool, Type::Int]);
        let text = expression(&mut dice, type_, 4);
        let known = Known(FACTS.iter().map(|(name, type_)| value(&mut dice, name, *type_)).collect());
        let scope = Scope { features: FACTS.to_vec(), ..Scope::default() };
        let Ok(program) = compile(&text, &scope, &[Type::Bool, Type::Int, Type::Text]) else {
            panic!("seed {seed}: {text}: {:?}", compile(&text, &scope, &[type_]));
        };
        let ours = match program.eval(&known) {
            Val::Bool(value) => Some(Value::from(value)),
            Val::Int(value) => Some(Value::from(value)),
            Val::Text(value) => Some(Value::from(value)),
            _ => None,
        };
        let theirs = oracle(&text, &known);
        assert_eq!(ours, theirs, "seed {seed}: {text} over {:?}", known.0);
        if ours.is_some() { answers += 1 } else { errors += 1 }
    }
    assert!(answers > 1_000 && errors > 1_000, "both occur: {answers} answers, {errors} errors");
}
