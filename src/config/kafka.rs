//! The `kafka` section: any property of the client library, secrets from files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::yaml::{self, Node, Problems, Section, Value};

/// Properties of the Kafka client, as the user gave them. Their values may be secrets and are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(pub BTreeMap<String, String>);

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Properties {
    /// The addresses to start from.
    pub fn bootstrap(&self) -> &str {
        self.0.get(BOOTSTRAP).map_or("", String::as_str)
    }
}

const BOOTSTRAP: &str = "bootstrap.servers";

/// `sasl.password.file` gives the file that holds `sasl.password`.
const FROM_FILE: &str = ".file";

/// What the promises rest on, hence not to be set: transactions, positions, where a record goes.
const OURS: [&str; 12] = [
    "acks",
    "auto.offset.reset",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "isolation.level",
    "partitioner",
    "request.required.acks",
    "transaction.timeout.ms",
    "transactional.id",
];

pub(super) fn read(top: &mut Section<'_>, folder: &Path, problems: &mut Problems) -> Option<Properties> {
    let Some(node) = top.take("kafka") else {
        let help = "write kafka: { bootstrap.servers: \"localhost:9092\" }";
        problems.add_with_help(top.line, "", "`kafka` is missing", help);
        return None;
    };
    let mut section = Section::open(node, "kafka", problems)?;
    let mut properties = BTreeMap::new();
    for (key, node) in section.take_rest() {
        let path = section.at(&key.name);
        if let Some((name, value)) = property(&key.name, node, &path, folder, problems)
            && is_accepted(&name, &value, node.line, &path, problems)
        {
            properties.insert(name, value);
        }
    }
    if !properties.contains_key(BOOTSTRAP) {
        let help = "write bootstrap.servers: \"localhost:9092\"";
        problems.add_with_help(node.line, "kafka", "`bootstrap.servers` is missing", help);
        return None;
    }
    let properties = Properties(properties);
    super::group::check(&properties, node.line, problems);
    Some(properties)
}

/// The property's name and value, the value from the file that the section names where it ends in `.file`.
fn property(key: &str, node: &Node, path: &str, folder: &Path, problems: &mut Problems) -> Option<(String, String)> {
    if node.value == Value::Null {
        problems.add(node.line, path, "has no value");
        return None;
    }
    let text = yaml::text(node, path, problems)?;
    let Some(name) = key.strip_suffix(FROM_FILE) else { return Some((key.to_owned(), text.to_owned())) };
    let file = folder.join(text);
    match std::fs::read_to_string(&file) {
        Ok(secret) => Some((name.to_owned(), secret.trim_end_matches(['\r', '\n']).to_owned())),
        Err(error) => {
            problems.add(node.line, path, format!("cannot read {}: {error}", file.display()));
            None
        }
    }
}

fn is_accepted(name: &str, value: &str, line: usize, path: &str, problems: &mut Problems) -> bool {
    if OURS.contains(&name) {
        let help = "leave it out: exactly-once processing rests on vipstream's own value";
        problems.add_with_help(line, path, format!("`{name}` is not yours to set"), help);
        return false;
    }
    let Err(error) = ClientConfig::new().set(name, value).create_native_config() else { return true };
    // The library repeats the value in some of its messages, and it may be a secret.
    let what = match error {
        KafkaError::ClientConfig(_, description, ..) if !description.contains(value) => description,
        _ => format!("the Kafka client refuses the value of `{name}`"),
    };
    let help = "the properties are those of librdkafka, string, number or bool";
    problems.add_with_help(line, path, lower_first(&what), help);
    false
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + chars.as_str())
}
