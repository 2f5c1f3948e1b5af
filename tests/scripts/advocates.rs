//! Advocates: purchases of referred customers count for whoever referred them, and stop counting when they should.

use crate::support::script::run_until;

/// What the referred bought, and how many they are.
const NET: &str = "
    hop: 1s
    features:
      net: { sum: referred_purchase.amount }
      buyers: { distinct: referred_purchase.customer_id }
      own: { count: purchase }
    labels:
      n100: net >= 100
      n200: net >= 200
      two: buyers >= 2
      bought: own >= 1";

#[test]
fn what_a_referred_customer_buys_counts_for_the_referrer_and_refunds_follow() {
    let script = "
        d0 ann referral bob signed_up
        d1 bob purchase o1 150
        d2 bob refund o1 60";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d1 bob cohort.entered bought
    d1+00:00:01 ann cohort.entered n100
    d2+00:00:01 ann cohort.left n100
    ");
}

#[test]
fn what_was_bought_before_the_referral_was_known_counts_once_it_is() {
    let script = "
        d1 bob purchase o1 100
        d3 bob purchase o2 100
        d4 ann referral zoe signed_up
        d2 ann referral bob signed_up";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d1 bob cohort.entered bought
    d4+00:00:02 ann cohort.entered n100
    ");
}

#[test]
fn a_reversed_referral_gives_back_what_it_brought() {
    let script = "
        d0 ann referral bob signed_up
        d1 bob purchase o1 300
        d2 ann referral bob reversed
        d3 bob purchase o2 300";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d1 bob cohort.entered bought
    d1+00:00:01 ann cohort.entered n100
    d1+00:00:01 ann cohort.entered n200
    d2+00:00:02 ann cohort.left n100
    d2+00:00:02 ann cohort.left n200
    ");
}

#[test]
fn buyers_who_turn_out_to_be_one_are_one_buyer() {
    let script = "
        d0 ann referral eve signed_up
        d1 bob purchase o1 50
        d2 bob customer 1 merged_into=eve
        d3 eve purchase o2 60
        d4 bob refund o1 1";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d1 bob cohort.entered bought
    d2 bob cohort.left bought
    d2+00:00:01 eve cohort.entered bought
    d3+00:00:01 ann cohort.entered n100
    ");
}

#[test]
fn the_earliest_referral_that_holds_is_credited() {
    let script = "
        d0 ann referral bob signed_up
        d1 eve referral bob signed_up
        d2 bob purchase o1 100
        d3 ann referral bob reversed";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d2 bob cohort.entered bought
    d2+00:00:01 ann cohort.entered n100
    d3+00:00:02 ann cohort.left n100
    d3+00:00:02 eve cohort.entered n100
    ");
}

#[test]
fn nobody_refers_themselves() {
    let script = "
        d0 ann referral ann signed_up
        d1 ann purchase o1 300";
    insta::assert_snapshot!(run_until("d30", NET, script), @"d1 ann cohort.entered bought");
}

#[test]
fn other_currencies_are_priced_for_the_referrer_too() {
    let script = "
        d0 ann referral bob signed_up
        d1 bob purchase o1 100 USD
        d2 USD/EUR rate 2 d1";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d2 ann cohort.entered n100
    d2 ann cohort.entered n200
    d2 bob cohort.entered bought
    ");
}

#[test]
fn an_erased_buyer_stays_as_a_number_and_an_erased_referrer_is_credited_no_more() {
    let script = "
        d0 ann referral bob signed_up
        d0 eve referral bob signed_up
        d1 bob purchase o1 100
        d2 bob erasure q1
        d3 bob purchase o2 100
        d4 ann csat i1 3
        d5 ann referral zoe signed_up
        d5 eve referral zoe signed_up
        d6 ann erasure q2
        d7 zoe purchase o3 100";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d1 bob cohort.entered bought
    d1+00:00:01 ann cohort.entered n100
    d2 bob cohort.left bought
    d6 ann cohort.left n100
    d7 zoe cohort.entered bought
    d7+00:00:01 eve cohort.entered n100
    ");
}

#[test]
fn ten_buyers_who_send_everything_back_are_worth_less_than_one_who_keeps_it() {
    let rules = "
        features:
          friends: { count: referral, where: \"status == 'converted'\" }
          net: { sum: referred_purchase.amount, over: 365d }
        programmes:
          profitable: { profile: advocate, grant: net >= 500, keep: net >= 400 }
          popular: { profile: advocate, grant: friends >= 10 }";
    let mut lines = Vec::new();
    for friend in 0..10 {
        lines.push(format!("d{friend} ann referral f{friend} converted"));
        lines.push(format!("d{friend}+1h f{friend} purchase o{friend} 200"));
    }
    lines.push("d5 eve referral zoe converted".to_owned());
    lines.push("d6 zoe purchase z1 600".to_owned());
    for friend in 0..10 {
        lines.push(format!("d{} f{friend} refund o{friend} 200", friend + 20));
    }
    lines.sort_by_key(|line| crate::support::script::time(line.split(' ').next().expect("a time")));
    insta::assert_snapshot!(run_until("d40", rules, &lines.join("\n")), @r"
    d2+01:00:01 ann vip.granted profitable
    d6+00:00:01 eve vip.granted profitable
    d9 ann vip.granted popular
    d28+00:00:01 ann vip.revoked profitable refund_reversed
    ");
}

#[test]
fn a_merged_buyers_purchases_stay_credited_and_late_ones_and_refunds_follow() {
    let script = "
        d0 ann referral bob signed_up
        d1 bob purchase o1 150
        d2 bob customer 1 merged_into=sue
        d3 bob purchase o2 60
        d4 bob refund o1 150
        d5 sue purchase o3 50";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d1 bob cohort.entered bought
    d1+00:00:01 ann cohort.entered n100
    d2 bob cohort.left bought
    d2+00:00:01 sue cohort.entered bought
    d3+00:00:02 ann cohort.entered n200
    d4+00:00:02 ann cohort.left n100
    d4+00:00:02 ann cohort.left n200
    d5+00:00:01 ann cohort.entered n100
    ");
}

#[test]
fn an_order_that_two_merged_buyers_know_of_is_credited_once() {
    let script = "
        d0 ann referral bob signed_up
        d0 ann referral sue signed_up
        d1 bob purchase o1 80
        d1 sue purchase o1 80
        d2 bob customer 1 merged_into=sue
        d3 sue purchase o2 20";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d1 bob cohort.entered bought
    d1 sue cohort.entered bought
    d1+00:00:01 ann cohort.entered n100
    d1+00:00:01 ann cohort.entered two
    d2 bob cohort.left bought
    d2+00:00:02 ann cohort.left n100
    d2+00:00:02 ann cohort.left two
    d3+00:00:01 ann cohort.entered n100
    ");
}

#[test]
fn of_customers_who_are_one_the_earliest_referral_of_any_is_credited_whenever_it_is_known() {
    let lines = [
        ["d0 ann referral bob signed_up", "d0+1h eve referral sue signed_up", "d3 bob customer 1 merged_into=sue"],
        ["d0 ann referral bob signed_up", "d3 eve referral sue signed_up", "d0+1h bob customer 1 merged_into=sue"],
        [
            "d3 ann referral bob signed_up occurred_at=2025-01-01T00:00:00Z",
            "d0+2h eve referral sue signed_up",
            "d0+1h bob customer 1 merged_into=sue",
        ],
    ];
    let bought = "
        d1 bob purchase o1 100
        d2 sue purchase o2 100";
    let seen = lines.map(|lines| {
        let mut all: Vec<&str> = lines.into_iter().chain(bought.trim().lines().map(str::trim)).collect();
        all.sort_by_key(|line| crate::support::script::time(line.split(' ').next().expect("a time")));
        run_until("d30", NET, &all.join("\n"))
    });
    insta::assert_snapshot!(seen.join("--\n"), @r"
    d1 bob cohort.entered bought
    d1+00:00:01 ann cohort.entered n100
    d2 sue cohort.entered bought
    d2+00:00:01 eve cohort.entered n100
    d3 bob cohort.left bought
    d3+00:00:02 ann cohort.entered n200
    d3+00:00:02 eve cohort.left n100
    --
    d1+00:00:01 sue cohort.entered bought
    d1+00:00:02 ann cohort.entered n100
    d2+00:00:01 ann cohort.entered n200
    --
    d1+00:00:01 sue cohort.entered bought
    d1+00:00:02 ann cohort.entered n100
    d2+00:00:01 ann cohort.entered n200
    ");
}

#[test]
fn who_referred_a_customer_and_is_the_same_by_a_merge_is_credited_no_more() {
    let script = "
        d0 ann referral bob signed_up
        d0 eve referral bob signed_up
        d1 bob purchase o1 150
        d2 bob customer 1 merged_into=ann
        d3 bob purchase o2 60";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d1 bob cohort.entered bought
    d1+00:00:01 ann cohort.entered n100
    d2 bob cohort.left bought
    d2+00:00:01 ann cohort.left n100
    d2+00:00:01 ann cohort.entered bought
    d2+00:00:02 eve cohort.entered n100
    d3+00:00:02 eve cohort.entered n200
    ");
    let script = "
        d0 ann referral bob signed_up
        d1 bob purchase o1 150
        d2 ann customer 1 merged_into=bob
        d3 bob purchase o2 60
        d4 ann purchase o3 60";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d1 bob cohort.entered bought
    d1+00:00:01 ann cohort.entered n100
    d2 ann cohort.left n100
    ");
}

#[test]
fn a_merged_referrers_credit_is_the_survivors_once_and_ends_with_the_referral() {
    let script = "
        d0 ann referral bob signed_up
        d0 amy referral bob signed_up
        d1 bob purchase o1 100
        d2 ann customer 1 merged_into=amy
        d3 bob purchase o2 50
        d4 bob purchase o3 50
        d5 amy referral bob reversed
        d6 bob purchase o4 100";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d1 bob cohort.entered bought
    d1+00:00:01 amy cohort.entered n100
    d4+00:00:01 amy cohort.entered n200
    d5+00:00:02 amy cohort.left n100
    d5+00:00:02 amy cohort.left n200
    ");
}

#[test]
fn a_referral_that_one_id_reversed_before_the_merge_ends_under_the_other_too() {
    let script = "
        d0 ann referral bob signed_up
        d1 bob purchase o1 100
        d2 amy referral bob reversed
        d3 ann customer 1 merged_into=amy
        d4 bob purchase o2 100";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d1 bob cohort.entered bought
    d1+00:00:01 ann cohort.entered n100
    d3 ann cohort.left n100
    d3+00:00:01 amy cohort.entered n100
    d3+00:00:04 amy cohort.left n100
    ");
}

#[test]
fn who_parts_takes_the_referral_along() {
    let script = "
        d0 ann referral bob signed_up
        d1 bob purchase o1 100
        d2 bob customer 1 merged_into=sue
        d3 bob customer 2
        d4 sue purchase o2 100
        d5 bob purchase o3 100";
    insta::assert_snapshot!(run_until("d30", NET, script), @r"
    d1 bob cohort.entered bought
    d1+00:00:01 ann cohort.entered n100
    d2 bob cohort.left bought
    d2+00:00:01 sue cohort.entered bought
    d3+00:00:02 ann cohort.left n100
    d5 bob cohort.entered bought
    d5+00:00:01 ann cohort.entered n100
    ");
}
