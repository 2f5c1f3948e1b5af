//! A cluster in a box: the very code of tasks and membership over a simulated broker, group and store, in virtual
//! time, everything from one seed.
//!
//! Processes are killed at any step, frozen, cut off and stopped; the group rebalances; commits end unknown, late or
//! not at all. Afterwards every record must have been taken exactly once, committed readers must find what the
//! reference model says, and every task must have come to rest in time.
//!
//! `VIPSTREAM_SEED=N tests/run --lib simulation -- --nocapture` repeats one seed and tells what happened;
//! `VIPSTREAM_SEEDS=N` tries more of them.

mod broker;
mod conformance;
mod director;
mod group;
mod log;
mod mutants;
mod plan;
mod process;
mod schedule;
mod store;
mod traffic;
mod transactions;
mod verdict;
mod world;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::mutant::Mutant;

/// Runs one seed.
///
/// # Errors
/// What was found to be wrong.
fn simulate(seed: u64, mutant: Option<Mutant>) -> Result<director::Tally, String> {
    let body = move || {
        crate::mutant::enter(mutant);
        director::direct(seed)
    };
    // A thread of its own: its clock, and what is left of it, go with it.
    let told = std::thread::Builder::new().name(format!("seed-{seed}")).spawn(body).expect("room for a thread").join();
    told.unwrap_or_else(|_| Err("it panicked".to_owned()))
}

#[test]
fn whatever_befalls_processes_broker_and_group_every_record_counts_once() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    if let Some(seed) = number("VIPSTREAM_SEED") {
        let _ = tracing_subscriber::fmt().without_time().with_writer(std::io::stderr).try_init();
        let told = simulate(seed, None);
        eprintln!("{told:?}");
        told.unwrap();
        return;
    }
    let seeds = number("VIPSTREAM_SEEDS").unwrap_or(SEEDS);
    let told = Told::default();
    if let Some((seed, why)) = first_wrong(0..seeds, WORKERS, None, &told) {
        panic!("seed {seed}: {why}\nrepeat: VIPSTREAM_SEED={seed} tests/run --lib simulation -- --nocapture");
    }
    let Told { pivots, silences } = told;
    assert!(pivots.into_inner() > seeds && silences.into_inner() > seeds / 4, "customers change and fall silent");
}

/// How many lasting changes of behaviour were told, and how many of them time alone showed.
#[derive(Default)]
struct Told {
    pivots: AtomicU64,
    silences: AtomicU64,
}

/// The first of these seeds that goes wrong, and how.
fn first_wrong(seeds: Range<u64>, workers: usize, mutant: Option<Mutant>, all: &Told) -> Option<(u64, String)> {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return None;
            }
            match simulate(seed, mutant) {
                Ok(tally) => {
                    all.pivots.fetch_add(tally.pivots, Ordering::Relaxed);
                    all.silences.fetch_add(tally.silences, Ordering::Relaxed);
                }
                Err(why) => {
                    // What comes after it is not of interest.
                    next.store(seeds.end, Ordering::Relaxed);
                    return Some((seed, why));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().unwrap()).min()
    })
}

/// How many seeds a run tries.
const SEEDS: u64 = 2_000;

const WORKERS: usize = 2;
