//! Before the first task: the topics as they are needed, or a refusal that names every one that is not.

use std::collections::BTreeMap;

use super::StartError;
use crate::broker::cluster::Cluster;
use crate::config::Config;
use crate::model::event::Kind;
use crate::topics::{self, Finding, Grade, Role, Status};

/// The topics of an app that may start.
pub(super) struct Prepared {
    pub(super) topics: Vec<Status>,
    /// Every partition of every input.
    pub(super) inputs: Vec<(Kind, u32)>,
    /// Of inputs, journal and relay, where the broker says them.
    pub(super) ids: BTreeMap<String, String>,
}

/// Makes what is missing of ours. Refuses what no promise could be kept with, and says what else is not as it should be.
pub(super) fn prepare(config: &Config, cluster: &Cluster) -> Result<Prepared, StartError> {
    let needed = topics::needed(config, config.tasks);
    let mut topics = fit(topics::survey(config, cluster, needed.clone())?)?;
    let missing: Vec<_> = topics.iter().filter(|status| status.is_missing()).collect();
    for status in &missing {
        topics::create(cluster, &status.needed)?;
    }
    if !missing.is_empty() {
        // Somebody else may have made one of them meanwhile, otherwise than needed.
        topics = fit(topics::survey(config, cluster, needed)?)?;
    }
    for Finding { topic, grade, what, help, .. } in topics.iter().flat_map(|status| &status.findings) {
        if *grade == Grade::Note {
            tracing::info!(topic, remedy = help, "{what}");
        } else {
            tracing::warn!(topic, remedy = help, "{what}");
        }
    }
    Ok(Prepared { inputs: inputs(&topics), ids: ids(&topics), topics })
}

fn fit(topics: Vec<Status>) -> Result<Vec<Status>, StartError> {
    let findings = topics.iter().flat_map(|status| &status.findings);
    let refused: Vec<Finding> = findings.filter(|finding| finding.grade == Grade::Refuse).cloned().collect();
    if refused.is_empty() { Ok(topics) } else { Err(StartError::Topics(refused)) }
}

fn inputs(topics: &[Status]) -> Vec<(Kind, u32)> {
    let counts = topics.iter().filter_map(|status| match status.needed.role {
        Role::Input(kind) => Some((kind, status.found.as_ref()?.layout.partitions)),
        _ => None,
    });
    counts.flat_map(|(kind, count)| (0..count).map(move |partition| (kind, partition))).collect()
}

fn ids(topics: &[Status]) -> BTreeMap<String, String> {
    let rests_on = |role| matches!(role, Role::Input(_) | Role::Journal | Role::Relay);
    let read = topics.iter().filter(|status| rests_on(status.needed.role));
    read.filter_map(|status| Some((status.needed.topic.clone(), status.found.as_ref()?.id.clone()?))).collect()
}
