//! What the simulation is worth: without any one safeguard, some seed goes wrong.

use super::{Told, WORKERS, first_wrong, simulate};
use crate::mutant::Mutant;

/// Each safeguard, and a seed from which on one that misses it is not far: all below those that the unmutated code
/// passes in the other test.
const MUTANTS: [(Mutant, u64); 12] = [
    (Mutant::OwnId, 140),
    (Mutant::UnstableJournal, 490),
    (Mutant::DigestsIgnored, 60),
    (Mutant::GenerationIgnored, 100),
    (Mutant::ChangedEpoch, 0),
    (Mutant::ArrivalOrder, 0),
    (Mutant::ManifestFirst, 380),
    (Mutant::ClockTwice, 500),
    (Mutant::NoHops, 0),
    (Mutant::EffectsApart, 0),
    (Mutant::EffectsTwice, 0),
    (Mutant::NoHorizon, 0),
];

#[test]
fn without_any_one_safeguard_some_seed_goes_wrong() {
    let mut missed = Vec::new();
    for (mutant, from) in MUTANTS {
        let seeds = from..from + number().unwrap_or(FAR);
        match first_wrong(seeds.clone(), WORKERS, Some(mutant), &Told::default()) {
            Some((seed, why)) => {
                let why: String = why.chars().take(160).collect();
                eprintln!("{mutant:?}: seed {seed}: {why}");
                simulate(seed, None).unwrap_or_else(|why| panic!("seed {seed} is wrong without it, too: {why}"));
            }
            None => missed.push(format!("{mutant:?}: seeds {seeds:?} all go right")),
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

fn number() -> Option<u64> {
    std::env::var("VIPSTREAM_SEEDS").ok().map(|value| value.parse().expect("a number"))
}

/// How many seeds are tried for each.
const FAR: u64 = 60;
