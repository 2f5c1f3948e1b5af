//! Scores what was found against the labels: false alarms, and how soon changes are found.

#![expect(clippy::cast_precision_loss, reason = "the numbers are small")]

use std::collections::BTreeMap;

use vipstream::pivot::Observation;

use super::labelled::{Label, Line, Set};

/// Alarms of some kinds.
#[derive(Clone, Copy, Debug)]
pub struct Alarms {
    pub all: usize,
    /// Of those where nothing of the family had changed.
    pub wrong: usize,
    /// How long customers were watched in whom nothing of the family had changed, together.
    pub years: f64,
}

impl Alarms {
    pub fn per_100_years(&self) -> f64 {
        100.0 * self.wrong as f64 / self.years
    }

    /// Standard error of the rate.
    pub fn error(&self) -> f64 {
        100.0 * (self.wrong as f64).sqrt() / self.years
    }
}

/// How often a change was found in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reach {
    pub found: usize,
    /// Customers who changed so, and were watched for so long after it.
    pub of: usize,
}

impl Reach {
    pub fn share(&self) -> f64 {
        self.found as f64 / self.of as f64
    }

    /// Standard error of the share.
    pub fn error(&self) -> f64 {
        (self.share() * (1.0 - self.share()) / self.of as f64).sqrt()
    }
}

/// What was found after how much, and after how much one stopped looking: in the customer's own mean gaps, or in values.
pub struct Delay {
    kind: String,
    magnitude: f64,
    found: Option<f64>,
    watched: f64,
}

/// What counts as the same change.
fn family(kind: &str) -> &str {
    match kind {
        "silence" | "cadence_slow" => "cadence-",
        "engagement_drop" | "engagement_silence" => "engagement-",
        other => other,
    }
}

/// Counts the alarms of one kind, or of some of one family.
pub fn alarms(set: &Set, lines: &[Line], kinds: &[&str]) -> Alarms {
    let labels: BTreeMap<&str, &Label> = set.labels.iter().map(|label| (label.customer.as_str(), label)).collect();
    let turns = |label: &Label| label.pivot_ms.filter(|_| family(&label.kind) == family(kinds[0]));
    let at_risk = |label: &Label| (turns(label).unwrap_or(label.end_ms) - label.start_ms).max(0) as f64;
    let years = set.labels.iter().map(at_risk).sum::<f64>() / DAY_MS / 365.25;
    let of: Vec<&Line> =
        lines.iter().filter(|line| line.event == "pivot" && kinds.contains(&line.kind.as_str())).collect();
    let is_wrong = |line: &&&Line| turns(labels[line.customer.as_str()]).is_none_or(|at| line.at_ms < at);
    Alarms { all: of.len(), wrong: of.iter().filter(is_wrong).count(), years }
}

/// How soon each labelled change is found; without customers of whom something was told before it came.
pub fn delays(set: &Set, lines: &[Line]) -> Vec<Delay> {
    set.labels.iter().enumerate().filter_map(|(customer, label)| delay(set, lines, customer, label)).collect()
}

fn delay(set: &Set, lines: &[Line], customer: usize, label: &Label) -> Option<Delay> {
    let turned = label.pivot_ms?;
    let stop = label.resolved_ms.unwrap_or(label.end_ms);
    let is_of = |line: &&Line| line.customer == label.customer && line.event == "pivot";
    let fits = |line: &&Line| family(&line.kind) == family(&label.kind);
    let first = lines.iter().filter(is_of).filter(fits).map(|line| line.at_ms).min();
    if first.is_some_and(|first| first < turned) {
        return None;
    }
    let first = first.filter(|first| *first < stop);
    let (found, watched) = if let Some(counts) = counted(&label.kind) {
        let is_counted = |at: i64, until: i64| (turned..until).contains(&at);
        let values = |until: i64| {
            let events = set.events.iter().filter(|event| event.customer == customer && counts(&event.observation));
            events.filter(|event| is_counted(event.at_ms, until)).count() as f64
        };
        (first.map(|at| values(at + 1)), values(stop))
    } else {
        let is_engagement = label.kind.starts_with("engagement");
        let gap = if is_engagement { label.engagement_gap_days } else { label.mean_gap_days } * DAY_MS;
        (first.map(|at| (at - turned) as f64 / gap), (stop - turned) as f64 / gap)
    };
    Some(Delay { kind: label.kind.clone(), magnitude: label.magnitude, found, watched })
}

/// How many of the changes of a kind and magnitude were found within `horizon`.
pub fn reach(delays: &[Delay], (kind, magnitude, horizon): (&str, f64, f64)) -> Reach {
    let of = delays.iter().filter(|delay| delay.kind == kind && (delay.magnitude - magnitude).abs() < 1e-9);
    let long: Vec<&Delay> = of.filter(|delay| delay.watched >= horizon).collect();
    let found = long.iter().filter(|delay| delay.found.is_some_and(|found| found <= horizon)).count();
    Reach { found, of: long.len() }
}

/// Which values are counted after a change of a kind; none where time is.
fn counted(kind: &str) -> Option<fn(&Observation) -> bool> {
    match kind {
        "spend_drop" | "spend_rise" | "refund_rise" | "channel_shift" => {
            Some(|of| matches!(of, Observation::Purchase { .. }))
        }
        "csat_drop" => Some(|of| matches!(of, Observation::Csat(_))),
        "sentiment_drop" => Some(|of| matches!(of, Observation::Sentiment(_))),
        _ => None,
    }
}

const DAY_MS: f64 = 86_400_000.0;
