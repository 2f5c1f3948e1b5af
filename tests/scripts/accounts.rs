//! Accounts: what contacts do counts for them, what they hold their contacts hold, and what they are rules read.

use serde_json::json;

use crate::support::script::{explain, in_full, run_until, short_time, topic_until};

const RULES: &str = "
    features:
      spend: { sum: purchase.amount, over: 30d }
    programmes:
      key_account:
        profile: target
        applies_to: account
        grant: spend >= 500
        tiers: { gold: spend >= 1000 }
        routing: { team: b2b, agent: account_manager }
        greeting: Welcome {name}";

#[test]
fn what_contacts_spend_together_grants_to_the_account_and_to_each_of_them() {
    let script = "
        d0 k1 account 1 name=Acme account_manager=mia
        d0 ann customer 1 account_id=k1
        d0 bob customer 1 account_id=k1
        d1 ann purchase o1 300
        d2 bob purchase o2 300
        d2 zoe purchase o3 900";
    insta::assert_snapshot!(run_until("d40", RULES, script), @r"
    d2+00:00:01 account:k1 vip.granted key_account
    d2+00:00:02 ann vip.granted key_account
    d2+00:00:02 bob vip.granted key_account
    d31 account:k1 vip.revoked key_account rule_false
    d31+00:00:01 ann vip.revoked key_account rule_false
    d31+00:00:01 bob vip.revoked key_account rule_false
    ");
}

#[test]
fn what_came_before_the_contact_was_known_counts_when_they_join() {
    let script = "
        d1 ann purchase o1 600
        d2 ann refund o1 50
        d3 ann customer 1 account_id=k1
        d4 ann purchase o2 460";
    insta::assert_snapshot!(run_until("d5", RULES, script), @r"
    d3+00:00:01 account:k1 vip.granted key_account
    d3+00:00:02 ann vip.granted key_account
    d4+00:00:01 account:k1 vip.changed key_account tier_rise ->gold
    d4+00:00:02 ann vip.changed key_account tier_rise ->gold
    ");
}

#[test]
fn an_order_counts_once_through_whomever_it_comes() {
    let script = "
        d0 ann customer 1 account_id=k1
        d0 bob customer 1 account_id=k1
        d1 ann purchase o1 400
        d1 bob purchase o1 400
        d2 zoe purchase o1 400 account_id=k1
        d3 ann purchase o1 400";
    insta::assert_snapshot!(run_until("d5", RULES, script), @"");
}

#[test]
fn an_order_that_names_an_account_goes_there_and_nowhere_else() {
    let script = "
        d0 ann customer 1 account_id=k1
        d1 ann purchase o1 700 account_id=k2
        d1 zoe purchase o2 700 account_id=k3
        d2 zoe customer 1 account_id=k1";
    insta::assert_snapshot!(run_until("d5", RULES, script), @r"
    d1+00:00:01 account:k2 vip.granted key_account
    d1+00:00:01 account:k3 vip.granted key_account
    ");
}

#[test]
fn what_takes_an_order_back_follows_it_to_its_account() {
    let moved = "
        d0 ann customer 1 account_id=k1
        d1 ann purchase o1 600
        d2 ann customer 2 account_id=k2
        d3 ann refund o1 200";
    insta::assert_snapshot!(run_until("d5", RULES, moved), @r"
    d1+00:00:01 account:k1 vip.granted key_account
    d1+00:00:02 ann vip.granted key_account
    d2 ann vip.revoked key_account rule_false
    d3+00:00:01 account:k1 vip.revoked key_account refund_reversed
    ");
    let named = "
        d0 ann customer 1 account_id=k1
        d1 ann purchase o1 600 account_id=k9
        d2 zoe purchase o2 600 account_id=k8
        d3 ann refund o1 200
        d3 zoe cancel o2";
    insta::assert_snapshot!(run_until("d5", RULES, named), @r"
    d1+00:00:01 account:k9 vip.granted key_account
    d2+00:00:01 account:k8 vip.granted key_account
    d3+00:00:01 account:k8 vip.revoked key_account refund_reversed
    d3+00:00:01 account:k9 vip.revoked key_account refund_reversed
    ");
}

#[test]
fn a_refund_that_comes_first_says_where_its_order_goes_unless_that_says_so_itself() {
    let script = "
        d0 ann customer 1 account_id=k1
        d1 ann refund o1 100 account_id=k9
        d1 ann refund o2 100
        d1 ann refund o3 200
        d2 ann customer 2 account_id=k2
        d3 ann purchase o1 600
        d4 ann purchase o2 600
        d5 ann purchase o3 600 account_id=k3";
    insta::assert_snapshot!(run_until("d6", RULES, script), @r"
    d3+00:00:01 account:k9 vip.granted key_account
    d4+00:00:01 account:k1 vip.granted key_account
    ");
}

#[test]
fn an_order_known_before_goes_whole_to_the_account_that_a_later_record_names() {
    let script = "
        d1 ann purchase o1 1500
        d2 ann refund o1 200 account_id=k9
        d3 ann customer 1 account_id=k1";
    insta::assert_snapshot!(run_until("d5", RULES, script), @"d2+00:00:01 account:k9 vip.granted key_account gold");
}

#[test]
fn a_later_account_gets_the_orders_that_no_other_has() {
    let script = "
        d0 ann customer 1 account_id=k1
        d1 ann purchase o1 600
        d2 ann customer 2
        d3 ann purchase o2 700
        d4 ann customer 3 account_id=k2
        d5 ann refund o1 200";
    insta::assert_snapshot!(run_until("d6", RULES, script), @r"
    d1+00:00:01 account:k1 vip.granted key_account
    d1+00:00:02 ann vip.granted key_account
    d2 ann vip.revoked key_account rule_false
    d4+00:00:01 account:k2 vip.granted key_account
    d4+00:00:02 ann vip.granted key_account
    d5+00:00:01 account:k1 vip.revoked key_account refund_reversed
    ");
}

#[test]
fn who_is_merged_into_a_contact_brings_what_no_account_has() {
    let script = "
        d0 bob customer 1 account_id=k1
        d1 ann purchase o1 600
        d1 ann purchase o2 600 account_id=k2
        d2 ann customer 1 merged_into=bob
        d3 ann refund o2 200
        d4 ann refund o1 200";
    insta::assert_snapshot!(run_until("d5", RULES, script), @r"
    d1+00:00:01 account:k2 vip.granted key_account
    d2+00:00:02 account:k1 vip.granted key_account
    d2+00:00:03 bob vip.granted key_account
    d3+00:00:02 account:k2 vip.revoked key_account refund_reversed
    d4+00:00:02 account:k1 vip.revoked key_account refund_reversed
    d4+00:00:03 bob vip.revoked key_account rule_false
    ");
}

#[test]
fn what_went_to_an_account_stays_there_when_its_contact_is_merged() {
    let script = "
        d0 ann customer 1 account_id=k1
        d1 ann purchase o1 600
        d2 ann customer 2 account_id=k1 merged_into=bob
        d3 bob customer 1 account_id=k2
        d4 bob refund o1 200";
    insta::assert_snapshot!(run_until("d5", RULES, script), @r"
    d1+00:00:01 account:k1 vip.granted key_account
    d1+00:00:02 ann vip.granted key_account
    d2 ann vip.revoked key_account merged
    d4+00:00:01 account:k1 vip.revoked key_account refund_reversed
    ");
}

#[test]
fn what_two_knew_of_an_order_is_known_where_it_counts() {
    let script = "
        d0 bob customer 1 account_id=k1
        d1 ann purchase o1 600 account_id=k9
        d2 bob refund o1 200
        d3 ann customer 1 merged_into=bob";
    insta::assert_snapshot!(run_until("d5", RULES, script), @r"
    d1+00:00:01 account:k9 vip.granted key_account
    d3+00:00:02 account:k9 vip.revoked key_account rule_false
    ");
}

#[test]
fn the_same_words_of_two_contacts_are_two_complaints() {
    let rules = "
        features: { complaints: { count: mention, over: 30d } }
        programmes:
          unhappy: { profile: grievance, applies_to: account, grant: complaints >= 2 }";
    let script = "
        d0 ann customer 1 account_id=k1
        d0 bob customer 1 account_id=k1
        d1 ann mention p1 text=bad
        d1+1h ann mention p2 text=bad
        d1+2h bob mention p3 text=bad";
    insta::assert_snapshot!(run_until("d2", rules, script), @r"
    d1+02:00:01 account:k1 vip.granted unhappy
    d1+02:00:02 ann vip.granted unhappy
    d1+02:00:02 bob vip.granted unhappy
    ");
}

#[test]
fn who_leaves_holds_nothing_more_and_takes_nothing_away() {
    let script = "
        d0 ann customer 1 account_id=k1
        d0 bob customer 1 account_id=k1
        d1 ann purchase o1 600
        d2 ann customer 2 account_id=k2
        d3 ann purchase o2 100
        d4 bob erasure q1";
    insta::assert_snapshot!(run_until("d5", RULES, script), @r"
    d1+00:00:01 account:k1 vip.granted key_account
    d1+00:00:02 ann vip.granted key_account
    d1+00:00:02 bob vip.granted key_account
    d2 ann vip.revoked key_account rule_false
    d4 bob vip.revoked key_account erased
    ");
}

#[test]
fn a_contact_is_told_why_and_sent_to_the_accounts_manager() {
    let script = "
        d0 k1 account 1 name=Acme account_manager=mia
        d0 ann customer 1 account_id=k1 name=Ann
        d1 ann purchase o1 600
        d2 ann purchase o2 1";
    let said = in_full(RULES, script);
    let grant = said.iter().find(|it| it["type"] == "vip.granted" && it["customer_id"] == "ann").expect("a grant");
    assert_eq!(grant["account_id"], "k1");
    assert_eq!(
        grant["evidence"],
        json!([{ "feature": "account.held.key_account", "value": true, "holds": true, "sample": [] }])
    );
    assert_eq!((&grant["routing"]["agent"], &grant["routing"]["reason"]), (&json!("mia"), &json!("account_manager")));
    assert_eq!(grant["greeting"], "Welcome Ann");
    let account =
        said.iter().find(|it| it["type"] == "vip.granted" && it["customer_id"].is_null()).expect("the account's");
    assert_eq!((&account["account_id"], &account["greeting"]), (&json!("k1"), &json!("Welcome Acme")));
    assert_eq!(account["evidence"][0]["value"], "600");
}

#[test]
fn what_an_account_is_and_free_attributes_are_facts() {
    let rules = "
        programmes:
          target:
            profile: target
            grant: account.tier == 'A' && account.icp_fit >= 0.8
          renewing:
            profile: value
            grant: days_since(account.renewal_on) > -30 && account.attributes.seats >= 40
        labels:
          reference: attributes.reference == 'yes'";
    let script = "
        d0 ann customer 1 account_id=k1 attributes={\"reference\":\"yes\"}
        d1 k1 account 1 tier=A icp_fit=0.9 renewal_on=2025-03-01 attributes={\"seats\":50}
        d2 bob customer 1 account_id=k1 attributes={\"reference\":7}
        d3 k1 account 2 tier=B icp_fit=0.9 renewal_on=2025-03-01 attributes={\"seats\":\"many\"}";
    insta::assert_snapshot!(run_until("d40", rules, script), @r"
    d0 ann cohort.entered reference
    d1+00:00:01 ann vip.granted target
    d2+00:00:02 bob vip.granted target
    d3+00:00:01 ann vip.revoked target rule_false
    d3+00:00:01 bob vip.revoked target rule_false
    ");
    let script = "
        d0 ann customer 1 account_id=k1
        d0 k1 account 1 tier=A icp_fit=0.9 renewal_on=2025-02-01 attributes={\"seats\":50}
        d1 ann presence s1 online";
    insta::assert_snapshot!(run_until("d70", rules, script), @r"
    d0+00:00:02 ann vip.granted target
    d2 ann vip.granted renewing
    ");
}

#[test]
fn an_alert_says_where_to_and_how_to_greet_where_no_programme_does() {
    let rules = "
        alerts:
          partner_online:
            on: presence
            when: role == 'partner'
            routing: { team: partners }
            greeting: Good to see you, {name}
          target_account_online:
            on: presence
            when: account.tier == 'A'
            routing: { team: b2b, agent: account_manager }";
    let script = "
        d0 k1 account 1 tier=A account_manager=mia
        d0 ann customer 1 account_id=k1 role=partner name=Ann
        d1 ann presence s1 online";
    let said = in_full(rules, script);
    assert_eq!(said.len(), 2);
    assert_eq!((&said[0]["kind"], &said[0]["routing"]["team"]), (&json!("partner_online"), &json!("partners")));
    assert_eq!(said[0]["greeting"], "Good to see you, Ann");
    assert_eq!((&said[1]["kind"], &said[1]["routing"]["agent"]), (&json!("target_account_online"), &json!("mia")));
    insta::assert_snapshot!(explain(rules, script), @r"
    d1 ann agent.alert partner_online normal expires_at=d1+00:01:30
      role partner == partner holds
    d1 ann agent.alert target_account_online normal expires_at=d1+00:01:30
      account.tier A == A holds
    ");
}

/// What `vip.status` says of accounts.
fn standings(until: &str, script: &str) -> String {
    let lines = topic_until(until, "vip.status", RULES, script).into_iter();
    let lines = lines.filter(|status| status["customer_id"].is_null()).map(|status| {
        let id = status["account_id"].as_str().expect("an account's").to_owned();
        let Some(at) = status["occurred_at"].as_str() else { return format!("{id} nothing\n") };
        let [standing, routing, name] = ["standing", "routing", "name"].map(|name| status[name].to_string());
        let rows = status["progress"][0]["rows"].to_string();
        format!("{} {id} {} {standing} {name} {routing}\n  {rows}\n", short_time(at), status["status_seq"])
    });
    lines.collect()
}

#[test]
fn an_account_has_a_standing_of_its_own_until_nothing_is_left_of_it() {
    let script = "
        d0 k1 account 1 name=Acme account_manager=mia
        d0 ann customer 1 account_id=k1
        d1 ann purchase o1 600
        d2 k1 account 2 name=Acme2 account_manager=mia
        d3 k2 account 1
        d4 zoe purchase o2 600 account_id=k3";
    insta::assert_snapshot!(standings("d60", script), @r#"
    d1+00:00:01 k1 1 ["key_account"] "Acme" {"team":"b2b","agent":"mia","channel":null,"reason":"account_manager","fallbacks":[{"team":"b2b","reason":"team"}]}
      [{"feature":"spend","window":"30d","value":"600","threshold":500,"op":">=","holds":true}]
    d2 k1 1 ["key_account"] "Acme2" {"team":"b2b","agent":"mia","channel":null,"reason":"account_manager","fallbacks":[{"team":"b2b","reason":"team"}]}
      [{"feature":"spend","window":"30d","value":"600","threshold":500,"op":">=","holds":true}]
    d4+00:00:01 k3 1 ["key_account"] null {"team":"b2b","agent":null,"channel":null,"reason":"team","fallbacks":[]}
      [{"feature":"spend","window":"30d","value":"600","threshold":500,"op":">=","holds":true}]
    d31 k1 2 [] "Acme2" null
      [{"feature":"spend","window":"30d","value":"0","threshold":500,"op":">=","holds":false}]
    k3 nothing
    "#);
}
