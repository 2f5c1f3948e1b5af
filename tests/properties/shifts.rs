//! A shop is closed for ten days, or everybody buys for the holidays: that is told once, and not of each customer.

#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "days and customers are few")]

use serde_json::Value as Json;

use vipstream::calibrate::History;
use vipstream::model::event::Kind;
use vipstream::model::id::CustomerId;
use vipstream::pivot::Observation;
use vipstream::pivot::budget::Budget;
use vipstream::pivot::priors::Priors;
use vipstream::pivot::settings::Settings;
use vipstream::replay::replay_memory;
use vipstream::rules::source;

use crate::support::generate::dice::Dice;
use crate::support::script::time;

const RULES: &str = "
ruleset: acme
currency: EUR
timezone: UTC
features: { orders: { count: purchase } }
pivots: { alert: 0.5 per 100 customer-years, population: { pivots: hold }, priors: shop.json }
programmes: { regular: { profile: value, grant: orders >= 1 } }
";

const DAY_MS: f64 = 86_400_000.0;

/// What happens from day 150 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happens {
    Nothing,
    /// Nobody buys for ten days; whoever would have does so within the two after it.
    Outage,
    /// For two weeks everybody buys thrice as often, for twice as much.
    Holiday,
}

const FROM: f64 = 150.0;

impl Happens {
    /// When somebody buys next.
    fn next(self, at: f64, gap: f64, dice: &mut Dice) -> f64 {
        let next = at + gap;
        match self {
            Self::Outage if (FROM..FROM + 10.0).contains(&next) => FROM + 10.0 + uniform(dice) * 2.0,
            Self::Holiday if (FROM - 3.0..FROM + 14.0).contains(&at) => at + gap / 3.0,
            Self::Holiday if at < FROM && next > FROM => next.min(FROM + uniform(dice) * 5.0),
            _ => next,
        }
    }

    fn worth(self, at: f64) -> f64 {
        if self == Self::Holiday && (FROM..FROM + 14.0).contains(&at) { 2.0 } else { 1.0 }
    }
}

fn uniform(dice: &mut Dice) -> f64 {
    (dice.below(1_000_000) as f64 + 0.5) / 1e6
}

/// Orders of so many customers, who go on buying, each in their own rhythm: every three to ten days, more or less regular.
fn orders(customers: usize, happens: Happens, until: f64) -> Vec<(i64, usize, f64)> {
    let mut orders = Vec::new();
    let start = time("d0").0 as f64;
    for who in 0..customers {
        let mut dice = Dice::new(who as u64);
        let (mean, shape) = (3.0 + 7.0 * uniform(&mut dice), 4 + dice.below(9));
        let usual = 20.0 + 80.0 * uniform(&mut dice);
        let mut at = mean * uniform(&mut dice);
        while at < until {
            let amount = usual * happens.worth(at) * (0.7 + 0.6 * uniform(&mut dice));
            orders.push(((start + at * DAY_MS) as i64, who, amount));
            let gap: f64 = (0..shape).map(|_| -uniform(&mut dice).ln()).sum::<f64>() / shape as f64 * mean;
            at = happens.next(at, gap.max(0.2), &mut dice);
        }
    }
    orders.sort_by_key(|(at, who, _)| (*at, *who));
    orders
}

fn line(number: usize, (at, who, amount): (i64, usize, f64)) -> Vec<u8> {
    let json = format!(
        r#"{{"event_id":"{number}","customer_id":"c{who}","occurred_at":{at},"order_id":"{number}","amount":"{amount:.2}","currency":"EUR","status":"completed"}}"#
    );
    json.into_bytes()
}

/// The rules, with priors fitted to a year in which nothing happened.
fn rules() -> String {
    let mut history = History::default();
    for (at, who, amount) in orders(500, Happens::Nothing, 365.0) {
        history.note(
            &CustomerId::from(format!("c{who}").as_str()),
            at,
            Observation::Purchase { amount: Some(amount), shop: None },
        );
    }
    history.end(time("d365").0);
    let before = Settings::new(Priors::default(), Budget::new(None, Some(0.005)).expect("a budget"));
    let fit = history.calibrate(&history.shuffled(), "shop", &before);
    let priors = serde_json::to_string(fit.settings.priors()).expect("priors are JSON");
    source::join(RULES, &priors)
}

/// What is told of pivots, in full.
fn told(customers: usize, happens: Happens) -> Vec<Json> {
    let orders = orders(customers, happens, 200.0).into_iter().enumerate();
    let inputs = [(Kind::Purchase, orders.map(|(number, order)| line(number, order)).collect())];
    let lines = replay_memory(&rules(), &inputs, Some(time("d200"))).remove("vip.pivots").expect("a topic");
    lines.iter().map(|line| serde_json::from_str(line).expect("an output is JSON")).collect()
}

/// What a scenario came to.
#[derive(Debug)]
struct Outcome {
    /// Silences told from then on, of customers who all go on buying.
    silences: usize,
    /// Kinds of which it is told that far more than usual turn, and how many.
    began: Vec<String>,
    ended: Vec<(String, u64)>,
    /// Pivots of all kinds told from then on.
    pivots: u64,
}

fn outcome(happens: Happens) -> Outcome {
    let lines = told(CUSTOMERS, happens);
    let word = |line: &Json, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let from = time(&format!("d{FROM}")).to_string();
    let later = lines.iter().filter(|line| word(line, "occurred_at") >= from);
    let (shifts, pivots): (Vec<&Json>, Vec<&Json>) = later.partition(|line| line["type"] == "population.shift");
    let of = |phase: &'static str| shifts.iter().filter(move |shift| shift["phase"] == phase);
    let kind = |shift: &&Json| shift["kinds"][0].as_str().expect("a kind").to_owned();
    Outcome {
        silences: pivots.iter().filter(|pivot| pivot["kind"] == "silence").count(),
        pivots: pivots.len() as u64,
        began: of("began").map(kind).collect(),
        ended: of("ended").map(|shift| (kind(shift), shift["customers"].as_u64().expect("a count"))).collect(),
    }
}

const CUSTOMERS: usize = 10_000;

#[test]
fn while_nobody_can_buy_one_event_is_told_and_hardly_a_silence() {
    let (usual, outage) = (outcome(Happens::Nothing), outcome(Happens::Outage));
    println!("usual: {usual:?}\noutage: {outage:?}");
    assert_eq!((usual.began.len(), usual.ended.len()), (0, 0));
    assert_eq!(outage.began.iter().filter(|kind| *kind == "silence").count(), 1);
    let counted = outage.ended.iter().find(|(kind, _)| kind == "silence").expect("it ends").1;
    assert!(counted > 500, "so many would have been told of: {counted}");
    assert!(outage.pivots < counted, "and of fewer all told: {outage:?}");
    assert!(outage.silences * 1_000 <= CUSTOMERS, "{outage:?}");
}

#[test]
fn the_holidays_are_told_once_and_nobody_falls_silent_after_them() {
    let holiday = outcome(Happens::Holiday);
    println!("holiday: {holiday:?}");
    let most = |kind: &str| holiday.ended.iter().filter(|(ended, _)| ended == kind).map(|(_, count)| *count).max();
    for kind in ["spend_rose", "cadence_quickened"] {
        let counted = most(kind).expect("it has ended");
        assert!(counted > 5_000 && holiday.pivots < counted / 5, "{kind}: {holiday:?}");
    }
    assert!(holiday.silences * 1_000 <= CUSTOMERS, "{holiday:?}");
}
