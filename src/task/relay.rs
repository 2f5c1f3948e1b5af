//! What tasks hand over to each other: records that lie with one and are at home with another.
//!
//! A record goes on as it is, key, value and headers untouched, with one header more that says where it came from
//! and where it stands in the order. In `event` time each task also announces how far it has looked through its
//! inputs: the others take nothing beyond that which it might still hand over, so the answer does not depend on
//! where records lie. In `live` nothing waits.

use prost::Message;

use crate::broker::Outgoing;
use crate::merge::Key;
use crate::model::event::Kind;
use crate::model::record::Position;
use crate::model::time::EventTime;

/// The header of a record handed over.
pub const ORIGIN: &str = "vipstream.relay.origin";

/// The header of an announcement, which has neither key nor value.
pub(super) const ANNOUNCEMENT: &str = "vipstream.relay.announcement";

/// How often a record may be handed over: once is enough unless somebody writes to the relay from outside.
pub(super) const MAX_HOPS: u32 = 8;

/// Where a record lies in the order of the inputs.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Place {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(uint32, tag = "2")]
    pub partition: u32,
    #[prost(uint64, tag = "3")]
    pub offset: u64,
    #[prost(sint64, tag = "4")]
    pub merge_time_ms: i64,
}

impl Place {
    pub fn of((merge_time, position): Key) -> Self {
        let Position { kind, partition, offset } = position;
        Self { kind: kind.name().to_owned(), partition, offset, merge_time_ms: merge_time.0 }
    }

    /// The place; `None` where this build does not know the kind.
    pub fn key(&self) -> Option<Key> {
        let position = Position { kind: Kind::from_name(&self.kind)?, partition: self.partition, offset: self.offset };
        Some((EventTime(self.merge_time_ms), position))
    }
}

/// Where a record handed over came from.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Origin {
    /// The task that handed it over last.
    #[prost(uint32, tag = "1")]
    pub source: u32,
    #[prost(message, required, tag = "2")]
    pub place: Place,
    /// Kafka's time of the original record.
    #[prost(sint64, optional, tag = "3")]
    pub timestamp_ms: Option<i64>,
    /// How often it has been handed over.
    #[prost(uint32, tag = "4")]
    pub hops: u32,
}

/// How far a task has looked through its inputs.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Announcement {
    #[prost(uint32, tag = "1")]
    pub(super) source: u32,
    /// Nothing it will still hand over lies before this; absent when it has looked through all there is.
    #[prost(message, optional, tag = "2")]
    pub(super) before: Option<Place>,
    /// Up to where, partition by partition.
    #[prost(message, repeated, tag = "3")]
    pub(super) seen: Vec<Seen>,
}

impl Announcement {
    /// As it goes to another task.
    pub(super) fn to(&self, task: u32, topic: &str) -> Outgoing {
        Outgoing {
            topic: topic.to_owned(),
            partition: Some(task),
            key: None,
            value: None,
            headers: vec![(ANNOUNCEMENT.to_owned(), self.encode_to_vec())],
        }
    }
}

/// How far one input partition was looked through.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Seen {
    #[prost(string, tag = "1")]
    pub(super) kind: String,
    #[prost(uint32, tag = "2")]
    pub(super) partition: u32,
    #[prost(uint64, tag = "3")]
    pub(super) to: u64,
}

/// A record of the relay topic.
pub(super) enum Relayed {
    Record(Origin),
    Announcement(Announcement),
}

/// Reads the header that says what a record of the relay is; `None` where it was written from outside.
pub(super) fn read(headers: &[(&str, &[u8])]) -> Option<Relayed> {
    headers.iter().find_map(|(name, value)| match *name {
        ORIGIN => Origin::decode(*value).ok().map(Relayed::Record),
        ANNOUNCEMENT => Announcement::decode(*value).ok().map(Relayed::Announcement),
        _ => None,
    })
}
