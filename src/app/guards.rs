//! While the app runs: whether its topics are still those it started with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::headroom::kept_for;
use crate::broker::cluster::Cluster;
use crate::config::Config;
use crate::metrics;
use crate::model::event::Kind;
use crate::task::TaskError;
use crate::task::identity::made_anew;
use crate::topics::{self, Found, Grade, Needed, Role, Status};

/// The topics as they were at the start, and what has been said since.
pub(super) struct Guards {
    config: Config,
    first: Vec<Status>,
    /// Topics that the last round did not find: a broker that has just started may not know them yet.
    missing: BTreeSet<String>,
    said: BTreeSet<String>,
    kept_for: BTreeMap<Kind, Option<Duration>>,
}

impl Guards {
    pub(super) fn new(config: Config, first: Vec<Status>) -> Self {
        let said = first.iter().flat_map(|status| &status.findings).map(|finding| finding.what.clone()).collect();
        Self { config, first, missing: BTreeSet::new(), said, kept_for: BTreeMap::new() }
    }

    /// How long each input keeps its records, `None` for ever; those are left out of which the broker does not say.
    pub(super) fn kept_for(&self) -> &BTreeMap<Kind, Option<Duration>> {
        &self.kept_for
    }

    /// Compares the topics with what they were. Nothing is concluded from a broker that does not answer.
    ///
    /// # Errors
    /// A change with which no promise can be kept.
    pub(super) fn look(&mut self, cluster: &Cluster) -> Result<(), TaskError> {
        let needed: Vec<Needed> = self.first.iter().map(|status| status.needed.clone()).collect();
        let found = match topics::survey(&self.config, cluster, needed) {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "the topics could not be looked at");
                return Ok(());
            }
        };
        let first = std::mem::take(&mut self.first);
        let compared = first.iter().zip(&found).try_for_each(|(first, now)| self.compare(first, now));
        self.first = first;
        compared
    }

    fn compare(&mut self, first: &Status, now: &Status) -> Result<(), TaskError> {
        let Needed { topic, role, .. } = &first.needed;
        for finding in now.findings.iter().filter(|finding| finding.grade > Grade::Note && !now.is_missing()) {
            if self.said.insert(finding.what.clone()) {
                tracing::warn!(topic, remedy = finding.help, "{}", finding.what);
            }
        }
        let Some(was) = &first.found else { return Ok(()) };
        let Some(is) = &now.found else { return self.note_missing(now) };
        self.missing.remove(topic);
        if let (Role::Input(kind), Some(settings)) = (role, &is.settings) {
            self.kept_for.insert(*kind, kept_for(settings));
        }
        if matches!(role, Role::Input(_) | Role::Journal | Role::Relay) {
            self.rests_on(first, was, is)
        } else {
            Ok(())
        }
    }

    /// A topic whose records the journal speaks of must stay what it is.
    fn rests_on(&mut self, first: &Status, was: &Found, is: &Found) -> Result<(), TaskError> {
        let Needed { topic, role, .. } = &first.needed;
        if let (Some(was), Some(is)) = (&was.id, &is.id)
            && was != is
        {
            return Err(made_anew(topic, was, is));
        }
        let (was, is) = (was.layout.partitions, is.layout.partitions);
        if let Role::Input(kind) = role {
            metrics::unread(kind.name(), is.saturating_sub(was));
            if is > was && self.said.insert(format!("{topic} {is}")) {
                tracing::warn!(
                    topic,
                    was,
                    is,
                    "the topic has new partitions: start again, and they are read from their beginning"
                );
            }
        }
        let is_changed = if role.is_of_tasks() { is != was } else { is < was };
        if is_changed {
            return Err(TaskError::Outside(format!(
                "{topic} has {is} partitions and had {was} when the app started: start anew under another `app`"
            )));
        }
        Ok(())
    }

    fn note_missing(&mut self, now: &Status) -> Result<(), TaskError> {
        let topic = &now.needed.topic;
        if !now.is_missing() || self.missing.insert(topic.clone()) {
            return Ok(());
        }
        Err(TaskError::Outside(format!(
            "{topic} was deleted while the app ran: start anew under another `app`, with the topics it needs"
        )))
    }
}
