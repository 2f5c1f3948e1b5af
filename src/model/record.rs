//! A record on its way into the engine, and the epoch that carries it.

use super::effect::Effect;
use super::event::{Event, Kind};
use super::time::EventTime;

/// Where a record lies: input kind (which names the topic), partition, offset (in files: the line from 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Position {
    pub kind: Kind,
    pub partition: u32,
    pub offset: u64,
}

/// A record that cannot be used: why, and its bytes untouched.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    pub code: Code,
    /// One sentence for a person: what is wrong and what is allowed.
    pub message: String,
    pub key: Option<Vec<u8>>,
    /// `None` for a null value. At most [`MAX_DEAD_LETTER_BYTES`] together with the key; what is beyond is cut.
    pub value: Option<Vec<u8>>,
    /// Set where the value was cut.
    pub truncated: Option<Truncated>,
}

/// What a cut value was: enough to find and recognise the record where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated {
    pub full_bytes: u64,
    /// XXH3 (64 bits) of the whole value.
    pub xxh3: u64,
}

/// Bytes of key and value that a dead letter keeps. `vip.dlq` takes records of 16 MB (2^24 bytes); the
/// difference is room for its headers.
pub const MAX_DEAD_LETTER_BYTES: usize = 16_000_000;

impl DeadLetter {
    /// A refused record, its bytes copied up to [`MAX_DEAD_LETTER_BYTES`].
    pub fn of(code: Code, message: String, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let key = key.map(|bytes| &bytes[..bytes.len().min(MAX_DEAD_LETTER_BYTES)]);
        let room = MAX_DEAD_LETTER_BYTES - key.map_or(0, <[u8]>::len);
        let truncated = value
            .filter(|bytes| bytes.len() > room)
            .map(|bytes| Truncated { full_bytes: bytes.len() as u64, xxh3: xxhash_rust::xxh3::xxh3_64(bytes) });
        let value = value.map(|bytes| bytes[..bytes.len().min(room)].to_vec());
        Self { code, message, key: key.map(<[u8]>::to_vec), value, truncated }
    }
}

/// Why a record was refused: the closed list of error codes of the dead-letter topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    NullValue,
    TooLarge,
    InvalidUtf8,
    InvalidJson,
    TooDeep,
    NotAnObject,
    MissingField,
    WrongType,
    BadTime,
    BadAmount,
    UnknownCurrency,
    UnknownValue,
    OutOfRange,
    IdTooLong,
    BadId,
    Early,
    TooManyHops,
}

impl Code {
    /// Every code, in order of declaration.
    pub const ALL: [Self; 17] = [
        Self::NullValue,
        Self::TooLarge,
        Self::InvalidUtf8,
        Self::InvalidJson,
        Self::TooDeep,
        Self::NotAnObject,
        Self::MissingField,
        Self::WrongType,
        Self::BadTime,
        Self::BadAmount,
        Self::UnknownCurrency,
        Self::UnknownValue,
        Self::OutOfRange,
        Self::IdTooLong,
        Self::BadId,
        Self::Early,
        Self::TooManyHops,
    ];

    /// The code on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NullValue => "null_value",
            Self::TooLarge => "too_large",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::InvalidJson => "invalid_json",
            Self::TooDeep => "too_deep",
            Self::NotAnObject => "not_an_object",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::BadTime => "bad_time",
            Self::BadAmount => "bad_amount",
            Self::UnknownCurrency => "unknown_currency",
            Self::UnknownValue => "unknown_value",
            Self::OutOfRange => "out_of_range",
            Self::IdTooLong => "id_too_long",
            Self::BadId => "bad_id",
            Self::Early => "early",
            Self::TooManyHops => "too_many_hops",
        }
    }
}

/// One record as the engine takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub position: Position,
    /// Greatest event time so far in its partition: its place in the merge.
    pub merge_time: EventTime,
    pub body: Result<Event, Box<DeadLetter>>,
}

/// The unit of work: records already merged by key, and the time that it brings.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Epoch {
    /// What entities at home elsewhere have done to some at home here, as it was fetched: taken before the records.
    pub effects: Vec<Effect>,
    pub records: Vec<Record>,
    /// What the clock rises to at the epoch's end; no record in it is applied beyond.
    pub clock: EventTime,
    /// Wall time, read once for the epoch; in `event` time equal to `clock`.
    pub wall: EventTime,
}
