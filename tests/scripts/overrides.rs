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
    assert_snapshot!(run_until("d20", RULES, script), @r"
    d0 ann vip.granted big gold valid_until=d10
    d0 ann vip.granted plus
    d10 ann vip.revoked big override_ended
    d10 ann vip.revoked plus rule_false
    ");
}

#[test]
fn an_override_without_an_end_is_refused() {
    let script = "
        d0  ann  grant o1 big
        d0  ann  deny o2 big d0
        d0  ann  grant o3 big d0-1h
        d1  ann  acknowledge a1 resolved make_vip={\"programme\":\"big\"}
        d1  ann  lift o4 big";
    assert_snapshot!(run(RULES, script), @r"
    override:0:0 dead_letter missing_field
    override:0:1 dead_letter out_of_range
    override:0:2 dead_letter out_of_range
    acknowledgement:0:0 dead_letter missing_field
    ");
}

#[test]
fn a_rule_that_revokes_under_a_grant_keeps_the_status_and_shows_its_verdict() {
    let script = "
        d0   ann  purchase p1 600.00
        d1   ann  grant o1 big d60
        d31  ann  csat i1 5";
    assert_snapshot!(run_until("d70", RULES, script), @r"
    d0 ann vip.granted big silver
    d0 ann vip.granted plus
    d60 ann vip.revoked big override_ended
    d60 ann vip.revoked plus rule_false
    ");
    assert_snapshot!(audits("d70", RULES, script), @r#"
    d30 big kept_by_override until d60 "o1" "keep": false
    "#);
}

#[test]
fn at_the_end_of_a_grant_the_rule_holds_on_without_a_word() {
    let script = "
        d0  ann  grant o1 big d5
        d1  ann  purchase p1 600.00
        d9  ann  csat i1 5";
    assert_snapshot!(run_until("d20", RULES, script), @r"
    d0 ann vip.granted big silver valid_until=d5
    d0 ann vip.granted plus
    ");
    assert_snapshot!(audits("d20", RULES, script), @r#"
    d1 big rule_agrees "o1" "grant": true
    "#);
}

#[test]
fn a_denial_ends_a_programme_at_once_and_says_so_while_the_rule_would_grant() {
    let script = "
        d0   ann  purchase p1 600.00
        d1   ann  deny o1 big d10
        d2   ann  refund p1 600.00
        d3   ann  purchase p2 700.00";
    assert_snapshot!(run_until("d12", RULES, script), @r"
    d0 ann vip.granted big silver
    d0 ann vip.granted plus
    d1 ann vip.revoked big override
    d1 ann vip.revoked plus rule_false
    d10 ann vip.granted big silver
    d10 ann vip.granted plus
    ");
    assert_snapshot!(audits("d12", RULES, script), @r#"
    d1 big denied_by_override until d10 "o1" "grant": true
    d2 big rule_agrees "o1" "grant": false
    d3 big denied_by_override until d10 "o1" "grant": true
    "#);
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
    assert_snapshot!(run_until("d20", RULES, script), @r"
    d0 ann vip.granted big silver valid_until=d10
    d0 ann vip.granted plus
    d0 ann vip.revoked big override
    d0 ann vip.revoked plus rule_false
    d0 eva vip.granted big silver valid_until=d10
    d0 eva vip.granted plus
    d0 eva vip.revoked big override_ended
    d0 eva vip.revoked plus rule_false
    ");
}

#[test]
fn a_lift_ends_what_holds_and_what_comes_late_does_not_hold() {
    let script = "
        d0  ann  grant o1 big d30
        d3  ann  lift o2 big
        d1  ann  grant o3 big d30
        d4  ann  grant o4 big d10
        d5  ann  deny o5 big d6";
    assert_snapshot!(run_until("d20", RULES, script), @r"
    d0 ann vip.granted big silver valid_until=d30
    d0 ann vip.granted plus
    d3 ann vip.revoked big override_ended
    d3 ann vip.revoked plus rule_false
    d4 ann vip.granted big silver valid_until=d10
    d4 ann vip.granted plus
    d5 ann vip.revoked big override
    d5 ann vip.revoked plus rule_false
    ");
}

#[test]
fn a_late_override_holds_from_when_it_comes_and_an_ended_one_not_at_all() {
    let script = "
        d8  ann  lift o0 plus
        d2  ann  grant o1 big d12
        d8  bob  lift o0 plus
        d2  bob  grant o2 big d5";
    assert_snapshot!(run_until("d20", RULES, script), @r"
    d8 ann vip.granted big silver valid_until=d12
    d8 ann vip.granted plus
    d12 ann vip.revoked big override_ended
    d12 ann vip.revoked plus rule_false
    ");
}

#[test]
fn a_grant_during_grace_takes_the_warning_back() {
    let script = "
        d0   ann  purchase p1 600.00
        d31  ann  grant o1 big d40";
    assert_snapshot!(run_until("d50", RULES, script), @r"
    d0 ann vip.granted big silver
    d0 ann vip.granted plus
    d30 ann vip.expiring big valid_until=d32
    d31 ann vip.changed big override
    d40 ann vip.revoked big override_ended
    d40 ann vip.revoked plus rule_false
    ");
}

#[test]
fn a_named_tier_is_held_as_long_as_the_grant() {
    let script = "
        d0  ann  purchase p1 1200.00
        d1  ann  grant o1 big d5 tier=silver
        d2  ann  grant o2 big d8 tier=brass
        d9  bob  grant o3 big d12 tier=gold";
    assert_snapshot!(run_until("d15", RULES, script), @r"
    d0 ann vip.granted big gold
    d0 ann vip.granted plus
    d1 ann vip.changed big override
    d2 ann vip.changed big override
    d9 bob vip.granted big gold valid_until=d12
    d9 bob vip.granted plus
    d12 bob vip.revoked big override_ended
    d12 bob vip.revoked plus rule_false
    ");
    assert_snapshot!(audits("d15", RULES, script), @r#"
    d2 big tier_refused unknown_tier "o2"
    "#);
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
    assert_snapshot!(run_until("d9", rules, script), @r"
    d1 account:k1 vip.granted target valid_until=d5
    d2+00:00:02 ann vip.granted target
    d5 account:k1 vip.revoked target override_ended
    d5+00:00:01 ann vip.revoked target rule_false
    ");
    assert_snapshot!(audits("d9", rules, script), @r#"
    d0 big override_refused programme_of_customers "o3"
    d0 bigger override_refused unknown_programme "o1"
    d0 target override_refused programme_of_accounts "o2"
    "#);
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
    assert_snapshot!(run_until("d25", RULES, script), @r"
    d0 ann vip.granted big silver valid_until=d20
    d0 ann vip.granted plus
    d1 ann vip.revoked big merged
    d1 ann vip.revoked plus merged
    d1+00:00:01 bob vip.granted big silver valid_until=d20
    d1+00:00:01 bob vip.granted plus
    d2+00:00:01 bob vip.revoked plus override
    d3 eva vip.granted big silver valid_until=d20
    d3 eva vip.granted plus
    d4 eva vip.revoked big erased
    d4 eva vip.revoked plus erased
    d9 bob vip.granted plus
    d20 bob vip.revoked big override_ended
    d20 bob vip.revoked plus rule_false
    ");
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
    assert_snapshot!(run_until("d30", COMPLAINTS, &script), @r"
    d2 ann vip.granted heard valid_until=d19
    d19 ann vip.revoked heard override_ended
    d0 ann agent.alert escalation normal
    d0 ann agent.alert public_complaint normal
    ");
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
    assert_snapshot!(run_until("d99", COMPLAINTS, &script), @r"
    d0 ann agent.alert escalation normal
    d0 ann agent.alert public_complaint normal
    ");
    assert_snapshot!(audits("d99", COMPLAINTS, &script), @r#"
    d1 heard override_refused not_resolved "99aac85816f58d7b666d84bfb8eac165"
    d2 heard override_refused no_public_complaint "90fcbd04d1af1fb0b93831f68da2d23f"
    d3 heard override_refused no_public_complaint "99aac85816f58d7b666d84bfb8eac165"
    d4 heard override_refused no_public_complaint "99aac85816f58d7b666d84bfb8eac165"
    d5 unheard override_refused unknown_programme "99aac85816f58d7b666d84bfb8eac165"
    d95 heard override_refused no_public_complaint "99aac85816f58d7b666d84bfb8eac165"
    "#);
}
