//! What a snapshot says of itself: at which epoch, under which rules, and of what it consists.

use crate::task::journal::TopicId;

/// A snapshot's table of contents. Field numbers are never reused.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Manifest {
    #[prost(string, tag = "1")]
    pub(crate) app: String,
    #[prost(uint32, tag = "2")]
    pub(crate) task: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) tasks: u32,
    /// The last epoch that is in it.
    #[prost(uint64, tag = "4")]
    pub(crate) epoch: u64,
    /// Of that epoch.
    #[prost(sint64, tag = "5")]
    pub(crate) clock_ms: i64,
    #[prost(sint64, tag = "6")]
    pub(crate) wall_ms: i64,
    /// Hash of the ruleset in force, and its text: the state is laid out by it.
    #[prost(string, tag = "7")]
    pub(crate) ruleset: String,
    #[prost(string, tag = "8")]
    pub(crate) ruleset_text: String,
    #[prost(uint32, tag = "9")]
    pub(crate) logic_version: u32,
    /// `live` or `event`.
    #[prost(string, tag = "10")]
    pub(crate) time: String,
    /// When the state was frozen, by the wall clock.
    #[prost(sint64, tag = "11")]
    pub(crate) created_ms: i64,
    /// The epoch's journal record lies at this offset or soon after.
    #[prost(uint64, tag = "12")]
    pub(crate) journal_from: u64,
    /// XXH3 (128 bits, little endian) of that record.
    #[prost(bytes = "vec", tag = "13")]
    pub(crate) journal_digest: Vec<u8>,
    /// Whether every partition has been at its end once.
    #[prost(bool, tag = "14")]
    pub(crate) caught_up: bool,
    /// Every topic that the journal has named so far.
    #[prost(message, repeated, tag = "15")]
    pub(crate) topics: Vec<TopicId>,
    /// How far each lane was taken.
    #[prost(message, repeated, tag = "16")]
    pub(crate) lanes: Vec<LaneImage>,
    /// From where the relay is to be read again.
    #[prost(uint64, tag = "17")]
    pub(crate) relay_from: u64,
    /// What each other task had announced before that place, as it was written.
    #[prost(bytes = "vec", repeated, tag = "18")]
    pub(crate) announced: Vec<Vec<u8>>,
    /// What of the engine's state is no customer's.
    #[prost(bytes = "vec", tag = "19")]
    pub(crate) engine: Vec<u8>,
    /// Customers in it.
    #[prost(uint64, tag = "20")]
    pub(crate) customers: u64,
    /// Digest of the whole state (128 bits, little endian).
    #[prost(bytes = "vec", tag = "21")]
    pub(crate) state_digest: Vec<u8>,
    #[prost(message, repeated, tag = "22")]
    pub(crate) blocks: Vec<Block>,
    /// [`crate::engine::Engine::erased_at`]; absent where nobody was erased.
    #[prost(sint64, optional, tag = "23")]
    pub(crate) erased_ms: Option<i64>,
}

/// Part of the state: customers one after the other.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Block {
    /// Its object, in the snapshot's folder.
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(uint64, tag = "2")]
    pub(crate) customers: u64,
    /// Before compression.
    #[prost(uint64, tag = "3")]
    pub(crate) bytes: u64,
    /// XXH3 (128 bits, little endian) of its content, before compression.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) digest: Vec<u8>,
    /// As it lies in the store.
    #[prost(uint64, tag = "5")]
    pub(crate) stored: u64,
}

/// How far a lane was taken. For what other tasks handed over, `kind` is `relay` and `partition` the task.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct LaneImage {
    #[prost(string, tag = "1")]
    pub(crate) kind: String,
    #[prost(uint32, tag = "2")]
    pub(crate) partition: u32,
    /// The next offset to be taken.
    #[prost(uint64, tag = "3")]
    pub(crate) position: u64,
    /// Everything below was handed over to the tasks where it is at home.
    #[prost(uint64, tag = "4")]
    pub(crate) relayed_to: u64,
    /// Merge time of the newest record taken.
    #[prost(sint64, tag = "5")]
    pub(crate) reached_ms: i64,
    /// Of an input: every record below was taken; beyond `position` only where nothing but markers lay there.
    #[prost(uint64, tag = "7")]
    pub(crate) read_to: u64,
    /// Offsets from `position` on that were judged early.
    #[prost(uint64, repeated, tag = "6")]
    pub(crate) early: Vec<u64>,
}
