//! Priors and constants of the detectors from history, and what the detectors would have found in it.
//!
//! History is replayed once through the engine, so that what counts as behaviour is what the service would count. Priors follow
//! from moments ([`Sample::fit`]). Constants follow from the same customers with each one's own gaps and values in random order:
//! whatever is found there is a false alarm, and a constant is chosen so that as many come as the budget allows.

pub mod constants;
pub mod drawing;
pub mod timelines;

use std::collections::BTreeMap;

use libm::log;
use serde::Serialize;

use crate::model::id::CustomerId;
use crate::pivot::budget::Budget;
use crate::pivot::fit::Sample;
use crate::pivot::settings::Settings;
use crate::pivot::state::{LEAST_AMOUNT, State};
use crate::pivot::{Channel, DAY_MS, Direction, Kind, Observation, Pivot, YEAR_DAYS};

/// What customers did, each in the order of time.
#[derive(Clone, Debug, Default)]
pub struct History {
    customers: BTreeMap<CustomerId, Vec<(i64, Observation)>>,
    /// End of the time watched.
    until_ms: i64,
}

/// What was found in a history.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Findings {
    pub customers: u64,
    pub customer_years: f64,
    /// By kind and, of silences, by what is silent.
    pub kinds: BTreeMap<String, Finding>,
}

/// What was found of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Finding {
    /// Of the level that decides.
    pub alarms: u64,
    /// How many of these ended: of silences, how many customers came back.
    pub ended: u64,
    /// Of the level that only announces.
    pub watches: u64,
}

impl History {
    /// Notes what a customer did; of one customer in the order of time.
    pub fn note(&mut self, customer: &CustomerId, at_ms: i64, observation: Observation) {
        self.until_ms = self.until_ms.max(at_ms);
        self.customers.entry(customer.clone()).or_default().push((at_ms, observation));
    }

    /// Ends the time watched, if that is later than the last event.
    pub fn end(&mut self, until_ms: i64) {
        self.until_ms = self.until_ms.max(until_ms);
    }

    /// How many customers did anything.
    pub fn customers(&self) -> usize {
        self.customers.len()
    }

    /// How long all customers were watched, together.
    pub fn customer_years(&self) -> f64 {
        let watched = |seen: &Vec<(i64, Observation)>| seen.first().map_or(0, |(first, _)| self.until_ms - first);
        self.customers.values().map(|seen| days(watched(seen)) / YEAR_DAYS).sum()
    }

    /// What priors are fitted to. `shops` are the names of the shopping channels, as observations count them.
    pub fn sample(&self, shops: &[String]) -> Sample {
        let mut sample = Sample { customer_years: self.customer_years(), ..Sample::default() };
        let mut orders: Vec<(String, u64)> = shops.iter().map(|name| (name.clone(), 0)).collect();
        for seen in self.customers.values() {
            let mut series = Series::default();
            for (at_ms, observation) in seen {
                series.take(*at_ms, observation);
                match observation {
                    Observation::Purchase { shop, .. } => {
                        sample.refund[0] += 1;
                        if let Some(of) = shop.and_then(|shop| orders.get_mut(usize::from(shop))) {
                            of.1 += 1;
                        }
                    }
                    Observation::Refund => sample.refund[1] += 1,
                    _ => {}
                }
            }
            sample.cadence.push(series.cadence.roots());
            sample.engagement.push(series.engagement.roots());
            sample.spend.push(series.amounts.iter().map(|amount| log(amount.max(LEAST_AMOUNT))).collect());
            sample.csat.push(series.scores);
            sample.sentiment.push(series.sentiments);
        }
        sample.shops = orders;
        sample
    }

    /// What the detectors find in it.
    pub fn find(&self, settings: &Settings) -> Findings {
        let (customers, customer_years) = (self.customers.len() as u64, self.customer_years());
        let mut findings = Findings { customers, customer_years, ..Findings::default() };
        let level = settings.budget().decides().grade;
        for seen in self.customers.values() {
            for pivot in &self.pivots_of(seen, settings) {
                let finding = findings.kinds.entry(name(pivot)).or_default();
                match pivot.of {
                    None if pivot.level != level => finding.watches += 1,
                    None => finding.alarms += 1,
                    Some(_) if pivot.level != level => {}
                    Some(_) if pivot.kind == Kind::Recovered => finding.ended += 1,
                    Some(_) => {}
                }
            }
        }
        findings
    }

    fn pivots_of(&self, seen: &[(i64, Observation)], settings: &Settings) -> Vec<Pivot> {
        let (mut state, mut pivots) = (State::default(), Vec::new());
        for (at_ms, observation) in seen {
            state.observe(*observation, *at_ms, settings, &mut pivots);
        }
        while let Some(due) = state.due().filter(|due| *due <= self.until_ms) {
            state.fire(due, settings, &mut pivots);
        }
        pivots
    }

    /// The same customers with each one's own gaps and values in random order, always the same one: no change is left in it, but
    /// that whoever is silent to its end is so still.
    #[must_use]
    pub fn shuffled(&self) -> Self {
        let mut shuffled = Self { until_ms: self.until_ms, ..Self::default() };
        for (id, seen) in &self.customers {
            let mut dice = Dice(xxhash_rust::xxh3::xxh3_64(id.as_str().as_bytes()));
            shuffled.customers.insert(id.clone(), dice.shuffle_all(seen));
        }
        shuffled
    }
}

impl Findings {
    /// Alarms per 100 customer-years.
    pub fn rate(&self, alarms: u64) -> f64 {
        if self.customer_years > 0.0 { number(alarms) / self.customer_years * 100.0 } else { 0.0 }
    }

    /// Whether a kind of a channel came more often than a level allows; silences aside, whose number does not follow from its
    /// constant.
    fn is_beyond(&self, budget: &Budget, channel: Channel) -> bool {
        let is_more = |count: u64, rate: f64| number(count) > rate * self.customer_years;
        let kinds = Direction::BOTH.map(|direction| channel.kind(direction));
        kinds.iter().filter_map(|kind| self.kinds.get(kind.name())).any(|finding| {
            is_more(finding.alarms, budget.decides().rate)
                || budget.announces().is_some_and(|watch| is_more(finding.watches, watch.rate))
        })
    }
}

/// What is read of one customer.
#[derive(Default)]
struct Series {
    cadence: Visits,
    engagement: Visits,
    amounts: Vec<f64>,
    scores: Vec<f64>,
    sentiments: Vec<f64>,
}

impl Series {
    fn take(&mut self, at_ms: i64, observation: &Observation) {
        match observation {
            Observation::Purchase { amount, .. } => {
                self.cadence.visit(at_ms);
                self.amounts.extend(*amount);
            }
            Observation::Csat(score) => self.scores.push(*score),
            Observation::Sentiment(score) => self.sentiments.push(*score),
            Observation::Engagement => self.engagement.visit(at_ms),
            Observation::Refund => {}
        }
    }
}

/// Gaps between visits; what comes within 24 hours of one is part of it.
#[derive(Default)]
struct Visits {
    last_ms: Option<i64>,
    gaps_ms: Vec<i64>,
}

impl Visits {
    fn visit(&mut self, at_ms: i64) {
        match self.last_ms {
            Some(last) if days(at_ms - last) < 1.0 => return,
            Some(last) => self.gaps_ms.push(at_ms - last),
            None => {}
        }
        self.last_ms = Some(at_ms);
    }

    fn roots(&self) -> Vec<f64> {
        self.gaps_ms.iter().map(|gap| days(*gap).sqrt().sqrt()).collect()
    }
}

/// A generator of pseudo-random numbers whose sequence follows from its seed.
struct Dice(u64);

impl Dice {
    fn shuffle_all(&mut self, seen: &[(i64, Observation)]) -> Vec<(i64, Observation)> {
        let place = |observation: &Observation| match observation {
            Observation::Purchase { .. } => 0,
            Observation::Csat(_) => 1,
            Observation::Sentiment(_) => 2,
            Observation::Engagement => 3,
            Observation::Refund => 4,
        };
        let mut all = Vec::with_capacity(seen.len());
        for of in 0..5 {
            let (times, mut values): (Vec<i64>, Vec<Observation>) =
                seen.iter().filter(|(_, observation)| place(observation) == of).copied().unzip();
            self.shuffle(&mut values);
            let mut gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
            self.shuffle(&mut gaps);
            let starts = gaps.into_iter().scan(times.first().copied().unwrap_or_default(), |at, gap| {
                *at += gap;
                Some(*at)
            });
            all.extend(times.first().copied().into_iter().chain(starts).zip(values));
        }
        all.sort_by_key(|(at_ms, _)| *at_ms);
        all
    }

    /// Fisher and Yates.
    fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let other = usize::try_from((self.0 >> 33) % (last as u64 + 1)).unwrap_or_default();
            list.swap(last, other);
        }
    }
}

/// What a finding is counted under.
fn name(pivot: &Pivot) -> String {
    match (pivot.of.unwrap_or(pivot.kind), pivot.channel) {
        (Kind::Silence, Channel::Engagement) => format!("{} of engagement", Kind::Silence),
        (kind, _) => kind.name().to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^53")]
const fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "centuries have fewer than 2^53 milliseconds")]
fn days(span_ms: i64) -> f64 {
    span_ms as f64 / DAY_MS
}
