//! The labelled customers of `tests/fixtures/pivot`, against the events of the reference.

use crate::support::labelled::{Line, Set, compare, line, load, reference};
use vipstream::pivot::budget::Budget;

fn budget() -> Budget {
    Budget::new(None, Some(0.005)).unwrap()
}

fn lines(set: &Set) -> Vec<Line> {
    let (found, _) = set.replay();
    found.iter().map(|(customer, pivot)| line(&set.labels[*customer].customer, pivot)).collect()
}

fn check(name: &str) {
    let set = load(name, budget());
    let (reference, found) = (reference(name), lines(&set));
    let (matched, missing, extra) = compare(&reference, &found);
    println!("{name}: {matched} of {} matched, {} extra", reference.len(), extra.len());
    println!("missing {missing:#?}\nextra {extra:#?}");
    assert!(matched * 100 >= reference.len() * 99, "missing: {missing:#?}");
    assert!(extra.len() * 100 <= reference.len(), "extra: {extra:#?}");
}

#[test]
fn simulated_customers_turn_as_in_the_reference() {
    check("sim");
}

#[test]
fn cdnow_customers_turn_as_in_the_reference() {
    check("cdnow");
}
