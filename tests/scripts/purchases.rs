//! Orders, refunds, cancellations, disputes, currencies.

use crate::support::script::{run, run_until};

/// A label for each step of 100 that the lifetime spend passes, and one for the count.
const SPEND: &str = "
    features:
      spend: { sum: purchase.amount }
      orders: { count: purchase }
    labels:
      s100: spend >= 100
      s200: spend >= 200
      two_orders: orders >= 2";

#[test]
fn an_order_sent_twice_counts_once() {
    let script = "
        d0 ann purchase o1 100
        d1 ann purchase o1 100
        d2 ann purchase o2 100";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d0 ann cohort.entered s100
    d2 ann cohort.entered s200
    d2 ann cohort.entered two_orders
    ");
}

#[test]
fn a_refund_may_come_before_its_order() {
    let script = "
        d0 ann refund o1 50
        d1 ann purchase o1 149
        d2 ann purchase o2 1
        d3 ann purchase o3 0";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d2 ann cohort.entered s100
    d2 ann cohort.entered two_orders
    ");
}

#[test]
fn a_cancellation_takes_the_order_that_comes_after_it() {
    let script = "
        d0 ann cancel o1
        d1 ann purchase o1 500
        d2 ann purchase o2 100";
    insta::assert_snapshot!(run(SPEND, script), @"d2 ann cohort.entered s100");
}

#[test]
fn refunds_never_take_more_than_the_order() {
    let script = "
        d0 ann purchase o1 100
        d1 ann purchase o2 100
        d2 ann refund o1 70 refund_id=r1
        d3 ann refund o1 70 refund_id=r2";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d0 ann cohort.entered s100
    d1 ann cohort.entered s200
    d1 ann cohort.entered two_orders
    d2 ann cohort.left s200
    d3 ann cohort.left two_orders
    ");
}

#[test]
fn one_refund_sent_twice_is_taken_once() {
    let script = "
        d0 ann purchase o1 150
        d1 ann refund o1 50 refund_id=r1
        d2 ann refund o1 50 refund_id=r1
        d3 ann refund o1 50 refund_id=r2";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d0 ann cohort.entered s100
    d3 ann cohort.left s100
    ");
}

#[test]
fn an_order_of_nothing_counts_until_it_is_refunded() {
    let script = "
        d0 ann purchase o1 0
        d1 ann purchase o2 0
        d2 ann refund o1 0";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d1 ann cohort.entered two_orders
    d2 ann cohort.left two_orders
    ");
}

#[test]
fn a_dispute_changes_nothing() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
        labels:
          s100: spend >= 100
          seen: has(f.last_seen)
        alerts:
          escalation: { on: purchase, when: event.status == 'disputed' }";
    let script = "
        d0 ann dispute o1
        d1 ann purchase o1 100
        d2 ann dispute o1 refund_id=again";
    insta::assert_snapshot!(run(rules, script), @r"
    d1 ann cohort.entered s100
    d1 ann cohort.entered seen
    d0 ann agent.alert escalation normal
    d2 ann agent.alert escalation normal
    ");
}

#[test]
fn a_test_order_is_as_if_it_had_never_been() {
    let rules = "
        labels:
          seen: has(f.last_seen)
          bought: has(f.first_purchase)
        alerts:
          escalation: { on: purchase, when: \"true\" }";
    let script = "
        d0 ann purchase o1 100 test=true
        d1 ann purchase o1 100";
    insta::assert_snapshot!(run(rules, script), @r"
    d1 ann cohort.entered seen
    d1 ann cohort.entered bought
    d1 ann agent.alert escalation normal
    ");
}

#[test]
fn another_currency_is_in_no_sum_and_no_count() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
          orders: { count: purchase }
        labels:
          s100: spend >= 100
          any: orders >= 1
          bought: has(f.first_purchase)
          member: subscribed";
    let script = "
        d0 ann purchase o1 100 USD subscription={\"period_end\":\"2025-02-01\"}
        d1 ann purchase o2 100 EUR
        d2 ann refund o2 100 USD
        d3 ann cancel o1";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann cohort.entered bought
    d0 ann cohort.entered member
    d1 ann cohort.entered s100
    d1 ann cohort.entered any
    d2 ann cohort.left s100
    d2 ann cohort.left any
    d3 ann cohort.left member
    ");
}

#[test]
fn a_filter_sees_the_order_as_it_was_sent() {
    let rules = "
        features:
          big: { count: purchase, where: amount >= 100 }
          left: { sum: purchase.amount, where: amount >= 100 }
        labels:
          big: big >= 1
          left: left >= 60";
    let script = "
        d0 ann purchase o1 100
        d1 ann refund o1 40 refund_id=a
        d2 ann refund o1 1 refund_id=b
        d3 ann refund o1 99 refund_id=c";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann cohort.entered big
    d0 ann cohort.entered left
    d2 ann cohort.left left
    d3 ann cohort.left big
    ");
}

#[test]
fn each_part_of_a_sum_is_rounded_half_even_to_nine_decimals() {
    // Each third is 0.333333333, so three make 0.999999999; 5e-10 goes to the even 0, 1.5e-9 to 2e-9.
    let rules = "
        features:
          thirds: { sum: purchase.amount / 3, where: \"category == 'third'\" }
          halves: { sum: purchase.amount, where: \"category == 'half'\" }
        labels:
          one: thirds >= 1
          almost: thirds >= 0.999999999
          two: halves == 0.000000002";
    let script = "
        d0 ann purchase o1 1 category=third
        d0 ann purchase o2 1 category=third
        d0 ann purchase o3 1 category=third
        d1 ann purchase o4 0.0000000005 category=half
        d2 ann purchase o5 '0.0000000015' category=half";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann cohort.entered almost
    d2 ann cohort.entered two
    ");
}

#[test]
fn pending_refunds_are_held_no_longer_than_the_longest_window() {
    let rules = "
        features:
          spend: { sum: purchase.amount, over: 30d }
        labels:
          s100: spend >= 100";
    let script = "
        d0     ann refund o1 50
        d30-1s ann purchase o1 100
        d0     bob refund o2 50
        d30    bob purchase o2 100";
    insta::assert_snapshot!(run(rules, script), @"d30 bob cohort.entered s100");
}

#[test]
fn first_and_last_purchase_do_not_forget_what_was_taken_back() {
    let rules = "
        labels:
          old: days_since(first_purchase) > 30
          idle: days_since(last_purchase) > 20";
    let script = "
        d0  ann purchase o1 100
        d1  ann cancel o1
        d10 ann purchase o2 1
        d11 ann refund o2 1";
    insta::assert_snapshot!(run_until("d50", rules, script), @r"
    d31 ann cohort.entered old
    d31 ann cohort.entered idle
    ");
}
