//! What is said beside the decisions: the whole standing after each look that decided, and decisions that nobody sees.

use serde_json::{Value as Json, json};

use crate::support::script::{row_in_short, run_until, short_time, topic_until};

const RULES: &str = "
    features:
      spend_10d: { sum: purchase.amount, over: 10d }
      orders: { count: purchase }
    programmes:
      big:
        profile: value
        grant: spend_10d >= 100
        keep: spend_10d >= 50
        tiers: { gold: spend_10d >= 500, silver: 'true' }
        tenure: 20d
        grace: 5d
        entitlements: [queue, gift]
      buyer:
        profile: volume
        grant: orders >= 2
        entitlements: [gift, card]
        greeting: Hello {name}
        routing: { team: desk }
    labels:
      fresh: spend_10d > 0
    weights: { gold: 3, silver: 2 }";

/// When, who, the number of the newest decision, and what a router reads.
fn standings(until: &str, script: &str) -> String {
    let lines = topic_until(until, "vip.status", RULES, script).into_iter().map(|status| {
        let word = |name: &str| status[name].as_str().unwrap_or("-").to_owned();
        if status["event_id"].is_null() {
            return format!("{} erased\n", word("customer_id"));
        }
        let programmes = status["programmes"].as_array().expect("a list").iter().map(|it| {
            let until = it["valid_until"].as_str().map(|end| format!(" until={}", short_time(end))).unwrap_or_default();
            let tier = it["tier"].as_str().map(|tier| format!(" {tier}")).unwrap_or_default();
            format!(
                "{}{tier} since={}{until}",
                it["programme"].as_str().unwrap(),
                short_time(it["since"].as_str().unwrap())
            )
        });
        let programmes: Vec<String> = programmes.collect();
        let at = short_time(&word("occurred_at"));
        let Json::Array(labels) = &status["labels"] else { panic!("labels are a list") };
        let labels: Vec<&str> = labels.iter().filter_map(Json::as_str).collect();
        format!(
            "{at} {} {} [{}] {} weight {} {}\n",
            word("customer_id"),
            status["status_seq"],
            programmes.join(", "),
            labels.join(" "),
            status["weight"],
            word("greeting")
        )
    });
    lines.collect()
}

/// When, who, what, and until when.
fn audits(until: &str, script: &str) -> String {
    let lines = topic_until(until, "vip.audit", RULES, script).into_iter().map(|audit| {
        let word = |name: &str| audit[name].as_str().unwrap_or("-").to_owned();
        let until = audit["until"].as_str().map(|until| format!(" until={}", short_time(until))).unwrap_or_default();
        let tiers =
            if audit.get("from").is_some() { format!(" {}>{}", word("from"), word("to")) } else { String::new() };
        let at = short_time(&word("occurred_at"));
        format!("{at} {} {} {}{tiers}{until}\n", word("customer_id"), word("programme"), word("decision"))
    });
    lines.collect()
}

#[test]
fn a_look_that_decides_several_things_says_the_standing_once_after_them() {
    let script = "
        d0 ann customer 1 name=Ann
        d0 ann purchase o1 600
        d1 ann purchase o2 10
        d1 bob purchase o3 0";
    insta::assert_snapshot!(standings("d40", script), @r"
    d0 ann 2 [big gold since=d0] fresh weight 3 -
    d1 ann 3 [big gold since=d0, buyer since=d1] fresh weight 3 Hello Ann
    d11 ann 4 [big gold since=d0, buyer since=d1]  weight 3 Hello Ann
    d20 ann 5 [big gold since=d0 until=d25, buyer since=d1]  weight 3 Hello Ann
    d25 ann 6 [buyer since=d1]  weight 1 Hello Ann
    ");
}

#[test]
fn a_grace_that_is_said_shows_when_it_ends() {
    insta::assert_snapshot!(standings("d40", "d0 ann purchase o1 100"), @r"
    d0 ann 2 [big silver since=d0] fresh weight 2 -
    d10 ann 3 [big silver since=d0]  weight 2 -
    d20 ann 4 [big silver since=d0 until=d25]  weight 2 -
    d25 ann 5 []  weight 1 -
    ");
}

#[test]
fn what_tenure_and_grace_hold_is_said_once_when_it_begins_and_once_when_it_ends() {
    let script = "
        d0  ann purchase o1 600
        d1  ann purchase o2 1
        d12 ann purchase o3 1
        d13 ann purchase o4 60
        d14 ann purchase o5 600
        d30 bob purchase o6 600";
    insta::assert_snapshot!(audits("d60", script), @r"
    d10 ann big held_by_tenure until=d20
    d10 ann big tier_held gold>silver until=d20
    d13 ann big kept_in_tenure
    d14 ann big tier_kept
    d40 bob big held_by_tenure until=d50
    d40 bob big tier_held gold>silver until=d50
    ");
}

#[test]
fn a_profile_that_changes_says_the_standing_again_where_there_is_one() {
    let script = "
        d0 ann customer 1 name=Ann account_id=acme preferred_channel=phone
        d0 bob customer 1 name=Bob
        d1 ann purchase o1 600
        d1 ann purchase o2 10
        d2 ann customer 2 name=Anna
        d2 ann customer 1 name=An
        d3 ann erasure q1";
    insta::assert_snapshot!(standings("d3", script), @r"
    d1 ann 2 [big gold since=d1] fresh weight 3 -
    d1 ann 3 [big gold since=d1, buyer since=d1] fresh weight 3 Hello Ann
    d2 ann 3 [big gold since=d1, buyer since=d1] fresh weight 3 Hello Anna
    ann erased
    ");
    let said = topic_until("d3", "vip.status", RULES, script);
    let named: Vec<[&Json; 3]> =
        said.iter().map(|it| ["name", "account_id", "channel"].map(|name| &it[name])).collect();
    assert_eq!(named[0], [&json!("Ann"), &json!("acme"), &json!("phone")]);
    assert_eq!(named[2], [&json!("Anna"), &Json::Null, &Json::Null]);
    assert_eq!(said[1]["entitlements"], json!(["queue", "gift", "card"]));
    assert_eq!(said[1]["routing"]["team"], "desk");
}

#[test]
fn nobody_of_whom_nothing_was_decided_has_a_standing() {
    let script = "
        d0 ann customer 1 name=Ann
        d1 ann purchase o1 0
        d2 ann erasure q1";
    assert_eq!(run_until("d10", RULES, script), "");
    assert_eq!(standings("d10", script), "");
}

#[test]
fn progress_is_told_of_every_programme_without_samples() {
    let said = topic_until("d0", "vip.status", RULES, "d0 ann purchase o1 60");
    let progress: Vec<String> = said[0]["progress"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| {
            assert!(it["rows"][0].get("sample").is_none(), "{it}");
            let mut row = it["rows"][0].clone();
            row["sample"] = json!([]);
            format!("{} {} {}", it["programme"], it["held"], row_in_short(&row))
        })
        .collect();
    assert_eq!(progress, [r#""big" false spend_10d/10d 60 >= 100 fails"#, r#""buyer" false orders 1 >= 2 fails"#]);
}

#[test]
fn whoever_is_merged_points_to_whose_standing_holds_now_be_it_never_decided_about() {
    let script = "
        d0 bob purchase o1 600
        d1 ann customer 1 merged_into=bob
        d2 cid customer 1 merged_into=ann
        d3 ann customer 2 merged_into=bob name=Ann
        d4 cid customer 2
        d5 bob erasure q1";
    let lines = topic_until("d40", "vip.status", RULES, script).into_iter().map(|status| {
        let word = |name: &str| status[name].as_str().unwrap_or("-").to_owned();
        let at = if status["event_id"].is_null() { "erased".to_owned() } else { short_time(&word("occurred_at")) };
        format!("{at} {} {} into {}\n", word("customer_id"), status["status_seq"], word("merged_into"))
    });
    insta::assert_snapshot!(lines.collect::<String>(), @r"
    d0 bob 2 into -
    d1 ann 0 into bob
    d2 cid 0 into ann
    d3 ann 0 into bob
    d4 cid 0 into -
    erased bob null into -
    d5+00:00:01 ann 0 into -
    ");
}
