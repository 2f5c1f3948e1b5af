//! Whether the topics are still those that the journal speaks of: a topic that was deleted and made anew has the
//! same name and another id, and offsets that mean other records.

use std::collections::BTreeMap;

use super::journal::TopicId;
use super::recovery::base::Base;
use super::{Task, TaskError};
use crate::broker::Broker;

impl<B: Broker> Task<B> {
    /// Refuses a topic that was made anew; those that the journal does not name yet go into its next record.
    pub(super) fn check_topics(&mut self, base: &Base) -> Result<(), TaskError> {
        let before = base.manifest().into_iter().flat_map(|manifest| &manifest.topics);
        let named: Vec<&TopicId> = before.chain(base.journal.iter().flat_map(|record| &record.topics)).collect();
        self.named = named.iter().map(|it| (*it).clone()).collect();
        let named: BTreeMap<&str, &str> = named.iter().map(|it| (it.topic.as_str(), it.id.as_str())).collect();
        for (topic, id) in &self.setup.topic_ids {
            match named.get(topic.as_str()) {
                Some(was) if was != id => return Err(made_anew(topic, was, id)),
                Some(_) => {}
                None => self.unnamed.push(TopicId { topic: topic.clone(), id: id.clone() }),
            }
        }
        Ok(())
    }
}

/// What is said of a topic that is no longer the one it was.
pub(crate) fn made_anew(topic: &str, was: &str, is: &str) -> TaskError {
    TaskError::Outside(format!(
        "{topic} was deleted and made anew (topic id {was}, now {is}): the journal's offsets mean the old one's \
         records; start anew under another `app`"
    ))
}
