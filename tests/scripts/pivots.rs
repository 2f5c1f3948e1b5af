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

/// Two who turn at once are a shift, and it lasts for ten days after that.
const MANY: &str = "
    settle: 1h
    features:
      orders: { count: purchase }
    pivots: { BUDGET, kinds: [KIND], population: { pivots: WHAT, over: 10d, times: 0, least: 2 } }
    labels:
      many: orders >= 1";

/// What is told of pivots, in short: when, of whom, what, and of one that waited when it was found.
fn told(rules: &str, script: &str) -> Vec<String> {
    let in_short = |line: &Json| {
        let word = |name: &str| line[name].as_str().unwrap_or_default();
        let at = |name: &str| word(name).get(..10).unwrap_or_default();
        let what = if line["type"] == "population.shift" {
            format!("shift {} of {}", word("phase"), line["customers"])
        } else {
            let of = if word("of").is_empty() { String::new() } else { format!(" {}", word("of")) };
            let found = if at("found_at").is_empty() { String::new() } else { format!(", found {}", at("found_at")) };
            let shift = if word("shift").is_empty() { "" } else { ", of the shift" };
            format!("{} {}{of} {}{found}{shift}", word("customer_id"), word("kind"), word("level"))
        };
        format!("{} {what}", at("occurred_at"))
    };
    topic_until("d900", "vip.pivots", rules, script).iter().map(in_short).collect()
}

fn many(budget: &str, kind: &str, what: &str) -> String {
    MANY.replace("BUDGET", budget).replace("KIND", kind).replace("WHAT", what)
}

/// The same habit of several customers, each from a day on.
fn habits(of: &[(&str, usize)]) -> String {
    let habit = |(who, first): &(&str, usize)| habit(*first, 12).replace("ann", who).replace(" o", &format!(" {who}"));
    in_order(&of.iter().map(habit).collect::<String>())
}

/// Lines in the order of their days.
fn in_order(script: &str) -> String {
    let mut lines: Vec<&str> = script.lines().collect();
    lines.sort_by_key(|line| line[1..].split(' ').next().and_then(|day| day.parse::<u32>().ok()));
    lines.join("\n") + "\n"
}

#[test]
fn while_many_turn_a_pivot_waits_and_is_told_if_it_still_stands() {
    let script = habits(&[("ann", 0), ("bob", 0), ("eve", 3), ("dan", 3)]) + "d227 dan purchase back 50.00";
    let held = told(&many("alert: 0.5 per 100 customer-years", "silence", "hold"), &script);
    let begun = ["2025-09-10 ann silence alert", "2025-09-10 bob silence alert", "2025-09-10 shift began of 2"];
    let waited = [
        "2025-09-20 shift ended of 3",
        "2025-09-30 eve silence alert, found 2025-09-13, of the shift",
        // Dan came back meanwhile: nothing is told of that, but of the next silence.
        "2025-12-18 dan silence alert",
    ];
    assert_eq!(held, [&begun[..], &waited].concat());
}

#[test]
fn a_pivot_of_a_shift_that_is_marked_names_it() {
    let script = habits(&[("ann", 0), ("bob", 0), ("eve", 3)]);
    let marked = told(&many("alert: 0.5 per 100 customer-years", "silence", "mark"), &script);
    assert_eq!(marked[2..4], ["2025-09-10 shift began of 2", "2025-09-13 eve silence alert, of the shift"]);
}

#[test]
fn what_waits_goes_with_whoever_is_merged_and_is_told_of_the_survivor() {
    let script = habits(&[("ann", 0), ("bob", 0), ("eve", 3)]) + "d225 eve customer 1 merged_into=fay";
    let held = told(&many("alert: 0.5 per 100 customer-years", "silence", "hold"), &script);
    assert_eq!(held[4..], ["2025-09-30 fay silence alert, found 2025-09-13, of the shift"]);
}

#[test]
fn nothing_waits_of_whoever_is_erased() {
    let script = habits(&[("ann", 0), ("bob", 0), ("eve", 3)]) + "d225 eve erasure r1";
    let held = told(&many("alert: 0.5 per 100 customer-years", "silence", "hold"), &script);
    assert_eq!(held[2..], ["2025-09-10 shift began of 2", "2025-09-20 shift ended of 2"]);
}

#[test]
fn an_alert_waits_though_its_watch_was_told() {
    let script = habits(&[("ann", 0), ("bob", 3), ("eve", 3)]);
    let budget = "watch: 5 per 100 customer-years, alert: 0.5 per 100 customer-years";
    let rules = many(budget, "silence", "hold").replace("over: 10d", "over: 30d");
    let all = told(&rules, &script);
    let (watched, alerted) = all.split_at(4);
    assert_eq!(watched[2..], ["2025-08-15 eve silence watch", "2025-08-15 shift began of 3"]);
    let waited = [
        // After thirty days it is what customers do now: nobody waits any longer.
        "2025-09-11 shift ended of 3",
        "2025-09-11 ann silence alert, found 2025-09-10, of the shift",
        "2025-09-13 bob silence alert",
        "2025-09-13 eve silence alert",
    ];
    assert_eq!(alerted, waited);
}

#[test]
fn an_alert_without_an_end_that_waits_is_told_though_its_customer_is_merged() {
    let returns = |who: &str, first: usize| {
        let orders = (0..24).map(|at| format!("d{} {who} purchase {who}{at} 50.00\n", first + 5 * at));
        let refunds = (14..24).map(|at| format!("d{} {who} refund {who}{at} 50\n", first + 5 * at + 1));
        orders.chain(refunds).collect::<String>()
    };
    let script =
        in_order(&(returns("ann", 0) + &returns("bob", 0) + &returns("eve", 3) + "d95 eve customer 1 merged_into=fay"));
    let held = told(&many("alert: 0.5 per 100 customer-years", "refunds_rose", "hold"), &script);
    assert_eq!(held[4..], ["2025-04-17 fay refunds_rose alert, found 2025-03-31, of the shift"]);
}
