//! Windows, time zones and the order of time.

use crate::support::script::{run, run_until};

const SPEND: &str = "
    features:
      spend_90d: { sum: purchase.amount, over: 90d }
    programmes:
      high_spend: { profile: value, grant: spend_90d >= 500 }";

#[test]
fn spend_that_leaves_the_window_revokes_once() {
    let script = "
        d0   ann  purchase o1 300.00 EUR
        d1   ann  purchase o2 200.00 EUR
        d91  ann  csat i1 5
        d92  ann  csat i2 5";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d1 ann vip.granted high_spend
    d90 ann vip.revoked high_spend rule_false
    ");
}

#[test]
fn deadlines_fire_up_to_and_including_the_end_that_was_asked_for() {
    let script = "d0+10h ann purchase o1 500";
    insta::assert_snapshot!(run_until("d90-1ms", SPEND, script), @"d0+10:00 ann vip.granted high_spend");
    insta::assert_snapshot!(run_until("d90", SPEND, script), @r"
    d0+10:00 ann vip.granted high_spend
    d90 ann vip.revoked high_spend rule_false
    ");
}

#[test]
fn events_after_the_end_that_was_asked_for_are_not_read() {
    let script = "
        d0 ann purchase o1 499
        d5 ann purchase o2 1
        d5+1ms ann purchase o3 1";
    insta::assert_snapshot!(run_until("d4", SPEND, script), @"");
    insta::assert_snapshot!(run_until("d5", SPEND, script), @"d5 ann vip.granted high_spend");
}

#[test]
fn an_hour_window_goes_by_utc_hours() {
    let rules = "
        timezone: America/St_Johns
        features:
          orders_24h: { count: purchase, over: 24h }
        labels:
          busy: orders_24h >= 2";
    let script = "
        d0+10h59m ann purchase o1 1
        d0+11h    ann purchase o2 1";
    insta::assert_snapshot!(run_until("d9", rules, script), @r"
    d0+11:00 ann cohort.entered busy
    d1+10:00 ann cohort.left busy
    ");
}

#[test]
fn a_minute_window_goes_by_minutes() {
    let rules = "
        features:
          clicks_30m: { count: engagement, where: \"action == 'click'\", over: 30m }
        labels:
          eager: clicks_30m >= 1";
    let script = "d0+10h15m42s ann engagement g1 click";
    insta::assert_snapshot!(run_until("d9", rules, script), @r"
    d0+10:15:42 ann cohort.entered eager
    d0+10:45 ann cohort.left eager
    ");
}

#[test]
fn a_day_is_a_local_date_even_where_clocks_change() {
    // Ljubljana: 2025-03-30 has 23 hours, so the order of the 29th leaves at 22:00 UTC on the 30th.
    let rules = "
        timezone: Europe/Ljubljana
        features:
          orders_2d: { count: purchase, over: 2d }
        labels:
          recent: orders_2d > 0";
    let script = "2025-03-29T00:30:00Z ann purchase o1 1";
    insta::assert_snapshot!(run_until("d99", rules, script), @r"
    d87+00:30 ann cohort.entered recent
    d88+22:00 ann cohort.left recent
    ");
}

#[test]
fn a_date_without_midnight_begins_at_its_first_instant() {
    // Sao Paulo, 2018-11-04: the clock goes from 24:00 to 01:00, 03:00 UTC; the day before began at 03:00 UTC too.
    let rules = "
        timezone: America/Sao_Paulo
        features:
          orders_1d: { count: purchase, over: 1d }
        labels:
          today: orders_1d > 0";
    let script = "
        2018-11-03T12:00:00Z ann purchase o1 1
        2018-11-04T12:00:00Z ann purchase o2 1";
    insta::assert_snapshot!(run_until("2018-12-01T00:00:00Z", rules, script), @r"
    d-2251+12:00 ann cohort.entered today
    d-2250+03:00 ann cohort.left today
    d-2250+12:00 ann cohort.entered today
    d-2249+02:00 ann cohort.left today
    ");
}

#[test]
fn a_date_that_a_place_skipped_takes_no_time() {
    // Apia went from 2011-12-29 straight to 2011-12-31, at 10:00 UTC on the 30th.
    let rules = "
        timezone: Pacific/Apia
        features:
          orders_1d: { count: purchase, over: 1d }
          orders_2d: { count: purchase, over: 2d }
        labels:
          one: orders_1d > 0
          two: orders_2d > 0
          next: days_since(last_purchase) == 1
          later: days_since(last_purchase) >= 1";
    let script = "2011-12-30T09:00:00Z ann purchase o1 1";
    insta::assert_snapshot!(run_until("2012-01-03T00:00:00Z", rules, script), @r"
    d-4751+09:00 ann cohort.entered one
    d-4751+09:00 ann cohort.entered two
    d-4751+10:00 ann cohort.left one
    d-4751+10:00 ann cohort.left two
    d-4751+10:00 ann cohort.entered later
    ");
}

#[test]
fn calendar_periods_end_at_local_midnight() {
    // Day 89 is 31 March; Ljubljana has summer time by then, so April begins at 22:00 UTC.
    let rules = "
        timezone: Europe/Ljubljana
        features:
          month: { count: purchase, over: month }
          quarter: { count: purchase, over: quarter }
          year: { count: purchase, over: year }
        labels:
          in_month: month > 0
          in_quarter: quarter > 0
          in_year: year > 0";
    let script = "d31 ann purchase o1 1";
    insta::assert_snapshot!(run_until("d400", rules, script), @r"
    d31 ann cohort.entered in_month
    d31 ann cohort.entered in_quarter
    d31 ann cohort.entered in_year
    d58+23:00 ann cohort.left in_month
    d89+22:00 ann cohort.left in_quarter
    d364+23:00 ann cohort.left in_year
    ");
}

#[test]
fn an_event_at_midnight_counts_from_that_date() {
    let script = "
        d1-1ms ann purchase o1 400
        d1     ann purchase o2 100";
    insta::assert_snapshot!(run_until("d99", SPEND, script), @r"
    d1 ann vip.granted high_spend
    d90 ann vip.revoked high_spend rule_false
    ");
}

#[test]
fn a_deadline_comes_before_the_event_of_its_instant() {
    let script = "
        d0  ann purchase o1 500
        d90 ann purchase o2 500";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d0 ann vip.granted high_spend
    d90 ann vip.revoked high_spend rule_false
    d90 ann vip.granted high_spend
    ");
}

#[test]
fn a_late_event_counts_in_its_own_place_but_is_decided_now() {
    // o2 comes after o3 in the same partition: the decision is of day 40, the exit of day 5's place.
    let script = "
        d0  bob purchase o0 1
        d40 ann purchase o3 300
        d5  ann purchase o2 200";
    insta::assert_snapshot!(run_until("d200", SPEND, script), @r"
    d40 ann vip.granted high_spend
    d95 ann vip.revoked high_spend rule_false
    ");
}

#[test]
fn an_event_beyond_every_window_is_only_counted() {
    // Day 5's order is older than the 90 days by the time it comes; last_seen and first_purchase still hear of it.
    let rules = "
        features:
          spend_90d: { sum: purchase.amount, over: 90d }
        programmes:
          high_spend: { profile: value, grant: spend_90d >= 500 }
        labels:
          old: days_since(first_purchase) > 90";
    let script = "
        d100 ann purchase o1 300
        d5   ann purchase o2 200
        d101 ann csat i1 5";
    insta::assert_snapshot!(run(rules, script), @"d101 ann cohort.entered old");
}

#[test]
fn partitions_of_a_kind_are_merged_by_time() {
    let script = "
        d0 ann purchase o1 300
        d9 ann purchase o4 1
        d1 ann purchase o2 200 partition=1
        d2 bob purchase o3 500 partition=1";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d1 ann vip.granted high_spend
    d2 bob vip.granted high_spend
    ");
}

#[test]
fn inputs_of_one_time_are_taken_by_rank() {
    // The profile comes first whatever the order of the lines, so the greeting knows the name.
    let rules = "
        features:
          orders: { count: purchase }
        labels:
          west: region == 'west'
        programmes:
          all: { profile: value, grant: orders >= 1 && label.west }";
    let script = "
        d1 ann purchase o1 1
        d1 ann customer 1 region=west";
    insta::assert_snapshot!(run(rules, script), @r"
    d1 ann cohort.entered west
    d1 ann vip.granted all
    ");
}

#[test]
fn finer_digits_than_milliseconds_are_cut_off() {
    let script = "
        raw purchase '{\"event_id\":\"e1\",\"customer_id\":\"ann\",\"occurred_at\":\"2025-01-01T01:00:00.9999999+01:00\",\"order_id\":\"o1\",\"amount\":\"500\",\"currency\":\"EUR\",\"status\":\"completed\"}'
        raw purchase '{\"event_id\":\"e2\",\"customer_id\":\"bob\",\"occurred_at\":1735689600999,\"order_id\":\"o1\",\"amount\":500,\"currency\":\"EUR\",\"status\":\"completed\"}'";
    insta::assert_snapshot!(run(SPEND, script), @r"
    d0+00:00:00.999 ann vip.granted high_spend
    d0+00:00:00.999 bob vip.granted high_spend
    ");
}
