//! A window kept as a running total equals the slow sum over everything that is in it.

use serde_json::{Value as Json, json};
use vipstream::model::event::Kind;
use vipstream::replay::replay_memory;

use crate::support::generate::dice::Dice;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Midnight of 1 March 2025 UTC.
const START: i64 = 1_740_787_200_000;

/// An order's time, what is left of it in cents, and whether any was taken back.
struct Order {
    at: i64,
    left: i64,
    refunded: bool,
}

#[test]
fn a_running_total_equals_the_sum_over_what_is_in_the_window() {
    let mut compared = 0;
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let (days, hours) = (dice.number(1, 9), dice.number(1, 30));
        let rules = format!(
            "ruleset: sums\ncurrency: EUR\nfeatures:\n  d: {{ sum: purchase.amount, over: {days}d }}\n  h: {{ sum: purchase.amount, over: {hours}h }}\n  n: {{ count: purchase, over: {days}d }}\n  m: {{ sum: purchase.amount, over: month }}\n  all: {{ sum: purchase.amount }}\nalerts:\n  escalation: {{ on: purchase, when: \"d + h + m + all >= 0 && n >= 0\" }}\n"
        );
        let (mut orders, mut lines, mut expected) = (Vec::<Order>::new(), Vec::new(), Vec::new());
        let mut at = START;
        for number in 0..80 {
            at += dice.number(0, 2 * DAY_MS / 10) * dice.number(0, 3);
            let refunded = dice.below(orders.len().max(1));
            if dice.chance(25) && orders.get(refunded).is_some_and(|order| order.left > 0) {
                let amount = dice.number(1, orders[refunded].left);
                orders[refunded].left -= amount;
                orders[refunded].refunded = true;
                lines.push(record(number, at, &format!("o{refunded}"), amount, "refunded"));
            } else {
                let amount = dice.number(0, 99_999);
                lines.push(record(number, at, &format!("o{}", orders.len()), amount, "completed"));
                orders.push(Order { at, left: amount, refunded: false });
            }
            expected.push(slow(&orders, at, days, hours));
        }
        let seen = &replay_memory(&rules, &[(Kind::Purchase, lines)], None)["vip.alerts"];
        // Alerts of one instant may change places; all are of one customer and ordered by time.
        let mut seen: Vec<Json> = seen.iter().map(|line| serde_json::from_str(line).expect("an alert")).collect();
        seen.sort_by_key(|alert| alert["trigger"]["offset"].as_u64());
        assert_eq!(seen.len(), expected.len(), "seed {seed}");
        for (alert, expected) in seen.iter().zip(&expected) {
            let values: Vec<String> =
                alert["evidence"].as_array().expect("rows").iter().map(|row| row["value"].to_string()).collect();
            assert_eq!(&values, expected, "seed {seed}, at {}", alert["occurred_at"]);
            compared += 1;
        }
    }
    assert_eq!(compared, 60 * 80);
}

fn record(number: usize, at: i64, order: &str, cents: i64, status: &str) -> Vec<u8> {
    let amount = format!("{}.{:02}", cents / 100, cents % 100);
    let value = json!({
        "event_id": format!("e{number}"), "customer_id": "ann", "occurred_at": at, "order_id": order,
        "refund_id": format!("r{number}"), "amount": amount, "currency": "EUR", "status": status,
    });
    value.to_string().into_bytes()
}

/// The features' values, each summed anew over all orders: d, h, m, all, n.
fn slow(orders: &[Order], now: i64, days: i64, hours: i64) -> Vec<String> {
    let month = |at: i64| {
        let time = jiff::Timestamp::from_millisecond(at).expect("a time").to_zoned(jiff::tz::TimeZone::UTC);
        (time.year(), time.month())
    };
    let day = |order: &&Order| now.div_euclid(DAY_MS) - order.at.div_euclid(DAY_MS) < days;
    let hour = |order: &&Order| now.div_euclid(HOUR_MS) - order.at.div_euclid(HOUR_MS) < hours;
    let euros = |cents: i64| Json::from(rust_decimal::Decimal::new(cents, 2).normalize().to_string()).to_string();
    let sum = |inside: &dyn Fn(&&Order) -> bool| euros(orders.iter().filter(inside).map(|order| order.left).sum());
    vec![
        sum(&day),
        sum(&hour),
        sum(&|order| month(order.at) == month(now)),
        sum(&|_| true),
        orders.iter().filter(day).filter(|order| order.left > 0 || !order.refunded).count().to_string(),
    ]
}
