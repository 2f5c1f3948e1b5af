//! A router as somebody else would write it: it reads `vip.status` and nothing else, and of each customer the latest
//! record alone. Beside it, what the decisions say to whoever reads all of them from the first.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value as Json;

/// What is known of a customer; of nobody, nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    standing: Vec<String>,
    /// Of each programme held, by name.
    tiers: BTreeMap<String, Option<String>>,
    labels: BTreeSet<String>,
    weight: Decimal,
    /// Team and reason. Agent and channel go by the profile, which decisions quote as it was.
    routing: Option<Json>,
    entitlements: Vec<String>,
}

impl View {
    /// Whether the customer holds a programme.
    pub fn is_vip(&self) -> bool {
        !self.standing.is_empty()
    }

    /// Of a customer without a record.
    fn of_nobody() -> Self {
        Self {
            standing: Vec::new(),
            tiers: BTreeMap::new(),
            labels: BTreeSet::new(),
            weight: Decimal::ONE,
            routing: None,
            entitlements: Vec::new(),
        }
    }
}

/// Knows the latest record of each key.
#[derive(Clone, Default)]
pub struct Router {
    latest: BTreeMap<String, Json>,
}

impl Router {
    /// Reads one record; a null value forgets the customer.
    pub fn read(&mut self, key: &str, value: Option<Json>) {
        match value {
            Some(value) => self.latest.insert(key.to_owned(), value),
            None => self.latest.remove(key),
        };
    }

    /// The `status_seq` of the newest decision that it knows of, 0 where none.
    pub fn reached(&self, customer: &str) -> u64 {
        self.latest.get(customer).map_or(0, |status| status["status_seq"].as_u64().expect("a number"))
    }

    /// What it knows of a customer.
    pub fn view(&self, customer: &str) -> View {
        let Some(status) = self.latest.get(customer) else { return View::of_nobody() };
        let programmes = status["programmes"].as_array().expect("a list").iter();
        View {
            standing: texts(&status["standing"]),
            tiers: programmes.map(|it| (text(&it["programme"]), it["tier"].as_str().map(str::to_owned))).collect(),
            labels: texts(&status["labels"]).into_iter().collect(),
            weight: number(&status["weight"]),
            routing: routing(status),
            entitlements: texts(&status["entitlements"]),
        }
    }
}

/// What the ruleset says of weights, since not every decision does.
#[derive(Default)]
pub struct Weights {
    /// By tier.
    pub of_tiers: BTreeMap<String, Json>,
    /// Programmes with tiers.
    pub tiered: BTreeSet<String>,
}

/// A customer's decisions, each taken in once.
#[derive(Clone, Default)]
pub struct Decided {
    /// How many.
    pub count: u64,
    standing: Vec<String>,
    /// The grant of each programme held, with its present tier.
    held: BTreeMap<String, Json>,
    labels: BTreeSet<String>,
}

impl Decided {
    /// Takes the next decision.
    pub fn take(&mut self, decision: &Json) {
        self.count += 1;
        assert_eq!(decision["status_seq"], self.count, "{decision}");
        let programme = || text(&decision["programme"]);
        match decision["type"].as_str().expect("a type") {
            "vip.granted" => drop(self.held.insert(programme(), decision.clone())),
            "vip.revoked" => drop(self.held.remove(&programme())),
            "vip.changed" => self.held.get_mut(&programme()).expect("held")["tier"] = decision["to"].clone(),
            "cohort.entered" => drop(self.labels.insert(text(&decision["label"]))),
            "cohort.left" => drop(self.labels.remove(&text(&decision["label"]))),
            "vip.expiring" | "vip.waitlisted" => {}
            other => panic!("{other} is no decision"),
        }
        if let Some(standing) = decision.get("standing") {
            self.standing = texts(standing);
        }
    }

    /// What follows from them.
    pub fn view(&self, weights: &Weights) -> View {
        let by_precedence = || self.standing.iter().map(|programme| &self.held[programme]);
        let mut entitlements = Vec::new();
        for entitlement in by_precedence().flat_map(|grant| texts(&grant["entitlements"])) {
            if !entitlements.contains(&entitlement) {
                entitlements.push(entitlement);
            }
        }
        let weight = self.held.iter().map(|(programme, grant)| {
            let tier = grant["tier"].as_str().unwrap_or("none");
            let listed = weights.of_tiers.get(tier).filter(|_| weights.tiered.contains(programme));
            listed.map_or(Decimal::ONE, number)
        });
        View {
            standing: self.standing.clone(),
            tiers: self.held.iter().map(|(name, it)| (name.clone(), it["tier"].as_str().map(str::to_owned))).collect(),
            labels: self.labels.clone(),
            weight: weight.max().unwrap_or(Decimal::ONE),
            routing: by_precedence().find_map(routing),
            entitlements,
        }
    }
}

fn text(value: &Json) -> String {
    value.as_str().expect("a text").to_owned()
}

fn texts(list: &Json) -> Vec<String> {
    list.as_array().expect("a list").iter().map(text).collect()
}

/// Whole weights are numbers, others texts.
fn number(value: &Json) -> Decimal {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse().expect("a decimal")
}

/// The team: agents are as of the look.
fn routing(of: &Json) -> Option<Json> {
    of.get("routing").map(|routing| routing["team"].clone())
}
