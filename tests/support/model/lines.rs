//! Outputs as lines, and their order in a file replay.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use vipstream::model::event::Kind;
use vipstream::model::output::OutputId;
use vipstream::model::record::Position;
use vipstream::model::time::EventTime;

use super::customer::Entity;

/// One output line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) order: (EventTime, Option<String>, u64, String, String, String),
    /// The customer, or an unknown author's `platform:handle`.
    pub(super) key: String,
    pub(super) text: String,
}

/// What decides a line's place among the others.
pub(super) struct Order<'a> {
    pub(super) occurred_at: EventTime,
    pub(super) entity: &'a Entity,
    pub(super) status_seq: u64,
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    /// `None` where outputs that are alike in all else stay in the order of saying.
    pub(super) id: Option<OutputId>,
}

impl Line {
    pub(super) fn new(order: &Order<'_>, body: Map<String, Json>) -> Self {
        Self {
            order: (
                order.occurred_at,
                order.entity.customer_id().map(str::to_owned),
                order.status_seq,
                order.kind.to_owned(),
                order.name.to_owned(),
                order.id.map(|id| id.to_string()).unwrap_or_default(),
            ),
            key: order.entity.key().to_owned(),
            text: Json::Object(body).to_string(),
        }
    }
}

/// The name of each input's topic.
pub(super) struct Topics(pub(super) BTreeMap<Kind, String>);

impl Topics {
    /// Each named as its kind, as in a replay of files.
    pub(super) fn of_files() -> Self {
        Self(Kind::ALL.map(|kind| (kind, kind.name().to_owned())).into())
    }

    /// Where a record lies.
    pub(super) fn place(&self, position: &Position) -> Json {
        json!({ "topic": self.0[&position.kind], "partition": position.partition, "offset": position.offset })
    }
}

/// Builds a JSON object in the order of insertion.
#[derive(Default)]
pub(super) struct Object(pub(super) Map<String, Json>);

impl Object {
    pub(super) fn put(&mut self, name: &str, value: impl Into<Json>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Leaves out what is absent.
    pub(super) fn put_some(&mut self, name: &str, value: Option<impl Into<Json>>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }
}

/// RFC 4648 base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let block = chunk.iter().enumerate().fold(0u32, |block, (i, byte)| block | u32::from(*byte) << (16 - 8 * i));
        for digit in 0..4 {
            let sextet = (block >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit > chunk.len() { '=' } else { char::from(DIGITS[sextet]) });
        }
    }
    text
}
