//! The real stores: a folder, and S3's protocol over HTTP.

use std::path::Path;

use super::s3::StandIn;
use super::shop::{Shop, outcome_of};
use crate::clock;
use crate::config::Place;
use crate::snapshot::depot::Depot;
use crate::snapshot::store::{Finished, Object, Store, StoreError, Write};

fn folder(path: &Path) -> Depot {
    Depot::open(&Place::Folder(path.to_owned())).unwrap()
}

/// Does a write and waits for its end.
fn done(store: &mut dyn Store, write: Write) -> Finished {
    store.start(write);
    loop {
        if let Some(finished) = store.finished() {
            return finished;
        }
        std::thread::yield_now();
    }
}

fn put(path: &str, content: &[u8]) -> Write {
    Write::Put { path: path.to_owned(), content: content.to_vec() }
}

fn create(path: &str, content: &[u8]) -> Write {
    Write::Create { path: path.to_owned(), content: content.to_vec() }
}

/// What every store must do.
fn keeps_its_word(store: &mut dyn Store) {
    let exists = |path: &str| Err(StoreError::Exists { path: path.to_owned() });
    let missing = |path: &str| StoreError::Missing { path: path.to_owned() };
    assert_eq!(store.list("shop/0"), Ok(vec![]));
    assert_eq!(store.get("shop/0/a"), Err(missing("shop/0/a")));
    for (write, outcome) in [
        (put("shop/0/a", b"one"), Ok(())),
        (put("shop/0/a", b"two"), Ok(())),
        (create("shop/0/a", b"three"), exists("shop/0/a")),
        (create("shop/0/b/c", b"four"), Ok(())),
        (create("shop/0/b/c", b"five"), exists("shop/0/b/c")),
        (put("shop/00/x", b"another task's"), Ok(())),
    ] {
        let finished = done(store, write);
        assert_eq!(finished.outcome, outcome, "{}", finished.path);
        assert_eq!(finished.bytes > 0, outcome.is_ok());
    }
    let open = |sealed: Vec<u8>| crate::snapshot::format::open("x", &sealed).unwrap();
    assert_eq!(store.get("shop/0/a").map(open).unwrap(), b"two");
    assert_eq!(store.get("shop/0/b/c").map(open).unwrap(), b"four");
    let found = store.list("shop/0").unwrap();
    let paths: Vec<&str> = found.iter().map(|object| object.path.as_str()).collect();
    assert_eq!(paths, ["shop/0/a", "shop/0/b/c"]);
    let Object { path, bytes } = &found[0];
    assert_eq!(*bytes, store.get(path).unwrap().len() as u64);
    store.expect(&["shop/0/b/c", "shop/0/gone", "shop/0/a"].map(str::to_owned));
    assert_eq!(store.get("shop/0/b/c").map(open).unwrap(), b"four");
    assert_eq!(store.get("shop/0/gone"), Err(missing("shop/0/gone")));
    assert_eq!(store.get("shop/0/a").map(open).unwrap(), b"two");
    assert_eq!(done(store, Write::Delete { path: "shop/0/a".to_owned() }).outcome, Ok(()));
    assert_eq!(store.list("shop/0").unwrap().len(), 1);
}

/// Two snapshots, the second in place of the state before, and back.
fn carries_snapshots(depot: &Depot) {
    let mut shop = Shop::open_with(depot.handle(), 2);
    // Threads of the store work in real time.
    clock::virtual_time::enter(None);
    for epoch in [1, 2, 3] {
        let manifest = shop.work(epoch).manifest();
        shop.snapshots.begin(manifest, &mut shop.engine);
        while shop.snapshots.advance(&mut shop.engine).is_none() {
            std::thread::yield_now();
        }
    }
    while !shop.is_settled() {
        shop.snapshots.advance(&mut shop.engine);
        std::thread::yield_now();
    }
    assert_eq!(outcome_of(depot.handle()), "epoch 3");
    assert_eq!(shop.snapshots.epochs().unwrap(), [3, 2]);
    let mut store = depot.handle();
    assert!(
        store.list("shop/0").unwrap().iter().all(|object| !object.path.contains("00000000000000000001")),
        "the oldest has gone"
    );
    assert_eq!(
        done(&mut *store, Write::Delete { path: "shop/0/00000000000000000003.manifest".to_owned() }).outcome,
        Ok(())
    );
    assert_eq!(outcome_of(depot.handle()), "epoch 2");
}

#[test]
fn a_folder_keeps_its_word() {
    let place = tempfile::tempdir().unwrap();
    keeps_its_word(&mut *folder(&place.path().join("deep/er")).handle());
}

#[test]
fn snapshots_go_through_a_folder() {
    let place = tempfile::tempdir().unwrap();
    carries_snapshots(&folder(place.path()));
}

#[test]
fn a_folder_that_is_emptied_meanwhile_is_made_again() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("state");
    let mut store = folder(&path).handle();
    assert_eq!(done(&mut *store, put("shop/0/a", b"one")).outcome, Ok(()));
    std::fs::remove_dir_all(&path).unwrap();
    assert_eq!(store.list("shop/0"), Ok(vec![]));
    assert_eq!(done(&mut *store, put("shop/0/a", b"one")).outcome, Ok(()));
    assert_eq!(store.list("shop/0").unwrap().len(), 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_with_the_remedy() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let refused = Depot::open(&Place::Folder(path.clone())).err().unwrap().to_string();
        assert!(refused.starts_with(&format!("snapshots.store: {} cannot be written: ", path.display())), "{refused}");
        assert!(refused.ends_with("or write `snapshots: off`"), "{refused}");
    }
    let absent = Depot::at(&Place::Folder(place.path().join("absent"))).err().unwrap().to_string();
    assert!(absent.contains("is not there"), "{absent}");
    assert!(!place.path().join("absent").exists());
}

#[test]
fn snapshots_go_through_s3() {
    let stand_in = StandIn::start();
    let depot = stand_in.depot("s3://bucket/some/prefix");
    keeps_its_word(&mut *depot.handle());
    assert!(stand_in.paths().iter().all(|path| path.starts_with("some/prefix/shop/")), "{:?}", stand_in.paths());
    carries_snapshots(&stand_in.depot("s3://other"));
}

#[test]
fn a_bucket_that_does_not_answer_is_refused_with_the_remedy() {
    let stand_in = StandIn::start();
    stand_in.refuse();
    let refused = stand_in.try_depot("s3://bucket").err().unwrap().to_string();
    assert!(refused.starts_with("snapshots.store: s3://bucket cannot be listed: "), "{refused}");
}
