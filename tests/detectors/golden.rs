//! The vectors of `golden.json` that take a whole customer: timers, and every event with its evidence.

#![expect(clippy::cast_possible_truncation, reason = "the numbers are small, and equal ones the same")]

use crate::support::labelled::{line, load};
use serde_json::Value;
use vipstream::pivot::budget::Budget;
use vipstream::pivot::priors::Priors;
use vipstream::pivot::settings::Settings;
use vipstream::pivot::state::State;
use vipstream::pivot::{Channel, Kind, Observation, Pivot};

const START_MS: i64 = 1_640_995_200_000;
const DAY_MS: f64 = 86_400_000.0;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/pivot/golden.json")).unwrap()
}

fn budget() -> Budget {
    Budget::new(None, Some(0.005)).unwrap()
}

fn at_ms(days: &Value) -> i64 {
    START_MS + (days.as_f64().unwrap() * DAY_MS).round() as i64
}

#[test]
fn timers_are_set_as_in_the_vectors() {
    let vectors = &golden()["timers"];
    let settings = Settings::new(Priors::default(), budget());
    let (mut state, mut pivots) = (State::default(), Vec::new());
    for visit in vectors["visits"].as_array().unwrap() {
        let purchase = Observation::Purchase { amount: Some(50.0), shop: None };
        state.observe(purchase, at_ms(&visit["visit_day"]), &settings, &mut pivots);
        let wanted = visit["due_day"].as_f64().map(|_| at_ms(&visit["due_day"]));
        match (state.due(), wanted) {
            (None, None) => (),
            (Some(due), Some(wanted)) => {
                // Rounded up to a whole second.
                assert!((due - (wanted + 999) / 1000 * 1000).abs() <= 1000, "{visit}: {due} is not {wanted}");
            }
            (due, wanted) => panic!("{visit}: {due:?} is not {wanted:?}"),
        }
    }
    assert_eq!(pivots, []);
    let due = state.due().unwrap();
    state.fire(due - 1000, &settings, &mut pivots);
    assert_eq!(pivots, [], "a timer that does not match is ignored");
    state.fire(due, &settings, &mut pivots);
    let (silence, wanted) = (&pivots[0], &vectors["emitted"][0]);
    assert_eq!((silence.kind, silence.channel, state.due()), (Kind::Silence, Channel::Cadence, None));
    assert!((silence.from - wanted["frm"].as_f64().unwrap()).abs() < 1e-4, "{silence:?}");
    assert!((silence.to - wanted["to"].as_f64().unwrap()).abs() < 2e-5, "{silence:?}");
    assert!((silence.p.unwrap() / wanted["p"].as_f64().unwrap() - 1.0).abs() < 1e-5, "{silence:?}");
    assert!((silence.confidence.unwrap() - 0.8).abs() < 1e-9);
    assert!((silence.n_before - 10.0).abs() < 1e-9);
    assert_eq!(silence.since_ms, at_ms(&wanted["since"]) / 1000 * 1000);
}

#[test]
fn whole_customers_turn_as_in_the_vectors() {
    let set = load("sim", budget());
    let (found, _) = set.replay();
    let mut compared = 0;
    for customer in golden()["customers_sim"].as_array().unwrap() {
        let name = customer["customer"].as_str().unwrap();
        let of = |(at, _): &&(usize, Pivot)| set.labels[*at].customer == name;
        let found: Vec<&Pivot> = found.iter().filter(of).map(|(_, pivot)| pivot).collect();
        let wanted = customer["emitted"].as_array().unwrap();
        assert_eq!(found.len(), wanted.len(), "{name}: {found:#?}");
        for (pivot, wanted) in found.iter().zip(wanted) {
            check(name, pivot, wanted);
            compared += 1;
        }
    }
    assert_eq!(compared, 28);
}

fn check(name: &str, pivot: &Pivot, wanted: &Value) {
    let line = line(name, pivot);
    let kind = if line.event == "pivot" { line.kind } else { format!("{}:{}", line.event, line.kind) };
    assert_eq!(
        (kind.as_str(), pivot.channel.name()),
        (wanted["kind"].as_str().unwrap(), wanted["channel"].as_str().unwrap())
    );
    let near = |what: &str, found: Option<f64>, wanted: &Value, tolerance: f64| {
        let Some(wanted) = wanted.as_f64() else { return };
        let found = found.unwrap_or(f64::NAN);
        assert!((found - wanted).abs() <= tolerance, "{name} {kind}, {what}: {found} is not {wanted}");
    };
    let (decided, since) = (wanted["ts_ms"].as_i64().unwrap(), wanted["since_ms"].as_i64().unwrap());
    assert!((pivot.decided_at_ms - decided).abs() <= 60_000, "{name} {kind}: {} is not {decided}", pivot.decided_at_ms);
    assert!((pivot.since_ms - since).abs() <= 1000, "{name} {kind}: since");
    near("evidence", pivot.evidence, &wanted["evidence"], 2e-3);
    near("threshold", pivot.threshold, &wanted["threshold"], 2e-3);
    near("confidence", pivot.confidence, &wanted["confidence"], 1e-3);
    near("gap", pivot.days_silent, &wanted["gap"], 1e-6);
    near("p", pivot.p, &wanted["p"], 1e-7);
    if line.event == "pivot" {
        near("n_before", Some(pivot.n_before), &wanted["n_before"], 1e-2);
        near("n_after", Some(pivot.n_after), &wanted["n_after"], 1e-2);
    }
    // The vectors have levels as the detector counts them; a silence has days already.
    let natural = |wanted: &Value| {
        let level = wanted.as_f64();
        level.map_or(Value::Null, |level| match pivot.channel {
            _ if pivot.kind == Kind::Silence => level.into(),
            Channel::Cadence | Channel::Engagement => level.powi(4).into(),
            Channel::Spend => level.exp().into(),
            _ => level.into(),
        })
    };
    near("from", Some(pivot.from), &natural(&wanted["frm"]), 2e-3 * pivot.from.abs());
    near("to", Some(pivot.to), &natural(&wanted["to"]), 2e-3 * pivot.to.abs());
    if let Some(place) = wanted["frm"].as_array().map(|shares| shares.len() - 1) {
        let place = match &pivot.shops {
            Some(shops) => ["web", "app", "store"].iter().position(|shop| *shop == shops.since).unwrap(),
            None => place,
        };
        near("from", Some(pivot.from), &wanted["frm"][place], 1e-3);
        near("to", Some(pivot.to), &wanted["to"][place], 1e-3);
    }
}
