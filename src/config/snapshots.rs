//! `snapshots: { store: file:./state, every: 5m, keep: 3 }`, or `off`.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::number;
use crate::snapshot::Pace;
use crate::yaml::{Node, Problems, Section, Value};

/// Where snapshots go, how often, and how many stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshots {
    pub store: Place,
    /// The line in the file that names the store, or could.
    pub line: usize,
    pub pace: Pace,
}

/// A store's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Folder(PathBuf),
    /// The URL of a bucket, and perhaps a prefix in it.
    Bucket(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "file:{}", path.display()),
            Self::Bucket(url) => write!(f, "{url}"),
        }
    }
}

impl Place {
    /// Reads a URL; a relative path starts at `folder`.
    fn parse(url: &str, folder: &Path) -> Option<Self> {
        let (scheme, rest) = url.split_once(':')?;
        match scheme {
            "file" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                let is_path = !path.is_empty() && (path.starts_with('/') || !rest.starts_with("//"));
                is_path.then(|| Self::Folder(folder.join(path)))
            }
            "s3" | "gs" | "az" => {
                let bucket = rest.strip_prefix("//")?.split('/').next()?;
                let is_bucket = !bucket.is_empty() && !bucket.contains(['@', ':', '?', '#']);
                is_bucket.then(|| Self::Bucket(url.trim_end_matches('/').to_owned()))
            }
            _ => None,
        }
    }
}

/// Reads the section. On unless it says `off`: a restart without snapshots reads everything again.
pub(super) fn read(top: &mut Section<'_>, folder: &Path, problems: &mut Problems) -> Option<Snapshots> {
    let mut found = Snapshots {
        store: Place::Folder(folder.join(DEFAULT_FOLDER)),
        line: top.line_of("snapshots"),
        pace: Pace { every: DEFAULT_EVERY, keep: DEFAULT_KEEP },
    };
    let Some(node) = top.take("snapshots") else { return Some(found) };
    if let Value::Scalar(word, _) = &node.value {
        if word == "off" {
            return None;
        }
        let help = "write off, or { store: file:./state, every: 5m, keep: 3 }";
        problems.add_with_help(node.line, "snapshots", format!("\"{word}\" is not known"), help);
        return None;
    }
    let mut section = Section::open(node, "snapshots", problems)?;
    read_store(&mut section, folder, &mut found, problems);
    read_every(&mut section, &mut found, problems);
    if let Some(keep) = section.take("keep")
        && let Some(keep) = number(keep, "snapshots.keep", KEEP, problems)
    {
        found.pace.keep = u32::try_from(keep).unwrap_or(found.pace.keep);
    }
    section.close(problems);
    Some(found)
}

fn read_store(section: &mut Section<'_>, folder: &Path, found: &mut Snapshots, problems: &mut Problems) {
    let line = section.line_of("store");
    found.line = line;
    let Some(url) = section.text("store", problems) else { return };
    let Some(place) = Place::parse(url, folder) else {
        let help = "write file:./state, file:///var/lib/vipstream, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix";
        problems.add_with_help(line, "snapshots.store", format!("\"{url}\" is no store"), help);
        return;
    };
    found.store = place;
}

fn read_every(section: &mut Section<'_>, found: &mut Snapshots, problems: &mut Problems) {
    let Some(node) = section.take("every") else { return };
    match span(node) {
        Some(every) if EVERY.contains(&every) => found.pace.every = every,
        _ => {
            let text = match &node.value {
                Value::Scalar(text, _) => text.as_str(),
                _ => "",
            };
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let what = if is_number { "has no unit" } else { "is not allowed" };
            let example = if is_number { format!("write \"{text}s\" or \"{text}m\"; ") } else { String::new() };
            let help = format!("{example}allowed 10s to 1h, default 5m");
            problems.add_with_help(node.line, "snapshots.every", format!("\"{text}\" {what}"), help);
        }
    }
}

fn span(node: &Node) -> Option<Duration> {
    match &node.value {
        Value::Scalar(text, _) => crate::yaml::parse_span(text).ok(),
        _ => None,
    }
}

const DEFAULT_FOLDER: &str = "state";
const DEFAULT_EVERY: Duration = Duration::from_mins(5);
const DEFAULT_KEEP: u32 = 3;
const EVERY: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_hours(1);
const KEEP: RangeInclusive<u64> = 2..=100;
