//! Bytes to events, outputs to bytes.

pub mod currency;
pub mod output;

use crate::model::event::{Event, Kind};
use crate::model::record::DeadLetter;

/// A record's bytes as Kafka or a file gives them.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawRecord<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// CloudEvents binary mode lies here.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// Decodes one record of an input: plain JSON, CloudEvents binary or structured.
///
/// # Errors
/// What cannot be read or breaks the contract is a dead letter with its code, a sentence and its bytes.
pub fn decode(kind: Kind, record: &RawRecord<'_>) -> Result<Event, Box<DeadLetter>> {
    let _ = (kind, record);
    todo!("codec")
}
