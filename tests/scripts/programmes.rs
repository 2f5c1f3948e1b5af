//! Grant, keep, tenure, grace, tiers, weights, and what money going back does.

use crate::support::script::{in_full, run, run_until};

#[test]
fn a_programme_is_granted_only_where_keep_holds_too() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
          bad: { count: csat, where: satisfaction <= 0.4, over: 10d }
        programmes:
          p: { profile: value, grant: spend >= 100, keep: bad == 0 }";
    let script = "
        d0 ann csat i1 1
        d1 ann purchase o1 100
        d2 bob purchase o2 100";
    insta::assert_snapshot!(run_until("d10", rules, script), @r"
    d2 bob vip.granted p
    d10 ann vip.granted p
    ");
}

#[test]
fn grace_is_announced_and_may_be_survived() {
    let rules = "
        features:
          spend_30d: { sum: purchase.amount, over: 30d }
        programmes:
          p: { profile: value, grant: spend_30d >= 100, keep: spend_30d >= 50, grace: 14d }";
    let script = "
        d0  ann purchase o1 100
        d35 ann purchase o2 50
        d0  bob purchase o3 100";
    insta::assert_snapshot!(run_until("d100", rules, script), @r"
    d0 ann vip.granted p
    d0 bob vip.granted p
    d30 ann vip.expiring p valid_until=d44
    d30 bob vip.expiring p valid_until=d44
    d35 ann vip.changed p kept
    d44 bob vip.revoked p rule_false
    d65 ann vip.expiring p valid_until=d79
    d79 ann vip.revoked p rule_false
    ");
}

#[test]
fn grace_waits_for_the_end_of_tenure() {
    let rules = "
        features:
          spend_30d: { sum: purchase.amount, over: 30d }
        programmes:
          p: { profile: value, grant: spend_30d >= 100, tenure: 60d, grace: 2d }";
    let script = "d0+6h ann purchase o1 100";
    insta::assert_snapshot!(run_until("d100", rules, script), @r"
    d0+06:00 ann vip.granted p
    d60+06:00 ann vip.expiring p valid_until=d62+06:00
    d62+06:00 ann vip.revoked p rule_false
    ");
}

#[test]
fn keep_that_turns_true_before_grace_begins_was_never_false() {
    let rules = "
        features:
          spend_30d: { sum: purchase.amount, over: 30d }
        programmes:
          p: { profile: value, grant: spend_30d >= 100, tenure: 60d, grace: 2d }";
    let script = "
        d0  ann purchase o1 100
        d50 ann purchase o2 100";
    insta::assert_snapshot!(run_until("d100", rules, script), @r"
    d0 ann vip.granted p
    d80 ann vip.expiring p valid_until=d82
    d82 ann vip.revoked p rule_false
    ");
}

#[test]
fn a_refund_revokes_with_its_own_reason() {
    let rules = "
        features:
          spend_30d: { sum: purchase.amount, over: 30d }
        programmes:
          p: { profile: value, grant: spend_30d >= 100 }";
    let script = "
        d0 ann purchase o1 100
        d1 ann refund o1 0.01
        d2 ann purchase o2 1
        d3 ann cancel o1";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann vip.granted p
    d1 ann vip.revoked p refund_reversed
    d2 ann vip.granted p
    d3 ann vip.revoked p refund_reversed
    ");
}

#[test]
fn grace_after_a_refund_is_skipped_only_where_the_ruleset_says_so() {
    let rules = "
        features:
          spend_30d: { sum: purchase.amount, over: 30d }
        programmes:
          p: { profile: value, grant: spend_30d >= 100, tenure: 5d, grace: 2d }";
    let script = "
        d0 ann purchase o1 100
        d1 ann refund o1 100";
    insta::assert_snapshot!(run_until("d20", rules, script), @r"
    d0 ann vip.granted p
    d5 ann vip.expiring p valid_until=d7
    d7 ann vip.revoked p refund_reversed
    ");
    let skipping = format!("skip_grace: [refund]{rules}").replace("\n        ", "\n");
    insta::assert_snapshot!(run_until("d20", &skipping, script), @r"
    d0 ann vip.granted p
    d1 ann vip.revoked p refund_reversed
    ");
}

#[test]
fn a_refund_after_keep_turned_false_by_itself_skips_nothing() {
    let rules = "
        skip_grace: [refund]
        features:
          spend_30d: { sum: purchase.amount, over: 30d }
        programmes:
          p: { profile: value, grant: spend_30d >= 100, grace: 10d }";
    let script = "
        d0  ann purchase o1 60
        d10 ann purchase o2 40
        d31 ann refund o2 40";
    insta::assert_snapshot!(run_until("d60", rules, script), @r"
    d10 ann vip.granted p
    d30 ann vip.expiring p valid_until=d40
    d40 ann vip.revoked p rule_false
    ");
}

const TIERED: &str = "
    features:
      spend_30d: { sum: purchase.amount, over: 30d }
    programmes:
      p:
        profile: value
        grant: spend_30d >= 10
        keep: \"true\"
        tiers: { gold: spend_30d >= 1000, silver: spend_30d >= 100 }
        tenure: 20d
        grace: 5d
    weights: { gold: 3, silver: 2.5, none: 1 }";

#[test]
fn tiers_rise_at_once_and_fall_after_grace_and_tenure() {
    // gold at d1; at d31 only d10's 100 are left: silver since, matured at d36 (the rise of d1 + 20d is past).
    // At d40 nothing is left: no tier since, matured at d45.
    let script = "
        d0  ann purchase o1 50
        d1  ann purchase o2 1000
        d10 ann purchase o3 100";
    insta::assert_snapshot!(run_until("d90", TIERED, script), @r"
    d0 ann vip.granted p
    d1 ann vip.changed p tier_rise ->gold
    d36 ann vip.changed p tier_fall gold>silver
    d45 ann vip.changed p tier_fall silver>-
    ");
}

#[test]
fn a_fall_takes_the_tier_that_the_rule_gives_when_it_matures() {
    // gold by tenure until d48 (rise at d28 + 20d); lower since d31, first silver, then nothing.
    let script = "
        d0  ann purchase o1 500
        d1  ann purchase o2 400
        d28 ann purchase o3 99.5
        d28 ann purchase o4 0.5";
    insta::assert_snapshot!(run_until("d90", TIERED, script), @r"
    d0 ann vip.granted p silver
    d28 ann vip.changed p tier_rise silver>gold
    d48 ann vip.changed p tier_fall gold>silver
    d63 ann vip.changed p tier_fall silver>-
    ");
}

#[test]
fn a_tier_that_comes_back_in_time_never_fell() {
    let script = "
        d0  ann purchase o1 150
        d32 ann purchase o2 150
        d33 bob purchase o3 1";
    insta::assert_snapshot!(run_until("d60", TIERED, script), @"d0 ann vip.granted p silver");
}

#[test]
fn weight_is_the_greatest_of_the_held_tiers() {
    let script = "
        d0 ann purchase o1 50
        d1 ann purchase o2 100
        d2 ann purchase o3 1000";
    let weights: Vec<String> = in_full(TIERED, script).iter().map(|output| output["weight"].to_string()).collect();
    assert_eq!(weights, ["1", "\"2.5\"", "3"]);
}

#[test]
fn standing_is_that_after_the_whole_look_in_file_order() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
          orders_1d: { count: purchase, over: 1d }
        programmes:
          first: { profile: value, grant: spend >= 200 }
          second: { profile: value, grant: spend >= 100 }
          third: { profile: value, grant: held.first || orders_1d == 1 }";
    let script = "
        d0 ann purchase o1 100
        d2 ann purchase o2 100";
    let seen: Vec<String> = in_full(rules, script)
        .iter()
        .map(|output| {
            format!("{} {} {} {}", output["status_seq"], output["type"], output["programme"], output["standing"])
        })
        .collect();
    assert_eq!(
        seen,
        [
            r#"1 "vip.granted" "second" ["second","third"]"#,
            r#"2 "vip.granted" "third" ["second","third"]"#,
            r#"3 "vip.revoked" "third" ["second"]"#,
            r#"4 "vip.granted" "first" ["first","second","third"]"#,
            r#"5 "vip.granted" "third" ["first","second","third"]"#,
        ]
    );
}

#[test]
fn a_revocation_names_the_grant_that_it_ends() {
    let rules = "
        features:
          orders_1d: { count: purchase, over: 1d }
        programmes:
          p: { profile: value, grant: orders_1d > 0 }";
    let outputs = in_full(rules, "d0 ann purchase o1 1\nd2 ann csat i1 5");
    assert_eq!(outputs[0]["event_id"], outputs[1]["revokes"]);
    assert_eq!(outputs[1]["type"], "vip.revoked");
    assert_eq!(outputs[1]["origin"], "timer");
    assert!(outputs[1]["trigger"].is_null());
}

#[test]
fn a_grant_tells_how_to_treat_the_customer() {
    let rules = "
        features:
          orders: { count: purchase }
        programmes:
          p:
            profile: value
            grant: orders >= 1
            entitlements: [priority_queue, gift]
            greeting: Welcome back, {name}
            routing: { team: concierge, agent: account_manager }";
    let rules = rules.replace("Welcome back, {name}", "\"Welcome back, {name}\"");
    let script = "
        d0 ann customer 1 name=Ann account_manager=Mia preferred_channel=phone
        d1 ann purchase o1 1
        d2 bob purchase o2 1";
    let outputs = in_full(&rules, script);
    assert_eq!(outputs[0]["greeting"], "Welcome back, Ann");
    assert_eq!(
        outputs[0]["routing"].to_string(),
        concat!(
            r#"{"team":"concierge","agent":"Mia","channel":"phone","#,
            r#""reason":"account_manager","fallbacks":[{"team":"concierge","reason":"team"}]}"#
        )
    );
    assert_eq!(outputs[0]["entitlements"].to_string(), r#"["priority_queue","gift"]"#);
    assert_eq!(outputs[1]["greeting"], serde_json::Value::Null, "nobody knows bob's name");
    assert!(outputs[1]["routing"]["agent"].is_null());
}

#[test]
fn a_yearly_subscriber_stays_until_the_paid_period_ends() {
    let rules = "
        timezone: Europe/Ljubljana
        features:
          spend_30d: { sum: purchase.amount, over: 30d }
        programmes:
          p: { profile: value, grant: spend_30d >= 100, keep: spend_30d >= 100 || subscribed }";
    let script = "
        d0 ann purchase o1 100 subscription={\"plan\":\"gold\",\"period_end\":\"2025-07-01\"}
        d0 bob purchase o2 100 subscription={\"period_end\":\"2025-03-01T12:00:00Z\"}
        d9 bob refund o2 100";
    insta::assert_snapshot!(run_until("d400", rules, script), @r"
    d0 ann vip.granted p valid_until=d180+22:00
    d0 bob vip.granted p valid_until=d59+12:00
    d9 bob vip.revoked p refund_reversed
    d180+22:00 ann vip.revoked p rule_false
    ");
}

#[test]
fn a_keep_in_error_holds_and_a_grant_in_error_does_not() {
    let rules = "
        features:
          last_score: { last: csat.score, over: 10d }
          orders: { count: purchase }
        programmes:
          p: { profile: value, grant: orders >= 1, keep: last_score >= 3 }
          q: { profile: value, grant: last_score >= 3 }";
    let script = "
        d0 ann purchase o1 1
        d1 ann csat i1 4
        d20 ann csat i2 2";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann vip.granted p
    d1 ann vip.granted q
    d20 ann vip.revoked p rule_false
    d20 ann vip.revoked q rule_false
    ");
}

#[test]
fn a_change_of_tier_waits_for_the_look_after_the_keeping() {
    let rules = "
        features:
          spend_30d: { sum: purchase.amount, over: 30d }
        programmes:
          p:
            profile: value
            grant: spend_30d >= 10
            tiers: { gold: spend_30d >= 100 }
            grace: 10d";
    let script = "
        d0  ann purchase o1 10
        d31 ann purchase o2 100
        d32 ann csat i1 5";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann vip.granted p
    d30 ann vip.expiring p valid_until=d40
    d31 ann vip.changed p kept
    d32 ann vip.changed p tier_rise ->gold
    ");
}
