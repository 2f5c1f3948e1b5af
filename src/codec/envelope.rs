//! What is around a kind's own fields: plain JSON, a structured `CloudEvents` event or one in binary mode.
//!
//! All three end in the same [`Common`] and the same fields. An attribute of `CloudEvents` holds before
//! a field of the same meaning in its data; where the attribute is absent the field may stand in for it.

use compact_str::CompactString;

use super::RawRecord;
use super::fault::{Fault, shown};
use super::field::Field;
use super::fields::{EnvelopeFields, Fields, put};
use super::json::{self, Value};
use crate::model::event::Kind;
use crate::model::id::CustomerId;
use crate::model::record::Code;
use crate::model::time::EventTime;

/// The fields that every kind has.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) event_id: CompactString,
    /// `None` where absent, and most kinds then refuse the record; `None` too for kinds that are about no customer.
    pub(super) customer: Option<CustomerId>,
    pub(super) at: EventTime,
}

/// Opens the envelope of `text`, the record's value, and puts the kind's own fields into `fields`, which
/// is empty (and an argument because it is large). Who the customer is, is asked only where the kind has one.
///
/// # Errors
/// Text that is no JSON object, and common fields that are missing or wrong.
pub(super) fn open<'a, F: Fields<'a>>(
    kind: Kind,
    text: &'a str,
    record: &RawRecord<'a>,
    fields: &mut F,
) -> Result<Common, Fault> {
    let mut outer = EnvelopeFields::default();
    read(text, &mut outer, fields)?;
    let mut id = outer.event_id();
    let mut customer = outer.customer_id();
    let mut at = outer.occurred_at();
    if !outer.specversion().is_absent() && !outer.data().is_absent() {
        let mut inner = EnvelopeFields::default();
        *fields = F::default();
        read(structured_data(&outer)?, &mut inner, fields)?;
        id = outer.id().or(inner.event_id());
        customer = outer.subject().or(inner.customer_id());
        at = outer.time().or(inner.occurred_at());
    }
    if !record.headers.is_empty() {
        id = header(record, "ce_id")?.unwrap_or(id);
        customer = header(record, "ce_subject")?.unwrap_or(customer);
        at = header(record, "ce_time")?.unwrap_or(at);
    }
    let event_id = id.id()?;
    let customer = if kind.has_customer() { customer.id_opt()?.map(CustomerId) } else { None };
    Ok(Common { event_id, customer, at: at.time()? })
}

/// Sorts the fields of an object into the envelope's and the kind's.
fn read<'a>(text: &'a str, envelope: &mut EnvelopeFields<'a>, fields: &mut impl Fields<'a>) -> Result<(), Fault> {
    json::object(text, |name, value| match fields.place(name).or_else(|| envelope.place(name)) {
        Some(place) => put(place, name, value),
        None => Ok(()),
    })
}

/// The `data` of a structured `CloudEvents` event of the version that we read.
fn structured_data<'a>(outer: &EnvelopeFields<'a>) -> Result<&'a str, Fault> {
    match outer.specversion().value {
        Value::Text("1.0") => {}
        _ => {
            return Err(Fault::new(Code::UnknownValue, "field `specversion` is not \"1.0\", the only version read"));
        }
    }
    outer.data().object()
}

/// The last header of that name, as a field.
fn header<'a>(record: &RawRecord<'a>, name: &'static str) -> Result<Option<Field<'a>>, Fault> {
    let Some((_, bytes)) = record.headers.iter().rev().find(|(other, _)| *other == name) else {
        return Ok(None);
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Some(Field { name, value: Value::Text(text) })),
        Err(_) => Err(Fault::new(
            Code::InvalidUtf8,
            format!("header `{name}` is not UTF-8: \"{}\"", shown(&String::from_utf8_lossy(bytes))),
        )),
    }
}
