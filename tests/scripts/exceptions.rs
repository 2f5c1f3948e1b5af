//! Off-process treatment that recurs is proposed as the norm.

use serde_json::Value as Json;

use crate::support::script::{row_in_short, short_time, topic_until};

/// The candidates that a script brings, with what they count.
fn proposed(rules: &str, script: &str) -> String {
    topic_until("d90", "vip.insights", rules, script).iter().map(in_short).collect()
}

fn in_short(insight: &Json) -> String {
    assert_eq!((&insight["type"], &insight["customer_id"]), (&"exception.candidate".into(), &Json::Null));
    let instant = |name: &str| short_time(insight[name].as_str().expect("a time"));
    let cohorts = insight["cohorts"].as_array().expect("a list").iter();
    let cohorts: Vec<String> = cohorts
        .map(|it| format!("{} {}/{}", it["cohort"].as_str().expect("a name"), it["cases"], it["customers"]))
        .collect();
    format!(
        "{} {}: {}/{} ({}), {} approvers, {} without, since {}, by {}\n",
        instant("occurred_at"),
        insight["kind"].as_str().expect("a name"),
        insight["cases"],
        insight["customers"],
        cohorts.join(", "),
        insight["approvers"],
        insight["unapproved"],
        instant("since"),
        insight["trigger"]["event_id"].as_str().expect("an event"),
    )
}

/// So many cases of so many customers, one a day from day 0 on, the hour of the day being the case's number.
fn cases(from: usize, to: usize, customers: usize) -> String {
    let case = |number: usize| {
        let who = if number.is_multiple_of(3) { "boss" } else { "lead" };
        format!(
            "d{}+{}h c{} case k{number} 1 solved exception={{\"kind\":\"fee_waived\",\"approved_by\":\"{who}\"}}\n",
            number % 30,
            number / 30,
            number % customers
        )
    };
    let mut order: Vec<usize> = (from..to).collect();
    order.sort_by_key(|number| (number % 30, number / 30));
    order.into_iter().map(case).collect()
}

const THIRTY: &str = "
    exceptions:
      candidate: { cases: 30, customers: 20, over: 30d }";

#[test]
fn thirty_exceptions_in_thirty_days_for_twenty_customers_are_one_candidate() {
    insta::assert_snapshot!(proposed(THIRTY, &cases(0, 30, 20)), @"d29+00:00:01 fee_waived: 30/20 (all 30/20), 2 approvers, 0 without, since d0, by e30");
    insta::assert_snapshot!(proposed(THIRTY, &cases(0, 60, 20)), @"d14+01:00:01 fee_waived: 30/20 (all 30/20), 2 approvers, 0 without, since d0, by e30");
}

#[test]
fn twenty_nine_exceptions_or_nineteen_customers_are_none() {
    assert_eq!(proposed(THIRTY, &cases(0, 29, 20)), "");
    assert_eq!(proposed(THIRTY, &cases(0, 60, 19)), "");
}

#[test]
fn a_candidate_says_how_many_and_what_it_rests_on() {
    let candidates = topic_until("d90", "vip.insights", THIRTY, &cases(0, 30, 20));
    let rows = candidates[0]["evidence"].as_array().expect("a list");
    let rows: Vec<String> = rows.iter().map(row_in_short).collect();
    insta::assert_snapshot!(rows.join("\n"), @r"
    cases/30d 30 >= 30 holds case:0:29 case:0:28 case:0:27
    customers/30d 20 >= 20 holds
    ");
    insta::assert_snapshot!(candidates[0]["proposal"].as_str().expect("a sentence"), @"over 30d 30 cases of 20 customers were treated as `fee_waived`, off the written process: make it the norm by a rule, or end it");
}

const TWO: &str = "
    programmes:
      buyer: { profile: value, grant: orders >= 1 }
    features:
      orders: { count: purchase }
    exceptions:
      cohort: \"vip ? 'vip' : region\"
      candidate: { cases: 2, customers: 2, over: 3d }";

/// Lines in which `KIND!` stands for an exception of that kind.
fn told(script: &str) -> String {
    let lines = script.lines().map(|line| match line.split_once('!') {
        Some((head, rest)) => {
            let (head, kind) = head.rsplit_once(' ').expect("a word before it");
            format!("{head} exception={{\"kind\":\"{kind}\"}}{rest}\n")
        }
        None => format!("{line}\n"),
    });
    proposed(TWO, &lines.collect::<String>())
}

#[test]
fn each_cohort_is_counted_by_what_its_customers_are_then() {
    let seen = told(
        "d0 ann purchase o1 10
        d0 bob customer 1 region=west
        d1 ann case k1 1 solved swap!
        d1+1h bob case k2 1 solved swap!
        d9 cid case k3 1 solved swap!
        d9+1h bob case k4 1 solved swap!",
    );
    insta::assert_snapshot!(seen, @r"
    d1+01:00:01 swap: 2/2 (vip 1/1, west 1/1), 0 approvers, 2 without, since d1, by e4
    d9+01:00:01 swap: 2/2 (unknown 1/1, west 1/1), 0 approvers, 2 without, since d9, by e6
    ");
}

#[test]
fn it_is_proposed_again_once_it_was_rarer_in_between() {
    let seen = told(
        "d0 ann case k1 1 solved swap!
        d1 bob case k2 1 solved swap!
        d2 cid case k3 1 solved swap!
        d3 dan case k4 1 solved swap!
        d6 ann case k5 1 solved swap!
        d6+1h bob case k6 1 solved swap!",
    );
    insta::assert_snapshot!(seen, @r"
    d1+00:00:01 swap: 2/2 (unknown 2/2), 0 approvers, 2 without, since d0, by e2
    d6+01:00:01 swap: 2/2 (unknown 2/2), 0 approvers, 2 without, since d6, by e6
    ");
}

#[test]
fn a_corrected_case_counts_as_what_it_is_now() {
    // The second is no exception after all, then one of another kind; an older version changes nothing.
    let seen = told(
        "d0 ann case k1 1 opened swap!
        d0+1h bob case k2 2 opened refund!
        d0+2h bob case k2 1 opened swap!
        d0+3h ann case k1 2 updated
        d0+4h bob case k2 3 updated swap!
        d0+5h cid case k3 1 solved refund!
        d0+6h ann case k1 3 updated refund!",
    );
    insta::assert_snapshot!(seen, @"d0+06:00:01 refund: 2/2 (unknown 2/2), 0 approvers, 2 without, since d0, by e7");
}

#[test]
fn a_case_counts_from_its_earliest_event_on_though_that_comes_late() {
    let seen = told(
        "d5 ann case k1 2 updated swap!
        d3 ann case k1 1 opened
        d6 bob case k2 1 opened swap!
        d6+1h cid case k3 1 opened swap!",
    );
    insta::assert_snapshot!(seen, @"d6+01:00:01 swap: 2/2 (unknown 2/2), 0 approvers, 2 without, since d6, by e4");
}

#[test]
fn customers_who_are_one_count_once_and_who_is_erased_still_counts() {
    let seen = told(
        "d0 ann case k1 1 opened swap!
        d0+1h anna customer 1 merged_into=ann
        d0+2h anna case k2 1 opened swap!
        d0+3h bob case k3 1 opened swap!",
    );
    insta::assert_snapshot!(seen, @"d0+03:00:01 swap: 3/2 (unknown 3/2), 0 approvers, 3 without, since d0, by e4");
    let seen = told(
        "d0 ann case k1 1 opened swap!
        d0+1h anna case k2 1 opened swap!
        d0+2h anna customer 1 merged_into=ann
        d0+3h bob case k3 1 opened swap!",
    );
    insta::assert_snapshot!(seen, @r"
    d0+01:00:01 swap: 2/2 (unknown 2/2), 0 approvers, 2 without, since d0, by e2
    d0+03:00:01 swap: 3/2 (unknown 3/2), 0 approvers, 3 without, since d0, by e4
    ");
    let seen = told(
        "d0 ann case k1 1 opened swap!
        d0+1h ann erasure q1
        d0+2h bob case k2 1 opened swap!",
    );
    insta::assert_snapshot!(seen, @"d0+02:00:01 swap: 2/2 (unknown 2/2), 0 approvers, 2 without, since d0, by e3");
}
