//! What must hold whatever the order of customers, restarts, levels and merges; and what a few scripts show.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "the numbers are small, and equal ones the same"
)]

use crate::support::labelled::{Found, by_customer, load};
use vipstream::pivot::budget::{Budget, Grade};
use vipstream::pivot::priors::Priors;
use vipstream::pivot::sentence::sentence;
use vipstream::pivot::settings::Settings;
use vipstream::pivot::state::State;
use vipstream::pivot::view::End;
use vipstream::pivot::{Channel, Direction, Kind, Observation, Pivot, Taken};

const DAY_MS: i64 = 86_400_000;
const START_MS: i64 = 1_640_995_200_000;

fn settings(watch: Option<f64>, alert: Option<f64>) -> Settings {
    Settings::new(Priors::default(), Budget::new(watch, alert).unwrap())
}

fn purchase(amount: f64) -> Observation {
    Observation::Purchase { amount: Some(amount), shop: None }
}

/// Buys at these days for these amounts, and says what is found until `until`.
fn buy(days_and_amounts: &[(f64, f64)], until: f64, settings: &Settings) -> (State, Vec<Pivot>) {
    let (mut state, mut pivots) = (State::default(), Vec::new());
    for (day, amount) in days_and_amounts {
        state.observe(purchase(*amount), START_MS + (day * DAY_MS as f64) as i64, settings, &mut pivots);
    }
    while let Some(due) = state.due().filter(|due| *due <= START_MS + (until * DAY_MS as f64) as i64) {
        state.fire(due, settings, &mut pivots);
    }
    (state, pivots)
}

#[test]
fn one_by_one_and_interleaved_customers_turn_alike() {
    for name in ["sim", "cdnow"] {
        let set = load(name, Budget::new(Some(0.05), Some(0.005)).unwrap());
        let (interleaved, _) = set.replay();
        let each = set.replay_each(set.labels.len(), |state| state);
        assert!(by_customer(interleaved) == by_customer(each), "{name}");
    }
}

#[test]
fn a_restart_between_any_two_events_changes_nothing() {
    let set = load("sim", Budget::new(Some(0.05), Some(0.005)).unwrap());
    let through = |state: State| -> State {
        let read: State = serde_json::from_slice(&serde_json::to_vec(&state).unwrap()).unwrap();
        assert!(read == state, "{state:?} is read as {read:?}");
        read
    };
    let kept = set.replay_each(40, |state| state);
    assert!(kept.len() > 20);
    assert!(set.replay_each(40, through) == kept);
}

#[test]
fn a_watch_beside_it_changes_no_alert() {
    for name in ["sim", "cdnow"] {
        let (alone, _) = load(name, Budget::new(None, Some(0.005)).unwrap()).replay();
        let (both, _) = load(name, Budget::new(Some(0.05), Some(0.005)).unwrap()).replay();
        let alerts = both.iter().filter(|(_, pivot)| pivot.level == Grade::Alert).cloned();
        // But that a watch came before.
        let alerts: Found =
            alerts.map(|(customer, pivot)| (customer, Pivot { was_announced: false, ..pivot })).collect();
        assert!(by_customer(alerts) == by_customer(alone), "{name}");
        let watches = both.iter().filter(|(_, pivot)| pivot.level == Grade::Watch && pivot.of.is_none()).count();
        let ends = both.iter().filter(|(_, pivot)| pivot.level == Grade::Watch && pivot.of.is_some()).count();
        println!("{name}: {} alerts and their ends, {watches} watches, {ends} taken back", both.len() - watches - ends);
        assert!(watches > 0 && ends > 0 && ends < watches);
    }
}

#[test]
fn what_stands_is_what_was_raised_and_has_not_ended() {
    for budget in [Budget::new(Some(0.05), Some(0.005)), Budget::new(None, Some(0.005)), Budget::new(Some(0.05), None)]
    {
        let set = load("sim", budget.unwrap());
        let (found, states) = set.replay();
        for (customer, state) in states.iter().enumerate() {
            let mut standing = std::collections::BTreeMap::new();
            for (_, pivot) in found.iter().filter(|(of, _)| *of == customer) {
                let is_alert_of_shares = !pivot.kind.ends() && pivot.of.is_none() && pivot.level == set.deciding();
                let key = (pivot.channel, pivot.of.unwrap_or(pivot.kind));
                if pivot.of.is_some() || is_alert_of_shares {
                    let was = standing.remove(&key);
                    assert!(was.is_some() || is_alert_of_shares, "an end of nothing: {pivot:?}");
                } else {
                    let was = standing.insert(key, pivot.level);
                    assert!(was.is_none_or(|was| was < pivot.level), "raised twice: {pivot:?}");
                }
            }
            let open: Vec<_> =
                state.open(&set.settings).iter().map(|open| ((open.channel, open.kind), open.level)).collect();
            let mut open_sorted = open.clone();
            open_sorted.sort_unstable();
            assert_eq!(open_sorted, standing.into_iter().collect::<Vec<_>>(), "{customer}");
        }
    }
}

#[test]
fn sizes_stay_within_their_bounds() {
    let settings = settings(Some(0.05), Some(0.005));
    let visits: Vec<(f64, f64)> =
        (0..400).map(|at| (f64::from(at) * 7.0, if at % 90 < 50 { 50.0 } else { 9.0 })).collect();
    let (state, pivots) = buy(&visits, 9000.0, &settings);
    assert!(pivots.iter().any(|pivot| pivot.kind == Kind::SpendDropped));
    assert!(state.size() <= 128, "{} bytes", state.size());
    for budget in [Budget::new(None, Some(0.005)), Budget::new(Some(0.05), Some(0.005))] {
        let (_, states) = load("sim", budget.unwrap()).replay();
        let most = states.iter().map(State::size).max().unwrap();
        assert!(most <= 300, "{most} bytes");
    }
}

#[test]
fn silence_is_watched_then_alerted_then_over() {
    let settings = settings(Some(0.05), Some(0.005));
    let visits: Vec<(f64, f64)> = (0..12).map(|at| (f64::from(at) * 14.0, 50.0)).collect();
    let (mut state, mut pivots) = buy(&visits, 400.0, &settings);
    let said: Vec<_> = pivots.iter().map(|pivot| (pivot.kind, pivot.level)).collect();
    assert!(said.contains(&(Kind::Silence, Grade::Watch)) && said.contains(&(Kind::Silence, Grade::Alert)), "{said:?}");
    let of_silence = |pivot: &&Pivot| pivot.kind == Kind::Silence;
    let days: Vec<f64> = pivots.iter().filter(of_silence).filter_map(|pivot| pivot.days_silent).collect();
    assert!(days.len() == 2 && days[0] < days[1], "{days:?}");
    assert_eq!(state.due(), None, "nothing more is waited for");
    pivots.clear();
    state.observe(purchase(50.0), START_MS + 500 * DAY_MS, &settings, &mut pivots);
    let back = pivots.iter().find(|pivot| pivot.of == Some(Kind::Silence)).unwrap();
    assert_eq!((back.kind, back.level, back.days_silent), (Kind::Recovered, Grade::Alert, Some(346.0)));
    assert_eq!(sentence(back, "EUR"), "Buys again after 346 days of silence; usual is every 17 days.");
}

#[test]
fn late_and_broken_values_do_no_harm() {
    let settings = settings(None, Some(0.005));
    let visits: Vec<(f64, f64)> = (0..8).map(|at| (f64::from(at) * 14.0, 50.0)).collect();
    let (state, mut pivots) = buy(&visits, 0.0, &settings);
    let mut late = state.clone();
    let taken = late.observe(purchase(50.0), START_MS + 40 * DAY_MS, &settings, &mut pivots);
    assert_eq!((taken, late.due()), (Taken::Late, state.due()));
    let views = |state: &State| state.describe(START_MS + 100 * DAY_MS, &settings);
    assert_eq!(views(&late)[0].observations, views(&state)[0].observations, "no gap is learnt");
    assert_eq!(views(&late)[1].observations, views(&state)[1].observations + 1.0, "but what was spent");
    for broken in [purchase(f64::NAN), Observation::Csat(f64::INFINITY), Observation::Sentiment(f64::NAN)] {
        let mut same = state.clone();
        assert_eq!(same.observe(broken, START_MS + 200 * DAY_MS, &settings, &mut pivots), Taken::Refused);
        assert!(same == state);
    }
    assert_eq!(pivots, []);
}

#[test]
fn times_before_1970_and_after_2106_are_borne() {
    let settings = settings(Some(0.05), Some(0.005));
    let (mut state, mut pivots) = (State::default(), Vec::new());
    for at in [i64::MIN / 2, -5, 0, 999, 4_294_967_295_000, i64::MAX / 2] {
        for observation in [purchase(-3.0), purchase(1e300), Observation::Refund, Observation::Engagement] {
            state.observe(observation, at, &settings, &mut pivots);
        }
    }
    assert!(state.describe(i64::MAX / 2, &settings).len() >= 3);
}

#[test]
fn gaps_end_where_time_does() {
    let settings = settings(None, Some(0.005));
    let (mut state, mut pivots) = (State::default(), Vec::new());
    for at in 0..8 {
        state.observe(purchase(50.0), 4_294_967_295_000 - (8 - at) * 14 * DAY_MS, &settings, &mut pivots);
    }
    let seen = |state: &State| state.describe(i64::MAX / 2, &settings)[0].observations;
    let before = seen(&state);
    for at in [5_000_000_000_000, 6_000_000_000_000, i64::MAX] {
        state.observe(purchase(50.0), at, &settings, &mut pivots);
    }
    assert!(seen(&state) <= before + 1.0, "what is beyond is one visit, on the last day");
    assert!(pivots.iter().all(|pivot| pivot.days_silent.is_none_or(|days| days < 36_525.0)), "{pivots:?}");
    assert_eq!(state.due(), None);
}

#[test]
fn whoever_is_taken_in_the_result_is_the_same() {
    let set = load("sim", Budget::new(Some(0.05), Some(0.005)).unwrap());
    let (_, states) = set.replay();
    let now_ms = START_MS + 1200 * DAY_MS;
    for trio in states.chunks_exact(3).take(60) {
        let join = |order: [usize; 3]| {
            let mut all = State::default();
            for at in order {
                all.absorb(trio[at].clone(), now_ms, &set.settings);
            }
            all
        };
        let one = join([0, 1, 2]);
        assert!([[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]].into_iter().all(|order| join(order) == one));
        assert!(one.due().is_none_or(|due| due >= now_ms));
    }
}

#[test]
fn views_say_what_is_usual_and_what_is_waited_for() {
    let settings = settings(None, Some(0.005));
    let visits: Vec<(f64, f64)> = (0..20).map(|at| (f64::from(at) * 14.0, 50.0)).collect();
    let (state, _) = buy(&visits, 0.0, &settings);
    let views = state.describe(START_MS + 290 * DAY_MS, &settings);
    assert_eq!(views.iter().map(|view| view.channel).collect::<Vec<_>>(), [Channel::Cadence, Channel::Spend]);
    assert!((13.0..15.5).contains(&views[0].usual), "{views:?}");
    assert!((47.0..53.0).contains(&views[1].usual), "{views:?}");
    assert_eq!(views[0].timer.map(|(due, _)| Some(due)), Some(state.due()));
    assert!(views[0].up.is_some_and(|score| score.evidence < score.threshold), "{views:?}");
    assert_eq!((views[1].timer, views[1].open.len()), (None, 0));
}

#[test]
fn a_drop_in_spend_says_its_evidence() {
    let settings = settings(None, Some(0.005));
    let spend = |at: i32| if at < 20 { 60.0 + f64::from(at % 3) } else { 20.0 + f64::from(at % 3) };
    let visits: Vec<(f64, f64)> = (0..26).map(|at| (f64::from(at) * 14.0, spend(at))).collect();
    let (state, pivots) = buy(&visits, 0.0, &settings);
    let drop = &pivots[0];
    assert_eq!(
        (drop.kind, drop.direction, drop.n_before, drop.n_after),
        (Kind::SpendDropped, Direction::Down, 20.0, 3.0)
    );
    assert_eq!(drop.since_ms, START_MS + 20 * 14 * DAY_MS);
    assert!(drop.evidence >= drop.threshold && drop.confidence >= Some(0.8), "{drop:?}");
    assert!(
        sentence(drop, "EUR")
            .starts_with("Usually spends 60.86 EUR an order; of late 20.98, 34 % of that (the last 3 orders)."),
        "{}",
        sentence(drop, "EUR")
    );
    assert!(matches!(state.open(&settings)[0].end, End::Time { seen: 3, .. }));
}
