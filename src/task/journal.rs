//! The journal: one record an epoch, in the same transaction as its outputs. It alone says where a task stands.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed, xxh3_128};

use crate::broker::Outgoing;
use crate::engine::TimeMode;
use crate::merge::Lane;
use crate::model::event::Kind;
use crate::model::output::{Output, OutputId};
use crate::model::record::Code;

/// Version of everything that decides: raised when the same input would give other outputs.
pub(crate) const LOGIC_VERSION: u32 = 4;

/// One committed epoch. Field numbers are never reused.
#[derive(Clone, PartialEq, prost::Message)]
pub struct JournalRecord {
    /// From 0, the start of the app, without records.
    #[prost(uint64, tag = "1")]
    pub epoch: u64,
    #[prost(message, repeated, tag = "2")]
    pub ranges: Vec<InputRange>,
    #[prost(sint64, tag = "3")]
    pub clock_ms: i64,
    #[prost(sint64, tag = "4")]
    pub wall_ms: i64,
    /// Hash of the ruleset in force.
    #[prost(string, tag = "5")]
    pub ruleset: String,
    /// Its text, in the record that introduces it.
    #[prost(string, optional, tag = "6")]
    pub ruleset_text: Option<String>,
    #[prost(uint32, tag = "7")]
    pub logic_version: u32,
    /// XXH3 (128 bits, little endian) of what identifies each output, in order.
    #[prost(bytes = "vec", tag = "8")]
    pub outputs_digest: Vec<u8>,
    /// Whether every partition has been at its end once.
    #[prost(bool, tag = "9")]
    pub caught_up: bool,
    /// `live` or `event`.
    #[prost(string, tag = "10")]
    pub time: String,
    /// The topics that no record before names, so that one made anew is noticed.
    #[prost(message, repeated, tag = "11")]
    pub topics: Vec<TopicId>,
    /// How many tasks share the customers.
    #[prost(uint32, tag = "12")]
    pub tasks: u32,
    /// Digest of the customers that the epoch touched, of some of them: one that was restored otherwise than it was
    /// shows when it is next touched.
    #[prost(fixed64, tag = "13")]
    pub sample_digest: u64,
    /// The newest snapshot of the task.
    #[prost(message, optional, tag = "14")]
    pub snapshot: Option<SnapshotName>,
}

/// Which snapshot there is.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SnapshotName {
    /// The last epoch that is in it.
    #[prost(uint64, tag = "1")]
    pub epoch: u64,
    /// Digest of the whole state after that epoch.
    #[prost(bytes = "vec", tag = "2")]
    pub state_digest: Vec<u8>,
}

/// Which topic a name stood for.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TopicId {
    #[prost(string, tag = "1")]
    pub topic: String,
    /// As Kafka's tools show it.
    #[prost(string, tag = "2")]
    pub id: String,
}

/// The part of a lane that an epoch took. For what came from another task, `kind` is `relay` (records handed over) or
/// `effect`, `partition` the task that it came from, and the offsets are those of this task's partition of the relay.
#[derive(Clone, PartialEq, prost::Message)]
pub struct InputRange {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(uint32, tag = "2")]
    pub partition: u32,
    #[prost(uint64, tag = "3")]
    pub from: u64,
    /// One past the last record taken.
    #[prost(uint64, tag = "4")]
    pub to: u64,
    /// XXH3 (64 bits), chained over offset, key, value and headers of each record.
    #[prost(fixed64, tag = "5")]
    pub digest: u64,
    /// Offsets refused as early: a verdict on the wall clock of that moment, so it is written down.
    #[prost(uint64, repeated, tag = "6")]
    pub early: Vec<u64>,
    /// Everything below was handed over to the tasks where it is at home; 0 where nothing was.
    #[prost(uint64, tag = "7")]
    pub relayed_to: u64,
}

impl InputRange {
    /// The lane; `None` where this build does not know the kind.
    pub fn lane(&self) -> Option<Lane> {
        lane_of(&self.kind, self.partition)
    }
}

/// The lane of these names; `None` where this build does not know the kind.
pub(super) fn lane_of(kind: &str, partition: u32) -> Option<Lane> {
    match kind {
        RELAY => Some(Lane::Relay(partition)),
        EFFECT => Some(Lane::Effect(partition)),
        _ => Some(Lane::Input(Kind::from_name(kind)?, partition)),
    }
}

/// How a lane is named.
pub(super) const fn names_of(lane: Lane) -> (&'static str, u32) {
    match lane {
        Lane::Input(kind, partition) => (kind.name(), partition),
        Lane::Relay(source) => (RELAY, source),
        Lane::Effect(source) => (EFFECT, source),
    }
}

/// Stands where a kind does for what was handed over.
pub const RELAY: &str = "relay";

/// Stands where a kind does for what entities elsewhere have done.
pub const EFFECT: &str = "effect";

/// What an epoch took of each lane, as it grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(BTreeMap<Lane, Taken>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Taken {
    from: u64,
    to: u64,
    digest: u64,
    early: Vec<u64>,
    relayed_to: u64,
    /// Records taken, and handed over.
    count: usize,
    handed_over: usize,
}

impl Taken {
    const fn nothing(from: u64) -> Self {
        Self { from, to: from, digest: 0, early: Vec::new(), relayed_to: 0, count: 0, handed_over: 0 }
    }
}

impl Ranges {
    /// Notes a lane that starts at `position`, of which nothing is taken yet.
    pub(super) fn start(&mut self, lane: Lane, position: u64) {
        self.0.insert(lane, Taken::nothing(position));
    }

    /// Notes that a record was handed over; `position` is the lane's, where nothing was taken of it yet.
    /// `early` are the offsets before it that were refused as early: from now on they must stay so.
    pub(super) fn hand_over(&mut self, lane: Lane, position: u64, offset: u64, early: Vec<u64>) {
        let taken = self.0.entry(lane).or_insert_with(|| Taken::nothing(position));
        taken.relayed_to = offset + 1;
        taken.early.extend(early);
        taken.handed_over += 1;
    }

    /// How many records went to other tasks.
    pub(super) fn handed_over(&self) -> usize {
        self.0.values().map(|taken| taken.handed_over).sum()
    }

    /// How many records came from other tasks.
    pub(super) fn taken_in(&self) -> usize {
        let relayed = self.0.iter().filter(|(lane, _)| matches!(lane, Lane::Relay(_)));
        relayed.map(|(_, taken)| taken.count).sum()
    }

    /// Adds a record; `from` is the partition's position before the epoch.
    pub(super) fn add(&mut self, lane: Lane, from: u64, offset: u64, digest: u64, is_early: bool) {
        let taken = self.0.entry(lane).or_insert_with(|| Taken::nothing(from));
        taken.to = offset + 1;
        taken.count += 1;
        let mut link = [0; 16];
        link[..8].copy_from_slice(&offset.to_le_bytes());
        link[8..].copy_from_slice(&digest.to_le_bytes());
        taken.digest = xxh3_64_with_seed(&link, taken.digest);
        if is_early {
            taken.early.push(offset);
        }
    }

    /// The digest of what was taken of a partition.
    pub(super) fn digest(&self, lane: Lane) -> u64 {
        self.0.get(&lane).map_or(0, |taken| taken.digest)
    }

    /// As they stand in the journal.
    pub(super) fn into_wire(self) -> Vec<InputRange> {
        self.0
            .into_iter()
            .map(|(lane, Taken { from, to, digest, early, relayed_to, .. })| {
                let (kind, partition) = names_of(lane);
                InputRange { kind: kind.to_owned(), partition, from, to, digest, early, relayed_to }
            })
            .collect()
    }
}

/// Digest of a record's bytes.
pub(super) fn record_digest(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[(&str, &[u8])]) -> u64 {
    // A missing part differs from an empty one.
    let mut digest = key.map_or(NO_KEY, |key| xxh3_64_with_seed(key, 0));
    digest = value.map_or(digest ^ NO_VALUE, |value| xxh3_64_with_seed(value, digest));
    for (name, value) in headers {
        digest = xxh3_64_with_seed(value, xxh3_64_with_seed(name.as_bytes(), digest));
    }
    digest
}

const NO_KEY: u64 = 0x6b65_7900_6b65_7900;
const NO_VALUE: u64 = 0x7661_6c75_6500_7661;

/// Digest of what identifies an epoch's outputs: ids, sequence numbers, refused records; not their wording. And of
/// what it does to entities at home elsewhere.
pub(super) fn outputs_digest(outputs: &[Output], effects: &[Outgoing]) -> Vec<u8> {
    let named = |hash: &mut Xxh3, id: OutputId, sequence: u64| {
        hash.update(&id.0.to_le_bytes());
        hash.update(&sequence.to_le_bytes());
    };
    let mut hash = Xxh3::new();
    for output in outputs {
        match output {
            Output::Decision(it) => named(&mut hash, it.event_id, it.status_seq),
            Output::Alert(it) => named(&mut hash, it.event_id, it.status_seq),
            Output::Status(it) => named(&mut hash, it.event_id, it.status_seq),
            Output::Audit(it) => named(&mut hash, it.event_id, it.status_seq),
            Output::Insight(it) => named(&mut hash, it.event_id, 0),
            Output::Pivot(it) => named(&mut hash, it.event_id, it.status_seq),
            Output::DeadLetter(position, letter) => {
                hash.update(&position.offset.to_le_bytes());
                hash.update(&position.partition.to_le_bytes());
                hash.update(position.kind.name().as_bytes());
                hash.update(Code::name(letter.code).as_bytes());
            }
        }
    }
    for effect in effects {
        hash.update(&effect.partition.unwrap_or_default().to_le_bytes());
        hash.update(effect.value.as_deref().unwrap_or_default());
    }
    hash.digest128().to_le_bytes().to_vec()
}

/// Digest of a journal record as it was written.
pub(super) fn journal_digest(record: &[u8]) -> Vec<u8> {
    xxh3_128(record).to_le_bytes().to_vec()
}

/// The time mode's word.
pub(super) const fn mode_name(mode: TimeMode) -> &'static str {
    match mode {
        TimeMode::Live => "live",
        TimeMode::Event => "event",
    }
}
