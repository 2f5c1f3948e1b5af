//! One line of JSON, field by field, and how the nouns look on it.

use rust_decimal::Decimal;
use serde::{Serialize, Serializer, ser::SerializeSeq};

use crate::model::event::Kind;
use crate::model::output::{Evidence, Fallback, Routing, Scalar};
use crate::model::record::Position;
use crate::model::time::EventTime;

/// An object being written.
pub(super) struct Line {
    out: Vec<u8>,
}

impl Line {
    pub(super) fn new() -> Self {
        let mut out = Vec::with_capacity(1024);
        out.push(b'{');
        Self { out }
    }

    /// Writes a field. `name` is plain letters.
    pub(super) fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        if self.out.len() > 1 {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        serde_json::to_writer(&mut self.out, value)
            .expect("the values written here have text keys and no failing parts");
    }

    /// Writes a field, or nothing where there is no value.
    pub(super) fn put_some<T: Serialize + ?Sized>(&mut self, name: &str, value: Option<&T>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// Writes a field as the text that it displays as.
    pub(super) fn text(&mut self, name: &str, value: &impl std::fmt::Display) {
        self.put(name, &format_args!("{value}"));
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }
}

/// Rows of evidence, with the topics that their samples lie in.
pub(super) struct Rows<'a> {
    rows: &'a [Evidence],
    /// `None` where samples are left out.
    topics: Option<&'a [String; Kind::ALL.len()]>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(rows: &'a [Evidence], topics: &'a [String; Kind::ALL.len()]) -> Self {
        Self { rows, topics: Some(topics) }
    }

    /// Rows that have no samples.
    pub(super) fn without_samples(rows: &'a [Evidence]) -> Self {
        Self { rows, topics: None }
    }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.rows.len()))?;
        for row in self.rows {
            rows.serialize_element(&Row {
                feature: &row.feature,
                window: row.window.as_deref(),
                value: row.value.as_ref().map(ScalarJson),
                threshold: row.threshold.as_ref().map(ScalarJson),
                op: row.op,
                holds: row.holds,
                settled_at: row.settled_at,
                sample: self.topics.map(|topics| row.sample.iter().map(|at| Place::of(*at, topics)).collect()),
            })?;
        }
        rows.end()
    }
}

#[derive(Serialize)]
struct Row<'a> {
    feature: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<&'a str>,
    value: Option<ScalarJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<ScalarJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at: Option<EventTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<Vec<Place<'a>>>,
}

#[derive(Serialize)]
struct Place<'a> {
    topic: &'a str,
    partition: u32,
    offset: u64,
}

impl<'a> Place<'a> {
    fn of(position: Position, topics: &'a [String; Kind::ALL.len()]) -> Self {
        Self { topic: &topics[position.kind as usize], partition: position.partition, offset: position.offset }
    }
}

/// A value: ints as numbers, decimals as strings, so that no reader rounds them.
pub(super) struct ScalarJson<'a>(pub(super) &'a Scalar);

impl Serialize for ScalarJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Scalar::Bool(flag) => serializer.serialize_bool(*flag),
            Scalar::Int(number) => serializer.serialize_i64(*number),
            Scalar::Decimal(number) => serializer.collect_str(&plain(*number)),
            Scalar::Text(text) => serializer.serialize_str(text),
            Scalar::Time(time) => time.serialize(serializer),
        }
    }
}

/// Without trailing zeros, and zero without a sign.
pub(super) fn plain(number: Decimal) -> Decimal {
    if number.is_zero() { Decimal::ZERO } else { number.normalize() }
}

#[derive(Serialize)]
pub(super) struct RoutingJson<'a> {
    team: Option<&'a str>,
    agent: Option<&'a str>,
    channel: Option<&'a str>,
    reason: &'a str,
    fallbacks: Vec<FallbackJson<'a>>,
}

#[derive(Serialize)]
struct FallbackJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<String>,
}

impl<'a> RoutingJson<'a> {
    pub(super) fn of(routing: &'a Routing) -> Self {
        Self {
            team: routing.team.as_deref(),
            agent: routing.agent.as_deref(),
            channel: routing.channel.as_deref(),
            reason: routing.reason,
            fallbacks: routing.fallbacks.iter().map(FallbackJson::of).collect(),
        }
    }
}

impl<'a> FallbackJson<'a> {
    fn of(fallback: &'a Fallback) -> Self {
        Self {
            agent: fallback.agent.as_deref(),
            team: fallback.team.as_deref(),
            reason: fallback.reason,
            share: fallback.share.map(|share| plain(share).to_string()),
        }
    }
}

/// Standard Base64 with padding (RFC 4648, section 4).
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| chunk.get(place).copied().map_or(0, u32::from);
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place)) & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[sextet as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
