//! Whatever is wrong with what lies in the store: the right older snapshot, or a refusal; never another state.

use prost::Message;

use super::memory::{Disk, Fault};
use super::shop::{Shop, outcome, rules};
use crate::snapshot::format;
use crate::snapshot::manifest::Manifest;

/// Snapshots at the epochs 10, 20 and 30, of several blocks each.
fn disk() -> Disk {
    let disk = Disk::default();
    let mut shop = Shop::open_with(disk.store(Fault::None), 3);
    for epoch in [10, 20, 30] {
        assert!(shop.work(epoch).snapshot().is_some());
    }
    assert_eq!(disk.matching(".manifest").len(), 3);
    assert!(disk.matching("30/").len() >= 3, "{:?}", disk.paths());
    disk
}

fn manifest_path(epoch: u64) -> String {
    format!("shop/0/{epoch:020}.manifest")
}

fn blocks(disk: &Disk, epoch: u64) -> Vec<String> {
    disk.matching(&format!("/{epoch:020}/"))
}

/// Changes what a manifest says, and seals it again.
fn rewrite(disk: &Disk, epoch: u64, change: impl FnOnce(&mut Manifest)) {
    let path = manifest_path(epoch);
    let content = format::open(&path, &disk.read(&path)).unwrap();
    let mut manifest = Manifest::decode(content.as_slice()).unwrap();
    change(&mut manifest);
    disk.write(&path, format::seal(&manifest.encode_to_vec()).unwrap());
}

/// A newer build's: version and checksum in its header.
fn make_newer(sealed: &mut [u8]) {
    sealed[8] += 1;
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(&sealed[..28]);
    hash.update(&sealed[44..]);
    sealed[28..44].copy_from_slice(&hash.digest128().to_le_bytes());
}

/// The parts of a sealed object.
const REGIONS: [(&str, usize); 6] =
    [("magic", 0), ("version", 8), ("content's length", 12), ("frame's length", 20), ("checksum", 30), ("frame", 47)];

type Damage = Box<dyn Fn(&Disk)>;

fn of_any_object(what: &'static str, path: fn(&Disk) -> String) -> Vec<(String, Damage)> {
    let mut cases: Vec<(String, Damage)> = Vec::new();
    for (region, at) in REGIONS {
        cases.push((
            format!("{what}: a bit flipped in its {region}"),
            Box::new(move |disk| disk.change(&path(disk), |bytes| bytes[at] ^= 4)),
        ));
    }
    for (how, kept) in [("empty", 0), ("cut within the header", 30), ("cut within the frame", 60)] {
        cases.push((
            format!("{what}: {how}"),
            Box::new(move |disk| disk.change(&path(disk), |bytes| bytes.truncate(kept))),
        ));
    }
    let mut push = |name: &str, damage: Damage| cases.push((format!("{what}: {name}"), damage));
    push("last byte missing", Box::new(move |disk| disk.change(&path(disk), |bytes| bytes.truncate(bytes.len() - 1))));
    push("followed by zeros", Box::new(move |disk| disk.change(&path(disk), |bytes| bytes.extend([0; 512]))));
    push("all zeros", Box::new(move |disk| disk.change(&path(disk), |bytes| bytes.fill(0))));
    push("not there", Box::new(move |disk| disk.remove(&path(disk))));
    push("of a newer version", Box::new(move |disk| disk.change(&path(disk), |bytes| make_newer(bytes))));
    cases
}

fn of_blocks() -> Vec<(String, Damage)> {
    let swap = |disk: &Disk| {
        let [one, other] = [0, 1].map(|at| blocks(disk, 30)[at].clone());
        let (first, second) = (disk.read(&one), disk.read(&other));
        disk.write(&one, second);
        disk.write(&other, first);
    };
    let from_before = |disk: &Disk| {
        let older = disk.read(&blocks(disk, 20)[0]);
        disk.write(&blocks(disk, 30)[0], older);
    };
    vec![
        ("blocks: two swapped".to_owned(), Box::new(swap) as Damage),
        ("blocks: one of an older snapshot".to_owned(), Box::new(from_before)),
        (
            "blocks: the last not there".to_owned(),
            Box::new(|disk| disk.remove(blocks(disk, 30).last().expect("it has some"))),
        ),
        ("blocks: none there".to_owned(), Box::new(|disk| blocks(disk, 30).iter().for_each(|path| disk.remove(path)))),
    ]
}

fn of_manifests() -> Vec<(String, Damage)> {
    fn says(what: &str, change: fn(&mut Manifest)) -> (String, Damage) {
        (format!("manifest: says {what}"), Box::new(move |disk| rewrite(disk, 30, change)))
    }
    vec![
        says("another app", |it| it.app = "bar".to_owned()),
        says("another task", |it| it.task = 1),
        says("another epoch", |it| it.epoch = 29),
        says("another ruleset", |it| it.ruleset = "beef".to_owned()),
        says("more customers", |it| it.customers += 1),
        says("another digest", |it| it.state_digest[3] ^= 1),
        says("no digest", |it| it.state_digest.clear()),
        says("a block twice", |it| it.blocks.push(it.blocks[0].clone())),
        says("a block less", |it| drop(it.blocks.pop())),
        says("another block's digest", |it| it.blocks[0].digest[0] ^= 1),
        says("more customers in a block", |it| it.blocks[0].customers += 1),
        says("another engine", |it| it.engine.truncate(9)),
        says("a block elsewhere", |it| it.blocks[0].name = format!("../{:020}/x", 20)),
        says("its blocks in another order", |it| it.blocks.reverse()),
        (
            "manifest: no manifest, though sealed".to_owned(),
            Box::new(|disk| disk.write(&manifest_path(30), format::seal(b"\xff\xff\xff").unwrap())),
        ),
        (
            "manifest: an older one under a newer name".to_owned(),
            Box::new(|disk| disk.write(&manifest_path(31), disk.read(&manifest_path(10)))),
        ),
        (
            "manifest: another task's in the folder".to_owned(),
            Box::new(|disk| {
                rewrite(disk, 30, |it| it.task = 7);
                rewrite(disk, 20, |it| it.app = "other".to_owned());
            }),
        ),
    ]
}

fn of_all() -> Vec<(String, Damage)> {
    let case = |name: &str, damage: Damage| (name.to_owned(), damage);
    vec![
        case("nothing wrong", Box::new(|_| {})),
        case("an empty folder", Box::new(|disk| disk.paths().iter().for_each(|path| disk.remove(path)))),
        case(
            "no manifest at all",
            Box::new(|disk| disk.matching(".manifest").iter().for_each(|path| disk.remove(path))),
        ),
        case(
            "blocks of a newer one without manifest",
            Box::new(|disk| disk.write("shop/0/00000000000000000040/000000-ab", vec![1])),
        ),
        case(
            "strange objects",
            Box::new(|disk| {
                for path in
                    ["shop/0/readme", "shop/0/99.manifest", "shop/0/x/y/z", "shop/00/00000000000000000099.manifest"]
                {
                    disk.write(path, vec![1]);
                }
            }),
        ),
        case(
            "the two newest damaged",
            Box::new(|disk| {
                disk.remove(&blocks(disk, 20)[1]);
                disk.change(&manifest_path(30), |bytes| bytes.truncate(20));
            }),
        ),
        case(
            "all damaged",
            Box::new(|disk| {
                disk.matching("/000000-").iter().for_each(|path| disk.change(path, |bytes| bytes[50] ^= 1));
            }),
        ),
    ]
}

/// Without digests and lengths, which change with every change of the state's form.
fn plain(text: &str) -> String {
    let is_digest = |word: &str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_length = |word: &str| word.len() < 9 && word.parse().is_ok_and(|number: u32| number > 100);
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let masked = words.map(|word| {
        let end = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len();
        let (core, rest) = word.split_at(end);
        let core = if is_digest(core) {
            "DIGEST"
        } else if is_length(core) {
            "LENGTH"
        } else {
            core
        };
        format!("{core}{rest}")
    });
    masked.collect()
}

#[test]
fn whatever_is_damaged_the_right_snapshot_comes_back() {
    let cases = [
        of_all(),
        of_any_object("manifest", |_| manifest_path(30)),
        of_any_object("block", |disk| blocks(disk, 30)[1].clone()),
        of_blocks(),
        of_manifests(),
    ];
    let said: Vec<String> = cases
        .into_iter()
        .flatten()
        .map(|(name, damage)| {
            let disk = disk();
            damage(&disk);
            format!("{name}\n  => {}", plain(&outcome(&disk, Fault::None)))
        })
        .collect();
    assert!(said.len() >= 50, "{}", said.len());
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_store_that_does_not_answer_is_no_reason_to_go_back() {
    let disk = disk();
    insta::assert_snapshot!(outcome(&disk, Fault::Silent), @"refused: shop/0: out of order");
    insta::assert_snapshot!(outcome(&disk, Fault::Unreadable("30.manifest")), @"refused: shop/0/00000000000000000030.manifest: out of order");
    let said = outcome(&disk, Fault::Unreadable("30/000001"));
    assert!(said.starts_with("refused: shop/0/00000000000000000030/000001-"), "{said}");
    assert_eq!(outcome(&disk, Fault::Unreadable("/00000000000000000020")), "epoch 30", "an older one is not even read");
}

#[test]
fn under_other_rules_it_is_refused_by_the_engine_too() {
    let disk = disk();
    rewrite(&disk, 30, |it| it.engine = vec![]);
    let said = outcome(&disk, Fault::None);
    assert!(said.starts_with("epoch 20\n    not 30: shop/0/00000000000000000030.manifest: "), "{said}");
    assert!(!rules().hash().is_empty());
}
