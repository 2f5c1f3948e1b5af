//! The configuration of `run`: one YAML file, the environment on top, parsed once into types.
//!
//! Every problem is reported in one go with its place and remedy; after that the types are carried and nothing is
//! checked again. What is unknown is refused: a typo must stop the process at start-up, not leave a default in force.

mod brake;
mod environment;
mod group;
mod inputs;
mod kafka;
mod snapshots;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use brake::Brake;
pub use inputs::{Outputs, Start};
pub use kafka::Properties;
pub use snapshots::{Place, Snapshots};

use crate::engine::TimeMode;
use crate::model::event::Kind;
use crate::rules::ruleset::Ruleset;
use crate::yaml::{self, Node, Problem, Problems, Section};

/// Everything `run` needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names the journal (`<app>.journal`), the group and the transactional ids.
    pub app: String,
    pub kafka: Properties,
    /// Partitions of the journal; each input's partition count is a multiple of it.
    pub tasks: u32,
    /// The ruleset's file.
    pub rules: PathBuf,
    pub time: TimeMode,
    pub start: Start,
    /// The topic of each kind that is read.
    pub inputs: BTreeMap<Kind, String>,
    pub outputs: Outputs,
    pub epoch: EpochBounds,
    /// How long a record waits for partitions that are behind.
    pub merge_hold: Duration,
    pub brake: Brake,
    /// None are taken where it is absent.
    pub snapshots: Option<Snapshots>,
    /// Where `/metrics`, `/livez` and `/readyz` answer; nowhere if absent.
    pub http: Option<SocketAddr>,
}

/// How large an epoch grows before it is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochBounds {
    /// How long an epoch stays open for more records after its first.
    pub linger: Duration,
    pub records: usize,
}

impl Default for EpochBounds {
    fn default() -> Self {
        Self { linger: Duration::from_millis(5), records: 10_000 }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path}: cannot read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    /// At least one mistake.
    #[error("{}", yaml::list(.0))]
    Invalid(Vec<Problem>),
}

impl Config {
    /// Reads the file and, on top of it, the variables `VIPSTREAM_...`. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// An unreadable file, or all the mistakes in it.
    pub fn load(path: &Path, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&path.display().to_string(), &text, folder, variables).map_err(ConfigError::Invalid)
    }

    /// Reads the text of a configuration. `file` only names it in problems.
    ///
    /// # Errors
    /// Every problem at once, by line.
    pub fn parse(
        file: &str,
        text: &str,
        folder: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::new(file);
        let read = yaml::read(text, &mut problems).and_then(|mut root| {
            environment::overlay(&mut root, variables, &KEYS);
            from_node(&root, folder, &mut problems)
        });
        match read {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems.into_sorted()),
        }
    }

    /// What to say of kinds of event that the rules ask for and that are not read; `None` where all are.
    pub fn unread(&self, rules: &Ruleset) -> Option<String> {
        let unread = rules.asks_for().filter(|kind| !self.inputs.contains_key(kind));
        let names: Vec<&str> = unread.map(Kind::name).collect();
        (!names.is_empty()).then(|| {
            let names = names.join(", ");
            format!("the rules ask for {names}, which `inputs` does not list: what depends on it is never decided")
        })
    }

    /// The topic that says which epochs were committed.
    pub fn journal(&self) -> String {
        format!("{}.journal", self.app)
    }

    /// The topic that carries records to the tasks where they are at home.
    pub fn relay(&self) -> String {
        format!("{}.relay", self.app)
    }
}

/// The sections, in the order in which they are documented.
const KEYS: [&str; 13] = [
    "app",
    "kafka",
    "tasks",
    "rules",
    "time",
    "start",
    "inputs",
    "outputs",
    "epoch",
    "merge_hold",
    "dead_letter",
    "snapshots",
    "http",
];

fn from_node(root: &Node, folder: &Path, problems: &mut Problems) -> Option<Config> {
    let mut top = Section::open(root, "", problems)?;
    let app = app(&mut top, problems);
    let kafka = kafka::read(&mut top, folder, problems);
    let tasks = tasks(&mut top, problems);
    let rules = top.required("rules", problems).map(|path| folder.join(path));
    let time = word(&mut top, "time", &[("live", TimeMode::Live), ("event", TimeMode::Event)], problems);
    let start = word(&mut top, "start", &[("earliest", Start::Earliest), ("latest", Start::Latest)], problems);
    let inputs = inputs::read_inputs(&mut top, problems);
    let outputs = inputs::read_outputs(&mut top, problems);
    let epoch = epoch(&mut top, problems);
    let merge_hold = top.span("merge_hold", problems).unwrap_or(Duration::from_secs(2));
    let brake = brake::read(&mut top, problems);
    let snapshots = snapshots::read(&mut top, folder, problems);
    let http = http(&mut top, problems);
    top.close(problems);
    Some(Config {
        app: app?,
        kafka: kafka?,
        tasks: tasks?,
        rules: rules?,
        time,
        start,
        inputs: inputs?,
        outputs,
        epoch,
        merge_hold,
        brake,
        snapshots,
        http,
    })
}

fn app(top: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    let line = top.line;
    let name = top.required("app", problems)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > MAX_APP_BYTES || !name.chars().all(allowed) {
        let what = format!("\"{name}\" cannot name topics");
        problems.add_with_help(line, "app", what, "1 to 200 letters, digits, `.`, `_` and `-`");
        return None;
    }
    Some(name.to_owned())
}

fn tasks(top: &mut Section<'_>, problems: &mut Problems) -> Option<u32> {
    let Some(node) = top.take("tasks") else {
        let help = "choose a divisor of the large inputs' partition counts; it cannot change later";
        problems.add_with_help(top.line, "", "`tasks` is missing", help);
        return None;
    };
    number(node, "tasks", 1..=MAX_TASKS, problems).and_then(|tasks| u32::try_from(tasks).ok())
}

fn epoch(top: &mut Section<'_>, problems: &mut Problems) -> EpochBounds {
    let mut bounds = EpochBounds::default();
    let Some(node) = top.take("epoch") else { return bounds };
    let Some(mut section) = Section::open(node, "epoch", problems) else { return bounds };
    if let Some(linger) = section.span("linger", problems) {
        if linger > MAX_LINGER {
            problems.add_with_help(section.line, "epoch.linger", "is too long", "at most 1s, default 5ms");
        }
        bounds.linger = linger;
    }
    if let Some(node) = section.take("records")
        && let Some(records) = number(node, "epoch.records", 1..=MAX_EPOCH_RECORDS, problems)
    {
        bounds.records = usize::try_from(records).unwrap_or(bounds.records);
    }
    section.close(problems);
    bounds
}

fn http(top: &mut Section<'_>, problems: &mut Problems) -> Option<SocketAddr> {
    let node = top.take("http")?;
    let text = yaml::text(node, "http", problems)?;
    let address = text.parse().ok();
    if address.is_none() {
        let help = "write an address and a port: 127.0.0.1:9464, or 0.0.0.0:9464 to be reached from elsewhere";
        problems.add_with_help(node.line, "http", format!("\"{text}\" is no address to listen on"), help);
    }
    address
}

/// Reads one of a few words; the first is the default.
fn word<T: Copy>(top: &mut Section<'_>, key: &'static str, words: &[(&str, T)], problems: &mut Problems) -> T {
    let default = words[0].1;
    let Some(node) = top.take(key) else { return default };
    let Some(text) = yaml::text(node, key, problems) else { return default };
    if let Some((_, value)) = words.iter().find(|(name, _)| *name == text) {
        return *value;
    }
    let known = words.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" or ");
    problems.add_with_help(node.line, key, format!("\"{text}\" is not known"), format!("write {known}"));
    default
}

/// Reads a whole number within bounds.
fn number(node: &Node, path: &str, allowed: std::ops::RangeInclusive<u64>, problems: &mut Problems) -> Option<u64> {
    let text = yaml::text(node, path, problems)?;
    let found = text.parse().ok().filter(|number| allowed.contains(number));
    if found.is_none() {
        let help = format!("a whole number from {} to {}", allowed.start(), allowed.end());
        problems.add_with_help(node.line, path, format!("\"{text}\" is not allowed"), help);
    }
    found
}

/// A topic's name has at most 249 bytes, and `.journal` follows the app's.
const MAX_APP_BYTES: usize = 200;
const MAX_TASKS: u64 = 1_024;
const MAX_EPOCH_RECORDS: u64 = 1_000_000;
const MAX_LINGER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
