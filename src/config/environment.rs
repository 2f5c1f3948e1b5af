//! The environment on top of the file: `VIPSTREAM_EPOCH__LINGER=20ms` sets `epoch.linger`.
//!
//! Levels are parted by `__`. Under `kafka`, one `_` stands for the dot of a property's name, so that
//! `VIPSTREAM_KAFKA__SASL_PASSWORD` sets `sasl.password`. Variables whose first level is no section are not ours:
//! Kubernetes, for one, sets `VIPSTREAM_SERVICE_HOST` beside a service of our name.

use crate::yaml::{Key, Node, Value};

const PREFIX: &str = "VIPSTREAM_";

/// Where a value from the environment stands: in no line of the file.
const NO_LINE: usize = 0;

/// Sets what the variables say in the tree of the file.
pub(super) fn overlay(root: &mut Node, variables: impl IntoIterator<Item = (String, String)>, sections: &[&str]) {
    let mut ours: Vec<(Vec<String>, String)> = variables
        .into_iter()
        .filter_map(|(name, value)| Some((levels(name.strip_prefix(PREFIX)?), value)))
        .filter(|(levels, _)| sections.contains(&levels[0].as_str()))
        .collect();
    ours.sort();
    for (levels, value) in ours {
        set(root, &levels, value);
    }
}

fn levels(name: &str) -> Vec<String> {
    let mut levels: Vec<String> = name.split("__").map(str::to_ascii_lowercase).collect();
    if levels[0] == "kafka" {
        for property in levels.iter_mut().skip(1).filter(|property| *property != "log_level") {
            *property = property.replace('_', ".");
        }
    }
    levels
}

fn set(node: &mut Node, levels: &[String], value: String) {
    let Some((first, rest)) = levels.split_first() else {
        *node = Node { line: NO_LINE, value: Value::Scalar(value, true) };
        return;
    };
    if !matches!(node.value, Value::Map(_)) {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else { return };
    let at = entries.iter().position(|(key, _)| key.name == *first).unwrap_or_else(|| {
        let key = Key { name: first.clone(), line: NO_LINE };
        entries.push((key, Node { line: NO_LINE, value: Value::Null }));
        entries.len() - 1
    });
    set(&mut entries[at].1, rest, value);
}
