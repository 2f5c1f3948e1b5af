//! Real history: the sample in `tests/fixtures/real`, or the whole data from the folder that `VIPSTREAM_REAL_DATA` names.

use std::path::{Path, PathBuf};

use vipstream::model::event::Kind;

/// Nine months after the last purchase: whoever leaves a window of a year has left it.
pub const UNTIL: &str = "1999-12-31T00:00:00Z";

/// The example ruleset written for it.
pub fn rules() -> String {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/cdnow.yaml"))
}

/// The file of a kind.
pub fn file(name: &str) -> PathBuf {
    let sample = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/real");
    std::env::var_os("VIPSTREAM_REAL_DATA").map_or_else(sample, PathBuf::from).join(name)
}

/// Purchases and mentions, line by line.
pub fn inputs() -> Vec<(Kind, Vec<Vec<u8>>)> {
    [(Kind::Purchase, "purchases.jsonl"), (Kind::Mention, "mentions.jsonl")]
        .into_iter()
        .map(|(kind, name)| (kind, read(&file(name)).lines().map(|line| line.as_bytes().to_vec()).collect()))
        .collect()
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
