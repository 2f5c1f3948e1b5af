//! What waits to be handed over to other tasks, in the order in which it goes.

use std::collections::VecDeque;

use prost::Message;

use super::relay::{ORIGIN, Origin, Place};
use crate::broker::Outgoing;
use crate::codec::RawRecord;
use crate::merge::{Key, Lane};

/// A record for another task.
pub(super) struct Handover {
    /// Where it lies here.
    pub(super) lane: Lane,
    pub(super) offset: u64,
    pub(super) outgoing: Outgoing,
}

/// Records found to be at home elsewhere, until an epoch takes them along.
#[derive(Default)]
pub(super) struct Outbox(VecDeque<Handover>);

impl Outbox {
    pub(super) fn push(&mut self, handover: Handover) {
        self.0.push_back(handover);
    }

    pub(super) fn pop(&mut self) -> Option<Handover> {
        self.0.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Who hands over, and to where.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) topic: String,
    pub(super) task: u32,
}

impl Sender {
    /// The record as it goes to the task where it is at home.
    pub(super) fn wrap(&self, target: u32, key: Key, hops: u32, raw: &RawRecord<'_>) -> Outgoing {
        let timestamp_ms = raw.timestamp.map(|at| at.0);
        let origin = Origin { source: self.task, place: Place::of(key), timestamp_ms, hops };
        let others = raw.headers.iter().filter(|(name, _)| *name != ORIGIN);
        let others = others.map(|(name, value)| ((*name).to_owned(), (*value).to_vec()));
        Outgoing {
            topic: self.topic.clone(),
            partition: Some(target),
            key: raw.key.map(<[u8]>::to_vec),
            value: raw.value.map(<[u8]>::to_vec),
            headers: [(ORIGIN.to_owned(), origin.encode_to_vec())].into_iter().chain(others).collect(),
        }
    }
}
