//! Who no longer behaves as they used to is told of, and so is when that is over.

use serde_json::Value as Json;

use crate::support::script::{row_in_short, topic_until};

const RULES: &str = "
    features:
      orders: { count: purchase }
    pivots: { alert: 0.5 per 100 customer-years, kinds: [silence], for: \"FOR\" }
    labels:
      silent: pivot.silence";

/// An order each 14 days, the first on a day.
fn habit(first: usize, orders: usize) -> String {
    let days = (0..orders).map(|at| first + 14 * at);
    let lines: Vec<String> = days.map(|day| format!("d{day} ann purchase o{day} 50.00")).collect();
    lines.join("\n") + "\n"
}

/// What a topic says, each line in short: whose, what, which and by what.
fn said(topic: &str, of: &str, script: &str) -> Vec<String> {
    let lines = topic_until("d900", topic, &RULES.replace("FOR", of), script);
    let in_short = |line: &Json| {
        let word = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
        let what = if topic == "vip.pivots" {
            format!("{} {} {}", word("kind"), word("of"), word("level"))
        } else {
            word("label")
        };
        let by = line["trigger"]["event_id"].as_str().unwrap_or("time");
        format!("{} {} {what} by {by}", word("customer_id"), word("type"))
    };
    lines.iter().map(in_short).collect()
}

#[test]
fn whoever_falls_silent_is_told_of_without_an_event_and_again_when_they_are_back() {
    let script = habit(0, 12) + "d500 ann purchase back 50.00";
    assert_eq!(
        said("vip.pivots", "orders >= 0", &script),
        [
            "ann behavior.pivot silence - alert by time",
            "ann behavior.pivot recovered silence alert by e13",
            // Nobody comes after the return either.
            "ann behavior.pivot silence - alert by time",
        ]
    );
    assert_eq!(
        said("vip.events", "orders >= 0", &script),
        ["ann cohort.entered silent by time", "ann cohort.left silent by e13", "ann cohort.entered silent by time"]
    );
    let rules = RULES.replace("FOR", "orders >= 0");
    let (pivots, labels) =
        (topic_until("d900", "vip.pivots", &rules, &script), topic_until("d900", "vip.events", &rules, &script));
    for (pivot, label) in pivots.iter().zip(&labels) {
        assert_eq!(pivot["occurred_at"], label["occurred_at"], "the label follows at once");
    }
    assert_eq!(pivots[1]["sentence"], "Buys again after 346 days of silence; usual is every 17 days.");
    assert_eq!((&pivots[1]["status_seq"], &labels[1]["status_seq"]), (&1.into(), &2.into()));
    assert_eq!(row_in_short(&labels[0]["evidence"][0]), "pivot.silence true holds");
}

#[test]
fn whoever_is_not_asked_for_is_watched_all_the_same_and_no_end_is_told_without_its_beginning() {
    let script = habit(0, 12) + &habit(500, 12);
    let second = ["ann behavior.pivot silence - alert by time"];
    assert_eq!(said("vip.pivots", "orders > 12", &script), second);
    assert_eq!(said("vip.pivots", "orders < 5", &script), [""; 0]);
}

#[test]
fn what_was_told_goes_with_whoever_is_merged() {
    let script = habit(0, 12)
        + "d500 ann customer 1 merged_into=bob
        d600 bob purchase back 50.00";
    assert_eq!(
        said("vip.pivots", "orders >= 0", &script)[..2],
        ["ann behavior.pivot silence - alert by time", "bob behavior.pivot recovered silence alert by e14"]
    );
    assert_eq!(
        said("vip.events", "orders >= 0", &script)[..4],
        [
            "ann cohort.entered silent by time",
            "ann cohort.left silent by e13",
            "bob cohort.entered silent by e13",
            "bob cohort.left silent by e14",
        ]
    );
}

#[test]
fn an_alert_on_a_pivot_goes_to_the_account_manager_with_what_was_found() {
    let rules = RULES.replace("FOR", "orders >= 0")
        + "
    alerts:
      gone: { on: pivot, level: alert, when: orders >= 5, due: 1d, routing: { team: success, agent: account_manager } }
      other: { on: pivot, kinds: [silence], when: orders < 5 }";
    let script = habit(0, 12) + "d3 ann customer 1 name=Ann account_manager=eve\nd500 ann purchase back 50.00";
    let (alerts, pivots) =
        (topic_until("d900", "vip.alerts", &rules, &script), topic_until("d900", "vip.pivots", &rules, &script));
    assert_eq!(alerts.len(), 2, "an end calls for nobody: {alerts:?}");
    let (alert, pivot) = (&alerts[0], &pivots[0]);
    for (name, value) in [("name", "gone"), ("kind", "pivot"), ("level", "alert"), ("origin", "timer")] {
        assert_eq!(alert[name], value);
    }
    assert_eq!((&alert["parent"], &alert["occurred_at"]), (&pivot["event_id"], &pivot["occurred_at"]));
    assert_eq!((&alert["routing"]["agent"], &alert["trigger"]), (&"eve".into(), &Json::Null));
    let rows: Vec<String> = alert["evidence"].as_array().unwrap().iter().map(row_in_short).collect();
    assert!(rows[0].starts_with("pivot.silence 0.0"), "{rows:?}");
    assert!(rows[1].starts_with("orders 12"), "{rows:?}");
}
