//! The engine equals the reference model on generated streams.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value as Json;

use vipstream::replay;

use crate::support::generate::{self, Generated};
use crate::support::judge;
use crate::support::model::Outputs;

/// How many seeds a run tries, unless `VIPSTREAM_SEEDS` says otherwise.
const SEEDS: u64 = 2_000;

#[test]
fn the_engine_equals_the_model_on_generated_streams() {
    if let Some(seed) = number("VIPSTREAM_SEED") {
        if let Err(report) = compare(&generate::stream(seed)) {
            panic!("{}", shrunken(seed, &generate::stream(seed), &report));
        }
        return;
    }
    let seeds = number("VIPSTREAM_SEEDS").unwrap_or(SEEDS);
    let (next, totals, failed) = (AtomicU64::new(0), Mutex::new(BTreeMap::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    match compare(&generate::stream(seed)) {
                        Ok(outputs) => count(&outputs, &mut totals.lock().expect("no counting panics")),
                        Err(report) => failed.lock().expect("no noting panics").push((seed, report)),
                    }
                }
            });
        }
    });
    let totals = totals.into_inner().expect("no counting panics");
    let mut failed = failed.into_inner().expect("no noting panics");
    failed.sort();
    println!("outputs over {seeds} streams: {totals:#?}");
    if let Some((seed, report)) = failed.first() {
        let all: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
        panic!("{} of {seeds} seeds differ: {all:?}\n{}", all.len(), shrunken(*seed, &generate::stream(*seed), report));
    }
    for kind in EVERY_KIND {
        assert!(totals.get(kind).is_some_and(|count| *count >= 20), "the streams hardly give {kind}: {totals:?}");
    }
}

const EVERY_KIND: [&str; 30] = [
    "vip.granted",
    "vip.revoked rule_false",
    "vip.revoked refund_reversed",
    "vip.changed kept",
    "vip.changed tier_rise",
    "vip.changed tier_fall",
    "vip.expiring",
    "cohort.entered",
    "cohort.left",
    "agent.alert purchase",
    "agent.alert csat",
    "agent.alert mention",
    "agent.alert referral",
    "agent.alert presence",
    "agent.alert case",
    "agent.alert engagement",
    "dead_letter null_value",
    "dead_letter too_large",
    "dead_letter invalid_utf8",
    "dead_letter invalid_json",
    "dead_letter too_deep",
    "dead_letter missing_field",
    "dead_letter wrong_type",
    "dead_letter unknown_value",
    "dead_letter bad_time",
    "dead_letter bad_amount",
    "dead_letter unknown_currency",
    "dead_letter out_of_range",
    "dead_letter id_too_long",
    "dead_letter not_an_object",
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a seed is a number"))
}

/// The outputs that both agree on, or where they do not.
fn compare(stream: &Generated) -> Result<Outputs, String> {
    let run = || {
        let seen = judge::engine(replay::replay_memory(&stream.ruleset, &stream.inputs, stream.until));
        let expected = judge::model(&stream.ruleset, &stream.inputs, stream.until, &seen);
        let difference = judge::difference(&expected, &seen);
        if difference.is_empty() { Ok(expected) } else { Err(difference) }
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    })
}

fn count(outputs: &Outputs, totals: &mut BTreeMap<String, u64>) {
    for line in outputs.values().flatten() {
        let output: Json = serde_json::from_str(line).expect("an output is JSON");
        let word = |name: &str| output[name].as_str().unwrap_or_default();
        let more = match word("type") {
            "agent.alert" => output["trigger"]["topic"].as_str().unwrap_or_default(),
            "dead_letter" => word("code"),
            _ => word("reason"),
        };
        *totals.entry(format!("{} {more}", word("type")).trim_end().to_owned()).or_default() += 1;
    }
}

/// The failing stream with every line taken out that the failure can do without.
fn shrunken(seed: u64, stream: &Generated, report: &str) -> String {
    let mut least = stream.clone();
    let mut report = report.to_owned();
    let mut size = 16;
    loop {
        let mut shrunk = false;
        for input in 0..least.inputs.len() {
            let mut start = 0;
            while start < least.inputs[input].1.len() {
                let mut fewer = least.clone();
                let end = (start + size).min(fewer.inputs[input].1.len());
                fewer.inputs[input].1.drain(start..end);
                match compare(&fewer) {
                    Err(still) => {
                        (least, report, shrunk) = (fewer, still, true);
                    }
                    Ok(_) => start += size,
                }
            }
        }
        if !shrunk && size == 1 {
            break;
        }
        size = (size / 2).max(1);
    }
    let mut text =
        format!("seed {seed} differs\nrepeat: VIPSTREAM_SEED={seed} cargo test --test model engine_equals\n\n");
    text.push_str(&least.ruleset);
    text.push_str(&format!("until: {}\n", least.until.map_or_else(|| "-".to_owned(), |until| until.to_string())));
    for (kind, lines) in least.inputs.iter().filter(|(_, lines)| !lines.is_empty()) {
        for line in lines {
            let line = String::from_utf8_lossy(line);
            text.push_str(&format!("{} {}\n", kind.name(), line.chars().take(400).collect::<String>()));
        }
    }
    format!("{text}\nthe model (-), the engine (+):\n{report}")
}
