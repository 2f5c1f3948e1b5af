//! What people decide, whatever the rules say: in force until its end, with the rule's own answer beside it.

use insta::assert_snapshot;

use crate::support::script::{run, run_until, short_time, topic_until};

const RULES: &str = "
    features:
      spend: { sum: purchase.amount, over: 30d }
    programmes:
      big: { profile: value, grant: spend >= 500, keep: spend >= 300, tenure: 5d, grace: 2d, tiers: { gold: spend >= 1000, silver: 'true' } }
      plus: { profile: value, grant: held.big }";

/// What `vip.audit` says of it: when, the decision, why, and until when.
fn audits(until: &str, rules: &str, script: &str) -> String {
    let lines = topic_until(until, "vip.audit", rules, script);
    let lines = lines.iter().map(|line| {
        let word = |name: &str| line[name].as_str().map(|word| format!(" {word}")).unwrap_or_default();
        let until = line["until"].as_str().map(|at| format!(" until {}", short_time(at))).unwrap_or_default();
        let rule = line["rule"].as_object().map(|rule| format!(" {}: {}", rule["expression"], rule["holds"]));
        let at = short_time(line["occurred_at"].as_str().expect("always there"));
        let said = format!("{at}{}{}{}{until}", word("programme"), word("decision"), word("reason"));
        format!("{said} {}{}\n", line["override"]["override_id"], rule.unwrap_or_default())
    });
    lines.collect()
}

#[test]
fn a_grant_holds_until_its_end_and_the_rule_decides_then() {
    let script = "
        d0  ann  grant o1 big d10 tier=gold
        d1  ann  purchase p1 100.00";
    assert_snapshot!(run_until("d20", RULES, script), @"");
}

#[test]
fn an_override_without_an_end_is_refused() {
    let script = "
        d0  ann  grant o1 big
        d0  ann  deny o2 big d0
        d0  ann  grant o3 big d0-1h
        d1  ann  acknowledge a1 resolved make_vip={\"programme\":\"big\"}
        d1  ann  lift o4 big";
    assert_snapshot!(run(RULES, script), @"");
}

#[test]
fn a_rule_that_revokes_under_a_grant_keeps_the_status_and_shows_its_verdict() {
    let script = "
        d0   ann  purchase p1 600.00
        d1   ann  grant o1 big d60
        d31  ann  csat i1 5";
    assert_snapshot!(run_until("d70", RULES, script), @"");
    assert_snapshot!(audits("d70", RULES, script), @"");
}

#[test]
fn at_the_end_of_a_grant_the_rule_holds_on_without_a_word() {
    let script = "
        d0  ann  grant o1 big d5
        d1  ann  purchase p1 600.00
        d9  ann  csat i1 5";
    assert_snapshot!(run_until("d20", RULES, script), @"");
    assert_snapshot!(audits("d20", RULES, script), @"");
}

#[test]
fn a_denial_ends_a_programme_at_once_and_says_so_while_the_rule_would_grant() {
    let script = "
        d0   ann  purchase p1 600.00
        d1   ann  deny o1 big d10
        d2   ann  refund p1 600.00
        d3   ann  purchase p2 700.00";
    assert_snapshot!(run_until("d12", RULES, script), @"");
    assert_snapshot!(audits("d12", RULES, script), @"");
}

#[test]
fn of_two_at_one_instant_the_denial_holds_whatever_comes_first() {
    let script = "
        d0  ann  grant o1 big d10
        d0  ann  deny o2 big d5
        d0  ann  lift o3 big
        d0  bob  deny o2 big d5
        d0  bob  lift o3 big
        d0  bob  grant o1 big d10
        d0  eva  grant o1 big d10
        d0  eva  lift o3 big";
    assert_snapshot!(run_until("d20", RULES, script), @"");
}

#[test]
fn a_lift_ends_what_holds_and_what_comes_late_does_not_hold() {
    let script = "
        d0  ann  grant o1 big d30
        d3  ann  lift o2 big
        d1  ann  grant o3 big d30
        d4  ann  grant o4 big d10
        d5  ann  deny o5 big d6";
    assert_snapshot!(run_until("d20", RULES, script), @"");
}

#[test]
fn a_late_override_holds_from_when_it_comes_and_an_ended_one_not_at_all() {
    let script = "
        d8  ann  csat i1 5
        d2  ann  grant o1 big d12
        d8  bob  csat i2 5
        d2  bob  grant o2 big d5";
    assert_snapshot!(run_until("d20", RULES, script), @"");
}

#[test]
fn a_grant_during_grace_takes_the_warning_back() {
    let script = "
        d0   ann  purchase p1 600.00
        d31  ann  grant o1 big d40";
    assert_snapshot!(run_until("d50", RULES, script), @"");
}

#[test]
fn a_named_tier_is_held_as_long_as_the_grant() {
    let script = "
        d0  ann  purchase p1 1200.00
        d1  ann  grant o1 big d5 tier=silver
        d2  ann  grant o2 big d8 tier=brass
        d9  bob  grant o3 big d12 tier=gold";
    assert_snapshot!(run_until("d15", RULES, script), @"");
    assert_snapshot!(audits("d15", RULES, script), @"");
}

#[test]
fn what_names_no_programme_of_theirs_is_refused() {
    let rules = "
        features: { spend: { sum: purchase.amount } }
        programmes:
          big: { profile: value, grant: spend >= 500 }
          target: { profile: value, applies_to: account, grant: \"account.tier == 'A'\" }";
    let script = "
        d0  ann  grant o1 bigger d5
        d0  ann  grant o2 target d5
        d0  ann  grant o3 big d5 customer_id=null account_id=k1
        d1  ann  grant o4 target d5 customer_id=null account_id=k1
        d2  ann  customer 1 account_id=k1";
    assert_snapshot!(run_until("d9", rules, script), @"");
    assert_snapshot!(audits("d9", rules, script), @"");
}

#[test]
fn who_is_merged_takes_along_what_was_decided_and_who_is_erased_leaves_nothing() {
    let script = "
        d0  ann  grant o1 big d20
        d1  ann  customer 1 merged_into=bob
        d2  ann  deny o2 plus d9
        d3  eva  grant o3 big d20
        d4  eva  erasure q1
        d5  eva  grant o4 big d20";
    assert_snapshot!(run_until("d25", RULES, script), @"");
}

const COMPLAINTS: &str = "
    features: { spend: { sum: purchase.amount } }
    programmes: { big: { profile: value, grant: spend >= 500 }, heard: { profile: grievance, grant: spend < 0 } }
    alerts:
      public_complaint: { on: mention, when: 'public && sentiment <= -0.4' }
      escalation: { on: mention, when: 'public' }";

/// The id of the alert of that name.
fn alert(name: &str, script: &str) -> String {
    let alerts = topic_until("d1", "vip.alerts", COMPLAINTS, script);
    let alert = alerts.iter().find(|alert| alert["name"] == name).expect("it alerts");
    alert["alert_id"].as_str().expect("an alert has an id").to_owned()
}

#[test]
fn who_resolves_a_public_complaint_may_make_the_customer_a_vip() {
    let post = "d0  ann  mention p1 create sentiment=-0.8";
    let complaint = alert("public_complaint", post);
    let make_vip = r#"make_vip={"programme":"heard","expires_at":"2025-01-20T00:00:00Z"}"#;
    let script = format!(
        "{post}
        d1  ann  acknowledge {complaint} acknowledged
        d2  ann  acknowledge {complaint} resolved note='called back' {make_vip}
        d3  ann  acknowledge {complaint} resolved {make_vip}"
    );
    assert_snapshot!(run_until("d30", COMPLAINTS, &script), @"");
}

#[test]
fn no_other_acknowledgement_makes_a_vip() {
    let post = "d0  ann  mention p1 create sentiment=-0.8";
    let (complaint, other) = (alert("public_complaint", post), alert("escalation", post));
    let until = |programme| format!(r#"make_vip={{"programme":"{programme}","expires_at":"2026-01-01T00:00:00Z"}}"#);
    let (heard, unheard) = (until("heard"), until("unheard"));
    let script = format!(
        "{post}
        d1  ann  acknowledge {complaint} dismissed {heard}
        d2  ann  acknowledge {other} resolved {heard}
        d3  bob  acknowledge {complaint} resolved {heard}
        d4  x:@ann  acknowledge {complaint} resolved {heard}
        d5  ann  acknowledge {complaint} resolved {unheard}
        d95  ann  acknowledge {complaint} resolved by=mia {heard}"
    );
    assert_snapshot!(run_until("d99", COMPLAINTS, &script), @"");
    assert_snapshot!(audits("d99", COMPLAINTS, &script), @"");
}
