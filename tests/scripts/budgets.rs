//! Budgets: who gets the places of which there are few, who waits, and who gives way.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::support::script::{explain, in_full, run_until, short_time, topic_until};

const RULES: &str = "
    features:
      spend: { sum: purchase.amount, over: 365d }
    programmes:
      big:
        profile: value
        grant: spend >= 100
        budget: { max: 1, rank: spend, margin: 10% }";

#[test]
fn the_strongest_hold_the_places_and_the_others_wait() {
    let script = "
        d0 ann purchase o1 300
        d0 bob purchase o2 200
        d0 cid purchase o3 250
        d0 dan purchase o4 100
        d0 eve purchase o5 90
        d1 eve purchase o6 130";
    insta::assert_snapshot!(run_until("d2", &RULES.replace("max: 1", "max: 2"), script), @r"
    d0+00:00:20 ann vip.granted big #1
    d0+00:00:20 bob vip.waitlisted big #1
    d0+00:00:20 cid vip.granted big #2
    d0+00:00:20 dan vip.waitlisted big #2
    d1+00:00:20 eve vip.waitlisted big #1
    ");
}

#[test]
fn three_hundred_who_qualify_share_fifteen_places() {
    let rules = format!("settle: 1h\n{}", crate::support::script::with_head(&RULES.replace("max: 1", "max: 15")));
    let mut script = String::new();
    // In an order that has nothing to do with how much they spend.
    for number in (0..300).map(|number| number * 7 % 300) {
        let second = number * 11 % 3_599;
        let _ = writeln!(script, "d0+{second}s c{number} purchase o{number} {}", 1_000 + number * 13 % 300);
    }
    let mut lines: Vec<&str> = script.lines().collect();
    lines.sort_by_key(|line| crate::support::script::time(line.split(' ').next().expect("a time")));
    let said = in_full(&rules, &format!("{}\nd1 zoe csat i1 5", lines.join("\n")));
    let of = |kind: &str| -> Vec<&Json> { said.iter().filter(|output| output["type"] == kind).collect() };
    let (granted, waitlisted) = (of("vip.granted"), of("vip.waitlisted"));
    assert_eq!((granted.len(), waitlisted.len(), said.len()), (15, 285, 300));
    let strongest = (0..300).filter(|number| number * 13 % 300 >= 285).map(|number| format!("c{number}"));
    let holders = granted.iter().map(|output| output["customer_id"].as_str().expect("a customer").to_owned());
    assert_eq!(holders.collect::<BTreeSet<_>>(), strongest.collect::<BTreeSet<_>>());
    let ranks = |outputs: &[&Json]| -> BTreeSet<u64> {
        outputs.iter().map(|output| output["rank"].as_u64().expect("a rank")).collect()
    };
    assert_eq!(ranks(&granted), (1..=15).collect());
    assert_eq!(ranks(&waitlisted), (1..=285).collect());
    assert!(waitlisted.iter().all(|output| output["cut"] == "1285" && output["places"] == 15));
}

#[test]
fn whoever_leads_by_a_little_displaces_nobody_and_by_much_does_once() {
    let (mut leader, mut other) = (1_000.0_f64, 990.0_f64);
    let mut script = format!("d0 ann purchase a0 {leader:.2}\nd0 bob purchase b0 {other:.2}\n");
    for step in 1..=1_000 {
        // In turns one is 1 % ahead; in the end bob is by a fifth.
        let (who, wanted) = (if step % 2 == 1 { "bob" } else { "ann" }, leader * 1.01);
        let _ = writeln!(script, "d0+{step}h {who} purchase p{step} {:.2}", wanted - other);
        (leader, other) = (wanted, leader);
    }
    insta::assert_snapshot!(run_until("d50", RULES, &script), @r"
    d0+00:00:20 ann vip.granted big #1
    d0+00:00:20 bob vip.waitlisted big #1
    ");
    let _ = writeln!(script, "d45 bob purchase last {:.2}", leader * 1.2 - other);
    insta::assert_snapshot!(run_until("d50", RULES, &script), @r"
    d0+00:00:20 ann vip.granted big #1
    d0+00:00:20 bob vip.waitlisted big #1
    d45+00:00:20 ann vip.revoked big displaced
    d45+00:00:20 ann vip.waitlisted big #1
    d45+00:00:20 bob vip.granted big #1
    ");
}

#[test]
fn a_budget_that_shrinks_displaces_the_weakest_after_tenure_and_grants_nobody() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
        programmes:
          served:
            profile: value
            grant: spend >= 1
            tenure: 1d
            grace: 14d
            budget: { capacity: { team: care, per_agent: 1 }, rank: spend }";
    let script = "
        d0 a1 agent 1 online team=care
        d0 a2 agent 1 online team=care
        d0 a3 agent 1 online team=care
        d0 a4 agent 1 online team=care
        d0 a5 agent 1 online team=sales
        d0 c1 purchase o1 50
        d0 c2 purchase o2 40
        d0 c3 purchase o3 30
        d0 c4 purchase o4 20
        d0 c5 purchase o5 10
        d0+12h a3 agent 2 offline team=care
        d0+12h a4 agent 2 away team=care
        d2 a4 agent 3 offline team=care
        d3 a3 agent 3 online team=care";
    insta::assert_snapshot!(run_until("d4", rules, script), @r"
    d0+00:00:20 c1 vip.granted served #1
    d0+00:00:20 c2 vip.granted served #2
    d0+00:00:20 c3 vip.granted served #3
    d0+00:00:20 c4 vip.granted served #4
    d0+00:00:20 c5 vip.waitlisted served #1
    d1+00:00:30 c4 vip.revoked served displaced
    d1+00:00:30 c4 vip.waitlisted served #1
    d2+00:00:20 c3 vip.revoked served displaced
    d2+00:00:20 c3 vip.waitlisted served #1
    d3+00:00:20 c3 vip.granted served #3
    ");
}

#[test]
fn a_share_of_the_customers_goes_with_how_many_there_are() {
    let rules = "
        features:
          spend: { sum: purchase.amount, over: 365d }
        programmes:
          top: { profile: value, grant: spend >= 1, budget: { share: 50%, rank: spend } }";
    let script = "
        d0 c1 purchase o1 10
        d1 c2 csat i1 5
        d2 c3 purchase o2 20
        d3 c4 csat i2 5";
    insta::assert_snapshot!(run_until("d100", rules, script), @r"
    d0+00:00:20 c1 vip.waitlisted top #1
    d1+00:00:20 c1 vip.granted top #1
    d2+00:00:20 c1 vip.revoked top displaced
    d2+00:00:20 c1 vip.waitlisted top #1
    d2+00:00:20 c3 vip.granted top #1
    d3+00:00:20 c1 vip.granted top #2
    d90+00:00:10 c1 vip.revoked top displaced
    d90+00:00:10 c1 vip.waitlisted top #1
    d92+00:00:10 c3 vip.revoked top displaced
    d92+00:00:10 c3 vip.waitlisted top #1
    ");
}

#[test]
fn each_region_has_places_of_its_own() {
    let rules = "
        features:
          spend: { sum: purchase.amount, over: 365d }
        programmes:
          best: { profile: value, grant: spend >= 1, budget: { max: 1, rank: spend, per: region } }";
    let script = "
        d0 c1 customer 1 region=west
        d0 c2 customer 1 region=west
        d0 c3 customer 1 region=east
        d0 c4 customer 1 name=Nowhere
        d1 c1 purchase o1 10
        d1 c2 purchase o2 20
        d1 c3 purchase o3 5
        d1 c4 purchase o4 100
        d2 c1 customer 2 region=east
        d3 c2 customer 2 name=Nowhere
        d4 c4 customer 2 region=west";
    insta::assert_snapshot!(run_until("d5", rules, script), @r"
    d1+00:00:20 c1 vip.waitlisted best #1
    d1+00:00:20 c2 vip.granted best #1
    d1+00:00:20 c3 vip.granted best #1
    d2+00:00:20 c1 vip.granted best #1
    d2+00:00:20 c3 vip.revoked best displaced
    d2+00:00:20 c3 vip.waitlisted best #1
    d4+00:00:20 c4 vip.granted best #1
    ");
}

#[test]
fn the_first_of_a_region_is_who_bought_first_whenever_that_is_known() {
    let rules = "
        features:
          orders: { count: purchase }
        programmes:
          first:
            profile: entitlement
            grant: has(f.first_purchase)
            budget: { max: 1, rank: earliest(first_purchase), per: region }";
    let script = "
        d0 c1 customer 1 region=west
        d0 c2 customer 1 region=west
        d0 c3 customer 1 region=east
        d1 c1 purchase o1 10
        d2 c2 purchase o2 10
        d3 c3 purchase o3 10
        d0+12h c2 purchase o4 10";
    insta::assert_snapshot!(run_until("d5", rules, script), @r"
    d1+00:00:20 c1 vip.granted first #1
    d2+00:00:20 c2 vip.waitlisted first #1
    d3+00:00:20 c1 vip.revoked first displaced
    d3+00:00:20 c1 vip.waitlisted first #1
    d3+00:00:20 c2 vip.granted first #1
    d3+00:00:20 c3 vip.granted first #1
    ");
    let said = in_full(rules, &format!("{script}\nd4 c1 csat i1 5"));
    let waits = said.iter().find(|output| output["type"] == "vip.waitlisted").expect("one waits");
    assert_eq!(
        (&waits["value"], &waits["cut"]),
        (&json!("2025-01-03T00:00:00.000Z"), &json!("2025-01-02T00:00:00.000Z"))
    );
    assert_eq!((&waits["evidence"][1]["op"], &waits["evidence"][1]["holds"]), (&json!("<="), &json!(false)));
    assert_eq!(waits["evidence"][1]["feature"], "earliest(first_purchase)");
}

#[test]
fn nobody_is_displaced_while_tenure_lasts() {
    let script = "
        d0 ann purchase o1 100
        d1 bob purchase o2 500";
    let rules = format!("{RULES}\n        tenure: 30d");
    insta::assert_snapshot!(run_until("d40", &rules, script), @r"
    d0+00:00:20 ann vip.granted big #1
    d1+00:00:20 bob vip.waitlisted big #1
    d30+00:00:30 ann vip.revoked big displaced
    d30+00:00:30 ann vip.waitlisted big #1
    d30+00:00:30 bob vip.granted big #1
    ");
}

#[test]
fn of_equals_the_longer_and_then_the_smaller_id_comes_first() {
    let script = "
        d0 cid purchase o1 100
        d0+5s ann purchase o2 100
        d2 eve purchase o3 100
        d2 dan purchase o4 100";
    insta::assert_snapshot!(run_until("d5", RULES, script), @r"
    d0+00:00:20 ann vip.waitlisted big #1
    d0+00:00:20 cid vip.granted big #1
    d2+00:00:20 dan vip.waitlisted big #2
    d2+00:00:20 eve vip.waitlisted big #3
    ");
}

#[test]
fn a_rank_in_error_is_no_candidate_and_the_lowest_of_members() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
          mood: { avg: csat.satisfaction, over: 30d }
        programmes:
          glad: { profile: value, grant: spend >= 1, budget: { max: 1, rank: f.mood } }";
    let script = "
        d0 c1 purchase o1 10
        d1 c1 csat i1 5
        d2 c2 purchase o2 10
        d2 c2 csat i2 3";
    insta::assert_snapshot!(run_until("d40", rules, script), @r"
    d1+00:00:20 c1 vip.granted glad #1
    d2+00:00:20 c2 vip.waitlisted glad #1
    d31+00:00:10 c1 vip.revoked glad displaced
    d31+00:00:10 c2 vip.granted glad #1
    ");
}

#[test]
fn whoever_is_merged_or_erased_leaves_the_place_to_the_next() {
    let script = "
        d0 c1 purchase o1 300
        d0 c2 purchase o2 200
        d0 c3 purchase o3 100
        d1 c2 customer 1 merged_into=c9
        d2 c1 erasure q1
        d3 c9 customer 1 merged_into=c8
        d4 c3 erasure q2
        d5 c4 purchase o4 110";
    insta::assert_snapshot!(run_until("d6", RULES, script), @r"
    d0+00:00:20 c1 vip.granted big #1
    d0+00:00:20 c2 vip.waitlisted big #1
    d0+00:00:20 c3 vip.waitlisted big #2
    d1+00:00:20 c9 vip.waitlisted big #1
    d2 c1 vip.revoked big erased
    d2+00:00:20 c9 vip.granted big #1
    d3 c9 vip.revoked big merged
    d3+00:00:20 c8 vip.granted big #1
    d5+00:00:20 c4 vip.waitlisted big #1
    ");
}

#[test]
fn a_refund_takes_a_candidate_off_the_list_of_which_the_audit_tells() {
    let script = "
        d0 c1 purchase o1 300
        d0 c2 purchase o2 200
        d1 c2 refund o2 150
        d2 c2 purchase o3 100";
    insta::assert_snapshot!(run_until("d5", RULES, script), @r"
    d0+00:00:20 c1 vip.granted big #1
    d0+00:00:20 c2 vip.waitlisted big #1
    d2+00:00:20 c2 vip.waitlisted big #1
    ");
    let audits = topic_until("d5", "vip.audit", RULES, script).into_iter();
    let audits: Vec<String> = audits
        .map(|it| {
            format!(
                "{} {} {}",
                short_time(it["occurred_at"].as_str().expect("a time")),
                it["customer_id"],
                it["decision"]
            )
        })
        .collect();
    assert_eq!(audits, [r#"d1 "c2" "off_waitlist""#]);
}

#[test]
fn a_place_that_comes_free_goes_to_the_first_of_the_list() {
    let script = "
        d0 c1 purchase o1 300
        d0 c2 purchase o2 200
        d0 c3 purchase o3 250
        d1 c1 refund o1 290";
    insta::assert_snapshot!(run_until("d5", RULES, script), @r"
    d0+00:00:20 c1 vip.granted big #1
    d0+00:00:20 c2 vip.waitlisted big #2
    d0+00:00:20 c3 vip.waitlisted big #1
    d1 c1 vip.revoked big refund_reversed
    d1+00:00:20 c3 vip.granted big #1
    ");
}

#[test]
fn what_is_decided_is_of_no_use_to_who_qualifies_no_more() {
    let script = "
        d0 c1 purchase o1 300
        d0 c2 purchase o2 200
        d0+15s c1 cancel o1";
    insta::assert_snapshot!(run_until("d1", RULES, script), @r"
    d0+00:00:20 c2 vip.waitlisted big #1
    d0+00:00:30 c2 vip.granted big #1
    ");
}

#[test]
fn accounts_have_places_and_their_contacts_hold_what_they_hold() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
        programmes:
          key: { profile: target, applies_to: account, grant: spend >= 500, budget: { max: 1, rank: spend } }";
    let script = "
        d0 ann customer 1 account_id=k1
        d0 bob customer 1 account_id=k2
        d1 ann purchase o1 600
        d1 bob purchase o2 900
        d2 ann purchase o3 400";
    insta::assert_snapshot!(run_until("d5", rules, script), @r"
    d1+00:00:20 account:k2 vip.granted key #1
    d1+00:00:20 account:k1 vip.waitlisted key #1
    d1+00:00:21 bob vip.granted key
    d2+00:00:20 account:k1 vip.granted key #1
    d2+00:00:20 account:k2 vip.revoked key displaced
    d2+00:00:20 account:k2 vip.waitlisted key #1
    d2+00:00:21 ann vip.granted key
    d2+00:00:21 bob vip.revoked key rule_false
    ");
}

#[test]
fn over_all_a_person_counts_once_and_the_later_in_precedence_gives_way() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
          orders: { count: purchase }
        budget: { max: 2 }
        programmes:
          partners: { profile: partner, grant: role == 'partner' }
          regulars: { profile: value, grant: orders >= 2, budget: { max: 2, rank: orders } }
          spenders: { profile: value, grant: spend >= 100, budget: { max: 2, rank: spend, margin: 10% } }";
    let script = "
        d0 c1 purchase o1 300
        d0 c2 purchase o2 200
        d1 c3 purchase o3 1
        d1 c3 purchase o4 1
        d2 c4 customer 1 role=partner
        d3 c4 purchase o5 500";
    insta::assert_snapshot!(run_until("d5", rules, script), @r"
    d0+00:00:20 c1 vip.granted spenders #1
    d0+00:00:20 c2 vip.granted spenders #2
    d1+00:00:20 c2 vip.revoked spenders displaced
    d1+00:00:20 c2 vip.waitlisted spenders #1
    d1+00:00:20 c3 vip.granted regulars #1
    d2 c4 vip.granted partners
    d2+00:00:20 c1 vip.revoked spenders displaced
    d2+00:00:20 c1 vip.waitlisted spenders #1
    d3+00:00:20 c4 vip.granted spenders #1
    ");
}

#[test]
fn evidence_names_what_was_ranked_by_and_the_weakest_who_has_a_place() {
    let script = "
        d0 ann purchase o1 300
        d0 bob purchase o2 200
        d1 bob purchase o3 200
        d2 zoe csat i1 5";
    insta::assert_snapshot!(explain(RULES, script), @r"
    d0+00:00:20 ann vip.granted big #1
      spend/365d 300 >= 100 holds purchase:0:0
      spend 300 >= 300 holds
    d0+00:00:20 bob vip.waitlisted big #1
      spend/365d 200 >= 100 holds purchase:0:1
      spend 200 >= 300 fails
    d1+00:00:20 ann vip.revoked big displaced
      spend 300 >= 400 fails
    d1+00:00:20 ann vip.waitlisted big #1
      spend/365d 300 >= 100 holds purchase:0:0
      spend 300 >= 400 fails
    d1+00:00:20 bob vip.granted big #1
      spend/365d 400 >= 100 holds purchase:0:2 purchase:0:1
      spend 400 >= 400 holds
    ");
}

#[test]
fn the_status_says_where_on_the_list_somebody_is() {
    let script = "
        d0 ann purchase o1 300
        d0 bob purchase o2 200";
    let lists: Vec<Json> = topic_until("d1", "vip.status", RULES, script)
        .into_iter()
        .map(|status| json!([status["customer_id"], status["progress"][0]["waitlist"]]))
        .collect();
    let since = "2025-01-01T00:00:00.000Z";
    let waits = json!({ "rank": 1, "value": "200", "cut": "300", "since": since });
    assert_eq!(lists, [json!(["ann", null]), json!(["bob", waits])]);
}
