use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;

fn shape(events: u64) -> Shape {
    Shape { events, customers: 500, ..Shape::default() }
}

fn value(record: &Generated) -> Value {
    serde_json::from_slice(&record.json).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&record.json)))
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let all = |seed| Load::new(Shape { seed, ..shape(3_000) }).collect::<Vec<_>>();
    assert_eq!(all(4), all(4));
    assert_ne!(all(4), all(5));
}

#[test]
fn as_many_records_as_asked_for_arrive_in_order_within_the_span() {
    let shape = shape(20_000);
    let (start, end) = (shape.start, shape.start.plus(shape.span));
    let all: Vec<Generated> = Load::new(shape).collect();
    assert_eq!(all.len(), 20_000);
    assert!(all.is_sorted_by_key(|record| record.at));
    assert!(all[0].at >= start && all[19_999].at <= end);
    assert!(all[19_999].at.0 > end.0 - DAY_MS, "the span is used to its end");
}

#[test]
fn flawless_traffic_is_json_whose_times_and_keys_agree_with_the_record() {
    let mix = "purchase=6,presence=2,csat=1,mention=2,referral=1,case=1,engagement=1".parse().unwrap();
    let mut kinds = BTreeMap::new();
    for record in Load::new(Shape { mix, ..shape(20_000).flawless() }) {
        let value = value(&record);
        assert_eq!(value["occurred_at"], record.at.to_string());
        assert_eq!(value.get("customer_id").and_then(Value::as_str), record.key.as_ref().map(CustomerId::as_str));
        *kinds.entry(record.kind).or_insert(0) += 1;
    }
    assert_eq!(kinds.len(), 7, "{kinds:?}");
}

#[test]
fn the_kinds_have_their_shares_of_the_records() {
    let mut kinds = BTreeMap::new();
    for record in Load::new(shape(200_000).flawless()) {
        *kinds.entry(record.kind).or_insert(0_u32) += 1;
    }
    for (kind, percent) in
        [(Kind::Purchase, 60), (Kind::Presence, 15), (Kind::Csat, 10), (Kind::Mention, 10), (Kind::Referral, 5)]
    {
        let seen = kinds[&kind];
        assert!(seen.abs_diff(percent * 2_000) < 2_000, "{kind:?}: {seen}");
    }
}

#[test]
fn refunds_name_orders_that_came_before_and_conversions_people_who_signed_up() {
    let (mut orders, mut referrals) = (BTreeMap::new(), BTreeSet::new());
    let (mut refunds, mut conversions) = (0, 0);
    for record in Load::new(shape(50_000).flawless()) {
        let value = value(&record);
        let status = value["status"].as_str().unwrap_or_default();
        match (record.kind, status) {
            (Kind::Purchase, "completed") => {
                orders.insert(value["order_id"].to_string(), value["occurred_at"].clone());
            }
            (Kind::Purchase, "refunded") => {
                refunds += 1;
                assert_eq!(orders[&value["order_id"].to_string()], value["refunds_order_at"]);
            }
            (Kind::Referral, "signed_up") => assert!(referrals.insert(value["referral_id"].to_string())),
            (Kind::Referral, "converted") => {
                conversions += 1;
                assert!(referrals.contains(&value["referral_id"].to_string()));
            }
            _ => {}
        }
    }
    assert!(refunds > 300 && conversions > 300, "{refunds} {conversions}");
}

#[test]
fn visits_open_beat_and_close() {
    let mut open = BTreeMap::new();
    let (mut beats, mut closed) = (0, 0);
    for record in Load::new(shape(50_000).flawless()).filter(|record| record.kind == Kind::Presence) {
        let value = value(&record);
        let session = value["session_id"].to_string();
        match value["state"].as_str().unwrap() {
            "online" => assert!(open.insert(session, record.at).is_none()),
            "heartbeat" => {
                let last = open.insert(session, record.at).unwrap();
                assert_eq!(record.at.0 - last.0, 60_000);
                beats += 1;
            }
            _ => {
                assert!(open.remove(&session).is_some());
                closed += 1;
            }
        }
    }
    assert!(beats > 1_000 && closed > 1_000);
}

#[test]
fn flaws_come_as_often_as_asked_for() {
    let shape = Shape { duplicates: 0.02, late: 0.03, malformed: 0.01, ..shape(50_000) };
    let (mut twice, mut late, mut broken) = (0_u32, 0_u32, 0_u32);
    let mut seen = BTreeSet::new();
    for record in Load::new(shape) {
        if !seen.insert(record.json.clone()) && record.json != b"[1,2,3]" {
            twice += 1;
            continue;
        }
        let value = serde_json::from_slice::<Value>(&record.json).ok();
        let time = value.as_ref().and_then(|value| value["occurred_at"].as_str()?.parse::<jiff::Timestamp>().ok());
        match time {
            Some(time) if value.is_some_and(|value| value.get("event_id").is_some()) => {
                late += u32::from(time.as_millisecond() < record.at.0);
            }
            _ => broken += 1,
        }
    }
    assert!((700..1_300).contains(&twice), "{twice}");
    assert!((900..1_800).contains(&late), "{late}");
    assert!((300..700).contains(&broken), "{broken}");
}

#[test]
fn customers_fall_silent_and_the_busiest_do_most() {
    let mut last: BTreeMap<CustomerId, (u32, EventTime)> = BTreeMap::new();
    let shape = shape(50_000).flawless();
    let end = shape.start.plus(shape.span);
    for record in Load::new(shape) {
        if let Some(key) = record.key {
            let entry = last.entry(key).or_default();
            *entry = (entry.0 + 1, record.at);
        }
    }
    let silent = last.values().filter(|(count, at)| *count > 20 && at.0 < end.0 - 60 * DAY_MS).count();
    assert!(silent > 20, "{silent} of {}", last.len());
    let mut counts: Vec<u32> = last.values().map(|(count, _)| *count).collect();
    counts.sort_unstable();
    let busiest: u32 = counts.iter().rev().take(50).sum();
    assert!(busiest > 15_000, "the busiest tenth does {busiest} of 50000");
}

#[test]
fn daylight_keeps_order_and_days() {
    let mut before = -1;
    for ms in (0..2 * DAY_MS).step_by(60_000) {
        let warped = by_daylight(ms);
        assert!(warped > before && warped / DAY_MS == ms / DAY_MS, "{ms}: {warped}");
        before = warped;
    }
}
