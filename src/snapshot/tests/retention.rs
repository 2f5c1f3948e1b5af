//! What stays and what goes: never what the two newest restorable ones need.

use super::memory::{Disk, Fault};
use super::shop::{EVERY, Shop, outcome, rules};
use crate::clock;
use crate::engine::TimeMode;

fn manifests(disk: &Disk) -> Vec<u64> {
    let epoch = |path: &String| path.rsplit('/').next()?.strip_suffix(".manifest")?.parse().ok();
    disk.paths().iter().filter_map(epoch).collect()
}

fn folders(disk: &Disk) -> Vec<u64> {
    let mut found: Vec<u64> = disk
        .paths()
        .iter()
        .filter(|path| !path.ends_with(".manifest"))
        .filter_map(|path| path.split('/').nth(2)?.parse().ok())
        .collect();
    found.dedup();
    found
}

/// Snapshots at these epochs by one task that keeps three.
fn taken(disk: &Disk, epochs: &[u64]) -> Shop {
    let mut shop = Shop::open_with(disk.store(Fault::None), 3);
    for epoch in epochs {
        assert!(shop.work(*epoch).snapshot().is_some());
    }
    shop
}

#[test]
fn the_newest_stay_and_older_ones_go_blocks_and_all() {
    let disk = Disk::default();
    let mut shop = taken(&disk, &[1, 2, 3, 4]);
    assert_eq!((manifests(&disk), folders(&disk)), (vec![2, 3, 4], vec![2, 3, 4]));
    let published = shop.work(5).snapshot().unwrap();
    assert_eq!((published.manifest.epoch, published.oldest.unwrap().epoch), (5, 3));
    assert_eq!(manifests(&disk), [3, 4, 5]);
    assert!(shop.snapshots.counts().deleted > 6);
}

#[test]
fn a_damaged_one_does_not_count_and_goes_once_two_whole_ones_are_newer() {
    for damage in ["manifest", "block", "torn block", "torn manifest"] {
        let disk = Disk::default();
        let mut shop = taken(&disk, &[1, 2, 3]);
        let part = if damage.ends_with("manifest") { "03.manifest" } else { "03/000001" };
        let path = disk.matching(part)[0].clone();
        if damage.starts_with("torn") {
            disk.change(&path, |bytes| bytes.truncate(50));
        } else {
            disk.remove(&path);
        }
        assert!(shop.work(4).snapshot().is_some());
        assert_eq!(outcome(&disk, Fault::None), "epoch 4");
        assert!(manifests(&disk).starts_with(&[1, 2]), "{damage}: {:?}", manifests(&disk));
        assert!(!folders(&disk).contains(&3), "{damage}: what is left of it has gone");
        disk.remove(&disk.matching("04.manifest")[0]);
        assert_eq!(outcome(&disk, Fault::None), "epoch 2", "{damage}");
    }
}

#[test]
fn one_that_a_restart_found_damaged_does_not_count_though_its_size_is_right() {
    let disk = Disk::default();
    let mut shop = taken(&disk, &[1, 2, 3]);
    for epoch in [2, 3] {
        let block = disk.matching(&format!("{epoch:02}/000001"))[0].clone();
        disk.change(&block, |bytes| *bytes.last_mut().unwrap() ^= 1);
        let manifest = shop.snapshots.manifest(epoch).unwrap();
        assert!(shop.snapshots.load(&manifest, rules(), TimeMode::Event, &mut |_, _| {}).is_err());
    }
    assert!(shop.work(4).snapshot().is_some());
    assert_eq!(manifests(&disk), [1, 4], "the only other one that is whole stays, the damaged ones go");
}

#[test]
fn with_one_whole_snapshot_nothing_goes() {
    let disk = Disk::default();
    let mut shop = taken(&disk, &[1, 2, 3]);
    for path in disk.matching("/000000-") {
        disk.change(&path, |bytes| bytes.truncate(50));
    }
    let before = disk.paths().len();
    assert!(shop.work(4).snapshot().is_some());
    assert!(disk.paths().len() > before && manifests(&disk) == [1, 2, 3, 4], "{:?}", disk.paths());
    assert!(shop.work(5).snapshot().is_some());
    assert_eq!(manifests(&disk), [4, 5]);
    assert_eq!(folders(&disk), [4, 5]);
}

#[test]
fn what_has_no_manifest_goes_unless_it_is_newer() {
    let disk = Disk::default();
    disk.write("shop/0/00000000000000000003/000000-ab", vec![1]);
    disk.write("shop/0/00000000000000000009/000000-ab", vec![1]);
    disk.write("shop/0/notes", vec![1]);
    disk.write("shop/1/00000000000000000003/000000-ab", vec![1]);
    taken(&disk, &[4, 5]);
    assert!(disk.matching("03/000000-ab").iter().all(|path| path.starts_with("shop/1/")), "another task's stays");
    assert_eq!(disk.matching("09/000000-ab").len(), 1, "somebody may be writing it");
    assert_eq!(disk.matching("notes").len(), 1, "nobody knows whose it is");
}

#[test]
fn blocks_that_lost_against_another_writer_go() {
    let disk = Disk::default();
    let mut shop = taken(&disk, &[4]);
    disk.write("shop/0/00000000000000000004/000001-ab", vec![1]);
    shop.work(5).snapshot();
    assert_eq!(disk.matching("000001-ab").len(), 0);
    assert_eq!(outcome(&disk, Fault::None), "epoch 5");
    disk.remove(&disk.matching("05.manifest")[0]);
    assert_eq!(outcome(&disk, Fault::None), "epoch 4", "its own blocks stay");
}

#[test]
fn a_newer_builds_snapshot_is_left_alone() {
    let disk = Disk::default();
    let mut shop = taken(&disk, &[1, 2, 3]);
    disk.change(&disk.matching("03.manifest")[0], |bytes| {
        bytes[8] += 1;
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        hash.update(&bytes[..28]);
        hash.update(&bytes[44..]);
        bytes[28..44].copy_from_slice(&hash.digest128().to_le_bytes());
    });
    shop.work(4).snapshot();
    assert_eq!(manifests(&disk), [1, 2, 3, 4]);
    assert_eq!(folders(&disk), [1, 2, 3, 4]);
}

#[test]
fn a_store_that_cannot_be_read_loses_nothing() {
    let disk = Disk::default();
    taken(&disk, &[1, 2, 3]);
    let mut shop = Shop::open_with(disk.store(Fault::Unreadable("02.manifest")), 3);
    assert!(shop.work(4).snapshot().is_some());
    assert_eq!(manifests(&disk), [1, 2, 3, 4]);
}

#[test]
fn a_deletion_that_fails_is_done_the_next_time() {
    let disk = Disk::default();
    taken(&disk, &[1, 2, 3]);
    let writes = disk.matching("/00000000000000000003").len();
    let mut shop = Shop::open_with(disk.store(Fault::Fails(writes)), 3);
    assert!(shop.work(4).snapshot().is_some());
    assert_eq!(manifests(&disk), [1, 2, 3, 4], "the manifest could not be deleted, so its blocks stay");
    assert_eq!(folders(&disk), [1, 2, 3, 4]);
    assert!(shop.work(5).snapshot().is_some());
    assert_eq!((manifests(&disk), folders(&disk)), (vec![3, 4, 5], vec![3, 4, 5]));
}

#[test]
fn a_crash_while_deleting_never_leaves_a_manifest_without_its_blocks() {
    let disk = Disk::default();
    taken(&disk, &[1, 2, 3]);
    let writes = disk.matching("/00000000000000000003").len();
    for died in writes..writes + 4 {
        let copy = Disk::default();
        disk.paths().iter().for_each(|path| copy.write(path, disk.read(path)));
        Shop::open_with(copy.store(Fault::Dies(died)), 3).work(4).snapshot();
        assert!(manifests(&copy).iter().all(|epoch| folders(&copy).contains(epoch)));
        assert_eq!(outcome(&copy, Fault::None), "epoch 4");
    }
}

#[test]
fn snapshots_from_before_an_erasure_are_written_out_though_nothing_happens() {
    let disk = Disk::default();
    let mut shop = taken(&disk, &[1, 2, 3]);
    clock::sleep(EVERY);
    shop.erase();
    assert!(shop.snapshot().is_some(), "the first without the customer");
    for epoch in [5, 6] {
        assert!(!shop.snapshots.wants_epoch(), "not at once");
        clock::sleep(EVERY);
        assert!(shop.snapshots.wants_epoch() && !shop.snapshots.is_due(), "nothing happens");
        shop.work(epoch);
        assert!(shop.snapshots.is_due());
        assert!(shop.snapshot().is_some());
    }
    assert_eq!(manifests(&disk), [4, 5, 6]);
    clock::sleep(EVERY);
    assert!(!shop.snapshots.wants_epoch(), "nothing is left to be written out");
}
