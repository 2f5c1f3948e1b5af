//! The engine equals the reference model on generated streams.

use serde_json::Value as Json;

use vipstream::replay;

use super::seeds::{self, Totals, caught};
use crate::support::difference::difference;
use crate::support::generate::{self, Generated};
use crate::support::judge;
use crate::support::model::Outputs;

/// How many seeds a run tries.
const SEEDS: u64 = 2_000;

#[test]
fn the_engine_equals_the_model_on_generated_streams() {
    let totals = seeds::all(
        SEEDS,
        |seed| compare(&generate::stream(seed)).map(|outputs| counted(&outputs)),
        |seed, report| shrunken(seed, &generate::stream(seed), report),
    );
    println!("outputs: {totals:#?}");
    for kind in EVERY_KIND.into_iter().filter(|_| seeds::is_whole_run()) {
        assert!(totals.get(kind).is_some_and(|count| *count >= 20), "the streams hardly give {kind}: {totals:?}");
    }
}

const EVERY_KIND: [&str; 85] = [
    "behavior.pivot cadence_slowed",
    "behavior.pivot cadence_quickened",
    "behavior.pivot silence",
    "behavior.pivot spend_dropped",
    "behavior.pivot spend_rose",
    "behavior.pivot satisfaction_dropped",
    "behavior.pivot satisfaction_rose",
    "behavior.pivot sentiment_turned",
    "behavior.pivot sentiment_rose",
    "behavior.pivot engagement_dropped",
    "behavior.pivot engagement_rose",
    "behavior.pivot refunds_rose",
    "behavior.pivot channel_shifted",
    "behavior.pivot recovered",
    "behavior.pivot settled",
    "population.shift began",
    "population.shift ended",
    "part of a shift, told at once",
    "part of a shift, told later",
    "vip.waitlisted",
    "vip.revoked displaced",
    "decision off_waitlist",
    "overrides.exceeded",
    "vip.revoked merged",
    "dead_letter too_many_hops",
    "vip.granted",
    "vip.revoked rule_false",
    "vip.revoked refund_reversed",
    "vip.revoked erased",
    "vip.changed kept",
    "vip.changed override",
    "vip.changed override_ended",
    "vip.revoked override",
    "vip.revoked override_ended",
    "granted for a complaint",
    "decision kept_by_override",
    "decision denied_by_override",
    "decision rule_agrees",
    "decision tier_refused",
    "decision unknown_programme",
    "decision programme_of_accounts",
    "decision programme_of_customers",
    "decision not_resolved",
    "decision no_public_complaint",
    "vip.changed tier_rise",
    "vip.changed tier_fall",
    "vip.expiring",
    "cohort.entered",
    "cohort.left",
    "status",
    "exception.candidate",
    "status withdrawn",
    "decision held_by_tenure",
    "decision kept_in_tenure",
    "decision tier_held",
    "decision tier_kept",
    "agent.alert purchase",
    "agent.alert pivot",
    "agent.alert csat",
    "agent.alert mention",
    "agent.alert referral",
    "agent.alert presence",
    "agent.alert case",
    "agent.alert engagement",
    "routing account_manager",
    "routing last_resolved",
    "routing familiar",
    "routing resolves_well",
    "routing team",
    "fallback who resolved something",
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
    "dead_letter bad_id",
    "dead_letter not_an_object",
];

/// The outputs that both agree on, or where they do not.
fn compare(stream: &Generated) -> Result<Outputs, String> {
    caught(|| {
        let seen = judge::engine(replay::replay_memory(&stream.ruleset, &stream.inputs, stream.until));
        let expected = judge::model(&stream.ruleset, &stream.inputs, stream.until, &seen);
        let difference = difference(&expected, &seen);
        if difference.is_empty() { Ok(expected) } else { Err(difference) }
    })
}

/// How often each kind of output came.
pub(super) fn counted(outputs: &Outputs) -> Totals {
    let mut totals = Totals::new();
    for line in outputs.values().flatten() {
        let output: Json = serde_json::from_str(line).expect("an output is JSON");
        let word = |name: &str| output[name].as_str().unwrap_or_default();
        let more = match word("type") {
            "agent.alert" if word("kind") == "pivot" => word("kind"),
            "agent.alert" => output["trigger"]["topic"].as_str().unwrap_or_default(),
            "dead_letter" => word("code"),
            "behavior.pivot" => word("kind"),
            "population.shift" => word("phase"),
            "decision" if word("decision") == "override_refused" => word("reason"),
            "decision" => word("decision"),
            "status" if output["event_id"].is_null() => "withdrawn",
            _ => word("reason"),
        };
        *totals.entry(format!("{} {more}", word("type")).trim_end().to_owned()).or_default() += 1;
        if word("type") == "behavior.pivot" && !output["shift"].is_null() {
            let told = if output["found_at"].is_null() { "at once" } else { "later" };
            *totals.entry(format!("part of a shift, told {told}")).or_default() += 1;
        }
        let by_complaint = output["override"]["reason"] == "public complaint resolved" && word("type") == "vip.granted";
        *totals.entry("granted for a complaint".to_owned()).or_default() += u64::from(by_complaint);
        if let Some(reason) = output["routing"]["reason"].as_str() {
            *totals.entry(format!("routing {reason}")).or_default() += 1;
        }
        for fallback in output["routing"]["fallbacks"].as_array().into_iter().flatten() {
            let is_known = fallback["share"].as_str().is_some_and(|share| share != "0.5");
            *totals.entry("fallback who resolved something".to_owned()).or_default() += u64::from(is_known);
        }
    }
    totals
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
