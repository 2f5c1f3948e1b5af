//! What tasks hand over to each other: records that lie with one and are at home with another.
//!
//! A record goes on as it is, key, value and headers untouched, with one header more that says where it came from
//! and where it stands in the order. In `event` time each task also announces how far it has looked through its
//! inputs: the others take nothing beyond that which it might still hand over, so the answer does not depend on
//! where records lie. In `live` nothing waits.
//!
//! What entities do to some that are at home elsewhere goes the same way, each effect a record of its own.

use prost::Message;

use crate::broker::Outgoing;
use crate::codec::RawRecord;
use crate::merge::Key;
use crate::model::effect::Effect;
use crate::model::event::Kind;
use crate::model::record::Position;
use crate::model::time::EventTime;

/// The header of a record handed over.
pub const ORIGIN: &str = "vipstream.relay.origin";

/// The header of an effect, which is the value. It names the task that it comes from.
pub const EFFECT: &str = "vipstream.relay.effect";

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
pub struct Announcement {
    #[prost(uint32, tag = "1")]
    pub(super) source: u32,
    /// Nothing it will still hand over lies before this; absent when it has looked through all there is.
    #[prost(message, optional, tag = "2")]
    pub(super) before: Option<Place>,
    /// Up to where, partition by partition.
    #[prost(message, repeated, tag = "3")]
    pub(super) seen: Vec<Seen>,
    /// What it will yet do to entities elsewhere is caused at this time or later, as far as that does not come of
    /// what it will yet be sent; absent when nothing is left that could cause anything.
    #[prost(sint64, optional, tag = "4")]
    pub(super) sends_from_ms: Option<i64>,
    /// How many effects went to and came from each other task, where any did.
    #[prost(message, repeated, tag = "5")]
    pub(super) exchanged: Vec<Exchanged>,
    /// Nothing that anybody has not received yet is in force before this; given once it lies beyond the time to stop
    /// at.
    #[prost(sint64, optional, tag = "6")]
    pub(super) horizon_ms: Option<i64>,
    /// How far event time has come in its inputs.
    #[prost(sint64, tag = "7")]
    pub(super) reached_ms: i64,
}

/// How many effects two tasks have exchanged.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(super) struct Exchanged {
    #[prost(uint32, tag = "1")]
    pub(super) task: u32,
    #[prost(uint64, tag = "2")]
    pub(super) sent: u64,
    #[prost(uint64, tag = "3")]
    pub(super) came: u64,
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
    /// Where its end was found, if it was read up to there.
    #[prost(uint64, optional, tag = "4")]
    pub(super) end: Option<u64>,
}

/// Who sent an effect.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
struct Source {
    #[prost(uint32, tag = "1")]
    task: u32,
}

/// An effect as it goes from one task to another.
pub(super) fn pass(source: u32, target: u32, effect: &Effect, topic: &str) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        partition: Some(target),
        key: None,
        value: Some(postcard::to_stdvec(effect).expect("memory can be written")),
        headers: vec![(EFFECT.to_owned(), Source { task: source }.encode_to_vec())],
    }
}

/// A record of the relay topic.
pub enum Relayed {
    Record(Origin),
    /// The task that it comes from, and what is done.
    Effect(u32, Box<Effect>),
    Announcement(Announcement),
}

/// Reads what a record of the relay is; `None` where it was written from outside.
pub fn read(raw: &RawRecord<'_>) -> Option<Relayed> {
    raw.headers.iter().find_map(|(name, header)| match *name {
        ORIGIN => Origin::decode(*header).ok().map(Relayed::Record),
        EFFECT => {
            let source = Source::decode(*header).ok()?.task;
            let effect = postcard::from_bytes(raw.value?).ok()?;
            Some(Relayed::Effect(source, Box::new(effect)))
        }
        ANNOUNCEMENT => Announcement::decode(*header).ok().map(Relayed::Announcement),
        _ => None,
    })
}
