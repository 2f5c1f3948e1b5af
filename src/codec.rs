//! Bytes to events, outputs to bytes. Bad input is a value here ([`DeadLetter`]), never an error or a panic.
//!
//! JSON is read by a scanner of our own (`json.rs`) rather than by deriving: decimals must never pass
//! through binary floating point, a fault must name the field and what is allowed, and decoding is the
//! greatest part of what a record costs. There is one path for good and for bad records.
//!
//! Read in this order: [`decode`], `envelope.rs`, `kinds.rs`, `field.rs`, `json.rs`.

pub(crate) mod currency;
mod decimal;
mod envelope;
mod fault;
mod field;
mod fields;
mod json;
mod kinds;
pub mod output;
pub mod sentiment;
mod time;

use fault::Fault;

use crate::model::event::{Body, Event, Kind};
use crate::model::id::{CustomerId, MAX_ID_BYTES, is_fit};
use crate::model::record::{Code, DeadLetter};
use crate::model::time::EventTime;

/// Longest value read, in bytes; a longer one is a dead letter (`too_large`).
pub const MAX_VALUE_BYTES: usize = 1 << 20;

/// A record's bytes as Kafka or a file gives them.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawRecord<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// The binary mode of `CloudEvents` lies here.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Kafka's time of the record: when a customer was forgotten, which a null value cannot say.
    pub timestamp: Option<EventTime>,
}

/// Decodes one record of an input: plain JSON, `CloudEvents` binary or structured.
///
/// # Errors
/// What cannot be read or breaks the contract is a dead letter with its code, a sentence and its bytes.
pub fn decode(kind: Kind, record: &RawRecord<'_>) -> Result<Event, Box<DeadLetter>> {
    let event = match record.value {
        None => forget(kind, record),
        Some(value) => text(value).and_then(|text| kinds::read(kind, text, record)),
    };
    event.map_err(|fault| Box::new(fault.dead_letter(record)))
}

fn text(value: &[u8]) -> Result<&str, Fault> {
    if value.len() > MAX_VALUE_BYTES {
        let message = format!("the value is {} bytes long; at most {MAX_VALUE_BYTES} are read", value.len());
        return Err(Fault::new(Code::TooLarge, message));
    }
    std::str::from_utf8(value).map_err(|error| {
        Fault::new(Code::InvalidUtf8, format!("the value is not UTF-8 from byte {} on", error.valid_up_to()))
    })
}

/// A customer, account or agent record without value: the key says who is to be forgotten.
fn forget(kind: Kind, record: &RawRecord<'_>) -> Result<Event, Fault> {
    let body: fn(&str) -> Body = match kind {
        Kind::Customer => |_| Body::Forget,
        Kind::Account => |id| Body::ForgetAccount(id.into()),
        Kind::Agent => |id| Body::ForgetAgent(id.into()),
        _ => {
            let message = "the record has no value; only a customer, account or agent record may lack it";
            return Err(Fault::new(Code::NullValue, message));
        }
    };
    let key = record.key.filter(|key| !key.is_empty()).ok_or_else(|| {
        Fault::new(Code::NullValue, "the record has neither value nor key, which would say whom to forget")
    })?;
    let id = std::str::from_utf8(key)
        .map_err(|_| Fault::new(Code::InvalidUtf8, "the key of a record without value is not UTF-8"))?;
    if id.len() > MAX_ID_BYTES {
        let message = format!("the key is {} bytes long; at most {MAX_ID_BYTES} are allowed for an id", id.len());
        return Err(Fault::new(Code::IdTooLong, message));
    }
    if !is_fit(id) {
        let remedy = "an id holds no control characters: take them out where the record is written";
        return Err(Fault::new(Code::BadId, format!("the key is \"{}\"; {remedy}", fault::shown(id))));
    }
    let at = record.timestamp.unwrap_or(EventTime::MIN);
    let at = time::checked(at.0).map_err(|_| {
        let message = format!("the record's timestamp is {}; a time lies from 1970-01-01 to 2500-01-01", at.0);
        Fault::new(Code::BadTime, message)
    })?;
    let customer = kind.has_customer().then(|| CustomerId::from(id));
    Ok(Event { event_id: id.into(), customer, at, body: body(id), unknown_values: 0 })
}

#[cfg(test)]
mod tests;
