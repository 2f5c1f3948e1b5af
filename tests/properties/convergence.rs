//! Whenever it is known that customers are one, in the end it is as if it had always been known.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::seeds::{self, Totals, caught};
use crate::support::generate::dice::Dice;
use crate::support::judge;
use crate::support::model::Outputs;
use crate::support::script::{inputs, time, with_head};

/// How many seeds a run tries.
const SEEDS: u64 = 150;

#[test]
fn merges_refunds_and_rates_in_any_order_and_at_any_time_give_the_same_features() {
    let totals = seeds::all(SEEDS, compare, |seed, report| format!("seed {seed}: {report}"));
    println!("{totals:#?}");
    let all = ["different", "account with orders"];
    let is_enough = all.into_iter().all(|what| totals.get(what).is_some_and(|count| *count >= 100));
    assert!(!seeds::is_whole_run() || is_enough, "nothing to tell apart: {totals:?}");
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
      d: { profile: target, applies_to: account, grant: account.tier == 'Z' && spend >= 0 && orders >= 0 && trips >= 0 }
    labels:
      known: orders >= 0";

/// What accounts are told of contacts beside their orders.
const ALL_COUNTS: &str = "trips >= 0 && answers >= 0 && posts >= 0 && cases >= 0";

/// The three who are one.
const IDS: [&str; 3] = ["ann", "bob", "cid"];

/// Who has an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// All the same, from some time on.
    One,
    /// Each their own, moving from one to another; before they are known to be one, and what they buy too.
    Each,
    /// The last of the three alone, moving likewise.
    Last,
}

/// Days until which people move.
const MOVES: usize = 12;
/// Days until which something happens.
const DAYS: usize = 25;

/// What is known in the end, by when the three were merged, and when refunds and rates came.
fn compare(seed: u64) -> Result<Totals, String> {
    let mut dice = Dice::new(seed);
    let way = *dice.pick(&[Way::One, Way::Each, Way::Last]);
    let accounts = IDS.map(|id| accounts(&mut dice, way, id));
    let events = events(&mut dice, way);
    let rules =
        if way == Way::One { RULES.replace("trips >= 0 }", &format!("{ALL_COUNTS} }}")) } else { RULES.to_owned() };
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut totals = Totals::new();
    for round in 0..4 {
        let first = if way == Way::One { 0 } else { MOVES * 24 };
        let mut at = || if round == 0 { first } else { first + dice.below(DAYS * 24 - first) };
        let merged = [Some((at(), "bob")), Some((at(), "cid")), None];
        let mut lines: Vec<String> = Vec::new();
        for ((id, accounts), merged) in IDS.into_iter().zip(&accounts).zip(merged) {
            lines.extend(profiles(id, accounts, merged));
        }
        lines.extend(events.iter().map(|event| event.line(&mut dice)));
        lines.sort_by_key(|line| time(line.split(' ').next().expect("a time")));
        lines.extend(["k1", "k2", "k3", "k9"].map(|id| format!("d39 {id} account 1 tier=Z")));
        let script = format!("{}\nd40 cid customer 99 name=Cid\nd40 eve customer 1 name=Eve", lines.join("\n"));
        let outputs = caught(|| Ok(judge::judged(&with_head(&rules), &inputs(&script), Some(time("d41")))))?;
        let known = known(&outputs, &mut totals);
        *totals.entry("different".to_owned()).or_default() += u64::from(outputs["vip.events"].len() > 3);
        seen.entry(known).or_insert(script);
    }
    if seen.len() == 1 {
        return Ok(totals);
    }
    let lines: Vec<String> = seen.iter().map(|(known, script)| format!("{way:?}\n{script}\n{known}\n\n")).collect();
    Err(lines.concat())
}

/// What features hold of the survivor and of who referred them, and of each account.
fn known(outputs: &Outputs, totals: &mut Totals) -> String {
    let parsed = |line: &String| -> Json { serde_json::from_str(line).expect("JSON") };
    // Eve refers the three, and the three refer others.
    let progress = ["cid", "eve"].map(|id| {
        let last = outputs["vip.status"].iter().rev().map(parsed).find(|it| it["customer_id"] == id);
        last.map_or(json!(null), |last| last["progress"].clone())
    });
    let grants = outputs["vip.events"].iter().map(parsed).filter(|it| it["programme"] == "d");
    let accounts = grants.filter(|it| it["type"] == "vip.granted" && it["customer_id"].is_null());
    let mut text = json!(progress).to_string();
    for account in accounts {
        let rows = account["evidence"].as_array().expect("evidence is a list").iter();
        let values: BTreeMap<&str, &Json> =
            rows.map(|row| (row["feature"].as_str().expect("a name"), &row["value"])).collect();
        *totals.entry("account with orders".to_owned()).or_default() += u64::from(values["orders"] != &json!(0));
        text.push_str(&format!("\n{} {}", account["account_id"], json!(values)));
    }
    text
}

/// When somebody joins which account, in hours.
fn accounts(dice: &mut Dice, way: Way, id: &str) -> Vec<(usize, &'static str)> {
    let moves = match way {
        Way::One => return vec![(dice.below(MOVES * 24), "k1")],
        Way::Last if id != "cid" => 0,
        _ => 1 + dice.below(3),
    };
    let mut joins: Vec<_> = (0..moves).map(|_| (dice.below(MOVES * 24), *dice.pick(&["k1", "k2", "k3"]))).collect();
    joins.sort_unstable();
    joins
}

/// The profiles of somebody who joins accounts, and is another from some time on.
fn profiles(id: &str, accounts: &[(usize, &str)], merged: Option<(usize, &str)>) -> Vec<String> {
    let mut times: Vec<usize> = accounts.iter().map(|(at, _)| *at).chain(merged.map(|(at, _)| at)).collect();
    times.sort_unstable();
    let profile = |(version, at): (usize, &usize)| {
        let account = accounts.iter().rev().find(|(since, _)| since <= at).map(|(_, account)| *account);
        let account = account.map(|account| format!(" account_id={account}")).unwrap_or_default();
        let into = merged.filter(|(since, _)| since <= at).map(|(_, into)| format!(" merged_into={into}"));
        format!("d0+{at}h {id} customer {}{account}{}", version + 1, into.unwrap_or_default())
    };
    times.iter().enumerate().map(profile).collect()
}

/// Something that happens at an hour, or at any between two: that is another one each time.
struct Happening {
    between: (usize, usize),
    what: String,
}

impl Happening {
    fn line(&self, dice: &mut Dice) -> String {
        let (from, to) = self.between;
        format!("d0+{}h {}", from + dice.below(to - from + 1), self.what)
    }
}

/// Things that happen to three who are one: each is known under one id, or the same under two.
fn events(dice: &mut Dice, way: Way) -> Vec<Happening> {
    let mut events = Vec::new();
    let end = DAYS * 24;
    let buys_until = if way == Way::One { end } else { MOVES * 24 };
    let mut at = |hour: (usize, usize), what: String| events.push(Happening { between: hour, what });
    for day in 0..DAYS {
        if dice.chance(30) {
            at((0, end), format!("USD/EUR rate {} d{day}", dice.pick(&["0.5", "0.8", "1.25"])));
        }
    }
    for number in 0..20 + dice.below(20) {
        let hour = dice.below(20 * 24);
        let (one, other) = (*dice.pick(&IDS), *dice.pick(&IDS));
        let is_same = one != other && dice.chance(40);
        let thing = dice.below(6);
        let mut twice = |hour: usize, rest: String| {
            at((hour, hour), format!("{one} {rest}"));
            if is_same {
                at((hour, hour), format!("{other} {rest}"));
            }
        };
        match dice.below(9) {
            0..5 => {
                let hour = hour % buys_until;
                let named =
                    if dice.chance(30) { format!(" account_id={}", dice.pick(&["k2", "k9"])) } else { String::new() };
                let (amount, currency) = (dice.below(200), *dice.pick(&["EUR", "EUR", "USD"]));
                let category = *dice.pick(&["trip", "book"]);
                twice(hour, format!("purchase o{number} {amount}.00 {currency} category={category}{named}"));
                // What takes back an order that names no account would say where it goes, came it first.
                let from = if named.is_empty() && way != Way::One { hour } else { 0 };
                for refund in 0..dice.below(3) {
                    let by = *dice.pick(&IDS);
                    let currency = if dice.chance(80) { currency } else { "USD" };
                    let what = format!("refund o{number} {}.00 {currency}", 1 + dice.below(60));
                    at((from, end), format!("{by} {what} refund_id=r{number}-{refund}"));
                }
                if dice.chance(10) {
                    at((from, end), format!("{} cancel o{number}", dice.pick(&IDS)));
                }
            }
            5 => twice(hour, format!("csat i{thing} {} revision={number}", 1 + dice.below(5))),
            6 => twice(hour, format!("case k{thing} {number} {}", dice.pick(&["opened", "reopened"]))),
            7 => twice(hour, format!("mention p{thing}-{number} text=t{number}")),
            _ => at((hour, hour), format!("{one} engagement g{number} click")),
        }
        if dice.chance(20) {
            let status = ["signed_up", "converted", "reversed"][dice.below(3)];
            at((hour, hour), format!("{one} referral {} {status}", dice.pick(&["ann", "n1", "n2", "n3"])));
        }
        if dice.chance(10) {
            let status = *dice.pick(&["signed_up", "signed_up", "converted", "reversed"]);
            at((hour, hour), format!("eve referral {} {status}", dice.pick(&IDS)));
        }
        if dice.chance(20) {
            let (buyer, amount) = (*dice.pick(&["n1", "n2", "n3"]), 1 + dice.below(200));
            at((hour, hour), format!("{buyer} purchase b{number} {amount}.00 {}", dice.pick(&["EUR", "USD"])));
            if dice.chance(40) {
                at((hour, end), format!("{buyer} refund b{number} {amount}.00"));
            }
        }
    }
    events
}
