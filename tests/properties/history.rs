//! Real purchases and posts under the example ruleset written for them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value as Json;
use vipstream::model::time::EventTime;

use crate::support::history;
use crate::support::judge::judged;

#[test]
fn real_history_is_decided_as_the_model_decides_it() {
    let until = EventTime(history::UNTIL.parse::<Timestamp>().expect("a time").as_millisecond());
    let outputs = judged(&history::rules(), &history::inputs(), Some(until));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in outputs.values().flatten() {
        let line: Json = serde_json::from_str(line).expect("an output is JSON");
        *counts.entry(line["type"].as_str().expect("a type").to_owned()).or_default() += 1;
    }
    println!("{counts:#?}");
    for kind in ["vip.granted", "vip.revoked", "vip.changed", "vip.expiring", "cohort.entered", "agent.alert"] {
        assert!(counts.get(kind).is_some_and(|count| *count > 1), "hardly any {kind}: {counts:?}");
    }
    print_agreement(&outputs["vip.alerts"]);
}

/// How well complaints agree with what twenty people felt about each post.
fn print_agreement(alerts: &[String]) {
    let ratings = history::read(&history::file("valence.csv"));
    let rated: BTreeMap<&str, f64> = ratings
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','))
        .map(|(post, valence)| (post, valence.parse().expect("a rating")))
        .collect();
    let posts: BTreeMap<String, String> = history::inputs()[1]
        .1
        .iter()
        .map(|line| serde_json::from_slice::<Json>(line).expect("a post"))
        .map(|post| (text(&post["event_id"]), text(&post["post_id"])))
        .collect();
    let alerted: Vec<f64> = alerts
        .iter()
        .map(|line| serde_json::from_str::<Json>(line).expect("an alert"))
        .map(|alert| rated[posts[&text(&alert["trigger"]["event_id"])].as_str()])
        .collect();
    let below = |bound: f64| alerted.iter().filter(|valence| **valence < bound).count();
    let bad = |bound: f64| rated.values().filter(|valence| **valence < bound).count();
    println!("complaint alerts against the human ratings (-4 to 4), {} posts:", rated.len());
    println!("{:>34} {:>7} {:>9} {:>7}", "", "alerts", "precision", "recall");
    for (name, bound) in [("rated below 0", 0.0), ("rated below -1 (clearly negative)", -1.0)] {
        let (hits, of) = (below(bound), bad(bound));
        let share = |part: usize, whole: usize| {
            let count = |count: usize| f64::from(u32::try_from(count).expect("few posts"));
            100.0 * count(part) / count(whole.max(1))
        };
        let (precision, recall) = (share(hits, alerted.len()), share(hits, of));
        println!("{name:>34} {:>7} {precision:>8.1}% {recall:>6.1}%", alerted.len());
    }
    assert!(below(0.0) * 10 >= alerted.len() * 9, "nine of ten alerts are about posts that people found negative");
}

fn text(value: &Json) -> String {
    value.as_str().expect("a text").to_owned()
}
