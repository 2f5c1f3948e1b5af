//! A router that starts with an empty disk, at whatever moment, and reads what is left of the compacted `vip.status`
//! knows at every point what all decisions from the first say.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::seeds::{self, Totals, caught};
use crate::support::generate::live::{Live, in_mode, live};
use crate::support::judge;
use crate::support::model::fold::{Mode, Said, Sent, null_status};
use crate::support::model::weights;
use crate::support::router::{Decided, Router, Weights};

/// How many seeds a run tries.
const SEEDS: u64 = 500;

#[test]
fn a_router_that_starts_empty_knows_what_all_decisions_say() {
    let totals = seeds::all(
        SEEDS,
        |seed| {
            let live = if seed.is_multiple_of(2) { live(seed) } else { in_mode(seed, Mode::Event) };
            caught(|| Ok(follow(&live)))
        },
        |seed, report| format!("seed {seed}: {report}\nrepeat: VIPSTREAM_SEED={seed} cargo test --test model a_router"),
    );
    println!("{totals:#?}");
    for what in ["standings", "customers forgotten", "VIPs", "accounts", "records compacted away"] {
        let least = if seeds::is_whole_run() { 20 } else { 0 };
        assert!(totals.get(what).copied().unwrap_or_default() >= least, "hardly any {what}: {totals:?}");
    }
}

/// Compares customer by customer, after each record of `vip.status` and after each epoch.
fn follow(live: &Live) -> Totals {
    let (of_tiers, tiered) = weights(&live.ruleset);
    let mut course = Course { weights: Weights { of_tiers, tiered }, ..Course::default() };
    for said in judge::applied(live).0 {
        course.go_on(&said);
        course.start_anew();
    }
    course.totals
}

/// A stream's outputs so far, and who has read them.
#[derive(Default)]
struct Course {
    weights: Weights,
    /// Each customer's decisions.
    events: BTreeMap<String, Vec<Json>>,
    /// What `vip.status` holds.
    statuses: Vec<(String, Option<Json>)>,
    /// Reads everything as it comes.
    router: Router,
    decided: BTreeMap<String, Decided>,
    totals: Totals,
}

impl Course {
    /// What an epoch says. A record of `vip.status` stands for all decisions up to its number.
    fn go_on(&mut self, said: &Said) {
        for Sent { key, value } in &said.events {
            let decision: Json = serde_json::from_str(value).expect("JSON");
            self.events.entry(key.clone()).or_default().push(decision);
        }
        for Sent { key, value } in &said.statuses {
            let value = (*value != null_status(key)).then(|| serde_json::from_str(value).expect("JSON"));
            self.add(if value.is_some() { "standings" } else { "customers forgotten" });
            self.statuses.push((key.clone(), value.clone()));
            let is_gone = value.is_none();
            // Of whoever is merged it is said though nothing was decided about them.
            let decisions = self.events.get(key).map(Vec::as_slice).unwrap_or_default();
            self.router.read(key, value);
            // Nothing is decided of a customer after that; an account may come to hold something again.
            let is_account = decisions.iter().all(|decision| decision["customer_id"].is_null());
            let upto = if is_gone { decisions.len() as u64 } else { self.router.reached(key) };
            let decided = self.decided.entry(key.clone()).or_default();
            while decided.count < upto {
                let next = &decisions[usize::try_from(decided.count).expect("few")];
                // Of an account it may be said only later that it holds something again.
                let is_of_nobody = is_gone && is_account && !decided.view(&self.weights).is_vip();
                if is_of_nobody && next["type"] == "vip.granted" {
                    break;
                }
                decided.take(next);
            }
            let view = decided.view(&self.weights);
            assert_eq!(self.router.view(key), view, "{key} at decision {upto}");
        }
    }

    /// Whoever starts now finds what compaction left, and all that was decided is in it.
    fn start_anew(&mut self) {
        let mut left: BTreeMap<&str, (usize, Option<&Json>)> = BTreeMap::new();
        for (offset, (key, value)) in self.statuses.iter().enumerate() {
            left.insert(key, (offset, value.as_ref()));
        }
        let mut records: Vec<_> = left.into_iter().map(|(key, (offset, value))| (offset, key, value)).collect();
        records.sort_unstable_by_key(|(offset, ..)| *offset);
        let mut fresh = Router::default();
        for (_, key, value) in &records {
            fresh.read(key, value.cloned());
        }
        let (compacted, mut vips) = (self.statuses.len() - records.len(), 0);
        let of_accounts =
            records.iter().filter(|(.., value)| value.is_some_and(|it| it["customer_id"].is_null())).count();
        *self.totals.entry("accounts".to_owned()).or_default() += of_accounts as u64;
        for (customer, decisions) in &self.events {
            let decided = &self.decided[customer];
            assert_eq!(decided.count, decisions.len() as u64, "{customer}: decided, and no standing says so");
            let view = decided.view(&self.weights);
            assert_eq!(fresh.view(customer), view, "{customer}");
            vips += u64::from(view.is_vip());
        }
        *self.totals.entry("VIPs".to_owned()).or_default() += vips;
        *self.totals.entry("records compacted away".to_owned()).or_default() += compacted as u64;
    }

    fn add(&mut self, what: &str) {
        *self.totals.entry(what.to_owned()).or_default() += 1;
    }
}
