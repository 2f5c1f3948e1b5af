//! What a task needs of Kafka, as primitives: nothing here retries, recovers or decides.
//!
//! Everything that must hold across failures (the identical epoch again, a new producer and a look at the
//! journal's end) stands above, in `task/`, so that a simulated broker exercises the very code that runs.

mod admin;
pub mod cluster;
mod connection;
mod consumer;
pub mod group;
pub mod kafka;
mod offsets;
mod queue;
mod sample;
mod transaction;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use crate::codec::RawRecord;
use crate::model::event::Kind;

/// What a task reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Partition {
    /// A partition of an input's topic.
    Input(Kind, u32),
    /// The task's own partition of the relay topic.
    Relay,
}

/// One task's connection to the broker: its inputs, its journal partition, its transactions.
pub trait Broker {
    /// The offsets of a partition from the first record kept to the last stable one.
    ///
    /// # Errors
    /// The broker did not say.
    fn kept(&mut self, partition: Partition) -> Result<Range<u64>, BrokerError>;

    /// Reads the inputs from these positions, and nothing else from now on.
    ///
    /// # Errors
    /// The broker refused.
    fn read_from(&mut self, positions: &BTreeMap<Partition, u64>) -> Result<(), BrokerError>;

    /// Hands over what has arrived, at most about `most` records; waits for the first at most so long.
    ///
    /// # Errors
    /// What waiting does not help. Lost contact is no error but [`Fetched::Lost`].
    fn fetch(
        &mut self,
        wait: Duration,
        most: usize,
        sink: &mut dyn FnMut(Partition, Fetched<'_>),
    ) -> Result<(), BrokerError>;

    /// Stops or resumes handing over of a partition whose buffer is full or has room again.
    ///
    /// # Errors
    /// The broker refused.
    fn pause(&mut self, partition: Partition, paused: bool) -> Result<(), BrokerError>;

    /// Makes the transactional producer, in place of one there was: fences every other of its name and ends what
    /// they left open.
    ///
    /// # Errors
    /// See [`Refusal`].
    fn init(&mut self) -> Result<(), Refusal>;

    /// Opens a transaction.
    ///
    /// # Errors
    /// See [`Refusal`].
    fn begin(&mut self) -> Result<(), Refusal>;

    /// Adds a record to the transaction.
    ///
    /// # Errors
    /// See [`Refusal`].
    fn produce(&mut self, record: &Outgoing) -> Result<(), Refusal>;

    /// Adds the group's positions to the transaction, in the name of the group's generation: the broker refuses them
    /// from one who is no longer its member.
    ///
    /// # Errors
    /// See [`Refusal`].
    fn offsets(&mut self, positions: &BTreeMap<Partition, u64>, metadata: &str) -> Result<(), Refusal>;

    /// Commits the transaction.
    ///
    /// # Errors
    /// See [`Refusal`]: it says whether the transaction may be in force.
    fn commit(&mut self) -> Result<(), Refusal>;

    /// Gives the transaction up.
    ///
    /// # Errors
    /// See [`Refusal`].
    fn abort(&mut self) -> Result<(), Refusal>;

    /// What the group has committed of these partitions, as it stands once no transaction of this task is open.
    ///
    /// # Errors
    /// The broker did not say.
    fn committed(&mut self, partitions: &[Partition]) -> Result<BTreeMap<Partition, Committed>, BrokerError>;

    /// The journal partition's offsets, from the first record kept to the high watermark.
    ///
    /// # Errors
    /// The broker did not say.
    fn journal_range(&mut self) -> Result<Range<u64>, BrokerError>;

    /// Reads the committed journal records of a range, in order.
    ///
    /// # Errors
    /// The range's end was not reached.
    fn journal(&mut self, range: Range<u64>, sink: &mut dyn FnMut(u64, &[u8])) -> Result<(), BrokerError>;
}

/// One process's membership of the app's group: who owns journal partition p runs task p.
///
/// Changes come one at a time. What is taken away stays this process's until acknowledged, unless it is lost.
pub trait Group {
    /// Waits at most so long for the next change.
    ///
    /// # Errors
    /// What waiting does not help: the broker denies it, or another process bears this one's name.
    fn poll(&mut self, wait: Duration) -> Result<Option<Change>, BrokerError>;

    /// Says that nothing here uses any more what was last taken away: the group may give it to others.
    ///
    /// # Errors
    /// The group refused.
    fn acknowledge(&mut self) -> Result<(), BrokerError>;

    /// Asks whether this process is still a member in good standing. [`Change::Confirmed`] answers that it was when
    /// asked or later; where it was not, a loss comes instead, and where nobody answers, neither.
    fn confirm(&mut self);

    /// Gives everything up and leaves, so that others take over at once; waits at most so long for it.
    fn leave(&mut self, at_most: Duration);
}

/// What the group tells a process of its journal partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// They are this process's from now on, besides those it has; none, where others have them all.
    Assigned(Vec<u32>),
    /// They go to others once it is acknowledged.
    Released(Vec<u32>),
    /// They are others' already, or may be: the process was not heard of for too long.
    Lost(Vec<u32>),
    /// The answer to [`Group::confirm`].
    Confirmed,
}

/// What a fetch brought of one partition.
#[derive(Debug)]
pub enum Fetched<'a> {
    Record {
        offset: u64,
        raw: RawRecord<'a>,
    },
    /// Everything below this offset was handed over or is no record (markers, what was aborted); nothing more at
    /// present.
    AtEnd(u64),
    /// The broker is out of reach: whether this is the end is not known until it is heard again.
    Lost,
}

/// A group's offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub offset: u64,
    /// What was noted beside it.
    pub note: String,
}

/// A record to be produced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub topic: String,
    /// `None`: by the key, as the Java client does.
    pub partition: Option<u32>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

/// How a step of a transaction failed: what the caller must do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The transaction is not in force and cannot be: abort it and send the same again.
    #[error("{0}")]
    Abortable(String),
    /// Another producer of this name took over: this one must not write again.
    #[error("{0}")]
    Fenced(String),
    /// It may or may not be in force: make a new producer and look at the journal's end.
    #[error("{0}")]
    Unknown(String),
    /// The broker will not allow it, now or later.
    #[error("{0}")]
    Denied(String),
}

/// Why reading or asking failed.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The position lies before what retention has kept, or beyond the end.
    #[error(
        "{topic} partition {partition} is to be read from offset {position}, the broker has offsets {} to {}: where \
         retention was faster than reading, bring the records back or start anew under another `app`, and lengthen the \
         topic's retention", kept.start, kept.end
    )]
    OutOfRange { topic: String, partition: u32, position: u64, kept: Range<u64> },
    /// The user may not do this, or is not who they say.
    #[error("{what}: the broker refused: {reason}")]
    Denied { what: String, reason: String },
    /// Worth another try.
    #[error("{what}: {reason}")]
    Failed { what: String, reason: String },
}
