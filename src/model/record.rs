//! A record on its way into the engine, and the epoch that carries it.

use super::event::{Event, Kind};
use super::time::EventTime;

/// Where a record lies: input kind (which names the topic), partition, offset (in files: the line from 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// `None` for a null value. At most 16 MB; what is beyond is cut and `full_bytes` says how much there was.
    pub value: Option<Vec<u8>>,
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
    Early,
    NotHome,
}

impl Code {
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
            Self::Early => "early",
            Self::NotHome => "not_home",
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
    pub records: Vec<Record>,
    /// What the clock rises to at the epoch's end; no record in it is applied beyond.
    pub clock: EventTime,
    /// Wall time, read once for the epoch; in `event` time equal to `clock`.
    pub wall: EventTime,
}
