//! The labelled customers of `tests/fixtures/pivot`, against the events of the reference, and against the labels.

use crate::support::labelled::{Line, Set, compare, line, load, reference};
use crate::support::score::{Reach, alarms, delays, reach};
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

#[test]
fn the_reference_is_scored_as_its_own_scorer_does() {
    let set = load("sim", budget());
    let lines = reference("sim");
    let silences = alarms(&set, &lines, &["silence"]);
    assert_eq!((silences.all, silences.wrong), (62, 7));
    assert!((silences.per_100_years() - 0.71).abs() < 0.005 && silences.error() < 0.3, "{silences:?}");
    let delays = delays(&set, &lines);
    let wanted = [
        (("silence", 0.0, 8.0), (35, 43)),
        (("cadence_slow", 3.0, 16.0), (8, 16)),
        (("spend_drop", 0.5, 10.0), (10, 19)),
        (("csat_drop", 2.0, 5.0), (5, 6)),
        (("channel_shift", 0.15, 5.0), (6, 10)),
        (("sentiment_drop", 0.25, 5.0), (4, 13)),
        (("engagement_drop", 0.0, 8.0), (4, 8)),
    ];
    for (change, (found, of)) in wanted {
        let reach = reach(&delays, change);
        assert_eq!(reach, Reach { found, of }, "{change:?}");
        assert!(reach.error() <= 0.21 && (0.0..=1.0).contains(&reach.share()));
    }
}

#[test]
fn no_kind_brings_more_than_one_false_alarm_in_100_customer_years() {
    for name in ["sim", "cdnow"] {
        let (set, reference) = (load(name, budget()), reference(name));
        let lines = lines(&set);
        for kind in lines.iter().chain(&reference).map(|line| line.kind.as_str()) {
            let alarms = alarms(&set, &lines, &[kind]);
            assert!(alarms.per_100_years() <= 1.0, "{name} {kind}: {alarms:?}");
        }
    }
}
