//! Whenever it is known that customers are one, in the end it is as if it had always been known.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::seeds::{self, Totals, caught};
use crate::support::generate::dice::Dice;
use crate::support::judge;
use crate::support::script::{inputs, time, with_head};

/// How many seeds a run tries.
const SEEDS: u64 = 150;

#[test]
fn merges_in_any_order_and_at_any_time_give_the_same_features() {
    let totals = seeds::all(SEEDS, compare, |seed, report| format!("seed {seed}: {report}"));
    println!("{totals:#?}");
    assert!(!seeds::is_whole_run() || totals["different"] >= 100, "nothing to tell apart: {totals:?}");
}

const RULES: &str = "
    features:
      orders: { count: purchase }
      spend: { sum: purchase.amount, over: 365d }
      trips: { sum: purchase.amount, where: category == 'trip' }
      last: { last: purchase.amount }
      answers: { count: csat }
      mood: { avg: csat.satisfaction }
      posts: { count: mention, over: 90d }
      friends: { distinct: referral.referred_customer_id, where: status == 'converted' }
      cases: { count: case, where: state == 'reopened' }
      clicks: { count: engagement, over: 60d }
      net: { sum: referred_purchase.amount }
      buyers: { distinct: referred_purchase.customer_id }
    programmes:
      a: { profile: value, grant: orders >= 999 && spend >= 99999 && trips >= 99999 && f.last >= 99999 && subscribed }
      b: { profile: value, grant: answers >= 999 || f.mood >= 99 || posts >= 999 || clicks >= 999 }
      c: { profile: value, grant: friends >= 999 || cases >= 999 || net >= 99999 || buyers >= 999 }
    labels:
      known: orders >= 0";

/// What is known of the survivor in the end, by when the three were merged.
fn compare(seed: u64) -> Result<Totals, String> {
    let mut dice = Dice::new(seed);
    let events = events(&mut dice);
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut different = 0;
    for round in 0..4 {
        let mut at = || if round == 0 { 0 } else { dice.below(25 * 24) };
        let merges = [
            format!("d0+{}h ann customer 1 merged_into=bob", at()),
            format!("d0+{}h bob customer 1 merged_into=cid", at()),
        ];
        let mut lines: Vec<&str> = events.iter().chain(&merges).map(String::as_str).collect();
        lines.sort_by_key(|line| time(line.split(' ').next().expect("a time")));
        let script = format!("{}\nd40 cid customer 1 name=Cid\nd40 eve customer 1 name=Eve", lines.join("\n"));
        let outputs = caught(|| Ok(judge::judged(&with_head(RULES), &inputs(&script), Some(time("d41")))))?;
        let progress_of = |id: &str| {
            let mut said = outputs["vip.status"].iter().rev().map(|line| serde_json::from_str(line).expect("JSON"));
            let last: Option<Json> = said.find(|it: &Json| it["customer_id"] == id);
            last.map_or(json!(null), |last| last["progress"].clone()).to_string()
        };
        // Eve refers the three, and the three refer others.
        let progress = ["cid", "eve"].map(progress_of).join("\n");
        different += u64::from(outputs["vip.events"].len() > 3);
        seen.entry(progress).or_insert(script);
    }
    if seen.len() == 1 {
        return Ok(Totals::from([("different".to_owned(), different)]));
    }
    let lines: Vec<String> = seen.iter().map(|(progress, script)| format!("{script}\n{progress}\n\n")).collect();
    Err(lines.concat())
}

/// Things that happen to three who are one: each is known under one id, or the same under two.
fn events(dice: &mut Dice) -> Vec<String> {
    let mut events = Vec::new();
    for number in 0..20 + dice.below(20) {
        let at = format!("d0+{}h", dice.below(20 * 24));
        let ids = ["ann", "bob", "cid"];
        let (one, other) = (*dice.pick(&ids), *dice.pick(&ids));
        let thing = dice.below(6);
        let (rest, is_same) = match dice.below(9) {
            0..3 => {
                (format!("purchase o{number} {}.00 category={}", dice.below(200), dice.pick(&["trip", "book"])), true)
            }
            3 => (format!("refund o{} 5.00 refund_id=r{number}", dice.below(20)), true),
            4 => (format!("cancel o{}", dice.below(20)), true),
            5 => (format!("csat i{thing} {} revision={number}", 1 + dice.below(5)), true),
            6 => (format!("case k{thing} {number} {}", dice.pick(&["opened", "reopened"])), true),
            7 => (format!("mention p{thing}-{number} text=t{number}"), true),
            _ => (format!("engagement g{number} click"), false),
        };
        events.push(format!("{at} {one} {rest}"));
        if is_same && one != other && dice.chance(40) {
            events.push(format!("{at} {other} {rest}"));
        }
        if dice.chance(30) {
            let who = dice.pick(&["n1", "n2"]);
            events.push(format!("{at} {who} purchase q{} {}.00", dice.below(12), dice.below(200)));
        }
        if dice.chance(10) {
            let status = *dice.pick(&["signed_up", "signed_up", "converted", "reversed"]);
            events.push(format!("{at} eve referral {} {status}", dice.pick(&ids)));
        }
        if dice.chance(20) {
            let status = ["signed_up", "converted", "reversed"][dice.below(3)];
            events.push(format!("{at} {one} referral {} {status}", dice.pick(&["ann", "n1", "n2", "n3"])));
        }
    }
    events
}
