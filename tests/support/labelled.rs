//! Replays the labelled customers through the detectors, and compares with the reference events.

use std::collections::BTreeMap;
use std::path::Path;

use vipstream::pivot::budget::{Budget, Grade};
use vipstream::pivot::priors::Priors;
use vipstream::pivot::settings::Settings;
use vipstream::pivot::state::State;
use vipstream::pivot::{Channel, Kind, Observation, Pivot};

pub struct Event {
    pub at_ms: i64,
    pub customer: usize,
    pub observation: Observation,
}

/// What is known of a customer.
pub struct Label {
    pub customer: String,
    /// What changes; `none` where nothing does.
    pub kind: String,
    pub magnitude: f64,
    pub start_ms: i64,
    /// When it changes.
    pub pivot_ms: Option<i64>,
    /// When it is as it was again.
    pub resolved_ms: Option<i64>,
    /// How long the customer is watched.
    pub end_ms: i64,
    pub mean_gap_days: f64,
    pub engagement_gap_days: f64,
}

pub struct Set {
    pub settings: Settings,
    pub labels: Vec<Label>,
    /// In time order.
    pub events: Vec<Event>,
}

/// What was found: customer, and the pivot.
pub type Found = Vec<(usize, Pivot)>;

/// Puts what was found of each customer in the order of time: timers of one channel do not wait for the events of another.
pub fn by_customer(mut found: Found) -> Found {
    found.sort_by_key(|(customer, pivot)| (*customer, pivot.decided_at_ms, pivot.channel));
    found
}

/// A packed file of `tests/fixtures/pivot`.
fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/pivot/{name}.zst"));
    let packed = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    String::from_utf8(zstd::decode_all(packed.as_slice()).unwrap()).unwrap()
}

fn priors(name: &str) -> Priors {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/pivot/priors-{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub fn load(name: &str, budget: Budget) -> Set {
    let settings = Settings::new(priors(name), budget);
    let labels: Vec<Label> = file(&format!("{name}-labels.csv")).lines().skip(1).map(label).collect();
    let places: BTreeMap<String, usize> = labels.iter().enumerate().map(|(at, l)| (l.customer.clone(), at)).collect();
    let event = |line: &str| {
        let mut cells = line.split(',');
        let mut next = || cells.next().unwrap();
        let (at_ms, customer) = (next().parse().unwrap(), places[next()]);
        let (kind, value, shop) = (next(), next().parse().unwrap(), next());
        let observation = match kind {
            "purchase" => Observation::Purchase { amount: Some(value), shop: settings.shop(shop) },
            "csat" => Observation::Csat(value),
            "mention" => Observation::Sentiment(value),
            "refund" => Observation::Refund,
            "engagement" => Observation::Engagement,
            other => panic!("unknown type {other}"),
        };
        Event { at_ms, customer, observation }
    };
    let events = file(&format!("{name}-events.csv")).lines().skip(1).map(event).collect();
    Set { settings, labels, events }
}

fn label(line: &str) -> Label {
    let cells: Vec<&str> = line.split(',').collect();
    Label {
        customer: cells[0].to_owned(),
        kind: cells[1].to_owned(),
        magnitude: cells[2].parse().unwrap(),
        start_ms: cells[3].parse().unwrap(),
        pivot_ms: cells[4].parse().ok(),
        resolved_ms: cells[5].parse().ok(),
        end_ms: cells[6].parse().unwrap(),
        mean_gap_days: cells[7].parse().unwrap(),
        engagement_gap_days: cells[8].parse().unwrap(),
    }
}

impl Set {
    /// All customers interleaved: timers before the events of their instant. Returns the states too.
    pub fn replay(&self) -> (Found, Vec<State>) {
        self.replay_some(|_| true)
    }

    /// The same of those whom one partition holds.
    pub fn replay_some(&self, holds: impl Fn(usize) -> bool) -> (Found, Vec<State>) {
        let mut states = vec![State::default(); self.labels.len()];
        let (mut found, mut pivots) = (Vec::new(), Vec::new());
        let mut timers = std::collections::BTreeSet::new();
        let end = self.labels.iter().map(|label| label.end_ms).max().unwrap_or_default();
        let mut fire = |until: i64, timers: &mut std::collections::BTreeSet<(i64, usize)>, states: &mut Vec<State>| {
            let mut found = Vec::new();
            while let Some((due, customer)) = timers.first().copied().filter(|(due, _)| *due <= until) {
                timers.remove(&(due, customer));
                if due > self.labels[customer].end_ms {
                    continue;
                }
                states[customer].fire(due, &self.settings, &mut pivots);
                found.extend(pivots.drain(..).map(|pivot| (customer, pivot)));
                timers.extend(states[customer].due().map(|due| (due, customer)));
            }
            found
        };
        for event in self.events.iter().filter(|event| holds(event.customer)) {
            found.extend(fire(event.at_ms, &mut timers, &mut states));
            let (customer, mut pivots) = (event.customer, Vec::new());
            states[customer].observe(event.observation, event.at_ms, &self.settings, &mut pivots);
            found.extend(pivots.into_iter().map(|pivot| (customer, pivot)));
            timers.extend(states[customer].due().map(|due| (due, customer)));
        }
        found.extend(fire(end, &mut timers, &mut states));
        (found, states)
    }

    /// One customer after the other, by [`State::observe`] alone; each state goes through `between` before each event.
    pub fn replay_each(&self, customers: usize, mut between: impl FnMut(State) -> State) -> Found {
        let mut found = Vec::new();
        let mut of: Vec<Vec<&Event>> = vec![Vec::new(); customers];
        for event in self.events.iter().filter(|event| event.customer < customers) {
            of[event.customer].push(event);
        }
        for (customer, events) in of.into_iter().enumerate() {
            let (mut state, mut pivots) = (State::default(), Vec::new());
            for event in events {
                state = between(state);
                while let Some(due) = state.due().filter(|due| *due <= event.at_ms) {
                    state.fire(due, &self.settings, &mut pivots);
                }
                state.observe(event.observation, event.at_ms, &self.settings, &mut pivots);
            }
            while let Some(due) = state.due().filter(|due| *due <= self.labels[customer].end_ms) {
                state.fire(due, &self.settings, &mut pivots);
            }
            found.extend(pivots.into_iter().map(|pivot| (customer, pivot)));
        }
        found
    }
}

/// A line of the reference.
#[derive(Clone, Debug)]
pub struct Line {
    pub customer: String,
    pub event: String,
    pub kind: String,
    pub at_ms: i64,
}

pub fn reference(name: &str) -> Vec<Line> {
    let text = file(&format!("{name}-pivots.jsonl"));
    let line = |line: &str| {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| json[key].as_str().unwrap().to_owned();
        let at_ms = json["ts_ms"].as_i64().unwrap();
        Line { customer: text("customer"), event: text("event"), kind: text("kind"), at_ms }
    };
    text.lines().map(line).collect()
}

/// Names a pivot as the reference does.
pub fn line(customer: &str, pivot: &Pivot) -> Line {
    let event = match pivot.kind {
        Kind::Recovered => "resolved",
        Kind::Settled => "settled",
        _ => "pivot",
    };
    let kind = match pivot.of.unwrap_or(pivot.kind) {
        Kind::CadenceSlowed => "cadence_slow",
        Kind::CadenceQuickened => "cadence_fast",
        Kind::Silence if pivot.channel == Channel::Engagement => "engagement_silence",
        Kind::Silence => "silence",
        Kind::SpendDropped => "spend_drop",
        Kind::SpendRose => "spend_rise",
        Kind::SatisfactionDropped => "csat_drop",
        Kind::SatisfactionRose => "csat_rise",
        Kind::SentimentTurned => "sentiment_drop",
        Kind::SentimentRose => "sentiment_rise",
        Kind::EngagementDropped => "engagement_drop",
        Kind::EngagementRose => "engagement_rise",
        Kind::RefundsRose => "refund_rise",
        Kind::ChannelShifted => "channel_shift",
        Kind::Recovered | Kind::Settled => panic!("an end of an end"),
    };
    Line { customer: customer.to_owned(), event: event.to_owned(), kind: kind.to_owned(), at_ms: pivot.decided_at_ms }
}

/// How many lines are of both, which of the reference are missing, and which are extra.
pub fn compare(reference: &[Line], found: &[Line]) -> (usize, Vec<Line>, Vec<Line>) {
    let mut left: BTreeMap<(&str, &str, &str), Vec<&Line>> = BTreeMap::new();
    for line in reference {
        left.entry((&line.customer, &line.event, &line.kind)).or_default().push(line);
    }
    let mut extra = Vec::new();
    for line in found {
        let lines = left.entry((&line.customer, &line.event, &line.kind)).or_default();
        match lines.iter().position(|other| (other.at_ms - line.at_ms).abs() <= 60_000) {
            Some(at) => drop(lines.remove(at)),
            None => extra.push(line.clone()),
        }
    }
    let missing: Vec<Line> = left.into_values().flatten().cloned().collect();
    (reference.len() - missing.len(), missing, extra)
}

impl Set {
    /// The level whose alarms open and close pivots.
    pub fn deciding(&self) -> Grade {
        if self.settings.budget().rate(Grade::Alert) < 0.01 { Grade::Alert } else { Grade::Watch }
    }
}
