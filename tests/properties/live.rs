//! The engine equals the reference model on journaled epochs, line for line: clocks that lag, events ahead of them and
//! behind, alerts past their time.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use vipstream::model::event::Kind;
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;

use super::equality::counted;
use super::seeds::{self, Totals, caught};
use crate::support::difference::{by_key, difference};
use crate::support::generate::live::{Live, live};
use crate::support::judge::{self, Told};
use crate::support::model::Outputs;
use crate::support::model::fold::{Epoch, How, Mode, Taken};

/// How many seeds a run tries.
const SEEDS: u64 = 1_000;

#[test]
fn the_engine_equals_the_model_on_journaled_epochs() {
    let totals = seeds::all(
        SEEDS,
        |seed| {
            let live = live(seed);
            compare(&live).map(|told| seen(&live, &told))
        },
        |seed, report| shrunken(seed, &live(seed), report),
    );
    println!("outputs: {totals:#?}");
    for what in EVERY_CASE.into_iter().filter(|_| seeds::is_whole_run()) {
        assert!(totals.get(what).is_some_and(|count| *count >= 3), "the epochs hardly give {what}: {totals:?}");
    }
}

/// An epoch fires 10,000 deadlines of others; a customer's own are never among those left for later.
#[test]
fn a_wave_beyond_what_an_epoch_fires_changes_no_decision() {
    let order = |number: u64, hour: i64| {
        let at = EventTime(NEW_YEAR + hour * 3_600_000);
        let value = json!({
            "event_id": format!("e{number}"), "customer_id": format!("c{}", number % 12_000), "occurred_at": at,
            "order_id": format!("o{number}"), "amount": 50 + number % 2, "currency": "EUR", "status": "completed",
        });
        let position = Position { kind: Kind::Purchase, partition: 0, offset: number };
        let value = Some(value.to_string().into_bytes());
        Taken { position, key: None, value, timestamp: None, how: How::Read }
    };
    let epoch = |hour: i64, records: Vec<Taken>| {
        let clock = EventTime(NEW_YEAR + hour * 3_600_000);
        Epoch { records, clock, wall: clock, ..Epoch::default() }
    };
    let mut epochs = vec![
        epoch(23, (0..12_000).map(|number| order(number, 22)).collect()),
        epoch(25, vec![]),
        epoch(26, (12_000..24_000).step_by(7).map(|number| order(number, 26)).collect()),
    ];
    epochs.extend((200..260).map(|hour| epoch(hour, vec![])));
    let live = Live { ruleset: WAVE.to_owned(), mode: Mode::Live, epochs };
    let told = [judge::folded(&live).0, judge::applied(&live).0];
    assert!(told[1][1].events.len() < told[0][1].events.len(), "some of the wave is left for the next epoch");
    let seen = told.map(|said| {
        let outputs = by_key(&said);
        let lines = outputs["vip.events"].iter().map(|line| {
            let mut decision: Json = serde_json::from_str(line).expect("an output is JSON");
            decision["decided_at"] = Json::Null;
            decision.to_string()
        });
        Outputs::from([("vip.events", lines.collect())])
    });
    assert_eq!(difference(&seen[0], &seen[1]), "");
}

/// 2025-01-01T00:00:00Z.
const NEW_YEAR: i64 = 1_735_689_600_000;

const WAVE: &str = "
ruleset: acme
currency: EUR
features:
  orders: { count: purchase, over: 1d }
  spend: { sum: purchase.amount, over: 2d }
programmes:
  buyer: { profile: value, grant: orders >= 1 }
  spender: { profile: value, grant: spend > 50 }
";

/// What the epochs must bring about.
const EVERY_CASE: [&str; 26] = [
    "vip.waitlisted",
    "vip.revoked displaced",
    "decision off_waitlist",
    "overrides.exceeded",
    "vip.granted",
    "vip.revoked rule_false",
    "vip.revoked refund_reversed",
    "vip.revoked erased",
    "vip.changed kept",
    "vip.changed tier_rise",
    "vip.changed tier_fall",
    "vip.expiring",
    "cohort.entered",
    "cohort.left",
    "status",
    "status withdrawn",
    "decision held_by_tenure",
    "decision tier_held",
    "dead_letter early",
    "dead_letter null_value",
    "late event",
    "erasure",
    "erased event",
    "stale alert",
    "look after its epoch",
    "by time alone",
];

fn compare(live: &Live) -> Result<Told, String> {
    caught(|| {
        let (expected, found) = (judge::folded(live), judge::applied(live));
        let difference = difference(&by_key(&expected.0), &by_key(&found.0));
        if !difference.is_empty() {
            return Err(difference);
        }
        if expected.1 == found.1 { Ok(expected) } else { Err(format!("- {:?}\n+ {:?}", expected.1, found.1)) }
    })
}

/// How often each case came.
fn seen(live: &Live, (said, counts): &Told) -> Totals {
    let mut totals = counted(&by_key(said));
    let mut add = |what: &str, count: u64| *totals.entry(what.to_owned()).or_default() += count;
    add("late event", counts.late);
    add("stale alert", counts.stale_alerts);
    add("erasure", counts.erasures);
    add("erased event", counts.erased_events);
    for (epoch, said) in live.epochs.iter().zip(said) {
        let taken: BTreeSet<(u64, u64)> =
            epoch.records.iter().map(|it| (it.position.partition.into(), it.position.offset)).collect();
        for sent in &said.events {
            let decision: Json = serde_json::from_str(&sent.value).expect("an output is JSON");
            let trigger = &decision["trigger"];
            let place = trigger["partition"].as_u64().zip(trigger["offset"].as_u64());
            add("by time alone", trigger.is_null().into());
            add("look after its epoch", place.is_some_and(|place| !taken.contains(&place)).into());
        }
    }
    totals
}

/// The failing epochs with every record and epoch taken out that the failure can do without.
fn shrunken(seed: u64, live: &Live, report: &str) -> String {
    let mut least = live.clone();
    let mut report = report.to_owned();
    let mut attempt = |least: &mut Live, fewer: Live| match compare(&fewer) {
        Err(still) => {
            (*least, report) = (fewer, still);
            true
        }
        Ok(_) => false,
    };
    let mut shrunk = true;
    while std::mem::take(&mut shrunk) {
        for epoch in (0..least.epochs.len()).rev() {
            let mut fewer = least.clone();
            fewer.epochs.remove(epoch);
            if attempt(&mut least, fewer) {
                shrunk = true;
                continue;
            }
            for record in (0..least.epochs[epoch].records.len()).rev() {
                let mut fewer = least.clone();
                fewer.epochs[epoch].records.remove(record);
                shrunk |= attempt(&mut least, fewer);
            }
        }
    }
    let mut text = format!("seed {seed} differs\nrepeat: VIPSTREAM_SEED={seed} cargo test --test model journaled\n\n");
    text.push_str(&format!("{:?}\n{}", least.mode, least.ruleset));
    for epoch in &least.epochs {
        text.push_str(&format!("epoch: clock {} wall {}\n", epoch.clock, epoch.wall));
        epoch.records.iter().for_each(|taken| text.push_str(&line(taken)));
    }
    format!("{text}\nthe model (-), the engine (+):\n{report}")
}

fn line(taken: &Taken) -> String {
    let Taken { position, key, value, timestamp, how } = taken;
    let text = |bytes: &Option<Vec<u8>>| match bytes {
        Some(bytes) => String::from_utf8_lossy(bytes).chars().take(400).collect(),
        None => "null".to_owned(),
    };
    let at = timestamp.unwrap_or(EventTime::MIN);
    let kind = Kind::name(position.kind);
    format!("  {kind}-{}@{} {how:?} {} {at} {}\n", position.partition, position.offset, text(key), text(value))
}
