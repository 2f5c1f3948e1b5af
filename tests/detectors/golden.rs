//! The vectors of `golden.json` that take a whole customer: timers, and every event with its evidence.

#![expect(clippy::cast_possible_truncation, reason = "the numbers are small, and equal ones the same")]

use crate::support::labelled::load;
use crate::support::vectors::{golden, whole_customers};
use serde_json::Value;
use vipstream::pivot::budget::Budget;
use vipstream::pivot::priors::Priors;
use vipstream::pivot::settings::Settings;
use vipstream::pivot::state::State;
use vipstream::pivot::{Channel, Kind, Observation};

const START_MS: i64 = 1_640_995_200_000;
const DAY_MS: f64 = 86_400_000.0;

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
    let (compared, differences) = whole_customers(&set, &set.replay().0);
    assert_eq!((compared, differences), (28, vec![]));
}
