//! Which topics are read and written.

use std::collections::BTreeMap;

use crate::model::event::Kind;
use crate::yaml::{self, Node, Problems, Section};

/// Where a new app starts to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record kept.
    Earliest,
    /// With the records that come from now on.
    Latest,
}

/// The topics that outputs go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    pub events: String,
    pub alerts: String,
    pub status: String,
    pub audit: String,
    pub insights: String,
    pub pivots: String,
    pub dlq: String,
}

impl Default for Outputs {
    fn default() -> Self {
        Self {
            events: "vip.events".to_owned(),
            alerts: "vip.alerts".to_owned(),
            status: "vip.status".to_owned(),
            audit: "vip.audit".to_owned(),
            insights: "vip.insights".to_owned(),
            pivots: "vip.pivots".to_owned(),
            dlq: "vip.dlq".to_owned(),
        }
    }
}

pub(super) fn read_inputs(top: &mut Section<'_>, problems: &mut Problems) -> Option<BTreeMap<Kind, String>> {
    let Some(node) = top.take("inputs") else {
        let help = "write inputs: { purchase: { topic: vip.purchases } }; only listed inputs are read";
        problems.add_with_help(top.line, "", "`inputs` is missing", help);
        return None;
    };
    let mut section = Section::open(node, "inputs", problems)?;
    let mut inputs: BTreeMap<Kind, String> = BTreeMap::new();
    for (key, node) in section.take_rest() {
        let path = section.at(&key.name);
        let Some(kind) = Kind::from_name(&key.name) else {
            unknown_kind(&key.name, key.line, &path, problems);
            continue;
        };
        let Some(topic) = input(node, &path, problems) else { continue };
        if let Some(other) = inputs.iter().find(|(_, known)| **known == topic).map(|(kind, _)| kind.name()) {
            let what = format!("reads `{topic}`, as `{other}` does");
            problems.add_with_help(node.line, &path, what, "each kind has a topic of its own");
        }
        inputs.insert(kind, topic);
    }
    if inputs.is_empty() && problems.is_empty() {
        problems.add(node.line, "inputs", "lists no input");
    }
    Some(inputs)
}

fn unknown_kind(name: &str, line: usize, path: &str, problems: &mut Problems) {
    let known = Kind::ALL.map(Kind::name);
    let list = known.join(", ");
    let help = yaml::suggest(name, known.into_iter())
        .map_or_else(|| format!("known: {list}"), |near| format!("did you mean `{near}`? known: {list}"));
    problems.add_with_help(line, path, format!("unknown kind `{name}`"), help);
}

fn input(node: &Node, path: &str, problems: &mut Problems) -> Option<String> {
    let mut section = Section::open(node, path, problems)?;
    let topic = section.required("topic", problems).and_then(|name| topic(name, section.line, path, problems));
    if let Some(node) = section.take("format")
        && let Some(format) = yaml::text(node, &section.at("format"), problems)
        && format != "json"
    {
        let what = format!("\"{format}\" is not read yet");
        problems.add_with_help(node.line, &section.at("format"), what, "json, CloudEvents included, is");
    }
    if let Some(node) = section.take("map") {
        let help = "until then a topic holds records as the contract says";
        problems.add_with_help(node.line, &section.at("map"), "mappings are not read yet", help);
    }
    section.close(problems);
    topic
}

fn topic(name: &str, line: usize, path: &str, problems: &mut Problems) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > MAX_TOPIC_BYTES || !name.chars().all(allowed) {
        let help = "1 to 249 letters, digits, `.`, `_` and `-`";
        problems.add_with_help(line, path, format!("\"{name}\" is no topic's name"), help);
        return None;
    }
    Some(name.to_owned())
}

pub(super) fn read_outputs(top: &mut Section<'_>, problems: &mut Problems) -> Outputs {
    let mut outputs = Outputs::default();
    let Some(node) = top.take("outputs") else { return outputs };
    let Some(mut section) = Section::open(node, "outputs", problems) else { return outputs };
    let Outputs { events, alerts, status, audit, insights, pivots, dlq } = &mut outputs;
    let targets = [
        ("events", events),
        ("alerts", alerts),
        ("status", status),
        ("audit", audit),
        ("insights", insights),
        ("pivots", pivots),
        ("dlq", dlq),
    ];
    for (key, target) in targets {
        if let Some(name) = section.text(key, problems)
            && let Some(name) = topic(name, section.line, &section.at(key), problems)
        {
            *target = name;
        }
    }
    section.close(problems);
    outputs
}

const MAX_TOPIC_BYTES: usize = 249;
