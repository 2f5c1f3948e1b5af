//! What must not matter: where epochs end, how many tasks share the customers, how inputs are partitioned,
//! which of order and refund comes first, and disorder within `lateness`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use vipstream::model::event::Kind;
use vipstream::model::murmur2;
use vipstream::model::time::EventTime;
use vipstream::replay;

use crate::support::generate::dice::Dice;
use crate::support::generate::{self, Generated};
use crate::support::judge;
use crate::support::model::Input;
use crate::support::script;

#[test]
fn where_epochs_end_changes_no_output() {
    for seed in 0..200 {
        let Generated { ruleset, inputs, until } = generate::stream(seed);
        let whole = replay::replay_memory(&ruleset, &inputs, until);
        for records in [1, 3, 17] {
            let split = replay::replay_memory_in_epochs(&ruleset, &inputs, until, records);
            assert_eq!(whole, split, "seed {seed} in epochs of {records} records");
        }
    }
}

#[test]
fn any_partitioning_by_customer_gives_the_same_outputs() {
    for seed in 0..200 {
        let Generated { ruleset, inputs, .. } = generate::ordered_stream(seed);
        let mut one: BTreeMap<Kind, Vec<Vec<u8>>> = BTreeMap::new();
        for (kind, lines) in inputs {
            one.entry(kind).or_default().extend(lines.into_iter().filter(|line| time(line).is_some() && !merges(line)));
        }
        for lines in one.values_mut() {
            lines.sort_by_key(|line| time(line));
        }
        let single: Vec<Input> = one.iter().map(|(kind, lines)| (*kind, lines.clone())).collect();
        let whole = decisions(&ruleset, &single);
        for partitions in [2, 5] {
            let mut dealt: Vec<Input> = Vec::new();
            for (kind, lines) in &single {
                for partition in 0..partitions {
                    let ours =
                        lines.iter().filter(|line| murmur2::home(entity(line).as_bytes(), partitions) == partition);
                    dealt.push((*kind, ours.cloned().collect()));
                }
            }
            assert_eq!(whole, decisions(&ruleset, &dealt), "seed {seed} in {partitions} partitions");
        }
    }
}

#[test]
fn an_order_and_its_refund_may_come_in_either_order() {
    for seed in 0..150 {
        let mut dice = Dice::new(seed);
        let mut purchases = Vec::new();
        for order in 0..3 + dice.below(5) {
            let minute = dice.number(0, 1_400);
            let amount = dice.pick(&["0", "10.01", "99.999999999", "250", "0.0000000001"]);
            let category = dice.pick(&["trip", "music"]);
            purchases.push(format!("d1+{minute}m ann purchase o{order} {amount} category={category} items={order}"));
            for refund in 0..dice.below(4) {
                let (minute, amount) = (dice.number(0, 1_400), dice.pick(&["0", "5", "10.01", "120"]));
                purchases.push(format!("d1+{minute}m ann refund o{order} {amount} refund_id=r{refund}"));
            }
            if dice.chance(20) {
                purchases.push(format!("d1+{}m ann cancel o{order}", dice.number(0, 1_400)));
            }
        }
        same_values_in_any_order(&mut dice, &purchases, &|dice, lines| dice.shuffle(lines));
    }
}

#[test]
fn disorder_within_lateness_gives_the_same_feature_values() {
    for seed in 0..150 {
        let mut dice = Dice::new(seed);
        let mut lines = Vec::new();
        for burst in 0..4 + dice.below(6) {
            lines.extend(burst_of_events(&mut dice, burst));
        }
        // A burst takes less than a minute, so whatever is done to its order is disorder within a minute.
        same_values_in_any_order(&mut dice, &lines, &|dice, lines| {
            let bursts = lines.chunk_by_mut(|a, b| a.split('+').next() == b.split('+').next());
            bursts.for_each(|burst| dice.shuffle(burst));
        });
    }
}

/// A minute's events of a day, no business key twice in the whole stream.
fn burst_of_events(dice: &mut Dice, burst: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for number in 0..3 + dice.below(8) {
        let at = format!("d{}+{}s{}ms", burst * 3, dice.number(0, 58), dice.number(0, 999));
        let (former, version) = (dice.below(burst + 1), burst * 10 + number);
        let word = dice.pick(&["a", "b"]);
        lines.push(match dice.below(11) {
            0 | 1 => {
                format!("{at} ann purchase o{burst}{number} {} category={word} items={number}", dice.number(0, 300))
            }
            2 => format!("{at} ann refund o{former}{number} 7.5 refund_id=r{version}"),
            3 => format!("{at} ann csat i{former} {} revision={version}", dice.number(1, 5)),
            4 => format!("{at} ann case k{former} {version} {} reopens={number}", dice.pick(&["opened", "closed"])),
            5 => format!(
                "{at} ann referral n{version} {} value={number} currency=EUR",
                dice.pick(&["signed_up", "converted"])
            ),
            6 => format!("{at} ann mention p{version} sentiment=0.{number} followers={number}"),
            7 => format!("{at} ann mention p{former}3 update text=u{version} sentiment=-0.{number}"),
            8 => format!("{at} ann presence s{former} {} ttl_s={}", dice.pick(&["online", "offline"]), 60 + version),
            9 => format!("{at} ann engagement g{version} {} campaign_id={word}", dice.pick(&["click", "open"])),
            _ => format!("{at} ann mention p{version} {} text=x{version}", dice.pick(&["delete", "repost"])),
        });
    }
    lines.sort_by_key(|line| script::time(line.split(' ').next().expect("a line begins with its time")));
    lines
}

/// A rule on the last line reads every feature; its evidence must not depend on the order of the other lines.
fn same_values_in_any_order(dice: &mut Dice, lines: &[String], disturb: &dyn Fn(&mut Dice, &mut [String])) {
    let ruleset = script::with_head(VALUES);
    let expected = values(&ruleset, lines);
    assert!(expected.len() >= 30, "every feature has its row: {expected:?}");
    for _ in 0..3 {
        let mut disturbed = lines.to_vec();
        disturb(dice, &mut disturbed);
        assert_eq!(expected, values(&ruleset, &disturbed), "\n{}\nagainst\n{}", lines.join("\n"), disturbed.join("\n"));
    }
}

fn values(ruleset: &str, lines: &[String]) -> Vec<String> {
    let script = format!("{}\nd40 ann case probe 1 escalated", lines.join("\n"));
    let outputs = judge::judged(ruleset, &script::inputs(&script), None);
    let alert: Json = serde_json::from_str(outputs["vip.alerts"].last().expect("the probe alerts")).expect("JSON");
    let mut rows = alert["evidence"].as_array().expect("evidence is a list").clone();
    for row in &mut rows {
        row["sample"] = Json::Array(Vec::new());
    }
    rows.iter().map(script::row_in_short).collect()
}

const VALUES: &str = "
    lateness: 1m
    features:
      orders: { count: purchase, over: 90d }
      orders_30d: { count: purchase, over: 30d }
      big: { count: purchase, where: amount >= 100, over: 90d }
      spend: { sum: purchase.amount, over: 90d }
      spend_quarter: { sum: purchase.amount, over: quarter }
      spend_all: { sum: purchase.amount }
      points: { sum: purchase.amount / 7, over: 39d }
      mean: { avg: purchase.amount, over: year }
      kinds: { distinct: purchase.category, over: 90d }
      last_items: { last: purchase.items }
      first_items: { first: purchase.items }
      bad: { count: csat, where: satisfaction <= 0.4, over: 90d }
      mood: { avg: csat.satisfaction, over: 38d }
      score: { last: csat.score }
      open: { count: case, where: state != 'closed', over: 90d }
      reopens: { sum: case.reopens }
      won: { count: referral, where: status == 'converted', over: 37d }
      value: { sum: referral.value }
      posts: { count: mention, over: 90d }
      feeling: { avg: mention.sentiment }
      reach: { sum: mention.followers, over: 36d }
      seen: { count: presence, over: 35d }
      sessions: { distinct: presence.session_id }
      clicks: { count: engagement, where: action == 'click', over: 34d }
      campaign: { last: engagement.campaign_id }
      first_campaign: { first: engagement.campaign_id, over: 39d }
    alerts:
      escalation:
        on: case
        when: >-
          state == 'escalated' && (has(f.orders) || has(f.orders_30d) || has(f.big) || has(f.spend)
          || has(f.spend_quarter) || has(f.spend_all) || has(f.points) || has(f.mean) || has(f.kinds)
          || has(f.last_items) || has(f.first_items) || has(f.bad) || has(f.mood) || has(f.score) || has(f.open)
          || has(f.reopens) || has(f.won) || has(f.value) || has(f.posts) || has(f.feeling) || has(f.reach)
          || has(f.seen) || has(f.sessions) || has(f.clicks) || has(f.campaign) || has(f.first_campaign)
          || has(f.first_purchase) || has(f.last_purchase) || has(f.last_seen) || subscribed)";

/// Whether it says that two customers are one. Where each knows the same version of one thing with another content, the
/// one stands whose record lies first: that goes by partitions.
fn merges(line: &[u8]) -> bool {
    String::from_utf8_lossy(line).contains("merged_into")
}

/// Whose task a line belongs to; a line that is no event goes anywhere.
fn entity(line: &[u8]) -> String {
    let event: Json = serde_json::from_slice(line).unwrap_or_default();
    let word = |name: &str| event[name].as_str().unwrap_or_default();
    match event["customer_id"].as_str() {
        Some(id) => id.to_owned(),
        None => format!("{}:{}", word("platform"), word("handle")),
    }
}

/// The time of a line that has one.
fn time(line: &[u8]) -> Option<i64> {
    let event: Json = serde_json::from_slice(line).ok()?;
    let text = match &event["occurred_at"] {
        Json::Number(millis) => return millis.as_i64().filter(|millis| *millis >= 0),
        other => other.as_str()?,
    };
    let instant: jiff::Timestamp = text.parse().ok()?;
    Some(instant.as_millisecond())
}

/// Decisions and alerts up to the end of time, without what tells one source of the same events from another.
fn decisions(ruleset: &str, inputs: &[Input]) -> Vec<String> {
    let outputs = judge::engine(replay::replay_memory(ruleset, inputs, Some(EventTime(4_102_444_800_000))));
    let lines = outputs["vip.events"].iter().chain(&outputs["vip.alerts"]);
    let mut lines: Vec<String> = lines.map(|line| without_source(line)).collect();
    lines.sort();
    lines
}

fn without_source(line: &str) -> String {
    let mut output: Json = serde_json::from_str(line).expect("an output is JSON");
    output["decided_at"] = Json::Null;
    output["run_id"] = Json::Null;
    if let Some(trigger) = output["trigger"].as_object_mut() {
        trigger.retain(|name, _| name == "topic" || name == "event_id");
    }
    for list in ["evidence", "missing"] {
        for row in output.get_mut(list).and_then(Json::as_array_mut).into_iter().flatten() {
            row["sample"] = Json::Null;
        }
    }
    output.to_string()
}
