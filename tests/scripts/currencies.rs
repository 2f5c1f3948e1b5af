//! Amounts in other currencies: rates before and after them, corrected ones, refunds, and what has no rate yet.

use crate::support::script::{explain, run};

/// A label for each step of 100 that the lifetime spend passes, one for the count, one for orders of 100 and more.
const SPEND: &str = "
    features:
      spend: { sum: purchase.amount }
      orders: { count: purchase }
      big: { count: purchase, where: \"amount >= 100 && category == 'trip'\" }
    labels:
      s100: spend >= 100
      s200: spend >= 200
      one_order: orders >= 1
      big: big >= 1";

#[test]
fn an_order_counts_at_its_own_dates_rate() {
    let script = "
        d0 USD/EUR rate 0.5
        d3 USD/EUR rate 2
        d2 ann purchase o1 200 USD
        d3 bob purchase o2 100 USD";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d2 ann cohort.entered s100
    d2 ann cohort.entered one_order
    d3 bob cohort.entered s100
    d3 bob cohort.entered s200
    d3 bob cohort.entered one_order
    ");
}

#[test]
fn an_order_without_a_rate_is_no_order_until_the_rate_comes() {
    let script = "
        d0 ann purchase o1 200 USD category=trip
        d5 ann csat i1 3
        d9 USD/EUR rate 0.6 d0";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d9 ann cohort.entered s100
    d9 ann cohort.entered one_order
    d9 ann cohort.entered big
    ");
}

#[test]
fn a_rate_holds_for_the_six_dates_after_its_own() {
    let script = "
        d0 USD/EUR rate 1
        d6 ann purchase o1 100 USD
        d7 bob purchase o2 100 USD";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d6 ann cohort.entered s100
    d6 ann cohort.entered one_order
    ");
}

#[test]
fn a_nearer_rate_and_a_corrected_one_price_anew() {
    let script = "
        d0 USD/EUR rate 1
        d3 ann purchase o1 100 USD category=trip
        d4 USD/EUR rate 0.5 d2
        d5 USD/EUR rate 2 d2
        d6 USD/EUR rate 9 d1";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d3 ann cohort.entered s100
    d3 ann cohort.entered one_order
    d3 ann cohort.entered big
    d4 ann cohort.left s100
    d4 ann cohort.left big
    d5 ann cohort.entered s100
    d5 ann cohort.entered s200
    d5 ann cohort.entered big
    ");
}

#[test]
fn the_reverse_of_a_rate_serves_where_there_is_no_direct_one() {
    let script = "
        d0 EUR/USD rate 0.5
        d0 ann purchase o1 100 USD
        d1 USD/EUR rate 1.5 d0";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d0 ann cohort.entered s100
    d0 ann cohort.entered s200
    d0 ann cohort.entered one_order
    d1 ann cohort.left s200
    ");
}

#[test]
fn refunds_in_any_currency_are_taken_off_at_the_orders_rate() {
    let script = "
        d0 USD/EUR rate 0.5
        d0 GBP/EUR rate 2 d0
        d0+1h ann purchase o1 400 USD
        d9 ann refund o1 100 USD refund_id=r1
        d10 ann refund o1 60 GBP refund_id=r2
        d11 ann refund o1 30 EUR refund_id=r3";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d0+01:00 ann cohort.entered s100
    d0+01:00 ann cohort.entered s200
    d0+01:00 ann cohort.entered one_order
    d9 ann cohort.left s200
    d10 ann cohort.left s100
    d11 ann cohort.left one_order
    ");
}

#[test]
fn an_order_waits_for_the_rate_of_its_refund() {
    let script = "
        d0 ann purchase o1 200
        d1 ann refund o1 50 USD
        d2 USD/EUR rate 1 d0";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d0 ann cohort.entered s100
    d0 ann cohort.entered s200
    d0 ann cohort.entered one_order
    d1 ann cohort.left s100
    d1 ann cohort.left s200
    d1 ann cohort.left one_order
    d2 ann cohort.entered s100
    d2 ann cohort.entered one_order
    ");
}

#[test]
fn whatever_comes_first_the_sums_are_the_same() {
    let lines = [
        "d5 ann purchase o1 300 USD category=trip",
        "d5 ann refund o1 50 GBP refund_id=r1",
        "d5 ann refund o1 20 USD refund_id=r2",
        "d5 USD/EUR rate 0.9 d4",
        "d5 USD/EUR rate 0.8 d1",
        "d5 GBP/EUR rate 1.2 d5",
    ];
    let probe = "d6 ann purchase o9 0";
    let rules = "
        features:
          spend: { sum: purchase.amount }
          big: { count: purchase, where: \"amount >= 270 && category == 'trip'\" }
        alerts: { escalation: { on: purchase, when: \"event.order_id == 'o9' && spend == 192 && big == 1\" } }";
    let mut orders = vec![Vec::new()];
    for line in lines {
        let with = |order: Vec<&'static str>| {
            (0..=order.len()).map(move |at| {
                let mut order = order.clone();
                order.insert(at, line);
                order
            })
        };
        orders = orders.into_iter().flat_map(with).collect();
    }
    for order in orders.iter().step_by(7) {
        // Rates of one instant are read before orders: an instant of its own for each.
        let timed = order.iter().enumerate().map(|(at, line)| line.replacen("d5 ", &format!("d5+{at}m "), 1));
        let script = timed.chain([probe.to_owned()]).collect::<Vec<_>>().join("\n");
        assert!(run(rules, &script).contains("escalation"), "{script}\n{}", explain(rules, &script));
    }
}

#[test]
fn alerts_read_amounts_in_the_rules_currency_and_miss_what_has_no_rate() {
    let rules = "
        alerts:
          escalation: { on: purchase, when: \"event.amount >= 100\" }
          sla_breach: { on: purchase, when: \"!has(event.amount)\" }
          referral_won: { kind: escalation, on: referral, when: \"value >= 100\" }";
    let script = "
        d0 USD/EUR rate 0.5
        d0 ann purchase o1 199 USD
        d0 ann purchase o2 200 USD
        d0 ann purchase o3 200 GBP
        d0 ann referral bob converted value=200 currency=USD
        d0 ann referral zoe converted value=200 currency=GBP";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann agent.alert escalation normal
    d0 ann agent.alert referral_won normal
    d0 ann agent.alert sla_breach normal
    ");
}

#[test]
fn a_referrals_value_is_priced_by_the_date_of_its_status() {
    let rules = "
        features: { value: { sum: referral.value, where: \"value >= 50 && status == 'converted'\" } }
        labels: { worth: value >= 100 }";
    let script = "
        d0 ann referral bob signed_up value=100 currency=USD
        d3 ann referral bob converted value=100 currency=USD
        d8 USD/EUR rate 1 d2
        d9 USD/EUR rate 0.4 d3";
    insta::assert_snapshot!(run(rules, script), @r"
    d8 ann cohort.entered worth
    d9 ann cohort.left worth
    ");
}

#[test]
fn what_a_rate_decides_names_the_rate() {
    let script = "
        d0 ann purchase o1 100 USD
        d1 USD/EUR rate 1 d0";
    insta::assert_snapshot!(explain("
        features: { spend: { sum: purchase.amount } }
        programmes: { big: { profile: value, grant: spend >= 100 } }", script), @r"
    d1 ann vip.granted big
      spend 100 >= 100 holds purchase:0:0
    ");
}
