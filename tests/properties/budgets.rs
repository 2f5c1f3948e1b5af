//! Ten thousand who qualify for five hundred places: however many tasks share them and in whatever order they come, the
//! same have the places, and the others the same ranks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;

use vipstream::model::event::Kind;

use super::tasks::Cluster;
use crate::support::generate::Generated;
use crate::support::generate::dice::Dice;
use crate::support::script::{inputs, time};

const QUALIFIERS: usize = 10_000;
const PLACES: usize = 500;

#[test]
fn of_ten_thousand_the_same_five_hundred_have_the_places_however_they_come() {
    let expected = told(1, 0);
    let of = |kind: &str| expected.values().filter(|(told, _)| told == kind).map(|(_, rank)| *rank).collect::<Vec<_>>();
    let [mut granted, mut waiting] = ["vip.granted", "vip.waitlisted"].map(of);
    granted.sort_unstable();
    waiting.sort_unstable();
    assert_eq!(granted, (1..=PLACES).collect::<Vec<_>>());
    assert_eq!(waiting, (1..=QUALIFIERS - PLACES).collect::<Vec<_>>());
    for (tasks, seed) in [(1, 1), (4, 2), (8, 3)] {
        assert!(told(tasks, seed) == expected, "{tasks} tasks, in the order of seed {seed}");
    }
}

/// Who is told what, and the rank.
fn told(tasks: u32, seed: u64) -> BTreeMap<String, (String, usize)> {
    let lines = Cluster::new(&generated(seed), tasks, seed).run().said;
    let mut told = BTreeMap::new();
    for line in lines {
        let output: Json = serde_json::from_str(&line).expect("an output is JSON");
        let Some(rank) = output["rank"].as_u64() else { continue };
        let [who, what] = ["customer_id", "type"].map(|name| output[name].as_str().expect("a name").to_owned());
        let rank = usize::try_from(rank).expect("few");
        assert_eq!(told.insert(who, (what, rank)), None, "told twice");
    }
    told
}

/// Their purchases within an hour; who spends how much is the same in every order.
fn generated(seed: u64) -> Generated {
    let mut lines: Vec<String> = (0..QUALIFIERS)
        .map(|number| {
            // Some spend as much as others: then it counts who came first.
            let (second, spend) = (number * 7 % 3_000, 100 + number * 13 % 9_000);
            format!("d0+{second}s c{number} purchase o{number} {spend} partition={}", number % 3)
        })
        .collect();
    let mut dice = Dice::new(seed);
    for at in (1..lines.len()).rev() {
        lines.swap(at, dice.below(at + 1));
    }
    let mut script = String::new();
    for line in &lines {
        let _ = writeln!(script, "{line}");
    }
    let mut inputs = inputs(&script);
    inputs.retain(|(kind, _)| *kind == Kind::Purchase);
    Generated { ruleset: RULES.to_owned(), inputs, until: Some(time("d1")) }
}

const RULES: &str = "
ruleset: acme
currency: EUR
timezone: UTC
settle: 1h
features: { spend: { sum: purchase.amount, over: 365d } }
programmes:
  big: { profile: value, grant: spend >= 1, budget: { max: 500, rank: spend, margin: 10% } }
";
