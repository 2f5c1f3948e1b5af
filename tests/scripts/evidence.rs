//! Labels and expressions, the evidence of decisions, and what is refused.

use crate::support::script::{explain, in_full, run, run_until};

#[test]
fn days_since_turns_at_local_midnight() {
    let rules = "
        timezone: Europe/Ljubljana
        labels:
          silent: days_since(last_seen) > 2
          fresh: 1 >= days_since(last_seen)
          third: days_since(last_seen) == 3";
    let script = "d0+22h59m ann csat i1 5";
    insta::assert_snapshot!(run_until("d20", rules, script), @r"
    d0+22:59 ann cohort.entered fresh
    d1+23:00 ann cohort.left fresh
    d2+23:00 ann cohort.entered silent
    d2+23:00 ann cohort.entered third
    d3+23:00 ann cohort.left third
    ");
}

#[test]
fn errors_are_absorbed_where_the_other_side_decides() {
    let rules = "
        features:
          score: { last: csat.score }
          orders: { count: purchase }
        labels:
          or: score > 3 || orders > 0
          and: score > 3 && orders > 0
          neither: \"!(score > 3 && orders > 5)\"
          guarded: has(f.score) && score > 3
          choice: 'orders > 0 ? true : score > 3'
          overflow: orders * 9223372036854775807 * 2 > 0 || orders == 1
          listed: orders in [1, 2] && orders % 2 == 1 && -orders < 0";
    let script = "
        d0 ann purchase o1 1
        d1 ann csat i1 4";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann cohort.entered or
    d0 ann cohort.entered neither
    d0 ann cohort.entered choice
    d0 ann cohort.entered overflow
    d0 ann cohort.entered listed
    d1 ann cohort.entered and
    d1 ann cohort.entered guarded
    ");
}

#[test]
fn ints_divide_as_ints_and_decimals_exactly() {
    let rules = "
        features:
          orders: { count: purchase }
          spend: { sum: purchase.amount }
        labels:
          int: orders / 2 == 1
          decimal: spend / 2 == 1.5
          mixed: orders * 0.1 == 0.3 && orders == 3.0";
    let script = "
        d0 ann purchase o1 1
        d0 ann purchase o2 1
        d0 ann purchase o3 1";
    insta::assert_snapshot!(run(rules, script), @r"
    d0 ann cohort.entered int
    d0 ann cohort.entered decimal
    d0 ann cohort.entered mixed
    ");
}

#[test]
fn evidence_gives_value_window_threshold_and_the_newest_three() {
    let rules = "
        features:
          spend_30d: { sum: purchase.amount, over: 30d }
          orders: { count: purchase }
          bad: { count: csat, where: satisfaction <= 0.4, over: 90d }
        labels:
          seen: has(f.last_seen)
        programmes:
          p:
            profile: value
            grant: 'spend_30d >= 40 && (bad == 0 || label.seen) && !(orders in [9]) && 4 <= orders'
            keep: spend_30d >= 10.50 || days_since(last_seen) < 5
            tiers: { gold: spend_30d > 100, silver: orders > 0 }";
    let script = "
        d0 ann purchase o1 10.50
        d1 ann purchase o2 10.00
        d2 ann purchase o3 10
        d3 ann purchase o4 10
        d5 ann purchase o5 100
        d6 ann cancel o5
        d40 ann case k1 1 opened";
    insta::assert_snapshot!(explain(rules, script), @r"
    d0 ann cohort.entered seen
      last_seen 2025-01-01T00:00:00.000Z
    d3 ann vip.granted p silver
      spend_30d/30d 40.5 >= 40 holds purchase:0:3 purchase:0:2 purchase:0:1
      bad/90d 0 == 0 holds
      label.seen true holds
      orders 4 purchase:0:3 purchase:0:2 purchase:0:1
      orders 4 >= 4 holds purchase:0:3 purchase:0:2 purchase:0:1
    d5 ann vip.changed p tier_rise silver>gold
      spend_30d/30d 140.5 > 100 holds purchase:0:4 purchase:0:3 purchase:0:2
    d6 ann vip.changed p tier_fall gold>silver
      spend_30d/30d 40.5 > 100 fails purchase:0:3 purchase:0:2 purchase:0:1
      orders 4 > 0 holds purchase:0:3 purchase:0:2 purchase:0:1
    d32 ann vip.revoked p rule_false
      spend_30d/30d 10 >= 10.5 fails purchase:0:3
      days_since(last_seen) 27 < 5 fails
    ");
}

#[test]
fn alerts_show_the_event_that_they_are_about() {
    let rules = "
        features:
          seen_30m: { count: presence, over: 30m }
        alerts:
          public_complaint:
            on: mention
            when: public && event.sentiment <= -0.4 && seen_30m > 0
            severity: \"followers > 1000 ? 'high' : 'low'\"";
    let script = "
        d0     ann presence s1 online
        d0+20s ann presence s1 heartbeat
        d0+80s ann presence s1 heartbeat
        d0+5m  ann mention p1 sentiment=-0.41 followers=1001
        d0+6m  ann mention p2 sentiment=-0.4 followers=1000
        d0+7m  ann mention p3 sentiment=-0.4";
    insta::assert_snapshot!(explain(rules, script), @r"
    d0+00:05 ann agent.alert public_complaint high
      event.public true holds mention:0:0
      event.sentiment -0.41 <= -0.4 holds mention:0:0
      seen_30m/30m 3 > 0 holds presence:0:2 presence:0:1
    d0+00:06 ann agent.alert public_complaint low
      event.public true holds mention:0:1
      event.sentiment -0.4 <= -0.4 holds mention:0:1
      seen_30m/30m 3 > 0 holds presence:0:2 presence:0:1
    d0+00:07 ann agent.alert public_complaint normal
      event.public true holds mention:0:2
      event.sentiment -0.4 <= -0.4 holds mention:0:2
      seen_30m/30m 3 > 0 holds presence:0:2 presence:0:1
    ");
}

#[test]
fn an_alert_carries_standing_routing_and_whom_to_answer() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
        programmes:
          quiet: { profile: value, grant: spend > 0 }
          loud: { profile: value, grant: spend > 0, routing: { team: concierge }, greeting: \"Hi {name}\" }
        alerts:
          public_complaint: { on: mention, when: public, severity: \"vip ? 'high' : 'normal'\" }";
    let script = "
        d0 ann customer 1 name=Ann
        d0 ann purchase o1 1
        d1 ann mention p1";
    let outputs = in_full(rules, script);
    let alert = &outputs[2];
    assert_eq!(alert["severity"], "high");
    assert_eq!(alert["status_seq"], 2);
    assert_eq!(alert["reply_on"].to_string(), r#"{"platform":"x","handle":"@ann"}"#);
    assert_eq!(alert["customer"].to_string(), r#"{"name":"Ann","standing":["quiet","loud"]}"#);
    assert_eq!(alert["greeting"], "Hi Ann");
    assert_eq!(alert["routing"]["team"], "concierge");
    assert_eq!(alert["routing"]["reason"], "team");
    // Whatever is said of one complaint has one `alert_id`, before and after its author is known.
    assert_ne!(alert["event_id"], alert["alert_id"]);
    assert_eq!(alert["trigger"].to_string(), r#"{"topic":"mention","partition":0,"offset":0,"event_id":"e3"}"#);
}

#[test]
fn what_is_missing_to_stay_is_said_when_grace_begins() {
    let rules = "
        features:
          spend_30d: { sum: purchase.amount, over: 30d }
          orders: { count: purchase }
        programmes:
          p: { profile: value, grant: spend_30d >= 100 && orders >= 1, grace: 3d }";
    let outputs = in_full(rules, "d0 ann purchase o1 100\nd31 ann csat i1 5");
    let missing = outputs[1]["missing"].as_array().expect("a list of rows");
    assert_eq!(outputs[1]["type"], "vip.expiring");
    assert_eq!(missing.len(), 1);
    assert_eq!(
        missing[0].to_string(),
        concat!(
            r#"{"feature":"spend_30d","window":"30d","value":"0","threshold":100,"op":">=","#,
            r#""holds":false,"sample":[]}"#
        )
    );
}

#[test]
fn bad_lines_become_dead_letters_and_the_stream_goes_on() {
    let rules = "
        features:
          spend: { sum: purchase.amount }
        labels:
          s100: spend >= 100";
    let script = "
        raw purchase 'null'
        raw purchase ''
        raw purchase '{\"a\":'
        raw purchase '[1]'
        d0 ann purchase o1 100 customer_id=null
        d0 ann purchase o1 -1
        d0 ann purchase o1 1000000000000
        d0 ann purchase o1 1 ZZZ
        d0 ann purchase o1 1 status=paid
        d0 ann purchase o1 1 test=1
        d0 ann purchase o1 1 occurred_at=2025-01-01T00:00:00
        d0 ann purchase o1 1 occurred_at=16725225600001
        d0 ann csat i1 6
        d0 ann presence s1 online ttl_s=0
        d0 ann mention p1 sentiment=1.1
        d0 ann purchase o1 100";
    let script = script.replace("raw purchase ''", "raw purchase ' '");
    insta::assert_snapshot!(run(rules, &script), @r"
    d0 ann cohort.entered s100
    purchase:0:0 dead_letter null_value
    purchase:0:1 dead_letter invalid_json
    purchase:0:2 dead_letter invalid_json
    purchase:0:3 dead_letter not_an_object
    purchase:0:4 dead_letter missing_field
    purchase:0:5 dead_letter bad_amount
    purchase:0:6 dead_letter bad_amount
    purchase:0:7 dead_letter unknown_currency
    purchase:0:8 dead_letter unknown_value
    purchase:0:9 dead_letter wrong_type
    purchase:0:10 dead_letter bad_time
    purchase:0:11 dead_letter bad_time
    csat:0:0 dead_letter out_of_range
    mention:0:0 dead_letter out_of_range
    presence:0:0 dead_letter out_of_range
    ");
}
