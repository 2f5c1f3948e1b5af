//! Trying seeds on every core.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often what was seen.
pub(super) type Totals = BTreeMap<String, u64>;

/// Tries so many seeds, unless `VIPSTREAM_SEEDS` says otherwise, or the one that `VIPSTREAM_SEED` names; a try gives
/// what it saw, or where two differ.
///
/// # Panics
/// Where a seed differs, with what `explain` makes of the first.
pub(super) fn all(
    seeds: u64,
    attempt: impl Fn(u64) -> Result<Totals, String> + Sync,
    explain: impl Fn(u64, &str) -> String,
) -> Totals {
    let only = number("VIPSTREAM_SEED");
    let end = only.map_or_else(|| number("VIPSTREAM_SEEDS").unwrap_or(seeds), |seed| seed + 1);
    let next = AtomicU64::new(only.unwrap_or(0));
    let (totals, failed) = (Mutex::new(Totals::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    match attempt(seed) {
                        Ok(seen) => add(&mut totals.lock().expect("no counting panics"), seen),
                        Err(report) => failed.lock().expect("no noting panics").push((seed, report)),
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("no noting panics");
    failed.sort();
    if let Some((seed, report)) = failed.first() {
        // What explains it may take its time.
        eprintln!("seed {seed} differs:\n{report}");
        let all: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
        panic!("{} seeds differ: {all:?}\n{}", all.len(), explain(*seed, report));
    }
    totals.into_inner().expect("no counting panics")
}

/// Whether a run tries all seeds, so that totals mean something.
pub(super) fn is_whole_run() -> bool {
    number("VIPSTREAM_SEED").is_none()
}

/// A panic as a difference.
pub(super) fn caught<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
    })
}

fn add(totals: &mut Totals, seen: Totals) {
    for (what, count) in seen {
        *totals.entry(what).or_default() += count;
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a seed is a number"))
}
