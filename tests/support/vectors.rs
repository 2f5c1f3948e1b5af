//! The whole customers of `golden.json`, every event with its evidence.

#![expect(clippy::cast_precision_loss, reason = "instants have fewer than 2^53 milliseconds")]

use serde_json::Value;
use vipstream::pivot::{Channel, Kind, Pivot};

use super::labelled::{Found, Set, line};

pub fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/pivot/golden.json")).unwrap()
}

/// How many events the vectors have, and what differs from them by more than their tolerance.
pub fn whole_customers(set: &Set, found: &Found) -> (usize, Vec<String>) {
    let (mut compared, mut differences) = (0, Vec::new());
    for customer in golden()["customers_sim"].as_array().unwrap() {
        let name = customer["customer"].as_str().unwrap();
        let of = |(at, _): &&(usize, Pivot)| set.labels[*at].customer == name;
        let found: Vec<&Pivot> = found.iter().filter(of).map(|(_, pivot)| pivot).collect();
        let wanted = customer["emitted"].as_array().unwrap();
        if found.len() != wanted.len() {
            differences.push(format!("{name}: {} events, not {}", found.len(), wanted.len()));
        }
        for (pivot, wanted) in found.iter().zip(wanted) {
            differences.extend(differ(pivot, wanted).into_iter().map(|what| format!("{name} {}: {what}", pivot.kind)));
        }
        compared += wanted.len();
    }
    (compared, differences)
}

fn differ(pivot: &Pivot, wanted: &Value) -> Vec<String> {
    let line = line("", pivot);
    let kind = if line.event == "pivot" { line.kind } else { format!("{}:{}", line.event, line.kind) };
    let mut differences = Vec::new();
    for (what, found) in [("kind", kind.as_str()), ("channel", pivot.channel.name())] {
        if wanted[what] != found {
            differences.push(format!("{what} {found} is not {}", wanted[what]));
        }
    }
    let mut near = |what: &str, found: Option<f64>, wanted: &Value, tolerance: f64| {
        let Some(wanted) = wanted.as_f64() else { return };
        let found = found.unwrap_or(f64::NAN);
        let is_near = (found - wanted).abs() <= tolerance;
        if !is_near {
            differences.push(format!("{what} {found} is not {wanted}"));
        }
    };
    let ms = |at: i64| Some(at as f64);
    near("decided", ms(pivot.decided_at_ms), &wanted["ts_ms"], 60_000.0);
    near("since", ms(pivot.since_ms), &wanted["since_ms"], 1000.0);
    near("evidence", pivot.evidence, &wanted["evidence"], 2e-3);
    near("threshold", pivot.threshold, &wanted["threshold"], 2e-3);
    near("confidence", pivot.confidence, &wanted["confidence"], 1e-3);
    near("gap", pivot.days_silent, &wanted["gap"], 1e-6);
    near("p", pivot.p, &wanted["p"], 1e-7);
    if pivot.of.is_none() {
        near("n_before", Some(pivot.n_before), &wanted["n_before"], 1e-2);
        near("n_after", Some(pivot.n_after), &wanted["n_after"], 1e-2);
    }
    // The vectors have levels as the detector counts them; a silence has days already.
    let natural = |wanted: &Value| {
        let level = wanted.as_f64();
        level.map_or(Value::Null, |level| match pivot.channel {
            _ if pivot.kind == Kind::Silence => level.into(),
            Channel::Cadence | Channel::Engagement => level.powi(4).into(),
            Channel::Spend => level.exp().into(),
            _ => level.into(),
        })
    };
    near("from", Some(pivot.from), &natural(&wanted["frm"]), 2e-3 * pivot.from.abs());
    near("to", Some(pivot.to), &natural(&wanted["to"]), 2e-3 * pivot.to.abs());
    if let Some(place) = wanted["frm"].as_array().map(|shares| shares.len() - 1) {
        let place = match &pivot.shops {
            Some(shops) => ["web", "app", "store"].iter().position(|shop| *shop == shops.since).unwrap(),
            None => place,
        };
        near("from", Some(pivot.from), &wanted["frm"][place], 1e-3);
        near("to", Some(pivot.to), &wanted["to"][place], 1e-3);
    }
    differences
}
