//! A customer who is erased leaves at once, and nothing that comes later brings anything back.

use serde_json::json;

use crate::support::script::{in_full, run, run_until};

const RULES: &str = "
    features:
      spend: { sum: purchase.amount, over: 90d }
      orders_30d: { count: purchase, over: 30d }
    programmes:
      big: { profile: value, grant: spend >= 100, tenure: 60d, grace: 30d, tiers: { gold: spend >= 500 } }
      buyer: { profile: value, grant: orders_30d >= 1 }
    labels:
      fresh: orders_30d >= 1
    alerts:
      vip_online: { on: presence, when: vip }
      public_complaint: { on: mention, when: public && sentiment <= -0.4 }";

#[test]
fn an_erased_customer_loses_everything_without_tenure_and_grace() {
    let script = "
        d0 ann purchase o1 300.00
        d1 ann erasure q1
        d1 bob purchase o2 20.00";
    insta::assert_snapshot!(run(RULES, script), @r"
    d0 ann cohort.entered fresh
    d0 ann vip.granted big
    d0 ann vip.granted buyer
    d1 ann cohort.left fresh
    d1 ann vip.revoked big erased
    d1 ann vip.revoked buyer erased
    d1 bob cohort.entered fresh
    d1 bob vip.granted buyer
    ");
}

#[test]
fn what_an_erasure_says_names_the_request_and_no_evidence() {
    let script = "
        d0 ann purchase o1 300.00
        d1 ann erasure q1";
    let said = in_full(RULES, script);
    let grant = said.iter().find(|it| it["type"] == "vip.granted" && it["programme"] == "big").expect("a grant");
    let revoked = said.iter().find(|it| it["type"] == "vip.revoked" && it["programme"] == "big").expect("its end");
    assert_eq!(revoked["revokes"], grant["event_id"]);
    assert_eq!(revoked["evidence"], json!([]));
    assert_eq!(revoked["standing"], json!([]));
    assert_eq!((&revoked["trigger"]["topic"], &revoked["trigger"]["event_id"]), (&json!("erasure"), &json!("e2")));
}

#[test]
fn events_after_an_erasure_are_dropped_whatever_their_time() {
    let script = "
        d0 ann purchase o1 300.00
        d5 ann erasure q1
        d5 ann purchase o2 900.00
        d2 ann purchase o3 900.00
        d6 ann refund o1 300.00
        d6 ann presence s1 online
        d7 ann mention p1 sentiment=-1
        d7 ann customer 1 name=Ann
        d8 ann csat i1 1
        d9 ann case k1 1 opened
        d9 ann engagement g1 click
        d9 ann referral bob converted";
    insta::assert_snapshot!(run_until("d200", RULES, script), @r"
    d0 ann cohort.entered fresh
    d0 ann vip.granted big
    d0 ann vip.granted buyer
    d5 ann cohort.left fresh
    d5 ann vip.revoked big erased
    d5 ann vip.revoked buyer erased
    ");
}

#[test]
fn a_late_erasure_ends_what_is_held_now() {
    let script = "
        d0  ann purchase o1 300.00
        d10 ann purchase o2 10.00
        d12 cid erasure q0
        d3  ann erasure q1
        d13 ann purchase o3 900.00";
    insta::assert_snapshot!(run(RULES, script), @r"
    d0 ann cohort.entered fresh
    d0 ann vip.granted big
    d0 ann vip.granted buyer
    d10 ann cohort.left fresh
    d10 ann vip.revoked big erased
    d10 ann vip.revoked buyer erased
    ");
}

#[test]
fn deadlines_up_to_an_erasure_fire_before_it() {
    let script = "
        d0  ann purchase o1 30.00
        d40 ann erasure q1";
    insta::assert_snapshot!(run_until("d100", RULES, script), @r"
    d0 ann cohort.entered fresh
    d0 ann vip.granted buyer
    d30 ann cohort.left fresh
    d30 ann vip.revoked buyer rule_false
    ");
}

#[test]
fn a_customer_never_seen_can_be_erased_beforehand_and_more_than_once() {
    let script = "
        d0 ann erasure q1
        d1 ann erasure q1
        d2 ann erasure q2
        d3 ann purchase o1 300.00";
    insta::assert_snapshot!(run(RULES, script), @"");
}

#[test]
fn one_request_may_erase_several_customers() {
    let script = "
        d0 ann purchase o1 10.00
        d0 bob purchase o2 10.00
        d1 ann erasure q1
        d1 bob erasure q1";
    insta::assert_snapshot!(run(RULES, script), @r"
    d0 ann cohort.entered fresh
    d0 ann vip.granted buyer
    d0 bob cohort.entered fresh
    d0 bob vip.granted buyer
    d1 ann cohort.left fresh
    d1 ann vip.revoked buyer erased
    d1 bob cohort.left fresh
    d1 bob vip.revoked buyer erased
    ");
}

#[test]
fn an_erasure_comes_before_an_order_of_the_same_instant() {
    let script = "
        d0 ann purchase o1 300.00
        d0 ann erasure q1";
    insta::assert_snapshot!(run(RULES, script), @"");
}

#[test]
fn an_author_known_by_handle_only_is_not_the_customer_erased() {
    let script = "
        d0 ann erasure q1
        d1 ann mention p1 sentiment=-1
        d2 ann mention p2 sentiment=-1 customer_id=null";
    insta::assert_snapshot!(run(RULES, script), @r"
    d2 - agent.alert public_complaint normal
    ");
}

#[test]
fn a_request_that_cannot_be_read_erases_nobody() {
    let script = "
        d0 ann purchase o1 300.00
        d1 ann erasure
        raw erasure null
        d2 ann purchase o2 300.00";
    insta::assert_snapshot!(run(RULES, script), @r"
    d0 ann cohort.entered fresh
    d0 ann vip.granted big
    d0 ann vip.granted buyer
    d2 ann vip.changed big tier_rise ->gold
    erasure:0:0 dead_letter missing_field
    erasure:0:1 dead_letter null_value
    ");
}

#[test]
fn a_referred_customer_counts_on_after_being_erased() {
    let rules = "
        features:
          friends: { distinct: referral.referred_customer_id }
        labels:
          advocate: friends >= 2";
    let script = "
        d0 ann referral bob signed_up
        d1 bob erasure q1
        d2 ann referral cid signed_up
        d3 ann referral bob converted
        d4 ann referral bob reversed";
    insta::assert_snapshot!(run(rules, script), @r"
    d2 ann cohort.entered advocate
    ");
}
