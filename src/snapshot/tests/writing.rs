//! A snapshot becomes one with its manifest, whatever happens before; and two writers of an epoch do no harm.

use std::time::Duration;

use super::memory::{Disk, Fault};
use super::shop::{EVERY, Shop, outcome};
use crate::clock;
use crate::snapshot::Counts;

/// A disk with one snapshot, of epoch 10, and how many writes the next will take.
fn disk() -> (Disk, usize) {
    let disk = Disk::default();
    assert!(Shop::open(&disk, Fault::None).work(10).snapshot().is_some());
    let writes = disk.paths().len();
    assert!(writes >= 4, "{:?}", disk.paths());
    (disk, writes)
}

#[test]
fn a_crash_between_any_two_writes_leaves_the_snapshot_before() {
    for write in 0.. {
        let (disk, writes) = disk();
        let published = Shop::open(&disk, Fault::Dies(write)).work(20).snapshot();
        if write == writes {
            assert_eq!((published.is_some(), outcome(&disk, Fault::None).as_str()), (true, "epoch 20"));
            return;
        }
        assert!(published.is_none(), "died before write {write}");
        assert_eq!(outcome(&disk, Fault::None), "epoch 10", "died before write {write}");
    }
}

#[test]
fn a_failed_write_gives_the_snapshot_up_and_the_next_succeeds() {
    let (_, writes) = disk();
    for write in 0..writes {
        let (disk, _) = disk();
        let mut shop = Shop::open(&disk, Fault::Fails(write));
        assert!(shop.work(20).snapshot().is_none());
        assert_eq!(shop.snapshots.counts(), Counts { given_up: 1, ..Counts::default() });
        assert_eq!(outcome(&disk, Fault::None), "epoch 10", "write {write} failed");
        assert!(!shop.snapshots.is_due(), "not at once");
        clock::sleep(Duration::from_secs(5));
        assert!(shop.snapshots.is_due(), "soon, although nothing has changed");
        assert!(shop.work(21).snapshot().is_some());
        assert_eq!(outcome(&disk, Fault::None), "epoch 21", "write {write} failed");
    }
}

#[test]
fn a_write_that_failed_and_is_there_all_the_same_does_no_harm() {
    let (_, writes) = disk();
    for write in 0..writes {
        let (disk, _) = disk();
        let mut shop = Shop::open(&disk, Fault::FailsDone(write));
        assert!(shop.work(20).snapshot().is_none());
        let found = outcome(&disk, Fault::None);
        assert_eq!(found, if write + 1 == writes { "epoch 20" } else { "epoch 10" }, "write {write} failed");
        clock::sleep(EVERY);
        assert!(shop.snapshot().is_some(), "the same epoch again");
        assert_eq!(outcome(&disk, Fault::None), "epoch 20");
    }
}

#[test]
fn a_write_that_was_torn_unnoticed_is_noticed_when_it_is_read() {
    let (_, writes) = disk();
    for write in 0..writes {
        let (disk, _) = disk();
        assert!(Shop::open(&disk, Fault::Tears(write)).work(20).snapshot().is_some(), "the store said so");
        let found = outcome(&disk, Fault::None);
        assert!(found.starts_with("epoch 10\n    not 20: shop/0/"), "{found}");
    }
}

#[test]
fn ends_may_be_heard_in_any_order() {
    let (disk, _) = disk();
    assert!(Shop::open(&disk, Fault::Reorders).work(20).snapshot().is_some());
    assert_eq!(outcome(&disk, Fault::None), "epoch 20");
}

#[test]
fn what_is_applied_meanwhile_is_not_in_it() {
    let disk = Disk::default();
    let mut shop = Shop::open(&disk, Fault::None);
    shop.work(20);
    let manifest = shop.manifest();
    shop.snapshots.begin(manifest, &mut shop.engine);
    shop.snapshots.advance(&mut shop.engine);
    assert!(shop.work(25).advance().is_some());
    assert_eq!(outcome(&disk, Fault::None), "epoch 20");
}

#[test]
fn two_writers_of_one_state_make_one_snapshot() {
    let disk = Disk::default();
    let mut one = Shop::open(&disk, Fault::None);
    let mut other = Shop::open(&disk, Fault::None);
    for shop in [&mut one, &mut other] {
        let manifest = shop.work(20).manifest();
        shop.snapshots.begin(manifest, &mut shop.engine);
    }
    for _ in 0..50 {
        one.snapshots.advance(&mut one.engine);
        other.snapshots.advance(&mut other.engine);
    }
    assert_eq!([&one, &other].map(|shop| shop.snapshots.counts().published), [1, 1]);
    assert_eq!(disk.matching(".manifest").len(), 1);
    assert_eq!(outcome(&disk, Fault::None), "epoch 20");
}

#[test]
fn of_two_writers_of_different_states_the_second_gives_up() {
    let disk = Disk::default();
    assert!(Shop::open(&disk, Fault::None).work(20).snapshot().is_some());
    let mut other = Shop::open(&disk, Fault::None);
    other.work(19);
    other.epoch = 20;
    assert!(other.snapshot().is_none());
    assert_eq!(other.snapshots.counts(), Counts { given_up: 1, ..Counts::default() });
    assert_eq!(outcome(&disk, Fault::None), "epoch 20", "the first one's blocks are as they were");
}

#[test]
fn it_is_due_at_once_then_after_the_interval_and_only_if_something_happened() {
    let disk = Disk::default();
    let mut shop = Shop::open(&disk, Fault::None);
    assert!(!shop.snapshots.is_due(), "nothing has happened");
    shop.work(1);
    assert!(shop.snapshots.is_due());
    shop.snapshot();
    shop.work(2);
    clock::sleep(EVERY.checked_sub(Duration::from_secs(1)).unwrap());
    assert!(!shop.snapshots.is_due());
    clock::sleep(Duration::from_secs(1));
    assert!(shop.snapshots.is_due());
    shop.snapshot();
    clock::sleep(EVERY);
    assert!(!shop.snapshots.is_due(), "nothing has happened since");
}

#[test]
fn failures_in_a_row_are_further_and_further_apart() {
    let mut shop = Shop::open(&Disk::default(), Fault::Dies(0));
    shop.work(1);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        shop.fail();
        let mut pause = 0;
        while !shop.snapshots.is_due() {
            clock::sleep(Duration::from_secs(1));
            pause += 1;
        }
        pauses.push(pause);
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
}
