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
mod director;
mod group;
mod log;
mod plan;
mod process;
mod schedule;
mod store;
mod traffic;
mod transactions;
mod verdict;
mod world;

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
    let next = AtomicU64::new(0);
    let failed: Vec<(u64, String)> = std::thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds || failed.len() >= 5 {
                    return failed;
                }
                if let Err(why) = simulate(seed, None) {
                    eprintln!(
                        "seed {seed}: {why}\nrepeat: VIPSTREAM_SEED={seed} tests/run --lib simulation -- --nocapture"
                    );
                    failed.push((seed, why));
                }
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "{} of {seeds} seeds failed: {failed:#?}", failed.len());
}

/// How many seeds a run tries.
const SEEDS: u64 = 2_000;

const WORKERS: usize = 2;
